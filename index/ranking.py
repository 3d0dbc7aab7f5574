"""Ranking: a query → the passages of one generation that fit it, scored by part. Knows no files and no embedder.

In two steps: `look_up` is all that needs no vector of the query, so that it can be done while that is computed.
"""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from index import tokens
from index.alike import Wanted
from index.language import function_words, language_of, stemmer_of
from index.store.words import expression

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from index.article import Span
    from index.filters import Filter
    from index.store import Generation, StoredPassage
    from index.tokens import Token
    from index.vectors import Vectors

CANDIDATES = 32
"""Passages or sentences that each search puts forward to be scored together."""
MATCHES = 512
"""Passages that the word search scores, so that what the vectors put forward has its score for words too. With as
few as CANDIDATES, 1 answer in 200 leaves the first five."""
WORDS_WEIGHT = 0.6
"""What the best match of words counts beside a cosine of 1. Like the other weights it was chosen on SQuAD 2 and
MTRAG-UN, where a quarter more or less changes little (docs/experiments.md)."""
PAIR_WEIGHT = 0.15
"""What two words in the order of the query count beside the same words apart, in BM25."""
CONTEXT_WEIGHT = 0.4
"""What the words of the context count at most. The more it is, the more it costs questions that change the subject."""
ALIKE_WEIGHT = 1.2
"""What all words of a query, in any form, count beside a cosine of 1 if the query is in another language than English,
the one that the default embedder knows well. Chosen on the first half of XQuAD's German and Spanish titles, where .8 to
1.2 differ by .003 (python -m benchmarks retrieval --parts xquad)."""
ALIKE_CANDIDATES = 24
"""Passages whose texts are read for it, so that a search stays quick; those behind are seldom among the first."""
STOP_WORDS = frozenset(
    "a an and are as at be been by did do does for from had has have how in is it its of on or that the their there "
    "these they this to was were what when where which who whom whose why will with".split()
)
"""Words of English that say nothing of what a question is about; they are left out of the word search."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A passage with its scores by part; see index.hit.Hit."""

    passage: StoredPassage
    nearest: Span
    similarity: float
    bm25: float
    context: float

    @property
    def score(self) -> float:
        """The sum of the parts."""
        return self.similarity + self.bm25 + self.context


@dataclass(frozen=True, slots=True)
class Found:
    """What the words of a query find; passage ids are those of one generation.

    `among` are the passages that may be found, None if all may. `bm25` and `context` are the shares of passages in the
    words of the query and of its context. `passages` are those that either puts forward. `wanted` are the words of a
    query in a language that the embedder does not know well, else None.
    """

    among: frozenset[int] | None
    bm25: dict[int, float]
    context: dict[int, float]
    passages: tuple[StoredPassage, ...]
    wanted: Wanted | None = None


NOTHING = Found(None, {}, {}, ())
"""What no words find."""


def look_up(generation: Generation, query: str, *, context: str = "", only: Filter | None = None) -> Found:
    """What the words of `query` and of `context` find in articles that pass the filter `only`."""
    # The filter comes before the candidates are chosen: a rare outlet would have none among the best of all.
    among = generation.passing(only) if only else None
    bm25 = _shares(_matches(generation, query, among), WORDS_WEIGHT)
    words_of_context = terms(context, generation.languages)
    of_context = _shares(generation.words.match(words_of_context, MATCHES, among=among), CONTEXT_WEIGHT)
    passages = tuple(generation.passages(_first(bm25) | _first(of_context)))
    return Found(among, bm25, of_context, passages, _wanted(generation, query))


def rank(
    generation: Generation, vectors: Vectors, wordings: Sequence[NDArray[np.float32]], found: Found
) -> list[Ranked]:
    """The passages that fit the query best, best first.

    `wordings` are the vectors of the query and of its rewordings, each of shape (dimension,), `found` is what
    `look_up` gave for it.
    """
    sentences = None if found.among is None else generation.vectors.ids_of_passages(found.among)
    # What the embedder cannot read has a zero vector, to which all are equally near: there the words alone count.
    read = [wording for wording in wordings if wording.any()] or (() if found.passages else wordings)
    near = {vector_id for wording in read for vector_id in vectors.search(wording, CANDIDATES, among=sentences)}
    nearby = generation.vectors.passages_with(list(near))
    # Another article may have the very sentence.
    nearby = nearby if found.among is None else nearby & found.among
    nearby -= {passage.id for passage in found.passages}
    ranked = scored(generation, wordings, found, [*found.passages, *generation.passages(nearby)])
    ranked.sort(key=_best_first)
    return ranked if found.wanted is None else _with_alike(generation, found.wanted, ranked)


def _with_alike(generation: Generation, wanted: Wanted, ranked: Sequence[Ranked]) -> list[Ranked]:
    """The ranked passages, the first of which get what they have of the words of the query in any form."""
    first, rest = ranked[:ALIKE_CANDIDATES], ranked[ALIKE_CANDIDATES:]
    texts = generation.texts([one.passage.id for one in first])
    better = [replace(one, bm25=one.bm25 + ALIKE_WEIGHT * wanted.share(texts[one.passage.id])) for one in first]
    return [*sorted(better, key=_best_first), *rest]


def _best_first(one: Ranked) -> tuple[float, int]:
    return -one.score, one.passage.id


