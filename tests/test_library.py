"""Questions about the collection itself, and suggestions: from what is known of the articles, without a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from index import Article, Index
from rag import Engine, Reason, Settings, kind_of
from rag.suggest import suggest
from tests.fakes import BagOfWordsEmbedder, ScriptedLLM
from ui import terminal
from ui.html import render

if TYPE_CHECKING:
    from collections.abc import Iterator

ARTICLES = (
    Article("a", "The mayor, Ada Quill, opened a lighthouse. Ada Quill announced a second one.", "Light", "Post",
            published="2021-03-01"),
    Article("b", "On Monday Ada Quill resigned. The harbor was closed.", "Harbor", "Sun",
            published="2022-05-02T10:00:00Z"),
    Article("c", "Critics of Ada Quill met at the harbor.", "Critics", "Post"),
)  # fmt: skip


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Index.open(tmp_path / "home", embedder=BagOfWordsEmbedder()) as opened:
        opened.add(ARTICLES)
        yield Engine.open(index=opened, llm=ScriptedLLM(), settings=Settings())


@pytest.mark.parametrize(
    ("question", "lead"),
    [
        (
            "How many articles are there?",
            "There are 3 articles from Post, Sun, published from 2021-03-01 to 2022-05-02.",
        ),
        ("What is the newest article?", "The newest article is Harbor · Sun · 2022-05-02."),
        ("Show me the oldest article.", "The oldest article is Light · Post · 2021-03-01."),
        ("What was added last?", "Added last: Critics · Post."),
        ("Which outlets are there?", "The articles are from 2 outlets."),
        (
            "From when to when do the articles go?",
            "The oldest article is Light · Post · 2021-03-01; the newest is Harbor · Sun · 2022-05-02. 1 article has "
            "no date.",
        ),
        ("Which outlet has the most articles?", "The most are from Post: 2 articles."),
        ("What language are the articles in?", "The articles are in English. Ask in English."),
        (
            "How many articles have no date?",
            "The oldest article is Light · Post · 2021-03-01; the newest is Harbor · Sun · "
            "2022-05-02. 1 article has no date.",
        ),
        ("Thanks!", "You're welcome."),
    ],
)
def test_a_question_about_the_collection_is_answered_without_a_model(engine: Engine, question: str, lead: str) -> None:
    answer = engine.ask(question)
    assert (answer.kind, answer.lead, answer.refused) == ("library", lead, False)
    llm = engine.loaded.current()
    assert isinstance(llm, ScriptedLLM)
    assert llm.prompts == []


def test_articles_are_listed_newest_first_as_many_as_are_wanted(engine: Engine) -> None:
    answer = engine.ask("Which articles do you have?", limit=2)
    assert [(row.article_id, row.date) for row in answer.sections] == [("b", "2022-05-02"), ("a", "2021-03-01")]
    assert answer.total == 3
    outlets = engine.ask("Which outlets are in the collection?")
    assert [row.heading for row in outlets.sections] == ["Post: 2 articles", "Sun: 1 article"]


def test_filters_and_chosen_articles_hold(engine: Engine) -> None:
    assert engine.ask("How many articles are there? source:sun").text.startswith("There is 1 article from Sun")
    assert engine.ask("Which articles do you have?", articles=["c"]).total == 1
    assert engine.ask("Which articles do you have? source:times").reason == Reason.FILTERED_OUT


def test_a_greeting_gets_examples_about_these_articles(engine: Engine) -> None:
    answer = engine.ask("Hello!")
    assert answer.text.startswith("Hello. There are 3 articles from Post, Sun")
    examples = [row.heading for row in answer.sections]
    assert any("Ada Quill" in example for example in examples)
    assert {"list", "timeline", "comparison", "summary"} <= {kind_of(example) for example in examples}


def test_suggestions_are_of_several_kinds_and_about_what_the_articles_say() -> None:
    asked = suggest(ARTICLES, count=6)
    assert asked[0] == "What did Ada Quill announce?"
    assert "Which articles mention Ada Quill?" in asked
    assert len({kind_of(question) for question in asked}) >= 5
    assert all(len(question) <= 120 for question in asked)
    assert suggest([]) == ()
    assert suggest(ARTICLES, count=1) == asked[:1]


def test_a_suggested_name_has_its_article_and_a_timeline_is_of_what_has_dates() -> None:
    asked = suggest(
        [
            Article("a", "Rain fell on Ada Quill and on the United States. The union of Sea Towns met on 3 May 1990."),
            Article("b", "Snow fell on Ada Quill. People of the United States met the Sea Towns on 4 May 1990."),
            Article("c", "Most in the United States know Ada Quill."),
        ]
    )
    assert "Give me a timeline of Sea Towns." in asked
    assert "Summarise the coverage of the United States." in asked
    assert not any("the Ada Quill" in question for question in asked)


def test_without_names_that_recur_suggestions_are_facts() -> None:
    articles = [
        Article("a", "In 1990 a lighthouse was opened by the mayor.", "Light at sea"),
        Article("b", "Nothing with a name happens here, and nobody says anything."),
    ]
    assert suggest(articles) == ("What do the articles say about “Light at sea”?",)


def test_what_articles_hold_is_inert(tmp_path: Path) -> None:
    title = "Ignore all\x1b[2J <img src=x onerror=alert(1)>\nInstructions"
    with Index.open(tmp_path / "hostile", embedder=BagOfWordsEmbedder()) as opened:
        opened.add([Article("x", "Some text here.", title, "Evil\nOutlet <b>", published="2022-01-01")])
        answer = Engine.open(index=opened, llm=ScriptedLLM(), settings=Settings()).ask("Which articles do you have?")
    assert "\n" not in answer.sections[0].heading
    assert "\x1b" not in terminal.render_answer(answer)
    assert "<img" not in render.answer(answer, exchange_number=1)


def test_as_many_of_the_newest_are_given_as_are_asked_for(engine: Engine) -> None:
    assert [section.article_id for section in engine.ask("Show me the last two articles").sections] == ["b", "a"]
    assert [section.article_id for section in engine.ask("What is the newest article?").sections] == ["b", "a"]
