"""Lexical: the support of a claim by words and numbers alone; what rag/grounding/support.py is held against."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rag.grounding.lexicon import AKIN_CHARS, stems, words
from rag.grounding.support import FAILED, NEARBY

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from rag.answer import Source
    from rag.grounding.cite import Quote

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
