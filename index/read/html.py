"""HTML page → Draft. The only file that imports trafilatura.

Metadata comes from what the page declares about itself. trafilatura's own dates are not used: where a page
declares none it guesses one from the text, and a date is never invented here.
"""

from __future__ import annotations

import json
import logging
import re
from copy import deepcopy
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from index.clean import tidy
from index.errors import ReadError
from index.read.charset import decode
from index.read.draft import Draft, one_line, publication_date, web_address

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

SHORT_CHARS = 500
"""Below this much text a page is read a second time with thresholds meant for short pages."""

_DATE_NAMES = frozenset(
    (
        "article:published_time",
        "article.published",
        "og:published_time",
        "datepublished",
        "dc.date",
        "dc.date.issued",
        "dcterms.issued",
        "dcterms.created",
        "dcterms.date",
        "citation_publication_date",
        "parsely-pub-date",
        "sailthru.date",
        "pubdate",
        "publishdate",
        "publish-date",
        "publish_date",
        "publication_date",
    )
)
_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]{1,40})", re.IGNORECASE)
_ARTICLE_TYPE = re.compile(r"(?:Article|BlogPosting|Report|Review|LiveBlogPosting)$")
_LIST_LINE = re.compile(r"\s*- ")


def parse(content: bytes) -> Draft:
    """The article on the page: paragraphs apart by blank lines, list items and table rows by line ends.

    Raises ReadError for a page that no article can be found on.
    """
    page = decode(content, declared=_declared_charset(content))
    try:
        text, (title, source, url), published = _article(page), _metadata(page), _published(page)
    except Exception as error:
        raise ReadError(
            f"the HTML cannot be parsed ({type(error).__name__}); save the page again, or as text"
        ) from error
    return Draft(tidy(text, indented=True), title, source, url, published)


def _declared_charset(content: bytes) -> str | None:
    match = _CHARSET.search(content[:4096])
    if match is None:
        return None
    name = match[1].decode("ascii", "ignore").lower()
    # Browsers read these as Windows-1252 (WHATWG Encoding Standard), and so do the people who declare them.
    return "cp1252" if name in {"iso-8859-1", "latin1", "us-ascii", "ascii"} else name


def _article(page: str) -> str:
    usual = _extract(page)
    if len(usual) >= SHORT_CHARS:
        return _spaced(usual)
    # On short pages the usual thresholds reject the article and fall back to all words, split at every tag.
    short = _extract(page, MIN_EXTRACTED_SIZE="1")
    return _spaced(short if _letters(short) >= 0.8 * _letters(usual) else usual)


def _extract(page: str, **thresholds: str) -> str:
    import trafilatura
    from trafilatura.settings import DEFAULT_CONFIG

    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)  # what it has to say, the ReadError says
    config = deepcopy(DEFAULT_CONFIG)
    for name, value in {"MAX_FILE_SIZE": str(len(page) * 4 + 1), **thresholds}.items():
        config.set("DEFAULT", name, value)
    found = trafilatura.extract(
        page, output_format="txt", include_comments=False, favor_recall=bool(thresholds), config=config
    )
    return found or ""


def _spaced(text: str) -> str:
    """Paragraphs apart by a blank line; consecutive list items or table rows by a line end."""
    pieces: list[str] = []
    kind = ""
    for line in text.split("\n"):
        is_row = line.startswith("|")
        line = line.strip("| ").replace(" |  | ", " | ") if is_row else line
        if not line.strip():
            continue
        previous, kind = kind, "row" if is_row else "item" if _LIST_LINE.match(line) else "paragraph"
        joint = "\n" if kind == previous != "paragraph" else "\n\n"
        pieces += [joint, line]
    return "".join(pieces[1:])


def _letters(text: str) -> int:
    return sum(character.isalnum() for character in text)


def _metadata(page: str) -> tuple[str | None, str | None, str | None]:
    """Title, outlet and address."""
    import trafilatura

    known = trafilatura.extract_metadata(page, extensive=False)
    try:
        url = web_address(known.url) if known.url else None
    except ReadError:
        url = None
    return one_line(known.title), one_line(known.sitename), url


def _published(page: str) -> str | None:
    """The one publication date the page declares; None if it declares none, or several that differ."""
    import trafilatura

    tree = trafilatura.load_html(page, len(page) * 4 + 1)
    if tree is None:
        return None
    for candidates in (_linked_data_dates(tree), _meta_dates(tree), _marked_dates(tree)):
        dates = list(dict.fromkeys(filter(None, map(_date, candidates))))
        if dates:
            return dates[0] if len({date[:10] for date in dates}) == 1 else None
    return None


def _linked_data_dates(tree: Any) -> Iterator[str]:
    for script in tree.iter("script"):
        if "ld+json" not in (script.get("type") or ""):
            continue
        try:
            nodes = json.loads(script.text or "", strict=False)
        except (ValueError, RecursionError):
            continue
        yield from _node_dates(nodes)


def _node_dates(nodes: object) -> Iterator[str]:
    """Of the articles at the top and in a @graph only: deeper ones are comments and other articles."""
    for node in nodes if isinstance(nodes, list) else [nodes]:
        if not isinstance(node, dict):
            continue
        if isinstance(node.get("@graph"), list):
            yield from _node_dates([item for item in node["@graph"] if isinstance(item, dict) and "@graph" not in item])
        types = node.get("@type")
        is_article = any(
            isinstance(kind, str) and _ARTICLE_TYPE.search(kind)
            for kind in (types if isinstance(types, list) else [types])
        )
        if is_article and isinstance(node.get("datePublished"), str):
            yield node["datePublished"]


def _meta_dates(tree: Any) -> Iterator[str]:
    for meta in tree.iter("meta"):
        names = {(meta.get(attribute) or "").strip().lower() for attribute in ("property", "name", "itemprop")}
        if names & _DATE_NAMES:
            yield meta.get("content") or ""


def _marked_dates(tree: Any) -> Iterator[str]:
    for element in tree.xpath("//*[@itemprop='datePublished'] | //time[@pubdate]"):
        yield element.get("datetime") or element.get("content") or ""


def _date(value: str) -> str | None:
    value = value.strip()[:64]
    slashed = re.match(r"(\d{4})/(\d\d?)/(\d\d?)$", value)
    if slashed:
        value = "-".join([slashed[1], slashed[2].zfill(2), slashed[3].zfill(2)])
    try:
        published: str | None = publication_date(value)
    except ReadError:
        published = _mail_date(value)
    # Year 1 and the first second of 1970 are what programs write for "unknown".
    if published is None or published.startswith(("0001-", "1970-01-01")):
        return None
    return published


def _mail_date(value: str) -> str | None:
    """A date as in mail and feeds: "Tue, 31 Mar 2020 02:12:00 GMT"."""
    try:
        found: datetime = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return publication_date(found)
