"""Rows of a table as lines that can be quoted alone."""

from __future__ import annotations

import pytest

from index.passage import sentences
from index.read.table import has_head, lines_of, rows_as_text

REGIONS = [["Region", "Population", "Area"], ["North", "12", "3.5 km²"], ["South", "", "4 km²"]]


def test_each_row_names_its_columns() -> None:
    assert rows_as_text(REGIONS, has_head=True) == [
        "Region: North; Population: 12; Area: 3.5 km²",
        "Region: South; Area: 4 km²",
    ]
    assert rows_as_text(REGIONS[1:], has_head=False) == ["North | 12 | 3.5 km²", "South | 4 km²"]


def test_rows_apart_by_a_blank_line_are_sentences_of_their_own() -> None:
    rows = [
        ["party", "seats"],
        *([f"the party of the {name}", str(seats)] for name, seats in (("left", 5), ("sea", 9))),
    ]
    text = "\n\n".join(rows_as_text(rows, has_head=True))
    assert [span.of(text) for span in sentences(text)] == text.split("\n\n")


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], []),
        ([["", " "]], []),
        ([["Region", "Population"]], ["Region | Population"]),
        ([["Year:", "Won"], ["2009\n", "3  of 4"]], ["Year: 2009; Won: 3 of 4"]),
        ([["", "2019", "2020"], ["Wheat", "5", "5"]], ["Wheat; 2019: 5; 2020: 5"]),
        ([["a", "b"], ["Europe", ""], ["", "y"]], ["Europe", "b: y"]),
        ([["a", "a"], ["merged", "merged"], ["5", "5"]], ["merged", "a: 5; a: 5"]),
        ([["a"], ["x", "more"]], ["a: x; more"]),
    ],
)
def test_odd_tables_lose_no_cell(rows: list[list[str]], expected: list[str]) -> None:
    assert rows_as_text(rows, has_head=True) == expected


def test_heads_are_recognized_by_the_figures_below_them() -> None:
    assert has_head(REGIONS)
    assert has_head([["", "Price"], ["Bread", "€ 1,200.50"]])
    assert not has_head(REGIONS[1:])
    assert not has_head([["North", "South"], ["sun", "rain"]])
    assert not has_head([["Name", ""], ["x", "1"]])
    assert not has_head([["Only", "one"]])
    assert not has_head([["a", "b"], ["x", "1," * 100_000 + ";"]])  # and at once


YEARS = [["Country", "2019", "2020"], ["Norway", "5.3", "5.4"], ["Chad", "16.1", "1,950"]]
ROWS_OF_YEARS = ["Country: Norway; 2019: 5.3; 2020: 5.4", "Country: Chad; 2019: 16.1; 2020: 1,950"]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (YEARS, ROWS_OF_YEARS),
        ([["Population, in millions", "", ""], *YEARS], ["Population, in millions", *ROWS_OF_YEARS]),
        (
            [["Population in 2020"] * 3, ["of countries"], *YEARS],
            ["Population in 2020", "of countries", *ROWS_OF_YEARS],
        ),
        ([["", "Q2 2020", "Q1 2020"], ["Cars", "90", "80"]], ["Cars; Q2 2020: 90; Q1 2020: 80"]),
        ([["Club", "2018/19", "2019/20"], ["Ajax", "won", ""]], ["Club: Ajax; 2018/19: won"]),
        ([["Item", "Unit", "FY 2021"], ["Sales", "€ m", "1,950"]], ["Item: Sales; Unit: € m; FY 2021: 1,950"]),
        (
            [["", "2019", "", "2020", ""], ["Region", "Men", "Women", "Men", "Women"], ["North", "1", "2", "3", "4"]],
            ["Region: North; 2019 Men: 1; 2019 Women: 2; 2020 Men: 3; 2020 Women: 4"],
        ),
        (
            [["Region", "People", "Area"], ["", "(m)", "(km²)"], ["North", "12", "3"]],
            ["Region: North; People (m): 12; Area (km²): 3"],
        ),
        ([["Aged 0-14", "Aged 15-64"], ["12 %", "70 %"]], ["Aged 0-14: 12 %; Aged 15-64: 70 %"]),
    ],
)
def test_titles_over_a_table_and_heads_of_years_or_in_two_rows_are_seen(
    rows: list[list[str]], expected: list[str]
) -> None:
    assert lines_of(rows) == expected


@pytest.mark.parametrize(
    "rows",
    [
        [["Founded", "1990"], ["Staff", "1200"]],
        [["Alice", "1990", "2010"], ["Bob", "1985", "2012"]],
        [["Boeing 747", "1970", "366"], ["Airbus A380", "2005", "525"]],
        [["Boeing 747", "366 seats", "12"], ["Airbus A380", "525 seats", "13"]],
        [["Event", "12 May 2019"], ["Place", "Oslo"]],
        [["2019", "12"], ["2020", "13"]],
        [["Won", "2019", "2021"], ["Lost", "2020", "2022"]],
    ],
)
def test_a_first_row_of_figures_like_those_below_it_is_no_head(rows: list[list[str]]) -> None:
    assert lines_of(rows) == [" | ".join(row) for row in rows]
