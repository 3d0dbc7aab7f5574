"""Comparison: what each side says of a subject, found in and quoted from the passages of that side alone.

The sides are outlets, periods, or things and people (rag/overview/sides.py). Each gets its best sentence, in the
article's own words; a side that says nothing of the subject is named as silent. What the sentences have in common and
what only one of them has, in numbers, dates and names, is said above them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from index.article import Span
from index.filters import Filter
from index.passage import sentences
from rag.answer import Citation, Claim, Reason, Section, Source
from rag.dates import published_in_words
from rag.grounding import claims, disagreement
from rag.grounding.lexicon import MONTHS, STOP_WORDS, WEEKDAYS, stems, words
from rag.grounding.statement import is_statement
from rag.overview import Overview
from rag.overview.sides import Named, sides_of
from rag.question import leans_on_history
from rag.relevance import RELEVANT, covered

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Sequence

    from index import Hit, Index
    from rag.question import Question

MOST_SIDES = 4
"""Sides when no other number is asked for: as many columns as a page has room for."""
HITS, WIDE_HITS = 8, 24
"""Passages that are looked at for a side, and to find out which outlets speak of a subject."""
OUTLETS_TRIED = 12
"""Outlets, those with most articles first, that are searched one by one where the best passages are of too few."""
LEAST_OF_BEST = 0.6
"""Least score of a side's sentence, as a share of that of the best side: below, it is on something else near the
subject, and the side is better called silent."""
MOST_NAMED = 3
"""Numbers or names that one sentence of the lead lists."""

_MONTH = rf"(?:{'|'.join([*MONTHS, *(month[:3] for month in MONTHS)])})\b\.?"
_CALENDAR = re.compile(rf"{_MONTH}|{'|'.join(WEEKDAYS)}")
_FIGURE = re.compile(  # "20 October 2022", "Oct. 20", "$44 billion", "45 days", "3.5 percent"
    rf"(?<![\w.,])(?<!\d[-–])(?:\d\d? {_MONTH}(?:,? \d{{4}})?|{_MONTH} \d\d?(?!\d)(?:, \d{{4}})?|{_MONTH} \d{{4}}|"
    r"(?:US\$|[$€£¥])?\d+(?:[.,]\d+)*(?:st|nd|rd|th)?(?: ?%| (?:hundred|thousand|[mbtr]+illion))?(?:[ -][a-z]+)?)"
)


_ADJECTIVE = re.compile(r"\w+(?:ian|ean|ese|ish|ican)")
"""What is made of the name of a country: "American", "Chinese"."""


@dataclass(frozen=True, slots=True)
class _Column:
    """A side with the passages found for it and the sentence that is quoted; without one it is silent."""

    named: Named
    hit: Hit | None = None
    quote: Span | None = None
    score: float = 0.0

    @property
    def text(self) -> str:
        return self.quote.of(self.hit.article.text) if self.hit and self.quote else ""

    @property
    def section(self) -> Section:
        if self.hit is None or self.quote is None:
            why = "there is no such outlet here." if self.named.is_unknown else "I found nothing about this."
            return Section(f"{self.named.name}: {why}")
        article = self.hit.article
        outlet = None if self.named.kind == "outlet" else article.source
        heading = " · ".join(filter(None, (self.named.name, outlet, published_in_words(article.published))))
        citation = Citation(0, article, self.quote.start, self.quote.end)
        quote = " ".join(self.text.split())
        claim = Claim(quote, 0, len(quote), (citation,), 1.0, supported=True, verbatim=True)
        return Section(heading, (article.published or "")[:10] or None, article.id, (claim,))


def compare(
    question: Question,
    index: Index,
    *,
    limit: int | None,
    report: Callable[[Section], None],
    cancel: threading.Event,
) -> Overview:
    """The sides of a question, `limit` of them at most, each with what it says. A side is reported when it is found."""
    outlets = index.outlets()
    sides = sides_of(question, outlets, index.last_published())
    subject = _with_history(question, sides.subject)
    most = limit or MOST_SIDES
    if not sides.is_any_outlet and len(sides.named) < 2:
        return Overview(_one_side(sides.named), reason=Reason.UNCLEAR)
    if not words(subject) and (sides.is_any_outlet or any(named.kind != "thing" for named in sides.named)):
        return Overview("Say on what they are to be compared, as in: … on the price.", reason=Reason.UNCLEAR)
    columns: list[_Column] = []
    found = _any_outlet(question, index, subject, outlets, most) if sides.is_any_outlet else None
    for column in found or (_column(question, index, subject, named) for named in sides.named[:most]):
        if cancel.is_set():
            break
        columns.append(column)
    best = max((column.score for column in columns), default=0.0)
    columns = [column if column.score >= LEAST_OF_BEST * best else _Column(column.named) for column in columns]
    if sides.is_any_outlet:
        columns = [column for column in columns if column.quote]
    for column in columns:
        report(column.section)
    reason = Reason.CANCELLED if cancel.is_set() else None
    speaking = [column for column in columns if column.quote]
    if not speaking and reason is None:
        return Overview(_all_silent(columns, subject, outlets), reason=Reason.NOTHING_RELEVANT)
    total = len(sides.named) if len(sides.named) > most else None
    return Overview(_lead(columns, subject, question), tuple(column.section for column in columns), total, reason)


def _with_history(question: Question, subject: str) -> str:
    """The subject, after the last question where it leans on it."""
    if question.history and words(subject) and leans_on_history(subject) and question.rewordings:
        return f"{question.history[-1].question.rstrip('?')} {subject}"
    return subject


def _one_side(named: Sequence[Named]) -> str:
    given = f"{named[0].name} is one side. " if named else ""
    return (
        f"{given}A comparison needs two: name two outlets, two things or people, or two periods, or ask what different "
        "outlets say about something."
    )


def _all_silent(columns: Sequence[_Column], subject: str, outlets: Sequence[str]) -> str:
    """A refusal that names what is not there."""
    unknown = [column.named.name for column in columns if column.named.is_unknown]
    names = _listed([column.named.name for column in columns]) or "No outlet"
    text = f"I found nothing about {subject or 'them'}" + (f" for {names}." if columns else ".")
    if unknown:
        known = f" Outlets here: {_listed(outlets[:8])}{' and others' if len(outlets) > 8 else ''}." if outlets else ""
        text += f" No article is of {_listed(unknown)}.{known}"
    return text


def _column(question: Question, index: Index, subject: str, named: Named) -> _Column:
    """What one side says, from its own passages."""
    only = _within(question.only, named)
    if named.is_unknown or only is None:
        return _Column(named)
    thing = named.name if named.kind == "thing" else ""
    hits: list[Hit] = index.search(f"{thing} {subject}".strip(), HITS, **only.to_dict())
    if named.kind == "outlet":  # a filter takes words of a name: the Times is not the New York Times
        hits = [hit for hit in hits if hit.article.source == named.name or named.name in hit.also_in]
    return _best(named, subject, hits)


def _within(only: Filter, named: Named) -> Filter | None:
    """The filter of the question and that of the side; None where no outlet passes both."""
    if only.source and named.only.source:
        if not only.passes(named.only.source, None) and (only.after, only.before) == (None, None):
            return None
        only = replace(only, source=None)
    return only.also(named.only)


def _any_outlet(question: Question, index: Index, subject: str, outlets: Sequence[str], most: int) -> Iterator[_Column]:
    """The outlets that speak of the subject, that of the best passage first."""
    hits = index.search(subject, WIDE_HITS, **question.only.to_dict())
    by_outlet: dict[str, list[Hit]] = {}
    for hit in hits:
        by_outlet.setdefault(hit.article.source or hit.article.headline, []).append(hit)
    given = 0
    for outlet, of_outlet in by_outlet.items():
        column = _best(Named(outlet, "outlet"), subject, of_outlet)
        if column.quote and given < most:
            given += 1
            yield column
    for outlet in [one for one in outlets if one not in by_outlet][:OUTLETS_TRIED] if len(hits) == WIDE_HITS else ():
        if given == most:
            return
        column = _column(question, index, subject, Named(outlet, "outlet", Filter.of(source=outlet)))
        if column.quote:
            given += 1
            yield column


def _best(named: Named, subject: str, hits: Sequence[Hit]) -> _Column:
    """The sentence nearest to the subject and, of a thing, to its name, in passages that speak of both."""
    name = stems(named.name) if named.kind == "thing" else frozenset()
    best: tuple[float, _Column] | None = None
    for hit in hits:
        around = f"{hit.article.title or ''} {hit.text}"
        if not name <= stems(around):
            continue
        if words(subject) and hit.similarity + covered(subject, around) < RELEVANT:
            continue
        wanted = f"{subject} {named.name if name else ''}"
        for span in sentences(hit.text):
            text = span.of(hit.text)
            if not is_statement(text) or text.count('"') % 2 or text.count("“") != text.count("”"):
                continue
            placed = Span(hit.start + span.start, hit.start + span.end)
            score = covered(wanted, text) + (hit.similarity if placed == hit.nearest else 0.0)
            if best is None or score > best[0]:
                best = score, _Column(named, hit, placed, score)
    return best[1] if best else _Column(named)


def _lead(columns: Sequence[_Column], subject: str, question: Question) -> str:
    """Who is compared on what, what the quotes have in common, what only one has, and who is silent."""
    speaking = [column for column in columns if column.quote]
    names = [_inside(column.named) for column in speaking]
    silent = [_inside(column.named) for column in columns if not column.quote and not column.named.is_unknown]
    if not names:
        return ""
    if len(names) == 1:
        return f"I found something about {subject or 'this'} only for {names[0]}."
    about = f" on {subject}" if subject else ""
    is_of_outlets = speaking[0].named.kind == "outlet"
    said = f"{_listed(names)} say about {subject}" if is_of_outlets else f"the articles say of {_listed(names)}{about}"
    lead = f"What {said} is quoted below."
    pieces = [
        lead,
        *_common_and_own(speaking, question.text),
        *_disagreements(speaking, question),
    ]
    if silent:
        pieces.append(f"I found nothing about this for {_listed(silent)}.")
    return " ".join(pieces)


def _the(named: Named) -> str:
    """The name of an outlet, or "for …" of another side."""
    return _inside(named) if named.kind == "outlet" else f"for {_inside(named)}"


def _inside(named: Named) -> str:
    """The name of a side as it stands in a sentence: "before May"."""
    return named.name[:1].lower() + named.name[1:] if named.name.startswith(("Before ", "After ")) else named.name


def _common_and_own(columns: Sequence[_Column], asked: str) -> Iterator[str]:
    """What the quotes have in common, and what only one has, in numbers and dates, then in names."""
    every = "Both quotes" if len(columns) == 2 else "All quotes"
    known = stems(f"{asked} {' '.join(column.named.name for column in columns)}")
    for find, verb in ((_figures, "give"), (_names, "name")):
        values = [find(column.text, known) for column in columns]
        if find is _figures:
            yield from _counts_of_one_thing(columns, values)
        common = [text for key, text in values[0].items() if all(_has(key, its) for its in values[1:])]
        if common:
            yield f"{every} {verb} {_listed(common[:MOST_NAMED])}."
        own = []
        for place, column in enumerate(columns):
            others = (*values[:place], *values[place + 1 :])
            # Also in other words around it: "Hobart", where another quote has "the Hobart Yacht Race".
            spoken = [stems(f"see {other.text}") for other in columns if other is not column]
            alone = [
                text
                for key, text in values[place].items()
                if not any(_has(key, its) for its in others) and not any(key - {"x"} <= stems_of for stems_of in spoken)
            ]
            if alone:
                of = column.named.name if column.named.kind == "outlet" else f"the quote for {_inside(column.named)}"
                own.append(f"only {of} {verb}s {_listed(alone[:MOST_NAMED])}")
        if own:
            yield f"O{'; '.join(own)[1:]}."


def _counts_of_one_thing(columns: Sequence[_Column], values: Sequence[dict[frozenset[str], str]]) -> Iterator[str]:
    """Where each of two sides or more gives one number of the same thing, these beside each other; they are taken out
    of `values`, so as not to be named again."""
    by_unit: dict[str, dict[int, list[frozenset[str]]]] = {}
    for place, found in enumerate(values):
        for key, written in found.items():
            if unit := _unit(written):
                by_unit.setdefault(unit, {}).setdefault(place, []).append(key)
    for places in by_unit.values():
        keys = {place: its[0] for place, its in places.items() if len(its) == 1}
        if len(keys) < 2 or len(keys) < len(places) or len(set(keys.values())) < 2:
            continue
        given = [f"{_the(columns[place].named)} {values[place].pop(key)}" for place, key in keys.items()]
        yield f"The numbers differ: {', '.join(given)}."


def _unit(written: str) -> str:
    """What a figure counts: "%" of "6.1 percent", the stem of "jobs"; "" for money, dates and bare numbers."""
    if written.endswith("%") or re.search(r"per ?cent$", written):
        return "%"
    content = words(written)
    is_count = len(content) == 2 and content[0].is_number and content[1].kind == "word" and written[0].isdigit()
    return content[1].stem if is_count and not _CALENDAR.search(written) else ""


def _figures(text: str, known: frozenset[str]) -> dict[frozenset[str], str]:
    """The numbers and dates of a text with their units, by the stems of their words."""
    found = {}
    for match in _FIGURE.finditer(text):
        *before, last = re.split(r"[ -]", match[0])
        is_joined = "-" in match[0] or re.match(r"(?:US\$|[$€£¥])|.*(?:thousand|[mbtr]+illion) ", match[0])
        # "$29 billion third-quarter loss", "14-year high": the word behind is no unit, or only part of one
        is_unit = bool(before) and last not in STOP_WORDS and (not is_joined or last.endswith("illion"))
        written = match[0] if not before or is_unit or re.match(_MONTH, last) else match[0][: -len(last) - 1]
        key = frozenset(word.stem[:3] if word.kind == "name" else word.stem for word in words(f"x {written}"))
        if key - known - {"x"} and not text.startswith("-", match.start() + len(written)):
            found[key] = written
    return found


def _names(text: str, known: frozenset[str]) -> dict[frozenset[str], str]:
    """The names of a text, words that follow each other as one, by the stems of their words."""
    runs: list[list[int]] = []
    for word in words(text):
        if word.kind != "name" or _CALENDAR.fullmatch(text, word.start, word.end):
            continue
        if runs and text[runs[-1][1] : word.start] in (" ", " of "):
            runs[-1][1] = word.end
        else:
            runs.append([word.start, word.end])
    # "American network", "Russian troops": what only says whose something is, is no name that a reader looks for; nor
    # is what has a name of the question in it: "Mr Hicks", asked about Hicks.
    whole = [
        (start, end)
        for start, end in runs
        if not _ADJECTIVE.fullmatch(text[start:end]) and not stems(f"see {text[start:end]}") & known
    ]
    return {stems(text[start:end]): text[start:end] for start, end in whole}


def _has(key: frozenset[str], values: dict[frozenset[str], str]) -> bool:
    """Whether a value is among others, be it in fewer or more words: "Hunt" for "Jeremy Hunt"."""
    return any(key <= other or other <= key for other in values)


def _disagreements(columns: Sequence[_Column], question: Question) -> Iterator[str]:
    """Where the quotes state one fact differently, as it is said below any answer."""
    hits = [
        replace(column.hit, start=column.quote.start, end=column.quote.end)
        for column in columns
        if column.hit and column.quote
    ]
    sources = [Source(number, hit) for number, hit in enumerate(hits, start=1)]
    quoted = [claim for column in columns for claim in column.section.claims]
    for one in claims.disagreements(question.text, quoted, sources):
        yield disagreement.sentence(one)


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1]))) if names else ""
