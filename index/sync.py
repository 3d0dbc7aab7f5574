"""Sync: what is new, changed or gone → read, split, embed, publish. Knows no questions and no FAISS.

A run publishes one generation, at its end, whole. What it embedded before being interrupted stays saved, so the
next run embeds only the rest.
"""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from index import fetch, read
from index.duplicate import Story
from index.errors import Error, InputError, ReadError
from index.original import settle
from index.store import Change, Put, vector_key
from index.web import read_address

if TYPE_CHECKING:
    import threading

    from index.article import Article
    from index.embedder import Embedder
    from index.store import Store

Progress = Callable[[str, int, int], None]
"""Hears (stage, done, total); stage is "wait" (another run writes), "read" (files, pages) or "embed" (sentences)."""

AHEAD = 16
"""Files that are begun before the first of them is taken: enough for every reader while one has a long file."""
SHOWN_CHARS = 80
"""How much of an unknown id a message repeats; the ids that Citewire makes have 16 characters."""
SAVE_EVERY = 256
"""Sentences embedded between two saves: about five seconds of work on two cores, the most a kill can cost."""


class Cancelled(Error):  # noqa: N818 - the run was asked to stop; nothing is wrong
    """A run that was asked to stop; nothing was published, what it embedded is kept for the next run."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that was skipped, and why. What was indexed from it before stays."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a run did: articles added, updated, removed and unchanged, sentences embedded, files failed."""

    added: int = 0
    updated: int = 0
    removed: int = 0
    unchanged: int = 0
    failed: tuple[Failure, ...] = ()
    embedded: int = 0

    def __str__(self) -> str:
        """One line for people."""
        return (
            f"{self.added} added, {self.updated} updated, {self.removed} removed, {self.unchanged} unchanged, "
            f"{len(self.failed)} failed; {self.embedded} sentences embedded"
        )

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready mapping."""
        failed = [{"path": failure.path, "reason": failure.reason} for failure in self.failed]
        names = ("added", "updated", "removed", "unchanged", "embedded")
        return {**{name: getattr(self, name) for name in names}, "failed": failed}


@dataclass(slots=True)
class Run:
    """A change as it grows, with its counts."""

    change: Change = field(default_factory=Change)
    report: SyncReport = field(default_factory=SyncReport)

    def count(self, **counts: int) -> None:
        """Add to the report's numbers."""
        self.report = replace(self.report, **{name: getattr(self.report, name) + n for name, n in counts.items()})

    def fail(self, path: str, reason: str) -> None:
        """Note a file or address that could not be read."""
        self.report = replace(self.report, failed=(*self.report.failed, Failure(path, reason)))

    def put(self, article: Article, before: Article | None, origin: str | None, *, is_moved: bool = False) -> None:
        """Add or replace an article, unless it is as before and comes from the same place."""
        if before == article and not is_moved:
            self.count(unchanged=1)
            return
        self.change.put.append(Put(article, origin, Story(article.text).keys()))
        self.count(**{"added" if before is None else "updated": 1})

    def drop(self, articles: Iterable[Article]) -> None:
        """Remove articles."""
        for article in articles:
            self.change.drop.add(article.id)
            self.count(removed=1)


class Interrupt:
    """Tells a run to go on, or raises Cancelled; reports progress on the way."""

    def __init__(self, progress: Progress | None, cancel: threading.Event | None) -> None:
        """Either may be None."""
        self._progress = progress
        self._cancel = cancel

    def tick(self, stage: str, done: int, total: int) -> None:
        """Report, and raise Cancelled when the run shall stop."""
        if self._progress is not None:
            self._progress(stage, done, total)
        if self._cancel is not None and self._cancel.is_set():
            raise Cancelled("stopped; what was indexed before is whole, and the next run continues from here")


