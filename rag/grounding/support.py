"""Support: a claim and its quotes → the probability that the quotes carry it. Pure; knows no model.

A logistic regression over how much of the claim the quotes have. Its coefficients are in support.json, where
`python -m benchmarks support --keep` puts them. A flaw, such as a number that no quote has, they cannot outvote.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from index.language import language_of
from index.passage import sentences
from rag.grounding import modality, roles
from rag.grounding.lexicon import (
    AT_LEAST,
    AT_MOST,
    COLLECTION,
    COUNTED_ARTICLES,
    SPEECH,
    Word,
    antonyms,
    is_akin,
    known,
    negations,
    stems,
    words,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

COEFFICIENTS = Path(__file__).with_name("support.json")
SUPPORTED = 0.5
"""Least support of a claim that is shown as supported."""
PLAUSIBLE = 0.3
"""Least support of a claim that the model's second look can lift: more than any claim with a flaw has."""
NEARBY = 0.6
"""What a word counts that stands in the quoted passage or its heading but not in the quote: the name behind a "he".
With 0 the AUROC on WiCE is .809 instead of .821, with 1 as good, but less of summedits_news is judged right."""
FAILED = 0.2
"""Most support of a claim with a flaw: at most a fifth of those with less than this are supported on WiCE."""
CLAUSE_WORDS = 2
"""Fewest content words of a clause that is judged for itself; with 1 the AUROC on summedits_news is .693, not .709."""
MOST_LOST = 3
"""More lost words of a kind do not make a claim any worse; with 1 the AUROC on WiCE is .815, not .821."""
BOUND = 0.5
"""Share of what a clause says that another sentence has more of than any with its number or name, for these to be of
another event. Of 200 claims pooled from two places .025 are shown as supported, without it .48 (measures/pooled.py);
with .34 as many, with .67 more. The AUROC on WiCE is .826 with it and .820 without."""
NEGATED_WORDS = 3
"""Content words after a negation, up to the next punctuation, that stand under it. With 1 .968 of the turned negations
of SQuAD are noticed, with all .981, with these .987."""
ALIKE = 0.5
"""Least share of a claim's words, in the order of a quote, for the two to be about one thing, which one negates. The
AUROC on summedits_news is .709; with 0 it is .701, with .7 .697."""

BOUND_CHARS = 30
"""Characters before a number among which the words stand that make it a bound."""

_CLAUSE = re.compile(
    r"[,;:()–—]|\b(?:and|but|or|which|who|that|when|where|while|after|before|because|although|with|as|by|for|from|"
    r"including)\b",
    re.IGNORECASE,
)
_PAUSE = re.compile(r"[,;:.!?()–—，；：。！？、،؛؟।]")
_SAYS_THAT = re.compile(rf"{SPEECH.pattern}(?: [^,;]{{1,60}}?)?? that\b")
"""Somebody says something, perhaps to somebody: "told the paper on Monday that"."""
_QUOTATION = re.compile(r"[\"“]([^\"“”]{3,})[\"”]")


@dataclass(frozen=True, slots=True)
class Pair:
    """A claim and the `quotes` it is to rest on; `nearby` is the passage and the heading around them, `contexts` what a
    reader has read before each of them, `question` what the claim answers, `published` the years that the quotes speak
    of by their date of publication, `similarity` the cosine of the claim and the nearest quote (None if unknown; beside
    the words it adds nothing, so it has no coefficient)."""

    claim: str
    quotes: tuple[str, ...]
    nearby: str = ""
    similarity: float | None = None
    question: str = ""
    contexts: tuple[str, ...] = ()
    published: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Coefficients:
    """The logistic regression: of each feature its mean, its scale and its weight; and the bias."""

    mean: dict[str, float]
    scale: dict[str, float]
    weight: dict[str, float]
    bias: float

    def logit(self, features: dict[str, float]) -> float:
        """Log-odds of support."""
        standardized = {name: (features[name] - self.mean[name]) / self.scale[name] for name in self.weight}
        return self.bias + sum(self.weight[name] * value for name, value in standardized.items())


def probability(pair: Pair, *, by: Coefficients | None = None) -> float:
    """How likely the quotes carry the claim, in [0, 1]: at most FAILED for a claim with `flaws`, 0 without quotes.
    `by` other coefficients than those that come with Citewire."""
    if not pair.quotes or not words(pair.claim):
        return 0.0
    likely = 1 / (1 + math.exp(-(by or kept()).logit(features(pair))))
    return min(likely, FAILED) if flaws(pair) else likely


