"""Around: the passages of one subject, from a few that a search found: a random walk to their nearest neighbours.

A search finds what has the words of a query or is like it; most reports of a long event have neither its name nor its
words. They are like other reports of it, though. A walk that begins at the passages found, goes on to one of a
passage's nearest neighbours and now and then begins anew, comes by the passages of the subject most often
(personalized PageRank: Haveliwala 2002; read near its start alone: Andersen, Chung and Lang 2006).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from index.store import Generation, StoredPassage
    from index.vectors import Vectors

NEIGHBOURS = 8
"""Passages that a passage is most like, to which the walk may go. With 5 or 12 as good (docs/experiments.md)."""
NAMES_WEIGHT = 0.5
"""What the names that two passages share count beside a cosine of 1: with none, 5 of 100 passages that it comes by are
of another event, with it 2. All words together do less than names."""
SENTENCES = 24
"""Nearest sentences that are looked at to find the passages that one is like."""
GO_ON = 0.9
"""Probability of going on rather than beginning anew. On updates of eight events .8 and .95 are a little worse, .98 is
much worse: the walk forgets where it began."""
STEPS = 30
"""Steps that are reckoned: later ones come to .9 ** 30, four hundredths."""
AT_ONCE = 32
"""Passages whose neighbours are looked up before the walk is reckoned anew; later rounds take as many as were looked at
before, so that there are few of them."""
_NAME = re.compile(r"(?<![.!?:\n][\s\"“‘'(])(?<=[\s\"“‘'(-])[A-Z][\w’'-]+")


class Walk:
    """The passages that a walk has met, of one generation."""

    def __init__(self, generation: Generation, vectors: Vectors, among: frozenset[int] | None) -> None:
        """`among` are the ids of the passages that the walk may come to, None for all."""
        self._generation = generation
        self._vectors = vectors
        self._among = among
        self._sentences = None if among is None else generation.vectors.ids_of_passages(among)
        self._met: dict[int, StoredPassage] = {}
        self._means: list[NDArray[np.float32]] = []
        self._names: list[frozenset[str]] = []
        self._texts: dict[str, str] = {}

    def best(self, starts: Mapping[int, float], k: int, cancel: threading.Event | None = None) -> dict[int, float]:
        """Passage id → share of the visits, of the `k` that are visited most, best first.

        Those that a walk from anywhere visits as often are left out. `starts` are the passages that the walk begins at,
        with how often. When `cancel` is set, what is known so far.
        """
        self._meet(starts)
        visits, looked_around = dict(starts), set[int]()
        while True:
            order = sorted(visits, key=lambda one: (-visits[one], one))
            ahead = [
                one for one in dict.fromkeys((*starts, *order[:k])) if visits[one] > 0 and one not in looked_around
            ]
            ahead = ahead[: max(AT_ONCE, len(looked_around))]
            if not ahead or (cancel is not None and cancel.is_set()):
                return {one: visits[one] for one in order[:k] if visits[one] > 0}
            looked_around.update(ahead)
            self._look_around(ahead)
            visits = self._visits(starts)

    def passages(self, ids: Iterable[int]) -> list[StoredPassage]:
        """The passages with these ids that the walk has met."""
        return [self._met[one] for one in ids]

    def _look_around(self, ids: Sequence[int]) -> None:
        """Meet the passages that are like these."""
        place = {one: number for number, one in enumerate(self._met)}
        near = {
            vector_id
            for one in ids
            for vector_id in self._vectors.search(self._means[place[one]], SENTENCES, among=self._sentences)
        }
        found = self._generation.vectors.passages_with(sorted(near))
        self._meet(sorted(found if self._among is None else found & self._among))

    def _meet(self, ids: Iterable[int]) -> None:
        """Read passages, with the names in each and the mean vector of its sentences, as a unit vector."""
        fresh = self._generation.passages([one for one in ids if one not in self._met])
        wanted = sorted({vector_id for passage in fresh for _, vector_id in passage.sentences})
        if not wanted:
            return
        matrix = self._generation.vectors.of(np.asarray(wanted, dtype=np.int64))
        row = {vector_id: number for number, vector_id in enumerate(wanted)}
        for passage in fresh:
            mean = matrix[[row[vector_id] for _, vector_id in passage.sentences]].mean(axis=0)
            if passage.article_id not in self._texts:
                self._texts[passage.article_id] = self._generation.text_of(passage.article_id) or ""
            text = self._texts[passage.article_id][passage.start : passage.end]
            self._met[passage.id] = passage
            self._means.append(mean / max(float(np.linalg.norm(mean)), 1e-9))
            self._names.append(frozenset(_NAME.findall(text)))

    def _visits(self, starts: Mapping[int, float]) -> dict[int, float]:
        """Passage id → how often the walk comes by; 0 for one that a walk from anywhere comes by as often, unless this
        one begins there.

        From each passage it may go to those it is most like, and back.
        """
        means = np.stack(self._means)
        likeness = means @ means.T + NAMES_WEIGHT * _cosines(self._names)
        np.fill_diagonal(likeness, 0.0)
        most = min(NEIGHBOURS, len(likeness) - 1)
        near = np.argpartition(-likeness, most, axis=1)[:, :most] if most else np.zeros((1, 0), dtype=np.int64)
        graph = np.zeros_like(likeness)
        np.put_along_axis(graph, near, np.maximum(np.take_along_axis(likeness, near, axis=1), 0.0), axis=1)
        graph = np.maximum(graph, graph.T)
        degree = np.sqrt(np.maximum(graph.sum(axis=1), 1e-9))
        graph /= degree[:, None] * degree[None, :]
        begin = np.array([starts.get(one, 0.0) for one in self._met], dtype=np.float32)
        begin /= begin.sum()
        anywhere = np.full(len(begin), 1 / len(begin), dtype=np.float32)
        both = start = np.stack([begin, anywhere], axis=1)
        for _ in range(STEPS):
            both = GO_ON * (graph @ both) + (1 - GO_ON) * start
        more = (both[:, 0] > both[:, 1]) | (begin > 0)
        return dict(zip(self._met, np.where(more, both[:, 0], 0.0).tolist(), strict=True))


def _cosines(names: Sequence[frozenset[str]]) -> NDArray[np.float32]:
    """How much the names of each two passages have in common, in [0, 1]; rare ones count more (tf-idf)."""
    held = Counter(name for some in names for name in some)
    column = {name: number for number, name in enumerate(sorted(held))}
    matrix = np.zeros((len(names), max(1, len(column))), dtype=np.float32)
    for row, some in enumerate(names):
        for name in some:
            matrix[row, column[name]] = math.log(len(names) / held[name])
    matrix /= np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-9)
    cosines: NDArray[np.float32] = matrix @ matrix.T
    return cosines
