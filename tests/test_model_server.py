"""A model of another program as LLM and as embedder: rag/llm/remote.py, index/model_server.py, on real sockets.

The server is a script: it says what a real one says, or what a hostile one might. A real one is in
tests/test_real_model_server.py.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from index import Article, Index, InputError, LayoutError, ModelError, models
from index.model_address import Address
from index.remote_embedder import RemoteEmbedder
from rag import Engine, Reason, Settings, Turn
from rag.llm.remote import ASKED_ODDS, RemoteLLM
from rag.prompt import Prompt
from rag.quote import Quoting
from tests.fakes import BagOfWordsEmbedder
from ui import cli

TALKS = Article(
    id="talks", text="The six-party talks broke down in 2009. Nobody knows why.", title="Talks", source="BBC"
)
ASKED = Prompt("Answer from the passages.", ("[BBC]\nThe talks broke down in 2009.",), (), "When did they break down?")

Handler = Callable[[BaseHTTPRequestHandler, dict[str, Any]], None]


class Server:
    """A model server that follows a script: path → what it does. It keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any], dict[str, str]]] = []
        self.gone = threading.Event()
        self.on: dict[str, Handler] = {
            "/v1/models": says({"data": [{"id": "tiny", "max_model_len": 2048}]}),
            "/tokenize": lambda h, body: say(h, {"tokens": list(range(len(body["content"].split())))}),
        }
        server = self

        class Requests(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer({})

            def do_POST(self) -> None:
                self.answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

            def answer(self, body: dict[str, Any]) -> None:
                server.asked.append((self.path, body, dict(self.headers)))
                try:
                    server.on.get(self.path, says({"error": {"message": "no such path"}}, 404))(self, body)
                except (BrokenPipeError, ConnectionResetError):
                    server.gone.set()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Requests)
        self.http.daemon_threads = True
        self.port = self.http.server_address[1]
        self.address = f"http://127.0.0.1:{self.port}/v1#tiny"
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    def chats(self) -> list[dict[str, Any]]:
        return [body for path, body, _ in self.asked if path.endswith("/chat/completions")]

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()


