"""Disagreement: where articles tell one fact differently. Pure; knows no model.

The quotes of a claim are held against the sentences of other articles. Two that tell of one event are compared in
what they tell: a number, a date, a name, or whether it happened at all. Every rule would rather miss a disagreement
than invent one: what is rounded, hedged, hypothetical, a range or one of a list agrees with nearly everything.
"""

from __future__ import annotations

import re
from datetime import date
from itertools import pairwise
from math import inf
from typing import TYPE_CHECKING

from index.version import counterparts
from rag.answer import Citation, Disagreement, Side
from rag.grounding import cite
from rag.grounding.facts import BLAND, WEEKDAYS, Sentence, Value, figures_of, names_of, terms_of, values_of
from rag.grounding.lexicon import WEIGHTS, stems

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from index.article import Article
    from rag.answer import Source
    from rag.grounding.cite import Quote

    _Told = tuple["Sentence", "Value"]

LEAST_OVERLAP, LEAST_COMMON = 0.6, 3
"""Weight that two sentences on one event have in common: as a share of the shorter one's, and at least."""
NEAR_IDENTICAL = 0.75
"""Share of the words of both that they have in common, where little else says that they tell one thing."""
LEAST_FIGURES, LEAST_FIGURES_ELSE = 6, 12
"""Words of the shortest sentence that is the same as another but for an amount, or but for another number."""
VERSION, MOST_VERSIONS = "version", 3
"""What versions of one document differ in, and how many older wordings of one quote are told."""
LEAST_SIMILARITY = 0.6
"""Cosine of their vectors, where known."""
SAME_STORY_DAYS, NEAR_DAYS = 31, 7
"""Longest time between two reports of an event that names no year, and between two dates of what happens again."""

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
    others = [Sentence(quote) for quote in cite.quotes(sources) if _WHOLE.search(quote.text)]
    found: dict[tuple[str, frozenset[str]], Disagreement] = {}
    for mine in (Sentence(quote) for quote in quotes if _WHOLE.search(quote.text)):
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


def between_versions(quote: Citation, versions: Sequence[Article]) -> tuple[Disagreement, ...]:
    """Where older versions of the quoted article tell otherwise what the quote tells, newest first; or that only this
    older version tells it. `versions` are all of the document, the newest first. Citations but `quote` have number 0.
    """
    place = next((at for at, one in enumerate(versions) if one.id == quote.article_id), None)
    if place is None:
        return ()
    found: list[Disagreement] = []
    said = set()
    for older in versions[place + 1 :]:
        for pair in counterparts(older.text, quote.article.text):
            newer = pair.newer
            if newer is None or pair.is_same or not (newer.start < quote.end and quote.start < newer.end):
                continue
            wordings = newer.of(quote.article.text), pair.older.of(older.text)
            if len(found) < MOST_VERSIONS and wordings not in said:
                said.add(wordings)
                quotes = quote, Citation(0, older, pair.older.start, pair.older.end)
                found.append(Disagreement(VERSION, tuple(map(Side, _apart(*wordings), quotes))))
    if place and not found:
        found.append(Disagreement(VERSION, (Side(quote.quote, quote),)))
    return tuple(found)


def _apart(one: str, other: str) -> tuple[str, str]:
    """The words in which two wordings differ, with the word before them where one of them has none."""
    mine, its = one.split(), other.split()
    fewest = min(len(mine), len(its))
    start = next((at for at in range(fewest) if mine[at] != its[at]), fewest)
    end = next((at for at in range(fewest - start) if mine[-1 - at] != its[-1 - at]), fewest - start)
    if start and fewest - start == end:
        start -= 1
    return " ".join(mine[start : len(mine) - end]), " ".join(its[start : len(its) - end])


def sentence(disagreement: Disagreement) -> str:
    """How an answer says it: who says what, newest first; or what an older version says."""
    if disagreement.about == VERSION:
        cited = disagreement.sides[-1].citation
        date = cited.article.updated or cited.published
        version = f"older version of “{cited.article.headline}”" + (f", of {date[:4]}," if date else "")
        quote = " ".join(cited.quote.split())
        is_only = len(disagreement.sides) == 1
        return f"Only an {version} says: “{quote}”" if is_only else f"An {version} says: “{quote}”"
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


