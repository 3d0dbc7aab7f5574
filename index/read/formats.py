"""Formats: which ending is parsed by what. Nothing here loads a parser before its first file."""

from __future__ import annotations

from importlib import import_module
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from index.errors import ReadError
from index.read import charset

if TYPE_CHECKING:
    from index.read.draft import Draft

PARSERS = {
    ".txt": "text",
    ".md": "markdown",
    ".markdown": "markdown",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".pdf": "pdf",
    ".docx": "docx",
    ".epub": "epub",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "delimited",
    ".tsv": "delimited",
    ".xlsx": "workbook",
    ".xls": "workbook",
    ".ods": "workbook",
    ".odt": "odt",
    ".rtf": "rtf",
    ".srt": "subtitles",
    ".vtt": "subtitles",
    ".mhtml": "mhtml",
    ".mht": "mhtml",
    ".warc": "warc",
    ".warc.gz": "warc",
    ".eml": "eml",
    ".mbox": "mbox",
    ".rss": "feed",
    ".atom": "feed",
    ".rdf": "feed",
    ".xml": "feed",
}
"""Ending → module here with `parse(content) -> Draft | tuple[Draft | ReadError, ...]`."""
FEED = "feed"
INLINE = frozenset((".txt",))
"""Plain text is read by simple means in linear time, and needs no process of its own."""

_SIGNATURES = (
    (b"%PDF-", "a PDF", (".pdf",)),
    (b"PK\x03\x04", "a zip archive", (".docx", ".epub", ".odt", ".xlsx", ".ods")),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old office document", (".xls",)),
    (b"{\\rtf", "an RTF document", (".rtf",)),
    (b"\x1f\x8b", "a gzip archive", (".warc.gz",)),
    (b"\x89PNG", "a PNG image", ()),
    (b"\xff\xd8\xff", "a JPEG image", ()),
)


def ending(name: str) -> str:
    """The ending of a file's name that says its format: ".txt", ".warc.gz"; lower case, empty if it has none."""
    lower = name.lower()
    return ".warc.gz" if lower.endswith(".warc.gz") else PurePath(lower).suffix


def parse(kind: str, content: bytes, **options: Any) -> tuple[Draft | ReadError, ...]:
    """The drafts in `content`, an error for each part that cannot be read, and a LeftOut for each that is not meant to
    be. `kind` is an ending, or FEED.

    Raises ReadError for content that is empty, obviously of another kind, or cannot be read at all.
    """
    if not content.strip(b"\0 \t\r\n\xef\xbb\xbf"):
        raise ReadError("no article text in it, the file is empty; save it again")
    _check_kind(kind, content)
    reader = import_module(f"index.read.{FEED if _is_json_feed(kind, content) else PARSERS.get(kind, kind)}")
    with charset.damage() as damage:
        found = reader.parse(content, **options)
    return (*(found if isinstance(found, tuple) else (found,)), *damage)


def _is_json_feed(kind: str, content: bytes) -> bool:
    if kind != ".json":
        return False
    from index.read import feed

    return feed.is_json(content)


def _check_kind(kind: str, content: bytes) -> None:
    for signature, name, endings in _SIGNATURES:
        if content.startswith(signature) and kind not in endings:
            remedy = f"rename it to {' or '.join(endings)}" if endings else "convert it to text or HTML"
            raise ReadError(f"this is {name}, not text, whatever its name says; {remedy}")
    if kind == ".txt" and content[:1000].lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(
        (b"<!doctype html", b"<html")
    ):
        raise ReadError("this is HTML, not plain text, whatever its name says; rename it to .html")
