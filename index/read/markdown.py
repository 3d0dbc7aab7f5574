"""Markdown → Draft: the words of the rendered page. The only file that imports markdown_it.

Headings, list items and table rows are lines; a wrapped paragraph is one line; a link is its text; emphasis
marks, images, comments and link targets are gone.
"""

from __future__ import annotations

from html.parser import HTMLParser
from typing import TYPE_CHECKING

from index.read import frontmatter
from index.read.charset import decode
from index.read.clean import tidy
from index.read.draft import Draft, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from markdown_it.token import Token


def parse(content: bytes) -> Draft:
    """The text and front matter in `content`; without a title there, a heading on top gives it.

    Raises ReadError for a `url` or `published` in the front matter that is none.
    """
    from markdown_it import MarkdownIt

    values, body = frontmatter.split(tidy(decode(content), indented=True))
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(body)
    return frontmatter.draft({"title": _first_heading(tokens), **values}, _text(tokens))


def _first_heading(tokens: Sequence[Token]) -> str:
    if len(tokens) > 1 and tokens[0].type == "heading_open" and tokens[0].tag == "h1":
        return one_line(_inline(tokens[1].children or ())) or ""
    return ""


def _text(tokens: Sequence[Token]) -> str:
    return tidy("".join(_pieces(tokens)), indented=True)


def _pieces(tokens: Sequence[Token]) -> Iterator[str]:
    lists: list[int | None] = []  # the next number of each open list, None for bullets
    is_tight = False
    cell = 0
    for token in tokens:
        match token.type:
            case "bullet_list_open":
                lists.append(None)
            case "ordered_list_open":
                lists.append(int(token.attrGet("start") or 1))
            case "bullet_list_close" | "ordered_list_close":
                lists.pop()
                yield "" if lists else "\n"
            case "list_item_open":
                yield "  " * (len(lists) - 1) + _label(lists)
            case "paragraph_open":
                is_tight = token.hidden or bool(lists)
            case "inline":
                yield _inline(token.children or ())
            case "paragraph_close":
                yield "\n" if is_tight else "\n\n"
            case "heading_close" | "table_close":
                yield "\n\n"
            case "fence" | "code_block":
                yield token.content + "\n"
            case "html_block":
                yield _without_tags(token.content) + "\n\n"
            case "tr_open":
                cell = 0
            case "td_open" | "th_open":
                yield " | " if cell else ""
                cell += 1
            case "tr_close":
                yield "\n"


def _label(lists: list[int | None]) -> str:
    number = lists[-1]
    if number is None:
        return "- "
    lists[-1] = number + 1
    return f"{number}. "


def _inline(tokens: Sequence[Token]) -> str:
    pieces = []
    for token in tokens:
        if token.type in ("text", "code_inline", "text_special"):
            pieces.append(token.content)
        elif token.type == "softbreak":
            pieces.append(" ")
        elif token.type == "hardbreak" or (token.type == "html_inline" and token.content[:3].lower() == "<br"):
            pieces.append("\n")
    return "".join(pieces).strip()


class _Words(HTMLParser):
    """Collects the text between tags; scripts and styles are not text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self._hidden = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        if tag in ("script", "style"):
            self._hidden = tag
        elif tag in ("p", "br", "div", "li", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "td", "th"):
            self.words.append("\n" if tag not in ("td", "th") else " ")

    def handle_endtag(self, tag: str) -> None:
        if tag == self._hidden:
            self._hidden = ""

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.words.append(data)


def _without_tags(html: str) -> str:
    parser = _Words()
    parser.feed(html)
    parser.close()
    return tidy("".join(parser.words))