def sync(
    store: Store, embedder: Embedder, sources: Sequence[str | Path], interrupt: Interrupt, fetcher: fetch.Fetcher
) -> tuple[SyncReport, Change]:
    """Bring the index in step with `sources` and remember them; without any, with those remembered.

    Raises InputError for a source that does not exist, Cancelled when interrupted. A file or address that cannot be
    read is reported and its earlier article stays; a folder that is missing or unreadable loses nothing either.
    """
    given = [_uri(source) for source in sources]
    with store.read() as generation:
        known_roots = generation.roots()
        origins = generation.origins()
    run = Run()
    run.change.roots = [uri for uri in given if uri not in known_roots]
    paths = [root for root in given or known_roots if not is_address(root)]
    addresses = [root for root in given or known_roots if is_address(root)]
    found, unreachable = _walk(paths, run)
    run.change.forget_roots.update(root for root in paths if not Path(root).exists() and root in origins)

    known = {uri: "" if excluded else fingerprint for uri, (fingerprint, excluded) in origins.items()}
    left_out = {uri for uri, (_, excluded) in origins.items() if excluded and uri not in given}
    wanted = [path for path in found if str(path) not in left_out]
    interrupt.tick("read", 0, len(wanted))
    with _reading(wanted, known) as readings:
        for done, (path, found_in_it) in enumerate(readings, start=1):
            _take(store, path, found_in_it, run)
            interrupt.tick("read", done, len(wanted))

    seen = {str(path) for path in found}
    for uri in origins:
        covered = any(_within(uri, root) for root in paths)
        protected = any(_within(uri, folder) for folder in unreachable)
        if covered and not protected and uri not in seen:
            run.change.forget_origins.add(uri)
            with store.read() as generation:
                run.drop(generation.articles(origin=uri))
    for address in addresses:
        read_address(store, fetcher, address, run, interrupt)
    return _finish(store, embedder, run, interrupt)


def add(
    store: Store, embedder: Embedder, articles: Iterable[Article], interrupt: Interrupt
) -> tuple[SyncReport, Change]:
    """Add articles handed in by the caller, or replace those with the same id.

    Raises InputError for an article without an id or text, or two with one id; then nothing is added.
    """
    run = Run()
    seen: set[str] = set()
    for article in articles:
        if not article.id or not article.text.strip():
            raise InputError(f"an article needs an id and a text; got id {article.id!r} without them")
        if article.id in seen:
            raise InputError(f"two articles have the id {article.id!r}; give each its own")
        seen.add(article.id)
        with store.read() as generation:
            before, origin = generation.article(article.id), generation.origin_of(article.id)
        run.put(article, before, origin)
    return _finish(store, embedder, run, interrupt)


def remove(
    store: Store, embedder: Embedder, names: Iterable[str | Path], interrupt: Interrupt, *, only_ids: bool = False
) -> Change:
    """The change that removes articles by id, or, unless `only_ids`, everything read from a file or folder.

    A copy of what is removed takes its place, for which some sentences may have to be embedded. A file below a
    folder that stays remembered is noted as removed, so that the next sync does not bring it back; adding that very
    file does. Raises InputError for a name that is neither; then nothing is removed.
    """
    change = Change()
    with store.read() as generation:
        roots, origins = generation.roots(), generation.origins()
        for name in map(str, names):
            article = generation.article(name)
            if article is not None:
                change.drop.add(article.id)
                origin = generation.origin_of(article.id)
                if origin is not None and len(generation.articles(origin=origin)) == 1:
                    _leave_out(origin, roots, change, feed=generation.feed_of(origin))
                continue
            if only_ids:
                raise InputError(f"{name[:SHOWN_CHARS]!r}: no article has this id; see: citewire index list")
            uri = _address(name) if is_address(name) else str(Path(name).expanduser().absolute())
            below = [origin for origin in origins if _within(origin, uri)]
            below = list(dict.fromkeys(below + generation.entries(uri)))
            if not below and uri not in roots:
                raise InputError(
                    f"{name}: no article with this id, and nothing indexed from such a path; see: citewire index list"
                )
            change.forget_roots.update(root for root in roots if _within(root, uri))
            staying = [root for root in roots if root not in change.forget_roots]
            for origin in below:
                change.drop.update(article.id for article in generation.articles(origin=origin))
                _leave_out(origin, staying, change, feed=generation.feed_of(origin))
    return _finish(store, embedder, Run(change), interrupt)[1]


def embed_missing(store: Store, embedder: Embedder, articles: Iterable[Put], interrupt: Interrupt) -> int:
    """Embed and save the sentences whose vectors are not kept yet; returns how many there were."""
    texts = {
        vector_key(text): text
        for put in articles
        for passage in put.passages
        for text in (sentence.of(put.article.text) for sentence in passage.sentences)
    }
    with store.read() as generation:
        kept = generation.vector_ids(texts.keys())
    # Neighbours in length share a batch, and a batch costs as much as its longest text.
    missing = sorted((key for key in texts if key not in kept), key=lambda key: len(texts[key]))
    for first in range(0, len(missing), SAVE_EVERY):
        interrupt.tick("embed", first, len(missing))
        keys = missing[first : first + SAVE_EVERY]
        store.save_vectors(keys, embedder.embed_documents([texts[key] for key in keys]))
    interrupt.tick("embed", len(missing), len(missing))
    return len(missing)


