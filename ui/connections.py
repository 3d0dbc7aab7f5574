"""Connections: HTTP connections of which none can be held open without being used. Knows no page and no Gradio.

uvicorn bounds the size of a request's head and closes idle connections; it waits without end for the rest of a head,
for a body, and for a client that does not read. What it lacks stands here.
"""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio

MOST = 512
"""Connections in all; a process may often have 1024 files open, and each connection is one."""
MOST_OF_ADDRESS = 256
"""Of one address, behind which an office may stand. A tab has two that stay, and up to six while it loads."""
HEAD_S = 20.0
"""From the first byte of a request, or from the opening, to the end of its head."""
GRACE_S = 20.0
LEAST_BYTES_PER_S = 1024
"""How slow a body may come, after the time of grace: a slow telephone line is five times as fast."""
UNREAD_S = 20.0
"""How long what is sent may find no room at the other end."""
TICK_S = 1.0
SEND_BUFFER_BYTES = 128 * 1024
"""What the system holds of an answer that is not read: of 512 connections, 64 MB."""

_REFUSAL = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nRetry-After: 5\r\n"
    b"Content-Length: 42\r\nConnection: close\r\n\r\nToo many connections; try again in a while"
)


class BoundedProtocol(H11Protocol):
    """uvicorn's protocol, which gives up on clients that send or read too slowly and refuses those in excess."""

    _head_since: float | None = None
    _body_since: float | None = None
    _body_bytes = 0
    _unread_since: float | None = None
    _closing_since: float | None = None
    _tick: asyncio.TimerHandle | None = None
    _is_refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Refuse it when there are too many, else watch it."""
        super().connection_made(transport)
        address = self.client[0] if self.client else ""
        clients = [getattr(one, "client", None) for one in self.connections]
        of_address = sum(client is not None and client[0] == address for client in clients)
        if len(self.connections) > MOST or of_address > MOST_OF_ADDRESS:
            self._is_refused = True
            transport.write(_REFUSAL)
            transport.close()
            return
        connected = transport.get_extra_info("socket")
        if connected is not None:
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._head_since = self.loop.time()
        self._tick = self.loop.call_later(TICK_S, self._look)

    def data_received(self, data: bytes) -> None:
        """Note when a head or a body began."""
        if self._is_refused:
            return
        before = self.cycle
        if self._is_idle() and self._head_since is None:
            self._head_since = self.loop.time()
        self._body_bytes += len(data)
        super().data_received(data)
        if self.cycle is not before:
            self._head_since = None
            self._body_since, self._body_bytes = self.loop.time(), 0

    def pause_writing(self) -> None:
        """Note since when nothing is read."""
        self._unread_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """It is read again."""
        self._unread_since = None
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop watching."""
        if self._tick is not None:
            self._tick.cancel()
        super().connection_lost(exc)

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _look(self) -> None:
        """End the connection if the client is too slow, else look again later."""
        now = self.loop.time()
        if self.transport.is_closing() and self._closing_since is None:
            self._closing_since = now
        if self._is_too_slow(now):
            self.transport.abort()
        else:
            self._tick = self.loop.call_later(TICK_S, self._look)

    def _is_too_slow(self, now: float) -> bool:
        for since in (self._unread_since, self._closing_since):
            if since is not None and now - since > UNREAD_S:
                return True
        if self._is_idle():
            return self._head_since is not None and now - self._head_since > HEAD_S
        if not self.cycle.more_body or self.flow.read_paused or self._body_since is None:
            self._body_since, self._body_bytes = now, 0
            return False
        elapsed = now - self._body_since
        return elapsed > GRACE_S and self._body_bytes < LEAST_BYTES_PER_S * elapsed


def bound(config: Any) -> None:
    """Let a uvicorn.Config that is not loaded yet use BoundedProtocol and believe no header about who asks."""
    config.http = BoundedProtocol
    config.ws = "none"
    config.proxy_headers = False
    config.server_header = False
    config.timeout_graceful_shutdown = 2
    # Its warnings are about what strangers send, who could fill a disk with them.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
