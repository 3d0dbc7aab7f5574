"""An article in full → HTML, with the words that an answer rests on marked. Pure; escapes like ui/html/render.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from index.article import Span, also_in
from ui import links
from ui.html.markup import button, day, escape, link

if TYPE_CHECKING:
    from collections.abc import Sequence

    from index.article import Article

CHANGED = "The article has changed since this was answered. This is what it said then."
GONE = "This article was removed since this was answered. This is what it said then."


def article(
    shown: Article,
    *,
    start: int = 0,
    end: int = 0,
    number: int | None = None,
    also: Sequence[Span] = (),
    copies: Sequence[Article] = (),
    newer: Article | None = None,
    note: str = "",
) -> str:
    """The whole article; `shown.text[start:end]` is marked and has the id "here". The spans of `also`, which do not
    overlap, are marked as well.

    `newer` is the newest version of the same document if `shown` is an older one. `note` is a sentence to begin with.
    """
    text, body, at = shown.text, "", 0
    if end > start:
        also = [*(one for one in also if one.end <= start or one.start >= end), Span(start, end)]
    for span in sorted(also, key=lambda one: one.start):
        is_here = (span.start, span.end) == (start, end)
        marked = _mark(span.of(text), number) if is_here else f"<mark>{escape(span.of(text))}</mark>"
        body += escape(text[at : span.start]) + marked
        at = span.end
    address = links.article(shown.id, start, end)
    about = _about(shown, copies, text[start:end]) + _superseded(newer) + _asking(shown, address)
    about += f'<p class="note" role="note">{escape(note)}</p>' if note else ""
    return _page(shown, about, body + escape(text[at:]), address=address)


def kept_words(shown: Article, words: str, *, number: int | None, gone: bool) -> str:
    """In place of an article that changed or vanished: the words that were quoted, and what happened."""
    note = f'<p class="note" role="note">△ {GONE if gone else CHANGED}</p>'
    return _page(shown, _about(shown, (), words) + note, _mark(words, number))


def _page(shown: Article, about: str, body: str, *, address: str = "") -> str:
    close = button("close", "Close", classes="act close")
    named = f' data-address="{escape(address)}"' if address else ""
    return (
        f'<article class="reading" role="dialog" aria-label="Article" tabindex="-1"{named}><header><h2>'
        f"<bdi>{escape(shown.headline)}</bdi></h2>{close}</header>{about}"
        f'<div class="body" dir="auto" tabindex="0" role="region" aria-label="Text">{body}</div></article>'
    )


def _about(shown: Article, copies: Sequence[Article], words: str) -> str:
    known = [part for part in (shown.source, day(shown.published), shown.author) if part]
    parts = [f"<bdi>{escape(part)}</bdi>" for part in known]
    outside = link(shown.url, "Original ↗", words)
    lines = [" · ".join([*parts, outside] if outside else parts)]
    others = also_in(shown, copies)
    if others:
        lines.append("also in " + " · ".join(f"<bdi>{escape(one)}</bdi>" for one in others))
    return "".join(f'<p class="origin">{line}</p>' for line in lines if line)


def _asking(shown: Article, address: str) -> str:
    """What can be asked about the article, and its address."""
    summarize = button("summarize", "Summarise this article", article=shown.id)
    ask = button("about", "Ask about this article", article=shown.id)
    return f'<p class="tools">{summarize}{ask}{links.copied(address)}</p>'


def _superseded(newer: Article | None) -> str:
    """A line that leads to the newest version of the article."""
    if newer is None:
        return ""
    date = day(newer.updated or newer.published)
    dated = f" (<bdi>{escape(date)}</bdi>)" if date else ""
    opened = button("open", f"<bdi>{escape(newer.headline)}</bdi>", article=newer.id, classes="title")
    return f'<p class="note" role="note">△ superseded by {opened}{dated}</p>'


def _mark(words: str, number: int | None) -> str:
    chip = "" if number is None else f'<span class="number">[{number}]</span>'
    return f'{chip}<mark id="here">{escape(words)}</mark>'


def problem(text: str) -> str:
    """In place of an article that cannot be shown."""
    close = button("close", "Close", classes="act close")
    return (
        f'<article class="reading" role="dialog" aria-label="Article" tabindex="-1"><header>{close}</header>'
        f'<p class="note" role="alert">{escape(text)}</p></article>'
    )
