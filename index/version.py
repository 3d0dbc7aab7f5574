"""Version: whether two texts are states of one document, which is newer, and where they differ. Pure.

Two editions of a document have most of their sentences in common, word for word, and their names and numbers. Reports
made from one template have the same skeleton, but other names or numbers in most sentences; two reports of one event
have hardly a sentence in common. "Superseded" is a claim, so in doubt two texts are two articles.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import SequenceMatcher
from functools import cached_property
from itertools import groupby, islice
from pathlib import PurePath
from typing import TYPE_CHECKING

from index.duplicate import Story
from index.passage import sentences
from index.ranking import STOP_WORDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from index.article import Article, Span

LEAST_SHARED = 0.5
"""Share of the shorter text that stands in the other, sentence by sentence and word for word, where the title, the
address or the file name says that both are one document."""
LEAST_SHARED_UNNAMED = 0.6
"""The same where nothing does."""
LEAST_SHARED_RENAMED, LEAST_TITLE = 0.9, 0.5
"""The same where the titles differ, and the share of their words that they have in common, at least. Pages of one site
share much, and are of two subjects."""
LEAST_SHARED_SHIFTED = 0.75
"""The same for a text that continues where the other ends: texts cut into overlapping parts share less than that."""
LEAST_SHARED_OF_LONGER = 0.3
"""Share of the longer text: an article is no version of a digest that holds it."""
LEAST_KEPT, LEAST_PARTICULARS = 0.5, 3
"""Share of the names, and of the numbers, of one text that the other has, too, if it has so many."""
LEAST_FIGURES = 2
"""Sentences in which a number differs, of which one may be an edit: if there are so many, as many must not differ."""
REPEATED = 2
"""Sentences in which a word must stand for another in its place to be another subject, as in two recipes."""
PARTNER = 0.5
"""Words that two sentences have in common, of all words in both, for one to be the other's new wording."""
ROOT_LETTERS = 4
"""How many letters words of one stem share: smoke, smoking."""
MOST_STARTS = 16
"""Places at which one text may continue another; more arise only from a text that repeats itself."""
MOST_PAIRS = 40_000
"""Pairs of sentences that are compared at most; of texts with more, only equal sentences are paired."""

_YEAR = r"(?<!\d)(?<!\d[-_.])(?:19|20)\d\d(?!\d|[-_.]\d)"
_NUMBERED = r"(?<![^\W_])(?:v|ver|version|rev|revision|edition|ed|draft|issue)[ ._-]?(\d+(?:\.\d+)*)(?![^\W_])"
_ORDINAL = r"(?<![^\W_])(\d+)(?:st|nd|rd|th)?[ ._-](?:edition|version|revision|draft)(?![^\W_])"
_STATE = r"(?<![^\W_])(?:version|edition|revision|rev|draft|final|old|new|updated|revised|copy|current)(?![^\W_])"
_MARK = re.compile(f"{_NUMBERED}|{_ORDINAL}|{_YEAR}|{_STATE}|\\(\\d\\)", re.IGNORECASE)
"""What distinguishes versions of one document in a title or a file name."""
_VERSION = re.compile(f"{_NUMBERED}|{_ORDINAL}", re.IGNORECASE)


@dataclass(frozen=True)
class Document:
    """An article as a state of a document. `origin` is the file or address it was read from, `place` its place in the
    order of adding."""

    article: Article
    origin: str | None = None
    place: float = 0

    @cached_property
    def story(self) -> Story:
        """Its text."""
        return Story(self.article.text)

    @cached_property
    def title(self) -> tuple[str, ...]:
        """The words of its title or else of the headline in the text, without what names its version."""
        title = self.article.title or " ".join(self.story.headline)
        return Story(_MARK.sub(" ", title)).words

    @cached_property
    def stem(self) -> str:
        """The name of its file without its ending and what names its version; "" for an address or no file."""
        if self.origin is None or "://" in self.origin:
            return ""
        bare = _MARK.sub(" ", unicodedata.normalize("NFC", PurePath(self.origin).stem)).casefold()
        return " ".join(re.findall(r"\w+", bare.replace("_", " ")))

    @cached_property
    def sentences(self) -> Counter[tuple[str, ...]]:
        """Its sentences, and how often each stands there."""
        return Counter(self.story.sentences)

    @cached_property
    def names(self) -> frozenset[str]:
        """Words with a capital, those in a row as one name. What opens a sentence may be none."""
        text = self.article.text
        rests = (re.sub(r"^\W*\w+", "", span.of(text)) for span in sentences(text))
        runs = (run for rest in rests for run in groupby(re.findall(r"[^\W_]+", rest), lambda word: word[0].isupper()))
        return frozenset(" ".join(words).casefold() for is_name, words in runs if is_name)

    @cached_property
    def numbers(self) -> frozenset[str]:
        """Its numbers."""
        return frozenset(token for token in self.story.tokens if token[0].isdigit())

    @cached_property
    def figures(self) -> Counter[tuple[str, ...]]:
        """Its sentences that have a number."""
        return Counter(one for one in self.story.sentences if any(token[0].isdigit() for token in one))

    @cached_property
    def day(self) -> tuple[int, ...] | None:
        """Year, month and day of its date, as far as they are given; None for an article without one."""
        return self._moment[0] if self._moment else None

    @cached_property
    def time(self) -> str | None:
        """The time of its date, if that is given."""
        return self._moment[1] if self._moment else None

    @cached_property
    def _moment(self) -> tuple[tuple[int, ...], str | None] | None:
        for date in (self.article.updated, self.article.published):
            if date and re.fullmatch(r"\d{4}(?:-\d\d){0,2}", date):
                return tuple(map(int, date.split("-"))), None
            try:
                moment = datetime.fromisoformat(date or "")
            except ValueError:
                continue
            moment = moment.astimezone(UTC) if moment.tzinfo else moment
            return (moment.year, moment.month, moment.day), moment.time().isoformat()
        return None

    @cached_property
    def mark(self) -> tuple[int, ...] | None:
        """The number of its version, or the year, in its title or file name."""
        stem = "" if self.origin is None or "://" in self.origin else PurePath(self.origin).stem
        for name in (self.article.title or "", stem):
            if version := _VERSION.search(name):
                return (0, *map(int, (version[1] or version[2]).split(".")))
            if year := re.search(_YEAR, name):
                return (1, int(year[0]))
        return None


