"""Summary: the sentences that cover a subject, chosen articles, or what was published since a day, in their own words.

Every sentence of the passages is scored by how near it is to all others, how near to the subject, how recent its
article is and how early it stands in it; of the best, those are taken that repeat none before them, from several
articles and outlets (MMR, Carbonell and Goldstein 1998). Knows no language model.
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import groupby
from typing import TYPE_CHECKING

from index.filters import Filter
from rag.answer import Citation, Claim, Reason, Section
from rag.dates import day_of, in_words, published_in_words
from rag.grounding.lexicon import MONTHS, WEEKDAYS, words
from rag.grounding.statement import is_statement, stands_alone
from rag.overview import Overview
from rag.overview.naming import Subject
from rag.overview.scope import Scope, narrowed, read
from rag.relevance import RELEVANT, covered, relevance

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from index import Index
    from index.article import Article, Span
    from index.hit import Hit
    from rag.question import Question

SENTENCES = 5
"""Sentences when none other number is asked for: a paragraph."""
LENGTHS = {"Short": 3, "Medium": SENTENCES, "Long": 10}
"""Sentences of the lengths that a reader may choose."""
MOST_SENTENCES = 50
SUBJECT_PASSAGES = 48
"""Passages of a subject that are read."""
MOST_ARTICLES = 50
"""Articles, the newest ones, that are read where no subject is asked for."""
FEWEST_WORDS = 6
"""Shorter sentences lack who or what they are about."""
NEAR_SUBJECT, RECENT, EARLY = 0.5, 1.5, 0.5
"""Weights beside centrality: of the nearness to the subject, of the date from the oldest to the newest article, and of
standing first in an article. Chosen on four events: python -m benchmarks collection --parts summary."""
NEW = 0.7
"""Share of the score in the choice of a sentence; the rest is its similarity to the nearest one chosen before."""
SAME_ARTICLE, SAME_OUTLET = 0.15, 0.05
"""What each sentence of the same article, or outlet, chosen before takes off the choice."""
LEAST_NEAR = 0.2
"""Least cosine to the subject of a sentence that has none of its words."""
REPEATS = 0.9
"""Cosine from which a sentence says what another one says."""

_NUMBERS = {word: number for number, word in enumerate("one two three four five six seven eight nine ten".split(), 1)}
_LENGTH = re.compile(
    rf",?\s*\bin (?P<n>\d\d?|{'|'.join(_NUMBERS)}) (?:short )?(?:sentences?|lines|points|bullet points)\b|"
    r",?\s*\b(?P<short>in (?:brief|short|a nutshell|a few (?:sentences|words|lines)|a couple of sentences)|briefly|"
    r"(?:short|brief|quick)(?= (?:summar|overview|recap|run-?down|digest|outline))|shorter|tl;?dr(?: of)?)(?:\b|$)|"
    r",?\s*\b(?P<long>in (?:depth|detail)|at length|"
    r"(?:long|detailed|full)(?= (?:summar|overview|recap|run-?down|digest|outline))|longer)\b|"
    r",?\s*\bin (?:a|one) (?:single )?paragraph\b",
    re.IGNORECASE,
)
_DIGEST = (
    r"(?:summar(?:y|ies)|overview|recap|gist|digest|highlights|takeaways|synopsis|run-?down|briefing|outline|round-?up|"
    r"main points|key points|bottom line|main ideas?)"
)
_FRAME = re.compile(
    r"^(?:(?:please|can|could|would|will|you|now|and|then|also|i|we|want|need|give|show|tell|write|make|get|me|us|a|an|the|"
    r"what|are|is|were|short|brief|quick|long|longer|shorter|to|see|have)\s+)*"
    r"(?:summari[sz]e|sum(?:ming)? up|recap|condense|outline|brief (?:me|us)|fill (?:me|us) in|catch (?:me|us) up|"
    rf"{_DIGEST})\b"
    r"(?:\s+(?:of|on|about|for|from|regarding))?\s*|"
    r"^(?:and\s+)?what(?:['’]s| is| was| has been| were| are)?\s+(?:the\s+)?"
    r"(?:new|added|published|reported|written|happening|latest news)\b(?:\s+(?:on|about|with|in))?\s*|"
    r"^what (?:do|does|did) (?:the |these |those )?(?:articles|outlets|stories|reports) (?:say|report|write)"
    r"(?: about| on)?\s*",
    re.IGNORECASE,
)
_ABOUT_WHAT = re.compile(
    r"^what (?:is|are) (?:the|this|these) (?:articles?|stor(?:y|ies)|reports?)"
    r"(?: (?:about|on) (?P<subject>.+?))? about$",
    re.IGNORECASE,
)
_ALL_OF_IT = re.compile(
    r"^(?:(?:all|the|this|these|those|my|our|of|whole|entire|selected|chosen|newest|latest|recent|news)\s+)*"
    r"(?:(?:articles?|stor(?:y|ies)|reports?|coverage|reporting|news|texts?|documents?|pieces?|it|them|this|everything|"
    r"collection|library)\b(?:\s+(?:of|on|about|regarding|for)\b|$))\s*|"
    r"\s*\b(?:on the whole|in general|generally|overall|altogether|"
    r"(?:in|of) the (?:collection|library|news|articles))$",
    re.IGNORECASE,
)
_NAMED_ARTICLE = re.compile(r"(?<=\bthis article): “.*”", re.IGNORECASE)
"""Where articles are chosen, the title of one is no subject to look for: "Summarise this article: “Hunt resigns”"."""
_MONTHS = "|".join(MONTHS)
_SINCE = re.compile(
    rf"\s*\b(?:since|after|from)\s+(?:last\s+)?(?P<day>yesterday|{'|'.join(WEEKDAYS)}|\d{{4}}(?:-\d\d){{0,2}}|"
    rf"(?:\d\d?\s)?(?:{_MONTHS})(?:\s\d\d?)?(?:,?\s\d{{4}})?)(?:\s+on)?\b|"
    r"\s*\b(?P<span>today|yesterday|this (?:week|month|year)|"
    r"in the (?:last|past) (?P<n>\d+|two|three|four|five|six|seven|ten)?\s?(?P<unit>day|week|month|year)s?|"
    r"(?:last|the past) (?P<one>week|month|year))\b",
    re.IGNORECASE,
)
_DAYS = {"day": 1, "week": 7, "month": 30, "year": 365}


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be summarised: a `subject`, "" for all that `only` lets pass; in how many sentences, None for as many
    as are usual; `since` is the first day, as it is said in the answer."""

    subject: str
    only: Filter
    limit: int | None = None
    since: date | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Sentence:
    """A sentence that may be chosen; `place` counts those of its article."""

    article: Article
    span: Span
    place: int
    vector: NDArray[np.float32]

    @property
    def text(self) -> str:
        return self.span.of(self.article.text)


