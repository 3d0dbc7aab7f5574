"""Page furniture goes, article stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from index.read.clean import headline, is_marker, strip_furniture, tidy

SEEDS = Path(__file__).parent.parent / "seeds"
BODY = "The two leaders met in Moscow on Monday. They agreed to talk again.\n\nNobody expects much of it."


@pytest.mark.parametrize(
    "line",
    [
        "02:12 GMT31 March 2020",
        "02:12 GMT 31 March 2020",
        "31 March 2020, 14:05 UTC",
        "10:15 AM ET, Tue March 31, 2020",
        "Last updated: 09:30 CET 2020-03-31",
        "Listen Live",
        "Get short URL",
        "Skip to main content",
        "Copy link",
        "Share on Facebook",
        "Share this article via Twitter, WhatsApp and Email",
        "Share this story",
        "Tweet this",
        "Follow us on Instagram",
        "Sign in or Register",
        "Log in to your account",
        "Already a subscriber? Log in",
        "Sign up for our daily newsletter",
        "Subscribe now",
        "Community standardsDiscussion",
        "Community standards",
        "Comment via SputnikComment via Facebook",
        "Leave a comment",
        "View all 12 comments",
        "941 comments",
        "Join the discussion",
        "Tags: Japan, Russia",
        "Advertisement",
        "All rights reserved.",
        "© 2020 Example News",
        "Copyright 2020 Example. All rights reserved.",
        "Privacy Policy | Terms of Use | Contact us",
        "Accept all cookies",
        "We use cookies to improve your experience. By browsing you accept our policy.",
    ],
)
def test_a_line_of_furniture_is_a_marker(line: str) -> None:
    assert is_marker(line)
    assert strip_furniture(f"{line}\n\n{BODY}") == BODY
    assert strip_furniture(f"{BODY}\n\n{line}") == BODY


@pytest.mark.parametrize(
    "line",
    [
        "10:00",
        "31 March 2020",
        "10:00 Opening",
        "Share prices fell",
        "Share",
        "Tweet",
        "Comment",
        "The discussion",
        "Listen",
        "Live",
        "Subscribers grew by 12 percent",
        "Privacy policy makers met in Bonn",
        "Comment via letter only works if",
        "We use cookies every day in our bakery.",
        "Community standards fell during the war",
        "Advertisements were banned in 1970",
        "Sign in the window",
        "Reuters",
        "By Jane Roe",
        "",
        "Leave a comment out and the code is unreadable",
        "Related",
        "Tags",
        "All rights reserved to the crown were sold",
    ],
)
def test_a_line_that_may_be_article_is_no_marker(line: str) -> None:
    assert not is_marker(line)


POEM = (
    "I wandered lonely as a cloud\nThat floats on high o'er vales and hills,\nWhen all at once I saw a crowd,\nA host"
)


@pytest.mark.parametrize(
    "text",
    [
        BODY,
        "A headline at the top\n\n" + BODY,
        "Putin and Abe Meet in Moscow\n31 March 2020\n" + BODY,
        POEM,
        BODY + "\n\n" + POEM,
        "2 eggs\n100 g sugar\n1 l milk",
        BODY + "\n\nIngredients\n2 eggs\n100 g sugar",
        "- apples\n- pears\n- plums",
        "Call Ann",
        "10:00\nOpening\n10:15\nFirst talk",
        "Buy milk\nShare the car with Bob\nPrint the tickets",
        BODY + "\n\nHe will be missed",
        BODY + "\n\nReuters",
        BODY + "\n\nJapan, Russia, Korea, China, Mongolia",
        BODY + "\n\nTrump Reduces His Room for Maneuver With North Korea",
        "To do\n\nTopics\nbudget\nhiring",
        "日本とロシアは北東アジアの重要な国です。\n両国は対話を続けている",
    ],
)
def test_what_may_be_article_stays(text: str) -> None:
    assert strip_furniture(text) == text


@pytest.mark.parametrize(
    "tail",
    [
        "Share on Facebook",
        "Russia Calls on US to Review THAAD Deployment\nShare on Facebook",
        "Related articles\n\nrussia calls for a review\n\nanother story in sentence case",
        "More on this story\nAnything may stand here\nEven this",
        "Read more:\nKorea talks resume\nTags: Korea\nLeave a comment\nShare\nTweet",
        "differences, cooperation, negotiations, Shinzo Abe\nComment via Facebook",
        "Comment via Facebook\n\nPrivacy Policy | Terms of Use\n\n© 2020 Example",
    ],
)
def test_a_tail_of_furniture_goes(tail: str) -> None:
    assert strip_furniture(f"{BODY}\n\n{tail}") == BODY


@pytest.mark.parametrize("kept", ["He will be missed", "2 eggs\n100 g sugar", POEM, "- Apples From The Big Market"])
def test_a_marker_takes_no_article_with_it(kept: str) -> None:
    assert strip_furniture(f"{BODY}\n\n{kept}\nShare on Facebook") == f"{BODY}\n\n{kept}"


def test_buttons_go_only_in_company() -> None:
    assert strip_furniture(f"Menu\nSearch\nListen Live\n\n{BODY}") == BODY
    assert strip_furniture(f"Menu\n\n{BODY}") == f"Menu\n\n{BODY}"


def test_a_headline_among_furniture_stays() -> None:
    text = f"Listen Live\nPutin and Abe meet\n02:12 GMT 31 March 2020\n\n{BODY}"
    assert tidy(strip_furniture(text)).startswith("Putin and Abe meet\n")
    assert "GMT" not in strip_furniture(text)


def test_only_furniture_leaves_nothing() -> None:
    assert strip_furniture("02:12 GMT31 March 2020\nListen Live\nGet short URL\nShare on Facebook") == ""


def test_tidy_keeps_words_and_drops_noise() -> None:
    noisy = "\ufeff  One\u00a0 two\x00\x07 \r\n\r\n\r\n\r\n\tthree\u00ad \r  “four”\u2028five  \n\n"
    assert tidy(noisy) == "One  two\n\nthree\n“four”\nfive"
    assert tidy("a\n    b  \n", indented=True) == "a\n    b"
    assert tidy("e\u0301 é") == "e\u0301 é"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Putin and Abe meet in Moscow\n\n" + BODY, "Putin and Abe meet in Moscow"),
        (
            "Talks resume\n" + "The leaders of both countries met in Moscow on Monday, and agreed to talk again soon.",
            "Talks resume",
        ),
        (BODY, None),
        ("Why did the talks fail?\n\n" + BODY, "Why did the talks fail?"),
        ("Normans\n\n" + BODY, "Normans"),
        ("Talks resume\n\nBy Ann Author\n\n31 March 2020\n\n" + BODY, "Talks resume"),
        ("31 March 2020\n\nTalks resume\n\n" + BODY, "Talks resume"),
        ("Talks resume\n=====\n\n" + BODY, "Talks resume"),
        ("Talks resume\n\nThe leaders of both countries met in Moscow\nfor an hour. They\nspoke.", "Talks resume"),
        ("俄日领导人会谈\n\n两国领导人星期一在莫斯科会晤，谈了一个小时的贸易问题。", "俄日领导人会谈"),
        ("Call Ann\n\nBuy milk", None),
        (POEM, None),
        ("By Jane Roe\n\n" + BODY, None),
        ("31 March 2020\n\n" + BODY, None),
        ("Dear Ann\n\n" + BODY, None),
        ("- a list item here\n\n" + BODY, None),
        ("The president of the country met\nVladimir Putin on Monday. They spoke.", None),
        ("They met in Moscow.\n\n" + BODY, None),
        ("", None),
    ],
)
def test_a_headline_is_taken_only_when_it_is_clear(text: str, expected: str | None) -> None:
    assert headline(text) == expected


def test_seeds_keep_every_sentence_and_lose_every_piece_of_furniture() -> None:
    raw = (SEEDS / "004_458792bda5bb12f3.txt").read_text(encoding="utf-8")
    lines = [line.strip().replace("\u00a0", " ") for line in raw.split("\n") if line.strip()]
    assert strip_furniture(tidy(raw)).split("\n\n") == lines[3:11]
    raw = (SEEDS / "000_20ab625326f02e24.txt").read_text(encoding="utf-8")
    assert strip_furniture(tidy(raw)) == raw


@pytest.mark.parametrize(
    "unit", ["share ", "Comment via x", "tags:", "a\n", " ", "\n", "Share on Facebook\n", "02:12 GMT "]
)
def test_five_megabytes_of_anything_run(unit: str) -> None:
    text = unit * (5_000_000 // len(unit))
    assert len(strip_furniture(tidy(text))) <= len(text)


@pytest.mark.timeout(60)
def test_a_long_list_of_headlines_is_looked_through_once() -> None:
    story = "The council voted on Monday to close the bridge.\n\n"
    headlines = "Mayor Opens Bridge Over Troubled Water\n" * 200_000
    kept = strip_furniture(f"{story}{headlines}Listen live")
    assert kept.startswith(story)
    assert "Listen" not in kept
    assert strip_furniture(f"{story}{headlines[: 39 * 50]}Listen live") == story.strip()


def test_hostile_lines_cost_little() -> None:
    for unit in (
        "share",
        "comment via x",
        "tags:",
        "1 comments ",
        "follow us on facebook, ",
        "© 2020",
        "[.!? ",
    ):
        assert is_marker((unit * 60)[:119] + "~") in (True, False)
