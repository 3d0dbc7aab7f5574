"""The chat page in a real browser with a scripted LLM; the last test stops a real one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect, sync_playwright

from index import Article, Index
from rag import Engine
from rag.answer import CANNOT_ANSWER
from rag.prompt import Prompt
from tests.fakes import BagOfWordsEmbedder, ScriptedLLM
from ui import web

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page

pytestmark = pytest.mark.browser

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE_MS = 20_000
BOX = "#question textarea"
TALKS = "Six-party talks with North Korea broke down in 2009. Putin and Abe want them to resume."
ISLANDS = "Japan and Russia dispute four Kuril Islands. Abe and Putin agreed on joint research in December 2016."
CUT_OFF = """
[...document.querySelectorAll('#page *')]
  .filter((one) => one.checkVisibility() && one.getBoundingClientRect().right > innerWidth + 1)
  .map((one) => `${one.tagName}#${one.id}.${one.className}`)
"""
QUESTION = "When did the six-party talks with North Korea break down?"
REPLY = "Six-party talks with North Korea broke down in 2009."
EVIL = "<img src=https://evil.example/i.png onerror=alert(1)><script>alert(2)</script>"
PAYLOADS = (
    EVIL
    + " [link](javascript:alert(3)) ![i](https://evil.example/m.png) $$\\href{javascript:alert(4)}{x}$$"
    + " ${alert(5)} {{#each value}}{{/each}} {{{value}}} &lt;i&gt; <a href=javascript:alert(6)>x</a>"
    + " </p></section> <style>@import '//evil.example/s.css'</style> <iframe src=//evil.example></iframe>"
)


@dataclass
class Site:
    """A running page, the engine behind it, and the gate that holds its model."""

    url: str
    engine: Engine
    llm: ScriptedLLM
    gate: threading.Event


@dataclass
class Visit:
    """One browser tab, everything it asked the network for, and everything that went wrong in it."""

    page: Page
    requests: list[str]
    troubles: list[str]

    def ask(self, question: str) -> None:
        """Type a question, send it, and see it arrive in the conversation."""
        asked = self.page.locator("#conversation .exchange")
        before = asked.count()
        self.page.locator(BOX).fill(question)
        self.page.locator("#ask").click()
        expect(asked).to_have_count(before + 1, timeout=PATIENCE_MS)

    def expect(self, selector: str, text: str) -> None:
        expect(self.page.locator(selector)).to_contain_text(text, timeout=PATIENCE_MS)

    def finished(self) -> None:
        expect(self.page.locator("#ask")).to_be_enabled(timeout=PATIENCE_MS)
        expect(self.page.locator("#stop")).to_be_disabled(timeout=PATIENCE_MS)

    def open(self, name: str) -> None:
        """Turn to one of the page's parts."""
        self.page.get_by_role("tab", name=name).click()

    def refuse(self, dialog: Dialog) -> None:
        self.troubles.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def note(self, line: ConsoleMessage) -> None:
        if line.type == "error":
            self.troubles.append(f"console: {line.text}")

    def text(self, selector: str) -> str:
        return self.page.locator(selector).inner_text()

    def width(self) -> tuple[int, int]:
        return tuple(self.page.evaluate("[document.documentElement.scrollWidth, innerWidth]"))

    def cut_off(self) -> list[str]:
        """What reaches past the right edge; a wide page does not scroll there, so its width tells nothing."""
        return list(self.page.evaluate(CUT_OFF))


@pytest.fixture(scope="module")
def browser(chromium: Path) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS), headless=True)
        yield started
        started.close()


@pytest.fixture
def site(home: Path) -> Iterator[Site]:
    gate = threading.Event()
    llm = ScriptedLLM(REPLY, gate=gate)
    with Index.open(home, embedder=BagOfWordsEmbedder()) as index:
        index.add(
            [
                Article("talks", TALKS, "Talks on Korea", "Sputnik", "https://news.example/talks", "2017-04-27"),
                Article("islands", ISLANDS, "Kuril Islands", "CGTN"),
            ]
        )
        engine = Engine.open(index=index, llm=llm)
        demo = web.build(engine)
        yield Site(web.launch(demo).rstrip("/"), engine, llm, gate)
        gate.set()
        demo.close(verbose=False)


