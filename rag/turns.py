"""Turns: who is answered next. First come, first served, and everyone knows their place."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_POLL_S = 0.1
"""How often someone who waits looks at the cancel event."""


class Turns:
    """A fair lock over the steps of one answer, which must not mix with those of another."""

    def __init__(self) -> None:
        """With nobody waiting."""
        self._queue: deque[object] = deque()
        self._moved = threading.Condition()

    def __len__(self) -> int:
        """How many are being answered or wait."""
        return len(self._queue)

    @contextmanager
    def turn(self, cancel: threading.Event, on_wait: Callable[[int], None] | None = None) -> Iterator[bool]:
        """Wait for a turn and hold it; False, at once, when `cancel` was set while waiting.

        `on_wait(before)` is called, in the caller's thread, with how many come first, whenever that changes and is
        not 0.
        """
        ticket = object()
        with self._moved:
            self._queue.append(ticket)
        try:
            yield self._wait(ticket, cancel, on_wait)
        finally:
            with self._moved:
                self._queue.remove(ticket)
                self._moved.notify_all()

    def _wait(self, ticket: object, cancel: threading.Event, on_wait: Callable[[int], None] | None) -> bool:
        told = 0
        while not cancel.is_set():
            with self._moved:
                before = self._queue.index(ticket)
                if not before:
                    return True
                if before == told:
                    self._moved.wait(_POLL_S)
            if before != told and on_wait is not None:
                on_wait(before)
            told = before
        return False
