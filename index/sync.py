"""Sync: what is new, changed or gone → read, split, embed, publish. Knows no questions and no FAISS.

A run publishes one generation, at its end, whole. What it embedded before being interrupted stays saved, so the
next run embeds only the rest.
"""

from __future__ import annotations

import contextlib
import os
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from index import fetch, read
from index.change import Change, Put
from index.checksum import vector_key
from index.edit import FIELDS, MOST_TAGS, as_read, changed, edited
from index.edit import tag as tag_named
from index.embedder import in_batches
from index.errors import InputError, ReadError
from index.location import UPLOADS, Locations, is_address, is_storable, quoted, real, shown, storable, within
from index.original import settle
from index.run import Interrupt, Run, SyncReport
from index.walk import Found, is_empty, walk
from index.web import read_addresses

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from index.article import Article
    from index.edit import Edit
    from index.embedder import Embedder
    from index.store import Generation, Store

AHEAD = 16
"""Files that are begun before the first of them is taken: enough for every reader while one has a long file."""
LOST_SHARE, LOST_ARTICLES = 0.5, 20
"""A source that has lost so large a share of its articles, and more than so many, is more likely to be unmounted or cut
off than cleaned up: what it lost is kept until somebody says otherwise. A wrong guess costs one command."""
SHOWN_CHARS = 80
"""How much of an unknown id a message repeats; the ids that Citewire makes have 16 characters."""
SAVE_EVERY = 256
"""Sentences embedded between two saves: about five seconds of work on two cores, the most a kill can cost."""


def sync(
    store: Store,
    embedder: Embedder,
    sources: Sequence[str | Path],
    interrupt: Interrupt,
    fetcher: fetch.Fetcher,
    locations: Locations,
    *,
    prune: bool = False,
    edits: Mapping[str, tuple[Edit, ...]] | None = None,
) -> tuple[SyncReport, Change]:
    """Bring the index in step with `sources` and remember them; without any, with those remembered.

    Raises InputError for a source that does not exist, Cancelled when interrupted. A file or address that cannot be
    read is reported and its earlier article stays; so do those of a source that is missing, cannot be looked into or,
    unless `prune`, has lost most of its articles. `edits` are those of articles that the store does not have yet.
    """
    with store.read() as generation:
        remembered = generation.roots()
        origins = generation.origins()
        counts = generation.article_counts()
        reported, known_edits = generation.left_out(), {**(edits or {}), **generation.edits()}
    given = [_source(source, locations, remembered) for source in sources]
    run = Run(edits=known_edits)
    run.change.roots = [uri for uri in dict.fromkeys(given) if uri not in remembered]
    wanted = list(dict.fromkeys(given or remembered))
    files = {locations.path(uri): uri for uri in origins if not is_address(uri) and not _is_note(uri, origins)}
    relinked = _relinked(wanted, locations)
    run.exclude(_removed_below(relinked, origins, given))
    left_out = {locations.path(uri) for uri, (_, excluded) in origins.items() if excluded and uri not in given}
    left_out.update(map(locations.path, run.change.exclude_origins))
    notes = {uri for uri in origins if _is_note(uri, origins)}
    run.change.forget_origins.update(note for note in notes if _file_of(note) in given)

    roots = [locations.path(relinked.get(root, root)) for root in wanted if not is_address(root)]
    roots = list(dict.fromkeys(roots))
    others = [locations.path(root) for root in (*remembered, *given) if not is_address(root)]
    found = walk(roots, others=others, was_file=lambda root: _was_file(root, files))
    for path, reason in found.failed:
        run.fail(path, reason)
    for path, reason in found.left_out.items():
        if path not in left_out and path not in found.files:
            _leave_unread(locations.kept(path), path, reason, run, reported)
    run.change.forget_roots.update(map(locations.kept, found.gone))

    # A file that was read and has no article, as older versions could leave it, is read again.
    known = {path: origins[uri][0] for path, uri in files.items() if not origins[uri][1] and uri in counts}
    for note in run.change.forget_origins:
        known.pop(locations.path(_file_of(note)), None)
    to_read = [Path(path) for path in found.files if path not in left_out]
    notes -= run.change.forget_origins
    interrupt.tick("read", 0, len(to_read))
    with _reading(to_read, known) as readings:
        for done, (file, reading) in enumerate(readings, start=1):
            uri = locations.kept(str(file))
            _take(store, uri, file, reading, run, held=counts.get(uri, 0), left_out=notes, prune=prune)
            interrupt.tick("read", done, len(to_read))

    before = [locations.path(root) for root in relinked]
    cut_off = _drop_gone(store, files, list(dict.fromkeys([*roots, *before])), found, run, prune=prune)
    run.change.forget_origins.difference_update(run.change.origins)
    for root, uri in relinked.items():
        if locations.path(root) not in cut_off:
            run.change.forget_roots.add(root)
            run.change.roots.append(uri)
    run.change.forget_origins.update(note for note in notes if _file_of(note) in run.change.forget_origins)
    read_addresses(store, fetcher, [address for address in wanted if is_address(address)], run, interrupt)
    at, failed = datetime.now(UTC).isoformat(timespec="seconds"), {failure.path for failure in run.report.failed}
    here = [relinked.get(root, root) for root in wanted]
    run.change.read_at = {root: at for root in here if storable(locations.path(root)) not in failed}
    with store.read() as generation:
        _carry_over(generation, run, locations)
    return _finish(store, embedder, run, interrupt)


