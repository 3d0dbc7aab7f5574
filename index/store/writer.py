"""Writer: the statements that put a change into the tables. The caller holds the transaction."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from index.checksum import checksum, passage_checksum, vector_key
from index.duplicate import joined, split
from index.errors import StoreError
from index.language import language_of_article
from index.place import to_json
from index.store.generation import Generation
from index.store.schema import ARTICLE_ROW, LEFT_OUT, marks, note_language
from index.store.words import word_columns

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection

    from index.article import Article
    from index.change import Change, Put
    from index.passage import Passage

MERGE_SHARE = 0.1
"""Least share of the passages that a change has put for the segments of the word index to be merged after it, which
takes 0.4 s for 29,000 passages. A tenth to a fifth of looking words up is saved by it (docs/experiments.md)."""


def write_sources(connection: sqlite3.Connection, change: Change) -> None:
    """Remember and forget roots and origins."""
    connection.executemany(
        "INSERT OR IGNORE INTO root VALUES (?1, checksum('root', ?1))", [(uri,) for uri in change.roots]
    )
    connection.executemany("DELETE FROM root WHERE uri = ?", [(uri,) for uri in change.forget_roots])
    connection.executemany(
        "INSERT OR REPLACE INTO reading VALUES (?1, ?2, checksum('reading', ?1, ?2))", list(change.read_at.items())
    )
    connection.execute("DELETE FROM reading WHERE uri NOT IN (SELECT uri FROM root)")
    connection.executemany(
        "INSERT OR REPLACE INTO origin VALUES (?1, ?2, 0, ?3, checksum('origin', ?1, ?2, 0, ?3))",
        [
            (uri, fingerprint + _left_out(change.left_out.get(uri, ())), change.feeds.get(uri))
            for uri, fingerprint in change.origins.items()
        ],
    )
    connection.executemany("DELETE FROM origin WHERE uri = ?", [(uri,) for uri in change.forget_origins])
    connection.executemany(
        "UPDATE origin SET excluded = 1, checksum = checksum('origin', uri, fingerprint, 1, feed) WHERE uri = ?",
        [(uri,) for uri in change.exclude_origins],
    )


def _left_out(reasons: tuple[str, ...]) -> str:
    return LEFT_OUT + json.dumps(reasons) if reasons else ""


def write_articles(connection: sqlite3.Connection, change: Change) -> bool:
    """Delete, replace and insert articles; returns whether any was deleted or replaced."""
    replaced = {*change.drop, *(put.article.id for put in change.put)}
    places = Generation(connection).places(replaced)
    delete_articles(connection, places)
    # What is replaced takes its old place before new places are given.
    for put in sorted(change.put, key=lambda put: put.article.id not in places):
        _insert_article(connection, put, places.get(put.article.id))
    for article_id, newer in change.superseded.items():
        _supersede(connection, article_id, newer)
    forget_unused_vectors(connection)
    (passages,) = connection.execute("SELECT count(*) FROM passage").fetchone()
    if sum(len(put.passages) for put in change.put) >= MERGE_SHARE * passages:
        _merge_words(connection)
    return bool(places)


def delete_articles(connection: sqlite3.Connection, article_ids: Collection[str]) -> None:
    """Delete those of these articles that there are, with all that follows from their texts."""
    there = Generation(connection).places(article_ids)
    for article_id in there:
        _delete_article(connection, article_id)
    if there:
        _merge_words(connection)  # which is when the word index forgets deleted words


def _merge_words(connection: sqlite3.Connection) -> None:
    """Merge the segments of the word index to one. Whoever looks for a word looks through all segments."""
    connection.execute("INSERT INTO words (words) VALUES ('optimize')")


def forget_unused_vectors(connection: sqlite3.Connection) -> None:
    """Delete vectors that no sentence uses: those of removed text, and leftovers of interrupted runs."""
    connection.execute("DELETE FROM vector WHERE NOT EXISTS (SELECT 1 FROM sentence WHERE vector_id = vector.id)")


def write_edits(connection: sqlite3.Connection, change: Change) -> None:
    """Write the edits and tags of articles that there are, and delete those of articles that are gone."""
    for table in ("edit", "tag"):
        changed = change.edits if table == "edit" else change.tags
        gone = [(article_id,) for article_id in {*change.drop, *changed}]
        connection.executemany(f"DELETE FROM {table} WHERE article_id = ?", gone)
    there = Generation(connection).places([*change.edits, *change.tags])
    connection.executemany(
        "INSERT INTO edit VALUES (?1, ?2, ?3, ?4, checksum('edit', ?1, ?2, ?3, ?4))",
        [
            (article_id, edit.field, edit.value, edit.read)
            for article_id, edits in change.edits.items()
            if article_id in there
            for edit in edits
        ],
    )
    connection.executemany(
        "INSERT INTO tag VALUES (?1, ?2, checksum('tag', ?1, ?2))",
        [(tag, article_id) for article_id, tags in change.tags.items() if article_id in there for tag in tags],
    )


def write_places(connection: sqlite3.Connection, change: Change) -> None:
    """Write where the pages of originals begin in articles that there are; forget those of articles that are gone."""
    known = {put.article.id: put.article.places for put in change.put} | change.places
    gone = [(article_id,) for article_id in {*change.drop, *known}]
    connection.executemany("DELETE FROM place WHERE article_id = ?", gone)
    there = Generation(connection).places(known)
    connection.executemany(
        "INSERT INTO place VALUES (?1, ?2, checksum('place', ?1, ?2))",
        [(article_id, to_json(places)) for article_id, places in known.items() if places and article_id in there],
    )


def _insert_article(connection: sqlite3.Connection, put: Put, place: int | None) -> None:
    article = put.article
    language = language_of_article(article.text, article.language)
    sums = [_insert_passage(connection, article, passage, language) for passage in put.passages]
    if sums:
        note_language(connection, language)
    values = (
        article.id, article.text, article.title, article.source, article.url, article.published, article.author,
        article.updated, article.language, put.origin, joined(put.keys), put.copy_of, put.superseded_by,
        checksum(*sums),
    )  # fmt: skip
    connection.execute(
        f"INSERT INTO article ({ARTICLE_ROW}, checksum, rowid) VALUES ({marks(values)}, ?, ?)",
        (*values, checksum(*values), place),
    )
    if put.copy_of is None:
        connection.executemany("INSERT OR IGNORE INTO story VALUES (?, ?)", [(key, article.id) for key in put.keys])


def _insert_passage(connection: sqlite3.Connection, article: Article, passage: Passage, language: str) -> bytes:
    """Insert a passage with its sentences and words; returns its checksum."""
    keys = [vector_key(sentence.of(article.text)) for sentence in passage.sentences]
    vector_ids = dict(connection.execute(f"SELECT key, id FROM vector WHERE key IN ({marks(keys)})", keys).fetchall())
    if len(vector_ids) < len(set(keys)):
        raise StoreError(f"article {article.id!r} has sentences without a vector; add it again")
    sentences = [(one.start, one.end, vector_ids[key]) for one, key in zip(passage.sentences, keys, strict=True)]
    values = (article.id, passage.start, passage.end)
    passage_sum = passage_checksum(*values, sorted(sentences))
    passage_id = connection.execute(
        "INSERT INTO passage (article_id, start, end, checksum) VALUES (?, ?, ?, ?)", (*values, passage_sum)
    ).lastrowid
    connection.executemany("INSERT INTO sentence VALUES (?, ?, ?, ?)", [(passage_id, *one) for one in sentences])
    columns = word_columns(article.title, article.text[passage.start : passage.end], language)
    connection.execute("INSERT INTO words (rowid, title, text, other) VALUES (?, ?, ?, ?)", (passage_id, *columns))
    return passage_sum


def _supersede(connection: sqlite3.Connection, article_id: str, newer: str | None) -> None:
    """Note the newer version of an article that is there."""
    list(Generation(connection).article_rows("WHERE id = ?", (article_id,)))  # raises if it was altered
    connection.execute("UPDATE article SET superseded_by = ? WHERE id = ?", (newer, article_id))
    connection.execute(f"UPDATE article SET checksum = checksum({ARTICLE_ROW}) WHERE id = ?", (article_id,))


def _delete_article(connection: sqlite3.Connection, article_id: str) -> None:
    """Delete an article that there is, with all that hangs on it."""
    (row,) = Generation(connection).article_rows("WHERE id = ?", (article_id,))
    title, text, keys = row.article.title, row.article.text, row.keys
    language = language_of_article(text, row.article.language)
    passages = connection.execute("SELECT id, start, end FROM passage WHERE article_id = ?", (article_id,)).fetchall()
    for passage_id, start, end in passages:
        # The word index has no copy of the text: it needs the old words to delete them.
        connection.execute(
            "INSERT INTO words (words, rowid, title, text, other) VALUES ('delete', ?, ?, ?, ?)",
            (passage_id, *word_columns(title, text[start:end], language)),
        )
        connection.execute("DELETE FROM sentence WHERE passage_id = ?", (passage_id,))
    connection.execute("DELETE FROM passage WHERE article_id = ?", (article_id,))
    connection.executemany(
        "DELETE FROM story WHERE key = ? AND article_id = ?", [(key, article_id) for key in split(keys)]
    )
    connection.execute("DELETE FROM article WHERE id = ?", (article_id,))