def scored(
    generation: Generation,
    wordings: Sequence[NDArray[np.float32]],
    found: Found,
    passages: Sequence[StoredPassage],
) -> list[Ranked]:
    """Passages with how well they fit the query; see `rank`."""
    vector_ids = {vector_id for passage in passages for _, vector_id in passage.sentences}
    near_to = generation.vectors.similarities(wordings, vector_ids)
    of_article = _by_article(passages, found.context)
    return [
        Ranked(
            passage,
            *_nearest(passage, near_to),
            found.bm25.get(passage.id, 0.0),
            of_article[passage.article_id],
        )
        for passage in passages
    ]


def _matches(generation: Generation, query: str, among: Collection[int] | None) -> dict[int, float]:
    """Passage id → BM25 of the words of `query` and, for less, of its pairs of words."""
    scores = generation.words.match(terms(query, generation.languages), MATCHES, among=among)
    for passage_id, score in generation.words.match_phrases(pairs(query, generation.languages), among=among).items():
        scores[passage_id] = scores.get(passage_id, 0.0) + PAIR_WEIGHT * score
    return scores


def _wanted(generation: Generation, query: str) -> Wanted | None:
    """The words of a query that is not in English, as far as it tells, or its articles; None for one that is."""
    language = language_of(query)
    if language == "English" or (language is None and "English" in (generation.languages or ("English",))):
        return None
    words = content(query, generation.languages)
    if not words or any(token.kind == "pair" for token in words):  # pairs are pieces already
        return None
    algorithm = stemmer_of(language or next(iter(generation.languages), None))
    held = generation.words.frequencies([expression(tokens.term(word, algorithm)) for word in words])
    return Wanted.of(words, language, held, generation.counts()["passage"])


def _shares(scores: dict[int, float], weight: float) -> dict[int, float]:
    """The scores divided by the best of them, times `weight`."""
    best = max(scores.values(), default=0.0) or 1.0
    return {passage_id: weight * score / best for passage_id, score in scores.items()}


def _first(scores: dict[int, float]) -> set[int]:
    """Ids of the passages put forward."""
    return set(heapq.nlargest(CANDIDATES, scores, key=lambda passage_id: (scores[passage_id], -passage_id)))


def _by_article(passages: Collection[StoredPassage], scores: dict[int, float]) -> dict[str, float]:
    """Article id → the best score of its passages: a conversation stays with an article more than with a passage."""
    best: dict[str, float] = {}
    for passage in passages:
        best[passage.article_id] = max(best.get(passage.article_id, 0.0), scores.get(passage.id, 0.0))
    return best


def _nearest(passage: StoredPassage, near_to: dict[int, float]) -> tuple[Span, float]:
    span, vector_id = max(passage.sentences, key=lambda sentence: near_to[sentence[1]])
    return span, near_to[vector_id]


def most_words(query: str, text: str, spans: Sequence[Span]) -> Span:
    """Of sentences of a text that no vector tells apart, the one with most words of the query, the first of them."""
    wanted = {token.text for token in content(query, ())}
    language = language_of(text)
    return max(spans, key=lambda span: len(wanted & {token.text for token in tokens.tokens(span.of(text), language)}))


def terms(text: str, languages: Sequence[str]) -> list[str]:
    """What to ask the word index for, in the `languages` of its articles: the words of `text` worth looking up, each
    once, in any way they may be spelt; its stop words only when it has no others."""
    wanted = content(text, languages)
    # "start-ups" is looked for as "startups" as well, "Müller" as "Mueller"; where the index has both, once.
    stemmers = _stemmers(languages)
    runs = list(tokens.compounds(wanted))
    forms = dict.fromkeys(expression(tokens.term(token, each)) for token in wanted for each in stemmers)
    forms |= dict.fromkeys(
        expression(form, as_written=True)
        for each in stemmers
        for form in (
            *(form for token in wanted for form in tokens.other_forms(token, each)),
            *(tokens.joined(run, each) for run in runs),
        )
    )
    return list(forms)


def content(text: str, languages: Sequence[str]) -> list[Token]:
    """The words of `text` without its stop words; these only when it has no others."""
    found, stop = _read(text, languages)
    return [token for token in found if token.text not in stop] or found


def pairs(text: str, languages: Sequence[str]) -> list[str]:
    """Each two words of `text` that follow each other, unless both are stop words."""
    found, stop = _read(text, languages)
    both = [pair for pair in itertools.pairwise(found) if not stop.issuperset(token.text for token in pair)]
    phrases = (" ".join(tokens.term(token, each) for token in pair) for each in _stemmers(languages) for pair in both)
    return list(dict.fromkeys(phrases))


def stop_words(language: str | None) -> frozenset[str]:
    """The words of a language that the word search leaves out."""
    return STOP_WORDS if language in (None, "English") else function_words(language)


def _read(text: str, languages: Sequence[str]) -> tuple[list[Token], frozenset[str]]:
    """The words of a query, and the stop words of its language; if it does not tell, those of the index."""
    language = language_of(text)
    spoken = [language] if language else languages
    found = tokens.tokens(text, language or next(iter(languages), None))
    return list(found), frozenset[str]().union(*map(stop_words, spoken))


def _stemmers(languages: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(map(stemmer_of, languages))) or [stemmer_of(None)]
