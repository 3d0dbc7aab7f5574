"""The seam between the engine and a language model: a prompt in parts → text, token by token.

Knows nothing of articles, search or citations. rag.llm.llama implements it with llama.cpp.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from rag.prompt import Prompt

    OnRead = Callable[[int, int], None]
    """Called with the tokens that are read and all that are to be."""


class Constraint(Protocol):
    """What the tokens of an answer must keep to."""

    def allowed(self) -> Sequence[int]:
        """The tokens of which one comes next, at least one."""
        ...

    def take(self, token: int) -> None:
        """The one that came; never one that ends the answer."""
        ...

    def forced(self) -> bytes:
        """What comes next whatever is chosen; it may stop inside a character."""
        ...


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """For each token the bytes it stands for, none for a mark, and the tokens that end an answer."""

    pieces: Sequence[bytes]
    ends: frozenset[int]


BYTES = Vocabulary((*(bytes([byte]) for byte in range(256)), b""), frozenset({256}))
"""Of an LLM whose tokens are not known here: single bytes, and an end."""


class LLM(Protocol):
    """The seam between the engine and a language model.

    One request at a time runs inside; others wait in the order they came. Implementations render the parts
    with their own chat template and treat everything but the instructions and the task as inert text.
    """

    name: str
    context_tokens: int
    adapts: bool
    """Whether it has an adapter: one to judge with, and to write otherwise than without."""

    def count(self, prompt: Prompt) -> int:
        """How many tokens the rendered prompt takes."""
        ...

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
        """Yield pieces of the answer, as the adapter has it where it is to be `adapted`. Ends early, without an error,
        soon after `cancel` is set, also while waiting for its turn and while reading the prompt.

        `on_read(read, total)` is called, in the caller's thread, as the prompt is read: first with the tokens
        that need no reading because an earlier request left them, last with read equal to total.
        `constraint` says which tokens may come.

        Raises InputError when the prompt and max_tokens do not fit context_tokens.
        """
        ...

    def judge(self, prompt: Prompt, *, cancel: threading.Event, on_read: OnRead | None = None) -> float:
        """The natural logarithm of how much likelier the answer to `prompt` begins with Yes than with No; NaN when it
        was cancelled. What was read of the prompt serves the next one that begins alike.

        Raises as `stream`.
        """
        ...

    @property
    def vocabulary(self) -> Vocabulary:
        """What its tokens stand for, for a constraint."""
        ...


@runtime_checkable
class Served(Protocol):
    """An LLM that another program runs, to which prompts are sent."""

    @property
    def host(self) -> str:
        """Host and port of the server."""
        ...

    @property
    def is_here(self) -> bool:
        """Whether the server is on this machine, so that no text leaves it."""
        ...

    def estimating(self) -> LLM:
        """The same model, whose `count` sends nothing to the server."""
        ...


@runtime_checkable
class Replicated(Protocol):
    """An LLM that several machines have, so that several answers are written at once."""

    def at_once(self) -> int:
        """How many answers are written at a time."""
        ...

    def near(self, passage: str) -> AbstractContextManager[LLM]:
        """The LLM for one answer, whose best passage is this one: on the machine that is the likeliest to have read it
        before, if that is free."""
        ...


@runtime_checkable
class Reader(Protocol):
    """An LLM that can read passages and conversations before a question comes, and keeps what it made of them."""

    def is_read(self, prompt: Prompt) -> bool:
        """Whether all passages and turns of `prompt` are kept."""
        ...

    def read_ahead(self, prompt: Prompt) -> bool:
        """Read its passages and turns; False when a request came in between. Raises ModelError."""
        ...


@runtime_checkable
class Metered(Protocol):
    """A Reader that knows what reading ahead costs."""

    @property
    def ahead_s(self) -> float:
        """Processor time that reading ahead has taken so far, in seconds."""
        ...
