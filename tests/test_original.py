"""Where a quote stands in the original: the page of a PDF, a heading; the page as a picture with the quote marked."""

from __future__ import annotations

import asyncio
import io
import struct
from typing import TYPE_CHECKING

import docx
import pytest

from index import Article, Index
from index.errors import InputError
from index.place import Place
from index.read.pdf_page import NO_BOXES, NO_TEXT, NOT_HERE, Quote, draw
from rag import Answer, Claim, Source
from rag.answer import Citation
from tests.conftest import one, put, zipped
from tests.fakes import BagOfWordsEmbedder
from tests.test_read_pdf import lines, pdf
from ui import terminal
from ui.export import bibtex, csl, csv_rows, document, markdown, ris, works
from ui.html import render
from ui.originals import Originals, Wanted, wanted
from ui.reply import Reply

if TYPE_CHECKING:
    from pathlib import Path

QUOTE = "The engineers found that the repair of the infrastructure at Port Zorb took eleven weeks."
FIRST = (
    "The dam above Port Zorb was built in 1931 and has been mended twice since then.",
    "Nobody who lives below it remembers the first time, when the water stood high.",
)
SECOND = (
    "The engineers found that the repair of the infra-",
    "structure at Port Zorb took eleven weeks. They had thought of six, and the council was",
    "not told before the summer that the work would go on until the autumn of the year.",
)
THIRD = (
    "The council met again in the autumn and thanked the engineers for what they had done.",
    "It was decided that the road over the dam would be opened on the first day of May.",
)


def report() -> bytes:
    """Three pages; the quote is on the second, over two lines, with a word that is broken."""
    heading = [(50, 740, 20, "The dam above Port Zorb")]
    return pdf([*heading, *lines(FIRST)], lines(SECOND, top=660), lines(THIRD))


@pytest.fixture
def index(home: Path) -> Index:
    return Index.open(home, embedder=BagOfWordsEmbedder())


def read_in(index: Index, folder: Path, name: str, content: bytes) -> Article:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(content)
    index.sync([folder])
    (article,) = index.articles()
    return article


def span(article: Article, words: str) -> tuple[int, int]:
    start = article.text.index(words)
    return start, start + len(words)


def cited(article: Article, *quotes: str) -> Answer:
    citations = [Citation(number, article, *span(article, quote)) for number, quote in enumerate(quotes, start=1)]
    text = " ".join(quotes)
    claims, at = [], 0
    for citation in citations:
        claims.append(Claim(citation.quote, at, at + len(citation.quote), (citation,), 1.0, supported=True))
        at += len(citation.quote) + 1
    return Answer("How long?", text, tuple(claims))


def test_pages_are_known_where_the_text_of_a_pdf_begins_on_them(tmp_path: Path) -> None:
    article = one(put(tmp_path, "a.pdf", report()))
    assert [place.page for place in article.places] == [1, 2, 3]
    for page, words in ((1, "Nobody who"), (2, "The engineers"), (2, "autumn of the year"), (3, "The council met")):
        start, end = span(article, words)
        assert (article.page_of(start), article.place_of(start, end)) == (page, f"p. {page}")
    over, after = span(article, FIRST[1])[0], span(article, THIRD[0])[1]
    assert article.place_of(over, after) == "pp. 1–3"


def test_a_paragraph_that_goes_on_overleaf_changes_the_page_within(tmp_path: Path) -> None:
    long = "the harbour was closed for a week and the boats that were on their way came to the next"
    article = one(
        put(tmp_path, "a.pdf", pdf(lines([f"When {long}", long, f"{long} develop-"]), lines(["ment of it."])))
    )
    start, end = span(article, "development")
    assert article.place_of(start - 5, start + 7) == "p. 1"
    assert article.place_of(start, end) == "pp. 1–2"
    assert article.text[article.places[1].start :].startswith("ment of it")


def test_headings_of_a_docx_and_an_epub_are_places(tmp_path: Path) -> None:
    made = docx.Document()
    made.add_paragraph("The council met on Monday.")
    made.add_heading("What was decided", 1)
    made.add_paragraph("The road will be opened in May.")
    written = io.BytesIO()
    made.save(written)
    article = one(put(tmp_path, "a.docx", written.getvalue()))
    assert article.place_of(*span(article, "The council")) is None
    assert article.place_of(*span(article, "The road")) == "in “What was decided”"
    chapters = {
        "META-INF/container.xml": '<container><rootfiles><rootfile full-path="b.opf"/></rootfiles></container>',
        "b.opf": '<package><manifest><item id="a" href="a.xhtml" media-type="application/xhtml+xml"/>'
        '<item id="b" href="b.xhtml" media-type="application/xhtml+xml"/></manifest>'
        '<spine><itemref idref="a"/><itemref idref="b"/></spine></package>',
        "a.xhtml": "<html><body><p>For Ann.</p></body></html>",
        "b.xhtml": "<html><body><h2>The <i>storm</i></h2><p>It rained for a week.</p></body></html>",
    }
    book = one(put(tmp_path, "a.epub", zipped(chapters)))
    assert book.place_of(*span(book, "For Ann")) is None
    assert book.place_of(*span(book, "It rained")) == "in “The storm”"


