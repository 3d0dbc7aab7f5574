"""Worker: another process that parses, so that no file can hold up or bring down the program that reads it.

Parsers of markup and of office formats are large, and some input makes them slow, hungry or crash. Here a file that
takes more processor time than TIMEOUT_S or more memory than MEMORY_BYTES costs a ReadError. A process starts at the
first file that needs it, serves one file at a time, and ends with the program. Of several Workers, only as many start
as are busy at once.

Request: a line of JSON (format, or DRAW; size in bytes; most processor time; options), then the content. Reply: a line
of JSON.
"""

from __future__ import annotations

import atexit
import base64
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from index.errors import ReadError
from index.picture import Box, Picture
from index.place import Place
from index.read.draft import Draft, LeftOut

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMEOUT_S = 60.0
"""Most processor time for one file, so that one made to take long does not stop a sync: three thousand pages of a PDF
take nearly as long."""
PATIENCE = 5
"""How many times as long a file may take by the clock: on a computer that has much else to do it waits for a processor,
and is not at fault."""
MEMORY_BYTES = 2 << 30
"""A limit on address space, of which parsers map far more than they use; a file is 32 MiB at most."""

DRAW = "draw"
"""In place of a format: what is asked for is a picture of a page of a PDF."""

_PROFILING: signal.Signals | None = getattr(signal, "SIGPROF", None)
"""The signal that comes when a process has used its time; Windows has none, and there the clock alone is the limit."""
_START = "import sys; sys.path.insert(0, sys.argv[1]); from index.read.worker import serve; serve(int(sys.argv[2]))"


class Worker:
    """The parent's side: sends files, waits so long and no longer. Any thread may call `parse`; they take turns."""

    def __init__(self, *, timeout_s: float = TIMEOUT_S, memory_bytes: int = MEMORY_BYTES) -> None:
        """Starts nothing yet."""
        self.timeout_s = timeout_s
        self.memory_bytes = memory_bytes
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        atexit.register(self.close)

    def parse(
        self, kind: str, content: bytes, options: Mapping[str, str | None] | None = None
    ) -> tuple[Draft | ReadError, ...]:
        """What index.read.formats.parse gives. Raises ReadError as it does, and for too much time or memory."""
        return tuple(map(_item, self._answer(kind, content, options or {})["drafts"]))

    def draw(self, content: bytes, *, words: str, before: str, after: str, page: int | None) -> Picture:
        """What index.read.pdf_page.draw gives. Raises ReadError as it does, and for too much time or memory."""
        options = {"words": words, "before": before, "after": after, "page": page}
        found = self._answer(DRAW, content, options)["picture"]
        boxes = tuple(Box(*one) for one in found["boxes"])
        return Picture(**{**found, "png": base64.b64decode(found["png"]), "boxes": boxes})

    def _answer(self, kind: str, content: bytes, options: Mapping[str, str | int | None]) -> dict[str, Any]:
        with self._lock:
            request = {"kind": kind, "size": len(content), "cpu_s": self.timeout_s, "options": dict(options)}
            reply = self._ask(request, content)
            if reply.get("is_broken"):  # out of memory a library may be half loaded: the next file gets a fresh process
                self.close()
        if "error" in reply:
            raise ReadError(reply["error"])
        return reply

    def stop(self) -> None:
        """End the process from another thread; the file it is at fails with a ReadError."""
        process = self._process
        if process is not None:
            process.kill()

    def close(self) -> None:
        """End the process; the next file starts another."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def _ask(self, request: Mapping[str, Any], content: bytes) -> dict[str, Any]:
        process = self._started()
        is_late = threading.Event()

        def stop() -> None:
            is_late.set()
            process.kill()

        timer = threading.Timer(self.timeout_s * (PATIENCE if _PROFILING is not None else 1), stop)
        timer.daemon = True
        timer.start()
        try:
            assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018 - both are pipes
            process.stdin.write(json.dumps(request).encode() + b"\n" + content)
            process.stdin.flush()
            reply: dict[str, Any] = json.loads(process.stdout.readline())
        except (OSError, ValueError):
            self.close()
            raise ReadError(
                f"reading it took longer than {self.timeout_s:.0f} s; split it, or save it as text"
                if is_late.is_set() or (_PROFILING is not None and process.returncode == -_PROFILING)
                else "reading it broke the parser or took too much memory; split it, or save it as text"
            ) from None
        except BaseException:
            self.close()  # half a reply would be taken for the next one's
            raise
        finally:
            timer.cancel()
        return reply

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            root = Path(__file__).parent.parent.parent
            # -P: nothing in the current folder may pose as a module of ours.
            self._process = subprocess.Popen(  # noqa: S603 - our own words only
                [sys.executable, "-P", "-c", _START, str(root), str(self.memory_bytes)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        return self._process


class Workers:
    """Some workers. Any thread may call `parse`; it waits while all of them are busy."""

    def __init__(self, most: int) -> None:
        """Starts nothing yet."""
        self._all = tuple(Worker() for _ in range(most))
        # Last in, first out: who reads one file at a time needs one process.
        self._idle: queue.LifoQueue[Worker] = queue.LifoQueue()
        for worker in reversed(self._all):
            self._idle.put(worker)

    def parse(
        self, kind: str, content: bytes, options: Mapping[str, str | None] | None = None
    ) -> tuple[Draft | ReadError, ...]:
        """See Worker.parse."""
        worker = self._idle.get()
        try:
            return worker.parse(kind, content, options)
        finally:
            self._idle.put(worker)

    def stop(self) -> None:
        """End the processes; the files they are at fail, the next ones start others."""
        for worker in self._all:
            worker.stop()


def serve(memory_bytes: int) -> None:
    """The child's side: answer requests on standard input until it ends."""
    _limit_memory(memory_bytes)
    requests, replies = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no reply
    from index.read import formats

    while line := requests.readline():
        request = json.loads(line)
        _limit_time(request["cpu_s"])
        reply = _answer(formats, request, requests)
        _limit_time(0.0)
        replies.write(json.dumps(reply).encode() + b"\n")
        replies.flush()


