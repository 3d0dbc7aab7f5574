"""Answers in rows: how they are made, printed, kept and streamed. The kinds themselves have their own tests."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from index import Article, Index, InputError
from rag import Answer, Engine, Reason, Row, Section, Settings, Turn, overview
from rag.answer import Citation, Claim, counts_in_words
from rag.kind import KINDS
from rag.overview import Overview, to_answer
from tests.fakes import BagOfWordsEmbedder, ScriptedLLM
from ui import terminal
from ui.conversations import Conversations
from ui.export import markdown
from ui.html import render
from ui.session import kept

if TYPE_CHECKING:
    from collections.abc import Iterator

FIRST, SECOND = "The six-party talks broke down in 2009.", "Putin wants them to resume."
ARTICLES = (
    Article("talks", f"{FIRST} {SECOND}", title="Talks", source="Sputnik"),
    Article("islands", "Japan calls the four Kuril islands the Northern Territories.", title="Islands", source="CGTN"),
)


def quoted(article: Article, words: str) -> Claim:
    start = article.text.index(words)
    citation = Citation(0, article, start, start + len(words))
    return Claim(words, 0, len(words), (citation,), 1.0, supported=True, verbatim=True)


def rows() -> Overview:
    talks = ARTICLES[0]
    return Overview(
        "Two events, and nothing later.",
        (
            Section("2009", "2009", None, (quoted(talks, FIRST),)),
            Section("Nothing since", None, None),
            Section("", "2017-04", "talks", (quoted(talks, SECOND), quoted(talks, FIRST))),
        ),
        total=7,
    )


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with Index.open(tmp_path / "home", embedder=BagOfWordsEmbedder()) as opened:
        opened.add(ARTICLES)
        yield opened


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the timeline's function was called with; it finds `rows`."""
    seen: dict[str, Any] = {}

    def timeline(question: Any, index: Index, **options: Any) -> Overview:
        seen.update(options, question=question)
        found = rows()
        for section in found.sections:
            options["report"](section)
        return found

    monkeypatch.setattr(overview, "maker", lambda kind: timeline if kind == "timeline" else None)
    return seen


def engine(index: Index, *replies: str) -> Engine:
    return Engine.open(index=index, llm=ScriptedLLM(*replies), settings=Settings())


def test_claims_stand_in_the_text_at_their_offsets_and_quotes_are_numbered_once() -> None:
    answer = to_answer("What happened?", "timeline", rows())
    assert answer.text == (f"Two events, and nothing later.\n\n2009\n{FIRST}\n\nNothing since\n\n{SECOND} {FIRST}")
    assert [answer.text[claim.start : claim.end] for claim in answer.claims] == [FIRST, SECOND, FIRST]
    assert tuple(claim for section in answer.sections for claim in section.claims) == answer.claims
    assert [claim.citations[0].number for claim in answer.claims] == [1, 2, 1]
    assert [one.quote for one in answer.citations] == [FIRST, SECOND]
    assert (answer.kind, answer.total, answer.refused, answer.lead) == (
        "timeline", 7, False, "Two events, and nothing later.",
    )  # fmt: skip


def test_nothing_found_is_a_refusal_and_what_was_stopped_keeps_its_rows() -> None:
    nothing = to_answer("?", "list", Overview("", reason=Reason.NOTHING_RELEVANT), refusal="I found nothing.")
    assert (nothing.refused, nothing.text, nothing.reason) == (True, "I found nothing.", Reason.NOTHING_RELEVANT)
    stopped = to_answer("?", "list", Overview("", rows().sections, reason=Reason.CANCELLED))
    assert (stopped.refused, stopped.reason, len(stopped.claims)) == (False, Reason.CANCELLED, 3)


def test_rows_are_printed_with_markers_and_their_quotes_once() -> None:
    answer = to_answer("What happened?", "timeline", rows())
    assert (
        str(answer)
        == terminal.render_answer(answer)
        == (
            f"Two events, and nothing later.\n\n2009\n{FIRST} [1]\n\nNothing since\n\n{SECOND} [2] {FIRST} [1]\n\n"
            f"[1] Sputnik · {ARTICLES[0].headline}\n\n[2] Sputnik · {ARTICLES[0].headline}"
        )
    )
    assert "kind='timeline', sections=3, total=7" in repr(answer)
    shown = markdown.render_answer(answer)
    assert "**2009**\\\nThe six-party talks broke down in 2009. [1]\n\n**Nothing since**\n\n" in shown
    assert "“" not in shown


def test_an_answer_in_rows_survives_being_kept(home: Path) -> None:
    answer = to_answer("What happened?", "timeline", rows())
    again = Answer.from_dict(json.loads(json.dumps(answer.to_dict())))
    assert again.to_dict() == answer.to_dict()
    assert str(again) == str(answer)
    store = Conversations(home)
    conversation = store.create("me")
    store.append(conversation, owner="me", question="What happened?", answer=kept(answer))
    restored = store.turn(conversation, "me", number=1).restored()
    assert (restored.sections, restored.turn) == (again.sections, answer.turn)
    store.close()


