"""Retrieval: is the passage found, for questions that stand alone (SQuAD 2) and for follow-ups (MTRAG-UN)?
In other languages than English: languages.py.

Everything goes through Index.search; an article counts by its first passage. Citewire searches a story that stands in
several articles once: a hit is found for the article that answers if it is that one or its original. The baselines are
measured in the same run, over whole articles, copies as well. What is not measured in a run stays in the result, if it
is of the same machine, models and packages. A question that changes the subject is made by putting
the history of another collection's conversation before a question that stands alone: then history can only do harm.
"""

from __future__ import annotations

import math
import random
from dataclasses import replace
from typing import TYPE_CHECKING

from tqdm import tqdm

from benchmarks.harness import dataset, report
from benchmarks.harness.bm25 import Bm25, PlainFusion
from benchmarks.harness.embedder import CachedEmbedder
from benchmarks.harness.kept_search import KeptSearch
from benchmarks.harness.report import Mean
from benchmarks.measures import languages
from rag.question import leans_on_history, understand

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from benchmarks.harness.dataset import Dataset, Question

    Search = Callable[[Question], list[str]]
    """A question → ids of articles, best first."""

PASSAGES = 40
"""Hits asked for, so that ten different articles are among them."""
PARTS = ("squad2", "mtrag", "xquad", "exact")


def options(parser: argparse.ArgumentParser) -> None:
    """The arguments of `run`."""
    dataset.options(parser)
    parser.add_argument("--parts", default=",".join(PARTS), help="which parts, with commas between")
    every = ",".join(languages.LANGUAGES)
    parser.add_argument("--languages", default=every, help="which languages of XQuAD, with commas between")


def run(arguments: argparse.Namespace) -> None:
    """Measure, print the tables, write the result."""
    chosen, quick = arguments.parts.split(","), arguments.quick
    if unknown := set(chosen) - set(PARTS):
        raise SystemExit(f"--parts {','.join(sorted(unknown))}: there is no such part; choose among {', '.join(PARTS)}")
    embedder = CachedEmbedder()
    measured = {}
    if "squad2" in chosen:
        measured["squad2"] = measure_squad(dataset.squad(arguments.data, quick=quick), embedder)
    if "mtrag" in chosen:
        measured["mtrag_un"] = measure_mtrag(dataset.mtrag(arguments.data, quick=quick), embedder)
    if "xquad" in chosen:
        spoken = languages.LANGUAGES[1:2] if quick else arguments.languages.split(",")
        measured["xquad"] = languages.measure_xquad(arguments.data, embedder, spoken)
        report.show("XQuAD: 240 paragraphs, 1,190 questions a language", measured["xquad"])
    if "exact" in chosen:
        measured["exact_words"] = languages.measure_exact(embedder)
        report.show("Words of the text, in other languages", measured["exact_words"])
    if not quick:
        report.write("retrieval", models={"embedder": embedder.name}, measured=measured, beside_earlier=True)


def measure_squad(data: Dataset, embedder: CachedEmbedder) -> dict[str, dict[str, Mean]]:
    """System → measure, over the answerable questions."""
    questions = [question for question in data.questions if question.relevant]
    embedder.embed_queries([question.text for question in questions])
    bm25, fusion = Bm25(data.articles), PlainFusion(data.articles, embedder)
    rows = {}
    with KeptSearch(data.articles, embedder) as index:
        systems: dict[str, Search] = {
            "BM25 (FTS5)": lambda question: bm25.search(question.text),
            "plain fusion": lambda question: fusion.search(question.text),
            "citewire": lambda question: found(index, question),
        }
        searched = index.merged(questions)
        for name, search in systems.items():
            asked = searched if name.startswith("citewire") else questions
            ranks = [rank(search(question), question.relevant) for question in tqdm(asked, desc=name, leave=False)]
            rows[name] = {
                "R@1": Mean.of([float(place == 1) for place in ranks]),
                "R@5": Mean.of([float(place <= 5) for place in ranks]),
                "MRR@10": Mean.of([1 / place if place <= 10 else 0.0 for place in ranks]),
            }
    report.show(f"SQuAD 2: {len(questions)} questions, {len(data.articles)} paragraphs", rows)
    return rows


def measure_mtrag(data: Dataset, embedder: CachedEmbedder) -> dict[str, dict[str, Mean]]:
    """System → nDCG@10 of all questions, of those that lean on what was said before, and of those that do not."""
    questions = data.questions
    bm25, fusion = Bm25(data.articles), PlainFusion(data.articles, embedder)
    rows = {}
    with KeptSearch(data.articles, embedder) as index:
        systems: dict[str, Search] = {
            "BM25, last turn": lambda question: bm25.search(question.text),
            "BM25, all user turns": lambda question: bm25.search(_all_turns(question)),
            "plain fusion, last turn": lambda question: fusion.search(question.text),
            "plain fusion, all user turns": lambda question: fusion.search(_all_turns(question)),
            "citewire, last turn": lambda question: found(index, replace(question, history=())),
            "citewire": lambda question: found(index, question),
        }
        every, searched = _by_kind(questions), _by_kind(index.merged(questions))
        for name, search in systems.items():
            kinds = searched if name.startswith("citewire") else every
            rows[name] = {
                kind: Mean.of([ndcg(search(one), one.relevant) for one in tqdm(some, desc=name, leave=False)])
                for kind, some in kinds.items()
                if some
            }
    report.show(f"MTRAG-UN: {len(questions)} questions, {len(data.articles)} passages", rows)
    return rows


def _by_kind(questions: Sequence[Question]) -> dict[str, Sequence[Question]]:
    return {
        "nDCG@10": questions,
        "leaning": [question for question in questions if _leans(question)],
        "standing alone": [question for question in questions if not _leans(question)],
        "subject changed": _with_strange_history(questions),
    }


def found(index: KeptSearch, question: Question) -> list[str]:
    """Ids of the articles that Citewire finds for a question after its history, best first."""
    asked = understand(question.text, question.history)
    return index.ids(asked.text, PASSAGES, rewordings=asked.rewordings, context=asked.context)


def rank(ids: Sequence[str], relevant: frozenset[str]) -> float:
    """Place of the first relevant id, from 1; infinite if there is none."""
    return next((place for place, one in enumerate(ids, start=1) if one in relevant), math.inf)


def ndcg(ids: Sequence[str], relevant: frozenset[str], k: int = 10) -> float:
    """Normalized discounted cumulative gain of the first `k`, relevance being yes or no, as trec_eval has it."""
    gain = sum(1 / math.log2(place + 1) for place, one in enumerate(ids[:k], start=1) if one in relevant)
    return gain / sum(1 / math.log2(place + 1) for place in range(1, min(k, len(relevant)) + 1))


def _all_turns(question: Question) -> str:
    return " ".join([*(turn.question for turn in question.history), question.text])


def _leans(question: Question) -> bool:
    return bool(question.history) and leans_on_history(question.text)


def _with_strange_history(questions: Sequence[Question]) -> list[Question]:
    """The questions that stand alone, each after a conversation about another collection."""
    draw = random.Random(0)
    strange = []
    for question in questions:
        others = [other for other in questions if other.history and other.subject != question.subject]
        if others and not leans_on_history(question.text):
            strange.append(replace(question, history=draw.choice(others).history))
    return strange
