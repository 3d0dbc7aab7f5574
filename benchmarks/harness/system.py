"""The system under test, and a cache of its answers, so that a run of hours survives Ctrl-C."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from benchmarks.harness.journal import Step, digest
from benchmarks.harness.response import Response, respond

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from benchmarks.harness.dataset import Question
    from benchmarks.harness.journal import Journal
    from index import Article, Index
    from rag.engine import Engine
    from rag.llm import LLM


class System(Protocol):
    """A system that answers questions with the index and model of an engine."""

    @property
    def engine(self) -> Callable[[], Engine]:
        """Open the engine at first use."""
        ...

    def ask(self, question: Question) -> Response:
        """Answer one question."""
        ...


class Citewire:
    """Citewire as it is."""

    def __init__(self, engine: Callable[[], Engine]) -> None:
        """`engine` is called at the first question."""
        self.engine = engine

    def ask(self, question: Question) -> Response:
        """See System."""
        return respond(self.engine(), question)


class CachedSystem:
    """A system whose answers are kept: each question is asked once, however often a benchmark runs."""

    def __init__(self, system: System, journal: Journal, *, corpus: str) -> None:
        """`journal` belongs to this system alone; `corpus` names the collection it answers from."""
        self.system = system
        self.journal = journal
        self.corpus = corpus

    def cached(self, question: Question, instead: Article | None = None) -> Response | None:
        """The kept answer, or None."""
        noted = self.journal.get(self._key(question, instead))
        return None if noted is None else Response.of(noted)

    def step(self, question: Question, instead: Article | None = None) -> Step:
        """The step of asking it. Meanwhile `instead` replaces the article of the same id in the index."""

        def find() -> dict[str, Any]:
            index = self.system.engine().index
            with replaced(index, instead) if instead else nullcontext():
                response = self.system.ask(question)
            at = datetime.now(UTC).isoformat(timespec="seconds")
            return {"corpus": self.corpus, "question": question.text, "at": at, **response.to_dict()}

        return Step(self.journal, self._key(question, instead), find)

    def _key(self, question: Question, instead: Article | None) -> str:
        return digest(self.corpus, question.text, question.history, question.subject, instead)


def loaded_llm(engine: Engine) -> LLM:
    """The loaded model of an engine, to be shared with the baseline and other engines."""
    return engine.loaded.current()


@contextmanager
def replaced(index: Index, article: Article) -> Iterator[None]:
    """Replace the article of the same id, and put it back afterwards."""
    before = index.article(article.id)
    index.add([article])
    try:
        yield
    finally:
        index.add([before])


@contextmanager
def removed(index: Index, ids: Iterable[str]) -> Iterator[None]:
    """Remove the articles, and put them back afterwards."""
    before = [index.article(one) for one in ids]
    index.remove([article.id for article in before])
    try:
        yield
    finally:
        index.add(before)
