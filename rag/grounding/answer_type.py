"""Answer type: what kind of thing a question asks for, and whether an answer has one. Pure; knows no model.

The rules are those of English; in other languages, and of what is not asked for so, nothing is objected to.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rag.dates import dates
from rag.grounding.lexicon import MONTHS, stems, words

if TYPE_CHECKING:
    from collections.abc import Sequence

_WH = r"(?:who|whom|whose|what|which|when|where|why|how)"
_ASKS_NUMBER = re.compile(
    r"\bhow (?:many|old)\b|\bwhat (?:percentage|per ?cent|share|proportion|number|age)\b|"
    r"\bwhat(?: was| is|['’]s)? (?:the|his|her|its|their) (?:number|age|price|percentage|share|death toll)\b",
    re.IGNORECASE,
)
_AMOUNT = re.compile(
    r"\b(?:no|none|nobody|no ?one|nothing|half|both|all|every|several|few|many|most|majority|some|one|single|twice|"
    r"dozens?|hundreds?|thousands?|millions?|billions?|free)\b",
    re.IGNORECASE,
)
ASKS_WHEN = re.compile(
    r"^\W*(?:(?:and|but|so|then|since|until|exactly) )*when\b|\bwhen\W*$|"
    r"\b(?:what|which)(?: was| is)?(?: the)? (?:day|date|month|year)\b|\bhow long ago\b",
    re.IGNORECASE,
)
"""What asks when something happened; "when" within a question mostly begins a clause."""
_ASKS_MORE = re.compile(rf"\bwhen\b.*\b{_WH}\b", re.IGNORECASE)
"""What asks something else of that time: "When he resigned, who followed him?"."""
_TIME = re.compile(
    rf"\b\d{{3,4}}s?\b|\b\d{{1,2}}(?::\d\d| ?[ap]\.?m\b)|\b(?:{'|'.join(MONTHS)})\b|"
    r"\b(?:(?:mon|tues|wednes|thurs|fri|satur|sun)days?|yesterday|today|tonight|tomorrow|mornings?|afternoons?|evenings?|"
    r"nights?|days?|weeks?|months?|years?|spring|summer|autumn|winter|centur(?:y|ies)|decades?|era|age|dynast(?:y|ies)|"
    r"wars?|never|always|ago|now|immediately|early|late|beginning|end|middle|before|after|during|since|until|till|when|"
    r"while|once|as soon as|BC|AD|time)\b",
    re.IGNORECASE,
)
"""Words that tell a time, or that it was before, during or after something."""
_RECKONED = re.compile(
    r"\b(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day|yesterday|today|tonight|tomorrow|"
    r"(?:last|next|this) (?:week|month|year|spring|summer|autumn|fall|winter))\b",
    re.IGNORECASE,
)
_NAME = re.compile(r"(?<=[\w,] )(?:[A-Z][\w.&’'-]*)(?: (?:of |the |de )?[A-Z][\w.&’'-]*)*")


def asks_when(question: str) -> bool:
    """Whether a question asks for a time and nothing else."""
    return ASKS_WHEN.search(question) is not None and _ASKS_MORE.search(question) is None


def names_time(text: str) -> bool:
    """Whether a text names a day, month or year."""
    return bool(dates(text)) or re.search(r"\b(?:1\d|20)\d\d\b", text) is not None


def is_reckoned(text: str) -> bool:
    """Whether a text names a time that is reckoned from the day of its publication: "later this year"."""
    return _RECKONED.search(text) is not None


def lacks_value(question: str, texts: Sequence[str]) -> bool:
    """Whether a question asks for a number or a time, and none of the texts has one."""
    if _ASKS_NUMBER.search(question):
        return not any(_AMOUNT.search(text) or any(word.is_number for word in words(text)) for text in texts)
    return asks_when(question) and not any(_TIME.search(text) or names_time(text) for text in texts)


def only_repeats(question: str, texts: Sequence[str]) -> bool:
    """Whether the texts say nothing that the question does not: "The judge is Ada Quill." of the judge in the case of
    Ada Quill. Of a question that names two, one of them may be the answer."""
    is_open = re.search(rf"\b{_WH}\b", question, re.IGNORECASE) is not None
    if not is_open or re.search(r"\bor\b", question) or len(set(_NAME.findall(question))) > 1:
        return False
    said = [word for text in texts for word in words(text)]
    return any(word.kind == "name" for word in said) and {word.stem for word in said} <= stems(question)
