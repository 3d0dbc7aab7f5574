"""The read path: question → cited answer, draft → checked draft. Importing it is quick: models load when first used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rag.answer import Answer, Citation, Claim, Reason, Section, Source, Turn
from rag.settings import Settings

if TYPE_CHECKING:
    from rag.engine import Check, Checked, Engine, Evidence, Progress, Row, Token, ask, check
    from rag.kind import kind_of

__all__ = [
    "Answer", "Check", "Checked", "Citation", "Claim", "Engine", "Evidence", "Progress", "Reason", "Row", "Section",
    "Settings", "Source", "Token", "Turn", "ask", "check", "kind_of",
]  # fmt: skip

_LATER = ("Check", "Checked", "Engine", "Evidence", "Progress", "Row", "Token", "ask", "check")


def __getattr__(name: str) -> Any:
    """Engine and ask bring the index with them, and with it numpy, and kind_of many patterns to compile; they load when
    first named."""
    if name == "kind_of":
        from rag.kind import kind_of

        return kind_of
    if name not in _LATER:
        raise AttributeError(f"module 'rag' has no attribute {name!r}")
    from rag import engine

    return getattr(engine, name)
