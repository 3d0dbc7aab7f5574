"""LLM: a prompt in parts → text, token by token. The only file that imports llama_cpp.

Knows nothing of articles, search or citations. llama_cpp and its companions load with the first model.
"""

from __future__ import annotations

import atexit
import codecs
import ctypes
import os
import re
import threading
from collections import Counter, deque
from dataclasses import dataclass, field
from itertools import chain, pairwise, takewhile
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Protocol

from index.errors import InputError, ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from rag.prompt import Prompt


class LLM(Protocol):
    """The seam between the engine and a language model.

    One request at a time runs inside; others wait in the order they came. Implementations render the parts
    with their own chat template and treat everything but the instructions as inert text.
    """

    name: str
    context_tokens: int

    def count(self, prompt: Prompt) -> int:
        """How many tokens the rendered prompt takes."""
        ...

    def stream(
        self,
        prompt: Prompt,
        *,
        max_tokens: int,
        cancel: threading.Event,
        on_read: Callable[[int, int], None] | None = None,
    ) -> Iterator[str]:
        """Yield pieces of the answer. Ends early, without an error, soon after `cancel` is set, also while
        waiting for its turn and while reading the prompt.

        `on_read(read, total)` is called, in the caller's thread, as the prompt is read: first with the tokens
        that need no reading because an earlier request left them, last with read equal to total.

        Raises InputError when the prompt and max_tokens do not fit context_tokens.
        """
        ...


_BATCH_TOKENS = 64
"""Tokens read at once, and so what a cancelled request may still cost the next one (1.2 s with the default
model on two cores; the one who cancels does not wait for it). Half as many read a fifth slower, twice as
many hardly faster."""

_POLL_S = 0.1
"""How often a waiting caller looks at its cancel event: two events cannot be waited for at once."""

_LOOP_TOKENS, _LOOP_TIMES = 12, 3
"""The same 12 tokens for the third time are a loop, not an answer."""

_LOOP_WORDS = 5
"""Shorter sentences ("Yes.") may rightly come twice."""

_CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}"
    "{% endfor %}{{ '<|im_start|>assistant\n' }}"
)
"""For a GGUF without a chat template: the format most small instruction models were tuned on."""


