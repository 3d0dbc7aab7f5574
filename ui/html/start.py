"""The start page → HTML: what this is, the library at a glance, and what can be asked. Pure; escapes like
ui/html/lists.py."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ui.html.markup import button, count, day, escape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ui.library import Glance, Row

SENTENCE = "Ask about your articles. Every sentence of an answer points at the exact words it rests on."
NAMED = 4
"""Outlets that are named."""
MOST_BARS = 72
"""Bars of the chart: six years by month; a longer time is drawn by year."""
HEIGHT = 48
BAR, GAP = 8, 2


def page(glance: Glance, questions: Sequence[str], *, can_add: bool) -> str:
    """The start page of a library."""
    head = f'<h2 class="lead">{SENTENCE}</h2>'
    if not glance.articles:
        how = (
            "Drop files here: text, web pages, PDF, Word, EPUB, e-mail or tables. Folders, pages and feeds are added "
            "under Library."
            if can_add
            else "There are no articles yet. An editor can add some under Library."
        )
        return f'<div class="start">{head}<p class="note">{how}</p></div>'
    parts = [head, _numbers(glance), chart(glance.months), _asked(questions), _latest(glance)]
    return f'<div class="start">{"".join(parts)}</div>'


def chart(months: Mapping[str, int]) -> str:
    """How many articles were published in each month, or in each year of a long time."""
    bars = _bars(months)
    if len(bars) < 2:
        return ""
    most = max(bars.values())
    drawn = "".join(
        f'<rect x="{place * (BAR + GAP)}" y="{HEIGHT - _height(number, most)}" width="{BAR}" '
        f'height="{_height(number, most)}"><title>{escape(name)}: {count(number, "article")}</title></rect>'
        for place, (name, number) in enumerate(bars.items())
    )
    first, last = next(iter(bars)), list(bars)[-1]
    width = len(bars) * (BAR + GAP) - GAP
    unit = "year" if len(first) == len("2018") else "month"
    return (
        f'<figure class="months"><svg viewBox="0 0 {width} {HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="Articles by {unit}, from {escape(first)} to {escape(last)}; most in one {unit}: {most:,}">{drawn}'
        f"</svg><figcaption><span>{escape(first)}</span><span>Articles by {unit}</span><span>{escape(last)}</span>"
        "</figcaption></figure>"
    )


def _numbers(glance: Glance) -> str:
    named = ", ".join(f"<bdi>{escape(name)}</bdi>" for name, _ in glance.outlets[:NAMED])
    more = len(glance.outlets) - NAMED
    named += f" and {more:,} more" if more > 0 else ""
    facts = [(f"{glance.articles:,}", "article" if glance.articles == 1 else "articles", "")]
    if glance.outlets:
        facts.append((f"{len(glance.outlets):,}", "outlet" if len(glance.outlets) == 1 else "outlets", named))
    if glance.first and glance.last:
        first, last = escape(day(glance.first) or ""), escape(day(glance.last) or "")
        facts.append((last if first == last else f"{first} – {last}", "published", ""))
    shown = "".join(
        f"<div><dt>{name}{f'<small>{note}</small>' if note else ''}</dt><dd>{value}</dd></div>"
        for value, name, note in facts
    )
    return f'<dl class="glance">{shown}</dl>'


def _latest(glance: Glance) -> str:
    rows = "".join(map(_row, glance.latest))
    return f'<section class="latest"><h3>Added last</h3><ul>{rows}</ul></section>' if rows else ""


def _row(row: Row) -> str:
    known = " · ".join(f"<bdi>{escape(part)}</bdi>" for part in (row.source, day(row.published)) if part)
    opened = button("open", f"<bdi>{escape(row.headline)}</bdi>", article=row.id, classes="title")
    return f'<li>{opened}<p class="origin">{known}</p></li>'


def _asked(questions: Sequence[str]) -> str:
    asked = "".join(f"<li>{button('ask', escape(one), question=one, classes='example')}</li>" for one in questions)
    return f'<section class="examples"><h3>What you can ask</h3><ul>{asked}</ul></section>' if asked else ""


def _bars(months: Mapping[str, int]) -> dict[str, int]:
    """Every month between the first and the last, or every year if these are too many."""
    known = sorted(months)
    if not known:
        return {}
    first, last = (int(month[:4]) * 12 + int(month[5:7]) - 1 for month in (known[0], known[-1]))
    if last - first < MOST_BARS:
        names = [f"{number // 12:04}-{number % 12 + 1:02}" for number in range(first, last + 1)]
        return {name: months.get(name, 0) for name in names}
    years: Counter[str] = Counter()
    for month, number in months.items():
        years[month[:4]] += number
    return {f"{year:04}": years[f"{year:04}"] for year in range(first // 12, last // 12 + 1)[-MOST_BARS:]}


def _height(number: int, most: int) -> int:
    """Of a bar: what there is at all is seen."""
    return max(round(number / most * HEIGHT), 2) if number else 0
