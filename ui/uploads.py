"""Uploads: files a visitor handed in → copies under harmless names in the home. Knows no Gradio and no index."""

from __future__ import annotations

import itertools
import re
import unicodedata
from typing import TYPE_CHECKING

from index.errors import InputError
from index.read.formats import PARSERS

if TYPE_CHECKING:
    from pathlib import Path

TYPES = tuple(PARSERS)
"""Endings that can be handed in: those that index reads."""
MOST_BYTES = 20 * 1024 * 1024
"""Largest file; a long newspaper article is a thousandth of it."""
MOST_FILES = 200
"""Most files at once; more go by way of a folder."""
NAME_CHARS = 80
"""Longest stem a copy keeps."""


def keep(upload: Path, *, folder: Path) -> Path:
    """Copy a file into `folder` under a harmless name, and return the copy.

    The same name and content is not copied again; other content gets its own name ("report-2.txt").
    Raises InputError for a type that is not in TYPES and for a file over MOST_BYTES.
    """
    suffix = upload.suffix.lower()
    if suffix not in TYPES:
        raise InputError(f"only {', '.join(TYPES)} can be added here; run: citewire index add FILE")
    if upload.stat().st_size > MOST_BYTES:
        raise InputError(f"larger than {MOST_BYTES // 1024**2} MB; run: citewire index add FILE")
    content = upload.read_bytes()
    folder.mkdir(parents=True, exist_ok=True)
    stem = harmless(upload.stem)
    for number in itertools.count(1):
        kept = folder / (f"{stem}{suffix}" if number == 1 else f"{stem}-{number}{suffix}")
        try:
            with kept.open("xb") as file:
                file.write(content)
        except FileExistsError:
            if kept.is_file() and not kept.is_symlink() and kept.read_bytes() == content:
                return kept
            continue
        return kept
    raise AssertionError("unreachable")


def harmless(stem: str) -> str:
    """`stem` as a plain file name on any system: letters, digits, space, dot, hyphen; never hidden."""
    plain = re.sub(r"[^\w .-]+", "_", unicodedata.normalize("NFC", stem))
    plain = plain.strip(" ._-")[:NAME_CHARS].strip(" ._-")
    if not plain:
        return "article"
    return f"_{plain}" if re.fullmatch(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?", plain) else plain
