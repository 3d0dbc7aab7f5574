"""CSV and TSV → Drafts: rows of cells between commas, semicolons, tabs or bars."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from typing import TYPE_CHECKING

from index.errors import ReadError
from index.read import grid
from index.read.charset import decode

if TYPE_CHECKING:
    from index.read.draft import Draft

DELIMITERS = ",;\t|"
SAMPLE_ROWS = 100
"""Rows by which the delimiter is found."""
CELL_CHARS = 16 * 1024 * 1024
"""Longest cell, an article; Python's own limit is 128 KiB."""
_SEPARATOR = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)
"""The first line by which Excel is told the delimiter."""


def parse(content: bytes) -> tuple[Draft | ReadError, ...]:
    """An article for each row with running text, else one article. Raises ReadError for what has no rows of cells."""
    text = decode(content)
    if (given := _SEPARATOR.match(text)) is not None:
        text = text[given.end() :]
    delimiter = given[1] if given else _delimiter(text)
    csv.field_size_limit(CELL_CHARS)
    try:
        return grid.drafts(list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)))
    except csv.Error as error:
        raise ReadError(f"no rows of cells can be made out ({error}); save it again, or as text") from error


def _delimiter(text: str) -> str:
    """The delimiter that gives most rows the same number of cells, more than one."""
    best = ",", 0.0
    for delimiter in DELIMITERS:
        counts: Counter[int] = Counter()
        try:
            for row in csv.reader(io.StringIO(text[: 1 << 20], newline=""), delimiter=delimiter):
                counts[len(row)] += bool(row)
                if counts.total() == SAMPLE_ROWS:
                    break
        except csv.Error:
            continue
        cells, rows = max(counts.items(), key=lambda item: (item[0] > 1, item[1]), default=(0, 0))
        if cells > 1 and rows / counts.total() > best[1]:
            best = delimiter, rows / counts.total()
    return best[0]
