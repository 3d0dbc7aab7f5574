"""Preferences: what a browser remembers → settings for its questions. Trusts nothing that a browser sends."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from index import models
from rag.settings import MODES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rag.settings import Settings

LENGTHS = {"short": 96, "medium": 192, "long": 384}
"""Name → tokens of the longest answer: the default, half of it and twice it."""
LENGTH_TOKENS = (48, 512)
"""Fewest and most tokens that an earlier version let a browser remember in place of a name."""
NAME_CHARS = 200
USUAL_MODE = ""
"""As models.txt has it for the model."""
MODE_LABELS = {USUAL_MODE: "Automatic", "write": "Write an answer", "quote": "Quote the articles"}


def settings(remembered: object, base: Settings) -> Settings:
    """`base` with what is remembered and valid; a model only by its name in models.txt, if it is downloaded."""
    chosen: dict[str, Any] = {}
    known = remembered if isinstance(remembered, dict) else {}
    if isinstance(known.get("mode"), str) and known["mode"] in MODES:
        chosen["mode"] = known["mode"]
    if _is_number(known.get("caution")) and 0 <= known["caution"] <= 1:
        chosen["caution"] = float(known["caution"])
    length = known.get("length")
    if isinstance(length, str) and length in LENGTHS:
        chosen["answer_tokens"] = LENGTHS[length]
    elif isinstance(length, (int, float)) and LENGTH_TOKENS[0] <= length <= LENGTH_TOKENS[1]:
        chosen["answer_tokens"] = int(length)
    if isinstance(known.get("model"), str) and known["model"] in downloaded():
        chosen["llm"] = known["model"]
    return replace(base, **chosen)


def length_of(answer_tokens: int) -> str:
    """The name of the length that is nearest to so many tokens."""
    return min(LENGTHS, key=lambda name: abs(LENGTHS[name] - answer_tokens))


def storable(chosen: Mapping[str, object]) -> dict[str, str | int | float]:
    """What a browser may be given to remember: short texts and finite numbers, whatever was sent in their place."""
    return {
        name: value
        for name, value in chosen.items()
        if (isinstance(value, str) and len(value) <= NAME_CHARS)
        or (isinstance(value, (int, float)) and _is_number(value) and math.isfinite(value))
    }


def listed() -> tuple[models.Model, ...]:
    """The LLMs of models.txt."""
    return tuple(model for model in models.manifest() if model.role == "llm")


def downloaded() -> frozenset[str]:
    """The names of those whose files are here; their hashes are checked when they are loaded."""
    folder = models.models_dir()
    return frozenset(
        model.name
        for model in listed()
        if all(
            (folder / model.name / file.path).is_file()
            and (folder / model.name / file.path).stat().st_size == file.size
            for file in model.files
        )
    )


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
