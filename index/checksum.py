"""Checksum: show whether a stored row is as it was written. Knows no tables.

A row's checksum is a short BLAKE2 over its values and their types. Vectors are read by the hundred in every search, so
theirs is a multilinear hash that numpy computes for all of them at once: a sum of 64-bit words, each times an odd
number of its own, modulo 2 ** 64. A change within one word always changes it.
"""

from __future__ import annotations

import hashlib
import itertools
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    Value = str | bytes | int | float | None

CHECKSUM_BYTES = 16
"""So long that no two different rows have the same by chance; it guards against accidents, not against forgery."""
HEALED_BYTES = 8192
"""Longest values in which an altered bit is looked for: 65,536 bits, about 2 s on one core."""
ALTERED_BITS = 2
"""Of two checksums of different values half of the bits differ, about 64. Where so few do, the checksum was altered."""
WORD_BYTES = 8
"""A vector's checksum has one word."""
FLOAT_BYTES = 4
"""Of a float32."""


def checksum(*values: Value) -> bytes:
    """CHECKSUM_BYTES that change with any of `values`, their types or their order."""
    pieces: list[bytes] = []
    for value in values:
        if isinstance(value, str):
            content = value.encode("utf-8", "surrogateescape")
            pieces += (b"t%d:" % len(content), content)
        elif isinstance(value, bytes):
            pieces += (b"b%d:" % len(value), value)
        else:
            pieces.append(b"%a:" % (value,))
    return hashlib.blake2b(b"".join(pieces), digest_size=CHECKSUM_BYTES).digest()


def healed(values: Sequence[Value], stored: object) -> tuple[Value, ...] | None:
    """`values` as they were when `stored` became their checksum; None if that cannot be found out.

    One altered bit is found by trying: the checksum says which of them it was.
    """
    if not isinstance(stored, bytes) or len(stored) != CHECKSUM_BYTES:
        return None
    now = int.from_bytes(checksum(*values))
    if (now ^ int.from_bytes(stored)).bit_count() <= ALTERED_BITS:
        return tuple(values)
    if sum(len(value) if isinstance(value, (str, bytes)) else WORD_BYTES for value in values) > HEALED_BYTES:
        return None
    for place, value in enumerate(values):
        for other in _one_bit_away(value):
            tried = (*values[:place], other, *values[place + 1 :])
            if checksum(*tried) == stored:
                return tried
    return None


def _one_bit_away(value: Value) -> Iterator[Value]:
    if isinstance(value, int):
        yield from (value ^ (1 << bit) for bit in range(32))
    elif isinstance(value, (str, bytes)):
        content = bytearray(value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value)
        for place in range(len(content)):
            for bit in range(8):
                content[place] ^= 1 << bit
                yield bytes(content) if isinstance(value, bytes) else content.decode("utf-8", "surrogateescape")
                content[place] ^= 1 << bit


def vector_key(text: str) -> bytes:
    """Key of the vector of `text`: 16 bytes of its SHA-256."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16]


def passage_checksum(article_id: Value, start: Value, end: Value, sentences: Iterable[Sequence[Value]]) -> bytes:
    """The checksum of a passage and its sentences, (start, end, vector id) each, in their order."""
    return checksum(article_id, ascii((start, end, *itertools.chain.from_iterable(sentences))))


def vector_checksums(keys: Sequence[bytes], values: Sequence[bytes]) -> list[bytes]:
    """The checksum of each vector, over its key and its value; the keys are of one length, and so are the values."""
    if not keys:
        return []
    stored = _sums(_words(keys, values)).tobytes()
    return [stored[first : first + WORD_BYTES] for first in range(0, len(stored), WORD_BYTES)]


def verified_vectors(
    keys: Sequence[bytes], values: Sequence[bytes], stored: Sequence[bytes]
) -> NDArray[np.float32] | None:
    """The vectors, a row each, shape (n, dimension); None unless all are as they were written. n > 0."""
    try:
        words = _words(keys, values)
        if _sums(words).tobytes() != b"".join(stored):
            return None
    except (TypeError, ValueError):  # not even bytes, or not of one length
        return None
    first = len(keys[0]) // FLOAT_BYTES
    return np.ascontiguousarray(words.view(np.float32)[:, first : first + len(values[0]) // FLOAT_BYTES])


def _words(keys: Sequence[bytes], values: Sequence[bytes]) -> NDArray[np.uint64]:
    padding = bytes(-(len(keys[0]) + len(values[0])) % WORD_BYTES)
    content = b"".join([part for key, value in zip(keys, values, strict=True) for part in (key, value, padding)])
    return np.frombuffer(content, dtype="<u8").reshape(len(keys), -1)


def _sums(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    sums: NDArray[np.uint64] = (words * _weights(words.shape[1])).sum(axis=1, dtype=np.uint64)
    return sums.astype("<u8", copy=False)


@cache
def _weights(count: int) -> NDArray[np.uint64]:
    drawn = hashlib.shake_256(b"vector").digest(WORD_BYTES * count)
    return np.frombuffer(drawn, dtype="<u8").astype(np.uint64) | np.uint64(1)
