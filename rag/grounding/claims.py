"""Claims: a draft → sentences, each with the exact quotes it rests on and how far they carry it. Knows no model."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from index.language import language_of
from index.passage import sentences
from rag.answer import Citation, Claim
from rag.dates import day_of, in_words
from rag.grounding import cite, disagreement, polar, support
from rag.grounding.foreign import quoting
from rag.grounding.lexicon import words
from rag.grounding.statement import is_statement
from rag.grounding.support import Pair
from rag.quote import spans_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence, Set

    from index.article import Article
    from rag.answer import Disagreement, Source
    from rag.grounding.cite import Quote

_MARKER = re.compile(r"\s*\[\d+(?:\s*,\s*\d+)*\]")
_CANNOT = re.compile(
    r"\b(?:articles?|passages?|texts?|information|context)\b[^.]{0,60}?"
    r"\b(?:do(?:es)? not|don['’]t|doesn['’]t|did not|no|not)\s+"
    r"(?:directly |explicitly |specifically )?"
    r"(?:say|state|mention|provid|contain|specif|includ|answer|give|information)|"
    r"\bdo(?:es)? not say\W*$",
    re.IGNORECASE,
)


_UNDATED_PAST = re.compile(r"\b(?:1\d|20)\d\d\b|\bhad\b|['’]d\b|\b(?:last|previous) year\b|\bnext year\b")
"""What keeps a sentence from being of the year in which it was published: another year, or the past of a past."""
BEFORE_CHARS = 700
"""Characters before a passage in which a person of the passage may be named: those of one passage."""


def draft_sentences(draft: str) -> list[str]:
    """The sentences of a draft without the model's own markers, repetitions, and admissions of not knowing."""
    text = _MARKER.sub("", draft).strip()
    found: list[str] = []
    for span in sentences(text):
        sentence = " ".join(span.of(text).split())
        if not _CANNOT.search(sentence) and sentence not in found:
            found.append(sentence)
    return found


def check(
    question: str, sentences: Sequence[str], sources: Sequence[Source], *, least: float = support.SUPPORTED
) -> tuple[Claim, ...]:
    """The sentences as claims, joined by spaces into one text, cited from `sources` where these support them, at least
    so far. A number that they make a bound is the bound that it is in its quotes."""
    numbering = Numbering()
    checked = []
    for written in sentences:
        quotes = cite.align(written, sources, question=question)
        text = support.with_bounds_of_quotes(Pair(written, tuple(quote.text for quote in quotes)))
        likely, quotes = support_of(text, sources, question=question)
        citations = tuple(map(numbering.cite, quotes)) if likely >= least else ()
        checked.append(_claim(text, citations, likely))
    return in_one_text(checked)


def quoted_sentences(draft: str, sources: Sequence[Source]) -> tuple[Claim, ...]:
    """A draft stitched from sentences of `sources` (rag/quote.py) as claims: each is its own quote."""
    numbering = Numbering()
    found = spans_of(draft, [source.hit.text for source in sources])
    quotes = [cite.Quote(sources[number], *_placed(sources[number], start, end)) for number, start, end in found]
    return in_one_text(_verbatim(numbering.cite(quote)) for quote in quotes)


def with_second_look(claims: Sequence[Claim], likely: float) -> tuple[Claim, ...]:
    """Cited claims as likely as the second look takes them for."""
    return tuple(replace(claim, support=max(claim.support, likely)) if claim.supported else claim for claim in claims)


def as_quotes(claims: Sequence[Claim]) -> tuple[Claim, ...]:
    """The quotes that claims rest on, each as a claim of its own."""
    return in_one_text(map(_verbatim, _quotes(claims)))


def with_quotes(question: str, claims: Sequence[Claim]) -> tuple[Claim, ...]:
    """Claims, and after them the quotes they rest on, but for those that say nothing more than these and `question`."""
    known = {word.stem for text in (question, *(claim.text for claim in claims)) for word in words(text)}
    quotes = [quote for quote in _quotes(claims) if _adds(quote.quote, known)]
    is_one = len({quote.article.id for quote in quotes}) == 1
    lead = quoting(language_of(question) or language_of(" ".join(claim.text for claim in claims)), is_one=is_one)
    added = [_verbatim(quote, f"{'' if at else lead}“{{}}”") for at, quote in enumerate(quotes)]
    return in_one_text([*claims, *added])


def denied(question: str, sources: Sequence[Source]) -> tuple[Claim, ...]:
    """That what a question asks is not so, by the newest sentence of `sources` that says this, and that sentence; it
    alone where it only reports what somebody says. () for a question that none of them denies."""
    found = polar.denials(question, [quote for quote in cite.quotes(sources) if is_statement(quote.text)])
    if not found:
        return ()
    newest = max(found, key=lambda quote: (quote.article.published or "", -quote.source.number))
    quote = Numbering().cite(newest)
    if not polar.is_reported(newest.text):
        return with_quotes(question, [_claim("No.", (quote,), 1.0)])
    day, outlet = day_of(quote.published), " ".join((quote.source or "").split())
    lead = f"{outlet} reported on {in_words(day)}: " if outlet and day else quoting("English", is_one=True)
    return in_one_text([_verbatim(quote, f"{lead}“{{}}”")])


def disagreements(
    question: str,
    claims: Sequence[Claim],
    sources: Sequence[Source],
) -> tuple[Disagreement, ...]:
    """Where the articles state differently what the claims say, numbered after the claims' quotes."""
    numbering = Numbering(citation for claim in claims for citation in claim.citations)
    found: dict[tuple[str, ...], Disagreement] = {}
    for claim in claims:
        quotes = [quote for quote in cite.quotes(sources) if any(_is_at(quote, cited) for cited in claim.citations)]
        for one in disagreement.find(question, claim.text, quotes, sources):
            sides = tuple(replace(side, citation=numbering.again(side.citation)) for side in one.sides)
            found.setdefault(tuple(side.value.lower() for side in sides), replace(one, sides=sides))
    return tuple(found.values())


