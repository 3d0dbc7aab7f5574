"""PDF with text → Draft. This file, form.py and pdf_page.py import pypdfium2.

A PDF knows letters and their places, not paragraphs. Here the letters become words with their places; layout.py puts
them in reading order, column by column and row by row; then paragraphs are put together from the distances between
lines, and hyphen.py mends the words that were broken at their ends. Running heads, running feet and page numbers go.
What forms hold follows the text of its page. The date in a PDF is that of the file, so it is not used.
"""

from __future__ import annotations

import ctypes
import math
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from statistics import median
from typing import TYPE_CHECKING, Any

from index.errors import ReadError
from index.read import form, hyphen, layout
from index.read.clean import headline, tidy
from index.read.draft import Draft, LeftOut, byline, language_tag, one_line
from index.read.layout import HYPHENS, Block, Line, Word
from index.read.placing import placed
from index.read.table import rows_as_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

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
APART_SHARE = 1.2
"""… and apart from the text by a gap wider than that between its lines by this factor, or in another size."""
RUNNING_PAGES = 3
"""A line at the edge is a running one if it comes back on so many pages, on each or on every second one."""
TITLE_SHARE = 1.2
"""A title on the first page is set in type larger than that of the text by at least this factor."""
TITLE_LINES = 4
"""A title has no more lines."""
LANGUAGE_CHARS = 40
"""Longer than any tag of a language."""
LABEL_CHARS = 20
"""Longest number of a page: "xxxviii", "A-12"."""
MIN_TITLE_LETTERS = 3
"""What has fewer is a number or an ornament."""
LOOK_BACK = 8
"""How many paragraphs back an unfinished one is looked for: notes, a figure or a table stand between its halves."""
UNREADABLE_SHARE = 0.3
"""A page whose letters are this often none of Unicode cannot be read: its fonts do not say which letters they draw."""

_BULLET = re.compile(r"[•◦▪‣●]\s")
_LISTED = re.compile(r"[–—-]\s|\(?\d{1,3}[.)]\s")
"""What begins an item of a list, unless it goes on with a sentence: "in the years (1922-" "26) and"."""
_FILE_NAME = re.compile(
    r"^(?:microsoft (?:word|powerpoint|excel)|powerpoint|untitled|print|document\d*$|about:|https?:|file:|slide \d)"
    r"|^\S+[_\d]\S*$|\.(?:docx?|pptx?|xlsx?|indd|qxd|pdf|tex|dvi|pages|rtf|odt|html?|txt)$",
    re.IGNORECASE,
)
_NOBODY = re.compile(r"\(?(?:anonymous|unspecified)\)?", re.IGNORECASE)
"""What ReportLab writes for a title or an author that was not given."""
_PRINTED = re.compile(
    r"\s*(?:(?:page |p\. ?|[-–— ])*(?:\d{1,4}|[ivxlc]{1,6})(?:(?: of | ?/ ?)\d{1,4})?[-–— ]*"
    r"|\d{1,4}[/.]\d\d?[/.]\d{2,4}, \d\d?:\d\d.*|(?:https?|file):\S+(?: \d+/\d+)?)\s*",
    re.IGNORECASE,
)
"""A page number, or what browsers print at the edge: the clock with the title, the address."""
_TERMINAL = re.compile(r"[.!?…:。！？؟।][\"'”’»)\]」』]*$")
_DASHED = re.compile(r"[^\s–—/][–—/]\n\w|\w\n[–—]\w")
"""A line that ends at a dash without a space: "Polish–Lithuanian"."""
_LETTERS = re.compile(r"[^\W\d_]+")
LIGATURES = {0xFB00: "ff", 0xFB01: "fi", 0xFB02: "fl", 0xFB03: "ffi", 0xFB04: "ffl", 0xFB05: "st", 0xFB06: "st"}
_NO_LETTERS = re.compile("[\x00\ufffd\ue000-\uf8ff]")
_MAY_BE_RAISED = re.compile(r"[\d*†‡§¶#()‐-]")


