"""Original: which articles are searched. Copies point at the text they repeat, older versions at the newest one.

Every article is either an original, which has passages, or a copy of one original: never a copy of a copy. Of two
texts of which one says all that the other says, the longer is the original; of two that say the same, the one that
was there first. When an original goes or says something else, its copies find another, in the same generation.

Originals that are states of one document (index/version.py) are a group: all are searched, and all but the newest
name the newest as what supersedes them. When that goes, the next newest takes its place, in the same generation.
"""

from __future__ import annotations

from collections import defaultdict, deque
from typing import TYPE_CHECKING

from index.duplicate import Story
from index.passage import passages
from index.version import Document, are_versions, newest_first

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from index.article import Article
    from index.change import Change, Put
    from index.store import Generation

RULES = 2
"""Number of the rules for keys, copies and versions. An index that was settled by other rules is settled anew, whole,
by the next run that writes."""
COMPARED = 16
"""Articles compared with a new one, those first that share its rarest keys: a bound for thousands made from one
template."""
CROWDED = 64
"""Originals looked at for one key. What more than these share is a template, and says little."""
REMEMBERED = 512
"""Articles of the index kept in memory while a change is settled, to be compared again."""


def settle(generation: Generation, change: Change) -> None:
    """Decide for every article that `change` puts whether it is an original, and give the originals their passages.

    Copies whose original the change drops or replaces, and originals that are copies of what it puts, are added to
    what it puts. Older and newer versions among what stays are noted in `change.superseded`.
    """
    if generation.rules != RULES:
        known = change.drop | {one.article.id for one in change.put}
        anew = [one for one in generation.puts() if one.article.id not in known]
        change.rules = RULES
    else:
        anew = []
    _Settlement(generation, change).run(anew)


def versions_of(generation: Generation, original: str) -> tuple[Article, ...]:
    """The versions of the document that an original is a state of, the newest first, itself among them."""
    names = [*generation.versions([original])] or [original]
    found = [document for document in (_stored(generation, name) for name in names) if document is not None]
    return tuple(document.article for document in newest_first(found))


def _stored(generation: Generation, name: str) -> Document | None:
    """An article of the index, if there is one with this id."""
    article = generation.article(name)
    if article is None:
        return None
    return Document(article, generation.origin_of(name), generation.places([name])[name])


