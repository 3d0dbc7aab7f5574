"""What all tests share: a home of their own, no network, and the real models loaded once."""

from __future__ import annotations

import io
import os
import shutil
import socket
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from index.embedder import SentenceEmbedder
from index.fetch import Fetcher
from index.read import read
from tests.fakes import BagOfWordsEmbedder

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping

    from index.article import Article

CHROMIUM = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
LOOPBACK = ("127.", "::1", "localhost")
FIRST_PORT, PORTS = 7860, 100
"""Where Gradio begins to look for a free port, and how many it tries."""
KEPT_PASSAGES_BYTES = 10**9
"""Of passages that the real LLM has read."""

Reply = tuple[int, dict[str, str], bytes]
"""Status, headers and content."""


class NetworkBlockedError(OSError):
    """A test tried to leave this machine."""


def _stays_here(family: int, address: Any) -> bool:
    return family not in (socket.AF_INET, socket.AF_INET6) or str(address[0]).startswith(LOOPBACK)


def pytest_configure(config: pytest.Config) -> None:
    """Give each of several workers a share of the cores, for two models on the same cores wait for each other, and
    ports of its own, for between Gradio's look for a free one and its use another worker could take it."""
    worker = getattr(config, "workerinput", None)
    if worker is None:
        return
    place, workers = int(worker["workerid"].removeprefix("gw")), int(worker["workercount"])
    os.environ["GRADIO_SERVER_PORT"] = str(FIRST_PORT + PORTS * place)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[place::workers] or os.sched_getaffinity(0))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the modules that run a real model or a browser: of several workers none waits long for another when
    the last tests are short ones."""
    slow = {item.path for item in items if item.get_closest_marker("model") or item.get_closest_marker("browser")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep what a test wrote sendable between processes: hostile names have half surrogates, which UTF-8 has not."""
    report = yield
    report.sections = [(name, text.encode(errors="backslashreplace").decode()) for name, text in report.sections]
    return report


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


@pytest.fixture
def embedder() -> BagOfWordsEmbedder:
    """One of the test's own, which needs no model."""
    return BagOfWordsEmbedder()


@pytest.fixture(scope="session")
def real_embedder() -> SentenceEmbedder:
    """The default embedder. A missing model is an error that says how to get it, never a skip."""
    loaded = SentenceEmbedder()
    loaded.load()
    return loaded


@pytest.fixture(scope="session")
def llm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The real default LLM as an engine loads it, once for all tests of a process: it keeps the passages that it has
    read, for the tests of the other processes as well."""
    from rag.llm.kv_cache import KVCache
    from rag.loaded import LoadedModel
    from rag.settings import Settings

    top = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        top = top.parent
    top /= "passages"
    cache = KVCache(lambda article: top / (article or "none"), top, limit_bytes=KEPT_PASSAGES_BYTES)
    settings = Settings()
    loaded = LoadedModel(settings, lambda: cache)
    yield loaded.of(settings)
    loaded.close()


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The browser for the page's tests. Missing is a failure under CI and a skip elsewhere."""
    found = next((path for path in map(shutil.which, CHROMIUM) if path), None)
    if found is None:
        message = "Chromium is missing; on Debian: sudo apt-get install chromium"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(message)
    return Path(found)


class Site:
    """A server on this machine: path → reply; it keeps the requests it got."""

    def __init__(self) -> None:
        self.replies: dict[str, Reply | Callable[[BaseHTTPRequestHandler], None]] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.requests.append((self.path, dict(self.headers)))
                reply = site.replies.get(self.path, (404, {}, b""))
                if callable(reply):
                    return reply(self)
                status, headers, body = reply
                self.send_response(status)
                for name, value in {"Content-Type": "text/html", "Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
                return None

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.address = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def paths(self) -> list[str]:
        return [path for path, _ in self.requests if path != "/robots.txt"]


@pytest.fixture
def site() -> Iterator[Site]:
    """A server of the test's own."""
    opened = Site()
    yield opened
    opened.server.shutdown()
    opened.server.server_close()


@pytest.fixture
def fetcher() -> Fetcher:
    """It may reach the test's own server, and does not pause between two requests."""
    return Fetcher(allowed=frozenset(("127.0.0.1",)), pause_s=0, retry_s=0)


def one(path: Path) -> Article:
    """The only article in a file."""
    (article,) = read(path)
    return article


def zipped(members: Mapping[str, str | bytes]) -> bytes:
    """A zip archive with these files in it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def put(folder: Path, name: str, content: str | bytes) -> Path:
    """A file with this content."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path
