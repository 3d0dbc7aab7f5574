"""Generation: what one generation of the store holds: its sources, articles and passages. Writes nothing."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from index.article import Article, Span
from index.change import Put
from index.checksum import checksum, passage_checksum
from index.duplicate import split
from index.edit import Edit
from index.errors import StoreError
from index.language import READ_CHARS, language_of_article
from index.place import from_json
from index.store import schema
from index.store.postings import LastPostings
from index.store.schema import ARTICLE_FIELDS, ARTICLE_ROW, LEFT_OUT, MEND, chunks, marks
from index.store.vectors import StoredVectors
from index.store.words import Words

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterator, Sequence

    from index.filters import Filter
    from index.place import Place

SHARING = 1000
"""Articles with one key that are looked at beside those wanted."""


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


class Generation:
    """Queries over one generation of the store. Valid inside `Store.read`."""

    def __init__(self, connection: sqlite3.Connection, postings: LastPostings | None = None) -> None:
        """Within a transaction of `connection`. `postings` are kept from one reader to the next."""
        self._sql = connection
        self.vectors = StoredVectors(connection)
        meta = schema.meta(connection)
        try:
            self.number = int(meta["generation"])
            self.database = meta["database"]
            self.rules = int(meta.get("rules", 0))
            self.languages = tuple(meta.get("languages", "").split())
        except (KeyError, ValueError) as error:
            raise StoreError(f"the number of the generation, or the id of the database, was altered; {MEND}") from error
        kept = (postings or LastPostings()).of(self.database, self.number, meta.get("words", ""))
        self.words = Words(connection, kept)

    def roots(self) -> list[str]:
        """What the user asked to be indexed."""
        return [uri for (uri,) in self._sql.execute("SELECT uri FROM root ORDER BY uri")]

    def origins(self) -> dict[str, tuple[str, bool]]:
        """Every file or address read before: uri → (fingerprint, whether the user removed it)."""
        rows = self._sql.execute("SELECT uri, fingerprint, excluded FROM origin")
        return {uri: (fingerprint.partition(LEFT_OUT)[0], bool(excluded)) for uri, fingerprint, excluded in rows}

    def languages_of_articles(self, at_most: int) -> Counter[str]:
        """Language → number, of at most so many of the articles that are searched, spread over all of them."""
        (number,) = self._sql.execute("SELECT count(*) FROM article WHERE copy_of IS NULL").fetchone()
        rows = self._sql.execute(
            "SELECT substr(text, 1, ?), language FROM "
            "(SELECT text, language, row_number() OVER (ORDER BY rowid) AS place FROM article WHERE copy_of IS NULL) "
            "WHERE place % ? = 0",
            (READ_CHARS, -(-number // at_most) or 1),
        )
        return Counter(language_of_article(text, tag) for text, tag in rows)

    def left_out(self) -> dict[str, tuple[str, ...]]:
        """What was not read of the files that were read: uri → why, for each part."""
        rows = self._sql.execute(
            "SELECT uri, fingerprint FROM origin WHERE NOT excluded AND instr(fingerprint, ?) ORDER BY uri", (LEFT_OUT,)
        )
        return {uri: tuple(json.loads(fingerprint.partition(LEFT_OUT)[2])) for uri, fingerprint in rows}

    def read_at(self) -> dict[str, str]:
        """When each root was read last, in UTC, of those where it is known: uri → ISO 8601 date-time."""
        return dict(self._sql.execute("SELECT uri, at FROM reading"))

    def edits(self, article_id: str | None = None) -> dict[str, tuple[Edit, ...]]:
        """What the user edited, of all articles or of one: article id → edits. Raises StoreError for altered ones."""
        found: dict[str, list[Edit]] = {}
        where, values = ("WHERE article_id = ?", (article_id,)) if article_id is not None else ("", ())
        for *row, stored in self._sql.execute(
            f"SELECT article_id, field, value, read, checksum FROM edit {where} ORDER BY article_id, field DESC", values
        ):
            if checksum("edit", *row) != stored:
                raise StoreError(f"an edit of the article {row[0]!r} was altered in the database; {MEND}")
            found.setdefault(row[0], []).append(Edit(*row[1:]))
        return {name: tuple(edits) for name, edits in found.items()}

    def tags(self, article_id: str | None = None) -> dict[str, tuple[str, ...]]:
        """The tags of all articles or of one: article id → its tags, in alphabetical order."""
        found: dict[str, list[str]] = {}
        where, values = ("WHERE article_id = ?", (article_id,)) if article_id is not None else ("", ())
        for name, tagged in self._sql.execute(f"SELECT name, article_id FROM tag {where}", values):
            found.setdefault(tagged, []).append(name)
        return {one: tuple(sorted(tags, key=str.casefold)) for one, tags in found.items()}

    def tag_counts(self) -> dict[str, int]:
        """How many articles have each tag, in alphabetical order."""
        rows = self._sql.execute("SELECT name, count(*) FROM tag GROUP BY name").fetchall()
        return dict(sorted(rows, key=lambda row: row[0].casefold()))

    def resolved(self, only: Filter) -> Filter:
        """The filter with the articles that have its tags in place of these."""
        if not only.tags:
            return only
        wanted = {tag.casefold() for tag in only.tags}
        having: dict[str, set[str]] = {tag: set() for tag in wanted}
        for name, article_id in self._sql.execute("SELECT name, article_id FROM tag"):
            if name.casefold() in wanted:
                having[name.casefold()].add(article_id)
        tagged = frozenset(set.intersection(*having.values()))
        chosen = tagged if only.articles is None else tagged & only.articles
        return replace(only, articles=chosen, tags=frozenset())

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
        return next((row.article for row in self.article_rows("WHERE id = ?", (article_id,))), None)

    def articles(self, *, origin: str | None = None) -> list[Article]:
        """All articles, or those read from one file, in the order they were added."""
        where, values = ("WHERE origin = ?", (origin,)) if origin is not None else ("", ())
        return [row.article for row in self.article_rows(f"{where} ORDER BY rowid", values)]

    def openings(self, chars: int) -> list[Article]:
        """All articles in the order they were added, with the first `chars` of their text. It is not compared with its
        checksum, which is that of the whole."""
        query = "SELECT id, substr(text, 1, ?), title, source, url, published, author, updated, language FROM article"
        return [Article(*row) for row in self._sql.execute(f"{query} ORDER BY rowid", (chars,))]

    def article_rows(self, where: str, values: Sequence[str]) -> Iterator[_Article]:
        """Rows of the article table as they were written. Raises StoreError for another."""
        for *row, stored in self._sql.execute(f"SELECT {ARTICLE_ROW}, checksum FROM article {where}", values):
            if checksum(*row) != stored:
                raise StoreError(f"the article {row[0]!r} was altered in the database; {MEND}")
            origin, keys, copy_of, superseded_by, _ = row[ARTICLE_FIELDS:]
            article = replace(Article(*row[:ARTICLE_FIELDS]), places=self._places_of(row[0]))
            yield _Article(article, origin, keys, copy_of, superseded_by)

    def _places_of(self, article_id: str) -> tuple[Place, ...]:
        row = self._sql.execute("SELECT places, checksum FROM place WHERE article_id = ?", (article_id,)).fetchone()
        if row is None:
            return ()
        if checksum("place", article_id, row[0]) != row[1]:
            raise StoreError(f"the pages of the article {article_id!r} were altered in the database; {MEND}")
        return from_json(row[0])

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

    def listing(self) -> list[tuple[Article, int, str | None, str | None, str | None]]:
        """Every article in the order of adding, with how many passages it has, the ids of the one it is a copy of and
        of its newer version, and where it was read from."""
        counts = dict(self._sql.execute("SELECT article_id, count(*) FROM passage GROUP BY article_id").fetchall())
        return [
            (row.article, counts.get(row.article.id, 0), row.copy_of, row.superseded_by, row.origin)
            for row in self.article_rows("ORDER BY rowid", ())
        ]

    def text_of(self, article_id: str) -> str | None:
        """The text of an article, or None."""
        article = self.article(article_id)
        return None if article is None else article.text

    def copies(self, article_id: str) -> list[Article]:
        """The copies of an article, in the order they were added."""
        return [row.article for row in self.article_rows("WHERE copy_of = ? ORDER BY rowid", (article_id,))]

    def original_of(self, article_id: str) -> str | None:
        """Id of the article that this one is a copy of; None if it is none."""
        row = self._sql.execute("SELECT copy_of FROM article WHERE id = ?", (article_id,)).fetchone()
        return None if row is None else row[0]

    def copies_put(self, article_ids: Collection[str]) -> list[Put]:
        """All copies of these articles, as they would be put again."""
        return [put for chunk in chunks(list(article_ids)) for put in self._puts(f"copy_of IN ({marks(chunk)})", chunk)]

    def puts(self, article_ids: Collection[str] | None = None) -> list[Put]:
        """These articles, or all, as they would be put again."""
        if article_ids is None:
            return self._puts("TRUE", ())
        return [put for chunk in chunks(list(article_ids)) for put in self._puts(f"id IN ({marks(chunk)})", chunk)]

    def _puts(self, where: str, values: Sequence[str]) -> list[Put]:
        return [
            Put(row.article, row.origin, split(row.keys), row.copy_of, superseded_by=row.superseded_by)
            for row in self.article_rows(f"WHERE {where} ORDER BY rowid", values)
        ]

    def versions(self, article_ids: Collection[str]) -> dict[str, str | None]:
        """Every version of the documents of these articles, with the id of the newest; None for the newest itself.

        Articles of which there are no other versions are left out, and copies.
        """
        newest = {
            name
            for chunk in chunks(list(article_ids))
            for (name,) in self._sql.execute(
                f"SELECT coalesce(superseded_by, id) FROM article WHERE id IN ({marks(chunk)})", chunk
            )
        }
        older = {
            name: superseded_by
            for chunk in chunks(list(newest))
            for name, superseded_by in self._sql.execute(
                f"SELECT id, superseded_by FROM article WHERE superseded_by IN ({marks(chunk)})", chunk
            )
        }
        return {**dict.fromkeys(older.values()), **older}

    def places(self, article_ids: Collection[str]) -> dict[str, int]:
        """Article id → place in the order of adding, of those of `article_ids` that there are."""
        return {
            article_id: place
            for chunk in chunks(list(article_ids))
            for article_id, place in self._sql.execute(
                f"SELECT id, rowid FROM article WHERE id IN ({marks(chunk)})", chunk
            )
        }

    def sharing(self, keys: Sequence[bytes], *, leaving: Collection[str], k: int) -> dict[bytes, list[str]]:
        """For each of `keys`, the ids of up to `k` originals that have it, `leaving` apart."""
        # As many more are looked at as may be leaving, but no more: a key may be that of thousands.
        query = f"SELECT article_id FROM story WHERE key = ? LIMIT {k + min(len(leaving), SHARING)}"
        return {key: [name for (name,) in self._sql.execute(query, (key,)) if name not in leaving][:k] for key in keys}

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

    def searched(self) -> tuple[int, int]:
        """How many passages there are, and how many articles have one."""
        passages, articles = self._sql.execute("SELECT count(*), count(DISTINCT article_id) FROM passage").fetchone()
        return passages, articles

    def passage_ids_of(self, article_ids: Collection[str]) -> list[int]:
        """Ids of the passages of these articles."""
        query = "SELECT id FROM passage WHERE article_id IN (SELECT value FROM json_each(?))"
        return [passage_id for (passage_id,) in self._sql.execute(query, (json.dumps(list(article_ids)),))]

    def articles_with(
        self, phrases: Sequence[str] | None, only: Filter, sort: Literal["relevance", "newest", "oldest"]
    ) -> list[tuple[str, str | None]]:
        """Ids of the articles that pass `only` and may have one of `phrases`, in this order, each with that of its
        original if it is a copy. None for phrases finds all.

        The word index stems, so that more are found than have the very phrase. Copies are not in it: all of them are
        among the found, after what is in it if sorted by relevance, the best sum of BM25 of passages first.
        """
        self._sql.create_function("passes", 2, only.passes, deterministic=True)
        values: list[str] = []
        matched = ""
        if phrases is None:
            found = "SELECT id AS article_id, 0 AS score FROM article"
        else:
            values.append(" OR ".join(f'"{phrase}"' for phrase in phrases))
            matched = (  # materialized, for bm25() cannot be used in a join
                "WITH matched AS MATERIALIZED "
                "(SELECT rowid AS passage_id, -bm25(words, 2.0, 1.0) AS score FROM words WHERE words MATCH ?)"
            )
            found = (
                "SELECT article_id, sum(score) AS score FROM matched "
                "JOIN passage ON passage.id = passage_id GROUP BY article_id "
                "UNION ALL SELECT id, 0 FROM article WHERE copy_of NOT NULL"
            )
        chosen = ""
        if only.articles is not None:
            # A copy is chosen with its original, and the other way round.
            chosen = (
                "AND coalesce(copy_of, id) IN (SELECT coalesce(copy_of, id) FROM article "
                "WHERE id IN (SELECT value FROM json_each(?)))"
            )
            values.append(json.dumps(sorted(only.articles)))
        order = {
            "relevance": "score DESC, rowid",
            "newest": "published IS NULL, published DESC, rowid",
            "oldest": "published IS NULL, published, rowid",
        }[sort]
        return self._sql.execute(
            f"{matched} SELECT article.id, copy_of FROM ({found}) AS found "
            "JOIN article ON article.id = found.article_id "
            f"WHERE passes(source, published) {chosen} ORDER BY {order.replace('rowid', 'article.rowid')}",
            values,
        ).fetchall()

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

    def texts(self, passage_ids: Sequence[int]) -> dict[int, str]:
        """The texts of passages, to compare; whether an article was altered is not looked at."""
        rows = self._sql.execute(
            "SELECT passage.id, substr(text, start + 1, end - start) "
            "FROM passage JOIN article ON article.id = article_id WHERE passage.id IN (SELECT value FROM json_each(?))",
            (json.dumps(list(passage_ids)),),
        )
        return dict(rows.fetchall())

    def outlets(self) -> tuple[str, ...]:
        """The outlets of the articles, that with the most first."""
        query = "SELECT source FROM article WHERE source NOT NULL GROUP BY source ORDER BY count(*) DESC, source"
        return tuple(source for (source,) in self._sql.execute(query))

    def newest(self, n: int, only: Filter) -> tuple[str, ...]:
        """Ids of at most `n` originals that pass a filter, the last published first, those without a date last."""
        self._sql.create_function("passes", 2, only.passes, deterministic=True)
        wanted = "true" if only.articles is None else "id IN (SELECT value FROM json_each(?))"
        values: list[str | int] = [] if only.articles is None else [json.dumps(sorted(only.articles))]
        # A copy stands for its original; a version that was superseded counts only when it was chosen.
        current = "AND superseded_by IS NULL" if only.articles is None else ""
        rows = self._sql.execute(
            "SELECT id FROM article WHERE copy_of IS NULL AND id IN (SELECT coalesce(copy_of, id) FROM article "
            f"WHERE {wanted} AND passes(source, published)) {current} "
            "ORDER BY published IS NULL, published DESC, rowid LIMIT ?",
            [*values, n],
        )
        return tuple(article_id for (article_id,) in rows)

    def last_published(self) -> str | None:
        """The latest date of publication of any article; None when none has one. Not 9999-12-31 and the like, with
        which databases mark an unknown day."""
        latest: str | None = self._sql.execute("SELECT max(published) FROM article WHERE published < '3'").fetchone()[0]
        return latest

    def counts(self) -> dict[str, int]:
        """Rows of article, passage and sentence."""
        return {
            table: self._sql.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("article", "passage", "sentence")
        }
