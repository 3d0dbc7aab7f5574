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


def found(pair: Pair, *more: Source, **options: object) -> tuple[Disagreement, ...]:
    sources = (
        source(1, pair.ours, outlet="Reuters", published=pair.dates[0]),
        source(2, pair.theirs, outlet="The Daily News", published=pair.dates[1]),
        *more,
    )
    quotes = cite.align(pair.claim, sources[:1], question=pair.question)
    assert quotes, "the claim rests on the first article"
    return disagreement.find(pair.question, pair.claim, quotes, sources, **options)  # type: ignore[arg-type]


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
    "passive and active": (
        Pair(
            KABUL,
            "12 people were killed.",
            "Afghanistan is in mourning. On Tuesday 12 people were killed when a bomb exploded in Kabul.",
            "A bomb in the Afghan capital Kabul killed 14 people, police said.",
        ),
        ("14", "12"),
    ),
    "people left out": (
        Pair(
            KABUL,
            "It killed 12 people.",
            "The blast in Kabul killed 12 people and wounded 30.",
            "The blast in Kabul killed 14 and wounded 30.",
        ),
        ("14", "12"),
    ),
    "words for numbers": (
        Pair(
            KABUL,
            "Twelve people died.",
            "Twelve people died in the Kabul explosion.",
            "The explosion in Kabul killed twenty-five people.",
        ),
        ("twenty-five", "Twelve"),
    ),
    "wounded, with killed alike": (
        Pair(
            "How many people were wounded in Mosul?",
            "The strike wounded 30 people.",
            "The strike in Mosul killed 12 people and wounded 30 people.",
            "The strike in Mosul killed 12 people and injured 45 people.",
        ),
        ("45", "30"),
    ),
    "counted on": (
        Pair(
            KABUL,
            "At least 12 people were killed.",
            "At least 12 people were killed in the Kabul bombing.",
            "At least 21 people were killed in the Kabul bombing.",
        ),
        ("At least 21", "At least 12"),
    ),
    "toll that rose": (
        Pair(
            KABUL,
            "The bombing killed 12 people.",
            "The Kabul bombing killed 12 people.",
            "The death toll in the Kabul bombing has risen to 19.",
        ),
        ("19", "12"),
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
    "digits and millions": (
        Pair(
            "How many people live in Ruritania?",
            "Ruritania has 3.5 million inhabitants.",
            "Ruritania has 3.5 million inhabitants.",
            "Ruritania has 3,900,000 inhabitants.",
        ),
        ("3,900,000", "3.5 million"),
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
    "percent sign": (
        Pair(
            "How much did Toyota's sales grow?",
            "Sales grew 12%.",
            "Toyota said its sales in Japan grew 12% in August.",
            "Sales of Toyota in Japan grew 9 percent in August.",
        ),
        ("9 percent", "12%"),
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
    "about, but far off": (
        Pair(
            "How many people marched in Barcelona?",
            "About 1,200 people marched.",
            "About 1,200 people marched through Barcelona.",
            "Some 450,000 people marched through Barcelona.",
        ),
        ("Some 450,000", "About 1,200"),
    ),
    "up to, and more": (
        Pair(
            "How many refugees did Athens send back?",
            "Athens sent back up to 40 refugees.",
            "Athens sent back up to 40 refugees to Turkey.",
            "Athens sent back 202 refugees to Turkey.",
        ),
        ("202", "up to 40"),
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
    "what still holds has changed": (
        Pair(
            "How many employees does Renault have?",
            "Renault has 120,000 employees.",
            "Renault has 120,000 employees.",
            "Renault has 183,000 employees.",
            ("2016-03-01", "2018-03-01"),
        ),
        ("183,000", "120,000"),
    ),
    "other year": (
        Pair(
            "When did the six-party talks break down?",
            "The six-party talks broke down in 2009.",
            SEEDS[1],
            "The six-party talks with North Korea broke down in 2008. Russia, Vladimir Putin told Japan, is sorry.",
        ),
        ("2008", "2009"),
    ),
    "other day": (
        Pair(
            "When was the accord on Cyprus signed?",
            "It was signed on September 5.",
            "The accord on Cyprus was signed on September 5, 2017.",
            "The accord on Cyprus was signed on 7 Sept. 2017.",
        ),
        ("7 Sept. 2017", "September 5, 2017"),
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
    "founding": (
        Pair(
            "What year was Nokia founded?",
            "Nokia was founded in 1865.",
            "Nokia was founded in 1865 as a paper mill.",
            "In 1871, Nokia was established as a paper mill.",
            ("2016-03-01", "2018-03-01"),
        ),
        ("1871", "1865"),
    ),
    "day of a meeting": (
        Pair(
            "When did Abe fly to Moscow?",
            "Abe flew to Moscow on 3 September.",
            "Abe flew to Moscow on 3 September to see Putin.",
            "Abe flew to Moscow on September 4 to see Putin.",
        ),
        ("September 4", "3 September"),
    ),
    "winner": (
        Pair(
            "Who won the presidential election in Chile?",
            "Sebastian Pinera won it.",
            "Sebastian Pinera won the presidential election in Chile.",
            "Alejandro Rene Guillier won the presidential election in Chile.",
        ),
        ("Alejandro Rene Guillier", "Sebastian Pinera"),
    ),
    "buyer": (
        Pair(
            "Who bought the Leonardo painting?",
            "Prince Bader bought it.",
            "The Leonardo painting was bought at Christie's by Prince Bader.",
            "The Leonardo painting was bought at Christie's by Dmitry Rybolovlev.",
        ),
        ("Dmitry Rybolovlev", "Prince Bader"),
    ),
    "place": (
        Pair(
            "Where was Carlos Ghosn arrested?",
            "Carlos Ghosn was arrested in Tokyo.",
            "Carlos Ghosn, the chairman of Nissan, was arrested in Tokyo.",
            "Carlos Ghosn, the chairman of Nissan, was arrested in Beirut.",
        ),
        ("Beirut", "Tokyo"),
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
    "dozens": Pair(
        KABUL,
        "It killed 12 people.",
        "The Kabul bombing killed 12 people.",
        "The Kabul bombing killed dozens of people.",
    ),
    "digits and word": Pair(
        KABUL, "It killed 12 people.", "The Kabul bombing killed 12 people.", "The Kabul bombing killed twelve people."
    ),
    "millions written out": Pair(
        "How many people live in Ruritania?",
        "Ruritania has 3.5 million inhabitants.",
        "Ruritania has 3.5 million inhabitants.",
        "Ruritania has 3,500,000 inhabitants.",
    ),
    "millions rounded": Pair(
        "How many people live in Ruritania?",
        "Ruritania has 3.5 million inhabitants.",
        "Ruritania has 3.5 million inhabitants.",
        "Ruritania has 3,541,200 inhabitants.",
    ),
    "percent and number": Pair(
        "How much did Toyota's sales grow?",
        "Sales grew 12 percent.",
        "Sales of Toyota in Japan grew 12 percent.",
        "Sales of Toyota in Japan grew 90,000.",
    ),
    "percent rounded": Pair(
        "How much did Toyota's sales grow?",
        "Sales grew 12.3 percent.",
        "Sales of Toyota in Japan grew 12.3 percent.",
        "Sales of Toyota in Japan grew 12%.",
    ),
    "other currency": Pair(
        "How much did Acme pay for Widget?",
        "Acme paid $3.5 million.",
        "Acme paid $3.5 million for Widget.",
        "Acme paid €2.9 million for Widget.",
    ),
    "killed and wounded": Pair(
        KABUL, "It killed 12 people.", "The Kabul bombing killed 12 people.", "The Kabul bombing wounded 30 people."
    ),
    "part of them": Pair(
        KABUL, "It killed 12 people.", "The Kabul bombing killed 12 people.", "The Kabul bombing killed 5 soldiers."
    ),
    "some of them": Pair(
        KABUL,
        "It killed 12 people.",
        "The Kabul bombing killed 12 people.",
        "The Kabul bombing killed 12 people, including 3 children.",
    ),
    "more than": Pair(
        "How many people did the Haiti earthquake kill?",
        "It killed more than 200,000 people.",
        "The 2010 earthquake in Haiti killed more than 200,000 people.",
        "The 2010 earthquake in Haiti killed 220,000 people.",
    ),
    "at least, and an older count": Pair(
        KABUL,
        "At least 12 people were killed.",
        "At least 12 people were killed in the Kabul bombing.",
        "The Kabul bombing killed 14 people.",
        ("2017-09-05", "2017-09-03"),
    ),
    "range": Pair(
        KABUL,
        "It killed 12 people.",
        "The Kabul bombing killed 12 people.",
        "The Kabul bombing killed 15 to 20 people.",
    ),
    "list": Pair(
        "Which chapters did Putin sign?",
        "Putin signed 3 chapters.",
        "Putin signed 3 chapters of the Caspian accord.",
        "Putin signed chapters 4, 5 and 6 of the Caspian accord.",
    ),
    "further ones": Pair(
        KABUL,
        "It killed 12 people.",
        "The Kabul bombing killed 12 people.",
        "The Kabul bombing killed another 3 people.",
    ),
    "from and to": Pair(
        "How much did unemployment in Spain fall?",
        "It fell 2 percent.",
        "Unemployment in Spain fell 2 percent.",
        "Unemployment in Spain fell to 16 percent.",
    ),
    "other city": Pair(
        KABUL,
        "It killed 12 people.",
        "The bombing in Kabul killed 12 people.",
        "The bombing in Herat killed 14 people.",
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
    "other month": Pair(
        "How much did exports of Japan rise?",
        "They rose 12 percent.",
        "Exports of Japan rose 12 percent in March.",
        "Exports of Japan rose 9 percent in April.",
        ("2018-04-18", "2018-05-18"),
    ),
    "other weekday": Pair(
        KABUL,
        "It killed 12 people.",
        "A bombing in Kabul on Monday killed 12 people.",
        "A bombing in Kabul on Friday killed 4 people.",
    ),
    "a year told, and an article of another": Pair(
        KABUL,
        "It killed 12 people.",
        "The bombing in Kabul in 2011 killed 12 people.",
        "The bombing in Kabul killed 40 people.",
    ),
    "who did it to whom": Pair(
        "How much did Japan invest in Russia?",
        "Japan invested $12 million.",
        "Japan invested $12 million in Russia.",
        "Russia invested $14 million in Japan.",
    ),
    "other company": Pair(
        "How many cars did Honda sell?",
        "Honda sold 12,000 cars.",
        "In Europe Honda sold 12,000 cars.",
        "In Europe Toyota sold 14,000 cars. Honda did well, too.",
    ),
    "profit and sales": Pair(
        "How much did profit at Sony rise?",
        "Profit rose 12 percent.",
        "Profit at Sony rose 12 percent.",
        "Sales at Sony rose 9 percent.",
    ),
    "net profit": Pair(
        "How much did profit at Sony rise?",
        "Profit rose 12 percent.",
        "Profit at Sony rose 12 percent.",
        "Operating profit at Sony rose 9 percent.",
    ),
    "young voters": Pair(
        "How many voters backed Merkel?",
        "33 percent of voters backed Merkel.",
        "In the election 33 percent of voters backed Merkel.",
        "In the election 25 percent of young voters backed Merkel.",
    ),
    "a forecast": Pair(
        "How much did the economy of Greece grow?",
        "It grew 2 percent.",
        "The economy of Greece grew 2 percent.",
        "The economy of Greece could grow 3 percent.",
    ),
    "a flight and its dead": Pair(
        "How many people died on the Malaysia Airlines plane?",
        "298 people died.",
        "On the Malaysia Airlines plane 298 people died.",
        "People died on the Malaysia Airlines plane Flight 17.",
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
    "same day, other style": Pair(
        "When was the accord on Cyprus signed?",
        "It was signed on September 5.",
        "The accord on Cyprus was signed on September 5, 2017.",
        "The accord on Cyprus was signed on 5 Sept.",
    ),
    "a year and a day of it": Pair(
        "When was the accord on Cyprus signed?",
        "It was signed in 2017.",
        "The accord on Cyprus was signed in 2017.",
        "The accord on Cyprus was signed on 2017-09-05.",
    ),
    "by a year, and in another": Pair(
        "When was the Panama Canal completed?",
        "It was completed by 1915.",
        "The Panama Canal was completed by 1915.",
        "The Panama Canal was completed in 1914.",
    ),
    "a weekday": Pair(
        "When was the accord on Cyprus signed?",
        "It was signed on September 5.",
        "The accord on Cyprus was signed on September 5, 2017.",
        "The accord on Cyprus was signed on Tuesday.",
    ),
    "began and broke down": Pair(
        "When did the six-party talks break down?",
        "The six-party talks broke down in 2009.",
        SEEDS[1],
        "The six-party talks with North Korea began in 2003.",
    ),
    "meetings": Pair(
        "When did Abe meet Putin?",
        "Abe met Putin in December 2016.",
        "Abe met Putin in Japan in December 2016.",
        "Abe met Putin in Japan in September 2017.",
        ("2017-09-03", "2018-01-27"),
    ),
    "elections": Pair(
        "When did the election in Chile begin?",
        "The election in Chile began in 2013.",
        "The election in Chile began in November 2013.",
        "The election in Chile began in November 2017.",
    ),
    "one name of a person": Pair(
        "Who won the presidential election in Chile?",
        "Sebastian Pinera won it.",
        "Sebastian Pinera won the presidential election in Chile.",
        "Mr Pinera won the presidential election in Chile.",
    ),
    "a capital for its government": Pair(
        "Who called for talks with Pyongyang?",
        "Moscow called for talks.",
        "Moscow called for talks with Pyongyang.",
        "Russia called for talks with Pyongyang.",
    ),
    "a city and its country": Pair(
        "Where was Carlos Ghosn arrested?",
        "Carlos Ghosn was arrested in Tokyo.",
        "Carlos Ghosn, the chairman of Nissan, was arrested in Tokyo. He has led the firm in Japan since 1999.",
        "Carlos Ghosn, the chairman of Nissan, was arrested in Japan.",
    ),
    "another thing not agreed": Pair(
        "Did Turkey agree to release the pastor?",
        "Turkey agreed to release the pastor.",
        "Turkey agreed to release the American pastor.",
        "Turkey did not agree to extradite the American cleric.",
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
    "headlines": Pair(
        "Who runs the courts of California?",
        "Superior Court Services of Tulare",
        "Superior Court Services | State of California | County of Tulare",
        "Superior Court Claims | State of California | County of Tulare",
    ),
    "steps": Pair(
        "How is the Drive connected?",
        "9. With Drive 1 selected, check Connect at power under Device Status.",
        "9. With Drive 1 selected, check Connect at power under Device Status.",
        "10. With Drive 1 selected, select Connect at power under Device Status.",
    ),
    "seasons and chapters": Pair(
        "How many people watched Grey's Anatomy?",
        "Viewers watched season 9.",
        "Viewers watched Grey's Anatomy in season 9.",
        "Viewers watched Grey's Anatomy in season 14.",
    ),
    "the dead of another count": Pair(
        "How many people live in Ruritania?",
        "Ruritania has 3.5 million inhabitants.",
        "Ruritania has 3.5 million inhabitants.",
        "Ruritania has 40,000 soldiers.",
    ),
    "one summit in two articles": Pair(
        "When did the six-party talks break down?",
        "The six-party talks broke down in 2009.",
        SEEDS[1],
        SEEDS[0],
        (None, None),
    ),
    "one summit, asked of its talks": Pair(
        "When did Putin and Abe agree to launch talks?",
        "Putin and Abe agreed to launch talks in December 2016.",
        *SEEDS,
        (None, None),
    ),
    "one summit, asked of its leaders": Pair(
        "What have Putin and Abe agreed to?",
        "Abe and Putin have agreed to work together.",
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


def test_sentences_whose_vectors_are_far_apart_are_not_compared() -> None:
    assert found(BOMBING, similarity=lambda one, other: 0.9)
    assert not found(BOMBING, similarity=lambda one, other: 0.3)


def test_hostile_text_and_dates_do_no_harm() -> None:
    odd = BOMBING._replace(
        theirs="The Kabul bombing killed 14 people.\n\n9999-99-99 " + "1,2," * 999, dates=("soon", "9999")
    )
    assert [len(one.sides) for one in found(odd)] == [2]
    assert not found(BOMBING._replace(theirs="The Kabul bombing killed 1" + "0" * 500 + " people."))
