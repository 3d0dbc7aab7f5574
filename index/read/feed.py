"""RSS and Atom → Drafts, one for each entry. The only file that imports feedparser.

An entry's draft holds what the feed itself gives of the article, often a summary; its key is the entry's identity in
the feed, its url the article to fetch.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any
from urllib.parse import urljoin

from index.errors import ReadError
from index.read import markup
from index.read.clean import strip_furniture, tidy
from index.read.draft import Draft, byline, language_tag, one_line, web_address
from index.read.metadata import web_date

MAX_ENTRIES = 1000
"""With the pause between two requests, so many take eight minutes."""
_ROOT = re.compile(rb"<(?:[\w.-]+:)?(?:rss|feed|rdf)[\s>]", re.IGNORECASE)


def looks_like(content: bytes) -> bool:
    """Whether the first kilobytes have the root element of a feed, and not that of a page."""
    head = content[:4096]
    return bool(_ROOT.search(head)) and b"<html" not in head.lower()


def parse(content: bytes, *, address: str | None = None) -> tuple[Draft, ...]:
    """The entries, newest first as the feed has them. Raises ReadError for what is no feed."""
    import feedparser

    if not looks_like(content):
        raise ReadError("this is no RSS or Atom feed; give the address of the feed itself")
    if b"<!ENTITY" in content:
        raise ReadError("the feed defines entities of its own, which no honest feed does; it is not read")
    headers = {"content-location": address} if address else {}
    # Sanitizing is for those who show the markup; we take the words out of it.
    found = feedparser.parse(content, response_headers=headers, sanitize_html=False)
    outlet, language = one_line(found.feed.get("title")), found.feed.get("language")
    return tuple(
        _draft(entry, address, outlet, language_tag(str(language or ""))) for entry in found.entries[:MAX_ENTRIES]
    )


def _draft(entry: Any, address: str | None, outlet: str | None, language: str | None) -> Draft:
    contents = [item.get("value", "") for item in entry.get("content", ())] or [entry.get("summary", "")]
    text = _words(max(contents, key=len))
    url = _address(entry.get("link"), address)
    identity = str(entry.get("id") or url or hashlib.sha256(text.encode()).hexdigest())
    return Draft(
        identity[:500],
        strip_furniture(text),
        title=one_line(_words(entry.get("title", ""))),
        source=outlet,
        url=url,
        published=web_date(str(entry.get("published", ""))),
        author=byline(entry.get("author")),
        updated=web_date(str(entry.get("updated", ""))),
        language=language,
    )


def _words(markup_or_text: str) -> str:
    if "<" not in markup_or_text and "&" not in markup_or_text:
        return tidy(markup_or_text)
    tree = markup.parse_tree(markup_or_text)
    return "" if tree is None else markup.text_of(tree)


def _address(link: object, base: str | None) -> str | None:
    try:
        return web_address(urljoin(base or "", str(link))) if link else None
    except (ReadError, ValueError):
        return None
