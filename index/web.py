"""Web: a remembered address → articles, as part of a sync run. A page is one article, a feed announces many.

The articles of a feed are fetched from where they stand and kept when they leave the feed. What cannot be fetched is
reported, and what was indexed of it stays. Several servers are asked at once, each for one thing at a time.
"""

from __future__ import annotations

import hashlib
import threading
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from index import fetch, read
from index.article import Article
from index.errors import ReadError
from index.location import storable
from index.read import transcript

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Self

    from index.read.draft import Draft
    from index.run import Interrupt, Run
    from index.store import Store

PAGE_TYPES = ("text/html", "application/xhtml+xml")
FEED_TYPES = ("application/rss+xml", "application/atom+xml", "application/xml", "text/xml", "application/rdf+xml",
              "application/feed+json")  # fmt: skip
DOCUMENTS = {"application/pdf": ".pdf", "text/plain": ".txt", "text/markdown": ".md", "application/epub+zip": ".epub"}
HOSTS_AT_ONCE = 4
"""Servers that are asked at the same time: parsing takes two cores, the rest of the time is waiting."""
LOOK_S = 0.1
"""How often a run that waits for servers looks whether it was stopped."""
MORE_SHARE = 1.2
"""A feed that gives this much more of an article than its page does (a paywall, a notice) gives the article."""


def read_addresses(
    store: Store, fetcher: fetch.Fetcher, addresses: Sequence[str], run: Run, interrupt: Interrupt
) -> None:
    """Fetch the pages and feeds at `addresses` and put what is new or changed into the run. Raises Cancelled only.

    Each server has a queue of its own, so that a slow one holds up only what stands there. First come the pages and
    feeds, then the entries of all the feeds.
    """
    if not addresses:
        return
    with store.read() as generation:
        origins = generation.origins()
    with _Queues(fetcher, interrupt) as queues:

        def ask(address: str, stop: threading.Event) -> _Got:
            fingerprint, is_excluded = origins.get(address, ("", False))
            return _asked(fetcher, address, "" if is_excluded else _stamp(fingerprint), stop)

        feeds: dict[str, _Got] = {}
        for address, got in queues.results(addresses, ask):
            if isinstance(got, ReadError):
                _fail(store, address, got, run)
            elif got.drafts is not None:
                feeds[address] = got
            else:
                _take(store, address, got, run)
        wanted: dict[str, tuple[Draft, str]] = {}
        for address, got in feeds.items():
            for draft in got.drafts or ():
                uri = _uri(draft, address)
                fingerprint, is_excluded = origins.get(uri, ("", False))
                if is_excluded or uri in run.change.origins or uri in wanted:
                    continue
                if fingerprint == _entry_fingerprint(draft):
                    run.count(unchanged=1)
                else:
                    wanted[uri] = (draft, address)

        def ask_entry(uri: str, stop: threading.Event) -> _Got:
            draft, feed = wanted[uri]
            return _asked_entry(fetcher, uri, draft, feeds[feed].transcripts.get(draft.id), stop)

        cut = set()
        for uri, got in queues.results(list(wanted), ask_entry):
            draft, feed = wanted[uri]
            if not _take_entry(store, uri, draft, feed, got, run):
                cut.add(feed)
    for address, got in feeds.items():
        # What failed is tried again at the next sync, so the server must not be asked for news only.
        run.change.origins[address] = _fingerprint("" if address in cut else got.stamp)


@dataclass(frozen=True, slots=True)
class _Got:
    """What an address gave: an article, the entries of a feed, or neither if it has not changed.

    `transcripts` are addresses and media types of transcripts by the identity of their entry. `left_out` says what of
    the article is not read, and why.
    """

    stamp: str
    article: Article | None = None
    drafts: tuple[Draft, ...] | None = None
    transcripts: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()


