"""`citewire …`: the command line. Parses arguments, calls one room, prints; no logic of its own.

Exit status: 0 fine · 1 an error · 2 wrong usage · 3 the question is not answered · 130 stopped by Ctrl-C.
With --json a refused question is a result like any other: status 0, and "refused": true in what is printed.
Results go to standard output, progress and complaints to standard error.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import getpass
import io
import json
import os
import shutil
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import index
import rag
from index import filters, models
from index import home as homes
from index.errors import Error, InputError, LayoutError, StoreError
from index.manifest import MODES
from index.watch import watch
from rag.kind import KINDS
from rag.llm.kv_cache import KVCache
from rag.settings import Settings
from ui import auth, backup, doctor, markdown, page_token, proxy, terminal
from ui.conversations import Conversations
from ui.progress import Bars, Notes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from index.models import Model
    from index.run import Failure, SyncReport
    from index.store import Fault
    from rag import Answer, Engine, Turn
    from rag.event import Event

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

OK, ERROR, NOT_ANSWERED, BROKEN_PIPE, INTERRUPTED = 0, 1, 3, 141, 130
NICENESS = 10
"""Priority (nice) of indexing: beside it a chat gets nine tenths of a core that both want."""
MARKS = {doctor.Status.FINE: "✓", doctor.Status.ABSENT: "–", doctor.Status.WRONG: "✗"}

EXAMPLES = """\
examples:
  citewire index add ~/articles                 index a folder and remember it
  citewire index sync                           re-read everything remembered
  citewire ask "When did the talks break down?"
  citewire ask "And who left?" --after "When did the talks break down?"
  citewire chat                                 the same, as a page in the browser

exit status: 0 fine, 1 an error, 2 wrong usage, 3 the question is not answered (0 with --json), 130 stopped"""

OPERATORS = """\
operators, which say what may be searched:
  source:reuters  source:"The Post"   articles of this outlet
  in:2018                             published in this year, month (2018-03) or on this day (2018-03-21)
  before:2017-05  after:2017          published before it began, after it ended"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status. Argument errors exit through argparse, with status 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    grammar = parser()
    if "_ARGCOMPLETE" in os.environ:  # the shell asks what could come next
        import argcomplete

        argcomplete.autocomplete(grammar)
    options = grammar.parse_args(argv)
    if options.run is None:
        grammar.print_help()
        return OK
    try:
        status: int = options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has gone; without this the interpreter would complain again when it closes stdout.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except (Error, OSError) as error:
        print(f"citewire: {terminal.line(str(error))}", file=sys.stderr)
        return ERROR
    except MemoryError:
        print(
            "citewire: there is not enough memory; close other programs, or see what is limited: ulimit -v",
            file=sys.stderr,
        )
        return ERROR
    except KeyboardInterrupt:
        print(f"\ncitewire: {options.stopped}", file=sys.stderr)
        return INTERRUPTED
    return status


