"""Database: what is done with any SQLite file: read it where nothing can be written, copy it, say what is wrong.

Knows no tables.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from index.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAGES_AT_ONCE = 1000
"""Pages that are copied before progress is reported and Ctrl-C is noticed."""

_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_UNWRITABLE = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM)
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT)


@contextlib.contextmanager
def reading(path: Path, *, wait_s: float = 60.0) -> Iterator[sqlite3.Connection]:
    """A connection that only reads and sees one state, whatever others write meanwhile. Raises sqlite3.Error."""
    with open_read_only(path, wait_s=wait_s) as connection:
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()  # takes the snapshot
        yield connection
        connection.rollback()


@contextlib.contextmanager
def open_read_only(path: Path, *, wait_s: float = 60.0) -> Iterator[sqlite3.Connection]:
    """A connection that only reads, also where the folder cannot be written. Raises sqlite3.Error."""
    with contextlib.ExitStack() as stack:
        # Where the folder can be written, so may the connection: one that cannot write leaves the log behind.
        how = "mode=rw" if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK) else "mode=ro"
        try:
            connection = _connect(path, how, wait_s)
        except sqlite3.OperationalError as error:
            if not (is_unwritable(error) and path.is_file()):
                raise
            # SQLite wants to make the files beside a database in WAL mode, and here it cannot. Nobody writes here, so
            # it may do without them; but what is in the log must be put into the database first, elsewhere.
            log = path.with_name(f"{path.name}-wal")
            if log.is_file() and log.stat().st_size:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="citewire-")))
                for file in (path, log):
                    shutil.copyfile(file, folder / file.name)
                connection = _connect(folder / path.name, "mode=rw", wait_s)
            else:
                connection = _connect(path, "immutable=1", wait_s)
        stack.callback(connection.close)
        connection.execute("PRAGMA query_only = ON")
        yield connection


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection, kind: str) -> Iterator[None]:
    """A transaction of this kind: "DEFERRED", "IMMEDIATE" or "EXCLUSIVE". It is kept whole, or not at all.

    Also when it cannot be committed (the disk is full): the connection can begin the next one.
    """
    connection.execute(f"BEGIN {kind}")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite ends it by itself when the disk is full
            connection.execute("ROLLBACK")
        raise


def copy(source: sqlite3.Connection, target: Path, *, progress: Callable[[int, int], None] | None = None) -> None:
    """Make `target` a copy of the state that `source` sees, which should be in a transaction: then it is copied once,
    whatever others write. `progress` gets how many pages are done, and of how many. Raises sqlite3.Error.
    """
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))

    def report(_: int, remaining: int, total: int) -> None:
        if progress is not None:
            progress(total - remaining, total)

    with contextlib.closing(sqlite3.connect(target, isolation_level=None)) as copied:
        source.backup(copied, pages=PAGES_AT_ONCE, progress=report)


def copy_beside(path: Path, target: Path) -> None:
    """Make `target`, beside the database `path`, a copy of its committed state: whole on the disk, or not at all.

    Raises sqlite3.Error, OSError.
    """
    draft = target.with_name(f"{target.name}.tmp")
    draft.unlink(missing_ok=True)
    try:
        with reading(path) as source:
            copy(source, draft)
        sync_file(draft)
        draft.replace(target)
        sync_folder(target.parent)
    finally:
        draft.unlink(missing_ok=True)


def sync_file(path: Path) -> None:
    """Wait until the content of a file is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk, where the system can do that."""
    with contextlib.suppress(OSError):
        sync_file(folder)


def is_busy(error: sqlite3.Error) -> bool:
    """Whether SQLite says that another connection has what is wanted."""
    return _code(error) in _BUSY


def is_damaged(error: sqlite3.Error) -> bool:
    """Whether SQLite says that the file is damaged or no database, and not that it cannot be had just then."""
    return _code(error) in _DAMAGED


def is_unwritable(error: sqlite3.Error) -> bool:
    """Whether SQLite says that it may not write here, or cannot open the file."""
    return _code(error) in _UNWRITABLE


def explained(path: Path, error: sqlite3.Error, *, damaged: str, waited_s: float) -> StoreError:
    """The error that says what is wrong and what to do. `damaged` is the advice for a file that is damaged."""
    code = _code(error)
    if is_busy(error):
        return StoreError(
            f"{path} is in use by another program, which did not let go of it for {waited_s:.0f} s; "
            "the file is fine: try again when the other program is done"
        )
    if is_unwritable(error):
        return StoreError(f"{path} cannot be written ({error}); see who may write it with: ls -l {path}")
    if code == sqlite3.SQLITE_FULL:
        return StoreError(f"{path} was not changed: the disk is full; free some space and try again")
    if is_damaged(error):
        return StoreError(f"{path} is damaged ({error}); {damaged}")
    return StoreError(f"{path} cannot be used ({error}); see what is wrong with: citewire doctor")


def _connect(path: Path, how: str, wait_s: float) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?{how}", uri=True, timeout=wait_s, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _code(error: sqlite3.Error) -> int | None:
    """SQLite's primary result code."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF
