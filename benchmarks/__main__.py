"""`python -m benchmarks NAME …`: run one measurement, print its table, write benchmarks/results/NAME.json.

A measurement is a module here with `options(parser)` and `run(arguments)`; add it to MEASUREMENTS.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

MEASUREMENTS = {
    "answers": "right answers, refusals, citations, hidden instructions and waiting, against a naive prompt",
    "answerability": "fitting and judging whether to answer at all",
    "events": "hand-made events, none of which may act on what its tab was not shown",
    "indexing": "the rate of indexing, and the cost of a sync of nothing new",
    "disagreement": "noticing that articles tell a fact differently, and only then",
    "duplicates": "recognizing a story that another outlet prints, and keeping different stories apart",
    "lessons": "what an adapter of the default model is to learn (benchmarks/tuning.py)",
    "faults": "every writer killed or failed at every step: what is lost",
    "beside": "searches while articles are indexed",
    "page": "opening the page, and how long after Enter the evidence is seen",
    "reading": "text, title, byline and date of saved web pages",
    "relevance": "refusing what the articles do not speak of, and passages not worth reading",
    "retrieval": "finding the passage, for single questions and for follow-ups",
    "screens": "pictures of every state of the page, in docs/screens",
    "tab": "the memory of the page while one tab asks and asks",
    "soak": "the page under use for minutes: memory, descriptors and threads stay flat, nothing is lost",
    "support": "telling the claims that a page carries from those it does not",
    "scale": "a search among 100,000 sentences, and a million vectors",
}


def main(argv: list[str] | None = None) -> int:
    """Parse the command line and run what it names."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure Citewire.")
    commands = parser.add_subparsers(required=True, metavar="NAME")
    for name, help_text in MEASUREMENTS.items():
        command = commands.add_parser(name, help=help_text)
        measurement = import_module(f"benchmarks.{name}")
        measurement.options(command)
        command.set_defaults(run=measurement.run)
    arguments = parser.parse_args(argv)
    arguments.run(arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
