"""Check: find everything in a database that is not as it was written.

SQLite checks its own structure. Rows are compared with their checksums. What is derived from them, the keys of
sentences and stories and the word index, is computed again and compared. Each fault names the article it concerns.
"""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from index.checksum import checksum, passage_checksum, vector_key, verified_vectors
from index.duplicate import split
from index.language import language_of_article
from index.store import schema
from index.store.schema import APPLICATION_ID, ARTICLE_ROW
from index.store.words import word_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

MOST_STRUCTURE = 20
"""Faults of SQLite's own structure that are listed: further ones mostly follow from the first."""
AT_ONCE = 1000
"""Vectors that are read together: 1.5 MB."""

REFERENCES: Mapping[str, str] = {
    "passages without an article": ("SELECT count(*) FROM passage WHERE article_id NOT IN (SELECT id FROM article)"),
    "sentences without a passage": ("SELECT count(*) FROM sentence WHERE passage_id NOT IN (SELECT id FROM passage)"),
    "sentences without a vector": ("SELECT count(*) FROM sentence WHERE vector_id NOT IN (SELECT id FROM vector)"),
    "copies without an original": (
        "SELECT count(*) FROM article WHERE copy_of NOT IN (SELECT id FROM article WHERE copy_of IS NULL)"
    ),
    "copies with passages": (
        "SELECT count(*) FROM article WHERE copy_of IS NOT NULL AND id IN (SELECT article_id FROM passage)"
    ),
    "older versions without a newest one": (
        "SELECT count(*) FROM article WHERE superseded_by NOT IN "
        "(SELECT id FROM article WHERE copy_of IS NULL AND superseded_by IS NULL)"
    ),
    "copies that are versions": (
        "SELECT count(*) FROM article WHERE copy_of IS NOT NULL AND superseded_by IS NOT NULL"
    ),
    "articles without a passage": (
        "SELECT count(*) FROM article WHERE copy_of IS NULL AND id NOT IN (SELECT article_id FROM passage)"
    ),
    "articles not found by their keys": (
        "SELECT count(*) FROM article WHERE copy_of IS NULL AND id NOT IN (SELECT article_id FROM story)"
    ),
    "edits without an article": "SELECT count(*) FROM edit WHERE article_id NOT IN (SELECT id FROM article)",
    "tags without an article": "SELECT count(*) FROM tag WHERE article_id NOT IN (SELECT id FROM article)",
    "places without an article": "SELECT count(*) FROM place WHERE article_id NOT IN (SELECT id FROM article)",
    "keys without an article": (
        "SELECT count(*) FROM story WHERE article_id NOT IN (SELECT id FROM article WHERE copy_of IS NULL)"
    ),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is not as it was written; `article` is the id of the article that it concerns, if any."""

    what: str
    article: str | None = None

    def __str__(self) -> str:
        """One line for people."""
        return self.what if self.article is None else f"article {self.article}: {self.what}"

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready mapping."""
        return asdict(self)


def faults(connection: sqlite3.Connection) -> list[Fault]:
    """Every fault that a transaction of `connection` can see."""
    steps: Mapping[str, Callable[[], Iterable[Fault]]] = {
        "its structure": lambda: _structure(connection),
        "its tables": lambda: _tables(connection),
        "its generation": lambda: _meta(connection),
        "its sources": lambda: _sources(connection),
        "its articles": lambda: _articles(connection),
        "its edits and tags": lambda: _edits(connection),
        "its references": lambda: _references(connection),
        "its word index": lambda: _words(connection),
    }
    found: list[Fault] = []
    for name, step in steps.items():
        try:
            found += step()
        except (sqlite3.Error, ValueError, TypeError, UnicodeError) as error:
            found.append(Fault(f"{name} cannot be read ({error})"))
    return list(dict.fromkeys(found))


def word_index_faults(connection: sqlite3.Connection) -> list[Fault]:
    """What FTS5 finds wrong with the structure of the word index; nothing in a database that cannot be written.

    The check is an INSERT, so it cannot run in a transaction that only reads.
    """
    try:
        connection.execute("INSERT INTO words (words) VALUES ('integrity-check')")
    except sqlite3.OperationalError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_FULL):
            return []
        return [Fault(f"the word index is damaged ({error})")]
    except sqlite3.Error as error:
        return [Fault(f"the word index is damaged ({error})")]
    return []


