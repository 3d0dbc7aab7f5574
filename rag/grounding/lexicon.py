"""Lexicon: the content words of a text, stemmed and weighted, numbers normalized; and all lists of words that decide
something."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from index import tokens
from index.language import STEMMERS, function_words, language_of, stemmer_of, without_function_words
from rag.grounding import foreign

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from index.tokens import Token

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
_TENS = {
    word: 10 * value
    for value, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), start=2)
}
_ONES = {word: value for value, word in enumerate("one two three four five six seven eight nine".split(), start=1)}
_SMALL = {word: int(value) for word, value in _NUMBERS.items() if value.isdecimal()} | _TENS | _ONES
_LARGE = {"hundred": 100, "thousand": 1000}

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

_UNCHANGED = frozenset("beat bet cast cost cut hit hurt let put quit set shed shut split spread thrust upset".split())
"""Verbs of which the past form is that of the present."""
_PREFIX = re.compile(r"^(?:over|under|out|up|with|fore|mis|re|un)(?=\w{3})")

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
"""Not those of `calendar`, which are in the language of the machine."""
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
PREPOSITIONS = frozenset(
    "about above across after against along amid among around as at before behind below beneath beside between beyond "
    "by despite down during for from in inside into near off on onto out outside over past per since through "
    "throughout till to toward towards under until upon via with within without".split()
)
SPEECH = re.compile(r"\b(?:said|says|told|tells|announced|reported|added|wrote|showed|confirmed)\b")
"""Verbs with which a text reports what somebody says."""
DENIAL = re.compile(
    rf"\b(?:(?:{'|'.join(sorted(AUXILIARIES))})(?:\snot\b|n[’']t\b)|(?<=\bwill )not|never|no longer|"
    r"failed to|refused to|declined to|denie[ds](?: that)?(?: (?:he|she|it|they))?)\s(?!only\b|just\b|until\b)",
    re.IGNORECASE,
)
"""The words with which a sentence says that something is not so; without them it says that it is."""
OPINION = re.compile(
    r"\b(?:I|we) (?:think|believe|feel|hope|wish|doubt|guess|suppose|suspect|wonder|would argue)\b|"
    r"\bin (?:my|our) (?:view|opinion)\b|^(?:hopefully|arguably)\b",
    re.IGNORECASE,
)
"""Words with which a writer says what he thinks, which no article can support."""
APPROXIMATE = re.compile(r"\b(?:about|around|some|roughly|approximately|estimated|nearly|almost)\s$", re.IGNORECASE)
"""Words before a number that make it a rough one."""
_LEAST = r"at least|no (?:less|fewer) than|(?<!no )(?<!not )more than|over|above|upwards? of|a minimum of"
_MOST = r"at most|(?:no|not) more than|(?<!no )(?:less|fewer) than|under|below|up to|as many as|a maximum of"
_BEFORE_NUMBER = r"\s(?:US)?[$€£¥]?$"
BOUNDS = re.compile(rf"\b(?:{_LEAST}|{_MOST}){_BEFORE_NUMBER}", re.IGNORECASE)
"""Words before a number that make it a bound."""
AT_LEAST = re.compile(rf"\b(?P<bound>{_LEAST}){_BEFORE_NUMBER}", re.IGNORECASE)
"""Words before a number that is reached or exceeded."""
AT_MOST = re.compile(rf"\b(?P<bound>{_MOST}|nearly|almost|close to){_BEFORE_NUMBER}", re.IGNORECASE)
"""Words before a number that is not exceeded, or not reached."""

AGE = re.compile(r"\b[A-Z][\w’'-]*,? (?:\(\d{1,3}\)|(?<=, )\d{1,3}(?=,))")
"""The age of somebody, as news give it: "Ada Quill, 75, said", "Ada Quill (75)"."""
AKIN_CHARS = 4
AKIN_SHARE = 0.85
"""Fewest characters, and least share of those of the shorter one, that two names must have in common from their start
to be taken for akin: Japan and Japanese, Aristotle and Aristotelian; not Austria and Australia."""

_CONTRACTED = frozenset(("t", "re", "ve", "ll", "d", "m"))
IDENTIFIER_LETTERS = 6
"""Most letters of a code before its digits: INV-2023-0043, COVID-19; a longer word is a word."""
_PARTICIPLE = re.compile(r"^ge(\w{4,}(?:t|en))$")
_SPELT_OUT = re.compile("ae|oe|ue")
"""Umlauts of a name where they cannot be typed: "Mueller"."""
_SPELT_OTHERWISE = re.compile(r"\w[-/_'+&]\w|\d|[A-Z]\w*[aou]e")
"""What may be spelt otherwise in an English text without accents: compounds, numbers and dates, names with umlauts."""


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
        return self.kind == "number" or self.stem.isdecimal()


@lru_cache(maxsize=4096)
def words(text: str, language: str | None = None) -> tuple[Word, ...]:
    """The content words of `text` in order; stop words are left out. It is in `language`, or in that which it tells."""
    spoken = language or language_of(text)
    found = tokens.tokens(without_function_words(text, spoken), spoken)
    stop = STOP_WORDS if spoken in (None, "English") else function_words(spoken)
    numbers = _NUMBERS | foreign.NUMBERS.get(spoken or "", {})
    in_digits = {
        start: (end, day) for start, end, day in foreign.full_dates(text) if not re.search(r"[^\W\d]", text[start:end])
    }
    in_han = {start: (end, digits, "number") for start, end, digits in foreign.han_numbers(text, spoken)}
    in_han |= {start: (end, day, "name") for start, end, day in foreign.han_weekdays(text, spoken)}
    content: list[Word] = []
    place = 0
    while place < len(found):
        token = found[place]
        start, end, written = token.start, token.end, text[token.start : token.end]
        if start in in_digits:  # 25/04/2021, which may stand elsewhere as 25 April 2021
            end, day = in_digits[start]
            content.append(Word(day.isoformat(), "number", start, end))
            while place < len(found) and found[place].start < end:
                place += 1
            continue
        if token.text in _CONTRACTED and token.glue in ("'", "’"):  # "don't", "she'll"
            if token.text == "t" and content and content[-1].end == found[place - 1].end:
                content.pop()
            place += 1
            continue
        run = _identifier(text, found, place)
        place += len(run)
        if len(run) > 1 or _is_code(token.text):
            content.append(Word(_code(run), "number", start, run[-1].end))
        elif start in in_han:  # "九千", "90万", "星期五"
            end, stem, kind = in_han[start]
            content.append(Word(stem, kind, start, end))
            while place < len(found) and found[place].end <= end:
                place += 1
        elif token.kind == "pair":
            content.append(Word(tokens.fold(token.text), "word", start, end))
        elif token.text[0].isdecimal():
            content.extend(_counted(token, numbers))
        elif (counted := _in_words(found, place - 1, spoken) or foreign.number(found, place - 1, spoken)) is not None:
            value, place = counted
            content.append(Word(value, "word", start, found[place - 1].end))
        elif token.text in numbers and not (token.text in ("first", "second") and written[0].isupper()):
            content.append(Word(numbers[token.text], "word", start, end))
        elif token.text not in stop and (len(token.text) > 1 or written.isupper()):
            is_name = _is_name(text, found, place - 1, spoken) or foreign.is_day_or_month(found, place - 1, spoken)
            kind = "name" if is_name else "word"
            content.append(Word(_stem(token.text, spoken), kind, start, end))
    return tuple(word for word in content if word.stem)  # marks that stand alone have none


@lru_cache(maxsize=4096)
def stems(text: str) -> frozenset[str]:
    """The stems of the content words of `text`, whatever their kind."""
    return frozenset(word.stem for word in words(text))


@lru_cache(maxsize=4096)
def known(text: str, language: str | None = None) -> frozenset[str]:
    """The stems of the content words of `text`, and what these would be if they were spelt in another way: what a claim
    or a question may have of it. It is in `language` if it does not tell."""
    spoken = language_of(text) or language
    found = frozenset(word.stem for word in words(text, spoken))
    if text.isascii() and spoken == "English" and not _SPELT_OTHERWISE.search(text):
        return found
    others: set[str] = set()
    read = tokens.tokens(text, spoken)
    # A claim in another language, or one that does not tell its language, is stemmed in another way.
    languages = (None,) if spoken in (None, "English") else (spoken, None)
    for token in read:
        if token.kind == "pair":
            others |= {tokens.fold(token.text), *token.text}
        elif token.kind == "number":
            others.add(token.text)
        elif token.text not in STOP_WORDS:
            forms = {token.text, tokens.fold(token.text), tokens.spelt_out(token.text)}
            if text[token.start].isupper():
                forms.add(_SPELT_OUT.sub(lambda match: match[0][0], token.text))
            others |= {_stem(form, each) for form in forms if form for each in languages}
    for run in tokens.compounds(read):
        others |= {_stem("".join(token.text for token in run), spoken), _code(run)}
    # "ISO 9001" may be written "ISO-9001", "Covid 19" "COVID-19"
    for one, other in itertools.pairwise(read):
        if other.text[0].isdecimal() and text[one.start].isupper():
            others.add(_code((one, other)))
    if spoken in (None, "English") and AGE.search(text):  # who is "Quill, 75," is 75 years old
        others |= {_stem("years"), _stem("old"), _stem("aged")}
    others |= {day.isoformat() for _, _, day in foreign.full_dates(text)}
    others |= {digits for _, _, digits in foreign.han_numbers(text, spoken, is_any=True)}
    return found | others


@lru_cache(maxsize=256)
def otherwise(text: str) -> tuple[tuple[int, int, frozenset[str]], ...]:
    """Stretches of a text that may be written in another way elsewhere, and how: "start-ups" as "startups", "Covid 19"
    as "COVID-19", "March 4, 2021" as "2021-03-04"; each form as `known` has it."""
    spoken = language_of(text)
    read = tokens.tokens(text, spoken)
    runs = [(run, {_stem("".join(token.text for token in run), spoken), _code(run)}) for run in tokens.compounds(read)]
    for pair in itertools.pairwise(read):
        if pair[1].text[0].isdecimal():
            runs.append((pair, {_code(pair)}))
        elif all(token.text.isalpha() and token.kind == "word" for token in pair):
            runs.append((pair, {_stem(pair[0].text + pair[1].text, spoken)}))  # "health care"
    days = ((start, end, frozenset((day.isoformat(),))) for start, end, day in foreign.full_dates(text))
    return (*((run[0].start, run[-1].end, frozenset(forms)) for run, forms in runs), *days)


def negations(text: str, language: str | None = None) -> tuple[list[re.Match[str]], bool]:
    """Where a text negates something, and whether it negates what stands before. It is in `language` if it does not
    tell."""
    spoken = language_of(text) or language
    pattern = foreign.NEGATIONS.get(spoken or "", NEGATION)
    return list(pattern.finditer(text)), spoken in foreign.NEGATED_BEFORE


def prepositions(text: str) -> frozenset[str]:
    """The prepositions of the language of a text that govern a place, a thing or a person, but for whom something is
    done by."""
    spoken = language_of(text)
    if spoken in (None, "English"):
        return PREPOSITIONS - {"by"} | {"of"}
    return foreign.PREPOSITIONS.get(spoken, frozenset())


def antonyms(stem: str) -> frozenset[str]:
    """The stems of the opposites of a word, as antonyms.txt has them."""
    return _antonyms().get(stem, frozenset())


def is_day_name(word: Word) -> bool:
    """Whether a word with a capital is the name of a month or a day of the week."""
    return word.stem in _day_names()


def is_past(word: str) -> bool:
    """Whether a word in small letters looks like a past form of a verb: "captured", "won"."""
    return word.endswith("ed") or _PREFIX.sub("", word) in _IRREGULAR.keys() | _UNCHANGED


def is_akin(name: str, names: Collection[str]) -> bool:
    """Whether `names` has the name or one that begins alike."""
    return name in names or any(_begin_alike(name, other) for other in names)


def _begin_alike(one: str, other: str) -> bool:
    shorter = min(len(one), len(other))
    common = next((place for place, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), shorter)
    return shorter >= AKIN_CHARS and common >= AKIN_SHARE * shorter


@cache
def _day_names() -> frozenset[str]:
    return frozenset(_stem(name.lower()) for name in (*MONTHS, *WEEKDAYS))


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


def _identifier(text: str, found: Sequence[Token], place: int) -> Sequence[Token]:
    """The tokens from `place` on that are one code: "E-1074", "INV-2023-0043", "12-B"; else that token alone."""
    end = place + 1
    while end < len(found) and found[end].glue and found[end].glue in "-‐‑/_":
        end += 1
    run = found[place:end]
    if len(run) == 1:
        return run
    written = [text[token.start : token.end] for token in run]
    has_digits = any(any(map(str.isdecimal, one)) for one in written[1:])
    is_coded = written[0].isupper() and len(written[0]) <= IDENTIFIER_LETTERS and has_digits
    is_lettered = written[0].isdecimal() and len(run) == 2 and len(written[1]) == 1 and written[1].isupper()
    is_single = len(written[0]) == 1 and written[0].isalpha() and all(map(str.isdecimal, written[1:]))
    return run if is_coded or is_lettered or is_single else found[place : place + 1]


def _is_code(token: str) -> bool:
    """Whether letters and digits stand together: "e1074", "mh370"; not "1990s", "3km"."""
    return token[0].isalpha() and not token.isalpha() and any(map(str.isdecimal, token))


def _code(run: Sequence[Token]) -> str:
    """The parts of a code, together; "F-16s" are some of them."""
    return re.sub(r"(?<=\d)s$", "", tokens.fold("".join(token.text for token in run)))


def _in_words(found: Sequence[Token], place: int, language: str | None) -> tuple[str, int] | None:
    """The English number in words that begins with a token, in digits, and the place after it: "thirty-one", "two
    hundred and fifty". None if none does: "one" alone is mostly a pronoun, and "a hundred" mostly not counted."""
    total, size, end = 0, 1_000_000, place
    while language in (None, "English"):
        at = end + (place < end < len(found) and found[end].text == "and")
        value, after = _below_hundred(found, at)
        times = _LARGE.get(found[after].text, 1) if after < len(found) else 1
        if not value or times >= size:  # "between two hundred and three hundred" names two
            break
        total, size, end = total + value * times, times, after + (times > 1)
    is_pronoun = end == place + 1 and found[place].text == "one"
    return (str(total), end) if total and not is_pronoun else None


