"""Passages read once: what the model made of them is kept, moved and put together."""

from __future__ import annotations

import math
import os
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from rag.answer import Turn
from rag.llm.kv_cache import KVCache
from rag.llm.llama import LlamaCpp
from rag.prompt import Prompt
from tests.test_llm import FOX, ask, load

pytestmark = pytest.mark.model

MB = 1_000_000
YES_NO = replace(FOX, task="Do the passages say so? Reply Yes or No.")


@pytest.fixture
def top(tmp_path: Path) -> Path:
    return tmp_path / "derived"


def kv_cache(top: Path, limit_bytes: int = 500 * MB) -> KVCache:
    return KVCache(lambda article: top / (article or "none"), top, limit_bytes=limit_bytes)


@pytest.fixture
def llm(top: Path) -> Iterator[LlamaCpp]:
    from index.models import locate

    opened = LlamaCpp.load(locate("smollm2-135m", "llm"), name="smollm2-135m", sha256="135", kv_cache=kv_cache(top))
    yield opened
    opened.close()


def first_read(llm: LlamaCpp, prompt: Prompt) -> tuple[str, list[tuple[int, int]]]:
    read: list[tuple[int, int]] = []
    return ask(llm, prompt, read=read), read


def test_a_passage_is_read_once_whatever_stands_around_it(llm: LlamaCpp, top: Path) -> None:
    ask(llm, FOX)
    assert kv_cache(top).size()[0] == 2
    turned = replace(FOX, passages=FOX.passages[::-1], question="Who built the bridge?", history=(Turn("So?", "So."),))
    ask(llm, turned)
    assert kv_cache(top).size()[0] == 2


@pytest.mark.parametrize("before", ["nothing", "itself", "turned", "another question", "a check", "another process"])
def test_the_answer_does_not_depend_on_what_was_kept(top: Path, before: str) -> None:
    with_nothing = load("smollm2-135m")
    expected = ask(with_nothing, FOX, max_tokens=24)
    odds = with_nothing.judge(YES_NO, cancel=threading.Event())
    with_nothing.close()
    from index.models import locate

    path = locate("smollm2-135m", "llm")
    if before == "another process":
        other = LlamaCpp.load(path, sha256="135", kv_cache=kv_cache(top))
        ask(other, FOX)
        other.close()
    llm = LlamaCpp.load(path, sha256="135", kv_cache=kv_cache(top))
    if before == "itself":
        ask(llm, FOX)
    elif before == "turned":
        ask(llm, replace(FOX, passages=FOX.passages[::-1]))
    elif before == "another question":
        ask(llm, replace(FOX, question="Who built the bridge, and when was it closed to cars?"))
    elif before == "a check":
        llm.judge(YES_NO, cancel=threading.Event())
    assert ask(llm, FOX, max_tokens=24) == expected
    assert llm.judge(YES_NO, cancel=threading.Event()) == pytest.approx(odds, abs=0.02)
    llm.close()


@pytest.mark.parametrize("damage", ["gone", "cut", "of another model", "no state at all"])
def test_what_cannot_be_used_is_read_again(llm: LlamaCpp, top: Path, damage: str) -> None:
    expected = ask(llm, FOX)
    for path in list(top.glob("*/*")):
        if damage == "gone":
            path.unlink()
        elif damage == "cut":
            path.write_bytes(path.read_bytes()[:-100])
        elif damage == "no state at all":
            path.unlink()
            kv_cache(top).put("none", path.stem, b"no state")
    from index.models import locate

    sha256 = "other" if damage == "of another model" else "135"
    again = LlamaCpp.load(locate("smollm2-135m", "llm"), sha256=sha256, kv_cache=kv_cache(top))
    assert ask(again, FOX) == expected
    again.close()


def test_reading_ahead_makes_the_first_question_quick(llm: LlamaCpp) -> None:
    assert not llm.is_read(FOX)
    assert llm.read_ahead(replace(FOX, question=""))
    assert llm.is_read(FOX)
    _, read = first_read(llm, FOX)
    steps = [after - before for (before, _), (after, _) in pairwise(read)]
    assert max(steps) > 20  # a whole passage at once


