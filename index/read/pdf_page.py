"""A page of a PDF → a picture of it, and where the words of a quote are on it. It imports pypdfium2, as pdf.py does.

The text of an article is not that of its PDF: spaces, hyphens and ligatures differ, and columns and tables are read in
another order. So only letters and digits are compared, and a quote is found in runs: the longest that the page has is
marked first, then the longest of what is missing before and after it, wherever it stands on the page.
"""

from __future__ import annotations

import ctypes
import struct
import unicodedata
import zlib
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

from index.errors import ReadError
from index.picture import Box, Picture
from index.read.pdf import LIGATURES, page_labels

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

WIDTH_PX = 1100
"""Of a picture: on a page of A4, type of 8 points is then 15 pixels high, which is read with ease."""
MOST_PIXELS = 4_000_000
"""Of pages that are much higher than wide, such as printed web pages, the picture is narrower."""
RUN_LETTERS = 8
"""A run that is not beside another one has at least so many letters: shorter ones stand in many places of a page."""
FOUND_SHARE = 0.4
"""A page may have a quote if it has so large a share of its runs: nearly half of one that goes on overleaf."""
SURE_LETTERS, SURE_SHARE = 20, 0.6
"""A quote is marked where one run has so many letters, or all have so large a share of it, as in the cells of a table:
shorter ones ("the council of the") two sentences on one subject may share."""
MOST_QUOTE_LETTERS = 5000
"""Longer quotes are marked as far as this: a page of small type has about as many."""
LINE_GAP_EM = 1.5
"""Letters of one line that are further apart, in heights of the line, are of two columns and get two boxes."""
NO_BOXES = "The file does not say where on the page its words stand, so they are not marked."
NO_TEXT = "This page has no text, only a picture of it or nothing, so no words can be marked."
NOT_HERE = "The words are not on this page."
NOWHERE = "The words were not found on any page of the file."


@dataclass(frozen=True, slots=True)
class Quote:
    """The words that are looked for, with some of those before and after them: what is there twice is told apart."""

    words: str
    before: str = ""
    after: str = ""


def draw(content: bytes, quote: Quote, page: int | None) -> Picture:
    """The picture of a page, from 1, or of that with most of the quote if None. Raises ReadError."""
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError as error:
        raise ReadError("the PDF is damaged or encrypted, so its pages cannot be shown") from error
    try:
        found = _find(document, quote) if page is None else page
        number = min(max(found or 1, 1), len(document))
        picture = _picture(document, number)
        if not quote.words:
            return picture
        boxes, missing = _marked(document[number - 1], quote)
        return replace(picture, boxes=boxes, missing=missing) if found else replace(picture, missing=NOWHERE)
    except pypdfium2.PdfiumError as error:
        raise ReadError(f"the page cannot be shown ({error})") from error
    finally:
        document.close()


def _picture(document: Any, number: int) -> Picture:
    page = document[number - 1]
    width, height = page.get_size()
    scale = min(WIDTH_PX / max(width, 1.0), (MOST_PIXELS / max(width * height, 1.0)) ** 0.5)
    bitmap = page.render(scale=scale, rev_byteorder=True, prefer_bgrx=False, may_draw_forms=False)
    return Picture(number, page_labels(document)[number - 1], len(document), bitmap.width, bitmap.height, _png(bitmap))


def _png(bitmap: Any) -> bytes:
    """A bitmap of gray or RGB pixels as a PNG file (https://www.w3.org/TR/png/)."""
    channels = bitmap.n_channels
    kinds = {1: 0, 3: 2, 4: 6}
    pixels, used = memoryview(bytes(bitmap.buffer)), bitmap.width * channels
    rows = (pixels[row * bitmap.stride : row * bitmap.stride + used] for row in range(bitmap.height))
    data = zlib.compress(b"".join(b"\0" + bytes(row) for row in rows), 6)
    head = struct.pack(">IIBBBBB", bitmap.width, bitmap.height, 8, kinds[channels], 0, 0, 0)

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def _find(document: Any, quote: Quote) -> int | None:
    """The page with the largest share of the words, by runs of RUN_LETTERS; None if no page has FOUND_SHARE of them."""
    wanted = _folded(quote.words)[:MOST_QUOTE_LETTERS]
    runs = {wanted[at : at + RUN_LETTERS] for at in range(max(len(wanted) - RUN_LETTERS, 0) + 1)}
    best, most = None, FOUND_SHARE * len(runs)
    for number in range(len(document)):
        textpage = document[number].get_textpage()
        letters = _folded(textpage.get_text_range())
        textpage.close()
        if wanted in letters:
            return number + 1
        here = sum(run in letters for run in runs)
        if here > most:
            best, most = number + 1, here
    return best


