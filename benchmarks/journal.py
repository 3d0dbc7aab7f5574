"""Journal: what a long measurement has found so far, a line for each finding, so that the next run goes on.

What was found holds for the code and the settings it was found with. `meaning` tells code that does the same from code
that does not: comments, docstrings and layout do not count.
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
        """Read what is in `path`. A line cut off by a kill is passed over."""
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
        """Whether anything is noted under `key`."""
        return key in self._findings

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Every finding."""
        return iter(self._findings.values())

    def get(self, key: str) -> dict[str, Any] | None:
        """What is noted under `key`."""
        return self._findings.get(key)

    def note(self, key: str, finding: dict[str, Any]) -> None:
        """Note `finding`, for now and for later runs."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps({"key": key, **finding}, ensure_ascii=False)
        with self.path.open("ab") as file:
            file.write(self._before + line.encode("utf-8", "replace") + b"\n")
        self._before = b""
        self._findings[key] = finding

    def forget(self, keys: Iterable[str]) -> None:
        """Forget what is noted under `keys`."""
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
    """One finding to make, unless it is noted already."""

    journal: Journal
    key: str
    find: Callable[[], dict[str, Any]]

    @property
    def done(self) -> bool:
        """Whether it is noted."""
        return self.key in self.journal

    def do(self) -> None:
        """Find and note."""
        self.journal.note(self.key, self.find())


def digest(*parts: object) -> str:
    """A short name for values: dataclasses by all of their fields, others by their repr."""
    values = tuple(astuple(part) if is_dataclass(part) and not isinstance(part, type) else part for part in parts)
    return hashlib.sha256(repr(values).encode("utf-8", "replace")).hexdigest()[:16]


def meaning(paths: Iterable[Path]) -> str:
    """A short name for what the files do: equal for Python files that differ in comments, docstrings and layout."""
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
