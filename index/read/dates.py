"""Dates: a value of exported data, as people and programs write it → an ISO 8601 date. The only file that imports
dateparser.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any

from index.errors import ReadError
from index.read.draft import publication_date
from index.read.metadata import web_date

_NUMBERED = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})(?:[ ,T]+(\d{1,2}:\d\d(?::\d\d)?))?$")
_YEAR_FIRST = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?!\d)")
_WORDED = re.compile(r"(?=.*\b\d{4}\b|.*\d{4}年)(?=.*(?<!\d)\d{1,2}(?!\d))(?=.*[^\W\d_])", re.DOTALL)
"""A year, the number of a day, and a word: without all three a date is not whole, and nothing is guessed."""
WORDED_CHARS = 60
_HALF_DAY = re.compile(r"\d ?[ap]\.?m\b", re.IGNORECASE)
_EPOCH = re.compile(r"\d{9,19}(?:\.\d+)?$")
_UNITS = ((1, 10**8, 10**10), (10**3, 10**11, 10**13), (10**6, 10**14, 10**16), (10**9, 10**17, 10**19))
"""Parts of a second, and which numbers of them are times between 1973 and 2286."""
LANGUAGES = "en de fr es it pt nl ru uk pl sv da nb fi cs tr el zh ja ko ar he hi id vi".split()
"""In which a month may be named; trying all 200 languages takes seconds for a value that is no date."""


def written_date(value: object) -> str | None:
    """An ISO 8601 date or date-time; None for what is no whole date, or may be two.

    "2018-03-21", "Wed, 21 Mar 2018 09:30 GMT", "21. März 2018", 21.03.2018, 3/21/2018, seconds or milliseconds since
    1970, or a mapping or list that holds one of these. 03/04/2018 is March in one country and April in another.
    """
    match value:
        case bool() | None:
            return None
        case datetime() | date():
            return publication_date(value)
        case int() | float():
            return _epoch(value) or (_of_text(str(value)) if isinstance(value, int) else None)
        case str():
            return _of_text(value.strip())
        case list() | tuple():
            return next(filter(None, map(written_date, value[:5])), None)
        case dict():
            names = ("$date", "$numberLong", "@value", "value", "iso", "date", "datetime", "_seconds", "seconds")
            return next((found for name in names if (found := written_date(value.get(name)))), None)
    return None


def _of_text(text: str) -> str | None:
    if not text or len(text) > WORDED_CHARS * 2:
        return None
    if re.fullmatch(r"(?:19|20)\d{12}", text):  # as web archives write it
        text = f"{text[:8]}T{text[8:]}"
    if _EPOCH.match(text):
        return _epoch(float(text))
    if (ordered := _YEAR_FIRST.match(text)) is not None:
        hour = re.sub(r"^([ T]+)(?=\d:)", r"\g<1>0", text[ordered.end() :])  # " 9:30" as spreadsheets write it
        text = f"{ordered[1]}-{ordered[3].zfill(2)}-{ordered[4].zfill(2)}{hour}"
    if (numbered := _NUMBERED.match(text)) is not None:
        return _numbered(numbered)
    is_worded = len(text) <= WORDED_CHARS and _WORDED.match(text) is not None
    if is_worded and _HALF_DAY.search(text):  # dates of mail have none, and their parser passes over it
        return _of_words(text)
    return web_date(text) or (_of_words(text) if is_worded else None)


def _epoch(number: float) -> str | None:
    for unit, least, most in _UNITS:
        if least <= number < most:
            return datetime.fromtimestamp(int(number) // unit, UTC).isoformat(timespec="seconds")
    return None


def _numbered(match: re.Match[str]) -> str | None:
    first, second, year = int(match[1]), int(match[3]), int(match[4])
    if match[2] == "." or first > 12 or first == second:
        day, month = first, second
    elif second > 12:
        day, month = second, first
    else:
        return None
    try:
        found = date(year, month, day).isoformat()
        return publication_date(f"{found}T{match[5].zfill(5 if len(match[5]) < 6 else 8)}") if match[5] else found
    except (ValueError, ReadError):
        return None


def _of_words(text: str) -> str | None:
    import dateparser

    settings: Any = {"STRICT_PARSING": True, "REQUIRE_PARTS": ["day", "month", "year"], "PARSERS": ["absolute-time"]}
    try:
        found: datetime | None = dateparser.parse(text, languages=LANGUAGES, settings=settings)
    except Exception:  # noqa: BLE001 - it raises what it likes for odd text, which is then no date
        return None
    if found is None:
        return None
    return publication_date(found if re.search(r"\d[:.h]\d\d", text) else found.date())
