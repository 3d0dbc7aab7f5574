"""Operators: what they mean, and that they decide what is searched, embedded, and asked of the model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from index import Article, Index, InputError
from index.filters import EVERYTHING, Filter, parse, without_operators
from rag import Engine, Reason, Settings, Turn
from tests.fakes import BagOfWordsEmbedder, ScriptedLLM

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

ARTICLES = (
    Article("bank-2017", "The central bank raised rates in spring.", source="The Post", published="2017-04-27"),
    Article("bank-2018", "The central bank cut rates.", source="Reuters", published="2018-03-21T23:30:00+00:00"),
    Article("bank-2019", "The central bank held rates.", source="Harbor Post", published="2019-01-01"),
    Article("bank-undated", "The central bank spoke of rates.", source="Reuters"),
)


class Listening(BagOfWordsEmbedder):
    """Remembers the queries it embeds."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def embed_query(self, text: str) -> NDArray[np.float32]:
        self.asked.append(text)
        return super().embed_query(text)


@pytest.fixture
def embedder() -> Listening:
    return Listening()


@pytest.fixture
def index(tmp_path: Path, embedder: Listening) -> Iterator[Index]:
    with Index.open(tmp_path / "home", embedder=embedder) as opened:
        opened.add(ARTICLES)
        yield opened


def found(index: Index, query: str, **only: object) -> set[str]:
    return {hit.article.id for hit in index.search(query, **only)}  # type: ignore[arg-type]


# What is written


@pytest.mark.parametrize(
    ("query", "text", "only"),
    [
        ("rates source:reuters", "rates", Filter("reuters")),
        ('source:"The Post" rates', "rates", Filter("The Post")),
        ("source:“The Post” rates", "rates", Filter("The Post")),
        ("What about rates in:2018?", "What about rates?", Filter(None, "2017-12-31", "2019-01-01")),
        ("rates in:2016-02", "rates", Filter(None, "2016-01-31", "2016-03-01")),
        ("rates IN:2018-03-21.", "rates.", Filter(None, "2018-03-20", "2018-03-22")),
        ("before:2017-05 rates", "rates", Filter(None, None, "2017-05-01")),
        ("the rates after:2017 in Japan", "the rates in Japan", Filter(None, "2017-12-31")),
        ('dam tag:"follow  up" Tag:sea', "dam", Filter(tags=frozenset(("follow up", "sea")))),
        ("a in:2018 after:2018-06 source:x", "a", Filter("x", "2018-06-30", "2019-01-01")),
    ],
)
def test_operators_are_taken_out_and_understood(query: str, text: str, only: Filter) -> None:
    assert parse(query) == (text, only)
    assert without_operators(query) == text
    assert parse(text) == (text, EVERYTHING)


@pytest.mark.parametrize(
    "query",
    [
        "Source: Reuters says  so",
        "  what happened in 2017, before: the vote ",
        "open-source:reuters",
        "within:2018",
        "https://in:2018/x",
        'he said "source:x" aloud',
    ],
)
def test_prose_is_left_to_the_last_blank(query: str) -> None:
    assert parse(query) == (query, EVERYTHING)
    assert without_operators(query) == query


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ("x in:spring", "in:spring is no date; write a year, a month or a day, as in 2018, 2018-03 or 2018-03-21"),
        ("x before:2017-13", "before:2017-13 is no date"),
        ("x after:2017-02-29", "after:2017-02-29 is no date"),
        ("x after:17", "after:17 is no date"),
        ("x in:٢٠١٨", "no date"),
        ('x source:"The Post', "no closing quotation mark"),
        ('x source:""', "names no outlet"),
        ("x source:a source:b", "source: is given twice"),
    ],
)
def test_a_wrong_operator_says_what_is_accepted(index: Index, query: str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint.replace("(", r"\(")):
        index.search(query)
    assert without_operators(query) == ("x" if "The" not in query else "x Post")


def test_a_filter_reads_as_operators_that_mean_the_same() -> None:
    only = Filter("The Post", "2017-12-31", "2019-01-01")
    assert str(only) == 'source:"The Post" after:2017-12-31 before:2019-01-01'
    assert parse(f"rates {only}") == ("rates", only)
    tagged = Filter(tags=frozenset(("U.S.", "follow up", "dam")))
    assert parse(f"rates {tagged}?") == ("rates?", tagged)
    assert not EVERYTHING
    assert str(EVERYTHING) == ""


def test_a_filter_goes_through_json_and_back() -> None:
    only = Filter.of(source="Reuters", articles=["b", "a"])
    assert json.loads(json.dumps(only.to_dict())) == {
        "source": "Reuters", "after": None, "before": None, "articles": ["a", "b"], "tags": [],
    }  # fmt: skip
    assert Filter.of(**only.to_dict()) == only
    assert str(only) == "source:Reuters (2 chosen articles)"
    assert Filter.of(articles=[]) != EVERYTHING


@pytest.mark.parametrize(
    ("published", "passes"),
    [
        ("2018", True), ("2018-12", True), ("2018-12-31T23:59:59-11:00", True), ("2018-01-01 00:00", True),
        ("2017-12-31", False), ("2019", False), ("", False), (None, False), ("yesterday", False), ("2018-99", False),
        ("20180", False), ("2018 <img src=x>", False), ("2018-05 or so", False),
    ],
)  # fmt: skip
def test_the_day_an_article_gives_is_taken_as_written(published: str | None, passes: bool) -> None:
    assert Filter.of(within="2018").passes(None, published) is passes


# What is found