@dataclass(slots=True)
class _Paragraph:
    """Lines that are put together, the page of each, the size of their type, whether the last is full, and the table
    they are of."""

    pieces: list[str]
    size: float
    pages: list[int]
    grid: tuple[tuple[str, ...], ...] = ()
    has_head: bool = False
    is_full: bool = False

    def add(self, text: str, page: int, *, is_own_line: bool = False) -> None:
        """A line more; a hyphen at the end of the one before is decided upon when the whole document is known."""
        before = self.pieces[-1]
        if is_own_line:
            text = "\n" + text
        elif before[-1:] == "\xad":
            self.pieces[-1] = before[:-1]
        elif before[-1:] in HYPHENS or (before[-1:] in "-‐" and before[-2:-1].isalnum()):
            self.pieces[-1] = before[:-1] + hyphen.BREAK
        elif not layout.is_unspaced(before[-1:], text[:1]) and not _DASHED.search(f"{before[-2:]}\n{text[:2]}"):
            text = " " + text
        self.pieces.append(text)
        self.pages.append(page)


def parse(content: bytes) -> Draft | tuple[Draft | ReadError, ...]:
    """The text of the pages, paragraph by paragraph; title and author from the properties.

    A title that the properties lack is the largest type on the first page. Pages without text are named beside
    the draft. Raises ReadError for what is no PDF, is damaged or encrypted, has too many pages, or has pictures
    of text only.
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


def _read(document: Any) -> Draft | tuple[Draft | ReadError, ...]:
    if len(document) > MAX_PAGES:
        raise ReadError(
            f"{len(document)} pages are over the limit of {MAX_PAGES}; split it: qpdf --split-pages={MAX_PAGES} OLD NEW"
        )
    pages, heights, filled, lost = [], [], [], []
    form.init(document)
    for number in range(len(document)):
        page = document[number]
        pieces = _pieces(page)
        letters = "".join(piece.text for piece in pieces)
        if not letters or len(_NO_LETTERS.findall(letters)) > UNREADABLE_SHARE * len(letters):
            pieces = []
        filled.append(list(form.entries(page, pieces, document)))
        if not pieces and not filled[-1]:
            lost.append(number + 1)
        pages.append(layout.rows(pieces))
        heights.append(page.get_height())
        page.close()
    if not any(pages) and not any(filled):
        raise ReadError("the PDF holds no text, only pictures of it; make it searchable first: ocrmypdf OLD NEW")
    pages = _without_running_rows(pages, heights)
    blocks = [
        [*layout.arrange([piece for row in rows for piece in row]), *map(_entry, entries)]
        for rows, entries in zip(pages, filled, strict=True)
    ]
    declared = language_tag(_language(document))
    paragraphs = _paragraphs(blocks)
    text = tidy(hyphen.mend(_NO_LETTERS.sub("", _joined(paragraphs)), language=declared))
    labels = page_labels(document)
    lines = [line for one in paragraphs for line in zip(one.pieces, one.pages, strict=True)]
    known = document.get_metadata_dict()
    draft = Draft(
        "",
        text,
        title=_title(one_line(known.get("Title")), blocks[0], text),
        author=None if _NOBODY.fullmatch(known.get("Author") or "") else byline(known.get("Author")),
        language=declared,
        places=placed(((line, labels[page - 1], page) for line, page in lines), text),
    )
    left_out = []
    if form.is_dynamic(document):
        left_out.append("an XFA form, which only some programs show; print it to a new PDF to have it read")
    if lost:
        left_out.append(
            f"no text on {_named(lost)} of {len(document)}, only pictures of it or nothing; if there are words on it, "
            "make them searchable first: ocrmypdf --skip-text OLD NEW"
        )
    return (draft, *map(LeftOut, left_out)) if left_out else draft


def _entry(text: str) -> Block:
    """A line that stands alone, as a row of a table does."""
    return Block((Line(text, 0.0, 0.0, 0.0, 1.0),), ((text,),))


def _named(numbers: Sequence[int]) -> str:
    """Numbers of pages in words: "pages 2-4 and 7"."""
    runs = []
    for _, run in groupby(enumerate(numbers), key=lambda item: item[1] - item[0]):
        found = [number for _, number in run]
        runs.append(str(found[0]) if len(found) == 1 else f"{found[0]}-{found[-1]}")
    listed = " and ".join([", ".join(runs[:-1]), runs[-1]]) if len(runs) > 1 else runs[0]
    return f"page{'s' if len(numbers) > 1 else ''} {listed}"


def _language(document: Any) -> str:
    """What the document declares, "" for nothing."""
    from pypdfium2 import raw

    if not hasattr(raw, "FPDFCatalog_GetLanguage"):  # before pypdfium2 5
        return ""
    units = raw.FPDFCatalog_GetLanguage(document, None, 0) // 2
    buffer = (ctypes.c_ushort * max(units, 1))()
    raw.FPDFCatalog_GetLanguage(document, buffer, 2 * units)
    return bytes(buffer).decode("utf-16-le", "ignore").rstrip("\0")[:LANGUAGE_CHARS]


def page_labels(document: Any) -> list[str]:
    """The number of each page as the file says that it is printed on it, or else as the pages are counted."""
    numbers = [one_line(document.get_page_label(page)) or "" for page in range(len(document))]
    return [label[:LABEL_CHARS] or str(number) for number, label in enumerate(numbers, start=1)]


def _pieces(page: Any) -> list[Line]:
    """Pieces of the lines of a page; what most of it is turned against follows at the end, upright."""
    textpage = page.get_textpage()
    try:
        turned: defaultdict[int, list[Word]] = defaultdict(list)
        for quarters, word in _words(textpage):
            turned[quarters].append(word)
    finally:
        textpage.close()
    pieces: list[Line] = []
    for words in sorted(turned.values(), key=len, reverse=True):
        found = layout.segments(words)
        if pieces:
            below = min(piece.base for piece in pieces) - max(line.base for line in found)
            found = [replace(line, base=line.base + below - 3 * line.size) for line in found]
        pieces += found
    return pieces


def _words(textpage: Any) -> Iterator[tuple[int, Word]]:
    """The words of a page in the order of the file, each with the quarter turns of its letters."""
    from pypdfium2 import raw

    page = textpage.raw
    letters = [_letter(raw.FPDFText_GetUnicode(page, index)) for index in range(textpage.count_chars())]
    box, x, y = raw.FS_RECTF(), ctypes.c_double(), ctypes.c_double()

    def place(index: int) -> tuple[float, float, float, float]:
        """Left, right, baseline and size of a letter in points, on the page turned so that it stands upright."""
        raw.FPDFText_GetLooseCharBox(page, index, ctypes.byref(box))
        raw.FPDFText_GetCharOrigin(page, index, ctypes.byref(x), ctypes.byref(y))
        size = abs(box.right - box.left if quarters % 2 else box.top - box.bottom)
        size = size or raw.FPDFText_GetFontSize(page, index) or 1.0
        if quarters == 1:
            return box.bottom, box.top, -x.value, size
        if quarters == 2:
            return -box.right, -box.left, -y.value, size
        if quarters == 3:
            return -box.top, -box.bottom, x.value, size
        return box.left, box.right, y.value, size

    quarters, before = 0, 0
    for first, end in _spans(letters):
        begins_run = first == 0 or "\n" in letters[before:first]
        before = end
        if begins_run:
            quarters = round(max(0.0, raw.FPDFText_GetCharAngle(page, first)) / (math.pi / 2)) % 4
        places = {index: place(index) for index in {first, end - 1}}
        cuts = [first]
        if _MAY_BE_RAISED.search("".join(letters[first + 1 : end])):
            places = {index: place(index) for index in range(first, end)}
            cuts += [
                index
                for index in range(first + 1, end)
                if abs(places[index][2] - places[index - 1][2]) > layout.RAISED_EM * places[first][3]
            ]
        for start, stop in pairwise([*cuts, end]):
            (left, right, base, size), last = places[start], places.get(stop - 1, places[start])
            weight = max(0.0, float(raw.FPDFText_GetFontWeight(page, start)))
            text = "".join(letters[start:stop])
            if stop - start > 1 and layout.is_rtl(text) and left < place(start + 1)[0]:
                # PDFium gives the letters of some of these words from left to right, but not what closes them.
                text = _LETTERS.sub(lambda found: found[0][::-1], text, count=1)
            yield quarters, Word(text, min(left, last[0]), max(right, last[1]), base, size, weight, begins_run)
            begins_run = False


def _letter(code: int) -> str:
    if not 0 < code < 0x110000 or 0xD800 <= code < 0xE000:
        return "\ufffd"
    return LIGATURES.get(code) or ("\ufffe" if code == 2 else chr(code))


def _spans(letters: Sequence[str]) -> Iterator[tuple[int, int]]:
    """[first, end) of what stands between white space, and of each side of a hyphen that breaks a word."""
    first = None
    for index, letter in enumerate(letters):
        if letter.isspace():
            if first is not None:
                yield first, index
            first = None
        elif first is None:
            first = index
        if letter in HYPHENS and first is not None:
            yield first, index + 1
            first = None
    if first is not None:
        yield first, len(letters)


def _without_running_rows(pages: Sequence[list[list[Line]]], heights: Sequence[float]) -> list[list[list[Line]]]:
    """The pages without what stands at the edge of several pages, numbers aside, and without page numbers.

    A row of a table may come back as well, with other numbers or as its head; it stands among others like it.
    """
    seen: defaultdict[str, list[int]] = defaultdict(list)
    for number, (rows, height) in enumerate(zip(pages, heights, strict=True)):
        marks = Counter(map(_mark, rows))
        for mark in {_mark(row) for row in rows if _at_edge(row, height)}:
            if marks[mark] == 1:
                seen[mark].append(number)
    running = {mark for mark, numbers in seen.items() if _comes_back(numbers)}
    kept = []
    for rows, height in zip(pages, heights, strict=True):
        gone = [
            _at_edge(row, height) and (_mark(row) in running or bool(_PRINTED.fullmatch(layout.row_line(row).text)))
            for row in rows
        ]
        gaps = [above[0].base - below[0].base for above, below in pairwise(rows)]
        inner = [gap for gap, above, below in zip(gaps, gone, gone[1:], strict=False) if not above and not below]
        usual = median(inner) if inner else 0.0
        is_apart = [
            gap > APART_SHARE * usual
            or abs(above[0].size - below[0].size) > SIZE_SHARE * max(above[0].size, below[0].size)
            for gap, (above, below) in zip(gaps, pairwise(rows), strict=True)
        ]
        first, end = 0, len(rows)
        while first < len(rows) and gone[first]:
            first += 1
        while 0 < first < len(rows) and not is_apart[first - 1]:
            first -= 1
        while end > first and gone[end - 1]:
            end -= 1
        while first < end < len(rows) and not is_apart[end - 1]:
            end += 1
        kept.append(rows[first:end])
    return kept


def _comes_back(numbers: Sequence[int]) -> bool:
    """Whether RUNNING_PAGES of the pages follow each other, or every second does."""
    length = 1
    for before, number in pairwise(numbers):
        length = length + 1 if number - before <= 2 else 1
        if length >= RUNNING_PAGES:
            return True
    return False


def _at_edge(row: Sequence[Line], height: float) -> bool:
    return not EDGE_SHARE * height < row[0].base < (1 - EDGE_SHARE) * height


def _mark(row: Sequence[Line]) -> str:
    return re.sub(r"\d+", "0", layout.row_line(row).text.strip().casefold())


def _paragraphs(pages: Sequence[Sequence[Block]]) -> list[_Paragraph]:
    found: list[_Paragraph] = []
    for page, blocks in enumerate(pages, start=1):
        is_new_page = True
        for block in blocks:
            if block.grid:
                found += _table_rows(block, found[-1] if is_new_page and found else None, page)
            else:
                _add_lines(found, block.lines, page)
            is_new_page = False
    return found


def _table_rows(table: Block, before: _Paragraph | None, page: int) -> list[_Paragraph]:
    """A table's rows; at the head of a page one with as many columns as the last goes on with it, under its heads."""
    grid, with_head = table.grid, table.has_head
    if before is not None and before.grid and len(before.grid[0]) == len(grid[0]) and before.has_head:
        grid = grid if grid[0] == before.grid[0] else (before.grid[0], *grid)
        with_head = True
    size = table.lines[-1].size
    return [_Paragraph([row], size, [page], grid, with_head) for row in rows_as_text(grid, has_head=with_head)]


