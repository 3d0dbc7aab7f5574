"""Fetch: an address → what is there, politely, and never from inside the network that Citewire runs in.

Names are looked up once; every answer must be a public address, and the connection goes to the very address that
was checked, so that a second look-up cannot point elsewhere. Each redirect is a new address, checked like the first.
Nothing is executed, no cookies are kept, no proxy of the environment is used. Knows no articles.
"""

from __future__ import annotations

import contextlib
import functools
import gzip
import http.client
import ipaddress
import re
import socket
import ssl
import threading
import time
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote, urljoin, urlsplit
from urllib.robotparser import RobotFileParser

from index.errors import ReadError
from index.public import is_public
from index.release import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_BYTES = 16 * 1024 * 1024
"""Largest page or document, unpacked: half of what a file may have."""
ROBOTS_BYTES = 512 * 1024
"""RFC 9309 asks for at least 500 KiB of robots.txt."""
ROBOTS_S = 3600.0
"""How long a robots.txt is believed; RFC 9309 allows a day."""
TIMEOUT_S = 20.0
"""Longest wait for the next bytes of a server."""
TOTAL_S = 60.0
"""Longest time for one address, redirects included: a server may send a byte a second without end."""
PAUSE_S = 0.5
"""Between two requests to one server, so that a feed is no burden to it."""
MAX_REDIRECTS = 5
"""As many as RFC 2068 allows (10.3)."""
MOST_CHARS = 8192
"""Of an address; RFC 9110 asks servers for 8000."""
MOST_HOST_CHARS = 253
"""Of a name in the DNS, without the last dot (RFC 1035)."""
PORTS = frozenset((80, 443, 8000, 8080, 8443))
USER_AGENT = f"citewire/{__version__} (reads articles for one person; obeys robots.txt)"
AGENT_NAME = "citewire"

