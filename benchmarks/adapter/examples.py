"""The training examples of an adapter (rag/adapters/), as prompts in the tokens of its model.

They come from the first half of SQuAD 2 dev's titles, except HELD_OUT, on which answerability is fitted; `answers`
measures on the second half. Passages are those that Citewire finds and reads. Each line is a prompt, and its `task` is
what the model is asked to do:

answerable   say Yes or No: is the question answered by the passages?
correct      say Yes or No: is a proposed answer right?
draft        answer the question, some after turns of a conversation, so that it does not forget how; of titles held out
             also questions to refuse
open         answer a question to which there is no one answer, as the model does without an adapter

`python -m benchmarks lessons` writes them; `python -m benchmarks.adapter.train` trains on them, on any machine.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platformdirs import user_cache_path
from tqdm import tqdm

from benchmarks.harness import dataset
from benchmarks.harness.cases import HELD_OUT, by_paragraph
from benchmarks.harness.embedder import SharedCachedEmbedder
from benchmarks.harness.environment import Environment
from benchmarks.harness.system import loaded_llm
from index import models
from rag import evidence, prompt
from rag.answer import CANNOT_ANSWER, Turn
from rag.llm.llama import LlamaCpp
from rag.settings import Settings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from benchmarks.harness.dataset import Dataset, Question
    from index import Index
    from index.hit import Hit
    from rag.prompt import Prompt

OPEN = (
    "What does the article say about {title}?",
    "Summarize what is known about {title}.",
    "What are the main points about {title}?",
    "Why does {title} matter, according to the articles?",
)
SHARES = {"absent": 0.2, "open": 0.12, "after turns": 0.25, "read as found": 0.5}
"""Of the answerable questions those that are asked without their paragraph as well, and those for each of which one
open question is asked; of those to be answered, the ones after turns of a conversation; of those to judge, the ones
with all the passages found instead of the paragraph's best."""


def options(parser: argparse.ArgumentParser) -> None:
    """Where to write."""
    dataset.options(parser)
    parser.add_argument("--model", default=None, help="the model to train for (default: that of models.txt)")
    parser.add_argument("--out", type=Path, default=Path("lessons.jsonl"), help="the file to write (lessons.jsonl)")


def run(arguments: argparse.Namespace) -> None:
    """Search, choose passages, write the prompts."""
    data = dataset.squad(arguments.data)
    model = models.choose(arguments.model, "llm").name
    folder = user_cache_path("citewire", appauthor=False) / "benchmarks"
    settings = Settings(llm=model, kv_bytes=0)
    with Environment(settings, {"squad": data.articles}, SharedCachedEmbedder(), folder) as environment:
        engine = environment.engine("squad", settings)
        llm = loaded_llm(engine)
        if not isinstance(llm, LlamaCpp):
            raise SystemExit(f"{model}: only models that llama.cpp runs can be trained")
        maker = ExampleMaker(data, engine.index, llm, settings)
        total = sum(len(kind) for kinds in by_paragraph(data).values() for kind in kinds)
        with arguments.out.open("w", encoding="utf-8") as file:
            file.write(json.dumps(maker.constants()) + "\n")
            for example in tqdm(maker.examples(), total=3 * total, desc="lessons", disable=None):
                file.write(json.dumps(example, ensure_ascii=False) + "\n")


class ExampleMaker:
    """Makes training examples from questions."""

    def __init__(self, data: Dataset, index: Index, llm: LlamaCpp, settings: Settings) -> None:
        """`index` holds the articles of `data`."""
        self._data, self._index, self._llm, self._settings = data, index, llm, settings
        self._everywhere = frozenset(article.id for article in data.articles)
        self._draw = random.Random(4)

    def constants(self) -> dict[str, Any]:
        """What all prompts share: the instructions, what stands before a task, what ends a prompt and an answer."""
        bare = self._llm.layout(prompt.build("?", ()))
        asked = self._llm.layout(prompt.build("?", (), task="A"))  # a single token
        last = bare.closing
        before = asked.closing[: len(asked.closing) - len(last) - 1]
        return {
            "model": self._llm.name,
            "instructions": bare.instructions,
            "before_task": before,
            "closing": last,
            "tasks": {"answerable": prompt.ANSWERABLE, "correct": prompt.CORRECT},
            "cannot_answer": CANNOT_ANSWER,
        }

    def examples(self) -> Iterator[dict[str, Any]]:
        """One by one."""
        for paragraph, kinds in sorted(by_paragraph(self._data).items()):
            for question in (*kinds[0], *kinds[1]):
                yield from self._of(question, paragraph, kinds[0])
            if self._draw.random() < SHARES["open"] * max(1, len(kinds[0])) and kinds[0]:
                asked = self._draw.choice(OPEN).format(title=kinds[0][0].subject)
                yield self._example("open", kinds[0][0], prompt.build(asked, self._found(asked)))

    def _of(self, question: Question, paragraph: str, siblings: Sequence[Question]) -> Iterator[dict[str, Any]]:
        found = self._found(question.text)
        there = any(hit.article.id == paragraph for hit in found)
        own = self._index.search(question.text, 1, articles=frozenset([paragraph]))
        turns = self._turns(question, siblings)
        held_out = question.subject in HELD_OUT
        if question.relevant:
            if there:
                yield self._example("draft", question, prompt.build(question.text, found, turns), says=True)
            if self._draw.random() < SHARES["absent"]:
                others = self._found(question.text, self._everywhere - question.relevant)
                if held_out:
                    yield self._example("draft", question, prompt.build(question.text, others, turns), says=False)
                absent = prompt.build(question.text, others[:1])
                yield self._example("answerable", question, absent, says=False, kind="absent")
        elif held_out:
            yield self._example("draft", question, prompt.build(question.text, found, turns), says=False)
        read = found if there and not held_out and self._draw.random() < SHARES["read as found"] else own
        for task in ("answerable", "correct"):
            yield self._example(task, question, prompt.build(question.text, read), says=bool(question.relevant))

    def _found(self, text: str, among: frozenset[str] | None = None) -> list[Hit]:
        hits = self._index.search(text, 2 * self._settings.passages, articles=among)
        return [source.hit for source in evidence.select(text, hits, self._llm, self._settings)]

    def _turns(self, question: Question, siblings: Sequence[Question]) -> tuple[Turn, ...]:
        """Now and then other questions of the paragraph, with the words expected as answers."""
        others = [one for one in siblings if one.text != question.text]
        if not others or self._draw.random() >= SHARES["after turns"]:
            return ()
        chosen = self._draw.sample(others, min(len(others), self._draw.choice((1, 2))))
        return tuple(Turn(one.text, one.answers[0]) for one in chosen)

    def _example(
        self, task: str, question: Question, asked: Prompt, *, says: bool | None = None, kind: str = ""
    ) -> dict[str, Any]:
        layout = self._llm.layout(asked)
        return {
            "task": task,
            "kind": kind or ("answerable" if question.relevant else "impossible"),
            "says": says,
            "subject": question.subject,
            "held_out": question.subject in HELD_OUT,
            "text": asked.question,
            "answers": question.answers or question.plausible,
            "blocks": [*layout.passages, *layout.history],
            "question": layout.question,
        }
