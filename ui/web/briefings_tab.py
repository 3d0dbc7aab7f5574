"""Briefings: saved questions, answered over what is new. An answer opens in the tab Ask, as any other."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator  # noqa: TC003 (Gradio resolves the annotations)
from typing import TYPE_CHECKING, Any

import gradio as gr

from index.errors import InputError
from ui.backend import explain, without_commands
from ui.briefings import HOME, QUESTION_CHARS, Briefings
from ui.feeds import of_all as of_all_briefings
from ui.html import briefing as html
from ui.html import render
from ui.session import Exchange
from ui.web.frame import BUSY, QUIET, Frame, Updates, details, person, region, words

if TYPE_CHECKING:
    from ui.session import Session
    from ui.web.ask_tab import AskTab

SHOWN = 20
"""Answers of a briefing that are opened, the newest ones."""


class BriefingsTab:
    """The tab of the saved questions. Nobody sees another's: every call names the owners."""

    def __init__(self, frame: Frame) -> None:
        """`frame` is shared with the other tabs."""
        self.frame = frame

    def lay_out(self) -> None:
        """A field for a question, and the list."""
        self.text = gr.Textbox(
            label="A question or a search to be answered over new articles",
            placeholder="new articles about the dam",
            elem_id="brief-question",
            max_length=QUESTION_CHARS,
        )
        self.add = gr.Button("Save", variant="primary", elem_id="brief-add", scale=0)
        self.outcome = region("", "brief-outcome", live=True)
        self.list = region("", "briefings")

    def wire(self, ask: AskTab, tab: gr.Tab) -> None:
        """Opening shows the answers in `ask`."""
        self.ask = ask
        bus, memory, shown = self.frame.bus, self.frame.memory, [self.list, self.outcome]
        tab.select(self._list, memory, shown, **QUIET)
        bus.briefings(self._list, memory, shown, **QUIET)
        self.add.click(self._add, [self.text, memory], [self.text, *shown], trigger_mode="once", **QUIET)
        bus.brief(self._run, memory, shown, **QUIET)
        bus.unbrief(self._remove, memory, shown, **QUIET)
        bus.briefed(self._open, memory, [*ask.shown, ask.ask, ask.stop, ask.note, *shown], **QUIET)

    def known(self, memory: Any, request: gr.Request) -> Briefings:
        """The visitor's briefings; those of the home as well where there are no logins. Raises what opening raised."""
        owner = self.frame.owner(memory, request)
        owners = [owner] if owner.startswith("login:") else [owner, HOME] if owner else []
        return Briefings(self.frame.backend.conversations(), owners=owners)

    def _list(self, memory: Any, request: gr.Request) -> Updates:
        with contextlib.suppress(Exception):  # shown below
            if not self.frame.owner(memory, request):
                return {self.outcome: ""}  # not known yet: page.js asks again once it is
        return self._shown(memory, request, "")

    def _add(self, text: str, memory: Any, request: gr.Request) -> Updates:
        session = self.frame.known_session(request)
        try:
            owner = self.frame.owner(memory, request)
            self.known(memory, request).add(words(text), owner=owner, articles=sorted(session.chosen))
        except Exception as error:  # noqa: BLE001 (shown above the list)
            return {self.text: gr.skip(), **self._failed(error)}
        return {self.text: "", **self._shown(memory, request, "Saved. “Run” answers it.")}

    def _run(self, memory: Any, request: gr.Request, event: gr.EventData) -> Iterator[Updates]:
        session, wanted = self.frame.session(request), words(details(event).get("briefing"))
        cancel = self.frame.sessions.begin(session)
        if cancel is None:
            yield {self.outcome: render.problem(BUSY, failed="Not run.")}
            return
        try:
            yield {self.outcome: render.waiting("Looking for what is new…")}
            known = self.known(memory, request)
            known.get(wanted)
            engine = self.frame.backend.loaded(cancel)
            if engine is None:
                raise InputError("it was stopped")
            ran = known.run(wanted, engine, cancel=cancel, wait=False)
            yield self._shown(memory, request, f"{ran.briefing.name}: {ran.outcome}.")
        except Exception as error:  # noqa: BLE001 (shown above the list)
            yield self._failed(error)
        finally:
            cancel.set()
            self.frame.sessions.end(cancel)
            session.running = None  # also of a session that is not remembered

    def _remove(self, memory: Any, request: gr.Request, event: gr.EventData) -> Updates:
        try:
            self.known(memory, request).remove(words(details(event).get("briefing")))
        except Exception as error:  # noqa: BLE001 (shown above the list)
            return self._failed(error)
        return self._shown(memory, request, "Removed.")

    def _open(self, memory: Any, request: gr.Request, event: gr.EventData) -> Updates:
        try:
            updates = self.opened(words(details(event).get("briefing")), memory, request)
        except Exception as error:  # noqa: BLE001 (shown above the list)
            return self._failed(error)
        return {**updates, **self._shown(memory, request, "")}

    def opened(self, briefing_id: str, memory: Any, request: gr.Request) -> Updates:
        """The answers of a briefing in the place of the conversation, the newest last. Raises InputError for one that
        is not the visitor's."""
        known = self.known(memory, request)
        briefing, entries = known.get(briefing_id), known.entries(briefing_id)[:SHOWN]
        known.mark_read(briefing_id)
        session: Session = self.frame.sessions.renew(request.session_hash, person(request))
        session.briefing = briefing.id
        for number, entry in enumerate(reversed(entries), start=1):
            exchange = Exchange(number, entry.answer.question, asked_at=entry.found_at)
            exchange.finish(entry.answer)
            session.show(exchange.article_ids())
            session.exchanges.append(exchange)
        if entries:
            return {**self.ask.redrawn(session), **self.ask.idle()}
        session.title = briefing.name
        why = briefing.outcome or "“Run” under Briefings looks for one"
        note = render.status(f"“{briefing.name}” has no answer yet: {why}.", "ready")
        return {**self.ask.redrawn(session), **self.ask.idle(), self.ask.note: note}

    def _shown(self, memory: Any, request: gr.Request, done: str) -> Updates:
        try:
            feeds, of_all = self.frame.feeds, of_all_briefings(self.frame.owner(memory, request))
            found = html.briefings(self.known(memory, request).list(), feeds.address, of_all)
        except Exception as error:  # noqa: BLE001 (shown above the list)
            return self._failed(error)
        return {self.list: found, self.outcome: render.status(done, "ready") if done else ""}

    def _failed(self, error: Exception) -> Updates:
        return {self.outcome: render.problem(without_commands(explain(error)), failed="Nothing was changed.")}
