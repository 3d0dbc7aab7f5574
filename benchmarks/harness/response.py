"""What a system answered, how long it took, and which of its citations are wrong."""

from __future__ import annotations

import re
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Self

from index.errors import InputError
from rag.answer import Answer
from rag.event import Evidence, Token

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from benchmarks.harness.dataset import Question
    from index import Index
    from rag.answer import Citation, Source
    from rag.engine import Engine
    from rag.event import Event

Place = tuple[str, int, int]
"""Id of an article, start and end in its text."""

_MARKER = re.compile(r"\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Response:
    """The answer to one question.

    `own` is the text without the quotes that were added to the model's words. `cited` and `quotes` have the place and
    the words of each citation, `passages` the places that the model read. `inexact` counts quotes that differ from the
    indexed article, `dangling` citations of articles or sentences that do not exist. `first_s` is when the first piece
    of the answer, or the refusal, could be read.
    """

    text: str
    own: str = ""
    refused: bool = False
    reason: str = ""
    cited: tuple[Place, ...] = ()
    quotes: tuple[str, ...] = ()
    passages: tuple[Place, ...] = ()
    signals: Mapping[str, float] = field(default_factory=dict)
    model: str = ""
    inexact: int = 0
    dangling: int = 0
    first_s: float = 0.0
    total_s: float = 0.0
    timings: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, noted: Mapping[str, Any]) -> Self:
        """Read an entry of a journal."""
        known = {name: noted[name] for name in cls.__dataclass_fields__ if name in noted}
        for name in ("cited", "passages"):
            known[name] = tuple(tuple(place) for place in known.get(name, ()))
        known["quotes"] = tuple(known.get("quotes", ()))
        return cls(**known)

    def to_dict(self) -> dict[str, Any]:
        """Return an entry for a journal."""
        return asdict(self)


def respond(engine: Engine, question: Question) -> Response:
    """Ask `engine`. An InputError is recorded as a refusal with its message."""
    start = time.perf_counter()
    try:
        return record(engine.stream(question.text, history=question.history), engine.index, start)
    except InputError as error:
        return Response(str(error), refused=True, reason=f"error: {type(error).__name__}")


def record(events: Iterable[Event], index: Index, start: float) -> Response:
    """Consume the events of a stream that began at `start`, and check the citations against `index`."""
    first: float | None = None
    read: tuple[Source, ...] = ()
    for event in events:
        if isinstance(event, Evidence):
            read = event.sources
        if first is None and isinstance(event, Token | Answer):
            first = time.perf_counter() - start
        if isinstance(event, Answer):
            answer = event
    return Response(
        answer.text,
        own=answer.turn.answer,
        refused=answer.refused,
        reason=str(answer.reason or ""),
        cited=tuple((one.article_id, one.start, one.end) for one in answer.citations),
        quotes=tuple(one.quote for one in answer.citations),
        passages=tuple((one.hit.article.id, one.hit.start, one.hit.end) for one in read),
        signals=answer.signals,
        model=answer.model,
        inexact=sum(not _is_exact(citation, index) for citation in answer.citations),
        dangling=dangling(answer, index),
        first_s=first or 0.0,
        total_s=time.perf_counter() - start,
        timings={stage: round(seconds, 4) for stage, seconds in answer.timings.items()},
    )


def dangling(answer: Answer, index: Index) -> int:
    """Count citations of articles that are not indexed, claims whose span is wrong, and numbers without a quote."""
    numbers = {citation.number for citation in answer.citations}
    read = " ".join(source.hit.text for source in answer.sources)
    lost = sum(_text(index, citation.article_id) is None for citation in answer.citations)
    lost += sum(answer.text[claim.start : claim.end] != claim.text for claim in answer.claims)
    marks = [mark for mark in _MARKER.finditer(answer.text) if mark[0] not in read]
    return lost + sum(int(mark[1]) not in numbers for mark in marks)


def _is_exact(citation: Citation, index: Index) -> bool:
    text = _text(index, citation.article_id)
    # A citation of a removed article is dangling; it is not counted twice.
    return text is None or text[citation.start : citation.end] == citation.quote != ""


def _text(index: Index, article_id: str) -> str | None:
    try:
        return index.article(article_id).text
    except InputError:
        return None
