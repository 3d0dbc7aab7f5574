"""Citewire: ask questions of a collection of articles and get an answer you can check.

    from citewire import ask

    print(ask("When did the six-party talks break down?"))

This package holds no code of its own: it gathers the names of `index` (articles → a searchable index) and `rag`
(a question → a cited answer). Importing it is quick; models load when first used.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

_HERE = Path(__file__).resolve().parent.parent
for _package in ("index", "rag", "ui"):
    # A file such as index.py in the working directory comes before ours on Python's search path.
    _spec = find_spec(_package)
    _place = None if _spec is None or _spec.origin is None else Path(_spec.origin).resolve()
    if _place != _HERE / _package / "__init__.py":
        raise ImportError(
            f"citewire needs its own package {_package!r} in {_HERE}, but Python finds {_place or 'none'}; "
            "rename that file, or run from another folder"
        )

from index import (  # noqa: E402 (only after the check above)
    Article,
    Error,
    ForkError,
    InputError,
    LayoutError,
    ModelError,
    ReadError,
    Span,
    StoreError,
    __version__,
)
from rag import Answer, Citation, Claim, Reason, Section, Settings, Source, Turn, kind_of  # noqa: E402

if TYPE_CHECKING:
    from index import Failure, Hit, Index, Listed, Stats, SyncReport
    from rag import Check, Checked, Engine, Evidence, Progress, Row, Token, ask, check

__all__ = [
    "Answer", "Article", "Check", "Checked", "Citation", "Claim", "Engine", "Error", "Evidence", "Failure", "ForkError",
    "Hit", "Index", "InputError", "LayoutError", "Listed", "ModelError", "Progress", "ReadError", "Reason", "Row",
    "Section", "Settings", "Source", "Span", "Stats", "StoreError", "SyncReport", "Token", "Turn", "__version__", "ask",
    "check", "kind_of",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Names that bring numpy with them load when first used."""
    import index
    import rag

    for package in (rag, index):
        if name in package.__all__:
            return getattr(package, name)
    raise AttributeError(f"module 'citewire' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Every public name, for completion in an interpreter."""
    return __all__
