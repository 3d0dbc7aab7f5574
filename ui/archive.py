"""Archive: the file that a backup is, a ZIP of plain files with a manifest of their sizes and SHA-256.

Written aside and put in place whole, with mode 0600. Reading trusts nothing: an archive whose directory, names, sizes
or manifest are not what `Writer` writes is refused before a member is opened, and no member can be longer than its
manifest says. Knows no databases and no home.

    index.sqlite, conversations.sqlite   the databases
    uploads/report.txt                   files that were handed in
    manifest.json                        the last member: the format, what was kept, every other member
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import stat
import struct
import time
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from index.database import sync_folder
from index.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

FORMAT = 1
"""Version of the archive format, in the manifest. A reader refuses a newer one."""
MANIFEST = "manifest.json"
UPLOADS = "uploads/"

PIECE_BYTES = 1024 * 1024
COMPRESSION_LEVEL = 1
"""Half of a database is vectors, which do not compress; the fastest level shrinks the text to a third."""
OLDEST = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a ZIP can hold: a computer without a clock of its own starts in 1970."""
MOST_RATIO = 1040
"""Deflate cannot compress to less than 1/1032; a member that claims more is a bomb."""
MOST_DIRECTORY_BYTES = 64 * 1024 * 1024
MOST_MANIFEST_BYTES = 64 * 1024 * 1024
"""Room for 300,000 uploads; both are held in memory while an archive is read."""
END_BYTES, END64_BYTES = 22, 56 + 20
"""Length of a ZIP's end record, and of the two records before it in a large one."""

_UNREADABLE = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError, OverflowError, MemoryError,
)  # fmt: skip
"""What zipfile raises for a damaged or malicious file."""


class DamagedError(InputError):
    """An archive that is not a backup, is incomplete, or does not match its manifest."""


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive."""

    name: str
    size_bytes: int
    sha256: str

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready mapping."""
        return {"name": self.name, "size_bytes": self.size_bytes, "sha256": self.sha256}


@dataclass(frozen=True, slots=True)
class Manifest:
    """The list of an archive's members. `about` is what its writer recorded."""

    about: Mapping[str, Any]
    members: tuple[Member, ...]

    @property
    def size_bytes(self) -> int:
        """The size of all members, unpacked."""
        return sum(member.size_bytes for member in self.members)

    def member(self, name: str) -> Member | None:
        """The member of this name, or None."""
        return next((member for member in self.members if member.name == name), None)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready mapping."""
        return {"format": FORMAT, **self.about, "members": [member.to_dict() for member in self.members]}


class Writer:
    """An archive that is being written; open it with `writing`."""

    def __init__(self, file: IO[bytes]) -> None:
        """`file` is empty and open for writing."""
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=COMPRESSION_LEVEL)
        self._members: list[Member] = []

    def add(self, name: str, source: IO[bytes], *, progress: Callable[[int], None] | None = None) -> None:
        """Add what `source` gives, to its end. `progress` is told the bytes of each piece. `name` must be plain."""
        assert is_plain(name), name  # noqa: S101 - callers ask before
        digest, size_bytes = hashlib.sha256(), 0
        info = _info(name)
        with self._zip.open(info, "w", force_zip64=True) as target:
            while piece := source.read(PIECE_BYTES):
                target.write(piece)
                digest.update(piece)
                size_bytes += len(piece)
                if progress is not None:
                    progress(len(piece))
        self._members.append(Member(name, size_bytes, digest.hexdigest()))

    def finish(self, about: Mapping[str, Any]) -> Manifest:
        """Write the manifest; nothing can be added after it."""
        manifest = Manifest(about, tuple(self._members))
        self._zip.writestr(_info(MANIFEST), json.dumps(manifest.to_dict(), indent=1) + "\n")
        self._zip.close()
        return manifest

    def forget(self) -> None:
        """Close nothing: the file belongs to its owner, and an unfinished archive stays as it is."""
        self._zip.fp = None  # or else zipfile would write to it again


@contextlib.contextmanager
def writing(path: Path, *, replace: bool = False) -> Iterator[tuple[Writer, Path]]:
    """A writer for the archive `path`, and an empty folder beside it for what must lie on the disk meanwhile.

    The archive stands at `path` when the block ends well, with its bytes on the disk, and not before; if it fails, an
    older one stays. A killed run leaves the folder ".NAME.part", which the next one empties.
    Raises InputError if there is something at `path` already, unless `replace`, or if a run for `path` is going on.
    """
    path = path.resolve()
    _require_free(path, replace=replace)
    part = path.with_name(f".{path.name}.part")
    with _alone(part, path):
        written = part / "archive"
        with open(written, "xb", opener=_private) as file:
            staging = part / "staging"
            staging.mkdir(mode=0o700)
            writer = Writer(file)
            try:
                yield writer, staging
            finally:
                writer.forget()
            file.flush()
            os.fsync(file.fileno())
        _require_free(path, replace=replace)
        written.replace(path)
        sync_folder(path.parent)


class Reader:
    """An archive whose directory and manifest were checked; open it with `reading`."""

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        """Check everything but the members' bytes. Raises DamagedError."""
        self.path = path
        with self._explained():
            _check_end(file)
            self._zip = zipfile.ZipFile(file)
            infos = self._zip.infolist()
            self._infos = {info.filename: info for info in infos}
            _check_directory(infos, self._zip.start_dir)
            self.manifest = _manifest(self._zip.read(MANIFEST))
            _check_members(self.manifest, self._infos)

    def extract(self, member: Member, target: Path, *, progress: Callable[[int], None] | None = None) -> None:
        """Write a member to `target`, which must not exist, and put it on the disk. Raises DamagedError."""
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            with open(target, "xb", opener=_private) as file:
                self._copy(member, file, progress)
                file.flush()
                os.fsync(file.fileno())
        except FileExistsError as error:
            raise DamagedError(f"{self.path}: {member.name!r} is the same file as another on this disk") from error

    def check(self, member: Member, *, progress: Callable[[int], None] | None = None) -> None:
        """Read a member and compare it with the manifest. Raises DamagedError."""
        self._copy(member, None, progress)

    def _copy(self, member: Member, target: IO[bytes] | None, progress: Callable[[int], None] | None) -> None:
        digest, size_bytes = hashlib.sha256(), 0
        with self._explained(), self._zip.open(self._infos[member.name]) as source:
            while piece := source.read(PIECE_BYTES):
                size_bytes += len(piece)
                if size_bytes > member.size_bytes:
                    break
                digest.update(piece)
                if target is not None:
                    target.write(piece)
                if progress is not None:
                    progress(len(piece))
        if size_bytes != member.size_bytes or digest.hexdigest() != member.sha256:
            raise DamagedError(f"{self.path} is damaged: {member.name!r} does not match the manifest")

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except DamagedError as error:
            raise DamagedError(f"{self.path}: {error}") from error
        except _UNREADABLE as error:
            raise DamagedError(f"{self.path} is damaged, or not a backup of Citewire: {error}") from error
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            # A place before the beginning of the file.
            raise DamagedError(f"{self.path} is damaged, or not a backup of Citewire") from error


