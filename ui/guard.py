"""Guard: who may ask the page for what, before Gradio sees the request. Knows no Gradio but its addresses.

In the order in which a request meets them: the names that the page answers to and the web pages that may ask it
(ui/origin.py), the addresses that the page uses, the token or login, the size of what is sent, the files and the
number of events. On the way back, every response gets a content security policy, and cookies that other sites and
scripts cannot use.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from ui import event_files, feeds, links, originals, proxy
from ui.auth import ADDRESS
from ui.event_queue import CLIENT, TAB
from ui.origin import LOOPBACK
from ui.tabs import MOST_BODY_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ui.event_queue import EventQueue
    from ui.feeds import Feeds
    from ui.origin import Hosts
    from ui.originals import Originals
    from ui.page_token import PageToken
    from ui.reply import Reply
    from ui.upload_cache import UploadCache

READ = ("GET", "HEAD")
STATIC = re.compile(
    r"/(?:static|assets|svelte)/.+|/favicon\.ico|/manifest\.json|/robots\.txt|/(?:gradio_api/)?theme\.css"
)
"""Gradio's own files, the same for everybody."""
BEFORE_LOGIN = re.compile(r"/|/config/?|/login/?|/logout|/gradio_api/(?:startup-events|app_id|user|login_check)/?")
"""What the page with the two fields for name and password needs. Gradio itself checks `/` and `/config`."""
READABLE = re.compile(
    r"/gradio_api/(?:queue/(?:data|status)|upload_progress|info|heartbeat/[\w-]{1,64})/?", flags=re.ASCII
)
UPLOAD = re.compile(r"/gradio_api/upload/?")
JOIN = re.compile(r"/gradio_api/queue/join/?")
EVENT = re.compile(r"/gradio_api/(?:queue/join|run/[\w-]{1,64}|cancel|reset)/?", flags=re.ASCII)
STREAM = re.compile(r"/gradio_api/queue/data/?")
LOGIN = re.compile(r"/login/?")
STARTED = re.compile(r"/gradio_api/startup-events/?")
"""Gradio asks itself for it once, without a token; it says nothing but whether that was done."""

MOST_LOGIN_BYTES = 16 * 1024
MOST_UPLOAD_BYTES = 256 * 1024 * 1024
"""All files of one upload; each of them may have the size that ui/uploads.py allows."""

MOST_THROWN_AWAY_BYTES = 512 * 1024 * 1024
"""Of a request that is refused for its size, so that whoever sent it learns why."""

HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
        b"style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
        b"object-src 'none'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
