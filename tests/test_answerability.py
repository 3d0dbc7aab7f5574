"""Whether to give a draft as an answer."""

from __future__ import annotations

import pytest

from rag import answerability
from rag.answerability import Signals

MODEL = "qwen2.5-coder-1.5b"


def test_the_surer_the_model_the_likelier() -> None:
    likely = [answerability.probability(Signals(odds), MODEL) for odds in (-4.0, -1.0, 0.0, 1.0, 4.0)]
    assert likely == sorted(likely)
    assert 0 < likely[0] < 0.1
    assert 0.9 < likely[-1] < 1


def test_more_caution_refuses_more() -> None:
    refused = [answerability.is_doubtful(Signals(0.7), MODEL, caution / 10) for caution in range(11)]
    assert refused == sorted(refused)
    assert (refused[0], refused[-1]) == (False, True)


def test_a_quote_with_every_word_of_the_question_needs_half_as_much() -> None:
    doubted = Signals(0.0, covered=0.5)
    assert answerability.is_doubtful(doubted, MODEL, 0.4)
    assert not answerability.is_doubtful(Signals(0.0, covered=1.0), MODEL, 0.4)


@pytest.mark.parametrize("signals", [Signals(), Signals(support=0.9)])
def test_without_a_second_look_nothing_is_refused(signals: Signals) -> None:
    assert not answerability.is_doubtful(signals, MODEL, 1.0)


def test_a_model_that_was_not_measured_is_not_judged() -> None:
    assert not answerability.is_measured("some-other")
    assert answerability.probability(Signals(-9.0), "some-other") == 1.0
