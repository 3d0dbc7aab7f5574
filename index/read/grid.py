"""Grid: the rows of a spreadsheet or a delimited file → Drafts. Knows no format.

Where a column holds running text, each row is an article, its other cells are read by the heads of their columns as
index/read/fields.py has them. Any other grid is one article, whose rows say the heads of their columns.
"""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

from index.errors import ReadError
from index.read import fields, record, table
from index.read.draft import Draft, LeftOut, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NAMED_CHARS, RUNNING_CHARS = 40, 150
"""Characters of a middling cell, from which on a column that has the name of a text, or any column, holds articles. An
address or a title has fewer than 150, a paragraph more."""
RUNNING_WORDS = 15
"""… and so many words in it: a key or encoded data is long as well."""
HEAD_CHARS = 60
"""The longest head of a column; a longer cell is text."""
MAX_ROWS = 10_000
"""Rows of a grid that is one article; a longer one is data for a program, not for a reader."""
MAX_NAMED = 12
"""Columns that are named when they are left out."""
SAMPLE_ROWS = 200
"""Rows by which a column is judged."""


def drafts(rows: Sequence[Sequence[str]], *, title: str | None = None) -> tuple[Draft | ReadError, ...]:
    """The articles of a grid, of which `title` is the name if it is one article."""
    filled = [(number, list(row)) for number, row in enumerate(rows, start=1) if any(cell.strip() for cell in row)]
    above, filled = _without_title(filled)
    grid = [row for _, row in filled]
    titles, heads, below = table.headed(grid)
    if not heads and _has_head(grid):
        titles, heads, below = [], grid[0], grid[1:]
    above += titles
    column = _text_column(heads, below)
    if column is not None:
        found = record.collected(_articles(heads, column, filled[len(filled) - len(below) :]), "rows")
        unknown = [
            " ".join(head.split())[:40]
            for place, head in enumerate(heads)
            if place != column and head.strip() and not fields.is_known(head)
        ]
        names = ", ".join(map(repr, unknown[:MAX_NAMED])) + (" and others" if len(unknown) > MAX_NAMED else "")
        return (
            *found,
            *([LeftOut(f"the columns {names}, which hold no title, day, name or address")] if unknown else []),
        )
    lines: list[str] = []
    for number, part in enumerate(_tables(filled[len(filled) - len(below) :][:MAX_ROWS])):
        if number:
            lines += table.lines_of(part)
        else:
            lines += table.rows_as_text([heads, *part] if heads else part, has_head=bool(heads))
    text = "\n\n".join([*above, *lines])
    rest = len(below) - MAX_ROWS
    left_out = (
        [LeftOut(f"{rest} rows beyond the first {MAX_ROWS}; split the file to have them read")] if rest > 0 else []
    )
    return Draft("", text, title=one_line(title) or (one_line(above[0]) if above else None)), *left_out


def _tables(rows: Sequence[tuple[int, list[str]]]) -> Iterator[list[list[str]]]:
    """The tables that stand below each other: after a blank row, one begins with heads or words over it of its own."""
    part: list[list[str]] = []
    blocks = itertools.groupby(enumerate(rows), key=lambda item: item[1][0] - item[0])  # without a gap
    for block in ([row for _, (_, row) in items] for _, items in blocks):
        titles, heads, _ = table.headed(block)
        if part and (heads or titles):
            yield part
            part = []
        part += block
    yield part


def _without_title(rows: list[tuple[int, list[str]]]) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Words that stand alone above a grid of several columns, and the grid."""
    width = max((sum(bool(cell.strip()) for cell in row) for _, row in rows), default=0)
    above: list[str] = []
    while width > 1 and len(rows) > 2 and sum(bool(cell.strip()) for cell in rows[0][1]) == 1 and len(above) < 5:
        above.append(" ".join("".join(rows[0][1]).split()))
        rows = rows[1:]
    return above, rows


def _has_head(grid: Sequence[Sequence[str]]) -> bool:
    """Whether the first row holds the heads of the columns: short, different, without figures, unlike what is below."""
    if len(grid) < 2:
        return False
    heads = [cell.strip() for cell in grid[0]]
    while heads and not heads[-1]:
        heads.pop()
    named = [head for head in heads if head]
    if not named or any(len(head) > HEAD_CHARS for head in named):
        return False
    if {*fields.TEXTS, *fields.SUMMARIES} & set(map(fields.plain, named)):
        return True
    is_like_heads = len(set(named)) == len(named) and not any(any(map(str.isdigit, head)) for head in named)
    return is_like_heads and len(named) >= max(2, len(heads) - 1)


def _text_column(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> int | None:
    """The column of running text: of those with a name for it the surest, else the one with the longest cells."""
    sample = rows[:SAMPLE_ROWS]
    width = max(map(len, sample), default=0)
    middling = [_middling([row[column] for row in sample if column < len(row)]) for column in range(width)]
    names = [fields.plain(head) for head in heads]
    for name in fields.TEXTS:
        for column in range(min(width, len(names))):
            if names[column] == name and len(middling[column]) >= NAMED_CHARS:
                return column
    longest = max(range(width), key=lambda column: len(middling[column]), default=None)
    if longest is None or len(middling[longest]) < RUNNING_CHARS or len(middling[longest].split()) < RUNNING_WORDS:
        return None
    return longest


def _middling(cells: list[str]) -> str:
    """The cell of middling length among those that are filled."""
    filled = sorted((cell.strip() for cell in cells if cell.strip()), key=len)
    return filled[len(filled) // 2] if filled else ""


def _articles(
    heads: Sequence[str], column: int, rows: Sequence[tuple[int, Sequence[str]]]
) -> Iterator[tuple[str, Draft | ReadError]]:
    for number, row in rows:
        known: dict[str, str] = {}
        for place, cell in enumerate(row):
            if place < len(heads) and place != column and cell.strip() and fields.plain(heads[place]) != "text":
                known.setdefault(heads[place], cell)
        text = row[column] if column < len(row) else ""
        found = record.draft({**known, "text": text}, texts=("text",))
        if any(map(str.isalnum, found.text)):
            key = found.id or hashlib.sha256("\0".join(row).encode("utf-8", "surrogatepass")).hexdigest()
            yield f"row {number}", replace(found, id=key)
        else:
            yield f"row {number}", ReadError("no text in its column of texts")
