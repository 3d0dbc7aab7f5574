"""Edits and tags: what a user says of an article, kept when its file is read again."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from index import Article, Index, InputError, StoreError
from index.checksum import checksum
from index.filters import Filter
from index.home import DATABASE
from tests.fakes import BagOfWordsEmbedder

ISLANDS = "The islands are disputed. Fishing boats cross the strait every day."
HARVEST = "Farmers brought in the wheat harvest early. Rain had been rare."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "articles"
    folder.mkdir()
    (folder / "islands.md").write_text(f"---\ntitle: Strait\nsource: Wire\ndate: 2018-03-21\n---\n{ISLANDS}")
    (folder / "harvest.txt").write_text(HARVEST)
    return folder


@pytest.fixture
def home(tmp_path: Path, folder: Path) -> Path:
    with Index.open(tmp_path / "home", embedder=BagOfWordsEmbedder()) as index:
        index.sync([folder])
        index.edit(named(index, ISLANDS).id, title="The strait", source="The Post", published="2019-05")
        index.tag([named(index, ISLANDS).id], "follow up")
    return tmp_path / "home"


def opened(home: Path) -> Index:
    return Index.open(home, embedder=BagOfWordsEmbedder())


def named(index: Index, text: str) -> Article:
    return next(one for one in index.articles() if one.text == text)


def known(article: Article) -> tuple[str | None, str | None, str | None]:
    return article.title, article.source, article.published


def test_an_edit_stays_when_the_file_is_read_again(home: Path, folder: Path) -> None:
    file = folder / "islands.md"
    file.write_text(file.read_text().replace("every day.", "every night.").replace("Wire", "Wires"))
    with opened(home) as index:
        report = index.sync()
        assert (report.updated, report.unchanged) == (1, 1)
        article = named(index, ISLANDS.replace("every day.", "every night."))
        assert known(article) == ("The strait", "The Post", "2019-05")
        assert {edit.field: edit.read for edit in index.edits(article.id)} == {
            "title": "Strait",
            "source": "Wires",
            "published": "2018-03-21",
        }
        assert index.tags_of(article.id) == ("follow up",)
        os.utime(file)
        assert index.sync().updated == 0
        assert known(index.edit(article.id, reset=["source"])) == ("The strait", "Wires", "2019-05")
        assert index.check() == []


def test_an_edit_is_found_by_and_filtered_by(home: Path) -> None:
    with opened(home) as index:
        assert [hit.article.title for hit in index.search('boats source:"the post" in:2019')] == ["The strait"]
        assert index.search("boats source:wire") == []
        assert index.outlets() == ("The Post",)


@pytest.mark.parametrize("mend", [False, True])
def test_edits_and_tags_outlive_a_rebuild_and_a_repair(home: Path, folder: Path, *, mend: bool) -> None:
    with opened(home) as index:
        index.add([Article("handed-in", "Snow fell in Oslo.")])
        index.edit("handed-in", title="Winter")
        before = [one.to_dict() for one in index.listing()]
    if mend:
        with closing(sqlite3.connect(home / DATABASE, isolation_level=None)) as sql:
            sql.execute("UPDATE article SET text = text || '!' WHERE title = 'The strait'")
        Index.repair(home, embedder=BagOfWordsEmbedder())
    else:
        Index.rebuild(home, embedder=BagOfWordsEmbedder())
    with opened(home) as index:
        index.search("boats")
        assert index.check() == []
        after = [one.to_dict() for one in index.listing()]
        assert sorted(after, key=lambda one: one["id"]) == sorted(before, key=lambda one: one["id"])
        assert all(one.read_at for one in index.sources())


def test_an_article_that_is_handed_in_again_keeps_its_edits(home: Path) -> None:
    with opened(home) as index:
        index.add([Article("one", "Snow fell.", title="Snow", source="Wire")])
        index.edit("one", title="", source="Post")
        index.add([Article("one", "Snow fell again.", title="More snow", source="Wire")])
        assert known(index.article("one")) == (None, "Post", None)
        assert known(index.edit("one", reset=("title", "source"))) == ("More snow", "Wire", None)
        assert index.edits("one") == ()


def test_what_was_read_is_no_edit(home: Path) -> None:
    with opened(home) as index:
        article = named(index, ISLANDS)
        index.edit(article.id, title="Strait", source=" Wire ", published="2018-03-21")
        assert index.edits(article.id) == ()
        generation = index.generation
        index.edit(article.id, title="Strait")
        assert index.generation == generation


def test_edits_and_tags_follow_a_file_that_is_moved(home: Path, folder: Path) -> None:
    (folder / "islands.md").rename(folder / "moved.md")
    with opened(home) as index:
        index.sync()
        article = named(index, ISLANDS)
        assert known(article) == ("The strait", "The Post", "2019-05")
        assert index.tags_of(article.id) == ("follow up",)
        assert index.edit(article.id, reset="title").title == "Strait"
        assert index.check() == []


def test_edits_and_tags_follow_a_file_to_a_source_that_is_read_before_its_own(home: Path, folder: Path) -> None:
    elsewhere = folder.with_name("elsewhere")
    elsewhere.mkdir()
    (folder / "islands.md").rename(elsewhere / "islands.md")
    with opened(home) as index:
        index.sync([elsewhere])
        index.sync()
        article = named(index, ISLANDS)
        assert known(article) == ("The strait", "The Post", "2019-05")
        assert (index.tags_of(article.id), index.tags()) == (("follow up",), {"follow up": 1})
        (folder / "copy.md").write_text((elsewhere / "islands.md").read_text())
        index.sync()
        copy = next(one for one in index.listing() if one.copy_of is not None)
        assert (copy.article.title, copy.tags) == ("Strait", ())
        assert index.check() == []


def test_each_of_several_moved_copies_keeps_its_own_edits(home: Path, folder: Path) -> None:
    (folder / "copy.md").write_text(f"---\ntitle: Copy\n---\n{ISLANDS}")
    with opened(home) as index:
        index.sync()
        copy = next(one.article for one in index.listing() if one.copy_of is not None)
        index.edit(copy.id, source="Gazette")
        before = sorted((*known(one), index.tags_of(one.id)) for one in index.articles() if one.text == ISLANDS)
        for name in ("copy", "islands"):
            (folder / f"{name}.md").rename(folder / f"moved-{name}.md")
        index.sync()
        after = sorted((*known(one), index.tags_of(one.id)) for one in index.articles() if one.text == ISLANDS)
        assert after == before


def test_they_go_with_the_article_and_come_back_with_it(home: Path) -> None:
    with opened(home) as index:
        index.search("boats")
        ids = [one.id for one in index.articles()]
        before = [one.to_dict() for one in index.listing()]
        removed = index.take_out_all(ids)
        assert (index.articles(), index.tags()) == ([], {})
        assert not [file.name for file in home.rglob("*") if file.is_file() and b"The Post" in file.read_bytes()]
        index.put_back(*removed)
        assert [one.to_dict() for one in index.listing()] == before
        assert index.check() == []
        assert index.sync().unchanged == 2


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"published": "yesterday"}, "no date"),
        ({"published": "2018-02-30"}, "no date"),
        ({"title": "x" * 501}, "too long"),
        ({"title": "a\x00b"}, "cannot be kept"),
        ({"source": "\ud800"}, "cannot be kept"),
        ({"reset": ["text"]}, "cannot be edited"),
    ],
)
def test_a_wrong_edit_is_refused(home: Path, given: dict[str, str], said: str) -> None:
    with opened(home) as index:
        article = named(index, ISLANDS)
        with pytest.raises(InputError, match=said):
            index.edit(article.id, **given)
        assert named(index, ISLANDS) == article
        with pytest.raises(InputError, match="no article has this id"):
            index.edit("unknown", title="x")


def test_tags_narrow_searches(home: Path) -> None:
    with opened(home) as index:
        islands, harvest = named(index, ISLANDS).id, named(index, HARVEST).id
        index.tag([islands, harvest], " Dam ")
        index.tag(harvest, "DAM")
        assert index.tags() == {"Dam": 2, "follow up": 1}
        assert [hit.article.id for hit in index.search('tag:dam tag:"Follow Up" wheat')] == [islands]
        assert index.search("wheat", tags=["nothing"]) == []
        assert [one.article.id for one in index.listing() if one.tags == ("Dam",)] == [harvest]
        index.untag([islands, harvest], "dam")
        assert index.tags() == {"follow up": 1}
        assert index.check() == []


def test_a_tag_is_found_however_its_letters_are_composed_and_with_a_full_stop(home: Path) -> None:
    with opened(home) as index:
        islands = named(index, ISLANDS).id
        index.tag(islands, "Zu\u0308rich")
        index.tag(islands, "U.S.")
        assert index.tags_of(islands) == ("follow up", "U.S.", "Z\u00fcrich")
        for written in ("Z\u00fcrich", "Zu\u0308rich"):
            assert index.search(f"boats tag:{written} {Filter.of(tags=['U.S.'])}")


@pytest.mark.parametrize("name", ["", " ", 'a"b', "x" * 61, "a\x07b", "\ud800"])
def test_a_wrong_tag_is_refused(home: Path, name: str) -> None:
    with opened(home) as index:
        before = index.tags()
        with pytest.raises(InputError, match="tag"):
            index.tag(named(index, ISLANDS).id, name)
        with pytest.raises(InputError, match="no article has this id"):
            index.tag([named(index, ISLANDS).id, "unknown"], "dam")
        assert index.tags() == before


def test_an_altered_edit_is_noticed_and_healed(home: Path) -> None:
    with closing(sqlite3.connect(home / DATABASE, isolation_level=None)) as sql:
        sql.execute("UPDATE edit SET read = 'Xire' WHERE field = 'source'")
    with opened(home) as index:
        assert any("edited source" in str(fault) for fault in index.faults())
        with pytest.raises(StoreError, match="was altered"):
            index.listing()
    Index.repair(home, embedder=BagOfWordsEmbedder())
    with opened(home) as index:
        index.search("boats")
        assert index.check() == []
        assert known(named(index, ISLANDS))[0] == "The strait"


def test_an_edit_whose_read_value_is_lost_is_kept_and_its_file_read_again(home: Path) -> None:
    with closing(sqlite3.connect(home / DATABASE, isolation_level=None)) as sql:
        sql.execute("UPDATE edit SET read = 'something else' WHERE field = 'source'")
        sql.execute("UPDATE edit SET value = 'something else' WHERE field = 'title'")
    Index.repair(home, embedder=BagOfWordsEmbedder())
    with opened(home) as index:
        article = named(index, ISLANDS)
        assert known(article) == ("Strait", "The Post", "2019-05")
        assert {edit.field: edit.read for edit in index.edits(article.id)} == {
            "source": "Wire", "published": "2018-03-21",
        }  # fmt: skip
        index.search("boats")
        assert index.check() == []


def test_a_source_that_could_not_be_read_was_last_read_before(home: Path, folder: Path) -> None:
    with closing(sqlite3.connect(home / DATABASE, isolation_level=None)) as sql:
        (uri,) = sql.execute("SELECT uri FROM reading").fetchone()
        values = (uri, "2020-01-01T00:00:00+00:00")
        sql.execute("UPDATE reading SET at = ?, checksum = ?", (values[1], checksum("reading", *values)))
    folder.rename(folder.with_name("away"))
    with opened(home) as index:
        assert index.sync().failed
        assert [one.read_at for one in index.sources()] == [values[1]]
        folder.with_name("away").rename(folder)
        index.sync()
        assert [one.read_at for one in index.sources()] != [values[1]]


def test_a_forgotten_folder_is_not_read_again(home: Path, folder: Path) -> None:
    with opened(home) as index:
        (remembered,) = index.sources()
        assert (remembered.source, remembered.articles) == (str(folder), 2)
        assert remembered.read_at is not None
        index.forget(folder)
        assert (index.sources(), len(index.articles())) == ((), 2)
        with pytest.raises(InputError, match="no such source"):
            index.forget(folder)
        assert index.check() == []
