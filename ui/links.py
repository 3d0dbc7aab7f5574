"""Links: the addresses of what the page can show, `/article/ID?start=…&end=…`, `/c/ID` and `/briefing/ID`, and of the
files that articles were read from (ui/originals.py). Pure.

An address says which place to show and holds nothing of it. Every one of them gets the same page, which then asks for
the place as whoever has opened it: an address lets nobody in and tells nobody that something is there.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from ui.html.markup import escape

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_PAGE = re.compile(rb"/(?:article|c|briefing)/([^/]+)/?")
_BASE = b'<base href="./" />'
"""What Gradio's page says its addresses are relative to."""
DIGITS_OF_OFFSET = 9
"""Longest number of an offset in a text."""
OPENED = "<i hidden data-opened></i>"
"""For the page's script: the browser's own memory is known, so that what the address names can be asked for."""
NO_PLACE = "The address names words that this article does not have, so it is shown from its beginning."


def article(article_id: str, start: int = 0, end: int = 0) -> str:
    """The address of an article, or of words of it, relative to that of the page."""
    place = f"?start={start}&end={end}" if end > start else ""
    return f"article/{_segment(article_id)}{place}"


def conversation(conversation_id: str) -> str:
    """The address of a conversation, relative to that of the page."""
    return f"c/{_segment(conversation_id)}"


def briefing(briefing_id: str) -> str:
    """The address of a briefing, relative to that of the page."""
    return f"briefing/{_segment(briefing_id)}"


def original(article_id: str, page: int | None = None) -> str:
    """The address of the file that an article was read from, at a page of it, relative to that of the page."""
    return f"original/{_segment(article_id)}{f'#page={page}' if page else ''}"


def picture(article_id: str, page: int) -> str:
    """The address of a page of this file as a picture, relative to that of the page."""
    return f"original/{_segment(article_id)}/{page}.png"


def last_segment(scope: Mapping[str, Any]) -> bytes | None:
    """The part of an ASGI request's path that names the place, percent-encoded; None unless it is one of these
    addresses."""
    found = _PAGE.fullmatch(raw_path(scope).partition(b"?")[0])
    return None if found is None else found[1]


def raw_path(scope: Mapping[str, Any]) -> bytes:
    """The path of an ASGI request, percent-encoded."""
    raw: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
    return raw


def page_at(content: bytes) -> bytes:
    """The page as it is answered at one of these addresses, from which its own files are a folder up."""
    return content.replace(_BASE, _BASE.replace(b"./", b"../"), 1)


def span(start: object, end: object, text: str) -> tuple[int, int] | None:
    """The words of `text` that an address names; (0, 0) if it names none, None if there are no such words."""
    if start in (None, "") and end in (None, ""):
        return 0, 0
    if not all(isinstance(one, str) and _is_number(one) for one in (start, end)):
        return None
    first, last = int(str(start)), int(str(end))
    return (first, last) if first < last <= len(text) else None


def copied(address: str, what: str = "Copy link") -> str:
    """A button that copies an address; the page's script puts that of the server before it."""
    return f'<button type="button" class="act" data-link="{escape(address)}">{escape(what)}</button>'


def shown(chat: str, conversation_id: str, title: str, *, briefing_id: str = "") -> str:
    """For the page's script: which conversation, or else which briefing, is on the page. `chat` changes when another
    takes its place."""
    address = conversation(conversation_id) if conversation_id else briefing(briefing_id) if briefing_id else ""
    known = {"chat": chat, "conversation": address, "title": title}
    carried = "".join(f' data-{name}="{escape(value)}"' for name, value in known.items())
    return f"<i hidden{carried}></i>"


def _segment(text: str) -> str:
    return quote(text.encode("utf-8", "replace").decode("utf-8"), safe="")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= DIGITS_OF_OFFSET
