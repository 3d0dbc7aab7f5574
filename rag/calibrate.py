"""Calibrate: how far a model's opinion of its own drafts can be believed, by a short set of questions of our own.

Each short text of calibration.json has questions that it answers and questions that it does not. The model drafts over
the text, is asked the two questions of the second look (rag/grounding/answerability.py), and a regression is fitted to
whether the drafts were right. Forty questions say less than the thousand of `python -m benchmarks answerability`: the
regression is held back towards taking the opinions at their face value.
"""

from __future__ import annotations

import json
import math
import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from index.article import Article, Span
from index.errors import InputError
from rag import prompt
from rag.answer import Source
from rag.grounding import answerability, calibrated, claims, support

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rag.llm import LLM
    from rag.settings import Settings

CAUTIONS = (0.2, 0.35, 0.5, 0.65, 0.8)
RIDGE = 0.05
"""Penalty on the square of each weight: opinions are log-odds, so a weight of 1 takes one at its face value."""
PRIOR_ODDS, PRIOR_WEIGHT = 4.0, 1.0
"""Drafts that count beside those of the model, as many as PRIOR_WEIGHT each: a right one of which it is sure, and a
wrong one that it is sure is wrong. They keep the regression finite where a model makes no mistake, or nothing else."""


LEAST_RIGHT = 0.125
"""Share of all questions that must be answered rightly, a quarter of those that can be: fewer are chance."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question on a text; `expected` are words of which a right answer has one, none where there is no answer."""

    text: str
    article: Article
    expected: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a question: whether the draft was right, and the opinions; None where nothing was drafted."""

    question: Question
    is_right: bool = False
    opinions: tuple[float, float] | None = None


def questions() -> tuple[Question, ...]:
    """The questions that come with Citewire."""
    found = []
    for number, one in enumerate(json.loads((files("rag") / "calibration.json").read_text(encoding="utf-8"))):
        article = Article(f"calibration-{number}", one["text"], one["title"], one["source"], published=one["published"])
        found += [Question(text, article, tuple(expected)) for text, expected in one["answerable"]]
        found += [Question(text, article) for text in one["unanswerable"]]
    return tuple(found)


def calibrate(
    llm: LLM,
    settings: Settings,
    *,
    cancel: threading.Event | None = None,
    report: Callable[[int, int], None] | None = None,
    asked: Sequence[Question] | None = None,
) -> dict[str, Any] | None:
    """Ask a model all `asked` questions, keep what was found out about it, and return that; None when cancelled.

    `report` gets how many questions are done, and how many there are. Raises InputError for a model that comes
    measured, or that answered next to nothing; ModelError; OSError where it cannot be kept.
    """
    if answerability.comes_measured(llm.name):
        raise InputError(f"{llm.name} comes measured, on far more questions than these; there is nothing to calibrate")
    stop, listed = cancel or threading.Event(), tuple(asked or questions())
    tried: list[Tried] = []
    for question in listed:
        one = _try(question, llm, settings, stop)
        if stop.is_set():
            return None
        tried.append(one)
        if report is not None:
            report(len(tried), len(listed))
    drafted = [one for one in tried if one.opinions is not None]
    right = sum(one.is_right for one in drafted)
    if right < len(listed) * LEAST_RIGHT:
        raise InputError(
            f"{llm.name} gave {right} right answers to {len(listed)} easy questions, too "
            "few to go by; choose another model: citewire models recommend"
        )
    found = {
        "weights": fit(drafted),
        "questions": len(listed),
        "drafts": len(drafted),
        "right": right,
        "calibrated": datetime.now(UTC).date().isoformat(),
        "caution": dict(_curve(tried)),
    }
    calibrated.keep(llm.name, found)
    return found


def fit(tried: Sequence[Tried]) -> dict[str, float]:
    """The weights of a ridge logistic regression of whether drafts are right. A weight below 0 would take a doubt for a
    recommendation: then that opinion does not count."""
    import numpy as np

    rows = np.array([[*(one.opinions or (0.0, 0.0)), 1.0] for one in tried])
    rows = np.vstack([rows, [PRIOR_ODDS, PRIOR_ODDS, 1.0], [-PRIOR_ODDS, -PRIOR_ODDS, 1.0]])
    labels = np.array([*(float(one.is_right) for one in tried), 1.0, 0.0])
    counts = np.r_[np.ones(len(tried)), PRIOR_WEIGHT, PRIOR_WEIGHT]
    used = [0, 1, 2]
    while True:
        weights = np.zeros(3)
        penalty = np.diag([RIDGE if column < 2 else 1e-3 for column in used])
        some = rows[:, used]
        for _ in range(50):
            likely = 1 / (1 + np.exp(-np.clip(some @ weights[used], -30, 30)))
            slope = some.T @ (counts * (likely - labels)) + penalty @ weights[used]
            curvature = (some.T * (counts * likely * (1 - likely))) @ some + penalty
            weights[used] -= np.linalg.solve(curvature, slope)
        if not (below := [column for column in used if column < 2 and weights[column] < 0]):
            break
        used = [column for column in used if column not in below]
    return dict(zip(("correct", "answerable", "bias"), weights.round(4).tolist(), strict=True))


def _try(question: Question, llm: LLM, settings: Settings, stop: threading.Event) -> Tried:
    """Draft, cite and judge, as rag/reply.py does with a model that was measured."""
    from index.hit import Hit  # brings numpy

    article = question.article
    hit = Hit(article, 0, len(article.text), 1.0, 1.0, 1.0, Span(0, len(article.text)))
    request, source = prompt.build(question.text, [hit]), Source(1, hit)
    draft = "".join(llm.stream(request, max_tokens=settings.answer_tokens, cancel=stop))
    sentences = claims.draft_sentences(draft)
    drafted = claims.check(question.text, sentences, (source,))
    if not any(claim.supported for claim in drafted):
        drafted = claims.check(question.text, sentences, (source,), least=support.PLAUSIBLE)
    if stop.is_set() or not any(claim.supported for claim in drafted):
        return Tried(question)
    words = " ".join(claim.text for claim in drafted)
    is_right = any(one.casefold() in words.casefold() for one in question.expected)
    correct, answerable = (
        llm.judge(replace(request, task=task), cancel=stop)
        for task in (prompt.CORRECT.format(draft=words), prompt.ANSWERABLE)
    )
    if math.isnan(correct) or math.isnan(answerable):
        return Tried(question)
    return Tried(question, is_right, (correct, answerable))


def _curve(tried: Sequence[Tried]) -> Iterator[tuple[str, dict[str, float]]]:
    """Caution → share of the questions with an answer that are not answered rightly and of those without that are
    answered, each text judged by a regression to the others."""
    likely: dict[str, float] = {}
    for article in dict.fromkeys(one.question.article.id for one in tried):
        weights = fit([one for one in tried if one.opinions and one.question.article.id != article])
        for one in tried:
            if one.opinions and one.question.article.id == article:
                odds = weights["correct"] * one.opinions[0] + weights["answerable"] * one.opinions[1] + weights["bias"]
                likely[one.question.text] = 1 / (1 + math.exp(-max(-700.0, min(700.0, odds))))
    for caution in CAUTIONS:
        given = {one.question.text for one in tried if likely.get(one.question.text, 0.0) >= caution}
        with_answer = [one for one in tried if one.question.expected]
        without = [one for one in tried if not one.question.expected]
        right = sum(one.is_right and one.question.text in given for one in with_answer)
        wrong = sum(one.question.text in given for one in without)
        shares = {
            "not answered": 1 - right / max(1, len(with_answer)),
            "answered without an answer": wrong / max(1, len(without)),
        }
        yield f"{caution:.2f}", {name: round(share, 3) for name, share in shares.items()}
