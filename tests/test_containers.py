"""The files for containers, as far as they can be checked without running any: every command in them, and in what the
documentation says of them, is one that there is, and every name that is used is declared."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from ui import cli

TOP = Path(__file__).parent.parent
FOLDER = TOP / "examples" / "cluster"
CONTAINERFILE = (FOLDER / "Containerfile").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
SECTION = (
    (TOP / "docs" / "scale.md").read_text(encoding="utf-8").partition("## In containers\n")[2].partition("\n## ")[0]
)


def commands(text: str, program: str) -> list[list[str]]:
    """The arguments that a program is given in a text with commands of a shell."""
    found = re.findall(rf"\b{program} ([^;&|\n]+)", text.replace("\\\n", " "))
    return [shlex.split(one, comments=True) for one in found]


def all_text() -> str:
    lines = [" ".join(one["command"]) for one in SERVICES.values()]
    lines += [" ".join(one["healthcheck"]["test"][1:]) for one in SERVICES.values() if "healthcheck" in one]
    lines += [line.partition("RUN ")[2] for line in CONTAINERFILE.splitlines() if line.startswith("RUN citewire")]
    lines += re.findall(r"```bash\n(.*?)```", SECTION, re.DOTALL)
    return "\n".join(lines)


def test_every_command_of_citewire_is_one_that_there_is() -> None:
    given = commands(all_text(), "citewire")
    assert {arguments[0] for arguments in given} >= {"serve", "cluster", "index", "models"}
    for arguments in given:
        cli.parser().parse_args(arguments)


def test_every_command_of_ray_is_one_that_there_is() -> None:
    scripts = pytest.importorskip("ray.scripts.scripts")
    given = commands(all_text(), "ray")
    assert [arguments[0] for arguments in given].count("start") == len(SERVICES)
    for name, *arguments in given:
        options = {option for one in scripts.cli.commands[name].params for option in one.opts}
        assert {one.partition("=")[0] for one in arguments if one.startswith("--")} <= options


def test_whatever_is_named_is_declared() -> None:
    for service in SERVICES.values():
        assert set(service["secrets"]) <= set(COMPOSE["secrets"])
        volumes = {one.partition(":")[0] for one in service["volumes"] if not one.startswith("$")}
        assert volumes <= set(COMPOSE["volumes"])
        assert set(service.get("depends_on", ())) <= set(SERVICES)
        assert (FOLDER / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
        assert service["environment"]["RAY_AUTH_TOKEN_PATH"] == "/run/secrets/ray_token"  # noqa: S105
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", CONTAINERFILE, re.MULTILINE)
    assert [name for line in copied for name in line.split() if not (TOP / name).exists()] == []
    assert "RAY_AUTH_MODE=token" in CONTAINERFILE
    assert "ray_token" in (TOP / ".gitignore").read_text(encoding="utf-8")


def test_nothing_but_the_page_can_be_reached_from_outside() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert ports == ["127.0.0.1:7860:7860"]
