"""Relevance: what is refused because nothing found speaks of it, and which passages are not worth reading.

Half of the titles of SQuAD 2 dev are indexed. Asked are their answerable questions, their impossible ones (on the
subject, but not answered by the paragraph they belong to), and questions about the other titles, which nothing
indexed speaks of. The baseline looks at the nearest sentence alone and refuses as many answerable questions.
"""

from __future__ import annotations

from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from benchmarks.harness import dataset, report
from benchmarks.harness.embedder import CachedEmbedder
from benchmarks.harness.report import Mean
from index import Index
from rag.evidence import LEAST_SHARE
from rag.relevance import RELEVANT, relevance
from rag.settings import Settings

if TYPE_CHECKING:
    import argparse

    from benchmarks.harness.dataset import Dataset, Question

PERCENTILES = (1, 2, 5, 10, 50)
options = dataset.options


@dataclass(frozen=True, slots=True)
class Asked:
    """What one question found: the best relevance and similarity of any hit, the scores as shares of the first
    one's, and the place of the paragraph that answers, from 0, if it was found."""

    relevance: float
    similarity: float
    shares: tuple[float, ...]
    gold: int | None


def run(arguments: argparse.Namespace) -> None:
    """Measure, print the tables, write the result."""
    embedder = CachedEmbedder()
    data = dataset.squad(arguments.data, quick=arguments.quick)
    kinds = ask(data, embedder)
    refused = refusals(kinds)
    report.show(f"refused, of all questions of a kind (threshold {RELEVANT})", refused)
    evidence = shares(kinds["answerable"])
    print("\nscores as shares of the first hit's, over the answerable questions")
    for name, value in evidence.items():
        print(f"  {name}: {value}")
    if not arguments.quick:
        thresholds = {"RELEVANT": RELEVANT, "LEAST_SHARE": LEAST_SHARE}
        measured: dict[str, Any] = {"thresholds": thresholds, "refused": refused, "evidence": evidence}
        report.write("relevance", models={"embedder": embedder.name}, measured=measured)


def ask(data: Dataset, embedder: CachedEmbedder) -> dict[str, list[Asked]]:
    """Kind of question → what each found in the index of the first half of the titles."""
    dev = [article for article in data.articles if article.id.startswith("dev-")]
    titles = list(dict.fromkeys(article.title for article in dev))
    indexed = set(titles[: len(titles) // 2])
    kinds: dict[str, list[Question]] = {"answerable": [], "impossible": [], "off the subject": []}
    for question in data.questions:
        on_subject = "answerable" if question.relevant else "impossible"
        kinds[on_subject if question.subject in indexed else "off the subject"].append(question)
    embedder.embed_queries([question.text for questions in kinds.values() for question in questions])
    with TemporaryDirectory() as home, Index.open(home, embedder=embedder) as index:
        index.add(article for article in dev if article.title in indexed)
        return {
            kind: [
                _asked(index, question) for question in tqdm(dataset.merged(questions, index), desc=kind, leave=False)
            ]
            for kind, questions in kinds.items()
        }


def refusals(kinds: dict[str, list[Asked]]) -> dict[str, dict[str, Mean]]:
    """System → kind → share refused."""
    answerable = kinds["answerable"]
    at = float(np.mean([asked.relevance < RELEVANT for asked in answerable]))
    nearest = float(np.quantile([asked.similarity for asked in answerable], at))
    return {
        "nearest sentence": {
            kind: Mean.of([float(asked.similarity < nearest) for asked in found]) for kind, found in kinds.items()
        },
        "citewire": {
            kind: Mean.of([float(asked.relevance < RELEVANT) for asked in found]) for kind, found in kinds.items()
        },
    }


def shares(answerable: list[Asked]) -> dict[str, Any]:
    """What LEAST_SHARE keeps, and what it loses."""
    most = Settings().passages
    later = [asked.shares[asked.gold] for asked in answerable if asked.gold]
    kept = [sum(share >= LEAST_SHARE for share in asked.shares[:most]) for asked in answerable]
    evidence: dict[str, Any] = {
        "paragraphs that answer and come second or later": len(later),
        f"passages of {most} that stay": Mean.of(kept),
    }
    if later:
        evidence[f"share of them under {LEAST_SHARE}"] = Mean.of([float(share < LEAST_SHARE) for share in later])
        evidence["percentiles of their share"] = {
            str(percent): round(float(np.percentile(later, percent)), 3) for percent in PERCENTILES
        }
    return evidence


def _asked(index: Index, question: Question) -> Asked:
    hits = index.search(question.text, 2 * Settings().passages)
    gold = [place for place, hit in enumerate(hits) if hit.article.id in question.relevant]
    return Asked(
        max(relevance(question.text, hit) for hit in hits),
        max(hit.similarity for hit in hits),
        tuple(hit.score / hits[0].score for hit in hits),
        gold[0] if gold else None,
    )