def _structure(connection: sqlite3.Connection) -> Iterator[Fault]:
    for (row,) in connection.execute(f"PRAGMA integrity_check({MOST_STRUCTURE})"):
        if row != "ok":
            yield from (Fault(f"damaged structure: {line}") for line in row.splitlines() if not line.startswith("***"))


def _tables(connection: sqlite3.Connection) -> Iterator[Fault]:
    with contextlib.closing(sqlite3.connect(":memory:")) as fresh:
        for statement in schema.STATEMENTS:
            fresh.execute(statement)
        expected = _definitions(fresh)
    found = _definitions(connection)
    for name in sorted(expected.keys() | found.keys(), key=str):
        if expected.get(name) != found.get(name):
            yield Fault(f"the definition of {name[1]} was altered")
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        yield Fault("the application id in the header was altered")


def _definitions(connection: sqlite3.Connection) -> dict[tuple[str, str], tuple[str, str]]:
    rows = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'")
    return {(kind, name): (table, "".join(str(sql).split())) for kind, name, table, sql in rows}


def _meta(connection: sqlite3.Connection) -> Iterator[Fault]:
    stored = connection.execute("SELECT value FROM meta WHERE key = 'checksum'").fetchone()
    if stored is None or stored[0] != schema.meta_checksum(connection):
        yield Fault("its generation, embedder, id or last ids were altered")


def _sources(connection: sqlite3.Connection) -> Iterator[Fault]:
    for uri, stored in connection.execute("SELECT uri, checksum FROM root"):
        if checksum("root", uri) != stored:
            yield Fault(f"the source {uri} was altered")
    for *row, stored in connection.execute("SELECT uri, fingerprint, excluded, feed, checksum FROM origin"):
        if checksum("origin", *row) != stored:
            yield Fault(f"what is remembered of {row[0]} was altered")
    for uri, at, stored in connection.execute("SELECT uri, at, checksum FROM reading"):
        if checksum("reading", uri, at) != stored:
            yield Fault(f"when {uri} was read last was altered")


def _edits(connection: sqlite3.Connection) -> Iterator[Fault]:
    for *row, stored in connection.execute("SELECT article_id, field, value, read, checksum FROM edit"):
        if checksum("edit", *row) != stored:
            yield Fault(f"its edited {row[1]} was altered", str(row[0]))
    for *row, stored in connection.execute("SELECT name, article_id, checksum FROM tag"):
        if checksum("tag", *row) != stored:
            yield Fault(f"its tag {row[0]!r} was altered", str(row[1]))
    for *row, stored in connection.execute("SELECT article_id, places, checksum FROM place"):
        if checksum("place", *row) != stored:
            yield Fault("where its pages begin was altered", str(row[0]))


def _articles(connection: sqlite3.Connection) -> Iterator[Fault]:
    """Each article with its passages, sentences, vectors and keys."""
    keys = _vector_keys(connection)
    for *row, stored in connection.execute(f"SELECT {ARTICLE_ROW}, checksum FROM article ORDER BY rowid"):
        article_id, text, story_keys, copy_of, passages = row[0], row[1], row[10], row[11], row[13]
        if checksum(*row) != stored:
            yield Fault("its text or what is known of it was altered", str(article_id))
            continue
        sums = []
        for passage_id, start, end, passage_sum in connection.execute(
            "SELECT id, start, end, checksum FROM passage WHERE article_id = ? ORDER BY id", (article_id,)
        ).fetchall():
            sentences = connection.execute(
                "SELECT start, end, vector_id FROM sentence WHERE passage_id = ? ORDER BY start", (passage_id,)
            ).fetchall()
            sums.append(passage_sum)
            if passage_checksum(article_id, start, end, sentences) != passage_sum:
                yield Fault("a passage of it was altered", article_id)
            elif any(keys.get(vector_id) != vector_key(text[first:last]) for first, last, vector_id in sentences):
                yield Fault("a vector of it was altered or is missing", article_id)
        if checksum(*sums) != passages:
            yield Fault("passages of it are missing or were altered", article_id)
        found = connection.execute("SELECT key FROM story WHERE article_id = ?", (article_id,)).fetchall()
        if {key for (key,) in found} != (set(split(story_keys)) if copy_of is None else set()):
            yield Fault("the keys by which its copies are found were altered", article_id)


