"""Cluster: sentences → unit vectors, on all machines of a Ray cluster, and named actors there. Imports Ray.

The machine that runs the sync reads the files and stays the one writer; the others compute vectors and keep nothing.
A vector is kept under the key of its text, so a batch that is computed a second time, because the machine that had it
was lost, replaces the same vector by itself.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from index.embedder import SentenceEmbedder, named
from index.errors import Error, InputError, ModelError
from index.model_address import is_address, printable
from index.release import __version__

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from index.embedder import Embedder

INSTALL = "pip install 'citewire[cluster]'"
CORES = 4
"""Of one actor: a small model gains little from more threads, and each actor has the weights in memory."""
IN_FLIGHT = 2
"""Batches that an actor has: one that it computes, one that waits there, so that it never waits for the network."""
AHEAD = 4
"""Batches for each actor that are read ahead of the first that is not back, since they are given back in order."""
LOOK_S = 1.0
"""How often a waiting run lets Ctrl-C through."""
JOIN_S = 5.0
"""How often a run looks for machines that have joined the cluster."""
CONNECT_S = 10.0
"""Longest wait for the head to answer; Ray itself would wait for many minutes."""
LOAD_S = 300.0
"""Longest wait for a machine to load the model."""
CALLS_AT_ONCE = 32
"""Calls that a named actor takes at a time, more than will ever wait in it."""
POLL_S = 0.1
"""How often a waiting caller looks at its cancel event."""
SILENT_S = 10.0
"""A named actor from which nothing has come for so long is asked whether it is there, and taken for lost when that is
not answered for as long again."""


@dataclass(eq=False, slots=True)
class _Actor:
    """A process on one machine that has the model."""

    node: str
    handle: Any
    batches: dict[Any, int] = field(default_factory=dict)
    """Ray's reference of a result → the number of its batch."""


