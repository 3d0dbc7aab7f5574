"""Disagreement: how often articles that do not conflict are said to, and how many changed numbers are noticed.

Real articles on one subject: the paragraphs of a SQuAD 2 title, and the passages that a task of MTRAG-UN was given. The
claim is the sentence that says most of the question. Nobody has checked that they agree, so every alarm among them
counts as false, and is printed. A copy of an article must raise none; one with another number or year where the claim
has its own must.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks.harness import dataset, report
from benchmarks.harness.report import Mean
from index.article import Span
from index.hit import Hit
from rag.answer import Source
from rag.grounding import cite, disagreement
from rag.grounding.lexicon import stems

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from index import Article
    from rag.answer import Disagreement

FELLOWS = 8
"""Other articles on the subject that a claim is held against: those that say most of the question."""

_DIGITS = re.compile(r"(?<![\w.,$€£¥-])\d{1,4}(?![\w.,:–%-]*\w)")
options = dataset.options


def run(arguments: argparse.Namespace) -> None:
    """Measure, print the table, write the result."""
    alarms: dict[str, list[float]] = defaultdict(list)
    noticed: dict[str, list[float]] = defaultdict(list)
    draw = random.Random(0)
    for kind, question, article, others in _asked(arguments):
        said, claim = _held(question, article, others)
        for one in said:
            print(
                f"\n{question}\n  {disagreement.sentence(one)}",
                *(side.citation.quote for side in one.sides),
                sep="\n  ",
            )
        alarms[f"{kind}: articles on one subject"].append(float(bool(said)))
        alarms[f"{kind}: a copy"].append(float(bool(_held(question, article, [_copy(article, article.text)])[0])))
        if changed := _change(article.text, claim, question, draw):
            about, text = changed
            noticed[f"{kind}: another {about}"].append(float(bool(_held(question, article, [_copy(article, text)])[0])))
    measured = {
        "false alarms": {name: Mean.of(values) for name, values in alarms.items()},
        "noticed": {name: Mean.of(values) for name, values in noticed.items()},
    }
    for title, rows in measured.items():
        report.show(title, {name: {"share of questions": mean} for name, mean in rows.items()})
    if not arguments.quick:
        report.write("disagreement", models={}, packages=(), measured=measured)


def _asked(arguments: argparse.Namespace) -> Iterator[tuple[str, str, Article, list[Article]]]:
    """The data, a question, an article that answers it, and others on its subject."""
    for kind, data in (("squad", dataset.squad), ("mtrag", dataset.mtrag)):
        found = data(arguments.data, quick=arguments.quick)
        known = {article.id: article for article in found.articles}
        subjects: dict[str, list[Article]] = defaultdict(list)
        for article in found.articles:
            subjects[(article.title or article.id) if kind == "squad" else "mtrag"].append(article)
        for question in found.questions:
            for name in sorted(question.relevant & known.keys())[:1]:
                asked = stems(question.text)
                fellows = [one for one in subjects[question.subject if kind == "squad" else "mtrag"] if one.id != name]
                fellows.sort(key=lambda one: -len(asked & stems(one.text)))
                yield kind, question.text, known[name], fellows[:FELLOWS]


def _held(question: str, article: Article, others: list[Article]) -> tuple[tuple[Disagreement, ...], str]:
    """What `find` says of the claim of `article`, and the claim."""
    sources = [
        Source(number, Hit(one, 0, len(one.text), 1.0, 0.0, 0.0, Span(0, 1)))
        for number, one in enumerate([article, *others], start=1)
    ]
    quotes = cite.align(question, sources[:1])[:1]
    claim = quotes[0].text if quotes else ""
    return disagreement.find(question, claim, quotes, sources), claim


def _copy(article: Article, text: str) -> Article:
    return replace(article, id=f"copy-{article.id}", text=text)


def _change(text: str, claim: str, question: str, draw: random.Random) -> tuple[str, str] | None:
    """The text with a number of the claim made a third greater, or a year some years later; one not in the question."""
    numbers = [found for found in _DIGITS.finditer(claim) if int(found[0]) > 1 and found[0] not in question]
    if not numbers or claim not in text:
        return None
    found = draw.choice(numbers)
    is_year = re.fullmatch(r"1\d{3}|20\d\d", found[0]) is not None
    other = int(found[0]) + (draw.randint(1, 9) if is_year else 1 + int(found[0]) // 3)
    changed = f"{claim[: found.start()]}{other}{claim[found.end() :]}"
    asks_when = re.search(r"\bwhen\b|\b(?:what|which) year\b", question, re.IGNORECASE) is not None
    if is_year and not asks_when:
        return None
    return ("year" if is_year else "number"), text.replace(claim, changed, 1)
