"""Reading files: what becomes text, what becomes metadata, and what is refused with which words."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from index import read as reading
from index.errors import ReadError
from index.read import article_id, fingerprint, is_sidecar, read, readable
from tests.conftest import one, put

SEEDS = Path(__file__).parent.parent / "seeds"
CGTN = SEEDS / "000_20ab625326f02e24.txt"
SPUTNIK = SEEDS / "004_458792bda5bb12f3.txt"
LINKED = "<script type='application/ld+json'>{}</script>"
PROSE = "The two leaders met in Moscow on Monday. They agreed to talk again."


def assert_article_or_named_error(path: Path) -> None:
    """Any other exception fails the test by itself."""
    article, reason = None, ""
    try:
        article = one(path)
    except ReadError as error:
        reason = str(error)
    assert str(path) in reason if article is None else article.text.strip().encode("utf-8")


# Seeds


def test_the_cgtn_seed_is_read_whole() -> None:
    article = one(CGTN)
    assert article.text == CGTN.read_text(encoding="utf-8")
    assert (article.title, article.source, article.url, article.published) == (None, "CGTN", None, None)


def test_the_sputnik_seed_is_read_without_its_furniture() -> None:
    article = one(SPUTNIK)
    assert article.text.startswith("As both Russia and Japan seek to prevent")
    assert article.text.endswith('softer line towards Pyongyang," Brown explained.')
    assert "which broke down in 2009. In his turn, Prime Minister Abe said" in article.text
    for furniture in (
        "GMT",
        "2020",
        "Listen",
        "short URL",
        "Beijing Reiterates",
        "Maneuver",
        "differences,",
        "via",
    ):
        assert furniture not in article.text
    assert (article.title, article.source, article.url, article.published) == (None, "Sputnik", None, None)


# Which files


@pytest.mark.parametrize(
    "name",
    ["a.txt", "A.TXT", "a.md", "a.markdown", "a.html", "a.b.htm", "a.pdf", "a.docx", "a.epub", "a.jsonl", "a.eml"],
)
def test_known_kinds_are_readable(name: str) -> None:
    assert readable(Path(name))
    assert not is_sidecar(Path(name))
    assert is_sidecar(Path(name + ".toml"))


@pytest.mark.parametrize(
    "name", ["a.txt.toml", "a", ".txt", ".hidden.txt", "~$a.txt", "a.doc", "a.txt~", "pyproject.toml"]
)
def test_other_names_are_not(name: str) -> None:
    assert not readable(Path(name))


def test_an_unrelated_toml_file_is_no_sidecar() -> None:
    assert not is_sidecar(Path("pyproject.toml"))


def test_the_id_belongs_to_the_place(tmp_path: Path) -> None:
    path = put(tmp_path, "a.txt", PROSE)
    first = one(path)
    put(tmp_path, "a.txt", PROSE + " And more.")
    (tmp_path / "x").mkdir()
    assert one(path).id == first.id == one(tmp_path / "x" / ".." / "a.txt").id
    assert first.id == article_id(str(path.resolve())) == hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]
    assert one(put(tmp_path, "b.txt", PROSE)).id != first.id


def test_importing_the_readers_stays_light() -> None:
    heavy = ("trafilatura", "markdown_it", "lxml", "charset_normalizer")
    code = f"import sys, index.read; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=SEEDS.parent)
    assert done.stdout.strip() == "[]"


# Plain text


def test_plain_text_takes_a_clear_headline_as_title(tmp_path: Path) -> None:
    article = one(put(tmp_path, "a.txt", f"Talks resume in Moscow\r\n\r\n{PROSE}\r\n"))
    assert article.title == "Talks resume in Moscow"
    assert article.text == f"Talks resume in Moscow\n\n{PROSE}"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Ünïcode text: “quoted”, 日本.", "utf-8"),
        ("Ünïcode text: “quoted”, 日本.", "utf-8-sig"),
        ("Ünïcode text: “quoted”, 日本.", "utf-16"),
        ("Ünïcode text: “quoted”, 日本.", "utf-32"),
        (
            "Le président a déclaré que la réunion était très utile. Ça va être difficile à négocier.",
            "cp1252",
        ),
        ("Президент России встретился с премьером Японии и обсудил мирный договор.", "cp1251"),
        ("Президент России встретился с премьером Японии и обсудил мирный договор.", "koi8-r"),
        ("日本とロシアは北東アジアの重要な国です。両国は領土問題を抱えている。", "shift_jis"),
    ],
)
def test_encodings_that_are_certain_are_decoded(tmp_path: Path, text: str, encoding: str) -> None:
    assert one(put(tmp_path, "a.txt", text.encode(encoding))).text == text


# Markdown

MARKDOWN = """---
title: "Talks: a *new* start"
source: Example News   # the outlet
url: https://example.com/talks
published: 2018-03-21T09:30:00Z
author: Jane Roe
tags: [a, b]
more:
  - nested