def features(pair: Pair) -> dict[str, float]:
    """What the probability is made of, each from -1 to MOST_LOST, whatever the lengths of claim and quotes.

    "covered": share of the claim's weighted words that the quotes have (NEARBY for those that only stand nearby);
    "worst": the same of its worst clause; "best": share that the best single quote has; "lost_numbers" and
    "lost_names": how many are nowhere; "similarity", if known.
    """
    view = _View(pair)
    wanted, lost = view.wanted, [word for word in view.wanted if not view.carried(word)]
    known = {} if pair.similarity is None else {"similarity": pair.similarity}
    return known | {
        "covered": _share(wanted, map(view.carried, wanted)),
        "worst": min((_share(clause, map(view.carried, clause)) for clause in view.clauses), default=0.0),
        "best": max((_share(wanted, [word.stem in has for word in wanted]) for has in view.each), default=0.0),
        "lost_numbers": float(min(sum(word.is_number for word in lost), MOST_LOST)),
        "lost_names": float(min(sum(word.kind == "name" for word in lost), MOST_LOST)),
    }


def flaws(pair: Pair) -> tuple[str, ...]:
    """What of the claim is false by the quotes, in its own words: numbers and quotations that no quote has, names
    that are nowhere near or in whose place the closest quote has another, words that one of claim and closest quote
    negates, numbers that are "at least" where every quote has them as "up to", what is done where it is only meant to
    be, and what somebody is said to have said of which no quote has a word. A word that opens the claim is a name if
    the question has it as one."""
    view = _View(pair)
    wrong = [
        pair.claim[word.start : word.end]
        for word in view.wanted
        if (word.is_number and word.stem not in view.quoted)
        or (view.is_name(word) and not is_akin(word.stem, view.quoted | view.near))
        or word in view.closest.replaced
        or word.stem in view.flipped
        or word in view.unbound
        or word in view.miscoded
        or word.stem in view.opposed
        or word in view.exchanged
        or word in view.misbounded
        or word.stem in view.unrealized
        or word in view.unsaid
    ]
    spoken = [_plain(quote) for quote in pair.quotes]
    quotations = [text for text in _QUOTATION.findall(pair.claim) if not any(_plain(text) in each for each in spoken)]
    return (*wrong, *quotations, *_on_the_collection(pair), *view.of_other_codes)


def with_bounds_of_quotes(pair: Pair) -> str:
    """The claim, in which numbers that are "at least" where every quote has them as "up to" have the words of the
    quotes: a model that shortens a sentence takes one for the other."""
    text, view = pair.claim, _View(pair)
    for word in reversed(view.wanted):
        if word in view.misbounded and (found := view.bound_of_quotes(word)):
            stated, bound = found
            bound = bound[0].upper() + bound[1:] if stated["bound"][0].isupper() else bound[0].lower() + bound[1:]
            text = text[: stated.start("bound")] + bound + text[stated.end("bound") :]
    return text