def test_a_citation_says_its_page_wherever_it_is_shown_and_after_it_was_kept(index: Index, tmp_path: Path) -> None:
    article = read_in(index, tmp_path / "in", "a.pdf", report())
    answer = cited(article, QUOTE, "The council met again in the autumn")
    kept = Answer.from_dict(answer.to_dict())
    for one_of in (answer, kept):
        first = one_of.to_dict()["claims"][0]["citations"][0]
        assert (first["page"], first["place"]) == (2, "p. 2")
        assert "· p. 2" in str(one_of)
        assert "· p. 3" in terminal.render_answer(one_of)
        assert "· p. 2" in markdown.render_answer(one_of)
        assert "p. 2</bdi>" in render.answer(one_of, exchange_number=1)
        assert "p. 3</bdi>" in render.sources(one_of, exchange_number=1)
        assert document.origin(one_of.citations[1]).endswith("p. 3")
        rows = csv_rows.render(csv_rows.COLUMNS, csv_rows.of_answer(one_of)).splitlines()
        assert (rows[0][-11:], rows[1][-7:]) == (",page,place", ",2,p. 2")
        found = works.cited(one_of.citations)
        assert "pages = {2, 3}" in bibtex.render(found)
        assert "SP  - 2, 3\r\n" in ris.render(found)
        assert '"page": "2, 3"' in csl.render(found)


def test_a_number_that_is_printed_on_a_page_is_named_and_pages_of_one_quote_are_a_range() -> None:
    places = (Place(0, "xii", 1), Place(10, "xiii", 2))
    article = Article("a", "Snow fell. Rain came after it.", "Weather", places=places)
    answer = cited(article, article.text)
    assert (answer.citations[0].page, answer.citations[0].place) == (1, "pp. xii–xiii")
    kept = Answer.from_dict(answer.to_dict())
    assert kept.to_dict() == answer.to_dict()
    found = works.cited(answer.citations)
    assert "SP  - xii\r\nEP  - xiii\r\n" in ris.render(found)
    assert "pages = {xii--xiii}" in bibtex.render(found)


def test_places_stay_with_an_article_that_is_edited_removed_and_put_back_or_rebuilt(
    index: Index, home: Path, tmp_path: Path
) -> None:
    article = read_in(index, tmp_path / "in", "a.pdf", report())
    index.edit(article.id, title="The dam")
    index.put_back(index.take_out(article.id))
    assert index.article(article.id).places == article.places
    assert index.check() == []
    index.close()
    (tmp_path / "in" / "a.pdf").unlink()
    Index.rebuild(home, embedder=BagOfWordsEmbedder())
    with Index.open(home, embedder=BagOfWordsEmbedder()) as again:
        assert again.article(article.id).places == article.places


def test_the_words_of_a_quote_are_marked_line_by_line_on_its_page(index: Index, tmp_path: Path) -> None:
    article = read_in(index, tmp_path / "in", "a.pdf", report())
    picture = index.picture(article.id, *span(article, QUOTE))
    assert (picture.page, picture.label, picture.pages, picture.missing) == (2, "2", 3, "")
    assert (picture.png[:8], struct.unpack(">II", picture.png[16:24])) == (b"\x89PNG\r\n\x1a\n", (1100, 1467))
    first, second = picture.boxes
    assert first.left == pytest.approx(50 / 600, abs=0.005)
    assert first.top < 1 - 660 / 800 < first.top + first.height < second.top + 0.005
    assert second.width < 0.5  # the sentence ends in the middle of its line
    other = index.picture(article.id, *span(article, QUOTE), page=3)
    assert (other.page, other.boxes, other.missing) == (3, (), NOT_HERE)


def test_a_quote_is_found_where_the_file_has_its_columns_in_another_order_and_where_it_stands_twice() -> None:
    left, right = lines(SECOND[1:], size=6), lines([FIRST[0], SECOND[2]], x=320, size=6)
    content = pdf([row for pair in zip(left, right, strict=True) for row in pair])
    both = Quote(f"{SECOND[1]} {SECOND[2]}", after=FIRST[0])
    boxes = draw(content, both, 1).boxes
    assert len(boxes) == 2
    assert all(box.left < 0.4 for box in boxes)
    twice = pdf(lines([SECOND[2], FIRST[0], SECOND[2]]))
    (again,) = draw(twice, Quote(SECOND[2], before=FIRST[0]), 1).boxes
    assert again.top > draw(twice, Quote(SECOND[2], after=FIRST[0]), 1).boxes[0].top


