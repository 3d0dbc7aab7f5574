"""Proxy: which machines in front of the page may say for whom they ask. Knows no page and no Gradio.

A header such as X-Forwarded-For is written by whoever sends it. It counts only when the connection itself comes from a
machine that was named with `citewire chat --proxy`; each proxy appends the address it was asked from, so the last
entry that is no proxy's own is the client.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Any

from index.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def parse(texts: Iterable[str]) -> tuple[Network, ...]:
    """Trusted proxies from IP addresses or networks such as 172.18.0.0/16. Raises InputError for anything else."""
    found: list[Network] = []
    for text in texts:
        try:
            found.append(ipaddress.ip_network(text.strip().strip("[]"), strict=False))
        except ValueError:
            raise InputError(
                f"{text!r} is no IP address or network; name a proxy as 127.0.0.1 or 172.18.0.0/16"
            ) from None
        if found[-1].prefixlen == 0:
            raise InputError(f"{text!r} is every address; name the proxy's own, such as 127.0.0.1")
    return tuple(found)


def root_of(path: str) -> str:
    """The path under which a proxy has the page, "" for none: it begins with a slash and ends without one.

    Raises InputError for what is no path.
    """
    root = "/" + path.strip().strip("/")
    if not re.fullmatch(r"/(?:[A-Za-z0-9._~-]+(?:/[A-Za-z0-9._~-]+)*)?", root) or {".", ".."} & set(root.split("/")):
        raise InputError(
            f"--root-path {path!r}: a path such as /citewire is needed, of letters, digits, dots and dashes"
        )
    return "" if root == "/" else root


def without_root(scope: Any, root: str) -> Any:
    """An ASGI request as it is below `root`: some proxies take that path away before they pass a request on."""
    raw = scope.get("raw_path")
    if not root or not (scope["path"] == root or scope["path"].startswith(f"{root}/")):
        return scope
    cut = {"path": scope["path"].removeprefix(root) or "/"}
    if raw is not None:
        cut["raw_path"] = raw.removeprefix(root.encode()) or b"/"
    return {**scope, **cut}


def is_proxy(scope: Mapping[str, Any], trusted: Sequence[Network]) -> bool:
    """Whether the connection of an ASGI scope comes from a trusted proxy."""
    return _is_trusted(_address(_peer(scope)), trusted)


def client_address(scope: Mapping[str, Any], trusted: Sequence[Network]) -> str:
    """Whom an ASGI request comes from: the connection's own address, or what a trusted proxy says.

    Where a trusted proxy says nothing that can be read, it is the proxy's address.
    """
    peer = _peer(scope)
    if not is_proxy(scope, trusted):
        return peer
    nearest = peer
    for entry in reversed(forwarded(scope, b"x-forwarded-for")):
        address = _address(_without_port(entry))
        if address is None:
            return nearest
        nearest = str(address)
        if not _is_trusted(address, trusted):
            return nearest
    return nearest


def is_secure(scope: Mapping[str, Any], trusted: Sequence[Network]) -> bool:
    """Whether the browser speaks HTTPS: to this server, or to the trusted proxy in front of it."""
    if scope.get("scheme") in ("https", "wss"):
        return True
    return is_proxy(scope, trusted) and forwarded(scope, b"x-forwarded-proto")[-1:] == ("https",)


def forwarded(scope: Mapping[str, Any], name: bytes) -> tuple[str, ...]:
    """The entries of all headers of this (lower-case) name, in order."""
    values = (value.decode("latin-1") for header, value in scope.get("headers", ()) if header.lower() == name)
    return tuple(entry.strip() for value in values for entry in value.split(",") if entry.strip())


def _peer(scope: Mapping[str, Any]) -> str:
    return str((scope.get("client") or ("",))[0])


def _without_port(entry: str) -> str:
    """An entry as proxies write it: 10.0.0.1, 10.0.0.1:123, 2001:db8::1, [2001:db8::1]:123."""
    if entry.startswith("["):
        return entry[1:].partition("]")[0]
    return entry.partition(":")[0] if entry.count(":") == 1 else entry


def _address(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, ipaddress.IPv6Address) else address


def _is_trusted(address: Address | None, trusted: Sequence[Network]) -> bool:
    return address is not None and any(address.version == one.version and address in one for one in trusted)
