"""A job in a thread of its own, read from another."""

from __future__ import annotations

import threading
from collections.abc import Generator
from typing import cast

import pytest

from rag.stream import Channel, stream


def test_events_come_in_order() -> None:
    def job(channel: Channel[str]) -> None:
        channel.put("a")
        channel.put("b")

    assert list(stream(job, threading.Event())) == ["a", "b"]


def test_an_error_of_the_job_is_raised_to_the_reader() -> None:
    def job(channel: Channel[str]) -> None:
        channel.put("a")
        raise ValueError("broken")

    events = stream(job, threading.Event())
    assert next(events) == "a"
    with pytest.raises(ValueError, match="broken"):
        next(events)


@pytest.mark.parametrize("how", ["closed", "dropped", "cancelled"])
def test_the_job_is_told_when_its_reader_has_gone(how: str) -> None:
    told, cancel = threading.Event(), threading.Event()

    def job(channel: Channel[str]) -> None:
        channel.put("a")
        while not channel.cancel.is_set():
            pass
        told.set()

    events = stream(job, cancel)
    next(events)
    if how == "closed":
        cast(Generator[str], events).close()
    elif how == "dropped":
        del events
    else:
        cancel.set()
    assert told.wait(10)
