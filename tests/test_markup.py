"""Markup: superscripts, ruby and tables of a page, as they are read."""

from __future__ import annotations

import pytest

from index.read import markup


def text_of(html: str) -> str:
    return markup.text_of(markup.parse_tree(html))


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("broke down in 2009<sup>1</sup>. Then", "broke down in 2009. Then"),
        ("cost $4 million<sup id=r2><a href=#fn2>2</a></sup> and", "cost $4 million and"),
        ("in 2012<sup>3,4</sup> by", "in 2012 by"),
        ("in 2012<sup>[3]</sup><sup>[4]</sup> by", "in 2012 by"),
        ("the year 2009<a href='#n1'><sup>1</sup></a>, when", "the year 2009, when"),
        ("the year 2009<a class=footnote-ref href='#fn1'>1</a>, when", "the year 2009, when"),
        ("in 2009 <sup>1</sup>. Then", "in 2009. Then"),
        ("of <b>2009</b><sup>*</sup> and", "of 2009 and"),
        ("it <i>ended</i>.<sup>12</sup> Next", "it ended. Next"),
        ("5%<sup>7</sup> of $4.5<sup>2</sup> million", "5% of $4.5 million"),
        ("<sup>1</sup> See the report. <a href='#r1'>\u21a9</a>", "1 See the report."),
        (
            "10<sup>6</sup> and 1.5\u00d710<sup>24</sup> and 10<sup>-3</sup>",
            "10\u2076 and 1.5\u00d710\u00b2\u2074 and 10\u207b\u00b3",
        ),
        ("5 m<sup>2</sup>, 5 km<sup>2</sup>, 5 miles<sup>2</sup>", "5 m\u00b2, 5 km\u00b2, 5 miles\u00b2"),
        ("x<sup>2</sup> and (x+1)<sup>2</sup> and 2<sup>n</sup>", "x\u00b2 and (x+1)\u00b2 and 2\u207f"),
        ("the 5<sup>th</sup>, 1<sup>er</sup>, n<sup>o</sup> 7, M<sup>me</sup> Curie", "the 5th, 1er, no 7, Mme Curie"),
        (
            "<sup>14</sup>C of Brand<sup>TM</sup>, 1 <sup>1</sup>/<sub>2</sub>, H<sub>2</sub>O",
            "\u00b9\u2074C of Brand\u2122, 1 1/2, H2O",
        ),
        ("only $19<sup>99</sup>", "only $19.99"),
        ("<ruby>\u6771\u4eac<rp>(</rp><rt>\u3068\u3046</rt><rp>)</rp></ruby>\u306f", "\u6771\u4eac\u306f"),
    ],
)
def test_a_footnote_mark_runs_into_nothing_and_an_exponent_stays(html: str, text: str) -> None:
    assert text_of(f"<p>{html}</p>") == text


@pytest.mark.parametrize(
    ("html", "text"),
    [
        (
            "<caption>Regions</caption><thead><tr><th>Region<th>People</thead><tr><td>North<td>12<tr><td>South<td>34",
            "Regions\n\nRegion: North; People: 12\n\nRegion: South; People: 34",
        ),
        ("<tr><td>Region<td>People<tr><td>North<td>12", "Region: North; People: 12"),
        ("<tr><td><b>Region</b><td><b>Mayor</b><tr><td>North<td>Ada", "Region: North; Mayor: Ada"),
        ("<tr><th>Capital<td>Oslo<tr><th>Area<td>454 km<sup>2</sup>", "Capital: Oslo\n\nArea: 454 km\u00b2"),
        (
            "<tr><th rowspan=2>Region<th colspan=2>2019<tr><th>Men<th>Women"
            "<tr><td rowspan=2>North<td>1<td>2<tr><td>3<td>4",
            "Region: North; 2019 Men: 1; 2019 Women: 2\n\nRegion: North; 2019 Men: 3; 2019 Women: 4",
        ),
        (
            "<tr><th colspan=3>People<tr><td><td>2019<td>2020<tr><td>Oslo<td>5<td>6",
            "People\n\nOslo; 2019: 5; 2020: 6",
        ),
        (
            "<tr><th colspan=2>Oslo<tr><th>Country<td>Norway<tr><th colspan=2>Weather<tr><th>Rain<td>80 mm",
            "Oslo\n\nCountry: Norway\n\nWeather\n\nRain: 80 mm",
        ),
        ("<tr><td>x<td>y<tr><td>z<td>w", "x | y\n\nz | w"),
        ("<tr><td><p>One block.</p><tr><td><p>Another.</p>", "One block.\nAnother."),
        ("<tr><td colspan=99999999>a<td>b<tr><td>c<td>d", "a | b\n\nc | d"),
    ],
)
def test_rows_of_data_name_their_columns_and_layout_stays_prose(html: str, text: str) -> None:
    assert text_of(f"<table>{html}</table>") == text
