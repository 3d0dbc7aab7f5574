"""Overview: answers in rows, to questions about the collection. Each kind has one file; this one makes the Answer.

A kind finds its rows in the index and gives them as an `Overview`; the text of the answer, the offsets of its claims
and the numbers of its citations are made here. A row is reported when it is found, so that a reader sees it at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol

from rag.answer import Answer, Reason, Section
from rag.grounding.claims import Numbering

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping

    from index import Index
    from rag.answer import Claim
    from rag.question import Question

KINDS = {
    "list": ("rag.overview.list", "list_articles"),
    "count": ("rag.overview.list", "list_articles"),
    "timeline": ("rag.overview.timeline", "timeline"),
    "comparison": ("rag.overview.comparison", "compare"),
    "summary": ("rag.overview.summary", "summarize"),
    "library": ("rag.overview.library", "library"),
}
"""Kind of question → the module and the function that answer it."""


@dataclass(frozen=True, slots=True)
class Overview:
    """What a kind found. `lead` says it in a sentence or two; the claims of `sections` need no offsets and no numbers.

    `total` is how many rows there are when `sections` are only the first of them. A `reason` says why there is nothing
    or not everything; without sections the answer is a refusal, and an empty `lead` is that of the reason.
    `counts` are those of Answer.counts.
    """

    lead: str
    sections: tuple[Section, ...] = ()
    total: int | None = None
    reason: Reason | None = None
    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


class Maker(Protocol):
    """The one function of a kind. It ends soon after `cancel` is set, with the rows that it has and Reason.CANCELLED.

    `limit` is how many rows are wanted at most; None is as many as suit the kind.
    """

    def __call__(
        self,
        question: Question,
        index: Index,
        *,
        limit: int | None,
        report: Callable[[Section], None],
        cancel: threading.Event,
    ) -> Overview:
        """The rows that answer the question."""
        ...


def maker(kind: str) -> Maker | None:
    """The function that answers a kind of question; None for a fact, and for a kind that nothing answers yet."""
    module, function = KINDS.get(kind, ("", ""))
    if not module or find_spec(module) is None:
        return None
    found: Maker = getattr(import_module(module), function)
    return found


def to_answer(question: str, kind: str, overview: Overview, *, refusal: str = "") -> Answer:
    """An Answer whose text is the lead and the rows, with the claims at their places and each quote numbered once.

    `refusal` is what it says when there is a reason, no row and no lead.
    """
    numbering, text = Numbering(), overview.lead.strip()
    if overview.reason is not None and not overview.sections:
        refused = overview.reason != Reason.CANCELLED
        return Answer(
            question, text or refusal, refused=refused, reason=overview.reason, kind=kind, total=overview.total
        )
    sections: list[Section] = []
    for section in overview.sections:
        text += "\n\n" if text else ""
        start = len(text) + (len(section.heading) + 1 if section.heading else 0)
        claims: list[Claim] = []
        for claim in section.claims:
            end, citations = start + len(claim.text), tuple(map(numbering.again, claim.citations))
            claims.append(replace(claim, start=start, end=end, citations=citations))
            start = end + 1
        sections.append(replace(section, claims=tuple(claims)))
        text += section.text
    return Answer(
        question,
        text,
        claims=tuple(claim for section in sections for claim in section.claims),
        reason=overview.reason,
        kind=kind,
        sections=tuple(sections),
        total=overview.total,
        counts=overview.counts,
    )
