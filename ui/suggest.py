"""Suggest: questions a reader may begin with, made from the articles themselves. Pure; knows no model.

A name that stands in the lead of an article is asked after with the headline's own words, so every suggestion is about
something that is there. Nothing here knows a particular collection.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from index.passage import sentences

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from index.article import Article

LONGEST = 110
"""Characters of the longest question; a longer one is no quick start."""
LEAD_CHARS = 1200

_ACT = re.compile(
    r"(?P<who>(?:(?:The|A|An)\s)?[A-Z][\w’'-]+(?:(?:\s(?:of|and|the|de|von)){0,2}\s[A-Z][\w’'-]+){0,4})\s"
    r"(?P<verb>said|says|told|announced|agreed|warned|called|plans|planned|wants|rejected|proposed|accused)\b"
)
_BASE = {
    "said": "say", "says": "say", "told": "say", "announced": "announce", "agreed": "agree on", "warned": "warn of",
    "called": "call for", "plans": "plan", "planned": "plan", "wants": "want", "rejected": "reject",
    "proposed": "propose", "accused": "say",
}  # fmt: skip
_YEAR = re.compile(r"\b(?:in|since|by|until)\s(?:[A-Z][a-z]+\s)?(?:1[5-9]|20)\d\d\b")
_NAME = re.compile(r"\b[A-Z][\w’-]+(?:\s[A-Z][\w’-]+){0,3}")
_NOT_NAMES = frozenset("It He She They We You I This That There These Those What But And In On At As If When".split())


def suggest(articles: Iterable[Article], *, count: int = 4) -> tuple[str, ...]:
    """Up to `count` distinct questions: one of each article, in their order, then a second of each, and so on."""
    asked = [_questions(article) for article in articles]
    found: dict[str, None] = {}
    while asked and len(found) < count:
        for questions in list(asked):
            question = next((one for one in questions if one not in found), None)
            if question is None:
                asked.remove(questions)
            elif len(found) < count:
                found[question] = None
    return tuple(found)


def _questions(article: Article) -> Iterator[str]:
    """Candidates, the most pointed first."""
    topic = _topic(article)
    lead = [span.of(article.text) for span in sentences(article.text[:LEAD_CHARS])]
    yield from (question for sentence in lead for question in _acts(sentence, topic) if len(question) <= LONGEST)
    if topic:
        yield f"What do the articles say about {topic}?"
    yield from (f"What happened {found[0]}?" for sentence in lead for found in _YEAR.finditer(sentence))


def _acts(sentence: str, topic: str) -> Iterator[str]:
    """Questions after what a name is said to have done in a sentence."""
    act = _ACT.search(sentence)
    if act is None or act["who"].split()[0] in _NOT_NAMES:
        return
    who = re.sub(r"^(The|A|An)\b", lambda found: found[1].lower(), act["who"])
    about = topic
    for name in _NAME.findall(sentence[act.end() :]):
        if name not in who and name.split()[0] not in _NOT_NAMES:
            about = about or name
    say = _BASE[act["verb"]] == "say"
    yield f"What did {who} {_BASE[act['verb']]}{f' about {about}' if say and about else ''}?"


def _topic(article: Article) -> str:
    """The headline as something to ask about, or nothing when it does not serve."""
    if not article.title:
        return ""
    words = re.split(r"\s[|–—-]\s|:\s", " ".join(article.title.split()))
    topic = max(words, key=len).strip(" .?!\"“”'…")
    return f"“{topic}”" if 3 <= len(topic) <= LONGEST - 40 else ""
