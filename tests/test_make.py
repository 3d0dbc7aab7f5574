"""make, with a stand-in for the environment it would build."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parent.parent

pytestmark = pytest.mark.skipif(
    shutil.which("make") is None or sys.platform == "win32", reason="needs make and a POSIX shell"
)


def script(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{content}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def make(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """make as started from a shell of its own, not from the make that runs the tests."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        ["make", *arguments],
        cwd=TOP,
        env={**inherited, **environment},
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    """An environment that looks installed, whose citewire prints its arguments, one a line."""
    place = tmp_path / "venv"
    script(place / "bin" / "python", "exit 0")
    script(place / "bin" / "citewire", 'printf "<%s>\\n" "$@"')
    for stamp in (".installed", ".installed-dev"):
        (place / stamp).touch()
    return place


def test_an_old_python_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    old = script(tmp_path / "old", '[ "$1" = --version ] && echo Python 3.9.2 && exit 0; exit 1')
    tried = make("install", f"PYTHON={old}", f"VENV={tmp_path / 'venv'}")
    assert tried.returncode != 0
    assert "Citewire needs Python 3.11 or newer" in tried.stderr
    assert "Python 3.9.2" in tried.stderr
    assert not (tmp_path / "venv").exists()


def test_what_is_installed_is_not_installed_again(venv: Path) -> None:
    script(venv / "bin" / "python", 'echo "run: $@"')
    assert make("install", f"VENV={venv}").stdout == "make: Nothing to be done for 'install'.\n"
    (venv / ".installed").unlink()
    assert "pip install" in make("install", f"VENV={venv}").stdout
    assert (venv / ".installed").exists()


def test_chat_obtains_models_and_indexes_the_sample_articles_first(venv: Path) -> None:
    asked = make("chat", f"VENV={venv}").stdout.replace("\n", "")
    assert asked == "<models><pull><index><add><seeds><chat>"


def test_a_question_reaches_citewire_as_it_was_typed(venv: Path, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    question = f'Who said "no" for $5? $(shell touch {trap}) `touch {trap}` $$'
    tried = make("ask", f"VENV={venv}", f"Q={question}")
    assert tried.stdout.endswith(f"<ask>\n<-->\n<{question}>\n")
    assert not trap.exists()


def test_an_answer_refused_is_no_failure_of_make(venv: Path) -> None:
    script(venv / "bin" / "citewire", '[ "$1" = ask ] && exit 3; exit 0')
    assert make("ask", f"VENV={venv}", "Q=x").returncode == 0
    script(venv / "bin" / "citewire", '[ "$1" = ask ] && exit 1; exit 0')
    assert make("ask", f"VENV={venv}", "Q=x").returncode != 0


def test_a_missing_browser_fails_under_ci_only(tmp_path: Path) -> None:
    bare = tmp_path / "bin"
    bare.mkdir()
    for name in ("sh", "id", "mktemp", "rm", "tail"):
        (bare / name).symlink_to(str(shutil.which(name)))
    for under_ci, status in (("", 0), ("true", 1)):
        tried = subprocess.run(
            [TOP / ".ci" / "browser"],
            env={"PATH": str(bare), "CI": under_ci},
            text=True,
            capture_output=True,
            check=False,
        )
        assert tried.returncode == status
        assert "Chromium is missing" in tried.stderr
