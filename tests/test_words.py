"""The search for words: it scores as FTS5's bm25() does, whatever is kept in memory, and changes with the index."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from index import Article, Index, ranking
from index.errors import StoreError
from index.home import DATABASE
from index.store import postings
from index.store.words import OCCURRENCE_WEIGHT
from tests.fakes import BagOfWordsEmbedder
from tests.test_shards import QUESTIONS, made

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from index.store import Generation

ARTICLES = [
    *made(100),
    Article("zh", "北京大学位于海淀区。中国的首都是北京。", title="北京"),
    Article("th", "กรุงเทพมหานครเป็นเมืองหลวงของประเทศไทย"),
    Article("long", "The harbour " * 90 + "was long."),
    Article("none", "?!"),
]
QUERIES = (*(query for query, _ in QUESTIONS), "Müller's start-ups in the U.S.", "京", "北京的大学", "harbour")


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with Index.open(tmp_path / "home", embedder=BagOfWordsEmbedder()) as opened:
        opened.add(ARTICLES)
        yield opened


def by_fts5(generation: Generation, words: list[str], k: int, among: frozenset[int] | None) -> dict[int, float]:
    """What FTS5 itself gives."""
    if not words:
        return {}
    weights = ", ".join([str(OCCURRENCE_WEIGHT)] * 3)
    rows = generation._sql.execute(
        f"SELECT rowid, -bm25(words, {weights}) FROM words WHERE words MATCH ?", (" OR ".join(words),)
    ).fetchall()
    best = sorted((-score, one) for one, score in rows if among is None or one in among)
    return {one: -score for score, one in best[:k]}


def found(generation: Generation, query: str) -> list[tuple[int, float]]:
    return list(generation.words.match(ranking.terms(query, generation.languages), 30).items())


@pytest.mark.parametrize("kept_bytes", [postings.KEPT_BYTES, 100])
def test_scores_are_those_of_fts5(index: Index, kept_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postings, "KEPT_BYTES", kept_bytes)
    some = 0
    for _ in range(2):
        for query in QUERIES:
            with index._store.read() as generation:
                words = ranking.terms(query, generation.languages)
                half = frozenset(one for one in range(0, 400, 2))
                for among in (None, half, frozenset[int]()):
                    expected = by_fts5(generation, words, 30, among)
                    assert generation.words.match(words, 30, among=among) == pytest.approx(expected, rel=1e-12), query
                    some += len(expected)
                assert generation.words._postings._bytes <= kept_bytes
    assert some > 1000


def test_several_readers_see_what_was_published(index: Index, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool, index._store.read() as older:
        before = [found(older, query) for query in QUERIES]
        index.add([Article("new", "The harbour of Port Alma was opened in 1950 beside the bridge.")])
        index.remove_articles(["n1", "n7"])
        several = list(pool.map(index.search, QUERIES * 3))
        assert [found(older, query) for query in QUERIES] == before
        assert several == list(pool.map(index.search, QUERIES)) * 3
    # As one that was opened only now, of which nothing is in memory.
    with Index.open(index.home, embedder=BagOfWordsEmbedder()) as opened:
        assert [opened.search(query) for query in QUERIES] == several[: len(QUERIES)]
    assert index.search("When was the harbour of Port Alma opened beside the bridge?")[0].article.id == "new"


@pytest.mark.parametrize(
    "altered",
    [
        "UPDATE words_docsize SET sz = x'01' WHERE id = 3",
        "DELETE FROM words_docsize WHERE id = 3",
        "INSERT INTO words (rowid, title, text) VALUES (3000, 'harbour', 'by hand'); "
        "DELETE FROM words_docsize WHERE id = 3000",
    ],
)
def test_an_altered_word_index_is_an_error(index: Index, altered: str) -> None:
    with closing(sqlite3.connect(index.home / DATABASE)) as connection:
        connection.executescript(altered)
    opened = Index.open(index.home, embedder=BagOfWordsEmbedder())
    with opened, pytest.raises(StoreError, match="index check --repair"):
        opened.search("harbour")
