"""Engine: answers questions over one index with one model. What happens to a question is told in rag/reply.py."""

from __future__ import annotations

import atexit
import os
import threading
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Self

from index import Index
from index import home as homes
from index.errors import InputError, StoreError
from index.filters import EVERYTHING, Filter
from index.mentions import SORTS
from index.model_address import Address, is_address
from index.process import Process
from rag import checked, prompt, question
from rag.answer import Answer, Turn
from rag.checked import Check, Checked
from rag.event import Evidence, Progress, Row, Token
from rag.llm import Reader
from rag.llm.kv_cache import KVCache
from rag.loaded import LoadedModel
from rag.queue import Queue
from rag.read_ahead import Ahead, ReadAhead
from rag.reply import Reply
from rag.settings import Settings
from rag.stream import Channel, stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from index.mentions import Sort
    from rag.event import Event
    from rag.llm import LLM

__all__ = ["Check", "Checked", "Engine", "Evidence", "Progress", "Row", "Token", "ask", "check"]

LONGEST_QUESTION = 2000
"""Characters of the longest question; a longer one is a pasted article, which belongs in the index."""


class Engine:
    """Answers questions over one index with one model. Safe to use from several threads: the model takes questions in
    the order they came, searches and syncs go on meanwhile."""

    def __init__(self, index: Index, *, llm: LLM | None = None, settings: Settings | None = None) -> None:
        """`Engine.open` also opens the index. Without `llm`, the model of `settings` loads at first use."""
        self.index = index
        self.settings = settings or Settings.from_env()
        self.loaded = LoadedModel(self.settings, lambda: self.kv_cache, llm)
        self._queue = Queue()
        self._ahead = ReadAhead(index, self.loaded, self._queue, self.settings, lambda: self.kv_cache)
        self._owns_index = False
        self._process = Process(self, "this Engine")

    @classmethod
    def open(
        cls,
        home: str | Path | None = None,
        *,
        index: Index | None = None,
        llm: LLM | None = None,
        settings: Settings | None = None,
    ) -> Self:
        """An engine over the index in `home`, or over `index`. Quick: models load at first use.

        Raises what Index.open raises.
        """
        engine = cls(index or Index.open(home), llm=llm, settings=settings)
        engine._owns_index = index is None
        return engine

    def __enter__(self) -> Self:
        """The engine itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Let go of the model and of the index, unless they were handed in. In a forked process nothing is done."""
        if not self._process.is_here:
            return
        self.loaded.close()
        if self._owns_index:
            self.index.close()

    def load(self) -> None:
        """Load the models and let the LLM read its instructions now, so that the first question does not wait for
        it. Raises ModelError."""
        self._process.check()
        self.index.embedder.embed_query("ready")
        if self.index.reranker is not None:
            self.index.reranker.scores("ready", ["ready"])
        llm = self.loaded.of(self.settings)
        if isinstance(llm, Reader):
            llm.read_ahead(prompt.Prompt(prompt.instructions(), (), (), ""))

    def ask(
        self,
        question: str,
        *,
        history: Sequence[Turn] = (),
        cancel: threading.Event | None = None,
        settings: Settings | None = None,
        only: Filter | None = None,
        progress: Callable[[str, int, int], None] | None = None,
        kind: str | None = None,
        limit: int | None = None,
        articles: Iterable[str] | None = None,
        sort: Sort | None = None,
    ) -> Answer:
        """The answer to `question`. Takes what `stream` takes, and raises what it raises."""
        for event in self.stream(
            question,
            history=history,
            cancel=cancel,
            settings=settings,
            only=only,
            progress=progress,
            kind=kind,
            limit=limit,
            articles=articles,
            sort=sort,
        ):
            if isinstance(event, Answer):
                return event
        raise AssertionError("a stream ends with an Answer")

    def stream(
        self,
        question: str,
        *,
        history: Sequence[Turn] = (),
        cancel: threading.Event | None = None,
        settings: Settings | None = None,
        only: Filter | None = None,
        progress: Callable[[str, int, int], None] | None = None,
        kind: str | None = None,
        limit: int | None = None,
        articles: Iterable[str] | None = None,
        sort: Sort | None = None,
    ) -> Iterator[Event]:
        """Yield one Evidence, the Tokens of the draft, and last the checked Answer; Progress comes in between.

        When nothing relevant is found the Answer alone comes, a refusal, and no model is called. `history` holds
        earlier turns, oldest first. Setting `cancel` ends the stream within about a second, at any stage, with
        Reason.CANCELLED. `settings` holds for this question alone, instead of those of the engine; `only` narrows what
        is searched. With `progress`, that function is called with stage, done and total in place of each Progress.
        Operators in the question (index/filters.py) say which articles to search; the model is asked without them.
        `articles` are the ids of the only articles that are searched; ids that nothing is indexed under find nothing.

        A question of another kind than a fact (rag/kind.py) is answered in rows: Rows come as they are found, then the
        Answer. `kind` is what to answer it as; by default it is told from the question. `limit` is how many rows there
        are to be at most. `sort` is the order of a list: "relevance", "newest" or "oldest"; by default the one that the
        question asks for, else "relevance".

        Raises InputError for an empty or overlong question and for operators, a kind, a limit or a sort that are wrong,
        ModelError for a model that cannot be used, ForkError in a process that was forked from the one of the engine.
        """
        self._process.check()
        among = (only or EVERYTHING).also(Filter.of(articles=articles))
        asked = _checked(question, history, among, kind=kind, limit=limit, sort=sort)
        asked = replace(asked, only=self.index.resolve(asked.only))
        chosen = settings or self.settings

        def answer(channel: Channel[Event]) -> None:
            reply = Reply(self.index, self.loaded, self._queue, self._ahead, chosen, channel)
            channel.put(reply.answer(asked))

        events = stream(answer, cancel or threading.Event())
        return events if progress is None else _reporting(events, progress)

    def check(
        self,
        text: str,
        *,
        articles: Iterable[str] | None = None,
        only: Filter | None = None,
        cancel: threading.Event | None = None,
        report: Callable[[Checked], None] | None = None,
    ) -> Check:
        """Whether the articles say what the sentences of `text` say, each with its exact quotes (rag/checked.py).

        `articles` are the ids of the only articles that are searched, `only` narrows them otherwise. `report` gets each
        sentence as soon as it is checked. Setting `cancel` ends the check after the sentence at hand, with what was
        checked so far. No language model is loaded.

        Raises InputError for a text that is empty or longer than checked.LONGEST_DRAFT characters, and when there are
        no articles; StoreError for a damaged index; ForkError in a process that was forked from the one of the engine.
        """
        stop, found = cancel or threading.Event(), list[Checked]()
        generation = self.index.generation
        for one in self.stream_check(text, articles=articles, only=only, cancel=stop):
            found.append(one)
            if report is not None:
                report(one)
        return Check(text, tuple(found), generation, cancelled=stop.is_set())

    def stream_check(
        self,
        text: str,
        *,
        articles: Iterable[str] | None = None,
        only: Filter | None = None,
        cancel: threading.Event | None = None,
    ) -> Iterator[Checked]:
        """The sentences of `check`, each as soon as it is checked. Takes what `check` takes, and raises what it
        raises."""
        self._process.check()
        if missing := self.index.missing:
            raise StoreError(
                f"{', '.join(missing)}: not searched, so what is there would be taken for not found; see: citewire "
                "cluster status --cluster HOST:PORT"
            )
        among = self.index.resolve((only or EVERYTHING).also(Filter.of(articles=articles)))
        return checked.stream(text, self.index, only=among, cancel=cancel or threading.Event())

    def read_ahead(self, cancel: threading.Event) -> bool:
        """Read what nobody asked about yet, while nobody asks: the last answers, which a follow-up comes after;
        passages that the last search found beside those that were read, since the next question is likely to be about
        them; passages for the questions of `expect`; then all others, the beginnings of the newest articles first.
        `Settings.read_ahead` says how much of it.

        True when all are read that there is room for, or none are to be, which is quick to find out again. False when
        cancelled, and when this is not the time, because the machine runs on its battery or the share of the processor
        is used up: call again later. Raises ModelError.
        """
        self._process.check()
        return self._ahead.run(cancel)

    def expect(self, questions: Sequence[str]) -> None:
        """Let `read_ahead` prepare for questions that are likely to be asked, such as those that a page suggests."""
        self._ahead.expect(questions)

    @property
    def ahead(self) -> Ahead:
        """What reading ahead is about, in words that follow the name of the model."""
        return self._ahead.state

    @property
    def ahead_s(self) -> float:
        """Processor time that reading ahead has taken so far, in seconds."""
        return self._ahead.spent_s

    def words_per_s(self, cancel: threading.Event) -> float | None:
        """How many tokens a second the model writes here, by writing a few that nobody sees; None when someone asked
        meanwhile, when cancelled, when it wrote too few, and for a model that does nothing while nobody asks. Raises
        ModelError."""
        self._process.check()
        return self._ahead.words_per_s(cancel)

    @cached_property
    def kv_cache(self) -> KVCache:
        """Where passages are kept as the model read them."""
        return KVCache.of(self.index, limit_bytes=self.settings.kv_bytes)

    @property
    def sends_to(self) -> tuple[str, ...]:
        """Host and port of each other machine that the settings send text to: questions and passages to a model server
        (`Settings.llm`), all sentences of articles and questions to one for embeddings. () when no text leaves this
        machine."""
        return self.sends_with(self.settings)

    def sends_with(self, settings: Settings) -> tuple[str, ...]:
        """The same for a question that is asked with these settings."""
        named = (settings.llm, getattr(self.index.embedder, "address", None))
        places = [Address.parse(name) for name in named if name is not None and is_address(name)]
        return tuple(dict.fromkeys(place.host for place in places if not place.is_here))

    @property
    def model(self) -> str:
        """Name of the LLM that is loaded; loads that of the settings if none is."""
        return self.loaded.current().name


