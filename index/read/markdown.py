"""Markdown → Draft: the words of the rendered page. The only file that imports markdown_it.

Headings and list items are lines; a table row names its columns; a wrapped paragraph is one line; a link is its text,
also one of Obsidian ([[Page|words]]). Emphasis marks, images, comments, link targets, the signs of callouts and
footnotes, and the shortcodes of site generators are gone.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from index.read import fields, frontmatter, markup, raised, table
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
_FOOTNOTE = re.compile(r"(?<=[^\s\[])\[\^[\w-]{1,40}\]|(?:^|(?<=\s))\[\^[\w-]{1,40}\]:[ \t]*", re.MULTILINE)
_CALLOUT = re.compile(r"\[![\w-]{1,40}(?:\|[^\]\n]{0,80})?\][+-]?[ \t]*")
_TAG = re.compile(r"</?[a-zA-Z]+")
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
    rows: list[list[str]] | None = None  # those of the table around, the first with the heads
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
            case "table_open":
                rows = []
            case "tr_open" if rows is not None:
                rows.append([])
            case "inline" if rows is not None:
                rows[-1].append(_inline(token.children or ()))
            case "table_close":
                rows = rows or [[]]
                lines = table.lines_of(rows, marked=1) if any(rows[0]) else table.lines_of(rows[1:])
                yield "".join(f"{line}\n\n" for line in lines)
                rows = None
            case "inline":
                yield _inline(token.children or ())
            case "paragraph_close":
                yield "\n" if is_tight else "\n\n"
            case "heading_close":
                yield "\n\n"
            case "fence" | "code_block":
                yield token.content + "\n"
            case "html_block":
                yield _html(token.content) + "\n\n"


def _label(lists: list[int | None]) -> str:
    number = lists[-1]
    if number is None:
        return "- "
    lists[-1] = number + 1
    return f"{number}. "


def _inline(tokens: Sequence[Token]) -> str:
    pieces: list[str] = []
    words: list[str] = []  # up to the next piece of code, in which nothing is a sign
    skipped = ""
    for place, token in enumerate(tokens):
        tag = _TAG.match(token.content) if token.type == "html_inline" else None
        if skipped:
            skipped = "" if tag and tag[0].lower() == f"</{skipped}" else skipped
        elif tag and tag[0].lower() in ("<rt", "<rp"):  # readings of ruby
            skipped = tag[0][1:].lower()
        elif tag and tag[0].lower() == "<sup":
            skipped = "sup"
            words.append(_superscript(tokens[place + 1 :], "".join([*pieces, *words])))
        elif token.type == "code_inline":
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


def _superscript(tokens: Sequence[Token], before: str) -> str:
    """What the superscript that begins with these tokens is read as."""
    ends = (
        place for place, token in enumerate(tokens) if token.type == "html_inline" and "/sup" in token.content.lower()
    )
    end = next(ends, len(tokens))
    mark = "".join(token.content for token in tokens[:end] if token.type in ("text", "text_special"))
    after = "".join(token.content for token in tokens[end + 1 : end + 2] if token.type == "text")
    is_link = any(token.type == "link_open" for token in tokens[:end])
    return raised.read_as(mark, before=before, after=after, is_link=is_link)


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


def _html(block: str) -> str:
    """The words of a block of HTML within the text."""
    tree = markup.parse_tree(block)
    return "" if tree is None else markup.text_of(tree)
