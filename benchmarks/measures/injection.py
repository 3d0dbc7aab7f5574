"""Injection: run a writer in a process of its own that is killed, or told that the disk is full, at a chosen step.

A step is a system call that changes something in the home. benchmarks/injection.c is compiled and loaded before libc
(LD_PRELOAD), so the calls of Python, SQLite and FAISS are seen alike and the product knows nothing of it. One process
imports everything once and forks for each run: a run costs a few hundredths of a second. Linux only.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import gc
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(__file__).with_suffix(".c")
TOP = SOURCE.parents[2]
FAIL, KILL, TORN, TERM, SHORT, CLOCK = range(6)
"""As in injection.c."""
YEAR_S = 365 * 24 * 3600
RUN_LIMIT_S = 60
"""A run that takes longer hangs: the longest takes under a second."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens at a step: see injection_arm in injection.c for its numbers."""

    name: str
    what: int
    error: int = 0
    until_end: bool = False
    reads: bool = False
    jump_s: int = 0

    @property
    def kills(self) -> bool:
        """Whether the process ends at once, whatever it would do."""
        return self.what in (KILL, TORN)


FAULTS = (
    Fault("SIGKILL", KILL),
    Fault("SIGKILL within a write", TORN),
    Fault("SIGTERM", TERM),
    Fault("ENOSPC from there on", FAIL, errno.ENOSPC, until_end=True),
    Fault("ENOSPC once", FAIL, errno.ENOSPC),
    Fault("EIO once, reads too", FAIL, errno.EIO, reads=True),
    Fault("EACCES from there on", FAIL, errno.EACCES, until_end=True),
    Fault("short write", SHORT),
    Fault("clock a year back", CLOCK, jump_s=-YEAR_S),
    Fault("clock a year on", CLOCK, jump_s=YEAR_S),
)
COUNT = Fault("none", FAIL)
READ_ONLY = Fault("EROFS from the first step on", FAIL, errno.EROFS, until_end=True)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: "done", "error" (with what was said), or "signal 9".

    `acknowledged` is how often the writer had said that something was kept; `steps` are the names of the calls, where
    they were asked for. `is_told` is whether an error is one meant for
    people. `again` says how the same work went in the same process once the fault was over, where it ended in an error.
    """

    ended: str
    acknowledged: int = 0
    injected: bool = False
    error: str = ""
    is_told: bool = True
    steps: tuple[str, ...] = ()
    again: str = ""


class Injector:
    """A process that is ready to fork for each run. Close it after use."""

    def __init__(self) -> None:
        """Compile the library and start the process. Raises FileNotFoundError without a C compiler."""
        compiler = shutil.which("cc")
        if compiler is None:
            raise FileNotFoundError("a C compiler is missing; on Debian: sudo apt-get install gcc libc6-dev")
        self._folder = tempfile.TemporaryDirectory(prefix="citewire-injection-")
        library = Path(self._folder.name) / "injection.so"
        command = [compiler, "-shared", "-fPIC", "-O2", "-Wall", "-o", str(library), str(SOURCE), "-ldl"]
        subprocess.run(command, check=True)  # noqa: S603
        environment = {**os.environ, "LD_PRELOAD": str(library), "PYTHONPATH": str(TOP), "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.measures.injection"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=TOP,
        )  # fmt: skip

    def __enter__(self) -> Self:
        """The injector itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """End the process."""
        self._process.communicate()
        self._folder.cleanup()

    def run(self, writer: str, place: Path, *, fault: Fault = COUNT, at: int = 0, memory_bytes: int = 0) -> Outcome:
        """Let `writer` (benchmarks/measures/writers.py) work on `place`, with `fault` at its step `at`; 0: at none.

        Without a step, the names of all steps are kept. `memory_bytes` limits the address
        space that the process may take beside what it has (ulimit -v).
        """
        request = {"writer": writer, "place": str(place), "fault": asdict(fault), "at": at, "memory": memory_bytes}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError("the injecting process ended; what it said is above")
        found = json.loads(answer)
        return Outcome(**{**found, "steps": tuple(found["steps"])})


