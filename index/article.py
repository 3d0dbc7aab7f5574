"""Article: the unit a reader puts in, and spans of it. Knows nothing of files, formats or storage."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

from index import place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from index.place import Place

HEADLINE_CHARS = 80
"""Words of the text that stand for a missing title: one line of a terminal."""


@dataclass(frozen=True, slots=True, repr=False)
class Article:
    """A clean article. Every offset anywhere in Citewire counts code points of `text`.

    Unknown metadata is None, never guessed. `published` and `updated` are ISO 8601 dates or date-times
    ("2018-03-21", "2018-03-21T09:30:00+00:00"), `url` the address of the original, `source` the outlet, `author`
    the byline without its "By", `language` a tag such as "en" or "pt-BR". `places` says where the pages or sections of
    the original begin in `text` (index/place.py); two articles that differ in nothing else are equal.
    """

    id: str
    text: str
    title: str | None = None
    source: str | None = None
    url: str | None = None
    published: str | None = None
    author: str | None = None
    updated: str | None = None
    language: str | None = None
    places: tuple[Place, ...] = field(default=(), compare=False)

    def __repr__(self) -> str:
        """One line, with the length of the text in its place."""
        known = {"id": self.id, "title": self.title, "source": self.source, "published": self.published}
        shown = [f"{name}={value!r}" for name, value in known.items() if value is not None]
        return f"Article({', '.join(shown)}, {len(self.text)} characters)"

    @property
    def values(self) -> tuple[str | None, ...]:
        """The text and the metadata, in the order of FIELDS."""
        return tuple(getattr(self, name) for name in FIELDS)

    def page_of(self, start: int) -> int | None:
        """The page of the original file on which the offset `start` stands, from 1; None where that is not known."""
        return place.page_of(self.places, start)

    def place_of(self, start: int, end: int) -> str | None:
        """Where `text[start:end]` stands in the original, such as "p. 12"; None where that is not known."""
        return place.in_words(self.places, start, end)

    @property
    def headline(self) -> str:
        """The title, or the first words of the text for an article that has none."""
        if self.title:
            return self.title
        words = re.sub(r"\s+", " ", self.text[: HEADLINE_CHARS * 2]).strip()
        if len(words) <= HEADLINE_CHARS:
            return words
        return words[:HEADLINE_CHARS].rsplit(" ", 1)[0].rstrip(" ,;:.") + "…"


FIELDS = tuple(one.name for one in fields(Article) if one.name != "places")
"""What is known of an article itself."""


def also_in(article: Article, copies: Sequence[Article]) -> tuple[str, ...]:
    """What distinguishes the copies from the article: outlets, and headlines where an outlet is unknown or the same.

    A copy with the outlet and the headline of the article itself is not named.
    """
    names = (one.source if one.source and one.source != article.source else one.headline for one in copies)
    return tuple(name for name in dict.fromkeys(names) if name not in (article.source, article.headline))


@dataclass(frozen=True, slots=True)
class Span:
    """Half-open range [start, end) of code points in some text."""

    start: int
    end: int

    def of(self, text: str) -> str:
        """The characters of `text` that the span covers."""
        return text[self.start : self.end]
