"""Stats: what an index holds, in numbers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Stats:
    """What an index holds. `size_bytes` is its size on disk; `sources` are the remembered folders and files."""

    articles: int
    passages: int
    sentences: int
    generation: int
    embedder: str
    sources: tuple[str, ...]
    size_bytes: int

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready mapping."""
        return asdict(self)
