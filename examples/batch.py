"""Answer a file of questions, one a line, and write one JSON object a line.

python examples/batch.py questions.txt > answers.jsonl
"""

import json
import sys
from pathlib import Path

from citewire import Engine, Error

with Engine.open() as engine:
    for question in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines():
        if not question.strip():
            continue
        try:
            row = engine.ask(question).to_dict()
        except Error as error:  # one bad question does not cost the others
            row = {"question": question, "error": str(error)}
        print(json.dumps(row), flush=True)
