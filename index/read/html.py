"""HTML page → Draft. The only file that imports trafilatura and readability.

The page is parsed once. Two extractors read it, each with its own blind spots: readability follows the structure
and misses tables and texts in pieces, trafilatura finds those and now and then takes the whole page along.
"""

from __future__ import annotations

import logging
import re
from copy import deepcopy
from dataclasses import replace
from functools import cache
from typing import Any

from index.errors import ReadError
from index.read import markup, metadata, transcript, wall
from index.read.charset import decode
from index.read.clean import strip_furniture, tidy
from index.read.draft import Draft

MORE_SHARE = 1.05
MORE_SHARE_MOST = 2.5
"""The second extractor is believed when it finds this much more text than the first, and no more than this: a
twentieth is noise, and beyond 2.5 times it took the page for the article (chosen on the pages of
docs/experiments.md)."""
KEPT_SHARE = 0.9
"""… and if it has at least this share of the words of the first."""

_CHARSET = re.compile(
    rb"(?:<meta[^>]{0,200}?charset|<\?xml[^>]{0,100}?encoding)\s*=\s*[\"']?\s*([\w.:-]{1,40})", re.IGNORECASE
)
_HIDDEN = (
    "//*[@hidden or @aria-hidden='true' or contains(translate(@style, ' ', ''), 'display:none') "
    "or contains(translate(@style, ' ', ''), 'visibility:hidden')"
    # Beside the page, where only programs read it; set in no size, and nothing within it in another.
    " or (contains(translate(@style, ' ', ''), 'position:absolute') "
    "and contains(translate(@style, ' ', ''), 'left:-9'))"
    " or ((contains(concat(translate(@style, ' ', ''), ';'), 'font-size:0;') "
    "or contains(translate(@style, ' ', ''), 'font-size:0px')) and not(.//*[@style or @class]))"
    "][not(self::html or self::body)]"
)
HIDDEN_SHARE = 0.5
"""A style sheet is believed when it hides no more of the letters of a page."""
SHEET_CHARS = 512 * 1024
"""How much of a page's style sheets is read."""
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_AT_RULE = re.compile(r"@[^{};]*+(?:;|\{(?:[^{}]*+\{[^{}]*+\})*+[^{}]*+\})")
_RULE = re.compile(r"([^{}]++)\{([^{}]*+)\}")
_SIMPLE = re.compile(r"[a-z0-9]*([.#][\w-]+)", re.IGNORECASE)
_SHOWS = re.compile(r"(?:^|[;\s])(?:display|visibility)\s*:\s*([\w-]+)", re.IGNORECASE)
_COMMENTS = re.compile(
    r"(?:^|\s)(?:comments?|comment-?list|comments-(?:area|section)|respond|disqus_thread)(?:\s|$)", re.IGNORECASE
)


def parse(content: bytes, *, charset: str | None = None, address: str | None = None) -> Draft:
    """The article on the page, and what the page declares about itself.

    `charset` is that of the server's or the mail's header, `address` where the page was fetched. What is spoken in a
    recording on the page follows its text. Raises ReadError for a page that cannot be parsed, and for a fetched one
    that shows something else in the place of its article (wall.py).
    """
    page = decode(content, declared=charset or _declared_charset(content))
    try:
        tree = markup.parse_tree(page)
        if tree is None:
            return Draft("", "")
        transcripts = metadata.transcripts(tree)
        draft = metadata.declared(tree, address=address)
        text = article_text(deepcopy(tree) if address else tree)
        if address:
            drop_hidden(tree)
            wall.check(tree, text, address=address)
        for spoken in transcripts:
            text = transcript.together(text, spoken)
        return replace(draft, text=text)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError, AssertionError) as error:
        raise ReadError(
            f"the HTML cannot be parsed ({type(error).__name__}); save the page again, or as text"
        ) from error


