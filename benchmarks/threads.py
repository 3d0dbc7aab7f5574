"""Threads: the remembering embedder for an engine, which searches in a thread of its own for each question."""

from __future__ import annotations

import sqlite3
import threading
from typing import TYPE_CHECKING

from benchmarks.embedder import RememberingEmbedder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray


class SharedEmbedder(RememberingEmbedder):
    """A RememberingEmbedder that any thread may use."""

    def __init__(self) -> None:
        """Around Citewire's default embedder."""
        super().__init__()
        self._lock = threading.Lock()
        (_, _, path), *_ = self._sql.execute("PRAGMA database_list").fetchall()
        self._sql.close()
        self._sql = sqlite3.connect(path, isolation_level=None, check_same_thread=False)

    def _recall(
        self, kind: str, texts: Sequence[str], embed: Callable[[Sequence[str]], NDArray[np.float32]]
    ) -> NDArray[np.float32]:
        with self._lock:
            return super()._recall(kind, texts, embed)


class AttentiveEmbedder(SharedEmbedder):
    """Remembers documents and embeds every question: that is part of the wait."""

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """See Embedder."""
        return self._embedder.embed_query(text)
