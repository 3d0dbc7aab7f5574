"""Lists and counts: which articles mention a name or treat a subject, with a quote of each."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from index import Article, Index, InputError
from index.mentions import Name
from rag import Answer, Engine, Reason, Row, Turn
from rag.overview.list import asked_for, best_sentence
from rag.overview.scope import scope_of
from rag.question import understand
from tests.fakes import BagOfWordsEmbedder, ScriptedLLM

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from index.embedder import SentenceEmbedder
    from index.mentions import Mentions

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


def test_articles_about_a_subject_need_not_name_it(home: Path, real_embedder: SentenceEmbedder) -> None:
    index = Index.open(home, embedder=real_embedder)
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


@pytest.mark.parametrize(
    ("question", "found", "lead"),
    [
        ("Which CNN articles mention Jeremy Hunt?", ["hunt-2", "hunt-3"], "from CNN mention"),
        ("which articles from the bbc mention jeremy hunt", ["hunt-1"], "from BBC mentions"),
        ("How many pieces did CNN publish that mention Jeremy Hunt?", ["hunt-2", "hunt-3"], "from CNN"),
        ("Which articles mention Jeremy Hunt before 1 November 2022?", ["hunt-1"], "published before 1 November 2022"),
        ("Which stories mention Jeremy Hunt since 3 November?", ["hunt-3"], "since 3 November 2022"),
        (
            "Which articles published between 1 and 5 November 2022 mention Hunt?",
            ["hunt-2"],
            "between 1 November 2022 and 5",
        ),
        ("How many articles mention Jeremy Hunt in November 2022?", ["hunt-2", "hunt-3"], "in November 2022 mention"),
        (
            "Which articles from CNN mention Jeremy Hunt until 10 November 2022?",
            ["hunt-2"],
            "from CNN, published until",
        ),
        ("Which articles were published on 21 November 2022?", ["other"], "published on 21 November 2022."),
        ("What is the newest article from CNN?", ["other", "hunt-3", "hunt-2"], "from CNN"),
        ("Are there articles from 2019?", [], "There is no article published in 2019."),
    ],
)
def test_outlet_and_period_in_words_narrow_a_list(engine: Engine, question: str, found: list[str], lead: str) -> None:
    answer = engine.ask(question)
    assert answer.kind in ("list", "count")
    assert sorted(filter(None, ids(answer))) == sorted(found)
    assert lead in answer.text


def test_a_follow_up_narrows_the_list_before_it_and_keeps_what_narrowed_it(engine: Engine) -> None:
    history: list[Turn] = []
    for question, found in (
        ("Which articles mention Jeremy Hunt?", {"hunt-1", "hunt-2", "hunt-3"}),
        ("only those from CNN", {"hunt-2", "hunt-3"}),
        ("newest first", {"hunt-2", "hunt-3"}),
        ("only since 10 November", {"hunt-3"}),
    ):
        answer = engine.ask(question, history=history)
        assert set(ids(answer)) == found, question
        history.append(answer.turn)


@pytest.mark.parametrize(
    ("text", "rest", "only"),
    [
        ("Which articles mention the Daily Bugle?", "Which articles mention the Daily Bugle?", ""),
        ("Which articles are about the sale of Time?", "Which articles are about the sale of Time?", ""),
        ("how many articles mention floods over time", "how many articles mention floods over time", ""),
        ("Time's reports on the flood", "reports on the flood", "source:Time"),
        ("And from the Daily Bugle?", "And?", 'source:"Daily Bugle"'),
        ("articles about the riots in 2011", "articles about the riots", "after:2010-12-31 before:2012-01-01"),
        ("articles on the 2011 riots", "articles on the 2011 riots", ""),
        ("articles from May to July 2021 on riots", "articles on riots", "after:2021-04-30 before:2021-08-01"),
    ],
)
def test_only_the_origin_of_articles_and_their_period_are_taken_out_of_a_question(
    text: str, rest: str, only: str
) -> None:
    scope = scope_of(text, ("Daily Bugle", "Time"), "2021-12-01")
    assert (scope.text, str(scope.only)) == (rest, only)


def test_a_year_in_which_nothing_was_published_belongs_to_the_subject(engine: Engine) -> None:
    engine.index.add(
        [Article("old", "The flood in 1953 took the dikes. The flood in 1953 was high.", "The flood in 1953")]
    )
    answer = engine.ask("Which articles mention the flood in 1953?")
    assert ids(answer) == ["old"]


@pytest.mark.parametrize(
    ("question", "found", "lead"),
    [
        (
            "Which articles mention both Jeremy Hunt and London?",
            ["hunt-2"],
            "1 article mentions “Jeremy Hunt” and “London”.",
        ),
        (
            "articles that mention London or the hills",
            ["hunt-2", "other"],
            "2 articles mention “London” or “the hills”.",
        ),
        ("Which articles mention London and the budget?", [], "No article mentions “London” and “the budget”."),
        ("wich articels menton jeremy hunt", ["hunt-1", "hunt-2", "hunt-3"], "3 articles mention “jeremy hunt”"),
        ("And how many of them mention London?", ["hunt-2"], "1 article mentions “London”."),
        ("How many outlets mention Jeremy Hunt?", ["hunt-1", "hunt-2", "hunt-3"], "2 outlets. 3 articles mention"),
        (
            "How many articles that mention Hunt did each outlet print?",
            ["hunt-1", "hunt-2", "hunt-3"],
            "By outlet: CNN 2",
        ),
    ],
)
def test_several_names_hasty_words_and_numbers_of_outlets(
    engine: Engine, question: str, found: list[str], lead: str
) -> None:
    answer = engine.ask(question)
    assert sorted(filter(None, ids(answer))) == sorted(found)
    assert lead in answer.text


def test_a_change_to_a_changed_question_counts_what_was_asked_last(engine: Engine) -> None:
    history = [Turn("How many articles mention Jeremy Hunt?", "", "count"), Turn("and London?", "", "count")]
    answer = engine.ask("by outlet?", history=history)
    assert answer.text.startswith("1 article mentions “London”. By outlet: CNN 1.")


def test_an_article_that_never_has_a_name_is_not_about_its_bearer(engine: Engine) -> None:
    engine.index.add(
        [
            Article("tito", "Tito Lenz robbed the bank of Harbor. Police seek Tito Lenz near the bank of Harbor."),
            Article(
                "bank", "Police guard the bank of Harbor. The bank of Harbor was robbed, and police seek somebody."
            ),
        ]
    )
    assert ids(engine.ask("Which articles are about Tito Lenz?")) == ["tito"]


def test_the_articles_of_one_outlet_are_some_of_all_that_are_about_a_subject(engine: Engine) -> None:
    flood = "The flood took the bridge of Harbor. The flood of Harbor drowned the fields. Boats came to Harbor."
    places = ("Post", "Sun", "Post", "Sun", "Globe")
    engine.index.add([Article(f"flood-{n}", f"{flood} Day {n}.", source=name) for n, name in enumerate(places)])
    every = engine.ask("Which articles are about the flood of Harbor?")
    history = [every.turn]
    for outlet in set(places):
        some = engine.ask(f"only those from the {outlet}", history=history)
        wanted = [name for name in ids(every) if name and places[int(name[-1])] == outlet]
        assert sorted(filter(None, ids(some))) == sorted(wanted)


@pytest.mark.timeout(60)
def test_the_sentence_of_a_book_is_found_in_one_pass() -> None:
    text = (
        "The chapter ends here at last and so on. " * 30_000
        + "Jeremy Hunt spoke for an hour about the budget. " * 30_000
    )
    mentions = Name.of("Jeremy Hunt").find(text)
    found = best_sentence(text, mentions[::-1])
    assert found is not None
    assert found.of(text) == "Jeremy Hunt spoke for an hour about the budget."
    assert found.start == mentions[0].start


def test_a_list_of_several_names_ends_soon_after_it_is_stopped(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    cancel, read = threading.Event(), []
    mentions = engine.index.mentions

    def stopped_at_the_first(name: str, **given: Any) -> Iterator[Mentions]:
        for one in mentions(name, **given):
            if name != "Jeremy Hunt and the budget":
                read.append(one)
                cancel.set()
            yield one

    monkeypatch.setattr(engine.index, "mentions", stopped_at_the_first)
    answer = engine.ask("Which articles mention Jeremy Hunt and the budget?", kind="list", cancel=cancel)
    assert answer.reason == Reason.CANCELLED
    assert len(read) == 1


def test_an_outlet_that_is_not_there_is_named_as_missing(engine: Engine) -> None:
    answer = engine.ask("Which articles of the Guardian mention Jeremy Hunt?", kind="list")
    assert answer.text.startswith("No outlet here is called “Guardian”, so the articles of all were looked through. 3 ")
    for question in ("Which articles of CNN mention Jeremy Hunt?", "Which articles mention Jeremy Hunt?"):
        assert "No outlet" not in engine.ask(question, kind="list").text


def test_a_question_that_breaks_off_is_not_clear(engine: Engine) -> None:
    for question in ("Which articles mention", "Which articles are about?", "articles that mention ..."):
        assert engine.ask(question, kind="list").reason == Reason.UNCLEAR


def test_what_is_of_the_year_is_a_subject_and_days_are_counted(engine: Engine) -> None:
    wanted = asked_for(understand("Which articles mention the Person of the Year?", ()))
    assert wanted is not None
    assert (wanted.subject, wanted.by) == ("the Person of the Year", ())
    by_day = engine.ask("How many articles mention Jeremy Hunt by day?", kind="count")
    assert by_day.counts == {"day": {"2022-10-17": 1, "2022-11-02": 1, "2022-11-20": 1}}
