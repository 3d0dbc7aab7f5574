"""Salvage: read everything from a database, of any layout and however damaged, that is still as it was written.

Layout 1 has no checksums: what can be read of it is taken to be right.
"""

from __future__ import annotations

import contextlib
import itertools
import shutil
import sqlite3
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from index import database
from index.article import FIELDS as ARTICLE
from index.article import Article
from index.checksum import checksum, healed, vector_checksums
from index.edit import FIELDS, Edit
from index.place import from_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from index.place import Place

KEPT_WITH_ARTICLE = ("origin", "keys", "copy_of", "superseded_by", "passages")
AT_ONCE = 1000
"""Vectors that are read together: 1.5 MB."""
HEADER_BYTES, PAGE_BYTES, LEAST_MAGIC = 100, 4096, 12
"""A file with at least LEAST_MAGIC of the 16 bytes that open every SQLite file is one whose header was altered; with
fewer, it is another kind of file."""
MAGIC = b"SQLite format 3\0"
FIXED = {
    0: MAGIC, 16: PAGE_BYTES.to_bytes(2), 18: b"\2\2", 20: b"\0", 21: bytes((64, 32, 32)), 44: (4).to_bytes(4),
    52: bytes(4), 56: (1).to_bytes(4), 64: bytes(4), 72: bytes(20),
}  # fmt: skip
"""What the header of each of our databases has at these places (https://sqlite.org/fileformat2.html)."""
CHECKED = 2
"""The first layout with checksums, and with the uris of today."""


@dataclass(frozen=True, slots=True)
class Stored:
    """An article with the file or address it came from."""

    article: Article
    origin: str | None


@dataclass(frozen=True, slots=True)
class Origin:
    """What was remembered of a file or address; without a fingerprint, it is read again by the next sync."""

    fingerprint: str
    is_excluded: bool
    feed: str | None


@dataclass(frozen=True, slots=True)
class Damaged:
    """An article that is not as it was written. `origin` may have been altered, too."""

    id: str
    origin: str | None


@dataclass(slots=True)
class Salvage:
    """What could be read from a database.

    `is_known`: it is a database of Citewire. `is_readable`: SQLite could read all of it. `whole`: all of it also has
    the right checksums. `layout` is 0 if nothing could be read. `doubtful_roots` are sources with a wrong checksum.
    """

    roots: list[str] = field(default_factory=list)
    origins: dict[str, Origin] = field(default_factory=dict)
    articles: list[Stored] = field(default_factory=list)
    damaged: list[Damaged] = field(default_factory=list)
    edits: dict[str, tuple[Edit, ...]] = field(default_factory=dict)
    tags: dict[str, tuple[str, ...]] = field(default_factory=dict)
    read_at: dict[str, str] = field(default_factory=dict)
    doubtful_roots: list[str] = field(default_factory=list)
    embedder: str | None = None
    generation: int = 0
    layout: int = 0
    is_known: bool = False
    is_readable: bool = True
    whole: bool = True


def salvage(path: Path) -> Salvage:
    """Read the database `path`; a file that is no database gives nothing. Raises sqlite3.Error if another program has
    it locked."""
    salvaged = Salvage()
    if not path.exists():
        return salvaged
    try:
        with _opened(path) as connection:
            tables = _Tables(connection, salvaged)
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            # The number may have been altered; the columns were not by any accident.
            salvaged.layout = max(version, CHECKED) if "checksum" in tables.columns("article") else int(version)
            salvaged.is_known = bool(tables.columns("article") and tables.columns("root"))
            _read_meta(tables, salvaged)
            _read_articles(tables, salvaged)
            _read_sources(tables, salvaged)
            _read_edits(tables, salvaged)
            _read_places(tables, salvaged)
    except (sqlite3.Error, OSError, UnicodeDecodeError) as error:  # the last, of a message that quotes what is damaged
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise
        salvaged.is_readable = False
    salvaged.whole = salvaged.whole and salvaged.is_readable and not salvaged.damaged and not salvaged.doubtful_roots
    return salvaged


def sound_vectors(path: Path) -> Iterator[tuple[list[bytes], list[bytes]]]:
    """Keys and values of the vectors with a right checksum, AT_ONCE at a time."""
    with contextlib.suppress(sqlite3.Error, OSError), _opened(path) as connection:
        rows = _Tables(connection, Salvage()).rows("vector", ("key", "value", "checksum"))
        while some := list(itertools.islice(rows, AT_ONCE)):
            sound = sound_rows(some)
            if sound:
                yield [key for key, _ in sound], [value for _, value in sound]


