"""Session: what one browser tab asked and sees, kept in this process only. Knows no engine and no Gradio."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from rag.overview.list import order_of
from ui.export import markdown
from ui.html import render, rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from index.article import Article
    from index.filters import Filter
    from index.mentions import Sort
    from index.sync import Removed
    from rag.answer import Answer, Section, Source, Turn
    from rag.checked import Check
    from ui.conversations import Conversation

MOST_SESSIONS = 300
"""Tabs of all people that are remembered. One with the most that it may hold takes about half a megabyte."""
MOST_OF_ONE_PERSON = 30
"""Tabs of one person: more than anybody reads in, and few enough that one person does not push out the others'."""
MOST_QUESTIONS = 3
"""Questions that one person may have waiting or running. The model answers one at a time, so the others wait anyway."""
MOST_ADDING = 2
"""Uploads or syncs that one person may have running."""
WHOLE_EXCHANGES = 8
"""Exchanges of a tab that are held with their evidence; older ones are read from the kept conversation when needed."""
MOST_SHOWN = 1000
"""Ids of articles that a tab remembers having shown: twenty pages of the library."""
MOST_CHOSEN = 2000
"""Most articles that are chosen at once."""
MOST_REMOVED = 500
"""Removed articles of one person that are held to be brought back, until the page is started again."""


