"""Languages: is the passage found in languages other than English, by words alone and with the default embedder?

XQuAD has the same 240 paragraphs and 1,190 questions in each of six languages. Questions of the first half of its
titles are for choosing, those of the second half for reporting. The texts of benchmarks/exact_words.txt are in
languages that it has not, with questions that have words of theirs; what counts is that the right text is found first.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.harness import dataset
from benchmarks.harness.kept_search import KeptSearch
from benchmarks.harness.report import Mean
from index import Article

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from benchmarks.harness.dataset import Dataset
    from benchmarks.harness.embedder import CachedEmbedder
    from index.embedder import Embedder

LANGUAGES = ("ar", "de", "es", "ru", "th", "zh")
EXACT_WORDS = Path(__file__).parents[1] / "exact_words.txt"
FOUND = 5
"""Articles that R@5 looks at."""
MOSTLY = 0.5
"""Share of the questions that an embedder has to read for its own part to be measured."""
PASSAGES = 16
"""Hits asked for, so that five different articles are among them."""


class NoEmbedder:
    """Reads nothing: every vector is zero, and words alone count. Satisfies index.embedder.Embedder."""

    name = "none"
    dimension = 2

    def embed_documents(self, texts: Sequence[str], **_: object) -> NDArray[np.float32]:
        """A zero vector for each text."""
        return np.zeros((len(texts), self.dimension), dtype=np.float32)

    def embed_query(self, _text: str) -> NDArray[np.float32]:
        """A zero vector."""
        return np.zeros(self.dimension, dtype=np.float32)


def measure_xquad(folder: Path, embedder: CachedEmbedder, languages: Sequence[str]) -> dict[str, dict[str, Mean]]:
    """Language and embedder → measure."""
    rows: dict[str, dict[str, Mean]] = {}
    for language in languages:
        data = dataset.xquad(folder, language)
        asked = embedder.embed_queries([question.text for question in data.questions])
        halves = {"first half": _half(data, later=False), "second half": _half(data, later=True)}
        # An embedder that does not know the script gives zero vectors: then the words alone count anyway.
        alone = (("words", NoEmbedder()),) if asked.any(axis=1).mean() > MOSTLY else ()
        for name, used in (*alone, (embedder.name.partition("@")[0], embedder)):
            ranks = _ranks(data, used)
            row = {f"R@1, {half}": _share(ranks, questions, 1) for half, questions in halves.items()}
            row["R@1"] = _share(ranks, data.questions, 1)
            row["R@5"] = _share(ranks, data.questions, FOUND)
            rows[f"{language}, {name}"] = row
    return rows


def measure_exact(embedder: CachedEmbedder) -> dict[str, dict[str, Mean]]:
    """Language → share of questions whose text is found first among those of all languages, by words alone and with
    the embedder."""
    data = exact_words()
    rows: dict[str, dict[str, Mean]] = {}
    for name, used in (("words", NoEmbedder()), ("embedder", embedder)):
        ranks = _ranks(data, used)
        for language in dict.fromkeys(question.subject for question in data.questions):
            asked = [question for question in data.questions if question.subject == language]
            rows.setdefault(f"{language}, {len(asked)}", {})[f"R@1, {name}"] = _share(ranks, asked, 1)
    return rows


def exact_words() -> Dataset:
    """The texts and questions of EXACT_WORDS; the subject of a question is its language."""
    articles: list[Article] = []
    questions: list[dataset.Question] = []
    for section in EXACT_WORDS.read_text(encoding="utf-8").split("\n= ")[1:]:
        language, *lines = section.splitlines()
        for mark, _, text in (line.partition(" ") for line in lines):
            if mark == "*":
                articles.append(Article(f"{language}-{len(articles)}", text))
            else:
                questions.append(dataset.Question(text, frozenset((articles[-1].id,)), language))
    return dataset.Dataset(tuple(articles), tuple(questions))


def _half(data: Dataset, *, later: bool) -> Sequence[dataset.Question]:
    chosen = set(dataset.later_half(data).questions)
    return [question for question in data.questions if (question in chosen) is later]


def _ranks(data: Dataset, embedder: Embedder) -> dict[dataset.Question, int]:
    """Question → place of its article among those found, from 1; 0 if it was not found."""
    with KeptSearch(data.articles, embedder) as index:
        ranks = {}
        for question, searched in zip(data.questions, index.merged(data.questions), strict=True):
            ids = index.ids(question.text, PASSAGES)
            ranks[question] = next((place for place, one in enumerate(ids, 1) if one in searched.relevant), 0)
        return ranks


def _share(ranks: dict[dataset.Question, int], questions: Sequence[dataset.Question], k: int) -> Mean:
    return Mean.of([float(0 < ranks[question] <= k) for question in questions])
