"""MCP with the official client: over standard input and output, and at /mcp of a real server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from tests.test_api import ANSWERED, PATIENCE_S, QUESTION, TALKS, Running, served
from ui.api import mcp as doors
from ui.api import tokens

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Iterator

TOP = Path(__file__).parent.parent
READING = ["ask", "check", "search", "timeline", "list_articles", "read_article"]

# `citewire mcp` over models that tests need not load.
PROGRAM = """
import asyncio, sys
from index import Article, Index
from rag import Engine
from tests.fakes import BagOfWordsEmbedder, ScriptedLLM
from tests.test_api import DAM, TALKS, Same
from ui.api import mcp
from ui.api.log import RequestLog
from ui.api.metrics import Metrics
from ui.api.service import Service
from ui.backend import Backend
from ui.folders import Folders

print("this must not reach the client")
with Index.open(sys.argv[1], embedder=BagOfWordsEmbedder()) as index:
    index.add([TALKS, DAM])
    backend = Backend(Engine.open(index=index, llm=Same()))
    service = Service(backend, folders=Folders(), metrics=Metrics(), log=RequestLog())
    backend.start()
    asyncio.run(mcp.over_stdio(service, write=sys.argv[2] == "write"))
    print("this neither")
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with served(tmp_path_factory.mktemp("mcp") / "home") as running:
        yield running


@contextlib.asynccontextmanager
async def connected(server: Running, token: str | None = None) -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with httpx2.AsyncClient(headers=headers, timeout=PATIENCE_S) as http:
        transport = streamable_http_client(f"http://127.0.0.1:{server.port}/mcp", http_client=http)
        async with Client(transport) as client:
            yield client


async def use_every_tool(client: Client) -> None:
    """Each tool gives its result as structured content, which the client validates, and as text."""
    steps: list[str | None] = []

    async def progress(progress: float, total: float | None, message: str | None) -> None:
        steps.append(message)

    asked = await client.call_tool("ask", {"question": QUESTION}, progress_callback=progress)
    assert asked.structured_content["text"] == ANSWERED
    assert asked.structured_content["claims"][0]["citations"][0]["quote"] == "The six-party talks broke down in 2009."
    assert f"{ANSWERED} [1]" in text_of(asked)
    assert "“The six-party talks broke down in 2009.”" in text_of(asked)
    assert "(id: talks)" in text_of(asked)
    assert steps
    checked = await client.call_tool("check", {"text": "The six-party talks broke down in 2010."})
    assert checked.structured_content["sentences"][0]["verdict"] == "contradicted"
    assert "contradicted" in text_of(checked)
    assert "2009" in text_of(checked)
    found = await client.call_tool("search", {"query": "dam", "k": 1})
    assert found.structured_content["hits"][0]["article_id"] == "dam"
    assert "built in 1950" in text_of(found)
    timeline = await client.call_tool("timeline", {"subject": "the dam"})
    assert timeline.structured_content["kind"] == "timeline"
    listed = await client.call_tool("list_articles", {})
    assert [one["id"] for one in listed.structured_content["articles"]] == ["talks", "dam"]
    read = await client.call_tool("read_article", {"id": "talks", "chars": 10})
    assert read.structured_content["text"] == TALKS.text[:10]
    assert "start=10" in text_of(read)
    [first, *_] = (await client.list_resources()).resources
    assert str(first.uri) == "citewire://article/talks"
    [content] = (await client.read_resource(str(first.uri))).contents
    assert TALKS.text in content.text  # type: ignore[union-attr]
    prompts = (await client.list_prompts()).prompts
    for prompt in prompts:
        assert prompt.arguments is not None
        got = await client.get_prompt(prompt.name, {prompt.arguments[0].name: "quagga"})
        assert "quagga" in got.messages[0].content.text  # type: ignore[union-attr]


def text_of(result: Any) -> str:
    return str(result.content[0].text)


def test_every_tool_resource_and_prompt_over_http(server: Running) -> None:
    async def run() -> None:
        async with connected(server) as client:
            tools = (await client.list_tools()).tools
            assert [tool.name for tool in tools] == READING
            assert all(tool.annotations is not None and tool.annotations.read_only_hint for tool in tools)
            await use_every_tool(client)

    asyncio.run(run())


def test_every_tool_over_standard_input_and_output(home: Path) -> None:
    async def run() -> None:
        command = StdioServerParameters(
            command=sys.executable, args=["-c", PROGRAM, str(home), "write"], env={"PYTHONPATH": str(TOP)}, cwd=TOP
        )
        async with Client(stdio_client(command)) as client:
            assert [tool.name for tool in (await client.list_tools()).tools] == [*READING, "add", "remove"]
            await use_every_tool(client)
            made = {"id": "made", "text": "The tower fell in 1902."}
            added = await client.call_tool("add", {"article": made})
            assert added.structured_content["report"]["added"] == 1
            assert (await client.call_tool("remove", {"id": "made"})).structured_content == {"removed": 1}

    asyncio.run(run())


def test_what_is_wrong_with_a_call_is_a_result_that_says_so(server: Running) -> None:
    async def run() -> None:
        async with connected(server) as client:
            for name, arguments in (
                ("ask", {"question": ""}),
                ("ask", {"question": "a", "surprise": 1}),
                ("search", {"query": "a\0b"}),
                ("read_article", {"id": "../../etc/passwd"}),
                ("check", {"text": "a", "articles": "b"}),
            ):
                result = await client.call_tool(name, arguments)
                assert result.is_error, name
                assert text_of(result)
            with pytest.raises(MCPError):
                await client.call_tool("remove", {"id": "talks"})
            for uri in ("citewire://article/nothing", "file:///etc/passwd", "citewire://other/talks"):
                with pytest.raises(MCPError):
                    await client.read_resource(uri)

    asyncio.run(run())


