"""Remote: a model that another program runs, behind the seam of rag.llm. The wire is index/model_server.py's.

What differs from a model in this process: there is no adapter, no state of passages is kept, and no mask says which
tokens may come, so an answer in quotes is made by choosing among numbered sentences. Citing, refusing and judging are
the same code.
"""

from __future__ import annotations

import contextlib
import math
import re
import threading
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from index.errors import InputError
from index.model_address import Address
from index.model_server import NOT_TAKEN, ModelServer, ServerError
from rag import quote
from rag.llm import BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rag.llm import Constraint, OnRead, Vocabulary
    from rag.prompt import Prompt

KEY_VARIABLE = "CITEWIRE_LLM_KEY"
BYTES_PER_TOKEN = 2
"""Where the server has no tokenizer to ask, a token is taken for this many bytes: English has about four, and Chinese,
Thai and numbers have two or more in the vocabularies of today's models. Too many tokens only make room for less."""
MESSAGE_TOKENS = 8
"""What a chat template puts around a message: 3 to 8 tokens (ChatML 5, Llama 3 5, Gemma 6, Mistral 4)."""
TOKENIZER_S = 2.0
"""Longest wait for the server's tokenizer, before its tokens are estimated from then on."""
ABOUT_S = 15.0
"""Longest wait for what the server says of its models."""
BYTES_OF_A_TOKEN = 4096
"""Of one event of a stream: some servers repeat the model's name, a fingerprint and times in each."""
CHARS_OF_A_TOKEN = 64
"""Longest text of a token; longer ones are runs of blanks."""
ALTERNATIVES = 20
"""How many alternatives of a token are asked for; OpenAI and vLLM give no more."""
ASKED_ODDS = 2.0
"""Log-odds of a bare Yes, where the server does not say how likely it was: a probability of .88. `citewire models
calibrate` gives it its weight."""
ASKED_TOKENS = 4
"""Enough for a Yes or No with a mark before or after it."""
NUMBER_TOKENS = 12
"""Enough for the numbers of two sentences."""

_BRACKETED = "INST IMG PREFIX MIDDLE SUFFIX ARGS AUDIO TRANSCRIBE THINK gMASK sMASK MASK CLS SEP PAD UNK BOS EOS"
"""Marks in brackets that look like words: of the vocabularies of Mistral, GLM and BERT. Another word in brackets is
an outlet, as it stands over each passage, or "[sic]"."""
_MARK = re.compile(rf"<(?=[|/｜A-Za-z])|\[(?=(?:/\w+|\w*_\w*|{_BRACKETED.replace(' ', '|')})\])")
"""Where the marks that chats are built with begin: "<|im_end|>", "</s>", "<start_of_turn>", "[INST]", "[/INST]",
"[TOOL_CALLS]"."""
_THOUGHT = re.compile(r"\s*<think>.*?(?:</think>\s*|$)", re.DOTALL)
_NUMBER = re.compile(r"\d+")

CHOOSE = """\
Which of these sentences answer the question? Reply with the number of the one sentence that answers it best, or with \
two numbers if one is not enough. Reply 0 if none answers it. Reply with nothing but numbers.

{sentences}"""

_PLAIN: dict[str, Any] = {"temperature": 0}
_DIALECTS: tuple[tuple[str, dict[str, Any]], ...] = (
    # Local servers turn reasoning off, which an answer of a few words has no room for; the same words each time. An
    # answer repeats the words of its passages, which some servers (llama_cpp.server) would else make less likely.
    ("max_tokens", {**_PLAIN, "seed": 0, "repeat_penalty": 1.0, "chat_template_kwargs": {"enable_thinking": False}}),
    ("max_tokens", _PLAIN),
    ("max_completion_tokens", {"reasoning_effort": "minimal"}),
    ("max_completion_tokens", {}),
)
"""The name of the limit, and what else is asked for, as servers take it; the next is tried when one is refused."""


