"""The smallest pieces of HTML: inert text, safe links, buttons, dates and numbers. Pure; escapes all but its own words.

Questions, articles, file names and model output are hostile: they pass through `escape` and land only in element
content or quoted attributes.
"""

from __future__ import annotations

import html
from datetime import date
from urllib.parse import quote as percent
from urllib.parse import urlsplit

FRAGMENT_CHARS = 80
"""Longest quote that a link to the original names whole; of a longer one it names both ends."""


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


def count(number: int, noun: str) -> str:
    """A number with its noun."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def day(published: str | None) -> str | None:
    """A date as people write it."""
    if published is None:
        return None
    try:
        known = date.fromisoformat(published[:10])
    except ValueError:
        return published
    return f"{known.day} {known:%B} {known.year}"


def at_words(url: str | None, quote: str, page: int | None = None) -> str | None:
    """A safe link to the very words of a page, as a text fragment, or to the page of a PDF; see WICG
    scroll-to-text-fragment, and RFC 8118 for PDFs."""
    url = safe_url(url)
    if url and page and "#" not in url and urlsplit(url).path.lower().endswith(".pdf"):
        return f"{url}#page={page}"
    words = " ".join(quote.encode("utf-8", "replace").decode("utf-8").split())
    if url is None or not words:
        return url
    ends = [words]
    if len(words) > FRAGMENT_CHARS:
        parts = words.split()
        ends = [" ".join(parts[:4]), " ".join(parts[-4:])]
    named = ",".join(percent(end, safe="").replace("-", "%2D") for end in ends)
    return f"{url}{'' if '#' in url else '#'}:~:text={named}"


def link(url: str | None, text: str, quote: str = "", page: int | None = None) -> str:
    """`text`, which is HTML made here, linked to the original where its address is known and safe."""
    target = at_words(url, quote, page)
    if target is None:
        return ""
    return f'<a href="{escape(target)}" target="_blank" rel="noopener noreferrer">{text}</a>'


def button(act: str, text: str, **details: object) -> str:
    """A button that the page's script hands on as the event `act` with `details`; `text` is HTML made here."""
    named = {name: value for name, value in details.items() if name != "classes"}
    carried = "".join(f' data-{name}="{escape(str(value))}"' for name, value in named.items())
    classes = escape(str(details.get("classes", "act")))
    return f'<button type="button" class="{classes}" data-act="{act}"{carried}>{text}</button>'
