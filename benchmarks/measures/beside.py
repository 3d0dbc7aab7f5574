"""Beside: how much longer a search takes while new articles are indexed, in another process and in the same one.

The same questions are searched for three times, one after the other without a pause: with nothing else going on, while
`citewire index sync` runs in a process of its own, and while Index.sync runs in a thread, as when files are added on
the page. A sync takes one folder of new articles after the other, so that several generations are published meanwhile.
The ratios are those of one run; the seconds depend on the machine and on what else it does. Searches without a pause
leave a sync little of the processors, so the searches go on until the sync beside them has published, at most five
minutes.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.harness import dataset, report
from benchmarks.harness.embedder import CachedEmbedder
from index import Article, Index
from index.embedder import SentenceEmbedder
from index.passage import sentences
from index.run import Cancelled

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence

TOP = Path(__file__).parents[2]
PER_ARTICLE = 20
ARTICLES_A_FOLDER = 20
"""400 sentences: a few seconds of work, so that a run of the benchmark sees several publications."""
LONGEST_S = 300.0
"""How long the searches go on at most while the sync beside them has published nothing."""


def options(parser: argparse.ArgumentParser) -> None:
    """How many."""
    dataset.options(parser)
    parser.add_argument("--searches", type=int, default=500)
    parser.add_argument("--sentences", type=int, default=5000, help="in the index at the beginning")


def run(arguments: argparse.Namespace) -> None:
    """Measure, print the table, write the result."""
    data = dataset.squad(arguments.data, quick=arguments.quick)
    texts = list(dict.fromkeys(span.of(one.text) for one in data.articles for span in sentences(one.text)))
    searches = 20 if arguments.quick else arguments.searches
    draw = random.Random(0)
    questions = [draw.choice(data.questions).text for _ in range(searches)]
    embedder = SentenceEmbedder()
    embedder.load()
    with TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        fill(home, texts[: arguments.sentences])
        with Index.open(home, embedder=embedder) as index:
            index.search(questions[0])
            new = folders(Path(folder) / "new", texts)
            measured: dict[str, dict[str, float]] = {"alone": percentiles(timed(index, questions))}
            for name, beside in (("another process", another_process), ("same process", same_process)):
                with beside(index, new) as counted:
                    start, generation = time.perf_counter(), index.stats().generation
                    seconds = timed(index, questions)
                    while index.stats().generation == generation and time.perf_counter() - start < LONGEST_S:
                        seconds += timed(index, questions[:50])
                    found = {"searches": len(seconds), **percentiles(seconds)}
                measured[f"beside a sync in {name}"] = {**found, **counted}
            measured["alone, afterwards"] = percentiles(timed(index, questions))
    alone = measured["alone"]
    for values in measured.values():
        for name in ("median_s", "p95_s"):
            values[f"{name.removesuffix('_s')}, of that alone"] = round(values[name] / alone[name], 3)
    for name, values in measured.items():
        print(f"\n{name}\n" + "\n".join(f"  {what:32}{value:>10,.4g}" for what, value in values.items()))
    if not arguments.quick:
        report.write("beside", models={"embedder": embedder.name}, measured={"searches": searches, "beside": measured})


def fill(home: Path, texts: Sequence[str]) -> None:
    """An index of these sentences."""
    articles = [
        Article(f"article-{first}", "\n\n".join(texts[first : first + PER_ARTICLE]), title=f"Article {first}")
        for first in range(0, len(texts), PER_ARTICLE)
    ]
    with Index.open(home, embedder=CachedEmbedder()) as index:
        index.add(articles)


def folders(place: Path, texts: Sequence[str]) -> Iterator[Path]:
    """One folder after the other, with articles of real sentences that no other has: each is of two."""
    draw = random.Random(1)
    for number in itertools.count():
        folder = place / str(number)
        folder.mkdir(parents=True)
        for article in range(ARTICLES_A_FOLDER):
            pairs = (draw.sample(texts, 2) for _ in range(PER_ARTICLE))
            lines = [f"{one.rstrip('.!?')}, and {other[:1].lower()}{other[1:]}" for one, other in pairs]
            (folder / f"{article}.txt").write_text("\n\n".join(lines), encoding="utf-8")
        yield folder


def timed(index: Index, questions: Sequence[str]) -> list[float]:
    """Seconds of each search."""
    found: list[float] = []
    for question in questions:
        start = time.perf_counter()
        index.search(question)
        found.append(time.perf_counter() - start)
    return found


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """Median, 95th percentile and the longest."""
    return {
        "median_s": round(float(np.median(seconds)), 4),
        "p95_s": round(float(np.quantile(seconds, 0.95)), 4),
        "longest_s": round(max(seconds), 4),
    }


@contextlib.contextmanager
def another_process(index: Index, new: Iterator[Path]) -> Iterator[dict[str, float]]:
    """Syncs by the command line, one after the other, for as long as the block lasts; counts what they did."""

    def sync(folder: Path, is_over: threading.Event) -> None:
        command = [sys.executable, "-m", "ui.cli", "--home", str(index.home), "index", "sync", str(folder)]
        environment = {**os.environ, "PYTHONPATH": str(TOP)}
        process = subprocess.Popen(  # noqa: S603
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
        )
        with process:
            while process.poll() is None and not is_over.wait(0.05):
                pass
            process.terminate()

    with _syncing(index, new, sync) as counted:
        yield counted


@contextlib.contextmanager
def same_process(index: Index, new: Iterator[Path]) -> Iterator[dict[str, float]]:
    """The same in a thread, with the same index."""

    def sync(folder: Path, is_over: threading.Event) -> None:
        with contextlib.suppress(Cancelled):
            index.sync([folder], cancel=is_over)

    with _syncing(index, new, sync) as counted:
        yield counted


@contextlib.contextmanager
def _syncing(
    index: Index, new: Iterator[Path], sync: Callable[[Path, threading.Event], None]
) -> Iterator[dict[str, float]]:
    counted: dict[str, float] = {}
    before, start = index.stats(), time.perf_counter()
    is_over = threading.Event()

    def go_on() -> None:
        for folder in new:
            if is_over.is_set():
                return
            sync(folder, is_over)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield counted
    finally:
        took, after = time.perf_counter() - start, index.stats()
        counted["generations published"] = after.generation - before.generation
        counted["sentences indexed a second"] = round((after.sentences - before.sentences) / took, 1)
        is_over.set()
        thread.join()
