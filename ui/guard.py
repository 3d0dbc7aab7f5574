"""Guard: one origin, no files, no proxying, and no other names for a loopback server. Knows no page and no Gradio."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

from ui import proxy
from ui.auth import ADDRESS

if TYPE_CHECKING:
    from collections.abc import Sequence


class Guard:
    """ASGI middleware around Gradio's own app.

    Gradio can serve files and fetch remote addresses for its media components; this page has none. The
    policy keeps a browser from loading anything from elsewhere, even if text got past the escaping. Checking
    the Host header keeps a web site that points its own name at 127.0.0.1 from reading the articles.
    """

    CLOSED: ClassVar = (
        *(f"/gradio_api/{name}" for name in ("file", "proxy", "stream/", "deep_link", "component_server")),
        "/openapi.json",
    )
    HEADERS: ClassVar = (
        (
            b"content-security-policy",
            b"default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
            b"style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
            b"object-src 'none'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'",
        ),
        (b"referrer-policy", b"no-referrer"),
        (b"x-content-type-options", b"nosniff"),
    )

    def __init__(self, app: Any, *, hosts: tuple[str, ...] | None, proxies: Sequence[proxy.Network] = ()) -> None:
        """`hosts` are the names the server answers to; None is any. `proxies` may say for whom they ask."""
        self.app = app
        self.hosts = hosts
        self.proxies = proxies

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve or refuse one request."""
        if scope["type"] == "http" and not self._allowed(scope):
            await send({"type": "http.response.start", "status": 403, "headers": []})
            await send({"type": "http.response.body", "body": b"Forbidden"})
            return

        ADDRESS.set(proxy.client_address(scope, self.proxies))  # for the wait after wrong passwords

        async def send_guarded(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *self.HEADERS]
            await send(message)

        await self.app(scope, receive, send_guarded)

    def _allowed(self, scope: Any) -> bool:
        if re.sub("/+", "/", scope["path"]).startswith(self.CLOSED):
            return False
        host = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
        return self.hosts is None or re.sub(r":\d+$", "", host).strip("[]") in self.hosts
