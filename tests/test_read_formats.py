"""PDF, DOCX, EPUB, JSON Lines, e-mail: what becomes text and metadata; and what no file may do to the reader."""

from __future__ import annotations

import io
import json
import signal
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from index.errors import ReadError
from index.read import read
from index.read.worker import Worker, Workers
from tests import test_read_pdf
from tests.conftest import one, put, zipped

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
TALKS = "The talks broke down in 2009, and both sides left the city."


def pdf(pages: Sequence[Sequence[tuple[float, float, str]]], title: str = "") -> bytes:
    """A PDF of lines of 12-point Helvetica, each at (x, y)."""
    sized = ([(x, y, 12.0, text) for x, y, text in page] for page in pages)
    return test_read_pdf.pdf(*sized, title=title, author="By Ann Author")


def docx(body: str) -> bytes:
    import docx as library

    out, changed = io.BytesIO(), io.BytesIO()
    document = library.Document()
    document.core_properties.title, document.core_properties.author = "Talks", "Ann Author"
    document.save(out)
    with zipfile.ZipFile(out) as old, zipfile.ZipFile(changed, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "word/document.xml":
                content = f"<w:document {W}><w:body>{body}</w:body></w:document>".encode()
            new.writestr(name, content)
    return changed.getvalue()


def paragraph(text: str, style: str = "") -> str:
    properties = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f'<w:p>{properties}<w:r><w:t xml:space="preserve">{text}</w:t></w:r></w:p>'


def epub(chapters: list[str], extra: dict[str, str | bytes] | None = None) -> bytes:
    items = "".join(
        f'<item id="c{n}" href="t%20{n}.xhtml" media-type="application/xhtml+xml"/>' for n in range(len(chapters))
    )
    spine = "".join(f'<itemref idref="c{n}"/>' for n in reversed(range(len(chapters))))
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata>'
        "<dc:title>The Talks</dc:title><dc:creator>Ann Author</dc:creator><dc:date>2018-03-21</dc:date>"
        "<dc:publisher>The Press</dc:publisher><dc:language>en</dc:language></metadata>"
        f"<manifest>{items}</manifest><spine>{spine}</spine></package>"
    )
    container = '<container><rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>'
    pages = {f"OEBPS/t {n}.xhtml": f"<html><body>{text}</body></html>" for n, text in enumerate(chapters)}
    return zipped({"META-INF/container.xml": container, "OEBPS/book.opf": package, **pages, **(extra or {})})


# PDF


def test_pdf_lines_become_paragraphs(tmp_path: Path) -> None:
    lines = [
        (50, 700, "The two leaders met in Moscow on Monday to speak of trade and of the"),
        (50, 686, "future of their countries, which took an hour."),
        (50, 660, "They agreed to talk again."),
        (50, 646, "- a first point"),
        (50, 632, "- a second point"),
    ]
    article = one(put(tmp_path, "a.pdf", pdf([lines], title="Talks")))
    assert article.text == (
        "The two leaders met in Moscow on Monday to speak of trade and of the future of their countries, which took an "
        "hour.\n\nThey agreed to talk again.\n\n- a first point\n\n- a second point"
    )
    assert (article.title, article.author, article.published) == ("Talks", "Ann Author", None)


def test_pdf_running_heads_and_page_numbers_go_and_a_sentence_crosses_the_page(tmp_path: Path) -> None:
    pages = [
        [
            (50, 780, f"The Daily Example, issue {n}"),
            (50, 400, f"Article {n} begins here and says that the talks"),
            (50, 386, "were long and that the weather was"),
            (300, 20, f"- {n} -"),
        ]
        for n in (1, 2, 3)
    ]
    pages.append([(50, 700, "fine for days. The end came soon."), (300, 20, "4")])
    text = one(put(tmp_path, "a.pdf", pdf(pages))).text
    assert "Daily Example" not in text
    assert "- 1 -" not in text
    assert "the weather was fine for days." in text


def test_a_file_name_is_no_title(tmp_path: Path) -> None:
    content = pdf([[(50, 700, TALKS)]], title="Microsoft Word - draft3.doc")
    assert one(put(tmp_path, "a.pdf", content)).title is None


