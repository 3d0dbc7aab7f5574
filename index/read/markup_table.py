"""Markup table: a table of a page → lines of its rows, if it is one of data. Knows no articles or files.

Many tables only lay out the page: their cells are blocks of prose, and are read as such (index/read/markup.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from index.read import table

if TYPE_CHECKING:
    from collections.abc import Callable

CELL_CHARS = 300
"""A longer cell is prose. Cells of data tables of news pages and Wikipedia are shorter."""
SPAN_MOST = 100
"""Wider spans fill a table that nobody can read; browsers stop at 1,000."""
# "row", "cell", and the role "head" of a cell, are trafilatura's words for tr, td and th.
_ROWS = frozenset(("tr", "row"))
_CELLS = frozenset(("td", "th", "cell"))
_PROSE = (
    ".//*[self::h1 or self::h2 or self::h3 or self::h4 or self::article or self::section or self::form or self::table]"
)


def lines_of(element: Any, text_of: Callable[[Any], str]) -> list[str] | None:
    """The lines of a data table, each with the heads of its columns; None for a table that lays out a page.

    `text_of` gives the text of a cell. A cell that spans several rows or columns is in each of them.
    """
    if element.get("role") in ("presentation", "none"):  # WAI-ARIA: it only lays out
        return None
    caption = next((" ".join(text_of(one).split()) for one in element.iterchildren("caption")), "")
    rows = [row for row in element.iter(*_ROWS) if next(row.iterancestors("table"), None) is element]
    if len(rows) < 2 or element.xpath(_PROSE):
        return None
    cells = [[cell for cell in row if cell.tag in _CELLS] for row in rows]
    if max(map(len, cells)) < 2:
        return None
    texts = [[" ".join(text_of(cell).split()) for cell in row] for row in cells]
    if any(len(text) > CELL_CHARS for row in texts for text in row):
        return None
    if all(map(_is_named_value, cells)):
        lines = [": ".join(filter(None, (row[0].rstrip(": "), *row[1:]))) for row in texts if any(row)]
        return [caption, *lines] if caption else lines
    titles, heads, below = table.headed(_filled(cells, texts), marked=_head_rows(rows, cells))
    if not heads:
        # Without heads, a text that stands in several columns need not be read several times.
        below = _filled(cells, texts, is_once=True)[len(titles) :]
    lines = [*titles, *table.rows_as_text([heads, *below] if heads else below, has_head=bool(heads))]
    return [caption, *lines] if caption else lines


def _is_named_value(row: list[Any]) -> bool:
    """Whether a row is a value with its name before it, or a heading over such rows."""
    return len(row) == 1 or (len(row) == 2 and _is_head(row[0]) and not _is_head(row[1]))


def _head_rows(rows: list[Any], cells: list[list[Any]]) -> int:
    """How many rows at the top are marked as titles or heads of the columns."""
    count = 0
    for row, its in zip(rows, cells, strict=True):
        parent = row.getparent()
        if not its or not (parent.tag == "thead" or all(_is_head(cell) or not _has_text(cell) for cell in its)):
            break
        if not any(map(_has_text, its)):
            break
        count += 1
    return count if count < len(rows) else 0


def _is_head(cell: Any) -> bool:
    """Whether a cell is marked as a head, or all its words are bold."""
    if cell.tag == "th" or cell.get("role") in ("head", "columnheader"):
        return True
    bold = next(cell.iter("b", "strong"), None)
    return bold is not None and _has_text(bold) and "".join(bold.itertext()).strip() == "".join(cell.itertext()).strip()


def _has_text(cell: Any) -> bool:
    return bool("".join(cell.itertext()).strip())


def _filled(cells: list[list[Any]], texts: list[list[str]], *, is_once: bool = False) -> list[list[str]]:
    """The texts in the columns where they stand, those of spanning cells in each, or with `is_once` in the first."""
    grid: list[list[str]] = []
    below: dict[int, tuple[int, str]] = {}  # column → how many more rows a cell covers, and its text
    for row, row_texts in zip(cells, texts, strict=True):
        line: list[str] = []

        def take_spanning(line: list[str] = line) -> None:
            while len(line) in below:
                count, text = below.pop(len(line))
                if count > 1:
                    below[len(line)] = (count - 1, text)
                line.append(text)

        for cell, text in zip(row, row_texts, strict=True):
            take_spanning()
            for column in range(_span(cell, "colspan")):
                shown = "" if is_once and column else text
                if (rows := _span(cell, "rowspan")) > 1:
                    below[len(line)] = (rows - 1, shown)
                line.append(shown)
        take_spanning()
        grid.append(line)
    return grid


def _span(cell: Any, name: str) -> int:
    value = (cell.get(name) or "").strip()
    return min(max(int(value), 1), SPAN_MOST) if value.isascii() and value.isdecimal() and len(value) < 9 else 1
