"""Remembered: a folder, file, page or feed that a sync reads again."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Remembered:
    """A remembered source by its path or address, when it was read last (UTC, ISO 8601; None where that is not known),
    and how many articles there are of it."""

    source: str
    read_at: str | None
    articles: int

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready mapping."""
        return asdict(self)
