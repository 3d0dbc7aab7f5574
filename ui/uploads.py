"""Uploads: files of visitors → copies under harmless names in the home. Knows no Gradio and no index.

A copy is written aside, flushed to the disk, and linked to its name: under that name it is whole or not there. The
copies of one upload are a Batch. Unless it is committed, which is after they were indexed, they are deleted again: when
it is cancelled, when the disk is full, and at the next start when the process was killed.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import re
import secrets
import threading
import unicodedata
from collections import Counter
from typing import TYPE_CHECKING, Literal, Self

from filelock import FileLock, Timeout

from index.errors import InputError
from index.read.formats import PARSERS, ending

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TYPES = tuple(PARSERS)
"""Endings of files that can be uploaded: those that index reads."""
MOST_BYTES = 20 * 1024 * 1024
"""Largest file; a long newspaper article is a thousandth of it."""
MOST_FILES = 200
"""Most files at once; more go by way of a folder."""
NAME_CHARS = 80
"""Longest stem a copy keeps."""
NAME_BYTES = 200
"""The same in UTF-8: a file system takes 255 with the ending and a number."""
ASIDE = ".incoming"
"""Folder for incomplete copies. Its name begins with a dot, so no sync reads it."""
NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
"""Errors of a file system without hard links."""


class Uploads:
    """The copies in one folder. Safe to use from several threads, and beside other processes."""

    def __init__(self, folder: Path) -> None:
        """`folder` is made when it is first needed."""
        self.folder = folder
        self._lock = threading.Lock()
        self._uncommitted: Counter[Path] = Counter()

    def batch(self) -> Batch:
        """The copies of one upload, as a context: what is not committed in it is deleted at its end."""
        return Batch(self)

    def sweep(self, *, is_indexed: Callable[[Path], bool]) -> None:
        """Delete what a killed process left: parts of copies, and copies of an upload that was not indexed.

        Batches of processes that run are left alone.
        """
        aside = self.folder / ASIDE
        batches = {left.stem for left in aside.iterdir()} if aside.is_dir() else set()
        for name in sorted(batches):
            with _locked(aside / f"{name}.lock") as is_ours, contextlib.suppress(OSError):
                if is_ours:
                    self._roll_back(aside / f"{name}.names", is_indexed)
                    for left in aside.glob(f"{name}.*"):
                        left.unlink(missing_ok=True)

    def _roll_back(self, names: Path, is_indexed: Callable[[Path], bool]) -> None:
        noted = names.read_text(encoding="utf-8", errors="replace") if names.is_file() else ""
        for name in noted.splitlines():
            copy = self.folder / name
            if copy.parent == self.folder and copy.is_file() and not copy.is_symlink() and not is_indexed(copy):
                copy.unlink(missing_ok=True)

    def _take(self, part: Path, copy: Path, content: bytes) -> Literal["taken", "uncommitted", "there"]:
        """Give what lies aside its name, unless that is taken by other content.

        "there": a committed copy has the same content, and nothing is to be deleted later.
        """
        with self._lock:
            if _link(part, copy):
                self._uncommitted[copy] = 1
                return "uncommitted"
            if not _holds(copy, content):
                return "taken"
            if copy not in self._uncommitted:
                return "there"
            self._uncommitted[copy] += 1
            return "uncommitted"

    def _let_go(self, copy: Path, *, committed: bool) -> None:
        """A batch is done with this copy. It is deleted when no batch committed it or still has it."""
        with self._lock:
            if copy not in self._uncommitted:  # another batch committed it
                return
            if committed:
                del self._uncommitted[copy]
                return
            self._uncommitted[copy] -= 1
            if self._uncommitted[copy] <= 0:
                del self._uncommitted[copy]
                copy.unlink(missing_ok=True)


class Batch:
    """The copies of one upload. Use as a context; `commit` once they are indexed."""

    def __init__(self, uploads: Uploads) -> None:
        """Use `Uploads.batch`."""
        self._uploads = uploads
        self._aside = uploads.folder / ASIDE
        self._name = secrets.token_hex(8)
        self._lock: FileLock | None = None
        self._held: list[Path] = []

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Delete what was not committed, and what lies aside."""
        for copy in self._held:
            with contextlib.suppress(OSError):
                self._uploads._let_go(copy, committed=False)
        self._held = []
        for suffix in (".part", ".names"):
            with contextlib.suppress(OSError):
                (self._aside / f"{self._name}{suffix}").unlink(missing_ok=True)
        if self._lock is not None:
            self._lock.release()
            with contextlib.suppress(OSError):
                (self._aside / f"{self._name}.lock").unlink(missing_ok=True)

    def keep(self, upload: Path) -> Path:
        """Copy a file under a harmless name, and return the copy.

        The same name and content is not copied again; other content gets its own name ("report-2.txt").
        Raises InputError for a type that is not in TYPES and for a file over MOST_BYTES, OSError when it cannot be read
        or written, as on a full disk; then nothing of it is left.
        """
        suffix = ending(upload.name)
        if suffix not in TYPES:
            raise InputError(_unsupported(suffix))
        with upload.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise InputError(f"the file is larger than {MOST_BYTES // 1024**2} MB")
        self._begin()
        part = self._aside / f"{self._name}.part"
        try:
            _write(part, content)
            for copy in self._names(harmless(upload.name[: -len(suffix)]), suffix):
                self._note(copy)
                taken = self._uploads._take(part, copy, content)
                if taken == "taken":
                    continue
                if taken == "uncommitted":
                    self._held.append(copy)
                _flush(self._uploads.folder)
                return copy
        finally:
            part.unlink(missing_ok=True)
        raise AssertionError("unreachable")

    def discard(self, copy: Path) -> None:
        """Delete one copy, unless it was there before this upload or another upload has it too."""
        while copy in self._held:
            self._held.remove(copy)
            self._uploads._let_go(copy, committed=False)

    def commit(self) -> None:
        """Let all copies stay."""
        for copy in self._held:
            self._uploads._let_go(copy, committed=True)
        self._held = []

    def _names(self, stem: str, suffix: str) -> Iterator[Path]:
        yield self._uploads.folder / f"{stem}{suffix}"
        yield from (self._uploads.folder / f"{stem}-{number}{suffix}" for number in itertools.count(2))

    def _begin(self) -> None:
        """Make the folders, and say to other processes that this batch is being worked on."""
        if self._lock is None:
            for folder in (self._uploads.folder, self._aside):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = FileLock(self._aside / f"{self._name}.lock", mode=0o600, thread_local=False)
            lock.acquire()
            self._lock = lock

    def _note(self, copy: Path) -> None:
        """Write down the name before it is taken, so that it can be given back after a kill."""
        if not copy.exists():
            names = self._aside / f"{self._name}.names"
            with os.fdopen(os.open(names, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600), "ab") as file:
                file.write(f"{copy.name}\n".encode())
                file.flush()
                os.fsync(file.fileno())


