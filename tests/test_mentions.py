"""Mentions: every article with a name, and its exact spans."""

from __future__ import annotations

from pathlib import Path

import pytest

from index import Article, Index, InputError
from index.filters import Filter
from index.mentions import NAME_CHARS, Name
from tests.fakes import BagOfWordsEmbedder


def found(name: str, text: str) -> list[str]:
    return [span.of(text) for span in Name.of(name).find(text)]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("Jeremy Hunt", "jeremy hunt, JEREMY HUNT’S plan; Jeremy Hunting. Hunt", ["jeremy hunt", "JEREMY HUNT"]),
        ("Beyoncé", "Beyonce and BEYONCE\u0301's", ["Beyonce", "BEYONCE\u0301"]),
        ("Strasse", "die Straße", ["Straße"]),
        ("Łódź's", "in Łódź", ["Łódź"]),
        ("six-party talks", "the six party\ntalks, a Six-Party talk", ["six party\ntalks", "Six-Party talk"]),
        ("St. Louis", "in St Louis and St. Louis", ["St Louis", "St. Louis"]),
        ("Paris Texas", "Paris, Texas. In Paris. Texas is far.", ["Paris, Texas"]),
        ("O'Neill", "O’Neill spoke", ["O’Neill"]),
        ("layoffs", "a layoff; layoffs; laid off", ["layoff", "layoffs"]),
        ("resign", "She resigns, resigned, is resigning. Her resignation", ["resigns", "resigned", "resigning"]),
        ("policy", "policies, policy's, police", ["policies", "policy"]),
        ("news", "new news", ["news"]),
        ("Williams", "William; Williams's", ["Williams"]),
        ("the Republicans", "a Republican and Republicans", ["Republican", "Republicans"]),
        ("北京", "他在北京市", ["北京"]),
    ],
)
def test_a_name_is_found_in_any_case_and_form(name: str, text: str, expected: list[str]) -> None:
    assert found(name, text) == expected


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ('"Apple"', "Apple, apple, Apples, Apple's", ["Apple", "Apple"]),
        ("“all about Eve”", "All About Eve; all about Eve", ["all about Eve"]),
        ('"O\'Neill"', "O’Neill", ["O’Neill"]),
    ],
)
def test_in_quotation_marks_it_is_found_as_written(name: str, text: str, expected: list[str]) -> None:
    assert found(name, text) == expected


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("WHO", "Who knows who the WHO is? The W.H.O.'s", ["WHO", "W.H.O."]),
        ("US", "The U.S. told us; US troops", ["U.S.", "US"]),
        ("NATO", "Nato, NATO’s", ["Nato", "NATO"]),
        (
            "WHO",
            "The World Health Organization (WHO) met. The World Health Organization spoke.",
            ["World Health Organization", "WHO", "World Health Organization"],
        ),
        (
            "World Health Organization",
            "The World Health Organization (“WHO”) met. WHO spoke; who?",
            ["World Health Organization", "WHO", "WHO"],
        ),
        ("World Health Organization", "WHO (World Health Organization)", ["WHO", "World Health Organization"]),
        ("World Health Organization", "The World Health Organization (UN) and the UN", ["World Health Organization"]),
    ],
)
def test_an_acronym_is_no_word_and_stands_for_the_long_form_beside_it(
    name: str, text: str, expected: list[str]
) -> None:
    assert found(name, text) == expected


def test_spans_are_those_of_the_text() -> None:
    text = "ﬃ — “Beyoncé” sings; beyonce\u0301 dances."
    assert found("beyonce", text) == ["Beyoncé", "beyonce\u0301"]


@pytest.mark.parametrize("name", ["", " ", "?!", '""', "x" * (NAME_CHARS + 1)])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(InputError):
        Name.of(name)


@pytest.fixture
def index(home: Path) -> Index:
    opened = Index.open(home, embedder=BagOfWordsEmbedder())
    opened.add(
        [
            Article("one", "The minister spoke. Jones resigned.", "Jones goes", "CNN", published="2022-10-01"),
            Article("three", "Jones, Jones and the Joneses met.", source="BBC", published="2022-12-01"),
            Article("none", "Nobody is named here.", "About Jones", "BBC", published="2022-11-01"),
            Article("other", "Jon and John ate.", source="CNN"),
        ]
    )
    return opened


def test_every_article_that_has_the_name_is_found_and_how_often(index: Index) -> None:
    assert {one.article.id: (len(one.spans), one.in_title) for one in index.mentions("Jones")} == {
        "one": (1, True),
        "three": (3, False),
        "none": (0, True),
    }
    assert not list(index.mentions("Smith"))


def test_mentions_are_sorted_and_filtered(index: Index) -> None:
    assert [one.article.id for one in index.mentions("Jones", sort="newest")] == ["three", "none", "one"]
    assert [one.article.id for one in index.mentions("Jones", sort="oldest")] == ["one", "none", "three"]
    assert [one.article.id for one in index.mentions("Jones", only=Filter(source="CNN"))] == ["one"]
    chosen = Filter(articles=frozenset(("three", "other")))
    assert [one.article.id for one in index.mentions("Jones", only=chosen)] == ["three"]


def test_copies_are_articles_too(index: Index) -> None:
    text = " ".join(f"Sentence number {number} says what the mayor of Ely wanted." for number in range(12))
    index.add([Article("original", text, source="CNN"), Article("copy", text, source="BBC")])
    assert {one.article.id: one.copy_of for one in index.mentions("mayor of Ely")} == {
        "original": None,
        "copy": "original",
    }
    assert [one.article.id for one in index.mentions("Ely", only=Filter(source="BBC"))] == ["copy"]


def test_nothing_in_a_name_is_syntax(index: Index) -> None:
    for name in ('a" OR "b', "NEAR(a b)", "title: Jones*", "(Jones", "[a-z]+", "C++"):
        list(index.mentions(name))
