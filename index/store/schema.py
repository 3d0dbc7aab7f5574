"""Schema: the tables of the database, and what its meta table and its header say.

    meta      the random id of this database, the number of its generation, the embedder of its vectors, the languages
              of its articles, and what made the words of the word index
    root      what the user asked to be indexed: folders, files, pages and feeds, read again by a bare sync
    origin    one row per file or address read: its fingerprint, whether the user removed it, and the feed it came by;
              after the fingerprint, and LEFT_OUT, a JSON array of what was not read of it and why
    edit      fields of articles that the user edited (index/edit.py), each with the value that was read in its place
    tag       the tags of articles, one row for each;  reading  when a root was read last
    place     where the pages or sections of its original begin in the text of an article (index/place.py), as JSON
    article   clean text and metadata, with what was edited;  passage  spans of it
    sentence  spans of a passage, each with a vector
    story     keys by which an article that repeats another is found; the copy has no passages (index/original.py)
    vector    one row per distinct sentence text, by hash: an edit embeds only what is new
    words     the word index: FTS5 over the words of titles and passages (index/tokens.py) and, as `other`, their other
              spellings, without a copy of the text

Every row has a checksum, or follows from rows that have one (index/checksum.py), so that altered bytes are noticed.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, TypeVar

from index.checksum import checksum

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

Value = TypeVar("Value", int, bytes, str)

LEFT_OUT = "\x1f"
"""In no fingerprint. A table for what is left out would be a new layout, for which each home would be copied."""

LAYOUT = 5
"""Version of these tables, kept in SQLite's user_version."""

APPLICATION_ID = 0x43495445
"""The letters CITE, in the header of each of our databases."""

REBUILD = "run: citewire index rebuild"
MEND = "to mend it: citewire index check --repair; to make it anew: citewire index rebuild"

STATEMENTS = tuple(
    f"""
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
CREATE TABLE edit (
    article_id TEXT NOT NULL, field TEXT NOT NULL, value TEXT, read TEXT, checksum BLOB NOT NULL,
    PRIMARY KEY (article_id, field)
) WITHOUT ROWID;
CREATE TABLE tag (
    name TEXT NOT NULL, article_id TEXT NOT NULL, checksum BLOB NOT NULL, PRIMARY KEY (name, article_id)
) WITHOUT ROWID;
CREATE INDEX tag_article ON tag (article_id);
CREATE TABLE reading (uri TEXT PRIMARY KEY, at TEXT NOT NULL, checksum BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE place (article_id TEXT PRIMARY KEY, places TEXT NOT NULL, checksum BLOB NOT NULL);
CREATE VIRTUAL TABLE words USING fts5 (
    title, text, other, content = '', tokenize = 'ascii tokenchars ''.'''
);
""".split(";\n")
)
"""The statements that make the tables."""

ARTICLE_FIELDS = 9
"""How many of the columns in ARTICLE_ROW are those of an index.article.Article, in its order."""
ARTICLE_ROW = (
    "id, text, title, source, url, published, author, updated, language, origin, keys, copy_of, superseded_by, passages"
)
"""What the checksum of an article covers; `passages` is that of the checksums of its passages."""


def layout(connection: sqlite3.Connection) -> int:
    """The layout that the database says it has; 0 for one without tables."""
    number: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return number


def is_empty(connection: sqlite3.Connection) -> bool:
    """Whether the database has no tables at all."""
    return connection.execute("SELECT 1 FROM sqlite_master").fetchone() is None


def meta(connection: sqlite3.Connection) -> dict[str, str]:
    """The meta table."""
    return dict(connection.execute("SELECT key, value FROM meta").fetchall())


def set_meta(connection: sqlite3.Connection, key: str, value: str) -> None:
    """Write a row of the meta table; `seal` must follow in the same transaction."""
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))


def languages(connection: sqlite3.Connection) -> tuple[str, ...]:
    """The languages whose rules the words in the word index follow; also those of articles that are gone."""
    return tuple(meta(connection).get("languages", "").split())


def note_language(connection: sqlite3.Connection, language: str) -> None:
    """Add a language to those of the word index; `seal` must follow in the same transaction."""
    known = languages(connection)
    if language not in known:
        set_meta(connection, "languages", " ".join([*known, language]))


def seal(connection: sqlite3.Connection) -> None:
    """Write the checksum of the meta table, and of the ids that were given last."""
    set_meta(connection, "checksum", meta_checksum(connection))


def meta_checksum(connection: sqlite3.Connection) -> str:
    """The checksum of the meta table, and of the ids that were given last."""
    rows = [
        *connection.execute("SELECT key, value FROM meta WHERE key != 'checksum' ORDER BY key"),
        *connection.execute("SELECT name, seq FROM sqlite_sequence ORDER BY name"),
    ]
    return checksum(*itertools.chain.from_iterable(rows)).hex()


def marks(values: Sequence[object]) -> str:
    """A placeholder for each of `values`."""
    return ", ".join("?" * len(values))


def chunks(values: list[Value], size: int = 500) -> Iterator[list[Value]]:
    """`values` by the `size`: a statement of SQLite takes a limited number of placeholders."""
    return (values[first : first + size] for first in range(0, len(values), size))
