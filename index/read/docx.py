"""DOCX → Draft. The only file that imports python-docx.

The words are collected from the XML itself, so that insertions, content controls, text boxes, notes and equations count
and what was deleted under "track changes" does not. Text boxes stand after the paragraph they are anchored in, notes at
the end. Hidden text is left out, and reported. Comments, headers and footers are no part of the text. The dates in the
properties are those of the file, so they are not used.
"""

from __future__ import annotations

import io
import re
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from index.errors import ReadError
from index.read import raised, table
from index.read.archive import Archive
from index.read.clean import tidy
from index.read.draft import Draft, LeftOut, byline, language_tag, one_line
from index.read.placing import placed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_SKIPPED = frozenset(
    _W + name for name in ("del", "moveFrom", "instrText", "delText", "rt", "pPr", "tblPr", "trPr", "tcPr")
)
"""Deleted words, codes of fields, readings of ruby, and properties."""
_BOX = _W + "txbxContent"
_NOTES = re.compile(r"word/(?:footnotes|endnotes)\d*\.xml")
_DIAGRAMS = re.compile(r"word/diagrams/data\d*\.xml")
CELL_CHARS = 300
"""A longer cell is prose, and its table lays out the page."""
MOST_BASES = 10
"""Styles that one is based on, one on the other; damaged files have circles."""
MOST_COLUMNS = 63
"""Word has no wider tables."""


def parse(content: bytes) -> tuple[Draft | ReadError, ...]:
    """Paragraphs and table rows apart by blank lines, list items by line ends; title and author of the properties; and
    what is left out.

    A title set as such in the text stands in for a missing one. Raises ReadError for what is no DOCX, or damaged.
    """
    archive = Archive(content)
    if "word/document.xml" not in archive.names:
        raise ReadError("this is a zip archive but no DOCX, whatever its name says; save it as .docx from its program")
    for name in archive.names:
        if name.endswith((".xml", ".rels")):
            archive.read(name)  # within bounds, before a library unpacks it
    import docx

    try:
        document = docx.Document(io.BytesIO(content))
        text = _Text(document.styles)
        blocks = list(text.blocks(document.element.body))
        for name in sorted(filter(_NOTES.fullmatch, archive.names), reverse=True):  # footnotes before endnotes
            blocks += text.notes(archive.xml(name))
        for name in sorted(filter(_DIAGRAMS.fullmatch, archive.names)):
            blocks += _diagram(archive.xml(name))
        known = document.core_properties
        title, author, language = known.title, known.author, known.language
    except ReadError:
        raise
    except Exception as error:  # what a damaged package raises is as varied as the damage
        raise ReadError(f"the DOCX is damaged ({type(error).__name__}); save it again from its program") from error
    styled = next((text for style, text in blocks if style == "Title" and text), None)
    written = tidy(_joined(blocks), indented=True)
    draft = Draft(
        "",
        written,
        title=one_line(title) or one_line(styled),
        author=None if (author or "").casefold() == "python-docx" else byline(author),
        language=language_tag(language or ""),
        places=placed(_under_headings(blocks), written),
    )
    return draft, *_left_out(archive, text)


def _left_out(archive: Archive, text: _Text) -> Iterator[LeftOut]:
    if text.hidden:
        yield LeftOut(f"hidden text ({text.hidden} characters); to have it read, show it in its program and save it")
    if text.is_foreign:
        yield LeftOut("a document of another format within it; to have it read, open it in its program and save it")
    for name in sorted(archive.names):
        if name.startswith("word/embeddings/") and not name.endswith("/"):
            yield LeftOut(f"the embedded file {name.removeprefix('word/embeddings/')[:80]!r}; add it by itself")


def _joined(blocks: list[tuple[str, str]]) -> str:
    pieces: list[str] = []
    before = ""
    for style, text in blocks:
        if not text.strip():
            continue
        kind = "item" if style == "item" else "paragraph"
        pieces += ["\n" if kind == before != "paragraph" else "\n\n", f"- {text}" if kind == "item" else text]
        before = kind
    return "".join(pieces)


def _under_headings(blocks: list[tuple[str, str]]) -> Iterator[tuple[str, str, None]]:
    """Each block with the heading that it stands under, "" before the first."""
    heading = ""
    for style, text in blocks:
        heading = (one_line(text) or heading) if style.startswith("Heading") else heading
        yield text, heading, None


def _diagram(tree: Any) -> Iterator[tuple[str, str]]:
    """The words of a diagram (SmartArt), a paragraph for each shape."""
    for paragraph in tree.iter(_A + "p"):
        yield "", "".join(word.text or "" for word in paragraph.iter(_A + "t"))


