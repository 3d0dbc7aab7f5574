"""Timeline: whether its dates and its articles are those of the event asked for, its order, its quotes, and its wait.

602 dated updates of eight events are one collection; a timeline of each event, as long as the number of its dates, is
compared with those dates. All eight events were looked at while the rules were chosen, so none is held out. "plain
search" takes the dates of the articles found best, as many.

With the dates of publication taken away, only dates in the text are there. timeline_dates.tsv says of 100 entries, from
the updates and from SQuAD 2's paragraphs, whether a reader found the date to be that of what the sentence reports.
"""

from __future__ import annotations

import csv
import json
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks.harness import dataset
from benchmarks.harness.embedder import CachedEmbedder
from benchmarks.harness.report import Mean
from index import Article, Index
from rag.dates import span
from rag.overview.timeline import timeline
from rag.question import understand

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rag.answer import Section

SHEET = Path(__file__).with_name("timeline_dates.tsv")
FIRST = 4
"""The first events of the file, shown apart from the others to see how much events differ."""
EACH_TITLE, EACH_EVENT = 4, 60
"""Entries of the timelines of which the sheet judges the first 95 and all 5."""


@dataclass(frozen=True, slots=True)
class Event:
    """An event, a name to ask for it by, and its updates."""

    name: str
    about: str
    updates: tuple[Article, ...]

    @property
    def dates(self) -> frozenset[str]:
        """The days of its updates."""
        return frozenset(update.published or "" for update in self.updates)


Rows = dict[str, dict[str, Mean]]


def measure(data: Path, *, quick: bool) -> dict[str, Rows]:
    """Dates, events, order, quotes; dates in the text alone; the wait for the first row."""
    known = events(data)
    with opened(update for event in known for update in event.updates) as index:
        scores = {name: [judge(index, event) for event in known] for name, judge in SYSTEMS.items()}
        searches = [_searches_before_a_row(index, event.about) for event in known]
    parts = {"first four": slice(0, FIRST), "others": slice(FIRST, None), "all": slice(None)}
    return {
        f"timelines of {len(known)} events": {
            f"{system}, {part}": {name: Mean.of([one[name] for one in found[events_of]]) for name in found[0]}
            for system, found in scores.items()
            for part, events_of in parts.items()
        },
        "dates in the text alone": {"citewire": _judged(data, known, quick=quick)},
        "first row of a timeline": {"citewire": {"searches": Mean.of(searches)}},
    }


def events(data: Path) -> list[Event]:
    """The events, each update as an article."""
    lines = (data / "timelines" / "events.jsonl").read_text(encoding="utf-8").splitlines()
    found = []
    for event in map(json.loads, lines):
        updates = tuple(
            Article(f"{event['event']}/{number}", update["update"], published=update["date"])
            for number, update in enumerate(event["updates"])
        )
        found.append(Event(event["event"], event["about"], updates))
    return found


@contextmanager
def opened(articles: Iterator[Article] | Sequence[Article]) -> Iterator[Index]:
    """An index of these articles."""
    with TemporaryDirectory() as home, Index.open(home, embedder=CachedEmbedder()) as index:
        index.add(articles)
        yield index


def rows(index: Index, about: str, limit: int) -> tuple[Section, ...]:
    """The timeline of something."""
    question = understand(f"Give me a timeline of {about}.")
    return timeline(question, index, limit=limit, report=lambda _: None, cancel=threading.Event()).sections


def _citewire(index: Index, event: Event) -> dict[str, float]:
    found = rows(index, event.about, len(event.dates))
    exact = [claim.citations[0].quote == claim.text for row in found for claim in row.claims]
    dated = [(row.date or "", row.article_id or "") for row in found]
    return {**_scores(event, dated), "exact quotes": _share(exact)}


def _plain_search(index: Index, event: Event) -> dict[str, float]:
    hits = index.search(event.about, 5 * len(event.dates))
    found = list(dict.fromkeys((hit.article.published or "", hit.article.id) for hit in hits))[: len(event.dates)]
    return {**_scores(event, found), "exact quotes": 1.0}


SYSTEMS = {"citewire": _citewire, "plain search": _plain_search}


def _scores(event: Event, found: Sequence[tuple[str, str]]) -> dict[str, float]:
    """Of pairs of a date and an article."""
    dates = {date for date, _ in found}
    right = len(dates & event.dates)
    own = [article_id.startswith(f"{event.name}/") for _, article_id in found]
    spans = [span(date) for date, _ in found]
    return {
        "date F1": 2 * right / (len(dates) + len(event.dates)),
        "right event": _share(own),
        "in order": _share([one[0] <= after[1] for one, after in pairwise(spans)]),
    }


def _share(values: Sequence[bool]) -> float:
    return sum(values) / len(values) if values else 0.0


def _judged(data: Path, known: Sequence[Event], *, quick: bool) -> dict[str, Mean]:
    """Of the entries that a reader has judged, the share that is right; of those found, the share that was judged."""
    with SHEET.open(encoding="utf-8", newline="") as file:
        verdicts = {
            (row["article"], int(row["start"]), row["date"]): row["right"] == "yes"
            for row in csv.DictReader(file, delimiter="\t")
        }
    found: list[Section] = []
    with opened(replace(update, published=None) for event in known for update in event.updates) as index:
        found += [row for event in known for row in rows(index, event.about, EACH_EVENT)]
    paragraphs = dataset.squad(data, quick=quick).articles
    with opened(paragraphs) as index:
        titles = dict.fromkeys(article.title or "" for article in paragraphs)
        found += [row for title in titles for row in rows(index, title, EACH_TITLE)]
    keys = [(row.article_id or "", row.claims[0].citations[0].start, row.date or "") for row in found]
    judged = [verdicts[key] for key in keys if key in verdicts]
    return {"right": Mean.of(judged), "judged": Mean.of([key in verdicts for key in keys])}


def _searches_before_a_row(index: Index, about: str) -> float:
    """The wait for the first row, in times that a search for the same takes."""
    waits: list[float] = []
    question = understand(f"Give me a timeline of {about}.")
    index.search(about)
    begun = time.perf_counter()
    index.search(about)
    search_s = time.perf_counter() - begun
    begun = time.perf_counter()

    def report(_: Section) -> None:
        waits.append(time.perf_counter() - begun)

    timeline(question, index, limit=None, report=report, cancel=threading.Event())
    return waits[0] / search_s
