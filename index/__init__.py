"""The write path: articles → a searchable index. Knows no questions and no LLM."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from index.article import Article, Span
from index.errors import Error, ForkError, InputError, LayoutError, ModelError, ReadError, StoreError
from index.release import __version__ as __version__

if TYPE_CHECKING:
    from index.hit import Hit
    from index.listed import Listed
    from index.run import Failure, SyncReport
    from index.search import Index
    from index.stats import Stats

__all__ = [
    "Article", "Error", "Failure", "ForkError", "Hit", "Index", "InputError", "LayoutError", "Listed", "ModelError",
    "ReadError", "Span", "Stats", "StoreError", "SyncReport",
]  # fmt: skip

_LATER = {
    "Failure": "index.run", "Hit": "index.hit", "Index": "index.search", "Listed": "index.listed",
    "Stats": "index.stats", "SyncReport": "index.run",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    """What needs numpy loads when first named, so that `import index` and `import rag` stay quick."""
    if name not in _LATER:
        raise AttributeError(f"module 'index' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LATER[name]), name)
