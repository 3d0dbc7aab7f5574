"""Hashing: checks of passwords, a few at a time, those of the least suspect first. Knows no names and no passwords.

A hash is slow and large on purpose, so what waits for one is bounded: in memory by how many run at once, in time by how
many wait, of one address and in all.
"""

from __future__ import annotations

import heapq
import itertools
import os
import random
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_AT_ONCE = 4
"""With 32 MB each; a machine with fewer cores hashes as many as it has."""
MOST_WAITING = 32
"""In all; at a quarter of a second each, on two cores, the last one waits for four seconds."""
MOST_OF_ADDRESS = 8
"""Waiting and running ones of one address: an office that comes in the morning, not a guesser's hundred."""


class BusyError(Exception):
    """There is no room for another check now."""


@dataclass(order=True, slots=True)
class _Check:
    rank: int
    number: int
    address: str = field(compare=False)
    work: Callable[[], bool] = field(compare=False)
    result: Future[bool] = field(compare=False)


class Hashing:
    """A queue of checks with a few threads of its own. Safe to use from several threads."""

    def __init__(self, *, at_once: int = MOST_AT_ONCE, waiting: int = MOST_WAITING) -> None:
        """At most `at_once` checks run, never more than MOST_AT_ONCE or than there are cores, and `waiting` wait."""
        self._at_once = min(at_once, MOST_AT_ONCE, _cores())
        self._most_waiting = waiting
        self._waiting: list[_Check] = []
        self._of_address: dict[str, int] = {}
        self._running = 0
        self._numbers = itertools.count()
        self._lock = threading.Lock()

    def submit(self, work: Callable[[], bool], *, address: str, rank: int) -> Future[bool]:
        """Have `work` done; the lowest rank comes first, then who came first.

        Raises BusyError when too many of this address wait, or too many in all. With all places taken, one of the
        highest rank is turned away instead, if that is no lower than `rank`: its result is a BusyError. Which one is
        left to chance, so that a flood cannot aim.
        """
        check = _Check(rank, next(self._numbers), address, work, Future())
        with self._lock:
            if self._of_address.get(address, 0) >= MOST_OF_ADDRESS:
                raise BusyError
            turned_away = self._make_room(rank)
            self._count(address, 1)
            heapq.heappush(self._waiting, check)
            if self._running < self._at_once:
                self._running += 1
                threading.Thread(target=self._run, name="password", daemon=True).start()
        if turned_away is not None and turned_away.result.set_running_or_notify_cancel():
            turned_away.result.set_exception(BusyError())
        return check.result

    def _make_room(self, rank: int) -> _Check | None:
        if len(self._waiting) < self._most_waiting:
            return None
        highest = max(check.rank for check in self._waiting)
        if highest < rank:
            raise BusyError
        chosen = random.choice([check for check in self._waiting if check.rank == highest])  # noqa: S311 -- no secret
        self._waiting.remove(chosen)
        heapq.heapify(self._waiting)
        self._count(chosen.address, -1)
        return chosen

    def _count(self, address: str, change: int) -> None:
        left = self._of_address.get(address, 0) + change
        if left:
            self._of_address[address] = left
        else:
            del self._of_address[address]

    def _run(self) -> None:
        """The life of a thread: until nothing waits."""
        while True:
            with self._lock:
                if not self._waiting:
                    self._running -= 1
                    return
                check = heapq.heappop(self._waiting)
            try:
                if check.result.set_running_or_notify_cancel():
                    check.result.set_result(check.work())
            except BaseException as error:  # noqa: BLE001 -- whoever waits for the result gets it
                check.result.set_exception(error)
            finally:
                with self._lock:
                    self._count(check.address, -1)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
