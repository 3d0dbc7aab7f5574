"""`citewire chat`, and what was asked on the page: `citewire conversations` and `citewire feedback`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from index import home as homes
from index import models
from index.errors import InputError
from rag.settings import READ_AHEAD, Settings
from ui import auth, page_token, proxy, terminal
from ui.commands.cluster import add_cluster, answering
from ui.commands.command import OK, add_answering, add_command, add_group, port, settings_of
from ui.commands.output import columns, complain, show, show_json
from ui.commands.taking import add_export, now, require_exportable, take
from ui.conversations import Conversations
from ui.export import subject

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from ui.commands.command import Commands


def declare(commands: Commands) -> None:
    """Declare `chat`, `feedback` and the group `conversations`."""
    command = add_command(commands, "chat", run_chat, "--llm")
    add_answering(command)
    add_listening(command)
    add_cluster(command)
    command.add_argument("--no-browser", action="store_true", help="do not open the page in a browser")

    add_command(commands, "feedback", run_feedback, "--json")
    group = add_group(commands, "conversations", "list and export what was asked on the page")
    add_command(group, "list", run_conversations_list, "--json")
    command = add_command(group, "export", run_conversations_export, "--json")
    command.add_argument("ids", nargs="*", metavar="ID", help="ids from `citewire conversations list`")
    add_export(command)


def add_listening(command: argparse.ArgumentParser) -> None:
    """Options of a command that serves the page: where it listens, and who may use it."""
    command.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    command.add_argument("--port", type=port, help="port to listen on (default: the first free one from 7860)")
    command.add_argument(
        "--auth", type=Path, metavar="FILE", help="require a name and password from FILE; see `citewire auth add`"
    )
    command.add_argument(
        "--proxy",
        action="append",
        default=[],
        metavar="ADDRESS",
        help="trust X-Forwarded-For and X-Forwarded-Proto of the proxy at this address; repeatable",
    )
    command.add_argument(
        "--allowed-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a name, besides that of --host, by which browsers reach the page; repeatable",
    )
    command.add_argument(
        "--root-path",
        default="",
        metavar="PATH",
        help="the path under which a proxy in front of the page has it, such as /citewire",
    )
    command.add_argument(
        "--allow-folders",
        action="append",
        default=[],
        metavar="PATH",
        help="folders inside PATH may be added on the page; repeatable (default: any folder, but none with --auth, "
        "--proxy or another --host)",
    )
    command.add_argument(
        "--token",
        help="the token in the page's address when there is no --auth (default: CITEWIRE_TOKEN, which other users "
        "cannot see in the process list, or else one that is kept in the home)",
    )
    command.add_argument(
        "--read-ahead",
        choices=READ_AHEAD,
        help="what the model reads while nobody asks, never on battery: off, nothing; light, some two minutes of "
        "processor time an hour; full, with all cores for as long as there is room (default: "
        f"{Settings().read_ahead})",
    )


def run_chat(options: argparse.Namespace) -> int:
    """Serve the page and open it in a browser, until Ctrl-C or SIGTERM."""
    served = listening(options)
    if options.cluster is None:
        from ui.web import serve

        serve(options.home, open_browser=not options.no_browser, **served)
        return OK
    with answering(options.home, options.cluster, served.pop("settings")) as engine:
        from ui.web import serve

        serve(engine=engine, open_browser=not options.no_browser, **served)
    return OK


def listening(options: argparse.Namespace) -> dict[str, Any]:
    """What ui.web.serve takes of the options of `add_listening` and `add_answering`.

    They are checked here, before the page is imported, which takes seconds.
    """
    proxies = proxy.parse(options.proxy)
    accounts = auth.Accounts.load(options.auth) if options.auth else None
    if accounts and accounts.without_role:
        complain(without_role(options.auth, accounts.without_role))
    settings = settings_of(options.llm, options.mode, options.caution, options.read_ahead)
    models.require_known(settings.llm, "llm")
    return {
        "host": options.host,
        "port": options.port,
        "settings": settings,
        "auth": accounts.login if accounts else None,
        "role": accounts.role if accounts else None,
        "proxies": proxies,
        "allowed_hosts": options.allowed_host,
        "allowed_folders": options.allow_folders,
        "root_path": options.root_path,
        "token": options.token or os.environ.get(page_token.VARIABLE) or None,
    }


def run_feedback(options: argparse.Namespace) -> int:
    """Show the thumbs that readers gave on the page, newest first, with question, answer and reason."""
    with Conversations(homes.resolve(options.home)) as conversations:
        given = conversations.all_feedback()
    if options.json:
        return show_json([one.to_dict() for one in given])
    if not given:
        complain("citewire: no feedback yet; readers give it on the page: citewire chat")
    return show(terminal.render_feedback(given, columns=columns()))


def run_conversations_list(options: argparse.Namespace) -> int:
    """List the conversations held on the page, newest first."""
    with Conversations(homes.resolve(options.home)) as conversations:
        summaries = [conversation.summary for conversation in conversations.everyone()]
    if options.json:
        return show_json([summary.to_dict() for summary in summaries])
    if not summaries:
        complain("citewire: no conversations yet; start one on the page: citewire chat")
    return show(terminal.render_summaries(summaries))


def run_conversations_export(options: argparse.Namespace) -> int:
    """Export conversations with answers, quotes and addresses; without ids, all of them. As Markdown, unless --json,
    --format or --export say otherwise."""
    require_exportable(options)
    with Conversations(homes.resolve(options.home)) as conversations:
        known = {conversation.id: conversation for conversation in conversations.everyone()}
    for unknown in [name for name in options.ids if name not in known]:
        raise InputError(f"no conversation has the id {unknown}; list them: citewire conversations list")
    chosen = [known[name] for name in options.ids] or list(known.values())
    if options.json:
        return show_json([conversation.to_dict() for conversation in chosen])
    if not chosen:
        complain("citewire: no conversations yet; start one on the page: citewire chat")
    if options.format is None and not options.export:
        options.format = "markdown"
    subjects = [subject.of_conversation(conversation) for conversation in chosen]
    take(lambda: subject.joined(subjects, "Conversations", day=now()), options, otherwise=lambda: OK)
    return OK


def without_role(path: Path, names: Sequence[str]) -> str:
    """A warning about accounts whose lines have no role."""
    some = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return (
        f"citewire: {some}: no role in {path}, so they may ask, but not add or remove articles; "
        f"to let them: citewire auth role {path} NAME editor"
    )
