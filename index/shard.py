"""Shard: one of several homes that together hold the articles of an index, each searched as a part of it. No Ray.

A shard has a home of its own, with rows copied from the index, ids included (index/store/rows.py). What it is asked for
a question comes in steps, between which index/sharded.py puts together what all shards say:

    count      how many passages have each word
    propose    the passages that the words put forward, and the sentences nearest to the question
    rank       the passages that are among the best of all shards, with their similarity
    make       the hits

All steps are to see one generation of the shard; OutdatedError says that it has changed meanwhile.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

from index import home as homes
from index import lock, precedence, ranking
from index.errors import LayoutError, StoreError
from index.home import DATABASE, opener
from index.ranking import CANDIDATES, MATCHES, Found
from index.snapshot import FILES, Snapshots
from index.store import Store
from index.store.connections import MARKER

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from index.filters import Filter
    from index.hit import Hit
    from index.ranking import Asked, Ranked
    from index.store import Generation
    from index.store.rows import Rows

STATE = "shard.json"
"""The file of a shard's home that says of which index it is a shard."""


class OutdatedError(Exception):
    """The shard has changed since the question was asked first. Never leaves the index package."""


@dataclass(frozen=True, slots=True)
class State:
    """Of which index a home is a shard: the id of its database, and the generation that the shard is in step with.

    `names` are those of all shards of this index. `is_moving` while articles are copied or dropped.
    """

    database: str = ""
    generation: int = 0
    names: tuple[str, ...] = ()
    is_moving: bool = False


@dataclass(frozen=True, slots=True)
class Count:
    """How many passages a shard has, the words in them, and how many of them have each word it was asked for."""

    generation: int
    state: State
    passages: int
    words: int
    held: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Request:
    """A question with what is known of its words in all shards: the rarity of each, the worth of each pair, the mean
    number of words of a passage."""

    asked: Asked
    only: Filter
    wordings: tuple[NDArray[np.float32], ...]
    rarities: tuple[float, ...]
    worth: tuple[float, ...]
    context_rarities: tuple[float, ...]
    mean_words: float


@dataclass(frozen=True, slots=True)
class Proposed:
    """What a shard puts forward. Passage id → score for words, pairs, context; for each wording, the id of each of the
    nearest vectors → similarity."""

    matches: dict[int, float]
    phrases: dict[int, float]
    context: dict[int, float]
    near: tuple[dict[int, float], ...]


@dataclass(frozen=True, slots=True)
class Made:
    """Passage id → hit, of the first passages and of those `added` because they supersede one of these; `before` says
    which come before which."""

    hits: dict[int, Hit]
    added: tuple[Ranked, ...]
    before: dict[int, list[int]]


