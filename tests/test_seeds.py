"""The whole, on the real embedder, the real default LLM and the two sample articles."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from index import Index
from rag import Answer, Engine, Evidence, Settings, Token, Turn
from rag.answer import Reason
from rag.llm.kv_cache import KVCache
from rag.llm.llama import LlamaCpp

pytestmark = pytest.mark.model

SEEDS = Path(__file__).parent.parent / "seeds"
BROWN = "What did Dr James Brown say about how far cooperation can go?"
ANSWERED = [
    ("When did the six-party talks break down?", ["2009"], "Sputnik"),
    ("What does Japan call the four Kuril Islands?", ["Northern Territories"], "CGTN"),
    ("When did Tokyo and Moscow hold their first diplomatic talks since 1973?", ["November 2013"], "CGTN"),
    ("Why does Japan say it is deploying the Aegis system?", ["DPRK in mind", "not Russia or China"], "CGTN"),
    (BROWN, ["can only go so far"], "Sputnik"),
]
REFUSED = [
    "Who won the 2018 football World Cup?",
    "What is the population of Tokyo?",
    "Which company built the Kuril airport?",
]


@pytest.fixture(scope="module")
def articles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("articles")
    return Path(shutil.copytree(SEEDS, folder / "seeds"))


@pytest.fixture(scope="module")
def engine(articles: Path, tmp_path_factory: pytest.TempPathFactory, real_embedder: Any, llm: Any) -> Iterator[Engine]:
    with Index.open(tmp_path_factory.mktemp("home"), embedder=real_embedder) as index:
        index.sync([articles])
        yield Engine.open(index=index, llm=llm, settings=Settings())


def assert_quotes_are_exact(answer: Answer, index: Index) -> None:
    for citation in answer.citations:
        assert index.article(citation.article_id).text[citation.start : citation.end] == citation.quote != ""


@pytest.mark.parametrize(("question", "held", "outlet"), ANSWERED)
def test_a_question_the_articles_answer(engine: Engine, question: str, held: list[str], outlet: str) -> None:
    answer = engine.ask(question)
    assert not answer.refused, answer.text
    for words in held:
        assert words in answer.text
    assert {citation.source for citation in answer.citations} == {outlet}
    assert any(words in citation.quote for citation in answer.citations for words in held)
    assert_quotes_are_exact(answer, engine.index)


@pytest.mark.parametrize("question", REFUSED)
def test_a_question_they_do_not_answer(engine: Engine, question: str) -> None:
    answer = engine.ask(question)
    assert answer.refused, answer.text
    assert answer.reason
    assert answer.claims == ()


def test_a_follow_up(engine: Engine) -> None:
    first = engine.ask(BROWN)
    answer = engine.ask("And what did he say about Japan's alliance?", history=[first.turn])
    assert not answer.refused
    assert any(words in answer.text for words in ("Washington", "United States", "US"))
    assert {citation.source for citation in answer.citations} == {"Sputnik"}
    assert_quotes_are_exact(answer, engine.index)


def test_a_change_of_subject_is_judged_on_its_own(engine: Engine) -> None:
    answer = engine.ask("Who won the 2018 football World Cup?", history=[Turn(BROWN, "It can only go so far.")])
    assert answer.reason == Reason.NOTHING_RELEVANT


def test_nobody_is_told_that_the_page_clock_is_the_date(engine: Engine) -> None:
    for article in engine.index.articles():
        assert article.published is None
        assert "31 March 2020" not in article.text
        assert "Listen Live" not in article.text
    answer = engine.ask("When was the article about the meeting in Moscow published?")
    assert "2020" not in answer.text


def test_cancel_while_the_model_reads(engine: Engine, llm: LlamaCpp) -> None:
    assert isinstance(llm.kv_cache, KVCache)
    llm.kv_cache.clear()  # so that there is something to read
    cancel = threading.Event()
    stream = engine.stream("What have Putin and Abe agreed to do about North Korea and the islands?", cancel=cancel)
    assert isinstance(next(stream), Evidence)
    threading.Timer(0.3, cancel.set).start()
    start = time.monotonic()
    *before, answer = stream
    assert isinstance(answer, Answer)
    assert answer.reason == Reason.CANCELLED
    assert answer.refused
    assert not [event for event in before if isinstance(event, Token)]
    assert time.monotonic() - start < 30, "a cancelled prompt is not read to its end"
    again = engine.ask(ANSWERED[1][0])
    assert "Northern Territories" in again.text


def test_several_ask_at_once_while_articles_are_indexed(engine: Engine, articles: Path) -> None:
    answers: dict[str, Answer] = {}
    asked = [question for question, _, _ in ANSWERED[:4]]

    def ask(question: str) -> None:
        answers[question] = engine.ask(question)

    threads = [threading.Thread(target=ask, args=(question,)) for question in asked]
    for thread in threads:
        thread.start()
    for number in range(3):
        (articles / "new.txt").write_text(f"A bakery opened in Lisbon. It sells {number + 2} kinds of bread.")
        engine.index.sync()
    for thread in threads:
        thread.join()
    for question, held, outlet in ANSWERED[:4]:
        assert all(words in answers[question].text for words in held), answers[question].text
        assert {citation.source for citation in answers[question].citations} == {outlet}
    (articles / "new.txt").unlink()
    assert engine.index.sync().removed == 1


def test_reindexing_embeds_only_what_is_new_and_forgets_what_is_gone(engine: Engine, articles: Path) -> None:
    index = engine.index
    index.sync()
    assert index.sync().embedded == 0
    path = articles / "004_458792bda5bb12f3.txt"
    before = path.read_bytes()
    path.write_bytes(before.replace(b"2009", b"2011"))
    report = index.sync()
    assert report.updated == 1
    assert 1 <= report.embedded <= 3
    answer = engine.ask(ANSWERED[0][0])
    assert "2011" in answer.text
    assert "2009" not in answer.text
    path.unlink()
    assert index.sync().removed == 1
    assert all(hit.article.source == "CGTN" for hit in index.search("six-party talks broke down"))
    answer = engine.ask(ANSWERED[0][0])
    assert "2011" not in answer.text
    path.write_bytes(before)
    assert index.sync().added == 1


def test_tokens_stream_and_add_up_to_the_draft(engine: Engine) -> None:
    events = list(engine.stream(ANSWERED[1][0]))
    assert isinstance(events[0], Evidence)
    draft = "".join(event.text for event in events if isinstance(event, Token))
    answer = events[-1]
    assert isinstance(answer, Answer)
    assert answer.text == " ".join(draft.split())
    assert 0 < answer.timings["first_token"] < answer.timings["total"]
