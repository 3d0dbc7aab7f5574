"""Door: who may ask the programs' addresses for what, before anything is looked at. It stands beside the page's guard.

In the order in which a request meets it: the names that Citewire answers to and the web pages that may ask it
(ui/origin.py), secrets in the address, the token and its scope, how often it asks, the size and form of what it sends.
Requests to other addresses go on to the page, whose guard (ui/guard.py) knows them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import math
import threading
import time
from codecs import BOM_UTF8
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from index.errors import InputError
from ui import proxy
from ui.api.problem import Problem, is_openai
from ui.api.tokens import PREFIX, TEXT, Scope, Token, Tokens
from ui.auth import FORGET_S, LONGEST_WAIT_S, MOST_TALLIES, network
from ui.guard import FORWARDING, Request, read_body, replayed
from ui.uploads import MOST_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from ui.api.log import RequestLog
    from ui.api.metrics import Metrics
    from ui.origin import Hosts

PREFIXES = ("/api", "/v1", "/mcp", "/metrics", "/openapi.json")
UPLOADS = "/api/v1/uploads"
MCP = "/mcp"
HEALTH = "/api/v1/health"
"""Asked by what watches over containers, without a token; it says only that the server runs."""
CLIENT = "citewire.client"
"""Key of the ASGI scope under which the rest of the server finds the Client."""

BASE = "citewire.base"
"""Key for the address that the client uses, up to `root_path`; it is one that Citewire answers to."""

MOST_BODY_BYTES = 1024 * 1024
"""Of a request that is no upload: a draft of the greatest length, each character as an escape, takes a quarter."""
MOST_RECEIVED_BYTES = 32 * 1024 * 1024
"""Of all requests that are received at once and are no uploads, so that many slow clients take no more memory."""
BODY_S = 60.0
"""How long a request may take to come: 1 MB takes 50 s over a line of 170 kbit/s."""
MOST_UPLOADS = 4
"""Uploads that are received at once; each is in memory, and may have 20 MB."""
UPLOAD_S = 600.0
"""How long an upload may take to come, as its place is wanted by others: 20 MB take so long at 280 kbit/s."""
FREE_WRONG = 60
"""Wrong tokens from one address before it must wait; programs try more than people do, and behind one address may be
several."""
MOST_DEPTH = 64
"""Arrays and objects within each other; what the API takes has at most six."""
SECRETS = ("token", "access_token", "api_key", "apikey", "key", "authorization")
"""Parameters by which other services take secrets in the address."""
MOST_CLIENTS = 10_000
"""Clients whose rate is remembered; the longest unseen are forgotten first."""
READ = ("GET", "HEAD", "OPTIONS")
WRITES = ("/api/v1/sync", "/api/v1/sources", "/api/v1/uploads", "/api/v1/jobs")
"""Addresses for which reading also takes the scope `write`: they name files and folders of this machine."""

HEADERS = (
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)

WITHOUT = (
    "A token is needed: send the header “Authorization: Bearer TOKEN”. Whoever runs the server makes one with: "
    "citewire auth token add NAME"
)
UNKNOWN = "This token is unknown or was removed; make another with: citewire auth token add NAME"
NO_SCOPE = "This token may only read. For this, make one with: citewire auth token add NAME --scope write"
WRONG_TOO_OFTEN = "Too many wrong tokens came from here; correct the token, and ask again in {} s"
SLOW = "The request did not arrive within {:.0f} s; send less, or over a faster line"
EXPOSED = (
    "The address has a secret in it, where logs and histories keep it. Send the token in the header "
    "“Authorization: Bearer TOKEN” instead, and consider this one known: citewire auth token remove NAME"
)
COMPRESSED = "The body is compressed, which is not read here; send it without the header Content-Encoding"
NOT_JSON = "The body must be JSON; send it with the header “Content-Type: application/json”"
_LOG = logging.getLogger("citewire.api")


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks: the name of a token, or else a network address; and what it may do."""

    name: str
    scope: Scope
    token: str | None = None
    """The name of the token, if there is one."""


