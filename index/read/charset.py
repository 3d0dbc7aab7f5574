"""Bytes → text. A file that is not clearly text in a known encoding is refused, never half read.

A name of an encoding means what browsers take it for (WHATWG Encoding Standard): "gb2312" is GB18030, "shift_jis" is
Windows-31J, "big5" has the characters of Hong Kong, "iso-8859-1" is Windows-1252.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from index.errors import ReadError
from index.read.draft import LeftOut
from index.read.encoding import LATIN, LATIN_SHARE, encoding_of_letters, latin_share

if TYPE_CHECKING:
    from collections.abc import Iterator

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

_LABELS = {
    "unicode-1-1-utf-8": "utf-8", "x-unicode20utf8": "utf-8", "unicode11utf8": "utf-8",
    "unicode": "utf-16-le", "csunicode": "utf-16-le", "ucs-2": "utf-16-le", "iso-10646-ucs-2": "utf-16-le",
    "unicodefeff": "utf-16-le", "unicodefffe": "utf-16-be",
    "x-sjis": "cp932", "windows-31j": "cp932", "csshiftjis": "cp932", "ms_kanji": "cp932", "x-ms-cp932": "cp932",
    "x-euc-jp": "euc_jp", "csiso2022jp": "iso2022_jp", "cp50220": "iso2022_jp", "cp50221": "iso2022_jp",
    "iso-2022-jp-ms": "iso2022_jp", "x-gbk": "gbk", "gb_2312-80": "gbk", "csgb2312": "gbk", "x-euc-cn": "gbk",
    "cn-big5": "big5", "x-x-big5": "big5", "csbig5": "big5", "korean": "euc_kr", "ks_c_5601-1989": "euc_kr",
    "cseuckr": "euc_kr", "x-windows-949": "euc_kr", "iso-8859-8-i": "iso8859-8", "iso-8859-8-e": "iso8859-8",
    "csiso88598i": "iso8859-8", "logical": "iso8859-8", "visual": "iso8859-8", "iso-8859-6-i": "iso8859-6",
    "iso-8859-6-e": "iso8859-6", "x-mac-roman": "mac-roman", "x-mac-cyrillic": "mac-cyrillic",
    "x-mac-ukrainian": "mac-cyrillic", "koi": "koi8-r", "koi8": "koi8-r", "koi8-ru": "koi8-u", "dos-874": "cp874",
}  # fmt: skip
"""Names that pages and mail use and Python does not know."""
_MEANT = {
    "ascii": "cp1252", "iso8859-1": "cp1252", "iso8859-9": "cp1254", "iso8859-11": "cp874", "tis-620": "cp874",
    "shift_jis": "cp932", "gb2312": "gb18030", "gbk": "gb18030", "euc_kr": "cp949", "big5hkscs": "big5",
    "cp950": "big5", "iso2022_jp_1": "iso2022_jp", "iso2022_jp_2": "iso2022_jp", "iso2022_jp_3": "iso2022_jp",
    "iso2022_jp_2004": "iso2022_jp", "iso2022_jp_ext": "iso2022_jp", "utf-8-sig": "utf-8", "utf-16": "utf-16-le",
    "utf-32": "utf-32-le",
}  # fmt: skip
"""What is meant by a name, where it is more than the name says; both are Python's."""
_NO_CHARSET = frozenset("idna punycode unicode_escape raw_unicode_escape unicode_internal undefined mbcs oem".split())
_WIDE = ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")
_WRONG = re.compile("[\udc80-\udcff\ufffd]")
"""What the error handlers "surrogateescape" and "replace" make of a byte that is wrong."""
_PUNCTUATION = frozenset("\udc85\udc91\udc92\udc93\udc94\udc96\udc97")
"""The ellipsis, quotes and dashes, which all encodings of Windows have in the same place."""
_SEVEN_BIT = frozenset(("utf-7", "hz", "iso2022_jp", "iso2022_kr"))
"""Encodings whose bytes are all ASCII, so that they pass for UTF-8."""
_ISO_2022_JP = re.compile(rb"\x1b\$[@B]|\x1b\(I")
_ISO_2022_KR = re.compile(rb"\x1b\$\)C")
_UTF_7 = re.compile(rb"\+([A-Za-z0-9+/]*)(-?)")
UTF_7_LEAST = 2
"""Encoded stretches without which a text with plus signs is not taken for UTF-7."""
WIDE_LEAST = 8
"""Characters without which UTF-16 or UTF-32 without a byte order mark cannot be recognized."""

