"""Answers of briefings → an Atom feed (RFC 4287). Pure.

An entry holds its answer as escaped HTML, with its quotes and links; a reader that shows it runs nothing of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from ui import links
from ui.export.document import Document, legal, of_answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ui.briefings import Briefing, Entry

NAMESPACE = "http://www.w3.org/2005/Atom"
NEVER = "1970-01-01T00:00:00+00:00"
"""When a feed without entries was updated; a feed must say."""
MOST_ENTRIES = 50
"""Entries of a feed, the newest ones: readers keep what they have read."""


def of_briefings(
    found: Sequence[tuple[Briefing, Sequence[Entry]]], *, page: str = "", is_alone: bool | None = None
) -> bytes:
    """The newest answers of one briefing or of several as one feed; `is_alone` says that it is of one, by default if
    there is one. Where the address of the `page` is known, entries link to their briefing on it."""
    from ui.html import document  # brings numpy, which the help of a command does without

    alone = found[0][0] if len(found) == 1 and is_alone is not False else None
    listed = [(one, entry) for one, entries in found for entry in entries]
    ET.register_namespace("", NAMESPACE)
    newest = sorted(listed, key=lambda one: one[1].found_at, reverse=True)[:MOST_ENTRIES]
    feed = ET.Element(f"{{{NAMESPACE}}}feed")
    _add(feed, "id", f"urn:citewire:briefing:{alone.id}" if alone else "urn:citewire:briefings")
    _add(feed, "title", f"Citewire: {alone.name}" if alone else "Citewire briefings")
    _add(feed, "updated", newest[0][1].found_at if newest else NEVER)
    _add(_add(feed, "author", ""), "name", "Citewire")
    if page:
        _add(feed, "link", "").set("href", f"{page}{links.briefing(alone.id) if alone else ''}")
    for briefing, entry in newest:
        shown = _add(feed, "entry", "")
        _add(shown, "id", f"urn:citewire:briefing:{briefing.id}:{entry.number}")
        _add(shown, "title", f"{briefing.name} ({entry.found_at[:10]})")
        _add(shown, "updated", entry.found_at)
        if page:
            _add(shown, "link", "").set("href", f"{page}{links.briefing(briefing.id)}")
        blocks = of_answer(entry.answer, place=entry.number)
        _add(shown, "content", document.body(Document(briefing.question, blocks))).set("type", "html")
    written: bytes = ET.tostring(feed, encoding="utf-8", xml_declaration=True)
    return written


def _add(parent: ET.Element, name: str, text: str) -> ET.Element:
    child = ET.SubElement(parent, f"{{{NAMESPACE}}}{name}")
    child.text = legal(text) or None
    return child