FORWARDING = (b"forwarded", b"via", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip")
"""Headers that proxies add."""

NOT_LET_IN = (
    "This page needs its token. Open the address that stands in the terminal where `citewire chat` was started; "
    "it ends in ?token=…"
)
NOT_LOGGED_IN = "Log in first"
NOT_LOGGED_OUT = "Logging out needs HTTPS; without it, delete the cookies of this page"
NOT_USED = "The page does not use this address"
TOO_LARGE = "Too much is sent at once. Send fewer or smaller files."
NO_LENGTH = "The size of an upload must be said beforehand (Content-Length)"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A status and the reason in words."""

    status: HTTPStatus
    text: str


@dataclass(frozen=True, slots=True)
class Entry:
    """Who is let in: whoever has the token, whoever is logged in, or, with neither, everybody."""

    token: PageToken | None = None
    login_of: Callable[[Mapping[str, str]], str | None] | None = None
    """From cookies to the name of a login, None for nobody; None where the page asks for no password."""
    ticket: str = ""
    """Taken once in place of the token."""


class Guard:
    """ASGI middleware around the whole of Gradio's app."""

    def __init__(
        self,
        app: Any,
        *,
        hosts: Hosts,
        proxies: Sequence[proxy.Network] = (),
        entry: Entry | None = None,
        uploads: UploadCache | None = None,
        events: EventQueue | None = None,
        files: Originals | None = None,
        briefings: Feeds | None = None,
        on_proxy: Callable[[], None] = lambda: None,
        root_path: str = "",
    ) -> None:
        """`proxies` may say for whom they ask. `on_proxy` is called when a request has come through any proxy.
        `files` answers for the files that articles were read from, `briefings` for the feeds of briefings. `root_path`
        is the path under which a proxy has the page."""
        self.app = app
        self.hosts = hosts
        self.proxies = proxies
        self.entry = entry or Entry()
        self.uploads = uploads
        self.events = events
        self.files = files
        self.briefings = briefings
        self.on_proxy = on_proxy
        self.root_path = root_path
        self._ticket = self.entry.ticket

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve or refuse one request."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return None
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return None
        scope = proxy.without_root(scope, self.root_path)
        feed = feeds.wanted(links.raw_path(scope)) if self.briefings and scope["method"] in READ else None
        place = links.last_segment(scope) if scope["method"] in READ and feed is None else None
        if place is not None:
            scope = _as_page(scope)
            send = _from_above(send)
        request = Request(scope, place=place)
        asked = originals.wanted(links.raw_path(scope)) if self.files and request.method in READ else None
        if any(name in request.headers for name in FORWARDING):
            self.on_proxy()
        address = proxy.client_address(scope, self.proxies)
        ADDRESS.set(address)  # for the wait after wrong passwords
        secure = proxy.is_secure(scope, self.proxies)
        send = self._guarded(request, send, secure=secure)

        refusal = self._why_foreign(request, secure=secure) or (None if asked or feed else _why_unused(request))
        if refusal is not None:
            return await _refuse(request, refusal, receive, send)
        if feed is not None and self.briefings is not None:
            is_here = address in LOOPBACK and not any(name in request.headers for name in FORWARDING)
            return await _reply(request, await self._feed(request, feed, is_here=is_here, secure=secure), send)
        login = self.entry.login_of(request.cookies) if self.entry.login_of else None
        if self.entry.token is not None and request.path == "/" and "token" in request.query:
            return await self._enter(request, self.entry.token, receive, send)
        refusal = self._why_not_in(request, login)
        if refusal is not None:
            return await _refuse(request, refusal, receive, send)

        if asked is not None and self.files is not None:
            return await _reply(request, await self.files.answer(asked), send)
        client = f"login {login}" if login else "token" if self.entry.token else f"address {address}"
        scope[CLIENT] = client
        if request.method != "POST":
            return await self._read(request, client, receive, send)
        if UPLOAD.fullmatch(request.path):
            return await self._upload(request, client, receive, send)
        return await self._post(request, client, receive, send)

    async def _feed(self, request: Request, feed: feeds.Wanted, *, is_here: bool, secure: bool) -> Reply:
        """A feed of briefings, or why there is none for whoever asks."""
        assert self.briefings is not None  # noqa: S101 - asked by __call__
        refused = self.briefings.why_not(feed, key=request.query.get("feed", ""), is_here=is_here)
        if refused is not None:
            return refused
        page = feeds.of_page(request.all(b"host")[0], self.root_path, secure=secure)
        known = ", ".join(request.all(b"if-none-match"))
        return await asyncio.to_thread(self.briefings.answer, feed, page=page, known=known)

    def _why_foreign(self, request: Request, *, secure: bool) -> Refusal | None:
        server = request.scope.get("server")
        is_known = secure or proxy.is_proxy(request.scope, self.proxies)
        is_page = request.method in READ and request.path == "/"
        modes = {*request.all(b"sec-fetch-mode")} | {*request.all(b"sec-fetch-dest")}
        why = self.hosts.why_not(
            hosts=request.all(b"host"),
            origins=request.all(b"origin"),
            sites=request.all(b"sec-fetch-site"),
            server=server[0] if server else None,
            secure=secure if is_known else None,
            is_navigation=is_page and modes <= {"navigate", "document"},
        )
        if why is None and request.path == "/logout" and not request.all(b"sec-fetch-site"):
            # Browsers say nothing of where a GET comes from on plain HTTP beyond loopback, and this one does something.
            why = NOT_LOGGED_OUT
        return Refusal(HTTPStatus.FORBIDDEN, why) if why else None

    def _why_not_in(self, request: Request, login: str | None) -> Refusal | None:
        """Whether the token's cookie or a login is missing where one is needed."""
        if STARTED.fullmatch(request.path):
            return None
        token = self.entry.token
        if token is not None and not token.is_cookie(request.cookies.get(_cookie_name(request), "")):
            return Refusal(HTTPStatus.FORBIDDEN, NOT_LET_IN)
        is_open = self.entry.login_of is None or login is not None
        if not is_open and not STATIC.fullmatch(request.path) and not BEFORE_LOGIN.fullmatch(request.path):
            return Refusal(HTTPStatus.UNAUTHORIZED, NOT_LOGGED_IN)
        return None

    async def _enter(self, request: Request, token: PageToken, receive: Any, send: Any) -> None:
        """Turn the token of the address into a cookie, and go on to the address without it."""
        given = request.query["token"]
        if self._ticket and hmac.compare_digest(given.encode("utf-8", "replace"), self._ticket.encode()):
            self._ticket = ""
        elif not token.is_token(given):
            await _refuse(request, Refusal(HTTPStatus.FORBIDDEN, NOT_LET_IN), receive, send)
            return
        rest = urlencode([(name, value) for name, value in request.pairs if name != "token"])
        headers = [
            (b"location", b"./" + request.place + (f"?{rest}".encode() if rest else b"")),
            (b"set-cookie", f"{_cookie_name(request)}={token.cookie}; Path=/".encode()),  # _guarded adds the rest
            (b"content-length", b"0"),
        ]
        await send({"type": "http.response.start", "status": HTTPStatus.SEE_OTHER, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    async def _read(self, request: Request, client: str, receive: Any, send: Any) -> None:
        """A request without a body; while it is a stream of events, somebody listens to them."""
        with contextlib.ExitStack() as stack:
            if STREAM.fullmatch(request.path) and self.events is not None:
                stack.enter_context(self.events.listening(client, request.query.get("session_hash", "")))
            await self.app(request.scope, receive, send)

    async def _post(self, request: Request, client: str, receive: Any, send: Any) -> None:
        """A login or an event: read whole, checked, and handed on as it was checked."""
        most = MOST_LOGIN_BYTES if LOGIN.fullmatch(request.path) else MOST_BODY_BYTES
        body = await read_body(request, receive, most=most)
        if body is None:
            return await _refuse(request, Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, TOO_LARGE), receive, send)
        if EVENT.fullmatch(request.path):
            why = event_files.why_not(body, is_uploaded=lambda path: self._is_uploaded(client, path))
            if why is not None:
                return await _refuse(request, Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, why), receive, send)
        tab = _tab(body) if JOIN.fullmatch(request.path) else ""
        if tab and self.events is not None:
            full = self.events.why_full(client, tab)
            if full is not None:
                return await _refuse(request, Refusal(*full), receive, send)
            request.scope[TAB] = tab
        length = (b"content-length", str(len(body)).encode())
        dropped = (b"content-length", b"transfer-encoding")
        kept = [(name, value) for name, value in request.scope["headers"] if name.lower() not in dropped]
        await self.app({**request.scope, "headers": [*kept, length]}, replayed(body, receive), send)
        if tab and self.events is not None:
            self.events.expect_listener(client, tab)
        return None

    async def _upload(self, request: Request, client: str, receive: Any, send: Any) -> None:
        """Files: counted against what this client and all others have waiting."""
        cache, size = self.uploads, request.length
        if cache is None:
            return await _refuse(request, Refusal(HTTPStatus.FORBIDDEN, NOT_USED), receive, send)
        if size is None:
            return await _refuse(request, Refusal(HTTPStatus.LENGTH_REQUIRED, NO_LENGTH), receive, send)
        if size > MOST_UPLOAD_BYTES:
            return await _refuse(request, Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, TOO_LARGE), receive, send)
        why = cache.begin(client, size_bytes=size)
        if why is not None:
            return await _refuse(request, Refusal(HTTPStatus.TOO_MANY_REQUESTS, why), receive, send)
        answer = bytearray()

        async def noted(message: Any) -> None:
            answer.extend(message.get("body", b""))
            if message["type"] == "http.response.body" and not message.get("more_body"):
                cache.end(client, size_bytes=size, paths=_paths(bytes(answer)))
                answer.clear()
            await send(message)

        # Uncompressed, so that the names in the answer can be read.
        kept = [(name, value) for name, value in request.scope["headers"] if name.lower() != b"accept-encoding"]
        try:
            await self.app({**request.scope, "headers": kept}, receive, noted)
        finally:
            cache.end(client, size_bytes=size, paths=[])
        return None

    def _is_uploaded(self, client: str, path: str) -> bool:
        return self.uploads is not None and self.uploads.has(client, path)

    def _guarded(self, request: Request, send: Any, *, secure: bool) -> Any:
        """`send` with the policy, without leave for other origins, and with cookies for this page alone."""

        async def send_guarded(message: Any) -> None:
            if message["type"] == "http.response.start":
                headers = []
                for name, value in message.get("headers", ()):
                    lower = name.lower()
                    if lower == b"set-cookie":
                        headers.append((name, _cookie(value, secure=secure)))
                    elif not lower.startswith(b"access-control-"):
                        headers.append((name, value))
                if request.path in ("/", "/config"):
                    headers.append((b"cache-control", b"no-store"))
                named = {name for name, _ in headers}
                message = {**message, "headers": [*headers, *(one for one in HEADERS if one[0] not in named)]}
            await send(message)

        return send_guarded


