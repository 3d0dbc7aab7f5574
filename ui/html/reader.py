"""An article in full, or a page of its original → HTML, with the words that an answer rests on marked. Pure; escapes
like ui/html/render.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from index.article import Span, also_in
from ui import links
from ui.html.markup import button, day, escape, link

if TYPE_CHECKING:
    from collections.abc import Sequence

    from index.article import Article
    from index.picture import Box, Picture

PDF, SAVED = (".pdf",), (".html", ".htm", ".xhtml")
"""Endings of files that are opened from the page: PDFs, and web pages that somebody saved."""
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
    kind: str | None = None,
) -> str:
    """The whole article; `shown.text[start:end]` is marked and has the id "here". The spans of `also`, which do not
    overlap, are marked as well.

    `newer` is the newest version of the same document if `shown` is an older one. `note` is a sentence to begin with.
    `kind` is the ending of the file that it was read from, if there is one here.
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
    about = _about(shown, copies, start, end) + _superseded(newer) + _asking(shown, address, start, end, kind)
    about += f'<p class="note" role="note">{escape(note)}</p>' if note else ""
    return _page(shown, about, body + escape(text[at:]), address=address)


def kept_words(shown: Article, words: str, *, number: int | None, gone: bool) -> str:
    """In place of an article that changed or vanished: the words that were quoted, and what happened."""
    note = f'<p class="note" role="note">△ {GONE if gone else CHANGED}</p>'
    return _page(shown, _about(shown, (), 0, 0, words) + note, _mark(words, number))


def page(shown: Article, picture: Picture, *, start: int = 0, end: int = 0) -> str:
    """A page of the PDF that the article was read from, with `shown.text[start:end]` marked on it."""
    place = {"article": shown.id, "start": start, "end": end}
    number, of = picture.page, picture.pages
    turns = [
        button("showpage", text, **place, page=to)
        for text, to in (("Page before", number - 1), ("Next page", number + 1))
        if 1 <= to <= of
    ]
    text = button("open", "Show the text", **place)
    tools = f'<p class="tools">{text}{"".join(turns)}{_opened(shown.id, "Open the PDF ↗", number)}</p>'
    label = f"Page {number} of {of}"
    if picture.label != str(number):
        label += f", numbered <bdi>{escape(picture.label)}</bdi>"
    note = f'<p class="note" role="note">△ {escape(picture.missing)}</p>' if picture.missing and end > start else ""
    marked = "; the quoted words are marked" if picture.boxes else ""
    boxes = "".join(_box(box, is_first=not place) for place, box in enumerate(picture.boxes))
    drawn = (
        f'<figure class="leaf" style="aspect-ratio: {picture.width} / {picture.height}">'
        f'<img src="{escape(links.picture(shown.id, number))}" width="{picture.width}" height="{picture.height}" '
        f'alt="Page {number} of {escape(shown.headline)}{marked}">{boxes}</figure>'
    )
    about = _about(shown, (), start, end) + tools + f'<p class="origin">{label}</p>{note}'
    return _page(shown, about, drawn, address=links.article(shown.id, start, end), name="Page of the original")


def _box(box: Box, *, is_first: bool) -> str:
    """Words on a picture: "here" is where the page scrolls to."""
    place = f"left:{box.left:.3%};top:{box.top:.3%};width:{box.width:.3%};height:{box.height:.3%}"
    return f'<span class="words"{" id=here" if is_first else ""} aria-hidden="true" style="{place}"></span>'


def _page(shown: Article, about: str, body: str, *, address: str = "", name: str = "Text") -> str:
    close = button("close", "Close", classes="act close")
    named = f' data-address="{escape(address)}"' if address else ""
    return (
        f'<article class="reading" role="dialog" aria-label="Article" tabindex="-1"{named}><header><h2>'
        f"<bdi>{escape(shown.headline)}</bdi></h2>{close}</header>{about}"
        f'<div class="body" dir="auto" tabindex="0" role="region" aria-label="{name}">{body}</div></article>'
    )


def _about(shown: Article, copies: Sequence[Article], start: int, end: int, words: str = "") -> str:
    place = shown.place_of(start, end) if end > start else None
    known = [part for part in (shown.source, day(shown.published), shown.author, place) if part]
    parts = [f"<bdi>{escape(part)}</bdi>" for part in known]
    outside = link(
        shown.url, "Original ↗", words or shown.text[start:end], shown.page_of(start) if end > start else None
    )
    lines = [" · ".join([*parts, outside] if outside else parts)]
    others = also_in(shown, copies)
    if others:
        lines.append("also in " + " · ".join(f"<bdi>{escape(one)}</bdi>" for one in others))
    return "".join(f'<p class="origin">{line}</p>' for line in lines if line)


def _asking(shown: Article, address: str, start: int, end: int, kind: str | None) -> str:
    """What can be asked about the article, its address, and its original, as far as that can be shown."""
    summarize = button("summarize", "Summarise this article", article=shown.id)
    ask = button("about", "Ask about this article", article=shown.id)
    original = ""
    if kind in PDF:
        original = button("showpage", "Show the page", article=shown.id, start=start, end=end)
        original += _opened(shown.id, "Open the PDF ↗", shown.page_of(start) if end > start else None)
    elif kind in SAVED:
        original = _opened(shown.id, "The page as it was saved ↗")
    return f'<p class="tools">{original}{summarize}{ask}{links.copied(address)}</p>'


def _opened(article_id: str, text: str, number: int | None = None) -> str:
    """A link to the file that the article was read from."""
    address = escape(links.original(article_id, number))
    return f'<a class="act" href="{address}" target="_blank" rel="noopener noreferrer">{text}</a>'


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
