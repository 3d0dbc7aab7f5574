"""Altered bytes in the database: told by the check, never in a result, and mended where that can be done."""

from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from index import Article, Index, InputError, StoreError
from index.home import DATABASE
from tests.fakes import BagOfWordsEmbedder

ISLANDS = "The islands are disputed. Fishing boats cross the strait every day. Nobody lives there in winter."
HARVEST = "Farmers brought in the wheat harvest early. Rain had been rare. Prices fell at the market in Kyiv."
FLIPS = 300
MENDED = 20


@pytest.fixture
def articles(tmp_path: Path) -> Path:
    folder = tmp_path / "articles"
    folder.mkdir()
    (folder / "islands.txt").write_text(ISLANDS)
    (folder / "harvest.txt").write_text(HARVEST)
    (folder / "removed.txt").write_text("This was removed by the user.")
    return folder


@pytest.fixture
def home(tmp_path: Path, articles: Path, embedder: BagOfWordsEmbedder) -> Path:
    """A home with all that there can be: files, a removed one, articles handed in, a copy, and a source gone again."""
    with Index.open(tmp_path / "home", embedder=embedder) as index:
        index.sync([articles])
        index.remove([articles / "removed.txt"])
        for number in range(12):
            text = " ".join(
                f"Report {number} says in sentence {place} that {number * place} ships came." for place in range(9)
            )
            index.add(
                [Article(f"report-{number}", text, title=f"Ships {number}", source="Post", published="2020-01-02")]
            )
        index.add([Article("copy", HARVEST, source="Wire")])
        index.search("wheat")
    return tmp_path / "home"


def dump(home: Path) -> dict[str, object]:
    """All that the database says. How FTS5 packs its words does not count: a mark that a word was deleted before it was
    inserted, for one, changes nothing."""
    with closing(sqlite3.connect(home / DATABASE)) as connection:
        tables = "meta root origin article story passage sentence vector words_docsize".split()
        rows: dict[str, object] = {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables}
        connection.execute("CREATE VIRTUAL TABLE temp.occurrence USING fts5vocab('main', 'words', 'instance')")
        rows["words"] = connection.execute("SELECT * FROM temp.occurrence").fetchall()
        rows["totals"] = connection.execute("SELECT block FROM words_data WHERE id = 1").fetchall()
        rows["order"] = connection.execute("SELECT rowid, id FROM article").fetchall()
        rows["last ids"] = connection.execute("SELECT * FROM sqlite_sequence").fetchall()
        return rows


def everything(index: Index) -> list[object]:
    """All that the index says."""
    return [
        index.articles(), index.listing(), index.search("wheat harvest"), index.search("report ships came", k=20),
        index.search("ships", source="Post"), [index.copies(one.id) for one in index.articles()],
        list(index.passages()), [index.current(one) for one in index.articles()],
    ]  # fmt: skip


def flip(home: Path, place: int, bit: int) -> None:
    with (home / DATABASE).open("r+b") as file:
        file.seek(place)
        (byte,) = file.read(1)
        file.seek(place)
        file.write(bytes([byte ^ 1 << bit]))


def used_places(home: Path) -> list[int]:
    """Bytes of the file that are not zero: zeros are mostly room that nothing uses yet."""
    content = (home / DATABASE).read_bytes()
    return [place for place, byte in enumerate(content) if byte]


def test_every_flipped_bit_is_told_or_changes_nothing(home: Path, tmp_path: Path, embedder: BagOfWordsEmbedder) -> None:
    with Index.open(home, embedder=embedder) as index:
        expected = everything(index)
    before, drawn = dump(home), random.Random(15)
    places = used_places(home)
    size = (home / DATABASE).stat().st_size
    unseen = []
    for number in range(FLIPS):
        place = drawn.choice(places) if number % 4 else drawn.randrange(size)
        bit = drawn.randrange(8)
        altered = tmp_path / "altered"
        shutil.rmtree(altered, ignore_errors=True)
        shutil.copytree(home, altered)
        flip(altered, place, bit)
        try:
            with Index.open(altered, embedder=embedder) as index:
                told = index.check()
                try:
                    assert everything(index) == expected or told
                except (StoreError, InputError):
                    assert told, f"bit {bit} of byte {place} is met by a reader and not told"
        except StoreError as error:
            told = [str(error)]
        if not told and dump(altered) != before:
            unseen.append((place, bit))
    assert unseen == []


