"""The page: Gradio wiring and nothing else. The only folder that imports gradio; one file for each tab.

    serve.py    the server: serve, build, launch
    page.py     what is where, and what happens when a browser tab opens and closes
    frame.py    what the tabs share: the backend, the sessions, who sent an event
    ask_tab.py, library_tab.py, conversations_tab.py, settings_tab.py
    page.js     what only a browser can do: keys, hovering, copying, handing clicks on
    login.html  what the login page says of waits

Knows no retrieval, no prompts and no HTML (see ui/html/).
"""

from __future__ import annotations

from ui.web.serve import build, launch, serve

__all__ = ["build", "launch", "serve"]
