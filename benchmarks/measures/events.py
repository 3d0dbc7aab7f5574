"""Events: hand-made ones, sent to the page in great number; none may act on what its tab was not shown.

Two people use one library. One of them asks and keeps conversations; the other sends events with anything in them:
paths, ids of articles that were never listed, of the other's conversations and tabs, numbers, huge and nested values.
Half of them go straight to the functions of the page, past the check that refuses most at the door; some go over HTTP.
After each, an oracle compares the index, the sources, the conversations and what was sent back with what was allowed.
"""

from __future__ import annotations

import contextlib
import hashlib
import html
import http.client
import io
import json
import random
import re
import sqlite3
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from tempfile import TemporaryDirectory
from types import GeneratorType, SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from benchmarks.harness import report
from index import Article, Index
from index.bag_of_words import BagOfWordsEmbedder
from index.errors import InputError
from rag.engine import Engine
from rag.llm.scripted import ScriptedLLM
from ui.payload import cleaned

if TYPE_CHECKING:
    import argparse
    import asyncio
    from collections.abc import Iterator, Sequence

    import gradio as gr

    from ui.web.page import Page

ARTICLES = 30
HUGE = "x" * 10_000_000
CANARY = "Zanzibar-canary"
"""Stands in everything that belongs to the other person; it must never reach the one who sends the events."""
QUICK = ("_ask_typed", "_ask_suggested", "_ask_again", "_opened")
"""Events that take longest, sent more rarely than the others."""


@dataclass
class Person:
    """Somebody at the page, what the page gave them, and what they read there."""

    tab: str
    person: str
    memory: Any = None
    read: str = ""
    seen_in: dict[str, set[str]] = field(default_factory=dict)

    @property
    def seen(self) -> set[str]:
        """The ids that stood in what this tab was given; another tab of the same person has its own."""
        return self.seen_in.setdefault(self.tab, set())

    @property
    def request(self) -> Any:
        """A request of this person's tab, as far as the page looks at it."""
        scope = {"citewire.person": self.person}
        return SimpleNamespace(username=None, session_hash=self.tab, request=SimpleNamespace(scope=scope))


@dataclass
class Tally:
    """How many events there were, what became of them, and what went wrong."""

    sent: int = 0
    refused: int = 0
    removed: int = 0
    wrong: list[str] = field(default_factory=list)


