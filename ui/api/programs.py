"""Programs: all doors for programs as one app, beside the page or by itself, and the server without a page."""

from __future__ import annotations

import contextlib
import logging
import socket
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import uvicorn

from index import home as homes
from index.errors import InputError
from rag.engine import Engine
from ui import connections
from ui.api import http, mcp
from ui.api.door import Door, door_of
from ui.api.log import JsonFormatter, RequestLog
from ui.api.metrics import Metrics
from ui.api.service import Service
from ui.api.tokens import Tokens
from ui.backend import Backend
from ui.folders import Folders
from ui.origin import LOOPBACK, Hosts
from ui.proxy import root_of
from ui.stopping import STOPPING_S, until_stopped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from rag.settings import Settings
    from ui.api.log import Format
    from ui.proxy import Network

PORTS_FROM, PORTS = 7860, 100
"""The first free one of these is taken unless a port is given, as by the page."""
RATE_PER_MIN = 600
"""Requests of a client in a minute, beyond this machine: ten a second, which is what two cores search."""
STARTING_S = 30.0


class Programs:
    """The doors over one backend."""

    def __init__(
        self,
        backend: Backend,
        *,
        home: Path,
        folders: Folders,
        host: str = "127.0.0.1",
        proxies: Sequence[Network] = (),
        allowed_hosts: Sequence[str] = (),
        rate_per_min: int | None = None,
        most_asking: int | None = None,
        log: RequestLog | None = None,
        write: bool = False,
        root_path: str = "",
    ) -> None:
        """`write` offers the tools of MCP that change the articles to clients with the scope for them.

        `root_path` is the path under which a proxy has the server, see ui/proxy.py. Raises InputError for one that is
        no path, for allowed hosts that are no names, and for a file of tokens that cannot be read.
        """
        self._is_private = host in LOOPBACK and not proxies
        self._tokens = Tokens(home)
        self._has_tokens = bool(self._tokens.all())
        metrics, log = Metrics(), log or RequestLog()
        self.service = Service(backend, folders=folders, metrics=metrics, log=log, most_asking=most_asking)
        self._options: dict[str, Any] = {
            "hosts": Hosts.of(host, allowed_hosts),
            "tokens": self._tokens,
            "is_private": self._is_private,
            "metrics": metrics,
            "log": log,
            "proxies": proxies,
            "rate_per_min": (0 if self._is_private else RATE_PER_MIN) if rate_per_min is None else rate_per_min,
            "on_proxy": folders.restrict,
            "root_path": root_of(root_path),
        }
        self._write = write
        self._host = host

    def beside(self, page: Any | None) -> Door:
        """The app: the doors, and at all other addresses the page, if there is one."""
        self.service.has_page = page is not None
        answers, tools = http.app(self.service), mcp.OverHttp(self.service, write=self._write)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await (tools if door_of(scope.get("path", "")) == "mcp" else answers)(scope, receive, send)

        return Door(app, page, running=tools.running, **self._options)

    def greeting(self, url: str) -> str:
        """What is printed at the start."""
        lines = [f"Programs ask {url}api/v1 (HTTP), {url}v1 (OpenAI-compatible) and {url}mcp (MCP); see docs/api.md"]
        if not self._is_private and not self._has_tokens:
            lines.append("They need a token, and there is none yet: citewire auth token add NAME")
        elif not self._has_tokens:
            lines.append(
                "Without a token every program and user of this machine can read the articles and add files that you "
                "can read; once there is one, it is needed: citewire auth token add NAME --scope write"
            )
        return "".join(f"{line}\n" for line in lines)

    def close(self, within_s: float = 0.0) -> None:
        """Stop what runs."""
        self.service.close(within_s)


def serve(
    home: str | Path | None = None,
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    settings: Settings | None = None,
    engine: Engine | None = None,
    allowed_folders: Sequence[str | Path] = (),
    proxies: Sequence[Network] = (),
    **options: Any,
) -> None:
    """Serve the doors without the page until SIGINT or SIGTERM. `options` are those of Programs.

    Raises InputError when the port is taken, and what Programs raises.
    """
    folders = Folders(allowed_folders, anywhere=host in LOOPBACK and not proxies)
    place = homes.resolve(home) if engine is None else engine.index.home
    backend = Backend((lambda: Engine.open(home, settings=settings)) if engine is None else engine)
    programs = Programs(backend, home=place, folders=folders, host=host, proxies=proxies, **options)
    with until_stopped() as stopped:
        try:
            with running(programs, host=host, port=port) as url:
                backend.start()
                sys.stdout.write(f"Citewire is at {url} (Ctrl+C stops it)\n{programs.greeting(url)}")
                sys.stdout.flush()
                stopped.wait()
                programs.close(STOPPING_S)
        finally:
            programs.close()
            if engine is None:
                backend.close()


@contextlib.contextmanager
def running(programs: Programs, *, host: str = "127.0.0.1", port: int | None = None) -> Iterator[str]:
    """Serve the doors in a thread and give their address. Raises InputError when the port is taken."""
    listening = _listening(host, port)
    config = uvicorn.Config(programs.beside(None), log_level="error", access_log=False, lifespan="on")
    connections.bound(config)
    server = _Server(config)
    thread = threading.Thread(target=server.run, args=([listening],), name="citewire-serve", daemon=True)
    thread.start()
    try:
        ends = time.monotonic() + STARTING_S
        while not server.started:
            if not thread.is_alive() or time.monotonic() > ends:
                raise InputError("the server did not start; see above for why")
            time.sleep(0.005)
        shown = f"[{host}]" if ":" in host else host
        yield f"http://{shown}:{listening.getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join(STOPPING_S)
        listening.close()


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to `until_stopped`."""
        yield


def _listening(host: str, port: int | None) -> socket.socket:
    ports = range(PORTS_FROM, PORTS_FROM + PORTS) if port is None else (port,)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    reason = ""
    for one in ports:
        listening = socket.socket(family, socket.SOCK_STREAM)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((host, one))
            listening.listen(connections.MOST)
        except (OSError, OverflowError) as error:
            listening.close()
            reason = f" ({error.strerror})" if isinstance(error, OSError) else ""
            continue
        return listening
    mend = f"choose another: citewire serve --port {(port or PORTS_FROM) % 65535 + 1}"
    raise InputError(f"port {port or PORTS_FROM} on {host} cannot be used{reason}; {mend}")


@contextlib.contextmanager
def log_as(form: Format | None, *, has_text: bool = False) -> Iterator[RequestLog]:
    """The log of requests; as JSON, all other messages of the server are JSON as well until the end."""
    log = RequestLog(form, has_text=has_text)
    if form != "json":
        yield log
        return
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    logging.getLogger().addHandler(handler)
    try:
        yield log
    finally:
        logging.getLogger().removeHandler(handler)
