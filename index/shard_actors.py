"""Shard actors: the shards of an index on the machines of a Ray cluster. Imports Ray, as index/cluster.py does.

Each shard is a named actor that outlives the command that made it, with a folder on the disk of its machine. Its name
is that of the machine and a number, so that after all actors have ended, as when the head was started again, a new one
finds the folder, and only what has changed meanwhile is copied.
"""

from __future__ import annotations

import contextlib
import itertools
import re
import shutil
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from platformdirs import user_data_path

from index.cluster import LOAD_S, connect, on, reason, shown
from index.errors import InputError, StoreError
from index.release import __version__
from index.shard import STATE, OutdatedError, Shard

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from index.shard import State

PREFIX = "shard "
"""Before the name of a shard in that of its actor."""
AT_ONCE = 8
"""Questions that a shard answers at a time."""
LOOK_S = 10.0
"""Longest wait for a shard to say how it is."""
START_S = 60.0
"""Longest wait for a machine to start its first process."""
FIND_S = 5.0
"""How often it is looked for shards that have come, or come back."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A shard, the machine that it is on, of which index it is, and how many articles and sentences it has."""

    name: str
    node: str
    state: State
    articles: int
    sentences: int


class ShardActors:
    """See index.sharded.Shards."""

    def __init__(self, address: str) -> None:
        """`address` is host:port of the cluster's head. Raises InputError as index.cluster.connect does."""
        self._ray = connect(address)
        self._handles: dict[str, Any] = {}
        self._found_s = float("-inf")

    def __enter__(self) -> Self:
        """The shards themselves."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Leave the cluster."""
        self.close()

    def close(self) -> None:
        """Leave the cluster; the shards stay."""
        self._handles.clear()
        self._ray.shutdown()

    @property
    def live(self) -> tuple[str, ...]:
        """The names of the shards that can be called."""
        if time.monotonic() - self._found_s >= FIND_S:
            self.find()
        return tuple(sorted(self._handles))

    def find(self) -> None:
        """Look for shards that have come meanwhile, or come back."""
        from ray.util import list_named_actors

        self._found_s = time.monotonic()
        for name in list_named_actors():
            if name.startswith(PREFIX) and name.removeprefix(PREFIX) not in self._handles:
                with contextlib.suppress(ValueError):  # it has ended just now
                    self._handles[name.removeprefix(PREFIX)] = self._ray.get_actor(name)

    def call(self, method: str, arguments: Mapping[str, tuple[Any, ...]], *, timeout_s: float) -> dict[str, Any]:
        """See index.sharded.Shards. A shard that has ended is not called again before it is found again."""
        from ray.exceptions import RayError, RayTaskError

        handles = dict(self._handles)  # another question may find out meanwhile that one has ended
        sent = {
            handles[name].call.remote(method, *values): name for name, values in arguments.items() if name in handles
        }
        ready, late = self._ray.wait(list(sent), num_returns=len(sent), timeout=timeout_s) if sent else ((), ())
        for result in late:  # if it has not begun, it need not: nobody waits for it any more
            self._ray.cancel(result)
        given = {}
        for result in ready:
            try:
                given[sent[result]] = self._ray.get(result, timeout=max(timeout_s, 1.0))
            except RayTaskError as error:
                if isinstance(error.cause, OutdatedError):
                    raise error.cause from error
                raise StoreError(f"{sent[result]}: {reason(error.cause)}") from error
            except RayError:  # it has ended, or cannot be placed
                self._handles.pop(sent[result], None)
        return given

    def placed(self) -> tuple[list[Placed], tuple[str, ...]]:
        """The shards that answer, and the names of those that do not."""
        found = self.call("look", dict.fromkeys(self.live, ()), timeout_s=LOOK_S)
        nodes = self.call("node", dict.fromkeys(found, ()), timeout_s=LOOK_S)
        by_id = {node["NodeID"]: shown(node) for node in self._ray.nodes()}
        shards = [
            Placed(name, by_id.get(nodes.get(name, ""), "unknown"), state, counts["article"], counts["sentence"])
            for name, (state, counts) in sorted(found.items())
        ]
        known = {name for shard in shards for name in shard.state.names}.union(self._handles)
        return shards, tuple(sorted(known - found.keys()))

    def start(self, embedder: str, *, each: int | None = None, folder: str | None = None) -> tuple[str, ...]:
        """Make shards until each machine has `each`, by default as many as there are on any, and return what went
        wrong: a machine that was just lost may be listed for a while.

        `embedder` is the name of that of the index, `folder` is where the shards are on the disk of each machine, by
        default among the user's application data. A machine without processors for Ray gets none.
        """

        self.find()
        taken = set(self.live)  # also by those that have just ended, of which the cluster does not know yet
        there = self.call("node", dict.fromkeys(taken, ()), timeout_s=LOOK_S)
        for name in self._handles.keys() - there.keys():  # it is gone for good, or would come back with old articles
            self._ray.kill(self._handles.pop(name), no_restart=True)
        on_node = Counter(there.values())
        wanted = max(on_node.values(), default=1) if each is None else each
        lacking = {
            node["NodeID"]: node
            for node in sorted(self._ray.nodes(), key=lambda node: str(node["NodeID"]))
            if node["Alive"] and int(node["Resources"].get("CPU", 0)) and on_node[node["NodeID"]] < wanted
        }
        found = self._folders(lacking, folder)
        new: dict[str, str] = {}
        failed = []
        for node_id, node in lacking.items():
            if node_id not in found:
                failed.append(f"{shown(node)} does not answer, or has another release of Citewire than {__version__}")
                continue
            host = re.sub(r"[^A-Za-z0-9.-]+", "-", str(node["NodeManagerHostname"]))
            for _ in range(wanted - on_node[node_id]):
                known = {name for names in found.values() for name in names}
                kept = [name for name in found[node_id] if name not in taken]
                unused = (f"{host}-{number}" for number in itertools.count(1))
                name = kept[0] if kept else next(one for one in unused if one not in taken | known)
                taken.add(name)
                # It needs no processor of its own: when it computes, nothing else of Citewire does there.
                options = {
                    "name": f"{PREFIX}{name}",
                    "lifetime": "detached",
                    "num_cpus": 0,
                    "max_restarts": -1,
                    "max_concurrency": AT_ONCE,
                    "scheduling_strategy": on(node_id),
                }
                self._handles[name] = self._ray.remote(_Actor).options(**options).remote(name, embedder, folder)
                new[name] = shown(node)
        made = self.call("node", dict.fromkeys(new, ()), timeout_s=LOAD_S)
        for name in new.keys() - made.keys():
            if self._handles.get(name) is not None:
                self.end(name)
            failed.append(f"{new[name]} could not make the shard {name}")
        return tuple(failed)

    def _folders(self, node_ids: Iterable[str], folder: str | None) -> dict[str, list[str]]:
        """The names of the shards that are on the disks of these machines, by machine; those of the same release."""
        from ray.exceptions import RayError

        look = self._ray.remote(_names)
        sent = {
            look.options(num_cpus=0, max_retries=0, scheduling_strategy=on(node_id)).remote(folder): node_id
            for node_id in node_ids
        }
        ready, _ = self._ray.wait(list(sent), num_returns=len(sent), timeout=START_S) if sent else ((), ())
        found = {}
        for result in ready:
            with contextlib.suppress(RayError):
                release, names = self._ray.get(result, timeout=LOOK_S)
                if release == __version__:
                    found[sent[result]] = names
        return found

    def stop(self, name: str) -> None:
        """End a shard and delete its folder. Raises InputError when there is none of this name."""
        self.call("remove", {name: ()}, timeout_s=LOOK_S)
        self.end(name)

    def end(self, name: str) -> None:
        """End the process of a shard; its folder stays, and `start` finds it again. Otherwise as `stop`."""
        if name not in self.live:
            raise InputError(f"there is no shard {name!r}; see: citewire cluster status --cluster HOST:PORT")
        self._ray.kill(self._handles.pop(name), no_restart=True)


class _Actor:
    """What runs on a machine of the cluster: one shard."""

    def __init__(self, name: str, embedder: str, folder: str | None) -> None:
        """Open the home of the shard."""
        self._shard = Shard(_top(folder) / name, embedder)

    def call(self, method: str, *values: Any) -> Any:
        """Call a method of the shard, or one of these."""
        if method == "node":
            import ray

            return ray.get_runtime_context().get_node_id()
        if method == "remove":
            self._shard.close()
            shutil.rmtree(self._shard.home, ignore_errors=True)
            return None
        return getattr(self._shard, method)(*values)


def _names(folder: str | None) -> tuple[str, list[str]]:
    """The release of Citewire here, and the names of the shards on this disk."""
    return __version__, sorted(path.parent.name for path in _top(folder).glob(f"*/{STATE}"))


def _top(folder: str | None) -> Path:
    """The folder of all shards of this machine."""
    return user_data_path("citewire-shards", appauthor=False) if folder is None else Path(folder).expanduser()
