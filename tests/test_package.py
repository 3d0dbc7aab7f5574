"""The package as others use it: imported, run, built into a wheel, and printed."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import urllib.request
import venv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import citewire
import index
import index.search
import rag
from index import Article, Index
from index.fetch import Fetcher
from rag.answer import Answer, Citation, Claim, Reason
from tests.fakes import BagOfWordsEmbedder
from ui import cli

if TYPE_CHECKING:
    from tests.conftest import Site

TOP = Path(__file__).parent.parent
ROOMS = ("citewire", "index", "rag", "ui")
EXAMPLES = sorted((TOP / "examples").glob("*.py"))


def python(program: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program of a few lines in `folder`, which is on Python's search path as in an interactive session."""
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{TOP}", **environment},
        text=True,
        capture_output=True,
        check=False,
    )


def test_the_facade_gathers_what_the_rooms_export() -> None:
    assert set(citewire.__all__) == {*index.__all__, *rag.__all__, "__version__"}
    for name in citewire.__all__:
        room = rag if name in rag.__all__ else index
        assert getattr(citewire, name) is getattr(room, name)


def test_importing_it_loads_nothing_heavy(tmp_path: Path) -> None:
    later = ("numpy", "torch", "faiss", "sentence_transformers", "llama_cpp", "gradio", "datasketch")
    tried = python(f"import sys, citewire; print(*sorted(set({later!r}) & set(sys.modules)))", tmp_path)
    assert (tried.stdout.split(), tried.stderr) == ([], "")


@pytest.mark.parametrize("room", ["index", "rag", "ui"])
def test_a_file_that_shadows_one_of_our_packages_is_named(room: str, tmp_path: Path) -> None:
    (tmp_path / f"{room}.py").write_text("print('somebody else')\n")
    tried = python("import citewire", tmp_path)
    assert tried.returncode == 1
    assert str(tmp_path / f"{room}.py") in tried.stderr
    assert "rename that file" in tried.stderr
    assert "somebody else" not in tried.stdout


def test_every_room_says_that_it_is_typed() -> None:
    assert [room for room in ROOMS if not (TOP / room / "py.typed").is_file()] == []


