"""The parts of the page beside plain asking, in a real browser with a scripted LLM: checking an answer, the library,
what is remembered, many readers at once, hostile text, and accessibility."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from index import Article, Index
from rag import Engine
from tests.fakes import BagOfWordsEmbedder, ScriptedLLM
from tests.test_browser import BOX, PATIENCE_MS, QUESTION, REPLY, TALKS, Site, Visit, Visitor, browser, site, visit
from ui import auth, web
from ui.auth import Accounts
from ui.conversations import Conversations

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

__all__ = ["browser", "site", "visit"]  # fixtures

pytestmark = pytest.mark.browser

NAME = "input[type=text], input:not([type]), textarea"
"""Where a login is typed on Gradio's own page."""
LOSES_A_WRITE = """
const set = Storage.prototype.setItem;
let lost = 0;
Storage.prototype.setItem = function (key, value) {
  if (key === 'citewire' && !lost++) return;
  set.call(this, key, value);
};
"""
"""As Gradio does now and then while its page is being put together."""
OTHER = "Japan and Russia dispute four Kuril Islands."
MARKS = (
    "<script>{}</script>",
    "<img src=x onerror={}>",
    "<svg onload={}>",
    "<svg><script>{}</script></svg>",
    "<body onload={}>",
    "<iframe srcdoc='<script>{}</script>'>",
    "<iframe src='javascript:{}'>",
    "<object data='javascript:{}'>",
    "<embed src='javascript:{}'>",
    "<a href='javascript:{}'>x</a>",
    "<a href='data:text/html,<script>{}</script>'>x</a>",
    "<form action='javascript:{}'><button>x</button></form>",
    "<form data-act='remove' data-article='talks'><button>x</button></form>",
    "<button data-act='remove' data-article='talks'>x</button>",
    "<input autofocus onfocus={}>",
    "<select autofocus onfocus={}>",
    "<textarea autofocus onfocus={}>",
    "<details open ontoggle={}>",
    "<video src=x onerror={}></video>",
    "<audio src=x onerror={}></audio>",
    "<marquee onstart={}>x</marquee>",
    "<math><mtext><table><mglyph><style><img src=x onerror={}>",
    "<template><img src=x onerror={}></template>",
    "<style>@import 'https://evil.example/a.css'</style>",
    "<link rel=stylesheet href=https://evil.example/b.css>",
    "<meta http-equiv=refresh content='0;url=https://evil.example/'>",
    "<base href=https://evil.example/>",
    "<img src=https://evil.example/pixel.png>",
    "<img srcset=https://evil.example/set.png>",
    "<div style='background:url(https://evil.example/bg.png)'>x</div>",
    "<video poster=https://evil.example/poster.png></video>",
    "</p></section><script>{}</script>",
    "</bdi></textarea><script>{}</script>",
    '"><script>{}</script>',
    "' onmouseover={} x='",
    '" onfocus={} tabindex=0 x="',
    "--><script>{}</script>",
    "]]><script>{}</script>",
    "&lt;script&gt;{}&lt;/script&gt;",
    "&#60;script&#62;{}&#60;/script&#62;",
    "\\u003cscript\\u003e{}\\u003c/script\\u003e",
    "${{{}}}",
    "{{{{#each value}}}}{}{{{{/each}}}}",
    "{{{{{{value}}}}}}",
    "javascript:{}",
    "[x](javascript:{})",
    "![x](https://evil.example/m.png)",
    "$$\\href{{javascript:{}}}{{x}}$$",
    "<noscript><p title='</noscript><img src=x onerror={}>'>",
    "<xss autofocus tabindex=1 onfocus={}></xss>",
)
"""Places for a script, each of which has once run somewhere; `{}` is the script."""
PAYLOADS = tuple(mark.format(f"alert({number})") for number, mark in enumerate(MARKS))


def press_reader_mark(tab: Visit) -> str:
    tab.page.locator("#current .marker").first.click()
    expect(tab.page.locator("#reader mark")).to_be_in_viewport(timeout=PATIENCE_MS)
    return tab.text("#reader mark")


def answered(site: Site, visit: Visitor, *, width: int = 1100) -> Visit:
    site.gate.set()
    tab = visit(site, width)
    tab.ask(QUESTION)
    tab.finished()
    return tab


