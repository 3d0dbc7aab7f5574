"""PDF: the places of letters on a page become words, columns, tables, paragraphs and a title."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from reportlab.pdfgen import canvas

from index.read import hyphen, read
from tests.conftest import one, put

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LEFT = (
    "The board of the harbour met in the",
    "evening and decided that the ferry",
    "would stay in port until noon, and",
    "nobody was hurt in the storm itself.",
)
RIGHT = (
    "The school won the prize that goes",
    "every year to the best garden of the",
    "county, and will spend it on a new",
    "greenhouse behind the old building.",
)
BODY = "The two leaders met in Moscow on Monday, and spoke of trade for an hour and more."


def pdf(*pages: Sequence[tuple[float, float, float, str]], title: str = "", author: str = "") -> bytes:
    """A PDF of pages of text in Helvetica, each at (x, y, size); \\255 is the soft hyphen."""
    properties = f"<</Title({title})/Author({author})/CreationDate(D:20200101000000Z)>>"
    objects = ["<</Type/Catalog/Pages 2 0 R>>", "", properties]
    kids = []
    for page in pages:
        stream = "".join(f"BT /F {size} Tf {x} {y} Td ({text}) Tj ET\n" for x, y, size, text in page)
        objects.append(f"<</Length {len(stream)}>>stream\n{stream}endstream")
        fonts = "<</F <</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>>>"
        objects.append(
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Resources<</Font{fonts}>>/Contents {len(objects)} 0 R>>"
        )
        kids.append(f"{len(objects)} 0 R")
    objects[1] = f"<</Type/Pages/Count {len(kids)}/Kids[{' '.join(kids)}]>>"
    out, places = "%PDF-1.7\n", []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    trailer = f"<</Size {len(objects) + 1}/Root 1 0 R/Info 3 0 R>>"
    return (
        f"{out}xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}trailer{trailer}\nstartxref\n{len(out)}\n%%EOF"
    ).encode("latin-1")


def lines(
    texts: Sequence[str], *, x: float = 50, top: float = 700, size: float = 12, leading: float = 14
) -> list[tuple[float, float, float, str]]:
    return [(x, top - leading * number, size, text) for number, text in enumerate(texts)]


def text_of(tmp_path: Path, content: bytes) -> str:
    return one(put(tmp_path, "a.pdf", content)).text


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("about the infra-", "structure of the town", "about the infrastructure of the town"),
        ("a devel\\255", "opment of the harbour", "a development of the harbour"),
        ("a well-", "known man", "a well-known man"),
        ("the years 1990-", "1995 in the town", "the years 1990-1995 in the town"),
        ("the Franco-", "German border", "the Franco-German border"),
        ("a state-of-the-", "art machine", "a state-of-the-art machine"),
        ("the Carolingian-", "based and/or Carolingian cultures", "the Carolingian-based and/or Carolingian cultures"),
        ("the yes/", "no question", "the yes/no question"),
        ("by e-", "mail on Monday", "by e-mail on Monday"),
    ],
)
def test_a_word_broken_at_a_lines_end_is_mended_and_a_compound_stays(
    tmp_path: Path, before: str, after: str, expected: str
) -> None:
    first = f"The council of the town spoke in the evening {before}"
    across = pdf(lines([first, f"{after}, which was closed."]))
    assert f"evening {expected}, which was closed." in text_of(tmp_path, across)
    pages = pdf(lines(["A page before it.", first], top=100), lines([f"{after}, which was closed."]))
    assert f"evening {expected}, which was closed." in text_of(tmp_path, pages)
    columns = pdf(lines([*LEFT, "The council spoke in the evening", before]) + lines([f"{after},", *RIGHT], x=320))
    assert expected + "," in text_of(tmp_path, columns)


def test_the_document_decides_about_a_word_that_it_has_elsewhere(tmp_path: Path) -> None:
    broken = lines(["They asked the whole of the co-", "operation about the under-", "score that night."])
    with_hyphen = lines(["The co-operation is old. The under-score is new."], top=600)
    assert "the co-operation about the under-score that" in text_of(tmp_path, pdf(broken + with_hyphen))
    whole = lines(["The cooperation is old. The underscore is new."], top=600)
    assert "the cooperation about the underscore that" in text_of(tmp_path, pdf(broken + whole))


def test_columns_drawn_row_by_row_are_read_one_after_the_other(tmp_path: Path) -> None:
    rows = [item for pair in zip(lines(LEFT), lines(RIGHT, x=320), strict=True) for item in pair]
    heading = [(50.0, 730.0, 20.0, "Harbour closed, and the school wins a prize for it")]
    text = text_of(tmp_path, pdf(heading + rows))
    assert text.split("\n\n") == [heading[0][3], " ".join(LEFT), " ".join(RIGHT)]


def test_wide_spaces_of_a_narrow_justified_column_are_no_table(tmp_path: Path) -> None:
    from reportlab.pdfbase.pdfmetrics import stringWidth

    lines = [
        "The board decided yesterday",
        "Karlheinz Mayer-Weber",
        "Luebbecke explained",
        "the choice of the board and",
    ]
    drawn = []
    for number, line in enumerate([*lines, "nobody was there any more,", *lines]):
        widths = [stringWidth(word, "Helvetica", 10) for word in line.split()]
        x = 72.0
        for word, width in zip(line.split(), widths, strict=True):
            drawn.append((x, 700.0 - 12 * number, 10.0, word))
            x += width + (150 - sum(widths)) / (len(widths) - 1)
    assert " ".join(lines) in one(put(tmp_path, "a.pdf", pdf(drawn))).text


def test_columns_of_nouns_with_capitals_are_columns_and_cells_of_several_lines_a_table(tmp_path: Path) -> None:
    columns = [
        [
            "Die Bundesregierung hat Herrn Mayer-",
            "Lang zum Vorsitz berufen. Verkehrs-",
            "Minister Weber sagt, die Bahn der Nord-",
            "Linie bleibt erhalten. Die Kritik der",
            "Verbraucher nennt er nicht gerecht.",
        ],
        [
            "Das Amt hat den Antrag der Stadt Bad-",
            "Hausen heute bewilligt. Die Mittel des",
            "Landes reichen dann. Vertreter der Klein-",
            "Betriebe aus Emden danken dem Amt.",
            "Der Bau beginnt im Mai des Jahres.",
        ],
    ]
    drawn = [
        (x, 700.0 - 12 * n, 10.0, line)
        for x, lines in zip((72.0, 300.0), columns, strict=True)
        for n, line in enumerate(lines)
    ]
    text = one(put(tmp_path, "a.pdf", pdf(sorted(drawn, key=lambda line: -line[1])))).text
    assert "|" not in text
    assert text.index("Verbraucher nennt") < text.index("Das Amt")
    rows = [
        (700, "Name", "Task", "Days"),
        (676, "Ann Lee", "Repairs of the old pier and", "12"),
        (664, "", "of the wall behind it", ""),
        (640, "Ben Cox", "Painting of all the ships", "3"),
    ]
    cells = [
        (x, float(y), 10.0, cell) for y, *row in rows for x, cell in zip((72.0, 190.0, 400.0), row, strict=True) if cell
    ]
    assert one(put(tmp_path, "b.pdf", pdf(cells))).text == (
        "Name: Ann Lee; Task: Repairs of the old pier and of the wall behind it; Days: 12\n\n"
        "Name: Ben Cox; Task: Painting of all the ships; Days: 3"
    )


def test_a_short_heading_parts_the_columns_above_from_those_below(tmp_path: Path) -> None:
    above = lines(LEFT) + lines(RIGHT, x=320)
    heading = [(50.0, 620.0, 18.0, "Later news")]
    below = lines(["They went home on foot in the end,", "which took them the whole night,", "and slept."], top=590)
    beside = lines(["The shops stayed closed until the", "storm was over, as the mayor had", "asked."], x=320, top=590)
    text = text_of(tmp_path, pdf(above + heading + below + beside))
    assert [text.index(word) for word in ("harbour", "school", "Later", "home", "shops")] == sorted(
        text.index(word) for word in ("harbour", "school", "Later", "home", "shops")
    )


def test_a_table_is_read_in_rows_that_name_their_columns(tmp_path: Path) -> None:
    rows = [("Region", "Population", "Area"), ("North", "12", "340"), ("South", "1,200", "90")]
    cells = [
        (x, 600.0 - 16 * number, 12.0, cell)
        for number, row in enumerate(rows)
        for x, cell in zip((50.0, 180.0, 300.0), row, strict=True)
    ]
    text = text_of(tmp_path, pdf([*lines([BODY]), *cells, *lines(["The end of it."], top=500)]))
    assert text.split("\n\n") == [
        BODY,
        "Region: North; Population: 12; Area: 340",
        "Region: South; Population: 1,200; Area: 90",
        "The end of it.",
    ]


def test_a_table_over_several_pages_keeps_every_row_and_its_heads(tmp_path: Path) -> None:
    pages = []
    for number in range(3):
        rows = [("Name", "Year"), *((f"Item {row}", str(1900 + row)) for row in range(40 * number, 40 * number + 40))]
        pages.append(
            [
                (x, 770.0 - 18 * place, 11.0, cell)
                for place, row in enumerate(rows)
                for x, cell in zip((50.0, 300.0), row, strict=True)
            ]
        )
        pages[-1] += [(50.0, 793.0, 8.0, f"The Daily, page {number + 1} of 3"), (300.0, 12.0, 8.0, str(number + 1))]
    assert text_of(tmp_path, pdf(*pages)).split("\n\n") == [
        f"Name: Item {row}; Year: {1900 + row}" for row in range(120)
    ]


def test_cells_of_several_lines_stay_in_their_row(tmp_path: Path) -> None:
    cells = [
        *[(50.0, 600.0, 12.0, "Party"), (150.0, 600.0, 12.0, "Programme"), (420.0, 600.0, 12.0, "Seats")],
        *[
            (50.0, 575.0, 12.0, "Labour"),
            (150.0, 575.0, 12.0, "wants to build a great number of"),
            (420.0, 575.0, 12.0, "9"),
        ],
        (150.0, 561.0, 12.0, "houses in the towns of the country"),
        *[
            (50.0, 536.0, 12.0, "Greens"),
            (150.0, 536.0, 12.0, "want to close every station that"),
            (420.0, 536.0, 12.0, "7"),
        ],
        (150.0, 522.0, 12.0, "burns coal"),
    ]
    assert text_of(tmp_path, pdf(cells)).split("\n\n") == [
        "Party: Labour; Programme: wants to build a great number of houses in the towns of the country; Seats: 9",
        "Party: Greens; Programme: want to close every station that burns coal; Seats: 7",
    ]


def test_raised_marks_of_footnotes_go_and_exponents_stay(tmp_path: Path) -> None:
    page = [
        *[(50.0, 700.0, 12.0, "Founded in 2009"), (139.5, 705.0, 7.0, "1"), (146.0, 700.0, 12.0, "on 340 km")],
        *[(200.8, 705.0, 7.0, "2"), (208.0, 700.0, 12.0, "of land.")],
    ]
    assert text_of(tmp_path, pdf(page)) == "Founded in 2009 on 340 km² of land."


def test_a_list_of_short_lines_is_not_one_line(tmp_path: Path) -> None:
    text = text_of(tmp_path, pdf(lines([BODY, "Apples", "Pears", "Plums"])))
    assert text.endswith("Apples\nPears\nPlums")


def test_a_large_initial_belongs_to_its_word(tmp_path: Path) -> None:
    page = [
        (50.0, 672.0, 42.0, "T"),
        *lines(["he board met in the evening and decided", "that the ferry stays."], x=82),
    ]
    assert text_of(tmp_path, pdf(page)) == "The board met in the evening and decided that the ferry stays."


def test_notes_at_the_foot_do_not_stand_within_a_sentence(tmp_path: Path) -> None:
    first = [
        *lines([BODY, "They agreed that nobody would speak of it until the"], top=300),
        (50.0, 120.0, 8.0, "1. A note."),
    ]
    text = text_of(tmp_path, pdf(first, lines(["spring of the next year, and left."])))
    assert text.endswith("until the spring of the next year, and left.\n\n1. A note.")


def test_pages_without_text_are_named(tmp_path: Path) -> None:
    found: list[str] = []
    path = put(tmp_path, "a.pdf", pdf([], lines([BODY]), [], []))
    (article,) = read(path, left_out=found.append)
    assert article.text == BODY
    assert len(found) == 1
    assert "no text on pages 1 and 3-4 of 4" in found[0]
    assert "ocrmypdf" in found[0]
    assert read(path)[0].text == BODY


@pytest.mark.parametrize("known", ["", "Microsoft Word - draft3.doc", "about:blank", "scan_0042", "Layout template"])
def test_the_largest_type_of_the_first_page_is_the_title(tmp_path: Path, known: str) -> None:
    page = [
        (50.0, 750.0, 9.0, "THE DAILY"),
        *lines(["Talks on the harbour go", "on in Moscow"], top=700, size=24, leading=28),
    ]
    content = pdf([*page, *lines([BODY, BODY], top=600)], title=known)
    assert one(put(tmp_path, "a.pdf", content)).title == "Talks on the harbour go on in Moscow"


def test_a_title_of_the_properties_and_one_in_the_type_of_the_text(tmp_path: Path) -> None:
    page = [(50.0, 700.0, 20.0, "Talks go on"), *lines([BODY], top=600)]
    assert one(put(tmp_path, "a.pdf", pdf(page, title="Talks in Moscow"))).title == "Talks in Moscow"
    plain = [(50.0, 740.0, 12.0, "Talks go on"), *lines([BODY], top=700)]
    assert one(put(tmp_path, "b.pdf", pdf(plain))).title == "Talks go on"
    assert one(put(tmp_path, "c.pdf", pdf(lines([BODY, BODY])))).title is None


def filled_form() -> bytes:
    """A form, and beside it what was typed onto the page and a page without words."""
    out = io.BytesIO()
    page = canvas.Canvas(out)
    page.drawString(50, 760, "Full name:")
    page.acroForm.textfield(name="f1_01", x=150, y=752, value="Ada Lovelace")
    page.drawString(50, 730, "City:")
    page.acroForm.textfield(name="form[0].city[0]", tooltip="City of birth", x=150, y=722, value="London")
    page.drawString(50, 700, "Married")
    page.acroForm.checkbox(name="c1", x=150, y=695, checked=True)
    page.drawString(50, 680, "Widowed")
    page.acroForm.checkbox(name="c2", x=150, y=675, checked=False)
    page.acroForm.choice(name="favourite_colour", value="Green", options=["Red", "Green"], x=150, y=640)
    page.acroForm.radio(name="ticket", value="single", selected=True, x=150, y=615)
    page.acroForm.radio(name="ticket", value="return", selected=False, x=200, y=615)
    page.drawString(50, 562, "Remarks")
    page.acroForm.textfield(name="t9", x=50, y=500, height=60, value="One line.\nAnother.", fieldFlags="multiline")
    page.acroForm.textfield(name="key", x=50, y=450, value="hunter2", fieldFlags="password")
    page.acroForm.textfield(name="empty", x=50, y=420)
    page.freeTextAnnotation("Received on 4 May", "/Helv 10 Tf", Rect=[50, 300, 200, 320])
    page.showPage()
    page.showPage()
    page.save()
    return out.getvalue()


def test_what_a_form_holds_follows_its_page_with_the_labels_of_the_fields(tmp_path: Path) -> None:
    left_out: list[str] = []
    (article,) = read(put(tmp_path, "form.pdf", filled_form()), left_out=left_out.append)
    assert article.text.split("\n\n")[-7:] == [
        "Full name: Ada Lovelace",
        "City of birth: London",
        "Married: yes",
        "favourite colour: Green",
        "ticket: single",
        "Remarks: One line. Another.",
        "Received on 4 May",
    ]
    assert "hunter2" not in article.text
    assert ["no text on page 2 of 2" in note for note in left_out] == [True]


@pytest.mark.timeout(60)
def test_long_stretches_without_a_space_cost_little() -> None:
    stretch = "\u6c49\u5b57" * 200_000
    assert hyphen.mend(f"{stretch} infra{hyphen.BREAK}structure") == f"{stretch} infrastructure"
    assert hyphen.mend(f"{'a' * 400_000}1ab{hyphen.BREAK}cd").startswith("a" * 400_000)
