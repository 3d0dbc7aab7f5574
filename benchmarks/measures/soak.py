"""Soak: the page under use for minutes. Memory, descriptors and threads must stay flat, and nothing may be lost.

The page runs in a process of its own, with the real embedder and a stand-in for the language model that answers at
once, or writes slowly when it is asked to. Over HTTP, readers open tabs, ask, stop an answer, look through the
library, and go away in the middle of one; somebody uploads files; another process syncs a folder and removes what was
uploaded long ago. At the end every acknowledged turn and upload must be there, and the page must end in order when it
is told to (SIGTERM).
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np

from benchmarks.harness import report
from index import Article, Index
from index.bag_of_words import BagOfWordsEmbedder
from index.embedder import SentenceEmbedder
from rag.llm.scripted import ScriptedLLM

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from index.embedder import Embedder
    from rag.prompt import Prompt

TOP = Path(__file__).parents[2]
READERS = 3
ARTICLES = 60
TOWNS = (
    "Rotterdam",
    "Split",
    "Lisbon",
    "Gdansk",
    "Genoa",
    "Bergen",
    "Riga",
    "Cadiz",
    "Bari",
    "Odense",
    "Vigo",
    "Brest",
)
SAMPLE_S = 2.0
WARM_UP = 0.3
"""Share of the time after which growth counts: until then models are loaded and caches filled."""
MOST_GROWTH_MB, MOST_GROWTH = 20.0, 8.0
"""How much more memory, and how many more descriptors and threads, the last third may have than the second."""
UPLOADS_KEPT = 10
TIMEOUT_S = 120
SLOWLY, SLOW_S = "slowly", 0.5
"""A question with this word is answered at one word in so many seconds, so that it can be stopped."""
STOPPED_AFTER_S = 1.5
MOST_STOPPING_S = 20.0
"""How long an answer may go on after Stop: a second or so on an idle machine, where the rest of it takes a minute."""


def options(parser: argparse.ArgumentParser) -> None:
    """How long."""
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument(
        "--quick", action="store_true", help="with a stand-in for the embedder, to try; writes no result"
    )
    parser.add_argument("--serve", type=Path, metavar="HOME", help="be the page over this home; used by the benchmark")


def run(arguments: argparse.Namespace) -> None:
    """Use the page for so long, print what was done and how much it grew, write the result."""
    if arguments.serve is not None:
        serve(arguments.serve, _embedder(arguments.quick))
        return
    with TemporaryDirectory() as folder:
        measured = soak(Path(folder), minutes=arguments.minutes, quick=arguments.quick)
    print("\n".join(f"  {name:44}{value!s:>14}" for name, value in measured.items()))
    if not arguments.quick:
        report.write("soak", models={"embedder": SentenceEmbedder().name}, measured=measured, packages=("gradio",))
    if measured["wrong"]:
        raise SystemExit(1)


class QuickLLM(ScriptedLLM):
    """Answers with the first passage, slowly if the question says so, and keeps nothing of what it was asked."""

    def stream(self, prompt: Prompt, *, cancel: threading.Event, **options: Any) -> Iterator[str]:
        """See LLM."""
        for piece in super().stream(prompt, cancel=cancel, **options):
            if SLOWLY in prompt.question:
                cancel.wait(SLOW_S)
            yield piece
        self._forget()

    def judge(self, *arguments: Any, **options: Any) -> float:
        """See LLM."""
        self._forget()
        return super().judge(*arguments, **options)

    def _forget(self) -> None:
        for kept in (self.prompts, self.adapted, self.constraints):
            kept.clear()


def _embedder(quick: bool) -> Embedder:
    return BagOfWordsEmbedder() if quick else SentenceEmbedder()


def serve(home: Path, embedder: Embedder) -> None:
    """Be the page until SIGTERM; the first line on standard output has the numbers of its events."""
    from rag.engine import Engine
    from ui import web
    from ui.backend import Backend
    from ui.folders import Folders
    from ui.web.page import Page

    with Index.open(home, embedder=embedder) as index, Engine.open(index=index, llm=QuickLLM()) as engine:
        # Another page of the same make: Gradio numbers events in the order in which they are made.
        demo = Page(Backend(engine), folders=Folders((), anywhere=False)).blocks()
        print(json.dumps({event.name: number for number, event in demo.fns.items()}), flush=True)
        web.serve(engine=engine, port=None, open_browser=False)


@dataclass
class Tally:
    """What was done and what went wrong, over all threads."""

    done: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    turns: list[str] = field(default_factory=list)
    uploaded: list[str] = field(default_factory=list)


class Browser:
    """One person's browser: its cookies, and what the page gave it to remember."""

    def __init__(self, address: str, events: dict[str, int]) -> None:
        """`address` has the page's token."""
        self.url, self.events = urlsplit(address), events
        self.cookies: dict[str, str] = {}
        self.memory: Any = None
        self.get(f"/?{self.url.query}")
        self.get("/")

    def get(self, path: str) -> bytes:
        """A page, with its cookies kept."""
        with self._connected() as connection:
            connection.request("GET", path, headers=self.headers)
            reply = connection.getresponse()
            for name, value in reply.getheaders():
                if name.lower() == "set-cookie":
                    self.cookies[value.partition("=")[0]] = value.partition(";")[0]
            return reply.read()

    @property
    def headers(self) -> dict[str, str]:
        """With the cookies."""
        return {"Cookie": "; ".join(self.cookies.values())}

    @contextlib.contextmanager
    def _connected(self) -> Iterator[http.client.HTTPConnection]:
        connection = http.client.HTTPConnection(self.url.hostname or "", self.url.port, timeout=TIMEOUT_S)
        try:
            yield connection
        finally:
            connection.close()

    def post(self, path: str, body: bytes, kind: str = "application/json") -> Any:
        """What comes back, read as JSON. Raises RuntimeError for an error."""
        with self._connected() as connection:
            connection.request("POST", path, body, {**self.headers, "Content-Type": kind})
            reply = connection.getresponse()
            content = reply.read()
        if reply.status >= 400:
            raise RuntimeError(f"HTTP {reply.status} for {path}: {content[:200]!r}")
        return json.loads(content)

    def join(self, tab: str, name: str, data: list[Any]) -> str:
        """Send an event and wait for nothing: its id."""
        event = {"fn_index": self.events[name], "data": data, "session_hash": tab, "event_data": None}
        return str(self.post("/gradio_api/queue/join", json.dumps(event).encode())["event_id"])

    def send(self, tab: str, name: str, data: list[Any], *, leave_after: int | None = None) -> str:
        """Send an event and return all that it gives back; with `leave_after`, only so many messages are awaited."""
        event_id = self.join(tab, name, data)
        told: list[str] = []
        with self._connected() as connection:
            connection.request("GET", f"/gradio_api/queue/data?session_hash={tab}", headers=self.headers)
            for line in connection.getresponse():
                if not line.startswith(b"data:"):
                    continue
                message = json.loads(line[5:])
                if message.get("event_id") not in (event_id, None):
                    continue
                told.append(line.decode())
                self._remember(message)
                if message["msg"] == "process_completed":
                    if not message["success"]:
                        raise RuntimeError(f"{name} failed: {line[:300]!r}")
                    break
                if leave_after is not None and len(told) >= leave_after:
                    break
        return "".join(told)

    def _remember(self, told: Any) -> None:
        """Find whose the browser is, in an output or in how it differs from the one before: ["add", ["owner"], …]."""
        if isinstance(told, dict) and "owner" in told:
            self.memory = told
        elif isinstance(told, list) and told[:2] == ["add", ["owner"]]:
            self.memory = {"owner": told[2], "settings": None}
        elif isinstance(told, (dict, list)):
            for value in told.values() if isinstance(told, dict) else told:
                self._remember(value)

    def upload(self, name: str, content: str) -> str:
        """Hand in a file, as the page's field does; returns where the server keeps it."""
        mark = secrets.token_hex(8)
        head = f'--{mark}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
        body = f"{head}{content}\r\n--{mark}--\r\n".encode()
        (path,) = self.post("/gradio_api/upload", body, f"multipart/form-data; boundary={mark}")
        return str(path)


