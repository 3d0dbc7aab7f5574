"""Support: what quotes say is likely carried, what they deny or do not have is not; and how that is fitted."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.measures import pooled
from benchmarks.measures import support as benchmark
from index.article import Article
from rag.grounding import support
from rag.grounding.support import FAILED, SUPPORTED, Pair, flaws, probability
from tests.fakes import BagOfWordsEmbedder

QUOTE = "In 1884 Nikola Tesla emigrated to the United States, where he worked for Thomas Edison in New York."
NEARBY = f"Nikola Tesla\nTesla was born in Smiljan. {QUOTE} He was not paid the bonus that Westinghouse promised him."


def pair(claim: str, *quotes: str, question: str = "", similarity: float | None = 0.8) -> Pair:
    return Pair(claim, quotes or (QUOTE,), NEARBY, similarity, question)


@pytest.mark.parametrize(
    "claim",
    [
        QUOTE,
        "Nikola Tesla emigrated to the United States in 1884.",
        "Tesla worked for Thomas Edison in New York.",
        "In 1884 he emigrated to the United States.",
    ],
)
def test_what_a_quote_says_is_supported(claim: str) -> None:
    assert flaws(pair(claim)) == ()
    assert probability(pair(claim)) > SUPPORTED


def test_a_claim_that_repeats_its_quote_is_nearly_certain() -> None:
    assert probability(pair(QUOTE, similarity=1.0)) > 0.9
    assert probability(pair(QUOTE, similarity=None)) > 0.9


@pytest.mark.parametrize(
    ("claim", "flaw"),
    [
        ("In 1894 Nikola Tesla emigrated to the United States.", "1894"),
        ("Tesla worked for three months for Thomas Edison in New York.", "three"),
        ("In 1884 Nikola Tesla emigrated to Canada.", "Canada"),
        ("Tesla told Edison that he “worked for nothing” in New York.", "worked for nothing"),
        ("Nikola Tesla never emigrated to the United States.", "emigrated"),
        ("Nikola Tesla didn't work for Thomas Edison.", "work"),
    ],
)
def test_what_no_quote_has_or_it_denies_is_a_flaw_that_caps(claim: str, flaw: str) -> None:
    assert flaw in flaws(pair(claim, similarity=1.0))
    assert probability(pair(claim, similarity=1.0)) <= FAILED


def test_a_negation_of_the_quote_must_not_be_lost() -> None:
    quote = "Tesla was not paid the bonus."
    assert probability(pair(quote, quote)) > SUPPORTED
    assert probability(pair("Tesla was paid the bonus.", quote)) <= FAILED
    assert flaws(pair("Tesla was not only paid, he got a bonus.", "Tesla was paid, and he got a bonus.")) == ()


def test_a_name_in_the_place_of_another_makes_a_claim_doubtful() -> None:
    true, false = (
        pair("Tesla worked for Thomas Edison in New York."),
        pair("Tesla worked for Westinghouse in New York."),
    )
    assert probability(false) < SUPPORTED < probability(true)


def test_a_name_may_stand_nearby() -> None:
    assert probability(pair("Nikola Tesla worked for Thomas Edison.", "In New York he worked for Thomas Edison.")) > 0.5


def test_an_opening_word_is_a_name_if_the_question_has_it_as_one() -> None:
    claim = "Marconi emigrated to the United States in 1884."
    assert flaws(pair(claim)) == ()
    assert flaws(pair(claim, question="When did Marconi emigrate?")) == ("Marconi",)


def test_the_worst_clause_counts() -> None:
    whole = "Nikola Tesla emigrated to the United States"
    assert probability(pair(f"{whole}.")) > probability(pair(f"{whole}, bought cheap land and raised sheep."))


def test_without_quotes_or_words_nothing_is_supported() -> None:
    assert probability(Pair("Tesla emigrated.", ())) == 0.0
    assert probability(pair("…")) == 0.0


def test_features_do_not_grow_with_the_text() -> None:
    claim = " ".join([QUOTE, "In 1950 Sigmund Freud never met 77 Martians, and Bach met 78."] * 20)
    for value in support.features(pair(claim, *[QUOTE] * 3)).values():
        assert -1.0 <= value <= support.MOST_LOST


def test_every_feature_has_a_coefficient() -> None:
    kept = support.kept()
    names = set(support.features(pair(QUOTE, similarity=None)))
    assert set(kept.mean) == set(kept.scale) == set(kept.weight) == names
    assert min(kept.scale.values()) > 0


def stated(claim: str, text: str, *, supported: bool) -> benchmark.Stated:
    sources = pooled.passages_of([Article("a", text, title="Tesla")])
    return benchmark.Stated(claim, sources, supported, "true" if supported else "false", "Tesla")


def test_what_is_fitted_tells_true_from_false() -> None:
    text = "\n".join(
        f"In {year} the company of town {year} sold {year + 7} lamps and a motor." for year in range(1900, 1912)
    )
    told = [
        one
        for year in range(1900, 1912)
        for one in (
            stated(f"The company of town {year} sold {year + 7} lamps.", text, supported=True),
            stated(f"The company of town {year} leased horses, carts and ships abroad.", text, supported=False),
        )
    ]
    examples = benchmark.examples(told, BagOfWordsEmbedder())
    coefficients = benchmark.fit(examples)
    found = benchmark.measure(examples, coefficients, benchmark.fit(examples, ("similarity",)))
    assert found["AUROC"]["citewire"].mean == 1.0
    assert coefficients.weight["covered"] > 0
    assert sum(one["n"] for one in found["bins"]) == len(told)


def test_auroc_counts_the_pairs_in_order_and_halves_ties() -> None:
    truth = np.array([True, True, False, False])
    scores = {"tied": np.array([0.5, 0.5, 0.5, 0.5]), "good": np.array([0.9, 0.4, 0.5, 0.1])}
    found = benchmark.auroc(scores, truth)
    assert (found["tied"].mean, found["good"].mean, found["good less tied"].mean) == (0.5, 0.75, 0.25)
    assert found["good"].low <= 0.75 <= found["good"].high


def test_bins_compare_what_was_predicted_with_what_is() -> None:
    table = benchmark.bins(np.array([0.0, 0.2, 0.9, 1.0]), np.array([False, True, True, True]))
    assert table == [
        {"to": 0.2, "n": 2, "likely": 0.1, "is": 0.5},
        {"to": 1.0, "n": 2, "likely": 0.95, "is": 1.0},
    ]


def test_changes_change_one_thing() -> None:
    draw = random.Random(1)
    material = benchmark.Material(["1901"], ["Vienna"])
    sentence = "In 1884 he was sent to New York, and many people met him there."
    assert benchmark.name_changed(sentence, material, draw) == sentence.replace("New York", "Vienna")
    assert benchmark.negation_flipped(sentence, material, draw) == sentence.replace("was", "was not")
    assert benchmark.negation_flipped(sentence.replace("was", "was not"), material, draw) == sentence
    changed = benchmark.number_changed(sentence, material, draw)
    assert changed is not None
    assert "1884" not in changed
    assert changed.partition(" he ")[2] == sentence.partition(" he ")[2]
    assert benchmark.number_changed("He was sent to New York.", material, draw) is None


def test_coefficients_can_be_given() -> None:
    sure = replace(support.kept(), bias=50.0)
    assert probability(pair("Tesla moved to the States."), by=sure) > 0.99


@pytest.mark.parametrize(
    ("claim", "quote"),
    [
        (
            "Physical quantities that do not have direction are scalar quantities.",
            "They follow other rules than physical quantities that do not have direction (denoted scalar quantities).",
        ),
        (
            "Regimes fight soft power by banning foreign culture and controlling the internet.",
            "Soft power is not lost on regimes, fighting it with bans on foreign culture, control of the internet etc.",
        ),
        (
            "The flaws of Aristotle's physics were corrected in the 17th century.",
            "The flaws of Aristotelian physics were corrected in the 17th century by Galileo.",
        ),
    ],
)
def test_what_only_looks_turned_or_replaced_is_no_flaw(claim: str, quote: str) -> None:
    assert flaws(Pair(claim, (quote,))) == ()


@pytest.mark.parametrize(
    ("claim", "quote"),
    [
        ("Matter does not have extended structure.", "In real life, matter has extended structure."),
        (
            "Hormones that do not effect immunity are rare in this group.",
            "Hormones of immunity are rare in this group.",
        ),
        ("The ferry to Austria was cancelled.", "The ferry to Australia was cancelled."),
    ],
)
def test_what_is_turned_or_replaced_is_a_flaw(claim: str, quote: str) -> None:
    assert flaws(Pair(claim, (quote,)))


@pytest.mark.parametrize(
    ("claim", "quote", "is_flawed"),
    [
        ("At least 220 people were killed.", "Activists say troops killed up to 220 people.", True),
        ("More than $40 million were lost.", "The bank lost nearly $40 million.", True),
        ("No more than 31 people fled.", "No fewer than thirty-one people fled.", True),
        ("Up to 220 people were killed.", "Activists say troops killed up to 220 people.", False),
        ("More than 220 people were killed.", "At least 220 people were killed.", False),
        ("As many as 220 people were killed.", "Troops killed 220 people.", False),
        ("At least 220 people were killed.", "Up to 220 were killed, and by evening more than 220 were.", False),
    ],
)
def test_the_least_of_what_there_is_is_not_the_most(claim: str, quote: str, is_flawed: bool) -> None:
    assert bool(flaws(Pair(claim, (quote,)))) == is_flawed


@pytest.mark.parametrize(
    ("claim", "quote", "mended"),
    [
        ("At least 220 people died.", "Activists say up to 220 people died.", "Up to 220 people died."),
        ("It lost more than $40 million.", "The bank lost nearly $40 million.", "It lost nearly $40 million."),
        ("It lost nearly 40 ships.", "At least 40 ships were lost.", "It lost at least 40 ships."),
        ("At least 220 people died.", "At least 220 people died.", "At least 220 people died."),
        ("About 220 people died.", "Up to 220 people died.", "About 220 people died."),
    ],
)
def test_a_bound_is_that_of_the_quotes(claim: str, quote: str, mended: str) -> None:
    assert support.with_bounds_of_quotes(Pair(claim, (quote,))) == mended


@pytest.mark.parametrize(
    ("words", "digits"),
    [
        ("forty", "40"),
        ("thirty-one", "31"),
        ("two hundred and fifty", "250"),
        ("one hundred", "100"),
        ("two thousand five hundred", "2,500"),
    ],
)
def test_numbers_in_words_are_those_in_digits(words: str, digits: str) -> None:
    assert flaws(Pair(f"The ferry took {words} men.", (f"The ferry took {digits} men.",))) == ()
    assert flaws(Pair(f"The ferry took {words} men.", ("The ferry took 7 men.",)))


def test_a_number_behind_a_name_is_an_age() -> None:
    quote = "Quill was seven years old when she first sailed. Ada Quill, 75, has sailed a hundred times."
    second = quote.split(". ", 1)[1]
    assert flaws(Pair("Ada Quill is 75 years old.", (second,), quote)) == ()
    assert flaws(Pair("Ada Quill is 74 years old.", (second,), quote))


def test_who_told_whom_does_not_carry_what_was_told() -> None:
    quote = "“We are really disappointed,” Ada Quill, the lawyer of Zorb Media, told the Journal after the arrest."
    frame = "Ada Quill, the lawyer of Zorb Media, told the Journal after the arrest"
    assert flaws(Pair(f"{frame} that they were shutting down.", (quote,))) == ("shutting", "down")
    assert flaws(Pair(f"{frame} that they were disappointed.", (quote,))) == ()
    assert flaws(Pair(f"{frame} of their disappointment.", (quote,))) == ()


def test_numbers_in_words_that_stand_beside_each_other_are_two() -> None:
    quote = "Between 200 and 300 men took the ferry."
    assert flaws(Pair("Between two hundred and three hundred men took the ferry.", (quote,))) == ()


def test_both_is_two_and_us_is_us() -> None:
    quote = "A settlement based on equality between both parties was struck by eight U.S. presidents."
    for claim in ("It was a settlement of the two parties.", "Eight US presidents struck it."):
        assert flaws(Pair(claim, (quote,))) == ()
    assert flaws(Pair("It was a settlement of the three parties.", (quote,))) == ("three",)


@pytest.mark.parametrize(
    ("claim", "quote"),
    [
        ("Yes, smoking is allowed.", "Smoking is forbidden."),
        ("The company's profits fell in the spring.", "The profits of the company rose in the spring."),
        (
            "Visitors may enter the park at night, which is legal.",
            "To enter the park at night is illegal for visitors.",
        ),
    ],
)
def test_the_opposite_of_a_quote_is_not_supported(claim: str, quote: str) -> None:
    assert probability(Pair(claim, (quote,))) <= FAILED


def test_the_opposite_in_another_clause_of_the_claim_is_no_flaw() -> None:
    quote = "Profits rose and costs fell in the spring."
    assert flaws(Pair("Costs fell and profits rose in the spring.", (quote,))) == ()


DETAINED = "Brittney Griner was detained at an airport in Moscow."
PLAYED = "She has played in Russia since 2015."
DATED = "February 17, 2022 / 11:04"


def test_numbers_and_names_of_another_event_are_a_flaw() -> None:
    nearby = f"{DETAINED} {PLAYED}"
    assert "2015" in flaws(Pair("Brittney Griner was detained in 2015.", (DETAINED, PLAYED), nearby))
    assert flaws(Pair("Brittney Griner has played in Russia since 2015.", (PLAYED, DETAINED), nearby)) == ()


def test_a_date_line_dates_what_its_page_says() -> None:
    assert flaws(Pair("Brittney Griner was detained on 17 February 2022.", (DETAINED, DATED))) == ()


def test_no_sentence_of_an_article_says_how_many_articles_there_are() -> None:
    quote = "Twitter laid off half of its staff, one of its managers said in an e-mail."
    assert flaws(Pair("There is one article about Twitter.", (quote,)))
    assert flaws(Pair("The treaty has three articles.", ("The treaty has three articles and a preamble.",))) == ()


SUCCESSION = "Ann Lee of Norria, who succeeded Bo Lund as chair in May, invited Cy Ames to dine."
FINAL = "Norria defeated the Zorb Rovers 24–10 to win the Harbor Cup, and was greeted by Mayor Ada Quill."
TAKEN = "Bo Lund, who had sued Cy Ames, was himself sued by Ann Lee, Di Orr and Ed Poe."
GIVEN = "Norria gave $2 million, Zorb $1 million."
RISEN = "Turnout, 74% in 2018, fell to 61% in 2022."
VIEWERS = "Zorb TV, overtaken by Norria TV in May, has 221 million viewers; Norria TV has 223 million."
QUAKE = "A quake of magnitude 7.8 killed 59 people and injured 340."
FLEET = "Norria was founded as a port in 1851, and joined the union in 1855 with 62 ferries, 335 tugs and $4 million."


@pytest.mark.parametrize(
    ("question", "claim", "quote", "is_supported"),
    [
        ("", "Ann Lee succeeded Bo Lund as chair.", SUCCESSION, True),
        ("", "Bo Lund succeeded Ann Lee as chair.", SUCCESSION, False),
        ("", "Cy Ames was invited by Ann Lee to dine.", SUCCESSION, True),
        ("Who succeeded Bo Lund as chair?", "Cy Ames.", SUCCESSION, False),
        ("Who succeeded Bo Lund as chair?", "Ann Lee.", SUCCESSION, True),
        ("", "Norria won the Harbor Cup.", FINAL, True),
        ("", "The Zorb Rovers won the Harbor Cup.", FINAL, False),
        ("Who won the Harbor Cup?", "Zorb Rovers.", FINAL, False),
        ("Which team won the cup?", "Norria.", "Zorb lost to Norria in the cup.", True),
        ("Which team won the cup?", "Zorb.", "Zorb lost to Norria in the cup.", False),
        ("", "Norria was greeted by Mayor Ada Quill.", FINAL, True),
        ("", "Ada Quill was greeted by Norria.", FINAL, False),
        ("", "Norria joined the union in 1855.", FLEET, True),
        ("", "Norria joined the union in 1851.", FLEET, False),
        ("When was Norria founded?", "1851.", FLEET, True),
        ("", "Norria had 335 tugs.", FLEET, True),
        ("", "Norria had 62 tugs.", FLEET, False),
        ("", "Zorb met Norria.", "Norria met Zorb in May.", True),
        ("", "Ed Poe sued Bo Lund.", TAKEN, True),
        ("Who sued Bo Lund?", "Di Orr.", TAKEN, True),
        ("", "Cy Ames sued Bo Lund.", TAKEN, False),
        ("", "Ann Lee sued Bo Lund in June.", "Bo Lund sued Ann Lee in May, and Ann Lee sued Bo Lund in June.", True),
        ("", "Ann Lee sued Bo Lund.", "Cy Ames sued Bo Lund, as did Ann Lee.", True),
        ("", "Zorb gave $1 million.", GIVEN, True),
        ("", "Norria gave $1 million.", GIVEN, False),
        ("", "Turnout was 61% in 2022.", RISEN, True),
        ("", "Norria TV has 223 million viewers.", VIEWERS, True),
        ("", "The quake injured 340 people and killed 59.", QUAKE, True),
        ("", "53 envoys voted for it.", "Of the 100 envoys, 53 voted for it.", True),
    ],
)
def test_who_does_it_and_which_number_it_is_must_be_those_of_the_quote(
    question: str, claim: str, quote: str, is_supported: bool
) -> None:
    found = Pair(claim, (quote,), quote, question=question)
    assert (not flaws(found)) == is_supported, flaws(found)
