"""Precedence: of the passages a search found, those of newer versions come before what they supersede.

A passage of an older version is superseded by the passages of newer ones that hold the new wording of its sentence
nearest to the query. Where a newer version does not speak of that any more, the older one keeps its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from index import ranking
from index.original import versions_of
from index.version import counterparts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from index.article import Article
    from index.ranking import Found, Ranked
    from index.store import Generation

MOST_NEWER = 8
"""Newer versions of an article that are looked at, the newest of them."""

_Item = TypeVar("_Item")


def newer_versions(generation: Generation, article_ids: set[str]) -> dict[str, tuple[Article, ...]]:
    """Of those of these articles that are superseded, the newer versions, the newest first."""
    found: dict[str, tuple[Article, ...]] = {}
    stored = generation.versions(article_ids)
    for name in article_ids:
        if stored.get(name) is not None:
            versions = versions_of(generation, name)
            found[name] = versions[: [one.id for one in versions].index(name)][:MOST_NEWER]
    return found


def with_newer(
    generation: Generation, wordings: Sequence[NDArray[np.float32]], found: Found, ranked: Sequence[Ranked], k: int
) -> tuple[list[Ranked], dict[int, list[int]], dict[str, tuple[Article, ...]]]:
    """The ranked passages and those that supersede any of the first `k`; which passages come before which, by id; and
    the newer versions of the articles that are found so."""
    first = ranked[:k]
    newer = newer_versions(generation, {one.passage.article_id for one in first})
    before: dict[int, list[int]] = {}
    for one in first:
        for version in newer.get(one.passage.article_id, ()):
            before.setdefault(one.passage.id, []).extend(_holding(generation, one, version))
    known = {one.passage.id for one in ranked}
    missing = {name for names in before.values() for name in names} - known
    if found.among is not None:
        missing &= found.among
    added = ranking.scored(generation, wordings, found, generation.passages(missing)) if missing else []
    for versions in list(newer.values()):
        for at, version in enumerate(versions):
            newer.setdefault(version.id, versions[:at])
    return [*ranked, *added], before, newer


def ordered(
    items: Sequence[_Item], name: Callable[[_Item], object], before: Mapping[Any, Sequence[Any]]
) -> list[_Item]:
    """The items in their order, but each after those of them that come `before` it."""
    by_name = {name(item): item for item in items}
    placed: dict[object, _Item] = {}
    for item in items:
        for other in (*before.get(name(item), ()), name(item)):
            if other in by_name:
                placed.setdefault(other, by_name[other])
    return list(placed.values())


def _holding(generation: Generation, one: Ranked, version: Article) -> list[int]:
    """Ids of the passages of a newer version that hold the new wording of the sentence nearest to the query."""
    older = generation.article(one.passage.article_id)
    if older is None:
        return []
    pairs = counterparts(older.text, version.text)
    wording = next((pair.newer for pair in pairs if pair.older == one.nearest), None)
    if wording is None:
        return []
    return [
        passage.id
        for passage in generation.passages(generation.passage_ids(version.id))
        if passage.start <= wording.start < passage.end
    ]
