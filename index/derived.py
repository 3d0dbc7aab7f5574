"""Derived: the folders in a home for what others make of an article. They go when the article changes or goes.

Whatever lies there must be possible to make again from the article. Knows nothing of what it is.
"""

from __future__ import annotations

import hashlib
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

FOLDER = "derived"


def folder(home: Path, article_id: str) -> Path:
    """Where things made of this article may be put. It need not exist. Ids are hashed: they may hold anything."""
    return home / FOLDER / hashlib.blake2b(article_id.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def forget(home: Path, article_ids: Iterable[str]) -> None:
    """Delete what was made of these articles."""
    for article_id in article_ids:
        shutil.rmtree(folder(home, article_id), ignore_errors=True)


def keep_only(home: Path, article_ids: Collection[str]) -> None:
    """Delete what was made of all articles but these: what a killed process could not."""
    try:
        found = list((home / FOLDER).iterdir())
    except OSError:
        return
    if found:
        known = {folder(home, article_id).name for article_id in article_ids}
        for path in found:
            if path.name not in known:
                shutil.rmtree(path, ignore_errors=True)
