"""Versions of one document: none is hidden as a copy, the newest comes first, and the older ones say so."""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from index import Article, Index
from index.home import DATABASE
from rag import Engine, Settings
from tests.fakes import BagOfWordsEmbedder, ScriptedLLM
from tests.test_migrate import as_layout_1
from ui import cli, terminal
from ui.export import markdown
from ui.html import lists
from ui.library import Found, Library

SENTENCES = (
    "The park of Arnes is open from the morning until the evening on every day of the week.",
    "Dogs are welcome as long as they are kept on a lead near the playground and the pond.",
    "Smoking is allowed in the park at any time.",
    "Visitors are asked to take their rubbish home and to leave the flowers where they grow.",
    "Cycling is possible on the wide paths but not on the narrow ones by the water.",
    "A place in the barbecue garden costs twenty euros and is given from 9 am by Ines Duarte.",
    "The gardeners are happy to answer questions and the cafe by the gate sells cakes and tea.",
)
RULES = Article("2022", " ".join(SENTENCES), title="Park rules", published="2022-04-01")
FORBIDDEN = replace(
    RULES,
    id="2024",
    text=RULES.text.replace("is allowed in the park", "is forbidden in the park"),
    published="2024-04-01",
)


@pytest.fixture
def index(tmp_path: Path, embedder: BagOfWordsEmbedder) -> Iterator[Index]:
    with Index.open(tmp_path / "home", embedder=embedder) as opened:
        yield opened
        assert opened.check() == []


def superseded(index: Index) -> dict[str, str | None]:
    """Article id → the id of the newest version, of all that are searched."""
    return {
        one.article.id: one.superseded_by.id if one.superseded_by else None
        for one in index.listing()
        if one.copy_of is None
    }


def edited(old: str, new: str) -> str:
    assert RULES.text.count(old) == 1
    return RULES.text.replace(old, new)


EDITS = {
    "allowed, forbidden": edited("Smoking is allowed", "Smoking is forbidden"),
    "is, is not": edited("Smoking is allowed", "Smoking is not allowed"),
    "not dropped": edited("but not on the narrow", "but on the narrow"),
    "open, closed": edited("is open from", "is closed from"),
    "a number in words": edited("twenty", "ninety"),
    "a number in words for one in digits": edited("twenty", "90"),
    "a unit": edited("euros", "pounds"),
    "a number and a unit": edited("twenty euros and", "90 dollars plus"),
    "morning, night": edited("9 am", "9 pm"),
    "a name": edited("Ines Duarte", "Marc Keller"),
    "the first word": "No park of" + RULES.text.removeprefix("The park of"),
    "the last word": RULES.text.removesuffix("tea.") + "coffee.",
    "a question": RULES.text.removesuffix(".") + "?",
    "words in another order": edited("cakes and tea", "tea and cakes"),
    "a sentence reworded": edited(
        SENTENCES[4], "Bicycles may use broad tracks, and none of the tight ones at the pond."
    ),
    "a paragraph each": f"The lake was cleaned in spring.\n\n{RULES.text}".replace(SENTENCES[0], ""),
}


@pytest.mark.parametrize("change", EDITS)
@pytest.mark.parametrize("is_dated", [True, False], ids=["dated, newer added first", "undated, newer added last"])
def test_what_differs_in_what_it_says_is_a_version_and_no_copy(index: Index, change: str, is_dated: bool) -> None:
    older = RULES if is_dated else replace(RULES, published=None)
    newer = replace(older, id="2024", text=EDITS[change], published="2024-04-01" if is_dated else None)
    index.add([newer, older] if is_dated else [older, newer])
    assert [one.copy_of for one in index.listing()] == [None, None]
    assert superseded(index) == {"2022": "2024", "2024": None}