def _answer(formats: Any, request: dict[str, Any], requests: IO[bytes]) -> dict[str, Any]:
    content = requests.read(request["size"])
    try:
        if request["kind"] == DRAW:
            return {"picture": _drawn(content, **request["options"])}
        found = formats.parse(request["kind"], content, **request["options"])
        return {"drafts": [_reply(item) for item in found]}
    except ReadError as error:
        return {"error": str(error)}
    except (MemoryError, ImportError) as error:
        if isinstance(error, ModuleNotFoundError):
            return {"error": f"{error}; reinstall Citewire", "is_broken": True}
        return {"error": "reading it takes too much memory; split it, or save it as text", "is_broken": True}
    except Exception as error:  # noqa: BLE001 - a parser may fail in any way, and the next file waits
        return {"error": f"it cannot be parsed ({type(error).__name__}); save it again, or as text", "is_broken": True}


def _drawn(content: bytes, *, words: str, before: str, after: str, page: int | None) -> dict[str, Any]:
    from index.read import pdf_page

    picture = pdf_page.draw(content, pdf_page.Quote(words, before, after), page)
    boxes = [[box.left, box.top, box.width, box.height] for box in picture.boxes]
    return {**asdict(picture), "png": base64.b64encode(picture.png).decode("ascii"), "boxes": boxes}


def _reply(item: Draft | ReadError) -> dict[str, Any]:
    if isinstance(item, ReadError):
        return {"left_out" if isinstance(item, LeftOut) else "error": str(item)}
    return asdict(item)


def _item(reply: dict[str, Any]) -> Draft | ReadError:
    if "left_out" in reply:
        return LeftOut(reply["left_out"])
    if "error" in reply:
        return ReadError(reply["error"])
    return Draft(**{**reply, "places": tuple(Place(**one) for one in reply["places"])})


def _limit_time(cpu_s: float) -> None:
    """End this process when it has used so much more processor time; 0 for no limit."""
    if _PROFILING is not None:
        signal.signal(_PROFILING, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_PROF, cpu_s)


def _limit_memory(size_bytes: int) -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limit; the time limit holds there
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = size_bytes if hard == resource.RLIM_INFINITY else min(size_bytes, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
