"""What a model read, kept on disk."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rag.llm.kv_cache import KVCache, MemoryKVCache

MB = 1_000_000


@pytest.fixture
def top(tmp_path: Path) -> Path:
    return tmp_path / "derived"


def kv_cache(top: Path, *, limit_bytes: int = 10 * MB) -> KVCache:
    return KVCache(lambda article: top / article, top, limit_bytes=limit_bytes)


def test_what_is_put_comes_back_also_to_another_process(top: Path) -> None:
    kv_cache(top).put("a", "key", b"state")
    assert kv_cache(top).get("a", "key") == b"state"
    assert kv_cache(top).has("a", "key")


@pytest.mark.parametrize(("article", "key"), [("a", "other"), ("b", "key")])
def test_another_key_or_article_has_nothing(top: Path, article: str, key: str) -> None:
    kv_cache(top).put("a", "key", b"state")
    assert kv_cache(top).get(article, key) is None
    assert not kv_cache(top).has(article, key)


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "renamed"])
def test_damage_means_nothing_and_is_thrown_out(top: Path, damage: str) -> None:
    kept = kv_cache(top)
    kept.put("a", "key", bytes(1000))
    (path,) = (top / "a").iterdir()
    content, wanted = path.read_bytes(), "key"
    if damage == "cut":
        path.write_bytes(content[:-1])
    elif damage == "flipped":
        path.write_bytes(content[:-1] + b"\1")
    elif damage == "empty":
        path.write_bytes(b"")
    else:
        path.rename(path.with_stem("wanted"))
        wanted = "wanted"
    assert kept.get("a", wanted) is None
    assert not list((top / "a").iterdir())


def test_the_longest_unused_go_when_room_is_wanted(top: Path) -> None:
    kept = kv_cache(top)
    for number in range(9):
        kept.put("a", f"{number}", bytes(MB))
    assert kept.get("a", "0") is not None
    for number in range(9, 14):
        kept.put("a", f"{number}", bytes(MB))
    assert kept.has("a", "0")
    assert kept.has("a", "13")
    assert not kept.has("a", "1")
    assert kept.size()[1] <= 10 * MB + MB


def test_what_another_process_put_counts_as_well(top: Path) -> None:
    for number in range(30):
        kv_cache(top).put("a", f"{number}", bytes(MB))
    assert kv_cache(top).size()[1] <= 11 * MB


def test_more_than_there_is_room_for_is_not_kept(top: Path) -> None:
    kept = kv_cache(top, limit_bytes=MB)
    kept.put("a", "key", bytes(2 * MB))
    assert kept.size() == (0, 0)


def test_a_folder_that_goes_meanwhile_costs_nothing(top: Path) -> None:
    kept = kv_cache(top)
    kept.put("a", "key", b"state")
    (top / "a" / "key.read").unlink()
    (top / "a").rmdir()
    assert kept.get("a", "key") is None
    kept.put("a", "key", b"state")
    assert kept.get("a", "key") == b"state"


def test_a_disk_that_cannot_be_written_costs_only_the_keeping(top: Path) -> None:
    top.write_text("a file where the folder should be")
    kept = kv_cache(top)
    kept.put("a", "key", b"state")
    assert kept.get("a", "key") is None


def test_a_kill_in_the_middle_leaves_no_half_file_under_the_name(top: Path) -> None:
    code = f"""
import os, pathlib
from rag.llm import kv_cache as module
top = pathlib.Path({str(top)!r})
pathlib.Path.replace = lambda *_: os._exit(9)
module.KVCache(lambda article: top / article, top, limit_bytes={10 * MB}).put("a", "key", bytes({MB}))
"""
    killed = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent.parent, check=False)
    assert killed.returncode == 9
    assert kv_cache(top).get("a", "key") is None
    kv_cache(top).clear()
    assert not list((top / "a").iterdir())


def test_what_is_kept_in_memory_makes_room_for_the_newest() -> None:
    recent = MemoryKVCache(limit_bytes=10)
    recent.put("", "a", b"1234")
    recent.put("", "b", b"1234")
    assert recent.get("", "a") == b"1234"
    recent.put("", "c", b"1234")
    assert [recent.has("", key) for key in "abc"] == [True, False, True]
    recent.put("", "d", b"longer than all")
    assert recent.get("", "d") is None
