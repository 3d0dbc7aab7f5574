"""Language: how often the language of a question is read right, and how often an English one is taken for another.

XQuAD's questions in six languages, and SQuAD 2's. A question whose language is not told counts as wrong; that costs
only a refusal in other words.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from benchmarks.harness import dataset
from benchmarks.harness.report import Mean
from index.language import language_of

if TYPE_CHECKING:
    from pathlib import Path

LANGUAGES = {"ar": "Arabic", "de": "German", "es": "Spanish", "ru": "Russian", "th": "Thai", "zh": "Chinese"}


def measure(data: Path, *, quick: bool) -> dict[str, dict[str, dict[str, Mean]]]:
    """Shares of questions that are read as the right language, and as a wrong one."""
    asked = {"English": [question.text for question in dataset.squad(data, quick=quick).questions]}
    for tag, name in LANGUAGES.items():
        path = data / "xquad" / f"xquad.{tag}.json"
        if path.is_file() and not quick:
            articles = json.loads(path.read_text(encoding="utf-8"))["data"]
            asked[name] = [
                one["question"]
                for article in articles
                for paragraph in article["paragraphs"]
                for one in paragraph["qas"]
            ]
    rows = {}
    for name, questions in asked.items():
        told = [language_of(question) for question in questions]
        rows[name] = {
            "read right": Mean.of([one == name for one in told]),
            "read as another": Mean.of([one not in (name, None) for one in told]),
        }
    return {"language of questions": rows}
