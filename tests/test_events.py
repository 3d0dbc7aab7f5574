"""Every event of the page, sent by hand: what it may act on, and what a payload that the page would not send gets."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from http.cookiejar import CookieJar
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.measures.events import fuzz
from index import Article, Index, InputError, ModelError
from rag import Engine
from tests.fakes import BagOfWordsEmbedder, ScriptedLLM
from ui import event_queue, session, uploads, web
from ui.backend import Backend
from ui.conversations import Conversations
from ui.folders import Folders
from ui.owners import Owners
from ui.payload import Field, Shape, cleaned
from ui.session import Exchange, Sessions
from ui.web.page import Page, shapes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import gradio as gr

    from ui.auth import Role

SHOWN, UNSHOWN = "talks", "hidden"
QUESTION = "When did the talks break down?"


@dataclass(frozen=True)
class Row:
    """One event: its inputs, what it may act on, and what a payload gets that names anything else."""

    inputs: str
    acts_on: str
    else_gets: str
    details: dict[str, Any] | None = None


LIST = "find, outlet, tag, from, to, order"
SCOPE = "outlet, from, to"
NO_SCOPE = ("", "", "")
REFUSED = "refused at the door (422)"
NOTHING = "nothing happens"
TABLE = {
    "ask.click": Row(f"question, memory, {SCOPE}", "its own tab", "cut to 1,000 characters; other types: refused"),
    "question.submit": Row(f"question, memory, {SCOPE}", "its own tab", "as ask.click"),
    "bus.ask": Row(f"memory, {SCOPE}; question", "its own tab", "as ask.click", {"question": QUESTION}),
    "bus.retry": Row(f"memory, {SCOPE}; exchange", "an exchange of its tab", NOTHING, {"exchange": "99"}),
    "stop.click": Row("", "the running question of its tab", NOTHING),
    "new.click": Row("memory", "its own tab", "it is begun anew"),
    "bus.edit": Row("; exchange, query", "an exchange of its tab", NOTHING, {"exchange": "-1"}),
    "bus.keep": Row("", "its own tab", NOTHING),
    "bus.summarize": Row(f"memory, {SCOPE}; article", "what its tab shows", "an error", {"article": UNSHOWN}),
    "bus.about": Row("; article", "what its tab shows", "an error", {"article": UNSHOWN}),
    "bus.save": Row(
        "memory; exchange, conversation, check, format",
        "what its tab shows, or one of its owner",
        "an error",
        {"exchange": "99", "format": "csv"},
    ),
    "briefings-tab.select": Row("memory", "briefings of its owner", "an empty list"),
    "brief-add.click": Row("question, memory", "briefings of its owner", "refused as a question is"),
    "bus.brief": Row("memory; briefing", "one of its owner", "an error", {"briefing": "x"}),
    "bus.briefed": Row("memory; briefing", "one of its owner", "an error", {"briefing": "x"}),
    "bus.unbrief": Row("memory; briefing", "one of its owner", "an error", {"briefing": "x"}),
    "bus.open": Row(
        "memory; article, exchange, quote, find, start, end", "what its tab shows", "an error", {"article": UNSHOWN}
    ),
    "bus.showpage": Row("; article, start, end, page", "what its tab shows", "an error", {"article": UNSHOWN}),
    "bus.visit": Row(
        "memory; article, start, end, conversation, briefing",
        "any article of the library, a conversation of its owner",
        "a sentence",
        {"article": "none", "conversation": "none", "briefing": "none"},
    ),
    "bus.close": Row("", "its own tab", NOTHING),
    "check.click": Row(f"draft, {SCOPE}", "its own tab", "checked as text; other types: refused"),
    "check-stop.click": Row("", "the running question or check of its tab", NOTHING),
    "draft-file.upload": Row("files", "files that the server took in", REFUSED),
    "find.change": Row(LIST, "the list of its tab", "read as text; a wrong date is told"),
    "of.change": Row(LIST, "the list of its tab", "as find.change"),
    "tagged.change": Row(LIST, "the list of its tab", "as find.change"),
    "after.change": Row(LIST, "the list of its tab", "as find.change"),
    "before.change": Row(LIST, "the list of its tab", "as find.change"),
    "sort.change": Row(LIST, "the list of its tab", "as find.change"),
    "library-tab.select": Row(LIST, "the list of its tab", "as find.change"),
    "drop.upload": Row(f"files, {LIST}, {SCOPE}", "files that the server took in; editors", REFUSED),
    "upload.upload": Row(f"files, {LIST}, {SCOPE}", "files that the server took in; editors", REFUSED),
    "add.click": Row(f"places, {LIST}, {SCOPE}", "addresses and allowed folders; editors", "told line by line"),
    "cancel.click": Row("", "what its tab is adding", NOTHING),
    "bus.remove": Row(f"{LIST}, {SCOPE}; article", "an id its tab was shown; editors", "an error", {"article": "/"}),
    "bus.restore": Row(
        f"{LIST}, {SCOPE}; article", "what its person removed; editors", "an error", {"article": UNSHOWN}
    ),
    "bus.removechosen": Row(f"{LIST}, {SCOPE};", "what its tab has chosen; editors", "an error", {}),
    "bus.turn": Row(f"{LIST}; page", "the list of its tab", "the page before", {"page": "-1"}),
    "bus.chooseall": Row(f"{LIST}, {SCOPE}", "what its tab looks for", NOTHING),
    "bus.correct": Row(
        f"{LIST}, {SCOPE}; article, title, source, published, tags, reset",
        "an id its tab was shown; editors",
        "an error",
        {"article": UNSHOWN, "title": "x", "tags": "x"},
    ),
    "bus.tag": Row(
        f"{LIST}, {SCOPE}; tag, how", "what its tab has chosen; editors", "an error", {"tag": "x", "how": "tag"}
    ),
    "bus.reread": Row(f"{LIST}, {SCOPE}; source", "a remembered source; editors", "an error", {"source": "/etc"}),
    "bus.forget": Row(f"{LIST}, {SCOPE}; source", "a remembered source; editors", "an error", {"source": "/etc"}),
    "bus.choose": Row(f"{SCOPE}; article, checked", "an id its tab was shown", NOTHING, {"article": UNSHOWN}),
    "bus.unpick": Row(f"{SCOPE}; article", "what its tab has chosen", NOTHING, {"article": UNSHOWN}),
    "bus.narrow": Row(f"{SCOPE}; tag", "a tag that there is", NOTHING, {"tag": "x"}),
    "bus.unchoose": Row(LIST, "what its tab has chosen", NOTHING),
    "outlet.change": Row(SCOPE, "a label of its tab", "read as text"),
    "since.change": Row(SCOPE, "a label of its tab", "read as text"),
    "until.change": Row(SCOPE, "a label of its tab", "read as text"),
    "conversations-tab.select": Row("recall, memory", "conversations of its owner", "an empty list"),
    "recall.change": Row("recall, memory", "conversations of its owner", "an empty list"),
    "bus.conversations": Row("recall, memory", "conversations of its owner", "nothing"),
    "bus.briefings": Row("memory", "briefings of its owner", "nothing"),
    "bus.reopen": Row("memory; conversation", "one of its owner", "an error", {"conversation": "x"}),
    "bus.remember": Row("memory", "the name of its browser", "a new name"),
    "bus.rename": Row("recall, memory; conversation, title", "one of its owner", "an error", {"conversation": "x"}),
    "bus.delete": Row("recall, memory; conversation", "one of its owner", "an error", {"conversation": "x"}),
    "bus.undo": Row("recall, memory; conversation", "what its tab deleted last", "an error", {"conversation": "x"}),
    "bus.rate": Row("memory; exchange, thumb, reason", "a kept exchange of its tab", NOTHING, {"exchange": "7"}),
    "model.input": Row("memory, model, mode, caution, length", "the browser's own memory", "cut to what we keep"),
    "mode.input": Row("memory, model, mode, caution, length", "the browser's own memory", "as model.input"),
    "caution.input": Row("memory, model, mode, caution, length", "the browser's own memory", "as model.input"),
    "length.input": Row("memory, model, mode, caution, length", "the browser's own memory", "as model.input"),
    "settings-tab.select": Row("", "nothing", NOTHING),
    "bus.pull": Row("; model", "a model of models.txt; editors", "an error", {"model": "/etc/passwd"}),
    "page.load": Row("memory", "the browser's own memory", "a new name unless it was made here"),
}
"""Every event that a client may send, by the element and the trigger."""
FOREIGN = {
    "null": None, "a number": 7, "a huge number": 10**400, "a negative one": -1, "true": True, "a list": ["talks"],
    "a dict": {"article": "talks"}, "nested": [[[[[[[["/"]]]]]]]], "an update": {"__type__": "update", "value": "x"},
    "a file": {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}, "10 MB": "x" * 10_000_000,
    "the root": "/", "a path": "uploads", "a lone surrogate": "talks\ud800", "nothing": "", "another": UNSHOWN,
    "an id in a path": "/talks", "a float": 1.5, "many": ["x"] * 100_000,
}  # fmt: skip
"""Values for every place of an event."""


def names(demo: gr.Blocks) -> dict[str, int]:
    """The events of a page, each with its number."""
    known = {}
    for number, event in demo.fns.items():
        if number in shapes(demo):
            for block, trigger in event.targets:
                known[f"{getattr(demo.blocks.get(block), 'elem_id', None) or 'page'}.{trigger}"] = number
    return known


class Http:
    """A client with the cookies of one browser, and the events of a page by their names."""

    def __init__(self, url: str, demo: gr.Blocks, *, tab: str = "tab") -> None:
        self.address, _, query = url.partition("?")
        self.address = self.address.rstrip("/")
        self.demo, self.tab, self.numbers = demo, tab, names(demo)
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        with self.opener.open(f"{self.address}/?{query}", timeout=30) as reply:
            self.front = reply.read().decode()
        with self.opener.open(f"{self.address}/", timeout=30):
            pass

    def login(self, name: str, password: str) -> None:
        self.opener.open(f"{self.address}/login", f"username={name}&password={password}".encode(), timeout=60).close()

    def post(self, path: str, body: Any) -> tuple[int, Any]:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        asked = urllib.request.Request(
            f"{self.address}/gradio_api/{path}", content, {"Content-Type": "application/json"}
        )
        try:
            with self.opener.open(asked, timeout=60) as reply:
                return reply.status, json.loads(reply.read())
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except urllib.error.URLError:  # closed before all of it was sent
            return 413, ""

    def body(self, name: str, data: list[Any], details: Any = None, *, tab: str | None = None) -> dict[str, Any]:
        return {
            "fn_index": self.numbers[name], "data": data, "event_data": details, "session_hash": tab or self.tab,
            "trigger_id": None,
        }  # fmt: skip

    def send(self, name: str, data: list[Any], details: Any = None, *, tab: str | None = None) -> tuple[int, str]:
        """Send an event and return what it gives back, as text."""
        body = self.body(name, data, details, tab=tab)
        if not self.demo.fns[self.numbers[name]].queue:
            status, told = self.post("run/predict", body)
            return status, json.dumps(told)
        status, told = self.post("queue/join", body)
        return (status, self.stream(tab or self.tab)) if status == 200 else (status, str(told))

    def stream(self, tab: str) -> str:
        """What the events of a tab give back until all are over."""
        try:
            with self.opener.open(f"{self.address}/gradio_api/queue/data?session_hash={tab}", timeout=60) as events:
                return str(events.read().decode())
        except urllib.error.HTTPError as error:
            return f"{error.code}"


@dataclass
class Site:
    """A running page with two articles, of which a list can be asked for."""

    url: str
    demo: gr.Blocks
    page: Page
    engine: Engine
    llm: ScriptedLLM
    clients: list[Http] = field(default_factory=list)

    def client(self, tab: str = "tab") -> Http:
        return Http(self.url, self.demo, tab=tab)

    def ids(self) -> list[str]:
        return [article.id for article in self.engine.index.articles()]


def articles() -> list[Article]:
    return [
        Article(SHOWN, "The talks broke down in 2009. They were held in Beijing.", "Talks end", "Sputnik"),
        Article(UNSHOWN, "A lighthouse was built in 1931.", "Lighthouse", "Post"),
    ]


@pytest.fixture
def serving(home: Path) -> Iterator[Callable[..., Site]]:
    """Serves pages over the home of this test."""
    with Index.open(home, embedder=BagOfWordsEmbedder()) as index:
        index.add(articles())
        pages: list[gr.Blocks] = []

        def serve(*, role: Callable[[str], Role] | None = None, auth: Any = None, gate: Any = None) -> Site:
            llm = ScriptedLLM(gate=gate)
            engine = Engine.open(index=index, llm=llm)
            page = Page(Backend(engine), folders=Folders((), anywhere=False), role=role)
            demo = page.blocks()
            pages.append(demo)
            return Site(web.launch(demo, auth=auth), demo, page, engine, llm)

        yield serve
        for demo in pages:
            demo.close(verbose=False)


@pytest.fixture
def site(serving: Callable[..., Site]) -> Site:
    return serving()


def find(client: Http, text: str = "talks") -> tuple[int, str]:
    return client.send("find.change", [text, "", "", "", "", "newest"])


def inputs(site: Site, name: str) -> list[Any]:
    """What the page sends with an event when nothing was filled in."""
    plain = {"text": "", "number": 0.5, "memory": None, "files": None}
    shape = shapes(site.demo)[names(site.demo)[name]]
    return [one.choices[0] if one.choices else plain[one.kind] if one.most == 1 or one.kind != "number" else 64
            for one in shape.inputs]  # fmt: skip


def test_every_event_of_the_page_has_its_row(site: Site) -> None:
    assert set(names(site.demo)) == set(TABLE)
    taken = {name: len(row.inputs.split(";")[0].split(",")) if row.inputs.split(";")[0].strip() else 0
             for name, row in TABLE.items()}  # fmt: skip
    known = shapes(site.demo)
    assert {name: len(known[number].inputs) for name, number in names(site.demo).items()} == taken
    with_details = {name for name, number in names(site.demo).items() if known[number].has_details}
    assert with_details == {name for name, row in TABLE.items() if row.details is not None}


def test_an_event_with_anything_in_it_changes_nothing(site: Site, capfd: pytest.CaptureFixture[str]) -> None:
    client = site.client()
    find(client)
    before = (site.ids(), site.engine.index.stats().sources)
    capfd.readouterr()
    for place, (name, row) in enumerate(TABLE.items()):
        # All values for what deletes, and for each other event some of them: all in all, each several times.
        every = 1 if name in ("bus.remove", "bus.delete") else 5
        data = inputs(site, name)
        tried: list[tuple[list[Any], Any]] = [(data, row.details), (data[:-1], None), ([*data, ""], row.details)]
        for value in [*FOREIGN.values()][place % every :: every]:
            wrong = data.copy()
            wrong[place % len(data) if data else 0 : place % len(data) + 1 if data else 0] = [value]
            tried.append((wrong, row.details))
            if row.details is not None and name != "bus.ask":
                tried.append((data, value))
                tried.append((data, dict.fromkeys(("article", "exchange", "conversation", "model"), value)))
        for count, (sent, details) in enumerate(tried):
            # Removing answers with the list, of which the tab then may remove: each attempt is of a tab that saw none.
            client.tab = f"tab{count}" if name in ("bus.remove", "bus.removechosen") else "tab"
            status, told = client.send(name, sent, details)
            assert status in (200, 413, 422), (name, status, told[:200])
            assert "Traceback" not in told, name
        assert (site.ids(), site.engine.index.stats().sources) == before, name
        printed = capfd.readouterr()
        assert "Traceback" not in printed.err + printed.out, (name, printed.err[-2000:])


def test_only_an_article_that_the_tab_was_shown_is_removed(site: Site) -> None:
    client = site.client()
    remove = ["", "", "", "", "", "newest", *NO_SCOPE]
    for wanted in (
        "/",
        ".",
        "",
        SHOWN,
        UNSHOWN,
        [SHOWN],
        {"a": SHOWN},
        None,
        True,
        f" {SHOWN}",
        "uploads",
        "https://x",
    ):
        client.send("bus.remove", remove, {"article": wanted})
        client.tab = f"{client.tab}-"  # the answer has a list: the next is a tab that has seen none
    assert site.ids() == [SHOWN, UNSHOWN]
    find(client)
    assert "does not show that article" in client.send("bus.remove", remove, {"article": UNSHOWN})[1]
    other = site.client(client.tab)
    assert "does not show that article" in other.send("bus.remove", remove, {"article": SHOWN})[1]
    assert "Removed <bdi>Talks end</bdi>" in client.send("bus.remove", remove, {"article": SHOWN})[1]
    assert site.ids() == [UNSHOWN]
    assert "removed too long ago" in other.send("bus.restore", remove, {"article": SHOWN}, tab="other")[1]
    assert "Restored." in client.send("bus.restore", remove, {"article": SHOWN})[1]
    assert site.ids() == [UNSHOWN, SHOWN]


def test_only_articles_that_the_tab_was_shown_are_opened_and_chosen(site: Site) -> None:
    client = site.client()
    find(client)
    assert "does not show that article" in client.send("bus.open", [None], {"article": UNSHOWN})[1]
    assert "Beijing" in client.send("bus.open", [None], {"article": SHOWN})[1]
    assert "does not show that article" in client.send("bus.showpage", [], {"article": UNSHOWN})[1]
    assert "no file is known" in client.send("bus.showpage", [], {"article": SHOWN, "page": "-1", "start": "x"})[1]
    assert "chosen" not in client.send("bus.choose", ["", "", ""], {"article": UNSHOWN, "checked": True})[1]
    assert "1 chosen article" in client.send("bus.choose", ["", "", ""], {"article": SHOWN, "checked": True})[1]


def test_an_article_that_the_tab_was_shown_is_summarised_and_chosen(site: Site) -> None:
    client = site.client()
    find(client)
    scope = [None, "", "", ""]
    assert "does not show that article" in client.send("bus.summarize", scope, {"article": UNSHOWN})[1]
    sent = client.send("bus.summarize", scope, {"article": SHOWN})[1]
    assert "One sentence of" in sent
    assert "lighthouse" not in sent
    assert "One sentence of" in client.send("bus.retry", scope, {"exchange": "1", "limit": "3"})[1]
    assert "talks" in client.send("bus.save", [None], {"exchange": "1", "format": "csv"})[1]
    assert "1 chosen article" in client.send("bus.about", [], {"article": SHOWN})[1]


def test_a_model_server_that_dies_half_way_leaves_the_conversation_as_it_was(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, scope = site.client(), [None, "", "", ""]
    store, alive = site.page.backend.conversations(), site.llm.stream

    def dies(*asked: Any, **options: Any) -> Iterator[str]:
        yield next(iter(alive(*asked, **options)))
        raise ModelError("127.0.0.1:8080 broke off; look whether the model server at http://127.0.0.1:8080/v1 runs")

    def held() -> tuple[list[str], list[str]]:
        [session] = site.page.frame.sessions._known.values()
        owner = site.page.backend.owners().owner(session.owner)
        [summary] = store.list(owner)
        kept = store.get(summary.id, owner)
        return [turn.question for turn in session.history()], [one.question for one in kept.turns]

    first, second = "When did the talks break down?", "Where were the talks held?"
    client.send("ask.click", [first, *scope])
    client.send("ask.click", [second, *scope])
    before = held()
    assert before == ([first, second], [first, second])

    monkeypatch.setattr(site.llm, "stream", dies)
    shown = client.send("ask.click", ["Who held the talks?", *scope])[1]
    assert "The question could not be answered." in shown
    assert "look whether the model server at http://127.0.0.1:8080/v1 runs" in shown
    assert held() == before

    shown = client.send("bus.retry", scope, {"exchange": "1"})[1]
    assert "The question could not be answered." in shown
    assert held() == before
    client.send("bus.edit", [], {"exchange": "2"})
    last = client.send("ask.click", ["Where did they end?", *scope])[1].split("process_completed")[-1]
    assert "Where did they end?" in last
    assert second in last
    assert held() == before

    monkeypatch.setattr(site.llm, "stream", alive)
    client.send("bus.retry", scope, {"exchange": "2"})
    assert held() == before
    client.send("bus.retry", scope, {"exchange": "1"})
    assert held() == ([first], [first])


def test_what_is_no_event_is_refused_without_a_word_in_the_log(site: Site, capfd: pytest.CaptureFixture[str]) -> None:
    client = site.client()
    capfd.readouterr()
    for body in (
        b"", b"[]", b"null", b"{", b"[" * 100_000, b'{"fn_index": 1e999}', b'{"data": NaN}', b"9" * 5000, b"\xff\xfe",
        b'{"fn_index": "0", "data": [], "session_hash": "x"}', b'{"fn_index": true, "data": [], "session_hash": "x"}',
        b'{"fn_index": 3, "data": [], "session_hash": ["x"]}', b'{"fn_index": 3, "data": [], "session_hash": ""}',
        b'{"fn_index": 0, "data": [], "session_hash": "x"}', b'{"fn_index": -1, "data": [], "session_hash": "x"}',
    ):  # fmt: skip
        for path in ("queue/join", "run/predict", "cancel"):
            assert client.post(path, body)[0] == 422, body[:80]
    assert capfd.readouterr() == ("", "")
    assert len(site.page.frame.sessions) == 0


def test_an_event_is_rebuilt_from_what_the_page_sends() -> None:
    known = {0: Shape((Field("memory"), Field("text"), Field("number", least=0, most=1)), has_details=True)}
    sent = {
        "fn_index": 0, "session_hash": "tab", "trigger_id": "x", "simple_format": True, "oauth_token": "x",
        "data": [{"owner": ["x"], "settings": {"caution": 1, "more": {}, "mode": "quote"}, "__type__": "update"},
                 "a\ud800", 1],
        "event_data": {"article": "a", "checked": True},
    }  # fmt: skip
    assert cleaned(sent, known) == {
        "data": [{"owner": None, "settings": {"caution": 1, "mode": "quote"}}, "a?", 1],
        "event_data": {"article": "a", "checked": True}, "fn_index": 0, "session_hash": "tab", "trigger_id": None,
    }  # fmt: skip
    for place, value in ((1, 1), (1, ["x"]), (2, "1"), (2, True), (2, 2), (2, -0.1)):
        data: list[Any] = [None, "", 1.0]
        data[place] = value
        with pytest.raises(InputError):
            cleaned({**sent, "data": data}, known)
    wrong: tuple[Any, ...] = ({"a": 1}, {"a": None}, {"a": {}}, ["a"], "a", {str(number): "" for number in range(100)})
    for details in wrong:
        with pytest.raises(InputError):
            cleaned({**sent, "event_data": details}, known)


def test_a_file_of_an_upload_is_its_path_alone() -> None:
    known = {0: Shape((Field("files"),))}
    sent = {"path": "/cache/a.txt", "url": "http://127.0.0.1/", "is_stream": True, "meta": {"_type": "x"}, "more": {}}
    event = {"fn_index": 0, "session_hash": "tab", "data": [[sent]]}
    told = cleaned(event, known, is_uploaded=lambda path: path == "/cache/a.txt")
    assert told["data"] == [[{"path": "/cache/a.txt", "meta": {"_type": "gradio.FileData"}}]]
    for wrong in ([sent | {"path": "/etc/passwd"}], [sent | {"path": 1}], [None], ["x"], "x", [sent] * 1001):
        with pytest.raises(InputError):
            cleaned({**event, "data": [wrong]}, known, is_uploaded=lambda path: path == "/cache/a.txt")


def test_hundreds_of_hand_made_events_act_on_nothing_that_was_not_shown() -> None:
    tally = fuzz(400, over_http=100, seed=1)
    assert tally.wrong == []
    assert tally.sent == 500


def test_another_browser_that_knows_the_tab_gets_nothing_of_it(serving: Callable[..., Site]) -> None:
    gate = threading.Event()
    site = serving(gate=gate)
    mine, other = site.client("known"), site.client("known")
    ask = [QUESTION, None, "", "", ""]
    status, joined = mine.post("queue/join", mine.body("ask.click", ask))
    assert status == 200
    assert _until(lambda: site.llm.prompts)
    heard = other.stream("known")
    assert "talks" not in heard
    assert "session_not_found" in heard or heard == "404"
    other.send("stop.click", [])
    number = mine.numbers["ask.click"]
    other.post("cancel", {"session_hash": "known", "fn_index": number, "event_id": joined["event_id"]})
    other.post("reset", {"event_id": joined["event_id"]})
    for path in (f"call/x/{joined['event_id']}", "heartbeat/known"):
        _touch(other, path)
    assert "2009" not in other.send("bus.edit", [], {"exchange": "1"})[1]
    assert QUESTION not in other.send("bus.edit", [], {"exchange": "1"})[1]
    other.send("new.click", [])
    gate.set()
    assert "2009" in mine.stream("known")
    assert QUESTION in mine.send("bus.edit", [], {"exchange": "1"})[1]


def test_another_login_gets_nothing_of_a_tab_that_it_knows(serving: Callable[..., Site]) -> None:
    site = serving(auth=lambda _, word: word == "right", role=lambda _: "reader")
    mine, other = site.client("known"), site.client("known")
    mine.login("ann", "right")
    other.login("bob", "right")
    mine.send("ask.click", [QUESTION, None, "", "", ""])
    assert QUESTION in mine.send("bus.edit", [], {"exchange": "1"})[1]
    assert QUESTION not in other.send("bus.edit", [], {"exchange": "1"})[1]
    assert "1 question" in mine.send("conversations-tab.select", ["", None])[1]
    assert "1 question" not in other.send("conversations-tab.select", ["", None])[1]
    nobody = site.client("known")
    assert nobody.post("run/predict", nobody.body("stop.click", []))[0] == 401
    with pytest.raises(urllib.error.HTTPError, match="401"):
        nobody.opener.open(f"{nobody.address}/gradio_api/heartbeat/known", timeout=10)


def test_readers_ask_and_editors_add_and_remove(serving: Callable[..., Site]) -> None:
    roles: dict[str, Role] = {"ann": "editor", "bob": "reader"}
    site = serving(auth=lambda _, word: word == "right", role=lambda name: roles[name])
    editor, reader = site.client(), site.client()
    editor.login("ann", "right")
    reader.login("bob", "right")
    listed, fields = find(reader)[1], ["", "", "", "", "", "newest", *NO_SCOPE]
    assert 'data-act=\\"open' in listed.replace('\\\\"', '\\"')
    assert "remove" not in listed
    assert "remove" in find(editor)[1]
    assert '"visible":false' in reader.send("page.load", [None])[1].replace(" ", "")
    for name, data, details in (
        ("bus.remove", fields, {"article": SHOWN}),
        ("add.click", ["https://news.example/", *fields], None),
        ("bus.pull", [], {"model": "smollm2-135m"}),
        ("upload.upload", [[], *fields], None),
    ):
        assert "login is a reader" in reader.send(name, data, details)[1] or name == "upload.upload"
    assert site.ids() == [SHOWN, UNSHOWN]
    assert "2009" in reader.send("ask.click", [QUESTION, None, "", "", ""])[1]
    roles["ann"] = "reader"  # the role of the moment counts, whatever the tab was shown
    assert "login is a reader" in editor.send("bus.remove", fields, {"article": SHOWN})[1]
    roles["ann"] = "editor"
    assert "Removed <bdi>" in editor.send("bus.remove", fields, {"article": SHOWN})[1]


def test_a_login_without_a_role_is_a_readers(serving: Callable[..., Site]) -> None:
    site = serving(auth=lambda name, password: True)
    client = site.client()
    client.login("ann", "x")
    find(client)
    assert (
        "login is a reader"
        in client.send("bus.remove", ["", "", "", "", "", "newest", *NO_SCOPE], {"article": SHOWN})[1]
    )


def test_a_name_of_a_browser_counts_only_if_it_was_made_here(tmp_path: Path) -> None:
    kept: set[str] = set()
    owners = Owners(tmp_path, has_kept=kept.__contains__)
    name = owners.new()
    plain, signature = name.split(".")
    assert owners.owner(name) == f"browser:{plain}"
    assert owners.renewed(name) == name
    assert (tmp_path / "browsers.key").stat().st_mode & 0o777 == 0o600
    for forged in (plain, f"{plain}.", f"{plain}.{'A' * 22}", f"{'A' * 32}.{signature}", "x" * 16, "x" * 32, "", None,
                   7, [name], {"owner": name}, f"{name} ", f"{name}\n", name[:-1], name * 100):  # fmt: skip
        assert owners.owner(forged) == "", forged
        assert owners.renewed(forged) is None
    old = "Zx" * 16  # as browsers hold it from before names were signed
    kept.add(f"browser:{old}")
    assert owners.owner(old) == f"browser:{old}"
    assert Owners(tmp_path, has_kept=lambda _: False).owner(owners.renewed(old)) == f"browser:{old}"
    (tmp_path / "browsers.key").unlink()  # whoever has conversations keeps them
    assert Owners(tmp_path, has_kept=kept.__contains__).owner(owners.renewed(old)) == f"browser:{old}"


def named(reply: str) -> str:
    """The name that a browser is given."""
    return str(re.findall(r"[A-Za-z0-9_-]{32}\.[A-Za-z0-9_-]{22}", reply)[0])


def test_a_short_guessed_or_forged_owner_finds_and_keeps_nothing(site: Site, home: Path) -> None:
    mine, other = site.client(), site.client()
    owner = named(mine.send("bus.remember", [None])[1])
    mine.send("ask.click", [QUESTION, {"owner": owner}, "", "", ""])
    assert "1 question" in mine.send("conversations-tab.select", ["", {"owner": owner}])[1]
    for forged in ("x" * 16, "x" * 32, f"{owner[:32]}.{'A' * 22}x", f"{'B' * 32}{owner[32:]}"):
        other.send("ask.click", [QUESTION, {"owner": forged}, "", "", ""])
        assert "1 question" not in other.send("conversations-tab.select", ["", {"owner": forged}])[1]
    with Conversations(home) as kept:
        assert len(kept.everyone()) == 1


def test_a_question_that_comes_before_the_browser_has_its_name_is_kept_under_it(site: Site) -> None:
    client = site.client()
    client.send("ask.click", [QUESTION, None, "", "", ""])
    owner = named(client.send("bus.remember", [None])[1])
    assert "1 question" in client.send("conversations-tab.select", ["", {"owner": owner}], tab="reloaded")[1]
    assert "1 question" not in site.client("tab").send("conversations-tab.select", ["", None])[1]


def test_a_question_asked_while_the_home_opens_and_the_page_give_the_browser_one_name(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    both, new = threading.Barrier(2, timeout=20), Owners.new

    def new_at_once(owners: Owners) -> str:
        made = new(owners)
        both.wait()  # neither is told before both have none
        return made

    monkeypatch.setattr(Owners, "new", new_at_once)
    client = site.client()
    assert client.post("queue/join", client.body("ask.click", [QUESTION, None, "", "", ""]))[0] == 200
    owner = named(client.send("bus.remember", [None])[1])
    client.stream(client.tab)
    assert "1 question" in client.send("conversations-tab.select", ["", {"owner": owner}], tab="reloaded")[1]


def test_sessions_are_bounded_and_one_that_is_busy_stays() -> None:
    sessions = Sessions()
    busy = sessions.of("busy", "ann")
    assert sessions.begin(busy) is not None
    for number in range(100):
        sessions.of(f"tab {number}", "ann")
    assert len(sessions) == session.MOST_OF_ONE_PERSON
    assert sessions.is_current("busy", busy)
    for number in range(1000):
        sessions.of("tab", f"person {number}")
    assert len(sessions) == session.MOST_SESSIONS
    assert sessions.is_current("busy", busy)
    assert not sessions.is_current("tab", sessions.known("tab", "person 0"))


def test_looking_for_an_unknown_tab_remembers_none(site: Site) -> None:
    client = site.client()
    for name in ("stop.click", "cancel.click", "bus.keep", "bus.edit", "bus.open", "bus.rate", "bus.retry",
                 "bus.choose", "outlet.change"):  # fmt: skip
        client.send(name, inputs(site, name), TABLE[name].details, tab=f"unknown-{name}")
    assert len(site.page.frame.sessions) == 0


def test_one_person_has_a_few_questions_and_uploads_at_a_time() -> None:
    sessions = Sessions()
    begun = [sessions.begin(sessions.of(f"tab {number}", "ann")) for number in range(5)]
    assert [event is not None for event in begun] == [True] * 3 + [False] * 2
    assert sessions.begin(sessions.of("tab", "bob")) is not None
    first = next(event for event in begun if event is not None)
    sessions.drop("tab 0", "ann")  # closing the tab is no way around: it still runs
    assert sessions.begin(sessions.of("tab 9", "ann")) is None
    sessions.end(first)
    assert sessions.begin(sessions.of("tab 9", "ann")) is not None
    adding = [sessions.begin_adding(sessions.of(f"tab {number}", "ann")) for number in range(4)]
    assert [event is not None for event in adding] == [True] * 2 + [False] * 2


def test_what_a_tab_adds_is_over_also_after_a_new_chat() -> None:
    sessions = Sessions()
    adding = sessions.begin_adding(sessions.of("tab"))
    assert adding is not None
    renewed = sessions.renew("tab")
    assert renewed.adding is adding
    sessions.end(adding)
    assert renewed.adding is None


def test_too_many_questions_are_told(serving: Callable[..., Site]) -> None:
    gate = threading.Event()
    site = serving(gate=gate)
    client = site.client()
    for number in range(3):
        client.post("queue/join", client.body("ask.click", [QUESTION, None, "", "", ""], tab=f"tab{number}"))
    assert _until(lambda: sum(bool(one.running) for one in site.page.frame.sessions._known.values()) == 3)
    told = client.send("ask.click", [QUESTION, None, "", "", ""], tab="onemore")[1]
    gate.set()
    assert "3 of your questions" in told


def test_an_event_is_not_given_up_for_one_before_it(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tab listens from one event to the next; when the first is looked at, it may just not be listening."""
    monkeypatch.setattr(event_queue, "UNHEARD_S", 2.0)
    client = site.client()
    begun = time.monotonic()
    client.send("bus.save", [None], {"conversation": "x"})
    time.sleep(max(0.0, begun + 1.5 - time.monotonic()))
    client.post("queue/join", client.body("bus.save", [None], {"conversation": "x"}))
    time.sleep(1.0)
    assert "process_completed" in client.stream("tab")


