"""Asking: the conversation, the composer and the side panel.

Each session's Stop is an Event that its running question listens to: Gradio's own cancelling waits for the next
token, and reading a prompt takes longer than a reader's patience.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence  # noqa: TC003 (Gradio resolves the annotations)
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import gradio as gr

from index.errors import Error, InputError
from index.filters import Filter
from index.mentions import SORTS
from rag.event import Evidence, Progress, Row, Token
from rag.kind import kind_of
from rag.suggest import suggest
from ui import links, preferences, uploads
from ui.backend import explain, without_commands
from ui.follow import batches
from ui.html import reader, render, start
from ui.html.markup import button
from ui.library import hits, narrowed
from ui.session import MOST_QUESTIONS, Exchange, Session, kept
from ui.web.frame import AT_ONCE, QUIET, Frame, Updates, details, person, region, words

if TYPE_CHECKING:
    import threading

    from index import Article, Index
    from index.article import Span
    from index.mentions import Sort
    from rag.engine import Engine
    from rag.event import Event
    from ui.conversations import Kept

QUESTION_CHARS = 1000
SUGGESTED_FROM = 40
"""How many articles suggestions are made from, the latest added first."""
DIGITS_OF_LIMIT = 5
"""Longest number of rows that a button may ask for: more than a page shows well, and few enough to find."""
SUMMARIZE = "Summarise this article: “{}”"
HEADLINE_CHARS = 200
"""How much of a headline a question names."""
TOO_MANY = (
    f"{MOST_QUESTIONS} of your questions are waiting or being answered, the most for one person. Wait for one of them."
)
OUT_OF_DATE = "this page does not show that article any more; find it in the library again"
GONE = "the sources of this question are not available any more; ask it again"


class AskTab:
    """Where questions are asked, watched and stopped."""

    def __init__(self, frame: Frame) -> None:
        """`frame` is shared with the other tabs."""
        self.frame = frame
        self.sessions = frame.sessions
        self.backend = frame.backend
        self._suggested: tuple[Index, int, tuple[str, ...]] | None = None

    def lay_out(self, lay_out_scope: Callable[[], None]) -> None:
        """Conversation, panel and composer; `lay_out_scope` puts what is asked about above the composer."""
        with gr.Column(elem_id="conversation"):
            region("<div></div>", "past")
            self.current = region("", "current", live=True, js=_FOLLOW)
            self.suggestions = region("", "suggestions")
            self.drop = gr.File(
                label="Drop files here, or press to choose some",
                file_count="multiple",
                file_types=list(uploads.TYPES),
                height=150,
                elem_id="drop",
                visible="hidden",  # a part that is not in the page at all is lost when it is shown on a slow machine
            )
            self.dropped = region("", "dropped", live=True)
        with gr.Column(elem_id="sources"):
            self.panel = region(render.no_sources(), "panel")
            region("<div></div>", "earlier")
        with gr.Column(elem_id="composer"):
            self.note = region("", "note", live=True)
            lay_out_scope()
            with gr.Row(elem_id="asking"):
                self.question = gr.Textbox(
                    label="Your question",
                    placeholder="Ask about the articles",
                    max_length=QUESTION_CHARS,
                    lines=1,
                    max_lines=6,
                    autofocus=True,
                    container=False,
                    elem_id="question",
                    scale=1,
                )
                self.ask = gr.Button("Ask", variant="primary", elem_id="ask", scale=0)
                self.stop = gr.Button("Stop", variant="stop", elem_id="stop", scale=0, interactive=False)

    def wire(self, status: gr.HTML, new: gr.Button, scope: list[Any]) -> None:
        """`scope` are the fields that narrow what is asked about."""
        self.status = status
        bus, context = self.frame.bus, [self.frame.memory, *scope]
        self.shown = [self.frame.finished, self.current, self.panel, self.suggestions, self.frame.place]
        asked = [self.question, self.ask, self.stop, self.note, self.status, self.frame.beside, *self.shown]
        typed = [self.ask.click, self.question.submit]
        asking = [
            gr.on(typed, self._ask_typed, [self.question, *context], asked, trigger_mode="once", **QUIET),
            bus.ask(self._ask_suggested, context, asked, **QUIET),
            bus.retry(self._ask_again, context, asked, **QUIET),
            bus.summarize(self._summarize, context, [*asked, self.frame.reader], **QUIET),
        ]
        self.asking = frozenset(event["id"] for event in asking)
        """Numbers of the events that ask."""
        self.stop.click(self._stop, None, [self.status, self.stop], **AT_ONCE)
        new.click(self._new, self.frame.memory, asked, cancels=asking, **AT_ONCE)
        bus.edit(self._edit, None, [self.question, self.note], **AT_ONCE)
        bus.keep(self._keep, None, self.note, **AT_ONCE)
        bus.open(self._open, self.frame.memory, self.frame.reader, **AT_ONCE)
        bus.showpage(self._page, None, self.frame.reader, **AT_ONCE)
        bus.close(lambda: "", None, self.frame.reader, **AT_ONCE)

    def start(self, request: gr.Request) -> str:
        """The start page: the library at a glance, and what can be asked. Raises what opening raised."""
        glance = self.frame.library().glance()
        self.frame.session(request).show(row.id for row in glance.latest)
        return start.page(glance, self._questions(), can_add=self.frame.can_edit(request))

    def _questions(self) -> tuple[str, ...]:
        """Questions that the articles suggest."""
        index = self.frame.engine().index
        generation = index.generation
        known = self._suggested
        if known is None or known[:2] != (index, generation):  # every tab that opens asks for the same
            ids = [row.id for row in self.frame.library().rows()[-SUGGESTED_FROM:]]
            articles = []
            for one in reversed(ids):
                with contextlib.suppress(InputError):  # removed meanwhile
                    articles.append(index.article(one))
            known = self._suggested = (index, generation, suggest(articles))
            self.frame.engine().expect(known[2])
        return known[2]

    def redrawn(self, session: Session, *, keep: int = 0) -> Updates:
        """A session's conversation, of which the page has the first `keep` exchanges."""
        exchanges = session.exchanges
        return {
            **self.finished(exchanges[keep:-1], keep=keep),
            self.current: exchanges[-1].shown() if exchanges else "",
            self.panel: exchanges[-1].panel() if exchanges else render.no_sources(),
            self.suggestions: gr.update(visible=not exchanges),
            **self.placed(session),
        }

    def placed(self, session: Session) -> Updates:
        """What the address and the title of the page are made of."""
        first = next((one for one in session.exchanges if one.turn), next(iter(session.exchanges), None))
        title = session.title or (first.question if first else "")
        shown = links.shown(session.chat, session.conversation, title, briefing_id=session.briefing)
        return {self.frame.place: shown}

    def finished(self, exchanges: Sequence[Exchange], *, keep: int) -> Updates:
        """Past exchanges that the page takes in, each sent once; see `render.finished`."""
        shown = [(exchange.shown(), exchange.folded_panel()) for exchange in exchanges]
        return {self.frame.finished: render.finished(shown, keep=keep, serial=time.monotonic_ns())}

    def idle(self) -> Updates:
        """The composer when nothing is being answered."""
        return {
            self.note: "",
            self.ask: gr.update(interactive=True),
            self.stop: gr.update(interactive=False),
        }

    def _ask_typed(
        self, question: str, memory: Any, outlet: str, since: str, until: str, request: gr.Request
    ) -> Iterator[Updates]:
        yield from self._ask(question, memory, (outlet, since, until), request, is_typed=True)

    def _ask_suggested(
        self, memory: Any, outlet: str, since: str, until: str, request: gr.Request, event: gr.EventData
    ) -> Iterator[Updates]:
        question = words(details(event).get("question"))
        yield from self._ask(question, memory, (outlet, since, until), request)

    def _ask_again(
        self, memory: Any, outlet: str, since: str, until: str, request: gr.Request, event: gr.EventData
    ) -> Iterator[Updates]:
        session = self.frame.known_session(request)
        pressed = details(event)
        exchange = session.exchange(pressed.get("exchange"))
        if exchange is None or session.running is not None:
            yield {self.status: gr.skip()}
            return
        session.replacing = exchange.number
        chosen = _chosen(pressed, exchange)
        yield from self._ask(exchange.question, memory, (outlet, since, until), request, chosen=chosen)

    def _summarize(
        self, memory: Any, outlet: str, since: str, until: str, request: gr.Request, event: gr.EventData
    ) -> Iterator[Updates]:
        """Summarise one article, whatever else is searched."""
        del outlet, since, until
        session, article_id = self.frame.known_session(request), words(details(event).get("article"))
        try:
            if not session.was_shown(article_id):
                raise InputError(OUT_OF_DATE)
            row = self.frame.library().row(article_id)
            question = SUMMARIZE.format(_without_operators(row.headline))
            only = Filter(articles=frozenset([row.id]))
        except Exception as error:  # noqa: BLE001 (shown above the composer)
            yield {self.note: render.problem(explain(error), failed="The article cannot be summarised.")}
            return
        chosen = Chosen(kind="summary", only=only, is_of_article=True)
        for updates in self._ask(question, memory, ("", "", ""), request, chosen=chosen):
            yield {**updates, self.frame.reader: ""}

    def _ask(
        self,
        question: str,
        memory: Any,
        scope: tuple[str, str, str],
        request: gr.Request,
        *,
        is_typed: bool = False,
        chosen: Chosen | None = None,
    ) -> Iterator[Updates]:
        question = words(question).strip()[:QUESTION_CHARS]
        if not question or self.frame.known_session(request).running is not None:
            yield {self.status: gr.skip()}
            return
        session = self.frame.session(request)
        cancel = self.sessions.begin(session)
        if cancel is None:
            yield {self.note: render.problem(TOO_MANY, failed="Not asked yet.")}
            return
        tab = request.session_hash
        try:
            # Asked for when it is needed: it waits until the home is open, and the question is shown at once.
            whose = partial(self._owner, memory, request)
            keep = max(len(session.exchanges) - 1, 0)  # what stood in `current` becomes part of the past
            exchange, replaced = self._begin(session, question)
            if chosen is not None:
                exchange.kind, exchange.limit, exchange.sort = chosen.kind, chosen.limit, chosen.sort
                exchange.only, exchange.is_of_article = chosen.only, chosen.is_of_article
            keep = min(keep, exchange.number - 1)
            yield {
                **self.redrawn(session, keep=keep),
                **self._busy(exchange),
                self.ask: gr.update(interactive=False),
                self.stop: gr.update(interactive=True),
                self.note: "",
                self.status: self.frame.status(request, memory),
                **({self.question: ""} if is_typed else {}),
            }
            for updates in self._reply(session, exchange, memory, scope, cancel):
                if self.sessions.is_current(tab, session):
                    # Said again each time: what is sent before Gradio has put the page together can be lost.
                    yield {**updates, self.stop: gr.update(interactive=not cancel.is_set())}
            put_back: Updates = {}
            if exchange.answer is None and any(one.turn or one.in_history for one in replaced):
                session.exchanges[exchange.number - 1 :] = self._whole(session, replaced, memory, request)
                put_back = {**self.redrawn(session, keep=exchange.number - 1), self.note: exchange.reply}
                put_back |= {self.question: question} if is_typed else {}
            trouble = self._keep_answer(session, exchange, whose, replaced)
            session.let_go()
        finally:
            cancel.set()
            self.sessions.end(cancel)
            session.running = None  # also of a session that is not remembered
        if self.sessions.is_current(tab, session):
            yield {
                **(put_back or {self.current: exchange.shown(), **self.placed(session)}),
                self.status: trouble or self.frame.status(request, memory),
                self.frame.beside: self.frame.conversations(memory, request),
                self.ask: gr.update(interactive=True),
                self.stop: gr.update(interactive=False),
            }
        else:
            # Gradio sends what came last once more at the end, and it is not of this conversation.
            yield {self.status: gr.skip()}

    def _owner(self, memory: object, request: gr.Request) -> str:
        """Whose conversations the question is kept with; nobody's while the home cannot be opened."""
        try:
            if not (isinstance(memory, dict) and memory.get("owner")):
                self.frame.named(memory, request)  # the question came before the browser had a name
            return self.frame.owner(memory, request)
        except Exception:  # noqa: BLE001 (the answer says what it was)
            return ""

    def _begin(self, session: Session, question: str) -> tuple[Exchange, list[Exchange]]:
        """A new exchange at the end, and those in the place of which it stands: the one being replaced and all after
        it. They stay among the kept ones until there is an answer."""
        first, session.replacing = session.replacing, 0
        replaced = session.exchanges[first - 1 :] if first else []
        del session.exchanges[len(session.exchanges) - len(replaced) :]
        now = datetime.now(UTC).isoformat(timespec="seconds")
        exchange = Exchange(len(session.exchanges) + 1, question, reply=render.waiting(), asked_at=now)
        session.exchanges.append(exchange)
        return exchange, replaced

    def _whole(
        self, session: Session, exchanges: Sequence[Exchange], memory: object, request: gr.Request
    ) -> Iterator[Exchange]:
        """Exchanges with their evidence, without it where it is not to be had."""
        for exchange in exchanges:
            try:
                yield self.whole(session, exchange, memory, request)
            except Error:
                yield exchange

    def _reply(
        self, session: Session, exchange: Exchange, memory: Any, scope: tuple[str, str, str], cancel: threading.Event
    ) -> Iterator[Updates]:
        """Wait for the models, then show evidence, tokens and the checked answer; or what went wrong."""
        try:
            if self.backend.is_loading():
                exchange.reply = render.waiting("Loading the models; your question is next…")
                yield self._busy(exchange)
            engine = self.backend.loaded(cancel)
            if engine is None:
                exchange.reply = render.stopped()
                return
            if exchange.only is None:
                outlet, since, until = (words(one, most_chars=QUESTION_CHARS) for one in scope)
                articles = frozenset(session.chosen)
                tags = frozenset(session.tags)
                exchange.only = narrowed(outlet=outlet, since=since, until=until, articles=articles, tags=tags)
            yield from self._watch(session, exchange, engine, memory, exchange.only, cancel)
        except Exception as error:  # noqa: BLE001 (a question that fails must not end the conversation)
            exchange.reply = render.problem(explain(error), failed="The question could not be answered.")

    def _watch(
        self, session: Session, exchange: Exchange, engine: Engine, memory: Any, only: Filter, cancel: threading.Event
    ) -> Iterator[Updates]:
        remembered = memory.get("settings") if isinstance(memory, dict) else None
        options: dict[str, Any] = {
            # What is asked of one article leans on nothing that was asked before.
            "history": [] if exchange.is_of_article else session.history(),
            "cancel": cancel,
            "settings": preferences.settings(remembered, engine.settings),
            "only": only or None,
            "kind": exchange.kind,
            "limit": exchange.limit,
            "sort": exchange.sort,
        }
        exchange.asked_kind = exchange.kind or kind_of(exchange.question, history=options["history"])
        pieces, first, last = 0, 0.0, 0.0
        for batch in batches(engine.stream(exchange.question, **options)):
            written = sum(isinstance(event, Token) for event in batch)
            if written:
                last = time.perf_counter()
                first, pieces = first or last, pieces + written
            for event in batch:
                self._take(exchange, event)
            session.show(exchange.article_ids())
            if exchange.answer is not None:
                if pieces > 8 and last - first > 0.2:
                    self.backend.words_per_s[exchange.answer.model] = (pieces - 1) / (last - first)
                yield {self.current: exchange.shown(busy=True), self.panel: exchange.panel()}
                return
            changed = self._busy(exchange)
            if any(isinstance(event, Evidence) for event in batch):
                changed[self.panel] = exchange.panel()
            yield changed

    def _take(self, exchange: Exchange, event: Event) -> None:
        """Let an exchange show what an event says."""
        if isinstance(event, Token):
            exchange.written += event.text
            exchange.reply = render.writing(exchange.written)
        elif isinstance(event, Row):
            exchange.rows.append(event.section)
            exchange.reply = render.finding(exchange.asked_kind, exchange.rows)
        elif isinstance(event, Evidence):
            exchange.searched, exchange.sources = event.query, event.sources
            exchange.reply = render.waiting("Reading the passages…")
        elif isinstance(event, Progress):
            if exchange.rows:
                return
            if not exchange.written or event.stage == "write":  # what was written is not given, the model writes again
                exchange.reply = render.step(event.stage, event.done, event.total)
        else:
            exchange.finish(event)

    def _busy(self, exchange: Exchange) -> Updates:
        return {self.current: exchange.shown(busy=True)}

    def _keep_answer(
        self, session: Session, exchange: Exchange, owner: Callable[[], str], replaced: Sequence[Exchange]
    ) -> str:
        """Keep the answer in the home, in the place of those replaced; returns a status line when that is not
        possible."""
        if exchange.answer is None:
            return ""
        whose = owner()
        if not whose:
            return ""
        try:
            store = self.backend.conversations()
            turn = next((one.turn for one in replaced if one.turn), 0)
            if turn and session.conversation:
                store.cut(session.conversation, whose, turn=turn)
            session.conversation = session.conversation or store.create(whose)
            exchange.turn = store.append(
                session.conversation,
                owner=whose,
                question=exchange.question,
                answer=kept(exchange.answer, draft=exchange.written),
            )
        except Exception as error:  # noqa: BLE001 (an answer that cannot be kept is an answer still)
            return render.status(f"This answer was not saved: {explain(error)}", "error")
        return ""

    async def _stop(self, request: gr.Request) -> tuple[Any, Any]:
        """Set the Event. A coroutine, so that it needs no thread when all of them wait for the model."""
        session = self.frame.known_session(request)
        if session.running is None:
            return gr.skip(), gr.skip()
        session.stop()
        return render.status("Stopping…"), gr.update(interactive=False)

    def _new(self, memory: Any, request: gr.Request) -> Updates:
        session = self.sessions.renew(request.session_hash, person(request))
        listed = self.frame.conversations(memory, request)
        return {
            **self.redrawn(session),
            **self.idle(),
            self.status: self.frame.status(request, memory),
            self.frame.beside: listed or gr.skip(),
        }

    async def _edit(self, request: gr.Request, event: gr.EventData) -> tuple[Any, Any]:
        session = self.frame.known_session(request)
        exchange = session.exchange(details(event).get("exchange"))
        if exchange is None or session.running is not None:
            return gr.skip(), gr.skip()
        session.replacing = exchange.number
        note = f"Asking replaces the last question. {button('keep', 'Keep it')}"
        query = words(details(event).get("query"), most_chars=QUESTION_CHARS)
        return query or exchange.question, f'<p class="note">{note}</p>'

    async def _keep(self, request: gr.Request) -> str:
        self.frame.known_session(request).replacing = 0
        return ""

    def whole(self, session: Session, exchange: Exchange, memory: object, request: gr.Request) -> Exchange:
        """An exchange with its evidence, read from the kept conversation if the session let it go.

        Raises InputError when it is not kept either.
        """
        if exchange.is_whole:
            return exchange
        if not (session.conversation and exchange.turn):
            raise InputError(GONE)
        kept = self.backend.conversations().turn(
            session.conversation, self.frame.owner(memory, request), number=exchange.turn
        )
        return reopened(exchange.number, kept)

    def _open(self, memory: object, request: gr.Request, event: gr.EventData) -> str:
        """The article that was pressed, at the words that were pressed."""
        wanted = details(event)
        session = self.frame.known_session(request)
        exchange = session.exchange(wanted.get("exchange"))
        try:
            index = self.frame.engine().index
            if exchange is None:
                if not session.was_shown(wanted.get("article")):
                    raise InputError(OUT_OF_DATE)
                article = index.article(words(wanted.get("article")))
                session.show(newer_ids(index, article))
                start, end = _found_place(wanted, article)
                find = words(wanted.get("find"), most_chars=QUESTION_CHARS).strip()
                return whole_article(
                    index, article, start=start, end=end, also=hits(find, article.text) if find else ()
                )
            place = self.whole(session, exchange, memory, request).place(wanted)
            if place is None:
                return ""
            session.show([place[0].id, *newer_ids(index, place[0])])
            return _at_words(index, *place)
        except Exception as error:  # noqa: BLE001 (shown in place of the article)
            return reader.problem(explain(error))

    def _page(self, request: gr.Request, event: gr.EventData) -> str:
        """A page of the original of an article, with the words marked that are shown of it."""
        wanted = details(event)
        try:
            if not self.frame.known_session(request).was_shown(wanted.get("article")):
                raise InputError(OUT_OF_DATE)
            article = self.frame.engine().index.article(words(wanted.get("article")))
            start, end = _found_place(wanted, article)
            number = words(wanted.get("page"))
            turned_to = int(number) if number.isdecimal() and len(number) <= DIGITS_OF_LIMIT else None
            picture = self.frame.originals.page(article.id, start, end, turned_to)
            return reader.page(article, picture, start=start, end=end)
        except Exception as error:  # noqa: BLE001 (shown in place of the page)
            return reader.problem(without_commands(explain(error)))


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a button asks for beside its question; None is as the question asks, and what is searched is what stands
    above the composer."""

    kind: str | None = None
    limit: int | None = None
    sort: Sort | None = None
    only: Filter | None = None
    is_of_article: bool = False


def _chosen(pressed: Mapping[str, Any], exchange: Exchange) -> Chosen:
    """What a button changes of an exchange. More, fewer or sorted rows are of the same articles; a question that is
    tried again is asked of those that are to be searched then."""
    limit, is_of_article = words(pressed.get("limit")), exchange.is_of_article
    same = Chosen(exchange.kind, exchange.limit, exchange.sort, exchange.only, is_of_article)
    if exchange.answer is not None:
        kind = exchange.answer.kind
        if limit.isdecimal() and len(limit) <= DIGITS_OF_LIMIT:
            return replace(same, kind=kind, limit=max(int(limit), 1))
        for order in SORTS:
            if pressed.get("sort") == order:
                return replace(same, kind=kind, sort=order)
    only = exchange.only if is_of_article else None
    if pressed.get("kind") in render.ANSWERED_AS:
        return Chosen(str(pressed["kind"]), only=only, is_of_article=is_of_article)
    return replace(same, only=only)


def _without_operators(headline: str) -> str:
    """A headline as a part of a question: "In:Focus" would be taken for an operator (index/filters.py)."""
    return re.sub(r":(?=\S)", ": ", " ".join(headline.split())[:HEADLINE_CHARS])


def reopened(number: int, kept: Kept) -> Exchange:
    """An exchange as it was kept."""
    exchange = Exchange(
        number, kept.question, turn=kept.number, thumb=kept.thumb, reason=kept.reason, asked_at=kept.asked_at
    )
    exchange.finish(kept.restored())
    return exchange


def _at_words(index: Index, article: Article, start: int, end: int, number: int | None) -> str:
    """The article as it is now at these words of it as it was, or the words and what became of it."""
    words = article.text[start:end]
    try:
        known = index.article(article.id)
    except InputError:
        return reader.kept_words(article, words, number=number, gone=True)
    if known.text[start:end] != words:
        start = known.text.find(words)
        if start < 0:
            return reader.kept_words(article, words, number=number, gone=False)
    return whole_article(index, known, start=start, end=start + len(words), number=number)


def _found_place(wanted: Mapping[str, Any], article: Article) -> tuple[int, int]:
    """Where the library found the words that were looked for; an empty place where it did not."""
    return links.span(wanted.get("start"), wanted.get("end"), article.text) or (0, 0)


def whole_article(
    index: Index,
    article: Article,
    *,
    start: int = 0,
    end: int = 0,
    number: int | None = None,
    also: Sequence[Span] = (),
    note: str = "",
) -> str:
    """The article with its copies and its newest version."""
    copies, newer = index.copies(article.id), _newer(index, article)
    kind = index.file_kind(article.id)
    return reader.article(
        article, start=start, end=end, number=number, also=also, copies=copies, newer=newer, note=note, kind=kind
    )


def _newer(index: Index, article: Article) -> Article | None:
    """The newest version of a document of which `article`, or what it is a copy of, is an older one."""
    try:
        newest = index.versions(article.id)[:1]
        known = {article.id, *(copy.id for copy in index.copies(article.id))}
    except InputError:  # removed meanwhile
        return None
    return newest[0] if newest and newest[0].id not in known else None


def newer_ids(index: Index, article: Article) -> list[str]:
    """For the session: the article that the page will link to."""
    newer = _newer(index, article)
    return [] if newer is None else [newer.id]


_FOLLOW = """
watch('value', () => {
  const pane = document.getElementById('conversation');
  const shown = element.querySelector('.exchange');
  const rows = element.querySelector('.answer-rows') ? 'rows' : '';
  const begins = shown && `${shown.dataset.number}${rows}` !== window.citewireFollowed;
  window.citewireFollowed = shown ? `${shown.dataset.number}${rows}` : '';
  if (begins || element.querySelector('.waiting')) element.scrollIntoView({block: 'start'});
  else if (pane.scrollHeight - pane.scrollTop - pane.clientHeight < 240) pane.scrollTop = pane.scrollHeight;
});
"""
"""Shows the start of a new question, and of an answer in rows, which comes at once; otherwise keeps the end of the
answer in view, unless the reader has scrolled up."""