class LlamaCpp:
    """A GGUF model run by llama.cpp: greedy, deterministic, one request at a time, first come first served.

    A single worker thread does all the evaluating, so a slow or forgotten reader of `stream` holds up nobody,
    and llama.cpp keeps one thread pool. Safe to use from many threads. Holds its memory until closed.

    A prompt is read in fixed batches that start afresh at the passages, the history and the question. The
    leading batches that the last request read are not read again. Batch size changes floating-point sums, so
    keeping whole batches only is what makes the same prompt give the same answer whatever came before it.
    """

    def __init__(self, native: _Native, template: _Template, *, name: str, context_tokens: int) -> None:
        """Use `load`."""
        self.name = name
        self.context_tokens = context_tokens
        self._native = native
        self._template = template
        self._read: list[tuple[int, ...]] = []
        self._closed = threading.Event()
        self._vocabulary = threading.Lock()
        self._requests: SimpleQueue[_Request | None] = SimpleQueue()
        self._worker = threading.Thread(target=self._serve, name=f"llm {name}", daemon=True)
        self._worker.start()
        # A worker inside llama.cpp while the interpreter goes away would crash.
        atexit.register(self.close)

    @classmethod
    def load(cls, path: Path, *, name: str | None = None, context_tokens: int = 4096, threads: int = 0) -> LlamaCpp:
        """Load the GGUF file at `path`. `name` is its name in models.txt; None for a file of the user's own.

        `context_tokens` is lowered to what the model was trained for. `threads` 0 takes one for each core
        this process may use.

        Raises ModelError when the file is no usable GGUF chat model, or memory does not suffice.
        """
        mend = f"citewire models pull {name}" if name else "check the file, or download it again"
        native = _Native.load(path, mend=mend, context_tokens=context_tokens, threads=threads or _cores())
        try:
            template = _Template(native.chat_template() or _CHATML, bos=native.bos_text, eos=native.eos_text)
        except ValueError as error:
            native.free()
            raise ModelError(f"{path}: its chat template cannot be used ({error}); {mend}") from error
        return cls(native, template, name=name or path.stem, context_tokens=native.context_tokens)

    def count(self, prompt: Prompt) -> int:
        """How many tokens the rendered prompt takes."""
        return sum(map(len, self._batches(prompt)))

    def stream(
        self,
        prompt: Prompt,
        *,
        max_tokens: int,
        cancel: threading.Event,
        on_read: Callable[[int, int], None] | None = None,
    ) -> Iterator[str]:
        """Yield pieces of the answer, see `LLM.stream`. The place in the queue is taken at the first `next`.

        Closing the iterator, or dropping it, frees the model for the next request.

        Raises InputError at once when the prompt and max_tokens do not fit context_tokens, ModelError when
        the model was closed or llama.cpp fails.
        """
        batches = self._batches(prompt)
        size_tokens = sum(map(len, batches))
        if size_tokens + max_tokens > self.context_tokens:
            raise InputError(
                f"a prompt of {size_tokens} tokens and an answer of {max_tokens} do not fit the context of "
                f"{self.context_tokens}; ask a shorter question or raise CITEWIRE_CONTEXT_TOKENS"
            )
        return self._pieces(_Request(batches, max_tokens, cancel), on_read)

    def close(self) -> None:
        """End whatever runs or waits, and free the memory. Closing twice is fine."""
        with self._vocabulary:
            if self._closed.is_set():
                return
            self._closed.set()
            self._requests.put(None)
            self._worker.join()
            self._native.free()
        atexit.unregister(self.close)

    def _batches(self, prompt: Prompt) -> list[tuple[int, ...]]:
        with self._vocabulary:
            if self._closed.is_set():
                raise ModelError(f"{self.name} was closed")
            return self._template.batches(prompt, self._native)

    def _pieces(self, request: _Request, on_read: Callable[[int, int], None] | None) -> Iterator[str]:
        self._requests.put(request)
        try:
            while not request.cancel.is_set():
                try:
                    event = request.events.get(timeout=_POLL_S)
                except Empty:
                    event = ""
                if self._closed.is_set():
                    raise ModelError(f"{self.name} was closed")
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
            request.left.set()

    # From here on everything runs in the worker thread.

    def _serve(self) -> None:
        while (request := self._requests.get()) is not None:
            try:
                self._answer(request)
            except Exception as error:  # noqa: BLE001 - it belongs to the caller, the next request goes on
                request.events.put(error)
            request.events.put(None)

    def _answer(self, request: _Request) -> None:
        if not self._read_prompt(request):
            return
        text, loop = codecs.getincrementaldecoder("utf-8")(errors="ignore"), _Loop()
        for number in range(request.max_tokens):
            token = self._native.likeliest()
            if self._native.ends(token) or self._halted(request):
                return
            piece = text.decode(self._native.piece(token))
            if piece:
                request.events.put(piece)
            if loop.closes(token, piece) or number + 1 == request.max_tokens:
                return
            self._native.evaluate((token,))

    def _read_prompt(self, request: _Request) -> bool:
        """Evaluate what of the prompt is not in the cache; False when halted. What was read stays."""
        if self._halted(request):
            return False
        total = sum(map(len, request.batches))
        # The last batch is always evaluated: its logits say how the answer begins.
        pairs = zip(self._read, request.batches[:-1], strict=False)
        kept = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        del self._read[kept:]
        if not self._native.forget_after(sum(map(len, self._read))):
            self._read.clear()
        request.events.put((sum(map(len, self._read)), total))
        for batch in request.batches[len(self._read) :]:
            if self._halted(request):
                return False
            self._native.evaluate(batch)
            self._read.append(batch)
            request.events.put((sum(map(len, self._read)), total))
        return True

    def _halted(self, request: _Request) -> bool:
        return request.cancel.is_set() or request.left.is_set() or self._closed.is_set()


@dataclass(frozen=True, slots=True)
class _Request:
    """What a caller handed to the worker, and the way back: text, (read, total), error, None to end."""

    batches: Sequence[tuple[int, ...]]
    max_tokens: int
    cancel: threading.Event
    left: threading.Event = field(default_factory=threading.Event)
    events: SimpleQueue[str | tuple[int, int] | Exception | None] = field(default_factory=SimpleQueue)


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


