"""A home that cannot be written can be searched and read; a database that is locked is not called damaged."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from index import Article, Index, StoreError
from index.home import DATABASE
from index.store import connections
from tests.fakes import BagOfWordsEmbedder
from tests.test_migrate import as_layout_1

ROOT = str(Path(__file__).parent.parent)
NOBODY = 65534

SCRIPT = """
import json, os, sys, tempfile
sys.path.insert(0, {root!r})
from index import Article, Index
from index.errors import Error
from tests.fakes import BagOfWordsEmbedder

def use(home):
    with Index.open(home, embedder=BagOfWordsEmbedder()) as index:
        return {{
            "found": [hit.article.id for hit in index.search("comet")],
            "articles": [one.id for one in index.articles()],
            "about": [one.article.id for one in index.about("comet", threshold=0.0)],
            "listing": [one.article.id for one in index.listing()],
            "stats": index.stats().articles,
            "check": index.check(),
            "add": told(lambda: index.add([Article("late", "Too late.")])),
            "remove": told(lambda: index.remove(["one"])),
            "sync": told(lambda: index.sync()),
            "rebuild": told(lambda: Index.rebuild(home, embedder=BagOfWordsEmbedder())),
        }}

def told(act):
    try:
        return act()
    except Error as error:
        return str(error)

with tempfile.TemporaryDirectory() as warm:  # everything is imported by a user who may read it
    with Index.open(warm, embedder=BagOfWordsEmbedder()) as index:
        index.add([Article("one", "A comet was seen.")])
    use(warm)
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid({nobody})
    os.setuid({nobody})
try:
    print(json.dumps(use(sys.argv[1])))
except Error as error:
    print(json.dumps({{"open": str(error)}}))
"""


@pytest.fixture
def home() -> Iterator[Path]:
    """A home in a folder that anybody may look into, which tmp_path is not."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder / "home"
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    shutil.rmtree(folder)


def fill(home: Path) -> None:
    with Index.open(home, embedder=BagOfWordsEmbedder()) as index:
        index.add([Article("one", "A comet was seen."), Article("two", "Snow fell in Oslo.")])


def lock_up(home: Path) -> None:
    """Nobody but root may write here, and everybody read."""
    for path in home.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    home.chmod(0o555)


def use(home: Path) -> Any:
    """What somebody sees who may not write here."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(root=ROOT, nobody=NOBODY), str(home)],
        capture_output=True,
        cwd="/",
        env={**os.environ},
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


@pytest.mark.parametrize("kept", ["closed", "log", "log and shared memory"])
def test_a_home_that_cannot_be_written_is_searched_and_read(home: Path, tmp_path: Path, kept: str) -> None:
    """Closed by its last user, or copied while it was in use: then the newest article is only in the log."""
    fill(home)
    if kept != "closed":
        with closing(sqlite3.connect(home / DATABASE)) as reader:
            reader.execute("BEGIN").execute("SELECT count(*) FROM article").fetchone()
            with Index.open(home, embedder=BagOfWordsEmbedder()) as index:
                index.add([Article("three", "A second comet was seen.")])
            for suffix in ("-wal", "-shm") if kept == "log and shared memory" else ("-wal",):
                shutil.copyfile(home / f"{DATABASE}{suffix}", tmp_path / f"{DATABASE}{suffix}")
            shutil.copyfile(home / DATABASE, tmp_path / DATABASE)
        for name in tmp_path.glob(f"{DATABASE}*"):
            shutil.copyfile(name, home / name.name)
        if kept == "log":
            (home / f"{DATABASE}-shm").unlink(missing_ok=True)
    expected = ["one", "two"] + ["three"] * (kept != "closed")
    lock_up(home)
    before = {path.name: path.read_bytes() for path in home.iterdir()}
    seen = use(home)
    assert "open" not in seen, seen
    assert (set(seen["found"]), seen["found"][-1]) == (set(expected), "two")
    assert seen["articles"] == seen["listing"] == expected
    assert sorted(seen["about"]) == sorted(expected)
    assert seen["stats"] == len(expected)
    for act in ("add", "remove", "sync", "rebuild"):
        assert "cannot be written (Permission denied)" in seen[act]
        assert "searched and read" in seen[act]
    assert {path.name: path.read_bytes() for path in home.iterdir()} == before


def test_an_older_home_that_cannot_be_written_says_that_it_must_be(home: Path, tmp_path: Path) -> None:
    fill(tmp_path)
    home.mkdir()
    as_layout_1(tmp_path / DATABASE, home / DATABASE)
    lock_up(home)
    assert "must be migrated, and cannot be written" in use(home)["open"]


def test_a_home_without_a_database_that_cannot_be_written_says_so(home: Path) -> None:
    home.mkdir()
    lock_up(home)
    assert "cannot be written" in use(home)["open"]


def test_a_locked_database_is_waited_for_and_not_called_damaged(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "LOCK_WAIT_MS", 1100)
    fill(home)
    with Index.open(home, embedder=BagOfWordsEmbedder()) as index, closing(sqlite3.connect(home / DATABASE)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match=r"in use by another program.*1 s; the file is fine") as told:
            index.add([Article("late", "Too late.")])
        assert "rebuild" not in str(told.value)
        assert index.search("comet")[0].article.id == "one", "searches go on"
        other.rollback()
        assert index.add([Article("late", "Just in time.")]).added == 1
