"""Visits: an address of the page was opened, or come back to: the article, conversation or briefing it names is shown.

An article of the library is open to whoever has the page. A conversation or a briefing is open to its owner alone;
everybody else is answered as for one that does not exist.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr

from index.errors import InputError
from ui import links
from ui.backend import explain, without_commands
from ui.html import reader, render
from ui.web.ask_tab import newer_ids, whole_article
from ui.web.frame import AT_ONCE, Frame, Updates, details, person, words

if TYPE_CHECKING:
    from ui.web.ask_tab import AskTab
    from ui.web.briefings_tab import BriefingsTab
    from ui.web.conversations_tab import ConversationsTab

NO_ARTICLE = "There is no such article. It may have been removed; look for it under Library."


class Visits:
    """What happens when the page is at an address that names something."""

    def __init__(self, frame: Frame, ask: AskTab, conversations: ConversationsTab, briefings: BriefingsTab) -> None:
        """`ask` shows conversations and briefings, which their tabs open."""
        self.frame = frame
        self.ask = ask
        self.conversations = conversations
        self.briefings = briefings

    def wire(self) -> None:
        """After the tabs are wired."""
        shown = [*self.ask.shown, self.ask.ask, self.ask.stop, self.ask.note, self.frame.beside, self.frame.reader]
        self.frame.bus.visit(self._visit, self.frame.memory, shown, **AT_ONCE)

    def _visit(self, memory: Any, request: gr.Request, event: gr.EventData) -> Updates:
        """Show the conversation that is named, a new one for an empty name, and the article that is."""
        wanted = details(event)
        updates: Updates = {}
        name = wanted.get("conversation")
        if name == "" and "article" not in wanted:
            session = self.frame.sessions.renew(request.session_hash, person(request))
            updates = {**self.ask.redrawn(session), **self.ask.idle()}
        elif isinstance(name, str) and name:
            try:
                updates = self.conversations.opened(name, memory, request)
            except Exception as error:  # noqa: BLE001 (shown above the composer)
                updates = {self.ask.note: render.problem(explain(error), failed="The conversation cannot be opened.")}
        if "briefing" in wanted:
            try:
                updates = self.briefings.opened(words(wanted["briefing"]), memory, request)
            except Exception as error:  # noqa: BLE001 (shown above the composer)
                why = without_commands(explain(error))
                updates = {self.ask.note: render.problem(why, failed="The briefing cannot be opened.")}
        if "article" in wanted:
            updates[self.frame.reader] = self._article(words(wanted["article"]), wanted, request)
        return updates or {self.ask.note: gr.skip()}

    def _article(self, article_id: str, wanted: Any, request: gr.Request) -> str:
        """The article with the words marked that the address names."""
        try:
            index = self.frame.engine().index
            try:
                article = index.article(article_id)
            except InputError:
                return reader.problem(NO_ARTICLE)
            self.frame.session(request).show([article.id, *newer_ids(index, article)])
            found = links.span(wanted.get("start"), wanted.get("end"), article.text)
            start, end = found or (0, 0)
            return whole_article(index, article, start=start, end=end, note="" if found else links.NO_PLACE)
        except Exception as error:  # noqa: BLE001 (shown in place of the article)
            return reader.problem(explain(error))
