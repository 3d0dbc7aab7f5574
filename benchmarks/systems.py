"""Systems: what is asked, and one that remembers what it was asked, so that hours of answers survive a Ctrl-C."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from benchmarks.journal import Step, digest
from benchmarks.said import Said, hear

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from benchmarks.dataset import Question
    from benchmarks.journal import Journal
    from index import Article, Index
    from rag.engine import Engine
    from rag.llm import LLM


class System(Protocol):
    """Answers questions over the index of an engine, which opens at the first one."""

    @property
    def engine(self) -> Callable[[], Engine]:
        """The engine it works with."""
        ...

    def ask(self, question: Question) -> Said:
        """Answer."""
        ...


class Citewire:
    """Citewire as it is."""

    def __init__(self, engine: Callable[[], Engine]) -> None:
        """`engine` is called at the first question."""
        self.engine = engine

    def ask(self, question: Question) -> Said:
        """See System."""
        return hear(self.engine(), question)


class Remembering:
    """A system that is asked each question once, however often a benchmark runs."""

    def __init__(self, system: System, journal: Journal, *, corpus: str) -> None:
        """`journal` is for this system alone; `corpus` names what it is asked over."""
        self.system = system
        self.journal = journal
        self.corpus = corpus

    def recall(self, question: Question, instead: Article | None = None) -> Said | None:
        """What it said, if it was asked."""
        noted = self.journal.get(self._key(question, instead))
        return None if noted is None else Said.of(noted)

    def step(self, question: Question, instead: Article | None = None) -> Step:
        """Asking it; `instead` stands in the index meanwhile, in the place of the article with its id."""

        def find() -> dict[str, Any]:
            index = self.system.engine().index
            with replaced(index, instead) if instead else nullcontext():
                said = self.system.ask(question)
            at = datetime.now(UTC).isoformat(timespec="seconds")
            return {"corpus": self.corpus, "question": question.text, "at": at, **said.to_dict()}

        return Step(self.journal, self._key(question, instead), find)

    def _key(self, question: Question, instead: Article | None) -> str:
        return digest(self.corpus, question.text, question.history, question.subject, instead)


def llm_of(engine: Engine) -> LLM:
    """The model of an engine, loaded: the baseline and other engines use the very same."""
    return engine.loaded.current()


@contextmanager
def replaced(index: Index, article: Article) -> Iterator[None]:
    """While it lasts, `article` stands in the place of the one with its id."""
    before = index.article(article.id)
    index.add([article])
    try:
        yield
    finally:
        index.add([before])


@contextmanager
def removed(index: Index, ids: Iterable[str]) -> Iterator[None]:
    """While it lasts, the articles are gone."""
    before = [index.article(one) for one in ids]
    index.remove([article.id for article in before])
    try:
        yield
    finally:
        index.add(before)
