"""Answerability: fitting and measuring whether to answer (rag/grounding/answerability.py).

Asked are questions of SQuAD 2 dev, of the titles of the first half that no adapter learned from (HELD_OUT); `answers`
measures on the second half. They are of three kinds: answerable ones; impossible ones, made to look answerable by the
paragraph that was read for them; and answerable ones whose paragraph is left out of the search, as when nothing in a
collection says what is asked. Every question is answered with caution 0, which refuses nothing, and its signals are
noted; a run that was stopped goes on. The regression is fitted to all of them, and judged with each title left out in
turn. `--keep` writes the coefficients to rag/grounding/answerability.json.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from platformdirs import user_cache_path
from tqdm import tqdm

from benchmarks.harness import dataset, plot, report
from benchmarks.harness.cases import ABSENT, ANSWERABLE, HELD_OUT, IMPOSSIBLE, Case, auroc, by_paragraph
from benchmarks.harness.embedder import SharedCachedEmbedder
from benchmarks.harness.environment import Environment
from benchmarks.harness.journal import Journal
from benchmarks.harness.report import Mean
from index import models
from index.filters import Filter
from rag.grounding.answerability import COEFFICIENTS
from rag.settings import Settings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from benchmarks.harness.dataset import Dataset
    from rag.engine import Engine

SIGNALS = ("correct", "answerable")
RIDGE = 1.0
"""Penalty on the square of each weight, of signals in units of their standard deviation."""
EACH = 2
"""Questions of a kind asked of one paragraph; its passages are read once."""
RISKS = {
    ANSWERABLE: "false refusals",
    IMPOSSIBLE: "false answers",
    ABSENT: "false answers, absent",
}
CAUTIONS = (0.2, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8)
PLOT = Path(__file__).parents[2] / "docs" / "caution.svg"
KV_BYTES = 16 * 2**30


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is known of a case: the signals of its draft, none if there was no supported one."""

    case: Case
    signals: dict[str, float]


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
    cases = drawn(data, 2 if arguments.quick else arguments.paragraphs)
    settings = Settings(llm=model, caution=0.0, kv_bytes=KV_BYTES)
    everywhere = frozenset(article.id for article in data.articles)
    with Environment(settings, {"squad": data.articles}, SharedCachedEmbedder(), folder) as environment:
        try:
            for case in tqdm(cases, desc="asked", disable=None):
                if case.key not in journal:
                    journal.note(case.key, _ask(environment.engine("squad", settings), case, everywhere))
        except KeyboardInterrupt:
            print("\nstopped; the same command goes on from here")
    noted = [Outcome(case, found["signals"]) for case in cases if (found := journal.get(case.key)) is not None]
    told = [outcome for outcome in noted if set(SIGNALS) <= outcome.signals.keys()]
    print(f"\n{len(noted)} asked, {len(noted) - len(told)} of them without a supported draft")
    measured = measure(told)
    report.show("AUROC, answerable against", measured["AUROC"])
    curve = risk(noted, measured["left out"])
    report.show("by caution", curve)
    if arguments.quick:
        return
    if arguments.keep:
        weights = json.loads(COEFFICIENTS.read_text(encoding="utf-8"))
        weights[model] = measured["weights"]
        COEFFICIENTS.write_text(json.dumps(weights, indent=1) + "\n", encoding="utf-8")
    points = {
        measure: [(caution, curve[f"caution {caution}"][measure].mean) for caution in CAUTIONS]
        for measure in RISKS.values()
    }
    plot.write(PLOT, across="caution", up="share of the questions of the kind", curves=points)
    result = {
        "n": len(noted),
        "weights": measured["weights"],
        "AUROC": measured["AUROC"],
        "caution": curve,
    }
    report.write("answerability", models={"llm": model}, measured=result)


