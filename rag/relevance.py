"""Relevance: whether anything found speaks of the question. If nothing does, no model is asked. Knows no model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rag.grounding.lexicon import known, otherwise, words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from index.hit import Hit
    from rag.question import Question

RELEVANT = 0.85
"""Least relevance of a passage to ask the model at all. On SQuAD 2 this refuses 1.6 % of the answerable questions,
4 % of the impossible ones on the same subjects, and 84 % of those about other subjects; the nearest sentence alone
refuses 59 % of the last at the same cost (python -m benchmarks relevance)."""

RELEVANT_BY_WORDS = 0.3
"""The same for a passage that the embedder cannot read, by the share of the question's words alone. On half of the
titles of XQuAD it refuses .06 (Chinese), .00 (Thai), .02 (Russian) and .02 (Arabic) of the answerable questions, and
.76, .00, .36 and .16 of those about the other titles."""


def relevance(question: str, hit: Hit) -> float:
    """Cosine similarity of the nearest sentence plus the share of the question's weighted words in the passage and
    its title, in [-1, 2]. Together they tell the subject far better than either alone. Where there is no similarity,
    for the embedder does not know the script, a smaller share is as much."""
    return likeness(covered(question, f"{hit.article.title or ''} {hit.text}"), hit)


def likeness(share: float, hit: Hit) -> float:
    """The relevance of a passage that has this share of the words."""
    is_read = hit.similarity != 0.0
    return share + (hit.similarity if is_read else RELEVANT - RELEVANT_BY_WORDS)


def covered(question: str, text: str) -> float:
    """Share of the question's weighted words that a text has, in [0, 1], written so or in another way."""
    wanted, has = words(question), known(text)
    weight = sum(word.weight for word in wanted)
    written = [(start, end) for start, end, forms in otherwise(question) if not forms.isdisjoint(has)]
    held = (
        word.weight
        for word in wanted
        if word.stem in has or any(start <= word.start and word.end <= end for start, end in written)
    )
    return sum(held) / weight if weight else 0.0


def is_relevant(question: Question, hits: Sequence[Hit]) -> bool:
    """Whether any hit speaks of what is asked. The context does not count: a question that changes the subject is
    judged by its own words."""
    return any(relevance(wording, hit) >= RELEVANT for wording in (question.text, question.full) for hit in hits)