@dataclass(frozen=True)
class _View:
    """A pair, read."""

    pair: Pair

    @cached_property
    def theirs(self) -> str | None:
        """The language of the quotes; a short one does not tell, but the passage around it does."""
        return language_of(self.pair.nearby) or language_of(" ".join(self.pair.quotes))

    @cached_property
    def ours(self) -> str | None:
        """The language of the claim, that of the quotes if it does not tell."""
        return language_of(self.pair.claim) or self.theirs

    @cached_property
    def wanted(self) -> tuple[Word, ...]:
        return words(self.pair.claim, self.ours)

    @cached_property
    def each(self) -> list[frozenset[str]]:
        return [known(quote, self.theirs) for quote in self.pair.quotes]

    @cached_property
    def quoted(self) -> frozenset[str]:
        quoted = frozenset[str]().union(*self.each) | (self.pair.published & stems(self.pair.question))
        return quoted | {"2"} if "both" in quoted else quoted

    @cached_property
    def near(self) -> frozenset[str]:
        return known(self.pair.nearby, self.theirs)

    @cached_property
    def clauses(self) -> list[list[Word]]:
        cuts = [cut.start() for cut in _CLAUSE.finditer(self.pair.claim)]
        clauses: list[list[Word]] = [[]]
        for word in self.wanted:
            is_cut = bool(clauses[-1]) and any(clauses[-1][-1].end <= cut < word.start for cut in cuts)
            if is_cut and len(clauses[-1]) >= CLAUSE_WORDS:
                clauses.append([])
            clauses[-1].append(word)
        if len(clauses) > 1 and len(clauses[-1]) < CLAUSE_WORDS:
            clauses[-2:] = [clauses[-2] + clauses[-1]]
        return clauses

    @cached_property
    def closest(self) -> _Alignment:
        """The claim aligned with the quote that has most of its words in their order."""
        alignments = (_Alignment(self.wanted, quote, self.ours) for quote in self.pair.quotes)
        return max(alignments, key=lambda each: each.order, default=_Alignment(self.wanted, ""))

    @cached_property
    def flipped(self) -> frozenset[str]:
        """Stems that claim and closest quote share, and only one of them negates.

        A negation of both, of the same first word, is none; nor is one of the quote whose first word the claim has not:
        what is "not lost on" somebody is no word on what he does.
        """
        if self.closest.order < ALIKE:
            return frozenset()
        return _flipped(self.pair.claim, self.closest.quote, self.ours, self.theirs)

    @cached_property
    def miscoded(self) -> frozenset[Word]:
        """Codes ("E-1074") of which the quotes say otherwise: what the claim says of one stands in the quote of another
        code that the claim has not, or no quote of the code negates what the claim negates, or the other way round."""
        codes = [word for word in self.wanted if _is_code(word.stem)]
        if not codes:
            return frozenset()
        claimed = {word.stem for word in codes}
        says = {word.stem for word in self.wanted if not word.is_number}
        shared = [len(says & has) for has in self.each]
        others = [
            n
            for n, quote, has in zip(shared, self.pair.quotes, self.each, strict=True)
            if not claimed & has and any(_is_code(word.stem) for word in words(quote))
        ]
        found: set[Word] = set()
        for code in codes:
            own = [
                (n, quote)
                for n, quote, has in zip(shared, self.pair.quotes, self.each, strict=True)
                if code.stem in has
            ]
            if own and (
                max(others, default=0) - max(n for n, _ in own) >= CLAUSE_WORDS
                or all(_flipped(self.pair.claim, quote, self.ours, self.theirs) for _, quote in own)
            ):
                found.add(code)
        return frozenset(found)

    @cached_property
    def of_other_codes(self) -> tuple[str, ...]:
        """The codes of the question, if the claim has none and the quotes have others."""
        asked = {word.stem for word in words(self.pair.question) if _is_code(word.stem)}
        if not asked or any(_is_code(word.stem) for word in self.wanted):
            return ()
        quoted = {word.stem for quote in self.pair.quotes for word in words(quote) if _is_code(word.stem)}
        return tuple(sorted(asked)) if quoted and not asked & quoted else ()

    @cached_property
    def opposed(self) -> frozenset[str]:
        """Stems of the claim that no quote has, while the closest one has an antonym that the claim has not."""
        if self.closest.order < ALIKE:
            return frozenset()
        theirs = stems(self.closest.quote) - {word.stem for word in self.wanted}
        ours = (word.stem for word in self.wanted if word.stem not in self.quoted)
        return frozenset(stem for stem in ours if antonyms(stem) & theirs)

    @cached_property
    def exchanged(self) -> frozenset[Word]:
        """Names in the place of another, and numbers of another thing (rag/grounding/roles.py)."""
        if self.ours not in (None, "English"):
            return frozenset()
        read = self.pair.claim, self.pair.quotes, self.pair.question
        stems_of_it = roles.exchanged(*read) | roles.misnumbered(*read)
        return frozenset(word for word in self.wanted if word.stem in stems_of_it)

    @cached_property
    def unsaid(self) -> frozenset[Word]:
        """What the claim says that somebody said, if the quotes have no word of it: who told whom, and when, carries
        not what was told."""
        said = _SAYS_THAT.search(self.pair.claim) if self.ours in (None, "English") else None
        content = [word for word in self.wanted if said is not None and word.start >= said.end()]
        return frozenset() if any(self.carried(word) == 1.0 for word in content) else frozenset(content)

    @cached_property
    def unrealized(self) -> frozenset[str]:
        """Stems of what the claim says is done and the quotes only that it is meant (rag/grounding/modality.py)."""
        is_english = self.ours in (None, "English")
        return modality.unrealized(self.pair.claim, self.pair.quotes) if is_english else frozenset()

    @cached_property
    def misbounded(self) -> frozenset[Word]:
        """Numbers that the claim has as the least of what there is and every quote as the most, or the other way
        round: "at least 220" by "up to 220"."""
        if self.ours not in (None, "English"):
            return frozenset()
        return frozenset(word for word in self.wanted if word.is_number and self.bound_of_quotes(word))

    def bound_of_quotes(self, number: Word) -> tuple[re.Match[str], str] | None:
        """The words of the claim that make a number a bound, and those that make it the opposite one in every quote
        that has it; None where it is not so."""
        for ours, theirs in ((AT_LEAST, AT_MOST), (AT_MOST, AT_LEAST)):
            stated = ours.search(self.pair.claim, max(0, number.start - BOUND_CHARS), number.start)
            if stated is None:
                continue
            found = [
                theirs.search(quote, max(0, word.start - BOUND_CHARS), word.start)
                for quote in self.pair.quotes
                for word in words(quote, self.theirs)
                if word.stem == number.stem
            ]
            if found and found[0] and all(found):
                return stated, found[0]["bound"]
        return None

    @cached_property
    def unbound(self) -> frozenset[Word]:
        """Numbers and names of a clause that no quote has together with what the clause says of them, while another
        sentence says that: the when of one event and the what of another.

        A quote has the names of what stands before it as well, for it may speak of them as "he"; a date line dates all.
        """
        around = [known(span.of(self.pair.nearby), self.theirs) for span in sentences(self.pair.nearby)]
        before = [known(context, self.theirs) for context in self.pair.contexts] or [self.near] * len(self.each)
        every = {word.stem for word in self.wanted if not (word.is_number or self.is_name(word))}
        dated = frozenset[str]().union(
            *(known(quote, self.theirs) for quote in self.pair.quotes if _is_date_line(quote))
        )
        found: set[Word] = set()
        for clause in self.clauses:
            says = every.intersection(word.stem for word in clause)
            if len(says) < CLAUSE_WORDS:
                says = every
            shared = [len(says & has) for has in self.each]
            least = BOUND * len(says)
            for word in clause:
                if word.is_number:
                    own = [n for n, has in zip(shared, self.each, strict=True) if word.stem in has]
                    others = [*shared, *(len(says & has) for has in around)]
                elif self.is_name(word):
                    both = zip(shared, self.each, before, strict=True)
                    own = [n for n, has, context in both if is_akin(word.stem, has | context)]
                    others = shared
                else:
                    continue
                if own and word.stem not in dated and max(others) - max(own) >= least > 0:
                    found.add(word)
        # "James Brown" is one name: where only "Brown" stands before a quote, it is he.
        return frozenset(word for word in found if not (self.names_beside(word) - found))

    def names_beside(self, word: Word) -> set[Word]:
        """The names directly before and after a name of the claim; none for a number."""
        text = self.pair.claim
        return {
            other
            for other in self.wanted
            if self.is_name(word)
            and self.is_name(other)
            and other != word
            and text[min(word.end, other.end) : max(word.start, other.start)].isspace()
        }

    def is_name(self, word: Word) -> bool:
        asked = {word.stem for word in words(self.pair.question) if word.kind == "name"}
        return len(word.stem) > 1 and (word.kind == "name" or word.stem in asked)

    def carried(self, word: Word) -> float:
        """1 for a word of a quote, NEARBY for one around it, else 0. Names need only be akin."""
        has = is_akin if word.kind == "name" else lambda stem, names: stem in names
        return 1.0 if has(word.stem, self.quoted) else NEARBY if has(word.stem, self.near) else 0.0


