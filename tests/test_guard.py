"""ui/guard.py around the real page over real HTTP: who may ask it for what."""

from __future__ import annotations

import http.client
import itertools
import json
import re
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import feedparser
import pytest

from index import Article, Index, InputError
from rag import Engine
from tests.fakes import BagOfWordsEmbedder, ScriptedLLM
from ui import auth, event_queue, feeds, folders, guard, page_token, proxy, tabs, upload_cache, web
from ui.briefings import Briefings
from ui.conversations import Conversations
from ui.origin import Host, Hosts
from ui.page_token import PageToken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Site

TOKEN = PageToken("a-token-for-the-tests-only")
SESSION = "tab1"
EVERYWHERE = "0.0.0.0"  # noqa: S104 (nothing listens there)


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name), None)


@dataclass(slots=True)
class Running:
    """A page, and how to ask it as anybody might."""

    url: str
    demo: Any
    engine: Engine

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 0

    def ask(
        self,
        path: str,
        method: str = "GET",
        *,
        headers: list[tuple[str, str]] | None = None,
        body: bytes | None = None,
        host: str | None = "",
    ) -> Reply:
        """One request with exactly these headers; `host` "" is the right one, None is none."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            if host is not None:
                connection.putheader("Host", host or f"127.0.0.1:{self.port}")
            for name, value in headers or []:
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            reply = connection.getresponse()
            is_stream = reply.getheader("content-type", "").startswith("text/event-stream")
            return Reply(reply.status, reply.getheaders(), b"" if is_stream else reply.read())
        finally:
            connection.close()

    def event(self, data: list[Any], *, fn: int = 0, path: str = "queue/join", session: str = SESSION) -> Reply:
        sent = {"data": data, "fn_index": fn, "session_hash": session, "event_data": None, "trigger_id": None}
        return self.post(f"/gradio_api/{path}", sent)

    def post(self, path: str, value: object, *, headers: list[tuple[str, str]] | None = None) -> Reply:
        kind = [("Content-Type", "application/json"), *(headers or [])]
        return self.ask(path, "POST", headers=kind, body=json.dumps(value).encode())

    def upload(self, files: dict[str, bytes], *, headers: list[tuple[str, str]] | None = None) -> Reply:
        parts = [
            f'--x\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'.encode()
            + content
            + b"\r\n"
            for name, content in files.items()
        ]
        kind = [("Content-Type", "multipart/form-data; boundary=x"), *(headers or [])]
        return self.ask("/gradio_api/upload", "POST", headers=kind, body=b"".join(parts) + b"--x--\r\n")

    def routes(self) -> list[tuple[str, str]]:
        """Method and path of everything that Gradio's app answers, with something in place of each parameter."""
        found = {
            (method, re.sub(r"\{[^}]*\}", "x", route.path))
            for route in _flat(self.demo.app.routes)
            for method in (getattr(route, "methods", None) or ("GET",))
        }
        return sorted(found)


def _flat(routes: Any) -> Iterator[Any]:
    for route in routes:
        inner = getattr(route, "routes", None)
        if inner:
            yield from _flat(inner)
        elif hasattr(route, "path"):
            yield route
        elif hasattr(route, "original_router"):
            yield from _flat(route.original_router.routes)


