"""Tokens: a text → its words in normal form, the same for the word index, for a query, and for what checks an answer.

One word may be written in several ways: with or without accents, composed or not (NFC, NFD), with ligatures or in full
width, joined by a hyphen or not, a number with any separator. `tokens` reads all of them alike and says where each word
stands; the text itself is never changed, so a quote stays exact.

Scripts without spaces between words (Han, Kana, Thai, Lao, Khmer, Burmese) and Korean, whose particles are written
together with the noun, are read as overlapping pairs of characters. Pairs need no dictionary, and names are in none.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Literal

from index.language import stemmer_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Kind = Literal["word", "number", "pair"]

UNSPACED = (
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ece\u0edc-\u0edf\u1000-\u103f\u1050-\u109f\u1780-\u17d3\u17d7\u17dc\u17dd"
    "\u3005-\u3007\u3041-\u3096\u3099\u309a\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\U00020000-\U0003fffd"
)
"""Letters of scripts without spaces between words, as ranges of a character class."""
HANGUL = "\u1100-\u11ff\uac00-\ud7a3"
_PAIRED = f"{UNSPACED}{HANGUL}"
# Marks belong to the letter before them; Python's \w has those of no Indic script.
_MARKS = (
    "\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c7\u0610-\u061a\u064b-\u065f\u0670"
    "\u0900-\u0963\u0966-\u0dff"
)
_LETTER = rf"[^\W_{_PAIRED}]"
_INSIDE = rf"(?:{_LETTER}|[{_MARKS}])"
_TOKEN = re.compile(
    rf"(?P<paired>[{_PAIRED}]+)|"
    # "U.S." is one word, and the same as "US"
    rf"(?P<dotted>(?<!\w)(?:[^\W\d_]\.){{2,}}(?:[^\W\d_](?!\w))?)|"
    # "870,000", "870 000", "1'234.50", "1.234,5", "3.14", "4.0.8", "03.04.2021"
    r"(?P<number>(?<![\w])(?:"
    r"\d{1,3}(?P<group>[ '’.,])\d{3}(?:(?P=group)\d{3})*(?:[.,]\d+)?(?!\d|[.,]\d|[ '’]\d{3}(?!\d))|"
    r"\d{1,2}(?:,\d\d)+,\d{3}(?![\w]|,\d)|"
    r"\d+(?:[.,]\d+)+|\d+(?:st|nd|rd|th)?(?!\w)))|"
    rf"(?P<word>{_LETTER}{_INSIDE}*)"
)
_GLUE = frozenset("-‐‑/_'’ʼ.·&+")
"""What joins two words to one when no space is beside it: "start-ups", "O'Brien", "INV-2023/43"."""
_APOSTROPHES = frozenset("'’ʼ")
_CONTRACTED = frozenset(("t", "re", "ve", "ll", "d", "m"))
"""What English writes behind an apostrophe for a word of its own."""
_SUPERSCRIPT = frozenset("⁰¹²³⁴⁵⁶⁷⁸⁹")
"""Marks of footnotes and powers, which would run into the number before them."""
_OTHER_DIGIT = re.compile(r"[^\D0-9]")
_IGNORED = frozenset("\u00ad\u200b\u200c\u200d\u2060\ufeff\u0640\u200e\u200f")
"""Soft hyphens, characters of no width, and the Arabic stroke that stretches a word."""
_LETTERS = str.maketrans({"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i",
                          "ħ": "h", "ŀ": "l", "ʻ": "", "أ": "ا", "إ": "ا", "آ": "ا", "ٱ": "ا", "ى": "ي", "ة": "ه",
                          "ک": "ك", "ی": "ي"})  # fmt: skip
"""Letters that Unicode does not take apart, as they are written where they cannot be typed; and forms of Arabic letters
that are written one for the other."""
_SPELT_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa"})
"""Umlauts as they are spelt out: "Mueller"."""
_STRIPPED = re.compile("[\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c7\u0610-\u061a\u064b-\u065f\u0670]")
DECIMAL_COMMA = frozenset(
    ("German", "French", "Spanish", "Italian", "Portuguese", "Dutch", "Russian", "Swedish", "Danish", "Norwegian",
     "Finnish", "Polish", "Czech", "Hungarian", "Romanian", "Turkish", "Greek", "Ukrainian", "Belarusian", "Bulgarian",
     "Serbian", "Macedonian", "Kazakh", "Vietnamese")
)  # fmt: skip
"""Languages that write 870.000 for 870,000."""


STEMMED_LETTERS = 3
"""Shorter words have no endings to be cut off; Porter would make "u" of "us"."""


@dataclass(frozen=True, slots=True)
class Token:
    """A word of a text [start, end). `text` is its normal form, in lower case and with its accents, which stemmers
    need; of a number, its digits with a point before the decimals. `glue` is what joins it to the word before it."""

    text: str
    start: int
    end: int
    kind: Kind = "word"
    glue: str = ""


@lru_cache(maxsize=4)  # a passage and its title are read for their words, and again for other spellings of these
def tokens(text: str, language: str | None = None) -> tuple[Token, ...]:
    """The words of a text, in order. The language, as index.language names it, says what a comma in a number is."""
    normal, offsets = _normal(text)
    at: Sequence[int] = range(len(normal) + 1) if offsets is None else offsets
    found: list[Token] = []
    last = 0
    for match in _TOKEN.finditer(normal):
        start, end = match.span()
        between = normal[last:start]
        glue = between if found and between in _GLUE else ""
        last = end
        if match[0] == "s" and glue and glue in _APOSTROPHES:
            continue  # "women's"
        if match["paired"]:
            pairs = _pairs(normal, start, end)
            found.extend(Token(normal[first:beyond], at[first], _end(at, beyond), "pair") for first, beyond in pairs)
            continue
        written = match[0]
        if match["number"]:
            written = _number(written, match["group"], language)
        elif match["dotted"]:
            written = written.replace(".", "")
        found.append(Token(written, at[start], _end(at, end), "number" if match["number"] else "word", glue))
    return tuple(found)


def _end(at: Sequence[int], place: int) -> int:
    """Where a word ends in the text that ends at `place` in normal form, in which "㎏" is two characters."""
    while at[place] == at[place - 1]:
        place += 1
    return at[place]


def _pairs(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Each character with the next one; a lone one alone. A mark counts with the letter that bears it."""
    places = [at for at in range(start, end) if not unicodedata.category(text[at]).startswith("M")]
    places = [start, *(at for at in places if at > start), end]
    if len(places) == 2:
        yield start, end
    for first, _, beyond in zip(places, places[1:], places[2:], strict=False):
        yield first, beyond


