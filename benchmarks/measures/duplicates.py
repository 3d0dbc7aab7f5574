"""Duplicates: how many syndications of a story are recognized, and how many different stories are merged.

Real articles: the paragraphs of a SQuAD 2 title taken several at a time, the passages of MTRAG-UN, the pages of
Readability. A syndication is made of one: another headline, a paragraph dropped that is not most of it, the line of an
outlet added, lines folded. A report of the same template is made of one, too: its numbers are others. Those must stay
apart. The data repeats itself, too (pages saved twice, passages that overlap): merged articles of the data count as
false unless most of the shorter one stands in the other, sentence by sentence. Edited pairs
(benchmarks/measures/editions.py) must not be merged either.
"""

from __future__ import annotations

import itertools
import random
import re
import textwrap
import time
from dataclasses import replace
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.harness import dataset, report
from benchmarks.harness.report import Mean
from benchmarks.measures import editions, reading
from index import Article, Index
from index.duplicate import Story
from index.passage import sentences

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

COPIES, OTHERS, TEMPLATED = 200, 2000, 100
PARAGRAPHS = (4, *[1] * 11)
"""Paragraphs of SQuAD 2 in one article and the next: mostly one, or there would not be 2,000."""
SAME_SHARE = 0.7
"""Share of the shorter article whose sentences must stand in the longer one, for both to be the same."""
OUTLETS = ("Harbor Post", "The Morning Ledger", "Northern Wire", "Gazette of the Valley", "Channel Nine News")

_LINK = re.compile(r"\(https?://[^)]*\)")


def options(parser: argparse.ArgumentParser) -> None:
    """Where the data is."""
    dataset.options(parser)