class Request:
    """What is read of an ASGI scope."""

    def __init__(self, scope: Any, *, place: bytes | None = None) -> None:
        """Read its headers and its query."""
        self.scope = scope
        self.place = place or b""  # what the address names of the page, see ui/links.py
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.headers: dict[bytes, list[str]] = {}
        for name, value in scope["headers"]:
            self.headers.setdefault(name.lower(), []).append(value.decode("latin-1"))
        self.pairs = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        self.is_read = False  # whether all of the body was received
        self.query = dict(reversed(self.pairs))  # the first of a name counts

    def all(self, name: bytes) -> list[str]:
        """The values of all headers of this lower-case name."""
        return self.headers.get(name, [])

    @property
    def cookies(self) -> dict[str, str]:
        """Name → value; none when they cannot be read."""
        found: dict[str, str] = {}
        for header in self.all(b"cookie"):
            for part in header.split(";"):
                name, equals, value = part.strip().partition("=")
                if equals:
                    found.setdefault(name, value)
        return found

    @property
    def length(self) -> int | None:
        """Content-Length, where there is one that is a number."""
        given = self.all(b"content-length")
        is_number = len(given) == 1 and re.fullmatch(r"\d{1,20}", given[0], flags=re.ASCII)
        return int(given[0]) if is_number else None


