"""Table: a grid of cells → lines of text that can be found and quoted alone. Knows no format.

Each row names its columns ("Region: North; Population: 12"), so that a figure is quoted with what it counts. Put a
blank line between rows: then each is a sentence of its own, and is never taken for wrapped prose.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_HAS_DIGIT = re.compile(r"\d")
_FIGURE = re.compile(r"[^\W\d_]{0,3}(?=\D*\d)[\s\d.,:/%+~±−–—()$€£¥-]+[^\W\d_]{0,4}")
"""A cell of figures, with a unit or a currency: "12", "€ 1,200", "3.5 km", "1990–1995"."""


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


def has_head(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first of `rows`, in a table that does not say, holds the heads of the columns.

    It does if its cells are filled (but for the corner), different and without figures, and a column below is all
    figures. A table of words alone does not show it.
    """
    if len(rows) < 2:
        return False
    first, below = [cell.strip() for cell in rows[0]], rows[1:]
    if not all(first[1:]) or len(set(first)) < len(first) or any(map(_HAS_DIGIT.search, first)):
        return False
    columns = ([row[column].strip() for row in below if column < len(row)] for column in range(len(first)))
    return any(any(column) and all(map(_FIGURE.fullmatch, filter(None, column))) for column in columns)
