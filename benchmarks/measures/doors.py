"""Doors: what `citewire serve` costs beside the engine, and whether it stands crowds, quitters and broken requests.

    overhead  time to the first token and in all through /api/v1/ask, less that of Engine.stream, in turn
    search    requests per second of /api/v1/search from 8 clients, against Index.search in a loop
    crowd     64 clients at once, each with a question of its own
    leaving   how long the model is busy after a client has gone away
    fuzz      requests of schemathesis against the OpenAPI document, and broken JSON-RPC messages to /mcp

Clients are processes of their own, since threads of this one would share its interpreter lock with the server.
"""

from __future__ import annotations

import http.client
import json
import random
import re
import resource
import shutil
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from benchmarks.harness import dataset, report, samples
from benchmarks.harness.embedder import CachedEmbedder
from benchmarks.measures.scale import PER_ARTICLE, DrawnEmbedder, drawn_article
from index import Article, Index
from index.bag_of_words import BagOfWordsEmbedder
from index.passage import sentences
from rag.answer import Answer
from rag.engine import Engine
from rag.event import Token
from rag.llm.scripted import ScriptedLLM
from rag.settings import Settings
from ui.api.programs import Programs, running
from ui.backend import Backend
from ui.folders import Folders

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

PARTS = ("overhead", "search", "crowd", "leaving", "fuzz")
CLIENTS = 8
CROWD = 64
QUESTIONS = 20
SEARCHES = 400
MESSAGES = 500
CASES = 2000
PATIENCE_S = 120.0
SLOW_S = 0.02
"""What a word of the scripted model takes in the crowd, so that questions have to wait."""
PACKAGES = ("fastapi", "starlette", "uvicorn", "mcp", "schemathesis", "torch")
_QUESTION = "When did the six-party talks break down?"

# Asks for its share of the searches over one connection and prints how many seconds that took.
_ASKER = """
import http.client, json, sys, time
port = int(sys.argv[1])
for question in sys.stdin:
    start, first = time.perf_counter(), 0.0
    connection = http.client.HTTPConnection("127.0.0.1", port)
    body = json.dumps({"question": question.strip(), "stream": True})
    connection.request("POST", "/api/v1/ask", body, {"Content-Type": "application/json"})
    for line in connection.getresponse():
        if line in (b"event: token\\n", b"event: answer\\n") and not first:
            first = time.perf_counter() - start
    connection.close()
    print(json.dumps([first, time.perf_counter() - start]), flush=True)
"""
_SEARCHER = """
import http.client, json, sys, threading, time
port, queries = int(sys.argv[1]), json.loads(sys.stdin.read())
def search(mine):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for query in mine:
        body = json.dumps({"query": query, "k": 10})
        connection.request("POST", "/api/v1/search", body, {"Content-Type": "application/json"})
        reply = connection.getresponse()
        assert reply.status == 200, reply.read()
        reply.read()
threads = [threading.Thread(target=search, args=(queries[n::8],)) for n in range(8)]
start = time.perf_counter()
[one.start() for one in threads]
[one.join() for one in threads]
print(time.perf_counter() - start)
"""


def options(parser: argparse.ArgumentParser) -> None:
    """Which parts, and over how much."""
    dataset.options(parser)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--model", default="smollm2-135m", help="of overhead and leaving (default: %(default)s)")
    parser.add_argument("--sentences", type=int, default=100_000)
    parser.add_argument("--cases", type=int, default=CASES, help="requests of schemathesis, about")


def run(arguments: argparse.Namespace) -> None:
    """Measure, print the tables, write the result."""
    measured: dict[str, dict[str, Any]] = {}
    for part in arguments.parts:
        if part in ("overhead", "leaving"):
            measured[part] = with_model(arguments.model, part, n=3 if arguments.quick else QUESTIONS)
        elif part == "search":
            size = arguments.sentences // (50 if arguments.quick else 1)
            measured[part] = measure_search(arguments.data, size)
        elif part == "crowd":
            measured[part] = measure_crowd()
        else:
            measured[part] = measure_fuzz(100 if arguments.quick else arguments.cases)
        print(f"\n{part}\n" + "\n".join(f"  {name:46}{value!s:>16}" for name, value in measured[part].items()))
    if not arguments.quick and set(arguments.parts) == set(PARTS):
        report.write("doors", models={"llm": arguments.model}, measured=measured, packages=PACKAGES)


