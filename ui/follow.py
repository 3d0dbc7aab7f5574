"""Follow: long work in a thread, its events and progress handed on as they come. Knows neither work nor page."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Step:
    """How far the work is: `done` of `total` in `stage`."""

    stage: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class _End:
    error: BaseException | None = None


def follow(work: Callable[[Progress], Iterable[Any]]) -> Iterator[list[Any]]:
    """Run `work(progress)` in a thread and yield what it yields, mixed with Steps, in order.

    What came since the last yield comes as one list, so that a slow reader is not left behind. An exception of
    the work is raised here. Whoever stops reading early must tell the work to stop by other means.
    """
    events: SimpleQueue[Any] = SimpleQueue()

    def run() -> None:
        try:
            for event in work(lambda *step: events.put(Step(*step))):
                events.put(event)
        except Exception as error:  # noqa: BLE001 (raised again for the reader)
            events.put(_End(error))
        else:
            events.put(_End())

    threading.Thread(target=run, name="citewire-work", daemon=True).start()
    while True:
        batch = [events.get()]
        try:
            while not isinstance(batch[-1], _End):
                batch.append(events.get_nowait())
        except Empty:
            yield batch
            continue
        end = batch.pop()
        if batch:
            yield batch
        if end.error is not None:
            raise end.error
        return
