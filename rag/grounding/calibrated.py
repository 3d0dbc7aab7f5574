"""Calibrated: what `citewire models calibrate` found out about models, kept in the models folder. Knows no model."""

from __future__ import annotations

import json
import math
import os
import threading
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from index.models import models_dir

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MOST_BYTES = 1_000_000
"""A model takes about 600 bytes; what is larger was not written here."""
MOST_WEIGHT = 100.0
"""Of a signal or the bias: log-odds of the signals are mostly within 20."""
NAMES = frozenset(("correct", "answerable", "bias"))


def path() -> Path:
    """Where the calibrations are: calibration.json in the models folder."""
    return models_dir() / "calibration.json"


def weights(model: str) -> Mapping[str, float] | None:
    """The weights of the signals and the bias ("bias") for a model; None for one that was not calibrated."""
    try:
        stat = path().stat()
    except OSError:
        return None
    found = _read(path(), stat.st_mtime_ns, stat.st_size).get(model)
    known = found.get("weights") if isinstance(found, dict) else None
    if not isinstance(known, dict) or known.keys() != NAMES:
        return None
    if not all(_is_weight(value) for value in known.values()):
        return None
    return known


def keep(model: str, found: Mapping[str, Any]) -> None:
    """Keep what was found out about a model, in place of what is there. Raises OSError."""
    place = path()
    place.parent.mkdir(parents=True, exist_ok=True)
    known = dict(_read(place, 0, -1)) if place.exists() else {}
    known[model] = dict(found)
    draft = place.with_name(f"{place.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        draft.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
        draft.replace(place)
    finally:
        draft.unlink(missing_ok=True)
    _read.cache_clear()


@lru_cache(maxsize=4)
def _read(place: Path, changed_ns: int, size_bytes: int) -> dict[str, Any]:
    """The file as it was at a time; {} for one that cannot be read."""
    del changed_ns
    try:
        found = json.loads(place.read_text(encoding="utf-8")) if size_bytes <= MOST_BYTES else {}
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_weight(value: object) -> bool:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return False
    return math.isfinite(value) and abs(value) <= MOST_WEIGHT
