"""Starting: whole processes of the command line, each in turn with one that only imports PyTorch."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.harness import report
from index.embedder import SentenceEmbedder

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

TOP = Path(__file__).parents[2]
ROUNDS = 5
PACKAGES = ("faiss-cpu", "onnxruntime", "sentence-transformers", "torch")
PYTORCH = ("-c", "import torch")
COMMANDS = {
    "--version": ("--version",),
    "search": ("search", "peace talks"),
    "index sync, nothing new": ("index", "sync"),
    "index list": ("index", "list"),
}


def options(parser: argparse.ArgumentParser) -> None:
    """How often each pair is run."""
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--quick", action="store_true", help="one round, without writing the result")


def run(arguments: argparse.Namespace) -> None:
    """Measure, print, write the result."""
    embedder = SentenceEmbedder()
    embedder.load()  # the comparison with sentence-transformers is made once
    with TemporaryDirectory() as home:
        _process(["-m", "ui.cli", "index", "add", str(TOP / "seeds")], home)
        measured = measure(home, 1 if arguments.quick else arguments.rounds)
    print("\n" + "\n".join(f"  {name:64}{value:>8.3g}" for name, value in measured.items()))
    if not arguments.quick:
        report.write("starting", models={"embedder": embedder.name}, packages=PACKAGES, measured={"starting": measured})


def measure(home: str, rounds: int) -> dict[str, float]:
    """Seconds of processor time and of waiting, and their ratios to those of importing PyTorch: medians."""
    measured: dict[str, float] = {}
    pytorch: list[tuple[float, float]] = []
    for name, command in COMMANDS.items():
        ours = ["-m", "ui.cli", *command]
        _process(ours, home)  # not counted: files come into memory
        _process(PYTORCH, home)
        pairs = [(_process(ours, home), _process(PYTORCH, home)) for _ in range(rounds)]
        pytorch += [other for _, other in pairs]
        for place, what in enumerate(("processor", "waiting")):
            measured[f"{name}, {what}, s"] = float(np.median([one[place] for one, _ in pairs]))
            ratios = [one[place] / other[place] for one, other in pairs]
            measured[f"{name}, {what}, against importing PyTorch"] = float(np.median(ratios))
    for place, what in enumerate(("processor", "waiting")):
        measured[f"importing PyTorch, {what}, s"] = float(np.median([one[place] for one in pytorch]))
    return measured


def _process(arguments: Sequence[str], home: str) -> tuple[float, float]:
    """Seconds of processor time, and from start to end."""
    environment = os.environ | {"CITEWIRE_HOME": home, "PYTHONPATH": str(TOP)}
    start, before = time.perf_counter(), os.times()
    subprocess.run([sys.executable, *arguments], env=environment, stdout=subprocess.DEVNULL, check=True)  # noqa: S603
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return used, time.perf_counter() - start
