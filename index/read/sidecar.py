"""Side-car: `<article file>.toml` beside an article, the metadata that the file itself cannot hold."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

from index.errors import ReadError
from index.read.draft import Draft, language_tag, one_line, publication_date, web_address

if TYPE_CHECKING:
    from pathlib import Path

SUFFIX = ".toml"
MAX_BYTES = 64 * 1024
"""A side-car holds a few short values."""
KEYS = ("title", "source", "url", "published", "author", "updated", "language")
_DATES = ("published", "updated")


def beside(path: Path) -> Path:
    """Where the side-car of the article at `path` lies, if it has one."""
    return path.with_name(path.name + SUFFIX)


def apply(content: bytes, draft: Draft) -> Draft:
    """`draft` with what the side-car says in place of what the file says; an empty string means unknown.

    Raises ReadError for content that is not TOML, a key that is not among KEYS, and a value that is no text,
    no http(s) address or no date.
    """
    if len(content) > MAX_BYTES:
        raise ReadError(f"a side-car holds at most {MAX_BYTES} bytes")
    try:
        table = tomllib.loads(content.decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ReadError(f'not TOML ({error}); write lines such as  title = "A headline"') from None
    for key in table:
        if key not in KEYS:
            raise ReadError(f"unknown key {key[:40]!r}; the keys are {', '.join(KEYS)}")
    values: dict[str, Any] = {key: _value(key, value) for key, value in table.items()}
    return replace(draft, **values)


def _value(key: str, value: object) -> str | None:
    if key in _DATES and isinstance(value, date):
        return publication_date(value)
    if not isinstance(value, str):
        raise ReadError(f'{key} must be text in quotes, as in  {key} = "…"')
    if not value.strip():
        return None
    if key in _DATES:
        return publication_date(value)
    if key == "language" and not language_tag(value):
        raise ReadError(f'language {value[:40]!r}: a tag such as "en" or "pt-BR" is needed')
    return web_address(value) if key == "url" else one_line(value)
