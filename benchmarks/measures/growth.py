"""Growth: what a sentence costs as a home grows. Seconds to index it and to publish after it, bytes on disk and in
memory, milliseconds of a search. `python -m benchmarks simulation` goes on from there to homes that no machine here
holds.

Articles are drawn from real sentences, and their vectors made of real ones, as in benchmarks/measures/scale.py, so the
embedder's own time is in none of the figures: neither in indexing nor in a search, which gets the vector of its
question as a shard of a cluster does. Each size is searched by a process of its own that has nothing else in memory. A
search then does one thing after the other, so on a quiet machine it waits for its own processor time, which other
programs change little.
"""

from __future__ import annotations

import json
import random
import re
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.harness import dataset, report
from benchmarks.harness.embedder import CachedEmbedder
from benchmarks.measures.scale import PER_ARTICLE, QUERIES, DrawnEmbedder, drawn_article
from index import Index
from index.embedder import SentenceEmbedder
from index.home import DATABASE
from index.passage import sentences
from index.snapshot import FILES

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

TOP = Path(__file__).parents[2]
SIZES = (21_000, 42_000, 84_000)
"""Sentences. All are more than index.vectors.EXACT, so that each is searched as larger homes are."""
ROUNDS = 3
"""How often each question is searched: what differs between rounds is the machine, not the question."""
SHARES = tuple(share / 100 for share in (0, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 99, 99.9, 100))
"""The quantiles that are kept of a distribution."""


def options(parser: argparse.ArgumentParser) -> None:
    """How large."""
    dataset.options(parser)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), help="sentences, ascending")
    parser.add_argument("--be", nargs=2, metavar=("HOME", "QUESTIONS"), help="be what searches; used by the benchmark")


