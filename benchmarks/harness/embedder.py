"""Embedders that keep their vectors in the user's cache: each text is embedded once on this machine."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from typing import TYPE_CHECKING

import numpy as np
from platformdirs import user_cache_path
from tqdm import tqdm

from index.checksum import vector_key
from index.embedder import SentenceEmbedder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from index.embedder import Embedder

BATCH = 128
"""Texts embedded between two saves."""


class CachedEmbedder:
    """An embedder that keeps every vector in a file. Satisfies index.embedder.Embedder."""

    def __init__(self, embedder: Embedder | None = None, folder: Path | None = None) -> None:
        """Wrap `embedder` (default: Citewire's); the file is in `folder` (default: the user's cache folder)."""
        self._embedder = embedder or SentenceEmbedder()
        self.name = self._embedder.name
        folder = folder or user_cache_path("citewire", appauthor=False) / "benchmarks"
        folder.mkdir(parents=True, exist_ok=True)
        self._sql = sqlite3.connect(folder / f"{self.name}.sqlite", isolation_level=None)
        self._sql.execute(
            "CREATE TABLE IF NOT EXISTS vector (kind TEXT, key BLOB, value BLOB, PRIMARY KEY (kind, key)) WITHOUT ROWID"
        )

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self._embedder.dimension

    def embed_documents(
        self, texts: Sequence[str], *, progress: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        """See Embedder."""
        vectors = self._cached("document", texts, self._embedder.embed_documents)
        if progress is not None:
            progress(len(texts))
        return vectors

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """See Embedder."""
        vector: NDArray[np.float32] = self.embed_queries([text])[0]
        return vector

    def embed_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed many questions and show the progress; shape (len(texts), dimension)."""
        return self._cached("query", texts, self._embed_queries)

    def _embed_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.stack([self._embedder.embed_query(text) for text in texts])

    def _cached(
        self, kind: str, texts: Sequence[str], embed: Callable[[Sequence[str]], NDArray[np.float32]]
    ) -> NDArray[np.float32]:
        found = {text: self._look_up(kind, text) for text in texts}
        missing = sorted((text for text, vector in found.items() if vector is None), key=len)
        with tqdm(total=len(missing), desc=f"embedding ({kind})", unit="text", disable=len(missing) < BATCH) as bar:
            for first in range(0, len(missing), BATCH):
                some = missing[first : first + BATCH]
                for text, vector in zip(some, embed(some), strict=True):
                    found[text] = self._keep(kind, text, vector)
                bar.update(len(some))
        matrix: NDArray[np.float32] = np.stack([vector for text in texts if (vector := found[text]) is not None])
        return matrix

    def _look_up(self, kind: str, text: str) -> NDArray[np.float32] | None:
        query = "SELECT value FROM vector WHERE kind = ? AND key = ?"
        row = self._sql.execute(query, (kind, vector_key(text))).fetchone()
        return None if row is None else np.frombuffer(row[0], dtype=np.float32)

    def _keep(self, kind: str, text: str, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        with contextlib.suppress(sqlite3.IntegrityError):
            row = (kind, vector_key(text), vector.astype(np.float32).tobytes())
            self._sql.execute("INSERT INTO vector VALUES (?, ?, ?)", row)
        return vector


class SharedCachedEmbedder(CachedEmbedder):
    """A CachedEmbedder that may be used from any thread, as an engine does."""

    def __init__(self) -> None:
        """Wrap Citewire's default embedder."""
        super().__init__()
        self._lock = threading.Lock()
        (_, _, path), *_ = self._sql.execute("PRAGMA database_list").fetchall()
        self._sql.close()
        self._sql = sqlite3.connect(path, isolation_level=None, check_same_thread=False)

    def _cached(
        self, kind: str, texts: Sequence[str], embed: Callable[[Sequence[str]], NDArray[np.float32]]
    ) -> NDArray[np.float32]:
        with self._lock:
            return super()._cached(kind, texts, embed)


class CachedDocumentsEmbedder(SharedCachedEmbedder):
    """Caches documents but embeds every question, because that is part of the wait."""

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """See Embedder."""
        return self._embedder.embed_query(text)