@contextlib.contextmanager
def reading(path: Path) -> Iterator[Reader]:
    """The archive at `path`. Raises DamagedError, InputError when there is no file."""
    try:
        # A pipe would block for ever, a device may hang or act when it is opened.
        if not stat.S_ISREG(path.stat().st_mode):
            raise InputError(f"{path} is not a file")
        file = path.open("rb")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    with file:
        yield Reader(path, file)


def is_plain(name: str) -> bool:
    """Whether a member may have this name: that of a database, or a path below uploads/ valid on any system."""
    if re.fullmatch(r"[a-z]+\.sqlite(-wal)?", name):
        return True
    return name.startswith(UPLOADS) and all(map(_is_plain_part, name.split("/")))


def _is_plain_part(part: str) -> bool:
    return part.strip(". ") == part != "" and part.isprintable() and not set(part) & set('\\/:*?"<>|')


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, max(time.gmtime()[:6], OLDEST))
    info.compress_type = zipfile.ZIP_DEFLATED
    info._compresslevel = COMPRESSION_LEVEL  # type: ignore[attr-defined]
    info.external_attr = (stat.S_IFREG | 0o600) << 16
    return info


def _require_free(path: Path, *, replace: bool) -> None:
    """Raise InputError unless `path` may be written."""
    if not path.parent.is_dir():
        raise InputError(f"the folder {path.parent} does not exist; create it, or choose another path")
    if path.is_dir():
        raise InputError(f"{path} is a folder; name a file in it")
    if path.exists() and not path.is_file():
        raise InputError(f"{path} is not a file; choose another name")
    if path.exists() and not replace:
        raise InputError(f"{path} exists already; choose another name, or replace it with --force")


def forget_parts(folder: Path, names: str) -> None:
    """Delete the temporary files of killed runs for files of such names."""
    for part in folder.glob(f".{names}.part"):
        with contextlib.suppress(InputError, OSError), _alone(part, part):
            pass


