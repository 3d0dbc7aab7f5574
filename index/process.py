"""Process: what belongs to the process that made it and must not be used in one that was forked from it.

A forked process has none of the threads of its parent, but all of its memory: a model waits there for threads that are
not there, and SQLite takes locks for its own that only the parent holds (https://sqlite.org/howtocorrupt.html, 2.6).
Whoever uses such a thing there gets a ForkError instead.
"""

from __future__ import annotations

import ctypes
import os
import weakref
from typing import TYPE_CHECKING

from index.errors import ForkError

if TYPE_CHECKING:
    from pathlib import Path

MEND = "start processes that use Citewire with multiprocessing.get_context('spawn'), or fork before it is used"


class Process:
    """The process in which `holder` was made; with `path`, a database that the holder has open."""

    def __init__(self, holder: object, what: str, *, path: Path | None = None) -> None:
        """`what` names the holder in messages. Raises ForkError for a database that the parent had open."""
        if path is not None:
            check_database(path)
        self.what = what
        self.path = None if path is None else os.path.realpath(path)
        self._holder = weakref.ref(holder)
        self._pid = os.getpid()
        _made.add(self)

    @property
    def is_here(self) -> bool:
        """Whether this is the process that made it."""
        return os.getpid() == self._pid

    def check(self) -> None:
        """Raise ForkError in any other process than the one that made it."""
        if not self.is_here:
            raise ForkError(f"{self.what} belongs to process {self._pid}, from which this one was forked; {MEND}")

    def close(self) -> None:
        """The holder was closed: what is forked later may open its database."""
        _made.discard(self)

    def keep(self) -> None:
        """Keep the holder for as long as the process lives: to close its database would touch the parent's locks."""
        holder = self._holder()
        if holder is not None:
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(holder))


def check_database(path: Path) -> None:
    """Raise ForkError if the process from which this one was forked had the database at `path` open."""
    if os.path.realpath(path) in _inherited:
        raise ForkError(f"{path} was open when this process was forked; {MEND}")


def check_home(home: Path) -> None:
    """Raise ForkError if the process from which this one was forked had a database in `home` open."""
    if _inherited and os.path.realpath(home) in {os.path.dirname(path) for path in _inherited}:  # noqa: PTH120
        raise ForkError(f"{home} was open when this process was forked; {MEND}")


def use_native(what: str) -> None:
    """To be called before compiled code that makes threads: `what`, for messages, is "the embedder" or the like.

    Raises ForkError if such code ran in a process from which this one was forked: it would wait for its threads there.
    """
    global _native_pid
    pid = os.getpid()
    if _native_pid not in (None, pid):
        raise ForkError(f"{what} cannot be used: models ran before this process was forked; {MEND}")
    _native_pid = pid


_made: weakref.WeakSet[Process] = weakref.WeakSet()
_inherited: set[str] = set()
_native_pid: int | None = None


def _after_fork() -> None:
    for process in list(_made):
        if process.path is not None:
            _inherited.add(process.path)
            process.keep()
    _made.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
