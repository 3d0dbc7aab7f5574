"""Engine: a question → evidence, tokens, and an answer whose every sentence was checked. Joins the parts of rag/."""

from __future__ import annotations

import atexit
import threading
import time
from collections import deque
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

from index import Index
from index import home as homes
from index.errors import InputError
from index.filters import without_operators
from index.manifest import MODES
from rag import answerability, evidence, gate, prompt, query
from rag.answer import Answer, Reason, Source, Turn
from rag.llm import Reader
from rag.parts import joined, united
from rag.reply import Reply
from rag.settings import Settings
from rag.shelf import Shelf
from rag.stream import stream
from rag.turns import Turns
from rag.work import Evidence, Token, Work

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from index.filters import Filter
    from index.search import Hit
    from rag.llm import LLM
    from rag.prompt import Prompt
    from rag.stream import Channel
    from rag.work import Event, Progress

__all__ = ["Engine", "Evidence", "Token", "ask"]

_IDLE_S = 0.2
"""How often reading ahead looks whether everyone was answered."""
_SPEED_TOKENS, _LEAST_TOKENS = 12, 4
"""Most and fewest tokens by which the speed of writing is told."""
_TALKS = 4
"""Of how many conversations at most the last answer is read ahead."""
LONGEST_QUESTION = 2000
"""Characters of the longest question; a longer one is a pasted article, which belongs in the index."""


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
        self._talks: deque[tuple[Turn, ...]] = deque(maxlen=_TALKS)
        self._likely: deque[Hit] = deque()
        self._has_read: tuple[LLM, int] | None = None
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
        """Read what nobody asked about yet, while nobody asks: the last answers, which a follow-up comes after;
        passages that the last search found beside those that were read, since the next question is likely to be about
        them; then all others, those of the last added article first.

        True when all are read that there is room for, which is quick to find out again; False when cancelled.
        Raises ModelError.
        """
        llm, generation = self._loaded(), self.index.generation
        if not self.settings.kv_bytes or not isinstance(llm, Reader):
            return True
        for request, likely in self._unread(llm, everything=self._has_read != (llm, generation)):
            # What is likely may take the place of what was used longest ago.
            while (likely or not self.shelf.is_full) and not llm.is_read(request):
                if cancel.is_set():
                    return False
                if not len(self._turns) and llm.read_ahead(request):
                    break
                cancel.wait(_IDLE_S if len(self._turns) else 0)
        if cancel.is_set():
            return False
        self._has_read = (llm, generation)
        return True

    def words_per_s(self, cancel: threading.Event) -> float | None:
        """How many tokens a second the model writes here, by writing a few that nobody sees; None when someone asked
        meanwhile, when cancelled, when it wrote too few, and for a model that does nothing while nobody asks. Raises
        ModelError."""
        llm = self._loaded()
        if not isinstance(llm, Reader):
            return None
        stop, times = threading.Event(), [time.perf_counter()]
        hello = prompt.Prompt(prompt.instructions(), (), (), "Hello?")
        for _ in llm.stream(hello, max_tokens=_SPEED_TOKENS, cancel=stop):
            times.append(time.perf_counter())
            if cancel.is_set() or len(self._turns):
                stop.set()
        written = len(times) - 2
        return None if stop.is_set() or written < _LEAST_TOKENS else written / (times[-1] - times[1])

    @cached_property
    def shelf(self) -> Shelf:
        """Where passages are kept as the model read them."""
        return Shelf.of(self.index, limit_bytes=self.settings.kv_bytes)

    @property
    def model(self) -> str:
        """Name of the LLM that is loaded; loads that of the settings if none is."""
        return self._loaded().name

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
        """The answer to `question`. Takes what `stream` takes, and raises what it raises."""
        for event in self.stream(
            question, history=history, cancel=cancel, settings=settings, only=only, progress=progress
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
        progress: Progress | None = None,
    ) -> Iterator[Event]:
        """Yield one Evidence, the Tokens of the draft, and last the checked Answer.

        When nothing relevant is found the Answer alone comes, a refusal, and no model is called. `history` holds
        earlier turns, oldest first. Setting `cancel` ends the stream within about a second, at any stage, with
        Reason.CANCELLED. `settings` holds for this question alone, instead of those of the engine; `only` narrows what
        is searched.
        `progress` is called with "queue", how many questions come first, 0, while others are answered; with "read",
        tokens read, tokens in all, while the prompt is read; and with "write", tokens written, the most there can be,
        while words are written that nobody sees: in quote mode, and when the draft is not given and written again.
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
        work = Work(question, asked, said, settings or self.settings)
        return stream(partial(self._work, work), cancel or threading.Event(), progress)

    # From here on in the thread of one answer.

    def _work(self, work: Work, channel: Channel[Event]) -> None:
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
        asked = [part for part in parts if part.reason is None]
        if asked:
            self._likely = deque(hit for part in asked for hit in _left(part))
            channel.put(Evidence(work.asked.full, united([part.sources for part in asked])))
            with self._turns.turn(channel.cancel, partial(channel.progress, "queue", total=0)) as mine:
                for part in parts:
                    part.clock.mark("queue")
                    part.reason = part.reason if mine else Reason.CANCELLED
                answers: list[Answer] = []
                for part in parts:
                    before = tuple(answer.turn for answer in answers)
                    part.history = (*work.history, *before)
                    answers.append(self._told(part, channel))
        else:
            answers = [self._refusal(part, part.reason) for part in parts if part.reason is not None]
        answer = joined(work.question, answers)
        if answer.text.strip():
            self._talks.append((*work.history, replace(answer.turn, question=without_operators(work.question))))
        channel.put(answer)

    def _parts(self, work: Work) -> Iterator[Work]:
        """The questions in a question, each of which may lean on those before it."""
        history = work.history
        texts = query.parts(work.asked.text)
        for text in texts:
            asked = replace(query.understand(text, history), only=work.asked.only) if len(texts) > 1 else work.asked
            yield Work(text, asked, history, work.settings)
            history = (*history, Turn(text, ""))

    def _find(self, work: Work) -> None:
        """Search, and choose what to read or the reason why nothing is to be read."""
        self._search(work)
        if not work.hits:
            work.reason = Reason.FILTERED_OUT if work.asked.only else Reason.EMPTY_INDEX
        elif not gate.relevant(work.asked, work.hits):
            work.reason, work.sources = Reason.NOTHING_RELEVANT, _nearest(work)
        else:
            with self._llm_lock:
                # Whichever model is loaded counts well enough: another may only be loaded by the one whose turn it is.
                llm = self._llm or self._model(work.settings)
                work.sources = evidence.select(work.asked.text, work.hits, llm, work.settings)
        work.clock.mark("evidence")

    def _search(self, work: Work) -> None:
        asked = work.asked
        work.hits = self.index.search(
            asked.text,
            2 * work.settings.passages,
            rewordings=asked.rewordings,
            context=asked.context,
            **asked.only.to_dict(),
        )
        work.generation = self.index.generation
        work.clock.mark("search")

    def _told(self, work: Work, channel: Channel[Event]) -> Answer:
        """The answer to a question whose turn it is."""
        reason = work.reason or (Reason.CANCELLED if channel.cancel.is_set() else None)
        if reason is not None:
            return self._refusal(work, reason)
        llm = self._model(work.settings)
        work.model, work.model_sha256 = llm.name, self._sha256
        return Reply(work, llm, work.settings.mode or _usual_mode(work.settings.llm), self.index, channel).answer()

    def _refusal(self, work: Work, reason: Reason) -> Answer:
        """A refusal that no model had a part in, though one may be loaded."""
        work.model, work.model_sha256 = self._llm.name if self._llm is not None else "", self._sha256
        return work.refusal(reason)

    def _unread(self, llm: LLM, *, everything: bool) -> Iterator[tuple[Prompt, bool]]:
        """What may have to be read ahead, and whether it is likely to be needed. Conversations and what the last search
        found come first whenever there are some, and are all unless `everything` is to be looked through."""
        others = self.index.passages() if everything else iter(())
        while True:
            likely = self._likely
            if self._talks:
                turns = evidence.trim_history("", (), self._talks.popleft(), llm, self.settings)
                yield prompt.Prompt(prompt.instructions(), (), turns, ""), True
            elif likely:
                hit = likely.popleft()
                yield prompt.passage(hit.article, hit.text), True
            elif other := next(others, None):
                article, span = other
                yield prompt.passage(article, span.of(article.text)), False
            else:
                return

    def _loaded(self) -> LLM:
        """Whichever LLM is loaded: someone may be asking it. That of the settings if none is."""
        with self._llm_lock:
            return self._llm or self._model()

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
            adapter=answerability.adapter(name) if name is not None and self._sha256 else None,
        )

    def _let_go(self) -> None:
        close = getattr(self._llm, "close", None)
        if close is not None:
            close()
        self._llm = None


def _nearest(work: Work) -> tuple[Source, ...]:
    """The best hits, as what a refusal shows: no model read them."""
    return tuple(Source(number, hit) for number, hit in enumerate(work.hits[: work.settings.passages], start=1))


def _left(work: Work) -> Iterator[Hit]:
    """What was found and is not read."""
    read = [source.hit for source in work.sources]
    return (hit for hit in work.hits if hit not in read)


def _usual_mode(choice: str | None) -> str:
    """How a model answers when nobody says how: as models.txt has it, else by writing."""
    from index import models

    if choice is not None and Path(choice).suffix == ".gguf":
        return MODES[0]
    return models.choose(choice, "llm").mode or MODES[0]


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

    The first question loads the models, which takes some seconds; they stay loaded until the process ends. Settings
    come from the environment (CITEWIRE_LLM, CITEWIRE_CAUTION, …); use `Engine` to give them in code.

    A question that the articles do not answer is no error: `answer.refused` is True and `answer.reason` says why.
    Raises InputError for an empty question, ModelError for a model that is missing, StoreError for a damaged index.
    """
    key = (homes.resolve(home), Settings.from_env())
    with _engines_lock:
        if key not in _engines:
            engine = Engine.open(key[0], settings=replace(key[1]))
            atexit.register(engine.close)
            _engines[key] = engine
    return _engines[key].ask(question, history=history)