BAD = "\ufffd"
"""The replacement character: what stands for bytes that are not in the encoding of a text."""
UTF_8_RATIO = 2
"""Characters of several bytes that are right for each byte that is wrong, from which on a text is damaged UTF-8. By
chance, in text of other encodings, there are fewer right ones than wrong ones."""
DAMAGE_SHARE = 0.1
"""A text in the wrong multi-byte encoding has a third of its characters or more wrong; one in ten is damage."""
FEW_SHARE = 0.005
"""One wrong byte in two hundred characters costs a reader little, whatever it stands for, and says little about an
encoding."""

SAMPLE_BYTES = 64 * 1024
"""How much is looked at to find an encoding: reading more takes long and decides no more."""
CHAOS = 0.02
COHERENCE = 0.3
"""Bounds on charset-normalizer's verdict: hardly an implausible character, a known language's letters."""
_MULTI_BYTE = ("cp932", "euc_jp", "cp949", "johab", "big5", "gb18030")
MULTI_BYTE_LEAST = 16
"""Bytes beyond ASCII without which a multi-byte encoding is a coincidence."""

_damage: ContextVar[list[LeftOut] | None] = ContextVar("damage", default=None)


@contextmanager
def damage() -> Iterator[list[LeftOut]]:
    """A list to which every `decode` within adds what it had to replace.

    A document may have many encoded pieces, deep in other readers, and none of them needs to know.
    """
    found: list[LeftOut] = []
    token = _damage.set(found)
    try:
        yield found
    finally:
        _damage.reset(token)


def decode(content: bytes, *, declared: str | None = None) -> str:
    """The text in `content`: by its byte order mark, else UTF-8, else as `declared`, else as detected.

    A declared encoding of seven bits comes before UTF-8. A few bytes that are not in the encoding are replaced by BAD
    and reported, see `damage`. Raises ReadError, with what mends it, for binary content and an encoding that is not
    certain.
    """
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return _checked(_mostly(content[len(mark) :], encoding))
    for signature, kind in _SIGNATURES.items():
        if content.startswith(signature):
            raise ReadError(f"this is {kind}, not text; convert it to text or HTML first")
    meant = encoding_of(declared)
    wide = _wide(content, meant)
    if wide is not None:
        return _checked(_mostly(content, wide))
    if b"\0" in content:
        raise ReadError(
            "this is binary, not text (it has NUL bytes); "
            "if it is text, save it as UTF-8: iconv -f UTF-16 -t UTF-8 OLD > NEW"
        )
    seven_bit = meant if meant in _SEVEN_BIT else _seven_bit(content)
    if seven_bit is not None and content.isascii() and (text := _in(content, seven_bit)) is not None:
        return _checked(text)
    try:
        return _checked(content.decode("utf-8"))
    except UnicodeDecodeError:
        return _checked(_not_utf_8(content, seven_bit or meant))


def encoding_of(label: str | None) -> str | None:
    """Python's name of the encoding that a page or mail means by `label`; None for what is none."""
    name = (label or "").strip(" \t\r\n\"'").lower()
    name = re.sub(r"^(?:x-)?(?:windows|cp|ms|microsoft-cp)-?(?=\d)", "cp", name)
    try:
        found = codecs.lookup(_LABELS.get(name, name))
    except (LookupError, ValueError):
        return None
    if found.name in _NO_CHARSET or not found._is_text_encoding:
        return None
    return _MEANT.get(found.name, found.name)


