"""Reply: what the page answers to a GET that is not for Gradio: a file, a picture, a feed, or a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from http import HTTPStatus


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer to a GET. `policy` stands in place of the content security policy of the page, `name` is the name of
    the file, `also` are further headers."""

    status: HTTPStatus
    kind: bytes
    body: bytes
    policy: bytes | None = None
    name: str = ""
    also: tuple[tuple[bytes, bytes], ...] = ()

    def headers(self) -> list[tuple[bytes, bytes]]:
        """The headers, without those of every response of the page."""
        found = [
            (b"content-type", self.kind),
            (b"content-length", str(len(self.body)).encode()),
            (b"cache-control", b"no-store"),
            *self.also,
        ]
        if self.policy is not None:
            found.append((b"content-security-policy", self.policy))
        if self.name:
            named = quote(self.name.encode("utf-8", "replace"), safe="")
            found.append((b"content-disposition", f"inline; filename*=UTF-8''{named}".encode()))
        return found


def refusal(status: HTTPStatus, why: str) -> Reply:
    """A reason in words."""
    return Reply(status, b"text/plain; charset=utf-8", why.encode("utf-8", "replace"))
