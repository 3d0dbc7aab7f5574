"""Naming: whether a text that a search found for a subject is of it.

A search finds what is near to a subject, which in a small collection may be of another one. A text that is of the
subject names it, or goes on from one that does. The words of a subject count by how rare they are in the index: in
Australian news, "drugs in Australia" is named by "drugs" rather than by "Australia". A name is one in the text as well:
"banks" do not name the Reserve Bank, nor does Hama name Hamas.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from index.language import language_of_article
from rag.grounding.lexicon import known, words
from rag.relevance import RELEVANT, likeness

if TYPE_CHECKING:
    from collections.abc import Iterator

    from index import Index
    from index.article import Span
    from index.hit import Hit

OF_SUBJECT = 0.8
"""Least likeness of a passage of the subject: above, summaries of events share fewer words with human ones; below, more
of them have a sentence of another subject (docs/experiments.md). Of a dated sentence more is asked, RELEVANT: nothing
else says that it is of the subject."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a subject: its stem, its weight, all of which make 1, and for one with a capital the forms that a name
    has in a text. Not `is_name` if the capital may be that of the beginning."""

    stem: str
    weight: float
    forms: frozenset[str]
    is_name: bool


@dataclass(frozen=True, slots=True)
class Read:
    """The words of a text: the stems of all, the stems of those in small letters, and those with a capital as they are
    written, in small letters."""

    stems: frozenset[str] = frozenset()
    small: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()

    @classmethod
    def of(cls, text: str, language: str) -> Read:
        """The words of `text`, which is in `language`. In another language than English, an s may inflect a name:
        "die Werften Hamburgs"."""
        found = words(text)
        names = {text[one.start : one.end].lower() for one in found if text[one.start].isupper()}
        if language != "English":
            names |= {name.removesuffix("s") for name in names}
        small = frozenset(one.stem for one in found if not text[one.start].isupper())
        return cls(known(text), small, frozenset(names))

    def __or__(self, other: Read) -> Read:
        """The words of both texts."""
        return Read(self.stems | other.stems, self.small | other.small, self.names | other.names)


@dataclass(frozen=True, slots=True)
class Subject:
    """What a question about the collection asks about."""

    words: tuple[Word, ...]

    @classmethod
    def of(cls, text: str, index: Index) -> Subject:
        """The subject that `text` is."""
        found = words(text)
        rarities = index.rarity([text[word.start : word.end] for word in found])
        total = sum(rarities) or 1.0
        return cls(
            tuple(
                Word(word.stem, rarity / total, _forms(text, word.start, word.end), word.kind == "name")
                for word, rarity in zip(found, rarities, strict=True)
            )
        )

    def is_of(self, hit: Hit) -> bool:
        """Whether a passage, with the title of its article, is of the subject."""
        read = Read.of(f"{hit.article.title or ''}\n{hit.text}", _language(hit))
        return self._likeness(read, hit) >= OF_SUBJECT

    def sentences_of(self, hit: Hit) -> Iterator[tuple[Span, bool]]:
        """The sentences of a passage, each with whether it is of the subject: by its own words, by what stands before
        it in the passage, and by the title of its article."""
        language = _language(hit)
        read = Read.of(hit.article.title or "", language)
        for sentence in hit.sentences:
            read |= Read.of(sentence.of(hit.article.text), language)
            yield sentence, self._likeness(read, hit) >= RELEVANT

    def _likeness(self, read: Read, hit: Hit) -> float:
        """How much a text with these words names of the subject, and how near its passage is, in [-1, 2]."""
        share = sum(
            word.weight
            for word in self.words
            if word.stem in read.stems
            and (
                not word.forms
                or not word.forms.isdisjoint(read.names)
                or (not word.is_name and word.stem in read.small)
            )
        )
        return likeness(share, hit)


def _language(hit: Hit) -> str:
    return language_of_article(hit.article.text, hit.article.language)


def _forms(text: str, start: int, end: int) -> frozenset[str]:
    """How a word with a capital may be written in a text: as here, and after "the" as a singular: "the Palestinians".
    None for one in small letters."""
    written = text[start:end].lower()
    is_plural = written.endswith("s") and text[:start].rstrip().lower().endswith("the")
    if not text[start].isupper():
        return frozenset()
    return frozenset({written, written.removesuffix("s")} if is_plural else {written})
