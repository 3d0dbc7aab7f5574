"""Questions labelled as answerable, impossible or absent, to fit and measure whether to answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.harness.report import Mean

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from benchmarks.harness.dataset import Dataset, Question

ANSWERABLE, IMPOSSIBLE, ABSENT = "answerable", "impossible", "absent"
HELD_OUT = ("1973 oil crisis", "Harvard University")
"""Titles in the first half of SQuAD's that no adapter was trained on (benchmarks/adapter/examples.py), so that its
judgement is measured on unseen titles."""


@dataclass(frozen=True, slots=True)
class Case:
    """A question, asked as one of the three kinds."""

    question: Question
    kind: str

    @property
    def key(self) -> str:
        """Its key in the journal."""
        return f"{self.kind}: {self.question.text}"


def by_paragraph(data: Dataset) -> dict[str, tuple[list[Question], list[Question]]]:
    """The answerable and the impossible questions of each paragraph, for the first half of the titles in order."""
    titles = list(dict.fromkeys(question.subject for question in data.questions))
    found: dict[str, tuple[list[Question], list[Question]]] = {}
    for question in data.questions:
        if question.subject in titles[: len(titles) // 2]:
            found.setdefault(question.paragraph, ([], []))[not question.relevant].append(question)
    return found


def auroc(answerable: NDArray[np.float64], others: NDArray[np.float64]) -> Mean:
    """Area under the ROC curve: of each answerable question, the share of the others that score less."""
    return Mean.of([float((others < one).mean() + (others == one).mean() / 2) for one in answerable])