@dataclass(frozen=True)
class _Alignment:
    """A claim's words aligned with those of a quote."""

    wanted: tuple[Word, ...]
    quote: str
    language: str | None = None
    """That of the claim, so that both are stemmed alike."""

    @cached_property
    def matcher(self) -> SequenceMatcher[str]:
        ours, theirs = ([word.stem for word in text] for text in (self.wanted, words(self.quote, self.language)))
        return SequenceMatcher(None, ours, theirs, autojunk=False)

    @cached_property
    def order(self) -> float:
        """Share of the claim's words that the quote has in the same order."""
        return sum(block.size for block in self.matcher.get_matching_blocks()) / max(1, len(self.wanted))

    @cached_property
    def replaced(self) -> list[Word]:
        """The names, or numbers, that are all of a stretch for which the quote has others."""
        theirs, ours, replaced = words(self.quote, self.language), {word.stem for word in self.wanted}, []
        for how, start, end, their_start, their_end in self.matcher.get_opcodes():
            gone, instead = self.wanted[start:end], theirs[their_start:their_end]
            kinds = {word.kind for word in gone}
            if how == "replace" and kinds in ({"name"}, {"number"}):
                others = [word for word in instead if word.kind in kinds and word.stem not in ours]
                has = known(self.quote)
                replaced += [
                    word
                    for word in gone
                    if others and word.stem not in has and not (word.kind == "name" and is_akin(word.stem, has))
                ]
        return replaced


