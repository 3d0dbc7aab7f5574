"""Bytes → text. A file that is not clearly text in a known encoding is refused, never half read."""

from __future__ import annotations

import codecs
import re

from index.errors import ReadError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16: its mark begins with that of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SIGNATURES = {
    b"%PDF-": "a PDF",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"PK\x03\x04": "a zip archive or an office document",
    b"\x1f\x8b": "a gzip archive",
}
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f]")
CONTROL_SHARE = 0.005
"""Text has next to no control characters; one in two hundred is a binary file that happens to decode."""

SAMPLE_BYTES = 64 * 1024
"""How much is looked at to find an encoding: reading more takes long and decides no more."""
CHAOS = 0.02
COHERENCE = 0.3
"""Bounds on charset-normalizer's verdict: hardly an implausible character, a known language's letters."""
_MULTI_BYTE = ("cp932", "shift_jis", "euc_jp", "cp949", "euc_kr", "johab", "big5", "cp950", "gb18030", "gbk")
MULTI_BYTE_LEAST = 16
"""Bytes beyond ASCII without which a multi-byte encoding is a coincidence."""


def decode(content: bytes, *, declared: str | None = None) -> str:
    """The text in `content`: by its byte order mark, else UTF-8, else as `declared`, else as detected.

    Raises ReadError, with the command that converts, for binary content and an encoding that is not certain.
    """
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return _checked(_strict(content[len(mark) :], encoding))
    for signature, kind in _SIGNATURES.items():
        if content.startswith(signature):
            raise ReadError(f"this is {kind}, not text; convert it to text or HTML first")
    if b"\0" in content:
        raise ReadError(
            "this is binary, not text (it has NUL bytes); "
            "if it is text, save it as UTF-8: iconv -f UTF-16 -t UTF-8 OLD > NEW"
        )
    try:
        return _checked(content.decode("utf-8"))
    except UnicodeDecodeError:
        return _checked(_legacy(content, declared))


def _legacy(content: bytes, declared: str | None) -> str:
    if declared is not None:
        try:
            return content.decode(declared)
        except (LookupError, UnicodeError):
            pass  # pages often declare what they are not
    encoding = _detected(content[:SAMPLE_BYTES])
    if encoding is None:
        raise ReadError(
            "the text is not UTF-8 and its encoding is not certain; "
            "save it as UTF-8: iconv -f WINDOWS-1252 -t UTF-8 OLD > NEW (with the encoding it has)"
        )
    return _strict(content, encoding)


def _strict(content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeError:
        raise ReadError(
            f"the text looks like {encoding} but is damaged; "
            f"save it as UTF-8: iconv -c -f {encoding.upper()} -t UTF-8 OLD > NEW"
        ) from None


def _detected(sample: bytes) -> str | None:
    """The encoding if one is clearly best.

    Western and Central European code pages often tie, as they differ in a few letters; then Windows-1252 is
    taken, by far the most common (the HTML standard's default).
    """
    from charset_normalizer import from_bytes

    # A sample that ends within a character would count against the right encoding.
    newline = sample.rfind(b"\n") if len(sample) == SAMPLE_BYTES else -1
    matches = from_bytes(sample[:newline] if newline > 0 else sample)
    best = matches.best()
    if best is None or best.chaos > CHAOS:
        return None
    if best.encoding in _MULTI_BYTE:
        return best.encoding if sum(byte > 127 for byte in sample) >= MULTI_BYTE_LEAST else None
    if best.coherence < COHERENCE:
        return None
    tied = [match for match in matches if match.chaos <= best.chaos and match.coherence >= best.coherence]
    if any("cp1252" in (match.encoding, *match.could_be_from_charset) for match in tied):
        return "cp1252"
    return best.encoding if len(tied) == 1 else None


def _checked(text: str) -> str:
    sample = text[: SAMPLE_BYTES * 4]
    if len(_CONTROLS.findall(sample)) > CONTROL_SHARE * len(sample):
        raise ReadError("this is binary, not text (it is full of control characters); convert it to text first")
    return text
