"""Speed: how fast a model is expected to write here, by how fast another one does. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from index.models import Model

SLOWER = 0.75
"""Tokens a second fall with the size of the file to the power of this: 90, 32 and 14 for files of 98, 491 and 1,117 MB
on one machine with two cores, which it gives back within a fifth."""


def expected(model: Model, known: Sequence[Model], measured: Mapping[str, float]) -> float | None:
    """Tokens a second of `model`, by the one of `known` that is nearest to it in size of those that were `measured`;
    None if none was."""
    others = [one for one in known if one.name in measured]
    if not others:
        return None
    nearest = min(others, key=lambda one: abs(one.size_bytes - model.size_bytes))
    slower: float = (nearest.size_bytes / max(model.size_bytes, 1)) ** SLOWER
    return measured[nearest.name] * slower