def _tellings(question: str, claim: str, mine: Sentence, fellows: Sequence[Sentence]) -> Iterator[list[_Told]]:
    """What `mine` tells and the claim says, but the question does not, each with what `fellows` tell of the same."""
    alike = [other for other in fellows if _tell_one_event(question, mine, other)]
    about = "date" if _WHEN.search(question) else "number"
    asked = {(value.parts, value.low) for value in values_of(question)}
    told: dict[Value, list[_Told]] = {}
    for value in mine.values if alike else ():
        if value.about == about and value.is_told_in(claim) and (value.parts, value.low) not in asked:
            told[value] = [
                (other, its) for other in alike for its in other.values if _tell_one_fact(mine, value, other, its)
            ]
    for other in fellows:
        if pair := _other_figure(question, claim, mine, other):
            told.setdefault(pair[0], []).append((other, pair[1]))
    yield from ([(mine, value), *facts] for value, facts in told.items())
    for other in fellows:
        for pair in (_denial(question, claim, mine, other), _other_name(question, claim, mine, other)):
            if pair:
                yield [(mine, pair[0]), (other, pair[1])]


def _tell_one_event(question: str, one: Sentence, other: Sentence, besides: Collection[str] = ()) -> bool:
    """Whether two sentences tell, as certain, of one event: they share much, and each article knows the names of the
    other sentence and of the question. Words `besides` do not count."""
    ours, theirs = one.keys.difference(besides), other.keys.difference(besides)
    asked, common = names_of(question).difference(besides), ours & theirs
    names = (one.names | other.names | asked) - WEEKDAYS

    def weight(keys: Collection[str]) -> float:
        return sum(WEIGHTS["name" if key in names else "word"] for key in keys)

    def roles(sentence: Sentence) -> list[tuple[str, bool]]:
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


def _tell_of_one_time(one: Sentence, other: Sentence, besides: Collection[Value] = ()) -> bool:
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


def _tell_one_fact(one: Sentence, value: Value, other: Sentence, its: Value) -> bool:
    """Whether two values are of one thing, in sentences on one event: of one unit and with one verb, in clauses of
    which only one says more than the other sentence, and narrows nothing down."""
    act = one.act(value)
    if (value.about, value.unit, act) != (its.about, its.unit, other.act(its)):
        return False
    if value.is_level != its.is_level and act != "kill":
        return False
    here, there = ({term.key for term in each.near(of)} - BLAND for each, of in ((one, value), (other, its)))
    if (here - other.keys and there - one.keys) or _narrows(one, value, other) or _narrows(other, its, one):
        return False
    if not act and len(here & there) < NEAR_IDENTICAL * len(here | there):
        return False
    if value.about == "date":
        is_bound = value.is_level or its.is_level
        return not is_bound and (_are_near(value, its) or (act in _ONCE and not (here | there) & _AGAIN))
    is_standing = _STANDING.search(one.text[: value.start]) and _STANDING.search(other.text[: its.start])
    return _tell_of_one_time(one, other, (value, its)) or bool(is_standing)


def _narrows(one: Sentence, value: Value, other: Sentence) -> bool:
    """Whether the clause narrows something down that the other sentence does not: net profit, young voters."""
    return any(
        term.key not in other.keys | BLAND
        and not (term.is_name or after.is_name or term.is_act or after.is_act)
        and after.key in other.keys
        and one.text[term.end : after.start] in (" ", "-")
        for term, after in pairwise(one.near(value))
    )


def _are_near(one: Value, other: Value) -> bool:
    """Whether two dates have a day and lie so close that they are of one event."""
    try:
        first, second = (date(2000, *value.parts[1:]) for value in (one, other))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    is_one_year = None in (one.parts[0], other.parts[0]) or one.parts[0] == other.parts[0]
    return is_one_year and abs(first - second).days <= NEAR_DAYS