def test_a_pdf_of_pictures_says_what_helps(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match=r"a\.pdf: .*only pictures.*ocrmypdf"):
        read(put(tmp_path, "a.pdf", pdf([[]])))


# DOCX


def test_docx_keeps_what_is_inserted_and_drops_what_is_deleted(tmp_path: Path) -> None:
    body = (
        paragraph("The Talks", "Title")
        + "<w:p><w:r><w:t>Both sides </w:t></w:r><w:ins><w:r><w:t>finally </w:t></w:r></w:ins>"
        "<w:del><w:r><w:delText>never </w:delText></w:r></w:del><w:r><w:t>agreed.</w:t>"
        "<w:br/><w:t>Soon.</w:t></w:r></w:p>"
        + paragraph("apples", "ListBullet")
        + paragraph("pears", "ListBullet")
        + f"<w:tbl><w:tr><w:tc>{paragraph('x')}</w:tc><w:tc>{paragraph('1')}</w:tc></w:tr>"
        f"<w:tr><w:tc>{paragraph('y')}</w:tc><w:tc>{paragraph('2')}</w:tc></w:tr></w:tbl>"
        + f"<w:sdt><w:sdtContent>{paragraph('A control holds this.')}</w:sdtContent></w:sdt>"
    )
    article = one(put(tmp_path, "a.docx", docx(body)))
    assert article.text == (
        "The Talks\n\nBoth sides finally agreed.\nSoon.\n\n- apples\n- pears\n\nx | 1\n\ny | 2\n\nA control holds this."
    )
    assert (article.title, article.author, article.published) == ("Talks", "Ann Author", None)


def run(text: str, properties: str = "") -> str:
    return f'<w:r><w:rPr>{properties}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>'


def cell(content: str, properties: str = "") -> str:
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{content}</w:tc>"


def test_docx_rows_name_their_columns_and_a_nested_table_is_read_once(tmp_path: Path) -> None:
    head = f"<w:tr>{cell(paragraph('Region'))}{cell(paragraph('People'))}</w:tr>"
    first = '<w:vMerge w:val="restart"/>'
    body = (
        f"<w:tbl>{head}<w:tr>{cell(paragraph('North'), first)}{cell(paragraph('12'))}</w:tr>"
        f"<w:tr>{cell(paragraph(''), '<w:vMerge/>')}{cell(paragraph('34'))}</w:tr></w:tbl>"
        f"<w:tbl><w:tr>{cell(f'<w:tbl>{head}</w:tbl>')}{cell(paragraph('Total 46'))}</w:tr></w:tbl>"
        f"<w:tbl><w:tr>{cell(paragraph(TALKS * 9))}{cell(paragraph('Beside it.'))}</w:tr></w:tbl>"
    )
    assert one(put(tmp_path, "a.docx", docx(body))).text == (
        f"Region: North; People: 12\n\nRegion: North; People: 34\n\nTotal 46\n\nRegion | People\n\n{TALKS * 9}\n\n"
        "Beside it."
    )


def test_docx_text_outside_the_plain_paragraphs_is_read_and_hidden_text_reported(tmp_path: Path) -> None:
    raised = '<w:vertAlign w:val="superscript"/>'
    box = f"<w:txbxContent>{paragraph('In a box.')}</w:txbxContent>"
    names = (
        'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" '
        'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
    )
    shown = '<w:vanish w:val="0"/>'
    letters = [f"<m:r><m:t>{letter}</m:t></m:r>" for letter in ("E=m", "c", "2")]
    body = (
        f"<w:p {names}><w:r><mc:AlternateContent><mc:Choice>{box}</mc:Choice><mc:Fallback>{box}</mc:Fallback>"
        f"</mc:AlternateContent></w:r>{run('In 2009')}{run('1', raised)}{run(' 10')}{run('6', raised)}"
        f"{run('secret', '<w:vanish/>')}{run(' shown', shown)}</w:p>"
        f"<w:p {names}><m:oMath>{letters[0]}<m:sSup><m:e>{letters[1]}</m:e><m:sup>{letters[2]}</m:sup></m:sSup>"
        "</m:oMath></w:p>"
    )
    content = docx(body)
    separator = '<w:footnote w:type="separator"/>'
    notes = f"<w:footnotes {W}>{separator}<w:footnote>{paragraph('A note.')}</w:footnote></w:footnotes>"
    changed = io.BytesIO(content)
    with zipfile.ZipFile(changed, "a") as archive:
        archive.writestr("word/footnotes.xml", notes)
    reasons: list[str] = []
    (article,) = read(put(tmp_path, "a.docx", changed.getvalue()), left_out=reasons.append)
    assert article.text == "In 2009 10\u2076 shown\n\nIn a box.\n\nE=mc^2\n\nA note."
    assert ["hidden text (6 characters)" in reason for reason in reasons] == [True]