def run(arguments: argparse.Namespace) -> None:
    """Grow one home, measure it at each size, print the table, write the result."""
    if arguments.be is not None:
        print(json.dumps(searched(Path(arguments.be[0]), Path(arguments.be[1]))))
        return
    data = dataset.squad(arguments.data, quick=arguments.quick)
    remembering = CachedEmbedder()
    texts = list(dict.fromkeys(span.of(one.text) for one in data.articles for span in sentences(one.text)))
    asked = random.Random(0).sample([question.text for question in data.questions], QUERIES)
    embedder = TimedEmbedder(remembering.embed_documents(texts))
    measured: dict[str, dict[str, Any]] = {}
    with TemporaryDirectory() as folder:
        home, questions = Path(folder) / "home", Path(folder) / "questions.npz"
        np.savez(questions, texts=np.array(asked), vectors=remembering.embed_queries(asked))
        for size in [size // 20 for size in arguments.sizes] if arguments.quick else arguments.sizes:
            grown = grow(home, embedder, texts, size)
            command = [sys.executable, "-m", "benchmarks", "growth", "--be", str(home), str(questions)]
            done = subprocess.run(command, cwd=TOP, stdout=subprocess.PIPE, check=True)  # noqa: S603
            found = {**grown, **on_disk(home, grown["sentences"]), **json.loads(done.stdout)}
            found["memory, bytes a sentence"] = found.pop("memory, bytes") / grown["sentences"]
            measured[str(size)] = found
            print(
                "\n".join(f"  {name:52}{value:>12,.4g}" for name, value in found.items() if not isinstance(value, dict))
            )
            print(flush=True)
            if not arguments.quick:
                report.write("growth", models={"embedder": remembering.name}, measured={"sizes": measured})


def grow(home: Path, embedder: TimedEmbedder, texts: Sequence[str], size: int) -> dict[str, Any]:
    """Add articles until the home has `size` sentences; what that takes, what publishing one article more takes, and
    what making the snapshot anew takes."""
    measured: dict[str, Any] = {}
    draw = random.Random(size)
    with Index.open(home, embedder=embedder) as index:
        articles, before = len(index.openings(0)), index.stats().sentences
        some = range(articles, size // PER_ARTICLE)
        embedded = embedder.spent_s
        waited, used = spent(lambda: index.add(drawn_article(one, draw.choices(texts, k=PER_ARTICLE)) for one in some))
        added = index.stats().sentences - before
        measured["index a thousand sentences, s"] = (waited - embedder.spent_s[0] + embedded[0]) / added * 1000
        measured["index a thousand sentences, processor s"] = (used - embedder.spent_s[1] + embedded[1]) / added * 1000
        more = drawn_article(size // PER_ARTICLE, draw.choices(texts, k=PER_ARTICLE))
        waited, used = spent(lambda: index.add([more]))
        measured |= {"publish one article, s": waited, "publish one article, processor s": used}
        measured = {"sentences": index.stats().sentences, **measured}
    for path in home.glob(FILES):
        path.unlink()
    known = KnownEmbedder({"bridges": embedder.embed_documents(["bridges"])[0]})
    with Index.open(home, embedder=known) as index:
        waited, used = spent(lambda: index.search("bridges"))
    return measured | {"make the snapshot anew, s": waited, "make the snapshot anew, processor s": used}


def spent(step: Callable[[], object]) -> tuple[float, float]:
    """Seconds that a step takes: of waiting, and of processor time."""
    start, start_used = time.perf_counter(), time.process_time()
    step()
    return time.perf_counter() - start, time.process_time() - start_used


def on_disk(home: Path, count: int) -> dict[str, float]:
    """Bytes a sentence of the database, of its kinds of rows, and of the snapshot."""
    kinds = {
        "vectors": "SELECT sum(length(key) * 2 + length(value) + length(checksum)) FROM vector",
        "words": "SELECT (SELECT sum(length(block)) FROM words_data) + (SELECT sum(length(sz)) FROM words_docsize)",
        "texts": "SELECT sum(length(CAST(text AS BLOB))) FROM article",
    }
    with closing(sqlite3.connect(f"file:{home / DATABASE}?mode=ro", uri=True)) as sql:
        found = {f"{kind}, bytes a sentence": sql.execute(query).fetchone()[0] / count for kind, query in kinds.items()}
    files = {"database": home.glob(f"{DATABASE}*"), "snapshot": home.glob(FILES)}
    return found | {
        f"{name}, bytes a sentence": sum(file.stat().st_size for file in some) / count for name, some in files.items()
    }


def searched(home: Path, questions: Path) -> dict[str, Any]:
    """Memory of a process that searches, and the times of searches: by question, and of one question by round."""
    with np.load(questions) as known:
        asked = dict(zip(known["texts"].tolist(), known["vectors"], strict=True))
    import index.vectors  # noqa: F401 - its libraries count as the program's memory, not as that of the sentences

    before = memory_bytes("VmRSS")
    with Index.open(home, embedder=KnownEmbedder(asked)) as opened:
        start = time.perf_counter()
        opened.search(next(iter(asked)))
        first_s = time.perf_counter() - start
        pairs = [[spent(lambda text=text: opened.search(text)) for text in asked] for _ in range(ROUNDS)]  # type: ignore[misc]
        after, most = memory_bytes("VmRSS"), memory_bytes("VmHWM")
    waited, used = np.moveaxis(np.array(pairs) * 1000, 2, 0)
    medians = np.median(used, axis=0)
    return {
        "memory, bytes": after - before,
        "memory while loading, of that after it": (most - before) / (after - before),
        "first search, s": first_s,
        "search, p50 ms": float(np.median(waited)),
        "search, p99 ms": float(np.quantile(waited, 0.99)),
        "search, p50 of processor ms": float(np.median(used)),
        "search, p99 of processor ms": float(np.quantile(used, 0.99)),
        "search by question, processor ms": _quantiles(medians),
        "search of one question, of its median": _quantiles(used / medians),
    }


def memory_bytes(field: str) -> int:
    """A field of this process's /proc/self/status: VmRSS is its memory, VmHWM the most it had."""
    found = re.search(rf"^{field}:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


def _quantiles(values: NDArray[np.float64]) -> dict[str, float]:
    return {f"{share:g}": round(float(np.quantile(values, share)), 4) for share in SHARES}


class TimedEmbedder(DrawnEmbedder):
    """Makes vectors of sentences, and notes how long that takes."""

    spent_s = (0.0, 0.0)

    def embed_documents(
        self, texts: Sequence[str], *, progress: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        """See Embedder."""
        start, start_used = time.perf_counter(), time.process_time()
        made = super().embed_documents(texts, progress=progress)
        waited, used = self.spent_s
        self.spent_s = (waited + time.perf_counter() - start, used + time.process_time() - start_used)
        return made


class KnownEmbedder(SentenceEmbedder):
    """Has the vectors of the questions already."""

    def __init__(self, known: dict[str, NDArray[np.float32]]) -> None:
        """`known` by the text."""
        super().__init__()
        self._known = known

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """See Embedder."""
        return self._known[text]
