"""E-mail (.eml), above all newsletters → Draft. The sender is the outlet, the day of sending that of publication."""

from __future__ import annotations

import re
from email import policy
from email.errors import MessageError
from email.parser import BytesParser
from email.utils import parseaddr
from typing import TYPE_CHECKING

from index.errors import ReadError
from index.read import html, markup
from index.read.charset import decode
from index.read.clean import strip_furniture, tidy
from index.read.draft import Draft, language_tag, one_line
from index.read.metadata import web_date

if TYPE_CHECKING:
    from email.message import EmailMessage

_HEADER = re.compile(rb"^[!-9;-~]{1,76}:", re.MULTILINE)


def parse(content: bytes) -> Draft:
    """The message's HTML, else its plain text. Attachments and quoted messages within are left out.

    Raises ReadError for what has no mail headers, and for a message without text.
    """
    if not _HEADER.match(content.lstrip(b"\r\n")[:1000].partition(b"\n")[0].removeprefix(b"\xef\xbb\xbf")):
        raise ReadError("this is no e-mail, whatever its name says: it does not begin with mail headers")
    try:
        message = BytesParser(policy=policy.default).parsebytes(content)
        part = message.get_body(preferencelist=("html", "plain"))
        text = "" if part is None else _text(part)  # type: ignore[arg-type]
        name, address = parseaddr(str(message["From"] or ""))
        known = {key: str(message[key] or "") for key in ("Subject", "Date", "Content-Language")}
    except (MessageError, ValueError, TypeError, LookupError, AttributeError, IndexError, RecursionError) as error:
        raise ReadError(f"the message is damaged ({type(error).__name__}); save it again") from error
    return Draft(
        "",
        strip_furniture(tidy(text, indented=True)),
        title=one_line(known["Subject"]),
        source=one_line(name or address),
        published=web_date(known["Date"]),
        language=language_tag(known["Content-Language"]),
    )


def _text(part: EmailMessage) -> str:
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):
        return ""
    text = decode(content, declared=part.get_content_charset())
    if part.get_content_subtype() != "html":
        return text
    tree = markup.parse_tree(text)
    if tree is None:
        return ""
    html.drop_hidden(tree)
    # Mail is laid out with tables: their cells are blocks, not columns.
    return markup.text_of(tree, is_table_layout=True)
