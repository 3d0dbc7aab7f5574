"""What articles tell differently, and what only looks so."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from index.article import Article, Span
from index.hit import Hit
from rag.answer import Disagreement, Source
from rag.grounding import cite, disagreement

KABUL = "How many people were killed in the Kabul bombing?"
SEEDS = (
    "Relations started to warm in November 2013, when Tokyo and Moscow held their first ever diplomatic talks since "
    "1973. Another turning point came after Putin and Abe agreed to launch talks in December 2016. At a summit in "
    "Moscow last year, the two leaders agreed to set aside the sovereignty issue to pursue joint research into "
    "economic activities on the islands. The two nations have declared 2018 a year for cultural exchanges. Both are "
    "members of the Six-Party Talks, which have consistently denounced the DPRK's nuclear weapons program since the "
    "nation's first test in 2006. Abe spoke on the phone with Putin on Monday.",
    "Following a meeting in Moscow, Russian President Vladimir Putin and Japanese Prime Minister Shinzo Abe have "
    "called on Washington and Pyongyang to refrain from escalating the situation. Putin said both "
    "Russia and Japan support a resumption of the so-called six-party international talks held with North Korea, "
    "which broke down in 2009. Abe said he and Putin have agreed to work together. He also remarked that Japan is "
    "unlikely to support Russia’s attempts to persuade the US to soften its stance.",
)


class Pair(NamedTuple):
    """Two articles, and a question that the claim, resting on the first, answers."""

    question: str
    claim: str
    ours: str
    theirs: str
    dates: tuple[str | None, str | None] = ("2017-09-03", "2017-09-05")


def source(number: int, text: str, *, outlet: str | None = None, published: str | None = None) -> Source:
    article = Article(f"a{number}", text, source=outlet, published=published)
    return Source(number, Hit(article, 0, len(text), 1.0, 0.6, 0.4, Span(0, 1)))


def found(pair: Pair, *more: Source) -> tuple[Disagreement, ...]:
    sources = (
        source(1, pair.ours, outlet="Reuters", published=pair.dates[0]),
        source(2, pair.theirs, outlet="The Daily News", published=pair.dates[1]),
        *more,
    )
    quotes = cite.align(pair.claim, sources[:1], question=pair.question)
    assert quotes, "the claim rests on the first article"
    return disagreement.find(pair.question, pair.claim, quotes, sources)


def values(pair: Pair, *more: Source) -> list[tuple[str, ...]]:
    return [tuple(side.value for side in one.sides) for one in found(pair, *more)]


ATTACK = "The decline of Byzantium paved the road to a third attack in {}, when a large Norman army invaded Dyrrachium."
NIGHTS = "In the {} night of the festival the National Orchestra of Ruritania played before {} seats and left at once."
CONFLICTS = {
    "a year in the same words": (
        Pair(
            "Who invaded Dyrrachium?",
            "A large Norman army invaded Dyrrachium in 1185.",
            ATTACK.format(1185),
            ATTACK.format(1190),
        ),
        ("1190", "1185"),
    ),
    "a distance in the same words": (
        Pair(
            "How far is New Rochelle from New York?",
            "It is 21 miles.",
            "New Rochelle might be about (21 miles) north of New York.",
            "New Rochelle might be about (29 miles) north of New York.",
        ),
        ("29", "21"),
    ),
    "an article of a law in the same words": (
        Pair(
            "Which article exempts states?",
            "Article 49 exempts states.",
            "By article 49 of the TFEU states are exempt from this when they exercise official authority.",
            "By article 66 of the TFEU states are exempt from this when they exercise official authority.",
        ),
        ("66", "49"),
    ),
    "other toll": (
        Pair(
            KABUL,
            "The bombing killed 12 people.",
            "The bombing in Kabul killed 12 people.",
            "The bombing in Kabul killed 14 people.",
        ),
        ("14", "12"),
    ),
    "millions": (
        Pair(
            "How much did Acme pay for Widget?",
            "Acme paid $3.5 million.",
            "Acme paid $3.5 million for the start-up Widget.",
            "Acme paid $4.1 million for the start-up Widget.",
        ),
        ("$4.1 million", "$3.5 million"),
    ),
    "percent": (
        Pair(
            "What is unemployment in Spain?",
            "Unemployment in Spain fell to 16.4 percent.",
            "Unemployment in Spain fell to 16.4 percent in the third quarter.",
            "Unemployment in Spain fell to 17.2 percent in the third quarter.",
        ),
        ("17.2 percent", "16.4 percent"),
    ),
    "prisoners": (
        Pair(
            "How many prisoners did Kiev release?",
            "Kiev released 237 prisoners.",
            "Kiev released 237 prisoners in the exchange with Donetsk.",
            "Kiev released 306 prisoners in the exchange with Donetsk.",
        ),
        ("306", "237"),
    ),
    "same year named in reports years apart": (
        Pair(
            "How many people did the Haiti earthquake kill?",
            "It killed 220,000 people.",
            "The earthquake that struck Haiti in 2010 killed 220,000 people.",
            "The earthquake that struck Haiti in 2010 killed 316,000 people.",
            ("2011-01-12", "2015-01-12"),
        ),
        ("316,000", "220,000"),
    ),
    "birth": (
        Pair(
            "When was Shinzo Abe born?",
            "Shinzo Abe was born on September 21, 1954.",
            "Shinzo Abe was born in Tokyo on September 21, 1954.",
            "Shinzo Abe was born in Tokyo on September 21, 1955.",
        ),
        ("September 21, 1955", "September 21, 1954"),
    ),
    "will, and will not": (
        Pair(
            "Will Turkey release the pastor?",
            "Turkey will release the pastor.",
            "Turkey will release the American pastor.",
            "Turkey will not release the American pastor.",
        ),
        ("not release", "release"),
    ),
    "agreed, and did not": (
        Pair(
            "Did Turkey agree to release the pastor?",
            "Turkey agreed to release the pastor.",
            "Turkey agreed to release the American pastor.",
            "Turkey did not agree to release the American pastor.",
        ),
        ("did not agree", "agreed"),
    ),
    "denied": (
        Pair(
            "Did Qatar pay the ransom?",
            "Qatar paid the ransom.",
            "Qatar paid a ransom to the kidnappers in Iraq.",
            "Qatar denied that it paid a ransom to the kidnappers in Iraq.",
        ),
        ("denied that it paid", "paid"),
    ),
    "the quote denies": (
        Pair(
            "Did Iran sign the deal?",
            "Iran did not sign the deal.",
            "Iran did not sign the Caspian deal in Aktau.",
            "Iran signed the Caspian deal in Aktau.",
        ),
        ("signed", "did not sign"),
    ),
    "refused": (
        Pair(
            "Did Poland accept the refugees?",
            "Poland accepted the refugees.",
            "Poland accepted the 7,000 refugees from Greece.",
            "Poland refused to accept the 7,000 refugees from Greece.",
        ),
        ("refused to accept", "accepted"),
    ),
    "no dates known": (
        Pair(
            "How many tanks did Berlin send?",
            "Berlin sent 14 tanks.",
            "Berlin sent 14 tanks to Lithuania.",
            "Berlin sent 18 tanks to Lithuania.",
            (None, None),
        ),
        ("14", "18"),
    ),
}

AGREEMENTS = {
    "the same words of another night": Pair(
        "Who played in Ruritania?",
        "The National Orchestra played.",
        NIGHTS.format("9th", 40),
        NIGHTS.format("14th", 40),
    ),
    "the same words, with a number that was asked for": Pair(
        "Who attacked Dyrrachium in 1185?",
        "A Norman army attacked it in 1185.",
        ATTACK.format(1185),
        ATTACK.format(1190),
    ),
    "the same words, with a number that was not answered": Pair(
        "Who invaded Dyrrachium?", "A large Norman army invaded it.", ATTACK.format(1185), ATTACK.format(1190)
    ),
    "the same words, rounded": Pair(
        "How many seats were there?",
        "There were 40,000.",
        NIGHTS.format("9th", "40,000"),
        NIGHTS.format("9th", "40,312"),
    ),
    "the same words, rounded in brackets": Pair(
        "How many came to Ruritania?",
        "3600 came.",
        "To the last night of the festival in Ruritania came more guests than ever (3600 by the count).",
        "To the last night of the festival in Ruritania came more guests than ever (3612 by the count).",
    ),
    "the same words, and both numbers in one article": Pair(
        "Who invaded Dyrrachium?",
        "A large Norman army invaded Dyrrachium in 1185.",
        ATTACK.format(1185),
        f"{ATTACK.format(1190)} Others hold that it was in 1185.",
    ),
    "the same words of another year's report": Pair(
        "How many seats were there in Ruritania?",
        "There were 40 seats.",
        NIGHTS.format("9th", 40),
        NIGHTS.format("9th", 60),
        ("2016-09-03", "2017-09-05"),
    ),
    "the same words but for the tense": Pair(
        "Did Turkey release the pastor?",
        "Turkey released the pastor.",
        "Turkey will release the American pastor.",
        "Turkey did not release the American pastor.",
    ),
    "at least": Pair(
        KABUL,
        "At least 12 people were killed.",
        "At least 12 people were killed in the Kabul bombing.",
        "At least 21 people were killed in the Kabul bombing.",
    ),
    "the same words of another person": Pair(
        "How many medals did Anna Smith win?",
        "She won 3 medals.",
        "Anna Smith was there. She won 3 gold medals in that summer.",
        "Maria Jones was there. She won 5 gold medals in that summer.",
    ),
    "equal": Pair(
        KABUL, "It killed 12 people.", "The Kabul bombing killed 12 people.", "The Kabul bombing killed 12 people."
    ),
    "about": Pair(
        "How many people marched in Barcelona?",
        "About 1,200 people marched.",
        "About 1,200 people marched through Barcelona.",
        "Police said 1,187 people marched through Barcelona.",
    ),
    "rounded": Pair(
        "How many people marched in Barcelona?",
        "1,200 people marched.",
        "1,200 people marched through Barcelona.",
        "1,187 people marched through Barcelona.",
    ),
    "millions rounded": Pair(
        "How many people live in Ruritania?",
        "Ruritania has 3.5 million inhabitants.",
        "Ruritania has 3.5 million inhabitants.",
        "Ruritania has 3,541,200 inhabitants.",
    ),
    "other currency": Pair(
        "How much did Acme pay for Widget?",
        "Acme paid $3.5 million.",
        "Acme paid $3.5 million for Widget.",
        "Acme paid €2.9 million for Widget.",
    ),
    "more than": Pair(
        "How many people did the Haiti earthquake kill?",
        "It killed more than 200,000 people.",
        "The 2010 earthquake in Haiti killed more than 200,000 people.",
        "The 2010 earthquake in Haiti killed 220,000 people.",
    ),
    "other event in the same city": Pair(
        KABUL,
        "It killed 12 people.",
        "The bombing in Kabul killed 12 people.",
        "The bombing in Kabul killed 40 people.",
        ("2017-09-03", "2018-01-27"),
    ),
    "other year in the sentence": Pair(
        KABUL,
        "It killed 12 people.",
        "The bombing in Kabul in 2016 killed 12 people.",
        "The bombing in Kabul in 2017 killed 40 people.",
    ),
    "other weekday": Pair(
        KABUL,
        "It killed 12 people.",
        "A bombing in Kabul on Monday killed 12 people.",
        "A bombing in Kabul on Friday killed 4 people.",
    ),
    "the number is in the question": Pair(
        "Which 12 people did Trump pardon?",
        "Trump pardoned 12 people.",
        "In Washington Trump pardoned 12 people.",
        "In Washington Trump pardoned 14 people.",
    ),
    "both in one article": Pair(
        KABUL,
        "It killed 12 people.",
        "The Kabul bombing killed 12 people.",
        "The Kabul bombing killed 14 people. Officials had said the Kabul bombing killed 12 people.",
    ),
    "not only": Pair(
        "Did Turkey release the pastor?",
        "Turkey released the pastor.",
        "Turkey released the American pastor.",
        "Turkey has not only released the American pastor.",
    ),
    "not yet": Pair(
        "Did Turkey release the pastor?",
        "Turkey released the pastor.",
        "Turkey released the American pastor.",
        "Turkey has not released the American pastor yet.",
    ),
    "what will be": Pair(
        "Did Turkey release the pastor?",
        "Turkey will release the pastor.",
        "Turkey will release the American pastor.",
        "Turkey did not release the American pastor.",
    ),
    "a year later": Pair(
        "Did Putin attend the summit in Davos?",
        "Putin did not attend the summit in Davos.",
        "Putin did not attend the summit in Davos.",
        "Putin attended the summit in Davos.",
        ("2017-01-20", "2019-01-20"),
    ),
    "one summit in two articles": Pair(
        "When did the six-party talks break down?",
        "The six-party talks broke down in 2009.",
        SEEDS[1],
        SEEDS[0],
        (None, None),
    ),
}


@pytest.mark.parametrize(("pair", "sides"), CONFLICTS.values(), ids=CONFLICTS)
def test_articles_that_conflict_are_told_apart_newest_first(pair: Pair, sides: tuple[str, ...]) -> None:
    assert values(pair) == [sides]


@pytest.mark.parametrize("pair", AGREEMENTS.values(), ids=AGREEMENTS)
def test_articles_that_do_not_conflict_are_left_in_peace(pair: Pair) -> None:
    assert values(pair) == []


BOMBING = Pair(
    KABUL, "It killed 12 people.", "The Kabul bombing killed 12 people.", "The Kabul bombing killed 14 people."
)


def test_each_side_is_cited_with_the_exact_sentence() -> None:
    (one,) = found(BOMBING)
    assert one.about == "number"
    assert [side.citation.quote for side in one.sides] == [BOMBING.theirs, BOMBING.ours]
    assert [side.citation.number for side in one.sides] == [0, 0]
    assert all(side.value in side.citation.quote for side in one.sides)


def test_a_disagreement_is_said_in_one_sentence() -> None:
    (one,) = found(BOMBING)
    assert disagreement.sentence(one) == (
        "The articles disagree: The Daily News (2017-09-05) says 14; Reuters (2017-09-03) says 12."
    )
    (polar,) = found(CONFLICTS["denied"][0])
    assert disagreement.sentence(polar).endswith("says “denied that it paid”; Reuters (2017-09-03) says “paid”.")


def test_an_article_without_outlet_and_date_is_named_by_its_headline_and_comes_last() -> None:
    (one,) = found(
        BOMBING._replace(dates=(None, None)), source(3, "The Kabul bombing killed 19 people.", published="2017-09-06")
    )
    assert [side.value for side in one.sides] == ["19", "12", "14"]
    assert "“The Kabul bombing killed 19 people.” (2017-09-06) says 19; Reuters (undated)" in disagreement.sentence(one)


def test_a_value_told_by_several_is_cited_from_the_newest() -> None:
    (one,) = found(
        BOMBING,
        source(3, "The Kabul bombing killed 12 people.", outlet="Tass", published="2017-09-07T08:00:00+00:00"),
        source(4, "The Kabul bombing killed 14 people.", outlet="Xinhua", published="2017-09-04"),
    )
    assert disagreement.sentence(one) == (
        "The articles disagree: Tass (2017-09-07) says 12; The Daily News (2017-09-05) says 14."
    )


def test_an_article_does_not_disagree_with_itself() -> None:
    alone = source(1, "The Kabul bombing killed 12 people. Later: the Kabul bombing killed 14 people.")
    quotes = cite.align(BOMBING.claim, [alone], question=KABUL)
    assert disagreement.find(KABUL, BOMBING.claim, quotes, [alone]) == ()


def test_hostile_text_and_dates_do_no_harm() -> None:
    odd = BOMBING._replace(
        theirs="The Kabul bombing killed 14 people.\n\n9999-99-99 " + "1,2," * 999, dates=("soon", "9999")
    )
    assert [len(one.sides) for one in found(odd)] == [2]
    assert not found(BOMBING._replace(theirs="The Kabul bombing killed 1" + "0" * 500 + " people."))
