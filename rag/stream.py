"""Stream: a job in a thread of its own → its events, in the thread of whoever reads them.

The job goes on at its own pace: a reader that is slow, or gone, holds up nobody who waits for the model.
"""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_Event = TypeVar("_Event")


class _ReaderGone(threading.Event):
    """Set when the reader has gone; also counts as set when `cancel` is."""

    def __init__(self, cancel: threading.Event) -> None:
        super().__init__()
        self._cancel = cancel

    def is_set(self) -> bool:
        return super().is_set() or self._cancel.is_set()


class Channel(Generic[_Event]):
    """Where a job puts its events. Once `cancel` is set the job should end soon."""

    def __init__(self, cancel: threading.Event) -> None:
        """Empty."""
        self.cancel: threading.Event = _ReaderGone(cancel)
        self.events: SimpleQueue[_Event | BaseException | None] = SimpleQueue()

    def put(self, event: _Event) -> None:
        """Hand an event to the reader."""
        self.events.put(event)


def stream(job: Callable[[Channel[_Event]], None], cancel: threading.Event) -> Iterator[_Event]:
    """Yield what `job` puts into its channel, and raise what it raises.

    The job begins at the first `next`. Closing the iterator, or dropping it, sets the channel's `cancel`.
    """
    channel: Channel[_Event] = Channel(cancel)

    def run() -> None:
        try:
            job(channel)
        except BaseException as error:  # noqa: BLE001 - it is raised in the reader's thread
            channel.events.put(error)
        channel.events.put(None)

    threading.Thread(target=run, name="answer", daemon=True).start()
    try:
        while (event := channel.events.get()) is not None:
            if isinstance(event, BaseException):
                raise event
            yield event
    finally:
        channel.cancel.set()
