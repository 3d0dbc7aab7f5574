"""Engine: a question → evidence, tokens, and an answer whose every sentence was checked. Joins the parts of rag/."""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from index import Index
from index import home as homes
from index.errors import InputError
from index.filters import without_operators
from rag import answerability, cite, claims, evidence, gate, prompt, query
from rag.answer import Answer, Reason, Source, Turn
from rag.answerability import Signals
from rag.llm import Reader
from rag.parts import joined, united
from rag.quote import Quoting
from rag.settings import Settings
from rag.shelf import Shelf
from rag.stream import stream
from rag.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from index.filters import Filter
    from index.search import Hit
    from rag.answer import Citation, Claim
    from rag.claims import Similarity
    from rag.llm import LLM, Constraint
    from rag.prompt import Prompt
    from rag.query import Query
    from rag.stream import Channel

_IDLE_S = 0.2
"""How often reading ahead looks whether everyone was answered."""
LONGEST_QUESTION = 2000
"""Characters of the longest question; a longer one is a pasted article, which belongs in the index."""

REFUSALS = {
    Reason.NOTHING_RELEVANT: "The articles do not say: nothing in them speaks of this.",
    Reason.NOT_ANSWERED: prompt.CANNOT_ANSWER,
    Reason.UNSUPPORTED: prompt.CANNOT_ANSWER,
    Reason.FILTERED_OUT: "No article is of the outlet or the time that the question asks for.",
    Reason.UNCLEAR: "The question is not clear: it names nothing to look for. Say what it is about.",
    Reason.EMPTY_INDEX: "There are no articles yet. Add some: citewire index add FOLDER",
    Reason.CANCELLED: "",
}