def narrow(content: bytes) -> bytes:
    """UTF-16 and UTF-32 as UTF-8, so that it can be cut into lines; anything else as it is."""
    is_marked = any(content.startswith(mark) for mark, encoding in _MARKS if encoding in _WIDE)
    return decode(content).encode("utf-8", "ignore") if is_marked or _wide(content, None) else content


def _not_utf_8(content: bytes, meant: str | None) -> str:
    damaged = content.decode("utf-8", "surrogateescape")
    wrong = len(_WRONG.findall(damaged)) - damaged.count(BAD)
    right = len(damaged) - wrong - len(damaged.encode("ascii", "ignore"))
    if right >= UTF_8_RATIO * wrong:
        return _replaced_bytes(damaged, wrong)
    if meant is not None and meant != "utf-8" and (text := _in(content, meant)) is not None:
        return text
    is_few = wrong <= FEW_SHARE * len(damaged)
    encoding = "cp1252" if set(_WRONG.findall(damaged)) <= _PUNCTUATION else _detected(_sample(content))
    if is_few and encoding != "cp1252":
        encoding = None
    if encoding is not None and (text := _in(content, encoding)) is not None:
        if meant == "utf-8":
            _report(wrong, "byte", f"UTF-8 {_were(wrong)} read as {encoding.upper()}", damaged)
        return text
    if is_few:
        return _replaced_bytes(damaged, wrong)
    raise ReadError(
        "the text is not UTF-8, and its encoding is neither declared nor certain; open it in the program that wrote "
        "it and save it as UTF-8, or, where the encoding is known: iconv -f ENCODING -t UTF-8 OLD > NEW"
    )


def _replaced_bytes(damaged: str, count: int) -> str:
    _report(count, "byte", f"UTF-8 {_were(count)} replaced by {BAD}", damaged)
    return re.sub(f"(?:{_WRONG.pattern})+", BAD, damaged)


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _report(count: int, unit: str, what: str, damaged: str) -> None:
    first = _WRONG.search(damaged)
    line = damaged.count("\n", 0, first.start() if first else 0) + 1
    units = f"1 {unit} that is" if count == 1 else f"{count} {unit}s that are"
    note = LeftOut(
        f"{units} not {what} (the first is in line {line}); "
        "to have the whole text, save it as UTF-8 from the program that wrote it"
    )
    found = _damage.get()
    if found is not None:
        found.append(note)


def _in(content: bytes, encoding: str) -> str | None:
    """The text in an encoding, if no more of it is wrong than damage explains."""
    text = _decoded(content, encoding)
    wrong = text.count(BAD)
    beyond_ascii = len(text) - len(text.encode("ascii", "ignore"))
    if wrong > max(DAMAGE_SHARE * beyond_ascii, FEW_SHARE * len(text)):
        return None
    if wrong:
        _report(wrong, "character", f"{encoding.upper()} {_were(wrong)} replaced by {BAD}", text)
    return text


def _mostly(content: bytes, encoding: str) -> str:
    """The text in an encoding that is certain."""
    if encoding == "utf-8":
        try:
            return content.decode()
        except UnicodeDecodeError:
            return _not_utf_8(content, None)
    text = _in(content, encoding)
    if text is None:
        raise ReadError(
            f"the text looks like {encoding} but is damaged; save it again as UTF-8 from the program that wrote it, or "
            f"keep what is whole of it: iconv -c -f {encoding.upper()} -t UTF-8 OLD > NEW"
        )
    return text


def _decoded(content: bytes, encoding: str) -> str:
    match encoding:
        case "big5":
            return "".join(_big5(content))
        case "euc_jp" | "iso2022_jp":
            try:
                return content.decode("iso2022_jp_ext" if encoding == "iso2022_jp" else encoding)
            except UnicodeDecodeError:
                return "".join(_euc_jp(content) if encoding == "euc_jp" else _iso_2022_jp(content))
        case "cp932":
            return content.decode(encoding, "replace").translate(_NO_CP932)
        case _:
            return content.decode(encoding, "replace")


