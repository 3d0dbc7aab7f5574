"""About: a subject → the articles that treat it, by a score of the whole article. Knows no question and no model.

An article may treat a subject without naming it: "Saleh promises reforms" is about the crisis in Yemen. So the articles
that are sure to treat it, the seeds, say what else belongs to it: the words that they have more often than others
(Robertson and Sparck Jones 1976) and where their sentences lie (Rocchio 1971). Five measures of an article, its
FEATURES, become a probability in two rounds: the best by plain search are the seeds of the first, and the surest of the
first those of the second.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from index import ranking, tokens
from index.article import Article, Span
from index.language import language_of_article, stemmer_of
from index.passage import sentences
from index.store.words import expression

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from index.filters import Filter
    from index.store import Generation, StoredPassage
    from index.vectors import Vectors

FEATURES = ("nearest", "mean", "words", "like the seeds in words", "like the seeds in vectors")
"""The cosine of the subject and the nearest sentence; the mean of all; the share of the subject's words, weighted by
rarity, that the article and its title have; and how much it has of what the seeds have in common, 1 being as much as
a seed."""
FIRST = (8.93, 7.05, 1.55, 4.28, 2.28, -7.21)
SECOND = (1.47, 11.62, 0.03, 12.37, 2.31, -6.73)
"""Weights of the FEATURES in either round, and a constant, for log-odds: a logistic regression over half of the
subjects that `python -m benchmarks collection --parts about` measures."""
THRESHOLD = 0.58
"""Least probability of an article that treats the subject: a precision of .95 on that half."""

POOL = 200
"""Articles that plain search puts forward for the first round."""
LARGE_POOL = 1000
"""Articles that are looked at in the second round. More than so many about one subject are not told from others."""
FIRST_SEEDS, SEEDS = 20, 40
"""Most seeds of the first round, which are often wrong, and of the second. More seeds are more often wrong."""
SEED_SHARE = 0.7
"""Least score of a seed of the first round, as a share of the best score."""
RELEVANT = 0.85
"""Least sum of the cosine of the nearest sentence and the share of the subject's words that one of the first seeds has:
below, nothing is about the subject. It is that of rag/relevance.py."""
SURE = 0.9
"""Least probability of a seed of the second round."""
LEAST_SEED = 0.3
"""Least probability in the first round of an article that anything is about; below, there is no second round, which
takes longest of subjects that no article is about. Chosen by judgement: with it precision and recall are the same on
the events of the benchmark (python -m benchmarks collection --parts about)."""
TERMS = 40
"""Words that the seeds are recognized by."""
DOUBT = 2.0
"""What few seeds have in common is partly chance: it counts as if so many more had nothing in common."""
SEED_CHARS = 2000
"""Characters of a seed that are read for its words, some 320 words: news stands first, and to find the words of a text
takes longer than all else that is done with it."""
LOOKED_UP = 200
"""Words of the seeds of which the frequency is looked up, those in most seeds first."""
COMMON = 0.2
"""A word of a larger share of all passages says nothing of a subject."""
K1, B = 1.2, 0.75
"""Of BM25, over whole articles."""


@dataclass(frozen=True, slots=True)
class About:
    """An article with the probability that it treats a subject, and the sentence that is nearest to it."""

    article: Article
    probability: float
    nearest: Span
    copy_of: str | None = None


@dataclass(frozen=True, slots=True)
class _Read:
    """An article as it is judged: its passages by id, its sentences with the vector of each, and its length."""

    passages: tuple[int, ...]
    sentences: tuple[Span, ...]
    vectors: NDArray[np.float32]
    chars: int

    @property
    def centre(self) -> NDArray[np.float32]:
        """The mean of its sentences, as a unit vector."""
        mean = self.vectors.mean(axis=0)
        unit: NDArray[np.float32] = mean / max(float(np.linalg.norm(mean)), 1e-9)
        return unit


class Judge:
    """Judges the articles of one generation for one subject. `query` is the vector of the subject."""

    def __init__(
        self, generation: Generation, vectors: Vectors, subject: str, query: NDArray[np.float32], only: Filter
    ) -> None:
        """Within a transaction."""
        self._generation = generation
        self._vectors = vectors
        self._query = query
        self._among = generation.passing(only) if only else None
        self._sentences_among = None if self._among is None else generation.vectors.ids_of_passages(self._among)
        self._words = ranking.terms(subject, generation.languages)
        self._asked = _asked(subject, generation.languages)
        self._read: dict[str, _Read] = {}
        self._stems: dict[str, frozenset[str]] = {}
        self._counted: dict[str, int] = {}
        self._passages, self._articles = generation.searched()

    def judge(self, least: float = 0.0, report: Callable[[About], None] | None = None) -> list[About]:
        """Every article of which it is at least `least` probable, the most likely first; `report` gets those that are
        sure, at once."""
        best = self._pool(ranking.CANDIDATES)[:FIRST_SEEDS]
        if not best:
            return []
        seeds = [name for name, score in best if score >= SEED_SHARE * best[0][1]]
        self._load(seeds)
        values = self.features(seeds, seeds)
        if not any(nearest + words >= RELEVANT for nearest, _, words, *_ in values):
            return []
        early = dict(zip(seeds, _probabilities(values, FIRST), strict=True))
        for name, probability in sorted(early.items(), key=lambda pair: -pair[1]):
            if report is not None and probability >= SURE:
                report(self._about(name, probability))
        names = list(dict.fromkeys([*seeds, *(name for name, _ in self._pool(ranking.MATCHES))]))
        self._load(names)
        first = dict(zip(names, _probabilities(self.features(names, seeds), FIRST), strict=True))
        if max(first.values()) < LEAST_SEED:
            return [] if least > 0 else [self._about(name, 0.0) for name in names]
        sure = sorted(names, key=lambda name: -first[name])[:SEEDS]
        seeds = [name for name in sure if first[name] >= SURE] or sure[:1]
        names = self._larger_pool(names, seeds)
        self._load(names)
        second = dict(zip(names, _probabilities(self.features(names, seeds), SECOND), strict=True))
        found = sorted((name for name in names if second[name] >= least), key=lambda name: (-second[name], name))
        return [self._about(name, second[name]) for name in found]

    def features(self, names: Sequence[str], seeds: Sequence[str]) -> NDArray[np.float64]:
        """The FEATURES of these articles, shape (len(names), len(FEATURES))."""
        read = [self._read[name] for name in names]
        near = [one.vectors @ self._query for one in read]
        terms, weights = self._terms(seeds)
        counts = self._uses({*names, *seeds}, {*terms, *itertools.chain(*self._asked)})
        mean_chars = float(np.mean([one.chars for one in self._read.values()]))
        bm25 = {
            name: _bm25(counts[name], terms, weights, self._read[name].chars / mean_chars) for name in {*names, *seeds}
        }
        alike = np.array([bm25[name] for name in names])
        seeds_alike = np.mean([bm25[name] for name in seeds])
        centres = {name: self._read[name].centre for name in seeds}
        total = np.sum(list(centres.values()), axis=0)
        among = {name: self._beside(self._read[name], name, centres, total) for name in {*names, *seeds}}
        seeds_near = max(float(np.mean([among[name] for name in seeds])), 0.2)
        trust = len(seeds) / (len(seeds) + DOUBT)
        columns = [
            [float(values.max()) for values in near],
            [float(values.mean()) for values in near],
            self._coverage([counts[name] for name in names]),
            trust * alike / max(float(seeds_alike), 1e-9),
            [trust * among[name] / seeds_near for name in names],
        ]
        return np.array(columns, dtype=np.float64).T

    def _pool(self, k: int) -> list[tuple[str, float]]:
        """The best articles by their best passage, with its score, as a search ranks them; of the `k` passages best by
        words and the `k` nearest sentences."""
        bm25 = self._generation.words.match(self._words, k, among=self._among)
        near = self._vectors.search(self._query, k, among=self._sentences_among)
        ids = set(bm25) | self._within(self._generation.vectors.passages_with(list(near)))
        passages = self._generation.passages(ids)
        near_to = self._generation.vectors.similarities(
            [self._query], {one for each in passages for _, one in each.sentences}
        )
        best = max(bm25.values(), default=0.0) or 1.0
        scores: dict[str, float] = {}
        for passage in passages:
            score = max(near_to[one] for _, one in passage.sentences)
            score += ranking.WORDS_WEIGHT * bm25.get(passage.id, 0.0) / best
            scores[passage.article_id] = max(score, scores.get(passage.article_id, score))
        return sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))[:POOL]

    def _larger_pool(self, names: Sequence[str], seeds: Sequence[str]) -> list[str]:
        """The articles of the first round, and those that are like the seeds."""
        terms, _ = self._terms(seeds)
        matched = self._generation.words.match(list(map(expression, terms)), LARGE_POOL, among=self._among)
        centre = np.mean([self._read[name].centre for name in seeds], axis=0)
        centre /= max(float(np.linalg.norm(centre)), 1e-9)
        near = self._vectors.search(centre.astype(np.float32), LARGE_POOL, among=self._sentences_among)
        ids = set(matched) | self._within(self._generation.vectors.passages_with(list(near)))
        found = Counter(passage.article_id for passage in self._generation.passages(ids))
        return list(dict.fromkeys([*names, *(name for name, _ in found.most_common())]))[:LARGE_POOL]

    def _within(self, passage_ids: set[int]) -> set[int]:
        return passage_ids if self._among is None else passage_ids & self._among

    def _load(self, names: Collection[str]) -> None:
        """Read those articles that were not read yet."""
        missing = [name for name in names if name not in self._read]
        by_article: dict[str, list[StoredPassage]] = {name: [] for name in missing}
        for passage in self._generation.passages(self._generation.passage_ids_of(missing)):
            by_article[passage.article_id].append(passage)
        pairs = {
            name: sorted((pair for one in passages for pair in one.sentences), key=lambda pair: pair[0].start)
            for name, passages in by_article.items()
        }
        ids = np.unique(np.fromiter(itertools.chain(*([one for _, one in each] for each in pairs.values())), np.int64))
        matrix = self._generation.vectors.of(ids) if len(ids) else np.zeros((0, len(self._query)), np.float32)
        for name, spoken in pairs.items():
            if spoken:
                rows = np.searchsorted(ids, [one for _, one in spoken])
                passages, spans = tuple(one.id for one in by_article[name]), tuple(span for span, _ in spoken)
                self._read[name] = _Read(passages, spans, matrix[rows], max(span.end for span in spans))

    def _about(self, name: str, probability: float) -> About:
        article, read = self._generation.article(name), self._read[name]
        if article is None:
            raise LookupError(f"a passage is of the article {name!r}, which there is not")
        return About(article, probability, read.sentences[int((read.vectors @ self._query).argmax())])

    def _uses(self, names: Collection[str], stems: Collection[str]) -> dict[str, Counter[str]]:
        """How often each of these articles has each of these words in its text and title, as the word index has it: to
        find the words of a thousand texts anew would take seconds."""
        counts: dict[str, Counter[str]] = {name: Counter() for name in names}
        name_of = {one: name for name in names for one in self._read[name].passages}
        titled: set[tuple[str, str]] = set()
        for stem, passage, in_text, in_title in self._generation.words.occurrences(stems, name_of):
            name = name_of[passage]
            counts[name][stem] += in_text
            if in_title and (name, stem) not in titled:  # each passage has the title once more
                counts[name][stem] += in_title
                titled.add((name, stem))
        return counts

    def _coverage(self, counts: Sequence[Counter[str]]) -> list[float]:
        """The share of the subject's words that each article has, by rarity."""
        rarity = [min(map(self._rarity, forms)) for forms in self._asked]
        total = sum(rarity) or 1.0
        return [
            sum(rare for rare, forms in zip(rarity, self._asked, strict=True) if any(map(one.__getitem__, forms)))
            / total
            for one in counts
        ]

    def _stems_of(self, name: str) -> frozenset[str]:
        """The words that an article begins with, of its title as well."""
        if name not in self._stems:
            article = self._generation.article(name)
            text = f"{article.title or ''}\n{article.text[:SEED_CHARS]}" if article else ""
            self._stems[name] = frozenset(_stems(text, article.language if article else None))
        return self._stems[name]

    def _terms(self, seeds: Sequence[str]) -> tuple[list[str], list[float]]:
        """The words that the seeds are recognized by, and their weights."""
        held = Counter(stem for name in seeds for stem in self._stems_of(name))
        least = min(1.5, 0.6 * len(seeds))
        # Those in most seeds first: which articles have them is counted for no more than needed.
        often = [stem for stem, count in held.most_common(LOOKED_UP) if count >= least]
        self._count(often)
        weighed = []
        for stem in often:
            if self._counted[stem] > COMMON * self._passages:
                continue
            articles = max(self._having(stem), held[stem])
            here, others = held[stem], articles - held[stem]
            rest = max(self._articles - articles - (len(seeds) - here), 0)
            odds = (here + 0.5) / (len(seeds) - here + 0.5) * (rest + 0.5) / (others + 0.5)
            if odds > 1:
                weighed.append((math.log(odds) * here / len(seeds), stem))
        best = sorted(weighed, key=lambda pair: (-pair[0], pair[1]))[:TERMS]
        return [stem for _, stem in best], [weight for weight, _ in best]

    def _rarity(self, stem: str) -> float:
        articles = self._having(stem)
        return math.log(1 + (self._articles - articles + 0.5) / (articles + 0.5))

    def _having(self, stem: str) -> float:
        """How many articles have a word, estimated from the passages that have it as if those were drawn at random:
        to count articles, each passage of hundreds of words would have to be looked up."""
        self._count([stem])
        share = min(self._counted[stem] / self._passages, 1.0)
        articles: float = self._articles * (1 - (1 - share) ** (self._passages / self._articles))
        return articles

    def _count(self, stems: Sequence[str]) -> None:
        """Look up how many passages have each of these."""
        missing = [stem for stem in stems if stem not in self._counted]
        counts = self._generation.words.frequencies(list(map(expression, missing)))
        self._counted.update(zip(missing, counts, strict=True))

    def _beside(
        self, read: _Read, name: str, centres: Mapping[str, NDArray[np.float32]], total: NDArray[np.float32]
    ) -> float:
        """The mean cosine of an article and the seeds; of a seed, and the other seeds."""
        others = len(centres) - (name in centres)
        own = 1.0 if name in centres else 0.0
        return (float(read.centre @ total) - own) / others if others else 1.0


