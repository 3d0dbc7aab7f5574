"""Lists and counts: which articles mention a name or treat a subject, with a quote of each."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest

from index import Article, Index, InputError
from rag import Answer, Engine, Reason, Row, Turn
from rag.overview.list import asked_for
from rag.question import understand
from tests.fakes import BagOfWordsEmbedder, ScriptedLLM

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from index.embedder import SentenceEmbedder

ARTICLES = [
    Article("hunt-1", "The budget is late. Jeremy Hunt spoke for an hour about the budget. Hunt left.", "Budget day",
            "BBC", published="2022-10-17"),
    Article("hunt-2", "In London, the markets rose when Jeremy Hunt's plan was read aloud.", "Markets rise", "CNN",
            published="2022-11-02"),
    Article("hunt-3", "Few expected that Mr. Jeremy Hunt would stay in office until the spring.", "Who stays", "CNN",
            published="2022-11-20"),
    Article("other", "The hunting season opened with rain, and nobody went to the hills.", "Hunting", "CNN",
            published="2022-11-21"),
    Article("titled", "The chancellor had nothing to say to the reporters who waited.", "Jeremy Hunt is silent", "BBC",
            published="2022-12-01"),
]  # fmt: skip


@pytest.fixture
def engine(home: Path) -> Iterator[Engine]:
    index = Index.open(home, embedder=BagOfWordsEmbedder())
    index.add(ARTICLES)
    with Engine.open(index=index, llm=ScriptedLLM()) as opened:
        yield opened
    index.close()


def ids(answer: Answer) -> list[str | None]:
    return [section.article_id for section in answer.sections]


@pytest.mark.parametrize(
    "question",
    [
        "Which articles mention Jeremy Hunt?",
        "In which articles does Jeremy Hunt appear?",
        "Can you list for me all of the articles that refer to Jeremy Hunt, please?",
        "articles mentioning jeremy hunt",
        'Which stories contain "Jeremy Hunt"?',
        "How many articles mention Jeremy Hunt?",
    ],
)
def test_a_list_is_of_every_article_with_the_name_each_with_its_sentence(engine: Engine, question: str) -> None:
    answer = engine.ask(question, kind="count" if question.startswith("How") else "list")
    assert sorted(map(str, ids(answer))) == ["hunt-1", "hunt-2", "hunt-3"]
    assert answer.total == 3
    assert answer.text.startswith("3 articles mention ")
    assert "In the title alone it stands in 1 more: Jeremy Hunt is silent." in answer.text
    assert not answer.refused
    for section in answer.sections:
        (claim,) = section.claims
        (citation,) = claim.citations
        assert citation.article.text[citation.start : citation.end] == citation.quote == claim.text
        assert "Jeremy Hunt" in claim.text
        assert answer.text[claim.start : claim.end] == claim.text
        assert claim.verbatim
        assert section.mentions == 1
    assert Answer.from_dict(json.loads(json.dumps(answer.to_dict()))).to_dict() == answer.to_dict()


def test_rows_come_as_they_are_found_and_no_more_than_the_limit(engine: Engine) -> None:
    *rows, answer = engine.stream("Which articles mention Jeremy Hunt?, newest first", kind="list", limit=2)
    assert [row.section.article_id for row in rows if isinstance(row, Row)] == ["hunt-3", "hunt-2"]
    assert isinstance(answer, Answer)
    assert ids(answer) == ["hunt-3", "hunt-2"]
    assert answer.total == 3
    assert "3 articles mention “Jeremy Hunt”; here are the first 2." in answer.text


def test_articles_are_counted_by_outlet_month_and_year(engine: Engine) -> None:
    answer = engine.ask("How many articles mention Jeremy Hunt by outlet and by month? By year?", kind="count")
    assert answer.counts == {
        "outlet": {"CNN": 2, "BBC": 1},
        "month": {"2022-10": 1, "2022-11": 2},
        "year": {"2022": 3},
    }
    assert "By outlet: CNN 2, BBC 1. By month: 2022-10 1, 2022-11 2. By year: 2022 3." in answer.text


def test_a_list_is_sorted_as_the_reader_wants_it(engine: Engine) -> None:
    question = "Which articles mention Jeremy Hunt, oldest first?"
    assert ids(engine.ask(question, sort="newest")) == ["hunt-3", "hunt-2", "hunt-1"]
    with pytest.raises(InputError, match="sort='best': choose one of relevance, newest, oldest"):
        engine.ask(question, sort="best")  # type: ignore[arg-type]


def test_filters_and_chosen_articles_hold(engine: Engine) -> None:
    assert ids(engine.ask("Which articles mention Jeremy Hunt? source:bbc", kind="list")) == ["hunt-1"]
    answer = engine.ask("Which articles mention Jeremy Hunt?", kind="list", articles=["hunt-2", "other"])
    assert ids(answer) == ["hunt-2"]
    assert answer.total == 1


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("Which articles mention Zorro?", "No article mentions “Zorro”."),
        ('Which articles mention "jeremy hunt"?', "3 have it: ask without the quotation marks."),
        ("Which articles mention Jeremy Hunt? source:cbs", "among those of source:cbs"),
    ],
)
def test_what_nothing_mentions_is_refused_with_what_was_looked_for(engine: Engine, question: str, said: str) -> None:
    answer = engine.ask(question, kind="list")
    assert answer.refused
    assert answer.reason == Reason.NOTHING_RELEVANT
    assert answer.total == 0
    assert said in answer.text


def test_a_list_of_nothing_is_not_clear_and_an_empty_index_says_so(engine: Engine, tmp_path: Path) -> None:
    assert engine.ask("Give me a list", kind="list").reason == Reason.UNCLEAR
    with Engine.open(index=Index.open(tmp_path / "empty", embedder=BagOfWordsEmbedder()), llm=ScriptedLLM()) as empty:
        for question in ("Which articles mention Hunt?", "Which articles are about Hunt?"):
            assert empty.ask(question, kind="list").reason == Reason.EMPTY_INDEX


def test_a_follow_up_keeps_the_subject_and_changes_the_rest(engine: Engine) -> None:
    before = (Turn("Which articles mention Jeremy Hunt?", "3 articles mention Jeremy Hunt.", "list"),)
    assert engine.ask("and by outlet?", history=before, kind="count").counts == {"outlet": {"CNN": 2, "BBC": 1}}
    assert ids(engine.ask("oldest first", history=before, kind="list")) == ["hunt-1", "hunt-2", "hunt-3"]
    assert ids(engine.ask("and the budget?", history=before, kind="list")) == ["hunt-1"]


def test_a_cancelled_list_keeps_what_it_has(engine: Engine) -> None:
    cancel = threading.Event()
    cancel.set()
    answer = engine.ask("Which articles mention Jeremy Hunt?", kind="list", cancel=cancel)
    assert answer.reason == Reason.CANCELLED


def test_articles_about_a_subject_need_not_name_it(home: Path, embedder: SentenceEmbedder) -> None:
    index = Index.open(home, embedder=embedder)
    storm = [
        "Hurricane Ada made landfall near Mobile with winds of 130 miles an hour.",
        "Hurricane Ada flooded the streets of Mobile; the storm surge broke the harbor wall.",
        "Hurricane Ada left a million people in Alabama without power, the governor said.",
        "After Hurricane Ada, rescue boats searched flooded streets in Mobile for people on their roofs.",
    ]
    others = [
        "The orchestra opened its season with a symphony by Mahler.",
        "A recipe for bread needs flour, water, salt and patience.",
        "The central bank raised its interest rate by half a point.",
        "The striker scored twice and the home side won the cup.",
        "Astronomers found a planet that circles two stars.",
        "The museum bought a painting that was thought lost.",
    ]
    unnamed = "The storm surge flooded Mobile's streets, and rescue boats took people from their roofs in Alabama."
    index.add(
        [
            *(Article(f"storm-{place}", text) for place, text in enumerate(storm)),
            Article("unnamed", unnamed),
            *(Article(f"other-{place}", text) for place, text in enumerate(others)),
        ]
    )
    with Engine.open(index=index, llm=ScriptedLLM()) as opened:
        answer = opened.ask("How many articles are about Hurricane Ada?", kind="count")
        assert set(ids(answer)) >= {"storm-0", "storm-1", "storm-2", "storm-3"}
        assert not [one for one in ids(answer) if str(one).startswith("other")]
        assert answer.total == len(answer.sections)
        assert opened.ask("Which articles are about the price of coffee?", kind="list").refused


@pytest.mark.timeout(20)
def test_the_end_of_a_hostile_question_is_looked_for_in_a_bounded_stretch() -> None:
    question = understand("which articles mention " + "( " * 900, ())
    for _ in range(20):  # two seconds each where the time grows with the square of the length
        asked_for(question)
