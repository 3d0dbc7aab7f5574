"""Answerability: fitting and measuring whether to answer (rag/answerability.py).

Asked are questions of SQuAD 2 dev, half of them impossible, of the first half of its titles by order; `answers`
measures on the second half. Every question is answered with caution 0, which refuses nothing, and its signals are
noted; a run that was stopped goes on. The regression is fitted to all of them, and judged with each title left out
in turn. `--keep` writes the coefficients to rag/answerability.json.
"""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from platformdirs import user_cache_path
from tqdm import tqdm

from benchmarks import dataset, plot, report
from benchmarks.journal import Journal
from benchmarks.report import Mean
from benchmarks.threads import SharedEmbedder
from benchmarks.workbench import Workbench
from index import models
from rag.answerability import COEFFICIENTS, COVERED, EVERY_WORD
from rag.settings import Settings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from benchmarks.dataset import Dataset, Question
    from rag.engine import Engine

SIGNALS = ("correct",)
RIDGE = 1.0
"""Penalty on the square of each weight, of signals in units of their standard deviation."""
EACH = 2
"""Questions of a kind asked of one paragraph; its passages are read once."""
CAUTIONS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
PLOT = Path(__file__).parent.parent / "docs" / "caution.svg"
KV_BYTES = 16 * 2**30


def options(parser: argparse.ArgumentParser) -> None:
    """How many questions, and whether to keep what was fitted."""
    dataset.options(parser)
    parser.add_argument("--paragraphs", type=int, default=60, help=f"with {EACH} questions of each kind (default 60)")
    parser.add_argument("--keep", action="store_true", help="write the coefficients into the package")


def run(arguments: argparse.Namespace) -> None:
    """Ask, fit, print the tables, write the result."""
    data = dataset.squad(arguments.data)
    model = models.choose(None, "llm").name
    folder = user_cache_path("citewire", appauthor=False) / "benchmarks"
    journal = Journal(folder / f"answerability-{model}.jsonl")
    questions = drawn(data, 2 if arguments.quick else arguments.paragraphs)
    settings = Settings(llm=model, caution=0.0, kv_bytes=KV_BYTES)
    with Workbench(settings, {"squad": data.articles}, SharedEmbedder(), folder) as bench:
        try:
            for question in tqdm(questions, desc="asked", disable=None):
                if question.text not in journal:
                    journal.note(question.text, _signals(bench.engine("squad", settings), question))
        except KeyboardInterrupt:
            print("\nstopped; the same command goes on from here")
    noted = [(question, found) for question in questions if (found := journal.get(question.text)) is not None]
    told = [(question, found["signals"]) for question, found in noted if "correct" in found["signals"]]
    print(f"\n{len(noted)} asked, {len(noted) - len(told)} of them without a supported draft")
    measured = measure(told, SIGNALS)
    print(f"AUROC {measured['AUROC']}")
    curve = risk(noted, measured["left out"])
    report.show("by caution, of answerable and of impossible questions", curve)
    if arguments.quick:
        return
    if arguments.keep:
        kept = json.loads(COEFFICIENTS.read_text(encoding="utf-8"))
        COEFFICIENTS.write_text(json.dumps({**kept, model: measured["weights"]}, indent=1) + "\n", encoding="utf-8")
    points = {
        measure: [(caution, curve[f"caution {caution}"][measure].mean) for caution in CAUTIONS]
        for measure in ("false refusals", "false answers")
    }
    plot.write(PLOT, across="caution", up="share of the questions of the kind", curves=points)
    result = {"n": len(noted), "weights": measured["weights"], "AUROC": measured["AUROC"], "caution": curve}
    report.write("answerability", models={"llm": model}, measured=result)


