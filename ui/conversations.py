"""Conversations: questions and answers, stored in the home so that they can be reopened as they were.

One SQLite file beside the index, in WAL mode, that any thread and a second process may use. An answer is kept as
`Answer.to_dict()` gives it, with its quotes and passages, so a reopened conversation shows the evidence of its day
whatever became of the articles. Knows no engine, no index and no front end.

    conversation   an unguessable id, whose it is, its title and times
    turn           question, answer and the reader's thumb, numbered from 1 within a conversation
    briefing       a question that is asked again of what is new (ui/briefings.py); `seen` are the articles that it was
                   asked of, `entry` its answers
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
import sqlite3
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, Self

from index import database, lock, restore
from index import home as homes
from index.errors import InputError, LayoutError, StoreError
from index.process import Process
from rag.answer import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

FILE = "conversations.sqlite"
LAYOUT = 1
"""Version of the tables below, kept in SQLite's user_version."""
APPLICATION_ID = 0x43495443  # "CITC"
TITLE_CHARS = 60
REASON_CHARS = 2000
MIGRATIONS: Mapping[int, Sequence[str]] = {}
"""Layout → the statements that migrate it to the next one."""
LOCK_WAIT_MS = 10_000
CHECKPOINT_WAIT_MS = 1000

UNKNOWN = "there is no such conversation; it may have been deleted"
"""Message for an id that does not exist, was deleted, or is somebody else's; it does not reveal which."""

DAMAGED = (
    "bring it back from a backup with: citewire restore FILE, or move it away to begin anew; the articles are not in it"
)

Thumb = Literal["up", "down"]

_SCHEMA = f"""
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {LAYOUT};
CREATE TABLE conversation (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, title TEXT NOT NULL, created TEXT NOT NULL, updated TEXT NOT NULL
);
CREATE INDEX conversation_owner ON conversation (owner, updated);
CREATE TABLE turn (
    conversation TEXT NOT NULL REFERENCES conversation (id) ON DELETE CASCADE, number INTEGER NOT NULL,
    question TEXT NOT NULL, answer TEXT NOT NULL, asked_at TEXT NOT NULL,
    thumb TEXT CHECK (thumb IN ('up', 'down')), reason TEXT NOT NULL DEFAULT '', rated_at TEXT,
    PRIMARY KEY (conversation, number)
);
CREATE TABLE briefing (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, name TEXT NOT NULL, question TEXT NOT NULL, kind TEXT NOT NULL,
    operators TEXT NOT NULL, articles TEXT NOT NULL, created TEXT NOT NULL, ran_at TEXT NOT NULL,
    outcome TEXT NOT NULL, generation INTEGER NOT NULL
);
CREATE TABLE seen (
    briefing TEXT NOT NULL REFERENCES briefing (id) ON DELETE CASCADE, article TEXT NOT NULL, digest TEXT NOT NULL,
    PRIMARY KEY (briefing, article)
) WITHOUT ROWID;
CREATE TABLE entry (
    briefing TEXT NOT NULL REFERENCES briefing (id) ON DELETE CASCADE, number INTEGER NOT NULL, answer TEXT NOT NULL,
    found_at TEXT NOT NULL, articles INTEGER NOT NULL, is_read INTEGER NOT NULL, PRIMARY KEY (briefing, number)
)
"""
BRIEFINGS = ("briefing", "seen", "entry")
"""The tables of ui/briefings.py. A file of an older Citewire has none until the first briefing is added, so that it
need not be copied for a new layout."""

SNIPPET_CHARS = 120
"""How much of an answer stands under the title of its conversation: two lines of the list beside the page."""
_SUMMARY = """
SELECT conversation.id, title, (SELECT count(*) FROM turn WHERE conversation = conversation.id), created, updated
FROM conversation
"""
_TURN = "number, question, answer, asked_at, thumb, reason"


