"""A page of a PDF in a real browser: opened from an answer's quote, with the quoted words marked on it, and turned."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from index import Index
from rag.engine import Engine
from tests.fakes import BagOfWordsEmbedder, ScriptedLLM
from tests.test_browser import PATIENCE_MS, Site, Visitor, browser, visit
from tests.test_original import QUOTE, report
from ui import web

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["browser", "visit"]  # fixtures

pytestmark = pytest.mark.browser

MARKED = """() => {
  const body = document.querySelector('.reading .body').getBoundingClientRect();
  const leaf = document.querySelector('.leaf').getBoundingClientRect();
  const here = document.getElementById('here').getBoundingClientRect();
  return {
    drawn: document.querySelector('.leaf img').naturalWidth,
    seen: here.top >= body.top && here.bottom <= body.bottom && here.left >= body.left - 1,
    left: (here.left - leaf.left) / leaf.width, top: (here.top - leaf.top) / leaf.height,
  };
}"""


@pytest.fixture
def site(home: Path, tmp_path: Path) -> Iterator[Site]:
    gate = threading.Event()
    gate.set()
    folder = tmp_path / "articles"
    folder.mkdir()
    (folder / "report.pdf").write_bytes(report())
    llm = ScriptedLLM(QUOTE, gate=gate)
    with Index.open(home, embedder=BagOfWordsEmbedder()) as index:
        index.sync([folder])
        engine = Engine.open(index=index, llm=llm)
        demo = web.build(engine)
        yield Site(web.launch(demo).rstrip("/"), engine, llm, gate)
        demo.close(verbose=False)


@pytest.mark.parametrize("width", [1100, 390])
def test_the_page_of_a_quote_is_shown_with_its_words_marked(site: Site, visit: Visitor, width: int) -> None:
    tab = visit(site, width=width)
    tab.ask("How long did the repair of the dam at Port Zorb take?")
    tab.finished()
    marker = tab.page.locator("#current .marker >> nth=0")
    marker.focus()
    tab.expect(".tip:not([hidden])", "p. 2")
    marker.click()
    tab.page.get_by_role("button", name="Show the page").click()
    tab.expect(".reading", "Page 2 of 3")
    tab.page.wait_for_function("() => document.querySelector('.leaf img')?.naturalWidth > 0", timeout=PATIENCE_MS)
    shown = tab.page.evaluate(MARKED)
    assert shown["drawn"] == 1100
    assert shown["seen"]
    assert (round(shown["left"], 2), round(shown["top"], 2)) == (0.08, 0.16)
    assert tab.page.locator(".leaf .words").count() == 2
    assert tab.width()[0] <= width
    opened = tab.page.get_by_role("link", name="Open the PDF")
    assert str(opened.get_attribute("href")).endswith("#page=2")
    answer = tab.page.request.get(f"{site.url}/{opened.get_attribute('href')}")
    assert (answer.status, answer.headers["content-type"], answer.body()[:5]) == (200, "application/pdf", b"%PDF-")

    tab.page.get_by_role("button", name="Next page").click()
    tab.expect(".reading", "Page 3 of 3")
    tab.expect(".reading", "The words are not on this page")
    tab.page.get_by_role("button", name="Show the text").click()
    expect(tab.page.locator("#reader mark")).to_have_text(QUOTE, timeout=PATIENCE_MS)
