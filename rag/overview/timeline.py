"""Timeline: a subject → the sentences that report its dated events, in order. Knows no language model.

The index finds passages of the subject and, from those, others that are like them. Each of their sentences that says
when what it reports happened is an entry; an article that dates nothing itself is an entry of the day on which it was
published. Sentences on one event are one entry, and the entries that most is reported on are given.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from rag.answer import Citation, Claim, Reason, Section
from rag.dates import dates, day_of, span, written
from rag.grounding.lexicon import WEIGHTS, words
from rag.grounding.statement import is_statement
from rag.overview import Overview
from rag.overview.naming import Subject
from rag.overview.scope import Scope, narrowed, within
from rag.question import leans_on_history
from rag.relevance import RELEVANT, relevance

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import date

    from index import Index
    from index.article import Article, Span
    from index.hit import Hit
    from rag.question import Question

ENTRIES = 10
"""Entries when none other number is asked for: as many as fit a page without scrolling far."""
MOST_ENTRIES = 200
STARTS = 20
"""Passages from which others of the subject are looked for; 10 do nearly as well (docs/experiments.md)."""
LEAST_PASSAGES, PASSAGES_PER_ENTRY = 48, 1.2
"""Passages that are read for entries: at least, and for each entry that is asked for."""
LEAST_VISITS = 0.15
"""Visits of a passage of the subject, as a share of the most: with none, 3 of 100 entries are of another event, with it
1; .25 loses a third of the entries of the longest events (docs/experiments.md)."""
GAP = 2.0
"""Where a passage is visited so many times less than the one before it, another subject begins. Between updates of one
event and those of others the ratio is 2 to 8 where there is a gap at all (docs/experiments.md)."""
SAME_EVENT, LEAST_COMMON = 0.6, 3.0
"""Weight of the words that two sentences on one event share: of the shorter one's, and at least."""
SAME_WORDS = 0.75
"""The same for two sentences that give different dates, of the words of both."""
SAME_DAYS = 3
"""A report comes so many days after the event at most to be taken for a report of it."""
INEXACT = 0.5
"""What an event counts of which no more than the month is known: most are figures of a month, or the background."""
DISAGREEING_DAYS = 31
"""Dates further apart are those of two events, however alike their sentences."""

WHOLE_CHARS = 2000
"""An article of so many characters, some 320 words, names whom it is about. 99 of 100 dated updates, most of which do
not, are shorter."""

_FRAME = re.compile(
    r"\b(?:time-?lines?|chronolog(?:y|ies|ical (?:list|account|overview|order))|(?:sequence|order) of events|"
    r"(?:key|important|main) dates|what happened when|(?:walk|take|guide|lead) (?:me|us) through|"
    r"(?:put|bring|list|show) the (?:main )?events|(?:the )?course of events)\b"
    r"(?:\s+(?:of|for|on|about|in|during|behind|around|regarding|concerning|leading (?:up )?to)\b)?",
    re.IGNORECASE,
)
_IN_ORDER = re.compile(
    r"\s*,?\s*(?:in (?:chronological |date |time |the right )?order(?: of date)?|chronologically)\W*$"
)
_ASKED = re.compile(
    r"^\W*(?:(?:please|can|could|would|you|now|and|then|also|what|is|was|are|were)\b\s*)*(?:give|show|make|write|draw|create|build|list|tell)?\b"
    r"\s*(?:me|us)?\b\s*(?:an?|the)?\b\s*(?:as|in)?\s*(?:an?|the)?\s*$",
    re.IGNORECASE,
)
_LEANS = re.compile(r"\W*(?:he|she|it|they|this|that|these|those|his|her|their|its|and|but|also)\b", re.IGNORECASE)
FEWEST_WORDS = 4


