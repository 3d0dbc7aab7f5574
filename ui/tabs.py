"""Tabs: whose each tab is. ASGI middleware between the guard and Gradio; knows no page, and Gradio's addresses only.

Gradio knows a tab by a name that the tab makes up and that stands in its addresses. Whoever reads it there could read
the tab's answers, stop them, or ask in its place. Here each name is replaced, before Gradio sees it, by an HMAC of the
name and of the person who sent it: the login, or without logins a random cookie of the browser. Requests of somebody
else under the same name concern another tab, which has nothing. No list is kept for this, so none can be filled.

The events themselves are checked on the way (ui/payload.py).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlencode

from index.errors import InputError
from ui import payload

if TYPE_CHECKING:
    from collections.abc import Callable

    Clean = Callable[[object], dict[str, Any]]
    """The body of an event as the page would send it; raises InputError."""

PERSON = "citewire.person"
"""Key of the ASGI scope under which the rest of the server finds who sent a request."""
COOKIE = "citewire-browser"
COOKIE_BYTES = 24
"""192 random bits: nobody can guess them."""
MOST_BODY_BYTES = 4 * 1024 * 1024
"""Of an event: several texts of the greatest length, each character as an escape of six bytes."""
API = "/gradio_api/"
EVENTS = re.compile(r"queue/join|(?:run|api)/[^/]+/?")
"""Where an event is sent to, below API."""
PASSED_ON = re.compile(
    r"upload|upload_progress|reset/?|queue/status|startup-events|theme\.css|app_id/?|login_check/?|user/?|info/?"
)
"""What else the page needs of Gradio below API. All other addresses there, such as those of the programming interface
(`call`), of media streams and of the history of runs, name tabs or events in ways that are not checked here."""


NO_SUCH_TAB = (
    b'data: {"msg": "unexpected_error", "message": "404: Not Found", "session_not_found": true, "success": false}\n\n'
)
"""Said to whoever listens to a tab of which nothing waits, as by Gradio, which also writes a traceback to the log."""


class Tabs:
    """Replaces the names of tabs by names of a person's own, and lets only events of the page pass."""

    def __init__(
        self,
        app: Any,
        *,
        clean: Clean,
        login: Callable[[Any], str | None] | None = None,
        tab_of: Callable[[str], str | None] = lambda _: None,
        is_waiting: Callable[[str], bool] = lambda _: True,
    ) -> None:
        """`login` gives the name behind a request (an ASGI scope), None for nobody; None: there are no logins.

        `tab_of` gives the tab, by its replaced name, to which a queued event belongs; `is_waiting` says whether there
        is something to be told to a tab.
        """
        self.app = app
        self._clean = clean
        self._login = login
        self._tab_of = tab_of
        self._is_waiting = is_waiting
        self._key = secrets.token_bytes(32)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve or refuse one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        cookie = f"{COOKIE}-{(scope.get('server') or ('', 0))[1]}"  # cookies are the same for all ports of a host
        browser = _cookie(scope, cookie)
        person = self._person(scope, browser)
        scope[PERSON] = person or ""
        path = re.sub("/+", "/", scope["path"])
        if path.startswith(API):
            await self._serve_api(scope, receive, send, path.removeprefix(API), person)
        elif path == "/" and self._login is None and browser is None:
            await self.app(scope, receive, _setting(send, cookie))
        else:
            await self.app(scope, receive, send)

    def _person(self, scope: Any, browser: str | None) -> str | None:
        if self._login is not None:
            name = self._login(scope)
            return None if name is None else f"login:{name}"
        return f"browser:{browser or ''}"

    async def _serve_api(self, scope: Any, receive: Any, send: Any, path: str, person: str | None) -> None:
        if person is None and not PASSED_ON.fullmatch(path):
            await _refuse(send, 401, "log in first")
        elif scope["method"] == "POST" and (EVENTS.fullmatch(path) or path == "cancel"):
            await self._serve_event(scope, receive, send, person or "", is_cancel=path == "cancel")
        elif path in ("queue/data", "upload_progress", "upload"):
            name = "session_hash" if path == "queue/data" else "upload_id"
            query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
            renamed = [(key, self._renamed(value, person or "") if key == name else value) for key, value in query]
            if name == "session_hash" and not self._is_waiting(dict(renamed).get(name, "")):
                await _answer(send, 200, NO_SUCH_TAB, kind=b"text/event-stream")
                return
            await self.app({**scope, "query_string": urlencode(renamed).encode("latin-1")}, receive, send)
        elif path.startswith("heartbeat/") and "/" not in path.removeprefix("heartbeat/"):
            tab = self._renamed(path.removeprefix("heartbeat/"), person or "")
            renamed_path = f"{API}heartbeat/{tab}"
            await self.app({**scope, "path": renamed_path, "raw_path": quote(renamed_path).encode()}, receive, send)
        elif PASSED_ON.fullmatch(path):
            await self.app(scope, receive, send)
        else:
            await _refuse(send, 404, "the page has no such address")

    async def _serve_event(self, scope: Any, receive: Any, send: Any, person: str, *, is_cancel: bool) -> None:
        content = await _body(receive)
        if content is None:
            return await _refuse(send, 413, f"an event has at most {MOST_BODY_BYTES:,} bytes")
        try:
            sent = payload.parsed(content)
            body = self._cancelled(sent, person) if is_cancel else self._clean(sent)
        except InputError as error:
            return await _refuse(send, 422, str(error))
        if body is None:  # as Gradio answers: of an event that is over and of somebody else's, nothing is told
            return await _answer(send, 200, {"success": True})
        if not is_cancel:
            body["session_hash"] = self._renamed(body["session_hash"], person)
        content = json.dumps(body).encode()
        kept = [(name, value) for name, value in scope["headers"] if name not in (b"content-length", b"content-type")]
        headers = [*kept, (b"content-length", str(len(content)).encode()), (b"content-type", b"application/json")]
        await self.app({**scope, "headers": headers}, _replaying(content, receive), send)
        return None

    def _cancelled(self, sent: object, person: str) -> dict[str, Any] | None:
        """The body of a cancel, or None when it is of no event that this person's tab has."""
        if not isinstance(sent, dict):
            raise InputError("a cancel is a JSON object")
        tab, number, event = sent.get("session_hash"), sent.get("fn_index"), sent.get("event_id")
        if not isinstance(tab, str) or type(number) is not int or not isinstance(event, str):
            raise InputError("a cancel names a tab and an event")
        renamed = self._renamed(tab, person)
        if self._tab_of(event) != renamed:
            return None
        return {"session_hash": renamed, "fn_index": number, "event_id": event}

    def _renamed(self, tab: str, person: str) -> str:
        whole = json.dumps([person, tab])  # as JSON, so that no other pair gives the same text
        return hmac.digest(self._key, whole.encode(), hashlib.sha256).hex()[:32]


