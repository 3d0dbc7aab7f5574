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
_ACTIONS = frozenset(("index", "create", "update", "delete"))
"""What a bulk file of a search engine has on the line before an object."""
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
    if (rows := _rows(known)) is not None:
        yield from ((f"row {number}", _Item(row, None, around, {})) for number, row in enumerate(rows, start=1))
        return
    if fields.has_text(known, least=TEXT_CHARS):
        yield place, _Item(known, written, around, {})
        return
    own = fields.text_keys(known)
    others = {key: value for key, value in known.items() if key not in own}
    found = list(_lists(others, "", around, 0)) or list(_lists(others, "", around, 0, is_any_name=True))
    while not found and len(known) == 1 and isinstance(inner := next(iter(known.values())), dict):
        if known.keys() <= _ACTIONS and not fields.has_text(inner):
            return
        known = inner  # {"tweet": {…}}
    if not found:
        yield place, _Item(known, written, around, {})
    for name, items, its_around in found:
        nodes = {str(item["@id"]): item for item in items if "@id" in item}
        for number, item in enumerate(items, start=1):
            if not (name == "@graph" and "@type" in item and not _is_article(item)):
                yield f"item {number} of {name!r}", _Item(item, None, its_around, nodes)


def _rows(known: dict[str, Any]) -> list[dict[str, Any]] | None:
    """The objects of a table that is written by columns, as pandas writes it: {"title": {"0": …}, "text": {"0": …}}, or
    {"columns": […], "data": [[…]]}; None for what is no such table."""
    columns, data = known.get("columns"), known.get("data")
    if isinstance(columns, list) and isinstance(data, list) and all(isinstance(row, list) for row in data):
        return [dict(zip(map(str, columns), row, strict=False)) for row in data]
    if len(known) < 2 or not all(isinstance(column, dict) for column in known.values()):
        return None
    keys = next(iter(known.values())).keys()
    if not keys or not all(key.isdecimal() for key in keys) or any(one.keys() != keys for one in known.values()):
        return None
    return [{name: column[key] for name, column in known.items()} for key in keys]


def _lists(
    value: object, name: str, around: Draft, depth: int, *, is_any_name: bool = False
) -> Iterator[tuple[str, list[dict[str, Any]], Draft]]:
    """Lists of objects with texts in a value, with the name that they have and what is known of all in them. With
    `is_any_name` running text under any name is one."""
    if depth > MAX_DEPTH or fields.plain(name) in _NO_ARTICLES:
        return
    items: list[Any] = value if isinstance(value, list) else list(value.values()) if isinstance(value, dict) else []
    objects = [item for item in items if isinstance(item, dict)]
    is_list = isinstance(value, list) or len(objects) == len(items)
    is_list = is_list and (depth > 0 or (len(objects) > 1 and all(map(_may_be_article, objects))))
    if is_list and any(_may_be_article(one) or (is_any_name and fields.prose(one)[1]) for one in objects):
        yield name, objects, around
    elif isinstance(value, dict):
        around = _merged(fields.metadata(value), around, is_feed="jsonfeed.org" in str(value.get("version")))
        for key, item in value.items():
            yield from _lists(item, key, around, depth + 1, is_any_name=is_any_name)
    else:
        for item in objects:
            yield from _lists(item, name, around, depth + 1, is_any_name=is_any_name)


def _may_be_article(known: Mapping[str, Any]) -> bool:
    if fields.has_text(known):
        return True
    if not fields.has_text(known, texts=fields.SUMMARIES):
        return False
    # A name and a description are those of a package or a person as well.
    return bool(fields.text_of(known, ("title", "headline"))[1] or fields.metadata(known).url)


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
    if not any(map(str.isalnum, found.text)):
        is_summed_up = _may_be_article(item.known)
        summaries = [fields.text_of(item.known, (name,)) for name in fields.SUMMARIES if is_summed_up]
        name, text = max((*summaries, fields.prose(item.known)), key=lambda one: len(one[1]))
        found = record.draft(item.known, texts=(name,) if text else (), nodes=item.nodes)
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
