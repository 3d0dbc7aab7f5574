"""Hyphen: whether a hyphen at a line's end broke a word ("infra-structure") or belongs to it ("well-known").

The document decides where it has the word elsewhere, whole or with its hyphen. Where it has not, a dictionary of the
language does. What neither knows, a name for instance, is a broken word if the document breaks words at all.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

BREAK = "\ufffe"
"""Stands for a hyphen at a line's end, between the two sides of a word."""
SAMPLE_WORDS = 2000
"""How many words of a text are looked at to recognize its language."""
ENOUGH_WORDS = 300
"""In so many words of English there are three or so with a hyphen."""

_LANGUAGES = {
    "ar": "Arabic", "de": "German", "en": "English", "es": "Spanish", "eu": "Basque", "fa": "Persian",
    "fr": "French", "it": "Italian", "lv": "Latvian", "nl": "Dutch", "pt": "Portuguese", "ru": "Russian",
}  # fmt: skip
"""Languages of the dictionaries (pyspellchecker), and what justext calls its lists of their commonest words."""
_BROKEN = re.compile(rf"([^\s{BREAK}]*){BREAK}(?=([^\s{BREAK}]*))")
_WORD = re.compile(r"[^\W\d_]+(?:[-‐’'][^\W\d_]+)*")
_LAST_LETTERS = re.compile(r"[^\W\d_]+$")
_FIRST_LETTERS = re.compile(r"^[^\W\d_]+")


def mend(text: str, *, language: str | None = None) -> str:
    """`text` with each BREAK taken out or made a hyphen."""
    if BREAK not in text:
        return text
    known = Counter(word.casefold().replace("‐", "-") for word in _WORD.findall(text))
    pairs = [(match[1], match[2]) for match in _BROKEN.finditer(text)]
    certain = [_decided(*pair, known) for pair in pairs]
    if None in certain:
        words = _dictionary(language_of(text, language))
        certain = [
            _by_dictionary(*pair, known, words) if decision is None else decision
            for pair, decision in zip(pairs, certain, strict=True)
        ]
    # Where no word was surely broken, the document may not break words: browsers and word processors do not by default.
    breaks_words = certain.count(True) >= certain.count(False)
    decisions = iter(certain)

    def joined(match: re.Match[str]) -> str:
        decision = next(decisions)
        return match[1] + ("" if decision or (decision is None and breaks_words) else "-")

    return _BROKEN.sub(joined, text)


def language_of(text: str, declared: str | None = None) -> str | None:
    """The language of `text` as a tag such as "en", from what it declares or from its commonest words."""
    if declared:
        return declared.split("-")[0].lower()
    import justext

    sample = [word.casefold() for word in _WORD.findall(text)[:SAMPLE_WORDS]]
    shares = {
        name: sum(map(justext.get_stoplist(name).__contains__, sample)) for name in sorted(justext.get_stoplists())
    }
    best = max(shares, key=lambda name: (shares[name], name == "English"))
    return next((tag for tag, name in _LANGUAGES.items() if name == best), None)


def _decided(left: str, right: str, known: Mapping[str, int]) -> bool | None:
    """Whether the hyphen between the sides broke a word, by what the document shows alone; None if it does not."""
    before, after = _LAST_LETTERS.search(left), _FIRST_LETTERS.search(right)
    if before is None or after is None or min(len(before[0]), len(after[0])) < 2:
        return False  # "1990-1995", "COVID-19", "e-mail": no program leaves one letter alone
    if (after[0][0].isupper() and not before[0].isupper()) or re.search(r"[/@_]|\w\.\w", left + " " + right):
        return False  # "Franco-German", an address
    whole, compound = known[(before[0] + after[0]).casefold()], known[f"{before[0]}-{after[0]}".casefold()]
    return None if whole == compound else whole > compound


def _by_dictionary(left: str, right: str, known: Mapping[str, int], words: Mapping[str, int]) -> bool | None:
    before, after = (
        match[0].casefold() for match in (_LAST_LETTERS.search(left), _FIRST_LETTERS.search(right)) if match
    )
    if before + after in words:
        return True
    # What stands here as a side of a broken word is among the known ones once.
    sides_are_words = all(side in words or known[side] > 1 for side in (before, after))
    return False if sides_are_words and _has_compounds(known) else None


def _has_compounds(known: Mapping[str, int]) -> bool:
    """Whether the document, if it is long enough to show it, writes words with hyphens, as German hardly does."""
    return sum(known.values()) < ENOUGH_WORDS or any("-" in word for word in known)


@cache
def _dictionary(language: str | None) -> Mapping[str, int]:
    """The words of a language; none for a language without a dictionary."""
    if language not in _LANGUAGES:
        return {}
    import spellchecker

    return dict(spellchecker.SpellChecker(language=language).word_frequency.dictionary)
