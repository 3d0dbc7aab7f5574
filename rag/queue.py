"""Queue: whose question is answered next. First come, first served, and everyone knows their place."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_POLL_S = 0.1
"""How often a waiting question looks at its cancel event."""


@dataclass(frozen=True, slots=True, eq=False)
class _Ticket:
    """A question in line: the model it is for, and how many that model takes at once."""

    model: str | None
    most: int


class Queue:
    """A fair lock around the steps of one answer, which must not mix with the steps of another. Questions for a model
    that takes several at once are answered side by side, those for different models never."""

    def __init__(self) -> None:
        """With nobody waiting."""
        self._tickets: deque[_Ticket] = deque()
        self._moved = threading.Condition()

    def __len__(self) -> int:
        """How many are being answered or wait."""
        return len(self._tickets)

    @contextmanager
    def place(
        self,
        cancel: threading.Event,
        on_wait: Callable[[int], None] | None = None,
        *,
        model: str | None = None,
        most: int = 1,
    ) -> Iterator[bool]:
        """Wait for one's turn and hold it; False, at once, when `cancel` was set while waiting. `model` takes `most`
        questions at once.

        `on_wait(ahead)` is called in the caller's thread with how many come first, whenever that number changes and is
        not 0.
        """
        ticket = _Ticket(model, most)
        with self._moved:
            self._tickets.append(ticket)
        try:
            yield self._wait(ticket, cancel, on_wait)
        finally:
            with self._moved:
                self._tickets.remove(ticket)
                self._moved.notify_all()

    def _wait(self, ticket: _Ticket, cancel: threading.Event, on_wait: Callable[[int], None] | None) -> bool:
        reported = 0
        while not cancel.is_set():
            with self._moved:
                ahead = self._ahead_of(ticket)
                if not ahead:
                    return True
                if ahead == reported:
                    self._moved.wait(_POLL_S)
            if ahead != reported and on_wait is not None:
                on_wait(ahead)
            reported = ahead
        return False

    def _ahead_of(self, ticket: _Ticket) -> int:
        """How many must be answered before it."""
        place = self._tickets.index(ticket)
        earlier = [self._tickets[number] for number in range(place)]
        if any(one.model != ticket.model for one in earlier):
            return place
        return max(0, place + 1 - ticket.most)
