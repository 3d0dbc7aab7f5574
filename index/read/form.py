"""Form: the fields of a page of a PDF that are filled in → "label: value", with what was typed onto the page.

Both are annotations that lie over the page, and no part of its text. A label is what the field says to screen readers,
or what is printed before or above it, or its name in the file. Passwords, signatures and hidden fields are not read.
"""

from __future__ import annotations

import ctypes
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from index.read.layout import Line

VALUE_UNITS = 65_536
"""The longest value, in units of UTF-16."""
ABOVE_EM = 1.6
"""A label above a field is no further from it than this, in heights of its line."""
_HIDDEN = 2 | 32
"""Flags of an annotation that is not shown."""
_ON = frozenset(("yes", "on", "1", "true"))
"""What files call a box that is ticked, whatever the form calls it."""


def init(document: Any) -> None:
    """Make the fields of a document readable, if it has any, before its pages are loaded."""
    from pypdfium2 import raw

    if document.get_formtype() != raw.FORMTYPE_NONE:
        document.init_forms()


def is_dynamic(document: Any) -> bool:
    """Whether the pages are made by the program that shows them (XFA): the file has neither its text nor its fields."""
    from pypdfium2 import raw

    return bool(document.get_formtype() == raw.FORMTYPE_XFA_FULL)


def entries(page: Any, pieces: Sequence[Line], document: Any) -> Iterator[str]:
    """A line for each field that is filled in and each text that was typed onto the page, in the order of the file.
    `pieces` are the printed lines of the page."""
    from pypdfium2 import raw

    seen: set[str] = set()
    for number in range(raw.FPDFPage_GetAnnotCount(page)):
        annotation = raw.FPDFPage_GetAnnot(page, number)
        if not annotation:
            continue
        try:
            if raw.FPDFAnnot_GetFlags(annotation) & _HIDDEN:
                continue
            kind = raw.FPDFAnnot_GetSubtype(annotation)
            if kind == raw.FPDF_ANNOT_FREETEXT:
                line = _string(raw.FPDFAnnot_GetStringValue, annotation, b"Contents")
            elif kind == raw.FPDF_ANNOT_WIDGET and document.formenv is not None:
                line = _entry(annotation, document.formenv, pieces)
            else:
                continue
        finally:
            raw.FPDFPage_CloseAnnot(annotation)
        line = " ".join(line.split())
        if line and line not in seen:
            seen.add(line)
            yield line


def _entry(field: Any, form: Any, pieces: Sequence[Line]) -> str:
    """A field as "label: value"; "" if it is not filled in, or not to be read."""
    from pypdfium2 import raw

    kind = raw.FPDFAnnot_GetFormFieldType(form, field)
    if kind in (raw.FPDF_FORMFIELD_UNKNOWN, raw.FPDF_FORMFIELD_PUSHBUTTON, raw.FPDF_FORMFIELD_SIGNATURE):
        return ""
    value = _string(raw.FPDFAnnot_GetFormFieldValue, form, field)
    if kind in (raw.FPDF_FORMFIELD_CHECKBOX, raw.FPDF_FORMFIELD_RADIOBUTTON):
        if not raw.FPDFAnnot_IsChecked(form, field):
            return ""
        value = _string(raw.FPDFAnnot_GetFormFieldExportValue, form, field) or value
        value = "yes" if value.casefold() in _ON else value
    elif kind in (raw.FPDF_FORMFIELD_COMBOBOX, raw.FPDF_FORMFIELD_LISTBOX):
        chosen = [
            _string(raw.FPDFAnnot_GetOptionLabel, form, field, number)
            for number in range(raw.FPDFAnnot_GetOptionCount(form, field))
            if raw.FPDFAnnot_IsOptionSelected(form, field, number)
        ]
        value = ", ".join(filter(None, chosen)) or value
    is_password = raw.FPDFAnnot_GetFormFieldFlags(form, field) & raw.FPDF_FORMFLAG_TEXT_PASSWORD
    if not value.strip() or (kind == raw.FPDF_FORMFIELD_TEXTFIELD and is_password):
        return ""
    label = _string(raw.FPDFAnnot_GetFormFieldAlternateName, form, field)
    if not label.strip() and kind != raw.FPDF_FORMFIELD_RADIOBUTTON:  # before a button another one's label may stand
        label = _printed(field, pieces)
    if not label.strip():
        name = _string(raw.FPDFAnnot_GetFormFieldName, form, field)
        label = re.sub(r"\[\d+\]$", "", name.rpartition(".")[2]).replace("_", " ")
    return ": ".join(filter(None, (label.strip().rstrip(": …._"), value)))


def _printed(field: Any, pieces: Sequence[Line]) -> str:
    """What is printed beside a field: before it on its line, else right above it."""
    from pypdfium2 import raw

    box = raw.FS_RECTF()
    raw.FPDFAnnot_GetRect(field, ctypes.byref(box))
    before = [piece for piece in pieces if box.bottom - 1 <= piece.base < box.top and piece.left < box.left]
    if before:
        return max(before, key=lambda piece: piece.right).text
    above = [
        piece
        for piece in pieces
        if 0 <= piece.base - box.top < ABOVE_EM * piece.size and piece.left < box.right and piece.right > box.left
    ]
    return min(above, key=lambda piece: piece.base).text if above else ""


def _string(function: Any, *arguments: Any) -> str:
    """What a function of PDFium writes as UTF-16."""
    units = min(function(*arguments, None, 0) // 2, VALUE_UNITS)
    buffer = (ctypes.c_ushort * max(units, 1))()
    function(*arguments, buffer, 2 * units)
    return bytes(buffer).decode("utf-16-le", "replace").split("\0")[0]
