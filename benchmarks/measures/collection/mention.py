"""Mention: whether a list has every article with a name, and no other.

200 names that stand in 1 to 30 of SQuAD 2's paragraphs, drawn from its words with a capital. What should be found is
searched for here, by other means than the index: case, diacritics, a plural s and what stands between words aside.
"plain search" takes the articles of the best eight passages.
"""

from __future__ import annotations

import random
import re
import unicodedata
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks.harness import dataset
from benchmarks.harness.embedder import SharedCachedEmbedder
from benchmarks.harness.report import Mean
from index import Index

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    from index import Article

NAMES = 200
MOST = 30
"""Most articles that have a name of those drawn."""
BEST = 8

_NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]\w+(?: (?:of |the |de )?[A-Z][a-z]\w+)*")


def measure(data: Path, *, quick: bool) -> dict[str, dict[str, dict[str, Mean]]]:
    """Precision and recall of the articles found, each the mean over the names."""
    articles = dataset.squad(data, quick=quick).articles
    expected = drawn(articles, NAMES // 10 if quick else NAMES)
    with TemporaryDirectory() as home, Index.open(home, embedder=SharedCachedEmbedder()) as index:
        index.add(articles)
        systems: dict[str, Callable[[str], set[str]]] = {
            "citewire": lambda name: {one.article.id for one in index.mentions(name) if one.spans},
            "plain search": lambda name: {hit.article.id for hit in index.search(name, BEST)},
        }
        rows = {
            system: scored([(found(name), wanted) for name, wanted in expected.items()])
            for system, found in systems.items()
        }
    return {f"articles that mention one of {len(expected)} names": rows}


def scored(pairs: Sequence[tuple[Collection[str], Collection[str]]]) -> dict[str, Mean]:
    """Precision, of what is found, and recall, each the mean over the questions."""
    correct = [len(set(found) & set(wanted)) for found, wanted in pairs]
    return {
        "precision": Mean.of(
            [both / len(found) if found else 1.0 for both, (found, _) in zip(correct, pairs, strict=True)]
        ),
        "recall": Mean.of([both / len(wanted) for both, (_, wanted) in zip(correct, pairs, strict=True)]),
    }


def drawn(articles: Sequence[Article], n: int) -> dict[str, set[str]]:
    """Name → ids of the articles that have it."""
    names = sorted({name for article in articles for name in _NAME.findall(article.text)})
    random.Random(0).shuffle(names)
    texts = {article.id: _plain(article.text) for article in articles}
    found: dict[str, set[str]] = {}
    for name in names:
        words = r"[\s-]+".join(map(re.escape, _plain(name).split()))
        pattern = re.compile(rf"(?<!\w){words.removesuffix('s') if ' ' in name else words}(?:e?s)?(?!\w)")
        having = {article_id for article_id, text in texts.items() if pattern.search(text)}
        if 1 <= len(having) <= MOST:
            found[name] = having
        if len(found) == n:
            break
    return found


def _plain(text: str) -> str:
    return "".join(one for one in unicodedata.normalize("NFD", text) if not unicodedata.combining(one)).lower()