class Door:
    """A page over a small library, its events called as Gradio calls them, and the oracle."""

    def __init__(self, page: Page, demo: gr.Blocks, index: Index) -> None:
        """`demo` is the page as it is laid out."""
        from ui.web.page import shapes

        self.page, self.index = page, index
        self.demo = demo
        self.shapes = shapes(self.demo)
        self.tally = Tally()
        self._generation = index.generation
        self._articles = {article.id: article for article in index.articles()}
        self._sources = index.stats().sources
        self._kept = ""

    def send(self, who: Person, number: int, data: Sequence[Any], details: Any = None) -> list[Any]:
        """Everything that one event gives back to its tab. An exception is counted as wrong."""
        from gradio import exceptions as gradio_exceptions
        from gradio.events import EventData
        from gradio.helpers import special_args

        event = self.demo.fns[number]
        try:
            arguments = special_args(event.fn, list(data), who.request, EventData(None, details))[0]
        except (gradio_exceptions.Error, RecursionError):  # of a file or of much nesting; only past the door
            self.tally.refused += 1
            return []
        printed = io.StringIO()
        try:
            with contextlib.redirect_stderr(printed), contextlib.redirect_stdout(printed):
                given = event.fn(*arguments)
                given = _awaited(given) if hasattr(given, "send") and not isinstance(given, GeneratorType) else given
                told = list(given) if isinstance(given, GeneratorType) else [given]
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not happen
            self.tally.wrong.append(f"{event.name}({_short(data)}, {_short(details)}): {type(error).__name__}: {error}")
            return []
        finally:
            if printed.getvalue():
                self.tally.wrong.append(f"{event.name} wrote to the log: {printed.getvalue()[:200]}")
        text = "".join(_texts(told))
        who.seen.update({html.unescape(one) for one in re.findall(r'data-article="([^"]*)"', text)})
        who.read = text
        if event.name == "_opened" and (memory := _memory(told)):
            who.memory = memory
        return told

    def judge(self, who: Person, name: str, seen_before: set[str]) -> None:
        """Compare what there is with what an event of this name was allowed to do."""
        self.tally.sent += 1
        if CANARY in who.read:
            self.tally.wrong.append(f"{name} gave what is somebody else's")
        generation = self.index.generation
        if generation != self._generation:
            now = {article.id: article for article in self.index.articles()}
            gone = set(self._articles) - set(now)
            self.tally.removed += len(gone)
            come = set(now) - set(self._articles)
            changed = {one for one in now if one in self._articles and self._articles[one] != now[one]}
            # All that were found can be chosen, also what is on a page of the list that was not turned to.
            is_allowed = {
                "_remove": gone <= seen_before and len(gone) == 1 and not come | changed,
                "_remove_chosen": not come | changed,
                "_restore": not gone | changed,
                "_correct": changed <= seen_before and len(changed) == 1 and not gone | come,
            }.get(name, False)
            if not is_allowed:
                self.tally.wrong.append(f"{name} changed the index: {len(gone)} gone, {sorted(gone - seen_before)[:3]}")
            self._articles, self._generation = now, generation
        if (sources := self.index.stats().sources) != self._sources:
            self.tally.wrong.append(f"{name} changed the sources: {sources}")
            self._sources = sources

    def judge_kept(self) -> None:
        """Whether the other person's conversations are as they were."""
        with contextlib.closing(sqlite3.connect(self.index.home / "conversations.sqlite")) as sql:
            rows = sql.execute(
                "SELECT id, owner, title, question, answer, thumb, reason FROM turn "
                "JOIN conversation ON id = conversation WHERE question LIKE ? ORDER BY 1, 4",
                (f"%{CANARY}%",),
            ).fetchall()
        kept = hashlib.sha256(repr(rows).encode()).hexdigest()
        if self._kept and kept != self._kept:
            self.tally.wrong.append("the other person's conversations were changed")
        self._kept = kept


def options(parser: argparse.ArgumentParser) -> None:
    """How many."""
    parser.add_argument("--n", type=int, default=50_000, help="events that are called in this process")
    parser.add_argument("--http", type=int, default=1_000, help="events that are sent over HTTP")
    parser.add_argument("--seed", type=int, default=0)


def run(arguments: argparse.Namespace) -> None:
    """Send them, print what became of them, write the result."""
    begun = time.perf_counter()
    tally = fuzz(arguments.n, over_http=arguments.http, seed=arguments.seed)
    taken_s = time.perf_counter() - begun
    print(
        f"{tally.sent} events in {taken_s:.0f} s: {tally.refused} refused at the door, {tally.removed} articles removed"
    )
    print("\n".join(tally.wrong[:20]) or "none acted on what its tab was not shown")
    measured = {
        "events": tally.sent,
        "over HTTP": arguments.http,
        "refused at the door": tally.refused,
        "articles removed that were shown": tally.removed,
        "acted on what was not shown, failed, or told somebody else's": len(tally.wrong),
    }
    report.write("events", models={}, measured=measured, packages=("gradio",))
    if tally.wrong:
        raise SystemExit(1)


def fuzz(n: int, *, over_http: int = 0, seed: int = 0) -> Tally:
    """Send `n` hand-made events in this process and `over_http` to a server on this machine."""
    dice = random.Random(seed)
    with ExitStack() as stack:
        home = stack.enter_context(TemporaryDirectory())
        index = stack.enter_context(Index.open(home, embedder=BagOfWordsEmbedder()))
        index.add(_articles(ARTICLES))
        door = Door(*_page(index), index)
        stack.callback(door.demo.close, verbose=False)
        victim, stranger = Person("victims-tab", "browser:v"), Person("strangers-tab", "browser:s")
        _use(door, victim, f"What is said of {CANARY}?")
        door.judge_kept()
        _use(door, stranger, "What happened in Harbor 1?")
        stolen = _stolen(door, victim)
        for count in range(n):
            if count % 500 == 0:
                stranger.tab = f"strangers-tab-{dice.randrange(40)}"
                _fill_up(door)
            number = dice.choice(list(door.shapes))
            name = door.demo.fns[number].name
            if name in QUICK and dice.random() < 0.9:
                continue_with = [one for one in door.shapes if door.demo.fns[one].name not in QUICK]
                number = dice.choice(continue_with)
                name = door.demo.fns[number].name
            data, details = _made_up(dice, door, number, stranger, stolen)
            with contextlib.suppress(InputError):
                sent = {"fn_index": number, "data": data, "event_data": details, "session_hash": "tab"}
                if dice.random() < 0.5:  # as it comes when it has passed the door, else past it
                    data, details = _through(door, sent)
            seen = set(stranger.seen) | _evidence(door, stranger)
            door.send(stranger, number, data, details)
            door.judge(stranger, name, seen)
            if count % 1000 == 0:
                door.judge_kept()
        door.judge_kept()
        if over_http:
            _over_http(door, dice, over_http, stranger, stolen)
            door.judge_kept()
        return door.tally


