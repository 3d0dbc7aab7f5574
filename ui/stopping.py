"""Stopping: how a server that runs until it is stopped hears of it."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

STOPPING_S = 5.0
"""How long a server waits for answers and syncs that were asked to stop: they take about a second."""


@contextlib.contextmanager
def until_stopped() -> Iterator[threading.Event]:
    """An Event that the first SIGINT or SIGTERM sets; a second one ends the process at once.

    Python takes signals in its main thread only; in another thread nothing sets it.
    """
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return

    def stop(number: int, _: object) -> None:
        if stopped.is_set():
            os._exit(128 + number)
        stopped.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
