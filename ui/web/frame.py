"""Frame: what the parts of the page share: the backend, the sessions, and the components that more than one changes."""

from __future__ import annotations

import os
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

# Read by gradio when it is imported, and when its queue is made. Its queue would hold the last 10,000 events and make a
# table of them with pandas after each; nothing here reads that.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["GRADIO_ANALYTICS_MAX_EVENTS"] = "1"
os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = str(2**31)

import gradio as gr
from gradio.utils import get_upload_folder

from index.errors import InputError
from ui.feeds import Feeds
from ui.html import beside
from ui.library import Library
from ui.originals import Originals
from ui.payload import TEXT_CHARS
from ui.session import Session, Sessions
from ui.tabs import PERSON

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rag.engine import Engine
    from ui.auth import Role
    from ui.backend import Backend
    from ui.folders import Folders

Updates = dict[Any, Any]
"""What an event changes: component → new value or gr.update()."""

MOST_BESIDE = 40
"""Conversations beside the page; the tab of the conversations has all."""
READERS_ASK = (
    "your login is a reader's: it asks, but does not add or remove; whoever runs the page can change that with: "
    "citewire auth role FILE NAME editor"
)
"""Said to a reader whose event would change the library."""

BUSY = "you are asking or checking something already; wait for it, or stop it"
"""For whoever may not begin more, see MOST_QUESTIONS."""
QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
AT_ONCE: dict[str, Any] = {**QUIET, "queue": False}
"""For events that do not wait their turn."""


class Frame:
    """One for the page; it serves every session."""

    def __init__(self, backend: Backend, *, folders: Folders, role: Callable[[str], Role] | None = None) -> None:
        """Create inside gr.Blocks. `folders` says which ones of this machine can be added.

        `role` gives that of a login; a login without one is a reader's. Without logins whoever has the page is an
        editor.
        """
        self.backend = backend
        self.folders = folders
        self._role = role
        self.sessions = Sessions()
        self.originals = Originals(lambda: self.engine().index)
        self.feeds = Feeds(self.backend.conversations)
        self._library: Library | None = None
        self.memory = gr.BrowserState(None, storage_key="citewire", secret="not secret")  # noqa: S106
        """{"owner": whose conversations, "settings": …} in the browser; the secret hides it from nobody."""

    def lay_out_beside(self) -> None:
        """The conversations beside the page."""
        self.beside = region("", "beside")

    def conversations(self, memory: object, request: gr.Request) -> str:
        """The last conversations of whoever sent an event, to stand beside the page; "" while they cannot be read."""
        try:
            whose = self.owner(memory, request)
            if not whose:
                return beside.conversations((), {}, today=date.today())
            store, current = self.backend.conversations(), self.known_session(request).conversation
            known = store.list(whose)[:MOST_BESIDE]
            snippets = store.snippets([one.id for one in known], whose)
            return beside.conversations(known, snippets, today=date.today(), current=current)
        except Exception:  # noqa: BLE001 (the tab of the conversations says what it was)
            return ""

    def lay_out(self) -> None:
        """The parts that float above the others."""
        script = (files("ui") / "web" / "page.js").read_text(encoding="utf-8")
        self.bus = region("", "bus", js=script)
        self.reader = region("", "reader", js=_READING)
        self.export = region("", "export", js=_SAVING)
        self.finished = region("", "finished", js=_FINISHED)
        self.place = region("", "place", js=_PLACED)

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

    def status(self, request: gr.Request, memory: object = None) -> str:
        """The status line for the tab that sent an event. `memory` is what its browser remembers, if that is known."""
        session = self.known_session(request)
        if isinstance(memory, dict):
            session.settings = memory.get("settings")
        return self.backend.status(session.settings)

    def session(self, request: gr.Request) -> Session:
        """The session of the tab that sent an event, begun if need be."""
        return self.sessions.of(request.session_hash, person(request))

    def known_session(self, request: gr.Request) -> Session:
        """The session of the tab that sent an event, or an empty one that nothing remembers."""
        return self.sessions.known(request.session_hash, person(request))

    def can_edit(self, request: gr.Request) -> bool:
        """Whether whoever sent an event may add and remove articles and download models. The client has no say."""
        name = getattr(request, "username", None)
        if self._role is None:
            return name is None
        return isinstance(name, str) and self._role(name) == "editor"

    def require_editor(self, request: gr.Request) -> None:
        """Raise InputError, with the command that mends it, unless whoever sent an event may add and remove."""
        if not self.can_edit(request):
            raise InputError(READERS_ASK)

    def owner(self, memory: object, request: gr.Request) -> str:
        """Whose conversations a visitor sees: the login's, else the browser's; "" when neither is known."""
        name = getattr(request, "username", None)
        if name or self._role is not None:
            return f"login:{name}" if name else ""
        known = memory.get("owner") if isinstance(memory, dict) else None
        return self.backend.owners().owner(known or self.known_session(request).owner)

    def named(self, memory: object, request: gr.Request) -> str:
        """The signed name of the browser that sent an event; a new one unless it has one that counts.

        A tab gets the same new name again until its browser has it.
        """
        owners = self.backend.owners()
        known = memory.get("owner") if isinstance(memory, dict) else None
        renewed, new = owners.renewed(known), owners.new()
        return self.sessions.name(request.session_hash, person(request), renewed=renewed, new=new)