def _marked(page: Any, quote: Quote) -> tuple[tuple[Box, ...], str]:
    """The boxes of a quote on a page, or why there are none."""
    textpage = page.get_textpage()
    try:
        letters, places = _letters(textpage)
        if not letters:
            return (), NO_TEXT
        before, after = _folded(quote.before), _folded(quote.after)
        wanted = _folded(quote.words)[:MOST_QUOTE_LETTERS]
        runs = _runs(before + wanted + after, letters)
        if not _within(runs, len(before), len(before) + len(wanted)):
            runs, before = _runs(wanted, letters), ""
        found = sorted({places[at] for at in _within(runs, len(before), len(before) + len(wanted))})
        longest = max((size for _, _, size in runs), default=0)
        if not found or (longest < min(SURE_LETTERS, len(wanted)) and len(found) < SURE_SHARE * len(wanted)):
            return (), NOT_HERE
        boxes = tuple(_boxes(page, textpage, found))
    finally:
        textpage.close()
    return boxes, "" if boxes else NO_BOXES


def _within(runs: Sequence[tuple[int, int, int]], start: int, end: int) -> list[int]:
    """The letters of a page that runs match with [start, end) of what was looked for."""
    return [
        on_page + number - wanted
        for wanted, on_page, size in runs
        for number in range(max(wanted, start), min(wanted + size, end))
    ]


def _runs(wanted: str, letters: str) -> list[tuple[int, int, int]]:
    """Runs of `wanted` that `letters` have: (start in the one, start in the other, length)."""
    whole = letters.find(wanted)
    if whole >= 0 and wanted:
        return [(0, whole, len(wanted))]
    matcher = SequenceMatcher(None, wanted, letters, autojunk=False)
    found: list[tuple[int, int, int]] = []
    waiting = [(0, len(wanted), 0, len(letters))]  # what is missing, and what stands between the runs on its two sides
    while waiting:
        first, end, left, right = waiting.pop()
        if first >= end:
            continue
        run = matcher.find_longest_match(first, end, 0, len(letters))
        if run.size < RUN_LETTERS:
            run = matcher.find_longest_match(first, end, left, right) if left < right else run
            if run.size < end - first or not left <= run.b < right:
                continue
        found.append((run.a, run.b, run.size))
        waiting.append((first, run.a, left if left < run.b else 0, run.b))
        waiting.append((run.a + run.size, end, run.b + run.size, right if right > run.b else len(letters)))
    return found


def _letters(textpage: Any) -> tuple[str, list[int]]:
    """The folded letters of a page in the order of the file, and the number of the character that each is of."""
    from pypdfium2 import raw

    letters: list[str] = []
    places: list[int] = []
    for number in range(textpage.count_chars()):
        code = raw.FPDFText_GetUnicode(textpage.raw, number)
        if 0 < code < 0x110000 and not 0xD800 <= code < 0xE000:
            folded = _folded(LIGATURES.get(code) or chr(code))
            letters.append(folded)
            places += [number] * len(folded)
    return "".join(letters), places


def _folded(text: str) -> str:
    """The letters and digits of a text, without case and accents that stand apart."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKD", text).casefold()))


def _boxes(page: Any, textpage: Any, numbers: Sequence[int]) -> Iterator[Box]:
    """The rectangles of characters, those of one line together; none of what has no extent."""
    from pypdfium2 import raw

    width, height = page.get_size()
    scale = 10_000
    rect, x, y = raw.FS_RECTF(), ctypes.c_int(), ctypes.c_int()

    def on_picture(across: float, up: float) -> tuple[float, float]:
        """A point of the page, in shares of the picture, which shows it turned and cropped."""
        raw.FPDF_PageToDevice(page.raw, 0, 0, scale, scale, 0, across, up, ctypes.byref(x), ctypes.byref(y))
        return x.value / scale, y.value / scale

    line: list[float] = []
    for number in numbers:
        if not raw.FPDFText_GetLooseCharBox(textpage.raw, number, ctypes.byref(rect)):
            continue
        one, other = on_picture(rect.left, rect.top), on_picture(rect.right, rect.bottom)
        left, right = sorted((min(max(one[0], 0.0), 1.0), min(max(other[0], 0.0), 1.0)))
        top, bottom = sorted((min(max(one[1], 0.0), 1.0), min(max(other[1], 0.0), 1.0)))
        if right <= left or bottom <= top:
            continue
        if line and _goes_on(line, (left, top, right, bottom), width / height):
            line = [min(line[0], left), min(line[1], top), max(line[2], right), max(line[3], bottom)]
        else:
            if line:
                yield Box(line[0], line[1], line[2] - line[0], line[3] - line[1])
            line = [left, top, right, bottom]
    if line:
        yield Box(line[0], line[1], line[2] - line[0], line[3] - line[1])


def _goes_on(line: Sequence[float], box: Sequence[float], shape: float) -> bool:
    """Whether a character stands on a line; `shape` is the width of the page by its height."""
    high = min(line[3] - line[1], box[3] - box[1])
    shared = min(line[3], box[3]) - max(line[1], box[1])
    gap = max(box[0] - line[2], line[0] - box[2]) * shape
    return shared > 0.5 * high and gap < LINE_GAP_EM * (line[3] - line[1])