def _vector_keys(connection: sqlite3.Connection) -> dict[int, bytes]:
    """Vector id → key, of the vectors that are as they were written."""
    rows = connection.execute("SELECT id, key, value, checksum FROM vector ORDER BY id")
    keys: dict[int, bytes] = {}
    while some := rows.fetchmany(AT_ONCE):
        _, *columns = zip(*some, strict=True)
        if verified_vectors(*columns) is None:
            some = [row for row in some if verified_vectors(*([part] for part in row[1:])) is not None]
        keys.update({vector_id: key for vector_id, key, *_ in some})
    # A saved vector that no article uses yet makes no wrong answer, and it is not used unless it is right.
    return keys


def _references(connection: sqlite3.Connection) -> Iterator[Fault]:
    for what, query in REFERENCES.items():
        (count,) = connection.execute(query).fetchone()
        if count:
            yield Fault(f"{count} {what}")


def _words(connection: sqlite3.Connection) -> Iterator[Fault]:
    """Compare the word index with one that is made from the texts again."""
    with contextlib.closing(sqlite3.connect("")) as fresh:
        (statement,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'words'").fetchone()
        fresh.execute(statement)
        articles: dict[int, str] = {}
        rows = connection.execute(
            "SELECT passage.id, article_id, start, end, title, text, language "
            "FROM passage JOIN article ON article.id = article_id ORDER BY passage.id"
        )
        for passage_id, article_id, start, end, title, text, tag in rows:
            articles[passage_id] = article_id
            columns = word_columns(title, text[start:end], language_of_article(text, tag))
            fresh.execute("INSERT INTO words (rowid, title, text, other) VALUES (?, ?, ?, ?)", (passage_id, *columns))
        both = (connection, fresh)
        wrong: set[object] = set()
        for one in both:
            one.execute("CREATE VIRTUAL TABLE temp.occurrence USING fts5vocab('main', 'words', 'instance')")
        try:
            found, expected = (one.execute("SELECT term, doc, col, offset FROM temp.occurrence") for one in both)
            wrong |= {row[1] for row in _difference(found, expected)}
        finally:
            connection.execute("DROP TABLE temp.occurrence")
        found, expected = (one.execute("SELECT id, sz FROM words_docsize ORDER BY id") for one in both)
        wrong |= {row[0] for row in _difference(found, expected)}
        blocks = [one.execute("SELECT block FROM words_data WHERE id = 1").fetchone() for one in both]
        totals = [block.rstrip(b"\0") for (block,) in blocks]  # without words, they are zeros or not there
        if totals[0] != totals[1]:
            yield Fault("the word index counts wrongly")
    for passage_id in sorted(wrong, key=str):
        if passage_id in articles:
            yield Fault("its words in the word index were altered", articles[passage_id])
        else:
            yield Fault("the word index has words of no article")


def _difference(some: Iterable[tuple[Any, ...]], others: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """The rows that only one side has; both are in the same order except where one was altered."""
    unmatched: Counter[tuple[Any, ...]] = Counter()
    for one, other in itertools.zip_longest(some, others):
        if one == other:
            continue
        unmatched.update([one] if one is not None else [])
        unmatched.subtract([other] if other is not None else [])
        for row in (one, other):
            if row is not None and unmatched[row] == 0:
                del unmatched[row]
    yield from unmatched
