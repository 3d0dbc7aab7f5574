"""An article in full → HTML, with the words that an answer rests on marked. Pure; escapes like ui/html/render.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ui.html.markup import button, day, escape, link

if TYPE_CHECKING:
    from collections.abc import Sequence

    from index.article import Article

CHANGED = "The article has changed since this was answered. The words are shown as they were then."
GONE = "The article is no longer among the articles. The words are shown as they were then."


def article(
    shown: Article, *, start: int = 0, end: int = 0, number: int | None = None, copies: Sequence[Article] = ()
) -> str:
    """The whole article; `shown.text[start:end]` is marked and bears the id "here"."""
    text = shown.text
    marked = _mark(text[start:end], number) if end > start else ""
    body = f"{escape(text[:start])}{marked}{escape(text[end:] if end > start else text[start:])}"
    return _page(shown, _about(shown, copies, text[start:end]), body)


def kept_words(shown: Article, words: str, *, number: int | None, gone: bool) -> str:
    """In place of an article that changed or vanished: the words that were quoted, and what happened."""
    note = f'<p class="note" role="note">△ {GONE if gone else CHANGED}</p>'
    return _page(shown, _about(shown, (), words) + note, _mark(words, number))


def _page(shown: Article, about: str, body: str) -> str:
    close = button("close", "Close", classes="act close")
    return (
        f'<article class="reading" role="dialog" aria-label="Article" tabindex="-1"><header><h2>'
        f"<bdi>{escape(shown.headline)}</bdi></h2>{close}</header>{about}"
        f'<div class="body" dir="auto" tabindex="0" role="region" aria-label="Text">{body}</div></article>'
    )


def _about(shown: Article, copies: Sequence[Article], words: str) -> str:
    known = [part for part in (shown.source, day(shown.published), shown.author) if part]
    told = [f"<bdi>{escape(part)}</bdi>" for part in known]
    outside = link(shown.url, "Original ↗", words)
    lines = [" · ".join([*told, outside] if outside else told)]
    if copies:
        lines.append("also in " + " · ".join(f"<bdi>{escape(one.source or one.headline)}</bdi>" for one in copies))
    return "".join(f'<p class="origin">{line}</p>' for line in lines if line)


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
