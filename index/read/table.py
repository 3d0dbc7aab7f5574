"""Table: a grid of cells → lines of text that can be found and quoted alone. Knows no format.

Each row names its columns ("Region: North; Population: 12"), so that a figure is quoted with what it counts. Put a
blank line between rows: then each is a sentence of its own, and is never taken for wrapped prose.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_HAS_DIGIT = re.compile(r"\d")
_FIGURE = re.compile(r"[^\W\d_]{0,3}(?=\D*\d)[\s\d.,:/%+~±−–—()$€£¥-]+[^\W\d_]{0,4}")
"""A cell of figures, with a unit or a currency: "12", "€ 1,200", "3.5 km", "1990–1995"."""
_YEAR = re.compile(r"(?<![\d.,])(?:1[5-9]|20)\d\d(?![\d]|[.,]\d{3})")
_QUARTER = re.compile(r"[^\W\d_]{1,2}\.? ?[1-9]\d?|[1-4]\.? ?[^\W\d_]{1,2}\.?")
"""A quarter, half or week without its year: "Q1", "H2", "KW 12", "1T"."""
TIME_CHARS = 24
"""A longer cell with a year in it is a sentence."""
MOST_TITLES = 5
"""Rows above a table: a title, what is counted, the unit, the source, a remark."""


def rows_as_text(rows: Sequence[Sequence[str]], *, has_head: bool) -> list[str]:
    """A line for each row with words in it: "head: cell; head: cell", or "cell | cell" if there are no heads.

    With `has_head` the first row holds the heads. Empty cells are skipped. Words that stand alone in the first of
    several columns, or alike in all of them, are a heading between rows and stand alone. Heads without a row below
    them are a row themselves.
    """
    grid = [[" ".join(cell.split()) for cell in row] for row in rows]
    heads = [head.rstrip(": ") for head in grid[0]] if has_head and any(any(row) for row in grid[1:]) else []
    lines = []
    for row in grid[1:] if heads else grid:
        cells = [(heads[column] if column < len(heads) else "", cell) for column, cell in enumerate(row) if cell]
        is_alone = bool(cells) and len(row) > 1 and not any(row[1:])
        is_merged = len(row) > 1 and len(set(row)) == 1 and not _HAS_DIGIT.search(row[0])
        if is_alone or is_merged:
            cells = [("", cells[0][1])] if cells else []
        if heads and cells:
            lines.append("; ".join(f"{head}: {cell}" if head else cell for head, cell in cells))
        elif cells:
            lines.append(" | ".join(cell for _, cell in cells))
    return lines


def lines_of(rows: Sequence[Sequence[str]], *, marked: int = 0) -> list[str]:
    """A line for each title over the table and each row, as `rows_as_text` has them. `marked` is how many rows at the
    top the document marks as heads, 0 if it does not say."""
    titles, heads, below = headed(rows, marked=marked)
    return [*titles, *rows_as_text([heads, *below] if heads else below, has_head=bool(heads))]


def headed(rows: Sequence[Sequence[str]], *, marked: int = 0) -> tuple[list[str], list[str], Sequence[Sequence[str]]]:
    """The titles that stand over a table, the heads of its columns in one row ([] if it has none), and its other rows.

    Titles are words alone at the top: in the first of several columns, or alike in all. Heads in several rows are put
    together: "2019" over "Men" is "2019 Men".
    """
    width = max(map(len, rows), default=0)
    titles: list[str] = []
    while width > 1 and len(rows) > 2 and len(titles) < MOST_TITLES and (title := _alone(rows[0], width)):
        titles.append(title)
        rows = rows[1:]
        marked = max(marked - 1, 0)
    if 0 < marked < len(rows):
        return titles, _merged(rows[:marked]), rows[marked:]
    if has_head(rows):
        return titles, list(rows[0]), rows[1:]
    if len(rows) > 2 and _goes_on(rows[0], rows[1]) and has_head([both := _merged(rows[:2]), *rows[2:]]):
        return titles, both, rows[2:]
    return titles, [], rows


def _alone(row: Sequence[str], width: int) -> str:
    """The words of a row that stand alone in the first of several columns, or alike in all; "" if none do."""
    cells = [" ".join(cell.split()) for cell in row]
    is_alone = not any(cells[1:]) or (len(cells) == width and len(set(cells)) == 1)
    return cells[0] if cells and is_alone and not _FIGURE.fullmatch(cells[0]) else ""


def _goes_on(first: Sequence[str], second: Sequence[str]) -> bool:
    """Whether a second row says more of the heads in the first: below heads of several columns, or units."""
    if any(_FIGURE.fullmatch(cell.strip()) and not _is_time(cell) for cell in second if cell.strip()):
        return False
    is_spanning = any(not cell.strip() for cell in first[1:]) or len(set(first[1:])) < len(first[1:])
    is_of_units = bool(first[0].strip()) and not second[0].strip() and all(cell.strip() for cell in second[1:])
    return is_spanning or is_of_units


def _merged(heads: Sequence[Sequence[str]]) -> list[str]:
    """One row of heads from several. A blank cell above a filled one is covered by the cell to its left."""
    width = max(map(len, heads))
    rows = [[*row, *[""] * (width - len(row))] for row in heads]
    for above, below in pairwise(rows):
        for column in range(2, width):
            if not above[column].strip() and below[column].strip():
                above[column] = above[column - 1]
    return [" ".join(dict.fromkeys(cell for row in rows if (cell := row[column].strip()))) for column in range(width)]


def has_head(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first of `rows`, in a table that does not say, holds the heads of the columns.

    Its cells are filled (but for the corner), different and no figures, and a column below is all figures that are
    written in another way. Or several of them are years, quarters or days in their order, and what is below is not. A
    table of words alone does not show its heads.
    """
    if len(rows) < 2:
        return False
    first = [cell.strip() for cell in rows[0]]
    if not all(first[1:]) or len(set(first)) < len(first):
        return False
    below = [[row[column].strip() for row in rows[1:] if column < len(row)] for column in range(len(first))]
    times = [column for column, head in enumerate(first) if _is_time(head)]
    if any(_FIGURE.fullmatch(head) for column, head in enumerate(first) if column not in times):
        return False
    if times:
        cells = [cell for column in times for cell in below[column] if cell]
        years = [int(year[0]) for column in times if (year := _YEAR.search(first[column]))]
        is_in_order = years in (sorted(years), sorted(years, reverse=True))
        if 0 in times or not cells or not is_in_order or sum(map(_is_time, cells)) * 2 >= len(cells):
            return False
        return len(times) > 1 or len(first) > 2 or not first[0]
    return any(
        any(column)
        and all(_FIGURE.fullmatch(cell) for cell in column if cell)
        and not any(_HAS_DIGIT.search(head) and _shape(head) == _shape(cell) for cell in column)
        for head, column in zip(first, below, strict=True)
    )


def _is_time(cell: str) -> bool:
    """Whether a cell names a time: "2019", "2019/20", "Q1 2020", "31.12.2020", "FY 2021 (est.)", "Q3"."""
    cell = cell.strip()
    if not _HAS_DIGIT.search(cell) or len(cell) > TIME_CHARS:
        return False
    return bool(_QUARTER.fullmatch(cell)) or (
        bool(_YEAR.search(cell)) and all(len(number) in (1, 2, 4) for number in re.findall(r"\d+", cell))
    )


def _shape(cell: str) -> str:
    """How a cell is written, whatever its numbers: "0 seats"."""
    return re.sub(r"\d+", "0", cell)
