"""Raised: what a superscript is read as, so that no footnote mark runs into the word or the number before it.

A mark of a footnote is left out ("in 2009¹." is read "in 2009."), an exponent stays raised ("10⁶", "m²"), letters join
the number that they belong to ("5th"). What cannot be told apart stays raised, which runs into nothing either.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MARK_CHARS = 12
"""Longer superscripts are no marks but text that somebody set small."""
BEFORE_CHARS = 40
"""How much of the text before a superscript is looked at: a long word, or a number."""

BEFORE_PIECES = 100
"""How many pieces that text may be in."""

_RAISED = str.maketrans("0123456789+-−–()n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁻⁽⁾ⁿ")
_NUMBERS = re.compile(r"\d{1,3}(?:\s?[,;–-]\s?\d{1,3})*,?")
_EXPONENT = re.compile(r"[+−–-]?\d{1,3}|[+−–-]?n(?:[+−–-]\d)?|\d?[+−–-]")
_SYMBOLS = re.compile(r"(?:[*†‡§¶#↑↩↵^︎,;–-]|[\[(]+[^\[\]()]{1,30}[\])]+)+")
_ORDINAL = re.compile(r"(?:st|nd|rd|th|e|er|re|ère|ème|d|nde?|o|a|os|as|°|º|ª)", re.IGNORECASE)
_BRACKETED = re.compile(r"\[\d{1,3}\]")
_RAISED_STYLE = re.compile(r"vertical-align\s*:\s*super", re.IGNORECASE)
_RAISED_CLASS = re.compile(r"(?:^|\s)(?:sup|superscript)(?:\s|$)", re.IGNORECASE)
_SIGNS = {"tm": "™", "sm": "℠", "r": "®", "(r)": "®"}
_NOTE_LINK = re.compile(r"(?:note|fn|ref)?\s*(?:\d{1,3}|[a-z]{1,2}|[ivxl]{1,5}|[*†‡§¶]+)\.?", re.IGNORECASE)
_LENGTHS = re.compile(
    r"(?:(?:kilo|centi|milli|deci)?met(?:er|re)s?|miles?|yards?|foot|feet|inch(?:es)?|parsecs?|second|sec)",
    re.IGNORECASE,
)
"""Units of more than three letters that are squared and cubed."""


def read_as(mark: str, *, before: str, after: str = "", is_link: bool = False) -> str:
    """What stands for a superscript in the text; empty for the mark of a footnote.

    `before` and `after` are the text around it, `is_link` says that it leads to a note.
    """
    mark, before = " ".join(mark.split()), before[-BEFORE_CHARS:]
    touching = before[-1:] if before[-1:].strip() else ""
    if not mark:
        return ""
    if is_link and (_NOTE_LINK.fullmatch(mark) or _NUMBERS.fullmatch(mark)):
        return ""
    if mark.casefold() in _SIGNS and touching:
        return _SIGNS[mark.casefold()]
    if _SYMBOLS.fullmatch(mark) and not _EXPONENT.fullmatch(mark):
        return ""
    if len(mark) > MARK_CHARS or " " in mark:
        return f"{' ' if touching else ''}{mark}{' ' if after[:1].isalnum() else ''}"
    if after[:1] in ("/", "⁄"):
        return mark.translate(_RAISED) if touching else mark  # a fraction
    if not touching:
        # Mass numbers stand before their element; a note begins with its own number.
        if re.fullmatch(r"\d{1,3}", mark) and after[:1].isalpha():
            return mark.translate(_RAISED)
        return "" if _NUMBERS.fullmatch(mark) and before.strip() else mark
    if re.fullmatch(r"\d\d", mark) and re.search(r"[$€£]\s?\d+$", before):
        return f".{mark}"  # cents
    if _NUMBERS.fullmatch(mark) or _EXPONENT.fullmatch(mark):
        return "" if _is_footnote(mark, before) else mark.translate(_RAISED)
    if len(mark) == 1 and mark.isalpha():
        return _letter(mark, before)
    return mark


def joined(pieces: Iterable[tuple[str, bool]]) -> str:
    """The text of (text, whether it is raised), each superscript as what it is read as."""
    whole: list[tuple[str, bool]] = []
    for text, is_raised in pieces:
        if is_raised and whole and whole[-1][1]:
            whole[-1] = (whole[-1][0] + text, True)
        elif text:
            whole.append((text, is_raised))
    out = ""
    for place, (text, is_raised) in enumerate(whole):
        after = whole[place + 1][0] if place + 1 < len(whole) else ""
        out += read_as(text, before=out, after=after) if is_raised else text
    return out


def _is_footnote(mark: str, before: str) -> bool:
    """Whether these figures are the mark of a footnote and not an exponent."""
    if not _EXPONENT.fullmatch(mark):
        return True  # several, or more than an exponent has
    if not mark[0].isdigit() or mark[-1] in "+−–-" or "n" in mark:
        return False  # "10⁻³", "Ca²⁺", "2ⁿ"
    number = re.search(r"[\d.,]*\d$", before)
    if number:
        # A power has a short base, and what it is counted in does not stand before it ("$4²").
        is_amount = before[: number.start()].rstrip()[-1:] in tuple("$€£¥")
        return is_amount or not re.fullmatch(r"\d{1,2}", number[0])
    word = re.search(r"[^\W\d_]+$", before)
    if word:
        return len(word[0]) > 3 and not _LENGTHS.fullmatch(word[0])
    return before[-1] not in ")]|"


def _letter(mark: str, before: str) -> str:
    """A raised letter is an ordinal after a short number, an exponent after a variable, else the mark of a note."""
    if re.search(r"(?<!\d)\d{1,3}$", before) and _ORDINAL.fullmatch(mark):
        return mark
    if mark in "oºª" and re.search(r"(?<!\w)[nN]$", before):
        return mark  # "nº"
    if re.search(r"(?<!\w)\w$", before):
        return mark.translate(_RAISED) if mark == "n" else f"^{mark}"
    word = re.search(r"[^\W\d_]+$", before)
    return mark if word and len(word[0]) <= 3 else ""


def settle(tree: Any) -> None:
    """Replace the superscripts of a page's tree by what they are read as, and take the readings of ruby out."""
    from lxml import etree

    for element in list(tree.iter("rt", "rp", "rtc")):
        _replace(element, "")
    etree.strip_tags(tree, "ruby", "rb")
    for element in tree.iter("span", "font", "small", "i", "em"):
        if _RAISED_STYLE.search(element.get("style") or "") or _RAISED_CLASS.search(element.get("class") or ""):
            element.tag = "sup"
    for element in list(tree.iter("a")):
        if _is_note_link(element) and not _within_sup(element):
            mark = _text(element)
            is_bare_number = element.find(".//sup") is None and bool(_NUMBERS.fullmatch(mark))
            # A number after a row of dots is that of a page, in a table of contents.
            is_within_page = (element.get("href") or "").startswith("#")
            touches = is_within_page and bool(re.search(r"(?<!\.)\S$", _before(element)))
            is_bracketed = is_within_page and bool(_BRACKETED.fullmatch(mark))
            is_mark = _is_mark_by_name(element) or is_bracketed or (is_bare_number and touches)
            if is_mark or not any(map(str.isalnum, mark)):
                _replace(element, "")
    for element in list(tree.iter("sup")):
        if element.getparent() is None:
            continue
        links = [*element.iter("a"), *(one for one in element.iterancestors("a"))]
        is_link = bool(links) or _is_mark_by_name(element)
        text = _text(element)
        _replace(element, read_as(text, before=_before(element), after=_after(element), is_link=is_link))
    # Extractors of articles take empty elements out one by one, in quadratic time.
    etree.strip_tags(tree, _READ)


