"""llama.cpp behind the seam of rag.llm: requests in turn, prompts from parts that are read once, the loop of writing.

llama_cpp and its companions load with the first model.
"""

from __future__ import annotations

import atexit
import codecs
import hashlib
import math
import os
import re
import threading
import time
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import takewhile
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from index.errors import InputError, ModelError
from index.process import Process
from rag.llm import Vocabulary
from rag.llm.kv_cache import MemoryKVCache
from rag.llm.lookup import Lookup
from rag.llm.low_priority import lower_priority
from rag.llm.native import Native
from rag.llm.repack import repacks
from rag.llm.template import BATCH_TOKENS, Template, Tokens, in_batches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from rag.llm import Constraint, OnRead
    from rag.llm.kv_cache import KVCache
    from rag.llm.template import Layout
    from rag.prompt import Prompt


_POLL_S = 0.1
"""How often a waiting caller looks at its cancel event: two events cannot be waited for at once."""

_LOOP_TOKENS, _LOOP_TIMES = 12, 3
"""The same 12 tokens for the third time are a loop, not an answer."""

_TURN_CACHE_BYTES = 100 * 2**20
"""Of turns kept in memory: some 3,500 tokens of the default model."""

GUESSES = 3
"""Tokens that are guessed at a time: with the token before them a batch of four, the rows that llama.cpp's kernels for
weights laid out anew take at once."""

_SURE_LEAD = 1.0
"""How much greater the first logit must be than the second for a batch of several tokens to decide. llama.cpp rounds
activations otherwise for four rows than for one, which changed one of six answers of the default model."""

_LOOP_WORDS = 5
"""Shorter sentences ("Yes.") may rightly come twice."""

_YES, _NO = ("Yes", " Yes", "yes", " yes", "YES"), ("No", " No", "no", " no", "NO")


