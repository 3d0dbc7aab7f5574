"""Checked: a draft → for each of its sentences whether the articles say so, with their exact words.

Read from top to bottom, this is what happens to a sentence:

    skip         questions, headings and opinions have nothing to check
    find         search for the sentence, after the one before it
    spelling     names as the articles spell them                               grounding/spelling.py
    take apart   "A and B" are two claims
    quotations   words in quotation marks are compared letter by letter
    cite         each claim → exact quotes and their support                    grounding/cite.py, support.py
    contradict   a claim that no quote carries: does one say otherwise?         grounding/contradiction.py
    judge        the verdict of the sentence, and what differs

No language model is asked, so a sentence takes little longer than a search.
"""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any

from index.article import Span
from index.errors import InputError
from index.passage import sentences
from rag.answer import Citation, Source
from rag.grounding import cite, claims, contradiction, spelling, support
from rag.grounding.claims import Numbering
from rag.grounding.lexicon import AUXILIARIES, MODALS, OPINION, known, words
from rag.relevance import RELEVANT, relevance

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Sequence

    from index import Index
    from index.filters import Filter
    from rag.grounding.cite import Quote

LONGEST_DRAFT = 200_000
"""Characters of the longest draft: a book of some 35,000 words, which takes two minutes on two cores: 1,000 words take
3.3 seconds."""
PASSAGES = 8
"""Passages that a sentence is compared with."""
NEAREST = 2
"""Passages that are shown beside a sentence that is not found."""
LEAST_WORDS = 2
"""Content words of the shortest sentence, or part of one, that says something that can be checked."""
LEAST_OF_PART = 3
"""Content words that each of two claims must have for "A and B" to be taken apart: "bread and butter" is not."""
HEADING_WORDS = 14
"""Words of the longest line without a full stop that is taken for a heading."""
QUOTATION_WORDS = 3
"""Words of the shortest quotation that is compared: shorter ones are mostly names and scare quotes."""
LEAST_STATED = 0.5
"""Least share of the words beside names and numbers that a supported claim has in common with the passages of its
quotes. A name and a date, which weigh most, are found in many a passage that says something else of them."""
ALTERED, LEAST_KEPT = 0.6, 3
"""Least share of a quotation's words, and least number of them, that a stretch of an article must have, in their order,
to be its original."""

_PART = re.compile(r";\s+|,?\s+(?:and|but|while|whereas)\s+", re.IGNORECASE)
_ASIDE = re.compile(r"\([^()]*\)")
_QUOTATION = re.compile(r"[\"“„«]([^\"“”„«»]+)[\"”“»]")
_INFLECTED = re.compile(r"[a-z]+(?:ed|es|[^\W\ds]s)")
_TOKEN = re.compile(r"\w+(?:['’]\w+)*")
_MARKUP = re.compile(r"^\s*(?:#{1,6}\s|[-*+•]\s|\d{1,3}[.)]\s|>\s?)*")


class CheckVerdict(StrEnum):
    """What the articles say to a sentence of a draft."""

    SUPPORTED = "supported"
    PARTLY = "partly supported"
    CONTRADICTED = "contradicted"
    NOT_FOUND = "not found"
    NOTHING = "nothing to check"


