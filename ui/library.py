"""Library: the articles as a reader looks for them, and what questions are narrowed to. Changes no index."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from index.article import Span, also_in
from index.errors import InputError
from index.filters import DATES, Filter, is_date
from index.mentions import SORTS as SORTS_OF_MENTIONS
from index.mentions import Name

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from index import Article, Failure, Index
    from index.edit import Edit
    from index.listed import Listed

SHOWN = 50
"""Rows of one page of the list: what is drawn at once on a phone."""
LATEST = 3
"""Articles that the start page shows as added last."""
MOST_FOUND = 2000
"""Most articles that are looked for in an order that the index does not have, such as by title."""
MOST_WORDS = 8
"""Of a phrase, that are looked for one by one."""
FEWEST_CHARS = 2
"""Shorter words are looked for in titles, outlets and authors only: nearly every text has them."""
SORTS = {
    "Newest first": "newest",
    "Oldest first": "oldest",
    "Best match": "relevance",
    "Title": "title",
    "Outlet": "outlet",
    "As added": "added",
}


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
    title: str | None = None
    """None where the headline is the first words of the text."""


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for in the list: words of text, title, outlet or author, an outlet, a tag, days, an order."""

    text: str = ""
    outlet: str = ""
    tag: str = ""
    since: str = ""
    until: str = ""
    sort: str = "newest"


@dataclass(frozen=True, slots=True)
class Found:
    """A row with the words that it was found by: `text` is that of the article if they stand in it, `hits` are their
    spans, and `sentence` is one that has them, or that is nearest to them."""

    row: Row
    text: str = ""
    hits: tuple[Span, ...] = ()
    sentence: Span | None = None


@dataclass(frozen=True, slots=True)
class Findings:
    """What a search of the library found, from the first on. `has_more` if it was not looked to the end; `is_about` if
    no article has the words, and these are on the subject."""

    found: tuple[Found, ...]
    has_more: bool = False
    is_about: bool = False


@dataclass(frozen=True, slots=True)
class Glance:
    """A library in numbers: articles, outlets with the most articles first, the first and the last date of publication,
    articles by month ("2018-03"), and those that were added last."""

    articles: int = 0
    outlets: tuple[tuple[str, int], ...] = ()
    first: str | None = None
    last: str | None = None
    months: Mapping[str, int] = field(default_factory=dict)
    latest: tuple[Row, ...] = ()