class Door:
    """ASGI middleware: requests of programs are checked and go to `app`, others to `page`."""

    def __init__(
        self,
        app: Any,
        page: Any | None = None,
        *,
        hosts: Hosts,
        tokens: Tokens,
        is_private: bool,
        metrics: Metrics,
        log: RequestLog,
        proxies: Sequence[proxy.Network] = (),
        rate_per_min: int = 0,
        on_proxy: Callable[[], None] = lambda: None,
        running: Callable[[], AbstractAsyncContextManager[None]] = contextlib.nullcontext,
        root_path: str = "",
    ) -> None:
        """Only where it `is_private`, on loopback, are programs let in without a token, and only while there is none.

        `rate_per_min` is how many requests a client may make in a minute, 0 for any number. `on_proxy` is called when
        a request has come through any proxy. `running` is entered while the server runs: an app that is mounted beside
        another is not asked to start by the server. `root_path` is the path under which a proxy has the server.
        """
        self._app = app
        self._page = page
        self._hosts = hosts
        self._tokens = tokens
        self._is_private = is_private
        self._metrics = metrics
        self._log = log
        self._proxies = proxies
        self._on_proxy = on_proxy
        self._running = running
        self._root_path = root_path
        self._rates = Rates(rate_per_min)
        self._failures = Failures()
        self._received_bytes = 0
        self._uploading = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve or refuse one request."""
        if scope["type"] == "lifespan":
            await self._run(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            below = proxy.without_root(scope, self._root_path)
            if self._page is not None and not is_ours(below["path"]):
                await self._page(scope, receive, send)
            elif below["method"] == "HEAD" and door_of(below["path"]) != "mcp":
                # What watches over servers asks so. uvicorn sends the head alone of what a GET is answered with.
                await self._serve(Request({**below, "method": "GET"}), receive, send)
            else:
                await self._serve(Request(below), receive, send)

    async def _run(self, scope: Any, receive: Any, send: Any) -> None:
        """Keep the apps running. The server ends when it hears that they have ended, so that is said last."""
        ended: list[Any] = []

        async def hold_back(message: Any) -> None:
            if message["type"] == "lifespan.shutdown.complete":
                ended.append(message)
            else:
                await send(message)

        async with self._running():
            await (self._page or self._app)(scope, receive, hold_back)
        for message in ended:
            await send(message)

    async def _serve(self, request: Request, receive: Any, send: Any) -> None:
        began = time.perf_counter()
        status, is_whole = 0, False

        async def send_guarded(message: Any) -> None:
            nonlocal status, is_whole
            if message["type"] == "http.response.start":
                status = message["status"]
                given = [(name, value) for name, value in message.get("headers", ()) if _may_be_sent(name)]
                named = {name.lower() for name, _ in given}
                message = {**message, "headers": [*given, *(one for one in HEADERS if one[0] not in named)]}
            is_whole = message["type"] == "http.response.body" and not message.get("more_body")
            await send(message)

        try:
            try:
                client = self._let_in(request)
                request.scope[CLIENT] = client
                await self._hand_on(request, receive, send_guarded)
            except Exception as error:  # noqa: BLE001 (whatever it is, it is answered, counted and logged)
                if is_whole:  # Starlette raises what it has answered once more
                    return
                problem = Problem.of(error)
                if status:  # the response has begun; it can only be broken off
                    raise problem from None
                await problem.response(request.path)(request.scope, receive, send_guarded)
        finally:
            seconds = time.perf_counter() - began
            route, door = _route(request.scope), door_of(request.path)
            shown = str(status or "gone")
            known = request.scope.get(CLIENT)
            self._metrics.count("citewire_requests_total", door=door, route=route, status=shown)
            self._metrics.observe("citewire_request_seconds", seconds, door=door)
            self._log.request(
                method=request.method, route=route, status=status, seconds=seconds, client=known.name if known else ""
            )

    def _let_in(self, request: Request) -> Client:
        """Who asks. Raises Problem for whoever may not."""
        secure = proxy.is_secure(request.scope, self._proxies)
        is_forwarded = any(name in request.headers for name in FORWARDING)
        if is_forwarded:
            self._on_proxy()
        server = request.scope.get("server")
        why = self._hosts.why_not(
            hosts=request.all(b"host"),
            origins=request.all(b"origin"),
            sites=request.all(b"sec-fetch-site"),
            server=server[0] if server else None,
            secure=secure if secure or proxy.is_proxy(request.scope, self._proxies) else None,
            is_navigation=False,
        )
        if why is not None:
            raise Problem(HTTPStatus.FORBIDDEN, why)
        if any(name.lower() in SECRETS or TEXT.search(f"{name}={value}") for name, value in request.pairs):
            raise Problem(HTTPStatus.BAD_REQUEST, EXPOSED)
        request.scope[BASE] = f"{'https' if secure else 'http'}://{request.all(b'host')[0]}{self._root_path}"
        address = proxy.client_address(request.scope, self._proxies)
        client = self._client(request, address, is_forwarded=is_forwarded)
        wait_s = self._rates.wait_s(client.name)
        if wait_s > 0:
            detail = f"Too many requests; ask again in {wait_s} s. Whoever runs the server raises the limit with --rate"
            raise Problem(HTTPStatus.TOO_MANY_REQUESTS, detail, retry_after_s=wait_s)
        if client.scope == "read" and needed(request.method, request.path) == "write":
            raise Problem(HTTPStatus.FORBIDDEN, NO_SCOPE)
        return client

    def _client(self, request: Request, address: str, *, is_forwarded: bool) -> Client:
        given = [value for value in request.all(b"authorization") if value.strip()]
        challenge = {"WWW-Authenticate": 'Bearer realm="citewire"'}
        token: Token | None = None
        text = _bearer(given[0]) if len(given) == 1 else ""
        try:
            known = self._tokens.all()
            token = self._tokens.find(text) if text else None
        except InputError as error:
            _LOG.error("%s", error)
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "The tokens cannot be read; see the server's log") from None
        if token is not None:
            return Client(f"token {token.name}", token.scope, token.name)
        if request.path == HEALTH and not given:
            return Client(f"address {address}", "read")
        is_open = self._is_private and not is_forwarded and not known
        # Clients of OpenAI's API always send some key, and here none is needed.
        if is_open and not text.startswith(PREFIX):
            return Client(f"address {address}", "write")
        wait_s = self._failures.wait_s(address) if given else 0
        if wait_s > 0:
            raise Problem(HTTPStatus.TOO_MANY_REQUESTS, WRONG_TOO_OFTEN.format(wait_s), retry_after_s=wait_s)
        if given:
            self._failures.count(address)
        raise Problem(HTTPStatus.UNAUTHORIZED, UNKNOWN if given else WITHOUT, headers=challenge)

    async def _hand_on(self, request: Request, receive: Any, send: Any) -> None:
        """Let the app answer, with a body that was received whole and is what it says to be."""
        if request.method in READ and not request.length and not request.all(b"transfer-encoding"):
            await self._app(request.scope, receive, send)
            return
        if any(value.strip().lower() not in ("", "identity") for value in request.all(b"content-encoding")):
            raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, COMPRESSED)
        is_upload = request.path == UPLOADS
        if is_upload and self._uploading >= MOST_UPLOADS:
            raise Problem(HTTPStatus.TOO_MANY_REQUESTS, "Other files are being received; try again", retry_after_s=5)
        self._uploading += is_upload
        received, most, within_s = 0, MOST_BODY_BYTES, BODY_S
        if is_upload:
            most, within_s = MOST_BYTES, UPLOAD_S

        async def receive_counted() -> Any:
            nonlocal received
            message = await receive()
            if not is_upload:
                received += len(message.get("body", b""))
                self._received_bytes += len(message.get("body", b""))
                if self._received_bytes > MOST_RECEIVED_BYTES:
                    detail = "Other requests are being received; try again"
                    raise Problem(HTTPStatus.TOO_MANY_REQUESTS, detail, retry_after_s=5)
            return message

        try:
            async with asyncio.timeout(within_s):
                body = await read_body(request, receive_counted, most=most)
        except TimeoutError:
            headers = {"Connection": "close"}
            raise Problem(HTTPStatus.REQUEST_TIMEOUT, SLOW.format(within_s), headers=headers) from None
        finally:
            self._uploading -= is_upload
            self._received_bytes -= received
        if body is None:
            raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"At most {most} bytes can be sent here")
        # MCP has answers of its own for what is no JSON.
        if body and not is_upload and door_of(request.path) != "mcp":
            _require_json(request, body)
        length = (b"content-length", str(len(body)).encode())
        dropped = (b"content-length", b"transfer-encoding")
        kept = [(name, value) for name, value in request.scope["headers"] if name.lower() not in dropped]
        request.scope["headers"] = [*kept, length]
        await self._app(request.scope, replayed(body, receive), send)


class Rates:
    """How many requests each client makes: a token bucket for each, which holds what it may make in ten seconds."""

    def __init__(self, per_min: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        """0 allows any number."""
        self._per_s = per_min / 60
        self._most = max(1.0, self._per_s * 10)
        self._buckets: dict[str, tuple[float, float]] = {}
        self._clock = clock
        self._lock = threading.Lock()

    def wait_s(self, client: str) -> int:
        """Count a request: 0 if it may be made, else the seconds until the next one may."""
        if not self._per_s:
            return 0
        with self._lock:
            now = self._clock()
            level, at = self._buckets.pop(client, (self._most, now))
            level = min(self._most, level + (now - at) * self._per_s)
            allowed = level >= 1
            self._buckets[client] = (level - allowed, now)
            while len(self._buckets) > MOST_CLIENTS:
                self._buckets.pop(next(iter(self._buckets)))
            return 0 if allowed else max(1, math.ceil((1 - level) / self._per_s))


class Failures:
    """Wrong tokens, by the address that they came from: after some, each doubles the wait, as in ui/auth.py.

    Nobody guesses a token, so one that is right is let in meanwhile: a program with an old token must not lock out
    others behind the same address.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        """None yet."""
        self._known: dict[str, tuple[int, float]] = {}
        self._clock = clock
        self._lock = threading.Lock()

    def wait_s(self, address: str) -> int:
        """Seconds until a wrong token from there is looked at again; 0 if it is."""
        with self._lock:
            failures, last = self._known.get(network(address), (0, 0.0))
            return max(0, math.ceil(last + self._pause_s(failures) - self._clock()))

    def count(self, address: str) -> None:
        """Note a wrong token."""
        with self._lock:
            now = self._clock()
            failures, last = self._known.pop(network(address), (0, now))
            self._known[network(address)] = (failures + 1 if now - last < FORGET_S else 1, now)
            while len(self._known) > MOST_TALLIES:
                self._known.pop(next(iter(self._known)))

    def _pause_s(self, failures: int) -> float:
        over = failures - FREE_WRONG
        return 0.0 if over < 0 else min(2.0 ** min(over, 32), LONGEST_WAIT_S)


