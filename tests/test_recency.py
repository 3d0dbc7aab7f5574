"""Questions about now: answered from the newest articles, with the day that the answer is of."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from index import Article, Index
from index.article import Span
from index.hit import Hit
from rag import Answer, Engine, Settings, recency
from rag.answer import Citation, Claim
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


def test_a_question_about_now_is_first_asked_of_the_newest_articles_alone(index: Index) -> None:
    llm = ScriptedLLM(NEW)
    Engine.open(index=index, llm=llm, settings=Settings()).ask(ASKED)
    (prompt,) = [one for one in llm.prompts if not one.task]
    assert [NEW in passage for passage in prompt.passages] == [True]


def test_the_older_articles_are_read_too_where_the_newest_do_not_tell(index: Index) -> None:
    llm = ScriptedLLM("The articles do not say.", "She took office in spring.")
    answer = Engine.open(index=index, llm=llm, settings=Settings()).ask("Has the prime minister of Zorb taken office?")
    assert answer.text == "As of 1 May 2021, which is 17 months ago: She took office in spring. " + (
        "Sun reported later, on 3 October 2022: “He took office in autumn.”"
    )
    assert [claim.citations[0].number for claim in answer.claims] == [1, 2]
    assert [len(one.passages) for one in llm.prompts if not one.task] == [1, 3]


def test_a_recent_passage_is_found_behind_many_older_ones(index: Index) -> None:
    index.add(
        Article(f"older{day}", f"{OLD} She spoke on day {day} of the prime minister of Zorb.", "Zorb", "Post",
                published=f"2021-06-{day:02}")
        for day in range(1, 29)
    )  # fmt: skip
    answer = asked(index, ASKED, NEW)
    assert answer.sources[0].hit.article.id == "new"
    assert answer.text == f"As of 3 October 2022: {NEW}"


def test_an_answer_without_a_dated_quote_and_other_questions_are_as_they_were(index: Index) -> None:
    drafted = "The prime minister of Zorb is chosen by the harbor council."
    assert asked(index, "How is the prime minister of Zorb currently chosen?", drafted).text == drafted
    assert asked(index, "Who was the prime minister of Zorb in 2021?", OLD).text == OLD


@pytest.mark.parametrize(
    ("draft", "quote"),
    [
        ("Mayor Ian Pell.", "Mayor Ian Pell of Zorb resigned on Thursday."),
        ("Jo Bern is the mayor of Zorb.", "The council of Zorb dismissed mayor Jo Bern on Monday."),
        ("Jo Bern.", "Jo Bern was voted out as mayor of Zorb."),
        ("The mayor is Jo Bern.", "Former mayor Jo Bern opened the museum of Zorb."),
    ],
)
def test_who_left_an_office_is_not_said_to_have_it(index: Index, draft: str, quote: str) -> None:
    index.add([Article("mayor", f"{quote} It rained.", "Mayor", "Post", published="2022-10-19")])
    answer = asked(index, "Who is the mayor of Zorb?", draft)
    assert answer.text == f"As of 19 October 2022: {quote}"
    assert answer.claims[0].verbatim


@pytest.mark.parametrize(
    ("draft", "quote"),
    [
        ("Smith is the mayor.", "Mayor Smith dismissed Jones in Zorb."),
        ("Smith is the mayor.", "Jones was dismissed by mayor Smith of Zorb."),
        ("Bo Lund is the mayor.", "Bo Lund replaced mayor Ada Quill of Zorb, who resigned."),
    ],
)
def test_who_is_named_beside_one_who_left_still_has_the_office(index: Index, draft: str, quote: str) -> None:
    index.add([Article("mayor", f"{quote} It rained.", "Mayor", "Post", published="2022-10-19")])
    assert draft.rstrip(".") in asked(index, "Who is the mayor of Zorb?", draft).text


def test_a_year_of_the_question_may_be_that_of_the_article(index: Index) -> None:
    index.add(
        [
            Article("now", "Marta Voss won the Brell Open on Sunday.", "Brell", "Post", published="2022-07-10"),
            Article("then", "Lena Roth had won the Brell Cup three times.", "Brell", "Post", published="2022-07-10"),
        ]
    )
    answer = asked(index, "Who won the Brell Open in 2022?", "Marta Voss won the Brell Open in 2022.")
    assert answer.claims[0].supported
    assert asked(index, "Who won the Brell Cup in 2022?", "Lena Roth won the Brell Cup in 2022.").refused


def test_an_answer_of_a_few_words_says_who_reported_it_and_when(index: Index) -> None:
    answer = asked(index, "In which season did Bo Lund take office in Zorb?", "In autumn.")
    assert answer.text == "In autumn, Sun reported on 3 October 2022."
    assert answer.claims[0].citations[0].article_id == "new"
    answer = asked(index, ASKED, "Bo Lund")
    assert answer.text == "As of 3 October 2022: Bo Lund, Sun reported."


@pytest.mark.parametrize(
    ("question", "is_now"),
    [
        ("What happened recently in Zorb?", True),
        ("Who is the prime minister?", True),
        ("What's the latest on the strike?", True),
        ("who's prime minister of Zorb", True),
        ("Who leads the party?", True),
        ("Which party governs Zorb?", True),
        ("What is Ada Quill's present role?", True),
        ("Has Ada Quill resigned?", True),
        ("Is the bridge open?", True),
        ("How many have died?", True),
        ("Any news on the strike?", True),
        ("Where is she being held?", True),
        ("What has the council built?", True),
        ("How many have been found to date?", True),
        ("What is the state of the bridge?", True),
        ("What is the role of Bo Lund in the council?", True),
        ("What is the role of the kidneys?", False),
        ("What is not a condition that causes it?", False),
        ("Is a whale a fish?", False),
        ("Is Rollo the first ruler of Zorb?", False),
        ("How many have children?", False),
        ("Who would have been elected?", False),
        ("Who is seen as the first ruler of Zorb?", False),
        ("Which writer is believed to have lived there?", False),
        ("How are isotopes used to date rocks?", False),
        ("Who is Ada Quill?", False),
        ("Who founded the party?", False),
        ("Who does the law protect?", False),
        ("Is there a bridge in Zorb?", False),
        ("How many died?", False),
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


@pytest.mark.parametrize(
    ("question", "quote", "is_answer"),
    [
        ("Who resigned from the harbor board this week?", "Ian Pell resigned from the harbor board in July.", False),
        ("Who resigned from the harbor board this week?", "Ian Pell resigned from the harbor board on Tuesday.", True),
        (
            "Who resigned from the harbor board in October 2022?",
            "Ian Pell resigned from the harbor board in July.",
            False,
        ),
        ("When did Pell resign from the harbor board?", "Ian Pell resigned from the harbor board in July.", True),
    ],
)
def test_what_happened_at_another_time_than_is_asked_about_is_no_answer(
    index: Index, question: str, quote: str, is_answer: bool
) -> None:
    index.add([Article("council", f"{quote} It rained.", "Council", "Post", published="2022-10-20")])
    assert asked(index, question, quote).refused != is_answer


def test_an_answer_to_when_that_names_no_time_gives_the_day_of_the_report(index: Index) -> None:
    index.add(
        [Article("bridge", "The harbor bridge of Zorb opens after a storm.", "Zorb", "Post", published="2021-06-02")]
    )
    answer = asked(index, "When did the harbor bridge of Zorb open?", "The harbor bridge of Zorb opens after a storm.")
    assert answer.text == "The harbor bridge of Zorb opens after a storm. Post reported this on 2 June 2021."
    assert [claim.citations[0].article_id for claim in answer.claims] == ["bridge", "bridge"]


@pytest.mark.parametrize(
    ("question", "draft"),
    [
        ("When did the harbor bridge of Zorb open?", "The harbor bridge of Zorb opens in May 2021 after a storm."),
        ("Who opened the harbor bridge of Zorb when it rained?", "Ada Quill opens the harbor bridge of Zorb."),
        ("When the harbor bridge opened, who was there?", "Ada Quill was at the harbor bridge of Zorb."),
    ],
)
def test_an_answer_that_names_a_time_or_is_asked_for_none_gets_no_day(question: str, draft: str) -> None:
    quote = Citation(1, Article("a", draft, source="Post", published="2021-06-02"), 0, len(draft))
    claim = Claim(draft, 0, len(draft), (quote,), 1.0, supported=True)
    assert recency.day_of_report(question, (claim,)) == ()


def test_hasty_wordings_ask_when_as_well() -> None:
    text = "The harbor bridge opens."
    quote = Citation(1, Article("a", text, published="2021-06-02"), 0, len(text))
    claim = Claim(text, 0, len(text), (quote,), 1.0, supported=True)
    for question in (
        "bridge opened when?",
        "and when was that",
        "what day did the bridge open",
        "How long ago was it?",
    ):
        (added,) = recency.day_of_report(question, (claim,))
        assert added.text == "This was reported on 2 June 2021."


def test_a_few_words_of_an_article_without_a_date_name_their_outlet(index: Index) -> None:
    index.add([Article("toll", "The toll of the harbor bridge is 15 crowns.", "Zorb", "Post")])
    answer = asked(index, "How high is the toll of the harbor bridge of Zorb source:post", "15 crowns.")
    assert answer.text.endswith("15 crowns, Post reported.")


@pytest.mark.parametrize(("text", "is_dated"), [("It opens later this year.", True), ("It rains.", False)])
def test_what_may_be_no_answer_is_dated_only_where_its_time_is_reckoned_from_the_day(text: str, is_dated: bool) -> None:
    quote = Citation(1, Article("a", text, published="2021-06-02"), 0, len(text))
    claim = Claim(text, 0, len(text), (quote,), 0.5, supported=True)
    assert bool(recency.day_of_report("When does it open?", (claim,), sure=False)) == is_dated
    assert recency.day_of_report("When does it open?", (claim,))
