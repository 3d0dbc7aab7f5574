"""Library: the articles as a reader looks for them, and what questions are narrowed to. Changes no index."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from index.article import also_in
from index.errors import InputError
from index.filters import DATES, Filter

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from index import Article, Failure, Index
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
    outlets: tuple[str, ...] = ()
    """That of the article and those of its copies."""
    left_out: tuple[str, ...] = ()
    """What was not read of its file."""


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
        self._as_of: tuple[int, object] = (-1, None)
        self._rows: tuple[Row, ...] = ()
        self._by_id: dict[str, Row] = {}
        self._lock = threading.Lock()

    def rows(self) -> tuple[Row, ...]:
        """Every article in the order of adding; a copy is named in the row of its original and has none of its own.

        Tabs that open at once wait for one reading of them.
        """
        with self._lock:
            # What is left out of a file may change while its article does not.
            as_of = self.index.generation, self.index.all_left_out()
            if as_of != self._as_of:
                listed = self.index.listing()
                copies: dict[str, list[Article]] = {}
                for one in listed:
                    if one.copy_of is not None:
                        copies.setdefault(one.copy_of.id, []).append(one.article)
                self._rows = tuple(_row(one, copies.get(one.article.id, ())) for one in listed if one.copy_of is None)
                self._by_id = {row.id: row for row in self._rows}
                for original, repeated in copies.items():
                    self._by_id.update((copy.id, self._by_id[original]) for copy in repeated)
                self._as_of = as_of
            return self._rows

    def row(self, article_id: str) -> Row:
        """The row of an article or of its copy. Raises InputError when there is none."""
        self.rows()
        row = self._by_id.get(article_id)
        if row is None:
            raise InputError("this article was removed meanwhile")
        return row

    def unread(self) -> tuple[Failure, ...]:
        """The files without an article, and why."""
        return self.index.unread()

    def outlets(self) -> tuple[str, ...]:
        """The outlets that are known, in alphabetical order."""
        return tuple(sorted({name for row in self.rows() for name in row.outlets}, key=str.casefold))

    def find(self, query: Query) -> list[Row]:
        """The rows that `query` asks for, in its order. Raises InputError for a date that is none."""
        only = narrowed(outlet="", since=query.since, until=query.until)
        wanted = query.text.casefold().split()
        found = [
            row
            for row in self.rows()
            if (not query.outlet or query.outlet in row.outlets)
            and only.passes(row.source, row.published)
            and all(word in _searched(row) for word in wanted)
        ]
        return _sorted(found, query.sort)


def narrowed(*, outlet: str = "", since: str = "", until: str = "", articles: Collection[str] = ()) -> Filter:
    """The filter for an outlet, the first and the last day (or month, or year) to search, and chosen articles.

    Raises InputError for a date that is none.
    """
    given: dict[str, Any] = {"source": outlet.strip() or None}
    if since.strip():
        given["after"] = _dated(since).after
    if until.strip():
        given["before"] = _dated(until).before
    if articles:
        given["articles"] = frozenset(articles)
    return Filter(**given)


def _dated(written: str) -> Filter:
    """The filter for the days of a date, in the words of somebody who typed it into a field."""
    try:
        return Filter.of(within=written.strip())
    except InputError:
        raise InputError(f"“{written.strip()}” is no date; {DATES}") from None


def _row(listed: Listed, copies: Sequence[Article]) -> Row:
    article, newer = listed.article, listed.superseded_by
    length = len(article.text.split())
    return Row(
        article.id,
        article.headline,
        article.source,
        article.published,
        article.author,
        length,
        also_in=also_in(article, copies),
        superseded_by=f"{newer.headline} ({newer.updated or newer.published or newer.id})" if newer else "",
        outlets=tuple(dict.fromkeys(one.source for one in (article, *copies) if one.source)),
        left_out=listed.left_out,
    )


def _searched(row: Row) -> str:
    return " ".join(part for part in (row.headline, row.author, *row.outlets) if part).casefold()


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