class LlamaCpp:
    """A GGUF model run by llama.cpp: greedy, deterministic, one request at a time, first come first served.

    A single worker thread does all the evaluating, so a slow or forgotten reader of `stream` holds up nobody,
    and llama.cpp keeps one thread pool. Safe to use from many threads. Holds its memory until closed.

    A passage is read once: alone, after the instructions. What the model made of it (its keys and values) is moved
    to where the passage stands in a prompt, and put into the `kv_cache` for the next time. So is a turn of the
    conversation, which is kept in memory only. With `splice` off, or a model whose state cannot be moved, the passages
    are read as one text instead.

    What the last request read and the next one begins with is not read again, by whole batches only: batch size
    changes floating-point sums, so this is what makes the same prompt give the same answer whatever came before.
    """

    def __init__(
        self,
        native: Native,
        template: Template,
        *,
        name: str,
        context_tokens: int,
        identity: Callable[[], str],
        kv_cache: KVCache | MemoryKVCache | None = None,
        splice: bool = True,
        ahead_threads: int = 1,
        guesses: int = 0,
    ) -> None:
        """Use `load`."""
        self.name = name
        self.context_tokens = context_tokens
        self.kv_cache = kv_cache
        self.splice = splice and native.splices
        self.adapts = native.adapts
        self._native = native
        self._template = template
        self._identity = identity
        self._turn_cache = MemoryKVCache(limit_bytes=_TURN_CACHE_BYTES)
        self._read: list[_Block] = []
        # What was guessed wrongly must be taken back, which not every model can.
        self._guesses = min(guesses, BATCH_TOKENS - 1) if native.splices else 0
        self._ahead_threads = ahead_threads
        self._ahead_s = 0.0
        self._low = ThreadPoolExecutor(1, thread_name_prefix=f"llm {name} ahead", initializer=lower_priority)
        self._process = Process(self, f"the model {name}")
        self._closed = threading.Event()
        self._vocabulary = threading.Lock()
        self._requests: SimpleQueue[_Request | None] = SimpleQueue()
        self._turn = threading.Lock()
        self._answering: _Request | None = None
        self._worker = threading.Thread(target=self._serve, name=f"llm {name}", daemon=True)
        self._worker.start()
        # A worker inside llama.cpp while the interpreter goes away would crash.
        atexit.register(self.close)

    @classmethod
    def load(
        cls,
        path: Path,
        *,
        name: str | None = None,
        context_tokens: int = 4096,
        threads: int = 0,
        gpu_layers: int = -1,
        sha256: str = "",
        kv_cache: KVCache | MemoryKVCache | None = None,
        splice: bool = True,
        adapter: Path | None = None,
        ahead_threads: int = 1,
        guesses: int = 0,
        repack: bool | None = None,
    ) -> LlamaCpp:
        """Load the GGUF file at `path`. `name` and `sha256` are those in models.txt; None and "" for a file of the
        user's own. `adapter` is the GGUF file of a LoRA, with which it judges.

        `context_tokens` is lowered to what the model was trained for. `threads` 0 takes one for each core
        this process may use; `gpu_layers` -1 puts as many layers on a GPU as llama.cpp does by itself. Passages are
        read ahead by `ahead_threads` threads of low priority, 0 as above. `guesses` is how many tokens of an answer are
        guessed at a time from the passages, GUESSES where it is worth it; 0 writes one token after the other. `repack`
        lays the weights out anew; by default where rag/llm/repack.py found it worth it.

        Raises ModelError when the file is no usable GGUF chat model, or memory does not suffice.
        """
        mend = f"citewire models pull {name}" if name else "check the file, or download it again"
        native = Native.load(
            path,
            mend=mend,
            context_tokens=context_tokens,
            threads=threads or _cores(),
            gpu_layers=gpu_layers,
            adapter=adapter,
            repack=repacks(path) if repack is None else repack,
        )
        try:
            template = Template(native.renderer())
        except ValueError as error:
            native.free()
            raise ModelError(f"{path}: its chat template cannot be used ({error}); {mend}") from error

        def identity() -> str:
            return f"{sha256 or _sha256(path)} {native.build()}"

        return cls(
            native,
            template,
            name=name or path.stem,
            context_tokens=native.context_tokens,
            identity=identity,
            kv_cache=kv_cache,
            splice=splice,
            ahead_threads=ahead_threads or threads or _cores(),
            guesses=guesses,
        )

    def count(self, prompt: Prompt) -> int:
        """How many tokens the rendered prompt takes."""
        return len(self.layout(prompt))

    def stream(
        self,
        prompt: Prompt,
        *,
        max_tokens: int,
        cancel: threading.Event,
        on_read: OnRead | None = None,
        constraint: Constraint | None = None,
        adapted: bool = False,
    ) -> Iterator[str]:
        """Yield pieces of the answer, see `LLM.stream`. The place in the queue is taken at the first `next`.

        Closing the iterator, or dropping it, frees the model for the next request.

        Raises InputError at once when the prompt and max_tokens do not fit context_tokens, ModelError when
        the model was closed or llama.cpp fails.
        """

        def answer(request: _Request) -> None:
            if self._read_prompt(request):
                self._write(request, max_tokens, constraint)

        return self._pieces(self._request(prompt, max_tokens, answer, cancel, adapted=adapted), on_read)

    def judge(self, prompt: Prompt, *, cancel: threading.Event, on_read: OnRead | None = None) -> float:
        """See `LLM.judge`. Where there is an adapter, it acts on the question and the task."""
        found = math.nan

        def answer(request: _Request) -> None:
            nonlocal found
            if self._read_prompt(request):
                found = self._native.log_odds(*self._yes_no)

        for _ in self._pieces(self._request(prompt, 1, answer, cancel, adapted=True), on_read):
            pass
        return found

    def read_ahead(self, prompt: Prompt) -> bool:
        """Read the passages and the conversation of `prompt` in a thread of low priority, and keep what came of it;
        False when a request came in between, for which the batch that is being read is given up. Raises ModelError."""
        if not self.splice or self.kv_cache is None:
            return True
        done = False

        def answer(request: _Request) -> None:
            nonlocal done
            done = self._fill_kv_cache(request)

        for _ in self._pieces(self._request(prompt, 0, answer, threading.Event()), None):
            pass
        return done

    @property
    def ahead_s(self) -> float:
        """Processor time that passages and turns read ahead have taken so far, in seconds."""
        return self._ahead_s

    def is_read(self, prompt: Prompt) -> bool:
        """Whether all passages of `prompt` are in the KV cache, and its conversation is kept."""
        layout = self.layout(prompt)
        return self.kv_cache is not None and all(
            cache is not None and cache.has(block.place, self._key(layout, block.tokens))
            for block in _spliced(layout, _places(prompt))
            for cache in [self._cache_of(block)]
        )

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """What its tokens stand for."""
        self._process.check()
        with self._vocabulary:
            self._check_open()
            ids = range(self._native.size)
            pieces = tuple(map(self._native.piece, ids))
            return Vocabulary(pieces, frozenset(filter(self._native.ends, ids)))

    def close(self) -> None:
        """End whatever runs or waits, and free the memory. Closing twice is fine; a forked process does nothing."""
        if not self._process.is_here:
            return
        with self._vocabulary:
            if self._closed.is_set():
                return
            self._closed.set()
            self._requests.put(None)
            self._native.halt()
            self._worker.join()
            self._low.shutdown()
            self._native.free()
        atexit.unregister(self.close)

    @cached_property
    def _yes_no(self) -> tuple[list[int], list[int]]:
        """The tokens that alone are a Yes, and those that are a No."""
        yes, no = ([self._native.tokenize(word, special=False) for word in words] for words in (_YES, _NO))
        return [found[0] for found in yes if len(found) == 1], [found[0] for found in no if len(found) == 1]

    def _check_open(self) -> None:
        if self._closed.is_set():
            raise ModelError(f"{self.name} was closed")

    def layout(self, prompt: Prompt) -> Layout:
        """The tokens of a prompt. Raises ModelError when the model was closed, ForkError in a forked process."""
        self._process.check()
        with self._vocabulary:
            self._check_open()
            return self._template.layout(prompt, self._native)

    def _request(
        self,
        prompt: Prompt,
        max_tokens: int,
        answer: Callable[[_Request], None],
        cancel: threading.Event,
        *,
        adapted: bool = False,
    ) -> _Request:
        layout = self.layout(prompt)
        if len(layout) + max_tokens > self.context_tokens:
            raise InputError(
                f"a prompt of {len(layout)} tokens and an answer of {max_tokens} do not fit the context of "
                f"{self.context_tokens}; ask a shorter question or raise CITEWIRE_CONTEXT_TOKENS"
            )
        return _Request(layout, _places(prompt), answer, cancel, adapted)

    def _pieces(self, request: _Request, on_read: OnRead | None) -> Iterator[str]:
        self._requests.put(request)
        try:
            while not request.cancel.is_set():
                try:
                    event = request.events.get(timeout=_POLL_S)
                except Empty:
                    event = ""
                self._check_open()
                if event is None:
                    return
                if isinstance(event, Exception):
                    raise event
                if isinstance(event, tuple):
                    if on_read is not None:
                        on_read(*event)
                elif event:
                    yield event
        finally:
            request.abandoned.set()
            with self._turn:
                if self._answering is request:
                    self._native.halt()

    # From here on everything runs in the worker thread.

    def _serve(self) -> None:
        while (request := self._requests.get()) is not None:
            with self._turn:
                self._answering = request
                self._native.go_on()
            try:
                if not self._halted(request):
                    request.answer(request)
            except Exception as error:  # noqa: BLE001 - it belongs to the caller, the next request goes on
                self._read.clear()
                request.events.put(error)
            request.events.put(None)

    def _write(self, request: _Request, max_tokens: int, constraint: Constraint | None) -> None:
        if constraint is None:
            self._write_freely(request, max_tokens)
            return
        text, loop = codecs.getincrementaldecoder("utf-8")(errors="ignore"), _Loop()
        position, last = len(request.layout), len(request.layout) + max_tokens
        while position < last:
            token = self._native.likeliest(constraint.allowed())
            if self._native.ends(token):
                return
            for batch in in_batches(self._taken(token, constraint)[: last - position]):
                if self._halted(request):
                    return
                piece = text.decode(b"".join(map(self._native.piece, batch)))
                if piece:
                    request.events.put(piece)
                if loop.closes(batch[-1], piece) or position + len(batch) == last:
                    return
                if not self._native.evaluate(batch, position, adapted=request.adapted):
                    return
                position += len(batch)

    def _write_freely(self, request: _Request, max_tokens: int) -> None:
        """Write whatever is likeliest, token by token. What the passages go on with is guessed and evaluated with the
        token before it; as many guesses as come true are written without being evaluated again."""
        text, loop = codecs.getincrementaldecoder("utf-8")(errors="ignore"), _Loop()
        position, last = len(request.layout), len(request.layout) + max_tokens
        lookup = Lookup((*request.layout.passages, request.layout.question) if self._guesses else ())
        token, decided = self._native.likeliest(), deque[int]()
        while not (self._native.ends(token) or self._halted(request)):
            piece = text.decode(self._native.piece(token))
            if piece:
                request.events.put(piece)
            if loop.closes(token, piece) or position + 1 == last:
                return
            lookup.take(token)
            if not decided:
                guesses = lookup.guesses(self._guesses) if position + self._guesses < last else ()
                decided.extend(self._decided((token, *guesses), position, adapted=request.adapted))
            if not decided:
                return
            position += 1
            token = decided.popleft()

    def _decided(self, tokens: Tokens, position: int, *, adapted: bool) -> list[int]:
        """Evaluate a token and guesses of what follows: the tokens that do, the guesses that came true and one more.
        Nothing is kept of the others. Where two tokens are nearly as likely, the batch does not decide: the token
        before them is evaluated once more by itself, as without guesses. Empty when halted."""
        if not self._native.evaluate(tokens, position, adapted=adapted, every=True):
            return []
        following = list[int]()
        for place in range(len(tokens)):
            if len(tokens) > 1 and self._native.lead(place) < _SURE_LEAD:
                self._native.forget_after(position + place)
                if not self._native.evaluate(tokens[place : place + 1], position + place, adapted=adapted):
                    return following
                return [*following, self._native.likeliest()]
            following.append(self._native.likeliest(at=place))
            if following[-1:] != list(tokens[place + 1 : place + 2]):
                break
        if len(following) < len(tokens):
            self._native.forget_after(position + len(following))
        return following

    def _taken(self, token: int, constraint: Constraint) -> Tokens:
        """The chosen token and those that can only follow: read together, which takes a third of writing each."""
        constraint.take(token)
        taken = [token]
        for forced in self._native.tokenize(constraint.forced().decode("utf-8", "ignore"), special=False):
            if forced not in constraint.allowed():
                break
            constraint.take(forced)
            taken.append(forced)
        return tuple(taken)

    def _read_prompt(self, request: _Request) -> bool:
        """Evaluate what of the prompt is not there yet; False when halted. What was read stays."""
        blocks = list(self._blocks(request))
        # The last block is always evaluated: its logits say how the answer begins.
        pairs = zip(self._read, blocks[:-1], strict=False)
        kept = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        del self._read[kept:]
        if not self._native.forget_after(self._position):
            self._read.clear()
        request.report(self._position)
        for block in blocks[len(self._read) :]:
            if not (self._splice(block, request) if block.spliced else self._evaluate(block, request)):
                return False
            self._read.append(block)
            request.report(self._position)
        return True

    @property
    def _position(self) -> int:
        return sum(len(block.tokens) for block in self._read)

    def _blocks(self, request: _Request) -> Iterator[_Block]:
        layout = request.layout
        if not self.splice:
            yield from map(_Block, layout.head())
        else:
            yield from map(_Block, in_batches(layout.instructions))
            yield from _spliced(layout, request.places)
        for batch in layout.tail():
            yield _Block(batch, adapted=request.adapted)

    def _evaluate(self, block: _Block, request: _Request) -> bool:
        if self._halted(request):
            return False
        return self._native.evaluate(block.tokens, self._position, adapted=block.adapted)

    def _splice(self, block: _Block, request: _Request) -> bool:
        """Append a passage or a turn as it was read alone after the instructions, now or earlier; False when halted."""
        cache = self._cache_of(block)
        state = None if cache is None else cache.get(block.place, self._key(request.layout, block.tokens))
        if (state is None or not self._native.restore_aside(state)) and not self._read_aside(block, request):
            return False
        self._native.splice(len(request.layout.instructions), self._position)
        return True

    def _read_aside(self, block: _Block, request: _Request, *, ahead: bool = False) -> bool:
        """Read a passage or a turn alone after the instructions, aside, and keep what came of it; False when halted, or
        when a request waits and it is read `ahead`."""
        evaluate = partial(self._evaluate_ahead, request) if ahead else self._native.evaluate_aside
        self._native.drop_aside()
        start = first = len(request.layout.instructions)
        self._native.branch(first)
        for batch in in_batches(block.tokens):
            if self._halted(request) or not evaluate(batch, start):
                self._native.drop_aside()
                return False
            start += len(batch)
            request.report(self._position + start - first)
        state, cache = self._native.state_aside(first), self._cache_of(block)
        if cache is not None:
            cache.put(block.place, self._key(request.layout, block.tokens), state)
        return True

    def _evaluate_ahead(self, request: _Request, batch: Tokens, start: int) -> bool:
        """Evaluate a batch aside in the thread of low priority, in which this one cannot be: it could not go back to
        its own. False, soon, once a request waits."""

        def must_yield() -> bool:
            return self._halted(request) or not self._requests.empty()

        def evaluate() -> tuple[bool, float]:
            begun = time.thread_time()
            with self._native.stoppable(must_yield, threads=self._ahead_threads):
                done = self._native.evaluate_aside(batch, start)
            return done, time.thread_time() - begun

        if must_yield():
            return False
        done, thread_s = self._low.submit(evaluate).result()
        self._ahead_s += thread_s * self._ahead_threads
        return done

    def _cache_of(self, block: _Block) -> KVCache | MemoryKVCache | None:
        return self._turn_cache if block.is_turn else self.kv_cache

    def _fill_kv_cache(self, request: _Request) -> bool:
        layout = request.layout
        instructions = [_Block(batch) for batch in in_batches(layout.instructions)]
        if self._read[: len(instructions)] != instructions:
            self._read.clear()
            self._native.forget_after(0)
            for block in instructions:
                if not self._evaluate(block, request):
                    return False
                self._read.append(block)
        for block in _spliced(layout, request.places):
            cache = self._cache_of(block)
            if cache is not None and not cache.has(block.place, self._key(layout, block.tokens)):
                if not self._read_aside(block, request, ahead=True):
                    return False
                self._native.drop_aside()
        return True

    @cached_property
    def _fingerprint(self) -> bytes:
        return hashlib.sha256(self._identity().encode()).digest()

    def _key(self, layout: Layout, tokens: Tokens) -> str:
        """What the state of a passage depends on, as a name for it."""
        key = hashlib.sha256(self._fingerprint)
        key.update(repr((layout.instructions, tokens)).encode())
        return key.hexdigest()[:32]

    def _halted(self, request: _Request) -> bool:
        return request.cancel.is_set() or request.abandoned.is_set() or self._closed.is_set()


