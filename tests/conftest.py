"""What all tests share: a home of their own, no network, and the real models loaded once."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from index.embedder import SentenceEmbedder
from index.models import choose, locate

if TYPE_CHECKING:
    from collections.abc import Iterator

BROWSERS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
LOOPBACK = ("127.", "::1", "localhost")


class NetworkBlockedError(OSError):
    """A test tried to leave this machine."""


def _stays_here(family: int, address: Any) -> bool:
    return family not in (socket.AF_INET, socket.AF_INET6) or str(address[0]).startswith(LOOPBACK)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Only this machine can be reached; a test that tries anything else fails, even if the code copes."""
    attempts: list[str] = []

    def guard(method: Any) -> Any:
        def connect(self: socket.socket, address: Any) -> Any:
            if _stays_here(self.family, address):
                return method(self, address)
            attempts.append(f"connect to {address}")
            raise NetworkBlockedError(f"tests may not connect to {address}")

        return connect

    resolve = socket.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name is None or name == "" or name.startswith(LOOPBACK) or name in ("0.0.0.0", "::"):  # noqa: S104
            return resolve(host, *args, **kwargs)
        attempts.append(f"look up {name}")
        raise socket.gaierror(socket.EAI_NONAME, f"tests may not look up {name}")

    monkeypatch.setattr(socket.socket, "connect", guard(socket.socket.connect))
    monkeypatch.setattr(socket.socket, "connect_ex", guard(socket.socket.connect_ex))
    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield
    assert not attempts, f"the test used the network: {'; '.join(attempts)}"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh home, and no setting of the person who runs the tests but where the models are."""
    for name in [name for name in os.environ if name.startswith("CITEWIRE_")]:
        if name != "CITEWIRE_MODELS":
            monkeypatch.delenv(name)
    place = tmp_path / "home"
    monkeypatch.setenv("CITEWIRE_HOME", str(place))
    for name in ("CITEWIRE_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
    return place


@pytest.fixture(scope="session")
def embedder() -> SentenceEmbedder:
    """The real default embedder. A missing model is an error that says how to get it, never a skip."""
    loaded = SentenceEmbedder()
    loaded.load()
    return loaded


@pytest.fixture(scope="session")
def llm() -> Iterator[Any]:
    """The real default LLM, loaded once for all tests."""
    from rag.llm import LlamaCpp

    loaded = LlamaCpp.load(locate(None, "llm"), name=choose(None, "llm").name)
    yield loaded
    loaded.close()


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The browser for the page's tests. Missing is a failure under CI and a skip elsewhere."""
    found = next((path for path in map(shutil.which, BROWSERS) if path), None)
    if found is None:
        message = "Chromium is missing; on Debian: sudo apt-get install chromium"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(message)
    return Path(found)