def article_text(tree: Any) -> str:
    """The article's text in a page's tree, which is changed; empty if there is none."""
    drop_hidden(tree)
    for element in tree.xpath("//body//*[@id or @class]"):
        if _COMMENTS.search(f"{element.get('id') or ''} {element.get('class') or ''}") and element.tag != "article":
            element.drop_tree()
    first, second = _by_structure(deepcopy(tree)), _by_paragraphs(deepcopy(tree))
    return strip_furniture(tidy(_better(first, second), indented=True))


def drop_hidden(tree: Any) -> None:
    """Take out of the tree what the page itself hides from its readers, by attributes or by its own style sheet."""
    for element in tree.xpath(_HIDDEN):
        element.drop_tree()
    shows = _shown_by_style(tree)
    if False not in shows.values():
        return
    hidden: dict[Any, None] = {}
    for element in tree.xpath("//body//*[@class or @id]"):
        names = (f"#{element.get('id')}", *(f".{name}" for name in (element.get("class") or "").split()))
        says = {shows[name] for name in names if name in shows}
        if says == {False}:
            hidden[element] = None
    outermost = [one for one in hidden if not any(other in hidden for other in one.iterancestors())]
    letters = sum(_letters("".join(one.itertext())) for one in outermost)
    # A page that hides most of itself is shown by its scripts.
    if letters <= HIDDEN_SHARE * _letters("".join(tree.itertext())):
        for element in outermost:
            element.drop_tree()


def _shown_by_style(tree: Any) -> dict[str, bool]:
    """Whether the style sheet in the page shows what has a class or an id, where it says so of that alone: ".note",
    "#menu", "p.note". Rules that hold for some screens only are passed over."""
    sheet = "\n".join(element.text or "" for element in tree.iter("style"))[:SHEET_CHARS]
    shows: dict[str, bool] = {}
    for selectors, declared in _RULE.findall(_AT_RULE.sub("", _COMMENT.sub("", sheet))):
        said = _SHOWS.findall(declared)
        for selector in selectors.split(",") if said else ():
            if (name := _SIMPLE.fullmatch(selector.strip())) is not None:
                shows[name[1]] = said[-1].lower() not in ("none", "hidden")
    return shows


def _better(first: str, second: str) -> str:
    if not _letters(first):
        return second
    share = _letters(second) / _letters(first)
    if not MORE_SHARE <= share <= MORE_SHARE_MOST:
        return first
    words = set(re.findall(r"\w+", first))
    return second if len(words & set(re.findall(r"\w+", second))) >= KEPT_SHARE * len(words) else first


def _by_structure(tree: Any) -> str:
    try:
        summary: str = _reader()(tree).summary()
    except Exception:  # noqa: BLE001 - it raises what it likes, and there is a second reader
        return ""
    return summary


@cache
def _reader() -> Any:
    from readability import Document

    logging.getLogger("readability").setLevel(logging.CRITICAL)

    class Reader(Document):  # type: ignore[misc]
        """Gives text where Document gives markup, and keeps lists and tables without links however short."""

        def get_clean_html(self) -> str:
            return markup.text_of(self.html)

        def get_preserved_elements(self, node: Any) -> dict[Any, bool]:
            plain = node.xpath(".//*[self::ul or self::table][not(.//a or .//input or .//img)]")
            kept: dict[Any, bool] = super().get_preserved_elements(node)
            return kept | dict.fromkeys(plain, True)

    return Reader


def _by_paragraphs(tree: Any) -> str:
    import trafilatura

    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)
    found = trafilatura.bare_extraction(tree, include_comments=False, favor_recall=True)
    return "" if found is None or found.body is None else markup.text_of(found.body)


def _declared_charset(content: bytes) -> str | None:
    match = _CHARSET.search(content[:4096])
    return None if match is None else match[1].decode("ascii", "ignore")


def _letters(text: str) -> int:
    return sum(character.isalnum() for character in text)
