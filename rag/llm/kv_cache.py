"""KV cache: the keys and values of passages that a model has read, kept on disk; of turns of conversations, in memory.
Knows no model and no article: names and bytes.

A kept passage is a cache entry and nothing more: whatever is missing, damaged, or written for something else is
read again. Each lies in the folder of the article it is from, which the index deletes with the article.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Self

from index import derived

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from index import Index

_MAGIC = b"citewire-read-1\n"
_DIGEST_BYTES = 16
_ENDING = ".read"
FULLEST = 0.9
"""Share of the limit that is left when the longest unused ones are thrown out, so that this is not done each time."""


class KVCache:
    """Bytes by article and key, at most `limit_bytes` of them; the longest unused go first.

    Safe to use from several threads and processes, and against a kill at any instant: a file gets its name when it is
    whole, and carries its checksum.
    """

    def __init__(self, folder: Callable[[str], Path], top: Path, *, limit_bytes: int) -> None:
        """`folder` names the folder of an article, all of which lie in `top`."""
        self._folder = folder
        self._top = top
        self._limit_bytes = limit_bytes
        self._lock = threading.Lock()
        self._size_bytes: int | None = None

    @classmethod
    def of(cls, index: Index, *, limit_bytes: int) -> Self:
        """That of an index."""
        return cls(index.derived, index.home / derived.FOLDER, limit_bytes=limit_bytes)

    def get(self, article: str, key: str) -> bytes | None:
        """What was put there, or None."""
        path = self._path(article, key)
        try:
            content = path.read_bytes()
            os.utime(path)
        except OSError:
            return None
        head = len(_MAGIC) + _DIGEST_BYTES
        if content[:head] != _MAGIC + _digest(key, memoryview(content)[head:]):
            path.unlink(missing_ok=True)
            return None
        return content[head:]

    def has(self, article: str, key: str) -> bool:
        """Whether something was put there; whether it is whole only `get` can say."""
        return self._path(article, key).exists()

    def put(self, article: str, key: str, content: bytes) -> None:
        """Keep `content`, if there is room. A disk that is full or cannot be written costs nothing but the keeping."""
        if len(content) > FULLEST * self._limit_bytes:
            return
        path = self._path(article, key)
        with contextlib.suppress(OSError):
            for folder in (path.parent.parent, path.parent):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
                try:
                    file.write(_MAGIC + _digest(key, content))
                    file.write(content)
                    file.close()
                    Path(file.name).replace(path)
                except BaseException:
                    Path(file.name).unlink(missing_ok=True)
                    raise
            self._make_room(len(content))

    def size(self) -> tuple[int, int]:
        """Passages kept and their bytes on disk."""
        sizes = [status.st_size for path, status in self._kept() if path.suffix == _ENDING]
        return len(sizes), sum(sizes)

    @property
    def is_full(self) -> bool:
        """Whether to put more would soon throw something out."""
        with self._lock:
            if self._size_bytes is None:
                self._size_bytes = sum(status.st_size for _, status in self._kept())
            return self._size_bytes > FULLEST * self._limit_bytes

    def clear(self) -> None:
        """Throw everything out."""
        for path, _ in list(self._kept()):
            path.unlink(missing_ok=True)
        with self._lock:
            self._size_bytes = None

    def _path(self, article: str, key: str) -> Path:
        return self._folder(article) / f"{key}{_ENDING}"

    def _make_room(self, added_bytes: int) -> None:
        with self._lock:
            if self._size_bytes is not None and self._size_bytes + added_bytes <= self._limit_bytes:
                self._size_bytes += added_bytes
                return
            kept = sorted(self._kept(), key=lambda one: one[1].st_mtime_ns)
            size_bytes = sum(status.st_size for _, status in kept)
            if size_bytes > self._limit_bytes:
                for path, status in kept:
                    if size_bytes <= FULLEST * self._limit_bytes:
                        break
                    path.unlink(missing_ok=True)
                    size_bytes -= status.st_size
            self._size_bytes = size_bytes

    def _kept(self) -> Iterator[tuple[Path, os.stat_result]]:
        """Every file, those half written by a process that was killed among them."""
        for path in self._top.glob("*/*"):
            with contextlib.suppress(OSError):
                yield path, path.stat()


class MemoryKVCache:
    """A KV cache in memory, for what must not outlive the process: at most `limit_bytes`, the longest unused go first.

    One thread may put and get, any may look.
    """

    def __init__(self, *, limit_bytes: int) -> None:
        """Empty."""
        self._limit_bytes = limit_bytes
        self._kept: dict[str, bytes] = {}

    def get(self, _: str, key: str) -> bytes | None:
        """What was put there, or None."""
        content = self._kept.pop(key, None)
        if content is not None:
            self._kept[key] = content
        return content

    def has(self, _: str, key: str) -> bool:
        """Whether something was put there."""
        return key in self._kept

    def put(self, _: str, key: str, content: bytes) -> None:
        """Keep `content`."""
        self._kept[key] = content
        while sum(map(len, self._kept.values())) > self._limit_bytes:
            del self._kept[next(iter(self._kept))]


def _digest(key: str, content: bytes | memoryview) -> bytes:
    return hashlib.blake2b(content, digest_size=_DIGEST_BYTES, key=key.encode()[:64]).digest()
