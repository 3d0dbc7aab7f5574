"""Replace: put another database in the place of the one in a home, completely or not at all, while others have it open.

Its content is copied into the file that is there, in one transaction: each reader sees the old or the new, and the new
at its next read. A file that cannot take the copy, because it is damaged or no database, is exchanged for the new file
instead. A record is written first, so that whoever opens the home next can finish after a kill:

    index.sqlite.new         the new database, complete and on the disk
    index.sqlite.replacing   the record: once it is there, the new database counts

Knows no tables.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from typing import TYPE_CHECKING

from index import database
from index.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

COMPANIONS = ("-wal", "-shm", "-journal")
"""Files that SQLite keeps beside a database. They must never be read with another database."""
COPY_WAIT_S = 60.0
"""How long to wait for another program that has the database locked, as index.store.connections does."""
_HEADER = b"SQLite format 3\0"


def put_in_place(new: Path, path: Path, *, keep_old: bool, keep_new: bool = False) -> None:
    """Give the database `path` the content of `new`. The caller holds the home's write lock.

    With `keep_old`, what was there stays beside it with ".old" in its name; with `keep_new`, `new` stays as well.
    Raises StoreError, OSError; then the old one is unchanged, unless the record was written already.
    """
    if path.is_dir():
        raise StoreError(f"{path} is a folder, not a database; move it away, then run the command again")
    _empty_log(new)
    if keep_old and path.exists():
        _keep(path)
    if not _copied(new, path):
        staged = _beside(path, ".new")
        if keep_new:
            _copy_file(new, staged)
        else:
            database.sync_file(new)
            new.replace(staged)
        database.sync_folder(path.parent)
        _write_record(path)
        finish(path)


def is_unfinished(path: Path) -> bool:
    """Whether a replacement of the database `path` was begun and must be finished before it is opened."""
    return _beside(path, ".replacing").exists()


def finish(path: Path) -> None:
    """Finish a replacement that was recorded. The caller holds the write lock.

    Each step can be repeated. The record is deleted last: until then nobody opens the database.
    """
    staged = _beside(path, ".new")
    if staged.exists():
        _forget_companions(path)
        staged.replace(path)
    # Who had the old file open may have made them anew meanwhile.
    _forget_companions(path)
    database.sync_folder(path.parent)
    _beside(path, ".replacing").unlink(missing_ok=True)
    database.sync_folder(path.parent)


def forget_unrecorded(path: Path) -> None:
    """Delete the files of a replacement that was killed before its record. The caller holds the write lock."""
    if not is_unfinished(path):
        _beside(path, ".new").unlink(missing_ok=True)
        for draft in (*path.parent.glob(f"{path.name}.old*.tmp"), *path.parent.glob(f"{path.name}.replacing.tmp")):
            draft.unlink(missing_ok=True)


def _copied(new: Path, path: Path) -> bool:
    """Copy the content of `new` into the database `path`; False if `path` is damaged or of another page size."""
    try:
        if not path.is_file() or _page_size(path) != _page_size(new):
            return False
        with (
            contextlib.closing(_connected(new)) as source,
            contextlib.closing(_connected(path)) as target,
        ):
            # Pages that are cut off the end, or lie free, keep no text.
            target.execute("PRAGMA secure_delete = ON")
            # The copy waits for another writer without end; this gives up after COPY_WAIT_S.
            with database.transaction(target, "IMMEDIATE"):
                pass
            source.backup(target)
            _checkpoint(target)
    except sqlite3.Error as error:
        if database.is_damaged(error):
            return False
        raise database.explained(path, error, damaged="run: citewire index rebuild", waited_s=COPY_WAIT_S) from error
    return True


def _checkpoint(target: sqlite3.Connection) -> None:
    """Remove old text from the write-ahead log. If a reader is busy, the next publication does it."""
    target.execute("PRAGMA busy_timeout = 100")
    with contextlib.suppress(sqlite3.OperationalError):
        target.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _empty_log(new: Path) -> None:
    """Move everything from the log of a closed database into its main file."""
    with contextlib.closing(_connected(new)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    _forget_companions(new)


def _keep(path: Path) -> None:
    """Copy the old database to a file with ".old" in its name, byte for byte if it is damaged."""
    old = _beside(path, ".old")
    try:
        database.copy_beside(path, old)
        _forget_companions(old)
    except sqlite3.Error as error:
        if not (database.is_damaged(error) and path.is_file()):
            raise database.explained(path, error, damaged="move it away", waited_s=COPY_WAIT_S) from error
        for companion in ("", *COMPANIONS):
            file = path.with_name(f"{path.name}{companion}")
            if file.exists():
                _copy_file(file, old.with_name(f"{old.name}{companion}"))


def _copy_file(file: Path, target: Path) -> None:
    draft = target.with_name(f"{target.name}.tmp")
    try:
        shutil.copyfile(file, draft)
        draft.chmod(0o600)
        database.sync_file(draft)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def _write_record(path: Path) -> None:
    record = _beside(path, ".replacing")
    draft = record.with_name(f"{record.name}.tmp")
    draft.touch(mode=0o600)
    draft.write_text("index.sqlite.new takes the place of index.sqlite; the next command finishes it\n")
    database.sync_file(draft)
    draft.replace(record)
    database.sync_folder(path.parent)


def _connected(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=COPY_WAIT_S, isolation_level=None
    )
    try:
        connection.execute("PRAGMA journal_mode = WAL")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _page_size(path: Path) -> int:
    """The page size that the header of a database says; 0 for a file that has none."""
    with path.open("rb") as file:
        header = file.read(18)
    return int.from_bytes(header[16:18], "big") if header.startswith(_HEADER) and len(header) == 18 else 0


def _forget_companions(path: Path) -> None:
    for companion in COMPANIONS:
        path.with_name(f"{path.name}{companion}").unlink(missing_ok=True)


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(f"{path.name}{ending}")
