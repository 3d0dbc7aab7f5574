"""Workbooks (XLSX, XLS, ODS) → Drafts, of each visible sheet. The only file that imports python-calamine."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from index.errors import ReadError
from index.read import grid, xlsx
from index.read.archive import Archive
from index.read.draft import Draft, LeftOut

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from index.read.xlsx import Look

MAX_SHEETS = 200


def parse(content: bytes) -> tuple[Draft | ReadError, ...]:
    """The articles of each sheet, see index/read/grid.py. Raises ReadError for what is damaged or locked."""
    if content.startswith(b"PK"):
        archive = Archive(content)
        if not archive.names & {"xl/workbook.xml", "content.xml", "xl/workbook.bin"}:
            raise ReadError("this is a zip archive but no workbook, whatever its name says; save it from its program")
        for name in archive.names:
            if name.endswith((".xml", ".bin")):
                archive.read(name)  # within bounds, before a library unpacks it
        return tuple(_sheets(content, xlsx.looks(archive)))
    return tuple(_sheets(content, {}))


def _sheets(content: bytes, looks: Mapping[str, Look]) -> Iterator[Draft | ReadError]:
    import python_calamine as calamine

    try:
        workbook = calamine.load_workbook(io.BytesIO(content))
        sheets = list(workbook.sheets_metadata)
    except calamine.PasswordError as error:
        raise ReadError("the workbook is locked with a password; save it without one") from error
    except (calamine.CalamineError, OSError, ValueError) as error:
        raise ReadError(f"the workbook is damaged ({type(error).__name__}); save it again from its program") from error
    shown = [sheet for sheet in sheets if sheet.visible == calamine.SheetVisibleEnum.Visible]
    for sheet in sheets:
        if sheet not in shown:
            yield LeftOut(f"the hidden sheet {sheet.name[:80]!r}; to have it read, show it in its program and save it")
    for sheet in shown[MAX_SHEETS:]:
        yield LeftOut(f"the sheet {sheet.name[:80]!r}, which is beyond the first {MAX_SHEETS}")
    for sheet in shown[:MAX_SHEETS]:
        try:
            rows, hidden = _rows(workbook.get_sheet_by_name(sheet.name), looks.get(sheet.name, xlsx.PLAIN))
        except (calamine.CalamineError, OSError, ValueError) as error:
            yield ReadError(f"the sheet {sheet.name[:80]!r} is damaged ({type(error).__name__}); save it again")
            continue
        if hidden:
            yield LeftOut(f"{hidden} of the sheet {sheet.name[:80]!r}; to have them read, show them and save it")
        for item in grid.drafts(rows, title=sheet.name if len(shown) > 1 else None):
            if isinstance(item, ReadError):
                yield type(item)(f"sheet {sheet.name[:80]!r}: {item}")
            elif any(map(str.isalnum, item.text)):
                # Of one sheet, an article has the id that it would have in a delimited file.
                yield (
                    item if len(shown) == 1 else replace(item, id=f"{sheet.name}#{item.id}" if item.id else sheet.name)
                )


def _rows(sheet: Any, look: Look) -> tuple[list[list[str]], str]:
    """The shown cells, a merged one in each of its rows; and what is hidden, in words."""
    rows = [list(row) for row in sheet.iter_rows()]
    written = [
        [_written(cell, is_percentage=(number, column) in look.percentages) for column, cell in enumerate(row)]
        for number, row in enumerate(rows)
    ]
    for (top, column), (bottom, _) in getattr(sheet, "merged_cell_ranges", None) or ():
        for number in range(top + 1, min(bottom + 1, len(written))):
            if column < len(written[number]):
                written[number][column] = written[top][column]
    lost_rows = [number for number in sorted(look.hidden_rows) if number < len(written) and any(written[number])]
    lost_columns = [
        column for column in sorted(look.hidden_columns) if any(column < len(row) and row[column] for row in written)
    ]
    shown = [
        [cell for column, cell in enumerate(row) if column not in look.hidden_columns]
        for number, row in enumerate(written)
        if number not in look.hidden_rows
    ]
    counts = ((len(lost_rows), "hidden rows"), (len(lost_columns), "hidden columns"))
    return shown, " and ".join(f"{count} {what}" for count, what in counts if count)


def _written(cell: Any, *, is_percentage: bool = False) -> str:
    """A cell as people write it: 12 and not 12.0, a day without midnight."""
    if is_percentage and isinstance(cell, int | float) and not isinstance(cell, bool):
        return f"{cell * 100:.12g}%"
    if isinstance(cell, float):
        return f"{cell:.15g}"
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == datetime.min.time() else cell.isoformat(" ", "minutes")
    return cell.isoformat() if isinstance(cell, date) else str(cell)
