"""Service: what programs may ask for, through whichever door: answers, checks, passages, articles, syncs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from index import models
from index.article import HEADLINE_CHARS
from index.errors import Error, InputError
from index.location import is_storable
from rag.answer import Answer
from rag.event import Progress, Token
from ui import links
from ui.api.asking import Asking
from ui.api.door import BASE
from ui.api.jobs import Jobs
from ui.api.problem import Problem
from ui.html.markup import safe_url
from ui.uploads import harmless

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence

    from starlette.requests import Request

    from index import Article, Index
    from index.hit import Hits
    from index.listed import Listed
    from index.run import Progress as Report
    from index.run import SyncReport
    from rag.answer import Citation, Turn
    from rag.checked import Checked
    from rag.engine import Engine
    from rag.event import Event
    from ui.api.jobs import Job
    from ui.api.log import RequestLog
    from ui.api.metrics import Metrics
    from ui.backend import Backend
    from ui.folders import Folders

_Result = TypeVar("_Result")

MODEL = "citewire"
"""The name of the model for programs that choose one: whichever the server was started with."""
MOST_SEARCHING = 256
"""Searches that run or wait; each takes some milliseconds."""
LOADING_POLL_S = 0.05
WRITING_S = 0.25
"""Between two reports of how many words are written: each wakes the server and the client, and the model writes on the
same cores meanwhile."""


class Service:
    """One for all doors of a server. To be used in one event loop."""

    def __init__(
        self, backend: Backend, *, folders: Folders, metrics: Metrics, log: RequestLog, most_asking: int | None = None
    ) -> None:
        """`folders` says which places of this machine may be added."""
        self.backend = backend
        self.folders = folders
        self.has_page = False
        self.metrics = metrics
        self.log = log
        self.asking = Asking() if most_asking is None else Asking(most=most_asking)
        self.jobs = Jobs()
        # As many as there are cores: more searches at once take no less time, and the GIL makes them take longer.
        self._short = ThreadPoolExecutor(max(2, os.cpu_count() or 1), thread_name_prefix="citewire-short")
        self._searching = 0
        self._listing: tuple[int, tuple[Listed, ...]] = (-1, ())
        self._listing_lock = threading.Lock()

    def close(self, within_s: float = 0.0) -> None:
        """Cancel what runs, and wait for its end."""
        ends = time.monotonic() + within_s
        while (self.asking.stop_all() | self.jobs.stop_all()) and time.monotonic() < ends:
            time.sleep(LOADING_POLL_S)
        self._short.shutdown(wait=False, cancel_futures=True)

    @property
    def index(self) -> Index:
        """Raises what opening it raised."""
        engine = self.backend.opened()
        if engine is None:
            raise AssertionError("nothing cancels it")
        return engine.index

    def ask(
        self,
        client: str,
        question: str,
        *,
        history: Sequence[Turn] = (),
        kind: str | None = None,
        limit: int | None = None,
        articles: Sequence[str] | None = None,
        model: str | None = None,
    ) -> AsyncIterator[Event]:
        """The events of Engine.stream. `model` is a name of models.txt.

        Raises, at the first event, what Engine.stream raises, and Problem when too many wait.
        """
        self.log.question(question)

        def job(cancel: threading.Event) -> Iterator[Event]:
            engine = self._ready(cancel)
            if engine is None:
                return
            settings = None if model is None else replace(engine.settings, llm=model)
            tokens = unseen = 0
            events = engine.stream(
                question,
                history=history,
                cancel=cancel,
                kind=kind,
                limit=limit,
                articles=articles,
                settings=settings,
            )
            for event in seldom_writing(events):
                tokens += isinstance(event, Token)
                if isinstance(event, Progress) and event.stage == "write":
                    unseen = max(unseen, event.done)
                if isinstance(event, Answer):
                    self.metrics.answered(event, tokens=tokens + unseen)
                yield event

        return self.asking.events(client, job)

    def check(self, client: str, text: str, *, articles: Sequence[str] | None = None) -> AsyncIterator[Checked]:
        """The sentences of Engine.stream_check."""

        def job(cancel: threading.Event) -> Iterator[Checked]:
            engine = self._ready(cancel)
            if engine is not None:
                yield from engine.stream_check(text, articles=articles, cancel=cancel)
                if cancel.is_set():
                    self.metrics.count("citewire_abandoned_total")

        return self.asking.events(client, job)

    async def search(self, query: str, k: int, **only: Any) -> Hits:
        """What Index.search finds. Raises what it raises, and Problem when too many wait."""
        self.log.question(query)
        return await self.short(lambda: self.index.search(query, k, **only))

    async def short(self, call: Callable[[], _Result]) -> _Result:
        """The result of a call that takes milliseconds, made in a thread."""
        if self._searching >= MOST_SEARCHING:
            raise Problem(HTTPStatus.TOO_MANY_REQUESTS, "Too many requests wait already", retry_after_s=1)
        self._searching += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._short, call)
        finally:
            self._searching -= 1

    def listing(self) -> tuple[Listed, ...]:
        """Every article in the order of adding, with no more of its text than its headline takes."""
        with self._listing_lock:
            generation = self.index.generation
            if generation != self._listing[0]:
                self._listing = (generation, tuple(map(_shortened, self.index.listing())))
            return self._listing[1]

    def article(self, article_id: str) -> Article:
        """Raises Problem when there is none."""
        try:
            return self.index.article(article_id)
        except InputError as error:
            raise Problem(HTTPStatus.NOT_FOUND, str(error)) from None

    def remove(self, article_id: str) -> None:
        """Remove an article by its id. Raises Problem when there is none."""
        self.article(article_id)
        self.index.remove_articles([article_id])

    def link(self, request: Request) -> Callable[[Citation], str]:
        """What makes a link to a citation: to the page, or without one to the original or to the API."""
        base = str(request.scope[BASE])

        def link(citation: Citation) -> str:
            if self.has_page:
                return f"{base}/{links.article(citation.article_id, citation.start, citation.end)}"
            return safe_url(citation.url) or f"{base}/api/v1/articles/{quote(citation.article_id, safe='')}"

        return link

    def models(self) -> list[str]:
        """The names that a question may ask for."""
        return [MODEL, *(model.name for model in models.manifest() if model.role == "llm")]

    def model_of(self, name: str) -> str | None:
        """From a name of `models` to that of models.txt; None for whichever the server was started with.

        No path is ever taken for a name: a client could have the server load any file.
        """
        if name == MODEL:
            return None
        if name not in self.models():
            raise Problem(
                HTTPStatus.NOT_FOUND, f"There is no model of this name; choose one of {', '.join(self.models())}",
                parameter="model",
            )  # fmt: skip
        return name

    def resolved(self, place: str) -> str:
        """An address, or the real path of a folder or file that may be added. Raises InputError for another place."""
        if place.casefold().startswith("www."):
            return f"https://{place}"
        if place.casefold().startswith(("http://", "https://")):
            return place
        if not is_storable(place) or "\0" in place:
            raise InputError("a source has characters that no path has")
        return str(self.folders.find(place))

    def sync(self, sources: Sequence[str], *, prune: bool = False) -> Job:
        """Start to index these sources, or without any, what changed in those remembered.

        Raises InputError for a place that may not be added, Problem when too many jobs wait.
        """
        places = [self.resolved(one) for one in sources]

        def task(report: Report, cancel: threading.Event) -> SyncReport:
            return self.index.sync(places, prune=prune, progress=report, cancel=cancel)

        return self.jobs.start("sync", task)

    def add(self, article: Article) -> Job:
        """Start to index an article that the client made."""

        def task(report: Report, cancel: threading.Event) -> SyncReport:
            return self.index.add([article], progress=report, cancel=cancel)

        return self.jobs.start("article", task)

    def upload(self, name: str, content: bytes) -> Job:
        """Keep a file in the home and start to index it. Raises InputError for a type that is not read."""
        suffix = Path(name).suffix
        stem = harmless(name[: -len(suffix)] if suffix else name)
        folder = tempfile.TemporaryDirectory(prefix="citewire-upload-")
        try:
            file = Path(folder.name) / f"{stem}{harmless(suffix[1:]).join(['.', '']) if suffix else ''}"
            file.write_bytes(content)
            batch = self.backend.uploads().batch()
            with contextlib.ExitStack() as stack:
                stack.enter_context(batch)
                copy = batch.keep(file)
                stack.pop_all()  # the job goes on with the batch
        finally:
            folder.cleanup()

        def task(report: Report, cancel: threading.Event) -> SyncReport:
            with batch:
                done = self.index.sync([str(copy)], progress=report, cancel=cancel)
                if any(Path(failure.path).name == copy.name for failure in done.failed):
                    batch.discard(copy)
                    with contextlib.suppress(Error):
                        self.index.remove([copy])  # else each sync would report it again
                batch.commit()
                return done

        try:
            return self.jobs.start("upload", task)
        except Problem:
            batch.__exit__()
            raise

    def _ready(self, cancel: threading.Event) -> Engine | None:
        """The engine, once the models are loaded or will not load; None once `cancel` is set.

        A model that will not load says so when it is needed, which it is not for every kind of question.
        """
        self.backend.start()
        engine = self.backend.opened(cancel)
        while self.backend.is_loading():
            if cancel.wait(LOADING_POLL_S):
                return None
        return engine


def seldom_writing(events: Iterable[Event], *, now: Callable[[], float] = time.monotonic) -> Iterator[Event]:
    """The events, without most of those that only say how many words are written: one in WRITING_S, and the last."""
    reported_s, held = -WRITING_S, None
    for event in events:
        if isinstance(event, Progress) and event.stage == "write":
            held = event
            if now() < reported_s + WRITING_S:
                continue
            reported_s = now()
        elif held is not None:
            yield held
        held = None
        yield event
    if held is not None:
        yield held


def _shortened(listed: Listed) -> Listed:
    """Without the text of the article, which may be a book, but for the words that its headline may be made of."""
    return replace(listed, article=replace(listed.article, text=listed.article.text[: 2 * HEADLINE_CHARS]))
