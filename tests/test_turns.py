"""First come, first served."""

from __future__ import annotations

import threading
import time

from rag.turns import Turns


def wait_for(turns: Turns, number: int) -> None:
    while len(turns) < number:
        time.sleep(0.001)


def test_turns_come_in_order_and_places_move_up() -> None:
    turns, order = Turns(), list[int]()
    places: dict[int, list[int]] = {1: [], 2: [], 3: []}

    def take(name: int) -> None:
        with turns.turn(threading.Event(), places[name].append) as mine:
            assert mine
            order.append(name)

    with turns.turn(threading.Event()) as mine:
        assert mine
        waiting = []
        for name in (1, 2, 3):
            waiting.append(threading.Thread(target=take, args=(name,)))
            waiting[-1].start()
            wait_for(turns, name + 1)
    for thread in waiting:
        thread.join(10)
    assert order == [1, 2, 3]
    assert places[1] == [1]
    assert places[3][0] == 3
    assert places[3] == sorted(places[3], reverse=True)


def test_who_cancels_leaves_the_queue() -> None:
    turns, cancel, came = Turns(), threading.Event(), []

    def take() -> None:
        with turns.turn(cancel) as mine:
            came.append(mine)

    with turns.turn(threading.Event()):
        waiting = threading.Thread(target=take)
        waiting.start()
        wait_for(turns, 2)
        cancel.set()
        waiting.join(10)
        assert came == [False]
        assert len(turns) == 1


def test_a_turn_that_fails_ends() -> None:
    turns = Turns()
    try:
        with turns.turn(threading.Event()):
            raise ValueError
    except ValueError:
        pass
    with turns.turn(threading.Event()) as mine:
        assert mine
