"""Model server: another program that runs a model and speaks OpenAI's API over HTTP (llama-server, vLLM, Ollama, …).

The only file that imports httpx, which loads with the first request. Knows no prompts and no vectors: rag/llm/remote.py
and index/remote_embedder.py do. Nothing that a server sends is trusted: what it may send is bounded in bytes and in
time, no redirect is followed, and no cookie, proxy or password of the environment is used.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import threading
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import asynccontextmanager
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

from index import home
from index.errors import InputError, ModelError
from index.model_address import MOST_SHOWN_CHARS, printable
from index.process import Process
from index.release import __version__

CONNECT_S = 10.0
"""Longest wait for a connection."""
TOTAL_S = 300.0
"""Longest time for one request, however busily the server sends. To read a prompt takes a slow machine minutes."""
SILENT_S = 60.0
"""Longest silence of a server that has begun to answer."""
TRIES = 3
"""How often a request is made that may succeed a moment later."""
RETRY_S = 0.5
"""Before the second try, unless the server says how long; twice as long before the third."""
MOST_RETRY_S = 30.0
"""The longest Retry-After that is waited for; a server that asks for more is named in an error."""
POLL_S = 0.1
"""How often a waiting caller looks at its cancel event."""
MOST_LINE_BYTES = 1 << 20
"""Of one event of a stream. A token with twenty alternatives takes 3 kB."""
MOST_JSON_BYTES = 4 << 20
"""Of an answer that says nothing else about its size."""
MOST_ERROR_BYTES = 16 << 10
"""Of an answer that is an error: a sentence of it is shown."""

NOT_TAKEN = frozenset((400, 413, 422))
"""Answers to what the server cannot take: a parameter, or more text than its model reads."""
_PASSING = frozenset((408, 425, 429, 500, 502, 503, 504))
"""Answers that may be another one a moment later (RFC 9110, RFC 6585). llama-server answers 503 while it loads."""

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping

    from index.model_address import Address

_T = TypeVar("_T")


class ServerError(ModelError):
    """A model server that cannot be reached, or does not answer as it should. `status` is that of its answer, or 0."""

    def __init__(self, message: str, status: int = 0) -> None:
        """`message` says what, where and what mends it."""
        super().__init__(message)
        self.status = status


class _PassingError(ServerError):
    """What may be over in a moment; `after_s` is how long the server asks to wait, if it says."""

    after_s: float | None = None


class ModelServer:
    """One model server. Any thread may ask; several requests run at once, on a thread of its own. Nothing is sent, and
    no thread begins, before the first request."""

    def __init__(
        self, address: Address, *, key_variable: str, flag: str, total_s: float = TOTAL_S, retry_s: float = RETRY_S
    ) -> None:
        """The key is read from the environment variable `key_variable`; `flag` is the option that names the server, for
        messages. Raises InputError for a key that cannot be sent, and for another machine under CITEWIRE_OFFLINE."""
        key = os.environ.get(key_variable, "").strip()
        if not key.isascii() or not key.isprintable() or " " in key:
            raise InputError(f"{key_variable} holds characters that no key has; set it to the key alone")
        if home.is_offline() and not address.is_here:
            raise InputError(
                f"{address.host} is another machine, and CITEWIRE_OFFLINE says not to touch the network; unset it, or "
                f"name a model of this machine: {flag} NAME"
            )
        self.address = address
        self._key, self._key_variable, self._flag = key, key_variable, flag
        self._total_s, self._retry_s = total_s, retry_s
        self._process = Process(self, f"the model server {address.host}")
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client: Any = None
        self._closed = False

    def ask(
        self,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        cancel: threading.Event | None = None,
        most_bytes: int = MOST_JSON_BYTES,
        tries: int = TRIES,
        total_s: float | None = None,
    ) -> dict[str, Any] | None:
        """The JSON object that the server answers to a POST of `body`, or a GET where there is none; None as soon as
        `cancel` is set. `path` is below the API's address, or below the server's if it begins with "/".

        Raises ServerError, ForkError in a forked process.
        """
        seconds = min(self._total_s, total_s or self._total_s)
        future = self._start(self._object(path, body, most_bytes, tries, seconds))
        try:
            while cancel is None or not cancel.is_set():
                try:
                    return future.result(POLL_S)
                except FutureTimeout:
                    continue
            return None
        except CancelledError:
            raise ServerError(f"{self.address.host}: the connection was closed; ask again") from None
        finally:
            future.cancel()

    def events(
        self, path: str, body: Mapping[str, Any], *, cancel: threading.Event, most_bytes: int
    ) -> Iterator[dict[str, Any]]:
        """The JSON objects of the server-sent events that the server answers with, each as soon as it comes; it ends
        soon after `cancel` is set, which closes the connection, as closing the iterator does.

        Raises as `ask`; also where the server breaks off before its "[DONE]" and before a finish_reason.
        """
        queue: SimpleQueue[dict[str, Any] | None] = SimpleQueue()
        future = self._start(self._pump(path, body, most_bytes, queue.put))
        future.add_done_callback(lambda _: queue.put(None))
        try:
            while not cancel.is_set():
                try:
                    event = queue.get(timeout=POLL_S)
                except Empty:
                    continue
                if event is None:
                    future.result()
                    return
                yield event
        except CancelledError:
            raise ServerError(f"{self.address.host}: the connection was closed; ask again") from None
        finally:
            future.cancel()

    def models(self, *, total_s: float | None = None) -> list[dict[str, Any]]:
        """What the server says of its models, each with its "id"; none where it does not list them."""
        try:
            listed = (self.ask("models", total_s=total_s) or {}).get("data")
        except ServerError as error:
            if error.status in (404, 405, 501):
                return []
            raise
        rows = listed if isinstance(listed, list) else []
        return [row for row in rows if isinstance(row, dict) and isinstance(row.get("id"), str)]

    def model(self, *, total_s: float | None = None) -> dict[str, Any]:
        """What the server says of the model that the address names, at least its "id". Raises ServerError when the
        address names none and the server has not just one."""
        rows = self.models(total_s=total_s)
        if self.address.model:
            found = [row for row in rows if row["id"] == self.address.model]
            return found[0] if found else {"id": self.address.model}
        if len(rows) != 1:
            names = ", ".join(printable(self._shown(row["id"]), 40) for row in rows[:12]) or "none"
            raise ServerError(
                f"{self.address.host} lists these models: {names}; say which one: {self._flag} {self.address.base}#NAME"
            )
        return rows[0]

    def close(self) -> None:
        """End what runs, and the thread. Closing twice is fine; a forked process does nothing."""
        if not self._process.is_here:
            return
        with self._lock:
            loop, self._loop, self._closed = self._loop, None, True
        if loop is not None:
            asyncio.run_coroutine_threadsafe(_stop(self._client), loop)

    def _start(self, job: Coroutine[Any, Any, _T]) -> Future[_T]:
        """Run `job` on the server's thread."""
        try:
            self._process.check()
            with self._lock:
                if self._closed:
                    raise ServerError(f"{self.address.host}: the connection was closed; ask again")
                if self._loop is None:
                    self._client = _client(self._key)
                    self._loop = asyncio.new_event_loop()
                    name = f"model server {self.address.host}"
                    threading.Thread(target=_run, args=(self._loop,), name=name, daemon=True).start()
                return asyncio.run_coroutine_threadsafe(job, self._loop)
        except BaseException:
            job.close()
            raise

    async def _object(
        self, path: str, body: Mapping[str, Any] | None, most_bytes: int, tries: int, total_s: float
    ) -> dict[str, Any]:
        async def once() -> dict[str, Any]:
            async with self._answer(path, body, "json") as response:
                content = await self._content(response, most_bytes)
            return self._parsed(content)

        return await self._tried(once, tries, total_s)

    async def _pump(
        self, path: str, body: Mapping[str, Any], most_bytes: int, put: Callable[[dict[str, Any]], None]
    ) -> None:
        begun = False

        async def once() -> None:
            nonlocal begun
            is_whole = False
            async with self._answer(path, body, "text/event-stream") as response:
                async for line in self._lines(response, most_bytes):
                    if line.startswith(b"error:"):  # llama-server's
                        raise self._refused(200, line[len(b"error:") :])
                    if not line.startswith(b"data:"):
                        continue
                    data = line[len(b"data:") :].strip()
                    if data == b"[DONE]":
                        return
                    event = self._parsed(data)
                    if event.get("error") is not None:
                        raise self._refused(200, data)
                    is_whole = is_whole or _is_finished(event)
                    begun = True
                    put(event)
            if not is_whole:
                raise self._broken("broke off")

        await self._tried(once, TRIES, self._total_s, may_repeat=lambda: not begun)

    async def _tried(
        self,
        once: Callable[[], Coroutine[Any, Any, _T]],
        tries: int,
        total_s: float,
        may_repeat: Callable[[], bool] = lambda: True,
    ) -> _T:
        """What `once` gives, tried again while it fails with what may pass and nothing of an answer has come."""
        try:
            async with asyncio.timeout(total_s):
                for attempt in range(1, tries + 1):
                    try:
                        return await once()
                    except _PassingError as error:
                        wait_s = self._retry_s * 2 ** (attempt - 1) if error.after_s is None else error.after_s
                        if wait_s > MOST_RETRY_S:
                            raise ServerError(f"{error} It asks to wait for {wait_s:.0f} s.", error.status) from error
                        if attempt == tries or not may_repeat():
                            raise
                        await asyncio.sleep(wait_s)
        except TimeoutError:
            raise self._broken(f"did not finish within {total_s:.0f} s") from None
        raise AssertionError("the last try returns or raises")

    @asynccontextmanager
    async def _answer(self, path: str, body: Mapping[str, Any] | None, media_type: str) -> AsyncIterator[Any]:
        """The head of the server's answer, which is a success of the right type. Raises ServerError."""
        import httpx

        url = f"{self.address.root}{path}" if path.startswith("/") else f"{self.address.base}/{path}"
        try:
            async with self._client.stream("GET" if body is None else "POST", url, json=body) as response:
                status = response.status_code
                if 300 <= status < 400:
                    # Not by urlsplit, which raises ValueError for some that are broken.
                    to = self._shown(response.headers.get("location", "").partition("//")[2].partition("/")[0])
                    to = to or "another path"
                    raise ServerError(
                        f"{self.address.host} redirects to {to}, which is not followed: what was meant for one server "
                        f"goes to no other; give the address itself: {self._flag} http://host:port/v1#model",
                        status,
                    )
                if status != 200:
                    content = await self._content(response, MOST_ERROR_BYTES, cut=True)
                    raise self._refused(status, content, response.headers.get("retry-after", ""))
                if response.headers.get("content-encoding", "identity").lower() not in ("", "identity"):
                    raise self._broken("answered with compressed data, which was not asked for")
                found = response.headers.get("content-type", "").partition(";")[0].strip().lower()
                if media_type not in found:
                    content = await self._content(response, MOST_ERROR_BYTES, cut=True)
                    if b'"error"' in content:
                        raise self._refused(status, content)
                    raise self._broken(f"answered with {self._shown(found) or 'nothing'} in place of {media_type}")
                yield response
        except httpx.ConnectError as error:
            raise self._passing(f"cannot be reached ({printable(str(error)) or 'no connection'})") from error
        except httpx.TimeoutException as error:
            raise self._broken("does not answer") from error
        except httpx.TransportError as error:
            raise self._passing(f"broke off ({printable(str(error)) or type(error).__name__})") from error
        except (httpx.InvalidURL, UnicodeError) as error:
            raise self._broken(f"is no address ({printable(str(error))})") from error

    async def _content(self, response: Any, most_bytes: int, *, cut: bool = False) -> bytes:
        """The body, which is refused, or `cut`, when it has more than `most_bytes`."""
        content = bytearray()
        async for chunk in response.aiter_raw():
            content += chunk
            if len(content) > most_bytes:
                if cut:
                    break
                raise self._broken(f"sends more than {most_bytes:,} bytes")
        return bytes(content[:most_bytes])

    async def _lines(self, response: Any, most_bytes: int) -> AsyncIterator[bytes]:
        """The lines of a stream; refused are one that is too long, and a stream that has more than `most_bytes`."""
        rest, total = bytearray(), 0
        chunks = response.aiter_raw()
        while True:
            try:
                chunk = await asyncio.wait_for(anext(chunks), SILENT_S if total else self._total_s)
            except StopAsyncIteration:
                break
            except TimeoutError:
                raise self._broken(f"has been silent for {SILENT_S:.0f} s") from None
            total += len(chunk)
            *ends, begun = chunk.split(b"\n")
            for end in ends:
                yield bytes(rest) + end
                rest.clear()
            rest += begun
            if total > most_bytes or len(rest) > MOST_LINE_BYTES:
                raise self._broken("sends more than an answer can have")
        if rest:
            yield bytes(rest)

    def _parsed(self, content: bytes) -> dict[str, Any]:
        try:
            found = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise self._broken("answered with what is not JSON") from error
        if not isinstance(found, dict):
            raise self._broken("answered with JSON that is no object")
        return found

    def _refused(self, status: int, content: bytes, retry_after: str = "") -> ServerError:
        """The error for an answer that is none."""
        host = self.address.host
        if status in (401, 403):
            given = "refuses the key" if self._key else "wants a key"
            return ServerError(f"{host} {given} ({status}); set {self._key_variable}", status)
        words = self._shown(_message(content))
        problem = f"{host} answered {status}{f': {words}' if words else ''}"
        if status in _PASSING:
            error = _PassingError(f"{problem}; {self._mend}", status)
            if retry_after.strip().isdecimal() and len(retry_after.strip()) < 9:
                error.after_s = float(retry_after)
            return error
        if status == 404:
            return ServerError(f"{problem}; check the address and the name: {self._flag} {self.address.base}#NAME", 404)
        if status in NOT_TAKEN:
            return ServerError(f"{problem}; check the name: {self._flag} {self.address.base}#NAME", status)
        return ServerError(f"{problem}; {self._mend}", status)

    def _shown(self, text: str) -> str:
        """What the server says, for a message, without the key, which some repeat."""
        return printable(text.replace(self._key, "…") if self._key else text)

    def _broken(self, problem: str) -> ServerError:
        return ServerError(f"{self.address.host} {problem}; {self._mend}")

    def _passing(self, problem: str) -> ServerError:
        return _PassingError(f"{self.address.host} {problem}; {self._mend}")

    @property
    def _mend(self) -> str:
        return f"look whether the model server at {self.address.base} runs, then ask again"


