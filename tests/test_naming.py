"""Whether what is found for a subject is of it: by its rare words, and by its names as they are written."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from index import Article, Index
from rag.overview.naming import Subject
from tests.fakes import BagOfWordsEmbedder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TEXTS = {
    "drugs": "Customs officers in Australia seized drugs at the harbor.",
    "roads": "Four people died on the roads of Australia.",
    "wheat": "Farmers in Australia sold their wheat.",
    "cricket": "The team of Australia won in Perth.",
    "hamas": "Hamas rejected the offer of a truce.",
    "hama": "Tanks entered Hama at dawn, and the truce is over.",
    "bank": "The Reserve Bank has cut its rate.",
    "banks": "Some banks hold a reserve of gold.",
    "israel": "Israel spoke with a Palestinian about the truce.",
    "hamburg": "Die Feuerwehr hat die Werften Hamburgs gestern nicht mehr vor dem Wasser und dem Sturm geschützt.",
}

COSINE = 0.4
"""Of a subject and a passage that the default embedder finds near; the fake one only counts common words."""


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    home: Path = tmp_path_factory.mktemp("naming")
    with Index.open(home, embedder=BagOfWordsEmbedder()) as opened:
        opened.add([Article(name, text) for name, text in TEXTS.items()])
        opened.add([Article(f"more-{n}", f"In Australia it is day {n} of the fair in town {n}.") for n in range(60)])
        yield opened


def of(index: Index, subject: str) -> set[str]:
    """The articles that are of a subject, among all that a search finds."""
    known = Subject.of(subject, index)
    return {hit.article.id for hit in index.search(subject, 100) if known.is_of(replace(hit, similarity=COSINE))}


def test_the_rare_word_of_a_subject_names_it_rather_than_the_one_that_all_have(index: Index) -> None:
    found = of(index, "drugs in Australia")
    assert "drugs" in found
    assert not found & {"roads", "wheat", "cricket"}


@pytest.mark.parametrize(
    ("subject", "named", "other"),
    [
        ("Hamas", "hamas", "hama"),
        ("Hama", "hama", "hamas"),
        ("the Reserve Bank", "bank", "banks"),
        ("the Palestinians", "israel", "hamas"),
        ("Hamburg", "hamburg", "hama"),
    ],
)
def test_a_name_is_written_as_it_is_asked_for(index: Index, subject: str, named: str, other: str) -> None:
    found = of(index, subject)
    assert named in found
    assert other not in found


def test_a_sentence_is_of_the_subject_by_its_words_or_those_before_it(index: Index) -> None:
    text = "Rain fell all day. Hamas rejected the offer of a truce. The answer came late."
    with_title = "The answer came at noon."
    index.add([Article("order", text), Article("titled", with_title, title="Hamas rejects the offer of a truce")])
    subject = Subject.of("Hamas", index)
    hits = {
        hit.article.id: replace(hit, similarity=COSINE)
        for hit in index.search("Hamas rejected the offer of a truce", 100)
    }
    named = [is_named for _, is_named in subject.sentences_of(hits["order"])]
    assert named == [False, True, True]
    assert [is_named for _, is_named in subject.sentences_of(hits["titled"])] == [True]
