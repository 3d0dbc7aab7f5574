"""Native: the few calls of llama.cpp that Citewire needs. The only file that imports llama_cpp.

Knows no prompt, no template and no request.
"""

from __future__ import annotations

import ctypes
import os
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

from index.errors import ModelError
from index.process import use_native
from rag.llm.template import BATCH_TOKENS, CHATML

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

_ABORTED = 2
"""What llama_decode returns when its abort callback stopped it (llama.h)."""
_GO_ON, _HALT = b"\0", b"\1"
_IS_SET = ctypes.CDLL("msvcrt" if os.name == "nt" else None).strlen
"""An abort callback that is not Python, so that it waits for no other thread: what it is given is a text, and whether
that is empty says whether to go on."""
_MAIN, _ASIDE = 0, 1


class Native:
    """A model and its context. Not thread-safe, except for the vocabulary.

    What was evaluated is kept in two sequences: the prompt being answered, and one aside, in which a passage is read
    alone after the instructions, or put back as it was read before.
    """

    def __init__(
        self, api: Any, model: Any, context: Any, *, context_tokens: int, adapter: Any = None, repacked: bool = False
    ) -> None:
        """Use `load`."""
        import numpy

        self.context_tokens = context_tokens
        self._repacked = repacked
        self._adapter, self._adapts = adapter, False
        self._api, self._model, self._context, self._numpy = api, model, context, numpy
        self._threads = int(api.llama_n_threads(context))
        self._vocabulary = api.llama_model_get_vocab(model)
        self._size = api.llama_vocab_n_tokens(self._vocabulary)
        self._bos = api.llama_vocab_bos(self._vocabulary)
        self._bos_text = self._text(self._bos)
        self._eos_text = self._text(api.llama_vocab_eos(self._vocabulary))
        self._memory = api.llama_get_memory(context)
        self._batch = api.llama_batch_init(BATCH_TOKENS, 0, 1)
        self._signal = ctypes.create_string_buffer(_GO_ON, 2)
        self._obey_halt()
        self.splices = bool(api.llama_memory_can_shift(self._memory)) and not (
            api.llama_model_is_recurrent(model) or api.llama_model_is_hybrid(model)
        )
        """Whether what was read can be moved to another place."""

    @classmethod
    def load(
        cls,
        path: Path,
        *,
        mend: str,
        context_tokens: int,
        threads: int,
        gpu_layers: int = -1,
        adapter: Path | None = None,
        repack: bool = True,
    ) -> Self:
        """Load a model, and an adapter (LoRA) of it if there is one, and make a context. With `repack`, llama.cpp lays
        the weights out anew where it can. Raises ModelError."""
        try:
            with path.open("rb") as file:
                if file.read(4) != b"GGUF":
                    raise ModelError(f"{path} is not a GGUF file; {mend}")
        except OSError as error:
            raise ModelError(f"{path}: {error.strerror}; {mend}") from error
        use_native(f"the model {path.name}")
        api = _quiet_api()
        _complaints.clear()
        wanted = api.llama_model_default_params()
        wanted.use_extra_bufts = repacked = repack and can_repack()
        if gpu_layers >= 0:
            wanted.n_gpu_layers = gpu_layers
        model = api.llama_model_load_from_file(os.fsencode(path), wanted)
        if not model:
            raise ModelError(f"{path} cannot be loaded{_complaint()}; {mend}")
        if api.llama_model_has_encoder(model) or not api.llama_model_has_decoder(model):
            api.llama_model_free(model)
            raise ModelError(f"{path} is not a model that writes text; choose one: citewire models list")
        # It goes with the model.
        loaded = api.llama_adapter_lora_init(model, os.fsencode(adapter)) if adapter is not None else None
        if adapter is not None and not loaded:
            api.llama_model_free(model)
            raise ModelError(f"{adapter} is no adapter of {path}{_complaint()}; install Citewire again")
        context_tokens = min(context_tokens, api.llama_model_n_ctx_train(model))
        params = api.llama_context_default_params()
        params.n_ctx = context_tokens
        params.n_batch = params.n_ubatch = BATCH_TOKENS
        params.n_threads = params.n_threads_batch = threads
        params.n_seq_max, params.kv_unified = 2, True
        context = api.llama_init_from_model(model, params)
        if not context:
            api.llama_model_free(model)
            raise ModelError(
                f"{path}: no context of {context_tokens} tokens{_complaint()}; free some memory, set a "
                "smaller CITEWIRE_CONTEXT_TOKENS or choose a smaller model: citewire models list"
            )
        return cls(api, model, context, context_tokens=context_tokens, adapter=loaded, repacked=repacked)

    @property
    def adapts(self) -> bool:
        """Whether there is an adapter."""
        return self._adapter is not None

    def free(self) -> None:
        """Give the memory back; nothing may be called afterwards."""
        self._api.llama_batch_free(self._batch)
        self._api.llama_free(self._context)
        self._api.llama_model_free(self._model)

    def chat_template(self) -> str | None:
        """The template in the file, if any."""
        source = self._api.llama_model_chat_template(self._model, None)
        return source.decode("utf-8", "replace") if source else None

    def renderer(self) -> Callable[[Sequence[Mapping[str, str]]], str]:
        """The model's own way to make one text of messages. It, and this, raise ValueError if it is no good."""
        from jinja2 import TemplateError
        from llama_cpp.llama_chat_format import Jinja2ChatFormatter

        text = self.chat_template() or CHATML
        failures = (TemplateError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError)
        try:
            template = Jinja2ChatFormatter(text, bos_token=self._bos_text, eos_token=self._eos_text)  # sandboxed
        except TemplateError as error:
            raise ValueError(str(error)) from error

        def render(messages: Sequence[Mapping[str, str]]) -> str:
            try:
                return str(template(messages=messages, enable_thinking=False).prompt)
            except failures as error:
                raise ValueError(str(error)) from error

        return render

    def build(self) -> str:
        """What the kept state of a sequence depends on beside the model: llama.cpp, this machine, how the weights are
        laid out, how many tokens are read at once, and the type of KV."""
        return f"{build()} {'repacked' if self._repacked else 'as in the file'} {BATCH_TOKENS} f16"

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
        if self._api.llama_memory_seq_rm(self._memory, _MAIN, tokens, -1):
            return True
        # A recurrent model cannot go back.
        self._api.llama_memory_clear(self._memory, True)
        return False

    def evaluate(self, tokens: Sequence[int], start: int, *, adapted: bool = False, every: bool = False) -> bool:
        """Append at most BATCH_TOKENS tokens to the first `start`, as the adapter has them if they are to be `adapted`.
        `likeliest` then knows what follows the last token, or `every` one of them. False when it was halted; then
        nothing is appended. Raises ModelError."""
        self._adapt(adapted)
        return self._evaluate(tokens, start, _MAIN, every=every)

    def branch(self, tokens: int) -> None:
        """Begin aside with the first `tokens` of what was evaluated."""
        self._api.llama_memory_seq_cp(self._memory, _MAIN, _ASIDE, 0, tokens)

    def evaluate_aside(self, tokens: Sequence[int], start: int) -> bool:
        """As `evaluate`, aside, and never adapted; False also when it was stopped, see `stoppable`."""
        self._adapt(False)
        return self._evaluate(tokens, start, _ASIDE)

    def halt(self) -> None:
        """Give up what is being evaluated, at once, and whatever is to be, until `go_on`. May be called from any
        thread."""
        self._signal[0] = _HALT

    def go_on(self) -> None:
        """Undo `halt`."""
        self._signal[0] = _GO_ON

    def _obey_halt(self) -> None:
        callback = ctypes.cast(_IS_SET, self._api.ggml_abort_callback)
        self._api.llama_set_abort_callback(self._context, callback, ctypes.addressof(self._signal))

    @contextmanager
    def stoppable(self, stop: Callable[[], bool], *, threads: int) -> Iterator[None]:
        """Meanwhile evaluate with `threads` threads, and give up soon after `stop()` is true: it is asked before each
        of the some thousand steps of a batch."""
        callback = self._api.ggml_abort_callback(lambda _: stop())
        self._api.llama_set_abort_callback(self._context, callback, None)
        self._api.llama_set_n_threads(self._context, threads, threads)
        try:
            yield
        finally:
            self._api.llama_set_n_threads(self._context, self._threads, self._threads)
            self._obey_halt()

    def state_aside(self, start: int) -> bytes:
        """What was evaluated aside from `start` on, as bytes; what comes before goes."""
        self._api.llama_memory_seq_rm(self._memory, _ASIDE, 0, start)
        size = self._api.llama_state_seq_get_size(self._context, _ASIDE)
        buffer = (ctypes.c_uint8 * size)()
        written = self._api.llama_state_seq_get_data(self._context, buffer, size, _ASIDE)
        return bytes(memoryview(buffer)[:written])

    def restore_aside(self, kept: bytes) -> bool:
        """Put aside what `state_aside` gave; False when llama.cpp will not have it."""
        array = (ctypes.c_uint8 * len(kept)).from_buffer_copy(kept)
        return bool(self._api.llama_state_seq_set_data(self._context, array, len(kept), _ASIDE))

    def splice(self, start: int, to: int) -> None:
        """Append what is aside, which begins at `start`, to the first `to` tokens evaluated."""
        if start != to:
            self._api.llama_memory_seq_add(self._memory, _ASIDE, start, -1, to - start)
        self._api.llama_memory_seq_cp(self._memory, _ASIDE, _MAIN, -1, -1)
        self.drop_aside()

    def drop_aside(self) -> None:
        """Nothing is aside any more."""
        self._api.llama_memory_seq_rm(self._memory, _ASIDE, -1, -1)

    def _adapt(self, adapted: bool) -> None:
        if self._adapter is None or adapted == self._adapts:
            return
        adapters = (self._api.llama_adapter_lora_p_ctypes * 1)(self._adapter)
        self._api.llama_set_adapters_lora(self._context, adapters, int(adapted), (ctypes.c_float * 1)(1.0))
        self._adapts = adapted

    def _evaluate(self, tokens: Sequence[int], start: int, sequence: int, *, every: bool = False) -> bool:
        batch = self._batch
        batch.n_tokens = len(tokens)
        for place, token in enumerate(tokens):
            batch.token[place], batch.pos[place] = token, start + place
            batch.n_seq_id[place], batch.seq_id[place][0] = 1, sequence
            batch.logits[place] = every or place + 1 == len(tokens)
        code = self._api.llama_decode(self._context, batch)
        if code == _ABORTED:
            return False
        if code:
            raise ModelError(f"llama.cpp could not go on (code {code}){_complaint()}; ask again")
        return True

    def likeliest(self, among: Sequence[int] | None = None, *, at: int = -1) -> int:
        """The token with the highest logit after the last evaluated one, or after that `at` a place in the last batch,
        of all or `among` some; the first of equals."""
        logits = self._logits(at)
        return int(logits.argmax()) if among is None else int(among[logits[list(among)].argmax()])

    def lead(self, at: int) -> float:
        """How much greater the highest logit after a place in the last batch is than the second."""
        second, first = self._numpy.partition(self._logits(at), -2)[-2:]
        return float(first - second)

    def log_odds(self, for_: Sequence[int], against: Sequence[int]) -> float:
        """Logarithm of how much likelier the next token is one of the first than one of the second."""
        logits = self._logits().astype("float64")
        return float(
            self._numpy.logaddexp.reduce(logits[list(for_)]) - self._numpy.logaddexp.reduce(logits[list(against)])
        )

    def _logits(self, at: int = -1) -> Any:
        logits = self._api.llama_get_logits_ith(self._context, at)
        return self._numpy.ctypeslib.as_array(logits, (self._size,))

    @property
    def size(self) -> int:
        """How many tokens the vocabulary has."""
        return int(self._size)

    def _text(self, token: int) -> str:
        if token < 0:
            return ""
        text: bytes = self._api.llama_vocab_get_text(self._vocabulary, token)
        return text.decode("utf-8", "replace")


def can_use_gpu() -> bool:
    """Whether the llama.cpp that is installed was built to run layers on a GPU."""
    return bool(_quiet_api().llama_supports_gpu_offload())


_complaints: deque[str] = deque(maxlen=4)
"""The last errors llama.cpp logged. Its log is one for the whole process."""


def _complaint() -> str:
    text = " ".join("".join(_complaints).split())
    return f" ({text})" if text else ""


def build() -> str:
    """The llama.cpp that is installed, with the features of the processor that it uses."""
    api = _quiet_api()
    return f"{api.__version__} {api.llama_print_system_info().decode()}"


def can_repack() -> bool:
    """Whether weights may be laid out anew: not where llama.cpp was built to use a processor's AMX. Built by GCC 12
    that crashes at the first prompt, for the compiler drops most of what configures the tiles
    (ggml-org/llama.cpp#20824). It is not used where llama.cpp may not lay out the weights anew (use_extra_bufts)."""
    return b"AMX_INT8 = 1" not in _quiet_api().llama_print_system_info()


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