def _client(key: str) -> Any:
    """The HTTP client. It takes nothing from the environment but SSL_CERT_FILE and SSL_CERT_DIR, for servers with a
    certificate of one's own."""
    import certifi
    import httpx

    trusted = ssl.create_default_context()
    trusted.load_verify_locations(certifi.where())
    headers = {"User-Agent": f"citewire/{__version__}", "Accept-Encoding": "identity"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    return httpx.AsyncClient(
        headers=headers,
        follow_redirects=False,
        trust_env=False,
        verify=trusted,
        timeout=httpx.Timeout(None, connect=CONNECT_S),  # asyncio has the others
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=8),
    )


def _run(loop: asyncio.AbstractEventLoop) -> None:
    loop.run_forever()
    loop.close()


async def _stop(client: Any) -> None:
    """End all that runs on this loop, close the connections, and stop the loop."""
    loop = asyncio.get_running_loop()
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await client.aclose()
    loop.call_soon(loop.stop)


def _is_finished(event: Mapping[str, Any]) -> bool:
    choices = event.get("choices")
    return isinstance(choices, list) and any(isinstance(one, dict) and one.get("finish_reason") for one in choices)


def _message(content: bytes) -> str:
    """What an answer says went wrong: the message in its JSON, else its first words; "" for a page of HTML."""
    text = content.decode("utf-8", "replace")
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError):
        return "" if "<" in text[:MOST_SHOWN_CHARS] else text
    for name in ("error", "message", "detail"):
        if isinstance(found, dict) and name in found:
            found = found[name]
    return found if isinstance(found, str) else ""
