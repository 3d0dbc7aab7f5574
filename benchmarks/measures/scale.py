"""Scale: how long a search takes among 100,000 sentences, and how well and fast a million vectors are searched.

There is no way to embed a million sentences here in reasonable time, so vectors are made of real ones: a + r (b - c),
with a, b, c vectors of sentences of the evaluation data and r in [0.3, 0.7], so that they lie as real ones do. The
queries are real questions. Words are real too: articles are drawn from the sentences of the data.
"""

from __future__ import annotations

import random
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.harness import dataset, report
from benchmarks.harness.embedder import CachedEmbedder
from index import Article, Index
from index.embedder import SentenceEmbedder
from index.passage import sentences
from index.ranking import CANDIDATES
from index.vectors import Vectors

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

QUERIES = 200
K = 10
PER_ARTICLE = 20
SHARDS = 4


def options(parser: argparse.ArgumentParser) -> None:
    """How many."""
    dataset.options(parser)
    parser.add_argument("--vectors", type=int, default=1_000_000)
    parser.add_argument("--sentences", type=int, default=100_000)


def run(arguments: argparse.Namespace) -> None:
    """Measure, print the tables, write the result."""
    data = dataset.squad(arguments.data, quick=arguments.quick)
    scale = 20 if arguments.quick else 1
    remembering = CachedEmbedder()
    texts = list(dict.fromkeys(span.of(one.text) for one in data.articles for span in sentences(one.text)))
    real = remembering.embed_documents(texts)
    asked = random.Random(0).sample([question.text for question in data.questions], QUERIES)
    queries = remembering.embed_queries(asked)
    matrix = synthetic(real, arguments.vectors // scale)
    exact = [set(np.argpartition(-(matrix @ query), K)[:K].tolist()) for query in queries]
    many = measure_vectors(matrix, queries, exact)
    many |= measure_shards(matrix, queries, exact)
    whole = measure_search(texts, real, asked, arguments.sentences // scale)
    print("\nvectors\n" + "\n".join(f"  {name:54}{value:>14,.4g}" for name, value in many.items()))
    print("\nsearch\n" + "\n".join(f"  {name:42}{value:>14,.4g}" for name, value in whole.items()))
    if not arguments.quick:
        models = {"embedder": remembering.name}
        report.write("scale", models=models, measured={"vectors": many, "search": whole})


def synthetic(real: NDArray[np.float32], size: int, *, seed: int = 0) -> NDArray[np.float32]:
    """Vectors that lie as `real` ones do, shape (size, dimension); see above."""
    generator = np.random.default_rng(seed)
    made = np.empty((size, real.shape[1]), dtype=np.float32)
    for first in range(0, size, 50_000):
        rows = min(50_000, size - first)
        a, b, c = (real[generator.integers(len(real), size=rows)] for _ in range(3))
        mixed = a + generator.uniform(0.3, 0.7, (rows, 1)).astype(np.float32) * (b - c)
        made[first : first + rows] = mixed / np.linalg.norm(mixed, axis=1, keepdims=True)
    return made


def measure_vectors(
    matrix: NDArray[np.float32], queries: NDArray[np.float32], exact: Sequence[set[int]]
) -> dict[str, float]:
    """Build, search, revise and save: seconds, milliseconds, bytes a vector, recall against the `exact` nearest."""
    ids = np.arange(len(matrix), dtype=np.int64)
    kept = ids[: int(len(ids) * 0.999)]
    start = time.perf_counter()
    built = Vectors.build(1, kept, lambda some: matrix[some])
    build_s = time.perf_counter() - start
    start = time.perf_counter()
    revised = Vectors.build(2, ids, lambda some: matrix[some], before=built)
    revise_s = time.perf_counter() - start
    found, times = timed(lambda query: revised.search(query, CANDIDATES), queries)
    recall = [len(true & set(some)) / K for true, some in zip(exact, found, strict=True)]
    nearest_first = [len(true & set(some[:K])) / K for true, some in zip(exact, found, strict=True)]
    with TemporaryDirectory() as folder:
        size_bytes, save_s, load_s = saved(revised, folder)
    return {
        "vectors": len(matrix),
        "build, s": build_s,
        "revision by 0.1 %, s": revise_s,
        "save, s": save_s,
        "load, s": load_s,
        "bytes a vector": size_bytes / len(matrix),
        f"recall@{K} among the {CANDIDATES} candidates": float(np.mean(recall)),
        f"recall@{K} of the first {K}": float(np.mean(nearest_first)),
        "p50, ms": float(np.median(times)),
        "p95, ms": float(np.quantile(times, 0.95)),
    }


def measure_shards(
    matrix: NDArray[np.float32], queries: NDArray[np.float32], exact: Sequence[set[int]]
) -> dict[str, float]:
    """The same in shards, searched one after the other: each of them gives its candidates, and of all of these the
    nearest are kept, as many as one index gives."""
    ids = np.arange(len(matrix), dtype=np.int64)
    start = time.perf_counter()
    shards = [Vectors.build(1, ids[place::SHARDS], lambda some: matrix[some]) for place in range(SHARDS)]
    build_s = (time.perf_counter() - start) / SHARDS
    recall: list[float] = []
    longest: list[float] = []
    together: list[float] = []
    for query, true in zip(queries, exact, strict=True):
        times, candidates = [], np.empty(0, dtype=np.int64)
        for shard in shards:
            start = time.perf_counter()
            candidates = np.append(candidates, shard.search(query, CANDIDATES))
            times.append((time.perf_counter() - start) * 1000)
        nearest = candidates[np.argsort(-(matrix[candidates] @ query))[:CANDIDATES]]
        recall.append(len(true & set(nearest.tolist())) / K)
        longest.append(max(times))
        together.append(sum(times))
    return {
        f"in {SHARDS} shards: build of one, s": build_s,
        f"in {SHARDS} shards: recall@{K} among the {CANDIDATES} candidates": float(np.mean(recall)),
        f"in {SHARDS} shards: p50 of the slowest, ms": float(np.median(longest)),
        f"in {SHARDS} shards: p50 of all one after the other, ms": float(np.median(together)),
    }


def saved(vectors: Vectors, folder: str) -> tuple[int, float, float]:
    """Size of the snapshot in bytes, and seconds to write and to read it."""
    path = Path(folder) / "snapshot"
    start = time.perf_counter()
    vectors.save(path)
    save_s = time.perf_counter() - start
    start = time.perf_counter()
    Vectors.load(path, vectors.generation)
    return path.stat().st_size, save_s, time.perf_counter() - start


def measure_search(
    texts: Sequence[str], real: NDArray[np.float32], asked: Sequence[str], size: int
) -> dict[str, float]:
    """Milliseconds of Index.search over `size` sentences, and of embedding the question alone, in turn."""
    embedder = DrawnEmbedder(real)
    drawn = random.Random(1)
    with TemporaryDirectory() as home, Index.open(home, embedder=embedder) as index:
        index.add(drawn_article(number, drawn.choices(texts, k=PER_ARTICLE)) for number in range(size // PER_ARTICLE))
        index.search(asked[0])
        alone: list[float] = []
        whole: list[float] = []
        for question in asked:
            alone += timed(embedder.embed_query, [question])[1]
            whole += timed(index.search, [question])[1]
        stats = index.stats()
    ratios = [both / one for both, one in zip(whole, alone, strict=True)]
    return {
        "sentences": stats.sentences,
        "embedding alone, p50 ms": float(np.median(alone)),
        "search, p50 ms": float(np.median(whole)),
        "search, p95 ms": float(np.quantile(whole, 0.95)),
        "search against embedding, median of pairs": float(np.median(ratios)),
    }


def timed(search: Callable[[Any], Any], queries: Iterable[Any]) -> tuple[list[Any], list[float]]:
    """What each search gave and its milliseconds."""
    found, times = [], []
    for query in queries:
        start = time.perf_counter()
        found.append(search(query))
        times.append((time.perf_counter() - start) * 1000)
    return found, times


def drawn_article(number: int, drawn: Sequence[str]) -> Article:
    """An article of sentences that no other article has."""
    # The number makes each sentence one of a kind, and so each vector.
    return Article(f"a{number}", "\n\n".join(f"{text[:-1]} in {number}x{place}." for place, text in enumerate(drawn)))


class DrawnEmbedder(SentenceEmbedder):
    """Sentences get synthetic vectors; questions are embedded for real."""

    def __init__(self, real: NDArray[np.float32]) -> None:
        """`real` are vectors of real sentences."""
        super().__init__()
        self._real = real
        self._seed = 0

    def embed_documents(
        self, texts: Sequence[str], *, progress: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        """See Embedder."""
        self._seed += 1
        near = synthetic(self._real, len(texts), seed=self._seed)
        if progress is not None:
            progress(len(texts))
        return near