def test_it_runs_as_a_module_and_alone_prints_help(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = [sys.executable, "-m", "citewire", "--version"]
    tried = subprocess.run(command, cwd=TOP, text=True, capture_output=True, check=True)
    assert tried.stdout == f"citewire {index.__version__}\n"
    assert cli.main([]) == cli.OK
    assert "examples:" in capsys.readouterr().out


def test_the_shell_completes_commands(tmp_path: Path) -> None:
    line = "citewire index re"
    asked = {"_ARGCOMPLETE": "1", "COMP_LINE": line, "COMP_POINT": str(len(line)), "_ARGCOMPLETE_IFS": "\n"}
    out = tmp_path / "completions"
    tried = python("from ui.cli import main; main()", TOP, **asked, _ARGCOMPLETE_STDOUT_FILENAME=str(out))
    assert tried.returncode == 0, tried.stderr
    assert {word.strip() for word in out.read_text().splitlines()} == {"remove", "rebuild"}


def one_claim() -> Answer:
    article = Article(
        "a", "The talks broke down in 2009. " * 2000, title="Talks", source="Post", published="2018-03-21"
    )
    claim = Claim("They broke down in 2009.", 0, 24, (Citation(1, article, 0, 29),), 0.9, supported=True)
    return Answer("When did they break down?", "They broke down in 2009.", (claim,))


def test_an_answer_fits_on_a_screen_and_prints_with_its_references() -> None:
    answer = one_claim()
    assert repr(answer) == (
        "Answer(question='When did they break down?', text='They broke down in 2009.', "
        "claims=1, citations=1, sources=0)"
    )
    assert str(answer) == (
        "They broke down in 2009. [1]\n\n[1] “The talks broke down in 2009.”\n    Post · Talks · 2018-03-21"
    )
    assert len(repr(answer.citations[0])) < 200
    refused = Answer("Who?", "The articles do not say.", refused=True, reason=Reason.NOTHING_RELEVANT)
    assert str(refused) == "The articles do not say.\n\nNo answer: nothing relevant found."


def test_a_claim_without_a_quote_is_marked_in_print() -> None:
    assert str(Answer("Who?", "Somebody did.", (Claim("Somebody did.", 0, 13),))).startswith(
        "Somebody did. [no supporting quote found]"
    )


def test_the_help_of_ask_explains_every_argument() -> None:
    import inspect

    doc = inspect.getdoc(citewire.ask) or ""
    assert [name for name in inspect.signature(citewire.ask).parameters if f"`{name}`" not in doc] == []


@pytest.mark.model
@pytest.mark.parametrize("example", ["ask.py", "stream.py", "batch.py"])
def test_an_example_answers(example: str, home: Path, tmp_path: Path) -> None:
    with Index.open(home) as opened:
        opened.sync([TOP / "seeds"])
    (tmp_path / "questions.txt").write_text("When did the six-party talks break down?\n\n")
    arguments = ["questions.txt"] if example == "batch.py" else []
    tried = subprocess.run(
        [sys.executable, str(TOP / "examples" / example), *arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(TOP), "CITEWIRE_LLM": "smollm2-135m"},
        text=True,
        capture_output=True,
        check=False,
    )
    assert tried.returncode == 0, tried.stderr
    assert "2009" in tried.stdout


def test_the_example_of_a_feed_lists_what_is_new(
    tmp_path: Path, site: Site, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import runpy

    body = "The harbor closed at noon on Friday. " * 20
    page = f"<html><head><title>Storm</title></head><body><article><h1>Storm</h1><p>{body}</p></article></body></html>"
    feed = f"<rss version='2.0'><channel><title>Post</title><item><title>Storm closes harbor</title>\
<link>{site.address}/storm</link></item></channel></rss>"
    site.replies["/feed"] = (200, {"Content-Type": "application/rss+xml"}, feed.encode())
    site.replies["/storm"] = (200, {}, page.encode())
    monkeypatch.setattr(index.search, "Fetcher", lambda **_: fetcher)
    monkeypatch.setattr(index.search, "SentenceEmbedder", BagOfWordsEmbedder)
    monkeypatch.setattr(sys, "argv", ["index_feed.py", str(tmp_path / "here"), f"{site.address}/feed"])
    runpy.run_path(str(TOP / "examples" / "index_feed.py"), run_name="__main__")
    assert re.search(r"1 added.*\n.*Storm closes harbor", capsys.readouterr().out, re.DOTALL)


def test_every_example_has_a_test() -> None:
    tested = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    assert [path.name for path in EXAMPLES if path.name not in tested] == []


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of a clean environment with our wheel; what it depends on comes from this one."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=TOP, capture_output=True, text=True, check=True)
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "env", with_pip=False)
    (theirs,) = (folder / "env" / "lib").glob("python*/site-packages")
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "env" / "bin" / "python"), "install", "--no-deps"]
    done = subprocess.run([*pip, "--no-index", str(wheel)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    # Path files are not followed from here, so our own checkout, which is installed by one, is not found this way.
    (theirs / "dependencies.pth").write_text(str(Path(pytest.__file__).parent.parent) + "\n")
    return folder / "env" / "bin"


def outside(installed: Path, folder: Path, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [str(installed / "citewire"), *arguments],
        cwd=folder,
        env={**environment, "CITEWIRE_LLM": "smollm2-135m"},
        text=True,
        capture_output=True,
        check=False,
        **options,
    )


def test_a_notebook_shows_an_answer_as_text_and_obeys_nothing_in_it() -> None:
    hostile = "See ![x](https://evil.example/a.png) <script>alert(1)</script> $x$ \x1b[31mred"
    article = Article("a", hostile, title="# Title | **bold**", source="[Post](javascript:alert)")
    claim = Claim(hostile, 0, len(hostile), (Citation(1, article, 0, len(hostile)),), support=1.0)
    shown = Answer("?", hostile, (claim,))._repr_markdown_()
    for markup in ("![", "](", "<script", " $x", "**", "\x1b"):
        assert markup not in shown
    assert "\\[1\\] “See" in shown
    assert shown.count("\n\n") == 1


@pytest.mark.model
def test_the_wheel_works_outside_of_the_checkout(installed: Path, tmp_path: Path, home: Path) -> None:
    where = [str(installed / "python"), "-c", "import citewire; print(citewire.__file__)"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    found = subprocess.run(where, cwd=tmp_path, env=environment, text=True, capture_output=True, check=True)
    assert installed.parent.as_posix() in found.stdout
    (tmp_path / "storm.txt").write_text("The harbor closed at noon on Friday because of the storm. Nobody was hurt.")
    added = outside(installed, tmp_path, "index", "add", "storm.txt")
    assert (added.returncode, added.stdout[:7]) == (0, "1 added"), added.stderr
    asked = outside(installed, tmp_path, "ask", "When did the harbor close?")
    assert asked.returncode in (cli.OK, cli.NOT_ANSWERED), asked.stderr
    doctor = outside(installed, tmp_path, "doctor")
    assert f"✓ packages: {installed.parent.as_posix()}" in doctor.stdout, doctor.stdout + doctor.stderr
    assert "✗" not in doctor.stdout.replace("✗ space", ""), doctor.stdout


@pytest.mark.model
def test_the_page_of_the_wheel_comes_up(installed: Path, tmp_path: Path, home: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(installed / "citewire"), "chat", "--no-browser", "--port", str(port)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as page:
        try:
            assert page.stdout is not None
            line = next(line for line in page.stdout if "http" in line)
            address = re.search(r"http://\S+", line)
            assert address is not None, line
            opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(), urllib.request.ProxyHandler({}))
            with opener.open(address[0], timeout=60) as reply:
                assert b"Citewire" in reply.read()
        finally:
            page.terminate()


def test_the_version_is_that_of_the_wheel() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", citewire.__version__)
