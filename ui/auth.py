"""Accounts: names, hashed passwords and roles for the page, kept in a file. Knows no page and no Gradio.

    # one line for each; `citewire auth add FILE NAME --role editor` writes them
    ada:scrypt$32768$8$3$<salt>$<hash>:editor
    bob:scrypt$32768$8$3$<salt>$<hash>:reader

A reader asks; an editor also adds and removes articles. A line without a role is a reader's. Passwords are hashed with
scrypt (RFC 7914), each with a salt of its own; the cost stands in the line, so that it can rise later. Failures slow
down whoever makes them, not the account: see `Accounts.check`.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import ipaddress
import logging
import math
import os
import secrets
import threading
import time
from collections import OrderedDict
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self, get_args

from index.errors import Error, InputError
from ui import secret_file
from ui.hashing import BusyError, Hashing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future
    from pathlib import Path

Role = Literal["reader", "editor"]
"""What a login may do: a reader asks, an editor also adds and removes articles."""
ROLES: tuple[Role, ...] = get_args(Role)

COST = (2**15, 8, 3)
"""n, r and p of scrypt for new passwords: 32 MB and a quarter of a second. One of the equally strong settings of the
OWASP Password Storage Cheat Sheet."""
MOST_MEMORY_BYTES = 2**28
"""Most memory that a line of the file may demand: 128 n r, by the definition of scrypt."""
HASHING_BYTES = 2**28
"""Most memory for all passwords that are hashed at the same time."""
SALT_BYTES, HASH_BYTES = 16, 32
LEAST_CHARS, MOST_CHARS = 8, 1024
"""Length of a new password, at least, and of any password, at most."""
NAME_CHARS = 64

FREE_FAILURES = 5
"""Wrong passwords for one name from one address before it must wait a second; each further one doubles the wait."""
FREE_FAILURES_OF_ADDRESS = 20
"""The same for one address and any names."""
FREE = (FREE_FAILURES, FREE_FAILURES_OF_ADDRESS)
LONGEST_WAIT_S = 900.0
FORGET_S = 3600.0
"""Failures are forgotten after this time without another."""
BUSY_S = 2.0
"""Wait of a login that comes while too many passwords are being checked."""
MOST_TALLIES = 10_000
"""Most names and addresses whose failures are remembered; the oldest are forgotten first."""

ADDRESS: ContextVar[str] = ContextVar("address", default="")
"""Network address of the visitor; the server sets it for each request."""

_LOG = logging.getLogger("citewire.auth")


class WaitError(Error):
    """No password is checked, right or wrong, before `wait_s` seconds have passed."""

    def __init__(self, wait_s: float, *, reason: str) -> None:
        """`reason` says why, without a full stop."""
        self.wait_s = math.ceil(wait_s)
        super().__init__(f"{reason}; wait {self.wait_s} s, then try again")


@dataclass(frozen=True, slots=True)
class Password:
    """A hashed password: scrypt's cost, the salt and the hash."""

    n: int
    r: int
    p: int
    salt: bytes
    hash: bytes

    @classmethod
    def of(cls, password: str) -> Self:
        """Hash `password` with a new salt."""
        salt = secrets.token_bytes(SALT_BYTES)
        return cls(*COST, salt, _scrypt(password, salt, *COST))

    @classmethod
    def unknown(cls, cost: tuple[int, int, int]) -> Self:
        """A password that nobody knows and that takes as long to check as others of this cost."""
        return cls(*cost, secrets.token_bytes(SALT_BYTES), secrets.token_bytes(HASH_BYTES))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what str() wrote. Raises ValueError."""
        method, *numbers, salt, hashed = text.split("$")
        n, r, p = (int(number) for number in numbers)
        if method != "scrypt" or n < 2 or n & (n - 1) or r < 1 or not 1 <= p <= 16 or 128 * n * r > MOST_MEMORY_BYTES:
            raise ValueError(text)
        parsed = cls(n, r, p, _bytes(salt), _bytes(hashed))
        if len(parsed.hash) != HASH_BYTES or not parsed.salt:
            raise ValueError(text)
        return parsed

    def __str__(self) -> str:
        """Return the form in a line of the file."""
        return f"scrypt${self.n}${self.r}${self.p}${_text(self.salt)}${_text(self.hash)}"

    @property
    def cost(self) -> tuple[int, int, int]:
        """n, r and p."""
        return self.n, self.r, self.p

    def fits(self, password: str) -> bool:
        """Whether `password` is this one, in constant time."""
        return hmac.compare_digest(_scrypt(password, self.salt, self.n, self.r, self.p), self.hash)


@dataclass(frozen=True, slots=True)
class Account:
    """One line of the file; `role` is None where the line has none, which makes a reader."""

    password: Password
    role: Role | None = None


class Accounts:
    """Names with their passwords and roles, and their failed attempts. Safe to use from several threads."""

    def __init__(self, known: Mapping[str, Account], *, clock: Callable[[], float] = time.monotonic) -> None:
        """`Accounts.load` reads a file; `clock` gives seconds."""
        self._known = dict(known)
        costs = [account.password.cost for account in known.values()] or [COST]
        self._strangers = [Password.unknown(cost) for cost in costs]
        self._stranger_key = secrets.token_bytes(HASH_BYTES)
        self._tallies: dict[tuple[str, ...], _Tally] = {}
        self._let_in: OrderedDict[str, None] = OrderedDict()  # addresses that a login came from, the latest last
        self._clock = clock
        self._lock = threading.RLock()  # turning one away for another calls back
        self._hashing = Hashing(at_once=HASHING_BYTES // max(128 * n * r for n, r, _ in costs))

    @classmethod
    def load(cls, path: Path, *, clock: Callable[[], float] = time.monotonic) -> Self:
        """The accounts in `path`. Raises InputError, with the line, for a malformed file."""
        known = _read(path)
        if not known:
            raise InputError(f"{path} has no account; run: citewire auth add {path} NAME")
        return cls(known, clock=clock)

    @property
    def names(self) -> tuple[str, ...]:
        """The names that may log in."""
        return tuple(self._known)

    @property
    def without_role(self) -> tuple[str, ...]:
        """The names whose lines have no role; they are readers."""
        return tuple(name for name, account in self._known.items() if account.role is None)

    def role(self, name: str) -> Role:
        """What `name` may do. A name that is not in the file is a reader."""
        account = self._known.get(name)
        return (account.role if account is not None else None) or "reader"

    def check(self, name: str, password: str, *, address: str | None = None) -> bool:
        """Whether this is the password of `name`; False, without checking it, while the caller must wait.

        Wrong passwords from one address (default: ADDRESS) for one name make that address wait for that name, and many
        of them make it wait for all names. Others with the same name are not kept out. An unknown name takes as long
        as a known one. A few passwords are hashed at a time, which bounds the memory; those of addresses with fewer
        failures come first, and before others those of addresses that a login came from (ui/hashing.py).
        """
        try:
            return self._checked(name, password, address).result()
        except (WaitError, BusyError):
            return False

    async def login(self, name: str, password: str) -> bool:
        """`check` without blocking the server; what gr.Blocks.launch takes as auth.

        Raises WaitError where the password is not looked at.
        """
        try:
            return await asyncio.wrap_future(self._checked(name, password, None))
        except BusyError:
            raise WaitError(BUSY_S, reason="many passwords are being checked") from None

    def _checked(self, name: str, password: str, address: str | None) -> Future[bool]:
        """The result of `check` when it is known. Raises WaitError and BusyError."""
        address = network(ADDRESS.get() if address is None else address)
        tallies = ((name[:MOST_CHARS], address), (address,))
        with self._lock:
            wait_s = self._wait_s(tallies)
            if wait_s > 0:
                raise WaitError(wait_s, reason="too many wrong passwords")
            known = self._tallies.get((address,))
            # A guesser can have many fresh addresses; one that a right password came from is not among them.
            rank = (known.failures if known else 0) + (address not in self._let_in)
            result = self._hashing.submit(lambda: self._fits(name, password, tallies), address=address, rank=rank)
            self._count(tallies)
        result.add_done_callback(lambda done: self._discount(tallies, done))
        return result

    def _fits(self, name: str, password: str, tallies: tuple[tuple[str, ...], ...]) -> bool:
        account = self._known.get(name)
        kept = account.password if account is not None else self._stranger(name)
        if not kept.fits(password[: MOST_CHARS + 1]) or account is None or len(password) > MOST_CHARS:
            # Not the name: people type passwords into the wrong field.
            _LOG.warning("a login failed, from %s", tallies[1][0] or "an unknown address")
            return False
        self._give_back(tallies)
        return True

    def _stranger(self, name: str) -> Password:
        """A decoy for a name that is not in the file: always the same one, with the cost of some line."""
        digest = hmac.digest(self._stranger_key, name.encode("utf-8", "surrogatepass"), "sha256")
        return self._strangers[int.from_bytes(digest) % len(self._strangers)]

    def wait_s(self, name: str, *, address: str | None = None) -> float:
        """Seconds until `check` accepts a password for this name from this address again; 0 if it does."""
        address = network(ADDRESS.get() if address is None else address)
        with self._lock:
            return self._wait_s(((name[:MOST_CHARS], address), (address,)))

    def _wait_s(self, tallies: tuple[tuple[str, ...], ...]) -> float:
        now = self._clock()
        ends = [self._tallies[key].blocked_until for key in tallies if key in self._tallies]
        return max(0.0, *(end - now for end in ends)) if ends else 0.0

    def _count(self, tallies: tuple[tuple[str, ...], ...]) -> None:
        """Count an attempt as a failure from its beginning, so that simultaneous ones cannot slip through."""
        now = self._clock()
        for key, free in zip(tallies, FREE, strict=True):
            known = self._tallies.pop(key, None)
            failures = known.failures + 1 if known and now - known.last < FORGET_S else 1
            wait_s = min(2.0 ** (failures - free), LONGEST_WAIT_S) if failures >= free else 0.0
            self._tallies[key] = _Tally(failures, now, now + wait_s)
        while len(self._tallies) > MOST_TALLIES:
            self._tallies.pop(next(iter(self._tallies)))

    def _discount(self, tallies: tuple[tuple[str, ...], ...], result: Future[bool]) -> None:
        """Take back the count of an attempt that was turned away."""
        if not result.cancelled() and result.exception() is None:
            return
        with self._lock:
            for key, free in zip(tallies, FREE, strict=True):
                known = self._tallies.get(key)
                if known is not None:
                    failures = known.failures - 1
                    until = known.blocked_until if failures >= free else known.last
                    self._tallies[key] = _Tally(failures, known.last, until)

    def _give_back(self, tallies: tuple[tuple[str, ...], ...]) -> None:
        """Forget the failures of a name that came in; of those of its address only this attempt, so that an account
        of one's own does not make guessing others free."""
        with self._lock:
            own, of_address = tallies
            self._let_in[of_address[0]] = None
            self._let_in.move_to_end(of_address[0])
            while len(self._let_in) > MOST_TALLIES:
                self._let_in.popitem(last=False)
            self._tallies.pop(own, None)
            known = self._tallies.get(of_address)
            if known is not None:
                self._tallies[of_address] = _Tally(known.failures - 1, known.last, self._clock())


