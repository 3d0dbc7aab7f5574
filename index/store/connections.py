"""Connections: to the SQLite file of a home, whichever file that is at the moment, and whether it is there at all.

A rebuild or a restore may put another file in its place while it is open. An idle connection is used again only if it
is to the file that has the name now.
"""

from __future__ import annotations

import contextlib
import os
import queue
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING

from index import database, lock, replace
from index.checksum import checksum
from index.errors import StoreError
from index.process import Process
from index.store.schema import MEND
from index.store.words import EACH_USE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCK_WAIT_MS = 60_000
"""How long a connection waits for another program that has the database locked."""
CHECKPOINT_WAIT_MS = 100
"""How long a publication waits for readers before it empties the write-ahead log."""

MARKER = "database.id"
"""File beside the database that is made with it: a database that is not there was lost if its marker is."""


class Connections:
    """The connections of one store. Any thread may take one."""

    def __init__(self, holder: object, path: Path) -> None:
        """For the store `holder`. Raises ForkError if the process was forked while the database was open."""
        self.path = path
        self.closed = False
        self._idle: queue.SimpleQueue[_Open] = queue.SimpleQueue()
        self._process = Process(holder, f"the index in {path.parent}", path=path)

    def close(self) -> None:
        """Close every idle connection; one in use closes when it is given back. In a forked process nothing is done."""
        if not self._process.is_here:
            return
        self._process.close()
        self.closed = True
        with contextlib.suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()

    @contextlib.contextmanager
    def connection(self, *, create: bool = False) -> Iterator[sqlite3.Connection]:
        """A connection for the block; with `create`, the file is made. Raises StoreError."""
        self._process.check()
        if self.closed:
            raise StoreError(f"{self.path} was closed; open the index again")
        try:
            taken = self._connect(create=True) if create else self._take()
            try:
                yield taken.connection
            finally:
                self._give_back(taken)
        except sqlite3.Error as error:
            raise database.explained(self.path, error, damaged=MEND, waited_s=LOCK_WAIT_MS / 1000) from error

    def is_there(self) -> bool:
        """Whether the database is there. Raises StoreError if it should be and is not."""
        lock.finish_replacement(self.path)
        if self.path.is_dir():
            raise StoreError(f"{self.path} is a folder, not a database; move it away, then open the index again")
        # Another process may be making it just now, and the marker comes last.
        if _size(self.path) == 0 and traces(self.path) and _size(self.path) == 0:
            raise StoreError(lost(self.path))
        return _size(self.path) > 0

    def _take(self) -> _Open:
        with contextlib.suppress(queue.Empty):
            while True:
                taken = self._idle.get_nowait()
                if taken.file == self._file(closely=taken.is_read_only):
                    return taken
                taken.close()
        return self._connect()

    def _give_back(self, taken: _Open) -> None:
        if self.closed:
            taken.close()
        else:
            self._idle.put(taken)

    def _connect(self, *, create: bool = False) -> _Open:
        while True:
            lock.finish_replacement(self.path)
            opened = self._open(create=create)
            # A file that was replaced meanwhile must not be written to by its new name.
            if not replace.is_unfinished(self.path) and opened.file == self._file(closely=opened.is_read_only):
                return opened
            opened.close()

    def _open(self, *, create: bool) -> _Open:
        if not create:
            self._file()  # raises if it is gone
        closing = contextlib.ExitStack()
        is_read_only = False
        try:
            try:
                connection = _writable(self.path, create=create)
            except sqlite3.Error as error:
                if not (database.is_unwritable(error) and self.path.is_file()):
                    raise
                is_read_only = True
                connection = closing.enter_context(database.open_read_only(self.path, wait_s=LOCK_WAIT_MS / 1000))
            else:
                closing.callback(connection.close)
            # Altered text may be no valid Unicode; it is read all the same, and its checksum shows the change.
            connection.text_factory = _text
            connection.create_function("checksum", -1, checksum, deterministic=True)
            _add_views(connection, is_read_only=is_read_only)
            return _Open(connection, self._file(closely=is_read_only), closing, is_read_only)
        except BaseException:
            closing.close()
            raise

    def _file(self, *, closely: bool = False) -> tuple[int, ...]:
        """What distinguishes the file from another one of this name; `closely`, also from itself with other content."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            raise StoreError(lost(self.path)) from None
        if not closely:
            return found.st_dev, found.st_ino
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, _size(write_ahead_log(self.path))


@dataclass(frozen=True, slots=True)
class _Open:
    """A connection, with the file that it is to."""

    connection: sqlite3.Connection
    file: tuple[int, ...]
    closing: contextlib.ExitStack
    is_read_only: bool

    def close(self) -> None:
        """Close it, with whatever was opened for it."""
        self.closing.close()


def traces(path: Path) -> list[str]:
    """Names of files in the home that are made after its database: if it is missing and they are not, it was lost."""
    folder = path.parent
    beside = [file for file in folder.glob(f"{path.name}.*") if file.suffix not in (".tmp", ".new")]
    found = [folder / MARKER, *sorted(folder.glob("vectors-*.faiss")), *sorted(beside)]
    log = write_ahead_log(path)
    return [file.name for file in found if file.exists()] + [log.name] * bool(_size(log))


def lost(path: Path) -> str:
    """The message about a database that is gone."""
    beside = ", ".join(traces(path)[:3])
    return (
        f"the database {path} is gone{f', while {beside} is still there' if beside else ''}. Put it back, or restore "
        "a backup: citewire restore FILE; or begin anew: citewire index rebuild"
    )


def write_ahead_log(path: Path) -> Path:
    """The file in which SQLite keeps what was committed and is not yet in the database itself."""
    return path.with_name(f"{path.name}-wal")


def empty_log(connection: sqlite3.Connection) -> None:
    """Empty the write-ahead log after a publication: its old pages would keep removed text readable.

    A busy reader puts it off to the next publication; waiting long for it would hold up this one.
    """
    connection.execute(f"PRAGMA busy_timeout = {CHECKPOINT_WAIT_MS}")
    with contextlib.suppress(sqlite3.OperationalError):
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.execute(f"PRAGMA busy_timeout = {LOCK_WAIT_MS}")


def _writable(path: Path, *, create: bool) -> sqlite3.Connection:
    how = "rwc" if create else "rw"
    if create:
        # SQLite gives the files beside a database its mode. If it cannot be made, SQLite says why below.
        with contextlib.suppress(OSError):
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={how}",
        uri=True,
        timeout=LOCK_WAIT_MS / 1000,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except UnicodeDecodeError as error:  # SQLite quotes damaged names in its message
        connection.close()
        raise StoreError(f"{path} is damaged (malformed database schema); {MEND}") from error
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _add_views(connection: sqlite3.Connection, *, is_read_only: bool) -> None:
    """Make what this connection alone has. None of it is written to the database, but SQLite refuses even that to one
    that only reads."""
    if is_read_only:
        connection.execute("PRAGMA query_only = OFF")
    connection.execute(EACH_USE)
    if is_read_only:
        connection.execute("PRAGMA query_only = ON")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _text(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")
