"""ui/web.py without a browser: what is built, what is served, and where uploads go."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from fakes import BagOfWordsEmbedder, ScriptedLLM

from index import Article, Index, InputError, ModelError
from rag import Engine
from ui import web

if TYPE_CHECKING:
    from collections.abc import Iterator


def request(url: str, *, host: str | None = None) -> tuple[int, str, dict[str, str]]:
    headers = {} if host is None else {"Host": host}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30) as reply:
            return reply.status, reply.read().decode(), {k.lower(): v for k, v in reply.headers.items()}
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), {}


@pytest.fixture
def engine(home: Path) -> Iterator[Engine]:
    with Index.open(home, embedder=BagOfWordsEmbedder()) as index:
        index.add([Article("a1", "The talks broke down in 2009.")])
        yield Engine.open(index=index, llm=ScriptedLLM())


@pytest.fixture
def url(engine: Engine) -> Iterator[str]:
    demo = web.build(engine)
    yield web.launch(demo).rstrip("/")
    demo.close(verbose=False)


def test_the_page_has_no_public_api(engine: Engine) -> None:
    config = web.build(engine).get_config_file()
    public = [event["targets"] for event in config["dependencies"] if event["api_visibility"] != "private"]
    assert public == []
    assert config["analytics_enabled"] is False


def test_it_listens_on_loopback_only(engine: Engine) -> None:
    demo = web.build(engine)
    url = web.launch(demo)
    try:
        assert demo.server_name == "127.0.0.1"
        assert urlsplit(url).hostname == "127.0.0.1"
        assert demo.share_url is None
    finally:
        demo.close(verbose=False)


def test_a_taken_port_is_an_error_that_names_another(engine: Engine, url: str) -> None:
    port = urlsplit(url).port
    with pytest.raises(InputError, match=f"citewire chat --port {port + 1}"):  # type: ignore[operator]
        web.launch(web.build(engine), port=port)


def test_files_and_other_addresses_are_not_served(url: str, home: Path) -> None:
    for path in (
        f"/gradio_api/file={home}/uploads/a.txt",
        "/gradio_api/file=/etc/passwd",
        "//gradio_api//file=/etc/passwd",
        "/gradio_api/file=http://127.0.0.1:1/",
        "/gradio_api/proxy=http://127.0.0.1:1/",
    ):
        assert request(url + path)[0] == 403, path


def test_every_page_forbids_the_browser_to_load_from_elsewhere(url: str) -> None:
    status, body, headers = request(url)
    assert status == 200
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "fonts.googleapis" not in body


def test_a_foreign_name_for_this_machine_is_refused(url: str) -> None:
    assert request(url, host="evil.example")[0] == 403
    assert request(url, host="localhost:7860")[0] == 200


def test_an_upload_event_cannot_name_a_file_of_the_server(url: str, engine: Engine, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("The password is swordfish.")
    config = json.loads(request(f"{url}/config")[1])
    [upload] = [d for d in config["dependencies"] if any(target[1] == "upload" for target in d["targets"])]
    event = {
        "data": [[{"path": str(secret), "meta": {"_type": "gradio.FileData"}}]],
        "fn_index": upload["id"],
        "session_hash": "intruder",
    }
    post = urllib.request.Request(
        f"{url}/gradio_api/queue/join", json.dumps(event).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(post, timeout=30):
        pass
    with urllib.request.urlopen(f"{url}/gradio_api/queue/data?session_hash=intruder", timeout=30) as events:
        done = next(line for line in events if b"process_completed" in line)
    assert json.loads(done.removeprefix(b"data:"))["success"] is False
    assert secret.exists()
    assert engine.index.stats().articles == 1


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("report.txt", "report.txt"),
        ("Überblick 2018.MD", "Überblick 2018.md"),
        (".hidden.txt", "hidden.txt"),
        ("...txt", "article.txt"),
        ("a<img src=x onerror=alert(1)>.txt", "a_img src_x onerror_alert_1.txt"),
        ("nul.txt", "_nul.txt"),
        ("\u202egnp.txt", "gnp.txt"),
        ("-rf.txt", "rf.txt"),
        ("💥.txt", "article.txt"),
        (f"{'long ' * 40}.txt", f"{('long ' * 40)[:79]}.txt"),
    ],
)
def test_an_upload_gets_a_harmless_name_inside_its_folder(name: str, kept: str, tmp_path: Path) -> None:
    upload = tmp_path / name
    upload.write_text("Words.")
    assert web.keep(upload, folder=tmp_path / "uploads") == tmp_path / "uploads" / kept


@pytest.mark.parametrize("stem", ["../../etc/cron", "..\\..\\boot", "/root/x", "..", "a\0b", "CON", "com1.tar"])
def test_no_name_leads_out_of_the_folder(stem: str) -> None:
    plain = web.harmless(stem)
    assert Path(plain).name == plain
    assert not set(plain) & set('\\/:*?"<>|\0')
    assert plain.lower() not in ("con", "com1.tar", "..", ".", "")


def test_an_upload_never_overwrites_another_file(tmp_path: Path) -> None:
    folder = tmp_path / "uploads"

    def upload(words: str) -> str:
        (tmp_path / "report.txt").write_text(words)
        return web.keep(tmp_path / "report.txt", folder=folder).name

    assert [upload("one"), upload("two"), upload("one"), upload("two")] == [
        "report.txt",
        "report-2.txt",
        "report.txt",
        "report-2.txt",
    ]
    assert (folder / "report.txt").read_text() == "one"


def test_an_upload_does_not_follow_a_link(tmp_path: Path) -> None:
    folder = tmp_path / "uploads"
    folder.mkdir()
    (tmp_path / "other.txt").write_text("kept")
    (folder / "report.txt").symlink_to(tmp_path / "other.txt")
    (tmp_path / "report.txt").write_text("kept")
    assert web.keep(tmp_path / "report.txt", folder=folder).name == "report-2.txt"


@pytest.mark.parametrize("name", ["page.exe", "noend", "archive.tar.gz"])
def test_other_types_are_refused_with_the_command_that_takes_them(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("x")
    with pytest.raises(InputError, match="citewire index add"):
        web.keep(tmp_path / name, folder=tmp_path / "uploads")


def test_an_upload_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "UPLOAD_BYTES", 4)
    (tmp_path / "large.txt").write_text("12345")
    with pytest.raises(InputError, match="larger than"):
        web.keep(tmp_path / "large.txt", folder=tmp_path / "uploads")


class Faulty:
    """An engine whose models are missing until they are pulled."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.pulled = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.engine, name)

    def load(self) -> None:
        if not self.pulled:
            raise ModelError("<b>model</b> is missing; run: citewire models pull")


def test_a_failed_load_is_told_escaped_and_tried_again_when_needed(engine: Engine) -> None:
    faulty = Faulty(engine)
    backend = web.Backend(lambda: faulty)  # type: ignore[arg-type,return-value]
    assert "Loading" in backend.status()
    with pytest.raises(ModelError):
        backend.loaded(threading.Event())
    assert "&lt;b&gt;model&lt;/b&gt; is missing; run: citewire models pull" in backend.status()
    faulty.pulled = True
    assert backend.loaded(threading.Event()) is faulty
    assert "Ready: scripted, 1 article" in backend.status()


def test_waiting_for_the_models_can_be_stopped(engine: Engine) -> None:
    hold, cancel = threading.Event(), threading.Event()

    def slow() -> Engine:
        hold.wait(60)
        return engine

    cancel.set()
    try:
        assert web.Backend(slow).loaded(cancel) is None
    finally:
        hold.set()
