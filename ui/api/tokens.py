"""Tokens: who may use the doors for programs, kept in the home as hashes. Knows no server.

A token is 256 random bits, shown once when it is made. The file has its SHA-256: a secret that nobody can guess needs
no slow hash (NIST SP 800-63B, 3.1.2). The file is read again when it changes, so a token that was removed stops
counting at once, in a server that runs as well.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import re
import secrets
import threading
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, get_args

from filelock import FileLock

from index import home as homes
from index.errors import InputError
from ui import secret_file

if TYPE_CHECKING:
    from pathlib import Path

Scope = Literal["read", "write"]
"""What a token may do: read asks, checks and searches; write also adds and removes articles."""
SCOPES: tuple[Scope, ...] = get_args(Scope)

FILE = "api-tokens.json"
PREFIX = "cw_"
"""How every token begins, so that people and secret scanners recognize one."""
TOKEN_BYTES = 32
TEXT = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")
"""A token: 32 bytes are 43 characters of base64."""
MOST_NAME_CHARS = 64
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it is kept: its name, the hash of its text, what it may do and when it was made."""

    name: str
    sha256: str
    scope: Scope
    created: str

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready mapping, without the hash."""
        return {"name": self.name, "scope": self.scope, "created": self.created}


class Tokens:
    """The tokens of a home as they are now. Safe to use from several threads."""

    def __init__(self, home: Path) -> None:
        """Nothing is read yet."""
        self._path = home / FILE
        self._as_of: tuple[int, int, int] | None = None
        self._known: tuple[Token, ...] = ()
        self._lock = threading.Lock()

    def all(self) -> tuple[Token, ...]:
        """Every token. Raises InputError for a file that cannot be read as tokens: it lets nobody in."""
        with self._lock:
            try:
                found = self._path.stat()
            except FileNotFoundError:
                self._as_of, self._known = None, ()
                return ()
            as_of = (found.st_mtime_ns, found.st_size, found.st_ino)
            if as_of != self._as_of:
                self._known = _read(self._path)
                self._as_of = as_of
            return self._known

    def find(self, text: str) -> Token | None:
        """The token with this text. Takes as long whichever it is."""
        given, match = _hash(text), None
        for one in self.all():
            if hmac.compare_digest(given, one.sha256):
                match = one
        return match


def add(home: Path, *, name: str, scope: Scope = "read") -> str:
    """Make a token and return its text, which is not kept. Raises InputError for a name that is taken or cannot be
    used, and for a home that cannot be written."""
    if not _NAME.fullmatch(name) or len(name) > MOST_NAME_CHARS:
        raise InputError(
            f"the name {name!r} cannot be used: take up to {MOST_NAME_CHARS} letters, digits, dots, hyphens and "
            "underscores, a letter or digit first"
        )
    text = f"{PREFIX}{secrets.token_urlsafe(TOKEN_BYTES)}"
    with _writing(home) as path:
        known = _read(path) if path.exists() else ()
        if any(one.name == name for one in known):
            raise InputError(f"there is a token {name!r} already; remove it first: citewire auth token remove {name}")
        created = datetime.now(UTC).isoformat(timespec="seconds")
        _write(path, (*known, Token(name, _hash(text), scope, created)))
    return text


def remove(home: Path, *, name: str) -> None:
    """Remove a token; who has it is not let in any more. Raises InputError for an unknown name."""
    with _writing(home) as path:
        known = _read(path) if path.exists() else ()
        if all(one.name != name for one in known):
            raise InputError(f"there is no token {name!r}; list them with: citewire auth token list")
        _write(path, tuple(one for one in known if one.name != name))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@contextlib.contextmanager
def _writing(home: Path) -> Any:
    """The path of the file, while no other process changes it."""
    path = home / FILE
    try:
        homes.make(home)
        with FileLock(home / f".{FILE}.lock", mode=0o600):
            yield path
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from error


def _read(path: Path) -> tuple[Token, ...]:
    """Raises InputError for a file that is damaged, or that others than its owner may change."""
    mend = f"delete it and make tokens anew: rm {path}; citewire auth token add NAME"
    try:
        if os.name == "posix" and path.stat().st_mode & 0o022:
            raise InputError(f"{path} can be changed by other users; run: chmod 600 {path}")
        rows = json.loads(path.read_text(encoding="utf-8"))["tokens"]
        found = tuple(Token(row["name"], row["sha256"], row["scope"], row["created"]) for row in rows)
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is damaged; {mend}") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    if not all(isinstance(one.name, str) and isinstance(one.sha256, str) and one.scope in SCOPES for one in found):
        raise InputError(f"{path} is damaged; {mend}")
    return found


def _write(path: Path, tokens: tuple[Token, ...]) -> None:
    secret_file.replace(path, json.dumps({"tokens": [asdict(one) for one in tokens]}, indent=1))
