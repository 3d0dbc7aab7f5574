"""Lock: one writer at a time in a home, in this process and any other: sync, add, remove, rebuild, repair, restore.

A rebuild or a restore that was killed is finished by the next that gets the lock.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from index import replace, restore
from index.errors import StoreError
from index.process import check_home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from index.run import Interrupt

NAME = "write.lock"
TICK_S = 0.2
"""How often a writer that waits says so, and notices that it was cancelled."""


@contextlib.contextmanager
def write_lock(home: Path, interrupt: Interrupt | None = None) -> Iterator[None]:
    """Hold the home's lock for the block, however long another writer takes; it goes with the process that held it.

    A restore that was killed is finished first: what is written before that would be replaced by it.
    Raises Cancelled, StoreError for a home that cannot be written, and ForkError if it was open when the process was
    forked.
    """
    check_home(home)
    lock = FileLock(home / NAME, mode=0o600)
    while True:
        try:
            lock.acquire(timeout=TICK_S)
            break
        except Timeout:
            if interrupt is not None:
                interrupt.tick("wait", 0, 1)
        except OSError as error:
            raise StoreError(
                f"{home} cannot be written ({error.strerror or error}); what is in it can be searched and read. "
                f"See who may write it with: ls -ld {home}"
            ) from error
    try:
        restore.finish(home)
        yield
    finally:
        lock.release()


def finish_restore(home: Path) -> None:
    """Finish a restore that was killed, if there is one; wait for one that is running."""
    if restore.is_ready(home):
        with write_lock(home):
            pass  # which finished it


def finish_replacement(path: Path) -> None:
    """Finish a replacement of the database `path` that was killed, if there is one. Raises StoreError if it cannot."""
    if replace.is_unfinished(path):
        with write_lock(path.parent):
            try:
                replace.finish(path)
            except OSError as error:
                raise StoreError(f"{path} is not replaced completely ({error}); open the home again") from error
