"""The naive baseline: the five best passages, numbered, in a plain prompt, and the answer as the model gives it.

Retrieval, model and greedy decoding are Citewire's. The model alone decides which passage it cites ([n]) and whether it
admits that the passages do not say (ADMISSION anywhere in its text).
"""

from __future__ import annotations

import re
import threading
import time
from typing import TYPE_CHECKING

from benchmarks.harness.response import Response
from benchmarks.harness.system import loaded_llm
from rag.answer import CANNOT_ANSWER
from rag.prompt import Prompt
from rag.question import understand

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.harness.dataset import Question
    from index.hit import Hit
    from rag.answer import Turn
    from rag.engine import Engine
    from rag.llm import LLM

PASSAGES = 5
INSTRUCTIONS = (
    "Answer the question in one or two sentences, using only the numbered passages. Cite the passages you use by "
    f"their numbers, as in [1]. If the passages do not hold the answer, reply: {CANNOT_ANSWER}"
)
ADMISSION = re.compile(
    r"\b(?:do(?:es)? not|don['’]t|doesn['’]t|did not|didn['’]t|is not|are not|was not|cannot|can['’]t|could not|"
    r"unable to|not)\s+(?:\w+ly\s+)?(?:say|state|mention|provid|contain|specif|includ|answer|give|find|determin|"
    r"indicat|address|discuss|have (?:any |enough )?information|know\b)|\bno (?:\w+ )?(?:information|mention|answer)\b",
    re.IGNORECASE,
)
"""Phrases by which a model admits that it does not know. Wider than what Citewire accepts, in the baseline's favor."""

_MARKER = re.compile(r"\[(\d+)\]")


class NaivePrompt:
    """The baseline, over the index and with the model of an engine. Satisfies benchmarks.harness.system.System."""

    def __init__(self, engine: Callable[[], Engine]) -> None:
        """`engine` is called at the first question."""
        self.engine = engine

    def ask(self, question: Question) -> Response:
        """Search, prompt, and take the model's word."""
        engine = self.engine()
        llm = loaded_llm(engine)
        start = time.perf_counter()
        asked = understand(question.text, question.history)
        hits = engine.index.search(asked.text, PASSAGES, rewordings=asked.rewordings, context=asked.context)
        most = engine.settings.answer_tokens
        prompt = fitting(asked.text, hits, question.history, llm, most)
        searched_s = time.perf_counter() - start
        text, first_s = "", None
        for piece in llm.stream(prompt, max_tokens=most, cancel=threading.Event()):
            first_s = first_s or time.perf_counter() - start
            text += piece
        total_s = time.perf_counter() - start
        numbers = list(dict.fromkeys(int(number) for number in _MARKER.findall(text)))
        known = [hits[number - 1] for number in numbers if 0 < number <= len(hits)]
        return Response(
            text.strip(),
            refused=not text.strip() or ADMISSION.search(text) is not None,
            cited=tuple((hit.article.id, hit.start, hit.end) for hit in known),
            passages=tuple((hit.article.id, hit.start, hit.end) for hit in hits),
            dangling=len(numbers) - len(known),
            first_s=first_s or total_s,
            total_s=total_s,
            timings={"search": searched_s},
        )


def fitting(question: str, hits: Sequence[Hit], history: Sequence[Turn], llm: LLM, answer_tokens: int) -> Prompt:
    """Build a prompt that fits the context: drop the oldest turns first, then the last passages."""
    turns, read = tuple(history), list(hits)
    while llm.count(prompt := build(question, read, turns)) + answer_tokens > llm.context_tokens and (turns or read):
        turns, read = (turns[1:], read) if turns else (turns, read[:-1])
    return prompt


def build(question: str, hits: Sequence[Hit], history: Sequence[Turn]) -> Prompt:
    """Put everything but the instructions into the question, as scripts do."""
    texts = [f"{hit.article.title or ''}\n{' '.join(hit.text.split())}" for hit in hits]
    passages = [f"[{number}] {text}" for number, text in enumerate(texts, start=1)]
    return Prompt(INSTRUCTIONS, (), tuple(history), "\n\n".join([*passages, f"Question: {question}"]))
