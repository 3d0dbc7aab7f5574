"""FAISS: the exact index and the partition behave alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from index import vectors
from index.vectors import SnapshotError, Vectors

DIMENSION = 32


class Table:
    """Vectors by id, as the store has them; remembers what was fetched."""

    def __init__(self, size: int) -> None:
        matrix = np.random.default_rng(7).normal(size=(size, DIMENSION)).astype(np.float32)
        self.matrix = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
        self.fetched: set[int] = set()

    def __call__(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        self.fetched |= set(ids.tolist())
        found: NDArray[np.float32] = self.matrix[ids]
        return found


@pytest.fixture(params=["exact", "partition"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "partition":
        monkeypatch.setattr(vectors, "EXACT", 500)
    return str(request.param)


def arange(*bounds: int) -> NDArray[np.int64]:
    return np.arange(*bounds, dtype=np.int64)


def test_each_vector_finds_itself(kind: str) -> None:
    table = Table(2000)
    built = Vectors.build(1, arange(2000), table)
    assert built._is_partition == (kind == "partition")
    assert len(built) == 2000
    assert [built.search(table.matrix[i], 1) for i in range(0, 2000, 100)] == [[i] for i in range(0, 2000, 100)]


def test_recall_against_a_full_scan(kind: str) -> None:
    table = Table(2000)
    built = Vectors.build(1, arange(2000), table)
    shares = []
    for query in table.matrix[:100]:
        exact = np.argsort(-(table.matrix @ query))[:10]
        shares.append(len(set(exact.tolist()) & set(built.search(query, 10))) / 10)
    assert np.mean(shares) >= 0.9


@pytest.mark.parametrize("share", [3, 40, 600, 1900])
def test_a_search_among_some_finds_the_nearest_of_them(kind: str, share: int) -> None:
    table = Table(2000)
    built = Vectors.build(1, arange(2000), table)
    among = np.sort(np.random.default_rng(1).choice(2000, share, replace=False)).astype(np.int64)
    shares = []
    for query in table.matrix[:50]:
        found = built.search(query, 10, among=among)
        exact = among[np.argsort(-(table.matrix[among] @ query))[:10]].tolist()
        assert set(found) <= set(among.tolist())
        assert len(found) == len(exact)
        shares.append(len(set(exact) & set(found)) / len(exact))
    assert np.mean(shares) >= 0.9
    assert built.search(table.matrix[0], 10, among=arange(0)) == []


def test_a_revision_fetches_only_what_is_new(kind: str) -> None:
    table = Table(2200)
    before = Vectors.build(1, arange(2000), table)
    table.fetched.clear()
    after = Vectors.build(2, arange(100, 2100), table, before=before)
    assert table.fetched == set(range(2000, 2100))
    assert sorted(after.ids().tolist()) == list(range(100, 2100))
    assert after.search(table.matrix[2050], 1) == [2050]
    assert after.search(table.matrix[50], 1) != [50]
    assert before.search(table.matrix[50], 1) == [50], "an older generation still answers as it did"
    assert (before.generation, after.generation) == (1, 2)


def test_a_partition_is_trained_anew_when_outgrown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "EXACT", 500)
    table = Table(4000)
    small = Vectors.build(1, arange(400), table)
    assert not small._is_partition
    medium = Vectors.build(2, arange(1000), table, before=small)
    assert medium._is_partition
    large = Vectors.build(3, arange(4000), table, before=medium)
    assert large._faiss.nlist > medium._faiss.nlist
    shrunk = Vectors.build(4, arange(100), table, before=large)
    assert not shrunk._is_partition


def test_a_snapshot_comes_back_as_it_was(kind: str, tmp_path: Path) -> None:
    table = Table(2000)
    built = Vectors.build(5, arange(2000), table)
    path = tmp_path / "snapshot"
    built.save(path)
    loaded = Vectors.load(path, 5)
    assert all(loaded.search(query, 10) == built.search(query, 10) for query in table.matrix[:20])
    with pytest.raises(SnapshotError, match="generation 5"):
        Vectors.load(path, 6)
    assert [file.name for file in tmp_path.iterdir()] == ["snapshot"]
