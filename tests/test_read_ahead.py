"""What is read while nobody asks: in which order, when, and for how much of the processor."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

import pytest

from index import Article, Index
from rag.answer import Turn
from rag.engine import Engine
from rag.llm.scripted import ScriptedLLM
from rag.loaded import LoadedModel
from rag.power import on_battery
from rag.queue import Queue
from rag.read_ahead import LIGHT_MOST_S, Ahead, ReadAhead
from rag.settings import Settings
from tests.fakes import BagOfWordsEmbedder
from ui.backend import IDLE_S

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rag.prompt import Prompt

PASSAGE_S = 8.0
"""Processor time and, with one thread, time that the default model needs for a passage on the slower machine of two."""
MINUTE_S, HOUR_S = 60.0, 3600.0
ASKED = "Who wants the talks about Korea to resume?"


class Clock:
    def __init__(self) -> None:
        self.s = 0.0

    def __call__(self) -> float:
        return self.s


class ReadingLLM(ScriptedLLM):
    """Needs PASSAGE_S for whatever it reads ahead."""

    def __init__(self, clock: Clock, *replies: str) -> None:
        super().__init__(*replies)
        self.clock = clock
        self.read: list[str] = []
        self.talks: list[tuple[Turn, ...]] = []
        self.ahead_s = 0.0

    def is_read(self, prompt: Prompt) -> bool:
        return set(prompt.passages) <= set(self.read) and (not prompt.history or prompt.history in self.talks)

    def read_ahead(self, prompt: Prompt) -> bool:
        self.read += prompt.passages
        self.talks += [prompt.history] * bool(prompt.history)
        self.ahead_s += PASSAGE_S
        self.clock.s += PASSAGE_S
        return True


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """A thousand articles of one passage."""
    with Index.open(tmp_path_factory.mktemp("home"), embedder=BagOfWordsEmbedder()) as opened:
        opened.add(
            [
                Article("skagen", "Maren Holm restored the lighthouse of Skagen in 1958."),
                *(
                    Article(
                        f"a{number}", f"Talks number {number} about Korea failed.", published=f"{1000 + number}-01-01"
                    )
                    for number in range(999)
                ),
            ]
        )
        yield opened


def reading(index: Index, llm: ReadingLLM, setting: str, *, battery: list[bool] | None = None) -> ReadAhead:
    settings = Settings(read_ahead=setting)
    engine = Engine.open(index=index, llm=llm, settings=settings)
    return ReadAhead(
        index,
        LoadedModel(settings, lambda: engine.kv_cache, llm),
        Queue(),
        settings,
        lambda: engine.kv_cache,
        now=llm.clock,
        on_battery=lambda: battery is not None and battery[0],
    )


def idle(ahead: ReadAhead, clock: Clock, *, until_s: float) -> None:
    """As the page does while nobody asks."""
    while clock.s < until_s:
        if not ahead.run(threading.Event()):
            clock.s += IDLE_S
        else:
            clock.s = until_s


def test_an_idle_hour_of_light_costs_a_laptop_little(index: Index) -> None:
    llm = ReadingLLM(Clock())
    ahead = reading(index, llm, "light")
    idle(ahead, llm.clock, until_s=10 * MINUTE_S)
    at_first = llm.ahead_s
    assert 10 * PASSAGE_S < at_first <= LIGHT_MOST_S
    idle(ahead, llm.clock, until_s=HOUR_S)
    assert PASSAGE_S < llm.ahead_s - at_first <= 0.05 * (HOUR_S - 10 * MINUTE_S)
    assert ahead.state is Ahead.SAVING


def test_full_reads_for_as_long_as_there_is_something_to_read(index: Index) -> None:
    llm = ReadingLLM(Clock())
    ahead = reading(index, llm, "full")
    idle(ahead, llm.clock, until_s=HOUR_S)
    assert llm.ahead_s > 0.9 * HOUR_S


def test_off_reads_nothing(index: Index) -> None:
    llm = ReadingLLM(Clock(), "Putin wants them to resume.")
    asked = Engine.open(index=index, llm=llm, settings=Settings(read_ahead="off"))
    asked.ask(ASKED)
    assert asked.read_ahead(threading.Event())
    assert (llm.read, asked.ahead) == ([], Ahead.OFF)


@pytest.mark.parametrize("setting", ["light", "full"])
def test_nothing_is_read_ahead_on_battery(index: Index, setting: str) -> None:
    llm, battery = ReadingLLM(Clock()), [True]
    ahead = reading(index, llm, setting, battery=battery)
    idle(ahead, llm.clock, until_s=HOUR_S)
    assert (llm.read, ahead.state) == ([], Ahead.BATTERY)
    battery[0] = False
    idle(ahead, llm.clock, until_s=HOUR_S + 5 * MINUTE_S)
    assert llm.read


def test_what_was_found_beside_an_answer_is_read_when_the_rest_has_to_wait(index: Index) -> None:
    llm = ReadingLLM(Clock())
    ahead = reading(index, llm, "light")
    idle(ahead, llm.clock, until_s=HOUR_S)
    found = index.search(ASKED, 6)
    unread = [hit for hit in found if not any(passage.endswith(hit.text.strip()) for passage in llm.read)]
    ahead.note_hits(unread)
    before = len(llm.read)
    ahead.run(threading.Event())
    assert len(llm.read) - before == len(unread) > 0


def test_what_is_likely_comes_first(index: Index) -> None:
    llm = ReadingLLM(Clock())
    ahead = reading(index, llm, "light")
    ahead.expect(["Which articles mention Korea?", "Who restored the lighthouse of Skagen?"])
    ahead.note_hits(index.search("number 5", 2))
    ahead.note_conversation((Turn("Who failed?", "The talks."),))
    ahead.run(threading.Event())
    assert llm.talks
    assert [("number" in passage, "Skagen" in passage) for passage in llm.read[:3]] == [(1, 0), (1, 0), (0, 1)]
    rest = [passage for passage in llm.read[3:] if "number" in passage]
    assert [passage.split()[3] for passage in rest[:10]] == [str(number) for number in range(998, 988, -1)]


@pytest.mark.parametrize(
    ("supplies", "expected"),
    [
        ({}, False),
        ({"BAT0": {"type": "Battery", "status": "Discharging"}, "AC": {"type": "Mains", "online": "0"}}, True),
        ({"BAT0": {"type": "Battery", "status": "Charging"}, "AC": {"type": "Mains", "online": "1"}}, False),
        # Some machines draw on the battery beside a weak charger.
        ({"BAT0": {"type": "Battery", "status": "Discharging"}, "usb": {"type": "USB", "online": "1"}}, False),
        ({"BAT0": {"type": "Battery", "status": "Full"}}, False),
        ({"BAT1": {"type": "Battery", "status": "Discharging"}}, True),
        ({"mouse": {"type": "Battery", "status": "Discharging", "scope": "Device"}}, False),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="reads the files of Linux")
def test_a_machine_is_on_battery_when_nothing_else_feeds_it(
    tmp_path: Path, supplies: dict[str, dict[str, str]], *, expected: bool
) -> None:
    for name, known in supplies.items():
        (tmp_path / name).mkdir()
        for key, value in known.items():
            (tmp_path / name / key).write_text(f"{value}\n")
    assert on_battery(tmp_path) is expected


def test_a_machine_without_power_supplies_is_not_on_battery(tmp_path: Path) -> None:
    assert not on_battery(tmp_path / "none")
