"""Questions about now: answered from the newest articles, with the day that the answer is of."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from index import Article, Index
from index.article import Span
from index.hit import Hit
from rag import Answer, Engine, Settings, recency
from tests.fakes import BagOfWordsEmbedder, ScriptedLLM

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OLD = "The prime minister of Zorb is Ada Quill."
NEW = "The prime minister of Zorb is Bo Lund."
ASKED = "Who is the prime minister of Zorb?"


class Today(date):
    """A fixed day."""

    @classmethod
    def today(cls) -> Today:
        return cls(2022, 10, 20)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    monkeypatch.setattr(recency, "date", Today)
    with Index.open(tmp_path / "home", embedder=BagOfWordsEmbedder()) as opened:
        opened.add(
            [
                Article("old", f"{OLD} She took office in spring.", "Zorb", "Post", published="2021-05-01"),
                Article("new", f"{NEW} He took office in autumn.", "Zorb", "Sun", published="2022-10-03T08:00:00Z"),
                Article("undated", "The prime minister of Zorb is chosen by the harbor council.", "Zorb"),
            ]
        )
        yield opened


def asked(index: Index, question: str, draft: str) -> Answer:
    return Engine.open(index=index, llm=ScriptedLLM(draft), settings=Settings()).ask(question)


def test_the_newest_article_is_read_first_and_the_answer_says_of_which_day_it_is(index: Index) -> None:
    answer = asked(index, ASKED, NEW)
    assert [source.hit.article.id for source in answer.sources] == ["new", "old", "undated"]
    assert answer.text == f"As of 3 October 2022: {NEW}"
    (claim,) = answer.claims
    assert claim.text == NEW, "the day is no part of what the quote supports"
    assert answer.text[claim.start : claim.end] == claim.text
    assert claim.citations[0].quote == NEW


def test_the_day_stays_where_the_question_has_two_parts(index: Index) -> None:
    engine = Engine.open(index=index, llm=ScriptedLLM("He took office in autumn.", NEW), settings=Settings())
    answer = engine.ask("When did Bo Lund take office in Zorb? And who is the prime minister of Zorb?")
    assert f" As of 3 October 2022: {NEW}" in answer.text
    assert [answer.text[claim.start : claim.end] for claim in answer.claims] == [claim.text for claim in answer.claims]


def test_an_answer_that_is_old_for_what_was_asked_says_so_first(index: Index) -> None:
    answer = asked(index, "What did the prime minister of Zorb do this week?", NEW)
    assert answer.text == f"As of 3 October 2022, which is 2 weeks ago: {NEW}"
    answer = asked(index, "What is the latest on the prime minister of Zorb? source:post", OLD)
    assert answer.text == f"As of 1 May 2021, which is 17 months ago: {OLD}"


def test_an_answer_without_a_dated_quote_and_other_questions_are_as_they_were(index: Index) -> None:
    drafted = "The prime minister of Zorb is chosen by the harbor council."
    assert asked(index, "How is the prime minister of Zorb currently chosen?", drafted).text == drafted
    assert asked(index, "Who was the prime minister of Zorb in 2021?", OLD).text == OLD


def test_an_answer_of_a_few_words_says_who_reported_it_and_when(index: Index) -> None:
    answer = asked(index, "In which season did Bo Lund take office in Zorb?", "In autumn.")
    assert answer.text == "In autumn, Sun reported on 3 October 2022."
    assert answer.claims[0].citations[0].article_id == "new"


@pytest.mark.parametrize(
    ("question", "is_now"),
    [
        ("What happened recently in Zorb?", True),
        ("Who is the prime minister?", True),
        ("What's the latest on the strike?", True),
        ("Who is Ada Quill?", False),
        ("What was the latest offer in 2019?", False),
        ("What is the capital of Zorb?", False),
        ("Who was the prime minister?", False),
        ("When did the talks break down?", False),
        ("What did the mayor know?", False),
    ],
)
def test_which_questions_are_about_now(question: str, is_now: bool) -> None:
    assert recency.asks_about_now(question) is is_now


def test_the_best_passage_comes_second_at_the_latest() -> None:
    scores = {"2021-05-01": 1.5, "2022-10-03": 1.2, "2022-11-04": 1.3, "2022-12-05": 0.4}
    hits = [
        Hit(Article(day, NEW, published=day), 0, len(NEW), score, 0.0, 0.0, Span(0, len(NEW)))
        for day, score in scores.items()
    ]
    found = [hit.article.id for hit in recency.newest_first(ASKED, hits, least_share=0.7)]
    assert found == ["2022-11-04", "2021-05-01", "2022-10-03"]
    assert recency.newest_first("What is the capital of Zorb?", hits, least_share=0.7) == hits
