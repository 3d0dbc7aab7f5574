"""Uploads: the files in the home that front ends were handed, which go together with their articles.

Such a file is set aside before its article leaves the database, and deleted afterwards. After a kill between the two,
the database says whether it is to be deleted or put back.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from index.errors import InputError

if TYPE_CHECKING:
    from index.location import Locations
    from index.store import Store

ASIDE = ".removed"
"""A folder within that of the uploads, hidden, so that no sync looks into it."""


def set_aside(folder: Path, file: Path) -> None:
    """Hide a file in `folder`, until `settle`. Raises InputError if it cannot be moved."""
    aside = folder / ASIDE / file.relative_to(folder)
    try:
        if file.is_file():
            aside.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            file.replace(aside)
    except OSError as error:
        raise InputError(f"{file} cannot be deleted ({error.strerror}), so its article stays as well") from error


def settle(store: Store, locations: Locations) -> None:
    """Delete what was set aside; put back what still has an article, unless its place is taken.

    After a removal that failed or was killed, the articles are still there.
    """
    folder = Path(locations.uploads)
    if not folder.joinpath(ASIDE).exists():
        return
    with store.read() as generation:
        counts = generation.article_counts()
    for aside in [path for path in folder.joinpath(ASIDE).rglob("*") if path.is_file()]:
        file = folder / aside.relative_to(folder / ASIDE)
        if locations.kept(str(file)) in counts and not file.exists():
            aside.replace(file)
        else:
            aside.unlink(missing_ok=True)
