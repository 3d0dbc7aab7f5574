"""`citewire chat` as a process of its own: what it prints, whom it lets in, and how signals end it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar
from pathlib import Path
from queue import Queue
from typing import TYPE_CHECKING

import pytest

from ui import page_token
from ui.conversations import Conversations
from ui.session import Sessions

if TYPE_CHECKING:
    from collections.abc import Iterator

TOP = Path(__file__).parent.parent
PATIENCE_S = 180.0

# A page over a model that holds its answer: until it is told to stop, or, "stubborn", for ever.
PROGRAM = """
import sys, threading
from index import Article, Index
from rag import Engine
from tests.fakes import BagOfWordsEmbedder, ScriptedLLM
from ui.web import serve

class Stubborn(ScriptedLLM):
    def stream(self, prompt, **options):
        print("asked", flush=True)
        threading.Event().wait()
        yield ""

class Patient(ScriptedLLM):
    def stream(self, prompt, **options):
        print("asked", flush=True)
        yield from super().stream(prompt, **options)

with Index.open(sys.argv[1], embedder=BagOfWordsEmbedder()) as index:
    index.add([Article("a1", "The talks broke down in 2009.")])
    llm = (Stubborn if sys.argv[2] == "stubborn" else Patient)(gate=threading.Event())
    serve(engine=Engine.open(index=index, llm=llm), port=None, open_browser=False)
print("ended", flush=True)
"""


@dataclass
class Served:
    """A process with a page."""

    process: subprocess.Popen[str]
    url: str
    temporary: Path
    lines: Queue[str]

    def line(self) -> str:
        """The next line that the process prints."""
        return self.lines.get(timeout=PATIENCE_S).strip()

    def opener(self) -> urllib.request.OpenerDirector:
        """A browser that has followed the printed address."""
        made = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        with made.open(self.url, timeout=PATIENCE_S) as page:
            assert page.status == 200
            assert "token" not in page.url
        return made

    def ask(self) -> None:
        """Ask a question, and leave the connection with its results open."""
        browser, base = self.opener(), self.url.partition("?")[0]
        with browser.open(f"{base}config", timeout=PATIENCE_S) as reply:
            events = json.load(reply)["dependencies"]
        [asking] = [one["id"] for one in events if "submit" in str(one["targets"])]
        memory = {"owner": None, "settings": None}
        sent = {
            "data": ["When did the talks break down?", memory, "", "", ""],
            "fn_index": asking,
            "session_hash": "tab1",
        }
        kind = {"Content-Type": "application/json"}
        join = urllib.request.Request(f"{base}gradio_api/queue/join", json.dumps(sent).encode(), kind)
        with browser.open(join, timeout=PATIENCE_S):
            pass
        self.results = browser.open(f"{base}gradio_api/queue/data?session_hash=tab1", timeout=PATIENCE_S)
        assert self.line() == "asked"

    def left(self) -> list[Path]:
        return list(self.temporary.glob("citewire-*/page-*"))


@contextmanager
def served(home: Path, tmp_path: Path, kind: str = "patient") -> Iterator[Served]:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(TOP), "TMPDIR": str(temporary)}
    command = [sys.executable, "-c", PROGRAM, str(home), kind]
    process = subprocess.Popen(
        command, env=environment, cwd=TOP, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdout is not None
    lines: Queue[str] = Queue()
    printed_lines = process.stdout

    def read() -> None:
        for line in printed_lines:
            lines.put(line)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        printed = lines.get(timeout=PATIENCE_S)
        found = re.search(r"Citewire is at (\S+)", printed)
        assert found, printed
        yield Served(process, found[1], temporary, lines)
    finally:
        process.kill()
        process.wait()
        reader.join()
        process.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_printed_address_lets_in_and_a_signal_ends_the_page_in_order(
    number: int, home: Path, tmp_path: Path
) -> None:
    with served(home, tmp_path) as page:
        assert page.url.endswith(f"/?token={(home / page_token.FILE).read_text().strip()}")
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(page.url.partition("?")[0], timeout=PATIENCE_S)
        page.ask()
        assert len(page.left()) == 1
        page.process.send_signal(number)
        assert page.process.wait(PATIENCE_S) == 0
        assert page.line() == "ended"
        assert page.left() == []
        page.results.close()
    with Conversations(home) as kept:  # whole, and not held by anybody
        kept.everyone()


def test_a_second_signal_ends_the_page_at_once(home: Path, tmp_path: Path) -> None:
    with served(home, tmp_path, "stubborn") as page:
        page.ask()
        page.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)  # so that the two are not taken as one
        assert page.process.poll() is None, "it waits for the answer"
        page.process.send_signal(signal.SIGTERM)
        assert page.process.wait(PATIENCE_S) == 128 + signal.SIGTERM
        page.results.close()


def test_stopping_reaches_every_question_and_every_sync() -> None:
    sessions = Sessions()
    one, other = sessions.of("tab1", "ada"), sessions.of("tab2", "bob")
    asking, adding = sessions.begin(one), sessions.begin_adding(other)
    assert asking is not None
    assert adding is not None
    assert sessions.stop_all()
    assert asking.is_set()
    assert adding.is_set()
    sessions.end(asking)
    sessions.end(adding)
    assert not sessions.stop_all()
