"""Dates: the expressions of a sentence that name a day, week, month or year → ISO dates as exact as they are known.

A grammar of its own: of the kept libraries none says how exact a date is, whether it was derived, or what it is a date
of, and all find fewer of those in news and more that are none (docs/experiments.md). English alone. Pure, and linear
in the length of the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from rag.grounding.lexicon import MONTHS, SPEECH, WEEKDAYS

Role = Literal["event", "other"]

_SHORT = r"(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept|Sep|Oct|Nov|Dec)\b\.?"
_MONTH = rf"(?:(?:{'|'.join(MONTHS)})\b|{_SHORT})"
_WEEKDAY = rf"(?:{'|'.join(WEEKDAYS)})"
_YEAR = r"(?:1\d|20)\d\d(?![\w%]|[.,]\d|['’]\d|\s?[–-]\s?\d)"
_DAY = r"(?:3[01]|[12]\d|0?[1-9])(?:st|nd|rd|th)?\b"
_COUNTS = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
           "nine": 9, "ten": 10}  # fmt: skip
_BEFORE_PERIOD = (
    r"(?i:in|since|until|till|by|during|of|from|through|throughout|before|after|around|for|to|between|and|or)"
)
_EXPRESSION = re.compile(
    r"(?<![\w/–$€£-])(?:"
    r"(?P<iso>(?:1\d|20)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01]))(?![\w-])|"
    # "Tuesday, October 18, 2022", "Oct. 18th"; of "October 18-20" the first day alone would be wrong
    rf"(?:{_WEEKDAY},?\s)?(?P<m1>{_MONTH})\s(?P<d1>{_DAY})(?P<r1>\s?[–-]\s?\d{{1,2}}\b)?(?:,?\s(?P<y1>{_YEAR}))?|"
    # "Tuesday 18 October 2022", "the 18th of October"
    rf"(?:{_WEEKDAY},?\s)?(?P<d2>{_DAY})\s(?:of\s)?(?P<m2>{_MONTH})(?:,?\s(?P<y2>{_YEAR}))?|"
    rf"(?P<m3>{_MONTH}),?\s(?:of\s)?(?P<y3>{_YEAR})|"
    # "March", "May", "April", "June" and "August" alone may be verbs or people: only after a word of time
    rf"(?:(?P<cue>(?:(?i:last|next|this|this past|early|late|mid)\s|(?i:mid)-|{_BEFORE_PERIOD}\s)+)"
    rf"(?P<m4>{_MONTH})|(?P<m5>January|February|July|September|October|November|December)\b)(?![’'\w]*\s\d)|"
    rf"(?P<ord>(?i:last|next|this)\s)?(?P<w>{_WEEKDAY})\b(?!\sof\b|-)|"
    r"(?P<rel>(?i:the day before yesterday|yesterday|today|tonight|tomorrow|this (?:morning|afternoon|evening)|"
    r"last night))\b|"
    r"(?P<which>(?i:last|this|next))\s(?P<unit>week|month|year)\b|"
    rf"(?P<n>(?i:{'|'.join(_COUNTS)})|\d{{1,3}})\s(?P<ago>day|week|month|year)s?\sago\b|"
    # A number of four digits is a year after a preposition, a determiner ("the 2014 revolution") or alone
    rf"(?:{_BEFORE_PERIOD}\s(?:(?:early|late|mid)[\s-]|the\syear\s|the\send\sof\s)?|"
    rf"(?i:a|an|the|its|his|her|their|our|late|early)\s|^)(?P<y6>{_YEAR})"
    r")"
)
"""Each alternative is bounded: no repetition holds another, so a hostile text costs its length."""
_POSSESSIVE_YEAR = re.compile(rf"(?<=['’]s\s)(?P<y>{_YEAR})")
_AHEAD = re.compile(
    r"\b(?:will|would|shall|schedul\w+|to (?:be|begin|start)|plan(?:s|ned)?|(?<!than )expected|expects?|upcoming|"
    r"ahead of|going to|due|set for|until|postponed)\b|['’]ll\b"
)
_BOUND = re.compile(
    r"\b(?:since|until|till|by|before|after|from|through|throughout|of|for|to|about|between|and|or|than|as|called|"
    r"dates?|dated|versus|vs\.?)\s(?:the\s|early\s|late\s|mid-?\s?|last\s|next\s|this\s|(?:noon|midnight)\son\s)*$",
    re.IGNORECASE,
)
_SUBORDINATE = re.compile(
    r"\b(?:who|whom|whose|which|when|where|after|before|since|until|while|because|if|whether|than|as)\b|"
    r"(?<!said )(?<!says )(?<!announced )(?<!confirmed )(?<!reported )(?<!say )\bthat\b",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"[,;:()—–]")
_NAMED = re.compile(r"[A-Z][\w’'-]*\s$")
_TIME_WORD = re.compile(r"\b(?:On|In|Last|Next|This|Late|Early|By|Since|Until|And|But|From|Before|After|Through)\s$")
_GOES_ON = (
    "in|on|at|and|or|by|to|for|from|with|after|before|when|that|as|while|where|but|near|over|into|of|against|amid|during|"
    "under|because|outside|inside|morning|afternoon|evening|night"
)
_ADJECTIVAL = re.compile(rf"['’]s?\b|-|\s(?!(?:{_GOES_ON})\b)[a-z]")
"""What follows a date that is said of a noun: "the March 1st raid", "Tuesday's rally"."""
YEARS = range(1000, 3000)
"""Years in which articles are published, as in index/filters.py. Databases mark an unknown day by one of another year,
such as 0001-01-01 or 9999-12-31, from which no other day could be reckoned."""
LOOK_CHARS = 60
"""How far a rule looks before and behind an expression; bounds the cost of each."""


@dataclass(frozen=True, slots=True)
class Dated:
    """An expression [start, end) of a sentence, and the date it names.

    `value` is an ISO 8601 date as exact as it is known: "2022-10-20", "2022-W42" (a week), "2022-10" or "2022". One
    that `is_derived` was reckoned from the date of publication. `is_when` says that it tells when what the sentence
    reports happens ("on Tuesday"), rather than a bound ("since 2015") or a name ("the 2014 revolution").
    """

    start: int
    end: int
    value: str
    is_derived: bool
    is_when: bool

    @property
    def span(self) -> tuple[date, date]:
        """The first and the last day of it."""
        return span(self.value)


def dates(sentence: str, published: date | None = None) -> tuple[Dated, ...]:
    """The dates that a sentence names, in order. Without `published` only those that have a year of their own."""
    found = []
    matches = [*_EXPRESSION.finditer(sentence), *_POSSESSIVE_YEAR.finditer(sentence)]
    for match in sorted(matches, key=lambda match: match.start()):
        named = {name: value for name, value in match.groupdict().items() if value is not None}
        before = sentence[max(0, match.start() - LOOK_CHARS) : match.start()]
        value = _value(named, before, published)
        if value is None or _is_name(named, before):
            continue
        has_year = any(name in named for name in ("iso", "y", "y1", "y2", "y3", "y6"))
        start = match.start() if "rel" in named or "which" in named or "n" in named else _first(match)
        found.append(Dated(start, match.end(), value, not has_year, _is_when(named, sentence, start, match.end())))
    return tuple(found)


def day_of(published: str | None) -> date | None:
    """The day of an ISO 8601 date or date-time; None for anything less exact, and outside of YEARS."""
    try:
        day = date.fromisoformat((published or "")[:10])
    except ValueError:
        return None
    return day if day.year in YEARS else None


def span(value: str) -> tuple[date, date]:
    """The first and the last day of an ISO date of any exactness."""
    if "W" in value:
        year, week = int(value[:4]), int(value[6:])
        return date.fromisocalendar(year, week, 1), date.fromisocalendar(year, week, 7)
    year, *rest = map(int, value.split("-"))
    if len(rest) == 2:
        return date(year, *rest), date(year, *rest)
    if rest:
        following = date(year + rest[0] // 12, rest[0] % 12 + 1, 1)
        return date(year, rest[0], 1), following - timedelta(days=1)
    return date(year, 1, 1), date(year, 12, 31)


def written(value: str) -> str:
    """An ISO date of any exactness in words: "20 October 2022", "week of 17 October 2022", "October 2022", "2022"."""
    first, last = span(value)
    if first == last:
        return in_words(first)
    if "W" in value:
        return f"week of {first.day} {MONTHS[first.month - 1]} {first.year}"
    return f"{MONTHS[first.month - 1]} {first.year}" if "-" in value else value


def in_words(day: date) -> str:
    """A day as it is written in text: "20 October 2022"."""
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def published_in_words(published: str | None) -> str:
    """The day of publication as it is written in text; what is no day as it is, and "" for none."""
    day = day_of(published)
    return (published or "") if day is None else in_words(day)


def _first(match: re.Match[str]) -> int:
    """Where the date itself begins, without the preposition that showed it to be one."""
    names = ("iso", "m1", "d2", "m3", "m4", "m5", "ord", "w", "y6", "y")
    starts = [match.start(name) for name in names if name in match.re.groupindex and match[name] is not None]
    return min(starts)


def _value(named: dict[str, str], before: str, published: date | None) -> str | None:
    """The ISO date of an expression; None for one that is no date, or cannot be reckoned."""
    if "iso" in named:
        return _day(*map(int, named["iso"].split("-")))
    if "r1" in named:
        return None
    year = next((int(named[name][:4]) for name in ("y", "y1", "y2", "y3", "y6") if name in named), None)
    month = next((_month(named[name]) for name in ("m1", "m2", "m3", "m4", "m5") if name in named), None)
    day = next((int(re.match(r"\d+", named[name])[0]) for name in ("d1", "d2") if name in named), None)  # type: ignore[index]
    if year is not None:
        if month is None:
            return str(year)
        return f"{year}-{month:02}" if day is None else _day(year, month, day)
    if published is None:
        return None
    cue = named.get("cue", named.get("ord", "")).lower()
    is_ahead = "next" in cue or ("last" not in cue and _is_ahead(before + named.get("cue", "")))
    if month is not None:
        if cue.startswith("this"):
            return f"{published.year}-{month:02}" if day is None else _day(published.year, month, day)
        return _nearest(published, month, day, is_ahead=is_ahead)
    if "w" in named:
        return _weekday(published, WEEKDAYS.index(named["w"]), cue, is_ahead=is_ahead).isoformat()
    return _reckoned(named, published)


def _reckoned(named: dict[str, str], published: date) -> str | None:
    if "rel" in named:
        days = {"the day before yesterday": -2, "yesterday": -1, "last night": -1, "tomorrow": 1}
        return (published + timedelta(days=days.get(named["rel"].lower(), 0))).isoformat()
    if "unit" in named:
        steps = {"last": -1, "this": 0, "next": 1}[named["which"].lower()]
        return _stepped(published, named["unit"], steps)
    count = named["n"].lower()
    steps = -(int(count) if count.isdigit() else _COUNTS[count])
    return _stepped(published, named["ago"], steps)


def _stepped(published: date, unit: str, steps: int) -> str | None:
    """The day, week, month or year that is so many of them away."""
    if unit in ("day", "week"):
        moved = published + timedelta(days=steps * (1 if unit == "day" else 7))
        if unit == "day":
            return moved.isoformat()
        year, week, _ = moved.isocalendar()
        return f"{year}-W{week:02}"
    if unit == "year":
        return f"{published.year + steps:04}" if published.year + steps > 0 else None
    months = published.year * 12 + published.month - 1 + steps
    return f"{months // 12}-{months % 12 + 1:02}"


def _nearest(published: date, month: int, day: int | None, *, is_ahead: bool) -> str | None:
    """A month, or a day of it, without a year: the last one, or with words of the future the next one.

    What is days or a few weeks ahead is meant without such words, too ("on 15 December", printed on 30 November).
    """
    if is_ahead:
        year = published.year + (month < published.month)
    else:
        soon = published + timedelta(days=SOON_DAYS if day else 0)
        year = soon.year - ((month, day or 1) > (soon.month, soon.day))
    return f"{year}-{month:02}" if day is None else _day(year, month, day)


SOON_DAYS = 92
"""A day named without a year is that of the past, unless it is at most this far ahead."""


def _weekday(published: date, weekday: int, cue: str, *, is_ahead: bool) -> date:
    """The last such day up to the publication, as news has it; with words of the future, the first from it on."""
    if is_ahead:
        return published + timedelta(days=(weekday - published.weekday()) % 7 or (7 if "next" in cue else 0))
    return published - timedelta(days=(published.weekday() - weekday) % 7 or (7 if "last" in cue else 0))


def _is_ahead(before: str) -> bool:
    """Whether the words before speak of the future, and not of who says so when: "it will pass, he said Thursday"."""
    ends = [ahead.end() for ahead in _AHEAD.finditer(before)]
    return bool(ends) and not SPEECH.search(before, ends[-1])


def _is_name(named: dict[str, str], before: str) -> bool:
    """Whether a day of the week belongs to a name: Black Friday, Ash Wednesday."""
    return "w" in named and "ord" not in named and bool(_NAMED.search(before)) and not _TIME_WORD.search(before)


def _is_when(named: dict[str, str], sentence: str, start: int, end: int) -> bool:
    before = sentence[max(0, start - LOOK_CHARS) : start]
    after = sentence[end : end + LOOK_CHARS]
    if "m5" in named and not re.search(r"(?i:\bin)\s$", before):
        return False  # "September retail sales"
    if "y6" in named and not re.search(r"(?i:\bin)\s(?:early\s|late\s|mid-?\s?)?$", before):
        return False
    if "y" in named or _BOUND.search(before):
        return False
    # "Mubarak, who came to power in 1981, resigned": the date of a clause that is not what the sentence reports
    if _SUBORDINATE.search(before, max((cut.end() for cut in _CLAUSE.finditer(before)), default=0)):
        return False
    return not _ADJECTIVAL.match(after) or "rel" in named or ("w" in named and not after.startswith(("'", "’")))


def _month(name: str) -> int:
    return next(number for number, month in enumerate(MONTHS, start=1) if month.startswith(name[:3]))


def _day(year: int, month: int, day: int) -> str | None:
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return None
