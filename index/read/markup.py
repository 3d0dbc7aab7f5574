"""Markup: an element tree of HTML → the text a reader of the page sees. Knows nothing of articles or files.

Paragraphs and the rows of tables stand apart by a blank line, list items by a line end, and `<br>` is a line end. A
row of data names its columns ("Region: North; Population: 12"). Words that touch on the page stay one word; words in
two blocks never become one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from index.read import markup_table, raised
from index.read.clean import tidy

if TYPE_CHECKING:
    from collections.abc import Iterator

HIDDEN = frozenset(
    "audio button canvas datalist embed head iframe input map meta noscript object script select style svg template "
    "textarea title video".split()
)
# "item", "row" and "list" are trafilatura's words for li, tr and ul; "lb" is br.
_ITEMS = frozenset("li item dt dd".split())
_ROWS = frozenset("tr row".split())
_CELLS = frozenset("td th cell".split())
_LINE_BREAKS = frozenset("br lb".split())
_BLOCKS = frozenset(
    "address article aside blockquote body caption center dd details dialog div dl dt fieldset figcaption figure "
    "footer form h1 h2 h3 h4 h5 h6 head header hgroup hr legend list main menu nav ol p pre quote section summary "
    "table tbody tfoot thead ul".split()
)
BREAKING = _BLOCKS | _ITEMS | _ROWS | _CELLS
"""Elements that no run of text goes across."""
_TABLE_ROLES = {
    "table": "table", "rowgroup": "tbody", "row": "tr", "cell": "td", "gridcell": "td", "columnheader": "th",
    "rowheader": "th",
}  # fmt: skip
_SPACE = re.compile(r"[ \t\r\n\f]+")


def parse_tree(page: str) -> Any:
    """The tree of a whole page or a fragment, its parser as forgiving as a browser's; None if there is no element.

    Superscripts are what they are read as, and ruby has no readings (index/read/raised.py).
    Deeper than 256 elements the parser stops nesting, so that no walk over the tree runs out of stack.
    """
    from lxml import etree, html

    parser = html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, no_network=True)
    try:
        # NUL and lone surrogates are no characters of a page.
        encoded = page.replace("\0", "").encode("utf-8", "ignore")
        tree: Any = html.document_fromstring(encoded, parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError):
        return None
    raised.settle(tree)
    _settle_tables(tree)
    return tree


def _settle_tables(tree: Any) -> None:
    """Make tables of what is none in HTML but says that it is one (WAI-ARIA), such as rows of div elements."""
    for table in tree.xpath("//*[@role='table'][not(self::table)][.//*[@role='cell' or @role='gridcell']]"):
        for element in table.iter():
            if isinstance(element.tag, str) and (tag := _TABLE_ROLES.get(element.get("role") or "")):
                element.tag = tag


def text_of(tree: Any, *, is_table_layout: bool = False) -> str:
    """The visible text below an element, its own tail left out.

    With `is_table_layout`, as in mail, cells of a table without heads are blocks of the page rather than columns.
    """
    text = "".join(_pieces(tree, is_table_layout=is_table_layout))
    lines = [" ".join(line.split(" ")).strip(" ") if "\v" not in line else line for line in text.split("\n")]
    return tidy("\n".join(line.replace("\v", "") for line in lines), indented=True)


def _pieces(tree: Any, *, is_table_layout: bool) -> Iterator[str]:
    """Text with breaks between blocks; a line of preformatted text begins with a vertical tab.

    Breaks are wishes: of neighbouring ones the widest wins, and white space beside them goes.
    """
    from lxml import etree

    out = _Writer()
    hidden = preformatted = 0
    table: Any = None  # a table whose rows are written already
    for event, element in etree.iterwalk(tree, events=("start", "end")):
        tag = element.tag
        is_start = event == "start"
        if table is not None:
            if element is not table:
                continue
            table = None
            hidden -= 1
        if not isinstance(tag, str):
            if not is_start and not hidden:
                out.text(element.tail, preformatted)
            continue
        if tag in HIDDEN and not (tag == "head" and _is_heading(element)):
            hidden += 1 if is_start else -1
        elif not hidden:
            if tag == "pre":
                preformatted += 1 if is_start else -1
            if is_start and tag in _ITEMS and _follows_item(element):
                out.next_item()
            if is_start and tag == "table" and not (is_table_layout and element.find(".//th") is None):
                lines = markup_table.lines_of(element, text_of)
                if lines is not None:
                    _write_lines(out, lines)
                    table = element
                    hidden += 1
                    continue
            _mark(out, "div" if is_table_layout and tag in _CELLS else tag, is_start=is_start)
        if hidden and is_start:
            continue
        if is_start:
            out.text(element.text, preformatted)
        elif element is not tree and not hidden:
            out.text(element.tail, preformatted)
    yield from out.pieces


def _write_lines(out: _Writer, lines: list[str]) -> None:
    for line in lines:
        out.gap(2)
        out.text(line, 0)
    out.gap(2)


def _is_heading(element: Any) -> bool:
    """trafilatura calls headings "head"; a page's own head has a parent "html"."""
    parent = element.getparent()
    return parent is not None and parent.tag != "html"