def drawn(data: Dataset, paragraphs: int) -> list[Question]:
    """EACH answerable and EACH impossible questions of each of some paragraphs; fewer are the first of more."""
    titles = list(dict.fromkeys(question.subject for question in data.questions))
    asked_of: dict[str, list[Question]] = {}
    for question in data.questions:
        if question.subject in titles[: len(titles) // 2]:
            asked_of.setdefault(question.paragraph, []).append(question)
    draw = random.Random(1)
    found: list[Question] = []
    for paragraph in draw.sample(sorted(asked_of), len(asked_of)):
        kinds = [[one for one in asked_of[paragraph] if bool(one.relevant) is kind] for kind in (True, False)]
        if min(map(len, kinds)) >= EACH:
            found += [question for kind in kinds for question in draw.sample(kind, EACH)]
    return found[: 2 * EACH * paragraphs]


def measure(told: Sequence[tuple[Question, dict[str, float]]], signals: Sequence[str]) -> dict[str, Any]:
    """Weights fitted to all, the probabilities with each title left out, and their AUROC."""
    values = np.array([[found[name] for name in signals] for _, found in told])
    labels = np.array([float(bool(question.relevant)) for question, _ in told])
    titles = np.array([question.subject for question, _ in told])
    left_out = np.zeros(len(told))
    for title in set(titles):
        others = titles != title
        left_out[~others] = predict(fit(values[others], labels[others]), values[~others])
    weights = fit(values, labels)
    return {
        "weights": {
            **dict(zip(signals, weights[:-1].round(4).tolist(), strict=True)),
            "bias": round(float(weights[-1]), 4),
        },
        "left out": {question.text: value for (question, _), value in zip(told, left_out.tolist(), strict=True)},
        "AUROC": auroc(left_out, labels),
    }


def fit(values: NDArray[np.float64], labels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights and, last, the bias of a ridge logistic regression, by Newton's method."""
    mean, scale = values.mean(0), values.std(0)
    rows = np.c_[(values - mean) / scale, np.ones(len(values))]
    penalty = np.r_[np.full(values.shape[1], RIDGE), 1e-6]
    weights = np.zeros(rows.shape[1])
    for _ in range(50):
        likely = 1 / (1 + np.exp(-rows @ weights))
        slope = rows.T @ (likely - labels) + penalty * weights
        weights -= np.linalg.solve((rows.T * (likely * (1 - likely))) @ rows + np.diag(penalty), slope)
    unscaled: NDArray[np.float64] = np.r_[weights[:-1] / scale, weights[-1] - (weights[:-1] * mean / scale).sum()]
    return unscaled


def predict(weights: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities, of shape (n,)."""
    likely: NDArray[np.float64] = 1 / (1 + np.exp(-(values @ weights[:-1] + weights[-1])))
    return likely


def auroc(scores: NDArray[np.float64], labels: NDArray[np.float64]) -> Mean:
    """Area under the ROC curve: of each answerable question, the share of impossible ones that score less."""
    impossible = scores[labels == 0]
    return Mean.of([float((impossible < one).mean() + (impossible == one).mean() / 2) for one in scores[labels == 1]])


def risk(
    noted: Sequence[tuple[Question, dict[str, Any]]], probabilities: dict[str, float]
) -> dict[str, dict[str, Mean]]:
    """Caution → false refusals of answerable questions, false answers of impossible ones."""
    curve = {}
    for caution in CAUTIONS:
        refused = {True: list[float](), False: list[float]()}
        for question, found in noted:
            covered = found["signals"].get("covered", 0.0) >= EVERY_WORD
            asked_for = caution * COVERED if covered else caution
            refused[bool(question.relevant)].append(float(probabilities.get(question.text, 0.0) < asked_for))
        curve[f"caution {caution}"] = {
            "false refusals": Mean.of(refused[True]),
            "false answers": Mean.of([1 - one for one in refused[False]]),
        }
    return curve


def _signals(engine: Engine, question: Question) -> dict[str, Any]:
    answer = engine.ask(question.text, settings=replace(engine.settings, caution=0.0))
    return {"signals": dict(answer.signals), "text": answer.text, "reason": answer.reason}
