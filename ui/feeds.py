"""Feeds: the answers of briefings as Atom, at addresses that a feed reader subscribes to.

`briefing/ID.atom` is the feed of one briefing, `briefing/all.atom` that of all that the home has, and
`briefing/all-OWNER.atom` also has those of one browser. A feed reader cannot log in and keeps no cookie. So feeds are
only for a page without logins, and only for readers on the same machine; where the page has a token, each address ends
in a key of its own that is made from it: whoever sees the address in the reader gets that feed and nothing else. Knows
no Gradio.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from index.errors import Error
from ui.briefings import HOME, Briefings
from ui.export import atom
from ui.reply import Reply, refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from ui.conversations import Conversations
    from ui.page_token import PageToken

_ADDRESS = re.compile(rb"/briefing/(all|all-[0-9a-f]{16}|[0-9a-f]{1,64})\.atom")
ALL = "all"
LOGINS = "Feeds are only for pages without logins, because a feed reader cannot log in."
ELSEWHERE = "Feeds are only for readers on the machine of the page."
NO_KEY = "The address of this feed has a key at its end; copy it from the page again, under Briefings."
NO_FEED = "There is no such briefing; it may have been removed."


@dataclass(frozen=True, slots=True)
class Wanted:
    """The feed that an address names: the id of a briefing, or ALL, with a dash and an owner's digest or without."""

    name: str


def wanted(raw_path: bytes) -> Wanted | None:
    """What the path of a request names; None unless it is the address of a feed."""
    found = _ADDRESS.fullmatch(raw_path.partition(b"?")[0])
    return None if found is None else Wanted(found[1].decode("ascii"))


def address(name: str, token: PageToken | None) -> str:
    """The address of a feed, relative to that of the page."""
    key = f"?feed={_key(name, token)}" if token is not None else ""
    return f"briefing/{name}.atom{key}"


def of_all(owner: str) -> str:
    """The name of the feed with all briefings that an owner sees."""
    return f"{ALL}-{_digest(owner)}"


class Feeds:
    """Answers for the feeds of one home."""

    def __init__(self, kept: Callable[[], Conversations]) -> None:
        """`kept` gives the file with the briefings, and raises while it cannot be opened."""
        self._kept = kept
        self.token: PageToken | None = None
        self.has_logins = False

    def address(self, name: str) -> str:
        """The address of a feed, relative to that of the page; "" where there are no feeds."""
        return "" if self.has_logins else address(name, self.token)

    def why_not(self, asked: Wanted, *, key: str, is_here: bool) -> Reply | None:
        """Why a request is refused, or None; `is_here` is whether it comes from this machine."""
        if self.has_logins:
            return refusal(HTTPStatus.FORBIDDEN, LOGINS)
        if not is_here:
            return refusal(HTTPStatus.FORBIDDEN, ELSEWHERE)
        if self.token is not None and not hmac.compare_digest(
            key.encode("utf-8", "replace"), _key(asked.name, self.token).encode()
        ):
            return refusal(HTTPStatus.FORBIDDEN, NO_KEY)
        return None

    def answer(self, asked: Wanted, *, page: str, known: str = "") -> Reply:
        """The feed. `page` is the address of the page, to which its entries link; `known` is the tag of what the reader
        has already."""
        try:
            briefings = Briefings(self._kept())
            if asked.name.startswith(ALL):
                chosen = [one for one in briefings.list() if one.owner == HOME or asked.name == of_all(one.owner)]
            else:
                chosen = [briefings.get(asked.name)]
            found = [(one, briefings.entries(one.id)) for one in chosen]
            feed = atom.of_briefings(found, page=page, is_alone=not asked.name.startswith(ALL))
        except Error:
            return refusal(HTTPStatus.NOT_FOUND, NO_FEED)
        tag = f'"{hashlib.sha256(feed).hexdigest()[:32]}"'
        also = ((b"etag", tag.encode()),)
        if known == tag:
            return Reply(HTTPStatus.NOT_MODIFIED, b"application/atom+xml; charset=utf-8", b"", also=also)
        return Reply(HTTPStatus.OK, b"application/atom+xml; charset=utf-8", feed, also=also)


def of_page(host: str, root_path: str, *, secure: bool) -> str:
    """The address of the page, as a request names it."""
    return f"{'https' if secure else 'http'}://{host}{root_path}/"


def _key(name: str, token: PageToken) -> str:
    return hmac.new(token.text.encode(), b"citewire feed " + name.encode(), hashlib.sha256).hexdigest()[:40]


def _digest(owner: str) -> str:
    return hashlib.sha256(owner.encode("utf-8", "replace")).hexdigest()[:16]
