"""KeptSearch: what Citewire finds among the articles of a dataset, kept in the user's cache, so that a measurement that
was interrupted goes on where it was. What was found holds for the code and the embedder that found it.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from platformdirs import user_cache_path

from benchmarks.harness.journal import Journal, code_digest, digest
from index import Index
from index import __file__ as _index

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

    from benchmarks.harness.dataset import Question
    from index import Article
    from index.embedder import Embedder

_CODE = "alike duplicate filters language passage precedence ranking search tokens version store/generation store/words"
"""What a search depends on, in index/."""


class KeptSearch:
    """A search of one index, which is made when something is looked for that is not kept. Use it in a `with` block."""

    def __init__(self, articles: Sequence[Article], embedder: Embedder, folder: Path | None = None) -> None:
        """Search `articles`; the file is in `folder` (default: the user's cache folder)."""
        code = code_digest(Path(_index).parent / f"{name}.py" for name in _CODE.split())
        name = digest(code, embedder.name, [(one.id, one.title, one.text) for one in articles])
        folder = folder or user_cache_path("citewire", appauthor=False) / "benchmarks"
        self._journal = Journal(folder / f"found-{name}.jsonl")
        self._articles = articles
        self._embedder = embedder
        self._opened = ExitStack()

    def __enter__(self) -> Self:
        """The search itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Delete the index."""
        self._opened.close()

    def ids(self, text: str, k: int, *, rewordings: Sequence[str] = (), context: str = "") -> list[str]:
        """Ids of the articles of the `k` best hits, best first; see Index.search."""
        key = digest(text, k, tuple(rewordings), context)
        if key not in self._journal:
            hits = self._index.search(text, k, rewordings=rewordings, context=context)
            self._journal.note(key, {"ids": list(dict.fromkeys(hit.article.id for hit in hits))})
        return list((self._journal.get(key) or {})["ids"])

    def merged(self, questions: Sequence[Question]) -> list[Question]:
        """The questions, each with the articles that are searched in place of those that answer: for a copy its
        original."""
        if "originals" not in self._journal:
            copies = {one.article.id: one.copy_of.id for one in self._index.listing() if one.copy_of is not None}
            self._journal.note("originals", copies)
        searched = self._journal.get("originals") or {}
        return [
            replace(question, relevant=frozenset(searched.get(one, one) for one in question.relevant))
            for question in questions
        ]

    @cached_property
    def _index(self) -> Index:
        home = self._opened.enter_context(TemporaryDirectory())
        index = self._opened.enter_context(Index.open(home, embedder=self._embedder))
        index.add(self._articles)
        return index
