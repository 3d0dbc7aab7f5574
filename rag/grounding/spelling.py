"""Spelling: names of a claim that no article has, beside names of the passages that are written almost alike. Pure;
knows no model.

"Zelenski" and "Zelensky" differ as transcriptions do, "Merkl" and "Merkel" by one letter, "Macrón" and "Macron" by an
accent. Two people may be called Hansen and Jansen: a name that any article has is not misspelt, a name with another
first letter is another name, and what the sentence says beside the name must be what the passage speaks of.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from index.tokens import fold, spelt_out
from rag.grounding.lexicon import is_day_name, words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rag.grounding.lexicon import Word

SHORTEST = 4
"""Letters of the shortest name that is compared: of shorter ones most differ by one letter from another."""
SHORTEST_ALTERED = 5
"""Letters of the shortest name that may have a consonant of its own: of four letters "Iran" and "Iraq" have three."""
LEAST_SHARED = 0.4
"""Share of what a claim says beside the name that the sentence with the other spelling must have as well."""
_VOWELS = re.compile("[aeiouy]")
_ENDINGS = "aeiouyns"
"""Last letters that make another form of a name, not a slip: Iraqi, Korean, Kovaleva."""


@dataclass(frozen=True, slots=True)
class Spelling:
    """A name as a claim has it `written`, and as the articles do; `is_accent` if these differ by accents alone."""

    written: str
    stated: str
    is_accent: bool

    @property
    def note(self) -> str:
        """What differs, as a sentence."""
        return f"The articles spell “{self.stated}”, not “{self.written}”."


@dataclass(frozen=True, slots=True)
class _Name:
    """A name where it stands: how it is written, its word, and the names directly before and behind it."""

    written: str
    word: Word
    beside: frozenset[str]


def find(claim: str, quotes: Sequence[str], is_known: Callable[[str, bool], bool]) -> tuple[Spelling, ...]:
    """How the sentences of the passages spell the names of a claim that no article has so.

    `is_known` says whether any article has a name, in any inflection; as exactly these letters if its second argument
    is set, else without regard to accents.
    """
    written_there = {_key(quote[word.start : word.end]) for quote in quotes for word in words(quote)}
    names = {
        one.written: one
        for one in _names(claim)
        if _key(one.written) not in written_there and not is_day_name(one.word)
    }
    if not names:
        return ()
    theirs = [(quote, name) for quote in quotes for name in _names(quote)]
    small = {quote[word.start : word.end] for quote in quotes for word in words(quote)}
    found: list[Spelling] = []
    for name in names.values():
        alike = [
            (closeness, shared, other.written)
            for quote, other in theirs
            if (other.word.kind == "name" or other.written.lower() not in small)
            and (closeness := _closeness(name.written, other.written))
            and (shared := _shared(claim, name, quote, other)) >= (1.0 if closeness == _VOWEL else LEAST_SHARED)
        ]
        if alike:
            closeness, _, stated = max(alike)
            is_accent = closeness == _ACCENT
            if not is_known(name.written, is_accent):
                found.append(Spelling(name.written, stated, is_accent))
    return tuple(found)


def respelled(claim: str, found: Sequence[Spelling]) -> str:
    """A claim with the names as the articles spell them."""
    for one in found:
        claim = re.sub(rf"(?<!\w){re.escape(one.written)}(?!\w)", one.stated, claim)  # both are letters alone
    return claim


def _names(text: str) -> Iterator[_Name]:
    """The words with a capital, but for acronyms."""
    content = words(text)
    for place, word in enumerate(content):
        written = text[word.start : word.end]
        bare = fold(_key(written))
        if len(bare) < SHORTEST or not written[0].isupper() or written.isupper() or not bare.isalpha():
            continue
        beside = [
            other.stem
            for other in (*content[max(place - 1, 0) : place], *content[place + 1 : place + 2])
            if text[other.start].isupper() and text[min(word.end, other.end) : max(word.start, other.start)] in " -"
        ]
        yield _Name(written, word, frozenset(beside))


def _shared(claim: str, name: _Name, quote: str, other: _Name) -> float:
    """How much of what a claim says beside a name a sentence has: 1 if the same name stands beside both."""
    if name.beside & other.beside:
        return 1.0
    rest = [word for word in words(claim) if word.stem != name.word.stem]
    have = {word.stem for word in words(quote)} - {other.word.stem}
    weight = sum(word.weight for word in rest)
    return sum(word.weight for word in rest if word.stem in have) / weight if weight else 0.0


_ACCENT, _SOUND, _LETTER, _VOWEL = 4, 3, 2, 1


def _closeness(one: str, other: str) -> int:
    """How near two spellings of one name are: but for accents, but for what transcriptions differ in, but for one
    letter, but for vowels; 0 if they are two names, or two forms of one. But for vowels alone they may be two names, so
    all else must be the same: "Andrew Tait", "Andrew Tate"."""
    ours, theirs = _letters(one).lower(), _letters(other).lower()
    if ours == theirs:
        return 0
    if _forms(ours) & _forms(theirs):
        return _ACCENT
    ours, theirs = fold(ours), fold(theirs)
    if _is_ending(ours, theirs):
        return 0
    pairs = ((ours, theirs), (_sound(ours), _sound(theirs)))
    if pairs[1][0] == pairs[1][1]:
        return _SOUND
    if any(_is_turned(*pair) for pair in pairs):
        return _LETTER
    is_long = min(len(ours), len(theirs)) >= SHORTEST_ALTERED
    is_vowel = ours[0] == theirs[0] and _VOWELS.sub("", ours) == _VOWELS.sub("", theirs)  # Kiev, Kyiv
    if (is_long or is_vowel) and any(_is_one_edit(*pair) for pair in pairs):
        return _LETTER
    return _VOWEL if is_vowel else 0


def _forms(word: str) -> set[str]:
    """A word without accents, and with its umlauts spelt out."""
    return {form for form in (fold(word), spelt_out(word)) if form}


def _sound(word: str) -> str:
    """A word without what transcriptions from other alphabets differ in most: i, y and j, and doubled letters."""
    return re.sub(r"(.)\1+", r"\1", re.sub(r"[ijy]+", "i", word))


def _is_ending(one: str, other: str) -> bool:
    """Whether one is the other with an ending."""
    short, long = sorted((one, other), key=len)
    tail = long.removeprefix(short)
    return long.startswith(short) and (len(tail) > 1 or not tail.isascii() or tail in _ENDINGS) and tail != short[-1]


def _is_one_edit(one: str, other: str) -> bool:
    """Whether one letter behind the first was put in, left out or made another: of the misspellings in a large
    collection of texts nine of ten are one such slip, few of them in the first letter (Pollock and Zamora 1984)."""
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    ours, theirs = one[start:], other[start:]
    return start > 0 and (ours[1:] == theirs[1:] or ours[1:] == theirs or ours == theirs[1:])


def _is_turned(one: str, other: str) -> bool:
    """Whether two neighbours have changed places."""
    differ = [place for place, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]]
    if len(one) != len(other) or len(differ) != 2 or differ[1] != differ[0] + 1:
        return False
    first, last = differ
    return one[first] == other[last] and one[last] == other[first]


def _letters(word: str) -> str:
    """A word with each accent in one character with its letter."""
    return unicodedata.normalize("NFC", word)


def _key(written: str) -> str:
    return _letters(written).lower()
