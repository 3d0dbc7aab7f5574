"""Links, odd names and vanished disks: one identity for one file, nothing lost, no run ended by one bad name."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from index import Article, Index, InputError, uploads
from index import read as reading
from index.home import DATABASE
from index.read import article_id
from index.sync import LOST_ARTICLES
from tests.conftest import put
from tests.fakes import BagOfWordsEmbedder
from tests.test_migrate import as_layout_1
from ui import cli


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path.resolve() / "folder"
    made.mkdir()
    return made


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    monkeypatch.setattr("index.search.SentenceEmbedder", BagOfWordsEmbedder)
    with Index.open(tmp_path / "home", embedder=BagOfWordsEmbedder()) as opened:
        yield opened
        if not opened._store.is_closed:
            assert opened.check() == []


def texts(index: Index) -> list[str]:
    return sorted(article.text for article in index.articles())


def failed(index: Index, *sources: Path, prune: bool = False) -> dict[str, str]:
    """What a sync reports, path → reason."""
    report = index.sync(sources, prune=prune)
    assert len({failure.path for failure in report.failed}) == len(report.failed), "one line for each"
    return {failure.path: failure.reason for failure in report.failed}


def fill(folder: Path, count: int, *, prefix: str = "article") -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    return [put(folder, f"{prefix}-{n:03}.txt", f"Words of {prefix} {n} in {folder.name}.") for n in range(count)]


# Links


def test_a_link_beside_its_target_is_the_same_article(index: Index, folder: Path) -> None:
    put(folder, "a.md", "Alpha stands here.")
    put(folder, "b.md", "Beta stands here.")
    (folder / "z-link.md").symlink_to("a.md")
    (folder / "0-link.md").symlink_to(folder / "b.md")
    report = index.sync([folder])
    assert (report.added, report.failed) == (2, ())
    assert {article.id for article in index.articles()} == {article_id(str(folder / name)) for name in ("a.md", "b.md")}
    assert index.sync().unchanged == 2


def test_a_link_that_comes_later_and_goes_again_changes_nothing(index: Index, folder: Path) -> None:
    put(folder, "a.md", "Alpha stands here.")
    put(folder, "b.md", "Beta stands here.")
    index.sync([folder])
    before = index.articles()
    for name in ("0.md", "z.md"):
        (folder / name).symlink_to("a.md")
        assert index.sync().unchanged == 2
        (folder / name).unlink()
        assert index.sync().unchanged == 2
    assert index.articles() == before


def test_the_article_goes_with_the_real_file_and_not_before(index: Index, folder: Path) -> None:
    put(folder, "a.md", "Alpha stands here.")
    put(folder, "b.md", "Beta stands here.")
    (folder / "link.md").symlink_to("a.md")
    index.sync([folder])
    (folder / "a.md").rename(folder / "moved.md")
    (folder / "link.md").unlink()
    (folder / "link.md").symlink_to("moved.md")
    index.sync()
    assert texts(index) == ["Alpha stands here.", "Beta stands here."]
    (folder / "moved.md").unlink()
    assert failed(index) == {str(folder / "link.md"): "a link to what is not there; mend or delete it"}
    assert texts(index) == ["Beta stands here."]


def test_a_linked_folder_of_the_same_folder_is_read_once(index: Index, folder: Path) -> None:
    (folder / "sub" / ".hidden").mkdir(parents=True)
    put(folder / "sub", "a.md", "Alpha stands here.")
    put(folder / "sub" / ".hidden", "b.md", "Beta stands here.")
    for name, target in {"0": "sub", "again": "sub", "up": ".", "z": "sub/.hidden"}.items():
        (folder / name).symlink_to(target)
    (folder / "sub" / "round").symlink_to("..")
    report = index.sync([folder])
    assert (report.added, report.failed) == (2, ())
    assert texts(index) == ["Alpha stands here.", "Beta stands here."]
    (folder / "z").unlink()
    assert index.sync().removed == 1


def test_links_out_of_the_folder_are_reported_and_not_followed(index: Index, folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    put(outside, "secret.md", "The secret is out.")
    put(outside, "blob", "The blob is out.")
    put(folder, "a.md", "Alpha stands here.")
    links = {"file.md": outside / "secret.md", "sub": outside, "named.md": outside / "blob", "up": tmp_path}
    for name, target in links.items():
        (folder / name).symlink_to(target)
    told = failed(index, folder)
    assert told == {str(folder / name): "a link that leads out of the folder; add its target itself" for name in links}
    assert texts(index) == ["Alpha stands here."]
    assert failed(index, outside) == {str(outside / "blob"): "no reader for a file without an ending"}
    told = failed(index)
    assert str(folder / "file.md") not in told, "it is read with the other folder"
    assert texts(index) == ["Alpha stands here.", "The blob is out.", "The secret is out."]


def test_dangling_links_and_loops_are_one_line_each(index: Index, folder: Path) -> None:
    put(folder, "a.md", "Alpha stands here.")
    links = {
        "self.md": "self.md",
        "x.md": "y.md",
        "y.md": "x.md",
        "gone.md": "nowhere.md",
        "sub": "sub",
        "below": "a.md/b",
    }
    for name, target in links.items():
        (folder / name).symlink_to(target)
    assert failed(index, folder).keys() == {str(folder / name) for name in links}
    assert texts(index) == ["Alpha stands here."]
    for name in links:
        (folder / name).unlink()
    assert failed(index) == {}


def test_a_real_file_replaced_by_a_loop_keeps_its_article(index: Index, folder: Path) -> None:
    put(folder, "a.md", "Alpha stands here.")
    put(folder, "b.md", "Beta stands here.")
    index.sync([folder])
    (folder / "a.md").unlink()
    (folder / "a.md").symlink_to("a.md")
    assert failed(index).keys() == {str(folder / "a.md")}
    assert len(index.articles()) == 2


def test_a_link_tells_how_a_file_without_an_ending_is_read(index: Index, folder: Path) -> None:
    (folder / ".objects").mkdir()
    put(folder / ".objects", "1f3a", "# Alpha\n\nIt stands here.")
    (folder / "a.md").symlink_to(".objects/1f3a")
    assert failed(index, folder) == {}
    assert [article.title for article in index.articles()] == ["Alpha"]
    assert index.sync().unchanged == 1
    index.remove([folder / "a.md"])
    assert index.sync().added == 0


def test_one_folder_under_two_names_is_one_source(index: Index, folder: Path, tmp_path: Path) -> None:
    put(folder, "a.md", "Alpha stands here.")
    link = tmp_path / "link"
    link.symlink_to(folder)
    (tmp_path / "other").mkdir()
    assert index.sync([link]).added == 1
    for name in (folder, tmp_path / "other" / ".." / "folder", link / ".", f"{link}/", link):
        assert index.sync([name]).unchanged == 1
    assert index.stats().sources == (str(folder),)
    assert index.remove([link]) == 1
    assert index.stats().sources == ()
    assert index.sync([folder, link]).added == 1
    assert index.remove([folder]) == 1


def test_a_link_given_as_source_stands_for_what_it_led_to(index: Index, folder: Path, tmp_path: Path) -> None:
    other, link = tmp_path.resolve() / "other", tmp_path / "link"
    other.mkdir()
    put(folder, "a.md", "Alpha stands here.")
    put(other, "b.md", "Beta stands here.")
    link.symlink_to(folder)
    index.sync([link])
    link.unlink()
    link.symlink_to(other)
    assert index.sync().unchanged == 1
    assert texts(index) == ["Alpha stands here."]
    index.sync([link])
    assert index.stats().sources == (str(folder), str(other))
    index.remove([link])
    assert texts(index) == ["Alpha stands here."]


def test_a_folder_that_is_moved_and_linked_to_goes_on_under_its_new_path(
    index: Index, folder: Path, tmp_path: Path
) -> None:
    for name in ("alpha", "beta", "gamma"):
        put(folder, f"{name}.md", f"It says {name} here.")
    index.sync([folder])
    index.remove([folder / "beta.md"])
    moved = folder.rename(tmp_path.resolve() / "moved")
    folder.symlink_to(moved)
    assert failed(index) == {}
    assert texts(index) == ["It says alpha here.", "It says gamma here."]
    assert index.stats().sources == (str(moved),)
    assert index.sync().unchanged == 2
    assert index.remove([folder]) == 2


def test_a_folder_replaced_by_a_link_to_something_else_loses_nothing(
    index: Index, folder: Path, tmp_path: Path
) -> None:
    put(folder, "a.md", "Alpha stands here.")
    other = tmp_path / "other"
    other.mkdir()
    put(other, "b.md", "Beta stands here.")
    index.sync([folder])
    shutil.rmtree(folder)
    folder.symlink_to(other)
    for _ in range(2):
        assert "index sync --prune" in failed(index)[str(folder)]
        assert texts(index) == ["Alpha stands here.", "Beta stands here."]
    assert failed(index, prune=True) == {}
    assert texts(index) == ["Beta stands here."]
    assert index.sync().unchanged == 1


def test_hard_links_are_two_files(index: Index, folder: Path) -> None:
    put(folder, "a.md", "Alpha stands here.")
    put(folder, "x.md", "Something else.")
    os.link(folder / "a.md", folder / "b.md")
    assert index.sync([folder]).added == 3
    (folder / "a.md").unlink()
    assert index.sync().removed == 1
    assert [hit.text for hit in index.search("Alpha", 1)] == ["Alpha stands here."]


def test_of_nested_sources_each_is_removed_by_itself(index: Index, folder: Path) -> None:
    below = folder / "below"
    fill(folder, 2, prefix="above")
    fill(below, 2, prefix="below")
    index.sync([folder, below, folder / "above-000.txt"])
    assert len(index.articles()) == 4
    assert index.remove([folder]) == 1
    assert index.stats().sources == (str(folder / "above-000.txt"), str(below))
    assert index.sync().unchanged == 3
    index.sync([folder])
    assert index.remove([below]) == 2
    assert index.sync().added == 0, "the folder above stays, and does not bring them back"
    assert index.remove([folder / "above-000.txt"]) == 1
    assert index.sync().added == 0
    assert index.stats().sources == (str(folder),)
    assert index.sync([below / "below-000.txt"]).added == 1
    assert index.remove([folder.parent]) == 2, "a folder above the sources takes all of them"
    assert index.stats().sources == ()


def test_a_file_removed_by_id_is_no_source_of_its_own_any_more(index: Index, folder: Path) -> None:
    file, _ = fill(folder, 2)
    index.sync([folder, file])
    (article,) = (one for one in index.articles() if one.text == file.read_text())
    index.remove_articles([article.id])
    assert index.stats().sources == (str(folder),)
    assert index.sync().added == 0


def test_an_article_removed_from_a_file_of_many_stays_removed(index: Index, folder: Path) -> None:
    rows = [json.dumps({"id": n, "text": f"Row {n} tells of something."}) for n in range(4)]
    file = put(folder, "rows.jsonl", "\n".join(rows))
    index.sync([folder])
    first = index.search("Row 0", 1)[0].article.id
    index.remove([first])
    put(folder, "rows.jsonl", "\n".join([*rows, json.dumps({"id": "new", "text": "A new row."})]))
    assert (index.sync().added, len(index.articles())) == (1, 4)
    assert "Row 0 tells of something." not in texts(index)
    assert index.sync([file]).added == 1, "adding that very file brings it back"
    index.remove([index.search("Row 1", 1)[0].article.id])
    index.close()
    Index.rebuild(index.home, embedder=BagOfWordsEmbedder())
    with Index.open(index.home, embedder=BagOfWordsEmbedder()) as again:
        assert (again.sync().unchanged, len(again.articles())) == (4, 4)
        assert "Row 1 tells of something." not in texts(again)
        again.remove([article.id for article in again.articles()])
        assert again.sync().added == 0


def test_a_rebuild_keeps_what_an_emptied_folder_and_the_uploads_had(index: Index, folder: Path) -> None:
    kept = fill(folder, 3)
    index.sync([folder])
    index.uploads.mkdir()
    index.sync([put(index.uploads, "report.txt", "An uploaded report on turbines.")])
    index.remove([kept[0]])
    for file in kept:
        file.unlink()
    before = index.articles()
    index.close()
    report = Index.rebuild(index.home, embedder=BagOfWordsEmbedder())
    assert [failure.path for failure in report.failed] == [str(folder)]
    with Index.open(index.home, embedder=BagOfWordsEmbedder()) as again:
        assert sorted(again.articles(), key=lambda one: one.id) == sorted(before, key=lambda one: one.id)
        fill(folder, 3)
        assert (again.sync().unchanged, again.sync().failed) == (3, ())
        again.remove([again.uploads / "report.txt"])
        assert list(again.uploads.glob("*.txt")) == []


# Disks that are not mounted


def test_an_emptied_folder_keeps_its_articles_until_it_is_pruned(
    index: Index, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(folder, "a.md", "Alpha stands here.")
    put(folder, "b.md", "Beta stands here.")
    index.sync([folder])
    before = index.articles()
    for file in folder.iterdir():
        file.unlink()
    for _ in range(2):
        told = failed(index)
        assert told.keys() == {str(folder)}
        assert "all of its 2 articles are gone" in told[str(folder)]
        assert told[str(folder)].endswith(f"citewire index sync --prune {folder}")
        assert index.articles() == before
    assert cli.main(["--home", str(index.home), "index", "sync", "--json"]) == 1
    shown = json.loads(capsys.readouterr().out)
    assert shown["removed"] == 0
    assert [one["path"] for one in shown["failed"]] == [str(folder)]
    assert index.search("Alpha")[0].text == "Alpha stands here."
    report = index.sync([folder], prune=True)
    assert (report.removed, report.failed) == (2, ())
    assert index.articles() == []
    assert index.stats().sources == (str(folder),)


def test_a_disk_that_comes_back_is_as_it_was(index: Index, folder: Path, tmp_path: Path) -> None:
    files = fill(folder, 3)
    index.sync([folder])
    index.remove([files[0]])
    folder.rename(tmp_path / "unplugged")
    folder.mkdir()
    assert failed(index).keys() == {str(folder)}
    folder.rmdir()
    assert failed(index).keys() == {str(folder)}
    (tmp_path / "unplugged").rename(folder)
    report = index.sync()
    assert (report.unchanged, report.added, report.embedded, report.failed) == (2, 0, 0, ())


def test_what_was_removed_from_a_disk_does_not_come_back_with_it(index: Index, folder: Path, tmp_path: Path) -> None:
    (file,) = fill(folder, 1)
    index.sync([folder])
    index.remove([file])
    folder.rename(tmp_path / "unplugged")
    folder.mkdir()
    assert failed(index) == {}
    folder.rmdir()
    (tmp_path / "unplugged").rename(folder)
    assert index.sync().added == 0


@pytest.mark.parametrize(
    ("held", "lost", "is_kept"),
    [(60, 60, True), (60, 45, True), (60, 30, True), (60, 29, False), (42, 21, True), (40, 20, False), (5, 4, False),
     (1, 1, True), (60, 1, False)],
)  # fmt: skip
def test_a_folder_that_lost_most_of_many_articles_keeps_them(
    index: Index, folder: Path, held: int, lost: int, is_kept: bool
) -> None:
    files = fill(folder, held)
    index.sync([folder])
    for file in files[:lost]:
        file.unlink()
    report = index.sync()
    assert report.removed == (0 if is_kept else lost)
    assert [failure.path for failure in report.failed] == [str(folder)] * is_kept
    assert index.sync(prune=True).removed == lost * is_kept


def test_another_disk_in_the_same_place_is_not_mistaken_for_the_first(
    index: Index, folder: Path, tmp_path: Path
) -> None:
    fill(folder, 3)
    index.sync([folder])
    folder.rename(tmp_path / "first")
    fill(folder, 2, prefix="another")
    assert failed(index).keys() == {str(folder)}
    assert len(index.articles()) == 5


def test_each_source_is_judged_by_itself(index: Index, tmp_path: Path) -> None:
    full, emptied, cleaned = (tmp_path.resolve() / name for name in ("full", "emptied", "cleaned"))
    for one in (full, emptied, cleaned):
        fill(one, 3)
    index.sync([full, emptied, cleaned])
    for file in [*emptied.iterdir(), cleaned / "article-000.txt"]:
        file.unlink()
    report = index.sync()
    assert [failure.path for failure in report.failed] == [str(emptied)]
    assert (report.removed, report.unchanged) == (1, 5)
    put(emptied, "new.txt", "Something new.")
    report = index.sync([emptied], prune=True)
    assert (report.removed, report.added) == (3, 1)


def test_a_disk_mounted_in_a_subfolder_is_kept_as_well(index: Index, folder: Path) -> None:
    disk = folder / "disks" / "usb"
    fill(folder, 60)
    fill(disk, LOST_ARTICLES + 1)
    index.sync([folder])
    shutil.rmtree(disk)
    disk.mkdir()
    put(folder, "new.txt", "Something new.")
    told = failed(index)
    assert told.keys() == {str(disk)}
    assert told[str(disk)].endswith(f"citewire index sync --prune {folder}")
    assert len(index.articles()) == 60 + LOST_ARTICLES + 1 + 1
    assert index.sync(prune=True).removed == LOST_ARTICLES + 1


def test_a_subfolder_that_is_deleted_takes_its_articles_along(index: Index, folder: Path) -> None:
    fill(folder, 60)
    fill(folder / "sub", LOST_ARTICLES + 1)
    index.sync([folder])
    shutil.rmtree(folder / "sub")
    assert index.sync().removed == LOST_ARTICLES + 1


def test_files_that_are_renamed_or_moved_all_at_once_are_not_lost(index: Index, folder: Path, tmp_path: Path) -> None:
    other = tmp_path.resolve() / "other"
    files = fill(folder, 30)
    fill(other, 1, prefix="other")
    index.sync([folder, other])
    for file in files:
        file.rename(file.with_name(f"renamed-{file.name}"))
    report = index.sync()
    assert (report.added, report.removed, report.embedded, report.failed) == (30, 30, 0, ())
    put(folder, "left.txt", "This one stays here.")
    for file in folder.glob("renamed-*"):
        file.rename(other / file.name)
    report = index.sync()
    assert (report.added, report.removed, report.failed) == (31, 30, ())
    folder.rename(tmp_path / "away")
    (tmp_path / "away").rename(folder)
    assert index.sync().unchanged == 32


def test_an_editor_that_replaces_the_folder_changes_what_changed(index: Index, folder: Path, tmp_path: Path) -> None:
    fill(folder, 3)
    index.sync([folder])
    before = {article.id for article in index.articles()}
    shutil.copytree(folder, tmp_path / "new")
    put(tmp_path / "new", "article-001.txt", "Words of another edition.")
    shutil.rmtree(folder)
    (tmp_path / "new").rename(folder)
    report = index.sync()
    assert (report.updated, report.unchanged) == (1, 2)
    assert {article.id for article in index.articles()} == before


def test_a_file_that_is_a_source_is_kept_when_its_disk_is_gone(index: Index, folder: Path, tmp_path: Path) -> None:
    (only,) = fill(folder, 1)
    index.sync([only])
    only.unlink()
    for is_there in (True, False):
        if not is_there:
            folder.rmdir()
        told = failed(index)
        assert told.keys() == {str(only)}
        assert f"citewire index remove {only}" in told[str(only)]
        assert len(index.articles()) == 1
    assert index.remove([only]) == 1
    assert failed(index) == {}


def test_a_file_that_is_a_source_goes_when_it_alone_is_deleted(index: Index, folder: Path) -> None:
    first, second = fill(folder, 2)
    unreadable = put(folder, "empty.md", "")
    index.sync([first, second, unreadable])
    first.unlink()
    unreadable.unlink()
    report = index.sync()
    assert (report.removed, report.failed) == (1, ())
    assert index.stats().sources == (str(second),)


def test_a_file_of_many_articles_that_was_cut_off_keeps_them(index: Index, folder: Path) -> None:
    rows = [json.dumps({"id": n, "text": f"Row {n} tells of something."}) + "\n" for n in range(60)]
    file = put(folder, "rows.jsonl", "".join(rows))
    put(folder, "other.txt", "Another file.")
    index.sync([folder])
    for content in ("", "".join(rows[:30]), "".join(rows[:10]), "".join(rows)[:700]):
        put(folder, "rows.jsonl", content)
        for _ in range(2):
            assert failed(index).keys() == {str(file)}
            assert len(index.articles()) == 61
    put(folder, "rows.jsonl", "".join(rows[20:]))
    assert index.sync().removed == 20
    put(folder, "rows.jsonl", "".join(rows[50:]))
    assert "30 of its 40 articles are gone" in failed(index)[str(file)]
    assert index.sync(prune=True).removed == 30
    assert index.sync().unchanged == 11


def test_a_row_that_cannot_be_read_keeps_its_article(index: Index, folder: Path) -> None:
    rows = [json.dumps({"id": n, "text": f"Row {n} tells of something."}) for n in range(3)]
    file = put(folder, "rows.jsonl", "\n".join(rows))
    index.sync([folder])
    put(folder, "rows.jsonl", "\n".join([rows[0], rows[1][:-4], rows[2]]))
    for _ in range(2):
        assert failed(index).keys() == {str(file)}
        assert len(index.articles()) == 3
    put(folder, "rows.jsonl", "\n".join([rows[0], rows[2]]))
    assert index.sync().removed == 1


def test_the_command_line_prunes_and_says_what_it_kept(
    index: Index, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (file,) = fill(folder / "two words", 1)
    index.sync([file.parent])
    file.unlink()
    home = ["--home", str(index.home)]
    assert cli.main([*home, "index", "sync"]) == 1
    out, err = capsys.readouterr()
    assert out.startswith("0 added, 0 updated, 0 removed")
    assert f"--prune '{file.parent}'" in err
    assert cli.main([*home, "index", "sync", "--prune", str(file.parent)]) == 0
    assert "1 removed" in capsys.readouterr().out


# Names and files that are not as they should be

ODD_NAMES = (
    b"caf\xe9.md",
    b"new\nline.md",
    b"\x1b[31mred\x07.md",
    b"100%.md",
    "naïve – 東京.md".encode(),
    b"\xe2\x80\xaertl.md",
    b"-n.md",
    b"a:b?*'\"$HOME.md",
    b"x" * 252 + b".md",
    b"\xff" * 200 + b".md",
)


@pytest.fixture
def odd(folder: Path) -> dict[str, str]:
    """Files with odd names: name → text."""
    made = {}
    for number, name in enumerate(map(os.fsdecode, ODD_NAMES)):
        made[name] = f"Number {number} has an odd name."
        put(folder, name, made[name])
    return made


def test_no_name_ends_a_run(index: Index, folder: Path, odd: dict[str, str]) -> None:
    deep = folder / os.fsdecode(b"f\xf6lder")
    deep.mkdir()
    put(deep, "a.md", "Alpha stands here.")
    put(folder, os.fsdecode(b"\xe9.xyz"), "No reader.")
    told = failed(index, folder)
    assert told == {f"{folder}//%E9.xyz": "no reader for .xyz"}
    assert texts(index) == sorted([*odd.values(), "Alpha stands here."])
    ids = {article_id(str(folder / name)) for name in [*odd, str(deep / "a.md")]}
    assert {article.id for article in index.articles()} == ids
    assert index.sync().unchanged == len(odd) + 1
    json.dumps([article.title for article in index.articles()]).encode()
    put(deep, "a.md", "Alpha stood here.")
    (folder / os.fsdecode(ODD_NAMES[0])).unlink()
    report = index.sync()
    assert (report.updated, report.removed) == (1, 1)


def test_odd_names_are_sources_that_can_be_removed(index: Index, folder: Path, odd: dict[str, str]) -> None:
    for name, text in odd.items():
        path = folder / name
        assert index.sync([path]).added == 1
        (source,) = index.stats().sources
        source.encode()
        assert index.sync().unchanged == 1
        assert index.remove([path]) == 1
        index.sync([path])
        assert index.remove([source]) == 1, "the name that `status` and `sync --json` show is one as well"
        index.sync([path])
        assert index.remove(index.search(text, 1)[0].article.id) == 1
        assert index.stats().sources == ()


def test_the_command_line_shows_and_removes_odd_names(
    index: Index, folder: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    folder = folder / os.fsdecode(b"f\xf6lder\n\x1b[31m")
    folder.mkdir()
    put(folder, os.fsdecode(b"caf\xe9.md"), "Number 0 has an odd name.")
    put(folder, "bad.txt", "")

    def citewire(*arguments: str | Path) -> tuple[int, str, str]:
        status = cli.main(["--home", str(index.home), "index", *map(str, arguments)])
        out, err = capfdbinary.readouterr()
        assert b"\x1b" not in out + err
        return status, out.decode(), err.decode()

    status, _, errors = citewire("add", folder)
    assert status == 0
    assert len(errors.splitlines()) == 1
    status, shown, _ = citewire("sync", "--json")
    assert json.loads(shown)["unchanged"] == 1
    for command in ("list", "status"):
        for options in ((), ("--json",)):
            assert citewire(command, *options)[0] == 0
    listed = json.loads(citewire("list", "--json")[1])
    assert citewire("show", listed[0]["id"])[0] == 0
    assert citewire("show", os.fsdecode(b"\xe9"))[0] == 1
    assert citewire("remove", os.fsdecode(b"\xe9"))[0] == 1
    (source,) = json.loads(citewire("status", "--json")[1])["sources"]
    assert citewire("remove", source)[:2] == (0, "1 removed\n")


def test_what_is_no_file_is_one_line(index: Index, folder: Path) -> None:
    put(folder, "a.md", "Alpha stands here.")
    os.mkfifo(folder / "pipe.md")
    (folder / "folder.md").mkdir()
    put(folder, "side.md", "Beta stands here.")
    (folder / "side.md.toml").mkdir()
    put(folder, "loop.md", "Gamma stands here.")
    (folder / "loop.md.toml").symlink_to("loop.md.toml")
    put(folder, "piped.md", "Delta stands here.")
    os.mkfifo(folder / "piped.md.toml")
    put(folder, "dangling.md", "Epsilon stands here.")
    (folder / "dangling.md.toml").symlink_to("nowhere.toml")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(folder / "socket.md"))
        (folder / "null.md").symlink_to(os.devnull)
        told = failed(index, folder)
    names = ("pipe.md", "side.md", "loop.md", "piped.md", "socket.md", "null.md", "dangling.md.toml")
    assert told.keys() == {str(folder / name) for name in names}
    assert texts(index) == ["Alpha stands here.", "Epsilon stands here."]


def test_a_pipe_given_as_a_source_is_reported(index: Index, folder: Path) -> None:
    os.mkfifo(folder / "pipe.md")
    assert "regular file" in failed(index, folder / "pipe.md")[str(folder / "pipe.md")]


@pytest.mark.parametrize("source", ["", " ", "a\0b", "x" * 5000, "nowhere", "self.md", "\ud800.md", "a.md/b"])
def test_a_source_that_cannot_be_is_an_error_and_changes_nothing(
    index: Index, folder: Path, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    put(folder, "a.md", "Alpha stands here.")
    (folder / "self.md").symlink_to("self.md")
    index.sync([folder])
    with pytest.raises(InputError):
        index.sync(["a.md", source])
    with pytest.raises(InputError):
        index.remove(["a.md", source])
    with pytest.raises(InputError):
        index.remove_articles([source])
    with pytest.raises(InputError):
        index.article(source)
    assert len(index.articles()) == 1
    assert index.stats().sources == (str(folder),)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.ESTALE, errno.ENOTDIR, errno.ENOENT])
def test_what_cannot_be_looked_into_keeps_what_was_indexed(
    index: Index, folder: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "sub").mkdir()
    put(folder / "sub", "a.md", "Alpha stands here.")
    put(folder, "b.md", "Beta stands here.")
    put(folder, "c.md", "Gamma stands here.")
    index.sync([folder])
    scandir, opened = os.scandir, os.open

    def failing_scandir(path: str | Path) -> object:
        if Path(path) == folder / "sub":
            raise OSError(number, os.strerror(number))
        return scandir(path)

    def failing_open(path: str | Path, *rest: object, **options: object) -> int:
        if Path(path) == folder / "b.md":
            raise OSError(number, os.strerror(number))
        return opened(path, *rest, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "scandir", failing_scandir)
    monkeypatch.setattr(os, "open", failing_open)
    for _ in range(2):
        assert failed(index).keys() == {str(folder / "sub"), str(folder / "b.md")}
        assert len(index.articles()) == 3
    monkeypatch.undo()
    monkeypatch.setattr("index.search.SentenceEmbedder", BagOfWordsEmbedder)
    assert index.sync().unchanged == 3


def test_a_root_that_cannot_be_looked_at_is_kept(index: Index, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(folder, "a.md", "Alpha stands here.")
    index.sync([folder])
    stat = Path.stat

    def failing(path: Path, **options: bool) -> os.stat_result:
        if path == folder:
            raise PermissionError(errno.EACCES, "Permission denied")
        return stat(path, **options)

    monkeypatch.setattr(Path, "stat", failing)
    assert failed(index) == {str(folder): "cannot be looked at (Permission denied); what was indexed from it stays"}
    assert len(index.articles()) == 1


def test_a_file_that_vanishes_after_it_was_found_is_one_line(
    index: Index, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(folder, "a.md", "Alpha stands here.")
    put(folder, "b.md", "Beta stands here.")
    index.sync([folder])
    fingerprint = reading.fingerprint

    def vanishing(path: Path) -> str:
        if path.name == "b.md":
            path.unlink(missing_ok=True)
        return fingerprint(path)

    monkeypatch.setattr(reading, "fingerprint", vanishing)
    assert failed(index).keys() == {str(folder / "b.md")}
    assert index.sync().removed == 1


def test_a_folder_and_a_file_may_change_places(index: Index, folder: Path) -> None:
    put(folder, "keep.md", "This stays.")
    put(folder, "a.md", "Alpha stands here.")
    index.sync([folder])
    (folder / "a.md").unlink()
    (folder / "a.md").mkdir()
    put(folder / "a.md", "inner.md", "Inner words.")
    report = index.sync()
    assert (report.added, report.removed, report.failed) == (1, 1, ())
    shutil.rmtree(folder / "a.md")
    put(folder, "a.md", "Alpha is back.")
    report = index.sync()
    assert (report.added, report.removed, report.failed) == (1, 1, ())


def test_a_file_that_is_written_while_it_is_read_is_taken_whole_or_not_at_all(
    index: Index, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = put(folder, "a.md", "Edition 0 stands here.")
    editions = iter(range(1, 100))
    load = reading._load

    def writing(path: Path) -> tuple[bytes, bytes | None]:
        found = load(path)
        number = next(editions)
        if number <= last:
            file.write_text(f"Edition {number} stands here.")
        return found

    monkeypatch.setattr(reading, "_load", writing)
    last = 1
    index.sync([folder])
    assert texts(index) == ["Edition 1 stands here."]
    last = 90
    file.write_text("Edition 50 stands here.")
    assert "another program writes it" in failed(index)[str(file)]
    assert texts(index) == ["Edition 1 stands here."]
    last = 0
    index.sync()
    assert texts(index) == [file.read_text()]


def test_the_time_of_a_file_decides_nothing(index: Index, folder: Path) -> None:
    file = put(folder, "a.md", "Alpha stands here.")
    index.sync([folder])
    for time_s, text in ((0, "Alpha stood here."), (4e9, "Alpha will stand here."), (4e9, "Alpha was never here.")):
        file.write_text(text)
        os.utime(file, (time_s, time_s))
        assert index.sync().updated == 1
        assert texts(index) == [text]


def test_text_that_no_database_takes_is_no_end_of_a_run(index: Index, folder: Path) -> None:
    row = '{"id": "\\ud800", "text": "Half a \\ud83d character.", "title": "\\udc00 Half", "author": "A \\ud800"}'
    put(folder, "rows.jsonl", row)
    put(folder, "a.md", "Alpha stands here.")
    index.sync([folder])
    assert len(index.articles()) == 2
    assert index.search("character")
    with pytest.raises(InputError, match="surrogates"):
        index.add([Article("x", "Half a \ud83d character.")])


# Uploads


@pytest.fixture
def uploaded(index: Index) -> Path:
    index.uploads.mkdir()
    file = put(index.uploads.resolve(), "report.txt", "An uploaded report on turbines.")
    put(index.uploads, "other.txt", "Another upload.")
    index.sync([index.uploads / "report.txt", index.uploads / "other.txt"])
    return file


def moved(index: Index, place: Path) -> Index:
    index.close()
    index.home.rename(place)
    return Index.open(place, embedder=BagOfWordsEmbedder())


def test_a_moved_home_keeps_its_uploads(index: Index, uploaded: Path, tmp_path: Path) -> None:
    before = index.articles()
    with moved(index, tmp_path / "moved") as again:
        assert again.stats().sources == tuple(str(again.uploads.resolve() / n) for n in ("other.txt", "report.txt"))
        report = again.sync()
        assert (report.unchanged, report.failed) == (2, ())
        put(again.uploads, "report.txt", "An uploaded report on two turbines.")
        assert again.sync().updated == 1
        assert [article.id for article in again.articles()] == [article.id for article in before]
        assert again.remove([again.uploads / "report.txt"]) == 1
        assert not (again.uploads / "report.txt").exists()
        assert again.remove([before[1].id]) == 1
        assert list(again.uploads.glob("*.txt")) == []
        assert again.search("turbines") == []
        assert again.sync().failed == ()
        again.home.rename(index.home)


def test_a_home_reached_by_a_link_is_the_same_home(index: Index, uploaded: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(index.home)
    with Index.open(link, embedder=BagOfWordsEmbedder()) as again:
        assert again.sync([link / "uploads" / "report.txt"]).unchanged == 1
        assert again.remove([uploaded]) == 1
    assert not uploaded.exists()


def test_an_uploaded_copy_goes_with_its_article_though_another_stands_for_it(index: Index, uploaded: Path) -> None:
    copy = put(index.uploads, "copy.txt", uploaded.read_text())
    index.sync([copy])
    (of_copy,) = (one.article for one in index.listing() if one.copy_of is not None)
    assert index.remove_articles([of_copy.id]) == 1
    assert not copy.exists()
    assert uploaded.exists()


def test_an_upload_of_many_articles_goes_with_the_last_of_them(index: Index) -> None:
    index.uploads.mkdir()
    rows = [json.dumps({"id": n, "text": f"Row {n} tells of something."}) for n in range(3)]
    file = put(index.uploads, "rows.jsonl", "\n".join(rows))
    index.sync([file])
    first, *rest = [article.id for article in index.articles()]
    index.remove_articles([first])
    assert file.exists()
    assert index.remove_articles(rest) == 2
    assert not file.exists()


def test_a_removal_that_fails_keeps_both_the_upload_and_its_article(
    index: Index, uploaded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        assert not uploaded.exists()
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(index._store, "publish", full)
        with pytest.raises(OSError, match="No space left"):
            index.remove([uploaded])
    assert uploaded.read_text() == "An uploaded report on turbines."
    assert index.sync().unchanged == 2
    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", lambda path, target: full())
        with pytest.raises((InputError, AssertionError)):
            index.remove([uploaded])
    assert len(index.articles()) == 2


@pytest.mark.parametrize("step", ["before", "after"])
def test_a_removal_that_is_killed_leaves_both_or_neither(
    index: Index, uploaded: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledError(Exception):
        pass

    publish = index._store.publish

    def killed(*arguments: Any) -> int:
        if step == "after":
            publish(*arguments)
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(index._store, "publish", killed)
        patched.setattr(uploads, "settle", lambda *_: None)
        with pytest.raises(KilledError):
            index.remove([uploaded])
    assert not uploaded.exists()
    assert index.sync().failed == ()
    assert uploaded.exists() == (step == "before")
    assert len(index.articles()) == (2 if step == "before" else 1)
    files = {path.name for path in index.uploads.rglob("*") if path.is_file()}
    assert files == {"other.txt", *(["report.txt"] if step == "before" else [])}
    index.search("turbines")


def test_the_uploads_of_an_older_home_are_found_wherever_it_lies(index: Index, uploaded: Path, tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    index.close()
    as_layout_1(index.home / DATABASE, old / DATABASE)
    with closing(sqlite3.connect(old / DATABASE)) as connection:
        for table, column in (("root", "uri"), ("origin", "uri"), ("article", "origin")):
            connection.execute(f"UPDATE {table} SET {column} = '/where/it/was/' || {column}")
        connection.commit()
    index.uploads.rename(old / "uploads")
    with Index.open(old, embedder=BagOfWordsEmbedder()) as again:
        assert again.sync().unchanged == 2
        assert again.remove([again.search("turbines", 1)[0].article.id]) == 1
        assert [path.name for path in again.uploads.glob("*.txt")] == ["other.txt"]


def test_a_file_that_an_older_home_knew_by_a_link_has_one_article_again(
    index: Index, folder: Path, tmp_path: Path
) -> None:
    old = tmp_path / "old"
    old.mkdir()
    for name in ("a", "b", "c"):
        put(folder, f"{name}.md", f"It says {name} here.")
    (folder / "z-link.md").symlink_to("a.md")
    (tmp_path / "alias").symlink_to(folder)
    index.sync([folder])
    index.close()
    as_layout_1(index.home / DATABASE, old / DATABASE)
    with closing(sqlite3.connect(old / DATABASE)) as connection:
        # Read by its link: the article went over to the link, and would have gone with it.
        connection.execute(
            "INSERT INTO origin SELECT ?, fingerprint, 0, NULL FROM origin LIMIT 1", (f"{folder}/z-link.md",)
        )
        connection.execute("UPDATE article SET origin = ? WHERE origin = ?", (f"{folder}/z-link.md", f"{folder}/a.md"))
        # One folder under two names, of which one was removed: a file that was read, and has no article.
        connection.execute("INSERT INTO root VALUES (?)", (str(tmp_path / "alias"),))
        connection.execute("DELETE FROM article WHERE origin = ?", (f"{folder}/c.md",))
        connection.execute("DELETE FROM passage WHERE article_id NOT IN (SELECT id FROM article)")
        connection.execute("DELETE FROM sentence WHERE passage_id NOT IN (SELECT id FROM passage)")
        connection.execute("DELETE FROM story WHERE article_id NOT IN (SELECT id FROM article)")
        connection.commit()
    with Index.open(old, embedder=BagOfWordsEmbedder()) as again:
        assert again.stats().sources == (str(folder),)
        report = again.sync()
        assert (report.unchanged, report.added, report.failed) == (2, 1, ())
        (folder / "z-link.md").unlink()
        assert again.sync().unchanged == 3
        assert {article.id for article in again.articles()} == {article_id(str(folder / f"{n}.md")) for n in "abc"}


# Everything together


class Tree:
    """A folder that changes at random, and what the user has removed from the index meanwhile."""

    NAMES = ("a.md", "b.txt", "c.md", os.fsdecode(b"d\xe9.md"), "e.jsonl", "f.xyz", ".g.md")

    def __init__(self, root: Path, seed: int) -> None:
        self.root, self.random = root, random.Random(seed)
        self.outside = root.parent / "outside"
        self.outside.mkdir()
        put(self.outside, "out.md", "This is outside.")
        root.mkdir()
        put(root, "stays.md", "This one stays.")
        self.removed: set[Path] = set()

    def folders(self) -> list[Path]:
        return [self.root, *(path for path in self.root.rglob("*") if path.is_dir() and not path.is_symlink())]

    def entries(self) -> list[Path]:
        return [path for path in self.root.rglob("*") if path.name != "stays.md"]

    def free(self) -> Path:
        return self.random.choice(self.folders()) / self.random.choice([*self.NAMES, "sub", "dir"])

    def files(self) -> list[Path]:
        return [path for path in self.entries() if path.is_file() and not path.is_symlink()]

    def write(self) -> None:
        path = self.free()
        if path.is_symlink() or path.is_dir() or path.suffix == "":
            return
        words = self.random.choice(("alpha", "beta", "gamma", "delta"))
        lines = [json.dumps({"id": n, "text": f"Row {n} of {words}."}) for n in range(self.random.randrange(1, 4))]
        path.write_text("\n".join(lines) if path.suffix == ".jsonl" else f"It tells of {words}.")

    def make_folder(self) -> None:
        path = self.free()
        if path.suffix == "" and not os.path.lexists(path):
            path.mkdir()

    def link(self) -> None:
        path = self.free()
        targets = [*self.entries(), *self.folders(), self.outside, self.outside / "out.md", path, path.parent / "no.md"]
        if not os.path.lexists(path):
            path.symlink_to(self.random.choice(targets))

    def rename(self) -> None:
        source, target = self.random.choice(self.entries() or [self.root / "a.md"]), self.free()
        if os.path.lexists(source) and not os.path.lexists(target) and source not in target.parents:
            source.rename(target)

    def delete(self) -> None:
        path = self.random.choice(self.entries() or [self.root / "a.md"])
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif os.path.lexists(path):
            path.unlink()

    def remove(self, index: Index) -> None:
        path = self.random.choice([*self.files(), self.root / "never.md"])
        try:
            index.remove([path])
        except InputError:
            return
        self.removed.add(path)

    def unloop(self) -> None:
        """Delete the links that lead nowhere for ever: whatever stood there before is kept."""
        for path in self.entries():
            try:
                os.path.realpath(path, strict=True)
            except OSError as error:
                if error.errno == errno.ELOOP:
                    path.unlink()

    def sync(self, index: Index, *, prune: bool) -> None:
        index.sync(prune=prune)
        # What was removed is forgotten with the file: another of the same name is another one.
        self.removed &= {path for path in self.entries() if path.is_file() and not path.is_symlink()}


@pytest.mark.parametrize("seed", range(24))
def test_any_sequence_of_changes_ends_as_a_fresh_index_of_what_is_there(tmp_path: Path, seed: int) -> None:
    tree = Tree(tmp_path.resolve() / "tree", seed)
    changes = [tree.write] * 4 + [tree.make_folder, tree.link, tree.link, tree.rename, tree.rename, tree.delete]
    with Index.open(tmp_path / "home", embedder=BagOfWordsEmbedder()) as index:
        index.sync([tree.root])
        for _ in range(12):
            for _ in range(tree.random.randrange(1, 8)):
                tree.random.choice(changes)()
            if tree.random.random() < 0.3:
                tree.remove(index)
            tree.sync(index, prune=tree.random.random() < 0.5)
        tree.unloop()
        tree.sync(index, prune=True)
        report = index.sync()
        assert (report.added, report.updated, report.removed) == (0, 0, 0)
        assert index.check() == []
        with Index.open(tmp_path / "fresh", embedder=BagOfWordsEmbedder()) as fresh:
            again = fresh.sync([tree.root])
            for path in tree.removed:
                fresh.remove([path])
            assert {one.id: one for one in index.articles()} == {one.id: one for one in fresh.articles()}
            assert [failure.path for failure in report.failed] == [failure.path for failure in again.failed]
            queries = ("alpha", "beta gamma", "Row 1", "stays outside")
            assert [found(index, query) for query in queries] == [found(fresh, query) for query in queries]


def found(index: Index, query: str) -> list[str]:
    return sorted({hit.text for hit in index.search(query, 20)})
