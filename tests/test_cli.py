"""The command line through main() and, where a process matters, as one."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import types
import unicodedata
from pathlib import Path
from typing import Any

import pytest

import index.search
from index import Article, Index
from index.hit import Hit
from index.listed import Listed
from rag import Answer, Citation, Claim, Engine, Reason, Source
from rag.answer import Disagreement, Side
from rag.settings import Settings
from tests.fakes import BagOfWordsEmbedder, ScriptedLLM
from ui import auth, cli, terminal
from ui.commands import articles as articles_command
from ui.commands import questions
from ui.conversations import Conversations
from ui.library import Library

SEEDS = Path(__file__).parent.parent / "seeds"
COOPERATION = "The two nations also have military cooperation."
HOSTILE = "\x1b[31mred\x1b[0m \x1b]8;;http://x\x07link\x1b]8;;\x07 \x9b2Jbell\x07 cr\roverwritten \u202egpj.exe"


@pytest.fixture(autouse=True)
def light_embedder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index.search, "SentenceEmbedder", BagOfWordsEmbedder)


@pytest.fixture
def llm(monkeypatch: pytest.MonkeyPatch) -> ScriptedLLM:
    scripted = ScriptedLLM()
    real_open = Engine.open

    def scripted_open(home: Path | None = None, **options: Any) -> Engine:
        return real_open(home, **{**options, "llm": scripted})

    monkeypatch.setattr(Engine, "open", scripted_open)
    return scripted


@pytest.fixture
def articles(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SEEDS, tmp_path / "articles"))


def as_json(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def hit(text: str, **known: Any) -> Hit:
    from index.article import Span

    return Hit(Article("a1", text, **known), 0, len(text), 1.0, 0.5, 0.5, Span(0, len(text)))


# Indexing


def test_adding_a_second_time_embeds_nothing(articles: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["index", "add", str(articles), "--json"]) == 0
    first = as_json(capsys)
    assert (first["added"], first["failed"]) == (2, [])
    assert first["embedded"] > 10
    assert cli.main(["index", "add", str(articles), "--json"]) == 0
    again = as_json(capsys)
    assert (again["added"], again["unchanged"], again["embedded"]) == (0, 2, 0)


def test_bare_sync_reads_what_was_added_before(articles: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["index", "add", str(articles)])
    (articles / "new.txt").write_text("The harbor of Rotterdam froze in January.", encoding="utf-8")
    next(articles.glob("000_*.txt")).unlink()
    capsys.readouterr()
    assert cli.main(["index", "sync", "--json"]) == 0
    report = as_json(capsys)
    assert (report["added"], report["removed"], report["unchanged"]) == (1, 1, 1)


def test_bare_sync_of_nothing_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["index", "sync"]) == 1
    assert capsys.readouterr().err == "citewire: nothing has been added yet; run: citewire index add PATH\n"


def test_indexing_leaves_the_cores_to_others_who_want_them(articles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(os, "getpriority", lambda which, who: 15 if asked else 0)
    monkeypatch.setattr(os, "setpriority", lambda which, who, priority: asked.append(priority))
    for command in (["add", str(articles)], ["sync"], ["rebuild"]):
        assert cli.main(["index", *command]) == 0
    assert asked == [articles_command.NICENESS, 15, 15], "a priority that is lower already stays"


def test_a_missing_path_is_one_line_and_no_traceback(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["index", "add", str(tmp_path / "not\x1b[31mhere")]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("citewire: ")
    assert shown.err.count("\n") == 1
    assert "nothere" in shown.err


def test_a_file_that_fails_is_named_and_the_rest_is_indexed(articles: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (articles / "broken.pdf").write_bytes(b"%PDF-1.7 no more")
    assert cli.main(["index", "add", str(articles)]) == 0
    shown = capsys.readouterr()
    assert "broken.pdf" in shown.err
    assert shown.out.startswith("2 added")


def test_it_is_an_error_when_every_file_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "only").mkdir()
    (tmp_path / "only" / "broken.pdf").write_bytes(b"%PDF-1.7 no more")
    assert cli.main(["index", "add", str(tmp_path / "only")]) == 1
    assert "broken.pdf" in capsys.readouterr().err


def test_what_is_left_out_of_a_file_is_named_wherever_its_article_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    good = json.dumps({"text": "The mill by the river burned down in 1901."})
    (folder / "lines.jsonl").write_text(f"{good}\nno article\n")
    (folder / "torn.pdf").write_bytes(b"torn")
    assert cli.main(["index", "add", str(folder)]) == 0
    assert "lines.jsonl: line 2: not JSON" in capsys.readouterr().err
    cli.main(["index", "list"])
    shown = capsys.readouterr()
    assert "    left out: line 2: not JSON" in shown.out
    assert "not read: " in shown.err
    assert "torn.pdf: " in shown.err
    cli.main(["index", "list", "--json"])
    (listed,) = as_json(capsys)
    assert listed["left_out"][0].startswith("line 2: ")
    cli.main(["index", "show", listed["id"]])
    assert "left out:  line 2: not JSON" in capsys.readouterr().out
    with Index.open() as opened:
        library = Library(opened)
        (row,) = library.rows()
        assert row.left_out[0].startswith("line 2: ")
        (folder / "lines.jsonl").write_text(f"{good}\n")
        (folder / "torn.pdf").unlink()
        assert opened.sync().failed == ()
        assert [one.left_out for one in library.rows()] == [()]
        assert library.unread() == ()


def test_an_article_can_be_listed_shown_and_removed(articles: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["index", "add", str(articles)])
    capsys.readouterr()
    cli.main(["index", "list", "--json"])
    listed = as_json(capsys)
    assert len(listed) == 2
    assert "text" not in listed[0]
    article_id = listed[0]["id"]
    cli.main(["index", "list"])
    assert article_id in capsys.readouterr().out
    cli.main(["index", "show", article_id, "--json"])
    with Index.open() as opened:
        assert as_json(capsys)["text"] == opened.article(article_id).text
    assert cli.main(["index", "remove", article_id]) == 0
    assert capsys.readouterr().out == "1 removed\n"
    assert cli.main(["index", "show", article_id]) == 1
    assert article_id in capsys.readouterr().err
    assert cli.main(["index", "remove", article_id]) == 1


def test_articles_are_edited_tagged_and_forgotten(articles: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["index", "add", str(articles)])
    with Index.open() as opened:
        ids = sorted(article.id for article in opened.articles())
    capsys.readouterr()
    assert cli.main(["index", "edit", ids[0], "--title", "Mended", "--date", "2018-03", "--json"]) == 0
    shown = as_json(capsys)
    assert (shown["title"], shown["published"], sorted(shown["edited"])) == (
        "Mended",
        "2018-03",
        ["published", "title"],
    )
    assert cli.main(["index", "edit", ids[0], "--reset", "date"]) == 0
    assert "as read:   title: " in capsys.readouterr().out
    assert cli.main(["index", "tag", *ids, "Talks", "--json"]) == 0
    assert as_json(capsys) == {ids[0]: ["Talks"], ids[1]: ["Talks"]}
    assert cli.main(["index", "tag", ids[1], "talks", "--untag"]) == 0
    assert "no tags" in capsys.readouterr().out
    assert cli.main(["index", "list", "--only", "tag:talks", "--json"]) == 0
    assert [(one["id"], one["tags"]) for one in as_json(capsys)] == [(ids[0], ["Talks"])]
    assert cli.main(["index", "list"]) == 0
    assert "· Talks · edited" in capsys.readouterr().out
    assert cli.main(["index", "edit", ids[0], "--date", "soon"]) == 1
    assert cli.main(["index", "edit", ids[0]]) == 1
    assert "--title" in capsys.readouterr().err
    assert cli.main(["index", "forget", str(articles), "--json"]) == 0
    assert as_json(capsys) == {"sources": []}
    assert cli.main(["index", "forget", str(articles)]) == 1


def test_status_tells_home_counts_and_sources(articles: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["index", "add", str(articles)])
    capsys.readouterr()
    cli.main(["index", "status", "--json"])
    status = as_json(capsys)
    assert (status["home"], status["articles"], status["sources"]) == (str(home), 2, [str(articles)])
    cli.main(["index", "status"])
    assert str(articles) in capsys.readouterr().out


def test_rebuild_embeds_everything_again(articles: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["index", "add", str(articles), "--json"])
    embedded = as_json(capsys)["embedded"]
    assert cli.main(["index", "rebuild", "--json"]) == 0
    assert as_json(capsys)["embedded"] == embedded


def test_check_names_what_was_altered_and_repair_mends_it(
    articles: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cli.main(["index", "add", str(articles)])
    capsys.readouterr()
    assert cli.main(["index", "check"]) == 0
    assert capsys.readouterr().out == "the index is sound\n"
    with contextlib.closing(sqlite3.connect(home / "index.sqlite", isolation_level=None)) as connection:
        (altered,) = connection.execute("SELECT id FROM article LIMIT 1").fetchone()
        connection.execute("UPDATE article SET text = text || ' Altered.' WHERE id = ?", (altered,))
    assert cli.main(["index", "check"]) == 1
    printed = capsys.readouterr()
    assert f"article {altered}: its text" in printed.out
    assert "citewire index check --repair" in printed.err
    assert cli.main(["index", "show", altered]) == 1
    assert altered in (shown := capsys.readouterr().err)
    assert "citewire index check --repair" in shown
    assert cli.main(["index", "check", "--repair", "--json"]) == 0
    done = as_json(capsys)
    assert (done["repaired"], done["left"], done["lost"]) == (True, [], [])
    assert {fault["article"] for fault in done["faults"]} >= {altered}
    assert cli.main(["index", "check", "--json"]) == 0
    assert as_json(capsys)["faults"] == []


def test_check_says_what_a_repair_cannot_mend(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with index.Index.open(home) as opened:
        opened.add([index.Article("handed-in", "A zeppelin landed."), index.Article("other", "Snow fell in Oslo.")])
    with contextlib.closing(sqlite3.connect(home / "index.sqlite", isolation_level=None)) as connection:
        connection.execute("UPDATE article SET text = 'A balloon landed.' WHERE id = 'handed-in'")
    assert cli.main(["index", "check", "--repair"]) == 1
    printed = capsys.readouterr()
    assert "lost: handed-in: this article was altered, and it came from no file" in printed.err
    assert printed.out.endswith("repaired\n")
    assert cli.main(["index", "check"]) == 0


@pytest.mark.parametrize("before", [True, False])
def test_home_is_understood_before_and_after_the_command(
    tmp_path: Path, articles: Path, home: Path, *, before: bool
) -> None:
    option = ["--home", str(tmp_path / "elsewhere")]
    command = ["index", "add", str(articles)]
    assert cli.main([*option, *command] if before else [*command, *option]) == 0
    assert not home.exists()
    with Index.open(tmp_path / "elsewhere") as opened:
        assert opened.stats().articles == 2


# Searching and asking


def test_search_gives_the_exact_words_best_first(articles: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["index", "add", str(articles)])
    capsys.readouterr()
    assert cli.main(["search", "military cooperation", "-k", "2", "--json"]) == 0
    hits = as_json(capsys)
    assert len(hits) == 2
    assert COOPERATION in hits[0]["text"]
    with Index.open() as opened:
        article = opened.article(hits[0]["article_id"])
    assert article.text[hits[0]["start"] : hits[0]["end"]] == hits[0]["text"]
    cli.main(["search", "military cooperation", "-k", "1"])
    assert COOPERATION in capsys.readouterr().out


def test_an_answer_shows_markers_and_quotes(
    articles: Path, llm: ScriptedLLM, capsys: pytest.CaptureFixture[str]
) -> None:
    llm.replies = [COOPERATION]
    cli.main(["index", "add", str(articles)])
    capsys.readouterr()
    assert cli.main(["ask", "Do the two nations have military cooperation?"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"{COOPERATION} [1]\n\n[1] “")
    assert COOPERATION in shown.split("\n\n")[1]


def test_json_of_an_answer_has_the_documented_keys(
    articles: Path, llm: ScriptedLLM, capsys: pytest.CaptureFixture[str]
) -> None:
    llm.replies = [COOPERATION]
    cli.main(["index", "add", str(articles)])
    capsys.readouterr()
    assert cli.main(["ask", "Do the two nations have military cooperation?", "--json"]) == 0
    answer = as_json(capsys)
    assert set(answer) == {
        "question", "text", "claims", "sources", "refused", "reason", "unanswered", "disagreements", "searched",
        "generation", "model", "model_sha256", "signals", "timings",
        "kind", "sections", "total", "counts", "missing",
    }  # fmt: skip
    citation = answer["claims"][0]["citations"][0]
    with Index.open() as opened:
        text = opened.article(citation["article_id"]).text
    assert text[citation["start"] : citation["end"]] == citation["quote"]


def test_the_kind_of_answer_can_be_chosen(articles: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["index", "add", str(articles)])
    with pytest.raises(SystemExit):
        cli.main(["ask", "The talks", "--as", "poem"])
    assert "invalid choice: 'poem'" in capsys.readouterr().err
    assert cli.main(["ask", "The talks", "--as", "list", "--limit", "0"]) == cli.ERROR
    assert "limit=0" in capsys.readouterr().err


def test_earlier_questions_are_asked_first_and_only_the_last_answer_is_printed(
    articles: Path, llm: ScriptedLLM, capsys: pytest.CaptureFixture[str]
) -> None:
    llm.replies = [COOPERATION, "Japanese investments are entering Russia."]
    cli.main(["index", "add", str(articles)])
    capsys.readouterr()
    first, second = "Do the two nations have military cooperation?", "And are Japanese investments entering?"
    assert cli.main(["ask", second, "--after", first, "--json"]) == 0
    assert as_json(capsys)["question"] == second
    assert [(turn.question, turn.answer) for turn in llm.prompts[-1].history] == [(first, COOPERATION)]


def test_a_question_can_come_from_standard_input(
    articles: Path,
    llm: ScriptedLLM,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    llm.replies = [COOPERATION]
    cli.main(["index", "add", str(articles)])
    monkeypatch.setattr("sys.stdin", io.StringIO("Do the two nations have military cooperation?\n"))
    assert cli.main(["ask"]) == 0
    assert f"{COOPERATION} [1]" in capsys.readouterr().out


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is typed in the terminal, line by line; after it the input ends."""
    lines: list[str] = []

    def read(_: str) -> str:
        if not lines:
            raise EOFError
        return lines.pop(0)

    monkeypatch.setattr("builtins.input", read)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    return lines


