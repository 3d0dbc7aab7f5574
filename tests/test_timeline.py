"""Timelines: dated events of one subject, in order, each an exact quote."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from index import Article, Index
from rag import Answer, Engine, Reason, Row, Section, Settings, Turn
from rag.grounding.lexicon import words
from rag.overview.timeline import subject_of
from rag.question import understand
from tests.fakes import BagOfWordsEmbedder, ScriptedLLM

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

DETAINED = "Brittney Griner was detained at an airport near Moscow on February 17, 2022."
SENTENCED = "A Russian court sentenced Brittney Griner to nine years in prison on Thursday."
ARTICLES = (
    Article(
        "cnn",
        f"{SENTENCED} {DETAINED} Previously: Griner begins sentence. She has played in Russia since 2015.",
        title="Griner sentenced", source="CNN", published="2022-08-04",
    ),
    Article(
        "usa",
        "Brittney Griner, the basketball star, was detained near Moscow at an airport on February 17. "
        "Griner lost her appeal.",
        title="Griner loses appeal", source="USA Today", published="2022-10-25T10:00:00+00:00",
    ),
    Article(
        "swap",
        "Brittney Griner was freed in a prisoner swap for the arms dealer Viktor Bout.",
        title="Griner is free", source="NBC", published="2022-12-08",
    ),
    Article(
        "price", "Twitter will charge eight dollars for a blue check, Elon Musk announced on November 1, 2022.",
        title="Twitter's price", source="CNN", published="2022-11-02",
    ),
)  # fmt: skip
ASKED = "Give me a timeline of Brittney Griner's detention."


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with Index.open(tmp_path / "home", embedder=BagOfWordsEmbedder()) as opened:
        yield opened


def ask(index: Index, question: str = ASKED, *, limit: int | None = None, history: Sequence[Turn] = ()) -> Answer:
    engine = Engine.open(index=index, llm=ScriptedLLM(), settings=Settings())
    return engine.ask(question, history=history, kind="timeline", limit=limit)


def shown(sections: Sequence[Section]) -> list[tuple[str | None, str]]:
    return [(section.date, section.heading) for section in sections]


def test_events_are_in_order_with_exact_quotes_and_marked_where_the_date_is_derived(index: Index) -> None:
    index.add(ARTICLES)
    answer = ask(index)
    assert shown(answer.sections) == [
        ("2022-02-17", "17 February 2022 · CNN, USA Today"),
        ("2022-08-04", "4 August 2022 (“Thursday”) · CNN"),
        ("2022-10-25", "Reported on 25 October 2022 · USA Today"),
        ("2022-12-08", "Reported on 8 December 2022 · NBC"),
    ]
    detained, sentenced, *_ = answer.sections
    assert detained.claims[0].text == DETAINED
    assert [one.article_id for one in detained.claims[0].citations] == ["cnn", "usa"], "one story stands once"
    assert sentenced.claims[0].text == SENTENCED
    for claim in answer.claims:
        assert claim.verbatim
        assert claim.supported
        assert claim.citations[0].quote == claim.text == answer.text[claim.start : claim.end]
    assert "Previously" not in answer.text
    assert answer.lead == "What 3 articles report on Brittney Griner's detention, in order of date."


def test_without_a_date_of_publication_only_dates_with_a_year_count(index: Index) -> None:
    index.add(replace(article, published=None) for article in ARTICLES)
    assert [section.date for section in ask(index).sections] == ["2022-02-17"]
    index.remove_articles("cnn")
    answer = ask(index)
    assert answer.refused
    assert answer.reason == Reason.NOT_ANSWERED
    assert "give no dates" in answer.text


def test_dates_of_something_else_are_not_called_none(index: Index) -> None:
    text = "The harbor was dredged on 3 May 2020. The lighthouse of Zorb is white. The lighthouse of Zorb is tall."
    index.add([Article("a", text, "Harbor news")])
    answer = Engine(index).ask("Give me a timeline of the lighthouse of Zorb.")
    assert answer.refused
    assert answer.text.startswith("No dated sentence of the articles names")


def test_disagreeing_dates_of_one_event_are_shown_in_one_row(index: Index) -> None:
    index.add([
        ARTICLES[0],
        Article("other", DETAINED.replace("17", "16"), title="Griner", source="Fox", published="2022-08-05"),
    ])  # fmt: skip
    first, *_ = ask(index).sections
    assert first.heading in (
        "17 February 2022 · CNN, Fox · Fox says 16 February 2022",
        "16 February 2022 · Fox, CNN · CNN says 17 February 2022",
    )


def test_a_limit_keeps_what_is_reported_most_and_rows_come_as_they_are_found(index: Index) -> None:
    index.add(ARTICLES)
    assert len(ask(index, limit=2).sections) == 2
    engine = Engine.open(index=index, llm=ScriptedLLM(), settings=Settings())
    *events, answer = engine.stream(ASKED, kind="timeline")
    found = [event.section for event in events if isinstance(event, Row)]
    assert isinstance(answer, Answer)
    assert sorted(row.date or "" for row in found) == [row.date for row in answer.sections]


def test_filters_and_chosen_articles_hold(index: Index) -> None:
    index.add(ARTICLES)
    assert {row.article_id for row in ask(index, f"{ASKED} source:nbc").sections} == {"swap"}
    engine = Engine.open(index=index, llm=ScriptedLLM(), settings=Settings())
    answer = engine.ask(ASKED, kind="timeline", articles=["cnn"])
    assert {one.article_id for one in answer.citations} == {"cnn"}
    assert ask(index, f"{ASKED} source:reuters").reason == Reason.FILTERED_OUT


def test_a_timeline_of_nothing_refuses(index: Index) -> None:
    assert ask(index).reason == Reason.EMPTY_INDEX
    index.add(ARTICLES)
    for question, reason in (
        ("Give me a timeline of the siege of Troy.", Reason.NOTHING_RELEVANT),
        ("Give me a timeline.", Reason.UNCLEAR),
    ):
        answer = ask(index, question)
        assert (answer.refused, answer.reason, answer.sections) == (True, reason, ())
        assert answer.text


def test_cancelling_keeps_the_rows_that_were_found(index: Index) -> None:
    index.add(ARTICLES)
    engine, cancel = Engine.open(index=index, llm=ScriptedLLM(), settings=Settings()), threading.Event()
    rows: list[Row] = []
    for event in engine.stream(ASKED, kind="timeline", cancel=cancel):
        if isinstance(event, Row):
            rows.append(event)
            cancel.set()
        elif isinstance(event, Answer) and event.reason is not None:
            assert event.reason == Reason.CANCELLED
    assert rows


@pytest.mark.parametrize(
    ("question", "history", "subject"),
    [
        ("Give me a timeline of the crisis in Egypt.", (), "the crisis in Egypt"),
        ("Show me the chronology of her detention, please", (), "her detention, please"),
        ("Could you give me a timeline for the NSA leaks?", (), "the NSA leaks"),
        ("The crisis in Egypt as a timeline", (), "The crisis in Egypt as a"),
        ("Now as a timeline.", ("What happened in Egypt?",), "What happened in Egypt"),
        ("When did the talks break down?", (), "When did the talks break down"),
    ],
)
def test_the_subject_is_what_remains_without_the_request(question: str, history: tuple[str, ...], subject: str) -> None:
    turns = tuple(Turn(before, "") for before in history)
    assert subject_of(understand(question, turns)) == subject


@pytest.mark.parametrize(
    ("question", "subject"),
    [
        ("What happened when in the siege of Homs?", "the siege of Homs"),
        ("Walk me through the siege of Homs", "the siege of Homs"),
        ("Please put the events around the siege of Homs in chronological order.", "the siege of Homs"),
        ("Key dates of the siege of Homs", "the siege of Homs"),
        ("What is the chronology of the siege of Homs?", "the siege of Homs"),
    ],
)
def test_the_words_that_ask_for_a_timeline_are_no_part_of_its_subject(question: str, subject: str) -> None:
    assert subject_of(understand(question, kind="timeline")) == subject


def test_a_timeline_keeps_to_the_period_that_is_asked_for(index: Index) -> None:
    index.add(ARTICLES)
    before = [Turn(ASKED, "", "timeline")]
    found = ask(index, "only since August", history=before)
    assert [section.date for section in found.sections] == ["2022-08-04", "2022-10-25", "2022-12-08"]
    assert "since August 2022" in found.lead
    assert ask(index, "Timeline of Brittney Griner before 1 March 2022").sections[0].date == "2022-02-17"


def test_the_words_of_an_entry_are_read_once_however_many_there_are(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = "Tula Kazan Perm Omsk Tver Sochi Pskov Ufa Tomsk Chita Penza Orel Kursk Vologda Ryazan".split()
    sightings = [f"Brittney Griner was seen in {place} on March {day}, 2022." for day, place in enumerate(places, 1)]
    index.add([Article("seen", " ".join(sightings))])
    read: list[str] = []

    def counted(text: str) -> Any:
        read.append(text)
        return words(text)

    monkeypatch.setattr("rag.overview.timeline.words", counted)
    answer = ask(index, limit=100)
    quotes = {claim.text for claim in answer.claims}
    assert quotes == set(sightings)
    assert max(read.count(quote) for quote in quotes) <= 2  # the first one is there early, and again among all
