"""ONNX encoder: an embedder's model run by ONNX Runtime, without PyTorch. Imports onnxruntime, and tokenizers.

It computes what sentence-transformers computes, about twice as fast on two cores (python -m benchmarks indexing), and
is ready in a fraction of the time that importing PyTorch takes (python -m benchmarks starting).
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import platform
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from index import onnx_graph
from index.onnx_graph import FLOAT, Graph, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

TOKENS = 384
"""Tokens in one pass, at most. What a layer writes for so many stays near to a core, in its second cache: 256 and 384
are equally fast, 768 takes 8 % longer, 2,048 a third (docs/experiments.md)."""
LEAST_COSINE = 0.999
"""Between a vector of this encoder and that of sentence-transformers for the same text. Vectors that are so near may
lie in one index: rounding makes a difference of 0.0000003."""
STAMP = ".onnx.json"
"""In the folder of a model: what the comparison with sentence-transformers found, and for which files and versions."""
PACKAGES = ("onnxruntime", "tokenizers")
SAMPLES = (
    "Yes.",
    "When did the talks break down?",
    "The price rose by 3.5 % to €1,299 on 14 March 2019, said Zoë Müller-Lüdenscheidt (SPD).",
    "«Où est-ce?» — demanda-t-elle; 北京和东京, Москва, 🙂 ‘none’ of it… http://example.org/a?b=c#d",
    "a " * 400,
    "Farmers brought in the harvest early, because the summer had been dry and the mills were waiting for grain. " * 3,
)
"""Compared in one batch: of very unequal lengths, so that a lost attention mask shows, one longer than any model reads,
with letters, signs and scripts that a tokenizer may treat in its own way."""


class OnnxEncoder:
    """See index.embedder.Encoder. Batches are shared out among threads, each of which runs whole ones."""

    def __init__(self, folder: Path) -> None:
        """Load the model in `folder`. Raises UnsupportedError when it, or this machine, cannot be used so."""
        try:
            self._load(folder, onnx_graph.read(folder))
        except UnsupportedError:
            raise
        except Exception as error:  # whatever the reason is, PyTorch is there
            raise UnsupportedError(f"{type(error).__name__}: {error}", lasting=False) from error
        self._pool: ThreadPoolExecutor | None = None
        self._starting = threading.Lock()

    def _load(self, folder: Path, graph: Graph) -> None:
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # the threads are ours
        import onnxruntime
        from tokenizers import Tokenizer

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors; they are raised as well
        options.intra_op_num_threads = options.inter_op_num_threads = 1  # a pass is shared out by texts, not by rows
        options.enable_mem_pattern = False  # kept for every shape that ever came
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL  # it is written fused
        values = [onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type(one, FLOAT) for one in graph.weights.values()]
        options.add_external_initializers(list(graph.weights), values)
        self._session = onnxruntime.InferenceSession(graph.model, options, providers=["CPUExecutionProvider"])
        self._graph = graph  # the session uses its weights
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(graph.most_tokens)
        self.dimension = graph.dimension

    def vocabulary(self) -> Iterable[str]:
        """See Encoder."""
        return self._tokenizer.get_vocab().keys()

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
            vectors[rows] = self._session.run(None, {"ids": ids, "mask": mask})[0]

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


def _after_fork() -> None:
    """At its end a forked process would wait for a thread of ONNX Runtime that only its parent has. glibc calls what is
    registered last first, so `_exit` comes before that and keeps the status."""
    libc = ctypes.CDLL(None)
    if "onnxruntime" in sys.modules and hasattr(libc, "on_exit"):
        libc.on_exit(libc._exit, None)


if hasattr(os, "register_at_fork") and sys.platform == "linux":
    os.register_at_fork(after_in_child=_after_fork)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was found when the vectors of this encoder were compared with those of sentence-transformers: the least
    cosine of SAMPLES, and why it is 0 where no vectors could be made. `of` names all that it depends on."""

    of: str
    cosine: float
    reason: str = ""

    @property
    def is_near(self) -> bool:
        """Whether this encoder may take the place of sentence-transformers."""
        return self.cosine >= LEAST_COSINE


def compared(folder: Path, reference: Callable[[Sequence[str]], NDArray[np.float32]]) -> Comparison:
    """The comparison for the model in `folder` as it lies there: made once, and anew when a file of it, a version or
    the kind of processor changes. `reference` gives the vectors of sentence-transformers."""
    found = remembered(folder)
    if found is not None:
        return found
    state = _state(folder)
    try:
        ours = OnnxEncoder(folder).documents(SAMPLES, threads=1)
    except UnsupportedError as error:
        found = Comparison(state, 0.0, str(error))
        if error.lasting:
            _remember(folder, found)
        return found
    cosine = float((ours * reference(SAMPLES)).sum(axis=1).min())
    far = (
        "" if cosine >= LEAST_COSINE else f"its vectors differ from those of sentence-transformers: cosine {cosine:.3f}"
    )
    found = Comparison(state, cosine, far)
    _remember(folder, found)
    return found


def remembered(folder: Path) -> Comparison | None:
    """The comparison that was made; None if it was not, or of something else."""
    try:
        found = Comparison(**json.loads((folder / STAMP).read_text(encoding="utf-8")))
        return found if found.of == _state(folder) and isinstance(found.cosine, float) else None
    except (OSError, ValueError, TypeError):
        return None


def _remember(folder: Path, found: Comparison) -> None:
    """In a folder that cannot be written, each process compares anew."""
    draft = folder / f"{STAMP}.{os.getpid()}.{threading.get_ident()}.part"  # a pull deletes what a kill leaves
    with suppress(OSError):
        try:
            draft.write_text(json.dumps(asdict(found), indent=1), encoding="utf-8")
            draft.replace(folder / STAMP)
        finally:
            draft.unlink(missing_ok=True)


def _state(folder: Path) -> str:
    """Of the files (their hashes are checked before they are loaded, by size and time of change if they were before),
    of this code, the packages and the processor."""
    parts = [platform.machine(), str(onnx_graph.VERSION)]
    for name in PACKAGES:
        try:
            parts.append(version(name))
        except PackageNotFoundError:
            parts.append("missing")
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    for path in files:
        found = path.stat()
        parts.append(f"{path.relative_to(folder)} {found.st_size} {found.st_mtime_ns}")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
