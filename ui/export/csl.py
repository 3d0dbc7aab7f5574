"""Cited articles → CSL-JSON, the format of citation processors. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ui.export.works import Name, Work

_KINDS = {"newspaper": "article-newspaper", "web page": "webpage", "document": "document"}


def render(works: Iterable[Work]) -> str:
    """A list with an item for each article."""
    return json.dumps([_item(work) for work in works], indent=2, ensure_ascii=False) + "\n"


def _item(work: Work) -> dict[str, Any]:
    item = {
        "id": work.key,
        "type": _KINDS[work.kind],
        "title": work.title,
        "author": [_name(name) for name in work.authors],
        "container-title": work.outlet,
        "issued": {"date-parts": [list(work.date)]} if work.date else None,
        "page": ", ".join(work.pages).replace("–", "-"),
        "URL": work.url,
        "language": work.language,
    }
    return {name: value for name, value in item.items() if value}


def _name(name: Name) -> dict[str, str]:
    return {"family": name.family, "given": name.given} if name.given else {"literal": name.family}
