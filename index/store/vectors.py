"""Stored vectors: the vectors of the sentences of one generation, checked against their checksums. Knows no FAISS."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from index.checksum import verified_vectors
from index.errors import StoreError
from index.store.schema import MEND, chunks, marks

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable, Sequence

    from numpy.typing import NDArray


class StoredVectors:
    """The vectors of one generation. Valid inside `Store.read`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Within a transaction of `connection`."""
        self._sql = connection

    def ids_of(self, keys: Collection[bytes]) -> dict[bytes, int]:
        """Ids of those of `keys` whose vectors are kept already, as they were written."""
        return {
            key: vector_id
            for chunk in chunks(list(keys))
            for key, value, stored, vector_id in self._sql.execute(
                f"SELECT key, value, checksum, id FROM vector WHERE key IN ({marks(chunk)})", chunk
            )
            if verified_vectors([key], [value], [stored]) is not None
        }

    def ids_in_use(self) -> NDArray[np.int64]:
        """Ids of the vectors of every sentence of this generation, ascending, shape (n,)."""
        return _ids(self._sql.execute("SELECT DISTINCT vector_id FROM sentence ORDER BY vector_id"))

    def of(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """The unit vectors with these ids, shape (len(ids), dimension), in the order of `ids`."""
        found: dict[int, tuple[bytes, bytes, bytes]] = {}
        for chunk in chunks(ids.tolist()):
            rows = self._sql.execute(f"SELECT id, key, value, checksum FROM vector WHERE id IN ({marks(chunk)})", chunk)
            found.update({vector_id: row for vector_id, *row in rows})
        wanted = ids.tolist()
        if len(found) == len(wanted) or all(vector_id in found for vector_id in wanted):
            keys, values, stored = zip(*(found[vector_id] for vector_id in wanted), strict=True)
            matrix = verified_vectors(keys, values, stored)
            if matrix is not None:
                return matrix
        raise self._altered(
            [one for one in wanted if one not in found or verified_vectors(*([part] for part in found[one])) is None]
        )

    def _altered(self, vector_ids: Sequence[int]) -> StoreError:
        """An error that names an article with such a vector."""
        row = self._sql.execute(
            "SELECT article_id FROM sentence JOIN passage ON passage.id = passage_id WHERE vector_id = ?",
            vector_ids[:1],
        ).fetchone()
        whose = "no article" if row is None else f"the article {row[0]!r}"
        return StoreError(f"{len(vector_ids)} vectors, one of them of {whose}, were altered or are missing; {MEND}")

    def similarities(self, wordings: Sequence[NDArray[np.float32]], vector_ids: Collection[int]) -> dict[int, float]:
        """Cosine similarity of each of these vectors to the nearest of `wordings`, each of shape (dimension,); exact,
        not the index's."""
        ids = np.fromiter(vector_ids, dtype=np.int64, count=len(vector_ids))
        if not len(ids):
            return {}
        ids.sort()  # neighbours share pages
        # Not by a product of matrices, of which the last digits depend on how many vectors there are: in a shard there
        # are others than in the whole index, and equal passages are to compare as equal.
        nearest = np.einsum("ij,kj->ik", self.of(ids), np.stack(wordings)).max(axis=1)
        return dict(zip(ids.tolist(), nearest.tolist(), strict=True))

    def ids_of_passages(self, passage_ids: Collection[int]) -> NDArray[np.int64]:
        """Ids of the vectors of the sentences of these passages, ascending, shape (n,)."""
        rows = self._sql.execute(
            "SELECT DISTINCT vector_id FROM sentence WHERE passage_id IN (SELECT value FROM json_each(?)) "
            "ORDER BY vector_id",
            (json.dumps(list(passage_ids)),),
        )
        return _ids(rows)

    def passages_with(self, vector_ids: Sequence[int]) -> set[int]:
        """Ids of the passages that hold a sentence with one of these vectors."""
        return {
            passage_id
            for chunk in chunks(list(vector_ids))
            for (passage_id,) in self._sql.execute(
                f"SELECT passage_id FROM sentence WHERE vector_id IN ({marks(chunk)})", chunk
            )
        }


def _ids(rows: Iterable[tuple[int]]) -> NDArray[np.int64]:
    ids = [one for (one,) in rows]
    if not all(isinstance(one, int) for one in ids):
        raise StoreError(f"the vector of a sentence was altered in the database; {MEND}")
    return np.fromiter(ids, dtype=np.int64, count=len(ids))
