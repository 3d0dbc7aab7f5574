"""`citewire cluster …`: share an index among the machines of a Ray cluster, and open one that is shared."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
from typing import TYPE_CHECKING, Any

import index
from index import models
from index.errors import InputError
from ui import terminal
from ui.commands.command import ERROR, OK, add_command, add_group, settings_of
from ui.commands.output import complain, show, show_json
from ui.progress import Bars

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from index.shard_actors import ShardActors
    from index.sharded import Spread
    from rag import Engine, Settings
    from ui.commands.command import Commands


LOOK_S = 10.0
"""Longest wait for a replica to say how it is."""


def declare(commands: Commands) -> None:
    """Declare the group `cluster`."""
    group = add_group(commands, "cluster", "share an index among the machines of a Ray cluster (see docs/scale.md)")
    kept = "stopped; every article is still in a shard, and the next run continues from here"

    command = _add(group, "init", run_init, "--llm", stopped=kept)
    command.add_argument("--shards", type=_number, metavar="N", help="how many each machine is to have (default: 1)")
    command.add_argument(
        "--folder", metavar="PATH", help="where they are on each machine (default: a folder in the user data)"
    )
    command.add_argument("--replace", action="store_true", help="put this index in the place of another one")
    command.add_argument(
        "--replicas",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="let each machine write answers, with the model in its memory, or no more (default: as it is)",
    )
    _add(group, "status", run_status)
    command = _add(group, "rebalance", run_rebalance, stopped=kept)
    command.add_argument("--folder", metavar="PATH", help="as for `citewire cluster init`")
    command = _add(group, "drain", run_drain, stopped=kept)
    command.add_argument("name", metavar="SHARD", help="a name from `citewire cluster status`")


def _add(group: Commands, name: str, run: Any, *flags: str, stopped: str = "stopped") -> argparse.ArgumentParser:
    command = add_command(group, name, run, "--json", *flags, stopped=stopped)
    command.add_argument("--cluster", required=True, metavar="HOST:PORT", help="the head of the Ray cluster")
    return command


def add_cluster(command: argparse.ArgumentParser) -> None:
    """The option of a command that searches, to search the shards of a cluster."""
    command.add_argument(
        "--cluster", metavar="HOST:PORT", help="search the shards of this Ray cluster (see `citewire cluster init`)"
    )


@contextlib.contextmanager
def opened(home: Path | None, address: str | None) -> Iterator[index.Index]:
    """The index in `home`; with the address of a cluster, searched by its shards."""
    if address is None:
        with index.Index.open(home) as found:
            yield found
        return
    from index.shard_actors import ShardActors  # brings numpy, which --help does without

    with ShardActors(address) as shards, index.Index.open(home, shards=shards) as found:
        if not shards.live:
            raise InputError(f"the cluster has no shards; make them: citewire cluster init --cluster {address}")
        yield found


@contextlib.contextmanager
def answering(home: Path | None, address: str | None, settings: Settings) -> Iterator[Engine]:
    """An engine over the index in `home`; with the address of a cluster, over its shards, and with its replicas of the
    model where there are any and `settings` name a model of models.txt."""
    from rag.engine import Engine
    from rag.llm.replicas import Replicas

    with opened(home, address) as found:
        llm = Replicas.open(settings) if address and models.identify(settings.llm, "llm").sha256 else None
        with Engine.open(index=found, llm=llm, settings=settings) as engine:
            yield engine


def run_init(options: argparse.Namespace) -> int:
    """Give each machine of a cluster a shard of this index; run again after a restart, it copies only what changed."""
    from rag.llm import replicas

    settings = settings_of(options.llm)
    if options.replicas:
        replicas.identity(settings)
    with _shared(options) as (found, shards), Bars() as progress:
        for failure in shards.start(found.embedder.name, each=options.shards, folder=options.folder):
            complain(f"citewire: {failure}")
        if not shards.live:
            raise InputError("no machine of the cluster has a shard, nor a processor to offer for one; see: ray status")
        spread = found.spread(replace_other=options.replace, progress=progress)
        if options.replicas:
            _start_replicas(settings)
        elif options.replicas is False:
            replicas.stop()
    return _report(spread, options)


def run_rebalance(options: argparse.Namespace) -> int:
    """Give machines that have come a shard, do without those that are gone, and move articles to where they belong."""
    from rag.llm import replicas

    with _shared(options) as (found, shards), Bars() as progress:
        before = shards.placed()[1]
        for failure in shards.start(found.embedder.name, folder=options.folder):
            complain(f"citewire: {failure}")
        if not shards.live:
            raise InputError(f"the cluster has no machine for a shard; see: ray status, for {options.cluster}")
        spread = found.spread(progress=progress)
        answered = {about.model for about in replicas.states(LOOK_S).values() if about is not None}
        if answered:
            _start_replicas(settings_of(min(answered)))
    for name in sorted(set(before) - spread.articles.keys()):
        complain(f"{name} is gone; the others have its articles")
    return _report(spread, options)


def run_drain(options: argparse.Namespace) -> int:
    """Move all articles of a shard to the others and delete it, before its machine is taken away."""
    from rag.llm import replicas

    with _shared(options) as (found, shards), Bars() as progress:
        if options.name not in shards.live:
            raise InputError(
                f"there is no shard {options.name!r}; see: citewire cluster status --cluster {options.cluster}"
            )
        others = [name for name in shards.live if name != options.name]
        if not others:
            raise InputError(f"{options.name} is the only shard; its articles are in the index in {found.home} as well")
        spread = found.spread(others, progress=progress)
        nodes = {one.name: one.node for one in shards.placed()[0]}
        shards.stop(options.name)
        node = nodes.pop(options.name, "")
        if node not in nodes.values():
            replicas.stop([node])
    return _report(spread, options)


def run_status(options: argparse.Namespace) -> int:
    """Show the shards, where they are, what they have, and whether they are in step with this index."""
    from rag.llm import replicas

    with _shared(options) as (found, shards):
        placed, gone = shards.placed()
        answering_with = {machine: about and about.model for machine, about in sorted(replicas.states(LOOK_S).items())}
        missing = found.missing if placed else ()
        articles = found.stats().articles
    rows = [
        {
            "name": one.name,
            "node": one.node,
            "articles": one.articles,
            "sentences": one.sentences,
            "generation": one.state.generation,
            "in_step": not any(name.split(" ")[0] == one.name for name in missing),
        }
        for one in placed
    ]
    if options.json:
        show_json({"shards": rows, "missing": list(gone), "articles": articles, "replicas": answering_with})
    else:
        lines = [
            f"{row['name']}  {row['node']}  {row['articles']:,} articles  {row['sentences']:,} sentences  "
            f"{'in step' if row['in_step'] else 'not in step'}"
            for row in rows
        ]
        lines += [f"{name}  does not answer" for name in gone]
        lines += [
            f"{machine}  answers with {model}" if model else f"{machine}  does not answer questions yet"
            for machine, model in answering_with.items()
        ]
        show(
            "\n".join(
                terminal.line(one)
                for one in lines or [f"no shards; make them: citewire cluster init --cluster {options.cluster}"]
            )
        )
    if gone or any(not row["in_step"] for row in rows):
        complain(f"citewire: to bring the shards in step: citewire cluster rebalance --cluster {options.cluster}")
        return ERROR
    return OK


@contextlib.contextmanager
def _shared(options: argparse.Namespace) -> Iterator[tuple[index.Index, ShardActors]]:
    from index.shard_actors import ShardActors

    with ShardActors(options.cluster) as shards, index.Index.open(options.home, shards=shards) as found:
        yield found, shards


def _start_replicas(settings: Settings) -> None:
    from rag.llm import replicas

    for machine, failure in replicas.start(settings).items():
        if failure:
            complain(f"citewire: {machine} cannot answer: {failure}")


def _report(spread: Spread, options: argparse.Namespace) -> int:
    if options.json:
        return show_json(dataclasses.asdict(spread))
    lines = [f"{name}: {number:,} articles" for name, number in sorted(spread.articles.items())]
    return show(
        "\n".join(terminal.line(one) for one in [*lines, f"{spread.copied:,} copied, {spread.dropped:,} dropped"])
    )


def _number(text: str) -> int:
    """A number of shards, for argparse."""
    with contextlib.suppress(ValueError):
        if 1 <= int(text) <= 64:
            return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a number of shards; choose one from 1 to 64")
