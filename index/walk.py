"""Walk: remembered files and folders → the files to read. Opens none of them, and follows no link out of its folder.

A file is found under its real path, once, however many links lead to it, and a folder is entered once. What cannot be
looked into is reported, and is no reason to take what was indexed from there for gone. Files that a browser saved
beside a page ("Storm_files" beside "Storm.html") belong to that page, and are no articles.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from index import read
from index.location import quoted, real, within

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

BELONGS = "it belongs to the saved page {}, which is the article. To add it as another: citewire index add {}"
TO_FORGET = "what was indexed from it stays. To forget it: citewire index remove"

_PAGE = re.compile(r"(.+)\.x?html?", re.IGNORECASE)
_BESIDE_PAGE = re.compile(
    r"(.+)(?:[_.]files|-dateien|_fichiers|_bestanden|_archivos|_arquivos|_ficheiros|_file|-filer|_pliki|_soubory|_elemei"
    r"|_tiedostot|_dosyalar|_datoteke|_fajlovi|_bylos|_fails|_failid|_fitxers|_fitxategiak)",
    re.IGNORECASE,
)
"""How browsers call the folder of a saved page, in their languages; Windows takes these for one thing with the page
(https://learn.microsoft.com/windows/win32/shell/manage, "Connected Files")."""


@dataclass(slots=True)
class Found:
    """What a walk found, as real paths.

    `files` are in the order in which they are to be read. Nothing is known of the `unknown` files and folders. `gone`
    are the given files that are no more. `failed` says of each path what is wrong with it, `left_out` of files why they
    are not to be read.
    """

    files: dict[str, None] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    entered: set[str] = field(default_factory=set)

    def is_known(self, path: str) -> bool:
        """Whether the walk knows if there is a file at `path`."""
        return not any(within(path, unknown) for unknown in self.unknown)

    def no_access(self, path: str, error: OSError) -> None:
        """Note a path that cannot be looked at."""
        self.unknown.append(path)
        self.failed.append((path, f"cannot be looked at ({error.strerror}); what was indexed from it stays"))


def walk(roots: Sequence[str], *, others: Sequence[str], was_file: Callable[[str], bool]) -> Found:
    """What is to be read of `roots`, files and folders by their real paths.

    A link to what is in one of `others` needs no word, since it is read there. `was_file` says of a root that is not
    there whether it was a file. Raises nothing.
    """
    found = Found()
    for root in roots:
        try:
            mode = Path(root).stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            _missing(root, found, was_file=was_file(root))
        except OSError as error:
            found.no_access(root, error)
        else:
            if stat.S_ISDIR(mode):
                _enter(root, (root, *others), found)
            else:
                found.files[root] = None
    return found


def is_empty(folder: str) -> bool:
    """Whether a folder is there and has nothing in it, as where a disk is to be mounted. Raises OSError."""
    with os.scandir(folder) as entries:
        return next(entries, None) is None


def _missing(root: str, found: Found, *, was_file: bool) -> None:
    if not was_file:
        reason = f"folder not found; {TO_FORGET} {quoted(root)}"
    else:
        try:
            if not is_empty(str(Path(root).parent)):
                found.gone.append(root)
                return
            reason = (
                f"file not found, and its folder is empty, as if a disk were not mounted; {TO_FORGET} {quoted(root)}"
            )
        except OSError:
            reason = f"file not found, nor its folder; {TO_FORGET} {quoted(root)}"
    found.unknown.append(root)
    found.failed.append((root, reason))


def _enter(root: str, roots: Sequence[str], found: Found) -> None:
    """Find the files below `root`: those of a folder in the order of their names, then those of its subfolders."""
    waiting: list[tuple[str, str]] = [(root, "")]  # a folder, and the saved page that it belongs to
    while waiting:
        folder, page = waiting.pop()
        if folder in found.entered:
            continue
        found.entered.add(folder)
        try:
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            found.no_access(folder, error)
            continue
        subfolders = []
        pages = {match[1].casefold(): entry.name for entry in entries if (match := _PAGE.fullmatch(entry.name))}
        for entry in entries:
            if entry.name.startswith((".", "~$")):  # hidden files, and those by which an office program locks others
                continue
            try:
                target = _target(entry, roots)
                if target is None:
                    found.failed.append((entry.path, "a link that leads out of the folder; add its target itself"))
                elif not within(target, root):
                    pass  # it is read with the other root that it is in
                elif _is_folder(entry, target):
                    beside = _BESIDE_PAGE.fullmatch(entry.name)
                    own = pages.get(beside[1].casefold(), "") if beside else ""
                    subfolders.append((target, "" if target in roots else page or own))
                elif page and target not in roots:
                    if read.readable(Path(target)):
                        found.left_out[target] = BELONGS.format(page, quoted(target))
                else:
                    _note(entry, target, found)
            except FileNotFoundError:
                found.failed.append((entry.path, _absent(entry)))
            except OSError as error:
                if not read.is_sidecar(Path(entry.path)):  # whoever reads the article finds that out
                    found.no_access(entry.path, error)
                    found.unknown.append(os.path.realpath(entry.path))
        waiting.extend(reversed(subfolders))


def _target(entry: os.DirEntry[str], roots: Sequence[str]) -> str | None:
    """The real path of an entry of a folder with a real path; None if it is a link out of all `roots`."""
    if not entry.is_symlink():
        return entry.path
    target = os.path.realpath(entry.path, strict=True)  # raises for a loop and for what is not there
    return real(entry.path) if any(within(target, root) for root in roots) else None


def _is_folder(entry: os.DirEntry[str], target: str) -> bool:
    return Path(target).is_dir() if entry.is_symlink() else entry.is_dir(follow_symlinks=False)


def _note(entry: os.DirEntry[str], target: str, found: Found) -> None:
    path = Path(entry.path)
    if read.is_sidecar(path):
        return
    if read.readable(path):
        found.files[target] = None
    else:
        found.failed.append((entry.path, f"no reader for {path.suffix or 'a file without an ending'}"))


def _absent(entry: os.DirEntry[str]) -> str:
    return "a link to what is not there; mend or delete it" if entry.is_symlink() else "vanished during the run"