def summarize(
    question: Question,
    index: Index,
    *,
    limit: int | None,
    report: Callable[[Section], None],
    cancel: threading.Event,
) -> Overview:
    """The sentences that cover what is asked for, `limit` of them at most, by article and in order of date."""
    question, scope = read(question, index, lambda asked: int(not _has_own(asked, index)), since=False)
    question = narrowed(question, scope)
    asked = asked_for(question, index.last_published())
    most = min(limit or asked.limit or SENTENCES, MOST_SENTENCES)
    query: NDArray[np.float32] | None = None
    if words(asked.subject):
        hits: list[Hit] = index.search(asked.subject, SUBJECT_PASSAGES, **asked.only.to_dict())
        if not hits:
            return Overview("", reason=Reason.FILTERED_OUT if asked.only else Reason.EMPTY_INDEX)
        subject = Subject.of(asked.subject, index)
        hits = [hit for hit in hits if relevance(asked.subject, hit) >= RELEVANT and subject.is_of(hit)]
        if not hits:
            return Overview("", reason=Reason.NOTHING_RELEVANT)
        found = {(hit.article.id, hit.start) for hit in hits}
        query = index.embedder.embed_query(asked.subject)
        ids = list(dict.fromkeys(hit.article.id for hit in hits))
    else:
        found = None
        ids = list(index.newest(MOST_ARTICLES, asked.only))
        if not ids:
            none = f"No article is dated {in_words(asked.since)} or later." if asked.since else ""
            none = f"There is no article {scope.shown}." if scope.shown else none
            return Overview(none, reason=Reason.FILTERED_OUT if asked.only else Reason.EMPTY_INDEX)
    sentences = [
        _Sentence(article, span, place, vector)
        for article, passages in index.embedded(ids)
        for place, (start, span, vector) in enumerate(passages)
        if found is None or (article.id, start) in found
    ]
    fit = [
        one
        for one in sentences
        if is_statement(one.text, fewest_words=FEWEST_WORDS) and (query is None or _is_near(one, asked.subject, query))
    ]
    alone = [one for one in fit if stands_alone(one.text)]
    chosen = choose(alone if len(alone) >= most else fit or sentences, query, most, cancel)
    chosen.sort(key=lambda one: (one.article.published or "", one.article.id, one.span.start))
    sections = tuple(_section(list(together)) for _, together in groupby(chosen, key=lambda one: one.article.id))
    for section in sections:
        report(section)
    reason = Reason.CANCELLED if cancel.is_set() else None
    return Overview(_lead(asked, scope, chosen), sections, None, reason)


