"""The conversations beside the page → HTML: grouped by day, each with the beginning of its last answer. Pure; escapes
like ui/html/lists.py."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING

from ui.html.markup import button, escape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ui.conversations import Summary


def conversations(known: Sequence[Summary], snippets: Mapping[str, str], *, today: date, current: str = "") -> str:
    """The last conversations, newest first; `snippets` are the beginnings of answers by id, `current` is open."""
    if not known:
        return '<p class="empty">Your conversations appear here.</p>'
    groups = "".join(
        f"<section><h2>{escape(name)}</h2><ul>{''.join(_entry(one, snippets, current) for one in some)}</ul></section>"
        for name, some in groupby(known, key=lambda one: _day(one.updated, today))
    )
    return f'<nav aria-label="Conversations">{groups}</nav>'


def _entry(one: Summary, snippets: Mapping[str, str], current: str) -> str:
    title = f"<bdi>{escape(one.title or 'Conversation')}</bdi>"
    snippet = snippets.get(one.id, "")
    shown = f'<span class="snippet"><bdi>{escape(snippet)}</bdi></span>' if snippet else ""
    here = " current" if one.id == current else ""
    return f"<li>{button('reopen', f'{title}{shown}', conversation=one.id, classes=f'title{here}')}</li>"


def _day(updated: str, today: date) -> str:
    """The day of a time in UTC, in the time zone of this machine, as people call it."""
    try:
        when = datetime.fromisoformat(updated).astimezone().date()
    except ValueError:
        return updated
    if when >= today:
        return "Today"
    if when == today - timedelta(days=1):
        return "Yesterday"
    if when > today - timedelta(days=7):
        return f"{when:%A}"
    return f"{when.day} {when:%B} {when.year}"
