"""What was asked before: conversations kept in the home, and the reader's thumbs."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import gradio as gr

from index.errors import Error, InputError
from ui.backend import explain
from ui.html import lists, render
from ui.web.ask_tab import reopened
from ui.web.frame import AT_ONCE, QUIET, Frame, Updates, details, person, region, words

if TYPE_CHECKING:
    from collections.abc import Callable

    from ui.conversations import Conversation
    from ui.session import Session
    from ui.web.ask_tab import AskTab

QUERY_CHARS = 200
REASON_CHARS = 500
TITLE_CHARS = 200
"""What is cut before the kept title is made of it."""


class ConversationsTab:
    """The tab of the kept conversations. Nobody sees another's: every call names the owner."""

    def __init__(self, frame: Frame) -> None:
        """`frame` is shared with the other tabs."""
        self.frame = frame

    def lay_out(self) -> None:
        """A field to search, and the list."""
        self.text = gr.Textbox(
            label="Find in questions and answers", placeholder="words", elem_id="recall", max_length=QUERY_CHARS
        )
        self.outcome = region("", "outcome", live=True)
        self.list = region("", "conversations")

    def wire(self, ask: AskTab, tab: gr.Tab) -> None:
        """Reopening shows a conversation in `ask`."""
        self.ask = ask
        bus, memory = self.frame.bus, self.frame.memory
        listed = [self.list, self.outcome, self.frame.beside]
        tab.select(self._list, [self.text, memory], listed, **AT_ONCE)
        bus.conversations(self._list, [self.text, memory], listed, **AT_ONCE)
        self.text.change(self._list, [self.text, memory], listed, **AT_ONCE)
        reopened = [*ask.shown, ask.ask, ask.stop, ask.note, self.outcome, self.frame.beside]
        bus.reopen(self._reopen, memory, reopened, **QUIET)
        bus.rename(self._rename, [self.text, memory], listed, **QUIET)
        bus.delete(self._delete, [self.text, memory], listed, **QUIET)
        bus.undo(self._undo, [self.text, memory], listed, **QUIET)
        bus.rate(self._rate, memory, [self.frame.finished, ask.current, ask.note], **QUIET)

    def _list(self, text: str, memory: Any, request: gr.Request) -> tuple[Any, str, Any]:
        return self._after(lambda _: None, text, memory, request, "")

    def _rename(self, text: str, memory: Any, request: gr.Request, event: gr.EventData) -> tuple[Any, str, Any]:
        sent = details(event)
        wanted, title = words(sent.get("conversation")), words(sent.get("title"), most_chars=TITLE_CHARS)
        store = self.frame.backend.conversations
        return self._after(lambda whose: store().rename(wanted, whose, title), text, memory, request, "Renamed.")

    def _delete(self, text: str, memory: Any, request: gr.Request, event: gr.EventData) -> tuple[Any, str, Any]:
        wanted = words(details(event).get("conversation"))
        store = self.frame.backend.conversations
        session = self.frame.known_session(request)

        def delete(whose: str) -> None:
            deleted = None
            with contextlib.suppress(Error, ValueError):  # one that cannot be read can still be deleted
                deleted = store().get(wanted, whose)
            store().delete(wanted, whose)
            session.deleted = deleted
            if session.conversation == wanted:  # what is still on the page goes on in a new one
                session.conversation = ""
                for exchange in session.exchanges:
                    exchange.turn = 0

        session.deleted = None
        shown, outcome, listed = self._after(delete, text, memory, request, "")
        deleted = session.deleted
        return shown, outcome if deleted is None else lists.deleted(deleted.title, deleted.id), listed

    def _undo(self, text: str, memory: Any, request: gr.Request, event: gr.EventData) -> tuple[Any, str, Any]:
        """Put back what this tab deleted last, and nothing else."""
        session, wanted = self.frame.known_session(request), words(details(event).get("conversation"))
        deleted, session.deleted = session.deleted, None

        def put_back(whose: str) -> None:
            if deleted is None or deleted.id != wanted:
                raise InputError("it was deleted too long ago")
            self.frame.backend.conversations().put_back(deleted, whose)

        return self._after(put_back, text, memory, request, "Restored.", failed="The conversation is not back.")

    def _after(
        self,
        change: Callable[[str], None],
        text: str,
        memory: Any,
        request: gr.Request,
        done: str,
        *,
        failed: str = "Nothing was changed.",
    ) -> tuple[Any, str, Any]:
        """The list after a change, how the change went, and the list beside the page."""
        outcome = ""
        try:
            whose = self.frame.owner(memory, request)
            if not whose:
                return gr.skip(), "", gr.skip()  # not known yet: page.js asks again once it is
            store = self.frame.backend.conversations()
            try:
                change(whose)
                outcome = render.status(done, "ready") if done else ""
            except InputError as error:
                outcome = render.problem(explain(error), failed=failed)
            query = words(text, most_chars=QUERY_CHARS).strip()
            known = store.search(whose, query) if query else store.list(whose)
            listed = self.frame.conversations(memory, request)
            return lists.conversations(known, searched=bool(query)), outcome, listed
        except Exception as error:  # noqa: BLE001 (shown in place of the list)
            return "", render.problem(explain(error), failed="The conversations cannot be shown."), ""

    def _reopen(self, memory: Any, request: gr.Request, event: gr.EventData) -> Updates:
        """A conversation in the place of the one that is shown."""
        try:
            return {**self.opened(words(details(event).get("conversation")), memory, request), self.outcome: ""}
        except Exception as error:  # noqa: BLE001 (shown in place of the conversation)
            return {self.outcome: render.problem(explain(error), failed="The conversation cannot be opened.")}

    def opened(self, conversation: str, memory: Any, request: gr.Request) -> Updates:
        """The page with a kept conversation on it. Raises InputError unless it is one of whoever asks."""
        kept = self.frame.backend.conversations().get(conversation, self.frame.owner(memory, request))
        exchanges = [reopened(number, turn) for number, turn in enumerate(kept.turns, start=1)]
        session: Session = self.frame.sessions.renew(request.session_hash, person(request))
        session.conversation, session.title, session.exchanges = kept.id, kept.title, exchanges
        for exchange in exchanges:
            session.show(exchange.article_ids())
        redrawn = self.ask.redrawn(session)
        session.let_go()
        listed = self.frame.conversations(memory, request)
        return {**redrawn, **self.ask.idle(), self.frame.beside: listed}

    def _get(self, memory: Any, request: gr.Request, event: gr.EventData) -> Conversation:
        wanted, whose = words(details(event).get("conversation")), self.frame.owner(memory, request)
        return self.frame.backend.conversations().get(wanted, whose)

    def _rate(self, memory: Any, request: gr.Request, event: gr.EventData) -> Updates:
        session = self.frame.known_session(request)
        sent = details(event)
        exchange = session.exchange(sent.get("exchange"))
        if exchange is None or not exchange.turn:
            return {self.ask.note: gr.skip()}
        thumb, reason = words(sent.get("thumb")), words(sent.get("reason"), most_chars=REASON_CHARS)
        taken_back = exchange.thumb == thumb and "reason" not in sent
        try:
            self.frame.backend.conversations().feedback(
                session.conversation,
                self.frame.owner(memory, request),
                turn=exchange.turn,
                thumb=None if taken_back else thumb,  # type: ignore[arg-type] # checked there
                reason=reason,
            )
            exchange.thumb, exchange.reason = (None, "") if taken_back else (thumb, reason)
            shown = self.ask.whole(session, exchange, memory, request)
        except Exception as error:  # noqa: BLE001 (shown above the composer)
            return {self.ask.note: render.problem(explain(error), failed="Your rating was not saved.")}
        if exchange is session.exchanges[-1]:
            return {self.ask.current: exchange.shown()}
        return self.ask.finished([shown], keep=len(session.exchanges) - 1)