def _is_note_link(element: Any) -> bool:
    return "#" in (element.get("href") or "") or _is_mark_by_name(element)


def _is_mark_by_name(element: Any) -> bool:
    """Whether the markup calls it the mark of a note, or the link back from it (EPUB, DPub-ARIA, Pandoc, WordPress)."""
    return bool(_MARK_NAMES.search(" ".join(element.get(name) or "" for name in ("role", "epub:type", "class"))))


def _within_sup(element: Any) -> bool:
    return next(element.iterancestors("sup"), None) is not None


def _text(element: Any) -> str:
    return "".join(element.itertext()).strip()


def _before(element: Any) -> str:
    """The end of the text right before an element, within its block."""
    found = ""
    for piece in itertools.islice(_backwards(element), BEFORE_PIECES):
        found = piece[-BEFORE_CHARS:] + found
        if len(found) >= BEFORE_CHARS:
            break
    return found[-BEFORE_CHARS:]


_MARK_NAMES = re.compile(r"\b(?:noteref|backlink|footnote-?(?:ref|back)|fn-?ref)", re.IGNORECASE)
_READ = "read"
"""The tag, for a while, of an element in whose place stands what it is read as."""
_INLINE = frozenset(
    (_READ, *"a abbr b bdi bdo big cite code del dfn em font i ins kbd mark q s small span strong sub sup u".split())
)


def _backwards(element: Any) -> Iterator[str]:
    while True:
        before = element.getprevious()
        if before is None:
            parent = element.getparent()
            if parent is None:
                return
            yield parent.text or ""
            if parent.tag not in _INLINE:
                return
            element = parent
            continue
        yield before.tail or ""
        if before.tag not in _INLINE:
            return
        yield from _text_backwards(before)
        element = before


def _text_backwards(element: Any) -> Iterator[str]:
    for child in reversed(element):
        yield child.tail or ""
        yield from _text_backwards(child)
    yield element.text or ""


def _after(element: Any) -> str:
    """The first text right after an element, within its block."""
    while True:
        if element.tail:
            return str(element.tail)
        following = element.getnext()
        if following is not None:
            return next(filter(None, following.itertext()), "") if following.tag in _INLINE else ""
        element = element.getparent()
        if element is None or element.tag not in _INLINE:
            return ""


def _replace(element: Any, text: str) -> None:
    """Put `text` in the place of what an element holds, and part words that it kept apart."""
    parent, tail = element.getparent(), element.tail or ""
    if parent is None:
        return
    is_reading = element.tag in ("rt", "rp", "rtc")
    if not text and tail[:1].isalnum() and not is_reading and _before(element)[-1:].isalnum():
        text = " "
    if not text and tail[:1] in tuple(".,;:!?"):
        # Without the space that parted the mark from its word: "2009 ¹." is "2009.".
        previous = element.getprevious()
        if previous is None:
            parent.text = (parent.text or "").rstrip(" ") or parent.text
        else:
            previous.tail = (previous.tail or "").rstrip(" ") or previous.tail
    # It stays as an element until all are read: joining the texts around thousands of marks would take minutes.
    element.clear()
    element.tag, element.text, element.tail = _READ, text or None, tail
