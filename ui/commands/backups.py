"""`citewire backup` and `citewire restore`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from index.errors import InputError
from ui import backup, terminal
from ui.commands.command import ERROR, OK, add_command
from ui.commands.output import complain, show, show_json
from ui.progress import Bars

if TYPE_CHECKING:
    import argparse

    from ui.commands.command import Commands


def declare(commands: Commands) -> None:
    """Declare `backup` and `restore`."""
    command = add_command(
        commands, "backup", run_backup, "--json", stopped="stopped; an earlier backup in this file is unchanged"
    )
    command.add_argument("file", type=Path, metavar="FILE", help="a ZIP archive to write, outside the home")
    what = command.add_mutually_exclusive_group()
    what.add_argument("--force", action="store_true", help="replace FILE if it exists")
    what.add_argument(
        "--verify", action="store_true", help="write nothing; read all of FILE and report what is damaged"
    )

    command = add_command(
        commands,
        "restore",
        run_restore,
        "--json",
        stopped="stopped; if the restore had begun to replace the home, the next command finishes it",
    )
    command.add_argument("file", type=Path, nargs="?", metavar="FILE", help="a file that `citewire backup` wrote")
    command.add_argument(
        "--replace", action="store_true", help="restore into a home that is not empty, and keep what is in it"
    )
    command.add_argument("--keep", type=Path, metavar="FILE", help="where to keep it (default: beside the home)")


def run_backup(options: argparse.Namespace) -> int:
    """Write articles, conversations and uploads to one file, while the page keeps running; or verify a backup."""
    with Bars() as progress:
        if options.verify:
            made = backup.verify(options.file, progress=progress)
        else:
            made = backup.backup(options.file, options.home, replace=options.force, progress=progress)
    for missing in made.manifest.about["left_out"]:
        complain(f"not in the backup: {missing['name']}: {missing['reason']}")
    for problem in made.problems:
        complain(f"citewire: {problem}")
    if options.json:
        show_json(made.to_dict())
    elif not made.problems:
        show(terminal.line(f"{made}{'; sound' if options.verify else ''}"))
    return ERROR if made.problems else OK


def run_restore(options: argparse.Namespace) -> int:
    """Put the home back as it was at a backup; without FILE, finish a restore that was interrupted."""
    if options.file is None:
        if not backup.finish(options.home):
            raise InputError("there is no interrupted restore to finish; to restore a backup: citewire restore FILE")
        return show("the restore is finished")
    with Bars() as progress:
        done = backup.restored(
            options.file, options.home, replace=options.replace, keep=options.keep, progress=progress
        )
    if options.json:
        return show_json(done.to_dict())
    show(terminal.line(str(done)))
    for source in done.missing_sources:
        complain(f"not on this machine, but its articles are restored: {source}")
    return show(terminal.line(f"the home as it was before: {done.kept}") if done.kept else "")