def test_a_row_of_asterisks_that_is_raised_costs_little(tmp_path: Path) -> None:
    raised = '<w:vertAlign w:val="superscript"/>'
    rows = [run(f"{mark * 60}x", raised) for mark in ("*", "(a)", "[", "†,")]
    text = one(put(tmp_path, "a.docx", docx(f"<w:p>{run(TALKS)}{''.join(rows)}</w:p>"))).text
    assert text.startswith(TALKS)
    assert text.endswith("x")


# EPUB


def test_epub_is_read_in_the_order_of_its_spine(tmp_path: Path) -> None:
    article = one(put(tmp_path, "a.epub", epub([f"<h1>Two</h1><p>{TALKS}</p>", "<p>One<br/>line.</p>"])))
    assert article.text == f"One\nline.\n\nTwo\n\n{TALKS}"
    assert (article.title, article.author, article.source) == ("The Talks", "Ann Author", "The Press")
    assert (article.published, article.language) == ("2018-03-21", "en")


ENCRYPTED = (
    '<encryption xmlns:e="http://www.w3.org/2001/04/xmlenc#"><e:EncryptedData><e:EncryptionMethod Algorithm="{}"/>'
    '<e:CipherData><e:CipherReference URI="{}"/></e:CipherData></e:EncryptedData></encryption>'
)
IDPF, ADOBE = "http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC"


@pytest.mark.parametrize("algorithm", [IDPF, ADOBE])
def test_disguised_fonts_do_not_lock_an_epub(tmp_path: Path, algorithm: str) -> None:
    extra: dict[str, str | bytes] = {
        "META-INF/encryption.xml": ENCRYPTED.format(algorithm, "OEBPS/fonts/a.otf"),
        "OEBPS/fonts/a.otf": b"\0",
    }
    assert one(put(tmp_path, "a.epub", epub([f"<p>{TALKS}</p>"], extra))).text == TALKS


def test_an_encrypted_chapter_is_named_and_the_rest_is_read(tmp_path: Path) -> None:
    lock = ENCRYPTED.format("http://www.w3.org/2001/04/xmlenc#aes128-cbc", "OEBPS/t%201.xhtml")
    path = put(tmp_path, "a.epub", epub([f"<p>{TALKS}</p>", "<p>x</p>"], {"META-INF/encryption.xml": lock}))
    reasons: list[str] = []
    (article,) = read(path, left_out=reasons.append)
    assert article.text == TALKS
    assert "'OEBPS/t 1.xhtml' in it is encrypted" in reasons[0]
    with pytest.raises(ReadError, match="encrypted"):
        read(
            put(
                tmp_path,
                "b.epub",
                epub(["<p>x</p>", "<p>y</p>"][:1], {"META-INF/encryption.xml": lock.replace("201", "200")}),
            )
        )


def test_a_locked_epub_is_refused(tmp_path: Path) -> None:
    locked = epub([f"<p>{TALKS}</p>"], {"META-INF/encryption.xml": "<encryption><EncryptedData/></encryption>"})
    with pytest.raises(ReadError, match="encrypted"):
        read(put(tmp_path, "a.epub", locked))


def test_entities_of_a_package_are_not_expanded(tmp_path: Path) -> None:
    bomb = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10 if n else "ha"}">' for n in range(20))
    container = f"<!DOCTYPE c [{bomb}]><container><rootfile full-path='x&a19;'/></container>"
    with pytest.raises(ReadError, match=r"a\.epub: .*damaged"):
        read(put(tmp_path, "a.epub", epub(["<p>x</p>"], {"META-INF/container.xml": container})))


# JSON Lines