@dataclass(frozen=True, slots=True)
class Entry:
    """A sentence that reports an event, with the ISO date of it; `expression` are the words that give the date, None
    for a sentence that has none and is dated by its publication. `score` is how much its passage belongs to the
    subject; `is_named` whether the sentence is of the subject by its words (rag/overview/naming.py)."""

    article: Article
    sentence: Span
    value: str
    expression: str | None
    is_derived: bool
    score: float
    is_named: bool

    @property
    def text(self) -> str:
        """The exact words."""
        return self.sentence.of(self.article.text)

    @property
    def days(self) -> tuple[date, date]:
        """The first and the last day that it may have happened on."""
        return span(self.value)

    @property
    def is_exact(self) -> bool:
        """Whether it is known to a week."""
        first, last = self.days
        return (last - first).days < 7

    @property
    def exactness(self) -> tuple[bool, int]:
        """Greater is better: dated in its own words, on fewer days."""
        first, last = self.days
        return self.expression is not None, -(last - first).days


@dataclass(slots=True)
class Story:
    """Entries on one event, the first of which is quoted."""

    entries: list[Entry] = field(default_factory=list)

    @property
    def best(self) -> Entry:
        """The most exact entry, of equals the one that belongs most to the subject."""
        return max(self.entries, key=lambda entry: (entry.exactness, entry.score))

    @property
    def is_named(self) -> bool:
        """Whether any entry is of the subject by its words."""
        return any(entry.is_named for entry in self.entries)

    @property
    def salience(self) -> float:
        """How much is reported on it: the scores of its articles, each once."""
        reports = sum({entry.article.id: entry.score for entry in self.entries}.values())
        return reports * (1.0 if self.best.is_exact else INEXACT)


def timeline(
    question: Question, index: Index, *, limit: int | None, report: Callable[[Section], None], cancel: threading.Event
) -> Overview:
    """The events of a subject in order, `limit` of them at most. The first one is reported as soon as the search has
    found the subject, the others when it is known which matter."""
    return within(
        question, index, leant_on, lambda asked, scope: _of_subject(asked, scope, index, limit, report, cancel)
    )


def _of_subject(
    question: Question,
    scope: Scope,
    index: Index,
    limit: int | None,
    report: Callable[[Section], None],
    cancel: threading.Event,
) -> Overview:
    """The same for a question without the words of its scope. What happens since a day is reported after it, what
    happens before may be at any time."""
    subject = subject_of(question)
    only = narrowed(question, replace(scope, only=replace(scope.only, before=None))).only.to_dict()
    if not words(subject):
        return Overview("", reason=Reason.UNCLEAR)
    hits = index.search(subject, 2 * STARTS, **only)
    if not hits:
        return Overview("", reason=Reason.FILTERED_OUT if question.only else Reason.EMPTY_INDEX)
    named = Subject.of(subject, index)
    near = [hit for hit in hits if relevance(subject, hit) >= RELEVANT and named.is_of(hit)]
    starts = _naming(subject, near)[:STARTS]
    if not starts:
        return Overview("", reason=Reason.NOTHING_RELEVANT)
    most = min(limit or ENTRIES, MOST_ENTRIES)
    early = (entry for hit in starts for entry in entries([hit], named) if _is_within(entry, scope))
    first = next((entry for entry in early if entry.is_named), None)
    if first is not None:
        report(_section(Story([first])))
    k = max(LEAST_PASSAGES, int(PASSAGES_PER_ENTRY * most) + STARTS)
    found = _naming(subject, _of_one_subject(index.around(subject, starts, k, **only, cancel=cancel), starts))
    near_it = [entry for entry in entries(found, named) if _is_within(entry, scope)]
    # In a long crisis most is reported without its name; who asks for many entries is given these as well.
    dated = [entry for entry in near_it if entry.is_named or (limit and len(entry.article.text) < WHOLE_CHARS)]
    stories = _stories([*([first] if first else []), *dated])
    rest = sorted(stories[1:], key=lambda story: (not story.is_named, -story.salience))
    chosen = [*stories[:1], *rest[: most - 1]]
    for story in chosen[1:] if not cancel.is_set() else ():
        report(_section(story))
    chosen.sort(key=lambda story: (story.best.days, story.best.article.id))
    of = f" {scope.shown.replace('published ', '')}" if scope.shown else ""
    if not chosen:
        if near_it:
            return Overview(f"No dated sentence of the articles names {subject}{of}.", reason=Reason.NOT_ANSWERED)
        none = f"The articles on {subject} date nothing{of}." if of else f"The articles on {subject} give no dates."
        return Overview(none, reason=Reason.NOT_ANSWERED)
    articles = len({entry.article.id for story in chosen for entry in story.entries})
    lead = f"What {articles} articles report on {subject}{of}, in order of date."
    if articles == 1:
        lead = f"What one article reports on {subject}{of}, in order of date."
    reason = Reason.CANCELLED if cancel.is_set() else None
    return Overview(lead, tuple(map(_section, chosen)), total=None, reason=reason)


