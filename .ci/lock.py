"""What pyproject.toml asks for and all that it needs in turn, as pins: `make lock` writes constraints.txt."""

from __future__ import annotations

import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

HEADER = """\
# What Citewire is tested with: every distribution that citewire and its extras pull in, and no other.
# Written by `make lock` from what is installed in .venv. After changing pyproject.toml or upgrading
# something (.venv/bin/pip install --upgrade NAME), run it again, then `make lint test`.
# pip is not pinned: it comes with the interpreter, which an older pip may not support.
"""
UNPINNED = ("pip",)


def declared(pyproject: Path) -> list[Requirement]:
    """The requirements of the project and of all its extras."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    extras = project.get("optional-dependencies", {}).values()
    return [Requirement(line) for lines in (project["dependencies"], *extras) for line in lines]


def closure(roots: list[Requirement]) -> dict[str, str]:
    """Name → installed version, without a local part like +cpu, of `roots` and all they need here.

    A requirement of another platform is left out. Raises PackageNotFoundError for a root that is missing.
    """
    pins: dict[str, str] = {}
    for root in roots:
        distribution(root.name)
    waiting, seen = list(roots), set()
    while waiting:
        needed = waiting.pop()
        name, extras = canonicalize_name(needed.name), ("", *sorted(needed.extras))
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        try:
            installed = distribution(name)
        except PackageNotFoundError:
            continue
        pins[name] = Version(installed.version).public
        for requirement in map(Requirement, installed.requires or ()):
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras):
                waiting.append(requirement)
    return pins


if __name__ == "__main__":
    pins = closure(declared(Path(__file__).parent.parent / "pyproject.toml"))
    lines = (f"{name}=={version}\n" for name, version in sorted(pins.items()) if name not in UNPINNED)
    sys.stdout.write(HEADER + "".join(lines))
