"""Waiting: how long until the first word of an answer can be read, as a share of what a plain prompt takes.

Each talk is had once over an index whose passages the model has not read: the question for the first time, the plain
prompt for the same question (which also takes the passages out of the model's live memory), the question again, a
follow-up, the plain prompt for the follow-up, and the question once more after a restart. The time of loading is not
counted; Citewire's instructions, with which all its prompts begin, are part of that. Seconds go into the journal; the
result holds ratios within a talk, for a machine's speed is not ours.
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

from benchmarks.dataset import Question
from benchmarks.journal import Step, digest
from benchmarks.naive import Naive
from benchmarks.said import hear
from benchmarks.table import Rows, Value, mean
from benchmarks.threads import AttentiveEmbedder
from index import Index, derived
from rag import Turn
from rag.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.journal import Journal
    from index import Article
    from rag.settings import Settings

SEEDS = Path(__file__).parent.parent / "seeds"
SEED_TALKS = (
    ("When did the six-party talks break down?", "Who supports a resumption of them?"),
    ("What does Japan call the four Kuril Islands?", "What has this dispute prevented?"),
    ("When did Tokyo and Moscow hold their first diplomatic talks since 1973?", "What did they agree on in 2016?"),
    ("What did Dr James Brown say about how far cooperation can go?", "And what did he say about Japan's alliance?"),
)
MOMENTS = ("first time", "passages read before", "follow-up", "follow-up after a pause", "after a restart")
PAUSE_S = 15.0
"""To read an answer of 25 words at 238 a minute (Brysbaert 2019, doi:10.1016/j.jml.2019.104047) and to type a question
of 8 words at 52 a minute (Dhakal et al. 2018, doi:10.1145/3173574.3174220)."""
NAIVE = {moment: "naive follow-up" if "follow-up" in moment else "naive" for moment in MOMENTS}
"""Which plain prompt a moment is held against."""


@dataclass(frozen=True, slots=True)
class Talk:
    """A question and a follow-up, over the seeds or a corpus."""

    corpus: str
    question: Question
    follow_up: Question


def talks(questions: Sequence[Question], n: int) -> list[Talk]:
    """The talks on the seeds and, up to `n` in all, pairs of questions about one paragraph, titles in turn."""
    made = [Talk("seeds", *(Question(text, frozenset(), "seeds") for text in pair)) for pair in SEED_TALKS]
    by_title: dict[str, dict[frozenset[str], list[Question]]] = {}
    for question in questions:
        if question.relevant:
            by_title.setdefault(question.subject, {}).setdefault(question.relevant, []).append(question)
    draw = random.Random(0)
    pairs = {title: [some[:2] for some in found.values() if len(some) > 1] for title, found in by_title.items()}
    for some in pairs.values():
        draw.shuffle(some)
    while any(pairs.values()):
        made += [Talk("squad", *some.pop()) for some in pairs.values() if some]
    return made[:n]


class Waiting:
    """The part of the measurement that is about time. Its indexes are its own and go with it."""

    name = "speed"

    def __init__(
        self, journal: Journal, settings: Settings, questions: Sequence[Question], articles: Sequence[Article], n: int
    ) -> None:
        """`questions` and `articles` are SQuAD's."""
        self._journal, self._settings, self._articles = journal, settings, articles
        self._talks = talks(questions, n)
        self._open = ExitStack()
        self._homes: dict[str, Path] = {}
        self._embedder = AttentiveEmbedder()

    def steps(self) -> list[Step]:
        """A step for each talk."""
        return [Step(self._journal, self._key(talk), partial(self._have, talk)) for talk in self._talks]

    def tables(self) -> dict[str, Rows]:
        """Moment → ratio of the times to the first word; moment → stage → the same for what it consists of."""
        had = [noted for talk in self._talks if (noted := self._journal.get(self._key(talk)))]
        if not had:
            return {}
        whole: Rows = {moment: {} for moment in MOMENTS}
        for corpus in ("seeds", "squad"):
            for moment in MOMENTS:
                some = [one for one in had if one["corpus"] == corpus]
                whole[moment][f"{corpus}, mean"] = mean([_ratio(one, moment) for one in some])
                whole[moment][f"{corpus}, median"] = _median([_ratio(one, moment) for one in some])
        for moment in MOMENTS:
            whole[moment]["answered, not refused"] = mean([not one["heard"][moment]["refused"] for one in had])
        stages: Rows = {moment: _stages(had, moment) for moment in MOMENTS}
        return {
            "time to first token, of the naive prompt's": whole,
            "seconds of each stage, of the naive prompt's time to first token": stages,
        }

    def close(self) -> None:
        """Delete its indexes."""
        self._open.close()

    def _have(self, talk: Talk) -> dict[str, Any]:
        question = talk.question
        # The seeds have so few passages that the talk before has read them.
        self._homes.pop("seeds", None)
        with self._engine(talk.corpus) as engine:
            plain = Naive(lambda: engine)
            heard = {"first time": hear(engine, question), "naive": plain.ask(question)}
            engine.load()  # the plain prompt took the instructions, too
            heard["passages read before"] = hear(engine, question)
            follow_up = replace(talk.follow_up, history=(Turn(question.text, heard["first time"].own),))
            heard["follow-up"] = hear(engine, follow_up)
            heard["naive follow-up"] = plain.ask(follow_up)
        with self._engine(talk.corpus) as engine:
            heard["after a restart"] = hear(engine, question)
        shutil.rmtree(self._homes[talk.corpus] / derived.FOLDER, ignore_errors=True)
        with self._engine(talk.corpus) as engine:
            engine.ask(question.text)
            over = threading.Event()
            threading.Timer(PAUSE_S, over.set).start()
            engine.read_ahead(over)
            over.wait()
            heard["follow-up after a pause"] = hear(engine, follow_up)
        return {
            "kind": "speed",
            "corpus": talk.corpus,
            "question": question.text,
            "heard": {moment: said.to_dict() for moment, said in heard.items()},
        }

    @contextmanager
    def _engine(self, corpus: str) -> Iterator[Engine]:
        """An engine as after a start, its models loaded."""
        if corpus not in self._homes:
            self._homes[corpus] = Path(self._open.enter_context(TemporaryDirectory()))
            with Index.open(self._homes[corpus], embedder=self._embedder) as index:
                if corpus == "seeds":
                    index.sync([SEEDS])
                else:
                    index.add(self._articles)
        with (
            Index.open(self._homes[corpus], embedder=self._embedder) as index,
            Engine.open(index=index, settings=self._settings) as engine,
        ):
            engine.load()
            yield engine

    def _key(self, talk: Talk) -> str:
        size = 0 if talk.corpus == "seeds" else len(self._articles)
        return f"speed-{digest(talk.corpus, size, talk.question.text, talk.follow_up.text)}"


def _median(ratios: Sequence[float]) -> float | None:
    return round(float(np.median(ratios)), 4) if ratios else None


def _ratio(noted: dict[str, Any], moment: str) -> float:
    heard = noted["heard"]
    return float(heard[moment]["first_s"] / heard[NAIVE[moment]]["first_s"])


def _stages(had: Sequence[dict[str, Any]], moment: str) -> dict[str, Value]:
    names = dict.fromkeys(stage for one in had for stage in one["heard"][moment]["timings"] if stage != "total")
    return {
        stage: mean(
            [one["heard"][moment]["timings"].get(stage, 0.0) / one["heard"][NAIVE[moment]]["first_s"] for one in had]
        )
        for stage in names
    }