def test_a_chip_shows_its_quote_and_opens_the_article_there(site: Site, visit: Visitor) -> None:
    tab = answered(site, visit)
    chip = tab.page.locator("#current .marker").first
    chip.hover()
    tip = tab.page.locator("#current .tip").first
    expect(tip).to_be_visible(timeout=PATIENCE_MS)
    assert "broke down in 2009" in tip.inner_text()
    assert "Sputnik · 27 April 2017" in tip.inner_text()
    tab.page.keyboard.press("Escape")
    expect(tip).to_be_hidden(timeout=PATIENCE_MS)
    chip.focus()
    expect(tip).to_be_visible(timeout=PATIENCE_MS)
    words = press_reader_mark(tab)
    assert words in site.engine.index.article("talks").text
    link = tab.page.locator("#reader a").get_attribute("href")
    assert (link or "").startswith("https://news.example/talks#:~:text=")
    tab.page.locator("#reader").get_by_role("button", name="Close").click()
    expect(tab.page.locator("#reader .reading")).to_have_count(0, timeout=PATIENCE_MS)
    expect(chip).to_be_focused(timeout=PATIENCE_MS)


def test_an_answer_is_copied_as_markdown_with_its_references(site: Site, visit: Visitor) -> None:
    tab = answered(site, visit)
    tab.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    tab.page.get_by_role("button", name="Copy with references").click()
    expect(tab.page.get_by_role("button", name="Copied")).to_be_visible(timeout=PATIENCE_MS)
    copied = tab.page.evaluate("navigator.clipboard.readText()")
    assert "broke down in 2009" in copied
    assert "https://news.example/talks" in copied


def test_keys_break_a_line_edit_the_last_question_and_stop(site: Site, visit: Visitor) -> None:
    tab = answered(site, visit)
    box = tab.page.locator(BOX)
    box.fill("one")
    box.press("Shift+Enter")
    box.type("two")
    assert box.input_value() == "one\ntwo"
    box.fill("")
    box.press("ArrowUp")
    expect(box).to_have_value(QUESTION, timeout=PATIENCE_MS)
    site.gate.clear()
    site.llm.replies[:] = [OTHER]
    box.fill("Which islands do Japan and Russia dispute?")
    box.press("Enter")
    tab.expect("#current .question", "Which islands")
    tab.expect("#panel", "Evidence")
    box.press("Escape")
    tab.finished()
    tab.expect("#current .reply", "Stopped.")
    assert tab.page.locator("#conversation .exchange").count() == 1, "the edited question stands beside the old one"
    assert site.llm.prompts[-1].history == ()


def test_a_retry_takes_the_place_of_the_answer(site: Site, visit: Visitor) -> None:
    tab = answered(site, visit)
    site.llm.replies[:] = ["Putin and Abe want them to resume."]
    tab.page.get_by_role("button", name="Try again").click()
    tab.expect("#current .claim >> nth=0", "want them to resume")
    tab.finished()
    assert tab.page.locator("#conversation .exchange").count() == 1
    assert [turn.question for turn in site.llm.prompts[-1].history] == []


def test_what_was_searched_can_be_changed(site: Site, visit: Visitor) -> None:
    tab = answered(site, visit)
    assert tab.page.locator("#current .searched").count() == 0, "it is what was asked"
    tab.ask("And why?")
    tab.finished()
    tab.expect("#current .searched", "Searched for ")
    tab.page.locator("#current .searched button").click()
    expect(tab.page.locator(BOX)).to_have_value(f"{QUESTION} And why?", timeout=PATIENCE_MS)
    tab.page.get_by_role("button", name="Keep it").click()
    expect(tab.page.locator("#note .note")).to_have_count(0, timeout=PATIENCE_MS)