def add(
    store: Store, embedder: Embedder, articles: Iterable[Article], interrupt: Interrupt
) -> tuple[SyncReport, Change]:
    """Add articles handed in by the caller, or replace those with the same id.

    What the user edited of those stays. Raises InputError for an article without an id or text, or two with one id;
    then nothing is added.
    """
    with store.read() as generation:
        run = Run(edits=generation.edits())
    seen: set[str] = set()
    for article in articles:
        if not article.id or not article.text.strip():
            raise InputError(f"an article needs an id and a text; got id {article.id!r} without them")
        if not all(is_storable(value or "") for value in article.values):
            raise InputError(
                f"article {article.id!r} has lone surrogates in it, which are no characters; leave them out"
            )
        if article.id in seen:
            raise InputError(f"two articles have the id {article.id!r}; give each its own")
        seen.add(article.id)
        with store.read() as generation:
            before, origin = generation.article(article.id), generation.origin_of(article.id)
        run.put(article, before, origin)
    return _finish(store, embedder, run, interrupt)


def remove(
    store: Store,
    embedder: Embedder,
    names: Iterable[str | Path],
    interrupt: Interrupt,
    locations: Locations,
    *,
    only_ids: bool = False,
) -> Change:
    """The change that removes articles by id, or, unless `only_ids`, everything read from a file or folder.

    A copy of what is removed takes its place, for which some sentences may have to be embedded. A file below a
    folder that stays remembered is noted as removed, so that the next sync does not bring it back; adding that very
    file does. Of folders that were added one below the other, each is removed by itself. Raises InputError for a name
    that is neither; then nothing is removed.
    """
    change = Change()
    with store.read() as generation:
        roots, origins = generation.roots(), generation.origins()
        gone: set[str] = set()
        for name in map(str, names):
            article_id = _article_named(generation, name)
            if article_id is not None:
                change.drop.add(article_id)
                continue
            if only_ids:
                raise InputError(f"{name[:SHOWN_CHARS]!r}: no article has this id; see: citewire index list")
            uri, below = _indexed(generation, name, [*roots, *origins], locations)
            leaving = {uri} if uri in roots else {root for root in roots if within(root, uri)}
            change.forget_roots |= leaving
            others = [root for root in roots if root not in leaving and within(root, uri)]
            gone.update(
                one
                for one in below
                if one in leaving or (one not in roots and not any(within(one, other) for other in others))
            )
        for origin in gone:
            change.drop.update(article.id for article in generation.articles(origin=origin))
        for origin, ids in _by_origin(generation, change.drop).items():
            if len(ids) == len(generation.articles(origin=origin)):
                gone.add(origin)
            elif not is_address(origin):
                for article_id in ids:
                    change.origins[_note(origin, article_id)] = ""
                    change.exclude_origins.add(_note(origin, article_id))
        staying = [root for root in roots if root not in change.forget_roots | gone]
        for origin in gone:
            _leave_out(origin, staying, change, feed=generation.feed_of(origin))
        change.forget_origins.update(uri for uri in origins if _is_note(uri, origins) and _file_of(uri) in gone)
    return _finish(store, embedder, Run(change), interrupt)[1]