---
# Ignored for the title

The **two** leaders [met](https://example.com/x) in
`Moscow` on *Monday*. <!-- not this --> 5 < 6 &amp; so on ![picture](p.png)

- ten apples
- pears
  1. one
  2. two

> A quote.

| a | b |
|---|---|
| 1 | 2 |

```
code  **kept**
  indented
```

<div>Some <b>bold</b> words<script>alert(1)</script></div>
"""


def test_markdown_is_read_as_a_reader_sees_it(tmp_path: Path) -> None:
    article = one(put(tmp_path, "a.md", MARKDOWN))
    assert article.text.split("\n\n") == [
        "Ignored for the title",
        "The two leaders met in Moscow on Monday.  5 < 6 & so on",
        "- ten apples\n- pears\n  1. one\n  2. two",
        "A quote.",
        "a: 1; b: 2",
        "code  **kept**\n  indented",
        "Some bold words",
    ]


def test_markdown_reads_superscripts_ruby_and_tables_as_pages_do(tmp_path: Path) -> None:
    text = (
        "In 2009<sup>1</sup> it cost 10<sup>6</sup> on the *5*<sup>th</sup>.<sup>[2](#n)</sup> "
        "<ruby>\u6771<rt>t</rt></ruby>\n\n"
        "| Region | People |\n|---|---|\n| North | 12<sup>3,4</sup> |\n| South | 34 |\n\n"
        "<table><tr><th>Region<th>People<tr><td>East<td>56</table>\n"
    )
    assert one(put(tmp_path, "a.md", text)).text.split("\n\n") == [
        "In 2009 it cost 10\u2076 on the 5th. \u6771",
        "Region: North; People: 12",
        "Region: South; People: 34",
        "Region: East; People: 56",
    ]


def test_front_matter_gives_metadata(tmp_path: Path) -> None:
    article = one(put(tmp_path, "a.md", MARKDOWN))
    assert article.title == "Talks: a *new* start"
    assert article.source == "Example News"
    assert article.url == "https://example.com/talks"
    assert article.published == "2018-03-21T09:30:00+00:00"


def test_without_front_matter_the_first_heading_is_the_title(tmp_path: Path) -> None:
    assert one(put(tmp_path, "a.md", f"# Talks *resume*\n\n{PROSE}")).title == "Talks resume"
    assert one(put(tmp_path, "b.md", f"{PROSE}\n\n# Later")).title is None
    assert one(put(tmp_path, "c.md", f"---\nsource: CGTN\n---\n\n# Talks\n\n{PROSE}")).title == "Talks"


@pytest.mark.parametrize("block", ["---\nnot a key\n---\n", "---\ntitle: never closed\n\n"])
def test_what_is_no_front_matter_is_text(tmp_path: Path, block: str) -> None:
    article = one(put(tmp_path, "a.md", f"{block}{PROSE}"))
    assert article.title is None
    assert ("not a key" in article.text) or ("never closed" in article.text)


def test_a_date_key_stands_in_and_is_ignored_if_it_is_none(tmp_path: Path) -> None:
    assert one(put(tmp_path, "a.md", f"---\ndate: 2018-03-21\n---\n{PROSE}")).published == "2018-03-21"
    assert one(put(tmp_path, "b.md", f"---\ndate: last spring\n---\n{PROSE}")).published is None


# HTML


def page(head: str = "", body: str = "", filler: int = 8) -> str:
    more = "".join(f"<p>Paragraph {n} says a little more about the talks in the capital.</p>" for n in range(filler))
    article = f"<article>{body}{more}</article>"
    return f"<html><head>{head}</head><body><nav><a href='/'>Home</a></nav>{article}</body></html>"


def test_html_keeps_paragraphs_and_fuses_no_words(tmp_path: Path) -> None:
    body = (
        "<h1>Talks resume</h1><p>The <b>two</b> lead<i>ers</i> met<br>in Moscow.</p><p>They&nbsp;agreed.</p>"
        "<ul><li>apples</li><li>pears</li></ul><table><tr><td>x</td><td>y</td></tr><tr><td>z</td><td>w</td></tr></table>"
    )
    text = one(put(tmp_path, "a.html", page(body=body))).text
    assert "The two leaders met\nin Moscow.\n\nThey agreed." in text.replace("\u00a0", " ")
    assert "- apples\n- pears" in text
    assert "x | y\n\nz | w" in text
    assert "Paragraph 0 says a little more about the talks in the capital.\n\nParagraph 1" in text
    assert "Home" not in text


def test_a_short_page_is_not_split_at_its_tags(tmp_path: Path) -> None:
    text = one(
        put(tmp_path, "a.htm", "<body><p>Hel<b>lo</b> world, it is a fine day.</p><p>Goodbye now.</p></body>")
    ).text
    assert text == "Hello world, it is a fine day.\n\nGoodbye now."


def test_html_metadata_is_what_the_page_declares(tmp_path: Path) -> None:
    head = (
        "<title>Talks resume | Example</title><meta property='og:title' content='Talks resume'>"
        "<meta property='og:site_name' content='Example News'><link rel='canonical' href='https://example.com/talks'>"
        "<meta property='article:published_time' content='2018-03-21T09:30:00+01:00'>"
    )
    article = one(put(tmp_path, "a.html", page(head)))
    assert (article.title, article.source, article.url) == (
        "Talks resume",
        "Example News",
        "https://example.com/talks",
    )
    assert article.published == "2018-03-21T09:30:00+01:00"


@pytest.mark.parametrize(
    ("head", "body", "expected"),
    [
        (
            LINKED.format('{"@type":"NewsArticle","datePublished":"2018-03-21"}'),
            "",
            "2018-03-21",
        ),
        ("<meta name='pubdate' content='Tue, 31 Mar 2020 02:12:00 GMT'>", "", "2020-03-31T02:12:00+00:00"),
        ("<meta name='citation_publication_date' content='2018/3/21'>", "", "2018-03-21"),
        ("", "<time itemprop='datePublished' datetime='2018-03-21'>spring</time>", "2018-03-21"),
        ("", "<p>Published on 21 March 2018 in Moscow.</p><p>Updated 2018-03-22</p>", None),
        ("", "<time datetime='2018-03-21'>21 March</time>", None),
        ("<meta name='pubdate' content='0001-01-01T00:00:00Z'>", "", None),
        ("<meta name='pubdate' content='soon'>", "", None),
        ("<link rel='canonical' href='https://example.com/2018/03/21/talks'>", "", None),
        ("<meta property='article:modified_time' content='2018-03-21'>", "", None),
        (
            "",
            "<time itemprop='datePublished' datetime='2018-03-21'></time>"
            "<time itemprop='datePublished' datetime='2019-01-01'></time>",
            None,
        ),
        ("<script type='application/ld+json'>{broken</script>", "", None),
        (
            LINKED.format('{"@type":"Comment","datePublished":"2018-03-21"}'),
            "",
            None,
        ),
    ],
)
def test_a_date_is_never_invented(tmp_path: Path, head: str, body: str, expected: str | None) -> None:
    assert one(put(tmp_path, "a.html", page(head, body))).published == expected


@pytest.mark.parametrize(
    ("head", "body", "expected"),
    [
        (LINKED.format('{"@type":"NewsArticle","author":[{"name":"Ann A"},{"name":"Ben B"}]}'), "", "Ann A, Ben B"),
        ("<meta name='author' content='By Ann A'>", "", "Ann A"),
        ("<meta property='article:author' content='https://x.example/ann'>", "", None),
        ("", "<p class='byline'>By <a rel='author'>Ann A</a> • 8h</p>", "Ann A"),
        ("", "<span class='post-author'>By Ann A, March 11, 2015</span>", "Ann A"),
        ("", "<div class='follow-author'>Follow Ann</div><div id='authorization'>Sign in</div>", None),
    ],
)
def test_the_author_is_who_the_page_names(tmp_path: Path, head: str, body: str, expected: str | None) -> None:
    assert one(put(tmp_path, "a.html", page(head, body))).author == expected


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("<title>Talks in the capital go on | The Post</title>", "Talks in the capital go on"),
        ("<title>The Post</title><meta name='dc.title' content='Talks'>", "Talks"),
        (LINKED.format('{"@type":"Article","name":"The Post","headline":"Talks in the capital"}')
         + "<title>Talks in the capital - The Post</title>", "Talks in the capital"),
        ("<title>Mozilla - Wikipedia</title>", "Mozilla - Wikipedia"),
        ("<title>  </title>", None),
    ],
)  # fmt: skip
def test_the_title_is_the_articles_and_not_the_outlets(tmp_path: Path, head: str, expected: str | None) -> None:
    assert one(put(tmp_path, "a.html", page(head))).title == expected


def test_a_page_says_its_language_and_when_it_was_updated(tmp_path: Path) -> None:
    head = "<meta property='article:modified_time' content='2018-03-22T10:00:00Z'>"
    html = page(head).replace("<html>", "<html lang='pt_BR'>")
    article = one(put(tmp_path, "a.html", html))
    assert (article.language, article.updated, article.published) == ("pt-BR", "2018-03-22T10:00:00+00:00", None)


def test_what_the_style_sheet_of_a_page_hides_is_no_article(tmp_path: Path) -> None:
    words = "and it is long enough to be a paragraph, as all of them are here.</p>"
    style = "<style>.a, p#b {display:none} .c{display:none} p.c{display:block} @media print {.d{display:none}}</style>"
    kept = "".join(f"<p class='{name}'>Seen {name}, {words}" for name in "cdef")
    lost = f"<p class='a'>Hidden one, {words}<p id='b'>Hidden two, {words}" + (
        f"<p style='position: absolute; left: -9999px'>Hidden three, {words}<p style='font-size:0'>Hidden four, {words}"
    )
    text = one(put(tmp_path, "a.html", page(style, body=kept * 2 + lost))).text
    assert all(f"Seen {name}" in text for name in "cdef")
    assert "Hidden" not in text
    shown = one(
        put(tmp_path, "b.html", page("<style>.x{display:none}</style>", f"<div class='x'>{kept * 4}</div>"))
    ).text
    assert "Seen c" in shown  # by scripts


def test_what_the_page_hides_and_what_readers_comment_is_no_article(tmp_path: Path) -> None:
    body = (
        "<p>Seen by all, and it is long enough to be a paragraph.</p>"
        "<p style='display: none'>Hidden away, and it is long enough to be a paragraph.</p>"
        "<div id='comments'><p>I disagree with this, and it is long enough to be a paragraph.</p></div>"
    )
    text = one(put(tmp_path, "a.html", page(body=body))).text
    assert "Seen by all" in text
    assert "Hidden" not in text
    assert "disagree" not in text


def test_blocks_never_fuse_and_code_keeps_its_lines(tmp_path: Path) -> None:
    body = (
        "<div><p>One and two and so on,</p><p>three<span>.</span></p>Four</div><p>a<wbr>b <em>c</em>d</p>"
        "<pre>if x:\n    y\n\nz</pre>"
        "<table><tr><th>k</th><td></td><td>v</td></tr></table><ol><li><p>first</p></li><li>second<br>line</li></ol>"
    )
    text = one(put(tmp_path, "a.html", page(body=body))).text
    for piece in (
        "One and two and so on,\n\nthree.\n\nFour",
        "ab cd",
        "if x:\n    y\n\nz",
        "k | v",
        "first\n- second\nline",
    ):
        assert piece in text


def test_html_is_decoded_as_it_declares(tmp_path: Path) -> None:
    html = page("<meta charset='iso-8859-1'>", "<p>Un café à Orléans, “bien sûr”, dit-il.</p>")
    assert "Un café à Orléans, “bien sûr”, dit-il." in one(put(tmp_path, "a.html", html.encode("cp1252"))).text


def test_a_page_without_article_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match=r"a\.html: no article text"):
        read(put(tmp_path, "a.html", "<html><body><script>var a = 1;</script></body></html>"))


# Side-cars


def test_a_sidecar_overrides_the_file(tmp_path: Path) -> None:
    path = put(tmp_path, "a.md", MARKDOWN)
    put(
        tmp_path,
        "a.md.toml",
        'title = "Other"\nsource = ""\nurl = "http://example.org/"\npublished = 2019-01-02\n'
        'author = "Ann A"\nupdated = 2019-01-03\nlanguage = "en"\n',
    )
    article = one(path)
    assert (article.title, article.source, article.url) == ("Other", None, "http://example.org/")
    assert article.published == "2019-01-02"
    assert (article.author, article.updated, article.language) == ("Ann A", "2019-01-03", "en")


@pytest.mark.parametrize(
    "content",
    [
        'titel = "typo"',
        'language = "the English one"',
        'updated = "soon"',
        "title = 5",
        'published = "soon"',
        "published = 09:30:00",
        'url = "javascript:alert(1)"',
        "title = ",
        b"\xff\xfe\x00",
        "a = " + "[" * 5000,
        "x" * 70_000,
        "[title]\na = 1",
    ],
)
def test_a_bad_sidecar_is_refused_by_name(tmp_path: Path, content: str | bytes) -> None:
    path = put(tmp_path, "a.txt", PROSE)
    put(tmp_path, "a.txt.toml", content)
    with pytest.raises(ReadError, match=r"a\.txt\.toml: "):
        read(path)


def test_the_fingerprint_follows_file_sidecar_and_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path, "a.txt", PROSE)
    seen = [fingerprint(path)]
    os.utime(path, (1, 1))
    assert fingerprint(path) == seen[0]
    put(tmp_path, "a.txt", PROSE + "!")
    seen.append(fingerprint(path))
    put(tmp_path, "a.txt.toml", "")
    seen.append(fingerprint(path))
    put(tmp_path, "a.txt.toml", 'title = "T"')
    seen.append(fingerprint(path))
    monkeypatch.setattr(reading, "READER_VERSION", "next")
    seen.append(fingerprint(path))
    assert len(set(seen)) == len(seen) == 5


# Refusals


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.txt", b"", "no article text"),
        ("a.txt", b" \n\t\r\n ", "no article text"),
        ("a.txt", "02:12 GMT31 March 2020\nListen Live\n", "no article text"),
        ("a.md", "---\ntitle: only\n---\n", "no article text"),
        ("a.txt", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "PNG image.*convert"),
        ("a.txt", b"%PDF-1.7 text", "a PDF.*rename it to .pdf"),
        ("a.txt", b"some\x00bytes", "binary.*iconv"),
        ("a.txt", "text".encode("utf-16-le"), "binary.*iconv"),
        ("a.txt", bytes(range(1, 32)) * 20, "binary"),
        ("a.txt", b"caf\xe9", "not UTF-8.*iconv"),
        ("a.txt", b"\xff\xfea", "damaged.*iconv"),
        ("a.doc", b"x", "no reader.*\\.txt"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_remedy(
    tmp_path: Path, name: str, content: str | bytes, reason: str
) -> None:
    with pytest.raises(ReadError, match=f"{name}: .*{reason}"):
        read(put(tmp_path, name, content))


def test_size_is_checked_before_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path, "a.txt", PROSE)
    with path.open("r+b") as file:
        file.truncate(8 * 2**30)  # sparse, so it takes no room on the disk
    for verb in (read, fingerprint):
        with pytest.raises(ReadError, match="over the limit of 33554432; split it, or set CITEWIRE_MAX_FILE_BYTES"):
            verb(path)
    put(tmp_path, "b.txt", PROSE)
    monkeypatch.setenv("CITEWIRE_MAX_FILE_BYTES", "10")
    with pytest.raises(ReadError, match="limit of 10"):
        read(tmp_path / "b.txt")
    monkeypatch.setenv("CITEWIRE_MAX_FILE_BYTES", "many")
    with pytest.raises(ReadError, match="'many': a whole number"):
        read(tmp_path / "b.txt")


def test_missing_files_folders_and_pipes_are_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.txt").mkdir()
    (tmp_path / "loop.txt").symlink_to(tmp_path / "loop.txt")
    for name, reason in {
        "none.txt": "no such file",
        "folder.txt": "a folder",
        "loop.txt": "cannot be read",
    }.items():
        for verb in (read, fingerprint):
            with pytest.raises(ReadError, match=f"{name}: .*{reason}"):
                verb(tmp_path / name)
    with pytest.raises(ReadError, match="cannot be read"):
        read(tmp_path / "nul\0.txt")
    with pytest.raises(ReadError, match="cannot be read"):
        read(tmp_path / f"{'long' * 100}.txt")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    with pytest.raises(ReadError, match="not a regular file"):
        read(tmp_path / "pipe.txt")


@pytest.mark.skipif(getattr(os, "geteuid", lambda: 1)() == 0, reason="root may read everything")
def test_a_file_without_permission_is_refused(tmp_path: Path) -> None:
    path = put(tmp_path, "a.txt", PROSE)
    path.chmod(0)
    with pytest.raises(ReadError, match=r"a\.txt: no permission .*chmod u\+r"):
        read(path)


def test_a_hostile_file_name_is_shown_escaped(tmp_path: Path) -> None:
    with pytest.raises(ReadError) as caught:
        read(tmp_path / "evil\n\x1b[31m\u202e\udc80.txt")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("suffix", [".txt", ".md", ".html"])
@pytest.mark.parametrize("seed", range(12))
def test_random_bytes_give_articles_or_a_read_error(tmp_path: Path, suffix: str, seed: int) -> None:
    source = random.Random(seed)
    markup = [
        b"<p>",
        b"</div>",
        b"<!--",
        b"&#x",
        b"<table>",
        b"---\n",
        b"title: ",
        b"* ",
        b"`",
        b"[",
        b"](",
        b"\xc3",
        b"\xa9",
        b"word ",
        b"\n",
        b"|",
        b"<script type='application/ld+json'>[",
        b"\x01",
        b"#",
        b"> ",
        b"12:30 GMT ",
    ]
    content = source.randbytes(300) if seed % 3 == 0 else b"".join(source.choice(markup) for _ in range(600))
    path = put(tmp_path, f"a{suffix}", content)
    assert_article_or_named_error(path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("deep.html", "<div>" * 20_000 + PROSE),
        ("deep.md", "> " * 20_000 + PROSE),
        ("brackets.md", "[" * 20_000 + PROSE),
        (
            "json.html",
            "<script type='application/ld+json'>" + "[" * 100_000 + "</script><p>" + PROSE + "</p>",
        ),
        ("entities.html", "<p>&#0;&#xD800;&#x110000;" + PROSE),
    ],
)
def test_pathological_markup_gives_articles_or_a_read_error(tmp_path: Path, name: str, content: str) -> None:
    assert_article_or_named_error(put(tmp_path, name, content))
