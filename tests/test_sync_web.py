"""Pages and feeds as sources: fetched, kept, polled, removed. The only server is one of the test's own."""

from __future__ import annotations

import json
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from index import Article, Index, InputError
from index.fetch import Fetcher
from index.home import DATABASE
from index.run import Cancelled
from tests.fakes import BagOfWordsEmbedder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.server import BaseHTTPRequestHandler
    from pathlib import Path

    from tests.conftest import Site

TALKS = "The talks broke down in 2009, and both sides left the city without a word to the press. "
SNOW = "Snow fell in Oslo on Sunday night, and the trams stood still until the morning came. "


@pytest.fixture
def index(tmp_path: Path, fetcher: Fetcher) -> Iterator[Index]:
    with Index.open(tmp_path / "home", embedder=BagOfWordsEmbedder(), fetcher=fetcher) as opened:
        yield opened


def page(text: str, head: str = "") -> tuple[int, dict[str, str], bytes]:
    body = f"<body><nav><a href='/'>Home</a></nav><article><p>{text * 4}</p></article></body>"
    return 200, {"Content-Type": "text/html; charset=utf-8"}, f"<html><head>{head}</head>{body}</html>".encode()


def feed(site: Site, *names: str, summary: str = "In short.", stamp: str = "") -> tuple[int, dict[str, str], bytes]:
    items = "".join(
        f"<item><title>{name} &amp;amp; more</title><link>/{name}</link><guid>{name}</guid>"
        f"<pubDate>Wed, 21 Mar 2018 09:30:00 GMT</pubDate><author>By Ann</author>"
        f"<description>{summary}</description></item>"
        for name in names
    )
    body = f'<?xml version="1.0"?><rss version="2.0"><channel><title>The Feed</title>{items}</channel></rss>'
    return 200, {"Content-Type": "application/rss+xml", **({"ETag": stamp} if stamp else {})}, body.encode()


def titles(index: Index) -> set[str | None]:
    return {article.title for article in index.articles()}


def test_a_page_becomes_an_article(site: Site, index: Index) -> None:
    site.replies["/a"] = page(TALKS, "<title>Talks</title><meta property='og:site_name' content='The Post'>")
    report = index.sync([f"{site.address}/a#part"])
    assert (report.added, report.failed) == (1, ())
    (article,) = index.articles()
    assert article.text == (TALKS * 4).strip()
    assert (article.title, article.source, article.url) == ("Talks", "The Post", f"{site.address}/a")
    assert index.stats().sources == (f"{site.address}/a",)
    assert "talks" in index.search("talks broke down")[0].text


def test_a_page_is_read_again_by_a_bare_sync_and_kept_when_it_is_gone(site: Site, index: Index) -> None:
    site.replies["/a"] = page(TALKS)
    index.sync(f"{site.address}/a")
    before = index.articles()
    assert index.sync().unchanged == 1
    site.replies["/a"] = page(SNOW)
    assert index.sync().updated == 1
    assert [article.id for article in index.articles()] == [article.id for article in before]
    site.replies["/a"] = (404, {}, b"")
    report = index.sync()
    assert [failure.path for failure in report.failed] == [f"{site.address}/a"]
    assert "404" in report.failed[0].reason
    assert (report.removed, len(index.articles())) == (0, 1)


def test_a_page_that_did_not_change_is_not_sent_again(site: Site, index: Index) -> None:
    status, headers, body = page(TALKS)
    site.replies["/a"] = (status, {**headers, "ETag": '"1"'}, body)
    index.sync(f"{site.address}/a")
    site.replies["/a"] = (304, {}, b"")
    report = index.sync()
    assert (report.unchanged, report.failed) == (1, ())


