"""Store: articles, passages, sentence vectors and the word index in one SQLite file, the one truth on disk.

Readers see one generation through a transaction; the writer publishes the next one in a single transaction, so a
kill at any instant leaves a whole generation. Vectors are saved while they are computed, before the articles that
need them are published: an interrupted run keeps them, and no query sees them. This file knows no FAISS, no
embedder and no file formats.

    meta      the random id of this database, the number of its generation, and the embedder of its vectors
    root      what the user asked to be indexed: folders, files, pages and feeds, read again by a bare sync
    origin    one row per file or address read: its fingerprint, whether the user removed it, and the feed it came by
    article   clean text and metadata;  passage  spans of it;  sentence  spans of a passage, each with a vector
    story     keys by which an article that repeats another is found; the copy has no passages (index/original.py)
    vector    one row per distinct sentence text, by hash: an edit embeds only what is new

Every row has a checksum, or follows from rows that have one (index/checksum.py), so that altered bytes are noticed.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import os
import queue
import secrets
import sqlite3
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from index import check, database, location, migrate, replace
from index.article import Article, Span
from index.check import APPLICATION_ID
from index.checksum import checksum, passage_checksum, vector_checksums, vector_key, verified_vectors
from index.duplicate import joined, split
from index.errors import LayoutError, StoreError
from index.home import opener
from index.process import Process

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from index.check import Fault
    from index.filters import Filter
    from index.passage import Passage

LAYOUT = 2
"""Version of the tables below, kept in SQLite's user_version."""

OCCURRENCE_WEIGHT = 2.0
"""Weight of an occurrence in BM25, in title and text alike. Twice the weight is half of k1, which FTS5 fixes at 1.2:
passages are short, so a word repeated says little more than one said once (docs/experiments.md)."""

BM25_K1, BM25_LEAST_RARITY = 1.2, 1e-6
"""What FTS5 has in its bm25()."""
ENOUGH = 2048
"""Passages with a rarer word of a query, besides which those that hold only common ones are not scored. Of the 32 best
of 29,000 passages, 1 in 1,000 is missed so (docs/experiments.md)."""

SHARING = 1000
"""Articles with one key that are looked at beside those wanted."""
LOCK_WAIT_MS = 60_000
CHECKPOINT_WAIT_MS = 100

REBUILD = "run: citewire index rebuild"
MEND = "to mend it: citewire index check --repair; to make it anew: citewire index rebuild"

MARKER = "database.id"
"""File beside the database that is made with it: a database that is not there was lost if its marker is."""

_SCHEMA = f"""
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {LAYOUT};
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES ('generation', '0');
CREATE TABLE root (uri TEXT PRIMARY KEY, checksum BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE origin (
    uri TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, excluded INTEGER NOT NULL, feed TEXT, checksum BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE article (
    id TEXT PRIMARY KEY, origin TEXT, text TEXT NOT NULL,
    title TEXT, source TEXT, url TEXT, published TEXT, author TEXT, updated TEXT, language TEXT,
    keys BLOB NOT NULL, copy_of TEXT, superseded_by TEXT, passages BLOB NOT NULL, checksum BLOB NOT NULL
);
CREATE INDEX article_origin ON article (origin);
CREATE INDEX article_copy ON article (copy_of);
CREATE INDEX article_version ON article (superseded_by);
CREATE TABLE story (key BLOB NOT NULL, article_id TEXT NOT NULL, PRIMARY KEY (key, article_id)) WITHOUT ROWID;
CREATE TABLE passage (
    id INTEGER PRIMARY KEY AUTOINCREMENT, article_id TEXT NOT NULL, start INTEGER NOT NULL, end INTEGER NOT NULL,
    checksum BLOB NOT NULL
);
CREATE INDEX passage_article ON passage (article_id);
CREATE TABLE sentence (
    passage_id INTEGER NOT NULL, start INTEGER NOT NULL, end INTEGER NOT NULL, vector_id INTEGER NOT NULL,
    PRIMARY KEY (passage_id, start)
) WITHOUT ROWID;
CREATE INDEX sentence_vector ON sentence (vector_id, passage_id);
CREATE TABLE vector (
    id INTEGER PRIMARY KEY AUTOINCREMENT, key BLOB NOT NULL UNIQUE, value BLOB NOT NULL,
    checksum BLOB NOT NULL DEFAULT x''
);
CREATE VIRTUAL TABLE words USING fts5 (
    title, text, content = '', tokenize = 'porter unicode61 remove_diacritics 2'
);
"""

_Value = TypeVar("_Value", int, bytes, str)

_ARTICLE = "id, text, title, source, url, published, author, updated, language"
_FIELDS = len(_ARTICLE.split(", "))
_ROW = check.ROW


@dataclass(frozen=True, slots=True)
class StoredPassage:
    """A passage with the article it is cut from and the vector id of each sentence."""

    id: int
    article_id: str
    start: int
    end: int
    sentences: tuple[tuple[Span, int], ...]


