"""Rows of a table as lines that can be quoted alone."""

from __future__ import annotations

import pytest

from index.passage import sentences
from index.read.table import has_head, rows_as_text

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
