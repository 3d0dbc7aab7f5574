"""rag/checked.py, rag/grounding/contradiction.py and `citewire check`: a draft against the articles."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest

from index import Article, Index
from index.errors import InputError
from rag import Engine
from rag.checked import LONGEST_DRAFT, CheckVerdict
from tests.fakes import BagOfWordsEmbedder
from ui import cli, terminal
from ui.export import subject
from ui.export.formats import FORMATS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rag.checked import Check, Checked

ARTICLES = [
    Article(
        "bridge",
        "The old bridge over the Elbe was closed on 4 March 2021 after engineers found cracks in two pillars. "
        "Mayor Anna Becker said the repair would cost 12 million euros. "
        "“We will not reopen the bridge before every pillar has been tested twice,” she told reporters. "
        "The company Nordbau did not receive the contract.",
        title="Elbe bridge closed",
        source="Harbour Post",
        published="2021-03-05",
    ),
    Article(
        "ferry",
        "In March the bank raised its rate by 0.25 points. The bank raised its rate by 0.25 points in May. "
        "A ferry carries commuters across the river every ten minutes. Passengers praised the captain, Ole Zelensky. "
        "The number of passengers has increased since April.",
        title="Ferry instead",
        source="River News",
        published="2021-05-02",
    ),
]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with Index.open(tmp_path_factory.mktemp("home"), embedder=BagOfWordsEmbedder()) as index:
        index.add(ARTICLES)
        yield Engine(index)


def checked(engine: Engine, text: str) -> Checked:
    (one,) = engine.check(text).sentences
    return one


@pytest.mark.parametrize(
    "text",
    [
        "Engineers found cracks in two pillars.",
        "Engineers found cracks in 2 pillars of the old bridge over the Elbe.",
        "On 4 March 2021 the old bridge over the Elbe was closed.",
        "The repair would cost 12 million euros, Mayor Anna Becker said.",
        "Nordbau didn't receive the contract.",
        "The bank raised its rate by 0.25 points in March.",
        "In May the bank raised its rate by 0.25 points.",
        "Becker said: “We will not reopen the bridge before every pillar has been tested twice.”",
    ],
)
def test_what_the_articles_say_is_supported_by_their_exact_words(engine: Engine, text: str) -> None:
    one = checked(engine, text)
    assert one.verdict == CheckVerdict.SUPPORTED, one.note
    assert one.citations
    assert all(each.article.text[each.start : each.end] == each.quote for each in one.citations)


@pytest.mark.parametrize(
    ("text", "stated"),
    [
        ("The old bridge over the Elbe was closed on 4 March 2020.", "2021"),
        ("The old bridge over the Elbe was closed on 4 April 2021.", "March"),
        ("Mayor Anna Becker said the repair would cost 15 million euros.", "12"),
        ("Mayor Karl Weber said the repair would cost 12 million euros.", "Anna Becker"),
        ("The company Nordbau received the contract.", ""),
        ("The number of passengers has decreased since April.", "increased"),
        ("A ferry carries commuters across the river every twelve minutes.", "ten"),
        ("Engineers found cracks in two pillars, and the old bridge over the Elbe was closed on 4 March 2012.", "2021"),
    ],
)
def test_what_they_say_otherwise_is_contradicted_with_their_words(engine: Engine, text: str, stated: str) -> None:
    one = checked(engine, text)
    assert one.verdict == CheckVerdict.CONTRADICTED, (one.verdict, one.note)
    assert stated in one.note
    assert any(stated in each.quote for each in one.citations)
    assert one.support < 0.5


@pytest.mark.parametrize(
    ("text", "quote"),
    [
        ("The storm damaged 14 boats at Port Zorb.", "The storm damaged 14 boats, the harbor master said on Tuesday."),
        ("The storm damaged 14 boats at Port Zorb.", "The storm damaged 14 boats, a member of the Senate said."),
        ("The talks opened in Geneva.", "The talks opened in March."),
        ("The minister said in Berlin that taxes will fall.", "On Monday, Merkel said that taxes will fall."),
        ("The storm damaged 14 boats in Berlin.", "The storm damaged 14 boats, Angela Merkel said."),
        ("The storm damaged 14 boats in Berlin.", "According to Merkel, the storm damaged 14 boats."),
        ("Mayor Becker said the storm damaged 14 boats.", "The storm damaged 14 boats in Hamburg."),
        ("Mayor Becker said the company lost 14 boats.", "On Monday the company Nordbau lost 14 boats."),
        ("La tempête a endommagé 14 bateaux à Berlin.", "La tempête a endommagé 14 bateaux, a dit Angela Merkel."),
    ],
)
def test_a_day_or_whoever_says_it_is_not_where_or_who_does_it(text: str, quote: str, home: Path) -> None:
    with Index.open(home, embedder=BagOfWordsEmbedder()) as index:
        index.add([Article("a", quote)])
        one = checked(Engine(index), text)
        assert one.verdict not in (CheckVerdict.CONTRADICTED, CheckVerdict.SUPPORTED), one.note


@pytest.mark.parametrize(
    ("text", "quote"),
    [
        ("The storm damaged 14 boats in Berlin.", "The storm damaged 14 boats in Hamburg."),
        ("Yesterday Becker said the storm damaged 14 boats.", "The storm damaged 14 boats, Weber said."),
        ("Yesterday Becker opened the new bridge.", "On Monday Weber opened the new bridge."),
    ],
)
def test_another_name_in_the_same_place_contradicts(text: str, quote: str, home: Path) -> None:
    with Index.open(home, embedder=BagOfWordsEmbedder()) as index:
        index.add([Article("a", quote)])
        assert checked(Engine(index), text).verdict == CheckVerdict.CONTRADICTED


SPELT = [
    Article(
        "talks",
        "President Volodymyr Zelensky met Chancellor Angela Merkel in Kyiv on Monday. Later Emmanuel Macron arrived "
        "from Paris with Recep Erdoğan. The delegation of Hansen left early. Troops from Iraq stayed away.",
    ),
    Article("court", "The judge Lars Jansen heard four witnesses. The judge Nils Hansen heard nobody."),
]


@pytest.mark.parametrize(
    ("text", "stated", "verdict"),
    [
        ("President Volodymyr Zelenski met Chancellor Angela Merkel in Kyiv.", "Zelensky", CheckVerdict.PARTLY),
        ("Zelenskyy met Merkel in Kyiv on Monday.", "Zelensky", CheckVerdict.PARTLY),
        ("Zelensky met Merkl in Kyiv on Monday.", "Merkel", CheckVerdict.PARTLY),
        ("Zelensky met Chancellor Angela Mekrel in Kyiv.", "Merkel", CheckVerdict.PARTLY),
        ("Zelensky met Merkel in Kiev on Monday.", "Kyiv", CheckVerdict.PARTLY),
        ("Emmanuel Macrón arrived later from Paris.", "Macron", CheckVerdict.SUPPORTED),
        ("Emmanuel Macron arrived from Paris with Recep Erdogan.", "Erdoğan", CheckVerdict.SUPPORTED),
        ("Zelensky met Merkl in Kyiv on Tuesday.", "Merkel", CheckVerdict.CONTRADICTED),
        ("Later Emmanuel Maicron arrived from Paris.", "Macron", CheckVerdict.PARTLY),
    ],
)
def test_a_name_is_compared_with_its_spelling_in_the_articles(
    text: str, stated: str, verdict: CheckVerdict, home: Path
) -> None:
    with Index.open(home, embedder=BagOfWordsEmbedder()) as index:
        index.add(SPELT)
        check = Engine(index).check(text)
    (one,) = check.sentences
    assert one.verdict == verdict, one.note
    assert f"The articles spell “{stated}”" in one.note
    for name in ("markdown", "html"):
        assert f"spell “{stated}”" in report(check, "Story", name)
    assert f"spell “{stated}”" in terminal.render_check(check)
    assert f"spell “{stated}”" in json.dumps(check.to_dict(), ensure_ascii=False)


@pytest.mark.parametrize(
    "text",
    [
        "The judge Lars Jansen heard four witnesses.",
        "The judge Nils Jansen heard nobody.",  # both names stand in the articles
        "The delegation of Jensen opened a bakery.",  # of something else
        "Iraqi troops stayed away.",
        "Merkel's talks with Zelensky took place in Kyiv.",
        "Troops from Iran stayed away.",
    ],
)
def test_another_name_or_form_of_a_name_is_not_misspelt(text: str, home: Path) -> None:
    with Index.open(home, embedder=BagOfWordsEmbedder()) as index:
        index.add(SPELT)
        assert "spell" not in checked(Engine(index), text).note


@pytest.mark.parametrize(
    "text",
    [
        "The museum of modern art opened a new wing in Lisbon.",
        "Scientists discovered 40 new species of frogs in Peru in 2019.",
        "The striker scored three goals against Brazil.",
    ],
)
def test_what_is_nowhere_is_not_found_and_the_nearest_words_are_shown(engine: Engine, text: str) -> None:
    one = checked(engine, text)
    assert one.verdict == CheckVerdict.NOT_FOUND
    assert not one.citations
    assert one.nearest


@pytest.mark.parametrize(
    "text",
    [
        "The lighthouse opened on 4 March 2021.",
        "El faro fue reparado el 4 de marzo de 2021.",
        "Becker sang on 4 March 2021.",
    ],
)
def test_a_name_and_a_date_alone_support_nothing(engine: Engine, text: str) -> None:
    assert checked(engine, text).verdict != CheckVerdict.SUPPORTED


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("When was the bridge closed?", "question"),
        ("# A river and its bridge", "heading"),
        ("I think the mayor is right about the bridge.", "opinion"),
        ("Indeed.", "too little"),
    ],
)
def test_questions_headings_and_opinions_have_nothing_to_check(engine: Engine, text: str, why: str) -> None:
    one = checked(engine, text)
    assert one.verdict == CheckVerdict.NOTHING
    assert why in one.note


def test_a_sentence_of_two_claims_of_which_one_is_found_is_partly_supported(engine: Engine) -> None:
    one = checked(engine, "Engineers found cracks in two pillars, and scientists were praised in Lisbon for a vaccine.")
    assert one.verdict == CheckVerdict.PARTLY
    assert "Lisbon" in one.note
    assert one.citations


@pytest.mark.parametrize(
    ("quotation", "change"),
    [
        ("We will not reopen the bridge before every pillar has been tested once", "“once” for “twice”"),
        ("We will reopen the bridge before every pillar has been tested twice", "“not” left out"),
        ("We will not ever reopen the bridge before every pillar has been tested twice", "“ever” added"),
    ],
)
def test_a_quotation_is_compared_word_by_word(engine: Engine, quotation: str, change: str) -> None:
    one = checked(engine, f'Becker said: "{quotation}".')
    assert one.verdict == CheckVerdict.CONTRADICTED
    assert change in one.note


def test_offsets_are_those_of_the_text_and_sentences_come_as_they_are_checked(engine: Engine) -> None:
    text = "# Bridge\n\n- Engineers found cracks in two pillars.\n- A ferry carries commuters across the river."
    seen: list[Checked] = []
    check = engine.check(text, report=seen.append)
    assert [text[one.start : one.end] for one in check.sentences] == [one.text for one in check.sentences]
    assert [one.text[0] for one in check.sentences] == ["B", "E", "A"]
    assert tuple(seen) == check.sentences
    assert [one.number for one in check.citations] == list(range(1, len(check.citations) + 1))


def test_chosen_articles_are_the_only_ones(engine: Engine) -> None:
    text = "Engineers found cracks in two pillars."
    assert engine.check(text, articles=["bridge"]).sentences[0].verdict == CheckVerdict.SUPPORTED
    assert engine.check(text, articles=["ferry"]).sentences[0].verdict == CheckVerdict.NOT_FOUND
    assert engine.check(text, articles=["nowhere"]).sentences[0].verdict == CheckVerdict.NOT_FOUND


def test_a_check_can_be_stopped_and_keeps_what_it_has(engine: Engine) -> None:
    cancel = threading.Event()
    text = "Engineers found cracks in two pillars. A ferry carries commuters across the river."
    check = engine.check(text, cancel=cancel, report=lambda _: cancel.set())
    assert check.cancelled
    assert len(check.sentences) == 1


@pytest.mark.parametrize("text", ["", " \n\t ", "x" * (LONGEST_DRAFT + 1)])
def test_an_empty_or_endless_draft_is_refused(engine: Engine, text: str) -> None:
    with pytest.raises(InputError, match=r"empty|characters"):
        engine.check(text)


def test_without_articles_there_is_nothing_to_check_against(tmp_path: Path) -> None:
    with Index.open(tmp_path, embedder=BagOfWordsEmbedder()) as index, pytest.raises(InputError, match="no articles"):
        Engine(index).check("Engineers found cracks.")


HOSTILE = "The bridge <script>alert(1)</script> was *closed* \x1b[31mon\u202e 4 March 2021 [x](javascript:1). in:May."


def report(check: Check, title: str, name: str) -> str:
    return FORMATS[name].content(subject.of_check(check, title, day="2026-11-27")).decode()


def test_markup_controls_and_operators_in_a_draft_are_only_words(engine: Engine) -> None:
    check = engine.check(HOSTILE)
    assert "<script>" not in report(check, "<b>", "html")
    assert "\x1b" not in terminal.render_check(check)
    assert "<script>" not in report(check, "a *b*", "markdown")
    assert any(one.verdict != CheckVerdict.NOTHING for one in check.sentences)


@pytest.fixture(scope="module")
def check(engine: Engine) -> Check:
    return engine.check("Engineers found cracks in two pillars.\n\nThe bridge was closed on 4 March 2020. Why?")


def test_every_form_of_the_report_has_verdicts_notes_and_quotes(check: Check) -> None:
    shown = (terminal.render_check(check), report(check, "Story", "markdown"), report(check, "Story", "html"))
    for text in shown:
        assert "contradicted" in text.lower()
        assert "2021" in text
        assert "cracks in two pillars" in text
        assert "Harbour Post" in text
    assert json.loads(json.dumps(check.to_dict()))["counts"]["contradicted"] == 1
    assert check.support < 0.5
    assert len(repr(check)) < 200
    assert "contradicted" in str(check)


def test_the_command_prints_a_report_and_its_status_says_whether_all_is_fine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = Index.open
    monkeypatch.setattr(Index, "open", lambda home=None, **_: opened(home, embedder=BagOfWordsEmbedder()))
    home = tmp_path / "home"
    with Index.open(home) as index:
        index.add(ARTICLES)
    fine, wrong = tmp_path / "fine.md", tmp_path / "wrong.txt"
    fine.write_text("# Bridge\n\nEngineers found cracks in two pillars.", encoding="utf-8")
    wrong.write_text("Engineers found cracks in three pillars.", encoding="utf-8")
    start = ["--home", str(home), "check"]
    assert cli.main([*start, str(fine)]) == cli.OK
    assert "SUPPORTED [1]" in capsys.readouterr().out
    assert cli.main([*start, str(wrong)]) == cli.NOT_SUPPORTED
    assert "CONTRADICTED" in capsys.readouterr().out
    assert cli.main([*start, str(wrong), "--json"]) == cli.NOT_SUPPORTED
    assert json.loads(capsys.readouterr().out)["sentences"][0]["verdict"] == "contradicted"
    assert cli.main([*start, str(wrong), "--html"]) == cli.NOT_SUPPORTED
    assert capsys.readouterr().out.startswith("<!doctype html>")
    assert cli.main([*start, str(tmp_path / "none.txt")]) == cli.ERROR
    assert "no such file" in capsys.readouterr().err
    assert cli.main([*start, str(fine), "--only", "source:nowhere"]) == cli.NOT_SUPPORTED
    assert "NOT FOUND" in capsys.readouterr().out
    assert cli.main([*start, str(fine), "--only", "cracks"]) == cli.ERROR
    assert "no operator" in capsys.readouterr().err