@contextmanager
def served(engine: Engine, home: str, *, folders: Folders | None = None) -> Iterator[tuple[int, Programs]]:
    """The port of the doors over an engine."""
    backend = Backend(engine)
    programs = Programs(backend, home=Path(home), folders=folders or Folders())
    with running(programs, port=0) as url:
        backend.start()
        backend.loaded(Event())
        yield urlsplit(url).port or 0, programs
    programs.close(PATIENCE_S)
    backend.close()


def with_model(model: str, part: str, *, n: int) -> dict[str, Any]:
    """Overhead or leaving, over the sample articles with a real model that has read them."""
    with ExitStack() as stack:
        home = stack.enter_context(TemporaryDirectory())
        index = stack.enter_context(Index.open(home))
        index.sync([samples.ARTICLES])
        engine = stack.enter_context(Engine.open(index=index, settings=Settings(llm=model, read_ahead="full")))
        engine.load()
        engine.read_ahead(Event())
        port, programs = stack.enter_context(served(engine, home))
        return measure_overhead(engine, port, n) if part == "overhead" else measure_leaving(port, programs, n)


def measure_overhead(engine: Engine, port: int, n: int) -> dict[str, Any]:
    """Medians of pairs: the same question in process and through the door, in alternating order."""
    firsts: list[float] = []
    totals: list[float] = []
    shares: list[float] = []
    questions = [question for pair in samples.CONVERSATIONS for question in pair[:1]]
    command = [sys.executable, "-c", _ASKER, str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:  # noqa: S603

        def through_door(question: str) -> tuple[float, float]:
            """Seconds to the first token and in all, as the client sees it, with a connection of its own."""
            assert client.stdin is not None
            assert client.stdout is not None
            client.stdin.write(f"{question}\n")
            client.stdin.flush()
            first, total = json.loads(client.stdout.readline())
            return first, total

        for question in questions:
            in_process(engine, question)  # so that neither is the first to read a passage
        through_door(questions[0])
        for number in range(n):
            question = questions[number % len(questions)]
            if number % 2:
                through, inside = through_door(question), in_process(engine, question)
            else:
                inside, through = in_process(engine, question), through_door(question)
            firsts.append(1000 * (through[0] - inside[0]))
            totals.append(1000 * (through[1] - inside[1]))
            shares.append(100 * (through[1] / inside[1] - 1))
    return {
        "questions": n,
        "to the first token, median of pairs, ms": round(median(firsts), 1),
        "in all, median of pairs, ms": round(median(totals), 1),
        "in all, median of pairs, %": round(median(shares), 2),
    }


def in_process(engine: Engine, question: str) -> tuple[float, float]:
    """Seconds to the first token (to the answer, if it has none) and in all."""
    start, first = time.perf_counter(), 0.0
    for event in engine.stream(question):
        if isinstance(event, Token | Answer) and not first:
            first = time.perf_counter() - start
    return first, time.perf_counter() - start


def asked(connection: http.client.HTTPConnection, question: str, *, stream: bool) -> http.client.HTTPResponse:
    """The beginning of a reply."""
    body = json.dumps({"question": question, "stream": stream})
    connection.request("POST", "/api/v1/ask", body, {"Content-Type": "application/json"})
    return connection.getresponse()


def measure_leaving(port: int, programs: Programs, n: int) -> dict[str, Any]:
    """Seconds from a closed connection until nothing is being answered."""
    took: list[float] = []
    for number in range(n):
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)) as connection:
            reply = asked(connection, f"{_QUESTION} {number}", stream=True)
            reply.readline()
            time.sleep(0.05 * (number % 5))
            reply.close()
        start = time.perf_counter()
        while len(programs.service.asking):
            time.sleep(0.002)
        took.append(time.perf_counter() - start)
    return {"clients": n, "median, s": round(median(took), 3), "slowest, s": round(max(took), 3)}


