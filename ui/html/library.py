"""The library → HTML beside its rows: pages, what is chosen, tags, and the remembered folders and feeds. Pure; escapes
like ui/html/lists.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from index.edit import TAG_CHARS, VALUE_CHARS
from ui.html.markup import button, count, day, escape

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from index.edit import Edit
    from ui.library import Row

NEAR = 2
"""Pages that are offered on either side of the one that is shown."""
LABELS = {"title": "Title", "source": "Outlet", "published": "Date"}
"""What the fields of an article are called on the page."""


@dataclass(frozen=True, slots=True)
class Source:
    """A remembered folder, page or feed: `key` is what the page sends for it, `read` when it was read last (UTC)."""

    key: str
    name: str
    articles: int
    read: str | None


def pages(current: int, last: int, *, has_more: bool = False) -> str:
    """Buttons for the pages of the list; nothing for a single one. `has_more` if more follow the last known."""
    if last <= 1 and not has_more:
        return ""
    near = {1, last, *range(current - NEAR, current + NEAR + 1)}
    shown = [number for number in sorted(near) if 1 <= number <= last]
    parts, before = [], 0
    for number in shown:
        if number > before + 1:
            parts.append('<span aria-hidden="true">…</span>')
        parts.append(
            f'<span class="act" aria-current="page">{number:,}</span>'
            if number == current
            else button("turn", f'<span class="hidden">Page </span>{number:,}', page=number)
        )
        before = number
    back = button("turn", "Back", page=current - 1) if current > 1 else ""
    on = button("turn", "Next", page=current + 1) if current < last or has_more else ""
    return f'<nav class="pages" aria-label="Pages">{back}{"".join(parts)}{on}</nav>'


def selection(chosen: int, found: int, tags: Collection[str], *, can_edit: bool) -> str:
    """What can be done with the chosen articles, and choosing all that were found."""
    everything = button("chooseall", f"Choose all {found:,}") if found > 1 else ""
    if not chosen:
        return f'<div class="selection">{everything}</div>' if everything else ""
    acts = [button("askchosen", "Ask about them" if chosen > 1 else "Ask about it")]
    if can_edit:
        known = "".join(f'<option value="{escape(one)}">' for one in tags)
        acts.append(
            f'<form data-act="tag" class="line"><label><span class="hidden">Tag</span><input name="tag" required '
            f'maxlength="{TAG_CHARS}" placeholder="tag" list="known-tags"></label>'
            f'<button class="act" name="how" value="tag">Tag</button>'
            f'<button class="act" name="how" value="untag">Untag</button></form>'
            f'<datalist id="known-tags">{known}</datalist>'
        )
        acts.append(button("removechosen", "Remove", classes="act sure"))
    acts.append(button("unchoose", "Clear"))
    return (
        f'<div class="selection" role="group" aria-label="Chosen articles">'
        f"<strong>{count(chosen, 'article')} chosen</strong>{''.join(acts)}{everything}</div>"
    )


def tags(names: Sequence[str]) -> str:
    """The tags of an article."""
    shown = "".join(f'<span class="tag"><bdi>{escape(one)}</bdi></span>' for one in names)
    return f'<span class="tags"><span class="hidden">Tags: </span>{shown}</span>' if names else ""


def narrowing(known: Mapping[str, int], wanted: Collection[str]) -> str:
    """The tags that questions can be narrowed to; those that they are narrowed to are pressed."""
    if not known:
        return ""
    parts = (
        f'<button type="button" class="act" data-act="narrow" data-tag="{escape(one)}" '
        f'aria-pressed="{str(one in wanted).lower()}"><bdi>{escape(one)}</bdi> {number:,}</button>'
        for one, number in known.items()
    )
    return f'<div class="tools" role="group" aria-label="Tags"><span class="note">Tags</span>{"".join(parts)}</div>'


def form(row: Row, names: Sequence[str], edits: Sequence[Edit]) -> str:
    """A form that edits what is known of an article, and brings back what was read."""
    values = {"title": row.title or "", "source": row.source or "", "published": row.published or ""}
    read = {edit.field: edit.read for edit in edits}
    fields = "".join(
        f"<label>{LABELS[name]}{_as_read(read[name]) if name in read else ''}"
        f'<input name="{name}" maxlength="{VALUE_CHARS}" value="{escape(value)}"></label>'
        for name, value in values.items()
    )
    reset = button("correct", "As it was read", article=row.id, reset="all") if edits else ""
    return (
        f'<details class="correct"><summary>Edit</summary><form data-act="correct" data-article="{escape(row.id)}">'
        f'{fields}<label>Tags, with commas between<input name="tags" value="{escape(", ".join(names))}"></label>'
        f'<span class="tools"><button class="act">Save</button>{reset}</span></form></details>'
    )


def sources(known: Sequence[Source]) -> str:
    """The remembered folders and feeds, folded, with what can be done with each."""
    if not known:
        return ""
    lines = "".join(
        f'<li><div class="entry"><bdi>{escape(one.name)}</bdi><p class="origin">{count(one.articles, "article")} · '
        f"{_read(one.read)}</p></div>{button('reread', 'Read now', source=one.key)}"
        f"{button('forget', 'Forget', source=one.key, classes='act sure')}</li>"
        for one in known
    )
    everything = button("reread", "Read all now", source="") if len(known) > 1 else ""
    head = "1 folder, page or feed" if len(known) == 1 else f"{len(known):,} folders, pages and feeds"
    return (
        f'<details class="sources"><summary>{head} to read again</summary>'
        f'<p class="note">What changes in them is read again. One that is forgotten is not; its articles stay.</p>'
        f'<ul class="rows" aria-label="Folders and feeds">{lines}</ul>{everything}</details>'
    )


def _as_read(read: str | None) -> str:
    return f' <span class="note">read: <bdi>{escape(read) if read else "none"}</bdi></span>'


def _read(at: str | None) -> str:
    if at is None:
        return "last read not known"
    return f'last read <time datetime="{escape(at)}">{escape(day(at) or at)}, {escape(at[11:16])} UTC</time>'
