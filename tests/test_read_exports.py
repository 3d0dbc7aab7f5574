"""Tables, OpenDocument, RTF, subtitles, saved pages, web archives: what becomes text, and what no file may do."""

from __future__ import annotations

import io
import quopri
import zipfile
from functools import cache
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import ReadError
from index.read import formats, read, readable
from index.read.draft import LeftOut
from tests.conftest import one, put, zipped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from index.read.draft import Draft

TALKS = (
    "The talks broke down in 2009, and both sides left the city; the board said that they would go on in another place "
    "as soon as all of them had agreed on it, which took years."
)
PAGE = (
    "<html><head><meta charset=utf-8><title>Talks</title></head><body><article>"
    + "".join(f"<p>Paragraph {n} says a little more about the talks in the café.</p>" for n in range(6))
    + "</article></body></html>"
)
REGIONS: list[list[object]] = [["Region", "Population"], ["North", 12], ["South", 14.5]]
OFFICE = "http://schemas.openxmlformats.org"


def parsed(kind: str, content: str | bytes) -> tuple[list[Draft], list[str]]:
    """The drafts, and what is left out."""
    found = formats.parse(kind, content.encode() if isinstance(content, str) else content)
    return (
        [item for item in found if not isinstance(item, ReadError)],
        [str(item) for item in found if isinstance(item, ReadError)],
    )


def xlsx(sheets: Mapping[str, Sequence[Sequence[object]]], hidden: str = "") -> bytes:
    kind = f"{OFFICE}/officeDocument/2006/relationships"
    names, links, members = "", "", {}
    for number, (name, rows) in enumerate(sheets.items()):
        state = ' state="hidden"' if name == hidden else ""
        names += f'<sheet name="{name}" sheetId="{number + 1}" r:id="r{number}"{state}/>'
        links += f'<Relationship Id="r{number}" Type="{kind}/worksheet" Target="worksheets/s{number}.xml"/>'
        cells = "".join(
            "<row>"
            + "".join(
                f"<c><v>{cell}</v></c>"
                if isinstance(cell, int | float)
                else f'<c t="inlineStr"><is><t>{cell}</t></is></c>'
                for cell in row
            )
            + "</row>"
            for row in rows
        )
        members[f"xl/worksheets/s{number}.xml"] = (
            f'<worksheet xmlns="{OFFICE}/spreadsheetml/2006/main"><sheetData>{cells}</sheetData></worksheet>'
        )
    relations = f'<Relationships xmlns="{OFFICE}/package/2006/relationships">'
    return zipped(
        {
            "[Content_Types].xml": f'<Types xmlns="{OFFICE}/package/2006/content-types"/>',
            "_rels/.rels": f'{relations}<Relationship Id="r" Type="{kind}/officeDocument" Target="xl/workbook.xml"/>'
            "</Relationships>",
            "xl/workbook.xml": f'<workbook xmlns="{OFFICE}/spreadsheetml/2006/main" xmlns:r="{kind}">'
            f"<sheets>{names}</sheets></workbook>",
            "xl/_rels/workbook.xml.rels": f"{relations}{links}</Relationships>",
            **members,
        }
    )


