"""Conversations, kept and exported: what was said comes back as it was, to its owner only, and goes for good."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import random
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from lxml import html
from markdown_it import MarkdownIt

from index import Article, database
from index.article import Span
from index.errors import InputError, LayoutError, StoreError
from index.hit import Hit
from rag import Answer, Citation, Claim, Reason, Source
from rag.answer import Disagreement, Side
from ui import conversations
from ui.conversations import FILE, REASON_CHARS, Conversation, Conversations
from ui.export import markdown, subject
from ui.export.formats import FORMATS
from ui.html import markup, render

TOP = Path(__file__).parent.parent
TALKS = Article(
    "a1",
    "Talks began in 2003. 🌊 They broke down in 2009. Nobody has restarted them since.",
    title="Six-party talks",
    source="Sputnik",
    url="https://example.org/talks?a=1",
    published="2017-04-27",
)
OTHER = Article("a2", "By another count the talks broke down in 2008.", source="The Post")


@pytest.fixture
def kept(home: Path) -> Any:
    with Conversations(home) as opened:
        yield opened


def cite(article: Article, words: str, number: int = 1) -> Citation:
    start = article.text.index(words)
    return Citation(number, article, start, start + len(words))


def source(number: int, article: Article, start: int, end: int) -> Source:
    return Source(number, Hit(article, start, end, 0.9, 0.5, 0.4, Span(start, end)))


def said(question: str = "When did they break down?", **more: Any) -> Answer:
    text = "They broke down in 2009. Everyone wept."
    first, second = "They broke down in 2009.", "Everyone wept."
    broke, differs = cite(TALKS, first), cite(OTHER, "broke down in 2008", 2)
    known: dict[str, Any] = {
        "claims": (
            Claim(first, 0, len(first), (broke,), 0.6, supported=True),
            Claim(second, len(first) + 1, len(text), (), 0.1),
        ),
        "sources": (source(1, TALKS, 21, 70), source(2, TALKS, 0, 40), source(3, OTHER, 0, len(OTHER.text))),
        "disagreements": (Disagreement("date", (Side("2009", broke), Side("2008", differs))),),
        "reason": Reason.PARTLY,
        "unanswered": "who left",
        "searched": "talks break down",
        "generation": 7,
        "model": "scripted",
        "timings": {"total": 1.5},
    }
    return Answer(**{"question": question, "text": text, **known, **more})


def keep(conversations: Conversations, owner: str, *questions: str) -> str:
    conversation = conversations.create(owner)
    for question in questions:
        conversations.append(conversation, owner=owner, question=question, answer=said(question).to_dict())
    return conversation


def test_a_reopened_conversation_has_its_turns_and_evidence_as_they_were(home: Path) -> None:
    with Conversations(home) as first:
        conversation = keep(first, "me", "When did they break down?", "Who left?")
    with Conversations(home) as again:
        turns = again.get(conversation, "me").turns
    assert [(turn.number, turn.question) for turn in turns] == [(1, "When did they break down?"), (2, "Who left?")]
    assert turns[0].answer == said().to_dict()
    assert turns[0].asked_at.endswith("+00:00")


def test_a_restored_answer_is_shown_like_the_one_that_was_given() -> None:
    answer = said()
    untitled = {"title": None, "headline": OTHER.headline}
    back = Answer.from_dict(json.loads(json.dumps(answer.to_dict())))
    given = answer.to_dict()
    for citation in (given["disagreements"][0]["sides"][1]["citation"], given["sources"][2]):
        assert {name: citation[name] for name in untitled} == untitled
        citation["title"] = OTHER.headline
    assert back.to_dict() == given
    assert render.answer(back, exchange_number=1) == render.answer(answer, exchange_number=1)
    assert render.evidence(back.sources) == render.evidence(answer.sources)


def test_what_is_no_answer_is_told(kept: Conversations) -> None:
    with pytest.raises(InputError, match="no answer"):
        Answer.from_dict({"question": "?"})


def test_the_first_question_cut_at_a_word_is_the_title(kept: Conversations) -> None:
    long = "What did the\nministers say about the islands when they met in Vladivostok that autumn?"
    keep(kept, "me", long, "And then?")
    assert kept.list("me")[0].title == "What did the ministers say about the islands when they met…"


def test_the_latest_used_comes_first_and_an_empty_one_is_not_listed(kept: Conversations) -> None:
    first, second = keep(kept, "me", "One?"), keep(kept, "me", "Two?")
    kept.create("me")
    assert [summary.id for summary in kept.list("me")] == [second, first]
    kept.append(first, owner="me", question="More?", answer=said().to_dict())
    assert [(summary.id, summary.turns) for summary in kept.list("me")] == [(first, 2), (second, 1)]


def test_nobody_reaches_what_is_somebody_elses(kept: Conversations) -> None:
    mine = keep(kept, "me", "Secret?")
    told = set()
    for conversation, owner in ((mine, "you"), ("no-such-id", "me"), ("no-such-id", "you"), (mine, "")):
        for attempt in (
            lambda c, o: kept.get(c, o),
            lambda c, o: kept.append(c, owner=o, question="?", answer={}),
            lambda c, o: kept.rename(c, o, "Mine now"),
            lambda c, o: kept.cut(c, o, turn=1),
            lambda c, o: kept.delete(c, o),
            lambda c, o: kept.feedback(c, o, turn=1, thumb="up"),
        ):
            with pytest.raises(InputError) as refused:
                attempt(conversation, owner)
            told.add(str(refused.value))
    assert len(told) == 1
    assert kept.list("you") == kept.search("you", "secret") == ()
    assert kept.get(mine, "me").title == "Secret?"
    with pytest.raises(InputError, match="owner"):
        kept.create("")


def test_search_finds_words_of_title_question_and_answer_whatever_their_case(kept: Conversations) -> None:
    talks, other = keep(kept, "me", "When did the TALKS end?", "Straße oder Weg?"), keep(kept, "me", "Who won?")
    keep(kept, "you", "When did the talks end?")
    kept.rename(other, "me", "The cup of 1954")
    assert [found.id for found in kept.search("me", "talks STRASSE")] == [talks]
    assert [found.id for found in kept.search("me", "cup")] == [other]
    assert {found.id for found in kept.search("me", "wept")} == {talks, other}
    assert kept.search("me", "100%") == kept.search("me", "W_o") == ()
    assert len(kept.search("me", " ")) == 2


def test_a_title_can_be_changed_but_not_to_nothing(kept: Conversations) -> None:
    conversation = keep(kept, "me", "Who?")
    kept.rename(conversation, "me", "  The   talks \n")
    assert kept.list("me")[0].title == "The talks"
    with pytest.raises(InputError, match="empty"):
        kept.rename(conversation, "me", " \n ")
    kept.append(conversation, owner="me", question="More?", answer=said().to_dict())
    assert kept.list("me")[0].title == "The talks"


def test_an_edited_question_takes_the_place_of_what_followed_it(kept: Conversations) -> None:
    conversation = keep(kept, "me", "One?", "Two?", "Three?")
    kept.cut(conversation, "me", turn=2)
    assert kept.append(conversation, owner="me", question="Other?", answer=said().to_dict()) == 2
    assert [turn.question for turn in kept.get(conversation, "me").turns] == ["One?", "Other?"]


def test_nothing_of_a_deleted_conversation_stays_on_disk(kept: Conversations, home: Path) -> None:
    keep(kept, "me", "A question that stays?")
    words = ["QUESTIONxyz" * 900, "ANSWERxyz" * 900, "REASONxyz", "TITLExyz", "OWNERxyz"]
    gone = kept.create(words[4])
    kept.append(gone, owner=words[4], question=words[0], answer=said(text=words[1]).to_dict())
    kept.feedback(gone, words[4], turn=1, thumb="down", reason=words[2])
    kept.rename(gone, words[4], words[3])
    assert all(found in on_disk(home) for found in (b"QUESTIONxyz", b"ANSWERxyz", b"REASONxyz", b"TITLExyz"))
    kept.delete(gone, words[4])
    assert b"xyz" not in on_disk(home)
    assert gone.encode() not in on_disk(home)
    assert b"A question that stays?" in on_disk(home)


def test_nothing_of_a_cut_turn_stays_on_disk(kept: Conversations, home: Path) -> None:
    conversation = keep(kept, "me", "One?", "QUESTIONxyz?")
    kept.cut(conversation, "me", turn=2)
    assert b"xyz" not in on_disk(home)


def on_disk(home: Path) -> bytes:
    return b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())


def test_a_thumb_and_its_reason_stand_beside_the_answer_until_taken_back(kept: Conversations) -> None:
    first, second = keep(kept, "me", "One?"), keep(kept, "you", "Two?", "Three?")
    kept.feedback(first, "me", turn=1, thumb="up")
    kept.feedback(second, "you", turn=2, thumb="down", reason=" the date is wrong ")
    (turn,) = kept.get(second, "you").turns[1:]
    assert (turn.thumb, turn.reason) == ("down", "the date is wrong")
    latest, earlier = kept.all_feedback()
    assert (latest.question, latest.thumb, latest.reason) == ("Three?", "down", "the date is wrong")
    assert latest.answer == said("Three?").to_dict()
    assert (earlier.question, earlier.thumb, earlier.reason) == ("One?", "up", "")
    kept.feedback(second, "you", turn=2, thumb=None)
    assert [one.question for one in kept.all_feedback()] == ["One?"]
    assert kept.get(second, "you").turns[1].reason == ""


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"turn": 2, "thumb": "up"}, "no turn 2"),
        ({"turn": 1, "thumb": "sideways"}, "sideways"),
        ({"turn": 1, "thumb": "up", "reason": "x" * (REASON_CHARS + 1)}, str(REASON_CHARS)),
    ],
)
def test_feedback_that_cannot_be_kept_is_refused(kept: Conversations, given: Any, complaint: str) -> None:
    conversation = keep(kept, "me", "One?")
    with pytest.raises(InputError, match=complaint):
        kept.feedback(conversation, "me", **given)
    assert kept.all_feedback() == ()


def test_text_that_is_no_unicode_is_kept_as_far_as_it_goes(kept: Conversations) -> None:
    conversation = keep(kept, "me\udcff", "What is \ud800?")
    kept.feedback(conversation, "me\udcff", turn=1, thumb="up", reason="\udfff!")
    kept.rename(conversation, "me\udcff", "\ud800 and more")
    assert kept.list("me\udcff")[0].title == "? and more"
    assert kept.get(conversation, "me\udcff").turns[0].reason == "?!"
    kept.append(conversation, owner="me\udcff", question="?", answer=said(text="\udfff").to_dict())
    exported(kept.get(conversation, "me\udcff")).encode()
    kept.get(conversation, "me\udcff").to_json().encode()


def test_only_this_user_may_read_the_file(kept: Conversations, home: Path) -> None:
    keep(kept, "me", "Who?")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in home.iterdir()}
    assert modes[FILE] == 0o600
    assert set(modes.values()) == {0o600}


def test_many_threads_lose_nothing(kept: Conversations) -> None:
    shared = kept.create("us")
    together = threading.Barrier(6)

    def write(name: str) -> None:
        own = kept.create(name)
        together.wait()
        for number in range(10):
            kept.append(own, owner=name, question=f"{name} {number}", answer={"text": name})
            kept.append(shared, owner="us", question=f"{name} {number}", answer={"text": name})
            kept.list(name)

    threads = [threading.Thread(target=write, args=(f"owner{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [turn.number for turn in kept.get(shared, "us").turns] == list(range(1, 61))
    for name in (f"owner{number}" for number in range(6)):
        (mine,) = kept.list(name)
        assert [turn.question for turn in kept.get(mine.id, name).turns] == [f"{name} {n}" for n in range(10)]


def test_processes_that_begin_at_once_lose_nothing(home: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from ui.conversations import Conversations\n"
        "with Conversations(Path(sys.argv[1])) as kept:\n"
        "    for number in range(20):\n"
        "        kept.append(kept.create('us'), owner='us', question=sys.argv[2], answer={'text': ''})\n"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", program, str(home), name], cwd=TOP, stderr=subprocess.PIPE)
        for name in ("first", "second", "third")
    ]
    errors = [process.communicate()[1] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0], errors
    with Conversations(home) as kept:
        titles = [summary.title for summary in kept.list("us")]
    assert {title: titles.count(title) for title in titles} == {"first": 20, "second": 20, "third": 20}


def test_a_file_of_a_newer_layout_is_refused_and_left_as_it_is(home: Path) -> None:
    Conversations(home).close()
    with contextlib.closing(sqlite3.connect(home / FILE)) as other:
        other.execute("PRAGMA user_version = 99")
    with pytest.raises(LayoutError, match="newer Citewire") as refused:
        Conversations(home)
    assert "move" not in str(refused.value), "the file is fine"
    with contextlib.closing(sqlite3.connect(home / FILE)) as other:
        assert other.execute("PRAGMA user_version").fetchone() == (99,)


@pytest.fixture
def next_layout(home: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A file of this layout, read by a Citewire that has another column; the id of the conversation in it."""
    with Conversations(home) as kept:
        conversation = keep(kept, "me", "When did they break down?", "Who left?")
        kept.feedback(conversation, "me", turn=2, thumb="up")
    monkeypatch.setattr(conversations, "MIGRATIONS", {1: ["ALTER TABLE turn ADD COLUMN language TEXT"]})
    monkeypatch.setattr(conversations, "LAYOUT", 2)
    return conversation


