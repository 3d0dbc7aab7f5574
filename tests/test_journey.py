"""What a reader does with the page from the first question to the last: a real browser, the real models, the seeds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from index import Index
from rag import Engine, Settings
from tests.test_browser import Visit, Visitor, browser, visit
from tests.test_seeds import SEEDS
from ui import web

if TYPE_CHECKING:
    from playwright.sync_api import Locator

__all__ = ["browser", "visit"]  # fixtures

pytestmark = [pytest.mark.browser, pytest.mark.model]

PATIENCE_MS = 240_000
"""A cold model on a busy machine; nothing here is about time."""
ASKED = "What did Dr James Brown say about how far cooperation can go?"
AEGIS = "Why does Japan say it is deploying the Aegis system?"
WATCH = """
() => {
  window.written = [];
  new MutationObserver(() => {
    const draft = document.querySelector('#current .writing');
    if (draft) window.written.push(draft.textContent);
  }).observe(document.getElementById('current'), {childList: true, subtree: true, characterData: true});
}
"""
"""Keeps every state of the draft as the reader saw it."""


@dataclass(frozen=True)
class Running:
    """A page and the engine behind it, which has a model of its own, as `citewire chat` starts it."""

    url: str
    engine: Engine


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, real_embedder: Any) -> Iterator[Running]:
    with Index.open(tmp_path_factory.mktemp("home"), embedder=real_embedder) as index:
        index.sync([SEEDS])
        with Engine.open(index=index, settings=Settings(read_ahead="off")) as engine:  # the first test stops a reading
            demo = web.build(engine)
            yield Running(web.launch(demo).rstrip("/"), engine)
            demo.close(verbose=False)


def finished(tab: Visit) -> Locator:
    """The reply, once nothing is being done any more."""
    expect(tab.page.locator("#current .exchange")).to_have_attribute("data-busy", "false", timeout=PATIENCE_MS)
    expect(tab.page.locator("#ask")).to_be_enabled(timeout=PATIENCE_MS)
    return tab.page.locator("#current .reply")


def claims(tab: Visit) -> str:
    return " ".join(tab.page.locator("#current .claim").all_inner_texts())


def assert_quotes_are_exact(tab: Visit, running: Running) -> None:
    texts = [article.text for article in running.engine.index.articles()]
    quotes = tab.page.locator("#panel mark").all_text_contents()
    assert quotes
    assert all(any(quote in text for text in texts) for quote in quotes)


def test_evidence_comes_at_once_and_stop_ends_the_reading(running: Running, visit: Visitor) -> None:
    tab = visit(running, 1440, 900)
    expect(tab.page.locator("#status")).to_contain_text("ready", timeout=PATIENCE_MS)
    tab.ask(ASKED)
    expect(tab.page.locator("#panel .passage").first).to_be_visible(timeout=PATIENCE_MS)
    assert tab.page.locator("#current .writing").count() == 0
    tab.page.locator("#stop").click()
    expect(finished(tab)).to_contain_text("Stopped.")
    tab.ask(ASKED)
    finished(tab)
    assert "can only go so far" in claims(tab)


def test_an_answer_is_seen_growing_and_a_chip_leads_to_the_exact_words(running: Running, visit: Visitor) -> None:
    tab = visit(running, 1440, 900)
    tab.page.evaluate(WATCH)
    tab.ask(AEGIS)
    finished(tab)
    written = [text for text in dict.fromkeys(tab.page.evaluate("window.written")) if text]
    assert len(written) > 3
    assert all(later.startswith(earlier) for earlier, later in pairwise(written))
    assert "not Russia or China" in claims(tab)
    assert_quotes_are_exact(tab, running)
    tab.page.locator("#current .marker").first.click()
    mark = tab.page.locator("#reader mark")
    expect(mark).to_be_in_viewport(timeout=PATIENCE_MS)
    marked = str(mark.text_content())
    assert any(marked in article.text for article in running.engine.index.articles())
    assert "Aegis" in marked


def test_a_follow_up_is_searched_with_what_it_leans_on(running: Running, visit: Visitor) -> None:
    tab = visit(running)
    tab.ask(ASKED)
    finished(tab)
    tab.ask("And what did he say about Japan's alliance?")
    finished(tab)
    assert "James Brown" in tab.text("#current .searched")
    assert re.search(r"Washington|United States|\bUS\b", claims(tab))
    assert_quotes_are_exact(tab, running)


def test_what_the_articles_do_not_say_is_refused(running: Running, visit: Visitor) -> None:
    tab = visit(running)
    tab.ask("What is the population of Tokyo?")
    expect(finished(tab)).to_contain_text("I found")
    assert tab.page.locator("#current .marker").count() == 0


def test_stop_ends_the_writing_and_the_next_question_is_answered(running: Running, visit: Visitor) -> None:
    tab = visit(running)
    tab.ask("What have Putin and Abe agreed to do about North Korea, the islands, trade and joint research?")
    expect(tab.page.locator("#current .writing")).not_to_be_empty(timeout=PATIENCE_MS)
    tab.page.locator("#stop").click()
    expect(finished(tab)).to_contain_text("Stopped.")
    tab.ask("When did the six-party talks break down?")
    finished(tab)
    assert "2009" in claims(tab)


def test_a_file_is_added_asked_about_and_removed_without_a_reload(
    running: Running, visit: Visitor, tmp_path: Path
) -> None:
    article = tmp_path / "Lighthouse.txt"
    article.write_text("The lighthouse of Zorbia was built in 1931 by the engineer Ada Quill.\n")
    question = "Who built the lighthouse of Zorbia?"
    tab = visit(running)
    tab.open("Library")
    tab.page.locator("#upload input[type=file]").set_input_files([article])
    expect(tab.page.locator("#added .added")).to_contain_text("Lighthouse.txt: added", timeout=PATIENCE_MS)
    tab.open("Ask")
    tab.ask(question)
    finished(tab)
    assert "Ada Quill" in claims(tab)
    tab.open("Library")
    tab.page.locator("#find textarea, #find input").fill("zorbia")
    expect(tab.page.locator("#articles .rows > li")).to_have_count(1, timeout=PATIENCE_MS)
    tab.page.locator("#articles").get_by_role("button", name="Remove").click()
    tab.page.locator("#articles").get_by_role("button", name="Remove?").click()
    expect(tab.page.locator("#added")).to_contain_text("Removed", timeout=PATIENCE_MS)
    tab.open("Ask")
    tab.ask(question)
    reply = finished(tab)
    expect(reply).to_contain_text("I found")
    assert "Ada Quill" not in str(reply.text_content())


def test_two_readers_are_answered_in_turn_each_with_their_own(running: Running, visit: Visitor) -> None:
    one, other = visit(running), visit(running)
    one.ask("What does Japan call the four Kuril Islands?")
    other.ask(AEGIS)
    finished(one)
    finished(other)
    assert "Northern Territories" in claims(one)
    assert "Aegis" not in one.text("#conversation")
    assert "not Russia or China" in claims(other)
    assert "Northern Territories" not in other.text("#conversation .question")


def test_on_a_phone_an_answer_is_found_again_after_a_reload(running: Running, visit: Visitor) -> None:
    from axe_playwright_python.sync_playwright import Axe

    tab = visit(running, 390, 844)
    tab.ask("When did the six-party talks break down?")
    finished(tab)
    expect(tab.page.locator("#current .marker").first).to_be_visible()
    assert "2009" in tab.text("#current .claim >> nth=0")
    assert any("2009" in quote for quote in tab.page.locator("#panel mark").all_text_contents())
    said = claims(tab)
    assert tab.width()[0] <= 390
    assert tab.cut_off() == []
    found = Axe().run(tab.page).response["violations"]
    assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []
    tab.page.reload()
    expect(tab.page.locator("#status")).to_contain_text("ready", timeout=PATIENCE_MS)
    tab.open("Conversations")
    tab.page.locator("#conversations .title").first.click()
    expect(tab.page.locator("#current .claim").first).to_be_visible(timeout=PATIENCE_MS)
    assert claims(tab) == said
    assert_quotes_are_exact(tab, running)


def test_the_settings_say_how_fast_models_are_here(running: Running, visit: Visitor) -> None:
    tab = visit(running)
    name = running.engine.model
    for _ in range(60):
        tab.open("Ask")
        tab.open("Settings")
        tab.page.wait_for_timeout(1000)
        if "tokens/s here" in tab.text("#models"):
            break
    rows = tab.page.locator("#models li").all_inner_texts()
    assert [row for row in rows if "tokens/s here" in row] == [row for row in rows if row.startswith(name)]
