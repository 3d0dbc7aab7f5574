"""Cite: a sentence of an answer → the exact sentences of the passages that say it. Pure; knows no model.

Whatever numbers a model wrote, or failed to write, the citation is found by aligning words. What is returned is
a span of an article, so a quote that is not in the article cannot be expressed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rag.grounding.lexicon import Word, known, stems, words
from rag.grounding.statement import is_statement

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from index.article import Article
    from rag.answer import Source

MOST_QUOTES = 3
"""Quotes for one sentence; one that needs more is better split than decorated."""
LEAST_COVERAGE = 0.25
"""Share of a sentence's weight that a quote must carry to be considered at all."""
LEAST_GAIN = 0.15
"""Share of a sentence's weight that a further quote must add."""
ASIDE_WEIGHT = 0.75
"""How much the words of a link to another story, a headline, a caption or a credit count beside those of a sentence of
the article, which is quoted instead where it says nearly the same. What only an aside says is quoted from there."""
QUESTION_WEIGHT = 0.3
"""How much words of the question count beside words of the answer, so that "2009." finds the right 2009."""


@dataclass(frozen=True, slots=True)
class Quote:
    """A sentence of an article; `source` is the passage it was found in."""

    source: Source
    start: int
    end: int

    @property
    def article(self) -> Article:
        """The article it is cut from."""
        return self.source.hit.article

    @property
    def text(self) -> str:
        """The exact words."""
        return self.article.text[self.start : self.end]


def align(claim: str, sources: Sequence[Source], *, question: str = "") -> tuple[Quote, ...]:
    """The fewest quotes that carry the words of `claim`, best first; () when no passage says anything like it.

    The first quote covers most of the claim's weighted words (ties: most of the question's, then the sentence of its
    passage that the search found nearest, then the better passage); each further one adds at least LEAST_GAIN, and
    something that neither the quotes before it nor the question say. A claim repeats words of the question, and they
    are found anywhere: what they could lift is an answer from one place to a question about another.
    """
    wanted = words(claim)
    if not wanted:
        return ()
    chosen: list[Quote] = []
    covered: set[str] = set()
    candidates = list(quotes(sources))
    total = sum(word.weight for word in wanted)
    asked = stems(question)
    while candidates and len(chosen) < MOST_QUOTES:
        best = max(candidates, key=lambda quote: _fit(quote, wanted, covered, asked))
        gain = _gain(best, wanted, covered) / total
        if gain < (LEAST_GAIN if chosen else LEAST_COVERAGE):
            break
        chosen.append(best)
        candidates.remove(best)
        covered |= known(best.text)
    return tuple(_informative(chosen, wanted, asked))


def quotes(sources: Sequence[Source]) -> Iterator[Quote]:
    """Every sentence of the passages, as a candidate quote."""
    for source in sources:
        for span in source.hit.sentences:
            yield Quote(source, span.start, span.end)


def _informative(chosen: Sequence[Quote], wanted: Sequence[Word], asked: frozenset[str]) -> Iterator[Quote]:
    """Those of `chosen` that add something. A number always does: the quotes must have it."""
    repeated: set[str] = {word.stem for word in wanted if word.stem in asked and not word.is_number}
    for number, quote in enumerate(chosen):
        has = known(quote.text)
        if number == 0 or any(word.stem in has and word.stem not in repeated for word in wanted):
            repeated |= has
            yield quote


def _gain(quote: Quote, wanted: Sequence[Word], covered: set[str]) -> float:
    has = known(quote.text)
    return sum(word.weight for word in wanted if word.stem in has and word.stem not in covered)


def _fit(
    quote: Quote, wanted: Sequence[Word], covered: set[str], asked: frozenset[str]
) -> tuple[float, bool, int, int]:
    has = known(quote.text)
    question_share = len(asked & has) / len(asked) if asked else 0.0
    gain = _gain(quote, wanted, covered)
    weight = sum(word.weight for word in wanted)
    fit = gain / weight + QUESTION_WEIGHT * question_share
    is_nearest = quote.source.hit.nearest.start == quote.start
    fit = round(fit if is_statement(quote.text) else ASIDE_WEIGHT * fit, 6)
    return (fit, is_nearest, -quote.source.number, -quote.start)