class _Queues:
    """One queue for each server, HOSTS_AT_ONCE of them at a time, on threads that end with the block."""

    def __init__(self, fetcher: fetch.Fetcher, interrupt: Interrupt) -> None:
        self._fetcher = fetcher
        self._interrupt = interrupt
        self._stop = threading.Event()
        self._threads = ThreadPoolExecutor(HOSTS_AT_ONCE, thread_name_prefix="fetch")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._stop.set()
            self._fetcher.hang_up()
            if not issubclass(kind, Exception):  # Ctrl-C does not wait for what is being parsed
                read.stop()
        self._threads.shutdown(cancel_futures=True)

    def results(
        self, addresses: Sequence[str], ask: Callable[[str, threading.Event], _Got]
    ) -> Iterator[tuple[str, _Got | ReadError]]:
        """What `ask` gives for each address, in their order."""
        found: dict[str, _Got | ReadError] = {}
        queues: dict[str, list[str]] = {}
        for address in addresses:
            queues.setdefault(fetch.host(address), []).append(address)

        def ask_all(queue: Sequence[str]) -> None:
            for address in queue:
                if self._stop.is_set():
                    return
                try:
                    found[address] = ask(address, self._stop)
                except ReadError as error:
                    found[address] = error

        running = {self._threads.submit(ask_all, queue) for queue in queues.values()}
        while running:
            self._interrupt.tick("read", len(found), len(addresses))
            done, running = wait(running, timeout=LOOK_S, return_when=FIRST_COMPLETED)
            for each in done:
                each.result()  # an error of ours is raised here
        self._interrupt.tick("read", len(found), len(addresses))
        for address in addresses:
            yield address, found[address]


def _asked(fetcher: fetch.Fetcher, address: str, stamp: str, stop: threading.Event) -> _Got:
    """The page or feed at an address."""
    got = fetcher.fetch(address, accept=(*FEED_TYPES, *PAGE_TYPES, *DOCUMENTS), stamp=stamp, stop=stop)
    if got.is_unchanged:
        return _Got(got.stamp)
    if read.is_feed(got.content):
        drafts = read.entries(got.content, address=got.address)
        return _Got(got.stamp, drafts=drafts, transcripts=read.transcripts(got.content, address=got.address))
    return _article(got, address)


def _asked_entry(
    fetcher: fetch.Fetcher, uri: str, draft: Draft, place: tuple[str, str] | None, stop: threading.Event
) -> _Got:
    """The article of a feed's entry, and its transcript if the feed announces one."""
    try:
        if draft.url is None:
            raise ReadError("the feed gives no address for it")
        got = _article(fetcher.fetch(draft.url, accept=(*PAGE_TYPES, *DOCUMENTS), stop=stop), uri)
    except ReadError as error:
        if place is None:
            raise
        got = _Got("", left_out=() if draft.url is None else (f"its page cannot be read ({error})",))
    if place is None:
        return got
    try:
        spoken = _transcript(fetcher, *place, stop=stop)
    except ReadError as error:
        if got.article is None:
            raise
        return replace(got, left_out=(*got.left_out, f"its transcript cannot be read ({place[0]}: {error})"))
    article = got.article or _from_entry(uri, draft)
    return replace(got, article=replace(article, text=transcript.together(article.text, spoken)))


def _transcript(fetcher: fetch.Fetcher, address: str, media_type: str, *, stop: threading.Event) -> str:
    kinds = transcript.KINDS
    got = fetcher.fetch(address, accept=tuple(kinds), stop=stop)
    kind = kinds.get(got.media_type) or kinds.get(media_type, ".txt")
    return read.spoken(got.content, kind)


def _fail(store: Store, address: str, error: ReadError, run: Run) -> None:
    with store.read() as generation:
        is_known = bool(generation.origins().get(address, ("", False))[0] or generation.articles(origin=address))
        is_known = is_known or bool(generation.entries(address))
    if address in run.change.roots and not is_known:
        run.change.roots.remove(address)
        run.fail(address, f"{error}. It is not remembered, since nothing was ever read from it")
    else:
        run.fail(address, f"{error}. It stays remembered; to forget it: citewire index remove {address}")


