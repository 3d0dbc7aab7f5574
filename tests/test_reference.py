"""docs/reference.md says what the code has: its generated parts are up to date, and nothing is left out."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from ui import cli

TOP = Path(__file__).parent.parent
PAGE = TOP / "docs" / "reference.md"
SCRIPT = TOP / ".ci" / "reference.py"


def test_the_generated_parts_are_up_to_date() -> None:
    made = subprocess.run([sys.executable, str(SCRIPT)], cwd=TOP, text=True, capture_output=True, check=True)
    assert made.stdout == PAGE.read_text(encoding="utf-8"), "run: make reference"


def test_every_variable_of_the_environment_is_explained() -> None:
    code = "".join(
        path.read_text(encoding="utf-8") for room in ("index", "rag", "ui") for path in (TOP / room).rglob("*.py")
    )
    settings = (TOP / "rag" / "settings.py").read_text(encoding="utf-8")
    fields = re.findall(r"^    (\w+): (?:str|int|float|bool)", settings, re.MULTILINE)
    used = {*re.findall(r"CITEWIRE_[A-Z_]*[A-Z]\b", code), *(f"CITEWIRE_{name.upper()}" for name in fields)}
    explained = set(re.findall(r"^\| `(CITEWIRE_\w+)`", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    assert used == explained


def test_every_exit_status_is_explained() -> None:
    explained = set(map(int, re.findall(r"^\| (\d+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)))
    assert {cli.OK, cli.ERROR, cli.NOT_ANSWERED, cli.INTERRUPTED, 2} <= explained


@pytest.mark.parametrize("page", ["security.md", "reliability.md"])
def test_every_test_that_a_page_names_is_there(page: str) -> None:
    text = (TOP / "docs" / page).read_text(encoding="utf-8")
    file = ""
    for named, test in re.findall(r"`(test_\w+\.py)?(?:::(test_\w+))?`", text):
        file = named or file
        path = TOP / "tests" / file
        assert path.is_file(), file
        if test:
            assert re.search(rf"^(?:async )?def {test}\(", path.read_text(encoding="utf-8"), re.MULTILINE), test