class Library:
    """The articles of an index without their texts, read again when its generation changes."""

    def __init__(self, index: Index) -> None:
        """`index` stays the caller's."""
        self.index = index
        self._as_of: tuple[int, object] = (-1, None)
        self._rows: tuple[Row, ...] = ()
        self._by_id: dict[str, Row] = {}
        self._outlets: tuple[str, ...] = ()
        self._glance = Glance()
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
                self._outlets = tuple(sorted({name for row in self._rows for name in row.outlets}, key=str.casefold))
                self._glance = _glance(self._rows)
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
        self.rows()
        return self._outlets

    def glance(self) -> Glance:
        """The library in numbers."""
        self.rows()
        return self._glance

    def find(self, query: Query) -> list[Row]:
        """The rows that `query` asks for, in its order. Raises InputError for a date that is none."""
        only = narrowed(outlet="", since=query.since, until=query.until)
        wanted = query.text.casefold().split()
        tagged = self._tagged(query.tag)
        found = [
            row
            for row in self.rows()
            if (tagged is None or row.id in tagged)
            and (not query.outlet or query.outlet in row.outlets)
            and only.passes(row.source, row.published)
            and all(word in _searched(row) for word in wanted)
        ]
        return _sorted(found, query.sort)

    def tags(self) -> dict[str, int]:
        """How many articles have each tag, in alphabetical order."""
        return self.index.tags()

    def known(self, article_ids: Collection[str]) -> dict[str, tuple[tuple[str, ...], tuple[Edit, ...]]]:
        """The tags and the edits of these articles."""
        return self.index.annotations(article_ids)

    def _tagged(self, tag: str) -> frozenset[str] | None:
        """The rows with a tag, those of copies that have it included; None without a tag."""
        if not tag:
            return None
        ids = self.index.resolve(Filter.of(tags=[tag])).articles or frozenset()
        self.rows()
        return frozenset(self._by_id[one].id for one in ids if one in self._by_id)

    def search(self, query: Query, *, most: int = SHOWN) -> Findings:
        """The rows that `query` asks for by their title, outlet or author, or whose text mentions it: the phrase, or
        else all of its words. If there is none, those on the subject (see index/mentions.py and index/about.py).
        Texts are looked through until `most` are found.

        Raises InputError for a date that is none.
        """
        text = query.text.strip()
        named = self.find(query)
        if len(text) < FEWEST_CHARS:
            return Findings(tuple(map(Found, named)))
        allowed = {row.id: place for place, row in enumerate(self.find(replace(query, text="")))}
        mentioned, has_more = self._mentioned(text, query, allowed, most)
        if not mentioned and not named:
            words = text.split()
            if 1 < len(words) <= MOST_WORDS and '"' not in text and "“" not in text:
                each = [self._mentioned(word, query, allowed, most)[0] for word in words]
                mentioned = {
                    one: replace(found, hits=hits(text, found.text))
                    for one, found in each[0].items()
                    if all(one in others for others in each[1:])
                }
        found = {**mentioned, **{row.id: Found(row) for row in named if row.id not in mentioned}}
        if found or len(text) <= FEWEST_CHARS:
            return Findings(_in_order(found, allowed, query.sort), has_more)
        only = narrowed(since=query.since, until=query.until)
        for one in self.index.about(text, only=only):
            row = self._by_id.get(one.article.id)
            if row is not None and row.id in allowed and row.id not in found:
                found[row.id] = Found(row, one.article.text, (), one.nearest)
        return Findings(_in_order(found, allowed, query.sort), is_about=bool(found))

    def _mentioned(
        self, text: str, query: Query, allowed: Mapping[str, int], shown: int
    ) -> tuple[dict[str, Found], bool]:
        """The allowed rows whose text mentions `text`, and whether there may be more of them."""
        found: dict[str, Found] = {}
        only = narrowed(since=query.since, until=query.until)
        sort = next((one for one in SORTS_OF_MENTIONS if one == query.sort), None)
        most = MOST_FOUND if sort is None else shown
        with (
            contextlib.suppress(InputError),
            contextlib.closing(self.index.mentions(text, only=only, sort=sort or "relevance")) as mentions,
        ):  # not a word, or too long
            for one in mentions:
                row = self._by_id.get(one.article.id)
                if not one.spans or row is None or row.id not in allowed or row.id in found:
                    continue
                if len(found) == most:
                    return found, True
                found[row.id] = Found(row, one.article.text, one.spans)
        return found, False


def _glance(rows: tuple[Row, ...]) -> Glance:
    outlets = Counter(row.source for row in rows if row.source)
    dates = sorted(row.published for row in rows if row.published and is_date(row.published))
    return Glance(
        len(rows),
        tuple(outlets.most_common()),
        dates[0] if dates else None,
        dates[-1] if dates else None,
        Counter(date[:7] for date in dates if len(date) >= len("2018-03")),
        rows[: -LATEST - 1 : -1],
    )


def _in_order(found: Mapping[str, Found], places: Mapping[str, int], sort: str) -> tuple[Found, ...]:
    """As they were found, the best first, or in the order of the list."""
    ids = list(found) if sort == "relevance" else sorted(found, key=lambda one: places[one])
    return tuple(found[one] for one in ids)


def hits(text: str, article: str) -> tuple[Span, ...]:
    """Where the text of an article has what was looked for: the phrase, or else each of its words."""
    try:
        found = Name.of(text).find(article)
    except InputError:
        return ()
    if found or len(text.split()) > MOST_WORDS:
        return found
    spans: list[Span] = []
    for word in text.split():
        with contextlib.suppress(InputError):
            spans += Name.of(word).find(article)
    spans.sort(key=lambda span: span.start)
    return tuple(span for before, span in pairwise([Span(0, 0), *spans]) if span.start >= before.end)


def narrowed(
    *,
    outlet: str = "",
    since: str = "",
    until: str = "",
    articles: Collection[str] = (),
    tags: Collection[str] = (),
) -> Filter:
    """The filter for an outlet, the first and the last day (or month, or year) to search, chosen articles, and tags.

    Raises InputError for a date that is none.
    """
    given: dict[str, Any] = {"source": outlet.strip() or None}
    if since.strip():
        given["after"] = _dated(since).after
    if until.strip():
        given["before"] = _dated(until).before
    if articles:
        given["articles"] = frozenset(articles)
    if tags:
        given["tags"] = frozenset(tags)
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
        title=article.title,
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