class _Text:
    """Takes the words out of the XML, and counts the characters that are hidden."""

    def __init__(self, styles: Any) -> None:
        self._names = {style.style_id: style.name or "" for style in styles}
        self._hidden_styles = {one.style_id for one in styles if _inherits(one, _hides)}
        self._raised_styles = {one.style_id for one in styles if _inherits(one, _raises)}
        self.hidden = 0
        self.is_foreign = False

    def blocks(self, parent: Any) -> Iterator[tuple[str, str]]:
        """(style or kind, text) of paragraphs, list items and table rows below an element, in order."""
        stack = list(reversed(parent))
        while stack:
            element = stack.pop()
            if element.tag == _W + "p":
                yield self._style(element), self._paragraph(element)
                for box in _boxes(element):
                    yield from self.blocks(box)
            elif element.tag == _W + "tbl":
                yield from self._table(element)
            elif element.tag == _MC + "AlternateContent":
                stack += element[:1]
            elif element.tag == _W + "altChunk":
                self.is_foreign = True
            elif element.tag not in _SKIPPED:
                stack.extend(reversed(element))

    def notes(self, tree: Any) -> Iterator[tuple[str, str]]:
        """The footnotes or endnotes, but for the lines that separate them."""
        for note in tree:
            if note.get(_W + "type", "normal") == "normal":
                yield from self.blocks(note)

    def _style(self, paragraph: Any) -> str:
        style = paragraph.find(f"{_W}pPr/{_W}pStyle")
        name = self._names.get(style.get(_W + "val"), "") if style is not None else ""
        is_item = name.startswith("List") or paragraph.find(f"{_W}pPr/{_W}numPr") is not None
        return "item" if is_item and not name.startswith(("Heading", "Title")) else name

    def _table(self, element: Any) -> Iterator[tuple[str, str]]:
        """The rows, with the heads of their columns, and after each the tables and text boxes within it."""
        rows = [row for row in _within(element, _W + "tr") if row.find(f"{_W}trPr/{_W}del") is None]
        cells = [list(_within(row, _W + "tc")) for row in rows]
        paragraphs = [[[self._paragraph(one) for one in _within(cell, _W + "p")] for cell in row] for row in cells]
        texts = [[" ".join(" ".join(some).split()) for some in row] for row in paragraphs]
        is_layout = max(map(len, cells), default=0) < 2 or any(len(text) > CELL_CHARS for row in texts for text in row)
        if is_layout:
            for cell in (cell for row in cells for cell in row):
                self._forget_hidden(cell)
                yield from self.blocks(cell)
            return
        grid = _grid(cells, texts)
        if not any(_inner(cell) for row in cells for cell in row):
            for line in table.lines_of(grid, marked=_marked(rows, cells)):
                yield "row", line
            return
        for row, row_texts in zip(cells, grid, strict=True):
            for line in table.rows_as_text([row_texts], has_head=False):
                yield "row", line
            for cell in row:
                for inner in _inner(cell):
                    yield from self._table(inner) if inner.tag == _W + "tbl" else self.blocks(inner)

    def _forget_hidden(self, cell: Any) -> None:
        """What was counted in the paragraphs of a cell is counted again when they are read as blocks."""
        for paragraph in _within(cell, _W + "p"):
            self.hidden -= sum(len(text) for text, _, is_hidden in self._runs(paragraph) if is_hidden)

    def _paragraph(self, paragraph: Any) -> str:
        """The words that are shown; superscripts as what they are read as (index/read/raised.py)."""
        runs = list(self._runs(paragraph))
        self.hidden += sum(len(text) for text, _, is_hidden in runs if is_hidden)
        return raised.joined((text, is_raised) for text, is_raised, is_hidden in runs if not is_hidden).strip()

    def _runs(self, paragraph: Any) -> Iterator[tuple[str, bool, bool]]:
        """(text, whether it is raised, whether it is hidden) of the pieces of a paragraph."""
        style = paragraph.find(f"{_W}pPr/{_W}pStyle")
        is_hidden_style = style is not None and style.get(_W + "val") in self._hidden_styles
        stack: list[tuple[Any, bool, bool]] = [(node, False, is_hidden_style) for node in reversed(paragraph)]
        while stack:
            node, is_raised, is_hidden = stack.pop()
            if node.tag in _SKIPPED or node.tag in (_BOX, _W + "tbl"):
                continue
            if node.tag == _MC + "AlternateContent":
                stack += [(child, is_raised, is_hidden) for child in node[:1]]
            elif node.tag == _W + "r":
                properties = node.find(_W + "rPr")
                if properties is not None:
                    style = properties.find(_W + "rStyle")
                    name = None if style is None else style.get(_W + "val")
                    own = _raises(properties)
                    is_raised = name in self._raised_styles if own is None else own
                    own = _hides(properties)
                    is_hidden = (is_hidden or name in self._hidden_styles) if own is None else own
                stack += [(child, is_raised, is_hidden) for child in reversed(node) if child.tag != _W + "rPr"]
            elif node.tag in (_M + "oMath", _M + "oMathPara"):
                yield f" {_equation(node).strip()} ", False, is_hidden
            else:
                yield _SIGNS.get(node.tag, node.text or "" if node.tag == _W + "t" else ""), is_raised, is_hidden
                stack += [(child, is_raised, is_hidden) for child in reversed(node)]


