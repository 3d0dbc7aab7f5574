"""Template: a model's chat template → the tokens of a prompt, in the stretches they are read in. Knows no llama.cpp."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rag.prompt import Prompt

Tokens = tuple[int, ...]

BATCH_TOKENS = 256
"""Tokens read at once. 128 are read up to a fifth faster than 64, and more hardly faster; but a rest of few tokens is
slow, so a passage is better read in one."""

CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}"
    "{% endfor %}{{ '<|im_start|>assistant\n' }}"
)
"""For a GGUF without a chat template: the format most small instruction models were tuned on."""


class Tokenizer(Protocol):
    """What makes tokens of text."""

    def tokenize(self, text: str, *, special: bool) -> list[int]:
        """The tokens of `text`. Without `special`, none of them is one of the marks a chat is built with."""
        ...

    def with_bos(self, tokens: list[int]) -> list[int]:
        """`tokens` after the mark that begins every text, where the model wants it and it is missing."""
        ...


@dataclass(frozen=True, slots=True)
class Layout:
    """The tokens of a prompt. The instructions never change, each passage and each turn of the conversation is always
    the same tokens, and question and closing start afresh: so what was read of one prompt serves the next.

    The closing is the task and what the template puts before an answer.
    """

    instructions: Tokens
    passages: tuple[Tokens, ...]
    history: tuple[Tokens, ...]
    question: Tokens
    closing: Tokens

    def tail(self) -> Iterator[Tokens]:
        """What comes after the conversation, in batches."""
        yield from in_batches(self.question)
        yield from in_batches(self.closing)

    def head(self) -> Iterator[Tokens]:
        """What comes before the question, in batches, the passages read as one text, and so the conversation."""
        yield from in_batches(self.instructions)
        yield from in_batches(tuple(chain(*self.passages)))
        yield from in_batches(tuple(chain(*self.history)))

    def __len__(self) -> int:
        """Tokens in all."""
        return sum(map(len, (self.instructions, *self.passages, *self.history, self.question, self.closing)))


class Template:
    """A chat template and where in it the parts of a prompt go.

    The template never sees a part, only a placeholder: what surrounds the placeholders may hold the model's
    special tokens, the parts themselves are tokenized as plain text. So no article can end its own message.
    """

    def __init__(self, render: Callable[[Sequence[Mapping[str, str]]], str]) -> None:
        """`render` makes one text of messages, and raises ValueError if it cannot; so does this."""
        self._render = render
        self._merge = False
        try:
            self._glue(passages=1, turns=1)
        except ValueError:
            # Some models know no system role, or leave it out without a word.
            self._merge = True
            self._glue(passages=1, turns=1)

    def layout(self, prompt: Prompt, tokenizer: Tokenizer) -> Layout:
        """The tokens of a prompt."""
        turns = [text for turn in prompt.history for text in (turn.question, turn.answer)]
        asked = [prompt.question, prompt.task] if prompt.task else [prompt.question]
        parts = [prompt.instructions, *prompt.passages, *turns, *asked]
        *glue, last = self._glue(passages=len(prompt.passages), turns=len(prompt.history), task=bool(prompt.task))
        pieces = [
            tokenizer.tokenize(before, special=True) + tokenizer.tokenize(part.strip(), special=False)
            for before, part in zip(glue, parts, strict=True)
        ]
        pieces[0] = tokenizer.with_bos(pieces[0])
        instructions, *rest = map(tuple, pieces)
        passages, rest = rest[: len(prompt.passages)], rest[len(prompt.passages) :]
        history, question, task = rest[: len(turns)], rest[len(turns)], rest[len(turns) + 1 :]
        pairs = zip(history[::2], history[1::2], strict=True)
        closing = (*chain(*task), *tokenizer.tokenize(last, special=True))
        return Layout(instructions, tuple(passages), tuple((*said, *told) for said, told in pairs), question, closing)

    def _glue(self, *, passages: int, turns: int, task: bool = False) -> list[str]:
        """What stands before each part, in order, and after the last."""
        slots = [f"\ue000{number}\ue001" for number in range(2 + passages + 2 * turns + task)]
        system, dialogue = "\n\n".join(slots[: 1 + passages]), slots[1 + passages :]
        if task:
            *dialogue, question, command = dialogue
            dialogue.append(f"{question}\n\n{command}")
        messages = [
            {"role": ("user", "assistant")[number % 2], "content": slot} for number, slot in enumerate(dialogue)
        ]
        if self._merge:
            messages[0]["content"] = f"{system}\n\n{messages[0]['content']}"
        else:
            messages.insert(0, {"role": "system", "content": system})
        glue = re.split("\ue000([0-9]+)\ue001", self._render(messages))
        if glue[1::2] != [str(number) for number in range(len(slots))]:
            raise ValueError("it leaves out or reorders parts of a conversation")
        return glue[::2]


def in_batches(tokens: Tokens) -> Iterator[Tokens]:
    """`tokens` in pieces of BATCH_TOKENS and a rest."""
    return (tokens[start : start + BATCH_TOKENS] for start in range(0, len(tokens), BATCH_TOKENS))
