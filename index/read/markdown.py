"""Markdown → Draft: the words of the rendered page. The only file that imports markdown_it.

Headings, list items and table rows are lines; a wrapped paragraph is one line; a link is its text, also one of
Obsidian ([[Page|words]]); emphasis marks, images, comments, link targets, the signs of callouts and footnotes, and
the shortcodes of site generators are gone.
"""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING

from index.read import fields, frontmatter
from index.read.charset import decode
from index.read.clean import tidy
from index.read.draft import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from markdown_it.token import Token

    from index.read.draft import Draft

_SHORTCODE = re.compile(r"\{\{[<%].{0,500}?[%>]\}\}|\{%.{0,500}?%\}", re.DOTALL)
"""{{< figure src="a.jpg" >}} of Hugo, {% include a.html %} of Jekyll and DEV."""
_EMBED = re.compile(r"!\[\[[^\[\]\n]{0,300}\]\]")
_WIKI_LINK = re.compile(r"\[\[([^\[\]|\n]{0,300})(?:\|([^\[\]\n]{0,300}))?\]\]")
_FOOTNOTE = re.compile(r"(?<=[^\s\[])\[\^[\w-]{1,40}\]|^\[\^[\w-]{1,40}\]:[ \t]*", re.MULTILINE)
_CALLOUT = re.compile(r"\[![\w-]{1,40}(?:\|[^\]\n]{0,80})?\][+-]?[ \t]*")
_COMMENT = re.compile(r"%%.{0,2000}?%%", re.DOTALL)
_BLOCK_ID = re.compile(r"[ \t]\^[A-Za-z0-9-]{1,40}$", re.MULTILINE)
_HIGHLIGHT = re.compile(r"==(?=[^\s=])([^=\n]{1,500})(?<=[^\s=])==")


def parse(content: bytes) -> Draft:
    """The text and front matter in `content`; without a title there, a heading on top gives it."""
    from markdown_it import MarkdownIt

    values, body = frontmatter.split(tidy(decode(content), indented=True))
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(body)
    known = fields.metadata(values)
    return replace(known, id="", text=_text(tokens), title=known.title or _first_heading(tokens) or None)


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
    pieces: list[str] = []
    words: list[str] = []  # up to the next piece of code, in which nothing is a sign
    for token in tokens:
        if token.type == "code_inline":
            pieces += [_plain("".join(words)), token.content]
            words = []
        elif token.type in ("text", "text_special"):
            words.append(token.content)
        elif token.type == "softbreak":
            is_title = not pieces and _CALLOUT.match("".join(words))
            words.append("\n" if is_title and "\n" not in words else " ")
        elif token.type == "hardbreak" or (token.type == "html_inline" and token.content[:3].lower() == "<br"):
            words.append("\n")
    return "".join([*pieces, _plain("".join(words))]).strip()


def _plain(text: str) -> str:
    """Text without what is a sign to Obsidian, to renderers of footnotes, or to a generator of sites."""
    if "[" in text:
        text = _EMBED.sub("", text)
        text = _WIKI_LINK.sub(lambda link: link[2] or link[1].replace("#", " ").strip(), text)
        text = _CALLOUT.sub("", _FOOTNOTE.sub("", text), count=1) if text.startswith("[!") else _FOOTNOTE.sub("", text)
    if "{" in text:
        text = _SHORTCODE.sub("", text)
    if "%%" in text:
        text = _COMMENT.sub("", text)
    return _HIGHLIGHT.sub(r"\1", _BLOCK_ID.sub("", text))


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
