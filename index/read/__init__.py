"""Reading: a file → articles with clean text and the metadata it has.

    read        a file → its articles
    readable    whether a file's name says that read() knows its format
    is_sidecar  whether it says that the file is metadata of another
    fingerprint what changes when an article would read differently

A format is one file here with a `parse(content: bytes) -> Draft`. Metadata comes from the file, then from its
side-car `<name>.toml`, which wins; nothing is guessed.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING

from index.article import Article
from index.errors import ReadError
from index.read import html, markdown, sidecar, text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from index.read.draft import Draft

READER_VERSION = "1"
"""Part of every fingerprint: raise it when any format reads differently, and all files are read again."""
MAX_BYTES = 32 * 1024 * 1024
"""Default size limit of a file; CITEWIRE_MAX_FILE_BYTES overrides it."""

_FORMATS: dict[str, Callable[[bytes], Draft]] = {
    ".txt": text.parse,
    ".md": markdown.parse,
    ".markdown": markdown.parse,
    ".html": html.parse,
    ".htm": html.parse,
}


def read(path: Path) -> tuple[Article, ...]:
    """The articles in the file at `path`; these formats hold one.

    Raises ReadError, naming the file and what mends it, for a file that is missing, unreadable, too large, of
    an unknown format, binary, not certainly decodable, or without a word of article; and for a bad side-car.
    """
    beside = sidecar.beside(path)
    with _naming(path):
        parse = _FORMATS.get(path.suffix.lower())
        if parse is None:
            raise ReadError(f"no reader for this kind of file; the kinds are {', '.join(_FORMATS)}")
        draft = parse(_content(path))
        if not any(character.isalnum() for character in draft.text):
            raise ReadError("no article text in it, only white space or page furniture; save the article itself")
        origin = _origin(path)
    with _naming(beside):
        extra = _content_if_any(beside)
        draft = draft if extra is None else sidecar.apply(extra, draft)
    return (Article(article_id(origin), draft.text, draft.title, draft.source, draft.url, draft.published),)


def readable(path: Path) -> bool:
    """Whether the name says that `path` is an article for read(); hidden and editors' lock files are not."""
    return path.suffix.lower() in _FORMATS and not path.name.startswith((".", "~$"))


def is_sidecar(path: Path) -> bool:
    """Whether the name says that `path` is the side-car of a readable file, there or not."""
    return path.suffix == sidecar.SUFFIX and readable(path.with_suffix(""))


def fingerprint(path: Path) -> str:
    """SHA-256 over READER_VERSION, the file and its side-car: equal if and only if read() gives the same.

    Raises ReadError as read() does for a file that is missing, unreadable or too large.
    """
    beside = sidecar.beside(path)
    digest = hashlib.sha256(READER_VERSION.encode())
    with _naming(path):
        content = _content(path)
    with _naming(beside):
        extra = _content_if_any(beside)
    for part in (content, extra):
        # With the length first, moving bytes from one part to the other changes the sum.
        digest.update(f"\0{-1 if part is None else len(part)}\0".encode())
        digest.update(part or b"")
    return digest.hexdigest()


def article_id(origin: str) -> str:
    """The id of the article from `origin`, its resolved path or address: 16 hex digits of its SHA-256."""
    return hashlib.sha256(origin.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _origin(path: Path) -> str:
    return str(path.resolve())


def _content(path: Path) -> bytes:
    # Size and kind first: reading a device or a pipe may never end.
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise ReadError("this is a folder, not a file; give the files in it")
    if not stat.S_ISREG(status.st_mode):
        raise ReadError("this is not a regular file; copy what it holds into one")
    limit = _max_bytes()
    _check_size(status.st_size, limit)
    with path.open("rb") as file:
        content = file.read(limit + 1)
    _check_size(len(content), limit)
    return content


def _content_if_any(path: Path) -> bytes | None:
    try:
        return _content(path)
    except FileNotFoundError:
        return None


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise ReadError(f"{size} bytes or more is over the limit of {limit}; split it, or set CITEWIRE_MAX_FILE_BYTES")


def _max_bytes() -> int:
    value = os.environ.get("CITEWIRE_MAX_FILE_BYTES", "").strip()
    if not value:
        return MAX_BYTES
    if not (value.isascii() and value.isdecimal() and int(value[:18]) > 0):
        raise ReadError(f"CITEWIRE_MAX_FILE_BYTES={value[:40]!r}: a whole number of bytes is needed")
    return int(value[:18])


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Puts the file's name before the reason, and turns what the system says into a ReadError."""
    try:
        yield
    except ReadError as error:
        raise ReadError(f"{_shown(path)}: {error}") from error.__cause__
    except FileNotFoundError:
        raise ReadError(f"{_shown(path)}: there is no such file; check the name, or remove it from the index") from None
    except PermissionError:
        raise ReadError(f"{_shown(path)}: no permission to read it; chmod u+r {shlex.quote(_shown(path))}") from None
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ReadError(
            f"{_shown(path)}: cannot be read ({reason}); copy it to another place and add it there"
        ) from error


def _shown(path: Path) -> str:
    """The path with what a terminal or a page could not show, or would obey, written as escapes."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in str(path)
    )
