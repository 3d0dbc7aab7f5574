"""A document → HTML: one page that runs nothing and loads nothing, to be saved, sent and printed. Pure; escapes all but
its own words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ui import terminal
from ui.export.document import Bullets, Draft, Heading, Paragraph, References, Table, origin, with_places
from ui.html import check
from ui.html.markup import escape, link

if TYPE_CHECKING:
    from rag.answer import Citation
    from ui.export.document import Block, Document, Line, Piece

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_STYLE = """
:root { color-scheme: light dark; }
body { font: 17px/1.6 Georgia, serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere; }
h1, h2, h3, table, .references, .check .note, .check ol { font-family: system-ui, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.25; }
h2 { font-size: 1.2rem; line-height: 1.3; margin-top: 2.2rem; }
h3 { font-size: 1.05rem; line-height: 1.3; margin-top: 1.8rem; }
a { color: LinkText; }
sup a { text-decoration: none; }
table { border-collapse: collapse; font-size: 15px; }
th, td { text-align: start; padding: 0.2rem 0.8rem 0.2rem 0; border-bottom: 1px solid #8886; }
td { text-align: end; }
.references { font-size: 14px; line-height: 1.5; padding-inline-start: 2.2rem; border-top: 1px solid #8886; }
.references li { margin: 0.5rem 0; }
@media print { body { max-width: none; margin: 0; } }
"""


def page(document: Document) -> str:
    """The whole document as a file of its own."""
    title = escape(terminal.clean(document.title))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}{check.STYLE}</style></head><body>{body(document)}</body></html>\n"
    )


def body(document: Document) -> str:
    """The title and the blocks."""
    parts = [f'<h1 dir="auto">{_text(document.title)}</h1>']
    parts += [_block(block, place) for block, place in with_places(document.blocks)]
    return "".join(parts)


def _block(block: Block, place: int) -> str:
    match block:
        case Heading():
            return f'<h{block.level} dir="auto">{_text(block.text)}</h{block.level}>'
        case Paragraph():
            return f'<p dir="auto">{"<br>".join(_line(line, place) for line in block.lines)}</p>'
        case Bullets():
            items = "".join(f'<li dir="auto">{_line(item, place)}</li>' for item in block.items)
            return f"<p>{_text(block.lead)}</p><ul>{items}</ul>"
        case Table():
            rows = "".join(
                f'<tr><th scope="row" dir="auto">{_text(name)}</th><td>{number:,}</td></tr>'
                for name, number in block.numbers
            )
            return f"<table><caption>{_text(block.head)}</caption><tbody>{rows}</tbody></table>"
        case References():
            quotes = "".join(_reference(one, block.in_text, block.place) for one in block.citations)
            return f'<ol class="references">{quotes}</ol>'
        case Draft():
            return check.render_check(block.check)


def _line(line: Line, place: int) -> str:
    return "".join(_piece(piece, place) for piece in line)


def _piece(piece: Piece, place: int) -> str:
    text = _text(piece.text, keep_edges=True)
    if piece.form == "reference":
        return f'<sup><a href="#quote-{place}-{piece.number}">[{piece.number}]</a></sup>'
    tag = {"strong": "strong", "emphasis": "em"}.get(piece.form)
    return f"<{tag}>{text}</{tag}>" if tag else text


def _reference(citation: Citation, in_text: frozenset[int], place: int) -> str:
    quote = "" if citation.number in in_text else f"“{_text(citation.quote)}” "
    url = link(citation.url, "original", citation.quote, citation.page)
    where = f"<bdi>{_text(origin(citation))}</bdi>{f' · {url}' if url else ''}"
    return (
        f'<li id="quote-{place}-{citation.number}" value="{citation.number}" dir="auto">{quote}'
        f'<span class="origin">{where}</span></li>'
    )


def _text(text: str, *, keep_edges: bool = False) -> str:
    shown = terminal.clean(text)
    return escape(shown if keep_edges else " ".join(shown.split()))