Visitor = Callable[..., Visit]


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visitor]:
    """Opens tabs of separate browsers; afterwards, none has left the page's origin or run anything odd."""
    visits: list[tuple[str, Visit]] = []

    def open_tab(site: Site, width: int = 1100, height: int = 800, *, path: str = "", ready: str = BOX) -> Visit:
        context = browser.new_context(viewport={"width": width, "height": height})
        tab = Visit(context.new_page(), [], [])
        context.on("request", lambda request: tab.requests.append(request.url))
        tab.page.on("pageerror", lambda error: tab.troubles.append(f"error: {error}"))
        tab.page.on("dialog", tab.refuse)
        tab.page.on("console", tab.note)
        visits.append((site.url, tab))
        tab.page.goto(f"{site.url}/{path}")
        tab.page.locator(ready).wait_for(timeout=PATIENCE_MS)
        return tab

    yield open_tab
    for url, tab in visits:
        tab.page.context.close()
        assert [asked for asked in tab.requests if not asked.startswith((f"{url}/", "data:", "blob:"))] == []
        assert tab.troubles == []


def test_evidence_comes_before_the_first_word_and_the_quote_is_marked(site: Site, visit: Visitor) -> None:
    tab = visit(site)
    tab.expect("#status", "2 articles · ready")
    tab.ask(QUESTION)
    tab.expect("#current .question", QUESTION)
    tab.expect("#panel", "Evidence")
    tab.expect("#panel .passage >> nth=0", "broke down in 2009")
    assert "2009" not in tab.text("#current .reply")
    site.gate.set()
    tab.finished()
    assert REPLY in tab.text("#current .claim")
    assert tab.text("#current .marker") == "[1]"
    site.llm.replies[:] = [REPLY]
    [citation] = site.engine.ask(QUESTION).citations
    assert tab.page.locator("#panel mark").first.text_content() == citation.quote
    assert citation.article.text[citation.start : citation.end] == citation.quote
    assert "Talks on Korea" in tab.text("#panel .card >> nth=0")


def test_a_marker_leads_to_its_quote(site: Site, visit: Visitor) -> None:
    site.gate.set()
    tab = visit(site, 390, 700)
    tab.ask(QUESTION)
    tab.finished()
    tab.page.locator("#current .marker").click()
    expect(tab.page.locator("#reader mark")).to_be_in_viewport(timeout=PATIENCE_MS)
    tab.page.keyboard.press("Escape")
    expect(tab.page.locator("#reader .reading")).to_have_count(0, timeout=PATIENCE_MS)


@pytest.mark.parametrize("width", [1440, 390])
def test_a_draft_is_checked_and_its_quotes_open_the_article(site: Site, visit: Visitor, width: int) -> None:
    tab = visit(site, width, 800)
    tab.page.get_by_role("tab", name="Check").click()
    tab.page.locator("#draft textarea").fill(f"The six-party talks with North Korea broke down in 2011. {EVIL}")
    tab.page.locator("#check").click()
    tab.expect("#check-report .note >> nth=0", "The article says “2009”, not “2011”.")
    assert EVIL in tab.text("#check-report .draft")
    assert tab.cut_off() == []
    tab.page.locator("#check-report [data-act=open]").first.click()
    expect(tab.page.locator("#reader mark").first).to_contain_text("2009", timeout=PATIENCE_MS)


def test_words_appear_while_the_answer_is_written(site: Site, visit: Visitor) -> None:
    class Slow:
        """A gate that lets the first words through and then holds."""

        def __init__(self) -> None:
            self.rest = threading.Event()
            self.passed = 0

        def wait(self, timeout: float) -> bool:
            self.passed += 1
            return self.passed <= 3 or self.rest.wait(timeout)

    slow = Slow()
    site.llm.gate = slow  # type: ignore[assignment]
    tab = visit(site)
    tab.ask(QUESTION)
    tab.expect("#current .writing", "Six-party talks with")
    assert "2009" not in tab.text("#current .reply")
    slow.rest.set()
    tab.finished()
    assert REPLY in tab.text("#current .claim")


def test_a_refusal_is_calm_and_says_how_to_go_on(site: Site, visit: Visitor) -> None:
    site.llm.replies[:] = [CANNOT_ANSWER]
    site.gate.set()
    tab = visit(site)
    tab.ask("Who won the talks with North Korea?")
    tab.finished()
    assert "no answer in them" in tab.text("#current .refusal")
    assert "Ask about one part of it" in tab.text("#current .refusal")
    assert tab.page.locator("mark").count() == 0


def test_an_unsupported_sentence_is_marked_in_words(site: Site, visit: Visitor) -> None:
    site.llm.replies[:] = [f"{REPLY} Elephants danced in 1850."]
    site.gate.set()
    tab = visit(site)
    tab.ask(QUESTION)
    tab.finished()
    assert "Elephants danced in 1850." in tab.text("#current .unsupported")
    assert "no supporting quote found" in tab.text("#current .flag")