def _why_unused(request: Request) -> Refusal | None:
    """Only what the page uses is answered: everything else of Gradio's has no use here."""
    path = request.path
    is_plain = not re.search(r"//|\\|\0|/\.\.?(?:/|$)", path)
    if request.method in READ and is_plain:
        allowed = (STATIC, READABLE, BEFORE_LOGIN)
        if any(one.fullmatch(path) for one in allowed):
            return None
    if request.method == "POST" and is_plain and any(one.fullmatch(path) for one in (EVENT, UPLOAD, LOGIN)):
        return None
    return Refusal(HTTPStatus.FORBIDDEN, NOT_USED)


def _as_page(scope: Any) -> Any:
    """A request for a place on the page as one for the page itself, whose answer is to be read here."""
    headers = [(name, value) for name, value in scope["headers"] if name.lower() != b"accept-encoding"]
    return {**scope, "path": "/", "raw_path": b"/", "headers": headers}


def _from_above(send: Any) -> Any:
    """`send`, with the page as it is answered at the address of a place on it."""
    started: list[Any] = []
    body = bytearray()

    async def send_page(message: Any) -> None:
        if message["type"] == "http.response.start":
            started.append(message)
            return
        body.extend(message.get("body", b""))
        if message.get("more_body"):
            return
        content = links.page_at(bytes(body))
        kept = [(name, value) for name, value in started[0]["headers"] if name.lower() != b"content-length"]
        length = (b"content-length", str(len(content)).encode())
        await send({**started[0], "headers": [*kept, length]})
        await send({"type": "http.response.body", "body": content})

    return send_page


