"""The start page, the conversations beside the page, and the pages of the library, as HTML and in their values."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from index import Article, Index
from tests.fakes import BagOfWordsEmbedder
from ui.conversations import Conversations, Summary
from ui.html import beside, library, render, start
from ui.library import SHOWN, Glance, Library, Query


@pytest.fixture
def opened(tmp_path: Path) -> Library:
    index = Index.open(tmp_path / "home", embedder=BagOfWordsEmbedder())
    months = ("2018-01-02", "2018-01-30", "2018-04-01", "not a date")
    index.add(
        Article(
            f"a{number}", f"Ships waited at pier {number}.", f"Pier {number}", "Post" if number else "Wire", None, day
        )
        for number, day in enumerate(months)
    )
    return Library(index)


def test_the_library_is_seen_at_a_glance(opened: Library) -> None:
    glance = opened.glance()
    assert (glance.articles, glance.outlets) == (4, (("Post", 3), ("Wire", 1)))
    assert (glance.first, glance.last, dict(glance.months)) == (
        "2018-01-02",
        "2018-04-01",
        {"2018-01": 2, "2018-04": 1},
    )
    assert [row.id for row in glance.latest] == ["a3", "a2", "a1"]
    page = start.page(glance, ["What happened?"], can_add=True)
    assert page.count("<rect") == 4, "also the months without an article"
    assert "2 January 2018 – 1 April 2018" in page


def test_a_long_time_is_drawn_by_year() -> None:
    shown = start.chart({f"{year}-05": 1 for year in range(1990, 2020)})
    assert shown.count("<rect") == 30
    assert "Articles by year" in shown
    assert start.chart({"2018-05": 7}) == ""


def test_an_empty_library_invites_whoever_may_add() -> None:
    assert "Drop files here" in start.page(Glance(), (), can_add=True)
    assert "An editor can add some" in start.page(Glance(), (), can_add=False)


def test_conversations_are_grouped_by_day() -> None:
    now = datetime.now(UTC)
    days = (now, now - timedelta(days=1), now - timedelta(days=400))
    known = [Summary(f"c{number}", f"Title {number}", 1, "", day.isoformat()) for number, day in enumerate(days)]
    shown = beside.conversations(known, {"c0": "It broke down."}, today=now.astimezone().date(), current="c1")
    assert shown.index("Today") < shown.index("Title 0") < shown.index("It broke down.") < shown.index("Yesterday")
    assert 'class="title current" data-act="reopen" data-conversation="c1"' in shown
    assert "appear here" in beside.conversations((), {}, today=date(2026, 1, 1))


def test_the_beginning_of_an_answer_is_its_owners_alone(tmp_path: Path) -> None:
    with Conversations(tmp_path) as store:
        name = store.create("ann")
        store.append(name, owner="ann", question="What?", answer={"text": "First."})
        store.append(name, owner="ann", question="And?", answer={"text": "Then\n" + "x" * 500})
        assert store.snippets([name], "ann")[name].startswith("Then x")
        assert store.snippets([name], "bob") == {}


def test_a_list_is_turned_page_by_page(tmp_path: Path) -> None:
    with Index.open(tmp_path / "home", embedder=BagOfWordsEmbedder()) as index:
        index.add(Article(f"a{number:03}", f"Ships waited at {number}.", "Pier") for number in range(SHOWN * 2 + 5))
        found = Library(index)
        assert len(found.search(Query()).found) == SHOWN * 2 + 5
        first = found.search(Query("ships"))
        assert (len(first.found), first.has_more) == (SHOWN, True)
        assert len(found.search(Query("ships"), most=SHOWN * 3).found) == SHOWN * 2 + 5
    assert library.pages(1, 1) == ""
    shown = library.pages(2, 9)
    assert ('data-page="1"' in shown, 'data-page="3"' in shown, 'data-page="9"' in shown) == (True, True, True)
    assert 'aria-current="page">2<' in shown
    assert "Next" in library.pages(1, 1, has_more=True)


def test_a_tag_narrows_the_list_and_a_copy_counts_with_its_original(opened: Library) -> None:
    opened.index.add([Article("copy", "Ships waited at pier 1.", "Pier one", "Wire")])
    opened.index.tag(["copy", "a3"], "sea")
    assert [row.id for row in opened.find(Query(tag="SEA", sort="added"))] == ["a1", "a3"]
    assert opened.find(Query(tag="unknown")) == []


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("the disk is full; free some", "The disk is full; free some"),
        ("something is wrong", "Something is wrong"),
        ("citewire.toml is no file", "citewire.toml is no file"),
        ("https://x.example: gone", "https://x.example: gone"),
        ("'x': no article", "'x': no article"),
        ("k=0: at least one", "k=0: at least one"),
    ],
)
def test_what_follows_a_full_stop_begins_with_a_capital(message: str, shown: str) -> None:
    assert render.problem(message, failed="Not asked.").endswith(f"</strong> {shown.replace(chr(39), '&#x27;')}</div>")
