"""Listed: an article as `citewire index list` shows it, with how it is searched."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from index.article import Article
    from index.edit import Edit


@dataclass(frozen=True, slots=True)
class Listed:
    """An article of the index: how many passages of it are searched, and the article it is a copy of, if it is one.

    A copy has no passages of its own; its original is searched in its place. `superseded_by` is a newer version of the
    same document, if there is one. `left_out` says what was not read of the file that it comes from, and why; `edits`
    what the user edited of it.
    """

    article: Article
    passages: int
    copy_of: Article | None = None
    superseded_by: Article | None = None
    left_out: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    edits: tuple[Edit, ...] = ()

    @property
    def state(self) -> str:
        """How it is searched: "searched", "superseded by" its newest version, or "copy of" its original."""
        if self.copy_of is not None:
            return f"copy of {self.copy_of.headline}"
        newer = self.superseded_by
        if newer is None:
            return "searched"
        # Its headline may be the same; its date, or else its id, is not.
        return f"superseded by {newer.headline} ({newer.updated or newer.published or newer.id})"

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready mapping: what is known of the article but its text, and how it is searched."""
        known = {name: value for name, value in asdict(self.article).items() if name not in ("text", "places")}
        original = None if self.copy_of is None else self.copy_of.id
        newer = None if self.superseded_by is None else self.superseded_by.id
        return {
            **known, "headline": self.article.headline, "passages": self.passages, "state": self.state,
            "copy_of": original, "superseded_by": newer,
            "left_out": list(self.left_out), "tags": list(self.tags),
            "edited": {edit.field: edit.read for edit in self.edits},
        }  # fmt: skip
