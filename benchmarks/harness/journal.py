"""The findings of a long measurement, one JSON line each, so that an interrupted run can go on.

Findings hold for the code and the settings that produced them. `code_digest` identifies code by what it does: comments,
docstrings and layout do not count.
"""

from __future__ import annotations

import ast
import hashlib
import json
from dataclasses import astuple, dataclass, is_dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path


class Journal:
    """Findings by key, in a file of JSON lines. Each is on disk when `note` returns."""

    def __init__(self, path: Path) -> None:
        """Read `path`. A line that was cut off by a kill is skipped."""
        self.path = path
        self._findings: dict[str, dict[str, Any]] = {}
        noted = path.read_bytes() if path.exists() else b""
        self._before = b"" if noted.endswith(b"\n") or not noted else b"\n"
        for line in noted.split(b"\n"):
            try:
                finding = json.loads(line)
            except ValueError:
                continue
            self._findings[finding.pop("key")] = finding

    def __contains__(self, key: str) -> bool:
        """Whether there is a finding under `key`."""
        return key in self._findings

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Iterate over the findings."""
        return iter(self._findings.values())

    def get(self, key: str) -> dict[str, Any] | None:
        """The finding under `key`, or None."""
        return self._findings.get(key)

    def note(self, key: str, finding: dict[str, Any]) -> None:
        """Keep `finding` for this run and later ones."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps({"key": key, **finding}, ensure_ascii=False)
        with self.path.open("ab") as file:
            file.write(self._before + line.encode("utf-8", "replace") + b"\n")
        self._before = b""
        self._findings[key] = finding

    def forget(self, keys: Iterable[str]) -> None:
        """Remove the findings under `keys`."""
        gone = self._findings.keys() & set(keys)
        if not gone:
            return
        for key in gone:
            del self._findings[key]
        lines = [json.dumps({"key": key, **finding}, ensure_ascii=False) for key, finding in self._findings.items()]
        beside = self.path.with_suffix(".new")
        beside.write_bytes("".join(f"{line}\n" for line in lines).encode("utf-8", "replace"))
        beside.replace(self.path)
        self._before = b""


@dataclass(frozen=True, slots=True)
class Step:
    """One finding to make, unless the journal has it."""

    journal: Journal
    key: str
    find: Callable[[], dict[str, Any]]

    @property
    def done(self) -> bool:
        """Whether the journal has it."""
        return self.key in self.journal

    def do(self) -> None:
        """Make the finding and keep it."""
        self.journal.note(self.key, self.find())


def digest(*values: object) -> str:
    """Hash values: dataclasses by their fields, others by their repr."""
    content = tuple(
        astuple(value) if is_dataclass(value) and not isinstance(value, type) else value for value in values
    )
    return hashlib.sha256(repr(content).encode("utf-8", "replace")).hexdigest()[:16]


def code_digest(paths: Iterable[Path]) -> str:
    """Hash the files; Python files that differ in comments, docstrings and layout alone give the same hash."""
    return digest(*((path.name, _plain(path)) for path in sorted(paths)))


def _plain(path: Path) -> str | bytes:
    if path.suffix != ".py":
        return path.read_bytes()
    tree = ast.parse(path.read_bytes())
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [one for one in body if not _is_remark(one)]  # type: ignore[attr-defined]
    return ast.dump(tree)


def _is_remark(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