@dataclass(slots=True)
class Exchange:
    """One question and what is known of its answer; `turn` is its number among the kept ones, 0 for none.

    `kind`, `limit` and `sort` are those that the reader chose for the answer (see Engine.stream), None where none was
    chosen. `only` is what was searched, None where that is not known, as of a reopened exchange; `is_of_article` if it
    is the one article that was to be summarised. `asked_at` is the time in UTC (ISO 8601). `in_history` is what a next
    question sees of the exchange. `rows` are those that came before the answer, which is to be of `asked_kind`.
    """

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
    in_history: Turn | None = None
    is_whole: bool = True
    kind: str | None = None
    limit: int | None = None
    sort: Sort | None = None
    only: Filter | None = None
    is_of_article: bool = False
    asked_kind: str = ""
    rows: list[Section] = field(default_factory=list)
    asked_at: str = ""

    def finish(self, answer: Answer) -> None:
        """Take in the checked answer."""
        self.answer, self.sources = answer, answer.sources
        self.in_history = answer.turn if answer.text.strip() else None
        self.searched = answer.searched or self.searched
        self.reply = render.answer(answer, exchange_number=self.number, draft=self.written)

    def let_go(self) -> None:
        """Drop the answer and its evidence; the question and the turn for the history stay."""
        self.answer, self.sources, self.searched, self.written, self.reply = None, (), "", "", ""
        self.rows.clear()
        self.is_whole = False

    def shown(self, *, busy: bool = False) -> str:
        """Question and reply as HTML."""
        if busy:
            return render.exchange(self.question, self.reply, number=self.number, busy=True)
        # What rows are of stands above them.
        query = self.searched if self.answer is None or not self.answer.sections else ""
        searched = render.searched(query, question=self.question, exchange_number=self.number)
        copied = markdown.render_answer(self.answer) if self.answer is not None and self.answer.text else ""
        tools = (
            ""
            if self.answer is None
            else rows.tools(self.answer, self.number, sort=self.sort or order_of(self.question), limit=self.limit)
        )
        tools += render.toolbar(
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

    def folded_panel(self) -> str:
        """`panel` under a heading that opens it, for an exchange that is not the last."""
        return render.earlier_sources(self.question, self.panel(), exchange_number=self.number)

    def article_ids(self) -> set[str]:
        """The articles that are shown with this exchange."""
        known = {source.hit.article.id for source in self.sources}
        if self.answer is not None:
            known.update(citation.article.id for citation in self.answer.citations)
            known.update(row.article_id for row in self.answer.sections if row.article_id is not None)
        return known

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
    """The exchanges of one tab, what it is doing, the Events that stop that, and the articles that it was shown.

    `conversation` is the id of the kept one that it goes on with and `title` its title; `briefing` is the id of the one
    whose answers it began with; `chat` tells what is on the page from what it was before a new chat. `owner` is the
    name that its browser was given, which a question may come sooner than, and `settings` are what that browser
    remembers (ui/preferences.py); `deleted` is the conversation that it deleted last, which can be put back. `chosen`
    are the articles that are asked about, all without any, and `tags` those that they must have; `page` is the page of
    the library that is shown; `checked` is the report that it shows.
    """

    person: str = ""
    owner: str = ""
    settings: object = None
    exchanges: list[Exchange] = field(default_factory=list)
    running: threading.Event | None = None
    adding: threading.Event | None = None
    conversation: str = ""
    title: str = ""
    briefing: str = ""
    chat: str = field(default_factory=partial(secrets.token_hex, 8))
    replacing: int = 0
    deleted: Conversation | None = None
    chosen: set[str] = field(default_factory=set)
    tags: set[str] = field(default_factory=set)
    page: int = 1
    checked: Check | None = None
    _shown: OrderedDict[str, None] = field(default_factory=OrderedDict)

    @property
    def is_busy(self) -> bool:
        """Whether something is being answered or added."""
        return self.running is not None or self.adding is not None

    def history(self) -> list[Turn]:
        """The exchanges that were answered, oldest first."""
        return history(self.exchanges)

    def exchange(self, number: object) -> Exchange | None:
        """The exchange of this number, as an integer or as the text that the page sends, if there is one."""
        if isinstance(number, bool) or not isinstance(number, (int, str)):
            return None
        return next((one for one in self.exchanges if number in (one.number, str(one.number))), None)

    def show(self, article_ids: Iterable[str]) -> None:
        """Note that these articles are on the page; the MOST_SHOWN latest are remembered."""
        for article_id in article_ids:
            self._shown[article_id] = None
            self._shown.move_to_end(article_id)
        while len(self._shown) > MOST_SHOWN:
            self._shown.popitem(last=False)

    def was_shown(self, article_id: object) -> bool:
        """Whether this is the id of an article that the tab was shown: all that it may open, choose or remove."""
        return isinstance(article_id, str) and (article_id in self._shown or article_id in self.chosen)

    def let_go(self) -> None:
        """Hold the last WHOLE_EXCHANGES whole and of those before only what the history needs."""
        for exchange in self.exchanges[:-WHOLE_EXCHANGES]:
            if exchange.is_whole:
                exchange.let_go()

    def stop(self) -> None:
        """Stop the running question, if there is one."""
        if self.running is not None:
            self.running.set()


class Sessions:
    """The sessions of the tabs that are open, each of the person who began it.

    A person is a login or a browser, as text. Another person who knows the name of a tab has a session of their own
    under it, which has nothing of the first. The longest unused are forgotten beyond MOST_SESSIONS and
    MOST_OF_ONE_PERSON, but never one that is answering or adding. Safe to use from several threads.
    """

    def __init__(self) -> None:
        """None yet."""
        self._known: OrderedDict[tuple[str, str], Session] = OrderedDict()
        self._asking: dict[threading.Event, str] = {}
        self._adding: dict[threading.Event, str] = {}
        self._removed: dict[str, list[tuple[Removed, ...]]] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._known)

    def of(self, tab: str | None, person: str = "") -> Session:
        """The session of a tab, begun if need be. While all others are busy, a new one is not remembered."""
        key = (person, tab or "")
        with self._lock:
            known = self._known.get(key)
            if known is None:
                known = Session(person)
                if self._make_room(person):
                    self._known[key] = known
            else:
                self._known.move_to_end(key)
            return known

    def name(self, tab: str | None, person: str, *, renewed: str | None, new: str) -> str:
        """The name of the browser of a tab: `renewed` if it has one, else the one that the tab was given first.

        Events that come at the same time, before the browser has a name, all get the same one: `new` of the first.
        """
        session = self.of(tab, person)
        with self._lock:
            session = self._known.get((person, tab or ""), session)  # it may have been renewed meanwhile
            session.owner = renewed or session.owner or new
            return session.owner

    def known(self, tab: str | None, person: str = "") -> Session:
        """The session of a tab, or an empty one that is not remembered: for events that only read or stop."""
        with self._lock:
            key = (person, tab or "")
            if key in self._known:
                self._known.move_to_end(key)
            return self._known.get(key) or Session(person)

    def is_current(self, tab: str | None, session: Session) -> bool:
        """Whether this is still what the tab shows."""
        return self._known.get((session.person, tab or "")) is session

    def begin(self, session: Session, *, most: int = MOST_QUESTIONS) -> threading.Event | None:
        """Let a session ask: the Event that stops it, or None while its person has `most` questions already."""
        with self._lock:
            if session.running is not None or self._number(self._asking, session.person) >= most:
                return None
            session.running = threading.Event()
            self._asking[session.running] = session.person
            return session.running

    def begin_adding(self, session: Session, *, most: int = MOST_ADDING) -> threading.Event | None:
        """Let a session add articles, as `begin` lets it ask."""
        with self._lock:
            if session.adding is not None or self._number(self._adding, session.person) >= most:
                return None
            session.adding = threading.Event()
            self._adding[session.adding] = session.person
            return session.adding

    def end(self, event: threading.Event) -> None:
        """What `begin` or `begin_adding` gave this Event for is over, whatever became of its session."""
        with self._lock:
            self._asking.pop(event, None)
            self._adding.pop(event, None)
            for session in self._known.values():
                session.running = None if session.running is event else session.running
                session.adding = None if session.adding is event else session.adding

    def renew(self, tab: str | None, person: str = "") -> Session:
        """Stop what the tab asks and begin anew; what it is adding, has chosen and was shown stays."""
        key = (person, tab or "")
        with self._lock:
            old = self._known.pop(key, None) or Session(person)
            old.stop()
            new = Session(
                person,
                old.owner,
                old.settings,
                adding=old.adding,
                chosen=old.chosen,
                tags=old.tags,
                page=old.page,
                _shown=old._shown,
            )
            if self._make_room(person):
                self._known[key] = new
            return new

    def stop_all(self) -> bool:
        """Stop what every tab asks and adds; whether any of it still runs."""
        with self._lock:
            known = list(self._known.values())
        events = [event for session in known for event in (session.running, session.adding) if event is not None]
        for event in events:
            event.set()
        return bool(events)

    def hold(self, person: str, removed: tuple[Removed, ...]) -> None:
        """Hold articles that a person removed at once, to be brought back; the oldest go beyond MOST_REMOVED."""
        with self._lock:
            held = self._removed.setdefault(person, [])
            held.append(removed)
            while len(held) > 1 and sum(map(len, held)) > MOST_REMOVED:
                del held[0]

    def held(self, person: str) -> tuple[tuple[Removed, ...], ...]:
        """What a person removed and can bring back, the last first."""
        with self._lock:
            return tuple(reversed(self._removed.get(person, [])))

    def release(self, person: str, article_id: str) -> tuple[Removed, ...]:
        """What was removed together with this article, as the first of them, and is held no more; nothing if it is not
        held."""
        with self._lock:
            held = self._removed.get(person, [])
            found = next((one for one in held if one[0].article.id == article_id), ())
            if found:
                held.remove(found)
            return found

    def drop(self, tab: str | None, person: str = "") -> None:
        """The tab was closed: stop what it asked. What it is adding goes on."""
        with self._lock:
            closed = self._known.pop((person, tab or ""), None)
        if closed is not None:
            closed.stop()

    @staticmethod
    def _number(events: Mapping[threading.Event, str], person: str) -> int:
        return sum(one == person for one in events.values())

    def _make_room(self, person: str) -> bool:
        """Forget the longest unused until there is room for one more of this person; whether there is."""
        of_person = [key for key in self._known if key[0] == person]
        if len(of_person) >= MOST_OF_ONE_PERSON and not self._forget_one_of(of_person):
            return False
        return len(self._known) < MOST_SESSIONS or self._forget_one_of(list(self._known))

    def _forget_one_of(self, keys: Iterable[tuple[str, str]]) -> bool:
        idle = next((key for key in keys if not self._known[key].is_busy), None)
        if idle is not None:
            del self._known[idle]
        return idle is not None


def kept(answer: Answer, *, draft: str = "") -> dict[str, Any]:
    """An answer as it is kept: `to_dict`, where else its passages stand, and what was written before a stop."""
    as_kept = answer.to_dict()
    for shown, source in zip(as_kept["sources"], answer.sources, strict=True):
        shown["also_in"] = list(source.hit.also_in)
    return {**as_kept, "text": answer.text or draft.strip()}


def history(exchanges: Iterable[Exchange]) -> list[Turn]:
    """What a question after these sees of them, oldest first."""
    return [exchange.in_history for exchange in exchanges if exchange.in_history is not None]
