"""E-mail (.eml), above all newsletters → Drafts. The sender is the outlet, the day of sending the date.

All text of a message counts: text after an attachment, attached texts, and forwarded messages. Of parts that say the
same, the HTML is read, or the plain text where the HTML says nothing.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from email import policy
from email.errors import MessageError
from email.header import decode_header, make_header
from email.parser import BytesParser
from email.utils import parseaddr
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from index.errors import ReadError
from index.read import html, markup
from index.read.charset import decode, narrow
from index.read.clean import strip_furniture, tidy
from index.read.draft import Draft, LeftOut, language_tag, one_line
from index.read.metadata import web_date

if TYPE_CHECKING:
    from email.message import EmailMessage

_HEADER = re.compile(rb"[!-9;-~]{1,76}:")
_FROM_LINE = re.compile(
    rb"(?:(?:\A|(?<=\n\n)|(?<=\n\r\n))From [^\r\n]*"
    rb"|(?<=\n)From \S+ +[A-Z][a-z]{2} [A-Z][a-z]{2} +\d{1,2} \d\d:\d\d[^\r\n]*)\r?\n(?=[!-9;-~]{1,76}:)"
)
"""The line by which an mbox parts its mails: before headers, and after a blank line or with the time of a delivery."""
_QUOTED_FROM = re.compile(rb"^>(?=>*From )", re.MULTILINE)
_HEADERS = ("Message-ID", "Content-Language")
_UUENCODED = re.compile(r"^begin [0-7]{3,4} (.{1,200})\r?\n(?:[\x20-`]{1,62}\r?\n)*+end[ \t]*$", re.MULTILINE)
"""A file within the text of a mail, as programs attached it before MIME."""
_FORWARDED = ("From", "Date", "Subject")
_TEXT_ENDINGS = frozenset((".txt", ".md", ".markdown", ".html", ".htm"))
_NO_PROSE = frozenset(("calendar", "vcard", "x-vcard", "directory", "css", "javascript", "rfc822-headers"))
"""Kinds of text that are data for programs."""
_SIGNATURES = frozenset(("application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature"))
_BROKEN = (MessageError, ValueError, TypeError, LookupError, AttributeError, IndexError, RecursionError)
"""What the email package raises for messages that are damaged."""
MOST_NESTED = 20
"""Forwarded messages and multiparts within each other; real ones have four or five."""
MAX_REPORTED = 20
"""Mails of one file that cannot be read, and what is left out of its mails, that is named one by one."""


def parse(content: bytes) -> tuple[Draft | ReadError, ...]:
    """The message, or each of the messages where mails stand one after the other, as in an mbox; and what is left out.

    Raises ReadError for what has no mail headers, and for a message without text.
    """
    mails = split(content)
    if len(mails) > 1:
        return read_each(mails)
    draft, _, left_out = _read(mails[0])
    return draft, *left_out


def split(content: bytes) -> list[bytes]:
    """The mails that stand one after the other, each without the line "From …" that parts it from the one before."""
    content = narrow(content).removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n")
    found = list(_FROM_LINE.finditer(content))
    if not found or found[0].start():
        return [content]
    ends = [*(match.start() for match in found[1:]), len(content)]
    return [_QUOTED_FROM.sub(b"", content[match.end() : end]) for match, end in zip(found, ends, strict=True)]


def read_each(mails: list[bytes]) -> tuple[Draft | ReadError, ...]:
    """A draft of each mail, with its Message-ID as id, and what is left out."""
    found: dict[str, Draft] = {}
    errors: list[ReadError] = []
    notes: list[ReadError] = []
    for number, mail in enumerate(mails, start=1):
        try:
            draft, key, left_out = _read(mail)
        except ReadError as error:
            errors.append(ReadError(f"mail {number}: {error}"))
            continue
        if any(map(str.isalnum, draft.text)):
            key = key or hashlib.sha256(mail).hexdigest()
            found.setdefault(key, replace(draft, id=key))
        else:
            left_out = [LeftOut("it has no text"), *left_out]
        for one in left_out:
            (notes if isinstance(one, LeftOut) else errors).append(type(one)(f"mail {number}: {one}"))
    if len(errors) > MAX_REPORTED:
        errors[MAX_REPORTED:] = [ReadError(f"{len(errors) - MAX_REPORTED} more mails or parts could not be read")]
    if len(notes) > MAX_REPORTED:
        notes[MAX_REPORTED:] = [LeftOut(f"{len(notes) - MAX_REPORTED} more attachments or mails without text")]
    return *found.values(), *errors, *notes


def _read(content: bytes) -> tuple[Draft, str, list[ReadError]]:
    """The draft of one message, its Message-ID, and what is left out of it."""
    if not _HEADER.match(content):
        raise ReadError("this is no e-mail, whatever its name says: it does not begin with mail headers")
    left_out: list[ReadError] = []
    try:
        message = BytesParser(policy=policy.default).parsebytes(content)
        text = _text(message, left_out)
        known = {key: _header(message, key) for key in (*_HEADERS, *_FORWARDED)}
        source = one_line(_sender(message))
    except _BROKEN as error:
        raise ReadError(f"the message is damaged ({type(error).__name__}); save it again") from error
    draft = Draft(
        "",
        strip_furniture(tidy(text, indented=True)),
        title=one_line(known["Subject"]),
        source=source,
        published=web_date(known["Date"]),
        language=language_tag(known["Content-Language"]),
    )
    return draft, known["Message-ID"].strip(), left_out


def _header(message: EmailMessage, name: str) -> str:
    """A header's value, also where it is written in bytes that no standard allows."""
    raw = _raw(message, name)
    if not raw:
        return ""
    if raw.isascii():
        return _encoded_words(raw) if "=?" in raw else str(message[name])
    content = raw.encode("utf-8", "surrogateescape")
    for encoding in ("utf-8", message.get_content_charset() or "cp1252", "cp1252", "latin-1"):
        try:
            return str(make_header(decode_header(content.decode(encoding))))
        except (UnicodeError, LookupError, ValueError, MessageError):
            continue
    return str(message[name])