def run(arguments: argparse.Namespace) -> None:
    """Measure, print the table, write the result."""
    scale = 20 if arguments.quick else 1
    pool = list(articles(arguments))
    found = measure(pool, copies=COPIES // scale, others=OTHERS // scale)
    found |= editions.measure([one for one in pool if re.match(r"(?:dev|test)-", one.id)], _Nothing())
    for name, value in found.items():
        print(f"  {name:46}{value!s:>30}")
    if not arguments.quick:
        report.write("duplicates", models={}, packages=("datasketch",), measured=found)


def articles(arguments: argparse.Namespace) -> Iterator[Article]:
    """Every article of the data that is long enough, equal ones once."""
    squad = dataset.squad(arguments.data, quick=arguments.quick).articles
    pool = [*_joined(squad), *dataset.mtrag(arguments.data, quick=arguments.quick).articles]
    if not arguments.quick:
        pages = reading.pages(arguments.data / reading.PAGES)
        pool += [Article(f"page-{page.name}", page.text, title=page.title) for page in pages]
    seen: set[str] = set()
    for article in pool:
        story = Story(article.text)
        if not story.is_short and story.plain not in seen:
            seen.add(story.plain)
            yield article


def measure(pool: Sequence[Article], *, copies: int, others: int) -> dict[str, Any]:
    """Index articles and syndications in one order drawn at random; recall is over pairs, false merges over all."""
    draw = random.Random(0)
    divided = [article for article in pool if _droppable(article)]
    sources = draw.sample(divided, min(copies, len(divided)))
    chosen = {article.id for article in sources}
    rest = [article for article in pool if article.id not in chosen]
    apart = draw.sample(rest, min(others, len(rest)))
    syndicated = {f"copy-{article.id}": article.id for article in sources}
    told = [*sources, *apart, *(syndicate(article, draw) for article in sources)]
    told += [renumbered(article) for article in apart if len(set(re.findall(r"\d+", article.text))) >= 5][:TEMPLATED]
    draw.shuffle(told)
    with TemporaryDirectory() as home, Index.open(home, embedder=_Nothing()) as index:
        started = time.perf_counter()
        for article in told:
            Story(article.text).keys()
        keys_ms = (time.perf_counter() - started) * 1000 / len(told)
        index.add(told)
        groups = {article.id: {article.id, *(one.id for one in index.copies(article.id))} for article in told}
    places = {article.id: place for place, article in enumerate(told)}
    firsts = {name: min(group, key=places.__getitem__) for name, group in groups.items()}
    met = {(syndicated.get(name, name), syndicated.get(first, first)) for name, first in firsts.items()}
    pairs = sorted(pair for pair in met if pair[0] != pair[1])
    texts = {article.id: article.text for article in told}
    false = [pair for pair in pairs if not are_same(*(texts[name] for name in pair))]
    for names in false:
        print("  merged:", *names)
    return {
        "syndications recognized": Mean.of([float(name in groups[source]) for name, source in syndicated.items()]),
        "false merges": len(false),
        "pairs that the data repeats": len(pairs) - len(false),
        "articles": len(told),
        "of which syndications": len(syndicated),
        "of which other numbers in the same words": sum(one.id.startswith("numbers-") for one in told),
        "words, median": int(np.median([len(Story(one.text).words) for one in told])),
        "keys of an article, ms": round(keys_ms, 2),
    }


def are_same(text: str, other: str) -> bool:
    """Whether most of what the shorter text says stands in the other, sentence by sentence, and no number differs.

    Where its links lead is nothing that a text says.
    """
    if re.sub(r"\d", "", text) == re.sub(r"\d", "", other):
        return text == other
    longer, shorter = sorted((_LINK.sub("", one) for one in (text, other)), key=len, reverse=True)
    said = [Story(span.of(shorter)).plain for span in sentences(shorter)]
    repeated = sum(len(sentence) for sentence in said if sentence in Story(longer).plain)
    return repeated >= SAME_SHARE * sum(map(len, said))


def syndicate(article: Article, draw: random.Random) -> Article:
    """`article` as another outlet prints it."""
    outlet = draw.choice(OUTLETS)
    paragraphs = _paragraphs(article)
    paragraphs.remove(draw.choice(_droppable(article)))
    title = " ".join(draw.sample(Story(article.text).words, 6)).capitalize()
    first = draw.choice([[], [title], [f"({outlet}) From our wire services"]])
    last = [f"© {outlet}. All rights reserved."] if not first or draw.random() < 0.5 else []
    told = [*first, *paragraphs, *last]
    if draw.random() < 0.5:
        told = [textwrap.fill(paragraph, 72, break_long_words=False) for paragraph in told]
    return Article(f"copy-{article.id}", "\n\n".join(told), title=title, source=outlet)


def renumbered(article: Article) -> Article:
    """`article` with every digit another."""
    text = re.sub(r"\d", lambda digit: str((int(digit[0]) + 3) % 10), article.text)
    return replace(article, id=f"numbers-{article.id}", text=text)


def _joined(paragraphs: Sequence[Article]) -> Iterator[Article]:
    by_title: dict[str, list[Article]] = {}
    for paragraph in paragraphs:
        by_title.setdefault(paragraph.id.rsplit("-", 1)[0], []).append(paragraph)
    for some in by_title.values():
        left = iter(some)
        for size in itertools.cycle(PARAGRAPHS):
            part = list(itertools.islice(left, size))
            if not part:
                break
            yield Article(part[0].id, "\n\n".join(one.text for one in part), title=part[0].title)


def _paragraphs(article: Article) -> list[str]:
    return [text.strip() for text in article.text.split("\n\n") if text.strip()]


def _droppable(article: Article) -> list[str]:
    """Paragraphs of an article of three or more that are at most half of it."""
    paragraphs = _paragraphs(article)
    most = sum(map(len, paragraphs)) / 2
    return [text for text in paragraphs if len(text) <= most] if len(paragraphs) >= 3 else []


class _Nothing:
    """No sentence says anything here: what is measured looks at words only."""

    name = "nothing"
    dimension = 2

    def embed_documents(
        self, texts: Sequence[str], *, progress: Callable[[int], None] | None = None
    ) -> NDArray[np.float32]:
        if progress is not None:
            progress(len(texts))
        return np.tile(self.embed_query(""), (len(texts), 1))

    def embed_query(self, text: str) -> NDArray[np.float32]:  # noqa: ARG002 - as every embedder has it
        return np.array([1.0, 0.0], dtype=np.float32)
