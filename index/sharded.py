"""Sharded: a search over the shards of an index, and what keeps these in step with it. Knows no Ray.

The index in the home stays what is true: it reads, compares, embeds and publishes, and finds out copies and versions
among all articles. Its shards (index/shard.py) are derived from it, with the same ids, and may be lost at any time.

A search gives the hits that the index itself would, in their order. BM25 needs to know how rare a word is and how long
passages are among all, so shards first count and score only then; passages compare by the same scores and, where these
are equal, by the same ids. What can differ is which sentences are found near to the question: beyond
index.vectors.EXACT of them an index looks at the nearest cells of a partition alone, and a shard has another partition,
or is small enough to look at all.
"""

from __future__ import annotations

import hashlib
import heapq
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from index import precedence, ranking
from index.errors import InputError, StoreError
from index.hit import Hits
from index.ranking import CANDIDATES, MATCHES, Asked
from index.shard import OutdatedError, Request, State
from index.store.words import phrase_expression, phrase_worth, word_rarity

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from index.embedder import Embedder
    from index.filters import Filter
    from index.ranking import Ranked
    from index.run import Interrupt
    from index.shard import Count, Made, Proposed
    from index.store import Store

DEADLINE_S = 10.0
"""Of one question: a shard that has not answered by then is missing, or has used up half of what was left for one step.
The first question after a start waits for the vectors to be read."""
COPY_S = 600.0
"""Longest wait for a shard that copies, looks through all it has, or makes its vectors ready."""
TRIES = 3
"""How often a question is asked anew because a shard changed while it was answered."""
AT_ONCE = 128
"""Articles that are copied to a shard in one transaction: some 15 MB of news with its vectors."""
REBALANCE = "run: citewire cluster rebalance --cluster HOST:PORT"

_Key = TypeVar("_Key", int, str)


class Shards(Protocol):
    """Shards by name, wherever they are (index/shard_actors.py; in this process, index.shard.LocalShards)."""

    @property
    def live(self) -> tuple[str, ...]:
        """The names of those that can be called."""
        ...

    def call(self, method: str, arguments: Mapping[str, tuple[Any, ...]], *, timeout_s: float) -> dict[str, Any]:
        """Call a method of index.shard.Shard of several at once: name → what it gave, those apart that are gone or
        have not answered in time. Raises what any of them raises."""
        ...


@dataclass(frozen=True, slots=True)
class Spread:
    """What `spread` did: how many articles each shard has, how many were copied, and how many dropped."""

    articles: dict[str, int]
    copied: int
    dropped: int


def owner(document: str, names: Iterable[str]) -> str:
    """Which of the shards has a document, by rendezvous hashing: when one comes or goes, only the documents of that one
    move."""
    return max(names, key=lambda name: hashlib.blake2b(f"{name}\0{document}".encode(), digest_size=8).digest())


