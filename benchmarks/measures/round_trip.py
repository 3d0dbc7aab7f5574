"""Round trip: texts written into documents by other programs, and the share of their words that is read back.

Fifty texts of five paragraphs, of SQuAD (English) and XQuAD (German, Spanish, Russian). Each is printed by Chromium in
two justified columns with words broken at line ends, and in one column as it comes; set by ReportLab in two columns;
written as DOCX, EPUB and e-mail. Words are compared in their order, with their punctuation.
"""

from __future__ import annotations

import html
import io
import json
import zipfile
from difflib import SequenceMatcher
from email.message import EmailMessage
from typing import TYPE_CHECKING, Any

from benchmarks.harness.browser import chromium
from benchmarks.harness.dataset import SQUAD
from index.read import formats
from index.read.draft import Draft

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from playwright.sync_api import Page

TEXTS = 50
PARAGRAPHS = 5
TARGET = 0.995
OTHER_LANGUAGES = ("de", "es", "ru")
"""Languages of XQuAD whose letters the fonts of any machine have."""

_CONTAINER = '<container><rootfiles><rootfile full-path="book.opf"/></rootfiles></container>'
_PACKAGE = (
    '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata>'
    '<dc:title>A text</dc:title></metadata><manifest><item id="t" href="t.xhtml" media-type="application/xhtml+xml"/>'
    '</manifest><spine><itemref idref="t"/></spine></package>'
)


def measure(data: Path) -> dict[str, Any]:
    """Format → share of the words read back, and share of what was read that no text has."""
    texts = list(_texts(data))
    with chromium() as browser:
        page = browser.new_page()
        writers: dict[str, tuple[str, Callable[[str, Sequence[str]], bytes]]] = {
            "PDF, two columns, broken words (Chromium)": (".pdf", lambda *text: _printed(page, *text, columns=2)),
            "PDF, one column (Chromium)": (".pdf", lambda *text: _printed(page, *text, columns=1)),
            "PDF, two columns, broken words (ReportLab)": (".pdf", _set),
            "DOCX (python-docx)": (".docx", _docx),
            "EPUB": (".epub", _epub),
            "e-mail": (".eml", _mail),
        }
        found = {name: _counts(texts, ending, write) for name, (ending, write) in writers.items()}
    return {
        name: {"read back": round(back / of, 5), "added": round(added / of, 5), "words": of}
        for name, (back, added, of) in found.items()
    }


def documents(paragraphs: Sequence[str]) -> dict[str, bytes]:
    """A document of each format with these English paragraphs, by its ending, without a browser."""
    writers = {".pdf": _set, ".docx": _docx, ".epub": _epub, ".eml": _mail}
    return {ending: write("en", paragraphs) for ending, write in writers.items()}


def show(table: dict[str, Any]) -> None:
    """Print the result of `measure`."""
    print(f"\n{'round trip of ' + str(TEXTS) + ' texts':46}{'read back':>10}{'added':>10}{'words':>8}{'target':>8}")
    for name, row in table.items():
        print(f"{name:46}{row['read back']:>10.4f}{row['added']:>10.4f}{row['words']:>8}{TARGET:>8}")


def _texts(data: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Language and paragraphs of each text."""
    sources = [(data / SQUAD / "dev-v2.0.json", "en", TEXTS - 5 * len(OTHER_LANGUAGES))]
    sources += [(data / "xquad" / f"xquad.{language}.json", language, 5) for language in OTHER_LANGUAGES]
    for path, language, count in sources:
        articles = json.loads(path.read_text(encoding="utf-8"))["data"]
        groups = [
            tuple(
                " ".join(paragraph["context"].strip("\ufeff").split())
                for paragraph in article["paragraphs"][first : first + PARAGRAPHS]
            )
            for first in range(0, 3 * PARAGRAPHS, PARAGRAPHS)
            for article in articles
        ]
        yield from ((language, group) for group in [group for group in groups if group][:count])


def _counts(
    texts: Sequence[tuple[str, tuple[str, ...]]], ending: str, write: Callable[[str, Sequence[str]], bytes]
) -> tuple[int, int, int]:
    """Words read back, words added, words written."""
    back = added = written = 0
    for language, paragraphs in texts:
        (draft,) = (item for item in formats.parse(ending, write(language, paragraphs)) if isinstance(item, Draft))
        expected, words = " ".join(paragraphs).split(), draft.text.split()
        matched = sum(
            block.size for block in SequenceMatcher(None, expected, words, autojunk=False).get_matching_blocks()
        )
        back, added, written = back + matched, added + len(words) - matched, written + len(expected)
    return back, added, written


def _broken(paragraph: str, language: str) -> str:
    """A paragraph with a soft hyphen wherever a word may be broken."""
    import pyphen

    places = pyphen.Pyphen(lang=language)
    return " ".join(places.inserted(word, "\xad") if word.isalpha() else word for word in paragraph.split(" "))


def _printed(page: Page, language: str, paragraphs: Sequence[str], *, columns: int) -> bytes:
    written = [_broken(paragraph, language) for paragraph in paragraphs] if columns > 1 else paragraphs
    style = f"body {{ font: 10.5pt serif; columns: {columns}; text-align: {'justify' if columns > 1 else 'left'} }}"
    body = "".join(f"<p>{html.escape(paragraph)}</p>" for paragraph in written)
    page.set_content(f"<html lang={language}><title>A text</title><style>{style}</style>{body}")
    return page.pdf(format="A4")


def _set(language: str, paragraphs: Sequence[str]) -> bytes:
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont
    from reportlab.platypus import BaseDocTemplate, Frame, PageTemplate, Paragraph

    if "DejaVu" not in pdfmetrics.getRegisteredFontNames():
        pdfmetrics.registerFont(TTFont("DejaVu", "DejaVuSans.ttf"))
    style = ParagraphStyle(
        "body", fontName="DejaVu", fontSize=9, leading=12, spaceAfter=6, alignment=4, hyphenationLang=_LOCALES[language]
    )
    out = io.BytesIO()
    document = BaseDocTemplate(out, pagesize=A4)
    frames = [Frame(x, 60, 235, 720, id=str(x)) for x in (50, 310)]
    document.addPageTemplates(PageTemplate(frames=frames))
    document.build([Paragraph(html.escape(paragraph, quote=False), style) for paragraph in paragraphs])
    return out.getvalue()


_LOCALES = {"en": "en_GB", "de": "de_DE", "es": "es", "ru": "ru_RU"}


def _docx(language: str, paragraphs: Sequence[str]) -> bytes:
    import docx

    del language
    out, document = io.BytesIO(), docx.Document()
    for paragraph in paragraphs:
        document.add_paragraph(paragraph)
    document.save(out)
    return out.getvalue()


def _epub(language: str, paragraphs: Sequence[str]) -> bytes:
    body = "".join(f"<p>{html.escape(paragraph)}</p>" for paragraph in paragraphs)
    page = f'<html xmlns="http://www.w3.org/1999/xhtml" lang="{language}"><body>{body}</body></html>'
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (
            ("mimetype", "application/epub+zip"),
            ("META-INF/container.xml", _CONTAINER),
            ("book.opf", _PACKAGE),
            ("t.xhtml", page),
        ):
            archive.writestr(name, content)
    return out.getvalue()


def _mail(language: str, paragraphs: Sequence[str]) -> bytes:
    message = EmailMessage()
    message["Subject"], message["From"], message["Content-Language"] = (
        "A text",
        "Ann Author <ann@example.org>",
        language,
    )
    message.set_content("\n\n".join(paragraphs), cte="quoted-printable")
    return bytes(message)
