"""Query: question + history → what to search for. Knows no index and no model."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rag.words import words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rag.answer import Turn

TURNS_BACK = 2
"""Earlier questions that a follow-up may lean on."""

_LEANING = re.compile(
    r"^(and|but|so|also|then|what about|how about|why not|why|how so)\b|"
    r"\b(he|him|his|she|her|hers|it|its|they|them|their|theirs|this|that|these|those|there|then|"
    r"the (?:same|other|former|latter)|else)\b",
    re.IGNORECASE,
)
_RELATIVE = re.compile(
    r"\b(?:say|said|says|claim\w*|think|thought|believe\w*|know|known|mean\w*)\s+that\b", re.IGNORECASE
)


def leans_on_history(question: str) -> bool:
    """Whether a question can only be understood with what was asked before: it opens with a conjunction, has a
    pronoun, or names next to nothing."""
    return bool(_LEANING.search(_RELATIVE.sub(" ", question))) or len(words(question)) < 2


def search_text(question: str, history: Sequence[Turn] = ()) -> str:
    """What to search for: the question, and before it the questions that it leans on, oldest first."""
    if not history or not leans_on_history(question):
        return question
    earlier: list[str] = []
    for turn in reversed(history[-TURNS_BACK:]):
        earlier.insert(0, turn.question)
        if not leans_on_history(turn.question):
            break
    return " ".join([*earlier, question])
