"""Duplicate: whether a text is a copy of another. Knows no articles, no storage and no meaning.

A copy says nothing that its original does not: it reads as the original with whole sentences left out, in the same
words and the same order. White space, case, kinds of quotes and dashes, hyphens at line ends and page furniture (a
headline, a byline, the line of an agency, a copyright line, a date of updating) do not count; every other character
does, so one number, name, unit or negation keeps two texts apart.

A text has keys, some of which it shares with nearly every text that has much of it, so that a table of keys finds the
few texts worth comparing. Keys are stored: whatever changes them, or what a copy is, changes index.original.RULES.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

from index.passage import sentences

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from index.article import Span

LEAST_WORDS = 30
"""Shorter texts are copies only if they are equal."""
LEAST_PART = 0.4
"""Share of its original's words that a copy has at least: a story is no copy of a digest that holds it. Less than
half, for a syndicated story that loses a paragraph of half its letters may lose more than half of its words."""
SHINGLE_WORDS = 5
"""Long enough that a word replaced here and there, as in reports made from one template, breaks many of them."""
BANDS, BAND_ROWS = 42, 3
"""Two texts that have half of their shingles in common share a band with probability 1 - (1 - .5 ** 3) ** 42 = .996."""
BRIEF_WORDS = 100
"""Texts of fewer words also have a key for each sentence: a sentence reworded leaves them few common shingles."""
KEY_SENTENCE_WORDS = 3
"""Sentences of fewer words are no keys; too many texts have them."""
KEY_BYTES = 8
"""A key that two texts share by chance costs one comparison of the texts, and no more."""
HEADLINE_WORDS = 20
"""A first line of more words is no headline."""
FURNITURE_LINES = 4
"""How many lines at either end may be furniture: a headline, an agency, a byline and a date."""
FURNITURE_CHARS = 120
"""No line of furniture is longer; it also bounds the work of the patterns."""
MOST_PLACES = 64
"""Places of a text that are followed at once while it is looked for in another: more arise only from a text that
repeats itself, for which a copy may then be missed."""

_IGNORED = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
"""Soft hyphens and characters without width."""
_LINE_END_HYPHEN = re.compile(r"(?<=[^\W\d_])[-\u2010][^\S\n]*\r?\n\s*(?=[^\W\d_])")
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
"""Scripts that put no space between words, in which a line may end anywhere: each character is compared."""
_TOKEN = re.compile(
    rf"(?P<unspaced>[{_UNSPACED}])|(?P<number>\d+(?:[.,:]\d+)*)"
    rf"|(?P<word>(?:(?![{_UNSPACED}])[^\W\d_])+(?:['’](?:(?![{_UNSPACED}])[^\W\d_])+)*)|\S"
)
_SAME = str.maketrans(
    {
        **dict.fromkeys("“”„‟«»″〝〞", '"'),
        **dict.fromkeys("‘’‚‛′´`‹›", "'"),
        **dict.fromkeys("‐‑‒–−﹣－", "-"),
        **dict.fromkeys("—―", "--"),
        **{raised: f"^{plain}" for raised, plain in zip("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789", strict=True)},
    }
)
"""Kinds of one character. A raised number stays one: 10² is not 102."""
_SCALED_UNIT = re.compile(r"[mM](?:[WVAJNbBg]|Hz|Pa|eV|Wh)")
"""Units in which the case of the first letter is a factor of a billion: 5 mW and 5 MW."""
_SEPARATOR = re.compile(r"(?<!\S)(?<!\d\s)[-*•‣◦▪·]+(?!\S)(?!\s\d)|(?<!\d)--+|--+(?!\d)")
"""Bullets and dashes that part what they stand between: "yes - no", "yes—no". A hyphen stays, and a sign beside a
number."""
_BLANK_LINE = re.compile(r"\n[^\S\n]*\n")
_ENDED = re.compile(r"[.!?…。！？।؟:;,][\"'”’»)\]]*\s*$")

_CAPITALIZED = r"(?-i:[A-Z][\w.&'’-]*)"
_NAMES = rf"(?:the )?{_CAPITALIZED}(?:,? (?:(?:and|of|the|for|&) ){{0,2}}{_CAPITALIZED}){{0,7}}"
_DAY = (
    r"(?:\d{1,4}(?:st|nd|rd|th)?|(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)[a-z]{0,6}"
    r"|(?:mon|tues?|wednes|thurs?|fri|satur|sun)(?:day)?|at|on|[ap]\.?m|gmt|utc|[a-z]{2,3}t)\b"
)
_FURNITURE = re.compile(
    "|".join(
        (
            rf"(?:©|\(c\)|copyright\b)[\s:]*(?:©|\(c\))?[\s\d,–-]*(?:{_NAMES})?\.?(?: all rights reserved\.?)?",
            r"all rights reserved\.?",
            rf"(?:last |first )?(?:updated|modified|published|posted)\b:?(?:[\s:.,/+-]*{_DAY})+\.?",
            rf"(?:by|from) {_NAMES}\.?",
            rf"(?:\({_NAMES}\)[\s:–—-]*)?"
            r"(?:from (?:our )?(?:wire|news|press) (?:services?|agenc(?:y|ies)|reports?)\.?)?",
            rf"(?:reported|reporting|written|edited|editing|compiled) by {_NAMES}\.?",
            r"(?:this|the) (?:story|article|report)(?: was)?(?: first| originally)? "
            rf"(?:published|printed|appeared|reported)(?: first)? (?:by|in|on) {_NAMES}\.?",
        )
    ),
    re.IGNORECASE,
)
"""Lines that say who prints a text and when, and nothing of what it is about."""
_DATELINE = re.compile(r"(?:[A-Z][\w.'’-]*,? ){1,4}\([A-Z][\w .&'’-]{1,30}\) ?[-–—] ")


@dataclass(frozen=True)
class Story:
    """A text as it is compared with others."""

    text: str

    @cached_property
    def _bare(self) -> str:
        """The text without characters that nobody sees, with a word that was cut at a line's end in one line."""
        return _SEPARATOR.sub(" ", _LINE_END_HYPHEN.sub("-", _plainly_written(self.text)))

    @cached_property
    def _read(self) -> tuple[tuple[str, ...], tuple[int, ...]]:
        """Tokens and where each begins in `_bare`."""
        tokens: list[str] = []
        starts: list[int] = []
        after_number = False
        for match in _TOKEN.finditer(self._bare):
            written, kind = match[0], match.lastgroup
            if not written.isascii():
                written = unicodedata.normalize("NFKC", written)
            if not (after_number and kind == "word" and _SCALED_UNIT.fullmatch(written)):
                written = written.casefold()
            after_number = kind == "number"
            if kind is not None or len(written) == 1:
                tokens.append(written)
                starts.append(match.start())
            else:  # "…" is three signs
                signs = [sign for sign in written if not sign.isspace()]
                tokens += signs
                starts += [match.start()] * len(signs)
        return tuple(tokens), tuple(starts)

    @property
    def tokens(self) -> tuple[str, ...]:
        """Words, numbers and signs in order, without their case and typographic variants."""
        return self._read[0]

    @cached_property
    def plain(self) -> str:
        """The tokens as one text."""
        return " ".join(self.tokens)

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The tokens without signs."""
        return tuple(token for token in self.tokens if token[0].isalnum())

    @cached_property
    def is_short(self) -> bool:
        """Whether it has too few words to be anything but equal to another."""
        return len(self.words) < LEAST_WORDS

    @cached_property
    def sentences(self) -> tuple[tuple[str, ...], ...]:
        """The tokens of each sentence. A headline, an entry of a list and a line of a poem are sentences, too."""
        cuts = sorted({*self._places([span.start for span in self._spans]), *self._furniture, 0, len(self.tokens)})
        return tuple(self.tokens[start:end] for start, end in pairwise(cuts))

    @cached_property
    def _spans(self) -> tuple[Span, ...]:
        return sentences(self._bare)

    @cached_property
    def _lines(self) -> tuple[tuple[int, int], ...]:
        """Where each line that is not empty begins and ends in `_bare`."""
        return tuple(match.span() for match in re.finditer(r"\S[^\n]*", self._bare))

    @cached_property
    def _furniture(self) -> tuple[int, ...]:
        """Places among the tokens where furniture at either end may be cut off."""
        return (*self._heads, *self._tails)

    @cached_property
    def _heads(self) -> tuple[int, ...]:
        """Where the text may begin, its bylines and the like left out."""
        ends: list[int] = []
        for start, end in self._lines[:FURNITURE_LINES]:
            line = self._bare[start:end].strip()
            if ends or self._is_furniture(line):
                if not self._is_furniture(line):
                    break
                ends.append(end)
        body = next((start for start, _ in self._lines if not ends or start >= ends[-1]), 0)
        if dateline := _DATELINE.match(self._bare, body):
            ends.append(dateline.end())
        return tuple(self._places(ends))

    @cached_property
    def _tails(self) -> tuple[int, ...]:
        """Where the text may end, its copyright line and the like left out."""
        starts = []
        for start, end in self._lines[::-1][:FURNITURE_LINES]:
            if not self._is_furniture(self._bare[start:end].strip()):
                break
            starts.append(start)
        return tuple(self._places(starts))

    @cached_property
    def headline(self) -> tuple[str, ...]:
        """The tokens of the first line, if it is a paragraph of its own and no sentence, and the rest mostly prose."""
        first, *others = [one.strip() for one in _BLANK_LINE.split(self._bare) if one.strip()] or [""]
        prose = sum(len(one) for one in others if len(one) > FURNITURE_CHARS or _ENDED.search(one))
        if _ENDED.search(first) or len(first) > FURNITURE_CHARS or 2 * prose <= sum(map(len, others)):
            return ()
        tokens = Story(first).tokens
        return tokens if len(tokens) <= HEADLINE_WORDS and self.tokens[: len(tokens)] == tokens else ()

    def keys(self) -> tuple[bytes, ...]:
        """Keys of KEY_BYTES each. Equal texts share all of theirs."""
        keys = [_digest(b"text", self.tokens)]
        if len(self.words) < BRIEF_WORDS:
            keys += [_digest(b"sentence", one) for one in self.sentences if len(one) > KEY_SENTENCE_WORDS]
        if self.is_short:
            return tuple(dict.fromkeys(keys))
        from datasketch import MinHash

        shingles = {
            " ".join(self.words[first : first + SHINGLE_WORDS]) for first in range(len(self.words) - SHINGLE_WORDS + 1)
        }
        signature = MinHash(num_perm=BANDS * BAND_ROWS, seed=1, scheme="affine32")
        signature.update_batch([shingle.encode("utf-8", "surrogatepass") for shingle in shingles])
        rows = signature.hashvalues.astype("<u8").reshape(BANDS, BAND_ROWS)
        keys += [_hashed(bytes([band]) + row.tobytes()) for band, row in enumerate(rows)]
        return tuple(dict.fromkeys(keys))

    def is_copy_of(self, other: Story) -> bool:
        """Whether this text says nothing that `other` does not, and is most of it or all."""
        if self.plain == other.plain:
            return True
        if self.is_short or other.is_short:
            return False
        own = self._resolved(other)
        whole = other._resolved(self)
        tokens = own.tokens
        starts = set(own._beginnings(whole))
        ends = {len(tokens), *own._tails}
        return any(
            end - start >= LEAST_PART * len(whole.tokens)
            for start, end in _found(tokens, starts, ends, whole.sentences)
        )

    def _beginnings(self, other: Story, lines: int = FURNITURE_LINES) -> Iterator[int]:
        """Places among the tokens where the text may begin, its headline, byline and the like left out."""
        yield from (0, *self._heads)
        if lines and self.headline and self._is_bare_headline(other):
            below = Story(_BLANK_LINE.split(self._bare.lstrip(), maxsplit=1)[-1])
            yield from (len(self.headline) + place for place in below._beginnings(other, lines - 1))

    def _is_bare_headline(self, other: Story) -> bool:
        """Whether the headline is mere furniture beside `other`: it has no number of its own, and `other` has none
        that says nearly the same in other words."""
        if any(token[0].isdigit() and token not in other.tokens for token in self.headline):
            return False
        own, its = set(self.headline), set(other.headline)
        is_rival = 2 * len(own & its) >= min(len(own), len(its)) > 0
        return not is_rival or " ".join(other.headline) in self.plain

    def _resolved(self, other: Story) -> Story:
        """This text with words that were cut at a line's end written as `other` writes them."""
        text = _plainly_written(self.text)
        if not _LINE_END_HYPHEN.search(text):
            return self
        known = set(other.words)
        hyphenated = other._hyphenated

        def joined(cut: re.Match[str]) -> str:
            before = re.search(r"[^\W\d_]+$", text[max(0, cut.start() - 60) : cut.start()])
            after = re.match(r"[^\W\d_]+", text[cut.end() : cut.end() + 60])
            halves = [half[0].casefold() if half else "" for half in (before, after)]
            return "" if "".join(halves) in known and tuple(halves) not in hyphenated else "-"

        return Story(_LINE_END_HYPHEN.sub(joined, text))

    @cached_property
    def _hyphenated(self) -> frozenset[tuple[str, str]]:
        """What stands on either side of each hyphen."""
        around = zip(self.tokens, self.tokens[1:], self.tokens[2:], strict=False)
        return frozenset((before, after) for before, sign, after in around if sign == "-")

    def _is_furniture(self, line: str) -> bool:
        return 0 < len(line) <= FURNITURE_CHARS and _FURNITURE.fullmatch(line) is not None

    def _places(self, offsets: Sequence[int]) -> Iterator[int]:
        """The number of tokens before each of these offsets of `_bare`."""
        return (bisect_left(self._read[1], offset) for offset in offsets)


