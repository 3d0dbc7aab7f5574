"""`python -m benchmarks NAME …`: run one measurement, print its table, write benchmarks/results/NAME.json.

A measurement is a module of benchmarks/measures with `options(parser)` and `run(arguments)`, listed in MEASUREMENTS.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

MEASUREMENTS = {
    "answers": "whether answers are right, cited, refused when they should be, and quick, beside a naive prompt",
    "answerability": "fit and measure the decision whether to answer",
    "beside": "how much longer a search takes while articles are indexed",
    "cluster": "whether shards on a Ray cluster give the hits of one index, and what they cost",
    "collection": "questions about the collection: their kinds, lists, timelines, comparisons, summaries",
    "disagreement": "how often changed numbers are noticed, and how often articles that agree raise an alarm",
    "doors": "what `citewire serve` costs beside the engine, and whether it stands crowds and broken requests",
    "drafts": "whether a check tells true sentences of a draft from altered ones and from those about nothing",
    "duplicates": "whether reprints of a story are recognized and different stories are kept apart",
    "events": "whether forged page events can act on what their tab was not shown",
    "faults": "what is lost when a writer is killed or fails at any step",
    "growth": "what a sentence costs in time, memory and disk as a home grows",
    "idle": "the processor time that the engine takes while nobody asks",
    "indexing": "sentences indexed per second, and the cost of a sync without changes",
    "page": "the time to open the page, and from Enter to the evidence",
    "peers": "a whole sync beside LlamaIndex, txtai and LangChain on the same files and embedder",
    "reading": "text, title, byline and date of saved web pages",
    "relevance": "whether questions about other subjects are refused, and which passages are not worth reading",
    "retrieval": "recall of the right passage, for single questions and follow-ups",
    "scale": "search among 100,000 sentences and a million vectors",
    "screens": "pictures of every state of the page, for docs/screens",
    "simulation": "homes of ten million and a billion sentences, in shards, from what `growth` measured",
    "soak": "memory, descriptors, threads and data of the page under use for minutes",
    "starting": "whole processes of the command line, beside one that imports PyTorch",
    "support": "how well supported claims are told from unsupported ones",
    "tab": "memory of the page while one tab asks many questions",
    "writing": "tokens a second of answers, with guesses from the passages and without",
}
TRAINING = {"lessons": "write the training examples of an adapter, for benchmarks.adapter.train"}


def main(argv: list[str] | None = None) -> int:
    """Parse the command line and run what it names."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure Citewire.")
    commands = parser.add_subparsers(required=True, metavar="NAME")
    for name, help_text in (MEASUREMENTS | TRAINING).items():
        command = commands.add_parser(name, help=help_text)
        measurement = import_module(
            "benchmarks.adapter.examples" if name in TRAINING else f"benchmarks.measures.{name}"
        )
        measurement.options(command)
        command.set_defaults(run=measurement.run)
    arguments = parser.parse_args(argv)
    arguments.run(arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
