"""Collection: questions about the collection, one part for each thing that is measured.

    python -m benchmarks collection --parts kind,list

A part is a module here with `measure(data, *, quick)`, which returns the tables to print and keep: title → system →
measure → Mean. It is listed in PARTS. A run keeps the results of the parts that it does not measure.
"""

from __future__ import annotations

import json
from importlib import import_module
from typing import TYPE_CHECKING, Any

from benchmarks.harness import dataset, report

if TYPE_CHECKING:
    import argparse

PARTS = {
    "kind": "what kind of answer a question asks for",
    "language": "what language a question is in",
    "sources": "sources that are quoted where several speak",
    "summary": "words that summaries share with human ones",
    "timeline": "dates, articles, order and quotes of timelines",
    "mention": "lists of the articles that mention a name",
    "about": "lists of the articles that treat a subject",
    "rows": "the wait for the first row of a list over 100,000 sentences",
}


def options(parser: argparse.ArgumentParser) -> None:
    """Where the data is, how much of it to use, and which parts to measure."""
    dataset.options(parser)
    parser.add_argument(
        "--parts",
        type=lambda names: names.split(","),
        default=list(PARTS),
        metavar="NAME,…",
        help="; ".join(f"{name}: {about}" for name, about in PARTS.items()),
    )


def run(arguments: argparse.Namespace) -> None:
    """Measure each part, print its tables, and write the results beside those of the other parts."""
    if unknown := set(arguments.parts) - set(PARTS):
        raise SystemExit(f"--parts {','.join(sorted(unknown))}: there is no such part; choose among {', '.join(PARTS)}")
    measured: dict[str, Any] = {}
    for name in arguments.parts:
        found = import_module(f"{__name__}.{name}").measure(arguments.data, quick=arguments.quick)
        for title, rows in found.items():
            report.show(title, rows)
        measured[name] = found
    if not arguments.quick:
        path = report.RESULTS / "collection.json"
        known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        report.write(
            "collection", models={}, measured={name: known[name] for name in PARTS if name in known} | measured
        )
