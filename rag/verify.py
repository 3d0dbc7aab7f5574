"""Verify: how far quotes support a sentence, and whether to answer at all. Pure; knows no model.

This is the first, simple check: words and numbers. It marks what the quotes do not contain; it does not judge
meaning.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rag.words import stems, words

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from index.search import Hit
    from rag.answer import Source
    from rag.cite import Quote
    from rag.query import Query

SUPPORTED = 0.5
"""Least support of a claim that is shown as supported."""
NEARBY = 0.6
"""What a word counts that stands in the quoted passage or its heading but not in the quote: the name behind a "he"."""
FAILED = 0.2
"""Most support of a claim with a number or quotation that the quotes do not contain."""
RELEVANT = 0.85
"""Least relevance of a passage to ask the model at all. On SQuAD 2 this refuses 1.6 % of the answerable questions,
4 % of the impossible ones on the same subjects, and 84 % of those about other subjects; the nearest sentence alone
refuses 59 % of the last at the same cost (python -m benchmarks relevance)."""
AKIN_CHARS = 4
"""Fewest characters that two names must share from their start to be taken for akin."""

_QUOTATION = re.compile(r"[\"“]([^\"“”]{3,})[\"”]")


def support(claim: str, quotes: Sequence[Quote], *, read: Sequence[Source] = (), question: str = "") -> float:
    """Share of the claim's weighted words that the quotes contain, in [0, 1].

    `read` are all passages the model saw. Anything `missing` caps the share at FAILED.
    """
    wanted = words(claim)
    if not wanted or not quotes:
        return 0.0
    said = frozenset().union(*(stems(quote.text) for quote in quotes))
    nearby = frozenset().union(*(stems(surroundings(quote.source)) for quote in quotes))
    weight = sum(word.weight for word in wanted)
    found = sum(word.weight * (1.0 if word.stem in said else NEARBY if word.stem in nearby else 0.0) for word in wanted)
    share = found / weight
    return min(share, FAILED) if missing(claim, quotes, read=read, question=question) else share


def missing(claim: str, quotes: Sequence[Quote], *, read: Sequence[Source] = (), question: str = "") -> tuple[str, ...]:
    """The numbers and quotations of `claim` that no quote contains, and the names that none of the passages in
    `read` (or quoted) contains. A word that opens the claim is a name if `question` has it as one."""
    said = frozenset().union(*(stems(quote.text) for quote in quotes))
    passages = [*read, *(quote.source for quote in quotes)]
    known = frozenset().union(*(stems(surroundings(source)) for source in passages))
    asked = {word.stem for word in words(question) if word.kind == "name"}
    lost = [
        claim[word.start : word.end]
        for word in words(claim)
        if (word.kind == "number" and word.stem not in said)
        or ((word.kind == "name" or word.stem in asked) and not _is_akin(word.stem, known))
    ]
    spoken = [_plain(quote.text) for quote in quotes]
    quotations = [text for text in _QUOTATION.findall(claim) if not any(_plain(text) in passage for passage in spoken)]
    return (*lost, *quotations)


def relevance(question: str, hit: Hit) -> float:
    """Cosine similarity of the nearest sentence plus the share of the question's weighted words in the passage and
    its title, in [-1, 2]. Together they tell the subject far better than either alone."""
    return hit.similarity + covered(question, f"{hit.article.title or ''} {hit.text}")


def covered(question: str, text: str) -> float:
    """Share of the question's weighted words that a text has, in [0, 1]."""
    wanted, has = words(question), stems(text)
    weight = sum(word.weight for word in wanted)
    return sum(word.weight for word in wanted if word.stem in has) / weight if weight else 0.0


def relevant(query: Query, hits: Sequence[Hit]) -> bool:
    """Whether any hit speaks of what is asked. The context does not count: a question that changes the subject is
    judged by its own words."""
    return any(relevance(wording, hit) >= RELEVANT for wording in (query.text, query.full) for hit in hits)


def _is_akin(name: str, known: Collection[str]) -> bool:
    """Whether `known` has the name or one that begins alike: Japan and Japanese, Medal and Medalist."""
    return name in known or any(
        min(len(name), len(other)) >= AKIN_CHARS and (other.startswith(name) or name.startswith(other))
        for other in known
    )


def surroundings(source: Source) -> str:
    """A passage and its heading."""
    article = source.hit.article
    return " ".join(filter(None, (article.source, article.title, article.published, source.hit.text)))


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))
