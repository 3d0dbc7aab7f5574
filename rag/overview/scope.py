"""Scope: the outlet and the period that a question about the collection names in words → the filter that they mean.

"Which articles from CNN mention Hunt since May?" asks for articles that mention Hunt; of which outlet and when they
were published is no part of the name. Only whole names of outlets of the index count, where they stand as the origin
of articles, and only periods at the end of a question, behind "articles" or behind "published". Knows no articles.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from index.filters import EVERYTHING, Filter
from rag.answer import Reason
from rag.dates import dates, day_of, in_words, written

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date

    from index import Index
    from rag.dates import Dated
    from rag.overview import Overview
    from rag.question import Question

_ARTICLES = (
    r"(?:(?:news )?(?:articles?|stor(?:y|ies)|reports?|pieces?|texts?|documents?|items?|posts?)|coverage|ones|those)"
)
_BOUND = re.compile(
    r"(?:,?\s*\b(?:but|and|only|just))*\s*"
    r"(?P<cue>\b(?:(?:that|which) )?(?:(?:were|was|are|is) )?(?:published|dated|written|printed)\s)?"
    r"(?P<bound>\b(?:in|on|during|from|since|after|before|until|till|up to|between))\s(?:the\s)?"
    r"(?:(?P<day>\d\d?)\s?(?:and|to|until|–|-)\s?)?$",
    re.IGNORECASE,
)
_UP_TO = re.compile(r"\s?(?:and|to|until|till|–|-)\s?(?:the\s)?", re.IGNORECASE)
_BEHIND_ARTICLES = re.compile(rf"\b{_ARTICLES}$", re.IGNORECASE)
_AT_THE_END = re.compile(r"[\s?.!,;)]*(?:please)?[\s?.!]*$", re.IGNORECASE)
_OF_A_NOUN = re.compile(
    r"\s(?!(?:mention|name|quote|discuss|cover|treat|deal|refer|contain|speak|talk|appear)|"
    r"(?:about|on|that|which|who|by|with|from|to|until|till|of|in|and|or|are|is|were|was|have|has|do|does|did|please)\b)[a-z]"
)
"""What follows a date that says which event is meant: "since the 2011 riots"."""
_CLEAR = ("since", "before", "until", "till", "up to", "between")
"""What can hardly be said of an event that is spoken of: "the riots in 2011" may be a subject, "before May" is none."""
MOST_CHARS = 2000
"""Characters of a question that is read; no question is longer."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a question says of outlet and period. `text` is the question without it; `outlet` and `period` are words for
    an answer: "CNN", "published since 1 May 2022". A period that is not `is_clear` may belong to the subject."""

    text: str
    only: Filter = EVERYTHING
    outlet: str = ""
    period: str = ""
    is_clear: bool = True

    @property
    def shown(self) -> str:
        """Outlet and period as an answer names them."""
        return ", ".join(filter(None, (self.outlet and f"from {self.outlet}", self.period)))

    def after(self, earlier: Sequence[Scope]) -> Scope:
        """The same with what it leaves open as the scopes of the questions before it have it, the last one first."""
        found = self
        for before in reversed(earlier):
            if not found.outlet and before.outlet:
                found = replace(found, outlet=before.outlet, only=replace(found.only, source=before.only.source))
            if not found.period and before.period:
                days = replace(found.only, after=before.only.after, before=before.only.before)
                found = replace(found, period=before.period, only=days, is_clear=found.is_clear and before.is_clear)
        return found


def scope_of(text: str, outlets: Sequence[str], last_published: str | None, *, since: bool = True) -> Scope:
    """The outlet and the period that `text` names. Periods without a year are those up to `last_published`. Without
    `since`, only periods that have an end."""
    if len(text) > MOST_CHARS:
        return Scope(text)
    text, outlet = _outlet(" ".join(text.split()), outlets)
    only = EVERYTHING if outlet is None else Filter.of(source=outlet)
    rest, days, period, is_clear = _period(text, day_of(last_published))
    if not since and days.before is None:
        return Scope(text, only, outlet or "")
    return Scope(rest, only.also(days), outlet or "", period, is_clear)


def read(
    question: Question, index: Index, leant_on: Callable[[Question], int], *, since: bool = True
) -> tuple[Question, Scope]:
    """The question and those before it without the words of their scopes, and the scope of the question: what it leaves
    open is as in those that it leans on; `leant_on` says how many of them, the last ones, it does."""
    outlets, last = index.outlets(), index.last_published()
    earlier = [scope_of(turn.question, outlets, last, since=since) for turn in question.history]
    own = scope_of(question.text, outlets, last, since=since)
    turns = zip(question.history, earlier, strict=True)
    history = tuple(replace(turn, question=scope.text) for turn, scope in turns)
    asked = replace(question, text=own.text, history=history)
    return asked, own.after(earlier[len(earlier) - leant_on(asked) :])


def narrowed(question: Question, scope: Scope) -> Question:
    """The question among the articles of a scope that its own filter lets pass as well."""
    if scope.only.source and question.only.source and scope.only.source != question.only.source:
        return question
    return replace(question, only=question.only.also(scope.only))


def within(
    question: Question, index: Index, leant_on: Callable[[Question], int], find: Callable[[Question, Scope], Overview]
) -> Overview:
    """What `find` finds in the scope of a question. Where that is nothing, and the period may belong to the subject
    ("the riots in 2011"), what it finds for the whole question without a scope."""
    asked, scope = read(question, index, leant_on)
    found = find(asked, scope)
    if found.total or found.sections or scope.is_clear or found.reason == Reason.CANCELLED:
        return found
    whole = find(replace(asked, text=question.text), Scope(question.text))
    return whole if whole.total or whole.sections else found


def _outlet(text: str, outlets: Sequence[str]) -> tuple[str, str | None]:
    """The text without the outlet that is the origin of articles, and that outlet."""
    is_small = text[1:] == text[1:].lower()
    for outlet in sorted(outlets, key=len, reverse=True):
        bare = re.sub(r"^(?:the |www\.)|\.(?:com|org|net|co\.uk)$", "", outlet.strip(), flags=re.IGNORECASE)
        if not bare or bare.casefold() not in text.casefold():
            continue
        # A name in small letters is one only where nothing is written in capitals: "over time", "Time".
        name = rf"(?:[Tt]he )?{'(?i:' if is_small else '(?:'}{re.escape(bare)})(?![\w-])"
        for pattern, kept in (
            (rf"(?<=\b)(?P<articles>{_ARTICLES})(?: that (?:are|were))? (?:published |written |printed )?"
             rf"(?:from|by|of|in) {name}(?!['’])", r"\g<articles>"),
            (rf"{name}(?:['’]s?)? (?P<articles>{_ARTICLES})\b", r"\g<articles>"),
            (rf"(?:did|does|do|has|have|had) {name} (?:publish|write|run|carr|print|post|report|cover|have)\w*", ""),
            (rf",? (?:(?:only|just) )?(?:published |written )?from {name}(?=[\s?.!]*$)", ""),
            (rf"^(?:(?:and|but|only|just|now) )*(?:from|by|of|in) {name}(?=[\s?.!]*$)", ""),
        ):  # fmt: skip
            # The words around a name are written in any case, the name is not.
            stripped, count = re.subn(re.sub(r"\(\?i:", "(?i:", pattern), kept, text, count=1)
            if count:
                return " ".join(stripped.split()), outlet
    return text, None


def _period(text: str, last: date | None) -> tuple[str, Filter, str, bool]:
    """The text without the period of publication, its filter, words for it, and whether it is clearly one."""
    found = dates(text, last)
    for place, one in enumerate(found):
        bound = _BOUND.search(text[: one.start])
        if bound is None or _OF_A_NOUN.match(text, one.end) or (bound["bound"].lower() == "on" and len(one.value) < 10):
            continue
        name, end, until = bound["bound"].lower(), one.end, one
        after = found[place + 1] if place + 1 < len(found) else None
        if name in ("between", "from") and after and _UP_TO.fullmatch(text, one.end, after.start):
            end, until, name = after.end, after, "between"
        is_published = bool(bound["cue"]) or bool(_BEHIND_ARTICLES.search(text[: bound.start()].rstrip()))
        if not is_published and not _AT_THE_END.match(text, end) and bound.start() > 0:
            continue
        first, end_day = one.span[0], until.span[1]
        if bound["day"] and name in ("between", "from") and int(bound["day"]) in range(1, first.day + 1):
            first, name = first.replace(day=int(bound["day"])), "between"  # "between 1 and 5 May"
        elif bound["day"] or (name == "between" and until is one):
            continue
        only = {
            "since": Filter.of(after=str(first - timedelta(days=1))),
            "after": Filter.of(after=str(end_day)),
            "before": Filter.of(before=str(first)),
        }.get(name)
        if name in ("until", "till", "up to"):
            only = Filter.of(before=str(end_day + timedelta(days=1)))
        elif only is None:
            only = Filter.of(after=str(first - timedelta(days=1)), before=str(end_day + timedelta(days=1)))
        rest = " ".join(f"{text[: bound.start()]} {text[end:]}".split())
        return rest, only, _in_words(name, first, one, until), is_published or name in _CLEAR
    return text, EVERYTHING, "", True


def _in_words(bound: str, first: date, one: Dated, until: Dated) -> str:
    """The period as an answer names it: "published between 1 May 2022 and 3 June 2022"."""
    if bound == "between":
        begins = written(one.value) if first == one.span[0] else in_words(first)
        return f"published between {begins} and {written(until.value)}"
    if bound in ("in", "on", "during", "from"):
        first, last = one.span
        bound = "on" if first == last else "in"
    return f"published {bound} {written(one.value)}"
