"""Filter: which articles a search may find, and how the operators in a query say so. Knows no database.

    source:reuters  source:"The Post"     of this outlet: these words, in this order, anywhere in its name
    in:2018                               published in this year, month (2018-03) or on this day (2018-03-21)
    before:2017-05  after:2017            published before it began, after it ended
    tag:dam  tag:"follow up"              with this tag

Several narrow each other down, also several tags. An operator begins a word, and nothing stands between its colon and
its value, so that "Source: Reuters" is prose. Which articles were chosen one by one has no operator.
"""

from __future__ import annotations

import calendar
import re
import unicodedata
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Self

from index.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from index.article import Article

DATES = "write a year, a month or a day, as in 2018, 2018-03 or 2018-03-21"

_OPERATOR = re.compile(
    r"""
    (?:^|\s+) (?P<name>source|before|after|in|tag) :
    (?: ["“] (?P<quoted>[^"“”]*) ["”] | (?P<bare>\S+?) )
    (?= [?!.,;)]* (?:\s|$) )
    """,
    re.VERBOSE | re.IGNORECASE,
)
_DATE = re.compile(r"([12][0-9]{3})(?:-([0-9]{2})(?:-([0-9]{2}))?)?")
_PUBLISHED = re.compile(r"([12][0-9]{3})(?:-([0-9]{2})(?:-([0-9]{2})(?:[T ].*)?)?)?", re.DOTALL)

_QUOTED = re.compile(r"\s|[?!.,;)]$")
"""What a value has that is only kept in quotation marks: after a bare one, a full stop is that of the sentence."""


@dataclass(frozen=True, slots=True)
class Filter:
    """What an article must be to be found; None asks for nothing. False when it lets everything pass.

    `source` are words of the outlet's name. `after` and `before` are days, as in 2018-03-21: the last one that is too
    early and the first one that is too late. An article without a date passes neither. `articles` are ids; a copy of
    an article is chosen with it. An article must have all of `tags`, in any case: only an index knows which those are,
    see Index.resolve.
    """

    source: str | None = None
    after: str | None = None
    before: str | None = None
    articles: frozenset[str] | None = None
    tags: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls,
        *,
        source: str | None = None,
        after: str | None = None,
        before: str | None = None,
        within: str | None = None,
        articles: Iterable[str] | None = None,
        tags: Iterable[str] = (),
    ) -> Self:
        """A filter of values as they stand in operators, `within` for in. Raises InputError for one that is wrong."""
        if source is not None and not _words(source):
            raise InputError(f'source:{source} names no outlet; write one, as in source:reuters or source:"The Post"')
        too_early = [_period("after", after)[1]] if after is not None else []
        too_late = [_period("before", before)[0]] if before is not None else []
        if within is not None:
            first, last = _period("in", within)
            too_early.append(first - timedelta(days=1))
            too_late.append(last + timedelta(days=1))
        return cls(
            source,
            str(max(too_early)) if too_early else None,
            str(min(too_late)) if too_late else None,
            None if articles is None else frozenset(articles),
            frozenset(unicodedata.normalize("NFC", " ".join(one.split())) for one in tags),
        )

    def __bool__(self) -> bool:
        """Whether anything is asked for."""
        return self != EVERYTHING

    def __str__(self) -> str:
        """As operators; how many articles were chosen, in words."""
        shown = {"source": self.source, "after": self.after, "before": self.before}
        given = [(name, value) for name, value in shown.items() if value is not None]
        given += [("tag", one) for one in sorted(self.tags)]
        operators = [f'{name}:"{value}"' if _QUOTED.search(value) else f"{name}:{value}" for name, value in given]
        return " ".join([*operators, *([] if self.articles is None else [f"({len(self.articles)} chosen articles)"])])

    def passes(self, source: str | None, published: str | None) -> bool:
        """Whether an article of this outlet and date may be found, if it is chosen and has the tags. A date that is
        only a month or a year passes when all of it does."""
        if self.source is not None and f" {_words(self.source)} " not in f" {_words(source or '')} ":
            return False
        if self.after is None and self.before is None:
            return True
        days = _days(_PUBLISHED, published or "")
        return (
            days is not None
            and (self.after is None or str(days[0]) > self.after)
            and (self.before is None or str(days[1]) < self.before)
        )

    def passes_article(self, article: Article) -> bool:
        """Whether this article may be found, copies and tags not considered."""
        is_chosen = self.articles is None or article.id in self.articles
        return is_chosen and self.passes(article.source, article.published)

    def also(self, other: Filter) -> Filter:
        """A filter that lets pass what passes both. Raises InputError for two outlets."""
        if self.source and other.source and self.source != other.source:
            raise InputError(f"source:{self.source} and source:{other.source} are two outlets; a search can have one")
        after = max(filter(None, (self.after, other.after)), default=None)
        before = min(filter(None, (self.before, other.before)), default=None)
        chosen = [one for one in (self.articles, other.articles) if one is not None]
        articles = frozenset.intersection(*chosen) if chosen else None
        return Filter(self.source or other.source, after, before, articles, self.tags | other.tags)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready mapping; also the arguments of Index.search."""
        chosen = None if self.articles is None else sorted(self.articles)
        return {**asdict(self), "articles": chosen, "tags": sorted(self.tags)}


EVERYTHING = Filter()
"""Lets every article pass."""


def parse(query: str) -> tuple[str, Filter]:
    """`query` without its operators, and what they ask for; a query that has none is returned as it is.

    Raises InputError for an operator that is given twice or whose value is wrong.
    """
    given: dict[str, str] = {}
    tags: list[str] = []
    for found in _OPERATOR.finditer(query):
        name = found["name"].lower()
        value = found["quoted"] if found["quoted"] is not None else found["bare"]
        if name in given:
            raise InputError(f"{name}: is given twice; a query can have one")
        if '"' in value or "“" in value:
            raise InputError(f"{name}:{value} has no closing quotation mark")
        if name == "tag":
            if not value.strip():
                raise InputError('tag: names no tag; write one, as in tag:dam or tag:"follow up"')
            tags.append(value)
        else:
            given[name] = value
    if not given and not tags:
        return query, EVERYTHING
    within = given.pop("in", None)
    return without_operators(query), Filter.of(**given, within=within, tags=tags)


def without_operators(query: str) -> str:
    """`query` without its operators, be they right or wrong; one that has none is returned as it is."""
    rest, count = _OPERATOR.subn("", query)
    return rest.strip() if count else query


def is_date(text: str) -> bool:
    """Whether this is a date as articles have it: a year, a month, a day, or a day with its time."""
    return _days(_PUBLISHED, text) is not None


def _words(name: str) -> str:
    return " ".join(re.findall(r"\w+", name.casefold()))


def _period(operator: str, value: str) -> tuple[date, date]:
    days = _days(_DATE, value)
    if days is None:
        raise InputError(f"{operator}:{value} is no date; {DATES}")
    return days


def _days(pattern: re.Pattern[str], value: str) -> tuple[date, date] | None:
    """The first and the last day of a year, a month or a day; None when it is none."""
    found = pattern.fullmatch(value)
    if found is None:
        return None
    year, month, day = (int(part) if part else None for part in found.groups())
    try:
        first = date(year or 0, month or 1, day or 1)
        last = date(year or 0, month or 12, day or calendar.monthrange(year or 0, month or 12)[1])
    except ValueError:
        return None
    return first, last