def test_an_article_is_found_read_removed_and_gone_from_old_answers(site: Site, visit: Visitor) -> None:
    tab = answered(site, visit)
    tab.open("Library")
    tab.page.locator("#find textarea, #find input").fill("korea")
    expect(tab.page.locator("#articles .rows > li")).to_have_count(1, timeout=PATIENCE_MS)
    tab.page.get_by_role("button", name="Talks on Korea").click()
    tab.expect("#reader .body", "broke down in 2009")
    tab.page.locator("#reader").get_by_role("button", name="Close").click()
    tab.page.locator("#articles").get_by_role("button", name="Remove").click()
    tab.page.locator("#articles").get_by_role("button", name="Remove?").click()
    tab.expect("#added", "Removed Talks on Korea.")
    assert [article.id for article in site.engine.index.articles()] == ["islands"]
    tab.open("Ask")
    tab.page.locator("#current .marker").first.click()
    tab.expect("#reader", "was removed since")
    tab.expect("#reader mark", "broke down in 2009")
    tab.page.locator("#reader").get_by_role("button", name="Close").click()
    tab.open("Library")
    tab.page.get_by_role("button", name="Undo").click()
    tab.expect("#added", "Restored.")
    tab.page.locator("#articles .title").click()
    expect(tab.page.locator("#reader mark#here")).to_have_text("Korea", timeout=PATIENCE_MS)
    tab.page.get_by_role("button", name="Ask about this article").click()
    expect(tab.page.locator(BOX)).to_be_focused(timeout=PATIENCE_MS)
    tab.expect("#searching", "Talks on Korea")


def test_what_is_asked_about_is_narrowed(site: Site, visit: Visitor) -> None:
    site.gate.set()
    tab = visit(site)
    tab.expect("#searching", "Searching all articles")
    tab.page.get_by_role("button", name="Filter").click()
    tab.page.locator("#since textarea, #since input").fill("2018")
    tab.expect("#searching", "Searching from 2018")
    tab.ask(QUESTION)
    tab.finished()
    tab.expect("#current .refusal", "No article has the outlet or the dates")
    tab.expect("#current .refusal", "Clear the filters and ask again.")
    tab.page.get_by_role("button", name="Clear filters").click()
    tab.expect("#searching", "Searching all articles")
    expect(tab.page.locator("#since textarea, #since input")).to_have_value("", timeout=PATIENCE_MS)


def test_a_ticked_box_is_seen_and_no_other_takes_its_tick(site: Site, visit: Visitor) -> None:
    site.gate.set()
    tab = visit(site)
    tab.open("Library")
    boxes = tab.page.locator("#articles input[type=checkbox]")
    expect(boxes).to_have_count(2, timeout=PATIENCE_MS)
    boxes.first.check()
    tab.expect("#searching", "Searching 1 chosen article")
    style = boxes.first.evaluate("box => [getComputedStyle(box).appearance, getComputedStyle(box).backgroundImage]")
    assert style == ["auto", "none"], "the browser's own box, which has a colour of its own where it is ticked"
    title = tab.page.locator("#articles .title").nth(1).inner_text()
    tab.page.locator("#find textarea, #find input").fill(title)
    expect(boxes).to_have_count(1, timeout=PATIENCE_MS)
    expect(boxes.first).not_to_be_checked(timeout=PATIENCE_MS)
    tab.page.locator("#find textarea, #find input").fill("")
    expect(boxes).to_have_count(2, timeout=PATIENCE_MS)
    expect(boxes.first).to_be_checked(timeout=PATIENCE_MS)
    expect(boxes.nth(1)).not_to_be_checked()


def test_a_new_chat_from_another_tab_can_be_typed_into_and_shows_what_it_searches(site: Site, visit: Visitor) -> None:
    site.gate.set()
    tab = visit(site)
    tab.open("Library")
    tab.page.locator("#articles input[type=checkbox]").first.check()
    tab.page.locator("#new").click()
    expect(tab.page.locator(BOX)).to_be_focused(timeout=PATIENCE_MS)
    expect(tab.page.locator("#searching")).to_be_visible(timeout=PATIENCE_MS)
    tab.expect("#searching", "Searching 1 chosen article")
    expect(tab.page.locator("#stop")).to_be_hidden()


