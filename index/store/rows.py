"""Rows: all that a database has of some articles, to be put into another one as it is, with the same ids.

Ids stay, so passages, vectors and the order in which articles were added are the same in both databases. Checksums come
along with the rows. The word index is made from the text again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from index.checksum import checksum
from index.duplicate import split
from index.language import language_of_article
from index.store.schema import ARTICLE_ROW, marks, set_meta
from index.store.words import word_columns

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Mapping

_ARTICLES = "SELECT value FROM json_each(?)"
_PASSAGES = f"SELECT id FROM passage WHERE article_id IN ({_ARTICLES})"
_TABLES = {
    "article": (f"rowid, {ARTICLE_ROW}, checksum", f"id IN ({_ARTICLES})"),
    "passage": ("id, article_id, start, end, checksum", f"article_id IN ({_ARTICLES})"),
    "sentence": ("passage_id, start, end, vector_id", f"passage_id IN ({_PASSAGES})"),
    "vector": (
        "id, key, value, checksum",
        f"id IN (SELECT vector_id FROM sentence WHERE passage_id IN ({_PASSAGES}))",
    ),
    "edit": ("article_id, field, value, read, checksum", f"article_id IN ({_ARTICLES})"),
    "tag": ("name, article_id, checksum", f"article_id IN ({_ARTICLES})"),
    "place": ("article_id, places, checksum", f"article_id IN ({_ARTICLES})"),
}
"""Table → its columns, and which of its rows belong to articles with the ids of a JSON array."""
INHERITED = ("languages", "rules", "embedder")
"""What the meta table says of the articles, whichever database they are in."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of some articles: table → rows. `meta` is what INHERITED names."""

    tables: Mapping[str, list[tuple[Any, ...]]]
    meta: Mapping[str, str]


def read(connection: sqlite3.Connection, article_ids: Collection[str]) -> Rows:
    """The rows of these articles, those apart that there are none of."""
    wanted = json.dumps(list(article_ids))
    tables = {
        table: connection.execute(f"SELECT {columns} FROM {table} WHERE {which}", (wanted,)).fetchall()
        for table, (columns, which) in _TABLES.items()
    }
    return Rows(tables, inherited(connection))


def inherited(connection: sqlite3.Connection) -> dict[str, str]:
    """What the meta table says of the articles."""
    rows = connection.execute(f"SELECT key, value FROM meta WHERE key IN ({marks(INHERITED)})", INHERITED)
    return dict(rows.fetchall())


def insert(connection: sqlite3.Connection, rows: Rows) -> None:
    """Put rows of articles that are not there. The caller holds the transaction, and seals it."""
    for table, (columns, _) in _TABLES.items():
        verb = "INSERT OR REPLACE" if table == "vector" else "INSERT"
        found = rows.tables[table]
        width = marks(columns.split(", "))
        connection.executemany(f"{verb} INTO {table} ({columns}) VALUES ({width})", found)
    of_article: dict[str, tuple[str | None, str, str]] = {}
    for row in rows.tables["article"]:
        article_id, text, title, language, keys, copy_of = row[1], row[2], row[3], row[9], row[11], row[12]
        of_article[article_id] = (title, text, language_of_article(text, language))
        if copy_of is None:
            connection.executemany(
                "INSERT OR IGNORE INTO story VALUES (?, ?)", [(key, article_id) for key in split(keys)]
            )
    for passage_id, article_id, start, end, _ in rows.tables["passage"]:
        title, text, language = of_article[article_id]
        columns_of_words = word_columns(title, text[start:end], language)
        connection.execute(
            "INSERT INTO words (rowid, title, text, other) VALUES (?, ?, ?, ?)", (passage_id, *columns_of_words)
        )
    for key, value in rows.meta.items():
        set_meta(connection, key, value)


def replaced(connection: sqlite3.Connection, copied: Collection[Rows]) -> set[str]:
    """The ids of the articles that are to be put, and of those that are in their places now."""
    articles = [row for some in copied for row in some.tables["article"]]
    places = json.dumps([row[0] for row in articles])
    there = connection.execute("SELECT id FROM article WHERE rowid IN (SELECT value FROM json_each(?))", (places,))
    return {row[1] for row in articles} | {article_id for (article_id,) in there}


def delete_beside(connection: sqlite3.Connection, article_ids: Collection[str]) -> None:
    """Delete what hangs on articles beside their texts. The caller holds the transaction."""
    for table in ("edit", "tag", "place"):
        connection.execute(f"DELETE FROM {table} WHERE article_id IN ({_ARTICLES})", (json.dumps(list(article_ids)),))


def digests(connection: sqlite3.Connection) -> dict[str, bytes]:
    """Article id → a digest of all its rows, by which two databases compare what they have."""
    first = dict(connection.execute("SELECT article_id, min(id) FROM passage GROUP BY article_id").fetchall())
    beside: dict[str, list[bytes]] = {}
    for table in ("edit", "tag", "place"):
        for article_id, stored in connection.execute(f"SELECT article_id, checksum FROM {table} ORDER BY checksum"):
            beside.setdefault(article_id, []).append(stored)
    return {
        article_id: checksum(place, stored, first.get(article_id, 0), *beside.get(article_id, ()))
        for article_id, place, stored in connection.execute("SELECT id, rowid, checksum FROM article")
    }


def documents(connection: sqlite3.Connection) -> dict[str, str]:
    """Article id → the id of the first added of those that have to be in one database with it: its original and
    copies, and all versions of its document."""
    rows = connection.execute("SELECT id, copy_of, superseded_by FROM article ORDER BY rowid").fetchall()
    original = {article_id: copy_of or article_id for article_id, copy_of, _ in rows}
    newest = {article_id: superseded_by or article_id for article_id, _, superseded_by in rows}
    first: dict[str, str] = {}
    found: dict[str, str] = {}
    for article_id, _, _ in rows:
        document = newest.get(original[article_id], original[article_id])
        found[article_id] = first.setdefault(document, article_id)
    return found