def _take(store: Store, address: str, got: _Got, run: Run) -> None:
    if got.article is not None:
        _put(store, got.article, address, run)
        run.change.origins[address] = _fingerprint(got.stamp)
        _leave_out(address, got.left_out, run)
        return
    with store.read() as generation:
        known = generation.articles(origin=address)
        known += [article for uri in generation.entries(address) for article in generation.articles(origin=uri)]
    run.count(unchanged=len(known))


def _take_entry(store: Store, uri: str, draft: Draft, feed: str, got: _Got | ReadError, run: Run) -> bool:
    """Put an entry's article, or the feed's own words, into the run; False if it is to be fetched again."""
    given = _from_entry(uri, draft) if any(map(str.isalnum, draft.text)) else None
    if isinstance(got, _Got) and got.article is not None:
        is_cut = given is not None and len(given.text) > MORE_SHARE * len(got.article.text)
        _put(store, given if given is not None and is_cut else _merged(got.article, draft), uri, run)
        run.change.origins[uri] = _entry_fingerprint(draft)
        run.change.feeds[uri] = feed
        _leave_out(uri, got.left_out, run)
        return True
    with store.read() as generation:
        is_known = generation.article(read.article_id(uri)) is not None
    if given is not None and not is_known:
        _put(store, given, uri, run)
        run.change.origins[uri] = ""
        run.change.feeds[uri] = feed
    if draft.url is None and given is not None:
        run.change.origins[uri] = _entry_fingerprint(draft)
        return True
    kept = "what was indexed stays" if is_known else "the feed's own words are indexed" if given else "left out"
    run.fail(uri, f"{got} ({kept})")
    return False


def _article(got: fetch.Fetched, address: str) -> _Got:
    """The article fetched from `address`, where a redirect may have led elsewhere; its id is that of `address`."""
    left_out: list[str] = []
    if got.media_type in DOCUMENTS:
        kind = DOCUMENTS[got.media_type]
        article = read.document(got.content, kind, address=got.address, left_out=left_out.append)
    else:
        article = read.page(got.content, address=got.address, charset=got.charset, left_out=left_out.append)
    host = fetch.host(got.address).removeprefix("www.")
    article = replace(article, id=read.article_id(address), source=article.source or host)
    return _Got(got.stamp, article, left_out=tuple(left_out))


def _leave_out(uri: str, reasons: Sequence[str], run: Run) -> None:
    for reason in reasons:
        run.leave_out(uri, reason)
    if reasons:
        run.change.left_out[uri] = tuple(map(storable, reasons))


def _merged(page: Article, draft: Draft) -> Article:
    """The page, with the metadata of the feed where both have it: an editor wrote it for readers."""
    return replace(
        page,
        title=draft.title or page.title,
        source=page.source or draft.source,
        url=page.url or draft.url,
        published=draft.published or page.published,
        author=draft.author or page.author,
        updated=page.updated or (draft.updated if draft.updated != draft.published else None),
        language=page.language or draft.language,
    )


def _from_entry(uri: str, draft: Draft) -> Article:
    return _merged(Article(read.article_id(uri), draft.text, source=draft.source), draft)


def _put(store: Store, article: Article, uri: str, run: Run) -> None:
    with store.read() as generation:
        before, origin = generation.article(article.id), generation.origin_of(article.id)
    run.put(article, before, uri, is_moved=origin != uri)


def _uri(draft: Draft, feed: str) -> str:
    try:
        return fetch.normal(draft.url or "")
    except ReadError:
        return f"{feed}#{draft.id}"


def _entry_fingerprint(draft: Draft) -> str:
    """SHA-256 of all that the feed says of an article: it changes when the feed announces another version."""
    return hashlib.sha256(repr((read.READER_VERSION, draft.values)).encode("utf-8", "surrogatepass")).hexdigest()


def _fingerprint(stamp: str) -> str:
    return f"{read.READER_VERSION}\n{stamp}"


def _stamp(fingerprint: str) -> str:
    """The server's stamp in a fingerprint, empty if another version of the reader wrote it."""
    version, _, stamp = fingerprint.partition("\n")
    return stamp if version == read.READER_VERSION else ""