def parser() -> argparse.ArgumentParser:
    """The whole grammar of the command line; each command leaves its function in `run`."""
    top = argparse.ArgumentParser(
        prog="citewire",
        description="Ask questions of a collection of articles and get an answer you can check.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"citewire {index.__version__}")
    top.add_argument("--home", type=Path, help="where the index lives (default: CITEWIRE_HOME, else your user data)")
    top.set_defaults(run=None)
    commands = top.add_subparsers(title="commands", metavar="COMMAND")
    _index_commands(commands)
    _question_commands(commands)
    _model_commands(commands)
    _kept_commands(commands)
    _backup_commands(commands)
    _auth_commands(commands)
    _command(commands, "doctor", run_doctor, "--json", "--llm")
    return top


def run_add(options: argparse.Namespace) -> int:
    """Index files and folders, and remember them."""
    options.prune = False
    return run_sync(options)


def run_sync(options: argparse.Namespace) -> int:
    """Re-read everything that was added, or only the given paths, and index what has changed."""
    _give_way()
    with index.Index.open(options.home) as opened, Bars() as progress:
        if not options.paths and not opened.stats().sources:
            raise InputError("nothing was added yet; run: citewire index add PATH")
        if not options.watch:
            report = opened.sync(options.paths, prune=options.prune, progress=progress)
            return _print_report(report, as_json=options.json)
        if options.paths or options.prune:
            opened.sync(options.paths, prune=options.prune, progress=progress)
        for report in watch(opened, stop=threading.Event(), progress=progress):
            _print_report(report, as_json=options.json)
            sys.stdout.flush()
    return OK


def run_rebuild(options: argparse.Namespace) -> int:
    """Embed every article again, for another embedder or after a change of layout."""
    _give_way()
    with Bars() as progress:
        report = index.Index.rebuild(options.home, progress=progress)
    return _print_report(report, as_json=options.json)


def _give_way() -> None:
    """Index at a lower priority than others have, so that a chat beside it stays quick; alone it is as fast."""
    if hasattr(os, "setpriority"):
        priority = max(os.getpriority(os.PRIO_PROCESS, 0), NICENESS)
        os.setpriority(os.PRIO_PROCESS, 0, priority)


def run_check(options: argparse.Namespace) -> int:
    """Compare everything in the index with its checksums, and say for each article what is wrong."""
    faults = _faults(options.home)
    lost: tuple[Failure, ...] = ()
    left = faults
    if options.repair and faults:
        _give_way()
        with Bars() as progress:
            lost = index.Index.repair(options.home, progress=progress).lost
        left = _faults(options.home)
    if options.json:
        _print_json(
            {
                "faults": [fault.to_dict() for fault in faults],
                "repaired": bool(options.repair and faults and not left),
                "left": [fault.to_dict() for fault in left],
                "lost": [{"path": failure.path, "reason": failure.reason} for failure in lost],
            }
        )
        return ERROR if left or lost else OK
    _print("\n".join(terminal.line(str(fault)) for fault in faults) or "everything is as it was written")
    for failure in lost:
        print(terminal.line(f"lost: {failure.path}: {failure.reason}"), file=sys.stderr)
    if options.repair and faults:
        _print("\n".join(terminal.line(f"still wrong: {fault}") for fault in left) or "mended")
    elif faults:
        print("citewire: to mend it: citewire index check --repair", file=sys.stderr)
    return ERROR if left or lost else OK


def _faults(home: Path | None) -> list[Fault]:
    """What is wrong with the index; an index that cannot be opened is one fault."""
    try:
        with index.Index.open(home) as opened:
            return opened.faults()
    except LayoutError:
        raise
    except StoreError as error:
        from index.store import Fault

        return [Fault(str(error))]


def run_list(options: argparse.Namespace) -> int:
    """One line for each article, newest first, undated last: what it is, how much of it is searched."""
    with index.Index.open(options.home) as opened:
        articles = sorted(opened.listing(), key=lambda one: one.article.published or "", reverse=True)
    if not articles:
        print("citewire: no articles yet; run: citewire index add PATH", file=sys.stderr)
    if options.json:
        return _print_json([one.to_dict() for one in articles])
    return _print(terminal.render_articles(articles))


def run_show(options: argparse.Namespace) -> int:
    """One article, whole."""
    with index.Index.open(options.home) as opened:
        article = opened.article(options.id)
        newest = opened.versions(options.id)[0]
        newer = None if newest in (article, *opened.copies(options.id)) else newest
    if options.json:
        return _print_json({**dataclasses.asdict(article), "superseded_by": newer and newer.id})
    return _print(terminal.render_article(article, superseded_by=newer))


def run_remove(options: argparse.Namespace) -> int:
    """Take articles out, by id or by the path or address they came from."""
    with index.Index.open(options.home) as opened:
        removed = opened.remove(options.ids)
    return _print_json({"removed": removed}) if options.json else _print(f"{removed} removed")


def run_status(options: argparse.Namespace) -> int:
    """How much is indexed, from where, by which embedder, and how much of it a model has read already."""
    with index.Index.open(options.home) as opened:
        home, stats = opened.home, dataclasses.asdict(opened.stats())
        read, read_bytes = KVCache.of(opened, limit_bytes=Settings.from_env().kv_bytes).size()
    rows = {"home": str(home), **stats, "read": read, "read_bytes": read_bytes}
    if options.json:
        return _print_json(rows)
    sources = rows.pop("sources")
    rows["size"] = f"{rows.pop('size_bytes') / 1e6:.1f} MB"
    rows["read"] = f"{read} of {stats['passages']} passages, {rows.pop('read_bytes') / 1e6:.1f} MB"
    lines = [f"{name:<11}{terminal.line(str(value))}" for name, value in rows.items()]
    return _print("\n".join([*lines, *(f"{'source':<11}{terminal.line(source)}" for source in sources)]))


def run_search(options: argparse.Namespace) -> int:
    """The passages nearest to a query, best first; no LLM is involved."""
    query, only = filters.parse(_words(options.query))
    with index.Index.open(options.home) as opened:
        hits = opened.search(query, options.k, **only.to_dict())
    if options.json:
        rows = [rag.Source(number, hit).to_dict() for number, hit in enumerate(hits, start=1)]
        why = [{**hit.to_dict(), "filter": only.to_dict()} if options.explain else {} for hit in hits]
        return _print_json([row | reasons for row, reasons in zip(rows, why, strict=True)])
    if not hits:
        print(terminal.line(f"citewire: nothing found {f'with {only}' if only else ''}"), file=sys.stderr)
    return _print(terminal.render_hits(hits, columns=_columns(), explain=only if options.explain else None))


def run_ask(options: argparse.Namespace) -> int:
    """Answer one question, after those of --after; without a question, read it from standard input."""
    settings = _settings(options.llm, options.mode, options.caution)
    models.require_known(settings.llm, "llm")  # an empty index would not ask for it
    with rag.Engine.open(options.home, settings=settings) as engine:
        if options.question is None and sys.stdin.isatty():
            return _converse(engine, as_json=options.json)
        history: list[Turn] = []
        for earlier in options.after:
            history.append(_ask(engine, _words(earlier), history).turn)
        question = sys.stdin.read() if options.question is None else options.question
        answer = _ask(engine, _words(question), history, kind=options.kind, limit=options.limit)
        return _print_answer(answer, as_json=options.json)


def run_chat(options: argparse.Namespace) -> int:
    """Serve the page until Ctrl-C or SIGTERM."""
    # Sooner than the page, which takes seconds to import.
    proxies = proxy.parse(options.proxy)
    accounts = auth.Accounts.load(options.auth) if options.auth else None
    if accounts and accounts.without_role:
        print(_without_role(options.auth, accounts.without_role), file=sys.stderr)
    from ui.web import serve

    settings = _settings(options.llm, options.mode, options.caution)
    models.require_known(settings.llm, "llm")
    serve(
        options.home,
        host=options.host,
        port=options.port,
        open_browser=not options.no_browser,
        settings=settings,
        auth=accounts.login if accounts else None,
        role=accounts.role if accounts else None,
        proxies=proxies,
        allowed_hosts=options.allowed_host,
        allowed_folders=options.allow_folders,
        token=options.token or os.environ.get(page_token.VARIABLE) or None,
    )
    return OK


def run_auth_add(options: argparse.Namespace) -> int:
    """Give somebody a password for the page, or another one; asked for twice, or read from standard input."""
    name = _words(options.name)
    replaced = auth.add(options.file, name=name, password=_password(), role=options.role)
    role = auth.listed(options.file)[name]
    done = f"has another password and is {_a(role)}" if replaced else f"was added as {_a(role)}"
    return _print_account(options, done)


def run_auth_role(options: argparse.Namespace) -> int:
    """Make somebody a reader, who asks, or an editor, who also adds and removes; the password stays."""
    auth.set_role(options.file, name=_words(options.name), role=options.role)
    return _print_account(options, f"is {_a(options.role)}")


def run_auth_remove(options: argparse.Namespace) -> int:
    """Take somebody out of the file; the conversations stay."""
    auth.remove(options.file, name=_words(options.name))
    return _print_account(options, "was removed")


def run_auth_list(options: argparse.Namespace) -> int:
    """One line for each account: role and name."""
    listed = auth.listed(options.file)
    if options.json:
        return _print_json([{"name": name, "role": role} for name, role in listed.items()])
    return _print("\n".join(f"{role}  {terminal.line(name)}" for name, role in listed.items()))


def run_feedback(options: argparse.Namespace) -> int:
    """The thumbs that readers gave in the page, the latest first, each with its question, answer and reason."""
    with Conversations(homes.resolve(options.home)) as conversations:
        given = conversations.all_feedback()
    if options.json:
        return _print_json([one.to_dict() for one in given])
    if not given:
        print("citewire: no thumbs yet; they are given in the page: citewire chat", file=sys.stderr)
    return _print(terminal.render_feedback(given, columns=_columns()))


def run_conversations_list(options: argparse.Namespace) -> int:
    """One line for each conversation held in the page, the latest first."""
    with Conversations(homes.resolve(options.home)) as conversations:
        summaries = [conversation.summary for conversation in conversations.everyone()]
    if options.json:
        return _print_json([summary.to_dict() for summary in summaries])
    if not summaries:
        print("citewire: no conversations yet; they are held in the page: citewire chat", file=sys.stderr)
    return _print(terminal.render_summaries(summaries))


def run_conversations_export(options: argparse.Namespace) -> int:
    """Conversations as Markdown or JSON, with answers, quotes and addresses; without ids, all of them."""
    with Conversations(homes.resolve(options.home)) as conversations:
        known = {conversation.id: conversation for conversation in conversations.everyone()}
    for unknown in [name for name in options.ids if name not in known]:
        raise InputError(f"there is no conversation {unknown}; to see which there are: citewire conversations list")
    chosen = [known[name] for name in options.ids] or list(known.values())
    if options.json:
        return _print_json([conversation.to_dict() for conversation in chosen])
    return _print("\n".join(markdown.render_conversation(conversation) for conversation in chosen).rstrip("\n"))


def run_backup(options: argparse.Namespace) -> int:
    """Write articles, conversations and uploads to one file, while the page goes on; or look whether one is sound."""
    with Bars() as progress:
        if options.verify:
            made = backup.verify(options.file, progress=progress)
        else:
            made = backup.backup(options.file, options.home, replace=options.force, progress=progress)
    for left in made.manifest.about["left_out"]:
        print(terminal.line(f"not in the backup: {left['name']}: {left['reason']}"), file=sys.stderr)
    for problem in made.problems:
        print(terminal.line(f"citewire: {problem}"), file=sys.stderr)
    if options.json:
        _print_json(made.to_dict())
    elif not made.problems:
        _print(terminal.line(f"{made}{'; sound' if options.verify else ''}"))
    return ERROR if made.problems else OK


def run_restore(options: argparse.Namespace) -> int:
    """Make the home what it was when a backup was made; without FILE, finish a restore that was interrupted."""
    if options.file is None:
        if not backup.finish(options.home):
            raise InputError("no restore was interrupted here; to restore a backup: citewire restore FILE")
        return _print("the restore is finished")
    with Bars() as progress:
        done = backup.restored(
            options.file, options.home, replace=options.replace, keep=options.keep, progress=progress
        )
    if options.json:
        return _print_json(done.to_dict())
    _print(terminal.line(str(done)))
    for source in done.missing_sources:
        print(terminal.line(f"not on this machine, its articles are kept: {source}"), file=sys.stderr)
    return _print(terminal.line(f"what was there before: {done.kept}") if done.kept else "")


def run_models_list(options: argparse.Namespace) -> int:
    """Every model of the manifest, and whether it is here."""
    listed = models.manifest()
    here = {model.name for model in listed if _is_here(model)}
    if not options.json:
        return _print(terminal.render_models(listed, here=here))
    names = ("name", "role", "default", "licence", "note", "size_bytes")
    rows = [{name: getattr(model, name) for name in names} for model in listed]
    return _print_json([{**row, "here": row["name"] in here} for row in rows])


def run_models_pull(options: argparse.Namespace) -> int:
    """Obtain and verify models; without names, the two that are used by default."""
    for model in _chosen(options.names):
        print(f"{model.name}  {models.pull(model.name, model.role)}", flush=True)
    return OK


def run_models_verify(options: argparse.Namespace) -> int:
    """Hash every file of the models again; without names, of all models that are here."""
    checks = [doctor.check_model(model, needed=bool(options.names)) for model in _chosen(options.names, every=True)]
    return _print_checks(checks, as_json=options.json)


def run_doctor(options: argparse.Namespace) -> int:
    """Look at everything Citewire needs and say how to mend what is wrong."""
    return _print_checks(doctor.examine(options.home, llm=_settings(options.llm).llm), as_json=options.json)


def _index_commands(commands: Commands) -> None:
    group = _group(commands, "index", "add, refresh, list and remove articles")
    whole = "stopped; what was indexed before is whole, and the next run goes on from here"
    command = _command(group, "add", run_add, "--json", "--watch", stopped=whole)
    command.add_argument("paths", nargs="+", metavar="PATH", help="a file, a folder, or the address of a page or feed")
    command = _command(group, "sync", run_sync, "--json", "--watch", stopped=whole)
    command.add_argument("paths", nargs="*", metavar="PATH", help="default: everything remembered")
    command.add_argument(
        "--prune",
        action="store_true",
        help="also drop what is gone from a source that has lost most of its articles, as if its disk were unmounted",
    )
    _command(group, "list", run_list, "--json")
    _command(group, "show", run_show, "--json").add_argument(
        "id", metavar="ID", help="as `citewire index list` shows it"
    )
    _command(group, "remove", run_remove, "--json").add_argument("ids", nargs="+", metavar="ID|PATH")
    _command(group, "status", run_status, "--json")
    command = _command(group, "check", run_check, "--json", stopped="stopped; the index is as it was")
    command.add_argument("--repair", action="store_true", help="mend what can be mended, and say what cannot")
    _command(group, "rebuild", run_rebuild, "--json", stopped="stopped; the index is as it was")


def _question_commands(commands: Commands) -> None:
    command = _command(commands, "search", run_search, "--json")
    command.add_argument("query", help="what to look for; may have operators")
    command.add_argument("-k", type=int, default=5, help="how many passages (default: 5)")
    command.add_argument("--explain", action="store_true", help="say for each passage why it was found")
    _add_operators(command)
    command = _command(commands, "ask", run_ask, "--json", "--llm")
    command.add_argument(
        "question", nargs="?", help="may have operators; without it: read from standard input, or line by line"
    )
    _add_operators(command)
    command.add_argument(
        "--after",
        action="append",
        default=[],
        metavar="QUESTION",
        help="an earlier question; repeatable",
    )
    command.add_argument(
        "--as", dest="kind", choices=KINDS, help="the kind of answer (default: what the question asks for)"
    )
    command.add_argument("--limit", type=int, metavar="N", help="the largest number of rows of a list or timeline")
    _add_answering(command)
    command = _command(commands, "chat", run_chat, "--llm")
    _add_answering(command)
    command.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    command.add_argument("--port", type=int, help="port to listen on (default: the first free one from 7860)")
    command.add_argument(
        "--auth", type=Path, metavar="FILE", help="ask for a name and password: citewire auth add FILE NAME"
    )
    command.add_argument(
        "--proxy",
        action="append",
        default=[],
        metavar="ADDRESS",
        help="address of a proxy whose X-Forwarded-For and X-Forwarded-Proto are believed; repeatable",
    )
    command.add_argument(
        "--allowed-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a name by which browsers reach the page, besides that of --host; repeatable",
    )
    command.add_argument(
        "--allow-folders",
        action="append",
        default=[],
        metavar="PATH",
        help="only folders within this one can be added on the page; repeatable (default: any, but none with --auth, "
        "--proxy or another --host)",
    )
    command.add_argument(
        "--token",
        help="the token in the address of a page without --auth (default: CITEWIRE_TOKEN, which others do not see in "
        "the list of processes, else one that is kept in the home)",
    )
    command.add_argument("--no-browser", action="store_true", help="do not open the page")


def _kept_commands(commands: Commands) -> None:
    _command(commands, "feedback", run_feedback, "--json")
    group = _group(commands, "conversations", "what was asked in the page")
    _command(group, "list", run_conversations_list, "--json")
    command = _command(group, "export", run_conversations_export, "--json")
    command.add_argument("ids", nargs="*", metavar="ID", help="as `citewire conversations list` shows it")


def _backup_commands(commands: Commands) -> None:
    old = "stopped; an older backup of this name is as it was"
    command = _command(commands, "backup", run_backup, "--json", stopped=old)
    command.add_argument("file", type=Path, metavar="FILE", help="a ZIP archive, outside of the home")
    what = command.add_mutually_exclusive_group()
    what.add_argument("--force", action="store_true", help="replace FILE if it is there")
    what.add_argument("--verify", action="store_true", help="write nothing: read all of FILE and say what is wrong")
    whole = "stopped; if the restore had begun to replace what is there, the next command finishes it"
    command = _command(commands, "restore", run_restore, "--json", stopped=whole)
    command.add_argument("file", type=Path, nargs="?", metavar="FILE", help="as `citewire backup` wrote it")
    command.add_argument("--replace", action="store_true", help="in a home that is not empty; what is there is kept")
    command.add_argument("--keep", type=Path, metavar="FILE", help="where it is kept (default: beside the home)")


def _model_commands(commands: Commands) -> None:
    group = _group(commands, "models", "list, download and verify models")
    _command(group, "list", run_models_list, "--json")
    command = _command(group, "pull", run_models_pull, stopped="stopped; to go on: citewire models pull")
    command.add_argument("names", nargs="*", metavar="NAME", help="default: the two that are needed")
    command = _command(group, "verify", run_models_verify, "--json")
    command.add_argument("names", nargs="*", metavar="NAME", help="default: all")


def _auth_commands(commands: Commands) -> None:
    group = _group(commands, "auth", "passwords and roles for the page")
    command = _command(group, "add", run_auth_add)
    command.add_argument("file", type=Path, metavar="FILE", help="made when it is not there; for: citewire chat --auth")
    command.add_argument("name", metavar="NAME")
    command.add_argument(
        "--role", choices=auth.ROLES, help="readers ask, editors also add and remove (default: reader, or as it was)"
    )
    command = _command(group, "role", run_auth_role)
    command.add_argument("file", type=Path, metavar="FILE")
    command.add_argument("name", metavar="NAME")
    command.add_argument("role", choices=auth.ROLES, help="readers ask, editors also add and remove")
    _command(group, "list", run_auth_list, "--json").add_argument("file", type=Path, metavar="FILE")
    command = _command(group, "remove", run_auth_remove)
    command.add_argument("file", type=Path, metavar="FILE")
    command.add_argument("name", metavar="NAME")


def _group(commands: Commands, name: str, summary: str) -> Commands:
    group = commands.add_parser(name, help=summary, description=summary)
    _add_home(group)
    return group.add_subparsers(title="commands", metavar="COMMAND", required=True)


def _command(
    commands: Commands,
    name: str,
    run: Callable[[argparse.Namespace], int],
    *flags: str,
    stopped: str = "stopped",
) -> argparse.ArgumentParser:
    """A command that does `run`, whose docstring is its help, with the shared `flags` it understands."""
    summary = " ".join((run.__doc__ or "").split())
    command = commands.add_parser(name, help=summary.rstrip("."), description=summary)
    command.set_defaults(run=run, stopped=stopped)
    _add_home(command)
    if "--json" in flags:
        command.add_argument("--json", action="store_true", help="print JSON, for programs")
    if "--watch" in flags:
        command.add_argument("--watch", action="store_true", help="go on: sync again whenever a folder changes")
    if "--llm" in flags:
        command.add_argument("--llm", metavar="NAME|PATH", help="a name from `citewire models list`, or a GGUF file")
    return command


def _add_operators(command: argparse.ArgumentParser) -> None:
    command.epilog = OPERATORS
    command.formatter_class = argparse.RawDescriptionHelpFormatter


def _add_answering(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--mode",
        choices=MODES,
        help="answer in the model's words, or only in the articles' own (default: as models.txt has it)",
    )
    command.add_argument(
        "--caution",
        type=_share,
        metavar="0..1",
        help=f"0 answers most, 1 refuses most (default: {Settings().caution})",
    )


def _share(text: str) -> float:
    """A number from 0 to 1, as argparse wants it."""
    with contextlib.suppress(ValueError):
        if 0 <= float(text) <= 1:
            return float(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 to 1")


def _add_home(command: argparse.ArgumentParser) -> None:
    # Understood before and after the command; SUPPRESS keeps the second place from undoing the first.
    command.add_argument("--home", type=Path, default=argparse.SUPPRESS, help=argparse.SUPPRESS)


def _settings(llm: str | None, mode: str | None = None, caution: float | None = None) -> Settings:
    """The settings of the environment, with those that the command line gives."""
    given: dict[str, Any] = {"llm": llm, "mode": mode, "caution": caution}
    return dataclasses.replace(
        Settings.from_env(), **{name: value for name, value in given.items() if value is not None}
    )


def _password() -> str:
    """Typed twice, unseen, or the first line of standard input."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass("password: ")
    if getpass.getpass("again: ") != password:
        raise InputError("the two passwords differ; nothing was changed")
    return password


def _chosen(names: Sequence[str], *, every: bool = False) -> list[Model]:
    """The models of these names; without names, all of them or the default ones."""
    known = {model.name: model for model in models.manifest()}
    for name in names:
        if name not in known:
            raise InputError(f"no model is called {name!r}; there are {', '.join(known)}")
    return [known[name] for name in names] or [model for model in known.values() if every or model.default]


def _is_here(model: Model) -> bool:
    return all((models.models_dir() / model.name / file.path).is_file() for file in model.files)


def _words(argument: str) -> str:
    """A question as typed; bytes that are no text in this locale, which nothing can store, become "?"."""
    return argument.encode("utf-8", "replace").decode("utf-8").strip()


def _ask(
    engine: Engine, question: str, history: Sequence[Turn], *, kind: str | None = None, limit: int | None = None
) -> Answer:
    """The answer to a question, with a line on standard error that says what is being done."""
    with Notes() as note:
        note("searching")
        for event in engine.stream(question, history=history, kind=kind, limit=limit):
            if isinstance(event, rag.Answer):
                return event
            note(_note(event))
    raise RuntimeError("Engine.stream ended without an Answer")


def _note(event: Event) -> str:
    """What is being done, said on the line that passes."""
    match event:
        case rag.Evidence(sources=sources):
            return f"reading {len(sources)} passages"
        case rag.Progress(stage="queue"):
            return "waiting for another question to be answered"
        case rag.Progress(stage="read", done=done, total=total) if total:
            return f"reading the passages, {100 * done // total} %"
        case rag.Progress(stage="write"):
            return "finding the words that say it"
        case rag.Row(section=section):
            return f"found {terminal.line(section.heading)}"
    return "writing"


def _converse(engine: Engine, *, as_json: bool) -> int:
    """Questions from the terminal, one a line, each following those before; ends at end of file."""
    history: list[Turn] = []
    while True:
        try:
            question = _words(input("? "))
        except EOFError:
            print()
            return OK
        if question:
            answer = _ask(engine, question, history)
            history.append(answer.turn)
            _print_answer(answer, as_json=as_json)


def _print_answer(answer: Answer, *, as_json: bool) -> int:
    if as_json:
        return _print_json(answer.to_dict())
    _print(terminal.render_answer(answer, columns=_columns()))
    return NOT_ANSWERED if answer.refused else OK


def _print_account(options: argparse.Namespace, done: str) -> int:
    """What was done with an account; a running page keeps the accounts it started with."""
    return _print(terminal.line(f"{options.name} {done} in {options.file}; restart `citewire chat` for it to count"))


def _without_role(path: Path, names: Sequence[str]) -> str:
    """What is said of accounts whose lines have no role."""
    some = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return terminal.line(
        f"citewire: {some}: no role in {path}, so they ask and cannot add or remove articles; "
        f"to change that: citewire auth role {path} NAME editor"
    )


def _a(role: str) -> str:
    return f"an {role}" if role == "editor" else f"a {role}"


def _print_report(report: SyncReport, *, as_json: bool) -> int:
    """The report; an error only when files failed and none could be read."""
    for failure in report.failed:
        print(terminal.line(f"not read: {failure.path}: {failure.reason}"), file=sys.stderr)
    _print_json(report.to_dict()) if as_json else _print(str(report))
    read = report.added + report.updated + report.removed + report.unchanged
    return ERROR if report.failed and not read else OK


def _print_checks(checks: Iterable[doctor.Check], *, as_json: bool) -> int:
    made = []
    for check in checks:
        made.append(check)
        if not as_json:
            print(f"{MARKS[check.status]} {check.name}: {terminal.line(check.found)}", flush=True)
            if check.mend:
                print(f"    → {terminal.line(check.mend)}")
    if as_json:
        _print_json([check.to_dict() for check in made])
    return ERROR if any(check.status is doctor.Status.WRONG for check in made) else OK


def _print(text: str) -> int:
    if text:
        print(text)
    return OK


def _print_json(value: object) -> int:
    # Escaped to ASCII: what an article holds cannot reach the terminal as a control character.
    print(json.dumps(value, indent=2))
    return OK


def _columns() -> int:
    """Width to fold at: the terminal's, up to what reads well; 0 where output goes to a file or a program."""
    return min(shutil.get_terminal_size().columns, 100) if sys.stdout.isatty() else 0


if __name__ == "__main__":
    sys.exit(main())
