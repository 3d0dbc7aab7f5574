"""Questions by yes or no: what they ask the truth of, and the sentences by which the answer is no."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from index import Article, Index
from index.article import Span
from index.hit import Hit
from rag import Engine, Settings
from rag.answer import Source
from rag.grounding import cite, polar
from tests.fakes import BagOfWordsEmbedder, ScriptedLLM

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rag import Answer

CANNOT = "The articles do not say."
SAYS = "The ferry's owner says Bo Lund has not paid the toll."


def denied(question: str, *texts: str) -> list[str]:
    articles = [Article(f"a{number}", text) for number, text in enumerate(texts)]
    hits = [Hit(one, 0, len(one.text), 1.0, 0.6, 0.4, Span(0, len(one.text))) for one in articles]
    sources = [Source(number, hit) for number, hit in enumerate(hits, start=1)]
    return [quote.text for quote in polar.denials(question, list(cite.quotes(sources)))]


@pytest.mark.parametrize(
    "question",
    [
        "Who resigned?",
        "Did Ada Quill resign or was she dismissed?",
        "Do you know who resigned?",
        "Didn't Ada Quill resign?",
        "Did Ada Quill never resign?",
        "Hat Ada Quill ihr Amt niedergelegt?",
    ],
)
def test_what_asks_for_more_than_yes_or_no_is_no_statement(question: str) -> None:
    assert polar.statement(question) is None


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("Did the motion against Ada Quill succeed?", "The motion against Ada Quill failed on Friday."),
        ("Did Ada Quill testify in her own defence?", "Dr Quill has decided not to testify in her own defence."),
        ("and has the mayor of Zorb resigned", "The mayor of Zorb refused to resign."),
        ("Is the harbor bridge open?", "The harbor bridge is closed until spring."),
        ("Did the council approve the new budget?", "The council rejected the new budget, and went home."),
        ("Were there any survivors of the crash?", "There were no survivors of the crash."),
        ("Does Ada Quill have an account with the bank?", "Ada Quill doesn't have an account with the bank."),
        ("Will the ferry to Vell run?", "The ferry to Vell will not run on Sundays."),
    ],
)
def test_a_negation_or_an_antonym_answers_it(question: str, sentence: str) -> None:
    assert denied(question, sentence) == [sentence]


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("Did Ada Quill testify in her own defence?", "Bo Quill did not testify in his own defence."),
        ("Did Ada Quill visit Vell?", "Ada Quill did not visit Zorb."),
        ("Has the mayor of Zorb resigned?", "The mayor of Zorb may not have resigned."),
        ("Did the mayor of Zorb resign?", "If the mayor of Zorb does not resign, the council will."),
        ("Does the council decide external affairs?", "The council decides internal affairs."),
        ("Did 40 people survive the crash?", "30 people did not survive the crash."),
        ("Did the mayor of Zorb resign?", "The mayor of Zorb resigned."),
        ("Did the mayor of Zorb resign?", "Previously: Mayor of Zorb does not resign"),
    ],
)
def test_what_says_it_of_something_else_or_not_for_sure_does_not(question: str, sentence: str) -> None:
    assert denied(question, sentence) == []


def test_where_any_sentence_says_that_it_is_so_nothing_is_denied() -> None:
    no, yes = "The mayor of Zorb has not resigned.", "The mayor of Zorb resigned on Monday."
    assert denied("Did the mayor of Zorb resign?", no, yes) == []


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with Index.open(tmp_path / "home", embedder=BagOfWordsEmbedder()) as opened:
        opened.add(
            [
                Article("a", "The motion against Ada Quill failed.", "Zorb", "Post", published="2021-05-01"),
                Article(
                    "b", "The ferry's owner says Bo Lund has not paid the toll.", "Vell", "Sun", published="2021-06-01"
                ),
            ]
        )
        yield opened


def asked(index: Index, question: str, draft: str = CANNOT) -> Answer:
    return Engine.open(index=index, llm=ScriptedLLM(draft), settings=Settings()).ask(question)


def test_a_refused_question_is_answered_by_the_sentence_that_denies_it(index: Index) -> None:
    answer = asked(index, "Did the motion against Ada Quill succeed?")
    assert not answer.refused
    assert answer.text.startswith("No, Post reported on 1 May 2021.")
    assert [citation.quote for citation in answer.citations] == ["The motion against Ada Quill failed."]
    assert all(claim.supported for claim in answer.claims)
    assert answer.turn.answer == "No, Post reported on 1 May 2021."


def test_what_is_only_reported_is_quoted_without_a_no(index: Index) -> None:
    answer = asked(index, "Had Bo Lund paid the toll?")
    assert answer.text == f"Sun reported on 1 June 2021: “{SAYS}”"
    assert answer.claims[0].verbatim


def test_what_nothing_denies_stays_refused(index: Index) -> None:
    assert asked(index, "Did the motion against Bo Lund succeed?").refused
    assert asked(index, "Who moved against Ada Quill?").refused
