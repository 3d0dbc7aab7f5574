"""Place: where in its original a stretch of an article begins: a page of a PDF, a chapter or section. Pure.

The places of an article are in the order of their starts; each lasts to the start of the next.
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NAME_CHARS = 80
"""Longest name of a place: it stands beside every quote."""


@dataclass(frozen=True, slots=True)
class Place:
    """What begins at the offset `start` of a text. `page` counts the pages of the file from 1; `name` is the number
    that is printed on it as far as the file says so ("xii", "237"). Without a page, `name` is a heading, "" for a
    stretch that stands under none."""

    start: int
    name: str
    page: int | None = None


def page_of(places: Sequence[Place], start: int) -> int | None:
    """The page of the file that the offset `start` is on, from 1; None where that is not known."""
    here = _here(places, start)
    return None if here is None else here.page


def in_words(places: Sequence[Place], start: int, end: int) -> str | None:
    """Where a stretch stands, for people: "p. 12", "pp. 12–13", "in “Results”"; None where that is not known."""
    first = _here(places, start)
    if first is None or not first.name:
        return None
    if first.page is None:
        return f"in “{first.name}”"
    last = places[max(bisect_left(places, end, key=lambda place: place.start) - 1, 0)]
    if "–" not in first.name and last.page is not None and last.page > first.page:
        return f"pp. {first.name}–{last.name.rpartition('–')[2]}"
    return f"{'pp.' if '–' in first.name else 'p.'} {first.name}"


def of_words(start: int, words: str | None, page: int | None) -> Place | None:
    """The place at which `in_words` and `page_of` give these; None for None."""
    if not words:
        return None
    if page is None:
        return Place(start, words.removeprefix("in “").removesuffix("”"))
    return Place(start, words.partition(" ")[2], page)


def to_json(places: Iterable[Place]) -> str:
    """Places as a short JSON text."""
    return json.dumps([[one.start, one.name, one.page] for one in places], separators=(",", ":"), ensure_ascii=False)


def from_json(text: str) -> tuple[Place, ...]:
    """What `to_json` gave. Raises ValueError or TypeError for another text."""
    return tuple(Place(start, name, page) for start, name, page in json.loads(text))


def _here(places: Sequence[Place], start: int) -> Place | None:
    number = bisect_right(places, start, key=lambda place: place.start)
    return places[number - 1] if number else None
