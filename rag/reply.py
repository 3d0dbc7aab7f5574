"""Reply: passages → what the model makes of them for one question, checked before anybody is told that it is so."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from index.errors import InputError
from rag import answerability, cite, claims, evidence, gate, prompt, support
from rag.answer import Answer, Reason
from rag.answerability import Signals
from rag.quote import Quoting
from rag.work import Token

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from index import Index
    from index.search import Hit
    from rag.answer import Citation, Claim, Source
    from rag.claims import Similarity
    from rag.llm import LLM, Constraint
    from rag.prompt import Prompt
    from rag.stream import Channel
    from rag.work import Event, Work


@dataclass(frozen=True, slots=True)
class Reply:
    """To one question, by one model, in the thread of the answer. `mode` is one of rag.settings.MODES."""

    work: Work
    llm: LLM
    mode: str
    index: Index
    channel: Channel[Event]

    def answer(self) -> Answer:
        """What the model says as far as the passages carry it, or a refusal."""
        work = self.work
        passages = [source.hit for source in work.sources]
        turns = evidence.trim_history(work.asked.text, passages, work.history, self.llm, work.settings)
        request = prompt.build(work.asked.text, passages, turns)
        said, reason = self._considered(request, passages)
        if reason is not None and reason is not Reason.CANCELLED and self.llm.adapts:
            again, still = self._considered(request, passages, adapted=True)
            if self._is_cancelled:  # nobody saw this one, and nobody judged it
                reason = Reason.CANCELLED
            elif still is None:
                said, reason = again, None
        if reason is not None:
            return work.refusal(reason)
        quotes = self.mode == "quote"
        checked = claims.in_quotes(said) if quotes else said
        similarity = self._similarities()
        found = (
            claims.disagreements(work.asked.text, checked, work.sources, similarity=similarity) if similarity else ()
        )
        if not quotes and answerability.probability(work.signals, self.llm.name) < answerability.TRUSTED:
            checked = claims.with_quotes(work.asked.text, said)
        checked = claims.in_line([*checked, *claims.told(found)])
        return Answer(
            text=" ".join(claim.text for claim in checked),
            claims=checked,
            sources=work.sources,
            disagreements=found,
            reason=Reason.CANCELLED if self._is_cancelled else None,
            **work.circumstances(),
        )

    def _considered(
        self, request: Prompt, passages: Sequence[Hit], *, adapted: bool = False
    ) -> tuple[tuple[Claim, ...], Reason | None]:
        """What the model says, and why it is not to be given, None if it is."""
        work = self.work
        said = self._said(request, adapted=adapted)
        work.clock.mark("verify")
        if not _is_cited(said):
            reason = Reason.UNSUPPORTED if said else Reason.NOT_ANSWERED
            return said, Reason.CANCELLED if self._is_cancelled else reason
        is_plausible = all(claim.support < support.SUPPORTED for claim in said)
        if self._looks_twice and not self._is_cancelled:
            self._recheck(said, passages)
            doubtful = answerability.is_doubtful(work.signals, self.llm.name, work.settings.caution)
            if doubtful and not self._is_cancelled:
                return said, Reason.UNSUPPORTED if is_plausible else Reason.NOT_ANSWERED
        if is_plausible:
            if self._is_cancelled:
                return said, Reason.CANCELLED
            said = claims.lifted(said, answerability.probability(work.signals, self.llm.name))
        return said, None

    @property
    def _is_cancelled(self) -> bool:
        return self.channel.cancel.is_set()

    @property
    def _looks_twice(self) -> bool:
        return answerability.is_measured(self.llm.name)

    def _said(self, request: Prompt, *, adapted: bool) -> tuple[Claim, ...]:
        """What the model says, sentence by sentence cited and numbered; () when it says nothing. Nobody sees it write
        when it is `adapted`, for this is the second time.

        If nothing is supported and a second look will decide, what is plausible is cited. Where its words rest on
        nothing at all, the model chooses sentences of the passages instead: in quote mode, in which its own words only
        point at the quotes and nobody sees them, and the second time.
        """
        quotes = self.mode == "quote"
        draft = self._draft(request, shown=not quotes and not adapted, adapted=adapted)
        sources = self._still_indexed()
        sentences = claims.written(draft)
        said = claims.check(self.work.asked.text, sentences, sources)
        if self._looks_twice and not _is_cited(said):
            said = claims.check(self.work.asked.text, sentences, sources, least=support.PLAUSIBLE)
        if said and not _is_cited(said) and (quotes or adapted) and not self._is_cancelled:
            quoting = Quoting([source.hit.text for source in self.work.sources], self.llm.vocabulary)
            chosen = self._draft(request, constraint=quoting, shown=not adapted, adapted=adapted)
            said = claims.quoted(chosen, self._still_indexed())
        return said

    def _draft(
        self, request: Prompt, *, constraint: Constraint | None = None, shown: bool = True, adapted: bool = False
    ) -> str:
        """What the model writes. The reader sees its tokens as they come if they are to be `shown`, else only how
        many there are."""
        pieces: list[str] = []
        most = self.work.settings.answer_tokens
        on_read = partial(self.channel.progress, "read")
        for piece in self.llm.stream(
            request,
            max_tokens=most,
            cancel=self.channel.cancel,
            on_read=on_read,
            constraint=constraint,
            adapted=adapted,
        ):
            if not pieces and not adapted:
                self.work.clock.mark("first_token")
            pieces.append(piece)
            if shown:
                self.channel.put(Token(piece))
            else:
                self.channel.progress("write", len(pieces), most)
        self.work.clock.mark("answer")
        return "".join(pieces)

    def _recheck(self, said: Sequence[Claim], passages: Sequence[Hit]) -> None:
        """Ask the model what it holds of the question and its draft, with nothing but the cited passages before it."""
        work, cancel = self.work, self.channel.cancel
        quotes = {citation for claim in said for citation in claim.citations}
        read = cited(passages, quotes)
        correct = prompt.CORRECT.format(draft=" ".join(claim.text for claim in said))
        answerable, right = (
            self.llm.judge(prompt.build(work.asked.text, read, task=task), cancel=cancel)
            for task in (prompt.ANSWERABLE, correct)
        )
        if cancel.is_set():
            return
        work.signals = Signals(
            correct=right,
            answerable=answerable,
            support=max(claim.support for claim in said),
            covered=max(gate.covered(work.asked.text, citation.quote) for citation in quotes),
        )
        work.clock.mark("recheck")

    def _similarities(self) -> Similarity | None:
        """Cosine of two sentences of the passages; None when all are of one article, which cannot disagree."""
        sources = self.work.sources
        if len({source.hit.article.id for source in sources}) < 2:
            return None
        texts = list(dict.fromkeys(quote.text for quote in cite.quotes(sources)))
        vectors = dict(zip(texts, self.index.embedder.embed_documents(texts), strict=True))
        return lambda one, other: float(vectors[one] @ vectors[other])

    def _still_indexed(self) -> tuple[Source, ...]:
        """The sources whose article was neither removed nor changed while the model wrote."""
        kept = []
        for source in self.work.sources:
            try:
                if self.index.article(source.hit.article.id) == source.hit.article:
                    kept.append(source)
            except InputError:
                continue
        return tuple(kept)


def _is_cited(said: Iterable[Claim]) -> bool:
    return any(claim.supported for claim in said)


def cited(passages: Sequence[Hit], citations: Iterable[Citation]) -> list[Hit]:
    """Those of the passages that any of the citations is from."""
    quotes = list(citations)
    return [hit for hit in passages if any(_holds(hit, citation) for citation in quotes)]


def _holds(hit: Hit, citation: Citation) -> bool:
    return hit.article.id == citation.article_id and hit.start <= citation.start < hit.end
