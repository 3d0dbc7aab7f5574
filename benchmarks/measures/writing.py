"""Writing: tokens a second of answers with guesses from the passages, against one token after the other.

Each question about the sample articles is answered by the same model in both ways, in turn, over the passages that a
search finds. What counts is the processor time of the model's thread, of which there is one, so that other programs on
the machine do not change it; and whether the texts are the same.
"""

from __future__ import annotations

import threading
import time
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from benchmarks.harness import report, samples
from index import Index, models
from rag import prompt
from rag.llm.kv_cache import KVCache
from rag.llm.llama import GUESSES, LlamaCpp
from rag.settings import Settings

if TYPE_CHECKING:
    import argparse

PASSAGES = 2
WAYS = {"one token after the other": 0, "with guesses": GUESSES}


def options(parser: argparse.ArgumentParser) -> None:
    """How many questions, of which model."""
    parser.add_argument("--model", help="the LLM; the default one unless another is named")
    parser.add_argument("--n", type=int, default=10, help="questions")


def run(arguments: argparse.Namespace) -> None:
    """Answer in both ways, print the table, write the result."""
    questions = [question for pair in samples.CONVERSATIONS for question in pair][: arguments.n]
    known = models.identify(arguments.model, "llm")
    path, found = models.locate(arguments.model, "llm"), dict[str, list[Written]]()
    with TemporaryDirectory() as folder, Index.open(folder) as index:
        index.sync([samples.ARTICLES])
        prompts = [prompt.build(question, index.search(question, PASSAGES)) for question in questions]
        for way, guesses in WAYS.items():
            kv_cache = KVCache.of(index, limit_bytes=Settings().kv_bytes)  # passages are read once for both
            llm = Meter.load(path, name=known.name, sha256=known.sha256, threads=1, guesses=guesses, kv_cache=kv_cache)
            assert isinstance(llm, Meter)
            found[way] = [llm.write(request) for request in prompts]
            llm.close()
            print(way, [(one[1], one[2], round(one[3], 2)) for one in found[way]], flush=True)
    plain, guessing = found.values()
    measured: dict[str, Any] = {
        "questions": len(questions),
        "same text": sum(one[0] == other[0] for one, other in zip(plain, guessing, strict=True)),
        "tokens": sum(one[1] for one in plain),
        "tokens per forward pass": round(sum(one[1] for one in guessing) / sum(one[2] for one in guessing), 3),
        "tokens a second, against one after the other": round(_per_s(guessing) / _per_s(plain), 3),
    }
    print("\n".join(f"  {name:48}{value!s:>10}" for name, value in measured.items()))
    report.write("writing", models={"llm": known.name}, measured=measured)


Written = tuple[str, int, int, float]
"""A text, its tokens, the forward passes they took, and the processor time of these in seconds."""


class Meter(LlamaCpp):
    """Counts what writing takes."""

    _passes: list[tuple[int, float]]

    def write(self, request: prompt.Prompt) -> Written:
        """Answer one prompt."""
        self._passes = []
        text = "".join(self.stream(request, max_tokens=Settings().answer_tokens, cancel=threading.Event()))
        tokens, seconds = (sum(column) for column in zip(*self._passes, strict=True))
        return text, int(tokens), len(self._passes), seconds

    def _decided(self, tokens: tuple[int, ...], position: int, *, adapted: bool) -> list[int]:
        begun = time.thread_time()
        following = super()._decided(tokens, position, adapted=adapted)
        self._passes.append((len(following), time.thread_time() - begun))
        return following


def _per_s(written: list[Written]) -> float:
    return sum(one[1] for one in written) / sum(one[3] for one in written)
