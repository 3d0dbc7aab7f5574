"""Layout: words with their places on a page → blocks of lines in the order in which a reader takes them.

    arrange     the words of a page → its blocks: runs of lines, and tables
    segments    words → pieces of lines, with raised and lowered type put where it belongs
    rows        pieces of lines → what stands side by side

A gutter is a strip without ink that runs down several rows. With prose on both sides of it the page has columns, which
are read one after the other; otherwise it has a table, whose rows are read. Knows no PDF library.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from statistics import median, median_low
from typing import TYPE_CHECKING

from index.read.table import headed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

GUTTER_EM = 0.7
"""Narrowest gutter, in heights of the line, which are 1.1 to 1.4 sizes of the type. A space between words is 0.2 wide,
in justified lines up to about 0.5; browsers leave 0.8 between columns, typesetters 1 to 2."""
NARROW_EM, NARROW_SHARE, NARROW_PT = 0.35, 0.8, 1.0
"""A gutter as narrow as this parts the columns of a table if so many of the cells behind it begin at one place, to the
point; spaces between words that stand below each other do not."""
PIECE_EM = 0.33
"""A gap as wide as this parts a line into pieces; what stands in one column is put together again."""
STRETCHED_SHARE = 1.4
"""… but in a line that the file draws in one go, it is wider than the line's other gaps by this factor too,"""
SPACE_EM = 1.2
"""… unless it is so wide that no justified line has it."""
INITIAL_SHARE = 1.6
"""An initial that stands beside several lines is larger than these by at least this factor."""
SAME_LINE_EM = 0.45
"""Type whose baselines differ by less stands on one line; a raised mark is raised by a third."""
SMALL_SHARE = 0.85
"""Raised and lowered type is at most this size of the type it belongs to; most programs take 0.58 to 0.83."""
RAISED_EM = 0.15
"""… and raised or lowered by at least this."""
BOLDER = 50.0
"""A bold font's weight is greater than that of the other by more than this, as PDFium estimates both."""
GLUED_EM = 0.25
"""… and no further from it than this."""
TOUCHING_EM = 0.12
"""What is no further apart is one word, where one of the two is raised or lowered or PDFium takes the letters of a line
for a column."""
JUSTIFIED_EM = 0.15
"""How far the ends of justified lines are apart at most."""
FILLED_SHARE = 0.7
"""Half of the lines of prose fill at least this share of the width of their column."""
WRAPPED_SHARE = 0.3
"""Of the lines of prose in a column at least this share begins in lower case: 0.8 in English, 0.5 in German."""
HEADING_SHARE = 1.15
"""A heading that stands across columns is set in type larger than that of the text by at least this factor."""
PROSE_CHARS = 12
"""… and they have at least so many characters on average, fewer than the narrowest column of a newspaper."""
ROW_GAP_SHARE = 1.25
"""Rows of a table with lines of several cells are further apart than these lines by this factor."""

HYPHENS = "\ufffe\xad"
"""What stands for a hyphen that breaks a word at a line's end: PDFium's sign, and the soft hyphen."""

