"""An embedder without a model, for tests and benchmarks: texts that share words are near.

Fast and deterministic, with the contract of index.embedder.Embedder; no good for real searches.
"""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray


class BagOfWordsEmbedder:
    """Hashes the words of a text into a unit vector, and keeps the texts that it embedded."""

    dimension = 64

    def __init__(self, name: str = "bag-of-words") -> None:
        """Texts are kept in `embedded`, in order."""
        self.name = name
        self.embedded: list[str] = []

    def embed_documents(
        self, texts: Sequence[str], *, progress: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        """See Embedder."""
        self.embedded.extend(texts)
        if progress is not None:
            progress(len(texts))
        return self._embed(texts)

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """See Embedder."""
        vector: NDArray[np.float32] = self._embed([text])[0]
        return vector

    def _embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, text in zip(vectors, texts, strict=True):
            row[0] = 1e-6
            for word in re.findall(r"\w+", text.lower()):
                row[zlib.crc32(word.encode()) % self.dimension] += 1.0
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors
