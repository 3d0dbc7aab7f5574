"""Pull: obtain a model's files from its sources. A file gets its name only after size and sha256 were right."""

from __future__ import annotations

import logging
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from index.database import sync_file
from index.errors import ModelError
from index.home import is_offline
from index.models.choice import choose, entry, own_gguf
from index.models.verified import STAMPS, describe, models_dir, stamp, wanting

if TYPE_CHECKING:
    from pathlib import Path

    from index.models.manifest import Model, ModelFile
    from index.models.source import Source

Progress = Callable[[str, int, int], None]
"""Called with (stage, bytes done, bytes in all). Stages: "wait" (for another pull), "download", "check"."""

_log = logging.getLogger(__name__)


def pull(name: str | None, role: str, *, progress: Progress | None = None, offline: bool | None = None) -> Path:
    """Obtain what is missing or wrong of a model, source by source, and return what `locate` would.

    A file gets its name only after its size and sha256 were right. An interrupted pull is continued. `progress` None
    draws a bar on stderr; `offline` None reads CITEWIRE_OFFLINE. A second process that wants the same model waits.
    Raises ModelError with the reason of every source that failed.
    """
    own = own_gguf(name)
    if own is not None:
        return own
    model = choose(name, role)
    if not wanting(model):
        return entry(model)
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
    return entry(model)


def _obtain(model: Model, progress: Progress, *, offline: bool) -> None:
    scratch = _downloads() / model.name
    reasons: list[str] = []
    for source in model.sources:
        missing = wanting(model)
        if not missing:
            break
        try:
            _draw(model, missing, source, scratch, progress, offline=offline)
        except (ModelError, OSError) as error:
            reasons.append(f"{source}: {error}")
            _log.warning("%s: %s: %s", model.name, source, error)
    missing = wanting(model)
    if missing:
        raise ModelError(
            "\n  ".join([f"{model.name}: no source gave {', '.join(file.path for file in missing)}", *reasons])
            + f"\nWhat was fetched is kept; to continue, run: citewire models pull {model.name}"
        )
    shutil.rmtree(scratch, ignore_errors=True)


def _sweep(model: Model) -> None:
    """Delete what a pull or a stamp left half written when it was killed; the model's lock is held."""
    folder = models_dir() / model.name
    for leftover in (*folder.rglob("*.part"), *folder.glob(f"{STAMPS}.*")):
        leftover.unlink(missing_ok=True)


def _draw(
    model: Model,
    missing: list[ModelFile],
    source: Source,
    scratch: Path,
    progress: Progress,
    *,
    offline: bool,
) -> None:
    """Fetch the missing files from one source; ModelError or OSError at the first that fails."""
    if offline and source.network:
        raise ModelError("not asked: offline (CITEWIRE_OFFLINE), the network is not touched")
    scratch.mkdir(parents=True, exist_ok=True)
    _require_space(source.copies * sum(file.size for file in missing), scratch)
    ready_bytes = model.size_bytes - sum(file.size for file in missing)
    for file in missing:

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
        found = describe(part)
        if found == right:
            sync_file(part)
            part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    if found != right:
        shutil.rmtree(scratch, ignore_errors=True)  # whatever made it must not make it again
        came, expected = (f"{size} bytes, sha256 {sha256}" for size, sha256 in (found, right))
        raise ModelError(f"deleted {file.path}: it came with {came}; models.txt says {expected}")
    stamp(model, file)


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
    # Every command imports this module, and few draw a bar.
    from tqdm import tqdm
    from tqdm.contrib.logging import logging_redirect_tqdm

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