def test_an_exchange_that_is_past_is_sent_once_and_still_opens_at_its_words(site: Site) -> None:
    client = site.client()
    memory = {"owner": named(client.send("bus.remember", [None])[1])}
    sizes = []
    for number in range(session.WHOLE_EXCHANGES + 4):
        told = client.send("ask.click", [f"{QUESTION} {number}", memory, "", "", ""])[1]
        sizes.append(len(told))
        whole = re.sub(r'data-title=\\"[^"]*"|class=\\"title[^<]*<bdi>[^<]*', "", told)  # its title stays on the page
        assert whole.count(f"{QUESTION} 0") == 0 or number < 2
    assert max(sizes[3:]) < 1.5 * min(sizes[3:])
    first: Exchange = next(iter(site.page.frame.sessions._known.values())).exchanges[0]
    assert not first.is_whole
    assert "broke down in 2009" in client.send("bus.open", [memory], {"exchange": "1", "quote": "1"})[1]
    rated = client.send("bus.rate", [memory], {"exchange": "1", "thumb": "up"})[1]
    assert f"{QUESTION} 0" in rated
    assert "broke down in 2009" in rated
    client.send("ask.click", ["And where?", memory, "", "", ""])
    assert len(site.llm.prompts[-1].history) > 0


def test_what_is_searched_stands_as_it_is_when_chosen_articles_change(site: Site) -> None:
    client = site.client()
    find(client, "")
    scope = ["Sputnik", "", ""]
    fields = ["", "", "", "", "", "newest", *scope]
    told = client.send("bus.chooseall", fields)[1]
    assert "Searching <bdi>2 chosen articles</bdi>, <bdi>Sputnik</bdi>" in told
    told = client.send("bus.remove", fields, {"article": UNSHOWN})[1]
    assert "Searching <bdi>1 chosen article</bdi>, <bdi>Sputnik</bdi>" in told
    told = client.send("bus.removechosen", fields, {})[1]
    assert "Searching <bdi>Sputnik</bdi>" in told
    assert "choose some first" in client.send("bus.removechosen", fields, {})[1]


