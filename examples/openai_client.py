"""Ask `citewire serve` with the library of OpenAI: pip install openai; citewire serve --no-page --port 7860

python examples/openai_client.py "When did the six-party talks break down?" http://127.0.0.1:7860
"""

import os
import sys

from openai import OpenAI

question = sys.argv[1] if len(sys.argv) > 1 else "When did the six-party talks break down?"
address = sys.argv[2] if len(sys.argv) > 2 else "http://127.0.0.1:7860"
client = OpenAI(base_url=f"{address}/v1", api_key=os.environ.get("CITEWIRE_API_TOKEN", "none"))

completion = client.chat.completions.create(model="citewire", messages=[{"role": "user", "content": question}])
print(completion.choices[0].message.content)
if completion.citewire["refused"]:
    print(f"Not answered: {completion.citewire['reason']}")
for result in completion.search_results:
    print(f"[{result['number']}] {result['title']}: {result['snippet']}")
