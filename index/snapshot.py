"""Snapshot: the FAISS index of the current generation, in memory and in the home, made from the database when missing.

vectors-00000007.faiss    that of generation 7; may be deleted at any time
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from index.store import Generation
    from index.vectors import Vectors

FILES = "vectors-*.faiss"


class Snapshots:
    """The snapshot of one home, kept in memory for the next search. Safe to use from several threads at once."""

    def __init__(self, home: Path) -> None:
        """Nothing is loaded yet."""
        self._home = home
        self._lock = threading.Lock()
        self._loaded: Vectors | None = None

    def of(self, generation: Generation) -> Vectors | None:
        """The vectors of a generation: those in memory, else its snapshot, else built from the database.

        None when it has no sentences.
        """
        from index.vectors import SnapshotError, Vectors

        number, database = generation.number, generation.database
        current = self._loaded
        if current is not None and current.is_of(database, number):
            return current
        with self._lock:
            current = self._loaded
            if current is not None and current.is_of(database, number):
                return current
            path = self._path(number)
            try:
                loaded = Vectors.load(path, number, database=database)
            except SnapshotError:
                ids = generation.vectors.ids_in_use()
                if not len(ids):
                    self._sweep(None)
                    return None
                loaded = Vectors.build(number, ids, generation.vectors.of, before=current, database=database)
                # A home that cannot be written, or a full disk, costs speed at the next start and nothing else.
                with contextlib.suppress(OSError):
                    loaded.save(path)
                    self._sweep(path)
            # A reader of an older generation that came late changes nothing.
            if current is None or current.generation <= loaded.generation:
                self._loaded = loaded
            return loaded

    def problems(self, generation: Generation) -> list[str]:
        """What is wrong with the snapshot on disk of this generation."""
        from index.vectors import SnapshotError, Vectors

        count = len(generation.vectors.ids_in_use())
        if not count:
            return []
        try:
            stored = len(Vectors.load(self._path(generation.number), generation.number, database=generation.database))
        except SnapshotError as error:
            return [f"FAISS snapshot: {error}; the next search rebuilds it"]
        return [] if stored == count else [f"the FAISS snapshot holds {stored} vectors, the database {count}"]

    def _path(self, number: int) -> Path:
        return self._home / f"vectors-{number:08d}.faiss"

    def _sweep(self, keep: Path | None) -> None:
        """Delete the snapshots of earlier generations; all, without `keep`."""
        for path in self._home.glob(FILES):
            if keep is None or path.name < keep.name:
                path.unlink(missing_ok=True)
        # What a killed process was writing. Another one that writes now will find its draft gone, and try again later.
        for draft in self._home.glob(f"{FILES}.*.tmp"):
            draft.unlink(missing_ok=True)


def last_generation(home: Path) -> int:
    """The number of the newest snapshot, for a database that cannot give its own; 0 without one."""
    numbers = [path.stem.removeprefix("vectors-") for path in home.glob(FILES)]
    return max((int(number) for number in numbers if number.isdecimal()), default=0)