@dataclass(frozen=True, slots=True)
class Removed:
    """An article that is removed, with all that says where it came from, so that it can be put back.

    `fingerprint` is that of what was read at `origin`, which came by `feed` or was added by itself (`is_root`);
    `left_out` is what was not read of it, `notes` are those of other articles that were removed from the same file.
    `edits` and `tags` are those of the article.
    """

    article: Article
    origin: str | None = None
    fingerprint: str = ""
    feed: str | None = None
    is_root: bool = False
    notes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    edits: tuple[Edit, ...] = ()
    tags: tuple[str, ...] = ()

    @classmethod
    def of(cls, generation: Generation, article_id: str) -> Removed:
        """The article of this id, which is about to be removed. Raises InputError when there is none."""
        article, origin = _article(generation, article_id), generation.origin_of(article_id)
        edits = generation.edits(article_id).get(article_id, ())
        tags = generation.tags(article_id).get(article_id, ())
        if origin is None:
            return cls(article, edits=edits, tags=tags)
        origins = generation.origins()
        notes = tuple(uri for uri in origins if _is_note(uri, origins) and _file_of(uri) == origin)
        fingerprint, _ = origins.get(origin, ("", False))
        feed, is_root = generation.feed_of(origin), origin in generation.roots()
        left_out = generation.left_out().get(origin, ())
        return cls(article, origin, fingerprint, feed, is_root, notes, left_out, edits, tags)


def put_back(store: Store, embedder: Embedder, removed: Sequence[Removed], interrupt: Interrupt) -> Change:
    """The change that puts removed articles back as they were, those apart whose id an article has again."""
    run = Run()
    with store.read() as generation:
        gone = [one for one in removed if generation.article(one.article.id) is None]
    for one in gone:
        article, origin = one.article, one.origin
        run.put(article, None, origin)
        run.change.edits[article.id], run.change.tags[article.id] = one.edits, one.tags
        if origin is not None:
            run.change.origins[origin] = one.fingerprint
            run.change.left_out[origin] = one.left_out
            run.change.feeds.update({origin: one.feed} if one.feed else {})
            run.change.roots += [origin] if one.is_root else []
            run.change.forget_origins.add(_note(origin, article.id))
            run.change.origins.update(dict.fromkeys(one.notes, ""))
            run.change.exclude_origins.update(one.notes)
    run.change.exclude_origins -= run.change.forget_origins
    for note in run.change.forget_origins:
        run.change.origins.pop(note, None)
    return _finish(store, embedder, run, interrupt)[1]


def edit(
    store: Store,
    embedder: Embedder,
    article_id: str,
    values: Mapping[str, str],
    reset: Iterable[str],
    interrupt: Interrupt,
) -> Change:
    """The change that edits fields of an article, "" for none, and gives those of `reset` what was read. Raises
    InputError for an unknown id, or a value that is wrong."""
    run = Run()
    with store.read() as generation:
        article, origin = _article(generation, article_id), generation.origin_of(article_id)
        before = generation.edits(article_id).get(article_id, ())
    edits = changed(before, article, values, reset)
    now, _ = edited(as_read(article, before), edits)
    run.put(now, article, origin)
    run.change.edits[article_id] = tuple(edits)
    return _finish(store, embedder, run, interrupt)[1]


def forget(store: Store, source: str | Path, locations: Locations) -> Change:
    """The change that forgets a remembered source; its articles stay. Raises InputError for one that is not
    remembered."""
    with store.read() as generation:
        roots = generation.roots()
    with contextlib.suppress(InputError):
        names = {_address(source)} if is_address(source) else {locations.uri(source), locations.kept(str(source))}
        names.update(root for root in roots if str(source) in (root, shown(locations.path(root))))
        if found := names.intersection(roots):
            return Change(forget_roots=found)
    raise InputError(f"{source}: no such source is remembered; see: citewire index status")


