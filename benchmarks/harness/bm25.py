"""Retrieval baselines: SQLite's BM25 as it comes, and its plain sum with the similarity of the nearest sentence."""

from __future__ import annotations

import re
import sqlite3
from typing import TYPE_CHECKING

import numpy as np

from index.passage import sentences

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.harness.embedder import CachedEmbedder
    from index.article import Article

MATCHES = 200
"""Articles that BM25 scores for one question."""


class Bm25:
    """FTS5 over whole articles: Porter stems, its own k1 and b, any word of the question."""

    def __init__(self, articles: Sequence[Article]) -> None:
        """Index `articles`."""
        self.ids = [article.id for article in articles]
        self._sql = sqlite3.connect(":memory:")
        self._sql.execute("CREATE VIRTUAL TABLE words USING fts5 (title, text, tokenize = 'porter unicode61')")
        rows = [(row, article.title or "", article.text) for row, article in enumerate(articles)]
        self._sql.executemany("INSERT INTO words (rowid, title, text) VALUES (?, ?, ?)", rows)

    def scores(self, question: str) -> dict[int, float]:
        """Row of an article → BM25."""
        match = " OR ".join(f'"{word}"' for word in re.findall(r"\w+", question))
        query = "SELECT rowid, -bm25(words) FROM words WHERE words MATCH ? ORDER BY bm25(words) LIMIT ?"
        return dict(self._sql.execute(query, (match, MATCHES)).fetchall()) if match else {}

    def search(self, question: str) -> list[str]:
        """Ids of articles, best first."""
        return [self.ids[row] for row in self.scores(question)]


class PlainFusion:
    """BM25 as a share of the best, plus the cosine of the article's nearest sentence."""

    def __init__(self, articles: Sequence[Article], embedder: CachedEmbedder) -> None:
        """Embed every sentence of `articles`."""
        self._bm25 = Bm25(articles)
        self._embedder = embedder
        split = [sentences(article.text) for article in articles]
        self._first = np.cumsum([0, *map(len, split[:-1])])
        spoken = (span.of(article.text) for article, spans in zip(articles, split, strict=True) for span in spans)
        self._vectors = embedder.embed_documents(list(spoken))

    def search(self, question: str) -> list[str]:
        """Ids of articles, best first."""
        scores = np.maximum.reduceat(self._vectors @ self._embedder.embed_query(question), self._first)
        bm25 = self._bm25.scores(question)
        best = max(bm25.values(), default=1.0)
        for row, score in bm25.items():
            scores[row] += score / best
        return [self._bm25.ids[row] for row in np.argsort(-scores, kind="stable")[:MATCHES]]
