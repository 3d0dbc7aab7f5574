"""Fetching: what is reached, what is refused, and with which words. The only server is one of the test's own."""

from __future__ import annotations

import contextlib
import gzip
import ipaddress
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from index import fetch
from index.errors import ReadError
from index.fetch import Fetched, Fetcher, normal
from index.public import is_public

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler

    from tests.conftest import Reply, Site

HTML = ("text/html",)
resolve_for_real = socket.getaddrinfo


def get(fetcher: Fetcher, address: str, **more: Any) -> Fetched:
    return fetcher.fetch(address, accept=HTML, **more)


def answers(monkeypatch: pytest.MonkeyPatch, *ips: str) -> list[str]:
    """Every name has these addresses; returns the names that were looked up."""
    asked: list[str] = []

    def resolve(host: str, port: int, **kwargs: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET6 if ":" in ip else socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in ips]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return asked


def test_a_page_is_fetched_with_what_the_server_says_of_it(site: Site, fetcher: Fetcher) -> None:
    headers = {"Content-Type": "text/html; charset=ISO-8859-1", "ETag": '"1"', "Last-Modified": "Wed, 21 Mar 2018"}
    site.replies["/a%20b?q=1"] = (200, headers, b"<p>caf\xe9")
    got = get(fetcher, f"{site.address}/a b?q=1#part")
    assert (got.content, got.charset, got.media_type) == (b"<p>caf\xe9", "ISO-8859-1", "text/html")
    assert got.address == f"{site.address}/a%20b?q=1"
    sent = site.requests[-1][1]
    assert sent["Host"] == f"127.0.0.1:{site.port}"
    assert sent["User-Agent"].startswith("citewire/")
    assert "Cookie" not in sent


def test_an_unchanged_page_is_not_sent_again(site: Site, fetcher: Fetcher) -> None:
    site.replies["/"] = (200, {"ETag": '"1"', "Last-Modified": "yesterday"}, b"x")
    stamp = get(fetcher, site.address).stamp
    site.replies["/"] = (304, {}, b"")
    got = get(fetcher, site.address, stamp=stamp)
    assert got.is_unchanged
    assert got.stamp == stamp
    assert site.requests[-1][1]["If-None-Match"] == '"1"'
    assert site.requests[-1][1]["If-Modified-Since"] == "yesterday"


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("file:///etc/passwd", "only http"),
        ("ftp://x.example/a", "only http"),
        ("javascript:alert(1)", "only http"),
        ("http:///a", "only http"),
        ("http://user:secret@x.example/", "user name"),
        ("http://[::1", "no address"),
        ("http://x.example:99999/", "no address"),
        ("http://a..b/", "no name"),
    ],
)
def test_other_addresses_are_refused(fetcher: Fetcher, address: str, reason: str) -> None:
    with pytest.raises(ReadError, match=reason):
        get(fetcher, address)


@pytest.mark.parametrize(
    "ip",
    [
        "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254",  # noqa: S104
        "100.64.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1",
        "fe80::1%eth0", "fc00::1", "fec0::1", "ff02::1", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
        "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:7f00:1::", "nonsense",
    ],
)  # fmt: skip
def test_addresses_inside_are_refused_for_every_name(monkeypatch: pytest.MonkeyPatch, ip: str) -> None:
    assert not is_public(ip)
    answers(monkeypatch, "93.184.216.34", ip)
    with pytest.raises(ReadError, match="not on the public internet"):
        get(Fetcher(pause_s=0, retry_s=0), "http://innocent.example/")


@pytest.mark.parametrize("ip", ["93.184.216.34", "1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1"])
def test_public_addresses_are_public(ip: str) -> None:
    assert is_public(ip)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost", "2130706433", "0x7f.1", "127.1"])
