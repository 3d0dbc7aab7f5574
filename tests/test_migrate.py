"""A home of an older layout: it is brought to the present layout, after a copy of its database was made."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from index import Article, Index, LayoutError, StoreError
from index.home import DATABASE
from index.place import Place
from index.store import LAYOUT
from tests.fakes import BagOfWordsEmbedder

LAYOUT_1 = """
PRAGMA application_id = 1128879173;
PRAGMA user_version = 1;
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE root (uri TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE origin (
    uri TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, excluded INTEGER NOT NULL DEFAULT 0, feed TEXT
) WITHOUT ROWID;
CREATE TABLE article (
    id TEXT PRIMARY KEY, origin TEXT, text TEXT NOT NULL,
    title TEXT, source TEXT, url TEXT, published TEXT, author TEXT, updated TEXT, language TEXT,
    keys BLOB NOT NULL, copy_of TEXT
);
CREATE INDEX article_origin ON article (origin);
CREATE INDEX article_copy ON article (copy_of);
CREATE TABLE story (key BLOB NOT NULL, article_id TEXT NOT NULL, PRIMARY KEY (key, article_id)) WITHOUT ROWID;
CREATE TABLE passage (
    id INTEGER PRIMARY KEY AUTOINCREMENT, article_id TEXT NOT NULL, start INTEGER NOT NULL, end INTEGER NOT NULL
);
CREATE INDEX passage_article ON passage (article_id);
CREATE TABLE sentence (
    passage_id INTEGER NOT NULL, start INTEGER NOT NULL, end INTEGER NOT NULL, vector_id INTEGER NOT NULL,
    PRIMARY KEY (passage_id, start)
) WITHOUT ROWID;
CREATE INDEX sentence_vector ON sentence (vector_id, passage_id);
CREATE TABLE vector (id INTEGER PRIMARY KEY AUTOINCREMENT, key BLOB NOT NULL UNIQUE, value BLOB NOT NULL);
CREATE VIRTUAL TABLE words USING fts5 (
    title, text, content = '', tokenize = 'porter unicode61 remove_diacritics 2'
);
"""
"""The tables as they were, for homes that were made then."""

KEPT: Mapping[str, str] = {
    "meta": "key, value",
    "root": "uri",
    "origin": "uri, fingerprint, excluded, feed",
    "article": "rowid, id, origin, text, title, source, url, published, author, updated, language, keys, copy_of",
    "story": "key, article_id",
    "passage": "id, article_id, start, end",
    "sentence": "passage_id, start, end, vector_id",
    "vector": "id, key, value",
    "sqlite_sequence": "name, seq",
}
"""What both layouts have."""

ISLANDS = "The islands are disputed. Fishing boats cross the strait every day."
HARVEST = "Farmers brought in the wheat harvest early. Rain had been rare."


@pytest.fixture
def old_home(tmp_path: Path, embedder: BagOfWordsEmbedder) -> Path:
    """A home of layout 1: a folder, a removed file, an article handed in, a copy of it, and ids of what is gone."""
    folder, made, home = tmp_path / "articles", tmp_path / "made", tmp_path / "old"
    folder.mkdir()
    (folder / "islands.txt").write_text(ISLANDS)
    (folder / "harvest.txt").write_text(HARVEST)
    (folder / "removed.txt").write_text("A zeppelin landed.")
    with Index.open(made, embedder=embedder) as index:
        index.sync([folder])
        index.add([Article("handed-in", "Snow fell in Oslo.", title="Winter", published="2020-01-02")])
        index.add([Article("copy", "Snow  fell in Oslo.", source="Wire")])
        index.remove([folder / "removed.txt"])
        index.add([Article("last", "It is gone again.")])
        index.remove(["last"])
    home.mkdir()
    as_layout_1(made / DATABASE, home / DATABASE)
    return home


def as_layout_1(new: Path, old: Path) -> None:
    """Write what a database holds as one of layout 1."""
    with closing(sqlite3.connect(old, isolation_level=None)) as connection:
        connection.executescript(f"PRAGMA journal_mode = WAL; {LAYOUT_1}; ATTACH '{new}' AS new; BEGIN")
        for table, columns in KEPT.items():
            if table == "sqlite_sequence":
                connection.execute("DELETE FROM sqlite_sequence")
            connection.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM new.{table}")
        connection.execute("DELETE FROM meta WHERE key NOT IN ('generation', 'embedder')")
        for passage_id, title, text in connection.execute(
            "SELECT passage.id, coalesce(title, ''), substr(text, start + 1, end - start) "
            "FROM passage JOIN article ON article.id = article_id ORDER BY passage.id"
        ).fetchall():
            connection.execute("INSERT INTO words (rowid, title, text) VALUES (?, ?, ?)", (passage_id, title, text))
        connection.execute("COMMIT")


def as_layout_3(connection: sqlite3.Connection) -> None:
    """Leave out what layouts 4 and 5 added."""
    for table in ("edit", "tag", "reading", "place"):
        connection.execute(f"DROP TABLE {table}")
    connection.execute("PRAGMA user_version = 3")


def content(database: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every row of what both layouts have."""
    with closing(sqlite3.connect(database)) as connection:
        rows = {
            table: connection.execute(f"SELECT {columns} FROM {table} ORDER BY 1, 2").fetchall()
            for table, columns in KEPT.items()
            if table != "root"
        }
        rows["root"] = connection.execute("SELECT uri FROM root").fetchall()
        rows["meta"] = [row for row in rows["meta"] if row[0] in ("generation", "embedder")]
        return rows


def layout(database: Path) -> int:
    with closing(sqlite3.connect(database)) as connection:
        number: int = connection.execute("PRAGMA user_version").fetchone()[0]
        return number


def test_an_older_home_is_opened_with_everything_in_it(old_home: Path, embedder: BagOfWordsEmbedder) -> None:
    before, embedded = content(old_home / DATABASE), len(embedder.embedded)
    with Index.open(old_home, embedder=embedder) as index:
        assert index.check()[1:] == [], "but for the FAISS snapshot, which a search makes"
        assert index.search("wheat harvest")[0].text == HARVEST
        assert index.check() == []
        assert [one.id for one in index.copies("handed-in")] == ["copy"]
        assert index.sync().unchanged == 2, "what was removed stays removed"
    assert len(embedder.embedded) == embedded
    assert content(old_home / DATABASE) == before
    assert layout(old_home / DATABASE) == LAYOUT


def test_a_copy_of_the_older_database_is_kept_beside_it(old_home: Path, embedder: BagOfWordsEmbedder) -> None:
    before = content(old_home / DATABASE)
    Index.open(old_home, embedder=embedder).close()
    copy = old_home / f"{DATABASE}.layout-1"
    assert (layout(copy), content(copy)) == (1, before)


def test_the_copy_goes_when_text_is_removed(old_home: Path, embedder: BagOfWordsEmbedder) -> None:
    with Index.open(old_home, embedder=embedder) as index:
        index.remove(["handed-in"])
        index.remove(["copy"])
    assert not [file.name for file in old_home.iterdir() if b"Oslo" in file.read_bytes()]


def test_a_migrated_home_takes_new_articles(old_home: Path, embedder: BagOfWordsEmbedder) -> None:
    with Index.open(old_home, embedder=embedder) as index:
        index.add([Article("new", "A comet was seen."), Article("handed-in", "Snow fell in Bergen.")])
        assert index.search("comet")[0].article.id == "new"
        assert index.remove(["copy"]) == 1
        assert index.check() == []


def test_each_database_has_an_id_of_its_own(old_home: Path, tmp_path: Path, embedder: BagOfWordsEmbedder) -> None:
    ids = set()
    for home in (old_home, tmp_path / "new", tmp_path / "newer"):
        with Index.open(home, embedder=embedder) as index, index._store.read() as generation:
            ids.add(generation.database)
    assert len(ids) == 3


def test_a_migrated_database_has_the_tables_of_a_new_one(
    old_home: Path, tmp_path: Path, embedder: BagOfWordsEmbedder
) -> None:
    tables = []
    for home in (old_home, tmp_path / "new"):
        Index.open(home, embedder=embedder).close()
        with closing(sqlite3.connect(home / DATABASE)) as connection:
            rows = connection.execute("SELECT type, name, sql FROM sqlite_master WHERE sql NOT NULL")
            tables.append({(kind, name): "".join(sql.split()) for kind, name, sql in rows})
    assert tables[0] == tables[1]


def test_a_damaged_older_database_is_told_and_left_as_it_is(old_home: Path, embedder: BagOfWordsEmbedder) -> None:
    with closing(sqlite3.connect(old_home / DATABASE)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'article_copy'").fetchone()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with (old_home / DATABASE).open("r+b") as file:
        file.seek((page - 1) * 4096 + 3)
        file.write(b"\x00\x01")
    before = (old_home / DATABASE).read_bytes()
    with pytest.raises(StoreError, match=r"damaged.*citewire index rebuild"):
        Index.open(old_home, embedder=embedder)
    assert (old_home / DATABASE).read_bytes() == before


def test_the_word_index_of_layout_2_is_made_anew_without_embedding_and_the_log_says_so(
    tmp_path: Path, embedder: BagOfWordsEmbedder, caplog: pytest.LogCaptureFixture
) -> None:
    text = "渡轮停运。市长说没有人受伤。"
    with Index.open(tmp_path, embedder=embedder) as index:
        index.add([Article("ferry", text), Article("islands", ISLANDS, title="Straße")])
    with closing(sqlite3.connect(tmp_path / DATABASE, isolation_level=None)) as connection:
        as_layout_3(connection)
        connection.execute("DROP TABLE words")
        connection.execute(LAYOUT_1[LAYOUT_1.index("CREATE VIRTUAL TABLE") :])
        connection.execute("DELETE FROM meta WHERE key IN ('languages', 'words')")
        connection.execute("PRAGMA user_version = 2")
    embedded = len(embedder.embedded)
    with Index.open(tmp_path, embedder=embedder) as index:
        found = index.search("市长")
        assert (found[0].article.id, found[0].bm25 > 0) == ("ferry", True)
        assert index.search("Strasse")[0].article.id == "islands"
        assert index.check()[1:] == []
        assert layout(tmp_path / DATABASE) == LAYOUT
        index.remove(["ferry"])
        assert index.search("市长")[0].bm25 == 0
    assert len(embedder.embedded) == embedded
    assert caplog.messages == [
        "this release of Citewire finds words in another way: making the word index of 2 articles again"
    ]


def test_a_home_of_layout_3_takes_edits_and_tags(tmp_path: Path, embedder: BagOfWordsEmbedder) -> None:
    with Index.open(tmp_path, embedder=embedder) as index:
        index.add([Article("islands", ISLANDS, title="Strait")])
    with closing(sqlite3.connect(tmp_path / DATABASE, isolation_level=None)) as connection:
        as_layout_3(connection)
    before, embedded = content(tmp_path / DATABASE), len(embedder.embedded)
    with Index.open(tmp_path, embedder=embedder) as index:
        assert content(tmp_path / DATABASE) == before
        assert layout(tmp_path / f"{DATABASE}.layout-3") == 3
        index.edit("islands", title="The strait")
        index.tag("islands", "sea")
        assert index.search("boats tag:sea")[0].article.title == "The strait"
        assert index.check() == []
    assert layout(tmp_path / DATABASE) == LAYOUT
    assert len(embedder.embedded) == embedded


def test_a_home_of_layout_4_takes_places(tmp_path: Path, embedder: BagOfWordsEmbedder) -> None:
    with Index.open(tmp_path, embedder=embedder) as index:
        index.add([Article("islands", ISLANDS)])
        index.tag("islands", "sea")
    with closing(sqlite3.connect(tmp_path / DATABASE, isolation_level=None)) as connection:
        connection.execute("DROP TABLE place")
        connection.execute("PRAGMA user_version = 4")
    with Index.open(tmp_path, embedder=embedder) as index:
        before = index.generation
        assert index.tags_of("islands") == ("sea",)
        assert index.article("islands").place_of(0, 9) is None
        report = index.add([Article("islands", ISLANDS, places=(Place(0, "xii", 12), Place(27, "xiii", 13)))])
        assert (report.unchanged, index.generation) == (1, before)
        found = index.search("fishing boats")[0].article
        assert (found.place_of(0, 9), found.place_of(0, 40), found.page_of(30)) == ("p. xii", "pp. xii–xiii", 13)
        assert index.check() == []
    assert layout(tmp_path / f"{DATABASE}.layout-4") == 4


def test_a_layout_that_is_not_known_is_refused(old_home: Path, embedder: BagOfWordsEmbedder) -> None:
    with closing(sqlite3.connect(old_home / DATABASE)) as connection:
        connection.execute(f"PRAGMA user_version = {LAYOUT + 1}")
    with pytest.raises(LayoutError, match=f"layout {LAYOUT + 1}"):
        Index.open(old_home, embedder=embedder)


KILLED = """
import os, signal, sys
sys.path.insert(0, {root!r})
from index import Index, database
from index.store import migrate, schema
from tests.fakes import BagOfWordsEmbedder

def dying(function):
    def die_before(*given, **named):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*given, **named)
    return die_before

left = int(sys.argv[2])
for module, name in (
    (database, "copy_beside"), (database, "sync_file"), (migrate, "migrate"), (migrate, "_copy_sources"),
    (migrate, "_copy_passages"), (migrate, "_copy_articles"), (migrate, "_complete_vectors"), (schema, "seal"),
    (migrate, "renew_words"),
):
    setattr(module, name, dying(getattr(module, name)))
Index.open(sys.argv[1], embedder=BagOfWordsEmbedder()).close()
"""


def test_killed_at_any_step_either_layout_is_whole(old_home: Path, embedder: BagOfWordsEmbedder) -> None:
    before = content(old_home / DATABASE)
    script = KILLED.format(root=str(Path(__file__).parent.parent))
    for step in range(1, 11):
        done = subprocess.run(
            [sys.executable, "-c", script, str(old_home), str(step)], env={**os.environ}, capture_output=True
        )
        assert done.returncode == -signal.SIGKILL, done.stderr
        assert content(old_home / DATABASE) == before
        # The last step makes the words, which are made when the index is opened next.
        assert layout(old_home / DATABASE) == (LAYOUT if step == 10 else 1)
    with Index.open(old_home, embedder=embedder) as index:
        assert index.search("wheat harvest")[0].text == HARVEST
        assert not list(old_home.glob("*.tmp"))
