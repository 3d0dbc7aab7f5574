"""Reading: a file → articles with clean text and the metadata it has.

    read        a file → its articles
    page        a web page that was fetched → its article
    entries     a feed that was fetched → a draft of each article it announces
    transcripts where the transcripts of its recordings are
    spoken      a transcript that was fetched → its words
    is_feed     whether what was fetched is a feed
    readable    whether a file's name says that read() knows its format
    is_parsed_apart  whether it says that another process parses it
    is_sidecar  whether it says that the file is metadata of another
    fingerprint what changes when an article would read differently
    unchanged   the bytes of a file that is as it was when it was read
    picture     a page of a PDF as a picture, with where the words of a quote are on it
    stop        ends what is being parsed, at Ctrl-C

A format is one file here with a `parse(content: bytes) -> Draft`; all but plain text are parsed in processes of
their own (worker.py). Metadata comes from the file, then from its side-car `<name>.toml`, which wins; nothing is
guessed.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from index.errors import ReadError
from index.location import quoted, real, shown
from index.read import feed, formats, sidecar
from index.read.draft import Draft, LeftOut, web_address
from index.read.worker import Worker, Workers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from index.article import Article
    from index.picture import Picture

READER_VERSION = "3"
"""Part of every fingerprint: raise it when any format reads differently, and all files are read again."""
FORMAT_VERSIONS = dict.fromkeys(formats.PARSERS, ".1") | {".pdf": ".2", ".docx": ".2", ".epub": ".2"}
"""Follows READER_VERSION for formats that alone read differently: raise it, and only their files are read again."""
MAX_BYTES = 32 * 1024 * 1024
"""Default size limit of a file; CITEWIRE_MAX_FILE_BYTES overrides it."""

AT_ONCE = min(os.cpu_count() or 1, 4)
"""Files that are parsed at once, when as many threads call read(). On two cores two processes parse saved web pages 1.7
times as fast as one; each takes about 100 MB."""

READ_TRIES = 2
"""How often a file is read that changes meanwhile: an editor is done by the second time, a log may never be."""
CHANGED = "another program writes it at this moment; run: citewire index sync"

_workers = Workers(AT_ONCE)
_painter = Worker()
"""Apart from those that parse, so that a reader who wants to see a page does not wait for a sync."""


class ChangedError(ReadError):
    """A file that another program wrote while it was read."""


def read(
    path: Path,
    *,
    left_out: Callable[[str], None] | None = None,
    noted: Callable[[str], None] | None = None,
    expected: str | None = None,
) -> tuple[Article, ...]:
    """The articles in the file at `path`: one, but for data, mailboxes and archives.

    `left_out` is called with each part of a file that could not be read while others could; without it such a part
    fails the file. `noted` is called with each part that is left out on purpose, such as hidden text; without it
    `left_out` is. Raises ReadError, naming the file and what mends it, for a file that is missing, unreadable, too
    large, of an unknown or another format, binary, not certainly decodable, damaged, too costly to parse, or without
    a word of article; and for a bad side-car. Raises ChangedError if `expected`, a fingerprint, is not that of what
    was read.
    """
    beside = sidecar.beside(path)
    with _naming(path):
        kind = formats.ending(path.name)
        if kind not in formats.PARSERS:
            raise ReadError(f"no reader for this kind of file; the kinds are {', '.join(formats.PARSERS)}")
    content, extra = _load(path)
    with _naming(path):
        if expected is not None and expected != _fingerprint(path, content, extra):
            raise ChangedError(CHANGED)
        parse = formats.parse if kind in formats.INLINE else _workers.parse
        drafts = _with_text(parse(kind, content), path, left_out, noted or left_out)
        origin = real(path)
    with _naming(beside):
        drafts = drafts if extra is None else [sidecar.apply(extra, draft) for draft in drafts]
    return tuple(_article(origin, draft) for draft in drafts)


def page(
    content: bytes, *, address: str, charset: str | None = None, left_out: Callable[[str], None] | None = None
) -> Article:
    """The article on a fetched page; its id is that of `address`. Raises ReadError, without naming the page.

    `left_out` is called with each part of it that is not read, see read().
    """
    options = {"address": address, "charset": charset}
    (draft,) = _with_text(_workers.parse(".html", content, options), None, left_out, left_out)
    return _article(address, draft)


def document(content: bytes, kind: str, *, address: str, left_out: Callable[[str], None] | None = None) -> Article:
    """The article in a fetched file with an ending that read() knows, such as ".pdf"; see page(). Raises ReadError."""
    (draft,) = _with_text(_workers.parse(kind, content), None, left_out, left_out)
    return _article(address, replace(draft, url=draft.url or web_address(address)))


def entries(content: bytes, *, address: str) -> tuple[Draft, ...]:
    """What the feed fetched from `address` announces: drafts with what it gives of each. Raises ReadError."""
    found = _workers.parse(formats.FEED, content, {"address": address})
    return tuple(draft for draft in found if isinstance(draft, Draft))


def transcripts(content: bytes, *, address: str) -> dict[str, tuple[str, str]]:
    """Address and media type of the transcripts that a fetched feed announces, by the id of their entry's draft."""
    if b"transcript" not in content:
        return {}
    found = _workers.parse("transcript", content, {"form": formats.FEED, "address": address})
    return {one.id: (one.url, one.source or "") for one in found if isinstance(one, Draft) and one.url}


def spoken(content: bytes, kind: str) -> str:
    """The words of a fetched transcript of `kind`, an ending of transcript.KINDS. Raises ReadError."""
    (draft,) = _with_text(_workers.parse("transcript", content, {"form": kind}), None)
    return draft.text