def test_json_lines_are_articles_of_their_own(tmp_path: Path) -> None:
    lines = [
        {"id": 7, "title": "Talks", "text": TALKS, "outlet": "The Post", "authors": ["Ann", "Ben"]},
        {"url": "https://x.example/a", "content": "Snow fell in Oslo.", "date": "2018-03-21", "lang": "en_GB"},
        {"headline": "Rain", "html": f"<nav>Menu</nav><article><p>{TALKS * 9}</p></article>", "published": "soon"},
    ]
    articles = read(put(tmp_path, "a.jsonl", "\r\n".join(map(json.dumps, lines)) + "\n\n"))
    assert [article.title for article in articles] == ["Talks", None, "Rain"]
    assert (articles[0].source, articles[0].author) == ("The Post", "Ann, Ben")
    assert (articles[1].url, articles[1].published, articles[1].language) == (
        "https://x.example/a",
        "2018-03-21",
        "en-GB",
    )
    assert articles[2].text == TALKS * 9
    assert articles[2].published is None
    assert len({article.id for article in articles}) == 3


def test_the_id_of_a_line_follows_its_id_and_not_its_place(tmp_path: Path) -> None:
    lines = [json.dumps({"id": name, "text": f"{name}. {TALKS}"}) for name in ("a", "b")]
    path = put(tmp_path, "a.jsonl", "\n".join(lines))
    before = {article.text: article.id for article in read(path)}
    put(tmp_path, "a.jsonl", "\n".join(reversed(lines)))
    assert {article.text: article.id for article in read(path)} == before


def test_a_bad_line_is_reported_and_the_rest_is_read(tmp_path: Path) -> None:
    good = json.dumps({"text": TALKS})
    path = put(tmp_path, "a.jsonl", f'{good}\nnot json\n["list"]\n{{"title": "no text"}}\n{good[:-9]}')
    reasons: list[str] = []
    (article,) = read(path, left_out=reasons.append)
    assert article.text == TALKS
    assert [reason.split(": ")[1] for reason in reasons] == ["line 2", "line 3", "line 4", "line 5"]
    with pytest.raises(ReadError, match="line 2"):
        read(path)


# E-mail


def test_a_newsletter_is_its_html_without_layout(tmp_path: Path) -> None:
    mail = (
        'From: "The Morning" <news@x.example>\r\nSubject: =?utf-8?q?Talks_caf=C3=A9?=\r\n'
        "Date: Wed, 21 Mar 2018 09:30:00 +0100\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n"
        "--b\r\nContent-Type: text/plain\r\n\r\nplain words\r\n"
        "--b\r\nContent-Type: text/html; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
        "<table><tr><td><span style=3D'display:none'>preheader</span><p>The caf=E9 talks.</p></td>"
        "<td><p>They went on.</p></td></tr></table><p>Unsubscribe</p>\r\n--b--\r\n"
    )
    article = one(put(tmp_path, "a.eml", mail))
    assert article.text == "The café talks.\n\nThey went on."
    assert (article.title, article.source) == ("Talks café", "The Morning")
    assert (article.published, article.author) == ("2018-03-21T09:30:00+01:00", None)


def test_a_plain_message_is_read(tmp_path: Path) -> None:
    assert one(put(tmp_path, "a.eml", f"Subject: Talks\nFrom: a@x.example\n\n{TALKS}\n")).text == TALKS


HARBOUR = "The harbour closes on 4 May for repairs."
MIXED = "From: Ann <a@x.example>\r\nSubject: Notes\r\nContent-Type: multipart/{}; boundary=b\r\n\r\n"


