"""Rows of answers and checks → CSV for a spreadsheet. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ui import terminal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rag import Answer, Check, Citation, Section

COLUMNS = (
    "row", "heading", "date", "headline", "outlet", "published", "mentions", "quote", "url", "article_id", "start",
    "end", "page", "place",
)  # fmt: skip
ASKED = ("question", "asked")
"""What stands before COLUMNS where there are several answers."""
CHECKED = (
    "sentence", "verdict", "support", "note", "headline", "outlet", "published", "quote", "url", "article_id", "start",
    "end", "page", "place",
)  # fmt: skip

Row = Sequence[object]

_FORMULA = frozenset("=+-@＝＋－＠")
"""What a formula begins with; some spreadsheets take the full-width forms as well."""


def render(columns: Sequence[str], rows: Iterable[Row]) -> str:
    """A line for each row below a line of `columns`."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_safe(value) for value in row] for row in rows)
    return written.getvalue()


def of_answer(answer: Answer) -> Iterator[Row]:
    """A row for each quote of each row, or of each claim of an answer without rows; see COLUMNS."""
    if not answer.sections:
        for number, claim in enumerate(answer.claims, start=1):
            for citation in claim.citations:
                yield [number, claim.text, citation.published, *_quoted(None, citation)]
    for number, section in enumerate(answer.sections, start=1):
        citations: list[Citation | None] = [citation for claim in section.claims for citation in claim.citations]
        for quoted in citations or (None,):
            yield [number, section.heading, section.date, *_quoted(section, quoted)]


def of_check(check: Check) -> Iterator[Row]:
    """A row for each quote of each sentence of a draft, one for a sentence without; see CHECKED."""
    for one in check.sentences:
        for citation in one.citations or one.nearest or (None,):
            known = [one.text, str(one.verdict), f"{one.support:.3f}", one.note]
            quoted = _quoted(None, citation)
            yield [*known, *quoted[:3], *quoted[4:]]  # without the number of mentions


def _quoted(section: Section | None, citation: Citation | None) -> list[object]:
    mentions = None if section is None else section.mentions
    if citation is None:
        return ["", "", "", mentions, "", "", None if section is None else section.article_id, "", "", "", ""]
    article = citation.article
    return [
        article.headline, article.source, article.published, mentions, citation.quote, article.url, article.id,
        citation.start, citation.end, citation.page, citation.place,
    ]  # fmt: skip


def _safe(value: object) -> object:
    """The value without control characters, and without what a spreadsheet would take for a formula: articles are
    written by strangers. An apostrophe makes it text there (OWASP, "CSV injection")."""
    if not isinstance(value, str):
        return "" if value is None else value
    shown = terminal.clean(value)
    return f"'{shown}" if shown.lstrip()[:1] in _FORMULA or shown[:1] in ("\t", "\n") else shown
