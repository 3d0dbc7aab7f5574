"""Suggest: questions to begin with, about subjects that are in the articles, one of each kind. Pure; knows no model.

A subject is a name that stands in several articles, so every suggestion finds something. Nothing here knows a
particular collection.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from index.passage import sentences
from rag.dates import dates, day_of
from rag.kind import kind_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from index.article import Article

LONGEST = 110
"""Characters of the longest question; a longer one is no quick start."""
LONGEST_NAME = 40
"""Characters of the longest name that is suggested."""
LEAD_CHARS = 1200
"""How much of an article is read: a news story names its subject in its first paragraphs."""

_ACT = re.compile(
    r"(?P<who>(?:(?:The|A|An)\s)?[A-Z][\w’'-]+(?:(?:\s(?:of|and|the|de|von)){0,2}\s[A-Z][\w’'-]+){0,4})\s"
    r"(?P<verb>said|says|told|announced|agreed|warned|called|plans|planned|wants|rejected|proposed|accused)\b"
)
_BASE = {
    "said": "say", "says": "say", "told": "say", "announced": "announce", "agreed": "agree on", "warned": "warn of",
    "called": "call for", "plans": "plan", "planned": "plan", "wants": "want", "rejected": "reject",
    "proposed": "propose", "accused": "say",
}  # fmt: skip
_NAME = re.compile(r"\b[A-Z][\w’-]+(?:[ ](?:(?:of|the)[ ])?[A-Z][\w’-]+){0,5}")
_NOT_NAMES = frozenset(
    "It He She They We You I This That There These Those What But And In On At As If When The A An His Her Their Its "
    "Our My Monday Tuesday Wednesday Thursday Friday Saturday Sunday January February March April May June July August "
    "September October November December".split()
)
_TIMELINE = "Give me a timeline of {}."
_OF_A_NAME = (
    "Which articles mention {}?",
    _TIMELINE,
    "Summarise the coverage of {}.",
    "How many articles are about {}?",
)
_OF_OUTLETS = "What do different outlets say about {}?"


def suggest(articles: Iterable[Article], *, count: int = 6) -> tuple[str, ...]:
    """Up to `count` distinct questions: for a fact first, then one of each other kind, each about another name while
    there are enough; then more facts. Of `articles` only the first LEAD_CHARS are read."""
    known = list(articles)
    leads = [" ".join([f"{one.title or ''}.", one.text[:LEAD_CHARS]]) for one in known]
    facts = (question for article in known for question in _questions(article))
    found = [question for question in _of_names(known, leads) if len(question) <= LONGEST]
    chosen: dict[str, None] = dict.fromkeys([*_first(facts), *found[: max(count - 1, 0)]])
    for question in facts:
        if len(chosen) >= count:
            break
        chosen[question] = None
    return tuple(chosen)[:count]


def subjects(articles: Sequence[Article]) -> tuple[str, ...]:
    """Names that stand in several of the articles, or in one of a few; those of several words first, then those in the
    most articles. Names of the articles' outlets are left out.
    """
    leads = [" ".join([f"{one.title or ''}.", one.text[:LEAD_CHARS]]) for one in articles]
    return tuple(_named(articles, leads))


def _of_names(articles: Sequence[Article], leads: Sequence[str]) -> Iterator[str]:
    """A question of each kind, with names from the most frequent on."""
    named = _named(articles, leads)
    names = list(named)
    several = next((name for name in names if len({articles[place].source for place in named[name]}) > 1), None)
    if several is not None:
        names = [name for name in names if name != several] or [several]
    chosen = [names[place % len(names)] for place in range(len(_OF_A_NAME))] if names else []
    if names:
        dated = _with_dates(names, articles, leads)
        place = _OF_A_NAME.index(_TIMELINE)
        if dated in chosen:  # each of the others is of another name still
            chosen[chosen.index(dated)] = chosen[place]
        chosen[place] = dated
    questions = [_OF_A_NAME[place].format(_with_article(name, leads)) for place, name in enumerate(chosen)]
    if several is not None:
        questions.insert(2, _OF_OUTLETS.format(_with_article(several, leads)))
    yield from (question for question in questions if kind_of(question) != "fact")


def _named(articles: Sequence[Article], leads: Sequence[str]) -> dict[str, list[int]]:
    """Name → places of the articles that have it in their lead, the most frequent name first."""
    outlets = {(one.source or "").casefold() for one in articles}
    places: dict[str, list[int]] = defaultdict(list)
    inside: Counter[str] = Counter()
    for place, lead in enumerate(leads):
        here: dict[str, bool] = {}
        for span in sentences(lead):
            sentence = span.of(lead)
            for match in _NAME.finditer(sentence):
                for name in _readings(match[0]):
                    if len(name) <= LONGEST_NAME and name.casefold() not in outlets:
                        here[name] = here.get(name, False) or match.start() > 0 or name != match[0]
        for name, is_inside in here.items():
            places[name].append(place)
            inside[name] += is_inside
    least = 2 if len(articles) > 2 else 1
    kept = {
        name: found
        for name, found in places.items()
        # A single word may be an adjective, or a common word at the beginning of a sentence.
        if len(found) >= least and inside[name] >= (1 if " " in name else len(found)) and len(name) > 3
    }
    return dict(sorted(kept.items(), key=lambda one: (" " not in one[0], -len(one[1]), one[1][0])))


def _with_dates(names: Sequence[str], articles: Sequence[Article], leads: Sequence[str]) -> str:
    """The name that stands in the most sentences with a date, of equals the first."""
    found: Counter[str] = Counter()
    for article, lead in zip(articles, leads, strict=True):
        published = day_of(article.published)
        for sentence in (span.of(lead) for span in sentences(lead)):
            here = [name for name in names if name in sentence]
            if here and any(date.is_when for date in dates(sentence, published)):
                found.update(here)
    return max(names, key=lambda name: found[name])


def _with_article(name: str, leads: Sequence[str]) -> str:
    """A name as it stands in a sentence, after "the" where it mostly has one: "the United States", but "Japan"."""
    text = "\n".join(leads)
    number = len(re.findall(rf"\b{re.escape(name)}\b", text))
    with_article = len(re.findall(rf"\b[Tt]he {re.escape(name)}\b", text))
    return f"the {name}" if 2 * with_article > number else name


def _readings(match: str) -> Iterator[str]:
    """The names in a row of capitalized words: one in "On Monday Ada Quill", perhaps two in "Critics of Ada Quill"."""
    name = re.sub(r"[’']s$", "", match)
    while name.split(" ")[0] in _NOT_NAMES:
        name = name.partition(" ")[2]
    if name:
        yield name
    if " of " in name:
        yield from _readings(name.partition(" of ")[2])


def _first(questions: Iterator[str]) -> list[str]:
    return [question for question in [next(questions, None)] if question is not None]


def _questions(article: Article) -> Iterator[str]:
    """Questions for a fact, the most pointed first."""
    topic = _topic(article)
    lead = [span.of(article.text) for span in sentences(article.text[:LEAD_CHARS])]
    yield from (question for sentence in lead for question in _acts(sentence, topic) if len(question) <= LONGEST)
    if topic:
        yield f"What do the articles say about {topic}?"


def _acts(sentence: str, topic: str) -> Iterator[str]:
    """Questions after what a name is said to have done in a sentence."""
    act = _ACT.search(sentence)
    if act is None or act["who"].split()[0] in _NOT_NAMES - {"The", "A", "An"}:
        return
    who = re.sub(r"^(The|A|An)\b", lambda found: found[1].lower(), act["who"])
    about = topic
    for found in _NAME.finditer(sentence, act.end()):
        name, the = found[0], "the " if sentence[: found.start()].endswith((" the ", " The ")) else ""
        if name not in who and name.split()[0] not in _NOT_NAMES:
            about = about or f"{the}{name}"
    say = _BASE[act["verb"]] == "say"
    yield f"What did {who} {_BASE[act['verb']]}{f' about {about}' if say and about else ''}?"


def _topic(article: Article) -> str:
    """The headline as something to ask about, or nothing when it does not serve."""
    if not article.title:
        return ""
    words = re.split(r"\s[|–—-]\s|:\s", " ".join(article.title.split()))
    topic = max(words, key=len).strip(" .?!\"“”'…")
    return f"“{topic}”" if 3 <= len(topic) <= LONGEST - 40 else ""
