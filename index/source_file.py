"""Source file: the file that an article was read from, as long as it is the file that was read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from index import read
from index.errors import InputError, ReadError
from index.location import is_address
from index.read import formats

if TYPE_CHECKING:
    from index.article import Article
    from index.location import Locations
    from index.picture import Picture
    from index.store import Generation

PDF = ".pdf"
CONTEXT_CHARS = 80
"""Of the text before and after a quote, by which it is told apart from the same words elsewhere on the page."""

HANDED_IN = "no file is known of this article: a program handed it in, or it was put back after it was removed"
FROM_THE_WEB = "this article was read from the web, and of the page only its text is kept; open the original"
GONE = "the file is not where it was when it was read; if it was moved, read its folder again"
CHANGED = "the file has changed since it was read; read its folder again"
UNREADABLE = "the file cannot be read at this moment"


@dataclass(frozen=True, slots=True)
class SourceFile:
    """The name of a file, its ending in lower case, its bytes, which are those that were read, and the fingerprint by
    which that is known."""

    name: str
    kind: str
    content: bytes
    fingerprint: str


def kind_of(generation: Generation, article_id: str) -> str | None:
    """The ending of the file that an article was read from, such as ".pdf"; None for one that comes from no file here.
    Whether the file is still there is not looked at."""
    origin = generation.origin_of(article_id)
    return None if origin is None or is_address(origin) else formats.ending(origin)


def source_file(generation: Generation, locations: Locations, article_id: str) -> SourceFile:
    """The file that an article was read from. Raises InputError, with the reason, when it is not there as it was."""
    origin = generation.origin_of(article_id)
    if origin is None:
        raise InputError(HANDED_IN)
    if is_address(origin):
        raise InputError(FROM_THE_WEB)
    path = Path(locations.path(origin))
    fingerprint, _ = generation.origins().get(origin, ("", False))
    try:
        content = read.unchanged(path, fingerprint)
    except read.ChangedError as error:
        raise InputError(CHANGED) from error
    except ReadError as error:
        raise InputError(UNREADABLE if path.exists() else GONE) from error
    return SourceFile(path.name, formats.ending(path.name), content, fingerprint)


def picture(file: SourceFile, article: Article, start: int, end: int, page: int | None) -> Picture:
    """A page of the file with `article.text[start:end]` marked. Without `page`, the one where these words stand.

    Raises InputError for a file without pages, or one that cannot be drawn.
    """
    if file.kind != PDF:
        raise InputError(f"a {file.kind} file has no pages to show; only those of PDFs can be shown")
    text = article.text
    try:
        return read.picture(
            file.content,
            words=text[start:end],
            before=text[max(0, start - CONTEXT_CHARS) : start],
            after=text[end : end + CONTEXT_CHARS],
            page=page or article.page_of(start),
        )
    except ReadError as error:
        raise InputError(str(error)) from error
