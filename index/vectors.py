"""Vectors: sentence vectors of one generation in FAISS, and their snapshot on disk. The only file that imports faiss.

A snapshot is derived from the database and may be lost at any time: it is checksummed, named by its generation,
replaced atomically, and whoever finds it missing or damaged builds it again from the stored vectors.
"""

from __future__ import annotations

import hashlib
import os
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import faiss
import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_HEADER = struct.Struct("<8sQQ32s")  # magic, generation, payload bytes, sha256 of the payload
_MAGIC = b"citewire"


class SnapshotError(Exception):
    """A snapshot that is missing, damaged or of another generation. Never leaves the index package."""


@dataclass(frozen=True, slots=True)
class Vectors:
    """Exact inner-product search over unit vectors by integer id. Immutable, so threads share it freely."""

    generation: int
    _faiss: Any

    @classmethod
    def build(cls, generation: int, ids: NDArray[np.int64], matrix: NDArray[np.float32]) -> Vectors:
        """`ids` of shape (n,), `matrix` of shape (n, dimension)."""
        index = faiss.IndexIDMap2(faiss.IndexFlatIP(matrix.shape[1]))
        index.add_with_ids(matrix, ids)
        return cls(generation, index)

    def __len__(self) -> int:
        """Number of vectors."""
        return int(self._faiss.ntotal)

    def search(self, query: NDArray[np.float32], k: int) -> list[tuple[int, float]]:
        """The `k` ids nearest to `query` (shape (dimension,)) with their cosine similarity, best first."""
        if len(self) == 0:
            return []
        similarities, ids = self._faiss.search(query[None, :], min(k, len(self)))
        return list(zip(ids[0].tolist(), similarities[0].tolist(), strict=True))

    def similarities(self, query: NDArray[np.float32], ids: list[int]) -> dict[int, float]:
        """Cosine similarity of `query` to each of `ids`."""
        if not ids:
            return {}
        rows = self._faiss.reconstruct_batch(np.asarray(ids, dtype=np.int64))
        return dict(zip(ids, (rows @ query).tolist(), strict=True))

    def save(self, path: Path) -> None:
        """Write the snapshot and replace `path` with it atomically. Raises OSError."""
        payload = faiss.serialize_index(self._faiss)
        header = _HEADER.pack(_MAGIC, self.generation, payload.nbytes, hashlib.sha256(payload.data).digest())
        draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        try:
            with draft.open("wb") as file:
                file.write(header)
                file.write(payload.data)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: Path, generation: int) -> Vectors:
        """Read a snapshot. Raises SnapshotError unless it is whole and of `generation`."""
        try:
            content = path.read_bytes()
        except OSError as error:
            raise SnapshotError(f"{path.name} cannot be read: {error.strerror or error}") from error
        if len(content) < _HEADER.size:
            raise SnapshotError(f"{path.name} is truncated")
        magic, of_generation, size, sha256 = _HEADER.unpack_from(content)
        payload = memoryview(content)[_HEADER.size :]
        if magic != _MAGIC or len(payload) != size or hashlib.sha256(payload).digest() != sha256:
            raise SnapshotError(f"{path.name} is damaged")
        if of_generation != generation:
            raise SnapshotError(f"{path.name} is of generation {of_generation}, not {generation}")
        return cls(generation, faiss.deserialize_index(np.frombuffer(payload, dtype=np.uint8)))
