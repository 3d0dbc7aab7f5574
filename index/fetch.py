"""Fetch: an address → what is there, politely, and never from inside the network that Citewire runs in.

Names are looked up once; every answer must be a public address, and the connection goes to the very address that
was checked, so that a second look-up cannot point elsewhere. Each redirect is a new address, checked like the first.
Requests to one server follow each other with a pause; what may pass (429, 5xx, a lost connection) is tried again,
later each time. Any thread may fetch. Nothing is executed, no cookies are kept, no proxy of the environment is used.
Knows no articles.
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
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
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
MOST_PAUSE_S = 10.0
"""The longest Crawl-delay of a robots.txt that is kept; a site that asks for more gets this."""
TRIES = 3
"""How often an address is asked that may answer later."""
RETRY_S = 2.0
"""Before the second try, unless the server says how long; twice as long before the third."""
MOST_RETRY_S = 30.0
"""The longest Retry-After that is waited for; a server that asks for more is not asked again before that."""
DOWN_FAILURES = 2
"""Addresses in a row that a server failed on, with all their tries, before it is left alone …"""
DOWN_S = 60.0
"""… for so long, so that a feed with a hundred of them does not wait for each."""
MAX_REDIRECTS = 5
"""As many as RFC 2068 allows (10.3)."""
MOST_CHARS = 8192
"""Of an address; RFC 9110 asks servers for 8000."""
MOST_HOST_CHARS = 253
"""Of a name in the DNS, without the last dot (RFC 1035)."""
PORTS = frozenset((80, 443, 8000, 8080, 8443))
USER_AGENT = f"citewire/{__version__} (reads articles for one person; obeys robots.txt)"
AGENT_NAME = "citewire"

_PASSING = frozenset((429, 500, 502, 503, 504))
"""Answers that may be another one a moment later (RFC 9110, RFC 6585)."""
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_LABEL = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
"""Letters, digits, hyphens, and the underscores that some servers have, at most 63 of them (RFC 1035)."""
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


class _PassingError(ReadError):
    """What may be over in a moment; `after_s` is how long the server asks to wait, if it says."""

    def __init__(self, message: str, after_s: float | None = None) -> None:
        super().__init__(message)
        self.after_s = after_s


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
    """Fetches pages and feeds; keeps the robots.txt of each site it has met, and which servers are in trouble.

    `allowed` are addresses such as "127.0.0.1" that may be reached though they are not public, on any port: for
    tests, with a server of their own. `offline` refuses every address.
    """

    allowed: frozenset[str] = frozenset()
    offline: bool = False
    max_bytes: int = MAX_BYTES
    timeout_s: float = TIMEOUT_S
    total_s: float = TOTAL_S
    pause_s: float = PAUSE_S
    retry_s: float = RETRY_S
    _robots: dict[str, RobotFileParser] = field(default_factory=dict)
    _ready: dict[str, float] = field(default_factory=dict)
    _turns: defaultdict[str, threading.Lock] = field(default_factory=lambda: defaultdict(threading.Lock))
    _failures: dict[str, int] = field(default_factory=dict)
    _down: dict[str, tuple[float, str]] = field(default_factory=dict)
    _open: set[socket.socket] = field(default_factory=set)

    def fetch(
        self, address: str, *, accept: Sequence[str], stamp: str = "", stop: threading.Event | None = None
    ) -> Fetched:
        """What is at an http or https address, if its media type is one of `accept`.

        `stamp` is that of an earlier Fetched: if the server says that nothing has changed since, the result is
        `is_unchanged`. `stop` ends every wait. Raises ReadError, without naming `address`, for an address that may not
        be reached, a site whose robots.txt forbids it, an answer that is no success, and one that is too large, late
        or of another type; for what may pass only after TRIES.
        """
        if self.offline:
            raise ReadError("not asked: offline (CITEWIRE_OFFLINE), the network is not touched")
        place = normal(address)
        server = host(place)
        stop = stop or threading.Event()
        for attempt in range(1, TRIES + 1):
            self._check_up(server)
            try:
                got = self._followed(place, accept, stamp, stop)
            except _PassingError as error:
                wait_s = self.retry_s * 2 ** (attempt - 1) if error.after_s is None else error.after_s
                if wait_s > MOST_RETRY_S:
                    self._down[server] = (time.monotonic() + wait_s, f"it asked to wait for {wait_s:.0f} s")
                    raise ReadError(f"{error}; {server} asks to wait for {wait_s:.0f} s") from error
                if attempt == TRIES or stop.is_set():
                    self._note_failure(server, str(error))
                    raise ReadError(f"{error}; asked {attempt} times, try again later") from error
                stop.wait(wait_s)
            else:
                self._failures.pop(server, None)
                return got
        raise AssertionError("unreachable")

    def hang_up(self) -> None:
        """End every connection that is open; what is being fetched fails."""
        _hang_up(list(self._open))

    def _followed(self, place: str, accept: Sequence[str], stamp: str, stop: threading.Event) -> Fetched:
        """What is at an address, after redirects."""
        deadline = time.monotonic() + self.total_s
        for _ in range(MAX_REDIRECTS + 1):
            self._check_robots(place, deadline, stop)
            headers = {"Accept": ", ".join((*accept, "*/*;q=0.1")), **_conditions(stamp)}
            answer = self._get(place, deadline, headers, stop)
            if answer.status == 304 and stamp:
                return Fetched(place, b"", "", None, stamp, is_unchanged=True)
            target = answer.headers.get("Location") if answer.status in _REDIRECTS else None
            if target is None:
                return _accepted(place, answer, accept)
            place = normal(urljoin(place, target))
        raise ReadError(f"it redirects more than {MAX_REDIRECTS} times; add the address it leads to")

    def _check_up(self, server: str) -> None:
        until_s, reason = self._down.get(server, (0.0, ""))
        if time.monotonic() < until_s:
            raise ReadError(f"not asked: {server} is in trouble ({reason}); try again later")

    def _note_failure(self, server: str, reason: str) -> None:
        self._failures[server] = self._failures.get(server, 0) + 1
        if self._failures[server] >= DOWN_FAILURES:
            self._down[server] = (time.monotonic() + DOWN_S, reason)

    def _check_robots(self, address: str, deadline: float, stop: threading.Event) -> None:
        site = "{0.scheme}://{0.netloc}".format(urlsplit(address))
        known = self._robots.get(site)
        if known is None or time.time() - known.mtime() > ROBOTS_S:
            self._robots[site] = self._fetched_robots(site, deadline, stop)
        if not self._robots[site].can_fetch(AGENT_NAME, address):
            raise ReadError("the site's robots.txt asks programs not to fetch it; save the page and add the file")

    def _fetched_robots(self, site: str, deadline: float, stop: threading.Event) -> RobotFileParser:
        """RFC 9309: what is not there forbids nothing, a server in trouble forbids everything."""
        robots = RobotFileParser()
        place = f"{site}/robots.txt"
        for _ in range(MAX_REDIRECTS + 1):
            answer = self._get(place, deadline, {"Accept": "text/plain"}, stop, limit=ROBOTS_BYTES, is_cut=True)
            target = answer.headers.get("Location") if answer.status in _REDIRECTS else None
            if target is None:
                break
            place = normal(urljoin(place, target))
        if answer.status >= 500 or answer.status == 429:
            raise _PassingError(f"the site answers {answer.status} when asked for its robots.txt", _retry_after(answer))
        rules = answer.content.decode("utf-8-sig", "replace") if answer.status == 200 else ""
        robots.parse(rules.splitlines())
        robots.modified()
        return robots

    def _get(
        self, address: str, deadline: float, headers: Mapping[str, str], stop: threading.Event, *,
        limit: int | None = None, is_cut: bool = False,
    ) -> _Answer:  # fmt: skip
        """One request, in its turn: a server gets one at a time from here."""
        server, started_s = host(address), time.monotonic()
        with self._turns[server]:
            self._wait_for(server, stop)
            deadline += time.monotonic() - started_s  # the wait was ours, not the server's
            return self._asked(address, deadline, headers, limit=limit, is_cut=is_cut)

    def _asked(
        self, address: str, deadline: float, headers: Mapping[str, str], *, limit: int | None, is_cut: bool
    ) -> _Answer:  # fmt: skip
        pieces = urlsplit(address)
        host, port = pieces.hostname or "", pieces.port or (443 if pieces.scheme == "https" else 80)
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
            raise _PassingError(f"{host} took too long to answer") from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            if time.monotonic() >= deadline:
                raise _PassingError(f"{host} took too long to answer") from error
            if _is_passing(error):
                raise _PassingError(f"{host} cannot be read ({_reason(error)})") from error
            raise ReadError(f"{host} cannot be read ({_reason(error)}); check the address") from error
        finally:
            watch.cancel()
            self._open.difference_update(links)
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
            self._open.add(link)
            try:
                link.settimeout(self._left(deadline))
                link.connect((ip, port))
                self._check_other(link, ip)
                if scheme == "https":
                    link = _context().wrap_socket(link, server_hostname=host, do_handshake_on_connect=False)
                    links.append(link)
                    self._open.add(link)
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

    def _wait_for(self, server: str, stop: threading.Event) -> None:
        """Leave a pause between two requests to one server: its robots.txt's Crawl-delay, if that is longer."""
        stop.wait(max(0.0, self._ready.get(server, 0.0) - time.monotonic()))
        if stop.is_set():
            raise ReadError("not asked: the run was stopped")
        delays = [rules.crawl_delay(AGENT_NAME) for site, rules in list(self._robots.items()) if host(site) == server]
        asked_s = max((float(delay) for delay in delays if delay), default=0.0)
        self._ready[server] = time.monotonic() + max(self.pause_s, min(asked_s, MOST_PAUSE_S))

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


def _retry_after(answer: _Answer) -> float | None:
    """Seconds that a server asks to wait, given as such or as a date; None if it does not say."""
    given = answer.headers.get("Retry-After", "").strip()
    if given.isascii() and given.isdecimal():
        return float(given[:9])
    with contextlib.suppress(ValueError, TypeError):
        date = parsedate_to_datetime(given)
        date = date if date.tzinfo else date.replace(tzinfo=UTC)
        return max(0.0, date.timestamp() - time.time())
    return None


def _is_passing(error: Exception) -> bool:
    """Whether it may work a moment later. A name that no server has, and a refusal, will not."""
    if isinstance(error, socket.gaierror):
        return error.errno == socket.EAI_AGAIN
    return isinstance(error, (ConnectionError, http.client.HTTPException)) or "cut short" in str(error)


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
        reason = f"the site answers {answer.status} {http.client.responses.get(answer.status, '')}".rstrip()
        raise _PassingError(reason, _retry_after(answer)) if answer.status in _PASSING else ReadError(reason)
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
