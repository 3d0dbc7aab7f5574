"""Settings: the few knobs of answering, from defaults and the environment. Knows no model and no index."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from index.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Settings:
    """How questions are answered. Field names are also the environment's: `llm` is CITEWIRE_LLM, and so on."""

    llm: str | None = None
    """A model name from models.txt or the path of a GGUF file; None is the manifest's default."""
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

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Settings with each CITEWIRE_<FIELD> of `environ` (default os.environ) applied.

        Raises InputError for a number that is none, or is out of range.
        """
        environ = os.environ if environ is None else environ
        numbers = {
            name: _number(f"CITEWIRE_{name.upper()}", environ[f"CITEWIRE_{name.upper()}"], least)
            for name, least in _LEAST.items()
            if environ.get(f"CITEWIRE_{name.upper()}")
        }
        return cls(llm=environ.get("CITEWIRE_LLM") or None, **numbers)


_LEAST = {"context_tokens": 512, "evidence_tokens": 64, "answer_tokens": 8, "passages": 1, "threads": 0}


def _number(name: str, value: str, least: int) -> int:
    if not value.strip().isdecimal() or int(value) < least:
        raise InputError(f"{name}={value!r}: a whole number of at least {least} is needed")
    return int(value)
