"""`citewire check`: a draft against the articles."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import rag
from index import filters
from index.errors import InputError
from index.read import read, readable
from ui import terminal
from ui.commands.command import NOT_SUPPORTED, OK, add_command, add_operators
from ui.commands.output import columns, complain, show, show_json
from ui.commands.taking import add_export, now, require_exportable, take
from ui.export import subject
from ui.progress import Notes

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from rag import Check
    from ui.commands.command import Commands

STANDARD_INPUT = "-"


def declare(commands: Commands) -> None:
    """Declare `check`."""
    command = add_command(commands, "check", run_check, "--json")
    command.add_argument("file", help="the draft, in any format that articles may have; - reads standard input")
    for name, what in {"markdown": "a report", "html": "the marked text as one page"}.items():
        command.add_argument(
            f"--{name}", dest="format", action="store_const", const=name, help=f"the same as --format {name}: {what}"
        )
    add_export(command)
    command.add_argument(
        "--only", default="", metavar="OPERATORS", help='check against these articles alone: "source:reuters in:2018"'
    )
    add_operators(command)


def run_check(options: argparse.Namespace) -> int:
    """Check a draft: which of its sentences the articles support, which they contradict, and which they do not have."""
    require_exportable(options, apart_from=None if options.file == STANDARD_INPUT else Path(options.file))
    text, title = _draft(options.file)
    rest, only = filters.parse(options.only)
    if rest.strip():
        raise InputError(f"--only has {rest.strip()!r}, which is no operator; write for example source:reuters")
    with rag.Engine.open(options.home) as engine, _stoppable() as cancel, Notes() as note:
        found = 0

        def report(_: rag.Checked) -> None:
            nonlocal found
            found += 1
            note(f"checked {found} sentence{'' if found == 1 else 's'}")

        note("reading the articles")
        check = engine.check(text, only=only, cancel=cancel, report=report)
    _show(check, title, options)
    if check.cancelled:
        complain("citewire: stopped; the sentences after these are not checked")
    return OK if check.is_fine else NOT_SUPPORTED


def _show(check: Check, title: str, options: argparse.Namespace) -> None:
    def otherwise() -> int:
        return show_json(check.to_dict()) if options.json else show(terminal.render_check(check, columns=columns()))

    take(lambda: subject.of_check(check, title, day=now()), options, otherwise=otherwise)


def _draft(name: str) -> tuple[str, str]:
    """The text of a draft, and what to call it. Raises InputError and ReadError."""
    if name == STANDARD_INPUT:
        return sys.stdin.read(), "Check"
    path = Path(name)
    if not path.is_file():
        raise InputError(f"{path}: there is no such file; name the draft's file, or - for standard input")
    if readable(path):
        return "\n\n".join(article.text for article in read(path)), path.name
    try:
        return path.read_text(encoding="utf-8"), path.name
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: this is no text in UTF-8; save the draft as a .txt or .docx file") from error


@contextlib.contextmanager
def _stoppable() -> Iterator[threading.Event]:
    """An event that Ctrl-C sets, so that what is checked by then is shown; a second Ctrl-C ends the command."""
    cancel = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield cancel
        return

    def stop(*_: object) -> None:
        cancel.set()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield cancel
    finally:
        signal.signal(signal.SIGINT, before)
