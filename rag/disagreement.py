"""Disagreement: where articles tell one fact differently. Pure; knows no model.

The quotes of a claim are held against the sentences of other articles. Two that tell of one event are compared in
what they tell: a number, a date, a name, or whether it happened at all. Every rule would rather miss a disagreement
than invent one: what is rounded, hedged, hypothetical, a range or one of a list agrees with nearly everything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from itertools import pairwise
from math import inf
from typing import TYPE_CHECKING, NamedTuple

from rag import cite
from rag.answer import Citation, Disagreement, Side
from rag.words import WEIGHTS, stems, words

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from rag.answer import Source
    from rag.cite import Quote

    _Told = tuple["_Sentence", "_Value"]

LEAST_OVERLAP, LEAST_COMMON = 0.6, 3
"""Weight that two sentences on one event have in common: as a share of the shorter one's, and at least."""
NEAR_IDENTICAL = 0.75
"""Share of the words of both that they have in common, where little else says that they tell one thing."""
LEAST_SIMILARITY = 0.6
"""Cosine of their vectors, where known."""
SAME_STORY_DAYS, NEAR_DAYS = 31, 7
"""Longest time between two reports of an event that names no year, and between two dates of what happens again."""
ROUNDED, ABOUT = 0.05, 0.15
"""Most that rounding off zeros changes a number, and that "about" does, as shares of it."""

_UNSURE = re.compile(
    r"\b(?:would|could|may|might|should|if|unless|whether|expect\w*|forecast\w*|project(?:ed|s)|predict\w*|likely|"
    r"plan(?:s|ned)|propos\w*|target\w*|aim(?:s|ed)|hop(?:es|ed)|yet|alleg\w*|perhaps|rumou?rs?)\b|\?"
)
_WILL = re.compile(r"\bwill\b|['’]ll\b|\bgoing to\b")
_NOT = re.compile(
    r"\b(?:(?:did|do|does|has|have|had|is|are|was|were|will)(?:\snot\b|n[’']t\b)|never|no longer|failed to|"
    r"refused to|declined to|denie[ds](?: that)?)\s(?!only\b|just\b|until\b)"
)
_WHOLE = re.compile(r"[.!?…][\"'”’)\]]*(?:\[\d+\])*$")  # a headline is no statement
_STANDING = re.compile(r"\b(?:has|have|is|are|employs?)\s$")
_PLACE = re.compile(r"\b(?:in|at|near|from)\s(?:the\s)?$", re.IGNORECASE)
_WHEN = re.compile(r"\b(?:when|(?:what|which) (?:year|date|day|month))\b", re.IGNORECASE)
_WHO = re.compile(r"^\W*(?:who|where|in (?:which|what) (?:city|town|country|place))\b", re.IGNORECASE)
_NAME = re.compile(r"[A-Z][\w’'-]*(?:\s(?:(?:of|the|al|bin|de|van|von)\s)?[A-Z][\w’'-]*)*")
_ONCE = frozenset(
    "bear kill break begin end build sink establish sign invad publish creat discov invent marri patent introduc "
    "complet adopt ban abolish dissolv destroy annex assassin crown ratifi merg".split()
)
"""What happens but once to what it happens to."""
_AGAIN = frozenset("season elect summit tournament championship game match session festiv seri round".split())


def find(
    question: str,
    claim: str,
    quotes: Sequence[Quote],
    sources: Sequence[Source],
    *,
    similarity: Callable[[str, str], float] | None = None,
) -> tuple[Disagreement, ...]:
    """Where other articles of `sources` tell differently what `claim` says and its `quotes` tell.

    Sides are newest first, those without a date last: one for each value, cited from the newest article that tells
    it. Citations have number 0, for the caller to number. `similarity` is the cosine of two sentences' vectors.
    """
    others = [_Sentence(quote) for quote in cite.quotes(sources) if _WHOLE.search(quote.text)]
    found: dict[tuple[str, frozenset[str]], Disagreement] = {}
    for mine in (_Sentence(quote) for quote in quotes if _WHOLE.search(quote.text)):
        fellows = [
            other
            for other in others
            if other.quote.article.id != mine.quote.article.id
            and (similarity is None or similarity(mine.quote.text, other.quote.text) >= LEAST_SIMILARITY)
        ]
        for told in _tellings(question, claim, mine, fellows):
            about, sides = told[0][1].about, _sides(told)
            if len(sides) > 1:
                key = (about, frozenset(side.value.lower() for side in sides))
                found.setdefault(key, Disagreement(about, sides))
    return tuple(found.values())


