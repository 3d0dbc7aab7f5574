"""Stream: work in a thread of its own → its events, in the thread of whoever reads them.

The work goes on at its own pace: a reader who is slow, or has gone, holds up nobody who waits for the model.
"""

from __future__ import annotations

import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Progress = tuple[str, int, int]
_Event = TypeVar("_Event")


class _Gone(threading.Event):
    """Set when the reader has gone, and as good as set when `cancel` is."""

    def __init__(self, cancel: threading.Event) -> None:
        super().__init__()
        self._cancel = cancel

    def is_set(self) -> bool:
        return super().is_set() or self._cancel.is_set()


class Channel(Generic[_Event]):
    """What the work writes to. `cancel` tells it to end soon."""

    def __init__(self, cancel: threading.Event) -> None:
        """With nothing written."""
        self.cancel: threading.Event = _Gone(cancel)
        self.events: SimpleQueue[_Event | Progress | BaseException | None] = SimpleQueue()

    def put(self, event: _Event) -> None:
        """An event for the reader."""
        self.events.put(event)

    def progress(self, stage: str, done: int, total: int) -> None:
        """News of how far a stage is."""
        self.events.put((stage, done, total))


def stream(
    work: Callable[[Channel[_Event]], None],
    cancel: threading.Event,
    progress: Callable[[str, int, int], None] | None = None,
) -> Iterator[_Event]:
    """Yield what `work` puts into its channel, raise what it raises, call `progress` with its news.

    The work begins at the first `next`. Closing the iterator, or dropping it, sets the channel's `cancel`.
    """
    channel: Channel[_Event] = Channel(cancel)

    def run() -> None:
        try:
            work(channel)
        except BaseException as error:  # noqa: BLE001 - it is raised in the reader's thread
            channel.events.put(error)
        channel.events.put(None)

    threading.Thread(target=run, name="answer", daemon=True).start()
    try:
        while (event := channel.events.get()) is not None:
            if isinstance(event, BaseException):
                raise event
            if isinstance(event, tuple):
                if progress is not None:
                    progress(*event)
            else:
                yield event
    finally:
        channel.cancel.set()