def _number(written: str, group: str | None, language: str | None) -> str:
    """A number without what separates its thousands."""
    if group is None:
        if re.fullmatch(r"\d{1,2}(?:,\d\d)+,\d{3}", written):
            return written.replace(",", "")
        return re.sub(r"^(\d+),(\d+)$", r"\1.\2", written)
    is_comma_decimal = language in DECIMAL_COMMA
    if written.count(group) == 1 and group in ".," and (group == ".") != is_comma_decimal:
        return written.replace(",", ".")  # 3.141, and in German 3,141
    return written.replace(group, "").replace(",", ".")


def _normal(text: str) -> tuple[str, list[int] | None]:
    """The text in lower case and in normal form NFKC, and where each of its characters and its end were; None if they
    are where they were."""
    if text.isascii():
        return text.lower(), None
    if unicodedata.is_normalized("NFKC", text) and _IGNORED.isdisjoint(text) and not _OTHER_DIGIT.search(text):
        lower = text.lower()
        if len(lower) == len(text):
            return lower, None
    pieces: list[str] = []
    offsets: list[int] = []
    for match in _CLUSTER.finditer(text):
        piece = _normal_cluster(match[0])
        pieces.append(piece)
        offsets.extend([match.start()] * len(piece))
    offsets.append(len(text))
    # A mark or an ignored character after a letter belongs to it: the end of a word is where the next character begins.
    return "".join(pieces), offsets