def set_tags(store: Store, article_id: str, names: Iterable[str]) -> Change:
    """The change that gives an article these tags, each as it is spelled already, and no others. Raises InputError for
    an unknown id or a name that is no tag; then nothing changes."""
    with store.read() as generation:
        _article(generation, article_id)
        known = {one.casefold(): one for one in generation.tag_counts()}
    wanted = {one.casefold(): known.get(one.casefold(), one) for one in map(tag_named, names)}
    if len(wanted) > MOST_TAGS:
        raise InputError(f"an article can have {MOST_TAGS} tags, these are {len(wanted)}")
    return Change(tags={article_id: tuple(wanted.values())})


def tag(store: Store, article_ids: Iterable[str], name: str, *, untag: bool) -> Change:
    """The change that gives articles a tag, in the spelling in which it is known already, or takes it from them.
    Raises InputError for an unknown id or a name that is no tag; then nothing changes."""
    change, wanted = Change(), tag_named(name)
    with store.read() as generation:
        known = {one.casefold(): one for one in generation.tag_counts()}
        spelled = known.get(wanted.casefold(), wanted)
        for article_id in article_ids:
            _article(generation, article_id)
            had = generation.tags(article_id).get(article_id, ())
            now = {*had} - {spelled} if untag else {*had, spelled}
            if len(now) > MOST_TAGS:
                raise InputError(f"the article {article_id!r} has {MOST_TAGS} tags, the most there can be")
            if now != {*had}:
                change.tags[article_id] = tuple(now)
    return change


def embed_missing(store: Store, embedder: Embedder, articles: Iterable[Put], interrupt: Interrupt) -> int:
    """Embed and save the sentences whose vectors are not kept yet; returns how many there were."""
    texts = {
        vector_key(text): text
        for put in articles
        for passage in put.passages
        for text in (sentence.of(put.article.text) for sentence in passage.sentences)
    }
    with store.read() as generation:
        kept = generation.vectors.ids_of(texts.keys())
    # Neighbours in length share a batch, and a batch costs as much as its longest text.
    missing = sorted((key for key in texts if key not in kept), key=lambda key: len(texts[key]))
    batches = [missing[first : first + SAVE_EVERY] for first in range(0, len(missing), SAVE_EVERY)]
    done = 0
    interrupt.tick("embed", done, len(missing))
    vectors = in_batches(embedder, ([texts[key] for key in keys] for keys in batches))
    for keys, found in zip(batches, vectors, strict=True):
        store.save_vectors(keys, found)
        done += len(keys)
        interrupt.tick("embed", done, len(missing))
    return len(missing)


def _finish(store: Store, embedder: Embedder, run: Run, interrupt: Interrupt) -> tuple[SyncReport, Change]:
    run.change.drop -= {put.article.id for put in run.change.put}
    with store.read() as generation:
        settle(generation, run.change)
    if run.change.put:
        run.count(embedded=embed_missing(store, embedder, run.change.put, interrupt))
    return run.report, run.change


def _carry_over(generation: Generation, run: Run, locations: Locations) -> None:
    """Give the edits and tags of articles whose file was moved or renamed to those that have their texts now.

    A file that was moved to another source is gone before this run may see that it is. Of several moved articles with
    one text, each gets those of the one that was most like it.
    """
    edits, tags = generation.edits(), generation.tags()
    if not edits and not tags:
        return
    moved: dict[str, list[Put]] = {}
    for put in run.change.put:
        if generation.article(put.article.id) is None:
            moved.setdefault(put.article.text, []).append(put)
    if not moved:
        return
    dropped = run.change.drop - {put.article.id for put in run.change.put}
    for article_id in sorted(edits.keys() | tags.keys()):
        origin = generation.origin_of(article_id)
        path = None if origin is None or is_address(origin) else locations.path(origin)
        if article_id not in dropped and (path is None or os.path.exists(path)):  # noqa: PTH110 - as in _source
            continue
        article = generation.article(article_id)
        candidates = moved.get(article.text) if article is not None else None
        if article is None or not candidates:
            continue
        was = as_read(article, edits.get(article_id, ()))
        put = min(candidates, key=lambda one: sum(getattr(one.article, f) != getattr(was, f) for f in FIELDS))
        candidates.remove(put)
        put.article, run.change.edits[put.article.id] = edited(put.article, edits.get(article_id, ()))
        run.change.tags[put.article.id] = tags.get(article_id, ())


