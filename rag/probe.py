"""Probe: what a model holds inside it of a question → whether the passages answer it. Pure; knows no model.

A model asked whether passages answer a question knows more than its Yes or No lets on: a linear probe on its hidden
states tells better (Slobodkin et al., The Curious Case of Hallucinatory (Un)answerability, EMNLP 2023). What is read
here are the value vectors, a projection of the hidden states that is in the cache anyway: reading them out takes a
millisecond.
`python -m benchmarks probe` fits and measures it.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from rag.llm import Judgement

COEFFICIENTS = Path(__file__).with_name("probe.json")
"""For each LLM that was measured: by place and layer a weight for each number, and the bias ("bias")."""

PLACES = ("question", "end", "last")
"""Where the vectors are from: the mean over the question's tokens, its last token, the last token of the prompt."""


def places(judgement: Judgement) -> NDArray[np.float32] | None:
    """The vectors at PLACES, of shape (places, layers, width); None where the model gives none."""
    if judgement.values is None or not judgement.question_tokens:
        return None
    values = judgement.values.astype(np.float32)
    question = values[: judgement.question_tokens]
    return np.stack([question.mean(0), question[-1], values[-1]])


def score(judgement: Judgement, model: str) -> float | None:
    """How much rather the passages answer the question than not, around 0; None for a model that was not measured,
    or whose vectors are not there, or not of the size that was measured."""
    weights = _coefficients().get(model)
    vectors = places(judgement)
    return None if weights is None or vectors is None else weigh(vectors, weights)


def weigh(vectors: NDArray[np.float32], weights: Mapping[str, Any]) -> float | None:
    """The score by some weights, in the form of COEFFICIENTS."""
    total = float(weights["bias"])
    for place, layers in weights["weights"].items():
        for layer, row in layers.items():
            if int(layer) >= vectors.shape[1] or len(row) != vectors.shape[2]:
                return None
            total += float(vectors[PLACES.index(place), int(layer)] @ np.asarray(row, np.float32))
    return total


@cache
def _coefficients() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads(COEFFICIENTS.read_text(encoding="utf-8"))
    return found
