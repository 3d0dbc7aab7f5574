"""The home is its owner's alone, whatever the umask was, and works where nothing of that can be changed."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from index import Article, Index, InputError
from index import home as homes
from rag.llm.kv_cache import KVCache
from tests.fakes import BagOfWordsEmbedder
from ui import doctor, page_token, uploads
from ui.conversations import Conversations

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")


@pytest.fixture(params=[0, 0o022, 0o002, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def modes(home: Path) -> dict[str, str]:
    """What others could read or change, or even the owner should not execute."""
    found = {}
    for path in (home, *home.rglob("*")):
        mode = stat.S_IMODE(path.lstat().st_mode)
        if mode != (0o700 if path.is_dir() else 0o600):
            found[path.name] = oct(mode)
    return found


def used(home: Path, folder: Path) -> dict[str, str]:
    """Leave every kind of file in the home; what `modes` finds while it is in use."""
    in_use: dict[str, str] = {}
    upload = folder / "report.txt"
    upload.write_text("Snow fell in Oslo on Sunday. The trams stood still.")
    with Index.open(home, embedder=BagOfWordsEmbedder()) as index, Conversations(home) as conversations:
        index.add([Article("a", "The talks broke down in 2009.")])
        index.sync(uploads.keep(upload, folder=index.uploads))
        assert index.search("talks")
        KVCache.of(index, limit_bytes=10**6).put("a", "key", b"kept")
        conversations.create("ann")
        page_token.of_home(home)
        in_use.update(modes(home))
    Index.rebuild(home, embedder=BagOfWordsEmbedder())
    return in_use


@pytest.mark.usefixtures("umask")
def test_what_is_made_is_its_owners_alone_whatever_the_umask(home: Path, tmp_path: Path) -> None:
    assert used(home, tmp_path) == {}
    assert modes(home) == {}
    assert list(doctor.check_modes(home)) == []


def test_a_loose_home_is_closed_when_it_is_opened(home: Path, tmp_path: Path) -> None:
    used(home, tmp_path)
    for path in (home, *home.rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)
    (told,) = doctor.check_modes(home)
    assert told.status is doctor.Status.WRONG
    assert told.mend == f"chmod -R go-rwx {home}"
    token = page_token.PageToken((home / page_token.FILE).read_text().strip())
    with Index.open(home, embedder=BagOfWordsEmbedder()):
        assert modes(home) in ({}, {page_token.FILE: "0o666"})
    assert page_token.of_home(home) != token, "others could read it"
    assert modes(home) == {}
    assert list(doctor.check_modes(home)) == []


def test_files_that_are_not_ours_are_left_alone(home: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("x")
    home.mkdir()
    (home / "notes").mkdir()
    (home / "notes" / "mine.txt").write_text("x")
    (home / "uploads").mkdir()
    (home / "uploads" / "link.txt").symlink_to(outside)
    mine = [home, home / "notes", home / "notes" / "mine.txt", outside]
    for path in mine:
        path.chmod(0o755)
    used(home, tmp_path)
    assert [oct(stat.S_IMODE(path.stat().st_mode)) for path in mine] == ["0o755"] * 4
    assert stat.S_IMODE((home / "index.sqlite").stat().st_mode) == 0o600


def test_where_modes_cannot_be_changed_all_else_works(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used(home, tmp_path)
    home.chmod(0o755)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "chmod", refuse)
    with Index.open(home, embedder=BagOfWordsEmbedder()) as index:
        assert index.search("talks")
    assert homes.loose(home) == [home]


def test_a_home_that_is_a_file_is_refused_as_one(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("notes")
    with pytest.raises(InputError, match=r"notes\.txt cannot be made \(it is a file\); choose one with --home"):
        Index.open(file)
