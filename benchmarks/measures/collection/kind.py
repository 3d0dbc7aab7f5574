"""Kind: how often the kind of a question is read right, and how often a question for a fact stays one.

kinds.tsv holds 204 questions that were labeled before rag/kind.py was written: kind, question, and the question before
it for a follow-up. The patterns were written while looking at one half of them, and of SQuAD's and MTRAG's questions,
chosen by a hash of the question; the other half is measured apart; two questions of it
were looked at later. kinds_later.tsv holds 118 questions in other
wordings, hasty and polite ones among them, that were written when the patterns were there, and by which they were
mended (docs/experiments.md has what they scored before). "always fact" is what answering every question as a
fact gives.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.harness import dataset
from benchmarks.harness.report import RESAMPLES, Mean
from rag import kind_of
from rag.answer import Turn
from rag.kind import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LABELED = Path(__file__).with_name("kinds.tsv")
LATER = Path(__file__).with_name("kinds_later.tsv")
HALVES = ("seen", "unseen")

Asked = tuple[str, tuple[Turn, ...], str]
"""A question, what was asked before it, and its kind."""


def measure(data: Path, *, quick: bool) -> dict[str, dict[str, dict[str, Mean]]]:
    """F1 over labeled questions; the share of SQuAD's and MTRAG's questions that stay facts."""
    systems: dict[str, Callable[[Asked], str]] = {
        "citewire": lambda asked: kind_of(asked[0], history=asked[1]),
        "always fact": lambda _: "fact",
    }
    halves = {name: [one for one in labeled() if half(one[0]) == name] for name in HALVES}
    later = labeled(LATER)
    labels = {
        name: {f"macro F1, {part}": macro_f1([(one[2], told(one)) for one in asked]) for part, asked in halves.items()}
        | {"macro F1, later wordings": macro_f1([(one[2], told(one)) for one in later])}
        for name, told in systems.items()
    }
    facts = {
        f"{name}, {part}": [one for one in asked if half(one[0]) == part]
        for name, asked in (("SQuAD 2", squad(data, quick=quick)), ("MTRAG", mtrag(data, quick=quick)))
        for part in HALVES
    }
    stays = {
        name: {title: Mean.of([told(one) == "fact" for one in asked]) for title, asked in facts.items() if asked}
        for name, told in systems.items()
    }
    return {"kind of 204 questions": labels, "questions that stay facts": stays}


def labeled(path: Path = LABELED) -> list[Asked]:
    """The labeled questions of a file."""
    _, *lines = path.read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines]
    return [(row[1], tuple(Turn(before, "") for before in row[2:]), row[0]) for row in rows]


def squad(data: Path, *, quick: bool) -> list[Asked]:
    """Every question of SQuAD 2's development set, answerable or not."""
    return [(question.text, (), "fact") for question in dataset.squad(data, quick=quick).questions]


def mtrag(data: Path, *, quick: bool) -> list[Asked]:
    """The last question of each conversation of MTRAG-UN."""
    return [(question.text, question.history, "fact") for question in dataset.mtrag(data, quick=quick).questions]


def half(question: str) -> str:
    """The half that a question is of."""
    return HALVES[zlib.crc32(question.encode()) % 2]


def macro_f1(pairs: Sequence[tuple[str, str]]) -> Mean:
    """Mean over the kinds of F1, of pairs of the right kind and the one that was told, with a bootstrap over them."""
    right, told = (np.array([KINDS.index(pair[side]) for pair in pairs]) for side in (0, 1))

    def of(rows: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> float:
        scores = []
        for kind in range(len(KINDS)):
            is_kind, is_told = right[rows] == kind, told[rows] == kind
            if is_kind.any() or is_told.any():
                scores.append(2 * (is_kind & is_told).sum() / (is_kind.sum() + is_told.sum()))
        return float(np.mean(scores))

    draw = np.random.default_rng(0)
    samples = [of(draw.integers(len(pairs), size=len(pairs))) for _ in range(RESAMPLES)]
    low, high = np.quantile(samples, (0.025, 0.975))
    return Mean(round(of(np.arange(len(pairs))), 4), round(float(low), 4), round(float(high), 4), len(pairs))
