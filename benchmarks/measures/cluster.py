"""Cluster: whether shards on a Ray cluster give the hits of one index in its order, what they cost, and what is lost.

The cluster is a real one of one machine, with a process for each shard. Each question is put to the index and to the
shards in turn, so the ratios of times are those of one run; where four shards share two processors, they show what the
steps of a question cost and not what more machines gain. The vectors are made as in `python -m benchmarks scale`.
"""

from __future__ import annotations

import contextlib
import os
import random
import secrets
from collections import Counter
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.harness import dataset, report
from benchmarks.harness.embedder import CachedDocumentsEmbedder, SharedCachedEmbedder
from benchmarks.measures.collection.timeline import events
from benchmarks.measures.scale import synthetic, timed
from index import Index
from index.passage import sentences
from index.ranking import CANDIDATES
from index.shard_actors import ShardActors
from index.vectors import Vectors

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from index import Article

TOP = Path(__file__).parents[2]
K = 10
SHARDS = 4
TIMED = 150
"""Questions that are embedded for real, to be timed."""
NEAR_QUERIES = 200
STORE_BYTES = 80 << 20
"""Of a node's object store: the least that Ray takes."""


def options(parser: argparse.ArgumentParser) -> None:
    """How many."""
    dataset.options(parser)
    parser.add_argument("--questions", type=int, default=1000, help="of SQuAD 2 that are compared, 0 for none")
    parser.add_argument("--vectors", type=int, default=1_000_000, help="made vectors, 0 to leave them out")


