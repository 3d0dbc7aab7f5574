"""Mbox → Drafts: many mails in one file, each an article (index/read/eml.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from index.read import eml

if TYPE_CHECKING:
    from index.errors import ReadError
    from index.read.draft import Draft


def parse(content: bytes) -> tuple[Draft | ReadError, ...]:
    """A draft of each mail, with an id that no other has; and what is left out. A bad mail costs only itself."""
    return eml.read_each(eml.split(content))
