"""Simulation: homes that fit no machine here, from what was measured on small ones.

benchmarks/results/growth.json has what a sentence costs at three sizes, and how long searches take there. Each figure
is taken to have a part that grows with the number of sentences, and larger homes follow from that: when one machine has
too little of something, and what a question takes when it is sent to many shards. There it waits for the slowest. A
question is drawn from the measured ones, which is easy or hard on every shard alike, and for each shard how much longer
the same question took in one round than in the next. Seeds are fixed.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from benchmarks.harness import plot, report
from benchmarks.measures.growth import SHARES

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

PLOT = Path(__file__).parents[2] / "docs" / "scale.svg"
HOMES = {"10 million": (10_000_000, (1, 2, 5, 10, 20, 50, 100)), "a billion": (10**9, (50, 100, 200, 500, 1000, 2000))}
"""Sentences in all, and into how many shards they are divided."""
QUESTIONS = 5_000
AT_ONCE = 500
CALLS = 2
"""To each shard for one question: its words are counted in all of them before a passage is scored in any."""
SECOND_TRY = 1.5
"""A shard that takes so many times as long as the median of the others is asked a second time, in a copy of it."""
SENTENCES_AN_ARTICLE = 65
"""Of news, as docs/scale.md counts them."""
GIB = 2**30


def options(parser: argparse.ArgumentParser) -> None:
    """The machines, and what is not measured here."""
    parser.add_argument("--cores", type=int, default=2, help="of one machine")
    parser.add_argument("--memory-gib", type=float, default=16.0, help="of one machine, for the index")
    parser.add_argument("--disk-gib", type=float, default=1000.0, help="of one machine, for the index")
    parser.add_argument(
        "--embedded-per-s",
        type=float,
        help="sentences that one machine embeds in a second (default: as `python -m benchmarks indexing` measured)",
    )
    parser.add_argument("--call-ms", type=float, default=1.0, help="to a shard and back")
    parser.add_argument("--send-ms", type=float, default=0.1, help="to send to one shard and take its answer, in turn")
    parser.add_argument("--deadline-ms", type=float, default=10_000.0, help="how long a question waits for the shards")
    parser.add_argument(
        "--stalled", type=float, default=1e-4, metavar="SHARE", help="of the answers of a shard that do not come"
    )
    parser.add_argument("--price-machine-hour", type=float, help="of such a machine; nothing is priced without it")
    parser.add_argument("--price-gib-month", type=float, default=0.0, help="of disk")


def run(arguments: argparse.Namespace) -> None:
    """Simulate, print the tables, draw the picture, write the result."""
    grown = Growth.of(_measured("growth")["sizes"])
    if arguments.embedded_per_s is None:
        arguments.embedded_per_s = _measured("indexing")["indexing"]["embedder alone, sentences/s, median"]
    first = limits(grown, arguments)
    fanned = {
        name: [fan_out(grown, total, shards, arguments) for shards in divided]
        for name, (total, divided) in HOMES.items()
    }
    million = cost(grown, arguments)
    _show("one machine reaches its limit at", [{"what": name, **row} for name, row in first.items()])
    for name, rows in fanned.items():
        _show(f"{name} sentences in shards", rows)
    _show("a million articles", [{"what": name, "": value} for name, value in million.items()])
    draw(fanned)
    report.write(
        "simulation",
        models={},
        measured={"laws": grown.described(), "one machine": first, "shards": fanned, "a million articles": million},
    )


@dataclass(frozen=True, slots=True)
class Law:
    """A figure that has a part of its own and one that grows with the number of sentences, or a power of it."""

    base: float
    slope: float
    power: float = 1.0

    @classmethod
    def of(cls, sizes: Sequence[int], values: Sequence[float], *, power: float = 1.0) -> Self:
        """Fitted to what was measured, each deviation as a share of its value. What falls with size is taken for
        constant."""
        slope, base = np.polyfit(np.power(sizes, power), values, 1, w=1 / np.asarray(values))
        if slope <= 0:
            return cls(float(values[-1]), 0.0, power)
        return cls(float(base), float(slope), power)

    def at(self, size: float) -> float:
        """The figure of so many sentences."""
        return float(self.base + self.slope * size**self.power)

    def reaches(self, limit: float) -> float:
        """How many sentences reach a limit."""
        over = max(0.0, limit - self.base)
        return math.inf if not self.slope else float((over / self.slope) ** (1 / self.power))


POWERS = {"make the snapshot anew": 1.5}
"""What does not grow in proportion: each vector is compared with the cells of its partition, of which there are twice
the square root of the vectors. Searches are taken to grow in proportion, as words do; vectors grow with the square
root."""


@dataclass(frozen=True, slots=True)
class Growth:
    """How everything grows with the number of sentences of a home."""

    figures: Mapping[str, Law]
    searches: tuple[Law, ...]
    """Milliseconds of a search, as its processor time, for each of SHARES of the questions."""
    rounds: tuple[float, ...]
    """What one question takes in one round, of its median: for each of SHARES of the rounds."""
    missed: Mapping[str, float]
    """The largest home as the smaller ones foretell it, of what was measured there."""

    @classmethod
    def of(cls, sizes: Mapping[str, Mapping[str, Any]]) -> Self:
        """Fitted to what `python -m benchmarks growth` wrote."""
        rows = list(sizes.values())
        counts = [int(row["sentences"]) for row in rows]
        columns: dict[str, list[float]] = {}
        for name, value in rows[0].items():
            if isinstance(value, float):
                times = counts if "a sentence" in name else [1] * len(rows)
                columns[name.replace(" a sentence", "")] = [row[name] * n for row, n in zip(rows, times, strict=True)]
        powers = {name: next((POWERS[begun] for begun in POWERS if name.startswith(begun)), 1.0) for name in columns}
        shares = [f"{share:g}" for share in SHARES]
        return cls(
            {name: Law.of(counts, values, power=powers[name]) for name, values in columns.items()},
            tuple(Law.of(counts, [row["search by question, processor ms"][share] for row in rows]) for share in shares),
            tuple(rows[-1]["search of one question, of its median"][share] for share in shares),
            {
                name: Law.of(counts[:-1], values[:-1], power=powers[name]).at(counts[-1]) / values[-1]
                for name, values in columns.items()
            },
        )

    def described(self) -> dict[str, Any]:
        """Each law as a text, and how well it foretells."""
        return {
            name: {
                "law": f"{law.base:.3g} + {law.slope:.3g} n^{law.power:g}",
                "the largest foretold, of what was measured": round(self.missed[name], 2),
            }
            for name, law in self.figures.items()
        }


def limits(grown: Growth, machine: argparse.Namespace) -> dict[str, dict[str, float]]:
    """For each thing that runs out on one machine: its limit, and how many sentences reach it, the fewest first."""
    figures = grown.figures
    found: dict[str, tuple[float, Law]] = {
        "median search, ms": (1000.0, grown.searches[SHARES.index(0.5)]),
        "first sync, s": (86_400.0, Law(0.0, 1 / machine.embedded_per_s)),
        "publish one article, processor s": (60.0, figures["publish one article, processor s"]),
        "make the snapshot anew, processor s": (3600.0, figures["make the snapshot anew, processor s"]),
        "first search of a process, s": (60.0, figures["first search, s"]),
        "memory, GiB": (machine.memory_gib, figures["memory, bytes"]),
        "disk, GiB": (machine.disk_gib, figures["database, bytes"]),
    }
    reached = {}
    for name, (limit, law) in found.items():
        unit = GIB if "GiB" in name else 1
        reached[name] = {"limit": limit, "sentences": law.reaches(limit * unit)}
    return dict(sorted(reached.items(), key=lambda item: item[1]["sentences"]))


def fan_out(grown: Growth, total: int, shards: int, given: argparse.Namespace) -> dict[str, float]:
    """What a question takes that waits for all of its shards, and what a deadline and a second try change."""
    generator = np.random.default_rng(shards)
    size = total / shards
    by_question = [law.at(size) for law in grown.searches]
    whole, twice, missing = [], [], []
    for _ in range(0, QUESTIONS, AT_ONCE):
        question = _drawn(generator, (AT_ONCE, 1), by_question)
        first, second = (_round(generator, grown, question, shards, given.stalled) for _ in range(2))
        first += CALLS * (given.send_ms * shards + given.call_ms)
        best = np.minimum(first, question * SECOND_TRY + second + CALLS * (given.send_ms * shards + given.call_ms))
        whole.append(first.max(axis=1))
        twice.append(best.max(axis=1))
        missing.append((first > given.deadline_ms).any(axis=1))
    waited, retried = (np.minimum(np.concatenate(some), given.deadline_ms) for some in (whole, twice))
    return {
        "shards": shards,
        "sentences each": size,
        "GiB of memory each": grown.figures["memory, bytes"].at(size) / GIB,
        "p50, ms": float(np.median(waited)),
        "p99, ms": float(np.quantile(waited, 0.99)),
        "p99 with a second try, ms": float(np.quantile(retried, 0.99)),
        "answers with a shard missing": float(np.mean(np.concatenate(missing))),
        "questions a second": 1000 * given.cores / grown.figures["search, p50 of processor ms"].at(size),
    }


def _round(
    generator: np.random.Generator, grown: Growth, question: NDArray[np.float64], shards: int, stalled: float
) -> NDArray[np.float64]:
    """Milliseconds of each shard, shape (questions, shards); inf for a shard that does not answer."""
    took = question * _drawn(generator, (len(question), shards), grown.rounds)
    return np.where(generator.random(took.shape) < stalled, np.inf, took)


def _drawn(generator: np.random.Generator, shape: tuple[int, ...], quantiles: Sequence[float]) -> NDArray[np.float64]:
    """Values of a distribution that has these at SHARES."""
    drawn: NDArray[np.float64] = np.interp(generator.random(shape), SHARES, quantiles)
    return drawn


def cost(grown: Growth, machine: argparse.Namespace) -> dict[str, float]:
    """What a million articles take: hours of a machine once, and memory and disk for as long as they are kept."""
    size = 1e6 * SENTENCES_AN_ARTICLE
    shard = grown.figures["memory, bytes"].reaches(machine.memory_gib * GIB)
    embedding = size / machine.embedded_per_s / 3600
    indexing = (
        size
        / 1000
        * grown.figures["index a thousand sentences, processor s"].at(min(size, shard))
        / 3600
        / machine.cores
    )
    found = {
        "sentences": size,
        "machine-hours of embedding": embedding,
        "machine-hours of everything else": indexing,
        "GiB of memory": grown.figures["memory, bytes"].at(size) / GIB,
        "GiB of disk": (grown.figures["database, bytes"].at(size) + grown.figures["snapshot, bytes"].at(size)) / GIB,
        "machines, by memory": math.ceil(size / shard),
    }
    if machine.price_machine_hour is not None:
        found["price of the first sync"] = (embedding + indexing) * machine.price_machine_hour
        found["price of a month"] = (
            found["machines, by memory"] * 730 * machine.price_machine_hour
            + found["GiB of disk"] * machine.price_gib_month
        )
    return found


def draw(fanned: Mapping[str, Sequence[Mapping[str, float]]]) -> None:
    """p50 and p99 by the number of shards, both axes by powers of ten."""
    points = {
        f"{name}, {share}": [(math.log10(row["shards"]), math.log10(row[f"{share}, ms"])) for row in rows]
        for name, rows in fanned.items()
        for share in ("p50", "p99")
    }
    most_x = max(x for curve in points.values() for x, _ in curve)
    low = math.floor(min(y for curve in points.values() for _, y in curve))
    high = math.ceil(max(y for curve in points.values() for _, y in curve))
    scaled = {name: [(x / most_x, (y - low) / (high - low)) for x, y in curve] for name, curve in points.items()}
    plot.write(
        PLOT,
        across="shards",
        up="milliseconds of a search",
        curves=scaled,
        ticks_across=[(power / most_x, f"{10**power:,}") for power in range(math.floor(most_x) + 1)],
        ticks_up=[((power - low) / (high - low), f"{10**power:,}") for power in range(low, high + 1)],
    )


def _measured(name: str) -> dict[str, Any]:
    path = report.RESULTS / f"{name}.json"
    if not path.is_file():
        raise SystemExit(f"{path} is missing; run: python -m benchmarks {name}")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _show(title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    names = list(rows[0])
    cells = [
        [f"{value:,.4g}" if isinstance(value, (int, float)) else str(value) for value in row.values()] for row in rows
    ]
    widths = [max(len(name), *(len(row[place]) for row in cells)) for place, name in enumerate(names)]
    print(f"\n{title}")
    for row in [names, *cells]:
        print("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))