UNITS = (
    "The lamp by the gate was tested for a week by the two engineers of the works, who came with a van and went away "
    "again on the last day. It used {} at night."
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("5 mW", "5 MW"),
        ("1.5 units", "1,5 units"),
        ("1,500 units", "1.500 units"),
        ("$5", "€5"),
        ("5%", "5"),
        ("10² units", "102 units"),
        ("-5 units", "5 units"),
        ("5 × 3 units", "5 + 3 units"),
        ("6 metres of wire", "6 feet of wire"),
        ("more", "less"),
        ("it before dusk", "it after dusk"),
        ("2019", "2024"),
    ],
)
def test_numbers_units_and_signs_are_told_apart(index: Index, one: str, other: str) -> None:
    index.add([Article("a", UNITS.format(one), title="Lamp"), Article("b", UNITS.format(other), title="Lamp")])
    assert superseded(index) == {"a": "b", "b": None}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("“Fine,” said the mayor’s friend", '"Fine," said the mayor\'s friend'),
        ("a so–called ‘rule’ — of 2010–2012…", "a so-called 'rule' -- of 2010-2012..."),
        ("an of\ufb01ce of information", "an office of infor-\nmation"),
        ("a well-known wall", "a well-\nknown wall"),
        ("a cafe\u0301 with\u00adout a name", "a caf\u00e9 without a name"),
        ("５０ units", "50 units"),
        ("50units", "50 UNITS"),
    ],
    ids=["quotes", "dashes", "ligature and cut word", "hyphen at a line's end", "accents", "full width", "case"],
)
def test_kinds_of_type_make_no_version(index: Index, one: str, other: str) -> None:
    index.add([Article("a", UNITS.format(one)), Article("b", UNITS.format(other))])
    assert index.copies("a") == (index.article("b"),)


PROSE = tuple(
    f"{who} spoke for {minutes} minutes about the {what}, and nobody in the hall had a question afterwards."
    for who, minutes, what in (("Ann", 11, "old bridge"), ("Bea", 12, "new school"), ("Cid", 13, "long road"))
)


@pytest.mark.parametrize("shorter_first", [True, False])
def test_a_text_with_a_paragraph_less_is_a_copy_of_the_longer_one(index: Index, shorter_first: bool) -> None:
    longer, shorter = Article("long", "\n\n".join(PROSE)), Article("short", "\n\n".join(PROSE[:2]))
    for article in [shorter, longer] if shorter_first else [longer, shorter]:
        index.add([article])
    assert {one.article.id: one.copy_of and one.copy_of.id for one in index.listing()} == {
        "long": None,
        "short": "long",
    }
    assert index.search("Cid about the long road")[0].article.id == "long"
    index.remove(["long"])
    assert index.search("Ann about the old bridge")[0].article.id == "short"


def test_a_sentence_of_the_middle_may_be_missing_but_not_half_of_one(index: Index) -> None:
    index.add([Article("a", " ".join(PROSE)), Article("b", " ".join((PROSE[0], PROSE[2])))])
    assert [one.article.id for one in index.listing() if one.copy_of] == ["b"]
    index.add([Article("c", " ".join(PROSE).replace(", and nobody in the hall had a question afterwards", "", 1))])
    assert [one.article.id for one in index.listing() if one.copy_of] == ["b"]


@pytest.mark.parametrize(
    "lines",
    [
        ("Speakers in the hall", "© Harbor Post. All rights reserved."),
        ("HERALD NEWS SERVICE", "Evening of speeches", "(Herald) From our wire services"),
        ("By Ann Lee", "Last updated: 3 May 2024, 10:30"),
        ("From our news agencies", "Copyright 2024 Northern Wire"),
    ],
)
def test_furniture_makes_no_version(index: Index, lines: tuple[str, ...]) -> None:
    first, last = ([], list(lines[1:])) if lines[0][0] == "F" else (list(lines[:1]), list(lines[1:]))
    if "(Herald)" in lines[-1]:
        first, last = list(lines), []
    index.add([Article("a", "\n\n".join(PROSE)), Article("b", "\n\n".join([*first, *PROSE, *last]))])
    assert index.copies("a") == (index.article("b"),)


def test_another_headline_of_nearly_the_same_words_makes_a_version(index: Index) -> None:
    opened, closed = ("\n\n".join([f"Hall {state} to the public", *PROSE]) for state in ("open", "closed"))
    index.add([Article("a", opened), Article("b", closed)])
    assert [one.copy_of for one in index.listing()] == [None, None]


def match(home: str, away: str, goals: tuple[int, int], scorer: str) -> str:
    return (
        f"{home} beat {away} {goals[0]}-{goals[1]} on Saturday. {scorer} scored in the {goals[0] * 9}th minute. "
        f"The coach of {away} was not happy with the evening. {home} plays away next week. "
        "The stadium was sold out and the weather was fine. Tickets for the next match are sold at the gate."
    )


def recipe(fruit: str) -> str:
    return (
        f"Wash the {fruit} and cut them into small pieces. Put the {fruit} and the sugar into a large pot. "
        "Let everything boil for ten minutes. Stir now and then with a wooden spoon. Fill the jam into clean jars "
        f"while it is hot. Jam of {fruit} keeps for a year. Store the jars in a cool and dark place."
    )


