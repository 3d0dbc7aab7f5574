"""Model address: where a model server is, and its model's name there: http://host:port/v1#model. Asks nobody."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from index.errors import InputError

MOST_SHOWN_CHARS = 200
MOST_NAME_CHARS = 120
"""Of a model's name: some servers name it by its path."""
_ADDRESS = re.compile(r"https?://", re.IGNORECASE)
_PASSWORD = re.compile(r"^([^:/?#]*://)(?:[^/?#]*@|[^/?#\[]*:(?!\d*(?:[/?#]|$)).*@)")
"""Up to the @ of an address: name:password@, also where the password has a character in it that would have to be
written as %2F, so that what stands before it is taken for the host: http://name:pass/word@host"""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a model server is: `base` is the address of its API, as "http://127.0.0.1:8080/v1", and `model` the name of
    the model there, "" for the only one it has."""

    base: str
    model: str = ""

    @classmethod
    def parse(cls, text: str) -> Address:
        """The address that `text`, http://host:port/v1#model, names. Raises InputError for one that cannot be used."""
        text = text.strip()
        place, mark, model = _PASSWORD.sub(r"\1", text).partition("#")
        bare = f"{place.partition('?')[0]}{mark}{model}"
        shown = printable(bare)
        if bare != text:
            raise InputError(
                f"{shown}: the address of a model server has no password and no query; put its key "
                "into CITEWIRE_LLM_KEY or CITEWIRE_EMBEDDER_KEY"
            )
        try:
            split = urlsplit(text)
            host, port = split.hostname, split.port
        except ValueError as error:
            raise InputError(f"{shown}: {error}; write http://host:port/v1#model") from error
        if split.scheme.lower() not in ("http", "https") or not host or not text.isprintable() or " " in host:
            raise InputError(f"{shown} is not the address of a model server; write http://host:port/v1#model")
        name = f"[{host}]" if ":" in host else host
        path = split.path.rstrip("/") or "/v1"
        return cls(f"{split.scheme.lower()}://{name}{f':{port}' if port else ''}{path}", split.fragment.strip())

    @property
    def host(self) -> str:
        """Host and port, as answers and messages name the server."""
        return urlsplit(self.base).netloc

    @property
    def root(self) -> str:
        """The address of the server without the path of its API; llama-server and vLLM have more to say there."""
        split = urlsplit(self.base)
        return f"{split.scheme}://{split.netloc}"

    @property
    def is_here(self) -> bool:
        """Whether what is sent stays on this machine: by the address alone, since a name may mean any machine."""
        host = urlsplit(self.base).hostname or ""
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"

    def named(self, model: str) -> str:
        """How answers name a model of this server. A space is in it, so that it is never the name of a local one."""
        place = self.host if self.is_here else f"{self.host} (another machine)"
        return f"{printable(model, MOST_NAME_CHARS) or 'model'} at {place}"


def is_address(name: str | None) -> bool:
    """Whether the name of a model is the address of a model server."""
    return name is not None and _ADDRESS.match(name.strip()) is not None


def printable(text: str, most: int = MOST_SHOWN_CHARS) -> str:
    """What a server or a setting says, on one line, for a message."""
    shown = " ".join("".join(one if one.isprintable() else " " for one in text[: 4 * most]).split())
    return shown if len(shown) <= most else f"{shown[:most]}…"