def _cookie(scope: Any, name: str) -> str | None:
    """The value of a cookie that was made here, by its length at least."""
    for key, value in scope["headers"]:
        if key == b"cookie":
            try:
                found = SimpleCookie(value.decode("latin-1")).get(name)
            except CookieError:
                continue
            if found is not None and re.fullmatch(r"[A-Za-z0-9_-]{32}", found.value):
                return found.value
    return None


def _setting(send: Any, cookie: str) -> Any:
    """`send`, with a new name for the browser in a cookie that scripts do not see and other sites do not send."""

    async def send_with_cookie(message: Any) -> None:
        if message["type"] == "http.response.start":
            value = f"{cookie}={secrets.token_urlsafe(COOKIE_BYTES)}; Path=/; HttpOnly; SameSite=Lax"
            message["headers"] = [*message.get("headers", ()), (b"set-cookie", value.encode())]
        await send(message)

    return send_with_cookie


async def _body(receive: Any) -> bytes | None:
    """What a request brings, None if that is too much or the client went away."""
    parts, size_bytes = [], 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        size_bytes += len(parts[-1])
        if size_bytes > MOST_BODY_BYTES:
            return None
        if not message.get("more_body"):
            return b"".join(parts)


def _replaying(content: bytes, receive: Any) -> Any:
    """A `receive` that gives `content`, then what comes from the client: that it went away."""
    left = [{"type": "http.request", "body": content, "more_body": False}]

    async def receive_again() -> Any:
        return left.pop() if left else await receive()

    return receive_again


async def _refuse(send: Any, status: int, reason: str) -> None:
    await _answer(send, status, {"detail": reason})


async def _answer(send: Any, status: int, body: dict[str, Any] | bytes, *, kind: bytes = b"application/json") -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = [(b"content-type", kind), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
