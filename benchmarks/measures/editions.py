"""Editions: pairs of texts of which the newer says one thing otherwise, made of real paragraphs.

Half of each kind is for tuning, the other half is reported. Where a paragraph has no such word, both editions get a
sentence that has it. No pair may be merged as copies; how many are told as versions, the right one as the newer, is
counted.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, replace
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from benchmarks.harness.report import Mean
from index import Article, Index
from index.passage import sentences

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from index.embedder import Embedder

    Edit = Callable[[str, random.Random], "tuple[str, str] | None"]
    """A paragraph → what the older and the newer edition say; None if it cannot be edited so."""

OF_EACH = 10
LEAST_SENTENCES = 3

_WORDS = {
    "allowed, forbidden": ("Smoking is allowed in the halls.", "allowed", "forbidden"),
    "is, is not": ("", " is ", " is not "),
    "not dropped": ("The office does not answer letters.", "not answer", "answer"),
    "open, closed": ("The west gate is open on Sundays.", "open", "closed"),
    "a number in words": ("A ticket is valid for twenty days.", "twenty", "ninety"),
    "a unit of money": ("A yearly ticket costs 40 euros.", "euros", "pounds"),
    "a currency sign": ("A yearly ticket costs $40.", "$", "€"),
    "a unit of length": ("The wall is 12 metres high.", "metres", "feet"),
    "a percentage": ("Members get a discount of 15 percent.", "15 percent", "25 percent"),
    "a percent sign": ("The rent rises by 4% each year.", "4%", "4"),
    "before, after": ("Forms are handed in before the hearing.", "before", "after"),
    "more, less": ("", " more ", " less "),
    "an increase": ("The council expects an increase in fees.", "an increase", "a decrease"),
    "am, pm": ("The tower opens at 9 am.", "am.", "pm."),
    "a decimal point": ("The pond holds 1,500 litres.", "1,500", "1.500"),
}
_YEAR = re.compile(r"\b(?:1[5-9]|20)\d\d\b")
_NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]{3,}\b")
_NAMES = ("Marlow", "Kestrel", "Ashdown", "Verity", "Penrose")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two editions of one text, and what was changed."""

    kind: str
    older: Article
    newer: Article


def measure(pool: Sequence[Article], embedder: Embedder) -> dict[str, Any]:
    """What becomes of the pairs; the half for tuning first."""
    made = list(pairs(pool))
    return {
        **_measured(made[::2], embedder, "edited pairs for tuning"),
        **_measured(made[1::2], embedder, "edited pairs"),
    }


def pairs(pool: Sequence[Article]) -> Iterator[Pair]:
    """OF_EACH pairs of every kind, each of another article. Half of them are dated, and the newer one of those is
    added first."""
    draw = random.Random(1)
    texts = [article for article in pool if len(sentences(article.text)) >= LEAST_SENTENCES]
    draw.shuffle(texts)
    left = iter(texts)
    for kind, edit in _edits().items():
        made = 0
        while made < OF_EACH and (article := next(left, None)):
            edited = edit(article.text, draw)
            if edited is None or edited[0] == edited[1]:
                continue
            first = replace(article, id=f"{article.id}-older", text=edited[0])
            second = replace(article, id=f"{article.id}-newer", text=edited[1])
            if made // 2 % 2:
                first, second = replace(first, published="2022-03-01"), replace(second, published="2024-03-01")
            yield Pair(kind, first, second)
            made += 1


def _measured(made: Sequence[Pair], embedder: Embedder, name: str) -> dict[str, Any]:
    with TemporaryDirectory() as home, Index.open(home, embedder=embedder) as index:
        told = [[pair.newer, pair.older] if pair.newer.published else [pair.older, pair.newer] for pair in made]
        index.add(article for articles in told for article in articles)
        listed = {one.article.id: one for one in index.listing()}
    merged = [pair for pair in made if listed[pair.older.id].copy_of or listed[pair.newer.id].copy_of]
    right, wrong = [], 0
    for pair in made:
        newer, older = listed[pair.newer.id].superseded_by, listed[pair.older.id].superseded_by
        right.append(float(older is not None and older.id == pair.newer.id))
        wrong += newer is not None
        if not right[-1]:
            print(f"  not told ({name}): {pair.kind}: {pair.older.id}")
    for pair in merged:
        print(f"  merged ({name}): {pair.kind}: {pair.older.id}")
    return {
        f"{name}: merged as copies": len(merged),
        f"{name}: told as versions, the right one newer": Mean.of(right),
        f"{name}: the older one told as newer": wrong,
    }


def _edits() -> dict[str, Edit]:
    return {
        **{kind: _other_word(*words) for kind, words in _WORDS.items()},
        "a name": _other_name,
        "a date": _other_year,
        "the first word": lambda text, draw: (text, re.sub(r"^\W*\w+", draw.choice(_NAMES), text, count=1)),
        "the last word": lambda text, draw: (text, re.sub(r"\w+(\W*)$", draw.choice(_NAMES).lower() + r"\1", text)),
        "a sentence reworded": _reworded,
        "a paragraph added, one removed": _paragraphs,
    }


def _other_word(sentence: str, word: str, other: str) -> Edit:
    def edit(text: str, draw: random.Random) -> tuple[str, str] | None:
        if sentence:
            spans = sentences(text)
            at = draw.choice(spans).end
            text = f"{text[:at]} {sentence}{text[at:]}"
            start = text.index(sentence, at) + sentence.index(word)
        else:
            start = text.find(word)
        return None if start < 0 else (text, text[:start] + other + text[start + len(word) :])

    return edit


def _other_name(text: str, draw: random.Random) -> tuple[str, str] | None:
    found = _NAME.findall(text)
    return (text, re.sub(rf"\b{draw.choice(found)}\b", draw.choice(_NAMES), text)) if found else None


def _other_year(text: str, draw: random.Random) -> tuple[str, str] | None:
    found = list(_YEAR.finditer(text))
    if not found:
        return None
    year = draw.choice(found)
    return text, f"{text[: year.start()]}{int(year[0]) - 3}{text[year.end() :]}"


def _reworded(text: str, draw: random.Random) -> tuple[str, str]:
    """Every second word of a sentence is another, and it ends sooner."""
    span = draw.choice(sentences(text))
    words = span.of(text).split()
    kept = [word if at % 2 else draw.choice(_NAMES).lower() for at, word in enumerate(words[: len(words) * 2 // 3])]
    return text, f"{text[: span.start]}{' '.join([*kept, words[-1]])}{text[span.end :]}"


def _paragraphs(text: str, draw: random.Random) -> tuple[str, str]:
    added = [
        f"{name} House was painted in the spring, and visitors are welcome in its garden."
        for name in draw.sample(_NAMES, 2)
    ]
    return f"{text}\n\n{added[0]}", f"{added[1]}\n\n{text}"
