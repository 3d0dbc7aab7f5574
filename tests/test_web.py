"""ui/web.py without a browser: what is built, what is served, and where uploads go."""

from __future__ import annotations

import json
import re
import threading
import urllib.error
import urllib.request
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import pytest

from index import Article, Index, InputError, ModelError
from index.models import Model, ModelFile
from rag import Engine
from rag.event import Progress
from rag.settings import Settings
from tests.fakes import BagOfWordsEmbedder, ScriptedLLM
from ui import backend, preferences, uploads, web
from ui.follow import batches, reported
from ui.html import lists
from ui.library import Library, Query

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


def test_no_rule_of_the_style_sheet_outweighs_the_others() -> None:
    """Gradio puts its classes in front of whatever follows a comma, and :is() counts the weightiest of its parts."""
    css = (files("ui") / "style.css").read_text(encoding="utf-8").split("*/", 1)[1]
    assert not re.findall(r":(?:is|not|has)\([^()]*,", css)


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
    uploads = [d for d in config["dependencies"] if any(target[1] == "upload" for target in d["targets"])]
    assert len(uploads) == 3  # of the start page, of the library, and of a draft
    for upload in uploads:
        named = [{"path": str(secret), "meta": {"_type": "gradio.FileData"}}]
        others = ["", "", "", "", "", "newest", "", "", ""][: len(upload["inputs"]) - 1]
        event = {"data": [named, *others], "fn_index": upload["id"], "session_hash": "intruder"}
        post = urllib.request.Request(
            f"{url}/gradio_api/queue/join", json.dumps(event).encode(), {"Content-Type": "application/json"}
        )
        with pytest.raises(urllib.error.HTTPError, match="422"):
            urllib.request.urlopen(post, timeout=30)
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
    assert uploads.keep(upload, folder=tmp_path / "uploads") == tmp_path / "uploads" / kept


@pytest.mark.parametrize("stem", ["../../etc/cron", "..\\..\\boot", "/root/x", "..", "a\0b", "CON", "com1.tar"])
def test_no_name_leads_out_of_the_folder(stem: str) -> None:
    plain = uploads.harmless(stem)
    assert Path(plain).name == plain
    assert not set(plain) & set('\\/:*?"<>|\0')
    assert plain.lower() not in ("con", "com1.tar", "..", ".", "")


def test_an_upload_never_overwrites_another_file(tmp_path: Path) -> None:
    folder = tmp_path / "uploads"

    def upload(words: str) -> str:
        (tmp_path / "report.txt").write_text(words)
        return uploads.keep(tmp_path / "report.txt", folder=folder).name

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
    assert uploads.keep(tmp_path / "report.txt", folder=folder).name == "report-2.txt"