@pytest.mark.parametrize(
    ("kind", "parts", "text"),
    [
        (  # text after an attachment
            "mixed",
            [
                "text/html\r\n\r\n<p>See.</p>",
                "application/pdf; name=a.pdf\r\n\r\nx",
                f"text/html\r\n\r\n<p>{HARBOUR}</p>",
            ],
            f"See.\n\n{HARBOUR}",
        ),
        (
            "mixed",
            ["text/plain\r\n\r\nSee.", f"message/rfc822\r\n\r\nFrom: c@x.example\r\nSubject: Repairs\r\n\r\n{HARBOUR}"],
            f"See.\n\nFrom: c@x.example\nSubject: Repairs\n\n{HARBOUR}",
        ),
        ("digest", [f"message/rfc822\r\n\r\nSubject: One\r\n\r\n{HARBOUR}"] * 2, None),
        ("alternative", [f"text/plain\r\n\r\n{HARBOUR}", "text/html\r\n\r\n<img src=x>"], HARBOUR),
        (
            "mixed",
            [f"text/plain\r\nContent-Disposition: attachment; filename=notes.txt\r\n\r\n{HARBOUR}"],
            HARBOUR,
        ),
    ],
)
def test_all_text_of_a_message_is_read(tmp_path: Path, kind: str, parts: list[str], text: str | None) -> None:
    mail = MIXED.format(kind) + "".join(f"--b\r\nContent-Type: {part}\r\n" for part in parts) + "--b--\r\n"
    reasons: list[str] = []
    (article,) = read(put(tmp_path, "a.eml", mail), left_out=reasons.append)
    assert HARBOUR in article.text if text is None else article.text == text
    assert [reason.split(": ")[1] for reason in reasons] == [
        "the attachment 'a.pdf' (application/pdf); save it by itself to have it read" for part in parts if "pdf" in part
    ]


@pytest.mark.parametrize(
    ("headers", "body", "text"),
    [
        ("Content-Type: text/plain; format=flowed; delsp=yes", "The har \nbour  \ncloses.\n> So  \n> it is.\n-- \nAnn",
         "The harbour closes.\n> So it is.\n--\nAnn"),
        ("Content-Type: text/plain; format=flowed", "The harbour \ncloses.\nA line.", "The harbour closes.\nA line."),
        ("Content-Type: text/plain", f"{HARBOUR}\n\nbegin 644 a.jpg\n" + f"M{'A' * 60}\n" * 9 + "`\nend\n", HARBOUR),
        ("Content-Type: multipart/mixed; boundary=b", "--b\nContent-Type: application/octet-stream; name=old.eml\n\n"
         f"From: c@x.example\nSubject: Old\n\n{HARBOUR}\n--b--", f"From: c@x.example\nSubject: Old\n\n{HARBOUR}"),
    ],
)  # fmt: skip
def test_text_of_a_message_is_unfolded_and_freed_of_files(tmp_path: Path, headers: str, body: str, text: str) -> None:
    mail = f"From: a@x.example\nSubject: Notes\n{headers}\n\n{body}\n"
    (article,) = read(put(tmp_path, "a.eml", mail), left_out=lambda _: None)
    assert article.text == text


def test_mails_of_an_mbox_are_articles_of_their_own(tmp_path: Path) -> None:
    mail = f"From a@x.example Wed Mar 21 09:30:00 2018\nFrom: J\xfcrgen <a@x.example>\nSubject: Fr\xfch\n\n{HARBOUR}\n"
    other = mail.replace("Fr\xfch", "Sp\xfct")
    other += ">From here on.\n\nFrom time to time it rains.\n\n"
    first, second, third = (
        *read(put(tmp_path, "a.eml", mail.encode("latin-1"))),
        *read(put(tmp_path, "a.mbox", f"{mail}\n{other}".encode("latin-1"))),
    )
    assert (first.title, first.source, first.text) == ("Fr\xfch", "J\xfcrgen", HARBOUR)
    assert (second.title, third.title) == ("Fr\xfch", "Sp\xfct")
    assert third.text == f"{HARBOUR}\nFrom here on.\n\nFrom time to time it rains."
    assert len({first.id, second.id, third.id}) == 3
    assert one(put(tmp_path, "b.mbox", other.encode("latin-1"))).text == third.text


def test_what_is_left_out_of_an_mbox_is_named_up_to_a_limit(tmp_path: Path) -> None:
    start = "From a@x.example Wed Mar 21 09:30:00 2018\nSubject: a\n"
    mail = "".join(f"{start}\n{HARBOUR} {number}\n\n" for number in range(2))
    picture = f"{start}Content-Type: image/png; name=a.png\n\nx\n\n"
    path = put(tmp_path, "a.mbox", (mail + picture * 30).encode("latin-1"))
    reasons: list[str] = []
    assert len(read(path, left_out=reasons.append)) == 2
    assert "mail 3: it has no text" in reasons[0]
    assert "mail 3: the attachment 'a.png'" in reasons[1]
    assert len(reasons) == 21
    assert "40 more attachments or mails without text" in reasons[-1]