def test_a_page_that_is_turned_and_cropped_is_marked_where_its_words_are_seen() -> None:
    turned = report().replace(b"/MediaBox[0 0 600 800]", b"/MediaBox[0 0 600 800]/Rotate 90/CropBox[0 300 600 800]")
    picture = draw(turned, Quote(QUOTE), 2)
    assert (picture.width, picture.height) == (1100, 1320)
    assert picture.boxes
    assert all(0.68 < box.left < 0.73 for box in picture.boxes)  # what is above is on the right


def test_words_that_have_no_extent_are_not_marked_and_the_page_says_so() -> None:
    content = pdf([(50, 700, 12, f") Tj 1 0 0 0 50 700 Tm ({QUOTE}) Tj (")], [])
    for page, why in ((1, NO_BOXES), (2, NO_TEXT)):
        picture = draw(content, Quote(QUOTE), page)
        assert (picture.boxes, picture.missing) == ((), why)


def test_without_a_map_the_page_is_found_by_its_words(index: Index, tmp_path: Path) -> None:
    article = read_in(index, tmp_path / "in", "a.pdf", report())
    index.add([Article(article.id, article.text, article.title)])
    assert index.article(article.id).places == ()
    picture = index.picture(article.id, *span(article, QUOTE))
    assert (picture.page, len(picture.boxes)) == (2, 2)


def test_a_file_that_is_gone_or_changed_or_none_is_named_as_such(index: Index, tmp_path: Path) -> None:
    article = read_in(index, tmp_path / "in", "a.pdf", report())
    file = tmp_path / "in" / "a.pdf"
    file.write_bytes(report() + b"\n")
    with pytest.raises(InputError, match="changed since it was read"):
        index.picture(article.id)
    file.unlink()
    with pytest.raises(InputError, match="not where it was"):
        index.picture(article.id)
    index.add([Article("handed-in", "Snow fell in Oslo.")])
    with pytest.raises(InputError, match="a program handed it in"):
        index.source_file("handed-in")
    with pytest.raises(InputError, match="no article has the id"):
        index.source_file(str(file))


def answered(index: Index, asked: Wanted) -> Reply:
    return asyncio.run(Originals(lambda: index).answer(asked))


def test_only_pdfs_and_saved_pages_of_articles_are_opened(index: Index, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    article = read_in(index, folder, "a.pdf", report())
    reply = answered(index, Wanted(article.id))
    assert (reply.status, reply.kind, reply.body) == (200, b"application/pdf", report())
    picture = answered(index, Wanted(article.id, 2))
    assert (picture.status, picture.kind, picture.body[:4]) == (200, b"image/png", b"\x89PNG")
    assert answered(index, Wanted(str(folder / "a.pdf"))).status == 404
    (folder / "a.pdf").unlink()
    assert answered(index, Wanted(article.id)).body == (
        b"The file is not where it was when it was read; if it was moved, read its folder again."
    )
    (folder / "b.html").write_text(f"<html><body><script>steal()</script><p>{QUOTE} {THIRD[0]}</p></body></html>")
    (folder / "c.txt").write_text(f"{FIRST[0]} {FIRST[1]}")
    index.sync(folder, prune=True)
    kinds = {index.file_kind(one.id): one.id for one in index.articles()}
    saved = answered(index, Wanted(kinds[".html"]))
    assert (saved.status, saved.kind) == (200, b"text/html")
    assert dict(saved.headers())[b"content-security-policy"].startswith(b"sandbox; default-src 'none'")
    assert b"not opened" in answered(index, Wanted(kinds[".txt"])).body


def test_addresses_of_originals_name_an_article_and_a_page() -> None:
    assert wanted(b"/original/a%2Fb") == Wanted("a/b")
    assert wanted(b"/original/a1/12.png?x=1") == Wanted("a1", 12)
    for path in (b"/original/", b"/original/a/0.png", b"/original/a/../b", b"/original/a/1.png/", b"/article/a"):
        assert wanted(path) is None


def test_a_passage_that_was_read_says_its_page(tmp_path: Path) -> None:
    from index.article import Span
    from index.hit import Hit

    article = one(put(tmp_path, "a.pdf", report()))
    start, end = span(article, QUOTE)
    found = Source(1, Hit(article, start, end, 1.0, 0.5, 0.5, Span(start, end)))
    assert (found.to_dict()["page"], found.to_dict()["place"], found.hit.to_dict()["place"]) == (2, "p. 2", "p. 2")
