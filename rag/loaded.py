"""Loaded: the language model that is in memory. At most one is; it loads at first use and makes room for another."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from index.model_address import is_address
from rag.grounding import answerability
from rag.llm import Replicated, Served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rag.llm import LLM
    from rag.llm.kv_cache import KVCache, MemoryKVCache
    from rag.llm.llama import LlamaCpp
    from rag.settings import Settings


class LoadedModel:
    """Safe to use from several threads. Only the one whose question is answered may ask for another model."""

    def __init__(self, settings: Settings, kv_cache: Callable[[], KVCache], llm: LLM | None = None) -> None:
        """`llm`, when given, is used whatever the settings say, and stays the caller's to close. One that is
        `Replicated` is the model of `settings`; others that are asked for load here."""
        self._settings = settings
        self._kv_cache = kv_cache
        self._replicas: LLM | None = None
        if llm is not None and isinstance(llm, Replicated):
            self._replicas, llm = llm, None
        self._llm = llm
        self._owned = llm is None
        self._choice: str | None = None
        self._lock = threading.RLock()
        self.sha256 = ""
        """Hash of the model's file, where models.txt has it."""

    @property
    def name(self) -> str:
        """Name of the model in memory; "" when there is none."""
        llm = self._llm
        return "" if llm is None else llm.name

    def current(self) -> LLM:
        """Whichever model is in memory, for somebody may be asking it; that of the settings if there is none."""
        with self._lock:
            return self._llm or self.of(self._settings)

    def of(self, settings: Settings) -> LLM:
        """The model that `settings` name. Another one is let go. Raises ModelError."""
        with self._lock:
            if self._owned and self._llm is not None and settings.llm != self._choice:
                self.close()
            if self._llm is None:
                self._llm, self._choice = self._load(settings), settings.llm
            return self._llm

    @contextmanager
    def held(self, settings: Settings) -> Iterator[LLM]:
        """Whichever model is in memory, which stays there meanwhile; that of `settings` if there is none. Enough to
        count tokens with, for which it need not be the one that will answer. A server that will not is sent nothing:
        the tokens are estimated."""
        with self._lock:
            llm = self._llm or self.of(settings)
            will_answer = not self._owned or settings.llm == self._choice
            yield llm if will_answer or not isinstance(llm, Served) else llm.estimating()

    def close(self) -> None:
        """Let go of the model, unless it was handed in."""
        with self._lock:
            if not self._owned or self._llm is None:
                return
            close = getattr(self._llm, "close", None)
            if close is not None:
                close()
            self._llm = None

    def at_once(self, settings: Settings) -> int:
        """How many questions the model of `settings` answers at a time."""
        replicas = self._replicas
        if replicas is not None and isinstance(replicas, Replicated) and settings.llm == self._settings.llm:
            return replicas.at_once()
        return settings.llm_requests if is_address(settings.llm) else 1

    def _load(self, settings: Settings) -> LLM:
        from index import models

        if self._replicas is not None and settings.llm == self._settings.llm:
            self.sha256 = models.identify(settings.llm, "llm").sha256
            return self._replicas
        if is_address(settings.llm):
            from rag.llm.remote import RemoteLLM

            self.sha256 = ""
            return RemoteLLM.open(
                settings.llm or "",
                context_tokens=settings.context_tokens,
                parallel=settings.llm_requests,
                timeout_s=settings.llm_timeout_s,
            )
        llm = load(settings, self._kv_cache() if settings.kv_bytes else None)
        self.sha256 = models.identify(settings.llm, "llm").sha256
        return llm


def load(settings: Settings, kv_cache: KVCache | MemoryKVCache | None) -> LlamaCpp:
    """The model of `settings` in this process. Raises ModelError."""
    from index import models
    from rag.llm.llama import LlamaCpp

    path = models.locate(settings.llm, "llm")
    known = models.identify(settings.llm, "llm")
    return LlamaCpp.load(
        path,
        name=known.name,
        context_tokens=settings.context_tokens,
        threads=settings.threads,
        gpu_layers=settings.gpu_layers,
        sha256=known.sha256,
        kv_cache=kv_cache,
        splice=settings.splice,
        adapter=answerability.adapter(known.name) if known.sha256 else None,
        guesses=settings.guesses,
        ahead_threads=0 if settings.read_ahead == "full" else 1,
    )
