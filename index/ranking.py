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
from index.article import also_in
from index.errors import StoreError
from index.hit import Hit
from index.language import function_words, language_of, stemmer_of
from index.store.words import expression

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from index.article import Article, Span
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


@dataclass(frozen=True, slots=True)
class Asked:
    """What the word index is asked for by a query and its context: words, each an `expression`, and pairs of words.

    `alike` are the words, each an `expression`, that are `looked_for` in any form, of a query in a language that the
    embedder does not know well.
    """

    words: tuple[str, ...]
    pairs: tuple[str, ...]
    context: tuple[str, ...]
    alike: tuple[str, ...] = ()
    looked_for: tuple[Token, ...] = ()
    language: str | None = None

    @classmethod
    def of(cls, query: str, context: str, languages: Sequence[str]) -> Asked:
        """What is looked for in articles in these languages."""
        asked = cls(tuple(terms(query, languages)), tuple(pairs(query, languages)), tuple(terms(context, languages)))
        # Not for a query in English, as far as it tells, or its articles.
        language = language_of(query)
        if language == "English" or (language is None and "English" in (languages or ("English",))):
            return asked
        words = content(query, languages)
        if not words or any(token.kind == "pair" for token in words):  # pairs are pieces already
            return asked
        algorithm = stemmer_of(language or next(iter(languages), None))
        alike = tuple(expression(tokens.term(word, algorithm)) for word in words)
        return replace(asked, alike=alike, looked_for=tuple(words), language=language)

    def wanted(self, held: Sequence[int], passages: int) -> Wanted | None:
        """The words to be looked for in any form, `held` by so many of the `passages` each; None where none are."""
        return Wanted.of(self.looked_for, self.language, held, passages) if self.alike else None


def look_up(generation: Generation, query: str, *, context: str = "", only: Filter | None = None) -> Found:
    """What the words of `query` and of `context` find in articles that pass the filter `only`."""
    # The filter comes before the candidates are chosen: a rare outlet would have none among the best of all.
    among = generation.passing(only) if only else None
    asked = Asked.of(query, context, generation.languages)
    words = generation.words
    bm25, of_context = shared(
        words.match(asked.words, MATCHES, among=among),
        words.match_phrases(asked.pairs, among=among),
        words.match(asked.context, MATCHES, among=among),
    )
    passages = tuple(generation.passages(put_forward(bm25, of_context)))
    wanted = None
    if asked.alike:
        wanted = asked.wanted(words.frequencies(asked.alike), generation.counts()["passage"])
    return Found(among, bm25, of_context, passages, wanted)


def shared(
    matches: dict[int, float], phrases: dict[int, float], context: dict[int, float]
) -> tuple[dict[int, float], dict[int, float]]:
    """The shares of passages in the words and pairs of a query, and in the words of its context: id → share."""
    scores = dict(matches)
    for passage_id, score in phrases.items():
        scores[passage_id] = scores.get(passage_id, 0.0) + PAIR_WEIGHT * score
    return _shares(scores, WORDS_WEIGHT), _shares(context, CONTEXT_WEIGHT)


def put_forward(bm25: dict[int, float], context: dict[int, float]) -> set[int]:
    """Ids of the passages that the words of a query or its context put forward."""
    return _first(bm25) | _first(context)


def rank(
    generation: Generation, vectors: Vectors, wordings: Sequence[NDArray[np.float32]], found: Found
) -> list[Ranked]:
    """The passages that fit the query best, best first.

    `wordings` are the vectors of the query and of its rewordings, each of shape (dimension,), `found` is what
    `look_up` gave for it.
    """
    sentences = None if found.among is None else generation.vectors.ids_of_passages(found.among)
    read = readable(wordings) or (() if found.passages else wordings)
    near = {vector_id for wording in read for vector_id in vectors.search(wording, CANDIDATES, among=sentences)}
    nearby = nearby_passages(generation, list(near), found.among) - {passage.id for passage in found.passages}
    ranked = scored(generation, wordings, found, [*found.passages, *generation.passages(nearby)])
    return in_order(ranked, found.wanted, generation.texts)


def readable(wordings: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
    """The vectors of what the embedder can read. What it cannot has a zero vector, to which all are equally near: there
    the words alone count."""
    return [wording for wording in wordings if wording.any()]


def nearby_passages(generation: Generation, vector_ids: Sequence[int], among: frozenset[int] | None) -> set[int]:
    """Ids of the passages with one of these vectors, of those `among` which they are to be."""
    nearby = generation.vectors.passages_with(vector_ids)
    # Another article may have the very sentence.
    return nearby if among is None else nearby & among


def in_order(
    ranked: Sequence[Ranked], wanted: Wanted | None, texts_of: Callable[[Sequence[int]], Mapping[int, str]]
) -> list[Ranked]:
    """The ranked passages, best first. The first get what they have of the words of the query in any form, if `wanted`;
    `texts_of` gives the texts of passages."""
    best = sorted(ranked, key=_best_first)
    if wanted is None:
        return best
    first, rest = best[:ALIKE_CANDIDATES], best[ALIKE_CANDIDATES:]
    texts = texts_of([one.passage.id for one in first])
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
    return with_words([Ranked(one, *_nearest(one, near_to), 0.0, 0.0) for one in passages], found.bm25, found.context)


def with_words(ranked: Sequence[Ranked], bm25: dict[int, float], context: dict[int, float]) -> list[Ranked]:
    """Passages with their shares in the words of the query and of its context; see `shared`."""
    of_article = _by_article([one.passage for one in ranked], context)
    return [
        replace(one, bm25=bm25.get(one.passage.id, 0.0), context=of_article[one.passage.article_id]) for one in ranked
    ]


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


def hit(generation: Generation, ranked: Ranked, newer: tuple[Article, ...], query: str) -> Hit:
    """A ranked passage as it is given to whoever searched. `newer` are the newer versions of its article."""
    passage = ranked.passage
    article = generation.article(passage.article_id)
    if article is None:
        raise StoreError(f"passage {passage.id} has lost its article; run: citewire index rebuild")
    sentences = tuple(span for span, _ in passage.sentences)
    is_read = ranked.similarity != 0.0 or len(sentences) == 1
    return Hit(
        article,
        passage.start,
        passage.end,
        ranked.score,
        ranked.similarity,
        ranked.bm25,
        ranked.nearest if is_read else most_words(query, article.text, sentences),
        ranked.context,
        also_in=also_in(article, generation.copies(article.id)),
        newer=newer,
        sentences=sentences,
    )


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