def _raw(message: EmailMessage, name: str) -> str:
    """A header as it is written; empty if there is none."""
    return next((str(value) for key, value in message.raw_items() if key.casefold() == name.casefold()), "")


def _sender(message: EmailMessage) -> str:
    """The name of the sender, or else the address."""
    name, _ = parseaddr(" ".join(_raw(message, "From").split()))
    if "=?" in name and name.isascii():  # decoded, "Doe, Jane" would end at its comma
        return _encoded_words(name).strip(' "')
    name, address = parseaddr(_header(message, "From"))
    return name or address


def _encoded_words(raw: str) -> str:
    """A header with =?charset?B?…?= in it; the charset means what it means in the body."""
    pieces: list[str] = []
    for content, charset in decode_header(" ".join(raw.split())):
        try:
            pieces.append(content if isinstance(content, str) else decode(content, declared=charset) if content else "")
        except ReadError:
            pieces.append(content.decode("ascii", "replace") if isinstance(content, bytes) else "")
    return "".join(pieces)


def _text(part: EmailMessage, left_out: list[ReadError], depth: int = 0) -> str:
    """The text of a part and of all parts within it; notes what has none."""
    if depth > MOST_NESTED:
        left_out.append(LeftOut(f"what is nested more than {MOST_NESTED} deep; save the forwarded mail by itself"))
        return ""
    kind = part.get_content_type()
    if kind == "multipart/encrypted" or kind in ("application/pkcs7-mime", "application/x-pkcs7-mime"):
        left_out.append(LeftOut("an encrypted part; decrypt it and save it by itself"))
        return ""
    within: list[Any] = [one for one in part.get_payload() if not isinstance(one, str)] if part.is_multipart() else []
    if kind == "multipart/alternative":
        return _best(within, left_out, depth)
    if kind == "multipart/related":
        # What follows the page are its pictures.
        texts = [one for one in within if _holds_text(one)]
        return _text(texts[0], left_out, depth + 1) if texts else ""
    if kind == "message/rfc822" and within:
        return _forwarded(within[0], left_out, depth)
    if within:
        return "\n\n".join(filter(None, (_text(one, left_out, depth + 1) for one in within)))
    return _leaf(part, left_out, depth)


