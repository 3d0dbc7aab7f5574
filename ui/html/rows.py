"""Rows → HTML: answers about the collection, such as a timeline, a list of articles or a comparison. Pure; escapes like
ui/html/render.py.

Each kind has its own shape: a timeline is a line with its dates, a comparison stands side by side (one below the other
on a phone), everything else is a list. The text before the rows stands above them. How a claim and its citations look
is handed in, so that it is the same as in every other answer.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ui.html.markup import button, count, escape

if TYPE_CHECKING:
    from collections.abc import Callable

    from rag.answer import Answer, Claim, Section

    Claims = Callable[[Claim, int], str]
    """A claim and its number in the answer → HTML."""

SHAPES = {"timeline": "timeline", "comparison": "sides"}
"""Kind of answer → class of its list, where that is not "found"."""
ROWS_A_PAGE = 20
"""How many rows "Show more" adds: what one looks through without losing the place."""
ISO_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")
"""What `datetime` may hold: a year, a month or a day, as in 2022-10-20."""


def answer(answered: Answer, claim: Claims, exchange_number: int) -> str:
    """Lead, rows, and how many more there are."""
    numbers = {(one.start, one.end): number for number, one in enumerate(answered.claims, start=1)}
    shape = SHAPES.get(answered.kind, "found")
    rows = "".join(
        f'<li class="row">{_heading(section)}{_claims(section, claim, numbers)}</li>' for section in answered.sections
    )
    above = f'<p class="text">{escape(answered.lead)}</p>' if answered.lead else ""
    return f'{above}<ol class="answer-rows {shape}">{rows}</ol>{_more(answered, exchange_number)}'


def _heading(section: Section) -> str:
    if not section.heading:
        return ""
    shown = f"<bdi>{escape(section.heading)}</bdi>"
    if section.date is not None and ISO_DATE.fullmatch(section.date):
        shown = f'<time datetime="{section.date}">{shown}</time>'
    return f'<h3 class="row-heading">{shown}</h3>'


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
