"""Asking: what takes long, run in threads for clients that wait for it, read events as they come, or go away.

The number of those that run and wait is bounded, in all and for each client; who comes beyond that is asked to come
again later. A client that goes away sets `cancel`, which frees the model within about a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.responses import Response

from ui.api.problem import Problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

_Event = TypeVar("_Event")
_Result = TypeVar("_Result")

MOST = 64
"""Questions and checks that run or wait. One at a time is answered, in seconds: the last of them waits minutes."""
RETRY_S = 10
GONE = 499
"""What nginx logs for a client that went away; nobody reads it."""
KEEP_ALIVE_S = 15.0
"""Between two signs of life of a stream in which nothing happens; proxies often end those that are silent for 30 s."""


class Asking:
    """Everybody who waits. To be used in one event loop."""

    def __init__(self, *, most: int = MOST) -> None:
        """`most` may run or wait in all, and for one client all but a quarter of them."""
        self._most = most
        self._most_of_client = max(1, most - most // 4)
        self._waiting: dict[str, int] = {}
        self._cancels: set[threading.Event] = set()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """How many run or wait."""
        return sum(self._waiting.values())

    def stop_all(self) -> bool:
        """Cancel all that runs or waits; whether there was any."""
        with self._lock:
            for cancel in self._cancels:
                cancel.set()
            return bool(self._cancels)

    async def events(self, client: str, job: Callable[[threading.Event], Iterator[_Event]]) -> AsyncIterator[_Event]:
        """What `job` yields in a thread of its own, and what it raises; closing this sets the `cancel` it gets.

        Raises Problem, at the first event, when too many wait.
        """
        cancel = self._begin(client)
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()

        def put(kind: str, value: Any) -> None:
            with contextlib.suppress(RuntimeError):  # the server has stopped
                loop.call_soon_threadsafe(queue.put_nowait, (kind, value))

        def run() -> None:
            try:
                for event in job(cancel):
                    put("event", event)
            except BaseException as error:  # noqa: BLE001 (raised where the events are read)
                put("error", error)
            finally:
                # Here, not where the events are read: a place is free when the thread has ended.
                self._end(client, cancel)
                put("end", None)

        threading.Thread(target=run, name="citewire-api", daemon=True).start()
        try:
            while True:
                kind, value = await queue.get()
                if kind == "event":
                    yield value
                    continue
                if kind == "error":
                    raise value
                return
        finally:
            cancel.set()

    def _begin(self, client: str) -> threading.Event:
        with self._lock:
            of_client = self._waiting.get(client, 0)
            if len(self) >= self._most or of_client >= self._most_of_client:
                detail = f"{len(self)} questions wait already; ask again in {RETRY_S} s"
                raise Problem(HTTPStatus.TOO_MANY_REQUESTS, detail, retry_after_s=RETRY_S)
            self._waiting[client] = of_client + 1
            cancel = threading.Event()
            self._cancels.add(cancel)
            return cancel

    def _end(self, client: str, cancel: threading.Event) -> None:
        with self._lock:
            self._cancels.discard(cancel)
            self._waiting[client] -= 1
            if not self._waiting[client]:
                del self._waiting[client]


async def unless_gone(receive: Callable[[], Awaitable[Any]], result: Awaitable[_Result]) -> _Result | None:
    """The result, or None when the client goes away before; then the result is cancelled."""
    finding = asyncio.ensure_future(result)
    leaving = asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait({finding, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return finding.result() if finding.done() else None
    finally:
        for task in (finding, leaving):
            task.cancel()
        # Waited for, so that what they hold is let go before this returns.
        await asyncio.gather(finding, leaving, return_exceptions=True)


async def _gone(receive: Callable[[], Awaitable[Any]]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class EventStream(Response):
    """A response of server-sent events, as the HTML standard has them. It ends when the client goes away."""

    def __init__(self, lines: AsyncIterator[bytes]) -> None:
        """`lines` are whole events."""
        super().__init__(media_type="text/event-stream")
        self._lines = lines

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Send them."""
        del scope
        headers = [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),  # nginx would collect them
        ]
        await send({"type": "http.response.start", "status": HTTPStatus.OK, "headers": headers})

        async def sent() -> bool:
            step: asyncio.Future[bytes] | None = None
            try:
                while True:
                    step = step or asyncio.ensure_future(anext(self._lines))
                    await asyncio.wait({step}, timeout=KEEP_ALIVE_S)
                    line = b": waiting\n\n"
                    if step.done():
                        try:
                            line, step = step.result(), None
                        except StopAsyncIteration:
                            return True
                    await send({"type": "http.response.body", "body": line, "more_body": True})
            finally:
                if step is not None:
                    step.cancel()
                    await asyncio.gather(step, return_exceptions=True)

        try:
            if await unless_gone(receive, sent()):
                await send({"type": "http.response.body", "body": b""})
        finally:
            close = getattr(self._lines, "aclose", None)
            if close is not None:
                await close()


def event(name: str, data: bytes) -> bytes:
    """A server-sent event; `data` has no line breaks."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), data)
