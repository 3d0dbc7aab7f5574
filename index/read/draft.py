"""Draft: what one format gives, before it has an id; and the rules every piece of metadata must meet."""

from __future__ import annotations

import re
from datetime import date, datetime

from index.article import Article
from index.errors import ReadError

LINE_CHARS = 300
"""Longer titles and names are cut: they stand on one line of a page and of a prompt."""
URL_CHARS = 2048
"""Longer addresses do not work everywhere, so it is hardly that of an article."""
_BY = re.compile(r"^(?:(?:written |posted )?by|par)(?:: ?| )", re.IGNORECASE)
_NOT_NAMES = re.compile(
    r"\s[•·|]\s|\s*\(https?:|(?:^|\s)(?:last )?updated\b"
    r"|[\s,]+(?:on |updated )?(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.? \d{1,2},? \d{4}"
    r"|[\s,]+\d{1,2} (?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]* \d{4}",
    re.IGNORECASE,
)
"""What follows the names in a byline element: the date, the age, an address."""


Draft = Article
"""An article as one format gives it: clean text and the metadata the document itself has, unknown being None. Its id
tells it from others in the same file and is empty where the file is one article; index.read gives it the real one."""


class LeftOut(ReadError):  # noqa: N818 - nothing is wrong
    """A part of a file that is left out on purpose, such as hidden text: to be reported, but the file is read whole."""


def one_line(value: str | None) -> str | None:
    """`value` as one printable line of at most LINE_CHARS, or None if nothing is left of it."""
    if value is None:
        return None
    printable = "".join(character for character in value[: LINE_CHARS * 4] if _shows(character))
    return " ".join(printable.split())[:LINE_CHARS].rstrip() or None


def byline(value: str | None) -> str | None:
    """The names in a byline, as one line without its "By"; None if nothing is left."""
    names = _BY.sub("", one_line(value) or "")
    return _NOT_NAMES.split(names, maxsplit=1)[0].strip(" ,:;|·-–—") or None


def language_tag(value: str) -> str | None:
    """`value` as a language tag such as "en" or "pt-BR"; None for what is none."""
    tag = value.strip().split(",")[0].replace("_", "-")
    return tag if re.fullmatch(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}", tag) else None


def web_address(value: str) -> str:
    """`value` trimmed, if it is an http or https address.

    Raises ReadError otherwise: an address is shown as a link, and other schemes can run code.
    """
    address = value.strip()
    if len(address) > URL_CHARS or not re.fullmatch(r"https?://[^\s/\"'<>\\][^\s\"<>\\]*", address, re.IGNORECASE):
        raise ReadError(f"url {address[:80]!r}: an address that begins with http:// or https:// is needed")
    return address


def publication_date(value: str | date) -> str:
    """`value` as an ISO 8601 date ("2018-03-21") or date-time ("2018-03-21T09:30:00+00:00").

    Raises ReadError for what is neither; a partial date ("March 2018") is not completed.
    """
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, date):
        return value.isoformat()
    text = value.strip()
    try:
        if len(text) <= len("2018-03-21"):
            return date.fromisoformat(text).isoformat()
        return datetime.fromisoformat(text).isoformat(timespec="seconds")
    except ValueError:
        raise ReadError(
            f"published {text[:80]!r}: a date such as 2018-03-21 or 2018-03-21T09:30:00+00:00 is needed"
        ) from None


def _shows(character: str) -> bool:
    return character.isprintable() or character.isspace()