def test_what_is_left_out_of_a_page_is_reported_and_remembered(site: Site, index: Index) -> None:
    status, headers, body = page(TALKS)
    damaged = (status, headers, body.replace(b"Home", b"H\xffme"))
    site.replies["/a"] = site.replies["/talks"] = damaged
    site.replies["/feed"] = feed(site, "talks")
    report = index.sync([f"{site.address}/a", f"{site.address}/feed"])
    assert [one.path for one in report.left_out] == [f"{site.address}/a", f"{site.address}/talks"]
    for article in index.articles():
        index.put_back(index.take_out(article.id))
        (reason,) = index.left_out(article.id)
        assert "1 byte that is not UTF-8" in reason
    assert len(index.articles()) == 2


def test_an_entry_whose_address_is_not_fetched_says_so(site: Site, index: Index) -> None:
    status, headers, body = feed(site, "talks", summary="")
    host = site.address.removeprefix("http://")
    headers["Content-Type"] = "text/html"
    site.replies["/feed"] = (status, headers, body.replace(b"/talks", f"http://me:pw@{host}/talks".encode()))
    (failure,) = index.sync(f"{site.address}/feed").failed
    assert "with a user name or password" in failure.reason


def test_an_address_that_cannot_be_one_is_refused(index: Index) -> None:
    for address in ("file:///etc/passwd", "http://user:pw@x.example/"):
        with pytest.raises(InputError):
            index.sync(address)


