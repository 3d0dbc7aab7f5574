"""Summaries: what a question wants summarised, which sentences are chosen, and what is said when there are none."""

from __future__ import annotations

import threading
import tracemalloc
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmarks.harness.rouge import rouge
from index import Article, Index
from index.article import Span
from rag import Answer, Engine, Reason, Row, Settings, Turn
from rag.overview.summary import (
    EARLY,
    FEWEST_WORDS,
    NEAR_SUBJECT,
    NEW,
    RECENT,
    REPEATS,
    SAME_ARTICLE,
    SAME_OUTLET,
    SENTENCES,
    Asked,
    _Sentence,
    asked_for,
    choose,
)
from rag.question import understand
from tests.fakes import BagOfWordsEmbedder, ScriptedLLM

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from index.embedder import SentenceEmbedder

DAM = tuple(
    Article(name, text, source=source, title=title, published=published)
    for name, source, published, title, text in (
        ("a", "CNN", "2022-03-01", "Dam", "The dam above Harbor broke on Monday and flooded the valley. MORE: dams"),
        ("b", "BBC", "2022-03-02", "Flood", "The flood from the dam above Harbor killed 12 people. Rain goes on."),
        ("c", "CNN", "2022-03-04", "Repair", "Engineers repair the dam above Harbor that broke. It costs a lot."),
        ("d", "AFP", "2022-03-09", "Inquiry", "A court asks who built the dam above Harbor with so little cement."),
        ("e", "AFP", "2021-01-01", "Football", "The football club of Leeds won the cup after a long and cold season."),
    )
)  # fmt: skip


def engine(index: Index) -> Engine:
    return Engine.open(index=index, llm=ScriptedLLM(), settings=Settings())


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with Index.open(tmp_path / "home", embedder=BagOfWordsEmbedder()) as opened:
        opened.add(DAM)
        yield opened


def summary(index: Index, question: str, limit: int | None = None, articles: Sequence[str] | None = None) -> Answer:
    return engine(index).ask(question, kind="summary", limit=limit, articles=articles)


def asked(question: str, *before: str) -> Asked:
    history = [Turn(one, "", "summary") for one in before]
    return asked_for(understand(question, history, kind="summary"), "2022-03-09")


@pytest.mark.parametrize(
    ("question", "subject", "limit", "since"),
    [
        ("Summarise the coverage of the dam", "the dam", None, None),
        ("Give me a short summary of the dam in two sentences.", "the dam", 2, None),
        ("Please summarize everything about Jeremy Hunt, in brief", "Jeremy Hunt", 3, None),
        ("Overview of the crisis in Egypt in detail", "the crisis in Egypt", 10, None),
        ("What do the articles say about the dam on the whole?", "the dam", None, None),
        ("Summarise this article", "", None, None),
        ("What's new since Monday?", "", None, "2022-03-07"),
        ("What is new on the dam since 2 March?", "the dam", None, "2022-03-02"),
        ("What was published this month?", "", None, "2022-03-01"),
        ("Recap of the flood in the last two weeks", "the flood", None, "2022-02-23"),
        ("Summarise the news since November", "", None, "2021-11-01"),
        ("Short summary of the dam", "the dam", 3, None),
        ("A detailed overview of the dam, please", "the dam", 10, None),
        ("Summarise the flood in one paragraph", "the flood", 5, None),
        ("tl;dr of the dam", "the dam", 3, None),
        ("What is the article about the dam about?", "the dam", None, None),
        ("What is this article about?", "", None, None),
    ],
)
def test_a_question_says_what_to_summarise(question: str, subject: str, limit: int | None, since: str | None) -> None:
    found = asked(question)
    assert (found.subject, found.limit, found.since and str(found.since)) == (subject, limit, since)


def test_words_without_content_are_no_subject(index: Index) -> None:
    assert summary(index, "summary of the").text.startswith("What the articles report, in 5 sentences of 5 ")


def test_a_follow_up_keeps_the_subject() -> None:
    found = asked("Shorter, in two sentences", "Summarise the coverage of the dam")
    assert (found.subject.lower(), found.limit) in (("the dam", 2), ("shorter", 2))


def test_a_summary_consists_of_quotes_of_several_articles_in_order_of_date(index: Index) -> None:
    *rows, answer = engine(index).stream("Summarise the coverage of the dam above Harbor", kind="summary")
    assert isinstance(answer, Answer)
    assert [row.section for row in rows if isinstance(row, Row)]
    assert [section.article_id for section in answer.sections] == ["a", "b", "c", "d"]
    assert [section.heading for section in answer.sections][:2] == ["CNN · 1 March 2022", "BBC · 2 March 2022"]
    for claim in answer.claims:
        (quote,) = claim.citations
        assert claim.verbatim
        assert index.article(quote.article_id).text[quote.start : quote.end] == quote.quote == claim.text
        assert len(claim.text.split()) >= FEWEST_WORDS
    assert "READ MORE" not in answer.text
    assert answer.lead == "The dam above Harbor, in 4 sentences of 4 articles from 3 outlets."


@pytest.mark.parametrize(("limit", "count"), [(1, 1), (3, 3), (None, 4), (10, 4)])
def test_its_length_is_what_is_asked_for(index: Index, limit: int | None, count: int) -> None:
    assert len(summary(index, "Summarise the dam above Harbor", limit).claims) == min(count, limit or SENTENCES)


def test_nothing_is_said_twice(index: Index) -> None:
    text = "The dam above Harbor broke on Monday and flooded the valley, a report says."
    index.add([Article("again", text, source="AP", published="2022-03-03")])
    texts = [claim.text for claim in summary(index, "Summarise the dam above Harbor", 10).claims]
    assert sum("flooded the valley" in text for text in texts) == 1


