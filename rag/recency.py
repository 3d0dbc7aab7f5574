"""Recency: questions about now, the newest articles for them, and the day that an answer is of. Pure but for the clock.

An article tells what was so when it was published. A question about now ("Who is the prime minister?", "What happened
this week?") is answered from the newest articles that are worth reading, and the answer begins with the day it is of;
if that is too long ago for what was asked, it says so.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from rag.dates import day_of, in_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from index.hit import Hit
    from rag.answer import Claim

_SPANS = (
    (re.compile(r"\b(?:today|tonight|yesterday|this (?:morning|afternoon|evening))\b", re.IGNORECASE), 2),
    (re.compile(r"\b(?:this|the past|the last|last) week\b", re.IGNORECASE), 14),
    (re.compile(r"\b(?:this|the past|the last|last) month\b", re.IGNORECASE), 62),
    (re.compile(r"\bthis year\b|\bthe (?:past|last) year\b", re.IGNORECASE), 366),
    (
        re.compile(
            r"\b(?:now|nowadays|currently|current|recent|recently|lately|latest|newest|so far|these days|still|"
            r"at present|at the moment|up to date)\b|^who(?:'s| is| are) (?:the|our)\b",
            re.IGNORECASE,
        ),
        92,
    ),
)
"""Words that ask about now, and how many days old an article may be to speak of it: twice the period that is named, for
"last week" reaches back two weeks; a quarter of a year where none is named."""
_YEAR = re.compile(r"\b(?:1[5-9]|20)\d\d\b")
FRAGMENT_WORDS = 4
"""An answer of so few words is mostly a date, a number or a name and no sentence."""


def asks_about_now(question: str) -> bool:
    """Whether a question asks how things are at the time of asking."""
    return _oldest_days(question) is not None


def newest_first(question: str, hits: Sequence[Hit], *, least_share: float) -> list[Hit]:
    """For a question about now, the hits that score at least `least_share` of the best, newest first, those without a
    date last, but the best one second at the latest: the newest articles may not tell. For others the hits as they
    are."""
    if not hits or not asks_about_now(question):
        return list(hits)
    best = max(hits, key=lambda hit: hit.score)
    near = [hit for hit in hits if hit.score >= least_share * best.score]
    newest, *others = sorted(near, key=lambda hit: hit.article.published or "", reverse=True)
    return [newest, *([] if newest is best else [best]), *(hit for hit in others if hit is not best)]


def opening(question: str, claims: Sequence[Claim], *, today: date | None = None) -> str:
    """What an answer to a question about now begins with: the day of its newest quote, and how long ago that is if it
    is too long for what was asked. "" for other questions and for quotes without a date."""
    oldest_days = _oldest_days(question)
    days = [day_of(citation.published) for claim in claims for citation in claim.citations]
    newest = max((day for day in days if day is not None), default=None)
    if oldest_days is None or newest is None:
        return ""
    age_days = ((today or date.today()) - newest).days
    return f"As of {in_words(newest)}{f', which is {_ago(age_days)}' if age_days > oldest_days else ''}:"


def attributed(claims: Sequence[Claim]) -> tuple[Claim, ...]:
    """An answer that is a few words from one article, as a sentence that says who reported it and when."""
    if len(claims) != 1 or claims[0].verbatim or len(claims[0].text.split()) > FRAGMENT_WORDS:
        return tuple(claims)
    articles = {citation.article.id: citation.article for citation in claims[0].citations}
    (article,) = articles.values() if len(articles) == 1 else (None,)
    day = day_of(article.published) if article is not None else None
    if article is None or day is None or not article.source:
        return tuple(claims)
    said = claims[0].text.rstrip(" .")
    return (replace(claims[0], text=f"{said}, {' '.join(article.source.split())} reported on {in_words(day)}."),)


def _oldest_days(question: str) -> int | None:
    if _YEAR.search(question):  # "Who was the leader in 2019, and who is it now?" would need two answers
        return None
    return next((days for pattern, days in _SPANS if pattern.search(question)), None)


def _ago(days: int) -> str:
    """A number of days in the largest unit that fits twice, else in the next smaller one."""
    for unit, length in (("year", 365), ("month", 30), ("week", 7)):
        if days >= 2 * length:
            return f"{days // length} {unit}s ago"
    return f"{days} days ago"