def _checked(
    asked: str,
    history: Sequence[Turn],
    only: Filter,
    *,
    kind: str | None,
    limit: int | None,
    sort: Sort | None,
) -> question.Question:
    """The question that was asked. Raises InputError for one that cannot be."""
    asked = asked.strip()
    if not asked:
        raise InputError("the question is empty; ask something")
    if len(asked) > LONGEST_QUESTION:
        raise InputError(
            f"the question has {len(asked)} characters, at most {LONGEST_QUESTION} can be asked; "
            "index long text as an article instead"
        )
    if limit is not None and limit < 1:
        raise InputError(f"limit={limit}: an answer has at least one row; leave limit out for as many as suit the kind")
    if sort is not None and sort not in SORTS:
        raise InputError(f"sort={sort!r}: choose one of {', '.join(SORTS)}")
    found = question.understand(asked, history, only=only, kind=kind, limit=limit, sort=sort)
    if not found.text:
        raise InputError(f"there is no question beside {found.only}; ask something")
    return found


def _reporting(events: Iterator[Event], progress: Callable[[str, int, int], None]) -> Iterator[Event]:
    """The events but Progress, of which `progress` is told."""
    for event in events:
        if isinstance(event, Progress):
            progress(event.stage, event.done, event.total)
        else:
            yield event


