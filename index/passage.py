"""Sentences and passages as spans of a text. Rule-based, linear in the text's length; knows no model.

A sentence is the unit of evidence and of the vector index, a passage the unit of BM25 and of the prompt.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from index.article import Span
from index.errors import InputError
from index.language import function_words

if TYPE_CHECKING:
    from collections.abc import Iterator

SENTENCE_CHARS = 600
"""No sentence is longer: about 130 tokens, which the embedder still reads whole (it cuts at 256)."""
PASSAGE_CHARS = 700
"""Default length of a passage, 130 to 150 tokens of English."""
NARROW_CHARS, WIDE_CHARS = 40, 120
"""Lines are taken for wrapped prose only if the longest of their block is within these."""


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


_ALWAYS_GO_ON = _words("""
    dr mr mrs ms messrs mx prof gen sen rep reps gov lt col sgt cpl capt cmdr maj adm rev hon pres supt insp
    det st mt ft vs v e.g i.e cf viz al approx est ca dept univ assn bros mme mlle
    bzw sra srta dra av ee drs dhr mevr dott sig avv ул им пр проф акад ul ks
""")
_GO_ON_BEFORE_NUMBER = _words("""
    no nos nr fig figs vol vols p pp ch sec art par eq tab app ed
    jan feb mar apr jun jul aug sep sept oct nov dec núm num стр д кв
""")
_BEFORE_ORDINALS = _words("""
    der die das den dem des am im zum zur vom beim ein eine einen einem einer eines ihr ihre ihren ihrem ihrer sein
    seine seinen seinem seiner dieser diese diesem diesen jeder jede jeden unser unsere und bis ab seit
""")
"""German words before a number with a full stop that is an ordinal: "am 14. März", "der 2. Weltkrieg"."""
_MAY_END = _words("""
    u.s u.k u.n e.u u.s.a u.s.s.r d.c a.m p.m b.c a.d inc ltd corp co jr sr etc
    ph.d m.d b.a m.a m.sc b.sc d.phil esq plc bn mn avg dist ave blvd rd
""")
_OPENERS = _words("""
    a after all although an and another are as at because before both but by can despite did do does
    during each even every few finally for from had has have he her here his how however i if in is it
    its last later many meanwhile more moreover most my neither no nobody nor not nothing now of on once
    one only or other our out over she similarly since so some still such that the their then there
    therefore these they this those though through thus to today two under until was we were what when
    where whether which while who why will with would yet you your