@cache
def kept() -> Coefficients:
    """The coefficients that come with Citewire."""
    return Coefficients(**json.loads(COEFFICIENTS.read_text(encoding="utf-8")))


def _share(wanted: Sequence[Word], carried: Iterable[float]) -> float:
    weight = sum(word.weight for word in wanted)
    return sum(word.weight * each for word, each in zip(wanted, carried, strict=True)) / weight if weight else 0.0


def _flipped(claim: str, quote: str, ours_in: str | None, theirs_in: str | None) -> frozenset[str]:
    """Stems that a claim and a quote share, and only one of them negates; with the languages that they are in if they
    do not tell."""
    ours, theirs = _negated(claim, ours_in), _negated(quote, theirs_in)
    said = ({word.stem for word in words(claim, ours_in)}, {word.stem for word in _words(quote, theirs_in)})
    shared, both = frozenset.intersection(*map(frozenset, said)), ours.keys() & theirs.keys()
    in_ours, in_theirs = (frozenset().union(*negated.values()) for negated in (ours, theirs))
    only_ours = frozenset().union(*(under for first, under in ours.items() if first not in both)) - in_theirs
    only_theirs = frozenset().union(*(under for first, under in theirs.items() if first in shared - both)) - in_ours
    return (only_ours | only_theirs) & shared


def _is_code(stem: str) -> bool:
    """Whether letters and digits stand together in it."""
    return stem[0].isalpha() and any(map(str.isdecimal, stem))


def _words(text: str, language: str | None) -> tuple[Word, ...]:
    """The content words of a text, which is in `language` if it does not tell."""
    return words(text, language_of(text) or language)


def _negated(text: str, language: str | None) -> dict[str, frozenset[str]]:
    """For the first content word under each negation, the stems that stand under it and nowhere in `text` without
    one."""
    content, negated = _words(text, language), list[list[Word]]()
    found, is_before = negations(text, language)
    for negation in found:
        if is_before:
            start = max((pause.end() for pause in _PAUSE.finditer(text, 0, negation.start())), default=0)
            under = [word for word in content if start <= word.start and word.end <= negation.start()][::-1]
        else:
            pause = _PAUSE.search(text, negation.end())
            end = pause.start() if pause else len(text)
            under = [word for word in content if negation.end() <= word.start < end]
        negated.append(under[:NEGATED_WORDS])
    plain = {word.stem for word in content if not any(word in under for under in negated)}
    return {under[0].stem: frozenset(word.stem for word in under) - plain for under in negated if under}


def _on_the_collection(pair: Pair) -> list[str]:
    """What a claim says of the articles themselves ("There are two articles about …"), if no quote speaks of articles:
    a sentence of one article cannot tell how many there are."""
    return [] if any(map(COLLECTION.search, pair.quotes)) else COUNTED_ARTICLES.findall(pair.claim)


def _is_date_line(quote: str) -> bool:
    """Whether a line has as many numbers as other words: "29 April 2014 / 11:04"."""
    content = words(quote)
    return sum(word.is_number for word in content) * 2 >= len(content)


def reversed_stems(pair: Pair) -> frozenset[str]:
    """Stems that a claim and its closest quote share, and only one of them negates."""
    return _View(pair).flipped


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))
