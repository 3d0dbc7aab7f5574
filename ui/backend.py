"""Backend: the engine, opened and loaded in a thread behind the page, and what it says of itself. Knows no Gradio."""

from __future__ import annotations

import contextlib
import re
import threading
from collections import Counter
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING

from index.errors import Error
from ui import preferences
from ui.conversations import Conversations
from ui.html import render
from ui.html.markup import count
from ui.owners import Owners
from ui.uploads import Uploads

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rag.engine import Engine

POLL_S = 0.1
LOADING_S = 5.0
"""Longest wait for models that are being loaded when the server stops: a process that ends while their native code runs
in a thread is aborted."""
IDLE_S = 3.0
"""How often someone looks whether there is something to do while nobody asks; the first time, how long the page has to
come up."""
TRIES = 5
"""How often a model is measured until that succeeds: one that says next to nothing never does."""

_COMMAND = re.compile(r"(?:^|[;.,:])\s*[^;.:]*:?\s*\bcitewire (?:index|models|doctor|backup|restore)\b.*$", re.DOTALL)


class Backend:
    """Shared by all visitors. A failed load is tried again on demand."""

    def __init__(self, engine: Engine | Callable[[], Engine]) -> None:
        """`engine` may be a function that opens one; it is called in a thread."""
        self.words_per_s: dict[str, float] = {}
        self._make: Callable[[], Engine] = engine if callable(engine) else lambda: engine
        self._engine: Engine | None = None
        self._opened: Future[Engine] | None = None
        self._loaded: Future[Engine] | None = None
        self._conversations: Conversations | None = None
        self._owners: Owners | None = None
        self._uploads: Uploads | None = None
        self._lock = threading.Lock()
        self._closed = threading.Event()

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

    def opened(self, cancel: threading.Event | None = None) -> Engine | None:
        """Wait for the engine only; None once `cancel` is set. Raises what opening raised.

        Once it is open, models that did not load are not tried again for this.
        """
        if self._engine is not None:
            return self._engine
        return self._wait("_opened", cancel or threading.Event())

    def conversations(self) -> Conversations:
        """The conversations of the engine's home. Raises what opening raised."""
        engine = self.opened()
        assert engine is not None  # noqa: S101 - nothing cancels it
        with self._lock:
            if self._conversations is None:
                self._conversations = Conversations(engine.index.home)
            return self._conversations

    def owners(self) -> Owners:
        """The names of the browsers that keep conversations in the engine's home. Raises what opening raised."""
        engine, kept = self.opened(), self.conversations()
        assert engine is not None  # noqa: S101 - nothing cancels it
        with self._lock:
            if self._owners is None:
                self._owners = Owners(engine.index.home, has_kept=lambda owner: bool(kept.list(owner)))
            return self._owners

    def uploads(self) -> Uploads:
        """The copies of files that visitors handed in. Raises what opening raised."""
        engine = self.opened()
        assert engine is not None  # noqa: S101 - nothing cancels it
        with self._lock:
            if self._uploads is None:
                index = engine.index
                self._uploads = Uploads(index.uploads)
                self._uploads.sweep(is_indexed=index.has_read)
            return self._uploads

    def is_loading(self) -> bool:
        """Whether the models are still on their way."""
        return self._loaded is None or not self._loaded.done()

    def failure(self) -> BaseException | None:
        """Why the models did not load; None while they load, and when they did."""
        return self._loaded.exception() if self._loaded is not None and self._loaded.done() else None

    @property
    def model(self) -> str:
        """The name of the language model in memory; "" while there is none."""
        return "" if self._engine is None else self._engine.loaded.name

    @property
    def ahead_s(self) -> float:
        """Processor time that reading ahead has taken so far, in seconds."""
        return 0.0 if self._engine is None else self._engine.ahead_s

    def status(self, remembered: object = None) -> str:
        """The status line as things are now, for a browser that remembers these settings (ui/preferences.py)."""
        loaded = self._loaded
        if loaded is None or not loaded.done():
            return render.status("Loading the models… You can already ask; the answer will follow.")
        error = loaded.exception()
        if error is not None:
            return render.status(explain(error), "error")
        engine = loaded.result()
        chosen = preferences.settings(remembered, engine.settings)
        stats, elsewhere = engine.index.stats(), _elsewhere(engine.sends_with(chosen))
        if not stats.articles:
            return render.status(" · ".join(("No articles yet. Add some under Library.", *elsewhere)), "ready")
        return render.status(" · ".join((count(stats.articles, "article"), "ready", *elsewhere)), "ready")

    def details(self) -> str:
        """The model that is loaded, its speed and the state of the articles, as a line; "" while it is not loaded."""
        loaded = self._loaded
        if loaded is None or not loaded.done() or loaded.exception() is not None:
            return ""
        engine = loaded.result()
        parts = [f"Loaded: {engine.model}"]
        if engine.model in self.words_per_s:
            parts.append(f"{self.words_per_s[engine.model]:.0f} tokens/s on this machine")
        parts.append(str(engine.ahead))
        parts.append(f"state {engine.index.stats().generation} of the articles")
        return render.status(" · ".join(parts), "ready")

    def close(self) -> None:
        """Close what was opened here, once what is being opened or loaded is, for which it waits LOADING_S at most."""
        self._closed.set()
        if self._loaded is not None:
            wait([self._loaded], timeout=LOADING_S)
        if self._conversations is not None:
            self._conversations.close()
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
            with contextlib.suppress(OSError, Error):  # of a home that cannot be written, as when something is uploaded
                self.uploads()
            if not self._closed.is_set():
                self._engine.load()
            loaded.set_result(self._engine)
            threading.Thread(target=self._idle, args=(self._engine,), name="citewire-idle", daemon=True).start()
        except Exception as error:  # noqa: BLE001 (shown on the page; without it the page would wait forever)
            for future in (opened, loaded):
                if not future.done():
                    future.set_exception(error)

    def _idle(self, engine: Engine) -> None:
        """While nobody asks, until closed: measure the model, and read what nobody asked about yet. What fails
        here fails again, and is told, when asked."""
        tries: Counter[str] = Counter()
        while not self._closed.wait(IDLE_S):
            with contextlib.suppress(Error):
                name = engine.model
                if name not in self.words_per_s and tries[name] < TRIES:
                    tries[name] += 1
                    if speed := engine.words_per_s(self._closed):
                        self.words_per_s.setdefault(name, speed)
                engine.read_ahead(self._closed)


def _elsewhere(hosts: Sequence[str]) -> list[str]:
    """That text leaves this machine, in words, if it does."""
    return [f"Questions and passages are sent to another machine: {', '.join(hosts)}"] if hosts else []


def explain(error: BaseException) -> str:
    """An error in words: its own if it is ours, else with its type, since nobody expected it."""
    if isinstance(error, Error):
        return str(error)
    return f"Something unexpected happened ({type(error).__name__}: {error}). Reload the page and try again."


def without_commands(text: str) -> str:
    """A message without what it says to do at a command line, which somebody on the page may not have."""
    return _COMMAND.sub("", text)