def test_a_conversation_shows_the_words_of_the_draft_and_marks_them_as_unchecked(
    articles: Path, llm: ScriptedLLM, typed: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    cli.main(["index", "add", str(articles)])
    capsys.readouterr()
    llm.replies = [COOPERATION]
    typed += ["Do the two nations have military cooperation?"]
    assert cli.main(["ask"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"{questions.DRAFT}\n{COOPERATION}\n\n{COOPERATION} [1]\n\n[1] “")


def test_a_question_that_fails_does_not_end_the_conversation(
    articles: Path, llm: ScriptedLLM, typed: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    cli.main(["index", "add", str(articles)])
    capsys.readouterr()
    llm.replies = [COOPERATION]
    typed += ["What was written before:someday?", "", "Do the two nations have military cooperation?"]
    assert cli.main(["ask", "--json"]) == 0
    shown = capsys.readouterr()
    assert "someday" in shown.err
    assert json.loads(shown.out)["question"] == "Do the two nations have military cooperation?"


def test_a_refusal_has_a_reason_and_a_status_of_its_own(llm: ScriptedLLM, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["ask", "Who won the cup?"]) == 3
    assert "There are no articles yet." in capsys.readouterr().out
    assert llm.prompts == []


def test_an_empty_question_is_an_error(llm: ScriptedLLM, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["ask", "  "]) == 1
    assert "empty" in capsys.readouterr().err


def test_a_missing_model_names_the_command_that_mends_it(
    articles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cli.main(["index", "add", str(articles)])
    monkeypatch.setenv("CITEWIRE_MODELS", str(tmp_path / "no-models"))
    assert cli.main(["ask", "Do the two nations have military cooperation?"]) == 1
    assert "citewire models pull" in capsys.readouterr().err


@pytest.fixture
def settings(articles: Path, llm: ScriptedLLM, monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """The settings with which the engine was opened."""
    seen: list[Settings] = []
    opened = Engine.open

    def watched(home: Path | None = None, **options: Any) -> Engine:
        seen.append(options["settings"])
        return opened(home, **options)

    monkeypatch.setattr(Engine, "open", watched)
    cli.main(["index", "add", str(articles)])
    return seen


def test_mode_and_caution_hold_for_one_question_and_else_those_of_the_environment(
    settings: list[Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CITEWIRE_CAUTION", "0.2")
    question = "Do the two nations have military cooperation?"
    cli.main(["ask", question, "--mode", "quote", "--caution", "1"])
    cli.main(["ask", question])
    assert [(used.mode, used.caution) for used in settings] == [("quote", 1.0), (None, 0.2)]


@pytest.mark.parametrize("wrong", [["--caution", "2"], ["--caution", "much"], ["--caution", "nan"], ["--mode", "sing"]])
def test_no_other_mode_or_caution_is_taken(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(["ask", "Who?", *wrong])
    assert left.value.code == 2
    assert wrong[1] in capsys.readouterr().err


# What was asked in the page


def asked(home: Path) -> str:
    with Conversations(home) as conversations:
        conversation = conversations.create("a browser's secret")
        answer = Answer("Who left\x1b[2J?", "Everyone \x1b[31mleft.").to_dict()
        conversations.append(conversation, owner="a browser's secret", question="Who left\x1b[2J?", answer=answer)
        conversations.feedback(conversation, "a browser's secret", turn=1, thumb="down", reason="not\x1b[2J so")
    return conversation


def test_thumbs_are_listed_and_exported(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    conversation = asked(home)
    assert cli.main(["feedback"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("down 20")
    assert shown.endswith("UTC  not so\n  ? Who left?\n    Everyone left.\n")
    assert cli.main(["feedback", "--json"]) == 0
    exported = capsys.readouterr().out
    assert "secret" not in exported
    (one,) = json.loads(exported)
    assert one.pop("rated_at").endswith("+00:00")
    assert one.pop("answer")["text"] == "Everyone \x1b[31mleft."
    assert one == {
        "conversation": conversation, "turn": 1, "thumb": "down", "reason": "not\x1b[2J so",
        "question": "Who left\x1b[2J?"
    }  # fmt: skip


def test_conversations_are_listed_and_exported(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    conversation, other = asked(home), asked(home)
    assert cli.main(["conversations", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [other, conversation]
    assert lines[0].endswith("UTC    1  Who left?")
    cli.main(["conversations", "list", "--json"])
    assert [row["id"] for row in as_json(capsys)] == [other, conversation]
    assert cli.main(["conversations", "export", conversation]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("# Who left?\n\n## Who left?\n\n*Asked on 20")
    assert shown.endswith("Everyone left.\n")
    cli.main(["conversations", "export", "--json"])
    exported = capsys.readouterr().out
    assert "secret" not in exported
    assert [row["turns"][0]["answer"]["text"] for row in json.loads(exported)] == ["Everyone \x1b[31mleft."] * 2
    assert cli.main(["conversations", "export", "none"]) == 1
    assert "citewire conversations list" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["feedback"], ["conversations", "list"]])
def test_nothing_asked_yet_is_said(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(command) == 0
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "citewire chat" in shown.err
    assert cli.main([*command, "--json"]) == 0
    assert as_json(capsys) == []


# Passwords


@pytest.fixture
def accounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(auth, "COST", (2**8, 8, 1))
    return tmp_path / "accounts"


def test_a_password_from_standard_input_lets_its_name_in(
    accounts: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for password, told in (("correct horse", "ada was added"), ("battery staple", "ada has a new password")):
        monkeypatch.setattr("sys.stdin", io.StringIO(password + "\n"))
        assert cli.main(["auth", "add", str(accounts), "ada"]) == 0
        assert capsys.readouterr().out.startswith(told)
    assert auth.Accounts.load(accounts).check("ada", "battery staple")


def test_a_typed_password_is_asked_for_twice(
    accounts: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = ["correct horse", "correct hose", "correct horse", "correct horse"]
    monkeypatch.setattr("getpass.getpass", lambda prompt: typed.pop(0))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    assert cli.main(["auth", "add", str(accounts), "ada"]) == 1
    assert "differ" in capsys.readouterr().err
    assert not accounts.exists()
    assert cli.main(["auth", "add", str(accounts), "ada"]) == 0
    assert auth.Accounts.load(accounts).check("ada", "correct horse")


def test_a_page_with_a_wrong_file_of_passwords_does_not_open(
    accounts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    accounts.write_text("# nobody\nada:secret\n")
    accounts.chmod(0o600)
    assert cli.main(["chat", "--auth", str(accounts)]) == 1
    shown = capsys.readouterr().err
    assert "accounts, line 2: " in shown
    assert "secret" not in shown


def test_the_page_gets_the_passwords_and_the_settings(accounts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[dict[str, Any]] = []
    monkeypatch.setitem(
        sys.modules, "ui.web", types.SimpleNamespace(serve=lambda home, **options: served.append(options))
    )
    auth.add(accounts, name="ada", password="correct horse")  # noqa: S106
    assert cli.main(["chat", "--auth", str(accounts), "--mode", "quote", "--no-browser"]) == 0
    assert cli.main(["chat"]) == 0
    assert asyncio.run(served[0]["auth"]("ada", "correct horse"))
    assert not asyncio.run(served[0]["auth"]("ada", "wrong horse"))
    assert served[0]["settings"].mode == "quote"
    assert served[1]["auth"] is None


def test_roles_are_given_listed_and_taken(
    accounts: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, more in (("ada", ["--role", "editor"]), ("bob", [])):
        monkeypatch.setattr("sys.stdin", io.StringIO("correct horse\n"))
        assert cli.main(["auth", "add", str(accounts), name, *more]) == 0
    assert "ada was added as an editor" in capsys.readouterr().out
    assert cli.main(["auth", "list", str(accounts)]) == 0
    assert capsys.readouterr().out == "editor  ada\nreader  bob\n"
    assert cli.main(["auth", "role", str(accounts), "bob", "editor"]) == 0
    assert "bob is an editor" in capsys.readouterr().out
    assert cli.main(["auth", "list", str(accounts), "--json"]) == 0
    assert as_json(capsys) == [{"name": "ada", "role": "editor"}, {"name": "bob", "role": "editor"}]
    assert cli.main(["auth", "remove", str(accounts), "ada"]) == 0
    assert cli.main(["auth", "role", str(accounts), "ada", "reader"]) == 1
    assert "citewire auth list" in capsys.readouterr().err
    assert auth.Accounts.load(accounts).names == ("bob",)


def test_accounts_without_a_role_are_told_when_the_page_starts(
    accounts: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ui.web", types.SimpleNamespace(serve=lambda home, **options: None))
    auth.add(accounts, name="ada", password="correct horse")  # noqa: S106
    assert cli.main(["chat", "--auth", str(accounts)]) == 0
    assert capsys.readouterr().err == ""
    accounts.write_text(accounts.read_text().replace(":reader", ""))
    assert cli.main(["chat", "--auth", str(accounts)]) == 0
    assert f"ada: no role in {accounts}" in capsys.readouterr().err


# Models


def test_pull_offline_without_models_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CITEWIRE_MODELS", str(tmp_path / "no-models"))
    assert cli.main(["models", "pull", "smollm2-135m"]) == 1
    assert "offline" in capsys.readouterr().err


def test_models_are_listed_with_what_is_here(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CITEWIRE_MODELS", str(tmp_path / "no-models"))
    assert cli.main(["models", "list", "--json"]) == 0
    listed = {model["name"]: model for model in as_json(capsys)}
    assert listed["all-minilm-l6-v2"]["default"]
    assert not any(model["here"] for model in listed.values())
    cli.main(["models", "list"])
    assert "qwen2.5-coder-1.5b" in capsys.readouterr().out


def test_verify_fails_for_a_damaged_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CITEWIRE_MODELS", str(tmp_path))
    (tmp_path / "smollm2-135m").mkdir()
    (tmp_path / "smollm2-135m" / "SmolLM2-135M-Instruct.Q4_1.gguf").write_bytes(b"GGUF and little more")
    assert cli.main(["models", "verify", "smollm2-135m"]) == 1
    assert "citewire models pull smollm2-135m" in capsys.readouterr().out


def test_an_unknown_model_name_is_answered_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["models", "pull", "gpt-9"]) == 1
    assert "smollm2-135m" in capsys.readouterr().err


# Usage and text


@pytest.mark.parametrize(
    "arguments",
    [
        ["index"],
        ["ask", "a", "b"],
        ["search", "x", "-k", "many"],
        ["chat", "--port", "65536"],
        ["serve", "--port", "-1"],
        ["serve", "--port", "http"],
    ],
)
def test_wrong_usage_exits_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        cli.main(arguments)
    assert stopped.value.code == 2


def test_every_command_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("index add", "index sync", "index list", "index show", "index remove", "index status",
                    "index check", "index rebuild", "index edit", "index tag", "index forget", "search", "ask", "check",
                    "briefing add", "briefing run", "chat", "serve", "mcp", "auth token add", "models list",
                    "models pull", "models verify", "models tune", "models recommend", "models calibrate",
                    "doctor"):  # fmt: skip
        with pytest.raises(SystemExit) as stopped:
            cli.main([*command.split(), "--help"])
        assert stopped.value.code == 0
        assert f"citewire {command}" in capsys.readouterr().out


@pytest.mark.parametrize("command", [["ask", "Why?"], ["chat", "--no-browser"]])
def test_a_model_that_is_not_listed_is_noticed_before_anything_is_indexed(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*command, "--llm", "nope"]) == 1
    shown = capsys.readouterr().err
    assert "'nope'" in shown
    assert "qwen2.5-coder-1.5b" in shown


def test_a_list_says_how_each_article_is_searched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "articles"
    folder.mkdir()
    for name, outlet in (("a", "Harbor Post"), ("b", "Herald")):
        (folder / f"{name}.txt").write_text("Ferry stops\n\nThe ferry stopped running on Tuesday.\n")
        (folder / f"{name}.txt.toml").write_text(f'title = "Ferry stops"\nsource = "{outlet}"\npublished = 2018-03-21')
    cli.main(["index", "add", str(folder)])
    capsys.readouterr()
    cli.main(["index", "list"])
    lines = [line.split("  ", 1)[1] for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "Harbor Post · Ferry stops · 2018-03-21 · 1 passage · searched",
        "Herald · Ferry stops · 2018-03-21 · 0 passages · copy of Ferry stops",
    ]
    cli.main(["index", "list", "--json"])
    original, copy = as_json(capsys)
    assert (original["source"], original["passages"], original["state"]) == ("Harbor Post", 1, "searched")
    assert original["copy_of"] is None
    assert (copy["passages"], copy["state"], copy["copy_of"]) == (0, "copy of Ferry stops", original["id"])
    assert {"id", "title", "url", "published", "author", "updated", "language"} <= copy.keys()


def test_no_control_or_format_character_of_unicode_reaches_the_terminal() -> None:
    """Every one there is, those that a later Unicode adds included."""
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        hidden = unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")
        if hidden or unicodedata.bidirectional(character) in ("LRE", "RLO", "PDF", "LRI", "FSI", "PDI", "BN", "B"):
            cleaned = terminal.clean(f"a{character}b")
            assert cleaned in ("ab", "a\nb", "a\tb", "a"), hex(code)
            assert terminal.line(f"a{character}b") in ("ab", "a b", "a"), hex(code)
    for marks in (
        "\u061c",
        "\u200e\u200f",
        "\u202a\u202e\u202c",
        "\u2066\u2069",
        "\u206a\u206f",
        "\ufeff",
        "\U000e0041",
    ):
        assert terminal.clean(f"1{marks}2") == "12"
    kept = "Grüße, 北京 العربية עברית ไทย हिन्दी 🌊 e\u0301 \u0660 ―"
    assert terminal.clean(kept) == kept


def test_nothing_an_article_holds_reaches_the_terminal_as_a_command() -> None:
    text = f"First. {HOSTILE}"
    article = Article("id\x1b[2J", text, title=HOSTILE, source="\x1b]0;owned\x07CGTN", url="http://x/\x1b[1m")
    citation = Citation(1, article, 0, len(text))
    source = Source(1, Hit(article, 0, len(text), 1.0, 0.5, 0.5, hit("x").nearest))
    answer = Answer("?", text, (Claim(text, 0, len(text), (citation,), 1.0, True),), (source,))
    refusal = Answer("?", text, (), (source,), refused=True, reason=Reason.NOT_ANSWERED)
    shown = "".join(
        [
            terminal.render_answer(answer),
            terminal.render_answer(answer, columns=60),
            terminal.render_answer(refusal),
            terminal.render_hits([source.hit]),
            terminal.render_articles([Listed(article, 1), Listed(article, 0, copy_of=article)]),
            terminal.render_article(article),
        ]
    )
    assert "red link bell" in shown
    assert {character for character in shown if not character.isprintable()} == {"\n"}


def test_a_sequence_that_never_ends_hides_nothing() -> None:
    assert "and the rest" in terminal.clean("\x1b]0;title and the rest")


def test_a_claim_without_support_is_marked_in_words() -> None:
    kept, loose = "Talks ended in 2009.", "Everyone was pleased."
    article = Article("a", kept, title="Talks", source="Sputnik", published="2017-04-27T10:00:00+00:00")
    claims = (
        Claim(kept, 0, len(kept), (Citation(1, article, 0, len(kept)),), 1.0, True),
        Claim(loose, len(kept) + 1, len(kept) + 1 + len(loose)),
    )
    assert terminal.render_answer(Answer("?", f"{kept} {loose}", claims)) == (
        f"{kept} [1] {loose} {terminal.UNSUPPORTED}\n\n[1] “{kept}”\n    Sputnik · Talks · 2017-04-27"
    )


def test_a_claim_in_part_and_what_is_left_open_are_told_in_words() -> None:
    first, second = Article("a1", "It sank in 1912.", source="Post"), Article("a2", "It sank in 1913.", source="Sun")
    text = "It sank in 1912."
    here, there = Citation(1, first, 0, 16), Citation(2, second, 0, 16)
    shown = terminal.render_answer(
        Answer(
            "When and why?",
            text,
            (Claim(text, 0, 16, (here,), 0.6, supported=True),),
            reason=Reason.PARTLY,
            unanswered="why it\x1b[2J sank",
            disagreements=(Disagreement("date", (Side("1912", here), Side("1913", there))),),
        )
    )
    assert shown == (
        "It sank in 1912. [1] (partly supported)\n\n"
        "Incomplete: partly answered.\n\n"
        "Not answered: why it sank\n\n"
        "Articles differ (date):\n  1912 [1] Post · It sank in 1912.\n  1913 [2] Sun · It sank in 1913.\n\n"
        "[1] “It sank in 1912.”\n    Post · It sank in 1912.\n\n"
        "[2] “It sank in 1913.”\n    Sun · It sank in 1913."
    )


def test_long_lines_are_folded_under_their_number() -> None:
    text = "word " * 40 + "end."
    article = Article("a", text)
    answer = Answer("?", text, (Claim(text, 0, len(text), (Citation(1, article, 0, len(text)),), 1.0, True),))
    lines = terminal.render_answer(answer, columns=60).splitlines()
    assert max(map(len, lines)) <= 60
    assert all(line.startswith(("[1] ", "    ")) for line in lines[lines.index("") + 1 :])


# Why a passage was found


def test_search_explains_each_passage(capsys: pytest.CaptureFixture[str]) -> None:
    with Index.open() as opened:
        opened.add(
            [Article("a", "Ferries stopped. The harbor froze.", source="Harbor\x1b[2J Post", published="2018-01-02")]
        )
        (found,) = opened.search("harbor froze")
    query = 'harbor froze source:"Post" in:2018'
    assert cli.main(["search", query, "--explain"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[2:] == [
        f"   · similarity {found.similarity:.3f} + words {found.bm25:.3f} + context 0.000 = {found.score:.3f}",
        "   · nearest sentence: “The harbor froze.”",
        "   · filter: source:Post after:2017-12-31 before:2019-01-01",
    ]
    cli.main(["search", query, "--explain", "--json"])
    (row,) = as_json(capsys)
    assert row["nearest"] == "The harbor froze."
    assert row["filter"] == {
        "source": "Post", "after": "2017-12-31", "before": "2019-01-01", "articles": None, "tags": [],
    }  # fmt: skip
    assert row["score"] == pytest.approx(row["similarity"] + row["bm25"] + row["context"], abs=1e-3)
    cli.main(["search", "harbor froze", "--explain"])
    assert "   · filter: none" in capsys.readouterr().out
    cli.main(["search", "harbor froze"])
    assert "similarity" not in capsys.readouterr().out


def test_a_search_of_an_empty_index_says_how_to_add_articles(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["--home", str(tmp_path / "empty"), "search", "harbor"]) == 0
    assert capsys.readouterr().err == "citewire: no articles yet; run: citewire index add PATH\n"


def test_a_filter_that_finds_nothing_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["search", "harbor source:gazette\x1b[2J"]) == 0
    assert capsys.readouterr().err == "citewire: nothing found with source:gazette\n"
    assert cli.main(["search", "harbor in:spring"]) == 1
    assert "2018-03-21" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["search", "ask"])
def test_help_tells_the_operators(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main([command, "--help"])
    shown = capsys.readouterr().out
    assert all(operator in shown for operator in ("source:reuters", "in:2018", "before:2017-05", "after:2017"))


# As a process


def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ui.cli", *arguments]
    return subprocess.run(command, text=True, capture_output=True, timeout=120, check=False, **options)


def test_help_loads_no_heavy_library() -> None:
    program = (
        "import contextlib, io, sys\n"
        "from ui.cli import main\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        "    main(['--help'])\n"
        "heavy = {'numpy', 'torch', 'faiss', 'sentence_transformers', 'llama_cpp', 'gradio'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    tried = subprocess.run([sys.executable, "-c", program], text=True, capture_output=True, check=True)
    assert tried.stdout.strip() == "[]"


def test_a_command_is_understood_as_beside_all_others_and_imports_no_other() -> None:
    for group, names in cli.GROUPS.items():
        for name in names:
            alone, among = cli.parser(name), cli.parser()
            assert _help(alone, name) == _help(among, name), group
    assert not {*_choices(cli.parser())} ^ {name for names in cli.GROUPS.values() for name in names}
    program = (
        "import sys, ui.cli; ui.cli.main(sys.argv[1:]); print(*(one for one in sys.modules if 'ui.commands' in one))"
    )
    home = ["--home", "index"]  # also the name of a command
    tried = subprocess.run(
        [sys.executable, "-c", program, *home, "models", "list", "--json"], text=True, capture_output=True, check=True
    )
    assert "ui.commands.installation" in tried.stdout
    assert "ui.commands.questions" not in tried.stdout


def _choices(top: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    return next(action.choices for action in top._actions if isinstance(action, argparse._SubParsersAction))


def _help(top: argparse.ArgumentParser, command: str) -> str:
    return _choices(top)[command].format_help()


def test_version_is_the_package_version() -> None:
    from index import __version__

    assert run("--version").stdout == f"citewire {__version__}\n"


def test_a_reader_that_goes_away_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with subprocess.Popen(
        [sys.executable, "-m", "ui.cli", "models", "list", "--json"], stdout=writing, stderr=subprocess.PIPE
    ) as process:
        os.close(writing)
        _, complaint = process.communicate(timeout=60)
    assert complaint == b""
    assert process.returncode == cli.BROKEN_PIPE


def test_ctrl_c_while_indexing_leaves_what_was_there(articles: Path, tmp_path: Path, home: Path) -> None:
    cli.main(["index", "add", str(articles)])
    program = (
        "import signal, sys, time, index.search\n"
        # A runner in the background ignores Ctrl-C, and what it starts inherits that.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"sys.path.insert(0, {str(Path(__file__).parent.parent)!r})\n"
        "from tests.fakes import BagOfWordsEmbedder\n"
        "class Slow(BagOfWordsEmbedder):\n"
        "    def embed_documents(self, texts, *, progress=None):\n"
        "        print('embedding', flush=True)\n"
        "        time.sleep(60)\n"
        "index.search.SentenceEmbedder = Slow\n"
        "from ui.cli import main\n"
        f"sys.exit(main(['index', 'add', {str(tmp_path / 'more')!r}]))"
    )
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "new.txt").write_text("The harbor of Rotterdam froze in January.", encoding="utf-8")
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "embedding\n"
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "everything indexed so far is kept" in complaint
    assert "Traceback" not in complaint
    with Index.open(home) as opened:
        assert opened.stats().articles == 2
        assert opened.check() == []
