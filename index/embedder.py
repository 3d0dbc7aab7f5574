"""Embedder: sentences and questions → unit vectors. Imports sentence_transformers, as index/reranker.py does.

sentence-transformers defines what the vector of a text is. Where ONNX Runtime computes the same vectors, as compared
once (index/runtime.py), it is used instead, and PyTorch is not loaded. A process that embeds very many texts loads it
after all, where the processor computes bfloat16, which is faster still (index/bfloat16_encoder.py).
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import threading
import time
from collections import Counter, deque
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from index import models
from index.bert import UnsupportedError
from index.bfloat16_encoder import BFLOAT16, is_possible
from index.errors import ModelError
from index.language import script
from index.onnx_encoder import ONNX
from index.process import use_native

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

BATCH = 32
"""Texts for each thread between two looks for a question, which waits for so many: .3 s."""
BATCH_BESIDE_QUESTIONS = 1
"""The same while questions come, each of which waits for the pass in hand. It is on one thread, as a question's own is:
on a busy machine, passes of four texts on all threads made a question wait 15 times as long (python -m benchmarks
beside)."""
QUESTIONS_COME_S = 60.0
"""How long after a question the next one is expected: time to read an answer and to type another question."""
QUESTIONS_AHEAD = 8
"""Questions that go ahead of waiting documents at most, so that many who ask do not hold up a sync for good."""
MANY = 400
"""Texts for each core, from which on a process has PyTorch compute documents in bfloat16 where it can. For so many,
ONNX Runtime takes about as much longer as it takes to load PyTorch and the model, 1.2 s on a quiet machine and 2 s on a
busy one. So a process loses at most twice what it would if it knew how many texts will come."""
LEAST_PIECES, LEAST_LONG_PIECES = 1000, 100
"""Pieces of a script in the vocabulary of a model that knows it, and pieces of more than one letter: one of the two.
All-MiniLM-L6-v2 has 27,762 of Latin, 488 Chinese characters and at most 92 of any other script, nearly all of a single
letter: a text in one of these is spelt letter by letter, or unknown altogether, and near to any other."""


VARIABLE = "CITEWIRE_EMBEDDER"
"""Names the embedder of models.txt to use instead of its default, or is the address of a model server."""
_log = logging.getLogger(__name__)
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")


class Embedder(Protocol):
    """Turns texts into vectors whose inner product is their similarity (cosine, as rows have unit length). The vector
    of a text in a script that the model does not know may be zero: it is similar to nothing.

    `name` identifies model and weights: an index remembers it and refuses any other. Documents and questions
    have methods of their own because some models want them prefixed differently. Safe to call from threads.
    """

    name: str

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        ...

    def embed_documents(
        self, texts: Sequence[str], *, progress: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        """Unit vectors, shape (len(texts), dimension), row i for texts[i].

        `progress` is called with the number of texts in each finished batch.
        """
        ...

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """Unit vector of a question, shape (dimension,)."""
        ...


@runtime_checkable
class BatchEmbedder(Embedder, Protocol):
    """An embedder that computes several batches at once, as a cluster does."""

    def embed_batches(self, batches: Iterable[Sequence[str]]) -> Iterator[NDArray[np.float32]]:
        """The vectors of each batch, in the order of the batches, each of shape (len(batch), dimension)."""
        ...


def in_batches(embedder: Embedder, batches: Iterable[Sequence[str]]) -> Iterator[NDArray[np.float32]]:
    """The vectors of each batch, in the order of the batches, each of shape (len(batch), dimension)."""
    if isinstance(embedder, BatchEmbedder):
        return embedder.embed_batches(batches)
    return map(embedder.embed_documents, batches)


class Encoder(Protocol):
    """A loaded model: texts → unit vectors. Used by one caller at a time.

    `name` is that of the runtime, for people.
    """

    name: str

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        ...

    def vocabulary(self) -> Iterable[str]:
        """The pieces of words that the model knows."""
        ...

    def documents(self, texts: Sequence[str], *, threads: int) -> NDArray[np.float32]:
        """Vectors of documents, shape (len(texts), dimension), computed on so many threads."""
        ...

    def question(self, text: str) -> NDArray[np.float32]:
        """Vector of a question, shape (dimension,), computed on one thread: a question is too short to share out.
        Threads would wait for each other longer than they work, and on a busy machine many times longer. What else a
        search does has the other cores."""
        ...


class SentenceEmbedder:
    """A sentence-transformers model from models.txt. Its weights load at first use, so naming one is free."""

    def __init__(self, name: str | None = None, *, reference: bool = False) -> None:
        """`name` as in models.txt, default that of CITEWIRE_EMBEDDER or the default embedder. `reference` computes with
        sentence-transformers itself, whatever would be faster. Raises ModelError for an unknown name."""
        self._model_entry = models.choose(name or named(), "embedder")
        self._before_question, self._before_document = self._model_entry.prefixes
        weights = max(self._model_entry.files, key=lambda file: file.size)
        self.name = f"{self._model_entry.name}@{weights.sha256[:12]}"
        self._loading, self._loading_for_many = threading.Lock(), threading.Lock()
        self._model_lock = _QuestionsFirst()
        self._is_reference = reference
        self._loaded: Encoder | None = None
        self._loaded_for_many: Encoder | None = None
        self._documents = 0
        self._scripts: frozenset[str] | None = None

    @property
    def dimension(self) -> int:
        """Length of a vector; loads the model."""
        return self._model().dimension

    @property
    def runtime(self) -> str:
        """What computes documents now, for instance "ONNX Runtime"; loads the model."""
        return self._for_many(self._model()).name

    def load(self) -> None:
        """Load the weights now. Raises ModelError when they are missing or damaged."""
        self._model()

    def embed_documents(
        self, texts: Sequence[str], *, progress: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        """See Embedder. Texts are batched by length: a batch costs as much as its longest text.

        Questions go between two batches, and while they come batches are small.
        """
        import numpy as np

        model = self._model()
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        by_length = sorted(range(len(texts)), key=lambda i: len(texts[i]), reverse=True)
        known = [row for row in by_length if self._knows(texts[row])]
        if progress is not None and len(known) < len(texts):
            progress(len(texts) - len(known))
        by_length = known
        self._documents += len(known)
        first, threads = 0, cores()
        while first < len(by_length):
            many = self._for_many(model)
            with self._model_lock.documents():
                beside = self._model_lock.questions_come
                rows = by_length[first : first + (BATCH_BESIDE_QUESTIONS if beside else BATCH * threads)]
                batch = [self._before_document + texts[i] for i in rows]
                vectors[rows] = model.documents(batch, threads=1) if beside else many.documents(batch, threads=threads)
            first += len(rows)
            if progress is not None:
                progress(len(rows))
        return vectors

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """See Embedder."""
        import numpy as np

        model = self._model()
        text = text.encode("utf-8", "replace").decode("utf-8")  # the tokenizer takes no halves of surrogate pairs
        if not self._knows(text):
            return np.zeros(self.dimension, dtype=np.float32)
        with self._model_lock.question():
            return model.question(self._before_question + text)

    def _model(self) -> Encoder:
        use_native(f"the embedder {self.name}")
        with self._loading:
            if self._loaded is None:
                folder = models.locate(self._model_entry.name, "embedder")
                self._loaded = _Reference(folder) if self._is_reference else self._fastest(folder)
            return self._loaded

    def _fastest(self, folder: Path) -> Encoder:
        """ONNX Runtime, where its vectors are those of sentence-transformers."""
        reference = _Comparing(folder)
        comparison = ONNX.compared(folder, reference.vectors)
        if reference.encoder is not None and is_possible():
            BFLOAT16.compared(folder, reference.vectors)  # while it is loaded
        if comparison.is_near:
            try:
                return ONNX.load(folder)
            except UnsupportedError as error:
                reason = str(error)
        else:
            reason = comparison.reason
        _log.info("%s: computed with PyTorch, not with ONNX Runtime: %s", self.name, reason)
        return reference.encoder or _Reference(folder)

    def _for_many(self, model: Encoder) -> Encoder:
        """What computes documents: `model`, until so many were wanted that loading something faster pays."""
        if self._loaded_for_many is not None:
            return self._loaded_for_many
        if self._is_reference or self._documents < MANY * cores() or not is_possible():
            return model
        with self._loading_for_many:  # meanwhile, questions are computed by `model`
            if self._loaded_for_many is None:
                self._loaded_for_many = self._fastest_for_many() or model
            return self._loaded_for_many

    def _fastest_for_many(self) -> Encoder | None:
        """PyTorch in bfloat16, where its vectors are near to those of sentence-transformers."""
        folder = models.locate(self._model_entry.name, "embedder")
        comparison = BFLOAT16.compared(folder, _Comparing(folder).vectors)
        reason = comparison.reason
        if comparison.is_near:
            try:
                return BFLOAT16.load(folder)
            except UnsupportedError as error:
                reason = str(error)
        _log.info("%s: documents are not computed in bfloat16: %s", self.name, reason)
        return None

    def _knows(self, text: str) -> bool:
        """Whether the model knows the script that most letters of a text are of."""
        if not _BEYOND_ASCII.search(text):
            return True
        if self._scripts is None:
            self._scripts = _known_scripts(self._model().vocabulary())
        known = self._scripts
        scripts = Counter(script(letter) for letter in text if letter.isalpha())
        unknown = sum(number for name, number in scripts.items() if name not in known)
        return unknown * 2 <= scripts.total()


def named() -> str | None:
    """The embedder that CITEWIRE_EMBEDDER names; None when it is not set."""
    return os.environ.get(VARIABLE, "").strip() or None


def _known_scripts(vocabulary: Iterable[str]) -> frozenset[str]:
    """The scripts of which a vocabulary has enough pieces."""
    pieces: Counter[str] = Counter()
    long_pieces: Counter[str] = Counter()
    for piece in vocabulary:
        letters = [character for character in piece if character.isalpha()]
        if letters:
            pieces[script(letters[-1])] += 1
            long_pieces[script(letters[-1])] += len(letters) > 1
    return frozenset(name for name in pieces if pieces[name] >= LEAST_PIECES or long_pieces[name] >= LEAST_LONG_PIECES)


class _QuestionsFirst:
    """A lock on the model that questions get before documents, and each of them in order."""

    def __init__(self) -> None:
        """The model is free."""
        self._changed = threading.Condition()
        self._is_used = False
        self._questions: deque[object] = deque()
        self._documents: deque[object] = deque()
        self._went_ahead = 0
        self._last_question_s = float("-inf")

    @property
    def questions_come(self) -> bool:
        """Whether another question is likely to come soon."""
        return time.monotonic() - self._last_question_s < QUESTIONS_COME_S

    @contextlib.contextmanager
    def question(self) -> Iterator[None]:
        """Use the model for a question."""
        with self._held(self._questions):
            self._last_question_s = time.monotonic()
            self._went_ahead += 1
            yield

    @contextlib.contextmanager
    def documents(self) -> Iterator[None]:
        """Use the model for documents: when no question waits, or enough have gone ahead."""
        with self._held(self._documents):
            self._went_ahead = 0
            yield

    @contextlib.contextmanager
    def _held(self, line: deque[object]) -> Iterator[None]:
        waiting = object()
        with self._changed:
            line.append(waiting)
            try:
                self._changed.wait_for(lambda: not self._is_used and self._next() is waiting)
                self._is_used = True
            finally:
                line.remove(waiting)
        try:
            yield
        finally:
            with self._changed:
                self._is_used = False
                self._changed.notify_all()

    def _next(self) -> object:
        is_enough = self._went_ahead >= QUESTIONS_AHEAD
        return (self._documents if self._documents and (is_enough or not self._questions) else self._questions)[0]


class _Reference:
    """See Encoder. The vectors of sentence-transformers, with PyTorch."""

    name = "PyTorch"

    def __init__(self, folder: Path) -> None:
        """Load the model in `folder`. Raises ModelError."""
        # Everything is on disk: neither transformers nor the hub client may look further.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging

        logging.disable_progress_bar()  # the front ends have their own
        try:
            self._model: Any = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
        except (OSError, ValueError, KeyError) as error:
            raise ModelError(
                f"the embedder in {folder} cannot be loaded ({error}); run: citewire models pull {folder.name}"
            ) from error
        self.dimension = int(self._model.get_embedding_dimension())

    def vocabulary(self) -> Iterable[str]:
        vocabulary: dict[str, int] = self._model.tokenizer.get_vocab()
        return vocabulary.keys()

    def documents(self, texts: Sequence[str], *, threads: int) -> NDArray[np.float32]:
        with _one_thread() if threads == 1 else contextlib.nullcontext():
            return self._encoded(self._model.encode_document(list(texts), **_OPTIONS))

    def question(self, text: str) -> NDArray[np.float32]:
        with _one_thread():
            return self._encoded(self._model.encode_query(text, **_OPTIONS))

    @staticmethod
    def _encoded(found: object) -> NDArray[np.float32]:
        import numpy as np

        return np.asarray(found, dtype=np.float32)


class _Comparing:
    """The vectors of sentence-transformers, which is loaded when it is first needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.encoder: _Reference | None = None

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.encoder = self.encoder or _Reference(self._folder)
        return self.encoder.documents(texts, threads=cores())


_OPTIONS = {"normalize_embeddings": True, "show_progress_bar": False, "batch_size": BATCH}


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
