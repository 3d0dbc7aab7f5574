"""Probe: fitting and measuring what the model's own states say of whether a passage answers (rag/probe.py).

Asked are questions of SQuAD 2 dev, of the first half of its titles by order, each with one passage: the best of the
paragraph it was made for, be it answerable or impossible; and of every paragraph one answerable question with the best
passage of all others, which does not answer it. What the model has in its cache after the question is noted, nothing is
written; a run that was stopped goes on. The probe is a ridge regression, judged with each title left out in turn.
`--keep` writes its weights to rag/probe.json.
"""

from __future__ import annotations

import json
import random
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
from platformdirs import user_cache_path
from tqdm import tqdm

from benchmarks import report
from benchmarks.cases import ABSENT, ANSWERABLE, IMPOSSIBLE, Case, auroc, by_paragraph
from benchmarks.dataset import options as data_options
from benchmarks.dataset import squad
from benchmarks.journal import Journal, digest
from benchmarks.systems import llm_of
from benchmarks.threads import SharedEmbedder
from benchmarks.workbench import Workbench
from index import models
from rag import probe, prompt
from rag.probe import COEFFICIENTS
from rag.settings import Settings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from benchmarks.dataset import Dataset
    from rag.engine import Engine

    Vectors = NDArray[np.float32]

LAYERS = {"question": range(13, 22), "end": range(15, 21), "last": range(17, 26)}
"""Layers of the default model (of 28) by place; chosen with these questions in view, docs/experiments.md."""
RIDGE = 1.0
"""Penalty, for each number read: on the square of its weight, of numbers in units of their standard deviation."""
EACH = 3
"""Most questions of a kind asked of one paragraph; its passage is read once."""
LEAST = 2
"""Fewest of each kind."""
LEAST_TITLES = 2
"""One to judge, and one to learn of."""
KV_BYTES = 16 * 2**30
DIGITS = 3


class Kept:
    """Arrays by key, each in a file of its own."""

    def __init__(self, folder: Path) -> None:
        """They lie in `folder`."""
        self.folder = folder

    def get(self, key: str) -> Vectors | None:
        """What is kept, as float32."""
        path = self._path(key)
        return np.load(path).astype(np.float32) if path.exists() else None

    def put(self, key: str, vectors: Vectors) -> None:
        """Keep it, as float16."""
        self.folder.mkdir(parents=True, exist_ok=True)
        beside = self._path(key).with_suffix(".new.npy")
        np.save(beside, vectors.astype(np.float16))
        beside.replace(self._path(key))

    def _path(self, key: str) -> Path:
        return self.folder / f"{digest(key)}.npy"


def options(parser: argparse.ArgumentParser) -> None:
    """How many questions, and whether to keep what was fitted."""
    data_options(parser)
    parser.add_argument("--paragraphs", type=int, default=195, help=f"with at most {EACH} questions of each kind (195)")
    parser.add_argument("--keep", action="store_true", help="write the weights into the package")


def run(arguments: argparse.Namespace) -> None:
    """Ask, fit, print the table, write the result."""
    data = squad(arguments.data)
    model = models.choose(None, "llm").name
    folder = user_cache_path("citewire", appauthor=False) / "benchmarks"
    journal, kept = notes(folder, model)
    cases = drawn(data, 2 if arguments.quick else arguments.paragraphs)
    settings = Settings(llm=model, kv_bytes=KV_BYTES)
    everywhere = frozenset(article.id for article in data.articles)
    with Workbench(settings, {"squad": data.articles}, SharedEmbedder(), folder) as bench:
        try:
            for case in tqdm(cases, desc="asked", disable=None):
                if case.key not in journal:
                    _ask(bench.engine("squad", settings), case, everywhere, journal, kept)
        except KeyboardInterrupt:
            print("\nstopped; the same command goes on from here")
    known = [case for case in cases if case.key in journal]
    told = {case: vectors for case in known if (vectors := kept.get(case.key)) is not None}
    odds = np.array([found["answerable"] for case in told if (found := journal.get(case.key)) is not None])
    print(f"\n{len(told)} asked")
    if len({case.question.subject for case in told}) < LEAST_TITLES:
        print("too few to judge a title by what was learned of the others")
        return
    measured = measure(told, odds)
    report.show("AUROC, answerable against", measured)
    if arguments.quick:
        return
    if arguments.keep:
        weights = json.loads(COEFFICIENTS.read_text(encoding="utf-8")) | {model: rounded(fit(told))}
        COEFFICIENTS.write_text(json.dumps(weights) + "\n", encoding="utf-8")
    report.write("probe", models={"llm": model}, measured={"n": len(told), "AUROC": measured})