def weather(day: str, low: int, high: int, wind: int) -> str:
    return (
        f"The forecast for {day}: sun in the morning and clouds in the afternoon. Lows are near {low} degrees, highs "
        f"near {high}. The wind blows at {wind} kilometres an hour. Forecasts are issued at six in the morning and at "
        "six in the evening by the office of the county. Call the office for warnings."
    )


def quarter(firm: str, sales: int, profit: int, staff: int) -> str:
    return (
        f"{firm} sold goods for {sales} million euros in the quarter. Its profit was {profit} million euros. "
        f"{firm} had {staff} people at the end of the quarter. The board thanks all of them. "
        "The figures were not audited. The next report is due in autumn."
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (match("Arnes", "Lund", (3, 1), "Okafor"), match("Visby", "Kalmar", (2, 0), "Prins")),
        (recipe("apples"), recipe("pears")),
        (weather("Monday", 4, 11, 20), weather("Tuesday", 6, 14, 35)),
        (quarter("Acme", 12, 3, 80), quarter("Bolt", 45, 9, 310)),
    ],
    ids=["matches", "recipes", "weather", "quarters"],
)
@pytest.mark.parametrize("title", [None, "Report"])
def test_reports_of_one_template_are_neither_copies_nor_versions(
    index: Index, one: str, other: str, title: str | None
) -> None:
    index.add([Article("a", one, title=title), Article("b", other, title=title)])
    assert superseded(index) == {"a": None, "b": None}


def test_two_outlets_that_differ_do_not_supersede_each_other(index: Index) -> None:
    index.add([replace(RULES, source="Post"), replace(FORBIDDEN, source="Times")])
    assert superseded(index) == {"2022": None, "2024": None}


@pytest.mark.parametrize("order", list(itertools.permutations(range(5)))[::7])
def test_a_chain_of_versions_is_one_group_in_any_order(tmp_path: Path, order: tuple[int, ...]) -> None:
    states = [
        replace(RULES, id=f"v{number}", text=edited("twenty", f"{number}0").replace("tea", "tea" + "!" * number),
                published=f"202{number}-01-01")
        for number in range(1, 6)
    ]  # fmt: skip
    with Index.open(tmp_path / "home", embedder=BagOfWordsEmbedder()) as index:
        for place in order:
            index.add([states[place]])
        assert superseded(index) == {"v1": "v5", "v2": "v5", "v3": "v5", "v4": "v5", "v5": None}
        generation = index.generation
        index.remove(["v5"])
        assert index.generation == generation + 1
        assert superseded(index) == {"v1": "v4", "v2": "v4", "v3": "v4", "v4": None}
        index.remove(["v1", "v3"])
        assert superseded(index) == {"v2": "v4", "v4": None}
        index.remove(["v2"])
        assert superseded(index) == {"v4": None}
        assert index.check() == []


def test_a_copy_of_a_version_is_attached_to_it(index: Index) -> None:
    index.add([RULES, FORBIDDEN])
    index.add([replace(one, id=f"copy of {one.id}") for one in (FORBIDDEN, RULES)])
    assert index.copies("2022") == (index.article("copy of 2022"),)
    assert index.copies("2024") == (index.article("copy of 2024"),)
    index.remove(["2024"])
    assert superseded(index) == {"2022": "copy of 2024", "copy of 2024": None}
    index.remove(["copy of 2024"])
    assert superseded(index) == {"2022": None}


def test_an_article_that_is_changed_leaves_the_versions_and_comes_back(index: Index) -> None:
    index.add([RULES, FORBIDDEN])
    index.add([replace(FORBIDDEN, text=" ".join(PROSE))])
    assert superseded(index) == {"2022": None, "2024": None}
    index.add([FORBIDDEN])
    assert superseded(index) == {"2022": "2024", "2024": None}


