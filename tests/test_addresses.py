"""Addresses of articles and conversations without a browser: what they name, whom they let in, and where they lead."""

from __future__ import annotations

import urllib.error
import urllib.request
from http.cookiejar import CookieJar
from typing import TYPE_CHECKING

import pytest

from index import Article, Index
from rag import Engine
from tests.fakes import BagOfWordsEmbedder, ScriptedLLM
from ui import links, web
from ui.page_token import PageToken

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TEXT = "The talks broke down."


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A page with a token, which a proxy has under /news."""
    home: Path = tmp_path_factory.mktemp("home")
    with Index.open(home, embedder=BagOfWordsEmbedder()) as index:
        index.add([Article("talks", TEXT)])
        demo = web.build(Engine.open(index=index, llm=ScriptedLLM("")))
        yield web.launch(demo, token=PageToken("secret-of-the-page"), root_path="/news").partition("?")[0].rstrip("/")
        demo.close(verbose=False)


def test_an_address_with_the_token_leads_to_itself_without_it(address: str) -> None:
    seen: list[str] = []

    class Seen(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, req, fp, code, msg, headers, newurl):  # type: ignore[no-untyped-def]
            seen.append(newurl)
            return super().redirect_request(req, fp, code, msg, headers, newurl)

    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()), Seen)
    root = address.removesuffix("/news")
    for path in ("article/a%2Fb?start=1&end=2", "c/x"):
        mark = "&" if "?" in path else "?"
        with browser.open(f"{root}/{path}{mark}token=secret-of-the-page") as reply:
            page = reply.read().decode()
        assert seen.pop() == f"{root}/{path}"
        assert '<base href="../" />' in page
        assert f'"root":"{root}/news"' in page.replace(": ", ":")
    with browser.open(f"{root}/news/article/talks") as reply:  # a proxy that does not take its path away
        assert reply.status == 200
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{root}/article/talks")
    for path in ("article/", "article/a/b", "article", "other/x", "c//x"):
        with pytest.raises(urllib.error.HTTPError, match="403"):
            browser.open(f"{root}/{path}")


@pytest.mark.parametrize("name", ["talks", "a/b", "https://x.example/?q=1#2", "ä ö", "\ud800", '"><script>', "%2F"])
def test_an_id_of_any_kind_has_an_address_of_one_part(name: str) -> None:
    for made in (links.article(name, 3, 9), links.conversation(name), links.briefing(name)):
        path = f"/{made.partition('?')[0]}"
        assert path.count("/") == 2
        assert set(path[1:]) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-~/%")
        assert links.last_segment({"path": "", "raw_path": path.encode()}) == path.rpartition("/")[2].encode()


@pytest.mark.parametrize(
    ("start", "end", "found"),
    [
        ("0", "3", (0, 3)), (None, None, (0, 0)), ("", "", (0, 0)), ("3", "3", None), ("4", "3", None),
        ("-1", "3", None), ("0", "99", None), ("x", "3", None), ("1.5", "3", None), ("²", "3", None),
        ("1" * 5000, "3", None), (0, 3, None), ("0", None, None),
    ],
)  # fmt: skip
def test_a_place_is_words_of_the_text_or_none(start: object, end: object, found: tuple[int, int] | None) -> None:
    assert links.span(start, end, TEXT) == found
