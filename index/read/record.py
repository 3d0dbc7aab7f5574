"""Record: an object of exported data → Draft: its fields, and its text as the reader of its format finds it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from index.errors import ReadError
from index.read import fields, html, markdown
from index.read.clean import strip_furniture, tidy

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from index.read.draft import Draft


MAX_REPORTED = 20
"""Bad places that are named one by one; a file of another kind would name them all."""
_PAGE = re.compile(r"<(?:!doctype html|html|body|head)\b", re.IGNORECASE)


def draft(
    known: Mapping[str, Any], *, texts: Iterable[str] = fields.TEXTS, nodes: Mapping[str, Any] | None = None
) -> Draft:
    """The article that an object is; its text is empty if none of `texts` has any. See fields.metadata."""
    name, text = fields.text_of(known, texts)
    return replace(fields.metadata(known, nodes=nodes), text=_plain(text, name))


def collected(found: Iterable[tuple[str, Draft | ReadError]], unit: str) -> tuple[Draft | ReadError, ...]:
    """Drafts and errors of the places of a file, each draft with an id that no other has, each error with its place.

    `unit` is what there is many of: "objects", "rows". A draft that is there twice is kept once.
    """
    drafts: dict[str, Draft] = {}
    errors: list[ReadError] = []
    bad = 0
    for place, item in found:
        if isinstance(item, ReadError):
            bad += 1
            if bad <= MAX_REPORTED:
                errors.append(type(item)(f"{place}: {item}"))
            continue
        key = item.id
        if drafts.get(key, item) != item:
            digest = hashlib.sha256(item.text.encode("utf-8", "surrogatepass")).hexdigest()
            key = f"{key}#{digest}"
        drafts[key] = replace(item, id=key)
    if bad > MAX_REPORTED:
        errors.append(ReadError(f"{bad - MAX_REPORTED} more {unit} could not be read"))
    return (*drafts.values(), *errors)


def _plain(text: str, name: str) -> str:
    if name in ("markdown", "md"):
        return markdown.parse(text.encode("utf-8", "ignore")).text
    if _PAGE.search(text) or name in ("html", "rawhtml"):
        found = html.parse(text.encode("utf-8", "ignore"), charset="utf-8").text
        if any(map(str.isalnum, found)):
            return found
    shown = fields.without_markup(text)
    return strip_furniture(tidy(shown, indented=shown != text))
