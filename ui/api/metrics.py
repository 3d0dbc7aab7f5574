"""Metrics: counts and times of what the doors did, in the text format of Prometheus. Knows no server.

No label holds text of a question or an article, nor a name that a client chose, so their number is bounded.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import defaultdict
from typing import TYPE_CHECKING

from rag.answer import Reason

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rag import Answer

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
"""Upper bounds of the buckets: from a search, some milliseconds, to a long answer on a slow machine."""

Labels = tuple[tuple[str, str], ...]


class Metrics:
    """Safe to use from several threads."""

    def __init__(self) -> None:
        """Nothing is counted yet."""
        self._counters: dict[str, dict[Labels, float]] = {name: defaultdict(float) for name in COUNTERS}
        self._histograms: dict[str, dict[Labels, _Histogram]] = {name: defaultdict(_Histogram) for name in HISTOGRAMS}
        self._lock = threading.Lock()

    def count(self, name: str, number: float = 1, **labels: str) -> None:
        """Add to a counter of COUNTERS."""
        with self._lock:
            self._counters[name][tuple(labels.items())] += number

    def observe(self, name: str, seconds: float, **labels: str) -> None:
        """Add a duration to a histogram of HISTOGRAMS."""
        with self._lock:
            self._histograms[name][tuple(labels.items())].add(seconds)

    def answered(self, answer: Answer, *, tokens: int) -> None:
        """Count an answer, why it was refused if it was, its stages, and the tokens of its drafts."""
        self.count("citewire_answers_total", kind=answer.kind, refused=str(answer.refused).lower())
        if answer.refused:
            self.count("citewire_refusals_total", reason=str(answer.reason))
        self.count("citewire_draft_tokens_total", tokens)
        if answer.reason == Reason.CANCELLED:
            self.count("citewire_abandoned_total")
        for stage, seconds in answer.timings.items():
            self.observe("citewire_answer_stage_seconds", seconds, stage=stage)

    def text(self, gauges: Iterable[tuple[str, str, Labels, float]]) -> str:
        """Everything, with these gauges: name, help, labels and value of each."""
        lines: list[str] = []
        with self._lock:
            for name, help_text in COUNTERS.items():
                lines += [f"# HELP {name} {help_text}", f"# TYPE {name} counter"]
                lines += [f"{name}{_labels(key)} {_number(value)}" for key, value in self._counters[name].items()]
            for name, help_text in HISTOGRAMS.items():
                lines += [f"# HELP {name} {help_text}", f"# TYPE {name} histogram"]
                for key, histogram in self._histograms[name].items():
                    lines += histogram.lines(name, key)
        seen: set[str] = set()
        for name, help_text, key, value in gauges:
            if name not in seen:
                lines += [f"# HELP {name} {help_text}", f"# TYPE {name} gauge"]
                seen.add(name)
            lines.append(f"{name}{_labels(key)} {_number(value)}")
        return "\n".join([*lines, ""])


COUNTERS = {
    "citewire_requests_total": "Requests by door, route and status.",
    "citewire_answers_total": "Answers by kind, and whether they are refusals.",
    "citewire_refusals_total": "Refused questions by reason.",
    "citewire_draft_tokens_total": "Tokens of drafts that the model wrote.",
    "citewire_abandoned_total": "Questions and checks whose client went away before the end.",
}
HISTOGRAMS = {
    "citewire_request_seconds": "Time from a request to the end of its response, by door.",
    "citewire_answer_stage_seconds": "Time of each stage of an answer.",
}


class _Histogram:
    def __init__(self) -> None:
        self._buckets = [0] * (len(BOUNDS_S) + 1)
        self._sum_s = 0.0

    def add(self, seconds: float) -> None:
        self._buckets[bisect_left(BOUNDS_S, seconds)] += 1
        self._sum_s += seconds

    def lines(self, name: str, key: Labels) -> list[str]:
        lines, total = [], 0
        for bound, number in zip((*map(_number, BOUNDS_S), "+Inf"), self._buckets, strict=True):
            total += number
            lines.append(f"{name}_bucket{_labels((*key, ('le', bound)))} {total}")
        return [*lines, f"{name}_sum{_labels(key)} {_number(self._sum_s)}", f"{name}_count{_labels(key)} {total}"]


def _labels(key: Labels) -> str:
    pairs = [f'{name}="{_escaped(value)}"' for name, value in key]
    return f"{{{','.join(pairs)}}}" if pairs else ""


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(round(value, 6))
