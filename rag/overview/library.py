"""Library: questions about the collection itself, answered from what is known of its articles, without a model.

What is asked for is told from the question: the newest articles, the last added, the outlets, from when to when, how
many, all of them; anything else is a greeting or asks for help, and gets what is here and examples.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from index.language import language_of_article
from rag.answer import Reason, Section
from rag.overview import Overview
from rag.suggest import LEAD_CHARS, subjects, suggest

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from index import Article, Index
    from rag.question import Question

PAGE = 20
"""Rows where no limit is given: what a screen shows."""
SUGGESTED_FROM = 40
"""How many articles examples are made from, the last added first."""
TOPICS_FROM = 200
"""How many articles, evenly spread over those that were added, subjects are named from: .1 s of reading."""
EXAMPLES = 5
NAMED = 5
"""How many outlets or subjects are named in a sentence; more are a list."""

COUNTS = "one two three four five six seven eight nine ten".split()

_THANKS = re.compile(r"\b(?:thanks|thank you|thx|cheers|great|perfect)\b", re.IGNORECASE)
_BYE = re.compile(r"\b(?:bye|goodbye|see you)\b", re.IGNORECASE)
_HELP = re.compile(
    r"\b(?:help|(?:who|what) are you|who (?:made|built|wrote|created)|(?:can|could|should) (?:you|i|we)|you can|"
    r"how (?:do|does)|do you know)\b",
    re.IGNORECASE,
)
HELP = "Citewire answers questions about these articles, and shows the words that each answer rests on. "
_GREETING = re.compile(r"^\W*(?:hi|hello|hey|hiya|greetings|good (?:morning|afternoon|evening|day))\b", re.IGNORECASE)
_ADDED = re.compile(
    r"\b(?:add|added|index|indexed)\b.*\b(?:last|recently)\b|\b(?:last|recently|lately) (?:added|indexed)\b",
    re.IGNORECASE,
)
_OLDEST = re.compile(r"\b(?:oldest|earliest|first)\b", re.IGNORECASE)
_NEWEST = re.compile(r"\b(?:newest|latest|most recent|last)\b", re.IGNORECASE)
_DATES = re.compile(r"\b(?:dates?|period|time span|from when|how old|how far back)\b", re.IGNORECASE)
_OUTLETS = re.compile(r"\b(?:outlets?|sources?|newspapers?|papers|publications?|media|websites?)\b", re.IGNORECASE)
_TOPICS = re.compile(r"\b(?:topics?|subjects?|themes?)\b", re.IGNORECASE)
_LANGUAGES = re.compile(r"\blanguages?\b|\b(?:speak|understand)\b", re.IGNORECASE)
_MOST_OF = re.compile(r"\b(?P<end>most|fewest) (?:articles?|stories|reports|news|coverage)\b", re.IGNORECASE)
_UNDATED = re.compile(r"\b(?:no|without an?|lack an?|have an?) date\b", re.IGNORECASE)
_ROWS = re.compile(rf"\b(?P<count>\d{{1,3}}|{'|'.join(COUNTS)})\b", re.IGNORECASE)
"""How many articles are asked for: "the five newest"."""
_NUMBER = re.compile(r"\b(?:how (?:many|big|large)|number of)\b", re.IGNORECASE)
_ARTICLES = re.compile(
    r"\b(?:articles?|stories|reports|pieces|texts|documents|items|posts|news|coverage|list)\b", re.IGNORECASE
)


def library(
    question: Question,
    index: Index,
    *,
    limit: int | None,
    report: Callable[[Section], None],
    cancel: threading.Event,  # noqa: ARG001 (every answer here comes at once)
) -> Overview:
    """What the question asks about the collection; about the articles that its filter lets pass."""
    asked, only = question.text, question.only
    everything = index.openings(LEAD_CHARS)
    known = [
        one
        for one in everything
        if only.passes(one.source, one.published) and (only.articles is None or one.id in only.articles)
    ]
    if not known:
        return Overview("", reason=Reason.FILTERED_OUT if everything else Reason.EMPTY_INDEX)
    dated = sorted((one for one in known if one.published), key=lambda one: one.published or "")
    rows: list[Section] = []
    if limit is None and (wanted := _ROWS.search(asked)):
        count = wanted["count"].lower()
        limit = max(1, COUNTS.index(count) + 1 if count in COUNTS else int(count))
    if _LANGUAGES.search(asked):
        lead = _languages(known)
    elif _UNDATED.search(asked):
        lead = _period(dated, len(known))
    elif (most := _MOST_OF.search(asked)) and _OUTLETS.search(asked):
        outlets = _outlets(known)
        rows = [Section(f"{name}: {_count(number)}") for name, number in outlets]
        lead = _extreme(outlets[:: -1 if most["end"].lower() == "fewest" else 1], most["end"].lower())
    elif _ADDED.search(asked):
        rows = [_row(one) for one in reversed(known)]
        lead = f"Added last: {_named(known[-1])}."
    elif _OLDEST.search(asked) and not _NEWEST.search(asked):
        rows = [_row(one) for one in dated]
        lead = f"The oldest article is {_named(dated[0])}." if dated else "No article has a date."
    elif _NEWEST.search(asked) and not _OLDEST.search(asked):
        rows = [_row(one) for one in reversed(dated)]
        lead = f"The newest article is {_named(dated[-1])}." if dated else "No article has a date."
    elif _DATES.search(asked) or _OLDEST.search(asked):
        lead = _period(dated, len(known))
    elif _OUTLETS.search(asked):
        outlets = _outlets(known)
        rows = [Section(f"{name}: {_count(number)}") for name, number in outlets]
        lead = f"The articles are from {len(outlets)} outlet{'' if len(outlets) == 1 else 's'}." if outlets else ""
        lead = lead or "No article names its outlet."
    elif _NUMBER.search(asked):
        lead = _about(known, dated)
    elif _TOPICS.search(asked):
        spread = known[:: max(1, len(known) // TOPICS_FROM)]
        names = subjects(spread)[: limit or PAGE]
        rows = [Section(name) for name in names]
        lead = "Names that stand in several articles:" if names else _about(known, dated)
    elif _ARTICLES.search(asked):
        rows = [_row(one) for one in [*reversed(dated), *(one for one in known if not one.published)]]
        lead = _about(known, dated)
    elif _BYE.search(asked):
        return Overview("Goodbye.")
    elif _THANKS.search(asked):
        return Overview("You're welcome.")
    else:
        hello = "Hello. " if _GREETING.search(asked) else HELP if _HELP.search(asked) else ""
        lead = f"{hello}{_about(known, dated)} Ask about them, for example:"
        rows = [Section(example) for example in suggest(list(reversed(known))[:SUGGESTED_FROM], count=EXAMPLES)]
        lead = lead if rows else lead.removesuffix(" Ask about them, for example:")
    shown = tuple(rows[: limit or PAGE])
    for row in shown:
        report(row)
    return Overview(lead, shown, total=len(rows) if rows else None)


def _about(known: Sequence[Article], dated: Sequence[Article]) -> str:
    """How many articles there are, of which outlets, from when to when."""
    outlets = _outlets(known)
    names = ", ".join(name for name, _ in outlets[:NAMED])
    more = f" and {len(outlets) - NAMED} more outlets" if len(outlets) > NAMED else ""
    of = f" from {names}{more}" if outlets else ""
    there = "There is 1 article" if len(known) == 1 else f"There are {len(known):,} articles"
    return f"{there}{of}{_between(dated)}."


def _between(dated: Sequence[Article]) -> str:
    if not dated:
        return ""
    first, last = _day(dated[0]), _day(dated[-1])
    return f", published on {first}" if first == last else f", published from {first} to {last}"


def _period(dated: Sequence[Article], of: int) -> str:
    if not dated:
        return "No article has a date."
    undated = of - len(dated)
    without = f" {_count(undated)} {'has' if undated == 1 else 'have'} no date." if undated else ""
    oldest, newest = (_named(dated[place]) for place in (0, -1))
    if len(dated) == 1:
        return f"The only article with a date is {newest}.{without}"
    return f"The oldest article is {oldest}; the newest is {newest}.{without}"


def _languages(known: Sequence[Article]) -> str:
    """In which languages the articles are, those of the most first."""
    names = Counter(language_of_article(one.text, one.language) for one in known).most_common()
    if len(names) == 1:
        return f"The articles are in {names[0][0]}. Ask in {names[0][0]}."
    counts = ", ".join(f"{name} ({_count(number)})" for name, number in names[:NAMED])
    return f"The articles are in {counts}. Ask in the language of the articles that you are looking for."


def _extreme(outlets: Sequence[tuple[str, int]], end: str) -> str:
    """The outlet, or the outlets, of the most or the fewest articles."""
    if not outlets:
        return "No article names its outlet."
    names = [name for name, number in outlets if number == outlets[0][1]]
    each = f"{_count(outlets[0][1])}{' each' if len(names) > 1 else ''}"
    return f"The {end} are from {' and '.join(filter(None, (', '.join(names[:-1]), names[-1])))}: {each}."


def _outlets(known: Sequence[Article]) -> list[tuple[str, int]]:
    """Outlets with the number of their articles, the most first."""
    counts = Counter(" ".join(one.source.split()) for one in known if one.source)
    return sorted(counts.items(), key=lambda one: (-one[1], one[0].casefold()))


def _row(article: Article) -> Section:
    return Section(_named(article), (article.published or "")[:10] or None, article.id)


def _named(article: Article) -> str:
    """Headline, outlet and day of an article on one line."""
    known = (article.headline, article.source, _day(article) if article.published else None)
    return " · ".join(" ".join(part.split()) for part in known if part)


def _day(article: Article) -> str:
    """The day of publication as it is written in ISO 8601."""
    return (article.published or "")[:10]


def _count(number: int) -> str:
    return f"{number:,} article{'' if number == 1 else 's'}"