@dataclass(frozen=True, slots=True)
class Summary:
    """A conversation as a list shows it. `turns` is their number; times are ISO 8601 in UTC."""

    id: str
    title: str
    turns: int
    created: str
    updated: str

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready mapping."""
        return {name: getattr(self, name) for name in ("id", "title", "turns", "created", "updated")}


@dataclass(frozen=True, slots=True)
class Kept:
    """One turn. `answer` is what `Answer.to_dict` gave then; `thumb` and `reason` are the reader's, if any."""

    number: int
    question: str
    answer: Mapping[str, Any]
    asked_at: str
    thumb: Thumb | None = None
    reason: str = ""

    def restored(self) -> Answer:
        """The answer as a value again. Raises InputError for one that is damaged."""
        return Answer.from_dict(self.answer)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready mapping."""
        names = ("number", "question", "answer", "asked_at", "thumb", "reason")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class Conversation:
    """A whole conversation, with its turns oldest first."""

    id: str
    title: str
    created: str
    updated: str
    turns: tuple[Kept, ...]

    @property
    def summary(self) -> Summary:
        """Its row in a list."""
        return Summary(self.id, self.title, len(self.turns), self.created, self.updated)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready mapping of everything stored."""
        known = {name: getattr(self, name) for name in ("id", "title", "created", "updated")}
        return {**known, "turns": [kept.to_dict() for kept in self.turns]}

    def to_json(self) -> str:
        """`to_dict` as indented JSON in ASCII."""
        return json.dumps(self.to_dict(), indent=2) + "\n"


