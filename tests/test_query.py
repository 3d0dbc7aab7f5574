"""Follow-ups: what is searched for."""

from __future__ import annotations

import pytest

from rag.answer import Turn
from rag.query import Query, leans_on_history, understand

BROWN = Turn("What did Dr James Brown say about cooperation?", "It can only go so far.")


@pytest.mark.parametrize(
    "question",
    [
        "And what did he say about Japan's alliance?",
        "Why?",
        "What about China?",
        "When was it signed?",
        "Who else?",
        "When did that happen?",
        "What does their treaty say?",
        "Who lives there now?",
    ],
)
def test_a_question_that_leans_is_reworded_with_what_it_leans_on(question: str) -> None:
    assert leans_on_history(question)
    query = understand(question, [BROWN])
    assert query == Query(question, (f"{BROWN.question} {question}",), BROWN.question)
    assert query.full == f"{BROWN.question} {question}"
    assert understand(question) == Query(question)


@pytest.mark.parametrize(
    "question",
    [
        "What is the population of Tokyo?",
        "Who won the 2018 football World Cup?",
        "What did Abe say that Putin denied?",
        "Which treaty that ended the war did Japan sign?",
        "Is there a ferry to Helsinki?",
        "When did Japan sign its treaty with Russia?",
        "Why did Moscow reject the treaty?",
    ],
)
def test_a_question_that_stands_alone_keeps_its_words(question: str) -> None:
    query = understand(question, [BROWN])
    assert query.full == query.text == question
    assert query.context == BROWN.question


def test_a_chain_of_follow_ups_reaches_the_question_that_names_the_subject() -> None:
    history = [Turn("Who rules France?", "A king."), BROWN, Turn("And about Japan?", "Japan is an ally.")]
    query = understand("Why does he think so?", history)
    assert query.full == f"{BROWN.question} And about Japan? Why does he think so?"
    assert "France" not in query.context


def test_a_chain_ends_at_a_question_that_stands_alone() -> None:
    query = understand("Why?", [BROWN, Turn("Who won the 2018 World Cup?", "France.")])
    assert query.full == "Who won the 2018 World Cup? Why?"