@dataclass(frozen=True, slots=True)
class _Read:
    """What a file gave: its articles, None if it is as before; why it, or a part of it, could not be read; and which
    parts of it are left out on purpose.

    `fingerprint` is None if nothing could be read.
    """

    fingerprint: str | None
    articles: tuple[Article, ...] | None = None
    failures: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@contextlib.contextmanager
def _reading(paths: Sequence[Path], fingerprints: Mapping[str, str]) -> Iterator[Iterator[tuple[Path, _Read]]]:
    """Each of `paths` with what it gives, in their order; `fingerprints` are those of before.

    Files that other processes parse are read some ahead, several at once.
    """
    readers = ThreadPoolExecutor(read.AT_ONCE)

    def begun(path: Path) -> Callable[[], _Read]:
        try:
            fingerprint = read.fingerprint(path)
        except ReadError as error:
            failed = _Read(None, failures=(str(error),))
            return lambda: failed
        if fingerprint == fingerprints.get(str(path)):
            return lambda: _Read(fingerprint)
        if read.is_parsed_apart(path):
            return readers.submit(_read_file, path, fingerprint).result
        return lambda: _read_file(path, fingerprint)

    def in_order() -> Iterator[tuple[Path, _Read]]:
        ahead: deque[tuple[Path, Callable[[], _Read]]] = deque()
        for path in paths:
            ahead.append((path, begun(path)))
            if len(ahead) > AHEAD:
                path, result = ahead.popleft()
                yield path, result()
        for path, result in ahead:
            yield path, result()

    try:
        yield in_order()
    except BaseException as error:
        readers.shutdown(wait=False, cancel_futures=True)
        if not isinstance(error, Exception):  # Ctrl-C does not wait for what is being parsed
            read.stop()
        raise
    finally:
        readers.shutdown()


def _read_file(path: Path, fingerprint: str) -> _Read:
    for _ in range(read.READ_TRIES):
        failures: list[str] = []
        notes: list[str] = []
        try:
            articles = read.read(path, left_out=failures.append, noted=notes.append, expected=fingerprint)
            return _Read(fingerprint, articles, tuple(failures), tuple(notes))
        except read.ChangedError as error:
            failures.append(str(error))
            with contextlib.suppress(ReadError):
                fingerprint = read.fingerprint(path)
        except ReadError as error:
            return _Read(None, failures=(*failures, str(error)))
    return _Read(None, failures=tuple(failures))


def _take(
    store: Store, uri: str, path: Path, found: _Read, run: Run, *, held: int, left_out: Collection[str], prune: bool
) -> None:
    """Put what a file gave into the change. The index has `held` articles of it."""
    failures, notes = (
        tuple(reason.removeprefix(f"{shown(path)}: ") for reason in reasons)
        for reasons in (found.failures, found.notes)
    )
    for reason in failures:
        run.fail(str(path), reason)
    for reason in notes:
        run.leave_out(str(path), reason)
    if failures or notes:
        run.change.left_out[uri] = tuple(map(storable, failures + notes))
    if found.fingerprint is None:
        # Without a fingerprint it is read again by the next run.
        run.change.origins[uri] = ""
        return
    if found.articles is None:
        run.count(unchanged=held)
        return
    with store.read() as generation:
        before = {article.id: article for article in generation.articles(origin=uri)}
        articles = [_with_own_id(generation, article, uri, len(found.articles), before) for article in found.articles]
    run.change.origins[uri] = found.fingerprint
    articles = [article for article in articles if _note(uri, article.id) not in left_out]
    total = len(before)
    for article in articles:
        run.put(article, before.pop(article.id, None), uri)
    texts = {article.text for article in articles}
    lost = sum(article.text not in texts for article in before.values())
    if found.failures:
        # What cannot be read may be what is missing. Without a fingerprint, the next run reads and reports it again.
        run.change.origins[uri] = ""
    elif _is_suspicious(lost, total) and not prune:
        run.change.origins[uri] = ""
        run.fail(str(path), f"{_loss(lost, total)}; {_to_prune(str(path))}")
    else:
        run.drop(before.values())