def spread(
    store: Store,
    shards: Shards,
    names: Sequence[str],
    interrupt: Interrupt,
    *,
    replace_other: bool = False,
    without_missing: bool = False,
) -> Spread:
    """Bring the shards in step with the index, `names` being those that are to have its articles; of others that are
    there, all articles move away. The caller holds the write lock of the index.

    What is missing is copied from the index and compared before another shard drops it: wherever this is interrupted,
    every article is still in a shard, and the next run goes on. Raises StoreError when one of `names` is gone or does
    not answer; or, `without_missing`, lets the others be in step with the index, which do not take over its articles.
    Raises InputError, unless `replace_other`, when a shard has articles of another index.
    """
    digests, documents, meta = store.digests(), store.documents(), store.inherited()
    with store.read() as generation:
        database, number = generation.database, generation.number
    everywhere = list(dict.fromkeys([*names, *shards.live]))
    if without_missing:
        everywhere = list(shards.call("look", dict.fromkeys(everywhere, ()), timeout_s=DEADLINE_S))
    looked = _all(shards, "look", dict.fromkeys(everywhere, ()))
    others = [name for name, (state, counts) in looked.items() if state.database not in ("", database)]
    full = [name for name in others if looked[name][1]["article"]]
    if full and not replace_other:
        raise InputError(
            f"{', '.join(full)}: the articles there are of another index, or of this one before it was rebuilt; to put "
            "those of this index in their place: citewire cluster init --replace --cluster HOST:PORT"
        )
    held = _all(shards, "begin", dict.fromkeys(everywhere, (database, store.embedder)))
    owners = {article_id: owner(document, names) for article_id, document in documents.items()}
    copied = dropped = 0

    # What is gone or has changed goes first, so that no two rows have one id.
    for name, has in held.items():
        stale = {article_id for article_id, digest in has.items() if digests.get(article_id) != digest}
        again = sorted(one for one in stale if owners.get(one) == name)
        if gone := stale.difference(again):
            _all(shards, "copy_in", {name: (None, sorted(gone))})
        for first in range(0, len(again), AT_ONCE):
            some = again[first : first + AT_ONCE]
            _all(shards, "copy_in", {name: (store.rows(some), some)})
            interrupt.tick("shards", min(first + AT_ONCE, len(again)), len(again))
        copied, dropped = copied + len(again), dropped + len(gone)
        held[name] = {one: digest for one, digest in has.items() if one not in stale} | {
            one: digests[one] for one in again
        }

    # Documents whole, in the order of the index.
    missing: dict[str, list[str]] = {name: [] for name in held}
    for article_id in sorted(owners, key=lambda one: documents[one]):
        if owners[article_id] in held and article_id not in held[owners[article_id]]:
            missing[owners[article_id]].append(article_id)
    total, done = sum(map(len, missing.values())), 0
    for first in range(0, max(map(len, missing.values()), default=0), AT_ONCE):
        batches = {name: ids[first : first + AT_ONCE] for name, ids in missing.items() if ids[first:]}
        _all(shards, "copy_in", {name: (store.rows(ids),) for name, ids in batches.items()})
        done += sum(map(len, batches.values()))
        interrupt.tick("shards", done, total)
    copied += total

    held = _all(shards, "digests", dict.fromkeys(everywhere, ()))
    wrong = [one for one, name in owners.items() if name in held and held[name].get(one) != digests[one]]
    if wrong:
        raise StoreError(f"{len(wrong)} articles are not in their shards as they were copied; {REBALANCE}")
    for name, has in held.items():
        leaving = [one for one in has if owners.get(one) != name and owners.get(one, name) in held]
        if leaving:
            _all(shards, "copy_in", {name: (None, leaving)})
            dropped += len(leaving)
    state = State(database, number, tuple(names))
    _all(shards, "end", dict.fromkeys(everywhere, (state, meta)))
    return Spread(dict.fromkeys(names, 0) | Counter(owners.values()), copied, dropped)


def _all(shards: Shards, method: str, arguments: Mapping[str, tuple[Any, ...]]) -> dict[str, Any]:
    """What all of these shards give. Raises StoreError when one does not answer."""
    given = shards.call(method, arguments, timeout_s=COPY_S)
    missing = [name for name in arguments if name not in given]
    if missing:
        raise StoreError(f"{', '.join(missing)}: no such shard answers; to do without, {REBALANCE}")
    return given