_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uff60]")
_MARK_ALONE = re.compile(r"(?:[•◦▪‣●*–—-]|\(?[\w]{1,4}[.)]|\d{1,3})")
_RAISED_MARK = re.compile(r"[\d,;–-]+|[*†‡§¶#]+|\(\d+\)|\[\d+(?:[,–-]\d+)*\]")
_UNIT_BEFORE = re.compile(r"\d[\d.,]*[\s\u00a0]?[a-zµ]{1,3}$|(?:^|[\s/])[a-zµ]{1,3}$")
_POWER_BEFORE = re.compile(r"(?:^|[^\d.,])10$")
_RAISED = str.maketrans("0123456789+-–−", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁻")


@dataclass(frozen=True, slots=True)
class Word:
    """Letters without a space: left and right end, baseline and size of the type in points; `y` grows upwards."""

    text: str
    left: float
    right: float
    base: float
    size: float
    weight: float = 0.0
    begins_run: bool = False
    """Whether the file, or the library that reads it, parts it from the word before."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of type, or a piece of one; `weight` is that of its lightest letters, 0 if unknown."""

    text: str
    left: float
    right: float
    base: float
    size: float
    weight: float = 0.0


@dataclass(frozen=True, slots=True)
class Block:
    """Lines that follow each other, or the rows of a table with whether the first is its heads."""

    lines: tuple[Line, ...]
    grid: tuple[tuple[str, ...], ...] = ()
    has_head: bool = False


def segments(words: Sequence[Word]) -> list[Line]:
    """Pieces of lines, in the order of `words`: what stands on one line without a gap that may be a gutter's."""
    pieces: list[list[Word]] = []
    for run in _runs(words):
        gaps = sorted(_gap(before, word) for before, word in pairwise(run))
        usual = gaps[len(gaps) // 4] if len(gaps) > 2 else 0.0
        for word in run:
            before = pieces[-1][-1] if pieces else None
            size = word.size if before is None else max(before.size, word.size)
            widest = (
                PIECE_EM * size
                if word.begins_run
                else max(PIECE_EM * size, min(STRETCHED_SHARE * usual, SPACE_EM * size))
            )
            if before is None or abs(before.base - word.base) > SAME_LINE_EM * size or _gap(before, word) > widest:
                pieces.append([word])
            else:
                pieces[-1].append(word)
    return _with_initials([_line(piece) for piece in pieces])


def _runs(words: Sequence[Word]) -> Iterator[Sequence[Word]]:
    first = 0
    for index, word in enumerate(words):
        if word.begins_run and index > first:
            yield words[first:index]
            first = index
    yield words[first:]


def _with_initials(pieces: list[Line]) -> list[Line]:
    """The pieces with each large initial joined to the line that its top stands beside."""
    for initial in [piece for piece in pieces if len(piece.text) == 1 and piece.text.isupper()]:
        beside = [
            piece
            for piece in pieces
            if piece.size * INITIAL_SHARE < initial.size
            and -0.1 * initial.size < piece.left - initial.right < 0.5 * initial.size
            and -0.2 * initial.size < piece.base - initial.base < initial.size
        ]
        if beside:
            top = max(beside, key=lambda piece: piece.base)
            is_word = top.text[0].islower() or top.text[:2].isupper()
            joined = replace(top, text=initial.text + ("" if is_word else " ") + top.text, left=initial.left)
            pieces = [joined if piece is top else piece for piece in pieces if piece is not initial]
    return pieces


def rows(pieces: Iterable[Line]) -> list[list[Line]]:
    """What stands side by side, from the top; each row from left to right."""
    found: list[list[Line]] = []
    for piece in sorted(pieces, key=lambda piece: -piece.base):
        if found and _on_one_line(found[-1][0], piece):
            found[-1].append(piece)
        else:
            found.append([piece])
    return [sorted(row, key=lambda piece: piece.left) for row in found]


def row_line(row: Sequence[Line]) -> Line:
    """A row as one line."""
    ordered = list(reversed(row)) if sum(is_rtl(piece.text) for piece in row) * 2 > len(row) else row
    text = ordered[0].text
    for piece in ordered[1:]:
        text += ("" if text[-1] in HYPHENS else " ") + piece.text
    return _spanning(text, row, max(row, key=lambda piece: (len(piece.text), piece.size)))


def arrange(pieces: Sequence[Line]) -> list[Block]:
    """The blocks of a page, from pieces of lines, in reading order."""
    if not pieces:
        return []
    size = median(piece.size for piece in pieces)
    blocks: list[Block] = []
    waiting: list[Block | list[list[Line]]] = [rows(pieces)]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Block):
            blocks.append(part)
            continue
        heading = _heading_across(part, size)
        if heading is not None:
            waiting += [part[heading + 1 :], Block((row_line(part[heading]),)), part[:heading]]
            continue
        band = _band(part, size) if len(part) > 1 else None
        if band is None:
            blocks += [Block(tuple(map(row_line, part)))] if part else []
            continue
        first, end, at = band
        left, right = _sides(part[first:end], at)
        waiting.append(part[end:])
        if (_is_prose(left) or _is_prose(right)) and not _shares_rows(left, right):
            waiting += [left, right] if is_rtl(row_line(right[0]).text) else [right, left]
        else:
            waiting += reversed(_table(part[first:end]))
        waiting.append(part[:first])
    return blocks


def _heading_across(page: Sequence[Sequence[Line]], size: float) -> int | None:
    """The row of a short heading that parts columns above it from columns below it: alone in a strip of the page."""
    for number in range(1, len(page) - 1):
        row = page[number]
        above, below = page[number - 1], page[number + 1]
        if (
            min(piece.size for piece in row) > HEADING_SHARE * size
            and max(len(above), len(below)) > 1
            and above[0].base - row[0].base > row[0].size
            and row[0].base - below[0].base > row[0].size
        ):
            return number
    return None


def _gap(before: Word, word: Word) -> float:
    return max(word.left - before.right, before.left - word.right)


def _on_one_line(line: Line, piece: Line) -> bool:
    return abs(line.base - piece.base) < SAME_LINE_EM * max(line.size, piece.size)


def _line(words: Sequence[Word]) -> Line:
    """Words on one line: marks of footnotes go, exponents stay raised, what touches stays one word."""
    size = median_low(word.size for word in words for _ in word.text)
    full = max((word for word in words if word.size == size), key=lambda word: len(word.text))
    text, before = "", None
    for word in words:
        is_small = word.size <= SMALL_SHARE * full.size and before is not None
        shift = word.base - full.base
        gap = 0.0 if before is None else _gap(before, word)
        if is_small and shift > RAISED_EM * full.size and gap < GLUED_EM * full.size:
            if not _RAISED_MARK.fullmatch(word.text):
                text += word.text
            elif _POWER_BEFORE.search(text) or (word.text in ("2", "3") and _UNIT_BEFORE.search(text)):
                text += word.text.translate(_RAISED)
        elif (
            before is not None
            and gap < TOUCHING_EM * full.size
            and (is_small or before.size <= SMALL_SHARE * full.size or word.begins_run)
        ):
            text += word.text
        else:
            text += ("" if not text or text[-1] in HYPHENS or is_unspaced(text[-1], word.text[0]) else " ") + word.text
        before = word
    return _spanning(text, words, full)


def _spanning(text: str, pieces: Sequence[Word | Line], main: Word | Line) -> Line:
    """A line as wide as its pieces, on the baseline and in the size of the main one."""
    left, right = min(piece.left for piece in pieces), max(piece.right for piece in pieces)
    return Line(text, left, right, main.base, main.size, min(piece.weight for piece in pieces))


def _band(page: Sequence[Sequence[Line]], size: float) -> tuple[int, int, float] | None:
    """The rows [first, end) with the most lines on both sides of a gutter, and where that is."""
    best: tuple[int, int, float] | None = None
    best_score = 1
    seen: set[tuple[int, int]] = set()
    for number, row in enumerate(page):
        nearby = [*row, *(page[number + 1] if number + 1 < len(page) else ())]
        for start, stop in _free(row) + _free(nearby):
            half = min(stop - start, GUTTER_EM * size) / 2
            # The strip is kept close to what follows it: that is where cells and columns begin alike.
            at = stop - half
            key = round(at / (NARROW_EM * size))
            if half < NARROW_EM * size / 2 or (key, number) in seen:
                continue
            first, end = number, number + 1
            while first > 0 and _is_free(page[first - 1], at, NARROW_EM * size / 2):
                first -= 1
            while end < len(page) and _is_free(page[end], at, NARROW_EM * size / 2):
                end += 1
            seen.update((key, inside) for inside in range(first, end))
            if _is_justified(page, first, end, size):
                continue
            score = _score(page[first:end], at, size)
            if score > best_score:
                best, best_score = (first, end, at), score
    return best


def _is_justified(page: Sequence[Sequence[Line]], first: int, end: int, size: float) -> bool:
    """Whether the rows [first, end) are lines of a justified column with wide spaces: between its edges, as a full line
    right above or below them is. A table stands apart from the text, or is not as wide to the point."""
    rows = page[first:end]
    left, right = min(row[0].left for row in rows), max(piece.right for row in rows for piece in row)

    def fills(row: Sequence[Line]) -> bool:
        ends = abs(row[0].left - left), abs(max(piece.right for piece in row) - right)
        return max(ends) < JUSTIFIED_EM * size

    if not all(map(fills, rows)):
        return False
    gaps = [above[0].base - below[0].base for above, below in pairwise(page[max(first - 1, 0) : end + 1])]
    beside = [(page[at], gap) for at, gap in ((first - 1, gaps[0]), (end, gaps[-1])) if 0 <= at < len(page)]
    return any(fills(row) and gap < ROW_GAP_SHARE * min(gaps) for row, gap in beside)


def _free(pieces: Sequence[Line]) -> list[tuple[float, float]]:
    """The gaps between pieces, from left to right."""
    ordered = sorted(pieces, key=lambda piece: piece.left)
    rights = accumulate((piece.right for piece in ordered), max)
    return [(right, piece.left) for right, piece in zip(rights, ordered[1:], strict=False) if piece.left > right]


def _is_free(row: Sequence[Line], at: float, half: float) -> bool:
    return all(piece.right <= at - half or piece.left >= at + half for piece in row)


def _score(band: Sequence[Sequence[Line]], at: float, size: float) -> int:
    """How many lines stand on the side with fewer; 0 for what is no gutter.

    The lines after a gutter begin, or end, at one place, or they are centered; gaps between words of justified lines
    that happen to stand below each other are not. What stands before it is more than bullets and numbers.
    """
    left, right = _sides(band, at)
    if min(len(left), len(right)) < 2 or all(_MARK_ALONE.fullmatch(row_line(row).text) for row in left):
        return 0
    width = min(row[0].left for row in right) - max(row[-1].right for row in left)
    starts = [row[0].left for row in right]
    if width < GUTTER_EM * size:
        alike = max(sum(abs(start - other) < NARROW_PT for start in starts) for other in starts)
        return min(len(left), len(right)) if len(right) > 2 and alike >= NARROW_SHARE * len(right) else 0
    for side in (left, right):
        ends = [(row[0].left, max(piece.right for piece in row)) for row in side]
        edges = ([left for left, _ in ends], [right for _, right in ends], [left + right for left, right in ends])
        if not any(_agree(edge, size) for edge in edges):
            return 0
    return min(len(left), len(right))


def _agree(places: Sequence[float], size: float) -> bool:
    usual = median(places)
    return sum(abs(place - usual) < 0.5 * size for place in places) >= 0.6 * len(places)


def _sides(band: Sequence[Sequence[Line]], at: float) -> tuple[list[list[Line]], list[list[Line]]]:
    left = [[piece for piece in row if piece.right <= at] for row in band]
    right = [[piece for piece in row if piece.right > at] for row in band]
    return [row for row in left if row], [row for row in right if row]


def _is_prose(side: Sequence[Sequence[Line]]) -> bool:
    """Whether the lines of a column are wrapped prose: filled to its width, going on in lower case or after hyphens."""
    lines = [row_line(row) for row in side]
    if len(lines) < 3 or sum(len(line.text) for line in lines) < PROSE_CHARS * len(lines):
        return False
    width = max(line.right - line.left for line in lines)
    if sum(line.right - line.left > FILLED_SHARE * width for line in lines) * 2 < len(lines):
        return False
    openings = [line.text[0] for line in lines[1:]]
    caseless = sum(opening.isalpha() and opening.lower() == opening.upper() for opening in openings)
    # What follows a hyphen goes on as well: in German every other word of a narrow column has a capital.
    lower = sum(line.text[0].islower() or above.text[-1] in f"{HYPHENS}-‐" for above, line in pairwise(lines))
    return max(lower, caseless) >= WRAPPED_SHARE * len(openings)


def _shares_rows(left: Sequence[Sequence[Line]], right: Sequence[Sequence[Line]]) -> bool:
    """Whether what begins after a gap begins on both sides at once, as the rows of a table do."""
    gaps = [sorted(above[0].base - below[0].base for above, below in pairwise(side)) for side in (left, right)]
    leading = min(some[len(some) // 4] for some in gaps)
    starts = [_starts(side, leading) for side in (left, right)]
    size = left[0][0].size
    shared = sum(any(abs(one - other) < SAME_LINE_EM * size for other in starts[1]) for one in starts[0])
    return shared >= 2 and shared >= 0.8 * max(map(len, starts))


def _starts(side: Sequence[Sequence[Line]], leading: float) -> list[float]:
    """The baselines of the first line and of those that follow a gap wider than `leading`."""
    bases = [row[0].base for row in side]
    return bases[:1] + [below for above, below in pairwise(bases) if above - below > ROW_GAP_SHARE * leading]


def _table(band: Sequence[Sequence[Line]]) -> list[Block]:
    """The table in rows with a gutter, and the lines before and after it; lines alone if it is none."""
    first = next((i for i, row in enumerate(band) if len(row) > 1), len(band))
    end = len(band) - next((i for i, row in enumerate(reversed(band)) if len(row) > 1), 0)
    inner = band[first:end]
    counts = Counter(len(row) for row in inner if len(row) > 1)
    if counts.total() < 2:
        return [Block(tuple(map(row_line, band)))]
    most = max(counts, key=lambda count: (counts[count] * count, count))
    columns: list[tuple[float, float]] = []
    for left, right in sorted((piece.left, piece.right) for row in inner if len(row) == most for piece in row):
        if columns and left < columns[-1][1]:
            columns[-1] = (columns[-1][0], max(right, columns[-1][1]))
        else:
            columns.append((left, right))
    full = [row for row in inner if len(row) == most]
    if len(columns) > most:  # heads are centered above cells that are not
        columns = [
            (min(piece.left for piece in cells), max(piece.right for piece in cells))
            for cells in zip(*full, strict=True)
        ]
    while end < len(band) and len(columns) > 1 and band[end][0].left >= columns[1][0] - band[end][0].size:
        end += 1  # the last row goes on below itself
    grid: list[list[str]] = []
    lines: list[Line] = []
    for row in band[first:end]:
        cells = [""] * len(columns)
        spanning = [] if any(all(above) for above in grid) else _spanning_heads(row, columns)
        for number, piece in enumerate(spanning or row):
            if spanning:
                cells[number] = piece.text
                continue
            column = (
                number
                if len(row) == len(columns)
                else max(range(len(columns)), key=lambda column: _overlap(columns[column], piece))
            )
            cells[column] = f"{cells[column]} {piece.text}".strip()
        grid.append(cells)
        lines.append(row_line(row))
    joined, starts = _joined(grid, lines)
    others = [lines[start].weight for start in starts[1:]]
    is_bold = bool(others) and lines[0].weight > median(others) + BOLDER
    titles, heads, rest = headed(joined)
    if not heads and is_bold and len(set(joined[0])) == len(columns):
        titles, heads, rest = [], joined[0], joined[1:]
    cut = starts[len(titles)]
    table = Block(tuple(lines[cut:]), tuple(map(tuple, [heads, *rest] if heads else rest)), bool(heads))
    around = (band[:first], band[first : first + cut], band[end:])
    above, title, after = (Block(tuple(map(row_line, some))) for some in around)
    return [block for block in (above, title, table, after) if block.lines]


def _spanning_heads(row: Sequence[Line], columns: Sequence[tuple[float, float]]) -> list[Line]:
    """A row of heads that each stand over the same number of columns, once for each of these; [] for another row."""
    corner = [piece for piece in row if piece.left < columns[0][1]]
    over = row[len(corner) :]
    each = (len(columns) - 1) // len(over) if over else 0
    if len(corner) > 1 or each < 2 or each * len(over) != len(columns) - 1:
        return []
    for number, piece in enumerate(over):
        left, right = columns[1 + number * each][0], columns[(number + 1) * each][1]
        is_centered = abs(piece.left + piece.right - left - right) < 2 * piece.size
        if not is_centered and abs(piece.left - left) > NARROW_PT:
            return []
    first = corner[0] if corner else replace(row[0], text="")
    return [first, *(piece for piece in over for _ in range(each))]


def _overlap(column: tuple[float, float], piece: Line) -> tuple[float, float]:
    """How much of a piece stands in a column; of two that it does not touch, the nearer is more."""
    shared = min(column[1], piece.right) - max(column[0], piece.left)
    return shared, -abs(column[0] + column[1] - piece.left - piece.right)


def _joined(grid: Sequence[Sequence[str]], lines: Sequence[Line]) -> tuple[list[list[str]], list[int]]:
    """The rows of a table whose cells have several lines, and the number of the first line of each.

    Lines of one row stand closer than rows do; where all distances are alike, a line without a first cell goes on.
    No line that fills every column goes on with one that does too.
    """
    gaps = [above.base - below.base for above, below in pairwise(lines)]
    narrow, wide = min(gaps, default=0.0), max(gaps, default=0.0)
    joined: list[list[str]] = []
    starts: list[int] = []
    for number, cells in enumerate(grid):
        is_close = number > 0 and gaps[number - 1] < ROW_GAP_SHARE * narrow
        is_open = not all(cells)
        goes_on = is_close and is_open and (wide > ROW_GAP_SHARE * narrow or not cells[0])
        if goes_on and joined:
            joined[-1] = [f"{old} {new}".strip() for old, new in zip(joined[-1], cells, strict=True)]
        else:
            joined.append(list(cells))
            starts.append(number)
    return joined, starts


def is_unspaced(before: str, after: str) -> bool:
    """Whether two letters are of scripts that put no space between words: Han, Kana, Thai, Lao, Khmer, Burmese."""
    return bool(_UNSPACED.match(before) and _UNSPACED.match(after))


def is_rtl(text: str) -> bool:
    """Whether most letters with a direction are Arabic, Hebrew or others written from the right."""
    directions = [unicodedata.bidirectional(letter) for letter in text[:80]]
    return sum(one in ("R", "AL") for one in directions) > directions.count("L")
