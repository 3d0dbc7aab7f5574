"""Index: open, sync, add, remove, search. The door of this package; knows no questions and no language model."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import math
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from index import derived, filters, lock, precedence, ranking, rebuild, uploads
from index import home as homes
from index import mentions as mentioning
from index import reranker as rerankers
from index import source_file as source_files
from index import sync as syncing
from index.article import Span
from index.embedder import Embedder, SentenceEmbedder, named
from index.errors import Error, InputError
from index.fetch import Fetcher
from index.filters import EVERYTHING, Filter
from index.hit import Hits
from index.home import DATABASE
from index.listed import Listed
from index.location import UPLOADS, Locations, is_address, is_storable, storable, within
from index.mentions import Mentions, Name
from index.model_address import is_address as is_of_server
from index.original import versions_of
from index.remembered import Remembered
from index.remote_embedder import RemoteEmbedder
from index.run import Failure, Interrupt, Progress, SyncReport
from index.snapshot import FILES, Snapshots
from index.stats import Stats
from index.store import Store

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from index.about import About
    from index.article import Article
    from index.change import Change
    from index.edit import Edit
    from index.hit import Hit
    from index.picture import Picture
    from index.rebuild import Repair
    from index.reranker import Reranker
    from index.sharded import Shards, Spread
    from index.source_file import SourceFile
    from index.store import Fault
    from index.sync import Removed

__all__ = ["DATABASE", "Index"]

_log = logging.getLogger(__name__)

OTHER_PASSAGES = 1000
"""Passages of other collections that the rarity of a word is reckoned with: where all articles are of one subject, its
name is in all of them, and is still what they are of."""


class Index:
    """The articles of one home, searchable. Safe to use from several threads and processes at once.

    Readers are never blocked: each search sees one whole generation. Writers take turns.
    """

    def __init__(
        self,
        home: Path,
        embedder: Embedder,
        fetcher: Fetcher | None = None,
        reranker: Reranker | None = None,
        shards: Shards | None = None,
    ) -> None:
        """Use `Index.open`."""
        self.home = home
        self._shards = shards
        self.embedder = embedder
        self.reranker = reranker
        self.fetcher = fetcher or Fetcher(offline=homes.is_offline())
        self._locations = Locations.of(home)
        self._store = Store(home / DATABASE, embedder=embedder.name)
        self._snapshots = Snapshots(home)

    @classmethod
    def open(
        cls,
        home: str | Path | None = None,
        *,
        embedder: Embedder | None = None,
        fetcher: Fetcher | None = None,
        reranker: Reranker | None = None,
        shards: Shards | None = None,
    ) -> Self:
        """Open the index in `home` (default: see index/home.py), creating it when there never was one. In a home that
        cannot be written, an index can be searched and read.

        Without `reranker`, that of CITEWIRE_RERANKER is used, if it is set. With `shards` (docs/scale.md), `search` is
        theirs, and what is published goes to them as well.

        Opening is quick, as models load at first use. Raises LayoutError for an index of another embedder or layout,
        StoreError for a database that cannot be used, InputError for a home that cannot be written.
        """
        folder = homes.resolve(home)
        _make(folder)
        lock.finish_restore(folder)
        return cls(folder, embedder or _chosen(), fetcher, reranker or rerankers.chosen(), shards)

    @classmethod
    def rebuild(
        cls,
        home: str | Path | None = None,
        *,
        embedder: Embedder | None = None,
        fetcher: Fetcher | None = None,
        progress: Progress | None = None,
    ) -> SyncReport:
        """Build the index in `home` anew: read all remembered sources again and embed every article again.

        Articles whose source cannot be read, or that have none, are taken from the old database. What the user removed
        stays removed. The new database is made in a folder of its own and put in place when it is complete; until then,
        and if anything fails, the old one is unchanged. An index that is open, in this process or another, sees the
        new one at its next read. If anything was lost, the old one is kept, with ".old" in its name.
        Raises as `open` does.
        """
        return cls._made_anew(home, embedder, fetcher, Interrupt(progress, None), mend=False).report

    @classmethod
    def repair(
        cls,
        home: str | Path | None = None,
        *,
        embedder: Embedder | None = None,
        fetcher: Fetcher | None = None,
        progress: Progress | None = None,
    ) -> Repair:
        """Mend the database in `home`: keep what is as it was written, and make only the rest again.

        An altered article is taken from its copy or original, or read again from its file or address, for which the
        remembered sources are synced. The word index and altered vectors are made from the texts again. Otherwise as
        `rebuild`.
        """
        return cls._made_anew(home, embedder, fetcher, Interrupt(progress, None), mend=True)

    @classmethod
    def _made_anew(
        cls,
        home: str | Path | None,
        embedder: Embedder | None,
        fetcher: Fetcher | None,
        interrupt: Interrupt,
        *,
        mend: bool,
    ) -> Repair:
        folder, used = homes.resolve(home), embedder or _chosen()
        _make(folder)
        done = rebuild.rebuild(folder, used, fetcher or Fetcher(offline=homes.is_offline()), interrupt, mend=mend)
        with cls(folder, used, fetcher) as index, index._store.read() as generation:
            index._snapshots.of(generation)
        return done

    def __enter__(self) -> Self:
        """The index itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Close the database."""
        self._store.close()

    @property
    def uploads(self) -> Path:
        """Folder for files that a front end was handed; they belong to the index and go with their articles."""
        return self.home / UPLOADS

    def sync(
        self,
        sources: Iterable[str | Path] | str | Path = (),
        *,
        prune: bool = False,
        progress: Progress | None = None,
        cancel: threading.Event | None = None,
    ) -> SyncReport:
        """Index what is new or changed in these files, folders, pages and feeds, drop what is gone, remember them.

        Without sources, re-read those remembered. What cannot be read is in `SyncReport.failed`, and what was indexed
        from it stays; so do the articles of a feed that have left it, and those of a file or folder that has lost all
        or most of them, as if a disk were not mounted, which only `prune` drops. Raises InputError for a source that
        does not exist, index.run.Cancelled when `cancel` was set; then the index is as before.
        """
        interrupt = Interrupt(progress, cancel)
        with self._writing(interrupt):
            uploads.settle(self._store, self._locations)
            report, change = syncing.sync(
                self._store,
                self.embedder,
                _listed(sources),
                interrupt,
                self.fetcher,
                self._locations,
                prune=prune,
            )
            self._publish(change)
        return report

    def add(
        self,
        articles: Iterable[Article],
        *,
        progress: Progress | None = None,
        cancel: threading.Event | None = None,
    ) -> SyncReport:
        """Add articles made by the caller; one with a known id replaces it. Raises InputError, Cancelled."""
        interrupt = Interrupt(progress, cancel)
        with self._writing(interrupt):
            report, change = syncing.add(self._store, self.embedder, articles, interrupt)
            self._publish(change)
        return report

    def remove(self, names: Iterable[str | Path] | str | Path) -> int:
        """Remove articles by id, or all that was read from a file or folder, and return how many there were.

        Their text is overwritten on disk, and copies of ours in `uploads` are deleted; the user's own files are not
        touched. Raises InputError for a name nothing was indexed under; then nothing is removed.
        """
        return self._remove(_listed(names), only_ids=False)

    def remove_articles(self, ids: Iterable[str] | str) -> int:
        """Remove articles by id and by nothing else, for callers that pass on what somebody sent them.

        Otherwise as `remove`. Raises InputError for an unknown id; then nothing is removed.
        """
        return self._remove(_listed(ids), only_ids=True)

    def take_out(self, article_id: str) -> Removed:
        """Remove one article by its id, as `remove_articles` does, and return what `put_back` needs to undo it."""
        with self._store.read() as generation:
            removed = syncing.Removed.of(generation, article_id)
        self.remove_articles([article_id])
        return removed

    def take_out_all(self, article_ids: Iterable[str]) -> tuple[Removed, ...]:
        """`take_out` of several articles, all or none, in one generation."""
        ids = list(dict.fromkeys(article_ids))
        with self._store.read() as generation:
            removed = tuple(syncing.Removed.of(generation, article_id) for article_id in ids)
        self.remove_articles(ids)
        return removed

    def put_back(self, removed: Removed, *others: Removed) -> None:
        """Undo `take_out`: the articles are again as they were, and are followed where they came from.

        Of an upload the file was deleted with its article, which is put back without it.
        """
        found = []
        for one in (removed, *others):
            file = Path(self._locations.path(one.origin)) if one.origin is not None else None
            is_lost = file is not None and file.is_relative_to(self._locations.uploads) and not file.exists()
            found.append(replace(one, origin=None) if is_lost else one)
        interrupt = Interrupt(None, None)
        with self._writing(interrupt):
            self._publish(syncing.put_back(self._store, self.embedder, found, interrupt))

    def edit(
        self,
        article_id: str,
        *,
        title: str | None = None,
        source: str | None = None,
        published: str | None = None,
        reset: Iterable[str] | str = (),
    ) -> Article:
        """Give an article another title, outlet or date of publication, "" for none; None leaves what there is.

        They stay when its file or address is read again. `reset` names fields ("title", "source", "published") that
        are to be as they were read. Returns the article as it is. Raises InputError for an unknown id, or a value
        that is wrong; then nothing changes.
        """
        given = {"title": title, "source": source, "published": published}
        values = {field: value for field, value in given.items() if value is not None}
        fields = [reset] if isinstance(reset, str) else list(reset)
        interrupt = Interrupt(None, None)
        with self._writing(interrupt):
            self._publish(syncing.edit(self._store, self.embedder, article_id, values, fields, interrupt))
        return self.article(article_id)

    def edits(self, article_id: str) -> tuple[Edit, ...]:
        """What was edited of an article, each with the value that was read in its place."""
        with self._store.read() as generation:
            return generation.edits(article_id).get(article_id, ())

    def tag(self, article_ids: Iterable[str] | str, name: str) -> None:
        """Give articles a tag, by which searches and questions can be narrowed (`tag:NAME`). One that is known in
        another case is given as it is known. Raises InputError for an unknown id or a name that is no tag."""
        self._tag(article_ids, name, untag=False)

    def set_tags(self, article_id: str, names: Iterable[str]) -> None:
        """Give an article these tags and no others. Raises InputError as `tag` does."""
        with self._writing(Interrupt(None, None)):
            self._publish(syncing.set_tags(self._store, article_id, names))

    def untag(self, article_ids: Iterable[str] | str, name: str) -> None:
        """Take a tag from articles; those that do not have it stay as they are. Raises InputError as `tag` does."""
        self._tag(article_ids, name, untag=True)

    def _tag(self, article_ids: Iterable[str] | str, name: str, *, untag: bool) -> None:
        ids = list(map(str, _listed(article_ids)))
        with self._writing(Interrupt(None, None)):
            self._publish(syncing.tag(self._store, ids, name, untag=untag))

    def tags(self) -> dict[str, int]:
        """How many articles have each tag, in alphabetical order."""
        with self._store.read() as generation:
            return generation.tag_counts()

    def tags_of(self, article_id: str) -> tuple[str, ...]:
        """The tags of an article, in alphabetical order."""
        with self._store.read() as generation:
            return generation.tags(article_id).get(article_id, ())

    def annotations(self, article_ids: Iterable[str]) -> dict[str, tuple[tuple[str, ...], tuple[Edit, ...]]]:
        """The tags and the edits of these articles, by their ids."""
        with self._store.read() as generation:
            tags, edits = generation.tags(), generation.edits()
        return {one: (tags.get(one, ()), edits.get(one, ())) for one in article_ids}

    def resolve(self, only: Filter) -> Filter:
        """The filter with the articles that have its tags in place of the tags."""
        if not only.tags:
            return only
        with self._store.read() as generation:
            return generation.resolved(only)

    def forget(self, source: str | Path) -> None:
        """Forget a remembered folder, file, page or feed: it is not read again, and its articles stay.

        Raises InputError for one that is not remembered.
        """
        with self._writing(Interrupt(None, None)):
            self._publish(syncing.forget(self._store, source, self._locations))

    def sources(self) -> tuple[Remembered, ...]:
        """The remembered folders, files, pages and feeds: what was read of each, and when."""
        with self._store.read() as generation:
            roots, read_at, counts = generation.roots(), generation.read_at(), generation.article_counts()
            feeds = {root: set(generation.entries(root)) for root in roots if is_address(root)}
        return tuple(
            Remembered(
                storable(self._locations.path(root)),
                read_at.get(root),
                sum(n for uri, n in counts.items() if uri in feeds.get(root, ()) or within(uri, root)),
            )
            for root in roots
        )

    def _remove(self, names: Iterable[str | Path], *, only_ids: bool) -> int:
        interrupt = Interrupt(None, None)
        with self._writing(interrupt):
            uploads.settle(self._store, self._locations)
            change = syncing.remove(self._store, self.embedder, names, interrupt, self._locations, only_ids=only_ids)
            files = [Path(self._locations.path(uri)) for uri in change.forget_origins | change.exclude_origins]
            folder = Path(self._locations.uploads)
            try:
                for file in files:
                    if file != folder and file.is_relative_to(folder):
                        uploads.set_aside(folder, file)
                self._publish(change)
            finally:
                uploads.settle(self._store, self._locations)
        return len(change.drop)

    def search(
        self,
        query: str,
        k: int = 8,
        *,
        rewordings: Sequence[str] = (),
        context: str = "",
        source: str | None = None,
        before: str | None = None,
        after: str | None = None,
        articles: Iterable[str] | None = None,
        tags: Iterable[str] = (),
    ) -> Hits:
        """The `k` passages that fit `query` best, best first; of an empty index, none. Of an index with shards, the
        hits name those that were not searched.

        `rewordings` say what is meant at greater length, for a query that cannot be understood by itself: a sentence
        is as similar as it is to the nearest wording. `context` is the conversation before it: passages with its words
        rank higher. For the score see Hit; why it is made so, docs/experiments.md.

        Only articles that pass `source`, `before` and `after` are searched, and those that operators in the query
        ask for as well; see index/filters.py. `articles` are the ids of those to be searched, None for all; a copy of
        one of them counts as chosen, an unknown id finds nothing. With `tags`, they must have all of these.
        Raises InputError for an empty query, k < 1, or a filter that is wrong.
        """
        query, only = filters.parse(query)
        chosen = None if articles is None else map(str, _listed(articles))
        only = only.also(Filter.of(source=source, before=before, after=after, articles=chosen, tags=tags))
        if not query.strip():
            raise InputError(f"the query is empty{f' beside {only}' if only else ''}; ask for something")
        if k < 1:
            raise InputError(f"k={k}: at least one hit must be asked for")
        first = k if self.reranker is None else max(k, rerankers.CANDIDATES)
        if self._shards is not None:
            return self._search_shards(self._shards, query, k, first, rewordings, context, only)
        with self._store.read() as generation:
            vectors = self._snapshots.of(generation)
            if vectors is None:
                return Hits()
            only = generation.resolved(only)
            # Words are looked up while the query is embedded; the transaction ends after both.
            with ThreadPoolExecutor(1) as beside:
                found = beside.submit(ranking.look_up, generation, query, context=context, only=only)
                wordings = [self.embedder.embed_query(wording) for wording in (query, *rewordings)]
            ranked = ranking.rank(generation, vectors, wordings, found.result())
            ranked, superseding, newer = precedence.with_newer(generation, wordings, found.result(), ranked, first)
            ranked = precedence.ordered(ranked, lambda one: one.passage.id, superseding)[:first]
            hits = [ranking.hit(generation, one, newer.get(one.passage.article_id, ()), query) for one in ranked]
            if self.reranker is None:
                return Hits(hits)
            names = {one.passage.id: (one.passage.article_id, one.passage.start) for one in ranked}
        # Outside the transaction: reading two dozen passages takes long enough to hold up a writer's checkpoint.
        return Hits(_reranked(self.reranker, [query, *rewordings][-1], hits, superseding, names)[:k])

    def _search_shards(
        self,
        shards: Shards,
        query: str,
        k: int,
        first: int,
        rewordings: Sequence[str],
        context: str,
        only: Filter,
    ) -> Hits:
        """`search` over the shards; the hits name those that are missing."""
        from index.sharded import Search

        with self._store.read() as generation:
            of = generation.database, generation.number
            only, languages = generation.resolved(only), generation.languages
        asked = Search(query, tuple(rewordings), context, only, first, of, languages)
        hits, superseding, names = asked.run(shards, self.embedder)
        if self.reranker is None:
            return hits
        ordered = _reranked(self.reranker, [query, *rewordings][-1], hits, superseding, names)
        return Hits(ordered[:k], hits.missing)

    @property
    def missing(self) -> tuple[str, ...]:
        """The shards of the index that do not answer, or are not in step with it; () for an index without shards."""
        if self._shards is None:
            return ()
        from index.sharded import missing

        with self._store.read() as generation:
            return missing(self._shards, (generation.database, generation.number))

    def spread(
        self,
        names: Sequence[str] | None = None,
        *,
        replace_other: bool = False,
        progress: Progress | None = None,
        cancel: threading.Event | None = None,
    ) -> Spread:
        """Bring the shards in step with this index: copy to them what they miss, and drop what they are not to have.
        `names` are those that are to have articles, by default all that are there; from others all articles move away.

        A change of the index brings them in step as well. Raises StoreError when a shard is gone, InputError, unless
        `replace_other`, when one has articles of another index, and for an index without shards; Cancelled. What was
        copied by then stays, and the next run goes on from there.
        """
        from index.sharded import spread

        if self._shards is None:
            raise InputError(
                "this index has no shards; open it with those of a cluster: citewire cluster init --cluster HOST:PORT"
            )
        interrupt = Interrupt(progress, cancel)
        chosen = self._shards.live if names is None else names
        with self._writing(interrupt):
            return spread(self._store, self._shards, chosen, interrupt, replace_other=replace_other)

    def around(
        self,
        query: str,
        hits: Sequence[Hit],
        k: int,
        *,
        source: str | None = None,
        before: str | None = None,
        after: str | None = None,
        articles: Iterable[str] | None = None,
        tags: Iterable[str] = (),
        cancel: threading.Event | None = None,
    ) -> list[Hit]:
        """The `k` passages nearest to those of `hits` in subject, best first, themselves among them.

        What a search for a subject finds leads to passages that speak of it in other words: see index/around.py. The
        `score` of a hit is how often a random walk from `hits` comes by, 1 for the best; `similarity` and `nearest` are
        those of `query`, which is to have no operators. The filters are those of `search`. Hits of articles that are
        gone meanwhile lead nowhere. Raises InputError for a filter that is wrong.
        """
        from index.around import Walk

        chosen = None if articles is None else map(str, _listed(articles))
        only = Filter.of(source=source, before=before, after=after, articles=chosen, tags=tags)
        wording = self.embedder.embed_query(query)
        with self._store.read() as generation:
            vectors = self._snapshots.of(generation)
            starts: dict[int, float] = {}
            for hit in hits:
                ids = dict(zip(generation.spans(hit.article.id), generation.passage_ids(hit.article.id), strict=True))
                if (passage_id := ids.get(Span(hit.start, hit.end))) is not None:
                    starts[passage_id] = max(hit.score, 0.0)
            if vectors is None or not any(starts.values()):
                return []
            walk = Walk(generation, vectors, generation.passing(generation.resolved(only)) if only else None)
            visits = walk.best(starts, k, cancel)
            most = max(visits.values())
            return [
                replace(ranking.hit(generation, one, (), query), score=visits[one.passage.id] / most)
                for one in ranking.scored(generation, [wording], ranking.NOTHING, walk.passages(list(visits)))
            ]

    def mentions(
        self, name: str, *, only: Filter = EVERYTHING, sort: mentioning.Sort = "relevance"
    ) -> Generator[Mentions, None, None]:
        """Every article that has a name or phrase and passes `only`, copies as well, with the exact spans.

        It is found in any case and inflected; in quotation marks, as it is written. See index/mentions.py. Articles
        are read and checked one by one, all in one generation: read to the end, or close the iterator. Raises
        InputError for a name without a word.
        """
        wanted = Name.of(name)
        with self._store.read() as generation:
            yield from mentioning.find(generation, wanted, generation.resolved(only), sort)

    def about(
        self,
        subject: str,
        *,
        only: Filter = EVERYTHING,
        report: Callable[[About], None] | None = None,
        threshold: float | None = None,
    ) -> list[About]:
        """The articles that treat a subject and pass `only`, by a score of the whole article, the surest first.

        Copies follow their original. `report` gets those that are sure before the others are looked at. `threshold` is
        the least probability, by default that of index/about.py. Raises InputError for an empty subject.
        """
        from index import about

        if not subject.strip():
            raise InputError("the subject is empty; say what the articles should be about")
        least = about.THRESHOLD if threshold is None else threshold
        query = self.embedder.embed_query(subject)
        with self._store.read() as generation:
            vectors = self._snapshots.of(generation)
            if vectors is None:
                return []
            only = generation.resolved(only)
            judge = about.Judge(generation, vectors, subject, query, only)
            return [each for one in judge.judge(least, report) for each in about.with_copies(generation, one, only)]

    def rarity(self, words: Sequence[str]) -> tuple[float, ...]:
        """How rare each of these words is, as BM25 weighs it, among the passages and OTHER_PASSAGES, one of which has
        it."""
        with self._store.read() as generation:
            passages = generation.counts()["passage"] + OTHER_PASSAGES
            found = []
            for word in words:
                forms = generation.words.frequencies(ranking.terms(word, generation.languages))
                held = max(forms, default=0) + 1
                found.append(math.log(1 + (passages - held + 0.5) / (held + 0.5)))
        return tuple(found)

    def article(self, article_id: str) -> Article:
        """The article with this id. Raises InputError when there is none."""
        article = None
        if is_storable(article_id):
            with self._store.read() as generation:
                article = generation.article(article_id)
        if article is None:
            raise InputError(f"no article has the id {article_id!r}; see: citewire index list")
        return article

    def copies(self, article_id: str) -> tuple[Article, ...]:
        """The other articles that repeat this one, in the order of adding. Raises InputError for an unknown id.

        Of an article and its copies, only the earliest added is searched.
        """
        self.article(article_id)
        with self._store.read() as generation:
            original = generation.original_of(article_id) or article_id
            alike = [generation.article(original), *generation.copies(original)]
        return tuple(one for one in alike if one is not None and one.id != article_id)

    def versions(self, article_id: str) -> tuple[Article, ...]:
        """The versions of the document that an article is a state of, or a copy of one: the newest first, itself or its
        original among them. Raises InputError for an unknown id."""
        self.article(article_id)
        with self._store.read() as generation:
            return versions_of(generation, generation.original_of(article_id) or article_id)

    def articles(self) -> list[Article]:
        """Every article, copies included, in the order of adding."""
        with self._store.read() as generation:
            return generation.articles()

    def openings(self, chars: int) -> list[Article]:
        """Every article, copies included, in the order of adding, with no more than the first `chars` of its text."""
        with self._store.read() as generation:
            return generation.openings(chars)

    def passages(self, *, articles: Iterable[str] | None = None) -> Iterator[tuple[Article, Span]]:
        """Every passage that can be found, those of the last added article first; or those of the articles with these
        ids, in their order. The index may change meanwhile."""
        with self._store.read() as generation:
            article_ids = generation.article_ids() if articles is None else list(articles)
        for article_id in article_ids:
            with self._store.read() as generation:
                article, spans = generation.article(article_id), generation.spans(article_id)
            if article is not None:
                yield from ((article, span) for span in spans)

    @property
    def generation(self) -> int:
        """The number of the generation that a search would see; it grows with every change."""
        with self._store.read() as generation:
            return generation.number

    def derived(self, article_id: str) -> Path:
        """A folder for what can be made again from this article; it is deleted when the article changes or goes."""
        return derived.folder(self.home, article_id)

    def has_read(self, path: str | Path) -> bool:
        """Whether this file was read into the index and is still remembered there, removed articles included."""
        uri = self._locations.uri(path)
        with self._store.read() as generation:
            fingerprint, is_excluded = generation.origins().get(uri, ("", False))
            return bool(fingerprint) or is_excluded or uri in generation.article_counts()

    def digests(self) -> dict[str, str]:
        """Article id → a hash of its text, of all articles in one generation: what tells whether one has changed."""
        with self._store.read() as generation:
            return {
                article.id: hashlib.blake2b(article.text.encode(), digest_size=16).hexdigest()
                for article in generation.articles()
            }

    def listing(self) -> list[Listed]:
        """Every article, copies included, in the order of adding, with how it is searched."""
        with self._store.read() as generation:
            rows, left_out = generation.listing(), generation.left_out()
            tags, edits = generation.tags(), generation.edits()
        known = {article.id: article for article, *_ in rows}
        return [
            Listed(
                article,
                passages,
                known.get(copy_of or ""),
                known.get(newer or ""),
                left_out.get(origin or "", ()),
                tags.get(article.id, ()),
                edits.get(article.id, ()),
            )
            for article, passages, copy_of, newer, origin in rows
        ]

    def left_out(self, article_id: str) -> tuple[str, ...]:
        """What was not read of the file that an article comes from, and why."""
        with self._store.read() as generation:
            return generation.left_out().get(generation.origin_of(article_id) or "", ())

    def all_left_out(self) -> dict[str, tuple[str, ...]]:
        """What was not read of each file, by its uri."""
        with self._store.read() as generation:
            return generation.left_out()

    def unread(self) -> tuple[Failure, ...]:
        """The files that were found and of which there is no article, and why."""
        with self._store.read() as generation:
            reasons, counts = generation.left_out(), generation.article_counts()
        return tuple(
            Failure(storable(self._locations.path(uri)), reason)
            for uri, some in reasons.items()
            if uri not in counts
            for reason in some
        )

    def file_kind(self, article_id: str) -> str | None:
        """The ending of the file that an article was read from, such as ".pdf"; None if it comes from no file here."""
        with self._store.read() as generation:
            return source_files.kind_of(generation, article_id)

    def source_file(self, article_id: str) -> SourceFile:
        """The file that an article was read from, if it is there and as it was. Raises InputError, with the reason,
        if it is not."""
        self.article(article_id)
        with self._store.read() as generation:
            return source_files.source_file(generation, self._locations, article_id)

    def picture(self, article_id: str, start: int = 0, end: int = 0, *, page: int | None = None) -> Picture:
        """A page of the PDF that an article was read from, as an image, with `text[start:end]` of the article marked.

        By default it is the page on which these words stand. Raises InputError for an article that is of no PDF, or
        whose file is gone or has changed.
        """
        article = self.article(article_id)
        return source_files.picture(self.source_file(article_id), article, start, end, page)

    def current(self, article: Article) -> Literal["current", "changed", "removed"]:
        """Whether the text of a cited article is what is indexed under its id now: "current", "changed" or "removed".

        Its text alone counts: a citation holds for as long as its words stand where they stood.
        """
        with self._store.read() as generation:
            text = generation.text_of(article.id)
        if text is None:
            return "removed"
        return "current" if text == article.text else "changed"

    def outlets(self) -> tuple[str, ...]:
        """The outlets of the articles, that with the most first."""
        with self._store.read() as generation:
            return generation.outlets()

    def newest(self, n: int, only: Filter = filters.EVERYTHING) -> tuple[str, ...]:
        """Ids of at most `n` articles that pass a filter, the last published first, those without a date last. Copies
        and superseded versions are not among them."""
        with self._store.read() as generation:
            return generation.newest(n, generation.resolved(only))

    def embedded(self, article_ids: Iterable[str]) -> list[tuple[Article, list[tuple[int, Span, NDArray[np.float32]]]]]:
        """These articles with their sentences in order: the start of the passage, the span and the unit vector of each.

        An article that is gone, or a copy, has none and is not among them.
        """
        import numpy as np

        found = []
        with self._store.read() as generation:
            for article_id in article_ids:
                article = generation.article(article_id)
                passages = generation.passages(generation.passage_ids(article_id))
                if article is None or not passages:
                    continue
                placed = [(one.start, *sentence) for one in passages for sentence in one.sentences]
                placed.sort(key=lambda sentence: sentence[1].start)
                ids = np.array([vector_id for _, _, vector_id in placed], dtype=np.int64)
                vectors = zip(placed, generation.vectors.of(ids), strict=True)
                found.append((article, [(start, span, vector) for (start, span, _), vector in vectors]))
        return found

    def last_published(self) -> str | None:
        """The latest date of publication of any article, as it is written there; None when none has one."""
        with self._store.read() as generation:
            return generation.last_published()

    def stats(self) -> Stats:
        """What the index holds."""
        with self._store.read() as generation:
            counts, roots = generation.counts(), generation.roots()
        files = [*self.home.glob(f"{DATABASE}*"), *self.home.glob(FILES)]
        return Stats(
            articles=counts["article"],
            passages=counts["passage"],
            sentences=counts["sentence"],
            generation=generation.number,
            embedder=self.embedder.name,
            sources=tuple(storable(self._locations.path(root)) for root in roots),
            size_bytes=sum(file.stat().st_size for file in files if file.exists()),
        )

    def languages(self, at_most: int = 500) -> dict[str, float]:
        """The languages of the articles, in English, with the share of articles in each, the most frequent first;
        estimated from at most so many articles."""
        with self._store.read() as generation:
            found = generation.languages_of_articles(at_most)
        return {language: number / found.total() for language, number in found.most_common()}

    def faults(self) -> list[Fault]:
        """Everything in the database that is not as it was written; `Index.repair` mends it."""
        return self._store.check()

    def check(self) -> list[str]:
        """Problems of the database and of the FAISS snapshot on disk; empty when both are sound."""
        problems = [str(fault) for fault in self.faults()]
        with self._store.read() as generation:
            return problems + self._snapshots.problems(generation)

    def _origins(self) -> dict[str, tuple[str, bool]]:
        with self._store.read() as generation:
            return generation.origins()

    @contextlib.contextmanager
    def _writing(self, interrupt: Interrupt) -> Iterator[None]:
        """Hold the write lock. Files of a killed rebuild are deleted: they may hold text that was removed since."""
        with lock.write_lock(self.home, interrupt):
            rebuild.forget_leftovers(self.home)
            yield

    def _publish(self, change: Change) -> None:
        changed = {put.article.id for put in change.put} | change.drop
        # Before, so that a kill keeps nothing of a removed text; after, for what others derived meanwhile.
        derived.forget(self.home, changed)
        self._store.publish(change)
        derived.forget(self.home, changed)
        if change:
            with self._store.read() as generation:
                if self._shards is None:
                    self._snapshots.of(generation)
                    generation.words.prepare()
                derived.keep_only(self.home, generation.article_ids())
        if self._shards is not None:
            self._follow(self._shards)

    def _follow(self, shards: Shards) -> None:
        """Let the shards follow what was published. If that fails, searches say that they are not in step."""
        from index.sharded import follow

        try:
            follow(self._store, shards, Interrupt(None, None))
        except Error as error:
            _log.warning("the shards are not in step with the index: %s", error)


def _chosen() -> Embedder:
    """The embedder that CITEWIRE_EMBEDDER names, by default that of models.txt."""
    name = named()
    return RemoteEmbedder(name) if name is not None and is_of_server(name) else SentenceEmbedder()


def _reranked(
    reranker: Reranker,
    query: str,
    hits: list[Hit],
    superseding: Mapping[int, Sequence[int]],
    names: Mapping[int, tuple[str, int]],
) -> list[Hit]:
    """The hits in the order of the reranker, but after those that supersede them; those it is not shown follow in
    theirs. `names` says of a passage where it stands: its article and start."""
    read, rest = hits[: rerankers.CANDIDATES], hits[rerankers.CANDIDATES :]
    scores = reranker.scores(query, [hit.text for hit in read])
    scored = [replace(hit, reranked=score) for hit, score in zip(read, scores, strict=True)]
    ordered = [*sorted(scored, key=lambda hit: -(hit.reranked or 0.0)), *rest]
    by_place = {
        names[older]: [names[one] for one in others if one in names]
        for older, others in superseding.items()
        if older in names
    }
    return precedence.ordered(ordered, lambda hit: (hit.article.id, hit.start), by_place)


def _listed(names: Iterable[str | Path] | str | Path) -> list[str | Path]:
    """One name is as good as a list of one; taken as an iterable, a string would be a list of letters."""
    return [names] if isinstance(names, (str, os.PathLike)) else list(names)


def _make(home: Path) -> None:
    try:
        homes.make(home)
    except OSError as error:
        raise InputError(f"the home {home} cannot be made ({error.strerror}); choose one with --home") from error