def sentence(disagreement: Disagreement) -> str:
    """How an answer says it: who says what, newest first."""
    told = []
    for side in disagreement.sides:
        outlet = side.citation.source or f"“{side.citation.article.headline}”"
        said = f"“{side.value}”" if disagreement.about == "polarity" else side.value
        told.append(f"{outlet} ({(side.citation.published or 'undated')[:10]}) says {said}")
    return " ".join(f"The articles disagree: {'; '.join(told)}.".split())


def _sides(told: Sequence[_Told]) -> tuple[Side, ...]:
    """One for each value, from the newest that tells it. Who tells the first value, too, takes no other side."""
    groups = [[one for one in told if not _conflict(told[0], one)]]
    agreed = {one.quote.article.id for one, _ in groups[0]}
    for one in told:
        if one[0].quote.article.id not in agreed:
            group = next((group for group in groups[1:] if not _conflict(group[0], one)), [])
            if not group:
                groups.append(group)
            group.append(one)
    newest = sorted((max(group, key=_time) for group in groups), key=_time, reverse=True)
    return tuple(
        Side(one.quote.text[value.start : value.end], Citation(0, one.quote.article, one.quote.start, one.quote.end))
        for one, value in newest
    )


def _time(told: _Told) -> float:
    return told[0].published.timestamp() if told[0].published else -inf


def _conflict(one: _Told, other: _Told) -> bool:
    """Whether both cannot be right, or the newer counts more than the older had counted so far ("at least")."""
    older, newer = sorted((one, other), key=_time)
    has_grown = -inf < _time(older) < _time(newer) and older[1].top < older[1].high and newer[1].low >= older[1].top
    return one[1].differs(other[1]) or has_grown


def _tellings(question: str, claim: str, mine: _Sentence, fellows: Sequence[_Sentence]) -> Iterator[list[_Told]]:
    """What `mine` tells and the claim says, but the question does not, each with what `fellows` tell of the same."""
    alike = [other for other in fellows if _tell_one_event(question, mine, other)]
    about = "date" if _WHEN.search(question) else "number"
    asked = {(value.parts, value.low) for value in _values(question)}
    for value in mine.values if alike else ():
        if value.about == about and value.is_told_in(claim) and (value.parts, value.low) not in asked:
            facts = [(other, its) for other in alike for its in other.values if _tell_one_fact(mine, value, other, its)]
            yield [(mine, value), *facts]
    for other in fellows:
        for pair in (_denial(question, claim, mine, other), _other_name(question, claim, mine, other)):
            if pair:
                yield [(mine, pair[0]), (other, pair[1])]


def _tell_one_event(question: str, one: _Sentence, other: _Sentence, besides: Collection[str] = ()) -> bool:
    """Whether two sentences tell, as certain, of one event: they share much, and each article knows the names of the
    other sentence and of the question. Words `besides` do not count."""
    ours, theirs = one.keys.difference(besides), other.keys.difference(besides)
    asked, common = _names(question).difference(besides), ours & theirs
    names = (one.names | other.names | asked) - _WEEKDAYS

    def weight(keys: Collection[str]) -> float:
        return sum(WEIGHTS["name" if key in names else "word"] for key in keys)

    def roles(sentence: _Sentence) -> list[tuple[str, bool]]:
        """Who does it and to whom, in order; and where, which may stand anywhere."""
        told = [(term.key, bool(_PLACE.search(sentence.text[: term.start]))) for term in sentence.terms]
        return list(dict.fromkeys(role for role in told if role[0] in common & names))

    first, second = roles(one), roles(other)
    places = {role for role in first if role in second and role[1]}
    return (
        weight(common) >= max(LEAST_COMMON, LEAST_OVERLAP * min(weight(ours), weight(theirs)))
        and bool((common | asked) & names)
        and not (_UNSURE.search(one.text) or _UNSURE.search(other.text))
        and bool(_WILL.search(one.text)) == bool(_WILL.search(other.text))
        and bool(one.weekdays & other.weekdays or not one.weekdays or not other.weekdays)
        and [name for name, _ in first if (name, True) not in places]
        == [name for name, _ in second if (name, True) not in places]
        and all(other.mentions(name) for name in (ours | asked) & names)
        and all(one.mentions(name) for name in (theirs | asked) & names)
    )


def _tell_of_one_time(one: _Sentence, other: _Sentence, besides: Collection[_Value] = ()) -> bool:
    """Whether no date sets two sentences apart: those they tell, or else those of their articles."""
    ours, theirs = (
        [value for value in each.values if value.about == "date" and value not in besides] for each in (one, other)
    )
    if ours and theirs:
        return any(not mine.differs(its) for mine in ours for its in theirs)
    if years := {value.parts[0] for value in (*ours, *theirs)} - {None}:
        silent = other if ours else one
        return silent.published is not None and silent.published.year in years
    if one.published is None or other.published is None:
        return True
    return abs(one.published - other.published).days <= SAME_STORY_DAYS


