"""Front matter: the `---` block on top of a Markdown file → the few values an article has.

Only `key: value` lines at the left margin are read. That covers what Jekyll, Hugo and Obsidian write, and
no YAML can surprise us: lists, maps, anchors and tags are passed over.
"""

from __future__ import annotations

import re

from index.errors import ReadError
from index.read.draft import Draft, byline, language_tag, one_line, publication_date, web_address
from index.read.metadata import web_date

_BLOCK = re.compile(r"---[ \t]*\n(.*?\n|)(?:---|\.\.\.)[ \t]*(?:\n|$)", re.DOTALL)
_KEY = re.compile(r"([A-Za-z_][\w -]{0,40}?)[ \t]*:(?:[ \t]+(.*)|[ \t]*)$")
_QUOTED = re.compile(r"(?:\"((?:[^\"\\]|\\.)*)\"|'((?:[^']|'')*)')[ \t]*(?:#.*)?")
_NOT_SCALAR = ("[", "{", "&", "*", "!", "%", "@", "`")


def split(text: str) -> tuple[dict[str, str], str]:
    """The values of the block by lower-case key, and the text after it.

    A block that is not closed, or has a line that is neither a key, nor indented, nor a list item, nor a
    comment, is no front matter but text between two rules: then the values are empty and the text is whole.
    """
    block = _BLOCK.match(text)
    if block is None:
        return {}, text
    values: dict[str, str] = {}
    key = ""
    for line in block[1].split("\n"):
        match = _KEY.match(line)
        if match:
            key = match[1].strip().lower()
            values[key] = (match[2] or "").strip()
        elif line[:1] in (" ", "\t") and key:
            values[key] = f"{values[key]} {line.strip()}".strip()
        elif line.strip() and line[0] not in "#-":
            return {}, text
    return {key: _scalar(value) for key, value in values.items()}, text[block.end() :]


def draft(values: dict[str, str], text: str) -> Draft:
    """`text` with the title, source, url and publication date among `values`.

    Raises ReadError for a `url` or `published` that is none. `date` stands in for a missing `published`, as
    blog generators write it, and is ignored if it is not a date.
    """
    return Draft(
        "",
        text,
        title=one_line(values.get("title")),
        source=one_line(values.get("source")),
        url=web_address(values["url"]) if values.get("url") else None,
        published=_published(values),
        author=byline(values.get("author") or values.get("authors")),
        updated=web_date(values.get("updated") or values.get("lastmod") or ""),
        language=language_tag(values.get("language") or values.get("lang") or ""),
    )


def _published(values: dict[str, str]) -> str | None:
    if values.get("published"):
        return publication_date(values["published"])
    try:
        return publication_date(values["date"]) if values.get("date") else None
    except ReadError:
        return None


def _scalar(value: str) -> str:
    quoted = _QUOTED.fullmatch(value)
    if quoted:
        if quoted[1] is not None:
            return re.sub(r"\\(.)", r"\1", quoted[1])
        return quoted[2].replace("''", "'")
    if value.startswith(_NOT_SCALAR):
        return ""
    value = re.sub(r"^[>|][+-]?\s+", "", value)
    value = re.sub(r"(?:^|\s)#.*", "", value).strip()
    return "" if value.casefold() in {"null", "~", ">", "|"} else value
