"""Briefings → HTML: the list of saved questions. Pure; escapes all but its own words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ui import links
from ui.html.markup import button, count, day, escape
from ui.html.saving import menu

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ui.briefings import Briefing


def briefings(known: Sequence[Briefing]) -> str:
    """The briefings of one owner, with how many of their answers are unread."""
    if not known:
        return '<p class="empty">Save a question here; each run answers it over the articles that were added since.</p>'
    return f'<ul class="rows" aria-label="Briefings">{"".join(map(_briefing, known))}</ul>'


def _briefing(one: Briefing) -> str:
    unread = f" <strong>{count(one.unread, 'unread answer')}</strong>" if one.unread else ""
    ran = f"run on {escape(day(one.ran_at) or '')}" if one.ran_at else "not run yet"
    narrowed = f" · <bdi>{escape(one.operators)}</bdi>" if one.operators else ""
    chosen = f" · {count(len(one.articles), 'chosen article')}" if one.articles else ""
    outcome = f'<p class="origin">{escape(one.outcome)}</p>' if one.outcome else ""
    title = f"<bdi>{escape(one.name)}</bdi>"
    acts = [
        button("brief", "Run", briefing=one.id),
        menu(briefing=one.id),
        links.copied(links.briefing(one.id)),
        button("unbrief", "Remove", briefing=one.id, classes="act sure"),
    ]
    return (
        f'<li><div class="entry">{button("briefed", title, briefing=one.id, classes="title")}{unread}'
        f'<p class="origin">{count(one.entries, "answer")} · {ran}{narrowed}{chosen}</p>{outcome}</div>'
        f"{''.join(acts)}</li>"
    )
