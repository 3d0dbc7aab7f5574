"""Restore: put staged files in the place of those in a home, completely or not at all, even if the process is killed.

    restore/                      the staged files: complete databases, and uploads/
    restore/ready.json            written last: once it is there, the staged files count

Without ready.json the home is unchanged, and the next writer deletes restore/. With it, each step of `finish` can be
repeated: whoever opens the home next, or is about to write to it, does that. Knows no archives and no tables.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
from typing import TYPE_CHECKING

from index import database, derived, replace
from index.errors import StoreError
from index.home import DATABASE
from index.location import UPLOADS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

FOLDER = "restore"
READY = "ready.json"
INDEX = DATABASE

WAIT_S = 10.0
"""How long a restore waits for others to close a database that only it may have open."""


def is_ready(home: Path) -> bool:
    """Whether a restore of `home` is complete in restore/ and must be finished."""
    return (home / FOLDER / READY).is_file()


def begin(home: Path) -> Path:
    """Make an empty folder in `home` for the staged files; those of a restore that was never ready are deleted."""
    assert not is_ready(home), "finish it first"  # noqa: S101 - callers do
    folder = home / FOLDER
    forget(home)
    folder.mkdir(mode=0o700)
    return folder


def forget(home: Path) -> None:
    """Delete the staged files."""
    if (home / FOLDER).exists():
        shutil.rmtree(home / FOLDER, ignore_errors=True)


def settle(home: Path, *, dropped: Iterable[str]) -> None:
    """Declare the staged files ready. `dropped` are the paths of uploads to delete, relative to the home."""
    folder = home / FOLDER
    for place, _, names in os.walk(folder):
        for name in names:
            database.sync_file(folder.joinpath(place, name))
        database.sync_folder(folder.joinpath(place))
    draft = folder / "ready.tmp"
    draft.write_text(json.dumps({"dropped": sorted(dropped)}), encoding="utf-8")
    database.sync_file(draft)
    draft.replace(folder / READY)
    database.sync_folder(folder)
    database.sync_folder(home)


def finish(home: Path) -> None:
    """Put the staged files in place if they are ready. The caller holds the home's write lock.

    Raises StoreError when it cannot be finished; the next call continues.
    """
    if not is_ready(home):
        forget(home)  # a restore holds the lock while it stages files: this one was killed
        return
    folder = home / FOLDER
    try:
        dropped = json.loads((folder / READY).read_text(encoding="utf-8"))["dropped"]
        for name in dropped:
            home.joinpath(name).unlink(missing_ok=True)
        _put_uploads(folder / UPLOADS, home / UPLOADS)
        for staged in sorted(folder.glob("*.sqlite")):
            _put_database(staged, home / staged.name)
        # Snapshots and derived files are made again when needed; these may be of texts that are gone.
        for snapshot in home.glob("vectors-*.faiss"):
            snapshot.unlink(missing_ok=True)
        shutil.rmtree(home / derived.FOLDER, ignore_errors=True)
        database.sync_folder(home)
        (folder / READY).unlink()
    except (OSError, StoreError) as error:
        raise StoreError(
            f"the restore of {home} is not finished: {error}. Once that is fixed, run: citewire restore --home {home}"
        ) from error
    forget(home)


@contextlib.contextmanager
def alone(path: Path) -> Iterator[sqlite3.Connection]:
    """The only connection to the database `path`, in this process or any other.

    Raises StoreError when others keep it open, sqlite3.Error when the file is damaged.
    """
    with contextlib.closing(sqlite3.connect(path, timeout=WAIT_S, isolation_level=None)) as connection:
        try:
            # Others that have it open hold a lock on it also when they do nothing.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("COMMIT")
        except sqlite3.OperationalError as error:
            if database.is_busy(error):
                raise StoreError(f"{path} is in use; close the page (citewire chat) first, then try again") from error
            raise
        yield connection


def _put_uploads(staged: Path, uploads: Path) -> None:
    for place, _, names in os.walk(staged):
        folder = uploads / os.path.relpath(place, staged)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in names:
            staged.joinpath(place, name).replace(folder / name)
        database.sync_folder(folder)


def _put_database(staged: Path, target: Path) -> None:
    """Give `target` the content of `staged`, in one transaction."""
    if target.name == INDEX:
        # Whoever has it open continues with the new content.
        return replace.put_in_place(staged, target, keep_old=False, keep_new=True)
    try:
        with contextlib.closing(sqlite3.connect(staged)) as source:
            try:
                _copy_alone(source, target)
            except sqlite3.DatabaseError as error:
                if not database.is_damaged(error):
                    raise
                # What cannot be read as a database cannot be written to as one.
                for companion in ("", *replace.COMPANIONS):
                    target.with_name(f"{target.name}{companion}").unlink(missing_ok=True)
                _copy_alone(source, target)
    except sqlite3.Error as error:
        raise database.explained(target, error, damaged="", waited_s=WAIT_S) from error


def _copy_alone(source: sqlite3.Connection, target: Path) -> None:
    os.close(os.open(target, os.O_CREAT | os.O_RDWR, 0o600))
    with alone(target) as connection:
        connection.execute("PRAGMA secure_delete = ON")
        source.backup(connection)