def _tell_one_fact(one: _Sentence, value: _Value, other: _Sentence, its: _Value) -> bool:
    """Whether two values are of one thing, in sentences on one event: of one unit and with one verb, in clauses of
    which only one says more than the other sentence, and narrows nothing down."""
    act = one.act(value)
    if (value.about, value.unit, act) != (its.about, its.unit, other.act(its)):
        return False
    if value.is_level != its.is_level and act != "kill":
        return False
    here, there = ({term.key for term in each.near(of)} - _BLAND for each, of in ((one, value), (other, its)))
    if (here - other.keys and there - one.keys) or _narrows(one, value, other) or _narrows(other, its, one):
        return False
    if not act and len(here & there) < NEAR_IDENTICAL * len(here | there):
        return False
    if value.about == "date":
        is_bound = value.is_level or its.is_level
        return not is_bound and (_are_near(value, its) or (act in _ONCE and not (here | there) & _AGAIN))
    is_standing = _STANDING.search(one.text[: value.start]) and _STANDING.search(other.text[: its.start])
    return _tell_of_one_time(one, other, (value, its)) or bool(is_standing)


def _narrows(one: _Sentence, value: _Value, other: _Sentence) -> bool:
    """Whether the clause narrows something down that the other sentence does not: net profit, young voters."""
    return any(
        term.key not in other.keys | _BLAND
        and not (term.is_name or after.is_name or term.is_act or after.is_act)
        and after.key in other.keys
        and one.text[term.end : after.start] in (" ", "-")
        for term, after in pairwise(one.near(value))
    )


def _are_near(one: _Value, other: _Value) -> bool:
    """Whether two dates have a day and lie so close that they are of one event."""
    try:
        first, second = (date(2000, *value.parts[1:]) for value in (one, other))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    is_one_year = None in (one.parts[0], other.parts[0]) or one.parts[0] == other.parts[0]
    return is_one_year and abs(first - second).days <= NEAR_DAYS


def _are_near_identical(question: str, one: _Sentence, other: _Sentence, besides: Collection[str]) -> bool:
    """Whether two sentences say the same of one event, but for the words `besides`."""
    ours, theirs = one.keys.difference(besides), other.keys.difference(besides)
    return (
        len(ours & theirs) >= NEAR_IDENTICAL * len(ours | theirs)
        and not any(mine.about == its.about and mine.differs(its) for mine in one.values for its in other.values)
        and _tell_of_one_time(one, other)
        and _tell_one_event(question, one, other, besides)
    )


def _denial(question: str, claim: str, one: _Sentence, other: _Sentence) -> tuple[_Value, _Value] | None:
    """That something happened, and that it did not, in nearly the same words."""
    nots = [list(_NOT.finditer(each.text)) for each in (one, other)]
    if sorted(map(len, nots)) != [0, 1]:
        return None
    (no,), (denier, teller) = (nots[0], (one, other)) if nots[0] else (nots[1], (other, one))
    denied = next((term for term in denier.terms if term.start >= no.end()), None)
    happened = next((term for term in teller.terms if denied and term.key == denied.key), None)
    besides = {term.key for term in denier.terms if no.start() <= term.start < no.end()}
    if denied is None or happened is None or denied.key not in {term.key for term in _terms(claim)}:
        return None
    if not _are_near_identical(question, one, other, besides):
        return None
    told = _Value("polarity", happened.start, happened.end, (True,))
    untold = _Value("polarity", no.start(), denied.end, (False,))
    return (untold, told) if denier is one else (told, untold)


def _other_name(question: str, claim: str, one: _Sentence, other: _Sentence) -> tuple[_Value, _Value] | None:
    """Two names in one place of sentences that are nearly the same but for them."""
    if not _WHO.search(question) or _NOT.search(one.text) or _NOT.search(other.text):
        return None
    ours, theirs = list(_strangers(one, other)), list(_strangers(other, one))
    if len(ours) != 1 or len(theirs) != 1:
        return None
    (mine, before), (its, before_its) = ours[0], theirs[0]
    written = one.text[mine.start : mine.end]
    besides = {term.key for name in (written, other.text[its.start : its.end]) for term in _terms(name)}
    is_said = stems(written) <= stems(claim) and before == before_its
    return (mine, its) if is_said and _are_near_identical(question, one, other, besides) else None


