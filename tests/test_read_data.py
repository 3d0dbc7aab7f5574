"""Encodings, front matter and exported data: what becomes text and metadata, whatever else is in the file."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import ReadError
from index.read import formats, read
from index.read.charset import damage, decode
from index.read.dates import written_date
from tests.conftest import one, put

if TYPE_CHECKING:
    from pathlib import Path

    from index.read.draft import Draft

TALKS = "The talks broke down in 2009, and both sides left the city."
BUDGET = "市議会は月曜日に予算①を承認した。"


def drafts(content: object, kind: str = ".jsonl") -> list[Draft]:
    """What is read of JSON or text; fails the test if anything is left out."""
    written = content if isinstance(content, bytes) else content if isinstance(content, str) else json.dumps(content)
    found = formats.parse(kind, written if isinstance(written, bytes) else written.encode())
    errors = [item for item in found if isinstance(item, ReadError)]
    assert errors == []
    return [item for item in found if not isinstance(item, ReadError)]


# Encodings


@pytest.mark.parametrize(
    ("declared", "content", "text"),
    [
        ("Shift_JIS", BUDGET.encode("cp932"), BUDGET),
        ("x-sjis", "～髙".encode("cp932"), "～髙"),
        ("ISO-2022-JP", b"\x1b$B;T5D2q-!\x1b(B ok", "市議会① ok"),
        ("iso-2022-jp", b"\x1b(I123\x1b(B", "ｱｲｳ"),
        ("EUC-JP", b"\xbb\xd4\xad\xa1", "市①"),
        ("Big5", b"\xf9\xd8\xa3\xe1\xa1\xe3\x8b\xfa", "裏€～" + b"\x8b\xfa".decode("big5hkscs", "replace")),
        ("gb2312", "朱镕基".encode("gbk"), "朱镕基"),
        ("ks_c_5601-1987", "똠".encode("cp949"), "똠"),
        ("hz-gb-2312", "中文".encode("hz"), "中文"),
        ("iso-8859-1", "“dijo”".encode("cp1252"), "“dijo”"),
        ("windows-874", "ปี".encode("cp874"), "ปี"),
        ("UTF-7", b"Z+APw-rich caf+AOk-", "Zürich café"),
        ("utf-7", b"C++ is plain", "C++ is plain"),
        ("utf-16", b"<meta charset=utf-16> but ASCII", "<meta charset=utf-16> but ASCII"),
        ("iso-2022-jp", "日本".encode(), "日本"),
        ("unicode_escape", rb"\u0041", r"\u0041"),
        ("no such", b"plain", "plain"),
    ],
)
def test_a_declared_encoding_means_what_browsers_take_it_for(declared: str, content: bytes, text: str) -> None:
    assert decode(content, declared=declared) == text


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "iso2022_jp", "utf-7"])
def test_what_is_no_utf_8_is_recognized_without_a_declaration(encoding: str) -> None:
    for text in (f"{BUDGET.replace('①', '案')}\n一つ、二つ。", "La réunion à Orléans est déjà très utile.\n"):
        if encoding != "iso2022_jp" or text.startswith("市"):
            assert decode(text.encode(encoding)) == text


@pytest.mark.parametrize(
    ("encodings", "text"),
    [
        ("cp1250 iso8859-2", "Port został zamknięty w środę z powodu burzy. Nikt nie ucierpiał."),
        ("cp1250", "Přístav byl ve středu uzavřen kvůli bouři. Nikdo nebyl zraněn."),
        ("cp1254", "Liman çarşamba günü fırtına nedeniyle kapatıldı. Başkan gitti."),
        ("cp1257", "Uostas buvo uždarytas trečiadienį dėl audros, sakė meras šį rytą."),
        ("cp1252 mac-roman cp850", "Der Hafen wird geschlossen, weil die Mauer nicht hält. Größe, Äpfel, öffnet."),
        ("cp1251 koi8-r cp866", "Порт закрыли в среду."),
        ("cp1253 iso8859-7", "Το λιμάνι έκλεισε."),
        ("cp932 euc_jp", "港は閉鎖された。"),
        ("gb18030 utf-16-le utf-16-be", "港口星期三关闭，没有人受伤。"),
        ("big5", "港口星期三關閉，沒有人受傷。"),
        ("euc_kr", "항구는 수요일에 폐쇄된다."),
    ],
)
def test_a_sentence_shows_its_encoding_by_the_letters_of_its_language(encodings: str, text: str) -> None:
    for encoding in encodings.split():
        assert decode(text.encode(encoding)) == text


def test_headers_of_mail_are_decoded_as_the_body_is() -> None:
    for name, encoding, text in (
        ("gb2312", "gbk", "朱镕基"),
        ("shift_jis", "cp932", "①髙"),
        ("utf-7", "utf-7", "Zürich"),
    ):
        word = f"=?{name}?B?{base64.b64encode(text.encode(encoding)).decode()}?="
        (draft,) = drafts(f"Subject: On {word}\nFrom: {word} <a@x.example>\n\n{TALKS}", ".eml")
        assert (draft.title, draft.source) == (f"On {text}", text)


def test_plus_signs_are_no_utf_7() -> None:
    for text in ("1+1-2 a+b- C++ is +fine-", "x = a+bc-d; y = q+re-f", "+44 20 7946 0000 and +1-555-0100"):
        assert decode(text.encode()) == text


@pytest.mark.parametrize("kind", [".txt", ".md", ".html", ".jsonl"])
def test_one_bad_byte_is_replaced_and_reported(tmp_path: Path, kind: str) -> None:
    prose = "The café in Zürich was full. Señor Núñez left it. " * 8
    content = json.dumps({"text": prose}, ensure_ascii=False) if kind == ".jsonl" else prose
    path = put(tmp_path, f"a{kind}", content.encode().replace(b" full", b" \xfafull", 1))
    reasons: list[str] = []
    (article,) = read(path, left_out=reasons.append)
    assert article.text == prose.strip().replace(" full", " \ufffdfull", 1)
    assert len(reasons) == 1
    assert "1 byte that is not UTF-8 was replaced" in reasons[0]
    assert one(path).text == article.text


def test_damage_is_reported_and_wrong_encodings_are_not_damage() -> None:
    quotes = "It’s a long text in which every other sentence isn’t plain. " * 9
    with damage() as notes:
        assert decode(quotes.encode("cp1252"), declared="utf-8") == quotes
    assert ["18 bytes that are not UTF-8 were read as CP1252" in str(note) for note in notes] == [True]
    with pytest.raises(ReadError, match="neither declared nor certain"):
        decode(b"caf\xe9")


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300), st.sampled_from([None, "utf-8", "big5", "iso-2022-jp", "utf-7", "euc-jp", "utf-16"]))
def test_any_bytes_are_text_or_a_read_error(content: bytes, declared: str | None) -> None:
    try:
        decode(content, declared=declared).encode()
    except ReadError:
        return


# Dates


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("March 21, 2018", "2018-03-21"),
        ("21. März 2018", "2018-03-21"),
        ("2018年3月21日", "2018-03-21"),
        ("Mar 21, 2018 9:30 pm", "2018-03-21T21:30:00"),
        (1521624600, "2018-03-21T09:30:00+00:00"),
        ("1521624600000", "2018-03-21T09:30:00+00:00"),
        (20180321, "2018-03-21"),
        ("20180321093000", "2018-03-21T09:30:00"),
        ("2018-3-5", "2018-03-05"),
        ("2018/3/21 9:30", "2018-03-21T09:30:00"),
        ("21.03.2018", "2018-03-21"),
        ({"$date": {"$numberLong": "1521624600000"}}, "2018-03-21T09:30:00+00:00"),
        *(
            (value, None)
            for value in ("03/04/2018", "March 2018", "2018", "last spring", "soon", True, 7, float("nan"))
        ),
    ],
)
def test_a_date_is_read_as_it_is_written_and_never_guessed(value: object, expected: str | None) -> None:
    assert written_date(value) == expected


def test_an_object_is_whole_wherever_it_is_long() -> None:
    for length in range(4030, 4100):
        known = {"text": "one " * 10 + "é" * (length - 60), "is_free": False, "title": "Ü", "n": -1.5}
        (draft,) = drafts(json.dumps(known, ensure_ascii=length % 2 == 0))
        assert (draft.text, draft.title) == (known["text"], "Ü")


# Front matter


def with_matter(block: str) -> Draft:
    (draft,) = drafts(f"{block}\n\n{TALKS}", ".md")
    assert draft.text == TALKS
    return draft


@pytest.mark.parametrize("line", ["published: true", "published: false", "published: soon", "url: /2018/harbour/",
                                  "url: javascript:alert(1)", "tags: [a, b", "a: *x", "b: !!python/none x", "{% x %}",
                                  "author: [[[[", "cover:\n  image: x", "'og:x': y", "x: {"])  # fmt: skip
def test_what_is_not_understood_in_front_matter_is_ignored(line: str) -> None:
    draft = with_matter(f"---\ntitle: Harbour\ndate: 2018-03-21\n{line}\n---")
    assert (draft.title, draft.published, draft.url, draft.author) == ("Harbour", "2018-03-21", None, None)


@pytest.mark.parametrize(
    "lines",
    [
        "authors:\n- Ann\n- Ben",
        "author: [Ann, Ben]",
        "authors:\n  - name: Ann\n    email: a@x.example\n  - name: Ben",
        "author: Ann, Ben",
    ],
)
def test_authors_are_a_text_a_list_or_mappings(lines: str) -> None:
    assert with_matter(f"---\ntitle: Talks: a new start\n{lines}\n---").author == "Ann, Ben"


def test_toml_front_matter_is_read() -> None:
    block = '+++\ntitle = "Harbour"\ndate = 2018-03-21\nlastmod = 2018-03-22T09:30:00Z\nauthors = ["Ann", "Ben"]\n'
    for end in ("[params]\nx = 1\n+++", "x = oops\n+++"):
        draft = with_matter(block + end)
        assert (draft.title, draft.published, draft.author) == ("Harbour", "2018-03-21", "Ann, Ben")


@pytest.mark.parametrize(
    "block",
    [
        '{"title": "Harbour", "date": "2018-03-21",\n"author": "Ann"}',
        '---json\n{"title": "Harbour", "date": "2018-03-21", "author": "Ann"}\n---',
        '---toml\ntitle = "Harbour"\ndate = 2018-03-21\nauthor = "Ann"\n---',
        "title: Harbour\ndate: 2018-03-21\nauthor: Ann\ntags:\n- a\n---",
        "Title: Harbour\nDate: 2018-03-21\nAuthor: Ann\nTags:\nSlug: a",
        "<!--\n.. title: Harbour\n.. date: 2018-03-21\n.. author: Ann\n-->",
    ],
)
def test_front_matter_of_other_generators_is_read(block: str) -> None:
    draft = with_matter(block)
    assert (draft.title, draft.published, draft.author) == ("Harbour", "2018-03-21", "Ann")


@pytest.mark.parametrize(
    "text", ["Ann: Where is it?\nBen: It is gone.\n\nThey left.", '{"a": 1}', "{% x %}\n\nThey left."]
)
def test_what_looks_like_front_matter_is_text(text: str) -> None:
    assert [draft.title for draft in drafts(text, ".md")] == [None]


def test_notes_of_obsidian_become_plain_words() -> None:
    note = (
        "---\naliases: [x]\n---\n> [!note]- A title\n> Its text.\n\nSee [[Page]], [[Page|the page]] and ![[a.png]]it "
        "==was== so in 2009[^1]. ^id\n\n`[[code]]` {{< figure a >}}%%hidden%%\n\n[^1]: The note.\n"
    )
    (draft,) = drafts(note, ".md")
    assert draft.text == ("A title\nIts text.\n\nSee Page, the page and it was so in 2009.\n\n[[code]]\n\nThe note.")


# JSON


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (["One.", "Two."], "One.\n\nTwo."),
        ("<p>One <b>two</b>.</p><p>Three &amp; four.</p><script>x()</script>", "One two.\n\nThree & four."),
        ("&lt;p&gt;One.&lt;/p&gt;&lt;p&gt;Two.&lt;/p&gt;", "One.\n\nTwo."),
        ("a < b and c > d & e\n\nTwo <i>lines</i>.", "a < b and c > d & e\n\nTwo lines."),
        ({"rendered": "<p>One.</p>"}, "One."),
        ({"blocks": [{"type": "paragraph", "data": {"text": "One."}}, {"data": {"text": "Two."}}]}, "One.\n\nTwo."),
        (["One ", {"type": "bold", "text": "two"}, "."], "One two."),
        ({"*": "<p>One.</p>"}, "One."),
        (
            {
                "en-US": {
                    "nodeType": "document",
                    "content": [
                        {
                            "nodeType": "paragraph",
                            "content": [{"nodeType": "text", "value": "One "}, {"nodeType": "text", "value": "two."}],
                        }
                    ],
                }
            },
            "One two.",
        ),
        (
            [{"_type": "block", "children": [{"_type": "span", "text": "One "}, {"_type": "span", "text": "two."}]}],
            "One two.",
        ),
        ([{"type": "paragraph", "children": [{"text": "One "}, {"text": "two.", "bold": True}]}], "One two."),
        ('{"root": {"children": [{"type": "paragraph", "children": [{"type": "text", "text": "One."}]}]}}', "One."),
        ([{"type": "paragraph", "paragraph": {"rich_text": [{"type": "text", "plain_text": "One."}]}}], "One."),
        (
            [{"heading": "A", "paragraphs": ["One.", "Two."]}, {"heading": "B", "text": "Three."}],
            "A\n\nOne.\n\nTwo.\n\nB\n\nThree.",
        ),
        ({"p1": "One.", "p2": "Two."}, "One.\n\nTwo."),
    ],
)
def test_text_may_be_markup_paragraphs_or_blocks(value: object, text: str) -> None:
    assert [draft.text for draft in drafts({"title": "T", "content": value})] == [text]


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({"source": {"id": "cnn", "name": "CNN"}, "author": "Ann", "title": "T", "url": "https://x.example/1",
          "publishedAt": "2018-03-21", "content": TALKS}, ("T", "CNN", "https://x.example/1", "2018-03-21", "Ann")),
        ({"@type": "NewsArticle", "headline": "T", "articleBody": TALKS, "datePublished": "2018-03-21",
          "author": [{"@type": "Person", "name": "Ann"}], "publisher": {"name": "CNN"},
          "mainEntityOfPage": {"@id": "https://x.example/1"}},
         ("T", "CNN", "https://x.example/1", "2018-03-21", "Ann")),
        ({"id": 1, "title": {"rendered": "T &amp; U"}, "content": {"rendered": f"<p>{TALKS}</p>"}, "author": 1,
          "date": "2018-03-21", "link": "https://x.example/1"},
         ("T & U", None, "https://x.example/1", "2018-03-21", None)),
        ({"page_content": TALKS, "metadata": {"source": "https://x.example/1", "title": "T", "date": "2018-03-21"}},
         ("T", None, "https://x.example/1", "2018-03-21", None)),
        ({"headline": ["T"], "body": [TALKS], "date": ["March 21, 2018"], "author": "['Ann', 'Ben']"},
         ("T", None, None, "2018-03-21", "Ann, Ben")),
        ({"maintext": TALKS, "title": "T", "date_publish": "2018-03-21", "source_domain": "x.example", "authors": []},
         ("T", "x.example", None, "2018-03-21", None)),
        ({"text": TALKS, "seendate": "20180321T000000Z", "url": {"x": []}, "title": 5, "author": {"a": [1]}},
         ("5", None, None, "2018-03-21T00:00:00+00:00", None)),
    ],
)  # fmt: skip
def test_keys_have_the_names_that_programs_give_them(known: dict[str, Any], expected: tuple[str | None, ...]) -> None:
    (draft,) = drafts(known)
    assert (draft.text, draft.title, draft.source, draft.url, draft.published, draft.author) == (TALKS, *expected)


@pytest.mark.parametrize(
    "known",
    [
        {"kop": "Haven", "artikeltekst": f"{TALKS} {TALKS}", "code": "x" * 400},
        {"tweet": {"full_text": f"{TALKS} {TALKS}"}},
        {"_source": {"story_text": f"{TALKS} {TALKS}", "summary": "Short."}},
        {"type": "constructor", "kwargs": {"page_content": f"{TALKS} {TALKS}"}},
        [{"kop": "Haven", "artikeltekst": f"{TALKS} {TALKS}"}],
        {"results": {"hits": [{"kop": "Haven", "artikeltekst": f"{TALKS} {TALKS}"}]}},
    ],
)
def test_running_text_under_a_name_that_nobody_knows_is_the_article(known: object) -> None:
    assert [draft.text for draft in drafts(known)] == [f"{TALKS} {TALKS}"]


ITEMS = [{"title": f"T{n}", "text": f"{n}. {TALKS}"} for n in (1, 2)]


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(ITEMS, indent=2),
        "\n".join(json.dumps(item, indent=2) for item in ITEMS),
        json.dumps({"status": "ok", "totalResults": 2, "articles": ITEMS}),
        json.dumps({"response": {"docs": ITEMS}, "text": "ok"}),
        json.dumps({"hits": {"hits": [{"_source": item} for item in ITEMS]}}),
        json.dumps({"data": {"a": ITEMS[0], "b": ITEMS[1]}}),
        json.dumps({"content": ITEMS, "totalPages": 1}),
        json.dumps({name: {str(n): item[name] for n, item in enumerate(ITEMS)} for name in ("title", "text")}),
        json.dumps({"columns": ["title", "text"], "index": [0, 1], "data": [list(item.values()) for item in ITEMS]}),
        json.dumps({f"a{n}": item for n, item in enumerate(ITEMS)}),
        json.dumps({"features": [{"properties": {"title": i["title"], "description": i["text"]}} for i in ITEMS]}),
        "\n".join(json.dumps({"index": {"_id": n}}) + "\n" + json.dumps(item) for n, item in enumerate(ITEMS)),
        json.dumps({"title": "T1", "text": ITEMS[0]["text"], "comments": ITEMS}) + "\n" + json.dumps(ITEMS[1]),
        "\n".join(map(json.dumps, ITEMS)).encode("utf-16"),
        "\n".join(map(json.dumps, ITEMS)).encode("utf-16-be"),
    ],
)
def test_articles_are_found_wherever_they_are_in_the_data(content: str | bytes) -> None:
    assert [(draft.title, draft.text) for draft in drafts(content, ".json")] == [
        (item["title"], item["text"]) for item in ITEMS
    ]


def test_what_the_envelope_says_holds_for_all_in_it() -> None:
    feed = {"version": "https://jsonfeed.org/version/1.1", "title": "The Feed", "description": TALKS, "language": "en",
            "items": [{"id": "1", "content_html": f"<p>{TALKS}</p>", "authors": [{"name": "Ann"}]}]}  # fmt: skip
    graph = {"@graph": [{"@type": "WebSite", "name": "Site", "description": TALKS},
                        {"@type": "Person", "@id": "#ann", "name": "Ann"},
                        {"@type": "NewsArticle", "articleBody": TALKS, "author": {"@id": "#ann"}}]}  # fmt: skip
    (draft,) = drafts(feed)
    assert (draft.source, draft.language, draft.author) == ("The Feed", "en", "Ann")
    (draft,) = drafts(graph)
    assert (draft.text, draft.author) == (TALKS, "Ann")


def test_an_object_without_text_costs_only_itself(tmp_path: Path) -> None:
    items = [ITEMS[0], {"title": "none"}, "text", {"title": "T", "description": TALKS}, {"id": 1, "text": "a one"},
             {"id": 1, "text": "another"}, {"name": "package", "description": TALKS}]  # fmt: skip
    reasons: list[str] = []
    path = put(tmp_path, "a.json", json.dumps(items, indent=1))
    assert [article.text for article in read(path, left_out=reasons.append)] == [
        ITEMS[0]["text"],
        TALKS,
        "a one",
        "another",
    ]
    assert [reason.split(": ")[1] for reason in reasons] == ["item 2", "item 3", "item 7"]
    put(tmp_path, "a.json", json.dumps(items[:1] * 2, indent=1)[:-30])
    assert [article.text for article in read(path, left_out=reasons.append)] == [ITEMS[0]["text"]]
    assert "line 6: not JSON" in reasons[-1]


@settings(max_examples=60, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(
                    ["text", "content", "title", "author", "date", "url", "id", "data", "@graph", "source", "x"]
                ),
                inner,
                max_size=5,
            )
        ),
        max_leaves=12,
    ),
    st.integers(0, 40),
)
def test_any_json_gives_articles_or_errors(value: object, cut: int) -> None:
    content = json.dumps(value)
    for item in formats.parse(".json", (content[:-cut] if cut else content).encode() or b"{"):
        assert isinstance(item, ReadError) or item.text.strip()


def test_openings_of_comments_that_never_end_cost_little(tmp_path: Path) -> None:
    story = "The council voted on Monday to close the bridge over the river for a year. "
    texts = [story + "<!--" * 200_000, f"<!-- a note <!-- of two --> {story}"]
    path = put(tmp_path, "a.jsonl", "\n".join(json.dumps({"id": str(n), "text": text}) for n, text in enumerate(texts)))
    unending, noted = read(path)
    assert unending.text.startswith(story.strip())
    assert noted.text == story.strip()
