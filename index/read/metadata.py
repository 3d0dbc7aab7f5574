"""Metadata: what a web page declares about itself, in JSON-LD, meta elements, its title and its byline.

A date is taken from a declaration only, never from the text, the address or a clock; several that differ are as
good as none. The order of the declarations and the way a title loses its outlet follow Mozilla's Readability
(Readability.js, _getArticleMetadata and _getArticleTitle, Apache-2.0).
"""

from __future__ import annotations

import json
import re
from collections import deque
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from index.errors import ReadError
from index.read.draft import Draft, byline, language_tag, one_line, publication_date, web_address

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

_TITLES = ("dc:title", "dcterm:title", "dcterms:title", "og:title", "weibo:article:title", "weibo:webpage:title",
           "title", "twitter:title", "parsely-title")  # fmt: skip
_OUTLETS = ("og:site_name", "dc:publisher", "citation_journal_title", "application-name")
_AUTHORS = ("dc:creator", "dcterm:creator", "dcterms:creator", "author", "parsely-author", "article:author",
            "og:article:author", "citation_author", "sailthru:author", "byl")  # fmt: skip
_PUBLISHED = ("article:published_time", "article:published", "og:published_time", "datepublished", "dc:date",
              "dc:date:issued", "dcterms:issued", "dcterms:created", "dcterms:date", "citation_publication_date",
              "parsely-pub-date", "sailthru:date", "pubdate", "publishdate", "publish-date", "publish_date",
              "publication_date")  # fmt: skip
_UPDATED = ("article:modified_time", "og:updated_time", "datemodified", "dcterms:modified", "last-modified")
ARTICLE_TYPE = re.compile(r"(?:Article|BlogPosting|Report|Review|SocialMediaPosting)$")
_BYLINE = re.compile(r"(?:(?:^|[\s_-])(?:[Bb]yline|[Aa]uthors?|writtenby)|[a-z](?:Byline|Author))(?:$|[\s_-])")
_NOT_BYLINE = re.compile(r"follow|bio|comment|avatar|image|photo", re.IGNORECASE)
_NAME = (
    ".//*[contains(@itemprop, 'name') or contains(concat(' ', @rel, ' '), ' author ') "
    "or contains(@class, 'author-name') or contains(@class, 'author-link')]"
)
_SEPARATOR = r"[|\-–—\\/>»]"
BYLINE_CHARS = 100
"""A longer element that is called a byline holds more than names."""


def declared(tree: Any, *, address: str | None = None) -> Draft:
    """A draft without text: everything the page says about itself. `address` is where it was fetched, if it was."""
    metas = _metas(tree)
    nodes = list(_articles(tree))
    published = _linked_dates(nodes, "datePublished"), _named(metas, _PUBLISHED), _marked(tree, "datePublished")
    updated = _linked_dates(nodes, "dateModified"), _named(metas, _UPDATED), _marked(tree, "dateModified")
    title = _linked_title(nodes, _page_title(tree)) or _first(metas, _TITLES) or _title(tree)
    return Draft(
        "",
        "",
        title=one_line(title),
        source=one_line(_linked_name(nodes, "publisher") or _first(metas, _OUTLETS)),
        url=_canonical(tree, metas, address),
        published=_one_date(published),
        author=_author(tree, nodes, metas),
        updated=_one_date(updated),
        language=_language(tree, nodes, metas),
    )


def web_date(value: str) -> str | None:
    """A date as pages and feeds write it, as ISO 8601; None for what is none or means "unknown"."""
    value = value.strip()[:64]
    slashed = re.match(r"(\d{4})/(\d\d?)/(\d\d?)$", value)
    if slashed:
        value = "-".join([slashed[1], slashed[2].zfill(2), slashed[3].zfill(2)])
    try:
        found: str | None = publication_date(value)
    except ReadError:
        found = _mail_date(value)
    # Year 1 and the first second of 1970 are what programs write for "unknown".
    return None if found is None or found.startswith(("0001-", "1970-01-01")) else found


def _mail_date(value: str) -> str | None:
    """A date as in mail and feeds: "Tue, 31 Mar 2020 02:12:00 GMT"."""
    try:
        found: datetime = parsedate_to_datetime(value)
        return publication_date(found)
    except (ValueError, TypeError, IndexError, OverflowError, ReadError):
        return None


