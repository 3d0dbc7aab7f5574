"""Session: what one browser tab asked and sees, kept in this process only. Knows no engine and no Gradio."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ui import markdown, render

if TYPE_CHECKING:
    from collections.abc import Mapping

    from index.article import Article
    from rag.answer import Answer, Source, Turn


@dataclass(slots=True)
class Exchange:
    """One question and what is known of its answer; `turn` is its number among the kept ones, 0 for none."""

    number: int
    question: str
    searched: str = ""
    sources: tuple[Source, ...] = ()
    written: str = ""
    reply: str = ""
    answer: Answer | None = None
    turn: int = 0
    thumb: str | None = None
    reason: str = ""

    def finish(self, answer: Answer) -> None:
        """Take in the checked answer."""
        self.answer, self.sources = answer, answer.sources
        self.searched = answer.searched or self.searched
        self.reply = render.answer(answer, exchange_number=self.number, draft=self.written)

    def shown(self, *, busy: bool = False) -> str:
        """Question and reply as HTML."""
        if busy:
            return render.exchange(self.question, self.reply, number=self.number, busy=True)
        searched = render.searched(self.searched, exchange_number=self.number)
        copied = markdown.render_answer(self.answer) if self.answer is not None and self.answer.text else ""
        tools = render.toolbar(
            exchange_number=self.number, markdown=copied, thumb=self.thumb, reason=self.reason, can_rate=bool(self.turn)
        )
        return render.exchange(self.question, f"{searched}{self.reply}{tools}", number=self.number)

    def panel(self) -> str:
        """What the answer rests on as HTML, or what was found for it so far."""
        if self.answer is not None:
            return render.sources(self.answer, exchange_number=self.number)
        if not self.searched:
            return ""
        return render.evidence(self.sources, query=self.searched, exchange_number=self.number)

    def place(self, details: Mapping[str, Any]) -> tuple[Article, int, int, int | None] | None:
        """Article, start, end and number of the citation or the passage that `details` name, if there is one."""
        for citation in self.answer.citations if self.answer is not None else ():
            if str(citation.number) == details.get("quote"):
                return citation.article, citation.start, citation.end, citation.number
        for source in self.sources:
            if str(source.number) == details.get("source"):
                return source.hit.article, source.hit.start, source.hit.end, None
        return None


@dataclass(slots=True)
class Session:
    """The exchanges of one tab, what it is doing, and the Events that stop that."""

    exchanges: list[Exchange] = field(default_factory=list)
    running: threading.Event | None = None
    adding: threading.Event | None = None
    conversation: str = ""
    replacing: int = 0
    chosen: set[str] = field(default_factory=set)

    def history(self) -> list[Turn]:
        """The exchanges that were answered, oldest first."""
        return [
            exchange.answer.turn
            for exchange in self.exchanges
            if exchange.answer is not None and exchange.answer.text.strip()
        ]

    def exchange(self, number: object) -> Exchange | None:
        """The exchange of this number, if there is one."""
        return next((one for one in self.exchanges if str(one.number) == str(number)), None)

    def past(self) -> str:
        """All exchanges but the last as HTML."""
        return "".join(exchange.shown() for exchange in self.exchanges[:-1])

    def panel(self) -> str:
        """The sources of the last question, and those of earlier ones folded away."""
        if not self.exchanges:
            return render.no_sources()
        *earlier, last = self.exchanges
        folded = [render.earlier_sources(exchange.question, exchange.panel()) for exchange in reversed(earlier)]
        return last.panel() + "".join(folded)

    def stop(self) -> None:
        """Stop the running question, if there is one."""
        if self.running is not None:
            self.running.set()


class Sessions:
    """The sessions of all tabs that are open."""

    def __init__(self) -> None:
        """None yet."""
        self._known: dict[str, Session] = {}
        self._lock = threading.Lock()

    def of(self, tab: str | None) -> Session:
        """The session of a tab, begun if need be."""
        with self._lock:
            return self._known.setdefault(tab or "", Session())

    def is_current(self, tab: str | None, session: Session) -> bool:
        """Whether this is still what the tab shows."""
        return self._known.get(tab or "") is session

    def renew(self, tab: str | None) -> Session:
        """Stop what the tab asks and begin anew; what it is adding and has chosen stays."""
        with self._lock:
            old = self._known.pop(tab or "", Session())
            old.stop()
            new = self._known[tab or ""] = Session(adding=old.adding, chosen=old.chosen)
            return new

    def drop(self, tab: str | None) -> None:
        """The tab was closed: stop what it asked. What it is adding goes on."""
        with self._lock:
            self._known.pop(tab or "", Session()).stop()


def kept(answer: Answer, *, draft: str = "") -> dict[str, Any]:
    """An answer as it is kept: `to_dict`, where else its passages stand, and what was written before a stop."""
    told = answer.to_dict()
    for shown, source in zip(told["sources"], answer.sources, strict=True):
        shown["also_in"] = list(source.hit.also_in)
    return {**told, "text": answer.text or draft.strip()}