def test_what_was_altered_is_mended(home: Path, tmp_path: Path, embedder: BagOfWordsEmbedder) -> None:
    with Index.open(home, embedder=embedder) as index:
        # Without the definitions of the tables nothing can be read: in a home of some size they are a small part.
        index.add([Article(f"more-{n}", f"Bridge {n} was opened. It has {n * 7} lamps. " * 8) for n in range(60)])
        expected = everything(index)
    places, drawn = used_places(home), random.Random(7)
    mended = refused = 0
    while mended < MENDED:
        altered = tmp_path / "altered"
        shutil.rmtree(altered, ignore_errors=True)
        shutil.copytree(home, altered)
        flip(altered, drawn.choice(places), drawn.randrange(8))
        try:
            with Index.open(altered, embedder=embedder) as index:
                told = index.check()
        except StoreError as error:
            told = [str(error)]
        if not told:
            continue
        try:
            done = Index.repair(altered, embedder=embedder)
        except StoreError:
            assert any("schema" in one or "not a database" in one for one in told), told
            refused += 1
            continue
        with Index.open(altered, embedder=embedder) as index:
            assert index.check() == []
            lost = {failure.path for failure in done.lost}
            kept = [article for article in expected[0] if article.id not in lost]  # type: ignore[attr-defined]
            assert {one.id: one for one in index.articles()} == {one.id: one for one in kept}
            if not lost:
                assert sorted(map(repr, index.search("wheat harvest"))) == sorted(map(repr, expected[2]))  # type: ignore[call-overload]
        mended += 1
    assert refused <= MENDED // 10


def altered_by(home: Path, *statements: str) -> None:
    with closing(sqlite3.connect(home / DATABASE, isolation_level=None)) as connection:
        for statement in statements:
            assert connection.execute(statement).rowcount != 0, statement


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE article SET text = replace(text, 'wheat', 'wheel') WHERE origin IS NOT NULL", "its text"),
        ("UPDATE article SET published = '2021-01-02' WHERE id = 'report-3'", "article report-3: its text or what"),
        ("UPDATE article SET origin = '/elsewhere' WHERE id = 'report-3'", "article report-3"),
        ("UPDATE article SET copy_of = NULL WHERE id = 'copy'", "article copy"),
        ("UPDATE passage SET start = start + 1 WHERE article_id = 'report-3'", "article report-3: a passage"),
        ("DELETE FROM sentence WHERE start = 0 AND passage_id = 2", "a passage of it was altered"),
        ("UPDATE sentence SET vector_id = 1 WHERE passage_id = 5", "a passage of it was altered"),
        ("UPDATE vector SET value = zeroblob(length(value)) WHERE id = 5", "a vector of it"),
        ("UPDATE vector SET value = x'00' WHERE id = 5", "a vector of it"),
        ("DELETE FROM vector WHERE id = 5", "a vector of it"),
        ("DELETE FROM passage WHERE article_id = 'report-3'", "article report-3: passages of it are missing"),
        ("DELETE FROM story WHERE article_id = 'report-3'", "article report-3: the keys"),
        ("UPDATE root SET uri = uri || 'x'", "the source"),
        ("UPDATE origin SET excluded = 0 WHERE excluded", "what is remembered of"),
        ("UPDATE meta SET value = '1' WHERE key = 'generation'", "its generation"),
        ("UPDATE sqlite_sequence SET seq = 3", "last ids"),
        ("DROP INDEX article_origin", "the definition of article_origin"),
        ("INSERT INTO words (rowid, title, text) VALUES (5, 'added', 'by hand')", "its words in the word index"),
        ("INSERT INTO words (rowid, title, text) VALUES (3000, 'added', 'by hand')", "words of no article"),
    ],
)
def test_what_is_altered_by_hand_is_told_and_mended(
    home: Path, embedder: BagOfWordsEmbedder, statement: str, told: str
) -> None:
    with Index.open(home, embedder=embedder) as index:
        expected = everything(index)
    altered_by(home, statement)
    with Index.open(home, embedder=embedder) as index:
        assert told in "; ".join(index.check())
        embedded = len(embedder.embedded)
        done = Index.repair(home, embedder=embedder)
        assert len(embedder.embedded) - embedded <= 3, "sound vectors are kept"
        assert index.check() == []
        kept = {failure.path for failure in done.lost}
        articles = [one for one in expected[0] if one.id not in kept]  # type: ignore[attr-defined]
        assert {one.id: one for one in index.articles()} == {one.id: one for one in articles}
        assert "removed" not in {article.id for article in index.articles()}


