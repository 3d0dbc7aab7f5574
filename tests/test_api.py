"""The HTTP API of `citewire serve` over a real server on loopback: routes, streams, jobs, tokens, limits, refusals."""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import re
import shlex
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import MagicMock
from urllib.parse import urlsplit

import pytest
from pydantic import BaseModel

from index import Article, Index
from index.errors import ModelError
from index.run import SyncReport
from rag import Engine, Progress, Token
from tests.fakes import BagOfWordsEmbedder, ScriptedLLM
from ui import cli
from ui.api import door, programs, schema, tokens
from ui.api.asking import Asking
from ui.api.door import Rates
from ui.api.service import seldom_writing
from ui.backend import Backend
from ui.folders import Folders

if TYPE_CHECKING:
    from collections.abc import Iterator

TOP = Path(__file__).parent.parent
TALKS = Article("talks", "The six-party talks broke down in 2009. Nobody spoke for years.", "Talks", "Post")
DAM = Article("dam", "The dam was built in 1950. It holds a lake.", "Dam", "Herald", published="2018-03-21")
QUESTION = "When did the six-party talks break down?"
ANSWERED = "The six-party talks broke down in 2009."
PATIENCE_S = 20.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Same(ScriptedLLM):
    """Gives the same answer to every question."""

    def stream(self, prompt: Any, **options: Any) -> Iterator[str]:
        self.replies = [ANSWERED]
        return super().stream(prompt, **options)


@dataclass(slots=True)
class Running:
    """A server without a page, and how to ask it as anybody might."""

    port: int
    engine: Engine
    llm: ScriptedLLM
    programs: programs.Programs
    home: Path

    def ask(
        self,
        method: str,
        path: str,
        sent: object = None,
        *,
        token: str | None = None,
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
    ) -> Reply:
        known = {"Host": f"127.0.0.1:{self.port}"}
        if token is not None:
            known["Authorization"] = f"Bearer {token}"
        if sent is not None:
            body = json.dumps(sent).encode()
        if body is not None:
            known["Content-Type"] = "application/json"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        with contextlib.closing(connection):
            connection.putrequest(method, path, skip_host=True)
            for name, value in {**known, **(headers or {})}.items():
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            reply = connection.getresponse()
            return Reply(reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read())

    def finished(self, job: Any) -> Any:
        ends = time.monotonic() + PATIENCE_S
        while job["finished"] is None and time.monotonic() < ends:
            time.sleep(0.02)
            job = self.ask("GET", f"/api/v1/jobs/{job['id']}").json
        return job


@contextlib.contextmanager
def served(home: Path, *, folders: Folders | None = None, **options: Any) -> Iterator[Running]:
    llm = Same()
    with Index.open(home, embedder=BagOfWordsEmbedder()) as index:
        index.add([TALKS, DAM])
        engine = Engine.open(index=index, llm=llm)
        backend = Backend(engine)
        made = programs.Programs(backend, home=home, folders=folders or Folders(), **options)
        with programs.running(made, port=0) as url:
            backend.start()
            backend.loaded(threading.Event())
            yield Running(urlsplit(url).port or 0, engine, llm, made, home)
        made.close(PATIENCE_S)
        backend.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with served(tmp_path_factory.mktemp("api") / "home") as running:
        yield running


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, str, str]]:
    """A server with a token that reads and one that writes."""
    home = tmp_path_factory.mktemp("locked") / "home"
    reading, writing = tokens.add(home, name="reader"), tokens.add(home, name="writer", scope="write")
    with served(home) as running:
        yield running, reading, writing


def test_an_answer_is_that_of_the_engine(server: Running) -> None:
    reply = server.ask("POST", "/api/v1/ask", {"question": QUESTION})
    assert reply.status == 200, reply.body
    expected = server.engine.ask(QUESTION).to_dict()
    assert {**reply.json, "timings": {}} == {**expected, "timings": {}}
    assert reply.json["claims"][0]["citations"][0]["quote"] == "The six-party talks broke down in 2009."


