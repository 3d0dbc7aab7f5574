"""Idle: the processor time that the page's engine takes while nobody asks, over a collection of which nothing is read.

Each setting runs in a process of its own, as long as reading takes at first and some minutes more. What counts is the
processor time of the whole process, by the minute: reading ahead, looking for something to read, and Python.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from benchmarks.harness import report
from index import Article, Index
from index.bag_of_words import BagOfWordsEmbedder
from rag import read_ahead
from rag.engine import Engine
from rag.settings import READ_AHEAD, Settings
from ui.backend import IDLE_S

if TYPE_CHECKING:
    import argparse

ARTICLES, PASSAGES = 1000, 4
"""More than light reads in a day, and full in an hour."""
SENTENCE = "Councillor {who} of district {place} asked in session {number} what bridge {place} would cost the town. "
MINUTE_S = 60.0


def options(parser: argparse.ArgumentParser) -> None:
    """How long."""
    parser.add_argument("--model", help="the LLM; the default one unless another is named")
    parser.add_argument("--minutes", type=float, default=8.0, help="for each setting but full")
    parser.add_argument(
        "--settle", type=float, default=5.0, help="minutes after which an idle minute is an average one"
    )
    parser.add_argument(
        "--settled", action="store_true", help="begin with nothing saved up, as after the first minutes"
    )
    parser.add_argument("--settings", nargs="+", choices=READ_AHEAD, default=list(READ_AHEAD))
    parser.add_argument("--be", nargs=2, metavar=("HOME", "SETTING"), help="be the engine; used by the benchmark")


def run(arguments: argparse.Namespace) -> None:
    """Measure each setting, print the table, write the result."""
    if arguments.be is not None:
        if arguments.settled:
            read_ahead.LIGHT_MOST_S = read_ahead.LIGHT_RESERVE_S + MINUTE_S * read_ahead.LIGHT_SHARE
        be(Path(arguments.be[0]), arguments.be[1], arguments.model, arguments.minutes)
        return
    measured: dict[str, Any] = {"articles": ARTICLES, "passages": ARTICLES * PASSAGES}
    with TemporaryDirectory() as folder:
        with Index.open(folder, embedder=BagOfWordsEmbedder()) as index:
            index.add([article(number) for number in range(ARTICLES)])
        for setting in arguments.settings:
            minutes = min(2.0, arguments.minutes) if setting == "full" else arguments.minutes
            given = ["--minutes", str(minutes), *(["--model", arguments.model] if arguments.model else [])]
            given += ["--settled"] * arguments.settled
            command = [sys.executable, "-m", "benchmarks", "idle", *given, "--be", folder, setting]
            lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()  # noqa: S603
            shares = [float(line) for line in lines]
            later = shares[0 if arguments.settled else round(arguments.settle) :]
            measured[setting] = {
                "share of one core, by the minute": shares,
                **({"share after it settled": round(sum(later) / len(later), 4)} if later else {}),
            }
            print(setting, measured[setting], flush=True)
    report.write("idle", models={"llm": arguments.model or "default"}, measured=measured)


def article(number: int) -> Article:
    """One of a length of PASSAGES passages, whose words are its own."""
    sentences = (SENTENCE.format(who=number * 97 + row, place=number, number=row) for row in range(PASSAGES * 7))
    return Article(f"a{number}", "".join(sentences), published=f"{2000 + number % 25}-{number % 12 + 1:02}-01")


def be(home: Path, setting: str, model: str | None, minutes: float) -> None:
    """Do what the page does while nobody asks, and print for each minute the share of a core that it took."""
    never = threading.Event()
    settings = Settings(llm=model, read_ahead=setting)
    with (
        Index.open(home, embedder=BagOfWordsEmbedder()) as index,
        Engine.open(index=index, settings=settings) as engine,
    ):
        engine.load()

        def idle() -> None:
            while not never.wait(IDLE_S):
                engine.read_ahead(never)

        thread = threading.Thread(target=idle, daemon=True)
        thread.start()
        for _ in range(round(minutes)):
            begun = time.process_time()
            time.sleep(MINUTE_S)
            print(round((time.process_time() - begun) / MINUTE_S, 4), flush=True)
        never.set()
