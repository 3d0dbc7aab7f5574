"""A real model server, `python -m llama_cpp.server`, in the place of the model in this process: the same answers, with
and without its `top_logprobs`, and an error that mends when it is killed half way.

The server has each model twice: only where it keeps all logits does it say how likely its tokens were.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from openai import InternalServerError, OpenAI

from index import Index, ModelError
from index.models import locate
from rag import Answer, Engine, Settings, Token
from rag.answer import Reason
from rag.llm.llama import LlamaCpp
from rag.llm.remote import ASKED_ODDS
from tests.test_seeds import ANSWERED, REFUSED, SEEDS
from ui.api import programs
from ui.backend import Backend
from ui.folders import Folders

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.model

TINY, LARGE = "smollm2-135m", "qwen2.5-coder-1.5b"
STARTING_S = 120.0
# One passage, so that the model reads little; read whole in both places, as a server reads it.
SETTINGS = Settings(passages=1, context_tokens=1024, answer_tokens=48, splice=False, kv_bytes=0, mode="write")


class Server:
    """The server as a process of its own, always at one address."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._config = folder / "server.json"
        models = [
            {
                "model": str(locate(name, "llm")),
                "model_alias": f"{name}{'-odds' if has_odds else ''}",
                "n_ctx": SETTINGS.context_tokens,
                "logits_all": has_odds,
                "verbose": False,
            }
            for name in (TINY, LARGE)
            for has_odds in (False, True)
        ]
        self._config.write_text(json.dumps({"host": "127.0.0.1", "port": self.port, "models": models}))
        self._log = (folder / "server.log").open("wb")
        self.start()

    def address(self, model: str) -> str:
        return f"http://127.0.0.1:{self.port}/v1#{model}"

    def start(self) -> None:
        command = [sys.executable, "-m", "llama_cpp.server", "--config_file", str(self._config)]
        self.process = subprocess.Popen(command, stdout=self._log, stderr=self._log, env={**os.environ})
        ends = time.monotonic() + STARTING_S
        while time.monotonic() < ends:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/v1/models", timeout=5).close()
            except (urllib.error.URLError, OSError):
                assert self.process.poll() is None, Path(self._log.name).read_text()
                time.sleep(0.1)
            else:
                return
        raise AssertionError("the model server did not start")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        self.kill()
        self._log.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("server"))
    yield started
    started.close()


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory, real_embedder: Any) -> Iterator[Index]:
    with Index.open(tmp_path_factory.mktemp("home"), embedder=real_embedder) as opened:
        opened.sync([SEEDS])
        yield opened


@pytest.fixture(scope="module")
def tiny() -> Iterator[LlamaCpp]:
    loaded = LlamaCpp.load(locate(TINY, "llm"), name=TINY, context_tokens=SETTINGS.context_tokens, splice=False)
    yield loaded
    loaded.close()


def rests_on(answer: Answer) -> set[tuple[str, int, int]]:
    return {(one.article_id, one.start, one.end) for one in answer.citations}


@pytest.mark.parametrize(("model", "has_odds"), [(TINY, False), (f"{TINY}-odds", True)])
def test_an_answer_and_its_quotes_are_those_of_the_model_in_process(
    server: Server, index: Index, tiny: LlamaCpp, model: str, has_odds: bool
) -> None:
    # This model is not asked in process whether its drafts are right; without caution nothing comes of the asking.
    settings = replace(SETTINGS, caution=0.0)
    here = Engine.open(index=index, llm=tiny, settings=settings)
    with Engine.open(index=index, settings=replace(settings, llm=server.address(model))) as there:
        expected, answer = here.ask(ANSWERED[0][0]), there.ask(ANSWERED[0][0])
        assert not expected.refused
        # A model that was not calibrated is not left to stand without its quotes, which follow.
        assert answer.text.startswith(expected.text)
        assert rests_on(answer) == rests_on(expected)
        assert all(index.article(one.article_id).text[one.start : one.end] == one.quote for one in answer.citations)
        # Without odds there is a bare Yes or No, or neither.
        asked = {abs(answer.signals["correct"]), abs(answer.signals["answerable"])}
        assert has_odds is not (asked <= {0.0, ASKED_ODDS})
        for question in (REFUSED[0], REFUSED[2]):
            assert there.ask(question).reason == here.ask(question).reason == Reason.NOTHING_RELEVANT


def test_the_default_model_answers_and_refuses_as_in_process(server: Server, index: Index) -> None:
    question, held, outlet = ANSWERED[0]
    with Engine.open(index=index, settings=replace(SETTINGS, llm=server.address(f"{LARGE}-odds"))) as engine:
        answer = engine.ask(question)
        assert not answer.refused, answer.text
        assert all(words in answer.text for words in held)
        assert {one.source for one in answer.citations} == {outlet}
        assert all(index.article(one.article_id).text[one.start : one.end] == one.quote for one in answer.citations)
        assert answer.model == f"{LARGE}-odds at 127.0.0.1:{server.port}"
        assert engine.ask(REFUSED[1]).refused


def test_a_server_that_is_killed_half_way_is_an_error_that_mends_and_changes_nothing(
    server: Server, index: Index
) -> None:
    settings = replace(SETTINGS, caution=0.0, llm=server.address(TINY))
    question = ANSWERED[0][0]
    mend = f"look whether the model server at http://127.0.0.1:{server.port}/v1 runs"
    with Engine.open(index=index, settings=settings) as engine:
        before = engine.ask(question)
        turn = before.turn
        events = engine.stream(question, history=[turn])
        next(one for one in events if isinstance(one, Token))
        server.kill()
        with pytest.raises(ModelError, match=mend):
            list(events)
        with pytest.raises(ModelError, match="cannot be reached"):
            engine.ask(question, history=[turn])
        doors = programs.Programs(Backend(engine), home=index.home, folders=Folders())
        with (
            programs.running(doors, port=0) as url,
            OpenAI(base_url=f"{url}v1", api_key="none", max_retries=0) as client,
        ):
            said = [{"role": "user", "content": question}, {"role": "assistant", "content": before.text}]
            asked: Any = [*said, {"role": "user", "content": question}]
            with pytest.raises(InternalServerError, match=mend) as failed:
                client.chat.completions.create(model="citewire", messages=asked)
            assert failed.value.status_code == 503
            server.start()
            again: Any = client.chat.completions.create(model="citewire", messages=asked[-1:])
        doors.close()
        assert again.choices[0].message.content == before.text
        assert {(one["article_id"], one["start"], one["end"]) for one in again.search_results} == rests_on(before)