@dataclass(frozen=True, slots=True)
class Feedback:
    """A thumb with its reason, its question and its answer."""

    conversation: str
    turn: int
    thumb: Thumb
    reason: str
    rated_at: str
    question: str
    answer: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready mapping."""
        names = ("conversation", "turn", "thumb", "reason", "rated_at", "question", "answer")
        return {name: getattr(self, name) for name in names}


class Conversations:
    """The conversations of one home. Every method may be called from any thread.

    `owner` says whose a conversation is: an opaque text that is not empty, a browser's secret or a login's name.
    A method that is given the id of a conversation raises InputError(UNKNOWN) unless it is the owner's.
    What a method that writes has returned from is on the disk: neither a kill nor a loss of power takes it back.
    All raise StoreError when the file cannot be used; those that write, also when it can only be read.
    """

    def __init__(self, home: Path) -> None:
        """Open the conversations in `home`, or begin them.

        A file of an older layout is brought to the present one, after a copy of it was made beside it. Where nothing
        can be written, what is kept can be read. Raises LayoutError for a file of a newer layout.
        """
        self.path = home / FILE
        self.writable = _make(self.path)
        self._lock = threading.Lock()
        self._process = Process(self, f"{self.path}", path=self.path)
        self._open()
        # Looked at when the file is open: from here on no restore can begin (restore.alone).
        if restore.is_ready(home) and self.writable:
            self._opened.close()
            lock.finish_restore(home)
            self._open()

    def __enter__(self) -> Self:
        """Return the conversations."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close them."""
        self.close()

    def close(self) -> None:
        """Close the file. Does nothing in a forked process."""
        if not self._process.is_here:
            return
        self._process.close()
        with self._lock:
            self._opened.close()

    def create(self, owner: str) -> str:
        """Begin a conversation and return its id. It is listed once it has a turn."""
        if not owner:
            raise InputError("a conversation needs an owner")
        conversation, now = secrets.token_hex(16), utc_now()  # never begins with a dash
        with self.writing() as sql:
            sql.execute("INSERT INTO conversation VALUES (?, ?, '', ?, ?)", (conversation, storable(owner), now, now))
        return conversation

    def append(self, conversation: str, *, owner: str, question: str, answer: Mapping[str, Any]) -> int:
        """Keep a question and its answer, `Answer.to_dict()`; returns the number of the turn, counted from 1.

        The first question, shortened, becomes the title.
        """
        question, now = storable(question), utc_now()
        with self.writing(conversation, owner) as sql:
            last = sql.execute("SELECT max(number) FROM turn WHERE conversation = ?", (conversation,)).fetchone()[0]
            number: int = (last or 0) + 1
            sql.execute(
                "INSERT INTO turn (conversation, number, question, answer, asked_at) VALUES (?, ?, ?, ?, ?)",
                (conversation, number, question, json.dumps(answer), now),
            )
            sql.execute(
                "UPDATE conversation SET updated = ?, title = CASE title WHEN '' THEN ? ELSE title END WHERE id = ?",
                (now, shortened(question), conversation),
            )
        return number

    def list(self, owner: str) -> tuple[Summary, ...]:
        """The owner's conversations that have a turn, most recently used first."""
        with self.reading() as sql:
            rows = sql.execute(f"{_SUMMARY} WHERE owner = ? ORDER BY updated DESC, rowid DESC", (storable(owner),))
            return tuple(summary for summary in (Summary(*row) for row in rows) if summary.turns)

    def snippets(self, conversations: Sequence[str], owner: str) -> dict[str, str]:
        """How the last answers of these conversations begin, those that are the owner's; by their ids."""
        with self.reading() as sql:
            rows = sql.execute(
                "SELECT conversation, answer, max(number) FROM turn JOIN conversation ON id = conversation "
                "WHERE owner = ? AND conversation IN (SELECT value FROM json_each(?)) GROUP BY conversation",
                (storable(owner), json.dumps(list(conversations))),
            )
            texts = {one: str(_parsed(answer).get("text", "")) for one, answer, _ in rows}
        return {one: " ".join(text[:SNIPPET_CHARS].split()) for one, text in texts.items()}

    def search(self, owner: str, text: str) -> tuple[Summary, ...]:
        """Those of `list` that have every word of `text` in their title, a question or an answer's text.

        Case does not count, and part of a word is enough; an empty `text` finds all.
        """
        words = text.casefold().split()
        texts: dict[str, str] = {}
        with self.reading() as sql:
            rows = sql.execute(
                "SELECT id, title, question, answer FROM turn JOIN conversation ON id = conversation WHERE owner = ?",
                (storable(owner),),
            )
            for conversation, title, question, answer in rows:
                text_of_turn = f"{title}\n{question}\n{_parsed(answer).get('text', '')}\n"
                texts[conversation] = texts.get(conversation, "") + text_of_turn.casefold()
        found = {
            conversation for conversation, text_of_all in texts.items() if all(word in text_of_all for word in words)
        }
        return tuple(summary for summary in self.list(owner) if summary.id in found)

    def get(self, conversation: str, owner: str) -> Conversation:
        """A whole conversation."""
        with self.reading(conversation, owner) as sql:
            return _conversation(sql, conversation)

    def turn(self, conversation: str, owner: str, *, number: int) -> Kept:
        """One turn of a conversation. Raises InputError for one that does not exist."""
        with self.reading(conversation, owner) as sql:
            row = sql.execute(
                f"SELECT {_TURN} FROM turn WHERE conversation = ? AND number = ?", (conversation, number)
            ).fetchone()
            if row is None:
                raise InputError(f"the conversation has no turn {number}")
            return _kept(row)

    def rename(self, conversation: str, owner: str, title: str) -> None:
        """Give it another title, cut to a line of TITLE_CHARS. Raises InputError for an empty one."""
        title = shortened(storable(title))
        if not title:
            raise InputError("the title is empty; write one")
        with self.writing(conversation, owner) as sql:
            sql.execute("UPDATE conversation SET title = ? WHERE id = ?", (title, conversation))

    def cut(self, conversation: str, owner: str, *, turn: int) -> None:
        """Delete this turn and all after it, as when a question is edited and asked again."""
        with self.writing(conversation, owner) as sql:
            sql.execute("DELETE FROM turn WHERE conversation = ? AND number >= ?", (conversation, turn))
        self.forget_copies()

    def delete(self, conversation: str, owner: str) -> None:
        """Delete a conversation with all its turns; its bytes are overwritten in the database and its log."""
        with self.writing(conversation, owner) as sql:
            sql.execute("DELETE FROM conversation WHERE id = ?", (conversation,))
        self.forget_copies()

    def put_back(self, deleted: Conversation, owner: str) -> None:
        """Keep a conversation again that this owner has deleted, as it was. One that is kept stays as it is."""
        if not owner:
            raise InputError("a conversation needs an owner")
        row = (deleted.id, storable(owner), deleted.title, deleted.created, deleted.updated)
        with self.writing() as sql:
            if not sql.execute("INSERT OR IGNORE INTO conversation VALUES (?, ?, ?, ?, ?)", row).rowcount:
                return
            sql.executemany(
                "INSERT INTO turn VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        *(deleted.id, kept.number, kept.question, json.dumps(kept.answer), kept.asked_at),
                        *(kept.thumb, kept.reason, utc_now() if kept.thumb else None),
                    )
                    for kept in deleted.turns
                ],
            )

    def feedback(self, conversation: str, owner: str, *, turn: int, thumb: Thumb | None, reason: str = "") -> None:
        """Keep the reader's thumb and reason beside a turn; None takes them back.

        Raises InputError for a turn that there is not, another thumb, or a reason over REASON_CHARS.
        """
        if thumb not in ("up", "down", None):
            raise InputError(f"thumb {thumb!r}: up, down or none is needed")
        reason = storable(reason).strip() if thumb else ""
        if len(reason) > REASON_CHARS:
            raise InputError(f"the reason has {len(reason)} characters; at most {REASON_CHARS} are kept")
        with self.writing(conversation, owner) as sql:
            changed = sql.execute(
                "UPDATE turn SET thumb = ?, reason = ?, rated_at = ? WHERE conversation = ? AND number = ?",
                (thumb, reason, utc_now() if thumb else None, conversation, turn),
            )
            if not changed.rowcount:
                raise InputError(f"the conversation has no turn {turn}")

    def all_feedback(self) -> tuple[Feedback, ...]:
        """Every thumb of every owner, newest first, for the owner of the home."""
        with self.reading() as sql:
            rows = sql.execute(
                "SELECT conversation, number, thumb, reason, rated_at, question, answer FROM turn "
                "WHERE thumb IS NOT NULL ORDER BY rated_at DESC, conversation, number"
            )
            return tuple(
                Feedback(conversation, turn, thumb, reason, rated_at, question, _parsed(answer))
                for conversation, turn, thumb, reason, rated_at, question, answer in rows
            )

    def everyone(self) -> tuple[Conversation, ...]:
        """Every conversation of every owner that has a turn, newest first, for the owner of the home."""
        with self.reading() as sql:
            ids = sql.execute(
                "SELECT id FROM conversation WHERE id IN (SELECT conversation FROM turn) "
                "ORDER BY updated DESC, rowid DESC"
            )
            return tuple(_conversation(sql, conversation) for (conversation,) in ids.fetchall())

    def check(self) -> tuple[str, ...]:
        """What is damaged in the file; empty when it is sound."""
        with self.reading() as sql:
            found = [row for (row,) in sql.execute("PRAGMA integrity_check(5)") if row != "ok"]
            lost = sql.execute("SELECT count(*) FROM turn WHERE conversation NOT IN (SELECT id FROM conversation)")
            if count := lost.fetchone()[0]:
                found.append(f"{count} turns without a conversation")
            # Not whether it has all that an answer has today: one of an older Citewire may have less.
            for conversation, number, answer in sql.execute("SELECT conversation, number, answer FROM turn"):
                if not _is_answer(answer):
                    found.append(f"turn {number} of conversation {conversation} holds no answer")
            if has_briefings(sql):
                for briefing, number, answer in sql.execute("SELECT briefing, number, answer FROM entry"):
                    if not _is_answer(answer):
                        found.append(f"entry {number} of briefing {briefing} holds no answer")
        return tuple(found)

    def counts(self) -> dict[str, int]:
        """How many conversations that have a turn there are, and how many turns in all."""
        with self.reading() as sql:
            conversations, turns = sql.execute("SELECT count(DISTINCT conversation), count(*) FROM turn").fetchone()
        return {"conversations": conversations, "turns": turns}

    def _open(self) -> None:
        with contextlib.ExitStack() as stack, self._explained():
            self._sql = self._connect(stack)
            self._prepare()
            self._opened = stack.pop_all()

    def _connect(self, stack: contextlib.ExitStack) -> sqlite3.Connection:
        wait_s = LOCK_WAIT_MS / 1000
        if self.writable:
            sql = sqlite3.connect(self.path, timeout=wait_s, isolation_level=None, check_same_thread=False)
        elif self.path.exists():
            return stack.enter_context(database.open_read_only(self.path, wait_s=wait_s))
        else:
            sql = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        stack.callback(sql.close)
        return sql

    def _prepare(self) -> None:
        if self.writable:
            self._sql.execute("PRAGMA journal_mode = WAL")
            # In WAL mode, NORMAL would put what was committed on the disk only at the next checkpoint.
            self._sql.execute("PRAGMA synchronous = FULL")
            self._sql.execute("PRAGMA secure_delete = ON")
        self._sql.execute("PRAGMA foreign_keys = ON")
        layout = self._layout()
        if layout == 0 and not self._sql.execute("SELECT 1 FROM sqlite_master").fetchone():
            layout = self._begin()
        if layout in MIGRATIONS and self.writable:
            layout = self._migrate()
        if layout > LAYOUT:
            raise LayoutError(
                f"{self.path} was written by a newer Citewire (layout {layout}, this one reads {LAYOUT}); "
                "the file is fine: update Citewire"
            )
        if layout != LAYOUT:
            mend = "open it once where it can be written" if layout in MIGRATIONS else DAMAGED
            raise LayoutError(f"{self.path} has layout {layout}, this Citewire reads layout {LAYOUT}; {mend}")

    def _layout(self) -> int:
        layout: int = self._sql.execute("PRAGMA user_version").fetchone()[0]
        return layout

    def _begin(self) -> int:
        """Create the tables in an empty file, unless another process was quicker; returns the layout."""
        with database.transaction(self._sql, "IMMEDIATE"):
            if not self._sql.execute("SELECT 1 FROM sqlite_master").fetchone():
                for statement in _SCHEMA.split(";\n"):
                    self._sql.execute(statement)
        return self._layout()

    def _migrate(self) -> int:
        """Migrate an older layout in one transaction, after a copy was made beside it; returns the layout."""
        with database.transaction(self._sql, "IMMEDIATE"):
            first = layout = self._layout()
            if layout in MIGRATIONS:  # another process may have been quicker
                kept = self.path.with_name(f"{FILE}.layout-{first}")
                try:
                    database.copy_beside(self.path, kept)
                except OSError as error:
                    raise StoreError(
                        f"{self.path} has layout {first} and was left so: no copy of it can be made beside it "
                        f"({error.strerror}); free some space and try again"
                    ) from error
            while layout in MIGRATIONS:
                for statement in MIGRATIONS[layout]:
                    self._sql.execute(statement)
                layout += 1
            self._sql.execute(f"PRAGMA user_version = {layout}")
        return layout

    @contextlib.contextmanager
    def reading(self, conversation: str | None = None, owner: str = "") -> Iterator[sqlite3.Connection]:
        """One state of the file; given a conversation, only if it is the owner's."""
        self._process.check()
        with self._lock, self._explained(), database.transaction(self._sql, "DEFERRED"):
            self._check(conversation, owner)
            yield self._sql

    @contextlib.contextmanager
    def writing(self, conversation: str | None = None, owner: str = "") -> Iterator[sqlite3.Connection]:
        """One transaction; given a conversation, only if it is the owner's."""
        self._process.check()
        if not self.writable:
            raise StoreError(f"{self.path} can be read here but not written, so nothing new is kept")
        with self._lock, self._explained(), database.transaction(self._sql, "IMMEDIATE"):
            self._check(conversation, owner)
            yield self._sql

    def _check(self, conversation: str | None, owner: str) -> None:
        if conversation is None:
            return
        known = self._sql.execute(
            "SELECT 1 FROM conversation WHERE id = ? AND owner = ?", (storable(conversation), storable(owner))
        )
        if known.fetchone() is None:
            raise InputError(UNKNOWN)

    def forget_copies(self) -> None:
        """Delete the copies of older layouts, and move the log into the database, so that neither has deleted text.

        While another process reads, the log stays until the next deletion, or until the file is closed.
        """
        for copy in self.path.parent.glob(f"{FILE}.layout-*"):
            copy.unlink(missing_ok=True)
        with self._lock, self._explained():
            self._sql.execute(f"PRAGMA busy_timeout = {CHECKPOINT_WAIT_MS}")
            with contextlib.suppress(sqlite3.OperationalError):
                self._sql.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._sql.execute(f"PRAGMA busy_timeout = {LOCK_WAIT_MS}")

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn errors of SQLite into ours."""
        try:
            yield
        except sqlite3.Error as error:
            raise database.explained(self.path, error, damaged=DAMAGED, waited_s=LOCK_WAIT_MS / 1000) from error
        except (json.JSONDecodeError, RecursionError) as error:
            raise StoreError(f"{self.path} is damaged: what it holds as an answer is none; {DAMAGED}") from error


def has_briefings(sql: sqlite3.Connection) -> bool:
    """Whether a file has the tables of briefings."""
    found = sql.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'briefing'").fetchone()
    return found is not None


def make_briefings(sql: sqlite3.Connection) -> None:
    """Make the tables of briefings in a file that has none, within a transaction."""
    if not has_briefings(sql):
        for statement in _SCHEMA.split(";\n"):
            if any(statement.strip().startswith(f"CREATE TABLE {name} ") for name in BRIEFINGS):
                sql.execute(statement)


def _conversation(sql: sqlite3.Connection, conversation: str) -> Conversation:
    title, created, updated = sql.execute(
        "SELECT title, created, updated FROM conversation WHERE id = ?", (conversation,)
    ).fetchone()
    rows = sql.execute(f"SELECT {_TURN} FROM turn WHERE conversation = ? ORDER BY number", (conversation,))
    return Conversation(conversation, title, created, updated, tuple(map(_kept, rows)))


def _kept(row: tuple[Any, ...]) -> Kept:
    """A row of _TURN."""
    number, question, answer, asked_at, thumb, reason = row
    return Kept(number, question, _parsed(answer), asked_at, thumb, reason)


def _parsed(answer: str) -> dict[str, Any]:
    """An answer as a mapping. Raises JSONDecodeError or RecursionError for what is none."""
    found = json.loads(answer)
    if not isinstance(found, dict):
        raise json.JSONDecodeError("no object", answer, 0)
    return found


def _is_answer(text: str) -> bool:
    try:
        _parsed(text)
    except (ValueError, TypeError, RecursionError):
        return False
    return True


def _make(path: Path) -> bool:
    """Create the file, readable by its owner only, if it is missing; returns whether it can be written."""
    try:
        homes.make(path.parent)
        # SQLite gives the files beside it the mode of the database: nobody else may read what was asked.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS) or not path.parent.is_dir():
            raise StoreError(f"{path} cannot be opened: {error.strerror}") from error
        return False
    return os.access(path.parent, os.W_OK)


def shortened(text: str) -> str:
    """The first TITLE_CHARS of `text` on one line, ending with a whole word."""
    words = " ".join(text.split())
    if len(words) <= TITLE_CHARS:
        return words
    return words[: TITLE_CHARS - 1].rsplit(" ", 1)[0].rstrip(" ,;:.") + "…"


def storable(text: str) -> str:
    """`text` with halves of surrogate pairs, which SQLite cannot store, as question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")


def utc_now() -> str:
    """The time in UTC, as ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="microseconds")
