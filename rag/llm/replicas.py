"""Replicas: the language model on several machines of a cluster, so that several answers are written at once.

Each is an actor (index/cluster.py) with the same weights, which writes as they would here. An answer is written by one
of them, from the draft to the last question of the judge: the one that its best passage belongs to, which may have read
it before, or one that is free. A machine that is lost is replaced by another once, and the answer goes on where it was.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import threading
import time
import uuid
from collections import Counter, deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from index.cluster import CALLS_AT_ONCE, Actors, LostError
from index.errors import Error, InputError, ModelError
from index.release import __version__
from rag import quote
from rag.llm import BYTES
from rag.stream import stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from index.models import Identity
    from rag.llm import LLM, Constraint, OnRead, Vocabulary
    from rag.prompt import Prompt
    from rag.settings import Settings
    from rag.stream import Channel

KIND = "replica"
"""Before the machine in the name of an actor."""
CACHE_BYTES = 512 * 2**20
"""Of passages that a replica keeps as it read them: some 130 of the default model. In memory, so that no article leaves
anything on the disk of a machine that will not hear that it was removed."""
FIND_S = 5.0
"""How often it is looked for replicas that have come, or come back."""
ABOUT_S = 1.0
"""How long a question waits for one of them to say what it is, while others are there."""
CALL_S = 10.0
"""Longest wait for tokens to be counted."""
NONE_S = 60.0
"""Longest wait of a question while no replica answers: one that is started again loads its model."""


@dataclass(frozen=True, slots=True)
class About:
    """What a replica has; all that answer together have the same."""

    release: str
    model: str
    sha256: str
    context_tokens: int
    adapts: bool


class Replica:
    """What runs on a machine of the cluster: the model, and what it keeps in memory of the passages that it read."""

    def __init__(self, settings: Settings, make: Callable[[Settings], LLM] | None = None) -> None:
        """Load the model of `settings`, or what `make` makes of them. Raises ModelError."""
        self._identity = identity(settings)
        self._llm = (make or _load)(settings)
        self._running: dict[str, threading.Event] = {}
        self._cancelled: deque[str] = deque(maxlen=CALLS_AT_ONCE)

    def about(self) -> About:
        """What it has."""
        llm = self._llm
        return About(__version__, self._identity.name, self._identity.sha256, llm.context_tokens, llm.adapts)

    def count(self, prompt: Prompt) -> int:
        """See LLM."""
        return self._llm.count(prompt)

    def write(
        self, key: str, prompt: Prompt, max_tokens: int, quoted: tuple[tuple[str, ...], int] | None, adapted: bool
    ) -> Iterator[tuple[int, int] | str]:
        """What LLM.stream reports and yields, until `cancel` is called with this key. `quoted` are the passages and the
        number of sentences of a rag.quote.Quoting."""
        constraint = None if quoted is None else quote.Quoting(quoted[0], self._llm.vocabulary, spans=quoted[1])

        def job(channel: Channel[tuple[int, int] | str]) -> None:
            report = partial(_report, channel)
            for piece in self._llm.stream(
                prompt,
                max_tokens=max_tokens,
                cancel=channel.cancel,
                on_read=report,
                constraint=constraint,
                adapted=adapted,
            ):
                channel.put(piece)

        yield from self._run(key, job)

    def judge(self, key: str, prompt: Prompt) -> Iterator[tuple[int, int] | float]:
        """What LLM.judge reports, and last what it returns."""

        def job(channel: Channel[tuple[int, int] | float]) -> None:
            channel.put(self._llm.judge(prompt, cancel=channel.cancel, on_read=partial(_report, channel)))

        yield from self._run(key, job)

    def cancel(self, key: str) -> None:
        """End what runs under this key, if it does."""
        if key in self._running:
            self._running[key].set()
        else:  # it is still on its way, or done
            self._cancelled.append(key)

    def _run(self, key: str, job: Callable[[Channel[Any]], None]) -> Iterator[Any]:
        """What a job reports in its channel, as it does."""
        cancel = self._running[key] = threading.Event()
        if key in self._cancelled:
            cancel.set()
        try:
            yield from stream(job, cancel)
        finally:
            del self._running[key]


class Replicas:
    """See rag.llm.LLM and rag.llm.Replicated. The caller is connected to the cluster meanwhile."""

    def __init__(self, actors: Actors, wanted: Identity) -> None:
        """Wait for one to say what it has. Raises ModelError when none has the model that is `wanted`, in this
        release."""
        self._actors = actors
        self._wanted = wanted
        self._lock = threading.Lock()
        self._busy: Counter[str] = Counter()
        self._live: dict[str, About] = {}
        self._found_s = float("-inf")
        machine = self.take("", threading.Event(), frozenset())
        self.release(machine)
        about = self._live[machine]
        self.name = about.model
        self.context_tokens = about.context_tokens
        self.adapts = about.adapts
        self.vocabulary: Vocabulary = BYTES

    @classmethod
    def open(cls, settings: Settings) -> Replicas | None:
        """Those of the cluster; None when there are none. Raises ModelError when they have another model than that of
        `settings`, another release, or do not answer."""
        actors = Actors(KIND)
        return cls(actors, identity(settings)) if actors.find() else None

    def at_once(self) -> int:
        """How many answers are written at a time."""
        return max(1, len(self._look()))

    def count(self, prompt: Prompt) -> int:
        """See LLM."""
        none = threading.Event()
        for _ in range(len(self._live) + 1):
            machine = self.take("", none, frozenset())
            self.release(machine)
            try:
                return int(self._actors.call(machine, "count", prompt, timeout_s=CALL_S))
            except LostError:
                self.lose(machine)
        raise ModelError(_NONE)

    def stream(self, prompt: Prompt, **options: Any) -> Iterator[str]:
        """See LLM."""
        with self.near(prompt.passages[0] if prompt.passages else "") as llm:
            yield from llm.stream(prompt, **options)

    def judge(self, prompt: Prompt, **options: Any) -> float:
        """See LLM."""
        with self.near(prompt.passages[0] if prompt.passages else "") as llm:
            return llm.judge(prompt, **options)

    @contextlib.contextmanager
    def near(self, passage: str) -> Iterator[LLM]:
        """See rag.llm.Replicated."""
        one = _One(self, self._actors, passage)
        try:
            yield one
        finally:
            one.leave()

    def take(self, passage: str, cancel: threading.Event, without: frozenset[str]) -> str:
        """The machine that is to write: of those with least to do, the first in the order of rendezvous hashing for
        this passage, but none of `without` unless there is no other. "" once `cancel` is set.

        Raises ModelError when none answers for NONE_S.
        """
        ends = time.monotonic() + NONE_S
        while not cancel.is_set():
            live = self._look()
            with self._lock:
                open_to = [one for one in live if one not in without] or live
                if open_to:
                    machine = min(open_to, key=lambda one: (self._busy[one], _distance(passage, one)))
                    self._busy[machine] += 1
                    return machine
            if time.monotonic() > ends:
                raise ModelError(_NONE)
            cancel.wait(ABOUT_S)
        return ""

    def release(self, machine: str) -> None:
        """What `take` gave is free again."""
        with self._lock:
            self._busy[machine] -= 1

    def lose(self, machine: str) -> None:
        """Ask this one nothing more before it has answered again."""
        with self._lock:
            self._live.pop(machine, None)

    def _look(self) -> list[str]:
        """The machines that answer and have the right model. Raises ModelError when all that answer have another."""
        with self._lock:
            if self._live and time.monotonic() - self._found_s < FIND_S:
                return list(self._live)
            self._found_s = time.monotonic()
            unknown = [one for one in self._actors.find() if one not in self._live]
            found = self._actors.call_all("about", unknown, timeout_s=ABOUT_S)
            wrong = ""
            for machine, about in found.items():
                if isinstance(about, About) and _is_wanted(about, self._wanted):
                    self._live[machine] = about
                elif isinstance(about, About):
                    wrong = (
                        f"the replica on {machine} has {about.model} of Citewire {about.release}, and "
                        f"{self._wanted.name} of {__version__} is asked for; name that model with --llm, or start them "
                        "anew: citewire cluster init --replicas --cluster HOST:PORT"
                    )
                elif isinstance(about, Error):
                    wrong = str(about)
            if wrong and not self._live:
                raise ModelError(wrong)
            return list(self._live)


class _One:
    """See rag.llm.LLM: the one replica that writes an answer, and another one in its place should it be lost."""

    def __init__(self, replicas: Replicas, actors: Actors, passage: str) -> None:
        """It is chosen at the first request."""
        self.name = replicas.name
        self.context_tokens = replicas.context_tokens
        self.adapts = replicas.adapts
        self.vocabulary: Vocabulary = replicas.vocabulary
        self.count = replicas.count
        self._replicas = replicas
        self._actors = actors
        self._passage = passage
        self._machine = ""
        self._lost: frozenset[str] = frozenset()

    def stream(
        self,
        prompt: Prompt,
        *,
        max_tokens: int,
        cancel: threading.Event,
        on_read: OnRead | None = None,
        constraint: Constraint | None = None,
        adapted: bool = False,
    ) -> Iterator[str]:
        """See LLM. The constraint must be a rag.quote.Quoting. What another machine writes again is not given again."""
        if constraint is not None and not isinstance(constraint, quote.Quoting):
            raise InputError(f"{self.name}: replicas can be held to sentences (rag.quote.Quoting), not to tokens")
        quoted = None if constraint is None else (constraint.passages, constraint.most)
        given, again = "", ""
        for event in self._events("write", cancel, on_read, prompt, max_tokens, quoted, adapted):
            if event is None:
                again = given
            elif not again:
                given += event
                yield event
            else:
                known = min(len(again), len(event))
                if event[:known] != again[:known]:
                    raise ModelError(_OTHERWISE)
                again, event = again[known:], event[known:]
                if event:
                    given += event
                    yield event
        if again and not cancel.is_set():
            raise ModelError(_OTHERWISE)

    def judge(self, prompt: Prompt, *, cancel: threading.Event, on_read: OnRead | None = None) -> float:
        """See LLM."""
        found = math.nan
        for event in self._events("judge", cancel, on_read, prompt):
            found = math.nan if event is None else float(event)
        return found

    def leave(self) -> None:
        """Let others have the replica."""
        if self._machine:
            self._replicas.release(self._machine)
            self._machine = ""

    def _events(self, method: str, cancel: threading.Event, on_read: OnRead | None, *values: Any) -> Iterator[Any]:
        """What a method of Replica yields, but for what is read, of which `on_read` is told; None when another machine
        begins anew. Raises ModelError when a second one is lost."""
        for is_last in (False, True):
            self._machine = self._machine or self._replicas.take(self._passage, cancel, self._lost)
            if not self._machine:
                return
            key, ended = uuid.uuid4().hex, False
            try:
                for event in self._actors.stream(self._machine, method, key, *values, cancel=cancel):
                    if not isinstance(event, tuple):
                        yield event
                    elif on_read is not None:
                        on_read(*event)
                ended = not cancel.is_set()
                return
            except LostError as error:
                machine = self._machine
                self.leave()
                self._replicas.lose(machine)
                self._lost |= {machine}
                if is_last:
                    raise ModelError(
                        f"{' and '.join(sorted(self._lost))}: lost while answering ({error}); ask again, or see: "
                        "citewire cluster status --cluster HOST:PORT"
                    ) from error
                yield None
            finally:
                if not ended and self._machine:
                    self._actors.send(self._machine, "cancel", key)


def start(settings: Settings, make: Callable[[Settings], LLM] | None = None) -> dict[str, str]:
    """Start a replica on each machine of the cluster that has none of this model and release, where the model has been
    pulled: machine → what went wrong, "" where nothing did. Raises InputError for a model that replicas cannot have."""
    wanted = identity(settings)
    stop(machine for machine, about in states(CALL_S).items() if about is None or not _is_wanted(about, wanted))
    return Actors(KIND).start(Replica, settings, make)


def stop(machines: Iterable[str] | None = None) -> None:
    """End those on these machines, by default all."""
    actors = Actors(KIND)
    for machine in actors.find() if machines is None else machines:
        actors.end(machine)


def states(timeout_s: float) -> dict[str, About | None]:
    """Machine → what its replica has; None for one that does not answer."""
    actors = Actors(KIND)
    found = actors.call_all("about", actors.find(), timeout_s=timeout_s)
    return {machine: about if isinstance(about, About) else None for machine, about in found.items()}


def _is_wanted(about: About, wanted: Identity) -> bool:
    return (about.release, about.model, about.sha256) == (__version__, wanted.name, wanted.sha256)


def identity(settings: Settings) -> Identity:
    """The model that replicas are to have. Raises InputError for one that is not the same on all machines by itself."""
    from index import models

    known = models.identify(settings.llm, "llm")
    if not known.sha256:
        raise InputError(
            f"replicas have a model of models.txt, whose weights are the same everywhere, not {known.name}; see: "
            "citewire models list"
        )
    return known


def _load(settings: Settings) -> LLM:
    from rag.llm.kv_cache import MemoryKVCache
    from rag.loaded import load

    limit_bytes = min(settings.kv_bytes, CACHE_BYTES)
    return load(settings, MemoryKVCache(limit_bytes=limit_bytes) if limit_bytes else None)


def _report(channel: Channel[Any], read: int, total: int) -> None:
    channel.put((read, total))


def _distance(passage: str, machine: str) -> bytes:
    """Where a machine stands in the order for a passage, least first: rendezvous hashing."""
    return hashlib.blake2b(f"{machine}\0{passage}".encode("utf-8", "replace"), digest_size=8).digest()


_NONE = "no replica answers; see: citewire cluster status --cluster HOST:PORT"
_OTHERWISE = "a machine was lost while it wrote an answer, and another one writes it otherwise; ask again"