def soak(folder: Path, *, minutes: float, quick: bool = False) -> dict[str, Any]:
    """Use a page over a small library for so long."""
    home, articles = folder / "home", folder / "articles"
    articles.mkdir(parents=True)
    tally, is_over = Tally(), threading.Event()
    with Index.open(home, embedder=_embedder(quick)) as index:
        index.add(Article(f"a{n}", _story(n), f"Harbor {n}", "Harbor Post") for n in range(ARTICLES))
        with _page(home, folder / "page.log", quick=quick) as (process, address, events):
            samples: list[tuple[float, ...]] = []
            work: list[Callable[[], None]] = [
                *(lambda seed=seed: _read(Browser(address, events), tally, is_over, seed) for seed in range(READERS)),
                lambda: _upload(Browser(address, events), index, tally, is_over),
                lambda: _sync(index, articles, tally, is_over),
                lambda: _sample(process.pid, samples, is_over),
            ]
            threads = [threading.Thread(target=_noting, args=(one, tally)) for one in work]
            for thread in threads:
                thread.start()
            is_over.wait(minutes * 60)
            is_over.set()
            for thread in threads:
                thread.join()
            asked = time.monotonic()
            process.send_signal(signal.SIGTERM)
            ended = process.wait(60)
            took_s = time.monotonic() - asked
        tally.wrong += [f"the page ended with {ended}"] * (ended != 0)
        tally.wrong += _lost(index, home, tally)
    log = (folder / "page.log").read_text()
    tally.wrong += [f"in the log: {log[-1500:]}"] * ("Traceback" in log)
    growth = _growth(samples)
    tally.wrong += [f"{name} grew" for name, (value, most) in growth.items() if value > most]
    for problem in tally.wrong[:20]:
        print(problem, file=sys.stderr)
    return {
        "minutes": minutes,
        **dict(sorted(tally.done.items())),
        "samples": len(samples),
        "memory at the end, MB": round(samples[-1][1], 1),
        **{f"{name}, more than before": round(value, 1) for name, (value, _) in growth.items()},
        "seconds from SIGTERM to the end": round(took_s, 1),
        "wrong": len(tally.wrong),
    }


