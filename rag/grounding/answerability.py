"""Answerability: what speaks for a draft → whether to give it as an answer. Pure; knows no model.

A passage can speak of the very thing that is asked and not say it: most questions that must be refused are of this
kind, and words and vectors hardly tell them. The model can when it is asked again, with nothing but the cited passages
before it: can the question be answered, and is its own draft correct? An adapter makes it a better judge of both. A
logistic regression makes a probability of the two; `python -m benchmarks answerability` fits and measures it,
docs/experiments.md tells what was tried beside them.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from rag.grounding import calibrated

if TYPE_CHECKING:
    from collections.abc import Mapping

COEFFICIENTS = Path(__file__).with_name("answerability.json")
"""For each LLM that was measured: the weights of the signals and the bias ("bias")."""
ADAPTERS = Path(__file__).parents[1] / "adapters"
"""For some LLMs a low-rank adapter (LoRA, Hu et al., arXiv 2106.09685) that makes them better judges, as GGUF."""

TRUSTED = 0.8
"""Least probability with which the words of a draft are left to stand alone: from here on more than nine of ten hold
what SQuAD expects, below two of three, and the quotes they rest on four of five (docs/experiments.md)."""


UNMEASURED_MOST = 0.75
"""Highest probability of a draft by a model that was asked but not measured: below TRUSTED, so that its words never
stand without their quotes."""


@dataclass(frozen=True, slots=True)
class Signals:
    """What speaks for a draft; None where the model was not asked.

    `correct` are the log-odds (natural logarithm) that the model takes its draft for correct, `answerable` those that
    it takes the question for one that the cited passages answer. `support` is that of the best claim
    (support.py), `covered` the share of the question's weighted words that the best quote has.
    """

    correct: float | None = None
    answerable: float | None = None
    support: float | None = None
    covered: float | None = None

    def to_dict(self) -> dict[str, float]:
        """Those that are known."""
        return {name: round(value, 4) for name, value in asdict(self).items() if value is not None}


def is_measured(model: str) -> bool:
    """Whether there are coefficients for a model. The opinion of a small model without them is not worth the asking."""
    return _weights(model) is not None


def comes_measured(model: str) -> bool:
    """Whether the coefficients for a model come with Citewire."""
    return model in _coefficients()


def adapter(model: str) -> Path | None:
    """What a model of models.txt is to judge with."""
    path = ADAPTERS / f"{model}.gguf"
    return path if path.exists() else None


def probability(signals: Signals, model: str) -> float:
    """How likely the passages say what the draft says, in [0, 1]; 1 for a model that was not asked.

    Calibrated where half of the questions cannot be answered. A model that was asked but not measured is believed no
    more than the less likely of its two opinions, and at most UNMEASURED_MOST.
    """
    known = {"bias": 1.0, **signals.to_dict()}
    weights = _weights(model)
    if weights is None and signals.correct is not None and signals.answerable is not None:
        return min(UNMEASURED_MOST, _logistic(min(signals.correct, signals.answerable)))
    if weights is None or not weights.keys() <= known.keys():
        return 1.0
    return _logistic(sum(weight * known[name] for name, weight in weights.items()))


def is_doubtful(signals: Signals, model: str, caution: float) -> bool:
    """Whether to refuse: the draft is less likely right than `caution` asks for."""
    return probability(signals, model) < caution


def _weights(model: str) -> Mapping[str, float] | None:
    """The coefficients for a model: those that come with Citewire, else those that `citewire models calibrate` kept."""
    return _coefficients().get(model) or calibrated.weights(model)


def _logistic(odds: float) -> float:
    return 1 / (1 + math.exp(-max(-700.0, min(700.0, odds))))


@cache
def _coefficients() -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = json.loads(COEFFICIENTS.read_text(encoding="utf-8"))
    return found
