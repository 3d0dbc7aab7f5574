"""Saving → HTML: the menu that takes an answer, a conversation, a check or a briefing along, and the file itself. Pure;
escapes all but its own words."""

from __future__ import annotations

import base64

from ui.export.formats import FORMATS
from ui.html.markup import button, escape


def menu(**details: object) -> str:
    """A button for each format, behind one that opens them; `details` say what is to be saved."""
    choices = "".join(button("save", one.label, **details, format=name, classes="act") for name, one in FORMATS.items())
    return f'<details class="save-as"><summary class="act">Save as…</summary><span>{choices}</span></details>'


def file(name: str, content: bytes, *, is_text: bool = True, serial: int = 0) -> str:
    """What the page's script saves as a file, each time that `serial` is another."""
    held = content.decode("utf-8", "replace") if is_text else base64.b64encode(content).decode("ascii")
    encoding = "" if is_text else ' data-encoding="base64"'
    return f'<pre data-name="{escape(name)}" data-serial="{serial}"{encoding}>{escape(held)}</pre>'
