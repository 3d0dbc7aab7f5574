"""Settings: the few knobs of answering, from defaults and the environment. Knows no model and no index."""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from index.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

MODES = ("write", "quote")
"""How a model may answer, in its words or in the articles' own; the first is the usual one."""


READ_AHEAD = ("off", "light", "full")
"""How much the model reads while nobody asks: nothing, what a laptop does not notice, or all that there is room for."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How questions are answered. Field names are also the environment's: `llm` is CITEWIRE_LLM, and so on."""

    llm: str | None = None
    """A model name from models.txt, the path of a GGUF file, or the address of a model server (http://host:port/v1#model,
    with its key in CITEWIRE_LLM_KEY), to which questions and passages are then sent; None is the manifest's default."""
    context_tokens: int = 4096
    """Size of the LLM's context window, prompt and answer together."""
    evidence_tokens: int = 640
    """Budget for the passages of one prompt. Reading costs about 26 ms a token on two cores."""
    answer_tokens: int = 192
    """Longest answer."""
    passages: int = 4
    """Most passages in one prompt."""
    threads: int = 0
    """Threads for the LLM; 0 takes one for each core this process may use."""
    mode: str | None = None
    """How an answer is made: "write" in the model's words, "quote" in the articles' own; None as models.txt has it for
    the model."""
    caution: float = 0.35
    """From 0, which answers most, to 1, which refuses most; see docs/answers.md."""
    kv_bytes: int = 2 * 2**30
    """Disk space for passages as the model read them; 0 keeps none. The default model's take about 4 MB each."""
    splice: bool = True
    """Whether passages are read one by one and put together, or the prompt is read as a whole."""
    llm_requests: int = 1
    """Questions that a model server gets at once. A model in this process answers one at a time."""
    llm_timeout_s: int = 300
    """Longest time for one request to a model server, in seconds."""
    gpu_layers: int = -1
    """Layers of the LLM that run on a GPU, where llama.cpp was built for one; -1 is all that it takes by itself."""
    guesses: int = 0
    """Tokens of an answer that are guessed at a time from the passages and checked in one batch; 0 writes one token
    after the other. Three are worth it where a batch of four costs at most twice a single token."""
    read_ahead: str = "light"
    """What the model reads while nobody asks, by threads of low priority and never on battery: "off", nothing; "light",
    with one thread and some two minutes of processor time an hour; "full", with all cores for as long as there is room
    in kv_bytes."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Settings with each CITEWIRE_<FIELD> of `environ` (default os.environ) applied.

        Raises InputError for a value that is none of those it may have.
        """
        environ = os.environ if environ is None else environ
        known = {field.name: environ.get(f"CITEWIRE_{field.name.upper()}") for field in fields(cls)}
        given = {name: value for name, value in known.items() if value}
        return cls(**{name: _value(f"CITEWIRE_{name.upper()}", name, value) for name, value in given.items()})


_LEAST = {
    "context_tokens": 512,
    "evidence_tokens": 64,
    "answer_tokens": 8,
    "passages": 1,
    "threads": 0,
    "kv_bytes": 0,
    "llm_requests": 1,
    "llm_timeout_s": 1,
    "gpu_layers": -1,
    "guesses": 0,
}


def _value(variable: str, name: str, value: str) -> Any:
    """What the text `value` of an environment variable says for the field `name`."""
    if name == "llm":
        return value
    if name == "mode":
        return _one_of(variable, value, {mode: mode for mode in MODES})
    if name == "read_ahead":
        return _one_of(variable, value, {choice: choice for choice in READ_AHEAD})
    if name == "splice":
        return _one_of(variable, value, {"1": True, "0": False})
    if name == "caution":
        return _share(variable, value)
    return _number(variable, value, _LEAST[name])


def _number(variable: str, value: str, least: int) -> int:
    if not re.fullmatch(r"-?[0-9]{1,18}", value.strip()) or int(value) < least:
        raise InputError(f"{variable}={value!r}: a whole number of at least {least} is needed")
    return int(value)


def _share(variable: str, value: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 <= float(value) <= 1:
            return float(value)
    raise InputError(f"{variable}={value!r}: a number from 0 to 1 is needed")


def _one_of(variable: str, value: str, known: Mapping[str, Any]) -> Any:
    if value not in known:
        raise InputError(f"{variable}={value!r}: choose one of {', '.join(known)}")
    return known[value]