class Shard:
    """The articles of one shard. Safe to use from several threads at once."""

    def __init__(self, home: Path, embedder: str) -> None:
        """In the folder `home`, which is made if it is not there; `embedder` is the name of that of the index.

        What is there and cannot be used, as it is damaged, of another layout or of another embedder, is forgotten: it
        is a copy.
        """
        homes.make(home)
        self.home = home
        self._embedder = embedder
        try:
            self._store = Store(home / DATABASE, embedder=embedder)
        except (LayoutError, StoreError):
            if not (home / STATE).exists():  # it may be an index itself
                raise
            self._delete()
            self._store = Store(home / DATABASE, embedder=embedder)
        self._snapshots = Snapshots(home)

    def __enter__(self) -> Self:
        """The shard itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Close the database."""
        self._store.close()

    @property
    def state(self) -> State:
        """Of which index this is a shard; of none in a new home."""
        with contextlib.suppress(OSError, ValueError, TypeError, LookupError):
            kept = json.loads((self.home / STATE).read_text(encoding="utf-8"))
            return State(**{**kept, "names": tuple(kept["names"])})
        return State()

    def look(self) -> tuple[State, dict[str, int]]:
        """The state of the shard, and how many articles, passages and sentences it has."""
        with self._store.read() as generation:
            return self.state, generation.counts()

    def begin(self, database: str, embedder: str) -> dict[str, bytes]:
        """Be a shard of the index with this database and embedder, forgetting any other, and expect changes until
        `end`: article id → digest of what there is of it here."""
        state = self.state
        with lock.write_lock(self.home):
            if state.database != database:
                self._embedder = embedder
                self._forget_all()
                state = State(database)
            self._write(State(database, state.generation, state.names, is_moving=True))
        return self.digests()

    def digests(self) -> dict[str, bytes]:
        """Article id → digest of what there is of it here; see index/store/rows.py."""
        return self._store.digests()

    def copy_in(self, rows: Rows | None, drop: Collection[str] = ()) -> None:
        """Drop articles, and put or replace those of `rows`, all or nothing."""
        with lock.write_lock(self.home):
            self._store.copy_in([rows] if rows is not None else [], drop=drop)

    def end(self, state: State, meta: Mapping[str, str]) -> None:
        """Be in step with the index: `meta` is what it knows of its articles as a whole."""
        with lock.write_lock(self.home):
            if self._store.inherited() != meta:
                self._store.copy_in([], meta=meta)
            self._write(state)
        with self._store.read() as generation:
            self._snapshots.of(generation)
            generation.words.prepare()

    def count(self, words: Sequence[str]) -> Count:
        """How many passages have each of `words`, each an `expression`."""
        with self._store.read() as generation:
            passages, number = generation.words.size()
            held = generation.words.frequencies(words) if words else []
            return Count(generation.number, self.state, passages, number, tuple(held))

    def propose(self, of: int, request: Request) -> Proposed:
        """What the words put forward, and the nearest sentences; `of` is the generation that was counted."""
        with self._read(of) as generation:
            words, asked = generation.words, request.asked
            among = generation.passing(request.only) if request.only else None
            known: dict[str, Any] = {"mean_words": request.mean_words, "among": among}
            matches = words.match(asked.words, MATCHES, rarities=request.rarities, **known)
            context = words.match(asked.context, MATCHES, rarities=request.context_rarities, **known)
            phrases = words.match_phrases(asked.pairs, among=among, worth=request.worth)
            vectors = self._snapshots.of(generation)
            if vectors is None:
                return Proposed(matches, phrases, context, tuple({} for _ in request.wordings))
            sentences = None if among is None else generation.vectors.ids_of_passages(among)
            near = tuple(
                generation.vectors.similarities([wording], vectors.search(wording, CANDIDATES, among=sentences))
                for wording in request.wordings
            )
            return Proposed(matches, phrases, context, near)

    def rank(self, of: int, request: Request, passage_ids: Collection[int], vector_ids: Sequence[int]) -> list[Ranked]:
        """These passages, and those with one of these vectors, with their similarity and without what their words
        are worth."""
        with self._read(of) as generation:
            among = generation.passing(request.only) if request.only else None
            nearby = ranking.nearby_passages(generation, vector_ids, among)
            passages = generation.passages({*passage_ids, *nearby})
            return ranking.scored(generation, request.wordings, ranking.NOTHING, passages)

    def texts(self, of: int, passage_ids: Sequence[int]) -> dict[int, str]:
        """The texts of passages, to compare."""
        with self._read(of) as generation:
            return generation.texts(passage_ids)

    def make(self, of: int, request: Request, ranked: Sequence[Ranked], first: int, query: str) -> Made:
        """The hits of the `first` of the ranked passages, and of what supersedes any of them."""
        with self._read(of) as generation:
            among = generation.passing(request.only) if request.only else None
            found = Found(among, {}, {}, ())
            all_of_them, before, newer = precedence.with_newer(generation, request.wordings, found, ranked, first)
            added = all_of_them[len(ranked) :]
            hits = {
                one.passage.id: ranking.hit(generation, one, newer.get(one.passage.article_id, ()), query)
                for one in (*ranked[:first], *added)
            }
            return Made(hits, tuple(added), before)

    @contextlib.contextmanager
    def _read(self, of: int) -> Iterator[Generation]:
        with self._store.read() as generation:
            if generation.number != of:
                raise OutdatedError
            yield generation

    def _write(self, state: State) -> None:
        draft = self.home / f"{STATE}.tmp"
        with open(draft, "w", encoding="utf-8", opener=opener) as file:
            json.dump(asdict(state), file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.home / STATE)

    def _forget_all(self) -> None:
        """Begin with an empty database."""
        self._store.close()
        self._delete()
        self._store = Store(self.home / DATABASE, embedder=self._embedder)
        self._snapshots = Snapshots(self.home)

    def _delete(self) -> None:
        # The marker first: while it is there, a database that is gone was lost.
        for path in (self.home / MARKER, *self.home.glob(f"{DATABASE}*"), *self.home.glob(FILES)):
            path.unlink(missing_ok=True)


class LocalShards:
    """Shards in this process, as a cluster has them on its machines: for tests and measurements."""

    def __init__(self, folder: Path, names: Sequence[str], embedder: str) -> None:
        """Each in a folder of its own in `folder`."""
        self.shards = {name: Shard(folder / name, embedder) for name in names}

    @property
    def live(self) -> tuple[str, ...]:
        """The names of the shards that are there."""
        return tuple(self.shards)

    def call(self, method: str, arguments: Mapping[str, tuple[Any, ...]], *, timeout_s: float) -> dict[str, Any]:  # noqa: ARG002
        """See index.sharded.Shards."""
        return {
            name: getattr(self.shards[name], method)(*values)
            for name, values in arguments.items()
            if name in self.shards
        }

    def close(self) -> None:
        """Close all."""
        for shard in self.shards.values():
            shard.close()
