"""Sides: a question that compares → the sides that it names and the subject on which they are to be compared.

Sides are outlets of the index, periods, or other things and people. The patterns hold closed classes of words, for the
joints of a list, verbs of reporting and so on, and never a subject. Knows no articles.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from index.filters import EVERYTHING, Filter
from rag.dates import YEARS, day_of
from rag.grounding.lexicon import MONTHS, words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rag.question import Question

_MONTH = rf"(?:{'|'.join(MONTHS)})"
_YEAR = r"(?:1\d|20)\d\d"
_PERIOD = rf"(?:\d{{4}}-\d\d(?:-\d\d)?|(?:\d\d? {_MONTH}|{_MONTH} \d\d?,?) {_YEAR}|{_MONTH}(?: {_YEAR})?|{_YEAR})"
_NAME = r"(?:[A-Z0-9][\w.&'’-]*(?: (?:(?:of|the|de|and the) )?[A-Z0-9][\w.&'’-]*)*)"
"""Words with capitals that follow each other: "The Daily Bugle"."""
_JOINT = (
    r"(?:,? (?:and|or|with|to|from|against|versus|vs\.?|as opposed to) |, )"
    r"(?:(?:in|of|by|at|that of|what|the one in) )?"
)
"""What stands between two sides."""
_BEFORE_AND_AFTER = re.compile(
    rf"\b(?:before|until|prior to) (?:and|vs\.?|versus|to|or) (?:after|since) (?P<when>{_PERIOD})\b"
)
_PERIODS = re.compile(rf"\b(?:(?:between|in|of|from|during|early|late) )?{_PERIOD}(?:{_JOINT}{_PERIOD})+\b")
_ON = r"(?:about|on|regarding|concerning|over|as to|in terms of|with regard to|when it comes to|with respect to)"
_DIFFER = r"(?:differ|disagree|agree|compare|contrast|diverge|vary|conflict|contradict)(?:s|ed)?"
_SAY = (
    r"(?:(?:have|has|had) )?(?:say|says|said|write|writes|wrote|written|report|reports|reported|cover|covers|covered|"
    r"describe|describes|described|present|presented|think|thinks|thought|portray|portrayed|see|saw|claim|claimed|tell|"
    r"told|treat|treated)"
)
_ACCOUNTS = re.compile(
    r"\b(?:(?:different|various|several|each|both|all|other|the|these|those|individual|two|three|news) )*"
    r"(?:outlets?|newspapers?|papers|publications|media|sources|articles|accounts|reports|stories|coverage|reporting|versions)\b",
    re.IGNORECASE,
)
_OPENING = frozenset(
    "please can could would you me compare contrast comparison comparisons comparing make give show a an the what "
    "whats is are was were has have had do does did how where which main key differences difference similarities "
    "similarity between among in across by from at to with and or both put side they it of differ differs differed "
    "disagree disagrees disagreed agree agrees agreed compared contradict contradicts vary conflict diverge say "
    "says said write writes wrote written report reports reported cover covers covered coverage describe describes "
    "described present presented claim claimed treat treated see saw think told tell change changed changes "
    "differently each other one another then now discrepancies contradictions disagreements disagreement".split()
)
"""Words that may open or end a question before or after its subject. An outlet, or what stands for all, is one, too."""
_MARK = "\N{WHITE SQUARE}"
"""Stands for the sides while the subject is read."""


@dataclass(frozen=True, slots=True)
class Named:
    """A side as it is named. `only` is the filter of its passages; of a thing there is none, for its name must stand in
    them. An outlet that `is_unknown` has no article."""

    name: str
    kind: Literal["outlet", "period", "thing"]
    only: Filter = EVERYTHING
    is_unknown: bool = False


@dataclass(frozen=True, slots=True)
class Sides:
    """What is compared, and on which subject; "" for all there is. If `is_any_outlet`, the sides are whatever outlets
    speak of it, and `named` is empty; else, with less than two, the question lacks a side."""

    named: tuple[Named, ...]
    subject: str
    is_any_outlet: bool = False


def sides_of(question: Question, outlets: Sequence[str], last_published: str | None = None) -> Sides:
    """The sides of a question and its subject. What it leaves out is that of the question before it.

    `outlets` are those of the index; a month without a year is the last one up to `last_published`.
    """
    found = _read(question.text, outlets, last_published)
    for turn in reversed(question.history):
        if (len(found.named) > 1 or found.is_any_outlet) and words(found.subject):
            break
        before = _read(turn.question, outlets, last_published)
        lone = len(found.named) == 1 and before.named and found.named[0] not in before.named
        named = (*before.named, *found.named) if lone else found.named if len(found.named) > 1 else before.named
        is_any = found.is_any_outlet or (not named and before.is_any_outlet)
        found = Sides(named, found.subject if words(found.subject) else before.subject, is_any)
    return found


def _read(text: str, outlets: Sequence[str], last_published: str | None) -> Sides:
    text = " ".join(text.split()).rstrip("?.! ").replace(": ", " on ")
    for read in (_outlets, _periods, _accounts, _things):
        found = read(text, outlets, last_published)
        if found is not None:
            return found
    return Sides((), _subject(text))


def _outlets(text: str, outlets: Sequence[str], _: str | None) -> Sides | None:
    """Outlets of the index, and what is named beside one of them as if it were an outlet as well."""
    known = {_spoken(outlet).casefold(): outlet for outlet in reversed(outlets)}
    one = "|".join(re.escape(name) for name in sorted(known, key=len, reverse=True) if name)
    if not one:
        return None
    # A name in small letters is one only where nothing is written in capitals: "over time", "Time".
    is_plain = text[1:] == text[1:].lower()
    outlet = rf"(?:[Tt]he )?(?i:{one})(?![\w-])" if is_plain else rf"(?:[Tt]he )?(?=[A-Z0-9])(?i:{one})(?![\w-])"
    group = re.compile(rf"(?<![\w-])(?:{outlet}|{_NAME}(?={_JOINT}{outlet}))(?:{_JOINT}(?:{outlet}|(?:the )?{_NAME}))*")
    # The verb that opens a question is no name, whatever its capital.
    opening = re.match(r"(?:[A-Z][a-z]+ )(?=(?:the )?[A-Z0-9])", text) if text[:1].isupper() else None
    start = opening.end() if opening and opening[0].strip().casefold() in _OPENING else 0
    found = group.search(text, start)
    if found is None:
        return None
    rest = _marked(text, found)
    named = [_outlet(part, known) for part in _parted(found[0])]
    # "How does CNN's account of it differ from the BBC's"
    named += [_outlet(other, known) for other in re.findall(outlet, rest)]
    rest = re.sub(rf"{_MARK}(?:['’]s)?", _MARK, re.sub(outlet, _MARK, rest))
    if len(named) == 1:
        if re.search(r"\b(?:other|others|the rest|everyone else|everybody else)\b", text):
            return Sides((), _subject(_ACCOUNTS.sub(_MARK, rest)), is_any_outlet=True)
        things = _things(re.sub(rf" (?:in|by|at|from) (?:the )?{_MARK}$", "", rest), (), None)
        if things is not None and not any(_MARK in one.name for one in things.named):
            inside = named[0].only
            return Sides(tuple(Named(one.name, "thing", inside) for one in things.named), things.subject)
    return Sides(tuple(dict.fromkeys(named)), _subject(rest))


def _marked(text: str, found: re.Match[str]) -> str:
    return f"{text[: found.start()]}{_MARK}{text[found.end() :]}"


def _outlet(name: str, known: dict[str, str]) -> Named:
    """The outlet of the index that is meant, by its whole name or by words of it."""
    bare = _spoken(name)
    outlet = known.get(bare.casefold())
    if outlet is None:
        outlet = next((one for one in known.values() if Filter.of(source=bare).passes(one, None)), None)
    return Named(outlet or bare, "outlet", Filter.of(source=outlet or bare), is_unknown=outlet is None)


def _spoken(outlet: str) -> str:
    """A name as people say it: without an article, "www." and ".com"."""
    return re.sub(r"^(?:the |www\.)|\.(?:com|org|net|co\.uk)$", "", outlet.strip(), flags=re.IGNORECASE)


def _periods(text: str, _: Sequence[str], last_published: str | None) -> Sides | None:
    around = _BEFORE_AND_AFTER.search(text)
    if around is not None:
        when = _iso(around["when"], last_published)
        named: tuple[Named, ...] = (
            Named(f"Before {around['when']}", "period", Filter.of(before=when)),
            Named(f"After {around['when']}", "period", Filter.of(after=when)),
        )
        return Sides(named, _subject(_marked(text, around)))
    listed = _PERIODS.search(text)
    if listed is None:
        return None
    written = re.findall(_PERIOD, listed[0])
    year = re.search(r"\d{4}$", written[-1])
    # "in May and June 2022"
    whole = [one if re.search(r"\d{4}", one) or not year else f"{one} {year[0]}" for one in written]
    named = tuple(Named(one, "period", Filter.of(within=_iso(one, last_published))) for one in whole)
    return Sides(named, _subject(_marked(text, listed)))


def _iso(written: str, last_published: str | None) -> str:
    """A year, month or day as it stands in an operator."""
    if re.fullmatch(r"\d{4}(?:-\d\d)*", written):
        return written
    month = next(number for number, name in enumerate(MONTHS, start=1) if name in written)
    year, day = re.search(r"\d{4}", written), re.search(r"\b\d\d?\b", written)
    if year is None:
        last = day_of(last_published)
        # Where no article has a date, a year of which there is none.
        return f"{last.year - (month > last.month) if last else YEARS.start}-{month:02}"
    return f"{year[0]}-{month:02}" + (f"-{int(day[0]):02}" if day else "")


def _accounts(text: str, _: Sequence[str], __: str | None) -> Sides | None:
    """Whatever outlets, articles or reports there are."""
    found = _ACCOUNTS.search(text)
    if found is None or re.search(r" (?:versus|vs\.?) ", text):
        return None
    return Sides((), _subject(_marked(text, found)), is_any_outlet=True)


_ON_WHAT = rf"(?: {_ON} (?P<on>.+))?$"
_BETWEEN = (
    r"^(?:.*? )?(?:compare|contrast|comparison (?:of|between)|(?:differences?|similarities) between)(?: the)? "
    rf"(?P<sides>.+?){_ON_WHAT}",
    r"^(?:and |so )?(?:how|where|in what (?:ways?|respects?)|do|does|did) (?:(?:do|does|did|are|is) )?"
    rf"(?P<sides>.+?) (?:{_DIFFER}|different){_ON_WHAT}",
    rf"^(?:how|in what way) (?:is|are|was|were) (?P<sides>.+? different from .+?){_ON_WHAT}",
    rf"^what (?:do|does|did|have|has) (?P<sides>.+?) {_SAY}(?: {_ON})? (?P<on>.+)$",
    rf"^(?P<sides>.+? (?:versus|vs\.?) .+?){_ON_WHAT}",
    rf"^(?P<sides>.+?(?:,| and| or) .+?){_ON_WHAT}",
)
"""Where a question names things: `sides` joined by "and", and what they are compared `on`."""
_SAID = re.compile(rf"^(?:what|how) (?P<sides>.+?) {_SAY}(?: {_ON})? (?P<on>.+)$", re.IGNORECASE)
_OF = re.compile(r"^(?P<on>(?:the |what |how )?[^A-Z,]+?) (?:of|in|at|for|by|between) (?P<side>(?:the )?\S.*)$")


def _things(text: str, _: Sequence[str], __: str | None) -> Sides | None:
    for pattern in _BETWEEN:
        found = re.search(pattern, text, re.IGNORECASE)
        if found is None:
            continue
        sides, on = found["sides"], found["on"] or ""
        said = _SAID.search(f"{sides} {on and 'about'} {on}".strip())
        if said is not None:
            sides, on = said["sides"], said["on"]
        parts = _parted(sides.replace(" different from ", " and "))
        if owned := re.match(r"(.+?)['’]s (.+)$", parts[-1]) if parts and not on else None:
            parts[-1], on = owned[1], owned[2]  # "Musk's and Zuckerberg's apologies"
        of = _OF.match(parts[0]) if parts and not on else None
        if of is not None and len(parts) > 1:
            parts[0], on = of["side"], of["on"]
        parts = [re.sub(r"^(?:both|between|the) |['’]s?$", "", part).strip() for part in parts]
        named = tuple(dict.fromkeys(Named(part, "thing") for part in parts if words(part)))
        if len(named) > 1:
            return Sides(named, re.sub(r"^(?:their|its) ", "", on))
    return None


def _parted(group: str) -> list[str]:
    return [bare for part in re.split(_JOINT, group) if (bare := part.strip(" ,"))]


def _subject(text: str) -> str:
    """What is left of a question without the words that open and end it; sides are marked."""
    tokens = text.replace(_MARK, f" {_MARK} ").split()
    is_open = False
    while tokens and (_bare(tokens[0]) in _OPENING or re.fullmatch(_ON, _bare(tokens[0])) or _MARK in tokens[0]):
        if (
            _bare(tokens[0]) == "how"
            and len(tokens) > 1
            and _bare(tokens[1]) in ("many", "much", "long", "often", "far")
        ):
            break
        word = _bare(tokens.pop(0))
        is_open = is_open or word not in ("please", "can", "could", "would", "you", "me")
        if is_open and tokens and _MARK not in tokens[0] and (re.fullmatch(_ON, word) or word == "of"):
            break
    while tokens and (_bare(tokens[-1]) in _OPENING or re.fullmatch(_ON, _bare(tokens[-1])) or _MARK in tokens[-1]):
        tokens.pop()
    return " ".join(token for token in tokens if _MARK not in token).strip(" ,;:")


def _bare(token: str) -> str:
    return re.sub(r"[^\w]", "", token).lower()
