"""Pooled claims: false sentences put together from two places, the who of one and the when of another.

Each is made of two sentences of one subject that are not neighbours: a clause of one with the year of the other ("She
was detained in 2015."), or the first sentence with a name of the other in the place of its own. The subjects are
articles of SQuAD 2 and events of timelines; what is tuned is tuned on every second subject, and the others are
reported. A true claim of the same form, a clause with the year of its own sentence, shows what is lost.
"""

from __future__ import annotations

import json
import random
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.harness import dataset
from benchmarks.harness.report import Mean
from index.article import Article, Span
from index.hit import Hit
from index.passage import passages, sentences
from rag.answer import Source
from rag.grounding import claims
from rag.grounding.lexicon import words
from rag.grounding.support import SUPPORTED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


EACH = 100
"""Pooled claims of each kind, half of them to tune on."""
APART = 2
"""Sentences between two of one article that are put together."""
LEAST_WORDS, MOST_WORDS = 3, 12
"""Content words of a clause that a claim is made of."""

_WHEN = re.compile(r",?\s(?:in|since|by|until|from|during)\s((?:1[5-9]|20)\d\d)\b")
_CLAUSE_END = re.compile(r"(?:,\s|;\s|\s(?:which|who|when|while|but|after|before)\s)")


@dataclass(frozen=True, slots=True)
class Pooled:
    """A claim over `sources`, true or made of two places; `subject` is what both are about."""

    claim: str
    question: str
    sources: tuple[Source, ...]
    kind: str
    is_true: bool
    subject: str


def is_shown_as_supported(one: Pooled) -> bool:
    """Whether an answer would show the claim as supported."""
    (checked,) = claims.check(one.question, [one.claim], one.sources)
    return checked.support >= SUPPORTED


def measure(folder: Path) -> dict[str, dict[str, Mean]]:
    """Share shown as supported, by kind: of the subjects that were tuned on, and of the others."""
    found = pooled(folder)
    tuned_on = set(sorted({one.subject for one in found})[::2])
    shares: dict[str, dict[str, list[float]]] = defaultdict(lambda: {"tuned on": [], "others": [], "all": []})
    for one in found:
        is_shown = float(is_shown_as_supported(one))
        for kind in (one.kind, "true" if one.is_true else "pooled"):
            shares[kind]["tuned on" if one.subject in tuned_on else "others"].append(is_shown)
            shares[kind]["all"].append(is_shown)
    return {kind: {half: Mean.of(values) for half, values in halves.items()} for kind, halves in shares.items()}


def pooled(folder: Path) -> list[Pooled]:
    """EACH claims of every kind, from as many subjects as there are."""
    draw = random.Random(0)
    found: dict[str, list[Pooled]] = defaultdict(list)
    subjects = [*_squad(folder), *_timelines(folder)]
    for _ in range(40):
        for subject, articles in subjects:
            for one in _made(subject, articles, draw):
                if len(found[one.kind]) < EACH:
                    found[one.kind].append(one)
    return [one for kind in found.values() for one in kind]


def passages_of(articles: Sequence[Article]) -> tuple[Source, ...]:
    """All passages of the articles, as if they had been found."""
    spans = [(article, passage) for article in articles for passage in passages(article.text)]
    return tuple(
        Source(number, Hit(article, at.start, at.end, 0.0, 0.0, 0.0, Span(at.start, at.start)))
        for number, (article, at) in enumerate(spans, start=1)
    )


def _squad(folder: Path) -> list[tuple[str, list[Article]]]:
    by_title: dict[str, list[Article]] = defaultdict(list)
    for article in dataset.squad(folder).articles:
        by_title[article.title or ""].append(article)
    return sorted(by_title.items())


def _timelines(folder: Path) -> list[tuple[str, list[Article]]]:
    """The updates of each event, each as an article of its date."""
    rows = map(json.loads, (folder / "timelines/events.jsonl").read_text(encoding="utf-8").splitlines())
    return [
        (
            row["event"],
            [
                Article(f"{row['event']}-{number}", one["update"], title=row["about"], published=one["date"])
                for number, one in enumerate(row["updates"])
            ],
        )
        for row in rows
    ]


def _made(subject: str, articles: Sequence[Article], draw: random.Random) -> Iterator[Pooled]:
    every = [
        (article, at, span.of(article.text)) for article in articles for at, span in enumerate(sentences(article.text))
    ]
    clauses = [(article, at, text) for article, at, text in every if _clause(text)]
    if not clauses:
        return
    first, at, text = draw.choice(clauses)
    clause = _clause(text) or ""
    apart = [(second, there) for second, other, there in every if second is not first or abs(at - other) >= APART]

    def of(claim: str, question: str, second: Article, kind: str, *, is_true: bool) -> Pooled:
        at_hand = passages_of([first] if first is second else [first, second])
        return Pooled(f"{claim}.", question, at_hand, kind, is_true, subject)

    dated = [
        (second, year[1]) for second, there in apart if (year := _WHEN.search(there)) and year[1] not in first.text
    ]
    if dated:
        second, when = draw.choice(dated)
        yield of(f"{clause} in {when}", f"When was it? {clause}", second, "when", is_true=False)
    if own := _WHEN.search(_CLAUSE_END.split(text)[0]):
        yield of(f"{clause} in {own[1]}", f"When was it? {clause}", first, "when, true", is_true=True)
    names = [name for name in _names(clause) if not clause.startswith(name) or len(name.split()) > 1]
    named = [(second, name) for second, there in apart for name in _names(there) if name not in first.text]
    if names and named:
        second, name = draw.choice(named)
        asked = f"Who was it? {clause.replace(names[0], '', 1)}"
        yield of(clause.replace(names[0], name, 1), asked, second, "who", is_true=False)
        yield of(clause, asked, second, "who, true", is_true=True)


def _clause(sentence: str) -> str | None:
    """The first clause of a sentence, without its year, when it is long enough and has no other number."""
    text = _WHEN.sub("", _CLAUSE_END.split(sentence.strip().rstrip(".!?"))[0], count=1).strip()
    content = words(text)
    if not LEAST_WORDS <= len(content) <= MOST_WORDS or any(word.is_number for word in content) or "\n" in text:
        return None
    return text if not content[0].start and re.search(r"[a-z]ed\b|\b(?:was|were|is|are|has|had)\b", text) else None


def _names(sentence: str) -> list[str]:
    """Its names, those of several words whole."""
    found: list[tuple[int, int]] = []
    for word in words(sentence):
        if word.kind == "name":
            if found and sentence[found[-1][1] : word.start] == " ":
                found[-1] = (found[-1][0], word.end)
            else:
                found.append((word.start, word.end))
    return [sentence[start:end] for start, end in found]
