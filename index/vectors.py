"""Vectors: sentence vectors of one generation in FAISS, and their snapshot on disk. The only file that imports faiss.

Finds candidates only; how near they are is computed from the stored vectors (Generation.similarities). Up to EXACT
vectors every one is looked at. Beyond, they are kept in one byte a dimension in the cells of a partition (IVF with
8-bit scalar quantization), and only the nearest cells are looked at.

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

from index.errors import LayoutError
from index.home import opener
from index.process import use_native

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    Fetch = Callable[[NDArray[np.int64]], NDArray[np.float32]]
    """Ids, shape (n,) → unit vectors, shape (n, dimension)."""

EXACT = 20_000
"""Most vectors that are searched exhaustively: 5 ms on one core, less than the embedding of the question."""
CELLS_PER_ROOT = 2.0
"""Cells of the partition for each square root of the number of vectors (python -m benchmarks scale)."""
PROBES = 64
"""Cells looked at by a query."""
TRAINING_PER_CELL = 50
"""Vectors drawn for each cell to train the partition; FAISS advises at least 39."""
OUTGROWN = 2.0
"""A partition is trained anew when the vectors have become this many times those it was trained for."""
ADD_AT_ONCE = 65_536
"""Vectors that are in memory twice while they are added: 100 MB of 384 dimensions."""

_HEADER = struct.Struct("<8sQ32sQ32s")  # magic, generation, database, payload bytes, sha256 of the payload
_MAGIC = b"citewir2"


class SnapshotError(Exception):
    """A snapshot that is missing, damaged or of another generation. Never leaves the index package."""


@dataclass(frozen=True, slots=True)
class Vectors:
    """Inner-product search over unit vectors by integer id. Immutable, so threads share it freely.

    Generations are counted within a `database`, whose id it is: in another, an id belongs to another vector.
    """

    generation: int
    _faiss: Any
    database: str = ""

    @classmethod
    def build(
        cls,
        generation: int,
        ids: NDArray[np.int64],
        fetch: Fetch,
        *,
        before: Vectors | None = None,
        database: str = "",
    ) -> Vectors:
        """Index the vectors with these `ids`, ascending, shape (n,), n > 0.

        Given those of a generation `before` of the same database, only the difference is fetched and added, unless the
        kind of index or the size of its partition no longer fits.
        """
        use_native("the vectors")
        if before is None or before.database != database or not before._fits(len(ids)):
            return cls(generation, _filled(_empty(ids, fetch), ids, fetch), database)
        held = before.ids()
        index: Any = faiss.clone_index(before._faiss)
        gone = np.setdiff1d(held, ids)
        if len(gone):
            index.remove_ids(gone)
        return cls(generation, _filled(index, np.setdiff1d(ids, held), fetch), database)

    def is_of(self, database: str, generation: int) -> bool:
        """Whether these are the vectors of this generation of this database."""
        return (self.database, self.generation) == (database, generation)

    def __len__(self) -> int:
        """Number of vectors."""
        return int(self._faiss.ntotal)

    def ids(self) -> NDArray[np.int64]:
        """Ids of all vectors, shape (n,), in no order."""
        if not self._is_partition:
            return np.asarray(faiss.vector_to_array(self._faiss.id_map), dtype=np.int64)
        lists = self._faiss.invlists
        of_cells = [
            faiss.rev_swig_ptr(lists.get_ids(cell), lists.list_size(cell)).copy() for cell in range(self._faiss.nlist)
        ]
        return np.concatenate(of_cells).astype(np.int64)

    def search(self, query: NDArray[np.float32], k: int, *, among: NDArray[np.int64] | None = None) -> list[int]:
        """The `k` ids nearest to `query`, shape (dimension,), best first; of those in `among`, shape (n,), if given."""
        use_native("the vectors")
        most = len(self) if among is None else len(among)
        if most == 0:
            return []
        if len(query) != self._faiss.d:
            raise LayoutError(
                f"the vector of the question has {len(query)} numbers, those of the articles have {self._faiss.d}: the "
                "embedder has become another; run: citewire index rebuild"
            )
        chosen = None if among is None else self._choosing(among)
        _, ids = self._faiss.search(query[None, :], min(k, most), params=chosen)
        return [vector_id for vector_id in ids[0].tolist() if vector_id >= 0]

    def save(self, path: Path) -> None:
        """Write the snapshot and replace `path` with it atomically. Raises OSError."""
        payload = faiss.serialize_index(self._faiss).data
        header = _HEADER.pack(
            _MAGIC, self.generation, self.database.encode(), payload.nbytes, hashlib.sha256(payload).digest()
        )
        draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        try:
            with open(draft, "wb", opener=opener) as file:
                file.write(header)
                file.write(payload)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: Path, generation: int, *, database: str = "") -> Vectors:
        """Read a snapshot. Raises SnapshotError unless it is whole and of this generation of this database."""
        try:
            content = path.read_bytes()
        except OSError as error:
            raise SnapshotError(f"{path.name} cannot be read: {error.strerror or error}") from error
        if len(content) < _HEADER.size:
            raise SnapshotError(f"{path.name} is truncated")
        magic, of_generation, of_database, size, sha256 = _HEADER.unpack_from(content)
        payload = memoryview(content)[_HEADER.size :]
        if magic != _MAGIC or len(payload) != size or hashlib.sha256(payload).digest() != sha256:
            raise SnapshotError(f"{path.name} is damaged")
        if of_generation != generation:
            raise SnapshotError(f"{path.name} is of generation {of_generation}, not {generation}")
        if of_database.rstrip(b"\0") != database.encode():
            raise SnapshotError(f"{path.name} is of another database")
        return cls(generation, faiss.deserialize_index(np.frombuffer(payload, dtype=np.uint8)), database)

    def _choosing(self, among: NDArray[np.int64]) -> Any:
        """Parameters of a search that sees these ids alone. The fewer they are, the more cells it looks at: the
        nearest ones may hold none of them."""
        flat: Any = faiss.SearchParameters
        partition: Any = faiss.SearchParametersIVF
        selector = faiss.IDSelectorBatch(among)
        if not self._is_partition:
            return flat(sel=selector)
        cells = self._faiss.nlist
        probes = cells if len(among) <= EXACT else min(cells, PROBES * len(self) // len(among))
        return partition(sel=selector, nprobe=probes)

    @property
    def _is_partition(self) -> bool:
        return hasattr(self._faiss, "nlist")

    def _fits(self, size: int) -> bool:
        """Whether this index, with some vectors changed, is as good as a new one for `size` vectors."""
        if not self._is_partition:
            return size <= EXACT
        return size > EXACT / OUTGROWN and self._faiss.nlist * OUTGROWN**0.5 >= _cells(size)


def _cells(size: int) -> int:
    return int(CELLS_PER_ROOT * size**0.5)


def _empty(ids: NDArray[np.int64], fetch: Fetch) -> Any:
    """An index of the kind that fits so many vectors, trained on a sample of them."""
    if len(ids) <= EXACT:
        return faiss.IndexIDMap2(faiss.IndexFlatIP(fetch(ids[:1]).shape[1]))
    cells = _cells(len(ids))
    drawn = np.random.default_rng(0).choice(ids, min(len(ids), TRAINING_PER_CELL * cells), replace=False)
    sample = fetch(np.sort(drawn))
    index: Any = faiss.index_factory(sample.shape[1], f"IVF{cells},SQ8", faiss.METRIC_INNER_PRODUCT)
    index.cp.niter = 8
    index.train(sample)
    index.nprobe = PROBES
    return index


def _filled(index: Any, ids: NDArray[np.int64], fetch: Fetch) -> Any:
    for first in range(0, len(ids), ADD_AT_ONCE):
        some = ids[first : first + ADD_AT_ONCE]
        index.add_with_ids(fetch(some), some)
    return index
