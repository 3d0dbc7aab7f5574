"""ui/hashing.py: who comes first, who is turned away, and that nothing is done by more threads than allowed."""

from __future__ import annotations

import threading
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING

import pytest

from ui import hashing
from ui.hashing import MOST_OF_ADDRESS, BusyError, Hashing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Gate:
    """Holds the first check until it is opened; notes the order in which the others were done."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.done: list[str] = []

    def hold(self) -> bool:
        assert self.free.wait(60)
        return True

    def work(self, name: str) -> Callable[[], bool]:
        return lambda: not self.done.append(name)  # type: ignore[func-returns-value]


@pytest.fixture
def gate() -> Iterator[Gate]:
    made = Gate()
    yield made
    made.free.set()


def held(gate: Gate, *, waiting: int = 32) -> Hashing:
    """One that checks one at a time, and is busy."""
    queue = Hashing(at_once=1, waiting=waiting)
    queue.submit(gate.hold, address="busy", rank=0)
    while queue._waiting:
        threading.Event().wait(0.001)
    return queue


def test_the_least_suspect_come_first_and_equals_in_their_order(gate: Gate) -> None:
    queue = held(gate)
    asked = [("c", 3), ("a", 0), ("d", 3), ("b", 1), ("e", 0)]
    results = [queue.submit(gate.work(name), address=name, rank=rank) for name, rank in asked]
    gate.free.set()
    assert all(one.result(60) for one in results)
    assert gate.done == ["a", "e", "b", "c", "d"]


def test_one_address_has_few_places(gate: Gate) -> None:
    queue = held(gate)
    results = [queue.submit(gate.work("a"), address="a", rank=number) for number in range(MOST_OF_ADDRESS)]
    with pytest.raises(BusyError):
        queue.submit(gate.work("a"), address="a", rank=0)
    results.append(queue.submit(gate.work("b"), address="b", rank=0))
    gate.free.set()
    wait(results, 60)
    assert queue.submit(gate.work("a"), address="a", rank=0).result(60), "places are free again"


def test_a_flood_does_not_keep_out_whoever_comes_later(gate: Gate) -> None:
    queue = held(gate, waiting=10)
    flood = [queue.submit(gate.work(f"flood{n}"), address=f"flood{n}", rank=n % 2) for n in range(10)]
    one = queue.submit(gate.work("one"), address="one", rank=0)
    with pytest.raises(BusyError):
        queue.submit(gate.work("two"), address="two", rank=2)
    gate.free.set()
    assert one.result(60)
    wait(flood, 60)
    away = [number for number, result in enumerate(flood) if result.exception() is not None]
    assert len(away) == 1
    assert away[0] % 2 == 1, "one of the more suspect"


def test_a_failure_and_a_wait_that_was_given_up_hold_nobody_up(gate: Gate) -> None:
    queue = held(gate)

    def fail() -> bool:
        raise MemoryError

    failing = queue.submit(fail, address="a", rank=0)
    given_up: Future[bool] = queue.submit(gate.work("given up"), address="a", rank=0)
    assert given_up.cancel()
    last = queue.submit(gate.work("last"), address="a", rank=0)
    gate.free.set()
    assert last.result(60)
    assert isinstance(failing.exception(60), MemoryError)
    assert gate.done == ["last"]


def test_no_more_run_at_once_than_there_are_cores(monkeypatch: pytest.MonkeyPatch, gate: Gate) -> None:
    monkeypatch.setattr(hashing, "_cores", lambda: 3)
    begun = threading.Semaphore(0)

    def work() -> bool:
        begun.release()
        return gate.hold()

    queue = Hashing()
    results = [queue.submit(work, address=str(number), rank=0) for number in range(9)]
    assert all(begun.acquire(timeout=60) for _ in range(3))
    assert not begun.acquire(blocking=False)
    assert len([thread for thread in threading.enumerate() if thread.name == "password"]) >= 3
    gate.free.set()
    assert all(one.result(60) for one in results)
