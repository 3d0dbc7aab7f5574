"""The read path: question → cited answer. Importing it is quick: models and arrays load when first used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rag.answer import Answer, Citation, Claim, Reason, Section, Source, Turn
from rag.kind import kind_of
from rag.settings import Settings

if TYPE_CHECKING:
    from rag.engine import Engine, Evidence, Progress, Row, Token, ask

__all__ = [
    "Answer", "Citation", "Claim", "Engine", "Evidence", "Progress", "Reason", "Row", "Section", "Settings", "Source",
    "Token", "Turn", "ask", "kind_of",
]  # fmt: skip

_LATER = ("Engine", "Evidence", "Progress", "Row", "Token", "ask")


def __getattr__(name: str) -> Any:
    """Engine and ask bring the index with them, and with it numpy; they load when first named."""
    if name not in _LATER:
        raise AttributeError(f"module 'rag' has no attribute {name!r}")
    from rag import engine

    return getattr(engine, name)