def columns(path: Path) -> tuple[int, list[str]]:
    with contextlib.closing(sqlite3.connect(path)) as file:
        layout = file.execute("PRAGMA user_version").fetchone()[0]
        return layout, [name for _, name, *_ in file.execute("PRAGMA table_info(turn)")]


def test_an_older_layout_is_migrated_after_a_copy_was_made(home: Path, next_layout: str) -> None:
    with Conversations(home) as kept:
        turns = kept.get(next_layout, "me").turns
    assert [(turn.question, turn.thumb) for turn in turns] == [("When did they break down?", None), ("Who left?", "up")]
    layout, names = columns(home / FILE)
    assert (layout, names[-1]) == (2, "language")
    layout, names = columns(home / f"{FILE}.layout-1")
    assert (layout, names[-1]) == (1, "rated_at")
    with contextlib.closing(sqlite3.connect(home / f"{FILE}.layout-1")) as copy:
        assert copy.execute("SELECT question FROM turn").fetchall() == [("When did they break down?",), ("Who left?",)]
    assert stat.S_IMODE((home / f"{FILE}.layout-1").stat().st_mode) == 0o600


@pytest.mark.parametrize("step", ["copy", "statement"])
def test_a_migration_that_fails_leaves_the_older_layout_whole(
    home: Path, next_layout: str, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    with monkeypatch.context() as broken:
        if step == "copy":

            def full(path: Path) -> None:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

            broken.setattr(database, "sync_file", full)
        else:
            wrong = ["ALTER TABLE turn ADD COLUMN language TEXT", "ALTER TABLE nothing ADD COLUMN language TEXT"]
            broken.setattr(conversations, "MIGRATIONS", {1: wrong})
        with pytest.raises(StoreError):
            Conversations(home)
    assert columns(home / FILE) == (1, columns(home / FILE)[1])
    assert "language" not in columns(home / FILE)[1]
    with Conversations(home) as kept:
        assert len(kept.get(next_layout, "me").turns) == 2


def test_a_file_in_use_is_not_called_damaged(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversations, "LOCK_WAIT_MS", 50)
    with Conversations(home) as kept, contextlib.closing(sqlite3.connect(kept.path)) as other:
        conversation = keep(kept, "me", "Who?")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="in use by another program") as told:
            keep(kept, "me", "Who else?")
        assert "move" not in str(told.value)
        assert [turn.question for turn in kept.get(conversation, "me").turns] == ["Who?"], "it can be read meanwhile"
        other.rollback()
        assert kept.append(conversation, owner="me", question="And now?", answer=said().to_dict()) == 2


