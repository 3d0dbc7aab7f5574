"""`citewire briefing …`: saved questions, answered over what was added since the last time."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import index
import rag
from index import home as homes
from index import models
from index.errors import InputError
from rag.kind import KINDS
from ui import terminal
from ui.briefings import HOME, Briefings
from ui.commands.command import OK, add_answering, add_command, add_group, settings_of, typed
from ui.commands.output import columns, complain, complain_of_sending, show, show_json
from ui.commands.taking import add_export, require_exportable, take
from ui.conversations import Conversations
from ui.export import atom, subject
from ui.progress import Notes

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator, Sequence

    from rag import Engine
    from ui.briefings import Briefing, Entry, Ran
    from ui.commands.command import Commands

NONE = "citewire: no briefings yet; save a question with: citewire briefing add QUESTION"
KEPT = "stopped; what was answered so far is kept, and the next run continues from here"


def declare(commands: Commands) -> None:
    """Declare the group `briefing`."""
    group = add_group(commands, "briefing", "save questions, and answer them over what is new")
    command = add_command(group, "add", run_add, "--json")
    command.add_argument("question", metavar="QUESTION", help='a question, or a search: "new articles about the dam"')
    command.add_argument("--name", default="", help="what to call it (default: the question)")
    command.add_argument("--as", dest="kind", choices=KINDS, default="", help="the kind of answer")
    command.add_argument(
        "--only", default="", metavar="OPERATORS", help='ask of these articles alone: "source:reuters tag:dam"'
    )
    command.add_argument(
        "--article", action="append", default=[], metavar="ID", help="ask of this article when it changes; repeatable"
    )
    command.add_argument("--from-now", action="store_true", help="the first run is about what is added after now")
    command.add_argument("--login", metavar="NAME", help="whose it is on a page with --auth")
    add_command(group, "list", run_list, "--json")
    command = add_command(group, "run", run_run, "--json", "--llm", stopped=KEPT)
    command.add_argument("ids", nargs="*", metavar="ID", help="default: all")
    add_answering(command)
    command = add_command(group, "show", run_show, "--json")
    command.add_argument("ids", nargs="*", metavar="ID", help="default: all")
    command.add_argument("--atom", action="store_true", help="print an Atom feed, for a feed reader")
    add_export(command)
    add_command(group, "remove", run_remove, "--json").add_argument("ids", nargs="+", metavar="ID")


def run_add(options: argparse.Namespace) -> int:
    """Save a question or a search, to be answered over what is new whenever briefings are run."""
    seen = None
    with index.Index.open(options.home) as opened:
        for article in options.article:
            opened.article(article)  # raises for one that there is not
        if options.from_now:
            seen = (opened.generation, opened.digests())
        with _kept(options) as known:
            added = known.add(
                typed(options.question),
                owner=f"login:{options.login}" if options.login else HOME,
                name=typed(options.name),
                kind=options.kind,
                operators=typed(options.only),
                articles=options.article,
                seen=seen,
            )
    return show_json(added.to_dict()) if options.json else show(f"{added.id}  {terminal.line(added.name)}")


def run_list(options: argparse.Namespace) -> int:
    """List the briefings: id, answers that nobody has read, when it was run last, name, and how that run went."""
    with _kept(options) as known:
        found = known.list()
    if options.json:
        return show_json([one.to_dict() for one in found])
    if not found:
        complain(NONE)
    return show("\n".join(map(_line, found)))


def run_run(options: argparse.Namespace) -> int:
    """Answer the briefings over what was added since they were run last. Where nothing is new, no model is asked."""
    settings = settings_of(options.llm, options.mode, options.caution)
    models.require_known(settings.llm, "llm")
    with rag.Engine.open(options.home, settings=settings) as engine, _kept(options) as known:
        chosen = _chosen(known, options.ids)
        if not chosen:
            complain(NONE)
        ran = [_shown(one, options) for one in run_all(known, engine, chosen)]
    if options.json:
        show_json([one.to_dict() for one in ran])
    return OK


def run_show(options: argparse.Namespace) -> int:
    """Show the answers of briefings, newest first, and take them for read."""
    require_exportable(options)
    with _kept(options) as known:
        chosen = _chosen(known, options.ids)
        found = [(one, known.entries(one.id)) for one in chosen]
        if options.atom:
            show(atom.of_briefings(found).decode())
        else:
            subjects = [subject.of_briefing(one, entries) for one, entries in found]
            whole = subject.joined(subjects, "Briefings", day=max((one.day for one in subjects), default=""))
            take(lambda: whole, options, otherwise=lambda: _show_all(found, options))
        for one in chosen:
            if one.unread:
                known.mark_read(one.id)
    if not chosen:
        complain(NONE)
    return OK


def run_remove(options: argparse.Namespace) -> int:
    """Remove briefings with their answers."""
    with _kept(options) as known:
        chosen = _chosen(known, dict.fromkeys(options.ids))
        for one in chosen:
            known.remove(one.id)
    number = len(chosen)
    return show_json({"removed": number}) if options.json else show(f"{number} removed")


def run_all(known: Briefings, engine: Engine, chosen: Sequence[Briefing]) -> Iterator[Ran]:
    """Run briefings one after the other. One that fails is named and does not end the others, unless all would fail."""
    if chosen:
        complain_of_sending(engine.sends_to)
    for one in chosen:
        name = terminal.line(one.name)
        with Notes() as note:
            note(name)
            ran = None
            try:
                ran = known.run(one.id, engine, report=note)
            except InputError as error:  # removed meanwhile, or a question that cannot be asked any more
                note("")
                complain(f"citewire: {name}: {error}")
        if ran is not None:
            yield ran


@contextlib.contextmanager
def _kept(options: argparse.Namespace) -> Iterator[Briefings]:
    """The briefings of the home, of all owners."""
    with Conversations(homes.resolve(options.home)) as kept:
        yield Briefings(kept)


def _chosen(known: Briefings, ids: Iterable[str]) -> list[Briefing]:
    """Those with these ids, all without; each id is looked up before anything is done."""
    try:
        return [known.get(one) for one in ids] or list(known.list())
    except InputError as error:
        raise InputError(f"{error}; list them: citewire briefing list") from error


def _line(one: Briefing) -> str:
    unread = f"{one.unread} unread" if one.unread else f"{one.entries} read" if one.entries else "no answer"
    ran = f"{one.ran_at[:16].replace('T', ' ')} UTC" if one.ran_at else "not run yet"
    narrowed = " ".join(filter(None, (one.kind and f"as {one.kind}", one.operators, _number(one.articles))))
    below = "; ".join(filter(None, (narrowed, one.outcome)))
    return f"{one.id}  {unread:>10}  {ran:<20}  {terminal.line(one.name)}" + (
        f"\n    {terminal.line(below)}" if below else ""
    )


def _number(articles: Sequence[str]) -> str:
    return f"{len(articles)} chosen article{'' if len(articles) == 1 else 's'}" if articles else ""


def _shown(ran: Ran, options: argparse.Namespace) -> Ran:
    """Print how a run went as soon as it is over."""
    if not options.json:
        show(f"# {terminal.line(ran.briefing.name)}\n{ran.outcome}.")
        if ran.entry is not None:
            show(f"\n{terminal.render_answer(ran.entry.answer, columns=columns())}\n")
    return ran


def _show_all(found: Sequence[tuple[Briefing, Sequence[Entry]]], options: argparse.Namespace) -> int:
    if options.json:
        return show_json([{**one.to_dict(), "found": [entry.to_dict() for entry in entries]} for one, entries in found])
    for one, entries in found:
        show(f"# {terminal.line(one.name)}\n{terminal.line(one.outcome) or 'Not run yet'}.\n")
        for entry in entries:
            time = f"{entry.found_at[:16].replace('T', ' ')} UTC"
            show(f"{time}\n{terminal.render_answer(entry.answer, columns=columns())}\n")
    return OK