_NO_CP932 = dict.fromkeys((0x80, 0xF8F0, 0xF8F1, 0xF8F2, 0xF8F3), BAD)
"""What Python's codec makes of the bytes that Windows-31J leaves unused."""
_BIG5 = re.compile(rb"((?:[\xa1-\xa3][\x40-\xff])+)|(?:[\x80-\xa0\xa4-\xff][\x40-\xff]|[\x00-\x7f])+|.", re.DOTALL)


def _big5(content: bytes) -> Iterator[str]:
    """Symbols are those of Windows, characters those of Hong Kong, as browsers have them."""
    for piece in _BIG5.finditer(content):
        yield piece[0].decode("cp950" if piece[1] else "big5hkscs", "replace")


_EUC_JP = re.compile(
    rb"((?:[\xa1-\xfe][\xa1-\xfe])+)|(?:\x8e([\xa1-\xdf]))|((?:\x8f[\xa1-\xfe]{2})+)|[\x00-\x7f]+|.", re.DOTALL
)


def _euc_jp(content: bytes) -> Iterator[str]:
    """With the characters that Windows adds to JIS X 0208, such as ① and ㈱, which Python's codec does not have."""
    for piece in _EUC_JP.finditer(content):
        if piece[1]:
            yield _jis(bytes(byte & 0x7F for byte in piece[1]))
        else:
            yield piece[2].decode("cp932") if piece[2] else piece[0].decode("euc_jp", "replace")


_SHIFT = re.compile(rb"\x1b(\$[@B]|\([BJI]|\$\(D)([^\x1b]*)|\x1b|[^\x1b]+")


def _iso_2022_jp(content: bytes) -> Iterator[str]:
    """With the characters that Windows adds; every line begins in ASCII."""
    for line in re.split(rb"(?<=\n)", content):
        for piece in _SHIFT.finditer(line):
            kind, body = piece[1], piece[2] or b""
            if kind is None:
                yield piece[0].decode("ascii", "replace").replace("\x1b", "")
            elif kind in (b"(B", b"(J"):
                yield body.decode("ascii", "replace")
            elif kind == b"(I":
                yield bytes(byte | 0x80 for byte in body).decode("cp932", "replace")
            else:
                pairs = body.rstrip(b"\r\n")
                decoded = _jis(pairs) if kind != b"$(D" else (b"\x1b$(D" + pairs).decode("iso2022_jp_1", "replace")
                yield decoded + body[len(pairs) :].decode("ascii")


def _jis(pairs: bytes) -> str:
    """Double-byte characters of JIS X 0208 in seven bits, by way of Shift_JIS, which Windows extends."""
    shifted = bytearray()
    for first, second in zip(pairs[::2], pairs[1::2], strict=False):
        lead = (first - 0x21) // 2 + 0x81
        shifted.append((lead + 0x40 if lead > 0x9F else lead) & 0xFF)
        shifted.append((second + 0x1F + (second >= 0x60) if first % 2 else second + 0x7E) & 0xFF)
    return shifted.decode("cp932", "replace") + BAD * (len(pairs) % 2)


def _seven_bit(content: bytes) -> str | None:
    """The encoding of seven bits that content without a declaration clearly is in."""
    if b"\x1b" in content:
        if _ISO_2022_JP.search(content):
            return "iso2022_jp"
        if _ISO_2022_KR.search(content):
            return "iso2022_kr"
    return "utf-7" if content.isascii() and _is_utf_7(content[:SAMPLE_BYTES]) else None


