"""Briefings: saved questions are answered over what is new, once, whatever happens meanwhile."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import feedparser
import pytest
from filelock import FileLock

from index import Article, Index, InputError, StoreError
from rag import Engine, Settings
from tests.fakes import BagOfWordsEmbedder, ScriptedLLM
from ui import backup, briefings, cli
from ui.briefings import LOCK, NOTHING_NEW, Briefings
from ui.conversations import BRIEFINGS, FILE, Conversations
from ui.export import atom

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAM = Article("dam", "The dam was closed on Monday. Engineers found cracks in it.", "Dam closed", "Post")
SECOND = Article("second", "The dam was opened again by the mayor & her <staff>.", "Dam open", "Herald")
PARK = Article("park", "Kites may be flown in the park.", "Park", "Post")
SEARCH = "new articles about the dam"
QUESTION = "When was the dam closed?"


@pytest.fixture
def engine(home: Path) -> Iterator[Engine]:
    with Index.open(home, embedder=BagOfWordsEmbedder()) as index:
        index.add([DAM])
        llm = ScriptedLLM(*["The dam was closed on Monday."] * 6)
        with Engine.open(index=index, llm=llm, settings=Settings()) as opened:
            yield opened


@pytest.fixture
def kept(home: Path) -> Iterator[Conversations]:
    with Conversations(home) as opened:
        yield opened


def prompts(engine: Engine) -> int:
    llm = engine.loaded.current()
    assert isinstance(llm, ScriptedLLM)
    return len(llm.prompts)


def test_only_what_is_new_is_asked_of_and_nothing_new_asks_no_model(engine: Engine, kept: Conversations) -> None:
    known = Briefings(kept)
    search, asked = known.add(SEARCH), known.add(QUESTION)
    first = known.run(search.id, engine)
    assert first.outcome == "Answered from 1 new article"
    assert first.entry is not None
    assert [one.article_id for one in first.entry.answer.citations] == ["dam"]
    answered = known.run(asked.id, engine).entry
    assert answered is not None
    assert answered.answer.citations[0].quote == "The dam was closed on Monday."
    before = prompts(engine)
    assert [known.run(one.id, engine).outcome for one in (search, asked)] == [NOTHING_NEW] * 2
    engine.index.add([SECOND, PARK])
    second = known.run(search.id, engine)
    assert second.outcome == "Answered from 2 new articles"
    assert second.entry is not None
    assert [one.article_id for one in second.entry.answer.sections] == ["second"]
    assert prompts(engine) == before
    assert [one.number for one in known.entries(search.id)] == [2, 1]
    assert (known.get(search.id).entries, known.get(search.id).unread) == (2, 2)
    known.mark_read(search.id)
    assert known.get(search.id).unread == 0


def test_a_changed_article_is_new_again_and_a_removed_one_is_not(engine: Engine, kept: Conversations) -> None:
    known = Briefings(kept)
    search = known.add(SEARCH)
    known.run(search.id, engine)
    engine.index.add([replace(DAM, text=f"{DAM.text} The dam will be torn down.")])
    changed = known.run(search.id, engine)
    assert changed.entry is not None
    engine.index.remove(["dam"])
    assert known.run(search.id, engine).outcome == NOTHING_NEW
    assert [one.answer.citations[0].article_id for one in known.entries(search.id)] == ["dam", "dam"]
    engine.index.add([DAM])
    assert known.run(search.id, engine).entry is not None


def test_a_refused_question_leaves_no_answer_and_is_not_asked_again(engine: Engine, kept: Conversations) -> None:
    known = Briefings(kept)
    asked = known.add("Who sang the opera in Vienna?")
    ran = known.run(asked.id, engine)
    assert ran.entry is None
    assert ran.outcome.startswith("1 new article, but no answer: ")
    assert known.run(asked.id, engine).outcome == NOTHING_NEW


def test_a_filter_chosen_articles_and_a_start_narrow_what_is_new(engine: Engine, kept: Conversations) -> None:
    known, index = Briefings(kept), engine.index
    herald = known.add(SEARCH, operators="source:herald")
    chosen = known.add(SEARCH, articles=["second"])
    later = known.add(SEARCH, seen=(index.generation, index.digests()))
    assert [known.run(one.id, engine).outcome for one in (herald, chosen, later)] == [NOTHING_NEW] * 3
    index.add([SECOND])
    for one in (herald, chosen, later):
        entry = known.run(one.id, engine).entry
        assert entry is not None
        assert [row.article_id for row in entry.answer.sections] == ["second"]


def test_an_article_is_new_when_it_gets_the_tag_of_a_briefing(engine: Engine, kept: Conversations) -> None:
    known, index = Briefings(kept), engine.index
    tagged = known.add(SEARCH, operators="tag:dams")
    assert known.run(tagged.id, engine).outcome == NOTHING_NEW
    index.tag("dam", "dams")
    assert known.run(tagged.id, engine).entry is not None
    index.untag("dam", "dams")
    assert known.run(tagged.id, engine).outcome == NOTHING_NEW
    index.tag("dam", "dams")
    assert known.run(tagged.id, engine).outcome == NOTHING_NEW


def test_an_article_that_is_moved_or_copied_is_not_new(engine: Engine, kept: Conversations) -> None:
    known, index = Briefings(kept), engine.index
    search = known.add(SEARCH)
    known.run(search.id, engine)
    index.add([replace(DAM, id="moved")])
    index.remove(["dam"])
    assert known.run(search.id, engine).outcome == NOTHING_NEW
    index.add([replace(DAM, id="copied")])
    assert known.run(search.id, engine).outcome == NOTHING_NEW


def test_a_run_that_is_stopped_or_fails_keeps_nothing(
    engine: Engine, kept: Conversations, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = Briefings(kept)
    search = known.add(SEARCH)
    stop = threading.Event()
    stop.set()
    assert known.run(search.id, engine, cancel=stop).outcome == "Stopped"

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(briefings, "_note_seen", killed)
        with pytest.raises(KeyboardInterrupt):
            known.run(search.id, engine)
    assert (known.get(search.id).ran_at, known.entries(search.id)) == ("", ())
    assert known.run(search.id, engine).entry is not None


def test_two_at_once_answer_once(engine: Engine, kept: Conversations, home: Path) -> None:
    known = Briefings(kept)
    search = known.add(SEARCH)
    with FileLock(home / LOCK), pytest.raises(InputError, match="being run already"):
        known.run(search.id, engine, wait=False)
    ran: list[str] = []
    threads = [threading.Thread(target=lambda: ran.append(known.run(search.id, engine).outcome)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ran) == ["Answered from 1 new article", NOTHING_NEW, NOTHING_NEW]
    assert len(known.entries(search.id)) == 1


def test_nobody_sees_those_of_another(kept: Conversations, engine: Engine) -> None:
    everyone = Briefings(kept)
    mine, theirs = everyone.add(SEARCH, owner="login:me"), everyone.add(SEARCH, owner="login:you")
    own = Briefings(kept, owners=["login:me"])
    assert [one.id for one in own.list()] == [mine.id]
    for act in (own.get, own.entries, own.mark_read, own.remove, lambda one: own.run(one, engine)):
        for wanted in (theirs.id, "none", "\ud800"):
            with pytest.raises(InputError, match="no such briefing"):
                act(wanted)
    assert Briefings(kept, owners=[""]).list() == ()
    everyone.remove(theirs.id)
    assert [one.id for one in everyone.list()] == [mine.id]


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"question": "  "}, "empty"),
        ({"question": "source:post"}, "empty"),
        ({"question": "a" * 2000}, "at most"),
        ({"question": "Who?", "kind": "poem"}, "choose one of"),
        ({"question": "Who?", "operators": "the dam"}, "no operator"),
        ({"question": "Who? source:a", "operators": "source:b"}, "two outlets"),
        ({"question": "Who?", "owner": ""}, "owner"),
    ],
)
def test_what_cannot_be_asked_is_not_saved(kept: Conversations, given: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        Briefings(kept).add(**given)
    assert Briefings(kept).list() == ()


def test_a_file_of_an_older_citewire_gets_them_with_the_first(kept: Conversations, home: Path) -> None:
    kept.close()
    with sqlite3.connect(home / FILE) as sql:
        for table in reversed(BRIEFINGS):
            sql.execute(f"DROP TABLE {table}")
    with Conversations(home) as opened:
        assert Briefings(opened).list() == ()
        assert opened.check() == ()
        added = Briefings(opened).add(SEARCH)
        assert [one.id for one in Briefings(opened).list()] == [added.id]


def test_a_damaged_file_is_named_with_what_mends_it(kept: Conversations, home: Path) -> None:
    Briefings(kept).add(SEARCH)
    kept.close()
    (home / FILE).write_bytes(b"SQLite format 3\x00" + b"x" * 4096)
    with pytest.raises(StoreError, match=r"conversations\.sqlite is damaged.*citewire restore FILE"):
        Conversations(home)


def test_a_damaged_answer_is_named_with_what_mends_it(engine: Engine, kept: Conversations, home: Path) -> None:
    known = Briefings(kept)
    search = known.add(SEARCH)
    known.run(search.id, engine)
    for damage in ("UPDATE entry SET answer = '{'", "UPDATE briefing SET articles = 'x'"):
        with sqlite3.connect(home / FILE) as sql:
            sql.execute(damage)
        with pytest.raises(StoreError, match=r"conversations\.sqlite is damaged.*citewire restore FILE"):
            known.entries(search.id)


def test_they_come_back_with_a_backup(engine: Engine, kept: Conversations, home: Path, tmp_path: Path) -> None:
    search = Briefings(kept).add(SEARCH)
    Briefings(kept).run(search.id, engine)
    backup.backup(tmp_path / "b.zip", home)
    kept.close()
    backup.restored(tmp_path / "b.zip", tmp_path / "other")
    with Conversations(tmp_path / "other") as opened:
        assert len(Briefings(opened).entries(search.id)) == 1


def test_a_feed_reader_reads_the_answers(engine: Engine, kept: Conversations) -> None:
    known = Briefings(kept)
    search = known.add(SEARCH, name="Dams & <b>")
    assert feedparser.parse(atom.of_briefings([])).entries == []
    for new in (DAM, SECOND):
        engine.index.add([new])
        known.run(search.id, engine)
    feed = feedparser.parse(atom.of_briefings([(search, known.entries(search.id))]))
    assert not feed.bozo
    assert feed.feed.title == "Citewire: Dams & <b>"
    assert [one.id for one in feed.entries] == [f"urn:citewire:briefing:{search.id}:{number}" for number in (2, 1)]
    assert "mayor &amp; her &lt;staff&gt;" in feed.entries[0].content[0].value
    assert all(one.updated_parsed for one in feed.entries)


def test_the_command_line_adds_runs_shows_and_removes(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = Index.open
    monkeypatch.setattr(Index, "open", lambda home=None, **_: opened(home, embedder=BagOfWordsEmbedder()))
    article = tmp_path / "dam.txt"
    article.write_text(DAM.text, encoding="utf-8")

    def run(*words: str) -> str:
        assert cli.main([*words]) == cli.OK
        return capsys.readouterr().out

    assert run("briefing", "list") == ""
    run("index", "add", str(article))
    added = json.loads(run("briefing", "add", SEARCH, "--as", "list", "--json"))
    run("index", "sync", "--briefings")
    (listed,) = json.loads(run("briefing", "list", "--json"))
    assert (listed["unread"], listed["outcome"], listed["kind"]) == (1, "Answered from 1 new article", "list")
    assert "1 unread" in run("briefing", "list")
    assert "Nothing new." in run("briefing", "run")
    assert not feedparser.parse(run("briefing", "show", "--atom")).bozo
    assert "closed on Monday" in run("briefing", "show", added["id"])
    assert run("briefing", "show", "--format", "markdown").startswith(f"# {SEARCH}\n")
    assert "1 read" in run("briefing", "list")
    assert cli.main(["briefing", "run", "none"]) == cli.ERROR
    assert "citewire briefing list" in capsys.readouterr().err
    assert run("briefing", "remove", added["id"]) == "1 removed\n"


def test_the_help_loads_no_model() -> None:
    program = (
        "import sys, ui.cli; ui.cli.parser(); print(*sorted({'numpy', 'torch', 'gradio', 'docx'} & set(sys.modules)))"
    )
    tried = subprocess.run([sys.executable, "-c", program], text=True, capture_output=True, check=True)
    assert tried.stdout.split() == []


def test_an_article_that_is_removed_during_a_run_is_not_missed(
    engine: Engine, kept: Conversations, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = Briefings(kept).add(f"{SEARCH} source:herald")
    engine.index.add([SECOND, replace(SECOND, id="third", text="The dam has a new gate.")])
    digests = engine.index.digests

    def removed_just_after() -> dict[str, str]:
        found = digests()
        engine.index.remove(["third"])
        return found

    monkeypatch.setattr(engine.index, "digests", removed_just_after)
    assert Briefings(kept).run(search.id, engine).outcome == "Answered from 1 new article"


def test_text_that_is_no_unicode_is_kept_as_far_as_it_goes(kept: Conversations) -> None:
    added = Briefings(kept).add("What of the caf\udce9 owner?", name="caf\udce9", operators="source:caf\udce9s")
    assert (added.question, added.name, added.operators) == ("What of the caf? owner?", "caf?", "source:caf?s")
