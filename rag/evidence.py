"""Evidence: hits → the few passages the LLM sees, in a token budget. Knows no particular model."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from index.version import counterparts
from rag import prompt
from rag.answer import Source, Turn

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from index.article import Span
    from index.hit import Hit
    from rag.llm import LLM
    from rag.settings import Settings

LEAST_SHARE = 0.7
"""Least score, as a share of the best hit's, of a passage worth reading. With it the four best passages of SQuAD 2
hold the answer to .961 of 700 questions, and 2.3 of them are read; with .6 it is .963 of 3.0, with .8 .956 of 1.8."""

MOST_OF_ONE = 2
"""Passages of one article that are read before those of others that are worth reading, so that where several articles
speak, several are read."""


def select(question: str, hits: Sequence[Hit], llm: LLM, settings: Settings) -> tuple[Source, ...]:
    """The best hits that fit the budgets of `settings`, numbered from 1 in the order of `hits`.

    Passages of equal text are taken once, and what a newer version of an article speaks of is read there alone. A third
    passage of an article comes after those of all others. The first one is taken whatever the evidence budget, as long
    as the context holds it.
    """
    bare = llm.count(prompt.build(question, ()))
    room = llm.context_tokens - settings.answer_tokens - bare
    chosen: list[Hit] = []
    seen: set[str] = set()
    current = list(_newest(hits))
    for hit in _several_articles(current):
        words = " ".join(hit.text.split())
        if words in seen or hit.score < LEAST_SHARE * hits[0].score:
            continue
        cost = llm.count(prompt.build(question, [*chosen, hit])) - bare
        if cost > room or (chosen and cost > settings.evidence_tokens):
            break
        seen.add(words)
        chosen.append(hit)
        if len(chosen) == settings.passages:
            break
    chosen.sort(key=current.index)
    return tuple(Source(number, hit) for number, hit in enumerate(chosen, start=1))


def _several_articles(hits: Sequence[Hit]) -> list[Hit]:
    """The hits, but for those of an article that has MOST_OF_ONE already, which come last."""
    taken: Counter[str] = Counter()
    first: list[Hit] = []
    rest: list[Hit] = []
    for hit in hits:
        taken[hit.article.id] += 1
        (first if taken[hit.article.id] <= MOST_OF_ONE else rest).append(hit)
    return [*first, *rest]


def _newest(hits: Sequence[Hit]) -> Iterator[Hit]:
    """The hits without what newer versions of their articles say otherwise, or say as well.

    Of a passage of an older version stays the stretch around its nearest sentence that no newer one speaks of; nothing
    of it does if the passage that speaks of it was found.
    """
    for hit in hits:
        spoken_of: list[Span] = []
        for version in hit.newer:
            found = [one for one in hits if one.article.id == version.id]
            for pair in counterparts(hit.article.text, version.text):
                wording = pair.newer
                if wording and any(one.start <= wording.start < one.end for one in found):
                    spoken_of.append(pair.older)
        if hit.nearest in spoken_of:
            continue
        start = max((span.end for span in spoken_of if hit.start < span.end <= hit.nearest.start), default=hit.start)
        end = min((span.start for span in spoken_of if hit.nearest.end <= span.start < hit.end), default=hit.end)
        rest = hit.article.text[start:end]
        blanks = len(rest) - len(rest.lstrip())
        yield replace(hit, start=start + blanks, end=start + len(rest.rstrip())) if spoken_of else hit


def trim_history(
    question: str, hits: Sequence[Hit], history: Sequence[Turn], llm: LLM, settings: Settings
) -> tuple[Turn, ...]:
    """The latest turns of `history` that fit the context beside the passages, in order."""
    room = llm.context_tokens - settings.answer_tokens
    if llm.count(prompt.build(question, hits, history)) <= room:
        return tuple(history)
    # From the latest on, so that no more is counted than fits: programs send conversations of hundreds of turns.
    kept: tuple[Turn, ...] = ()
    for turn in reversed(history):
        longer = (turn, *kept)
        if llm.count(prompt.build(question, hits, longer)) > room:
            break
        kept = longer
    return kept
