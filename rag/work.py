"""Work: one question on its way to an answer, and what its reader is told meanwhile. Knows no index and no model."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rag import prompt
from rag.answer import Answer, Reason, Source
from rag.answerability import Signals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from index.search import Hit
    from rag.answer import Turn
    from rag.query import Query
    from rag.settings import Settings

REFUSALS = {
    Reason.NOTHING_RELEVANT: "The articles do not say: nothing in them speaks of this.",
    Reason.NOT_ANSWERED: prompt.CANNOT_ANSWER,
    Reason.UNSUPPORTED: prompt.CANNOT_ANSWER,
    Reason.FILTERED_OUT: "No article is of the outlet or the time that the question asks for.",
    Reason.UNCLEAR: "The question is not clear: it names nothing to look for. Say what it is about.",
    Reason.EMPTY_INDEX: "There are no articles yet. Add some: citewire index add FOLDER",
    Reason.CANCELLED: "",
}


@dataclass(frozen=True, slots=True)
class Evidence:
    """The first event of a stream: what was searched for and the passages the model is about to read."""

    query: str
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the draft as the model writes it; the checked text comes with the Answer."""

    text: str


Event = Evidence | Token | Answer
Progress = Callable[[str, int, int], None]


class Clock:
    """Seconds by stage; "total" is the time since it was made."""

    def __init__(self) -> None:
        """Running."""
        self._stages: dict[str, float] = {}
        self._last = self._first = time.perf_counter()

    def mark(self, stage: str) -> None:
        """What was done since the last mark was of this stage."""
        now = time.perf_counter()
        self._stages[stage] = self._stages.get(stage, 0.0) + now - self._last
        self._last = now

    def timings(self) -> dict[str, float]:
        """What Answer.timings holds."""
        return {**self._stages, "total": time.perf_counter() - self._first}


@dataclass(slots=True)
class Work:
    """What is known so far: what was found, and what of it is to be read. `reason` says why no model is asked;
    `model` and `model_sha256` name the one that is loaded."""

    question: str
    asked: Query
    history: tuple[Turn, ...]
    settings: Settings
    hits: Sequence[Hit] = ()
    sources: tuple[Source, ...] = ()
    reason: Reason | None = None
    generation: int = 0
    model: str = ""
    model_sha256: str = ""
    signals: Signals = field(default_factory=Signals)
    clock: Clock = field(default_factory=Clock)

    def refusal(self, reason: Reason) -> Answer:
        """The answer that says why there is none."""
        return Answer(text=REFUSALS[reason], sources=self.sources, refused=True, reason=reason, **self.circumstances())

    def circumstances(self) -> dict[str, Any]:
        """What every answer says of how it was made."""
        return {
            "question": self.question,
            "searched": self.asked.full,
            "generation": self.generation,
            "model": self.model,
            "model_sha256": self.model_sha256,
            "signals": self.signals.to_dict(),
            "timings": self.clock.timings(),
        }