_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_LABEL = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
"""Letters, digits, hyphens, and the underscores that some servers have, at most 63 of them (RFC 1035)."""
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a server gave: the final address, the bytes, and their headers.

    `is_unchanged` when it answered that what `stamp` (see Fetcher.fetch) stands for has not changed; then there is
    no content.
    """

    address: str
    content: bytes
    media_type: str
    charset: str | None
    stamp: str
    is_unchanged: bool = False


@dataclass(slots=True)
class Fetcher:
    """Fetches pages and feeds; keeps the robots.txt of each site it has met.

    `allowed` are addresses such as "127.0.0.1" that may be reached though they are not public, on any port: for
    tests, with a server of their own. `offline` refuses every address.
    """

    allowed: frozenset[str] = frozenset()
    offline: bool = False
    max_bytes: int = MAX_BYTES
    timeout_s: float = TIMEOUT_S
    total_s: float = TOTAL_S
    pause_s: float = PAUSE_S
    _robots: dict[str, RobotFileParser] = field(default_factory=dict)
    _asked: dict[str, float] = field(default_factory=dict)

    def fetch(self, address: str, *, accept: Sequence[str], stamp: str = "") -> Fetched:
        """What is at an http or https address, if its media type is one of `accept`.

        `stamp` is that of an earlier Fetched: if the server says that nothing has changed since, the result is
        `is_unchanged`. Raises ReadError, without naming `address`, for an address that may not be reached, a site
        whose robots.txt forbids it, an answer that is no success, and one that is too large, late or of another type.
        """
        if self.offline:
            raise ReadError("not asked: offline (CITEWIRE_OFFLINE), the network is not touched")
        deadline = time.monotonic() + self.total_s
        place = normal(address)
        for _ in range(MAX_REDIRECTS + 1):
            self._check_robots(place, deadline)
            answer = self._get(place, deadline, {"Accept": ", ".join((*accept, "*/*;q=0.1")), **_conditions(stamp)})
            if answer.status == 304 and stamp:
                return Fetched(place, b"", "", None, stamp, is_unchanged=True)
            target = answer.headers.get("Location") if answer.status in _REDIRECTS else None
            if target is None:
                return _accepted(place, answer, accept)
            place = normal(urljoin(place, target))
        raise ReadError(f"it redirects more than {MAX_REDIRECTS} times; add the address it leads to")

    def _check_robots(self, address: str, deadline: float) -> None:
        site = "{0.scheme}://{0.netloc}".format(urlsplit(address))
        known = self._robots.get(site)
        if known is None or time.time() - known.mtime() > ROBOTS_S:
            self._robots[site] = self._fetched_robots(site, deadline)
        if not self._robots[site].can_fetch(AGENT_NAME, address):
            raise ReadError("the site's robots.txt asks programs not to fetch it; save the page and add the file")

    def _fetched_robots(self, site: str, deadline: float) -> RobotFileParser:
        """RFC 9309: what is not there forbids nothing, a server in trouble forbids everything."""
        robots = RobotFileParser()
        place = f"{site}/robots.txt"
        for _ in range(MAX_REDIRECTS + 1):
            answer = self._get(place, deadline, {"Accept": "text/plain"}, limit=ROBOTS_BYTES, is_cut=True)
            target = answer.headers.get("Location") if answer.status in _REDIRECTS else None
            if target is None:
                break
            place = normal(urljoin(place, target))
        if answer.status >= 500 or answer.status == 429:
            raise ReadError(f"the site answers {answer.status} when asked for its robots.txt; try again later")
        rules = answer.content.decode("utf-8-sig", "replace") if answer.status == 200 else ""
        robots.parse(rules.splitlines())
        robots.modified()
        return robots

    def _get(
        self, address: str, deadline: float, headers: Mapping[str, str], *, limit: int | None = None,
        is_cut: bool = False,
    ) -> _Answer:  # fmt: skip
        pieces = urlsplit(address)
        host, port = pieces.hostname or "", pieces.port or (443 if pieces.scheme == "https" else 80)
        self._wait_for(host)
        request = {"Accept-Encoding": "gzip", "User-Agent": USER_AGENT, **headers}
        target = (pieces.path or "/") + (f"?{pieces.query}" if pieces.query else "")
        connection: http.client.HTTPConnection | None = None
        links: list[socket.socket] = []
        # A time limit on each read does not end a server that sends a byte now and then.
        watch = threading.Timer(self._left(deadline, whole=True), _hang_up, (links,))
        watch.daemon = True
        watch.start()
        try:
            connection = self._connected(pieces.scheme, host, port, deadline, links)
            connection.request("GET", target, headers=request)
            response = connection.getresponse()
            content = _received(connection, response, deadline, limit or self.max_bytes, is_cut=is_cut)
        except ssl.SSLError as error:
            raise ReadError(
                f"no secure connection to {host} ({error.reason or error}); open it in a browser"
            ) from error
        except TimeoutError as error:
            raise ReadError(f"{host} took too long to answer; try again later") from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            if time.monotonic() >= deadline:
                raise ReadError(f"{host} took too long to answer; try again later") from error
            raise ReadError(f"{host} cannot be read ({_reason(error)}); check the address") from error
        finally:
            watch.cancel()
            if connection is not None:
                connection.close()
        known = {name.title(): value for name, value in reversed(response.getheaders())}
        return _Answer(response.status, known, content)

    def _connected(
        self, scheme: str, host: str, port: int, deadline: float, links: list[socket.socket]
    ) -> http.client.HTTPConnection:
        """A connection to one of the checked addresses of `host`, with its name in Host and in TLS."""
        failure: OSError | None = None
        for family, ip in self._checked_addresses(host, port):
            link = socket.socket(family, socket.SOCK_STREAM)
            links.append(link)
            try:
                link.settimeout(self._left(deadline))
                link.connect((ip, port))
                self._check_other(link, ip)
                if scheme == "https":
                    link = _context().wrap_socket(link, server_hostname=host, do_handshake_on_connect=False)
                    links.append(link)
                    link.do_handshake()
            except ReadError:
                link.close()
                raise
            except OSError as error:
                link.close()
                failure = error
                continue
            kind = http.client.HTTPSConnection if scheme == "https" else http.client.HTTPConnection
            connection = kind(host, port, timeout=self.timeout_s)
            connection.sock = link
            connection.auto_open = 0  # it would look the name up again
            return connection
        raise failure or OSError("no address")

    def _checked_addresses(self, host: str, port: int) -> list[tuple[int, str]]:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys((int(family), str(place[0])) for family, _, _, _, place in found))
        for _, ip in addresses:
            if ip in self.allowed:
                continue
            if not is_public(ip):
                raise ReadError(f"{host} leads to {ip}, which is not on the public internet; save the page instead")
            if port not in PORTS:
                raise ReadError(f"port {port} is none that articles are read from; save the page instead")
        return addresses

    def _check_other(self, link: socket.socket, ip: str) -> None:
        """A public address of this very machine is inside: what listens there may be closed to the internet."""
        if ip not in self.allowed and link.getsockname()[0] == ip:
            raise ReadError(f"{ip} is this machine, which is not on the public internet; save the page instead")

    def _wait_for(self, host: str) -> None:
        """Leave a pause between two requests to one server."""
        ready = self._asked.get(host, 0.0) + self.pause_s
        time.sleep(max(0.0, min(ready - time.monotonic(), self.pause_s)))
        self._asked[host] = time.monotonic()

    def _left(self, deadline: float, *, whole: bool = False) -> float:
        remaining_s = deadline - time.monotonic()
        if remaining_s <= 0:
            raise ReadError(f"it took longer than {self.total_s:.0f} s; try again later")
        return remaining_s if whole else min(remaining_s, self.timeout_s)


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    content: bytes


def normal(address: str) -> str:
    """The address as it is fetched and remembered: host in its one form, no fragment, characters as URLs allow.

    A host in numbers (0x7f.1, 2130706433) becomes the IPv4 address it stands for, as in browsers. Raises ReadError for
    what is no http or https address with a host, or holds a user name or password.
    """
    if len(address) > MOST_CHARS:
        raise ReadError(f"the address has {len(address)} characters, at most {MOST_CHARS} are possible")
    try:
        pieces = urlsplit(address.strip())
        server, port = pieces.hostname, pieces.port
    except ValueError:
        raise ReadError(f"{address[:200]!r} is no address; check it") from None
    if pieces.scheme.lower() not in ("http", "https") or not server:
        raise ReadError(f"{address[:200]!r}: only http and https addresses are fetched")
    if "@" in pieces.netloc:
        raise ReadError("addresses with a user name or password are not fetched; save the page instead")
    if port == 0:
        raise ReadError(f"{address[:200]!r}: there is no port 0; check the address")
    place = _server(server, is_bracketed="[" in pieces.netloc)
    if port is not None and port != {"http": 80, "https": 443}[pieces.scheme.lower()]:
        place += f":{port}"
    path = quote(pieces.path or "/", safe="/%:@!$&'()*+,;=~-._", errors="replace")
    query = quote(pieces.query, safe="/%:@!$&()*+,;=?~-._'", errors="replace")
    return f"{pieces.scheme.lower()}://{place}{path}{f'?{query}' if query else ''}"


def _server(text: str, *, is_bracketed: bool) -> str:
    """The name or IP address of a server as it stands in a URL, in its one form. Raises ReadError."""
    wrong = ReadError(f"{text[:200]!r} is no name of a server; check the address")
    if is_bracketed:
        try:
            address = ipaddress.IPv6Address(text)
        except ValueError:
            raise wrong from None
        if address.scope_id is not None:
            raise ReadError(f"[{text[:80]}] is not on the public internet; save the page instead")
        return str(address.ipv4_mapped) if address.ipv4_mapped is not None else f"[{address.compressed}]"
    if len(text) > MOST_HOST_CHARS:
        raise wrong
    try:
        name = text.encode("idna").decode("ascii").lower().removesuffix(".")
    except UnicodeError:
        raise wrong from None
    if not _NAME.fullmatch(name) or len(name) > MOST_HOST_CHARS:
        raise wrong
    if _NUMBER.fullmatch(name.rpartition(".")[2]):
        try:
            return _in_numbers(name.split("."))
        except ValueError:
            raise wrong from None
    return name


def _in_numbers(pieces: Sequence[str]) -> str:
    """The IPv4 address that one to four numbers stand for, the last one for all bytes that are left.

    They are decimal, octal with a 0 in front, or hexadecimal with 0x. Raises ValueError.
    """
    if len(pieces) > 4:
        raise ValueError(pieces)
    numbers = [
        int(part[2:] or "0", 16) if part[:2] == "0x" else int(part, 8 if part[:1] == "0" else 10) for part in pieces
    ]
    *first, last = numbers
    if any(number > 255 for number in first) or last >= 256 ** (4 - len(first)):
        raise ValueError(pieces)
    return str(ipaddress.IPv4Address(sum(number << 8 * (3 - n) for n, number in enumerate(first)) + last))


def host(address: str) -> str:
    """The server's name in an address."""
    return urlsplit(address).hostname or ""


