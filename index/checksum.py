"""Checksum: what tells whether a stored row is as it was written. Knows no tables.

A row's checksum is a short BLAKE2 over its values and their types. Vectors are read by the hundred in every search, so
theirs is a multilinear hash that numpy computes for all of them at once: a sum of 64-bit words, each times an odd
number of its own, modulo 2 ** 64. A change within one word always changes it.
"""

from __future__ import annotations

import hashlib
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Value = str | bytes | int | float | None

CHECKSUM_BYTES = 16
WORD_BYTES = 8
"""A vector's checksum has one word."""


def checksum(*values: Value) -> bytes:
    """CHECKSUM_BYTES that change with any of `values`, their types or their order."""
    parts: list[bytes] = []
    for value in values:
        if isinstance(value, str):
            content = value.encode("utf-8", "surrogateescape")
            parts += (b"t%d:" % len(content), content)
        elif isinstance(value, bytes):
            parts += (b"b%d:" % len(value), value)
        else:
            parts.append(b"%a:" % (value,))
    return hashlib.blake2b(b"".join(parts), digest_size=CHECKSUM_BYTES).digest()


def vector_checksums(keys: Sequence[bytes], values: Sequence[bytes]) -> list[bytes]:
    """The checksum of each vector, over its key and its value; the keys are of one length, and so are the values."""
    if not keys:
        return []
    padding = bytes(-(len(keys[0]) + len(values[0])) % WORD_BYTES)
    content = b"".join([part for key, value in zip(keys, values, strict=True) for part in (key, value, padding)])
    words = np.frombuffer(content, dtype="<u8").reshape(len(keys), -1)
    sums: NDArray[np.uint64] = (words * _weights(words.shape[1])).sum(axis=1, dtype=np.uint64)
    stored = sums.astype("<u8").tobytes()
    return [stored[first : first + WORD_BYTES] for first in range(0, len(stored), WORD_BYTES)]


@cache
def _weights(count: int) -> NDArray[np.uint64]:
    drawn = hashlib.shake_256(b"vector").digest(WORD_BYTES * count)
    return np.frombuffer(drawn, dtype="<u8").astype(np.uint64) | np.uint64(1)