def measure_search(data: Path, size: int) -> dict[str, Any]:
    """Searches per second, by turns in a loop and through the door."""
    squad = dataset.squad(data, quick=True)
    texts = list(dict.fromkeys(span.of(one.text) for one in squad.articles for span in sentences(one.text)))
    drawn = random.Random(1)
    queries = drawn.choices([question.text for question in squad.questions], k=SEARCHES)
    embedder = DrawnEmbedder(CachedEmbedder().embed_documents(texts))
    with TemporaryDirectory() as home, Index.open(home, embedder=embedder) as index:
        index.add(drawn_article(number, drawn.choices(texts, k=PER_ARTICLE)) for number in range(size // PER_ARTICLE))
        engine = Engine.open(index=index, llm=ScriptedLLM())
        loops: list[float] = []
        doors: list[float] = []
        with served(engine, home) as (port, _):
            index.search(queries[0])
            for _ in range(3):
                start = time.perf_counter()
                for query in queries:
                    index.search(query, 10)
                loops.append(len(queries) / (time.perf_counter() - start))
                doors.append(len(queries) / searched(port, queries))
        stats = index.stats()
    return {
        "sentences": stats.sentences,
        "Index.search in a loop, 1/s": round(median(loops), 1),
        f"/api/v1/search, {CLIENTS} clients, 1/s": round(median(doors), 1),
        "ratio": round(median(door / loop for door, loop in zip(doors, loops, strict=True)), 3),
    }


def searched(port: int, queries: Sequence[str]) -> float:
    """Seconds that the clients took for all queries."""
    command = [sys.executable, "-c", _SEARCHER, str(port)]
    done = subprocess.run(command, input=json.dumps(list(queries)), text=True, capture_output=True, check=True)  # noqa: S603
    return float(done.stdout)


class SlowLLM(ScriptedLLM):
    """Repeats the passage that it was asked about, a word at a time."""

    def stream(self, prompt: Any, **options: Any) -> Iterator[str]:
        """See LLM."""
        for word in super().stream(prompt, **options):
            time.sleep(SLOW_S)
            yield word


def measure_crowd() -> dict[str, Any]:
    """Each of the clients asks about a town of its own; the answer must be on that town."""
    with TemporaryDirectory() as home, Index.open(home, embedder=BagOfWordsEmbedder()) as index:
        towns = [f"Quag{chr(97 + number // 26)}{chr(97 + number % 26)}ville" for number in range(CROWD)]
        index.add(Article(town, f"{town} was founded in {1200 + n}.", town) for n, town in enumerate(towns))
        engine = Engine.open(index=index, llm=SlowLLM())
        outcomes: Counter[str] = Counter()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with served(engine, home) as (port, _):

            def ask(number: int) -> None:
                question = f"When was {towns[number]} founded?"
                with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)) as connection:
                    reply = asked(connection, question, stream=False)
                    content = json.loads(reply.read())
                if reply.status == 200:
                    cited = {one["article_id"] for claim in content["claims"] for one in claim["citations"]}
                    is_own = content["question"] == question and cited <= {towns[number]}
                    outcomes["answered" if is_own else "mixed up"] += 1
                else:
                    named = reply.status == 429 and int(reply.headers["Retry-After"]) > 0
                    outcomes["asked to come again (429)" if named else f"status {reply.status}"] += 1

            threads = [Thread(target=ask, args=(number,)) for number in range(CROWD)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {"clients": CROWD, **outcomes, "memory grown by, MB": round(grown / 1024, 1)}


def measure_fuzz(cases: int) -> dict[str, Any]:
    """What schemathesis and broken messages find; the server must answer as before afterwards."""
    with TemporaryDirectory() as home, Index.open(home, embedder=BagOfWordsEmbedder()) as index:
        index.add([Article("talks", "The six-party talks broke down in 2009.", "Talks", "Post")])
        engine = Engine.open(index=index, llm=ScriptedLLM())
        with served(engine, home, folders=Folders(anywhere=False)) as (port, _):
            found = schemathesis(port, cases)
            statuses = broken_messages(port)
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)) as connection:
                alive = asked(connection, _QUESTION, stream=False).status
    return {
        **found,
        "broken messages to /mcp": sum(statuses.values()),
        "of these with status 5xx": sum(number for status, number in statuses.items() if status >= 500),
        "status of a question afterwards": alive,
    }