def test_files_are_versions_and_the_name_tells_the_newer(index: Index, tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "a-park-2024.txt").write_text(FORBIDDEN.text)
    index.sync([folder])
    (folder / "a-park-2022.txt").write_text(RULES.text)
    index.sync()
    older, newer = sorted(index.listing(), key=lambda one: "forbidden" in one.article.text)
    assert (older.superseded_by, newer.superseded_by) == (newer.article, None)
    (folder / "a-park-2024.txt").unlink()
    assert index.sync().embedded == 0
    assert [one.superseded_by for one in index.listing()] == [None]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "今日は公園が開いています。犬は入れます。喫煙は許可されています。池の水は飲めません。子供は門の前で遊んではいけません。",
            "禁止",
        ),
        (
            "\n".join(f"The {word} of the night is long" for word in ("song", "wind", "road", "rain", "star", "moon")),
            "short",
        ),
        ("{}", "x"),
    ],
    ids=["Japanese", "a poem", "no words"],
)
def test_texts_of_other_kinds_are_not_merged(index: Index, one: str, other: str) -> None:
    changed = (
        one.replace("許可", other) if "許可" in one else one.replace("star of the night is long", f"star {other}") + "."
    )
    index.add([Article("a", one), Article("b", changed), Article("c", one)])
    assert {listed.article.id: listed.copy_of and listed.copy_of.id for listed in index.listing()} == {
        "a": None, "b": None, "c": "a",
    }  # fmt: skip


def test_short_texts_are_versions_if_they_bear_one_title(index: Index) -> None:
    text = "The gate is open on Sunday. Ring the bell. Dogs stay outside."
    notes = [Article("a", text, title="Gate"), Article("b", text.replace("open", "closed"), title="Gate")]
    index.add([*notes, *(replace(note, id=f"{note.id} untitled", title=None) for note in notes[1:])])
    listed = {one.article.id: one for one in index.listing()}
    assert listed["a"].superseded_by == index.article("b")
    assert listed["b untitled"].copy_of == index.article("b")


def test_what_an_older_citewire_hid_as_a_copy_is_searched_after_the_next_run(
    tmp_path: Path, embedder: BagOfWordsEmbedder
) -> None:
    with Index.open(tmp_path / "made", embedder=embedder) as made:
        made.add([RULES, FORBIDDEN, Article("other", " ".join(PROSE))])
    home = tmp_path / "old"
    home.mkdir()
    as_layout_1(tmp_path / "made" / DATABASE, home / DATABASE)
    with closing(sqlite3.connect(home / DATABASE, isolation_level=None)) as connection:
        connection.executescript(
            "UPDATE article SET copy_of = '2022' WHERE id = '2024'; DELETE FROM story WHERE article_id = '2024';"
        )
        hidden = connection.execute(
            "SELECT passage.id, title, substr(text, start + 1, end - start) FROM passage JOIN article "
            "ON article.id = article_id WHERE article_id = '2024'"
        ).fetchall()
        for row in hidden:
            connection.execute("INSERT INTO words (words, rowid, title, text) VALUES ('delete', ?, ?, ?)", row)
            connection.execute("DELETE FROM sentence WHERE passage_id = ?", row[:1])
        connection.executescript(
            "DELETE FROM passage WHERE article_id = '2024';"
            "DELETE FROM vector WHERE id NOT IN (SELECT vector_id FROM sentence)"
        )
    with Index.open(home, embedder=embedder) as index:
        assert index.copies("2022") == (FORBIDDEN,), "until something is written, all is as it was"
        report = index.sync()
        assert (report.added, report.updated, report.embedded) == (0, 0, 1)
        assert superseded(index) == {"2022": "2024", "2024": None, "other": None}
        assert "forbidden" in index.search("smoking forbidden")[0].text
        assert index.sync().embedded == 0
        assert index.check() == []