def _are_near_identical(question: str, one: Sentence, other: Sentence, besides: Collection[str]) -> bool:
    """Whether two sentences say the same of one event, but for the words `besides`."""
    ours, theirs = one.keys.difference(besides), other.keys.difference(besides)
    return (
        len(ours & theirs) >= NEAR_IDENTICAL * len(ours | theirs)
        and not any(mine.about == its.about and mine.differs(its) for mine in one.values for its in other.values)
        and _tell_of_one_time(one, other)
        and _tell_one_event(question, one, other, besides)
    )


def _denial(question: str, claim: str, one: Sentence, other: Sentence) -> tuple[Value, Value] | None:
    """That something happened, and that it did not, in nearly the same words."""
    nots = [list(_NOT.finditer(each.text)) for each in (one, other)]
    if sorted(map(len, nots)) != [0, 1]:
        return None
    (no,), (denier, teller) = (nots[0], (one, other)) if nots[0] else (nots[1], (other, one))
    denied = next((term for term in denier.terms if term.start >= no.end()), None)
    happened = next((term for term in teller.terms if denied and term.key == denied.key), None)
    besides = {term.key for term in denier.terms if no.start() <= term.start < no.end()}
    if denied is None or happened is None or denied.key not in {term.key for term in terms_of(claim)}:
        return None
    if not _are_near_identical(question, one, other, besides):
        return None
    told = Value("polarity", happened.start, happened.end, (True,))
    untold = Value("polarity", no.start(), denied.end, (False,))
    return (untold, told) if denier is one else (told, untold)


def _other_name(question: str, claim: str, one: Sentence, other: Sentence) -> tuple[Value, Value] | None:
    """Two names in one place of sentences that are nearly the same but for them."""
    if not _WHO.search(question) or _NOT.search(one.text) or _NOT.search(other.text):
        return None
    ours, theirs = list(_strangers(one, other)), list(_strangers(other, one))
    if len(ours) != 1 or len(theirs) != 1:
        return None
    (mine, before), (its, before_its) = ours[0], theirs[0]
    written = one.text[mine.start : mine.end]
    besides = {term.key for name in (written, other.text[its.start : its.end]) for term in terms_of(name)}
    is_said = stems(written) <= stems(claim) and before == before_its
    return (mine, its) if is_said and _are_near_identical(question, one, other, besides) else None


def _other_figure(question: str, claim: str, one: Sentence, other: Sentence) -> tuple[Value, Value] | None:
    """Two numbers in one place of sentences that are the same but for them, word for word: who tells of something else
    writes something else. A number that is a year, a label or no amount for another reason takes a longer sentence."""
    ours, theirs = one.figures, other.figures
    apart = [(mine, its) for mine, its in zip(ours, theirs, strict=False) if mine.written != its.written]
    if len(ours) != len(theirs) or len(apart) != 1:
        return None
    ((mine, its),) = apart
    value, its_value = one.value_of(mine), other.value_of(its)
    if value is None or its_value is None or (value.about, len(value.parts)) != (its_value.about, len(its_value.parts)):
        return None
    is_amount = value.about == "number" and not value.parts
    said, asked, known = (
        {figure.written for figure in figures_of(text)} for text in (claim, question, other.quote.article.text)
    )
    names = (one.names & one.keys) | names_of(question)
    return (
        (value, its_value)
        if value.differs(its_value)
        and len(ours) >= (LEAST_FIGURES if is_amount else LEAST_FIGURES_ELSE)
        and (is_amount or not one.keys & _AGAIN)
        and mine.written in said - asked - known
        and bool(names)
        and all(each.mentions(name) for each in (one, other) for name in names)
        and _tell_of_one_time(one, other, (value, its_value))
        else None
    )


def _strangers(one: Sentence, other: Sentence) -> Iterator[tuple[Value, str]]:
    """The names of one sentence that the other's article has nothing of, each with the word before it. A person needs
    two names: one alone may be a country that stands for its government."""
    for match in _NAME.finditer(one.text):
        name = stems(match[0]) - WEEKDAYS
        before = one.text[: match.start()].lower().split()[-1:] or [""]
        if name and not other.known & name and (len(name) > 1 or before[0] in ("in", "at", "near")):
            yield Value("name", match.start(), match.end(), (name,)), before[0]