def test_what_is_read_ahead_by_one_thread_is_what_asking_reads_with_two(top: Path) -> None:
    from index.models import locate

    kept = []
    for way in ("asked", "ahead"):
        cache = kv_cache(top / way)
        llm = LlamaCpp.load(locate("smollm2-135m", "llm"), sha256="135", threads=2, kv_cache=cache)
        if way == "asked":
            ask(llm, FOX, max_tokens=1)
        else:
            assert llm.read_ahead(replace(FOX, question=""))
            assert llm.ahead_s > 0
        llm.close()
        kept.append({path.name: path.read_bytes() for path in (top / way).glob("*/*")})
    assert kept[0] == kept[1]
    assert len(kept[0]) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_reading_ahead_has_a_low_priority_and_asking_has_not(llm: LlamaCpp) -> None:
    assert llm.read_ahead(replace(FOX, question=""))
    niceness = {
        thread.name: os.getpriority(os.PRIO_PROCESS, thread.native_id or 0)
        for thread in threading.enumerate()
        if llm.name in thread.name
    }
    assert niceness == {f"llm {llm.name}": os.getpriority(os.PRIO_PROCESS, 0), f"llm {llm.name} ahead_0": 19}


def test_the_instructions_can_be_read_before_any_passage(llm: LlamaCpp, top: Path) -> None:
    assert llm.read_ahead(replace(FOX, passages=(), question=""))
    assert kv_cache(top).size()[0] == 0
    _, read = first_read(llm, FOX)
    assert read[0][0] >= llm.count(replace(FOX, passages=(), question="")) - 12


TALK = (
    Turn("Who built the bridge?", "Anna Lund, an engineer, built it in 1911."),
    Turn("When was it closed?", "Last year."),
)


def test_a_conversation_is_read_ahead_and_kept_in_memory_only(llm: LlamaCpp, top: Path) -> None:
    talk = replace(FOX, history=TALK)
    assert not llm.is_read(talk)
    assert llm.read_ahead(replace(talk, passages=(), question=""))
    assert kv_cache(top).size()[0] == 0
    assert not llm.is_read(talk)
    assert llm.read_ahead(replace(talk, question=""))
    assert llm.is_read(talk)
    _, read = first_read(llm, talk)
    assert len(read) <= 7  # what is there, two passages, two turns, question, closing


@pytest.mark.parametrize("before", ["nothing", "the talk so far", "all of the talk"])
def test_an_answer_does_not_depend_on_what_was_kept_of_the_talk(llm: LlamaCpp, top: Path, before: str) -> None:
    talk = replace(FOX, history=TALK)
    with_nothing = load("smollm2-135m")
    expected = ask(with_nothing, talk, max_tokens=24)
    with_nothing.close()
    if before == "the talk so far":
        ask(llm, replace(talk, history=TALK[:1]))
    elif before == "all of the talk":
        assert llm.read_ahead(replace(talk, passages=(), question=""))
    assert ask(llm, talk, max_tokens=24) == expected


def wait_for_a_batch(llm: LlamaCpp, before_s: float) -> None:
    """Until reading ahead is in its second batch."""
    while llm.ahead_s == before_s:
        time.sleep(0.005)


def test_reading_ahead_makes_way(llm: LlamaCpp) -> None:
    long = replace(FOX, passages=tuple(f"{number}. {FOX.passages[1]} " * 8 for number in range(8)), question="")
    done: list[bool] = []
    reading = threading.Thread(target=lambda: done.append(llm.read_ahead(long)))
    reading.start()
    wait_for_a_batch(llm, 0.0)
    ask(llm, FOX)
    reading.join(120)
    assert done == [False]
    assert not llm.is_read(long)


def test_an_answer_after_a_batch_that_was_given_up_is_the_same(llm: LlamaCpp) -> None:
    expected = ask(llm, FOX)
    long = replace(FOX, passages=tuple(f"{number}. {FOX.passages[1]} " * 8 for number in range(8)), question="")
    for _ in range(3):
        before = llm.ahead_s
        reading = threading.Thread(target=llm.read_ahead, args=(long,))
        reading.start()
        wait_for_a_batch(llm, before)
        assert ask(llm, FOX) == expected
        reading.join(120)


def test_a_whole_prompt_can_still_be_read_as_one(top: Path) -> None:
    from index.models import locate

    llm = LlamaCpp.load(locate("smollm2-135m", "llm"), sha256="135", kv_cache=kv_cache(top), splice=False)
    assert ask(llm, FOX)
    assert kv_cache(top).size()[0] == 0
    llm.close()


def test_a_check_that_is_cancelled_says_nothing(llm: LlamaCpp) -> None:
    cancel = threading.Event()
    cancel.set()
    assert math.isnan(llm.judge(YES_NO, cancel=cancel))


def test_yes_and_no_are_told_apart(llm: LlamaCpp) -> None:
    yes, no = (
        llm.judge(replace(FOX, task=f"Reply with one word only. Reply {word}. {word}!"), cancel=threading.Event())
        for word in ("Yes", "No")
    )
    assert yes > no
