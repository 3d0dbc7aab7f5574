"""Watching: a change on disk is in the index without anybody asking."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from index import Index
from index.watch import watch
from tests.fakes import BagOfWordsEmbedder


def test_a_change_in_a_folder_is_indexed_by_itself(tmp_path: Path) -> None:
    folder = tmp_path / "articles"
    folder.mkdir()
    (folder / "first.txt").write_text("Snow fell in Oslo on Monday.")
    stop = threading.Event()
    with Index.open(tmp_path / "home", embedder=BagOfWordsEmbedder()) as index:
        index.sync([folder])
        reports = watch(index, stop=stop)
        assert next(reports).unchanged == 1
        writer = threading.Timer(0.5, (folder / "second.txt").write_text, ["Rain fell in Bergen on Tuesday."])
        writer.start()
        assert next(reports).added == 1
        assert index.search("Bergen")[0].text == "Rain fell in Bergen on Tuesday."
        (folder / "first.txt").unlink()
        assert next(reports).removed == 1
        stop.set()
        assert next(reports, None) is None


def test_a_single_file_is_watched_from_its_folder(tmp_path: Path) -> None:
    file = tmp_path / "only.txt"
    file.write_text("One sentence stands here.")
    stop = threading.Event()
    with Index.open(tmp_path / "home", embedder=BagOfWordsEmbedder()) as index:
        index.sync([file])
        reports = watch(index, stop=stop)
        next(reports)
        threading.Timer(0.5, file.write_text, ["Another sentence stands here."]).start()
        assert next(reports).updated == 1
        stop.set()


def test_names_that_are_not_utf_8_are_watched_as_well(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"f\xf6lder")
    folder.mkdir()
    (folder / "first.txt").write_text("Snow fell in Oslo on Monday.")
    stop = threading.Event()
    with Index.open(tmp_path / "home", embedder=BagOfWordsEmbedder()) as index:
        index.sync([folder])
        reports = watch(index, stop=stop)
        assert next(reports).unchanged == 1
        name = folder / os.fsdecode(b"th\xe9.txt")
        threading.Timer(0.5, name.write_text, ["Rain fell in Bergen on Tuesday."]).start()
        while len(index.articles()) < 2:  # the home lies in what is watched, and changes as well
            next(reports)
        assert index.search("Bergen")[0].text == "Rain fell in Bergen on Tuesday."
        stop.set()
