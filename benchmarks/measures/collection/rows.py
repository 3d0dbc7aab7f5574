"""Rows: how long the first row of a list, and the whole of it, take over 100,000 sentences, in searches.

The index is that of `python -m benchmarks scale`. Each question is a word or two of the texts; a search for the same
words is measured beside it, on the same machine and in turn.
"""

from __future__ import annotations

import random
import time
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks.harness import dataset
from benchmarks.harness.embedder import CachedEmbedder
from benchmarks.harness.report import Mean
from benchmarks.measures.collection.mention import drawn
from benchmarks.measures.scale import PER_ARTICLE, DrawnEmbedder, drawn_article
from index import Index
from index.passage import sentences

if TYPE_CHECKING:
    from pathlib import Path

SENTENCES = 100_000
NAMES = 40


def measure(data: Path, *, quick: bool) -> dict[str, dict[str, dict[str, Mean]]]:
    """The time of a first row and of all, as a multiple of that of a search."""
    articles = dataset.squad(data, quick=quick).articles
    texts = list(dict.fromkeys(span.of(one.text) for one in articles for span in sentences(one.text)))
    size = SENTENCES // 20 if quick else SENTENCES
    names = list(drawn(articles, NAMES))
    with (
        TemporaryDirectory() as home,
        Index.open(home, embedder=DrawnEmbedder(CachedEmbedder().embed_documents(texts))) as index,
    ):
        chosen = random.Random(1)
        index.add(drawn_article(number, chosen.choices(texts, k=PER_ARTICLE)) for number in range(size // PER_ARTICLE))
        index.search(names[0])
        times: dict[str, dict[str, list[float]]] = {"mention": {}, "about": {}}
        for name in names:
            start = time.perf_counter()
            index.search(name)
            search_s = time.perf_counter() - start
            for kind, (first_s, all_s) in (("mention", _mention(index, name)), ("about", _about(index, name))):
                times[kind].setdefault("first row, in searches", []).append(first_s / search_s)
                times[kind].setdefault("all rows, in searches", []).append(all_s / search_s)
    title = f"lists over {size:,} sentences"
    return {title: {kind: {name: Mean.of(one) for name, one in found.items()} for kind, found in times.items()}}


def _mention(index: Index, name: str) -> tuple[float, float]:
    """Seconds to the first row, or to the end if there is none, and to the last."""
    start = time.perf_counter()
    rows = index.mentions(name)
    next(rows, None)
    first_s = time.perf_counter() - start
    for _ in rows:
        pass
    return first_s, time.perf_counter() - start


def _about(index: Index, subject: str) -> tuple[float, float]:
    start = time.perf_counter()
    seen: list[float] = []
    index.about(subject, report=lambda _: seen.append(time.perf_counter() - start))
    all_s = time.perf_counter() - start
    return (seen[0] if seen else all_s), all_s