def _add_lines(found: list[_Paragraph], lines: Sequence[Line], page: int) -> None:
    """Add a block's lines: to the last paragraph, to an unfinished one before it, or as new ones."""
    leading, width, edges = _leading(lines), _width(lines), _edges(lines)
    before: Line | None = None
    current: _Paragraph | None = None
    for line in lines:
        goes_on = None
        if before is None:
            goes_on = next((one for one in reversed(found[-LOOK_BACK:]) if _goes_on(one, line)), None)
        elif not _begins_paragraph(before, line, leading, width):
            goes_on = current
        if goes_on is None:
            goes_on = _Paragraph([line.text], line.size, [page])
            found.append(goes_on)
        else:
            goes_on.add(line.text, page, is_own_line=before is not None and _has_room(before, line, edges))
        goes_on.is_full = line.right - line.left > SHORT_SHARE * width
        before, current = line, goes_on


def _goes_on(paragraph: _Paragraph, line: Line) -> bool:
    """Whether the first line of a page or column goes on with a paragraph: in the same type, within a sentence."""
    if paragraph.grid or abs(line.size - paragraph.size) > SIZE_SHARE * paragraph.size or _BULLET.match(line.text):
        return False
    if _LISTED.match(line.text) and not paragraph.is_full:
        return False
    text = paragraph.pieces[-1].rstrip()
    if _TERMINAL.search(text):
        return False
    return line.text[:1].islower() or text[-1:] in HYPHENS + ",-‐" or (paragraph.is_full and len(paragraph.pieces) > 1)


