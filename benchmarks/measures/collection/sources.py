"""Sources: of a question on which several sources speak, which of them are quoted and read.

265 answers that people stitched from quotes of several sources (QuoteSum); all sources are one collection, each of an
outlet of its own. "comparison" asks what different outlets say and counts whom it quotes; "passages read" counts the
passages that the model would read for an answer, "best four passages" the four that a search finds best.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from benchmarks.harness.embedder import CachedEmbedder
from benchmarks.harness.report import Mean
from index import Article, Index
from rag import evidence
from rag.llm.scripted import ScriptedLLM
from rag.overview.comparison import compare
from rag.question import understand
from rag.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

MOST_SOURCES = 8
"""Sources of a question."""


def measure(data: Path, *, quick: bool) -> dict[str, dict[str, dict[str, Mean]]]:
    """Precision and recall of sources against those that a person quoted."""
    lines = (data / "quotesum" / "dev.jsonl").read_text(encoding="utf-8").splitlines()
    answers = [json.loads(line) for line in lines][: 12 if quick else None]
    articles = {one.id: one for answer in answers for one in _sources(answer).values()}
    scores: dict[str, list[tuple[float, float]]] = {}
    with TemporaryDirectory() as home, Index.open(home, embedder=CachedEmbedder()) as index:
        index.add(articles.values())
        searched = {one.article.id: one.copy_of.id for one in index.listing() if one.copy_of is not None}
        asked: dict[str, dict[str, set[str]]] = {}
        for answer in answers:
            question = answer["question"]
            found = asked[question] = asked.get(question) or _found(index, question)
            of_answer = _sources(answer)
            quoted = {int(number) for number in re.findall(r"\[ (\d) ", answer["summary"])}
            right = {searched.get(of_answer[one].id, of_answer[one].id) for one in quoted if one in of_answer}
            for name, ids in found.items():
                both = len(ids & right)
                scores.setdefault(name, []).append((both / len(ids) if ids else 0.0, both / max(1, len(right))))
    return {
        f"sources of {len(answers)} answers that quote several": {
            name: {"precision": Mean.of([one for one, _ in pairs]), "recall": Mean.of([one for _, one in pairs])}
            for name, pairs in scores.items()
        }
    }


def _sources(answer: dict[str, Any]) -> dict[int, Article]:
    """Number → source of an answer, as an article."""
    found = {}
    for number in range(1, MOST_SOURCES + 1):
        text = answer.get(f"source{number}", "").strip()
        if text:
            name = hashlib.sha256(text.encode()).hexdigest()[:12]
            found[number] = Article(name, text, title=answer[f"title{number}"] or None, source=f"Source {name}")
    return found


def _found(index: Index, question: str) -> dict[str, set[str]]:
    """System → ids of the sources it quotes or reads."""
    compared = understand(f"What do different outlets say about {question}", kind="comparison")
    quiet = threading.Event()
    overview = compare(compared, index, limit=MOST_SOURCES, report=lambda _: None, cancel=quiet)
    settings = Settings()
    hits = index.search(question, 4 * settings.passages)
    read = evidence.select(question, hits, ScriptedLLM(), settings)
    return {
        "comparison": {one.article_id for one in overview.sections if one.article_id},
        "passages read": {one.hit.article.id for one in read},
        "best four passages": {hit.article.id for hit in hits[: settings.passages]},
    }
