"""Waiting: the time to the first readable word of an answer, as a share of the time that a plain prompt takes.

Each conversation is measured once, over an index whose passages the model has not read: the question for the first
time, the plain prompt for the same question (which also drops the passages from the model's live cache), the question
again, a follow-up, the plain prompt for the follow-up, and the question once more after a restart. Loading is not
counted; it includes reading Citewire's instructions, with which all its prompts begin. The journal keeps seconds, the
result ratios within a conversation, because absolute times depend on the machine.
"""

from __future__ import annotations

import random
import shutil
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.harness import samples
from benchmarks.harness.dataset import Question
from benchmarks.harness.embedder import CachedDocumentsEmbedder
from benchmarks.harness.journal import Step, digest
from benchmarks.harness.naive import NaivePrompt
from benchmarks.harness.response import respond
from benchmarks.harness.table import Rows, Value, mean
from index import Index, derived
from rag import Turn
from rag.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.harness.journal import Journal
    from index import Article
    from rag.settings import Settings

MOMENTS = ("first time", "passages read before", "follow-up", "follow-up after a pause", "after a restart")
PAUSE_S = 15.0
"""To read an answer of 25 words at 238 a minute (Brysbaert 2019, doi:10.1016/j.jml.2019.104047) and to type a question
of 8 words at 52 a minute (Dhakal et al. 2018, doi:10.1145/3173574.3174220)."""
NAIVE = {moment: "naive follow-up" if "follow-up" in moment else "naive" for moment in MOMENTS}
"""The plain prompt that a moment is compared with."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """A question and a follow-up, over the sample articles or a corpus."""

    corpus: str
    question: Question
    follow_up: Question


def conversations(questions: Sequence[Question], n: int) -> list[Conversation]:
    """At most `n` conversations: those on the samples, then pairs of questions about one paragraph, titles in turn."""
    made = [
        Conversation("seeds", *(Question(text, frozenset(), "seeds") for text in pair))
        for pair in samples.CONVERSATIONS
    ]
    by_title: dict[str, dict[frozenset[str], list[Question]]] = {}
    for question in questions:
        if question.relevant:
            by_title.setdefault(question.subject, {}).setdefault(question.relevant, []).append(question)
    draw = random.Random(0)
    pairs = {title: [some[:2] for some in found.values() if len(some) > 1] for title, found in by_title.items()}
    for some in pairs.values():
        draw.shuffle(some)
    while any(pairs.values()):
        made += [Conversation("squad", *some.pop()) for some in pairs.values() if some]
    return made[:n]


class Waiting:
    """The suite about time. It has indexes of its own and deletes them."""

    name = "speed"

    def __init__(
        self, journal: Journal, settings: Settings, questions: Sequence[Question], articles: Sequence[Article], n: int
    ) -> None:
        """`questions` and `articles` are SQuAD's."""
        self._journal, self._settings, self._articles = journal, settings, articles
        self._conversations = conversations(questions, n)
        self._open = ExitStack()
        self._homes: dict[str, Path] = {}
        self._embedder = CachedDocumentsEmbedder()

    def steps(self) -> list[Step]:
        """A step for each conversation."""
        return [
            Step(self._journal, self._key(conversation), partial(self._measure, conversation))
            for conversation in self._conversations
        ]

    def tables(self) -> dict[str, Rows]:
        """Moment → ratio of the times to the first word; moment → stage → the same for what it consists of."""
        measured = [
            noted for conversation in self._conversations if (noted := self._journal.get(self._key(conversation)))
        ]
        if not measured:
            return {}
        whole: Rows = {moment: {} for moment in MOMENTS}
        for corpus in ("seeds", "squad"):
            for moment in MOMENTS:
                some = [one for one in measured if one["corpus"] == corpus]
                whole[moment][f"{corpus}, mean"] = mean([_ratio(one, moment) for one in some])
                whole[moment][f"{corpus}, median"] = _median([_ratio(one, moment) for one in some])
        for moment in MOMENTS:
            whole[moment]["answered, not refused"] = mean([not one["responses"][moment]["refused"] for one in measured])
        stages: Rows = {moment: _stages(measured, moment) for moment in MOMENTS}
        return {
            "time to first token, of the naive prompt's": whole,
            "seconds of each stage, of the naive prompt's time to first token": stages,
        }

    def close(self) -> None:
        """Delete its indexes."""
        self._open.close()

    def _measure(self, conversation: Conversation) -> dict[str, Any]:
        question = conversation.question
        # The samples have so few passages that the conversation before has read them.
        self._homes.pop("seeds", None)
        with self._engine(conversation.corpus) as engine:
            plain = NaivePrompt(lambda: engine)
            responses = {"first time": respond(engine, question), "naive": plain.ask(question)}
            engine.load()  # the plain prompt took the instructions, too
            responses["passages read before"] = respond(engine, question)
            follow_up = replace(conversation.follow_up, history=(Turn(question.text, responses["first time"].own),))
            responses["follow-up"] = respond(engine, follow_up)
            responses["naive follow-up"] = plain.ask(follow_up)
        with self._engine(conversation.corpus) as engine:
            responses["after a restart"] = respond(engine, question)
        shutil.rmtree(self._homes[conversation.corpus] / derived.FOLDER, ignore_errors=True)
        with self._engine(conversation.corpus) as engine:
            engine.ask(question.text)
            over = threading.Event()
            threading.Timer(PAUSE_S, over.set).start()
            engine.read_ahead(over)
            over.wait()
            responses["follow-up after a pause"] = respond(engine, follow_up)
        return {
            "kind": "speed",
            "corpus": conversation.corpus,
            "question": question.text,
            "responses": {moment: response.to_dict() for moment, response in responses.items()},
        }

    @contextmanager
    def _engine(self, corpus: str) -> Iterator[Engine]:
        """An engine as after a start, its models loaded."""
        if corpus not in self._homes:
            self._homes[corpus] = Path(self._open.enter_context(TemporaryDirectory()))
            with Index.open(self._homes[corpus], embedder=self._embedder) as index:
                if corpus == "seeds":
                    index.sync([samples.ARTICLES])
                else:
                    index.add(self._articles)
        with (
            Index.open(self._homes[corpus], embedder=self._embedder) as index,
            Engine.open(index=index, settings=self._settings) as engine,
        ):
            engine.load()
            yield engine

    def _key(self, conversation: Conversation) -> str:
        size = 0 if conversation.corpus == "seeds" else len(self._articles)
        return f"speed-{digest(conversation.corpus, size, conversation.question.text, conversation.follow_up.text)}"


def _median(ratios: Sequence[float]) -> float | None:
    return round(float(np.median(ratios)), 4) if ratios else None


def _ratio(noted: dict[str, Any], moment: str) -> float:
    responses = noted["responses"]
    return float(responses[moment]["first_s"] / responses[NAIVE[moment]]["first_s"])


def _stages(measured: Sequence[dict[str, Any]], moment: str) -> dict[str, Value]:
    names = dict.fromkeys(
        stage for one in measured for stage in one["responses"][moment]["timings"] if stage != "total"
    )
    return {
        stage: mean(
            [
                one["responses"][moment]["timings"].get(stage, 0.0) / one["responses"][NAIVE[moment]]["first_s"]
                for one in measured
            ]
        )
        for stage in names
    }
