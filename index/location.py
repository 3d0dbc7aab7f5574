"""Location: the name under which a source is kept, its uri. One file has one, whatever links lead to it.

    /home/ann/letters/a.md          a file or folder: its real path, all links followed
    uploads/report.txt              a file in the home's own uploads: relative, so that a home can be moved
    /home/ann/letters//caf%E9.md    a name that is not UTF-8: an empty name says that the next is percent-encoded
    https://example.org/a           a page or feed

A uri is valid Unicode, so SQLite and JSON take it, and the path can be had back from it. This file reads no content.
"""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes

UPLOADS = "uploads"
"""Folder of the home for files that a front end was handed, and how their uris begin."""

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_ENCODED = re.compile("//([^/]+)")
_UNDECODED = re.compile("[%\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Locations:
    """Turns paths into uris and back. `uploads` is the real path of the home's uploads."""

    uploads: str

    @classmethod
    def of(cls, home: Path) -> Locations:
        """The locations of a home."""
        return cls(os.path.realpath(home / UPLOADS))

    def uri(self, path: str | Path) -> str:
        """The uri of a path, by whatever name it is given."""
        return self.kept(real(path))

    def kept(self, path: str) -> str:
        """The uri of a path that `real` gave."""
        return storable(f"{UPLOADS}{path[len(self.uploads) :]}" if within(path, self.uploads) else path)

    def path(self, uri: str) -> str:
        """The absolute path that a uri stands for; of an address, the address."""
        if is_address(uri):
            return uri
        path = _ENCODED.sub(lambda name: "/" + os.fsdecode(unquote_to_bytes(name[1])), uri)
        return f"{self.uploads}{path[len(UPLOADS) :]}" if within(path, UPLOADS) else path


def real(path: str | Path) -> str:
    """The one path of a file or folder, there or not: absolute, links followed.

    The ending of a name says how a file is read, so a link to a file whose own name does not say it (notes.md → blob)
    is a file of its own.
    """
    from index.read.formats import PARSERS, ending  # index.read needs this module

    given = os.path.expanduser(path)  # noqa: PTH111 - Path would drop what is not a good path
    target = os.path.realpath(given)
    folder, name = os.path.split(given)
    if ending(name) in PARSERS and ending(target) not in PARSERS and Path(target).is_file():
        return str(Path(os.path.realpath(folder), name))
    return target


def is_address(source: str | Path) -> bool:
    """Whether a source or uri is an address of the web rather than a path."""
    return isinstance(source, str) and _ADDRESS.match(source) is not None


def within(name: str, folder: str) -> bool:
    """Whether a path is `folder` or lies below it; likewise for two uris."""
    return name == folder or name.startswith(folder.rstrip(os.sep) + os.sep)


def is_storable(text: str) -> bool:
    """Whether a text is valid Unicode. Names that are not UTF-8 are none, as the system hands them to Python."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def storable(path: str) -> str:
    """A path as valid Unicode, from which `Locations.path` gives it back."""
    if is_storable(path):
        return path
    return "/".join(name if is_storable(name) else f"/{_UNDECODED.sub(_encoded, name)}" for name in path.split("/"))


def shown(path: str | Path) -> str:
    """A path for people: what a terminal or a page could not show, or would obey, is written as an escape."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in str(path)
    )


def quoted(path: str | Path) -> str:
    r"""A path as an argument of a command line, for bash and zsh: 'two words', $'caf\xe9'."""
    text = str(path)
    if text.isprintable():
        return shlex.quote(text)
    plain = {ord("\\"): "\\\\", ord("'"): "\\'"}
    escaped = (chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}" for byte in os.fsencode(text.translate(plain)))
    return f"$'{''.join(escaped)}'"


def migrated(uri: str, home: Path) -> str:
    """The uri of a root or an origin that layout 1 kept as `uri`; of two names of one file, it is the same.

    Layout 1 kept the absolute path by which a file was found, links and uploads included.
    """
    if is_address(uri):
        return uri
    here = Locations.of(home)
    for uploads in (str(home / UPLOADS), here.uploads):
        if within(uri, uploads):
            return f"{UPLOADS}{uri[len(uploads) :]}"
    moved = _in_moved_home(Path(uri), home)
    return here.uri(uri) if moved is None else moved


def _in_moved_home(path: Path, home: Path) -> str | None:
    """The uri of an upload that was kept while the home lay elsewhere, where nothing is left of it; else None."""
    folder = path if path.name == UPLOADS else path.parent
    if folder.name != UPLOADS or os.path.lexists(folder.parent):
        return None
    uri = UPLOADS if path == folder else f"{UPLOADS}/{path.name}"
    return uri if (home / uri).exists() else None


def _encoded(character: re.Match[str]) -> str:
    try:
        content = os.fsencode(character[0])
    except UnicodeEncodeError:  # no file system gave this name
        content = character[0].encode("utf-8", "surrogatepass")
    return "".join(f"%{byte:02X}" for byte in content)