@dataclass(frozen=True, slots=True)
class _Tally:
    failures: int
    last: float
    blocked_until: float


def add(path: Path, *, name: str, password: str, role: Role | None = None) -> bool:
    """Write the line of `name` into the file, created if missing; returns whether it replaced one.

    Without `role`, a name that is there keeps its own, and a new one is a reader. The file is written whole and
    readable by its owner alone. Raises InputError for a name or password that cannot be used, and for a file that
    cannot be read as accounts.
    """
    if not name or name != name.strip() or not name.isprintable() or ":" in name or name.startswith("#"):
        raise InputError(
            f"the name {name!r} cannot be used: it may not have a colon, start with # or have blanks around it"
        )
    if len(name) > NAME_CHARS:
        raise InputError(f"the name has {len(name)} characters; at most {NAME_CHARS} are allowed")
    if not LEAST_CHARS <= len(password) <= MOST_CHARS:
        raise InputError(f"the password has {len(password)} characters; it needs {LEAST_CHARS} to {MOST_CHARS}")
    known = _read(path, replaced=name) if path.exists() else {}
    role = role or (known[name].role if name in known else None) or "reader"
    _write(path, [*_lines_without(path, name), _line(name, Account(Password.of(password), role))])
    return name in known


def listed(path: Path) -> dict[str, Role]:
    """The names in the file with their roles, in its order. Raises InputError as `Accounts.load` does."""
    return {name: account.role or "reader" for name, account in _read(path).items()}


