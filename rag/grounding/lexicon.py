"""Lexicon: the content words of a text, stemmed and weighted, numbers normalized; and all lists of words that decide
something."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

ANTONYMS = Path(__file__).with_name("antonyms.txt")
"""The antonyms of WordNet 3.0, those of all words of a synset."""

STOP_WORDS = frozenset(
    "a about after all also an and any are as at be been before being but by can could did do does doing for from "
    "had has have he her him his how i if in into is it its itself me more most my no nor not of on one or other "
    "our out over own said say says she should so some such than that the their them then there these they this "
    "those to too under until up was we were what when where which while who whom whose why will with would you "
    "your according article articles passage passages mentioned stated yes".split()
)
"""Function words and words of reporting: they carry no evidence."""

WEIGHTS = {"number": 3.0, "name": 2.0, "word": 1.0}
"""How much a missing word matters: a wrong number or name makes a false claim, a synonym does not."""

_NUMBERS = {
    word: str(value)
    for value, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen twenty".split()
    )
    if value > 1  # "one" is mostly a pronoun
} | {"ii": "2", "iii": "3", "first": "1st", "second": "2nd", "third": "3rd"}

_IRREGULAR = {
    form: forms[0]
    for forms in map(
        str.split,
        "become became;begin began begun;blow blew blown;break broke broken;bring brought;build built;buy bought;"
        "catch caught;choose chose chosen;come came;deal dealt;draw drew drawn;drive drove driven;eat ate eaten;"
        "fall fell fallen;feel felt;fight fought;find found;flee fled;fly flew flown;forget forgot forgotten;"
        "forbid forbade forbidden;"
        "freeze froze frozen;get got gotten;give gave given;go went gone;grow grew grown;hear heard;hide hid hidden;"
        "hold held;keep kept;know knew known;lay laid;lead led;leave left;lend lent;lose lost;make made;mean meant;"
        "meet met;pay paid;rise rose risen;run ran;see saw seen;seek sought;sell sold;send sent;shake shook shaken;"
        "shoot shot;sing sang sung;sink sank sunk;sit sat;sleep slept;speak spoke spoken;spend spent;stand stood;"
        "steal stole stolen;strike struck;swear swore sworn;swim swam swum;take took taken;teach taught;tell told;"
        "think thought;throw threw thrown;understand understood;wear wore worn;win won;withdraw withdrew withdrawn;"
        "write wrote written".split(";"),
    )
    for form in forms[1:]
}
"""Forms of common verbs that a stemmer leaves apart: talks that "broke down" are those asked to "break down"."""

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
NEGATION = re.compile(
    r"\b(?:not(?! only\b| just\b| least\b)|never|neither|nor|no(?! longer\b| later\b| less\b| more\b| fewer\b)|none|"
    r"nobody|nothing|without|cannot)\b|n['’]t\b",
    re.IGNORECASE,
)
"""Words that negate what follows them."""
COLLECTION = re.compile(r"\b(?:articles?|passages?|documents?)\b", re.IGNORECASE)
"""Words for what a collection consists of."""
_COUNT = rf"(?:\d+|no|{'|'.join(_NUMBERS)}|one|several|many|few|all)"
COUNTED_ARTICLES = re.compile(
    rf"\b(?:{_COUNT}(?: of the)? (?:\w+ )?{COLLECTION.pattern}|{COLLECTION.pattern} (?:mention|are about|is about))",
    re.IGNORECASE,
)
"""Where a text counts the articles of a collection, or says what they are about."""
AUXILIARIES = frozenset("do does did has have had is are was were".split())
"""What a negation brings with it ("did not agree" for "agreed"), whatever the tense."""
MODALS = frozenset("will would can could may might should must if unless whether yet".split())
"""Words that make what is said depend on something, or on the future."""
DENIAL = re.compile(
    rf"\b(?:(?:{'|'.join(sorted(AUXILIARIES))})(?:\snot\b|n[’']t\b)|(?<=\bwill )not|never|no longer|"
    r"failed to|refused to|declined to|denie[ds](?: that)?(?: (?:he|she|it|they))?)\s(?!only\b|just\b|until\b)",
    re.IGNORECASE,
)
"""The words with which a sentence says that something is not so; without them it says that it is."""
APPROXIMATE = re.compile(r"\b(?:about|around|some|roughly|approximately|estimated|nearly|almost)\s$", re.IGNORECASE)
"""Words before a number that make it a rough one."""
BOUNDS = re.compile(
    r"\b(?:at least|at most|more than|over|above|less than|fewer than|under|below|up to|as many as)\s(?:US)?[$€£¥]?$",
    re.IGNORECASE,
)
"""Words before a number that make it a bound."""

# U.S. is one word, and the same as US.
_TOKEN = re.compile(r"(?:[^\W\d_]\.){2,}|\d+(?:[.,]\d+)*(?:st|nd|rd|th)?|[^\W\d_]+(?:['’][^\W\d_]+)?", re.UNICODE)


@dataclass(frozen=True, slots=True)
class Word:
    """One content word: its `stem` for comparing, its `kind` (a key of WEIGHTS), and where it stands."""

    stem: str
    kind: str
    start: int
    end: int

    @property
    def weight(self) -> float:
        """How much it matters."""
        return WEIGHTS[self.kind]

    @property
    def is_number(self) -> bool:
        """Digits, or a count in words; an ordinal in words is mostly not meant as a number."""
        return self.kind == "number" or self.stem.isdigit()


@lru_cache(maxsize=4096)
def words(text: str) -> tuple[Word, ...]:
    """The content words of `text` in order; stop words are left out."""
    found = []
    for match in _TOKEN.finditer(text):
        token = match.group()
        lower = re.sub(r"['’]s?$", "", token.lower()) if "." not in token or token[0].isdigit() else _joined(token)
        if token[0].isdigit():
            found.append(Word(_number(lower), "number", match.start(), match.end()))
        elif lower in _NUMBERS and not (lower in ("first", "second") and token[0].isupper()):
            found.append(Word(_NUMBERS[lower], "word", match.start(), match.end()))
        elif lower not in STOP_WORDS and (len(lower) > 1 or token.isupper()):
            named = token[0].isupper() and not _starts_sentence(text, match.start())
            found.append(Word(_stem(lower), "name" if named else "word", match.start(), match.end()))
    return tuple(found)


@lru_cache(maxsize=4096)
def stems(text: str) -> frozenset[str]:
    """The stems of the content words of `text`, whatever their kind."""
    return frozenset(word.stem for word in words(text))


def antonyms(stem: str) -> frozenset[str]:
    """The stems of the opposites of a word, as antonyms.txt has them."""
    return _antonyms().get(stem, frozenset())


@cache
def _antonyms() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for line in ANTONYMS.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        first, *others = map(_stem, line.split())
        for other in others:
            if other != first:
                found.setdefault(first, set()).add(other)
                found.setdefault(other, set()).add(first)
    return {stem: frozenset(others) for stem, others in found.items()}


def _joined(letters: str) -> str:
    return letters.replace(".", "").lower()


def _number(token: str) -> str:
    return token.replace(",", "") if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", token) else token


def _starts_sentence(text: str, start: int) -> bool:
    before = text[:start].rstrip(" \t\"'“‘(")
    return not before or before[-1] in ".!?:\n"


@lru_cache(maxsize=65536)
def _stem(word: str) -> str:
    return str(_stemmer().stemWord(_IRREGULAR.get(word, word)))


@cache
def _stemmer() -> _Stemmer:
    import snowballstemmer

    stemmer: _Stemmer = snowballstemmer.stemmer("english")
    return stemmer


class _Stemmer:
    """What we use of snowballstemmer's objects."""

    def stemWord(self, word: str) -> str:  # noqa: N802 - the library's name
        raise NotImplementedError
