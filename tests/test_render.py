"""ui/render.py: what is shown is exact, and inert."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from index.article import Article, Span
from index.search import Hit
from rag.answer import Answer, Citation, Claim, Reason, Source
from ui import render

ARTICLE = Article(
    id="a1",
    text="Talks began in 2003. They broke down in 2009. Nobody has restarted them since.",
    title="Six-party talks",
    source="Sputnik",
    url="https://example.org/talks?a=1&b=2",
    published="2017-04-27T12:00:00+00:00",
)
PAYLOADS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg/onload=alert(1)>',
    "</bdi></p></section><iframe src=https://evil.example>",
    "' onmouseover='alert(1)",
    "&lt;b&gt;already escaped&lt;/b&gt;",
    "[link](javascript:alert(1)) ![i](https://evil.example/x.png) $$\\href{javascript:alert(1)}{x}$$",
    "lone \ud800 surrogate",
)


class Page(HTMLParser):
    """What a browser would make of some HTML: its elements, its visible text and the text of its marks."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.marked: dict[str, str] = {}
        self._mark: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "mark":
            self._mark = (dict(attrs)["data-quotes"] or "").split()

    def handle_endtag(self, tag: str) -> None:
        if tag == "mark":
            self._mark = []

    def handle_data(self, data: str) -> None:
        self.text += data
        for number in self._mark:
            self.marked[number] = self.marked.get(number, "") + data

    def values(self, name: str) -> list[str]:
        return [attributes[name] or "" for _, attributes in self.elements if name in attributes]


def source(article: Article, number: int = 1) -> Source:
    return Source(number, Hit(article, 0, len(article.text), 1.0, 1.0, 1.0, Span(0, 1)))


def cite(article: Article, words: str, number: int = 1) -> Citation:
    start = article.text.index(words)
    return Citation(number, article, start, start + len(words))


def said(text: str, *claims: Claim, article: Article = ARTICLE, **more: object) -> Answer:
    return Answer("Q?", text, claims, more.pop("sources", (source(article),)), **more)  # type: ignore[arg-type]


def claim(text: str, whole: str, *citations: Citation) -> Claim:
    start = whole.index(text)
    return Claim(text, start, start + len(text), citations, 0.9 if citations else 0.1, bool(citations))


def test_a_marker_leads_to_the_quote_and_the_quote_is_marked_exactly() -> None:
    text = "They broke down in 2009."
    answer = said(text, claim(text, text, cite(ARTICLE, "They broke down in 2009.")))
    bubble = Page(render.answer(answer, exchange_number=3))
    panel = Page(render.sources(answer, exchange_number=3))
    assert bubble.text == "They broke down in 2009.[1]"
    assert bubble.values("href") == ["#quote-3-1"]
    assert panel.values("id") == ["quote-3-1"]
    assert panel.marked == {"1": "They broke down in 2009."}
    assert "Six-party talks" in panel.text
    assert "Sputnik · 27 April 2017" in panel.text


def test_overlapping_quotes_are_each_marked_whole() -> None:
    first, second = cite(ARTICLE, "in 2003. They broke", 1), cite(ARTICLE, "They broke down", 2)
    text = "It began. It ended."
    answer = said(text, claim("It began.", text, first), claim("It ended.", text, second))
    panel = Page(render.sources(answer, exchange_number=1))
    assert panel.marked == {"1": first.quote, "2": second.quote}
    assert len(panel.values("id")) == len(set(panel.values("id"))) == 2


def test_a_quote_in_two_overlapping_passages_has_one_anchor() -> None:
    text = "It ended."
    hits = (source(ARTICLE), source(ARTICLE, 2))
    answer = said(text, claim(text, text, cite(ARTICLE, "broke down in 2009")), sources=hits)
    panel = Page(render.sources(answer, exchange_number=1))
    assert panel.values("id") == ["quote-1-1"]
    assert panel.marked == {"1": "broke down in 2009"}


def test_a_quote_outside_every_passage_is_shown_in_its_surroundings() -> None:
    text = "It ended."
    answer = said(text, claim(text, text, cite(ARTICLE, "broke down in 2009")), sources=())
    panel = Page(render.sources(answer, exchange_number=1))
    assert panel.marked == {"1": "broke down in 2009"}
    assert "Talks began in 2003." in panel.text


