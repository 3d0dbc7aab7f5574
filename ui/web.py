"""The chat page: Gradio wiring and nothing else. The only file that imports gradio.

Knows no retrieval, no prompts and no HTML (see ui/render.py). Each browser tab is one session, kept in this
process only, and a session's Stop is an Event that its running question listens to: Gradio's own cancelling
waits for the next token, and reading a prompt takes longer than a reader's patience.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import sys
import threading
import unicodedata
import webbrowser
from collections.abc import Callable, Iterator  # noqa: TC003 (Gradio resolves the annotations)
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

# Read by gradio and huggingface_hub when they are imported.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

import gradio as gr
from starlette.middleware import Middleware

from index.errors import Error, InputError
from rag.answer import Answer, Turn
from rag.engine import Engine, Evidence, Token
from ui import render

if TYPE_CHECKING:
    from rag.settings import Settings

EXAMPLES = (
    "When did the six-party talks break down?",
    "What did Putin and Abe agree about the disputed islands?",
    "Why can cooperation between Russia and Japan only go so far?",
)
"""Questions about the sample articles in seeds/."""
UPLOAD_TYPES = (".txt", ".md", ".html")
UPLOAD_BYTES = 20 * 1024 * 1024
"""Largest file an upload may have; a long newspaper article is a thousandth of it."""
NAME_CHARS = 80
"""Longest stem an uploaded file keeps."""
QUESTION_CHARS = 1000
STREAMS = 16
"""Events of one kind that may run at once; fewer than Gradio's 40 threads, so that no one waits for one."""
PORTS_FROM = 7860
POLL_S = 0.1
LOOPBACK = ("127.0.0.1", "localhost", "::1")

Updates = dict[Any, Any]
"""What an event changes: component → new value or gr.update()."""


def serve(
    home: str | Path | None = None,
    *,
    host: str = "127.0.0.1",
    port: int | None = PORTS_FROM,
    open_browser: bool = True,
    settings: Settings | None = None,
    engine: Engine | None = None,
) -> None:
    """Serve the page until interrupted. `port` None takes the first free one from 7860.

    The page is up before the models are loaded. An `engine` that is handed in stays open afterwards.
    Raises InputError when the port is taken.
    """
    backend = Backend((lambda: Engine.open(home, settings=settings)) if engine is None else engine)
    demo = build(backend)
    try:
        url = launch(demo, host=host, port=port)
        backend.start()  # not sooner: loading takes the processor that the page needs to come up
        sys.stdout.write(f"Citewire is at {url} (Ctrl+C stops it)\n")
        if host not in LOOPBACK:
            sys.stdout.write(f"Whoever can reach {host} can read the articles and add to them.\n")
        sys.stdout.flush()
        if open_browser:
            webbrowser.open(url)
        demo.block_thread()
    finally:
        demo.close(verbose=False)
        if engine is None:
            backend.close()


def build(engine: Engine | Callable[[], Engine] | Backend) -> gr.Blocks:
    """The page over an engine, or over a function that opens one; for `launch`."""
    backend = engine if isinstance(engine, Backend) else Backend(engine)
    return Page(backend).blocks()


