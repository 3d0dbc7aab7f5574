"""Rebuild: the index of a home made anew beside the one that is open, and put in its place when it is whole.

    rebuild/     the new one while it is made: begun empty each time, and deleted with whatever ends the rebuild

A repair is the same, but keeps what is as it was written: only what was altered is made, read or embedded again.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from index import database, derived, location
from index import replace as replacing
from index.duplicate import Story
from index.errors import StoreError
from index.lock import write_lock
from index.original import settle
from index.salvage import Origin, Salvage, Stored, salvage, sound_vectors
from index.store import LAYOUT, MEND, Change, Put
from index.sync import Failure, SyncReport, embed_missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from index.search import Index
    from index.store import Store
    from index.sync import Interrupt

FOLDER = "rebuild"


@dataclass(frozen=True, slots=True)
class Repair:
    """What a rebuild or repair did. `lost` are the articles and sources that could not be had again, and why."""

    report: SyncReport
    lost: tuple[Failure, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready mapping."""
        lost = [{"path": failure.path, "reason": failure.reason} for failure in self.lost]
        return {**self.report.to_dict(), "lost": lost}


def rebuild(home: Path, name: str, make: Callable[[Path, int], Index], interrupt: Interrupt, *, mend: bool) -> Repair:
    """Make the database `name` of `home` anew. `make` opens an empty index in a folder, with a first generation.

    Raises StoreError when it cannot be done; then the old one is as it was.
    """
    path = home / name
    try:
        replacing.finish(path)
        with write_lock(home, interrupt), _workshop(home, name) as place:
            left = _present(salvage(path), home)
            if mend and not (left.layout and left.is_known):
                raise StoreError(
                    f"nothing can be read from {path}, so nothing can be mended. Restore a backup: citewire restore "
                    "FILE; or begin anew: citewire index rebuild"
                )
            before = {one.article.id: one.article for one in left.articles}
            with make(place, max(left.generation, _last_generation(home))) as index:
                done = _fill(index, left, path, interrupt, mend=mend)
                articles = {article.id: article for article in index.articles()}
            changed = {one.id for one in left.damaged}
            changed |= {name for name, article in before.items() if articles.get(name) != article}
            derived.forget(home, changed)
            replacing.put_in_place(place / name, path, keep_old=bool(done.lost) or _is_unknown(left, path))
            derived.forget(home, changed)
            derived.keep_only(home, articles.keys())
    except sqlite3.Error as error:
        raise database.explained(path, error, damaged=MEND, waited_s=replacing.COPY_WAIT_S) from error
    except OSError as error:
        raise StoreError(f"{home} cannot be written ({error.strerror or error}); the index is as it was") from error
    return done


def forget_leftovers(home: Path, name: str) -> None:
    """Delete what a rebuild that was killed left; whoever calls this holds the write lock."""
    folder = home / FOLDER
    if folder.exists():
        shutil.rmtree(folder)
    replacing.forget_unrecorded(home / name)


@contextlib.contextmanager
def _workshop(home: Path, name: str) -> Iterator[Path]:
    forget_leftovers(home, name)
    folder = home / FOLDER
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _fill(index: Index, left: Salvage, path: Path, interrupt: Interrupt, *, mend: bool) -> Repair:
    """Fill an empty index with what is left, and read again what is not, or everything."""
    store, embedder = index._store, index.embedder
    if mend and left.embedder == embedder.name:
        for keys, values in sound_vectors(path):
            _keep_vectors(store, keys, values)
    uploads = index.uploads
    roots = left.roots or [location.UPLOADS] * (not left.layout and uploads.is_dir() and any(uploads.iterdir()))
    change = Change(
        put=[Put(one.article, one.origin, Story(one.article.text).keys()) for one in left.articles],
        origins={uri: one.fingerprint if mend else "" for uri, one in left.origins.items()},
        feeds={uri: one.feed for uri, one in left.origins.items() if one.feed is not None},
        exclude_origins={uri for uri, one in left.origins.items() if one.is_excluded},
        roots=list(roots),
    )
    with store.read() as generation:
        settle(generation, change)
    embedded = embed_missing(store, embedder, change.put, interrupt)
    store.publish(change)
    synced = SyncReport()
    if roots and not (mend and left.whole):
        synced = index.sync(progress=interrupt.tick)
    with store.read() as generation:
        ids = set(generation.article_ids())
        lost = [
            Failure(one.id, _why(one.origin, path))
            for one in left.damaged
            if one.id not in ids and not (one.origin is not None and generation.articles(origin=one.origin))
        ]
    lost += [
        Failure(uri, "the name of this source was altered; see whether it is right, and add it again")
        for uri in left.doubtful_roots
    ]
    report = replace(
        synced, added=len(ids), updated=0, unchanged=0, removed=0, embedded=embedded + synced.embedded,
        failed=(*synced.failed, *lost),
    )  # fmt: skip
    return Repair(report, tuple(lost))


def _keep_vectors(store: Store, keys: list[bytes], values: list[bytes]) -> None:
    matrix = [np.frombuffer(value, dtype=np.float32) for value in values]
    length = max(map(len, matrix))
    kept = [(key, row) for key, row in zip(keys, matrix, strict=True) if len(row) == length]
    store.save_vectors([key for key, _ in kept], np.stack([row for _, row in kept]))


def _why(origin: str | None, path: Path) -> str:
    source = "it came from no file" if origin is None else f"it cannot be read again from {origin}"
    return f"this article was altered, and {source}; what is left of it is in {path.name}.old"


def _present(left: Salvage, home: Path) -> Salvage:
    """With the uris of an older layout as they are kept in this one."""
    if not left.layout or left.layout >= LAYOUT:
        return left

    def uri(stored: str) -> str:
        return location.migrated(stored, home)

    left.roots = list(dict.fromkeys(map(uri, left.roots)))
    origins: dict[str, Origin] = {}
    for stored, one in left.origins.items():
        known = origins.get(uri(stored))
        excluded = one.is_excluded and (known is None or known.is_excluded)
        origins[uri(stored)] = replace(one, is_excluded=excluded, feed=None if one.feed is None else uri(one.feed))
    left.origins = origins
    left.articles = [Stored(one.article, None if one.origin is None else uri(one.origin)) for one in left.articles]
    return left


def _is_unknown(left: Salvage, path: Path) -> bool:
    """Whether the old database may hold what was not read: a part of it cannot be, or a newer Citewire wrote it."""
    return path.exists() and (not left.is_readable or left.layout > LAYOUT)


def _last_generation(home: Path) -> int:
    """The number of the newest snapshot, for a database that does not say its own any more."""
    numbers = [path.stem.removeprefix("vectors-") for path in home.glob("vectors-*.faiss")]
    return max((int(number) for number in numbers if number.isdecimal()), default=0)
