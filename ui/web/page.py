"""The page: what is where, which part owns it, and what happens when a tab opens and closes. One serves everyone."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator  # noqa: TC003 (Gradio resolves the annotations)
from typing import TYPE_CHECKING, Any

import gradio as gr

from ui.web.chat import Chat
from ui.web.choices import Choices
from ui.web.frame import QUIET, Frame, Updates, new_owner, region
from ui.web.record import Record
from ui.web.shelf import Shelf

if TYPE_CHECKING:
    from ui.backend import Backend

STREAMS = 24
"""Events of one kind that may run at once; fewer than Gradio's 40 threads, so that no one waits for one."""


class Page:
    """The components and their events."""

    def __init__(self, backend: Backend, *, local: bool = True) -> None:
        """`backend` is shared by all sessions; `local` says that only this machine reaches the page."""
        self.backend = backend
        self.local = local

    def blocks(self) -> gr.Blocks:
        """Lay out the page and wire it."""
        with gr.Blocks(title="Citewire", analytics_enabled=False, fill_width=True) as demo:
            self.frame = Frame(self.backend, local=self.local)
            self.chat, self.shelf = Chat(self.frame), Shelf(self.frame)
            self.record, self.choices = Record(self.frame), Choices(self.frame)
            with gr.Column(elem_id="page"):
                self._lay_out()
            self._wire(demo)
        demo.queue(default_concurrency_limit=STREAMS, api_open=False)
        return demo

    def _lay_out(self) -> None:
        with gr.Row(elem_id="top"):
            region("<h1>Citewire</h1>", "name")
            self.status = region(self.backend.status(), "status", live=True)
            self.new = gr.Button("New chat", elem_id="new", size="sm", scale=0)
        with gr.Tabs(elem_id="tabs", overflow_behavior="wrap"):
            with gr.Tab("Ask", elem_id="ask-tab"), gr.Column(elem_id="talk"):
                self.chat.lay_out(self.shelf.lay_out_scope)
            with gr.Tab("Library", elem_id="library-tab") as self.library_tab:
                self.shelf.lay_out()
            with gr.Tab("Conversations", elem_id="record-tab") as self.record_tab:
                self.record.lay_out()
            with gr.Tab("Settings", elem_id="settings-tab") as self.settings_tab:
                self.choices.lay_out()
        self.frame.lay_out()

    def _wire(self, demo: gr.Blocks) -> None:
        scope = [self.shelf.outlet, self.shelf.since, self.shelf.until]
        self.chat.wire(self.status, self.new, scope)
        self.shelf.wire(self.status, self.library_tab, self.chat.start, self.chat.suggestions)
        self.record.wire(self.chat, self.record_tab)
        self.choices.wire(self.settings_tab)
        memory = self.frame.memory
        opened = [memory, self.status, self.chat.suggestions, self.shelf.outlet]
        opened += [self.choices.model, self.choices.mode, self.choices.caution, self.choices.length]
        demo.load(self._opened, memory, opened, **QUIET)
        demo.unload(self._closed)

    def _opened(self, memory: Any) -> Iterator[Updates]:
        """Everything at once that is known at once; the status again when the models are loaded or will not load."""
        self.backend.start()
        known = memory if isinstance(memory, dict) else {}
        known = {"owner": known.get("owner") or new_owner(), "settings": known.get("settings")}
        yield {self.frame.memory: known, self.status: self.backend.status()}
        with contextlib.suppress(Exception):  # the status line says what it was
            _, outlets = self.shelf.outlets()
            yield {
                self.chat.suggestions: self.chat.start(),
                self.shelf.outlet: outlets,
                **self.choices.restored(known),
            }
            self.backend.loaded(threading.Event())
        yield {self.status: self.backend.status()}

    def _closed(self, request: gr.Request) -> None:
        self.frame.sessions.drop(request.session_hash)