_CLUSTER = re.compile(
    r".[\u0300-\u036f\u3099\u309a\u1160-\u11ff\uff9e\uff9f\u00ad\u200b-\u200f\u2060\ufeff\u0640]*", re.DOTALL
)


@lru_cache(maxsize=8192)
def _normal_cluster(cluster: str) -> str:
    kept = "".join(character for character in cluster if character not in _IGNORED)
    if kept in _SUPERSCRIPT:
        return " "
    if kept.isdecimal():
        return str(unicodedata.decimal(kept))
    if unicodedata.category(cluster[0]) == "No" and not "₀" <= cluster[0] <= "₉":
        return kept
    return unicodedata.normalize("NFKC", kept).lower()


@lru_cache(maxsize=65536)
def fold(word: str) -> str:
    """A normal form without accents: "muller", "strasse"."""
    if word.isascii():
        return word
    bare = _STRIPPED.sub("", unicodedata.normalize("NFD", word.translate(_LETTERS)))
    return unicodedata.normalize("NFC", bare)


@lru_cache(maxsize=65536)
def spelt_out(word: str) -> str | None:
    """How a word with an umlaut is written without: "mueller"; None for another."""
    if word.isascii():
        return None
    other = fold(word.translate(_SPELT_OUT))
    return other if other != fold(word) else None


@lru_cache(maxsize=65536)
def stem(word: str, algorithm: str) -> str:
    """The stem of a normal form by one of Snowball's algorithms ("" for none), folded."""
    return fold(_stemmer(algorithm).stemWord(word)) if algorithm and len(word) >= STEMMED_LETTERS else fold(word)


@cache
def _stemmer(algorithm: str) -> Any:
    import snowballstemmer

    return snowballstemmer.stemmer(algorithm)


def term(token: Token, algorithm: str) -> str:
    """What the word index has for a token."""
    return stem(token.text, algorithm) if token.kind == "word" else fold(token.text)


def other_forms(token: Token, algorithm: str) -> list[str]:
    """What the word index would have for a word if its accents had not been typed, where stemming makes a difference,
    or if its umlauts had been spelt out."""
    if token.kind != "word" or token.text.isascii():
        return []
    forms = dict.fromkeys(stem(form, algorithm) for form in (fold(token.text), spelt_out(token.text)) if form)
    return [form for form in forms if form != term(token, algorithm)]


def compounds(found: Sequence[Token]) -> Iterator[Sequence[Token]]:
    """Runs of tokens that are joined: "start-ups", "INV-2023-0043"."""
    run: list[Token] = []
    for token in found:
        if token.glue and run and not (token.glue in _APOSTROPHES and token.text in _CONTRACTED):
            run.append(token)
            continue
        if len(run) > 1:
            yield run
        run = [token]
    if len(run) > 1:
        yield run


def joined(run: Sequence[Token], algorithm: str) -> str:
    """A compound written as one word: "startup", "inv20230043"."""
    last = run[-1]
    whole = "".join(token.text for token in run)
    return stem(whole, algorithm) if last.kind == "word" and last.text.isalpha() else fold(whole)


def terms(text: str, language: str | None) -> list[str]:
    """The words of a text as the word index has them, in their order."""
    algorithm = stemmer_of(language)
    return [term(token, algorithm) for token in tokens(text, language)]


def other_terms(text: str, language: str | None) -> list[str]:
    """How the words of a text are spelt elsewhere: its compounds as one word, its umlauts spelt out; and of each run of
    pairs the last character, which begins none: whoever looks for a single character looks for what begins with it."""
    algorithm = stemmer_of(language)
    found = tokens(text, language)
    others: list[str] = []
    for token, following in itertools.zip_longest(found, found[1:]):
        others.extend(other_forms(token, algorithm))
        is_last = following is None or following.kind != "pair" or following.start >= token.end
        if token.kind == "pair" and len(token.text) > 1 and is_last:
            others.append(token.text[-1])
    return [*others, *(joined(run, algorithm) for run in compounds(found))]
