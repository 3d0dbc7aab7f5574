"""Query: question + history → what to search for. Knows no index and no model."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from index import filters
from rag.words import words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from index.filters import Filter
    from rag.answer import Turn

TURNS_BACK = 2
"""Earlier questions that count. Three find as much; earlier answers as well add nothing (docs/experiments.md)."""

MOST_PARTS = 3
"""More are a list of questions, better asked one by one."""

_WH = r"(?:who|whom|whose|what|when|where|why|which|how)"
_JOINT = re.compile(rf"\?\s+(?:and\s+)?(?=\w)|,?\s+and\s+(?={_WH}\b)", re.IGNORECASE)
_ASKING = re.compile(
    rf"(?:(?:in|at|on|by|for|from|to|with|of)\s+)?{_WH}\b|"
    r"(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would)\b",
    re.IGNORECASE,
)
_LEANING = re.compile(
    r"^(?:and|but|so|also|then|what about|how about|why not|how so)\b|"
    r"\b(?:he|him|she|her|hers|it|they|them|theirs|this|these|those|there|then|else|the (?:other|former|latter))\b|"
    # Elsewhere "that" mostly opens a clause: "the treaty that ended the war".
    r"(?:^|\b(?:is|are|was|were|do|does|did|can|could|will|would|has|had|mean|about|of|in|on|at|for|to|from|with|by|"
    r"like|after|before|during|since|and|but) )that\b",
    re.IGNORECASE,
)
_POSSESSIVE = re.compile(r"\b(?:his|its|their)\b", re.IGNORECASE)
_EXPLETIVE = re.compile(
    r"\b(?:is|are|was|were|be|been) there\b|\bthere (?:is|are|was|were|be|has|have|will|can|could|would)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Query:
    """What to search for: the question, the earlier questions as `context`, and, if the question cannot be
    understood alone, `rewordings` that put before it what it leans on. None of them has operators: those of the
    question are in `only`, those of earlier questions held for them alone."""

    text: str
    rewordings: tuple[str, ...] = ()
    context: str = ""
    only: Filter = filters.EVERYTHING

    @property
    def full(self) -> str:
        """The fullest wording."""
        return self.rewordings[-1] if self.rewordings else self.text


def understand(question: str, history: Sequence[Turn] = ()) -> Query:
    """The query for `question` after `history`, oldest first.

    Every question has the earlier ones as context: few change the subject, and those that do have words of their
    own that outweigh it. One that leans is reworded with the questions back to the last that stands alone.
    Raises InputError for an operator that is wrong (index/filters.py).
    """
    question, only = filters.parse(question)
    recent = [filters.without_operators(turn.question) for turn in history[-TURNS_BACK:]]
    leant_on = _leant_on(question, recent)
    rewordings = (" ".join([*leant_on, question]),) if leant_on else ()
    return Query(question, rewordings, " ".join(recent), only)


def parts(question: str) -> tuple[str, ...]:
    """The questions that are asked in one: "When was it built, and who paid for it?" asks two. A question that does not
    begin as one of its own is not taken apart."""
    found = [part.strip().rstrip("?") + "?" for part in _JOINT.split(question.strip()) if part.strip(" ?")]
    alone = all(_ASKING.match(part) and words(part) for part in found)
    return tuple(found) if 1 < len(found) <= MOST_PARTS and alone else (question,)


def unclear(question: str, history: Sequence[Turn] = ()) -> bool:
    """Whether a question names nothing to look for, nor does anything said before it."""
    return not history and not words(filters.without_operators(question))


def leans_on_history(question: str) -> bool:
    """Whether a question can only be understood with what was asked before: it opens with a conjunction, has a
    pronoun (a possessive one with no name before it), or names next to nothing."""
    asked = words(question)
    if len(asked) < 2 or _LEANING.search(_EXPLETIVE.sub(" ", question)):
        return True
    possessive = _POSSESSIVE.search(question)
    return possessive is not None and not any(word.kind == "name" and word.start < possessive.start() for word in asked)


def _leant_on(question: str, earlier: Sequence[str]) -> list[str]:
    needed: list[str] = []
    for before in reversed(earlier):
        if not leans_on_history(needed[0] if needed else question):
            break
        needed.insert(0, before)
    return needed
