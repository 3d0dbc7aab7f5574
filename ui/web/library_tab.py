"""The library: adding, finding, removing, and narrowing what is asked about. Chatting goes on meanwhile."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from index import read
from index.edit import FIELDS, tag
from index.errors import Error, InputError, ReadError
from index.location import is_address
from index.run import Cancelled, SyncReport
from rag.event import Progress
from ui import uploads
from ui.backend import explain, without_commands
from ui.follow import batches, reported
from ui.html import library, lists, render
from ui.html.lists import FileResult
from ui.html.markup import count
from ui.library import SHOWN, SORTS, Query, narrowed
from ui.session import MOST_ADDING, MOST_CHOSEN
from ui.web.ask_tab import OUT_OF_DATE
from ui.web.frame import AT_ONCE, QUIET, Frame, Updates, details, is_uploaded, person, region, words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from index import Index
    from ui.follow import Report
    from ui.web.ask_tab import AskTab

EVERYWHERE = ""
MOST_LINES = 100
"""Most addresses or folders at once."""
NAMED = 5
"""Chosen articles that are named where one asks."""
DIGITS_OF_PAGE = 6
FIELD_CHARS = 200
"""Longest text of a field of the list that is looked at."""
QUERY_FIELDS = len(dataclasses.fields(Query))
SAME_FILE_S = 60.0
"""How long a file stays where the server took it in after it was copied: another visitor who hands in the very same
file meanwhile finds it there."""
BUSY = (
    f"Something is being added already; wait for it, or cancel it. One person can add {MOST_ADDING} things at a time."
)

Job = Callable[["Report", threading.Event], SyncReport]
"""Adds articles: reports how far it is, and ends soon once the Event is set."""


class LibraryTab:
    """The tab of the articles, and the fields that narrow a question to some of them."""

    def __init__(self, frame: Frame) -> None:
        """`frame` is shared with the other tabs."""
        self.frame = frame
        self.backend = frame.backend

    def lay_out_scope(self) -> None:
        """What is searched, above the composer."""
        with gr.Row(elem_id="scope"):
            self.scope = region(lists.scope([]), "searching", live=True)
            with gr.Accordion("Filter", open=False, elem_id="filter"), gr.Row():
                self.outlet = _choice("Outlet", [("All outlets", EVERYWHERE)], "outlet")
                self.since = _date("From", "since")
                self.until = _date("To", "until")
                self.narrowed = region("", "narrowed-tags")

    def lay_out(self) -> None:
        """Adding above, the list below."""
        with gr.Row(elem_id="adding") as self.adding:
            self.upload = gr.File(
                label="Files: text, web pages, PDF, Word, EPUB, e-mail, tables, …",
                file_count="multiple",
                file_types=list(uploads.TYPES),
                height=160,
                elem_id="upload",
                scale=1,
            )
            with gr.Column(scale=1, min_width=280):
                where = "Addresses of pages or feeds" + (
                    ", or files and folders of this machine" if self.frame.folders.possible else ""
                )
                self.places = gr.Textbox(
                    label=f"{where}, one on each line", lines=2, max_lines=5, elem_id="places", placeholder="https://"
                )
                with gr.Row():
                    self.add = gr.Button("Add", size="sm", elem_id="add", scale=0)
                    self.cancel = gr.Button("Cancel", size="sm", elem_id="cancel", scale=0, interactive=False)
        self.added = region("", "added", live=True)
        with gr.Row(elem_id="finding"):
            self.text = gr.Textbox(
                label="Find",
                placeholder="words, title, outlet or author",
                elem_id="find",
                max_lines=1,
                scale=2,
                min_width=180,
            )
            self.of = _choice("Outlet", [("All outlets", EVERYWHERE)], "of")
            self.tagged = _choice("Tag", [("All", EVERYWHERE)], "tagged")
            self.after = _date("From", "after")
            self.before = _date("To", "before")
            self.sort = _choice("Order", list(SORTS.items()), "sort", value="newest")
        self.list = region("", "articles", js=_BOXES)
        self.sources = region("", "remembered")

    def wire(self, status: gr.HTML, tab: gr.Tab, ask: AskTab) -> None:
        """The start page of `ask` shows the articles as they are now, and takes files while there are none."""
        self.status, self.ask = status, ask
        bus = self.frame.bus
        query = [self.text, self.of, self.tagged, self.after, self.before, self.sort]
        self.narrowing = [self.outlet, self.since, self.until]
        fields = [*query, *self.narrowing]
        changed = [self.added, self.status, self.add, self.cancel, self.upload, self.list, self.of, self.outlet]
        changed += [self.places, ask.suggestions, ask.drop, self.sources, self.tagged, self.narrowed, self.scope]
        for field in query:
            field.change(self._find_first, query, self.list, **AT_ONCE)
        tab.select(self._opened, query, [self.list, self.of, self.outlet, self.tagged, self.sources], **AT_ONCE)
        bus.turn(self._turn, query, self.list, **AT_ONCE)
        bus.chooseall(self._choose_all, fields, [self.list, self.scope], **AT_ONCE)
        self.upload.upload(self._add_files, [self.upload, *fields], changed, **QUIET)
        ask.drop.upload(self._add_dropped, [ask.drop, *fields], [*changed, ask.dropped], **QUIET)
        self.add.click(self._add_places, [self.places, *fields], changed, **QUIET)
        self.cancel.click(self._cancel, None, [self.added, self.cancel], **AT_ONCE)
        bus.reread(self._read_again, fields, changed, **QUIET)
        edited = {
            bus.correct: (self._correct, "Nothing was changed."),
            bus.tag: (self._tag, "No tag was changed."),
            bus.remove: (self._remove, "Nothing was removed."),
            bus.removechosen: (self._remove_chosen, "Nothing was removed."),
            bus.restore: (self._restore, "The article is not back."),
            bus.forget: (self._forget, "It was not forgotten."),
        }
        for event, (edit, failed) in edited.items():
            event(self._editing(edit, failed=failed), fields, [*changed, self.frame.reader], **QUIET)
        bus.choose(self._choose, self.narrowing, self.scope, **AT_ONCE)
        bus.unpick(self._choose, self.narrowing, self.scope, **AT_ONCE)
        bus.narrow(self._narrow_to_tag, self.narrowing, [self.scope, self.narrowed], **AT_ONCE)
        bus.unchoose(self._unchoose, query, [self.scope, *self.narrowing, self.list, self.narrowed], **AT_ONCE)
        bus.about(self._ask_about, None, [self.scope, *self.narrowing, self.frame.reader], **AT_ONCE)
        for field in self.narrowing:
            field.change(self._narrow, self.narrowing, self.scope, **AT_ONCE)

    # A handler takes what the fields hold last, so that all can pass it on: those that the list is found by, in the
    # order of Query, then, where what is asked about may change, those that narrow it.

    def _find_first(self, request: gr.Request, *query: str) -> str:
        """The first page of what is looked for now."""
        self.frame.known_session(request).page = 1
        return self._find(request, *query)

    def _turn(self, request: gr.Request, event: gr.EventData, *query: str) -> str:
        """Another page of the list."""
        number = words(details(event).get("page"), most_chars=DIGITS_OF_PAGE)
        if number.isdecimal():
            self.frame.known_session(request).page = max(int(number), 1)
        return self._find(request, *query)

    def _find(self, request: gr.Request, *fields: str) -> str:
        """The page of the list that its session shows, or the last one there is."""
        try:
            found = self.frame.library()
            query = _query(fields)
            session = self.frame.session(request)
            findings = found.search(query, most=session.page * SHOWN)
            last = max(-(-len(findings.found) // SHOWN), 1)
            session.page = min(session.page, last)
            first = (session.page - 1) * SHOWN
            shown = findings.found[first : first + SHOWN]
            session.show(one.row.id for one in shown)
            can_edit = self.frame.can_edit(request)
            return lists.articles(
                shown,
                found=len(findings.found),
                total=len(found.rows()),
                has_more=findings.has_more,
                is_about=findings.is_about,
                find=query.text.strip(),
                chosen=session.chosen,
                can_remove=can_edit,
                unread=[FileResult(Path(one.path).name, without_commands(one.reason)) for one in found.unread()],
                first=first + 1,
                pages=library.pages(session.page, last, has_more=findings.has_more),
                selection=library.selection(len(session.chosen), len(findings.found), found.tags(), can_edit=can_edit),
                known=found.known([one.row.id for one in shown]),
            )
        except Exception as error:  # noqa: BLE001 (shown in place of the list)
            return render.problem(explain(error), failed="The articles cannot be listed.")

    def _opened(self, request: gr.Request, *query: str) -> tuple[str, Any, Any, Any, str]:
        try:
            shown = self._find(request, *query)
            return shown, *self.outlets(), self._tags(), self._remembered(request)
        except Exception as error:  # noqa: BLE001 (shown in place of the list)
            shown = render.problem(explain(error), failed="The articles cannot be listed.")
            return shown, gr.skip(), gr.skip(), gr.skip(), ""

    def _tags(self) -> Any:
        """The field of tags with those there are."""
        known = self.frame.library().tags()
        return gr.update(choices=[("All", EVERYWHERE), *((f"{name} ({n:,})", name) for name, n in known.items())])

    def _remembered(self, request: gr.Request) -> str:
        """The remembered folders and feeds, for an editor. Paths are shown whole to the owner of this machine alone."""
        if not self.frame.can_edit(request):
            return ""
        uploads_folder = Path(self.backend.uploads().folder)
        return library.sources(
            [
                library.Source(
                    _key(one.source),
                    one.source if is_address(one.source) or self.frame.folders.anywhere else Path(one.source).name,
                    one.articles,
                    one.read_at,
                )
                for one in self.frame.engine().index.sources()
                if is_address(one.source) or uploads_folder not in (Path(one.source), *Path(one.source).parents)
            ]
        )

    def outlets(self) -> tuple[Any, Any]:
        """Both outlet fields with the outlets there are."""
        choices = [("All outlets", EVERYWHERE), *((name, name) for name in self.frame.library().outlets())]
        return gr.update(choices=choices), gr.update(choices=choices)

    def _add_files(self, request: gr.Request, paths: list[str] | None, *fields: str) -> Iterator[Updates]:
        """Copy the files into the home, index them, and say what became of each."""
        handed_in = [Path(path) for path in paths if is_uploaded(path)] if isinstance(paths, list) else []
        if not handed_in:
            yield {self.added: gr.skip()}
            return
        results: list[FileResult] = []
        stored: dict[str, str] = {}
        discarded: set[str] = set()

        def add(report: Report, cancel: threading.Event) -> SyncReport:
            index = self.frame.engine().index
            with self.backend.uploads().batch() as batch:
                for number, path in enumerate(handed_in):
                    report("read", number, len(handed_in))
                    if cancel.is_set():
                        raise Cancelled("stopped")
                    try:
                        if number >= uploads.MOST_FILES:
                            raise InputError(f"at most {uploads.MOST_FILES} files at once; add it in another go")
                        copy = batch.keep(path)
                        stored[copy.name] = path.name
                    except (Error, OSError) as error:
                        results.append(FileResult(path.name, _why(error)))
                copies = [str(self.backend.uploads().folder / name) for name in stored]
                done = _run(index, copies, report, cancel)
                for failure in done.failed:
                    copy = self.backend.uploads().folder / Path(failure.path).name
                    if copy.name in stored and _gives_nothing(copy):
                        batch.discard(copy)
                        discarded.add(copy.name)
                        with contextlib.suppress(Error):
                            index.remove([copy])  # else each sync would report it again
                batch.commit()
            return done

        def outcome(report: SyncReport) -> str:
            reasons: dict[str, list[str]] = {}
            for failure in (*report.failed, *report.left_out):
                reasons.setdefault(Path(failure.path).name, []).append(without_commands(failure.reason))
            added = [
                FileResult(name, reasons[copy][0])
                if copy in discarded
                else FileResult(name, done=_done(report), left_out=tuple(reasons.get(copy, ())))
                for copy, name in stored.items()
            ]
            return lists.uploads([*results, *added], summary=_summary(report))

        try:
            yield from self._sync(add, outcome, request, fields)
        finally:
            _delete_later(handed_in)

    def _add_dropped(self, request: gr.Request, paths: list[str] | None, *fields: str) -> Iterator[Updates]:
        """Add files that were dropped on the start page, and say there what became of them."""
        for updates in self._add_files(request, paths, *fields):
            yield {**updates, **({self.ask.dropped: updates[self.added]} if self.added in updates else {})}

    def _add_places(self, request: gr.Request, places: str, *fields: str) -> Iterator[Updates]:
        """Read pages, feeds and folders, and remember them for the next sync."""
        wanted = [line.strip() for line in words(places).splitlines() if line.strip()][:MOST_LINES]
        if not self.frame.can_edit(request):
            wanted = []  # nothing is looked at for a reader; `_sync` says so
        refused: dict[str, str] = {}
        found: dict[str, str] = {}
        for place in wanted:
            try:
                found[place] = self._resolved(place)
            except InputError as error:
                refused[place] = str(error)
        added: list[str] = []

        def outcome(report: SyncReport) -> str:
            failed = {failure.path for failure in report.failed}
            added.extend(place for place in wanted if place in found and found[place] not in failed)
            problems = [FileResult(failure.path, without_commands(failure.reason)) for failure in report.failed]
            problems += [FileResult(place, why) for place, why in refused.items()]
            well = [FileResult(place, done=_done(report)) for place in added]
            well += [
                FileResult(one.path, done="read in part", left_out=(without_commands(one.reason),))
                for one in report.left_out
            ]
            return lists.uploads([*problems, *well], summary=_summary(report))

        def add(report: Report, cancel: threading.Event) -> SyncReport:
            return _run(self.frame.engine().index, list(found.values()), report, cancel)

        yield from self._sync(add, outcome, request, fields)
        # What was not added stays in the box, to be corrected.
        yield {self.places: "\n".join(place for place in wanted if place not in added) if wanted else gr.skip()}

    def _resolved(self, place: str) -> str:
        """An address, or the real path of a folder or file. Raises InputError for one that may not be added."""
        if place.casefold().startswith("www."):
            return f"https://{place}"
        return place if place.startswith(("http://", "https://")) else str(self.frame.folders.find(place))

    def _sync(
        self, add: Job, outcome: Callable[[SyncReport], str], request: gr.Request, fields: Sequence[str]
    ) -> Iterator[Updates]:
        """Add articles, showing how far it is; then what became of it and the list as it is now.

        Adding goes on to its end in its thread when the tab is closed meanwhile.
        """
        try:
            self.frame.require_editor(request)
        except InputError as error:
            yield {self.added: render.problem(explain(error), failed="Nothing was added.")}
            return
        cancel = self.frame.sessions.begin_adding(self.frame.session(request))
        if cancel is None:
            yield {self.added: render.status(BUSY, "error")}
            return

        def run(report: Report) -> SyncReport:
            try:
                return add(report, cancel)
            finally:
                self.frame.sessions.end(cancel)

        adding = batches(reported(run))
        yield {
            self.added: render.status("Reading…"),
            self.add: gr.update(interactive=False),
            self.cancel: gr.update(interactive=True),
        }
        try:
            added = ""
            for batch in adding:
                last = batch[-1]
                if isinstance(last, Progress):
                    added = lists.progress(last.stage, last.done, last.total)
                else:
                    added = outcome(last)
                yield {self.added: added}
        except Cancelled:
            added = render.status("Cancelled. Nothing was added. Adding the same again will be quicker.")
        except Exception as error:  # noqa: BLE001 (shown in place of the result)
            added = render.problem(without_commands(explain(error)), failed="Nothing was added.")
        yield {self.added: added, **self._after(request, fields)}

    def _after(self, request: gr.Request, fields: Sequence[str]) -> Updates:
        """What shows the articles, as they are now."""
        of, outlet = self.outlets()
        return {
            self.status: self.frame.status(request),
            self.add: gr.update(interactive=True),
            self.cancel: gr.update(interactive=False),
            self.upload: None,
            self.list: self._find(request, *fields),
            self.of: of,
            self.outlet: outlet,
            self.ask.suggestions: self.ask.start(request),
            self.ask.drop: self.to_drop(request),
            self.sources: self._remembered(request),
            self.tagged: self._tags(),
            self.narrowed: self.tags_to_ask(request),
            self.scope: self._narrow(request, *fields[QUERY_FIELDS:]),
        }

    def to_drop(self, request: gr.Request) -> Any:
        """The field on the start page that takes files, while there is no article."""
        is_wanted = self.frame.can_edit(request) and not self.frame.library().rows()
        return gr.update(visible=is_wanted or "hidden", value=None)

    def tags_to_ask(self, request: gr.Request) -> str:
        """The tags that questions can be narrowed to."""
        return library.narrowing(self.frame.library().tags(), self.frame.known_session(request).tags)

    async def _cancel(self, request: gr.Request) -> tuple[Any, Any]:
        session = self.frame.known_session(request)
        if session.adding is None:
            return gr.skip(), gr.skip()
        session.adding.set()
        return render.status("Cancelling…"), gr.update(interactive=False)

    def _editing(
        self, edit: Callable[[Mapping[str, Any], gr.Request], Updates], *, failed: str
    ) -> Callable[..., Updates]:
        """The handler of an event of an editor: `edit` gets what the page sent; then the articles are shown as they
        are, and why it `failed` if it did."""

        def handle(request: gr.Request, event: gr.EventData, *fields: str) -> Updates:
            try:
                self.frame.require_editor(request)
                edited = edit(details(event), request)
            except Exception as error:  # noqa: BLE001 (shown in place of the result)
                edited = {self.added: render.problem(without_commands(explain(error)), failed=failed)}
            return {**self._after(request, fields), **edited}

        handle.__name__ = edit.__name__  # what Gradio calls the event
        return handle

    def _remove(self, sent: Mapping[str, Any], request: gr.Request) -> Updates:
        """Remove an article by its id: one that the tab was shown."""
        article = words(sent.get("article"))
        if not self.frame.known_session(request).was_shown(article):
            raise InputError(OUT_OF_DATE)
        return self._take_out([article], request)

    def _remove_chosen(self, _: Mapping[str, Any], request: gr.Request) -> Updates:
        """Remove the chosen articles, all at once."""
        return self._take_out(self._chosen(request), request)

    def _chosen(self, request: gr.Request) -> list[str]:
        chosen = sorted(self.frame.known_session(request).chosen)
        if not chosen:
            raise InputError("no article is chosen; choose some first")
        return chosen

    def _take_out(self, article_ids: Sequence[str], request: gr.Request) -> Updates:
        """Remove articles, and hold them to be brought back."""
        there = {row.id for row in map(self.frame.library().row, article_ids)}
        removed = self.frame.engine().index.take_out_all(sorted(there))
        self.frame.known_session(request).chosen.difference_update(article_ids)
        whose = person(request)
        earlier = self.frame.sessions.held(whose)
        self.frame.sessions.hold(whose, removed)
        before = [(one[0].article.headline, one[0].article.id, len(one) - 1) for one in earlier]
        first = removed[0].article
        shown = lists.removed(first.headline, first.id, others=len(removed) - 1, earlier=before)
        return {self.added: shown, self.frame.reader: ""}

    def _restore(self, sent: Mapping[str, Any], request: gr.Request) -> Updates:
        """Put back what this person removed at once, by the first article of it, and nothing else."""
        removed = self.frame.sessions.release(person(request), words(sent.get("article")))
        if not removed:
            raise InputError("it was removed too long ago; add it again")
        try:
            self.frame.engine().index.put_back(*removed)
        except BaseException:
            self.frame.sessions.hold(person(request), removed)  # to be tried again
            raise
        return {self.added: render.status("Restored.", "ready")}

    def _correct(self, sent: Mapping[str, Any], request: gr.Request) -> Updates:
        """Edit title, outlet, date and tags of an article that the tab was shown, or bring back what was read."""
        article = words(sent.get("article"))
        if not self.frame.known_session(request).was_shown(article):
            raise InputError(OUT_OF_DATE)
        index = self.frame.engine().index
        if sent.get("reset") == "all":
            index.edit(article, reset=FIELDS)
        else:
            # A wrong tag is refused before anything is changed.
            tags = [tag(name) for name in words(sent.get("tags")).split(",") if name.strip()]
            index.edit(article, **{field: words(sent[field]) for field in FIELDS if field in sent})
            if "tags" in sent:
                index.set_tags(article, tags)
        return {self.added: render.status("Saved.", "ready")}

    def _tag(self, sent: Mapping[str, Any], request: gr.Request) -> Updates:
        """Give the chosen articles a tag, or take it from them."""
        chosen, name, index = self._chosen(request), words(sent.get("tag")), self.frame.engine().index
        is_taken, has = sent.get("how") == "untag", "has" if len(chosen) == 1 else "have"
        (index.untag if is_taken else index.tag)(chosen, name)
        done = f"{count(len(chosen), 'article')} {'no longer ' if is_taken else ''}{has} the tag “{name.strip()}”."
        return {self.added: render.status(done, "ready")}

    def _forget(self, sent: Mapping[str, Any], _: gr.Request) -> Updates:
        """Forget a remembered folder or feed; its articles stay."""
        key, index = words(sent.get("source")), self.frame.engine().index
        source = next((one.source for one in index.sources() if _key(one.source) == key), None)
        if source is None:
            raise InputError("it is not remembered any more")
        index.forget(source)
        return {self.added: render.status("It is not read again; its articles stay.", "ready")}

    def _read_again(self, request: gr.Request, event: gr.EventData, *fields: str) -> Iterator[Updates]:
        """Read a remembered folder or feed again, or all of them."""
        key = words(details(event).get("source"))

        def read_again(report: Report, cancel: threading.Event) -> SyncReport:
            index = self.frame.engine().index
            wanted = [one.source for one in index.sources() if not key or _key(one.source) == key]
            if not wanted:
                raise InputError("it is not remembered any more")
            return index.sync(wanted, progress=report, cancel=cancel)

        def outcome(report: SyncReport) -> str:
            problems = [FileResult(Path(one.path).name, without_commands(one.reason)) for one in report.failed]
            counts = f"{report.added} added, {report.updated} updated, {report.removed} removed, "
            return lists.uploads(problems, summary=f"Read: {counts}{report.unchanged} unchanged.")

        yield from self._sync(read_again, outcome, request, fields)

    def _choose(self, request: gr.Request, event: gr.EventData, *narrowing: str) -> str:
        session = self.frame.known_session(request)
        sent = details(event)
        article = words(sent.get("article"))
        if sent.get("checked") is True and session.was_shown(article):
            session.chosen.add(article)
        else:
            session.chosen.discard(article)
        return self._narrow(request, *narrowing)

    def _choose_all(self, request: gr.Request, *fields: str) -> tuple[str, str]:
        """Choose all that were found, at most MOST_CHOSEN."""
        session = self.frame.known_session(request)
        with contextlib.suppress(Exception):  # the list says what it was
            found = self.frame.library().search(_query(fields), most=MOST_CHOSEN).found
            session.chosen.update(one.row.id for one in found[: MOST_CHOSEN - len(session.chosen)])
        return self._find(request, *fields), self._narrow(request, *fields[QUERY_FIELDS:])

    def _narrow_to_tag(self, request: gr.Request, event: gr.EventData, *narrowing: str) -> tuple[str, str]:
        """Ask only about the articles with a tag, or about those without it as well."""
        session, name = self.frame.known_session(request), words(details(event).get("tag"))
        known: dict[str, int] = {}
        with contextlib.suppress(Exception):  # not open yet
            known = self.frame.library().tags()
        session.tags = {one for one in session.tags if one in known} ^ ({name} & known.keys())
        return self._narrow(request, *narrowing), library.narrowing(known, session.tags)

    def _ask_about(self, request: gr.Request, event: gr.EventData) -> tuple[Any, Any, Any, Any, Any]:
        """Choose one article, and it alone, to be asked about."""
        session, article = self.frame.known_session(request), words(details(event).get("article"))
        try:
            if not session.was_shown(article):
                raise InputError(OUT_OF_DATE)
            session.chosen = {self.frame.library().row(article).id}
        except Exception as error:  # noqa: BLE001 (shown in place of what is searched)
            shown = render.problem(explain(error), failed="The article is not chosen.")
            return shown, *(gr.skip() for _ in self.narrowing), gr.skip()
        return self._narrow(request, EVERYWHERE, "", ""), EVERYWHERE, "", "", ""

    def _unchoose(self, request: gr.Request, *query: str) -> tuple[str, str, str, str, str, str]:
        """Clear all filters: chosen articles, tags, outlet and dates."""
        session = self.frame.known_session(request)
        session.chosen.clear()
        session.tags.clear()
        shown, tags = self._find(request, *query), ""
        with contextlib.suppress(Exception):  # not open yet
            tags = self.tags_to_ask(request)
        return lists.scope([]), EVERYWHERE, "", "", shown, tags

    def _narrow(self, request: gr.Request, outlet: str, since: str, until: str) -> str:
        """What is searched, in words."""
        session = self.frame.known_session(request)
        chosen = session.chosen
        outlet, since, until = (words(one, most_chars=FIELD_CHARS).strip() for one in (outlet, since, until))
        try:
            narrowed(since=since, until=until)
        except InputError as error:
            return render.problem(explain(error), failed="Not searched like this.")
        filters = [count(len(chosen), "chosen article")] if chosen else []
        filters += [f"tag {one}" for one in sorted(session.tags)]
        filters += [outlet] if outlet else []
        filters += [f"from {since}"] if since else []
        filters += [f"to {until}"] if until else []
        named = self._headlines(sorted(chosen)[:NAMED])
        return lists.scope(filters, chosen=named, more=len(chosen) - len(named))

    def _headlines(self, article_ids: list[str]) -> list[tuple[str, str]]:
        """Ids and headlines of articles, those that are gone apart."""
        found: list[tuple[str, str]] = []
        for article_id in article_ids:
            with contextlib.suppress(Exception):  # removed meanwhile, or not open
                found.append((article_id, self.frame.library().row(article_id).headline))
        return found


def _query(fields: Sequence[str]) -> Query:
    return Query(*(words(one, most_chars=FIELD_CHARS) for one in fields[:QUERY_FIELDS]))


def _key(source: str) -> str:
    """What the page sends for a remembered source, whose path it may not show."""
    return hashlib.blake2b(source.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()


def _run(index: Index, sources: list[str], report: Report, cancel: threading.Event) -> SyncReport:
    # Without sources a sync would read again all that is remembered.
    return index.sync(sources, progress=report, cancel=cancel) if sources else SyncReport()


def _gives_nothing(copy: Path) -> bool:
    """Whether no article can be read from a file."""
    try:
        return not read.read(copy, left_out=lambda _: None)
    except ReadError:
        return True


def _why(error: Exception) -> str:
    """Why a file was not copied: for an error of the system, without the place where it would have been."""
    return (
        f"it could not be copied: {error.strerror}" if isinstance(error, OSError) and error.strerror else explain(error)
    )


def _delete_later(handed_in: list[Path]) -> None:
    """Delete files where the server took them in. Their place is named after their content, see SAME_FILE_S."""

    def delete() -> None:
        for path in handed_in:
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime >= SAME_FILE_S / 2:
                    path.unlink()

    timer = threading.Timer(SAME_FILE_S, delete)
    timer.daemon = True
    timer.start()


def _done(report: SyncReport) -> str:
    """What came of each thing that was read, as far as the counts of all of them say."""
    if not report.added and not report.updated:
        return "already in the library, unchanged"
    return "read" if report.unchanged else "added" if report.added else "updated"


def _summary(report: SyncReport) -> str:
    counts = {"added": report.added, "updated": report.updated, "unchanged": report.unchanged}
    known = [f"{number} {what}" for what, number in counts.items() if number]
    return f"{', '.join(known)}." if known else ""


def _choice(label: str, choices: list[tuple[str, str]], name: str, *, value: str = EVERYWHERE) -> gr.Dropdown:
    # Any value is taken: the server has no say in what a browser still shows after an outlet is gone.
    return gr.Dropdown(choices, value=value, label=label, elem_id=name, scale=1, min_width=140, allow_custom_value=True)


def _date(label: str, name: str) -> gr.Textbox:
    return gr.Textbox(label=label, placeholder="2018-03-21", elem_id=name, max_lines=1, scale=1, min_width=120)


_BOXES = """
// A browser keeps the state of a box in its place when what stands there is replaced.
watch('value', () => {
  for (const box of element.querySelectorAll('input[type=checkbox]')) box.checked = box.hasAttribute('checked');
});
"""
