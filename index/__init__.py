"""The write path: articles → a searchable index. Knows no questions and no LLM."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from index.article import Article, Span
from index.errors import Error, ForkError, InputError, LayoutError, ModelError, ReadError, StoreError

if TYPE_CHECKING:
    from index.search import Hit, Index, Listed, Stats
    from index.sync import Failure, SyncReport

__version__ = "0.1.0"

__all__ = [
    "Article", "Error", "Failure", "ForkError", "Hit", "Index", "InputError", "LayoutError", "Listed", "ModelError",
    "ReadError", "Span", "Stats", "StoreError", "SyncReport",
]  # fmt: skip

_LATER = {
    "Failure": "index.sync", "Hit": "index.search", "Index": "index.search", "Listed": "index.search",
    "Stats": "index.search", "SyncReport": "index.sync",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    """What needs numpy loads when first named, so that `import index` and `import rag` stay quick."""
    if name not in _LATER:
        raise AttributeError(f"module 'index' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LATER[name]), name)
