"""Owners: the names under which browsers keep their conversations. A name is accepted only if it was made here.

A name is 24 random bytes as text, followed by a signature with a key that lies in the home. A browser that was there
before names were signed holds the 24 bytes alone: it is accepted while conversations are kept under it, for nobody can
guess it, and gets a signed name when its page opens. The same holds when the key was lost: whoever has
conversations keeps them. Knows no page.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import os
import re
import secrets
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FILE = "browsers.key"
KEY_BYTES = 32
NAME_BYTES = 24
"""192 random bits: whoever has the name has the conversations, so nobody may guess it."""
SIGNATURE_BYTES = 16
"""Of the HMAC with SHA-256; 128 bits cannot be guessed over a network."""

_NAME = re.compile(r"([A-Za-z0-9_-]{32})(?:\.([A-Za-z0-9_-]{22}))?")


class Owners:
    """Makes names for browsers, and tells its own from others. Safe to use from several threads."""

    def __init__(self, home: Path, *, has_kept: Callable[[str], bool]) -> None:
        """`has_kept` says whether conversations are kept for an owner, as `owner` gives it."""
        self._path = home / FILE
        self._has_kept = has_kept
        self._key: bytes | None = None
        self._lock = threading.Lock()

    def new(self) -> str:
        """A signed name for a browser that has none."""
        return self._signed(secrets.token_urlsafe(NAME_BYTES))

    def renewed(self, name: object) -> str | None:
        """`name` with a valid signature if it is accepted, else None."""
        return self._signed(plain) if (plain := self._plain(name)) is not None else None

    def owner(self, name: object) -> str:
        """Whose conversations a browser with this name sees; "" for a name that was not made here."""
        plain = self._plain(name)
        return "" if plain is None else f"browser:{plain}"

    def _plain(self, name: object) -> str | None:
        parts = _NAME.fullmatch(name) if isinstance(name, str) else None
        if parts is None:
            return None
        plain, signature = parts.groups()
        if signature is not None and hmac.compare_digest(signature, self._signature(plain)):
            return plain
        return plain if self._has_kept(f"browser:{plain}") else None

    def _signed(self, plain: str) -> str:
        return f"{plain}.{self._signature(plain)}"

    def _signature(self, plain: str) -> str:
        digest = hmac.digest(self._read_key(), plain.encode(), hashlib.sha256)[:SIGNATURE_BYTES]
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    def _read_key(self) -> bytes:
        """The key in the home, made when it is missing. In a home that cannot be written it lasts as long as this."""
        with self._lock:
            if self._key is None:
                self._key = self._kept_key() or secrets.token_bytes(KEY_BYTES)
            return self._key

    def _kept_key(self) -> bytes | None:
        with contextlib.suppress(OSError):
            if not self._path.exists():
                aside = self._path.with_name(f".{FILE}-{secrets.token_hex(8)}")
                aside_file = os.open(aside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
                try:
                    with os.fdopen(aside_file, "wb") as file:
                        file.write(secrets.token_bytes(KEY_BYTES))
                        file.flush()
                        os.fsync(file.fileno())
                    with contextlib.suppress(FileExistsError):  # another process was faster: its key counts
                        os.link(aside, self._path)
                finally:
                    aside.unlink(missing_ok=True)
            key = self._path.read_bytes()
            return key if len(key) == KEY_BYTES else None
        return None