class RemoteLLM:
    """A chat model of a server that speaks OpenAI's API. Safe to use from many threads; requests run side by side."""

    adapts = False

    def __init__(self, server: ModelServer, *, name: str, model: str, context_tokens: int, parallel: int = 1) -> None:
        """Use `open`."""
        self.name = name
        self.context_tokens = context_tokens
        self.parallel = parallel
        self.server = server
        self._model = model
        self._dialect = 0
        self._gives_odds = True
        self._tokenizer: tuple[str, str] | bool | None = True
        self._finding = threading.Lock()
        self._tokens = lru_cache(maxsize=4096)(self._counted)

    @classmethod
    def open(
        cls, address: str, *, context_tokens: int = 4096, parallel: int = 1, timeout_s: float = 300.0
    ) -> RemoteLLM:
        """The model at `address`, http://host:port/v1#model. The server is asked which model it has, and how large its
        context is: `context_tokens` is lowered to that.

        Raises InputError for an address that cannot be used, ServerError for a server that does not answer.
        """
        place = Address.parse(address)
        server = ModelServer(place, key_variable=KEY_VARIABLE, flag="--llm", total_s=timeout_s)
        try:
            about = server.model(total_s=ABOUT_S)
            most = _context_of(about) or _context_of_slot(server)
        except BaseException:
            server.close()
            raise
        model = about["id"]
        fitting = min(context_tokens, most) if most else context_tokens
        return cls(
            server, name=place.named(place.model or model), model=model, context_tokens=fitting, parallel=parallel
        )

    @property
    def host(self) -> str:
        """The server, as messages name it."""
        return self.server.address.host

    @property
    def is_here(self) -> bool:
        """Whether the server is on this machine, so that no text leaves it."""
        return self.server.address.is_here

    def estimating(self) -> RemoteLLM:
        """See `Served.estimating`."""
        model = RemoteLLM(self.server, name=self.name, model=self._model, context_tokens=self.context_tokens)
        model._tokenizer = None
        return model

    @property
    def vocabulary(self) -> Vocabulary:
        """None that a constraint could use: what a server makes of a text has no tokens here. One of single bytes, for
        rag.quote.Quoting, whose sentences are chosen by number."""
        return BYTES

    def count(self, prompt: Prompt) -> int:
        """How many tokens the prompt takes, by the server's tokenizer if it has one, else as many as it can be."""
        texts = [message["content"] for message in _messages(prompt)]
        parts = [prompt.instructions, *prompt.passages, *texts[1:]]
        return MESSAGE_TOKENS * (len(texts) + 1) + sum(map(self._tokens, map(_inert, parts)))

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
        """Yield pieces of the answer, see `LLM.stream`. Under a constraint, which must be a rag.quote.Quoting, the
        model chooses sentences by number.

        Raises InputError when the prompt and max_tokens do not fit context_tokens, ServerError when the server does not
        answer as it should.
        """
        del adapted  # there is no adapter
        total = self._check(prompt, max_tokens)
        if on_read is not None:
            on_read(0, total)
        if constraint is not None and not isinstance(constraint, quote.Quoting):
            raise InputError(f"{self.name}: a model server can be held to sentences (rag.quote.Quoting), not to tokens")
        if constraint is not None:
            pieces = iter(self._chosen(prompt, constraint, cancel))
        else:
            pieces = self._written(_messages(prompt), max_tokens, cancel)
        for number, piece in enumerate(pieces):
            if not number and on_read is not None:
                on_read(total, total)
            yield piece

    def judge(self, prompt: Prompt, *, cancel: threading.Event, on_read: OnRead | None = None) -> float:
        """See `LLM.judge`: from the alternatives of the first token where the server gives them, else ASKED_ODDS for a
        Yes or against it; 0 for an answer that is neither."""
        del on_read  # it is short
        self._check(prompt, ASKED_TOKENS)
        messages = _messages(prompt)
        if self._gives_odds:
            try:
                answer = self._asked(messages, 1, cancel, logprobs=True, top_logprobs=ALTERNATIVES)
                odds = math.nan if answer is None else _odds(answer)
                if odds is not None:
                    return odds
            except ServerError as error:
                if error.status not in (400, 404, 422, 500, 501):
                    raise
            self._gives_odds = False
        words = "".join(self._written(messages, ASKED_TOKENS, cancel))
        if cancel.is_set():
            return math.nan
        first = next(iter(re.findall(r"[a-z]+", words.casefold())), "")
        return {"yes": ASKED_ODDS, "no": -ASKED_ODDS}.get(first, 0.0)

    def close(self) -> None:
        """End what runs, and close the connections. Closing twice is fine."""
        self.server.close()

    def _check(self, prompt: Prompt, max_tokens: int) -> int:
        total = self.count(prompt)
        if total + max_tokens > self.context_tokens:
            raise InputError(
                f"a prompt of {total} tokens and an answer of {max_tokens} do not fit the context of "
                f"{self.context_tokens} of {self.name}; ask a shorter question, or raise CITEWIRE_CONTEXT_TOKENS and "
                "the context of the server"
            )
        return total

    def _chosen(self, prompt: Prompt, constraint: quote.Quoting, cancel: threading.Event) -> list[str]:
        """The sentences that the model names, as an answer in quotes has them; none when it names none."""
        sentences = constraint.sentences
        if not sentences:
            return []
        numbered = "\n".join(f"{number}. {sentence}" for number, sentence in enumerate(sentences, start=1))
        messages = _messages(prompt)
        messages[-1]["content"] += "\n\n" + CHOOSE.format(sentences=_inert(numbered))
        reply = "".join(self._written(messages, NUMBER_TOKENS, cancel))
        named = dict.fromkeys(int(number) for number in _NUMBER.findall(reply) if len(number) < 6)
        found = [sentences[number - 1] for number in named if 1 <= number <= len(sentences)][: constraint.most]
        return [quote.SEPARATOR.join(found)] if found else []

    def _written(self, messages: Sequence[dict[str, str]], max_tokens: int, cancel: threading.Event) -> Iterator[str]:
        """The words of an answer as they come, without what a model thinks aloud first. A server that goes on after
        `max_tokens` is not listened to."""
        most_chars = max_tokens * CHARS_OF_A_TOKEN
        begun: str | None = ""
        written, was_cut = 0, False
        for event in self._events(messages, max_tokens, cancel):
            text, ended = _piece(event)
            was_cut = was_cut or ended == "length"
            if begun is not None:
                begun += text
                head = begun.lstrip()
                if "<think>".startswith(head[:7]) and "</think>" not in begun and len(begun) < most_chars:
                    continue  # it is thinking, or may be about to say so
                text, begun = _THOUGHT.sub("", begun, count=1).lstrip(), None
            text = text[: most_chars - written]
            written += len(text)
            if text:
                yield text
            if written >= most_chars:
                return
        rest = _THOUGHT.sub("", begun, count=1).strip() if begun else ""
        if rest:
            yield rest
        elif not written and was_cut:
            raise ServerError(
                f"{self.name} used all of its {max_tokens} tokens to think, and none to answer; turn its reasoning off "
                "at the server, or raise CITEWIRE_ANSWER_TOKENS"
            )

    def _events(
        self, messages: Sequence[dict[str, str]], max_tokens: int, cancel: threading.Event
    ) -> Iterator[dict[str, Any]]:
        first: ServerError | None = None
        for dialect in range(self._dialect, len(_DIALECTS)):
            body = {**self._body(dialect, messages, max_tokens), "stream": True}
            most_bytes = (max_tokens + 256) * BYTES_OF_A_TOKEN
            try:
                yield from self.server.events("chat/completions", body, cancel=cancel, most_bytes=most_bytes)
            except ServerError as error:
                first = first or error
                if error.status not in NOT_TAKEN:
                    raise
                continue
            self._dialect = dialect
            return
        raise self._not_taken(first)

    def _asked(
        self, messages: Sequence[dict[str, str]], max_tokens: int, cancel: threading.Event, **more: Any
    ) -> dict[str, Any] | None:
        first: ServerError | None = None
        for dialect in range(self._dialect, len(_DIALECTS)):
            body = {**self._body(dialect, messages, max_tokens), **more}
            try:
                return self.server.ask("chat/completions", body, cancel=cancel)
            except ServerError as error:
                first = first or error
                if error.status not in NOT_TAKEN:
                    raise
        raise self._not_taken(first)

    def _not_taken(self, error: ServerError | None) -> ServerError:
        """The error for what the server takes in no dialect: often its context is smaller than it says."""
        assert error is not None  # noqa: S101 - there is at least one dialect
        return ServerError(
            f"{error}, and whether it has a context of {self.context_tokens} tokens; else set CITEWIRE_CONTEXT_TOKENS",
            error.status,
        )

    def _body(self, dialect: int, messages: Sequence[dict[str, str]], max_tokens: int) -> dict[str, Any]:
        limit, more = _DIALECTS[dialect]
        return {"model": self._model, "messages": list(messages), limit: max_tokens, **more}

    def _counted(self, text: str) -> int:
        raw = len(text.encode("utf-8", "replace"))
        if not text:
            return 0
        with self._finding:
            if self._tokenizer is True:
                self._tokenizer = next(
                    (way for way in _TOKENIZERS if self._tokenized("Hello there", way) is not None), None
                )
            way = self._tokenizer
        if isinstance(way, tuple):
            number = self._tokenized(text, way)
            if number is not None and 0 < number <= raw + 8:
                return number
            self._tokenizer = None
        return math.ceil(raw / BYTES_PER_TOKEN) + 1

    def _tokenized(self, text: str, way: tuple[str, str]) -> int | None:
        """How many tokens the server makes of a text; None if it does not say."""
        path, name = way
        body = {"model": self._model, name: text, "add_special": False, "add_special_tokens": False}
        most = 64 * len(text.encode("utf-8", "replace")) + 4096
        with contextlib.suppress(ServerError):
            answer = self.server.ask(path, body, most_bytes=most, tries=1, total_s=TOKENIZER_S) or {}
            tokens, number = answer.get("tokens"), answer.get("count")
            if isinstance(tokens, list):
                return len(tokens)
            if isinstance(number, int) and not isinstance(number, bool):
                return number
        return None