def test_what_is_not_added_stays_in_the_box_and_a_file_of_this_machine_is_added(
    site: Site, visit: Visitor, tmp_path: Path
) -> None:
    site.gate.set()
    kept = tmp_path / "harbor.txt"
    kept.write_text("The harbor of Zorb closed at noon on Friday.")
    tab = visit(site)
    tab.open("Library")
    tab.page.locator("#places textarea").fill(f"{kept}\n{tmp_path / 'missing.txt'}")
    tab.page.locator("#add").click()
    tab.expect("#added", "Not added: there is no such file or folder")
    tab.expect("#added", "1 added.")
    expect(tab.page.locator("#places textarea")).to_have_value(str(tmp_path / "missing.txt"), timeout=PATIENCE_MS)
    assert "citewire" not in tab.text("#added")
    tab.page.locator("#places textarea").fill(str(kept))
    tab.page.locator("#add").click()
    tab.expect("#added", "already in the library, unchanged")


def test_a_marker_is_large_enough_for_a_finger_on_a_phone(site: Site, visit: Visitor) -> None:
    tab = answered(site, visit)
    tab.page.set_viewport_size({"width": 390, "height": 800})
    box = tab.page.locator("#current .marker").first.bounding_box()
    assert box is not None
    assert box["height"] >= 24
    assert box["width"] >= 24


def test_a_reload_finds_the_conversation_and_nobody_else_does(site: Site, visit: Visitor) -> None:
    tab = answered(site, visit)
    tab.page.get_by_role("button", name="Not helpful").click()
    tab.page.locator("#current .why input").fill("too short <b>")
    tab.page.locator("#current .why button").click()
    tab.expect("#current", "Saved, thank you: too short <b>")
    tab.page.reload()
    tab.open("Conversations")  # maybe before the page knows its owner
    tab.expect("#conversations .title", QUESTION[:20])
    tab.open("Ask")
    tab.expect("#current .claim", REPLY)  # its address names the conversation
    tab.open("Conversations")
    tab.page.locator("#conversations .title").click()
    tab.expect("#current .claim", REPLY)
    tab.expect("#current", "too short <b>")
    assert "2009" in press_reader_mark(tab)
    other = visit(site)
    other.open("Conversations")
    other.expect("#conversations", "You have not asked anything yet.")
    with Conversations(site.engine.index.home) as kept:
        assert [(one.thumb, one.reason) for one in kept.all_feedback()] == [("down", "too short <b>")]


def test_a_browser_whose_name_was_not_stored_at_first_finds_its_conversation_as_well(
    site: Site, browser: Browser, visit: Visitor
) -> None:
    site.gate.set()
    with browser.new_context() as context:
        page = context.new_page()
        page.add_init_script(LOSES_A_WRITE)
        page.goto(site.url)
        tab = Visit(page, [], [])
        tab.ask(QUESTION)
        tab.finished()
        page.wait_for_function("localStorage.getItem('citewire')", timeout=PATIENCE_MS)
        page.reload()
        tab.open("Conversations")
        tab.expect("#conversations .title", QUESTION[:20])


def test_a_conversation_is_renamed_saved_and_deleted(site: Site, visit: Visitor) -> None:
    tab = answered(site, visit)
    tab.open("Conversations")
    tab.page.locator("#conversations .rename summary").click()
    tab.page.locator("#conversations .rename input").fill("Korea & more")
    tab.page.locator("#conversations .rename button").click()
    tab.expect("#conversations .title", "Korea & more")
    tab.page.locator("#conversations .save-as summary").click()
    with tab.page.expect_download(timeout=PATIENCE_MS) as saved:
        tab.page.locator("#conversations .save-as").get_by_role("button", name="JSON", exact=True).click()
    assert re.fullmatch(r"korea-more-\d{4}-\d\d-\d\d\.json", saved.value.suggested_filename)
    assert json.loads(Path(saved.value.path()).read_text())["title"] == "Korea & more"
    tab.page.locator("#recall textarea, #recall input").fill("elephants")
    tab.expect("#conversations", "No conversation has all these words.")
    tab.page.locator("#recall textarea, #recall input").fill("2009")
    tab.page.locator("#conversations").get_by_role("button", name="Delete").click()
    tab.page.locator("#conversations").get_by_role("button", name="Delete?").click()
    tab.expect("#outcome", "Deleted Korea & more.")
    assert tab.page.locator("#conversations .title").count() == 0
    tab.page.get_by_role("button", name="Undo").click()
    tab.expect("#conversations .title", "Korea & more")
    tab.page.locator("#conversations .title").click()
    tab.expect("#current .claim", REPLY)


