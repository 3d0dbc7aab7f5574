"""Hit: a passage that a search found, with its scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from index import passage
from index.article import Span

if TYPE_CHECKING:
    from collections.abc import Iterable

    from index.article import Article


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that a search found: article.text[start:end].

    `score` is a sum: `similarity`, the cosine of the query and the sentence `nearest` to it; `bm25`, for the words of
    the query, 0 when none matched; `context`, for the words of the conversation before the query, the same for all
    passages of an article. index/ranking.py has the weights. `reranked` is the reranker's score, if it read this
    passage; then it decides the order, and `score` does not. `also_in` names the outlets, or else the headlines, of the
    other articles that repeat this one. `newer` are the newer versions of the article, the newest first. `sentences`
    are those of the passage, as the index has them; of a passage that is not from an index, as they are split.
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
    sentences: tuple[Span, ...] = ()

    def __post_init__(self) -> None:
        """Keep the sentences that are within the passage, which may be a stretch of that of the index."""
        known = tuple(one for one in self.sentences if self.start <= one.start and one.end <= self.end)
        split = known or (Span(self.start + one.start, self.start + one.end) for one in passage.sentences(self.text))
        object.__setattr__(self, "sentences", tuple(split))

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
            "page": self.article.page_of(self.start),
            "place": self.article.place_of(self.start, self.end),
            "score": round(self.score, 4),
            "similarity": round(self.similarity, 4),
            "bm25": round(self.bm25, 4),
            "context": round(self.context, 4),
            "reranked": None if self.reranked is None else round(self.reranked, 4),
            "nearest": self.nearest.of(self.article.text),
            "also_in": list(self.also_in),
            "superseded_by": None if self.superseded_by is None else self.superseded_by.id,
        }


class Hits(list[Hit]):
    """Hits, best first. `missing` names the shards of the index that were not searched, or not as they are to be."""

    def __init__(self, hits: Iterable[Hit] = (), missing: tuple[str, ...] = ()) -> None:
        """Of an index without shards none is missing."""
        super().__init__(hits)
        self.missing = missing

    @property
    def not_searched(self) -> str:
        """See `not_searched`."""
        return not_searched(self.missing)


def not_searched(missing: Iterable[str]) -> str:
    """That a part of the articles was not searched, in words, from the names of the shards; "" when none is missing."""
    names = ", ".join(missing)
    return f"Not all articles were searched: {names}." if names else ""
