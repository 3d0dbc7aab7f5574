"""Citing and verifying: pure functions over passages."""

from __future__ import annotations

import pytest

from index.article import Article, Span
from index.hit import Hit
from rag.answer import Source
from rag.grounding import cite, claims

TALKS = (
    "Putin said both countries support the six-party talks, which broke down in 2009. "
    "Abe said he and Putin have agreed to work together. "
    'Brown told the radio that their cooperation "can only go so far."'
)
TRADE = "Trade grew by 12.5 percent to 1,300 million dollars in 2009. Four ports were opened in the north."


def source(number: int, text: str, *, article_id: str = "", around: str = "") -> Source:
    article = Article(article_id or f"a{number}", around + text, source="The Post")
    start = len(around)
    return Source(number, Hit(article, start, start + len(text), 1.0, 0.6, 0.4, Span(start, start + 1)))


SOURCES = (source(1, TALKS, around="A heading nobody cites. "), source(2, TRADE))


def said(claim: str, question: str = "") -> list[str]:
    return [quote.text for quote in cite.align(claim, SOURCES, question=question)]


def test_a_claim_finds_the_sentence_that_says_it() -> None:
    assert said("The six-party talks broke down in 2009.") == [TALKS.split(". ")[0] + "."]


def test_every_quote_is_a_slice_of_its_article() -> None:
    for quote in cite.align("Four ports opened and the talks broke down in 2009.", SOURCES):
        assert quote.article.text[quote.start : quote.end] == quote.text


def test_a_bare_number_is_cited_where_the_question_points() -> None:
    assert said("2009.", "When did the talks break down?")[0].startswith("Putin said")
    assert said("2009.", "In which year did trade grow?")[0].startswith("Trade grew")


@pytest.mark.parametrize(
    "aside",
    [
        "READ MORE: Griner begins nine-year sentence in Russia",
        "Live updates: Griner begins nine-year sentence in Russia.",
    ],
)
def test_a_link_to_another_story_is_quoted_only_where_no_sentence_says_it(aside: str) -> None:
    sentence = "Griner is in Russia to begin her sentence of nine years."
    claim = "Griner begins her nine-year sentence in Russia."
    (quote,) = cite.align(claim, [source(1, f"{aside}\n\n{sentence}")])
    assert quote.text == sentence
    (quote,) = cite.align(claim, [source(1, f"{aside}\n\nThe weather is fine.")])
    assert quote.text == aside


def test_a_claim_that_rests_on_two_places_gets_both() -> None:
    quotes = said("Trade grew by 12.5 percent, and Abe and Putin agreed to work together.")
    assert {quote.split()[0] for quote in quotes} == {"Trade", "Abe"}


def test_a_further_quote_must_tell_what_neither_the_question_nor_the_first_says() -> None:
    text = "Robert led the Normans to Scotland. Edgar Atheling was crowned by them there."
    claim, question = "Robert's son was Edgar Atheling.", "Who was Robert's son?"
    (answer,) = cite.align(claim, [source(1, text)], question=question)
    assert answer.text.startswith("Edgar")
    assert len(cite.align(claim, [source(1, text)])) == 2


def test_a_number_is_quoted_though_the_question_has_it() -> None:
    claim = "In 2009 Abe and Putin agreed to work together."
    quotes = said(claim, "What did they agree on in 2009?")
    assert len(quotes) == 2
    assert any("2009" in quote for quote in quotes)


@pytest.mark.parametrize("claim", ["Penguins live in Antarctica.", "Yes.", "...", ""])
def test_what_no_passage_says_is_not_cited(claim: str) -> None:
    assert said(claim) == []


@pytest.mark.parametrize(
    ("claim", "carried"),
    [
        ("The talks broke down in 2009.", True),
        ("The talks broke down in 2010.", False),
        ("Trade grew by 12.5 percent to 1300 million dollars.", True),
        ("Trade grew by 13.5 percent.", False),
        ("4 ports were opened.", True),
        ('Brown said that it "can only go so far".', True),
        ('Brown said that it "can go very far".', False),
        ("Abe visited Madrid with a delegation of bankers.", False),
        ("Trump said both countries support the six-party talks.", False),
        ("Both countries and Donald Trump support the six-party talks.", False),
    ],
)
def test_a_claim_is_cited_when_its_quotes_carry_it(claim: str, carried: bool) -> None:
    (checked,) = claims.check("What of the talks and of Trump?", [claim], SOURCES)
    assert checked.supported is carried
    assert bool(checked.citations) is carried
