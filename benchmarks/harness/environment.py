"""The indexes, engines and journals that a run over answers needs. Each is opened at first use.

Indexes are kept between runs, so the model reads each passage once. A journal belongs to the code and the settings that
produced its answers: for Citewire all files of rag/ and index/, for the baseline the few modules that it uses.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import index as index_package
import rag
from benchmarks.harness import naive
from benchmarks.harness.journal import Journal, code_digest, digest
from benchmarks.harness.naive import NaivePrompt
from benchmarks.harness.system import CachedSystem, Citewire, loaded_llm
from index import Index, models, passage, ranking
from index.errors import LayoutError
from rag import evidence, prompt, question
from rag.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from index import Article
    from index.embedder import Embedder
    from rag.llm import LLM
    from rag.settings import Settings

_RAG = Path(rag.__file__).parent
_INDEX = Path(index_package.__file__).parent
_SEARCH = [Path(passage.__file__), Path(ranking.__file__)]
_LLM = sorted((_RAG / "llm").glob("*.py"))


class Environment:
    """What a run needs. `corpora` maps the name of an index to its articles."""

    def __init__(
        self,
        settings: Settings,
        corpora: Mapping[str, Sequence[Article]],
        embedder: Embedder,
        folder: Path,
    ) -> None:
        """Keep everything below `folder`."""
        self.settings = settings
        self.folder = folder
        self.embedder = embedder
        self._corpora = corpora
        # Read once: what runs is the code as it was loaded, whatever is edited meanwhile.
        self._code = code_digest([*_sources(_RAG), *_sources(_INDEX)])
        self._naive_code = code_digest([Path(naive.__file__), Path(question.__file__), *_LLM, *_SEARCH])
        drafted_by = [Path(prompt.__file__), Path(prompt.__file__).with_suffix(".md"), Path(evidence.__file__)]
        self._draft_code = code_digest([*drafted_by, *_LLM, *_SEARCH])
        self._journals: dict[str, Journal] = {}
        self._homes: dict[str, str] = {}
        self._indexes: dict[str, Index] = {}
        self._engines: dict[tuple[str, Settings], Engine] = {}
        self._llms: dict[tuple[Any, ...], LLM] = {}

    def __enter__(self) -> Environment:
        """Return the environment."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close models and indexes."""
        for engine in self._engines.values():
            engine.close()
        for index in self._indexes.values():
            index.close()

    def citewire(self, corpus: str, settings: Settings | None = None) -> CachedSystem:
        """Citewire over a corpus, with the settings of the run unless others are given."""
        chosen = settings or self.settings
        journal = self.journal("citewire", digest(self._code, chosen, _weights(chosen)))
        return CachedSystem(Citewire(lambda: self.engine(corpus, chosen)), journal, corpus=self._home(corpus))

    def naive(self, corpus: str) -> CachedSystem:
        """The baseline over a corpus, with the model of the run."""
        journal = self.journal("naive", digest(self._naive_code, self.settings.answer_tokens, _weights(self.settings)))
        return CachedSystem(NaivePrompt(lambda: self.engine(corpus, self.settings)), journal, corpus=self._home(corpus))

    def drafts(self) -> Journal:
        """The journal of unchecked drafts of the run's model."""
        return self.journal("drafts", digest(self._draft_code, self.settings.answer_tokens, _weights(self.settings)))

    def journal(self, system: str, version: str) -> Journal:
        """The journal of a system."""
        name = f"answers-{system}-{version}.jsonl"
        if name not in self._journals:
            self._journals[name] = Journal(self.folder / name)
        return self._journals[name]

    def journals(self, system: str) -> list[Journal]:
        """The journals of a system that this run has opened."""
        return [journal for name, journal in self._journals.items() if name.startswith(f"answers-{system}-")]

    def engine(self, corpus: str, settings: Settings) -> Engine:
        """An engine over a corpus. Equal models are loaded once."""
        key = (corpus, settings)
        if key not in self._engines:
            model = (settings.llm, settings.context_tokens, settings.threads, settings.kv_bytes, settings.splice)
            self._engines[key] = Engine.open(index=self.index(corpus), llm=self._llms.get(model), settings=settings)
            self._llms[model] = loaded_llm(self._engines[key])
        return self._engines[key]

    def index(self, corpus: str) -> Index:
        """The index of a corpus, brought up to date."""
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
        """A folder name that depends on the articles."""
        if corpus not in self._homes:
            self._homes[corpus] = f"{corpus}-{digest(*self._corpora[corpus])}"
        return self._homes[corpus]


def _sources(folder: Path) -> list[Path]:
    """Every file of a package, subfolders included, that an answer may depend on."""
    return [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]


def _weights(settings: Settings) -> str:
    """The model, by the hashes of its files where they are known."""
    if settings.llm is not None and settings.llm.endswith(".gguf"):
        return settings.llm
    return " ".join(file.sha256 for file in models.choose(settings.llm, "llm").files)
