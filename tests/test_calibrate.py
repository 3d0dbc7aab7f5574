"""Calibration of a model that does not come measured: rag/calibrate.py and `citewire models calibrate`."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from index import InputError
from index.models import models_dir
from rag import Settings, calibrate
from rag.calibrate import Question, questions
from rag.grounding import answerability, calibrated
from rag.grounding.answerability import Signals
from tests.fakes import ScriptedLLM


@pytest.fixture(autouse=True)
def _own_models(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CITEWIRE_MODELS", str(tmp_path / "models"))


def sentence(question: Question) -> str:
    """A sentence of the text that holds the answer, or just one."""
    sentences = [f"{one.strip(' .')}." for one in question.article.text.split(". ")]
    return next((one for one in sentences if any(word in one for word in question.expected)), sentences[0])


def model(*, right: float = 4.0, wrong: float = -1.0) -> ScriptedLLM:
    """A model that answers all, and is so sure when it is right and when it is wrong."""
    asked = questions()
    odds = [value for one in asked for value in ((right, right) if one.expected else (wrong, wrong))]
    return ScriptedLLM(*map(sentence, asked), odds=odds)


def test_half_of_the_questions_have_no_answer_and_the_others_have_it_in_their_text() -> None:
    asked = questions()
    assert len(asked) == 40
    assert sum(not one.expected for one in asked) == 20
    for one in asked:
        assert not one.expected or any(word in one.article.text or word in ("two", "2") for word in one.expected)
    assert len({one.text for one in asked}) == 40


def test_what_is_found_out_is_kept_and_used() -> None:
    before = answerability.probability(Signals(correct=4.0, answerable=4.0), "scripted")
    assert not answerability.is_measured("scripted")
    done: list[tuple[int, int]] = []
    found = calibrate.calibrate(model(), Settings(), report=lambda *at: done.append(at))
    assert found is not None
    assert done[-1] == (40, 40)
    assert (found["questions"], found["right"]) == (40, 20)
    assert answerability.is_measured("scripted")
    assert answerability.probability(Signals(correct=4.0, answerable=4.0), "scripted") > max(0.8, before)
    assert answerability.probability(Signals(correct=-1.0, answerable=-1.0), "scripted") < 0.35
    assert found["caution"]["0.35"] == {"not answered": 0.0, "answered without an answer": 0.0}
    assert json.loads((models_dir() / "calibration.json").read_text(encoding="utf-8"))["scripted"] == found


def test_an_opinion_that_says_nothing_is_not_believed() -> None:
    calibrate.calibrate(model(right=5.0, wrong=5.0), Settings())
    likely = answerability.probability(Signals(correct=5.0, answerable=5.0), "scripted")
    assert 0.3 < likely < answerability.TRUSTED


def test_an_opinion_that_is_the_wrong_way_round_does_not_count() -> None:
    found = calibrate.calibrate(model(right=-2.0, wrong=3.0), Settings())
    assert found is not None
    assert min(found["weights"]["correct"], found["weights"]["answerable"]) >= 0


def test_a_model_that_answers_nothing_rightly_is_not_kept() -> None:
    with pytest.raises(InputError, match="0 right answers to 40 easy questions"):
        calibrate.calibrate(ScriptedLLM(*["The articles do not say."] * 40), Settings())
    assert not answerability.is_measured("scripted")


def test_a_cancelled_calibration_keeps_nothing() -> None:
    stop = threading.Event()

    def report(done: int, total: int) -> None:
        if done > 3:
            stop.set()

    found = calibrate.calibrate(model(), Settings(), cancel=stop, report=report)
    assert found is None
    assert not answerability.is_measured("scripted")


def test_a_model_that_comes_measured_is_left_as_it_is() -> None:
    llm = model()
    llm.name = "qwen2.5-coder-1.5b"
    with pytest.raises(InputError, match="comes measured"):
        calibrate.calibrate(llm, Settings())


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "7",
        "[" * 100_000,
        '{"scripted": 7}',
        '{"scripted": {"weights": {"correct": 1}}}',
        '{"scripted": {"weights": {"correct": "1", "answerable": 1, "bias": 1}}}',
        '{"scripted": {"weights": {"correct": NaN, "answerable": 1, "bias": 1}}}',
        '{"scripted": {"weights": {"correct": 1e9, "answerable": 1, "bias": 1}}}',
    ],
)
def test_a_damaged_file_counts_as_none_and_is_replaced(content: str) -> None:
    calibrated.path().parent.mkdir(parents=True)
    calibrated.path().write_text(content, encoding="utf-8")
    assert not answerability.is_measured("scripted")
    calibrate.calibrate(model(), Settings())
    assert answerability.is_measured("scripted")
