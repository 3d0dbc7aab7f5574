"""Question: the words of a reader and what was said before → what to search for. Knows no index and no model."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from index import filters
from rag import kind as kinds
from rag.answer import Turn
from rag.grounding.lexicon import words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from index.filters import Filter
    from index.mentions import Sort

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
_REFERS = re.compile(
    r"\b(?:he|him|his|she|her|hers|it|its|they|them|their|theirs|this|that|these|those)\b", re.IGNORECASE
)
_EXPLETIVE = re.compile(
    r"\b(?:is|are|was|were|be|been) there\b|\bthere (?:is|are|was|were|be|has|have|will|can|could|would)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked and what to search for. Nothing but `asked` holds operators.

    `asked` is the question as typed, `text` the same without operators, `only` what the operators allow. `context`
    joins the last questions before it. `rewordings` are there for a question that cannot be understood alone: they
    put before it the questions that it leans on. `history` are the earlier exchanges, oldest first. `kind` is what is
    asked for (rag/kind.py), and `limit` how many rows of it at most; `sort` is the order of a list, None for the one
    that its words ask for.
    """

    asked: str
    text: str
    rewordings: tuple[str, ...] = ()
    context: str = ""
    only: Filter = filters.EVERYTHING
    history: tuple[Turn, ...] = ()
    kind: str = "fact"
    limit: int | None = None
    sort: Sort | None = None

    @property
    def full(self) -> str:
        """The fullest wording."""
        return self.rewordings[-1] if self.rewordings else self.text

    @property
    def is_clear(self) -> bool:
        """Whether it, or anything said before it, names something to look for."""
        return bool(self.history or words(self.text))

    def parts(self) -> tuple[Question, ...]:
        """The questions that are asked in one, each of which may lean on those before it.

        "When was it built, and who paid for it?" asks two. A question that does not begin as one of its own is not
        taken apart.
        """
        texts = [part.strip().rstrip("?") + "?" for part in _JOINT.split(self.text.strip()) if part.strip(" ?")]
        if not 1 < len(texts) <= MOST_PARTS or not all(_ASKING.match(text) and words(text) for text in texts):
            return (self,)
        found: list[Question] = []
        for text in texts:
            before = tuple(Turn(part.text, "") for part in found)
            found.append(_understood(text, text, (*self.history, *before), self.only))
        return tuple(found)


def understand(
    asked: str,
    history: Sequence[Turn] = (),
    *,
    only: Filter = filters.EVERYTHING,
    kind: str | None = None,
    limit: int | None = None,
    sort: Sort | None = None,
) -> Question:
    """The question that `asked` is after `history`, oldest first, within the articles that `only` allows. Without
    `kind`, it is of the kind that it asks for.

    Every question has the earlier ones as context: few change the subject, and those that do have words of their
    own that outweigh it. One that leans is reworded with the questions back to the last that stands alone.
    Raises InputError for an operator that is wrong (index/filters.py) and for a kind that does not exist.
    """
    text, given = filters.parse(asked)
    turns = tuple(replace(turn, question=filters.without_operators(turn.question)) for turn in history)
    chosen = kinds.kind_of(text, history=turns) if kind is None else kinds.checked(kind)
    if chosen != "fact":  # the words of a fact are the model's to read
        text, turns = kinds.mended(text), tuple(replace(turn, question=kinds.mended(turn.question)) for turn in turns)
    return replace(_understood(asked, text, turns, given.also(only)), kind=chosen, limit=limit, sort=sort)


def _understood(asked: str, text: str, history: tuple[Turn, ...], only: Filter) -> Question:
    recent = [turn.question for turn in history[-TURNS_BACK:]]
    leant_on = _leant_on(text, recent)
    rewordings = (" ".join([*leant_on, text]),) if leant_on else ()
    return Question(asked, text, rewordings, " ".join(recent), only, history)


def leans_on_history(question: str) -> bool:
    """Whether a question can only be understood with what was asked before: it opens with a conjunction, has a
    pronoun (a possessive one with no name before it), or names next to nothing."""
    asked = words(question)
    if len(asked) < 2 or _LEANING.search(_EXPLETIVE.sub(" ", question)):
        return True
    possessive = _POSSESSIVE.search(question)
    return possessive is not None and not any(word.kind == "name" and word.start < possessive.start() for word in asked)


def subject_names(question: Question) -> frozenset[str]:
    """The names, as they are written, of what a question speaks of by a pronoun alone: those of the questions that it
    leans on and of the last answer. None for a question that has a name of its own or no such pronoun."""
    asked = words(question.text)
    if not question.rewordings or any(word.kind == "name" for word in asked):
        return frozenset()
    if len(asked) > 1 and not _REFERS.search(_EXPLETIVE.sub(" ", question.text)):
        return frozenset()
    before = (question.full.removesuffix(question.text), *(turn.answer for turn in question.history[-1:]))
    return frozenset(text[word.start : word.end] for text in before for word in words(text) if word.kind == "name")


def _leant_on(question: str, earlier: Sequence[str]) -> list[str]:
    needed: list[str] = []
    for before in reversed(earlier):
        if not leans_on_history(needed[0] if needed else question):
            break
        needed.insert(0, before)
    return needed