def _follows_item(element: Any) -> bool:
    before = element.getprevious()
    return before is not None and before.tag in _ITEMS


def _mark(out: _Writer, tag: str, *, is_start: bool) -> None:
    if tag in _LINE_BREAKS:
        if is_start:
            out.line_break()
    elif tag in _CELLS:
        out.cell(is_start=is_start)
    elif tag in _ROWS:
        out.gap(1)
    elif tag in _ITEMS:
        out.gap(1)
        if is_start and tag not in ("dt", "dd"):
            out.bullet()
    elif tag in _BLOCKS:
        out.gap(2)


class _Writer:
    """Collects text and puts between two pieces the widest break that was asked for."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self._gap = 2
        self._space = False
        self._cells = 0
        self._is_next_cell = False
        self._bullet = False

    def gap(self, lines: int) -> None:
        # Within a cell or right after a bullet everything stays on one line.
        if self._cells:
            self._space = True
        elif not self._bullet:
            self._gap = max(self._gap, lines)
        elif lines == 1:
            self._bullet = False

    def line_break(self) -> None:
        if self._cells:
            self._space = True
        else:
            self._gap = min(2, self._gap + 1)

    def next_item(self) -> None:
        """Paragraphs within items do not part the items."""
        if self.pieces and not self._cells:
            self._gap = 1

    def bullet(self) -> None:
        self._bullet = True

    def cell(self, *, is_start: bool) -> None:
        self._cells += 1 if is_start else -1
        self._is_next_cell |= is_start and self._cells == 1

    def text(self, value: str | None, preformatted: int) -> None:
        if not value:
            return
        if preformatted and not self._cells:
            self._preformatted(value)
            return
        value = _SPACE.sub(" ", value)
        body = value.strip(" ")
        if not body:
            self._space = True
            return
        self._open(space=self._space or value[0] == " ")
        self.pieces.append(body)
        self._space = value[-1] == " "

    def _preformatted(self, value: str) -> None:
        if not value.strip():
            self._gap = max(self._gap, min(2, value.count("\n")))
            return
        self._open(space=False)
        self.pieces.append("\v" + value.rstrip("\n").replace("\n", "\n\v"))
        self._gap = max(self._gap, min(2, len(value) - len(value.rstrip("\n"))))

    def _open(self, *, space: bool) -> None:
        if self._gap:
            self.pieces.append("\n" * self._gap if self.pieces else "")
            if self._bullet:
                self.pieces.append("- ")
        elif self._is_next_cell:
            self.pieces.append(" | ")
        elif space:
            self.pieces.append(" ")
        self._gap, self._space, self._bullet, self._is_next_cell = 0, False, False, False
