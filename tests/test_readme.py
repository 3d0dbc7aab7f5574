"""Every command and every program in README.md and docs/guide.md works, in the order in which a reader would try them.

Commands of `citewire` and Python blocks run for real, with the real models, in a home and a HOME of their own
where ~/articles holds the sample articles. Those of the README run as a reader would start them, each a process; the
guide has many more, and they run inside this one, which has loaded the libraries. What would leave this machine, wait
for a reader or install things is checked instead: that make knows the target, that the arguments parse, that models.txt
lists the model. A command without a rule here fails, so that none goes untested.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from index import models
from rag import engine
from ui import cli

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rag import Engine

TOP = Path(__file__).parent.parent
PAGES = ("README.md", "docs/guide.md")
FOR_A_SHELL = re.compile(r"[|<>;&$`~]|^[A-Z_]+=")
"""What a command has that Python cannot start without a shell."""
FENCE = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
SHELL = ("sh", "bash", "shell", "console")
ASSIGNMENT = re.compile(r"[A-Z_]+=.*")
TIMEOUT_S = 600


def blocks(page: str) -> Iterator[tuple[str, str]]:
    """(language, content) of each fenced block that names its language."""
    yield from FENCE.findall((TOP / page).read_text(encoding="utf-8"))


def commands(language: str, content: str) -> list[str]:
    """The commands of a shell block, continuation lines joined; in console blocks those after the prompt."""
    lines = content.replace("\\\n", " ").splitlines()
    if language == "console":
        lines = [line[2:] for line in lines if line.startswith("$ ")]
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


def words_of(command: str) -> list[str]:
    """The words of a command, without comments, leading assignments and the folder of the program."""
    words = shlex.split(command, comments=True)
    while words and ASSIGNMENT.fullmatch(words[0]):
        del words[0]
    return [Path(words[0]).name, *words[1:]] if words else []


@pytest.fixture
def surroundings(tmp_path: Path, home: Path) -> tuple[Path, dict[str, str]]:
    """A folder like a fresh checkout to work in, and an environment with a HOME of its own."""
    checkout, person = tmp_path / "citewire", tmp_path / "person"
    shutil.copytree(TOP / "seeds", checkout / "seeds")
    shutil.copytree(TOP / "seeds", person / "articles")
    (checkout / "story.md").write_text("The six-party talks broke down in 2009.\n", encoding="utf-8")
    environment = {
        **os.environ,
        "HOME": str(person),
        "CITEWIRE_HOME": str(home),
        "CITEWIRE_MODELS": str(models.models_dir()),
        "PYTHONPATH": str(TOP),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    }
    return checkout, environment


@pytest.mark.model
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("page", PAGES)
def test_every_command_and_program_works(
    page: str, surroundings: tuple[Path, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout, environment = surroundings
    inside = page != "README.md"
    if inside:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(checkout)
    opened: dict[Any, Engine] = {}
    monkeypatch.setattr(engine, "_engines", opened)
    tried = 0
    for language, content in blocks(page):
        if language in SHELL:
            for command in commands(language, content):
                for single in re.split(r"\s*&&\s*", command):
                    try_command(single, checkout, environment, inside=inside)
                    tried += 1
        elif language == "python":
            if inside:
                exec(compile(content, page, "exec"), {"__name__": "__main__"})  # noqa: S102 - what a reader would run
            else:
                finish([sys.executable, "-c", content], checkout, environment)
            tried += 1
    for kept in opened.values():
        kept.close()
    assert tried > 5


def try_command(command: str, checkout: Path, environment: dict[str, str], *, inside: bool) -> None:
    """Run one command, `inside` this process where that can be, or check what stands for it."""
    words = words_of(command)
    match words:
        case ["make", *arguments]:
            finish(["make", "-n", *arguments], TOP, environment)
        case [".ci/run" | "run"]:
            assert os.access(TOP / ".ci" / "run", os.X_OK)
        case ["git", "clone", address, *_]:
            assert address.startswith("https://"), command
        case ["cd", folder]:
            assert folder in ("citewire", "."), command
        case ["pip", "install", *arguments] | ["python" | "python3", "-m", "pip", "install", *arguments]:
            assert {"-e", "--editable", "."} & set(arguments), command
            named = [arguments[i + 1] for i, word in enumerate(arguments) if word in ("-c", "--constraint")]
            assert all((TOP / name).is_file() for name in named), command
        case ["python" | "python3", "-m", "venv", *_] | ["source" | ".", _]:
            assert ".venv" in command, command
        case ["citewire", "chat", *arguments]:
            cli.parser().parse_args(["chat", *arguments])
        case ["citewire", "models", "pull", *names]:
            cli.parser().parse_args(words[1:])
            assert set(names) <= {model.name for model in models.manifest()}, command
        case ["citewire", *arguments] | ["python" | "python3", "-m", "ui.cli", *arguments]:
            allowed = (0, cli.NOT_ANSWERED) if "ask" in arguments else (0,)
            command = with_article_ids(command)
            if inside and not FOR_A_SHELL.search(command):
                assert cli.main(words_of(command)[1:]) in allowed, command
            else:
                finish(["bash", "-o", "pipefail", "-c", command], checkout, environment, allowed)
        case _:
            pytest.fail(f"no rule for {command!r}; give it one in {Path(__file__).name}")


def with_article_ids(command: str) -> str:
    """The command with the placeholder ID replaced by the id of an article that is indexed."""
    if not re.search(r"\bID\b", command):
        return command
    from index import Index

    with Index.open() as opened:
        return re.sub(r"\bID\b", shlex.quote(opened.articles()[0].id), command)


def finish(command: list[str], folder: Path, environment: dict[str, str], allowed: tuple[int, ...] = (0,)) -> None:
    """Run a command to its end and fail with what it printed unless its status is allowed."""
    done = subprocess.run(
        command, cwd=folder, env=environment, text=True, capture_output=True, timeout=TIMEOUT_S, check=False
    )
    assert done.returncode in allowed, f"{command[-1]}\n{done.stdout}{done.stderr}"


def test_shell_blocks_are_read_as_a_reader_would() -> None:
    assert commands("console", "$ citewire doctor  # all\nsome output\n$ make \\\n  chat\n") == [
        "citewire doctor  # all",
        "make    chat",
    ]
    assert words_of("CITEWIRE_HOME=/x .venv/bin/citewire ask 'Who left?'  # cited") == [
        "citewire",
        "ask",
        "Who left?",
    ]


def test_the_readme_is_short() -> None:
    assert len((TOP / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


@pytest.mark.parametrize(
    "page", [path.relative_to(TOP).as_posix() for path in (*TOP.glob("*.md"), *TOP.glob("docs/*.md"))]
)
def test_links_between_the_pages_lead_somewhere(page: str) -> None:
    text = (TOP / page).read_text(encoding="utf-8")
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)#?([^)\s]*)\)", text):
        place = (TOP / page).parent / target if target else TOP / page
        assert place.exists(), f"{page}: {target}"
        if anchor and place.suffix == ".md":
            assert anchor in anchors(place), f"{page}: {target}#{anchor}"


def anchors(page: Path) -> set[str]:
    """What the headings of a page can be linked by, as GitHub makes it."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
