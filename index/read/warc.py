"""WARC (.warc, .warc.gz) → Drafts, one for each page that a web archive holds. The only file that imports warcio."""

from __future__ import annotations

import gzip
import io
import zlib
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from index.errors import ReadError
from index.read import html, record, text
from index.read.draft import Draft, LeftOut, web_address

if TYPE_CHECKING:
    from collections.abc import Iterator

_KINDS = ("response", "resource", "conversion")
"""Records that hold a page: as a server sent it, as it was found, and as text alone (Common Crawl's WET)."""
_PAGES = ("text/html", "application/xhtml+xml")
_PARTS = ("image/", "audio/", "video/", "font/", "text/css", "text/javascript", "application/javascript",
          "application/x-javascript", "application/json", "application/font", "application/x-font")  # fmt: skip
"""Beginnings of the types that only make up a page."""
MAX_PAGE_BYTES = 16 * 1024 * 1024
MAX_BYTES = 256 * 1024 * 1024
"""Limits on what pages unpack to, one and all."""
MAX_PAGES = 5000
_GZIP = b"\x1f\x8b"


def parse(content: bytes) -> tuple[Draft | ReadError, ...]:
    """An article for each page, with its address as id, and what is left out. Raises ReadError for what is no WARC."""
    counts: Counter[str] = Counter()
    found = record.collected(_pages(content, counts), "pages")
    if not counts and content.startswith(_GZIP):  # packed as a whole and not record by record, as warcio wants it
        found = record.collected(_pages(_unpacked(content), counts), "pages")
    if not counts:
        raise ReadError("this is no WARC, whatever its name says, or holds no pages; get it again")
    others = {kind: number for kind, number in counts.items() if kind not in ("pages", "page parts")}
    named = ", ".join(f"{number} of {kind}" for kind, number in sorted(others.items())[:10])
    return (
        *found,
        *([LeftOut(f"records that are no pages ({named}); save what is wanted by itself")] if others else []),
    )


def _unpacked(content: bytes) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as packed:
            return packed.read(MAX_BYTES)
    except (OSError, EOFError, zlib.error) as error:
        raise ReadError(f"the archive is damaged ({type(error).__name__}); get it again") from error


def _pages(content: bytes, counts: Counter[str]) -> Iterator[tuple[str, Draft | ReadError]]:
    from warcio.archiveiterator import ArchiveIterator

    total = number = 0
    try:
        for number, entry in enumerate(ArchiveIterator(io.BytesIO(content)), start=1):
            if entry.rec_type not in _KINDS:
                continue
            kind = _kind(entry)
            counts[kind] += 1
            if kind != "pages":
                continue
            try:
                body = entry.content_stream().read(MAX_PAGE_BYTES + 1)
            except Exception as error:  # noqa: BLE001 - such as a way of packing that warcio does not know
                reason = f"the page cannot be unpacked ({type(error).__name__}); get it again"
                yield f"record {number}", ReadError(reason)
                continue
            total += len(body)
            if counts["pages"] > MAX_PAGES or total > MAX_BYTES:
                yield (
                    f"record {number}",
                    ReadError(f"more than {MAX_PAGES} pages or {MAX_BYTES >> 20} MiB; split the file"),
                )
                return
            try:
                draft = _draft(entry, body)
                if any(map(str.isalnum, draft.text)):
                    yield f"record {number}", draft
                else:
                    yield f"record {number}", LeftOut(f"a page without article text, {draft.id[:200]}")
            except ReadError as error:
                yield f"record {number}", error
    except ReadError:
        raise
    except Exception as error:  # noqa: BLE001 - what a damaged archive raises is as varied as the damage
        yield f"record {number + 1}", ReadError(f"the archive is damaged here ({type(error).__name__}); get it again")


def _kind(entry: Any) -> str:
    """ "pages", "page parts", or how to name what the record holds."""
    status = entry.http_headers.get_statuscode() if entry.http_headers else "200"
    media_type = _media_type(entry)
    if status not in ("200", "203"):
        return "page parts" if status.startswith("3") else f"status {status[:3]}"
    if media_type in _PAGES or not media_type:
        return "pages"
    if media_type == "text/plain":
        return "page parts" if _address(entry).endswith("/robots.txt") else "pages"
    return "page parts" if media_type.startswith(_PARTS) else media_type[:80] or "an unknown type"


def _media_type(entry: Any) -> str:
    headers = entry.http_headers or entry.rec_headers
    return str(headers.get_header("Content-Type") or "").partition(";")[0].strip().lower()


def _address(entry: Any) -> str:
    return str(entry.rec_headers.get_header("WARC-Target-URI") or "").strip("<>")


def _draft(entry: Any, body: bytes) -> Draft:
    if len(body) > MAX_PAGE_BYTES:
        raise ReadError(f"the page is larger than {MAX_PAGE_BYTES >> 20} MiB")
    given = _address(entry)
    try:
        address: str | None = web_address(given)
    except ReadError:
        address = None
    if _media_type(entry) == "text/plain":
        draft = replace(text.parse(body), url=address)
    else:
        headers = entry.http_headers or entry.rec_headers
        charset = (
            str(headers.get_header("Content-Type") or "").lower().partition("charset=")[2].strip(" \"'").split(";")[0]
        )
        draft = html.parse(body, charset=charset or None, address=address)
    return replace(draft, id=given or draft.id)