@dataclass(frozen=True, slots=True)
class _Article:
    """An article as it is kept."""

    article: Article
    origin: str | None
    keys: bytes
    copy_of: str | None
    superseded_by: str | None


@dataclass(slots=True)
class Put:
    """An article to add or replace, with the file or address it came from (None when handed in by the caller).

    `keys` are those of index.duplicate. `copy_of` is the id of its original, which then has its passages;
    `superseded_by` that of a newer version of the same document. index.original.settle sets them.
    """

    article: Article
    origin: str | None
    keys: tuple[bytes, ...]
    copy_of: str | None = None
    passages: tuple[Passage, ...] = ()
    superseded_by: str | None = None


@dataclass(slots=True)
class Change:
    """Everything one generation changes; `Store.publish` applies it as a whole.

    `put` replaces or adds articles. `drop` holds article ids. `origins` are fingerprints of what was read, `feeds`
    says which of them came by which feed. `superseded` says of articles that stay as they are otherwise which newer
    version there is, if any. `rules` is index.original.RULES when all articles were settled anew.
    """

    put: list[Put] = field(default_factory=list)
    drop: set[str] = field(default_factory=set)
    superseded: dict[str, str | None] = field(default_factory=dict)
    rules: int | None = None
    origins: dict[str, str] = field(default_factory=dict)
    feeds: dict[str, str] = field(default_factory=dict)
    forget_origins: set[str] = field(default_factory=set)
    exclude_origins: set[str] = field(default_factory=set)
    roots: list[str] = field(default_factory=list)
    forget_roots: set[str] = field(default_factory=set)

    def __bool__(self) -> bool:
        """Whether searches would see a difference."""
        return bool(self.put or self.drop or self.superseded)