@dataclass(frozen=True, slots=True)
class _Block:
    """A stretch of a prompt that is read at once. A `spliced` one is a passage, kept under `place` in the KV cache, or
    a turn of the conversation; one that the adapter acts on is `adapted`."""

    tokens: Tokens
    spliced: bool = False
    adapted: bool = False
    place: str = field(default="", compare=False)
    is_turn: bool = field(default=False, compare=False)


def _spliced(layout: Layout, places: Sequence[str]) -> Iterator[_Block]:
    """The passages, each with the article under which it is kept, and the turns."""
    for place, tokens in zip(places, layout.passages, strict=True):
        yield _Block(tokens, spliced=True, place=place)
    for tokens in layout.history:
        yield _Block(tokens, spliced=True, is_turn=True)


@dataclass(frozen=True, slots=True)
class _Request:
    """What a caller handed to the worker, and the way back: text, (read, total), error, None to end."""

    layout: Layout
    places: Sequence[str]
    answer: Callable[[_Request], None]
    cancel: threading.Event
    adapted: bool = False
    abandoned: threading.Event = field(default_factory=threading.Event)
    events: SimpleQueue[str | tuple[int, int] | Exception | None] = field(default_factory=SimpleQueue)

    def report(self, read: int) -> None:
        self.events.put((read, len(self.layout)))


class _Loop:
    """Notices an answer that goes round in circles."""

    def __init__(self) -> None:
        self._last: deque[int] = deque(maxlen=_LOOP_TOKENS)
        self._runs: Counter[tuple[int, ...]] = Counter()
        self._sentence = ""
        self._sentences: set[str] = set()

    def closes(self, token: int, piece: str) -> bool:
        """Take the next token and its text; True when a sentence or a long run of tokens came back."""
        self._last.append(token)
        run = tuple(self._last)
        self._runs[run] += len(run) == _LOOP_TOKENS
        self._sentence += piece
        *finished, self._sentence = re.split(r"(?<=[.!?])\s+|\n+", self._sentence)
        again = False
        for sentence in (" ".join(text.split()).casefold() for text in finished):
            again |= sentence in self._sentences and len(sentence.split()) >= _LOOP_WORDS
            self._sentences.add(sentence)
        return again or self._runs[run] >= _LOOP_TIMES


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _places(prompt: Prompt) -> Sequence[str]:
    """For each passage, the article under which it is kept."""
    return prompt.articles or ("",) * len(prompt.passages)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
