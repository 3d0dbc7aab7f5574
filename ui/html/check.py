"""A checked draft → HTML: the text with every sentence marked by its verdict, and below it the quotes. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rag.checked import CheckVerdict
from ui import terminal
from ui.html.markup import button, escape, link

if TYPE_CHECKING:
    from rag.answer import Citation
    from rag.checked import Check, Checked

CLASSES = {
    CheckVerdict.SUPPORTED: "supported",
    CheckVerdict.PARTLY: "partly",
    CheckVerdict.CONTRADICTED: "contradicted",
    CheckVerdict.NOT_FOUND: "not-found",
    CheckVerdict.NOTHING: "nothing",
}
STYLE = """
.check .draft { white-space: pre-line; }
.check .draft > * { unicode-bidi: isolate; }
.check mark { background: none; color: inherit; border-bottom: 3px solid transparent; }
.check mark.supported { border-color: #2e7d32; }
.check mark.partly { border-color: #b7791f; border-bottom-style: dashed; }
.check mark.contradicted { border-color: #c62828; background: #c628281f; }
.check mark.not-found { border-color: #8e24aa; border-bottom-style: dotted; }
.check .note { display: block; font: 14px/1.5 system-ui, sans-serif; margin: 0.1rem 0 0.4rem 1rem; }
.check ol { font: 14px/1.5 system-ui, sans-serif; }
"""
"""Of the report as a file of its own; verdicts differ in the form of the line as well as in its colour."""


def render_check(check: Check, *, openable: bool = False) -> str:
    """The text of a draft with its verdicts, what differs below each sentence, and the quotes; on the page these are
    `openable`, in their article."""
    pieces, position = [], 0
    for one in check.sentences:
        pieces += [_between(check.text[position : one.start]), _sentence(one, openable=openable)]
        position = one.end
    pieces.append(_between(check.text[position:]))
    quotes = "".join(_quote(one, openable=openable) for one in check.citations)
    return (
        f'<div class="check"><p class="summary">{escape(check.summary)}</p>'
        f'<div class="draft" dir="auto">{"".join(pieces)}</div>' + (f"<ol>{quotes}</ol>" if quotes else "") + "</div>"
    )


def _between(text: str) -> str:
    """What stands between two sentences."""
    return f"<span>{escape(text)}</span>" if text.strip() else text


def _sentence(one: Checked, *, openable: bool) -> str:
    numbers = "".join(_number(citation, openable=openable) for citation in one.citations)
    verdict = escape(str(one.verdict))
    marked = f'<mark class="{CLASSES[one.verdict]}" title="{verdict}">{escape(one.text)}</mark>{numbers}'
    is_plain = one.verdict == CheckVerdict.NOTHING or (one.verdict == CheckVerdict.SUPPORTED and not one.note)
    if is_plain:
        return marked
    note = f" {escape(one.note)}" if one.note else ""
    if one.nearest:
        nearest = "".join(_number(citation, openable=openable) for citation in one.nearest)
        note += f" The nearest words: {nearest}"
    return f'{marked}<span class="note"><strong>{verdict[0].upper()}{verdict[1:]}.</strong>{note}</span>'


def _number(citation: Citation, *, openable: bool) -> str:
    """The number of a quote, which opens its article at the words, or leads to the quote below."""
    shown = f"[{citation.number}]"
    if not openable:
        return f'<a class="marker" href="#quote-{citation.number}">{shown}</a>'
    place = {"article": citation.article_id, "start": citation.start, "end": citation.end}
    return button("open", shown, classes="marker", **place)


def _quote(citation: Citation, *, openable: bool) -> str:
    where = escape(terminal.cited(citation))
    if openable:
        place = {"article": citation.article_id, "start": citation.start, "end": citation.end}
        where = button("open", where, classes="title", **place)
    original = link(citation.url, "original", citation.quote, citation.page)
    tail = f" · {original}" if original else ""
    quote = escape(" ".join(citation.quote.split()))
    anchor = "" if openable else f' id="quote-{citation.number}"'
    return f'<li value="{citation.number}"{anchor}>“{quote}”<div class="origin">{where}{tail}</div></li>'