def test_stop_stops_before_the_first_word_and_the_next_question_works(site: Site, visit: Visitor) -> None:
    tab = visit(site)
    tab.ask(QUESTION)
    tab.expect("#panel", "Evidence")
    tab.page.locator("#stop").click()
    tab.finished()
    tab.expect("#current .reply", "Stopped.")
    site.llm.replies[:] = [REPLY]
    site.gate.set()
    tab.ask(QUESTION)
    tab.expect("#current .claim", REPLY)
    tab.finished()
    assert "Stopped." in tab.text("#past")


def test_two_browsers_never_see_each_other(site: Site, visit: Visitor) -> None:
    site.gate.set()
    site.llm.replies[:] = [
        REPLY,
        "Japan and Russia dispute four Kuril Islands.",
        "Putin and Abe want them to resume.",
    ]
    one, two = visit(site), visit(site)
    one.ask(QUESTION)
    one.finished()
    two.ask("Which islands do Japan and Russia dispute?")
    two.finished()
    assert "2009" not in two.text("#conversation")
    assert "Kuril" not in one.text("#conversation")
    one.ask("When did the talks with North Korea resume?")
    one.finished()
    assert [turn.question for turn in site.llm.prompts[2].history] == [QUESTION]
    assert site.llm.prompts[1].history == ()


def test_a_new_chat_forgets_and_stops_what_is_running(site: Site, visit: Visitor) -> None:
    tab = visit(site)
    tab.ask(QUESTION)
    tab.expect("#panel", "Evidence")
    tab.page.locator("#new").click()
    tab.finished()
    expect(tab.page.locator("#current")).to_have_text("", timeout=PATIENCE_MS)
    site.llm.replies[:] = ["Japan and Russia dispute four Kuril Islands."]
    site.gate.set()
    tab.ask("Which islands do Japan and Russia dispute?")
    tab.expect("#current .claim", "Kuril")
    tab.finished()
    assert site.llm.prompts[-1].history == ()
    assert tab.page.locator("#past .exchange").count() == 0


def test_a_suggestion_from_the_articles_is_asked_with_one_click(site: Site, visit: Visitor) -> None:
    site.gate.set()
    site.llm.replies[:] = ["Abe and Putin agreed on joint research in December 2016."]
    tab = visit(site)
    tab.page.get_by_role("button", name="What did Abe and Putin agree on?").click()
    tab.expect("#current .claim", "joint research")
    tab.finished()
    tab.expect("#current .question", "What did Abe and Putin agree on?")
    expect(tab.page.locator("#suggestions ul")).to_be_hidden(timeout=PATIENCE_MS)


def test_a_file_is_indexed_while_an_answer_is_being_written(site: Site, visit: Visitor, tmp_path: Path) -> None:
    article = tmp_path / "Lighthouse.txt"
    article.write_text("The lighthouse of Zorbia was built in 1931 by Ada Quill.\n")
    empty = tmp_path / "empty.txt"
    empty.write_text("")
    tab = visit(site)
    tab.ask(QUESTION)
    tab.expect("#panel", "Evidence")
    tab.open("Library")
    tab.page.locator("#upload input[type=file]").set_input_files([article, empty])
    tab.expect("#added .added", "Lighthouse.txt: added")
    tab.expect("#added .failed", "empty.txt. Not added")
    assert tab.page.locator("#current .marker").count() == 0
    tab.open("Ask")
    site.llm.replies[:] = ["The lighthouse of Zorbia was built in 1931."]
    site.gate.set()
    tab.finished()
    tab.ask("When was the lighthouse of Zorbia built?")
    tab.expect("#current .claim", "The lighthouse of Zorbia was built in 1931.")
    tab.finished()
    assert (site.engine.index.home / "uploads" / "Lighthouse.txt").read_text() == article.read_text()


def test_hostile_text_from_everywhere_stays_text(site: Site, visit: Visitor, tmp_path: Path) -> None:
    text = f"Talks with North Korea broke down in 2009 {PAYLOADS}. More words follow here."
    site.engine.index.remove(["talks"])
    site.engine.index.add([Article("evil", text, PAYLOADS, EVIL, "javascript:alert(7)", f"2017 {EVIL}")])
    site.llm.replies[:] = [f"Talks with North Korea broke down in 2009 {PAYLOADS}.", f"{PAYLOADS} in 1850."]
    upload = tmp_path / f"{EVIL.replace('/', '_')}.txt"
    upload.write_text("Words about nothing much.")
    site.gate.set()
    tab = visit(site)
    for _ in range(2):
        tab.ask(f"{PAYLOADS} When did the talks with North Korea break down?")
        tab.finished()
    tab.open("Library")
    tab.page.locator("#upload input[type=file]").set_input_files(upload)
    tab.expect("#added", "added")
    assert "<script>alert(2)</script>" in tab.text("#past")
    assert "<img src=https://evil.example/i.png onerror=alert(1)>" in tab.text("#panel")
    assert "${alert(5)} {{#each value}}{{/each}}" in tab.text("#panel")
    ours = tab.page.locator("#page :is(script, img, iframe, style, [onerror], a[href^='javascript'])")
    assert ours.count() == 0