@contextlib.contextmanager
def _alone(part: Path, path: Path) -> Iterator[None]:
    """An empty folder `part` for one run at a time, deleted at the end."""
    part.mkdir(mode=0o700, exist_ok=True)
    lock = FileLock(part / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise InputError(f"another backup to {path} is running; try again when it has finished") from None
    try:
        for left in part.iterdir():
            if left.name != "lock":
                shutil.rmtree(left) if left.is_dir() else left.unlink()
        yield
    finally:
        shutil.rmtree(part, ignore_errors=True)
        lock.release()


def _check_end(file: IO[bytes]) -> None:
    """Raise DamagedError unless the file ends with the end record of a ZIP whose directory is not too large."""
    size_bytes = os.fstat(file.fileno()).st_size
    tail_bytes = min(size_bytes, END64_BYTES + END_BYTES)
    file.seek(size_bytes - tail_bytes)
    tail = file.read(tail_bytes)
    end = tail[-END_BYTES:]
    file.seek(0)
    if file.read(4) != b"PK\x03\x04":
        raise DamagedError("this is not a backup of Citewire")
    if len(end) < END_BYTES or end[:4] != b"PK\x05\x06" or end[-2:] != b"\0\0":
        raise DamagedError("the file is truncated, or something was appended to it")
    (directory_bytes,) = struct.unpack("<L", end[12:16])
    if tail[:4] == b"PK\x06\x06":
        directory_bytes = max(directory_bytes % 0xFFFFFFFF, struct.unpack("<Q", tail[40:48])[0])
    if directory_bytes > MOST_DIRECTORY_BYTES:
        raise DamagedError(f"its directory has {directory_bytes} bytes, more than any backup needs")


def _check_directory(infos: list[zipfile.ZipInfo], directory_start: int) -> None:
    """Raise DamagedError unless every entry is a plain file of its own, and the last one the manifest."""
    if not infos or infos[-1].filename != MANIFEST:
        raise DamagedError("it has no manifest, so it is not a backup of Citewire")
    if len({info.filename for info in infos}) != len(infos):
        raise DamagedError("it contains a name twice")
    for info in infos:
        name = info.orig_filename
        if not (is_plain(name) or name == MANIFEST) or info.filename != name:
            raise DamagedError(f"{name!r} is not a name that a backup contains")
        if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG) or info.is_dir():
            raise DamagedError(f"{name!r} is not a plain file")
        if info.flag_bits & 0x1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DamagedError(f"{name!r} is encrypted, or compressed in a way that a backup does not use")
        if info.file_size > MOST_RATIO * (info.compress_size + 1):
            raise DamagedError(f"{name!r} claims to unpack to {info.file_size} bytes, which is impossible")
    places = sorted((info.header_offset, info.header_offset + info.compress_size) for info in infos)
    ends = [*(start for start, _ in places[1:]), directory_start]
    if any(end > following for (_, end), following in zip(places, ends, strict=True)):
        raise DamagedError("two files in it share their bytes")
    if infos[-1].file_size > MOST_MANIFEST_BYTES:
        raise DamagedError("its manifest is too large")


def _manifest(content: bytes) -> Manifest:
    """The manifest, its form checked. Raises DamagedError; ValueError, RecursionError for what is no JSON."""
    about = json.loads(content)
    if not isinstance(about, dict) or type(about.get("format")) is not int or about["format"] < 1:
        raise DamagedError("its manifest is not one of Citewire")
    if about["format"] > FORMAT:
        raise DamagedError(
            f"it was written by a newer Citewire (format {about['format']}, this one reads {FORMAT}); update Citewire"
        )
    members = about.get("members")
    if not isinstance(members, list) or not all(map(_is_member, members)):
        raise DamagedError("its manifest does not list its contents")
    kept = {key: value for key, value in about.items() if key not in ("format", "members")}
    return Manifest(kept, tuple(Member(one["name"], one["size_bytes"], one["sha256"]) for one in members))


def _is_member(one: object) -> bool:
    return (
        isinstance(one, dict)
        and isinstance(one.get("name"), str)
        and type(one.get("size_bytes")) is int
        and isinstance(one.get("sha256"), str)
    )


def _check_members(manifest: Manifest, infos: Mapping[str, zipfile.ZipInfo]) -> None:
    """Raise DamagedError unless manifest and directory name the same files with the same sizes."""
    named = {member.name: member.size_bytes for member in manifest.members}
    found = {name: info.file_size for name, info in infos.items() if name != MANIFEST}
    if len(named) != len(manifest.members) or named != found:
        odd = sorted({*named.items()} ^ {*found.items()})[:1]
        raise DamagedError(f"its manifest does not match its files{f' ({odd[0][0]!r})' if odd else ''}")
    folders = {str(folder) for name in named for folder in PurePosixPath(name).parents}
    if clash := next(iter(folders & set(named)), None):
        raise DamagedError(f"{clash!r} is a file and a folder at once")
