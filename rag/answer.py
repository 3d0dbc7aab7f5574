"""Answer and its parts: plain values, exact by construction. Knows no index, no model and no front end."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from index.article import Article
    from index.search import Hit


class Reason(StrEnum):
    """Why an answer is refused or incomplete. The value is what `Answer.reason` holds and what is shown."""

    NOTHING_RELEVANT = "nothing relevant found"
    NOT_ANSWERED = "relevant articles found, but they do not say"
    UNSUPPORTED = "the drafted answer is not supported by the articles"
    FILTERED_OUT = "no article passes the filter"
    EMPTY_INDEX = "no articles are indexed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Turn:
    """One earlier exchange of a conversation."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Source:
    """A passage the LLM saw, numbered from 1 in the order of relevance."""

    number: int
    hit: Hit

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready mapping."""
        hit = self.hit
        return {
            "number": self.number,
            **_origin(hit.article),
            "start": hit.start,
            "end": hit.end,
            "text": hit.text,
            "score": round(hit.score, 4),
        }


@dataclass(frozen=True, slots=True)
class Citation:
    """The exact words of an article that a claim rests on: a span, so `quote` cannot differ from the article.

    `number` counts the distinct quotes of one answer from 1, in order of appearance.
    """

    number: int
    article: Article
    start: int
    end: int

    @property
    def quote(self) -> str:
        """`article.text[start:end]`."""
        return self.article.text[self.start : self.end]

    @property
    def article_id(self) -> str:
        """Id of the cited article."""
        return self.article.id

    @property
    def title(self) -> str | None:
        """Title of the cited article, where known."""
        return self.article.title

    @property
    def source(self) -> str | None:
        """Outlet of the cited article, where known."""
        return self.article.source

    @property
    def url(self) -> str | None:
        """Address of the original, where known."""
        return self.article.url

    @property
    def published(self) -> str | None:
        """ISO 8601 date of publication, where known."""
        return self.article.published

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready mapping."""
        return {
            "number": self.number,
            **_origin(self.article),
            "start": self.start,
            "end": self.end,
            "quote": self.quote,
        }


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence of an answer and the quotes it rests on.

    `start` and `end` are offsets in `Answer.text`. `support` in [0, 1] says how far the quotes carry the
    sentence (see rag/verify.py); a claim that is not `supported` is shown as such and carries no citation.
    """

    text: str
    start: int
    end: int
    citations: tuple[Citation, ...] = ()
    support: float = 0.0
    supported: bool = False

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready mapping."""
        return {
            "text": self.text,
            "start": self.start,
            "end": self.end,
            "citations": [citation.to_dict() for citation in self.citations],
            "support": round(self.support, 3),
            "supported": self.supported,
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """What Citewire says, and what it rests on.

    A refusal has `refused` set, a `reason`, a calm sentence as `text` and no claims. A cancelled answer keeps
    what was written so far, with `reason` set to `Reason.CANCELLED`. `timings` are seconds by stage.
    """

    question: str
    text: str
    claims: tuple[Claim, ...] = ()
    sources: tuple[Source, ...] = ()
    refused: bool = False
    reason: str | None = None
    model: str = ""
    timings: Mapping[str, float] = field(default_factory=dict)

    @property
    def citations(self) -> tuple[Citation, ...]:
        """Every distinct citation, by number."""
        distinct = {citation.number: citation for claim in self.claims for citation in claim.citations}
        return tuple(distinct[number] for number in sorted(distinct))

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready mapping with stable keys."""
        return {
            "question": self.question,
            "text": self.text,
            "claims": [claim.to_dict() for claim in self.claims],
            "sources": [source.to_dict() for source in self.sources],
            "refused": self.refused,
            "reason": None if self.reason is None else str(self.reason),
            "model": self.model,
            "timings": {stage: round(seconds, 3) for stage, seconds in self.timings.items()},
        }


def _origin(article: Article) -> dict[str, Any]:
    return {
        "article_id": article.id,
        "title": article.title,
        "headline": article.headline,
        "source": article.source,
        "url": article.url,
        "published": article.published,
    }
