"""XLSX: what python-calamine does not say of a sheet: which rows and columns are hidden, which numbers percentages."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from index.read.archive import Archive

_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_WORKBOOK = "xl/workbook.xml"
_PERCENT_FORMATS = frozenset((9, 10))
"""The numbers of the formats "0%" and "0.00%", which no file needs to define (ECMA-376, 18.8.30)."""
_LITERAL = re.compile(r"\"[^\"]*\"|\\.|\[[^\]]*\]")
"""What a format writes as it is: a percent sign in it does not multiply by 100."""
MOST_COLUMNS = 16_384
"""Excel has no wider sheets."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a sheet looks; rows and columns are counted from 0, cells are (row, column)."""

    hidden_rows: frozenset[int]
    hidden_columns: frozenset[int]
    percentages: frozenset[tuple[int, int]]


PLAIN = Look(frozenset(), frozenset(), frozenset())
"""A sheet of which nothing is known."""


def looks(archive: Archive) -> dict[str, Look]:
    """The look of each sheet by its name; empty for a workbook in another format, or damaged."""
    from lxml import etree

    if _WORKBOOK not in archive.names:
        return {}
    try:
        percent_styles = _percent_styles(archive)
        return {name: _look(archive.xml(place), percent_styles) for name, place in _sheets(archive)}
    except (etree.XMLSyntaxError, ValueError, TypeError):
        return {}


def _sheets(archive: Archive) -> Iterator[tuple[str, str]]:
    """The name of each sheet, and the member of the archive that it is in."""
    relations = "xl/_rels/workbook.xml.rels"
    targets = {one.get("Id"): one.get("Target") or "" for one in archive.xml(relations).iter("{*}Relationship")}
    for sheet in archive.xml(_WORKBOOK).iter("{*}sheet"):
        place = posixpath.normpath(posixpath.join("/xl", targets.get(sheet.get(f"{_R}id"), ""))).lstrip("/")
        if place in archive.names and "worksheet" in place:
            yield sheet.get("name") or "", place


def _percent_styles(archive: Archive) -> frozenset[str]:
    """The styles of cells, by their number, that show a percentage."""
    if "xl/styles.xml" not in archive.names:
        return frozenset()
    styles = archive.xml("xl/styles.xml")
    formats = {one.get("numFmtId"): one.get("formatCode") or "" for one in styles.iter("{*}numFmt")}
    percent = {number for number, code in formats.items() if "%" in _LITERAL.sub("", code)}
    percent |= {str(number) for number in _PERCENT_FORMATS if str(number) not in formats}
    cells = [one.get("numFmtId") for holder in styles.iter("{*}cellXfs") for one in holder.iter("{*}xf")]
    return frozenset(str(number) for number, of_format in enumerate(cells) if of_format in percent)


def _look(tree: Any, percent_styles: frozenset[str]) -> Look:
    columns: set[int] = set()
    for column in tree.iter("{*}col"):
        if column.get("hidden") in ("1", "true"):
            columns.update(range(int(column.get("min")) - 1, min(int(column.get("max")), MOST_COLUMNS)))
    rows = {int(row.get("r")) - 1 for row in tree.iter("{*}row") if row.get("hidden") in ("1", "true") and row.get("r")}
    numbers = (cell for cell in tree.iter("{*}c") if cell.get("s") in percent_styles and cell.get("t", "n") == "n")
    percentages = frozenset(_place(cell.get("r")) for cell in numbers if cell.get("r"))
    return Look(frozenset(rows), frozenset(columns), percentages)


def _place(name: str) -> tuple[int, int]:
    """The row and column of a cell, from 0: "B3" → (2, 1)."""
    match = re.fullmatch(r"([A-Z]{1,3})(\d{1,7})", name)
    if match is None:
        raise ValueError(name)
    column = 0
    for letter in match[1]:
        column = column * 26 + ord(letter) - ord("A") + 1
    return int(match[2]) - 1, column - 1