def is_ours(path: str) -> bool:
    """Whether an address is one for programs."""
    return any(path == prefix or path.startswith(f"{prefix}/") for prefix in PREFIXES)


def needed(method: str, path: str) -> Scope:
    """The scope that a request needs: write for all that changes articles or names places of this machine.

    MCP has one address for all its tools, which ask for themselves (ui/api/mcp.py).
    """
    if any(path == one or path.startswith(f"{one}/") for one in WRITES):
        return "write"
    is_change = method not in READ and path.startswith("/api/v1/articles")
    return "write" if is_change else "read"


def door_of(path: str) -> str:
    """A name for the group of addresses, for metrics."""
    if is_openai(path):
        return "openai"
    return "mcp" if path == MCP or path.startswith(f"{MCP}/") else "http"


def _bearer(header: str) -> str:
    scheme, _, text = header.strip().partition(" ")
    return text.strip() if scheme.lower() == "bearer" else ""


def _may_be_sent(name: bytes) -> bool:
    """No response lets another origin read it."""
    return not name.lower().startswith(b"access-control-")


def _route(scope: Mapping[str, Any]) -> str:
    """The template of the address, so that neither ids nor anything that a client made up is logged."""
    route = getattr(scope.get("route"), "path", None)
    if isinstance(route, str):
        return route
    return scope["path"] if scope["path"] in PREFIXES else "unknown"


