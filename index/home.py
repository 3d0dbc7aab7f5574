"""The home: the folder that holds one collection's index, for its owner alone.

Knows what its files are called, and nothing of what stands in them.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_data_path

if TYPE_CHECKING:
    from collections.abc import Iterator

DATABASE = "index.sqlite"
"""The file of the index."""
OURS = (
    f"{DATABASE}*", "conversations.sqlite*", "vectors-*.faiss*", "database.id", "write.lock", "page-token",
    "browsers.key", ".page-token-*", ".browsers.key-*", "uploads", "derived", "rebuild", ".restore*", "restore*",
    "shard.json*",
)  # fmt: skip
"""What may lie in a home. Other files there are the user's, and their modes are left alone."""
SECRETS = ("page-token", "browsers.key")
"""Files that are no secret any more once others could read them: whoever made them makes new ones instead."""


def default_home() -> Path:
    """CITEWIRE_HOME, else the folder "citewire" among the user's application data. It need not exist yet."""
    chosen = os.environ.get("CITEWIRE_HOME")
    return Path(chosen).expanduser().absolute() if chosen else user_data_path("citewire", appauthor=False)


def resolve(home: str | Path | None) -> Path:
    """`home` as an absolute path; None is the default home."""
    return default_home() if home is None else Path(home).expanduser().absolute()


def is_offline() -> bool:
    """Whether CITEWIRE_OFFLINE forbids to touch the network."""
    return os.environ.get("CITEWIRE_OFFLINE", "0") not in ("", "0")


def make(home: Path) -> None:
    """Make the folder, which only its owner can look into, or close one that others can. Raises OSError."""
    if not home.is_dir():
        home.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            home.mkdir(mode=0o700)
        if not home.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "it is a file", str(home))
    tighten(home)


def tighten(home: Path) -> None:
    """Take from everybody but the owner what they may do with the files of a home, whatever the umask was.

    A folder that holds other things as well is not closed, only our files in it. What cannot be changed, in a home that
    is read-only or somebody else's, stays as it is; see `loose`.
    """
    for path in loose(home):
        if path.name in SECRETS:
            continue
        with contextlib.suppress(OSError):
            path.chmod(stat.S_IMODE(path.lstat().st_mode) & 0o700)


def loose(home: Path) -> list[Path]:
    """What belongs to the home and can be read or changed by others than its owner; never a link."""
    if os.name != "posix":
        return []
    with contextlib.suppress(OSError):
        return [path for path in _ours(home) if _is_loose(path)]
    return []


def opener(path: str, flags: int) -> int:
    """For open(): a new file is its owner's alone."""
    return os.open(path, flags, 0o600)


def _ours(home: Path) -> Iterator[Path]:
    entries = list(home.iterdir())
    ours = [entry for entry in entries if any(entry.match(pattern) for pattern in OURS)]
    if len(ours) == len(entries):
        yield home
    for entry in ours:
        yield entry
        if entry.is_dir() and not entry.is_symlink():
            for folder, folders, files in os.walk(entry):
                yield from (Path(folder, name) for name in (*folders, *files))


def _is_loose(path: Path) -> bool:
    try:
        found = path.lstat()
    except OSError:
        return False
    return not stat.S_ISLNK(found.st_mode) and bool(found.st_mode & 0o077)