def test_an_article_and_chosen_articles_are_summarised_alone(index: Index) -> None:
    one = summary(index, "Summarise this article", articles=["e"])
    assert [claim.citations[0].article_id for claim in one.claims] == ["e"]
    assert one.lead == "One sentence of “Football”."
    assert {section.article_id for section in summary(index, "Summarise", articles=["a", "e"]).sections} == {"a", "e"}


def test_what_is_new_since_a_day(index: Index) -> None:
    answer = summary(index, "What is new since 4 March?")
    assert [section.article_id for section in answer.sections] == ["c", "d"]
    assert answer.lead.startswith("What the articles report since 4 March 2022")


@pytest.mark.parametrize(
    ("question", "reason", "text"),
    [
        ("Summarise the coverage of volcanoes", Reason.NOTHING_RELEVANT, ""),
        ("What was published since 2023?", Reason.FILTERED_OUT, "No article is dated 1 January 2023 or later."),
        ("Summarise the dam source:bugle", Reason.FILTERED_OUT, ""),
    ],
)
def test_nothing_to_summarise_is_a_refusal(index: Index, question: str, reason: Reason, text: str) -> None:
    answer = summary(index, question)
    assert (answer.refused, answer.reason) == (True, reason)
    assert text in answer.text


def test_the_real_embedder_covers_the_subject(tmp_path: Path, real_embedder: SentenceEmbedder) -> None:
    with Index.open(tmp_path / "real", embedder=real_embedder) as index:
        index.add(DAM)
        answer = summary(index, "Summarise the coverage of the collapse of the dam")
        assert {"a", "b"} <= {claim.citations[0].article_id for claim in answer.claims}
        assert "Leeds" not in answer.text


def test_rouge_counts_words_pairs_and_order() -> None:
    assert rouge("The dam broke.", ["The dam broke."]) == {"ROUGE-1": 1.0, "ROUGE-2": 1.0, "ROUGE-L": 1.0}
    found = rouge("broke the dam", ["nothing", "the dams broke down"])
    assert found == pytest.approx({"ROUGE-1": 6 / 7, "ROUGE-2": 2 / 5, "ROUGE-L": 4 / 7})


def test_a_summary_is_of_one_outlet_or_of_a_period_that_has_an_end(index: Index) -> None:
    answer = summary(index, "Summarise the CNN articles about the dam")
    assert {section.article_id for section in answer.sections} <= {"a", "c"}
    assert "(from CNN)" in answer.lead
    answer = summary(index, "Summarise everything published on 2 March 2022")
    assert [section.article_id for section in answer.sections] == ["b"]
    assert (
        summary(index, "Summarise everything published in May 2020").text
        == "There is no article published in May 2020."
    )


def test_sentences_that_go_on_from_another_or_break_off_a_quotation_are_no_summary(index: Index) -> None:
    text = (
        "But he thinks the lighthouse of Wells is unsafe after the storm. The lighthouse of Wells was closed after the "
        'storm of Sunday. "The lighthouse of Wells will stay closed until spring comes.'
    )
    index.add([Article("bare", text)])
    answer = summary(index, "Summarise the news on the lighthouse of Wells in one sentence")
    assert [claim.text for claim in answer.claims] == ["The lighthouse of Wells was closed after the storm of Sunday."]


def test_sentences_are_chosen_as_by_comparing_all_and_in_memory_that_grows_with_their_number() -> None:
    vectors = np.random.default_rng(7).normal(size=(6000, 32)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    dated = [
        Article(f"a{day}", "A dam.", source=None if day % 3 else "CNN", published=f"2022-03-0{day + 1}")
        for day in range(9)
    ]
    sentences = [_Sentence(dated[n * n % 9], Span(0, 6), n % 40, vector) for n, vector in enumerate(vectors)]
    assert choose(sentences[:300], vectors[0], 12, threading.Event()) == compared(sentences[:300], vectors[0], 12)
    tracemalloc.start()
    try:
        choose(sentences, None, 5, threading.Event())
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 16 << 20  # the cosines of all pairs take 144 MB


def compared(sentences: Sequence[_Sentence], query: NDArray[np.float32], most: int) -> list[_Sentence]:
    """What is chosen, by the formula over all pairs."""
    matrix = np.stack([one.vector for one in sentences])
    alike = matrix @ matrix.T
    days = np.array([date.fromisoformat(one.article.published or "").toordinal() for one in sentences], dtype=float)

    def standard(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray((values - values.mean()) / values.std())

    score = (1 - NEAR_SUBJECT) * standard(alike.mean(axis=1)) + NEAR_SUBJECT * standard(matrix @ query)
    score = score + RECENT * (days - days.min()) / np.ptp(days)
    score = score + EARLY * np.array([1 / (1 + one.place) for one in sentences])
    score = (score - score.min()) / np.ptp(score)
    chosen: list[int] = []
    while len(chosen) < most:
        values = [
            NEW * score[place]
            - (1 - NEW) * max((alike[place, other] for other in chosen), default=0.0)
            - sum(
                SAME_ARTICLE * (sentences[other].article.id == one.article.id)
                + SAME_OUTLET * (sentences[other].article.source == one.article.source)
                for other in chosen
            )
            for place, one in enumerate(sentences)
            if not any(alike[place, other] >= REPEATS for other in chosen)
        ]
        places = [
            place for place in range(len(sentences)) if not any(alike[place, other] >= REPEATS for other in chosen)
        ]
        chosen.append(places[int(np.argmax(values))])
    return [sentences[place] for place in chosen]


def test_a_day_without_a_year_is_that_day_of_the_year_before() -> None:
    for day, since in (("31 December", "2021-12-31"), ("March 30", "2021-03-30"), ("1 February", "2022-02-01")):
        assert str(asked(f"What is new since {day}?").since) == since