def version_differences(
    claims: Sequence[Claim], versions: Callable[[str], Sequence[Article]], known: Sequence[Disagreement] = ()
) -> tuple[Disagreement, ...]:
    """Where older versions of the cited articles word otherwise what the claims rest on, numbered after the quotes of
    the claims and of what is `known`. `versions` gives those of an article's document, the newest first."""
    sides = [side.citation for one in known for side in one.sides]
    numbering = Numbering([*(citation for claim in claims for citation in claim.citations), *sides])
    found: dict[tuple[str, ...], Disagreement] = {}
    for quote in _quotes(claims):
        for one in disagreement.between_versions(quote, versions(quote.article_id)):
            sides_here = tuple(replace(side, citation=numbering.again(side.citation)) for side in one.sides)
            found.setdefault(tuple(side.citation.quote for side in sides_here), replace(one, sides=sides_here))
    return tuple(found.values())


def stated_disagreements(found: Sequence[Disagreement]) -> Iterator[Claim]:
    """Disagreements as sentences of the answer."""
    for one in found:
        yield _claim(disagreement.sentence(one), tuple(side.citation for side in one.sides), 1.0)


def numbered_after(
    added: Iterable[Claim], claims: Sequence[Claim], known: Sequence[Disagreement] = ()
) -> Iterator[Claim]:
    """The claims `added`, with their quotes numbered after those of `claims` and of what is `known`."""
    sides = [side.citation for one in known for side in one.sides]
    numbering = Numbering([*(citation for claim in claims for citation in claim.citations), *sides])
    for claim in added:
        yield replace(claim, citations=tuple(map(numbering.again, claim.citations)))


def read_before(quote: Quote) -> str:
    """What a reader of a quote has read before it: the heading, the passage as far as the quote, and about another one
    before that, where stands of whom the passage says "he also remarked"."""
    start = max(0, quote.source.hit.start - BEFORE_CHARS)
    return f"{_heading(quote.source)} {quote.article.text[start : quote.start]}"


def in_one_text(claims: Iterable[Claim], *, opening: str = "") -> tuple[Claim, ...]:
    """Claims, wherever they stood, as those of one text joined by spaces, which begins with `opening`."""
    placed: list[Claim] = []
    start = len(opening) + 1 if opening else 0
    for claim in claims:
        placed.append(replace(claim, start=start, end=start + len(claim.text)))
        start += len(claim.text) + 1
    return tuple(placed)


def _claim(text: str, citations: tuple[Citation, ...], likely: float) -> Claim:
    return Claim(text, 0, len(text), citations, likely, bool(citations))


def _verbatim(quote: Citation, form: str = "{}") -> Claim:
    text = form.format(" ".join(quote.quote.split()))
    return Claim(text, 0, len(text), (quote,), 1.0, supported=True, verbatim=True)


def _adds(quote: str, known: Set[str]) -> bool:
    """Whether a quote has a number, a name or two words that are not `known`; one is mostly a "however"."""
    added = {word.stem: word for word in words(quote) if word.stem not in known}
    return len(added) > 1 or any(word.kind != "word" for word in added.values())


def _quotes(claims: Iterable[Claim]) -> list[Citation]:
    """What claims rest on, each quote once."""
    return list(dict.fromkeys(citation for claim in claims for citation in claim.citations))


def support_of(text: str, sources: Sequence[Source], *, question: str = "") -> tuple[float, tuple[Quote, ...]]:
    """How likely `sources` support a sentence, in [0, 1], and the quotes that carry it best."""
    quotes = cite.align(text, sources, question=question)
    return _support(text, quotes, question), quotes


def _support(text: str, quotes: Sequence[Quote], question: str) -> float:
    nearby = " ".join(dict.fromkeys(_surroundings(quote.source) for quote in quotes))
    contexts = tuple(map(read_before, quotes))
    years = frozenset((quote.article.published or "")[:4] for quote in quotes if not _UNDATED_PAST.search(quote.text))
    pair = Pair(
        text, tuple(quote.text for quote in quotes), nearby, question=question, contexts=contexts, published=years
    )
    return support.probability(pair)


def _surroundings(source: Source) -> str:
    """A passage and its heading."""
    return f"{_heading(source)} {source.hit.text}".strip()


def _heading(source: Source) -> str:
    article = source.hit.article
    return " ".join(filter(None, (article.source, article.title, article.published)))


def _placed(source: Source, start: int, end: int) -> tuple[int, int]:
    return source.hit.start + start, source.hit.start + end


def _is_at(quote: Quote, citation: Citation) -> bool:
    return (quote.article.id, quote.start, quote.end) == (citation.article.id, citation.start, citation.end)


class Numbering:
    """The numbers of an answer's quotes: 1, 2, … in order of appearance, the same quote the same number."""

    def __init__(self, citations: Iterable[Citation] = ()) -> None:
        """After `citations`, which have theirs."""
        self._numbers = {(each.article.id, each.start, each.end): each.number for each in citations}

    def cite(self, quote: Quote) -> Citation:
        """The quote with its number."""
        return self.again(Citation(0, quote.article, quote.start, quote.end))

    def again(self, citation: Citation) -> Citation:
        """The citation with the number it has here."""
        place = (citation.article.id, citation.start, citation.end)
        return replace(citation, number=self._numbers.setdefault(place, len(self._numbers) + 1))
