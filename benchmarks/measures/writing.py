"""Writing: tokens a second of answers with guesses from the passages, against one token after the other.

Each question, about the sample articles and about paragraphs of SQuAD 2, is answered by the same model in both ways, in
turn, over the passages that a search finds. What counts is the processor time of the model's thread, of which there is
one, so that other programs on the machine do not change it; and whether the texts are the same. Where they part, it is
said by how much the model preferred the token that it writes without guesses.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from itertools import zip_longest
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from benchmarks.harness import dataset, report, samples
from index import Index, models
from rag import prompt
from rag.llm.kv_cache import KVCache
from rag.llm.llama import GUESSES, LlamaCpp
from rag.settings import Settings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

PASSAGES = 1
WAYS = {"one token after the other": 0, "with guesses": GUESSES}


def options(parser: argparse.ArgumentParser) -> None:
    """How many questions, of which model."""
    dataset.options(parser)
    parser.add_argument("--model", help="the LLM; the default one unless another is named")
    parser.add_argument("--n", type=int, default=8, help="questions about the sample articles, at most 8")
    parser.add_argument("--squad", type=int, default=12, help="questions of SQuAD 2, each about its paragraph")


def run(arguments: argparse.Namespace) -> None:
    """Answer in both ways, print the table, write the result."""
    known = models.identify(arguments.model, "llm")
    path = models.locate(arguments.model, "llm")
    found: list[dict[str, Written]] = []
    with TemporaryDirectory() as folder, Index.open(folder) as index:
        prompts = list(_prompts(index, arguments))
        kv_cache = KVCache.of(index, limit_bytes=Settings().kv_bytes)  # passages are read once for both
        opened = {
            way: Meter.load(path, name=known.name, sha256=known.sha256, threads=1, guesses=guesses, kv_cache=kv_cache)
            for way, guesses in WAYS.items()
        }
        for request in prompts:
            written = {way: llm.write(request) for way, llm in opened.items() if isinstance(llm, Meter)}
            found.append(written)
            for way, one in written.items():
                print(
                    f"{way}: {len(one.tokens)} tokens, {one.passes} passes, {one.used_s:.2f} s: {one.text!r}",
                    flush=True,
                )
        for llm in opened.values():
            llm.close()
    plain, guessing = ([one[way] for one in found] for way in WAYS)
    parted = [_parted(one, other) for one, other in zip(plain, guessing, strict=True) if one.text != other.text]
    measured: dict[str, Any] = {
        "questions": len(prompts),
        "same text": len(prompts) - len(parted),
        "tokens": sum(len(one.tokens) for one in plain),
        "tokens per forward pass": round(
            sum(len(one.tokens) for one in guessing) / sum(one.passes for one in guessing), 3
        ),
        "tokens a second, against one after the other": round(_per_s(guessing) / _per_s(plain), 3),
        "where the texts part": parted,
    }
    print("\n".join(f"  {name:48}{value!s:>10}" for name, value in measured.items()))
    if not arguments.quick:
        report.write("writing", models={"llm": known.name}, measured=measured)


def _prompts(index: Index, arguments: argparse.Namespace) -> Iterator[prompt.Prompt]:
    """The questions, each over the passages that a search finds."""
    index.sync([samples.ARTICLES])
    for question in [question for pair in samples.CONVERSATIONS for question in pair][: arguments.n]:
        yield prompt.build(question, index.search(question, PASSAGES))
    if not arguments.squad:
        return
    data = dataset.squad(arguments.data)
    asked = [one for one in dataset.alternating(data.questions, arguments.squad) if one.relevant][: arguments.squad]
    paragraphs = {one.paragraph for one in asked}
    index.add(article for article in data.articles if article.id in paragraphs)
    for one in asked:
        yield prompt.build(one.text, index.search(one.text, PASSAGES, articles=[one.paragraph]))


@dataclass(frozen=True, slots=True)
class Written:
    """A text, and what writing it took."""

    text: str
    tokens: tuple[int, ...]
    leads: tuple[float, ...]
    """By how much the logit of each was greater than that of the second likeliest; 0 after a step with guesses."""
    passes: int
    used_s: float


class Meter(LlamaCpp):
    """Counts what writing takes."""

    _decisions: list[tuple[int, float]]
    _passes_s: list[float]

    def write(self, request: prompt.Prompt) -> Written:
        """Answer one prompt."""
        self._decisions, self._passes_s = [], []
        text = "".join(self.stream(request, max_tokens=Settings().answer_tokens, cancel=threading.Event()))
        tokens, leads = zip(*self._decisions, strict=True)
        return Written(text, tokens, leads, len(self._passes_s), sum(self._passes_s))

    def _decided(self, tokens: tuple[int, ...], position: int, *, adapted: bool) -> list[int]:
        begun = time.thread_time()
        following = super()._decided(tokens, position, adapted=adapted)
        self._passes_s.append(time.thread_time() - begun)
        lead = self._native.lead(-1) if len(tokens) == 1 else 0.0
        self._decisions += [(token, lead) for token in following]
        return following


def _parted(plain: Written, guessing: Written) -> dict[str, Any]:
    """Where two texts part: the place, the lead of the token that is written without guesses, and who decided."""
    pairs = zip_longest(plain.tokens, guessing.tokens)
    place = next(place for place, (one, other) in enumerate(pairs) if one != other)
    return {
        "token": place,
        "lead without guesses": round(plain.leads[place], 3) if place < len(plain.leads) else None,
        "decided by": "a step of one"
        if place < len(guessing.leads) and guessing.leads[place]
        else "a step with guesses",
    }


def _per_s(written: Sequence[Written]) -> float:
    return sum(len(one.tokens) for one in written) / sum(one.used_s for one in written)
