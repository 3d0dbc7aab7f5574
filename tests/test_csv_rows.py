"""Answers in rows as CSV and as bars: what a spreadsheet and a terminal are given."""

from __future__ import annotations

import csv
import io

from index import Article
from rag import Answer, Citation, Claim, Section
from rag.overview import Overview, to_answer
from ui import terminal
from ui.export import csv_rows


def render(answered: Answer) -> str:
    return csv_rows.render(csv_rows.COLUMNS, csv_rows.of_answer(answered))


def answer(*articles: Article) -> Answer:
    sections = []
    for number, article in enumerate(articles, start=1):
        quote = Citation(number, article, 0, len(article.text))
        claim = Claim(article.text, 0, len(article.text), (quote,), 1.0, supported=True, verbatim=True)
        sections.append(Section(article.headline, article.published, article.id, (claim,), 2))
    overview = Overview("2 articles mention “it”.", tuple(sections), 2, counts={"outlet": {"BBC": 8, "": 1}})
    return to_answer("q", "list", overview)


def test_rows_are_csv_and_no_formula_is_executed() -> None:
    hostile = Article("b", '=HYPERLINK("http://x"),\n"quoted"', "@SUM(A1)", "-BBC", published="2022-10-01")
    written = render(answer(Article("a", "It is here.", "Plain", "BBC"), hostile))
    first, second = csv.DictReader(io.StringIO(written))
    assert tuple(first) == csv_rows.COLUMNS
    assert first["quote"] == "It is here."
    assert (first["row"], first["mentions"], first["article_id"], first["start"], first["end"]) == (
        "1",
        "2",
        "a",
        "0",
        "11",
    )
    assert second["quote"] == '\'=HYPERLINK("http://x"),\n"quoted"'
    assert second["headline"] == "'@SUM(A1)"
    assert second["outlet"] == "'-BBC"


def test_an_answer_without_rows_has_a_line_for_each_quote_and_a_refusal_none() -> None:
    rows = answer(Article("a", "It is here.", "Plain", "BBC"))
    fact = Answer("q", "It is here.", rows.claims)
    assert [row["quote"] for row in csv.DictReader(io.StringIO(render(fact)))] == ["It is here."]
    assert render(Answer("q", "Nothing.", refused=True)).splitlines() == [",".join(csv_rows.COLUMNS)]


def test_counts_are_bars_below_the_lead() -> None:
    shown = terminal.render_answer(answer(Article("a", "It is here.", "Plain", "BBC")))
    lead, bars, *_ = shown.split("\n\n")
    assert lead == "2 articles mention “it”."
    assert bars.splitlines() == ["By outlet:", f"  BBC       {'█' * 30} 8", f"  not known {'█' * 4} 1"]