@pytest.mark.parametrize(
    ("sender", "source"),
    [
        ("=?iso-8859-1?Q?M=FCller=2C_J=F6rg?= <a@x.example>", "M\xfcller, J\xf6rg"),
        ("=?utf-8?q?=22The_Post=22?= <a@x.example>", "The Post"),
        ('"Doe, Jane" <a@x.example>', "Doe, Jane"),
        ("=?utf-8?q?J=C3=A4ne_=3Ca=40x.example=3E?=", "J\xe4ne"),
        ("a@x.example", "a@x.example"),
    ],
)
def test_the_sender_of_a_mail_is_the_whole_name(tmp_path: Path, sender: str, source: str) -> None:
    assert one(put(tmp_path, "a.eml", f"From: {sender}\nSubject: Talks\n\n{TALKS}")).source == source


# Saved feeds

RSS = (
    '<rss xmlns:c="http://purl.org/rss/1.0/modules/content/"><channel><title>The Post</title><language>en</language>'
    "<item><guid>1</guid><title>Talks</title><link>https://x.example/a</link><author>Ann</author><pubDate>Wed, 21 Mar "
    "2018 09:30:00 +0100</pubDate><description>In short.</description><c:encoded>&lt;p&gt;{}&lt;/p&gt;</c:encoded>"
    "</item><item><guid>2</guid><title>No text</title></item></channel></rss>"
)
JSON_FEED = {
    "version": "https://jsonfeed.org/version/1.1", "title": "The Post", "language": "en",
    "items": [
        {"id": "1", "title": "Talks", "url": "https://x.example/a", "authors": [{"name": "Ann"}],
         "summary": "In short.", "date_published": "2018-03-21T09:30:00+01:00", "content_html": f"<p>{TALKS}</p>"},
        {"id": "2", "title": "No text"},
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *((f"a{ending}", RSS.format(TALKS)) for ending in (".xml", ".rss", ".atom")),
        ("b.xml", RSS.format(TALKS).encode("utf-16")),
        ("a.json", json.dumps(JSON_FEED)),
    ],
)
def test_the_entries_of_a_saved_feed_are_articles(tmp_path: Path, name: str, content: str | bytes) -> None:
    reasons: list[str] = []
    (article,) = read(put(tmp_path, name, content), left_out=reasons.append)
    assert (article.text, article.title, article.source, article.author) == (TALKS, "Talks", "The Post", "Ann")
    assert (article.url, article.published) == ("https://x.example/a", "2018-03-21T09:30:00+01:00")
    assert ["1 of its 2 entries, which have no text" in reason for reason in reasons] == [True]


def test_the_only_date_of_an_entry_is_that_of_publication(tmp_path: Path) -> None:
    entry = f"<entry><id>1</id><updated>2018-03-21T09:30:00Z</updated><summary>{TALKS}</summary></entry>"
    article = one(put(tmp_path, "a.xml", f'<feed xmlns="http://www.w3.org/2005/Atom">{entry}</feed>'))
    assert article.published == "2018-03-21T09:30:00+00:00"


def test_other_xml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match=r"a\.xml: this XML is no RSS or Atom feed"):
        read(put(tmp_path, "a.xml", "<urlset><url><loc>https://x.example/</loc></url></urlset>"))


# What no file may do


SAMPLES = {
    ".pdf": pdf([[(50, 700, TALKS)]]),
    ".docx": docx(paragraph(TALKS)),
    ".epub": epub([f"<p>{TALKS}</p>"]),
    ".jsonl": json.dumps({"text": TALKS}).encode(),
    ".eml": f"Subject: a\n\n{TALKS}".encode(),
    ".html": f"<p>{TALKS}</p>".encode(),
    ".md": TALKS.encode(),
}


@pytest.mark.parametrize("suffix", SAMPLES)
def test_empty_and_other_content_is_refused_by_name(tmp_path: Path, suffix: str) -> None:
    for content in (b"", b"\0" * 4096, b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4, b"\x1f\x8b\x08" + b"x" * 50):
        with pytest.raises(ReadError, match=rf"a\{suffix}: "):
            read(put(tmp_path, f"a{suffix}", content))


