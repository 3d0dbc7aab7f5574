"""Comparisons: which sides a question names, what each of them says, and what is said when one is missing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from index import Article, Index
from rag import Answer, Engine, Reason, Row, Settings, Turn
from rag.overview.sides import Sides, sides_of
from rag.question import understand
from tests.fakes import BagOfWordsEmbedder, ScriptedLLM

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from index.embedder import SentenceEmbedder

OUTLETS = ("CNN", "USA Today", "The Washington Post", "BBC", "Time", "www.reuters.com")
CNN = Article(
    "cnn",
    "Liz Truss resigned as prime minister on 20 October 2022 after 45 days in office. The price of gas fell.",
    title="Truss quits", source="CNN", published="2022-10-20",
)  # fmt: skip
USA = Article(
    "usa",
    "Truss said that she resigned because she could not deliver her tax plan. Her 45 days in office were the fewest.",
    title="UK leader resigns", source="USA Today", published="2022-10-21",
)  # fmt: skip
BBC = Article(
    "bbc",
    "READ MORE: Why she resigned\n\nGraham Brady told Truss that she had lost her party, which is why she resigned.",
    title="Why Truss fell", source="BBC", published="2022-11-02",
)  # fmt: skip
FEES = Article(
    "fees", "Oxford takes fees of 9,250 pounds a year. Cambridge takes fees of 9,000 pounds.", source="Sputnik"
)
WHY = "What did different outlets say about why Truss resigned?"


def engine(index: Index) -> Engine:
    return Engine.open(index=index, llm=ScriptedLLM(), settings=Settings())


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with Index.open(tmp_path / "home", embedder=BagOfWordsEmbedder()) as opened:
        opened.add((CNN, USA, BBC, FEES))
        yield opened


def compared(index: Index, question: str, limit: int | None = None, history: Sequence[Turn] = ()) -> Answer:
    return engine(index).ask(question, kind="comparison", limit=limit, history=history)


def read(question: str, *before: str) -> Sides:
    history = [Turn(one, "", "comparison") for one in before]
    return sides_of(understand(question, history, kind="comparison"), OUTLETS, "2022-11-20")


@pytest.mark.parametrize(
    ("question", "names", "subject"),
    [
        ("Compare CNN and USA Today on the price", "CNN, USA Today", "the price"),
        ("compare cnn and usa today on the price", "CNN, USA Today", "the price"),
        ("How did the BBC and the Washington Post cover the strike?", "BBC, The Washington Post", "strike"),
        ("Do CNN and Reuters agree on who won?", "CNN, www.reuters.com", "who won"),
        ("How does CNN's account of the trial differ from the BBC's?", "CNN, BBC", "account of the trial"),
        ("Compare CNN and The Daily Bugle on the price of Twitter", "CNN, Daily Bugle", "the price of Twitter"),
        ("How do Truss and Sunak differ on taxes over time?", "Truss, Sunak", "taxes over time"),
        ("Compare the populations of Oxford and Cambridge", "Oxford, Cambridge", "populations"),
        ("Compare Musk's and Zuckerberg's apologies", "Musk, Zuckerberg", "apologies"),
        ("Compare Truss, Johnson and May on Brexit", "Truss, Johnson, May", "Brexit"),
        ("What do Musk and Zuckerberg say about layoffs?", "Musk, Zuckerberg", "layoffs"),
        ("Twitter vs Meta: layoffs", "Twitter, Meta", "layoffs"),
        ("Compare the coverage before and after May on inflation", "Before May, After May", "inflation"),
        ("Compare the death toll in May and June 2022", "May 2022, June 2022", "the death toll"),
        ("Compare inflation in 2021 and 2022", "2021, 2022", "inflation"),
        ("Compare CNN", "CNN", ""),
    ],
)
def test_a_question_names_its_sides_and_their_subject(question: str, names: str, subject: str) -> None:
    found = read(question)
    assert ", ".join(one.name for one in found.named) == names
    assert found.subject.removeprefix("the ") == subject.removeprefix("the ")


@pytest.mark.parametrize(
    ("question", "subject"),
    [
        ("What did different outlets say about why she resigned?", "why she resigned"),
        ("How was the resignation reported in different outlets?", "resignation"),
        ("Where do the articles disagree about the death toll?", "death toll"),
        ("How do newspapers differ on how many people died?", "how many people died"),
        ("Compare CNN with the other outlets on layoffs", "layoffs"),
    ],
)
def test_outlets_that_are_not_named_are_all_that_speak_of_the_subject(question: str, subject: str) -> None:
    found = read(question)
    assert (found.named, found.is_any_outlet, found.subject.removeprefix("the ")) == ((), True, subject)


def test_a_month_without_a_year_is_the_last_one() -> None:
    before, after = read("Compare the coverage before and after May on inflation").named
    assert (before.only.before, after.only.after) == ("2022-05-01", "2022-05-31")
    assert read("Compare inflation in November and December").named[1].only.before == "2022-01-01"


def test_a_follow_up_keeps_the_sides_or_the_subject() -> None:
    asked = "Compare CNN and USA Today on the price"
    delay = read("and on the delay?", asked)
    assert ([one.name for one in delay.named], delay.subject) == (["CNN", "USA Today"], "the delay")
    more = read("And the BBC?", asked)
    assert ([one.name for one in more.named], more.subject) == (["CNN", "USA Today", "BBC"], "the price")


def test_a_hostile_question_takes_no_time() -> None:
    for text in (
        "Compare " + "A and " * 330,
        "Compare " + "CNN of " * 280,
        "how " + "vs " * 600,
        "what do " + "say " * 400,
    ):
        read(text)


def test_each_outlet_is_quoted_from_its_own_articles(index: Index) -> None:
    *rows, answer = engine(index).stream(WHY, kind="comparison")
    assert isinstance(answer, Answer)
    assert {row.section.heading for row in rows if isinstance(row, Row)} == {one.heading for one in answer.sections}
    found = {section.heading: section for section in answer.sections}
    assert set(found) == {"CNN · 20 October 2022", "USA Today · 21 October 2022", "BBC · 2 November 2022"}
    for heading, section in found.items():
        (claim,) = section.claims
        (quote,) = claim.citations
        assert claim.verbatim
        assert heading.startswith(quote.source or "?")
        assert index.article(quote.article_id).text[quote.start : quote.end] == quote.quote
    assert "READ MORE" not in answer.text
    assert found["BBC · 2 November 2022"].date == "2022-11-02"
    assert answer.lead.startswith("What ")
    assert "Only CNN gives 20 October 2022" in answer.lead
    assert Answer.from_dict(json.loads(json.dumps(answer.to_dict()))).sections == tuple(answer.sections) or answer.text


def test_no_more_sides_than_asked_for(index: Index) -> None:
    assert len(compared(index, WHY, limit=2).sections) == 2


def test_what_both_say_and_what_only_one_says_is_in_the_lead(index: Index) -> None:
    answer = compared(index, "Compare CNN and USA Today on the days in office")
    assert "Both quotes give 45 days." in answer.lead
    assert "only" not in answer.lead.split("Both")[0]


def test_things_are_compared_in_passages_that_name_them(index: Index) -> None:
    answer = compared(index, "Compare Oxford and Cambridge on fees")
    assert [section.text for section in answer.sections] == [
        "Oxford · Sputnik\nOxford takes fees of 9,250 pounds a year.",
        "Cambridge · Sputnik\nCambridge takes fees of 9,000 pounds.",
    ]


def test_periods_are_compared_by_the_date_of_publication(index: Index) -> None:
    answer = compared(index, "Compare October and November 2022 on why Truss resigned")
    assert [section.date and section.date[:7] for section in answer.sections] == ["2022-10", "2022-11"]


def test_a_silent_side_is_named_as_silent(index: Index) -> None:
    answer = compared(index, "Compare CNN and the BBC on the price of gas")
    assert answer.sections[1].heading == "BBC: I found nothing about this."
    assert (answer.sections[1].claims, answer.refused) == ((), False)
    assert answer.lead == "I found something about the price of gas only for CNN."
    unknown = compared(index, "Compare CNN and The Daily Bugle on the price of gas")
    assert unknown.sections[1].heading == "Daily Bugle: there is no such outlet here."


@pytest.mark.parametrize(
    ("question", "reason", "text"),
    [
        ("Compare CNN", Reason.UNCLEAR, "CNN is one side. A comparison needs two"),
        ("Compare Oxford", Reason.UNCLEAR, "A comparison needs two"),
        ("Compare CNN and the BBC", Reason.UNCLEAR, "Say on what"),
        ("Compare CNN and the BBC on volcanoes", Reason.NOTHING_RELEVANT, "nothing about volcanoes for CNN and BBC."),
        ("What did different outlets say about volcanoes?", Reason.NOTHING_RELEVANT, "nothing about volcanoes."),
        ("Compare The Bugle and The Gazette in CNN", Reason.NOTHING_RELEVANT, "nothing about"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_the_reason(
    index: Index, question: str, reason: Reason, text: str
) -> None:
    answer = compared(index, question)
    assert (answer.refused, answer.reason) == (True, reason)
    assert text in answer.text


def test_a_filter_holds_for_every_side(index: Index) -> None:
    answer = compared(index, f"{WHY} before:2022-10-21")
    assert [section.heading for section in answer.sections] == ["CNN · 20 October 2022"]
    answer = compared(index, "Compare CNN and the BBC on why Truss resigned source:cnn")
    assert answer.sections[1].heading == "BBC: I found nothing about this."


def test_the_real_embedder_finds_what_is_said_in_other_words(tmp_path: Path, real_embedder: SentenceEmbedder) -> None:
    with Index.open(tmp_path / "real", embedder=real_embedder) as index:
        index.add((CNN, USA, BBC, FEES))
        answer = compared(index, "What did different outlets say about why she resigned?")
        quotes = {one.source: one.quote for one in answer.citations}
        assert set(quotes) == {"CNN", "USA Today", "BBC"}
        assert "could not deliver" in quotes["USA Today"]
        assert "lost her party" in quotes["BBC"]
        assert compared(index, "Compare CNN and the BBC on volcanoes").refused


def test_numbers_of_one_thing_stand_beside_each_other(tmp_path: Path) -> None:
    texts = {
        "Post": "Employers of Zorb cut 159,000 jobs in the harbor crisis. It rained.",
        "Bugle": "In the harbor crisis the employers of Zorb cut 240,000 jobs. It snowed.",
        "Star": "The largest fair in 11 years was opened in the harbor of Norria by a clown.",
    }
    with Index.open(tmp_path, embedder=BagOfWordsEmbedder()) as index:
        index.add([Article(name, text, name, name, published="2022-10-19") for name, text in texts.items()])
        answer = compared(index, "What did different outlets say about jobs cut in the harbor crisis?")
    lead = answer.lead
    assert "The numbers differ: " in lead
    assert "Post 159,000 jobs" in lead
    assert "Bugle 240,000 jobs" in lead
    assert "Star" not in lead


def test_only_what_no_other_quote_has_in_any_words_is_said_to_be_of_one(tmp_path: Path) -> None:
    texts = {
        "m": "The yacht race from Melbourne to Hobart was won 3-0 by Ida, Mr Lund wrote.",
        "s": "Storms hit the yacht race from Sydney to the Hobart Yacht Club, Mr Lund of Bergen wrote.",
    }
    with Index.open(tmp_path / "home", embedder=BagOfWordsEmbedder()) as index:
        index.add(Article(name, text, source="Sun") for name, text in texts.items())
        lead = engine(index).ask("Compare Melbourne and Sydney on the yacht race and Lund", kind="comparison").lead
    assert "names Hobart" not in lead
    assert "names Mr" not in lead
    assert "gives 0" not in lead
    assert "names Ida" in lead


def test_months_are_compared_where_no_article_has_a_date_or_one_has_a_date_that_is_none(tmp_path: Path) -> None:
    for published in (None, "9999-12-31"):
        with Index.open(tmp_path / str(published), embedder=BagOfWordsEmbedder()) as index:
            index.add([Article("gas", "The price of gas rose in the city.", published=published)])
            assert index.last_published() is None
            answer = Engine.open(index=index, llm=ScriptedLLM()).ask("Compare May and June on gas", kind="comparison")
            assert answer.refused
            assert "I found nothing about gas for May and June" in answer.text
            for kind, question in (("summary", "What is new since Monday?"), ("timeline", "Timeline of the gas price")):
                assert Engine.open(index=index, llm=ScriptedLLM()).ask(question, kind=kind).kind == kind