def joined(keys: Sequence[bytes]) -> bytes:
    """Keys as one value to store."""
    return b"".join(keys)


def split(signature: bytes) -> tuple[bytes, ...]:
    """The keys in a value made by `joined`."""
    return tuple(signature[first : first + KEY_BYTES] for first in range(0, len(signature), KEY_BYTES))


def _found(
    part: tuple[str, ...], starts: set[int], ends: set[int], whole: Sequence[tuple[str, ...]]
) -> Iterator[tuple[int, int]]:
    """From where to where `part` reads as the sentences of `whole` with any left out, if it does."""
    reached = {start: start for start in sorted(starts, reverse=True)}  # place → the earliest start that leads there
    for sentence in whole:
        size = len(sentence)
        further = {place + size: start for place, start in reached.items() if part[place : place + size] == sentence}
        for place, start in further.items():
            reached[place] = min(start, reached.get(place, start))
        if len(reached) > MOST_PLACES:
            reached = {place: reached[place] for place in sorted(reached)[-MOST_PLACES:]}
    return ((start, place) for place, start in reached.items() if place in ends)


def _plainly_written(text: str) -> str:
    """`text` with one kind of quotes and dashes, without characters that nobody sees."""
    if text.isascii():
        return text.replace("`", "'")
    return _IGNORED.sub("", unicodedata.normalize("NFC", text)).translate(_SAME)


def _digest(kind: bytes, tokens: Sequence[str]) -> bytes:
    return _hashed(kind + " ".join(tokens).encode("utf-8", "surrogatepass"))


def _hashed(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=KEY_BYTES).digest()
