"""Work: a cited article as a reference manager knows it. Pure.

The names of authors are taken apart only where that is sure: in a byline of capitalised words, in which lower-case ones
("van", "de la") begin the family name. Any other byline, such as that of an agency, stays one name.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from ui import terminal
from ui.export.document import legal
from ui.html.markup import safe_url

if TYPE_CHECKING:
    from collections.abc import Iterable

    from index import Article
    from rag.answer import Citation

MOST_CAPITALISED = 4
"""Capitalised words of a person's name; a longer one is a sentence or an organization."""
_DATE = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?")
_JOINED = re.compile(r"\s+(?:and|&)\s+|\s*[;|]\s*")
_PERHAPS_JOINED = re.compile(r"\s+(?:und|et|y|e)\s+")
"""Joins two names where a whole one stands on either side, and else a double one, as in "Ortega y Gasset"."""


@dataclass(frozen=True, slots=True)
class Name:
    """A person's name, or with `given` empty a name that is not to be taken apart."""

    family: str
    given: str = ""


@dataclass(frozen=True, slots=True)
class Work:
    """An article that was cited. `date` is the year, the month and the day, as far as they are known; `key` is unlike
    that of the others that are taken along."""

    key: str
    kind: Literal["newspaper", "web page", "document"]
    title: str
    authors: tuple[Name, ...] = ()
    outlet: str = ""
    date: tuple[int, ...] = ()
    url: str = ""
    language: str = ""
    pages: tuple[str, ...] = ()
    """Those that are cited, as they are numbered: "12", "12–13"."""


def cited(citations: Iterable[Citation]) -> tuple[Work, ...]:
    """The articles that are cited, each once, in the order of the citations."""
    articles: dict[str, Article] = {}
    pages: dict[str, dict[str, int]] = {}
    for citation in citations:
        articles.setdefault(citation.article_id, citation.article)
        if citation.page is not None and citation.place:
            numbered = plain(citation.place.partition(" ")[2])
            pages.setdefault(citation.article_id, {}).setdefault(numbered, citation.page)
    works: list[Work] = []
    keys: Counter[str] = Counter()  # a key has no hyphen before it gets a number
    for article in articles.values():
        known = pages.get(article.id, {})
        work = replace(_work(article), pages=tuple(sorted(known, key=lambda page: known[page])))
        keys[work.key] += 1
        number = keys[work.key]
        works.append(work if number == 1 else replace(work, key=f"{work.key}-{number}"))
    return tuple(works)


def _work(article: Article) -> Work:
    outlet, url = plain(article.source or ""), safe_url(article.url) or ""
    authors = _authors(plain(article.author or ""), outlet)
    date = _date(article.published)
    title = plain(article.headline)
    kind: Literal["newspaper", "web page", "document"] = "newspaper" if outlet else "web page" if url else "document"
    return Work(
        key=_key(authors[0].family if authors else outlet, date, title),
        kind=kind,
        title=title,
        authors=authors,
        outlet=outlet,
        date=date,
        url=url,
        language=plain(article.language or ""),
    )


def plain(text: str) -> str:
    """`text` on one line, in the characters that every reference manager takes."""
    return legal(terminal.line(text))


def _date(published: str | None) -> tuple[int, ...]:
    found = _DATE.match(published or "")
    if found is None:
        return ()
    known = [int(number) for number in found.groups() if number is not None]
    if len(known) > 1 and not 1 <= known[1] <= 12:
        return tuple(known[:1])
    if len(known) > 2 and not 1 <= known[2] <= 31:
        return tuple(known[:2])
    return tuple(known)


def _authors(byline: str, outlet: str) -> tuple[Name, ...]:
    """The names of a byline; commas part them where what stands between is a whole name each."""
    found: list[Name] = []
    for stretch in filter(None, (part.strip(" ,") for part in _JOINED.split(byline))):
        for name in _apart(stretch, _PERHAPS_JOINED):
            found += [_name(one, outlet) for one in _apart(name, re.compile(","))]
    return tuple(dict.fromkeys(found))


def _apart(text: str, joint: re.Pattern[str]) -> list[str]:
    """What a joint parts, if all of it are whole names."""
    parts = [part.strip() for part in joint.split(text) if part.strip()]
    return parts if all(len(part.split()) > 1 for part in parts) else [text]


def _name(name: str, outlet: str) -> Name:
    if name.count(",") == 1:  # "Doe, Jane"
        family, given = (part.strip() for part in name.split(","))
        return Name(family, given) if family and given else Name(name)
    words = name.split()
    capitalised = sum(word[0].isupper() for word in words)
    is_person = (
        len(words) > 1
        and name.casefold() != outlet.casefold()
        and all(_is_of_name(word) for word in words)
        and words[0][0].isupper()
        and words[-1][0].isupper()
        and capitalised <= MOST_CAPITALISED
    )
    if not is_person:
        return Name(name)
    first = next((number for number, word in enumerate(words) if word[0].islower()), len(words) - 1)
    return Name(" ".join(words[first:]), " ".join(words[:first]))


def _is_of_name(word: str) -> bool:
    """Whether a word may be one of a person's name: it begins with a letter, and is no abbreviation like BBC."""
    letters = [character for character in word if character.isalpha()]
    is_initials = "." in word or len(letters) == 1
    return (
        word[0].isalpha() and not any(character.isdigit() for character in word) and (is_initials or not word.isupper())
    )


def _key(name: str, date: tuple[int, ...], title: str) -> str:
    """A name, a year and a word of the title in ASCII, as "doe2018talks"; of other scripts as much as there is."""
    words = re.findall(r"[a-z0-9]+", _ascii(title))
    word = next((one for one in words if len(one) > 3), words[0] if words else "")
    made = "".join(re.findall(r"[a-z0-9]+", _ascii(name)))[:20] + (str(date[0]) if date else "") + word[:20]
    return made if re.match("[a-z]", made) else f"article{made}"


def _ascii(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in decomposed if ord(character) < 128)
