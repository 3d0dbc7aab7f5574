"""Web: a remembered address → articles, as part of a sync run. A page is one article, a feed announces many.

The articles of a feed are fetched from where they stand and kept when they leave the feed. What cannot be fetched is
reported, and what was indexed of it stays.
"""

from __future__ import annotations

import hashlib
from dataclasses import astuple, replace
from typing import TYPE_CHECKING

from index import fetch, read
from index.article import Article
from index.errors import ReadError

if TYPE_CHECKING:
    from index.read.draft import Draft
    from index.run import Interrupt, Run
    from index.store import Store

PAGE_TYPES = ("text/html", "application/xhtml+xml")
FEED_TYPES = ("application/rss+xml", "application/atom+xml", "application/xml", "text/xml", "application/rdf+xml",
              "application/feed+json")  # fmt: skip
DOCUMENTS = {"application/pdf": ".pdf", "text/plain": ".txt", "text/markdown": ".md", "application/epub+zip": ".epub"}
MORE_SHARE = 1.2
"""A feed that gives this much more of an article than its page does (a paywall, a notice) gives the article."""


def read_address(store: Store, fetcher: fetch.Fetcher, address: str, run: Run, interrupt: Interrupt) -> None:
    """Fetch the page or feed at `address` and put what is new or changed into the run. Raises Cancelled only."""
    interrupt.tick("read", 0, 1)
    with store.read() as generation:
        fingerprint, is_excluded = generation.origins().get(address, ("", False))
        known = generation.articles(origin=address)
        entries = generation.entries(address)
        known += [article for uri in entries for article in generation.articles(origin=uri)]
    try:
        got = fetcher.fetch(
            address,
            accept=(*FEED_TYPES, *PAGE_TYPES, *DOCUMENTS),
            stamp="" if is_excluded else _stamp(fingerprint),
        )
        if got.is_unchanged:
            run.count(unchanged=len(known))
        elif read.is_feed(got.content):
            is_whole = _read_feed(store, fetcher, address, got, run, interrupt)
            # What failed is tried again at the next sync, so the server must not be asked for news only.
            run.change.origins[address] = _fingerprint(got.stamp if is_whole else "")
        else:
            _put(store, _article(got, address), address, run)
            run.change.origins[address] = _fingerprint(got.stamp)
    except ReadError as error:
        if address in run.change.roots and not known and not fingerprint:
            run.change.roots.remove(address)
            run.fail(address, f"{error}. It is not remembered, since nothing was ever read from it")
        else:
            run.fail(address, f"{error}. It stays remembered; to forget it: citewire index remove {address}")
    interrupt.tick("read", 1, 1)


def _read_feed(
    store: Store, fetcher: fetch.Fetcher, address: str, got: fetch.Fetched, run: Run, interrupt: Interrupt
) -> bool:
    """Read the entries that are new or changed; False if any could not be fetched."""
    drafts = read.entries(got.content, address=got.address)
    with store.read() as generation:
        origins = generation.origins()
    is_whole = True
    for done, draft in enumerate(drafts):
        interrupt.tick("read", done, len(drafts))
        uri = _uri(draft, address)
        fingerprint, is_excluded = origins.get(uri, ("", False))
        if is_excluded or uri in run.change.origins:
            continue
        if fingerprint == _entry_fingerprint(draft):
            run.count(unchanged=1)
            continue
        is_whole &= _read_entry(store, fetcher, uri, draft, address, run)
    interrupt.tick("read", len(drafts), len(drafts))
    return is_whole


def _read_entry(store: Store, fetcher: fetch.Fetcher, uri: str, draft: Draft, feed: str, run: Run) -> bool:
    given = _from_entry(uri, draft) if any(map(str.isalnum, draft.text)) else None
    try:
        if draft.url is None:
            raise ReadError("the feed gives no address for it")
        page = _article(fetcher.fetch(uri, accept=(*PAGE_TYPES, *DOCUMENTS)), uri)
        is_cut = given is not None and len(given.text) > MORE_SHARE * len(page.text)
        _put(store, given if given is not None and is_cut else _merged(page, draft), uri, run)
        run.change.origins[uri] = _entry_fingerprint(draft)
        run.change.feeds[uri] = feed
        return True
    except ReadError as error:
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
        run.fail(uri, f"{error} ({kept})")
        return False


def _article(got: fetch.Fetched, address: str) -> Article:
    """The article fetched from `address`, where a redirect may have led elsewhere; its id is that of `address`."""
    if got.media_type in DOCUMENTS:
        article = read.document(got.content, DOCUMENTS[got.media_type], address=got.address)
    else:
        article = read.page(got.content, address=got.address, charset=got.charset)
    host = fetch.host(got.address).removeprefix("www.")
    return replace(article, id=read.article_id(address), source=article.source or host)


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
    return hashlib.sha256(repr((read.READER_VERSION, astuple(draft))).encode("utf-8", "surrogatepass")).hexdigest()


def _fingerprint(stamp: str) -> str:
    return f"{read.READER_VERSION}\n{stamp}"


def _stamp(fingerprint: str) -> str:
    """The server's stamp in a fingerprint, empty if another version of the reader wrote it."""
    version, _, stamp = fingerprint.partition("\n")
    return stamp if version == read.READER_VERSION else ""
