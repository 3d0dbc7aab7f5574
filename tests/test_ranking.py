"""Ranking through Index.search: what moves a passage up, and that a hit says why it was found."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from index import Article, Index
from tests.fakes import BagOfWordsEmbedder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ARTICLES = (
    Article("harvest", "The wheat harvest began early. Prices fell."),
    Article("bank", "The central bank raised rates. Prices rose."),
    Article("comet", "A comet was seen over Lisbon."),
    Article("ferry", "The ferry to the islands was late."),
)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with Index.open(tmp_path / "home", embedder=BagOfWordsEmbedder()) as opened:
        opened.add(ARTICLES)
        yield opened


def first(index: Index, query: str, **said: object) -> str:
    return index.search(query, **said)[0].article.id  # type: ignore[arg-type]


def test_the_context_decides_between_passages_that_fit_alike(index: Index) -> None:
    assert first(index, "And prices?", context="What did the central bank do?") == "bank"
    assert first(index, "And prices?", context="When did the wheat harvest begin?") == "harvest"


def test_a_question_that_changes_the_subject_is_not_held_by_the_context(index: Index) -> None:
    assert first(index, "Where was the comet seen?", context="What did the central bank do?") == "comet"


def test_a_rewording_makes_its_sentences_similar(index: Index) -> None:
    alone = {hit.article.id: hit.similarity for hit in index.search("Why?")}
    reworded = {hit.article.id: hit.similarity for hit in index.search("Why?", rewordings=["ferry islands late why"])}
    assert reworded["ferry"] > alone["ferry"] + 0.3
    assert all(reworded[article] >= alone[article] for article in alone)


def test_a_hit_says_why_it_was_found(index: Index) -> None:
    best, *others = index.search("wheat harvest", context="prices")
    assert best.score == pytest.approx(best.similarity + best.bm25 + best.context)
    assert best.bm25 == pytest.approx(max(hit.bm25 for hit in (best, *others)))
    assert best.context > 0
    assert {hit.bm25 for hit in others} == {0.0}
    assert next(hit for hit in others if hit.article.id == "comet").context == 0
    assert {"score", "similarity", "bm25", "context"} <= best.to_dict().keys()
    assert best.to_dict()["nearest"] == "The wheat harvest began early."


def test_scores_are_the_same_when_everything_passes_the_filter(tmp_path: Path) -> None:
    dated = [replace(article, source="Wire", published="2018-01-01") for article in ARTICLES]
    with Index.open(tmp_path / "dated", embedder=BagOfWordsEmbedder()) as index:
        index.add(dated)
        assert index.search("wheat harvest prices source:wire in:2018") == index.search("wheat harvest prices")


def test_equal_passages_come_in_a_fixed_order(index: Index) -> None:
    # One mark apart, which no score sees: equal texts would be one article's copies.
    index.add([Article(f"copy-{n}", f"The ferry to the islands was late{mark}") for n, mark in enumerate("!?…")])
    ids = [hit.article.id for hit in index.search("ferry")[:4]]
    assert ids == ["ferry", "copy-0", "copy-1", "copy-2"]


def test_words_that_follow_each_other_as_in_the_query_count_more(index: Index) -> None:
    index.add([Article("apart", "The bank river flooded."), Article("together", "The river bank flooded.")])
    found = index.search("river bank")
    assert [hit.article.id for hit in found[:2]] == ["together", "apart"]
    assert found[0].similarity == pytest.approx(found[1].similarity)
    assert [hit.article.id for hit in index.search("bank river")[:2]] == ["apart", "together"]


def test_a_query_of_stop_words_alone_is_still_a_query(index: Index) -> None:
    assert index.search("Who was it?")