def _leave_unread(uri: str, path: str, reason: str, run: Run, reported: Mapping[str, tuple[str, ...]]) -> None:
    """Note a file that is not to be an article; what was reported before is not reported again."""
    run.change.origins[uri] = ""
    run.change.left_out[uri] = (storable(reason),)
    if reported.get(uri) != run.change.left_out[uri]:
        run.leave_out(path, reason)


def _with_own_id(
    generation: Generation, article: Article, uri: str, articles: int, before: Mapping[str, Article]
) -> Article:
    """The article with the id that it had, if the home was moved, and with no id of an article from elsewhere."""
    if article.id in before:
        return article
    if articles == len(before) == 1 and within(uri, UPLOADS):
        return replace(article, id=next(iter(before)))
    origin = generation.origin_of(article.id)
    return article if origin in (None, uri) else replace(article, id=read.article_id(f"{uri}#{article.id}"))


def _drop_gone(
    store: Store, files: Mapping[str, str], roots: Sequence[str], found: Found, run: Run, *, prune: bool
) -> set[str]:
    """Drop the articles of files below `roots` that are gone; `files` are those of before, path → uri.

    Returns the roots and folders that seem cut off, unless `prune`: they keep what they have lost.
    """
    gone = [
        path
        for path in files
        if path not in found.files and found.is_known(path) and any(within(path, root) for root in roots)
    ]
    if not gone:
        return set()
    with store.read() as generation:
        counts = generation.article_counts()
        articles = {path: generation.articles(origin=files[path]) for path in gone if files[path] in counts}
    # A file that was renamed or moved is not lost: its words are found elsewhere.
    texts = {put.article.text for put in run.change.put}
    lost = {
        path: len(its)
        for path, its in articles.items()
        if path not in found.left_out and any(article.text not in texts for article in its)
    }
    cut_off: set[str] = set()
    for root in () if prune else roots:
        missing = sum(number for path, number in lost.items() if within(path, root))
        held = sum(counts.get(uri, 0) for path, uri in files.items() if within(path, root))
        if root not in found.gone and (missing == held > 0 or _is_suspicious(missing, held)):
            cut_off.add(root)
            run.fail(root, f"{_loss(missing, held)}, as if a disk were not mounted; {_to_prune(root)}")
        elif not missing and _is_emptied(root):
            cut_off.add(root)  # what the user removed from it is not to come back with the disk
    for folder, missing in () if prune else _emptied(lost, roots):
        if not any(within(folder, other) for other in cut_off):
            cut_off.add(folder)
            root = next(root for root in roots if within(folder, root))
            run.fail(folder, f"{_loss(missing, missing)}, as if a disk were not mounted; {_to_prune(root)}")
    for path in gone:
        is_moved = path in articles and path not in lost
        if is_moved or not any(within(path, folder) for folder in cut_off):
            run.change.forget_origins.add(files[path])
            run.drop(articles.get(path, ()))
    return cut_off


def _emptied(lost: Mapping[str, int], roots: Sequence[str]) -> list[tuple[str, int]]:
    """Folders below `roots` that are there, empty, and had many articles; with how many they lost."""
    counts: Counter[str] = Counter()
    for path, number in lost.items():
        for folder in map(str, Path(path).parents):
            if any(folder != root and within(folder, root) for root in roots):
                counts[folder] += number
    return [(folder, number) for folder, number in counts.items() if number > LOST_ARTICLES and _is_emptied(folder)]


def _is_emptied(folder: str) -> bool:
    try:
        return is_empty(folder)
    except OSError:
        return False


def _is_suspicious(lost: int, held: int) -> bool:
    return lost > LOST_ARTICLES and lost >= LOST_SHARE * held


def _loss(lost: int, held: int) -> str:
    if lost < held:
        return f"{lost} of its {held} articles are gone"
    return f"all of its {held} articles are gone" if held > 1 else "its only article is gone"


def _to_prune(path: str) -> str:
    return f"what was indexed stays. To remove it: citewire index sync --prune {quoted(path)}"


def _was_file(root: str, files: Mapping[str, str]) -> bool:
    """Whether a root that is not there was a file."""
    if root in files:
        return True
    return read.readable(Path(root)) and not any(within(path, root) for path in files)


