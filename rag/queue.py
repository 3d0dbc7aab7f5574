"""Queue: whose question is answered next. First come, first served, and everyone knows their place."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_POLL_S = 0.1
"""How often a waiting question looks at its cancel event."""


class Queue:
    """A fair lock around the steps of one answer, which must not mix with the steps of another."""

    def __init__(self) -> None:
        """With nobody waiting."""
        self._tickets: deque[object] = deque()
        self._moved = threading.Condition()

    def __len__(self) -> int:
        """How many are being answered or wait."""
        return len(self._tickets)

    @contextmanager
    def place(self, cancel: threading.Event, on_wait: Callable[[int], None] | None = None) -> Iterator[bool]:
        """Wait for one's turn and hold it; False, at once, when `cancel` was set while waiting.

        `on_wait(ahead)` is called in the caller's thread with how many come first, whenever that number changes and is
        not 0.
        """
        ticket = object()
        with self._moved:
            self._tickets.append(ticket)
        try:
            yield self._wait(ticket, cancel, on_wait)
        finally:
            with self._moved:
                self._tickets.remove(ticket)
                self._moved.notify_all()

    def _wait(self, ticket: object, cancel: threading.Event, on_wait: Callable[[int], None] | None) -> bool:
        reported = 0
        while not cancel.is_set():
            with self._moved:
                ahead = self._tickets.index(ticket)
                if not ahead:
                    return True
                if ahead == reported:
                    self._moved.wait(_POLL_S)
            if ahead != reported and on_wait is not None:
                on_wait(ahead)
            reported = ahead
        return False