class ClusterEmbedder:
    """See index.embedder.Embedder. Questions and single texts are embedded here, many batches on the cluster."""

    def __init__(
        self,
        address: str,
        make: Callable[[], Embedder] = SentenceEmbedder,
        *,
        on_batch: Callable[[Mapping[str, int]], None] | None = None,
    ) -> None:
        """`address` is host:port of the cluster's head. `make` makes the embedder, here and on each machine, where the
        models and the same release of Citewire have to be installed. `on_batch` is called after each batch with
        `embedded`.

        Raises InputError if Ray is missing, the cluster cannot be reached, or it would let in anybody.
        """
        if is_address(named()):
            raise InputError(
                "a model server embeds by itself, so a cluster has nothing to do; leave out --cluster, or unset "
                "CITEWIRE_EMBEDDER"
            )
        self._here = make()
        self._make = make
        self._on_batch = on_batch
        self.name = self._here.name
        self.embedded: Counter[str] = Counter()
        """Node → sentences that it has embedded."""
        self._actors: list[_Actor] = []
        self._starting: dict[Any, _Actor] = {}
        self._joined_s = float("-inf")
        self._ray = connect(address)

    def __enter__(self) -> Self:
        """The embedder itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Leave the cluster; the actors of this run end with it."""
        self._actors.clear()
        self._starting.clear()
        self._ray.shutdown()

    @property
    def dimension(self) -> int:
        """Length of a vector; loads the model here."""
        return self._here.dimension

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """See Embedder; computed here."""
        return self._here.embed_query(text)

    def embed_documents(
        self, texts: Sequence[str], *, progress: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        """See Embedder; computed here, as one batch is not worth sending. See `embed_batches`."""
        return self._here.embed_documents(texts, progress=progress)

    def embed_batches(self, batches: Iterable[Sequence[str]]) -> Iterator[NDArray[np.float32]]:
        """The vectors of each batch, in the order of the batches, each of shape (len(batch), dimension).

        What is in flight is bounded: a batch is taken from `batches` when an actor will soon be free for it. A batch
        whose machine is lost goes to another. Raises ModelError when no machine is left, or one has other weights.
        """
        source = enumerate(batches)
        waiting: deque[tuple[int, Sequence[str]]] = deque()  # lost with their machine, to be computed again
        sent: dict[int, Sequence[str]] = {}
        back: dict[int, NDArray[np.float32]] = {}
        following, is_over = 0, False
        try:
            while True:
                self._join()
                while (actor := self._free()) is not None and (waiting or not is_over):
                    if not waiting:
                        if len(sent) + len(back) >= AHEAD * len(self._actors):
                            break
                        one = next(source, None)
                        is_over = one is None
                        if one is None:
                            break
                        waiting.append(one)
                    number, texts = waiting.popleft()
                    sent[number] = texts
                    actor.batches[actor.handle.embed.remote(list(texts))] = number
                if not sent and not waiting and is_over:
                    return
                for number, vectors in self._finished():
                    if vectors is None:
                        waiting.appendleft((number, sent.pop(number)))
                    else:
                        del sent[number]
                        back[number] = vectors
                while following in back:
                    yield back.pop(following)
                    following += 1
        finally:
            for actor in self._actors:
                actor.batches.clear()

    def _free(self) -> _Actor | None:
        """The actor that has least to do, unless all have enough."""
        free = min(self._actors, key=lambda actor: len(actor.batches), default=None)
        return free if free is not None and len(free.batches) < IN_FLIGHT else None

    def _finished(self) -> Iterator[tuple[int, NDArray[np.float32] | None]]:
        """The batches that are back, by number, or lost with their machine."""
        import ray
        from ray.exceptions import RayActorError, RayTaskError

        by_result = {result: actor for actor in self._actors for result in actor.batches}
        ready, _ = ray.wait(list(by_result), num_returns=1, timeout=LOOK_S, fetch_local=False)
        for result in ready:
            actor = by_result[result]
            if result not in actor.batches:
                continue
            try:
                vectors = ray.get(result, timeout=LOAD_S)
            except RayTaskError as error:
                raise ModelError(f"{actor.node}: {reason(error.cause)}") from error
            except (RayActorError, ray.exceptions.ObjectLostError, ray.exceptions.GetTimeoutError):
                self._actors.remove(actor)
                yield from ((number, None) for number in sorted(actor.batches.values(), reverse=True))
                actor.batches.clear()
                self._joined_s = float("-inf")
                continue
            self.embedded[actor.node] += len(vectors)
            if self._on_batch is not None:
                self._on_batch(self.embedded)
            yield actor.batches.pop(result), vectors

    def _join(self) -> None:
        """Start actors on machines that have none, as many as their cores allow, and take those that are up.

        Only while there is no actor at all is anything waited for: a machine that was just lost may look alive for a
        while, and nothing starts on it.
        """
        import ray

        if time.monotonic() - self._joined_s >= JOIN_S:
            self._joined_s = time.monotonic()
            self._start_missing()
        if not self._starting and not self._actors:
            raise ModelError(
                "no machine of the cluster is left to embed with; see: ray status. What is embedded is kept, and the "
                "next run continues from there"
            )
        if not self._starting:
            return
        for identity in self._up(0.0 if self._actors else LOAD_S):
            actor = self._starting.pop(identity)
            try:
                release, embedder = ray.get(identity)
            except ray.exceptions.RayActorError as error:
                if not self._starting and not self._actors:
                    raise ModelError(f"{actor.node} cannot embed: {reason(error)}") from error
                continue
            if (release, embedder) != (__version__, self.name):
                raise ModelError(
                    f"{actor.node} has Citewire {release} with {embedder}, this machine {__version__} with "
                    f"{self.name}; install the same release on both and run there: citewire models pull"
                )
            self._actors.append(actor)

    def _up(self, timeout_s: float) -> list[Any]:
        """The results of the actors that have started; at most so long is waited for a first one."""
        import ray

        deadline = time.monotonic() + timeout_s
        while True:
            up, _ = ray.wait(list(self._starting), num_returns=1, timeout=min(LOOK_S, timeout_s))
            if up or time.monotonic() >= deadline:
                return up

    def _start_missing(self) -> None:
        import ray

        there = Counter(actor.node for actor in (*self._actors, *self._starting.values()))
        nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
        for node in nodes:
            name, cores = shown(node), int(node["Resources"].get("CPU", 0))
            wanted = max(1, cores // CORES) if node["Alive"] and cores else 0
            for _ in range(wanted - there[name]):
                # Ray gives the actor as many threads as it has processors, by OMP_NUM_THREADS.
                handle: Any = (
                    ray.remote(Embedding)
                    .options(
                        num_cpus=min(cores, CORES),
                        scheduling_strategy=on(node["NodeID"]),
                    )
                    .remote(self._make)
                )
                self._starting[handle.identity.remote()] = _Actor(name, handle)


class Embedding:
    """What runs on a machine of the cluster: the model, which keeps nothing of what it is sent."""

    def __init__(self, make: Callable[[], Embedder]) -> None:
        """Nothing is loaded before the first batch."""
        self._embedder = make()

    def identity(self) -> tuple[str, str]:
        """The release of Citewire here, and the name of the embedder with its weights."""
        return __version__, self._embedder.name

    def embed(self, texts: list[str]) -> NDArray[np.float32]:
        """Unit vectors, shape (len(texts), dimension)."""
        return self._embedder.embed_documents(texts)


class LostError(Exception):
    """An actor that has ended, or does not answer. Never shown: whoever asked it asks another."""


class Actors:
    """Named actors of one kind, one on each machine of the cluster, that outlive the command that started them. Whoever
    makes this is connected to the cluster meanwhile."""

    def __init__(self, kind: str) -> None:
        """`kind` stands before the machine in the name of an actor."""
        import ray

        self._ray: Any = ray
        self._prefix = f"{kind} "
        self._handles: dict[str, Any] = {}

    def find(self) -> tuple[str, ...]:
        """The machines that have one, whether or not it answers."""
        from ray.util import list_named_actors

        listed = {name for name in list_named_actors() if name.startswith(self._prefix)}
        return tuple(sorted(name.removeprefix(self._prefix) for name in listed))

    def start(self, make: type, *values: Any) -> dict[str, str]:
        """Make one of class `make` on each machine that has none and offers a processor, and wait until they can be
        called: machine → what went wrong, "" where nothing did. Those of machines that are gone end."""
        nodes = {shown(node): node for node in self._ray.nodes() if node["Alive"]}
        for machine in set(self.find()) - nodes.keys():
            self.end(machine)
        there = self.find()
        new = [one for one, node in nodes.items() if one not in there and int(node["Resources"].get("CPU", 0))]
        for machine in new:
            # It needs no processor of its own: when it computes, nothing else of Citewire does there.
            options = {
                "name": f"{self._prefix}{machine}",
                "lifetime": "detached",
                "num_cpus": 0,
                "max_restarts": -1,
                "max_concurrency": CALLS_AT_ONCE,
                "scheduling_strategy": on(nodes[machine]["NodeID"]),
            }
            self._handles[machine] = self._ray.remote(make).options(**options).remote(*values)
        failed = {}
        for machine, found in self.call_all("__ray_ready__", new, timeout_s=LOAD_S).items():
            failed[machine] = "" if not isinstance(found, Exception) else str(found)
            if failed[machine]:
                self.end(machine)
        return failed

    def call_all(
        self, method: str, machines: Iterable[str], *values: Any, timeout_s: float
    ) -> dict[str, Any | Exception]:
        """What a method gives on each machine, or why it gave nothing: LostError, or the error that it raised."""
        sent: dict[str, Any] = {}
        given: dict[str, Any | Exception] = {}
        for machine in machines:
            try:
                sent[machine] = getattr(self._handle(machine), method).remote(*values)
            except LostError as error:
                given[machine] = error
        ends = time.monotonic() + timeout_s
        for machine, result in sent.items():
            try:
                given[machine] = self._got(machine, result, max(0.0, ends - time.monotonic()))
            except Exception as error:  # noqa: BLE001 - it is the caller's to judge
                given[machine] = error
        return given

    def call(self, machine: str, method: str, *values: Any, timeout_s: float) -> Any:
        """What a method gives. Raises LostError, and what the method raises."""
        return self._got(machine, getattr(self._handle(machine), method).remote(*values), timeout_s)

    def send(self, machine: str, method: str, *values: Any) -> None:
        """Call a method without waiting for it; a machine that is gone is not told."""
        with contextlib.suppress(LostError):
            getattr(self._handle(machine), method).remote(*values)

    def stream(self, machine: str, method: str, *values: Any, cancel: threading.Event) -> Iterator[Any]:
        """What a generator yields, as it comes; ends soon after `cancel` is set. Raises LostError when the machine is
        gone or cannot be reached, and what the generator raises."""
        handle = self._handle(machine)
        results, there = getattr(handle, method).remote(*values), None
        heard_s = time.monotonic()
        while not cancel.is_set():
            ready, _ = self._ray.wait([results], timeout=POLL_S)
            silent_s = time.monotonic() - heard_s
            if ready:
                try:
                    result = next(results)
                except StopIteration:
                    return
                yield self._got(machine, result, SILENT_S)
                heard_s, there = time.monotonic(), None
            elif there is not None and self._ray.wait([there], timeout=0)[0]:
                self._got(machine, there, SILENT_S)
                heard_s, there = time.monotonic(), None
            elif silent_s > SILENT_S and there is None:
                there = handle.__ray_ready__.remote()  # it may only be busy
            elif silent_s > 2 * SILENT_S:
                raise LostError(f"it cannot be reached for {silent_s:.0f} seconds")

    def end(self, machine: str) -> None:
        """End the one on this machine, if there is one."""
        with contextlib.suppress(LostError):
            self._ray.kill(self._handle(machine), no_restart=True)
        self._handles.pop(machine, None)

    def _handle(self, machine: str) -> Any:
        if machine not in self._handles:
            try:
                self._handles[machine] = self._ray.get_actor(f"{self._prefix}{machine}")
            except ValueError as error:
                raise LostError("it is not there") from error
        return self._handles[machine]

    def _got(self, machine: str, result: Any, timeout_s: float) -> Any:
        from ray.exceptions import GetTimeoutError, RayError, RayTaskError

        try:
            return self._ray.get(result, timeout=timeout_s)
        except RayTaskError as error:
            if isinstance(error.cause, Error):
                raise error.cause from error
            raise ModelError(f"{machine}: {reason(error.cause)}") from error
        except GetTimeoutError as error:
            raise LostError(f"no answer for {timeout_s:.0f} seconds") from error
        except RayError as error:
            self._handles.pop(machine, None)
            raise LostError(reason(error)) from error


def connect(address: str) -> Any:
    """Ray, connected to the cluster whose head is at `address`."""
    try:
        import ray
    except ImportError as error:
        raise InputError(f"--cluster needs Ray, which is not installed; run: {INSTALL}") from error
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise InputError(
            f"{printable(address)!r} is not the address of a cluster; write host:port, as `ray start` shows"
        )
    if os.environ.get("RAY_AUTH_MODE", "").lower() != "token":
        raise InputError(
            "whoever reaches a Ray cluster runs programs on it, unless it has a token; start the cluster and this "
            "command with RAY_AUTH_MODE=token (see docs/scale.md)"
        )
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_S):
            pass
        # Else Ray writes to standard output of machines that it has lost, where what a program reads may be printed.
        ray._private.worker._worker_logs_enabled = False
        ray.init(address=address, namespace="citewire", log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, OverflowError) as error:
        raise InputError(f"no cluster answers at {printable(address)} ({error}); start it: ray start --head") from error
    except (RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise InputError(f"the cluster at {printable(address)} cannot be used: {reason(error)}") from error
    return ray


def on(node_id: str) -> Any:
    """Ray's word for: on this machine and on no other."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return NodeAffinitySchedulingStrategy(node_id, soft=False)


def shown(node: dict[str, Any]) -> str:
    """How a node is named: by its host and, since one machine may have several, the first letters of its id."""
    return f"{printable(str(node['NodeManagerHostname']), 60)} ({node['NodeID'][:6]})"


def reason(error: BaseException) -> str:
    """The last line of what Ray says, which is what happened; before it is where in Ray it did."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return printable(lines[-1] if lines else type(error).__name__, 400)
