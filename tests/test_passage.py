"""Sentences and passages: where they end, and that nothing is lost, cut or doubled."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from index.errors import InputError
from index.passage import SENTENCE_CHARS, passages, sentences
from index.read.clean import strip_furniture, tidy

SEEDS = Path(__file__).parent.parent / "seeds"


def split(text: str) -> list[str]:
    return [span.of(text) for span in sentences(text)]


@pytest.mark.parametrize(
    "expected",
    [
        ["Dr. Brown met Mr. J. K. Rowling.", "They spoke."],
        ["The U.S. President left.", "He flew home."],
        ["He lives in the U.S.", "The others do not."],
        ["It began at 5 p.m. Monday in Washington, D.C.", "It ended late."],
        ["Prices rose 3.5 percent to $1.2 billion.", "Then they fell."],
        ["He left on Jan. 5.", "See No. 7 in vol. 3."],
        ["The answer is No.", "He left."],
        ["Sie wurde am 14. März 2021 eröffnet.", "Der 2. Weltkrieg war vorbei.", "Es waren 14.", "Danach kam er."],
        ["Er kam am 3.", "Sie blieb.", "I am 14.", "The rest is older."],
        ["Er kam z. B. aus Bonn bzw. Ulm.", "La Sra. Pérez fue a EE. UU. en 1990.", "Она жила на ул. Ленина, д. 5."],
        ["Some fruit, e.g. Apples, i.e. Pomaceous ones, sold well.", "Others did not."],
        ["Acme Inc. Chairman Lee spoke.", "Acme Inc.", "The company fell."],
        ["George W. Bush spoke.", "Nobody else did."],
        ["“It is over.”", "She wept."],
        ['"Why?" he asked.', '"Because!" said she.'],
        ['"Is it over?" Brown asked.', "It was."],
        ["It ended (really.)", "Next came [the rest.]", "Fine."],
        ["Well... perhaps not.", "So it goes…", "Who knows?!", "Nobody."],
        ["A claim.[3]", "Another.[4][5]", "Done."],
        ["It broke down in 2009.", "15 people left."],
        ["Visit example.com or read file.txt now.", "Bye."],
        ["Born in the U.S.S.R. in 1950.", "Died in 1999."],
    ],
)
def test_a_sentence_ends_where_a_reader_ends_it(expected: list[str]) -> None:
    assert split(" ".join(expected)) == expected


def test_full_width_stops_need_no_space() -> None:
    assert split("日本とロシア。次の文！「はい。」終わり") == [
        "日本とロシア。",
        "次の文！",
        "「はい。」",
        "終わり",
    ]
    assert split("यह एक वाक्य है। यह दूसरा है।") == ["यह एक वाक्य है।", "यह दूसरा है।"]


def test_blank_lines_and_list_lines_always_end_a_sentence() -> None:
    text = "A heading\n\nShopping:\n- ten red apples from the market\n- pears\n1. First\n2) Second\n\nthe end"
    assert split(text) == [
        "A heading",
        "Shopping:",
        "- ten red apples from the market",
        "- pears",
        "1. First",
        "2) Second",
        "the end",
    ]


def test_a_list_stays_apart_however_short_its_lines() -> None:
    assert split("apples\npears\nplums") == ["apples", "pears", "plums"]


def test_wrapped_lines_are_one_sentence() -> None:
    text = (
        "The president flew to the capital of the country on\n"
        "Monday morning and met the prime minister, who lives\n"
        "there. They agreed on nothing at all, as so often in\n"
        "The Hague."
    )
    first, second = split(text)
    assert first.startswith("The president")
    assert first.endswith("lives\nthere.")
    assert second.endswith("The Hague.")


def test_a_paragraph_on_one_line_ends_with_its_line() -> None:
    long = "This paragraph is much longer than any wrapped line would be " * 3
    text = f"{long.strip()}\nAnother paragraph follows\nAnd one more"
    assert split(text) == [long.strip(), "Another paragraph follows", "And one more"]


def test_an_endless_sentence_is_cut_at_the_best_place() -> None:
    clauses = "one two three, four five six; " * 60
    pieces = split(clauses)
    assert len(pieces) > 1
    assert all(piece.endswith(";") and len(piece) <= SENTENCE_CHARS for piece in pieces)
    assert max(len(piece) for piece in split("word " * 500)) <= SENTENCE_CHARS
    assert "".join(split("x" * 5000)) == "x" * 5000


def test_lone_punctuation_joins_the_sentence_before_it() -> None:
    assert split("He left. — …") == ["He left. — …"]


def random_text(seed: int) -> str:
    source = random.Random(seed)
    pieces = [
        "word",
        "Dr",
        "U.S",
        "a",
        "I",
        "3",
        ".",
        ".",
        "!",
        "?",
        "…",
        "。",
        '"',
        "”",
        "(",
        ")",
        "[1]",
        ",",
        ";",
        " ",
        " ",
        " ",
        " ",
        "\n",
        "\n\n",
        "\t",
        "\u00a0",
        "\u3000",
        "- ",
        "é",
        "e\u0301",
        "漢",
        "😀",
        "x" * 150,
    ]
    return "".join(source.choice(pieces) for _ in range(source.randrange(800)))


@pytest.mark.parametrize("seed", range(200))
def test_sentences_cover_every_visible_character_once(seed: int) -> None:
    text = random_text(seed)
    covered, end = "", 0
    for span in sentences(text):
        piece = span.of(text)
        assert span.start >= end
        assert piece == piece.strip() != ""
        assert len(piece) <= SENTENCE_CHARS
        assert text[end : span.start].strip() == ""
        covered, end = covered + piece, span.end
    assert "".join(covered.split()) == "".join(text.split())


@pytest.mark.parametrize("seed", range(200))
def test_every_sentence_is_in_exactly_one_passage(seed: int) -> None:
    text, max_chars = random_text(seed), random.Random(seed).choice([1, 50, 200, 700])
    found = passages(text, max_chars=max_chars)
    assert tuple(span for passage in found for span in passage.sentences) == sentences(text)
    for passage in found:
        assert (passage.start, passage.end) == (passage.sentences[0].start, passage.sentences[-1].end)
        assert passage.end - passage.start <= max_chars or len(passage.sentences) == 1


def test_nothing_gives_nothing() -> None:
    assert sentences("") == sentences(" \n\t\n ") == ()
    assert passages(" \n ") == ()


def test_a_passage_ends_with_its_paragraph_when_the_next_does_not_fit() -> None:
    paragraph = " ".join(f"Sentence number {n} is here." for n in range(5))
    text = "\n\n".join([paragraph] * 4)
    found = passages(text, max_chars=len(paragraph) * 3 // 2)
    assert [passage.of(text) for passage in found] == [paragraph] * 4


def test_the_last_passage_is_not_tiny() -> None:
    text = " ".join(f"Sentence number {n:02} is here." for n in range(21))
    found = passages(text, max_chars=290)
    assert len(found) == 3
    assert found[-1].end - found[-1].start > 290 // 4


def test_a_passage_of_no_characters_is_refused() -> None:
    with pytest.raises(InputError, match="max_chars=0"):
        passages("Text.", max_chars=0)


@pytest.mark.parametrize("unit", ["x", ".", "a.b", "U.S. ", " ", "a\n", '." ', "Some words of prose go here. "])
def test_five_megabytes_of_anything_run(unit: str) -> None:
    size = 5_000_000 if len(unit) == 1 or len(unit) > 5 else 1_000_000
    text = unit * (size // len(unit))
    found = passages(text)
    assert all(passage.end - passage.start <= 700 for passage in found)


def test_seed_articles_split_into_their_sentences() -> None:
    japan = tidy((SEEDS / "000_20ab625326f02e24.txt").read_text(encoding="utf-8"))
    assert len(split(japan)) == 18
    assert "Another turning point came after Putin and Abe agreed to launch talks in December 2016." in split(japan)
    sputnik = strip_furniture(tidy((SEEDS / "004_458792bda5bb12f3.txt").read_text(encoding="utf-8")))
    assert len(split(sputnik)) == 12
    assert all(len(passage.sentences) > 1 for text in (japan, sputnik) for passage in passages(text))