@dataclass(frozen=True, slots=True)
class Checked:
    """A sentence of a draft, `text[start:end]` of it, and what the articles say to it.

    `support` in [0, 1] says how far the quotes carry it, 0 for one that has nothing to check. `citations` are the exact
    words that support or contradict it; `nearest`, for a sentence that is not found, the nearest that there are.
    `note` says what differs, or what was not found; "" where there is nothing to say.
    """

    text: str
    start: int
    end: int
    verdict: CheckVerdict
    support: float = 0.0
    citations: tuple[Citation, ...] = ()
    note: str = ""
    nearest: tuple[Citation, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready mapping."""
        return {
            "text": self.text,
            "start": self.start,
            "end": self.end,
            "verdict": str(self.verdict),
            "support": round(self.support, 3),
            "citations": [citation.to_dict() for citation in self.citations],
            "note": self.note,
            "nearest": [citation.to_dict() for citation in self.nearest],
        }


@dataclass(frozen=True, slots=True, repr=False)
class Check:
    """A checked draft: its `text` and its `sentences` in order, against the index of `generation`. `cancelled` if it
    was stopped before the last of them."""

    text: str
    sentences: tuple[Checked, ...] = ()
    generation: int = 0
    cancelled: bool = False

    @property
    def support(self) -> float:
        """That of the least supported sentence that can be checked; 1 if none can."""
        return min((one.support for one in self.sentences if one.verdict != CheckVerdict.NOTHING), default=1.0)

    @property
    def citations(self) -> tuple[Citation, ...]:
        """Every distinct quote, by number."""
        every = [citation for one in self.sentences for citation in (*one.citations, *one.nearest)]
        distinct = {citation.number: citation for citation in every}
        return tuple(distinct[number] for number in sorted(distinct))

    @property
    def is_fine(self) -> bool:
        """Whether no sentence is contradicted or not found."""
        return not any(one.verdict in (CheckVerdict.CONTRADICTED, CheckVerdict.NOT_FOUND) for one in self.sentences)

    def counts(self) -> dict[str, int]:
        """How many sentences have each verdict, in the order of CheckVerdict."""
        return {str(each): sum(one.verdict == each for one in self.sentences) for each in CheckVerdict}

    @property
    def summary(self) -> str:
        """The same in a line, for people."""
        found = ", ".join(f"{number} {name}" for name, number in self.counts().items() if number)
        so_far = " so far" if self.cancelled else ""
        number = len(self.sentences)
        return f"{number} sentence{'' if number == 1 else 's'}{so_far}: {found}" if found else "No sentence was checked"

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready mapping with stable keys."""
        return {
            "text": self.text,
            "sentences": [one.to_dict() for one in self.sentences],
            "support": round(self.support, 3),
            "counts": self.counts(),
            "generation": self.generation,
            "cancelled": self.cancelled,
        }

    def __repr__(self) -> str:
        """One line: how many sentences have each verdict."""
        return f"Check({self.summary}; support={self.support:.2f})"

    def __str__(self) -> str:
        """Each sentence with its verdict, then the quotes. Text of articles and of the draft is as it is."""
        lines = []
        for one in self.sentences:
            numbers = "".join(f"[{citation.number}]" for citation in (*one.citations, *one.nearest))
            lines.append(" ".join(filter(None, (f"{one.verdict}: {' '.join(one.text.split())}", numbers, one.note))))
        lines += [f"[{one.number}] “{one.quote}”\n    {one.article.headline}" for one in self.citations]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class _Part:
    """One claim of a sentence, judged."""

    text: str
    verdict: CheckVerdict
    support: float = 0.0
    quotes: tuple[Quote, ...] = ()
    note: str = ""


def stream(text: str, index: Index, *, only: Filter, cancel: threading.Event) -> Iterator[Checked]:
    """The sentences of a draft, each as soon as it is checked, until `cancel` is set.

    Raises InputError for a draft that is empty or too long, or when there are no articles to check it against.
    """
    _require_checkable(text)
    if not index.stats().articles:
        raise InputError("there are no articles to check the text against; add some: citewire index add PATH")
    numbering, before, spelt_anywhere = Numbering(), "", _spelt_in(index)
    for span in _sentences(text):
        if cancel.is_set():
            return
        sentence = span.of(text)
        yield _checked(span, sentence, before, index, only, numbering, spelt_anywhere)
        before = sentence


def _checked(
    span: Span,
    sentence: str,
    before: str,
    index: Index,
    only: Filter,
    numbering: Numbering,
    spelt_anywhere: Callable[[str, bool], bool],
) -> Checked:
    """One sentence: skip, find, spell, take apart, cite, contradict, judge."""
    note = _nothing_to_check(sentence)
    if note:
        return Checked(sentence, span.start, span.end, CheckVerdict.NOTHING, note=note)
    sources = _find(sentence, before, index, only)
    spellings = spelling.find(sentence, [quote.text for quote in cite.quotes(sources)], spelt_anywhere)
    respelled = spelling.respelled(sentence, spellings)
    if spellings:
        sources = _find(respelled, before, index, only)
    near = [source for source in sources if relevance(respelled, source.hit) >= RELEVANT]
    parts = [_judged(part, respelled, before, sources, is_near=bool(near)) for part in _parts(respelled)]
    if len(parts) > 1:  # a part may have too few words to be told from others that an article has
        whole = _judged(respelled, respelled, before, sources, is_near=bool(near))
        parts += [whole] if whole.verdict == CheckVerdict.CONTRADICTED else []
    parts += _quotations(sentence, sources, index, only)
    verdict = _verdict(parts)
    least = min(part.support for part in parts)
    if verdict == CheckVerdict.SUPPORTED and not all(one.is_accent for one in spellings):
        verdict, least = CheckVerdict.PARTLY, min(least, support.SUPPORTED)
    quotes = list(dict.fromkeys(quote for part in parts for quote in part.quotes))
    nearest = _nearest(near or sources) if verdict == CheckVerdict.NOT_FOUND else []
    return Checked(
        sentence,
        span.start,
        span.end,
        verdict,
        least,
        tuple(map(numbering.cite, quotes)) if verdict != CheckVerdict.NOT_FOUND else (),
        " ".join(filter(None, (_note(verdict, parts), *(one.note for one in spellings)))),
        tuple(map(numbering.cite, nearest)),
    )


def _require_checkable(text: str) -> None:
    if not text.strip():
        raise InputError("the text to check is empty; give a draft with at least one sentence")
    if len(text) > LONGEST_DRAFT:
        raise InputError(f"the text has {len(text):,} characters, at most {LONGEST_DRAFT:,} can be checked; split it")


def _sentences(text: str) -> Iterator[Span]:
    """The sentences without the marks of headings, lists and quoted lines before them."""
    for span in sentences(text):
        mark = _MARKUP.match(span.of(text))
        start = span.start + (mark.end() if mark else 0)
        if start < span.end:
            yield Span(start, span.end)


def _nothing_to_check(sentence: str) -> str:
    """Why a sentence says nothing that articles could support; "" for one that does."""
    ended = sentence.rstrip("\"'”’»)]}*_ ")
    if ended.endswith(("?", "？", "؟")):
        return "a question"
    if len(words(sentence)) < LEAST_WORDS:
        return "too little to check"
    if OPINION.search(sentence):
        return "an opinion"
    is_stopped = ended.endswith((".", "!", "…", "。", "！", "।", ":", ";", ","))
    if not is_stopped and len(sentence.split()) <= HEADING_WORDS and not _QUOTATION.search(sentence):
        return "a heading"
    return ""


def _find(sentence: str, before: str, index: Index, only: Filter) -> list[Source]:
    """The passages that a sentence is compared with. What begins like an operator is no operator here."""
    query = " ".join(re.sub(r"(\w):(?=\S)", r"\1 ", sentence).split())
    hits = index.search(query, PASSAGES, context=before, **only.to_dict())
    return [Source(number, hit) for number, hit in enumerate(hits, start=1)]


def _spelt_in(index: Index) -> Callable[[str, bool], bool]:
    """Whether any article of the index, also one that the draft is not compared with, has a name: what is a name
    somewhere is not misspelt. As exactly these letters, or inflected and with any accents. Each is looked up once."""

    @cache
    def is_known(name: str, is_exact: bool) -> bool:
        with closing(index.mentions(f'"{name}"' if is_exact else name)) as found:
            return next(found, None) is not None

    return is_known


def _parts(sentence: str) -> list[str]:
    """The claims that a sentence joins, if each has enough words of its own; else the whole."""
    whole = [match.span() for pattern in (_QUOTATION, _ASIDE) for match in pattern.finditer(sentence)]
    parts: list[str] = []
    start = 0
    for match in _PART.finditer(sentence):
        within = any(begin < match.start() < end for begin, end in whole)
        sides = sentence[start : match.start()], sentence[match.end() :]
        if not within and all(len(words(side)) >= LEAST_OF_PART and _has_verb(side) for side in sides):
            parts.append(sides[0])
            start = match.end()
    return [*parts, sentence[start:]]


def _has_verb(text: str) -> bool:
    """Whether some word looks like the verb of a clause: an auxiliary, or a form in -ed or -s that is no name."""
    return any(word in AUXILIARIES | MODALS or _INFLECTED.fullmatch(word) for word in text.split())


def _judged(part: str, sentence: str, before: str, sources: Sequence[Source], *, is_near: bool) -> _Part:
    """One claim, supported, contradicted, carried in part, or not found; `is_near` if any passage speaks of it."""
    text = part.strip()
    context = sentence if text != sentence.strip() else ""
    likely, quotes = claims.support_of(text, sources, question=f"{before} {context}".strip())
    against = contradiction.find(text, _candidates(text, sources))
    if against is not None and (against.is_verbatim or likely < support.SUPPORTED):
        return _Part(text, CheckVerdict.CONTRADICTED, min(likely, support.FAILED), (against.quote,), against.note)
    if likely >= support.SUPPORTED:
        if _stated(text, quotes) >= LEAST_STATED:
            return _Part(text, CheckVerdict.SUPPORTED, likely, quotes)
        likely = support.SUPPORTED * _stated(text, quotes) / LEAST_STATED
    if likely >= support.PLAUSIBLE and is_near:
        lost = _lost(text, quotes)
        return _Part(text, CheckVerdict.PARTLY, likely, quotes, f"Not found: {lost}." if lost else "")
    return _Part(text, CheckVerdict.NOT_FOUND, likely)


def _candidates(text: str, sources: Sequence[Source]) -> list[Quote]:
    wanted = {word.stem for word in words(text)}
    return [quote for quote in cite.quotes(sources) if len(wanted & {word.stem for word in words(quote.text)}) > 1]


def _stated(text: str, quotes: Sequence[Quote]) -> float:
    """The share of what a claim says, its words beside names and numbers, that the passages of its quotes have; 1 for a
    claim of nothing else."""
    has = frozenset().union(*(known(f"{quote.article.title or ''} {quote.source.hit.text}") for quote in quotes))
    plain = [  # the first word may be a name
        word
        for word in words(text)
        if word.kind == "word" and not word.is_number and (word.start or not text[0].isupper())
    ]
    return sum(word.stem in has for word in plain) / len(plain) if plain else 1.0


def _lost(text: str, quotes: Sequence[Quote]) -> str:
    """The words of a claim that no quote has."""
    has = {word.stem for quote in quotes for word in words(quote.text)}
    lost = [text[word.start : word.end] for word in words(text) if word.stem not in has]
    return ", ".join(f"“{word}”" for word in dict.fromkeys(lost))


def _quotations(sentence: str, sources: Sequence[Source], index: Index, only: Filter) -> Iterator[_Part]:
    """The quotations of a sentence, each compared letter by letter with the articles."""
    for match in _QUOTATION.finditer(sentence):
        wanted = match[1].strip().rstrip(",.;")
        if len(_TOKEN.findall(wanted)) < QUOTATION_WORDS:
            continue
        at_hand = [*sources, *_find(wanted, "", index, only)]
        yield _quotation(wanted, at_hand)


def _quotation(wanted: str, sources: Sequence[Source]) -> _Part:
    best, share, original = None, 0.0, ""
    for source in sources:
        text = source.hit.article.text
        start, end = text.find(wanted, source.hit.start), 0
        if start >= 0:
            quote = cite.Quote(source, start, start + len(wanted))
            return _Part(wanted, CheckVerdict.SUPPORTED, 1.0, (quote,))
        start, end, alike = _nearest_stretch(wanted, source)
        if alike == 1.0:  # the same letters, but for how blanks and marks are written
            return _Part(wanted, CheckVerdict.SUPPORTED, 1.0, (cite.Quote(source, start, end),))
        if alike > share:
            best, share, original = cite.Quote(source, start, end), alike, text[start:end]
    if best is not None and share >= ALTERED and round(share * len(_TOKEN.findall(wanted))) >= LEAST_KEPT:
        note = f"The article's words are “{' '.join(original.split())}”: {_changes(wanted, original)}."
        return _Part(wanted, CheckVerdict.CONTRADICTED, support.FAILED * share, (best,), note)
    return _Part(wanted, CheckVerdict.NOT_FOUND, note=f"No article has the words “{wanted}”.")


def _nearest_stretch(wanted: str, source: Source) -> tuple[int, int, float]:
    """The stretch of a passage, and a little beyond it, that takes the fewest changes to become the wanted words; and
    the share of these that stay. It lies where the longest run of them stands."""
    start = source.hit.start
    theirs = list(_TOKEN.finditer(source.hit.article.text, start, source.hit.end + len(wanted)))
    written, ours = [_straight(token[0]) for token in theirs], [_straight(token) for token in _TOKEN.findall(wanted)]
    run = SequenceMatcher(None, written, ours, autojunk=False).find_longest_match()
    best, fewest = (start, start, 0.0), len(ours)
    for length in (len(ours), len(ours) + 1, len(ours) - 1):
        for first in (run.a - run.b, run.a - run.b - 1, run.a - run.b + 1):
            window = written[max(0, first) : max(0, first + length)]
            if not run.size or not window:
                continue
            operations = SequenceMatcher(None, window, ours, autojunk=False).get_opcodes()
            changes = sum(max(op[2] - op[1], op[4] - op[3]) for op in operations if op[0] != "equal")
            if changes < fewest:
                fewest, place = changes, max(0, first)
                best = theirs[place].start(), theirs[place + len(window) - 1].end(), 1 - changes / len(ours)
    return best


def _straight(token: str) -> str:
    """With straight apostrophes."""
    return token.replace("’", "'")


def _changes(wanted: str, original: str) -> str:
    """What the quotation changes, in words."""
    ours, theirs = (_TOKEN.findall(text) for text in (wanted, original))
    found = []
    for how, start, end, their_start, their_end in SequenceMatcher(None, theirs, ours, autojunk=False).get_opcodes():
        was, now = " ".join(theirs[start:end]), " ".join(ours[their_start:their_end])
        if how == "replace":
            found.append(f"“{now}” for “{was}”")
        elif how == "delete":
            found.append(f"“{was}” left out")
        elif how == "insert":
            found.append(f"“{now}” added")
    return ", ".join(found)


def _verdict(parts: Sequence[_Part]) -> CheckVerdict:
    """That of the whole sentence: contradicted by one part, supported or not found by all."""
    verdicts = {part.verdict for part in parts}
    if CheckVerdict.CONTRADICTED in verdicts:
        return CheckVerdict.CONTRADICTED
    return verdicts.pop() if len(verdicts) == 1 else CheckVerdict.PARTLY


def _note(verdict: CheckVerdict, parts: Sequence[_Part]) -> str:
    is_against = verdict == CheckVerdict.CONTRADICTED
    notes = [part.note for part in parts if part.note and (not is_against or part.verdict == verdict)]
    if verdict == CheckVerdict.PARTLY and len(parts) > 1:
        missing = [part.text for part in parts if part.verdict == CheckVerdict.NOT_FOUND and not part.note]
        notes += [f"Not found: “{text}”." for text in missing]
    return " ".join(dict.fromkeys(notes))


def _nearest(sources: Sequence[Source]) -> list[Quote]:
    """The nearest sentences of the nearest passages."""
    return [cite.Quote(source, source.hit.nearest.start, source.hit.nearest.end) for source in sources[:NEAREST]]
