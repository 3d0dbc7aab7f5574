"""What others make of an article goes with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from index import Article, Index
from tests.fakes import BagOfWordsEmbedder

ARTICLES = (Article("talks", "The talks broke down in 2009."), Article("../islands", "Japan calls them so."))


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with Index.open(tmp_path / "home", embedder=BagOfWordsEmbedder()) as opened:
        opened.add(ARTICLES)
        for article in ARTICLES:
            opened.derived(article.id).mkdir(parents=True)
            (opened.derived(article.id) / "made.of").write_text(article.text)
        yield opened


def kept(index: Index) -> list[bool]:
    return [(index.derived(article.id) / "made.of").exists() for article in ARTICLES]


def test_it_lies_in_the_home_whatever_the_id(index: Index) -> None:
    for article in ARTICLES:
        assert index.derived(article.id).parent == index.home / "derived"


@pytest.mark.parametrize("how", ["removed", "changed"])
def test_it_goes_with_the_article_and_no_other(index: Index, how: str) -> None:
    if how == "removed":
        index.remove(["talks"])
    else:
        index.add([Article("talks", "The talks broke down in 2010.")])
    assert kept(index) == [False, True]


def test_an_article_added_again_as_it_is_keeps_it(index: Index) -> None:
    index.add(ARTICLES)
    assert kept(index) == [True, True]


def test_what_a_killed_process_left_is_swept_with_the_next_change(index: Index) -> None:
    left = index.derived("an article that is gone")
    left.mkdir(parents=True)
    index.add([Article("new", "Something new.")])
    assert not left.exists()
    assert kept(index) == [True, True]


def test_passages_come_from_the_last_added_article_first(index: Index) -> None:
    assert [article.id for article, _ in index.passages()] == ["../islands", "talks"]
    assert [span.of(article.text) for article, span in index.passages()] == [article.text for article in ARTICLES[::-1]]
