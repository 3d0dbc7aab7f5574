"""JSON Lines → Drafts: one article a line, as crawlers and data sets write them.

    text        text, content, body, article, maintext; or html
    title       title, headline          source   source, outlet, publisher, site, source_domain
    url         url, link                author   author, authors, byline
    published   published, published_at, date_published, date_publish, publish_date, date
    updated     updated, date_modified   language language, lang        id   id, then url, then the line itself

A value that is none (a date that is no date) is unknown. What the id is decides which article a changed line replaces.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from index.errors import ReadError
from index.read import html
from index.read.charset import decode
from index.read.clean import strip_furniture, tidy
from index.read.draft import Draft, byline, language_tag, one_line, web_address
from index.read.metadata import web_date

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LINE_BYTES = 16 * 1024 * 1024
"""Longest line, an article with its metadata."""
MAX_REPORTED = 20
"""Bad lines that are named one by one; a file of another kind would name them all."""

_TEXTS = ("text", "content", "body", "article", "maintext")
_PUBLISHED = ("published", "published_at", "date_published", "date_publish", "publish_date", "date")


def parse(content: bytes) -> tuple[Draft | ReadError, ...]:
    """A draft for each line that is an article, with an id that no other line has; errors for the rest."""
    found: dict[str, Draft] = {}
    errors: list[ReadError] = []
    count = 0
    for number, line in enumerate(content.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            draft = _draft(line)
            found.setdefault(draft.id, draft)
        except ReadError as error:
            count += 1
            if count <= MAX_REPORTED:
                errors.append(ReadError(f"line {number}: {error}"))
    if count > MAX_REPORTED:
        errors.append(ReadError(f"{count - MAX_REPORTED} more lines could not be read"))
    return (*found.values(), *errors)


def _draft(line: bytes) -> Draft:
    if len(line) > LINE_BYTES:
        raise ReadError(f"{len(line)} bytes are over the limit of {LINE_BYTES} for a line")
    try:
        known = json.loads(decode(line.strip(b"\r\xef\xbb\xbf ")), strict=False)
    except (ValueError, RecursionError) as error:
        raise ReadError(f"not JSON ({str(error)[:80]}); one object a line is needed") from None
    if not isinstance(known, dict):
        raise ReadError('not an article; an object such as {"title": "…", "text": "…"} is needed')
    text = _text(known)
    if not any(character.isalnum() for character in text):
        raise ReadError(f"no text; it is looked for under {', '.join(_TEXTS)} and html")
    url = _address(_first(known, "url", "link"))
    key = _first(known, "id", "url", "link") or hashlib.sha256(line.strip()).hexdigest()
    return Draft(
        key[:500],
        text,
        title=one_line(_first(known, "title", "headline")),
        source=one_line(_first(known, "source", "outlet", "publisher", "site", "source_domain")),
        url=url,
        published=next(_dates(known, _PUBLISHED), None),
        author=byline(_first(known, "author", "authors", "byline")),
        updated=next(_dates(known, ("updated", "date_modified")), None),
        language=language_tag(_first(known, "language", "lang") or ""),
    )


def _text(known: Mapping[str, Any]) -> str:
    if isinstance(known.get("html"), str) and not _first(known, *_TEXTS):
        return html.parse(known["html"].encode("utf-8", "ignore")).text
    return strip_furniture(tidy(_first(known, *_TEXTS) or ""))


def _first(known: Mapping[str, Any], *names: str) -> str | None:
    """The first of these that says something: a text, a number, or a list of texts."""
    for name in names:
        value = known.get(name)
        if isinstance(value, dict):
            value = value.get("name")
        if isinstance(value, list):
            value = ", ".join(item for item in value if isinstance(item, str))
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if isinstance(value, str) and value.strip():
            return value
    return None


def _dates(known: Mapping[str, Any], names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        value = known.get(name)
        if isinstance(value, str) and (date := web_date(value)):
            yield date


def _address(value: str | None) -> str | None:
    try:
        return web_address(value) if value else None
    except ReadError:
        return None
