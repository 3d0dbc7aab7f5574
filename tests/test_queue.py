"""First come, first served."""

from __future__ import annotations

import threading
import time

from rag.queue import Queue


def wait_for(queue: Queue, number: int) -> None:
    while len(queue) < number:
        time.sleep(0.001)


def test_questions_come_in_order_and_places_move_up() -> None:
    queue, order = Queue(), list[int]()
    places: dict[int, list[int]] = {1: [], 2: [], 3: []}

    def take(name: int) -> None:
        with queue.place(threading.Event(), places[name].append) as is_next:
            assert is_next
            order.append(name)

    with queue.place(threading.Event()) as is_next:
        assert is_next
        waiting = []
        for name in (1, 2, 3):
            waiting.append(threading.Thread(target=take, args=(name,)))
            waiting[-1].start()
            wait_for(queue, name + 1)
    for thread in waiting:
        thread.join(10)
    assert order == [1, 2, 3]
    assert places[1] == [1]
    assert places[3][0] == 3
    assert places[3] == sorted(places[3], reverse=True)


def test_who_cancels_leaves_the_queue() -> None:
    queue, cancel, came = Queue(), threading.Event(), []

    def take() -> None:
        with queue.place(cancel) as is_next:
            came.append(is_next)

    with queue.place(threading.Event()):
        waiting = threading.Thread(target=take)
        waiting.start()
        wait_for(queue, 2)
        cancel.set()
        waiting.join(10)
        assert came == [False]
        assert len(queue) == 1


def test_a_place_that_fails_is_given_up() -> None:
    queue = Queue()
    try:
        with queue.place(threading.Event()):
            raise ValueError
    except ValueError:
        pass
    with queue.place(threading.Event()) as is_next:
        assert is_next
