"""Rows of an answer → CSV for a spreadsheet. Prints nothing."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from ui import terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rag import Answer, Citation, Section

COLUMNS = (
    "row", "heading", "date", "headline", "outlet", "published", "mentions", "quote", "url", "article_id", "start",
    "end",
)  # fmt: skip


def render_answer(answer: Answer) -> str:
    """A line for each quote of each row, or of each claim of an answer without rows, below a line of COLUMNS."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([_safe(value) for value in row] for row in _rows(answer))
    return written.getvalue().rstrip("\n")


def _rows(answer: Answer) -> Iterator[list[object]]:
    if not answer.sections:
        for number, claim in enumerate(answer.claims, start=1):
            for citation in claim.citations:
                yield [number, claim.text, citation.published, *_quoted(None, citation)]
    for number, section in enumerate(answer.sections, start=1):
        citations: list[Citation | None] = [citation for claim in section.claims for citation in claim.citations]
        for quoted in citations or (None,):
            yield [number, section.heading, section.date, *_quoted(section, quoted)]


def _quoted(section: Section | None, citation: Citation | None) -> list[object]:
    mentions = None if section is None else section.mentions
    if citation is None:
        return ["", "", "", mentions, "", "", None if section is None else section.article_id, "", ""]
    article = citation.article
    return [
        article.headline, article.source, article.published, mentions, citation.quote, article.url, article.id,
        citation.start, citation.end,
    ]  # fmt: skip


def _safe(value: object) -> object:
    """The value without control characters, and without what a spreadsheet would take for a formula: articles are
    written by strangers. An apostrophe makes it text there (OWASP, "CSV injection")."""
    if not isinstance(value, str):
        return "" if value is None else value
    shown = terminal.clean(value)
    return f"'{shown}" if shown.lstrip()[:1] in ("=", "+", "-", "@") or shown[:1] in ("\t", "\n") else shown
