"""Contradiction: a claim, and a sentence of an article that says the same but for one thing. Pure; knows no model.

The two are laid side by side, word for word. What the claim has and the sentence has not must be a number, a date, a
name, a negation or an antonym for which the sentence has another, and of the rest the sentence must have nearly all:
articles that speak of something else contradict nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

from rag.grounding.lexicon import MONTHS, SPEECH, antonyms, is_akin, is_day_name, prepositions, words
from rag.grounding.support import Pair, reversed_stems

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from rag.grounding.cite import Quote
    from rag.grounding.lexicon import Word

LEAST_SHARED = 0.7
"""Share of what the claim says beside the differing words that the sentence must have as well. Of 785 drafted
sentences (measures/drafts.py, the titles that were looked at) .992 of those called contradicted are, with .6 .977; .8
changes nothing."""
LEAST_WORDS = 2
"""Content words, beside those that differ, by which two sentences are known to be about one thing."""
VERBATIM = 0.85
"""Share of a claim's words that stand in a quote in the same order, from which the claim is the quote with something
changed, even where what was put in stands elsewhere in the quote or near it. Of the same sentences .943 of the altered
ones are noticed, .916 with .95, .913 without this, .947 with .7."""

SLOT_CHARS = 80
"""Characters before a name among which is what says how it stands in its sentence."""

_YEAR = re.compile(r"(?:1\d|20)\d\d")
_LAST_WORD = re.compile(r"([\w-]+)\s+(?:(?:the|a|an|his|her|its|their)\s+)?$")
_SPEAKS = re.compile(rf"(?:,[^,.;:]{{1,80}},)?\s+(?:(?:also|has|had|have|\w+ly)\s+)?{SPEECH.pattern}")
"""Behind who speaks: "Merkel said", "Merkel, the chancellor, later told"."""
_SPOKEN_BY = re.compile(rf"(?:[,”\"’]\s*{SPEECH.pattern}|\baccording to)\s+(?:[\w’'.-]+\s+){{0,3}}$", re.IGNORECASE)
"""Before who speaks: "…, said Chancellor Merkel", "according to Merkel"."""


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A quote that says otherwise: in place of the claim's `claimed` it has `stated`; both "" for a negation.
    `about` is "number", "date", "name", "negation" or "word"; `shared` is the share of the rest that the quote has.
    `is_verbatim` if the claim is the quote but for what differs."""

    quote: Quote
    about: str
    claimed: str
    stated: str
    shared: float = 0.0
    is_verbatim: bool = False

    @property
    def note(self) -> str:
        """What differs, as a sentence."""
        if self.about == "negation":
            return "The article says the opposite."
        return f"The article says “{self.stated}”, not “{self.claimed}”."


def find(claim: str, quotes: Iterable[Quote], *, read: Callable[[Quote], str] | None = None) -> Contradiction | None:
    """The quote that contradicts `claim` and is nearest to it; None when none does, or another has all its words.
    `read` gives the words by which a quote is taken, its own if there is no such function."""
    found: list[Contradiction] = []
    for compared in (_Comparison(claim, quote, read(quote) if read else quote.text) for quote in quotes):
        against = compared.contradiction()
        if against is not None:
            found.append(against)
        elif not compared.absent:
            return None
    return max(found, key=lambda one: (one.shared, -one.quote.source.number, -one.quote.start), default=None)


