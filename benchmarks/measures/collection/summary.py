"""Summary: how near its sentences come to what people wrote on an event up to a date, beside simpler choices.

For 64 pairs of an event and one of its dates, eight of each event, the updates before that date are summarised in three
sentences, out of a collection of all eight events, and compared with up to three human summaries (ROUGE F1 against the
best). The others choose among the same passages: "lead" takes the oldest sentences, "latest" the newest, "centroid"
those nearest to the mean of all. The weights of rag/overview/summary.py were chosen by every second event; the others
are "unseen".
"""

from __future__ import annotations

import json
import threading
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.harness.embedder import CachedEmbedder
from benchmarks.harness.report import Mean
from benchmarks.harness.rouge import rouge
from index import Article, Index
from rag.overview.summary import SUBJECT_PASSAGES, summarize
from rag.question import understand
from rag.relevance import RELEVANT, relevance

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rag.answer import Section

PAIRS = 8
"""Dates of each event, evenly spread among those with a human summary."""
FEWEST_BEFORE = 3
"""Updates before the first date."""
LENGTH = 3
"""Sentences of a summary; the human ones have 45 words."""

Chosen = tuple[str, str, str]
"""A sentence, the id of its article, and its date."""


def measure(data: Path, *, quick: bool) -> dict[str, dict[str, dict[str, Mean]]]:
    """ROUGE-1, -2 and -L of each system, and the share of its sentences that are of the event asked for."""
    lines = (data / "timelines" / "events.jsonl").read_text(encoding="utf-8").splitlines()
    events = [json.loads(line) for line in lines][: 2 if quick else None]
    scores: dict[str, list[dict[str, float]]] = {}
    seen: list[bool] = []
    embedder = CachedEmbedder()
    with TemporaryDirectory() as home, Index.open(home, embedder=embedder) as index:
        index.add(
            Article(f"{event['event']}/{number:03}", update["update"], published=update["date"])
            for event in events
            for number, update in enumerate(event["updates"])
        )
        for place, event in enumerate(events):
            able = [n for n, one in enumerate(event["updates"]) if one["backgrounds"] and n >= FEWEST_BEFORE]
            for number in (able[int((each + 0.5) * len(able) / PAIRS)] for each in range(2 if quick else PAIRS)):
                update = event["updates"][number]
                seen.append(place % 2 == 0)
                for name, chosen in _summaries(index, embedder, event["about"], update["date"]).items():
                    found = rouge(" ".join(text for text, _, _ in chosen), update["backgrounds"])
                    of_event = [article.startswith(event["event"]) for _, article, _ in chosen]
                    found["of the event"] = sum(of_event) / max(1, len(of_event))
                    scores.setdefault(name, []).append(found)
    tables = {f"summaries of {len(seen)} pairs of an event and a date": list(range(len(seen)))}
    tables["summaries of the unseen events"] = [place for place, is_seen in enumerate(seen) if not is_seen]
    return {
        title: {
            name: {measure: Mean.of([found[place][measure] for place in places]) for measure in found[0]}
            for name, found in scores.items()
        }
        for title, places in tables.items()
    }


def _summaries(index: Index, embedder: CachedEmbedder, about: str, date: str) -> dict[str, list[Chosen]]:
    """What each system chooses of the articles before a date."""
    question = understand(f"Summarise the coverage of {about} before:{date}", kind="summary")
    quiet = threading.Event()
    ours = summarize(question, index, limit=LENGTH, report=lambda _: None, cancel=quiet)
    found = index.search(about, SUBJECT_PASSAGES, before=date)
    hits = [hit for hit in found if relevance(about, hit) >= RELEVANT]
    sentences = [
        (span.of(hit.article.text), hit.article.id, hit.article.published or "")
        for hit in sorted(hits, key=lambda hit: (hit.article.published or "", hit.article.id, hit.start))
        for span in hit.sentences
    ]
    matrix = np.stack(list(embedder.embed_documents([text for text, _, _ in sentences])))
    nearest = np.argsort(-(matrix @ matrix.mean(axis=0)))[:LENGTH]
    return {
        "citewire": _quoted(ours.sections),
        "lead": sentences[:LENGTH],
        "latest": sentences[-LENGTH:],
        "centroid": [sentences[place] for place in nearest],
    }


def _quoted(sections: Sequence[Section]) -> list[Chosen]:
    return [(claim.text, one.article_id or "", one.date or "") for one in sections for claim in one.claims]
