"""DOCX → Draft. The only file that imports python-docx.

The words are collected from the XML itself, so that insertions and content controls count and what was deleted
under "track changes" does not. The dates in the properties are those of the file, so they are not used.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from index.errors import ReadError
from index.read.archive import Archive
from index.read.clean import tidy
from index.read.draft import Draft, byline, language_tag, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_SKIPPED = frozenset(_W + name for name in ("del", "moveFrom", "txbxContent", "instrText", "delText"))
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"


def parse(content: bytes) -> Draft:
    """Paragraphs apart by blank lines, list items and table rows by line ends; title and author of the properties.

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
        blocks = list(_blocks(document.element.body, document))
        known = document.core_properties
        title, author, language = known.title, known.author, known.language
    except Exception as error:  # what a damaged package raises is as varied as the damage
        raise ReadError(f"the DOCX is damaged ({type(error).__name__}); save it again from its program") from error
    styled = next((text for style, text in blocks if style == "Title" and text), None)
    return Draft(
        "",
        tidy(_joined(blocks), indented=True),
        title=one_line(title) or one_line(styled),
        author=None if (author or "").casefold() == "python-docx" else byline(author),
        language=language_tag(language or ""),
    )


def _joined(blocks: list[tuple[str, str]]) -> str:
    pieces: list[str] = []
    before = ""
    for style, text in blocks:
        if not text.strip():
            continue
        kind = "item" if style == "item" else "row" if style == "row" else "paragraph"
        pieces += ["\n" if kind == before != "paragraph" else "\n\n", f"- {text}" if kind == "item" else text]
        before = kind
    return "".join(pieces)


def _blocks(body: Any, document: Any) -> Iterator[tuple[str, str]]:
    """(style or kind, text) of paragraphs, list items and table rows, in order."""
    names = {style.style_id: style.name or "" for style in document.styles}
    stack = list(reversed(body))
    while stack:
        element = stack.pop()
        if element.tag == _W + "p":
            style = element.find(f"{_W}pPr/{_W}pStyle")
            name = names.get(style.get(_W + "val"), "") if style is not None else ""
            is_item = name.startswith("List") or element.find(f"{_W}pPr/{_W}numPr") is not None
            is_item = is_item and not name.startswith(("Heading", "Title"))
            yield ("item" if is_item else name), _text(element)
        elif element.tag == _W + "tr":
            cells = (" ".join(_text(cell).split()) for cell in element.iter(_W + "tc"))
            yield "row", " | ".join(cell for cell in cells if cell)
        elif element.tag not in _SKIPPED and element.tag != _FALLBACK:
            stack.extend(reversed(element))


def _text(element: Any) -> str:
    pieces: list[str] = []
    stack = list(reversed(element))
    while stack:
        node = stack.pop()
        if node.tag in _SKIPPED or node.tag == _FALLBACK:
            continue
        if node.tag == _W + "t":
            pieces.append(node.text or "")
        elif node.tag in (_W + "br", _W + "cr"):
            pieces.append("\n")
        elif node.tag == _W + "tab":
            # A tab stop in the paragraph's properties is no tab in its text.
            pieces.append(" " if node.getparent().tag != _W + "tabs" else "")
        elif node.tag == _W + "noBreakHyphen":
            pieces.append("-")
        elif node.tag == _W + "p":
            pieces.append("\n")
            stack.extend(reversed(node))
        else:
            stack.extend(reversed(node))
    return "".join(pieces).strip()
