"""Edit: what a user knows better about an article than the file it came from, and the tags of articles. Pure.

An article has its edited values wherever it is read. What was read in their place is kept beside them: when the file
is read again the edit stays and the read value follows, and a reset brings it back.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from index.errors import InputError
from index.filters import DATES, is_date
from index.location import is_storable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from index.article import Article

FIELDS = ("title", "source", "published")
"""What can be edited."""
VALUE_CHARS = 500
"""Longest edited value: the longest headlines have some 200 characters."""
TAG_CHARS = 60
"""Longest tag: it stands in lists and in filters."""
MOST_TAGS = 100
"""Most tags of one article."""


@dataclass(frozen=True, slots=True)
class Edit:
    """An edited field of an article: its value, None for none, and the value that was read in its place."""

    field: str
    value: str | None
    read: str | None


def edited(article: Article, edits: Iterable[Edit]) -> tuple[Article, tuple[Edit, ...]]:
    """An article as it was read, with `edits`; and those with the values that were read this time."""
    now = tuple(replace(edit, read=getattr(article, edit.field)) for edit in edits)
    values: dict[str, Any] = {edit.field: edit.value for edit in now}
    return replace(article, **values), now


def as_read(article: Article, edits: Iterable[Edit]) -> Article:
    """An edited article as it was read."""
    values: dict[str, Any] = {edit.field: edit.read for edit in edits}
    return replace(article, **values)


def changed(edits: Sequence[Edit], article: Article, values: Mapping[str, str], reset: Iterable[str]) -> list[Edit]:
    """The edits of an article, which has `edits`, once `values` are set, "" for none, and the fields `reset` are as
    they were read. A value that is the one that was read is no edit. Raises InputError for a field or value that is
    wrong."""
    fields = list(reset)
    for field in (*values, *fields):
        if field not in FIELDS:
            raise InputError(f"{field!r} cannot be edited; what can be: {', '.join(FIELDS)}")
    known = {edit.field: edit for edit in edits if edit.field not in fields}
    unedited = as_read(article, edits)
    for field, text in values.items():
        read, value = getattr(unedited, field), _value(field, text)
        if value == read:
            known.pop(field, None)
        else:
            known[field] = Edit(field, value, read)
    return [known[field] for field in FIELDS if field in known]


def tag(name: str) -> str:
    """A tag in the form in which it is kept. Raises InputError for one that cannot be."""
    found = re.sub(r"\s+", " ", unicodedata.normalize("NFC", name)).strip()
    if not found or not is_storable(found) or not found.isprintable() or set(found) & set('"“”'):
        raise InputError(f"{name!r} is no tag; write a word or a few, without quotation marks")
    if len(found) > TAG_CHARS:
        raise InputError(f"the tag {found[:TAG_CHARS]!r}… is too long; it can have {TAG_CHARS} characters")
    return found


def _value(field: str, text: str) -> str | None:
    value = re.sub(r"\s+", " ", text).strip()
    if not value:
        return None
    if not is_storable(value) or not value.isprintable():
        raise InputError(f"the {field} has characters in it that cannot be kept; write it anew")
    if len(value) > VALUE_CHARS:
        raise InputError(f"the {field} is too long: {len(value)} characters, at most {VALUE_CHARS}")
    if field == "published" and not is_date(value):
        raise InputError(f"{value!r} is no date; {DATES}")
    return value
