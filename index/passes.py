"""Passes: texts → tokens → passes of texts of like length, on threads → vectors. Imports tokenizers.

What encoders of ours have in common: they differ in what computes a pass.
"""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from index.bert import Bert

TOKENS = 384
"""Tokens in one pass, at most. What a layer writes for so many stays near to a core, in its second cache: 256 and 384
are equally fast, 768 takes 8 % longer, 2,048 a third (docs/experiments.md)."""


class PassEncoder(ABC):
    """See index.embedder.Encoder. Passes are shared out among threads, each of which computes whole ones."""

    name: str

    def __init__(self, folder: Path, bert: Bert) -> None:
        """Load the tokenizer of the model `bert` in `folder`."""
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # the threads are ours
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(bert.most_tokens)
        self.dimension = bert.dimension
        self._pool: ThreadPoolExecutor | None = None
        self._starting = threading.Lock()

    @abstractmethod
    def compute(self, ids: NDArray[np.int32], mask: NDArray[np.int32]) -> NDArray[np.float32]:
        """Unit vectors of one pass, shape (texts, dimension), computed on the calling thread alone. `mask` is 1 for a
        token and 0 for padding; both arguments have the shape (texts, tokens)."""

    def vocabulary(self) -> Iterable[str]:
        """See Encoder."""
        vocabulary: dict[str, int] = self._tokenizer.get_vocab()
        return vocabulary.keys()

    def question(self, text: str) -> NDArray[np.float32]:
        """See Encoder."""
        vector: NDArray[np.float32] = self.documents([text], threads=1)[0]
        return vector

    def documents(self, texts: Sequence[str], *, threads: int) -> NDArray[np.float32]:
        """See Encoder."""
        import numpy as np

        def cut(first: int) -> list[list[int]]:
            return [encoding.ids for encoding in self._tokenizer.encode_batch_fast(texts[first : first + share])]

        def run(rows: Sequence[int]) -> None:
            ids = np.zeros((len(rows), max(len(tokens[row]) for row in rows)), dtype=np.int32)
            mask = np.zeros_like(ids)
            for place, row in enumerate(rows):
                ids[place, : len(tokens[row])] = tokens[row]
                mask[place, : len(tokens[row])] = 1
            vectors[rows] = self.compute(ids, mask)

        share = -(-len(texts) // threads) or 1
        each = map if threads == 1 else self._threads(threads).map
        tokens = [one for some in each(cut, range(0, len(texts), share)) for one in some]
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for _ in each(run, shares([len(one) for one in tokens], threads)):
            pass
        return vectors

    def _threads(self, number: int) -> ThreadPoolExecutor:
        with self._starting:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(number, thread_name_prefix="citewire-embed")
            return self._pool


def shares(sizes: Sequence[int], threads: int) -> list[list[int]]:
    """Rows for each pass: neighbours in length, longest first, TOKENS at most in one. As many passes for each of
    `threads`, all of about as many tokens, so that none waits long for the last."""
    order = sorted(range(len(sizes)), key=lambda row: -sizes[row])
    whole = sum(sizes)
    number = max(1, -(-whole // (TOKENS * threads)) * threads)
    most = min(TOKENS, -(-whole // number))
    found: list[list[int]] = []
    for row in order:
        # A pass costs as much as if every text in it were as long as its first.
        if found and (len(found[-1]) + 1) * sizes[found[-1][0]] <= max(most, sizes[found[-1][0]]):
            found[-1].append(row)
        else:
            found.append([row])
    return found