def sound_rows(rows: Sequence[tuple[Any, ...]]) -> list[tuple[bytes, bytes]]:
    """Key and value of those of these (key, value, checksum) whose checksum is right."""
    found: list[tuple[bytes, bytes]] = []
    shaped = [row for row in rows if isinstance(row[0], bytes) and isinstance(row[1], bytes)]
    for _, group in itertools.groupby(shaped, key=lambda row: (len(row[0]), len(row[1]))):
        keys, values, sums = zip(*group, strict=True)
        right = vector_checksums(keys, values)
        found += [
            (key, value) for key, value, stored, now in zip(keys, values, sums, right, strict=True) if stored == now
        ]
    return found


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to the database, or to a copy of it with a right header."""
    with contextlib.ExitStack() as stack:
        header = _right_header(path)
        if header is not None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="citewire-")))
            for file in (path, path.with_name(f"{path.name}-wal")):
                if file.exists():
                    shutil.copyfile(file, folder / file.name)
            path = folder / path.name
            with path.open("r+b") as content:
                content.write(header)
        connection = stack.enter_context(database.open_read_only(path))
        connection.text_factory = _text
        yield connection


def _right_header(path: Path) -> bytes | None:
    """The header that this database should have; None if it has that one, or is not a database of Citewire."""
    with path.open("rb") as file:
        header = bytearray(file.read(HEADER_BYTES))
    if len(header) < HEADER_BYTES or sum(map(int.__eq__, header, MAGIC)) < LEAST_MAGIC:
        return None
    right = bytearray(header)
    for place, content in FIXED.items():
        right[place : place + len(content)] = content
    if right == header:
        return None
    right[28:32] = (path.stat().st_size // PAGE_BYTES).to_bytes(4)
    return bytes(right)


class _Tables:
    """The tables of a connection, which may be readable only in places."""

    def __init__(self, connection: sqlite3.Connection, salvaged: Salvage) -> None:
        self._connection = connection
        self._left = salvaged

    def columns(self, table: str) -> set[str]:
        try:
            return {name for _, name, *_ in self._connection.execute(f"PRAGMA table_info({table})")}
        except sqlite3.Error:
            return set()

    def rows(self, table: str, columns: Sequence[str], *, key: str = "") -> Iterator[tuple[Any, ...]]:
        """The rows in the order of their key, by default the first column; NULL for a column that this layout does not
        have.

        If a damaged page stops the reading, it is read from the other end up to that page.
        """
        known = self.columns(table)
        if not known:
            self._left.is_readable = False
            return
        wanted = ", ".join(column if column in known else "NULL" for column in columns)
        first = "rowid" if table in ("article", "vector") else next(column for column in columns if column in known)
        key = key or first
        seen: set[object] = set()
        for order in ("ASC", "DESC"):
            try:
                found = self._connection.execute(f"SELECT {key}, {wanted} FROM {table} ORDER BY {key} {order}")
                for identity, *row in found:
                    if identity in seen:
                        return
                    seen.add(identity)
                    yield tuple(row)
            except (sqlite3.Error, UnicodeDecodeError):
                self._left.is_readable = False
            else:
                return


def _read_meta(tables: _Tables, salvaged: Salvage) -> None:
    meta = {key: value for key, value in tables.rows("meta", ("key", "value")) if isinstance(value, str)}
    salvaged.embedder = meta.get("embedder")
    if meta.get("generation", "").isdecimal():
        salvaged.generation = int(meta["generation"])


def _read_articles(tables: _Tables, salvaged: Salvage) -> None:
    rows = list(tables.rows("article", (*ARTICLE, *KEPT_WITH_ARTICLE, "checksum")))
    is_checked = "checksum" in tables.columns("article")
    texts: dict[object, list[object]] = {}
    for row in rows:
        for one in (row[0], row[len(ARTICLE) + 2]):  # its id, and that of its original
            if one is not None:
                texts.setdefault(one, []).append(row[1])
    for *values, stored in rows:
        sound: Sequence[Any] | None = values
        if is_checked and checksum(*values) != stored:
            alike = [*texts.get(values[0], ()), *texts.get(values[len(ARTICLE) + 2], ())]
            sound = _as_it_was(values, stored, alike)
        article_id, origin = values[0], values[len(ARTICLE)]
        if sound is None or not _is_article(sound[: len(ARTICLE) + 1]):
            salvaged.damaged.append(Damaged(str(article_id), origin if isinstance(origin, str) else None))
        else:
            salvaged.articles.append(Stored(Article(*sound[: len(ARTICLE)]), sound[len(ARTICLE)]))


def _is_article(values: Sequence[Any]) -> bool:
    """Whether these can be an article and its origin: id and text are there, and all values are valid text."""
    if not all(isinstance(value, str) for value in values[:2]):
        return False
    return all(value is None or (isinstance(value, str) and _is_unicode(value)) for value in values)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _as_it_was(values: Sequence[Any], stored: object, alike: Sequence[object]) -> Sequence[Any] | None:
    """The values of an altered article as they were: with the text of its copy or original, or with one bit flipped
    back. None if neither gives the stored checksum."""
    for text in alike:
        tried = (values[0], text, *values[2:])
        if isinstance(text, str) and checksum(*tried) == stored:
            return tried
    return healed(values, stored)


def _read_sources(tables: _Tables, salvaged: Salvage) -> None:
    for uri, stored in tables.rows("root", ("uri", "checksum")):
        sound = _sound("root", (uri,), stored, salvaged)
        if sound is None or not _is_unicode(str(uri)):
            salvaged.doubtful_roots.append(str(uri))
        else:
            salvaged.roots.append(sound[0])
    with_articles = {one.origin for one in salvaged.articles} | {one.origin for one in salvaged.damaged}
    to_read_again = {one.origin for one in salvaged.damaged}
    for *values, stored in tables.rows("origin", ("uri", "fingerprint", "excluded", "feed", "checksum")):
        sound = _sound("origin", values, stored, salvaged)
        if sound is None:
            salvaged.whole = False
            uri, _, _, feed = values
            # A source without an article was removed by the user, and must not come back.
            if isinstance(uri, str) and _is_unicode(uri):
                is_excluded = uri not in with_articles
                salvaged.origins[uri] = Origin("", is_excluded, feed if isinstance(feed, str) else None)
        else:
            uri, fingerprint, excluded, feed = sound
            salvaged.origins[uri] = Origin("" if uri in to_read_again else fingerprint, bool(excluded), feed)


def _read_edits(tables: _Tables, salvaged: Salvage) -> None:
    """Edits, tags and times of reading, which layouts before 4 do not have."""
    if not tables.columns("edit"):
        return
    columns, key = ("article_id", "field", "value", "read", "checksum"), "article_id || char(10) || field"
    articles = {one.article.id: one for one in salvaged.articles}
    for *values, stored in tables.rows("edit", columns, key=key):
        sound = _sound("edit", values, stored, salvaged)
        article_id, edited, value = (sound or values)[:3]
        if sound is not None and edited in FIELDS:
            edit = Edit(*sound[1:])
        else:
            salvaged.whole = False
            article = articles.get(article_id)
            if article is None or article.origin is None:
                continue
            # Its file is read again, for what was read is not known.
            origin = salvaged.origins.get(article.origin)
            if origin is not None:
                salvaged.origins[article.origin] = replace(origin, fingerprint="")
            if edited not in FIELDS or getattr(article.article, edited) != value:
                continue
            edit = Edit(edited, value, None)
        salvaged.edits[article_id] = (*salvaged.edits.get(article_id, ()), edit)
    for *values, stored in tables.rows("tag", ("name", "article_id", "checksum"), key="name || char(10) || article_id"):
        sound = _sound("tag", values, stored, salvaged)
        if sound is None:
            salvaged.whole = False
        else:
            salvaged.tags[sound[1]] = (*salvaged.tags.get(sound[1], ()), sound[0])
    for *values, stored in tables.rows("reading", ("uri", "at", "checksum")):
        if (sound := _sound("reading", values, stored, salvaged)) is not None:
            salvaged.read_at[sound[0]] = sound[1]


def _read_places(tables: _Tables, salvaged: Salvage) -> None:
    """Where the pages of the originals begin, which layouts before 5 do not have."""
    if not tables.columns("place"):
        return
    known: dict[str, tuple[Place, ...]] = {}
    for *values, stored in tables.rows("place", ("article_id", "places", "checksum")):
        sound = _sound("place", values, stored, salvaged)
        if sound is None:
            salvaged.whole = False
        else:
            with contextlib.suppress(ValueError, TypeError):
                known[sound[0]] = from_json(sound[1])
    salvaged.articles = [
        replace(one, article=replace(one.article, places=known.get(one.article.id, ()))) for one in salvaged.articles
    ]


def _sound(kind: str, values: Sequence[Any], stored: object, salvaged: Salvage) -> Sequence[Any] | None:
    if salvaged.layout < CHECKED or checksum(kind, *values) == stored:
        return values
    whole = healed((kind, *values), stored)
    return None if whole is None or whole[0] != kind else whole[1:]


def _text(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")