def is_feed(content: bytes) -> bool:
    """Whether fetched content is a feed and not a page."""
    return feed.looks_like(content)


def picture(content: bytes, *, words: str, before: str = "", after: str = "", page: int | None = None) -> Picture:
    """A page of a PDF, from 1, with `words` marked, of which `before` and `after` are the context; without `page`, the
    page that they are found on. Raises ReadError."""
    return _painter.draw(content, words=words, before=before, after=after, page=page)


def stop() -> None:
    """Let every file that is being parsed in this process fail."""
    _workers.stop()


def readable(path: Path) -> bool:
    """Whether the name says that `path` is an article for read(); hidden and editors' lock files are not."""
    return formats.ending(path.name) in formats.PARSERS and not path.name.startswith((".", "~$"))


def is_parsed_apart(path: Path) -> bool:
    """Whether the name says that another process parses `path`, so that reading several at once saves time."""
    return formats.ending(path.name) not in formats.INLINE


def is_sidecar(path: Path) -> bool:
    """Whether the name says that `path` is the side-car of a readable file, there or not."""
    return path.suffix == sidecar.SUFFIX and readable(path.with_suffix(""))


def fingerprint(path: Path) -> str:
    """SHA-256 over READER_VERSION, the file and its side-car: equal if and only if read() gives the same.

    Raises ReadError as read() does for a file that is missing, unreadable or too large.
    """
    return _fingerprint(path, *_load(path))


def unchanged(path: Path, fingerprint: str) -> bytes:
    """The bytes of a file that is as it was when this was its fingerprint, by this reader or the one before it.

    Raises ReadError as read() does, ChangedError for a file that has changed since.
    """
    content, extra = _load(path)
    if fingerprint not in (_fingerprint(path, content, extra), _digest(READER_VERSION, content, extra)):
        raise ChangedError("it has changed since it was read; run: citewire index sync")
    return content


def article_id(origin: str) -> str:
    """The id of the article from `origin`, its resolved path or address: 16 hex digits of its SHA-256."""
    return hashlib.sha256(origin.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _with_text(
    found: tuple[Draft | ReadError, ...],
    path: Path | None,
    left_out: Callable[[str], None] | None = None,
    noted: Callable[[str], None] | None = None,
) -> list[Draft]:
    drafts = [item for item in found if isinstance(item, Draft) and any(map(str.isalnum, item.text))]
    notes = [item for item in found if isinstance(item, LeftOut)]
    errors = [item for item in found if isinstance(item, ReadError) and not isinstance(item, LeftOut)]
    if not drafts:
        if errors:
            raise errors[0]
        if notes:
            raise ReadError(f"no article text in it but what is left out: {'; '.join(map(str, notes))}")
        raise ReadError("no article text in it, only white space or page furniture; save the article itself")
    if errors and left_out is None:
        raise errors[0]
    for reasons, report in ((errors, left_out), (notes, noted)):
        for reason in reasons:
            if report is not None:
                report(f"{'' if path is None else shown(path) + ': '}{reason}")
    return drafts


def _article(origin: str, draft: Draft) -> Article:
    return replace(draft, id=article_id(f"{origin}#{draft.id}" if draft.id else origin))


def _load(path: Path) -> tuple[bytes, bytes | None]:
    """The bytes of a file and of its side-car, None if it has none."""
    beside = sidecar.beside(path)
    with _naming(path):
        content = _content(path)
    with _naming(beside):
        return content, _content_if_any(beside)


def _fingerprint(path: Path, *contents: bytes | None) -> str:
    return _digest(READER_VERSION + FORMAT_VERSIONS.get(formats.ending(path.name), ""), *contents)


def _digest(version: str, *contents: bytes | None) -> str:
    digest = hashlib.sha256(version.encode())
    for part in contents:
        # With the length first, moving bytes from one part to the other changes the sum.
        digest.update(f"\0{-1 if part is None else len(part)}\0".encode())
        digest.update(part or b"")
    return digest.hexdigest()


def _content(path: Path) -> bytes:
    """All bytes of a file, as they were at one time."""
    limit = _max_bytes()
    # Size and kind first: opening a device may set it going, reading a pipe may never end.
    _check_file(path.stat(), limit)
    for _ in range(READ_TRIES):
        # What was a file a moment ago may be a pipe by now, and must not be waited for.
        with os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
            before = os.fstat(file.fileno())
            _check_file(before, limit)
            content = file.read(limit + 1)
            after = os.fstat(file.fileno())
        _check_size(len(content), limit)
        if (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns):
            return content
    raise ChangedError(CHANGED)


def _content_if_any(path: Path) -> bytes | None:
    try:
        return _content(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:  # there cannot be such a file
            return None
        raise


def _check_file(status: os.stat_result, limit: int) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise ReadError("this is a folder, not a file; give the files in it")
    if not stat.S_ISREG(status.st_mode):
        raise ReadError("this is not a regular file; copy what it holds into one")
    _check_size(status.st_size, limit)


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
        raise type(error)(f"{shown(path)}: {error}") from error.__cause__
    except FileNotFoundError:
        raise ReadError(f"{shown(path)}: there is no such file; check the name, or remove it from the index") from None
    except PermissionError:
        raise ReadError(f"{shown(path)}: no permission to read it; chmod u+r {quoted(path)}") from None
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ReadError(
            f"{shown(path)}: cannot be read ({reason}); copy it to another place and add it there"
        ) from error
