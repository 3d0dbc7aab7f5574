"""Library: the articles as a reader looks for them, and what questions are narrowed to. Changes no index."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from index.errors import InputError
from index.filters import Filter

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from index import Index
    from index.listed import Listed

SHOWN = 100
"""Most rows of one list; a search narrows it down."""
SORTS = {"Newest first": "newest", "Oldest first": "oldest", "Title": "title", "Outlet": "outlet", "As added": "added"}


@dataclass(frozen=True, slots=True)
class Row:
    """What a list shows of an article."""

    id: str
    headline: str
    source: str | None
    published: str | None
    author: str | None
    words: int
    also_in: tuple[str, ...] = ()
    superseded_by: str = ""


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for in the list: words of title, outlet or author, an outlet, days, an order."""

    text: str = ""
    outlet: str = ""
    since: str = ""
    until: str = ""
    sort: str = "newest"


class Library:
    """The articles of an index without their texts, read again when its generation changes."""

    def __init__(self, index: Index) -> None:
        """`index` stays the caller's."""
        self.index = index
        self._generation = -1
        self._rows: tuple[Row, ...] = ()
        self._lock = threading.Lock()

    def rows(self) -> tuple[Row, ...]:
        """Every article in the order of adding. Tabs that open at once wait for one reading of them."""
        with self._lock:
            generation = self.index.generation
            if generation != self._generation:
                self._rows = tuple(map(_row, self.index.listing()))
                self._generation = generation
            return self._rows

    def outlets(self) -> tuple[str, ...]:
        """The outlets that are known, in alphabetical order."""
        return tuple(sorted({row.source for row in self.rows() if row.source}, key=str.casefold))

    def find(self, query: Query) -> list[Row]:
        """The rows that `query` asks for, in its order. Raises InputError for a date that is none."""
        only = narrowed(outlet="", since=query.since, until=query.until)
        wanted = query.text.casefold().split()
        found = [
            row
            for row in self.rows()
            if (not query.outlet or row.source == query.outlet)
            and only.passes(row.source, row.published)
            and all(word in _said(row) for word in wanted)
        ]
        return _sorted(found, query.sort)

    def shown(self, rows: Sequence[Row]) -> list[Row]:
        """The first SHOWN rows, with where else each stands."""
        return [replace(row, also_in=self._also_in(row)) for row in rows[:SHOWN]]

    def _also_in(self, row: Row) -> tuple[str, ...]:
        try:
            copies = self.index.copies(row.id)
        except InputError:  # removed meanwhile
            return ()
        return tuple(dict.fromkeys(one.source or one.headline for one in copies))


def narrowed(*, outlet: str = "", since: str = "", until: str = "", articles: Collection[str] = ()) -> Filter:
    """The filter for an outlet, the first and the last day (or month, or year) to search, and chosen articles.

    Raises InputError for a date that is none.
    """
    given: dict[str, Any] = {"source": outlet.strip() or None}
    if since.strip():
        given["after"] = Filter.of(within=since.strip()).after
    if until.strip():
        given["before"] = Filter.of(within=until.strip()).before
    if articles:
        given["articles"] = frozenset(articles)
    return Filter(**given)


def _row(listed: Listed) -> Row:
    article, newer = listed.article, listed.superseded_by
    length = len(article.text.split())
    return Row(
        article.id,
        article.headline,
        article.source,
        article.published,
        article.author,
        length,
        superseded_by=f"{newer.headline} ({newer.updated or newer.published or newer.id})" if newer else "",
    )


def _said(row: Row) -> str:
    return " ".join(part for part in (row.headline, row.source, row.author) if part).casefold()


def _sorted(rows: list[Row], sort: str) -> list[Row]:
    """Rows without what is sorted by come last."""
    if sort == "title":
        return sorted(rows, key=lambda row: row.headline.casefold())
    if sort == "outlet":
        return sorted(rows, key=lambda row: (row.source is None, (row.source or "").casefold()))
    if sort in ("newest", "oldest"):
        dated = sorted((row for row in rows if row.published), key=lambda row: row.published or "")
        undated = [row for row in rows if not row.published]
        return [*(dated[::-1] if sort == "newest" else dated), *undated]
    return rows
