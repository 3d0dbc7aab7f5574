"""Coming in over HTTP: whose address counts, who waits, and what somebody who waits is told."""

from __future__ import annotations

import itertools
import json
import threading
import urllib.error
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect, sync_playwright

from benchmarks.harness.browser import FLAGS
from index import Article, Index
from rag import Engine
from tests.fakes import BagOfWordsEmbedder, ScriptedLLM
from tests.test_auth import RIGHT, WRONG, Clock
from ui import auth, proxy, web
from ui.auth import Accounts
from ui.hashing import MOST_OF_ADDRESS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Served = Callable[..., "Page"]


class Page:
    """A page with passwords, as a client without a browser sees it."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def login(self, name: str, password: str, **headers: str) -> tuple[int, dict[str, Any], dict[str, str]]:
        """Status, body and headers of the answer."""
        form = urllib.parse.urlencode({"username": name, "password": password}).encode()
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            with urllib.request.urlopen(urllib.request.Request(f"{self.url}/login", form, names), timeout=60) as reply:
                return (
                    reply.status,
                    json.loads(reply.read()),
                    {name.lower(): value for name, value in reply.headers.items()},
                )
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read()), {name.lower(): value for name, value in error.headers.items()}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(auth, "COST", (2**8, 8, 1))
    path = tmp_path / "accounts"
    for name in ("ada", "bob"):
        auth.add(path, name=name, password=RIGHT)
    return path


@pytest.fixture
def served(home: Path, file: Path) -> Iterator[Served]:
    demos = []
    with Index.open(home, embedder=BagOfWordsEmbedder()) as index:
        index.add([Article("a1", "The talks broke down in 2009.")])
        engine = Engine.open(index=index, llm=ScriptedLLM())

        def serve(*proxies: str, accounts: Accounts | None = None) -> Page:
            demo = web.build(engine)
            demos.append(demo)
            login = (accounts or Accounts.load(file)).login
            return Page(web.launch(demo, auth=login, proxies=proxy.parse(proxies)))

        yield serve
        for demo in demos:
            demo.close(verbose=False)


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
def test_headers_do_not_make_guesses_free(served: Served, header: str) -> None:
    page = served()
    told = [
        page.login("ada", WRONG, **{header: f"203.0.113.{number}" if header != "Forwarded" else f"for=1.1.1.{number}"})
        for number in range(30)
    ]
    assert [status for status, _, _ in told].count(400) == auth.FREE_FAILURES


def test_behind_a_named_proxy_each_client_has_an_address_of_its_own(served: Served) -> None:
    page = served("127.0.0.1")
    for number in range(auth.FREE_FAILURES):
        forged = f"198.51.100.{number}, 203.0.113.1"  # the proxy appends what it saw to what the client wrote
        assert page.login("ada", WRONG, X_Forwarded_For=forged)[0] == 400
    assert page.login("ada", RIGHT, X_Forwarded_For="203.0.113.1")[0] != 200
    assert page.login("ada", RIGHT, X_Forwarded_For="198.51.100.1, 203.0.113.2")[0] == 200


def test_a_wait_is_told_as_one_and_a_right_password_is_not_called_wrong(served: Served, file: Path) -> None:
    clock = Clock()
    page = served(accounts=Accounts.load(file, clock=clock))
    for _ in range(auth.FREE_FAILURES + 2):
        assert page.login("ada", WRONG)[:2] == (400, {"detail": "Incorrect credentials."})
        clock.now += 2
    status, told, headers = page.login("ada", RIGHT)
    assert (status, headers["retry-after"]) == (429, "2")
    assert told == {"detail": "too many wrong passwords; wait 2 s, then try again"}
    assert "set-cookie" not in headers
    assert page.login("bob", RIGHT)[0] == 200
    clock.now += 2
    assert page.login("ada", RIGHT)[0] == 200


def test_more_logins_than_are_checked_at_once_are_told_to_wait(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred wrong passwords from one address leave room for a right one from another."""
    page = served("127.0.0.1")
    free, real = threading.Event(), auth._scrypt

    def slow(*given: Any) -> bytes:
        assert free.wait(60)
        return real(*given)

    monkeypatch.setattr(auth, "_scrypt", slow)
    with ThreadPoolExecutor(101) as clients:
        wrong = [clients.submit(page.login, f"name{n}", WRONG, X_Forwarded_For="203.0.113.1") for n in range(100)]
        for done in itertools.islice(as_completed(wrong), 100 - MOST_OF_ADDRESS):
            assert done.result()[:2] == (
                429, {"detail": "many passwords are being checked; wait 2 s, then try again"},
            )  # fmt: skip
        right = clients.submit(page.login, "ada", RIGHT, X_Forwarded_For="203.0.113.2")
        free.set()
        assert right.result()[0] == 200
        assert sorted(one.result()[0] for one in wrong) == [400] * MOST_OF_ADDRESS + [429] * (100 - MOST_OF_ADDRESS)


@pytest.mark.browser
def test_the_login_page_says_how_long_to_wait(served: Served, file: Path, chromium: Path) -> None:
    page = served(accounts=Accounts.load(file, clock=Clock()))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS), headless=True)
        tab = browser.new_page()
        tab.goto(page.url)

        def log_in(password: str) -> None:
            tab.locator("input[type=text], input:not([type]), textarea").fill("ada")
            tab.locator("input[type=password]").fill(password)
            tab.get_by_role("button", name="Login").click()

        for _ in range(auth.FREE_FAILURES):
            with tab.expect_response("**/login") as reply:
                log_in(WRONG)
            assert reply.value.status == 400
        expect(tab.locator("p.creds")).to_be_visible()
        log_in(RIGHT)
        expect(tab.get_by_role("status")).to_have_text("too many wrong passwords; wait 1 s, then try again")
        expect(tab.locator("p.creds")).to_be_hidden()
        browser.close()
