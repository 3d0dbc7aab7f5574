"""One story in several files: kept once for searching, named wherever it stands, and never mixed up with another."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from index import Article, Index, InputError
from tests.fakes import BagOfWordsEmbedder
from ui import terminal

PARAGRAPHS = (
    "The ferry between the two islands stopped running on Tuesday after a storm tore its mooring loose. About 140 "
    "passengers spent the night in a school, where volunteers brought blankets, soup and dry clothes for the children.",
    "Harbor master Ines Duarte said that divers would look at the hull as soon as the swell allowed it. Until then a "
    "smaller boat carries mail and medicine, but neither cars nor cattle, which worries the farmers on the far shore.",
    "The company bought the vessel in 2009 and had promised to replace it by last spring. A new ship is being built in "
    "a yard near Gdansk and is expected in autumn, according to a letter that the mayor read out to the council.",
    "Fishermen have offered to take people across for free. One of them, Paul Okafor, made six trips before breakfast "
    "and said the sea was rough but that nobody on board had complained, not even the vet with her three dogs.",
)
STORY = "\n\n".join(PARAGRAPHS)
FERRY = Article("post", STORY, title="Ferry stops after storm", source="Harbor Post")
SYNDICATED = Article(
    "herald",
    "\n\n".join(["HERALD NEWS SERVICE", *PARAGRAPHS[:2], PARAGRAPHS[3], "Copyright Herald. All rights reserved."]),
    title="Islanders cut off",
    source="Herald",
)
OTHER_REPORT = Article(
    "times",
    "A storm left the islands without a ferry this week. The boat broke loose from its mooring on Tuesday, and some "
    "140 travelers slept in a school. Divers are to inspect the hull, harbor master Ines Duarte told this newspaper. "
    "The ship, bought in 2009, should long have been replaced; its successor is still in a yard near Gdansk.",
    title="No boat, no cattle market",
    source="Times",
)


@pytest.fixture
def index(tmp_path: Path, embedder: BagOfWordsEmbedder) -> Iterator[Index]:
    with Index.open(tmp_path / "home", embedder=embedder) as opened:
        yield opened
        assert opened.check() == []


def searched(index: Index, query: str = "ferry storm fishermen mooring") -> set[str]:
    return {hit.article.id for hit in index.search(query, k=50)}


@pytest.mark.parametrize(
    "text",
    [
        STORY,
        STORY.replace("\n\n", " \r\n\r\n\t").replace(" the ", "  the\u00a0"),
        STORY.upper(),
        SYNDICATED.text,
        "\n\n".join(PARAGRAPHS[:3]),
        f"BREAKING: Ferry stops\n\n{STORY}\n\nThis story was first published by the Harbor Post.",
    ],
    ids=["identical", "white space", "case", "syndicated", "paragraph dropped", "lines added"],
)
def test_a_copy_is_kept_but_searched_once(index: Index, embedder: BagOfWordsEmbedder, text: str) -> None:
    index.add([FERRY])
    embedded = len(embedder.embedded)
    copy = Article("copy", text, title="Islanders cut off", source="Herald")
    report = index.add([copy])
    assert (report.added, report.embedded, len(embedder.embedded)) == (1, 0, embedded)
    assert searched(index) == {"post"}
    assert index.search("ferry")[0].also_in == ("Herald",)
    assert index.copies("post") == (copy,)
    assert index.copies("copy") == (FERRY,)
    assert index.article("copy") == copy
    assert index.articles() == [FERRY, copy]
    assert index.stats().articles == 2


@pytest.mark.parametrize(
    "text",
    [
        OTHER_REPORT.text,
        f"{PARAGRAPHS[0]}\n\n{OTHER_REPORT.text}",
        STORY.replace("140", "90"),
        STORY.replace("Ines Duarte", "Marc Keller").replace("Paul Okafor", "Jan Prins"),
        PARAGRAPHS[0],
    ],
    ids=["same event", "a shared paragraph", "another number", "other names", "a paragraph of it"],
)
def test_another_story_is_not_merged(index: Index, text: str) -> None:
    index.add([FERRY, Article("other", text, source="Times")])
    assert searched(index) == {"post", "other"}
    assert index.copies("post") == ()
    assert all(hit.also_in == () for hit in index.search("ferry"))


def test_a_short_text_is_a_copy_only_if_it_is_equal(index: Index) -> None:
    index.add([Article("a", "Snow fell in Oslo on Friday."), Article("b", "snow fell  in Oslo\non Friday.")])
    index.add([Article("c", "Snow fell in Oslo on Friday!")])
    assert searched(index, "snow in Oslo") == {"a", "c"}


def test_a_name_is_given_for_every_copy(index: Index) -> None:
    same_outlet = Article("again", STORY, title="Storm update", source="Harbor Post")
    unnamed = Article("bare", STORY, title="Left on the pier")
    index.add([FERRY, SYNDICATED, replace(SYNDICATED, id="herald-2"), same_outlet, unnamed])
    assert index.search("ferry")[0].also_in == ("Herald", "Storm update", "Left on the pier")
    with pytest.raises(InputError, match="nowhere"):
        index.copies("nowhere")


@pytest.mark.parametrize("order", itertools.permutations(range(3)))
def test_the_longest_is_searched_and_of_equals_the_earliest(tmp_path: Path, order: tuple[int, ...]) -> None:
    articles = [FERRY, SYNDICATED, Article("third", f"{STORY}\n\nReported by the Gazette.", source="Gazette")]
    given = [articles[number] for number in order]
    searched_one = next(one.id for one in given if one is not SYNDICATED)
    copies = tuple(one for one in given if one.id != searched_one)
    with Index.open(tmp_path / "at once", embedder=BagOfWordsEmbedder()) as together:
        together.add([OTHER_REPORT, *given])
        assert searched(together) == {"times", searched_one}
        assert together.copies(searched_one) == copies
    with Index.open(tmp_path / "apart", embedder=BagOfWordsEmbedder()) as apart:
        for article in (OTHER_REPORT, *given):
            apart.add([article])
        assert searched(apart) == {"times", searched_one}
        assert apart.copies(searched_one) == copies


def test_removing_what_is_searched_promotes_the_next(index: Index, embedder: BagOfWordsEmbedder) -> None:
    third = Article("third", "\n\n".join([PARAGRAPHS[0], PARAGRAPHS[1], PARAGRAPHS[3]]), source="Gazette")
    index.add([FERRY, SYNDICATED, third])
    generation = index.stats().generation
    assert index.remove(["post"]) == 1
    assert index.stats().generation == generation + 1
    assert searched(index) == {"herald"}
    assert index.search("herald news service")[0].also_in == ("Gazette",)
    assert "HERALD NEWS SERVICE" in " ".join(embedder.embedded), "what only the copy says is embedded before it shows"
    assert index.remove(["herald"]) == 1
    assert searched(index) == {"third"}
    assert index.remove(["third"]) == 1
    assert index.articles() == []


def test_removing_a_copy_changes_nothing_else(index: Index) -> None:
    index.add([FERRY, SYNDICATED])
    index.remove(["herald"])
    assert index.search("ferry")[0].also_in == ()
    assert searched(index) == {"post"}


def test_an_original_with_another_headline_stays_what_is_searched(index: Index) -> None:
    index.add([FERRY, SYNDICATED])
    assert index.add([replace(FERRY, title="Ferry still out")]).updated == 1
    assert searched(index) == {"post"}
    assert index.copies("post") == (SYNDICATED,)


def test_when_both_change_in_one_run_each_finds_its_place(index: Index) -> None:
    index.add([FERRY, SYNDICATED])
    index.add([replace(FERRY, text=OTHER_REPORT.text), replace(SYNDICATED, text=STORY)])
    assert searched(index) == {"post", "herald"}
    index.add([replace(FERRY, text=STORY)])
    assert searched(index) == {"herald"}, "who comes back to a story finds it told"
    assert index.copies("herald")[0].id == "post"


def test_files_are_merged_parted_and_promoted(index: Index, embedder: BagOfWordsEmbedder, tmp_path: Path) -> None:
    folder = tmp_path / "articles"
    folder.mkdir()
    first, second = folder / "1.txt", folder / "2.txt"
    first.write_text(STORY)
    second.write_text(SYNDICATED.text)
    report = index.sync([folder])
    assert (report.added, report.failed) == (2, ())
    assert {hit.article.text for hit in index.search("ferry", k=50)} == {index.articles()[0].text}

    again = index.sync()
    assert (again.unchanged, again.embedded, again.added, again.updated) == (2, 0, 0, 0)

    second.write_text(OTHER_REPORT.text)
    assert index.sync().updated == 1
    assert len({hit.article.id for hit in index.search("ferry", k=50)}) == 2

    second.write_text(SYNDICATED.text)
    index.sync()
    assert len({hit.article.id for hit in index.search("ferry", k=50)}) == 1

    first.unlink()
    report = index.sync()
    assert (report.removed, report.added, report.updated) == (1, 0, 0)
    assert report.embedded > 0
    assert {"HERALD" in hit.article.text for hit in index.search("ferry", k=50)} == {True}
    assert index.sync().embedded == 0


def test_a_rebuilt_index_merges_the_same(index: Index, embedder: BagOfWordsEmbedder) -> None:
    index.add([FERRY, SYNDICATED, OTHER_REPORT])
    Index.rebuild(index.home, embedder=embedder)
    with Index.open(index.home, embedder=embedder) as rebuilt:
        assert searched(rebuilt) == {"post", "times"}
        assert rebuilt.copies("post") == (SYNDICATED,)
        assert rebuilt.check() == []


def test_the_terminal_says_where_else_and_obeys_nothing(index: Index) -> None:
    index.add([FERRY, replace(SYNDICATED, source="Her\x1b[31mald\n")])
    shown = terminal.render_hits(index.search("ferry"))
    assert "also in Herald" in shown
    assert "\x1b" not in shown
