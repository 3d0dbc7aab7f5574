"""Dates that sentences name: how exact, whether derived, and whether they say when what is reported happened."""

from __future__ import annotations

from datetime import date

import pytest

from rag.dates import dates, day_of, span, written

PUBLISHED = date(2022, 10, 20)  # a Thursday


@pytest.mark.parametrize(
    ("sentence", "value"),
    [
        ("She was detained on February 17, 2022.", "2022-02-17"),
        ("It began on the 3rd of March 1998 in Paris.", "1998-03-03"),
        ("Released 2021-05-30 by the court.", "2021-05-30"),
        ("The law passed in October 2013.", "2013-10"),
        ("He came to power in 1981.", "1981"),
    ],
)
def test_a_date_with_a_year_is_as_exact_as_it_is_written(sentence: str, value: str) -> None:
    for published in (None, PUBLISHED):
        (found,) = dates(sentence, published)
        assert (found.value, found.is_derived, found.is_when) == (value, False, True)


@pytest.mark.parametrize(
    ("sentence", "value"),
    [
        ("She resigned yesterday.", "2022-10-19"),
        ("She resigned on Tuesday.", "2022-10-18"),
        ("Officials met Thursday.", "2022-10-20"),
        ("She resigned last Thursday.", "2022-10-13"),
        ("The court will decide on Tuesday.", "2022-10-25"),
        ("They met last week.", "2022-W41"),
        ("Sales fell last month.", "2022-09"),
        ("The plant closed last year.", "2021"),
        ("She was detained on February 17.", "2022-02-17"),
        ("The plant closed on March 3.", "2022-03-03"),
        ("She was arrested in November.", "2021-11"),
        ("It started three days ago.", "2022-10-17"),
    ],
)
def test_a_date_without_a_year_is_derived_from_the_publication(sentence: str, value: str) -> None:
    (found,) = dates(sentence, PUBLISHED)
    assert (found.value, found.is_derived, found.is_when) == (value, True, True)
    assert dates(sentence) == ()


@pytest.mark.parametrize(
    "sentence",
    [
        "She has played there since 2015.",
        "The truce holds until March 21, 2022.",
        "Prices rose after the 2014 revolution.",
        "Police spoke of the March 1st raid.",
        "Mubarak, who came to power in 1981, resigned.",
        "It is the worst quarter since October 2013.",
    ],
)
def test_a_bound_a_name_or_a_subordinate_clause_does_not_say_when_it_happened(sentence: str) -> None:
    assert [found.is_when for found in dates(sentence, PUBLISHED)] == [False]


@pytest.mark.parametrize(
    "sentence",
    ["On Black Friday shops were full.", "It may rain.", "They march on.", "In 2009–10 it fell.", "At $1999 it sold.",
     "On February 30, 2022 nothing was.", "From October 18-20 they met.", "It has 1500 members."],
)  # fmt: skip
def test_what_is_no_single_date_is_not_taken_for_one(sentence: str) -> None:
    assert dates(sentence, PUBLISHED) == ()


def test_the_expression_stands_where_it_says_and_long_hostile_text_is_read_in_one_pass() -> None:
    sentence = "Officials said on Tuesday, October 18, 2022 that talks failed."
    (found,) = dates(sentence, PUBLISHED)
    assert sentence[found.start : found.end] == "October 18, 2022"
    hostile = "on Tuesday, in the end of last mid-" * 20_000 + "will " * 20_000
    assert len(dates(hostile, PUBLISHED)) == 20_000


def test_dates_have_days_and_words() -> None:
    assert span("2022-W42") == (date(2022, 10, 17), date(2022, 10, 23))
    assert span("2022-12") == (date(2022, 12, 1), date(2022, 12, 31))
    assert span("2022") == (date(2022, 1, 1), date(2022, 12, 31))
    assert [written(value) for value in ("2022-10-20", "2022-W42", "2022-10", "2022")] == [
        "20 October 2022", "week of 17 October 2022", "October 2022", "2022",
    ]  # fmt: skip


@pytest.mark.parametrize("published", ["0001-01-01", "9999-12-31", "9999-12-31T23:59:59+00:00"])
def test_a_date_that_marks_an_unknown_day_is_none_and_days_are_not_reckoned_from_it(published: str) -> None:
    assert day_of(published) is None
    for when in ("yesterday", "tomorrow", "next week", "last month", "in December", "on Tuesday"):
        assert dates(f"The dam opened {when}.", day_of(published)) == ()