def _serve() -> None:
    """Read requests, fork for each, tell how it ended."""
    from benchmarks.measures import writers

    del os.environ["LD_PRELOAD"]  # programs that a writer starts are not watched
    writers.warm_up()
    gc.freeze()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a writer prints is no answer
    for line in sys.stdin:
        answers.write(json.dumps(_forked(writers, json.loads(line))) + "\n")
        answers.flush()


def _forked(writers: Any, request: dict[str, Any]) -> dict[str, Any]:
    heard, said = os.pipe()
    with tempfile.TemporaryFile("w+") as log:
        child = os.fork()
        if child == 0:
            os.close(heard)
            try:
                _act(writers, request, said, log.fileno())
            finally:
                os._exit(0)
        os.close(said)
        with os.fdopen(heard) as pipe:
            lines = [json.loads(line) for line in _whole_lines(pipe.read())]
        _, status = os.waitpid(child, 0)
        log.seek(0)
        steps = log.read().splitlines() if request["at"] == 0 else []
    last = next((line for line in lines if "ended" in line), {"injected": request["at"] > 0})
    ended = last.get("ended") or f"signal {os.WTERMSIG(status)}"
    acknowledged = sum("acknowledged" in line for line in lines)
    return {**last, "ended": ended, "acknowledged": acknowledged, "steps": steps}


def _whole_lines(text: str) -> list[str]:
    """A killed process may have said half a line."""
    return text[: text.rfind("\n") + 1].splitlines()


def _act(writers: Any, request: dict[str, Any], said: int, log: int) -> None:
    """In the forked process: let the writer work, and tell of each acknowledgement and of the end."""
    place, fault, at = Path(request["place"]), Fault(**request["fault"]), request["at"]
    writer = writers.WRITERS[request["writer"]]
    library = ctypes.CDLL(None)

    def say(**what: Any) -> None:
        os.write(said, (json.dumps(what) + "\n").encode())

    def arm(number: int) -> None:
        library.injection_arm(
            str(place / writers.HOME).encode(), ctypes.c_long(number), fault.what, fault.error, int(fault.until_end),
            int(fault.reads), ctypes.c_long(fault.jump_s), log if at == 0 else -1,
        )  # fmt: skip

    def acknowledge() -> None:
        say(acknowledged=True)

    signal.alarm(RUN_LIMIT_S)
    ended: dict[str, Any] = {"ended": "done"}
    opened = contextlib.ExitStack()
    subject = None
    with _limited(request["memory"]):
        arm(at)
        try:
            subject = opened.enter_context(writer.open(place))
            writer.act(subject, place, acknowledge)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told
            ended = {"ended": "error", **_told(error)}
    ended["injected"] = bool(library.injection_done())
    if ended["ended"] == "error" and subject is not None:
        library.injection_disarm()
        try:
            writer.act(subject, place, lambda: None)
            ended["again"] = "done"
        except Exception as error:  # noqa: BLE001 - likewise
            ended["again"] = _told(error)["error"]
    try:
        opened.close()
    except Exception as error:  # noqa: BLE001 - likewise
        ended = {**ended, "ended": "error", **_told(error)}
    library.injection_disarm()
    say(**ended)


def _told(error: Exception) -> dict[str, Any]:
    from index.errors import Error

    is_told = isinstance(error, (Error, OSError))  # the front ends show both
    return {"error": str(error) if is_told else "".join(traceback.format_exception(error)), "is_told": is_told}


@contextlib.contextmanager
def _limited(memory_bytes: int) -> Iterator[None]:
    """Limit what the process may take beside what it has, for as long as the block lasts; 0 is no limit."""
    if memory_bytes:
        import resource

        size_pages = int(Path("/proc/self/statm").read_text().split()[0])
        taken = size_pages * resource.getpagesize()
        before = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (taken + memory_bytes, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_AS, before)
    else:
        yield


if __name__ == "__main__":
    _serve()
