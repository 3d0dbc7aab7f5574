"""Coming in over HTTP: whose address counts, who waits, and what somebody who waits is told."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from index import Article, Index
from rag import Engine
from tests.fakes import BagOfWordsEmbedder, ScriptedLLM
from ui import auth, proxy, web
from ui.auth import Accounts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Served = Callable[..., "Page"]

RIGHT, WRONG = "correct horse battery", "incorrect horse battery"


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
                return reply.status, json.loads(reply.read()), dict(reply.headers)
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read()), dict(error.headers)


@pytest.fixture
def served(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setattr(auth, "COST", (2**8, 8, 1))
    file = tmp_path / "accounts"
    for name in ("ada", "bob"):
        auth.add(file, name=name, password=RIGHT)
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


def test_behind_a_named_proxy_each_client_has_an_address_of_its_own(served: Served) -> None:
    page = served("127.0.0.1")
    for number in range(auth.FREE_FAILURES):
        forged = f"198.51.100.{number}, 203.0.113.1"  # the proxy appends what it saw to what the client wrote
        assert page.login("ada", WRONG, X_Forwarded_For=forged)[0] == 400
    assert page.login("ada", RIGHT, X_Forwarded_For="203.0.113.1")[0] != 200
    assert page.login("ada", RIGHT, X_Forwarded_For="198.51.100.1, 203.0.113.2")[0] == 200
