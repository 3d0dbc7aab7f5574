"""Page token: the secret in the address of a page without logins, kept in the home. Knows no page and no Gradio.

A page on loopback can be reached by every user and every program of the machine. Whoever has the token is let in, and
it stands only in the terminal that started the page and in a file that its owner alone can read. It is kept from one
start to the next, so that bookmarks and open tabs go on working; deleting the file makes a new one.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import re
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from index import home as homes
from index.errors import InputError
from ui import secret_file

if TYPE_CHECKING:
    from pathlib import Path

TOKEN_BYTES = 24
"""192 bits, which nobody guesses."""
LEAST_CHARS, MOST_CHARS = 16, 256
FILE = "page-token"
VARIABLE = "CITEWIRE_TOKEN"


@dataclass(frozen=True, slots=True)
class PageToken:
    """A secret, and the cookie that stands for it in a browser."""

    text: str = field(repr=False)

    def __post_init__(self) -> None:
        """Raises InputError for a text that is short or cannot stand in an address."""
        if not re.fullmatch(rf"[A-Za-z0-9_-]{{{LEAST_CHARS},{MOST_CHARS}}}", self.text):
            raise InputError(
                f"a token has {LEAST_CHARS} to {MOST_CHARS} letters, digits, - or _; without --token and {VARIABLE} "
                "one is made"
            )

    @classmethod
    def new(cls) -> PageToken:
        """A random one."""
        return cls(secrets.token_urlsafe(TOKEN_BYTES))

    @property
    def cookie(self) -> str:
        """What a browser keeps: proves that it had the token, and does not give it away."""
        return hmac.new(self.text.encode(), b"citewire page cookie", hashlib.sha256).hexdigest()

    def is_token(self, text: str) -> bool:
        """Whether this is the token; takes as long either way."""
        return hmac.compare_digest(text.encode("utf-8", "replace"), self.text.encode())

    def is_cookie(self, text: str) -> bool:
        """Whether this is the cookie; takes as long either way."""
        return hmac.compare_digest(text.encode("utf-8", "replace"), self.cookie.encode())


def of_home(home: Path) -> PageToken:
    """The token kept in a home, made if need be.

    One that others than the owner could read is replaced. In a home that cannot be written it is new at each start.
    """
    path = home / FILE
    with contextlib.suppress(OSError, UnicodeDecodeError, InputError):
        if os.name != "posix" or (not path.is_symlink() and path.stat().st_mode & 0o077 == 0):
            return PageToken(path.read_text(encoding="utf-8").strip())
    token = PageToken.new()
    with contextlib.suppress(OSError):
        homes.make(home)
        secret_file.replace(path, f"{token.text}\n")
    return token
