"""JSON Lines and JSON → Drafts: articles as crawlers, news APIs and publishing programs export them.

One object a line, objects one after another however they are broken into lines, an array of objects, or an object
that holds one ("articles", "data", "@graph", …). Which key holds what: see index/read/fields.py. What the id is decides
which article a changed object replaces: `id`, else the address, else the object itself.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from index.errors import ReadError
from index.read import fields, record
from index.read.charset import decode, narrow
from index.read.draft import Draft
from index.read.metadata import ARTICLE_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LINE_BYTES = 16 * 1024 * 1024
"""Longest object of its own, an article with its metadata."""
MAX_DEPTH = 8
"""How deep within an object the articles are looked for; APIs nest them two or three deep."""
BEGINNING_CHARS = 4096
"""Of a value, looked at first: most errors are there, and what it costs to copy does not count."""
TOKEN_CHARS = 16
"""An error so near to the end of the beginning may come from cutting "false", "-Infinity" or an escape in two."""
TEXT_CHARS = 40
"""A text of an object that has a list of articles is an article itself from this length on; "ok" is none."""

_NO_OBJECT = 'not an article; an object such as {"title": "…", "text": "…"} is needed'
_NOTHING = Draft("", "")
_NEXT_OBJECT = re.compile(r"\n[ \t]*(?=[{\[])")
_BETWEEN = re.compile(r"[\s,\x1e]*")
_NO_ARTICLES = frozenset("comments replies related relatedarticles recommended tags keywords categories images".split())


@dataclass(frozen=True, slots=True)
class _Item:
    """An object that should be an article; how it is written, if alone; what holds for all around it; and its graph."""

    known: dict[str, Any]
    written: str | None
    around: Draft
    nodes: dict[str, Any]


def parse(content: bytes) -> tuple[Draft | ReadError, ...]:
    """A draft for each object that is an article, with an id that no other has; errors for the rest."""
    return record.collected(_articles(content), "objects")


def _articles(content: bytes) -> Iterator[tuple[str, Draft | ReadError]]:
    for place, item in _objects(content):
        try:
            yield place, item if isinstance(item, ReadError) else _article(item)
        except ReadError as error:
            yield place, error


def _objects(content: bytes) -> Iterator[tuple[str, _Item | ReadError]]:
    """Each object that may be an article, with its place for people; an error for a place that is none."""
    try:
        yield from _in_text(decode(content), 1)
    except ReadError:  # a line in another encoding costs only itself
        for number, line in enumerate(narrow(content).split(b"\n"), start=1):
            try:
                yield from _in_text(decode(line), number) if line.strip() else ()
            except ReadError as error:
                yield f"line {number}", error


def _in_text(text: str, first_line: int) -> Iterator[tuple[str, _Item | ReadError]]:
    decoder = json.JSONDecoder(strict=False)
    place = line_start = 0
    line = first_line
    while (between := _BETWEEN.match(text, place)) is not None and between.end() < len(text):
        place = between.end()
        line, line_start = line + text.count("\n", line_start, place), place
        try:
            value, end = _value_at(place, text, decoder)
        except (ValueError, RecursionError) as error:
            if text[place] == "[" and text[place + 1 : place + 200].lstrip()[:1] == "{":
                place += 1  # a list that is cut short: what is whole in it can be read
                continue
            if text[place] != "]":
                reason = str(error).partition(": line")[0][:80]
                yield f"line {line}", ReadError(f"not JSON ({reason}); one object a line is needed")
            following = _NEXT_OBJECT.search(text, place + 1)
            place = following.end() if following else len(text)
            continue
        yield from _in_value(value, text[place:end], f"line {line}")
        place = end


def _value_at(place: int, text: str, decoder: json.JSONDecoder) -> tuple[object, int]:
    """The value that begins at a place, and where it ends. Raises ValueError or RecursionError.

    An error counts the lines of all the text before it, so where it can it is that of a short beginning: a file with
    many bad lines would take the square of its length.
    """
    beginning = text[place : place + BEGINNING_CHARS]
    try:
        value, end = decoder.raw_decode(beginning)
        if end < len(beginning):
            return value, place + end
    except json.JSONDecodeError as error:
        is_cut = error.pos >= len(beginning) - TOKEN_CHARS or error.msg.startswith("Unterminated string")
        if not is_cut:
            raise
    return decoder.raw_decode(text, place)


def _in_value(value: object, written: str, place: str) -> Iterator[tuple[str, _Item | ReadError]]:
    if isinstance(value, dict):
        yield from _in_object(value, written, place, _NOTHING)
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for number, item in enumerate(value, start=1):
            if isinstance(item, dict):
                yield from _in_object(item, None, f"item {number}", _NOTHING)
            else:
                yield f"item {number}", ReadError(_NO_OBJECT)
    else:
        yield place, ReadError(_NO_OBJECT)


def _in_object(
    known: dict[str, Any], written: str | None, place: str, around: Draft
) -> Iterator[tuple[str, _Item | ReadError]]:
    """The object itself, or the objects of the lists within it that are articles."""
    if fields.has_text(known, least=TEXT_CHARS):
        yield place, _Item(known, written, around, {})
        return
    own = fields.text_keys(known)
    found = list(_lists({key: value for key, value in known.items() if key not in own}, "", around, 0))
    if not found:
        yield place, _Item(known, written, around, {})
    for name, items, its_around in found:
        nodes = {str(item["@id"]): item for item in items if "@id" in item}
        for number, item in enumerate(items, start=1):
            if not (name == "@graph" and "@type" in item and not _is_article(item)):
                yield f"item {number} of {name!r}", _Item(item, None, its_around, nodes)


def _lists(value: object, name: str, around: Draft, depth: int) -> Iterator[tuple[str, list[dict[str, Any]], Draft]]:
    """Lists of objects with texts in a value, with the name that they have and what is known of all in them."""
    if depth > MAX_DEPTH or fields.plain(name) in _NO_ARTICLES:
        return
    items: list[Any] = value if isinstance(value, list) else list(value.values()) if isinstance(value, dict) else []
    objects = [item for item in items if isinstance(item, dict)]
    if depth and (isinstance(value, list) or len(objects) == len(items)) and any(map(_may_be_article, objects)):
        yield name, objects, around
    elif isinstance(value, dict):
        around = _merged(fields.metadata(value), around, is_feed="jsonfeed.org" in str(value.get("version")))
        for key, item in value.items():
            yield from _lists(item, key, around, depth + 1)
    else:
        for item in objects:
            yield from _lists(item, name, around, depth + 1)


def _may_be_article(known: Mapping[str, Any]) -> bool:
    return fields.has_text(known) or (
        fields.has_text(known, texts=fields.SUMMARIES) and bool({"title", "headline", "url", "link"} & known.keys())
    )


def _is_article(known: Mapping[str, Any]) -> bool:
    types = known.get("@type")
    return any(
        isinstance(kind, str) and ARTICLE_TYPE.search(kind) for kind in (types if isinstance(types, list) else [types])
    )


def _merged(own: Draft, around: Draft, *, is_feed: bool) -> Draft:
    """What an object says of all articles within it: their outlet and their language."""
    source = own.title if is_feed else own.source
    return replace(around, source=source or around.source, language=own.language or around.language)


def _article(item: _Item) -> Draft:
    if item.written is not None and len(item.written) > LINE_BYTES:
        raise ReadError(f"{len(item.written)} characters are over the limit of {LINE_BYTES} for an article")
    found = record.draft(item.known, nodes=item.nodes)
    if not any(map(str.isalnum, found.text)) and _may_be_article(item.known):
        found = record.draft(item.known, texts=fields.SUMMARIES, nodes=item.nodes)
    if not any(map(str.isalnum, found.text)):
        raise ReadError("no text; it is looked for under names such as text, content, body and articleBody")
    return replace(
        found,
        id=found.id or _hash(item.written or json.dumps(item.known, sort_keys=True)),
        source=found.source or item.around.source,
        language=found.language or item.around.language,
    )


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