def _joined(paragraphs: Iterable[_Paragraph]) -> str:
    return "\n\n".join("".join(paragraph.pieces) for paragraph in paragraphs)


def _leading(lines: Sequence[Line]) -> float:
    """The usual distance between two lines."""
    gaps = [above.base - below.base for above, below in pairwise(lines)]
    usual = [gap for gap, line in zip(gaps, lines, strict=False) if 0.5 * line.size < gap < 3 * line.size]
    return median(usual) if usual else 14.0


def _width(lines: Sequence[Line]) -> float:
    """How wide the widest lines are, but for a few."""
    widths = sorted(line.right - line.left for line in lines)
    return widths[int(len(widths) * 0.9)]


def _edges(lines: Sequence[Line]) -> dict[int, float]:
    """How far to the right lines of each size of type go, but for a few."""
    ends: defaultdict[int, list[float]] = defaultdict(list)
    for line in lines:
        ends[round(line.size)].append(line.right)
    return {size: sorted(rights)[int(len(rights) * 0.9)] for size, rights in ends.items()}


def _has_room(before: Line, line: Line, edges: Mapping[int, float]) -> bool:
    """Whether the first word of `line` would have fitted at the end of the line before, which then ended on purpose."""
    if (
        before.text[-1] in HYPHENS + "-‐"
        or layout.is_rtl(line.text)
        or layout.is_unspaced(before.text[-1], line.text[0])
    ):
        return False
    letter = (before.right - before.left) / len(before.text)
    needed = (len(line.text.split(maxsplit=1)[0]) + 2) * letter
    return before.right + needed < edges[round(before.size)]