def rezipped(content: bytes, members: Mapping[str, str]) -> bytes:
    """A zip archive with these files in it, or in the place of those that it has."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return zipped({**{name: archive.read(name) for name in archive.namelist()}, **members})


def odt(body: str) -> bytes:
    names = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for name in ("office", "text", "table", "meta")
    )
    return zipped(
        {
            "content.xml": f"<office:document-content {names}><office:body><office:text>{body}</office:text>"
            "</office:body></office:document-content>",
            "meta.xml": f'<office:meta {names} xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>Talks</dc:title>'
            "<meta:initial-creator>Ann Author</meta:initial-creator><dc:language>en-GB</dc:language></office:meta>",
        }
    )


def mhtml(page: str = PAGE) -> bytes:
    return (
        b"From: <Saved by a browser>\r\nSnapshot-Content-Location: https://x.example/a\r\nSubject: Talks\r\n"
        b"Date: Wed, 21 Mar 2018 09:30:00 -0000\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/related; type="text/html"; boundary="b"\r\n\r\n--b\r\nContent-Type: text/html\r\n'
        b"Content-Transfer-Encoding: quoted-printable\r\nContent-Location: https://x.example/a\r\n\r\n"
        + quopri.encodestring(page.encode())
        + b"\r\n--b\r\nContent-Type: image/png\r\n\r\nx\r\n--b--\r\n"
    )


@cache
def warc(*, is_packed: bool) -> bytes:
    from warcio.statusandheaders import StatusAndHeaders
    from warcio.warcwriter import WARCWriter

    out = io.BytesIO()
    writer = WARCWriter(out, gzip=is_packed)
    for number, (kind, status, body) in enumerate(
        [
            ("text/html; charset=utf-8", "200 OK", PAGE.encode()),
            ("image/png", "200 OK", b"x"),
            ("text/html", "404 Not Found", b"gone"),
            ("application/pdf", "200 OK", b"%PDF-"),
        ]
    ):
        headers = StatusAndHeaders(status, [("Content-Type", kind)], protocol="HTTP/1.1")
        writer.write_record(
            writer.create_warc_record(
                f"https://x.example/{number}", "response", payload=io.BytesIO(body), http_headers=headers
            )
        )
    return out.getvalue()


# Tables


def test_a_row_with_running_text_is_an_article() -> None:
    table = (
        f'id,Title,Body,Publish Date,Author,Link,Mood\n1,A,"{TALKS}\n\nTwo ""quoted"".",2018-03-21,Ann,https://x.example/1,'
        f"good\n2,B,\"<p>{TALKS}</p>\",March 22 2018,\"['Ben', 'Cem']\",,\n3,C,,,,,\n"
    )
    for kind, content in ((".csv", table), (".csv", "\ufeff" + table), (".csv", table.encode("utf-16"))):
        (first, second), reasons = parsed(kind, content)
        assert first.text == f'{TALKS}\n\nTwo "quoted".'
        assert (first.title, first.published, first.author) == ("A", "2018-03-21", "Ann")
        assert (first.id, first.url) == ("1", "https://x.example/1")
        assert (second.text, second.published, second.author) == (TALKS, "2018-03-22", "Ben, Cem")
        assert ["row 4: no text" in reasons[0], "the columns 'Mood'" in reasons[1]] == [True, True]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("Region,Population\nNorth,12\nSouth,14.5\n", None),
        ("Region;Population\nNorth;12\nSouth;14.5\n", None),
        ("Region\tPopulation\nNorth\t12\nSouth\t14.5\n", None),
        ("sep=|\nRegion|Population\nNorth|12\nSouth|14.5\n", None),
        ("Name,City\nAnn,Oslo\n", "Name: Ann; City: Oslo"),
        ("1,2\n3,4\n", "1 | 2\n\n3 | 4"),
        ("Region,Population\nNorth,12\nSouth,14.5\n\nCity,Schools\nBonn,7\n\nOslo,8\n",
         "Region: North; Population: 12\n\nRegion: South; Population: 14.5\n\nCity: Bonn; Schools: 7\n\n"
         "City: Oslo; Schools: 8"),
        ("The count,,\n,,\nRegion,Population,Area\nNorth,12,3\n",
         "The count\n\nRegion: North; Population: 12; Area: 3"),
    ],
)  # fmt: skip
def test_any_other_table_is_one_article_whose_rows_say_their_heads(content: str, text: str | None) -> None:
    (draft,), reasons = parsed(".csv", content)
    assert draft.text == (text or "Region: North; Population: 12\n\nRegion: South; Population: 14.5")
    assert reasons == []


def test_each_visible_sheet_of_a_workbook_is_read(tmp_path: Path) -> None:
    articles: list[list[object]] = [["title", "text"], ["A", TALKS], ["B", f"{TALKS} B."]]
    path = put(tmp_path, "a.xlsx", xlsx({"Data": REGIONS, "Articles": articles, "Old": [["x", "y"]]}, hidden="Old"))
    reasons: list[str] = []
    found = read(path, left_out=reasons.append)
    assert [(article.title, article.text) for article in found] == [
        ("Data", "Region: North; Population: 12\n\nRegion: South; Population: 14.5"),
        ("A", TALKS),
        ("B", f"{TALKS} B."),
    ]
    assert ["hidden sheet 'Old'" in reason for reason in reasons] == [True]
    assert one(put(tmp_path, "b.xlsx", xlsx({"Sheet1": REGIONS}))).title is None


def test_a_sheet_is_read_as_it_looks(tmp_path: Path) -> None:
    numbers = '<numFmts><numFmt numFmtId="164" formatCode="0.0%"/></numFmts>'
    styles = f'<styleSheet xmlns="{OFFICE}/spreadsheetml/2006/main">{numbers}<cellXfs><xf numFmtId="0"/>' + (
        '<xf numFmtId="164"/><xf numFmtId="9"/></cellXfs></styleSheet>'
    )
    texts = ["".join(f'<c r="{column}{{row}}" t="inlineStr"><is><t>{cell}</t></is></c>' for column, cell in cells)
             for cells in ([("A", "Region"), ("B", "City"), ("C", "Share"), ("D", "Remark")], [("A", "North")],
                           [("B", "Bonn")], [("A", "South")])]  # fmt: skip
    rows = (
        f'<row r="1">{texts[0].format(row=1)}</row><row r="2">{texts[1].format(row=2)}<c r="B2"><v>1</v></c>'
        '<c r="C2" s="1"><v>0.125</v></c><c r="D2"><v>7</v></c></row>'
        f'<row r="3">{texts[2].format(row=3)}<c r="C3" s="2"><v>0.5</v></c></row>'
        f'<row r="4" hidden="1">{texts[3].format(row=4)}<c r="C4"><v>0.9</v></c></row>'
    )
    sheet = (
        f'<worksheet xmlns="{OFFICE}/spreadsheetml/2006/main"><cols><col min="4" max="4" hidden="1"/></cols>'
        f'<sheetData>{rows}</sheetData><mergeCells><mergeCell ref="A2:A3"/></mergeCells></worksheet>'
    )
    content = rezipped(xlsx({"Sheet1": REGIONS}), {"xl/styles.xml": styles, "xl/worksheets/s0.xml": sheet})
    reasons: list[str] = []
    (article,) = read(put(tmp_path, "a.xlsx", content), left_out=reasons.append)
    assert article.text == "Region: North; City: 1; Share: 12.5%\n\nRegion: North; City: Bonn; Share: 50%"
    assert ["1 hidden rows and 1 hidden columns" in reason for reason in reasons] == [True]


# Documents


def test_odt_is_read_in_order_with_its_notes_last() -> None:
    cells = ("<table:table-cell><text:p>{}</text:p></table:table-cell>" * 2).format
    (draft,), _ = parsed(
        ".odt",
        odt(
            "<text:tracked-changes><text:p>deleted</text:p></text:tracked-changes><text:h>Head</text:h>"
            '<text:p>One<text:s text:c="2"/><text:span>two<text:note><text:note-citation>1</text:note-citation>'
            "<text:note-body><text:p>The note.</text:p></text:note-body></text:note></text:span>,<text:line-break/>"
            "three.<office:annotation><text:p>comment</text:p></office:annotation></text:p>"
            "<text:list><text:list-item><text:p>a</text:p></text:list-item><text:list-item><text:p>b</text:p>"
            "</text:list-item></text:list><table:table>"
            f"<table:table-row>{cells('Region', 'Population')}</table:table-row>"
            f"<table:table-row>{cells('North', '12')}</table:table-row></table:table>"
        ),
    )
    assert draft.text == "Head\n\nOne  two,\nthree.\n\n- a\n- b\n\nRegion: North; Population: 12\n\nThe note."
    assert (draft.title, draft.author, draft.language, draft.published) == ("Talks", "Ann Author", "en-GB", None)


def test_odt_leaves_out_what_is_hidden_and_marks_of_notes_and_fills_merged_cells() -> None:
    cell, covered = "<table:table-cell{}><text:p>{}</text:p></table:table-cell>".format, "<table:covered-table-cell/>"
    table = "".join(
        f"<table:table-row>{row}</table:table-row>"
        for row in (
            cell("", "Region") + cell("", "Men"),
            cell(' table:number-rows-spanned="2"', "North") + cell("", "12"),
            covered + cell("", "13"),
        )
    )
    names = 'xmlns:style="urn:oasis:names:tc:opendocument:xmlns:style:1.0" ' + (
        'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"'
    )
    styles = f"<s {names}>" + (
        '<style:style style:name="Up"><style:text-properties style:text-position="super 58%"/></style:style>'
        '<style:style style:name="T1" style:parent-style-name="Up"/>'
        '<style:style style:name="T2"><style:text-properties text:display="none"/></style:style></s>'
    )
    content = odt(
        '<text:p>In 2009<text:span text:style-name="T1">1</text:span> over 3 km<text:span '
        'text:style-name="T1">2</text:span><text:span text:style-name="T2">secret</text:span>.</text:p>'
        f'<text:section text:display="none"><text:p>secret</text:p></text:section><table:table>{table}</table:table>'
    )
    (draft,), reasons = parsed(".odt", rezipped(content, {"styles.xml": styles}))
    assert draft.text == "In 2009 over 3 km².\n\nRegion: North; Men: 12\n\nRegion: North; Men: 13"
    assert ["hidden text (12 characters)" in reason for reason in reasons] == [True]


def test_rtf_leaves_out_what_is_hidden_and_marks_of_notes_and_reads_boxes_last() -> None:
    (draft,), reasons = parsed(
        ".rtf",
        r"{\rtf1\ansi\uc0{\stylesheet{\s1\super note;}}In 2009{\super 1} and 2012\super 2\nosupersub  over 3 km{\up6 2}"
        r"{\v secret}.{\shp{\*\shpinst{\shptxt In a box.}}}"
        r'{\field{\*\fldinst{HYPERLINK "https://x.example/"}}{\fldrslt{ A link.}}}\par}',
    )
    assert draft.text == "In 2009 and 2012 over 3 km². A link.\n\nIn a box."
    assert ["hidden text (6 characters)" in reason for reason in reasons] == [True]


def test_rtf_is_plain_words_with_its_notes_last() -> None:
    (draft,), reasons = parsed(
        ".rtf",
        r"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0 Arial;}}{\info{\title The t\'e9st}{\author Ann \u352?x}{\creatim\yr18}}"
        r"{\header Running}\f0 One caf\'e9 \b two\b0 .{\footnote A {\i note}.}\par "
        r"Three \u8212? \u-10179?\u-8694?.\par "
        r"\trowd\cellx1\cellx2 Region\cell Pop\cell\row\trowd\cellx1\cellx2 North\cell 12\cell\row\pard End.\par}",
    )
    assert draft.text == "One café two.\n\nThree — 😊.\n\nRegion: North; Pop: 12\n\nEnd.\n\nA note."
    assert (draft.title, draft.author, draft.published, reasons) == ("The tést", "Ann Šx", None, [])


# Subtitles


@pytest.mark.parametrize(
    ("kind", "content", "text"),
    [
        (".srt", "1\n00:00:01,000 --> 00:00:04,000\n<i>Hello,</i> my\n\n2\n00:00:04,500 --> 00:00:06,000\nfriend. "
         "It is\nlate.\n\n3\n00:01:04,500 --> 00:01:06,000\n- Who is it?\n- Me &amp; you.\n",
         "Hello, my friend. It is late.\n\nWho is it?\n\nMe & you."),
        (".srt", "1\n00:00:01,000 --> 00:00:02,000\nGood night.\n\n2\n00:00:09,000 --> 00:00:11,000\nIt is late.\n"
         "Well - known too.\n",
         "Good night.\n\nIt is late. Well - known too."),
        (".vtt", "WEBVTT - The talk\n\nNOTE hidden\nhidden\n\nSTYLE\n::cue {}\n\nintro\n"
         "00:01.000 --> 00:04.000 align:start\n<v.loud Ann Author>Hello <b>all</b>.</v>\n\n"
         "00:05.000 --> 00:06.000\n<v Ann Author>I am here.\n\n"
         "00:07.000 --> 00:08.000\n<v Ben>So am I.",
         "Ann Author: Hello all. I am here.\n\nBen: So am I."),
        (".vtt", "WEBVTT\n\n00:00.000 --> 00:02.000\n \nhello<00:01.0><c> world</c>\n\n00:02.000 --> 00:02.010\n"
         "hello world\n \n\n00:02.010 --> 00:04.000\n"
         "hello world\nthis<00:03.0><c> is</c>\n\n00:04.000 --> 00:04.010\nthis is\n \n\n"
         "00:04.010 --> 00:06.000\nthis is\nthe end.\n",
         "hello world this is the end."),
    ],
)  # fmt: skip
def test_subtitles_are_prose_without_times(kind: str, content: str, text: str) -> None:
    (draft,), _ = parsed(kind, content)
    assert draft.text == text
    assert draft.title == ("The talk" if "The talk" in content else None)


def test_a_reference_to_no_character_does_not_cost_a_feed() -> None:
    for reference in ("&#x110000;", "&#99999999;", "&#xFFFFFFFF;"):
        entry = f"<item><title>T</title><link>https://x.example/1</link><description>{reference}{TALKS}</description></item>"
        (draft,), _ = parsed(".rss", f"<rss version='2.0'><channel><title>N</title>{entry}</channel></rss>")
        assert draft.text == TALKS


# Saved pages


def test_a_saved_page_is_its_article_with_its_address() -> None:
    (draft,), _ = parsed(".mhtml", mhtml())
    assert draft.text.startswith("Paragraph 0 says a little more about the talks in the café.\n\nParagraph 1")
    assert (draft.title, draft.url, draft.published) == ("Talks", "https://x.example/a", None)


def test_a_saved_page_for_subscribers_is_what_the_subscriber_saw() -> None:
    locked = '<script type="application/ld+json">{"@type":"NewsArticle","isAccessibleForFree":false}</script>'
    (draft,), _ = parsed(".mhtml", mhtml(PAGE.replace("</head>", f"<link rel=canonical href=/b>{locked}</head>")))
    assert draft.text.startswith("Paragraph 0 says")
    assert draft.url == "https://x.example/a"


@pytest.mark.parametrize("name", ["a.warc", "a.warc.gz"])
def test_pages_of_a_web_archive_are_articles(tmp_path: Path, name: str) -> None:
    assert readable(tmp_path / name)
    assert not readable(tmp_path / "a.gz")
    reasons: list[str] = []
    (article,) = read(put(tmp_path, name, warc(is_packed=name.endswith("gz"))), left_out=reasons.append)
    assert (article.title, article.url) == ("Talks", "https://x.example/0")
    assert ["1 of application/pdf, 1 of status 404" in reason for reason in reasons] == [True]


# What no file may do

SAMPLES = {
    ".csv": f"title,text\nA,{TALKS}\n".encode(),
    ".xlsx": xlsx({"Data": REGIONS}),
    ".odt": odt(f"<text:p>{TALKS}</text:p>"),
    ".rtf": rb"{\rtf1\ansi{\info{\title T}} " + TALKS.encode() + rb"{\footnote n}\par}",
    ".srt": f"1\n00:00:01,000 --> 00:00:04,000\n{TALKS}\n".encode(),
    ".vtt": f"WEBVTT\n\n00:01.000 --> 00:04.000\n<v Ann>{TALKS}\n".encode(),
    ".mhtml": mhtml(),
    ".warc": warc(is_packed=False),
    ".warc.gz": warc(is_packed=True),
    ".json": b'{"articles": [{"title": "A", "text": "' + TALKS.encode() + b'"}]}',
    ".md": b"---\ntitle: A\nauthors: [a, b]\n---\n> [!note] x\n\n[[a|b]] " + TALKS.encode(),
}


@pytest.mark.parametrize("kind", SAMPLES)
@settings(max_examples=20, deadline=None)
@given(st.data())
def test_a_damaged_file_gives_articles_or_a_read_error(kind: str, data: st.DataObject) -> None:
    content = bytearray(SAMPLES[kind])
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        end = start + data.draw(st.sampled_from([0, 1, 2, 40, len(content)]))
        content[start:end] = data.draw(
            st.sampled_from([b"", b"\0", b"{", b"<", b'"', b"\xff", b"PK", b"[" * 3000, b"\\u-1?"])
        )
    try:
        found = formats.parse(kind, bytes(content))
    except ReadError:
        return
    assert all(isinstance(item, ReadError) or item.text.encode() is not None for item in found)


@pytest.mark.parametrize("kind", [kind for kind in SAMPLES if kind not in (".md", ".json", ".csv")])
def test_other_content_is_refused_by_name(kind: str) -> None:
    for content in (b"", b"\x89PNG\r\n\x1a\n" + bytes(range(256)), b"<!DOCTYPE html><p>x</p>", b"plain words"):
        try:
            drafts, reasons = parsed(kind, content)
        except ReadError:
            continue
        assert drafts == []
        assert reasons


def test_a_workbook_or_document_that_unpacks_to_too_much_is_refused() -> None:
    bomb = bytearray(zipped({"content.xml": "x", "xl/workbook.xml": "x"}))
    place = bomb.find(b"PK\x01\x02") + 24
    bomb[place : place + 4] = (300 << 20).to_bytes(4, "little")
    for kind in (".odt", ".xlsx", ".ods"):
        with pytest.raises(ReadError, match="unpacks to more than"):
            parsed(kind, bytes(bomb))


def test_rows_beyond_the_limit_are_named() -> None:
    found = formats.parse(".csv", ("a,b\n" + "x,1\n" * 10_050).encode())
    assert [str(item)[:7] for item in found if isinstance(item, LeftOut)] == ["50 rows"]