@pytest.mark.parametrize("name", ["page.exe", "noend", "archive.tar.gz", "page.html.toml"])
def test_other_types_are_refused_with_those_that_are_taken(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("x")
    with pytest.raises(InputError, match=r"aren't supported|has no ending"):
        uploads.keep(tmp_path / name, folder=tmp_path / "uploads")


def test_an_upload_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MOST_BYTES", 4)
    (tmp_path / "large.txt").write_text("12345")
    with pytest.raises(InputError, match="larger than"):
        uploads.keep(tmp_path / "large.txt", folder=tmp_path / "uploads")


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
    loading = backend.Backend(lambda: cast(Engine, faulty))
    assert "Loading" in loading.status()
    with pytest.raises(ModelError):
        loading.loaded(threading.Event())
    assert "&lt;b&gt;model&lt;/b&gt; is missing; run: citewire models pull" in loading.status()
    faulty.pulled = True
    assert loading.loaded(threading.Event()) is cast(Engine, faulty)
    assert "1 article · ready" in loading.status()


def test_waiting_for_the_models_can_be_stopped(engine: Engine) -> None:
    hold, cancel = threading.Event(), threading.Event()

    def slow() -> Engine:
        hold.wait(60)
        return engine

    cancel.set()
    try:
        assert backend.Backend(slow).loaded(cancel) is None
    finally:
        hold.set()


def test_functions_of_components_cannot_be_called_past_the_events(url: str) -> None:
    assert request(f"{url}/gradio_api/component_server")[0] == 403


def test_a_browser_chooses_only_what_is_known_and_downloaded(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = Settings(llm="/models/own.gguf", caution=0.25)
    monkeypatch.setattr(preferences, "downloaded", lambda: frozenset({"smollm2-135m"}))
    for remembered in (
        None,
        "x",
        {"model": "/etc/passwd", "mode": "<b>", "caution": 7, "length": 10**9},
        {"model": "qwen3-4b", "mode": None, "caution": True, "length": "many"},
        {"model": ["smollm2-135m"], "caution": float("nan")},
    ):
        assert preferences.settings(remembered, base) == base
    chosen = preferences.settings({"model": "smollm2-135m", "mode": "quote", "caution": 1, "length": 64}, base)
    assert (chosen.llm, chosen.mode, chosen.caution, chosen.answer_tokens) == ("smollm2-135m", "quote", 1.0, 64)


def test_only_a_measured_model_has_a_speed() -> None:
    small, large = (Model(name, "llm", "MIT", False, "", (ModelFile("m.gguf", size, "0" * 64),), ()) for name, size in
                    [("small", 100), ("large", 1600)])  # fmt: skip
    assert lists.models([small, large], here=(), speeds={"large": 10.0}).count("tokens/s") == 1


def test_events_come_in_order_and_what_they_raise_comes_last() -> None:
    def events() -> Iterator[str]:
        yield "first"
        yield "second"
        raise InputError("no more")

    seen: list[str] = []
    with pytest.raises(InputError, match="no more"):
        seen.extend(event for batch in batches(events()) for event in batch)
    assert seen == ["first", "second"]


def test_what_a_job_reports_comes_as_progress_before_its_result() -> None:
    def job(report: Any) -> str:
        report("read", 1, 2)
        return "done"

    assert [event for batch in batches(reported(job)) for event in batch] == [Progress("read", 1, 2), "done"]


@pytest.fixture
def library(home: Path) -> Iterator[Library]:
    with Index.open(home, embedder=BagOfWordsEmbedder()) as index:
        index.add(
            [
                Article("a", "One story.", "Beta", "Reuters", None, "2018-03-21"),
                Article("b", "Another story.", "alpha", "CGTN", None, "2017-01-02", "Ada Quill"),
                Article("c", "A third.", "Gamma"),
            ]
        )
        yield Library(index)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (Query(), "abc"),
        (Query(sort="oldest"), "bac"),
        (Query(sort="title"), "bac"),
        (Query(sort="outlet"), "bac"),
        (Query(text="QUILL alpha"), "b"),
        (Query(outlet="Reuters"), "a"),
        (Query(since="2018"), "a"),
        (Query(until="2018-03-20"), "b"),
        (Query(since="2018-03-21", until="2018-03-21"), "a"),
    ],
)
def test_the_library_is_searched_sorted_and_filtered(library: Library, query: Query, found: str) -> None:
    assert "".join(row.id for row in library.find(query)) == found


def test_the_library_is_searched_by_what_the_articles_say(home: Path) -> None:
    """By a phrase, else by all its words, else by the subject; copies count for their original."""
    text = "Rain fell on Monday. Ada Quill opened the harbor bridge on Friday. Ada Quill spoke."
    with Index.open(home, embedder=BagOfWordsEmbedder()) as index:
        index.add([Article("a", text, "Bridge", "Post", None, "2018-03-21"), Article("b", text, "Bridge", "Sun")])
        index.add([Article("c", "A report on bridges, and on who opened them.", "Quill", "Post", None, "2019")])
        library = Library(index)
        quill = library.search(Query(text="Ada Quill", sort="relevance"))
        assert [(one.row.id, len(one.hits)) for one in quill.found] == [("a", 2)]
        shown = lists.articles(quill.found, found=1, total=2, chosen=(), find="Ada Quill")
        assert "<bdi><mark>Ada Quill</mark> opened the harbor bridge on Friday.</bdi>" in shown
        assert 'data-start="21" data-end="30" data-find="Ada Quill"' in shown
        assert "2 mentions" in shown
        assert [one.row.id for one in library.search(Query(text="quill")).found] == ["c", "a"], "by title, by text"
        words = library.search(Query(text="Friday rain"))
        assert [(one.row.id, len(one.hits)) for one in words.found] == [("a", 2)]
        assert library.search(Query(text="Ada Quill", outlet="Sun")).found[0].row.id == "a"
        assert library.search(Query(text="Ada Quill", since="2019")).found == ()
        about = library.search(Query(text="Ada Quill opened the harbor bridge at noon"))
        assert about.is_about
        assert about.found[0].row.id == "a"


def test_the_library_follows_the_index(library: Library) -> None:
    assert library.outlets() == ("CGTN", "Reuters")
    library.index.remove(["a"])
    assert [row.id for row in library.find(Query())] == ["b", "c"]
    with pytest.raises(InputError, match="no date"):
        library.find(Query(since="soon"))