def set_role(path: Path, *, name: str, role: Role) -> None:
    """Give a name another role; the password stays. Raises InputError for a name that is not in the file."""
    account = _account(path, name)
    _write(path, [*_lines_without(path, name), _line(name, Account(account.password, role))])


def remove(path: Path, *, name: str) -> None:
    """Remove a name from the file. Raises InputError for a name that is not in it."""
    _account(path, name)
    _write(path, _lines_without(path, name))


def _account(path: Path, name: str) -> Account:
    known = _read(path)
    if name not in known:
        raise InputError(f"{path} has no account {name!r}; list them with: citewire auth list {path}")
    return known[name]


def _line(name: str, account: Account) -> str:
    return f"{name}:{account.password}" + (f":{account.role}" if account.role else "")


def _lines_without(path: Path, name: str) -> list[str]:
    """The lines of the file, comments included, without that of `name`."""
    before = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [line for line in before if line.partition(":")[0].strip() != name or line.lstrip().startswith("#")]


def _read(path: Path, *, replaced: str | None = None) -> dict[str, Account]:
    """The account of each name in the file. What is wrong with the line of the name that is to be `replaced` is passed
    over."""
    try:
        text = path.read_text(encoding="utf-8")
        mode = path.stat().st_mode
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not a text file in UTF-8; create one with: citewire auth add FILE NAME") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); run: citewire auth add {path} NAME") from error
    if os.name == "posix" and mode & 0o022:
        raise InputError(f"{path} can be changed by other users; run: chmod 600 {path}")
    found: dict[str, Account] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, _, kept = (part.strip() for part in line.partition(":"))
        try:
            if name in found:
                raise InputError("this name is in the file twice")
            found[name] = _parsed(path, name, kept)
        except InputError as error:
            if name != replaced:
                raise InputError(f"{path}, line {number}: {error}") from error
    return found


def _parsed(path: Path, name: str, kept: str) -> Account:
    hashed, has_role, role = (part.strip() for part in kept.partition(":"))
    try:
        password = Password.parse(hashed)
    except ValueError as error:
        raise InputError(f"it must read NAME:scrypt$…:ROLE; to write it: citewire auth add {path} NAME") from error
    if not name:
        raise InputError("the name is missing")
    known = next((one for one in ROLES if one == role), None)
    if has_role and known is None:
        raise InputError(f"the role must be {' or '.join(ROLES)}; run: citewire auth add {path} NAME")
    return Account(password, known)


def _write(path: Path, lines: list[str]) -> None:
    try:
        secret_file.replace(path, "".join(f"{line}\n" for line in lines))
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from error


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    secret = password.encode("utf-8", "surrogatepass")
    return hashlib.scrypt(secret, salt=salt, n=n, r=r, p=p, maxmem=2 * MOST_MEMORY_BYTES, dklen=HASH_BYTES)


def network(address: str) -> str:
    """The addresses that one person may control: an IPv4 address, or the /64 of an IPv6 one."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed), 64), strict=False))


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
