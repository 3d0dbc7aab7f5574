"""ui/html/render.py: what is shown is exact, and inert."""

from __future__ import annotations

import re
from dataclasses import replace
from html import escape
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest

from index.article import Article, Span
from index.hit import Hit
from rag.answer import Answer, Citation, Claim, Disagreement, Reason, Side, Source
from ui.conversations import Summary
from ui.html import lists, markup, reader, render, saving, start
from ui.library import Found, Glance, Row

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


def in_disagreement(answer: Answer, article: Article, words: str) -> Answer:
    """`answer` with two sides that say `words`."""
    sides = (Side(words, cite(article, words, 1)), Side(words, cite(article, words, 2)))
    return replace(answer, unanswered=words, disagreements=(Disagreement(words, sides),))


class Page(HTMLParser):
    """What a browser would make of some HTML: its elements, its visible text and the text of its marks."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.marked: dict[str, str] = {}
        self.hidden = ""
        self._depth = 0
        self._mark: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if self._depth or "hidden" in dict(attrs):
            self._depth += 1
        if tag == "mark":
            self._mark = (dict(attrs).get("data-quotes") or "").split()

    def handle_endtag(self, tag: str) -> None:
        self._depth = max(0, self._depth - 1)
        if tag == "mark":
            self._mark = []

    def handle_data(self, data: str) -> None:
        if self._depth:
            self.hidden += data
            return
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
    [chip] = [attributes for tag, attributes in bubble.elements if tag == "button"]
    assert (chip["data-act"], chip["data-exchange"], chip["data-quote"]) == ("open", "3", "1")
    assert panel.marked == {"1": "They broke down in 2009."}
    assert "Six-party talks" in panel.text
    assert "Sputnik · 27 April 2017" in panel.text


def test_overlapping_quotes_are_each_marked_whole() -> None:
    first, second = cite(ARTICLE, "in 2003. They broke", 1), cite(ARTICLE, "They broke down", 2)
    text = "It began. It ended."
    answer = said(text, claim("It began.", text, first), claim("It ended.", text, second))
    panel = Page(render.sources(answer, exchange_number=1))
    assert panel.marked == {"1": first.quote, "2": second.quote}


def test_a_quote_in_two_overlapping_passages_is_marked_once() -> None:
    text = "It ended."
    hits = (source(ARTICLE), source(ARTICLE, 2))
    answer = said(text, claim(text, text, cite(ARTICLE, "broke down in 2009")), sources=hits)
    shown = render.sources(answer, exchange_number=1)
    panel = Page(shown)
    assert shown.count("<mark") == 1
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


def test_a_partly_supported_sentence_says_so_in_words() -> None:
    text = "They broke down in 2009."
    partly = replace(claim(text, text, cite(ARTICLE, "in 2009")), support=0.6)
    shown = Page(render.answer(said(text, partly), exchange_number=1))
    assert "[partly supported]" in shown.text
    assert (
        "[partly supported]"
        not in Page(render.answer(said(text, replace(partly, support=0.9)), exchange_number=1)).text
    )


def test_a_chip_is_described_by_its_quote_outlet_and_date() -> None:
    text = "It ended. It ended again."
    quote = cite(ARTICLE, "in 2009")
    answer = said(text, claim("It ended.", text, quote), claim("It ended again.", text, quote))
    shown = Page(render.answer(answer, exchange_number=1))
    assert shown.values("aria-describedby") == shown.values("id")
    assert len(set(shown.values("id"))) == 2
    assert "“in 2009”Sputnik · 27 April 2017" in shown.hidden


def test_what_is_unanswered_and_who_disagrees_is_shown() -> None:
    text = "They broke down in 2009."
    answer = in_disagreement(said(text, claim(text, text, cite(ARTICLE, "in 2009"))), ARTICLE, "2003")
    shown = Page(render.answer(answer, exchange_number=1)).text
    assert "No answer found: 2003" in shown
    assert "The articles disagree" in shown


def test_every_refusal_says_how_to_go_on() -> None:
    for reason in set(Reason) - {Reason.CANCELLED, Reason.PARTLY, Reason.UNCLEAR}:  # whose text says it
        answer = said("No.", refused=True, reason=reason)
        assert render.WIDEN[reason] in Page(render.answer(answer, exchange_number=1)).text
        assert "Nearest passages" in Page(render.sources(answer, exchange_number=1)).text


def test_words_of_the_query_stand_out_in_the_evidence() -> None:
    shown = render.evidence([source(ARTICLE)], query="When did the talks break?")
    assert re.findall(r'<b class="asked">(.*?)</b>', shown) == ["Talks", "broke"]


def test_progress_is_told_in_words() -> None:
    assert "Waiting: 2 before you" in render.step("queue", 2, 0)
    assert "Reading the passages… 40%" in render.step("read", 40, 100)


@pytest.mark.parametrize(
    ("url", "quote", "link"),
    [
        ("https://a.example/x", "a-b, c & d", "https://a.example/x#:~:text=a%2Db%2C%20c%20%26%20d"),
        ("https://a.example/x#top", "words", "https://a.example/x#top:~:text=words"),
        ("https://a.example/x", "", "https://a.example/x"),
        ("https://a.example/x", "one two three four " + "x" * 90 + " six seven eight", None),
        ("javascript:alert(1)", "words", "none"),
    ],
)
def test_a_link_leads_to_the_very_words(url: str, quote: str, link: str | None) -> None:
    made = markup.at_words(url, quote)
    if link is None:
        assert made is not None
        assert made.startswith("https://a.example/x#:~:text=one%20two%20three%20four,")
    else:
        assert (made or "none") == link


def test_an_article_is_shown_whole_with_the_words_marked() -> None:
    start = ARTICLE.text.index("in 2009")
    shown = reader.article(ARTICLE, start=start, end=start + 7, number=1)
    assert '<mark id="here">in 2009</mark>' in shown
    assert re.sub(r"<[^>]+>", "", shown.split('class="body"')[1].split(">", 1)[1]).replace("[1]", "") == ARTICLE.text


def test_an_article_that_is_gone_leaves_the_words() -> None:
    newer = replace(ARTICLE, id="newer", title="A newer text", published="2018-01-02")
    linked = Page(reader.article(ARTICLE, newer=newer))
    assert "superseded by A newer text (2 January 2018)" in linked.text
    opened = [attributes for tag, attributes in linked.elements if attributes.get("data-article") == "newer"]
    assert [one["data-act"] for one in opened] == ["open"]
    assert reader.GONE in reader.kept_words(ARTICLE, "in 2009", number=1, gone=True)
    assert reader.CHANGED in reader.kept_words(ARTICLE, "in 2009", number=1, gone=False)


def test_words_between_the_claims_are_kept() -> None:
    text = "First:\n1. They broke down in 2009.\nThat is all"
    answer = said(text, claim("They broke down in 2009.", text, cite(ARTICLE, "in 2009")))
    shown = Page(render.answer(answer, exchange_number=1)).text
    assert shown == "First:\n1. They broke down in 2009.[1]\nThat is all"


def test_a_refusal_says_what_was_found_once() -> None:
    answer = said("I found nothing about this in your articles.", refused=True, reason=Reason.NOTHING_RELEVANT)
    shown = Page(render.answer(answer, exchange_number=1)).text
    assert shown.startswith(answer.text)
    assert str(Reason.NOTHING_RELEVANT) not in shown


def test_what_was_searched_is_shown_only_where_it_differs_from_the_question() -> None:
    assert render.searched("When was it?", question=" When  was it?", exchange_number=1) == ""
    shown = Page(render.searched("The talks When was it?", question="When was it?", exchange_number=1)).text
    assert shown == "Searched for The talks When was it? · Edit"


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
    assert shown.values("data-quote") == ["1"]
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
    assert markup.safe_url(url) is None


def test_a_link_out_gives_nothing_away() -> None:
    text = "It ended."
    answer = said(text, claim(text, text, cite(ARTICLE, "in 2009")))
    [link] = [attrs for tag, attrs in Page(render.sources(answer, exchange_number=1)).elements if tag == "a"]
    assert link == {"href": f"{ARTICLE.url}#:~:text=in%202009", "target": "_blank", "rel": "noopener noreferrer"}


def found_by(words: str) -> Found:
    return Found(Row(words, words, words, words, words, 3, (words,)), f"Words {words}", (Span(0, 5),))


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
            lists.uploads([lists.FileResult(words), lists.FileResult(words, words)], summary=words),
            lists.articles([found_by(words)], found=1, total=1, chosen=()),
            lists.conversations([Summary(words, words, 1, words, words)]),
            saving.file(words, words.encode("utf-8", "replace")),
            reader.article(evil, start=0, end=len(words), number=1, copies=[evil]),
            reader.kept_words(evil, words, number=1, gone=True),
            render.searched(words, exchange_number=1),
            start.page(Glance(1, ((words, 1),)), [words], can_add=True),
            render.toolbar(exchange_number=1, markdown=words, thumb="down", reason=words),
            render.answer(in_disagreement(answer, evil, words), exchange_number=3),
            render.status(words, "error"),
            render.problem(f"1: {words}", failed=words),
        ]
        # In an address text is percent-encoded, and that of a quote has its length.
        addresses = r'(?<=data-link=")[^"]*|(?<=data-address=")[^"]*'
        page = re.sub(addresses, lambda one: escape(unquote(one[0])), "".join(parts))
        return Page(re.sub(r'(?<=end=)\d+(?=")', "9", page))

    hostile, harmless = everything(payload), everything("harmless")
    seen = payload.replace("\ud800", "?")
    told = [
        (tag, {name: value.replace("harmless", seen) if value else value for name, value in attributes.items()})
        for tag, attributes in harmless.elements
    ]
    assert hostile.elements == told
    assert hostile.text == harmless.text.replace("harmless", payload.replace("\ud800", "?"))


def test_style_loads_nothing_from_elsewhere() -> None:
    from importlib.resources import files

    style = (files("ui") / "style.css").read_text(encoding="utf-8")
    assert not re.search(r"@import|url\s*\(|https?:", style)
