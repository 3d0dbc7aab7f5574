"""Follow: events of an answer or of adding articles, in lists of what came since the last one. Knows no page.

A page takes longer to show an event than the next one takes to come; it shows the newest and skips what is outdated.
"""

from __future__ import annotations

import threading
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, TypeVar

from rag.event import Progress
from rag.stream import stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Report = Callable[[str, int, int], None]
    """Takes stage, done and total."""

_Event = TypeVar("_Event")
_Result = TypeVar("_Result")


class _End:
    """After the last event: what was raised, if anything."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def batches(events: Iterable[_Event]) -> Iterator[list[_Event]]:
    """Read `events` in a thread, from now on; yield them in lists of what came since the last one, never empty.

    What the events raise is raised here, after all that came before. They are read to their end, also when nobody
    takes the lists any more.
    """
    waiting: SimpleQueue[_Event | _End] = SimpleQueue()

    def read() -> None:
        try:
            for event in events:
                waiting.put(event)
        except Exception as error:  # noqa: BLE001 (raised again for the reader)
            waiting.put(_End(error))
        else:
            waiting.put(_End())

    threading.Thread(target=read, name="citewire-follow", daemon=True).start()
    return _batches(waiting)


def _batches(waiting: SimpleQueue[_Event | _End]) -> Iterator[list[_Event]]:
    while True:
        batch: list[_Event] = []
        event = waiting.get()
        while not isinstance(event, _End):
            batch.append(event)
            try:
                event = waiting.get_nowait()
            except Empty:
                break
        if batch:
            yield batch
        if isinstance(event, _End):
            if event.error is not None:
                raise event.error
            return


def reported(job: Callable[[Report], _Result]) -> Iterator[Progress | _Result]:
    """Run `job` in a thread: a Progress each time that it calls the function it is given, then what it returns."""
    return stream(
        lambda channel: channel.put(job(lambda stage, done, total: channel.put(Progress(stage, done, total)))),
        threading.Event(),
    )