def _begins_paragraph(before: Line, line: Line, leading: float, width: float) -> bool:
    if abs(line.size - before.size) > SIZE_SHARE * before.size or _BULLET.match(line.text):
        return True
    if _LISTED.match(line.text) and (_TERMINAL.search(before.text) or before.right - before.left < SHORT_SHARE * width):
        return True
    if before.base - line.base > GAP_SHARE * leading:
        return True
    is_short = before.right - before.left < SHORT_SHARE * width
    is_indented = 0.8 * line.size < line.left - before.left < 6 * line.size
    return bool(_TERMINAL.search(before.text.rstrip())) and (is_short or is_indented)


def _title(known: str | None, blocks: Sequence[Block], text: str) -> str | None:
    """The title of the properties, unless it is a file's name or has no word of the page under a clear title on it."""
    largest = _largest(blocks)
    if known is not None and not _FILE_NAME.search(known) and not _NOBODY.fullmatch(known):
        words = {word.casefold() for word in re.findall(r"\w{2,}", known)}
        shown = {
            word.casefold() for block in blocks for line in block.lines for word in re.findall(r"\w{2,}", line.text)
        }
        if largest is None or words & shown or not shown:
            return known
    return largest or headline(text)


def _largest(blocks: Sequence[Block]) -> str | None:
    """The largest type of a page, if it is a few lines together, and clearly larger than the text."""
    lines = [line for block in blocks for line in (() if block.grid else block.lines)]
    if len(lines) < 2:
        return None
    usual = median(line.size for line in lines for _ in line.text)
    for size in sorted({line.size for line in lines if line.size > TITLE_SHARE * usual}, reverse=True):
        first = next(i for i, line in enumerate(lines) if line.size == size)
        end = first
        while end < len(lines) and abs(lines[end].size - size) < SIZE_SHARE * size:
            end += 1
        paragraph = _Paragraph([lines[first].text], size, [1])
        for line in lines[first + 1 : end]:
            paragraph.add(line.text, 1)
        title = one_line(hyphen.mend(_joined([paragraph])))
        if title and end - first <= TITLE_LINES and sum(map(str.isalpha, title)) >= MIN_TITLE_LETTERS:
            return title
    return None