_TOKENIZERS = (("/tokenize", "content"), ("/tokenize", "prompt"), ("/extras/tokenize/count", "input"))
"""Where a server counts tokens, and what it calls the text: llama-server, vLLM, llama_cpp.server."""


def _messages(prompt: Prompt) -> list[dict[str, str]]:
    """The messages of a chat, as rag/llm/template.py puts the parts of a prompt together."""
    system = "\n\n".join([prompt.instructions, *map(_inert, prompt.passages)])
    messages = [{"role": "system", "content": system}]
    for turn in prompt.history:
        messages.append({"role": "user", "content": _inert(turn.question)})
        messages.append({"role": "assistant", "content": _inert(turn.answer)})
    asked = [_inert(prompt.question), prompt.task] if prompt.task else [_inert(prompt.question)]
    return [*messages, {"role": "user", "content": "\n\n".join(asked)}]


def _inert(text: str) -> str:
    """A text in which no mark of a chat template stands, whatever the template: servers take them for what they say
    wherever they are. A blank in a mark changes no word."""
    return _MARK.sub(lambda mark: f"{mark[0]} ", text.encode("utf-8", "replace").decode())


def _piece(event: dict[str, Any]) -> tuple[str, str]:
    """The words of an event of a stream, and why it is the last, or ""."""
    choice = _first(event.get("choices"))
    delta = choice.get("delta")
    text = delta.get("content") if isinstance(delta, dict) else None
    ended = choice.get("finish_reason")
    text = text.encode("utf-8", "replace").decode() if isinstance(text, str) else ""
    return text, ended if isinstance(ended, str) else ""


