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

if TYPE_CHECKING:
    from collections.abc import Sequence

    from index.article import Article
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
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip


def asks_about_now(question: str) -> bool:
    """Whether a question asks how things are at the time of asking."""
    return _oldest_days(question) is not None


def newest_first(question: str, hits: Sequence[Hit], *, least_share: float) -> list[Hit]:
    """For a question about now, the hits that score at least `least_share` of the best, newest first, those without a
    date last; for others the hits as they are."""
    if not hits or not asks_about_now(question):
        return list(hits)
    best = max(hit.score for hit in hits)
    near = [hit for hit in hits if hit.score >= least_share * best]
    return sorted(near, key=lambda hit: hit.article.published or "", reverse=True)


def dated(question: str, claims: Sequence[Claim], *, today: date | None = None) -> tuple[Claim, ...]:
    """The claims of an answer, the first of which begins with the day they are of if the question is about now."""
    oldest_days = _oldest_days(question)
    if oldest_days is None or not claims:
        return tuple(claims)
    days = [day for claim in claims for citation in claim.citations if (day := _day_of(citation.article)) is not None]
    if not days:
        return tuple(claims)
    newest, today = max(days), today or date.today()
    lead = f"As of {_written(newest)}:"
    if (today - newest).days > oldest_days:
        lead = f"As of {_written(newest)}, which is {_ago((today - newest).days)}:"
    return (replace(claims[0], text=f"{lead} {claims[0].text}"), *claims[1:])


def attributed(claims: Sequence[Claim]) -> tuple[Claim, ...]:
    """An answer that is a few words from one article, as a sentence that says who reported it and when."""
    if len(claims) != 1 or claims[0].verbatim or len(claims[0].text.split()) > FRAGMENT_WORDS:
        return tuple(claims)
    articles = {citation.article.id: citation.article for citation in claims[0].citations}
    (article,) = articles.values() if len(articles) == 1 else (None,)
    day = _day_of(article) if article is not None else None
    if article is None or day is None or not article.source:
        return tuple(claims)
    said = claims[0].text.rstrip(" .")
    return (replace(claims[0], text=f"{said}, {' '.join(article.source.split())} reported on {_written(day)}."),)


def _oldest_days(question: str) -> int | None:
    if _YEAR.search(question):  # "Who was the leader in 2019, and who is it now?" would need two answers
        return None
    return next((days for pattern, days in _SPANS if pattern.search(question)), None)


def _day_of(article: Article) -> date | None:
    try:
        return date.fromisoformat((article.published or "")[:10])
    except ValueError:  # none, or only a year or a month
        return None


def _written(day: date) -> str:
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def _ago(days: int) -> str:
    """A number of days in the largest unit that fits twice, else in the next smaller one."""
    for unit, length in (("year", 365), ("month", 30), ("week", 7)):
        if days >= 2 * length:
            return f"{days // length} {unit}s ago"
    return f"{days} days ago"