def learned(data: Dataset, folder: Path, model: str) -> dict[Case, Vectors]:
    """What a probe can be fitted to: all that was asked so far."""
    _, kept = notes(folder, model)
    found = ((case, kept.get(case.key)) for case in drawn(data, len(data.articles)))
    return {case: vectors for case, vectors in found if vectors is not None}


def notes(folder: Path, model: str) -> tuple[Journal, Kept]:
    """What was asked of a model so far, and its vectors."""
    return Journal(folder / f"probe-{model}.jsonl"), Kept(folder / f"probe-{model}")


def drawn(data: Dataset, paragraphs: int) -> list[Case]:
    """Up to EACH answerable and as many impossible questions of some paragraphs, and the first answerable one without
    its paragraph; fewer are the first of more."""
    asked_of = by_paragraph(data)
    draw = random.Random(11)
    order = sorted(asked_of)
    draw.shuffle(order)
    found: list[list[Case]] = []
    for kinds in map(asked_of.__getitem__, order):
        most = min(EACH, *map(len, kinds))
        if most >= LEAST:
            answerable, impossible = (draw.sample(kind, most) for kind in kinds)
            pairs = zip(answerable, impossible, strict=True)
            cases = [case for one, other in pairs for case in (Case(one, ANSWERABLE), Case(other, IMPOSSIBLE))]
            found.append([*cases, Case(answerable[0], ABSENT)])
    return [case for cases in found[:paragraphs] for case in cases]


def measure(told: Mapping[Case, Vectors], odds: NDArray[np.float64]) -> dict[str, dict[str, report.Mean]]:
    """Kind → signal → AUROC, the probe's with each title left out."""
    scores = np.zeros(len(told))
    titles = [case.question.subject for case in told]
    for title in sorted(set(titles)):
        weights = fit(told, without=title)
        for place, (case, vectors) in enumerate(told.items()):
            if case.question.subject == title:
                scores[place] = probe.weigh(vectors, weights)
    kinds = np.array([case.kind for case in told])
    signals = {"the model's log-odds": odds, "probe": scores, "log-odds + 2 × probe": odds + 2 * scores}
    return {
        kind: {name: auroc(values[kinds == ANSWERABLE], values[kinds == kind]) for name, values in signals.items()}
        for kind in (IMPOSSIBLE, ABSENT)
    }


def fit(told: Mapping[Case, Vectors], *, without: str | None = None) -> dict[str, Any]:
    """Weights in the form of rag/probe.json, of a ridge regression on 1 for answerable and 0 for others; questions of
    one title may be left out. Scaled so that the scores of what it was fitted to have a variance of 1."""
    cases = [case for case in told if case.question.subject != without]
    labels = np.array([float(case.kind == ANSWERABLE) for case in cases])
    rows = np.stack([_read(told[case]) for case in cases])
    mean, scale = rows.mean(0), rows.std(0) + 1e-3
    rows = (rows - mean) / scale
    penalty = RIDGE * rows.shape[1] * np.eye(len(rows))
    # As many unknowns as questions instead of as numbers read: the same solution.
    weights = rows.T @ np.linalg.solve(rows @ rows.T + penalty, labels - labels.mean())
    weights /= (rows @ weights).std() * scale
    flat = iter(np.split(weights, len(weights) // told[cases[0]].shape[2]))
    by_place = {place: {str(layer): next(flat).tolist() for layer in layers} for place, layers in LAYERS.items()}
    return {"bias": float(-mean @ weights), "weights": by_place}


def rounded(weights: Mapping[str, Any]) -> dict[str, Any]:
    """With as many digits as matter."""
    rows = {
        place: {layer: [float(f"{one:.{DIGITS}g}") for one in row] for layer, row in layers.items()}
        for place, layers in weights["weights"].items()
    }
    return {"bias": round(weights["bias"], DIGITS), "weights": rows}


def _read(vectors: Vectors) -> NDArray[np.float64]:
    parts = [vectors[probe.PLACES.index(place), layer] for place, layers in LAYERS.items() for layer in layers]
    return np.concatenate(parts).astype(np.float64)


def _ask(engine: Engine, case: Case, everywhere: frozenset[str], journal: Journal, kept: Kept) -> None:
    question = case.question
    among = everywhere - question.relevant if case.kind == ABSENT else frozenset([question.paragraph])
    hits = engine.index.search(question.text, 1, articles=among)
    judgement = llm_of(engine).judge(
        prompt.build(question.text, hits, task=prompt.ANSWERABLE), cancel=threading.Event()
    )
    vectors = probe.places(judgement)
    if vectors is not None:
        kept.put(case.key, vectors)
    journal.note(case.key, {"answerable": round(judgement.log_odds, 4)})
