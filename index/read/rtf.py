"""RTF → Draft. The only file that imports striprtf.

striprtf knows no superscripts, hidden text or text boxes, and drops footnotes where they stand. So the source is
changed before it reads it: what is raised or hidden is put between marks, notes and boxes are moved.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from index.errors import ReadError
from index.read import raised, table
from index.read.clean import tidy
from index.read.draft import Draft, LeftOut, byline, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROPERTY = r"\{{\\{}[ \t]?((?:[^{{}}\\]|\\'[0-9a-f]{{2}}|\\u-?\d+ ?\??|\\[a-z]+-?\d* ?){{0,600}}+)\}}"
"""{\title The talks}: a group of plain words and escapes. Possessive, as an escape can be read in two ways."""
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_FOOTNOTE = re.compile(r"\s*(?:\\\*\s*)?\\footnote(?![a-z])(?:\\ftnalt)?[ ]?")
_BOX = re.compile(r"\s*\\shptxt(?![a-z])[ ]?")
_LINK = re.compile(r"HYPERLINK\s")
"""What makes striprtf write the address of a link behind its words."""
_WORD = re.compile(r"\\(?P<name>[a-z]+)(?P<value>-?\d+)? ?|\\.|[{}]", re.DOTALL)
_RAISED, _HIDDEN = ("\ue000", "\ue001"), ("\ue002", "\ue003")
"""Characters of private use around what is raised and what is hidden."""
_MARKED = re.compile(f"{_RAISED[0]}([^{_RAISED[1]}]*){_RAISED[1]}")
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

    shown, hidden = _without_hidden(plain(_marked(_last(_last(_LINK.sub("LINK ", written), _BOX), _FOOTNOTE))))
    draft = Draft(
        "",
        tidy("\n\n".join(_blocks(_as_read(shown))), indented=True),
        title=one_line(known("title")),
        author=byline(known("author")),
    )
    objects = len(re.findall(r"\\objdata\b", written))
    left_out = [LeftOut(f"{objects} embedded objects; add them as files")] if objects else []
    if hidden:
        left_out.append(
            LeftOut(f"hidden text ({hidden} characters); to have it read, show it in its program and save it")
        )
    return draft, *left_out


def _marked(written: str) -> str:
    """The source with marks around what is raised, and around what is hidden."""
    pieces: list[str] = []
    copied = 0
    states: list[tuple[bool, bool]] = []
    is_raised = is_hidden = False
    for word in _WORD.finditer(written):
        before = is_raised, is_hidden
        if word[0] == "{":
            states.append(before)
        elif word[0] == "}":
            is_raised, is_hidden = states.pop() if states else (False, False)
        elif word["name"] in ("super", "up"):
            is_raised = word["value"] != "0"
        elif word["name"] in ("nosupersub", "sub", "dn"):
            is_raised = False
        elif word["name"] == "v":
            is_hidden = word["value"] != "0"
        elif word["name"] == "plain":
            is_raised = is_hidden = False
        for mark, was, is_on in zip((_RAISED, _HIDDEN), before, (is_raised, is_hidden), strict=True):
            if was != is_on:
                # Before the word that ends it, which may be the end of the group.
                pieces += [written[copied : word.start()], f"{{\\uc1\\u{ord(mark[is_on < was]) - 0x10000}?}}"]
                copied = word.start()
    return "".join([*pieces, written[copied:]])


def _without_hidden(text: str) -> tuple[str, int]:
    """The text without what is hidden in it, and of how many characters that was."""
    shown: list[str] = []
    hidden = 0
    for piece in re.split(f"{_HIDDEN[0]}|(?<={_HIDDEN[1]})", text):
        within, end, after = piece.partition(_HIDDEN[1])
        hidden += len(within.translate(_NO_MARKS)) if end else 0
        shown.append(after if end else piece)
    return "".join(shown), hidden


_NO_MARKS = dict.fromkeys(map(ord, (*_RAISED, *_HIDDEN)))


def _as_read(text: str) -> str:
    """The text with its superscripts as what they are read as."""
    pieces = _MARKED.split(text)
    return raised.joined((piece.translate(_NO_MARKS), bool(place % 2)) for place, piece in enumerate(pieces))


def _last(written: str, begins: re.Pattern[str]) -> str:
    """The source with each group that `begins` so, a footnote or a text box, as a paragraph at its end."""
    pieces: list[str] = []
    notes: list[str] = []
    depth = copied = 0
    start: int | None = None
    for brace in _BRACE.finditer(written):
        if brace[0] == "{":
            if start is None and begins.match(written, brace.end()):
                start, within = brace.start(), depth
            depth += 1
        elif brace[0] == "}":
            depth -= 1
            if start is not None and depth == within:
                pieces.append(written[copied:start])
                body = begins.sub("", written[start + 1 : brace.start()], count=1)
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
