"""ODT → Draft: OpenDocument text, as LibreOffice writes it. The words are collected from the XML itself.

Insertions count, deleted words do not. Hidden text is left out, and reported. Footnotes stand at the end. Comments,
headers and footers are no part of the text. The dates in the properties are those of the file, so they are not used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from index.errors import ReadError
from index.read import raised, table
from index.read.archive import Archive
from index.read.clean import tidy
from index.read.draft import Draft, LeftOut, byline, language_tag, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

_NS = "urn:oasis:names:tc:opendocument:xmlns:"
_TEXT, _TABLE, _OFFICE, _META = (f"{{{_NS}{name}:1.0}}" for name in ("text", "table", "office", "meta"))
_STYLE = f"{{{_NS}style:1.0}}"
_DC = "{http://purl.org/dc/elements/1.1/}"
_SKIPPED = frozenset(
    {
        _OFFICE + "annotation", _OFFICE + "annotation-end", _OFFICE + "forms", _TEXT + "tracked-changes",
        _TEXT + "note-citation", _TEXT + "table-of-content", _TEXT + "alphabetical-index", _TEXT + "ruby-text",
        _TEXT + "sequence-decls", "{http://www.w3.org/1998/Math/MathML}annotation",
        f"{{{_NS}drawing:1.0}}glue-point", f"{{{_NS}svg-compatible:1.0}}desc", f"{{{_NS}svg-compatible:1.0}}title",
    }
)  # fmt: skip
MOST_PARENTS = 10
"""Styles that one inherits from, one from the other; damaged files have circles."""
MAX_REPEATED = 50
"""Cells and spaces that are written once with a number; a sheet may repeat an empty cell a million times."""


def parse(content: bytes) -> tuple[Draft | ReadError, ...]:
    """Paragraphs and table rows apart by blank lines, list items by line ends; title and author of the properties.

    Raises ReadError for what is no ODT, damaged, or locked.
    """
    archive = Archive(content)
    if "content.xml" not in archive.names:
        raise ReadError("this is a zip archive but no ODT, whatever its name says; save it as .odt from its program")
    manifest = archive.read("META-INF/manifest.xml") if "META-INF/manifest.xml" in archive.names else b""
    if b"encryption-data" in manifest:
        raise ReadError("it is encrypted; save it without a password")
    content_tree = _xml(archive, "content.xml")
    body = next(content_tree.iter(_OFFICE + "body"), None)
    if body is None:
        raise ReadError("the ODT is damaged (it has no text); save it again from its program")
    styles = _xml(archive, "styles.xml") if "styles.xml" in archive.names else None
    reader = _Reader([tree for tree in (styles, content_tree) if tree is not None])
    blocks = [*reader.blocks(body), *reader.notes]
    meta = _xml(archive, "meta.xml") if "meta.xml" in archive.names else None
    draft = Draft(
        "",
        tidy(_joined(blocks), indented=True),
        title=one_line(_first(meta, _DC + "title")) or next((text for kind, text in blocks if kind == "title"), None),
        author=byline(_first(meta, _META + "initial-creator") or _first(meta, _DC + "creator")),
        language=language_tag(_first(meta, _DC + "language") or ""),
    )
    objects = {
        name.split("/")[0] for name in archive.names if name.startswith("Object ") and name.endswith("content.xml")
    }
    left_out = [LeftOut(f"{len(objects)} embedded charts, formulas or sheets; add them as files")] if objects else []
    if reader.hidden:
        left_out.append(
            LeftOut(f"hidden text ({reader.hidden} characters); to have it read, show it in its program and save it")
        )
    return draft, *left_out


def _xml(archive: Archive, name: str) -> Any:
    from lxml import etree

    try:
        return archive.xml(name)
    except etree.XMLSyntaxError as error:
        raise ReadError(f"the ODT is damaged ({error}); save it again from its program") from error


def _first(tree: Any, name: str) -> str | None:
    return None if tree is None else next((element.text for element in tree.iter(name) if element.text), None)


def _joined(blocks: list[tuple[str, str]]) -> str:
    pieces: list[str] = []
    before = ""
    for kind, text in blocks:
        if text.strip():
            pieces += ["\n" if kind == before == "item" else "\n\n", f"- {text}" if kind == "item" else text]
            before = kind
    return "".join(pieces)


class _Reader:
    """Takes the words out of the XML; notes are kept for the end, hidden characters are counted."""

    def __init__(self, trees: list[Any]) -> None:
        """With the trees that define styles."""
        styles = {style.get(_STYLE + "name"): style for tree in trees for style in tree.iter(_STYLE + "style")}
        self._hidden_styles = {name for name in styles if _style_says(styles, name, _TEXT + "display") == "none"}
        positions = {name: _style_says(styles, name, _STYLE + "text-position") for name in styles}
        self._raised_styles = {name for name, position in positions.items() if _is_raised(position)}
        self.notes: list[tuple[str, str]] = []
        self.hidden = 0

    def _is_hidden(self, element: Any) -> bool:
        is_hidden = element.get(_TEXT + "display") == "none" or element.tag == _TEXT + "hidden-text"
        return is_hidden or element.get(_TEXT + "style-name") in self._hidden_styles

    def blocks(self, parent: Any) -> Iterator[tuple[str, str]]:
        """(kind, text) of paragraphs, list items and table rows, in order; kinds are "title", "item" and ""."""
        stack = [(element, False) for element in reversed(parent)]
        while stack:
            element, is_item = stack.pop()
            if element.tag in _SKIPPED or not isinstance(element.tag, str):
                continue
            if self._is_hidden(element):
                self.hidden += len("".join(element.itertext()))
            elif element.tag in (_TEXT + "p", _TEXT + "h"):
                style = element.get(_TEXT + "style-name") or ""
                yield "item" if is_item else "title" if style == "Title" else "", self._words(element)
            elif element.tag == _TABLE + "table":
                rows: list[list[str]] = []
                for row in element.iter(_TABLE + "table-row"):
                    if _table_of(row) is element:
                        rows.append(self._row(row, rows[-1] if rows else []))
                marked = len(element.findall(f"{_TABLE}table-header-rows/{_TABLE}table-row"))
                yield from (("", line) for line in table.lines_of(rows, marked=marked))
            else:
                inside = is_item or element.tag == _TEXT + "list-item"
                stack.extend((child, inside) for child in reversed(element))

    def _row(self, row: Any, above: list[str]) -> list[str]:
        """The texts in the columns where they stand; a cell that is merged downwards is in each of its rows."""
        cells: list[str] = []
        merged = 0  # columns that the cell before covers beside itself
        for cell in row:
            if cell.tag not in (_TABLE + "table-cell", _TABLE + "covered-table-cell"):
                continue
            is_covered = cell.tag == _TABLE + "covered-table-cell"
            text = " ".join(filter(None, (words.strip() for _, words in self.blocks(cell))))
            for _ in range(_repeated(cell, _TABLE + "number-columns-repeated")):
                is_below = is_covered and not merged and len(cells) < len(above)
                cells.append(above[len(cells)] if is_below else text)
                merged = max(merged - 1, 0) if is_covered else _repeated(cell, _TABLE + "number-columns-spanned") - 1
        return cells

    def _words(self, paragraph: Any) -> str:
        """The words that are shown; superscripts as what they are read as (index/read/raised.py)."""
        pieces = [(paragraph.text or "", False)]
        # Each node comes twice, the second time for the text that follows it.
        stack = [(child, False, False) for child in reversed(paragraph)]
        while stack:
            node, is_raised, is_done = stack.pop()
            if is_done:
                pieces.append((node.tail or "", is_raised))
                continue
            stack.append((node, is_raised, True))
            if not isinstance(node.tag, str) or node.tag in _SKIPPED:
                continue
            if self._is_hidden(node):
                self.hidden += len("".join(node.itertext()))
            elif node.tag == _TEXT + "note":
                self.notes += self.blocks(node)
            elif node.tag == _TEXT + "s":
                pieces.append((" " * _repeated(node, _TEXT + "c"), is_raised))
            elif node.tag == _TEXT + "tab":
                pieces.append((" ", False))
            elif node.tag == _TEXT + "line-break":
                pieces.append(("\n", False))
            else:
                if node.tag in (_TEXT + "p", _TEXT + "h"):  # of a text box
                    pieces.append(("\n", False))
                within = is_raised or node.get(_TEXT + "style-name") in self._raised_styles
                pieces.append((node.text or "", within))
                stack.extend((child, within, False) for child in reversed(node))
        return raised.joined(pieces).strip()


def _style_says(styles: dict[Any, Any], name: str | None, attribute: str) -> str:
    """An attribute of the text of a style, or of the nearest of those that it inherits from; "" if none has it."""
    for _ in range(MOST_PARENTS):
        style = styles.get(name)
        if style is None:
            return ""
        properties = style.find(_STYLE + "text-properties")
        if properties is not None and (value := properties.get(attribute)):
            return str(value)
        name = style.get(_STYLE + "parent-style-name")
    return ""


def _is_raised(position: str) -> bool:
    """Whether a text-position is above the line: "super 58%", "33% 58%"."""
    height = position.split(" ")[0]
    return height == "super" or (height.endswith("%") and height != "0%" and not height.startswith("-"))


def _table_of(row: Any) -> Any:
    return next(row.iterancestors(_TABLE + "table"), None)


def _repeated(element: Any, name: str) -> int:
    number = element.get(name) or "1"
    return min(int(number), MAX_REPEATED) if number.isdecimal() else 1