def _strangers(one: _Sentence, other: _Sentence) -> Iterator[tuple[_Value, str]]:
    """The names of one sentence that the other's article has nothing of, each with the word before it. A person needs
    two names: one alone may be a country that stands for its government."""
    for match in _NAME.finditer(one.text):
        name = stems(match[0]) - _WEEKDAYS
        before = one.text[: match.start()].lower().split()[-1:] or [""]
        if name and not other.known & name and (len(name) > 1 or before[0] in ("in", "at", "near")):
            yield _Value("name", match.start(), match.end(), (name,)), before[0]


# What a sentence tells: its words, dates and numbers.

_SPEAKER = re.compile(  # who said it is not what was said
    r"^[^,\d]{2,60}?\s(?:said|says|reported|confirmed)\s(?:on \w+\s)?(?:that\s)?|,?\s?\baccording to [^,.]+|"
    r",\s[^,\d]{2,60}\s(?:said|says|told|reported|confirmed)\b[^,\d]*(?=[,.]|$)"
)
_CLAUSE = re.compile(r"[;:()—]\s?|,\s|\s(?:and|but|while|when|after|before|as|that|which|who|including|because)\s")
_WEEKDAYS = frozenset("monday tuesday wednesday thursday friday saturday sunday".split())
_BLAND = frozenset("peopl suicid car truck roadsid massiv huge power".split())
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
_SIGNS = {"$": "dollar", "€": "euro", "£": "pound", "¥": "yen"}
_LISTED = re.compile(r"\s*(?:,|,? ?(?:to|and|or)|of(?: the| its| their)?|–|-|from)\s*", re.IGNORECASE)
_PARTIAL = re.compile(r"\b(?:another|other|further|additional|first|last|every|between|dozens?)\s$", re.IGNORECASE)
_BOUND = re.compile(r"\b(?:by|until|before|after|since|around|about)\s$", re.IGNORECASE)
_WORD_BEFORE = re.compile(r"\b([^\W\d_][\w.]*)\s$")


class _Term(NamedTuple):
    """A telling word, by the key of all that mean the same."""

    key: str
    start: int
    end: int
    is_act: bool
    is_name: bool


@dataclass(frozen=True, slots=True)
class _Value:
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

    def differs(self, other: _Value) -> bool:
        parts = zip(self.parts, other.parts, strict=True)
        return self.low >= other.high or other.low >= self.high or any(a != b and None not in (a, b) for a, b in parts)

    def is_told_in(self, text: str) -> bool:
        return any(told.about == self.about and not told.differs(self) for told in _values(text))


@dataclass(frozen=True)
class _Sentence:
    """A sentence of an article, read for what it tells."""

    quote: Quote

    @cached_property
    def text(self) -> str:
        """Without those who say it, and as long."""
        return _SPEAKER.sub(lambda speaker: " " * len(speaker[0]), self.quote.text)

    @cached_property
    def values(self) -> tuple[_Value, ...]:
        return _values(self.text)

    @cached_property
    def terms(self) -> tuple[_Term, ...]:
        """The words beside its values."""
        taken = {place for value in self.values for place in range(value.start, value.end)}
        return tuple(term for term in _terms(self.text) if term.start not in taken and term.key not in _WEEKDAYS)

    @cached_property
    def keys(self) -> frozenset[str]:
        return frozenset(term.key for term in self.terms) - _BLAND

    @cached_property
    def names(self) -> frozenset[str]:
        """Those of the passage, for a word that opens a sentence does not show whether it is one."""
        return _names(self.quote.source.hit.text)

    @cached_property
    def weekdays(self) -> frozenset[str]:
        return _WEEKDAYS.intersection(re.findall(r"\w+", self.text.lower()))

    @cached_property
    def known(self) -> frozenset[str]:
        return stems(f"{self.quote.article.text}\n{self.quote.article.title or ''}")

    @cached_property
    def published(self) -> datetime | None:
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

    def near(self, value: _Value) -> tuple[_Term, ...]:
        """The words of the clause that tells `value`; all words, if that has no verb."""
        cuts = [cut for cut in _CLAUSE.finditer(self.text) if not value.start <= cut.start() < value.end]
        start = max((cut.end() for cut in cuts if cut.end() <= value.start), default=0)
        end = min((cut.start() for cut in cuts if cut.start() >= value.end), default=len(self.text))
        clause = tuple(term for term in self.terms if start <= term.start < end)
        return clause if any(term.is_act for term in clause) else self.terms

    def act(self, value: _Value) -> str:
        """The verb nearest to `value`, "" if there is none; a death toll kills, whatever it does."""
        acts = [term for term in self.near(value) if term.is_act]
        acts.sort(key=lambda term: max(value.start - term.end, term.start - value.end))
        tolls = [term for term in acts if self.text[term.start : term.end] == "toll"]
        return next((term.key for term in (*tolls, *acts)), "")