def asked_for(question: Question, last_published: str | None) -> Asked:
    """The subject, period and length of a question. Days like "Monday" are those before the newest article."""
    text = " ".join(question.text.split()).rstrip("?.! ")
    if question.only.articles is not None:
        text = _NAMED_ARTICLE.sub("", text)
    limit, given = None, [*_LENGTH.finditer(text)]
    for length in sorted(given, key=lambda one: one["n"] is not None):  # "a short summary in two sentences" has two
        number = (length["n"] or str(SENTENCES)).lower()
        named = "Short" if length["short"] else "Long" if length["long"] else ""
        limit = LENGTHS[named] if named else int(_NUMBERS.get(number, number))
    text = re.sub(r"^\W+|,? please$", "", " ".join(_LENGTH.sub(" ", text).split()))
    if of := _ABOUT_WHAT.match(text.strip()):
        text = of["subject"] or ""
    text = _FRAME.sub("", text.strip(), count=1)
    since = None
    if (found := _SINCE.search(text)) and (since := _day(found, last_published)) is not None:
        text = f"{text[: found.start()]}{text[found.end() :]}"
    subject = text.strip()
    while (bare := _ALL_OF_IT.sub("", subject).strip(" ,?")) != subject:
        subject = bare
    subject = subject if words(subject) else ""
    if not subject and since is None and question.history and question.only.articles is None:
        before = asked_for(replace(question, text=question.history[-1].question, history=()), last_published)
        subject, since = before.subject, before.since
    only = question.only.also(Filter.of(after=str(since - timedelta(days=1)))) if since else question.only
    return Asked(subject, only, limit, since)


def choose(
    sentences: Sequence[_Sentence], query: NDArray[np.float32] | None, most: int, cancel: threading.Event
) -> list[_Sentence]:
    """The sentences that cover the others, the best first."""
    import numpy as np

    if not sentences:
        return []
    matrix = np.stack([one.vector for one in sentences])
    days = np.array([_ordinal(one.article.published) for one in sentences], dtype=float)
    dated = days[days > 0]
    first, last = (dated.min(), dated.max()) if len(dated) else (0.0, 0.0)
    recent = np.clip((days - first) / max(1.0, last - first), 0, 1)
    early = np.array([1 / (1 + one.place) for one in sentences])
    score = (1 - NEAR_SUBJECT) * _standard(matrix @ matrix.mean(axis=0)) + RECENT * recent + EARLY * early
    if query is not None:
        score += NEAR_SUBJECT * _standard(matrix @ query)
    score = (score - score.min()) / max(1e-9, float(np.ptp(score)))
    articles = np.array([one.article.id for one in sentences])
    outlets = np.array([one.article.source or "" for one in sentences])
    nearest = np.full(len(sentences), -np.inf)  # the cosine to the nearest sentence that is chosen
    value = NEW * score
    chosen: list[int] = []
    while len(chosen) < min(most, len(sentences)) and not cancel.is_set():
        best = int(value.argmax())
        if not np.isfinite(value[best]):
            break
        chosen.append(best)
        score = score - (SAME_ARTICLE * (articles == articles[best]) + SAME_OUTLET * (outlets == outlets[best])) / NEW
        nearest = np.maximum(nearest, matrix @ matrix[best])
        value = np.where(nearest >= REPEATS, -np.inf, NEW * score - (1 - NEW) * nearest)
    return [sentences[place] for place in chosen]