@dataclass(frozen=True, slots=True)
class Search:
    """A question for all shards. `first` is how many hits are wanted, at least; `of` the id of the database of the
    index and its generation, and `languages` those of its articles."""

    query: str
    rewordings: tuple[str, ...]
    context: str
    only: Filter
    first: int
    of: tuple[str, int]
    languages: tuple[str, ...]

    def run(self, shards: Shards, embedder: Embedder) -> tuple[Hits, dict[int, list[int]], dict[int, tuple[str, int]]]:
        """The hits with the names of the shards that are missing, which passages come before which, and passage id →
        the article and start of all that were ranked. Raises StoreError when no shard answers."""
        for _ in range(TRIES):
            try:
                return self._run(_Asking(shards), embedder)
            except OutdatedError:
                continue
        raise StoreError("the shards change too fast to be searched; ask again when they are in step")

    def _run(
        self, asking: _Asking, embedder: Embedder
    ) -> tuple[Hits, dict[int, list[int]], dict[int, tuple[str, int]]]:
        asked = Asked.of(self.query, self.context, self.languages)
        lists = (asked.words, tuple(map(phrase_expression, asked.pairs)), asked.context, asked.alike)
        words = tuple(dict.fromkeys(word for some in lists for word in some))
        with ThreadPoolExecutor(1) as beside:
            counting = beside.submit(asking.count, words, self.of)
            wordings = tuple(embedder.embed_query(wording) for wording in (self.query, *self.rewordings))
        counts = counting.result()
        asking.begin()  # loading the model, for the first question after a start, is not the shards' delay
        passages = sum(count.passages for count in counts)
        if not passages:
            return Hits((), asking.missing), {}, {}
        in_all = dict(zip(words, map(sum, zip(*(count.held for count in counts), strict=True)), strict=True))
        held = tuple(tuple(in_all[word] for word in some) for some in lists)
        read = ranking.readable(wordings)
        request = Request(
            asked,
            self.only,
            tuple(read or wordings),
            tuple(word_rarity(passages, one) for one in held[0]),
            tuple(phrase_worth(passages, one) for one in held[1]),
            tuple(word_rarity(passages, one) for one in held[2]),
            sum(count.words for count in counts) / passages,
        )

        proposed: dict[str, Proposed] = asking.all("propose", lambda _: (request,))
        places = {
            passage_id: name
            for name, one in proposed.items()
            for scores in (one.matches, one.phrases, one.context)
            for passage_id in scores
        }
        bm25, of_context = ranking.shared(
            _best((one.matches for one in proposed.values()), MATCHES),
            _best((one.phrases for one in proposed.values()), None),
            _best((one.context for one in proposed.values()), MATCHES),
        )
        forward = ranking.put_forward(bm25, of_context)
        near: set[int] = set()
        if read or not forward:
            for which in range(len(request.wordings)):
                near.update(_best((one.near[which] for one in proposed.values()), CANDIDATES))

        request = replace(request, wordings=wordings)
        ids: dict[str, list[int]] = {name: [] for name in proposed}
        for passage_id in forward:
            ids[places[passage_id]].append(passage_id)
        found: dict[str, list[Ranked]] = asking.all("rank", lambda name: (request, ids[name], list(near)))
        of_shard = {one.passage.id: name for name, some in found.items() for one in some}
        alike = _one_similarity({one.passage.id: one for some in found.values() for one in some}.values())
        ranked = ranking.in_order(
            ranking.with_words(alike, bm25, of_context),
            asked.wanted(held[3], passages),
            lambda some: asking.texts(some, of_shard),
        )

        of_each: dict[str, list[Ranked]] = {name: [] for name in found}
        for one in ranked:
            of_each[of_shard[one.passage.id]].append(one)
        among_first = Counter(of_shard[one.passage.id] for one in ranked[: self.first])
        made: dict[str, Made] = asking.all(
            "make",
            lambda name: (request, of_each[name], among_first[name], self.query),
            names=[name for name in of_each if among_first[name]],
        )
        hits = {passage_id: hit for one in made.values() for passage_id, hit in one.hits.items()}
        added = sorted((one for some in made.values() for one in some.added), key=lambda one: one.passage.id)
        for one in ranking.with_words(added, bm25, of_context):
            hits[one.passage.id] = replace(hits[one.passage.id], score=one.score, bm25=one.bm25, context=one.context)
        before = {older: newer for one in made.values() for older, newer in one.before.items()}
        everything = [*ranked, *added]
        ordered = precedence.ordered(everything, lambda one: one.passage.id, before)[: self.first]
        names = {one.passage.id: (one.passage.article_id, one.passage.start) for one in everything}
        given = (hits[one.passage.id] for one in ordered if one.passage.id in hits)
        return Hits(given, asking.missing), before, names


def follow(store: Store, shards: Shards, interrupt: Interrupt) -> None:
    """Bring the shards that answer in step with the index, if it has been spread among any; otherwise as `spread`."""
    looked = shards.call("look", dict.fromkeys(shards.live, ()), timeout_s=DEADLINE_S)
    newest = max((state for state, _ in looked.values()), key=lambda state: state.generation, default=State())
    if newest.names:
        spread(store, shards, newest.names, interrupt, without_missing=True)


