"""Who strains the doors of `citewire serve`: wrong tokens, slow clients, and a second server on the same home."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from rag import Settings
from tests.test_api import PATIENCE_S, QUESTION, Running, served
from ui import cli
from ui.api import door, tokens
from ui.api.door import Failures
from ui.backend import Backend

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WRONG = f"{tokens.PREFIX}{'x' * 43}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with served(tmp_path_factory.mktemp("limits") / "home") as running:
        yield running


def test_many_wrong_tokens_must_wait_and_lock_nobody_out(tmp_path: Path) -> None:
    home = tmp_path / "home"
    right = tokens.add(home, name="a")
    with served(home) as server:
        statuses = [server.ask("GET", "/v1/models", token=WRONG).status for _ in range(door.FREE_WRONG)]
        assert set(statuses) == {401}
        refused = server.ask("GET", "/api/v1/articles", token=WRONG)
        assert refused.status == 429
        assert int(refused.headers["retry-after"]) >= 1
        assert server.ask("GET", "/api/v1/articles").status == 401
        assert server.ask("GET", "/api/v1/articles", token=right).status == 200


def test_each_further_wrong_token_doubles_the_wait_of_its_address_and_some_time_forgets_them() -> None:
    now = [0.0]
    failures = Failures(clock=lambda: now[0])
    for _ in range(door.FREE_WRONG):
        assert failures.wait_s("192.0.2.1") == 0
        failures.count("192.0.2.1")
    waits = []
    for _ in range(14):
        waits.append(failures.wait_s("192.0.2.1"))
        now[0] += waits[-1]
        failures.count("192.0.2.1")
    assert waits[:4] == [1, 2, 4, 8]
    assert waits[-1] == 900
    assert failures.wait_s("192.0.2.2") == 0
    now[0] += 3600
    failures.count("192.0.2.1")
    assert failures.wait_s("192.0.2.1") == 0


def connected(server: Running, *, length: int, receive_bytes: int | None = None) -> socket.socket:
    """A connection on which the head of a question was sent."""
    made = socket.socket()
    if receive_bytes is not None:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    made.settimeout(PATIENCE_S)
    made.connect(("127.0.0.1", server.port))
    lines = ("POST /api/v1/ask HTTP/1.1", f"Host: 127.0.0.1:{server.port}", "Content-Type: application/json")
    made.sendall("\r\n".join([*lines, f"Content-Length: {length}", "", ""]).encode())
    return made


def answer(connection: socket.socket) -> bytes:
    received = b""
    while chunk := connection.recv(65536):
        received += chunk
        if b"}" in chunk:
            break
    return received


def test_a_body_that_comes_too_slowly_is_refused(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "BODY_S", 0.2)
    with connected(server, length=1000) as connection:
        connection.sendall(b"{")
        refusal = answer(connection)
    assert refusal.startswith(b"HTTP/1.1 408")
    assert b"application/problem+json" in refusal
    assert server.ask("POST", "/api/v1/ask", {"question": QUESTION}).status == 200


def test_all_that_is_being_received_is_bounded(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "MOST_RECEIVED_BYTES", 3000)
    held = [connected(server, length=2000) for _ in range(4)]
    for one in held:
        one.sendall(b" " * 1000)
        time.sleep(0.05)
    assert answer(held[3]).startswith(b"HTTP/1.1 429")
    for one in held:
        one.close()
    ends = time.monotonic() + PATIENCE_S
    while server.ask("POST", "/api/v1/ask", {"question": QUESTION}).status != 200 and time.monotonic() < ends:
        time.sleep(0.05)
    assert server.ask("POST", "/api/v1/ask", {"question": QUESTION}).status == 200


def test_a_client_that_does_not_read_its_stream_holds_no_model(server: Running) -> None:
    body = json.dumps({"question": QUESTION, "stream": True}).encode()
    asked = len(server.llm.prompts)
    with connected(server, length=len(body), receive_bytes=1024) as connection:
        connection.sendall(body)
        ends = time.monotonic() + PATIENCE_S
        while (len(server.llm.prompts) == asked or len(server.programs.service.asking)) and time.monotonic() < ends:
            time.sleep(0.02)
        assert len(server.llm.prompts) > asked
        assert len(server.programs.service.asking) == 0


@pytest.mark.parametrize(
    ("path", "sent", "mend"),
    [
        ("/api/v1/ask", {}, "question: is needed"),
        ("/api/v1/ask", {"question": "a", "surprise": "SECRET"}, "surprise: is not known here; leave it out"),
        ("/api/v1/search", {"query": "a", "before": "soon"}, "before: soon is no date; write a year"),
        ("/api/v1/articles", {"id": "a", "text": "a", "published": "2018-13-45"}, "published: 2018-13-45 is no date"),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "a"}]}, "model: is needed"),
        ("/v1/chat/completions", {"tools": [{"SECRET": 1}]}, "tools: cannot be used here; leave it out"),
        ("/v1/chat/completions", {"n": 2}, "n: can only be 1 here; leave it out"),
        ("/v1/chat/completions", {"logprobs": True}, "logprobs: can only be false here; leave it out"),
        ("/v1/responses", {"previous_response_id": "SECRET"}, "previous_response_id: cannot be used here"),
    ],
)
def test_what_is_wrong_with_a_member_says_what_to_do(
    server: Running, path: str, sent: dict[str, object], mend: str
) -> None:
    known: dict[str, object] = {}
    if path.startswith("/v1") and mend != "model: is needed":
        known = {"model": "citewire", "messages": [{"role": "user", "content": "a"}]}
        if path.endswith("responses"):
            known = {"model": "citewire", "input": "a"}
    reply = server.ask("POST", path, {**known, **sent})
    assert mend in (reply.json["error"]["message"] if path.startswith("/v1") else reply.json["detail"])
    assert "SECRET" not in reply.body.decode()


def test_a_wrong_method_names_the_right_one(server: Running) -> None:
    assert "POST" in server.ask("PUT", "/api/v1/ask").json["detail"]


@pytest.mark.parametrize(
    ("path", "status"),
    [("/api/v1/health", 200), ("/api/v1/articles/talks", 200), ("/v1/models", 200), ("/metrics", 200),
     ("/openapi.json", 200), ("/api/v1/nothing", 404), ("/api/v1/ask", 405), ("/mcp", 405)],
)  # fmt: skip
def test_a_head_is_that_of_a_get(server: Running, path: str, status: int) -> None:
    head, get = server.ask("HEAD", path), server.ask("GET", path)
    assert (head.status, head.body) == (status, b"")
    if path not in ("/metrics", "/mcp"):  # counts change, and a GET of /mcp waits for events
        assert {**head.headers, "date": ""} == {**get.headers, "date": ""}
    assert server.ask("HEAD", path, headers={"Origin": "https://evil.example"}).status == 403


@pytest.mark.parametrize(
    ("deep", "status"),
    [
        ("[" * 63 + "]" * 63, 422),  # the object around it is one more
        ("[" * 64 + "]" * 64, 400),
        ('{"a":[' * 32 + "]}" * 32, 400),
        ("[" * 200, 400),
        ("[" + "[]," * 50_000 + "[]]", 422),
        (json.dumps("[{" * 500), 422),
        (json.dumps('\\"[{' * 500), 422),
        ('"' + '\\"' * 100_000, 400),
    ],
)
def test_json_may_be_wide_but_not_deep(server: Running, deep: str, status: int) -> None:
    reply = server.ask("POST", "/api/v1/search", body=f'{{"query": "talks", "surprise": {deep}}}'.encode())
    assert reply.status == status, reply.body


def test_a_compressed_body_is_refused_with_the_reason(server: Running) -> None:
    for path in ("/api/v1/search", "/v1/responses", "/mcp", "/api/v1/uploads?name=a.txt"):
        reply = server.ask("POST", path, body=b"\x1f\x8b", headers={"Content-Encoding": "gzip"})
        assert reply.status == 415
        assert "without the header Content-Encoding" in reply.body.decode()


def test_two_servers_share_a_home(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with served(home) as one, served(home) as other:
        started = []
        for number in range(6):
            server = (one, other)[number % 2]
            sent = {"id": f"made{number}", "text": f"Tower {number} fell in {1900 + number}."}
            started.append((server, server.ask("POST", "/api/v1/articles", sent).json))
        assert [server.finished(job)["state"] for server, job in started] == ["done"] * 6
        for server in (one, other):
            assert server.ask("GET", "/api/v1/articles").json["total"] == 8
        token = tokens.add(home, name="a")
        for server in (one, other):
            assert server.ask("GET", "/api/v1/articles").status == 401
            assert server.ask("GET", "/api/v1/articles", token=token).status == 200


def test_an_article_without_a_title_is_listed_by_its_first_words(tmp_path: Path) -> None:
    with served(tmp_path / "home") as server:
        words = "The tower fell in 1902 and nobody rebuilt it, for the town had no money at all for such things."
        server.finished(server.ask("POST", "/api/v1/articles", {"id": "tower", "text": words * 20}).json)
        headline = server.ask("GET", "/api/v1/articles/tower").json["headline"]
        listed = {one["id"]: one["headline"] for one in server.ask("GET", "/api/v1/articles").json["articles"]}
        assert listed["tower"] == headline
        assert headline.startswith("The tower fell")


@pytest.mark.parametrize("option", ["--auth=/none", "--token=secret", "--open-browser"])
def test_what_is_for_the_page_is_refused_without_a_page(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["serve", "--no-page", option]) == 1
    complaint = capsys.readouterr().err
    assert option.partition("=")[0] in complaint
    assert "citewire auth token add" in complaint


def test_an_export_of_no_conversations_says_that_there_are_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["conversations", "export"]) == 0
    assert "no conversations yet" in capsys.readouterr().err
    assert cli.main(["conversations", "export", "--format", "json"]) == 0
    json.loads(capsys.readouterr().out)


def test_the_status_names_the_machine_that_the_chosen_model_is_on(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server.engine, "settings", Settings(llm="https://llm.example.com/v1#big"))
    monkeypatch.setattr("ui.preferences.downloaded", lambda: frozenset(["smollm2-135m"]))
    backend = Backend(server.engine)
    backend.start()
    backend.loaded(threading.Event())
    assert "llm.example.com" in backend.status()
    assert "llm.example.com" in backend.status({"model": "another"})
    assert "another machine" not in backend.status({"model": "smollm2-135m"})


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_while_the_command_line_is_imported_is_quiet(home: Path) -> None:
    # The import of the command line is interrupted where it begins, and where its heaviest part does.
    for name in ("ui.cli", "ui.commands.serving"):
        program = (
            "import builtins, os, signal, sys, importlib.abc\n"
            "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell's background job ignores it
            "class Interrupts(importlib.abc.MetaPathFinder):\n"
            "    def find_spec(self, name, path, target=None):\n"
            f"        if name == {name!r}:\n"
            "            os.kill(os.getpid(), signal.SIGINT)\n"
            "sys.meta_path.insert(0, Interrupts())\n"
            "from ui.entry import main\n"
            "sys.exit(main())\n"
        )
        done = subprocess.run([sys.executable, "-c", program, "--version"], text=True, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (128 + signal.SIGINT, "")
