"""Naming: whether a text that a search found for a subject is of it.

A search finds what is near to a subject, which in a small collection may be of another one. A text that is of the
subject names it, or goes on from one that does. The words of a subject count by how rare they are in the index: in
Australian news, "drugs in Australia" is named by "drugs" rather than by "Australia". A name is one in the text as well:
"banks" do not name the Reserve Bank, nor does Hama name Hamas.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rag.grounding.lexicon import known, words
from rag.relevance import RELEVANT, likeness

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Set

    from index import Index
    from index.article import Span
    from index.hit import Hit

OF_SUBJECT = 0.8
"""Least likeness of a passage of the subject: above, summaries of events share fewer words with human ones; below, more
of them have a sentence of another subject (docs/experiments.md). Of a dated sentence more is asked, RELEVANT: nothing
else says that it is of the subject."""


@dataclass(frozen=True, slots=True)
class Named:
    """A word of a subject: its stem, for a name its forms in a text as well, and its weight. All weights make 1."""

    stem: str
    forms: frozenset[str]
    weight: float


@dataclass(frozen=True, slots=True)
class Subject:
    """What a question about the collection asks about."""

    words: tuple[Named, ...]

    @classmethod
    def of(cls, text: str, index: Index) -> Subject:
        """The subject that `text` is."""
        found = words(text)
        rarities = index.rarity([text[word.start : word.end] for word in found])
        total = sum(rarities) or 1.0
        return cls(
            tuple(
                Named(
                    word.stem, _forms(text, word.start, word.end) if word.kind == "name" else frozenset(), one / total
                )
                for word, one in zip(found, rarities, strict=True)
            )
        )

    def is_of(self, hit: Hit) -> bool:
        """Whether a passage, with the title of its article, is of the subject."""
        text = f"{hit.article.title or ''}\n{hit.text}"
        return self._likeness(known(text), _names(text), hit) >= OF_SUBJECT

    def sentences_of(self, hit: Hit) -> Iterator[tuple[Span, bool]]:
        """The sentences of a passage, each with whether it is of the subject: by its own words, by what stands before
        it in the passage, and by the title of its article."""
        title = hit.article.title or ""
        stems, names = known(title), _names(title)
        for sentence in hit.sentences:
            text = sentence.of(hit.article.text)
            stems, names = stems | known(text), names | _names(text)
            yield sentence, self._likeness(stems, names, hit) >= RELEVANT

    def _likeness(self, stems: Collection[str], names: Set[str], hit: Hit) -> float:
        """How much a text with these words names of the subject, and how near its passage is, in [-1, 2]."""
        share = sum(
            word.weight
            for word in self.words
            if word.stem in stems and (not word.forms or not word.forms.isdisjoint(names))
        )
        return likeness(share, hit)


def _forms(text: str, start: int, end: int) -> frozenset[str]:
    """How a name is written in a text: as here, as a plural, and after "the" also as a singular."""
    written = text[start:end].lower()
    singular = {written[:-1]} if written.endswith("s") and text[:start].rstrip().lower().endswith("the") else set()
    return frozenset({written, f"{written}s", f"{written}es", *singular})


def _names(text: str) -> frozenset[str]:
    """The words of a text that begin with a capital letter, in small letters."""
    return frozenset(text[one.start : one.end].lower() for one in words(text) if text[one.start].isupper())