def missing(shards: Shards, of: tuple[str, int]) -> tuple[str, ...]:
    """The names of the shards that do not answer, and of those that are not in step with the index; `of` as for
    Search."""
    asking = _Asking(shards)
    asking.count((), of)
    return asking.missing


class _Asking:
    """One question, put to the shards step by step until its deadline."""

    def __init__(self, shards: Shards) -> None:
        """The time of the shards begins."""
        self._shards = shards
        self.begin()
        self._generations: dict[str, int] = {}
        self._missing: dict[str, None] = {}

    def begin(self) -> None:
        """Let the time of the shards begin anew."""
        self._until = time.monotonic() + DEADLINE_S

    @property
    def missing(self) -> tuple[str, ...]:
        """The names of the shards that have not answered, and of those that are not in step with the index."""
        return tuple(sorted(self._missing))

    def count(self, words: Sequence[str], of: tuple[str, int]) -> list[Count]:
        """What each shard has of these words. Raises StoreError when there is none."""
        counts: dict[str, Count] = self._call("count", dict.fromkeys(self._shards.live, (words,)))
        if not counts:
            raise StoreError(
                f"no shard answers; see: citewire cluster status --cluster HOST:PORT; or make them again, {REBALANCE}"
            )
        if any(count.state.database not in ("", of[0]) for count in counts.values()):
            raise InputError(
                "the shards have articles of another index, or of this one before it was rebuilt; to put those of this "
                "index in their place: citewire cluster init --replace --cluster HOST:PORT"
            )
        known = {name for count in counts.values() for name in count.state.names}
        self._missing.update(dict.fromkeys(known - counts.keys()))
        for name, count in counts.items():
            if (count.state.database, count.state.generation) != of or count.state.is_moving:
                self._missing[f"{name} (not in step)"] = None
        self._generations = {name: count.generation for name, count in counts.items()}
        return list(counts.values())

    def all(self, step: str, values: Any, *, names: Iterable[str] | None = None) -> dict[str, Any]:
        """The next step of all shards that have answered so far; `values` gives the arguments for each."""
        asked = {
            name: (self._generations[name], *values(name))
            for name in (self._generations if names is None else names)
            if name in self._generations
        }
        return self._call(step, asked)

    def texts(self, passage_ids: Collection[int], of_shard: Mapping[int, str]) -> dict[int, str]:
        """The texts of passages, "" where a shard does not give them any more."""
        of_each: dict[str, list[int]] = {}
        for one in passage_ids:
            of_each.setdefault(of_shard[one], []).append(one)
        given = self.all("texts", lambda name: (of_each[name],), names=list(of_each))
        return {
            **dict.fromkeys(passage_ids, ""),
            **{one: text for some in given.values() for one, text in some.items()},
        }

    def _call(self, step: str, arguments: Mapping[str, tuple[Any, ...]]) -> dict[str, Any]:
        if not arguments:
            return {}
        # Half of what is left: a machine that is silent must not use up the time of the others for the next steps.
        given = self._shards.call(step, arguments, timeout_s=max(0.0, self._until - time.monotonic()) / 2)
        for name in arguments.keys() - given.keys():
            self._generations.pop(name, None)
            self._missing[name] = None
        return given


def _best(scores: Iterable[Mapping[_Key, float]], k: int | None) -> dict[_Key, float]:
    """Those of all shards together, or the `k` best of them."""
    merged = {key: score for some in scores for key, score in some.items()}
    if k is None or len(merged) <= k:
        return merged
    return {key: merged[key] for key in heapq.nsmallest(k, merged, key=lambda key: (-merged[key], key))}


def _one_similarity(ranked: Iterable[Ranked]) -> list[Ranked]:
    """The passages, with the same similarity for the same sentence in two shards: how many are computed together may
    change its last digit, by which two equal passages would not compare as equal."""
    known: dict[int, float] = {}
    found = []
    for one in ranked:
        vector_id = next(vector_id for span, vector_id in one.passage.sentences if span == one.nearest)
        found.append(replace(one, similarity=known.setdefault(vector_id, one.similarity)))
    return found
