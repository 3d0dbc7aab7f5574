"""EPUB → Draft: the chapters of the spine, in order, and the book's own metadata."""

from __future__ import annotations

import posixpath
from typing import Any
from urllib.parse import unquote

from index.errors import ReadError
from index.read import html, markup
from index.read.archive import Archive
from index.read.charset import decode
from index.read.clean import tidy
from index.read.draft import Draft, LeftOut, byline, language_tag, one_line
from index.read.metadata import web_date
from index.read.placing import placed

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_MARKUP = ("application/xhtml+xml", "text/html")


def parse(content: bytes) -> tuple[Draft | ReadError, ...]:
    """The text of the chapters, and what is left out: those that are encrypted, missing, or not text.

    Raises ReadError for what is no EPUB, is damaged, or is locked against copying.
    """
    archive = Archive(content)
    if _CONTAINER not in archive.names:
        raise ReadError("this is a zip archive but no EPUB, whatever its name says; give it the ending it should have")
    encrypted = _encrypted(archive)
    place = _first(_xml(archive, _CONTAINER), "rootfile", "full-path")
    package = _xml(archive, place)
    chapters: list[Any] = []
    left_out: list[ReadError] = []
    for name, kind in _spine(package, posixpath.dirname(place)):
        if name in encrypted:
            left_out.append(LeftOut(f"{name[:80]!r} in it is encrypted; get a copy that is not"))
        elif kind not in _MARKUP:
            left_out.append(LeftOut(f"{name[:80]!r} in it is no text ({kind[:40]})"))
        elif name not in archive.names:
            left_out.append(ReadError(f"{name[:80]!r} is missing in it; get it again"))
        else:
            try:
                tree = markup.parse_tree(decode(archive.read(name)))
            except ReadError as error:
                left_out.append(ReadError(f"{name[:80]!r} in it: {error}"))
            else:
                if tree is not None:
                    html.drop_hidden(tree)
                    chapters.append(tree)
    if encrypted and not chapters:
        raise ReadError("the book is encrypted; get a copy that is not")
    if not chapters:
        raise ReadError("the EPUB is damaged (no chapter is in it); get it again")
    dates = [web_date(date.text or "") for date in _all(package, "date") if _event(date) in ("", "publication")]
    known = [date for date in dates if date]
    texts = list(map(markup.text_of, chapters))
    written = tidy("\n\n".join(texts), indented=True)
    pieces = ((text, _heading(chapter), None) for text, chapter in zip(texts, chapters, strict=True))
    draft = Draft(
        "",
        written,
        title=one_line(_text(package, "title")),
        source=one_line(_text(package, "publisher")),
        published=known[0] if len(known) == 1 else None,
        author=byline(", ".join(filter(None, (one_line(element.text) for element in _all(package, "creator"))))),
        language=language_tag(_text(package, "language") or ""),
        places=placed(pieces, written),
    )
    return draft, *left_out


def _heading(chapter: Any) -> str:
    """The first heading of a chapter, which is its name; "" for a chapter without."""
    found = (one_line(" ".join(one.itertext())) for name in ("h1", "h2", "h3") for one in chapter.iter(name))
    return next(filter(None, found), "")


def _encrypted(archive: Archive) -> set[str]:
    """The members that cannot be read as they are: mostly fonts, which are disguised and not encrypted.

    Raises ReadError for a book that is encrypted as a whole.
    """
    if _ENCRYPTION not in archive.names:
        return set()
    entries = _all(_xml(archive, _ENCRYPTION), "EncryptedData")
    names = [[one.get("URI") for one in entry.iter("{*}CipherReference")] for entry in entries]
    if not all(names):
        raise ReadError("the book is encrypted; get a copy that is not")
    return {posixpath.normpath(unquote(name or "")).lstrip("/") for some in names for name in some}


def _xml(archive: Archive, name: str) -> Any:
    from lxml import etree

    try:
        return archive.xml(name)
    except etree.XMLSyntaxError as error:
        raise ReadError(f"the EPUB is damaged ({error}); get it again") from error


def _spine(package: Any, folder: str) -> list[tuple[str, str]]:
    """Names and media types of the members that make up the book, in reading order; the table of contents is none."""
    items = {item.get("id"): item for item in _all(package, "item")}
    wanted = (items.get(reference.get("idref")) for reference in _all(package, "itemref"))
    return [
        (posixpath.normpath(posixpath.join(folder, unquote(item.get("href") or ""))), item.get("media-type") or "")
        for item in wanted
        if item is not None and "nav" not in (item.get("properties") or "").split()
    ]


def _all(tree: Any, name: str) -> list[Any]:
    found: list[Any] = tree.xpath(f"//*[local-name()='{name}']")
    return found


def _first(tree: Any, name: str, attribute: str) -> str:
    value = next((element.get(attribute) for element in _all(tree, name)), None)
    if not value:
        raise ReadError("the EPUB is damaged (it does not say where its contents are); get it again")
    return str(value)


def _text(tree: Any, name: str) -> str | None:
    return next((element.text for element in _all(tree, name) if element.text), None)


def _event(element: Any) -> str:
    return next((value for key, value in element.attrib.items() if key.endswith("event")), "")