def region(value: Any, name: str, *, live: bool = False, js: str = "") -> gr.HTML:
    """A part of the page that we fill with HTML. Screen readers announce the changes of a live one."""
    announce = "element.setAttribute('aria-live', 'polite');" if live else ""
    return gr.HTML(value, elem_id=name, js_on_load=announce + js or None, apply_default_css=False)


def person(request: gr.Request) -> str:
    """Who sent an event: the login, else the browser as ui/tabs.py knows it; "" in a test without a server."""
    name = getattr(request, "username", None)
    if name:
        return f"login:{name}"
    asked = getattr(request, "request", None)
    known = asked.scope.get(PERSON) if asked is not None else None
    return known if isinstance(known, str) else ""


def is_uploaded(path: object) -> bool:
    """Whether this is the path of a file that Gradio took in for an upload, links followed."""
    if not isinstance(path, str):
        return False
    try:
        given, folder = Path(path).resolve(strict=True), Path(get_upload_folder()).resolve()
    except (OSError, ValueError):
        return False
    return given.is_file() and folder in given.parents


def details(event: gr.EventData) -> Mapping[str, Any]:
    """What page.js sent along: texts, but for `checked`. What is of another type or too long is left out."""
    sent = getattr(event, "_data", None)
    return {name: value for name, value in sent.items() if _is_plain(value)} if isinstance(sent, dict) else {}


def words(value: object, *, most_chars: int = TEXT_CHARS) -> str:
    """The text of a field, cut to `most_chars`; "" for what is no text."""
    return value[:most_chars] if isinstance(value, str) else ""


def _is_plain(value: object) -> bool:
    return isinstance(value, bool) or (isinstance(value, str) and len(value) <= TEXT_CHARS)


_READING = """
watch('value', () => {
  const here = element.querySelector('#here');
  if (here) here.scrollIntoView({block: 'center'});
  const article = element.querySelector('.reading');
  if (article) article.focus({preventScroll: true});
  else if (window.citewireOpener?.isConnected) window.citewireOpener.focus();
  window.citewirePlaced?.();
});
"""
"""Brings the marked words into view, and the focus to the article and back."""

_PLACED = "watch('value', () => window.citewirePlaced?.());"
"""Writes what is shown into the address of the page, see page.js."""

_SAVING = """
watch('value', () => {
  const file = element.querySelector('pre[data-name]');
  if (!file) return;
  const link = document.createElement('a');
  const bytes = () => Uint8Array.from(atob(file.textContent), (one) => one.charCodeAt(0));
  const content = file.dataset.encoding === 'base64' ? bytes() : file.textContent;
  link.href = URL.createObjectURL(new Blob([content], {type: 'application/octet-stream'}));
  link.download = file.dataset.name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
});
"""
"""Saves what is put here as a file."""

_FINISHED = """
const list = (id) => document.querySelector(`#${id} .taken`) || (() => {
  const made = document.createElement('div');
  made.className = 'taken';
  document.getElementById(id).append(made);
  return made;
})();
const put = (into, node, isFirst) => {
  const old = [...into.children].find((one) => one.dataset.number === node.dataset.number);
  if (old) old.replaceWith(node);
  else if (isFirst) into.prepend(node);
  else into.append(node);
};
watch('value', () => {
  const sent = element.querySelector('.finished');
  if (!sent) return;
  const keep = Number(sent.dataset.keep);
  for (const one of document.querySelectorAll('#past .taken > *, #earlier .taken > *')) {
    if (Number(one.dataset.number) > keep) one.remove();
  }
  for (const node of [...sent.querySelectorAll(':scope > div > .exchange')]) put(list('past'), node, false);
  for (const node of [...sent.querySelectorAll(':scope > div > .earlier')]) put(list('earlier'), node, true);
});
"""
"""Takes finished exchanges into the past of the conversation, and their sources, folded, below those of the last."""
