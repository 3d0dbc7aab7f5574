"""Placing: the pages or sections of a file → where they begin in its text, which was tidied after it was made of them.

Tidying takes out or puts in what stands between words and within them (spaces, line ends, hyphens), but no letter and
no digit. So the first letter of a piece is found by how many letters stand before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from index.place import NAME_CHARS, Place

if TYPE_CHECKING:
    from collections.abc import Iterable


def placed(pieces: Iterable[tuple[str, str, int | None]], text: str) -> tuple[Place, ...]:
    """The places of a `text` that was made of `pieces` in this order: (words, name of the place, page of the file).

    Empty if the letters of the text are not those of the pieces.
    """
    found: list[tuple[int, str, int | None]] = []
    letters = 0
    before: tuple[str, int | None] = "", None
    for words, name, page in pieces:
        here = sum(map(str.isalnum, words))
        if here and (name, page) != before and (name or found):
            found.append((letters, name, page))
            before = name, page
        letters += here
    offsets = [offset for offset, letter in enumerate(text) if letter.isalnum()]
    if len(offsets) != letters:
        return ()
    # What stands before the first letter, such as a quotation mark, belongs to it.
    return tuple(
        Place(0 if number == 0 else _begin(text, offsets[number]), name[:NAME_CHARS], page)
        for number, name, page in found
    )


def _begin(text: str, offset: int) -> int:
    """The start of the word, with its quotation mark or bracket, whose first letter is at `offset`."""
    while offset and not text[offset - 1].isspace() and not text[offset - 1].isalnum() and text[offset - 1] not in "-‐":
        offset -= 1
    return offset