READ_ONLY = """
import os, sys
from pathlib import Path
from index.errors import StoreError
from ui.conversations import Conversations
if os.getuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
with Conversations(Path(sys.argv[1])) as kept:
    print(*[turn.question for one in kept.everyone() for turn in one.turns], sep="|")
    try:
        kept.create("me")
    except StoreError as error:
        print(error)
"""


@pytest.fixture
def unwritable() -> Iterator[Path]:
    """A home that nobody but root can write to, and everybody can read."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        place = Path(folder) / "home"
        place.mkdir()
        yield place
        place.chmod(0o755)


def seal(home: Path) -> None:
    for path in home.iterdir():
        path.chmod(0o444)
    home.chmod(0o555)


def read_only(home: Path) -> list[str]:
    """What READ_ONLY prints: the questions, and what is said when something is to be kept."""
    tried = subprocess.run([sys.executable, "-c", READ_ONLY, str(home)], cwd=TOP, capture_output=True, text=True)
    assert tried.returncode == 0, tried.stderr
    return tried.stdout.splitlines()


def test_conversations_in_a_home_that_cannot_be_written_can_be_read(unwritable: Path) -> None:
    with Conversations(unwritable) as kept:
        keep(kept, "me", "When?", "Who?")
    seal(unwritable)
    before = {path.name: path.read_bytes() for path in unwritable.iterdir()}
    questions, refusal = read_only(unwritable)
    assert questions == "When?|Who?"
    assert "can be read here but not written" in refusal
    assert {path.name: path.read_bytes() for path in unwritable.iterdir()} == before


def test_turns_that_are_only_in_the_log_can_be_read_in_a_home_that_cannot_be_written(unwritable: Path) -> None:
    program = f"{KEEP}\nkeep(20)\nos.kill(os.getpid(), signal.SIGKILL)"
    subprocess.run([sys.executable, "-c", program, str(unwritable)], cwd=TOP)
    assert (unwritable / f"{FILE}-wal").stat().st_size
    (unwritable / f"{FILE}-shm").unlink()
    seal(unwritable)
    assert read_only(unwritable)[0] == "|".join(map(str, range(20)))


def test_a_home_without_conversations_that_cannot_be_written_has_none(unwritable: Path) -> None:
    seal(unwritable)
    questions, refusal = read_only(unwritable)
    assert questions == ""
    assert "can be read here but not written" in refusal


KEEP = """
import os, resource, signal, sys
from pathlib import Path
from index.errors import StoreError
from ui.conversations import Conversations
kept = Conversations(Path(sys.argv[1]))
conversation = kept.create("me")
def keep(count):
    for number in range(count):
        kept.append(conversation, owner="me", question=str(number), answer={"text": "x" * 3000})
        print(number, flush=True)
