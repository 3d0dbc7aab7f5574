"""About: whether a list has the articles that treat a subject, and no other.

602 dated updates of eight events are one collection, each an article without a title. "Which articles are about …?" is
asked of each event; many updates do not name it. The weights and the threshold of index/about.py were fitted by
logistic regression on the first four events and on half of SQuAD 2's titles, so that the last four are the measure.
"plain search" is cut at the threshold that is best for the very events it is measured on.
"""

from __future__ import annotations

import json
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks.harness.embedder import SharedCachedEmbedder
from benchmarks.measures.collection.mention import scored
from index import Article, Index

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from benchmarks.harness.report import Mean


def measure(data: Path, *, quick: bool) -> dict[str, dict[str, dict[str, Mean]]]:
    """Precision and recall of the articles found, each the mean over the events."""
    lines = (data / "timelines/events.jsonl").read_text(encoding="utf-8").splitlines()
    events = [json.loads(line) for line in lines]
    # The smallest event of either half.
    events = [events[2], events[4]] if quick else events
    articles = [
        Article(f"{event['event']} {number}", update["update"], published=update["date"])
        for event in events
        for number, update in enumerate(event["updates"])
    ]
    with TemporaryDirectory() as home, Index.open(home, embedder=SharedCachedEmbedder()) as index:
        index.add(articles)
        halves = {"last events": events[len(events) // 2 :], "first events, fitted on": events[: len(events) // 2]}
        tables = {}
        for title, some in halves.items():
            wanted = {
                event["about"]: {one.id for one in articles if one.id.startswith(f"{event['event']} ")}
                for event in some
            }
            listed = {subject: [one.article.id for one in index.about(subject)] for subject in wanted}
            plain = {subject: ranked(index, subject, len(articles)) for subject in wanted}
            tables[f"articles about the {title}"] = {
                "citewire": scored([(listed[subject], ids) for subject, ids in wanted.items()]),
                "plain search, best cut": best_cut(plain, wanted),
            }
    return tables


def ranked(index: Index, subject: str, k: int) -> dict[str, float]:
    """Article → score of its best passage."""
    scores: dict[str, float] = {}
    for hit in index.search(subject, k):
        scores.setdefault(hit.article.id, hit.score)
    return scores


def best_cut(plain: Mapping[str, Mapping[str, float]], wanted: Mapping[str, set[str]]) -> dict[str, Mean]:
    """The scores of the one threshold for all subjects that has the best mean of F1."""

    def cut(least: float) -> list[tuple[Sequence[str], set[str]]]:
        return [([one for one, score in plain[name].items() if score >= least], wanted[name]) for name in wanted]

    def f1(least: float) -> float:
        both = [(len(set(found) & ids), len(found) + len(ids)) for found, ids in cut(least)]
        return sum(2 * correct / (total or 1) for correct, total in both)

    return scored(cut(max((step / 100 for step in range(10, 160)), key=f1)))
