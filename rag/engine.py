"""Engine: a question → evidence, tokens, and an answer whose every sentence was checked. Joins the parts of rag/."""

from __future__ import annotations

import atexit
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from index import Index
from index import home as homes
from index.errors import InputError
from index.filters import without_operators
from index.passage import sentences
from rag import cite, evidence, prompt, query, verify
from rag.answer import Answer, Citation, Claim, Reason, Source, Turn
from rag.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from index.filters import Filter
    from rag.cite import Quote
    from rag.llm import LLM
    from rag.query import Query

LONGEST_QUESTION = 2000
"""Characters of the longest question; a longer one is a pasted article, which belongs in the index."""

REFUSALS = {
    Reason.NOTHING_RELEVANT: "The articles do not say: nothing in them speaks of this.",
    Reason.NOT_ANSWERED: prompt.CANNOT_ANSWER,
    Reason.UNSUPPORTED: prompt.CANNOT_ANSWER,
    Reason.FILTERED_OUT: "No article is of the outlet or the time that the question asks for.",
    Reason.EMPTY_INDEX: "There are no articles yet. Add some: citewire index add FOLDER",
    Reason.CANCELLED: "",
}

_MARKER = re.compile(r"\s*\[\d+(?:\s*,\s*\d+)*\]")
_CANNOT = re.compile(
    r"\b(?:articles?|passages?|texts?|information|context)\b[^.]{0,60}?"
    r"\b(?:do(?:es)? not|don['’]t|doesn['’]t|did not|no|not)\s+"
    r"(?:directly |explicitly |specifically )?"
    r"(?:say|state|mention|provid|contain|specif|includ|answer|give|information)",
    re.IGNORECASE,
)


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
        self._llm_lock = threading.Lock()
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
                close = getattr(self._llm, "close", None)
                if close is not None:
                    close()
                self._llm = None
        if self._owns_index:
            self.index.close()

    def load(self) -> None:
        """Load the models now, so that the first question does not wait. Raises ModelError."""
        self.index.embedder.embed_query("ready")
        if self.index.reranker is not None:
            self.index.reranker.scores("ready", ["ready"])
        self._model()

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
        return self._stream(question, asked, said, cancel or threading.Event(), settings or self.settings, progress)

    def _stream(
        self,
        question: str,
        asked: Query,
        history: tuple[Turn, ...],
        cancel: threading.Event,
        settings: Settings,
        progress: Progress | None,
    ) -> Iterator[Event]:
        """See `stream`; `question` as it was typed, which is what an Answer repeats."""
        clock = _Clock()
        hits = self.index.search(
            asked.text,
            2 * settings.passages,
            rewordings=asked.rewordings,
            context=asked.context,
            **asked.only.to_dict(),
        )
        clock.mark("search")
        if not hits and asked.only:
            yield self._refusal(question, Reason.FILTERED_OUT, clock)
            return
        if not hits:
            yield self._refusal(question, Reason.EMPTY_INDEX, clock)
            return
        if not verify.relevant(asked, hits):
            yield self._refusal(question, Reason.NOTHING_RELEVANT, clock)
            return
        if cancel.is_set():
            yield self._refusal(question, Reason.CANCELLED, clock)
            return

        llm = self._model()
        sources = evidence.select(asked.text, hits, llm, settings)
        passages = [source.hit for source in sources]
        turns = evidence.trim_history(asked.text, passages, history, llm, settings)
        clock.mark("evidence")
        yield Evidence(asked.full, sources)

        draft = ""
        on_read = partial(progress, "read") if progress else None
        request = prompt.build(asked.text, passages, turns)
        for piece in llm.stream(request, max_tokens=settings.answer_tokens, cancel=cancel, on_read=on_read):
            if not draft:
                clock.mark("first_token")
            draft += piece
            yield Token(piece)
        clock.mark("answer")
        yield self._checked(question, asked.text, draft, sources, clock, cancelled=cancel.is_set())

    def _checked(
        self, question: str, asked: str, draft: str, sources: tuple[Source, ...], clock: _Clock, *, cancelled: bool
    ) -> Answer:
        """The draft as an Answer: sentence by sentence cited, verified, numbered."""
        if cancelled and not draft.strip():
            return self._refusal(question, Reason.CANCELLED, clock, sources)
        written = _sentences(draft)
        if not written:
            return self._refusal(question, Reason.NOT_ANSWERED, clock, sources)
        still_there = self._still_indexed(sources)
        claims = _claims(asked, written, still_there)
        clock.mark("verify")
        if not any(claim.supported for claim in claims):
            reason = Reason.CANCELLED if cancelled else Reason.UNSUPPORTED
            return self._refusal(question, reason, clock, sources)
        return Answer(
            question=question,
            text=" ".join(claim.text for claim in claims),
            claims=claims,
            sources=sources,
            reason=Reason.CANCELLED if cancelled else None,
            model=self._model().name,
            timings=clock.timings(),
        )

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

    def _refusal(self, question: str, reason: Reason, clock: _Clock, sources: tuple[Source, ...] = ()) -> Answer:
        return Answer(
            question=question,
            text=REFUSALS[reason],
            sources=sources,
            refused=True,
            reason=reason,
            model=self._llm.name if self._llm is not None else "",
            timings=clock.timings(),
        )

    def _model(self) -> LLM:
        with self._llm_lock:
            if self._llm is None:
                from index import models
                from rag.llm import LlamaCpp

                path = models.locate(self.settings.llm, "llm")
                self._llm = LlamaCpp.load(
                    path,
                    name=_model_name(self.settings.llm),
                    context_tokens=self.settings.context_tokens,
                    threads=self.settings.threads,
                )
            return self._llm


class _Clock:
    """Seconds by stage; "total" is their sum."""

    def __init__(self) -> None:
        self._stages: dict[str, float] = {}
        self._last = self._first = time.perf_counter()

    def mark(self, stage: str) -> None:
        now = time.perf_counter()
        self._stages[stage] = now - self._last
        self._last = now

    def timings(self) -> dict[str, float]:
        return {**self._stages, "total": time.perf_counter() - self._first}


def _sentences(draft: str) -> list[str]:
    """The sentences of a draft without the model's own markers, repetitions, and admissions of not knowing."""
    text = _MARKER.sub("", draft).strip()
    written: list[str] = []
    for span in sentences(text):
        sentence = " ".join(span.of(text).split())
        if _CANNOT.search(sentence) or sentence in written:
            continue
        written.append(sentence)
    return written


def _claims(question: str, written: Sequence[str], sources: Sequence[Source]) -> tuple[Claim, ...]:
    claims: list[Claim] = []
    numbers: dict[tuple[str, int, int], int] = {}
    start = 0
    for text in written:
        quotes = cite.align(text, sources, question=question)
        support = verify.support(text, quotes, read=sources, question=question)
        supported = support >= verify.SUPPORTED
        citations = tuple(_citation(quote, numbers) for quote in quotes) if supported else ()
        claims.append(Claim(text, start, start + len(text), citations, support, supported))
        start += len(text) + 1
    return tuple(claims)


def _citation(quote: Quote, numbers: dict[tuple[str, int, int], int]) -> Citation:
    place = (quote.article.id, quote.start, quote.end)
    return Citation(numbers.setdefault(place, len(numbers) + 1), quote.article, quote.start, quote.end)


def _model_name(choice: str | None) -> str:
    from index import models

    if choice is not None and Path(choice).suffix == ".gguf":
        return Path(choice).stem
    return models.choose(choice, "llm").name


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