def _probabilities(values: NDArray[np.float64], weights: Sequence[float]) -> list[float]:
    odds = values @ np.array(weights[:-1]) + weights[-1]
    found: list[float] = (1 / (1 + np.exp(-odds))).tolist()
    return found


def with_copies(generation: Generation, found: About, only: Filter) -> list[About]:
    """An article and its copies, those of them that pass the filter."""
    together = [found]
    sentence = found.nearest.of(found.article.text)
    for copy in generation.copies(found.article.id):
        start = copy.text.find(sentence)
        nearest = Span(start, start + len(sentence)) if start >= 0 else sentences(copy.text)[0]
        together.append(About(copy, found.probability, nearest, found.article.id))
    return [one for one in together if only.passes(one.article.source, one.article.published)]


def _bm25(counts: Mapping[str, int], terms: Sequence[str], weights: Sequence[float], length: float) -> float:
    """Of an article whose length is `length` times the mean."""
    saturation = K1 * (1 - B + B * length)
    return sum(
        weight * counts[term] * (K1 + 1) / (counts[term] + saturation)
        for term, weight in zip(terms, weights, strict=True)
        if counts[term]
    )


def _asked(subject: str, languages: Sequence[str]) -> list[tuple[str, ...]]:
    """The words of a subject, each in the forms that the languages of the index give it."""
    algorithms = dict.fromkeys(map(stemmer_of, languages or (None,)))
    wanted = ranking.content(subject, languages)
    return list(dict.fromkeys(tuple(dict.fromkeys(tokens.term(one, each) for each in algorithms)) for one in wanted))


def _stems(text: str, tag: str | None) -> list[str]:
    language = language_of_article(text, tag)
    algorithm, stop = stemmer_of(language), ranking.stop_words(language)
    return [tokens.term(token, algorithm) for token in tokens.tokens(text, language) if token.text not in stop]