class Store:
    """The SQLite file in a home. Any thread may read; `publish` and `save_vectors` belong to one writer."""

    def __init__(self, path: Path, *, embedder: str, generation: int = 0) -> None:
        """Open `path`, or create it, empty and with this generation. Raises LayoutError or StoreError; then nothing
        was changed."""
        self.path = path
        self.embedder = embedder
        self._idle: queue.SimpleQueue[_Open] = queue.SimpleQueue()
        self._closed = False
        self._process = Process(self, f"the index in {path.parent}", path=path)
        try:
            with self._connection(create=not self._is_there()) as connection:
                self._prepare(connection, generation)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close every idle connection; one in use closes when it is given back. In a forked process nothing is done."""
        if not self._process.is_here:
            return
        self._process.close()
        self._closed = True
        with contextlib.suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()

    @contextlib.contextmanager
    def read(self) -> Iterator[Generation]:
        """One generation, unchanged for as long as the block lasts, whatever a writer does meanwhile.

        Raises LayoutError when another Citewire, or another embedder, has made the database anew meanwhile.
        """
        try:
            with self._connection() as connection, database.transaction(connection, "DEFERRED"):
                generation = Generation(connection)
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
        with self._connection() as connection, database.transaction(connection, "IMMEDIATE"):
            self._refuse_other(connection)
            self._refuse_altered(connection)
            connection.executemany(
                "INSERT INTO vector (key, value, checksum) VALUES (?, ?, ?) "
                "ON CONFLICT (key) DO UPDATE SET value = excluded.value, checksum = excluded.checksum",
                rows,
            )
            _set_meta(connection, "embedder", self.embedder)
            _seal(connection)

    def publish(self, change: Change) -> int:
        """Apply `change` in one transaction and return the generation that then is current.

        Every sentence of `change.put` must have its vector saved. What no article uses any more is deleted
        and its bytes overwritten.
        """
        with self._connection() as connection:
            with database.transaction(connection, "IMMEDIATE"):
                self._refuse_other(connection)
                self._refuse_altered(connection)
                _write_sources(connection, change)
                generation = int(_meta(connection)["generation"])
                if change:
                    replaced = {*change.drop, *(put.article.id for put in change.put)}
                    places = Generation(connection).places(replaced)
                    for article_id in places:
                        _delete_article(connection, article_id)
                    if places:
                        self._forget_copies()
                        # The word index forgets deleted words only when its segments are merged.
                        connection.execute("INSERT INTO words (words) VALUES ('optimize')")
                    # What is replaced takes its old place before new places are given.
                    for put in sorted(change.put, key=lambda put: put.article.id not in places):
                        _insert_article(connection, put, places.get(put.article.id))
                    for article_id, newer in change.superseded.items():
                        _supersede(connection, article_id, newer)
                    _sweep(connection)
                    generation += 1
                    _set_meta(connection, "generation", str(generation))
                if change.rules is not None:
                    _set_meta(connection, "rules", str(change.rules))
                _seal(connection)
            if change:
                # Old pages would keep removed text readable in the log file until the next checkpoint. A busy
                # reader puts it off to the next publication; waiting long for it would hold up this one.
                connection.execute(f"PRAGMA busy_timeout = {CHECKPOINT_WAIT_MS}")
                with contextlib.suppress(sqlite3.OperationalError):
                    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                connection.execute(f"PRAGMA busy_timeout = {LOCK_WAIT_MS}")
        return generation

    def succeed(self, generation: int) -> None:
        """Make this database another one, which comes after `generation` of the one that it is to replace."""
        with self._connection() as connection, database.transaction(connection, "IMMEDIATE"):
            number = max(generation, int(_meta(connection)["generation"])) + 1
            _set_meta(connection, "generation", str(number))
            _set_meta(connection, "database", secrets.token_hex(16))
            _seal(connection)

    def check(self) -> list[Fault]:
        """Everything in the database that is not as it was written; empty when it is sound."""
        with self._connection() as connection:
            with database.transaction(connection, "DEFERRED"):
                found = check.faults(connection, _SCHEMA.split(";\n"))
            return found + check.word_index_faults(connection)

    @contextlib.contextmanager
    def _connection(self, *, create: bool = False) -> Iterator[sqlite3.Connection]:
        self._process.check()
        if self._closed:
            raise StoreError(f"{self.path} was closed; open the index again")
        try:
            taken = self._connect(create=True) if create else self._take()
            try:
                yield taken.connection
            finally:
                self._give_back(taken)
        except sqlite3.Error as error:
            raise database.explained(self.path, error, damaged=MEND, waited_s=LOCK_WAIT_MS / 1000) from error

    def _take(self) -> _Open:
        """A connection to the file that is there: it may have been replaced since the last time."""
        with contextlib.suppress(queue.Empty):
            while True:
                taken = self._idle.get_nowait()
                if taken.file == self._file(closely=taken.is_read_only):
                    return taken
                taken.close()
        return self._connect()

    def _give_back(self, taken: _Open) -> None:
        if self._closed:
            taken.close()
        else:
            self._idle.put(taken)

    def _file(self, *, closely: bool = False) -> tuple[int, ...]:
        """What tells the file from another one of this name; `closely`, from itself with another content, too."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            raise StoreError(lost(self.path)) from None
        if not closely:
            return found.st_dev, found.st_ino
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, _size(_log(self.path))

    def _is_there(self) -> bool:
        """Whether the database is there. Raises StoreError if it should be and is not."""
        replace.finish(self.path)
        if self.path.is_dir():
            raise StoreError(f"{self.path} is a folder, not a database; move it away, then open the index again")
        # Another process may be making it just now, and the marker comes last.
        if _size(self.path) == 0 and traces(self.path) and _size(self.path) == 0:
            raise StoreError(lost(self.path))
        return _size(self.path) > 0

    def _connect(self, *, create: bool = False) -> _Open:
        while True:
            replace.finish(self.path)
            opened = self._open(create=create)
            # A file that was replaced meanwhile must not be written to by its new name.
            if not replace.is_unfinished(self.path) and opened.file == self._file(closely=opened.is_read_only):
                return opened
            opened.close()

    def _open(self, *, create: bool) -> _Open:
        if not create:
            self._file()  # says so if it is gone
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
            # Altered text may be no text any more; it is read all the same, and its checksum tells.
            connection.text_factory = _text
            connection.create_function("checksum", -1, checksum, deterministic=True)
            return _Open(connection, self._file(closely=is_read_only), closing, is_read_only)
        except BaseException:
            closing.close()
            raise

    def _prepare(self, connection: sqlite3.Connection, generation: int) -> None:
        layout = _layout(connection)
        if layout == 0 and _is_empty(connection):
            with database.transaction(connection, "EXCLUSIVE"):
                if _is_empty(connection):
                    # What is in the log of a file with a first page is of a process that was killed here.
                    if set(traces(self.path)) - {_log(self.path).name}:
                        raise StoreError(lost(self.path))
                    for statement in _SCHEMA.split(";\n"):
                        connection.execute(statement)
                    _set_meta(connection, "generation", str(generation))
                    _set_meta(connection, "database", secrets.token_hex(16))
                    _seal(connection)
        elif migrate.OLDEST <= layout < LAYOUT:
            self._migrate(connection)
        self._refuse_other(connection)
        with contextlib.suppress(OSError):  # where nothing can be written, nothing can be lost either
            marker = self.path.with_name(MARKER)
            if not marker.exists():
                with open(marker, "w", opener=opener) as file:
                    file.write(f"{_meta(connection)['database']}\n")

    def _refuse_altered(self, connection: sqlite3.Connection) -> None:
        """Raise StoreError if a writer would give a right checksum to what was altered."""
        if _meta(connection).get("checksum") != check.meta_checksum(connection):
            raise StoreError(f"{self.path} was altered: its generation, embedder or last ids; {MEND}")

    def _refuse_other(self, connection: sqlite3.Connection) -> None:
        """Raise LayoutError unless this Citewire, with this embedder, can use what the transaction sees."""
        layout = _layout(connection)
        if layout != LAYOUT:
            raise LayoutError(f"{self.path} has layout {layout}, this Citewire reads layout {LAYOUT}; {REBUILD}")
        built_with = _meta(connection).get("embedder", self.embedder)
        if built_with != self.embedder:
            raise LayoutError(f"{self.path} was built with {built_with}, not {self.embedder}; {REBUILD}")

    def _migrate(self, connection: sqlite3.Connection) -> None:
        """Bring an older layout to LAYOUT, after a copy of the whole database was made beside it."""
        if not os.access(self.path, os.W_OK) or not os.access(self.path.parent, os.W_OK):
            raise StoreError(
                f"{self.path} is of an older layout, which must be migrated, and cannot be written; "
                f"see who may write it with: ls -l {self.path}"
            )
        with database.transaction(connection, "IMMEDIATE"):
            layout = _layout(connection)
            if layout == LAYOUT:  # another process was quicker
                return
            (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            if found != "ok":
                raise StoreError(f"{self.path} is damaged ({' '.join(found.split())}); {REBUILD}")
            database.copy_beside(self.path, self.path.with_name(f"{self.path.name}.layout-{layout}"))
            migrate.migrate(connection, _SCHEMA.split(";\n"), lambda uri: location.migrated(uri, self.path.parent))
            _set_meta(connection, "database", secrets.token_hex(16))
            _seal(connection)
            connection.execute(f"PRAGMA user_version = {LAYOUT}")

    def _forget_copies(self) -> None:
        """Delete the copies of older layouts: they hold text that is to be unreadable from here on."""
        for copy in self.path.parent.glob(f"{self.path.name}.layout-*"):
            copy.unlink(missing_ok=True)


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


class Generation:
    """Queries over one generation of the store. Valid inside `Store.read`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Within a transaction of `connection`."""
        self._sql = connection
        meta = _meta(connection)
        try:
            self.number = int(meta["generation"])
            self.database = meta["database"]
            self.rules = int(meta.get("rules", 0))
        except (KeyError, ValueError) as error:
            raise StoreError(f"the number of the generation, or the id of the database, was altered; {MEND}") from error

    def roots(self) -> list[str]:
        """What the user asked to be indexed."""
        return [uri for (uri,) in self._sql.execute("SELECT uri FROM root ORDER BY uri")]

    def origins(self) -> dict[str, tuple[str, bool]]:
        """Every file or address read before: uri → (fingerprint, whether the user removed it)."""
        rows = self._sql.execute("SELECT uri, fingerprint, excluded FROM origin")
        return {uri: (fingerprint, bool(excluded)) for uri, fingerprint, excluded in rows}

    def article_counts(self) -> dict[str, int]:
        """How many articles were read from each file or address: uri → number."""
        return dict(self._sql.execute("SELECT origin, count(*) FROM article WHERE origin NOT NULL GROUP BY origin"))

    def entries(self, feed: str) -> list[str]:
        """The addresses read by way of this feed."""
        return [uri for (uri,) in self._sql.execute("SELECT uri FROM origin WHERE feed = ? ORDER BY uri", (feed,))]

    def feed_of(self, uri: str) -> str | None:
        """The feed by way of which an address was read, or None."""
        row = self._sql.execute("SELECT feed FROM origin WHERE uri = ?", (uri,)).fetchone()
        return None if row is None else row[0]

    def origin_of(self, article_id: str) -> str | None:
        """The file an article was read from, or None."""
        row = self._sql.execute("SELECT origin FROM article WHERE id = ?", (article_id,)).fetchone()
        return None if row is None else row[0]

    def article(self, article_id: str) -> Article | None:
        """One article, or None. Like all that give articles: raises StoreError for one that was altered."""
        return next((row.article for row in self._articles("WHERE id = ?", (article_id,))), None)

    def articles(self, *, origin: str | None = None) -> list[Article]:
        """All articles, or those read from one file, in the order they were added."""
        where, values = ("WHERE origin = ?", (origin,)) if origin is not None else ("", ())
        return [row.article for row in self._articles(f"{where} ORDER BY rowid", values)]

    def _articles(self, where: str, values: Sequence[str]) -> Iterator[_Article]:
        """Rows of the article table as they were written. Raises StoreError for another."""
        for *row, stored in self._sql.execute(f"SELECT {_ROW}, checksum FROM article {where}", values):
            if checksum(*row) != stored:
                raise StoreError(f"the article {row[0]!r} was altered in the database; {MEND}")
            origin, keys, copy_of, superseded_by, _ = row[_FIELDS:]
            yield _Article(Article(*row[:_FIELDS]), origin, keys, copy_of, superseded_by)

    def article_ids(self) -> list[str]:
        """The ids of all articles, the last added first."""
        return [article_id for (article_id,) in self._sql.execute("SELECT id FROM article ORDER BY rowid DESC")]

    def spans(self, article_id: str) -> list[Span]:
        """Where the passages of an article are, in order; none of a copy."""
        ids = self._sql.execute("SELECT id FROM passage WHERE article_id = ?", (article_id,)).fetchall()
        found = self.passages([passage_id for (passage_id,) in ids])
        return [Span(one.start, one.end) for one in sorted(found, key=lambda one: one.start)]

    def passage_ids(self, article_id: str) -> list[int]:
        """Ids of the passages of an article, in order."""
        query = "SELECT id FROM passage WHERE article_id = ? ORDER BY start"
        return [passage_id for (passage_id,) in self._sql.execute(query, (article_id,))]

    def listing(self) -> list[tuple[Article, int, str | None, str | None]]:
        """Every article in the order of adding, with how many passages it has, and the ids of the one it is a copy of
        and of its newer version."""
        counts = dict(self._sql.execute("SELECT article_id, count(*) FROM passage GROUP BY article_id").fetchall())
        return [
            (row.article, counts.get(row.article.id, 0), row.copy_of, row.superseded_by)
            for row in self._articles("ORDER BY rowid", ())
        ]

    def text_of(self, article_id: str) -> str | None:
        """The text of an article, or None."""
        article = self.article(article_id)
        return None if article is None else article.text

    def copies(self, article_id: str) -> list[Article]:
        """The copies of an article, in the order they were added."""
        return [row.article for row in self._articles("WHERE copy_of = ? ORDER BY rowid", (article_id,))]

    def original_of(self, article_id: str) -> str | None:
        """Id of the article that this one is a copy of; None if it is none."""
        row = self._sql.execute("SELECT copy_of FROM article WHERE id = ?", (article_id,)).fetchone()
        return None if row is None else row[0]

    def copies_put(self, article_ids: Collection[str]) -> list[Put]:
        """All copies of these articles, as they would be put again."""
        return [
            put for chunk in _chunks(list(article_ids)) for put in self._puts(f"copy_of IN ({_marks(chunk)})", chunk)
        ]

    def puts(self, article_ids: Collection[str] | None = None) -> list[Put]:
        """These articles, or all, as they would be put again."""
        if article_ids is None:
            return self._puts("TRUE", ())
        return [put for chunk in _chunks(list(article_ids)) for put in self._puts(f"id IN ({_marks(chunk)})", chunk)]

    def _puts(self, where: str, values: Sequence[str]) -> list[Put]:
        return [
            Put(row.article, row.origin, split(row.keys), row.copy_of, superseded_by=row.superseded_by)
            for row in self._articles(f"WHERE {where} ORDER BY rowid", values)
        ]

    def versions(self, article_ids: Collection[str]) -> dict[str, str | None]:
        """Every version of the documents of these articles, with the id of the newest; None for the newest itself.

        Articles of which there are no other versions are left out, and copies.
        """
        chunks = _chunks(list(article_ids))
        newest = {
            name
            for chunk in chunks
            for (name,) in self._sql.execute(
                f"SELECT coalesce(superseded_by, id) FROM article WHERE id IN ({_marks(chunk)})", chunk
            )
        }
        older = {
            name: superseded_by
            for chunk in _chunks(list(newest))
            for name, superseded_by in self._sql.execute(
                f"SELECT id, superseded_by FROM article WHERE superseded_by IN ({_marks(chunk)})", chunk
            )
        }
        return {**dict.fromkeys(older.values()), **older}

    def places(self, article_ids: Collection[str]) -> dict[str, int]:
        """Article id → place in the order of adding, of those of `article_ids` that there are."""
        return {
            article_id: place
            for chunk in _chunks(list(article_ids))
            for article_id, place in self._sql.execute(
                f"SELECT id, rowid FROM article WHERE id IN ({_marks(chunk)})", chunk
            )
        }

    def sharing(self, keys: Sequence[bytes], *, leaving: Collection[str], k: int) -> dict[bytes, list[str]]:
        """For each of `keys`, the ids of up to `k` originals that have it, `leaving` apart."""
        # As many more are looked at as may be leaving, but no more: a key may be that of thousands.
        query = f"SELECT article_id FROM story WHERE key = ? LIMIT {k + min(len(leaving), SHARING)}"
        return {key: [name for (name,) in self._sql.execute(query, (key,)) if name not in leaving][:k] for key in keys}

    def vector_ids(self, keys: Collection[bytes]) -> dict[bytes, int]:
        """Ids of those of `keys` whose vectors are kept already, as they were written."""
        return {
            key: vector_id
            for chunk in _chunks(list(keys))
            for key, value, stored, vector_id in self._sql.execute(
                f"SELECT key, value, checksum, id FROM vector WHERE key IN ({_marks(chunk)})", chunk
            )
            if verified_vectors([key], [value], [stored]) is not None
        }

    def vector_ids_in_use(self) -> NDArray[np.int64]:
        """Ids of the vectors of every sentence of this generation, ascending, shape (n,)."""
        return _ids(self._sql.execute("SELECT DISTINCT vector_id FROM sentence ORDER BY vector_id"))

    def vectors(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """The unit vectors with these ids, shape (len(ids), dimension), in the order of `ids`."""
        found: dict[int, tuple[bytes, bytes, bytes]] = {}
        for chunk in _chunks(ids.tolist()):
            rows = self._sql.execute(
                f"SELECT id, key, value, checksum FROM vector WHERE id IN ({_marks(chunk)})", chunk
            )
            found.update({vector_id: row for vector_id, *row in rows})
        wanted = ids.tolist()
        if len(found) == len(wanted) or all(vector_id in found for vector_id in wanted):
            keys, values, stored = zip(*(found[vector_id] for vector_id in wanted), strict=True)
            matrix = verified_vectors(keys, values, stored)
            if matrix is not None:
                return matrix
        raise self._altered_vectors(
            [one for one in wanted if one not in found or verified_vectors(*([part] for part in found[one])) is None]
        )

    def _altered_vectors(self, vector_ids: Sequence[int]) -> StoreError:
        """An error that names an article with such a vector."""
        row = self._sql.execute(
            "SELECT article_id FROM sentence JOIN passage ON passage.id = passage_id WHERE vector_id = ?",
            vector_ids[:1],
        ).fetchone()
        whose = "no article" if row is None else f"the article {row[0]!r}"
        return StoreError(f"{len(vector_ids)} vectors, one of them of {whose}, were altered or are missing; {MEND}")

    def similarities(self, wordings: Sequence[NDArray[np.float32]], vector_ids: Collection[int]) -> dict[int, float]:
        """Cosine similarity of each of these vectors to the nearest of `wordings`, each of shape (dimension,); exact,
        not the index's."""
        ids = np.fromiter(vector_ids, dtype=np.int64, count=len(vector_ids))
        if not len(ids):
            return {}
        ids.sort()  # neighbours share pages
        nearest = (self.vectors(ids) @ np.stack(wordings, axis=1)).max(axis=1)
        return dict(zip(ids.tolist(), nearest.tolist(), strict=True))

    def passing(self, only: Filter) -> frozenset[int]:
        """Ids of the passages whose article, or a copy of it, passes the filter, and was chosen, or a copy of it."""
        self._sql.create_function("passes", 2, only.passes, deterministic=True)
        passing = "article_id IN (SELECT coalesce(copy_of, id) FROM article WHERE passes(source, published))"
        chosen = (
            "article_id IN (SELECT coalesce(copy_of, id) FROM article WHERE id IN (SELECT value FROM json_each(?)))"
        )
        rows = (
            self._sql.execute(f"SELECT id FROM passage WHERE {passing}")
            if only.articles is None
            else self._sql.execute(
                f"SELECT id FROM passage WHERE {passing} AND {chosen}", (json.dumps(sorted(only.articles)),)
            )
        )
        return frozenset(passage_id for (passage_id,) in rows)

    def vectors_of_passages(self, passage_ids: Collection[int]) -> NDArray[np.int64]:
        """Ids of the vectors of the sentences of these passages, ascending, shape (n,)."""
        rows = self._sql.execute(
            "SELECT DISTINCT vector_id FROM sentence WHERE passage_id IN (SELECT value FROM json_each(?)) "
            "ORDER BY vector_id",
            (json.dumps(list(passage_ids)),),
        )
        return _ids(rows)

    def match(self, words: Sequence[str], k: int, *, among: Collection[int] | None = None) -> dict[int, float]:
        """The `k` passages best by BM25 for any of `words`, id → score; greater is better.

        `among` are the ids of the passages that may be found, if not all may. How rare a word is, is counted in all
        of them even so. Without it, passages that hold none but common words may be passed over, if ENOUGH others
        hold a rarer one.
        """
        if not words:
            return {}
        bm25 = f"-bm25(words, {OCCURRENCE_WEIGHT}, {OCCURRENCE_WEIGHT})"
        which = "SELECT rowid FROM words WHERE words MATCH ?" if among is None else "SELECT value FROM json_each(?)"
        chosen = self._rarest(words) if among is None else json.dumps(list(among))
        # The plus keeps SQLite from searching the word index anew for every id.
        where = "" if chosen is None else f"AND +rowid IN ({which})"
        best = f"SELECT rowid AS id, {bm25} AS score FROM words WHERE words MATCH ? {where} ORDER BY score DESC LIMIT ?"
        # One row for all: between two rows another thread may run, and this one wait for its turn.
        found, scores = self._sql.execute(
            f"SELECT json_group_array(id), json_group_array(score) FROM ({best})",
            (_any_of(words), *(() if chosen is None else (chosen,)), k),
        ).fetchone()
        return dict(zip(json.loads(found), json.loads(scores), strict=True))

    def match_phrases(self, phrases: Sequence[str], *, among: Collection[int] | None = None) -> dict[int, float]:
        """Every passage with one of `phrases`, words that follow each other in a title or a text: id → score.

        The score is BM25 for a passage of mean length that has the phrase once, whatever this one is: FTS5 would look
        for each phrase twice to know better.
        """
        if not phrases:
            return {}
        rows = "(SELECT json_group_array(rowid) FROM words WHERE words MATCH ?)"
        passages, *found = self._sql.execute(
            f"SELECT (SELECT count(*) FROM passage){f', {rows}' * len(phrases)}", [f'"{phrase}"' for phrase in phrases]
        ).fetchone()
        scores: dict[int, float] = {}
        for ids in map(json.loads, found):
            rarity = max(math.log((passages - len(ids) + 0.5) / (len(ids) + 0.5)), BM25_LEAST_RARITY)
            score = rarity * OCCURRENCE_WEIGHT * (BM25_K1 + 1) / (OCCURRENCE_WEIGHT + BM25_K1)
            for passage_id in ids:
                scores[passage_id] = scores.get(passage_id, 0.0) + score
        return scores if among is None else {one: score for one, score in scores.items() if one in among}

    def _rarest(self, words: Sequence[str]) -> str | None:
        """The rarest of `words`, as a search for any of them, that ENOUGH passages hold; None if that is all."""
        count = "(SELECT count(*) FROM words WHERE words MATCH ?)"
        counts = self._sql.execute(
            f"SELECT {', '.join([count] * len(words))}", [f'"{word}"' for word in words]
        ).fetchone()
        by_rarity = sorted(zip(counts, words, strict=True))
        for last, held in enumerate(itertools.accumulate(number for number, _ in by_rarity), start=1):
            if held >= ENOUGH and last < len(words):
                return _any_of([word for _, word in by_rarity[:last]])
        return None

    def passages_of_vectors(self, vector_ids: Sequence[int]) -> set[int]:
        """Ids of the passages that hold a sentence with one of these vectors."""
        return {
            passage_id
            for chunk in _chunks(list(vector_ids))
            for (passage_id,) in self._sql.execute(
                f"SELECT passage_id FROM sentence WHERE vector_id IN ({_marks(chunk)})", chunk
            )
        }

    def passages(self, passage_ids: Collection[int]) -> list[StoredPassage]:
        """The passages with these ids, with their sentences."""
        # One row for all, as in `match`.
        found, sentences = self._sql.execute(
            "SELECT (SELECT json_group_array(json_array(id, article_id, start, end, hex(checksum))) FROM passage "
            "WHERE id IN (SELECT value FROM json_each(?1))), "
            "(SELECT json_group_array(json_array(passage_id, start, end, vector_id)) FROM sentence "
            "WHERE passage_id IN (SELECT value FROM json_each(?1)))",
            (json.dumps(sorted(passage_ids)),),
        ).fetchone()
        of_passage: dict[int, list[list[int]]] = {}
        for passage_id, *sentence in sorted(json.loads(sentences)):
            of_passage.setdefault(passage_id, []).append(sentence)
        passages = []
        for passage_id, article_id, start, end, stored in json.loads(found):
            rows = of_passage.get(passage_id, [])
            if passage_checksum(article_id, start, end, rows).hex() != stored.lower():
                raise StoreError(f"a passage of the article {article_id!r} was altered in the database; {MEND}")
            spans = tuple((Span(first, last), vector_id) for first, last, vector_id in rows)
            passages.append(StoredPassage(passage_id, article_id, start, end, spans))
        return passages

    def counts(self) -> dict[str, int]:
        """Rows of article, passage and sentence."""
        return {
            table: self._sql.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("article", "passage", "sentence")
        }


def traces(path: Path) -> list[str]:
    """Names of files in the home that are made after its database: without one, they say that it was lost."""
    folder = path.parent
    beside = [file for file in folder.glob(f"{path.name}.*") if file.suffix not in (".tmp", ".new")]
    found = [folder / MARKER, *sorted(folder.glob("vectors-*.faiss")), *sorted(beside)]
    return [file.name for file in found if file.exists()] + [_log(path).name] * bool(_size(_log(path)))


def lost(path: Path) -> str:
    """What to say of a database that is gone."""
    beside = ", ".join(traces(path)[:3])
    return (
        f"the database {path} is gone{f', while {beside} is still there' if beside else ''}. Put it back, or restore "
        "a backup: citewire restore FILE; or begin anew: citewire index rebuild"
    )


def _writable(path: Path, *, create: bool) -> sqlite3.Connection:
    how = "rwc" if create else "rw"
    if create:
        # SQLite gives the files beside a database its mode. What cannot be made is told by SQLite.
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


def _log(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _layout(connection: sqlite3.Connection) -> int:
    layout: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return layout


def _is_empty(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master").fetchone() is None


def _text(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")


def _ids(rows: Iterable[tuple[int]]) -> NDArray[np.int64]:
    ids = [one for (one,) in rows]
    if not all(isinstance(one, int) for one in ids):
        raise StoreError(f"the vector of a sentence was altered in the database; {MEND}")
    return np.fromiter(ids, dtype=np.int64, count=len(ids))


def _meta(connection: sqlite3.Connection) -> dict[str, str]:
    return dict(connection.execute("SELECT key, value FROM meta").fetchall())


def _set_meta(connection: sqlite3.Connection, key: str, value: str) -> None:
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))


def _write_sources(connection: sqlite3.Connection, change: Change) -> None:
    connection.executemany(
        "INSERT OR IGNORE INTO root VALUES (?1, checksum('root', ?1))", [(uri,) for uri in change.roots]
    )
    connection.executemany("DELETE FROM root WHERE uri = ?", [(uri,) for uri in change.forget_roots])
    connection.executemany(
        "INSERT OR REPLACE INTO origin VALUES (?1, ?2, 0, ?3, checksum('origin', ?1, ?2, 0, ?3))",
        [(uri, fingerprint, change.feeds.get(uri)) for uri, fingerprint in change.origins.items()],
    )
    connection.executemany("DELETE FROM origin WHERE uri = ?", [(uri,) for uri in change.forget_origins])
    connection.executemany(
        "UPDATE origin SET excluded = 1, checksum = checksum('origin', uri, fingerprint, 1, feed) WHERE uri = ?",
        [(uri,) for uri in change.exclude_origins],
    )


def _insert_article(connection: sqlite3.Connection, put: Put, place: int | None) -> None:
    article = put.article
    sums = [_insert_passage(connection, article, passage) for passage in put.passages]
    values = (
        article.id, article.text, article.title, article.source, article.url, article.published, article.author,
        article.updated, article.language, put.origin, joined(put.keys), put.copy_of, put.superseded_by,
        checksum(*sums),
    )  # fmt: skip
    connection.execute(
        f"INSERT INTO article ({_ROW}, checksum, rowid) VALUES ({_marks(values)}, ?, ?)",
        (*values, checksum(*values), place),
    )
    if put.copy_of is None:
        connection.executemany("INSERT OR IGNORE INTO story VALUES (?, ?)", [(key, article.id) for key in put.keys])


def _insert_passage(connection: sqlite3.Connection, article: Article, passage: Passage) -> bytes:
    """Insert a passage with its sentences and words; returns its checksum."""
    keys = [vector_key(sentence.of(article.text)) for sentence in passage.sentences]
    vector_ids = dict(connection.execute(f"SELECT key, id FROM vector WHERE key IN ({_marks(keys)})", keys).fetchall())
    if len(vector_ids) < len(set(keys)):
        raise StoreError(f"article {article.id!r} has sentences without a vector; add it again")
    sentences = [(one.start, one.end, vector_ids[key]) for one, key in zip(passage.sentences, keys, strict=True)]
    values = (article.id, passage.start, passage.end)
    passage_sum = passage_checksum(*values, sorted(sentences))
    passage_id = connection.execute(
        "INSERT INTO passage (article_id, start, end, checksum) VALUES (?, ?, ?, ?)", (*values, passage_sum)
    ).lastrowid
    connection.executemany("INSERT INTO sentence VALUES (?, ?, ?, ?)", [(passage_id, *one) for one in sentences])
    connection.execute(
        "INSERT INTO words (rowid, title, text) VALUES (?, ?, ?)",
        (passage_id, article.title or "", article.text[passage.start : passage.end]),
    )
    return passage_sum


def _supersede(connection: sqlite3.Connection, article_id: str, newer: str | None) -> None:
    """Note the newer version of an article that is there."""
    list(Generation(connection)._articles("WHERE id = ?", (article_id,)))  # raises if it was altered
    connection.execute("UPDATE article SET superseded_by = ? WHERE id = ?", (newer, article_id))
    connection.execute(f"UPDATE article SET checksum = checksum({_ROW}) WHERE id = ?", (article_id,))


def _seal(connection: sqlite3.Connection) -> None:
    """Note the checksum of the meta table, and of the ids that were given last."""
    _set_meta(connection, "checksum", check.meta_checksum(connection))


def _delete_article(connection: sqlite3.Connection, article_id: str) -> None:
    """Delete an article that there is, with all that hangs on it."""
    (row,) = Generation(connection)._articles("WHERE id = ?", (article_id,))
    title, text, keys = row.article.title, row.article.text, row.keys
    passages = connection.execute("SELECT id, start, end FROM passage WHERE article_id = ?", (article_id,)).fetchall()
    for passage_id, start, end in passages:
        # A word index without content of its own is told what to take out.
        connection.execute(
            "INSERT INTO words (words, rowid, title, text) VALUES ('delete', ?, ?, ?)",
            (passage_id, title or "", text[start:end]),
        )
        connection.execute("DELETE FROM sentence WHERE passage_id = ?", (passage_id,))
    connection.execute("DELETE FROM passage WHERE article_id = ?", (article_id,))
    connection.executemany(
        "DELETE FROM story WHERE key = ? AND article_id = ?", [(key, article_id) for key in split(keys)]
    )
    connection.execute("DELETE FROM article WHERE id = ?", (article_id,))


def _sweep(connection: sqlite3.Connection) -> None:
    """Delete vectors that no sentence uses: those of removed text, and leftovers of interrupted runs."""
    connection.execute("DELETE FROM vector WHERE NOT EXISTS (SELECT 1 FROM sentence WHERE vector_id = vector.id)")


def _chunks(values: list[_Value], size: int = 500) -> Iterable[list[_Value]]:
    return (values[first : first + size] for first in range(0, len(values), size))


def _any_of(words: Sequence[str]) -> str:
    return " OR ".join(f'"{word}"' for word in words)


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
