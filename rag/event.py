"""Events: what comes out of a stream while a question is answered. Values only."""

from __future__ import annotations

from dataclasses import dataclass

from rag.answer import Answer, Section, Source


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was searched for, and the passages that the model is about to read. Comes before the first token."""

    query: str
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the draft as the model writes it. Nothing of it is checked; the checked text comes with the Answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a stage is.

    `stage` is "queue" (`done` questions are answered first, `total` is 0), "read" (tokens of the prompt) or "write"
    (tokens that are written without being shown, of at most `total`).
    """

    stage: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Row:
    """A row of an answer as it is found. The Answer holds all of them in their final order, with the final numbers of
    their citations and offsets of their claims."""

    section: Section


Event = Evidence | Token | Progress | Row | Answer