class _Template:
    """A chat template and where in it the parts of a prompt go.

    The template never sees a part, only a placeholder: what surrounds the placeholders may hold the model's
    special tokens, the parts themselves are tokenized as plain text. So no article can end its own message.
    """

    def __init__(self, source: str, *, bos: str, eos: str) -> None:
        """Raises ValueError for a template that cannot carry all parts in order."""
        from jinja2 import TemplateError
        from llama_cpp.llama_chat_format import Jinja2ChatFormatter

        self._failures = (TemplateError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError)
        try:
            self._format = Jinja2ChatFormatter(source, bos_token=bos, eos_token=eos)  # sandboxed
        except TemplateError as error:
            raise ValueError(str(error)) from error
        self._merge = False
        try:
            self._glue(passages=1, turns=1)
        except ValueError:
            # Some models know no system role, or leave it out without a word.
            self._merge = True
            self._glue(passages=1, turns=1)

    def batches(self, prompt: Prompt, native: _Native) -> list[tuple[int, ...]]:
        """The tokens of a prompt, in the batches they are to be read in."""
        turns = [text for turn in prompt.history for text in (turn.question, turn.answer)]
        parts = [prompt.instructions, *prompt.passages, *turns, prompt.question]
        *glue, last = self._glue(passages=len(prompt.passages), turns=len(prompt.history))
        pieces = [
            native.tokenize(before, special=True) + native.tokenize(part.strip(), special=False)
            for before, part in zip(glue, parts, strict=True)
        ]
        pieces[0] = native.with_bos(pieces[0])
        pieces[-1] += native.tokenize(last, special=True)
        starts = (0, 1, 1 + len(prompt.passages), len(parts) - 1, len(parts))
        stretches = [list(chain(*pieces[start:end])) for start, end in pairwise(starts)]
        return [
            tuple(stretch[start : start + _BATCH_TOKENS])
            for stretch in stretches
            for start in range(0, len(stretch), _BATCH_TOKENS)
        ]

    def _glue(self, *, passages: int, turns: int) -> list[str]:
        """What stands before each part, in order, and after the last."""
        slots = [f"\ue000{number}\ue001" for number in range(2 + passages + 2 * turns)]
        system, dialogue = "\n\n".join(slots[: 1 + passages]), slots[1 + passages :]
        messages = [
            {"role": ("user", "assistant")[number % 2], "content": slot} for number, slot in enumerate(dialogue)
        ]
        if self._merge:
            messages[0]["content"] = f"{system}\n\n{messages[0]['content']}"
        else:
            messages.insert(0, {"role": "system", "content": system})
        try:
            rendered: str = self._format(messages=messages, enable_thinking=False).prompt
        except self._failures as error:
            raise ValueError(str(error)) from error
        glue = re.split("\ue000([0-9]+)\ue001", rendered)
        if glue[1::2] != [str(number) for number in range(len(slots))]:
            raise ValueError("it leaves out or reorders parts of a conversation")
        return glue[::2]


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Native:
    """The few calls of llama.cpp that are needed. Not thread-safe, except for the vocabulary."""

    def __init__(self, api: Any, model: Any, context: Any, *, context_tokens: int) -> None:
        """Use `load`."""
        import numpy

        self.context_tokens = context_tokens
        self._api, self._model, self._context, self._numpy = api, model, context, numpy
        self._vocabulary = api.llama_model_get_vocab(model)
        self._size = api.llama_vocab_n_tokens(self._vocabulary)
        self._bos = api.llama_vocab_bos(self._vocabulary)
        self.bos_text = self._text(self._bos)
        self.eos_text = self._text(api.llama_vocab_eos(self._vocabulary))

    @classmethod
    def load(cls, path: Path, *, mend: str, context_tokens: int, threads: int) -> _Native:
        """Load a model and make its context. Raises ModelError."""
        try:
            with path.open("rb") as file:
                if file.read(4) != b"GGUF":
                    raise ModelError(f"{path} is not a GGUF file; {mend}")
        except OSError as error:
            raise ModelError(f"{path}: {error.strerror}; {mend}") from error
        api = _quiet_api()
        _complaints.clear()
        model = api.llama_model_load_from_file(os.fsencode(path), api.llama_model_default_params())
        if not model:
            raise ModelError(f"{path} cannot be loaded{_complaint()}; {mend}")
        if api.llama_model_has_encoder(model) or not api.llama_model_has_decoder(model):
            api.llama_model_free(model)
            raise ModelError(f"{path} is not a model that writes text; choose one: citewire models list")
        context_tokens = min(context_tokens, api.llama_model_n_ctx_train(model))
        params = api.llama_context_default_params()
        params.n_ctx = context_tokens
        params.n_batch = params.n_ubatch = _BATCH_TOKENS
        params.n_threads = params.n_threads_batch = threads
        context = api.llama_init_from_model(model, params)
        if not context:
            api.llama_model_free(model)
            raise ModelError(
                f"{path}: no context of {context_tokens} tokens{_complaint()}; free some memory, set a "
                "smaller CITEWIRE_CONTEXT_TOKENS or choose a smaller model: citewire models list"
            )
        return cls(api, model, context, context_tokens=context_tokens)

    def free(self) -> None:
        """Give the memory back; nothing may be called afterwards."""
        self._api.llama_free(self._context)
        self._api.llama_model_free(self._model)

    def chat_template(self) -> str | None:
        """The template in the file, if any."""
        source = self._api.llama_model_chat_template(self._model, None)
        return source.decode("utf-8", "replace") if source else None

    def tokenize(self, text: str, *, special: bool) -> list[int]:
        """The tokens of `text`. Without `special`, none of them is one of the marks a chat is built with."""
        raw = text.encode("utf-8", "replace")
        room = len(raw) + 8
        tokens = (self._api.llama_token * room)()
        found = self._api.llama_tokenize(self._vocabulary, raw, len(raw), tokens, room, False, special)
        if found < 0:
            raise ModelError(f"llama.cpp cannot tokenize a text of {len(raw)} bytes")
        if special:
            return list(tokens[:found])
        return [part for token in tokens[:found] for part in self._inert(token)]

    def _inert(self, token: int) -> list[int]:
        # Marks that a GGUF declares as user-defined are matched even in plain text: write them out.
        if not self._api.llama_vocab_get_attr(self._vocabulary, token) & self._api.LLAMA_TOKEN_ATTR_USER_DEFINED:
            return [token]
        text = self._text(token)
        if len(text) < 2 or text.isspace():
            return [token]
        return self.tokenize(text[:1], special=False) + self.tokenize(text[1:], special=False)

    def with_bos(self, tokens: list[int]) -> list[int]:
        """`tokens` after the mark that begins every text, where the model wants it and it is missing."""
        wanted = self._api.llama_vocab_get_add_bos(self._vocabulary) and tokens[:1] != [self._bos]
        return [self._bos, *tokens] if wanted else tokens

    def piece(self, token: int) -> bytes:
        """The bytes a token stands for; they may be part of a character. A special token has none."""
        buffer = ctypes.create_string_buffer(256)
        size = self._api.llama_token_to_piece(self._vocabulary, token, buffer, len(buffer), 0, False)
        return buffer.raw[: max(size, 0)]

    def ends(self, token: int) -> bool:
        """Whether the token ends an answer."""
        return bool(self._api.llama_vocab_is_eog(self._vocabulary, token))

    def forget_after(self, tokens: int) -> bool:
        """Keep the first `tokens` of what was evaluated; False when everything had to go."""
        memory = self._api.llama_get_memory(self._context)
        if self._api.llama_memory_seq_rm(memory, 0, tokens, -1):
            return True
        # A recurrent model cannot go back.
        self._api.llama_memory_clear(memory, True)
        return False

    def evaluate(self, tokens: Sequence[int]) -> None:
        """Append tokens to what was evaluated. Raises ModelError."""
        array = (self._api.llama_token * len(tokens))(*tokens)
        code = self._api.llama_decode(self._context, self._api.llama_batch_get_one(array, len(tokens)))
        if code:
            raise ModelError(f"llama.cpp could not go on (code {code}){_complaint()}; ask again")

    def likeliest(self) -> int:
        """The token with the highest logit after the last evaluated one; the lowest id among equals."""
        logits = self._api.llama_get_logits_ith(self._context, -1)
        return int(self._numpy.ctypeslib.as_array(logits, (self._size,)).argmax())

    def _text(self, token: int) -> str:
        if token < 0:
            return ""
        text: bytes = self._api.llama_vocab_get_text(self._vocabulary, token)
        return text.decode("utf-8", "replace")


_complaints: deque[str] = deque(maxlen=4)
"""The last errors llama.cpp logged. Its log is one for the whole process."""


def _complaint() -> str:
    text = " ".join("".join(_complaints).split())
    return f" ({text})" if text else ""


def _quiet_api() -> Any:
    """llama_cpp with its log turned off but for errors, which are kept for a message."""
    import llama_cpp

    if not _callbacks:

        @llama_cpp.llama_log_callback  # type: ignore[untyped-decorator]
        def keep(level: int, text: bytes, _: object) -> None:
            if level == _GGML_LOG_LEVEL_ERROR:
                _complaints.append(text.decode("utf-8", "replace"))

        _callbacks.append(keep)
        llama_cpp.llama_backend_init()
    llama_cpp.llama_log_set(_callbacks[0], ctypes.c_void_p(0))
    return llama_cpp


_callbacks: list[Any] = []
"""Keeps the C callback alive as long as the process."""

_GGML_LOG_LEVEL_ERROR = 4
"""From ggml.h; the level numbers in llama_cpp._logger are those of an older version."""
