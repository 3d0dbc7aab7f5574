"""The library and the start page as a desk, in a real browser: pages, edits, tags, several articles at once, and files
that are dropped on an empty start page."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from index import Article
from tests.test_browser import PATIENCE_MS, QUESTION, Site, Visitor, browser, site, visit

__all__ = ["browser", "site", "visit"]  # fixtures

pytestmark = pytest.mark.browser


def test_articles_are_turned_edited_tagged_removed_and_asked_about(site: Site, visit: Visitor, tmp_path: Path) -> None:
    index = site.engine.index
    index.add(Article(f"p{number:03}", f"Ships waited at pier {number}.", f"Pier {number:03}") for number in range(120))
    folder = tmp_path / "letters"
    folder.mkdir()
    (folder / "letter.txt").write_text("A letter came from Bergen.")
    index.sync([folder])
    site.gate.set()
    tab = visit(site, 1440)
    page = tab.page
    tab.expect(".start", "Added last")
    tab.open("Library")
    tab.expect("#articles .note", "1 to 50 are shown")
    page.locator("#find input, #find textarea").first.fill("Pier")
    tab.expect("#articles .selection", "Choose all")
    page.locator("#articles .choose input").first.check()
    tab.expect("#searching", "1 chosen article")
    page.locator(".pages").get_by_role("button", name="Next").click()
    tab.expect("#articles .note", "51 to 100 are shown")
    tab.expect("#articles .selection", "1 article chosen")
    entry = page.locator("#articles .rows > li").first
    entry.locator(".correct summary").click()
    entry.locator("[name=title]").fill("Pier of the queen")
    entry.locator("[name=tags]").fill("harbor, sea")
    entry.get_by_role("button", name="Save").click()
    tab.expect("#added", "Saved.")
    tab.expect("#articles", "edited")
    assert index.tags() == {"harbor": 1, "sea": 1}
    page.locator("#articles .choose input").nth(1).check()
    tab.expect("#searching", "2 chosen articles")
    page.locator(".pages").get_by_role("button", name="Back").click()
    tab.expect("#articles .selection", "2 articles chosen")
    page.locator(".selection [name=tag]").fill("sea")
    page.locator(".selection").get_by_role("button", name="Tag", exact=True).click()
    tab.expect("#added", "2 articles have the tag")
    assert index.tags()["sea"] == 3
    page.locator(".selection").get_by_role("button", name="Remove").click()
    page.locator(".selection").get_by_role("button", name="Remove?").click()
    tab.expect("#added", "and 1 other article")
    assert len(index.articles()) == 121
    page.locator("#added").get_by_role("button", name="Undo").click()
    tab.expect("#added", "Restored.")
    assert (len(index.articles()), index.tags()["sea"]) == (123, 3)
    page.locator(".sources summary").click()
    (folder / "letter.txt").write_text("Two letters came from Bergen.")
    page.locator(".sources").get_by_role("button", name="Read now").click()
    tab.expect("#added", "1 updated")
    tab.open("Ask")
    page.locator("#filter button").first.click()
    page.locator("#narrowed-tags").get_by_role("button", name="sea").click()
    tab.expect("#searching", "tag sea")
    tab.open("Check")
    tab.expect("#check-scope", "tag sea")
    tab.open("Ask")
    tab.ask(QUESTION)
    tab.finished()
    tab.expect("#beside", "Today")
    expect(page.locator("#beside .current")).to_have_count(1, timeout=PATIENCE_MS)


def test_an_empty_start_page_takes_files_and_a_phone_has_a_drawer(site: Site, visit: Visitor, tmp_path: Path) -> None:
    index = site.engine.index
    index.remove_articles([one.id for one in index.articles()])
    tab = visit(site, 390, 844)
    page = tab.page
    tab.expect(".start", "Drop files here")
    file = tmp_path / "storm.txt"
    file.write_text("A storm hit Port Zorb on Sunday night.")
    page.locator("#drop input[type=file]").set_input_files(file)
    tab.expect(".start", "Added last")
    assert len(index.articles()) == 1
    expect(page.locator("#beside")).to_be_hidden(timeout=PATIENCE_MS)
    page.locator(".drawer").click()
    expect(page.locator("#beside")).to_be_visible(timeout=PATIENCE_MS)
    page.keyboard.press("Escape")
    expect(page.locator("#beside")).to_be_hidden(timeout=PATIENCE_MS)
