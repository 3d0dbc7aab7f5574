"""rag/kind.py: what a question asks for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.measures.collection import kind as measured
from index import InputError
from rag import Turn, kind_of
from rag.kind import KINDS, checked

TOP = Path(__file__).parent.parent


def test_nearly_all_labeled_questions_are_read_right() -> None:
    labeled = measured.labeled()
    pairs = [(kind, kind_of(question, history=before)) for question, before, kind in labeled]
    assert {kind for kind, _ in pairs} == set(KINDS)
    assert measured.macro_f1(pairs).mean >= 0.95


@pytest.mark.parametrize(
    "question",
    [
        "How many people died?",
        "What is the timeline for the withdrawal?",
        "Which article of the constitution guarantees free speech?",
        "Who wrote the list?",
        "How many articles of impeachment were passed?",
        "Which library burned down?",
        "What is the summary judgment about?",
        "How many resorts are in the report area?",
        "Which particles carry the charge?",
        "What did the newest article of the treaty change?",
        "",
        "?!",
        "what " * 400,
        "What time does the library open?",
        "Who built this?",
    ],
)
def test_a_question_stays_a_fact_unless_it_clearly_asks_for_more(question: str) -> None:
    assert kind_of(question) == "fact"


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("wich articels menton Merkel", "list"),
        ("Could you kindly list the articles that talk about Nokia?", "list"),
        ("how mny artciles are about Brexit", "count"),
        ("giv me a timline of the leak", "timeline"),
        ("timeline: the leak", "timeline"),
        ("comapre Oxford and Cambridge on fees", "comparison"),
        ("sumarize the coverage of the war", "summary"),
        ("good evening, how do I use this?", "library"),
        ("what articles do u have", "library"),
        ("what time do the articles cover?", "library"),
        ("Show me the last three stories", "library"),
        ("In what languages are the articles?", "library"),
        ("which newspaper has the fewest articles", "library"),
        ("what can you tell me?", "library"),
        ("Which Daily Bugle stories mention Merkel?", "list"),
        ("Which stories were published in May 2014?", "list"),
        ("What is the newest article on Nokia?", "list"),
        ("What has been written about Nokia?", "list"),
        ("What do the papers say about the strike?", "comparison"),
        ("How did the Bugle cover the vote compared with the Globe?", "comparison"),
        ("tl;dr of the strike", "summary"),
        ("tldr the strike", "summary"),
    ],
)
def test_slips_of_the_finger_and_polite_words_do_not_matter(question: str, kind: str) -> None:
    assert kind_of(question) == kind


@pytest.mark.parametrize(
    ("before", "question", "kind"),
    [
        ("Which articles mention Jeremy Hunt?", "And Rishi Sunak?", "list"),
        ("Which articles mention Jeremy Hunt?", "And by outlet?", "count"),
        ("Which articles mention Jeremy Hunt?", "Now as a timeline.", "timeline"),
        ("Which articles mention Jeremy Hunt?", "Why did he resign?", "fact"),
        ("Give me a timeline of the talks.", "Only since May.", "timeline"),
        ("When did the talks break down?", "And by whom?", "fact"),
    ],
)
def test_a_follow_up_keeps_the_kind_or_changes_it(before: str, question: str, kind: str) -> None:
    assert kind_of(question, history=[Turn(before, "")]) == kind


def test_the_kind_that_was_answered_counts_for_a_follow_up() -> None:
    assert kind_of("Only since May.", history=[Turn("The dam", "", kind="summary")]) == "summary"
    twice = [Turn("Which articles mention Jeremy Hunt?", ""), Turn("Only since May.", "")]
    assert kind_of("And Rishi Sunak?", history=twice) == "list"


def test_an_unknown_kind_is_refused_with_those_there_are() -> None:
    assert checked("list") == "list"
    with pytest.raises(InputError, match="choose one of fact, list, count"):
        checked("lists")


def test_telling_the_kind_loads_nothing_heavy() -> None:
    program = (
        "import sys, rag; rag.kind_of('Which articles mention Hunt?'); print({'numpy', 'faiss'} & set(sys.modules))"
    )
    tried = subprocess.run([sys.executable, "-c", program], cwd=TOP, text=True, capture_output=True, check=True)
    assert tried.stdout == "set()\n"


@pytest.mark.timeout(60)
def test_nouns_that_can_be_read_in_two_ways_cost_little() -> None:
    for start, nouns in (("which articles", "news articles"), ("how many articles", "news sources")):
        assert kind_of(f"{start} {f'{nouns} ' * 28}say so") == "fact"
    assert kind_of("Which news articles are in the library?") == "library"