@pytest.mark.parametrize("suffix", SAMPLES)
def test_a_truncated_file_gives_an_article_or_a_named_error(tmp_path: Path, suffix: str) -> None:
    whole = SAMPLES[suffix]
    for share in (0.1, 0.5, 0.9, 0.99):
        path = put(tmp_path, f"a{suffix}", whole[: int(len(whole) * share)])
        reason = str(path)
        try:
            texts = [article.text for article in read(path)]
        except ReadError as error:
            texts, reason = [TALKS], str(error)
        assert str(path) in reason
        assert all(text.strip() for text in texts)


@pytest.mark.parametrize("suffix", [".pdf", ".docx", ".epub", ".eml"])
@pytest.mark.parametrize("other", [".pdf", ".docx", ".epub", ".html"])
def test_a_lying_name_is_refused(tmp_path: Path, suffix: str, other: str) -> None:
    if suffix != other:
        with pytest.raises(ReadError, match="whatever its name says"):
            read(put(tmp_path, f"a{suffix}", SAMPLES[other]))


def test_html_that_calls_itself_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match=r"HTML.*rename it to \.html"):
        read(put(tmp_path, "a.txt", f"<!DOCTYPE html><p>{TALKS}</p>"))


@pytest.mark.parametrize("suffix", [".docx", ".epub"])
def test_a_zip_bomb_is_not_unpacked(tmp_path: Path, suffix: str) -> None:
    name = {".docx": "word/document.xml", ".epub": "META-INF/container.xml"}[suffix]
    bomb = zipped({name: b" " * (80 << 20), "b": b" " * (200 << 20)})
    assert len(bomb) < 1 << 20
    with pytest.raises(ReadError, match="unpacks to more than"):
        read(put(tmp_path, f"a{suffix}", bomb))


def test_a_zip_that_lies_about_its_size_is_not_unpacked(tmp_path: Path) -> None:
    name = b"META-INF/container.xml"
    bomb = bytearray(zipped({name.decode(): b" " * (80 << 20)}))
    for place in (bomb.find(b"PK\x03\x04") + 22, bomb.find(b"PK\x01\x02") + 24):
        bomb[place : place + 4] = (100).to_bytes(4, "little")
    with pytest.raises(ReadError, match=r"damaged|unpacks"):
        read(put(tmp_path, "a.epub", bytes(bomb)))


def test_a_parser_that_hangs_is_ended_and_the_next_file_is_read() -> None:
    worker = Worker(timeout_s=1.0)
    with pytest.raises(ReadError, match="longer than 1 s"):
        worker.parse(".md", b"[" * (8 << 20))
    worker.timeout_s = 60.0
    (draft,) = worker.parse(".md", TALKS.encode())
    assert getattr(draft, "text", "") == TALKS
    worker.close()


@pytest.mark.skipif(not hasattr(signal, "SIGPROF"), reason="the clock alone is the limit here")
def test_a_file_that_waits_for_a_processor_is_not_too_slow() -> None:
    worker = Worker(timeout_s=8.0)
    worker.parse(".md", TALKS.encode())
    process = worker._process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    resumed = threading.Timer(9.0, process.send_signal, [signal.SIGCONT])
    resumed.start()
    (draft,) = worker.parse(".md", TALKS.encode())
    assert getattr(draft, "text", "") == TALKS
    worker.close()


def test_a_file_that_is_stopped_fails_and_the_next_is_read() -> None:
    workers = Workers(1)
    with ThreadPoolExecutor(1) as other:
        parsing = other.submit(workers.parse, ".md", b"[" * (8 << 20))
        while not parsing.done():
            workers.stop()
            time.sleep(0.01)
        with pytest.raises(ReadError, match="broke"):
            parsing.result()
    (draft,) = workers.parse(".md", TALKS.encode())
    assert getattr(draft, "text", "") == TALKS
    workers.stop()


def test_a_parser_that_eats_memory_is_stopped_and_the_next_file_is_read() -> None:
    worker = Worker(memory_bytes=700 << 20, timeout_s=600.0)
    with pytest.raises(ReadError, match="memory"):
        worker.parse(".html", b"<div>a</div>" * (1 << 20))
    (draft,) = worker.parse(".html", f"<p>{TALKS}</p>".encode())
    assert getattr(draft, "text", "") == TALKS
    worker.close()
