"""Remote embedder: vectors from a model server (index/model_server.py), by OpenAI's /v1/embeddings."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from index.errors import InputError
from index.model_address import Address
from index.model_server import NOT_TAKEN, ModelServer, ServerError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

KEY_VARIABLE = "CITEWIRE_EMBEDDER_KEY"
BATCH = 64
"""Texts in one request: some servers take no more (llama-server's default batch holds about as many sentences)."""
MOST_DIMENSION = 16_384
"""Of a vector; today's models have at most 8,192."""
BYTES_OF_A_NUMBER = 32
"""Longest number in the JSON of a vector."""
TOO_LONG = NOT_TAKEN | {500}
"""What servers answer to a text that is longer than their model reads: 400 (vLLM), 413 (Text Embeddings Inference), 500
(llama-server: "input is too large to process"). Others read its beginning, as the embedder of this process does."""
LEAST_CHARS = 100
"""A text that is refused and no longer is refused for something else: it has at most some hundred tokens."""


class RemoteEmbedder:
    """See index.embedder.Embedder. All sentences of the articles, and all questions, are sent to the server.

    Its name is that of the model and of the server, for two servers may have other weights under one name: an index
    that was built with one refuses the other.
    """

    def __init__(self, address: str, *, timeout_s: float = 300.0) -> None:
        """`address` is http://host:port/v1#model. Nothing is sent yet. Raises InputError for an address that names no
        model, since an index remembers it, or that cannot be used."""
        place = Address.parse(address)
        if not place.model:
            raise InputError(
                f"{address} names no model; write --embedder {place.base}#NAME, as {place.base}/models has it"
            )
        self.address = address
        self.name = place.named(place.model)
        self._server = ModelServer(place, key_variable=KEY_VARIABLE, flag="--embedder", total_s=timeout_s)
        self._dimension = 0
        self._lock = threading.Lock()

    @property
    def dimension(self) -> int:
        """Length of a vector; asks the server once."""
        if not self._dimension:
            self._embedded(["dimension"])
        return self._dimension

    def load(self) -> None:
        """Ask for a vector now. Raises ServerError."""
        self._embedded(["ready"])

    def embed_documents(
        self, texts: Sequence[str], *, progress: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        """See Embedder. Raises ServerError; what may pass is tried again."""
        import numpy as np

        found = []
        for first in range(0, len(texts), BATCH):
            batch = texts[first : first + BATCH]
            found.append(self._fitted(batch))
            if progress is not None:
                progress(len(batch))
        return np.concatenate(found) if found else np.zeros((0, self.dimension), dtype=np.float32)

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """See Embedder. Raises ServerError; what may pass is tried again."""
        vector: NDArray[np.float32] = self._fitted([text])[0]
        return vector

    def close(self) -> None:
        """Close the connections."""
        self._server.close()

    def _fitted(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The vectors of texts, of the beginning of one that is longer than the model reads."""
        import numpy as np

        try:
            return self._embedded(texts)
        except ServerError as error:
            longest = max(texts, key=len)
            if error.status not in TOO_LONG or len(longest) <= LEAST_CHARS:
                raise
        if len(texts) > 1:
            return np.concatenate([self._fitted([text]) for text in texts])
        return self._fitted([longest[: max(LEAST_CHARS, len(longest) // 2)]])

    def _embedded(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors; zero ones stay zero."""
        import numpy as np

        inputs = [text.encode("utf-8", "replace").decode() for text in texts]
        body = {"model": self._server.address.model, "input": inputs, "encoding_format": "float"}
        most_bytes = len(texts) * MOST_DIMENSION * BYTES_OF_A_NUMBER
        rows = _rows(self._server.ask("embeddings", body, most_bytes=most_bytes) or {}, len(texts))
        try:
            matrix = np.array(rows, dtype=np.float32)
        except (ValueError, TypeError, OverflowError):
            matrix = np.zeros(0, dtype=np.float32)
        if matrix.ndim != 2 or not 0 < matrix.shape[1] <= MOST_DIMENSION or not np.isfinite(matrix).all():
            raise ServerError(
                f"{self.name} answered with something else than {len(texts)} vectors; choose another model"
            )
        with self._lock:
            self._dimension = self._dimension or matrix.shape[1]
        if matrix.shape[1] != self._dimension:
            raise ServerError(
                f"{self.name} gives vectors of {matrix.shape[1]} numbers, earlier ones have {self._dimension}: it is "
                "another model; start it as it was, or run: citewire index rebuild"
            )
        lengths = np.linalg.norm(matrix.astype(np.float64), axis=1, keepdims=True)
        unit: NDArray[np.float32] = (matrix / np.where(lengths > 0, lengths, 1.0)).astype(np.float32)
        return unit


def _rows(answer: dict[str, Any], most: int) -> list[object]:
    """The vectors in the order of the texts; [] unless there is one for each."""
    listed = answer.get("data")
    found: dict[int, object] = {}
    for place, one in enumerate(listed if isinstance(listed, list) else []):
        if isinstance(one, dict) and isinstance(one.get("embedding"), list):
            index = one.get("index", place)
            found[index if isinstance(index, int) else -1] = one["embedding"]
    return [found[number] for number in range(most)] if found.keys() == set(range(most)) else []