@pytest.fixture
def start(home: Path) -> Iterator[Callable[..., Running]]:
    """Starts pages over one index."""
    started = []
    with Index.open(home, embedder=BagOfWordsEmbedder()) as index:
        index.add([Article("a1", "The talks broke down in 2009.")])
        engine = Engine.open(index=index, llm=ScriptedLLM())

        def launch(**options: Any) -> Running:
            demo = web.build(engine)
            started.append(demo)
            return Running(web.launch(demo, **options), demo, engine)

        yield launch
        for demo in started:
            demo.close(verbose=False)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A page that lets everybody in, for tests that leave it as it was."""
    with Index.open(tmp_path_factory.mktemp("home"), embedder=BagOfWordsEmbedder()) as index:
        index.add([Article("a1", "The talks broke down in 2009.")])
        engine = Engine.open(index=index, llm=ScriptedLLM())
        demo = web.build(engine)
        yield Running(web.launch(demo), demo, engine)
        demo.close(verbose=False)


def test_every_route_refuses_other_hosts_and_origins_with_every_method(page: Running) -> None:
    own = f"127.0.0.1:{page.port}"
    hosts: list[str | None] = [
        None, "evil.example", f"evil.example:{page.port}", "localhost.", f"127.0.0.1.:{page.port}",
        "127.0.0.1@evil.example",
        "localhost:7860@evil.example", "evil.example#localhost", "127.1", "2130706433", "0x7f000001", EVERYWHERE,
        "localhost, evil.example", "localhost evil.example", "localhost:", "localhost:99999", "localhost:80:80", "[::1",
        "xn--lcalhost-46a", "127.0.0.1%00.evil.example", "user:pass@localhost",
    ]  # fmt: skip
    origins = [
        "https://evil.example", "null", f"http://localhost:{page.port}", f"http://127.0.0.1:{page.port + 1}",
        "http://127.0.0.1", f"http://evil.example:{page.port}", f"http://127.0.0.1:{page.port}.evil.example",
        f"http://{own}@evil.example", f"http://{own}/", "file://", f"chrome-extension://{own}", "", f"http://{own},null",
    ]  # fmt: skip
    routes = page.routes()
    assert {path for _, path in routes} >= {
        "/", "/config", "/login", "/logout", "/theme.css", "/manifest.json", "/static/x", "/assets/x", "/monitoring/x",
        "/gradio_api/queue/join", "/gradio_api/queue/data", "/gradio_api/upload", "/gradio_api/heartbeat/x",
        "/gradio_api/cancel", "/gradio_api/reset", "/gradio_api/process_recording", "/gradio_api/call/x",
        "/gradio_api/run/x", "/gradio_api/api/x", "/gradio_api/startup-events", "/gradio_api/app_id",
    }  # fmt: skip
    let_in = []
    for number, (method, path) in enumerate(routes):
        # All of them with the page itself and with an event, and a few with each other route.
        is_sample = path in ("/", "/gradio_api/queue/join")
        some_hosts = hosts if is_sample else [hosts[number % len(hosts)], None, "evil.example"]
        some_origins = origins if is_sample else [origins[number % len(origins)], "https://evil.example", "null"]
        asked: list[dict[str, Any]] = [{"host": host} for host in some_hosts]
        asked += [{"headers": [("Origin", origin)]} for origin in some_origins]
        asked += [{"headers": [("Sec-Fetch-Site", site)]} for site in ("cross-site", "same-site") if path != "/"]
        let_in += [(method, path, one) for one in asked if page.ask(path, method, **one).status not in (400, 403)]
    assert let_in == []


def test_what_the_page_has_no_use_for_is_not_answered(page: Running) -> None:
    used = re.compile(
        r"/(|config/?|login/?|logout|favicon\.ico|manifest\.json|robots\.txt|theme\.css|(static|assets|svelte)/x|"
        r"gradio_api/((startup-events|theme\.css|app_id/?|user/?|login_check/?|info/?)|heartbeat/x|upload|upload_progress|"
        r"queue/(join|data|status)|run/x/?|cancel|reset/?))"
    )
    unused = [(method, path) for method, path in page.routes() if not used.fullmatch(path)]
    assert len(unused) > 20
    assert [one for one in unused if page.ask(one[1], one[0]).status != 403] == []
    others = ("OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND")
    assert [
        (method, path) for method, path in itertools.product(others, {path for _, path in page.routes()})
        if page.ask(path, method).status != 403
    ] == []  # fmt: skip


@pytest.mark.parametrize(
    "path", ["/static/../config", "/static/%2e%2e/config", "//config", "/assets/x\\..\\y", "/static/./x"]
)
def test_no_spelling_of_a_path_leads_around_the_guard(page: Running, path: str) -> None:
    assert page.ask(path).status == 403


def test_the_right_names_in_any_spelling_are_answered(page: Running) -> None:
    for host in (f"LOCALHOST:{page.port}", "localhost", "127.0.0.1:1234", "[::1]", "[0:0:0:0:0:0:0:1]:80"):
        assert page.ask("/config", host=host).status == 200, host
    for headers in (
        [("Origin", f"http://127.0.0.1:{page.port}")],
        [("Origin", f"HTTP://127.0.0.1:{page.port}"), ("Sec-Fetch-Site", "same-origin")],
        [("Sec-Fetch-Site", "none")],
    ):
        assert page.ask("/config", headers=headers).status == 200, headers
    link = [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")]
    assert page.ask("/", headers=link).status == 200
    assert page.ask("/logout", headers=link).status == 403
    assert page.ask("/logout").status == 403
    assert page.ask("/logout", headers=[("Sec-Fetch-Site", "same-origin")]).status == 302
    assert page.ask("/", headers=[*link[:2], ("Sec-Fetch-Dest", "iframe")]).status == 403


def test_two_headers_where_one_belongs_are_refused(page: Running) -> None:
    own = f"http://127.0.0.1:{page.port}"
    assert page.ask("/config", headers=[("Host", "127.0.0.1")]).status in (400, 403)
    assert page.ask("/config", headers=[("Origin", own), ("Origin", "https://evil.example")]).status == 403
    twice = [("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "cross-site")]
    assert page.ask("/config", headers=twice).status == 403


def test_no_response_gives_another_origin_leave(page: Running) -> None:
    for origin in (f"http://127.0.0.1:{page.port}", "https://evil.example"):
        for method, path in (("GET", "/config"), ("POST", "/gradio_api/reset"), ("OPTIONS", "/gradio_api/queue/join")):
            headers = [("Origin", origin), ("Access-Control-Request-Method", "POST")]
            reply = page.ask(path, method, headers=headers)
            assert not [name for name, _ in reply.headers if name.lower().startswith("access-control-")]
            assert reply.header("cross-origin-resource-policy") == "same-origin"


def test_a_websocket_is_refused(page: Running) -> None:
    upgrade = [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"),
               ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")]  # fmt: skip
    for path in ("/", "/gradio_api/queue/data", "/gradio_api/heartbeat/x"):
        assert page.ask(path, headers=[*upgrade, ("Origin", "https://evil.example")]).status == 403


@pytest.mark.parametrize(
    ("bound", "given", "server", "answered", "refused"),
    [
        ("127.0.0.1", (), "127.0.0.1", ("localhost", "127.0.0.1", "[::1]"), ("192.168.0.5", "evil.example")),
        ("192.168.0.5", (), "192.168.0.5", ("192.168.0.5:80", "localhost"), ("192.168.0.6", "evil.example")),
        (EVERYWHERE, (), "192.168.0.5", ("192.168.0.5", "localhost"), ("192.168.0.6", "news.example", EVERYWHERE)),
        ("::", (), "::ffff:192.168.0.5", ("192.168.0.5",), ("evil.example", "[::]")),
        ("::", (), "fe80::1%eth0", ("[fe80::1]",), ("[fe80::2]",)),
        (EVERYWHERE, ("News.Example",), "10.0.0.1", ("news.example", "NEWS.example:443"), ("a.news.example",)),
    ],
)  # fmt: skip
def test_a_page_answers_to_its_own_names_only(
    bound: str, given: tuple[str, ...], server: str, answered: tuple[str, ...], refused: tuple[str, ...]
) -> None:
    hosts = Hosts.of(bound, given)

    def why_not(host: str) -> str | None:
        return hosts.why_not(hosts=[host], origins=[], sites=[], server=server, secure=None, is_navigation=False)

    assert [host for host in answered if why_not(host)] == []
    assert [host for host in refused if not why_not(host)] == []


@pytest.mark.parametrize(
    "name", ["*", "*.example", "https://news.example", "news.example:443", "a b", "", "a/b", "a@b"]
)
def test_only_a_name_can_be_allowed(name: str) -> None:
    with pytest.raises(InputError, match="--allowed-host"):
        Hosts.of(EVERYWHERE, [name])


def test_behind_https_only_pages_that_were_read_over_https_may_ask() -> None:
    hosts = Hosts.of("127.0.0.1", ["news.example"])

    def is_refused(origin: str, *, secure: bool | None) -> bool:
        asked = {"hosts": ["news.example"], "origins": [origin], "sites": [], "server": "127.0.0.1"}
        return hosts.why_not(**asked, secure=secure, is_navigation=False) is not None  # type: ignore[arg-type]

    assert not is_refused("https://news.example", secure=True)
    assert is_refused("http://news.example", secure=True)
    assert is_refused("https://news.example", secure=False)
    assert not is_refused("https://news.example", secure=None)
    assert Host.parse("NEWS.example:443") == Host("news.example", 443)


def cookies_of(reply: Reply) -> list[str]:
    return [value for name, value in reply.headers if name.lower() == "set-cookie"]


@pytest.fixture
def accounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> auth.Accounts:
    monkeypatch.setattr(auth, "COST", (2**8, 8, 1))
    for name in ("ada", "bob"):
        auth.add(tmp_path / "accounts", name=name, password=f"the password of {name}")
    return auth.Accounts.load(tmp_path / "accounts")


def log_in(page: Running, name: str, headers: list[tuple[str, str]] | None = None) -> Reply:
    kind = [("Content-Type", "application/x-www-form-urlencoded"), *(headers or [])]
    return page.ask("/login", "POST", headers=kind, body=f"username={name}&password=the+password+of+{name}".encode())


def test_cookies_are_for_this_site_and_not_for_scripts(start: Callable[..., Running], accounts: auth.Accounts) -> None:
    plain, proxied = start(auth=accounts.login), start(auth=accounts.login, proxies=proxy.parse(["127.0.0.1"]))
    for page, headers, is_secure in (
        (plain, [], False),
        (plain, [("X-Forwarded-Proto", "https")], False),  # anybody can say so
        (proxied, [("X-Forwarded-Proto", "https")], True),
        (proxied, [("X-Forwarded-Proto", "http")], False),
    ):
        cookies = cookies_of(log_in(page, "ada", headers))
        assert len(cookies) == 2
        for cookie in cookies:
            flags = [part.strip().lower() for part in cookie.split(";")[1:]]
            assert "httponly" in flags
            assert [flag for flag in flags if flag.startswith("samesite")] == ["samesite=lax"]
            assert ("secure" in flags) == is_secure


def test_without_a_login_only_the_two_fields_are_served(start: Callable[..., Running], accounts: auth.Accounts) -> None:
    page = start(auth=accounts.login)
    assert page.ask("/").status == 200
    assert b"auth_required" in page.ask("/").body
    for path in ("/gradio_api/queue/data?session_hash=x", "/gradio_api/heartbeat/x", "/gradio_api/info"):
        assert page.ask(path).status == 401, path
    for path in ("queue/join", "cancel", "reset", "run/predict"):
        assert page.event([], path=path).status == 401, path
    assert page.upload({"a.txt": b"words"}).status == 401
    cookie = cookies_of(log_in(page, "ada"))[0].partition(";")[0]
    logged_in = [("Cookie", cookie), ("Content-Type", "application/json")]
    assert (
        page.ask("/gradio_api/reset", "POST", headers=logged_in, body=b'{"session_hash": "x", "event_id": "y"}').status
        == 200
    )
    assert page.upload({"a.txt": b"words"}, headers=[("Cookie", cookie)]).status == 200


# The token


def test_the_token_becomes_a_cookie_and_leaves_the_address(start: Callable[..., Running]) -> None:
    page = start(token=TOKEN)
    assert page.url == f"http://127.0.0.1:{page.port}/?token={TOKEN.text}"
    reply = page.ask(f"/?__theme=dark&token={TOKEN.text}")
    assert (reply.status, reply.header("location")) == (303, "./?__theme=dark")
    assert reply.header("referrer-policy") == "no-referrer"
    [cookie] = cookies_of(reply)
    assert cookie.startswith(f"citewire-{page.port}=")
    assert TOKEN.text not in cookie
    assert cookie.endswith("HttpOnly; SameSite=Lax")
    assert page.ask("/", headers=[("Cookie", cookie.partition(";")[0])]).status == 200
    assert page.ask("/config", headers=[("Cookie", cookie.partition(";")[0])]).status == 200


def test_without_the_token_every_route_is_refused_and_says_where_it_stands(start: Callable[..., Running]) -> None:
    page = start(token=TOKEN)
    tries: list[list[tuple[str, str]]] = [
        [],
        [("Cookie", f"citewire-{page.port}=")],
        [("Cookie", f"citewire-{page.port}={TOKEN.text}")],
        [("Cookie", f"citewire-{page.port + 1}={TOKEN.cookie}")],
        [("Cookie", f"citewire-{page.port}=wrong; citewire-{page.port}={TOKEN.cookie}")],
    ]
    let_in = [
        (method, path)
        for method, path in page.routes()
        if not path.endswith("startup-events") and page.ask(path, method, headers=tries[0]).status != 403
    ]
    assert let_in == []
    for headers in tries:
        reply = page.ask("/", headers=headers)
        assert reply.status == 403
        assert b"terminal where `citewire chat` was started" in reply.body
    for wrong in ("", "x", TOKEN.text[:-1], TOKEN.text + "x", TOKEN.text.upper(), "%ff", f"x&token={TOKEN.text}"):
        assert page.ask(f"/?token={wrong}").status == 403, wrong
    assert page.ask(f"/config?token={TOKEN.text}").status == 403
    assert page.ask(f"/?token={TOKEN.text}", host="evil.example").status == 403


def test_originals_are_for_those_who_are_let_in(start: Callable[..., Running], tmp_path: Path) -> None:
    page = start(token=TOKEN)
    (tmp_path / "a.html").write_text("<html><body><p>The ferry left the harbour at noon.</p></body></html>")
    page.engine.index.sync([tmp_path / "a.html"])
    address = f"/original/{page.engine.index.articles()[-1].id}"
    let_in = [("Cookie", f"citewire-{page.port}={TOKEN.cookie}")]
    assert page.ask(address).status == 403
    assert page.ask(address, "POST", headers=let_in, body=b"").status == 403
    assert page.ask(address, headers=[*let_in, ("Sec-Fetch-Site", "cross-site")]).status == 403
    reply = page.ask(address, headers=let_in)
    assert (reply.status, b"ferry" in reply.body, reply.header("cache-control")) == (200, True, "no-store")
    policies = [value for name, value in reply.headers if name.lower() == "content-security-policy"]
    assert [policy.startswith("sandbox; default-src 'none'") for policy in policies] == [True]
    assert page.ask(address, "HEAD", headers=let_in).body == b""
    for other in (f"/original/{tmp_path}/a.html", "/original/..%2Fa.html", f"{address}/1.png", "/original/a1"):
        assert page.ask(other, headers=let_in).status in (403, 404), other


def test_a_feed_reader_on_this_machine_subscribes_to_a_briefing_by_its_key(
    start: Callable[..., Running], home: Path
) -> None:
    page = start(token=TOKEN)
    with Conversations(home) as kept:
        known = Briefings(kept)
        mine, hers = (
            known.add("When did the talks break down?"),
            known.add("new articles about the talks", owner="browser:b"),
        )
        assert known.run(hers.id, page.engine).entry is not None
        opened = feeds.address(hers.id, TOKEN)
        assert page.ask(f"/briefing/{hers.id}.atom").status == 403
        assert page.ask(f"/{opened.replace(hers.id, mine.id)}").status == 403  # a key is for one feed
        reply = page.ask(f"/{opened}")
        read = feedparser.parse(reply.body)
        assert (reply.status, len(read.entries)) == (200, 1)
        assert read.entries[0].link == f"http://127.0.0.1:{page.port}/briefing/{hers.id}"
        tag = str(reply.header("etag"))
        assert page.ask(f"/{opened}", headers=[("If-None-Match", tag)]).status == 304
        titles = {
            name: feedparser.parse(page.ask(f"/{feeds.address(name, TOKEN)}").body).entries
            for name in (feeds.ALL, feeds.of_all("browser:b"), feeds.of_all("browser:other"))
        }
        assert [len(entries) for entries in titles.values()] == [0, 1, 0]
        assert page.ask(f"/{opened}", headers=[("X-Forwarded-For", "203.0.113.9")]).status == 403
        assert page.ask(f"/{opened}", host="evil.example").status == 403
        known.remove(hers.id)
        assert page.ask(f"/{opened}").status == 404


def test_a_page_with_logins_has_no_feeds(start: Callable[..., Running]) -> None:
    page = start(auth=lambda name, password: False)
    reply = page.ask("/briefing/all.atom")
    assert (reply.status, b"without logins" in reply.body) == (403, True)


def test_a_ticket_lets_in_once(start: Callable[..., Running]) -> None:
    page = start(token=TOKEN, ticket="for-the-browser-alone")
    assert [page.ask("/?token=for-the-browser-alone").status for _ in range(2)] == [303, 403]


def test_the_token_of_a_home_is_kept_for_its_owner_alone(home: Path) -> None:
    made = page_token.of_home(home)
    kept = home / page_token.FILE
    assert kept.stat().st_mode & 0o777 == 0o600
    assert page_token.of_home(home) == made
    assert made.text not in repr(made)
    kept.chmod(0o644)
    other = page_token.of_home(home)
    assert other != made
    assert kept.stat().st_mode & 0o777 == 0o600
    for broken in (b"", b"short", b"\xff\xfe", b"with blanks in it, and long", b"x" * 10_000):
        kept.write_bytes(broken)
        assert len(page_token.of_home(home).text) == 32
    kept.unlink()
    kept.symlink_to(home / "elsewhere")
    page_token.of_home(home)
    assert not kept.is_symlink()


def test_a_home_that_cannot_be_written_has_a_token_for_this_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    assert page_token.of_home(tmp_path / "file") != page_token.of_home(tmp_path / "file")


@pytest.mark.parametrize("text", ["", "short", "x" * 15, "x" * 257, "sixteen letters&more", "sechzehn_buchstäb"])
def test_a_token_is_long_and_plain(text: str) -> None:
    with pytest.raises(InputError, match="letters, digits"):
        PageToken(text)


# Folders of the server


def test_folders_can_be_added_only_where_they_are_allowed(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "in-other"
    (inside / "deep").mkdir(parents=True)
    outside.mkdir()
    (inside / "out").symlink_to(outside)
    (inside / "file.txt").write_text("x")
    (outside / "secret.txt").write_text("x")
    (inside / "out.txt").symlink_to(outside / "secret.txt")
    (tmp_path / "alias").symlink_to(inside / "deep")
    allowed = folders.Folders([inside])
    assert allowed.find(str(inside)) == inside
    assert allowed.find(f"{inside}/file.txt") == inside / "file.txt"
    assert allowed.find(f"{tmp_path}/alias") == inside / "deep"
    assert allowed.find(f"{inside}/deep/../deep/.") == inside / "deep"
    for place in (
        "/", "/etc", str(tmp_path), str(outside), f"{inside}/out", f"{inside}/..", f"{inside}/deep/../../in-other",
        f"{inside}/out.txt", f"{inside}/none", "~root", "~", "", ".", "\0", "x" * 5000, f"file://{inside}",
        "~nobody-x",
    ):  # fmt: skip
        with pytest.raises(InputError):
            allowed.find(place)
    with pytest.raises(InputError, match="no folder"):
        folders.Folders([tmp_path / "missing"])
    closed = folders.Folders(anywhere=False)
    with pytest.raises(InputError, match="only addresses"):
        closed.find(str(inside))
    assert folders.Folders().find(str(outside)) == outside


def test_a_request_through_any_proxy_ends_the_folders(start: Callable[..., Running]) -> None:
    seen: list[str] = []
    page = start(folders=type("Seen", (), {"restrict": lambda self: seen.append("proxy")})())
    page.ask("/config")
    assert seen == []
    names = ("Forwarded", "VIA", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Real-IP")
    for number, name in enumerate(names, start=1):
        page.ask("/config", headers=[(name, "10.0.0.1")], host="evil.example")
        assert len(seen) == number, name
    any_folder = folders.Folders()
    any_folder.restrict()
    assert not any_folder.possible


# Files in events


def events_of(page: Running) -> list[dict[str, Any]]:
    return list(page.demo.config["dependencies"])


def file_value(path: object, **more: Any) -> dict[str, Any]:
    return {"path": path, "meta": {"_type": "gradio.FileData"}, **more}


def test_no_event_makes_the_server_fetch_an_address_or_read_its_own_files(
    page: Running, site: Site, tmp_path: Path
) -> None:
    (tmp_path / "secret.txt").write_text("The password is swordfish.")
    ours = file_value(f"{site.address}/file.txt")
    values: list[Any] = [
        ours, [ours], [[ours]], {"a": {"b": [ours]}}, {**ours, "url": f"{site.address}/url.txt"},
        file_value(None, url=f"{site.address}/url.txt"), file_value("", url=f"{site.address}/url.txt"),
        {"meta": {"_type": "gradio.FileData"}, "url": f"{site.address}/url.txt"},
        {"path": f"{site.address}/file.txt"}, {"path": f"{site.address}/file.txt", "meta": {"_type": "other"}},
        {"path": f"{site.address}/file.txt", "meta": []}, {"video": ours, "subtitles": ours},
        file_value(str(tmp_path / "secret.txt")), file_value("/etc/passwd"), file_value("~/.bashrc"),
        file_value(f"{upload_cache_folder()}/../../../etc/passwd"), file_value(f"{upload_cache_folder()}"),
        file_value([f"{site.address}/file.txt"]), file_value({"path": ours}), file_value(" http://127.0.0.1"),
        file_value("file:///etc/passwd"), file_value("\0"), file_value("x" * 10_000),
        file_value(f"{site.address}/file.txt", is_stream=True, orig_name="a.txt", unknown={"x": ours}),
    ]  # fmt: skip
    let_in = []
    for dependency in events_of(page):
        number = len(dependency["inputs"])
        for value in values if number else []:
            for place in range(number):
                data = [value if one == place else None for one in range(number)]
                path = "queue/join" if dependency["queue"] is not False else "run/predict"
                if page.event(data, fn=dependency["id"], path=path).status != 422:
                    let_in.append((dependency["id"], value))
                if number > 1 and value is not values[0]:
                    break  # every place with the first value, the first place with every value
    for name in ("event_data", "trigger_id", "anything"):
        sent = {"data": [], "fn_index": 0, "session_hash": SESSION, name: {"x": [ours]}}
        if page.post("/gradio_api/queue/join", sent).status != 422:
            let_in.append((name, ours))
    assert let_in == []
    assert site.requests == []


def upload_cache_folder() -> Path:
    return web.serve.__globals__["UPLOADS"].folder  # type: ignore[no-any-return]


def test_the_last_of_two_equal_keys_is_the_one_that_is_checked(page: Running, site: Site) -> None:
    evil = json.dumps(f"{site.address}/file.txt")
    meta = '"meta": {"_type": "gradio.FileData"}'
    for keys in (f'"path": "x", "path": {evil}, {meta}', f'"path": {evil}, {meta}, "path": "x"'):
        body = f'{{"data": [[{{{keys}}}]], "fn_index": 0, "session_hash": "{SESSION}"}}'.encode()
        assert (
            page.ask("/gradio_api/queue/join", "POST", headers=[("Content-Type", "application/json")], body=body).status
            == 422
        )
    assert site.requests == []


def test_a_file_is_taken_only_from_whoever_uploaded_it(start: Callable[..., Running], accounts: auth.Accounts) -> None:
    page = start(auth=accounts.login)
    cookies = {name: [("Cookie", cookies_of(log_in(page, name))[0].partition(";")[0])] for name in ("ada", "bob")}
    [path] = json.loads(page.upload({"a.txt": b"words of ada"}, headers=cookies["ada"]).body)
    uploads = [one for one in events_of(page) if any(target[1] == "upload" for target in one["targets"])]
    assert len(uploads) == 3  # of the library, of an empty start page, and of a draft
    handed_in = file_value(path, url="http://127.0.0.1:9/x", orig_name="a.txt")
    events = [
        {
            "fn_index": upload["id"],
            "session_hash": SESSION,
            "data": [[handed_in], *[None] * (len(upload["inputs"]) - 1)],
        }
        for upload in uploads
    ]
    for event in events:
        assert page.post("/gradio_api/queue/join", event, headers=cookies["bob"]).status == 422
    assert page.post("/gradio_api/queue/join", events[0], headers=cookies["ada"]).status == 200


# Bounds of one request and of the queue


def test_bodies_are_bounded_on_every_route(page: Running) -> None:
    large = b'{"data": ["' + b"x" * tabs.MOST_BODY_BYTES + b'"]}'
    for path in ("queue/join", "run/predict", "cancel", "reset"):
        kind = [("Content-Type", "application/json")]
        assert page.ask(f"/gradio_api/{path}", "POST", headers=kind, body=large).status == 413, path
    assert page.ask("/login", "POST", body=b"x" * (guard.MOST_LOGIN_BYTES + 1)).status == 413
    announced = [("Content-Length", str(10**12)), ("Content-Type", "multipart/form-data; boundary=x")]
    assert page.ask("/gradio_api/upload", "POST", headers=announced).status == 413
    chunked = [("Transfer-Encoding", "chunked"), ("Content-Type", "multipart/form-data; boundary=x")]
    assert page.ask("/gradio_api/upload", "POST", headers=chunked).status == 411


def test_a_body_in_chunks_is_counted(page: Running) -> None:
    with socket.create_connection(("127.0.0.1", page.port), timeout=20) as connection:
        head = (
            f"POST /gradio_api/queue/join HTTP/1.1\r\nHost: 127.0.0.1:{page.port}\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        connection.sendall(head.encode())
        try:
            for _ in range(2 * tabs.MOST_BODY_BYTES // 65536):
                connection.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            reply = connection.recv(64)
        except (BrokenPipeError, ConnectionResetError):
            return  # it did not even wait for the end
        assert reply.startswith(b"HTTP/1.1 413")


def test_one_tab_and_one_client_and_all_may_have_so_much_waiting(
    start: Callable[..., Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = start()
    for name, most in (("MOST_OF_TAB", 2), ("MOST_OF_CLIENT", 4), ("MOST", 5)):
        monkeypatch.setattr(event_queue, name, most)
    page.demo._queue.max_thread_count = 0
    page.demo._queue.active_jobs = []  # nothing runs, so that all of it waits
    [load] = [one for one in events_of(page) if any(target[1] == "load" for target in one["targets"])]

    def join(session: str) -> tuple[int, str]:
        reply = page.event([None], fn=load["id"], session=session)
        return reply.status, json.loads(reply.body).get("detail", "")

    assert [join("tab1")[0] for _ in range(3)] == [200, 200, 429]
    assert [join("tab2")[0] for _ in range(3)] == [200, 200, 429]
    assert join("tab3") == (429, event_queue.FULL_OF_CLIENT)
    monkeypatch.setattr(event_queue, "MOST_OF_CLIENT", 100)
    assert join("tab3")[0] == 200
    assert join("tab4") == (503, event_queue.FULL)


# Uploads


@pytest.fixture
def cache() -> Iterator[upload_cache.UploadCache]:
    opened: upload_cache.UploadCache = web.serve.__globals__["UPLOADS"]
    opened.clear()
    yield opened
    opened.clear()


def test_uploads_wait_in_a_folder_of_their_own_for_the_owner_alone(
    page: Running, cache: upload_cache.UploadCache
) -> None:
    [path] = json.loads(page.upload({"../../a.txt": b"words"}).body)
    assert Path(path).resolve().is_relative_to(cache.folder)
    for folder in (cache.folder, cache.folder.parent):
        assert folder.stat().st_mode & 0o077 == 0
    cache.clear()
    assert not Path(path).exists()
    assert cache.folder.is_dir()


def test_uploads_that_nobody_adds_are_bounded(
    page: Running, cache: upload_cache.UploadCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload_cache, "MOST_BYTES_OF_CLIENT", 3000)
    assert page.upload({"a.txt": b"a" * 2000}).status == 200
    refused = page.upload({"b.txt": b"b" * 2000})
    assert refused.status == 429
    assert b"Add it first" in refused.body
    assert page.upload({"c.txt": b"c" * 100}).status == 200
    monkeypatch.setattr(upload_cache, "MOST_BYTES_OF_CLIENT", 10**9)
    monkeypatch.setattr(upload_cache, "MOST_FILES_OF_CLIENT", 2)
    assert page.upload({"d.txt": b"d"}).status == 429
    monkeypatch.setattr(upload_cache, "MOST_FILES_OF_CLIENT", 100)
    monkeypatch.setattr(upload_cache, "MOST_BYTES", 2200)
    assert page.upload({"e.txt": b"e" * 500}).status == 429
    cache.clear()
    assert page.upload({"e.txt": b"e" * 500}).status == 200


def test_an_upload_that_is_broken_off_leaves_nothing(page: Running, cache: upload_cache.UploadCache) -> None:
    with socket.create_connection(("127.0.0.1", page.port), timeout=20) as connection:
        head = (
            f"POST /gradio_api/upload HTTP/1.1\r\nHost: 127.0.0.1:{page.port}\r\nContent-Length: 100000\r\n"
            "Content-Type: multipart/form-data; boundary=x\r\n\r\n"
            '--x\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\nThe first words'
        )
        connection.sendall(head.encode())
    for _ in range(100):
        [path] = json.loads(page.upload({"b.txt": b"words"}).body)
        left = [entry for entry in cache.folder.rglob("*") if entry.is_file() and entry.name not in ("lock", "b.txt")]
        if not left:
            break
    assert left == []
    assert Path(path).exists()


def test_what_a_killed_process_left_is_deleted_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload_cache.tempfile, "tempdir", str(tmp_path))  # type: ignore[attr-defined]
    mine = upload_cache.open_folder()
    left = mine.parent / "page-killed"
    left.mkdir()
    (left / "a.txt").write_text("words")
    other = upload_cache.open_folder()
    assert not left.exists()
    assert mine.is_dir()
    assert other.is_dir()
    upload_cache.delete_folders()
    assert not mine.exists()
