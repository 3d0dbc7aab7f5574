"""The page: what is where, which part owns it, and what happens when a tab opens and closes. One serves everyone."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator  # noqa: TC003 (Gradio resolves the annotations)
from typing import TYPE_CHECKING, Any

import gradio as gr
from starlette.middleware import Middleware
from starlette.requests import Request

from ui import links
from ui.html import render
from ui.payload import Field, Shape, cleaned
from ui.tabs import PERSON, Tabs
from ui.web.ask_tab import AskTab
from ui.web.briefings_tab import BriefingsTab
from ui.web.check_tab import CheckTab
from ui.web.conversations_tab import ConversationsTab
from ui.web.frame import AT_ONCE, QUIET, Frame, Updates, is_uploaded, person, region
from ui.web.library_tab import LibraryTab
from ui.web.saving import Saving
from ui.web.settings_tab import SettingsTab
from ui.web.visits import Visits

if TYPE_CHECKING:
    from ui.auth import Role
    from ui.backend import Backend
    from ui.folders import Folders

STREAMS = 24
"""Events of one kind that may run at once; fewer than Gradio's 40 threads, so that no one waits for one."""


class Page:
    """The components and their events."""

    def __init__(self, backend: Backend, *, folders: Folders, role: Callable[[str], Role] | None = None) -> None:
        """`backend` is shared by all sessions; `folders` says which ones of this machine can be added.

        `role` gives that of a login; see Frame.
        """
        self.backend = backend
        self.folders = folders
        self.role = role

    def blocks(self) -> gr.Blocks:
        """Lay out the page and wire it."""
        with gr.Blocks(title="Citewire", analytics_enabled=False, fill_width=True) as demo:
            self.frame = Frame(self.backend, folders=self.folders, role=self.role)
            self.ask, self.library = AskTab(self.frame), LibraryTab(self.frame)
            self.check, self.briefings = CheckTab(self.frame), BriefingsTab(self.frame)
            self.conversations, self.settings = ConversationsTab(self.frame), SettingsTab(self.frame)
            with gr.Column(elem_id="page"):
                self._lay_out()
            self._wire(demo)
        demo.on_given_up = self._given_up  # for `launch`, which has nothing else of the page
        demo.originals, demo.feeds = self.frame.originals, self.frame.feeds
        demo.queue(default_concurrency_limit=STREAMS, api_open=False)
        return demo

    def _lay_out(self) -> None:
        with gr.Row(elem_id="top"):
            region(render.name(), "name")
            self.status = region(self.backend.status(), "status", live=True)
            self.new = gr.Button("New chat", elem_id="new", size="sm", scale=0)
        self.frame.lay_out_beside()
        with gr.Tabs(elem_id="tabs", overflow_behavior="wrap"):
            with gr.Tab("Ask", elem_id="ask-tab"), gr.Column(elem_id="talk"):
                self.ask.lay_out(self.library.lay_out_scope)
            with gr.Tab("Library", elem_id="library-tab") as self.library_tab:
                self.library.lay_out()
            with gr.Tab("Check", elem_id="check-tab"):
                self.check.lay_out()
            with gr.Tab("Briefings", elem_id="briefings-tab") as self.briefings_tab:
                self.briefings.lay_out()
            with gr.Tab("Conversations", elem_id="conversations-tab") as self.conversations_tab:
                self.conversations.lay_out()
            with gr.Tab("Settings", elem_id="settings-tab") as self.settings_tab:
                self.settings.lay_out()
        self.frame.lay_out()

    def _wire(self, demo: gr.Blocks) -> None:
        scope = [self.library.outlet, self.library.since, self.library.until]
        self.ask.wire(self.status, self.new, scope)
        self.library.wire(self.status, self.library_tab, self.ask)
        self.check.wire(scope)
        self.conversations.wire(self.ask, self.conversations_tab)
        self.briefings.wire(self.ask, self.briefings_tab)
        Saving(self.frame, self.ask, self.conversations, self.check, self.briefings)
        Visits(self.frame, self.ask, self.conversations, self.briefings).wire()
        self.settings.wire(self.settings_tab, self.status)
        memory = self.frame.memory
        opened = [memory, self.status, self.ask.suggestions, self.library.outlet, self.library.adding]
        opened += [self.library.narrowed, self.ask.drop, self.frame.beside, self.frame.place]
        opened += [self.settings.model, self.settings.mode, self.settings.caution, self.settings.length]
        demo.load(self._opened, memory, opened, **QUIET)
        self.frame.bus.remember(self._remember, memory, memory, **AT_ONCE)
        demo.unload(self._closed)

    def _opened(self, memory: Any, request: gr.Request) -> Iterator[Updates]:
        """Everything at once that is known at once; the status again when the models are loaded or will not load."""
        self.backend.start()
        known = memory if isinstance(memory, dict) else {}
        may_add = {self.library.adding: gr.update(visible=self.frame.can_edit(request))}
        yield {self.status: self.frame.status(request, known), **may_add}
        opened = {self.frame.place: links.OPENED}
        with contextlib.suppress(Exception):  # the status line says what it was
            self.backend.owners()  # the home is open, and what page.js asks for now is answered at once
            if isinstance(memory, dict):
                known = self._named(memory, request)
                yield {self.frame.memory: known}
            yield opened
            opened = {}
            _, outlets = self.library.outlets()
            yield {
                self.ask.suggestions: self.ask.start(request),
                self.ask.drop: self.library.to_drop(request),
                self.frame.beside: self.frame.conversations(known, request),
                self.library.outlet: outlets,
                self.library.narrowed: self.library.tags_to_ask(request),
                **self.settings.restored(known),
            }
            self.backend.loaded(threading.Event())
        yield {self.status: self.frame.status(request, known), **opened}

    def _remember(self, memory: Any, request: gr.Request) -> Any:
        """What a browser without a name is to remember; page.js asks for it.

        A new name is never sent unasked: what the browser remembers may have been read too late to come with an event,
        and would be replaced.
        """
        try:
            return self._named(memory if isinstance(memory, dict) else {}, request)
        except Exception:  # noqa: BLE001 (the status line says what it was)
            return gr.skip()

    def _named(self, memory: dict[str, Any], request: gr.Request) -> dict[str, Any]:
        """What a browser remembers, with a name that is accepted: its own, or a new one."""
        return self.settings.remembered({**memory, "owner": self.frame.named(memory, request)})

    def _given_up(self, event: Any) -> None:
        """Nobody listens to an event of Gradio's queue any more: stop the question of its tab, if it asks one."""
        if event.fn._id in {*self.ask.asking, self.check.checking["id"]}:
            self.frame.sessions.known(event.session_hash, event.request.scope.get(PERSON, "")).stop()

    def _closed(self, request: gr.Request) -> None:
        self.frame.sessions.drop(request.session_hash, person(request))