def are_versions(one: Document, other: Document) -> bool:
    """Whether two articles, neither of which is a copy of the other, are states of one document."""
    same_address = one.article.url is not None and one.article.url == other.article.url
    outlets = {each.article.source.casefold() for each in (one, other) if each.article.source}
    if len(outlets) > 1 and not same_address:
        return False
    same_file = bool(one.stem) and one.stem == other.stem and one.origin != other.origin
    same_title = bool(one.title) and one.title == other.title
    if same_address or same_file or same_title:
        least = LEAST_SHARED
    elif one.story.is_short or other.story.is_short:
        return False
    elif one.title and other.title:
        if not _are_near_titles(one, other):
            return False
        least = LEAST_SHARED_RENAMED
    else:
        least = LEAST_SHARED_UNNAMED
    sizes = [len(each.story.tokens) for each in (one, other)]
    shared = sum(len(sentence) * count for sentence, count in (one.sentences & other.sentences).items())
    return (
        shared >= least * min(sizes)
        and shared >= LEAST_SHARED_OF_LONGER * max(sizes)
        and _keeps(one.names, other.names)
        and _keeps(one.numbers, other.numbers)
        and _keeps_figures(one, other)
        and (same_address or same_file or not _has_another_subject(one, other))
        and (shared >= LEAST_SHARED_SHIFTED * min(sizes) or not _overlap(one, other))
    )


def newest_first(documents: Sequence[Document]) -> list[Document]:
    """Versions of one document in order of their dates, or else of what their titles and file names say, or else in
    which they were added.

    Of one with a date and one without, the one added later counts as the newer.
    """
    ordered = sorted(documents, key=lambda one: one.place)
    _order(ordered, [at for at, one in enumerate(ordered) if one.day is None and one.mark], lambda one: one.mark or ())
    _order(ordered, [at for at, one in enumerate(ordered) if one.day is not None], lambda one: one.day or ())
    for day in {one.day for one in ordered} - {None}:
        places = [at for at, one in enumerate(ordered) if one.day == day]
        if all(ordered[at].time for at in places):
            _order(ordered, places, lambda one: (one.time,))
    return ordered[::-1]


@dataclass(frozen=True, slots=True)
class Counterpart:
    """A sentence of an older version, and where a newer one says the same or says it otherwise; None where it is
    silent. `is_same` if it stands there word for word."""

    older: Span
    newer: Span | None
    is_same: bool


def counterparts(older: str, newer: str) -> tuple[Counterpart, ...]:
    """What became of each sentence of `older` in `newer`, in order."""
    before, after = sentences(older), sentences(newer)
    ours = [Story(span.of(older)).tokens for span in before]
    theirs = [Story(span.of(newer)).tokens for span in after]
    pairs: dict[int, int] = {}
    replaced: list[tuple[range, range]] = []
    matcher = SequenceMatcher(None, ours, theirs, autojunk=len(ours) * len(theirs) > MOST_PAIRS)
    for kind, start, end, its_start, its_end in matcher.get_opcodes():
        if kind == "equal":
            pairs.update(zip(range(start, end), range(its_start, its_end), strict=True))
        else:
            replaced.append((range(start, end), range(its_start, its_end)))
    place_of = {tokens: at for at, tokens in enumerate(theirs)}
    pairs |= {at: place_of[tokens] for at, tokens in enumerate(ours) if at not in pairs and tokens in place_of}
    same = set(pairs)
    if len(ours) * len(theirs) <= MOST_PAIRS:
        for at, partner in _rewordings(ours, theirs, replaced, pairs):
            pairs.setdefault(at, partner)
    return tuple(
        Counterpart(span, after[pairs[at]] if at in pairs else None, at in same) for at, span in enumerate(before)
    )


