"""RTF → Draft. The only file that imports striprtf."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from index.errors import ReadError
from index.read import table
from index.read.clean import tidy
from index.read.draft import Draft, LeftOut, byline, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROPERTY = r"\{{\\{}[ \t]?((?:[^{{}}\\]|\\'[0-9a-f]{{2}}|\\u-?\d+ ?\??|\\[a-z]+-?\d* ?){{0,600}}+)\}}"
"""{\title The talks}: a group of plain words and escapes. Possessive, as an escape can be read in two ways."""
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_FOOTNOTE = re.compile(r"\s*(?:\\\*\s*)?\\footnote(?![a-z])(?:\\ftnalt)?[ ]?")
_ROW = re.compile(r"^.*\|$", re.MULTILINE)


def parse(content: bytes) -> tuple[Draft | ReadError, ...]:
    """Paragraphs apart by blank lines, table rows that say their heads; title and author of the properties.

    Raises ReadError for what is no RTF, or cannot be read. Dates in it are those of the file, and not used.
    """
    from striprtf.striprtf import rtf_to_text

    written = content.decode("latin-1").lstrip()
    if not written.startswith("{\\rtf"):
        raise ReadError("this is no RTF, whatever its name says; give it the ending it should have")

    def plain(source: str) -> str:
        try:
            text: str = rtf_to_text(source, errors="replace")
        except Exception as error:  # what it raises is as varied as the damage
            raise ReadError(f"the RTF is damaged ({type(error).__name__}); save it again from its program") from error
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    def known(name: str) -> str | None:
        found = re.search(_PROPERTY.format(name), written[: 1 << 16], re.IGNORECASE)
        page = re.search(r"\\ansicpg\d{2,5}", written[:1000])
        return None if found is None else plain(f"{{\\rtf1\\ansi{page[0] if page else ''} {found[1]}}}")

    draft = Draft(
        "",
        tidy("\n\n".join(_blocks(plain(_notes_last(written)))), indented=True),
        title=one_line(known("title")),
        author=byline(known("author")),
    )
    objects = len(re.findall(r"\\objdata\b", written))
    return draft, *([LeftOut(f"{objects} embedded objects; add them as files")] if objects else [])


def _notes_last(written: str) -> str:
    """The source with each footnote as a paragraph at its end; striprtf drops them where they stand."""
    pieces: list[str] = []
    notes: list[str] = []
    depth = copied = 0
    start: int | None = None
    for brace in _BRACE.finditer(written):
        if brace[0] == "{":
            if start is None and _FOOTNOTE.match(written, brace.end()):
                start, within = brace.start(), depth
            depth += 1
        elif brace[0] == "}":
            depth -= 1
            if start is not None and depth == within:
                pieces.append(written[copied:start])
                body = _FOOTNOTE.sub("", written[start + 1 : brace.start()], count=1)
                notes.append(f"\\par {{{body}}}")
                start, copied = None, brace.end()
            if depth <= 0:
                return "".join([*pieces, written[copied : brace.start()], *notes, "}"])
    return written


def _blocks(text: str) -> Iterator[str]:
    """Paragraphs, and the rows of tables, of which striprtf makes lines that end in a bar."""
    rows: list[list[str]] = []
    for line in [*text.split("\n"), ""]:
        if _ROW.match(line):
            rows.append([cell.strip() for cell in line[:-1].split("|")])
            continue
        if rows:
            yield from table.lines_of(rows)
            rows = []
        if line.strip():
            yield line.strip()
