"""Addresses of articles and conversations in a real browser: opened, gone back to, reloaded, and in other tabs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.test_browser import PATIENCE_MS, QUESTION, REPLY, Site, Visitor, browser, site, visit

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = ["browser", "site", "visit"]  # fixtures

pytestmark = pytest.mark.browser

READING = "#reader .reading"

SENTENCES = {
    "c/none": "no such conversation",
    "article/none": "There is no such article",
    "article/talks?start=-1&end=x": "names words that this article does not have",
    "article/talks?start=5&end=99999": "names words that this article does not have",
    "briefing/none": "There is no such briefing",
}


def is_at(page: Page, address: str, title: str) -> None:
    """What the address bar and the tab say, once they do."""
    page.wait_for_function("address => location.href.endsWith(address)", arg=address, timeout=PATIENCE_MS)
    expect(page).to_have_title(title, timeout=PATIENCE_MS)


def test_an_address_opens_its_words_and_what_is_shown_has_an_address(site: Site, visit: Visitor) -> None:
    site.gate.set()
    tab = visit(site, path="article/talks?start=0&end=15")
    page = tab.page
    expect(page.locator("#reader mark")).to_have_text("Six-party talks", timeout=PATIENCE_MS)
    is_at(page, "/article/talks?start=0&end=15", "Talks on Korea · Citewire")
    page.keyboard.press("Escape")
    is_at(page, site.url + "/", "Citewire")
    tab.ask(QUESTION)
    tab.finished()
    page.wait_for_function("() => location.pathname.startsWith('/c/')", timeout=PATIENCE_MS)
    conversation = page.evaluate("location.pathname").removeprefix("/")
    page.locator("#current .marker").click()
    is_at(page, f"/article/talks?start=0&end={len(REPLY)}", "Talks on Korea · Citewire")
    page.go_back()
    expect(page.locator(READING)).to_have_count(0, timeout=PATIENCE_MS)
    is_at(page, conversation, f"{QUESTION} · Citewire")
    page.go_forward()
    expect(page.locator("#reader mark")).to_have_text(REPLY, timeout=PATIENCE_MS)
    tab.expect("#status", "ready")  # nothing is on its way that the reload would break off
    page.reload()
    expect(page.locator("#reader mark")).to_have_text(REPLY, timeout=PATIENCE_MS)
    expect(page.locator("#current .question")).to_contain_text(QUESTION, timeout=PATIENCE_MS)

    page.keyboard.press("Escape")
    is_at(page, conversation, f"{QUESTION} · Citewire")
    page.locator("#new").click()
    is_at(page, site.url + "/", "Citewire")
    page.go_back()
    expect(page.locator("#current .question")).to_contain_text(QUESTION, timeout=PATIENCE_MS)

    tab.expect("#status", "ready")
    page.goto(f"{site.url}/{conversation}")
    expect(page.locator("#current .question")).to_contain_text(QUESTION, timeout=PATIENCE_MS)
    other = visit(site, path=conversation)  # another browser: for it, there is no such conversation
    other.expect("#note", "no such conversation")
    for address, sentence in SENTENCES.items():
        other.expect("#status", "ready")
        other.page.goto(f"{site.url}/{address}")
        other.expect("#page", sentence)
    for one in (tab, other):  # Gradio says on the console which of its streams an address that is opened breaks off
        one.expect("#status", "ready")
        one.troubles[:] = [trouble for trouble in one.troubles if "AbortError" not in trouble]
