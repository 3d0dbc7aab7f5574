"""ui/connections.py and ui/event_queue.py on real sockets: clients that hold on to something and do not use it."""

from __future__ import annotations

import json
import socket
import threading
import time
import urllib.request
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from index import Article, Index
from rag import Engine
from tests.fakes import BagOfWordsEmbedder, ScriptedLLM
from ui import connections, event_queue, web

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rag.prompt import Prompt
PATIENCE_S = 20.0
WORDS = "The talks broke down in 2009."


class SlowLLM(ScriptedLLM):
    """Takes its time for each word: for two hundred of them, longer than anybody's patience here."""

    def stream(self, prompt: Prompt, **options: Any) -> Iterator[str]:
        for piece in super().stream(prompt, **options):
            time.sleep(0.2)
            yield piece


class Page:
    """A running page, its model, and raw connections to it."""

    def __init__(self, url: str, demo: Any, llm: ScriptedLLM) -> None:
        self.demo, self.llm = demo, llm
        self.port = urlsplit(url).port or 0
        self.url = url.rstrip("/")

    def connect(self, *, receive_bytes: int | None = None) -> socket.socket:
        made = socket.socket()
        if receive_bytes is not None:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        made.settimeout(PATIENCE_S)
        made.connect(("127.0.0.1", self.port))
        return made

    def head(self, request: str, *more: str) -> bytes:
        return "\r\n".join([f"{request} HTTP/1.1", f"Host: 127.0.0.1:{self.port}", *more, "", ""]).encode()

    def join(self, fn: int, data: list[Any], tab: str) -> None:
        sent = {"data": data, "fn_index": fn, "session_hash": tab}
        request = urllib.request.Request(
            f"{self.url}/gradio_api/queue/join", json.dumps(sent).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as reply:
            assert reply.status == 200

    def ask(self, question: str, tab: str) -> None:
        """Join the queue with a question, and do not read the answer."""
        [asking] = [one for one in self.demo.config["dependencies"] if ("submit" in str(one["targets"]))]
        self.join(asking["id"], [question, None, "", "", ""], tab)

    def answered(self, tab: str) -> bool:
        """Read the results of a tab until one is complete."""
        with urllib.request.urlopen(f"{self.url}/gradio_api/queue/data?session_hash={tab}", timeout=60) as events:
            return any(b"process_completed" in line for line in events)

    def open_connections(self) -> int:
        return len(self.demo.server.server_state.connections)


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    llm = SlowLLM()
    with Index.open(tmp_path_factory.mktemp("home"), embedder=BagOfWordsEmbedder()) as index:
        index.add([Article("a1", WORDS)])
        demo = web.build(Engine.open(index=index, llm=llm))
        yield Page(web.launch(demo), demo, llm)
        demo.close(verbose=False)


@pytest.fixture
def page(started: Page, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    """A page that is quick to lose patience."""
    for name in ("HEAD_S", "GRACE_S", "UNREAD_S"):
        monkeypatch.setattr(connections, name, 0.3)
    monkeypatch.setattr(connections, "TICK_S", 0.05)
    started.llm.prompts.clear()
    yield started
    if started.llm.gate is not None:
        started.llm.gate.set()


def until(condition: Callable[[], bool]) -> bool:
    """Whether it becomes true before patience ends."""
    ended = time.monotonic() + PATIENCE_S
    while not condition() and time.monotonic() < ended:
        time.sleep(0.02)
    return condition()


def is_ended(connection: socket.socket) -> bool:
    """Whether the server ends the connection, whatever it says before."""
    try:
        while connection.recv(65536):
            pass
    except TimeoutError:
        return False
    except OSError:
        pass
    return True


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: "])
def test_a_head_that_does_not_come_ends_the_connection(page: Page, sent: bytes) -> None:
    with page.connect() as connection:
        connection.sendall(sent)
        assert is_ended(connection)


@pytest.mark.parametrize(
    ("request_line", "header", "rest"),
    [
        ("GET /", "X-Slow: yes", b"X-Slow: " + b"y" * 5000),
        ("POST /gradio_api/cancel", "Content-Length: 5000\r\n", b"x" * 5000),
    ],
)
def test_what_comes_byte_by_byte_ends_the_connection(page: Page, request_line: str, header: str, rest: bytes) -> None:
    head = page.head(request_line, header).removesuffix(b"\r\n" if rest.startswith(b"X") else b"")
    with page.connect() as connection:
        connection.sendall(head)
        assert until(lambda: is_refused(connection, rest[:1]))


def is_refused(connection: socket.socket, byte: bytes) -> bool:
    """Whether one more byte cannot be sent."""
    try:
        connection.sendall(byte)
    except OSError:
        return True
    return False


def test_a_second_request_that_does_not_come_ends_the_connection(page: Page) -> None:
    with page.connect() as connection:
        connection.sendall(page.head("GET /robots.txt"))
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
        connection.sendall(b"GET /robots.t")
        assert is_ended(connection)


def test_a_stream_that_is_quiet_goes_on(page: Page) -> None:
    with page.connect() as connection:
        connection.sendall(page.head("GET /gradio_api/heartbeat/tab1"))
        assert b"ALIVE" in connection.recv(65536) + connection.recv(65536)
        connection.settimeout(4 * connections.HEAD_S)
        with pytest.raises(TimeoutError):
            connection.recv(1)


def test_a_client_that_does_not_read_is_let_go(page: Page) -> None:
    with page.connect(receive_bytes=4096) as connection:
        for _ in range(40):  # pages of 100 kB each, more than the system holds for a client
            connection.sendall(page.head("GET /config"))
        assert connection.recv(1), "from here on it is one of the open connections, and nothing of it is read"
        assert until(lambda: page.open_connections() == 0)


def test_one_address_has_so_many_connections_and_others_are_told(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_S", PATIENCE_S)
    monkeypatch.setattr(connections, "MOST_OF_ADDRESS", 3)
    assert until(lambda: page.open_connections() == 0)
    held = [page.connect() for _ in range(3)]
    assert until(lambda: page.open_connections() == 3)
    with page.connect() as excess:
        said = excess.recv(65536)
        assert said.startswith(b"HTTP/1.1 503 ")
        assert said.endswith(b"Too many connections; try again in a while")
    held.pop().close()
    assert until(lambda: page.open_connections() == 2)
    with page.connect() as other:
        other.sendall(page.head("GET /robots.txt"))
        assert other.recv(65536).startswith(b"HTTP/1.1 200 ")
    for one in held:
        one.close()


def test_a_question_whose_answer_nobody_reads_does_not_keep_others_waiting(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first one asks and never opens the stream of results: its question is given up while the model writes."""
    monkeypatch.setattr(event_queue, "UNHEARD_S", 3.0)
    page.llm.replies[:] = ["silence " * 200, WORDS]
    page.ask("When did the talks break down?", "silent")
    assert until(lambda: len(page.llm.prompts) == 1)
    page.ask("When did the talks break down?", "reader")
    answers: list[bool] = []
    listener = threading.Thread(target=lambda: answers.append(page.answered("reader")))
    listener.start()
    assert until(lambda: len(page.llm.prompts) > 1), "the model still writes what nobody reads"
    listener.join(timeout=PATIENCE_S)
    assert answers == [True]


def test_a_question_that_nobody_reads_gives_up_its_place_before_the_first_word(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading a long prompt takes longer than anybody's patience; only the question's own cancel ends that."""
    monkeypatch.setattr(event_queue, "UNHEARD_S", 1.0)
    begun, stopped = threading.Event(), threading.Event()

    def read_only(prompt: Prompt, *, cancel: threading.Event, **options: Any) -> Iterator[str]:
        begun.set()
        if until(cancel.is_set):
            stopped.set()
        yield from ()

    with monkeypatch.context() as patched:
        patched.setattr(page.llm, "stream", read_only)
        page.ask("When did the talks break down?", "silent")
        assert begun.wait(PATIENCE_S)
        assert stopped.wait(PATIENCE_S), "the model still reads for nobody"
    page.llm.replies[:] = [WORDS]
    page.ask("When did the talks break down?", "reader")
    assert page.answered("reader")


def test_a_question_that_is_listened_to_in_time_is_kept(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_queue, "UNHEARD_S", 3.0)
    page.llm.gate = threading.Event()
    page.ask("When did the talks break down?", "reader")
    answers: list[bool] = []
    listener = threading.Thread(target=lambda: answers.append(page.answered("reader")))
    listener.start()
    listener.join(timeout=4.0)  # longer than an unheard one may wait
    page.llm.gate.set()
    listener.join(timeout=PATIENCE_S)
    assert answers == [True]