def _metas(tree: Any) -> dict[str, list[str]]:
    """Values of the meta elements by lower-case name with ":" between its parts, in document order."""
    found: dict[str, list[str]] = {}
    for meta in tree.iter("meta"):
        content = (meta.get("content") or "").strip()
        names = " ".join((meta.get(attribute) or "") for attribute in ("property", "name", "itemprop", "http-equiv"))
        for name in dict.fromkeys(names.lower().replace(".", ":").split()):
            if content:
                found.setdefault(name, []).append(content)
    return found


def _first(metas: Mapping[str, list[str]], names: Iterable[str]) -> str | None:
    return next((metas[name][0] for name in names if name in metas), None)


def _named(metas: Mapping[str, list[str]], names: Iterable[str]) -> list[str]:
    return [value for name in names for value in metas.get(name, ())]


def _marked(tree: Any, name: str) -> list[str]:
    path = f"//*[not(self::meta)][contains(concat(' ', @itemprop, ' '), ' {name} ')]"
    elements = tree.xpath(path + (" | //time[@pubdate]" if name == "datePublished" else ""))
    return [element.get("datetime") or element.get("content") or "" for element in elements]


def _one_date(candidates: Iterable[Iterable[str]]) -> str | None:
    """The date of the first kind of declaration that gives any; None if that kind gives several days."""
    for values in candidates:
        dates = list(dict.fromkeys(filter(None, map(web_date, values))))
        if dates:
            return dates[0] if len({date[:10] for date in dates}) == 1 else None
    return None


def is_article(node: Mapping[str, Any]) -> bool:
    """Whether a JSON-LD node is an article or the like."""
    return any(isinstance(kind, str) and ARTICLE_TYPE.search(kind) for kind in _listed(node.get("@type")))


def linked_nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """All JSON-LD nodes of a page, those in other nodes too."""
    for linked in _linked(tree):
        waiting: deque[object] = deque([linked])
        while waiting:
            node = waiting.popleft()
            if isinstance(node, dict):
                yield node
                waiting.extend(node.values())
            elif isinstance(node, list):
                waiting.extend(node)


def transcripts(tree: Any) -> list[str]:
    """What is spoken in the recordings of a page, as it declares it (schema.org `transcript`)."""
    found = [node["transcript"] for node in linked_nodes(tree) if isinstance(node.get("transcript"), str)]
    found += [
        " ".join(" ".join(element.itertext()).split()) or element.get("content") or ""
        for element in tree.xpath("//*[contains(concat(' ', @itemprop, ' '), ' transcript ')]")
    ]
    return [text.strip() for text in dict.fromkeys(found) if text.strip()]


def _articles(tree: Any) -> Iterator[dict[str, Any]]:
    """JSON-LD nodes of articles."""
    for linked in _linked(tree):
        yield from _article_nodes(linked)


def _linked(tree: Any) -> Iterator[object]:
    """The JSON-LD of each script of a page that has any."""
    for script in tree.iter("script"):
        if "ld+json" not in (script.get("type") or ""):
            continue
        content = re.sub(r"^\s*<!\[CDATA\[|\]\]>\s*$", "", script.text or "")
        try:
            linked = json.loads(content, strict=False)
        except (ValueError, RecursionError):
            continue
        yield linked


def _article_nodes(nodes: object) -> Iterator[dict[str, Any]]:
    """Those at the top and in a @graph only: deeper ones are comments and other articles."""
    for node in nodes if isinstance(nodes, list) else [nodes]:
        if not isinstance(node, dict):
            continue
        if isinstance(node.get("@graph"), list):
            yield from _article_nodes(
                [item for item in node["@graph"] if isinstance(item, dict) and "@graph" not in item]
            )
        if is_article(node):
            yield node


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _linked_dates(nodes: Iterable[Mapping[str, Any]], key: str) -> list[str]:
    return [node[key] for node in nodes if isinstance(node.get(key), str)]


def _linked_title(nodes: Iterable[Mapping[str, Any]], page_title: str) -> str | None:
    """`headline` or `name`; of two that differ the one that is in the page's title."""
    for node in nodes:
        given = (node[key].strip() for key in ("name", "headline") if isinstance(node.get(key), str))
        names: list[str] = [name for name in given if name]
        if names:
            in_title = [name for name in names if name.casefold() in page_title.casefold()]
            return max(in_title, key=len) if in_title else names[0]
    return None


