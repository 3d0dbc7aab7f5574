"""ui/export/: what is taken along is read back, whole and harmless, by parsers that are not ours."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from typing import TYPE_CHECKING, Any

import bibtexparser
import docx
import pytest
import rispy
from bibtexparser.middlewares import LatexDecodingMiddleware, SeparateCoAuthors, SplitNameParts
from citeproc.source.json import CiteProcJSON
from lxml import html

from index import Article, Index, InputError
from rag import Answer, Citation, Claim, Section
from rag.answer import Disagreement, Side
from rag.checked import Check, Checked, CheckVerdict
from tests.fakes import BagOfWordsEmbedder
from ui import cli
from ui.conversations import Conversation, Kept
from ui.export import subject
from ui.export.formats import FORMATS, file_name, of_path, stem, write
from ui.export.subject import Subject
from ui.export.works import Name, cited

if TYPE_CHECKING:
    from pathlib import Path

AT = "2026-11-27T10:03:00+00:00"
CONTROLS = "\x00\x08\x0b\x1b[31m\x85\ud800\ufffe\uffff\u202e"
URL = "https://example.org/a_b?x=1&y=%20%C3%A9#p~1"
ARTICLES = (
    Article(
        "é", "Elle a dit « non ».", "L'été à Gdańsk: Ångström & Søn", "Le Monde", URL, "2018-03-21T09:30:00+00:00",
        author="José Ortega y Gasset",
    ),
    Article(
        "tex", "It is 5 % off.", r"50% of $5 {a} \b #1 a_b ~ ^ & more", "A & B", published="2018-03", author="BBC News",
    ),
    Article("brace", "Open.", "Half } a { brace", published="2018", author="Ludwig van Beethoven and Doe, Jane"),
    Article("zh", "大坝今天关闭。", "大坝关闭：工程师", "新华社", "https://example.org/zh", author="王小明"),
    Article("ar", "أغلق السد اليوم.", "السد مغلق", "الجزيرة", published="2020-02-30"),
    Article("none", f"Nobody {CONTROLS}knows.", f"No{CONTROLS} one", url="javascript:alert(1)", published="someday"),
    Article("formula", "=1+1", "=cmd|' /C calc'!A0", "@SUM(A1)", "https://example.org/f", "1999-12-31", author="-x"),
)  # fmt: skip


def quoted(*articles: Article) -> tuple[Claim, ...]:
    claims, at = [], 0
    for number, article in enumerate(articles, start=1):
        quote = Citation(number, article, 0, len(article.text))
        claims.append(Claim(article.text, at, at + len(article.text), (quote,), 0.9, supported=True))
        at += len(article.text) + 1
    return tuple(claims)


def fact() -> Answer:
    claims = quoted(*ARTICLES)
    text = " ".join(claim.text for claim in claims)
    sides = tuple(Side(one.text, one.citations[0]) for one in claims[:2])
    return Answer("Who closed the <dam>?", text, claims, unanswered="why", disagreements=(Disagreement("date", sides),))


def rows() -> Answer:
    claims = quoted(*ARTICLES)
    sections = tuple(
        Section(article.headline, article.published, article.id, (claim,), 2)
        for article, claim in zip(ARTICLES, claims, strict=True)
    )
    text = "\n\n".join(["Seven articles. By outlet: Le Monde 5.", *(section.text for section in sections)])
    counts = {"outlet": {"Le Monde": 5, "": 2}}
    return Answer("Which articles?", text, claims, kind="list", sections=sections, total=7, counts=counts)


def checked() -> Check:
    sentences: list[Checked] = []
    texts: list[str] = []
    for at, (verdict, article) in enumerate(zip(CheckVerdict, ARTICLES, strict=False)):
        quote = Citation(at + 1, article, 0, len(article.text))
        start = len(" ".join([*texts, ""])) if texts else 0
        texts.append(article.text)
        sentences.append(Checked(article.text, start, start + len(article.text), verdict, 0.5, (quote,), "A & <note>."))
    return Check(" ".join(texts), tuple(sentences))


def talk() -> Conversation:
    kept = [Kept(number, one.question, one.to_dict(), AT) for number, one in enumerate((fact(), rows()), start=1)]
    return Conversation("c1", "Dams & <more>", AT, AT, tuple(kept))


SUBJECTS = {
    "an answer": subject.of_answer(fact(), asked_at=AT),
    "rows": subject.of_answer(rows(), asked_at=AT),
    "a refusal": subject.of_answer(Answer("Why?", "They do not say.", refused=True, reason="no"), asked_at=AT),
    "a conversation": subject.of_conversation(talk()),
    "a check": subject.of_check(checked(), "Story <1>", day=AT),
    "several": subject.joined([subject.of_conversation(talk())] * 2, "Conversations", day=AT),
}
every = pytest.mark.parametrize("taken", SUBJECTS.values(), ids=SUBJECTS)


def shown(text: str) -> str:
    """What is left of a text where it is shown: its words without what a file must not hold."""
    bare = text.replace(CONTROLS, "")
    assert not any(unicodedata.category(one) in ("Cc", "Cs") for one in bare)
    return " ".join(bare.split())


def content(taken: Subject, name: str) -> bytes:
    return FORMATS[name].content(taken)


@every
def test_every_format_has_every_subject_and_is_text_of_its_encoding(taken: Subject) -> None:
    for name, form in FORMATS.items():
        made = content(taken, name)
        if form.is_text:
            text = made.decode("utf-8")
            assert name == "json" or not re.search("[\x00-\x08\x0b\x1b\x85\ufffe\uffff\u202e]", text), name


@every
def test_word_opens_it_with_headings_links_and_references_that_markers_lead_to(taken: Subject) -> None:
    file = docx.Document(io.BytesIO(content(taken, "docx")))
    text = "\n".join(paragraph.text for paragraph in file.paragraphs)
    titles = [one.text for one in file.paragraphs if one.style.name.startswith(("Title", "Heading"))]
    assert titles[0]
    assert file.core_properties.title == shown(taken.document.title)
    names = set(file.element.xpath("//w:bookmarkStart/@w:name"))
    anchors = set(file.element.xpath("//w:hyperlink/@w:anchor"))
    assert anchors <= names
    for citation in taken.citations:
        assert shown(citation.quote) in text
        assert shown(citation.article.headline) in text
    links = {one.target_ref for one in file.part.rels.values() if one.is_external}
    assert links == {one.url for one in taken.citations if (one.url or "").startswith("https")}


def test_word_shows_rows_as_headed_paragraphs_a_table_and_turns_arabic() -> None:
    file = docx.Document(io.BytesIO(content(SUBJECTS["rows"], "docx")))
    cells = [[cell.text for cell in row.cells] for row in file.tables[0].rows]
    assert cells == [["By outlet", "Articles"], ["Le Monde", "5"], ["outlet unknown", "2"]]
    turned = [one.text for one in file.paragraphs if one._p.xpath("./w:pPr/w:bidi")]
    assert len(turned) == 2  # the row, and its reference
    assert all("السد" in text for text in turned)
    whole = docx.Document(io.BytesIO(content(SUBJECTS["a conversation"], "docx")))
    assert [one.text for one in whole.paragraphs if one.style.name == "Heading 1"] == [
        "Who closed the <dam>?", "Which articles?",
    ]  # fmt: skip


@every
def test_html_is_one_file_that_runs_nothing_and_loads_nothing(taken: Subject) -> None:
    page = html.document_fromstring(content(taken, "html").decode())
    assert page.xpath("//title")[0].text == shown(taken.document.title) or not taken.document.title
    assert not page.xpath("//script | //img | //link | //iframe | //@src | //@onclick")
    assert all(href.startswith(("https://", "#")) for href in page.xpath("//@href"))
    ids = set(page.xpath("//@id"))
    assert {href[1:] for href in page.xpath("//a/@href") if href.startswith("#")} <= ids
    assert len(page.xpath("//@id")) == len(ids)
    text = " ".join(page.text_content().split())
    for citation in taken.citations:
        assert shown(citation.quote) in text


@every
def test_a_spreadsheet_reads_a_row_for_each_quote_and_no_formula(taken: Subject) -> None:
    made = content(taken, "csv")
    assert made.startswith(b"\xef\xbb\xbf")  # else Excel takes it for another encoding
    found = list(csv.DictReader(io.StringIO(made.decode("utf-8-sig"))))
    assert len(found) == len(taken.rows)
    assert {shown(one.quote) for one in taken.citations if one.quote != "=1+1"} <= {row["quote"] for row in found}
    for row in found:
        assert not [value for value in row.values() if value.lstrip()[:1] in tuple("=+-@")]


def bib(taken: Subject, *decoding: Any) -> Any:
    library = bibtexparser.parse_string(content(taken, "bibtex").decode(), append_middleware=decoding)
    assert library.failed_blocks == []
    return library.entries


@every
def test_every_reference_manager_reads_the_same_articles(taken: Subject) -> None:
    works = cited(taken.citations)
    assert [entry.key for entry in bib(taken)] == [work.key for work in works]
    assert [record["id"] for record in rispy.loads(content(taken, "ris").decode())] == [work.key for work in works]
    items = json.loads(content(taken, "csl-json"))
    assert [item["id"] for item in items] == [work.key for work in works]
    read = CiteProcJSON(items)
    for work in works:
        assert str(read[work.key].title) == work.title


def test_bibtex_keeps_titles_names_dates_and_addresses() -> None:
    plain = {entry.key: entry.fields_dict for entry in bib(SUBJECTS["an answer"])}
    decoded = {entry.key: entry.fields_dict for entry in bib(SUBJECTS["an answer"], LatexDecodingMiddleware())}
    works = cited(fact().citations)
    for work in works:
        title = decoded[work.key]["title"].value.replace("ˆ", "^")  # how that parser writes a circumflex
        unpaired = r"Half \textbraceright{} a \textbraceleft{} brace"  # of which it knows no command
        assert title == work.title or plain[work.key]["title"].value == unpaired
        assert (plain[work.key]["url"].value if "url" in plain[work.key] else "") == work.url
    dated = [
        tuple(plain[one.key][name].value for name in ("year", "month", "day") if name in plain[one.key])
        for one in works
    ]
    assert dated == [
        ("2018", "mar", "21"),
        ("2018", "mar"),
        ("2018",),
        (),
        ("2020", "feb", "30"),
        (),
        ("1999", "dec", "31"),
    ]
    people = bib(SUBJECTS["an answer"], SeparateCoAuthors(), SplitNameParts())
    (gasset,), (beethoven, doe) = people[0]["author"], people[2]["author"]
    assert (gasset.first, gasset.von, gasset.last) == (["José", "Ortega"], ["y"], ["Gasset"])
    assert (beethoven.von, beethoven.last, doe.last) == (["van"], ["Beethoven"], ["Doe"])


def test_ris_and_csl_keep_what_is_known_and_nothing_else() -> None:
    records = rispy.loads(content(SUBJECTS["an answer"], "ris").decode())
    items = json.loads(content(SUBJECTS["an answer"], "csl-json"))
    for article, work, record, item in zip(ARTICLES, cited(fact().citations), records, items, strict=True):
        assert record["title"] == item["title"] == work.title == shown(article.headline)
        assert record.get("secondary_title") == item.get("container-title") == article.source
        assert record.get("urls", [None])[0] == item.get("URL") == (work.url or None)
        assert item.get("issued", {}).get("date-parts", [[]])[0] == list(work.date)
    assert [record.get("date") for record in records] == [
        "2018/03/21/", "2018/03//", "2018///", None, "2020/02/30/", None, "1999/12/31/",
    ]  # fmt: skip
    assert [record["type_of_reference"] for record in records] == ["NEWS", "NEWS", "GEN", "NEWS", "NEWS", "GEN", "NEWS"]
    assert [record.get("authors") for record in records][1:4] == [
        ["BBC News"],
        ["van Beethoven, Ludwig", "Doe, Jane"],
        ["王小明"],
    ]


@pytest.mark.parametrize(
    ("byline", "names"),
    [
        ("Jane Doe", [Name("Doe", "Jane")]),
        ("Jane Doe, John Q. Smith", [Name("Doe", "Jane"), Name("Smith", "John Q.")]),
        ("Jane Doe and John Smith; Ann Lee", [Name("Doe", "Jane"), Name("Smith", "John"), Name("Lee", "Ann")]),
        ("Doe, Jane", [Name("Doe", "Jane")]),
        ("Charles de la Vallée Poussin", [Name("de la Vallée Poussin", "Charles")]),
        ("AFP", [Name("AFP")]),
        ("The Post", [Name("The Post")]),
        ("our correspondent in Kyiv", [Name("our correspondent in Kyiv")]),
        ("王小明", [Name("王小明")]),
        ("", []),
    ],
)
def test_only_the_names_of_people_are_taken_apart(byline: str, names: list[Name]) -> None:
    article = Article("a", "Words.", "Title", "The Post", author=byline)
    assert list(cited([Citation(1, article, 0, 5)])[0].authors) == names


def test_the_author_of_a_kept_answer_stays() -> None:
    assert cited(Answer.from_dict(fact().to_dict()).citations) == cited(fact().citations)


def test_two_articles_with_one_name_have_two_keys() -> None:
    same = [Citation(n, Article(f"{n}", "W.", "Talks", "BBC", published="2018"), 0, 2) for n in range(3)]
    assert [work.key for work in cited(same)] == ["bbc2018talks", "bbc2018talks-2", "bbc2018talks-3"]


NAMES = (
    "",
    "..",
    "/etc/passwd",
    "CON",
    "aux.txt",
    "a" * 500,
    "大" * 500,
    'What? <is> "it": a|b*c\\d',
    "\x00\ud800",
    "السد",
)


@pytest.mark.parametrize("title", NAMES)
def test_a_file_is_named_after_what_is_in_it_on_every_system(title: str, tmp_path: Path) -> None:
    for name in (stem(title), stem(title, "2026-11-27")):
        assert not re.search(r'[<>:"/\\|?*\x00-\x1f\ud800-\udfff]', name)
        assert not re.fullmatch(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?", name)
        assert name.strip(" .") == name != ""
        assert len(name.encode()) < 160
        (tmp_path / name).touch()
    assert file_name(SUBJECTS["an answer"], FORMATS["docx"]) == "who-closed-the-dam-2026-11-27.docx"


@pytest.mark.parametrize("words", ["हिन्दी समाचार", "น้ำท่วมใหญ่", "مُحَمَّد قال"])
def test_vowel_signs_stay_in_the_name_of_a_file(words: str) -> None:
    assert stem(words) == unicodedata.normalize("NFC", words).replace(" ", "-")


def test_several_subjects_are_one_document_with_a_title_and_a_list_for_programs() -> None:
    page = html.fromstring(content(SUBJECTS["several"], "html").decode())
    assert [one.text_content() for one in page.iter("title", "h1")] == ["Conversations"] * 2
    assert [one.text_content() for one in page.iter("h2")] == ["Dams & <more>"] * 2
    assert len(list(page.iter("h3"))) == 4
    alone = subject.joined([subject.of_conversation(talk())], "Conversations", day=AT)
    assert json.loads(content(alone, "json")) == [talk().to_dict()]


def test_a_format_that_no_terminal_shows_is_refused_before_anything_is_asked(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setattr(Index, "open", lambda *_, **__: pytest.fail("the index was opened"))
    assert cli.main(["--home", str(home), "ask", "Who?", "--format", "docx"]) == 1
    assert "--export FILE.docx" in capsys.readouterr().err


def test_a_file_says_its_format_by_its_ending_and_is_replaced_whole(tmp_path: Path) -> None:
    for form in FORMATS.values():
        for ending in form.endings:
            assert of_path(tmp_path / f"A.{ending.upper()}") is form
    path = tmp_path / "a.md"
    path.write_text("before", encoding="utf-8")
    write(SUBJECTS["rows"], path)
    assert path.read_text(encoding="utf-8").startswith("# Which articles?")
    assert write(SUBJECTS["rows"], tmp_path, FORMATS["ris"]).name == "which-articles-2026-11-27.ris"
    assert len(list(tmp_path.iterdir())) == 2
    with pytest.raises(InputError, match="none of"):
        write(SUBJECTS["rows"], tmp_path / "a.xls")
    with pytest.raises(InputError, match="--format"):
        write(SUBJECTS["rows"], tmp_path)


def test_the_command_line_prints_and_saves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = Index.open
    monkeypatch.setattr(Index, "open", lambda home=None, **_: opened(home, embedder=BagOfWordsEmbedder()))
    articles, home, draft = tmp_path / "articles", tmp_path / "home", tmp_path / "draft.md"
    articles.mkdir()
    (articles / "a.txt").write_text("Engineers of the dam found cracks in two pillars on Monday.", encoding="utf-8")
    draft.write_text("Engineers of the dam found cracks in two pillars on Monday.", encoding="utf-8")
    assert cli.main(["--home", str(home), "index", "add", str(articles)]) == 0
    asked = ["--home", str(home), "ask", "Which articles mention Engineers?"]
    capsys.readouterr()
    assert cli.main([*asked, "--format", "ris"]) == 0
    assert rispy.loads(capsys.readouterr().out)[0]["title"].startswith("Engineers")
    assert cli.main([*asked, "--csv"]) == 0
    assert len(list(csv.DictReader(io.StringIO(capsys.readouterr().out)))) == 1
    saved = [tmp_path / name for name in ("one.docx", "one.csl.json")]
    assert cli.main([*asked, *(word for path in saved for word in ("--export", str(path)))]) == 0
    printed = capsys.readouterr()
    assert "cracks in two pillars on Monday. [1]" in printed.out
    assert f"saved as {saved[1]}" in printed.err
    assert json.loads(saved[1].read_bytes())[0]["title"].startswith("Engineers")
    checked = ["--home", str(home), "check", str(draft), "--export"]
    assert cli.main([*checked, str(tmp_path), "--format", "html"]) == 0
    assert len(list(tmp_path.glob("draft-md-*.html"))) == 1
    for wrong, told in (
        (draft, "is what is read"),
        (tmp_path / "no" / "a.md", "mkdir -p"),
        (tmp_path / "a.xls", "ending"),
    ):
        assert cli.main([*checked, str(wrong)]) == 1
        assert told in capsys.readouterr().err
    assert draft.read_text(encoding="utf-8").startswith("Engineers")
