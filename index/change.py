"""Change: what one generation of the index changes. `Store.publish` applies it as a whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from index.article import Article
    from index.edit import Edit
    from index.passage import Passage
    from index.place import Place


@dataclass(slots=True)
class Put:
    """An article to add or replace, with the file or address it came from (None when handed in by the caller).

    `keys` are those of index.duplicate. `copy_of` is the id of its original, which then has its passages;
    `superseded_by` that of a newer version of the same document. index.original.settle sets them.
    """

    article: Article
    origin: str | None
    keys: tuple[bytes, ...]
    copy_of: str | None = None
    passages: tuple[Passage, ...] = ()
    superseded_by: str | None = None


@dataclass(slots=True)
class Change:
    """Everything one generation changes; `Store.publish` applies it as a whole.

    `put` replaces or adds articles. `drop` holds article ids. `origins` are fingerprints of what was read, `feeds`
    says which of them came by which feed, `left_out` what was not read of a file. `superseded` says of articles that
    stay as they are otherwise which newer version there is, if any. `rules` is index.original.RULES when all articles
    were settled anew. `edits` and `tags` are those that articles have from now on, all of each, by article id; those
    of other articles stay. `places` are those of articles that are otherwise as they were. `read_at` says when
    remembered sources were read, in UTC.
    """

    put: list[Put] = field(default_factory=list)
    drop: set[str] = field(default_factory=set)
    superseded: dict[str, str | None] = field(default_factory=dict)
    rules: int | None = None
    origins: dict[str, str] = field(default_factory=dict)
    feeds: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, tuple[str, ...]] = field(default_factory=dict)
    forget_origins: set[str] = field(default_factory=set)
    exclude_origins: set[str] = field(default_factory=set)
    roots: list[str] = field(default_factory=list)
    forget_roots: set[str] = field(default_factory=set)
    edits: dict[str, tuple[Edit, ...]] = field(default_factory=dict)
    tags: dict[str, tuple[str, ...]] = field(default_factory=dict)
    places: dict[str, tuple[Place, ...]] = field(default_factory=dict)
    read_at: dict[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether searches would see a difference. Tags only choose among what is searched, places are
        shown beside it, and an edit that searches see is an article that is put again."""
        return bool(self.put or self.drop or self.superseded)
