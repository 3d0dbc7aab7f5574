"""Store: articles, passages, sentence vectors and the word index in one SQLite file, the one truth on disk.

Readers see one generation through a transaction; the writer publishes the next one in a single transaction, so a
kill at any instant leaves a whole generation. Vectors are saved while they are computed, before the articles that
need them are published: an interrupted run keeps them, and no query sees them. This package knows no FAISS, no
embedder and no file formats.

    schema       the tables
    connections  connections to the file, which a rebuild or restore may replace
    generation   what can be read: sources, articles, passages; with their `words` and `vectors`
    postings     what was read of the word index, kept for the next search
    writer       what a change writes
    rows         all that there is of some articles, for another database
    check        whether every row is as it was written
    migrate      layout 1, 2 or 3 → 4
"""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import TYPE_CHECKING

from index import database, location
from index.checksum import vector_checksums
from index.errors import LayoutError, StoreError
from index.home import opener
from index.store import check, migrate, rows, schema, writer
from index.store.check import Fault
from index.store.connections import MARKER, Connections, empty_log, lost, traces, write_ahead_log
from index.store.generation import Generation, StoredPassage
from index.store.postings import LastPostings
from index.store.schema import LAYOUT, MEND, REBUILD
from index.store.words import maker

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from index.change import Change
    from index.store.rows import Rows

__all__ = ["LAYOUT", "MEND", "Fault", "Generation", "Store", "StoredPassage"]


