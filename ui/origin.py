"""Origin: which names the page answers to, and which web pages may ask it. Knows no Gradio.

A browser says in `Host` which address it was given, in `Origin` which page makes a request, and in `Sec-Fetch-Site`
how far apart the two are. A web site can neither forge nor leave out these headers. Checking all three keeps other
sites from using the page with the cookies of its reader, and a name that was pointed at this machine (DNS rebinding)
from reading it.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from index.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
EVERY_INTERFACE = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 (compared with, not bound to)
_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)(?::(?P<port>\d{1,5}))?")
_ORIGIN = re.compile(r"(?P<scheme>https?)://(?P<host>[^/?#@\\\s]+)")
_DEFAULT_PORTS = {"http": 80, "https": 443}

REBOUND = (
    "Citewire does not answer to the name in the address. If the name is right, start it with: "
    "citewire chat --allowed-host NAME, or citewire serve --allowed-host NAME"
)
FOREIGN = "Another web site asked for this. Behind a proxy, let the proxy pass the Host header on unchanged."


@dataclass(frozen=True, slots=True)
class Host:
    """A name or IP address, lower-case and without brackets, and a port where one is given."""

    name: str
    port: int | None

    @classmethod
    def parse(cls, text: str) -> Host | None:
        """Read a Host header; None for what no browser sends, such as user info, blanks or a dot at the end."""
        match = _HOST.fullmatch(text.lower())
        if match is None:
            return None
        port = match["port"]
        if port is not None and not 0 < int(port) < 65536:
            return None
        try:
            name = str(ipaddress.ip_address(match["name"].strip("[]"))) if match["name"][0] == "[" else match["name"]
        except ValueError:
            return None
        return cls(name, None if port is None else int(port))


@dataclass(frozen=True, slots=True)
class Hosts:
    """The names that a page answers to."""

    names: frozenset[str]
    every_interface: bool = False

    @classmethod
    def of(cls, bound: str, given: Iterable[str] = ()) -> Hosts:
        """The names for a page that listens on `bound`: that one, those of loopback, and those `given`.

        Bound to every interface, it also answers to the IP address that a connection came in on: an address that is
        spelled out in digits cannot be pointed elsewhere. Raises InputError for a given name that is no host name.
        """
        named = {_given(name) for name in given}
        own = set() if bound in EVERY_INTERFACE else {bound.lower().strip("[]")}
        return cls(LOOPBACK | own | named, bound in EVERY_INTERFACE)

    def why_not(
        self,
        *,
        hosts: list[str],
        origins: list[str],
        sites: list[str],
        server: str | None,
        secure: bool | None,
        is_navigation: bool,
    ) -> str | None:
        """Why a request is refused, or None. The lists are the values of the headers, which may be missing or double.

        `server` is the address of this end of the connection. `secure` says whether the browser speaks HTTPS, None
        that it is not known. `is_navigation` is a person following a link to the page itself, from anywhere.
        """
        host = Host.parse(hosts[0]) if len(hosts) == 1 else None
        if host is None or not self._admits(host.name, server):
            return REBOUND
        if len(sites) > 1 or (sites and sites[0] not in ("same-origin", "none") and not is_navigation):
            return FOREIGN
        if origins and not (len(origins) == 1 and _is_same(origins[0], host, secure)):
            return FOREIGN
        return None

    def _admits(self, name: str, server: str | None) -> bool:
        if name in self.names:
            return True
        return self.every_interface and server is not None and _is_address(name) and name == _plain(server)


def _given(name: str) -> str:
    host = Host.parse(name.strip())
    if host is None or host.port is not None:
        raise InputError(f"--allowed-host {name!r}: a name such as news.example is needed, without scheme, port or *")
    return host.name


def _is_same(origin: str, host: Host, secure: bool | None) -> bool:
    """Whether an Origin header names the page that `host` is. An opaque origin ("null") is never it."""
    match = _ORIGIN.fullmatch(origin.lower())
    other = Host.parse(match["host"]) if match else None
    if match is None or other is None:
        return False
    if secure is not None and (match["scheme"] == "https") != secure:
        return False
    default = _DEFAULT_PORTS[match["scheme"]]
    return other.name == host.name and (other.port or default) == (host.port or default)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _plain(server: str) -> str:
    """The address of a socket as a Host header spells it: without zone, IPv4 not wrapped in IPv6."""
    try:
        address = ipaddress.ip_address(server.partition("%")[0])
    except ValueError:
        return server
    wrapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(wrapped or address)
