"""Workbooks (XLSX, XLS, ODS) → Drafts, of each visible sheet. The only file that imports python-calamine."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from index.errors import ReadError
from index.read import grid
from index.read.archive import Archive
from index.read.draft import Draft, LeftOut

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    return tuple(_sheets(content))


def _sheets(content: bytes) -> Iterator[Draft | ReadError]:
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
            rows = [[_written(cell) for cell in row] for row in workbook.get_sheet_by_name(sheet.name).iter_rows()]
        except (calamine.CalamineError, OSError, ValueError) as error:
            yield ReadError(f"the sheet {sheet.name[:80]!r} is damaged ({type(error).__name__}); save it again")
            continue
        for item in grid.drafts(rows, title=sheet.name if len(shown) > 1 else None):
            if isinstance(item, ReadError):
                yield type(item)(f"sheet {sheet.name[:80]!r}: {item}")
            elif any(map(str.isalnum, item.text)):
                # Of one sheet, an article has the id that it would have in a delimited file.
                yield (
                    item if len(shown) == 1 else replace(item, id=f"{sheet.name}#{item.id}" if item.id else sheet.name)
                )


def _written(cell: Any) -> str:
    """A cell as people write it: 12 and not 12.0, a day without midnight."""
    if isinstance(cell, float):
        return f"{cell:.15g}"
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == datetime.min.time() else cell.isoformat(" ", "minutes")
    return cell.isoformat() if isinstance(cell, date) else str(cell)
