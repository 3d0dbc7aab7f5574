"""Follow-ups: what is searched for."""

from __future__ import annotations

import pytest

from rag.answer import Turn
from rag.question import leans_on_history, subject_names, understand

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
    follow_up = understand(question, [BROWN])
    assert follow_up.rewordings == (f"{BROWN.question} {question}",)
    assert (follow_up.text, follow_up.context) == (question, BROWN.question)
    assert follow_up.full == f"{BROWN.question} {question}"
    assert understand(question).full == question


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
    found = understand(question, [BROWN])
    assert found.full == found.text == question
    assert found.context == BROWN.question


def test_a_chain_of_follow_ups_reaches_the_question_that_names_the_subject() -> None:
    history = [Turn("Who rules France?", "A king."), BROWN, Turn("And about Japan?", "Japan is an ally.")]
    found = understand("Why does he think so?", history)
    assert found.full == f"{BROWN.question} And about Japan? Why does he think so?"
    assert "France" not in found.context


def test_a_chain_ends_at_a_question_that_stands_alone() -> None:
    found = understand("Why?", [BROWN, Turn("Who won the 2018 World Cup?", "France.")])
    assert found.full == "Who won the 2018 World Cup? Why?"


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
    found = [part.text for part in understand(question).parts()]
    assert len(found) == number
    assert all(part.endswith("?") for part in found) or found == [question]


@pytest.mark.parametrize("question", ["What about it?", "And then?", "Who is he?"])
def test_a_question_about_nothing_is_unclear_unless_something_was_said_before(question: str) -> None:
    assert not understand(question).is_clear
    assert understand(question, [Turn("Who built the bridge?", "Anna Lund.")]).is_clear
    assert understand("Who built the bridge?").is_clear


def test_operators_hold_for_every_part_and_stand_in_none() -> None:
    whole = understand("When was the bridge built, and who paid for it? in:2018 source:post")
    parts = whole.parts()
    assert [part.text for part in parts] == ["When was the bridge built?", "who paid for it?"]
    assert {part.only for part in parts} == {whole.only}
    assert parts[1].full == "When was the bridge built? who paid for it?"


def test_operators_of_earlier_questions_do_not_hold() -> None:
    after = understand("And why?", [Turn("When was the bridge built? in:2018", "In 1998.")])
    assert not after.only
    assert after.full == "When was the bridge built? And why?"
    assert after.history[0].question == "When was the bridge built?"


@pytest.mark.parametrize(
    "question", ["What was he charged with?", "what was it", "And what did he say about it?", "Why?"]
)
def test_a_pronoun_stands_for_the_names_of_what_was_asked_and_answered(question: str) -> None:
    before = Turn("Who was arrested over Zorb Media?", "It was Ada Quill.")
    assert subject_names(understand(question, [before])) == {"Zorb", "Media", "Ada", "Quill"}


@pytest.mark.parametrize(
    "question", ["And what did Bo Lund say?", "And how many died when the ferry sank?", "Who owns the harbor bridge?"]
)
def test_a_question_with_a_subject_of_its_own_keeps_to_no_other(question: str) -> None:
    before = Turn("Who was arrested over Zorb Media?", "It was Ada Quill.")
    assert subject_names(understand(question, [before])) == frozenset()