def test_this_machine_is_refused_however_it_is_written(site: Site, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", resolve_for_real)  # numbers ask no server
    with pytest.raises(ReadError, match=r"not on the public internet|cannot be read"):
        get(Fetcher(pause_s=0, retry_s=0), f"http://{host}:{site.port}/")
    assert site.requests == []


BLOCKS = (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
    "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
    "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    "::/128", "::1/128", "::/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64",
    "2001::/32", "2001:1::1/128", "2001:1::2/128", "2001:1::3/128", "2001:2::/48", "2001:3::/32", "2001:4:112::/48",
    "2001:10::/28", "2001:20::/28", "2001:30::/28", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3ffe::/16",
    "3fff::/20", "4000::/2", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
)  # fmt: skip
"""Blocks of addresses that are not of the public internet, from the registries and not from the code."""


@pytest.mark.parametrize("block", BLOCKS)
def test_no_address_of_a_special_block_is_public(block: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for known in ("is_global", "is_private", "is_reserved", "is_multicast", "is_link_local", "is_loopback"):
        for kind in (ipaddress.IPv4Address, ipaddress.IPv6Address):
            monkeypatch.setattr(kind, known, property(lambda self: pytest.fail("Python's own list was asked")))
    network = ipaddress.ip_network(block)
    tried = {network[0], network[-1], network[network.num_addresses // 2], network[network.num_addresses // 3]}
    assert [str(address) for address in tried if is_public(str(address))] == []
    if network.version == 4:
        disguised = [f"{prefix}{address}" for prefix in ("::ffff:", "::", "64:ff9b::") for address in tried]
        disguised += [f"2002:{int(address) >> 16:x}:{int(address) & 0xFFFF:x}::1" for address in tried]  # 6to4
        disguised += [f"2606:4700::5efe:{address}" for address in tried]  # ISATAP
        assert [address for address in disguised if is_public(address)] == []


@pytest.mark.parametrize(
    "ip",
    [
        "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0", "191.255.255.255",
        "192.0.1.0", "192.0.3.0", "192.88.98.255", "192.88.100.0", "198.17.255.255", "198.20.0.0", "223.255.255.255",
        "::ffff:8.8.8.8", "2001:200::1", "2001:4860:4860::8888", "2003::1", "2620:4f:7fff::1", "3ffd::1", "2a00::1",
    ],
)  # fmt: skip
def test_the_neighbours_of_special_blocks_are_public(ip: str) -> None:
    assert is_public(ip)


@pytest.mark.parametrize(
    ("written", "host"),
    [
        ("127.1", "127.0.0.1"), ("0x7f.1", "127.0.0.1"), ("0177.0.0.01", "127.0.0.1"), ("2130706433", "127.0.0.1"),
        ("0X7F000001", "127.0.0.1"), ("127.0.0.1.", "127.0.0.1"), ("127。0。0。1", "127.0.0.1"), ("0x", "0.0.0.0"),  # noqa: S104
        ("\uff11\uff12\uff17.0.0.1", "127.0.0.1"), ("①②⑦.1", "127.0.0.1"), ("1\u00ad27.0.0.1", "127.0.0.1"),
        ("0", "0.0.0.0"), ("[::ffff:127.0.0.1]", "127.0.0.1"), ("[::FFFF:7F00:1]", "127.0.0.1"),  # noqa: S104
        ("[0:0:0:0:0:0:0:1]", "::1"), ("[2606:4700:0:0::1111]", "2606:4700::1111"),
        ("EXAMPLE.org.", "example.org"), ("example。org", "example.org"),
        ("b\u00fccher.example", "xn--bcher-kva.example"),
        ("under_score.example", "under_score.example"),
    ],
)  # fmt: skip
def test_a_server_has_one_name_however_it_is_written(written: str, host: str) -> None:
    place = f"[{host}]" if ":" in host else host
    assert normal(f"http://{written}/a") == f"http://{place}/a"
    assert fetch.host(normal(f"http://{written}/a")) == host


@pytest.mark.parametrize(
    "address",
    [
        "http://256.1.1.1/", "http://1.2.3.4.5/", "http://08.1/", "http://1.2.3.256/", "http://4294967296/",
        "http://1..1/", "http://./", "http://../", "http://.example/", "http://example../",
        "http://exa mple.org/", "http://%31%32%37.0.0.1/", "http://example.org%00/", "http://-a.example/",
        "http://a,b.example/", "http://a;b/", "http://a\\@127.0.0.1/", "http://@127.0.0.1/", "http://:@x.example/",
        "http://x.example:0/", "http://x.example:65536/", "http://x.example:-1/", "http://x.example:8０/",
        "http://x.example:80:80/", "http://[fe80::1%25eth0]/", "http://[2606:4700::1111%25lo]/", "http://[::1/",
        "http://[v1.a]/", "http://[127.0.0.1]/", "http://[]/", "http:/127.0.0.1/", "http:127.0.0.1", "//127.0.0.1/",
        "http:\\\\127.0.0.1\\", "http://" + "a." * 127 + "a/", "http://" + "a" * 64 + ".example/",
        "http://" + "ü" * 100_000,
        "http://x.example/" + "a" * 10_000, "http://a\u2100b.example/", "http://\ud800.example/", "",
    ],
)  # fmt: skip
def test_what_names_no_server_is_refused_before_anything_is_looked_up(
    fetcher: Fetcher, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = answers(monkeypatch, "93.184.216.34")
    with pytest.raises(ReadError) as refused:
        get(fetcher, address)
    assert asked == []
    assert len(str(refused.value)) < 400


def test_paths_of_any_characters_become_ones_that_a_request_can_have() -> None:
    address = normal("http://x.example/\ud800\r\nHost: evil.example?q=\ud800\t\0 x")
    assert address.isascii()
    assert address.isprintable()
    assert " " not in address


def test_a_resolver_that_changes_its_mind_is_asked_once_for_each_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is public when it is checked and leads inside when it is used."""
    ips = iter(["93.184.216.34", "127.0.0.1", "127.0.0.1"])
    reached: list[str] = []

    def resolve(host: str, port: int, **kwargs: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(ips), port))]

    def connect(self: socket.socket, place: tuple[str, int]) -> None:
        reached.append(place[0])
        raise OSError("the test goes no further")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket.socket, "connect", connect)
    for _ in range(2):
        with pytest.raises(ReadError):
            get(Fetcher(pause_s=0, retry_s=0), "http://rebinding.example/")
    assert reached == ["93.184.216.34"], "the second answer was refused without a connection"


def test_a_public_address_of_this_machine_is_inside(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, "127.0.0.1")
    monkeypatch.setattr(fetch, "is_public", lambda ip: True)
    monkeypatch.setattr(fetch, "PORTS", frozenset((site.port,)))
    site.replies["/"] = (200, {}, b"<p>secret")
    with pytest.raises(ReadError, match="this machine"):
        get(Fetcher(pause_s=0, retry_s=0), f"http://innocent.example:{site.port}/")
    assert site.requests == []


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
def test_no_proxy_of_the_environment_is_used(
    site: Site, fetcher: Fetcher, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "http://127.0.0.1:9")  # where nobody listens
    site.replies["/"] = (200, {}, b"<p>x")
    assert get(fetcher, site.address).content == b"<p>x"


def test_an_unusual_port_of_a_public_server_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, "93.184.216.34")
    with pytest.raises(ReadError, match="port 22"):
        get(Fetcher(pause_s=0, retry_s=0), "http://x.example:22/")


def test_a_redirect_to_the_inside_is_refused(site: Site, fetcher: Fetcher) -> None:
    site.replies["/"] = (302, {"Location": "http://[::1]/secret"}, b"")
    with pytest.raises(ReadError, match="::1, which is not on the public internet"):
        get(fetcher, site.address)
    site.replies["/file"] = (302, {"Location": "file:///etc/passwd"}, b"")
    with pytest.raises(ReadError, match="only http"):
        get(fetcher, f"{site.address}/file")


def test_the_connection_goes_to_the_address_that_was_checked(
    site: Site, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = answers(monkeypatch, "127.0.0.1")
    site.replies["/"] = (200, {}, b"<p>x")
    get(fetcher, f"http://rebinding.example:{site.port}/")
    assert site.requests[-1][1]["Host"] == f"rebinding.example:{site.port}"
    assert len(asked) == len(site.requests), "a name was looked up without a connection of its own"


def test_redirects_are_followed_so_far_and_no_further(site: Site, fetcher: Fetcher) -> None:
    for number in range(9):
        site.replies[f"/{number}"] = (301, {"Location": f"/{number + 1}"}, b"")
    site.replies["/9"] = (200, {}, b"<p>x")
    assert get(fetcher, f"{site.address}/5").address == f"{site.address}/9"
    with pytest.raises(ReadError, match="redirects more than"):
        get(fetcher, f"{site.address}/0")


def test_too_much_is_refused_packed_or_not(site: Site) -> None:
    small = Fetcher(allowed=frozenset(("127.0.0.1",)), pause_s=0, retry_s=0, max_bytes=1000)
    bomb = gzip.compress(b" " * 50_000_000)
    site.replies["/plain"] = (200, {}, b"x" * 1001)
    site.replies["/bomb"] = (200, {"Content-Encoding": "gzip"}, bomb)
    site.replies["/good"] = (200, {"Content-Encoding": "gzip"}, gzip.compress(b"y" * 1000))
    for path in ("/plain", "/bomb"):
        with pytest.raises(ReadError, match="larger than"):
            get(small, site.address + path)
    assert get(small, f"{site.address}/good").content == b"y" * 1000


def test_a_server_that_dribbles_is_left(site: Site) -> None:
    def dribble(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/html")
        handler.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(200):
                handler.wfile.write(b".")
                time.sleep(0.05)

    site.replies["/"] = dribble
    with pytest.raises(ReadError, match=r"too long|longer than"):
        get(Fetcher(allowed=frozenset(("127.0.0.1",)), pause_s=0, retry_s=0, total_s=0.5), site.address)


def test_an_answer_cut_short_is_refused(site: Site, fetcher: Fetcher) -> None:
    site.replies["/"] = (200, {"Content-Length": "100"}, b"half")
    site.replies["/packed"] = (200, {"Content-Encoding": "gzip"}, gzip.compress(b"whole words" * 99)[:-9])
    for path in ("/", "/packed"):
        with pytest.raises(ReadError, match="cut short"):
            get(Fetcher(allowed=fetcher.allowed, pause_s=0, retry_s=0, timeout_s=1), site.address + path)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ((404, {}, b""), "answers 404 Not Found"),
        ((503, {}, b""), "answers 503"),
        ((200, {"Content-Type": "video/mp4"}, b"x"), "'video/mp4', not an article"),
        ((200, {"Content-Encoding": "br"}, b"x"), "packs its answer"),
        ((304, {}, b""), "answers 304"),
    ],
)
def test_what_is_no_article_is_refused(site: Site, fetcher: Fetcher, reply: Reply, reason: str) -> None:
    site.replies["/"] = reply
    with pytest.raises(ReadError, match=reason):
        get(fetcher, site.address)


def test_robots_are_obeyed_and_asked_once(site: Site, fetcher: Fetcher) -> None:
    rules = b"User-agent: *\nDisallow: /private\n\nUser-agent: citewire\nDisallow: /mine\n"
    site.replies["/robots.txt"] = (200, {"Content-Type": "text/plain"}, rules)
    site.replies["/a"] = site.replies["/mine"] = (200, {}, b"<p>x")
    site.replies["/b"] = (302, {"Location": "/mine"}, b"")
    get(fetcher, f"{site.address}/a")
    for path in ("/mine", "/b"):
        with pytest.raises(ReadError, match=r"robots\.txt"):
            get(fetcher, site.address + path)
    assert site.paths() == ["/a", "/b"]
    assert [path for path, _ in site.requests].count("/robots.txt") == 1


def test_a_site_that_cannot_give_its_robots_is_left_alone(site: Site, fetcher: Fetcher) -> None:
    site.replies["/robots.txt"] = (500, {}, b"")
    site.replies["/a"] = (200, {}, b"<p>x")
    with pytest.raises(ReadError, match=r"500 .*robots\.txt"):
        get(fetcher, f"{site.address}/a")
    assert site.paths() == []


def test_addresses_have_one_form() -> None:
    assert normal(" HTTP://Ex\u00e4mple.com:80/\u00e9 x?q=\u00fc#top ") == (
        "http://xn--exmple-cua.com/%C3%A9%20x?q=%C3%BC"
    )
    assert normal(normal("https://x.example/%C3%A9?a=b%20c")) == "https://x.example/%C3%A9?a=b%20c"


def test_offline_nothing_is_asked() -> None:
    with pytest.raises(ReadError, match="CITEWIRE_OFFLINE"):
        Fetcher(offline=True).fetch("https://example.org/", accept=("text/html",))


def test_what_may_pass_is_asked_again(site: Site, fetcher: Fetcher) -> None:
    for first in ((503, {}, b""), (429, {"Retry-After": "0"}, b""), (200, {"Content-Length": "9"}, b"half")):
        replies = iter([first, (200, {}, b"<p>x")])

        def reply(handler: BaseHTTPRequestHandler, replies: Any = replies) -> None:
            status, headers, body = next(replies)
            handler.send_response(status)
            for name, value in {"Content-Type": "text/html", "Content-Length": str(len(body)), **headers}.items():
                handler.send_header(name, value)
            handler.end_headers()
            handler.wfile.write(body)

        site.replies["/"] = reply
        assert get(Fetcher(allowed=fetcher.allowed, pause_s=0, retry_s=0, timeout_s=1), site.address).content == b"<p>x"


def test_what_does_not_pass_is_asked_so_often_and_no_more(site: Site, fetcher: Fetcher) -> None:
    site.replies["/"] = (503, {}, b"")
    with pytest.raises(ReadError, match="asked 3 times"):
        get(fetcher, site.address)
    assert site.paths() == ["/"] * 3
    site.replies["/gone"] = (404, {}, b"")
    with pytest.raises(ReadError, match="404"):
        get(fetcher, f"{site.address}/gone")
    assert site.paths().count("/gone") == 1


def test_a_server_that_asks_to_wait_long_is_not_asked_again(site: Site, fetcher: Fetcher) -> None:
    later = "Fri, 31 Dec 2100 23:59:59 GMT"
    for wait in ("3600", later):
        fetcher = Fetcher(allowed=fetcher.allowed, pause_s=0, retry_s=0)
        site.requests.clear()
        site.replies["/"] = (429, {"Retry-After": wait}, b"")
        site.replies["/other"] = (200, {}, b"<p>x")
        with pytest.raises(ReadError, match="asks to wait for"):
            get(fetcher, site.address)
        with pytest.raises(ReadError, match=r"not asked: 127\.0\.0\.1 is in trouble"):
            get(fetcher, f"{site.address}/other")
        assert site.paths() == ["/"]


def test_a_server_in_trouble_is_given_up_after_two_addresses(site: Site, fetcher: Fetcher) -> None:
    for name in "abc":
        site.replies[f"/{name}"] = (500, {}, b"")
        with pytest.raises(ReadError):
            get(fetcher, f"{site.address}/{name}")
    assert "/c" not in site.paths()


def test_a_wait_can_be_ended(site: Site, fetcher: Fetcher) -> None:
    stop = threading.Event()
    site.replies["/robots.txt"] = (200, {}, b"User-agent: *\nCrawl-delay: 9\n")
    site.replies["/"] = (200, {}, b"<p>x")
    get(fetcher, site.address)
    assert max(fetcher._ready.values()) > time.monotonic() + 5, "the Crawl-delay was not kept"
    stop.set()
    with pytest.raises(ReadError, match="stopped"):
        get(fetcher, site.address, stop=stop)
