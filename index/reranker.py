"""Reranker: a query and passages → how well each fits, read together by a cross-encoder. Optional; off unless named."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from index import models
from index.errors import ModelError
from index.process import use_native

if TYPE_CHECKING:
    from collections.abc import Sequence

VARIABLE = "CITEWIRE_RERANKER"
"""Environment variable with the name of a reranker in models.txt, or the path of its folder."""
CANDIDATES = 24
"""Passages that are read again, the best by the other scores. The cost grows with each, and few answers lie deeper:
R@5 is .973 already (docs/experiments.md)."""


class Reranker(Protocol):
    """Scores passages for a query. Greater fits better; scores compare within one query only. Safe to call from
    threads."""

    def scores(self, query: str, passages: Sequence[str]) -> list[float]:
        """One score for each of `passages`."""
        ...


class CrossEncoderReranker:
    """A sentence-transformers cross-encoder with one output. Its weights load at first use, so naming one is free."""

    def __init__(self, name: str) -> None:
        """`name` as in models.txt, or the path of a folder, whose files are taken as they are."""
        self.name = name
        self._lock = threading.Lock()
        self._loaded: Any = None

    def scores(self, query: str, passages: Sequence[str]) -> list[float]:
        """See Reranker; each score is in [0, 1]. Raises ModelError when the model is missing or cannot be loaded."""
        if not passages:
            return []
        model = self._model()
        from torch.nn import Sigmoid

        with self._lock:
            found = model.predict(
                [(query, passage) for passage in passages], activation_fn=Sigmoid(), show_progress_bar=False
            )
        return [float(score) for score in found]

    def _model(self) -> Any:
        use_native(f"the reranker {self.name}")
        with self._lock:
            if self._loaded is None:
                self._loaded = _load(_folder(self.name))
            return self._loaded


def chosen() -> CrossEncoderReranker | None:
    """The reranker that CITEWIRE_RERANKER names; None when it is not set."""
    name = os.environ.get(VARIABLE, "").strip()
    return CrossEncoderReranker(name) if name else None


def _folder(name: str) -> Path:
    own = Path(name).expanduser()
    is_listed = any(model.name == name for model in models.manifest())
    return own.absolute() if not is_listed and own.is_dir() else models.locate(name, "reranker")


def _load(folder: Path) -> Any:
    # Everything is on disk: neither transformers nor the hub client may look further.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from sentence_transformers import CrossEncoder
    from transformers.utils import logging

    logging.disable_progress_bar()  # the front ends have their own
    try:
        # Only safetensors: weights of other kinds are programs as well.
        model = CrossEncoder(str(folder), device="cpu", local_files_only=True, model_kwargs={"use_safetensors": True})
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"the reranker in {folder} cannot be loaded ({error}); "
            f"set {VARIABLE} to a cross-encoder with model.safetensors, or to nothing"
        ) from error
    if model.num_labels != 1:
        raise ModelError(
            f"the reranker in {folder} gives {model.num_labels} scores a passage, not one; set {VARIABLE} to another"
        )
    return model