def _odds(answer: dict[str, Any]) -> float | None:
    """Log-odds of Yes against No at the first token of an answer; None where it does not say how likely its
    alternatives were. A side that is not among them is less likely than the last that is."""
    found = _first(answer.get("choices")).get("logprobs")
    listed = _first(found.get("content") if isinstance(found, dict) else None).get("top_logprobs")
    sides: dict[str, list[float]] = {"yes": [], "no": []}
    least = 0.0
    for one in listed if isinstance(listed, list) else []:
        if not isinstance(one, dict) or not isinstance(one.get("token"), str):
            continue
        likely = one.get("logprob")
        if not isinstance(likely, (int, float)) or not -1e6 < likely <= 0:
            continue
        least = min(least, likely)
        side = one["token"].strip().casefold()
        if side in sides:
            sides[side].append(likely)
    if not sides["yes"] and not sides["no"]:
        return None
    yes, no = (math.log(sum(map(math.exp, side)) or 1e-300) if side else least for side in sides.values())
    return yes - no


def _first(rows: object) -> dict[str, Any]:
    """The first of a list of objects, as JSON has it; an empty one where it is something else."""
    return rows[0] if isinstance(rows, list) and rows and isinstance(rows[0], dict) else {}


def _context_of(about: dict[str, Any]) -> int:
    """The context of a model as vLLM ("max_model_len") and LM Studio list it; 0 if it is not listed."""
    for name in ("max_model_len", "loaded_context_length"):
        if isinstance(about.get(name), int) and about[name] > 0:
            return int(about[name])
    return 0


def _context_of_slot(server: ModelServer) -> int:
    """The context that llama-server gives a request; 0 if the server is another."""
    with contextlib.suppress(ServerError):
        about = server.ask("/props", tries=1, total_s=ABOUT_S) or {}
        default = about.get("default_generation_settings")
        size = default.get("n_ctx") if isinstance(default, dict) else None
        if isinstance(size, int) and size > 0:
            return size
    return 0