def test_writing_takes_a_token_that_may(tmp_path: Path) -> None:
    home = tmp_path / "home"
    reading, writing = tokens.add(home, name="r"), tokens.add(home, name="w", scope="write")

    async def run(server: Running) -> None:
        async with connected(server, reading) as client:
            assert [tool.name for tool in (await client.list_tools()).tools] == READING
            with pytest.raises(MCPError):
                await client.call_tool("remove", {"id": "talks"})
        async with connected(server, writing) as client:
            assert "remove" in [tool.name for tool in (await client.list_tools()).tools]
            assert not (await client.call_tool("remove", {"id": "talks"})).is_error

    with served(home, write=True) as server:
        refusals = (
            server.ask("POST", "/mcp", {}).status,
            server.ask("POST", "/mcp", {}, token=reading, headers={"Origin": "https://evil.example"}).status,
            server.ask("POST", "/mcp", {}, token=reading, headers={"Host": "rebound.example"}).status,
            server.ask("POST", f"/mcp?token={reading}", {}, token=reading).status,
        )
        assert refusals == (401, 403, 403, 400)
        asyncio.run(run(server))


def test_a_session_belongs_to_the_token_that_began_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    one, other = tokens.add(home, name="one"), tokens.add(home, name="other")
    with served(home) as server:
        begun = rpc(server, initialize(), token=one)
        session = begun.headers["mcp-session-id"]
        ping = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
        assert rpc(server, ping, token=one, session=session).status == 200
        assert rpc(server, ping, token=other, session=session).status == 404


def initialize() -> dict[str, Any]:
    params = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    return {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}


def rpc(server: Running, sent: object, *, token: str | None = None, session: str | None = None) -> Any:
    headers = {"Accept": "application/json, text/event-stream"}
    if session is not None:
        headers["Mcp-Session-Id"] = session
    return server.ask("POST", "/mcp", sent, token=token, headers=headers)


def test_a_client_that_never_ends_its_sessions_locks_out_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doors, "MOST_OF_CLIENT", 2)
    home = tmp_path / "home"
    with served(home) as server:
        careless, careful = (tokens.add(home, name=name) for name in ("careless", "careful"))

        def begin(token: str) -> str:
            return str(rpc(server, initialize(), token=token).headers["mcp-session-id"])

        def is_open(session: str, token: str) -> bool:
            ping = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
            return bool(rpc(server, ping, token=token, session=session).status == 200)

        kept, first, second = begin(careful), begin(careless), begin(careless)
        assert is_open(first, careless)  # so the second was not used for longest
        third = begin(careless)
        assert [is_open(one, careless) for one in (first, second, third)] == [True, False, True]
        assert is_open(kept, careful)
        ended = server.ask("DELETE", "/mcp", token=careless, headers={"Mcp-Session-Id": third})
        assert ended.status == 200
        fourth = begin(careless)
        assert [is_open(one, careless) for one in (first, third, fourth)] == [True, False, True]


def test_a_cancelled_call_frees_the_model(tmp_path: Path) -> None:
    async def run(server: Running) -> None:
        async with connected(server) as client:
            await break_off(server, client.call_tool("ask", {"question": QUESTION}))

    with served(tmp_path / "home") as server:
        server.llm.gate = threading.Event()
        asyncio.run(run(server))


def test_a_client_that_goes_away_frees_the_model(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def run(server: Running) -> None:
        begun = await asyncio.to_thread(rpc, server, initialize())
        headers = {
            "Accept": "application/json, text/event-stream",
            "Mcp-Session-Id": begun.headers["mcp-session-id"],
        }
        call = {"name": "ask", "arguments": {"question": QUESTION}}
        sent = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": call}
        async with httpx2.AsyncClient(timeout=PATIENCE_S) as http:
            url = f"http://127.0.0.1:{server.port}/mcp"
            await break_off(server, http.post(url, json=sent, headers=headers))

    with served(tmp_path / "home") as server:
        server.llm.gate = threading.Event()
        asyncio.run(run(server))
    assert not [record for record in caplog.records if record.name == "citewire.api"]


async def break_off(server: Running, question: Coroutine[Any, Any, object]) -> None:
    """Ask, go away once the model has begun, and wait until nothing is asked."""
    asking = asyncio.ensure_future(question)
    await until(lambda: bool(server.llm.prompts))
    asking.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asking
    await until(lambda: not len(server.programs.service.asking))


async def until(condition: Any) -> None:
    ends = asyncio.get_running_loop().time() + PATIENCE_S
    while not condition():
        assert asyncio.get_running_loop().time() < ends
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'"a"', b"\xff", b"[" * 100_000, b'{"jsonrpc": "1.0"}', b'{"jsonrpc": "2.0", "id": {}}']
    + [json.dumps({"jsonrpc": "2.0", "id": 1, "method": method}).encode() for method in ("", "nothing", "tools/call")],
)
def test_broken_messages_are_refused(server: Running, body: bytes) -> None:
    session = rpc(server, initialize()).headers["mcp-session-id"]
    headers = {"Accept": "application/json, text/event-stream", "Mcp-Session-Id": session}
    reply = server.ask("POST", "/mcp", headers=headers, body=body)
    assert reply.status < 500
    assert b"Traceback" not in reply.body
