"""Upload cache: the folder in which files wait between a browser's upload and their copy into the home.

One folder for each process, readable by its owner alone, deleted at exit; what a killed process left is deleted at the
next start. Knows no page and no Gradio, which puts the files there.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import threading
import time
from pathlib import Path

from filelock import FileLock, Timeout

MIB = 1024 * 1024
MOST_BYTES_OF_CLIENT, MOST_BYTES = 256 * MIB, 1024 * MIB
"""What may wait here: of one client, as much as a dozen of the largest files; of all, so that no disk is filled."""
MOST_FILES_OF_CLIENT, MOST_FILES = 400, 2000
"""Twice what one client can add at once; in all, so that they can be counted in no time."""
LONGEST_WAIT_S = 3600.0
"""A file that nobody added by then is deleted. A browser adds it within seconds of its upload."""
_LOCK = "lock"


class UploadCache:
    """The folder, and which client put what there. Safe to use from several threads."""

    def __init__(self, folder: Path) -> None:
        """`folder` is there, and nothing else writes into it."""
        self.folder = folder.resolve()
        self._owners: dict[Path, set[str]] = {}
        self._expected: dict[str, list[int]] = {}
        self._lock = threading.Lock()

    def begin(self, client: str, *, size_bytes: int) -> str | None:
        """Expect an upload of this size; returns why it must wait, or None. `end` follows in the second case only."""
        with self._lock:
            self._sweep()
            held = {path: size for path in self._owners if (size := _size(path)) is not None}
            own = {path: size for path, size in held.items() if client in self._owners[path]}
            coming, coming_of_client = sum(map(sum, self._expected.values())), sum(self._expected.get(client, ()))
            if (
                len(own) >= MOST_FILES_OF_CLIENT
                or sum(own.values()) + coming_of_client + size_bytes > MOST_BYTES_OF_CLIENT
            ):
                return "You have uploaded a lot that is not added yet. Add it first."
            if len(held) >= MOST_FILES or sum(held.values()) + coming + size_bytes > MOST_BYTES:
                return "Too much is being uploaded just now. Try again in a few minutes."
            self._expected.setdefault(client, []).append(size_bytes)
        return None

    def end(self, client: str, *, size_bytes: int, paths: list[str]) -> None:
        """What began is over and has put these files here."""
        with self._lock:
            expected = self._expected.get(client, [])
            with contextlib.suppress(ValueError):
                expected.remove(size_bytes)
            if not expected:
                self._expected.pop(client, None)
            for path in paths:
                real = Path(os.path.realpath(path))
                if real.is_relative_to(self.folder):
                    self._owners.setdefault(real, set()).add(client)

    def has(self, client: str, path: str) -> bool:
        """Whether this client uploaded the file at `path`, and it still waits here."""
        try:
            real = Path(os.path.realpath(path))
            return client in self._owners.get(real, ()) and real.is_relative_to(self.folder) and real.is_file()
        except (OSError, ValueError):
            return False

    def clear(self) -> None:
        """Delete everything that waits here."""
        with self._lock:
            self._owners.clear()
            for entry in self._entries():
                _delete(entry)

    def _sweep(self) -> None:
        """Delete what waited too long, and the parts of uploads that were broken off."""
        ended = time.time() - LONGEST_WAIT_S
        for entry in self._entries():
            with contextlib.suppress(OSError):
                is_part = entry.is_file() and entry.name.startswith("tmp") and not self._expected
                if is_part or entry.stat().st_mtime < ended:
                    _delete(entry)
        for path in [path for path in self._owners if _size(path) is None]:
            del self._owners[path]

    def _entries(self) -> list[Path]:
        try:
            return [entry for entry in self.folder.iterdir() if entry.name != _LOCK]
        except OSError:
            return []


def open_folder() -> Path:
    """Make the folder of this process, which is deleted at exit, and delete those of processes that were killed."""
    parent = _parent()
    for left in parent.iterdir():
        with contextlib.suppress(Timeout, OSError), FileLock(left / _LOCK, timeout=0):
            _delete(left)
    folder = Path(tempfile.mkdtemp(dir=parent, prefix="page-"))  # mkdtemp makes it 0700
    lock = FileLock(folder / _LOCK)
    lock.acquire(timeout=0)
    _OPEN[folder] = lock
    return folder


def delete_folders() -> None:
    """Delete the folders that this process made; a process that it was forked from keeps its own."""
    if os.getpid() != _PROCESS:
        return
    for folder, lock in list(_OPEN.items()):
        _delete(folder)
        with contextlib.suppress(OSError):
            lock.release()
        del _OPEN[folder]


_PROCESS = os.getpid()
_OPEN: dict[Path, FileLock] = {}
"""Folders of this process, each with the lock that says that it lives."""


def _parent() -> Path:
    """A folder for the pages of this user; one of its own where another user took the name."""
    user = os.getuid() if hasattr(os, "getuid") else "user"
    parent = Path(tempfile.gettempdir()) / f"citewire-{user}"
    with contextlib.suppress(OSError):
        parent.mkdir(mode=0o700, exist_ok=True)
        status = parent.lstat()
        is_own = not hasattr(os, "getuid") or (status.st_uid == os.getuid() and not parent.is_symlink())
        if is_own:
            parent.chmod(0o700)
            return parent
    return Path(tempfile.mkdtemp(prefix="citewire-"))


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()
