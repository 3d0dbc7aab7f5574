"""Work in a thread of its own, read from another."""

from __future__ import annotations

import threading
from collections.abc import Generator
from typing import cast

import pytest

from rag.stream import Channel, stream


def test_events_come_in_order_and_news_go_to_the_reader_in_his_thread() -> None:
    heard: list[tuple[object, ...]] = []

    def work(channel: Channel[str]) -> None:
        channel.put("a")
        channel.progress("read", 1, 2)
        channel.put("b")

    def progress(*news: object) -> None:
        heard.append((*news, threading.current_thread()))

    assert list(stream(work, threading.Event(), progress)) == ["a", "b"]
    assert heard == [("read", 1, 2, threading.current_thread())]


def test_an_error_of_the_work_is_raised_to_the_reader() -> None:
    def work(channel: Channel[str]) -> None:
        channel.put("a")
        raise ValueError("broken")

    events = stream(work, threading.Event())
    assert next(events) == "a"
    with pytest.raises(ValueError, match="broken"):
        next(events)


@pytest.mark.parametrize("how", ["closed", "dropped", "cancelled"])
def test_the_work_is_told_when_its_reader_has_gone(how: str) -> None:
    told, cancel = threading.Event(), threading.Event()

    def work(channel: Channel[str]) -> None:
        channel.put("a")
        while not channel.cancel.is_set():
            pass
        told.set()

    events = stream(work, cancel)
    next(events)
    if how == "closed":
        cast(Generator[str], events).close()
    elif how == "dropped":
        del events
    else:
        cancel.set()
    assert told.wait(10)