def test_an_unsupported_sentence_says_so_in_words() -> None:
    text = "They broke down in 2009. The weather was fine."
    answer = said(
        text,
        claim("They broke down in 2009.", text, cite(ARTICLE, "in 2009")),
        claim("The weather was fine.", text),
    )
    shown = Page(render.answer(answer, exchange_number=1)).text
    assert shown == f"They broke down in 2009.[1] The weather was fine. [{render.NOT_FOUND}]"


def test_words_between_the_claims_are_kept() -> None:
    text = "First:\n1. They broke down in 2009.\nThat is all"
    answer = said(text, claim("They broke down in 2009.", text, cite(ARTICLE, "in 2009")))
    shown = Page(render.answer(answer, exchange_number=1)).text
    assert shown == "First:\n1. They broke down in 2009.[1]\nThat is all"


def test_a_refusal_gives_its_reason() -> None:
    answer = said("The articles do not say.", refused=True, reason=Reason.NOTHING_RELEVANT)
    shown = Page(render.answer(answer, exchange_number=1)).text
    assert "The articles do not say." in shown
    assert str(Reason.NOTHING_RELEVANT) in shown


def test_a_stopped_answer_keeps_the_draft_and_says_it_was_stopped() -> None:
    stopped = said("", refused=True, reason=Reason.CANCELLED)
    shown = Page(render.answer(stopped, exchange_number=1, draft="They broke")).text
    assert shown.startswith("They broke")
    assert render.STOPPED in shown
    assert "not been checked" in shown


def test_a_stopped_answer_keeps_the_citations_of_its_whole_sentences() -> None:
    text = "They broke down in 2009. And then"
    first = claim("They broke down in 2009.", text, cite(ARTICLE, "in 2009"))
    stopped = said(text, first, claim("And then", text), reason=Reason.CANCELLED)
    shown = Page(render.answer(stopped, exchange_number=1))
    assert shown.values("href") == ["#quote-1-1"]
    assert render.STOPPED in shown.text


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        " javascript:alert(1)",
        "java\nscript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "file:///etc/passwd",
        "//evil.example/x",
        "https:evil",
        "https://[broken",
        "https://ok.example/\u202egnp.exe",
        "",
        None,
    ],
)
def test_only_plain_web_addresses_become_links(url: str | None) -> None:
    assert render.safe_url(url) is None


def test_a_link_out_gives_nothing_away() -> None:
    text = "It ended."
    answer = said(text, claim(text, text, cite(ARTICLE, "in 2009")))
    [link] = [attrs for tag, attrs in Page(render.sources(answer, exchange_number=1)).elements if tag == "a"]
    assert link == {"href": ARTICLE.url, "target": "_blank", "rel": "noopener noreferrer"}


@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_text_from_outside_becomes_an_element_or_an_attribute(payload: str) -> None:
    """With harmless words the page has the same elements and attributes, and the payload is seen as text."""

    def everything(words: str) -> Page:
        evil = Article("x", f"{words} and more", words, words, words, words)
        text = f"{words} Unsupported {words}"
        answer = said(text, claim(words, text, cite(evil, words)), article=evil)
        refused = said(words, refused=True, reason=words)
        parts = [
            render.exchange(words, render.answer(answer, exchange_number=1)),
            render.sources(answer, exchange_number=1),
            render.evidence(answer.sources),
            render.exchange(words, render.writing(words), busy=True),
            render.answer(refused, exchange_number=2),
            render.answer(said("", reason=Reason.CANCELLED), exchange_number=2, draft=words),
            render.earlier_sources(words, render.evidence(answer.sources)),
            render.uploads([render.FileResult(words), render.FileResult(words, words)]),
            render.status(words, "error"),
            render.problem(words),
        ]
        return Page("".join(parts))

    hostile, harmless = everything(payload), everything("harmless")
    assert hostile.elements == harmless.elements
    assert hostile.text == harmless.text.replace("harmless", payload.replace("\ud800", "?"))


def test_style_loads_nothing_from_elsewhere() -> None:
    from importlib.resources import files

    style = (files("ui") / "style.css").read_text(encoding="utf-8")
    assert not re.search(r"@import|url\s*\(|https?:", style)