@dataclass(frozen=True, slots=True)
class Evidence:
    """The first event of a stream: what was searched for and the passages the model is about to read."""

    query: str
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the draft as the model writes it; the checked text comes with the Answer."""

    text: str


Event = Evidence | Token | Answer
Progress = Callable[[str, int, int], None]


class Engine:
    """Answers questions over one index with one model. Safe to use from several threads: the model takes them
    in the order they came, searches and syncs go on meanwhile."""

    def __init__(self, index: Index, *, llm: LLM | None = None, settings: Settings | None = None) -> None:
        """`Engine.open` also opens the index. Without `llm`, the model of `settings` loads at first use."""
        self.index = index
        self.settings = settings or Settings.from_env()
        self._llm = llm
        self._choice: str | None = None
        self._sha256 = ""
        self._llm_lock = threading.RLock()
        self._turns = Turns()
        self._owns_index = False
        self._owns_llm = llm is None

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
        """Let go of the model and of the index, unless they were handed in."""
        with self._llm_lock:
            if self._owns_llm and self._llm is not None:
                self._let_go()
        if self._owns_index:
            self.index.close()

    def load(self) -> None:
        """Load the models and let the LLM read its instructions now, so that the first question does not wait for
        it. Raises ModelError."""
        self.index.embedder.embed_query("ready")
        if self.index.reranker is not None:
            self.index.reranker.scores("ready", ["ready"])
        llm = self._model()
        if isinstance(llm, Reader):
            llm.read_ahead(prompt.Prompt(prompt.instructions(), (), (), ""))

    def read_ahead(self, cancel: threading.Event) -> bool:
        """Read the passages that nobody asked about yet, those of the last added article first, while nobody asks.

        True when all are read that there is room for, False when cancelled. Raises ModelError.
        """
        llm = self._model()
        if not self.settings.kv_bytes or not isinstance(llm, Reader):
            return True
        for article, span in self.index.passages():
            request = prompt.passage(article, span.of(article.text))
            while not self.shelf.is_full and not llm.is_read(request):
                if cancel.is_set():
                    return False
                if not len(self._turns):
                    llm.read_ahead(request)
                cancel.wait(_IDLE_S if len(self._turns) else 0)
        return not cancel.is_set()

    @cached_property
    def shelf(self) -> Shelf:
        """Where passages are kept as the model read them."""
        return Shelf.of(self.index, limit_bytes=self.settings.kv_bytes)

    @property
    def model(self) -> str:
        """Name of the LLM; loads it."""
        return self._model().name

    def ask(
        self,
        question: str,
        *,
        history: Sequence[Turn] = (),
        cancel: threading.Event | None = None,
        settings: Settings | None = None,
        only: Filter | None = None,
        progress: Progress | None = None,
    ) -> Answer:
        """The answer to `question`; `history` holds earlier turns, oldest first. See `stream`."""
        options: Any = {"history": history, "cancel": cancel, "settings": settings, "only": only, "progress": progress}
        for event in self.stream(question, **options):
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
        progress: Progress | None = None,
    ) -> Iterator[Event]:
        """Yield one Evidence, the Tokens of the draft, and last the checked Answer.

        When nothing relevant is found the Answer alone comes, a refusal, and no model is called. Setting
        `cancel` ends the stream within about a second, at any stage, with Reason.CANCELLED.
        `settings` holds for this question alone, instead of those of the engine; `only` narrows what is searched.
        `progress` is called with "queue", how many questions come first, 0, while others are answered, and with
        "read", tokens read, tokens in all, while the prompt is read.
        Operators in the question (index/filters.py) say which articles to search; the model is asked without them.
        Raises InputError for an empty or overlong question and for operators that are wrong, ModelError for a model
        that cannot be used.
        """
        question = question.strip()
        if not question:
            raise InputError("the question is empty; ask something")
        if len(question) > LONGEST_QUESTION:
            raise InputError(
                f"the question has {len(question)} characters, at most {LONGEST_QUESTION} can be asked; "
                "index long text as an article instead"
            )
        asked = query.understand(question, history)
        if not asked.text:
            raise InputError(f"there is no question beside {asked.only}; ask something")
        if only:
            asked = replace(asked, only=asked.only.also(only))
        said = tuple(replace(turn, question=without_operators(turn.question)) for turn in history)
        work = _Work(question, asked, said, settings or self.settings)
        return stream(partial(self._work, work), cancel or threading.Event(), progress)

    # From here on in the thread of one answer.

    def _work(self, work: _Work, channel: Channel[Event]) -> None:
        """See `stream`."""
        if query.unclear(work.question, work.history):
            channel.put(self._refusal(work, Reason.UNCLEAR))
            return
        parts = list(self._parts(work))
        for part in parts:
            self._find(part)
        if channel.cancel.is_set():
            channel.put(self._refusal(work, Reason.CANCELLED))
            return
        if any(part.reason is None for part in parts):
            sources = united([part.sources for part in parts if part.reason is None])
            channel.put(Evidence(work.asked.full, sources))
            with self._turns.turn(channel.cancel, partial(channel.progress, "queue", total=0)) as mine:
                for part in parts:
                    part.clock.mark("queue")
                    part.reason = part.reason if mine else Reason.CANCELLED
                answers: list[Answer] = []
                for part in parts:
                    before = tuple(Turn(answer.question, answer.text) for answer in answers)
                    part.history = (*work.history, *before)
                    answers.append(self._told(part, channel))
        else:
            answers = [self._refusal(part, part.reason, part.sources) for part in parts if part.reason is not None]
        channel.put(joined(work.question, answers))

    def _parts(self, work: _Work) -> Iterator[_Work]:
        """The questions in a question, each of which may lean on those before it."""
        history = work.history
        texts = query.parts(work.asked.text)
        for text in texts:
            asked = replace(query.understand(text, history), only=work.asked.only) if len(texts) > 1 else work.asked
            yield _Work(text, asked, history, work.settings)
            history = (*history, Turn(text, ""))

    def _find(self, work: _Work) -> None:
        """Search, and choose what to read or the reason why nothing is to be read."""
        hits = self._search(work)
        if not hits:
            work.reason = Reason.FILTERED_OUT if work.asked.only else Reason.EMPTY_INDEX
        elif not gate.relevant(work.asked, hits):
            work.reason, work.sources = Reason.NOTHING_RELEVANT, _nearest(hits, work.settings)
        else:
            with self._llm_lock:
                # Whichever model is loaded counts well enough: another may only be loaded by the one whose turn it is.
                llm = self._llm or self._model(work.settings)
                work.sources = evidence.select(work.asked.text, hits, llm, work.settings)
        work.clock.mark("evidence")

    def _search(self, work: _Work) -> list[Hit]:
        asked = work.asked
        hits = self.index.search(
            asked.text,
            2 * work.settings.passages,
            rewordings=asked.rewordings,
            context=asked.context,
            **asked.only.to_dict(),
        )
        work.generation = self.index.generation
        work.clock.mark("search")
        return hits

    def _told(self, work: _Work, channel: Channel[Event]) -> Answer:
        if work.reason is None and channel.cancel.is_set():
            work.reason = Reason.CANCELLED
        return self._answer(work, channel) if work.reason is None else self._refusal(work, work.reason, work.sources)

    def _answer(self, work: _Work, channel: Channel[Event]) -> Answer:
        """What the model makes of the passages, checked before and after."""
        llm, sources = self._model(work.settings), work.sources
        passages = [source.hit for source in sources]
        turns = evidence.trim_history(work.asked.text, passages, work.history, llm, work.settings)
        said = self._said(work, llm, prompt.build(work.asked.text, passages, turns), channel)
        work.clock.mark("verify")
        if not any(claim.supported for claim in said):
            reason = Reason.UNSUPPORTED if said else Reason.NOT_ANSWERED
            return self._refusal(work, Reason.CANCELLED if channel.cancel.is_set() else reason, sources)
        if answerability.is_measured(llm.name) and not channel.cancel.is_set():
            self._recheck(work, llm, said, passages, channel)
            if not channel.cancel.is_set() and answerability.is_doubtful(work.signals, llm.name, work.settings.caution):
                return self._refusal(work, Reason.NOT_ANSWERED, sources)
        checked = claims.in_quotes(said) if work.settings.mode == "quote" else said
        similarity = self._similarities(sources)
        found = claims.disagreements(work.asked.text, checked, sources, similarity=similarity) if similarity else ()
        checked += claims.in_line(claims.said(found), start=checked[-1].end + 1)
        return Answer(
            text=" ".join(claim.text for claim in checked),
            claims=checked,
            sources=sources,
            disagreements=found,
            reason=Reason.CANCELLED if channel.cancel.is_set() else None,
            **self._circumstances(work),
        )

    def _said(self, work: _Work, llm: LLM, request: Prompt, channel: Channel[Event]) -> tuple[Claim, ...]:
        """What the model says, sentence by sentence cited and numbered; () when it says nothing.

        In quote mode its own words only point at the quotes, and nobody sees them. Where they point at none, it chooses
        sentences of the passages.
        """
        quotes = work.settings.mode == "quote"
        draft = self._draft(work, llm, request, channel, shown=not quotes)
        said = claims.check(work.asked.text, claims.written(draft), self._still_indexed(work.sources))
        if quotes and said and not any(claim.supported for claim in said) and not channel.cancel.is_set():
            quoting = Quoting([source.hit.text for source in work.sources], llm.vocabulary)
            draft = self._draft(work, llm, request, channel, constraint=quoting)
            said = claims.quoted(draft, self._still_indexed(work.sources))
        return said

    def _draft(
        self,
        work: _Work,
        llm: LLM,
        request: Prompt,
        channel: Channel[Event],
        *,
        constraint: Constraint | None = None,
        shown: bool = True,
    ) -> str:
        """What the model writes; its tokens go to the reader as they come if they are to be `shown`."""
        draft = ""
        for piece in llm.stream(
            request,
            max_tokens=work.settings.answer_tokens,
            cancel=channel.cancel,
            on_read=partial(channel.progress, "read"),
            constraint=constraint,
        ):
            if not draft:
                work.clock.mark("first_token")
            draft += piece
            if shown:
                channel.put(Token(piece))
        work.clock.mark("answer")
        return draft

    def _recheck(
        self, work: _Work, llm: LLM, said: Sequence[Claim], passages: Sequence[Hit], channel: Channel[Event]
    ) -> None:
        """Ask the model what it holds of the question and its draft, with nothing but the cited passages before it."""
        cited = {citation for claim in said for citation in claim.citations}
        read = [hit for hit in passages if any(_holds(hit, citation) for citation in cited)]
        correct = prompt.CORRECT.format(draft=" ".join(claim.text for claim in said))
        answerable, right = (
            llm.log_odds(prompt.build(work.asked.text, read, task=task), cancel=channel.cancel)
            for task in (prompt.ANSWERABLE, correct)
        )
        if channel.cancel.is_set():
            return
        work.signals = Signals(
            correct=right,
            answerable=answerable,
            support=max(claim.support for claim in said),
            covered=max(gate.covered(work.asked.text, citation.quote) for citation in cited),
        )
        work.clock.mark("recheck")

    def _similarities(self, sources: Sequence[Source]) -> Similarity | None:
        """Cosine of two sentences of the passages; None when all are of one article, which cannot disagree."""
        if len({source.hit.article.id for source in sources}) < 2:
            return None
        texts = list(dict.fromkeys(quote.text for quote in cite.quotes(sources)))
        vectors = dict(zip(texts, self.index.embedder.embed_documents(texts), strict=True))
        return lambda one, other: float(vectors[one] @ vectors[other])

    def _still_indexed(self, sources: tuple[Source, ...]) -> tuple[Source, ...]:
        """Those of `sources` whose article was neither removed nor changed while the model wrote."""
        kept = []
        for source in sources:
            try:
                if self.index.article(source.hit.article.id) == source.hit.article:
                    kept.append(source)
            except InputError:
                continue
        return tuple(kept)

    def _refusal(self, work: _Work, reason: Reason, sources: tuple[Source, ...] = ()) -> Answer:
        return Answer(text=REFUSALS[reason], sources=sources, refused=True, reason=reason, **self._circumstances(work))

    def _circumstances(self, work: _Work) -> dict[str, Any]:
        """What every answer says of how it was made."""
        return {
            "question": work.question,
            "searched": work.asked.full,
            "generation": work.generation,
            "model": self._llm.name if self._llm is not None else "",
            "model_sha256": self._sha256,
            "signals": work.signals.to_dict(),
            "timings": work.clock.timings(),
        }

    def _model(self, settings: Settings | None = None) -> LLM:
        """The LLM of `settings`; another one is let go of. Only the one whose turn it is may ask for another."""
        choice = (settings or self.settings).llm
        with self._llm_lock:
            if self._owns_llm and self._llm is not None and choice != self._choice:
                self._let_go()
            if self._llm is None:
                self._llm, self._choice = self._load(settings or self.settings), choice
            return self._llm

    def _load(self, settings: Settings) -> LLM:
        from index import models
        from rag.llm import LlamaCpp

        path = models.locate(settings.llm, "llm")
        name, self._sha256 = _known(settings.llm)
        return LlamaCpp.load(
            path,
            name=name,
            context_tokens=settings.context_tokens,
            threads=settings.threads,
            sha256=self._sha256,
            shelf=self.shelf if settings.kv_bytes else None,
            splice=settings.splice,
        )

    def _let_go(self) -> None:
        close = getattr(self._llm, "close", None)
        if close is not None:
            close()
        self._llm = None


@dataclass(slots=True)
class _Work:
    """One question on its way to an answer. `reason` says why no model is asked."""

    question: str
    asked: Query
    history: tuple[Turn, ...]
    settings: Settings
    sources: tuple[Source, ...] = ()
    reason: Reason | None = None
    generation: int = 0
    signals: Signals = field(default_factory=Signals)
    clock: _Clock = field(default_factory=lambda: _Clock())


class _Clock:
    """Seconds by stage; "total" is their sum."""

    def __init__(self) -> None:
        self._stages: dict[str, float] = {}
        self._last = self._first = time.perf_counter()

    def mark(self, stage: str) -> None:
        now = time.perf_counter()
        self._stages[stage] = self._stages.get(stage, 0.0) + now - self._last
        self._last = now

    def timings(self) -> dict[str, float]:
        return {**self._stages, "total": time.perf_counter() - self._first}


def _nearest(hits: Sequence[Hit], settings: Settings) -> tuple[Source, ...]:
    """The best hits, as what a refusal shows: no model read them."""
    return tuple(Source(number, hit) for number, hit in enumerate(hits[: settings.passages], start=1))


def _holds(hit: Hit, citation: Citation) -> bool:
    return hit.article.id == citation.article_id and hit.start <= citation.start < hit.end


def _known(choice: str | None) -> tuple[str | None, str]:
    """Name and hash of a model in the manifest; None and "" for a file of the user's own."""
    from index import models

    if choice is not None and Path(choice).suffix == ".gguf":
        return Path(choice).stem, ""
    model = models.choose(choice, "llm")
    return model.name, model.files[0].sha256


_engines: dict[tuple[Path, Settings], Engine] = {}
_engines_lock = threading.Lock()


def ask(question: str, *, history: Sequence[Turn] = (), home: str | Path | None = None) -> Answer:
    """Answer one question over the articles in `home` (default: see index/home.py).

    The engine stays open for the next question, until the process ends. Raises what Engine.stream raises.
    """
    key = (homes.resolve(home), Settings.from_env())
    with _engines_lock:
        if key not in _engines:
            engine = Engine.open(key[0], settings=replace(key[1]))
            atexit.register(engine.close)
            _engines[key] = engine
    return _engines[key].ask(question, history=history)