def test_the_command_line_says_what_is_superseded(
    index: Index, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    index.add([RULES, FORBIDDEN])
    monkeypatch.setattr(Index, "open", lambda home, **_: nullcontext(index))
    assert cli.main(["index", "list"]) == 0
    newer, older = capsys.readouterr().out.splitlines()
    assert newer.endswith("· searched")
    assert older.endswith("· superseded by Park rules (2024-04-01)")
    cli.main(["index", "list", "--json"])
    assert [one["superseded_by"] for one in json.loads(capsys.readouterr().out)] == [None, "2024"]
    cli.main(["index", "show", "2022"])
    assert "superseded by 2024  Park rules · 2024-04-01" in capsys.readouterr().out
    cli.main(["index", "show", "2022", "--json"])
    assert json.loads(capsys.readouterr().out)["superseded_by"] == "2024"
    cli.main(["index", "show", "2024"])
    assert "superseded" not in capsys.readouterr().out


LONG = tuple(
    f"{who} keeps the {what} of the park in order and writes a long report on it every month, which is read out to "
    f"the council of Arnes in the town hall, where it is kept with all the others since the {what} was made."
    for who, what in (("Ann", "pond"), ("Bea", "fence"), ("Cid", "bridge"), ("Dora", "orchard"), ("Eve", "stable"))
)
DROPPED = "Kites may be flown on the northern meadow on Sundays."


def editions() -> list[Article]:
    """Three states of long rules: one rule changes twice, one is dropped after the first."""
    last = [DROPPED, "Edition of 2022.", "Edition of 2024."]
    rules = [f"Smoking is {word} in the park at any time." for word in ("allowed", "restricted", "forbidden")]
    return [
        replace(
            RULES,
            id=f"{2020 + 2 * at}",
            text="\n\n".join([*LONG[:3], rule, *LONG[3:], last[at]]),
            published=f"{2020 + 2 * at}-01-01",
        )
        for at, rule in enumerate(rules)
    ]


@pytest.mark.parametrize("query", ["Is smoking allowed in the park?", "smoking restricted", "smoking forbidden"])
@pytest.mark.parametrize("k", [1, 2, 3, 8])
def test_the_newest_wording_comes_before_the_older_ones(index: Index, query: str, k: int) -> None:
    index.add(editions())
    hits = index.search(query, k=k)
    assert len(hits) == min(k, 6)
    found = [hit.article.id for hit in hits if "Smoking" in hit.text]
    assert found == ["2024", "2022", "2020"][: len(found)]
    assert found
    assert [hit.superseded_by and hit.superseded_by.id for hit in hits if hit.article.id != "2024"] == ["2024"] * sum(
        hit.article.id != "2024" for hit in hits
    )
    assert all(hit.to_dict()["superseded_by"] in (None, "2024") for hit in hits)


def test_what_only_an_older_version_says_is_found(index: Index) -> None:
    index.add(editions())
    first = index.search("kites on the northern meadow")[0]
    assert (first.article.id, first.superseded_by) == ("2020", index.article("2024"))


def test_a_filter_that_leaves_only_an_older_version_finds_it(index: Index) -> None:
    index.add(editions())
    hits = index.search("Is smoking allowed in the park?", before="2021")
    assert {hit.article.id for hit in hits} == {"2020"}


def test_an_answer_rests_on_the_newest_version_and_says_when_older_ones_differ(index: Index) -> None:
    index.add(editions())
    llm = ScriptedLLM("Smoking is forbidden in the park at any time.")
    answer = Engine.open(index=index, llm=llm, settings=Settings()).ask("Is smoking allowed in the park?")
    read = " ".join(llm.prompts[0].passages)
    assert "Smoking is forbidden" in read
    assert "Smoking is allowed" not in read
    assert "Smoking is restricted" not in read
    assert answer.claims[0].citations[0].article_id == "2024"
    assert [one.about for one in answer.disagreements] == ["version", "version"]
    newer, older = answer.disagreements[1].sides
    assert (newer.value, newer.citation.quote) == ("forbidden", "Smoking is forbidden in the park at any time.")
    assert (older.value, older.citation.quote) == ("allowed", "Smoking is allowed in the park at any time.")
    assert older.citation.article.text[older.citation.start : older.citation.end] == older.citation.quote
    told = "An older version of “Park rules”, of 2020, says: “Smoking is allowed in the park at any time.”"
    assert told in answer.text
    assert told in terminal.render_answer(answer)
    assert "Versions differ:" in terminal.render_answer(answer)
    assert "Versions differ:" in markdown.render_answer(answer)
    assert answer.to_dict()["disagreements"][1]["sides"][1]["citation"]["article_id"] == "2020"
    numbers = [citation.number for citation in answer.citations]
    assert numbers == list(range(1, len(numbers) + 1))


def test_an_answer_that_only_an_older_version_gives_says_so(index: Index) -> None:
    index.add(editions())
    llm = ScriptedLLM("Kites may be flown on the northern meadow on Sundays.")
    answer = Engine.open(index=index, llm=llm, settings=Settings()).ask("Where may kites be flown in the park?")
    assert not answer.refused
    (only,) = answer.disagreements
    assert [side.citation.article_id for side in only.sides] == ["2020"]
    assert "Only an older version of “Park rules”, of 2020, says:" in answer.text


def test_the_library_says_what_is_superseded(index: Index) -> None:
    index.add([replace(RULES, title="<i>Rules</i>"), replace(FORBIDDEN, title="<i>Rules</i>")])
    rows = Library(index).rows()
    assert [row.superseded_by for row in rows] == ["<i>Rules</i> (2024-04-01)", ""]
    shown = lists.articles([Found(row) for row in rows], found=2, total=2, chosen=())
    assert shown.count("superseded by <bdi>&lt;i&gt;Rules&lt;/i&gt; (2024-04-01)</bdi>") == 1