def run(arguments: argparse.Namespace) -> None:
    """Measure, print the tables, write the result."""
    squad = dataset.squad(arguments.data, quick=arguments.quick)
    scale = 20 if arguments.quick else 1
    draw = random.Random(0)
    texts = [question.text for question in squad.questions]
    asked = draw.sample(texts, min(len(texts), arguments.questions // scale))
    known = events(arguments.data)
    updates = [update for event in known for update in event.updates]
    about = [event.about for event in known]
    about += [sentences(update.text)[0].of(update.text) for update in draw.sample(updates, 200 // scale)]
    embedder = SharedCachedEmbedder()

    def keep(title: str, values: dict[str, float]) -> None:
        """Print a table, and write it beside those of earlier runs: the whole takes long."""
        print(f"\n{title}\n" + "\n".join(f"  {name:52}{value:>14,.4g}" for name, value in values.items()))
        if not arguments.quick:
            models, packages = {"embedder": embedder.name}, (*report.PACKAGES, "ray")
            measured = {"cluster": {title: values}}
            report.write("cluster", models=models, measured=measured, packages=packages, beside_earlier=True)

    if arguments.questions:
        with cluster() as address:
            keep("SQuAD 2", compare(address, squad.articles, asked, embedder))
            keep("timelines", compare(address, updates, about, embedder))
    if arguments.vectors:
        real = embedder.embed_documents(
            list(dict.fromkeys(span.of(one.text) for one in squad.articles for span in sentences(one.text)))
        )
        queries = embedder.embed_queries(draw.sample(texts, NEAR_QUERIES))
        keep("made vectors", near(synthetic(real, arguments.vectors // scale), queries))


@contextlib.contextmanager
def cluster() -> Iterator[str]:
    """The address of a cluster of one machine, which ends with the block."""
    given = {
        "PYTHONPATH": str(TOP),  # its processes need Citewire
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
    }
    os.environ.update(given)  # before Ray is imported, which reads them then
    from ray.cluster_utils import Cluster

    node: dict[str, Any] = {"object_store_memory": STORE_BYTES, "include_dashboard": False}
    made = Cluster(initialize_head=True, head_node_args={**node, "num_cpus": 1})
    try:
        yield made.address
    finally:
        made.shutdown()  # type: ignore[no-untyped-call]


def compare(
    address: str, articles: Sequence[Article], asked: Sequence[str], embedder: SharedCachedEmbedder
) -> dict[str, float]:
    """Hits of the shards against those of one index, with times; a shard is killed and the others get its articles."""
    live = CachedDocumentsEmbedder()
    with (
        TemporaryDirectory() as folder,
        ShardActors(address) as shards,
        Index.open(f"{folder}/home", embedder=embedder) as one,
        Index.open(f"{folder}/home", embedder=embedder, shards=shards) as several,
        Index.open(f"{folder}/home", embedder=live) as one_live,
        Index.open(f"{folder}/home", embedder=live, shards=shards) as several_live,
    ):
        one.add(articles)
        shards.start(embedder.name, each=SHARDS, folder=f"{folder}/shards")
        _, (spread_ms,) = timed(lambda _: several.spread(replace_other=True), [None])
        found: Counter[str] = Counter()
        alone: list[float] = []
        shared: list[float] = []
        for question in asked:
            (expected,), (first_ms,) = timed(lambda text: one.search(text, K), [question])
            (given,), (second_ms,) = timed(lambda text: several.search(text, K), [question])
            alone.append(first_ms)
            shared.append(second_ms)
            places = [[(hit.article.id, hit.start) for hit in hits] for hits in (expected, given)]
            found["same hits"] += set(places[0]) == set(places[1])
            found["same order"] += places[0] == places[1]
            found["same scores"] += list(given) == list(expected)
        whole = [timed(index.search, asked[:TIMED])[1] for index in (one_live, several_live)]
        there = {article.id for article in articles}
        lost, *rest = shards.live
        shards.stop(lost)
        named = several.search(asked[0]).missing == (lost,)
        moved = several.spread(rest)
        after = sum(several.search(text, K) == one.search(text, K) for text in asked[:TIMED])
        result = {
            "articles": len(there),
            "sentences": one.stats().sentences,
            "shards": SHARDS,
            "questions": len(asked),
            **{f"lists of {K} with the {what}": found[what] / len(asked) for what in found},
            "search without embedding, one index, p50 ms": float(np.median(alone)),
            "search without embedding, shards, p50 ms": float(np.median(shared)),
            "search, one index, p50 ms": float(np.median(whole[0])),
            "search, shards, p50 ms": float(np.median(whole[1])),
            "search, shards against one index, p50": float(np.median(whole[1]) / np.median(whole[0])),
            "articles copied a second": 1000 * len(there) / spread_ms,
            "a lost shard is named": float(named),
            "articles lost after a shard was": float(len(there) - sum(moved.articles.values())),
            f"equal lists of {K} after that": after / len(asked[:TIMED]),
        }
        for name in shards.live:
            shards.stop(name)
    return result


def near(matrix: NDArray[np.float32], queries: NDArray[np.float32]) -> dict[str, float]:
    """Vectors in shards against all in one, one after the other on this machine: recall, and milliseconds."""
    ids = np.arange(len(matrix), dtype=np.int64)
    exact = [set(np.argpartition(-(matrix @ query), K)[:K].tolist()) for query in queries]
    whole = Vectors.build(1, ids, lambda some: matrix[some])
    found, alone = timed(lambda query: whole.search(query, CANDIDATES), queries)
    shards = [Vectors.build(1, ids[first::SHARDS], lambda some: matrix[some]) for first in range(SHARDS)]
    each = [timed(partial(Vectors.search, shard, k=CANDIDATES), queries) for shard in shards]
    merged = []
    for which, query in enumerate(queries):
        some = np.array([one for of_shard, _ in each for one in of_shard[which]])
        merged.append(some[np.argsort(-(matrix[some] @ query))][:CANDIDATES].tolist())
    times = np.array([ms for _, ms in each])
    return {
        "vectors": len(matrix),
        "shards": SHARDS,
        f"recall@{K} among {CANDIDATES}, one": _recall(exact, found),
        f"recall@{K} among {CANDIDATES}, shards": _recall(exact, merged),
        "one, p50 ms": float(np.median(alone)),
        "slowest shard, p50 ms": float(np.median(times.max(axis=0))),
        "all shards one after the other, p50 ms": float(np.median(times.sum(axis=0))),
        "slowest shard against one, p50": float(np.median(times.max(axis=0)) / np.median(alone)),
        "all shards against one, p50": float(np.median(times.sum(axis=0)) / np.median(alone)),
    }


def _recall(exact: Sequence[set[int]], found: Sequence[Sequence[int]]) -> float:
    return float(np.mean([len(true & set(some)) / K for true, some in zip(exact, found, strict=True)]))
