"""Reply: one question, from its words to the checked answer. Read from top to bottom, this is what happens:

    understand     what is asked, in how many parts, and what to search for       question.py, kind.py
    overview       a question for anything but a fact is answered in rows         overview/
    find           search; choose the passages to read, or say why not to         find.py
    wait           for those who asked earlier                                       queue.py
    draft          the model writes over the passages                             prompt.py, llm/, quote.py
    cite           sentences of the draft → exact quotes, and their support       claims.py, cite.py, support.py
    judge          the model says whether its draft is right                      answerability.py
    second draft   by the judging adapter, where the first one is not given
    answer         the claims, the article's words beside those that are doubted, and where articles disagree
    or refuse      with the reason

Nothing that a model wrote is believed until it is cited and supported.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from index.errors import InputError, ModelError
from index.language import language_of, may_be_in
from rag import evidence, overview, prompt, recency
from rag.answer import Answer, Reason
from rag.clock import Clock
from rag.combine import combine, merge_sources
from rag.event import Evidence, Progress, Row, Token
from rag.find import Found, find
from rag.grounding import answer_type, answerability, claims, support
from rag.grounding.answerability import Signals
from rag.llm import Replicated, Served
from rag.quote import Quoting
from rag.relevance import covered
from rag.settings import MODES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from index import Index
    from index.article import Article
    from index.hit import Hit
    from rag.answer import Citation, Claim, Source, Turn
    from rag.event import Event
    from rag.llm import LLM, Constraint
    from rag.loaded import LoadedModel
    from rag.prompt import Prompt
    from rag.question import Question
    from rag.queue import Queue
    from rag.read_ahead import ReadAhead
    from rag.settings import Settings
    from rag.stream import Channel

REFUSALS = {
    Reason.NOTHING_RELEVANT: "I found nothing about this in your articles.",
    Reason.NOT_ANSWERED: "I found related articles, but no answer in them.",
    Reason.UNSUPPORTED: "I found related articles, but no answer in them.",
    Reason.OTHER_LANGUAGE: "The question seems to be in {asked}, and the passages found are in {found}. A search "
    "across languages misses much, so the articles may well answer it: ask in {found}.",
    Reason.FILTERED_OUT: "No article has the outlet or the dates that you are searching in.",
    Reason.UNCLEAR: "I'm not sure what to look for. Name a person, a place or an event.",
    Reason.EMPTY_INDEX: "There are no articles yet. Add some: citewire index add PATH",
    Reason.PARTLY: "",
    Reason.CANCELLED: "",
}
"""What a refusal says."""
SEARCHED = ("timeline", "comparison", "summary")
"""Kinds whose rows begin with a search; the others read all articles of the index itself, whatever shards it has."""


@dataclass(frozen=True, slots=True)
class Part:
    """A question on its way: one of those that were asked in one, with what was found for it."""

    question: Question
    found: Found = field(default_factory=Found)
    clock: Clock = field(default_factory=Clock)


@dataclass(frozen=True, slots=True)
class Attempt:
    """A draft, cited and judged. `reason` says why it is not to be given; None when it is. `signals` are None where
    the model was not asked to judge it."""

    claims: tuple[Claim, ...]
    signals: Signals | None = None
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """Answers one question, in a thread of its own; its events go into `channel`."""

    index: Index
    model: LoadedModel
    queue: Queue
    ahead: ReadAhead
    settings: Settings
    channel: Channel[Event]

    def answer(self, question: Question) -> Answer:
        """Understand, find, wait, answer each part, and join the answers; or answer in rows."""
        make = overview.maker(question.kind)
        if make is not None:
            return self._overview(question, make)
        if not question.is_clear:
            return self._refusal(Part(question), Reason.UNCLEAR)
        parts = [self._find(each) for each in question.parts()]
        if self._is_cancelled:
            return self._refusal(Part(question), Reason.CANCELLED)
        to_read = [part.found for part in parts if part.found.reason is None]
        if to_read:
            self.ahead.note_hits(hit for found in to_read for hit in found.unread())
            self.channel.put(Evidence(question.full, merge_sources([found.sources for found in to_read])))
            answers = self._answer_in_turn(question, parts)
        else:
            answers = [self._refusal(part, part.found.reason) for part in parts if part.found.reason]
        answer = combine(question.asked, answers)
        if answer.text.strip():
            self.ahead.note_conversation((*question.history, replace(answer.turn, question=question.text)))
        return answer

    def _overview(self, question: Question, make: overview.Maker) -> Answer:
        """The rows that a kind of question is answered with."""
        part = Part(question, Found(generation=self.index.generation))
        found = make(
            question,
            self.index,
            limit=question.limit,
            report=lambda section: self.channel.put(Row(section)),
            cancel=self.channel.cancel,
        )
        part.clock.mark("overview")
        if question.kind in SEARCHED:
            part = replace(part, found=replace(part.found, missing=self.index.missing))
        if not found.sections and question.kind != "library" and not self.index.stats().articles:
            return replace(self._refusal(part, Reason.EMPTY_INDEX), kind=question.kind)
        refusal = REFUSALS[found.reason] if found.reason else ""
        answer = overview.to_answer(question.asked, question.kind, found, refusal=refusal)
        return replace(answer, **self._circumstances(part, None))

    def _find(self, question: Question) -> Part:
        clock = Clock()
        return Part(question, find(question, self.index, self.model, self.settings, clock), clock)

    def _answer_in_turn(self, question: Question, parts: Sequence[Part]) -> list[Answer]:
        """Wait until it is this question's turn, then answer its parts, each with those before it as history."""
        answers: list[Answer] = []
        most = self.model.at_once(self.settings)
        report = partial(self._report, "queue", total=0)
        with self.queue.place(self.channel.cancel, report, model=self.settings.llm, most=most) as is_next:
            for part in parts:
                part.clock.mark("queue")
            for part in parts:
                reason = part.found.reason if is_next else Reason.CANCELLED
                if reason is None and self._is_cancelled:
                    reason = Reason.CANCELLED
                history = (*question.history, *(answer.turn for answer in answers))
                answers.append(self._answer_part(part, history) if reason is None else self._refusal(part, reason))
        return answers

    def _answer_part(self, part: Part, history: Sequence[Turn]) -> Answer:
        """Draft, cite and judge; try again when the first draft is not to be given; answer or refuse. A question about
        now is first asked of the newest articles alone, so that an older one is not taken for what is so today."""
        passages = [source.hit for source in part.found.sources]
        with self._llm_for(passages[0]) as llm:
            return self._answer_with(llm, part, passages, history)

    @contextmanager
    def _llm_for(self, best: Hit) -> Iterator[LLM]:
        """The model; of several machines that have it, one for the whole answer, chosen by the best passage."""
        llm = self.model.of(self.settings)
        if not isinstance(llm, Replicated):
            yield llm
            return
        with llm.near(best.text) as one:
            yield one

    def _answer_with(self, llm: LLM, part: Part, passages: Sequence[Hit], history: Sequence[Turn]) -> Answer:
        """See `_answer_part`."""
        asked = part.question.text
        turns = evidence.trim_history(asked, passages, history, llm, self.settings)
        request = prompt.build(asked, passages, turns)
        newest = recency.newest_alone(asked, part.found.sources)
        if newest:
            alone = replace(part, found=replace(part.found, sources=newest))
            attempt = self._attempt(alone, llm, prompt.build(asked, [source.hit for source in newest], turns))
            if attempt.reason in (None, Reason.CANCELLED):
                return self._concluded(part, llm, attempt)
        attempt = self._attempt(part, llm, request, shown=not newest)
        if attempt.reason not in (None, Reason.CANCELLED) and llm.adapts:
            attempt = self._second(attempt, self._attempt(part, llm, request, shown=False, adapted=True))
        return self._concluded(part, llm, attempt)

    def _concluded(self, part: Part, llm: LLM, attempt: Attempt) -> Answer:
        """The answer, or the refusal, that an attempt comes to. A question by yes or no is answered without the model
        where a sentence says that it is not so: a judge takes such a question for one that nothing answers."""
        if attempt.reason in (Reason.NOT_ANSWERED, Reason.UNSUPPORTED):
            denied = claims.denied(part.question.text, self._still_indexed(part))
            attempt = Attempt(denied) if denied else attempt
        if attempt.reason is not None:
            return self._refusal(part, attempt.reason, attempt.signals)
        return self._given(part, llm, attempt)

    def _attempt(self, part: Part, llm: LLM, request: Prompt, *, shown: bool = True, adapted: bool = False) -> Attempt:
        """One draft, cited and judged. Only the first is to be `shown` as it is written."""
        drafted = self._draft(part, llm, request, shown=shown, adapted=adapted)
        part.clock.mark("verify")
        if not _is_cited(drafted):
            reason = Reason.UNSUPPORTED if drafted else Reason.NOT_ANSWERED
            return Attempt(drafted, None, Reason.CANCELLED if self._is_cancelled else reason)
        asked, texts = part.question.text, [claim.text for claim in drafted if claim.supported]
        if answer_type.only_repeats(asked, texts):
            return Attempt(drafted, None, Reason.CANCELLED if self._is_cancelled else Reason.NOT_ANSWERED)
        is_plausible = all(claim.support < support.SUPPORTED for claim in drafted)
        signals = None
        if (answerability.is_measured(llm.name) or isinstance(llm, Served)) and not self._is_cancelled:
            signals = self._judge(part, llm, drafted)
            # Who asks for a number or a time is given something else only if there is little doubt about it.
            least = answerability.TRUSTED if answer_type.lacks_value(asked, texts) else 0.0
            if signals and answerability.is_doubtful(signals, llm.name, max(self.settings.caution, least)):
                return Attempt(drafted, signals, Reason.UNSUPPORTED if is_plausible else Reason.NOT_ANSWERED)
        if is_plausible:
            if self._is_cancelled:
                return Attempt(drafted, signals, Reason.CANCELLED)
            drafted = claims.with_second_look(drafted, answerability.probability(signals or Signals(), llm.name))
        return Attempt(drafted, signals)

    def _draft(self, part: Part, llm: LLM, request: Prompt, *, shown: bool, adapted: bool) -> tuple[Claim, ...]:
        """What the model says, sentence by sentence, cited and numbered; () when it says nothing.

        If nothing is supported and the model will judge, what is plausible is cited. Where its words rest on nothing at
        all, it chooses sentences of the passages instead: in quote mode, in which its own words only point at the
        quotes, and in the second draft.
        """
        quotes = self._mode == "quote"
        written = self._write(part, llm, request, shown=shown and not quotes, adapted=adapted)
        sources, sentences = self._still_indexed(part), claims.draft_sentences(written)
        drafted = claims.check(part.question.text, sentences, sources)
        if answerability.is_measured(llm.name) and not _is_cited(drafted):
            drafted = claims.check(part.question.text, sentences, sources, least=support.PLAUSIBLE)
        if drafted and not _is_cited(drafted) and (quotes or adapted) and not self._is_cancelled:
            quoting = Quoting([source.hit.text for source in part.found.sources], llm.vocabulary)
            chosen = self._write(part, llm, request, constraint=quoting, shown=shown, adapted=adapted)
            drafted = claims.quoted_sentences(chosen, self._still_indexed(part))
        asked = part.question.text
        return recency.without_who_left(asked, recency.without_other_times(asked, drafted))

    def _write(
        self,
        part: Part,
        llm: LLM,
        request: Prompt,
        *,
        constraint: Constraint | None = None,
        shown: bool = True,
        adapted: bool = False,
    ) -> str:
        """What the model writes. Its tokens go to the reader as they come if they are to be `shown`, else only how many
        there are."""
        pieces: list[str] = []
        most = self.settings.answer_tokens
        for piece in llm.stream(
            request,
            max_tokens=most,
            cancel=self.channel.cancel,
            on_read=partial(self._report, "read"),
            constraint=constraint,
            adapted=adapted,
        ):
            if not pieces and not adapted:
                part.clock.mark("first_token")
            pieces.append(piece)
            self.channel.put(Token(piece) if shown else Progress("write", len(pieces), most))
        part.clock.mark("answer")
        return "".join(pieces)

    def _judge(self, part: Part, llm: LLM, drafted: Sequence[Claim]) -> Signals | None:
        """What speaks for a draft: the model is asked about question and draft with nothing but the cited passages
        before it. None when cancelled."""
        asked, cancel = part.question.text, self.channel.cancel
        quotes = {citation for claim in drafted for citation in claim.citations}
        read = cited([source.hit for source in part.found.sources], quotes)
        correct = prompt.CORRECT.format(draft=" ".join(claim.text for claim in drafted))
        answerable, right = (
            llm.judge(prompt.build(asked, read, task=task), cancel=cancel) for task in (prompt.ANSWERABLE, correct)
        )
        if cancel.is_set():
            return None
        part.clock.mark("recheck")
        return Signals(
            correct=right,
            answerable=answerable,
            support=max(claim.support for claim in drafted),
            covered=max(covered(asked, citation.quote) for citation in quotes),
        )

    def _second(self, first: Attempt, second: Attempt) -> Attempt:
        """Which of two attempts counts, the first of which is not to be given: the second if it is, else the first."""
        signals = second.signals or first.signals
        if self._is_cancelled:  # nobody saw the second one, and nobody judged it
            return Attempt(first.claims, signals, Reason.CANCELLED)
        return Attempt(second.claims, signals) if second.reason is None else replace(first, signals=signals)

    def _given(self, part: Part, llm: LLM, attempt: Attempt) -> Answer:
        """The answer: claims, or in quote mode their quotes; quotes beside doubtful words; where articles differ."""
        asked, quotes = part.question.text, self._mode == "quote"
        drafted = claims.as_quotes(attempt.claims) if quotes else attempt.claims
        differing = claims.disagreements(asked, drafted, part.found.sources)
        differing += claims.version_differences(drafted, self._versions, differing)
        likely = answerability.probability(attempt.signals or Signals(), llm.name)
        if not quotes and likely < answerability.TRUSTED:
            drafted = claims.with_quotes(asked, drafted)
        opening = recency.opening(asked, drafted)
        later = recency.later_report(asked, drafted, part.found.sources)
        stated = [
            *(attributed := recency.attributed(drafted, opening=opening)),
            *([] if opening else recency.day_of_report(asked, attributed, sure=likely >= answerability.TRUSTED)),
            *claims.stated_disagreements(differing),
            *claims.numbered_after(later, drafted, differing),
        ]
        drafted = claims.in_one_text(stated, opening=opening)
        return Answer(
            text=" ".join(filter(None, (opening, *(claim.text for claim in drafted)))),
            claims=drafted,
            sources=part.found.sources,
            disagreements=differing,
            reason=Reason.CANCELLED if self._is_cancelled else None,
            **self._circumstances(part, attempt.signals),
        )

    def _refusal(self, part: Part, reason: Reason, signals: Signals | None = None) -> Answer:
        """The answer that says why there is none. Where the languages differ, the search may have failed, and nothing
        is said about what the articles hold."""
        text = REFUSALS[reason]
        if reason in (Reason.NOTHING_RELEVANT, Reason.NOT_ANSWERED, Reason.UNSUPPORTED):
            asked = language_of(part.question.text)
            found = language_of(" ".join(source.hit.text for source in part.found.sources))
            if asked and found and asked != found and not may_be_in(part.question.text, found):
                reason = Reason.OTHER_LANGUAGE
                text = REFUSALS[reason].format(asked=asked, found=found)
        circumstances = self._circumstances(part, signals)
        return Answer(text=text, sources=part.found.sources, refused=True, reason=reason, **circumstances)

    def _circumstances(self, part: Part, signals: Signals | None) -> dict[str, Any]:
        """What every answer says of how it was made."""
        return {
            "question": part.question.asked,
            "searched": part.question.full,
            "generation": part.found.generation,
            "missing": part.found.missing,
            "model": self.model.name,
            "model_sha256": self.model.sha256,
            "signals": (signals or Signals()).to_dict(),
            "timings": part.clock.timings(),
        }

    @property
    def _is_cancelled(self) -> bool:
        return self.channel.cancel.is_set()

    @property
    def _mode(self) -> str:
        """One of rag.settings.MODES: as the settings say, else as models.txt has it for the model."""
        return self.settings.mode or usual_mode(self.settings.llm)

    def _report(self, stage: str, done: int, total: int) -> None:
        self.channel.put(Progress(stage, done, total))

    def _versions(self, article_id: str) -> tuple[Article, ...]:
        """The versions of the document that an article is a state of, the newest first; none if it was removed."""
        try:
            return self.index.versions(article_id)
        except InputError:
            return ()

    def _still_indexed(self, part: Part) -> tuple[Source, ...]:
        """The sources whose article was neither removed nor changed while the model wrote."""
        kept = []
        for source in part.found.sources:
            try:
                if self.index.article(source.hit.article.id) == source.hit.article:
                    kept.append(source)
            except InputError:
                continue
        return tuple(kept)


def usual_mode(llm: str | None) -> str:
    """How a model answers unless the settings say: as models.txt has it, else by writing. Raises ModelError."""
    from index import models

    known = models.identify(llm, "llm")
    if known.mode and known.mode not in MODES:
        raise ModelError(f"models.txt gives {known.name} the mode {known.mode!r}; write one of {', '.join(MODES)}")
    return known.mode or MODES[0]


def cited(passages: Sequence[Hit], citations: Iterable[Citation]) -> list[Hit]:
    """Those of the passages that any of the citations is from."""
    quotes = list(citations)
    return [hit for hit in passages if any(_holds(hit, citation) for citation in quotes)]


def _is_cited(drafted: Iterable[Claim]) -> bool:
    return any(claim.supported for claim in drafted)


def _holds(hit: Hit, citation: Citation) -> bool:
    return hit.article.id == citation.article_id and hit.start <= citation.start < hit.end
