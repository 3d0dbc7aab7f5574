"""MHTML (.mhtml, .mht) → Draft: a page as a browser saves it whole, in a message with its pictures."""

from __future__ import annotations

from dataclasses import replace
from email import policy
from email.errors import MessageError
from email.parser import BytesParser
from typing import TYPE_CHECKING

from index.errors import ReadError
from index.read import html
from index.read.draft import one_line, web_address

if TYPE_CHECKING:
    from email.message import EmailMessage

    from index.read.draft import Draft

_PAGES = ("text/html", "application/xhtml+xml")


def parse(content: bytes) -> Draft:
    """The article on the page. Raises ReadError for what is no such file, or has no page in it.

    The date of the message is that of saving, and not used.
    """
    try:
        message = BytesParser(policy=policy.default).parsebytes(content)
        pages = [part for part in message.walk() if part.get_content_type() in _PAGES]
        start = str(message.get_param("start") or "")
        saved = str(message["Snapshot-Content-Location"] or "")
        named = [part for part in pages if start and part["Content-ID"] == start]
        named += [part for part in pages if saved and str(part["Content-Location"] or "") == saved]
        page = next(iter([*named, *pages]), None)
        if page is None or not any(name in message for name in ("Content-Type", "MIME-Version")):
            raise ReadError("there is no page in it, whatever its name says; save the page again")
        written = page.get_payload(decode=True)
        charset = page.get_content_charset()
        places = (page, "Content-Location"), (message, "Snapshot-Content-Location"), (message, "Content-Location")
        address = next((found for part, name in places if (found := _address(part, name))), None)
        subject = str(message["Subject"] or "")
    except (MessageError, ValueError, TypeError, LookupError, AttributeError, IndexError, RecursionError) as error:
        raise ReadError(f"the saved page is damaged ({type(error).__name__}); save it again") from error
    if not isinstance(written, bytes):
        raise ReadError("the page in it is empty; save the page again")
    # Without the address: what a person saved is not taken for a preview or a consent form that a program was given.
    draft = html.parse(written, charset=charset)
    return replace(draft, title=draft.title or one_line(subject), url=draft.url or address)


def _address(part: EmailMessage, name: str) -> str | None:
    try:
        return web_address(str(part[name] or ""))
    except ReadError:
        return None
