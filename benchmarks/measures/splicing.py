"""Splicing: passages read apart and put together, against the same prompt read as one text.

What is compared are drafts, as the model writes them, of the same passages in the same order: the checks after them
would hide a difference. A question is asked with the passages that an answer would be drafted from, and with its 2, 4
and 6 best, in this order, so that what was read of fewer serves the next. Questions that need two passages are pairs of
questions about different articles, asked at once with the two best passages of each.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks.harness import matching
from benchmarks.harness.journal import Step, digest
from benchmarks.harness.system import loaded_llm
from benchmarks.harness.table import Rows, Value, mean
from rag import evidence, prompt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.harness.dataset import Question
    from benchmarks.harness.environment import Environment
    from index.hit import Hit
    from rag.llm import LLM

PASSAGES = (2, 4, 6)
EACH = 2
"""Passages of each question of a pair."""
PAIRS = 4
"""One pair of questions for so many questions."""
WAYS = ("whole", "spliced")


class Splice:
    """The part of the measurement; satisfies benchmarks.parts.Suite."""

    name = "splice"

    def __init__(self, environment: Environment, questions: Sequence[Question], n: int) -> None:
        """The first `n` answerable questions are asked, and `n` / PAIRS pairs of them."""
        answerable = [question for question in questions if question.relevant]
        self._environment = environment
        self._journal = environment.drafts()
        self._questions = answerable[:n]
        pairs = zip(answerable[::2], answerable[1::2], strict=False)
        self._pairs = [pair for pair in pairs if pair[0].subject != pair[1].subject][: n // PAIRS]

    def steps(self) -> list[Step]:
        """All drafts of a question, then, now and then, all of a pair."""
        steps = []
        for number, question in enumerate(self._questions):
            steps.append(Step(self._journal, _chosen_key(question), partial(self._as_chosen, question)))
            steps.append(self._step([question], PASSAGES))
            if number % PAIRS == PAIRS - 1 and number // PAIRS < len(self._pairs):
                steps.append(self._step(self._pairs[number // PAIRS], (2 * EACH,)))
        return steps

    def tables(self) -> dict[str, Rows]:
        """Both ways side by side, and their difference question by question."""
        chosen = [(_chosen_key(question), [question]) for question in self._questions]
        rows: Rows = {
            "as many as are chosen": _measures(self._judged(chosen, 0)),
            "… of those more than one": _measures(self._judged(chosen, 0, least=2)),
        }
        singles = [(_key([question]), [question]) for question in self._questions]
        for place, most in enumerate(PASSAGES):
            rows[f"{most} passages"] = _measures(self._judged(singles, place))
        pairs = [(_key(pair), pair) for pair in self._pairs]
        rows["two questions, two articles"] = _measures(self._judged(pairs, 0))
        return {"passages spliced, or the prompt read whole": {name: row for name, row in rows.items() if row}}

    def _step(self, asked: Sequence[Question], counts: Sequence[int]) -> Step:
        return Step(self._journal, _key(asked), lambda: self._with_the_best(asked, counts))

    def _as_chosen(self, question: Question) -> dict[str, Any]:
        settings = self._environment.settings
        hits = self._environment.index("squad").search(question.text, 2 * settings.passages)
        sources = evidence.select(question.text, hits, self._llms()["whole"], settings)
        return self._drafts(question.text, [source.hit for source in sources], (len(sources),))

    def _with_the_best(self, asked: Sequence[Question], counts: Sequence[int]) -> dict[str, Any]:
        search = self._environment.index("squad").search
        found = [search(one.text, max(counts) // len(asked)) for one in asked]
        in_turn = (hit for hits in zip(*found, strict=False) for hit in hits)
        hits = list({(hit.article.id, hit.start): hit for hit in in_turn}.values())
        return self._drafts(" ".join(one.text.strip() for one in asked), hits, counts)

    def _drafts(self, text: str, hits: Sequence[Hit], counts: Sequence[int]) -> dict[str, Any]:
        requests = [prompt.build(text, hits[:count]) for count in counts]
        drafts = {
            way: [
                "".join(
                    llm.stream(request, max_tokens=self._environment.settings.answer_tokens, cancel=threading.Event())
                )
                for request in requests
            ]
            for way, llm in self._llms().items()
        }
        return {"question": text, "passages": [[hit.article.id, hit.start, hit.end] for hit in hits], **drafts}

    def _llms(self) -> dict[str, LLM]:
        settings = self._environment.settings
        return {
            way: loaded_llm(self._environment.engine("squad", replace(settings, splice=way == "spliced")))
            for way in WAYS
        }

    def _judged(
        self, asked: Sequence[tuple[str, Sequence[Question]]], place: int, *, least: int = 1
    ) -> list[tuple[bool, bool, bool]]:
        """Of what is noted with `least` passages or more: whether the whole and the spliced draft at `place` have the
        gold words, of a pair both, and whether they are the same words."""
        judged = []
        for key, questions in asked:
            noted = self._journal.get(key)
            if noted is None or len(noted["passages"]) < least:
                continue
            whole, spliced = (noted[way][place] for way in WAYS)
            held = [all(matching.contains(draft, one.answers) for one in questions) for draft in (whole, spliced)]
            judged.append((held[0], held[1], whole.split() == spliced.split()))
        return judged


def _measures(judged: Sequence[tuple[bool, bool, bool]]) -> dict[str, Value]:
    if not judged:
        return {}
    return {
        "gold in draft, read whole": mean([whole for whole, _, _ in judged]),
        "gold in draft, spliced": mean([spliced for _, spliced, _ in judged]),
        "spliced less whole": mean([spliced - whole for whole, spliced, _ in judged]),
        "the same words": mean([same for _, _, same in judged]),
    }


def _key(asked: Sequence[Question]) -> str:
    return f"splice-{digest(*((question.text, question.subject) for question in asked))}"


def _chosen_key(question: Question) -> str:
    return f"chosen-{digest(question.text, question.subject)}"
