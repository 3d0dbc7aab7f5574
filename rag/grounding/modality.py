"""Modality: what a sentence says is done, and what it says is only meant, asked for or expected. Pure; knows no model.

"He pledged to form a government" has all words of "He formed a government" and does not say it. Only what a marker and
the verb behind it leave no doubt about is read; of all else nothing is known, and nothing is objected to. The rules are
those of English.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from rag.grounding.lexicon import is_past, words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rag.grounding.lexicon import Word

_STEMS = (
    "pledg|promis|vow|intend|want|wish|hop(?=e|in)|expect|threaten|urg|ask|demand|seek|sought|try|tri(?=e)|attempt|offer|"
    "propos|prepar|aim|refus|declin|fail|tell|told|order|call|press|push|invit|encourag|advis|warn|recommend|requir|"
    "schedul|suppos|agre|persuad|appeal|request|consider|petition"
)
_MARKERS = (
    rf"(?:{_STEMS})[a-z]{{0,4}}|plan(?:s|ned|ning)?|set|due|about|going|ready|willing|un(?:willing|able)|likely|bid|"
    r"efforts?|need(?:s|ed)?|proposals?|chances?"
)
_ON_WHOM = r"(?:\s(?!to\b|and\b|but\b|that\b|which\b|who\b|when\b)[\w’'.-]+)"
_MEANT = re.compile(
    rf"\b(?:(?:{_MARKERS}){_ON_WHOM}{{0,4}}?\sto|(?:is|are|was|were) to|"
    r"will|would|could|may|might|should|must|shall|['’]ll)"
    r"(?:\s(?:not|also|soon|then|be|have|been|\w+ly))*\s(?P<verb>[a-z]+)"
)
"""What marks a deed as meant, asked for, expected or possible, at most four words on by whom, and the deed."""
_OF_NOUN = re.compile(
    r"\b(?:a|an|the|this|that|these|those|its|his|her|their|our|my|"
    r"to|of|by|in|on|with|for)\s$",
    re.IGNORECASE,
)
"""What stands before a participle that is said of a noun ("the proposed law"), or before what is no finite verb."""


def unrealized(claim: str, quotes: Sequence[str]) -> frozenset[str]:
    """The stems of verbs of which the claim says that it is done, and every quote that has them only that it is meant,
    asked for or expected: "formed" by "pledged to form"."""
    found: set[str] = set()
    meant = _meant(claim)
    for word in words(claim):
        if word.stem in meant or not _is_done(claim, word):
            continue
        having = [quote for quote in quotes if any(other.stem == word.stem for other in words(quote))]
        if having and all(word.stem in _meant(quote) for quote in having):
            found.add(word.stem)
    return frozenset(found)


def _is_done(text: str, word: Word) -> bool:
    """Whether a word is a verb in a form that says that something is or was done."""
    written = text[word.start : word.end]
    return written.islower() and is_past(written) and not _OF_NOUN.search(text, 0, word.start)


@lru_cache(maxsize=1024)
def _meant(text: str) -> frozenset[str]:
    """The stems of words that stand nowhere in a text but where they are meant, asked for or expected."""
    starts = {found.start("verb") for found in _MEANT.finditer(text)}
    within = {word.stem for word in words(text) if word.start in starts}
    return frozenset(within - {word.stem for word in words(text) if word.start not in starts})
