"""Hit: a passage that a search found, with its scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from index.article import Article, Span


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that a search found: article.text[start:end].

    `score` is the sum of what speaks for it: `similarity`, the cosine of the query and the nearest sentence, which
    is `nearest`; `bm25`, for the words of the query, 0 when none matched; `context`, for the words said before the
    query, alike for all passages of an article. How the parts are weighted is in index/ranking.py. `reranked` is what
    a reranker gave, when there is one and it read this passage; then it decides the order, and `score` does not.
    `also_in` names the outlets, or else the headlines, of the other articles that repeat this one. `newer` are
    the newer versions of the article, the newest first.
    """

    article: Article
    start: int
    end: int
    score: float
    similarity: float
    bm25: float
    nearest: Span
    context: float = 0.0
    reranked: float | None = None
    also_in: tuple[str, ...] = ()
    newer: tuple[Article, ...] = ()

    @property
    def text(self) -> str:
        """The exact words of the passage."""
        return self.article.text[self.start : self.end]

    @property
    def superseded_by(self) -> Article | None:
        """The newest version of the article, if this is an older one."""
        return self.newer[0] if self.newer else None

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready mapping."""
        return {
            "article_id": self.article.id,
            "title": self.article.title,
            "headline": self.article.headline,
            "source": self.article.source,
            "url": self.article.url,
            "published": self.article.published,
            "start": self.start,
            "end": self.end,
            "text": self.text,
            "score": round(self.score, 4),
            "similarity": round(self.similarity, 4),
            "bm25": round(self.bm25, 4),
            "context": round(self.context, 4),
            "reranked": None if self.reranked is None else round(self.reranked, 4),
            "nearest": self.nearest.of(self.article.text),
            "also_in": list(self.also_in),
            "superseded_by": None if self.superseded_by is None else self.superseded_by.id,
        }