def _terms(text: str) -> Iterator[_Term]:
    for word in words(text):
        written = text[word.start : word.end]
        key = _KEYS.get(word.stem, word.stem)
        is_act = written.islower() and key not in ("bomb", "peopl") and (word.stem in _KEYS or written.endswith("ed"))
        yield _Term(key, word.start, word.end, is_act, word.kind == "name")


def _names(text: str) -> frozenset[str]:
    return frozenset(term.key for term in _terms(text) if term.is_name)


def _values(text: str) -> tuple[_Value, ...]:
    """The dates and numbers of a text; none of a range or a list, and none that is part of a name."""
    bare = _DATE.sub(lambda match: "\0" * len(match[0]), text)
    found = list(_NUMBER.finditer(bare))
    pairs = [pair for pair in pairwise(found) if _LISTED.fullmatch(bare, pair[0].end(), pair[1].start())]
    listed = {match for pair in pairs for match in pair}
    numbers = [_number(bare, match) for match in found if match not in listed]
    return (*map(_date, _DATE.finditer(text)), *filter(None, numbers))


def _date(match: re.Match[str]) -> _Value:
    written = match["bare"] or match[0]
    year, day = re.search(r"\d{4}", written), re.search(r"\b\d\d?(?!\d)", written)
    month = next((place for place, name in enumerate(_MONTHS, start=1) if name in written.lower()), None)
    parts: tuple[object, ...] = (year and int(year[0]), month, day and int(day[0]))
    if re.match(r"\d{4}-", written):
        parts = tuple(map(int, written.split("-")))
    start = match.end() - len(written)
    return _Value("date", start, match.end(), parts, is_level=bool(_BOUND.search(match.string[:start])))


def _number(text: str, match: re.Match[str]) -> _Value | None:
    """None for what may be a label, a year or a part of a whole."""
    before, after = text[: match.start()], text[match.end() :]
    digits, scale, word = (match[name] or "" for name in ("digits", "scale", "word"))
    previous = _WORD_BEFORE.search(before)
    label = (
        next(_terms(previous[1]), None) if previous and (previous[1][0].isupper() or not after[1:2].islower()) else None
    )
    if not (match["sign"] or match["percent"]) and (
        (label is not None and not label.is_act and label.key not in _WEEKDAYS)
        or re.match(r"\s(?:more|others?|of|dozens?)\b|[.)]\s+\w", after)
        or re.fullmatch(r"(?:1\d|20)\d\d", digits + scale)
        or scale.lower() == "m"
    ):
        return None
    if _PARTIAL.search(before) or (word.lower() in ("a", "one") and not scale):
        return None
    decimals, plain = len(digits.partition(".")[2]), digits.replace(",", "")
    amount = float(plain or _AMOUNTS[word.lower()] + _AMOUNTS.get((match["ones"] or "").lower(), 0))
    zeros = len(plain) - len(plain.rstrip("0")) if amount >= 100 and not decimals else 0
    slack = min(0.5 * 10**zeros, max(0.5, ROUNDED * amount)) / 10**decimals
    slack = max(slack, ABOUT * amount if match["about"] else 0)
    factor = 10.0 ** _SCALES.get(scale.lower(), 0)
    low, high = factor * (amount - slack), factor * (amount + slack)
    return _Value(
        "number",
        match.start(),
        match.end(),
        low=-inf if match["under"] else low,
        high=inf if match["over"] or match["counted"] else high,
        top=inf if match["over"] else high,
        unit=_unit(match, after),
        is_level=bool(re.search(r"\b(?:to|at|from)\s$", before)),
    )


def _unit(match: re.Match[str], after: str) -> frozenset[str]:
    """What is counted: a currency, percent of something, or up to three words that follow."""
    if match["sign"]:
        return frozenset({_SIGNS[match["sign"][-1]]})
    unit = {"percent"} if match["percent"] else set()
    counted = re.match(r"\sof(?:\sthe)?((?:\s[^\W\d_]+){0,3})" if unit else r"((?:\s[^\W\d_]+){0,3})", after)
    for word in counted[1].split() if counted else ():
        term = next(_terms(word), None)
        if term is None or term.is_act:
            break
        unit.add(term.key)
    return frozenset(unit - _BLAND - _WEEKDAYS)
