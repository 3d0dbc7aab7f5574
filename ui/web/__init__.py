"""The page: Gradio wiring and nothing else. The only folder that imports gradio; one file for each part of the page.

    serve.py    the server: serve, build, launch
    page.py     what is where, and which part owns it
    chat.py     asking, watching, stopping
    shelf.py    the library: adding, finding, removing, narrowing
    record.py   kept conversations and thumbs
    choices.py  settings and models
    page.js     what only a browser can do: keys, hovering, copying, handing clicks on

Knows no retrieval, no prompts and no HTML (see ui/render.py, ui/lists.py, ui/reader.py).
"""

from __future__ import annotations

from ui.web.serve import build, launch, serve

__all__ = ["build", "launch", "serve"]
