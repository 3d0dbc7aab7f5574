"""Answers and evidence → HTML. Pure; escapes every text that is not ours. Knows no Gradio and no model.

Questions, articles, file names and model output are hostile: they pass through `escape`, land only in element
content or quoted attributes, and stand in <bdi> where they sit inside a line of ours, so that a right-to-left
mark cannot reorder the words around it. Ids and numbers are integers made by this program.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from rag.answer import Reason, Verdict
from rag.grounding.lexicon import words
from ui import links
from ui.html import rows
from ui.html.markup import button, count, day, escape, link
from ui.html.saving import menu

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from index.article import Article
    from rag.answer import Answer, Citation, Claim, Disagreement, Section, Side, Source

Tone = Literal["busy", "ready", "error"]

NOT_FOUND = "no supporting quote found"
"""Stands after every sentence that no article supports."""
STOPPED = "Stopped."
WIDEN = {
    Reason.NOTHING_RELEVANT: "Try other words, clear the filters, or add articles under Library.",
    Reason.OTHER_LANGUAGE: "Ask in the language of the articles.",
    Reason.NOT_ANSWERED: "Ask about one part of it, or add articles under Library.",
    Reason.UNSUPPORTED: "Ask about one part of it, or quote the articles (Settings).",
    Reason.FILTERED_OUT: "Clear the filters and ask again.",
    Reason.EMPTY_INDEX: "Add articles under Library.",
}
"""What a reader can do after a refusal."""
ANSWERED_AS = {
    "fact": "Short answer",
    "list": "List",
    "count": "Count",
    "timeline": "Timeline",
    "comparison": "Comparison",
    "summary": "Summary",
}
"""The kinds of answer that a reader can choose, by the words on their buttons."""
CONTEXT_CHARS = 240
"""How much of an article is shown on either side of a quote that lies outside the passages the LLM read."""


def name() -> str:
    """The name of the page, and on a narrow one the button that opens the conversations beside it."""
    drawer = (
        '<button type="button" class="act drawer" aria-expanded="false" aria-controls="beside">'
        '<span aria-hidden="true">☰</span><span class="hidden">Conversations</span></button>'
    )
    return f"{drawer}<h1>Citewire</h1>"


def status(text: str, tone: Tone = "busy") -> str:
    """The status line."""
    return f'<p class="status {tone}">{escape(text)}</p>'


def exchange(question: str, reply: str, *, number: int = 1, busy: bool = False) -> str:
    """A question and the reply to it; `reply` is HTML made here."""
    return (
        f'<section class="exchange" data-number="{number}" data-busy="{str(busy).lower()}" '
        f'aria-label="Question {number}">'
        f'<div class="question"><span class="who">You</span><p class="text">{escape(question)}</p></div>'
        f'<div class="reply"><span class="who">Citewire</span>{reply}</div></section>'
    )


def waiting(text: str = "Thinking…", *, share: float | None = None) -> str:
    """Before the first word: what is being done, and how much of it, from 0 to 1, where that is known."""
    bar = "" if share is None else f'<progress max="100" value="{share * 100:.0f}" aria-label="Read so far"></progress>'
    return f'<p class="text waiting">{escape(text)}</p>{bar}'


def step(stage: str, done: int, total: int) -> str:
    """How far an answer is before its first word: `done` questions come first, tokens of `total` are read, or words are
    written that only point at quotes."""
    if stage == "queue":
        return waiting(f"Waiting: {done} before you" if done else "You are next…")
    if stage == "read" and total:
        return waiting(f"Reading the passages… {done / total:.0%}", share=done / total)
    if stage == "write":
        return waiting("Finding the sentences that answer it…")
    return waiting()


def finding(kind: str, sections: Sequence[Section]) -> str:
    """Rows while others are looked for."""
    return rows.found(kind, sections)


def writing(text: str) -> str:
    """An answer while it is written; not yet checked against the articles."""
    return f'<p class="text writing">{escape(text)}</p>' if text else waiting()


def problem(text: str, *, failed: str) -> str:
    """An error: what failed, and why or what to do about it."""
    return f'<div class="problem" role="alert"><strong>{escape(failed)}</strong> {escape(sentence(text))}</div>'


def sentence(text: str) -> str:
    """A message as it stands after a full stop: with a capital, unless it begins with a name, a path or a command."""
    first = re.match(r"[a-z][a-z’']*(?=[\s,;]|[:.](?:\s|$)|$)", text)
    return text[0].upper() + text[1:] if first else text


def answer(checked: Answer, *, exchange_number: int, draft: str = "") -> str:
    """The checked answer: citation markers after what is supported, words after what is not.

    `draft` is what the reader saw being written; it stays when the answer was stopped before its check.
    """
    if checked.reason == Reason.CANCELLED:
        return _stopped(checked, exchange_number, draft)
    missing = f'<p class="note open">◌ {_inline(checked.not_searched)}</p>' if checked.missing else ""
    if checked.refused:
        return _refusal(checked) + missing
    parts = [_body(checked, exchange_number)]
    if checked.unanswered:
        parts.append(f'<p class="note open">◌ No answer found: {_inline(checked.unanswered)}</p>')
    parts += [_differing(one, exchange_number) for one in checked.disagreements]
    return "".join([*parts, missing])


def stopped() -> str:
    """In place of an answer that was stopped before it began."""
    return f'<p class="note">■ {STOPPED}</p>'


def searched(query: str, *, question: str = "", exchange_number: int) -> str:
    """What was looked up if it differs from the question, to be edited and asked again."""
    if not query or query.split() == question.split():
        return ""
    edit = button("edit", "Edit", exchange=exchange_number, query=query, classes="act last")
    return f'<p class="searched">Searched for {_inline(query)} · {edit}</p>'


def toolbar(
    *, exchange_number: int, markdown: str = "", thumb: str | None = None, reason: str = "", can_rate: bool = True
) -> str:
    """What can be done with an answer. `markdown` is copied as it is; without it, there is nothing to copy or rate."""
    parts = []
    if markdown:
        parts.append(f'<button type="button" class="act" data-copy="{escape(markdown)}">Copy with references</button>')
        parts.append(menu(exchange=exchange_number))
    parts.append(button("retry", "Try again", exchange=exchange_number, classes="act last"))
    parts.append(button("edit", "Edit question", exchange=exchange_number, classes="act last"))
    parts.append(_other_kinds(exchange_number))
    if markdown and can_rate:
        parts += [_thumb(name, exchange_number, thumb) for name in ("up", "down")]
    tools = f'<div class="tools" role="group" aria-label="With this answer">{"".join(parts)}</div>'
    return tools + (_why(exchange_number, thumb, reason) if thumb else "")


def evidence(sources: Sequence[Source], *, query: str = "", exchange_number: int = 0) -> str:
    """The passages that were found, before an answer is written from them; words of `query` stand out in them."""
    if not sources:
        return _panel("Evidence", '<p class="empty">No passage matches the question.</p>')
    asked = _stems(query)
    cards = "".join(
        _card(
            source.hit.article,
            asked_words(source.hit.text, asked),
            also_in=source.hit.also_in,
            places=_places([(source.hit.start, source.hit.end)], source.hit.article),
            reading=_read_here(exchange_number, source=source.number),
        )
        for source in sources
    )
    return _panel(f"Evidence: {count(len(sources), 'passage')}", cards)


def asked_words(text: str, stems: frozenset[str]) -> str:
    """`text` with the words that have one of `stems` in <b>."""
    parts, at = [], 0
    for word in words(text):
        if word.stem in stems:
            parts += [escape(text[at : word.start]), f'<b class="asked">{escape(text[word.start : word.end])}</b>']
            at = word.end
    return "".join(parts) + escape(text[at:])


def sources(checked: Answer, *, exchange_number: int) -> str:
    """The cited passages with the quoted words marked, then the other passages that were read."""
    cited, rest = [], []
    unplaced = list(checked.citations)  # a quote is marked once, also where passages overlap
    spans = [(source.hit.article, source.hit.start, source.hit.end, source.number) for source in checked.sources]
    others = {source.hit.article.id: source.hit.also_in for source in checked.sources}
    asked = _stems(checked.searched or checked.question)
    for article, start, end, number in spans + _outside(checked.citations, spans):
        quotes = [quote for quote in unplaced if _covers((article, start, end, number), quote)]
        unplaced = [quote for quote in unplaced if quote not in quotes]
        also_in = others.get(article.id, ())
        if quotes:
            marked = _marked(article.text, start, end, quotes)
            reading = _read_here(exchange_number, quote=quotes[0].number)
            places = _places([(quote.start, quote.end) for quote in quotes], article)
            card = _card(article, marked, quotes, also_in=also_in, places=places, reading=reading)
            cited.append((quotes[0].number, card))
        else:
            reading = _read_here(exchange_number, source=number)
            shown = asked_words(article.text[start:end], asked)
            places = _places([(start, end)], article)
            rest.append(_card(article, shown, also_in=also_in, places=places, reading=reading))
    parts = []
    if cited:
        parts.append(_panel("Sources", "".join(card for _, card in sorted(cited))))
    if rest:
        label = (
            "Other passages considered" if cited else "Nearest passages" if checked.refused else "Passages considered"
        )
        parts.append(_panel(label, "".join(rest)))
    return "".join(parts)


def earlier_sources(question: str, panel: str, *, exchange_number: int = 0) -> str:
    """The folded sources of an earlier question; `panel` is HTML made here."""
    if not panel:
        return ""
    number = f' data-number="{exchange_number}"'
    return (
        f'<details class="earlier"{number}><summary>Earlier: <bdi>{escape(question)}</bdi></summary>{panel}</details>'
    )


def finished(exchanges: Sequence[tuple[str, str]], *, keep: int, serial: int) -> str:
    """What the page's script does with its past exchanges: keep the first `keep`, then take these in.

    Each is the HTML of the exchange and of its folded sources, made here; one that the page has is replaced. Another
    `serial` each time makes it another value.
    """
    parts = "".join(f"<div>{exchange}</div><div>{panel}</div>" for exchange, panel in exchanges)
    return f'<div class="finished" data-keep="{keep}" data-serial="{serial}" hidden>{parts}</div>'


def no_sources() -> str:
    """The panel before anything was asked."""
    return _panel("Sources", '<p class="empty">The passages that an answer is based on appear here.</p>')


def origin(article: Article, *, also_in: Sequence[str] = (), places: Sequence[str] = ()) -> str:
    """Outlet and date of an article, where the words stand in its original, and where else the article stands."""
    known = [part for part in (article.source, day(article.published), *places) if part]
    shown = f'<p class="origin">{" · ".join(map(_inline, known))}</p>' if known else ""
    also = f'<p class="origin">also in {" · ".join(map(_inline, also_in))}</p>' if also_in else ""
    return shown + also


def _inline(text: str) -> str:
    return f"<bdi>{escape(text)}</bdi>"


def _stems(query: str) -> frozenset[str]:
    return frozenset(word.stem for word in words(query))


def _stopped(checked: Answer, exchange_number: int, draft: str) -> str:
    if checked.claims:
        return _body(checked, exchange_number) + stopped()
    written = (checked.text or draft).strip()
    if not written:
        return stopped()
    note = f"■ {STOPPED} What was written has not been checked against the articles."
    return f'<p class="text">{escape(written)}</p><p class="note">{note}</p>'


def _refusal(checked: Answer) -> str:
    # The text of the engine names a command for this, which somebody on the page may not be able to run.
    text = "There are no articles yet." if checked.reason == Reason.EMPTY_INDEX else checked.text
    nearest = "The nearest passages are shown." if checked.sources else ""
    hint = " ".join(filter(None, (nearest, *(hint for known, hint in WIDEN.items() if checked.reason == known))))
    how = f'<p class="note">{hint}</p>' if hint else ""
    return f'<div class="refusal"><p class="text">{escape(text)}</p>{how}</div>'


def _body(checked: Answer, exchange_number: int) -> str:
    """The claims in rows or as running text."""
    if checked.sections:
        return rows.answer(checked, lambda claim, number: _claim(claim, exchange_number, number), exchange_number)
    return f'<p class="text">{_claims(checked, exchange_number)}</p>'


def _claims(checked: Answer, exchange_number: int) -> str:
    parts, at = [], 0
    for number, claim in enumerate(sorted(checked.claims, key=lambda claim: claim.start), start=1):
        parts += [escape(checked.text[at : claim.start]), _claim(claim, exchange_number, number)]
        at = claim.end
    return "".join(parts) + escape(checked.text[at:])


def _claim(claim: Claim, exchange_number: int, claim_number: int) -> str:
    if claim.verdict == Verdict.UNSUPPORTED:
        flag = f'<em class="flag">[{NOT_FOUND}]</em>'
        return f'<span class="unsupported">{escape(claim.text)}</span> {flag}'
    chips = "".join(_chip(quote, f"{exchange_number}-{claim_number}", exchange_number) for quote in claim.citations)
    if claim.verdict == Verdict.PARTLY:
        flag = f'<em class="flag partly">[{Verdict.PARTLY}]</em>'
        return f'<span class="claim partly">{escape(claim.text)}</span>{chips} {flag}'
    shown = f'<span class="claim">{escape(claim.text)}</span>{chips}'
    return f'<span class="verbatim">{shown}</span>' if claim.verbatim else shown


def _chip(quote: Citation, place: str, exchange_number: int) -> str:
    """A marker that shows its quote when pointed at and opens the article there when pressed."""
    tip = f"tip-{place}-{quote.number}"
    return (
        f'<button type="button" class="marker" data-act="open" data-exchange="{exchange_number}" '
        f'data-quote="{quote.number}" aria-label="Source {quote.number}" aria-describedby="{tip}">[{quote.number}]'
        f'</button><span class="tip" role="tooltip" id="{tip}" hidden>“{_inline(quote.quote)}”'
        f'<span class="origin">{_known(quote)}</span></span>'
    )


def _known(quote: Citation) -> str:
    """Outlet and date, or else the headline, of what is quoted, and where the quote stands in its original."""
    known = [part for part in (quote.source, day(quote.published)) if part] or [quote.article.headline]
    return " · ".join(map(_inline, filter(None, (*known, quote.place))))


def _differing(disagreement: Disagreement, exchange_number: int) -> str:
    sides = "".join(_side(side, exchange_number) for side in disagreement.sides)
    heading = f"The articles disagree ({escape(disagreement.about)})"
    if disagreement.about == "version":
        heading = "Versions differ" if len(disagreement.sides) > 1 else "Only an older version says so"
    return f'<section class="differing" aria-label="The articles disagree"><h3>{heading}</h3><ul>{sides}</ul></section>'


def _side(side: Side, exchange_number: int) -> str:
    quote = side.citation
    chip = button("open", f"[{quote.number}]", exchange=exchange_number, quote=quote.number, classes="marker")
    return (
        f"<li><strong>{_inline(side.value)}</strong>{chip}<p>“{_inline(quote.quote)}”</p>"
        f'<p class="origin">{_known(quote)}</p></li>'
    )


def _other_kinds(exchange_number: int) -> str:
    """The same question, answered as another kind than its words ask for."""
    kinds = "".join(
        button("retry", label, exchange=exchange_number, kind=kind, classes="act")
        for kind, label in ANSWERED_AS.items()
    )
    return f'<details class="answer-as last"><summary class="act">Answer as…</summary><span>{kinds}</span></details>'


def _thumb(name: str, exchange_number: int, thumb: str | None) -> str:
    label = {"up": "Helpful", "down": "Not helpful"}[name]
    return (
        f'<button type="button" class="act thumb" data-act="rate" data-exchange="{exchange_number}" '
        f'data-thumb="{name}" aria-pressed="{str(thumb == name).lower()}">{label}</button>'
    )


def _why(exchange_number: int, thumb: str, reason: str) -> str:
    if reason:
        return f'<p class="note">Saved, thank you: {_inline(reason)}</p>'
    return (
        f'<form class="why" data-act="rate" data-exchange="{exchange_number}" data-thumb="{escape(thumb)}">'
        f'<label>Saved. Why? (optional) <input name="reason" maxlength="500" autocomplete="off"></label>'
        f'<button class="act">Send</button></form>'
    )


def _panel(title: str, body: str) -> str:
    return f'<section class="panel"><h2>{title}</h2>{body}</section>'


def _places(spans: Iterable[tuple[int, int]], article: Article) -> tuple[str, ...]:
    """Where words of an article stand in its original, each place once."""
    return tuple(dict.fromkeys(filter(None, (article.place_of(start, end) for start, end in spans))))


def _card(
    article: Article,
    passage: str,
    quotes: Sequence[Citation] = (),
    *,
    also_in: Sequence[str] = (),
    places: Sequence[str] = (),
    reading: str,
) -> str:
    numbers = "".join(map(_number, quotes))
    words_of = quotes[0].quote if quotes else ""
    outside = link(article.url, "Original ↗", words_of, quotes[0].page if quotes else None)
    copied = links.copied(links.article(article.id, quotes[0].start, quotes[0].end)) if quotes else ""
    return (
        f'<article class="card"><h3>{numbers}{_inline(article.headline)}</h3>'
        f"{origin(article, also_in=also_in, places=places)}"
        f'<blockquote class="passage" dir="auto">{passage}</blockquote><p class="ways">'
        f"{reading}{outside}{copied}</p></article>"
    )


def _read_here(exchange_number: int, **place: int) -> str:
    return button("open", "Read in the article", exchange=exchange_number, **place)


def _marked(text: str, start: int, end: int, quotes: Sequence[Citation]) -> str:
    """`text[start:end]` with the quotes in <mark>, cut into stretches because quotes may overlap."""
    cuts = sorted({start, end, *(offset for quote in quotes for offset in (quote.start, quote.end))})
    parts = []
    for left, right in pairwise(cuts):
        parts += [_number(quote) for quote in quotes if quote.start == left]
        inside = " ".join(str(quote.number) for quote in quotes if quote.start <= left < quote.end)
        stretch = escape(text[left:right])
        parts.append(f'<mark data-quotes="{inside}">{stretch}</mark>' if inside else stretch)
    return "".join(parts)


def _number(quote: Citation) -> str:
    return f'<span class="number">[{quote.number}]</span>'


_Stretch = tuple["Article", int, int, int]
"""Article, start, end, and the number of the passage; 0 for none."""


def _covers(stretch: _Stretch, quote: Citation) -> bool:
    article, start, end, _ = stretch
    return article.id == quote.article_id and start <= quote.start and quote.end <= end


def _outside(citations: Sequence[Citation], passages: Sequence[_Stretch]) -> list[_Stretch]:
    """Stretches of whole words around the quotes that lie in none of the passages."""
    return [_around(quote) for quote in citations if not any(_covers(passage, quote) for passage in passages)]


def _around(quote: Citation) -> _Stretch:
    text = quote.article.text
    before = text[max(0, quote.start - CONTEXT_CHARS) : quote.start]
    after = text[quote.end : quote.end + CONTEXT_CHARS]
    if len(before) < quote.start:
        before = re.sub(r"\A\S+", "", before).lstrip()
    if quote.end + len(after) < len(text):
        after = re.sub(r"\S+\Z", "", after).rstrip()
    return quote.article, quote.start - len(before), quote.end + len(after), 0