def tabs(demo: gr.Blocks, *, has_logins: bool) -> Middleware:
    """What ties the tabs of a page to those who opened them and checks their events; for `gr.Blocks.launch`."""
    known = shapes(demo)

    def clean(sent: object) -> dict[str, Any]:
        return cleaned(sent, known, is_uploaded=is_uploaded)

    def login(scope: Any) -> str | None:
        cookies = Request(scope).cookies
        for kind in ("", "-unsecure"):
            name = demo.app.tokens.get(cookies.get(f"access-token{kind}-{demo.app.cookie_id}"))
            if name is not None:
                return str(name)
        return None

    def tab_of(event: str) -> str | None:
        queued = demo._queue.event_ids_to_events.get(event)
        return None if queued is None else str(queued.session_hash)

    def is_waiting(tab: str) -> bool:
        return tab in demo._queue.pending_messages_per_session

    return Middleware(Tabs, clean=clean, login=login if has_logins else None, tab_of=tab_of, is_waiting=is_waiting)


def shapes(demo: gr.Blocks) -> dict[int, Shape]:
    """What each event of a page that a client may send takes, by its number; for ui/payload.py."""
    return {
        number: Shape(tuple(map(_field, event.inputs)), has_details=bool(event.collects_event_data))
        for number, event in demo.fns.items()
        if event.fn is not None and any(name != "unload" for _, name in event.targets)
    }


def _field(component: Any) -> Field:
    if isinstance(component, gr.BrowserState):
        return Field("memory")
    if isinstance(component, (gr.File, gr.UploadButton)):
        return Field("files")
    if isinstance(component, gr.Slider):
        return Field("number", least=component.minimum, most=component.maximum)
    if isinstance(component, gr.Radio):
        return Field("text", choices=tuple(value for _, value in component.choices))
    return Field("text")