@dataclass(frozen=True)
class _Comparison:
    """A claim beside a sentence of an article."""

    claim: str
    quote: Quote
    text: str

    @cached_property
    def ours(self) -> tuple[Word, ...]:
        return words(self.claim)

    @cached_property
    def theirs(self) -> tuple[Word, ...]:
        return words(self.text)

    @cached_property
    def matcher(self) -> SequenceMatcher[str]:
        ours, theirs = ([word.stem for word in each] for each in (self.ours, self.theirs))
        return SequenceMatcher(None, ours, theirs, autojunk=False)

    @cached_property
    def order(self) -> float:
        """Share of the claim's words that the quote has in the same order."""
        return sum(block.size for block in self.matcher.get_matching_blocks()) / max(1, len(self.ours))

    @cached_property
    def turned(self) -> bool:
        """Whether one negates what the other says."""
        return bool(reversed_stems(Pair(self.claim, (self.text,))))

    @cached_property
    def absent(self) -> list[Word]:
        """The words of the claim that the quote has not."""
        have = {word.stem for word in self.theirs}
        return [w for w in self.ours if w.stem not in have and not (w.kind == "name" and is_akin(w.stem, have))]

    def contradiction(self) -> Contradiction | None:
        """What differs, if all that the quote has not is one thing for which it has another."""
        is_verbatim = self.order >= VERBATIM
        found = (self._replaced() if is_verbatim else None) or self._other_value() or self._opposite()
        if found is None and self.turned:
            found = Contradiction(self.quote, "negation", "", ""), ()
        if found is None:
            return None
        differing, at = found
        rest = [word for word in self.ours if word not in at]
        both = [word for word in rest if word not in self.absent]
        weight = sum(word.weight for word in rest)
        shared = sum(word.weight for word in both) / weight if weight else 0.0
        if shared < LEAST_SHARED or len(both) < LEAST_WORDS:
            return None
        return replace(differing, shared=shared, is_verbatim=is_verbatim)

    def _replaced(self) -> tuple[Contradiction, Sequence[Word]] | None:
        """A number or name in the place of another, of a claim that is else the quote."""
        for how, start, end, their_start, their_end in self.matcher.get_opcodes():
            gone, instead = self.ours[start:end], self.theirs[their_start:their_end]
            kinds, others = ({_form(word) for word in each} for each in (gone, instead))
            if how == "replace" and len(kinds) == 1 and kinds == others and kinds != {"word"}:
                is_one = _initials(instead) in {word.stem for word in gone} or _initials(gone) in {
                    word.stem for word in instead
                }
                is_alike = all(is_akin(word.stem, {other.stem for other in instead}) for word in gone)
                if not (is_one or is_alike) and self._is_one_place(gone, instead):
                    return self._differing(gone, instead), gone
        return None

    def _other_value(self) -> tuple[Contradiction, Sequence[Word]] | None:
        """The numbers, or names, that the quote has not, if they are one stretch and it has another in their place."""
        for is_kind in (_is_number, _is_name):
            lost = [word for word in self.absent if is_kind(word)]
            if lost:
                other = self._in_place(lost, is_kind) if _is_stretch(self.claim, lost) else None
                if other is None or not self._is_one_place(lost, other):
                    return None
                return self._differing(lost, other), lost
        return None

    def _is_one_place(self, ours: Sequence[Word], theirs: Sequence[Word]) -> bool:
        """Whether two names may stand for each other in what is stated: who speaks is not where, nor who does it."""
        is_named = all(map(_is_name, (*ours, *theirs)))
        return not is_named or _slot(self.claim, ours) == _slot(self.text, theirs)

    def _in_place(self, lost: Sequence[Word], is_kind: Callable[[Word], bool]) -> Sequence[Word] | None:
        """What stands in the quote where `lost` stand in the claim: between the same words, or else the only one of
        their form that the claim has not."""
        for how, start, end, their_start, their_end in self.matcher.get_opcodes():
            if how == "replace" and all(word in self.ours[start:end] for word in lost):
                found = self.theirs[their_start:their_end]
                are_days = {_is_day(word) for word in (*lost, *found)}  # "on Tuesday" is not said of a place
                if all(map(is_kind, found)) and len(are_days) == 1 and _is_stretch(self.text, found):
                    return found
        known = {word.stem for word in self.ours}
        form, is_day = _form(lost[0]), _is_day(lost[0])
        rest = [word for word in self.theirs if word.stem not in known]
        alike = [word for word in rest if _form(word) == form and _is_day(word) == is_day]
        return alike if len(lost) == 1 and len(alike) == 1 else None

    def _opposite(self) -> tuple[Contradiction, Sequence[Word]] | None:
        """A word of the claim that the quote has an antonym of."""
        if any(word.kind != "word" for word in self.absent):
            return None
        for word in self.absent:
            opposites = antonyms(word.stem)
            for other in self.theirs:
                if other.stem in opposites:
                    return self._differing([word], [other], "word"), [word]
        return None

    def _differing(self, ours: Sequence[Word], theirs: Sequence[Word], about: str = "") -> Contradiction:
        claimed, stated = _stretch(self.claim, ours), _stretch(self.text, theirs)
        is_date = any(_form(word) == "year" or self.claim[word.start : word.end] in MONTHS for word in ours)
        kind = "date" if is_date else "name" if ours[0].kind == "name" else "number"
        return Contradiction(self.quote, about or kind, claimed, stated)


def _form(word: Word) -> str:
    return "year" if _YEAR.fullmatch(word.stem) else "number" if word.is_number else word.kind


def _is_number(word: Word) -> bool:
    return word.is_number


def _is_day(word: Word) -> bool:
    return word.kind == "name" and is_day_name(word)


def _is_name(word: Word) -> bool:
    return word.kind == "name"


def _slot(text: str, name: Sequence[Word]) -> str:
    """Where a name stands in a sentence: with the "speaker", "behind" a preposition, or elsewhere, "". Verbs of speech
    are known in English."""
    before = text[max(0, name[0].start - SLOT_CHARS) : name[0].start]
    last = _LAST_WORD.search(before)
    if _SPOKEN_BY.search(before):
        return "speaker"
    if last is not None and last[1].lower() in prepositions(text):
        return "behind"
    return "speaker" if _SPEAKS.match(text, name[-1].end) else ""


def _initials(found: Sequence[Word]) -> str:
    return "".join(word.stem[0] for word in found)


def _is_stretch(text: str, found: Sequence[Word]) -> bool:
    """Whether words follow each other with nothing but blanks, hyphens and small words between them."""
    return all(
        re.fullmatch(r"[\s\-–'’a-z]{0,12}", text[one.end : other.start]) is not None for one, other in pairwise(found)
    )


def _stretch(text: str, found: Sequence[Word]) -> str:
    """The words, and what stands between them."""
    return text[found[0].start : found[-1].end]
