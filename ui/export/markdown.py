"""A document → Markdown, to be copied, saved and read elsewhere. Pure.

What models and articles wrote is escaped: it reads as it was written, is never taken for markup, and loads nothing
where the Markdown is shown as HTML.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ui import terminal
from ui.export.document import Bullets, Draft, Heading, Paragraph, References, Table, of_answer, origin
from ui.html.markup import safe_url

if TYPE_CHECKING:
    from rag.answer import Answer, Citation
    from rag.checked import Check
    from ui.export.document import Block, Document, Line, Piece

_MARKUP = re.compile(r"[\\`*_{}\[\]<>&#~|!$^@]|:(?=[^\s\d])|(?<!\d):(?=\d)")
"""A colon may begin the name of an emoji or stand in an address; before a blank, and in a time, it does not."""
_NUMBERED = re.compile(r"\d{1,9}[.)]")
_MARKS = {"strong": "**", "emphasis": "*"}


def render(document: Document) -> str:
    """The whole document."""
    title = escape(document.title)
    parts = [*([f"# {title}"] if title else []), *map(_block, document.blocks)]
    return "\n\n".join(part for part in parts if part) + "\n"


def render_answer(answer: Answer) -> str:
    """An answer without a title, to be copied."""
    return "\n\n".join(filter(None, map(_block, of_answer(answer))))


def escape(text: str) -> str:
    """`text` on one line, free of control characters, with every character that Markdown would obey escaped."""
    plain = _MARKUP.sub(r"\\\g<0>", terminal.line(text))
    if plain.startswith(("-", "+", "=")):
        return "\\" + plain
    if _NUMBERED.match(plain):
        return re.sub(r"[.)]", r"\\\g<0>", plain, count=1)
    return plain


def _block(block: Block) -> str:
    match block:
        case Heading():
            return f"{'#' * block.level} {escape(block.text)}"
        case Paragraph():
            return "\\\n".join(filter(None, map(_line, block.lines)))
        case Bullets():
            return "\n".join([_lead(block.lead), *(f"- {_line(item)}" for item in block.items)])
        case Table():
            rows = [f"| {escape(name)} | {number} |" for name, number in block.numbers]
            return "\n".join([f"| {escape(block.head)} | Articles |", "|---|---:|", *rows])
        case References():
            quotes = [_reference(one, is_in_text=one.number in block.in_text) for one in block.citations]
            return "\n\n".join(quotes)
        case Draft():
            return _draft(block.check)


def _lead(text: str) -> str:
    """A line of ours, which ends with a colon."""
    return f"{escape(text[:-1])}:" if text.endswith(":") else escape(text)


def _line(line: Line) -> str:
    return "".join(map(_piece, line)).strip()


def _piece(piece: Piece) -> str:
    if piece.form == "reference":
        return f"[{piece.number}]"
    shown, mark = escape(piece.text), _MARKS.get(piece.form, "")
    if not shown:
        return " " if piece.text else ""
    before, after = (" " if edge.isspace() else "" for edge in (piece.text[0], piece.text[-1]))
    return f"{before}{mark}{shown}{mark}{after}"


def _draft(check: Check) -> str:
    """How many sentences have each verdict, each sentence with its verdict, the quotes."""
    parts = [f"{check.summary}."]
    for one in check.sentences:
        numbers = "".join(f"[{citation.number}]" for citation in (*one.citations, *one.nearest))
        found = " ".join(filter(None, (f"**{one.verdict}**", numbers, escape(one.note))))
        parts.append(f"{escape(one.text)}\\\n{found}")
    return "\n\n".join([*parts, *map(_reference, check.citations)])


def _reference(citation: Citation, *, is_in_text: bool = False) -> str:
    """The number, the quote unless it stands in the text, and where it is from."""
    url = safe_url(citation.url)
    # An address that could end its own brackets is left out; no browser needs these characters unencoded.
    link = f" · <{url}>" if url and not re.search(r"[<>\\`]", url) else ""
    quote = "" if is_in_text else f"“{escape(citation.quote)}” "
    return f"[{citation.number}] {quote}{escape(origin(citation))}{link}"
