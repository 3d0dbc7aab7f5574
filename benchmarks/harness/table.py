"""Table: results whose rows need not have all measures, with the target beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.harness.report import Mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Value = Mean | int | float | str | None
Rows = dict[str, dict[str, Value]]


def mean(values: Sequence[float | bool]) -> Mean | None:
    """Their mean; None if there are none."""
    return Mean.of([float(value) for value in values]) if values else None


def show(title: str, rows: Mapping[str, Mapping[str, Value]]) -> None:
    """Print a row for each measure and a column for each system: measures have long names."""
    measures = list(dict.fromkeys(measure for row in rows.values() for measure in row))
    if not measures:
        return
    first = max(map(len, measures)) + 2
    cells = {system: [_cell(row.get(measure)) for measure in measures] for system, row in rows.items()}
    widths = {system: max(len(system), *map(len, column)) + 3 for system, column in cells.items()}
    print(f"\n{title}\n{'':{first}}" + "".join(f"{system:>{widths[system]}}" for system in rows))
    for number, measure in enumerate(measures):
        print(f"{measure:{first}}" + "".join(f"{cells[system][number]:>{widths[system]}}" for system in rows))


def _cell(value: Value) -> str:
    if isinstance(value, Mean):
        return f"{value} n={value.n}"
    if isinstance(value, float):
        return f"{value:.3f}"
    return "–" if value is None else str(value)