def _hang_up(links: Sequence[socket.socket]) -> None:
    for link in links:
        with contextlib.suppress(OSError):
            link.shutdown(socket.SHUT_RDWR)


@functools.cache
def _context() -> ssl.SSLContext:
    return ssl.create_default_context()


def _conditions(stamp: str) -> dict[str, str]:
    tag, _, date = stamp.partition("\n")
    return {**({"If-None-Match": tag} if tag else {}), **({"If-Modified-Since": date} if date else {})}


def _received(
    connection: http.client.HTTPConnection, response: http.client.HTTPResponse, deadline: float, limit: int, *,
    is_cut: bool,
) -> bytes:  # fmt: skip
    """The body, unpacked, within `limit` bytes packed and unpacked; beyond it is cut or refused."""
    coding = (response.getheader("Content-Encoding") or "").strip().lower()
    if coding not in ("", "identity", "gzip", "x-gzip"):
        raise ReadError(f"the server packs its answer as {coding[:40]!r}, which was not asked for")
    unpack = zlib.decompressobj(16 + zlib.MAX_WBITS) if "gzip" in coding else None
    pieces: list[bytes] = []
    packed_bytes = size_bytes = 0
    while True:
        remaining_s = deadline - time.monotonic()
        if remaining_s <= 0:
            raise TimeoutError
        if connection.sock is not None:
            connection.sock.settimeout(min(remaining_s, connection.timeout or remaining_s))
        piece = response.read1(65536)
        if not piece:
            if time.monotonic() >= deadline:  # we hung up, and without a length that looks like the end
                raise TimeoutError
            if response.length or (unpack is not None and not unpack.eof):
                raise OSError("the answer was cut short")
            return b"".join(pieces)
        packed_bytes += len(piece)
        if unpack is not None:
            try:
                piece = unpack.decompress(piece, limit - size_bytes + 1)
            except (zlib.error, gzip.BadGzipFile) as error:
                raise ReadError(f"the answer is damaged ({error}); try again later") from error
        pieces.append(piece)
        size_bytes += len(piece)
        if max(size_bytes, packed_bytes) > limit:
            if is_cut:
                return b"".join(pieces)[:limit]
            raise ReadError(f"it is larger than the limit of {limit >> 20} MiB; save the article instead")


def _accepted(address: str, answer: _Answer, accept: Sequence[str]) -> Fetched:
    if answer.status != 200:
        raise ReadError(f"the site answers {answer.status} {http.client.responses.get(answer.status, '')}".rstrip())
    given = answer.headers.get("Content-Type", "")
    media_type = given.partition(";")[0].strip().lower()
    if media_type and media_type not in accept:
        raise ReadError(f"it is {media_type[:80]!r}, not an article or a feed; save it and add the file")
    charset = re.search(r"charset\s*=\s*[\"']?([\w.:-]{1,40})", given, re.IGNORECASE)
    tag, date = answer.headers.get("Etag", ""), answer.headers.get("Last-Modified", "")
    stamp = f"{tag}\n{date}" if (tag or date) and len(tag + date) < 500 else ""
    return Fetched(address, answer.content, media_type, charset[1] if charset else None, stamp)


def _reason(error: Exception) -> str:
    if isinstance(error, socket.gaierror):
        return "no such server"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