def test_only_articles_that_pass_are_found(index: Index) -> None:
    assert found(index, "central bank rates source:reuters") == {"bank-2018", "bank-undated"}
    assert found(index, "central bank rates source:post") == {"bank-2017", "bank-2019"}
    assert found(index, 'central bank rates source:"the post"') == {"bank-2017"}
    assert found(index, "central bank rates source:pos") == set()
    assert found(index, "central bank rates in:2018") == {"bank-2018"}
    assert found(index, "central bank rates before:2017-05") == {"bank-2017"}
    assert found(index, "central bank rates after:2017") == {"bank-2018", "bank-2019"}
    assert found(index, "central bank rates after:2017 source:reuters") == {"bank-2018"}


def test_keywords_filter_as_operators_do(index: Index) -> None:
    assert found(index, "rates", source="Reuters") == {"bank-2018", "bank-undated"}
    assert found(index, "rates", after="2017", before="2018-12-31") == {"bank-2018"}
    assert found(index, "rates after:2017", before="2019") == {"bank-2018"}
    with pytest.raises(InputError, match="two outlets"):
        index.search("rates source:post", source="Reuters")
    with pytest.raises(InputError, match="2018-03-21"):
        index.search("rates", before="May")


def test_chosen_articles_alone_are_found(index: Index) -> None:
    assert found(index, "rates", articles=["bank-2017", "bank-2019"]) == {"bank-2017", "bank-2019"}
    assert found(index, "rates", articles="bank-2017") == {"bank-2017"}
    assert found(index, "rates", articles=iter(["bank-2017", "no such id"])) == {"bank-2017"}
    assert found(index, "rates after:2018", articles=["bank-2017", "bank-2019"]) == {"bank-2019"}
    assert found(index, "rates", articles=[]) == set()
    assert found(index, "rates", articles=None) == {article.id for article in ARTICLES}


def test_two_choices_leave_what_both_have() -> None:
    both = Filter.of(articles=["a", "b"]).also(Filter.of(articles=["b", "c"], after="2017"))
    assert (both.articles, both.after) == (frozenset({"b"}), "2017-12-31")
    assert Filter.of(articles=["a"]).also(EVERYTHING).articles == frozenset({"a"})


def test_operators_are_not_embedded(index: Index, embedder: Listening) -> None:
    index.search("rates source:reuters")
    assert embedder.asked == ["rates"]


def test_a_query_needs_more_than_operators(index: Index) -> None:
    with pytest.raises(InputError, match="empty beside source:reuters"):
        index.search("source:reuters")


def test_a_rare_outlet_is_found_behind_hundreds_that_fit_better(index: Index) -> None:
    index.add([Article(f"n{n}", f"Ferry island late, note {n}.", source="Wire") for n in range(700)])
    index.add([Article("rare", "A long report tells of a ferry among much else.", source="Gazette")])
    assert "rare" not in found(index, "ferry island late")
    assert found(index, "ferry island late source:gazette") == {"rare"}


def test_a_sentence_shared_with_another_article_does_not_bring_that_in(index: Index) -> None:
    index.add([Article(name, f"The very same words. So says {name}.", source=name) for name in ("Wire", "Gazette")])
    assert found(index, "The very same words source:gazette") == {"Gazette"}


def test_an_article_is_found_by_the_outlet_of_its_copy(index: Index) -> None:
    index.add([Article(name, "The very same words.", source=name) for name in ("Wire", "Gazette")])
    assert found(index, "The very same words source:gazette") == {"Wire"}
    assert found(index, "The very same words source:herald") == set()


def test_a_copy_is_chosen_with_its_article(index: Index) -> None:
    index.add([Article(name, "The very same words.", source=name) for name in ("Wire", "Gazette", "Herald")])
    for chosen in ("Wire", "Gazette"):
        assert found(index, "The very same words", articles=[chosen]) == {"Wire"}
        assert found(index, "The very same words source:herald", articles=[chosen]) == {"Wire"}
    assert found(index, "The very same words source:wire", articles=["bank-2017"]) == set()


# What is asked


def engine(index: Index, *replies: str) -> tuple[Engine, ScriptedLLM]:
    llm = ScriptedLLM(*replies)
    return Engine.open(index=index, llm=llm, settings=Settings()), llm


def test_the_model_reads_what_passes_and_is_asked_without_operators(index: Index, embedder: Listening) -> None:
    asked, llm = engine(index, "The central bank cut rates.")
    history = [Turn("Did the central bank hold rates in:2019?", "It held them.")]
    answer = asked.ask("What did the central bank do with rates in:2018?", history=history)
    assert answer.text == "The central bank cut rates."
    assert answer.question == "What did the central bank do with rates in:2018?"
    assert {source.hit.article.id for source in answer.sources} == {"bank-2018"}
    (prompt,) = llm.prompts
    assert prompt.question == "What did the central bank do with rates?"
    assert prompt.history == (Turn("Did the central bank hold rates?", "It held them."),)
    assert not [text for text in embedder.asked if "in:" in text]


def test_a_filter_that_nothing_passes_is_said_without_the_model(index: Index) -> None:
    asked, llm = engine(index)
    answer = asked.ask("What did the central bank do? source:gazette")
    assert (answer.refused, answer.reason, llm.prompts) == (True, Reason.FILTERED_OUT, [])


@pytest.mark.parametrize("question", ["source:reuters", "Why? in:spring"])
def test_a_question_that_cannot_be_asked_fails_before_the_stream(index: Index, question: str) -> None:
    with pytest.raises(InputError):
        engine(index)[0].stream(question)