async def _reply(request: Request, reply: Reply, send: Any) -> None:
    await send({"type": "http.response.start", "status": int(reply.status), "headers": reply.headers()})
    await send({"type": "http.response.body", "body": b"" if request.method == "HEAD" else reply.body})


async def _refuse(request: Request, refusal: Refusal, receive: Any, send: Any) -> None:
    """A short answer, after which the connection ends. What else is sent is thrown away, up to a bound.

    A client that is still sending when the connection ends does not see the answer.
    """
    if request.path.startswith("/gradio_api/"):
        kind, text = b"application/json", json.dumps({"detail": refusal.text, "error": refusal.text})
    else:
        kind, text = b"text/plain; charset=utf-8", refusal.text
    body = text.encode("utf-8")
    headers = [
        (b"content-type", kind),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"connection", b"close"),
    ]
    is_known = refusal.status in (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.TOO_MANY_REQUESTS)
    left = MOST_THROWN_AWAY_BYTES if is_known else MOST_BODY_BYTES
    await send({"type": "http.response.start", "status": int(refusal.status), "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": True})
    while left > 0 and not request.is_read and (request.length or request.all(b"transfer-encoding")):
        message = await receive()
        left -= len(message.get("body", b""))
        request.is_read = not message.get("more_body")
    await send({"type": "http.response.body", "body": b""})


async def read_body(request: Request, receive: Any, *, most: int) -> bytes | None:
    """What is sent, None when it is more than `most` bytes or broken off."""
    if (request.length or 0) > most:
        return None
    body = bytearray()
    while True:
        message = await receive()
        request.is_read = not message.get("more_body")
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if len(body) > most:
            return None
        if not message.get("more_body"):
            return bytes(body)


def replayed(body: bytes, receive: Any) -> Any:
    """A `receive` that gives `body` first."""
    given = False

    async def replay() -> Any:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _tab(body: bytes) -> str:
    """The tab that an event names; "" for what ui/payload.py refuses."""
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    tab = event.get("session_hash") if isinstance(event, dict) else None
    return tab if isinstance(tab, str) else ""


def _paths(answer: bytes) -> list[str]:
    """The files that an upload made, as Gradio answers."""
    try:
        found = json.loads(answer)
    except ValueError:
        return []
    return [path for path in found if isinstance(path, str)] if isinstance(found, list) else []


def _cookie_name(request: Request) -> str:
    """One for each port: cookies of one host are shared by all its ports."""
    server = request.scope.get("server")
    return f"citewire-{server[1] if server else 0}"


def _cookie(value: bytes, *, secure: bool) -> bytes:
    """A Set-Cookie header for this site alone, out of reach of scripts, and for HTTPS alone where that is spoken."""
    first, *others = value.decode("latin-1").split(";")
    dropped = ("samesite", "httponly", "secure", "partitioned", "domain")
    kept = [part.strip() for part in others if part.strip().partition("=")[0].lower() not in dropped]
    return "; ".join([first, *kept, "HttpOnly", "SameSite=Lax", *(["Secure"] if secure else [])]).encode("latin-1")