def _story(number: int) -> str:
    town = TOWNS[number % len(TOWNS)]
    return (
        f"The harbor of {town} closed at noon on day {number}. Ships waited outside for {number + 2} hours. "
        f"Pilot {number} said that the fog over {town} would lift by the evening."
    )


@contextlib.contextmanager
def _page(home: Path, log: Path, *, quick: bool) -> Iterator[tuple[subprocess.Popen[str], str, dict[str, int]]]:
    command = [sys.executable, "-m", "benchmarks", "soak", "--serve", str(home), *["--quick"] * quick]
    environment = {**os.environ, "PYTHONPATH": str(TOP), "GRADIO_ANALYTICS_ENABLED": "False"}
    with log.open("w") as errors:
        process = subprocess.Popen(  # noqa: S603
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment
        )
        try:
            assert process.stdout is not None
            events = json.loads(process.stdout.readline())
            address = process.stdout.readline().split()[3]
            yield process, address, events
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate()


def _noting(work: Callable[[], None], tally: Tally) -> None:
    try:
        work()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told
        tally.wrong.append(f"{type(error).__name__}: {error}")


def _read(browser: Browser, tally: Tally, is_over: threading.Event, seed: int) -> None:
    """Open tabs and ask in them, one after the other."""
    dice = random.Random(seed)
    while not is_over.is_set():
        tab = secrets.token_hex(5)
        browser.send(tab, "_opened", [browser.memory])
        tally.done["tabs opened"] += 1
        for _ in range(4):
            if is_over.is_set():
                break
            number = dice.randrange(ARTICLES)
            question = (
                f"When did the harbor of {TOWNS[number % len(TOWNS)]} close on day {number}? {secrets.token_hex(4)}"
            )
            ask = [question, browser.memory, "", "", ""]
            match dice.randrange(7):
                case 2:
                    _stop(browser, tab, [f"{question} {SLOWLY}", *ask[1:]])
                    tally.done["stopped"] += 1
                case 0:
                    browser.send(tab, "_ask_typed", ask, leave_after=2)
                    tally.done["left in the middle"] += 1
                    break
                case 1:
                    browser.send(tab, "_find_first", [TOWNS[number % len(TOWNS)], "", "", "", "", "newest"])
                    tally.done["looked through the library"] += 1
                case _:
                    browser.send(tab, "_ask_typed", ask)
                    tally.turns.append(question)
                    tally.done["questions answered"] += 1


