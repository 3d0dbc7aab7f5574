"""State: the bytes in which llama.cpp keeps a sequence → the value vectors in them. Pure."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Values = NDArray[np.float16]

_F16 = 1
"""GGML_TYPE_F16."""


def values(state: bytes) -> Values | None:
    """What each layer's attention hands on of each token, of shape (tokens, layers, width), in order of position.

    The layout is that of llama_kv_cache::state_write in llama.cpp (as of llama-cpp-python 0.3.36): a header, the
    position and the sequences of each token, the keys of all layers, their values. None for any other: a cache that is
    not float16, more than one stream, a model with several caches.
    """
    reader = _Reader(state)
    try:
        return _values(reader)
    except (struct.error, ValueError):
        return None


def _values(reader: _Reader) -> Values | None:
    _magic, _sequence, streams, tokens = reader.take("<4I")
    if streams != 1:
        return None
    positions = []
    for _ in range(tokens):
        position, sequences = reader.take("<iI")
        reader.skip(4 * sequences)
        positions.append(position)
    transposed, layers = reader.take("<2I")
    for _ in range(layers):
        _type, row = reader.take("<iQ")
        reader.skip(row * tokens)
    found = []
    for _ in range(layers):
        kind, size = reader.take("<iI" if transposed else "<iQ")
        width = reader.take("<I")[0] if transposed else size // 2
        if kind != _F16 or (transposed and size != np.float16().itemsize):
            return None
        vectors = reader.array(tokens * width)
        found.append(vectors.reshape(width, tokens).T if transposed else vectors.reshape(tokens, width))
    if not found or not reader.at_end:
        return None
    return np.stack(found, axis=1)[np.argsort(positions)]


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, layout: str) -> tuple[int, ...]:
        found = struct.unpack_from(layout, self._data, self._at)
        self._at += struct.calcsize(layout)
        return found

    def skip(self, size: int) -> None:
        self._at += size

    def array(self, count: int) -> Values:
        found = np.frombuffer(self._data, np.float16, count, self._at)
        self._at += found.nbytes
        return found

    @property
    def at_end(self) -> bool:
        return self._at == len(self._data)
