"""PDF with text → Draft. The only file that imports pypdfium2.

A PDF knows letters and their places, not paragraphs: these are put together again from the distances between
lines. Running heads, running feet and page numbers go. The date in a PDF is that of the file, so it is not used.
"""

from __future__ import annotations

import ctypes
import re
from collections import Counter
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Any

from index.errors import ReadError
from index.read.clean import tidy
from index.read.draft import Draft, byline, one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MAX_PAGES = 3000
"""More than a book has: a limit against files made to take long."""
GAP_SHARE = 1.35
"""A gap between lines this much wider than the page's usual one begins a paragraph."""
SIZE_SHARE = 0.12
"""… and so does type that differs this much in size."""
SHORT_SHARE = 0.8
"""A line that ends a sentence before this share of the column's width ends the paragraph too."""
EDGE_SHARE = 0.1
"""Running heads and feet stand in this share of the page's height at either end."""

_HYPHENS = "\ufffe\x02\xad"
"""What PDFium gives for a hyphen that breaks a word at a line's end."""
_BULLET = re.compile(r"[•◦▪‣●–—-]\s|\(?\d{1,3}[.)]\s")
_FILE_NAME = re.compile(
    r"^(?:microsoft word|untitled|print)\b|\.(?:docx?|indd|qxd|pdf|tex|pages|rtf|odt)$", re.IGNORECASE
)
_PRINTED = re.compile(
    r"\s*(?:(?:page |p\. ?|[-–— ])*\d{1,4}(?:(?: of | ?/ ?)\d{1,4})?[-–— ]*"
    r"|\d{1,4}[/.]\d\d?[/.]\d{2,4}, \d\d?:\d\d.*|(?:https?|file):\S+(?: \d+/\d+)?)\s*",
    re.IGNORECASE,
)
"""A page number, or what browsers print at the edge: the clock with the title, the address."""
_TERMINAL = re.compile(r"[.!?…:。！？][\"'”’»)\]]*$")


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of type: its text, the left and right end, the bottom and the size of its letters in points."""

    text: str
    left: float
    right: float
    bottom: float
    size: float


def parse(content: bytes) -> Draft:
    """The text of the pages, paragraph by paragraph; title and author from the properties.

    Raises ReadError for what is no PDF, is damaged or encrypted, has too many pages, or has pictures of text only.
    """
    import pypdfium2

    if b"%PDF-" not in content[:1024]:
        raise ReadError("this is no PDF, whatever its name says; give it the ending it should have")
    try:
        document = pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError as error:
        is_locked = "assword" in str(error)
        remedy = "save it without a password" if is_locked else "get it again, or print it to a new PDF"
        raise ReadError(f"the PDF is {'encrypted' if is_locked else 'damaged or cut short'}; {remedy}") from error
    try:
        return _read(document)
    except pypdfium2.PdfiumError as error:
        raise ReadError(f"the PDF is damaged ({error}); get it again, or print it to a new PDF") from error
    finally:
        document.close()


def _read(document: Any) -> Draft:
    if len(document) > MAX_PAGES:
        raise ReadError(f"{len(document)} pages are over the limit of {MAX_PAGES}; split it")
    pages, heights = [], []
    for number in range(len(document)):
        page = document[number]
        pages.append(_lines(page))
        heights.append(page.get_height())
        page.close()
    if not any(pages):
        raise ReadError("the PDF holds no text, only pictures of it; make it searchable first: ocrmypdf OLD NEW")
    pages = _without_running_lines(pages, heights)
    known = document.get_metadata_dict()
    title = one_line(known.get("Title"))
    return Draft(
        "",
        tidy(_paragraphs(pages)),
        title=None if title is None or _FILE_NAME.search(title) else title,
        author=byline(known.get("Author")),
    )


def _lines(page: Any) -> list[_Line]:
    from pypdfium2 import raw

    textpage = page.get_textpage()
    try:
        count = textpage.count_chars()
        letters = [_letter(raw.FPDFText_GetUnicode(textpage, index)) for index in range(count)]
        lines, first = [], 0
        for index in range(count + 1):
            if index < count and letters[index] not in "\r\n":
                continue
            if line := _line(textpage, letters, first, index):
                lines.append(line)
            first = index + 1
        return lines
    finally:
        textpage.close()


def _letter(code: int) -> str:
    return chr(code) if 0 < code < 0x110000 and not 0xD800 <= code < 0xE000 else " "


def _line(textpage: Any, letters: Sequence[str], first: int, end: int) -> _Line | None:
    from pypdfium2 import raw

    inked = [index for index in range(first, end) if not letters[index].isspace()]
    if not inked:
        return None
    left, bottom, *_ = textpage.get_charbox(inked[0], loose=True)
    right = textpage.get_charbox(inked[-1], loose=True)[2]
    size = ctypes.c_double(raw.FPDFText_GetFontSize(textpage, inked[0])).value
    height = textpage.get_charbox(inked[0], loose=True)[3] - bottom
    text = "".join(letters[inked[0] : inked[-1] + 1])
    return _Line(re.sub(r"[ \t\u00a0]+", " ", text), left, right, bottom, height or size or 1.0)


def _without_running_lines(pages: Sequence[list[_Line]], heights: Sequence[float]) -> list[list[_Line]]:
    """The pages without what stands at the edge of at least three pages and half of them, numbers aside."""

    def marks(lines: Iterable[_Line], height: float) -> set[str]:
        return {_mark(line) for line in lines if _at_edge(line, height)}

    seen = Counter(mark for lines, height in zip(pages, heights, strict=True) for mark in marks(lines, height))
    running = {mark for mark, count in seen.items() if count >= max(3, len(pages) / 2)}
    return [
        [
            line
            for line in lines
            if not (_at_edge(line, height) and (_mark(line) in running or _PRINTED.fullmatch(line.text)))
        ]
        for lines, height in zip(pages, heights, strict=True)
    ]


def _at_edge(line: _Line, height: float) -> bool:
    return not EDGE_SHARE * height < line.bottom < (1 - EDGE_SHARE) * height


def _mark(line: _Line) -> str:
    return re.sub(r"\d+", "0", line.text.strip().casefold())


def _paragraphs(pages: Sequence[list[_Line]]) -> str:
    pieces: list[str] = []
    before: _Line | None = None
    for lines in pages:
        leading = _leading(lines)
        right = _right_edge(lines)
        is_first = True
        for line in lines:
            if before is None or _begins_paragraph(before, line, leading, right, is_new_page=is_first):
                pieces += ["\n\n", line.text]
            elif pieces[-1][-1:] in _HYPHENS and line.text[:1].islower():
                pieces[-1] = pieces[-1][:-1] + line.text
            elif pieces[-1][-1:] in _HYPHENS:
                pieces[-1] = pieces[-1][:-1] + "-" + line.text
            else:
                pieces += [" ", line.text]
            before, is_first = line, False
        if before is not None:
            before = replace(before, bottom=float("inf"))
    return "".join(pieces).translate(dict.fromkeys(map(ord, _HYPHENS), "-"))


def _leading(lines: Sequence[_Line]) -> float:
    """The usual distance between two lines of a page."""
    gaps = [above.bottom - below.bottom for above, below in pairwise(lines)]
    usual = [gap for gap, line in zip(gaps, lines, strict=False) if 0.5 * line.size < gap < 3 * line.size]
    return median(usual) if usual else 14.0


def _right_edge(lines: Sequence[_Line]) -> float:
    """Where the widest lines end; on a page of columns, those of the widest."""
    widths = sorted(line.right - line.left for line in lines)
    return widths[int(len(widths) * 0.9)] if widths else 0.0


def _begins_paragraph(before: _Line, line: _Line, leading: float, width: float, *, is_new_page: bool) -> bool:
    ends_sentence = bool(_TERMINAL.search(before.text.rstrip()))
    if abs(line.size - before.size) > SIZE_SHARE * before.size or _BULLET.match(line.text):
        return True
    gap = before.bottom - line.bottom
    if is_new_page or gap < -0.5 * line.size:  # the next page or column goes on with an unfinished sentence
        return ends_sentence or not (line.text[:1].islower() or before.text[-1:] in _HYPHENS + ",")
    if abs(gap) <= 0.5 * line.size:  # two pieces of one line
        return False
    if gap > GAP_SHARE * leading:
        return True
    is_short = before.right - before.left < SHORT_SHARE * width
    is_indented = line.left - before.left > 0.8 * line.size and line.left - before.left < 6 * line.size
    return ends_sentence and (is_short or is_indented)