class Store:
    """The SQLite file in a home. Any thread may read; `publish` and `save_vectors` belong to one writer."""

    def __init__(self, path: Path, *, embedder: str, generation: int = 0) -> None:
        """Open `path`, or create it, empty and with this generation. Raises LayoutError or StoreError; then nothing
        was changed."""
        self.path = path
        self.embedder = embedder
        self._connections = Connections(self, path)
        self._postings = LastPostings()
        try:
            with self._connections.connection(create=not self._connections.is_there()) as connection:
                self._prepare(connection, generation)
        except BaseException:
            self.close()
            raise

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._connections.closed

    def close(self) -> None:
        """Close every idle connection; one in use closes when it is given back. In a forked process nothing is done."""
        self._connections.close()

    @contextlib.contextmanager
    def read(self) -> Iterator[Generation]:
        """One generation, unchanged for as long as the block lasts, whatever a writer does meanwhile.

        Raises LayoutError when another Citewire, or another embedder, has made the database anew meanwhile.
        """
        try:
            with (
                self._connections.connection() as connection,
                database.transaction(connection, "DEFERRED"),
            ):
                generation = Generation(connection, self._postings)
                self._refuse_other(connection)
                yield generation
        except (TypeError, ValueError, LookupError, OverflowError) as error:
            # What was altered may be of another type, or miss what it refers to.
            found = self.check()
            if found:
                raise StoreError(f"{self.path} was altered: {found[0]}; {MEND}") from error
            raise

    def save_vectors(self, keys: Sequence[bytes], matrix: NDArray[np.float32]) -> None:
        """Keep computed vectors, `matrix` of shape (len(keys), dimension); no query sees them before `publish`."""
        values = [row.tobytes() for row in matrix]
        rows = zip(keys, values, vector_checksums(keys, values), strict=True)
        with self._connections.connection() as connection, database.transaction(connection, "IMMEDIATE"):
            self._refuse_other(connection)
            self._refuse_altered(connection)
            _refuse_another_length(connection, matrix)
            connection.executemany(
                "INSERT INTO vector (key, value, checksum) VALUES (?, ?, ?) "
                "ON CONFLICT (key) DO UPDATE SET value = excluded.value, checksum = excluded.checksum",
                rows,
            )
            schema.set_meta(connection, "embedder", self.embedder)
            schema.seal(connection)

    def publish(self, change: Change) -> int:
        """Apply `change` in one transaction and return the generation that then is current.

        Every sentence of `change.put` must have its vector saved. What no article uses any more is deleted
        and its bytes overwritten.
        """
        with self._connections.connection() as connection:
            with database.transaction(connection, "IMMEDIATE"):
                self._refuse_other(connection)
                self._refuse_altered(connection)
                writer.write_sources(connection, change)
                generation = int(schema.meta(connection)["generation"])
                if change:
                    if writer.write_articles(connection, change):
                        self._forget_copies()
                    generation += 1
                    schema.set_meta(connection, "generation", str(generation))
                writer.write_edits(connection, change)
                writer.write_places(connection, change)
                if change.rules is not None:
                    schema.set_meta(connection, "rules", str(change.rules))
                schema.seal(connection)
            if change:
                empty_log(connection)
        return generation

    def rows(self, article_ids: Collection[str]) -> Rows:
        """All that there is of these articles, for `copy_in` of another database."""
        with self._connections.connection() as connection, database.transaction(connection, "DEFERRED"):
            return rows.read(connection, article_ids)

    def digests(self) -> dict[str, bytes]:
        """Article id → a digest of all that there is of it: the same in two databases that have the same of it."""
        with self._connections.connection() as connection, database.transaction(connection, "DEFERRED"):
            return rows.digests(connection)

    def documents(self) -> dict[str, str]:
        """Article id → the id of the first added of those that have to be in one database with it: copies, versions."""
        with self._connections.connection() as connection, database.transaction(connection, "DEFERRED"):
            return rows.documents(connection)

    def inherited(self) -> dict[str, str]:
        """What is known of the articles as a whole, such as their languages, for `copy_in` of another database."""
        with self._connections.connection() as connection, database.transaction(connection, "DEFERRED"):
            return rows.inherited(connection)

    def copy_in(
        self, copied: Sequence[Rows], *, drop: Collection[str] = (), meta: Mapping[str, str] | None = None
    ) -> None:
        """Drop articles, and put or replace others with `rows` of another database, in one transaction, as the next
        generation. `meta` is what is known of the articles as a whole, if there are no rows that say it."""
        with self._connections.connection() as connection:
            with database.transaction(connection, "IMMEDIATE"):
                self._refuse_other(connection)
                self._refuse_altered(connection)
                gone = {*drop, *rows.replaced(connection, copied)}
                writer.delete_articles(connection, gone)
                rows.delete_beside(connection, gone)
                for some in copied:
                    rows.insert(connection, some)
                writer.forget_unused_vectors(connection)
                for key, value in (meta or {}).items():
                    schema.set_meta(connection, key, value)
                generation = int(schema.meta(connection)["generation"]) + 1
                schema.set_meta(connection, "generation", str(generation))
                schema.seal(connection)
            empty_log(connection)

    def succeed(self, generation: int) -> None:
        """Make this database another one, which comes after `generation` of the one that it is to replace."""
        with self._connections.connection() as connection, database.transaction(connection, "IMMEDIATE"):
            number = max(generation, int(schema.meta(connection)["generation"])) + 1
            schema.set_meta(connection, "generation", str(number))
            schema.set_meta(connection, "database", secrets.token_hex(16))
            schema.seal(connection)

    def check(self) -> list[Fault]:
        """Everything in the database that is not as it was written; empty when it is sound."""
        with self._connections.connection() as connection:
            with database.transaction(connection, "DEFERRED"):
                found = check.faults(connection)
            return found + check.word_index_faults(connection)

    def _prepare(self, connection: sqlite3.Connection, generation: int) -> None:
        """Make the tables of a new database, or migrate those of an older layout."""
        layout = schema.layout(connection)
        if layout == 0 and schema.is_empty(connection):
            with database.transaction(connection, "EXCLUSIVE"):
                if schema.is_empty(connection):
                    # What is in the log of a file with a first page is of a process that was killed here.
                    if set(traces(self.path)) - {write_ahead_log(self.path).name}:
                        raise StoreError(lost(self.path))
                    for statement in schema.STATEMENTS:
                        connection.execute(statement)
                    schema.set_meta(connection, "generation", str(generation))
                    schema.set_meta(connection, "database", secrets.token_hex(16))
                    schema.set_meta(connection, "words", maker())
                    schema.seal(connection)
        elif migrate.OLDEST <= layout < LAYOUT:
            self._migrate(connection)
        self._refuse_other(connection)
        self._renew_words(connection)
        with contextlib.suppress(OSError):  # where nothing can be written, nothing can be lost either
            marker = self.path.with_name(MARKER)
            if not marker.exists():
                with open(marker, "w", opener=opener) as file:
                    file.write(f"{schema.meta(connection)['database']}\n")

    def _refuse_altered(self, connection: sqlite3.Connection) -> None:
        """Raise StoreError if a writer would give a right checksum to what was altered."""
        if schema.meta(connection).get("checksum") != schema.meta_checksum(connection):
            raise StoreError(f"{self.path} was altered: its generation, embedder or last ids; {MEND}")

    def _refuse_other(self, connection: sqlite3.Connection) -> None:
        """Raise LayoutError unless this Citewire, with this embedder, can use what the transaction sees."""
        layout = schema.layout(connection)
        if layout != LAYOUT:
            raise LayoutError(f"{self.path} has layout {layout}, this Citewire reads layout {LAYOUT}; {REBUILD}")
        built_with = schema.meta(connection).get("embedder", self.embedder)
        if built_with != self.embedder:
            raise LayoutError(
                f"{self.path} was built with {built_with}, not {self.embedder}; name that one in CITEWIRE_EMBEDDER, or "
                f"{REBUILD}"
            )

    def _migrate(self, connection: sqlite3.Connection) -> None:
        """Bring an older layout to LAYOUT, after a copy of the whole database was made beside it."""
        if not os.access(self.path, os.W_OK) or not os.access(self.path.parent, os.W_OK):
            raise StoreError(
                f"{self.path} is of an older layout, which must be migrated, and cannot be written; "
                f"see who may write it with: ls -l {self.path}"
            )
        with database.transaction(connection, "IMMEDIATE"):
            layout = schema.layout(connection)
            if layout == LAYOUT:  # another process was quicker
                return
            (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            if found != "ok":
                raise StoreError(f"{self.path} is damaged ({' '.join(found.split())}); {REBUILD}")
            database.copy_beside(self.path, self.path.with_name(f"{self.path.name}.layout-{layout}"))
            migrate.migrate(connection, lambda uri: location.migrated(uri, self.path.parent))
            schema.set_meta(connection, "database", secrets.token_hex(16))
            schema.seal(connection)
            connection.execute(f"PRAGMA user_version = {LAYOUT}")

    def _renew_words(self, connection: sqlite3.Connection) -> None:
        """Make the word index again if other rules or stemmers made it. Where nothing can be written, or what was
        altered would get a right checksum, it stays as it is."""
        if schema.meta(connection).get("words") == maker() or not os.access(self.path, os.W_OK):
            return
        with database.transaction(connection, "IMMEDIATE"):
            known = schema.meta(connection)
            if known.get("words") != maker() and known.get("checksum") == schema.meta_checksum(connection):
                migrate.renew_words(connection)

    def _forget_copies(self) -> None:
        """Delete the copies of older layouts: they hold text that is to be unreadable from here on."""
        for copy in self.path.parent.glob(f"{self.path.name}.layout-*"):
            copy.unlink(missing_ok=True)


def _refuse_another_length(connection: sqlite3.Connection, matrix: NDArray[np.float32]) -> None:
    """Raise LayoutError for vectors of another length than those that are kept: no question could be near to both."""
    row = connection.execute("SELECT length(value) FROM vector LIMIT 1").fetchone()
    if row is not None and len(matrix) and row[0] != matrix[0].nbytes:
        raise LayoutError(
            f"vectors of {matrix.shape[1]} numbers came, those of the index have {row[0] // matrix.itemsize}: the "
            f"embedder has become another; {REBUILD}"
        )