def test_an_edit_with_a_wrong_tag_changes_nothing(site: Site) -> None:
    client = site.client()
    find(client)
    fields = ["", "", "", "", "", "newest", *NO_SCOPE]
    wrong = {"article": SHOWN, "title": "Another title", "tags": f"sea, {'x' * 500}"}
    assert "Nothing was changed." in client.send("bus.correct", fields, wrong)[1]
    assert site.engine.index.article(SHOWN).title == "Talks end"
    assert site.engine.index.tags() == {}


def test_a_list_without_an_owner_leaves_what_is_shown(site: Site) -> None:
    client = site.client()
    assert "not asked anything" not in client.send("conversations-tab.select", ["", None])[1]
    assert "Save a question here" not in client.send("briefings-tab.select", [None])[1]
    client.send("bus.remember", [None])
    assert "not asked anything" in client.send("bus.conversations", ["", None])[1]


def test_suggestions_leave_out_an_article_that_is_removed_meanwhile(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = site.page.frame.library()
    before = library.rows()
    site.engine.index.remove_articles([SHOWN])
    monkeypatch.setattr(type(library), "rows", lambda _: before)
    assert "Sputnik" not in str(site.page.ask._questions())


def test_a_tab_does_not_grow_by_the_components_that_updates_replace(site: Site) -> None:
    client, replaced = site.client(), []
    client.send("page.load", [None])
    for number in range(12):
        client.send("ask.click", [f"{QUESTION} {number}", None, "", "", ""])
        (state,) = site.demo.state_holder.session_data.values()
        replaced.append(len(state.blocks_config.blocks) - len(site.demo.blocks))
        assert not dict(state.config_values), "nothing reads these, and each tab has a hundred kilobytes of them"
    assert replaced[-1] < 4 * replaced[0], replaced  # one question replaces some, never the same number


@pytest.mark.parametrize("chosen", [{"kind": "no such kind"}, {"limit": "-1"}, {"limit": "9" * 50}, {"kind": True}])
def test_a_hand_made_kind_or_number_of_rows_answers_as_before(site: Site, chosen: dict[str, str | bool]) -> None:
    client = site.client()
    client.send("ask.click", [QUESTION, None, "", "", ""])
    answered = client.send("bus.retry", [None, "", "", ""], {"exchange": "1", **chosen})[1]
    assert "2009" in answered
    assert "Could not" not in answered


def test_a_cancelled_upload_leaves_no_file(tmp_path: Path) -> None:
    folder = tmp_path / "uploads"
    with uploads.Uploads(folder).batch() as batch:
        assert batch.keep(_file(tmp_path, "report.txt", "one")).read_text() == "one"
    assert _kept(folder) == []


def test_two_who_upload_the_same_at_once_do_not_take_it_from_each_other(tmp_path: Path) -> None:
    both, file = uploads.Uploads(tmp_path / "uploads"), _file(tmp_path, "report.txt", "one")
    with both.batch() as first, both.batch() as second:
        assert first.keep(file) == second.keep(file)
        other = second.keep(_file(tmp_path / "b", "report.txt", "two"))
        second.commit()
    assert other.name == "report-2.txt"
    assert _kept(tmp_path / "uploads") == ["report-2.txt", "report.txt"]
    with both.batch() as third:
        third.keep(file)
        third.discard(tmp_path / "uploads" / "report.txt")
    assert _kept(tmp_path / "uploads") == ["report-2.txt", "report.txt"]


def test_uploads_of_one_name_from_many_threads_are_all_whole(tmp_path: Path) -> None:
    both = uploads.Uploads(tmp_path / "uploads")

    def upload(number: int) -> None:
        with both.batch() as batch:
            batch.keep(_file(tmp_path / str(number), "report.txt", f"{number} " * 1000))
            if number % 2:
                batch.commit()

    threads = [threading.Thread(target=upload, args=(number,)) for number in range(12)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    found = sorted(path.read_text() for path in (tmp_path / "uploads").glob("*.txt"))
    assert found == sorted(f"{number} " * 1000 for number in range(1, 12, 2))


@pytest.mark.parametrize("step", ["write", "fsync", "link"])
def test_a_disk_that_is_full_leaves_nothing(step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    folder = tmp_path / "uploads"
    target = {"write": (uploads, "_write"), "fsync": (os, "fsync"), "link": (os, "link")}[step]
    with uploads.Uploads(folder).batch() as batch:
        file = _file(tmp_path, "report.txt", "one")
        monkeypatch.setattr(*target, full)
        with pytest.raises(OSError, match="No space left"):
            batch.keep(file)
        monkeypatch.undo()
    assert _kept(folder) == []
    assert list((folder / uploads.ASIDE).iterdir()) == []


def test_a_file_that_the_system_cuts_short_is_not_kept(tmp_path: Path) -> None:
    """For real: the process may write files of 64 kB, the upload has 100."""
    file = _file(tmp_path, "report.txt", "x" * 100_000)
    program = (
        "import resource, signal, sys; from pathlib import Path; from ui import uploads\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))\n"
        "with uploads.Uploads(Path(sys.argv[2])).batch() as batch:\n"
        "    try: batch.keep(Path(sys.argv[1])); batch.commit()\n"
        "    except OSError as error: print(error.errno)\n"
    )
    done = _python(program, file, tmp_path / "uploads")
    assert done.stdout.strip() == "27", done.stderr
    assert _kept(tmp_path / "uploads") == []


def test_what_a_kill_left_is_never_indexed_and_swept(tmp_path: Path) -> None:
    """Killed at each step of the second of two files; what a batch that runs has stays."""
    program = (
        "import os, sys; from pathlib import Path; from ui import uploads\n"
        "step, folder, one, two = sys.argv[1:]\n"
        "def kill(*_, **__): os._exit(9)\n"
        "with uploads.Uploads(Path(folder)).batch() as batch:\n"
        "    batch.keep(Path(one))\n"
        "    if step in ('_write', '_link', '_flush'): setattr(uploads, step, kill)\n"
        "    if step == 'fsync': os.fsync = kill\n"
        "    batch.keep(Path(two))\n"
        "    kill()\n"
    )
    one, two = _file(tmp_path, "one.txt", "1"), _file(tmp_path, "two.txt", "2")
    for step in ("_write", "fsync", "_link", "_flush", "after"):
        folder = tmp_path / f"uploads {step}"
        assert _python(program, step, folder, one, two).returncode == 9
        assert set(_kept(folder)) <= {"one.txt", "two.txt"}
        both = uploads.Uploads(folder)
        with both.batch() as batch:
            running = batch.keep(_file(tmp_path, "three.txt", "3"))
            uploads.Uploads(folder).sweep(is_indexed=lambda path: path.name == "two.txt")
            assert running.exists()
            batch.commit()
        assert set(_kept(folder)) <= {"two.txt", "three.txt"}
        assert list((folder / uploads.ASIDE).iterdir()) == []


def test_an_upload_indexes_its_own_files_only_and_keeps_what_can_be_read(site: Site, tmp_path: Path) -> None:
    index = site.engine.index
    index.uploads.mkdir(parents=True, exist_ok=True)
    (index.uploads / "left.txt").write_text("Left by an upload that was cancelled long ago.")
    client = site.client()
    files = [_upload(client, "storm.txt", "A storm hit the harbor on Friday."), _upload(client, "empty.txt", " ")]
    told = client.send("upload.upload", [files, "", "", "", "", "", "newest", *NO_SCOPE])[1]
    assert "storm.txt" in told
    assert len(site.ids()) == 3
    assert _kept(index.uploads) == ["left.txt", "storm.txt"]
    assert index.sync(index.stats().sources).failed == ()
    stored = next(article.id for article in index.articles() if "storm" in article.text)
    assert "Undo" in client.send("bus.remove", ["", "", "", "", "", "newest", *NO_SCOPE], {"article": stored})[1]
    assert _kept(index.uploads) == ["left.txt"]


def _upload(client: Http, name: str, content: str) -> dict[str, Any]:
    """Hand a file in as a browser does; returns what the upload event names it by."""
    mark = "----mark"
    body = (
        f'--{mark}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n'
        f"Content-Type: text/plain\r\n\r\n{content}\r\n--{mark}--\r\n"
    )
    asked = urllib.request.Request(
        f"{client.address}/gradio_api/upload?upload_id=x",
        body.encode(),
        {"Content-Type": f"multipart/form-data; boundary={mark}"},
    )
    with client.opener.open(asked, timeout=30) as reply:
        [path] = json.loads(reply.read())
    return {"path": path, "orig_name": name, "meta": {"_type": "gradio.FileData"}}


def _file(folder: Path, name: str, content: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(content)
    return path


def _kept(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def _python(program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    top = Path(__file__).parent.parent
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)], cwd=top, text=True, capture_output=True, timeout=120
    )


def _touch(client: Http, path: str) -> None:
    """Ask for an address and go away."""
    try:
        with client.opener.open(f"{client.address}/gradio_api/{path}", timeout=10) as reply:
            reply.read(1)
    except urllib.error.HTTPError:
        pass


def _until(true: Callable[[], object]) -> bool:
    for _ in range(2000):
        if true():
            return True
        time.sleep(0.01)
    return False
