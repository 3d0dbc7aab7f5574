"""Plain text, often scraped from a page → Draft."""

from __future__ import annotations

from index.read.charset import decode
from index.read.clean import headline, strip_furniture, tidy
from index.read.draft import Draft


def parse(content: bytes) -> Draft:
    """The article in `content`, without page furniture; its title only if the first line clearly is one.

    Nothing in plain text is reliable metadata, a page clock least of all, so the rest stays unknown.
    """
    text = strip_furniture(tidy(decode(content)))
    return Draft("", text, title=headline(text))
