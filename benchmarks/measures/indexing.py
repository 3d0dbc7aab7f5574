"""Indexing: its rate beside that of the embedder alone on the same sentences, that of the embedder beside
sentence-transformers with PyTorch, and what a sync of nothing new costs.

The rates are those of a large sync: a process that embeds few sentences may have them computed by something slower that
is loaded sooner. How fast that is, is measured first."""

from __future__ import annotations

import random
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.harness import dataset, report
from index import Index
from index.embedder import MANY, SentenceEmbedder, cores
from index.passage import sentences

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from index import Article
    from index.embedder import Embedder

ROUNDS = 5
PACKAGES = ("faiss-cpu", "onnxruntime", "sentence-transformers", "torch")
ARTICLES_A_ROUND = 40
SENTENCES_A_FILE = 2
SENTENCES_A_ROUND, FIRST_SENTENCES_A_ROUND = 200, 60
"""Embedded with PyTorch and by Citewire in turn; the first ones are too few for anything else to be loaded."""


def options(parser: argparse.ArgumentParser) -> None:
    """How many files are synced twice."""
    dataset.options(parser)
    parser.add_argument("--files", type=int, default=2000)


def run(arguments: argparse.Namespace) -> None:
    """Measure, print, write the result."""
    articles = dataset.squad(arguments.data).articles
    embedder = SentenceEmbedder()
    embedder.load()
    few = measure_runtime(articles, embedder, FIRST_SENTENCES_A_ROUND)
    few_by = embedder.runtime
    embedder.embed_documents(sentences_of(articles)[-MANY * cores() :])
    measured = {
        **({f"first {name}": value for name, value in few.items()} if embedder.runtime != few_by else {}),
        **measure_runtime(articles, embedder, SENTENCES_A_ROUND),
        **measure_rate(articles, embedder),
        **measure_resync(articles, embedder, 100 if arguments.quick else arguments.files),
    }
    print(f"\n  computed by {few_by}, many sentences by {embedder.runtime}")
    print("\n".join(f"  {name:68}{value:>12,.4g}" for name, value in measured.items()))
    used = {"embedder": embedder.name, "computed by": few_by, "many sentences computed by": embedder.runtime}
    if not arguments.quick:
        report.write("indexing", models=used, packages=PACKAGES, measured={"indexing": measured})


def measure_rate(articles: Sequence[Article], embedder: Embedder) -> dict[str, float]:
    """Sentences a second, in turn: embedded alone, and indexed as articles."""
    alone: list[float] = []
    indexed: list[float] = []
    with TemporaryDirectory() as home, Index.open(home, embedder=embedder) as index:
        for number in range(ROUNDS):
            some = articles[number * ARTICLES_A_ROUND : (number + 1) * ARTICLES_A_ROUND]
            texts = list(dict.fromkeys(span.of(one.text) for one in some for span in sentences(one.text)))
            alone.append(len(texts) / seconds(lambda texts=texts: embedder.embed_documents(texts)))  # type: ignore[misc]
            indexed.append(len(texts) / seconds(lambda some=some: index.add(some)))  # type: ignore[misc]
    ratios = np.asarray(indexed) / np.asarray(alone)
    return {
        "embedder alone, sentences/s, median": float(np.median(alone)),
        "indexing, sentences/s, median": float(np.median(indexed)),
        "indexing against the embedder alone, median of pairs": float(np.median(ratios)),
    }


def sentences_of(articles: Sequence[Article]) -> list[str]:
    """The sentences of the articles, each once, in an order drawn by chance."""
    texts = list(dict.fromkeys(span.of(one.text) for one in articles for span in sentences(one.text)))
    random.Random(1).shuffle(texts)
    return texts


def measure_runtime(articles: Sequence[Article], embedder: Embedder, sentences_a_round: int) -> dict[str, float]:
    """The embedder against sentence-transformers with PyTorch in float32, on the same sentences in turn."""
    reference = SentenceEmbedder(reference=True)
    texts = sentences_of(articles)
    waited: list[float] = []
    used: list[float] = []
    cosines: list[float] = []
    reference.embed_documents(texts[:8])
    for number in range(ROUNDS):
        some = texts[number * sentences_a_round : (number + 1) * sentences_a_round]
        start, start_used = time.perf_counter(), time.process_time()
        expected = reference.embed_documents(some)
        middle, middle_used = time.perf_counter(), time.process_time()
        found = embedder.embed_documents(some)
        end, end_used = time.perf_counter(), time.process_time()
        waited.append((middle - start) / (end - middle))
        used.append((middle_used - start_used) / (end_used - middle_used))
        cosines.append(float((expected * found).sum(axis=1).min()))
    return {
        "sentences/s against PyTorch, median of pairs": float(np.median(waited)),
        "sentences per second of processor against PyTorch": float(np.median(used)),
        "least cosine to the vectors of PyTorch": min(cosines),
    }


def measure_resync(articles: Sequence[Article], embedder: Embedder, files: int) -> dict[str, float]:
    """Seconds of a first sync of `files` files, and of a second one with nothing new."""
    texts = [span.of(one.text) for one in articles for span in sentences(one.text)]
    with TemporaryDirectory() as place, Index.open(Path(place) / "home", embedder=embedder) as index:
        folder = Path(place) / "articles"
        folder.mkdir()
        for number in range(files):
            some = texts[number * SENTENCES_A_FILE : (number + 1) * SENTENCES_A_FILE]
            (folder / f"{number}.txt").write_text("\n\n".join(some) + f"\n\nFile {number}.", encoding="utf-8")
        first = seconds(lambda: index.sync([folder]))
        start = time.perf_counter()
        again = index.sync()
        second = time.perf_counter() - start
    return {
        "files": files,
        "first sync, s": first,
        "second sync, s": second,
        "second against first": second / first,
        "sentences embedded by the second": again.embedded,
    }


def seconds(work: Callable[[], object]) -> float:
    """How long `work` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
