"""Answers and evidence → HTML. Pure; escapes every text that is not ours. Knows no Gradio and no model.

Questions, articles, file names and model output are hostile: they pass through `escape`, land only in element
content or quoted attributes, and stand in <bdi> where they sit inside a line of ours, so that a right-to-left
mark cannot reorder the words around it. Ids and numbers are integers made by this program.
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from rag.answer import Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from index.article import Article
    from rag.answer import Answer, Citation, Claim, Source

Tone = Literal["busy", "ready", "error"]

NOT_FOUND = "not found in the articles"
"""Stands after every sentence that no article supports."""
STOPPED = "Stopped."
CONTEXT_CHARS = 240
"""How much of an article is shown on either side of a quote that lies outside the passages the LLM read."""


@dataclass(frozen=True, slots=True)
class FileResult:
    """What became of one uploaded file; `problem` is None when it was indexed."""

    name: str
    problem: str | None = None


def escape(text: str) -> str:
    """`text` as inert HTML. Lone surrogates, which no browser can be sent, become question marks."""
    return html.escape(text.encode("utf-8", "replace").decode("utf-8"), quote=True)


def safe_url(url: str | None) -> str | None:
    """`url` if it is an absolute http or https address without spaces or control characters, else None."""
    if not url or any(character.isspace() or not character.isprintable() for character in url):
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return url if parts.scheme in ("http", "https") and parts.hostname else None


def status(text: str, tone: Tone = "busy") -> str:
    """The status line."""
    return f'<p class="status {tone}">{escape(text)}</p>'


def exchange(question: str, reply: str, *, busy: bool = False) -> str:
    """A question and the reply to it; `reply` is HTML made here."""
    return (
        f'<section class="exchange" data-busy="{str(busy).lower()}">'
        f'<div class="question"><span class="who">You</span><p class="text">{escape(question)}</p></div>'
        f'<div class="reply"><span class="who">Citewire</span>{reply}</div></section>'
    )


def writing(text: str) -> str:
    """An answer while it is written; not yet checked against the articles."""
    if not text:
        return '<p class="text waiting">Thinking…</p>'
    return f'<p class="text writing">{escape(text)}</p>'


def problem(text: str) -> str:
    """An error, with the command that mends it, in place of an answer."""
    return f'<div class="problem" role="alert"><strong>That did not work.</strong> {escape(text)}</div>'


def answer(said: Answer, *, exchange_number: int, draft: str = "") -> str:
    """The checked answer: citation markers after what is supported, words after what is not.

    `draft` is what the reader saw being written; it stays when the answer was stopped before its check.
    """
    if said.reason == Reason.CANCELLED:
        return _stopped(said, exchange_number, draft)
    if said.refused:
        return _refusal(said)
    return f'<p class="text">{_claims(said, exchange_number)}</p>'


def stopped() -> str:
    """In place of an answer that was stopped before it began."""
    return f'<p class="note">{STOPPED}</p>'


def evidence(sources: Sequence[Source]) -> str:
    """The passages that were found, before an answer is written from them."""
    if not sources:
        return _panel("Evidence", '<p class="empty">No passage fits the question.</p>')
    cards = "".join(
        _card(source.hit.article, escape(source.hit.text), also_in=source.hit.also_in) for source in sources
    )
    return _panel(f"Evidence: {_count(len(sources), 'passage')}", cards)


def sources(said: Answer, *, exchange_number: int) -> str:
    """The cited passages with the quoted words marked, then the other passages that were read."""
    cited, rest = [], []
    left = list(said.citations)  # a quote is marked once, also where passages overlap: its anchor is unique
    spans = [(source.hit.article, source.hit.start, source.hit.end) for source in said.sources]
    others = {source.hit.article.id: source.hit.also_in for source in said.sources}
    for article, start, end in spans + _outside(said.citations, spans):
        quotes = [quote for quote in left if _covers((article, start, end), quote)]
        left = [quote for quote in left if quote not in quotes]
        also_in = others.get(article.id, ())
        if quotes:
            marked = _marked(article.text, start, end, quotes, exchange_number)
            card = _card(article, marked, quotes, also_in=also_in)
            cited.append((quotes[0].number, card))
        else:
            rest.append(_card(article, escape(article.text[start:end]), also_in=also_in))
    parts = []
    if cited:
        parts.append(_panel("Sources", "".join(card for _, card in sorted(cited))))
    if rest:
        label = "Also read, not cited" if cited else "Read, not cited"
        parts.append(_panel(label, "".join(rest)))
    return "".join(parts)


def earlier_sources(question: str, panel: str) -> str:
    """The folded sources of an earlier question; `panel` is HTML made here."""
    if not panel:
        return ""
    return f'<details class="earlier"><summary>Earlier: <bdi>{escape(question)}</bdi></summary>{panel}</details>'


def no_sources() -> str:
    """The panel before anything was asked."""
    return _panel("Sources", '<p class="empty">The passages an answer rests on appear here.</p>')


def uploads(results: Iterable[FileResult]) -> str:
    """One line for each uploaded file."""
    lines = "".join(
        f'<li class="added"><bdi>{escape(result.name)}</bdi>: added</li>'
        if result.problem is None
        else f'<li class="failed"><bdi>{escape(result.name)}</bdi>: not added. {escape(result.problem)}</li>'
        for result in results
    )
    return f'<ul class="uploads" aria-label="Uploaded files">{lines}</ul>'


def _stopped(said: Answer, exchange_number: int, draft: str) -> str:
    if said.claims:
        return f'<p class="text">{_claims(said, exchange_number)}</p>{stopped()}'
    written = (said.text or draft).strip()
    if not written:
        return stopped()
    note = f"{STOPPED} What was written has not been checked against the articles."
    return f'<p class="text">{escape(written)}</p><p class="note">{note}</p>'


def _refusal(said: Answer) -> str:
    reason = f'<p class="note">Reason: {escape(str(said.reason))}.</p>' if said.reason else ""
    return f'<div class="refusal"><p class="text">{escape(said.text)}</p>{reason}</div>'


def _claims(said: Answer, exchange_number: int) -> str:
    parts, at = [], 0
    for claim in sorted(said.claims, key=lambda claim: claim.start):
        parts += [escape(said.text[at : claim.start]), _claim(claim, exchange_number)]
        at = claim.end
    return "".join(parts) + escape(said.text[at:])


def _claim(claim: Claim, exchange_number: int) -> str:
    if not claim.supported:
        return f'<span class="unsupported">{escape(claim.text)}</span> <em class="flag">[{NOT_FOUND}]</em>'
    markers = "".join(
        f'<a class="marker" href="#{_anchor(exchange_number, quote.number)}"'
        f' aria-label="Source {quote.number}">[{quote.number}]</a>'
        for quote in claim.citations
    )
    return f'<span class="claim">{escape(claim.text)}</span>{markers}'


def _panel(title: str, body: str) -> str:
    return f'<section class="panel"><h2>{title}</h2>{body}</section>'


def _card(article: Article, passage: str, quotes: Sequence[Citation] = (), *, also_in: Sequence[str] = ()) -> str:
    numbers = "".join(f'<span class="number">[{quote.number}]</span>' for quote in quotes)
    return (
        f'<article class="card"><h3>{numbers}{_heading(article)}</h3>{_origin(article)}{_also_in(also_in)}'
        f'<blockquote class="passage" dir="auto">{passage}</blockquote></article>'
    )


def _heading(article: Article) -> str:
    headline = f"<bdi>{escape(article.headline)}</bdi>"
    url = safe_url(article.url)
    if url is None:
        return headline
    return f'<a href="{escape(url)}" target="_blank" rel="noopener noreferrer">{headline}</a>'


def _origin(article: Article) -> str:
    known = [part for part in (article.source, _day(article.published)) if part]
    if not known:
        return ""
    return f'<p class="origin">{" · ".join(f"<bdi>{escape(part)}</bdi>" for part in known)}</p>'


def _also_in(names: Sequence[str]) -> str:
    if not names:
        return ""
    return f'<p class="origin">also in {" · ".join(f"<bdi>{escape(name)}</bdi>" for name in names)}</p>'


def _day(published: str | None) -> str | None:
    if published is None:
        return None
    try:
        day = date.fromisoformat(published[:10])
    except ValueError:
        return published
    return f"{day.day} {day:%B} {day.year}"


def _marked(text: str, start: int, end: int, quotes: Sequence[Citation], exchange_number: int) -> str:
    """`text[start:end]` with the quotes in <mark>, cut into stretches because quotes may overlap."""
    cuts = sorted({start, end, *(offset for quote in quotes for offset in (quote.start, quote.end))})
    parts = []
    for left, right in pairwise(cuts):
        parts += [_label(quote, exchange_number) for quote in quotes if quote.start == left]
        inside = " ".join(str(quote.number) for quote in quotes if quote.start <= left < quote.end)
        stretch = escape(text[left:right])
        parts.append(f'<mark data-quotes="{inside}">{stretch}</mark>' if inside else stretch)
    return "".join(parts)


def _label(quote: Citation, exchange_number: int) -> str:
    anchor = _anchor(exchange_number, quote.number)
    return f'<span class="number" id="{anchor}" tabindex="-1">[{quote.number}]</span>'


def _anchor(exchange_number: int, citation_number: int) -> str:
    return f"quote-{exchange_number}-{citation_number}"


_Stretch = tuple["Article", int, int]


def _covers(stretch: _Stretch, quote: Citation) -> bool:
    article, start, end = stretch
    return article.id == quote.article_id and start <= quote.start and quote.end <= end


def _outside(citations: Sequence[Citation], passages: Sequence[_Stretch]) -> list[_Stretch]:
    """Stretches around the quotes that lie in none of the passages."""
    return [
        (
            quote.article,
            max(0, quote.start - CONTEXT_CHARS),
            min(len(quote.article.text), quote.end + CONTEXT_CHARS),
        )
        for quote in citations
        if not any(_covers(passage, quote) for passage in passages)
    ]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
