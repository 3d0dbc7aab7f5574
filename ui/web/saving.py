"""Saving: an answer, a conversation or a check of the page as a file, in the format that its menu was asked for."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import gradio as gr  # noqa: TC002 (Gradio resolves the annotations)

from index.errors import InputError
from ui.backend import explain, without_commands
from ui.export import subject
from ui.export.formats import FORMATS, file_name
from ui.html import render, saving
from ui.session import history
from ui.web.ask_tab import GONE
from ui.web.frame import QUIET, Frame, Updates, details, words

if TYPE_CHECKING:
    from ui.export.subject import Subject
    from ui.session import Session
    from ui.web.ask_tab import AskTab
    from ui.web.briefings_tab import BriefingsTab
    from ui.web.check_tab import CheckTab
    from ui.web.conversations_tab import ConversationsTab

NO_CHECK = "nothing was checked on this page yet"


class Saving:
    """Hears the event `save` of every menu."""

    def __init__(
        self,
        frame: Frame,
        ask: AskTab,
        conversations: ConversationsTab,
        check: CheckTab,
        briefings: BriefingsTab,
    ) -> None:
        """How it went is said in the tab where the menu stands."""
        self.frame = frame
        self.ask, self.briefings = ask, briefings
        self.outcomes = {
            "exchange": ask.note,
            "conversation": conversations.outcome,
            "check": check.outcome,
            "briefing": briefings.outcome,
        }
        shown = [frame.export, *self.outcomes.values()]
        frame.bus.save(self._save, frame.memory, shown, **QUIET)

    def _save(self, memory: Any, request: gr.Request, event: gr.EventData) -> Updates:
        sent = details(event)
        what = next((name for name in self.outcomes if name in sent), "exchange")
        try:
            form = FORMATS.get(words(sent.get("format")))
            if form is None:
                raise InputError("there is no such format")
            taken = self._subject(what, words(sent.get(what)), memory, request)
            name = file_name(taken, form)
            shown = saving.file(name, form.content(taken), is_text=form.is_text, serial=time.monotonic_ns())
        except Exception as error:  # noqa: BLE001 (shown where the menu stands)
            problem = render.problem(without_commands(explain(error)), failed="Nothing was saved.")
            return {self.frame.export: "", self.outcomes[what]: problem}
        return {self.frame.export: shown, self.outcomes[what]: render.status(f"Saved as {name}", "ready")}

    def _subject(self, what: str, which: str, memory: Any, request: gr.Request) -> Subject:
        """What the menu belongs to, if the tab was shown it. Raises InputError."""
        session = self.frame.known_session(request)
        if what == "conversation":
            whose = self.frame.owner(memory, request)
            return subject.of_conversation(self.frame.backend.conversations().get(which, whose))
        if what == "briefing":
            known = self.briefings.known(memory, request)
            return subject.of_briefing(known.get(which), known.entries(which))
        if what == "check":
            if session.checked is None:
                raise InputError(NO_CHECK)
            return subject.of_check(session.checked, "Check", day=_now())
        return self._answer(session, which, memory, request)

    def _answer(self, session: Session, which: str, memory: Any, request: gr.Request) -> Subject:
        """An answer with all of its rows, also those that are not shown."""
        exchange = session.exchange(which)
        if exchange is None:
            raise InputError(GONE)
        whole = self.ask.whole(session, exchange, memory, request)
        answer, asked_at = whole.answer, whole.asked_at or exchange.asked_at or _now()
        if answer is None:
            raise InputError(GONE)
        if answer.sections and (answer.total or 0) > len(answer.sections):
            answer = self.frame.engine().ask(
                exchange.question,
                history=[] if exchange.is_of_article else history(session.exchanges[: exchange.number - 1]),
                only=exchange.only,
                kind=answer.kind,
                limit=sys.maxsize,
                sort=exchange.sort,
            )
        return subject.of_answer(answer, asked_at=asked_at)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
