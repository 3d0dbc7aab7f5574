"""Answerability: what speaks for an answer → whether to give it. Pure; knows no model.

A passage can speak of the very thing that is asked and not say it: most questions that must be refused are of this
kind, and words and vectors hardly tell them. What does, together: how much likelier the passages make the question
(people ask of what they read; a question with a wrong name or a turned fact comes as a surprise), how well the best
passage fits, and whether the model, asked again, takes its own draft for correct. Two logistic regressions join
them, one for before and one for after a draft is written; `python -m benchmarks answerability` fits and measures them.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

COEFFICIENTS = Path(__file__).with_name("answerability.json")
"""For each LLM that was measured: the weights of the signals and the bias ("bias"), before and after a draft."""
EARLY = 0.4
"""Share of the caution's threshold under which no draft is written: it is sure enough, and saves the time."""


@dataclass(frozen=True, slots=True)
class Signals:
    """What speaks for an answer; None where the model was not asked.

    `score` is the best hit's, see index.search.Hit. `gain` is how much likelier the passages make the question
    (rag.llm.LLM.gain), `correct` the log-odds that the model takes its draft for correct, with only the cited
    passages before it, `support` that of the best claim.
    """

    score: float | None = None
    gain: float | None = None
    correct: float | None = None
    support: float | None = None

    def to_dict(self) -> dict[str, float]:
        """Those that are known."""
        return {name: round(value, 4) for name, value in asdict(self).items() if value is not None}


def is_measured(model: str) -> bool:
    """Whether there are coefficients for a model; the signals of others are not worth the asking."""
    return model in _coefficients()


def probability(signals: Signals, model: str) -> float:
    """How likely the passages answer the question, in [0, 1], by what is known; 1 for a model that was not measured."""
    weights = _coefficients().get(model, {}).get("before" if signals.correct is None else "after")
    if weights is None:
        return 1.0
    known = signals.to_dict()
    logit = weights["bias"] + sum(weight * known.get(name, 0.0) for name, weight in weights.items() if name != "bias")
    return 1 / (1 + math.exp(-logit))


def is_hopeless(signals: Signals, model: str, caution: float) -> bool:
    """Whether not even to draft an answer."""
    return probability(signals, model) < EARLY * caution


def is_doubtful(signals: Signals, model: str, caution: float) -> bool:
    """Whether to refuse after all."""
    return probability(signals, model) < caution


@cache
def _coefficients() -> dict[str, dict[str, dict[str, float]]]:
    found: dict[str, dict[str, dict[str, float]]] = json.loads(COEFFICIENTS.read_text(encoding="utf-8"))
    return found