def _linked_name(nodes: Iterable[Mapping[str, Any]], key: str) -> str | None:
    """Names of the persons or organizations under `key` of the first article that gives any."""
    for node in nodes:
        named = [item.get("name") if isinstance(item, dict) else item for item in _listed(node.get(key))]
        names = [name for item in named for name in _listed(item) if isinstance(name, str)]
        names = [name.strip() for name in names if name.strip() and "://" not in name]
        if names:
            return ", ".join(dict.fromkeys(names))
    return None


def _author(tree: Any, nodes: Iterable[Mapping[str, Any]], metas: Mapping[str, list[str]]) -> str | None:
    given = _linked_name(nodes, "author")
    for name in _AUTHORS:
        if given is None:
            values = [value for value in metas.get(name, ()) if "://" not in value and not value.startswith("@")]
            given = ", ".join(dict.fromkeys(values)) or None
    return byline(given) or byline(_marked_author(tree))


def _marked_author(tree: Any) -> str | None:
    """The text of the first element that is marked as the byline, by rel, itemprop, class or id."""
    body = tree.find("body")
    for element in () if body is None else body.iter():
        if not isinstance(element.tag, str) or element.tag in ("script", "style", "meta", "link", "body"):
            continue
        is_author = "author" in (element.get("rel") or "").split() or "author" in (element.get("itemprop") or "")
        names = f"{element.get('class') or ''} {element.get('id') or ''}"
        if not is_author and (not _BYLINE.search(names) or _NOT_BYLINE.search(names)):
            continue
        inner = element.xpath(_NAME)
        text = " ".join("".join((inner[0] if inner else element).itertext()).split())
        if 0 < len(text) < BYLINE_CHARS:
            return text
    return None


def _page_title(tree: Any) -> str:
    title = tree.find(".//head/title")
    title = tree.find(".//title") if title is None else title
    return "" if title is None else " ".join("".join(title.itertext()).split())


def _title(tree: Any) -> str | None:
    """The page's title without the name of the outlet around it."""
    whole = _page_title(tree)
    title, is_path = whole, False
    separators = list(re.finditer(rf"\s{_SEPARATOR}\s", whole))
    if separators:
        is_path = bool(re.search(r"\s[\\/>»]\s", whole))
        title = whole[: separators[-1].start()]
        if _count(title) < 3:
            title = re.sub(rf"^[^|\-–—\\/>»]*{_SEPARATOR}", "", whole)
    elif ": " in whole:
        title = _after_colon(tree, whole)
    elif len(whole) > 150 or len(whole) < 15:
        headings = tree.findall(".//h1")
        title = " ".join("".join(headings[0].itertext()).split()) if len(headings) == 1 else whole
    title = title.strip()
    words_apart = _count(re.sub(rf"\s{_SEPARATOR}\s", "", whole)) - 1
    if _count(title) <= 4 and (not is_path or _count(title) != words_apart):
        return whole or None
    return title or whole or None


def _after_colon(tree: Any, whole: str) -> str:
    if any(" ".join("".join(heading.itertext()).split()) == whole for heading in tree.iter("h1", "h2")):
        return whole
    title = whole[whole.rindex(":") + 1 :]
    if _count(title) < 3:
        return whole[whole.index(":") + 1 :]
    return whole if _count(whole[: whole.index(":")]) > 5 else title


def _count(text: str) -> int:
    return len(text.split())


def _canonical(tree: Any, metas: Mapping[str, list[str]], address: str | None) -> str | None:
    links = [link.get("href") for link in tree.iter("link") if "canonical" in (link.get("rel") or "").lower().split()]
    for candidate in [*links, *_named(metas, ("og:url",)), address]:
        try:
            if candidate:
                return web_address(urljoin(address or "", candidate.strip()))
        except (ReadError, ValueError):
            continue
    return None


def _language(tree: Any, nodes: Iterable[Mapping[str, Any]], metas: Mapping[str, list[str]]) -> str | None:
    linked = [node["inLanguage"] for node in nodes if isinstance(node.get("inLanguage"), str)]
    html = [element.get("lang") or element.get("xml:lang") or "" for element in (tree, tree.getroottree().getroot())]
    candidates = [*html, *linked, *_named(metas, ("content-language", "og:locale", "dc:language"))]
    return next((tag for tag in map(language_tag, candidates) if tag), None)