def drawn(data: Dataset, paragraphs: int) -> list[Case]:
    """EACH answerable and EACH impossible questions of each of some paragraphs, and the first answerable one without
    its paragraph; fewer are the first of more."""
    asked_of = by_paragraph(data)
    draw = random.Random(1)
    found: list[list[Case]] = []
    for paragraph in draw.sample(sorted(asked_of), len(asked_of)):
        kinds = asked_of[paragraph]
        if min(map(len, kinds)) >= EACH and kinds[0][0].subject in HELD_OUT:
            answerable, impossible = (draw.sample(kind, EACH) for kind in kinds)
            cases = [Case(question, ANSWERABLE) for question in answerable]
            cases += [Case(question, IMPOSSIBLE) for question in impossible]
            found.append([*cases, Case(answerable[0], ABSENT)])
    return [case for cases in found[:paragraphs] for case in cases]


def measure(told: Sequence[Outcome]) -> dict[str, Any]:
    """Weights fitted to all, the probabilities with each title left out, and their AUROC against either kind of those
    that cannot be answered."""
    values = np.array([[outcome.signals[name] for name in SIGNALS] for outcome in told])
    kinds = np.array([outcome.case.kind for outcome in told])
    labels = (kinds == ANSWERABLE).astype(float)
    titles = np.array([outcome.case.question.subject for outcome in told])
    left_out = np.zeros(len(told))
    for title in set(titles):
        others = titles != title
        left_out[~others] = predict(fit(values[others], labels[others]), values[~others])
    weights = fit(values, labels)
    return {
        "weights": {
            **dict(zip(SIGNALS, weights[:-1].round(4).tolist(), strict=True)),
            "bias": round(float(weights[-1]), 4),
        },
        "left out": {outcome.case.key: value for outcome, value in zip(told, left_out.tolist(), strict=True)},
        "AUROC": {
            kind: {
                name: auroc(scores[labels == 1], scores[kinds == kind])
                for name, scores in [("all", left_out), *zip(SIGNALS, values.T, strict=True)]
            }
            for kind in (IMPOSSIBLE, ABSENT)
        },
    }


def fit(values: NDArray[np.float64], labels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights and, last, the bias of a ridge logistic regression, by Newton's method. Both labels count as much."""
    mean, scale = values.mean(0), values.std(0)
    rows = np.c_[(values - mean) / scale, np.ones(len(values))]
    counts = np.where(labels == 1, 0.5 / labels.mean(), 0.5 / (1 - labels.mean()))
    penalty = np.r_[np.full(values.shape[1], RIDGE), 1e-6]
    weights = np.zeros(rows.shape[1])
    for _ in range(50):
        likely = 1 / (1 + np.exp(-rows @ weights))
        slope = rows.T @ (counts * (likely - labels)) + penalty * weights
        curvature = (rows.T * (counts * likely * (1 - likely))) @ rows + np.diag(penalty)
        weights -= np.linalg.solve(curvature, slope)
    unscaled: NDArray[np.float64] = np.r_[weights[:-1] / scale, weights[-1] - (weights[:-1] * mean / scale).sum()]
    return unscaled


def predict(weights: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities, of shape (n,)."""
    likely: NDArray[np.float64] = 1 / (1 + np.exp(-(values @ weights[:-1] + weights[-1])))
    return likely


def risk(noted: Sequence[Outcome], probabilities: dict[str, float]) -> dict[str, dict[str, Mean]]:
    """Caution → false refusals of answerable questions, false answers of the others."""
    curve = {}
    for caution in CAUTIONS:
        refused: dict[str, list[float]] = {kind: [] for kind in RISKS}
        for outcome in noted:
            refused[outcome.case.kind].append(float(probabilities.get(outcome.case.key, 0.0) < caution))
        curve[f"caution {caution}"] = {
            risk: Mean.of(refused[kind] if kind == ANSWERABLE else [1 - one for one in refused[kind]])
            for kind, risk in RISKS.items()
        }
    return curve


def _ask(engine: Engine, case: Case, everywhere: frozenset[str]) -> dict[str, Any]:
    only = Filter(articles=everywhere - case.question.relevant) if case.kind == ABSENT else None
    answer = engine.ask(case.question.text, settings=replace(engine.settings, caution=0.0), only=only)
    return {"signals": dict(answer.signals), "text": answer.text, "reason": answer.reason}
