"""Verified: which files of a model are on disk and are what models.txt says.

Layout: models_dir()/<model name>/<file path>, and a stamp file that remembers which files were verified.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_cache_path

if TYPE_CHECKING:
    from index.models.manifest import Model, ModelFile

STAMPS = ".verified.json"
MOST_STAMP_BYTES = 1_000_000
"""A stamp takes about 120 bytes, and a model has a dozen files; what is larger was not written here."""

_distrusted: set[Path] = set()
"""Files that this process found to be wrong."""


class Status(StrEnum):
    """What was found in place of a file that models.txt lists."""

    OK = "ok"
    MISSING = "missing"
    WRONG_SIZE = "wrong size"
    WRONG_SHA256 = "wrong sha256"


def models_dir() -> Path:
    """CITEWIRE_MODELS, else the folder "citewire/models" in the user's cache. It need not exist yet."""
    chosen = os.environ.get("CITEWIRE_MODELS")
    if chosen:
        return Path(chosen).expanduser().absolute()
    return user_cache_path("citewire", appauthor=False) / "models"


def verify(model: Model) -> dict[str, Status]:
    """Each file path of the model with what is found there. Every file is hashed again, and a wrong one is no longer
    taken for verified: `locate` refuses it and `pull` fetches it."""
    return statuses(model, rehash=True)


def wanting(model: Model) -> list[ModelFile]:
    """The files of a model that are missing or wrong."""
    found = statuses(model, rehash=False)
    return [file for file in model.files if found[file.path] is not Status.OK]


def describe(path: Path) -> tuple[int, str]:
    """Size and sha256 of what really lies on disk."""
    with path.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        return stream.tell(), sha256


def statuses(model: Model, *, rehash: bool) -> dict[str, Status]:
    """Each file path with what is found there. A file is hashed once, and again when its size or time of change
    differs, or to `rehash`."""
    stamps = {} if rehash else _stamps(model)
    return {file.path: _status(model, file, stamps) for file in model.files}


def _status(model: Model, file: ModelFile, stamps: dict[str, object]) -> Status:
    path = models_dir() / model.name / file.path
    if not path.is_file():
        return Status.MISSING
    if path.stat().st_size != file.size:
        return Status.WRONG_SIZE
    if stamps.get(file.path) == _stamp_of(path, file) and path not in _distrusted:
        return Status.OK
    before = _stamp_of(path, file)
    if describe(path)[1] != file.sha256:
        _unstamp(model, file)
        return Status.WRONG_SHA256
    if before == _stamp_of(path, file):
        _distrusted.discard(path)
        stamp(model, file)
    return Status.OK


def _stamp_of(path: Path, file: ModelFile) -> list[object]:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns, file.sha256]


def _stamps(model: Model) -> dict[str, object]:
    path = models_dir() / model.name / STAMPS
    try:
        if not path.is_file() or path.stat().st_size > MOST_STAMP_BYTES:
            return {}
        stamps = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return stamps if isinstance(stamps, dict) else {}


def stamp(model: Model, file: ModelFile) -> None:
    """Remember that the file as it lies there was verified. In a read-only folder it is hashed each time."""
    with suppress(OSError):
        _write_stamps(model, _stamps(model) | {file.path: _stamp_of(models_dir() / model.name / file.path, file)})


def _unstamp(model: Model, file: ModelFile) -> None:
    """Forget that a file was verified. Where that cannot be written, this process at least does not believe it."""
    _distrusted.add(models_dir() / model.name / file.path)
    stamps = _stamps(model)
    if file.path in stamps:
        with suppress(OSError):
            _write_stamps(model, {path: stamp for path, stamp in stamps.items() if path != file.path})


def _write_stamps(model: Model, stamps: dict[str, object]) -> None:
    folder = models_dir() / model.name
    # Drafts of killed processes; one that is writing now hashes the file once more.
    for draft_of_another in folder.glob(f"{STAMPS}.*"):
        draft_of_another.unlink(missing_ok=True)
    draft = folder / f"{STAMPS}.{os.getpid()}.{threading.get_ident()}"
    try:
        draft.write_text(json.dumps(stamps, indent=1), encoding="utf-8")
        draft.replace(folder / STAMPS)
    finally:
        draft.unlink(missing_ok=True)
