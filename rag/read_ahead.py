"""Read ahead: what the model does while nobody asks, so that the next question is answered sooner."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from rag import evidence, prompt
from rag.llm import Reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from index import Index
    from index.hit import Hit
    from rag.answer import Turn
    from rag.llm import LLM
    from rag.llm.kv_cache import KVCache
    from rag.loaded import LoadedModel
    from rag.prompt import Prompt
    from rag.queue import Queue
    from rag.settings import Settings

_IDLE_S = 0.2
"""How often reading ahead looks whether everyone was answered."""
_MOST_TOKENS, _LEAST_TOKENS = 12, 4
"""How many tokens to write to measure speed: at most, at least."""
_CONVERSATIONS = 4
"""Of how many conversations at most the last answer is read ahead."""


class ReadAhead:
    """Knows what is likely to be read next: the last answers, and what the last search found beside what was read."""

    def __init__(
        self, index: Index, model: LoadedModel, queue: Queue, settings: Settings, kv_cache: Callable[[], KVCache]
    ) -> None:
        """All of them are the engine's."""
        self.index = index
        self.model = model
        self.queue = queue
        self.settings = settings
        self.kv_cache = kv_cache
        self._conversations: deque[tuple[Turn, ...]] = deque(maxlen=_CONVERSATIONS)
        self._hits: deque[Hit] = deque()
        self._finished: tuple[LLM, int] | None = None

    def note_hits(self, hits: Iterable[Hit]) -> None:
        """What the last search found and the model did not read; the next question is likely to be about it."""
        self._hits = deque(hits)

    def note_conversation(self, history: tuple[Turn, ...]) -> None:
        """The exchanges of a conversation after its last answer; a follow-up comes after them."""
        self._conversations.append(history)

    def run(self, cancel: threading.Event) -> bool:
        """See Engine.read_ahead."""
        llm, generation = self.model.current(), self.index.generation
        if not self.settings.kv_bytes or not isinstance(llm, Reader):
            return True
        kv_cache = self.kv_cache()
        for request, is_likely in self._unread(llm, everything=self._finished != (llm, generation)):
            # What is likely may take the place of what was used longest ago.
            while (is_likely or not kv_cache.is_full) and not llm.is_read(request):
                if cancel.is_set():
                    return False
                if not len(self.queue) and llm.read_ahead(request):
                    break
                cancel.wait(_IDLE_S if len(self.queue) else 0)
        if cancel.is_set():
            return False
        self._finished = (llm, generation)
        return True

    def words_per_s(self, cancel: threading.Event) -> float | None:
        """See Engine.words_per_s."""
        llm = self.model.current()
        if not isinstance(llm, Reader):
            return None
        stop, times = threading.Event(), [time.perf_counter()]
        hello = prompt.Prompt(prompt.instructions(), (), (), "Hello?")
        for _ in llm.stream(hello, max_tokens=_MOST_TOKENS, cancel=stop):
            times.append(time.perf_counter())
            if cancel.is_set() or len(self.queue):
                stop.set()
        written = len(times) - 2
        return None if stop.is_set() or written < _LEAST_TOKENS else written / (times[-1] - times[1])

    def _unread(self, llm: LLM, *, everything: bool) -> Iterator[tuple[Prompt, bool]]:
        """What may have to be read ahead, and whether it is likely to be needed. Conversations and the hits of the last
        search come first whenever there are some; the other passages only if `everything` is to be looked through."""
        others = self.index.passages() if everything else iter(())
        while True:
            hits = self._hits
            if self._conversations:
                turns = evidence.trim_history("", (), self._conversations.popleft(), llm, self.settings)
                yield prompt.Prompt(prompt.instructions(), (), turns, ""), True
            elif hits:
                hit = hits.popleft()
                yield prompt.passage(hit.article, hit.text), True
            elif other := next(others, None):
                article, span = other
                yield prompt.passage(article, span.of(article.text)), False
            else:
                return