def say(handler: BaseHTTPRequestHandler, found: object, status: int = 200, **headers: str) -> None:
    content = found if isinstance(found, bytes) else json.dumps(found).encode()
    handler.send_response(status)
    for name, value in {"Content-Type": "application/json", "Content-Length": str(len(content)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(content)


def says(found: object, status: int = 200, **headers: str) -> Handler:
    return lambda handler, body: say(handler, found, status, **headers)


def begin(handler: BaseHTTPRequestHandler, media_type: str = "text/event-stream") -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", media_type)
    handler.end_headers()


def event(handler: BaseHTTPRequestHandler, text: str | None, ended: str | None = None) -> None:
    found = {"choices": [{"delta": {} if text is None else {"content": text}, "finish_reason": ended}]}
    handler.wfile.write(b"data: " + json.dumps(found).encode() + b"\n\n")
    handler.wfile.flush()


def writes(*pieces: str, ended: str = "stop") -> Handler:
    """An answer in these pieces."""

    def answer(handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        begin(handler)
        for piece in pieces:
            event(handler, piece)
        event(handler, None, ended)
        handler.wfile.write(b"data: [DONE]\n\n")

    return answer


def odds(**likely: float) -> dict[str, Any]:
    """An answer whose first token has these alternatives."""
    top = [{"token": token, "logprob": value} for token, value in likely.items()]
    return {"choices": [{"message": {"content": top[0]["token"]}, "logprobs": {"content": [{"top_logprobs": top}]}}]}


def chat(server: Server, *answers: Handler) -> None:
    """The server gives these answers in order, the last again and again."""
    waiting = list(answers)

    def answer(handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        (waiting.pop(0) if len(waiting) > 1 else waiting[0])(handler, body)

    server.on["/v1/chat/completions"] = answer


@pytest.fixture
def server() -> Iterator[Server]:
    opened = Server()
    yield opened
    opened.close()


@pytest.fixture
def llm(server: Server, home: object) -> Iterator[RemoteLLM]:
    opened = RemoteLLM.open(server.address, timeout_s=5)
    opened.server._retry_s = 0.01
    yield opened
    opened.close()


def written(llm: RemoteLLM, asked: Prompt = ASKED, **options: Any) -> str:
    return "".join(llm.stream(asked, max_tokens=32, cancel=threading.Event(), **options))


def test_an_answer_comes_in_pieces_and_what_the_server_says_of_itself_is_used(server: Server, llm: RemoteLLM) -> None:
    chat(server, writes("It was ", "2009."))
    read: list[tuple[int, int]] = []
    pieces = llm.stream(ASKED, max_tokens=32, cancel=threading.Event(), on_read=lambda *at: read.append(at))
    assert list(pieces) == ["It was ", "2009."]
    assert llm.context_tokens == 2048
    assert llm.name == f"tiny at 127.0.0.1:{server.port}"
    assert read == [(0, llm.count(ASKED)), (llm.count(ASKED), llm.count(ASKED))]
    [asked] = server.chats()
    assert asked["max_tokens"] == 32
    assert [message["role"] for message in asked["messages"]] == ["system", "user"]


def test_tokens_are_counted_by_the_server_or_taken_for_many(server: Server, llm: RemoteLLM) -> None:
    counted = llm.count(ASKED)
    del server.on["/tokenize"]
    estimating = RemoteLLM.open(server.address)
    assert estimating.count(ASKED) > counted + 20
    estimating.close()


@pytest.mark.parametrize("lie", [{"tokens": []}, {"tokens": [1] * 900}, {"count": -3}, {"tokens": "many"}, []])
def test_a_tokenizer_that_lies_is_not_believed(server: Server, llm: RemoteLLM, lie: object) -> None:
    server.on["/tokenize"] = says(lie)
    assert llm.count(ASKED) > len(ASKED.passages[0].encode()) // 2


def test_what_does_not_fit_the_context_is_refused_before_it_is_sent(server: Server, llm: RemoteLLM) -> None:
    with pytest.raises(InputError, match="CITEWIRE_CONTEXT_TOKENS"):
        written(llm, Prompt("", ("word " * 3000,), (), "What?"))
    assert not server.chats()


def test_no_article_or_question_ends_its_own_message(server: Server, llm: RemoteLLM) -> None:
    chat(server, writes("No."))
    marks = "a<|im_end|>b</s>c<start_of_turn>d[INST]e<｜User｜>f[/INST]g<|im_start|>system[TOOL_CALLS][/THINK][gMASK]"
    turn = Turn(marks, marks)
    written(llm, Prompt("Answer.", (marks,), (turn,), marks))
    sent = [message["content"] for message in server.chats()[0]["messages"]]
    for content in sent:
        assert not any(mark in content for mark in ("<|", "</s", "<start", "[INST]", "[/", "<｜", "[TOOL", "[g"))
        assert "im_end" in content


def test_words_that_are_no_marks_are_sent_as_they_are(server: Server, llm: RemoteLLM) -> None:
    chat(server, writes("No."))
    passage = "[BBC]\nThey had “went [sic] there” [1], says [Reuters], where 2 < 3 and x[i] <- y."
    written(llm, Prompt("Answer.", (passage,), (), "Why?"))
    assert passage in server.chats()[0]["messages"][0]["content"]


def test_half_a_surrogate_pair_is_sent_and_received_as_a_question_mark(server: Server, llm: RemoteLLM) -> None:
    chat(server, writes("x\ud800y"))
    assert written(llm, Prompt("Answer.", ("a\udfffb",), (), "Why \ud83d?")) == "x?y"


def test_thoughts_are_left_out_wherever_they_are_cut(server: Server, llm: RemoteLLM) -> None:
    for pieces in (
        ["<th", "ink>Hm.\n", "</thi", "nk>\n\nIt was 2009."],
        ["<think></think>It was 2009."],
        ["It was 2009."],
    ):
        chat(server, writes(*pieces))
        assert written(llm) == "It was 2009."


def test_a_model_that_only_thinks_is_named(server: Server, llm: RemoteLLM) -> None:
    chat(server, writes("<think>Hm. ", ended="length"))
    with pytest.raises(ModelError, match=r"tiny at .* used all .* to think"):
        written(llm)


def test_parameters_that_a_server_does_not_take_are_left_out(server: Server, llm: RemoteLLM) -> None:
    def picky(handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        if "max_tokens" in body or "temperature" in body:
            say(handler, {"error": {"message": "Unsupported parameter"}}, 400)
        else:
            writes("Yes.")(handler, body)

    chat(server, picky)
    assert written(llm) == "Yes."
    tried = len(server.chats())
    assert written(llm) == "Yes."
    assert len(server.chats()) == tried + 1  # what it takes is remembered


def test_a_context_that_is_smaller_than_the_setting_is_an_error_that_names_it(server: Server, llm: RemoteLLM) -> None:
    chat(server, says({"error": {"message": "the request exceeds the available context size"}}, 400))
    with pytest.raises(
        ModelError,
        match=r"answered 400: the request exceeds .* context of 2048 tokens; else set CITEWIRE_CONTEXT_TOKENS",
    ):
        written(llm)


def test_judging_takes_the_alternatives_of_the_first_token(server: Server, llm: RemoteLLM) -> None:
    chat(server, says(odds(Yes=-0.1, No=-2.5, yes=-3.0)))
    found = llm.judge(ASKED, cancel=threading.Event())
    assert math.isclose(found, math.log(math.exp(-0.1) + math.exp(-3.0)) + 2.5)


def test_a_side_that_is_not_listed_is_less_likely_than_all_that_are(server: Server, llm: RemoteLLM) -> None:
    chat(server, says(odds(Yes=-0.1, Well=-9.0)))
    assert llm.judge(ASKED, cancel=threading.Event()) == pytest.approx(8.9)


@pytest.mark.parametrize(
    "without", [says({"error": "no logprobs"}, 400), says({"choices": [{"message": {"content": "Yes"}}]})]
)
@pytest.mark.parametrize(("reply", "found"), [("**Yes**", ASKED_ODDS), ("No, …", -ASKED_ODDS), ("Perhaps", 0.0)])
def test_without_alternatives_the_model_is_asked(
    server: Server, llm: RemoteLLM, without: Handler, reply: str, found: float
) -> None:
    chat(server, lambda h, body: (writes(reply) if body.get("stream") else without)(h, body))
    assert llm.judge(ASKED, cancel=threading.Event()) == found


def test_quotes_are_chosen_by_number(server: Server, llm: RemoteLLM) -> None:
    chat(server, writes("2", " and 1, or 77"))
    quoting = Quoting(["It was cold. The talks broke down in 2009."], llm.vocabulary)
    assert written(llm, constraint=quoting) == "The talks broke down in 2009. … It was cold."
    assert "1. It was cold.\n2. The talks" in server.chats()[0]["messages"][-1]["content"]
    chat(server, writes("0"))
    assert written(llm, constraint=quoting) == ""


def test_cancelling_closes_the_connection_at_once(server: Server, llm: RemoteLLM) -> None:
    def slow(handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        begin(handler)
        for _ in range(2000):
            event(handler, "word ")
            time.sleep(0.01)

    chat(server, slow)
    cancel = threading.Event()
    for _ in llm.stream(ASKED, max_tokens=32, cancel=cancel):
        cancel.set()
    assert server.gone.wait(5)


def test_cancelling_does_not_wait_for_the_first_token(server: Server, llm: RemoteLLM) -> None:
    held = threading.Event()

    def silent(handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        held.wait(20)

    chat(server, silent)
    cancel = threading.Event()
    threading.Timer(0.2, cancel.set).start()
    assert list(llm.stream(ASKED, max_tokens=32, cancel=cancel)) == []
    assert math.isnan(llm.judge(ASKED, cancel=cancel))
    held.set()


def test_what_may_pass_is_tried_again_before_the_first_token_only(server: Server, llm: RemoteLLM) -> None:
    busy = says({"error": {"message": "Loading model"}}, 503)
    chat(server, busy, says({}, 429, Retry_After="0"), writes("Yes."))
    assert written(llm) == "Yes."

    def breaks(handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        begin(handler)
        event(handler, "It was ")
        handler.connection.close()

    chat(server, breaks)
    before = len(server.chats())
    with pytest.raises(ModelError, match=rf"127.0.0.1:{server.port} broke off.*runs, then ask again"):
        written(llm)
    assert len(server.chats()) == before + 1


def test_a_server_that_asks_for_a_long_wait_is_named(server: Server, llm: RemoteLLM) -> None:
    chat(server, says({"error": {"message": "Too many"}}, 429, Retry_After="3600"))
    with pytest.raises(ModelError, match=r"answered 429: Too many.*wait for 3600 s"):
        written(llm)


def endless(handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
    begin(handler)
    while True:
        handler.wfile.write(b"data: " + json.dumps({"choices": [{"delta": {"content": "la " * 999}}]}).encode() + b"\n")


def long_line(handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
    begin(handler)
    while True:
        handler.wfile.write(b"data: " + b"x" * 65536)


def comments(handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
    begin(handler)
    while True:
        handler.wfile.write(b": keep-alive\n" * 999)


def drip(handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
    begin(handler)
    for _ in range(600):
        handler.wfile.write(b":")
        handler.wfile.flush()
        time.sleep(0.05)


def raw(content: bytes, media_type: str = "text/event-stream") -> Handler:
    def answer(handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        begin(handler, media_type)
        handler.wfile.write(content)

    return answer


@pytest.mark.parametrize(
    "hostile",
    [
        long_line,
        comments,
        raw(b"data: {broken\n\n"),
        raw(b"data: " + b"[" * 100_000 + b"\n\n"),
        raw(b"data: 7\n\n"),
        raw(b'data: {"error": {"message": "out of memory"}}\n\n'),
        raw(b"data: {}\n\n"),
        raw(b"<html>Log in</html>", "text/html"),
        raw(b'{"error": "no"}', "application/json"),
        says(b"\xff\xfe", 500),
        says({"error": {"message": "x" * 100_000}}, 500),
        says({}, 307, Location="http://["),
        lambda h, body: h.wfile.write(b"nonsense\r\n\r\n") and None,
    ],
)
def test_a_hostile_server_is_an_error_that_names_it(server: Server, llm: RemoteLLM, hostile: Handler) -> None:
    chat(server, hostile)
    with pytest.raises(ModelError) as raised:
        written(llm)
    assert f"127.0.0.1:{server.port}" in str(raised.value)
    assert len(str(raised.value)) < 600


def test_an_answer_without_end_is_cut(server: Server, llm: RemoteLLM) -> None:
    chat(server, endless)
    assert len(written(llm)) <= 32 * 64
    assert server.gone.wait(5)


def test_a_slow_drip_ends(server: Server, home: object) -> None:
    chat(server, drip)
    impatient = RemoteLLM.open(server.address, timeout_s=1)
    with pytest.raises(ModelError, match="did not finish within 1 s"):
        written(impatient)
    impatient.close()


def test_a_stream_of_odd_objects_is_an_empty_answer(server: Server, llm: RemoteLLM) -> None:
    odd = [
        {"choices": 7, "error": None},
        {"choices": [7]},
        {"choices": [{"delta": 7}]},
        {"choices": [{"delta": {"content": 7}}]},
    ]
    chat(server, raw(b"".join(b"data: " + json.dumps(one).encode() + b"\n\n" for one in odd) + b"data: [DONE]\n\n"))
    assert written(llm) == ""
    chat(
        server, says({"choices": [{"logprobs": {"content": [{"top_logprobs": [{"token": 7}, 7, {"token": "Yes"}]}]}}]})
    )
    server.on["/v1/chat/completions"] = lambda h, b: (writes("") if b.get("stream") else says({"choices": {}}))(h, b)
    assert llm.judge(ASKED, cancel=threading.Event()) == 0.0


def test_no_redirect_is_followed(server: Server, llm: RemoteLLM) -> None:
    elsewhere = Server()
    chat(server, says({}, 307, Location=f"{elsewhere.address}/x"))
    with pytest.raises(ModelError, match=f"redirects to 127.0.0.1:{elsewhere.port}, which is not followed"):
        written(llm)
    assert elsewhere.asked == []
    elsewhere.close()


def test_the_key_is_sent_and_never_shown(server: Server, home: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CITEWIRE_LLM_KEY", "sk-secret-1")
    keyed = RemoteLLM.open(server.address)
    repeated = "Incorrect key: sk-secret-1"
    cut = f"{repeated.rjust(205)[1:].replace(' ', '.')} was given"
    answers = [says({"error": {"message": repeated}}, status) for status in (400, 401, 500)]
    answers += [says({"error": {"message": cut}}, 400), says({}, 307, Location="http://sk-secret-1@127.0.0.1")]
    for answer in answers:
        chat(server, answer)
        keyed.server._retry_s = 0.01
        with pytest.raises(ModelError) as raised:
            written(keyed)
        assert "sk-secret" not in str(raised.value)
    assert server.asked[-1][2]["Authorization"] == "Bearer sk-secret-1"
    assert "sk-secret" not in repr(vars(keyed))
    keyed.close()
    monkeypatch.setenv("CITEWIRE_LLM_KEY", "two\nlines")
    with pytest.raises(InputError, match="CITEWIRE_LLM_KEY"):
        RemoteLLM.open(server.address)


@pytest.mark.parametrize("proxy", ["HTTP_PROXY", "ALL_PROXY"])
def test_no_proxy_of_the_environment_is_used(
    server: Server, home: object, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv(proxy, "http://127.0.0.1:9")
    direct = RemoteLLM.open(server.address)
    assert direct.name
    direct.close()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("http://user:secret@host/v1#m", "CITEWIRE_LLM_KEY"),
        ("http://host/v1?api_key=secret#m", "CITEWIRE_LLM_KEY"),
        ("http://user:secret@[host/v1", "CITEWIRE_LLM_KEY"),
        ("http://user:sec/secret@host:99999/v1", "CITEWIRE_LLM_KEY"),
        ("http://user:sec#secret@host/v1", "CITEWIRE_LLM_KEY"),
        ("http:///v1", "http://host:port/v1#model"),
        ("http://host:99999/v1", "http://host:port/v1#model"),
        ("http://ho st/v1", "http://host:port/v1#model"),
    ],
)
def test_an_address_that_cannot_be_used(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        models.require_known(text, "llm")
    assert "sec" not in str(raised.value)


def test_the_name_of_a_model_may_have_any_character() -> None:
    assert Address.parse("http://[::1]:8080/v1#org/m@q8?x//y@z").model == "org/m@q8?x//y@z"


@pytest.mark.parametrize(
    ("text", "is_here"),
    [
        ("http://127.0.0.1:8080", True),
        ("http://127.9.9.9/v1", True),
        ("http://[::1]:8080/v1#m", True),
        ("http://localhost:11434/v1#llama3", True),
        ("https://api.example.com/v1#m", False),
        ("http://192.168.1.5:8000/v1", False),
        ("http://localhost.example.com/v1", False),
        ("http://0.0.0.0/v1", False),
        ("http://127.0.0.1.nip.io/v1", False),
    ],
)
def test_only_loopback_is_here(text: str, is_here: bool) -> None:
    address = Address.parse(text)
    assert address.is_here == is_here
    assert ("another machine" in address.named("m")) is not is_here


def test_another_machine_is_not_asked_offline(home: object) -> None:
    with pytest.raises(InputError, match="CITEWIRE_OFFLINE"):
        RemoteLLM.open("http://192.0.2.1/v1#m")


def test_the_model_is_the_only_one_of_the_server_or_must_be_named(server: Server, home: object) -> None:
    bare = server.address.partition("#")[0]
    only = RemoteLLM.open(bare)
    assert only.name.startswith("tiny at ")
    only.close()
    server.on["/v1/models"] = says({"data": [{"id": "a"}, {"id": "b\x1b[2J"}, {"id": 7}, 8]})
    with pytest.raises(ModelError, match=r"these models: a, b \[2J; say which one: --llm .*#NAME"):
        RemoteLLM.open(bare)


# --- the engine over it -----------------------------------------------------------------------------------------------


@pytest.fixture
def index(home: Any) -> Iterator[Index]:
    with Index.open(home, embedder=BagOfWordsEmbedder()) as opened:
        opened.add([TALKS])
        yield opened


def replies(draft: str, *, correct: float = -0.1, answerable: float = -0.1) -> Handler:
    """A model that writes `draft`, and judges it so: the logarithm of how likely its Yes is."""

    def answer(handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        if body.get("stream"):
            return writes(draft)(handler, body)
        yes = correct if "Proposed answer" in body["messages"][-1]["content"] else answerable
        return say(handler, odds(Yes=yes, No=math.log(-math.expm1(yes))))

    return answer


def test_an_answer_is_cited_and_names_the_server(server: Server, index: Index) -> None:
    chat(server, replies("The talks broke down in 2009."))
    with Engine.open(index=index, settings=Settings(llm=server.address)) as engine:
        answer = engine.ask("When did the six-party talks break down?")
        assert not answer.refused
        assert answer.citations[0].quote == "The six-party talks broke down in 2009."
        assert answer.model == f"tiny at 127.0.0.1:{server.port}"
        assert engine.sends_to == ()


def test_what_no_article_says_is_refused(server: Server, index: Index) -> None:
    chat(server, replies("The talks broke down in 1999."))
    with Engine.open(index=index, settings=Settings(llm=server.address)) as engine:
        assert engine.ask("When did the six-party talks break down?").reason == Reason.UNSUPPORTED


@pytest.mark.parametrize("doubt", ["correct", "answerable"])
def test_a_model_that_was_not_calibrated_answers_only_what_it_believes(
    server: Server, index: Index, doubt: str
) -> None:
    chat(server, replies("The talks broke down in 2009.", **{doubt: -2.0}))
    with Engine.open(index=index, settings=Settings(llm=server.address)) as engine:
        assert engine.ask("When did the six-party talks break down?").reason == Reason.NOT_ANSWERED


def test_a_server_that_is_killed_half_way_is_named_and_the_next_question_is_answered(
    server: Server, index: Index
) -> None:
    def dies(handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        begin(handler)
        event(handler, "The talks ")
        handler.connection.close()

    chat(server, dies, replies("The talks broke down in 2009."))
    with Engine.open(index=index, settings=Settings(llm=server.address)) as engine:
        with pytest.raises(ModelError, match=f"127.0.0.1:{server.port} broke off"):
            engine.ask("When did the six-party talks break down?")
        assert not engine.ask("When did the six-party talks break down?").refused


def test_a_server_is_sent_nothing_of_a_question_for_another_model(server: Server, index: Index) -> None:
    chat(server, replies("The talks broke down in 2009."))
    with Engine.open(index=index, settings=Settings(llm=server.address)) as engine:
        engine.load()
        sent = len(server.asked)
        with pytest.raises(ModelError):
            engine.ask("When did the six-party talks break down?", settings=Settings(llm="none.gguf"))
        assert len(server.asked) == sent


@pytest.mark.parametrize("most", [1, 3])
def test_as_many_questions_at_once_as_the_setting_allows(server: Server, index: Index, most: int) -> None:
    running, seen, lock = 0, 0, threading.Lock()

    def answer(handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        nonlocal running, seen
        with lock:
            running += 1
            seen = max(seen, running)
        time.sleep(0.2)
        with lock:
            running -= 1
        replies("The talks broke down in 2009.")(handler, body)

    chat(server, answer)
    with Engine.open(index=index, settings=Settings(llm=server.address, llm_requests=most)) as engine:
        threads = [
            threading.Thread(target=engine.ask, args=("When did the six-party talks break down?",)) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert seen == most


def test_another_machine_is_named(index: Index) -> None:
    with Engine.open(index=index, settings=Settings(llm="https://llm.example.com/v1#big")) as engine:
        assert engine.sends_to == ("llm.example.com",)


# --- embeddings -------------------------------------------------------------------------------------------------------


def embeds(dimension: int = 4, *, reverse: bool = True) -> Handler:
    """Vectors by the letters of the texts, in the wrong order."""

    def answer(handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        rows = [
            {"index": place, "embedding": [float(text.count(letter)) for letter in "aeiou xyz"[:dimension]]}
            for place, text in enumerate(body["input"])
        ]
        say(handler, {"data": rows[::-1] if reverse else rows})

    return answer


@pytest.fixture
def embedder(server: Server, home: object) -> Iterator[RemoteEmbedder]:
    server.on["/v1/embeddings"] = embeds()
    opened = RemoteEmbedder(server.address, timeout_s=5)
    opened._server._retry_s = 0.01
    yield opened
    opened.close()


def test_vectors_come_in_batches_in_order_and_have_unit_length(server: Server, embedder: RemoteEmbedder) -> None:
    texts = ["a" * (1 + place % 3) + "e" for place in range(150)]
    done: list[int] = []
    vectors = embedder.embed_documents(texts, progress=done.append)
    assert vectors.shape == (150, 4) == (sum(done), embedder.dimension)
    assert vectors.dtype.name == "float32"
    assert [len(body["input"]) for _, body, _ in server.asked] == [64, 64, 22]
    for text, vector in zip(texts, vectors, strict=True):
        assert vector[0] == pytest.approx(text.count("a") / math.hypot(text.count("a"), 1))
    assert embedder.embed_query("zzz").tolist() == [0, 0, 0, 0]  # near to nothing
    assert embedder.embed_documents([]).shape == (0, 4)


def test_an_index_refuses_another_embedder_and_vectors_of_another_length(
    server: Server, embedder: RemoteEmbedder, home: Any
) -> None:
    with Index.open(home, embedder=embedder) as index:
        index.add([TALKS])
        assert index.search("talks")[0].article.id == "talks"
    other = f"{server.address}-2"
    for another in (RemoteEmbedder(other), BagOfWordsEmbedder()):
        with pytest.raises(LayoutError, match="index rebuild"):
            Index.open(home, embedder=another).search("talks")
    server.on["/v1/embeddings"] = embeds(5)
    changed = RemoteEmbedder(server.address)
    with Index.open(home, embedder=changed) as index:
        with pytest.raises(LayoutError, match="index rebuild"):
            index.search("talks")
        with pytest.raises(LayoutError, match="index rebuild"):
            index.add([Article(id="new", text="A new sentence.")])
        assert index.stats().articles == 1
    with pytest.raises(ModelError, match="vectors of 5 numbers, earlier ones have 4"):
        embedder.embed_query("talks")


@pytest.mark.parametrize(
    "lie",
    [
        {"data": []},
        {"data": [{"embedding": [1.0]}] * 3},
        {"data": [{"embedding": ["x"]}]},
        {"data": [{"embedding": [[1.0]]}]},
        {"data": [{"embedding": []}]},
        {"data": [{"embedding": [1.0], "index": 7}]},
        {"data": 7},
        b'{"data": [{"embedding": [NaN]}]}',
        b'{"data": [{"embedding": [1e999]}]}',
        b"[]",
        b"{",
        {"data": [{"embedding": [0.5] * 20_000}]},
    ],
)
def test_what_is_no_vector_is_an_error_that_names_the_server(
    server: Server, embedder: RemoteEmbedder, lie: object
) -> None:
    server.on["/v1/embeddings"] = says(lie)
    with pytest.raises(ModelError, match=f"127.0.0.1:{server.port}"):
        embedder.embed_query("talks")


@pytest.mark.parametrize("status", [400, 413, 500])
def test_of_a_text_that_is_longer_than_the_model_reads_the_beginning_counts(
    server: Server, embedder: RemoteEmbedder, status: int
) -> None:
    def answer(handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        if any(len(text) > 300 for text in body["input"]):
            return say(handler, {"error": {"message": "input is too large to process"}}, status)
        return embeds()(handler, body)

    server.on["/v1/embeddings"] = answer
    vectors = embedder.embed_documents(["a", "a" * 250 + "e" * 350, "e"])
    assert vectors[:, :2].tolist() == [
        [1, 0],
        pytest.approx([250 / math.hypot(250, 50), 50 / math.hypot(250, 50)]),
        [0, 1],
    ]
    assert embedder.embed_query("e" * 2000).tolist() == [0, 1, 0, 0]
    server.on["/v1/embeddings"] = says({"error": {"message": "no"}}, status)
    asked = len(server.asked)
    with pytest.raises(ModelError, match=f"127.0.0.1:{server.port} answered {status}: no"):
        embedder.embed_documents(["e" * 600] * 64)
    assert len(server.asked) - asked < 20


def test_a_batch_that_fails_in_passing_is_asked_for_again(server: Server, embedder: RemoteEmbedder) -> None:
    waiting = [says({}, 503), says({}, 429, Retry_After="0"), embeds()]
    server.on["/v1/embeddings"] = lambda handler, body: waiting.pop(0)(handler, body)
    assert embedder.embed_query("a").tolist() == [1, 0, 0, 0]


def test_the_embedder_is_named_by_option_or_environment(
    server: Server, home: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server.on["/v1/embeddings"] = embeds()
    path = home.parent / "talks.txt"
    path.write_text("The six-party talks broke down in 2009.\n", encoding="utf-8")
    assert cli.main(["--embedder", server.address, "index", "add", str(path)]) == 0
    assert cli.main(["search", "talks"]) == 1
    assert "name that one in CITEWIRE_EMBEDDER" in capsys.readouterr().err
    assert cli.main(["search", "talks", "--embedder", server.address]) == 0
    monkeypatch.setenv("CITEWIRE_EMBEDDER", server.address)
    assert cli.main(["search", "talks"]) == 0
    monkeypatch.setenv("CITEWIRE_EMBEDDER", server.address.partition("#")[0])
    assert cli.main(["search", "talks"]) == 1
    assert "names no model" in capsys.readouterr().err