def _is_near(sentence: _Sentence, subject: str, query: NDArray[np.float32]) -> bool:
    return covered(subject, sentence.text) > 0 or float(sentence.vector @ query) >= LEAST_NEAR


def _standard(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """With mean 0 and deviation 1."""
    standard: NDArray[np.float32] = (values - values.mean()) / (values.std() + 1e-9)
    return standard


def _section(chosen: Sequence[_Sentence]) -> Section:
    """What is quoted of one article, under its outlet and date."""
    article = chosen[0].article
    # The headline of an article without a title is its first sentence, which may be the one that is quoted.
    name = article.source or article.title or ("" if article.published else article.headline)
    heading = " · ".join(filter(None, (name, published_in_words(article.published))))
    quoted = []
    for one in chosen:
        text = " ".join(one.text.split())
        citation = Citation(0, article, one.span.start, one.span.end)
        quoted.append(Claim(text, 0, len(text), (citation,), 1.0, supported=True, verbatim=True))
    return Section(heading, (article.published or "")[:10] or None, article.id, tuple(quoted))


def _has_own(question: Question, index: Index) -> bool:
    """Whether a question has a subject or a period of its own."""
    asked = asked_for(replace(question, history=()), index.last_published())
    return bool(words(asked.subject)) or asked.since is not None


def _lead(asked: Asked, scope: Scope, chosen: Sequence[_Sentence]) -> str:
    articles = list({one.article.id: one.article for one in chosen}.values())
    outlets = {article.source for article in articles if article.source}
    since = f" since {in_words(asked.since)}" if asked.since else ""
    since += f" ({scope.shown})" if scope.shown else ""
    count = "one sentence" if len(chosen) == 1 else f"{len(chosen)} sentences"
    if len(articles) == 1:
        about = f" on {asked.subject}" if asked.subject else ""
        return f"{count.capitalize()} of “{articles[0].headline}”{about}{since}."
    of = f" from {len(outlets)} outlets" if len(outlets) > 1 else ""
    return f"{asked.subject[:1].upper()}{asked.subject[1:]}{since}, in {count} of {len(articles)} articles{of}." if (
        asked.subject
    ) else f"What the articles report{since}, in {count} of {len(articles)}{of}."  # fmt: skip


def _day(found: re.Match[str], last_published: str | None) -> date | None:
    """The first day that is meant; None where it cannot be reckoned."""
    newest = day_of(last_published)
    if found["day"]:
        return _since(found["day"].lower(), newest)
    if newest is None:
        return None
    span = found["span"].lower()
    if span in ("today", "yesterday"):
        return newest - timedelta(days=span == "yesterday")
    if span.startswith("this"):
        starts = {"week": newest - timedelta(days=newest.weekday()), "month": newest.replace(day=1)}
        return starts.get(span[5:], newest.replace(month=1, day=1))
    number = (found["n"] or "1").lower()
    count = int(number) if number.isdigit() else _NUMBERS[number]
    return newest - timedelta(days=min(count, 1000) * _DAYS[(found["unit"] or found["one"]).lower()])


def _since(written: str, newest: date | None) -> date | None:
    weekdays = [name.lower() for name in WEEKDAYS]
    if written == "yesterday" or written in weekdays:
        if newest is None:
            return None
        back = 1 if written == "yesterday" else (newest.weekday() - weekdays.index(written)) % 7
        return newest - timedelta(days=back)
    try:
        if re.fullmatch(r"\d{4}(?:-\d\d)*", written):
            return date.fromisoformat(f"{written}-01-01"[:10] if len(written) == 4 else f"{written}-01"[:10])
        month = next(number for number, name in enumerate(MONTHS, start=1) if name.lower() in written)
        year, day = re.search(r"\d{4}", written), re.search(r"\b\d\d?\b", written)
        if year is None and newest is None:
            return None
        reckoned = date(int(year[0]) if year else newest.year, month, int(day[0]) if day else 1)  # type: ignore[union-attr]
    except ValueError:
        return None
    if year is not None or newest is None or reckoned <= newest:
        return reckoned
    last = reckoned.year - 1
    return reckoned.replace(year=last, day=min(reckoned.day, monthrange(last, reckoned.month)[1]))


def _ordinal(published: str | None) -> int:
    day = day_of(published)
    return 0 if day is None else day.toordinal()
