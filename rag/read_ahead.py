"""Read ahead: what the model does while nobody asks, so that the next question is answered sooner.

What is likeliest to be asked about is read first: the last answers, which a follow-up comes after, the passages that
the last search found, those for the questions that the page suggests, the beginnings of the newest articles, and then
everything else. How much of it depends on the setting: `light` is for a laptop, whose fan and battery pay for it.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from enum import StrEnum
from itertools import chain
from math import inf
from typing import TYPE_CHECKING, Any

from index.errors import InputError
from rag import evidence, power, prompt, question
from rag.clock import Clock
from rag.find import find
from rag.llm import Metered, Reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from index import Index
    from index.hit import Hit
    from rag.answer import Turn
    from rag.llm import LLM
    from rag.llm.kv_cache import KVCache
    from rag.loaded import LoadedModel
    from rag.prompt import Prompt
    from rag.queue import Queue
    from rag.settings import Settings

_IDLE_S = 0.2
"""How often reading ahead looks whether everyone was answered."""
_MOST_TOKENS, _LEAST_TOKENS = 12, 4
"""How many tokens to write to measure speed: at most, at least."""
_CONVERSATIONS = 4
"""Of how many conversations at most the last answer is read ahead."""
_EXPECTED = 8
"""How many of the questions that a page suggests are prepared at most."""
_NEWEST, _OPENING_CHARS = 20, 1200
"""The beginnings of how many of the newest articles come before all other passages, and how long a beginning is: as
much as suggestions are made from (suggest.py), for a news story names its subject there."""

LIGHT_SHARE = 0.03
"""Share of one core that `light` takes in the long run, some two minutes an hour: what a laptop does not notice."""
LIGHT_MOST_S = 300.0
"""Processor time that `light` saves up at most, and has at first."""
LIGHT_RESERVE_S = 120.0
"""What `light` keeps of it for what is likely to be needed: passages nobody has come near to are read with the rest."""
LIGHT_EARNED_S = 30.0
"""What an answer adds to it, about as much processor time as answering took: enough for the answer itself and two or
three of the passages found beside those that were read."""
_POWER_S = 30.0
"""How often the machine is asked whether it runs on its battery."""


class Ahead(StrEnum):
    """What reading ahead is about, in words for a reader."""

    OFF = "does not read ahead"
    READING = "reads ahead while nobody asks"
    SAVING = "has read ahead what its share of the processor allows for now"
    BATTERY = "reads ahead when the machine is on mains power"
    DONE = "has read ahead all that there is room for"


class Budget:
    """Processor time to spend: a share of one core, of which some can be saved up. Safe to use from several threads."""

    def __init__(self, *, share: float, most_s: float, now: Callable[[], float] = time.monotonic) -> None:
        """With `most_s` to spend. `now` is a clock in seconds."""
        self._share, self._most_s, self._now = share, most_s, now
        self._saved_s, self._at = most_s, now()
        self._lock = threading.Lock()

    def left_s(self) -> float:
        """What may be spent now; less than 0 after something took longer."""
        with self._lock:
            return self._grown(0.0)

    def spend(self, seconds: float) -> None:
        """Take off what was spent."""
        with self._lock:
            self._saved_s = self._grown(0.0) - seconds

    def earn(self, seconds: float) -> None:
        """Add to it, up to what can be saved."""
        with self._lock:
            self._saved_s = self._grown(seconds)

    def _grown(self, earned_s: float) -> float:
        now = self._now()
        self._saved_s = min(self._most_s, self._saved_s + self._share * (now - self._at) + earned_s)
        self._at = now
        return self._saved_s


class ReadAhead:
    """Knows what is likely to be read next, and whether this is a time to read it."""

    def __init__(
        self,
        index: Index,
        model: LoadedModel,
        queue: Queue,
        settings: Settings,
        kv_cache: Callable[[], KVCache],
        *,
        now: Callable[[], float] = time.monotonic,
        on_battery: Callable[[], bool] = power.on_battery,
    ) -> None:
        """The first five are the engine's; `now` is a clock in seconds."""
        self.index = index
        self.model = model
        self.queue = queue
        self.settings = settings
        self.kv_cache = kv_cache
        self.state = Ahead.OFF if settings.read_ahead == "off" or not settings.kv_bytes else Ahead.READING
        self._now, self._on_battery = now, on_battery
        self._battery: tuple[float, bool] | None = None
        self.spent_s = 0.0
        """Processor time that it took so far, in seconds."""
        self._budget = Budget(share=LIGHT_SHARE, most_s=LIGHT_MOST_S, now=now)
        self._conversations: deque[tuple[Turn, ...]] = deque(maxlen=_CONVERSATIONS)
        self._hits: deque[Hit] = deque()
        self._expected: deque[str] = deque(maxlen=_EXPECTED)
        self._expected_hits: deque[Hit] = deque()
        self._others: Iterator[Prompt] = iter(())
        self._others_of: tuple[LLM, int] | None = None
        self._other: Prompt | None = None

    def note_hits(self, hits: Iterable[Hit]) -> None:
        """What the last search found and the model did not read; the next question is likely to be about it."""
        self._hits = deque(hits)

    def note_conversation(self, history: tuple[Turn, ...]) -> None:
        """The exchanges of a conversation after its last answer; a follow-up comes after them."""
        self._conversations.append(history)
        self._budget.earn(LIGHT_EARNED_S)

    def expect(self, questions: Sequence[str]) -> None:
        """Questions that are likely to be asked; what is to be read for them is looked up when there is time."""
        self._expected.extend(questions)

    def run(self, cancel: threading.Event) -> bool:
        """See Engine.read_ahead."""
        while not cancel.is_set():
            llm, generation = self.model.current(), self.index.generation
            if self.state is Ahead.OFF or not isinstance(llm, Reader):
                return True
            if len(self.queue):
                cancel.wait(_IDLE_S)
                continue
            if self._others_of != (llm, generation):
                self._others_of, self._others, self._other = (llm, generation), self._passages(), None
            begun_s = _processor_s(llm)
            try:
                self.state = self._step(llm)
            finally:
                spent_s = _processor_s(llm) - begun_s
                self._budget.spend(spent_s)
                self.spent_s += spent_s
            if self.state is not Ahead.READING:
                return self.state is Ahead.DONE
        return False

    def words_per_s(self, cancel: threading.Event) -> float | None:
        """See Engine.words_per_s."""
        llm = self.model.current()
        if not isinstance(llm, Reader):
            return None
        stop, times = threading.Event(), [time.perf_counter()]
        hello = prompt.Prompt(prompt.instructions(), (), (), "Hello?")
        for _ in llm.stream(hello, max_tokens=_MOST_TOKENS, cancel=stop):
            times.append(time.perf_counter())
            if cancel.is_set() or len(self.queue):
                stop.set()
        written = len(times) - 2
        return None if stop.is_set() or written < _LEAST_TOKENS else written / (times[-1] - times[1])

    def _step(self, llm: Any) -> Ahead:
        """Read whatever is likeliest to be needed and not read yet, if this is a time for it."""
        if self._is_on_battery():
            return Ahead.BATTERY
        left_s = self._budget.left_s() if self.settings.read_ahead == "light" else inf
        likely = self._likeliest(llm)
        if likely is not None:
            if left_s <= 0:
                return Ahead.SAVING
            waiting, first, request = likely
            # What is likely may take the place of what was used longest ago.
            if (llm.is_read(request) or llm.read_ahead(request)) and waiting and waiting[0] is first:
                waiting.popleft()
            return Ahead.READING
        if self._other is None:
            self._other = next(self._others, None)
        if self._other is None or self.kv_cache().is_full:
            return Ahead.DONE
        if left_s <= LIGHT_RESERVE_S:
            return Ahead.SAVING
        if llm.is_read(self._other) or llm.read_ahead(self._other):
            self._other = None
        return Ahead.READING

    def _likeliest(self, llm: LLM) -> tuple[deque[Any], Any, Prompt] | None:
        """What is likely to be needed and waits first, where it waits, and the prompt that reads it."""
        if self._conversations:
            turns = evidence.trim_history("", (), self._conversations[0], llm, self.settings)
            request = prompt.Prompt(prompt.instructions(), (), turns, "")
            return self._conversations, self._conversations[0], request
        while self._expected and not (self._hits or self._expected_hits):
            self._expected_hits.extend(self._evidence_for(self._expected.popleft()))
        for hits in (self._hits, self._expected_hits):
            if hits:
                return hits, hits[0], prompt.passage(hits[0].article, hits[0].text)
        return None

    def _evidence_for(self, asked: str) -> Iterator[Hit]:
        """The passages that would be read to answer a question; none for one that is answered in rows."""
        with contextlib.suppress(InputError):
            understood = question.understand(asked)
            if understood.kind == "fact" and understood.is_clear:
                for part in understood.parts():
                    found = find(part, self.index, self.model, self.settings, Clock())
                    yield from (source.hit for source in found.sources if found.reason is None)

    def _passages(self) -> Iterator[Prompt]:
        """Every passage: the beginnings of the newest articles, then those of the last added article first."""
        newest = self.index.passages(articles=self.index.newest(_NEWEST))
        for article, span in chain((one for one in newest if one[1].start < _OPENING_CHARS), self.index.passages()):
            yield prompt.passage(article, span.of(article.text))

    def _is_on_battery(self) -> bool:
        now = self._now()
        if self._battery is None or now - self._battery[0] >= _POWER_S:
            self._battery = now, self._on_battery()
        return self._battery[1]


def _processor_s(llm: LLM) -> float:
    """Processor time of this thread, in which passages are looked up, and of the model's thread that reads them."""
    return time.thread_time() + (llm.ahead_s if isinstance(llm, Metered) else 0.0)
