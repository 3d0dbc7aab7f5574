"""Models on disk: listed in models.txt, obtained from their sources, verified before they are believed.

Layout: models_dir()/<model name>/<file path>, and a stamp file that remembers which files were verified.
Knows neither how a source works (index/source.py) nor how a model is loaded.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout
from platformdirs import user_cache_path
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from index.database import sync_file
from index.errors import ModelError
from index.home import is_offline
from index.manifest import Model, ModelFile, manifest, manifest_path

if TYPE_CHECKING:
    from index.source import Source

__all__ = [
    "Identity",
    "Model",
    "ModelFile",
    "Progress",
    "Status",
    "choose",
    "identify",
    "locate",
    "manifest",
    "models_dir",
    "pull",
    "require_known",
    "verify",
]

Progress = Callable[[str, int, int], None]
"""Told (stage, bytes done, bytes in all). Stages: "wait" (for another pull), "download", "check"."""

_STAMPS = ".verified.json"
_MOST_STAMP_BYTES = 1_000_000
"""A stamp takes about 120 bytes, and a model has a dozen files; what is larger was not written here."""
_distrusted: set[Path] = set()
"""Files that this process found to be wrong."""
_log = logging.getLogger(__name__)


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


def choose(name: str | None, role: str) -> Model:
    """The model called `name`, or the default of `role`. Raises ModelError, listing the names."""
    models = [model for model in manifest() if model.role == role]
    for model in models:
        if model.name == name or (name is None and model.default):
            return model
    wanted = f"no default {role}" if name is None else f"no {role} called {name!r}"
    names = ", ".join(model.name for model in models) or "none"
    hint = {"llm": "; the path of a .gguf file works too", "reranker": "; the path of a folder works too"}.get(role, "")
    raise ModelError(f"{manifest_path()} lists {wanted}; it lists: {names}{hint}")


def require_known(name: str | None, role: str) -> None:
    """Raise ModelError, listing the names, unless `locate` knows `name`; whether the model is here is not asked."""
    if _own_gguf(name, role) is None:
        choose(name, role)


@dataclass(frozen=True, slots=True)
class Identity:
    """A model as answers name it. `sha256` and `mode` are "" for a file of the user's own; `mode` also where models.txt
    gives none."""

    name: str
    sha256: str = ""
    mode: str = ""


def identify(name: str | None, role: str) -> Identity:
    """What is known of the model that `locate` would find, there or not. Raises ModelError for an unknown one."""
    own = _own_path(name, role)
    if own is not None:
        return Identity(own.stem)
    model = choose(name, role)
    return Identity(model.name, model.files[0].sha256, model.mode or "")


def locate(name: str | None, role: str) -> Path:
    """Where a verified model lies: the folder of an embedder or reranker, the .gguf file of an LLM.

    `name` may be the path of any GGUF file when `role` is "llm". Raises ModelError, with the command that
    mends it, when a file is missing or is not what models.txt says. A file is hashed once, and again when its
    size or time of change differs.
    """
    own = _own_gguf(name, role)
    if own is not None:
        return own
    model = choose(name, role)
    for path, status in _statuses(model, rehash=False).items():
        if status is not Status.OK:
            place = models_dir() / model.name / path
            raise ModelError(f"{model.name}: {place}: {status}; run: citewire models pull {model.name}")
    return _entry(model)


def verify(model: Model) -> dict[str, Status]:
    """Each file path of the model with what is found there. Every file is hashed again, and a wrong one is no longer
    taken for verified: `locate` refuses it and `pull` fetches it."""
    return _statuses(model, rehash=True)


def pull(name: str | None, role: str, *, progress: Progress | None = None, offline: bool | None = None) -> Path:
    """Obtain what is missing or wrong of a model, source by source, and return what `locate` would.

    A file gets its name only after its size and sha256 were right. An interrupted pull is taken up where it
    was. `progress` None draws a bar on stderr; `offline` None reads CITEWIRE_OFFLINE. A second process that
    wants the same model waits. Raises ModelError with the reason of every source that failed.
    """
    own = _own_gguf(name, role)
    if own is not None:
        return own
    model = choose(name, role)
    if not _wanting(model):
        return _entry(model)
    offline = is_offline() if offline is None else offline
    with _bar(model) if progress is None else nullcontext(progress) as report:
        try:
            with _alone(model, report):
                _sweep(model)
                _obtain(model, report, offline=offline)
        except OSError as error:
            raise ModelError(
                f"{models_dir()} cannot hold {model.name}: {error}; set CITEWIRE_MODELS to another folder"
            ) from error
    return _entry(model)


def _own_path(name: str | None, role: str) -> Path | None:
    """The path of the user's own model that `name` is, there or not; None for what may be a listed name."""
    if role != "llm" or name is None or any(model.name == name for model in manifest()):
        return None
    path = Path(name).expanduser()
    return None if path.suffix.lower() != ".gguf" and path.name == name else path


def _own_gguf(name: str | None, role: str) -> Path | None:
    """The user's own GGUF file, when `name` is a path and no listed name. Raises ModelError when it is not there."""
    path = _own_path(name, role)
    if path is None:
        return None
    if not path.is_file():
        raise ModelError(f"{path} is not there; give the path of a .gguf file or a name from models.txt")
    with path.open("rb") as stream:
        if stream.read(4) != b"GGUF":
            raise ModelError(f"{path} is not a GGUF file: it does not begin with the letters GGUF")
    return path.absolute()


def _entry(model: Model) -> Path:
    folder = models_dir() / model.name
    return folder / model.files[0].path if model.role == "llm" else folder