def test_this_machine_is_no_source(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CITEWIRE_OFFLINE")
    site.replies["/a"] = page(TALKS)
    with Index.open(tmp_path / "other", embedder=BagOfWordsEmbedder()) as index:
        report = index.sync(f"{site.address}/a")
        assert "not on the public internet" in report.failed[0].reason
        assert index.articles() == []
        assert "not remembered" in report.failed[0].reason
        assert index.stats().sources == ()
    assert site.requests == []


def test_an_address_is_remembered_once_it_gave_something(site: Site, index: Index) -> None:
    address = f"{site.address}/a"
    for status, body in ((404, b""), (503, b""), (200, b"<html></html>")):
        site.replies["/a"] = (status, {}, body)
        assert "not remembered" in index.sync(address).failed[0].reason
        assert index.stats().sources == ()
    site.replies["/a"] = page(TALKS)
    index.sync(address)
    site.replies["/a"] = (404, {}, b"")
    for sources in ((), (address,)):
        assert "stays remembered; to forget it: citewire index remove" in index.sync(sources).failed[0].reason
        assert index.stats().sources == (address,)
    index.remove(address)
    assert index.stats().sources == ()


def test_a_redirect_to_the_inside_is_not_remembered_and_not_read(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One server of the two may be reached, as if it were public; what it leads to may not."""
    with Index.open(
        tmp_path / "home",
        embedder=BagOfWordsEmbedder(),
        fetcher=Fetcher(allowed=frozenset(("127.0.0.1",)), pause_s=0, retry_s=0),
    ) as index:
        for number, target in enumerate(("http://127.1.1.1/", "http://[::1]/", "http://0x7f.2/", "//2130706434/")):
            site.replies[f"/{number}"] = (302, {"Location": target}, b"")
            report = index.sync(f"{site.address}/{number}")
            assert "not on the public internet" in report.failed[0].reason
        assert index.stats().sources == ()
        assert index.articles() == []


def test_a_rebuild_keeps_addresses_that_cannot_be_reached_today(site: Site, index: Index, fetcher: Fetcher) -> None:
    site.replies["/a"] = page(TALKS)
    index.sync(f"{site.address}/a")
    index.close()
    site.replies["/a"] = (503, {}, b"")
    Index.rebuild(index.home, embedder=BagOfWordsEmbedder(), fetcher=fetcher)
    with Index.open(index.home, embedder=BagOfWordsEmbedder(), fetcher=fetcher) as rebuilt:
        assert rebuilt.stats().sources == (f"{site.address}/a",)
        assert len(rebuilt.articles()) == 1


def test_the_articles_of_a_feed_are_fetched_whole(site: Site, index: Index) -> None:
    site.replies["/feed"] = feed(site, "talks", "snow")
    site.replies["/talks"], site.replies["/snow"] = page(TALKS, "<title>x</title>"), page(SNOW)
    report = index.sync(f"{site.address}/feed")
    assert (report.added, report.failed) == (2, ())
    article = next(article for article in index.articles() if "talks" in article.text)
    assert article.text == (TALKS * 4).strip()
    assert (article.title, article.author) == ("talks & more", "Ann")
    assert (article.url, article.published) == (f"{site.address}/talks", "2018-03-21T09:30:00+00:00")


def test_what_left_the_feed_is_kept_and_what_is_known_is_not_fetched_again(site: Site, index: Index) -> None:
    site.replies["/talks"], site.replies["/snow"] = page(TALKS), page(SNOW)
    site.replies["/feed"] = feed(site, "talks")
    index.sync(f"{site.address}/feed")
    site.replies["/feed"] = feed(site, "snow")
    report = index.sync()
    assert (report.added, report.removed) == (1, 0)
    assert titles(index) == {"talks & more", "snow & more"}
    report = index.sync()
    assert (report.added, report.updated, report.removed) == (0, 0, 0)
    assert site.paths().count("/snow") == 1
    site.replies["/feed"] = feed(site, "snow", summary="A new version.")
    site.replies["/snow"] = page(SNOW + TALKS)
    assert index.sync().updated == 1


def test_an_entry_that_cannot_be_fetched_gives_its_own_words_until_it_can(site: Site, index: Index) -> None:
    site.replies["/feed"] = feed(site, "talks", summary="Broke down in short.", stamp='"1"')
    report = index.sync(f"{site.address}/feed")
    assert [article.text for article in index.articles()] == ["Broke down in short."]
    assert [failure.path for failure in report.failed] == [f"{site.address}/talks"]
    site.replies["/talks"] = page(TALKS)
    report = index.sync()
    assert (report.updated, report.failed) == (1, ())
    assert [article.text for article in index.articles()] == [(TALKS * 4).strip()]
    site.replies["/talks"] = (500, {}, b"")
    site.replies["/feed"] = feed(site, "talks", summary="Another summary.")
    assert "what was indexed stays" in index.sync().failed[0].reason
    assert [article.text for article in index.articles()] == [(TALKS * 4).strip()]


def test_a_feed_in_trouble_loses_nothing(site: Site, index: Index) -> None:
    site.replies["/feed"], site.replies["/talks"] = feed(site, "talks"), page(TALKS)
    index.sync(f"{site.address}/feed")
    for reply in ((500, {}, b""), (200, {"Content-Type": "application/rss+xml"}, b"<rss"), feed(site)):
        site.replies["/feed"] = reply
        assert index.sync().removed == 0
        assert len(index.articles()) == 1


def test_a_removed_entry_does_not_come_back_and_a_removed_feed_takes_its_articles(site: Site, index: Index) -> None:
    site.replies["/talks"], site.replies["/snow"] = page(TALKS), page(SNOW)
    site.replies["/feed"] = feed(site, "talks", "snow")
    index.sync(f"{site.address}/feed")
    index.add([Article("mine", "Handed in.")])
    assert index.remove(f"{site.address}/talks") == 1
    index.sync()
    assert titles(index) == {"snow & more", None}
    snow = next(article for article in index.articles() if article.title == "snow & more")
    assert index.remove(snow.id) == 1
    assert index.sync().added == 0
    assert index.remove(f"{site.address}/feed") == 0
    assert index.stats().sources == ()
    site.replies["/feed"] = feed(site, "talks", "snow", summary="again")
    index.sync(f"{site.address}/feed")
    assert index.remove(f"{site.address}/feed") == 2
    assert titles(index) == {None}


def test_a_rebuild_keeps_what_left_the_feed(site: Site, index: Index, fetcher: Fetcher) -> None:
    site.replies["/talks"], site.replies["/snow"] = page(TALKS), page(SNOW)
    site.replies["/feed"] = feed(site, "talks")
    index.sync(f"{site.address}/feed")
    site.replies["/feed"] = feed(site, "snow")
    index.close()
    embedder = BagOfWordsEmbedder()
    Index.rebuild(index.home, embedder=embedder, fetcher=fetcher)
    with Index.open(index.home, embedder=embedder, fetcher=fetcher) as rebuilt:
        assert titles(rebuilt) == {"talks & more", "snow & more"}
        assert rebuilt.stats().sources == (f"{site.address}/feed",)
    assert (index.home / DATABASE).exists()


# Many servers, walls, transcripts


def two_names(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """These names lead to this machine, as two servers would."""
    resolve = socket.getaddrinfo

    def known(host: Any, *args: Any, **kwargs: Any) -> Any:
        return resolve("127.0.0.1" if host in names else host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", known)


def test_a_slow_server_does_not_hold_up_the_others(site: Site, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    two_names(monkeypatch, "slow.example", "quick.example")
    is_read = threading.Event()

    def slow(handler: BaseHTTPRequestHandler) -> None:
        if not is_read.wait(20):
            return  # the other server was not asked meanwhile
        status, headers, body = page(SNOW)
        handler.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    def quick(handler: BaseHTTPRequestHandler) -> None:
        is_read.set()
        slow(handler)

    site.replies["/slow"], site.replies["/quick"] = slow, quick
    report = index.sync([f"http://slow.example:{site.port}/slow", f"http://quick.example:{site.port}/quick"])
    assert report.failed == ()
    assert is_read.is_set()


def test_a_run_that_waits_for_a_server_can_be_stopped(site: Site, index: Index) -> None:
    cancel, is_waiting = threading.Event(), threading.Event()

    def silent(handler: BaseHTTPRequestHandler) -> None:
        cancel.set()
        is_waiting.wait(20)

    site.replies["/a"] = silent
    with pytest.raises(Cancelled):
        index.sync(f"{site.address}/a", cancel=cancel)
    is_waiting.set()


@pytest.mark.parametrize(
    ("head", "body"),
    [
        ('<script type="application/ld+json">{"@type":"NewsArticle","isAccessibleForFree":false}</script>', ""),
        (
            '<script type="application/ld+json">{"@type":"NewsArticle","isAccessibleForFree":"False","wordCount":900}'
            "</script>",
            TALKS * 16,
        ),
        ("<meta property='article:content_tier' content='locked'>", ""),
        ("", "<div class='paywall'>Become a member</div>"),
        ("", "<p><a href='/subscribe'>Subscribe.</a></p><p>And then both of them...</p>"),
    ],
)
def test_a_preview_is_not_indexed_as_the_article(site: Site, index: Index, head: str, body: str) -> None:
    site.replies["/a"] = (200, {}, page(TALKS, head)[2].replace(b"</article>", f"{body}</article>".encode()))
    report = index.sync(f"{site.address}/a")
    assert "shows only a preview: subscription needed" in report.failed[0].reason
    assert index.articles() == []
    site.replies["/feed"] = feed(site, "a", summary="The feed says this much.")
    index.sync(f"{site.address}/feed")
    assert [article.text for article in index.articles()] == ["The feed says this much."]


@pytest.mark.parametrize(
    "head",
    [
        '<script type="application/ld+json">{"@type":"NewsArticle","isAccessibleForFree":false,'
        '"wordCount":68}</script>',
        '<script type="application/ld+json">{"@type":"NewsArticle","isAccessibleForFree":true}</script>',
        "<style>.paywall {display: none}</style>",
    ],
)
def test_an_article_that_is_whole_is_no_preview(site: Site, index: Index, head: str) -> None:
    site.replies["/a"] = (200, {}, page(TALKS, head)[2].replace(b"<article>", b"<article class='paywall'>"))
    assert index.sync(f"{site.address}/a").added == 1


def test_an_article_without_spaces_between_words_is_no_preview(site: Site, index: Index) -> None:
    article = {"@type": "NewsArticle", "isAccessibleForFree": False}
    article["hasPart"] = {"isAccessibleForFree": False, "cssSelector": ".paywall"}
    head = f'<script type="application/ld+json">{json.dumps(article)}</script>', ""
    for number, text in enumerate(("会谈破裂，双方离开了这座城市。" * 5, "会谈破裂，双方离开了这座城市。" * 3)):
        body = page(text, head[number])[2].replace(b"<article>", b"<article class='paywall'>")
        site.replies[f"/{number}"] = (200, {"Content-Type": "text/html; charset=utf-8"}, body)
    assert index.sync([f"{site.address}/{number}" for number in range(2)]).failed == ()


def test_consent_forms_and_riddles_are_no_articles(site: Site, index: Index) -> None:
    consent = "We and our partners store cookies on your device. Cookies help us. You consent to this or you do not. "
    site.replies["/a"] = (200, {}, f"<body><main><p>{consent * 2}</p><button>Agree</button></main></body>".encode())
    site.replies["/b"] = (302, {"Location": "/consent/form?back=b"}, b"")
    site.replies["/consent/form?back=b"] = page("Before you go on to The Post. ")
    site.replies["/c"] = (
        200,
        {},
        b"<body><p>Checking that you are no robot.</p><div class='g-recaptcha'></div></body>",
    )
    report = index.sync([f"{site.address}/{name}" for name in "abc"])
    for failure, reason in zip(report.failed, ("consent form", "consent form", "proof"), strict=True):
        assert reason in failure.reason


def test_what_is_spoken_on_a_page_is_part_of_its_article(site: Site, index: Index) -> None:
    spoken = "Good evening. The dam at Oldcastle holds, says the engineer."
    linked = json.dumps({"@graph": [{"@type": "NewsArticle", "video": {"@type": "VideoObject", "transcript": spoken}}]})
    site.replies["/a"] = page(TALKS, f'<script type="application/ld+json">{linked}</script>')
    index.sync(f"{site.address}/a")
    assert index.articles()[0].text == f"{(TALKS * 4).strip()}\n\nTranscript\n\n{spoken}"


@pytest.mark.parametrize(
    ("media_type", "content"),
    [
        (
            "text/vtt",
            "WEBVTT\n\nNOTE made by hand\n\n1\n00:00:01.000 --> 00:00:03.000\n<v Ann>Good evening.\n\n"
            "00:00:03.000 --> 00:00:05.000\n<v Ann>The dam holds.\n\n00:05.000 --> 00:07.000\n"
            "<v Ben>So they <b>say</b>.\n",
        ),
        ("application/srt", "1\r\n00:00:01,000 --> 00:00:03,000\r\nAnn: Good evening.\r\nThe dam holds.\r\n\r\n"
         "2\r\n00:00:04,000 --> 00:00:05,000\r\nBen: So they say."),
        ("application/json", '{"version":"1.0.0","segments":[{"startTime":0.5,"speaker":"Ann","body":"Good evening."},'
         '{"speaker":"Ann","body":"The dam holds."},{"speaker":"Ben","body":"So they say."}]}'),
        ("text/plain", "Ann: Good evening. The dam holds.\n\nBen: So they say."),
        ("text/html", "<p>Ann: Good evening. The dam holds.</p><p>Ben: So they say.</p>"),
    ],
)  # fmt: skip
def test_the_transcript_of_a_podcast_is_read(site: Site, index: Index, media_type: str, content: str) -> None:
    status, headers, body = feed(site, "talks", summary="Episode nine.")
    tag = f"<podcast:transcript url='/spoken' type='{media_type}'/></item>".encode()
    body = body.replace(b"</item>", tag).replace(
        b"<rss", b"<rss xmlns:podcast='https://podcastindex.org/namespace/1.0'"
    )
    site.replies["/feed"], site.replies["/talks"] = (status, headers, body), page(TALKS)
    site.replies["/spoken"] = (200, {"Content-Type": media_type}, content.encode())
    assert index.sync(f"{site.address}/feed").failed == ()
    (article,) = index.articles()
    written, _, spoken = article.text.partition("\n\nTranscript\n\n")
    assert written == (TALKS * 4).strip()
    assert " ".join(spoken.split()) == "Ann: Good evening. The dam holds. Ben: So they say."