_engines: dict[tuple[Path, Settings], Engine] = {}
_engines_lock = threading.Lock()


def _unlock() -> None:
    """In a forked process the lock may be held by a thread that is not there."""
    global _engines_lock
    _engines_lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock)


def ask(
    question: str,
    *,
    history: Sequence[Turn] = (),
    home: str | Path | None = None,
    kind: str | None = None,
    limit: int | None = None,
    articles: Iterable[str] | None = None,
) -> Answer:
    """Answer one question over the articles of an index.

        >>> answer = ask("When did the six-party talks break down?")
        >>> print(answer.text)
        The six-party talks broke down in 2009.
        >>> answer.citations[0].quote
        'Speaking at a joint press conference, Putin said …'

    `question` may hold operators that say which articles are searched: "What did Putin say? source:sputnik".

    `history` are the earlier exchanges of a conversation, oldest first, for a question that leans on them:
    `ask("And who supports them?", history=[answer.turn])`.

    `home` is the folder of the index: `ask("…", home="my-home")`. The default is CITEWIRE_HOME, or else the folder
    "citewire" among the user's application data.

    `kind` says what to answer with: "fact", "list", "count", "timeline", "comparison", "summary" or "library"; by
    default it is told from the question: `ask("Give me a timeline of the talks.").sections`. `limit` is the largest
    number of rows of such an answer: `ask("Which articles mention Putin?", limit=5)`.

    `articles` are ids of articles: the answer comes from these alone, `ask("Who spoke?", articles=["talks"])`.

    The first question loads the models, which takes some seconds; they stay loaded until the process ends. Settings
    come from the environment (CITEWIRE_LLM, CITEWIRE_CAUTION, …); use `Engine` to give them in code.

    A question that the articles do not answer is no error: `answer.refused` is True and `answer.reason` says why.
    Raises InputError for an empty question or an unknown kind, ModelError for a model that is missing, StoreError for
    a damaged index, ForkError in a process that was forked after an answer: start it with
    multiprocessing.get_context("spawn").
    """
    return _opened(home).ask(question, history=history, kind=kind, limit=limit, articles=articles)


def check(text: str, *, home: str | Path | None = None, articles: Iterable[str] | None = None) -> Check:
    """Check a draft against the articles of an index, sentence by sentence.

        >>> checked = check("The six-party talks broke down in 2010.")
        >>> checked.sentences[0].verdict
        'contradicted'
        >>> checked.sentences[0].note
        'The article says “2009”, not “2010”.'

    Each sentence has a verdict ("supported", "partly supported", "contradicted", "not found" or "nothing to check"),
    the exact `citations` it rests on or is contradicted by, and a `note` on what differs. Quotations in the text are
    compared letter by letter.

    `home` and `articles` are those of `ask`. No language model is needed. Raises InputError for a text that is empty or
    too long, or when there are no articles; otherwise what `ask` raises.
    """
    return _opened(home).check(text, articles=articles)


def _opened(home: str | Path | None) -> Engine:
    """The engine that this process keeps for a home, with the settings of the environment."""
    key = (homes.resolve(home), Settings.from_env())
    with _engines_lock:
        if key not in _engines:
            engine = Engine.open(key[0], settings=replace(key[1]))
            atexit.register(engine.close)
            _engines[key] = engine
    return _engines[key]