def _require_json(request: Request, body: bytes) -> None:
    """Raises Problem for a body that is no JSON, or that no request has: lone surrogates, NaN, endless nesting."""
    kinds = request.all(b"content-type")
    kind = kinds[0].partition(";")[0].strip().lower() if len(kinds) == 1 else ""
    if kind != "application/json":
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, NOT_JSON)
    if body.count(b"[") + body.count(b"{") > MOST_DEPTH and _is_deep(body):
        raise Problem(HTTPStatus.BAD_REQUEST, f"The JSON is nested more than {MOST_DEPTH} levels deep")
    if body.startswith(BOM_UTF8):
        raise Problem(
            HTTPStatus.BAD_REQUEST, "The body begins with a byte order mark, which JSON may not; leave it out"
        )
    try:
        json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise Problem(HTTPStatus.BAD_REQUEST, f"The body cannot be read as JSON in UTF-8: {_brief(error)}") from None


def _is_deep(body: bytes) -> bool:
    """Whether JSON has more than MOST_DEPTH levels. It is asked in the event loop, of a megabyte, so no byte is looked
    at one by one: strings are cut out, and then one level after the other, the innermost first."""
    outside = b"".join(body.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2])
    levels = outside.replace(b"{", b"[").replace(b"}", b"]").translate(None, _NO_BRACKETS)
    for _ in range(MOST_DEPTH):
        levels = levels.replace(b"[]", b"")
    return b"[]" in levels or levels.count(b"[") > MOST_DEPTH


_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _brief(error: BaseException) -> str:
    """The error without what was sent."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at character {error.pos}"
    if isinstance(error, UnicodeDecodeError):
        return f"{error.reason} at byte {error.start}"
    return "it has a number or a name that cannot be read"
