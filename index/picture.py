"""Picture: a page of a PDF as an image, with where the words of a quote are on it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on a page, in shares of its width and height from its left upper corner."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Picture:
    """A page of a file of `pages` pages, `width` × `height` pixels large.

    `page` counts from 1, `label` is the number that is printed on it as far as the file says so. `boxes` are the words
    of the quote, line by line; without any, `missing` says why they are not marked.
    """

    page: int
    label: str
    pages: int
    width: int
    height: int
    png: bytes
    boxes: tuple[Box, ...] = ()
    missing: str = ""
