"""`citewire index …`: add, refresh, check, list and remove articles."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sys
import threading
from typing import TYPE_CHECKING, Any

import index
from index import filters
from index.cluster import ClusterEmbedder
from index.edit import FIELDS
from index.errors import Error, InputError, LayoutError, StoreError
from index.watch import watch
from rag.llm.kv_cache import KVCache
from rag.settings import Settings
from ui import terminal
from ui.commands.command import ERROR, OK, add_command, add_group, add_operators, typed
from ui.commands.output import complain, show, show_json
from ui.progress import Bars

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from index.edit import Edit
    from index.embedder import Embedder
    from index.run import Failure, SyncReport
    from index.store import Fault
    from ui.commands.command import Commands

NICENESS = 10
"""Priority (nice) of indexing: a chat beside it gets nine tenths of a core that both want."""


def declare(commands: Commands) -> None:
    """Declare the group `index`."""
    group = add_group(commands, "index", "add, refresh, list and remove articles")
    kept = "stopped; everything indexed so far is kept, and the next run continues from here"
    unchanged = "stopped; the index is unchanged"

    command = add_command(group, "add", run_add, "--json", "--watch", stopped=kept)
    command.add_argument("paths", nargs="+", metavar="PATH", help="a file, a folder, or the address of a page or feed")
    _add_cluster(command)
    command = add_command(group, "sync", run_sync, "--json", "--watch", stopped=kept)
    command.add_argument(
        "--briefings", action="store_true", help="run the briefings after each sync (see `citewire briefing`)"
    )
    command.add_argument("paths", nargs="*", metavar="PATH", help="default: everything that was added")
    command.add_argument(
        "--prune",
        action="store_true",
        help="also remove articles of a source that has lost most of its files; without it they stay, because the disk "
        "may just be unmounted",
    )
    _add_cluster(command)
    command = add_command(group, "list", run_list, "--json")
    command.add_argument("--only", default="", metavar="OPERATORS", help='list these alone: "tag:dam source:reuters"')
    add_operators(command)
    command = add_command(group, "show", run_show, "--json")
    command.add_argument("id", metavar="ID", help="an id from `citewire index list`")
    command = add_command(group, "edit", run_edit, "--json")
    command.add_argument("id", metavar="ID", help="an id from `citewire index list`")
    command.add_argument("--title", help='another title; "" for none')
    command.add_argument("--source", metavar="OUTLET", help='another outlet; "" for none')
    command.add_argument("--date", help='another date of publication, as in 2018-03-21; "" for none')
    command.add_argument(
        "--reset",
        action="append",
        default=[],
        choices=("title", "source", "date", "all"),
        help="what is to be as it was read again; can be given several times",
    )
    command = add_command(group, "tag", run_tag, "--json")
    command.add_argument("ids", nargs="+", metavar="ID", help="ids from `citewire index list`")
    command.add_argument("tag", metavar="TAG", help='a word or a few: dam, "follow up"')
    command.add_argument("--untag", action="store_true", help="take the tag from the articles")
    command = add_command(group, "forget", run_forget, "--json")
    command.add_argument("sources", nargs="+", metavar="PATH", help="as `citewire index status` lists it")
    add_command(group, "remove", run_remove, "--json").add_argument("ids", nargs="+", metavar="ID|PATH")
    add_command(group, "status", run_status, "--json")
    command = add_command(group, "check", run_check, "--json", stopped=unchanged)
    command.add_argument("--repair", action="store_true", help="repair what can be repaired, and list what cannot")
    command = add_command(group, "rebuild", run_rebuild, "--json", stopped=unchanged)
    _add_cluster(command)


def _add_cluster(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--cluster", metavar="HOST:PORT", help="embed on the machines of this Ray cluster (see docs/scale.md)"
    )


@contextlib.contextmanager
def _embedder(address: str | None, progress: Bars) -> Iterator[Embedder | None]:
    """The embedder of the cluster at `address`, which says in the end how many sentences each machine embedded; None
    without one."""
    if address is None:
        yield None
        return

    def beside(embedded: Mapping[str, int]) -> None:
        progress.beside(", ".join(f"{node}: {number:,}" for node, number in embedded.items()))

    with ClusterEmbedder(address, on_batch=beside) as embedder:
        yield embedder
        for node, number in sorted(embedder.embedded.items()):
            complain(f"{number:,} sentences embedded by {node}")


def run_add(options: argparse.Namespace) -> int:
    """Index files, folders, pages and feeds, and remember them for `citewire index sync`."""
    options.prune = options.briefings = False
    return run_sync(options)


def run_sync(options: argparse.Namespace) -> int:
    """Read everything that was added again, or only the given paths, and index what has changed."""
    _lower_priority()
    with (
        Bars() as progress,
        _embedder(options.cluster, progress) as embedder,
        index.Index.open(options.home, embedder=embedder) as opened,
    ):
        if not options.paths and not opened.stats().sources:
            raise InputError("nothing has been added yet; run: citewire index add PATH")
        if not options.watch:
            report = opened.sync(options.paths, prune=options.prune, progress=progress)
            status = _show_report(report, as_json=options.json)
            if options.briefings:
                _run_briefings(opened)
            return status
        if options.paths or options.prune:
            opened.sync(options.paths, prune=options.prune, progress=progress)
        for report in watch(opened, stop=threading.Event(), progress=progress):
            _show_report(report, as_json=options.json)
            if options.briefings:
                _run_briefings(opened)
            sys.stdout.flush()
    return OK


def _run_briefings(opened: index.Index) -> None:
    """Run the briefings over what a sync has added. A model that is missing ends no watch."""
    from rag import Engine
    from ui.briefings import Briefings
    from ui.commands.briefing import run_all
    from ui.conversations import Conversations

    try:
        with Conversations(opened.home) as kept, Engine.open(index=opened) as engine:
            known = Briefings(kept)
            for ran in run_all(known, engine, known.list()):
                complain(f"briefing {ran.briefing.name}: {ran.outcome}")
    except Error as error:
        complain(f"citewire: the briefings were not run: {error}")


def run_rebuild(options: argparse.Namespace) -> int:
    """Read and embed every article again, for example with another embedder or after an update."""
    _lower_priority()
    with Bars() as progress, _embedder(options.cluster, progress) as embedder:
        report = index.Index.rebuild(options.home, embedder=embedder, progress=progress)
    return _show_report(report, as_json=options.json)


def run_check(options: argparse.Namespace) -> int:
    """Compare everything in the index with its checksums, and report each article that is damaged."""
    faults = _faults(options.home)
    lost: tuple[Failure, ...] = ()
    remaining = faults
    if options.repair and faults:
        _lower_priority()
        with Bars() as progress:
            lost = index.Index.repair(options.home, progress=progress).lost
        remaining = _faults(options.home)
    if options.json:
        show_json(
            {
                "faults": [fault.to_dict() for fault in faults],
                "repaired": bool(options.repair and faults and not remaining),
                "left": [fault.to_dict() for fault in remaining],
                "lost": [{"path": failure.path, "reason": failure.reason} for failure in lost],
            }
        )
        return ERROR if remaining or lost else OK
    show("\n".join(terminal.line(str(fault)) for fault in faults) or "the index is sound")
    for failure in lost:
        complain(f"lost: {failure.path}: {failure.reason}")
    if options.repair and faults:
        show("\n".join(terminal.line(f"still damaged: {fault}") for fault in remaining) or "repaired")
    elif faults:
        complain("citewire: to repair the index, run: citewire index check --repair")
    return ERROR if remaining or lost else OK


def run_list(options: argparse.Namespace) -> int:
    """List the articles, newest first and undated last: id, outlet, title, day, passages, whether searched.

    Below an article is what was left out of its file; files without an article are named at the end.
    """
    rest, only = filters.parse(typed(options.only))
    if rest.strip():
        raise InputError(f"--only has {rest.strip()!r}, which is no operator; write for example tag:dam")
    with index.Index.open(options.home) as opened:
        only = opened.resolve(only)
        listed = (one for one in opened.listing() if only.passes_article(one.article))
        articles = sorted(listed, key=lambda one: one.article.published or "", reverse=True)
        unread = () if only else opened.unread()
    if not articles:
        reason = f"pass {terminal.line(options.only)}" if only else "yet; run: citewire index add PATH"
        complain(f"citewire: no articles {reason}")
    if options.json:
        show_json([one.to_dict() for one in articles])
    else:
        show(terminal.render_articles(articles))
    for failure in unread:
        complain(f"not read: {failure.path}: {failure.reason}")
    return OK


def run_show(options: argparse.Namespace) -> int:
    """Show one article in full."""
    with index.Index.open(options.home) as opened:
        article = opened.article(options.id)
        newest = opened.versions(options.id)[0]
        newer = None if newest in (article, *opened.copies(options.id)) else newest
        left_out, tags, edits = opened.left_out(options.id), opened.tags_of(options.id), opened.edits(options.id)
    if options.json:
        return show_json(_known(article, newer, left_out, tags, edits))
    shown = terminal.render_article(article, superseded_by=newer, left_out=left_out, tags=tags, edits=edits)
    return show(shown)


def run_edit(options: argparse.Namespace) -> int:
    """Give an article another title, outlet or date, which stay when its file or address is read again."""
    named = {"date": "published"}
    reset = {named.get(one, one) for one in options.reset}
    reset = {*FIELDS} if "all" in reset else reset
    if options.title is options.source is options.date is None and not reset:
        raise InputError("say what to edit: --title, --source, --date or --reset")
    given = {"title": options.title, "source": options.source, "published": options.date}
    values = {name: None if value is None else typed(value) for name, value in given.items()}
    with index.Index.open(options.home) as opened:
        article = opened.edit(options.id, **values, reset=reset)
        tags, edits = opened.tags_of(options.id), opened.edits(options.id)
    if options.json:
        return show_json(_known(article, None, (), tags, edits))
    return show(terminal.render_known(article, tags=tags, edits=edits))


def run_tag(options: argparse.Namespace) -> int:
    """Give articles a tag, by which questions, searches and lists can be narrowed (tag:NAME), or take it from them."""
    with index.Index.open(options.home) as opened:
        (opened.untag if options.untag else opened.tag)(options.ids, typed(options.tag))
        tags = {article_id: list(opened.tags_of(article_id)) for article_id in options.ids}
    if options.json:
        return show_json(tags)
    return show("\n".join(terminal.line(f"{name}  {', '.join(its) or 'no tags'}") for name, its in tags.items()))


def run_forget(options: argparse.Namespace) -> int:
    """Forget folders, files, pages or feeds, so that they are not read again; what was read of them stays."""
    with index.Index.open(options.home) as opened:
        for source in options.sources:
            opened.forget(source)
        known = opened.stats().sources
    return show_json({"sources": list(known)}) if options.json else show(f"{len(known)} sources are remembered")


def _known(
    article: index.Article,
    newer: index.Article | None,
    left_out: Sequence[str],
    tags: Sequence[str],
    edits: Sequence[Edit],
) -> dict[str, Any]:
    return {
        **dataclasses.asdict(article),
        "superseded_by": newer and newer.id,
        "left_out": list(left_out),
        "tags": list(tags),
        "edited": {edit.field: edit.read for edit in edits},
    }


def run_remove(options: argparse.Namespace) -> int:
    """Remove articles, by id or by the path or address they came from."""
    with index.Index.open(options.home) as opened:
        removed = opened.remove(options.ids)
    return show_json({"removed": removed}) if options.json else show(f"{removed} removed")


def run_status(options: argparse.Namespace) -> int:
    """Show how much is indexed, from where, with which embedder, and how much the model has read ahead."""
    with index.Index.open(options.home) as opened:
        home, stats = opened.home, dataclasses.asdict(opened.stats())
        remembered = opened.sources()
        read, read_bytes = KVCache.of(opened, limit_bytes=Settings.from_env().kv_bytes).size()
    rows = {"home": str(home), **stats, "read": read, "read_bytes": read_bytes}
    if options.json:
        return show_json({**rows, "read_at": {one.source: one.read_at for one in remembered}})
    rows.pop("sources")
    rows["size"] = f"{rows.pop('size_bytes') / 1e6:.1f} MB"
    rows["read"] = f"{read} of {stats['passages']} passages, {rows.pop('read_bytes') / 1e6:.1f} MB"
    lines = [f"{name:<11}{terminal.line(str(value))}" for name, value in rows.items()]
    for one in remembered:
        when = f", read last {one.read_at}" if one.read_at else ""
        lines.append(f"{'source':<11}{terminal.line(one.source)}{when}")
    return show("\n".join(lines))


def _lower_priority() -> None:
    """Let other programs go first, so that a chat stays quick. Alone on the machine, indexing is as fast."""
    if hasattr(os, "setpriority"):
        priority = max(os.getpriority(os.PRIO_PROCESS, 0), NICENESS)
        os.setpriority(os.PRIO_PROCESS, 0, priority)


def _faults(home: Path | None) -> list[Fault]:
    """What is damaged in the index; an index that cannot be opened is one fault."""
    try:
        with index.Index.open(home) as opened:
            return opened.faults()
    except LayoutError:
        raise
    except StoreError as error:
        from index.store import Fault

        return [Fault(str(error))]


def _show_report(report: SyncReport, *, as_json: bool) -> int:
    """Print the report; an error only when files failed and none could be read."""
    for failure in report.failed:
        complain(f"not read: {failure.path}: {failure.reason}")
    for failure in report.left_out:
        complain(f"left out: {failure.path}: {failure.reason}")
    show_json(report.to_dict()) if as_json else show(str(report))
    read = report.added + report.updated + report.removed + report.unchanged
    return ERROR if report.failed and not read else OK