def _finish(store: Store, embedder: Embedder, run: Run, interrupt: Interrupt) -> tuple[SyncReport, Change]:
    if run.change:
        with store.read() as generation:
            settle(generation, run.change)
    if run.change.put:
        run.count(embedded=embed_missing(store, embedder, run.change.put, interrupt))
    return run.report, run.change


@dataclass(frozen=True, slots=True)
class _Read:
    """What a file gave: its articles, None if it is as before; and why it, or a part of it, could not be read.

    `fingerprint` is None if nothing could be read.
    """

    fingerprint: str | None
    articles: tuple[Article, ...] | None = None
    failures: tuple[str, ...] = ()


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
    failures: list[str] = []
    try:
        articles = read.read(path, left_out=failures.append)
    except ReadError as error:
        return _Read(None, failures=(*failures, str(error)))
    return _Read(fingerprint, articles, tuple(failures))


def _take(store: Store, path: Path, found: _Read, run: Run) -> None:
    """Put what a file gave into the change."""
    uri = str(path)
    for reason in found.failures:
        run.fail(uri, reason.removeprefix(f"{uri}: "))
    if found.fingerprint is None:
        return
    with store.read() as generation:
        before = {article.id: article for article in generation.articles(origin=uri)}
    if found.articles is None:
        run.count(unchanged=len(before))
        return
    run.change.origins[uri] = found.fingerprint
    for article in found.articles:
        run.put(article, before.pop(article.id, None), uri)
    run.drop(before.values())


def _walk(roots: Sequence[str], run: Run) -> tuple[list[Path], list[str]]:
    """Files to read below `roots`, in order, and folders that could not be looked into."""
    found: dict[Path, None] = {}
    unreachable: list[str] = []

    def unreadable(error: OSError) -> None:
        folder = str(error.filename)
        unreachable.append(folder)
        run.fail(folder, f"cannot be listed ({error.strerror}); what was indexed from it stays")

    for root in map(Path, roots):
        if root.is_file():
            found[root] = None
        elif root.is_dir():
            found.update(dict.fromkeys(_files(root, unreadable, run)))
        elif not _was_file(root):
            unreachable.append(str(root))
            run.fail(
                str(root),
                f"folder not found; what was indexed from it stays. To forget it: citewire index remove {root}",
            )
    return list(found), unreachable


def _files(root: Path, onerror: Callable[[OSError], None], run: Run) -> Iterator[Path]:
    for folder, subfolders, names in os.walk(root, onerror=onerror):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in sorted(names):
            path = Path(folder, name)
            if name.startswith(".") or read.is_sidecar(path):
                continue
            if path.is_symlink() and not path.resolve().is_relative_to(root.resolve()):
                run.fail(str(path), "a link that leads out of the folder; add its target itself")
            elif not read.readable(path):
                run.fail(str(path), f"no reader for {path.suffix or 'a file without an ending'}")
            else:
                yield path


def _was_file(root: Path) -> bool:
    return read.readable(root)


def _uri(source: str | Path) -> str:
    if is_address(source):
        return _address(source)
    path = Path(source).expanduser().absolute()
    path = Path(os.path.normpath(path))
    if not path.exists():
        raise InputError(f"{source}: no such file or folder")
    return str(path)


def is_address(source: str | Path) -> bool:
    """Whether a source is an address of the web rather than a path."""
    return isinstance(source, str) and "://" in source


def _address(source: str | Path) -> str:
    try:
        return fetch.normal(str(source))
    except ReadError as error:
        raise InputError(str(error)) from None


def _within(uri: str, root: str) -> bool:
    return uri == root or uri.startswith(root.rstrip(os.sep) + os.sep)


def _leave_out(origin: str, roots: Sequence[str], change: Change, *, feed: str | None) -> None:
    """Forget a file or address, or note that it was removed if a remembered folder or feed would bring it back."""
    if feed in roots or any(_within(origin, root) and origin != root for root in roots):
        change.exclude_origins.add(origin)
    else:
        change.forget_origins.add(origin)
        change.forget_roots.add(origin)