def schemathesis(port: int, cases: int) -> dict[str, Any]:
    """Requests made, and those that show a 5xx, or a status, type or form that the document does not have."""
    program = shutil.which("schemathesis", path=str(Path(sys.executable).parent)) or "schemathesis"
    checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
    # Besides the examples and the edge cases of the document, some 1,500, each operation gets so many at random.
    each = max(1, (cases - 1500) // 16)
    command = [program, "run", f"http://127.0.0.1:{port}/openapi.json", "--checks", checks, "--no-color"]
    command += ["--phases", "examples,coverage,fuzzing" if cases >= 1500 else "fuzzing", "--max-examples", str(each)]
    command += ["--request-timeout", "30", "--continue-on-failure"]
    with TemporaryDirectory() as folder:
        done = subprocess.run(command, cwd=folder, text=True, capture_output=True, check=False)  # noqa: S603
    made = re.search(r"(\d+) generated", done.stdout)
    failures = re.search(r"(\d+) found (\d+) unique failures", done.stdout)
    if failures or not made:
        print(done.stdout[-6000:])
    return {
        "requests of schemathesis": int(made[1]) if made else 0,
        "failures": int(failures[2]) if failures else 0,
    }


def broken_messages(port: int) -> Counter[int]:
    """Status → how many of the messages got it. Messages are whole ones with something cut, doubled or replaced."""
    chance = random.Random(20)
    opening = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "fuzz", "version": "1"}}
    calls: list[dict[str, Any]] = [
        {"method": "initialize", "params": opening},
        {"method": "tools/call", "params": {"name": "search", "arguments": {"query": "talks"}}},
        {"method": "resources/read", "params": {"uri": "citewire://article/talks"}},
        {"method": "prompts/get", "params": {"name": "answer", "arguments": {"question": "a"}}},
        {"method": "tools/list"},
        {"method": "notifications/cancelled", "params": {"requestId": 1}},
    ]
    tokens = (b"\0", b"\xff", b"{", b"[" * 3000, b'"', b"null", b"1e999", b"9" * 5000, b"\\ud800", b",", b"-1", b"true")
    session = sent(port, json.dumps({"jsonrpc": "2.0", "id": 1, **calls[0]}).encode(), "")[1]
    statuses: Counter[int] = Counter()
    for number in range(MESSAGES):
        body = bytearray(json.dumps({"jsonrpc": "2.0", "id": number, **chance.choice(calls)}).encode())
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(body) + 1)
            body[at : at + chance.choice((0, 1, 8))] = chance.choice((*tokens, bytes(body[at : at + 20]), b""))
        statuses[sent(port, bytes(body), session if chance.random() < 0.8 else "")[0]] += 1
    return statuses


def sent(port: int, body: bytes, session: str) -> tuple[int, str]:
    """The status of a message to /mcp and the session that it is of; 0 where no answer came."""
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    if session:
        headers["Mcp-Session-Id"] = session
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)) as connection:
        connection.request("POST", "/mcp", body, headers)
        reply = connection.getresponse()
        reply.read()
        return reply.status, reply.headers.get("Mcp-Session-Id", "")
