"""Originals: the file that an article was read from, and its pages as pictures, at addresses of the page.

`original/ID` is the file, `original/ID/12.png` a page of it. Whoever may read the article may have them. They are found
by the id of an article alone, so that no other file can be asked for, and only as they were when they were read. Only
formats are opened that hold one article and that a browser shows without running anything of them: PDFs and web pages
that somebody saved. Knows no Gradio.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from threading import Lock
from typing import TYPE_CHECKING
from urllib.parse import unquote

from index.errors import Error, InputError
from ui.backend import without_commands
from ui.html.reader import PDF, SAVED
from ui.reply import Reply, refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from index import Index
    from index.picture import Picture

_ADDRESS = re.compile(rb"/original/([^/]+)(?:/([1-9][0-9]{0,4})\.png)?")
AT_ONCE = 2
"""Files and pictures that are made at once; whoever waits longer than for MOST_WAITING others is sent away."""
MOST_WAITING = 16
KEPT = 4
"""Pictures in memory, of some 300 kB each: that of a page is made with its marks, and asked for a moment later."""
NOT_OPENED = "files of this kind are not opened from the page"
BUSY = "Too many pages are asked for at once; try again in a moment."

PDF_POLICY = b"object-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
SAVED_POLICY = (
    b"sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; base-uri 'none'; "
    b"form-action 'none'; frame-ancestors 'none'"
)
"""A saved page is shown without scripts, without anything from the web, and as of no origin."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an address names: the file of an article, or a page of it as a picture."""

    article_id: str
    page: int | None = None


def wanted(raw_path: bytes) -> Wanted | None:
    """What the path of a request, percent-encoded, names; None unless it is an address of an original."""
    found = _ADDRESS.fullmatch(raw_path.partition(b"?")[0])
    if found is None:
        return None
    return Wanted(unquote(found[1].decode("latin-1")), int(found[2]) if found[2] else None)


class Originals:
    """Answers for the files of an index."""

    def __init__(self, index: Callable[[], Index]) -> None:
        """`index` gives the index, and raises while it cannot be opened."""
        self._index = index
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="citewire-original")
        self._waiting = 0
        self._pictures: OrderedDict[tuple[str, str, int], bytes] = OrderedDict()
        self._lock = Lock()

    async def answer(self, asked: Wanted) -> Reply:
        """The file or picture, or in words why there is none."""
        if self._waiting >= AT_ONCE + MOST_WAITING:
            return refusal(HTTPStatus.SERVICE_UNAVAILABLE, BUSY)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._answer, asked)
        finally:
            self._waiting -= 1

    def page(self, article_id: str, start: int, end: int, page: int | None) -> Picture:
        """A page with words of the article marked; its picture is at hand when the browser asks for it. Raises
        InputError as `Index.picture` does."""
        index = self._index()
        file = index.source_file(article_id)
        picture = index.picture(article_id, start, end, page=page)
        self._keep((article_id, file.fingerprint, picture.page), picture.png)
        return picture

    def _answer(self, asked: Wanted) -> Reply:
        try:
            index = self._index()
            file = index.source_file(asked.article_id)
            if file.kind not in (*PDF, *SAVED):
                raise InputError(NOT_OPENED)
            if asked.page is not None:
                return Reply(HTTPStatus.OK, b"image/png", self._picture(index, asked, file.fingerprint))
        except Error as error:
            why = without_commands(str(error))
            return refusal(HTTPStatus.NOT_FOUND, f"{why[:1].upper()}{why[1:]}.")
        if file.kind in PDF:
            return Reply(HTTPStatus.OK, b"application/pdf", file.content, PDF_POLICY, file.name)
        return Reply(HTTPStatus.OK, b"text/html", file.content, SAVED_POLICY, file.name)

    def _picture(self, index: Index, asked: Wanted, fingerprint: str) -> bytes:
        assert asked.page is not None  # noqa: S101 - asked by _answer
        key = (asked.article_id, fingerprint, asked.page)
        with self._lock:
            known = self._pictures.get(key)
        if known is None:
            known = index.picture(asked.article_id, page=asked.page).png
            self._keep(key, known)
        return known

    def _keep(self, key: tuple[str, str, int], png: bytes) -> None:
        with self._lock:
            self._pictures[key] = png
            self._pictures.move_to_end(key)
            while len(self._pictures) > KEPT:
                self._pictures.popitem(last=False)