def test_an_answer_kept_before_there_were_kinds_is_a_fact() -> None:
    old = to_answer("?", "fact", Overview("In 2009.")).to_dict()
    for key in ("kind", "sections", "total"):
        del old[key]
    again = Answer.from_dict(old)
    assert (again.kind, again.sections, again.total) == ("fact", (), None)


def test_rows_come_as_they_are_found_without_a_model(index: Index, asked: dict[str, Any]) -> None:
    asking = engine(index)
    *found, answer = asking.stream("What happened?", kind="timeline", limit=3)
    assert [event.section.text for event in found if isinstance(event, Row)] == [one.text for one in rows().sections]
    assert isinstance(answer, Answer)
    assert (answer.kind, answer.question, answer.generation) == ("timeline", "What happened?", index.generation)
    assert (asked["limit"], asked["question"].kind, "model" in asked) == (3, "timeline", False)
    llm = asking.loaded.current()
    assert isinstance(llm, ScriptedLLM)
    assert llm.prompts == []


def test_the_history_of_a_next_question_has_the_lead_and_the_kind(index: Index, asked: dict[str, Any]) -> None:
    answer = engine(index).ask("What happened?", kind="timeline")
    assert answer.turn == Turn("What happened?", "Two events, and nothing later.", "timeline")


def test_chosen_articles_narrow_what_a_question_is_asked_of(index: Index, asked: dict[str, Any]) -> None:
    engine(index).ask("What happened? source:sputnik", kind="timeline", articles=["talks"])
    assert asked["question"].only.to_dict()["articles"] == ["talks"]
    assert asked["question"].only.source == "sputnik"
    answer = engine(index, "Japan calls them the Northern Territories.").ask(
        "What does Japan call the islands?", articles=["islands"]
    )
    assert {source.hit.article.id for source in answer.sources} == {"islands"}
    assert engine(index).ask("What does Japan call the islands?", articles=[]).reason == Reason.FILTERED_OUT


def test_a_kind_that_nothing_answers_is_answered_as_a_fact(index: Index, asked: dict[str, Any]) -> None:
    answer = engine(index, FIRST).ask("When did the six-party talks break down?", kind="comparison")
    assert (answer.kind, answer.text) == ("fact", FIRST)


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_index_is_named_whatever_is_asked(kind: str, tmp_path: Path) -> None:
    with Index.open(tmp_path / "empty", embedder=BagOfWordsEmbedder()) as empty:
        answer = engine(empty).ask("What about the talks?", kind=kind)
    assert "no articles yet" in answer.text


def test_an_unknown_kind_and_a_wrong_limit_are_refused(index: Index) -> None:
    with pytest.raises(InputError, match="no kind of question 'poem'; choose one of fact, list, count, timeline"):
        engine(index).ask("What happened?", kind="poem")
    with pytest.raises(InputError, match="limit=0"):
        engine(index).ask("What happened?", limit=0)


def test_the_page_shows_rows_with_their_dates_their_quotes_and_how_many_more_there_are() -> None:
    html = render.answer(to_answer("What happened?", "timeline", rows()), exchange_number=1)
    assert '<p class="text">Two events, and nothing later.</p>' in html
    assert html.count('<li class="row">') == 3
    assert '<time datetime="2009">' in html
    assert html.count('data-quote="1" aria-label') == 2, "the same quote has the same number in both rows"
    assert 'data-limit="23"' in html, "three rows are shown, and twenty more can be"
    assert "3 rows of 7" in html


def test_numbers_are_drawn_as_bars_with_the_numbers_beside_them() -> None:
    counts = {"month": {"2022-10": 1, "": 2}, "outlet": {f"Outlet {number}": 3 for number in range(30)}}
    spoken = " ".join(["3 articles.", *(counts_in_words(name, numbers) for name, numbers in counts.items())])
    answer = to_answer("How many?", "count", replace(rows(), lead=spoken, counts=counts))
    html = render.answer(answer, exchange_number=1)
    assert '<p class="text">3 articles.</p>' in html, "the chart says the rest"
    assert '<th scope="row"><bdi>October 2022</bdi></th><td>1</td>' in html
    assert '<bdi>no date</bdi></th><td>2</td><td aria-hidden="true"><svg class="bar" width="100%"' in html
    assert "<summary>6 more rows</summary>" in html


@pytest.mark.parametrize("kind", ["timeline", "list", "comparison"])
def test_rows_of_hostile_articles_are_inert(kind: str) -> None:
    bad = "<img src=x onerror=alert(1)> fell. </li></ol><script>alert(1)</script>"
    article = Article("bad", bad, title=bad, source=bad)
    row = Section(bad, '2009" onload="alert(1)', "bad", (quoted(article, bad),))
    html = render.answer(to_answer("What?", kind, Overview(bad, (row,))), exchange_number=1)
    assert "<img" not in html
    assert "<script" not in html
    assert "onload" not in html


def test_rows_stay_when_an_answer_is_stopped() -> None:
    html = render.answer(
        to_answer("What happened?", "timeline", replace(rows(), reason=Reason.CANCELLED)), exchange_number=1
    )
    assert html.count('<li class="row">') == 3
    assert "Stopped" in html


def test_numbers_of_articles_are_written_as_in_the_rest_of_an_answer() -> None:
    assert counts_in_words("outlet", {"Post": 2500, "": 3}) == "By outlet: Post 2,500, outlet unknown 3."
