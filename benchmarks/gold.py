"""Gold: does an answer hold what SQuAD expects? Text is made plain as SQuAD's own evaluation does it."""

from __future__ import annotations

import re
import string
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def plain(text: str) -> str:
    """Lower case, without punctuation and the words a, an, the, one space between words."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def holds(text: str, answers: Sequence[str]) -> bool:
    """Whether any of `answers` stands in `text`, whole words and in order."""
    return any(f" {wanted} " in f" {plain(text)} " for wanted in map(plain, answers) if wanted)


def f1(text: str, answers: Sequence[str]) -> float:
    """Token F1 of `text` against the nearest of `answers`; an answer in whole sentences cannot come near 1."""
    return max((_f1(plain(text).split(), plain(answer).split()) for answer in answers), default=0.0)


def _f1(said: Sequence[str], wanted: Sequence[str]) -> float:
    common = sum((Counter(said) & Counter(wanted)).values())
    return 2 * common / (len(said) + len(wanted)) if common else 0.0