""")
"""Words that commonly open a sentence: before them an abbreviation of _MAY_END, or an initial, ends one."""
_SPEECH = re.compile(
    r"(?:[^\W\d_][\w.’'-]*\s+){1,3}"
    r"(?:said|says|say|asked|asks|told|tells|added|adds|wrote|writes|replied|cried|shouted|explained)\b"
)
_STOP = re.compile(
    r"[.!?…؟۔।॥։።။]+(?:[\"'”’»)\]}]|\[\d{1,3}\])*"  # with what closes, and footnote marks
    r"|[。！？｡．]+[\"'”’»)\]}」』）》】〉]*"
)
_FULL_WIDTH = frozenset("。！？｡．")
_ORDINAL_BEFORE = re.compile(r"([^\W\d_]+)\s(?:\d{1,3}|[IVX]+)$")
_WORD_BEFORE = re.compile(r"[^\W_][\w.’'-]*$")
_NEXT_WORD = re.compile(r"[\"'“‘«(\[]*([^\W_][\w’'-]*)")
_LIST_ITEM = re.compile(r"\s*(?:[-*+•‣◦▪–—]|\(?(?:\d{1,3}|[A-Za-z]|[ivx]{1,4})[.)])\s")
_LIST_NUMBER = re.compile(r"\(?(?:\d{1,3}|[A-Za-z]|[ivxIVX]{1,4})[.)]+")
LOOK_CHARS = 60
"""How far a rule looks before and behind a stop; bounds the work for each."""


@dataclass(frozen=True, slots=True)
class Passage:
    """Consecutive sentences of a text; [start, end) runs from the first one's start to the last one's end."""

    start: int
    end: int
    sentences: tuple[Span, ...]

    def of(self, text: str) -> str:
        """The characters of `text` that the passage covers."""
        return text[self.start : self.end]


def sentences(text: str) -> tuple[Span, ...]:
    """The sentences of `text`, in order: trimmed spans that never overlap and cover every visible character.

    A blank line, a list item and a line that is not merely wrapped end a sentence. A sentence of more than
    SENTENCE_CHARS is cut, at best after a semicolon, else a comma, else a space.
    """
    found: list[Span] = []
    for block in _blocks(text):
        first = len(found)
        for sentence in _split(text, block):
            for piece in _cut(text, sentence):
                if len(found) > first and _joins(text, found[-1], piece):
                    found[-1] = Span(found[-1].start, piece.end)
                else:
                    found.append(piece)
    return tuple(found)


def passages(text: str, *, max_chars: int = PASSAGE_CHARS) -> tuple[Passage, ...]:
    """The sentences of `text` packed into passages of at most `max_chars`; a longer sentence stands alone.

    Every sentence is in exactly one passage. A passage that is more than half full ends with its paragraph if
    the next paragraph would not fit whole. A last passage under a quarter of `max_chars` shares with the one
    before it. Raises InputError if `max_chars` is less than 1.
    """
    if max_chars < 1:
        raise InputError(f"max_chars={max_chars}: a passage needs at least 1 character")
    groups: list[list[Span]] = []
    for paragraph in _paragraphs(text):
        current = groups[-1] if groups else []
        if current and not _takes_whole(current, paragraph, max_chars) and _chars(current) * 2 > max_chars:
            groups.append([])
        for sentence in paragraph:
            if not groups or (groups[-1] and sentence.end - groups[-1][0].start > max_chars):
                groups.append([])
            groups[-1].append(sentence)
    _share_tiny_last(groups, max_chars)
    return tuple(Passage(group[0].start, group[-1].end, tuple(group)) for group in groups)


def _blocks(text: str) -> Iterator[Span]:
    """Stretches of `text` whose line ends, if any, are mere wrapping."""
    paragraph: list[Span] = []
    start = 0
    while start <= len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        line = _trimmed(text, start, end)
        if line is not None:
            paragraph.append(line)
        elif paragraph:
            yield from _unwrapped(text, paragraph)
            paragraph = []
        start = end + 1
    if paragraph:
        yield from _unwrapped(text, paragraph)


def _unwrapped(text: str, lines: list[Span]) -> Iterator[Span]:
    width = max(line.end - line.start for line in lines)
    start = lines[0].start
    for line, following in itertools.pairwise(lines):
        if not _is_wrapped(text, line, following, width):
            yield Span(start, line.end)
            start = following.start
    yield Span(start, lines[-1].end)


def _is_wrapped(text: str, line: Span, following: Span, width: int) -> bool:
    """Whether the line ended for want of room: the next line's first word would not have fitted on it.

    A line that goes on in lower case is wrapped too, unless lines are so short that they are entries.
    """
    opening = text[following.start : min(following.end, following.start + LOOK_CHARS)]
    if width < NARROW_CHARS or _LIST_ITEM.match(opening):
        return False
    if opening[0].islower() and line.end - line.start >= NARROW_CHARS:
        return True
    first_word = opening.split(None, 1)[0]
    return width <= WIDE_CHARS and line.end - line.start + 1 + len(first_word) > width


def _split(text: str, block: Span) -> Iterator[Span]:
    start = block.start
    for stop in _STOP.finditer(text, block.start, block.end):
        if stop.end() >= block.end or not _ends_sentence(text, block, start, stop):
            continue
        sentence = _trimmed(text, start, stop.end())
        if sentence is not None:
            yield sentence
        start = stop.end()
    rest = _trimmed(text, start, block.end)
    if rest is not None:
        yield rest


def _ends_sentence(text: str, block: Span, start: int, stop: re.Match[str]) -> bool:
    if stop[0][0] in _FULL_WIDTH:
        return not text[stop.end()].isdigit()
    if not text[stop.end()].isspace():
        return False
    after = text[stop.end() : min(block.end, stop.end() + LOOK_CHARS)].lstrip()
    following = _NEXT_WORD.match(after)
    next_word = following[1] if following else ""
    if next_word[:1].islower():
        return False
    if stop[0][0] in "!?":
        is_quoted = stop[0][-1] in "\"'”’»"
        return not (is_quoted and _SPEECH.match(after))
    return stop[0] != "." or _dot_ends(text, block, start, stop, next_word)


def _dot_ends(text: str, block: Span, start: int, stop: re.Match[str], next_word: str) -> bool:
    """Whether a single full stop with nothing closing behind it ends a sentence, or marks an abbreviation."""
    is_list_number = stop.end() - block.start <= 6 and _LIST_NUMBER.fullmatch(text, block.start, stop.end())
    if is_list_number and start == block.start:
        return False
    behind = text[max(start, stop.start() - LOOK_CHARS) : stop.start()]
    before = _WORD_BEFORE.search(behind)
    if before is None:
        return True
    word = before[0].casefold()
    ordinal = _ORDINAL_BEFORE.search(behind)
    if ordinal and ordinal[1].casefold() in _BEFORE_ORDINALS and next_word:
        return next_word.casefold() in _OPENERS | function_words("German")  # "I am 14. The", "am 3. Er"
    is_letter = len(word) == 1 and word.isalpha()
    if is_letter and len(next_word) == 1 and text[stop.end() :].lstrip()[1:2] == ".":  # "z. B."
        return False
    if word in _ALWAYS_GO_ON:
        return False
    if word in _GO_ON_BEFORE_NUMBER:
        return not next_word[:1].isdigit()
    is_initial = len(word) == 1 and before[0].isupper()
    if is_initial or word in _MAY_END or re.fullmatch(r"(?:[^\W\d_]\.)+[^\W\d_]", word):
        return next_word.casefold() in _OPENERS
    return True


def _cut(text: str, sentence: Span) -> Iterator[Span]:
    """The sentence in pieces of at most SENTENCE_CHARS."""
    start = sentence.start
    while sentence.end - start > SENTENCE_CHARS:
        end = _cut_at(text, start)
        piece = _trimmed(text, start, end)
        if piece is not None:
            yield piece
        start = end
    rest = _trimmed(text, start, sentence.end)
    if rest is not None:
        yield rest


def _cut_at(text: str, start: int) -> int:
    window = text[start : start + SENTENCE_CHARS]
    for pattern in (r";\s", r"[,:，、；]|\s[–—]\s", r"\s"):
        ends = [match.end() for match in re.finditer(pattern, window) if match.end() >= SENTENCE_CHARS // 3]
        if ends:
            return start + ends[-1]
    return start + SENTENCE_CHARS


def _joins(text: str, before: Span, piece: Span) -> bool:
    """Whether a piece without a letter or digit ("…", "—") belongs to the sentence before it."""
    if piece.end - before.start > SENTENCE_CHARS:
        return False
    return not any(character.isalnum() for character in piece.of(text))


def _trimmed(text: str, start: int, end: int) -> Span | None:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return Span(start, end) if start < end else None


def _paragraphs(text: str) -> Iterator[list[Span]]:
    """Sentences by paragraph: between blank lines, or by line in a text that has no blank line."""
    paragraph: list[Span] = []
    is_spaced = re.search(r"\S[^\S\n]*\n[^\S\n]*\n\s*\S", text) is not None
    for sentence in sentences(text):
        gap = text[paragraph[-1].end : sentence.start] if paragraph else ""
        if gap.count("\n") >= (2 if is_spaced else 1):
            yield paragraph
            paragraph = []
        paragraph.append(sentence)
    if paragraph:
        yield paragraph


def _takes_whole(current: list[Span], paragraph: list[Span], max_chars: int) -> bool:
    return paragraph[-1].end - current[0].start <= max_chars


def _chars(group: list[Span]) -> int:
    return group[-1].end - group[0].start


def _share_tiny_last(groups: list[list[Span]], max_chars: int) -> None:
    """Move sentences from the last passage but one until the two are as even as they can be."""
    if len(groups) < 2 or _chars(groups[-1]) * 4 >= max_chars:
        return
    both = groups[-2] + groups[-1]
    splits = [
        (abs(_chars(both[:i]) - _chars(both[i:])), i)
        for i in range(1, len(both))
        if max(_chars(both[:i]), _chars(both[i:])) <= max_chars
    ]
    if splits:
        _, best = min(splits)
        groups[-2:] = [both[:best], both[best:]]
