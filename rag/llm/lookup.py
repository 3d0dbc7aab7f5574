"""Lookup: what an answer is likely to go on with, for answers repeat the passages word for word. Pure; knows no model.

Prompt-lookup decoding (Saxena 2023, github.com/apoorvumang/prompt-lookup-decoding): the last tokens of the answer are
looked up in the prompt, and what follows them there is guessed to follow in the answer, too. The model checks all
guesses in one batch, which costs little more than one token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rag.llm.template import Tokens

LONGEST, SHORTEST = 3, 2
"""How many tokens are looked up at most, and at least. After three or two that agree all of three guesses come true in
63 of 100 cases and 2.2 of them on average, after one in 45 and 1.5 (docs/experiments.md)."""


class Lookup:
    """Guesses how an answer goes on from `sources`, the likeliest first; of equal places, the first counts."""

    def __init__(self, sources: Iterable[Tokens]) -> None:
        """`sources` are stretches of the prompt; a guess does not run from one into the next."""
        self._sources = tuple(sources)
        self._places: dict[Tokens, tuple[int, int]] = {}
        self._last: Tokens = ()
        for number, source in enumerate(self._sources):
            for end in range(SHORTEST, len(source)):
                for size in range(SHORTEST, min(LONGEST, end) + 1):
                    self._places.setdefault(source[end - size : end], (number, end))

    def take(self, token: int) -> None:
        """The next token of the answer."""
        self._last = (*self._last, token)[-LONGEST:]

    def guesses(self, count: int) -> Tokens:
        """So many tokens that may come next, or () when the answer is nowhere near the sources, or near the end of one:
        fewer would cost as much to check."""
        for start in range(len(self._last) - SHORTEST + 1):
            place = self._places.get(self._last[start:])
            if place is not None:
                number, end = place
                found = self._sources[number][end : end + count]
                return found if len(found) == count else ()
        return ()