def keep(upload: Path, *, folder: Path) -> Path:
    """Copy one file into `folder` as `Batch.keep` does, to stay."""
    with Uploads(folder).batch() as batch:
        copy = batch.keep(upload)
        batch.commit()
    return copy


def harmless(stem: str) -> str:
    """`stem` as a plain file name on any system: letters, digits, space, dot, hyphen; never hidden."""
    plain = re.sub(r"[^\w .-]+", "_", unicodedata.normalize("NFC", stem))
    plain = plain.strip(" ._-")[:NAME_CHARS].encode()[:NAME_BYTES].decode("utf-8", "ignore").strip(" ._-")
    if not plain:
        return "article"
    return f"_{plain}" if re.fullmatch(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?", plain) else plain


def _write(part: Path, content: bytes) -> None:
    with os.fdopen(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _link(part: Path, copy: Path) -> bool:
    """Give what lies aside its name, whole; False when the name is taken."""
    try:
        os.link(part, copy)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        try:
            os.close(os.open(copy, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))  # takes the name
        except FileExistsError:
            return False
        part.replace(copy)
    return True


def _holds(copy: Path, content: bytes) -> bool:
    try:
        return copy.is_file() and not copy.is_symlink() and copy.read_bytes() == content
    except FileNotFoundError:  # its upload was cancelled just now
        return False


def _flush(folder: Path) -> None:
    """Bring the names in a folder to the disk, where the system can."""
    with contextlib.suppress(OSError):
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Hold a lock if nobody else does; whether it is held."""
    lock = FileLock(path, mode=0o600, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except (Timeout, OSError):
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def _unsupported(suffix: str) -> str:
    kinds = ", ".join(ending[1:] for ending in TYPES)
    return f"{suffix} files aren't supported; use {kinds}" if suffix else f"its name has no ending; use {kinds}"
