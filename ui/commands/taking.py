"""What a command prints or saves in a format of its own: `--format` and `--export`."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from index.errors import InputError
from ui.commands.output import complain, show, show_json
from ui.export import formats

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from ui.export.subject import Subject


def add_export(command: argparse.ArgumentParser) -> None:
    """Declare `--format` and `--export`."""
    command.add_argument(
        "--format",
        choices=[*formats.FORMATS],
        metavar="FORMAT",
        help=f"print as {', '.join(formats.FORMATS)}; with --export FOLDER, save as that",
    )
    endings = " ".join(f".{one.endings[0]}" for one in formats.FORMATS.values())
    command.add_argument(
        "--export",
        type=Path,
        action="append",
        default=[],
        metavar="FILE|FOLDER",
        help=f"also save it there; the ending says the format: {endings}; repeatable",
    )


def now() -> str:
    """The time in UTC, as ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def require_exportable(options: argparse.Namespace, *, apart_from: Path | None = None) -> None:
    """Raise InputError for a --format that cannot be printed or an --export that cannot be written, before anything is
    done. `apart_from` is a file that must stay as it is."""
    chosen = formats.FORMATS[options.format] if options.format else None
    if chosen is not None and not chosen.is_text and not _is_for_folders(options) and sys.stdout.isatty():
        raise InputError(f"{chosen.label} files are not shown in a terminal; save one with: --export FILE.docx")
    for path in options.export:
        if not path.is_dir():
            formats.of_path(path)
            if not path.parent.is_dir():
                raise InputError(f"{path}: there is no such folder; make it with: mkdir -p {path.parent}")
            if apart_from is not None and apart_from.exists() and path.exists() and path.samefile(apart_from):
                raise InputError(f"{path} is what is read; save under another name")
        elif options.format is None:
            raise InputError(f"{path} is a folder; say in which format with --format, or name a file in it")


def take(subject: Callable[[], Subject], options: argparse.Namespace, *, otherwise: Callable[[], int]) -> None:
    """Print a subject in the format of --format, else as `otherwise` does, and save it wherever --export says."""
    chosen = formats.FORMATS[options.format] if options.format else None
    if chosen is None or _is_for_folders(options):
        otherwise()
    elif chosen.name == "json":
        show_json(subject().json)
    elif chosen.is_text:
        show(chosen.content(subject()).decode("utf-8-sig").rstrip("\r\n"))
    else:
        sys.stdout.buffer.write(chosen.content(subject()))
    save(subject, options)


def _is_for_folders(options: argparse.Namespace) -> bool:
    """Whether --format says how to save in a folder, and not how to print."""
    return any(path.is_dir() for path in options.export)


def save(subject: Callable[[], Subject], options: argparse.Namespace) -> None:
    """Save a subject wherever --export says."""
    chosen = formats.FORMATS[options.format] if options.format else None
    for path in options.export:
        saved = formats.write(subject(), path, chosen if path.is_dir() else None)
        complain(f"saved as {saved}")