class _Settlement:
    """The originals of the next generation, as far as they are known."""

    def __init__(self, generation: Generation, change: Change) -> None:
        self._generation = generation
        self._change = change
        self._puts: dict[str, Put] = {}
        self._before: dict[str, tuple[tuple[bytes, ...], str | None, str | None]] = {}
        self._places: dict[str, int] = {}
        self._leaving = set(change.drop)
        self._waiting: deque[Put] = deque()
        self._originals: dict[str, Document] = {}
        self._copies: defaultdict[str, set[str]] = defaultdict(set)
        self._by_key: defaultdict[bytes, list[str]] = defaultdict(list)
        self._links: list[tuple[str, str]] = []
        self._stored: dict[str, Document] = {}

    def run(self, anew: Sequence[Put]) -> None:
        """See `settle`; `anew` are articles of the index whose keys are others."""
        self._take(self._change.put)
        self._take_again(anew)
        for one in anew:
            one.keys = Story(one.article.text).keys()
        self._take_again(self._generation.copies_put(self._leaving))
        self._waiting = deque(sorted(self._waiting, key=lambda one: self._places[one.article.id]))
        while self._waiting:
            self._settle(self._waiting.popleft())
        self._order_versions()
        changed = [one for one in self._puts.values() if not self._is_as_before(one)]
        self._change.put = sorted(changed, key=lambda one: self._places[one.article.id])
        for one in self._change.put:
            one.passages = passages(one.article.text) if one.copy_of is None else ()

    def _take_again(self, puts: Sequence[Put]) -> None:
        """Settle articles of the index anew, which need not be put if nothing becomes another."""
        for one in puts:
            if one.article.id not in self._puts:
                self._before[one.article.id] = (one.keys, one.copy_of, one.superseded_by)
        self._take(puts)

    def _is_as_before(self, put: Put) -> bool:
        """Whether an article of the index need not be put again; what supersedes it is noted if that is another."""
        keys, copy_of, superseded_by = self._before.get(put.article.id, ((), None, None))
        if not keys or (put.keys, put.copy_of) != (keys, copy_of):
            return False
        if put.superseded_by != superseded_by:
            self._change.superseded[put.article.id] = put.superseded_by
        return True

    def _take(self, puts: Iterable[Put]) -> None:
        """Settle these anew, unless they are dropped or waiting anyway."""
        new = [one for one in puts if one.article.id not in self._puts and one.article.id not in self._change.drop]
        places = self._generation.places([one.article.id for one in new])
        for one in new:
            name = one.article.id
            # Whatever is new comes last, in the order it was handed in.
            self._places[name] = places.get(name, 2**62 + len(self._puts))
            self._puts[name] = one
            self._leaving.add(name)
            self._waiting.append(one)

    def _settle(self, put: Put) -> None:
        """Make `put` a copy or an original. What repeats it becomes its copy, what is another state of it is linked."""
        name = put.article.id
        document = Document(put.article, put.origin, self._places[name])
        others = self._candidates(put)
        originals = [other for other in others if document.story.is_copy_of(other.story)]
        if originals:
            # The least that it is a part of: of two versions of a document, the one it repeats.
            original = min(originals, key=lambda other: (len(other.story.tokens), other.place)).article.id
            put.copy_of = original
            self._copies[original].add(name)
            return
        put.copy_of = None
        self._originals[name] = document
        for key in put.keys:
            if len(self._by_key[key]) < CROWDED:
                self._by_key[key].append(name)
        for other in others:
            if other.story.is_copy_of(document.story):
                self._demote(other.article.id)
            elif are_versions(document, other):
                self._links.append((name, other.article.id))

    def _demote(self, name: str) -> None:
        """Settle an original anew that was found to be a copy, and all its copies."""
        if self._originals.pop(name, None) is not None:
            copies = [self._puts[copy] for copy in self._copies.pop(name, ())]
            self._waiting.extend([self._puts[name], *copies])
        else:
            self._take_again([*self._generation.puts([name]), *self._generation.copies_put([name])])

    def _candidates(self, put: Put) -> list[Document]:
        """The originals that share most with `put`, as far as they are known."""
        weights: defaultdict[str, float] = defaultdict(float)
        for key, stored in self._generation.sharing(put.keys, leaving=self._leaving, k=CROWDED).items():
            names = [*stored, *(name for name in self._by_key.get(key, ()) if name in self._originals)]
            for name in names:
                weights[name] += 1 / len(names)
        weights.pop(put.article.id, None)
        first = sorted(weights, key=lambda name: -weights[name])[:COMPARED]
        return [document for document in map(self._document, first) if document is not None]

    def _document(self, name: str) -> Document | None:
        if name in self._originals:
            return self._originals[name]
        if name not in self._stored:
            document = _stored(self._generation, name)
            if document is None:
                return None
            if len(self._stored) >= REMEMBERED:
                self._stored.pop(next(iter(self._stored)))
            self._stored[name] = document
        return self._stored[name]

    def _order_versions(self) -> None:
        """Say of each version which is the newest of its document."""
        links = [pair for pair in self._links if not any(self._is_copy(name) for name in pair)]
        stored = self._generation.versions({*self._leaving, *(name for pair in links for name in pair)})
        # A group that was found before stays one, whoever leaves it.
        staying = {name: newest for name, newest in stored.items() if name not in self._leaving}
        groups = _groups([*links, *((name, f"\0{newest or name}") for name, newest in staying.items())])
        for one in self._puts.values():
            one.superseded_by = None
        for group in groups:
            known = [self._document(name) for name in group if not name.startswith("\0")]
            newest, *older = newest_first([one for one in known if one is not None])
            wanted = {newest.article.id: None, **dict.fromkeys((one.article.id for one in older), newest.article.id)}
            for name, superseded_by in wanted.items():
                if name in self._puts:
                    self._puts[name].superseded_by = superseded_by
                elif stored.get(name) != superseded_by:
                    self._change.superseded[name] = superseded_by

    def _is_copy(self, name: str) -> bool:
        return name in self._puts and self._puts[name].copy_of is not None


def _groups(links: Iterable[tuple[str, str]]) -> list[list[str]]:
    """What hangs together by `links`."""
    group_of: dict[str, list[str]] = {}
    for one, other in links:
        groups = group_of.setdefault(one, [one]), group_of.setdefault(other, [other])
        if groups[0] is not groups[1]:
            larger, smaller = sorted(groups, key=len, reverse=True)
            larger += smaller
            group_of.update(dict.fromkeys(smaller, larger))
    return list({id(group): group for group in group_of.values()}.values())
