"""Disagreement: where articles state one fact differently. Pure; knows no model.

The quotes of a claim are compared with the sentences of the other articles that were read. Two state one fact, and
differ in it, when they are the same word for word but for one number, or nearly the same but for a negation. Sentences
that say the same in other words are not compared: rules for them found nothing more in real text (docs/experiments.md).
What is rounded, hedged or a bound agrees with nearly everything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from math import inf
from typing import TYPE_CHECKING

from index.version import counterparts
from rag.answer import Citation, Disagreement, Side
from rag.grounding import cite
from rag.grounding.lexicon import APPROXIMATE, BOUNDS, DENIAL, MODALS, MONTHS, stems, words
from rag.grounding.lexicon import known as spellings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from index.article import Article
    from rag.answer import Source
    from rag.grounding.cite import Quote

LEAST_WORDS = 6
"""Words and numbers of the shortest sentence that is compared: "Version 4.0.8 is out." differs in every article. Of
142,797 sentences of SQuAD 2, MTRAG-UN, WiCE and timelines, the longer ones that are the same but for a number are page
furniture, and most have no full stop."""
SAME_STORY_DAYS = 27
"""Longest time between two reports that state one fact when they name no year: figures that are published every month
come at least 28 days apart."""
NEARLY_SAME = 0.75
"""Share of the content words of two sentences that both have, of which one denies what the other says. With all of them
none of 2,997 pairs of summaries that disagree is found, with this .011, and none of 2,028 that agree."""
ROUNDED, VAGUE = 0.05, 0.15
"""Most that rounding off zeros changes a number (1,200 for 1,187), and that "about" does, as shares of it."""
VERSION, MOST_VERSIONS = "version", 3
"""What versions of one document differ in, and how many older wordings of one quote are named."""

_WHOLE = re.compile(r"[.!?…][\"'”’)\]]*(?:\[\d+\])*$")  # a headline is no statement
_TOKEN = re.compile(r"(?P<digits>(?:\d{1,3}(?:,\d{3}){1,4}|\d{1,15})(?:\.\d{1,9})?)(?![\w]|[.,]\d)|\w+|[$€£¥%]")
_A_YEAR = re.compile(r"(?:1\d|20)\d\d")
# What belongs to a number: "$3.5 million", "16.4 percent", "September 21, 1954".
_BEFORE = re.compile(rf"(?:US\$|[$€£¥]|\b(?:{'|'.join(MONTHS)})\s(?:\d\d?,\s)?)$", re.IGNORECASE)
_AFTER = re.compile(rf"\s?(?:%|per\s?cent\b|[mb]illion\b)|\s(?:{'|'.join(MONTHS)})\b(?:\s\d{{4}}\b)?", re.IGNORECASE)


def find(question: str, claim: str, quotes: Sequence[Quote], sources: Sequence[Source]) -> tuple[Disagreement, ...]:
    """Where other articles of `sources` state otherwise what `claim` says and its `quotes` state.

    Sides are newest first, those without a date last: one for each value, cited from the newest article that states
    it. Citations have number 0, for the caller to number.
    """
    others = [_Sentence(quote) for quote in cite.quotes(sources) if _WHOLE.search(quote.text)]
    found: dict[tuple[str, frozenset[str]], Disagreement] = {}
    for ours in (_Sentence(quote) for quote in quotes if _WHOLE.search(quote.text)):
        differing: dict[_Value, list[tuple[_Sentence, _Value]]] = {}
        for theirs in others:
            if theirs.quote.article.id == ours.quote.article.id or not _know_who_is_asked_about(question, ours, theirs):
                continue
            if pair := _other_number(question, claim, ours, theirs) or _other_polarity(claim, ours, theirs):
                differing.setdefault(pair[0], []).append((theirs, pair[1]))
        for value, differing_from_it in differing.items():
            agreeing = [(other, value) for other in others if other.quote.text == ours.quote.text]
            sides = _sides([(ours, value), *agreeing, *differing_from_it])
            key = (value.about, frozenset(side.value.lower() for side in sides))
            found.setdefault(key, Disagreement(value.about, sides))
    return tuple(found.values())


def between_versions(quote: Citation, versions: Sequence[Article]) -> tuple[Disagreement, ...]:
    """Where older versions of the quoted article word the quote otherwise, newest first; or that only this older
    version has it. `versions` are all of the document, the newest first. Citations but `quote` have number 0.
    """
    place = next((at for at, one in enumerate(versions) if one.id == quote.article_id), None)
    if place is None:
        return ()
    found: list[Disagreement] = []
    seen = set()
    for older in versions[place + 1 :]:
        for pair in counterparts(older.text, quote.article.text):
            newer = pair.newer
            if newer is None or pair.is_same or not (newer.start < quote.end and quote.start < newer.end):
                continue
            wordings = newer.of(quote.article.text), pair.older.of(older.text)
            if len(found) < MOST_VERSIONS and wordings not in seen:
                seen.add(wordings)
                quotes = quote, Citation(0, older, pair.older.start, pair.older.end)
                found.append(Disagreement(VERSION, tuple(map(Side, _apart(*wordings), quotes))))
    if place and not found:
        found.append(Disagreement(VERSION, (Side(quote.quote, quote),)))
    return tuple(found)


def _apart(one: str, other: str) -> tuple[str, str]:
    """The words in which two wordings differ, with the word before them where one of them has none."""
    ours, theirs = one.split(), other.split()
    fewest = min(len(ours), len(theirs))
    start = next((at for at in range(fewest) if ours[at] != theirs[at]), fewest)
    end = next((at for at in range(fewest - start) if ours[-1 - at] != theirs[-1 - at]), fewest - start)
    if start and fewest - start == end:
        start -= 1
    return " ".join(ours[start : len(ours) - end]), " ".join(theirs[start : len(theirs) - end])


def sentence(disagreement: Disagreement) -> str:
    """How an answer says it: who says what, newest first; or what an older version says."""
    if disagreement.about == VERSION:
        cited = disagreement.sides[-1].citation
        date = cited.article.updated or cited.published
        version = f"older version of “{cited.article.headline}”" + (f", of {date[:4]}," if date else "")
        quote = " ".join(cited.quote.split())
        is_only = len(disagreement.sides) == 1
        return f"Only an {version} says: “{quote}”" if is_only else f"An {version} says: “{quote}”"
    statements = []
    for side in disagreement.sides:
        outlet = side.citation.source or f"“{side.citation.article.headline}”"
        value = f"“{side.value}”" if disagreement.about == "polarity" else side.value
        statements.append(f"{outlet} ({(side.citation.published or 'undated')[:10]}) says {value}")
    return " ".join(f"The articles disagree: {'; '.join(statements)}.".split())


@dataclass(frozen=True, slots=True)
class _Token:
    """A word, number or sign as it is written, but for capitals and the commas in a number."""

    written: str
    start: int
    end: int
    is_number: bool


@dataclass(frozen=True, slots=True)
class _Value:
    """What [start, end) of a sentence states: a number between `low` and `high`, or 1 and 0 for yes and no."""

    about: str
    start: int
    end: int
    low: float
    high: float

    def differs(self, other: _Value) -> bool:
        """Whether both cannot be right."""
        return self.low >= other.high or other.low >= self.high


@dataclass(frozen=True)
class _Sentence:
    """A sentence of an article, and what its article says beside it."""

    quote: Quote

    @cached_property
    def tokens(self) -> tuple[_Token, ...]:
        return _tokens(self.quote.text)

    @cached_property
    def denials(self) -> list[re.Match[str]]:
        """Where it says that something is not so."""
        return list(DENIAL.finditer(self.quote.text))

    @cached_property
    def affirmed(self) -> frozenset[str]:
        """Its content words, stemmed, as if it denied nothing, and how sure of them it is."""
        text = DENIAL.sub(lambda denial: " " * len(denial[0]), self.quote.text)
        return stems(text) | MODALS.intersection(re.findall(r"\w+", text.lower()))

    @cached_property
    def known(self) -> frozenset[str]:
        """The stems of its whole article."""
        return spellings(f"{self.quote.article.text}\n{self.quote.article.title or ''}")

    @cached_property
    def time(self) -> float:
        """When its article was published, in seconds; -inf if that is not known."""
        try:
            published = datetime.fromisoformat(self.quote.article.published or "")
        except ValueError:
            return -inf
        return (published if published.tzinfo else published.replace(tzinfo=UTC)).timestamp()


def _know_who_is_asked_about(question: str, one: _Sentence, other: _Sentence) -> bool:
    """Whether both articles have the names of the question: "He won 3 medals." may be said of two people."""
    names = {word.stem for word in words(question) if word.kind == "name"}
    return names <= one.known & other.known


def _tell_one_story(one: _Sentence, other: _Sentence, besides: Sequence[_Token] = ()) -> bool:
    """Whether two sentences in the same words are about one time: the year they name, or else that of their reports."""
    if any(_A_YEAR.fullmatch(token.written) for token in one.tokens if token not in besides):
        return True
    return -inf in (one.time, other.time) or abs(one.time - other.time) <= SAME_STORY_DAYS * 86_400


def _other_number(question: str, claim: str, ours: _Sentence, theirs: _Sentence) -> tuple[_Value, _Value] | None:
    """Two numbers in one place of sentences that are the same but for them, if ours is in the claim, and neither in the
    question nor anywhere in their article."""
    if len(ours.tokens) != len(theirs.tokens) or len(ours.tokens) < LEAST_WORDS:
        return None
    apart = [pair for pair in zip(ours.tokens, theirs.tokens, strict=True) if pair[0].written != pair[1].written]
    if len(apart) != 1 or not _tell_one_story(ours, theirs, apart[0]):
        return None
    value, their_value = (_number(each.quote.text, token) for each, token in zip((ours, theirs), apart[0], strict=True))
    claimed, asked, known = (
        {token.written for token in _tokens(text)} for text in (claim, question, theirs.quote.article.text)
    )
    is_at_issue = apart[0][0].written in claimed - asked - known
    return (value, their_value) if value and their_value and value.differs(their_value) and is_at_issue else None


def _number(text: str, token: _Token) -> _Value | None:
    """The number that stands at `token`; None for a word, and for a bound, which two articles may set differently."""
    before = text[: token.start]
    if not token.is_number or BOUNDS.search(before):
        return None
    amount = float(token.written)
    is_year = _A_YEAR.fullmatch(token.written) is not None
    slack = 0.5 if is_year else _slack(token.written, amount)
    if APPROXIMATE.search(before):
        slack = max(slack, VAGUE * amount)
    belonging, following = _BEFORE.search(before), _AFTER.match(text, token.end)
    start, end = belonging.start() if belonging else token.start, following.end() if following else token.end
    return _Value("date" if is_year else "number", start, end, amount - slack, amount + slack)


def _slack(digits: str, amount: float) -> float:
    """By how much a number in these digits may have been rounded."""
    decimals = len(digits.partition(".")[2])
    zeros = len(digits) - len(digits.rstrip("0")) if amount >= 100 and not decimals else 0
    return min(0.5 * 10.0**zeros, max(0.5, ROUNDED * amount)) / 10.0**decimals


def _other_polarity(claim: str, ours: _Sentence, theirs: _Sentence) -> tuple[_Value, _Value] | None:
    """That something is so, and that it is not, in nearly the same words, if the claim speaks of it."""
    if sorted((len(ours.denials), len(theirs.denials))) != [0, 1] or len(ours.tokens) < LEAST_WORDS:
        return None
    shared, apart = ours.affirmed & theirs.affirmed, ours.affirmed ^ theirs.affirmed
    if len(shared) < NEARLY_SAME * len(shared | apart) or any(word in MODALS or word.isdigit() for word in apart):
        return None
    if not _tell_one_story(ours, theirs):
        return None
    denying, affirming = (ours, theirs) if ours.denials else (theirs, ours)
    denial = denying.denials[0]
    denied = next((word for word in words(denying.quote.text) if word.start >= denial.end()), None)
    affirmed = next((word for word in words(affirming.quote.text) if denied and word.stem == denied.stem), None)
    if denied is None or affirmed is None or denied.stem not in stems(claim):
        return None
    no = _Value("polarity", denial.start(), denied.end, -0.5, 0.5)
    yes = _Value("polarity", affirmed.start, affirmed.end, 0.5, 1.5)
    return (no, yes) if denying is ours else (yes, no)


def _sides(stated: Sequence[tuple[_Sentence, _Value]]) -> tuple[Side, ...]:
    """One for each value, from the newest article that states it. Who states the first value, too, takes no other
    side."""
    groups: list[list[tuple[_Sentence, _Value]]] = []
    for one in stated:
        group = next((group for group in groups if not group[0][1].differs(one[1])), None)
        if group is None:
            groups.append(group := [])
        group.append(one)
    newest = sorted((max(group, key=lambda one: one[0].time) for group in groups), key=lambda one: -one[0].time)
    return tuple(
        Side(one.quote.text[value.start : value.end], Citation(0, one.quote.article, one.quote.start, one.quote.end))
        for one, value in newest
    )


def _tokens(text: str) -> tuple[_Token, ...]:
    return tuple(
        _Token(match[0].replace(",", "").casefold(), *match.span(), is_number=match["digits"] is not None)
        for match in _TOKEN.finditer(text)
    )
