"""The library: adding, finding, removing, and narrowing what is asked about. Chatting goes on meanwhile."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator  # noqa: TC003 (Gradio resolves the annotations)
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from index.errors import Error, InputError
from index.sync import Cancelled, SyncReport
from ui import lists, render, uploads
from ui.backend import told
from ui.follow import Step, follow
from ui.library import SORTS, Query
from ui.lists import FileResult
from ui.markup import button, count
from ui.web.frame import AT_ONCE, QUIET, Frame, Updates, details, region

if TYPE_CHECKING:
    from index import Index

EVERYWHERE = ""
MOST_LINES = 100
"""Most addresses or folders at once."""


class Shelf:
    """The tab of the articles, and the fields that narrow a question to some of them."""

    def __init__(self, frame: Frame) -> None:
        """`frame` is shared with the other parts."""
        self.frame = frame
        self.backend = frame.backend

    def lay_out_scope(self) -> None:
        """What is asked about, above the composer."""
        with gr.Accordion("Asking about all articles", open=False, elem_id="scope") as self.scope:
            with gr.Row():
                self.outlet = _choice("Outlet", [("Every outlet", EVERYWHERE)], "outlet")
                self.since = _date("From", "since")
                self.until = _date("To", "until")
            self.chosen = region("", "chosen", live=True)

    def lay_out(self) -> None:
        """Adding above, the list below."""
        with gr.Row(elem_id="adding"):
            self.upload = gr.File(
                label=f"Files: {', '.join(ending[1:] for ending in uploads.TYPES)}",
                file_count="multiple",
                file_types=list(uploads.TYPES),
                height=160,
                elem_id="upload",
                scale=1,
            )
            with gr.Column(scale=1, min_width=280):
                where = "Addresses of pages or feeds" + (", or folders of this machine" if self.frame.local else "")
                self.places = gr.Textbox(
                    label=f"{where}, one a line", lines=2, max_lines=5, elem_id="places", placeholder="https://"
                )
                with gr.Row():
                    self.add = gr.Button("Add", size="sm", elem_id="add", scale=0)
                    self.cancel = gr.Button("Cancel", size="sm", elem_id="cancel", scale=0, interactive=False)
        self.added = region("", "added", live=True)
        with gr.Row(elem_id="finding"):
            self.text = gr.Textbox(
                label="Find", placeholder="title, outlet or author", elem_id="find", max_lines=1, scale=2, min_width=180
            )
            self.of = _choice("Outlet", [("Every outlet", EVERYWHERE)], "of")
            self.after = _date("From", "after")
            self.before = _date("To", "before")
            self.sort = _choice("Order", list(SORTS.items()), "sort", value="newest")
        self.list = region("", "articles")

    def wire(self, status: gr.HTML, tab: gr.Tab, refresh: Callable[[], str], suggestions: gr.HTML) -> None:
        """`refresh` makes suggestions from the articles as they are now."""
        self.status, self.refresh, self.suggestions = status, refresh, suggestions
        bus = self.frame.bus
        query = [self.text, self.of, self.after, self.before, self.sort]
        changed = [self.added, self.status, self.add, self.cancel, self.upload, self.list, self.of, self.outlet]
        changed += [self.places, suggestions]
        for field in query:
            field.change(self._find, query, self.list, **AT_ONCE)
        tab.select(self._opened, query, [self.list, self.of, self.outlet], **AT_ONCE)
        self.upload.upload(self._add_files, [self.upload, *query], changed, **QUIET)
        self.add.click(self._add_places, [self.places, *query], changed, **QUIET)
        self.cancel.click(self._cancel, None, [self.added, self.cancel], **AT_ONCE)
        bus.remove(self._remove, query, [*changed, self.frame.reader], **QUIET)
        narrowing = [self.outlet, self.since, self.until]
        bus.choose(self._choose, narrowing, [self.scope, self.chosen], **AT_ONCE)
        bus.unchoose(self._unchoose, [*narrowing, *query], [self.scope, self.chosen, self.list], **AT_ONCE)
        for field in narrowing:
            field.change(self._narrow, narrowing, [self.scope, self.chosen], **AT_ONCE)

    def _find(self, text: str, outlet: str, since: str, until: str, sort: str, request: gr.Request) -> str:
        try:
            library = self.frame.library()
            found = library.find(Query(text or "", outlet or "", since or "", until or "", sort or "newest"))
            chosen = self.frame.sessions.of(request.session_hash).chosen
            total = len(library.rows())
            return lists.articles(library.shown(found), found=len(found), total=total, chosen=chosen)
        except Exception as error:  # noqa: BLE001 (shown in place of the list)
            return render.problem(told(error))

    def _opened(
        self, text: str, outlet: str, since: str, until: str, sort: str, request: gr.Request
    ) -> tuple[str, Any, Any]:
        try:
            return self._find(text, outlet, since, until, sort, request), *self.outlets()
        except Exception as error:  # noqa: BLE001 (shown in place of the list)
            return render.problem(told(error)), gr.skip(), gr.skip()

    def outlets(self) -> tuple[Any, Any]:
        """Both outlet fields with the outlets there are."""
        choices = [("Every outlet", EVERYWHERE), *((name, name) for name in self.frame.library().outlets())]
        return gr.update(choices=choices), gr.update(choices=choices)

    def _add_files(
        self, paths: list[str] | None, text: str, outlet: str, since: str, until: str, sort: str, request: gr.Request
    ) -> Iterator[Updates]:
        """Copy the files into the home, index them, and say what became of each."""
        if not paths:
            yield {self.added: gr.skip()}
            return
        results: list[FileResult] = []
        stored: dict[str, str] = {}
        folder = self.frame.engine().index.uploads
        for number, path in enumerate(map(Path, paths)):
            try:
                if number >= uploads.MOST_FILES:
                    raise InputError(f"at most {uploads.MOST_FILES} files at once; run: citewire index add FOLDER")
                stored[uploads.keep(path, folder=folder).name] = path.name
            except (Error, OSError) as error:
                results.append(FileResult(path.name, told(error)))
            finally:
                path.unlink(missing_ok=True)

        def told_of(report: SyncReport) -> str:
            problems = {Path(failure.path).name: failure.reason for failure in report.failed}
            added = [FileResult(name, problems.get(kept)) for kept, name in stored.items()]
            return lists.uploads([*results, *added], summary=_summary(report))

        find = (text, outlet, since, until, sort, request)
        yield from self._sync([str(folder)] if stored else [], told_of, find)

    def _add_places(
        self, places: str, text: str, outlet: str, since: str, until: str, sort: str, request: gr.Request
    ) -> Iterator[Updates]:
        """Read pages, feeds and folders, and remember them for the next sync."""
        wanted = [line.strip() for line in (places or "").splitlines() if line.strip()][:MOST_LINES]
        results = [FileResult(place, self._why_not(place)) for place in wanted]
        fine = [_expanded(one.name) for one in results if one.problem is None]

        def told_of(report: SyncReport) -> str:
            problems = [FileResult(failure.path, failure.reason) for failure in report.failed]
            failed = {one.name for one in problems}
            well = [one for one in results if one.problem is not None or _expanded(one.name) not in failed]
            return lists.uploads([*problems, *well], summary=_summary(report))

        yield from self._sync(fine, told_of, (text, outlet, since, until, sort, request))
        yield {self.places: ""}

    def _why_not(self, place: str) -> str | None:
        if place.startswith(("http://", "https://")):
            return None
        if not self.frame.local:
            return "an address that begins with https:// is needed"
        is_there = os.path.isdir(_expanded(place))  # noqa: PTH112 (Path.is_dir raises for a name that is too long)
        return None if is_there else "there is no such folder; addresses begin with https://"

    def _sync(
        self, sources: list[str], told_of: Callable[[SyncReport], str], find: tuple[Any, ...]
    ) -> Iterator[Updates]:
        """Sync `sources`, showing how far it is; then what became of them and the list as it is now."""
        session = self.frame.sessions.of(find[-1].session_hash)
        if session.adding is not None:
            yield {self.added: render.status("Something is being added already; wait for it, or cancel it.", "error")}
            return
        cancel = session.adding = threading.Event()
        yield {
            self.added: render.status("Reading…"),
            self.add: gr.update(interactive=False),
            self.cancel: gr.update(interactive=True),
        }
        try:
            added = ""
            for batch in follow(lambda hear: [_run(self.frame.engine().index, sources, hear, cancel)]):
                last = batch[-1]
                added = lists.progress(last.stage, last.done, last.total) if isinstance(last, Step) else told_of(last)
                yield {self.added: added}
        except Cancelled:
            added = render.status("Cancelled. Nothing was added; what was read so far makes the next try quicker.")
        except Exception as error:  # noqa: BLE001 (shown in place of the result)
            added = render.problem(told(error))
        finally:
            session.adding = None
        yield {self.added: added, **self._after(find)}

    def _after(self, find: tuple[Any, ...]) -> Updates:
        """What shows the articles, as they are now."""
        of, outlet = self.outlets()
        return {
            self.status: self.backend.status(),
            self.add: gr.update(interactive=True),
            self.cancel: gr.update(interactive=False),
            self.upload: None,
            self.list: self._find(*find),
            self.of: of,
            self.outlet: outlet,
            self.suggestions: self.refresh(),
        }

    async def _cancel(self, request: gr.Request) -> tuple[Any, Any]:
        session = self.frame.sessions.of(request.session_hash)
        if session.adding is None:
            return gr.skip(), gr.skip()
        session.adding.set()
        return render.status("Cancelling…"), gr.update(interactive=False)

    def _remove(
        self,
        text: str,
        outlet: str,
        since: str,
        until: str,
        sort: str,
        request: gr.Request,
        event: gr.EventData,
    ) -> Updates:
        article = str(details(event).get("article", ""))
        try:
            self.frame.engine().index.remove([article])
            self.frame.sessions.of(request.session_hash).chosen.discard(article)
            added = render.status("Removed.", "ready")
        except Exception as error:  # noqa: BLE001 (shown in place of the result)
            added = render.problem(told(error))
        return {**self._after((text, outlet, since, until, sort, request)), self.added: added, self.frame.reader: ""}

    def _choose(self, outlet: str, since: str, until: str, request: gr.Request, event: gr.EventData) -> tuple[Any, str]:
        chosen = self.frame.sessions.of(request.session_hash).chosen
        sent = details(event)
        (chosen.add if sent.get("checked") else chosen.discard)(str(sent.get("article", "")))
        return self._narrow(outlet, since, until, request)

    def _unchoose(
        self,
        outlet: str,
        since: str,
        until: str,
        text: str,
        of: str,
        after: str,
        before: str,
        sort: str,
        request: gr.Request,
    ) -> tuple[Any, str, str]:
        self.frame.sessions.of(request.session_hash).chosen.clear()
        shown = self._find(text, of, after, before, sort, request)
        return *self._narrow(outlet, since, until, request), shown

    def _narrow(self, outlet: str, since: str, until: str, request: gr.Request) -> tuple[Any, str]:
        """What is asked about, in words."""
        number = len(self.frame.sessions.of(request.session_hash).chosen)
        parts = [outlet] if outlet else []
        parts += [f"from {since.strip()}"] if since and since.strip() else []
        parts += [f"to {until.strip()}"] if until and until.strip() else []
        parts += [count(number, "chosen article")] if number else []
        clear = button("unchoose", "Ask about all again")
        note = f'<p class="note">{count(number, "article")} chosen. {clear}</p>' if number else ""
        return gr.update(label=f"Asking about {', '.join(parts) or 'all articles'}"), note


def _run(
    index: Index, sources: list[str], hear: Callable[[str, int, int], None], cancel: threading.Event
) -> SyncReport:
    # Without sources a sync would read again all that is remembered.
    return index.sync(sources, progress=hear, cancel=cancel) if sources else SyncReport()


def _expanded(place: str) -> str:
    """A folder with the home folder in place of its ~; not Path.expanduser, which raises for an unknown user."""
    return os.path.expanduser(place)  # noqa: PTH111


def _summary(report: SyncReport) -> str:
    counts = {"added": report.added, "updated": report.updated, "unchanged": report.unchanged}
    told_counts = [f"{number} {what}" for what, number in counts.items() if number]
    return f"{', '.join(told_counts)}." if told_counts else ""


def _choice(label: str, choices: list[tuple[str, str]], name: str, *, value: str = EVERYWHERE) -> gr.Dropdown:
    # Any value is taken: the server has no say in what a browser still shows after an outlet is gone.
    return gr.Dropdown(choices, value=value, label=label, elem_id=name, scale=1, min_width=140, allow_custom_value=True)


def _date(label: str, name: str) -> gr.Textbox:
    return gr.Textbox(label=label, placeholder="2018-03-21", elem_id=name, max_lines=1, scale=1, min_width=120)
