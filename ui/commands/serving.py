"""`citewire serve`, the page and the doors for programs in one process, and `citewire mcp`, one door by itself."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from index import home as homes
from index import models
from index.errors import InputError
from ui.commands.cluster import add_cluster, answering
from ui.commands.command import OK, add_answering, add_command, settings_of
from ui.commands.page import add_listening, listening
from ui.stopping import STOPPING_S

if TYPE_CHECKING:
    import argparse
    from contextlib import AbstractContextManager
    from pathlib import Path

    from rag.engine import Engine
    from rag.settings import Settings
    from ui.api.programs import Programs
    from ui.backend import Backend
    from ui.commands.command import Commands
    from ui.folders import Folders


def declare(commands: Commands) -> None:
    """Declare `serve` and `mcp`."""
    command = add_command(commands, "serve", run_serve, "--llm")
    add_answering(command)
    add_listening(command)
    add_cluster(command)
    command.add_argument("--no-page", action="store_true", help="serve the doors for programs only, not the chat page")
    command.add_argument("--open-browser", action="store_true", help="open the page in a browser")
    command.add_argument(
        "--write", action="store_true", help="offer MCP clients that may write the tools `add` and `remove` too"
    )
    command.add_argument(
        "--rate",
        type=int,
        metavar="N",
        help="requests that a client may make in a minute, 0 for any number (default: 600 beyond this machine, else 0)",
    )
    command.add_argument(
        "--queue", type=int, metavar="N", help="questions and checks that may run or wait at a time (default: 64)"
    )
    command.add_argument("--log-format", choices=("text", "json"), help="log a line for each request (default: none)")
    command.add_argument(
        "--log-text", action="store_true", help="also log questions and queries; articles and tokens are never logged"
    )

    command = add_command(commands, "mcp", run_mcp, "--llm")
    add_answering(command)
    add_cluster(command)
    command.add_argument("--write", action="store_true", help="also offer the tools `add` and `remove`")
    command.add_argument(
        "--allow-folders",
        action="append",
        default=[],
        metavar="PATH",
        help="of this machine, `add` takes only what is inside PATH; repeatable (default: anything)",
    )


def run_mcp(options: argparse.Namespace) -> int:
    """Serve assistants that speak MCP over standard input and output; they start this command themselves."""
    import asyncio

    from rag.engine import Engine
    from ui.api import mcp
    from ui.api.log import RequestLog
    from ui.api.metrics import Metrics
    from ui.api.service import Service
    from ui.backend import Backend
    from ui.folders import Folders

    settings = settings_of(options.llm, options.mode, options.caution)
    models.require_known(settings.llm, "llm")
    with shared(options, settings) as engine:
        backend = Backend(engine or (lambda: Engine.open(options.home, settings=settings)))
        service = Service(backend, folders=Folders(options.allow_folders), metrics=Metrics(), log=RequestLog())
        backend.start()
        try:
            asyncio.run(mcp.over_stdio(service, write=options.write))
        finally:
            service.close(STOPPING_S)
            backend.close()
    return OK


def shared(options: argparse.Namespace, settings: Settings) -> AbstractContextManager[Engine | None]:
    """The engine over the shards of --cluster; None without that, where the server opens one while it starts."""
    if options.cluster is None:
        return contextlib.nullcontext()
    return answering(options.home, options.cluster, settings)


def _require_no_page_options(options: argparse.Namespace) -> None:
    """Raise InputError for what says how the page is to be, without a page: who thinks that --auth asks programs for
    passwords would have them let in without."""
    given = {"--auth": options.auth, "--token": options.token, "--open-browser": options.open_browser}
    for name in (name for name, value in given.items() if value):
        raise InputError(
            f"{name} is for the page, which --no-page leaves away; serve the page too, or leave {name} away. Programs "
            "are asked for tokens: citewire auth token add NAME"
        )


def run_serve(options: argparse.Namespace) -> int:
    """Serve the HTTP API, an OpenAI-compatible API, MCP and the page, until Ctrl-C or SIGTERM."""
    if options.no_page:
        _require_no_page_options(options)
    served = listening(options)
    home: Path = homes.resolve(options.home)
    from ui.api import programs

    with (
        programs.log_as(options.log_format, has_text=options.log_text) as log,
        shared(options, served["settings"]) as engine,
    ):
        given = {
            **{name: served[name] for name in ("host", "proxies", "allowed_hosts", "root_path")},
            "rate_per_min": None if options.rate is None else max(0, options.rate),
            "most_asking": None if options.queue is None else max(1, options.queue),
            "log": log,
            "write": options.write,
        }
        if options.no_page:
            also = {name: served[name] for name in ("port", "settings", "allowed_folders")}
            programs.serve(home, engine=engine, **also, **given)
            return OK
        from ui.web import serve

        def doors(backend: Backend, folders: Folders) -> Programs:
            return programs.Programs(backend, home=home, folders=folders, **given)

        serve(home, engine=engine, open_browser=options.open_browser, programs=doors, **served)
    return OK