def _obtain(model: Model, progress: Progress, *, offline: bool) -> None:
    scratch = _downloads() / model.name
    reasons: list[str] = []
    for source in model.sources:
        wanting = _wanting(model)
        if not wanting:
            break
        try:
            _draw(model, wanting, source, scratch, progress, offline=offline)
        except (ModelError, OSError) as error:
            reasons.append(f"{source}: {error}")
            _log.warning("%s: %s: %s", model.name, source, error)
    wanting = _wanting(model)
    if wanting:
        raise ModelError(
            "\n  ".join([f"{model.name}: no source gave {', '.join(file.path for file in wanting)}", *reasons])
            + f"\nWhat was fetched is kept; to go on, run: citewire models pull {model.name}"
        )
    shutil.rmtree(scratch, ignore_errors=True)


def _sweep(model: Model) -> None:
    """Delete what a pull or a stamp left half written when it was killed; the model's lock is held."""
    folder = models_dir() / model.name
    for left in (*folder.rglob("*.part"), *folder.glob(f"{_STAMPS}.*")):
        left.unlink(missing_ok=True)


def _draw(
    model: Model,
    wanting: list[ModelFile],
    source: Source,
    scratch: Path,
    progress: Progress,
    *,
    offline: bool,
) -> None:
    """Fetch the wanting files from one source; ModelError or OSError at the first that fails."""
    if offline and source.network:
        raise ModelError("not asked: offline (CITEWIRE_OFFLINE), the network is not touched")
    scratch.mkdir(parents=True, exist_ok=True)
    _require_space(source.copies * sum(file.size for file in wanting), scratch)
    ready_bytes = model.size_bytes - sum(file.size for file in wanting)
    for file in wanting:

        def report(stage: str, done: int, ready: int = ready_bytes, most: int = file.size) -> None:
            progress(stage, ready + min(done, most), model.size_bytes)

        _fetch(model, file, source, scratch, report)
        ready_bytes += file.size


def _fetch(model: Model, file: ModelFile, source: Source, scratch: Path, report: Callable[[str, int], None]) -> None:
    target = models_dir() / model.name / file.path
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    right = (file.size, file.sha256)
    report("download", 0)
    try:
        source.fetch(
            file.path,
            part,
            size_bytes=file.size,
            scratch=scratch,
            progress=lambda done: report("download", done),
        )
        report("check", file.size)
        found = _describe(part)
        if found == right:
            sync_file(part)
            part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    if found != right:
        shutil.rmtree(scratch, ignore_errors=True)  # whatever made it must not make it again
        came, expected = (f"{size} bytes, sha256 {sha256}" for size, sha256 in (found, right))
        raise ModelError(f"deleted {file.path}: it came with {came}; models.txt says {expected}")
    _stamp(model, file)


def _describe(path: Path) -> tuple[int, str]:
    """Size and sha256 of what really lies on disk."""
    with path.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        return stream.tell(), sha256


def _require_space(needed_bytes: int, scratch: Path) -> None:
    kept_bytes = sum(path.stat().st_size for path in scratch.rglob("*") if path.is_file())
    free_bytes = shutil.disk_usage(scratch).free
    lacking_bytes = needed_bytes - kept_bytes
    if lacking_bytes > free_bytes:
        raise ModelError(
            f"downloading takes {lacking_bytes / 1e9:.2f} GB, {models_dir()} has {free_bytes / 1e9:.2f} GB "
            "free; make room or set CITEWIRE_MODELS to a folder on another disk"
        )


def _downloads() -> Path:
    return models_dir() / ".downloads"


@contextmanager
def _alone(model: Model, progress: Progress) -> Iterator[None]:
    """Hold the model's lock, across processes."""
    _downloads().mkdir(parents=True, exist_ok=True)
    lock = FileLock(_downloads() / f"{model.name}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        progress("wait", 0, model.size_bytes)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _bar(model: Model) -> Iterator[Progress]:
    interval_s = 0.2 if sys.stderr.isatty() else 10.0
    with (
        tqdm(total=model.size_bytes, unit="B", unit_scale=True, mininterval=interval_s, file=sys.stderr) as bar,
        logging_redirect_tqdm(),  # what is logged meanwhile gets a line of its own
    ):

        def report(stage: str, done: int, total: int) -> None:
            del total
            bar.set_description(f"{model.name}: {stage}", refresh=False)
            bar.update(done - bar.n)

        yield report


def _wanting(model: Model) -> list[ModelFile]:
    statuses = _statuses(model, rehash=False)
    return [file for file in model.files if statuses[file.path] is not Status.OK]


def _statuses(model: Model, *, rehash: bool) -> dict[str, Status]:
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
    if _describe(path)[1] != file.sha256:
        _unstamp(model, file)
        return Status.WRONG_SHA256
    if before == _stamp_of(path, file):
        _distrusted.discard(path)
        _stamp(model, file)
    return Status.OK


def _stamp_of(path: Path, file: ModelFile) -> list[object]:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns, file.sha256]


def _stamps(model: Model) -> dict[str, object]:
    path = models_dir() / model.name / _STAMPS
    try:
        if not path.is_file() or path.stat().st_size > _MOST_STAMP_BYTES:
            return {}
        stamps = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return stamps if isinstance(stamps, dict) else {}


def _stamp(model: Model, file: ModelFile) -> None:
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
    for left in folder.glob(f"{_STAMPS}.*"):
        left.unlink(missing_ok=True)
    draft = folder / f"{_STAMPS}.{os.getpid()}.{threading.get_ident()}"
    try:
        draft.write_text(json.dumps(stamps, indent=1), encoding="utf-8")
        draft.replace(folder / _STAMPS)
    finally:
        draft.unlink(missing_ok=True)
