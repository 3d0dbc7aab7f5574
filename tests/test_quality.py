"""Some questions of `python -m benchmarks answers`, with the default model: what was measured must not get worse.

The bounds leave one or two questions to other processors, on which a small model may choose other words.
"""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.harness import dataset
from benchmarks.harness.response import Response, respond
from benchmarks.measures.suites import quality
from index import Index
from rag import Engine, Settings

if TYPE_CHECKING:
    from benchmarks.harness.dataset import Question

pytestmark = pytest.mark.model

EACH, EVERY = 6, 10
"""So many answerable and impossible questions, every tenth of the first ones of the benchmark."""


@dataclass(frozen=True)
class Run:
    """What was asked and response, and the measures of it."""

    answered: list[tuple[Question, Response]]
    measured: dict[str, Any]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, real_embedder: Any, llm: Any) -> Run:
    parser = ArgumentParser()
    dataset.options(parser)
    folder = parser.parse_args([]).data
    if not folder.exists():
        pytest.skip(f"the evaluation data is not there: {folder}")
    data = dataset.squad(folder)
    with Index.open(tmp_path_factory.mktemp("home"), embedder=real_embedder) as index:
        index.add(data.articles)
        engine = Engine.open(index=index, llm=llm, settings=Settings())
        asked = dataset.alternating(dataset.later_half(data).questions, EACH * EVERY)
        questions = [question for number, question in enumerate(asked) if number // 2 % EVERY == 0]
        answered = [(question, respond(engine, question)) for question in questions]
    return Run(answered, quality(answered))


def test_most_questions_are_answered_right(run: Run) -> None:
    assert run.measured["gold in answer"].mean * EACH >= 3, run.answered  # 4 when this was written
    assert run.measured["citation precision"].mean >= 0.6


def test_most_that_cannot_be_answered_are_refused(run: Run) -> None:
    assert run.measured["false answers"].mean * EACH <= 3, run.answered  # 1 when this was written


def test_no_citation_is_wrong_in_itself(run: Run) -> None:
    assert sum(response.inexact + response.dangling for _, response in run.answered) == 0
    assert all(response.cited for _, response in run.answered if not response.refused)
