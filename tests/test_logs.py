"""No question, article, password or token is written to a log, however much is logged."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from index import Article, Index
from rag import Engine
from tests.fakes import BagOfWordsEmbedder, ScriptedLLM
from tests.test_events import Http
from ui import auth, web
from ui.auth import Accounts
from ui.page_token import PageToken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import gradio as gr

    Serve = Callable[..., Http]

QUESTION = "When did the quagga7 talks break down?"
TEXT = "The quagga7 talks broke down in 2009."
PASSWORD, WRONG = "okapi8 horse battery", "okapi8 mule battery"
TOKEN = "aardvark9-" * 4
CANARIES = ("quagga7", "okapi8", "aardvark9")


class Told:
    """All that was logged or printed."""

    def __init__(self, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
        caplog.set_level(logging.DEBUG)
        for name in list(logging.root.manager.loggerDict):
            caplog.set_level(logging.DEBUG, logger=name)
        self._caplog, self._capfd = caplog, capfd

    def secrets(self) -> list[str]:
        out, err = self._capfd.readouterr()
        lines = f"{out}\n{err}\n{self._caplog.text}".splitlines()
        return [line for line in lines if any(canary in line for canary in CANARIES)]


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Told:
    return Told(caplog, capfd)


@pytest.fixture
def serve(home: Path) -> Iterator[Serve]:
    demos: list[gr.Blocks] = []
    with Index.open(home, embedder=BagOfWordsEmbedder()) as index:
        index.add([Article("a", TEXT, "quagga7", "Post")])
        engine = Engine.open(index=index, llm=ScriptedLLM(TEXT))

        def serving(*, accounts: Accounts | None = None, token: PageToken | None = None) -> Http:
            demo = web.build(engine)
            demos.append(demo)
            return Http(web.launch(demo, auth=accounts.login if accounts else None, token=token), demo)

        yield serving
        for demo in demos:
            demo.close(verbose=False)


def test_an_index_and_an_engine_log_no_text(home: Path, tmp_path: Path, told: Told) -> None:
    (tmp_path / "a.txt").write_text(TEXT)
    (tmp_path / "b.pdf").write_text(f"%PDF-1.4 {TEXT}")  # cannot be read
    with Index.open(home, embedder=BagOfWordsEmbedder()) as index:
        index.sync([tmp_path / "a.txt", tmp_path / "b.pdf"])
        assert index.search("quagga7")
        assert Engine.open(index=index, llm=ScriptedLLM(TEXT)).ask(QUESTION).text
    assert told.secrets() == []


def test_the_page_logs_no_password_and_no_question(
    serve: Serve, tmp_path: Path, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "COST", (2**8, 8, 1))
    auth.add(tmp_path / "accounts", name="ada", password=PASSWORD)
    page = serve(accounts=Accounts.load(tmp_path / "accounts"))
    for _ in range(auth.FREE_FAILURES + 1):
        with pytest.raises(OSError, match=r"40|42"):
            page.login("bob", WRONG.replace(" ", "+"))
    page.login("ada", PASSWORD.replace(" ", "+"))
    status, given = page.send("ask.click", [QUESTION, None, "", "", ""])
    assert status == 200
    assert "2009" in given
    for wrong in (f"{QUESTION} before:quagga7", f"quagga7 {'x' * 3000}", "in:quagga7"):
        page.send("ask.click", [wrong, None, "", "", ""])
        page.send("find.change", [wrong, "", "", "", "", "newest"])
    page.post("queue/join", page.body("ask.click", [{"quagga7": [QUESTION]}, None, "", "", ""]))
    page.post("queue/join", f'{{"data": "{QUESTION}"'.encode())
    assert told.secrets() == []


def test_the_page_logs_no_token(serve: Serve, told: Told) -> None:
    page = serve(token=PageToken(TOKEN))
    assert page.send("find.change", ["quagga7", "", "", "", "", "newest"])[0] == 200
    assert "aardvark9" not in page.front
    assert told.secrets() == []


def test_a_canary_that_is_logged_is_found(told: Told) -> None:
    logging.getLogger("citewire.any").debug("quagga7")
    assert told.secrets()