def _below_hundred(found: Sequence[Token], place: int) -> tuple[int, int]:
    """The number in words that begins with a token, and the place after it; 0 if none does."""
    first = found[place].text if place < len(found) else ""
    following = found[place + 1] if first in _TENS and place + 1 < len(found) else None
    if following is not None and following.glue and following.glue in "-‐‑" and following.text in _ONES:
        return _TENS[first] + _ONES[following.text], place + 2
    return _SMALL.get(first, 0), place + 1


def _counted(token: Token, numbers: Mapping[str, str]) -> Iterator[Word]:
    """A number, and the unit that is written together with it: "3km"; in "1990s" there is none."""
    ordinal = re.fullmatch(r"\d+(?:st|nd|rd|th)", token.text)
    digits = token.text if ordinal else re.match(r"[\d.,]*\d", token.text)[0]  # type: ignore[index]
    unit = token.text[len(digits) :]
    at = token.end - len(unit)
    yield Word(digits, "number", token.start, at)
    if len(unit) > 1:
        yield Word(numbers.get(unit) or _stem(unit, None), "word", at, token.end)


def _is_name(text: str, found: Sequence[Token], place: int, language: str | None) -> bool:
    """Whether a word is a name: it has a capital that begins no sentence. German writes all nouns so: there, only
    capitals in a row are a name."""
    token = found[place]
    if not text[token.start].isupper() or _starts_sentence(text, token.start):
        return False
    if language != "German" or text[token.start : token.end].isupper():
        return True
    beside = [*found[max(place - 1, 0) : place], *found[place + 1 : place + 2]]
    return any(text[other.start].isupper() and not _starts_sentence(text, other.start) for other in beside)


def _starts_sentence(text: str, start: int) -> bool:
    before = text[:start].rstrip(" \t\"'“‘(")
    return not before or before[-1] in ".!?:\n"


def _stem(word: str, language: str | None = None) -> str:
    if language in (None, "English") or language not in STEMMERS:
        return tokens.stem(_IRREGULAR.get(word) or tokens.fold(word), "english")  # "Straße", as "Strasse" is
    # Snowball leaves German participles apart: "kostete", "gekostet".
    return tokens.stem(_PARTICIPLE.sub(r"\1", word) if language == "German" else word, stemmer_of(language))
