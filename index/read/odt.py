"""ODT → Draft: OpenDocument text, as LibreOffice writes it. The words are collected from the XML itself.

Insertions count, deleted words do not. Footnotes stand at the end. Comments, headers and footers are no part of the
text. The dates in the properties are those of the file, so they are not used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from index.errors import ReadError
from index.read import table
from index.read.archive import Archive
from index.read.clean import tidy
from index.read.draft import Draft, LeftOut, byline, language_tag, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

_NS = "urn:oasis:names:tc:opendocument:xmlns:"
_TEXT, _TABLE, _OFFICE, _META = (f"{{{_NS}{name}:1.0}}" for name in ("text", "table", "office", "meta"))
_DC = "{http://purl.org/dc/elements/1.1/}"
_SKIPPED = frozenset(
    {
        _OFFICE + "annotation", _OFFICE + "annotation-end", _OFFICE + "forms", _TEXT + "tracked-changes",
        _TEXT + "note-citation", _TEXT + "table-of-content", _TEXT + "alphabetical-index", _TEXT + "ruby-text",
        _TEXT + "sequence-decls", _TEXT + "hidden-text", "{http://www.w3.org/1998/Math/MathML}annotation",
        f"{{{_NS}drawing:1.0}}glue-point", f"{{{_NS}svg-compatible:1.0}}desc", f"{{{_NS}svg-compatible:1.0}}title",
    }
)  # fmt: skip
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
    body = next(_xml(archive.read("content.xml")).iter(_OFFICE + "body"), None)
    if body is None:
        raise ReadError("the ODT is damaged (it has no text); save it again from its program")
    reader = _Reader()
    blocks = [*reader.blocks(body), *reader.notes]
    meta = _xml(archive.read("meta.xml")) if "meta.xml" in archive.names else None
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
    return draft, *left_out


def _xml(content: bytes) -> Any:
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        return etree.fromstring(content, parser)
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
    """Takes the words out of the XML; notes are kept for the end."""

    def __init__(self) -> None:
        self.notes: list[tuple[str, str]] = []

    def blocks(self, parent: Any) -> Iterator[tuple[str, str]]:
        """(kind, text) of paragraphs, list items and table rows, in order; kinds are "title", "item" and ""."""
        stack = [(element, False) for element in reversed(parent)]
        while stack:
            element, is_item = stack.pop()
            if element.tag in _SKIPPED or not isinstance(element.tag, str):
                continue
            if element.tag in (_TEXT + "p", _TEXT + "h"):
                style = element.get(_TEXT + "style-name") or ""
                yield "item" if is_item else "title" if style == "Title" else "", self._words(element)
            elif element.tag == _TABLE + "table":
                rows = [self._row(row) for row in element.iter(_TABLE + "table-row") if _table_of(row) is element]
                marked = len(element.findall(f"{_TABLE}table-header-rows/{_TABLE}table-row"))
                yield from (("", line) for line in table.lines_of(rows, marked=marked))
            else:
                inside = is_item or element.tag == _TEXT + "list-item"
                stack.extend((child, inside) for child in reversed(element))

    def _row(self, row: Any) -> list[str]:
        cells: list[str] = []
        for cell in row:
            if cell.tag in (_TABLE + "table-cell", _TABLE + "covered-table-cell"):
                text = " ".join(filter(None, (words.strip() for _, words in self.blocks(cell))))
                cells += [text] * _repeated(cell, _TABLE + "number-columns-repeated")
        return cells

    def _words(self, paragraph: Any) -> str:
        pieces = [paragraph.text or ""]
        stack = [(child, False) for child in reversed(paragraph)]
        while stack:
            node, is_done = stack.pop()
            if is_done:
                pieces.append(node.tail or "")
                continue
            stack.append((node, True))
            if not isinstance(node.tag, str) or node.tag in _SKIPPED:
                continue
            if node.tag == _TEXT + "note":
                self.notes += self.blocks(node)
            elif node.tag == _TEXT + "s":
                pieces.append(" " * _repeated(node, _TEXT + "c"))
            elif node.tag == _TEXT + "tab":
                pieces.append(" ")
            elif node.tag == _TEXT + "line-break":
                pieces.append("\n")
            elif node.tag in (_TEXT + "p", _TEXT + "h"):  # of a text box
                pieces += ["\n", node.text or ""]
                stack.extend((child, False) for child in reversed(node))
            else:
                pieces.append(node.text or "")
                stack.extend((child, False) for child in reversed(node))
        return "".join(pieces).strip()


def _table_of(row: Any) -> Any:
    return next(row.iterancestors(_TABLE + "table"), None)


def _repeated(element: Any, name: str) -> int:
    number = element.get(name) or "1"
    return min(int(number), MAX_REPEATED) if number.isdecimal() else 1
