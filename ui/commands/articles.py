"""`citewire index …`: add, refresh, check, list and remove articles."""

from __future__ import annotations

import dataclasses
import os
import sys
import threading
from typing import TYPE_CHECKING

import index
from index.errors import InputError, LayoutError, StoreError
from index.watch import watch
from rag.llm.kv_cache import KVCache
from rag.settings import Settings
from ui import terminal
from ui.commands.command import ERROR, OK, add_command, add_group
from ui.commands.output import complain, show, show_json
from ui.progress import Bars

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

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
    command = add_command(group, "sync", run_sync, "--json", "--watch", stopped=kept)
    command.add_argument("paths", nargs="*", metavar="PATH", help="default: everything that was added")
    command.add_argument(
        "--prune",
        action="store_true",
        help="also remove articles of a source that has lost most of its files; without it they stay, because the disk "
        "may just be unmounted",
    )
    add_command(group, "list", run_list, "--json")
    command = add_command(group, "show", run_show, "--json")
    command.add_argument("id", metavar="ID", help="an id from `citewire index list`")
    add_command(group, "remove", run_remove, "--json").add_argument("ids", nargs="+", metavar="ID|PATH")
    add_command(group, "status", run_status, "--json")
    command = add_command(group, "check", run_check, "--json", stopped=unchanged)
    command.add_argument("--repair", action="store_true", help="repair what can be repaired, and list what cannot")
    add_command(group, "rebuild", run_rebuild, "--json", stopped=unchanged)


def run_add(options: argparse.Namespace) -> int:
    """Index files, folders, pages and feeds, and remember them for `citewire index sync`."""
    options.prune = False
    return run_sync(options)


def run_sync(options: argparse.Namespace) -> int:
    """Read everything that was added again, or only the given paths, and index what has changed."""
    _lower_priority()
    with index.Index.open(options.home) as opened, Bars() as progress:
        if not options.paths and not opened.stats().sources:
            raise InputError("nothing has been added yet; run: citewire index add PATH")
        if not options.watch:
            report = opened.sync(options.paths, prune=options.prune, progress=progress)
            return _show_report(report, as_json=options.json)
        if options.paths or options.prune:
            opened.sync(options.paths, prune=options.prune, progress=progress)
        for report in watch(opened, stop=threading.Event(), progress=progress):
            _show_report(report, as_json=options.json)
            sys.stdout.flush()
    return OK


def run_rebuild(options: argparse.Namespace) -> int:
    """Read and embed every article again, for example with another embedder or after an update."""
    _lower_priority()
    with Bars() as progress:
        report = index.Index.rebuild(options.home, progress=progress)
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
    with index.Index.open(options.home) as opened:
        articles = sorted(opened.listing(), key=lambda one: one.article.published or "", reverse=True)
        unread = opened.unread()
    if not articles:
        complain("citewire: no articles yet; run: citewire index add PATH")
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
        left_out = opened.left_out(options.id)
    if options.json:
        known = {**dataclasses.asdict(article), "superseded_by": newer and newer.id}
        return show_json({**known, "left_out": list(left_out)})
    return show(terminal.render_article(article, superseded_by=newer, left_out=left_out))


def run_remove(options: argparse.Namespace) -> int:
    """Remove articles, by id or by the path or address they came from."""
    with index.Index.open(options.home) as opened:
        removed = opened.remove(options.ids)
    return show_json({"removed": removed}) if options.json else show(f"{removed} removed")


def run_status(options: argparse.Namespace) -> int:
    """Show how much is indexed, from where, with which embedder, and how much the model has read ahead."""
    with index.Index.open(options.home) as opened:
        home, stats = opened.home, dataclasses.asdict(opened.stats())
        read, read_bytes = KVCache.of(opened, limit_bytes=Settings.from_env().kv_bytes).size()
    rows = {"home": str(home), **stats, "read": read, "read_bytes": read_bytes}
    if options.json:
        return show_json(rows)
    sources = rows.pop("sources")
    rows["size"] = f"{rows.pop('size_bytes') / 1e6:.1f} MB"
    rows["read"] = f"{read} of {stats['passages']} passages, {rows.pop('read_bytes') / 1e6:.1f} MB"
    lines = [f"{name:<11}{terminal.line(str(value))}" for name, value in rows.items()]
    return show("\n".join([*lines, *(f"{'source':<11}{terminal.line(source)}" for source in sources)]))


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
