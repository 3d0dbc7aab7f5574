"""Show what happens while a question is answered: the passages, the draft as it is written, the checked answer."""

import sys

from citewire import Answer, Engine, Evidence, Token

question = " ".join(sys.argv[1:]) or "When did the six-party talks break down?"
with Engine.open() as engine:
    for event in engine.stream(question):
        match event:
            case Evidence(sources=sources):
                for source in sources:
                    print(f"reading: {source.hit.article.headline}")
            case Token(text=text):
                print(text, end="", flush=True)  # a draft; nothing of it is checked yet
            case Answer():
                print(f"\n\n{event}")