"""
"""A program that keeps turns and prints the number of each one that was kept."""


def test_no_acknowledged_turn_is_lost_by_a_kill(home: Path) -> None:
    acknowledged = []
    for _ in range(5):
        running = subprocess.Popen(
            [sys.executable, "-c", f"{KEEP}\nkeep(100000)", str(home)], cwd=TOP, stdout=subprocess.PIPE, text=True
        )
        assert running.stdout is not None
        heard = [running.stdout.readline() for _ in range(random.randint(1, 60))]
        running.kill()
        heard += running.communicate()[0].splitlines(keepends=True)
        acknowledged.append([line.strip() for line in heard if line.endswith("\n")])
    with Conversations(home) as kept:
        found = [[turn.question for turn in one.turns] for one in reversed(kept.everyone())]
    assert len(found) == len(acknowledged)
    for turns, told in zip(found, acknowledged, strict=True):
        assert turns[: len(told)] == told
        assert len(turns) <= len(told) + 1, "no more than the one that was being kept"


def test_what_is_kept_is_on_the_disk_before_it_is_acknowledged(kept: Conversations) -> None:
    assert kept._sql.execute("PRAGMA synchronous").fetchone() == (2,), "FULL: a loss of power takes back no commit"


def test_a_full_disk_loses_no_acknowledged_turn_and_what_follows_is_kept(home: Path) -> None:
    program = f"""{KEEP}
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
keep(5)
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
for _ in range(3):
    try:
        keep(1000)
        sys.exit("the disk was not full")
    except StoreError as error:
        print(error, file=sys.stderr)
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
print("room", flush=True)
keep(3)
"""
    tried = subprocess.run([sys.executable, "-c", program, str(home)], cwd=TOP, capture_output=True, text=True)
    assert tried.returncode == 0, tried.stderr
    assert "move" not in tried.stderr
    assert tried.stdout.splitlines()[-4:] == ["room", "0", "1", "2"]
    told = [line for line in tried.stdout.splitlines() if line != "room"]
    with Conversations(home) as kept:
        assert [turn.question for turn in kept.everyone()[0].turns] == told
        assert kept.counts() == {"conversations": 1, "turns": len(told)}


def test_a_check_tells_of_an_answer_that_was_altered(kept: Conversations, home: Path) -> None:
    conversation = keep(kept, "me", "When?", "Who?")
    assert kept.check() == ()
    with contextlib.closing(sqlite3.connect(home / FILE, isolation_level=None)) as other:
        other.execute("UPDATE turn SET answer = substr(answer, 2) WHERE number = 2")
    assert kept.check() == (f"turn 2 of conversation {conversation} holds no answer",)


def test_a_damaged_file_is_told_by_name(home: Path) -> None:
    home.mkdir()
    (home / FILE).write_bytes(b"this is no database" * 500)
    with pytest.raises(StoreError, match=FILE):
        Conversations(home)


def test_a_home_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="file"):
        Conversations(tmp_path / "file" / "home")


# Export


def exported(conversation: Conversation) -> str:
    return FORMATS["markdown"].content(subject.of_conversation(conversation)).decode()


def test_an_export_as_json_holds_everything(kept: Conversations) -> None:
    conversation = keep(kept, "me", "When did they break down?")
    kept.feedback(conversation, "me", turn=1, thumb="up", reason="it is so")
    exported = json.loads(kept.get(conversation, "me").to_json())
    assert exported["id"] == conversation
    assert exported["turns"][0]["answer"] == said().to_dict()
    assert (exported["turns"][0]["thumb"], exported["turns"][0]["reason"]) == ("up", "it is so")
    assert "owner" not in exported


def test_an_export_as_markdown_reads_like_the_answer(kept: Conversations) -> None:
    conversation = keep(kept, "me", "When did they break down?")
    shown = exported(kept.get(conversation, "me"))
    assert shown.startswith("# When did they break down?\n\n## When did they break down?\n\n*Asked on 20")
    assert (
        "They broke down in 2009. [1] *(partly supported)* Everyone wept. *(no supporting quote found)*\n\n"
        "*Incomplete: partly answered.*\n\n"
        "*Not answered: who left*\n\n"
        "Articles differ (date):\n"
        "- **2009** [1] Sputnik · Six-party talks · 2017-04-27\n"
        "- **2008** [2] The Post · By another count the talks broke down in 2008.\n\n"
        "[1] “They broke down in 2009.” Sputnik · Six-party talks · 2017-04-27 · <https://example.org/talks?a=1>\n\n"
        "[2] “broke down in 2008” The Post · By another count the talks broke down in 2008.\n"
    ) in shown


MARKUP = (
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "![i](https://evil.example/x.png)",
    "[link](javascript:alert(1))", "[1]: https://evil.example", "# heading", "## heading", "- item", "+ item",
    "* item", "1. item", "12) item", "> quote", "---", "===", "***", "```\ncode", "~~~ code", "    code",
    "`code`", "*emphasis*", "__strong__", "a\n\nb\n===", "| a | b |\n|---|---|", "https://evil.example/auto",
    "<https://evil.example>", "&lt;b&gt; &amp;", "back\\slash", "[^1]: note", "$x$", "\x1b[31mred", "two  \nlines",
)  # fmt: skip


@pytest.mark.parametrize("payload", MARKUP)
def test_no_text_becomes_markup(kept: Conversations, payload: str) -> None:
    article = Article("a1", payload, title=payload, source=payload, url=f"https://example.org/{payload}")
    citation = Citation(1, article, 0, len(payload))
    claim = Claim(payload, 0, len(payload), (citation,), 0.9, supported=True)
    answer = Answer(
        payload,
        payload + " " + payload,
        (claim,),
        unanswered=payload,
        disagreements=(Disagreement(payload, (Side(payload, citation),)),),
    )
    conversation = kept.create("me")
    kept.append(conversation, owner="me", question=payload, answer=answer.to_dict())
    page = MarkdownIt("gfm-like", {"html": True, "linkify": False}).render(exported(kept.get(conversation, "me")))
    tree = html.fromstring(f"<main>{page}</main>")
    safe = markup.safe_url(article.url)
    for element in tree.iter():
        assert element.tag in {"main", "h1", "h2", "p", "em", "ul", "li", "strong", "a"}, page
        assert set(element.attrib) <= {"href"}, page
        assert unquote(element.get("href", safe or "")) == (safe or "")
    words = " ".join(payload.replace("\x1b[31m", "").split())
    for element in (tree.xpath("//h2")[0], tree.xpath("//li")[0]):
        assert words in element.text_content()
    assert f"“{words}”" in tree.xpath("//p")[-1].text_content()
    assert tree.xpath("//p[2]")[0].text_content().startswith(f"{words} [1] ")


def test_a_copied_answer_is_the_one_that_is_exported(kept: Conversations) -> None:
    conversation = keep(kept, "me", "When did they break down?")
    assert markdown.render_answer(said()) in exported(kept.get(conversation, "me"))


@pytest.mark.parametrize("answer", ["[]", "3", "[" * 100_000, "{"])
def test_what_is_kept_as_an_answer_and_is_none_is_damage(kept: Conversations, home: Path, answer: str) -> None:
    conversation = keep(kept, "me", "When?")
    kept.feedback(conversation, "me", turn=1, thumb="up")
    with contextlib.closing(sqlite3.connect(home / FILE, isolation_level=None)) as other:
        other.execute("UPDATE turn SET answer = ?", (answer,))
    for read in (
        lambda: kept.get(conversation, "me"),
        lambda: kept.snippets([conversation], "me"),
        lambda: kept.search("me", "when"),
        kept.all_feedback,
    ):
        with pytest.raises(StoreError, match=r"is damaged: .*citewire restore FILE"):
            read()
    assert len(kept.check()) == 1