def _forwarded(message: EmailMessage, left_out: list[ReadError], depth: int) -> str:
    """A message within another, under the headers that say whose it is."""
    headers = [f"{name}: {value}" for name in _FORWARDED if (value := one_line(_header(message, name)))]
    return "\n\n".join(("\n".join(headers), _text(message, left_out, depth + 1)))


def _note(left_out: list[ReadError], name: str, kind: str) -> str:
    """Note an attachment that is left out; nothing stands in its place."""
    what = f"the attachment {name!r}" if name else "an attachment"
    left_out.append(LeftOut(f"{what} ({kind}); save it by itself to have it read"))
    return ""


def _unflowed(text: str, is_space_of_break: bool) -> str:
    """Text with "format=flowed" (RFC 3676) with its paragraphs on one line each. `is_space_of_break` is its "DelSp"."""
    lines: list[str] = []
    quoted_before = None  # how deep the line before is quoted, if it goes on
    for line in text.splitlines():
        body = line.lstrip(">")
        quoted = len(line) - len(body)
        body = body.removeprefix(" ")
        is_signature = body == "-- "
        goes_on = body.endswith(" ") and not is_signature
        shown = body[:-1] if goes_on and is_space_of_break else body
        if quoted_before == quoted and not is_signature:
            lines[-1] += shown
        else:
            lines.append(f"{'>' * quoted}{' ' if quoted else ''}{shown}")
        quoted_before = quoted if goes_on else None
    return "\n".join(lines)


def _best(parts: list[EmailMessage], left_out: list[ReadError], depth: int) -> str:
    """Of parts that say the same, the HTML, or the one that says anything."""
    order = sorted(parts, key=lambda one: one.get_content_type() == "text/plain")
    for part in order:
        if _holds_text(part):
            notes: list[ReadError] = []
            text = strip_furniture(tidy(_text(part, notes, depth + 1), indented=True))
            if any(map(str.isalnum, text)):
                left_out += notes
                return text
    return ""


def _holds_text(part: EmailMessage) -> bool:
    return part.is_multipart() or part.get_content_type() in ("text/html", "text/plain", "text/enriched")


def _leaf(part: EmailMessage, left_out: list[ReadError], depth: int) -> str:
    kind, name = part.get_content_type(), one_line(part.get_filename()) or ""
    main, _, sub = kind.partition("/")
    ending = PurePath(name).suffix.lower()
    is_text = main == "text" and sub not in _NO_PROSE
    if not is_text and main not in ("image", "audio", "video"):
        is_text = ending in _TEXT_ENDINGS or main == "multipart"
    if not is_text and ending == ".eml":
        attached = part.get_payload(decode=True)
        if isinstance(attached, bytes) and _HEADER.match(attached.lstrip()):
            message = BytesParser(policy=policy.default).parsebytes(attached.lstrip())
            return _forwarded(message, left_out, depth)
    if not is_text:
        if kind not in _SIGNATURES:
            _note(left_out, name, kind)
        return ""
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes) or not content.strip():
        return ""
    try:
        text = decode(content, declared=part.get_content_charset())
    except ReadError as error:
        left_out.append(ReadError(f"the part {name!r}: {error}" if name else f"a part of it: {error}"))
        return ""
    if sub not in ("html", "enriched") and ending not in (".html", ".htm"):
        text = _UUENCODED.sub(lambda file: _note(left_out, one_line(file[1]) or "", "in its text"), text)
        is_flowed = str(part.get_param("format") or "").lower() == "flowed"
        return _unflowed(text, str(part.get_param("delsp") or "").lower() == "yes") if is_flowed else text
    tree = markup.parse_tree(text)
    if tree is None:
        return ""
    html.drop_hidden(tree)
    # Mail is laid out with tables: their cells are blocks, not columns.
    return markup.text_of(tree, is_table_layout=True)
