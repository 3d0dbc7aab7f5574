"""One file, one uri, and the way back."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from index.location import Locations, is_address, migrated, quoted, real, shown, storable, within

NAMES = (
    b"plain.md",
    "naïve – 東京.md".encode(),
    b"caf\xe9.md",
    b"100%.md",
    b"caf\xe9 100%25.md",
    b"\xff\xfe%",
    b"new\nline.md",
    b"tab\t\x1b[31mred\x07.md",
    b'it\'s "quoted" $HOME `id` \\x41.md',
    b"\xed\xa0\x80.md",
    b"a:",
    b"-n.md",
    b" .md",
)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("folder", [b"/letters", b"/a:/b\xe9%41", b"/"])
def test_a_uri_is_text_and_gives_the_path_back(name: bytes, folder: bytes, tmp_path: Path) -> None:
    here = Locations.of(tmp_path)
    path = os.fsdecode(folder.rstrip(b"/") + b"/" + name)
    uri = here.kept(path)
    assert here.path(json.loads(json.dumps(uri).encode()).encode().decode()) == path
    assert not is_address(uri)
    assert within(uri, here.kept(os.fsdecode(folder)))
    assert shown(path).isprintable()


def test_ordinary_paths_stay_as_they_are_and_different_names_stay_different(tmp_path: Path) -> None:
    here = Locations.of(tmp_path)
    for path in ("/letters/100%25.md", "/letters/caf%E9.md", "/letters/naïve.md"):
        assert here.kept(path) == path == here.path(path)
    assert here.kept(os.fsdecode(b"/letters/caf\xe9.md")) == "/letters//caf%E9.md"
    assert len({here.kept(os.fsdecode(b"/letters/" + name)) for name in NAMES}) == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_quoted_path_reaches_a_command_as_it_is(name: bytes) -> None:
    command = f"printf %s {quoted(os.fsdecode(b'/x/' + name))}"
    assert subprocess.run(["bash", "-c", command], capture_output=True, check=True).stdout == b"/x/" + name
    assert command.isprintable()


def test_every_name_of_a_file_gives_its_real_path(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.md").write_text("Words.")
    (folder / "link.txt").symlink_to("a.md")
    (tmp_path / "other").symlink_to(folder)
    here, uri = Locations.of(tmp_path / "home"), str(folder.resolve() / "a.md")
    for name in ("folder/a.md", "folder/link.txt", "other/a.md", "other/../folder/a.md", "folder/../other/link.txt"):
        assert here.uri(tmp_path / name) == here.uri(str(tmp_path / name)) == uri


def test_a_link_whose_name_alone_says_how_to_read_it_is_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "blob").write_text("Words.")
    (tmp_path / "notes.md").symlink_to("blob")
    assert real(tmp_path / "notes.md") == str(tmp_path.resolve() / "notes.md")
    assert real(tmp_path / "blob") == str(tmp_path.resolve() / "blob")


def test_loops_and_names_that_cannot_be_have_a_real_path(tmp_path: Path) -> None:
    (tmp_path / "self.md").symlink_to("self.md")
    (tmp_path / "a.md").symlink_to("b.md")
    (tmp_path / "b.md").symlink_to("a.md")
    (tmp_path / "gone.md").symlink_to("nowhere/at/all.md")
    for name in ("self.md", "a.md", "b.md", "gone.md", "x" * 300 + ".md", "a.md/below"):
        assert within(real(tmp_path / name), str(tmp_path.resolve()))


def test_uploads_are_relative_to_the_home_by_whatever_name_it_goes(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "uploads").mkdir(parents=True)
    (tmp_path / "link").symlink_to(home)
    upload = home / "uploads" / "x.txt"
    upload.write_text("Words.")
    for place in (home, tmp_path / "link"):
        here = Locations.of(place)
        assert here.uri(upload) == here.uri(tmp_path / "link" / "uploads" / "x.txt") == "uploads/x.txt"
        assert here.path("uploads/x.txt") == str(upload.resolve())
        assert here.uri(place / "uploads") == "uploads"
    moved = home.rename(tmp_path / "moved")
    assert Locations.of(moved).path("uploads/x.txt") == str(moved.resolve() / "uploads" / "x.txt")
    assert Locations.of(moved).uri(tmp_path / "uploads-too" / "x.txt") == str(tmp_path.resolve() / "uploads-too/x.txt")


def test_what_layout_1_kept_is_given_the_uri_of_today(tmp_path: Path) -> None:
    home, folder = tmp_path / "home", tmp_path / "folder"
    for one in (home / "uploads", folder):
        one.mkdir(parents=True)
    (folder / "a.md").write_text("Words.")
    (folder / "link.md").symlink_to("a.md")
    (tmp_path / "alias").symlink_to(folder)
    (home / "uploads" / "x.txt").write_text("Words.")
    expected = {
        "https://example.org/feed#1": "https://example.org/feed#1",
        str(folder): str(folder.resolve()),
        str(tmp_path / "alias"): str(folder.resolve()),
        str(tmp_path / "alias" / "gone.md"): str(folder.resolve() / "gone.md"),
        str(folder / "link.md"): str(folder.resolve() / "a.md"),
        "/not/mounted/a.md": "/not/mounted/a.md",
        str(home / "uploads"): "uploads",
        str(home / "uploads" / "x.txt"): "uploads/x.txt",
        str(home / "uploads" / "gone.txt"): "uploads/gone.txt",
        "/where/the/home/was/uploads": "uploads",
        "/where/the/home/was/uploads/x.txt": "uploads/x.txt",
        "/where/the/home/was/uploads/y.txt": "/where/the/home/was/uploads/y.txt",
        str(tmp_path / "uploads" / "x.txt"): str(tmp_path.resolve() / "uploads" / "x.txt"),
    }
    assert {uri: migrated(uri, home) for uri in expected} == expected


def test_a_name_that_no_file_can_have_is_still_a_line_of_text() -> None:
    assert storable("/a/b") == "/a/b"
    assert storable("/a/\ud800") == "/a//%ED%A0%80"
    assert shown("a\nb\udce9") == r"a\nb\udce9"
    assert not is_address("/a:/b")
    assert not is_address(Path("http://x"))
    assert is_address("http://x")
