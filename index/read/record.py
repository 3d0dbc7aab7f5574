"""Record: an object of exported data → Draft: its fields, and its text as the reader of its format finds it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from index.read import fields, html, markdown
from index.read.clean import strip_furniture, tidy

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from index.read.draft import Draft

_PAGE = re.compile(r"<(?:!doctype html|html|body|head)\b", re.IGNORECASE)


def draft(
    known: Mapping[str, Any], *, texts: Iterable[str] = fields.TEXTS, nodes: Mapping[str, Any] | None = None
) -> Draft:
    """The article that an object is; its text is empty if none of `texts` has any. See fields.metadata."""
    name, text = fields.text_of(known, texts)
    return replace(fields.metadata(known, nodes=nodes), text=_plain(text, name))


def _plain(text: str, name: str) -> str:
    if name in ("markdown", "md"):
        return markdown.parse(text.encode("utf-8", "ignore")).text
    if _PAGE.search(text) or name in ("html", "rawhtml"):
        found = html.parse(text.encode("utf-8", "ignore"), charset="utf-8").text
        if any(map(str.isalnum, found)):
            return found
    shown = fields.without_markup(text)
    return strip_furniture(tidy(shown, indented=shown != text))