def _source(source: str | Path, locations: Locations, remembered: Collection[str]) -> str:
    if is_address(source):
        return _address(source)
    with contextlib.suppress(ValueError):  # no file can have such a name
        uri = locations.uri(source)
        is_there = os.path.exists(locations.path(uri))  # noqa: PTH110 - Path.exists raises for a name that is too long
        if str(source).strip() and (is_there or uri in remembered):
            return uri
    raise InputError(f"{source}: no such file or folder")


def _relinked(roots: Iterable[str], locations: Locations) -> dict[str, str]:
    """Roots that are reached by a link by now, as after their folder was moved → the uris of what it leads to."""
    paths = {root: locations.path(root) for root in roots if not is_address(root)}
    return {
        root: locations.uri(path)
        for root, path in paths.items()
        if real(path) != path and os.path.exists(path)  # noqa: PTH110 - as above
    }


def _removed_below(
    relinked: Mapping[str, str], origins: Mapping[str, tuple[str, bool]], given: Collection[str]
) -> dict[str, str]:
    """What the user removed below such roots, by the uris of today, with its fingerprints."""
    removed = {
        uri + origin[len(root) :]: fingerprint
        for root, uri in relinked.items()
        for origin, (fingerprint, excluded) in origins.items()
        if excluded and within(origin, root)
    }
    return {uri: fingerprint for uri, fingerprint in removed.items() if uri not in given}


def _note(origin: str, article_id: str) -> str:
    """The uri by which the store notes that the user removed one of several articles of a file."""
    return f"{origin}#{article_id}"


def _file_of(note: str) -> str:
    return note.rpartition("#")[0]


def _is_note(uri: str, origins: Mapping[str, tuple[str, bool]]) -> bool:
    return not is_address(uri) and origins[uri][1] and _file_of(uri) in origins


def _article(generation: Generation, article_id: str) -> Article:
    """The article of this id. Raises InputError when there is none."""
    article = generation.article(article_id) if is_storable(article_id) else None
    if article is None:
        raise InputError(f"{article_id[:SHOWN_CHARS]!r}: no article has this id; see: citewire index list")
    return article


def _article_named(generation: Generation, name: str) -> str | None:
    """The article that `name` is the id of, or the note that it was removed from its file."""
    if not is_storable(name):
        return None
    origin, _, article_id = name.rpartition("#")
    if generation.article(name) is not None:
        return name
    return article_id if origin and generation.origin_of(article_id) == origin else None


def _by_origin(generation: Generation, article_ids: Iterable[str]) -> dict[str, set[str]]:
    """The articles among these that were read from somewhere, by their origin."""
    found: dict[str, set[str]] = {}
    for article_id in article_ids:
        origin = generation.origin_of(article_id)
        if origin is not None:
            found.setdefault(origin, set()).add(article_id)
    return found


def _indexed(generation: Generation, name: str, known: Collection[str], locations: Locations) -> tuple[str, list[str]]:
    """The uri that goes by `name`, an address or a path as it is or as it was shown, and the origins below it."""
    candidates: list[str] = []
    if is_address(name):
        candidates.append(_address(name))
    elif name.strip():
        with contextlib.suppress(ValueError):
            path = os.path.abspath(os.path.expanduser(name))  # noqa: PTH100, PTH111 - Path drops what is no good path
            candidates += [locations.uri(name), locations.kept(path)]
        candidates += [uri for uri in known if name in (uri, shown(uri), shown(locations.path(uri)))]
    for uri in candidates:
        below = [one for one in known if within(one, uri)] + generation.entries(uri)
        if below:
            return uri, below
    raise InputError(f"{name}: no article with this id, and nothing indexed from such a path; see: citewire index list")


def _address(source: str | Path) -> str:
    try:
        return fetch.normal(str(source))
    except ReadError as error:
        raise InputError(str(error)) from None


def _leave_out(origin: str, roots: Sequence[str], change: Change, *, feed: str | None) -> None:
    """Forget a file or address, or note that it was removed if a remembered folder or feed would bring it back."""
    change.forget_roots.add(origin)
    if feed in roots or any(within(origin, root) and origin != root for root in roots):
        change.exclude_origins.add(origin)
    else:
        change.forget_origins.add(origin)
