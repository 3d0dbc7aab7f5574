"""RSS, Atom and JSON Feed → Drafts, one for each entry. The only file that imports feedparser.

An entry's draft holds what the feed itself gives of the article, often a summary; its key is the entry's identity in
the feed, its url the article to fetch. A saved feed is read by the same code, and then the draft is the article.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from index.errors import ReadError
from index.read import markup
from index.read.charset import decode
from index.read.clean import strip_furniture, tidy
from index.read.draft import Draft, LeftOut, byline, language_tag, one_line, web_address
from index.read.metadata import web_date

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_ENTRIES = 1000
"""With the pause between two requests, so many take eight minutes."""
_ROOT = re.compile(rb"<(?:[\w.-]+:)?(?:rss|feed|rdf)[\s>]", re.IGNORECASE)
_JSON_VERSION = re.compile(rb"\"version\"\s*:\s*\"https?:(?:\\?/){2}jsonfeed\.org\\?/version\\?/", re.IGNORECASE)
"""What every JSON Feed says of itself (https://jsonfeed.org/version/1.1)."""
_NO_CHARACTER = re.compile(rb"&#(?:x0*[1-9a-f][0-9a-f]{5,}|0*[1-9]\d{6,});?", re.IGNORECASE)
"""References to characters beyond Unicode (and its last plane, of private use), which feedparser cannot take."""
_NO_ARTICLE = re.compile(r"nav_menu_item|wp_|revision|custom_css|oembed_cache|customize_changeset")
"""Types of the entries of an export of WordPress that only make up its pages."""
_SHORTCODE = re.compile(r"\[/?(?:caption|gallery|embed|audio|video|playlist)\b[^\[\]]{0,500}\]")
"""Shortcodes of WordPress itself, which it puts pictures in the place of."""
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def looks_like(content: bytes) -> bool:
    """Whether the first kilobytes have the root element of a feed, and not that of a page; or it is a JSON Feed."""
    if is_json(content):
        return True
    head = content[:4096].replace(b"\0", b"") if content.startswith(_UTF16) else content[:4096]
    root = _ROOT.search(head)
    return root is not None and b"<html" not in head[: root.start()].lower()


def is_json(content: bytes) -> bool:
    """Whether it is a JSON Feed."""
    head = content[:4096].replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    # The version stands at the top by custom, but may stand anywhere.
    return head.startswith(b"{") and bool(_JSON_VERSION.search(head) or _JSON_VERSION.search(content[-4096:]))


def parse(content: bytes, *, address: str | None = None) -> tuple[Draft | ReadError, ...]:
    """The entries, newest first as the feed has them, and what is left out of a feed without an `address`, a saved one.

    Raises ReadError for what is no feed.
    """
    if not looks_like(content):
        raise ReadError(
            "this is no RSS, Atom or JSON feed; give the address of the feed itself"
            if address
            else "this XML is no RSS or Atom feed, and no other XML is read; save it as text or HTML"
        )
    drafts = _json_entries(content, address) if is_json(content) else _xml_entries(content, address)
    if address is not None:
        return tuple(drafts)
    if not drafts:
        raise ReadError("the feed has no entries; save it again")
    unique: dict[str, Draft] = {}
    for draft in drafts:
        unique.setdefault(draft.id, draft)
    # Feeds of RSS 1.0 and many of Atom date an entry only once.
    dated = [replace(one, published=one.published or one.updated) for one in unique.values()]
    full = [draft for draft in dated if any(map(str.isalnum, draft.text))]
    empty = len(unique) - len(full)
    if not empty:
        return tuple(full)
    return *full, LeftOut(f"{empty} of its {len(unique)} entries, which have no text; add the address of the feed")


def _xml_entries(content: bytes, address: str | None) -> list[Draft]:
    found = _parsed(content, address)
    outlet, language = one_line(_words(found.feed.get("title") or "")), found.feed.get("language")
    entries = [entry for entry in found.entries if not _NO_ARTICLE.match(str(entry.get("wp_post_type") or ""))]
    return [_draft(entry, address, outlet, language_tag(str(language or ""))) for entry in entries[:MAX_ENTRIES]]


def _parsed(content: bytes, address: str | None) -> Any:
    """What feedparser makes of a feed in XML."""
    import feedparser

    if content.startswith(_UTF16):
        content = re.sub(r"<\?xml.*?\?>", "", decode(content), count=1, flags=re.DOTALL).encode("utf-8", "ignore")
    if b"<!ENTITY" in content:
        raise ReadError("the feed defines entities of its own, which no honest feed does; it is not read")
    headers = {"content-location": address} if address else {}
    # Sanitizing is for those who show the markup; we take the words out of it.
    try:
        return feedparser.parse(_NO_CHARACTER.sub(b"", content), response_headers=headers, sanitize_html=False)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, AssertionError) as error:
        raise ReadError(f"the feed is damaged ({type(error).__name__}); save it again") from error


def _json_entries(content: bytes, address: str | None) -> list[Draft]:
    try:
        known = json.loads(decode(content), strict=False)
    except (ValueError, RecursionError) as error:
        raise ReadError(f"the feed is not JSON ({str(error)[:80]}); save it again") from None
    items = known.get("items") if isinstance(known, dict) else None
    if not isinstance(items, list):
        raise ReadError("the feed has no list of items; save it again")
    entries = [item for item in items if isinstance(item, dict)][:MAX_ENTRIES]
    return [_json_draft(entry, known, address) for entry in entries]


def _json_draft(entry: Mapping[str, Any], feed: Mapping[str, Any], address: str | None) -> Draft:
    given = {name: value.strip() for name, value in entry.items() if isinstance(value, str)}
    text = _words(given.get("content_html", "")) or tidy(given.get("content_text", ""))
    text = strip_furniture(text or tidy(given.get("summary", "")))
    url = _address(given.get("url") or given.get("external_url"), address)
    identity = str(entry.get("id") or url or hashlib.sha256(text.encode()).hexdigest())
    named = next((some for some in (entry, feed) if some.get("authors") or some.get("author")), {})
    authors = named.get("authors") or [named.get("author")]
    names = [one["name"] for one in authors if isinstance(one, dict) and isinstance(one.get("name"), str)]
    title = feed.get("title")
    return Draft(
        identity[:500],
        text,
        title=one_line(given.get("title")),
        source=one_line(title if isinstance(title, str) else None),
        url=url,
        published=web_date(given.get("date_published", "")),
        author=byline(", ".join(names)),
        updated=web_date(given.get("date_modified", "")),
        language=language_tag(given.get("language") or str(feed.get("language") or "")),
    )


def transcripts(content: bytes, *, address: str | None = None) -> tuple[Draft, ...]:
    """Where the transcripts of the entries are (podcast:transcript): see index.read.transcript."""
    found = []
    for entry in _parsed(content, address).entries[:MAX_ENTRIES]:
        given = entry.get("podcast_transcript")
        place = _address(given.get("url"), address) if isinstance(given, dict) else None
        if place is not None:
            identity = _draft(entry, address, None, None).id
            found.append(Draft(identity, "transcript", url=place, source=given.get("type")))
    return tuple(found)


def _draft(entry: Any, address: str | None, outlet: str | None, language: str | None) -> Draft:
    contents = [item.get("value", "") for item in entry.get("content", ())] or [entry.get("summary", "")]
    text = max(contents, key=len)
    text = _words(_SHORTCODE.sub("", text) if "wp_post_type" in entry else text)
    url = _address(entry.get("link"), address)
    return Draft(
        str(entry.get("id") or url or hashlib.sha256(text.encode()).hexdigest())[:500],
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
