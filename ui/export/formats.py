"""Formats: what a subject can be saved as, how such files end, and how they are named."""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from index.errors import InputError
from ui.export import bibtex, csl, csv_rows, docx_file, markdown, ris, works
from ui.export.document import legal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ui.export.subject import Subject

NAME_BYTES = 120
"""Longest name of a file without date and ending, in UTF-8: half of what file systems take, for the folder's sake."""
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:$|[.])", re.IGNORECASE)
"""Names that Windows keeps for devices, whatever they end with."""


@dataclass(frozen=True, slots=True)
class Format:
    """A format by the `name` that a command takes; `endings` are without the dot, the usual one first."""

    name: str
    label: str
    endings: tuple[str, ...]
    media_type: str
    render: Callable[[Subject], str | bytes]

    @property
    def is_text(self) -> bool:
        """Whether it can be printed."""
        return self.name != "docx"

    def content(self, subject: Subject) -> bytes:
        """The bytes of a file. Characters that no text file should have are left out."""
        made = self.render(subject)
        if isinstance(made, bytes):
            return made
        # Excel takes a CSV file for one of the system's code page unless a byte order mark says that it is UTF-8.
        return legal(made).encode("utf-8-sig" if self.name == "csv" else "utf-8")


def _html(subject: Subject) -> str:
    from ui.html import document  # brings numpy, which the help of a command does without

    return document.page(subject.document)


_ALL = (
    Format("markdown", "Markdown", ("md", "markdown"), "text/markdown", lambda one: markdown.render(one.document)),
    Format("html", "HTML", ("html", "htm"), "text/html", _html),
    Format(
        "docx",
        "Word",
        ("docx",),
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        lambda one: docx_file.render(one.document),
    ),
    Format("csv", "CSV", ("csv",), "text/csv", lambda one: csv_rows.render(one.columns, one.rows)),
    Format("bibtex", "BibTeX", ("bib",), "application/x-bibtex", lambda one: bibtex.render(works.cited(one.citations))),
    Format(
        "ris",
        "RIS",
        ("ris",),
        "application/x-research-info-systems",
        lambda one: ris.render(works.cited(one.citations)),
    ),
    Format(
        "csl-json",
        "CSL-JSON",
        ("csl.json", "csljson"),
        "application/vnd.citationstyles.csl+json",
        lambda one: csl.render(works.cited(one.citations)),
    ),
    Format("json", "JSON", ("json",), "application/json", lambda one: json.dumps(one.json, indent=2) + "\n"),
)
FORMATS = {one.name: one for one in _ALL}


def of_path(path: Path) -> Format:
    """The format that the ending of a file stands for. Raises InputError for another ending."""
    name = path.name.lower()
    for one in _ALL:  # "csl.json" comes before "json"
        if any(name.endswith(f".{ending}") for ending in one.endings):
            return one
    known = " ".join(f".{one.endings[0]}" for one in _ALL)
    raise InputError(f"{path}: the ending says the format, and this is none of {known}")


def file_name(subject: Subject, form: Format) -> str:
    """A name that says what is in the file and of which day, without what a file system does not take."""
    return f"{stem(subject.title, subject.day)}.{form.endings[0]}"


def stem(title: str, day: str = "") -> str:
    """The words of a title joined by hyphens, and a day: a name that every system takes, in letters of any script."""
    # Signs that stand on or beside letters are part of words: Hindi, Thai and Arabic write vowels so; \w lacks them.
    marked = (one if one == "_" or unicodedata.category(one)[0] in "LMN" else " " for one in title.casefold())
    words = unicodedata.normalize("NFC", "".join(marked)).split()
    name = ""
    for word in words:
        longer = f"{name}-{word}" if name else word
        if len(longer.encode("utf-8", "replace")) > NAME_BYTES:
            break
        name = longer
    name = name or _cut("".join(words[:1])) or "answer"
    name = f"{name}-{day}" if day else name
    return f"{name}-file" if _RESERVED.match(name) else name


def _cut(word: str) -> str:
    """As much of a word as a name takes: Chinese has no blanks between words."""
    return word.encode("utf-8", "ignore")[:NAME_BYTES].decode("utf-8", "ignore")


def write(subject: Subject, path: Path, form: Format | None = None) -> Path:
    """Save a subject and return where: in the file `path`, in the format that its ending says, or in the folder `path`
    under a name of its own, as `form`. A file is replaced whole or not at all.

    Raises InputError for another ending, or a folder without a format; OSError when it cannot be written.
    """
    if path.is_dir():
        if form is None:
            raise InputError(f"{path} is a folder; say in which format with --format, or name a file in it")
        path = path / file_name(subject, form)
    chosen = form or of_path(path)
    content = chosen.content(subject)
    aside = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        aside.write_bytes(content)
        aside.replace(path)
    finally:
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)
    return path
