"""Follow-ups: what is searched for."""

from __future__ import annotations

import pytest

from rag.answer import Turn
from rag.query import leans_on_history, search_text

BROWN = Turn("What did Dr James Brown say about cooperation?", "It can only go so far.")


@pytest.mark.parametrize(
    "question",
    [
        "And what did he say about Japan's alliance?",
        "Why?",
        "What about China?",
        "When was it signed?",
        "Who else?",
    ],
)
def test_a_question_that_leans_is_searched_with_what_it_leans_on(question: str) -> None:
    assert leans_on_history(question)
    assert search_text(question, [BROWN]) == f"{BROWN.question} {question}"
    assert search_text(question) == question


@pytest.mark.parametrize(
    "question",
    [
        "What is the population of Tokyo?",
        "Who won the 2018 football World Cup?",
        "What did Abe say that Putin denied?",
    ],
)
def test_a_question_that_stands_alone_is_searched_alone(question: str) -> None:
    assert search_text(question, [BROWN]) == question


def test_a_chain_of_follow_ups_reaches_the_question_that_names_the_subject() -> None:
    history = [BROWN, Turn("And about Japan?", "Japan is an ally.")]
    searched = search_text("Why does he think so?", history)
    assert searched == f"{BROWN.question} And about Japan? Why does he think so?"