def events(body: bytes) -> list[tuple[str, Any]]:
    found = []
    for block in body.decode().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if lines:
            found.append((lines["event"], json.loads(lines["data"])))
    return found


@pytest.mark.parametrize("how", ["header", "member"])
def test_a_stream_has_the_events_of_the_engine(server: Running, how: str) -> None:
    headers = {"Accept": "text/event-stream"} if how == "header" else {}
    sent = {"question": QUESTION, **({"stream": True} if how == "member" else {})}
    reply = server.ask("POST", "/api/v1/ask", sent, headers=headers)
    assert reply.headers["content-type"].startswith("text/event-stream")
    names = [name for name, _ in events(reply.body)]
    assert names[0] == "evidence"
    assert "token" in names
    assert names[-1] == "answer"
    assert events(reply.body)[-1][1]["text"] == ANSWERED


def test_history_kind_limit_and_articles_are_those_of_the_engine(server: Running) -> None:
    sent = {"question": "And when?", "history": [{"question": QUESTION, "answer": ANSWERED}]}
    assert "six-party" in server.ask("POST", "/api/v1/ask", sent).json["searched"]
    listed = server.ask("POST", "/api/v1/ask", {"question": "the dam", "kind": "list", "limit": 1}).json
    assert (listed["kind"], len(listed["sections"])) == ("list", 1)
    other = server.ask("POST", "/api/v1/ask", {"question": QUESTION, "articles": ["dam"]}).json
    assert other["refused"]


def test_a_draft_is_checked_whole_and_as_a_stream(server: Running) -> None:
    draft = {"text": "The six-party talks broke down in 2010. The dam was built in 1950."}
    whole = server.ask("POST", "/api/v1/check", draft)
    assert whole.json == server.engine.check(draft["text"]).to_dict()
    streamed = events(server.ask("POST", "/api/v1/check", {**draft, "stream": True}).body)
    assert [name for name, _ in streamed] == ["sentence", "sentence", "check"]
    assert streamed[-1][1] == whole.json


def test_a_search_finds_passages(server: Running) -> None:
    reply = server.ask("POST", "/api/v1/search", {"query": "dam", "k": 1, "source": "herald", "after": "2017"})
    [hit] = reply.json["hits"]
    assert (hit["article_id"], hit["text"]) == ("dam", DAM.text)


def test_articles_are_listed_and_read(server: Running) -> None:
    listed = server.ask("GET", "/api/v1/articles?limit=1&offset=1").json
    assert listed["total"] == 2
    assert [one["id"] for one in listed["articles"]] == ["dam"]
    assert "text" not in listed["articles"][0]
    assert server.ask("GET", "/api/v1/articles/talks").json["text"] == TALKS.text
    missing = server.ask("GET", "/api/v1/articles/nothing")
    assert missing.status == 404
    assert "citewire index list" in missing.json["detail"]


