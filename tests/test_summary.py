"""Summaries: what a question wants summarised, which sentences are chosen, and what is said when there are none."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks.harness.rouge import rouge
from index import Article, Index
from rag import Answer, Engine, Reason, Row, Settings, Turn
from rag.overview.summary import FEWEST_WORDS, SENTENCES, Asked, asked_for
from rag.question import understand
from tests.fakes import BagOfWordsEmbedder, ScriptedLLM

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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


def test_the_real_embedder_covers_the_subject(tmp_path: Path, embedder: SentenceEmbedder) -> None:
    with Index.open(tmp_path / "real", embedder=embedder) as index:
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
