"""Rebuild: make the database of a home anew, in a folder beside it, and put it in place when it is complete.

    rebuild/     the new database while it is made; deleted when the rebuild ends, however it ends

What the old database still gives is read first (index/salvage.py): its sources, its articles and which files the user
removed. A rebuild then reads every source again and embeds every sentence. A repair does so only for what was altered.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from index import database, derived, location, uploads
from index import replace as replacing
from index.change import Change, Put
from index.duplicate import Story
from index.errors import StoreError
from index.home import DATABASE
from index.location import Locations
from index.lock import finish_replacement, write_lock
from index.original import settle
from index.run import Failure, SyncReport
from index.salvage import CHECKED, Origin, Salvage, Stored, salvage, sound_vectors
from index.snapshot import last_generation
from index.store import LAYOUT, MEND, Store
from index.sync import embed_missing, sync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from index.embedder import Embedder
    from index.fetch import Fetcher
    from index.run import Interrupt

FOLDER = "rebuild"


@dataclass(frozen=True, slots=True)
class Repair:
    """What a rebuild or repair did. `lost` are the articles and sources that could not be recovered, and why."""

    report: SyncReport
    lost: tuple[Failure, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready mapping."""
        lost = [{"path": failure.path, "reason": failure.reason} for failure in self.lost]
        return {**self.report.to_dict(), "lost": lost}


def rebuild(home: Path, embedder: Embedder, fetcher: Fetcher, interrupt: Interrupt, *, mend: bool) -> Repair:
    """Make the database of `home` anew; with `mend`, keep what is as it was written.

    Raises StoreError when it cannot be done; then the old one is unchanged.
    """
    path = home / DATABASE
    try:
        finish_replacement(path)
        with write_lock(home, interrupt), _empty_folder(home) as place:
            salvaged = _in_this_layout(salvage(path), home)
            if mend and not (salvaged.layout and salvaged.is_known):
                raise StoreError(
                    f"nothing can be read from {path}, so nothing can be mended. Restore a backup: citewire restore "
                    "FILE; or begin anew: citewire index rebuild"
                )
            before = {one.article.id: one.article for one in salvaged.articles}
            number = max(salvaged.generation, last_generation(home))
            store = Store(place / DATABASE, embedder=embedder.name, generation=number)
            with contextlib.closing(store):
                done = _fill(store, embedder, fetcher, home, salvaged, interrupt, mend=mend)
                with store.read() as generation:
                    articles = {article.id: article for article in generation.articles()}
            changed = {one.id for one in salvaged.damaged}
            changed |= {name for name, article in before.items() if articles.get(name) != article}
            derived.forget(home, changed)
            replacing.put_in_place(place / DATABASE, path, keep_old=bool(done.lost) or _is_unknown(salvaged, path))
            derived.forget(home, changed)
            derived.keep_only(home, articles.keys())
    except sqlite3.Error as error:
        raise database.explained(path, error, damaged=MEND, waited_s=replacing.COPY_WAIT_S) from error
    except OSError as error:
        raise StoreError(
            f"{home} cannot be written ({error.strerror or error}); the index is unchanged. "
            f"See who may write it with: ls -ld {home}"
        ) from error
    return done


def forget_leftovers(home: Path) -> None:
    """Delete the files of a rebuild that was killed. The caller holds the write lock."""
    folder = home / FOLDER
    if folder.exists():
        shutil.rmtree(folder)
    replacing.forget_unrecorded(home / DATABASE)


@contextlib.contextmanager
def _empty_folder(home: Path) -> Iterator[Path]:
    forget_leftovers(home)
    folder = home / FOLDER
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _fill(
    store: Store,
    embedder: Embedder,
    fetcher: Fetcher,
    home: Path,
    salvaged: Salvage,
    interrupt: Interrupt,
    *,
    mend: bool,
) -> Repair:
    """Fill an empty store with what was salvaged, then sync the sources: all of them, or those of altered articles."""
    path, locations = home / DATABASE, Locations.of(home)
    if mend and salvaged.embedder == embedder.name:
        for keys, values in sound_vectors(path):
            _keep_vectors(store, keys, values)
    uploaded = home / location.UPLOADS
    roots = salvaged.roots
    if not roots and not salvaged.layout and uploaded.is_dir() and any(uploaded.iterdir()):
        roots = [location.UPLOADS]  # nothing could be read from the database, but the user's uploads are here
    change = Change(
        put=[Put(one.article, one.origin, Story(one.article.text).keys()) for one in salvaged.articles],
        origins={uri: one.fingerprint if mend else "" for uri, one in salvaged.origins.items()},
        feeds={uri: one.feed for uri, one in salvaged.origins.items() if one.feed is not None},
        exclude_origins={uri for uri, one in salvaged.origins.items() if one.is_excluded},
        roots=list(roots),
        edits=dict(salvaged.edits),
        tags=dict(salvaged.tags),
        read_at=dict(salvaged.read_at),
    )
    with store.read() as generation:
        settle(generation, change)
    embedded = embed_missing(store, embedder, change.put, interrupt)
    store.publish(change)
    synced = SyncReport()
    if roots and not (mend and salvaged.whole):
        uploads.settle(store, locations)
        # Those of altered articles had nothing to be of until they were read again.
        synced, change = sync(store, embedder, (), interrupt, fetcher, locations, edits=salvaged.edits)
        change.tags = {**salvaged.tags, **change.tags}
        store.publish(change)
    with store.read() as generation:
        ids = set(generation.article_ids())
        lost = [
            Failure(one.id, _why(one.origin, path))
            for one in salvaged.damaged
            if one.id not in ids and not (one.origin is not None and generation.articles(origin=one.origin))
        ]
    lost += [
        Failure(uri, "the name of this source was altered; see whether it is right, and add it again")
        for uri in salvaged.doubtful_roots
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
    return f"this article was altered, and {source}; what can be read of it is in {path.name}.old"


def _in_this_layout(salvaged: Salvage, home: Path) -> Salvage:
    """What was salvaged, with the uris of an older layout as the present one has them."""
    if not salvaged.layout or salvaged.layout >= CHECKED:
        return salvaged

    def uri(stored: str) -> str:
        return location.migrated(stored, home)

    salvaged.roots = list(dict.fromkeys(map(uri, salvaged.roots)))
    origins: dict[str, Origin] = {}
    for stored, one in salvaged.origins.items():
        known = origins.get(uri(stored))
        excluded = one.is_excluded and (known is None or known.is_excluded)
        origins[uri(stored)] = replace(one, is_excluded=excluded, feed=None if one.feed is None else uri(one.feed))
    salvaged.origins = origins
    salvaged.articles = [
        Stored(one.article, None if one.origin is None else uri(one.origin)) for one in salvaged.articles
    ]
    return salvaged


def _is_unknown(salvaged: Salvage, path: Path) -> bool:
    """Whether the old database may hold more than was salvaged: it is damaged, or a newer Citewire wrote it."""
    return path.exists() and (not salvaged.is_readable or salvaged.layout > LAYOUT)
