"""Combine the answers to the parts of a question into one, which names the parts that were refused. Knows no model."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rag.answer import Answer, Claim, Reason, Source
from rag.grounding.claims import Numbering

if TYPE_CHECKING:
    from collections.abc import Sequence


def combine(question: str, answers: Sequence[Answer]) -> Answer:
    """One answer to `question` of those to its parts, at least one, in order.

    What was refused is named in `unanswered`; when all parts were, so is the whole, for the last one's reason.
    """
    if len(answers) == 1:
        return replace(answers[0], question=question)
    given = [answer for answer in answers if not answer.refused]
    refused = [answer for answer in answers if answer.refused]
    circumstances = replace(
        answers[-1],
        question=question,
        sources=merge_sources([answer.sources for answer in answers]),
        missing=tuple(dict.fromkeys(name for answer in answers for name in answer.missing)),
        searched=" ".join(dict.fromkeys(answer.searched for answer in answers)),
        timings=_sums([answer.timings for answer in answers]),
    )
    if not given:
        return circumstances
    numbering, text, found = Numbering(), "", list[Claim]()
    for answer in given:
        text += " " if text else ""
        for claim in answer.claims:
            citations = tuple(map(numbering.again, claim.citations))
            found.append(replace(claim, start=len(text) + claim.start, end=len(text) + claim.end, citations=citations))
        text += answer.text
    return replace(
        circumstances,
        text=text,
        claims=tuple(found),
        refused=False,
        reason=_reason(given, refused),
        unanswered=" ".join(answer.question for answer in refused),
        disagreements=tuple(
            replace(one, sides=tuple(replace(side, citation=numbering.again(side.citation)) for side in one.sides))
            for answer in given
            for one in answer.disagreements
        ),
    )


def merge_sources(found: Sequence[Sequence[Source]]) -> tuple[Source, ...]:
    """The passages of several searches, each once, numbered anew: the best of each before the second of any."""
    most = max(map(len, found), default=0)
    hits = [sources[place].hit for place in range(most) for sources in found if place < len(sources)]
    distinct = {(hit.article.id, hit.start, hit.end): hit for hit in reversed(hits)}
    kept = [hit for hit in hits if distinct.pop((hit.article.id, hit.start, hit.end), None) is not None]
    return tuple(Source(number, hit) for number, hit in enumerate(kept, start=1))


def _reason(given: Sequence[Answer], refused: Sequence[Answer]) -> str | None:
    if any(answer.reason == Reason.CANCELLED for answer in (*given, *refused)):
        return Reason.CANCELLED
    return Reason.PARTLY if refused else None


def _sums(timings: Sequence[object]) -> dict[str, float]:
    sums: dict[str, float] = {}
    for each in timings:
        for stage, seconds in dict(each).items():  # type: ignore[call-overload]
            sums[stage] = sums.get(stage, 0.0) + seconds
    return sums