def _order(documents: list[Document], places: Sequence[int], key: Callable[[Document], tuple[object, ...]]) -> None:
    """Sort the documents at `places` among themselves."""
    found = sorted((documents[at] for at in places), key=key)
    for at, one in zip(places, found, strict=True):
        documents[at] = one


def _keeps(ours: frozenset[str], theirs: frozenset[str]) -> bool:
    """Whether two texts have most of their names or numbers in common."""
    fewest = min(len(ours), len(theirs))
    return fewest < LEAST_PARTICULARS or len(ours & theirs) >= LEAST_KEPT * fewest


def _are_near_titles(one: Document, other: Document) -> bool:
    """Whether two titles have most words in common, and none that differs is a name."""
    ours, theirs = set(one.title), set(other.title)
    return len(ours & theirs) >= LEAST_TITLE * len(ours | theirs) and all(
        words - known <= {word for word in re.findall(r"[^\W_]+", each.article.text) if word[0].islower()}
        for each, words, known in ((one, ours, theirs), (other, theirs, ours))
    )


def _keeps_figures(one: Document, other: Document) -> bool:
    """Whether not most of the sentences with numbers differ, as in the reports of two days."""
    fewer = min(one, other, key=lambda each: sum(each.figures.values()))
    kept = sum((one.figures & other.figures).values())
    differing = sum(fewer.figures.values()) - kept
    return differing < LEAST_FIGURES or kept >= differing


def _overlap(one: Document, other: Document) -> bool:
    """Whether one text continues where the other ends, as two parts of a longer one that were cut with an overlap."""
    ours, theirs = one.story.sentences, other.story.sentences
    return _goes_on(ours, theirs) or _goes_on(theirs, ours)


def _goes_on(first: Sequence[tuple[str, ...]], second: Sequence[tuple[str, ...]]) -> bool:
    """Whether `second` begins with the end of `first`; the sentences where both were cut do not count."""
    if len(second) < 3:
        return False
    starts = (at for at, sentence in enumerate(first[:-1]) if at > 1 and sentence == second[1])
    return any(
        len(first) - at < len(second) and first[at:-1] == second[1 : len(first) - at]
        for at in islice(starts, MOST_STARTS)
    )


def _has_another_subject(one: Document, other: Document) -> bool:
    """Whether a word stands in the place of another throughout, in most of the sentences that differ."""
    ours, theirs = (
        Counter(word for sentence in (a.sentences - b.sentences) for word in set(sentence) if word[0].isalpha())
        for a, b in ((one, other), (other, one))
    )
    differing = min(len(one.sentences - other.sentences), len(other.sentences - one.sentences))
    least = max(REPEATED, differing / 2)
    known, its_known = set(one.story.words), set(other.story.words)
    return any(count >= least and word not in its_known for word, count in ours.items()) and any(
        count >= least and word not in known for word, count in theirs.items()
    )


def _rewordings(
    ours: Sequence[tuple[str, ...]],
    theirs: Sequence[tuple[str, ...]],
    replaced: Sequence[tuple[range, range]],
    pairs: dict[int, int],
) -> Iterator[tuple[int, int]]:
    """Sentences of one text with their new wordings in the other: those in the same place that share a word of their
    own, and those anywhere that share most of their words."""
    taken = set(pairs.values())
    roots = Counter(root for tokens in ours for root in _roots(tokens))
    for at, tokens in enumerate(ours):
        if at in pairs:
            continue
        block = next((its_range for my_range, its_range in replaced if at in my_range), range(0))
        nearby = [other for other in block if other not in taken]
        scored = [(_likeness(tokens, theirs[other]), -other) for other in range(len(theirs)) if other not in taken]
        best, place = max(scored, default=(0.0, 0))
        if best >= PARTNER:
            yield at, -place
            continue
        own = {root for root in _roots(tokens) if roots[root] == 1}
        alike = [(len(own & _roots(theirs[other])), -other) for other in nearby]
        shared, place = max(alike, default=(0, 0))
        if shared:
            yield at, -place


def _likeness(ours: tuple[str, ...], theirs: tuple[str, ...]) -> float:
    common = sum((Counter(ours) & Counter(theirs)).values())
    return 2 * common / (len(ours) + len(theirs))


def _roots(tokens: tuple[str, ...]) -> set[str]:
    """The beginnings of the words that say something."""
    return {
        token[:ROOT_LETTERS]
        for token in tokens
        if len(token) >= ROOT_LETTERS and token.isalpha() and token not in STOP_WORDS
    }
