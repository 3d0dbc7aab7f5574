"""A language model that answers from a script, for tests and benchmarks. Same contract as rag.llm.LLM."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING

from rag.llm import BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rag.prompt import Prompt


class ScriptedLLM:
    """Answers from a queue of replies, and keeps the prompts and constraints that it got.

    Without a reply it repeats the first passage. It waits before each word until `gate` is set. Asked for Yes or No, it
    takes the next of `odds`, and says Yes when there are none left.
    """

    name = "scripted"
    context_tokens = 4096
    adapts = False
    vocabulary = BYTES

    def __init__(self, *replies: str, gate: threading.Event | None = None, odds: Sequence[float] = ()) -> None:
        """`replies` are taken in order."""
        self.replies = list(replies)
        self.odds = list(odds)
        self.prompts: list[Prompt] = []
        self.adapted: list[bool] = []
        self.constraints: list[object] = []
        self.gate = gate
        self._lock = threading.Lock()

    def count(self, prompt: Prompt) -> int:
        """See LLM; a word is a token."""
        texts = [prompt.instructions, *prompt.passages, prompt.question]
        texts += [text for turn in prompt.history for text in (turn.question, turn.answer)]
        return sum(len(text.split()) for text in texts)

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
        """See LLM."""
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
        self,
        prompt: Prompt,
        *,
        cancel: threading.Event,  # noqa: ARG002 - it answers at once
        on_read: Callable[[int, int], None] | None = None,  # noqa: ARG002
    ) -> float:
        """See LLM."""
        self.prompts.append(prompt)
        return self.odds.pop(0) if self.odds else 8.0
