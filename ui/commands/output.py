"""Printing: results to standard output, complaints to standard error, both free of control characters."""

from __future__ import annotations

import json
import shutil
import sys
from typing import TYPE_CHECKING

from ui import doctor, terminal
from ui.commands.command import ERROR, OK

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MARKS = {doctor.Status.FINE: "✓", doctor.Status.ABSENT: "–", doctor.Status.WRONG: "✗"}
MOST_COLUMNS = 100
"""Longer lines are hard to read."""


def show(text: str) -> int:
    """Print a result that is clean already; an empty one prints nothing."""
    if text:
        print(text)
    return OK


def show_json(value: object) -> int:
    """Print a result for programs. Escaped to ASCII, so no text of an article reaches the terminal as a control."""
    print(json.dumps(value, indent=2))
    return OK


def complain(text: str) -> None:
    """Print one line to standard error."""
    print(terminal.line(text), file=sys.stderr)


def complain_of_sending(sends_to: Sequence[str]) -> None:
    """Name the other machines that text goes to, if any, before it does."""
    if sends_to:
        complain(f"citewire: questions and passages are sent to another machine: {', '.join(sends_to)}")


def show_checks(checks: Iterable[doctor.Check], *, as_json: bool) -> int:
    """Print each check as it is made, with what to do about it; an error when one is wrong."""
    made = []
    for check in checks:
        made.append(check)
        if not as_json:
            print(f"{MARKS[check.status]} {check.name}: {terminal.line(check.found)}", flush=True)
            if check.mend:
                print(f"    → {terminal.line(check.mend)}")
    if as_json:
        show_json([check.to_dict() for check in made])
    return ERROR if any(check.status is doctor.Status.WRONG for check in made) else OK


def columns() -> int:
    """Width to fold lines at; 0, which folds nothing, where output goes to a file or a program."""
    return min(shutil.get_terminal_size().columns, MOST_COLUMNS) if sys.stdout.isatty() else 0
