"""Telling: what a sentence of an article tells: its words, names, dates and numbers. Pure; knows no model."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from itertools import pairwise
from math import inf
from typing import TYPE_CHECKING, NamedTuple

from rag.grounding.lexicon import stems, words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rag.grounding.cite import Quote

ROUNDED, ABOUT = 0.05, 0.15
"""Most that rounding off zeros changes a number, and that "about" does, as shares of it."""

_SPEAKER = re.compile(  # who said it is not what was said
    r"^[^,\d]{2,60}?\s(?:said|says|reported|confirmed)\s(?:on \w+\s)?(?:that\s)?|,?\s?\baccording to [^,.]+|"
    r",\s[^,\d]{2,60}\s(?:said|says|told|reported|confirmed)\b[^,\d]*(?=[,.]|$)"
)
_CLAUSE = re.compile(r"[;:()—]\s?|,\s|\s(?:and|but|while|when|after|before|as|that|which|who|including|because)\s")
WEEKDAYS = frozenset("monday tuesday wednesday thursday friday saturday sunday".split())
BLAND = frozenset("peopl suicid car truck roadsid massiv huge power".split())
_NOUNS = "bomb blast explos explod;peopl person"
_ACTS = (
    "kill die dead death toll;injur wound hurt;break broke broken;begin began begun start;rise rose risen climb "
    "increas grew grown grow;fall fell fallen drop declin decreas;win won;meet met;hold held;buy bought acquir;"
    "sell sold;build built;take took taken;leav left;becom becam;lose lost;pay paid;spend spent;send sent;"
    "establish found;bear born;strike struck;shoot shot;lead led;sink sank sunk;write wrote written;end"
)
_KEYS = {form: group.split()[0] for group in f"{_NOUNS};{_ACTS}".split(";") for form in group.split()}
"""Stem → the one that stands for all that mean the same here; those of _ACTS are verbs, as is what ends in -ed."""
_YEAR = r"(?:1\d|20)\d\d(?![\d%]|[.,]\d)"
_A_YEAR = re.compile(r"(?:1\d|20)\d\d")
_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?|"
    r"Nov(?:ember)?|Dec(?:ember)?)\b\.?"
)
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_DATE = re.compile(
    rf"(?<![\w/–-])(?:\d{{4}}-\d\d-\d\d|\d\d?(?:st|nd|rd|th)?\s{_MONTH}(?:,?\s{_YEAR})?|"
    rf"{_MONTH}\s\d\d?(?:st|nd|rd|th)?\b(?:,?\s{_YEAR})?|{_MONTH},?\s{_YEAR}|^{_YEAR}(?=\.?$)|"
    rf"(?i:in|since|by|until|during|early|late|of|year)\s(?P<bare>{_YEAR}|{_MONTH}))(?![\w/–-])"
)
_WORDS = (
    "a one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety"
).split()
_AMOUNTS = {word: max(1, place) if place < 20 else 10 * (place - 18) for place, word in enumerate(_WORDS)}
_SCALES = {"hundred": 2, "thousand": 3, "million": 6, "m": 6, "billion": 9, "bn": 9, "trillion": 12}
_NUMBER = re.compile(  # no more digits than a float can tell apart
    r"(?<![\w.,:/–-])(?:(?P<about>about|around|some|roughly|approximately|estimated|nearly|almost)\s|"
    r"(?P<counted>at least)\s|(?P<over>more than|over|above)\s|"
    r"(?P<under>less than|fewer than|under|below|up to|as many as)\s)?(?P<sign>US\$|[$€£¥])?"
    r"(?:(?P<digits>\d{1,3}(?:,\d{3}){1,4}(?:\.\d{1,9})?|\d{1,15}(?:\.\d{1,9})?)|"
    rf"(?P<word>{'|'.join(_WORDS[::-1])})(?:[ -](?P<ones>{'|'.join(_WORDS[1:10])})\b)?(?![a-z]))"
    rf"(?:\s?(?P<scale>{'|'.join(_SCALES)})\b)?(?P<percent>\s?%|\sper\s?cent\b)?(?![\w/–-]|[.:,]\d)",
    re.IGNORECASE,
)
_FIGURE = re.compile(r"(?P<digits>(?:\d{1,3}(?:,\d{3}){1,4}|\d{1,15})(?:\.\d{1,9})?)(?![\w]|[.,]\d)|\w+|[$€£¥%]")
_SIGNS = {"$": "dollar", "€": "euro", "£": "pound", "¥": "yen"}
_LISTED = re.compile(r"\s*(?:,|,? ?(?:to|and|or)|of(?: the| its| their)?|–|-|from)\s*", re.IGNORECASE)
_PARTIAL = re.compile(r"\b(?:another|other|further|additional|first|last|every|between|dozens?)\s$", re.IGNORECASE)
_BOUND = re.compile(r"\b(?:by|until|before|after|since|around|about)\s$", re.IGNORECASE)
_WORD_BEFORE = re.compile(r"\b([^\W\d_][\w.]*)\s$")


class Term(NamedTuple):
    """A telling word, by the key of all that mean the same."""

    key: str
    start: int
    end: int
    is_act: bool
    is_name: bool


class Figure(NamedTuple):
    """A word or a number as it is written, but for capitals and the commas in it."""

    written: str
    start: int
    end: int
    is_number: bool


@dataclass(frozen=True, slots=True)
class Value:
    """What [start, end) of a sentence tells: a number from `low` to `high` of a `unit` (`top` is `high` but for an "at
    least"), or else `parts`, None where it is silent: year, month and day; a name; whether something happened.
    `is_level` is what something rose to rather than by, or the bound of a time."""

    about: str
    start: int
    end: int
    parts: tuple[object, ...] = ()
    low: float = -inf
    high: float = inf
    top: float = inf
    unit: frozenset[str] = frozenset()
    is_level: bool = False

    def differs(self, other: Value) -> bool:
        """Whether both cannot be right."""
        parts = zip(self.parts, other.parts, strict=True)
        return self.low >= other.high or other.low >= self.high or any(a != b and None not in (a, b) for a, b in parts)

    def is_told_in(self, text: str) -> bool:
        """Whether a text has a value that agrees."""
        return any(told.about == self.about and not told.differs(self) for told in values_of(text))


@dataclass(frozen=True)
class Sentence:
    """A sentence of an article, read for what it tells."""

    quote: Quote

    @cached_property
    def text(self) -> str:
        """Without those who say it, and as long."""
        return _SPEAKER.sub(lambda speaker: " " * len(speaker[0]), self.quote.text)

    @cached_property
    def values(self) -> tuple[Value, ...]:
        """Its dates and numbers."""
        return values_of(self.text)

    @cached_property
    def figures(self) -> tuple[Figure, ...]:
        """Its words and numbers, one by one."""
        return figures_of(self.quote.text)

    def value_of(self, figure: Figure) -> Value | None:
        """What a number tells: the date or amount that it is a part of, else the number alone, which has a part that is
        silent; None for a word."""
        if not figure.is_number:
            return None
        for value in self.values:
            if value.start < figure.end and figure.start < value.end:
                return value
        amount = float(figure.written)
        slack = 0.5 if _A_YEAR.fullmatch(figure.written) else _slack(figure.written, amount)
        return Value("number", figure.start, figure.end, (None,), amount - slack, amount + slack)

    @cached_property
    def terms(self) -> tuple[Term, ...]:
        """The words beside its values."""
        taken = {place for value in self.values for place in range(value.start, value.end)}
        return tuple(term for term in terms_of(self.text) if term.start not in taken and term.key not in WEEKDAYS)

    @cached_property
    def keys(self) -> frozenset[str]:
        """What its telling words say."""
        return frozenset(term.key for term in self.terms) - BLAND

    @cached_property
    def names(self) -> frozenset[str]:
        """Those of the passage, for a word that opens a sentence does not show whether it is one."""
        return names_of(self.quote.source.hit.text)

    @cached_property
    def weekdays(self) -> frozenset[str]:
        """The days of the week it names."""
        return WEEKDAYS.intersection(re.findall(r"\w+", self.text.lower()))

    @cached_property
    def known(self) -> frozenset[str]:
        """The stems of its whole article."""
        return stems(f"{self.quote.article.text}\n{self.quote.article.title or ''}")

    @cached_property
    def published(self) -> datetime | None:
        """When its article was, if that is known."""
        try:
            published = datetime.fromisoformat(self.quote.article.published or "")
        except ValueError:
            return None
        return published if published.tzinfo else published.replace(tzinfo=UTC)

    def mentions(self, name: str) -> bool:
        """Whether the article has it anywhere, be it as Afghan or Afghanistan."""
        return name in self.known or any(
            min(len(name), len(other)) > 3 and (other.startswith(name) or name.startswith(other))
            for other in self.known
        )

    def near(self, value: Value) -> tuple[Term, ...]:
        """The words of the clause that tells `value`; all words, if that has no verb."""
        cuts = [cut for cut in _CLAUSE.finditer(self.text) if not value.start <= cut.start() < value.end]
        start = max((cut.end() for cut in cuts if cut.end() <= value.start), default=0)
        end = min((cut.start() for cut in cuts if cut.start() >= value.end), default=len(self.text))
        clause = tuple(term for term in self.terms if start <= term.start < end)
        return clause if any(term.is_act for term in clause) else self.terms

    def act(self, value: Value) -> str:
        """The verb nearest to `value`, "" if there is none; a death toll kills, whatever it does."""
        acts = [term for term in self.near(value) if term.is_act]
        acts.sort(key=lambda term: max(value.start - term.end, term.start - value.end))
        tolls = [term for term in acts if self.text[term.start : term.end] == "toll"]
        return next((term.key for term in (*tolls, *acts)), "")


def terms_of(text: str) -> Iterator[Term]:
    """The telling words of a text."""
    for word in words(text):
        written = text[word.start : word.end]
        key = _KEYS.get(word.stem, word.stem)
        is_act = written.islower() and key not in ("bomb", "peopl") and (word.stem in _KEYS or written.endswith("ed"))
        yield Term(key, word.start, word.end, is_act, word.kind == "name")


def figures_of(text: str) -> tuple[Figure, ...]:
    """All words, numbers and signs of a text, one by one."""
    return tuple(
        Figure(match[0].replace(",", "").casefold(), *match.span(), is_number=match["digits"] is not None)
        for match in _FIGURE.finditer(text)
    )


def names_of(text: str) -> frozenset[str]:
    """The keys of its names."""
    return frozenset(term.key for term in terms_of(text) if term.is_name)


def values_of(text: str) -> tuple[Value, ...]:
    """The dates and numbers of a text; none of a range or a list, and none that is part of a name."""
    bare = _DATE.sub(lambda match: "\0" * len(match[0]), text)
    found = list(_NUMBER.finditer(bare))
    pairs = [pair for pair in pairwise(found) if _LISTED.fullmatch(bare, pair[0].end(), pair[1].start())]
    listed = {match for pair in pairs for match in pair}
    numbers = [_number(bare, match) for match in found if match not in listed]
    return (*map(_date, _DATE.finditer(text)), *filter(None, numbers))


def _date(match: re.Match[str]) -> Value:
    written = match["bare"] or match[0]
    year, day = re.search(r"\d{4}", written), re.search(r"\b\d\d?(?!\d)", written)
    month = next((place for place, name in enumerate(_MONTHS, start=1) if name in written.lower()), None)
    parts: tuple[object, ...] = (year and int(year[0]), month, day and int(day[0]))
    if re.match(r"\d{4}-", written):
        parts = tuple(map(int, written.split("-")))
    start = match.end() - len(written)
    return Value("date", start, match.end(), parts, is_level=bool(_BOUND.search(match.string[:start])))


def _number(text: str, match: re.Match[str]) -> Value | None:
    """None for what may be a label, a year or a part of a whole."""
    before, after = text[: match.start()], text[match.end() :]
    digits, scale, word = (match[name] or "" for name in ("digits", "scale", "word"))
    previous = _WORD_BEFORE.search(before)
    label = (
        next(terms_of(previous[1]), None)
        if previous and (previous[1][0].isupper() or not after[1:2].islower())
        else None
    )
    if not (match["sign"] or match["percent"]) and (
        (label is not None and not label.is_act and label.key not in WEEKDAYS)
        or re.match(r"\s(?:more|others?|of|dozens?)\b|[.)]\s+\w", after)
        or _A_YEAR.fullmatch(digits + scale)
        or scale.lower() == "m"
    ):
        return None
    if _PARTIAL.search(before) or (word.lower() in ("a", "one") and not scale):
        return None
    plain = digits.replace(",", "")
    amount = float(plain or _AMOUNTS[word.lower()] + _AMOUNTS.get((match["ones"] or "").lower(), 0))
    slack = max(_slack(plain, amount), ABOUT * amount if match["about"] else 0)
    factor = 10.0 ** _SCALES.get(scale.lower(), 0)
    low, high = factor * (amount - slack), factor * (amount + slack)
    return Value(
        "number",
        match.start(),
        match.end(),
        low=-inf if match["under"] else low,
        high=inf if match["over"] or match["counted"] else high,
        top=inf if match["over"] else high,
        unit=_unit(match, after),
        is_level=bool(re.search(r"\b(?:to|at|from)\s$", before)),
    )


def _slack(digits: str, amount: float) -> float:
    """By how much an amount in these digits may have been rounded."""
    decimals = len(digits.partition(".")[2])
    zeros = len(digits) - len(digits.rstrip("0")) if amount >= 100 and not decimals else 0
    return min(0.5 * 10.0**zeros, max(0.5, ROUNDED * amount)) / 10.0**decimals


def _unit(match: re.Match[str], after: str) -> frozenset[str]:
    """What is counted: a currency, percent of something, or up to three words that follow."""
    if match["sign"]:
        return frozenset({_SIGNS[match["sign"][-1]]})
    unit = {"percent"} if match["percent"] else set()
    counted = re.match(r"\sof(?:\sthe)?((?:\s[^\W\d_]+){0,3})" if unit else r"((?:\s[^\W\d_]+){0,3})", after)
    for word in counted[1].split() if counted else ():
        term = next(terms_of(word), None)
        if term is None or term.is_act:
            break
        unit.add(term.key)
    return frozenset(unit - BLAND - WEEKDAYS)
