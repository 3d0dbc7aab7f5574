"""Migrate: a database of layout 1, 2, 3 or 4 → layout 5, in one transaction of its own connection. Knows no files.

Layout 2 added checksums, the id of the newer version of an article, and the random id of the database; layout 3 the
words of every language to the word index, which `renew_words` makes from the texts again; layout 4 the tables of edits,
tags and times of reading; layout 5 that of places. The ids of articles, passages and vectors, the vectors, and the
order of adding stay as they are.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

from index.checksum import checksum, passage_checksum, vector_checksums
from index.duplicate import Story, joined
from index.language import language_of_article
from index.store import schema
from index.store.words import maker, word_columns

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

OLDEST = 1
"""The first layout."""

COPIED = ("root", "origin", "article", "passage", "sentence", "story")
"""Tables that are made anew. The vectors, most of the file, are completed where they are."""

ADDED = ("edit", "tag", "tag_article", "reading", "place")
"""What layouts 4 and 5 added, empty."""

_ARTICLE = "id, text, title, source, url, published, author, updated, language, origin"
_AT_ONCE = 1000
"""Vectors that are read together: 1.5 MB."""

_REPORTED = 1000
"""Articles whose words are made between two lines of the log: some seconds."""

_log = logging.getLogger(__name__)


def migrate(connection: sqlite3.Connection, uri: Callable[[str], str]) -> None:
    """Bring the tables to the present layout. `uri` gives the present form of the uri of a root or an origin that
    layout 1 kept."""
    if schema.layout(connection) == OLDEST:
        _with_checksums(connection, uri)
    there = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    for statement in schema.STATEMENTS:
        made = re.match(r"\s*CREATE (?:TABLE|INDEX) (\w+)", statement)
        if made and made[1] in ADDED and made[1] not in there:
            connection.execute(statement)


def renew_words(connection: sqlite3.Connection) -> None:
    """Make the word index again from the texts. The log says so, and how far it is: a large index takes a minute."""
    schema.set_meta(connection, "languages", "")
    schema.set_meta(connection, "words", maker())
    connection.execute("DROP TABLE words")
    connection.execute(next(one for one in schema.STATEMENTS if "CREATE VIRTUAL TABLE words" in one))
    (articles,) = connection.execute("SELECT count(*) FROM article WHERE copy_of IS NULL").fetchone()
    rows = connection.execute("SELECT id, title, text, language FROM article WHERE copy_of IS NULL ORDER BY rowid")
    for number, (article_id, title, text, tag) in enumerate(rows):
        if number == 0:
            _log.warning(
                "this release of Citewire finds words in another way: making the word index of %d articles again",
                articles,
            )
        elif number % _REPORTED == 0:
            _log.warning("words of %d of %d articles", number, articles)
        language = language_of_article(text, tag)
        schema.note_language(connection, language)
        for passage_id, start, end in connection.execute(
            "SELECT id, start, end FROM passage WHERE article_id = ? ORDER BY id", (article_id,)
        ).fetchall():
            values = (passage_id, *word_columns(title, text[start:end], language))
            connection.execute("INSERT INTO words (rowid, title, text, other) VALUES (?, ?, ?, ?)", values)
    schema.seal(connection)


def _with_checksums(connection: sqlite3.Connection, uri: Callable[[str], str]) -> None:
    """Layout 1 → layout 2."""
    for (name,) in connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'index' AND sql NOT NULL"
    ).fetchall():
        connection.execute(f"DROP INDEX {name}")
    for table in COPIED:
        connection.execute(f"ALTER TABLE {table} RENAME TO old_{table}")
    connection.execute("ALTER TABLE vector ADD COLUMN checksum BLOB NOT NULL DEFAULT x''")
    for statement in schema.STATEMENTS:
        made = re.match(r"\s*CREATE (?:TABLE|INDEX) (\w+)", statement)
        if made and made[1] not in ("meta", "vector", *ADDED):
            connection.execute(statement)
    _copy_sources(connection, uri)
    _copy_passages(connection)
    _copy_articles(connection, uri)
    _complete_vectors(connection)
    for table in COPIED:
        connection.execute(f"DROP TABLE old_{table}")


def _copy_sources(connection: sqlite3.Connection, uri: Callable[[str], str]) -> None:
    for (stored,) in connection.execute("SELECT uri FROM old_root").fetchall():
        connection.execute("INSERT OR IGNORE INTO root VALUES (?1, checksum('root', ?1))", (uri(stored),))
    # Two names of one file become one origin, which counts as removed only if both were.
    for stored, fingerprint, excluded, feed in connection.execute(
        "SELECT uri, fingerprint, excluded, feed FROM old_origin ORDER BY excluded"
    ).fetchall():
        connection.execute(
            "INSERT OR IGNORE INTO origin VALUES (?1, ?2, ?3, ?4, checksum('origin', ?1, ?2, ?3, ?4))",
            (uri(stored), fingerprint, excluded, None if feed is None else uri(feed)),
        )


def _copy_passages(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO sentence SELECT passage_id, start, end, vector_id FROM old_sentence")
    for passage_id, article_id, start, end in connection.execute(
        "SELECT id, article_id, start, end FROM old_passage ORDER BY id"
    ):
        sentences = connection.execute(
            "SELECT start, end, vector_id FROM sentence WHERE passage_id = ? ORDER BY start", (passage_id,)
        )
        connection.execute(
            "INSERT INTO passage VALUES (?, ?, ?, ?, ?)",
            (passage_id, article_id, start, end, passage_checksum(article_id, start, end, sentences)),
        )
    # Ids are never given twice, also those of passages that are gone.
    connection.execute(
        "UPDATE sqlite_sequence SET seq = (SELECT seq FROM sqlite_sequence WHERE name = 'old_passage') "
        "WHERE name = 'passage'"
    )


def _copy_articles(connection: sqlite3.Connection, uri: Callable[[str], str]) -> None:
    rows = connection.execute(f"SELECT rowid, copy_of, {_ARTICLE} FROM old_article ORDER BY rowid")
    for place, copy_of, article_id, text, *metadata, origin in rows:
        keys = Story(text).keys()
        sums = connection.execute("SELECT checksum FROM passage WHERE article_id = ? ORDER BY id", (article_id,))
        passages = checksum(*(one for (one,) in sums))
        here = None if origin is None else uri(origin)
        values = (article_id, text, *metadata, here, joined(keys), copy_of, None, passages)
        connection.execute(
            f"INSERT INTO article (rowid, {_ARTICLE}, keys, copy_of, superseded_by, passages, checksum) "
            f"VALUES ({', '.join('?' * (len(values) + 2))})",
            (place, *values, checksum(*values)),
        )
        if copy_of is None:
            connection.executemany("INSERT OR IGNORE INTO story VALUES (?, ?)", [(key, article_id) for key in keys])


def _complete_vectors(connection: sqlite3.Connection) -> None:
    last = 0
    while rows := connection.execute(
        "SELECT id, key, value FROM vector WHERE id > ? ORDER BY id LIMIT ?", (last, _AT_ONCE)
    ).fetchall():
        ids, keys, values = zip(*rows, strict=True)
        connection.executemany(
            "UPDATE vector SET checksum = ? WHERE id = ?", zip(vector_checksums(keys, values), ids, strict=True)
        )
        last = ids[-1]