def _through(door: Door, sent: dict[str, Any]) -> tuple[Any, Any]:
    try:
        body = cleaned(sent, door.shapes)
    except InputError:
        door.tally.refused += 1
        raise
    return body["data"], body["event_data"]


def _page(index: Index) -> tuple[Page, gr.Blocks]:
    from ui.backend import Backend
    from ui.folders import Folders
    from ui.web.page import Page

    page = Page(Backend(Engine.open(index=index, llm=ScriptedLLM())), folders=Folders((), anywhere=False))
    return page, page.blocks()


def _articles(count: int) -> Iterator[Article]:
    for number in range(count):
        text = f"The harbor of town {number} closed at noon in {1900 + number}. Ships waited outside Harbor {number}."
        yield Article(f"a{number}", text, f"Harbor {number} closes", "Harbor Post", None, "2018-03-21")


def _fill_up(door: Door) -> None:
    """Bring back articles that were removed by right, and note the state."""
    if len(door._articles) < ARTICLES // 2:
        door.index.add(_articles(ARTICLES))
        door._articles = {article.id: article for article in door.index.articles()}
        door._generation = door.index.generation


def _number(door: Door, name: str) -> int:
    return next(number for number in door.shapes if door.demo.fns[number].name == name)


def _use(door: Door, who: Person, question: str) -> None:
    """Open the page, look at part of the library, ask something."""
    loads = [number for number in door.demo.fns if door.demo.fns[number].name == "_opened"]
    door.send(who, loads[-1], [None])
    door.send(who, _number(door, "_find_first"), ["Harbor 1", "", "", "", "", "newest"])
    door.send(who, _number(door, "_ask_typed"), [question, who.memory, "", "", ""])


def _evidence(door: Door, who: Person) -> set[str]:
    session = door.page.frame.sessions.known(who.tab, who.person)
    return {one for exchange in session.exchanges for one in exchange.article_ids()}


def _stolen(door: Door, victim: Person) -> list[Any]:
    """What a stranger may have got hold of, but for the name of the other's browser."""
    session = door.page.frame.sessions.known(victim.tab, victim.person)
    return [victim.tab, victim.person, session.conversation, f"{victim.person}\0{victim.tab}"]


def _made_up(dice: random.Random, door: Door, number: int, who: Person, stolen: Sequence[Any]) -> tuple[Any, Any]:
    """Inputs and details for an event: some as the page sends them, most not."""
    names = ("article", "conversation", "exchange", "quote", "source", "question", "query", "title", "thumb", "reason",
             "format", "model", "checked", "act")  # fmt: skip
    shape = door.shapes[number]
    data = [_value(dice, who, stolen, kind=one.kind) for one in shape.inputs]
    if dice.random() < 0.5:
        details: Any = {dice.choice(names): _value(dice, who, stolen, kind="detail") for _ in range(dice.randrange(5))}
        details |= {"article": _value(dice, who, stolen, kind="id")} if dice.random() < 0.5 else {}
    else:
        details = _value(dice, who, stolen, kind="detail")
    return data, details


