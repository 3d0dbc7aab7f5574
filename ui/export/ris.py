"""Cited articles → RIS, in UTF-8: a line for each field, as Zotero, EndNote and Mendeley read it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ui.export.works import Name, Work

_KINDS = {"newspaper": "NEWS", "web page": "ELEC", "document": "GEN"}


def render(works: Iterable[Work]) -> str:
    """A record for each article, with the line ends that the format asks for."""
    return "".join("".join(f"{tag}  - {value}\r\n" for tag, value in _fields(work)) + "\r\n" for work in works)


def _fields(work: Work) -> Iterator[tuple[str, str]]:
    yield "TY", _KINDS[work.kind]
    yield "ID", work.key
    yield "TI", work.title
    for author in work.authors:
        yield "AU", _name(author)
    if work.outlet:
        yield "T2", work.outlet
    if work.date:
        yield "PY", f"{work.date[0]:04}"
        # Slashes stand also for what is not known: "2018/03//".
        month, day = (f"{work.date[place]:02}" if len(work.date) > place else "" for place in (1, 2))
        yield "DA", f"{work.date[0]:04}/{month}/{day}/"
    if len(work.pages) == 1:
        first, _, last = work.pages[0].partition("–")
        yield "SP", first
        if last:
            yield "EP", last
    elif work.pages:
        yield "SP", ", ".join(work.pages).replace("–", "-")
    if work.url:
        yield "UR", work.url
    if work.language:
        yield "LA", work.language
    yield "ER", ""


def _name(name: Name) -> str:
    return f"{name.family}, {name.given}" if name.given else name.family
