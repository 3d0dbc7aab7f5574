"""Wall: a fetched page that shows something else in the place of its article: a preview, a consent form, a riddle.

Such a page is fetched well and reads well, and must not be indexed as the article. Signs are what the page declares
(schema.org isAccessibleForFree, article:content_tier), the names of its elements, and how little text there is. Knows
no sentences of any language.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from index.errors import ReadError
from index.read import metadata

if TYPE_CHECKING:
    from collections.abc import Iterator

PREVIEW_WORDS = 200
"""A longer text is no preview, unless the page declares how long the article is."""
PART_WORDS = 20
"""The part for subscribers is not there with fewer: they are a message in its place."""
WHOLE_SHARE = 0.6
"""Of the declared number of words; programs count them in several ways."""
AROUND_SHARE = 0.8
"""An element with so much of the text is around the article, whatever its name."""
CONSENT_WORDS = 250
"""A longer text is no consent form …"""
COOKIE_SHARE = 0.02
"""… and in one so many of the words are cookies or the like."""
RIDDLE_WORDS = 80

_NAMED_WALL = re.compile(
    r"(?:^|[\s_-])(?:(?:pay|reg|subscri(?:be|ption))-?_?wall|subscri(?:ber|ption)s?-?_?(?:only|required|prompt|gate|offer))"
    r"|piano-(?:inline|offer)|[a-z]Pay[Ww]all",
    re.IGNORECASE,
)
_WAY_IN = re.compile(
    r"/(?:subscri\w*|abo(?:s|nne\w*)?|regist\w*|sign-?_?(?:in|up)|log-?_?in|membership|join)(?:[/?.#]|$)", re.IGNORECASE
)
_CONSENT_PLACE = re.compile(
    r"(?:^|[./_-])(?:cookie-?)?(?:eu)?(?:consent|privacy-?gate|gdpr-?(?:wall|gate))(?:[./_?-]|$)"
)
_CONSENT_FORM = re.compile(
    r"onetrust|didomi|usercentrics|cookiebot|qc-cmp|sp_message|iubenda|cmp-?(?:wall|container|banner)|consent",
    re.IGNORECASE,
)
_COOKIE = re.compile(r"cookies?|consent|privacy|partners?|datenschutz|confidentialité|privacidad", re.IGNORECASE)
_RIDDLE = re.compile(r"captcha|cf-challenge|challenge-(?:form|platform|running)|px-captcha", re.IGNORECASE)
_CUT = re.compile(r"(?:\.\.\.|[^.!?。！？।؟\"'”’»」)\]])$")
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+")
"""Chinese and Japanese have no spaces: each of their characters counts."""

PREVIEW = "it shows only a preview: subscription needed; save the whole page from your browser and add the file"
CONSENT = (
    "it shows a consent form and not the article; open it in a browser, agree or refuse, save the page and add the file"
)
RIDDLE = "it asks for a proof that one is no program; open it in a browser, save the page and add the file"


def check(tree: Any, text: str, *, address: str) -> None:
    """Raise ReadError if the page at `address` has something in the place of its article; `text` is what was read."""
    words = len(_WORD.findall(text))
    names = [
        f"{element.get('id') or ''} {element.get('class') or ''}" for element in tree.xpath("//body//*[@id or @class]")
    ]
    nodes = list(metadata.linked_nodes(tree))
    if _is_preview(tree, nodes, text, words):
        raise ReadError(PREVIEW)
    place = urlsplit(address)
    if words < CONSENT_WORDS:
        cookies = len(_COOKIE.findall(text)) >= max(2, COOKIE_SHARE * words)
        is_form = any(map(_CONSENT_FORM.search, names)) or bool(tree.xpath("//form | //button"))
        if _CONSENT_PLACE.search(f"{place.netloc}{place.path}".lower()) or (
            cookies and is_form and not _has_article(nodes)
        ):
            raise ReadError(CONSENT)
    if words < RIDDLE_WORDS and (any(map(_RIDDLE.search, names)) or _has_riddle_script(tree)):
        raise ReadError(RIDDLE)


def _is_preview(tree: Any, nodes: list[dict[str, Any]], text: str, words: int) -> bool:
    articles = [node for node in nodes if metadata.is_article(node)]
    is_locked = any(_is_false(node.get("isAccessibleForFree")) for node in articles)
    parts = [
        part for node in articles for part in _dicts(node.get("hasPart")) if _is_false(part.get("isAccessibleForFree"))
    ]
    tiers = tree.xpath("//meta[@property='article:content_tier' or @name='article:content_tier']/@content")
    is_locked = is_locked or bool(parts) or "locked" in [tier.strip().lower() for tier in tiers]
    if is_locked:
        counts = [int(str(node["wordCount"])) for node in articles if str(node.get("wordCount", "")).isdecimal()]
        if counts and max(counts) > 0:
            return words < WHOLE_SHARE * max(counts)
        return words < PREVIEW_WORDS or _is_part_missing(tree, parts)
    if words >= PREVIEW_WORDS:
        return False
    for element in tree.xpath("//body//*[@id or @class]"):
        if _NAMED_WALL.search(f"{element.get('id') or ''} {element.get('class') or ''}"):
            inside = _words_in(element)
            # The name of a wall may stand at an element around the whole article, which is then there to be read.
            if 0 < inside < AROUND_SHARE * words:
                return True
    links = tree.xpath("(//article | //main)//a/@href")
    return bool(_CUT.search(text.rstrip()[-3:])) and any(map(_WAY_IN.search, links))


def _is_part_missing(tree: Any, parts: list[dict[str, Any]]) -> bool:
    """Whether an element that holds the part for subscribers is declared, and there is none or it is empty."""
    for part in parts:
        selector = part.get("cssSelector")
        if isinstance(selector, str) and re.fullmatch(r"[.#][\w-]+", selector.strip()):
            name, is_id = selector.strip()[1:], selector.strip()[0] == "#"
            path = "//*[@id=$name]" if is_id else "//*[contains(concat(' ', normalize-space(@class), ' '), $name)]"
            found = tree.xpath(path, name=name if is_id else f" {name} ")
            if sum(map(_words_in, found)) < PART_WORDS:
                return True
    return False


def _words_in(element: Any) -> int:
    return len(_WORD.findall(" ".join(element.itertext())))


def _has_article(nodes: list[dict[str, Any]]) -> bool:
    return any(metadata.is_article(node) for node in nodes)


def _has_riddle_script(tree: Any) -> bool:
    return any(_RIDDLE.search(source) for source in tree.xpath("//script/@src | //iframe/@src | //form/@action"))


def _is_false(value: object) -> bool:
    return value is False or (isinstance(value, str) and value.strip().lower().rpartition("/")[2] == "false")


def _dicts(value: object) -> Iterator[dict[str, Any]]:
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, dict):
            yield item
