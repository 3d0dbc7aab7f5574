"""Whether to give a draft as an answer."""

from __future__ import annotations

import pytest

from rag.grounding import answerability
from rag.grounding.answerability import Signals

MODEL = "qwen2.5-coder-1.5b"


def told(odds: float) -> Signals:
    """Both opinions alike."""
    return Signals(correct=odds, answerable=odds, support=0.9)


def test_the_surer_the_model_the_likelier() -> None:
    likely = [answerability.probability(told(odds), MODEL) for odds in (-12.0, -4.0, 0.0, 4.0, 12.0)]
    assert likely == sorted(likely)
    assert 0 < likely[0] < 0.1
    assert 0.9 < likely[-1] < 1


def test_more_caution_refuses_more() -> None:
    refused = [answerability.is_doubtful(told(0.7), MODEL, caution / 10) for caution in range(11)]
    assert refused == sorted(refused)
    assert (refused[0], refused[-1]) == (False, True)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Signals(1.0, 0.0, support=0.9), Signals(1.0, 2.0, support=0.9)),
        (Signals(0.0, 1.0, support=0.9), Signals(2.0, 1.0, support=0.9)),
    ],
)
def test_either_opinion_counts(one: Signals, other: Signals) -> None:
    assert answerability.probability(one, MODEL) < answerability.probability(other, MODEL)


@pytest.mark.parametrize("signals", [Signals(), Signals(support=0.9), Signals(correct=-9.0), Signals(answerable=-9.0)])
def test_without_a_second_look_nothing_is_refused(signals: Signals) -> None:
    assert not answerability.is_doubtful(signals, MODEL, 1.0)


def test_a_model_that_was_not_measured_is_believed_where_it_was_not_asked() -> None:
    assert not answerability.is_measured("some-other")
    assert answerability.probability(Signals(), "some-other") == 1.0


def test_a_model_that_was_asked_but_not_measured_is_believed_no_more_than_its_least_opinion() -> None:
    assert answerability.probability(Signals(correct=9.0, answerable=-2.0), "some-other") < 0.2
    assert answerability.probability(Signals(correct=-2.0, answerable=9.0), "some-other") < 0.2
    assert answerability.probability(Signals(correct=9.0, answerable=9.0), "some-other") < answerability.TRUSTED
