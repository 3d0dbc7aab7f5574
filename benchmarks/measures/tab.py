"""Tab: the memory of the page while one tab asks question after question, and what each of them sends.

The page runs in this process over articles of the usual length, with a model that answers at once. The tab is another
process, which does over HTTP what a browser does. Some questions before the counting load what is loaded once.
"""

from __future__ import annotations

import gc
import http.client
import json
import random
import re
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from benchmarks.harness import report
from benchmarks.harness.browser import served
from index import Article, Index
from index.bag_of_words import BagOfWordsEmbedder
from rag.engine import Engine
from rag.llm.scripted import ScriptedLLM

if TYPE_CHECKING:
    import argparse

ARTICLES = 60
SENTENCES = 60
"""Of one article: some 7,000 characters, as a news article has."""
WARMING = 20
STEP = 20


def options(parser: argparse.ArgumentParser) -> None:
    """How often."""
    parser.add_argument("--asks", type=int, default=200, help="questions in one tab")


def run(arguments: argparse.Namespace) -> None:
    """Ask, print how memory and answers grow, write the result."""
    rows: dict[str, dict[str, float]] = {}
    with ExitStack() as stack:
        home = stack.enter_context(TemporaryDirectory())
        index = stack.enter_context(Index.open(home, embedder=BagOfWordsEmbedder()))
        index.add([_article(number) for number in range(ARTICLES)])
        llm = ScriptedLLM()
        url = stack.enter_context(served(Engine.open(index=index, llm=llm)))
        command = [sys.executable, "-m", "benchmarks.measures.tab", url, str(arguments.asks + WARMING)]
        tab = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))  # noqa: S603 (our own)
        assert tab.stdout is not None
        for line in tab.stdout:
            asked, received_bytes = map(int, line.split())
            for noted in (llm.prompts, llm.adapted, llm.constraints):
                noted.clear()  # else the stand-in for a model would keep every prompt
            if asked >= WARMING and (asked - WARMING) % STEP == 0:
                gc.collect()
                rows[str(asked - WARMING)] = {
                    "resident, MB": round(_resident_bytes() / 1e6, 1),
                    "sent to the tab by one question, kB": round(received_bytes / 1e3, 1),
                }
                print(f"{asked - WARMING:6} asked{rows[str(asked - WARMING)]}", flush=True)
    if tab.returncode:
        raise SystemExit(f"the tab ended with {tab.returncode}")
    resident = [row["resident, MB"] for row in rows.values()]
    print(f"\n{resident[0]:.0f} MB at first, {resident[-1]:.0f} MB after {arguments.asks} questions")
    report.write("tab", models={}, measured={"by questions asked": rows}, packages=("gradio",))


def _article(number: int) -> Article:
    dice = random.Random(number)
    names = [f"{dice.choice('BDFGKLMNPRST')}{dice.choice('aeiou')}{dice.choice('lmnrst')}ton {one}" for one in range(9)]
    sentences = (
        f"In {dice.randrange(1900, 2020)} the mayor of {dice.choice(names)} opened harbor {number}, bridge {sentence} "
        f"and the road from {dice.choice(names)} to {dice.choice(names)}."
        for sentence in range(SENTENCES)
    )
    return Article(f"a{number}", " ".join(sentences), f"Harbor {number} opens", f"Post {number}", None, "2018-03-21")


def _resident_bytes() -> int:
    """Memory of this process that is in RAM."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    assert found is not None
    return int(found[1]) * 1024


class _Tab:
    """What a browser does when somebody asks."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=300)
        self._cookies: dict[str, str] = {}
        self._get(f"{address.path or '/'}?{address.query}")
        self._get("/")
        known = json.loads(self._get("/config"))
        elements = {one["id"]: one["props"].get("elem_id") for one in known["components"]}
        events = {
            f"{elements.get(block) or 'page'}.{trigger}": one["id"]
            for one in known["dependencies"]
            for block, trigger in one["targets"]
            if one["backend_fn"]
        }
        self._asking, self._opening = events["question.submit"], events["page.load"]
        opened = self._send(self._opening, [None])
        owner = re.search(r'"owner":\s*"([^"]+)"', opened.decode())
        self._memory = {"owner": owner[1] if owner else None, "settings": None}

    def ask(self, question: str) -> int:
        """Ask and read the answer; returns how many bytes came."""
        return len(self._send(self._asking, [question, self._memory, "", "", ""]))

    def _send(self, number: int, data: list[object]) -> bytes:
        event = {"fn_index": number, "data": data, "session_hash": "measured", "event_data": None, "trigger_id": None}
        self._request("POST", "/gradio_api/queue/join", json.dumps(event).encode())
        return self._get("/gradio_api/queue/data?session_hash=measured")

    def _get(self, path: str) -> bytes:
        return self._request("GET", path, None)

    def _request(self, method: str, path: str, body: bytes | None) -> bytes:
        headers = {"Cookie": "; ".join(self._cookies.values()), "Content-Type": "application/json"}
        self._connection.request(method, path, body, headers)
        reply = self._connection.getresponse()
        for name, value in reply.getheaders():
            if name.lower() == "set-cookie":
                self._cookies[value.partition("=")[0]] = value.partition(";")[0]
        content = reply.read()
        assert reply.status < 400, (path, reply.status, content[:200])
        return content


def _main(url: str, asks: int) -> None:
    tab = _Tab(url)
    for number in range(asks):
        received_bytes = tab.ask(f"Who opened harbor {number % ARTICLES} and bridge {number % SENTENCES}?")
        print(number + 1, received_bytes, flush=True)


if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]))
