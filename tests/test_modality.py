"""What is meant, asked for or expected is not done."""

from __future__ import annotations

import pytest

from rag.grounding.modality import unrealized
from rag.grounding.support import FAILED, SUPPORTED, Pair, probability


@pytest.mark.parametrize(
    ("claim", "quote"),
    [
        ("The party formed a government.", "The party pledged to form a government after the vote."),
        ("The mayor stepped down.", "The head of the council urged the mayor to step down at once."),
        ("Zorb Motors bought the harbor works.", "Zorb Motors agreed to buy the harbor works."),
        ("The report was published on Monday.", "The report is expected to be published on Monday."),
        ("The women were placed under house arrest.", "The women are to be placed under house arrest."),
        ("The company launched the game.", "The company will soon launch the game."),
        ("The bank raised its rates.", "Analysts said that the bank may have raised its rates."),
    ],
)
def test_a_deed_that_is_only_meant_in_every_quote_is_not_said_to_be_done(claim: str, quote: str) -> None:
    assert unrealized(claim, [quote])
    assert probability(Pair(claim, (quote,), quote)) <= FAILED


@pytest.mark.parametrize(
    ("claim", "quote"),
    [
        ("The party pledged to form a government.", "The party pledged to form a government after the vote."),
        ("The party will form a government.", "The party pledged to form a government after the vote."),
        ("The council approved the plan.", "The council approved the plan, and will vote to approve it again."),
        ("The proposed law is on hold.", "The council wants to propose the law anew; it is on hold."),
        ("The harbor works were sold.", "The harbor works were sold."),
        ("The mayor managed the harbor.", "The mayor managed to manage the harbor."),
    ],
)
def test_what_is_said_to_be_done_or_meant_as_in_the_quote_is_left_alone(claim: str, quote: str) -> None:
    assert not unrealized(claim, [quote])


def test_one_quote_that_says_it_is_done_is_enough() -> None:
    quotes = ("The party pledged to form a government.", "On Friday the party formed a government.")
    assert not unrealized("The party formed a government.", quotes)
    assert probability(Pair("The party formed a government.", quotes, " ".join(quotes))) > SUPPORTED
