"""Ask `citewire serve` over HTTP, and print the draft as it is written and the checked answer with its quotes.

python examples/http_client.py "When did the six-party talks break down?" http://127.0.0.1:7860
"""

import json
import os
import sys

import httpx

question = sys.argv[1] if len(sys.argv) > 1 else "When did the six-party talks break down?"
address = sys.argv[2] if len(sys.argv) > 2 else "http://127.0.0.1:7860"
token = os.environ.get("CITEWIRE_API_TOKEN")
headers = {"Accept": "text/event-stream", **({"Authorization": f"Bearer {token}"} if token else {})}

with httpx.stream("POST", f"{address}/api/v1/ask", json={"question": question}, headers=headers, timeout=600) as reply:
    if reply.is_error:
        sys.exit(json.loads(reply.read())["detail"])
    name = ""
    for line in reply.iter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            data = json.loads(line.removeprefix("data: "))
            if name == "token":
                print(data["text"], end="", flush=True)
            elif name == "answer":
                print(f"\n\n{data['text']}")
                for claim in data["claims"]:
                    for citation in claim["citations"]:
                        print(f"[{citation['number']}] {citation['headline']}: {citation['quote']}")
            elif name == "error":
                sys.exit(data["detail"])
