"""Workbench: the indexes, engines and journals of a run over answers. Everything opens when it is first needed.

Indexes are kept between runs, so that passages are read by the model once. A journal belongs to the code and settings
its answers came from: to Citewire's, all of rag/ and index/; to the baseline's, the little
that it uses of them.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import index as index_package
import rag
from benchmarks import naive
from benchmarks.journal import Journal, digest, meaning
from benchmarks.naive import Naive
from benchmarks.systems import Citewire, Remembering, llm_of
from index import Index, models
from index.errors import LayoutError
from rag.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from index import Article
    from index.embedder import Embedder
    from rag.llm import LLM
    from rag.settings import Settings

_RAG = Path(rag.__file__).parent
_INDEX = Path(index_package.__file__).parent
_FOUND_BY = [_INDEX / "passage.py", _INDEX / "ranking.py"]
_READ_ALONE = sorted((_RAG / "llm").glob("*.py"))
_READ_BY = [*_READ_ALONE, _RAG / "question.py"]


class Workbench:
    """What a run works with. `corpora` are the articles by the name of their index."""

    def __init__(
        self,
        settings: Settings,
        corpora: Mapping[str, Sequence[Article]],
        embedder: Embedder,
        folder: Path,
    ) -> None:
        """Everything is kept below `folder`."""
        self.settings = settings
        self.folder = folder
        self.embedder = embedder
        self._corpora = corpora
        # Once: what runs is the code as it was when it was loaded, whatever is edited meanwhile.
        self._code = meaning([*_sources(_RAG), *_sources(_INDEX)])
        self._naive_code = meaning([Path(naive.__file__), *_READ_BY, *_FOUND_BY])
        drafted_by = [_RAG / name for name in ("prompt.py", "prompt.md", "evidence.py")]
        self._draft_code = meaning([*drafted_by, *_READ_ALONE, *_FOUND_BY])
        self._journals: dict[str, Journal] = {}
        self._homes: dict[str, str] = {}
        self._indexes: dict[str, Index] = {}
        self._engines: dict[tuple[str, Settings], Engine] = {}
        self._llms: dict[tuple[Any, ...], LLM] = {}

    def __enter__(self) -> Workbench:
        """Itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Let go of models and indexes."""
        for engine in self._engines.values():
            engine.close()
        for index in self._indexes.values():
            index.close()

    def citewire(self, corpus: str, settings: Settings | None = None) -> Remembering:
        """Citewire over a corpus, with the settings of the run or others."""
        chosen = settings or self.settings
        journal = self.journal("citewire", digest(self._code, chosen, _weights(chosen)))
        return Remembering(Citewire(lambda: self.engine(corpus, chosen)), journal, corpus=self._home(corpus))

    def naive(self, corpus: str) -> Remembering:
        """The baseline over a corpus, with the model of the run."""
        journal = self.journal("naive", digest(self._naive_code, self.settings.answer_tokens, _weights(self.settings)))
        return Remembering(Naive(lambda: self.engine(corpus, self.settings)), journal, corpus=self._home(corpus))

    def drafts(self) -> Journal:
        """The journal of what the model of the run writes, unchecked."""
        return self.journal("drafts", digest(self._draft_code, self.settings.answer_tokens, _weights(self.settings)))

    def journal(self, system: str, version: str) -> Journal:
        """The journal of a system."""
        name = f"answers-{system}-{version}.jsonl"
        if name not in self._journals:
            self._journals[name] = Journal(self.folder / name)
        return self._journals[name]

    def journals(self, system: str) -> list[Journal]:
        """Those of a system that this run has to do with."""
        return [journal for name, journal in self._journals.items() if name.startswith(f"answers-{system}-")]

    def engine(self, corpus: str, settings: Settings) -> Engine:
        """An engine over a corpus; equal models are loaded once."""
        key = (corpus, settings)
        if key not in self._engines:
            model = (settings.llm, settings.context_tokens, settings.threads, settings.kv_bytes, settings.splice)
            self._engines[key] = Engine.open(index=self.index(corpus), llm=self._llms.get(model), settings=settings)
            self._llms[model] = llm_of(self._engines[key])
        return self._engines[key]

    def index(self, corpus: str) -> Index:
        """The index of a corpus, as it should be whatever an earlier run left."""
        if corpus not in self._indexes:
            articles = self._corpora[corpus]
            home = self.folder / "homes" / self._home(corpus)
            try:
                index = Index.open(home, embedder=self.embedder)
            except LayoutError:  # it was made by an older Citewire
                shutil.rmtree(home)
                index = Index.open(home, embedder=self.embedder)
            index.add(articles)
            self._indexes[corpus] = index
        return self._indexes[corpus]

    def _home(self, corpus: str) -> str:
        """A name that says which articles are in it."""
        if corpus not in self._homes:
            self._homes[corpus] = f"{corpus}-{digest(*self._corpora[corpus])}"
        return self._homes[corpus]


def _sources(folder: Path) -> list[Path]:
    """Every file of a package, those of its subfolders included, that an answer may depend on."""
    return [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]


def _weights(settings: Settings) -> str:
    """Which model, by the hash of its file where that is known."""
    if settings.llm is not None and settings.llm.endswith(".gguf"):
        return settings.llm
    return " ".join(file.sha256 for file in models.choose(settings.llm, "llm").files)