def _is_within(entry: Entry, scope: Scope) -> bool:
    """Whether an entry lies in the period that is asked for."""
    first, last = entry.days
    after, before = scope.only.after, scope.only.before
    return (after is None or first.isoformat() > after) and (before is None or last.isoformat() < before)


def leant_on(question: Question) -> int:
    """How many of the questions before it give the subject of one that has none of its own."""
    own = _without_frame(question.text)
    if words(own) and not leans_on_history(own):
        return 0
    texts = [_without_frame(turn.question) for turn in reversed(question.history)]
    return next((back for back, text in enumerate(texts, start=1) if words(text)), 0)


def subject_of(question: Question) -> str:
    """What a timeline is asked of, without the words that ask for one; that of the question before, if it has none."""
    own = _without_frame(question.text)
    if words(own) and not (question.history and leans_on_history(own)):
        return own
    before = [_without_frame(turn.question) for turn in reversed(question.history)]
    return next((f"{subject} {own}".strip() for subject in before if words(subject)), own)


def _without_frame(text: str) -> str:
    frame = _FRAME.search(text)
    if frame is None:
        return text.strip().rstrip("?.! ")
    before, after = text[: frame.start()], text[frame.end() :]
    if _ASKED.match(before):
        before = ""
    after = _IN_ORDER.sub("", after)
    return f"{before.strip()} {after.strip()}".strip().rstrip("?.! ")


def _naming(subject: str, hits: Sequence[Hit]) -> list[Hit]:
    """The passages without those of whole articles that lack most names of the subject: in a small collection the
    nearest passages to somebody's arrest may be of somebody else's. Short updates often leave the names out."""
    names = {word.stem for word in words(subject) if word.kind == "name"}
    articles = {hit.article.id: hit.article for hit in hits} if names else {}
    known = {
        one.id: names & {word.stem for word in words(f"{one.title or ''}\n{one.text}")} for one in articles.values()
    }
    return [
        hit
        for hit in hits
        if not names or 2 * len(known[hit.article.id]) > len(names) or len(hit.article.text) < WHOLE_CHARS
    ]


def _of_one_subject(found: Sequence[Hit], starts: Sequence[Hit]) -> Sequence[Hit]:
    """The passages that are visited enough, before the first gap behind those that the search itself found."""
    found = [hit for hit in found if hit.score >= LEAST_VISITS]
    for place, (one, after) in enumerate(pairwise(found), start=1):
        if place >= len(starts) and one.score > GAP * after.score:
            return found[:place]
    return found


def entries(hits: Sequence[Hit], subject: Subject) -> Iterator[Entry]:
    """The dated sentences of passages, best passage first, and for an article whose news none dates, its first sentence
    on the subject that can be understood alone: the news stands first. One that is of the subject by its words goes
    before others."""
    undated: dict[str, list[tuple[bool, bool, int, Entry]]] = {}
    has_news: set[str] = set()
    for hit in hits:
        published = day_of(hit.article.published)
        for sentence, is_named in subject.sentences_of(hit):
            text = sentence.of(hit.article.text)
            if not is_statement(text, fewest_words=FEWEST_WORDS):
                continue
            dated = list(_dated(hit, sentence, published, is_named))
            yield from dated
            if published is None or any(one.is_exact and (published - one.days[1]).days <= SAME_DAYS for one in dated):
                has_news.add(hit.article.id)
            elif not dated:
                entry = Entry(hit.article, sentence, published.isoformat(), None, True, hit.score, is_named)
                undated.setdefault(hit.article.id, []).append(
                    (not is_named, bool(_LEANS.match(text)), sentence.start, entry)
                )
    for article_id, found in undated.items():
        if article_id not in has_news:
            score = max(entry.score for *_, entry in found)
            yield replace(min(found, key=lambda one: one[:3])[3], score=score)


