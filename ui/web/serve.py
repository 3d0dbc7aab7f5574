"""The server: the page on an address, its policy around it, the models loading behind it."""

from __future__ import annotations

import os
import sys
import webbrowser
from importlib.resources import files
from typing import TYPE_CHECKING, Any

# Read by gradio and huggingface_hub when they are imported.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
# Read by uvicorn, which Gradio starts: X-Forwarded-For of any peer is left alone, for ui/proxy.py to judge.
os.environ["FORWARDED_ALLOW_IPS"] = ""

import gradio as gr
from starlette.middleware import Middleware
from starlette.responses import JSONResponse

from index.errors import InputError
from rag.engine import Engine
from ui import uploads
from ui.auth import WaitError
from ui.backend import Backend
from ui.guard import Guard
from ui.web.page import Page, tabs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from starlette.requests import Request

    from rag.settings import Settings
    from ui.auth import Role
    from ui.proxy import Network

    Login = Callable[[str, str], bool | Awaitable[bool]]
    """Whether a name and a password may in."""

PORTS_FROM = 7860
LOOPBACK = ("127.0.0.1", "localhost", "::1")


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
) -> None:
    """Serve the page until interrupted. `port` None takes the first free one from 7860.

    The page is up before the models are loaded. An `engine` that is handed in stays open afterwards. `auth` says
    whether a name and a password may in; without it everyone may. `role` gives that of a login; a
    login without one is a reader's. `proxies` may say for whom they ask.
    Raises InputError when the port is taken.
    """
    backend = Backend((lambda: Engine.open(home, settings=settings)) if engine is None else engine)
    demo = build(backend, local=host in LOOPBACK, role=role)
    try:
        url = launch(demo, host=host, port=port, auth=auth, proxies=proxies)
        backend.start()  # not sooner: loading takes the processor that the page needs to come up
        sys.stdout.write(f"Citewire is at {url} (Ctrl+C stops it)\n")
        if host not in LOOPBACK:
            who = "Whoever can reach" if auth is None else "Whoever has a password and can reach"
            sys.stdout.write(f"{who} {host} can read the articles and add to them.\n")
        sys.stdout.flush()
        if open_browser:
            webbrowser.open(url)
        demo.block_thread()
    finally:
        demo.close(verbose=False)
        if engine is None:
            backend.close()


def build(
    engine: Engine | Callable[[], Engine] | Backend, *, local: bool = True, role: Callable[[str], Role] | None = None
) -> gr.Blocks:
    """The page over an engine, or over a function that opens one; for `launch`.

    Folders of this machine can be added only when the page is `local`. `role` gives that of a login; a login
    without one is a reader's, and without logins whoever has the page is an editor.
    """
    backend = engine if isinstance(engine, Backend) else Backend(engine)
    return Page(backend, local=local, role=role).blocks()


def launch(
    demo: gr.Blocks,
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    auth: Login | None = None,
    proxies: Sequence[Network] = (),
) -> str:
    """Start serving in the background and return the address. Raises InputError when the port is taken."""
    family = ["system-ui", "Segoe UI", "Roboto", "sans-serif"]
    theme = gr.themes.Base(primary_hue="blue", neutral_hue="slate", font=family, font_mono=["monospace"])
    hosts = (*LOOPBACK, host) if host in LOOPBACK else None
    app: dict[str, Any] = {
        "middleware": [Middleware(Guard, hosts=hosts, proxies=proxies), tabs(demo, has_logins=auth is not None)],
        "docs_url": None,
        "redoc_url": None,
        "exception_handlers": {WaitError: _wait},
    }
    try:
        _, url, _ = demo.launch(
            server_name=host,
            server_port=port,
            auth=auth,
            auth_message=(files("ui.web") / "login.html").read_text(encoding="utf-8") if auth else None,
            theme=theme,
            css=(files("ui") / "style.css").read_text(encoding="utf-8"),
            app_kwargs=app,
            max_file_size=uploads.MOST_BYTES,
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
        )
    except OSError as error:
        mend = f"choose another: citewire chat --port {(port or PORTS_FROM) + 1}"
        raise InputError(f"port {port} on {host} cannot be used; {mend}") from error
    return str(url)


async def _wait(request: Request, error: WaitError) -> JSONResponse:
    """What a login is answered that comes too soon, in the form of Gradio's own answers."""
    del request
    return JSONResponse({"detail": str(error)}, status_code=429, headers={"Retry-After": str(error.wait_s)})
