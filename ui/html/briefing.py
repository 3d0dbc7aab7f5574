"""Briefings → HTML: the list of saved questions. Pure; escapes all but its own words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ui import links
from ui.html.markup import button, count, day, escape
from ui.html.saving import menu

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ui.briefings import Briefing


def briefings(known: Sequence[Briefing], feed: Callable[[str], str] = lambda _: "", of_all: str = "") -> str:
    """The briefings of one owner, with how many of their answers are unread. `feed` gives the address of a briefing's
    feed by its id, and of that of all by `of_all`; "" where there are none."""
    if not known:
        return '<p class="empty">Save a question here; each run answers it over the articles that were added since.</p>'
    whole = feed(of_all)
    below = f'<p class="tools">{links.copied(whole, "Copy the address of the feed of all")}</p>' if whole else ""
    listed = "".join(_briefing(one, feed(one.id)) for one in known)
    return f'<ul class="rows" aria-label="Briefings">{listed}</ul>{below}'


def _briefing(one: Briefing, feed: str) -> str:
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
        links.copied(feed, "Copy feed address") if feed else "",
        button("unbrief", "Remove", briefing=one.id, classes="act sure"),
    ]
    return (
        f'<li><div class="entry">{button("briefed", title, briefing=one.id, classes="title")}{unread}'
        f'<p class="origin">{count(one.entries, "answer")} · {ran}{narrowed}{chosen}</p>{outcome}</div>'
        f"{''.join(acts)}</li>"
    )
