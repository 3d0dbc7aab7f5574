"""Folders: which folders and files of this machine may be added on the page. Knows no page, no index and no Gradio."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from index.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

NOT_HERE = "only addresses that begin with https:// or www. can be added here"


class Folders:
    """Any folder while only the owner of this machine reaches the page, else those within the allowed ones.

    Safe to use from several threads.
    """

    def __init__(self, allowed: Iterable[str | Path] = (), *, anywhere: bool = True) -> None:
        """`allowed` folders are given by whoever starts the page; any of them ends `anywhere`.

        Raises InputError for one that is no folder.
        """
        self.allowed = tuple(_real(Path(path).expanduser()) for path in allowed)
        self._anywhere = anywhere and not self.allowed
        self._lock = threading.Lock()

    @property
    def anywhere(self) -> bool:
        """Whether any folder may be added."""
        return self._anywhere

    @property
    def possible(self) -> bool:
        """Whether any folder at all may be added."""
        return self._anywhere or bool(self.allowed)

    def restrict(self) -> None:
        """Others than the owner of this machine reach the page: from now on only the allowed ones."""
        with self._lock:
            self._anywhere = False

    def find(self, place: str) -> Path:
        """The real path of a folder or file that may be added. Raises InputError, with why not, for any other place.

        Links and ".." are resolved first, so that none of them leads out of an allowed folder.
        """
        if not self.possible:
            raise InputError(NOT_HERE)
        try:
            real = _real(Path(os.path.expanduser(place)), or_file=True)  # noqa: PTH111 (Path's raises for an unknown user)
        except InputError:
            # The same answer for a place that is there and one that is not, when neither may be seen.
            missing = "there is no such file or folder on this machine; addresses begin with https:// or www."
            raise (InputError(missing) if self.anywhere else self._refusal()) from None
        if not self.anywhere and not any(real.is_relative_to(folder) for folder in self.allowed):
            raise self._refusal()
        return real

    def _refusal(self) -> InputError:
        return InputError(f"only what is within {', '.join(map(str, self.allowed))} can be added here")


def _real(path: Path, *, or_file: bool = False) -> Path:
    try:
        real = path.resolve(strict=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(f"there is no folder {str(path)!r}") from error
    if not real.is_dir() and not (or_file and real.is_file()):
        raise InputError(f"{str(path)!r} is no folder")
    return real
