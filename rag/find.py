"""Find: a question → the passages that the model is to read, or the reason why it is not asked."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from index.errors import InputError
from rag import evidence, recency
from rag.answer import Reason, Source
from rag.question import subject_names
from rag.recency import newest_first
from rag.relevance import RELEVANT, is_relevant, relevance

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from index import Index
    from index.hit import Hit
    from rag.clock import Clock
    from rag.loaded import LoadedModel
    from rag.question import Question
    from rag.settings import Settings

NARROW, WIDE = 2, 4
"""Hits for each passage that is to be read: to judge by whether anything speaks of the question, and to choose from, so
that a long article does not hide the others."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search gave, in the index of `generation`. `sources` are the passages to read; with a `reason`, nothing
    is to be read and `sources` are the nearest passages. `missing` are the shards that were not searched."""

    hits: tuple[Hit, ...] = ()
    sources: tuple[Source, ...] = ()
    reason: Reason | None = None
    generation: int = 0
    missing: tuple[str, ...] = ()

    def unread(self) -> Iterator[Hit]:
        """What was found and is not among the passages to read."""
        read = [source.hit for source in self.sources]
        return (hit for hit in self.hits if hit not in read)


def find(question: Question, index: Index, model: LoadedModel, settings: Settings, clock: Clock) -> Found:
    """Search, and choose what to read. Raises InputError for a filter that is wrong, ModelError for a model that
    cannot be used."""
    searched = index.search(
        question.text,
        WIDE * settings.passages,
        rewordings=question.rewordings,
        context=question.context,
        **question.only.to_dict(),
    )
    wide = tuple(searched)
    hits = wide[: NARROW * settings.passages]
    found = Found(hits, generation=index.generation, missing=searched.missing)
    clock.mark("search")
    if not hits and found.missing:
        found = replace(found, reason=Reason.NOTHING_RELEVANT)
    elif not hits:
        found = replace(found, reason=Reason.FILTERED_OUT if question.only else Reason.EMPTY_INDEX)
    elif not is_relevant(question, hits):
        nearest = tuple(Source(number, hit) for number, hit in enumerate(hits[: settings.passages], start=1))
        found = replace(found, sources=nearest, reason=Reason.NOTHING_RELEVANT)
    else:
        wide = (*wide, *_recent(question, index, wide, settings))
        newest = newest_first(question.text, wide, least_share=evidence.LEAST_SHARE)
        with model.held(settings) as llm:
            read = _of_subject(question, newest)
            found = replace(found, sources=evidence.select(question.text, read, llm, settings))
    clock.mark("evidence")
    return found


def _of_subject(question: Question, hits: Sequence[Hit]) -> list[Hit]:
    """For a question that says "he" or "it" of what was asked about before, the hits of articles that name it, if there
    are any: of somebody else they would say the same."""
    names = subject_names(question)
    if not names:
        return list(hits)
    named = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, sorted(names)))})(?!\w)")
    return [hit for hit in hits if named.search(f"{hit.article.title or ''} {hit.article.text}")] or list(hits)


def _recent(question: Question, index: Index, known: Sequence[Hit], settings: Settings) -> Iterator[Hit]:
    """For a question about now, what the newest articles say of it, where a search of all did not find that. It must
    be nearly as relevant as the best: the score of a search does not compare with that of another."""
    if not recency.asks_about_now(question.text):
        return
    try:
        published = next((index.article(newest).published for newest in index.newest(1, question.only)), None)
    except InputError:  # it was removed meanwhile
        return
    spans = recency.recent_spans(question.text, published)
    least = max(RELEVANT, evidence.LEAST_SHARE * max(relevance(question.full, hit) for hit in known))
    seen = {(hit.article.id, hit.start) for hit in known}
    for span in spans:
        for hit in index.search(
            question.text,
            settings.passages,
            rewordings=question.rewordings,
            context=question.context,
            **question.only.also(span).to_dict(),
        ):
            if (hit.article.id, hit.start) not in seen and relevance(question.full, hit) >= least:
                seen.add((hit.article.id, hit.start))
                yield hit