def launch(demo: gr.Blocks, *, host: str = "127.0.0.1", port: int | None = None) -> str:
    """Start serving in the background and return the address. Raises InputError when the port is taken."""
    family = ["system-ui", "Segoe UI", "Roboto", "sans-serif"]
    theme = gr.themes.Base(primary_hue="blue", neutral_hue="slate", font=family, font_mono=["monospace"])
    hosts = (*LOOPBACK, host) if host in LOOPBACK else None
    try:
        _, url, _ = demo.launch(
            server_name=host,
            server_port=port,
            theme=theme,
            css=(files("ui") / "style.css").read_text(encoding="utf-8"),
            app_kwargs={"middleware": [Middleware(Guard, hosts=hosts)], "docs_url": None, "redoc_url": None},
            max_file_size=UPLOAD_BYTES,
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


class Guard:
    """ASGI middleware: one origin, no files, no proxying, and no other names for a loopback server.

    Gradio can serve files and fetch remote addresses for its media components; this page has none. The
    policy keeps a browser from loading anything from elsewhere, even if text got past the escaping. Checking
    the Host header keeps a web site that points its own name at 127.0.0.1 from reading the articles.
    """

    CLOSED = (*(f"/gradio_api/{name}" for name in ("file", "proxy", "stream/", "deep_link")), "/openapi.json")
    HEADERS = (
        (
            b"content-security-policy",
            b"default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
            b"style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
            b"object-src 'none'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'",
        ),
        (b"referrer-policy", b"no-referrer"),
        (b"x-content-type-options", b"nosniff"),
    )

    def __init__(self, app: Any, *, hosts: tuple[str, ...] | None) -> None:
        """`hosts` are the names the server answers to; None is any."""
        self.app = app
        self.hosts = hosts

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve or refuse one request."""
        if scope["type"] == "http" and not self._allowed(scope):
            await send({"type": "http.response.start", "status": 403, "headers": []})
            await send({"type": "http.response.body", "body": b"Forbidden"})
            return

        async def send_guarded(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *self.HEADERS]
            await send(message)

        await self.app(scope, receive, send_guarded)

    def _allowed(self, scope: Any) -> bool:
        if re.sub("/+", "/", scope["path"]).startswith(self.CLOSED):
            return False
        host = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
        return self.hosts is None or re.sub(r":\d+$", "", host).strip("[]") in self.hosts


class Backend:
    """The engine, opened and loaded in a thread behind the page. A failed load is tried again on demand."""

    def __init__(self, engine: Engine | Callable[[], Engine]) -> None:
        """`engine` may be a function that opens one; it is called in that thread."""
        self._make: Callable[[], Engine] = engine if callable(engine) else lambda: engine
        self._engine: Engine | None = None
        self._opened: Future[Engine] | None = None
        self._loaded: Future[Engine] | None = None
        self._lock = threading.Lock()

    def start(self) -> None:
        """Begin to open and load, unless that is under way or done."""
        with self._lock:
            if self._loaded is not None and not (self._loaded.done() and self._loaded.exception()):
                return
            self._opened, self._loaded = Future(), Future()
            threading.Thread(
                target=self._load, args=(self._opened, self._loaded), name="citewire-load", daemon=True
            ).start()

    def loaded(self, cancel: threading.Event) -> Engine | None:
        """Wait for the engine and its models; None once `cancel` is set. Raises what loading raised."""
        return self._wait("_loaded", cancel)

    def opened(self, cancel: threading.Event) -> Engine | None:
        """Wait for the engine only; None once `cancel` is set. Raises what opening raised."""
        return self._wait("_opened", cancel)

    def status(self) -> str:
        """The status line as things are now."""
        loaded = self._loaded
        if loaded is None or not loaded.done():
            return render.status("Loading the models… You can ask already and the answer will follow.")
        error = loaded.exception()
        if error is not None:
            return render.status(_told(error), "error")
        engine = loaded.result()
        articles = engine.index.stats().articles
        if not articles:
            text = "no articles yet. Add some below, or run: citewire index add FOLDER"
        else:
            text = "1 article" if articles == 1 else f"{articles:,} articles"
        return render.status(f"Ready: {engine.model}, {text}", "ready")

    def close(self) -> None:
        """Close the engine if it was opened."""
        if self._engine is not None:
            self._engine.close()

    def _wait(self, stage: str, cancel: threading.Event) -> Engine | None:
        self.start()
        future: Future[Engine] = getattr(self, stage)
        while not cancel.is_set():
            if wait([future], timeout=POLL_S).done:
                return future.result()
        return None

    def _load(self, opened: Future[Engine], loaded: Future[Engine]) -> None:
        try:
            if self._engine is None:
                self._engine = self._make()
            opened.set_result(self._engine)
            self._engine.load()
            loaded.set_result(self._engine)
        except Exception as error:  # noqa: BLE001 (shown on the page; without it the page would wait forever)
            for future in (opened, loaded):
                if not future.done():
                    future.set_exception(error)


@dataclass(slots=True)
class Exchange:
    """One question and what the page shows for it, as HTML."""

    number: int
    question: str
    shown: str = ""
    panel: str = ""
    written: str = ""
    turn: Turn | None = None


@dataclass(slots=True)
class Session:
    """What one browser tab asked, and the Event that stops what it is asking."""

    exchanges: list[Exchange] = field(default_factory=list)
    running: threading.Event | None = None

    def history(self) -> list[Turn]:
        """The exchanges that were answered, oldest first."""
        return [exchange.turn for exchange in self.exchanges if exchange.turn is not None]

    def panel(self) -> str:
        """The sources of the last question, and those of earlier ones folded away."""
        *earlier, last = self.exchanges
        folded = [render.earlier_sources(exchange.question, exchange.panel) for exchange in reversed(earlier)]
        return last.panel + "".join(folded)

    def stop(self) -> None:
        """Stop the running question, if there is one."""
        if self.running is not None:
            self.running.set()


class Page:
    """The components and their events. One Page serves every session."""

    def __init__(self, backend: Backend) -> None:
        """`backend` is shared by all sessions."""
        self.backend = backend
        self.sessions: dict[str, Session] = {}

    def blocks(self) -> gr.Blocks:
        """Lay out the page and wire it."""
        with gr.Blocks(title="Citewire", analytics_enabled=False, fill_width=True) as demo:
            with gr.Column(elem_id="page"):
                self._lay_out()
            self._wire(demo)
        demo.queue(default_concurrency_limit=STREAMS, api_open=False)
        return demo

    def _lay_out(self) -> None:
        with gr.Row(elem_id="top"):
            _region("<h1>Citewire</h1>", "name")
            self.status = _region(self.backend.status(), "status", live=True)
            self.new = gr.Button("New chat", elem_id="new", size="sm", scale=0)
        with gr.Column(elem_id="conversation"):
            self.past = _region("", "past")
            self.current = _region("", "current", live=True, js=_FOLLOW)
            with gr.Column(elem_id="examples") as self.examples:
                _region("<p>Ask about the articles, for example:</p>", "invitation")
                self.example_buttons = [gr.Button(text, size="sm", elem_classes="example") for text in EXAMPLES]
        with gr.Column(elem_id="sources"):
            self.panel = _region(render.no_sources(), "panel")
        with gr.Column(elem_id="composer"):
            with gr.Row(elem_id="asking"):
                self.question = gr.Textbox(
                    label="Your question",
                    placeholder="Ask about the articles",
                    max_length=QUESTION_CHARS,
                    lines=1,
                    max_lines=4,
                    autofocus=True,
                    container=False,
                    elem_id="question",
                    scale=1,
                )
                self.ask = gr.Button("Ask", variant="primary", elem_id="ask", scale=0)
                self.stop = gr.Button("Stop", variant="stop", elem_id="stop", scale=0, interactive=False)
            with gr.Row(elem_id="adding"):
                self.upload = gr.UploadButton(
                    "Add articles (.txt, .md, .html)",
                    file_count="multiple",
                    file_types=list(UPLOAD_TYPES),
                    size="sm",
                    elem_id="upload",
                    scale=0,
                )
                self.added = _region("", "added", live=True)

    def _wire(self, demo: gr.Blocks) -> None:
        quiet = {"api_visibility": "private", "show_progress": "hidden"}
        at_once = {**quiet, "queue": False}
        controls = [self.question, self.ask, self.stop, self.examples]
        asked = [*controls, self.past, self.current, self.panel, self.status]
        typed = [self.ask.click, self.question.submit]
        asking = [
            gr.on(typed, self._ask, self.question, asked, trigger_mode="once", **quiet),
            *(button.click(self._ask, button, asked, **quiet) for button in self.example_buttons),
        ]
        self.stop.click(self._stop, None, [self.status, self.stop], **at_once)
        self.new.click(self._new_chat, None, asked, cancels=asking, **at_once)
        self.upload.upload(self._upload, self.upload, [self.added, self.status, self.upload], **quiet)
        demo.load(self._watch_loading, None, self.status, **quiet)
        demo.unload(self._forget)

    def _watch_loading(self) -> Iterator[str]:
        """The status line at once, and again when the models are loaded or will not load."""
        self.backend.start()
        yield self.backend.status()
        with contextlib.suppress(Exception):  # the status line says what it was
            self.backend.loaded(threading.Event())
        yield self.backend.status()

    def _ask(self, question: str, request: gr.Request) -> Iterator[Updates]:
        session = self.sessions.setdefault(request.session_hash or "", Session())
        if session.running is not None or not question.strip():
            yield {self.status: gr.skip()}
            return
        cancel = session.running = threading.Event()
        exchange = Exchange(len(session.exchanges) + 1, question.strip()[:QUESTION_CHARS])
        try:
            yield self._begin(session, exchange)
            for updates in self._reply(session, exchange, cancel):
                if session is self.sessions.get(request.session_hash or ""):
                    yield updates
        finally:
            cancel.set()
            session.running = None
        yield {
            self.status: self.backend.status(),
            self.ask: gr.update(interactive=True),
            self.stop: gr.update(interactive=False),
        }

    def _begin(self, session: Session, exchange: Exchange) -> Updates:
        past = "".join(earlier.shown for earlier in session.exchanges)
        session.exchanges.append(exchange)
        return {
            self.question: "",
            self.ask: gr.update(interactive=False),
            self.stop: gr.update(interactive=True),
            self.examples: gr.update(visible=False),
            self.past: past,
            self.current: render.exchange(exchange.question, render.writing(""), busy=True),
            self.status: self.backend.status(),
            self.panel: session.panel(),
        }

    def _reply(self, session: Session, exchange: Exchange, cancel: threading.Event) -> Iterator[Updates]:
        """Wait for the models, then show evidence, tokens and the checked answer; or what went wrong."""
        try:
            engine = self.backend.loaded(cancel)
            if engine is None:
                yield self._show(exchange, render.stopped())
                return
            yield {self.status: render.status("Searching the articles…")}
            for event in engine.stream(exchange.question, history=session.history(), cancel=cancel):
                yield self._event(session, exchange, event)
        except Exception as error:  # noqa: BLE001 (a question that fails must not end the conversation)
            yield self._show(exchange, render.problem(_told(error)))

    def _event(self, session: Session, exchange: Exchange, event: Evidence | Token | Answer) -> Updates:
        if isinstance(event, Token):
            exchange.written += event.text
            return {**self._show(exchange, render.writing(exchange.written), busy=True), **self._writing}
        if isinstance(event, Evidence):
            exchange.panel = render.evidence(event.sources)
            return {self.status: render.status("Reading the passages…"), self.panel: session.panel()}
        exchange.turn = Turn(exchange.question, event.text) if event.text.strip() else None
        exchange.panel = render.sources(event, exchange_number=exchange.number)
        reply = render.answer(event, exchange_number=exchange.number, draft=exchange.written)
        return {**self._show(exchange, reply), self.panel: session.panel()}

    @property
    def _writing(self) -> Updates:
        return {self.status: render.status("Writing the answer…")}

    def _show(self, exchange: Exchange, reply: str, *, busy: bool = False) -> Updates:
        exchange.shown = render.exchange(exchange.question, reply, busy=busy)
        return {self.current: exchange.shown}

    async def _stop(self, request: gr.Request) -> tuple[Any, Any]:
        """Set the Event. A coroutine, so that it needs no thread when all of them wait for the model."""
        session = self.sessions.get(request.session_hash or "")
        if session is None or session.running is None:
            return gr.skip(), gr.skip()
        session.stop()
        return render.status("Stopping…"), gr.update(interactive=False)

    async def _new_chat(self, request: gr.Request) -> Updates:
        session = self.sessions.pop(request.session_hash or "", None)
        if session is not None:
            session.stop()
        return {
            self.past: "",
            self.current: "",
            self.panel: render.no_sources(),
            self.examples: gr.update(visible=True),
            self.ask: gr.update(interactive=True),
            self.stop: gr.update(interactive=False),
        }

    def _forget(self, request: gr.Request) -> None:
        session = self.sessions.pop(request.session_hash or "", None)
        if session is not None:
            session.stop()

    def _upload(self, paths: list[str] | None) -> Iterator[Updates]:
        """Copy the files into the home, index them, and say what became of each."""
        if not paths:
            yield {self.added: ""}
            return
        yield {
            self.added: render.status(f"Reading {len(paths)} file{'s' if len(paths) > 1 else ''}…"),
            self.upload: gr.update(interactive=False),
        }
        try:
            results = self._index([Path(path) for path in paths])
            added = render.uploads(results)
        except Exception as error:  # noqa: BLE001 (shown in place of the result)
            added = render.problem(_told(error))
        yield {
            self.added: added,
            self.status: self.backend.status(),
            self.upload: gr.update(value=None, interactive=True),
        }

    def _index(self, paths: list[Path]) -> list[render.FileResult]:
        engine = self.backend.opened(threading.Event())
        if engine is None:
            return []
        folder = engine.index.uploads
        results: list[render.FileResult] = []
        stored: dict[str, str] = {}
        for path in paths:
            try:
                stored[keep(path, folder=folder).name] = path.name
            except (Error, OSError) as error:
                results.append(render.FileResult(path.name, _told(error)))
            finally:
                path.unlink(missing_ok=True)
        if stored:
            report = engine.index.sync([folder])
            problems = {Path(failure.path).name: failure.reason for failure in report.failed}
            results += [render.FileResult(name, problems.get(kept)) for kept, name in stored.items()]
        return results


def keep(upload: Path, *, folder: Path) -> Path:
    """Copy an uploaded file into `folder` under a harmless name, and return the copy.

    The same name and content is not copied again; other content gets its own name ("report-2.txt").
    Raises InputError for a type that is not in UPLOAD_TYPES and for a file over UPLOAD_BYTES.
    """
    suffix = upload.suffix.lower()
    if suffix not in UPLOAD_TYPES:
        raise InputError(f"only {', '.join(UPLOAD_TYPES)} can be added here; run: citewire index add FILE")
    if upload.stat().st_size > UPLOAD_BYTES:
        raise InputError(f"larger than {UPLOAD_BYTES // 1024**2} MB; run: citewire index add FILE")
    content = upload.read_bytes()
    folder.mkdir(parents=True, exist_ok=True)
    stem = harmless(upload.stem)
    for number in itertools.count(1):
        kept = folder / (f"{stem}{suffix}" if number == 1 else f"{stem}-{number}{suffix}")
        try:
            with kept.open("xb") as file:
                file.write(content)
        except FileExistsError:
            if kept.is_file() and not kept.is_symlink() and kept.read_bytes() == content:
                return kept
            continue
        return kept
    raise AssertionError("unreachable")


def harmless(stem: str) -> str:
    """`stem` as a plain file name on any system: letters, digits, space, dot, hyphen; never hidden."""
    plain = re.sub(r"[^\w .-]+", "_", unicodedata.normalize("NFC", stem))
    plain = plain.strip(" ._-")[:NAME_CHARS].strip(" ._-")
    if not plain:
        return "article"
    return f"_{plain}" if re.fullmatch(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?", plain) else plain


_FOLLOW = """
watch('value', () => {
  const pane = document.getElementById('conversation');
  if (element.querySelector('.waiting')) element.scrollIntoView({block: 'start'});
  else if (pane.scrollHeight - pane.scrollTop - pane.clientHeight < 240) pane.scrollTop = pane.scrollHeight;
});
"""
"""Keeps the end of the answer in view, unless the reader has scrolled up."""


def _region(value: Any, name: str, *, live: bool = False, js: str = "") -> gr.HTML:
    """A part of the page that we fill with HTML. Screen readers announce the changes of a live one."""
    announce = "element.setAttribute('aria-live', 'polite');" if live else ""
    return gr.HTML(value, elem_id=name, js_on_load=announce + js or None, apply_default_css=False)


def _told(error: BaseException) -> str:
    """An error in words: its own if it is ours, else with its type, since nobody expected it."""
    return str(error) if isinstance(error, Error) else f"{type(error).__name__}: {error}"
