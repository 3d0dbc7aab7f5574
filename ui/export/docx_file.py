"""A document → DOCX, with real headings, numbered references that markers lead to, and links to the originals. Pure.

Characters that XML forbids are left out. A paragraph whose first letter is of a script that runs from right to left
runs so as well.
"""

from __future__ import annotations

import io
import unicodedata
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ui import terminal
from ui.export.document import Bullets, Draft, Heading, Paragraph, References, Table, legal, origin, with_places
from ui.html.markup import safe_url

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rag.answer import Citation
    from rag.checked import Check
    from ui.export.document import Block, Document, Piece

LINK_COLOR = "0B57A4"
_RELATIONSHIP = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/hyperlink"
TITLE_CHARS = 255
"""Longest title that the properties of a DOCX file take (python-docx)."""


def render(document: Document, *, made: datetime | None = None) -> bytes:
    """The whole document as the bytes of a file."""
    import docx

    file = docx.Document()
    properties = file.core_properties
    properties.title, properties.author = legal(terminal.line(document.title))[:TITLE_CHARS], "Citewire"
    properties.comments = ""
    properties.created = properties.modified = (made or datetime.now(UTC)).replace(tzinfo=None)
    writer = _Writer(file)
    writer.heading(document.title, 0)
    for block, place in with_places(document.blocks):
        writer.write(block, place=place)
    content = io.BytesIO()
    file.save(content)
    return content.getvalue()


class _Writer:
    """Adds blocks to a file of python-docx.

    Its own add_paragraph and relate_to look through all that was added before; over thousands of rows that takes
    minutes, so paragraphs are put before the end of the body here, and addresses are numbered here.
    """

    def __init__(self, file: Any) -> None:
        self._file = file
        self._end = file.element.body.sectPr
        self._bookmarks = 0
        self._addresses: dict[str, str] = {}

    def heading(self, text: str, level: int) -> None:
        """A heading in Word's own style, so that it shows in the outline; level 0 is the title."""
        shown = legal(terminal.line(text))
        if shown:
            _turn(self._file.add_heading(shown, level), shown)

    def write(self, block: Block, *, place: int) -> None:
        """One block; markers in it lead to the references at `place`."""
        match block:
            case Heading():
                self.heading(block.text, block.level - 1)
            case Paragraph():
                paragraph = self._paragraph()
                for number, line in enumerate(block.lines):
                    if number:
                        paragraph.add_run().add_break()
                    self._pieces(paragraph, line, place)
                _turn(paragraph, paragraph.text)
            case Bullets():
                self._paragraph(legal(terminal.line(block.lead)))
                for item in block.items:
                    paragraph = self._paragraph()
                    paragraph.style = "List Bullet"
                    self._pieces(paragraph, item, place)
                    _turn(paragraph, paragraph.text)
            case Table():
                self._table(block)
            case References():
                self._references(block.citations, block.in_text, block.place)
            case Draft():
                self._draft(block.check)

    def _pieces(self, paragraph: Any, pieces: Sequence[Piece], place: int) -> None:
        for piece in pieces:
            text = legal(terminal.clean(piece.text)).replace("\n", " ")
            if piece.form == "reference" and place:
                _link(paragraph, text, anchor=_bookmark(place, piece.number))
                continue
            run = paragraph.add_run(text)
            run.bold = piece.form == "strong" or None
            run.italic = piece.form == "emphasis" or None

    def _table(self, table: Table) -> None:
        shown = self._file.add_table(rows=1, cols=2)
        shown.style = "Table Grid"
        shown.rows[0].cells[0].text, shown.rows[0].cells[1].text = legal(terminal.line(table.head)), "Articles"
        for name, number in table.numbers:
            cells = shown.add_row().cells
            cells[0].text, cells[1].text = legal(terminal.line(name)), f"{number}"
        self._paragraph()

    def _references(self, citations: Sequence[Citation], in_text: frozenset[int], place: int) -> None:
        for citation in citations:
            paragraph = self._paragraph()
            self._bookmark(paragraph, f"[{citation.number}]", _bookmark(place, citation.number))
            quote = "" if citation.number in in_text else f"“{legal(terminal.line(citation.quote))}” "
            where = legal(origin(citation))
            paragraph.add_run(f" {quote}{where}")
            if url := safe_url(citation.url):
                paragraph.add_run(" · ")
                _link(paragraph, legal(url), address=self._address(legal(url)))
            _turn(paragraph, f"{quote}{where}")

    def _draft(self, check: Check) -> None:
        self._paragraph(f"{check.summary}.")
        for one in check.sentences:
            paragraph = self._paragraph(legal(terminal.line(one.text)))
            paragraph.add_run().add_break()
            verdict = str(one.verdict)
            paragraph.add_run(f"{verdict[0].upper()}{verdict[1:]}").bold = True
            for citation in (*one.citations, *one.nearest):
                paragraph.add_run(" ")
                _link(paragraph, f"[{citation.number}]", anchor=_bookmark(1, citation.number))
            if one.note:
                paragraph.add_run(f" {legal(terminal.line(one.note))}")
            _turn(paragraph, one.text)
        self._references(check.citations, frozenset(), 1)

    def _paragraph(self, text: str = "") -> Any:
        """A paragraph at the end of the file."""
        from docx.oxml import OxmlElement
        from docx.text.paragraph import Paragraph

        made = OxmlElement("w:p")
        self._end.addprevious(made)
        paragraph = Paragraph(made, self._file._body)
        if text:
            paragraph.add_run(text)
        return paragraph

    def _address(self, url: str) -> str:
        """The id that links to an address have in the file."""
        known = self._addresses.get(url)
        if known is None:
            known = self._addresses[url] = f"address{len(self._addresses) + 1}"
            self._file.part.load_rel(_RELATIONSHIP, url, known, is_external=True)
        return known

    def _bookmark(self, paragraph: Any, text: str, name: str) -> None:
        """The words that markers lead to."""
        from docx.oxml import OxmlElement
        from docx.oxml.ns import qn

        self._bookmarks += 1
        for tag in ("w:bookmarkStart", "w:bookmarkEnd"):
            mark = OxmlElement(tag)
            mark.set(qn("w:id"), str(self._bookmarks))
            if tag == "w:bookmarkStart":
                mark.set(qn("w:name"), name)
            paragraph._p.append(mark)
            if tag == "w:bookmarkStart":
                paragraph.add_run(text)


def _bookmark(place: int, number: int) -> str:
    return f"quote_{place}_{number}"


def _link(paragraph: Any, text: str, *, anchor: str = "", address: str = "") -> None:
    """Words that lead to a bookmark, or to an address, by its id."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn
    from docx.shared import RGBColor

    link = OxmlElement("w:hyperlink")
    if anchor:
        link.set(qn("w:anchor"), anchor)
    else:
        link.set(qn("r:id"), address)
    run = paragraph.add_run(text)
    run.font.color.rgb = RGBColor.from_string(LINK_COLOR)
    run.underline = bool(address) or None
    link.append(run._r)
    paragraph._p.append(link)


def _turn(paragraph: Any, text: str) -> None:
    """Let a paragraph run from right to left if its first letter does (Unicode Bidirectional Algorithm, P2)."""
    first = next((way for way in map(unicodedata.bidirectional, text) if way in ("L", "R", "AL")), "L")
    if first == "L":
        return
    from docx.oxml import OxmlElement

    paragraph._p.get_or_add_pPr().append(OxmlElement("w:bidi"))
    for run in paragraph.runs:
        run._r.get_or_add_rPr().append(OxmlElement("w:rtl"))
