"""Rows → HTML: answers about the collection, such as a timeline, a list of articles or a comparison. Pure; escapes like
ui/html/render.py.

Each kind has its own shape: a timeline is a line with its dates, a comparison stands side by side (one below the other
on a phone), everything else is a list. The text before the rows stands above them. How a claim and its citations look
is handed in, so that it is the same as in every other answer.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rag.dates import written
from rag.overview.summary import LENGTHS
from ui.html.markup import button, count, escape

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from index.mentions import Sort
    from rag.answer import Answer, Claim, Section

    Claims = Callable[[Claim, int], str]
    """A claim and its number in the answer → HTML."""

SHAPES = {"timeline": "timeline", "comparison": "sides"}
"""Kind of answer → class of its list, where that is not "found"."""
ROWS_A_PAGE = 20
"""How many rows "Show more" adds: what one looks through without losing the place."""
MOST_BARS = 24
"""Bars of a chart that are shown at once: the months of two years."""
ORDERS: Mapping[str, Sort] = {"Best match": "relevance", "Newest first": "newest", "Oldest first": "oldest"}
"""The orders of a list, by the words on their buttons."""
ISO_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")
"""What `datetime` may hold: a year, a month or a day, as in 2022-10-20."""


def answer(answered: Answer, claim: Claims, exchange_number: int) -> str:
    """Lead, rows, and how many more there are."""
    numbers = {(one.start, one.end): number for number, one in enumerate(answered.claims, start=1)}
    rows = [
        (_heading(section, answered.kind, exchange_number), _claims(section, claim, numbers))
        for section in answered.sections
    ]
    above = f'<p class="text">{escape(answered.caption)}</p>' if answered.caption else ""
    charts = "".join(chart(dimension, counts) for dimension, counts in answered.counts.items())
    return f"{above}{charts}{_list(answered.kind, rows)}{_more(answered, exchange_number)}"


def found(kind: str, sections: Sequence[Section]) -> str:
    """Rows that were found so far, while others are looked for; they lead nowhere yet."""
    rows = [(_plain(section), f'<p class="text">{escape(_text(section))}</p>') for section in sections]
    return f'{_list(kind, rows)}<p class="text waiting">Looking for more…</p>'


def chart(dimension: str, counts: Mapping[str, int]) -> str:
    """Numbers of articles by outlet, day, month or year as bars, each with its number; beyond MOST_BARS, folded."""
    most = max(counts.values(), default=1)
    bars = [_bar(dimension, name, number, most) for name, number in counts.items()]
    title = f"Articles by {escape(dimension)}"
    table = f'<table class="chart"><caption>{title}</caption><tbody>{"".join(bars[:MOST_BARS])}</tbody></table>'
    if len(bars) <= MOST_BARS:
        return table
    rest = "".join(bars[MOST_BARS:])
    return (
        f'{table}<details class="more-bars"><summary>{count(len(bars) - MOST_BARS, "more row")}</summary>'
        f'<table class="chart" aria-label="{title}, continued"><tbody>{rest}</tbody></table></details>'
    )


def tools(answered: Answer, exchange_number: int, *, sort: Sort, limit: int | None) -> str:
    """What can be done with rows: other lengths of a summary, another order or numbers of a list."""
    groups = []
    if answered.kind == "summary" and answered.sections:
        chosen = limit or len(answered.claims)
        lengths = _group(
            "Length",
            [
                _choice(label, chosen == sentences, exchange_number, limit=sentences)
                for label, sentences in LENGTHS.items()
            ],
        )
        groups.append(lengths)
    if answered.kind in ("list", "count") and len(answered.sections) > 1:
        orders = [_choice(label, sort == order, exchange_number, sort=order) for label, order in ORDERS.items()]
        groups.append(_group("Order", orders))
        numbers = [
            button("ask", f"By {dimension}", question=f"And by {dimension}?", classes="act last")
            for dimension in ("outlet", "month", "year")
            if dimension not in answered.counts
        ]
        groups.append(_group("Count", numbers))
    return f'<div class="row-tools">{"".join(groups)}</div>' if groups else ""


def _group(label: str, buttons: Sequence[str]) -> str:
    if not buttons:
        return ""
    named = f'<span class="note">{label}</span>'  # the order and the length are chosen of the last answer only
    return f'<div class="tools last" role="group" aria-label="{label}">{named}{"".join(buttons)}</div>'


def _choice(label: str, is_chosen: bool, exchange_number: int, **details: object) -> str:
    pressed = button("retry", label, exchange=exchange_number, **details, classes="act last")
    return pressed.replace("<button ", f'<button aria-pressed="{str(is_chosen).lower()}" ', 1)


def _bar(dimension: str, name: str, number: int, most: int) -> str:
    shown = name if dimension == "outlet" else written(name) if ISO_DATE.fullmatch(name) else ""
    shown = shown or ("outlet unknown" if dimension == "outlet" else "no date")
    width = max(round(100 * number / most), 1)
    bar = f'<svg class="bar" width="{width}%" height="10"><rect width="100%" height="10"/></svg>'
    return (
        f'<tr><th scope="row"><bdi>{escape(shown)}</bdi></th><td>{number:,}</td><td aria-hidden="true">{bar}</td></tr>'
    )


def _list(kind: str, rows: Sequence[tuple[str, str]]) -> str:
    shown = "".join(f'<li class="row">{heading}{text}</li>' for heading, text in rows)
    return f'<ol class="answer-rows {SHAPES.get(kind, "found")}">{shown}</ol>'


def _heading(section: Section, kind: str, exchange_number: int) -> str:
    """The heading, which opens the article of the row at its first quote, except where a row is of several articles."""
    citation = next((one for claim in section.claims for one in claim.citations), None)
    if not section.heading or kind == "comparison" or (citation is None and section.article_id is None):
        return _plain(section)
    place = {"article": section.article_id} if citation is None else {"quote": citation.number}
    opened = button("open", _dated(section), exchange=exchange_number, **place, classes="title")
    return f'<h3 class="row-heading">{opened}</h3>'


def _plain(section: Section) -> str:
    return f'<h3 class="row-heading">{_dated(section)}</h3>' if section.heading else ""


def _dated(section: Section) -> str:
    shown = f"<bdi>{escape(section.heading)}</bdi>"
    if section.date is not None and ISO_DATE.fullmatch(section.date):
        shown = f'<time datetime="{section.date}">{shown}</time>'
    return shown


def _text(section: Section) -> str:
    return " ".join(claim.text for claim in section.claims)


def _claims(section: Section, claim: Claims, numbers: dict[tuple[int, int], int]) -> str:
    shown = " ".join(claim(one, numbers.get((one.start, one.end), 0)) for one in section.claims)
    return f'<p class="text">{shown}</p>' if shown else ""


def _more(answered: Answer, exchange_number: int) -> str:
    """A button for the rows that are not shown, if there are any."""
    left_out = (answered.total or 0) - len(answered.sections)
    if left_out <= 0:
        return ""
    label = f"Show {min(left_out, ROWS_A_PAGE)} more"
    limit = len(answered.sections) + ROWS_A_PAGE
    more = button("retry", label, exchange=exchange_number, limit=limit, classes="act last")
    rest = f'<span class="note">{count(len(answered.sections), "row")} of {answered.total:,}</span>'
    return f'<p class="tools">{more} {rest}</p>'