def _value(dice: random.Random, who: Person, stolen: Sequence[Any], *, kind: str) -> Any:
    nested: Any = []
    for _ in range(dice.randrange(60)):
        nested = [nested]
    own = sorted(who.seen) or ["a0"]
    values: list[Any] = [
        "", "/", ".", "..", "~", "/etc/passwd", "uploads", "../..", "*", "%", "a*", "a0 ", "A0", "\0", "a\ud800",
        f"a{dice.randrange(2 * ARTICLES)}", f"a{dice.randrange(ARTICLES)}", dice.choice(own), "' OR 1=1 --", "newest",
        "up", None, True, False, 0, -1, 1, 2**63, -(2**63), 1e308, float("nan"), float("inf"), [], {}, nested, ["a0"],
        {"a0": 1}, {"__type__": "update", "value": "x"}, {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}},
        [{"path": "http://127.0.0.1:9/", "url": "http://127.0.0.1:9/", "meta": {"_type": "gradio.FileData"}}],
        "http://127.0.0.1:9/", "file:///etc/passwd", "1", "2", "-1", "9" * 400, dice.choice(stolen),
        {"owner": dice.choice(stolen), "settings": None}, {"owner": "x" * 32, "settings": {"model": "/etc/passwd"}},
        {"owner": None, "settings": {"caution": float("nan"), "length": "many", "mode": []}}, CANARY[:4], "in:2018-13",
    ]  # fmt: skip
    if dice.random() < 0.0005:
        return HUGE
    if kind == "memory" and dice.random() < 0.5:
        return who.memory
    if kind == "id" and dice.random() < 0.5:
        return dice.choice((dice.choice(own), f"a{dice.randrange(ARTICLES)}", "/", f"/{dice.choice(own)}"))
    return dice.choice(values)


def _over_http(door: Door, dice: random.Random, n: int, who: Person, stolen: Sequence[Any]) -> None:
    """Send events through the real server, without waiting for what queued ones give back."""
    from ui import web

    url = urlsplit(web.launch(door.demo))
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=60)
    connection.request("GET", f"/?{url.query}")
    reply = connection.getresponse()
    reply.read()
    cookies = {one.partition("=")[0]: one for one in _cookies(reply)}
    connection.request("GET", "/", headers={"Cookie": "; ".join(cookies.values())})
    reply = connection.getresponse()
    reply.read()
    cookies |= {one.partition("=")[0]: one for one in _cookies(reply)}
    headers = {"Cookie": "; ".join(cookies.values()), "Content-Type": "application/json"}
    for count in range(n):
        number = dice.choice([*door.demo.fns, -1, 10**6])
        shape = door.shapes.get(number)
        data, details = _made_up(dice, door, number, who, stolen) if shape else ([], None)
        body = {
            "fn_index": dice.choice((number, number, number, str(number), None, True, [number])),
            "data": dice.choice((data, data, data, data[:-1], {}, None)),
            "event_data": details,
            "session_hash": dice.choice(("mine", "mine", *stolen[:2], None, 1, ["mine"], "")),
            "trigger_id": dice.choice((None, 1, "x", -1)),
        }
        path = "queue/join" if shape is None or door.demo.fns[number].queue else "run/predict"
        with contextlib.suppress(UnicodeEncodeError):
            connection.request("POST", f"/gradio_api/{path}", json.dumps(body).encode(), headers)
            reply = connection.getresponse()
            told = reply.read().decode("utf-8", "replace")
            door.tally.refused += 400 <= reply.status < 500
            if reply.status >= 500 or "Traceback" in told or CANARY in told:
                door.tally.wrong.append(f"HTTP {reply.status} for {_short(body)}: {told[:200]}")
            time.sleep(0.002 if count % 10 else 0.05)  # events that wait are dropped when nobody listens
        door.tally.sent += 1
    connection.close()


def _cookies(reply: http.client.HTTPResponse) -> list[str]:
    return [value.partition(";")[0] for name, value in reply.getheaders() if name.lower() == "set-cookie"]


def _awaited(coroutine: Any) -> Any:
    """What a coroutine of the page gives: none of them waits for anything."""
    waiting: asyncio.Future[Any] | None
    try:
        waiting = coroutine.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError(f"it waits for {waiting}")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _texts(one)


def _memory(told: Any) -> Any:
    """What a browser is given to remember, if it is."""
    found = [one for one in told if isinstance(one, dict)]
    values = [value for one in found for value in one.values() if isinstance(value, dict) and "owner" in value]
    return values[-1] if values else None


def _short(value: object) -> str:
    return repr(value)[:200]
