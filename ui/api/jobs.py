"""Jobs: syncs and uploads that clients start and look at later. One runs at a time; all are forgotten at the end."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Literal

from index.run import Cancelled, Progress, SyncReport
from ui.api.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    Task = Callable[[Progress, threading.Event], SyncReport]

State = Literal["waiting", "running", "done", "failed", "cancelled"]
MOST_WAITING = 16
MOST_KEPT = 100
"""Finished jobs that can still be looked at."""
RETRY_S = 30


@dataclass(slots=True)
class Job:
    """What a client started, how far it is, and what became of it."""

    id: str
    kind: str
    created: str
    state: State = "waiting"
    finished: str | None = None
    stage: str = ""
    done: int = 0
    total: int = 0
    report: SyncReport | None = None
    error: str | None = None
    cancel: threading.Event = field(default_factory=threading.Event, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready mapping."""
        return {
            "id": self.id,
            "kind": self.kind,
            "state": self.state,
            "created": self.created,
            "finished": self.finished,
            "progress": {"stage": self.stage, "done": self.done, "total": self.total},
            "report": None if self.report is None else self.report.to_dict(),
            "error": self.error,
        }


class Jobs:
    """Safe to use from several threads."""

    def __init__(self) -> None:
        """The thread that runs them starts with the first one."""
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._queue: SimpleQueue[tuple[Job, Task]] = SimpleQueue()
        self._lock = threading.Lock()
        self._worker: threading.Thread | None = None

    def start(self, kind: str, task: Task) -> Job:
        """Run `task` after those before it, also when it is cancelled before: it lets go of what it holds.

        Raises Problem when too many wait.
        """
        with self._lock:
            if sum(job.state == "waiting" for job in self._jobs.values()) >= MOST_WAITING:
                detail = f"{MOST_WAITING} jobs wait already; start another when they are done"
                raise Problem(HTTPStatus.TOO_MANY_REQUESTS, detail, retry_after_s=RETRY_S)
            job = Job(secrets.token_hex(8), kind, _now())
            self._jobs[job.id] = job
            finished = [one.id for one in self._jobs.values() if one.finished]
            for old in finished[: max(0, len(finished) - MOST_KEPT)]:
                del self._jobs[old]
            if self._worker is None:
                self._worker = threading.Thread(target=self._run, name="citewire-jobs", daemon=True)
                self._worker.start()
        self._queue.put((job, task))
        return job

    def all(self) -> list[Job]:
        """Every job that is known, the newest first."""
        with self._lock:
            return list(reversed(self._jobs.values()))

    def find(self, job_id: str) -> Job:
        """Raises Problem for an unknown one."""
        job = self._jobs.get(job_id)
        if job is None:
            raise Problem(HTTPStatus.NOT_FOUND, "There is no such job; a server forgets them when it stops")
        return job

    def counts(self) -> dict[State, int]:
        """How many jobs are in each state."""
        with self._lock:
            states: tuple[State, ...] = ("waiting", "running", "done", "failed", "cancelled")
            return {state: sum(job.state == state for job in self._jobs.values()) for state in states}

    def stop_all(self) -> bool:
        """Cancel those that run or wait; whether there was any."""
        active = [job for job in self.all() if not job.finished]
        for job in active:
            job.cancel.set()
        return bool(active)

    def _run(self) -> None:
        while True:
            job, task = self._queue.get()
            job.state = "running"

            def report(stage: str, done: int, total: int, job: Job = job) -> None:
                job.stage, job.done, job.total = stage, done, total

            state: State = "done"
            try:
                job.report = task(report, job.cancel)
            except Cancelled as error:
                state, job.error = "cancelled", str(error)
            except BaseException as error:  # noqa: BLE001 (kept for whoever looks at the job)
                state, job.error = "failed", Problem.of(error).detail
            job.finished, job.state = _now(), state
            del task  # which has the article or file; nothing else may come for hours


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