def _stop(browser: Browser, tab: str, ask: list[Any]) -> None:
    """Ask for a slow answer and stop it."""
    with ThreadPoolExecutor(1) as asking:
        answer = asking.submit(browser.send, tab, "_ask_typed", ask)
        time.sleep(STOPPED_AFTER_S)
        browser.join(tab, "_stop", [])  # a tab has one stream of results, to which the question listens
        try:
            answer.result(MOST_STOPPING_S)
        except TimeoutError as error:
            raise RuntimeError(f"an answer went on for {MOST_STOPPING_S} s after Stop") from error


def _upload(browser: Browser, index: Index, tally: Tally, is_over: threading.Event) -> None:
    """Upload a file every few seconds; the oldest go again."""
    tab = secrets.token_hex(5)
    browser.send(tab, "_opened", [browser.memory])
    for number in range(10**6):
        if is_over.wait(3):
            return
        mark = f"lighthouse {secrets.token_hex(6)}"
        text = f"The {mark} was lit for the first time in {1800 + number % 200}. Keeper {number} wrote it down."
        path = browser.upload(f"report-{number}.txt", text)
        files = [{"path": path, "orig_name": f"report-{number}.txt", "meta": {"_type": "gradio.FileData"}}]
        browser.send(tab, "_add_files", [files, "", "", "", "", "", "newest", "", "", ""])
        tally.uploaded.append(text)
        tally.done["files uploaded"] += 1
        if len(tally.uploaded) > UPLOADS_KEPT:
            text = tally.uploaded.pop(0)
            index.remove_articles([one.id for one in index.articles() if one.text == text])
            tally.done["files removed"] += 1


def _sync(index: Index, articles: Path, tally: Tally, is_over: threading.Event) -> None:
    """In this process, which is another than the page's: a file changes, one comes, one goes."""
    for number in range(10**6):
        (articles / "edited.txt").write_text(f"The tide table of day {number} was corrected. It hangs at the pier.")
        (articles / f"{number % 5}.txt").write_text(f"Ferry {number} left late. Its captain waited for the mail.")
        (articles / f"{(number + 2) % 5}.txt").unlink(missing_ok=True)
        index.sync([articles])
        tally.done["syncs"] += 1
        if is_over.wait(5):
            return


def _sample(process: int, samples: list[tuple[float, ...]], is_over: threading.Event) -> None:
    """Time, memory in MB, open descriptors and threads of the page, every SAMPLE_S."""
    place = Path("/proc") / str(process)
    while not is_over.wait(SAMPLE_S):
        status = dict(line.split(":", 1) for line in (place / "status").read_text().splitlines() if ":" in line)
        memory_mb = int(status["VmRSS"].split()[0]) / 1024
        descriptors = len(list((place / "fd").iterdir()))
        samples.append((time.monotonic(), memory_mb, descriptors, int(status["Threads"])))


def _growth(samples: list[tuple[float, ...]]) -> dict[str, tuple[float, float]]:
    """What the last third of the time has more than the third before, after the warm-up, and how much it may be."""
    table = np.asarray(samples)
    table = table[int(len(table) * WARM_UP) :]
    half = len(table) // 2
    more = np.median(table[half:], axis=0) - np.median(table[:half], axis=0)
    names = {"memory, MB": MOST_GROWTH_MB, "descriptors": MOST_GROWTH, "threads": MOST_GROWTH}
    return {name: (float(value), most) for (name, most), value in zip(names.items(), more[1:], strict=True)}


def _lost(index: Index, home: Path, tally: Tally) -> list[str]:
    """What was acknowledged and is not there, and what is not sound."""
    from ui.conversations import Conversations

    with Conversations(home) as kept:
        questions = {turn.question for one in kept.everyone() for turn in one.turns}
    texts = {article.text for article in index.articles()}
    found = [f"a turn is lost: {question}" for question in tally.turns if question not in questions]
    found += [f"an upload is lost: {text}" for text in tally.uploaded if text not in texts]
    found += [f"an article is lost: {number}" for number in range(ARTICLES) if _story(number) not in texts]
    index.search("harbor")
    return found + list(map(str, index.check()))
