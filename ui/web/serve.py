"""The server: the page on an address, its policy around it, the models loading behind it."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import secrets
import sys
import threading
import time
import webbrowser
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from ui import upload_cache

# Read by gradio and huggingface_hub when they are imported.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
# Read by uvicorn, which Gradio starts: X-Forwarded-For of any peer is left alone, for ui/proxy.py to judge.
os.environ["FORWARDED_ALLOW_IPS"] = ""
# In the temporary folder that Gradio takes by default, other users of the machine can read what is uploaded.
os.environ["GRADIO_TEMP_DIR"] = str(upload_cache.open_folder())

import gradio as gr
from gradio import http_server
from starlette.responses import JSONResponse

from index import home as homes
from index.errors import InputError
from rag.engine import Engine
from ui import connections, page_token, uploads
from ui.auth import WaitError
from ui.backend import Backend
from ui.event_queue import EventQueue
from ui.folders import Folders
from ui.guard import Entry, Guard
from ui.origin import LOOPBACK, Hosts
from ui.page_token import PageToken
from ui.proxy import root_of
from ui.stopping import STOPPING_S, until_stopped
from ui.web.page import Page, tabs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

    from starlette.requests import Request

    from rag.settings import Settings
    from ui.api.programs import Programs
    from ui.auth import Role
    from ui.proxy import Network

    Login = Callable[[str, str], bool | Awaitable[bool]]
    """Whether a name and a password may in."""

UPLOADS = upload_cache.UploadCache(Path(os.environ["GRADIO_TEMP_DIR"]))
atexit.register(upload_cache.delete_folders)
MOST_STATES = 500
"""Tabs whose components Gradio remembers; beyond that the longest unused are forgotten."""
_LAUNCHING = threading.Lock()

PORTS_FROM = 7860


def serve(
    home: str | Path | None = None,
    *,
    host: str = "127.0.0.1",
    port: int | None = PORTS_FROM,
    open_browser: bool = True,
    settings: Settings | None = None,
    engine: Engine | None = None,
    auth: Login | None = None,
    role: Callable[[str], Role] | None = None,
    proxies: Sequence[Network] = (),
    allowed_hosts: Sequence[str] = (),
    allowed_folders: Sequence[str | Path] = (),
    token: str | None = None,
    programs: Callable[[Backend, Folders], Programs] | None = None,
    root_path: str = "",
) -> None:
    """Serve the page until SIGINT or SIGTERM. `port` None takes the first free one from 7860.

    The page is up before the models are loaded. An `engine` that is handed in stays open afterwards. `auth` says
    whether a name and a password may in; without it whoever has the `token` may, by default the one kept in the home.
    `role` gives that of a login; a login without one is a reader's.
    `proxies` may say for whom they ask, `allowed_hosts` are further names that the page answers to, and
    `allowed_folders` are those that may be added on the page; without them it is any folder, but none with `auth`,
    beyond loopback or behind a proxy. `programs` makes the doors for programs (ui/api/programs.py), which are then at
    the same address. `root_path` is the path under which a proxy has the page, see ui/proxy.py.
    Raises InputError when the port is taken, and for hosts, folders or a token that cannot be used.
    """
    is_private = host in LOOPBACK and auth is None and not proxies
    folders = Folders(allowed_folders, anywhere=is_private)
    place = homes.resolve(home) if engine is None else engine.index.home
    key = None if auth else (PageToken(token) if token else page_token.of_home(place))
    ticket = secrets.token_urlsafe(page_token.TOKEN_BYTES)
    backend = Backend((lambda: Engine.open(home, settings=settings)) if engine is None else engine)
    page = Page(backend, folders=folders, role=role)
    demo = page.blocks()
    doors = None if programs is None else programs(backend, folders)
    with until_stopped() as stopped:
        try:
            url = launch(
                demo,
                host=host,
                port=port,
                auth=auth,
                proxies=proxies,
                allowed_hosts=allowed_hosts,
                token=key,
                ticket=ticket,
                folders=folders,
                doors=doors,
                root_path=root_path,
            )
            backend.start()  # not sooner: loading takes the processor that the page needs to come up
            sys.stdout.write(f"Citewire is at {url} (Ctrl+C stops it)\n")
            if host not in LOOPBACK:
                who = "this address with its token" if auth is None else "a password"
                does = "can read the articles and add to them" if auth is None else "can read the articles"
                sys.stdout.write(f"Whoever has {who} and can reach {host} {does}.\n")
            if doors is not None:
                sys.stdout.write(doors.greeting(url.partition("?")[0]))
            sys.stdout.flush()
            if open_browser:
                # Other users of the machine see the address in the list of processes; this token works once.
                webbrowser.open(_with_token(url.partition("?")[0], ticket) if key else url)
            stopped.wait()
        finally:
            ended = time.monotonic() + STOPPING_S
            if doors is not None:
                doors.close(STOPPING_S)
            while page.frame.sessions.stop_all() and time.monotonic() < ended:
                time.sleep(0.05)
            # It says as errors which streams of open tabs it ends.
            logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
            demo.close(verbose=False)
            UPLOADS.clear()
            if engine is None:
                backend.close()


def build(
    engine: Engine | Callable[[], Engine] | Backend,
    *,
    folders: Folders | None = None,
    role: Callable[[str], Role] | None = None,
) -> gr.Blocks:
    """The page over an engine, or over a function that opens one; for `launch`.

    `folders` says which folders of this machine can be added; without it, any. `role` gives that of a login; a login
    without one is a reader's, and without logins whoever has the page is an editor.
    """
    backend = engine if isinstance(engine, Backend) else Backend(engine)
    return Page(backend, folders=folders or Folders(), role=role).blocks()


def launch(
    demo: gr.Blocks,
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    auth: Login | None = None,
    proxies: Sequence[Network] = (),
    allowed_hosts: Sequence[str] = (),
    token: PageToken | None = None,
    ticket: str = "",
    folders: Folders | None = None,
    doors: Programs | None = None,
    root_path: str = "",
) -> str:
    """Start serving in the background and return the address, with the token where there is one.

    With neither `auth` nor `token` whoever reaches the address is let in. A `ticket` lets in once, in place of the
    token. `folders` are restricted as soon as a request has come through a proxy. `doors` for programs are at the same
    address. `root_path` is the path under which a proxy has the page.
    Raises InputError when the port is taken, and for allowed hosts that are no names.
    """
    family = ["system-ui", "Segoe UI", "Roboto", "sans-serif"]
    theme = gr.themes.Base(primary_hue="blue", neutral_hue="slate", font=family, font_mono=["monospace"])
    hosts = Hosts.of(host, allowed_hosts)
    demo.feeds.token, demo.feeds.has_logins = token, auth is not None
    entry = Entry(token, _login_of(demo) if auth else None, ticket)
    below = root_of(root_path)

    def guarded(app: Any) -> Any:
        guard = Guard(
            app,
            hosts=hosts,
            proxies=proxies,
            entry=entry,
            uploads=UPLOADS,
            events=EventQueue(demo, on_given_up=demo.on_given_up),
            files=demo.originals,
            briefings=demo.feeds,
            on_proxy=folders.restrict if folders else lambda: None,
            root_path=below,
        )
        return guard if doors is None else doors.beside(guard)

    app: dict[str, Any] = {
        "middleware": [tabs(demo, has_logins=auth is not None)],
        "docs_url": None,
        "redoc_url": None,
        "exception_handlers": {WaitError: _wait},
    }
    demo.delete_cache = (600, int(upload_cache.LONGEST_WAIT_S))
    try:
        with _guarded_server(guarded):
            _, url, _ = demo.launch(
                server_name=f"[{host}]" if ":" in host else host,
                server_port=port,
                root_path=below,
                auth=auth,
                auth_message=(files("ui.web") / "login.html").read_text(encoding="utf-8") if auth else None,
                theme=theme,
                css=(files("ui") / "style.css").read_text(encoding="utf-8"),
                favicon_path=str(files("ui.web") / "favicon.svg"),
                app_kwargs=app,
                max_file_size=uploads.MOST_BYTES,
                state_session_capacity=MOST_STATES,
                footer_links=[],
                share=False,
                inline=False,
                inbrowser=False,
                run_history=False,
                enable_monitoring=False,
                mcp_server=False,
                ssr_mode=False,
                pwa=False,
                prevent_thread_lock=True,
                quiet=True,
                _frontend=False,  # else Gradio asks for its own page, without a token
            )
    except OSError as error:
        command = "chat" if doors is None else "serve"
        mend = f"choose another: citewire {command} --port {(port or PORTS_FROM) + 1}"
        raise InputError(f"port {port} on {host} cannot be used; {mend}") from error
    return _with_token(str(url), token.text) if token else str(url)


def _with_token(url: str, token: str) -> str:
    return f"{url}?{urlencode({'token': token})}"


def _login_of(demo: gr.Blocks) -> Callable[[Mapping[str, str]], str | None]:
    """From cookies to the login that Gradio gave them to."""

    def login_of(cookies: Mapping[str, str]) -> str | None:
        app = demo.app
        for name in (f"access-token-{app.cookie_id}", f"access-token-unsecure-{app.cookie_id}"):
            if cookies.get(name) in app.tokens:
                return str(app.tokens[cookies[name]])
        return None

    return login_of


@contextlib.contextmanager
def _guarded_server(guarded: Callable[[Any], Any]) -> Iterator[None]:
    """Let Gradio start its server with a guard around the whole app, and with bounded connections.

    Gradio's own place for middleware is inside of what it adds to it (leave for other origins, compression), and it
    takes no settings for uvicorn.
    """

    class Server(http_server.Server):  # type: ignore[misc] # gradio has no types
        def __init__(self, config: Any, *arguments: Any, **options: Any) -> None:
            config.app = guarded(config.app)
            connections.bound(config)
            super().__init__(config, *arguments, **options)

    with _LAUNCHING:
        original, http_server.Server = http_server.Server, Server
        try:
            yield
        finally:
            http_server.Server = original


async def _wait(request: Request, error: WaitError) -> JSONResponse:
    """What a login is answered that comes too soon, in the form of Gradio's own answers."""
    del request
    return JSONResponse({"detail": str(error)}, status_code=429, headers={"Retry-After": str(error.wait_s)})
