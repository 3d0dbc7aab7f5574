"""What kind of thing a question asks for, and answers that have none or only repeat the question."""

from __future__ import annotations

import pytest

from rag.grounding.answer_type import asks_when, lacks_value, only_repeats


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("How old is he?", "He says that more money is needed."),
        ("And how many were saved?", "The ferry sank off Vell."),
        ("What share of the votes did Ada Quill get?", "Ada Quill got more votes than Bo Lund."),
        ("when was that?", "The works lowered its prices."),
        ("In which year did it open?", "It was opened by Ada Quill."),
    ],
)
def test_a_number_or_a_time_that_is_asked_for_is_missed(question: str, text: str) -> None:
    assert lacks_value(question, [text])


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("How old is he?", "Lund, 75, lives in Vell."),
        ("How many were saved?", "Forty men were saved."),
        ("How many were saved?", "Nobody was saved."),
        ("How many were saved?", "Most of the crew were saved."),
        ("When was that?", "It was in August 2017."),
        ("When was that?", "It was on a Tuesday morning."),
        ("When the ferry sank, who was on board?", "Ada Quill was on board."),
        ("How did Ada Quill win when it rained?", "She went by boat."),
        ("Who was saved?", "The crew was saved."),
        ("Wann war das?", "Nach dem Sturm."),
    ],
)
def test_what_has_one_or_is_asked_for_none_misses_nothing(question: str, text: str) -> None:
    assert not lacks_value(question, [text])


def test_when_within_a_question_mostly_begins_a_clause() -> None:
    assert asks_when("and when did it open")
    assert asks_when("the bridge opened when?")
    assert not asks_when("Who opened the bridge when it rained?")


def test_a_claim_of_no_more_than_its_question_answers_nothing() -> None:
    question = "What is the name of the judge who kept Ada Quill in prison?"
    assert only_repeats(question, ["The judge who kept Ada Quill in prison is Ada Quill."])
    assert not only_repeats(question, ["The judge who kept Ada Quill in prison is Bo Lund."])
    assert not only_repeats(question, [])


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("Who won the final between Vell and Zorb?", "Zorb won the final."),
        ("Which is older, the bridge or the tower?", "The bridge is older."),
        ("Did Ada Quill keep her promise?", "Ada Quill kept her promise."),
    ],
)
def test_one_of_two_that_a_question_names_and_a_yes_are_answers(question: str, text: str) -> None:
    assert not only_repeats(question, [text])