_SIGNS = {
    _W + "br": "\n", _W + "cr": "\n", _W + "tab": " ", _W + "ptab": " ", _W + "noBreakHyphen": "-",
}  # fmt: skip


def _is_on(element: Any) -> bool:
    """Whether a property is there and not switched off."""
    return element is not None and element.get(_W + "val", "1") not in ("0", "false", "off")


def _hides(properties: Any) -> bool | None:
    """Whether the properties of a run hide it; None if they do not say."""
    found = properties.find(_W + "vanish")
    return None if found is None else _is_on(found)


def _raises(properties: Any) -> bool | None:
    """Whether the properties of a run raise it above the line; None if they do not say."""
    align, position = properties.find(_W + "vertAlign"), properties.find(_W + "position")
    if align is None and position is None:
        return None
    height = "0" if position is None else position.get(_W + "val", "0")
    return (align is not None and align.get(_W + "val") == "superscript") or (height.isdecimal() and int(height) > 0)


def _inherits(style: Any, says: Callable[[Any], bool | None]) -> bool:
    """What a style, or the nearest of those that it is based on, says."""
    for _ in range(MOST_BASES):
        properties = None if style is None else style.element.find(_W + "rPr")
        found = None if properties is None else says(properties)
        if found is not None:
            return found
        style = getattr(style, "base_style", None)
    return False


def _within(parent: Any, tag: str) -> Iterator[Any]:
    """The nearest elements with a tag below another, not those within them or within a text box."""
    stack = list(reversed(parent))
    while stack:
        element = stack.pop()
        if element.tag == tag:
            yield element
        elif element.tag not in _SKIPPED and element.tag not in (_BOX, _W + "tbl", _W + "p"):
            stack.extend(reversed(element))


def _boxes(paragraph: Any) -> Iterator[Any]:
    """The text boxes that are anchored in a paragraph; what is there a second time for older programs is skipped."""
    stack = list(reversed(paragraph))
    while stack:
        element = stack.pop()
        if element.tag == _BOX:
            yield element
        elif element.tag == _MC + "AlternateContent":
            stack += element[:1]
        elif element.tag not in _SKIPPED:
            stack.extend(reversed(element))


def _inner(cell: Any) -> list[Any]:
    """The tables and text boxes within a cell."""
    boxes = [box for paragraph in _within(cell, _W + "p") for box in _boxes(paragraph)]
    return [*_within(cell, _W + "tbl"), *boxes]


def _marked(rows: list[Any], cells: list[list[Any]]) -> int:
    """How many rows at the top are marked as heads, or in bold above others that are not."""
    repeated = takewhile(lambda row: _is_on(row.find(f"{_W}trPr/{_W}tblHeader")), rows)
    bold = sum(1 for _ in takewhile(_is_bold, cells))
    return sum(1 for _ in repeated) or (bold if bold < len(cells) else 0)


def _is_bold(cells: list[Any]) -> bool:
    runs = [run for cell in cells for run in cell.iter(_W + "r") if "".join(run.itertext()).strip()]
    return bool(runs) and all(_is_on(run.find(f"{_W}rPr/{_W}b")) for run in runs)


def _grid(cells: list[list[Any]], texts: list[list[str]]) -> list[list[str]]:
    """The texts in the columns where they stand; a cell that is merged downwards is in each of its rows."""
    grid: list[list[str]] = []
    for row, row_texts in zip(cells, texts, strict=True):
        line: list[str] = []
        for cell, text in zip(row, row_texts, strict=True):
            merge, span = cell.find(f"{_W}tcPr/{_W}vMerge"), cell.find(f"{_W}tcPr/{_W}gridSpan")
            goes_on = merge is not None and merge.get(_W + "val", "continue") == "continue"
            above = grid[-1][len(line)] if goes_on and grid and len(line) < len(grid[-1]) else ""
            width = span.get(_W + "val", "1") if span is not None else "1"
            columns = min(int(width), MOST_COLUMNS) if width.isascii() and width.isdecimal() else 1
            line += [text or above, *[""] * (columns - 1)]
        grid.append(line)
    return grid


def _equation(element: Any) -> str:
    """An equation on one line: "E=mc^2", "(a+b)/2"."""
    pieces = []
    for node in element:
        if node.tag in (_M + "t", _W + "t"):
            pieces.append(node.text or "")
            continue
        inner = _equation(node)
        if node.tag in (_M + "sup", _M + "sub", _M + "den") and inner:
            sign = {"sup": "^", "sub": "_", "den": "/"}[node.tag.removeprefix(_M)]
            pieces.append(sign + _grouped(inner))
        elif node.tag == _M + "num":
            pieces.append(_grouped(inner))
        elif node.tag == _M + "rad":
            pieces.append(f"√{_grouped(inner)}")
        elif node.tag == _M + "d":
            pieces.append(f"({inner})")
        else:
            pieces.append(inner)
    return "".join(pieces)


def _grouped(text: str) -> str:
    return text if re.fullmatch(r"\w+|\(.*\)", text) else f"({text})"
