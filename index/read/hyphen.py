"""Hyphen: whether a hyphen at a line's end broke a word ("infra-structure") or belongs to it ("well-known").

The document decides where it has the word elsewhere, whole or with its hyphen. Where it has not, a dictionary of the
language does; what neither knows, a name for instance, was most likely broken.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from index.language import READ_CHARS, language_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence, Set

BREAK = "\ufffe"
"""Stands for a hyphen at a line's end, between the two sides of a word."""
LONG_LETTERS = 6
"""Words that are broken have at least so many letters: what a dictionary lacks of them is what it lacks of those."""
SIDES_ARE_WORDS = 0.15
"""How often both sides of a broken word are words, until the document shows it: of English words broken by TeX."""
LINE_WORDS = 8
"""Words on a line of a column: one compound of so many is at a line's end."""
KEPT_DICTIONARIES = 3
"""Dictionaries that stay in memory; that of German takes 40 MB."""

_TAGS = {
    "Arabic": "ar", "Dutch": "nl", "English": "en", "French": "fr", "German": "de", "Italian": "it",
    "Portuguese": "pt", "Russian": "ru", "Spanish": "es",
}  # fmt: skip
"""Languages that index/language.py recognizes → their dictionaries of pyspellchecker."""
_DICTIONARIES = frozenset((*_TAGS.values(), "eu", "fa", "lv"))
# Only from the beginning of a stretch, whose end would else be looked for from each of its letters.
_BROKEN = re.compile(rf"(?<![^\s{BREAK}])([^\s{BREAK}]*){BREAK}(?=([^\s{BREAK}]*))")
_ADDRESS = re.compile(r"[/@_]|\w\.\w")
_WORD = re.compile(r"[^\W\d_]+(?:[-‐’'][^\W\d_]+)*")
_LAST_LETTERS = re.compile(r"(?<![^\W\d_])[^\W\d_]+$")
_FIRST_LETTERS = re.compile(r"^[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class _Place:
    """A hyphen at a line's end: the letters on its two sides, and whether the document alone shows it broke a word."""

    before: str
    after: str
    decision: bool | None
    is_name: bool = False
    """Whether a capital within a sentence, and a small letter after the hyphen, say that it broke a name or a noun."""
    has_hyphen: bool = False
    """Whether the word has another hyphen: "state-of-the-art"."""


def mend(text: str, *, language: str | None = None) -> str:
    """`text` with each BREAK taken out or made a hyphen; `language` is a tag such as "en-GB", if it declares one."""
    if BREAK not in text:
        return text
    known = Counter(word.casefold().replace("‐", "-") for word in _WORD.findall(text))
    places = [_place(match, text, known) for match in _BROKEN.finditer(text)]
    decisions = [place.decision for place in places]
    if None in decisions:
        tag = language.split("-")[0].lower() if language else _TAGS.get(language_of(text[:READ_CHARS]) or "", "")
        decisions = _by_dictionary(places, known, _dictionary(tag))
    found = iter(decisions)
    return _BROKEN.sub(lambda match: match[1] + ("" if next(found) else "-"), text)


def _place(match: re.Match[str], text: str, known: Mapping[str, int]) -> _Place:
    left, right = match[1], match[2]
    before, after = _LAST_LETTERS.search(left), _FIRST_LETTERS.search(right)
    if before is None or after is None or min(len(before[0]), len(after[0])) < 2:
        return _Place("", "", decision=False)  # "1990-1995", "COVID-19", "e-mail": no program leaves one letter alone
    sides = before[0].casefold(), after[0].casefold()
    if (after[0][0].isupper() and not (before[0] + after[0]).isupper()) or _ADDRESS.search(f"{left} {right}"):
        return _Place(*sides, decision=False)  # "Franco-German"
    whole, compound = known["".join(sides)], known["-".join(sides)]
    if whole != compound:
        return _Place(*sides, decision=whole > compound)
    begins = text[max(0, match.start() - 20) : match.start() + before.start()].rstrip(" \n\"'“‘«„(")
    is_name = before[0][0].isupper() and after[0][0].islower() and begins[-1:] not in ("", *".!?:…")
    has_hyphen = bool(re.search(r"\w[-‐]", left) or re.search(r"^\w+[-‐]\w", right))
    # What stands here as a side of a broken word is among the known ones once.
    return _Place(*sides, decision=None, is_name=is_name and known[sides[0]] < 2, has_hyphen=has_hyphen)


def _by_dictionary(places: Sequence[_Place], known: Mapping[str, int], words: Set[str]) -> list[bool | None]:
    """The decisions, also about places that the document alone does not decide.

    By Bayes' rule. A word that was broken is missing from the dictionary as often as the document's other long words
    are, and its sides are words as often as those of words that surely were broken; a compound is made of words. How
    many of each there are at line ends follows from the compounds within lines.
    """
    long = [word for word in known if len(word) >= LONG_LETTERS and "-" not in word]
    missing = (sum(word not in words for word in long) + 1) / (len(long) + 2) if words else 1.0

    def are_words(place: _Place) -> bool:
        return all(side in words or known[side] > 1 for side in (place.before, place.after))

    broken = [place for place in places if place.decision is not False and place.before + place.after in words]
    by_chance = (sum(map(are_words, broken)) + SIDES_ARE_WORDS * 5) / (len(broken) + 5)
    kept = sum(place.decision is False for place in places)
    compounds = max((sum(known[word] for word in known if "-" in word) + 1) / LINE_WORDS, kept)
    prior = max(len(places) - compounds, 0.5) / compounds
    decisions: list[bool | None] = []
    for place in places:
        if place.decision is not None:
            decisions.append(place.decision)
        elif place.before + place.after in words:
            decisions.append(True)
        elif place.has_hyphen:
            decisions.append(False)
        elif words and not any(side in words or known[side] > 1 for side in (place.before, place.after)):
            decisions.append(True)  # "reor-ganisation": a compound has at least one word that is known
        elif are_words(place) and not place.is_name:
            decisions.append(prior * missing * by_chance > 1)
        else:
            decisions.append(prior >= 1 or place.is_name)
    return decisions


@lru_cache(maxsize=KEPT_DICTIONARIES)
def _dictionary(tag: str) -> Set[str]:
    """The words of a language; none for a language without a dictionary."""
    if tag not in _DICTIONARIES:
        return frozenset()
    import spellchecker

    return frozenset(spellchecker.SpellChecker(language=tag).word_frequency.dictionary)