def _dated(hit: Hit, sentence: Span, published: date | None, is_named: bool) -> Iterator[Entry]:
    """An entry for each date on which the sentence says that something happened, as it is to be known when it was
    printed."""
    text, seen = sentence.of(hit.article.text), set()
    for found in dates(text, published):
        is_past = published is None or found.span[0] <= published
        if found.is_when and is_past and found.value not in seen:
            seen.add(found.value)
            words_of_it = text[found.start : found.end]
            yield Entry(hit.article, sentence, found.value, words_of_it, found.is_derived, hit.score, is_named)


def _stories(found: Sequence[Entry]) -> list[Story]:
    """Entries on one event together, in the order of their first ones."""
    stories: list[list[_Compared]] = []
    for entry in map(_Compared.of, found):
        story = next((story for story in stories if any(_is_one_event(entry, other) for other in story)), None)
        if story is None:
            stories.append([entry])
        elif all(entry.place != other.place for other in story):
            story.append(entry)
    return [Story([one.entry for one in story]) for story in stories]


@dataclass(frozen=True, slots=True)
class _Compared:
    """An entry with what is compared of it, which is found out once: with many entries there are a million pairs.
    `weights` are those of the stems of its sentence, dates apart, and `weight` is their sum."""

    entry: Entry
    place: tuple[str, Span]
    days: tuple[date, date]
    weights: Mapping[str, float]
    weight: float

    @classmethod
    def of(cls, entry: Entry) -> _Compared:
        weights = {word.stem: WEIGHTS[word.kind] for word in words(entry.text) if not word.is_number}
        return cls(entry, (entry.article.id, entry.sentence), entry.days, weights, sum(weights.values()))


def _is_one_event(one: _Compared, other: _Compared) -> bool:
    if one.place == other.place:
        return one.entry.value == other.entry.value
    first, second = one.days, other.days
    apart = max((second[0] - first[1]).days, (first[0] - second[1]).days)
    if apart > DISAGREEING_DAYS:
        return False
    is_lag = one.entry.expression is None or other.entry.expression is None
    is_near = apart <= (SAME_DAYS if is_lag else 0)
    if is_lag and not is_near:
        return False
    common = sum(one.weights[stem] for stem in one.weights.keys() & other.weights.keys())
    if is_near:
        return common >= max(LEAST_COMMON, SAME_EVENT * min(one.weight, other.weight))
    return common >= max(LEAST_COMMON, SAME_WORDS * (one.weight + other.weight - common))


def _section(story: Story) -> Section:
    """The row of an event: the quote of its best entry, to which the other articles are cited as well."""
    best = story.best
    others = sorted((entry for entry in story.entries if entry is not best), key=lambda entry: -entry.score)
    cited = {entry.article.id: entry for entry in [*reversed(others), best]}
    quotes = [best, *(entry for entry in others if cited[entry.article.id] is entry)]
    citations = tuple(Citation(0, one.article, one.sentence.start, one.sentence.end) for one in quotes)
    claim = Claim(best.text, 0, 0, citations, support=1.0, supported=True, verbatim=True)
    return Section(_heading(best, quotes), _iso(best.value), best.article.id, (claim,))


def _heading(best: Entry, quotes: Sequence[Entry]) -> str:
    """The date in words, by what words of the sentence it is reckoned, the outlets, and who gives another date."""
    when = f"{written(best.value)}"
    if best.expression is None:
        when = f"Reported on {when}"
    elif best.is_derived:
        when = f"{when} (“{' '.join(best.expression.split())}”)"
    outlets = list(dict.fromkeys(entry.article.source for entry in quotes if entry.article.source))
    differing = {
        entry.value: entry
        for entry in quotes
        if entry.expression is not None and (entry.days[0] > best.days[1] or entry.days[1] < best.days[0])
    }
    dates_of_others = [
        f"{entry.article.source or entry.article.headline} says {written(entry.value)}" for entry in differing.values()
    ]
    return " · ".join(filter(None, (when, ", ".join(outlets), "; ".join(dates_of_others))))


def _iso(value: str) -> str:
    """As much of the date as all its days have in common: of a week the month, or else the year."""
    if "W" not in value:
        return value
    first, last = span(value)
    return f"{first:%Y-%m}" if first.month == last.month else f"{first:%Y}"
