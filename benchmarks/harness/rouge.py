"""ROUGE: how many words, pairs of words and words in order a summary shares with a human one. F1, words stemmed."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING

import snowballstemmer

if TYPE_CHECKING:
    from collections.abc import Sequence

MEASURES = ("ROUGE-1", "ROUGE-2", "ROUGE-L")


def rouge(summary: str, references: Sequence[str]) -> dict[str, float]:
    """F1 by measure, each against the reference that is best for it."""
    ours = _tokens(summary)
    scores = [_scores(ours, _tokens(reference)) for reference in references]
    return {measure: max(score[place] for score in scores) for place, measure in enumerate(MEASURES)}


def _scores(ours: Sequence[str], theirs: Sequence[str]) -> tuple[float, float, float]:
    return (_ngrams(ours, theirs, 1), _ngrams(ours, theirs, 2), _f1(_longest(ours, theirs), len(ours), len(theirs)))


def _ngrams(ours: Sequence[str], theirs: Sequence[str], n: int) -> float:
    first, second = (Counter(zip(*(text[start:] for start in range(n)), strict=False)) for text in (ours, theirs))
    return _f1((first & second).total(), first.total(), second.total())


def _longest(ours: Sequence[str], theirs: Sequence[str]) -> int:
    """Length of the longest common subsequence."""
    row = [0] * (len(theirs) + 1)
    for one in ours:
        diagonal = 0
        for place, other in enumerate(theirs, start=1):
            diagonal, row[place] = row[place], diagonal + 1 if one == other else max(row[place], row[place - 1])
    return row[-1]


def _f1(common: int, ours: int, theirs: int) -> float:
    return 2 * common / (ours + theirs) if ours + theirs else 0.0


def _tokens(text: str) -> tuple[str, ...]:
    """As in the usual package: words of ASCII letters and digits, those of more than three letters stemmed (Porter)."""
    return tuple(_stem(word) if len(word) > 3 else word for word in re.findall(r"[a-z0-9]+", text.lower()))


@cache
def _stem(word: str) -> str:
    return str(_stemmer.stemWord(word))


_stemmer = snowballstemmer.stemmer("porter")
