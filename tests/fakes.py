"""Small, honest stand-ins for the two models: fast, deterministic, and with the same contracts."""

from __future__ import annotations

import re
import threading
import zlib
from typing import TYPE_CHECKING

import numpy as np

from rag.llm import Vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from rag.prompt import Prompt


class BagOfWordsEmbedder:
    """Hashes words into a unit vector: texts that share words are near. Counts what it embeds."""

    dimension = 64

    def __init__(self, name: str = "bag-of-words") -> None:
        self.name = name
        self.embedded: list[str] = []

    def embed_documents(
        self, texts: Sequence[str], *, progress: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        self.embedded.extend(texts)
        if progress is not None:
            progress(len(texts))
        return self._embed(texts)

    def embed_query(self, text: str) -> NDArray[np.float32]:
        vector: NDArray[np.float32] = self._embed([text])[0]
        return vector

    def _embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, text in zip(vectors, texts, strict=True):
            row[0] = 1e-6
            for word in re.findall(r"\w+", text.lower()):
                row[zlib.crc32(word.encode()) % self.dimension] += 1.0
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors


class ScriptedLLM:
    """Answers from a queue of replies and keeps the prompts and constraints it was given. `gate` holds it until set.
    Asked for Yes or No, it gives the next of `odds`, and Yes when there are none left."""

    name = "scripted"
    context_tokens = 4096
    adapts = False
    vocabulary = Vocabulary((*(bytes([byte]) for byte in range(256)), b""), frozenset({256}))

    def __init__(self, *replies: str, gate: threading.Event | None = None, odds: Sequence[float] = ()) -> None:
        self.replies = list(replies)
        self.odds = list(odds)
        self.prompts: list[Prompt] = []
        self.adapted: list[bool] = []
        self.constraints: list[object] = []
        self.gate = gate
        self._lock = threading.Lock()

    def count(self, prompt: Prompt) -> int:
        parts = [prompt.instructions, *prompt.passages, prompt.question]
        parts += [text for turn in prompt.history for text in (turn.question, turn.answer)]
        return sum(len(part.split()) for part in parts)

    def stream(
        self,
        prompt: Prompt,
        *,
        max_tokens: int,
        cancel: threading.Event,
        on_read: Callable[[int, int], None] | None = None,
        constraint: object = None,
        adapted: bool = False,
    ) -> Iterator[str]:
        with self._lock:
            self.prompts.append(prompt)
            self.adapted.append(adapted)
            self.constraints.append(constraint)
            reply = self.replies.pop(0) if self.replies else prompt.passages[0]
        if on_read is not None:
            total = self.count(prompt)
            on_read(0, total)
            on_read(total, total)
        for piece in re.findall(r"\S+\s*", reply)[:max_tokens]:
            while self.gate is not None and not self.gate.wait(0.01) and not cancel.is_set():
                pass
            if cancel.is_set():
                return
            yield piece

    def judge(
        self, prompt: Prompt, *, cancel: threading.Event, on_read: Callable[[int, int], None] | None = None
    ) -> float:
        self.prompts.append(prompt)
        return self.odds.pop(0) if self.odds else 8.0