def test_settings_are_remembered_and_hold_for_the_next_question(
    site: Site, visit: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    stream = site.engine.stream

    def spy(question: str, **options: Any) -> Iterator[Any]:
        asked.append(options["settings"])
        return stream(question, **{**options, "settings": None})

    monkeypatch.setattr(site.engine, "stream", spy)
    site.gate.set()
    tab = visit(site)
    tab.expect("#status", "ready")
    tab.open("Settings")
    tab.page.locator("#place [data-opened]").wait_for(state="attached", timeout=PATIENCE_MS)  # its name is stored
    tab.page.wait_for_function("localStorage.getItem('citewire')", timeout=PATIENCE_MS)
    before = tab.page.evaluate("localStorage.getItem('citewire')")
    tab.page.get_by_role("radio", name="Quote the articles").check()
    tab.page.wait_for_function("before => localStorage.getItem('citewire') !== before", arg=before, timeout=PATIENCE_MS)
    tab.page.wait_for_timeout(500)
    tab.page.reload()
    tab.expect("#status", "ready")
    tab.open("Settings")
    expect(tab.page.get_by_role("radio", name="Quote the articles")).to_be_checked(timeout=PATIENCE_MS)
    tab.expect("#models", "qwen2.5-coder-1.5b")
    tab.open("Ask")
    tab.ask(QUESTION)
    tab.finished()
    assert [settings.mode for settings in asked] == ["quote"]


def test_eight_readers_are_served_in_turn_and_see_their_places(site: Site, visit: Visitor) -> None:
    """Each asks about an article of its own; the model is held until all of them know how many come first."""
    site.engine.index.add(
        [Article(f"town{n}", f"The mayor of Town{n} is Person{n}. Town{n} is small.", f"Town{n}") for n in range(8)]
    )
    site.llm.replies.clear()  # then it repeats the first passage
    tabs = [visit(site, 900, 600) for _ in range(8)]
    for number, tab in enumerate(tabs):
        tab.page.locator(BOX).fill(f"Who is the mayor of Town{number}?")
    tabs[0].page.locator("#ask").click()
    tabs[0].expect("#current .waiting", "Reading the passages… 100%")
    for tab in tabs[1:]:
        tab.page.locator("#ask").click()
    for number, tab in enumerate(tabs):
        tab.expect("#panel .passage >> nth=0", f"Town{number}")
    for tab in tabs[1:]:
        tab.expect("#current .waiting", "before you")
    places = [tab.text("#current .waiting") for tab in tabs[1:]]
    assert sorted(places) == [f"Waiting: {before} before you" for before in range(1, 8)]
    site.gate.set()
    for number, tab in enumerate(tabs):
        tab.expect("#current .reply", f"The mayor of Town{number} is Person{number}.")
        tab.finished()
        assert tab.page.locator(".exchange").count() == 1
        others = [f"Person{other}" for other in range(8) if other != number]
        assert not any(other in tab.text("#conversation") for other in others)


def test_forty_hostile_texts_stay_text_wherever_they_come_from(site: Site, visit: Visitor, tmp_path: Path) -> None:
    assert len(PAYLOADS) >= 40
    every = " ".join(PAYLOADS)
    index = site.engine.index
    index.remove(["talks"])
    index.add(
        [
            Article(f"evil{n}", f"Talks on Korea {one} broke down.", one, one, one, one, one)
            for n, one in enumerate(PAYLOADS)
        ]
    )
    index.add([Article("all", f"Talks with North Korea broke down in 2009 {every}. The end.", every, every)])
    site.llm.replies[:] = [f"Talks with North Korea broke down in 2009 {every}.", every]
    site.gate.set()
    tab = visit(site)
    for _ in range(2):
        tab.ask(f"When did the talks with North Korea break down? {every[:600]}")
        tab.finished()
    if tab.page.locator(".marker").count():
        tab.page.locator(".marker").last.click()
        expect(tab.page.locator("#reader .reading")).to_have_count(1, timeout=PATIENCE_MS)
        tab.page.keyboard.press("Escape")
    uploads = []
    for number, one in enumerate(PAYLOADS[:12]):
        upload = tmp_path / f"{number}{one.replace('/', '_')[:80]}.txt"
        upload.write_text(f"Words {one}")
        uploads.append(upload)
    tab.open("Library")
    tab.expect("#articles", "<script>")
    tab.page.locator("#upload input[type=file]").set_input_files(uploads)
    tab.expect("#added", "12 added")
    tab.page.locator("#places textarea").fill("\n".join(PAYLOADS[:20]))
    tab.page.locator("#add").click()
    tab.expect("#added", "there is no such file or folder")
    tab.open("Conversations")
    tab.expect("#conversations", "When did the talks")
    ours = "#page :is(script, img, iframe, object, embed, base, meta, link, svg script, [onerror], [onload], [onfocus])"
    assert tab.page.locator(f"{ours}, #page a[href^='javascript'], #page a[href^='data']").count() == 0
    assert tab.page.locator("[data-article=talks]").count() == 0


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_axe_finds_nothing_serious(site: Site, visit: Visitor, width: int, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    site.llm.replies[:] = [f"{REPLY} Elephants danced in 1850."]
    site.gate.set()
    tab = visit(site, width, 900, path=f"?__theme={scheme}")
    tab.expect(".start", "What you can ask")
    found = []
    for part in ("Start", "Ask", "Library", "Check", "Conversations", "Settings"):
        if part == "Ask":
            tab.ask(QUESTION)
            tab.finished()
        elif part != "Start":
            tab.open(part)
        tab.page.wait_for_timeout(700)
        for violation in Axe().run(tab.page).response["violations"]:
            if violation["impact"] in ("serious", "critical"):
                places = [(node["target"], node["any"][:1]) for node in violation["nodes"][:4]]
                found.append((part, violation["id"], places))
    assert found == []


@pytest.mark.parametrize("width", [390, 1100])
def test_nothing_is_cut_off_or_scrolls_sideways(site: Site, visit: Visitor, width: int) -> None:
    word = "x" * 300
    site.engine.index.add([Article("long", f"Talks {word}.", word, word)])
    site.llm.replies[:] = [f"{REPLY} {word.title()} danced in 1850."]
    tab = answered(site, visit, width=width)
    for part in ("Ask", "Library", "Conversations", "Settings"):
        tab.open(part)
        tab.page.wait_for_timeout(500)
        assert tab.width()[0] <= width, part
        assert tab.cut_off() == [], part
    tab.open("Ask")
    press_reader_mark(tab)
    assert tab.cut_off() == []


def test_a_login_is_asked_for_and_each_sees_its_own_conversations(
    home: Path, visit: Visitor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second login comes in the first one's browser, whose storage still holds what the page put there."""
    monkeypatch.setattr(auth, "COST", (2**8, 8, 1))
    right, file = "correct horse battery", tmp_path / "accounts"
    for name in ("ada", "bob"):
        auth.add(file, name=name, password=right)
    llm = ScriptedLLM(REPLY)
    with Index.open(home, embedder=BagOfWordsEmbedder()) as index:
        index.add([Article("talks", TALKS)])
        engine = Engine.open(index=index, llm=llm)
        demo = web.build(engine)
        try:
            url = web.launch(demo, auth=Accounts.load(file).login).rstrip("/")
            tab = visit(Site(url, engine, llm, threading.Event()), ready=NAME)
            log_in(tab, "ada", "incorrect horse battery")
            tab.expect(".gradio-container", "Incorrect Credentials")
            assert tab.page.locator(BOX).count() == 0
            log_in(tab, "ada", right)
            tab.page.locator(BOX).wait_for(timeout=PATIENCE_MS)
            tab.ask(QUESTION)
            tab.finished()
            tab.open("Conversations")
            tab.expect("#conversations .title", QUESTION[:20])
            tab.page.context.clear_cookies()
            tab.page.goto(url)
            log_in(tab, "bob", right)
            tab.page.locator(BOX).wait_for(timeout=PATIENCE_MS)
            tab.open("Conversations")
            tab.expect("#conversations", "You have not asked anything yet.")
            # The browser notes each refusal.
            tab.troubles[:] = [trouble for trouble in tab.troubles if "status of 40" not in trouble]
        finally:
            demo.close(verbose=False)


def log_in(tab: Visit, name: str, password: str) -> None:
    tab.page.locator(NAME).fill(name)
    tab.page.locator("input[type=password]").fill(password)
    tab.page.get_by_role("button", name="Login").click()
