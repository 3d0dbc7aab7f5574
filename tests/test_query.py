"""Follow-ups: what is searched for."""

from __future__ import annotations

import pytest

from rag.answer import Turn
from rag.query import Query, leans_on_history, parts, unclear, understand

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


@pytest.mark.parametrize(
    ("question", "number"),
    [
        ("When was the bridge built?", 1),
        ("When was the bridge built, and who paid for it?", 2),
        ("When was the bridge built and how much did it cost?", 2),
        ("Who built the bridge? Who paid for the tunnel? When were both closed?", 3),
        ("What did Russia and Japan agree?", 1),
        ("Russia and who signed the treaty?", 1),
        ("What happened in Rome and when it rained?", 2),
        ("Tell me of the bridge and who built it.", 1),
        ("Why? When was the bridge built?", 1),
        ("Who? What? When? Where? Why was it built? How?", 1),
    ],
)
def test_a_question_that_asks_several_things_is_taken_apart(question: str, number: int) -> None:
    found = parts(question)
    assert len(found) == number
    assert all(part.endswith("?") for part in found) or found == (question,)


@pytest.mark.parametrize("question", ["What about it?", "And then?", "Who is he?"])
def test_a_question_about_nothing_is_unclear_unless_something_was_said_before(question: str) -> None:
    assert unclear(question)
    assert not unclear(question, [Turn("Who built the bridge?", "Anna Lund.")])
    assert not unclear("Who built the bridge?")
