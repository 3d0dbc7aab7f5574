"""Cited articles → BibTeX, in UTF-8. Pure.

In a field, TeX obeys ten characters, and a brace of the text would end the field: each is written as the command for
it. Addresses are written as they are, for they are read verbatim, but for braces and backslashes, which are encoded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ui.export.works import Name, Work

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
"""The names that every style of BibTeX knows; they are written without braces."""
_KINDS = {"newspaper": "article", "web page": "misc", "document": "misc"}
_TEX = str.maketrans(
    {
        "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_", "%": r"\%",
        "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    }
)  # fmt: skip
_BRACES = str.maketrans({"{": r"\textbraceleft{}", "}": r"\textbraceright{}"})
"""Of a text whose braces do not pair: BibTeX counts them, also after a backslash."""
_ADDRESS = str.maketrans({"{": "%7B", "}": "%7D", "\\": "%5C"})


def render(works: Iterable[Work]) -> str:
    """An entry for each article."""
    return "\n".join(map(_entry, works))


def _entry(work: Work) -> str:
    fields = {
        "author": _braced(" and ".join(map(_name, work.authors))),
        "title": _braced(escape(work.title)),
        "journal": _braced(escape(work.outlet)),
        "year": _braced(f"{work.date[0]:04}") if work.date else "",
        "month": MONTHS[work.date[1] - 1] if len(work.date) > 1 else "",
        "day": _braced(str(work.date[2])) if len(work.date) > 2 else "",
        "pages": _braced(escape(", ".join(work.pages)).replace("–", "--")),
        "url": _braced(work.url.translate(_ADDRESS)),
        "language": _braced(escape(work.language)),
    }
    written = "".join(f"  {name} = {value},\n" for name, value in fields.items() if value)
    return f"@{_KINDS[work.kind]}{{{work.key},\n{written}}}\n"


def escape(text: str) -> str:
    """`text` as TeX prints it."""
    if _pairs(text):
        return text.translate(_TEX)
    return "".join(
        character.translate(_BRACES) if character in "{}" else character.translate(_TEX) for character in text
    )


def _pairs(text: str) -> bool:
    """Whether every brace of the text has its other one."""
    depth = 0
    for character in text:
        depth += (character == "{") - (character == "}")
        if depth < 0:
            return False
    return depth == 0


def _braced(text: str) -> str:
    return f"{{{text}}}" if text else ""


def _name(name: Name) -> str:
    """Family name, given name; in braces of its own where the name is one, so that no word in it is obeyed."""
    return f"{escape(name.family)}, {escape(name.given)}" if name.given else f"{{{escape(name.family)}}}"