def test_a_reader_is_told_which_article_was_altered(home: Path, embedder: BagOfWordsEmbedder) -> None:
    altered_by(home, "UPDATE article SET text = replace(text, 'ships', 'sheep') WHERE id = 'report-3'")
    with Index.open(home, embedder=embedder) as index:
        for read in (index.articles, index.listing, lambda: index.article("report-3"), lambda: list(index.passages())):
            with pytest.raises(StoreError, match=r"'report-3' was altered.*citewire index check --repair"):
                read()
        with pytest.raises(StoreError, match="report-3"):
            index.search("report 3 sentence ships")
        assert index.article("report-4").title == "Ships 4"


def test_altered_vectors_are_told_where_they_are_read(home: Path, embedder: BagOfWordsEmbedder) -> None:
    altered_by(home, "UPDATE vector SET value = randomblob(length(value))")
    for damage in ("", "DELETE FROM vector"):
        altered_by(home, *([damage] if damage else []))
        told = pytest.raises(StoreError, match=r"vectors, one of them of the article.*citewire index check --repair")
        with Index.open(home, embedder=embedder) as index, told:
            index.search("wheat harvest")
    Index.repair(home, embedder=embedder)
    with Index.open(home, embedder=embedder) as index:
        assert index.search("wheat harvest")[0].text == HARVEST


def test_an_altered_article_is_read_again_from_its_file(home: Path, embedder: BagOfWordsEmbedder) -> None:
    altered_by(home, "UPDATE article SET text = 'Another text.' WHERE text LIKE '%islands%'")
    done = Index.repair(home, embedder=embedder)
    assert done.lost == ()
    with Index.open(home, embedder=embedder) as index:
        assert index.search("islands")[0].text == ISLANDS
    assert not list(home.glob("*.old*"))


def test_an_altered_original_is_mended_from_its_copy(tmp_path: Path, embedder: BagOfWordsEmbedder) -> None:
    with Index.open(tmp_path / "home", embedder=embedder) as index:
        index.add([Article("first", HARVEST, title="Harvest"), Article("second", HARVEST, source="Wire")])
    altered_by(tmp_path / "home", "UPDATE article SET text = 'Another text.' WHERE id = 'first'")
    done = Index.repair(tmp_path / "home", embedder=embedder)
    assert done.lost == ()
    with Index.open(tmp_path / "home", embedder=embedder) as index:
        assert index.article("first") == Article("first", HARVEST, title="Harvest")


def test_what_cannot_be_mended_is_said_and_kept_beside(home: Path, embedder: BagOfWordsEmbedder) -> None:
    altered_by(home, "UPDATE article SET text = 'Another text.' WHERE id = 'report-3'")
    done = Index.repair(home, embedder=embedder)
    assert [(one.path, "it came from no file" in one.reason) for one in done.lost] == [("report-3", True)]
    with Index.open(home, embedder=embedder) as index:
        assert index.check() == []
        assert "report-3" not in {article.id for article in index.articles()}
    assert b"Another text." in (home / f"{DATABASE}.old").read_bytes()


def test_what_was_removed_does_not_come_back_by_a_repair(
    home: Path, articles: Path, embedder: BagOfWordsEmbedder
) -> None:
    altered_by(home, "UPDATE origin SET fingerprint = 'altered', feed = 'altered' WHERE excluded")
    Index.repair(home, embedder=embedder)
    with Index.open(home, embedder=embedder) as index:
        assert index.sync().added == 0


def test_a_writer_does_not_approve_what_was_altered(home: Path, embedder: BagOfWordsEmbedder) -> None:
    altered_by(home, "UPDATE meta SET value = '1' WHERE key = 'generation'")
    with Index.open(home, embedder=embedder) as index:
        with pytest.raises(StoreError, match="citewire index check --repair"):
            index.add([Article("late", "A comet was seen.")])
        assert index.check() != []
