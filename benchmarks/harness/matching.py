"""Compare a text with reference answers, normalized as SQuAD's own evaluation does it."""

from __future__ import annotations

import re
import string
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalized(text: str) -> str:
    """Lowercase, drop punctuation and the words a, an and the, and put one space between words."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def contains(text: str, answers: Sequence[str]) -> bool:
    """Whether `text` contains one of `answers`, as whole words in order."""
    return any(f" {wanted} " in f" {normalized(text)} " for wanted in map(normalized, answers) if wanted)


def f1(text: str, answers: Sequence[str]) -> float:
    """Token F1 of `text` against the closest of `answers`. A full sentence cannot come near 1."""
    return max((_f1(normalized(text).split(), normalized(answer).split()) for answer in answers), default=0.0)


def _f1(found: Sequence[str], wanted: Sequence[str]) -> float:
    common = sum((Counter(found) & Counter(wanted)).values())
    return 2 * common / (len(found) + len(wanted)) if common else 0.0
