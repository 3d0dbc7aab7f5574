"""Original: of the articles that repeat one story, the one that is searched; the others are kept as its copies.

The earliest added is the original and stays it for as long as it tells the story. When it goes or tells another one,
its copies find a new original among themselves, in the same generation. Every article is either an original, or a
copy of one original: never a copy of a copy.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from index.duplicate import Story
from index.passage import passages

if TYPE_CHECKING:
    from index.store import Change, Generation, Put

COMPARED = 16
"""Articles compared with a new one, those first that share most keys: a bound for thousands made from one template."""


def settle(generation: Generation, change: Change) -> None:
    """Decide for every article that `change` puts whether it is an original, and give the originals their passages.

    Copies whose original the change drops or replaces are added to what it puts.
    """
    put = {one.article.id: one for one in change.put}
    leaving = change.drop | put.keys()
    orphans = [one for one in generation.copies_put(leaving) if one.article.id not in leaving]
    places = generation.places([*put, *(one.article.id for one in orphans)])
    leaving |= {one.article.id for one in orphans}
    settled = _Originals(generation, leaving)
    # Sorting is stable: what is new comes last, in the order it was handed in.
    change.put = sorted([*change.put, *orphans], key=lambda one: places.get(one.article.id, math.inf))
    for one in change.put:
        one.copy_of = settled.original_of(one)
        one.passages = passages(one.article.text) if one.copy_of is None else ()


class _Originals:
    """The originals of the next generation, as far as they are known."""

    def __init__(self, generation: Generation, leaving: set[str]) -> None:
        self._generation = generation
        self._leaving = leaving
        self._texts: dict[str, str] = {}
        self._by_key: dict[bytes, list[str]] = {}

    def original_of(self, put: Put) -> str | None:
        """Id of the original that `put` repeats; None if it is one itself, as which it is remembered."""
        story = Story(put.article.text)
        shared = Counter(self._generation.sharing(put.keys, leaving=self._leaving, k=COMPARED))
        shared.update(Counter(name for key in put.keys for name in self._by_key.get(key, ())))
        for name, _ in shared.most_common(COMPARED):
            if story.repeats(Story(self._text(name))):
                return name
        self._texts[put.article.id] = put.article.text
        for key in put.keys:
            self._by_key.setdefault(key, []).append(put.article.id)
        return None

    def _text(self, name: str) -> str:
        if name in self._texts:
            return self._texts[name]
        article = self._generation.article(name)
        return "" if article is None else article.text
