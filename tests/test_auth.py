"""ui/auth.py: who comes in, who waits, and what a file of passwords must be."""

from __future__ import annotations

import asyncio
import os
import stat
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from index.errors import InputError
from ui import auth
from ui.auth import Accounts
from ui.hashing import Hashing

RIGHT, WRONG = "correct horse battery", "incorrect horse battery"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes that take a millisecond. Their real cost is asserted, not waited for."""
    assert 128 * auth.COST[0] * auth.COST[1] >= 2**25
    monkeypatch.setattr(auth, "COST", (2**8, 8, 1))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "accounts"
    auth.add(path, name="ada", password=RIGHT)
    auth.add(path, name="bob", password=RIGHT)
    return path


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def accounts(file: Path, clock: Clock) -> Accounts:
    return Accounts.load(file, clock=clock)


def test_only_the_right_password_of_a_known_name_comes_in(accounts: Accounts) -> None:
    assert accounts.names == ("ada", "bob")
    assert accounts.check("ada", RIGHT)
    for name, password in (("ada", WRONG), ("Ada", RIGHT), ("eve", RIGHT), ("", ""), ("ada", ""), ("ada:", RIGHT)):
        assert not accounts.check(name, password)


def test_nothing_that_is_typed_breaks_the_check(accounts: Accounts) -> None:
    for odd in ("\ud800", "x" * 10**6, "\0", "пароль", "a\nb"):
        assert not accounts.check(odd, RIGHT, address=odd)
        assert not accounts.check("ada", odd, address="\ud800")


def test_letters_of_any_language_and_blanks_make_a_password(file: Path) -> None:
    password = " пароль 🌊 "  # noqa: S105
    auth.add(file, name="Zoë", password=password)
    accounts = Accounts.load(file)
    assert accounts.check("Zoë", password)
    assert not accounts.check("Zoë", password.strip())


def test_a_name_that_is_not_there_costs_as_much_as_one_that_is(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[tuple[int, int, int]] = []
    real = auth._scrypt

    def counted(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
        hashed.append((n, r, p))
        return real(password, salt, n, r, p)

    monkeypatch.setattr(auth, "_scrypt", counted)
    accounts.check("ada", WRONG)
    accounts.check("nobody", WRONG)
    assert hashed == [auth.COST, auth.COST]


def test_names_that_are_not_there_cost_what_the_others_do_whatever_that_is(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "COST", (2**9, 8, 1))
    auth.add(file, name="eve", password=RIGHT)
    monkeypatch.setattr(auth, "COST", (2**4, 8, 1))
    accounts = Accounts.load(file)
    hashed: dict[str, list[int]] = {}
    real = auth._scrypt

    def counted(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
        hashed.setdefault(password, []).append(n)
        return real(password, salt, n, r, p)

    monkeypatch.setattr(auth, "_scrypt", counted)
    for number in range(40):
        for _ in range(2):
            accounts.check(f"nobody {number}", f"password {number}", address=f"10.0.0.{number}")
    assert {tuple(costs) for costs in hashed.values()} == {(2**8, 2**8), (2**9, 2**9)}


def test_attempts_that_are_turned_away_count_for_nothing(accounts: Accounts, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, free, real = threading.Event(), threading.Event(), auth._scrypt

    def slow(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
        begun.set()
        assert free.wait(60)
        return real(password, salt, n, r, p)

    monkeypatch.setattr(auth, "_scrypt", slow)
    accounts._hashing = Hashing(at_once=1, waiting=2)
    tried = [accounts._checked("ada", WRONG, "10.0.0.0")]
    assert begun.wait(60)
    tried += [accounts._checked("ada", WRONG, f"10.0.0.{number}") for number in range(1, 9)]
    free.set()
    hashed = [number for number, one in enumerate(tried) if one.exception(60) is None]
    assert len(hashed) == 3
    assert [accounts._tallies[f"10.0.0.{number}",].failures for number in range(9)] == [
        int(number in hashed) for number in range(9)
    ]


def test_an_address_that_came_in_before_is_looked_at_before_a_hundred_new_ones(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    ranks: dict[str, int] = {}
    real = accounts._hashing.submit

    def submit(work: Any, *, address: str, rank: int) -> Future[bool]:
        ranks[address] = rank
        return real(work, address=address, rank=rank)

    monkeypatch.setattr(accounts._hashing, "submit", submit)
    assert accounts.check("ada", RIGHT, address="10.0.0.1")
    assert not accounts.check("ada", WRONG, address="10.0.0.2")
    assert accounts.check("ada", RIGHT, address="10.0.0.1")
    assert ranks["10.0.0.1"] < ranks["10.0.0.2"]


def test_after_five_failures_each_further_one_doubles_the_wait(accounts: Accounts, clock: Clock) -> None:
    for _ in range(5):
        assert accounts.wait_s("ada", address="10.0.0.1") == 0
        assert not accounts.check("ada", WRONG, address="10.0.0.1")
    for expected in (1, 2, 4, 8):
        assert accounts.wait_s("ada", address="10.0.0.1") == expected
        assert not accounts.check("ada", RIGHT, address="10.0.0.1"), "not even the right one, before the wait is over"
        clock.now += expected
        assert not accounts.check("ada", WRONG, address="10.0.0.1")
    clock.now += 16
    assert accounts.check("ada", RIGHT, address="10.0.0.1")
    assert accounts.wait_s("ada", address="10.0.0.1") == 0
    assert not accounts.check("ada", WRONG, address="10.0.0.1")
    assert accounts.wait_s("ada", address="10.0.0.1") == 0, "coming in wipes the slate"


def test_the_wait_has_an_end(accounts: Accounts, clock: Clock) -> None:
    for _ in range(30):
        accounts.check("ada", WRONG, address="10.0.0.1")
        clock.now += accounts.wait_s("ada", address="10.0.0.1")
    accounts.check("ada", WRONG, address="10.0.0.1")
    assert accounts.wait_s("ada", address="10.0.0.1") == auth.LONGEST_WAIT_S
    clock.now += auth.FORGET_S
    assert not accounts.check("ada", WRONG, address="10.0.0.1")
    assert accounts.wait_s("ada", address="10.0.0.1") == 0, "failures are forgotten in time"


def test_a_guesser_keeps_nobody_else_out(accounts: Accounts) -> None:
    for _ in range(10):
        accounts.check("ada", WRONG, address="10.0.0.1")
    assert accounts.check("ada", RIGHT, address="10.0.0.2")
    assert accounts.check("bob", RIGHT, address="10.0.0.1")


def test_an_address_that_tries_many_names_waits_for_all_of_them(accounts: Accounts) -> None:
    for number in range(auth.FREE_FAILURES_OF_ADDRESS):
        assert accounts.wait_s("bob", address="10.0.0.1") == 0
        accounts.check(f"name{number}", WRONG, address="10.0.0.1")
    assert not accounts.check("bob", RIGHT, address="10.0.0.1")
    assert accounts.check("bob", RIGHT, address="10.0.0.2")


def test_an_account_of_ones_own_does_not_make_guessing_free(accounts: Accounts, clock: Clock) -> None:
    for number in range(auth.FREE_FAILURES_OF_ADDRESS):
        accounts.check(f"name{number}", WRONG, address="10.0.0.1")
        accounts.check("bob", RIGHT, address="10.0.0.1")
    assert accounts.wait_s("ada", address="10.0.0.1") > 0


def test_coming_in_often_costs_no_wait(accounts: Accounts) -> None:
    assert all(accounts.check("ada", RIGHT, address="10.0.0.1") for _ in range(3 * auth.FREE_FAILURES_OF_ADDRESS))


@pytest.mark.parametrize("other", ["2001:db8:1:2::beef", "2001:db8:1:2:ffff::"])
def test_the_addresses_of_one_ipv6_network_count_as_one(accounts: Accounts, other: str) -> None:
    for _ in range(5):
        accounts.check("ada", WRONG, address="2001:db8:1:2::1")
    assert accounts.wait_s("ada", address=other) > 0
    assert accounts.wait_s("ada", address="2001:db8:1:3::1") == 0


def test_an_ipv4_address_is_the_same_in_ipv6(accounts: Accounts) -> None:
    for _ in range(5):
        accounts.check("ada", WRONG, address="::ffff:10.0.0.1")
    assert accounts.wait_s("ada", address="10.0.0.1") > 0


def test_many_at_a_time_do_not_slip_by(accounts: Accounts, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed = []
    real, together = auth._scrypt, threading.Barrier(12)

    def counted(*arguments: object) -> bytes:
        hashed.append(1)
        return real(*arguments)  # type: ignore[arg-type]

    def guess() -> None:
        together.wait()
        accounts.check("ada", WRONG, address="10.0.0.1")

    monkeypatch.setattr(auth, "_scrypt", counted)
    threads = [threading.Thread(target=guess) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(hashed) == auth.FREE_FAILURES


def test_memory_for_failures_is_bounded(accounts: Accounts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "MOST_TALLIES", 20)
    for number in range(50):
        accounts.check("ada", WRONG, address=f"10.0.0.{number}")
    assert len(accounts._tallies) == 20


def test_the_server_is_told_the_address_and_does_not_stand_still(accounts: Accounts) -> None:
    async def served() -> list[bool]:
        auth.ADDRESS.set("10.0.0.1")
        told = [await accounts.login("ada", password) for password in (RIGHT, *[WRONG] * 5)]
        with pytest.raises(auth.WaitError, match="wait 1 s"):
            await accounts.login("ada", RIGHT)
        return told

    assert asyncio.run(served()) == [True, *[False] * 5]
    assert accounts.wait_s("ada", address="10.0.0.1") > 0
    assert accounts.wait_s("ada", address="10.0.0.2") == 0


def test_a_failure_is_logged_without_what_was_typed(accounts: Accounts, caplog: pytest.LogCaptureFixture) -> None:
    accounts.check("my password by mistake", WRONG, address="10.0.0.1")
    assert [record.getMessage() for record in caplog.records] == ["a login failed, from 10.0.0.1"]


# The file


def test_the_file_holds_no_password_and_is_its_owners_alone(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert RIGHT not in text
    first, second = (line.split(":") for line in text.splitlines())
    assert (first[0], second[0]) == ("ada", "bob")
    assert first[1] != second[1], "the same password has another salt"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_another_password_takes_the_place_of_the_first(file: Path) -> None:
    file.write_text("# who may come in\n\n" + file.read_text(encoding="utf-8"), encoding="utf-8")
    assert auth.add(file, name="ada", password=WRONG)
    assert not auth.add(file, name="eve", password=RIGHT)
    accounts = Accounts.load(file)
    assert set(accounts.names) == {"ada", "bob", "eve"}
    assert accounts.check("ada", WRONG)
    assert not accounts.check("ada", RIGHT)
    assert file.read_text(encoding="utf-8").startswith("# who may come in\n")
    assert [path.name for path in file.parent.iterdir() if path.is_file()] == ["accounts"]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("eve", "NAME:scrypt"),
        ("eve:", "NAME:scrypt"),
        ("eve:secret", "NAME:scrypt"),
        ("eve:md5$1$1$1$AAAA$AAAA", "NAME:scrypt"),
        ("eve:scrypt$256$8$1$AAAA$AAAA", "NAME:scrypt"),
        ("eve:scrypt$257$8$1$AAAA$" + "A" * 43 + "=", "NAME:scrypt"),
        ("eve:scrypt$1073741824$8$1$AAAA$" + "A" * 43 + "=", "NAME:scrypt"),
        ("eve:scrypt$256$8$1$A!AA$" + "A" * 43 + "=", "NAME:scrypt"),
        (":scrypt$256$8$1$AAAA$" + "A" * 43 + "=", "name is missing"),
        ("ada:scrypt$256$8$1$AAAA$" + "A" * 43 + "=", "twice"),
    ],
)
def test_a_wrong_line_is_told_by_its_number_and_not_repeated(file: Path, line: str, complaint: str) -> None:
    with file.open("a", encoding="utf-8") as opened:
        opened.write(line + "\n")
    with pytest.raises(InputError, match=complaint) as refused:
        Accounts.load(file)
    assert f"{file}, line 3: " in str(refused.value)
    assert "AAAA" not in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_file_that_is_missing_empty_or_binary_is_told_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "accounts"
    with pytest.raises(InputError, match="citewire auth add"):
        Accounts.load(path)
    path.write_text("# nobody yet\n")
    path.chmod(0o600)
    with pytest.raises(InputError, match="no account"):
        Accounts.load(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="UTF-8"):
        Accounts.load(path)
    with pytest.raises(InputError, match="cannot be"):
        auth.add(tmp_path / "no" / "folder", name="ada", password=RIGHT)


@pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")
def test_a_file_that_others_can_change_is_refused(file: Path) -> None:
    file.chmod(0o620)
    with pytest.raises(InputError, match="chmod 600"):
        Accounts.load(file)


@pytest.mark.parametrize("name", ["", " ada", "a:b", "#ada", "a\nb", "x" * 65])
def test_a_name_that_cannot_stand_in_a_line_is_refused(file: Path, name: str) -> None:
    before = file.read_bytes()
    with pytest.raises(InputError, match="name"):
        auth.add(file, name=name, password=RIGHT)
    assert file.read_bytes() == before


@pytest.mark.parametrize("password", ["", "short", "x" * 1025])
def test_a_password_must_have_a_fit_length(file: Path, password: str) -> None:
    with pytest.raises(InputError, match="password has"):
        auth.add(file, name="eve", password=password)


# Roles


def without_roles(file: Path) -> None:
    """Make it a file of a time when there were no roles."""
    lines = [line.rsplit(":", 1)[0] for line in file.read_text(encoding="utf-8").splitlines()]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_a_role_stands_in_the_line_and_a_new_name_is_a_reader(file: Path) -> None:
    auth.add(file, name="eve", password=RIGHT, role="editor")
    accounts = Accounts.load(file)
    assert [accounts.role(name) for name in ("ada", "eve", "nobody", "", "eve ")] == [
        "reader", "editor", "reader", "reader", "reader",
    ]  # fmt: skip
    assert accounts.check("eve", RIGHT)
    assert accounts.without_role == ()
    assert [line.rsplit(":", 1)[1] for line in file.read_text(encoding="utf-8").splitlines()] == [
        "reader", "reader", "editor",
    ]  # fmt: skip


def test_a_line_without_a_role_is_a_readers(file: Path) -> None:
    without_roles(file)
    accounts = Accounts.load(file)
    assert accounts.check("ada", RIGHT)
    assert accounts.role("ada") == "reader"
    assert accounts.without_role == ("ada", "bob")
    assert auth.listed(file) == {"ada": "reader", "bob": "reader"}


def test_another_role_keeps_the_password_and_another_password_the_role(file: Path) -> None:
    auth.set_role(file, name="ada", role="editor")
    assert Accounts.load(file).check("ada", RIGHT)
    auth.add(file, name="ada", password=WRONG)
    accounts = Accounts.load(file)
    assert accounts.check("ada", WRONG)
    assert (accounts.role("ada"), accounts.role("bob")) == ("editor", "reader")
    auth.set_role(file, name="ada", role="reader")
    assert Accounts.load(file).role("ada") == "reader"


def test_a_name_that_is_removed_does_not_come_in(file: Path) -> None:
    file.write_text("# ada: the first one\n" + file.read_text(encoding="utf-8"), encoding="utf-8")
    auth.remove(file, name="ada")
    assert not Accounts.load(file).check("ada", RIGHT)
    assert file.read_text(encoding="utf-8").startswith("# ada: the first one\nbob:")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    for name in ("ada", "", "# ada", "bob:reader"):
        with pytest.raises(InputError, match="citewire auth list"):
            auth.remove(file, name=name)
        with pytest.raises(InputError, match="citewire auth list"):
            auth.set_role(file, name=name, role="editor")
    auth.remove(file, name="bob")
    with pytest.raises(InputError, match="no account"):
        Accounts.load(file)


@pytest.mark.parametrize("role", ["", "admin", "Editor", "editor:editor", "editor,reader", "\u200beditor"])
def test_a_role_that_is_none_is_told_and_not_taken_for_another(file: Path, role: str) -> None:
    without_roles(file)
    lines = file.read_text(encoding="utf-8").splitlines()
    file.write_text(f"{lines[0]}\n{lines[1]}:{role}\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"line 2: the role must be reader or editor; run: citewire auth add"):
        Accounts.load(file)
    with pytest.raises(InputError, match="the role must be"):
        auth.add(file, name="ada", password=RIGHT)
    auth.add(file, name="bob", password=RIGHT)
    assert Accounts.load(file).role("bob") == "reader"