def test_articles_files_and_folders_are_added_as_jobs_and_removed(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.txt").write_text("The bridge fell in 1999.")
    with served(tmp_path / "home") as server:
        started = server.ask("POST", "/api/v1/sync", {"sources": [str(folder)]})
        assert started.status == 202
        assert started.headers["location"] == f"/api/v1/jobs/{started.json['id']}"
        job = server.finished(started.json)
        assert (job["state"], job["report"]["added"]) == ("done", 1)
        assert server.ask("GET", "/api/v1/sources").json["sources"] == [str(folder)]
        assert server.finished(server.ask("POST", "/api/v1/sync", {}).json)["report"]["unchanged"] == 1
        made = {"id": "made", "text": "The tower fell in 1902.", "published": "1902"}
        assert server.finished(server.ask("POST", "/api/v1/articles", made).json)["report"]["added"] == 1
        upload = server.ask("POST", "/api/v1/uploads?name=../../etc/ship.txt", body=b"The ship sank in 1912.")
        assert server.finished(upload.json)["report"]["added"] == 1
        assert [file.name for file in (server.home / "uploads").glob("*.txt")] == ["etc_ship.txt"]
        empty = server.finished(server.ask("POST", "/api/v1/uploads?name=empty.txt", body=b" ").json)
        assert empty["report"]["failed"]
        assert not (server.home / "uploads" / "empty.txt").exists()
        assert server.ask("POST", "/api/v1/uploads?name=x.exe", body=b"MZ").status == 422
        assert server.ask("DELETE", "/api/v1/articles/made").json == {"removed": 1}
        assert server.ask("DELETE", "/api/v1/articles/made").status == 404
        assert {job["kind"] for job in server.ask("GET", "/api/v1/jobs").json["jobs"]} == {"sync", "article", "upload"}


def test_an_upload_that_is_stopped_before_its_turn_leaves_nothing(tmp_path: Path) -> None:
    with served(tmp_path / "home") as server:
        jobs, may_end = server.programs.service.jobs, threading.Event()

        def first(report: object, cancel: threading.Event) -> SyncReport:
            may_end.wait(PATIENCE_S)
            return SyncReport()

        jobs.start("sync", first)
        waiting = server.ask("POST", "/api/v1/uploads?name=cw_47.txt", body=b"The ship sank in 1912.").json
        server.ask("DELETE", f"/api/v1/jobs/{waiting['id']}")
        may_end.set()
        assert server.finished(waiting)["state"] == "cancelled"
        assert [file for file in (server.home / "uploads").rglob("*") if file.is_file()] == []


def test_links_are_below_the_path_that_a_proxy_has_and_lead_to_pages_only(tmp_path: Path) -> None:
    script = {"id": "quagga", "text": "The quagga died in 1883.", "url": "javascript:alert(1)"}
    question = {"model": "citewire", "messages": [{"role": "user", "content": "Which articles mention the quagga?"}]}
    with served(tmp_path / "home", root_path="/news/") as server:
        for path in ("", "/news"):
            started = server.ask("POST", f"{path}/api/v1/articles", script)
            assert started.headers["location"] == f"/news/api/v1/jobs/{started.json['id']}"
            server.finished(started.json)
            [result] = server.ask("POST", f"{path}/v1/chat/completions", question).json["search_results"]
            assert result["url"] == f"http://127.0.0.1:{server.port}/news/api/v1/articles/quagga"
        server.programs.service.has_page = True
        [result] = server.ask("POST", "/v1/chat/completions", question).json["search_results"]
        assert result["url"] == f"http://127.0.0.1:{server.port}/news/article/quagga?start=0&end=24"


def test_models_that_do_not_load_are_not_ready_and_tried_again_only_for_what_needs_them(tmp_path: Path) -> None:
    with served(tmp_path / "home") as server:
        tries: list[bool] = []

        def load() -> None:
            tries.append(False)
            raise ModelError("the model is missing; run: citewire models pull")

        broken = MagicMock(wraps=server.engine, index=server.engine.index, load=load)
        backend = Backend(lambda: broken)
        server.programs.service.backend = backend
        with pytest.raises(ModelError):
            backend.loaded(threading.Event())
        for _ in range(3):
            assert server.ask("POST", "/api/v1/search", {"query": "dam"}).status == 200
            assert server.ask("GET", "/metrics").status == 200
        assert len(tries) == 1
        unready = server.ask("GET", "/api/v1/ready")
        assert (unready.status, "citewire models pull" in unready.json["detail"]) == (503, True)


def test_health_and_readiness(server: Running) -> None:
    assert server.ask("GET", "/api/v1/health").json == {"status": "ok"}
    ready = server.ask("GET", "/api/v1/ready").json
    assert (ready["ready"], ready["articles"], ready["model"]) == (True, 2, "scripted")


def test_what_is_shown_has_the_keys_of_the_values(server: Running) -> None:
    answer = server.engine.ask(QUESTION)
    pairs: list[tuple[type[BaseModel], dict[str, Any]]] = [
        (schema.AnswerOut, answer.to_dict()),
        (schema.ClaimOut, answer.claims[0].to_dict()),
        (schema.CitationOut, answer.citations[0].to_dict()),
        (schema.HitOut, answer.sources[0].to_dict()),
        (schema.CheckOut, server.engine.check(ANSWERED).to_dict()),
        (schema.CheckedOut, server.engine.check(ANSWERED).sentences[0].to_dict()),
        (schema.SectionOut, server.engine.ask("Which articles mention the dam?").sections[0].to_dict()),
    ]
    for model, shown in pairs:
        assert model.model_fields.keys() == shown.keys()


# Who gets in

ROUTES = {
    "POST /api/v1/ask": "read",
    "POST /api/v1/check": "read",
    "POST /api/v1/search": "read",
    "GET /api/v1/articles": "read",
    "GET /api/v1/articles/talks": "read",
    "GET /api/v1/ready": "read",
    "GET /openapi.json": "read",
    "GET /metrics": "read",
    "GET /v1/models": "read",
    "GET /v1/models/citewire": "read",
    "POST /v1/chat/completions": "read",
    "POST /v1/responses": "read",
    "POST /mcp": "read",
    "GET /mcp": "read",
    "DELETE /mcp": "read",
    "POST /api/v1/articles": "write",
    "DELETE /api/v1/articles/nothing": "write",
    "POST /api/v1/uploads": "write",
    "GET /api/v1/sources": "write",
    "POST /api/v1/sources": "write",
    "POST /api/v1/sync": "write",
    "GET /api/v1/jobs": "write",
    "GET /api/v1/jobs/x": "write",
    "DELETE /api/v1/jobs/x": "write",
    "GET /api/v1/health": "none",
}


def test_every_route_is_in_the_table(server: Running) -> None:
    paths = server.ask("GET", "/openapi.json").json["paths"]
    documented = {f"{method.upper()} {path}" for path, operations in paths.items() for method in operations}
    ids = {"{article_id}": "talks", "{job_id}": "x", "{model}": "citewire"}
    for before, after in ids.items():
        documented = {one.replace(before, after) for one in documented}
    known = {one.replace("/nothing", "/talks") for one in ROUTES}
    assert documented | {"GET /openapi.json", "POST /mcp", "GET /mcp", "DELETE /mcp"} == known


@pytest.mark.parametrize("route", ROUTES)
def test_every_route_refuses_whoever_may_not(locked: tuple[Running, str, str], route: str) -> None:
    server, reading, writing = locked
    method, path = route.split()
    body = b"{}" if method == "POST" else None
    without = server.ask(method, path, body=body)
    wrong = server.ask(method, path, token="cw_" + "x" * 43, body=body)
    assert without.status == (200 if ROUTES[route] == "none" else 401)
    assert wrong.status == 401
    assert wrong.headers["www-authenticate"].startswith("Bearer")
    assert wrong.headers["content-type"] == "application/" + ("json" if "/v1/" in path[:4] else "problem+json")
    assert "citewire auth token add" in wrong.body.decode()
    narrow = server.ask(method, path, token=reading, body=body)
    assert (narrow.status == 403) == (ROUTES[route] == "write")
    assert server.ask(method, path, token=writing, body=body).status not in (401, 403)
    for headers in (
        {"Host": "rebound.example"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ):
        foreign = server.ask(method, path, token=writing, headers=headers, body=body)
        assert foreign.status == 403, headers
        assert not any(name.startswith("access-control") for name in foreign.headers)
    for query in (f"token={writing}", f"access_token={writing}", f"x={writing}", f"api_key={writing}"):
        exposed = server.ask(method, f"{path}?{query}", token=writing, body=body)
        assert exposed.status == 400
        assert writing not in exposed.body.decode()


def test_a_token_is_needed_beyond_loopback_and_behind_a_proxy(tmp_path: Path, server: Running) -> None:
    assert server.ask("GET", "/api/v1/articles").status == 200
    assert server.ask("GET", "/api/v1/articles", headers={"X-Forwarded-For": "1.2.3.4"}).status == 401
    with served(tmp_path / "home", host="0.0.0.0") as beyond:  # noqa: S104 (it listens on loopback all the same)
        assert beyond.ask("GET", "/api/v1/articles").status == 401


def test_a_token_counts_until_it_is_removed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with served(home) as server:
        assert server.ask("GET", "/api/v1/articles").status == 200
        text = tokens.add(home, name="a")
        assert server.ask("GET", "/api/v1/articles").status == 401
        assert server.ask("GET", "/api/v1/articles", token=text).status == 200
        tokens.add(home, name="b")
        tokens.remove(home, name="a")
        assert server.ask("GET", "/api/v1/articles", token=text).status == 401
        assert text not in (home / tokens.FILE).read_text()
        assert (home / tokens.FILE).stat().st_mode & 0o077 == 0


def test_a_damaged_file_of_tokens_lets_nobody_in(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with served(home) as server:
        tokens.add(home, name="a")
        (home / tokens.FILE).write_text("{}")
        assert server.ask("GET", "/api/v1/articles").status == 503


def test_the_page_and_the_doors_are_one_server_and_neither_opens_the_other(tmp_path: Path) -> None:
    from ui import web
    from ui.page_token import PageToken

    home = tmp_path / "home"
    with Index.open(home, embedder=BagOfWordsEmbedder()) as index:
        index.add([TALKS])
        backend = Backend(Engine.open(index=index, llm=Same()))
        made = programs.Programs(backend, home=home, folders=Folders())
        demo = web.build(backend)
        try:
            url = web.launch(demo, token=PageToken("a-token-for-the-tests-only"), doors=made)
            backend.start()
            server = Running(urlsplit(url).port or 0, backend.loaded(threading.Event()), Same(), made, home)  # type: ignore[arg-type]
            assert server.ask("POST", "/api/v1/ask", {"question": QUESTION}).json["text"] == ANSWERED
            assert server.ask("GET", "/").status == 403
            assert server.ask("GET", "/?token=a-token-for-the-tests-only").status == 303
            assert server.ask("GET", "/api/v1/../../").status in (403, 404)
            tokens.add(home, name="a")
            assert server.ask("GET", "/api/v1/articles").status == 401
        finally:
            demo.close(verbose=False)
            made.close()
            backend.close()


def test_no_file_of_the_machine_is_read_where_folders_are_not_allowed(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("The password is swordfish.")
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    (allowed / "link.txt").symlink_to(secret)
    for folders in (Folders(anywhere=False), Folders([allowed], anywhere=False)):
        with served(tmp_path / f"home{len(folders.allowed)}", folders=folders) as server:
            for source in (
                str(secret),
                f"file://{secret}",
                f"FILE:{secret}",
                str(allowed / "link.txt"),
                str(allowed / ".." / "secret.txt"),
                "~/.ssh",
                ".",
                f"{secret}\0.txt",
            ):
                for path in ("/api/v1/sync", "/api/v1/sources"):
                    reply = server.ask("POST", path, {"sources": [source]})
                    assert reply.status == 422, source
                    assert "swordfish" not in reply.body.decode()
            assert server.ask("GET", "/api/v1/jobs").json["jobs"] == []


# What is sent


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"[]", 422),
        (b"{", 400),
        (b"\xff\xfe{}", 400),
        (b"\xef\xbb\xbf{}", 400),
        (b'{"question": "\xc3"}', 400),
        (b'{"question": "a\\u0000b"}', 422),
        (b'{"question": "\\ud800"}', 422),
        (b'{"question": NaN}', 400),
        (b'{"question": "a", "limit": 1e999}', 422),
        (b'{"question": "a", "limit": ' + b"9" * 5000 + b"}", 400),
        (b'{"question": "a", "limit": 99999999999999999999}', 422),
        (b'{"question": "a", "surprise": 1}', 422),
        (b'{"question": ""}', 422),
        (b'{"question": "  "}', 422),
        (b'{"question": "' + b"a" * 3000 + b'"}', 422),
        (b"[" * 100_000, 400),
        (b'{"question": ' + b"[" * 500 + b"]" * 500 + b"}", 400),
        (b'{"question": "' + b"a" * door.MOST_BODY_BYTES + b'"}', 413),
    ],
)
def test_a_request_that_cannot_be_used_is_a_problem(server: Running, body: bytes, status: int) -> None:
    reply = server.ask("POST", "/api/v1/ask", body=body)
    assert reply.status == status, reply.body
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json["status"] == status
    assert reply.json["detail"]


def test_only_json_is_taken(server: Running) -> None:
    reply = server.ask("POST", "/api/v1/ask", body=b"{}", headers={"Content-Type": "text/plain"})
    assert reply.status == 415
    assert "application/json" in reply.json["detail"]


def test_unknown_addresses_and_methods_are_problems(server: Running) -> None:
    for method, path, status in (("GET", "/", 404), ("GET", "/api/v1/nothing", 404), ("PUT", "/api/v1/ask", 405)):
        reply = server.ask(method, path)
        assert (reply.status, reply.headers["content-type"]) == (status, "application/problem+json")


# Limits


def test_a_client_that_asks_too_often_is_told_when_to_ask_again(tmp_path: Path) -> None:
    with served(tmp_path / "home", rate_per_min=6) as server:
        assert server.ask("GET", "/api/v1/health").status == 200
        refused = server.ask("GET", "/api/v1/health")
        assert refused.status == 429
        assert 1 <= int(refused.headers["retry-after"]) <= 11


def test_a_rate_fills_up_again() -> None:
    now = [0.0]
    rates = Rates(60, clock=lambda: now[0])
    assert [rates.wait_s("a") for _ in range(11)] == [0] * 10 + [1]
    assert rates.wait_s("b") == 0
    now[0] = 1.5
    assert rates.wait_s("a") == 0


def test_more_questions_than_the_queue_takes_are_told_to_come_again(tmp_path: Path) -> None:
    with served(tmp_path / "home", most_asking=4) as server:
        server.llm.gate = threading.Event()
        replies: list[Reply] = []

        def ask() -> None:
            replies.append(server.ask("POST", "/api/v1/ask", {"question": QUESTION}))

        asking = [threading.Thread(target=ask) for _ in range(64)]
        for one in asking:
            one.start()
        ends = time.monotonic() + PATIENCE_S
        while len(replies) < 61 and time.monotonic() < ends:
            time.sleep(0.01)
        server.llm.gate.set()
        for one in asking:
            one.join()
        assert sorted(reply.status for reply in replies) == [200] * 3 + [429] * 61
        assert all(reply.json["text"] == ANSWERED for reply in replies if reply.status == 200)
        assert all(int(reply.headers["retry-after"]) > 0 for reply in replies if reply.status == 429)
        assert server.ask("POST", "/api/v1/ask", {"question": QUESTION}).status == 200


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_goes_away_frees_the_model(tmp_path: Path, stream: bool) -> None:
    with served(tmp_path / "home") as server:
        server.llm.gate = threading.Event()
        body = json.dumps({"question": QUESTION, "stream": stream}).encode()
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            head = f"Host: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
            client.sendall(f"POST /api/v1/ask HTTP/1.1\r\n{head}\r\n\r\n".encode() + body)
            ends = time.monotonic() + PATIENCE_S
            while not server.llm.prompts and time.monotonic() < ends:
                time.sleep(0.01)
            assert len(server.programs.service.asking) == 1
        while len(server.programs.service.asking) and time.monotonic() < ends:
            time.sleep(0.01)
        assert len(server.programs.service.asking) == 0
        assert server.engine.ask("Which articles mention the dam?").sections


def test_a_place_is_kept_until_the_job_has_ended() -> None:
    import asyncio

    asking, may_end = Asking(most=1), threading.Event()

    def stubborn(cancel: threading.Event) -> Iterator[int]:
        yield 1
        may_end.wait(PATIENCE_S)

    async def run() -> None:
        events = asking.events("a", stubborn)
        assert await anext(events) == 1
        await events.aclose()  # type: ignore[attr-defined]
        assert len(asking) == 1
        may_end.set()
        while len(asking):
            await asyncio.sleep(0.01)

    asyncio.run(run())


# What is seen from outside


def test_metrics_count_what_happens_without_its_words(server: Running) -> None:
    server.ask("POST", "/api/v1/ask", {"question": QUESTION})
    ends = time.monotonic() + 10
    while True:  # a question has left the queue soon after its answer was sent
        reply = server.ask("GET", "/metrics")
        text = reply.body.decode()
        if "citewire_queue_length 0" in text or time.monotonic() > ends:
            break
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    for name in (
        'citewire_requests_total{door="http",route="/api/v1/ask",status="200"}',
        'citewire_answers_total{kind="fact",refused="false"}',
        'citewire_answer_stage_seconds_bucket{stage="',
        "citewire_index_generation ",
        "citewire_queue_length 0",
        'citewire_jobs{state="running"}',
    ):
        assert name in text
    assert "six-party" not in text
    assert "\ncitewire_abandoned_total " not in text


def test_the_log_has_neither_words_nor_tokens(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    home = tmp_path / "home"
    text = tokens.add(home, name="laptop")
    before = list(logging.getLogger().handlers)
    with programs.log_as("json") as log, served(home, log=log) as server:
        server.ask("POST", "/api/v1/ask", {"question": QUESTION}, token=text)
        server.ask("GET", f"/api/v1/{text}?token={text}", token=text)
        server.ask("GET", "/api/v1/articles/talks", token=text)
    assert logging.getLogger().handlers == before
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines() if line.startswith("{")]
    assert [(line["route"], line["status"], line["client"]) for line in lines if line["event"] == "request"] == [
        ("/api/v1/ask", 200, "token laptop"),
        ("unknown", 400, ""),
        ("/api/v1/articles/{article_id:path}", 200, "token laptop"),
    ]
    assert not any(secret in json.dumps(lines) for secret in (text, "six-party", "talks"))


@pytest.mark.parametrize("page", ["api.md", "openai.md"])
def test_the_commands_of_the_documentation_work(page: str, server: Running, home: Path) -> None:
    text = (TOP / "docs" / page).read_text(encoding="utf-8")
    for block in re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        command = block.replace("\\\n", " ").replace(":7860", f":{server.port}").strip()
        if command.startswith("citewire serve"):
            cli.parser().parse_args(shlex.split(command)[1:])
        elif command.startswith("citewire"):
            assert cli.main(shlex.split(command)[1:]) == 0
        else:
            done = subprocess.run(["bash", "-c", command], text=True, capture_output=True, check=False)
            assert done.returncode == 0, done.stderr
            assert "six-party" in done.stdout


def test_generated_requests_get_only_what_is_documented(server: Running, tmp_path: Path) -> None:
    checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
    program = str(Path(sys.executable).parent / "schemathesis")
    command = [program, "run", f"http://127.0.0.1:{server.port}/openapi.json", "--checks", checks]
    command += ["--phases", "fuzzing", "--max-examples", "3", "--exclude-method", "DELETE"]
    command += ["--exclude-path-regex", "sync|sources|uploads"]
    done = subprocess.run(command, cwd=tmp_path, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_server_runs_until_a_signal(home: Path) -> None:
    program = "import sys; from ui.api import programs; programs.serve(sys.argv[1], port=0)"
    with subprocess.Popen([sys.executable, "-c", program, str(home)], text=True, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        found = re.search(r"http://127.0.0.1:(\d+)/", process.stdout.readline())
        assert found
        greeting = [process.stdout.readline(), process.stdout.readline()]
        assert "citewire auth token add" in greeting[1]
        connection = http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=PATIENCE_S)
        with contextlib.closing(connection):
            connection.request("GET", "/api/v1/health")
            assert connection.getresponse().status == 200
        process.terminate()
        assert process.wait(PATIENCE_S) == 0


def test_a_client_hears_seldom_how_many_words_are_written_and_always_how_many_in_the_end() -> None:
    ticks = iter(range(1000))
    written = [Progress("write", done, 200) for done in range(1, 41)]
    heard = list(
        seldom_writing(
            [Progress("read", 1, 1), *written, Token("a"), Token("b"), *written[:1]], now=lambda: next(ticks) / 64
        )
    )
    assert heard[0] == Progress("read", 1, 1)
    assert heard[1] == written[0]
    assert heard[-4:] == [written[-1], Token("a"), Token("b"), written[0]]
    assert len(heard) < 10
