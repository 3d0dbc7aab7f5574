"""ui/proxy.py: whose word counts about where a request comes from."""

from __future__ import annotations

from typing import Any

import pytest

from index.errors import InputError
from ui import proxy


def scope(peer: str | None, *forwarded: str, **more: Any) -> dict[str, Any]:
    headers = [(b"x-forwarded-for", entry.encode("latin-1")) for entry in forwarded]
    return {"client": (peer, 5) if peer else None, "headers": headers, "scheme": "http", **more}


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("127.0.0.1", (), "127.0.0.1"),
        ("127.0.0.1", ("203.0.113.9",), "203.0.113.9"),
        ("::ffff:127.0.0.1", ("203.0.113.9",), "203.0.113.9"),
        # What the client wrote stands before what the proxy appended.
        ("127.0.0.1", ("1.1.1.1, 203.0.113.9",), "203.0.113.9"),
        ("127.0.0.1", ("1.1.1.1", "203.0.113.9"), "203.0.113.9"),
        ("127.0.0.1", ("1.1.1.1, 203.0.113.9, 10.1.2.3",), "203.0.113.9"),
        ("127.0.0.1", ("203.0.113.9:4711",), "203.0.113.9"),
        ("127.0.0.1", ("[2001:db8::1]:4711",), "2001:db8::1"),
        ("127.0.0.1", ("2001:DB8:0::1",), "2001:db8::1"),
        ("127.0.0.1", ("::ffff:203.0.113.9",), "203.0.113.9"),
        # Unreadable entries are nobody; the nearest that is known counts.
        ("127.0.0.1", ("unknown",), "127.0.0.1"),
        ("127.0.0.1", ("203.0.113.9, unknown",), "127.0.0.1"),
        ("127.0.0.1", ("203.0.113.9, , ",), "203.0.113.9"),
        ("127.0.0.1", ("203.0.113.9, _hidden, 10.1.2.3",), "10.1.2.3"),
        ("127.0.0.1", ("10.0.0.1, 10.0.0.2",), "10.0.0.1"),
        # Whoever is no proxy may write what it likes.
        ("203.0.113.1", ("203.0.113.9",), "203.0.113.1"),
        ("127.0.0.2", ("203.0.113.9",), "127.0.0.2"),
        ("::1", ("203.0.113.9",), "::1"),
        (None, ("203.0.113.9",), ""),
    ],
)
def test_only_a_named_proxy_says_who_asks(peer: str | None, forwarded: tuple[str, ...], expected: str) -> None:
    assert proxy.client_address(scope(peer, *forwarded), proxy.parse(["127.0.0.1", "10.0.0.0/8"])) == expected


def test_without_a_named_proxy_no_header_counts() -> None:
    for peer in ("127.0.0.1", "::1"):
        assert proxy.client_address(scope(peer, "203.0.113.9"), ()) == peer
        assert not proxy.is_secure(scope(peer, headers=[(b"x-forwarded-proto", b"https")]), ())


@pytest.mark.parametrize(("proto", "expected"), [(b"https", True), (b"http, https", True), (b"https, http", False)])
def test_a_named_proxy_says_whether_the_browser_speaks_https(proto: bytes, expected: bool) -> None:
    headers = [(b"x-forwarded-proto", proto)]
    assert proxy.is_secure(scope("127.0.0.1", headers=headers), proxy.parse(["127.0.0.1"])) is expected
    assert not proxy.is_secure(scope("127.0.0.3", headers=headers), proxy.parse(["127.0.0.1"]))
    assert proxy.is_secure(scope("127.0.0.3", scheme="https"), ())


@pytest.mark.parametrize("text", ["", "localhost", "*", "127.0.0.1,10.0.0.1", "0.0.0.0/0", "::/0", "10.0.0.0/33"])
def test_a_proxy_is_named_by_an_address_of_its_own(text: str) -> None:
    with pytest.raises(InputError, match=r"is no IP address|is every address"):
        proxy.parse([text])


@pytest.mark.parametrize(
    ("path", "root"), [("", ""), ("/", ""), ("citewire", "/citewire"), ("/news/citewire/", "/news/citewire")]
)
def test_the_path_of_a_proxy_is_read_as_people_write_it(path: str, root: str) -> None:
    assert proxy.root_of(path) == root


@pytest.mark.parametrize("path", ["https://evil.example", "/a/../b", "/a?b", '/"><script>', "/a b"])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(InputError, match="--root-path"):
        proxy.root_of(path)


@pytest.mark.parametrize(("path", "below"), [("/news/c/1", "/c/1"), ("/news", "/"), ("/newsroom", "/newsroom")])
def test_a_request_that_still_has_the_path_of_the_proxy_is_read_without_it(path: str, below: str) -> None:
    assert proxy.without_root({"path": path, "raw_path": path.encode()}, "/news") == {
        "path": below,
        "raw_path": below.encode(),
    }
