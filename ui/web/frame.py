"""Frame: what the parts of the page share: the backend, the sessions, and the components that more than one changes."""

from __future__ import annotations

import os
import secrets
from importlib.resources import files
from typing import TYPE_CHECKING, Any

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read by gradio when it is imported

import gradio as gr

from ui.library import Library
from ui.session import Sessions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rag.engine import Engine
    from ui.backend import Backend

Updates = dict[Any, Any]
"""What an event changes: component → new value or gr.update()."""

QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
AT_ONCE: dict[str, Any] = {**QUIET, "queue": False}
"""For events that do not wait their turn."""


class Frame:
    """One for the page; it serves every session."""

    def __init__(self, backend: Backend, *, local: bool) -> None:
        """Create inside gr.Blocks. `local` says that only this machine reaches the page."""
        self.backend = backend
        self.local = local
        self.sessions = Sessions()
        self._library: Library | None = None
        self.memory = gr.BrowserState(None, storage_key="citewire", secret="not secret")  # noqa: S106
        """{"owner": whose conversations, "settings": …} in the browser; the secret hides it from nobody."""

    def lay_out(self) -> None:
        """The parts that float above the others."""
        script = (files("ui") / "web" / "page.js").read_text(encoding="utf-8")
        self.bus = region("", "bus", js=script)
        self.reader = region("", "reader", js=_READING)
        self.export = region("", "export", js=_SAVING)

    def engine(self) -> Engine:
        """The engine, opened. Raises what opening raised."""
        engine = self.backend.opened()
        assert engine is not None  # noqa: S101 - nothing cancels it
        return engine

    def library(self) -> Library:
        """The articles. Raises what opening raised."""
        index = self.engine().index
        if self._library is None or self._library.index is not index:
            self._library = Library(index)
        return self._library


def region(value: Any, name: str, *, live: bool = False, js: str = "") -> gr.HTML:
    """A part of the page that we fill with HTML. Screen readers announce the changes of a live one."""
    announce = "element.setAttribute('aria-live', 'polite');" if live else ""
    return gr.HTML(value, elem_id=name, js_on_load=announce + js or None, apply_default_css=False)


def owner(memory: object, request: gr.Request) -> str:
    """Whose conversations a visitor sees: the login's, else the browser's; "" when neither is known."""
    if getattr(request, "username", None):
        return f"login:{request.username}"
    known = memory.get("owner") if isinstance(memory, dict) else None
    return f"browser:{known}" if isinstance(known, str) and len(known) >= 16 else ""


def new_owner() -> str:
    """A name for a browser that nobody can guess."""
    return secrets.token_urlsafe(24)


def details(event: gr.EventData) -> Mapping[str, Any]:
    """What page.js sent along: texts, but for `checked`."""
    sent = getattr(event, "_data", None)
    return sent if isinstance(sent, dict) else {}


_READING = """
watch('value', () => {
  const here = element.querySelector('#here');
  if (here) here.scrollIntoView({block: 'center'});
  const article = element.querySelector('.reading');
  if (article) article.focus({preventScroll: true});
  else if (window.citewireOpener?.isConnected) window.citewireOpener.focus();
});
"""
"""Brings the marked words into view, and the focus to the article and back."""

_SAVING = """
watch('value', () => {
  const file = element.querySelector('pre[data-name]');
  if (!file) return;
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([file.textContent], {type: 'text/plain'}));
  link.download = file.dataset.name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
});
"""
"""Saves what is put here as a file."""
