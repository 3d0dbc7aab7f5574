"""Watch: sync again whenever a remembered folder changes, and now and then for feeds. Knows no formats."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from index.location import Locations, is_address, is_storable

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from index.run import Progress, SyncReport
    from index.search import Index

QUIET_MS = 1000
"""A burst of changes is over when nothing has changed for so long; an editor saves in several steps."""
POLL_FEEDS_S = 900
"""How often addresses are asked for news. Servers that say "not modified" make it cheap."""


def watch(index: Index, *, stop: threading.Event, progress: Progress | None = None) -> Iterator[SyncReport]:
    """Sync, yield the report, and do so again after each change, until `stop` is set.

    Raises what Index.sync raises.
    """
    from watchfiles import watch as changes
    from watchfiles._rust_notify import WatchfilesRustInternalError

    yield index.sync(progress=progress)
    places = Locations.of(index.home)
    folders = {str(_folder(Path(places.path(one)))) for one in index.stats().sources if not is_address(one)}
    while True:
        try:
            for _ in changes(
                *sorted(folders),
                stop_event=stop,
                debounce=QUIET_MS * 4,
                step=QUIET_MS,
                rust_timeout=POLL_FEEDS_S * 1000,
                yield_on_timeout=True,
                raise_interrupt=True,
            ):
                yield index.sync(progress=progress)
            return
        except WatchfilesRustInternalError:  # something changed whose name is not UTF-8
            stop.wait(QUIET_MS / 1000)
        yield index.sync(progress=progress)


def _folder(source: Path) -> Path:
    """What to watch for a source: a file is seen to vanish and come back only from its folder. A folder whose name is
    not UTF-8 cannot be watched; the one above it can."""
    folder = source if _is_folder(source) else source.parent
    while not (_is_folder(folder) and is_storable(str(folder))):
        folder = folder.parent
    return folder


def _is_folder(path: Path) -> bool:
    return os.path.isdir(path)  # noqa: PTH112 - Path.is_dir raises for what cannot be looked at