def _is_utf_7(sample: bytes) -> bool:
    """Whether every plus sign begins encoded letters or is encoded itself, and there are some of the first."""
    found = 0
    for stretch in _UTF_7.finditer(sample):
        if not stretch[1]:
            if not stretch[2]:
                return False
            continue
        try:
            text = (stretch[0] if stretch[2] else stretch[0] + b"-").decode("utf-7")
        except UnicodeDecodeError:
            return False
        if text.isascii() or not all(unicodedata.category(character)[0] in "LMNPS" for character in text):
            return False
        found += 1
    return found >= UTF_7_LEAST


def _wide(content: bytes, meant: str | None) -> str | None:
    """The encoding of two or four bytes a character that content without a mark is in."""
    sample = content[:SAMPLE_BYTES]
    if b"\0" not in sample and (meant not in _WIDE or sample.isascii()):
        return None
    if meant in _WIDE and _is_plain(sample, meant):
        return meant
    if b"\0" not in sample:
        return None
    if not any(sample[3::4]) and _is_plain(sample, "utf-32-le"):
        return "utf-32-le"
    if not any(sample[::4]) and _is_plain(sample, "utf-32-be"):
        return "utf-32-be"
    # Letters of one script share their high byte.
    low, high = len(set(sample[::2])), len(set(sample[1::2]))
    encoding = "utf-16-le" if high < low else "utf-16-be"
    return encoding if low != high and _is_plain(sample, encoding) else None


def _is_plain(sample: bytes, encoding: str) -> bool:
    """Whether the sample is characters that texts are made of, and enough of them."""
    width = 4 if "32" in encoding else 2
    try:
        text = sample[: len(sample) // width * width].decode(encoding)
    except UnicodeDecodeError as error:
        # A sample may end between the two halves of a character.
        if error.start < len(sample) - 4:
            return False
        text = sample[: error.start].decode(encoding, "replace")
    kinds = {unicodedata.category(character) for character in set(text) - {"\t", "\n", "\r", "\f", "\ufeff"}}
    return len(text) >= WIDE_LEAST and not kinds & {"Cc", "Cn", "Co", "Cs"}


def _sample(content: bytes) -> bytes:
    """Whole lines, if there are lines: a sample that is cut within a character counts against the right encoding."""
    beyond_ascii = re.search(rb"[\x80-\xff]", content)
    start = max(0, (beyond_ascii.start() if beyond_ascii else 0) - SAMPLE_BYTES // 2)
    end = start + SAMPLE_BYTES
    first = content.find(b"\n", start, end) + 1 if start else 0
    last = content.rfind(b"\n", start, end) if end < len(content) else -1
    return content[first or start : last if last > first else end]


def _detected(sample: bytes) -> str | None:
    """The encoding if one is clearly best: by the letters of the language (encoding.py), else by charset-normalizer.

    Western and Central European code pages often tie, as they differ in a few letters; then Windows-1252 is
    taken, by far the most common (the HTML standard's default).
    """
    if (found := encoding_of_letters(sample)) is not None:
        return encoding_of(found)

    from charset_normalizer import from_bytes

    matches = from_bytes(sample)
    best = matches.best()
    if best is None or best.chaos > CHAOS:
        return None
    encoding = encoding_of(best.encoding)
    if encoding in _MULTI_BYTE:
        return encoding if sum(byte > 127 for byte in sample) >= MULTI_BYTE_LEAST else None
    if best.coherence < COHERENCE:
        return None
    tied = [match for match in matches if match.chaos <= best.chaos and match.coherence >= best.coherence]
    if any("cp1252" in (match.encoding, *match.could_be_from_charset) for match in tied):
        encoding = "cp1252"
    elif len(tied) > 1:
        return None
    return encoding if encoding not in LATIN or latin_share(sample, encoding) >= LATIN_SHARE else None


def _checked(text: str) -> str:
    sample = text[: SAMPLE_BYTES * 4]
    if len(_CONTROLS.findall(sample)) > CONTROL_SHARE * len(sample):
        raise ReadError("this is binary, not text (it is full of control characters); convert it to text first")
    return text