def test_every_control_has_a_name_and_changes_are_announced(site: Site, visit: Visitor) -> None:
    tab = visit(site)
    expect(tab.page.get_by_role("textbox", name="Your question")).to_be_visible(timeout=PATIENCE_MS)
    expect(tab.page.locator("#stop")).to_be_hidden()
    for name in ("Ask", "New chat"):
        expect(tab.page.get_by_role("button", name=name, exact=True)).to_be_visible(timeout=PATIENCE_MS)
    for region in ("#status", "#current", "#note"):
        assert tab.page.locator(f"{region} [aria-live=polite]").count() == 1, region


def test_a_phone_needs_no_sideways_scrolling(site: Site, visit: Visitor) -> None:
    word = "x" * 400
    site.engine.index.add([Article("long", f"Talks with North Korea broke down in 2009 {word}.", word, word)])
    site.llm.replies[:] = [f"Talks with North Korea broke down in 2009 {word}."]
    site.gate.set()
    tab = visit(site, 390, 844)
    assert tab.width()[0] <= 390
    tab.ask(f"{QUESTION} {word}")
    tab.finished()
    assert tab.width()[0] <= 390
    for control in ("#question", "#ask", "#new"):  # Stop is hidden while nothing runs
        box = tab.page.locator(control).bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390, control


def test_the_page_is_there_while_the_models_load(home: Path, visit: Visitor) -> None:
    hold = threading.Event()
    llm = ScriptedLLM(REPLY)
    with Index.open(home, embedder=BagOfWordsEmbedder()) as index:
        index.add([Article("talks", TALKS)])
        engine = Engine.open(index=index, llm=llm)

        def slowly() -> Engine:
            hold.wait(60)
            return engine

        demo = web.build(slowly)
        try:
            tab = visit(Site(web.launch(demo).rstrip("/"), engine, llm, hold))
            tab.expect("#status", "Loading the models")
            tab.ask(QUESTION)
            tab.expect("#current .question", QUESTION)
            hold.set()
            tab.expect("#current .claim", REPLY)
            tab.finished()
            tab.expect("#status", "1 article · ready")
            expect(tab.page.locator("#suggestions")).to_be_hidden(timeout=PATIENCE_MS)
        finally:
            hold.set()
            demo.close(verbose=False)


@pytest.mark.model
def test_stop_ends_a_real_model_at_the_word_it_is_at(
    home: Path, visit: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    from index.models import locate
    from rag.llm.llama import LlamaCpp

    llm = LlamaCpp.load(locate("smollm2-135m", "llm"), name="smollm2-135m")
    tokens, go = [], threading.Event()
    likeliest = llm._native.likeliest

    def slowly(*arguments: Any, **options: Any) -> int:
        tokens.append(likeliest(*arguments, **options))
        if len(tokens) == 4:
            go.wait(60)
        return tokens[-1]

    monkeypatch.setattr(llm._native, "likeliest", slowly)
    monkeypatch.setattr(Engine, "words_per_s", lambda *_: 10.0)  # which writes as well, while nobody asks
    with Index.open(home, embedder=BagOfWordsEmbedder()) as index:
        index.add([Article("talks", TALKS, "Talks on Korea")])
        engine = Engine.open(index=index, llm=llm)
        demo = web.build(engine)
        try:
            tab = visit(Site(web.launch(demo).rstrip("/"), engine, llm, go))  # type: ignore[arg-type]
            tab.ask(QUESTION)
            expect(tab.page.locator("#current .writing")).not_to_be_empty(timeout=PATIENCE_MS)
            tab.page.locator("#stop").click()
            tab.finished()
            tab.expect("#current .reply", "Stopped.")
            go.set()
            llm.judge(Prompt("", (), (), "Yes?"), cancel=threading.Event())  # when it is done with what came before
            assert len(tokens) == 4, "it went on after it was stopped"
            tab.ask(QUESTION)
            tab.finished()
            assert "Stopped." not in tab.text("#current .reply")
            assert len(tokens) > 4
        finally:
            go.set()
            demo.close(verbose=False)
            llm.close()
