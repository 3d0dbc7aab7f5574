"""Briefings: questions and searches that are saved, and answered again over what was added since the last time.

They lie in the file of the conversations, so a backup, a restore and a check of that file are theirs as well. What is
new is told by the articles that a briefing was asked of before, each with a hash of its text: an article that has
changed is new again, one that gets a tag or a date which a briefing asks for is new to that briefing, one that was
removed is forgotten, and a rebuild makes nothing new. A run is kept in one transaction, with its answer and with what
it has seen: one that is killed leaves everything as it was, and the next begins it again. Two processes take turns
through a lock. Knows no front end.
"""

from __future__ import annotations

import json
import secrets
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from index import filters
from index.errors import InputError, StoreError
from rag.answer import Answer, Reason
from rag.kind import KINDS, kind_of
from ui import conversations

if TYPE_CHECKING:
    import sqlite3
    import threading
    from collections.abc import Callable, Iterable, Sequence

    from index.filters import Filter
    from rag.engine import Engine
    from ui.conversations import Conversations

LOCK = "briefings.lock"
HOME = "home"
"""The owner of what is added at the command line: whoever has the home. Other owners are those of conversations."""
QUESTION_CHARS = 1000
MOST_OF_ONE_OWNER = 200
"""Briefings of one owner: more than anybody reads, and few enough to be asked one after the other."""
MOST_ENTRIES = 200
"""Answers that a briefing keeps, the latest ones: four years of weeks."""
NOTHING_NEW = "Nothing new"
WHOLE = ("list", "count", "timeline")
"""Kinds whose rows are all taken, as a saved search should."""

UNKNOWN = "there is no such briefing; it may have been removed"
"""Message for an id that does not exist or is somebody else's; it does not reveal which."""

_COLUMNS = "id, owner, name, question, kind, operators, articles, created, ran_at, outcome, generation"


@dataclass(frozen=True, slots=True)
class Briefing:
    """A saved question. `kind` is what it is answered as, "" as it asks; `operators` and `articles` narrow what it is
    asked of. Times are ISO 8601 in UTC, `ran_at` is "" before the first run; `outcome` says how the last one went,
    which saw the articles of `generation`. `entries` and `unread` are numbers of answers."""

    id: str
    owner: str
    name: str
    question: str
    kind: str
    operators: str
    articles: tuple[str, ...]
    created: str
    ran_at: str
    outcome: str
    generation: int
    entries: int = 0
    unread: int = 0

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready mapping."""
        names = ("id", "name", "question", "kind", "operators", "created", "ran_at", "outcome", "entries", "unread")
        return {**{name: getattr(self, name) for name in names}, "articles": list(self.articles)}


@dataclass(frozen=True, slots=True)
class Entry:
    """An answer of a briefing, numbered from 1, over so many new `articles`."""

    number: int
    answer: Answer
    found_at: str
    articles: int
    is_read: bool

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready mapping."""
        return {
            "number": self.number,
            "found_at": self.found_at,
            "articles": self.articles,
            "is_read": self.is_read,
            "answer": self.answer.to_dict(),
        }


@dataclass(frozen=True, slots=True)
class Ran:
    """How a run went: its `outcome` in words, and the entry that it made, None when there was nothing to tell."""

    briefing: Briefing
    outcome: str
    entry: Entry | None = None

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready mapping."""
        entry = None if self.entry is None else self.entry.to_dict()
        return {"id": self.briefing.id, "name": self.briefing.name, "outcome": self.outcome, "entry": entry}


class Briefings:
    """The briefings of one home. `owners` are those whose briefings are seen: others' raise InputError(UNKNOWN), as one
    that does not exist does; None sees all. Every method may be called from any thread."""

    def __init__(self, kept: Conversations, *, owners: Iterable[str] | None = None) -> None:
        """Over the file of the conversations, which stays open afterwards."""
        self._kept = kept
        self._owners = None if owners is None else frozenset(filter(None, owners))

    def add(
        self,
        question: str,
        *,
        owner: str = HOME,
        name: str = "",
        kind: str = "",
        operators: str = "",
        articles: Sequence[str] = (),
        seen: tuple[int, dict[str, str]] | None = None,
    ) -> Briefing:
        """Save a question. With `seen`, a generation of the index and its digests (Index.digests), it is asked of what
        is added after them; without, its first run is about all that there is.

        Raises InputError for a question, kind or operators that are wrong.
        """
        question, name, operators = (conversations.storable(one) for one in (question, name, operators))
        question = " ".join(question.split())
        rest, within = filters.parse(question)
        if not rest.strip():
            raise InputError("the question is empty; write what the briefing is about")
        if len(question) > QUESTION_CHARS:
            raise InputError(f"the question has {len(question)} characters, at most {QUESTION_CHARS} can be saved")
        if kind and kind not in KINDS:
            raise InputError(f"kind={kind!r}: choose one of {', '.join(KINDS)}")
        left_over, only = filters.parse(operators)
        if left_over.strip():
            raise InputError(f"{left_over.strip()!r} is no operator; write for example source:reuters")
        within.also(only)  # raises for two outlets
        if not owner:
            raise InputError("a briefing needs an owner")
        made = secrets.token_hex(8)
        generation, digests = seen or (0, {})
        row = (
            made, owner, conversations.shortened(name or rest), question, kind, operators.strip(),
            json.dumps(list(articles)), conversations.utc_now(), "", "", generation,
        )  # fmt: skip
        with self._kept.writing() as sql:
            conversations.make_briefings(sql)
            (number,) = sql.execute("SELECT count(*) FROM briefing WHERE owner = ?", (owner,)).fetchone()
            if number >= MOST_OF_ONE_OWNER:
                raise InputError(f"there are {number} briefings already, the most for one person; remove one first")
            sql.execute(f"INSERT INTO briefing ({_COLUMNS}) VALUES ({', '.join('?' * len(row))})", row)
            _note_seen(sql, made, digests)
        return self.get(made)

    def list(self) -> tuple[Briefing, ...]:
        """The briefings, in the order they were added."""
        with self._kept.reading() as sql:
            if not conversations.has_briefings(sql):
                return ()
            rows = sql.execute(f"SELECT {_COLUMNS} FROM briefing ORDER BY created, rowid").fetchall()
            return tuple(_briefing(sql, row) for row in rows if self._sees(row[1]))

    def get(self, briefing: str) -> Briefing:
        """One briefing."""
        with self._kept.reading() as sql:
            return self._known(sql, briefing)

    def entries(self, briefing: str) -> tuple[Entry, ...]:
        """Its answers, newest first. Raises StoreError or InputError for one that is damaged."""
        with self._kept.reading() as sql:
            known = self._known(sql, briefing)
            rows = sql.execute(
                "SELECT number, answer, found_at, articles, is_read FROM entry WHERE briefing = ? ORDER BY number DESC",
                (known.id,),
            )
            return tuple(
                Entry(number, Answer.from_dict(json.loads(answer)), found_at, articles, bool(is_read))
                for number, answer, found_at, articles, is_read in rows
            )

    def mark_read(self, briefing: str) -> None:
        """Its answers were looked at."""
        with self._kept.writing() as sql:
            sql.execute("UPDATE entry SET is_read = 1 WHERE briefing = ?", (self._known(sql, briefing).id,))

    def remove(self, briefing: str) -> None:
        """Delete it with its answers; their bytes are overwritten."""
        with self._kept.writing() as sql:
            sql.execute("DELETE FROM briefing WHERE id = ?", (self._known(sql, briefing).id,))
        self._kept.forget_copies()

    def run(
        self,
        briefing: str,
        engine: Engine,
        *,
        cancel: threading.Event | None = None,
        report: Callable[[str], None] = lambda _: None,
        wait: bool = True,
    ) -> Ran:
        """Ask it of what is new, and keep the answer. When nothing is new, no model is asked.

        A refused question leaves no entry: the outcome says so, and what it was asked of counts as seen. `report` gets
        what is being done. Raises InputError with `wait` false while another process runs briefings, and what
        Engine.ask raises; then nothing is kept, as when it was cancelled.
        """
        known = self.get(briefing)
        lock = FileLock(engine.index.home / LOCK, mode=0o600)
        try:
            with lock.acquire(timeout=-1 if wait else 0):
                return self._run(self.get(known.id), engine, cancel, report)
        except Timeout:
            raise InputError("briefings are being run already; try again in a moment") from None
        except PermissionError as error:
            raise StoreError(f"{engine.index.home} can be read here but not written, so no briefing is run") from error

    def _run(
        self, known: Briefing, engine: Engine, cancel: threading.Event | None, report: Callable[[str], None]
    ) -> Ran:
        index = engine.index
        generation, only = index.generation, _only(known)
        if known.ran_at and known.generation == generation and not only.tags:  # a tag makes no generation
            return self._keep(known, generation, None, NOTHING_NEW)
        report("looking for what is new")
        digests = index.digests()
        with self._kept.reading() as sql:
            seen = dict(sql.execute("SELECT article, digest FROM seen WHERE briefing = ?", (known.id,)))
        chosen, asked = (
            frozenset(known.articles),
            set(seen.values()),
        )  # whatever the id: an article that was moved or copied is not new
        new = [article for article, digest in digests.items() if digest not in asked]
        if known.articles:
            new = [article for article in new if article in chosen]
        if only:
            passes = index.resolve(only).passes_article
            passing = {one.id for one in index.openings(0) if passes(one)}  # without what was removed just now
            new = [article for article in new if article in passing]
        seen = {article: digest for article, digest in digests.items() if digest in asked}
        if not new:
            return self._keep(known, generation, seen, NOTHING_NEW)
        seen |= {article: digests[article] for article in new}
        number = f"{len(new):,} new article{'' if len(new) == 1 else 's'}"
        report(f"asking about {number}")
        kind = known.kind or kind_of(filters.without_operators(known.question))
        answer = engine.ask(
            known.question,
            kind=kind,
            only=filters.parse(known.operators)[1] or None,
            articles=new,
            limit=sys.maxsize if kind in WHOLE else None,
            cancel=cancel,
        )
        if answer.reason == Reason.CANCELLED:
            return Ran(known, "Stopped")
        if answer.reason == Reason.FILTERED_OUT:
            return self._keep(known, generation, seen, NOTHING_NEW)
        if answer.refused:
            return self._keep(known, generation, seen, f"{number}, but no answer: {answer.reason}")
        return self._keep(known, generation, seen, f"Answered from {number}", answer, articles=len(new))

    def _keep(
        self,
        known: Briefing,
        generation: int,
        seen: dict[str, str] | None,
        outcome: str,
        answer: Answer | None = None,
        *,
        articles: int = 0,
    ) -> Ran:
        """Keep how a run went, what it has seen and its answer, all or nothing."""
        now, entry = conversations.utc_now(), None
        with self._kept.writing() as sql:
            changed = sql.execute(
                "UPDATE briefing SET ran_at = ?, outcome = ?, generation = ? WHERE id = ? AND ran_at = ?",
                (now, outcome, generation, known.id, known.ran_at),
            )
            if not changed.rowcount:  # removed meanwhile, or its file was restored
                raise InputError(UNKNOWN)
            if seen is not None:
                _note_seen(sql, known.id, seen)
            if answer is not None:
                last = sql.execute("SELECT max(number) FROM entry WHERE briefing = ?", (known.id,)).fetchone()[0]
                entry = Entry((last or 0) + 1, answer, now, articles, is_read=False)
                sql.execute(
                    "INSERT INTO entry (briefing, number, answer, found_at, articles, is_read) "
                    "VALUES (?, ?, ?, ?, ?, 0)",
                    (known.id, entry.number, json.dumps(answer.to_dict()), now, articles),
                )
                sql.execute(
                    "DELETE FROM entry WHERE briefing = ? AND number <= ?", (known.id, entry.number - MOST_ENTRIES)
                )
        return Ran(self.get(known.id), outcome, entry)

    def _known(self, sql: sqlite3.Connection, briefing: str) -> Briefing:
        row = None
        if conversations.has_briefings(sql):
            wanted = (conversations.storable(briefing),)
            row = sql.execute(f"SELECT {_COLUMNS} FROM briefing WHERE id = ?", wanted).fetchone()
        if row is None or not self._sees(row[1]):
            raise InputError(UNKNOWN)
        return _briefing(sql, row)

    def _sees(self, owner: str) -> bool:
        return self._owners is None or owner in self._owners


def _briefing(sql: sqlite3.Connection, row: tuple[Any, ...]) -> Briefing:
    """A row of _COLUMNS, with its numbers of entries."""
    entries, unread = sql.execute(
        "SELECT count(*), count(*) - coalesce(sum(is_read), 0) FROM entry WHERE briefing = ?", (row[0],)
    ).fetchone()
    names = _COLUMNS.split(", ")
    known = {**dict(zip(names, row, strict=True)), "articles": tuple(json.loads(row[names.index("articles")]))}
    return Briefing(**known, entries=entries, unread=unread)


def _note_seen(sql: sqlite3.Connection, briefing: str, digests: dict[str, str]) -> None:
    """Let these be the articles that a briefing has seen."""
    sql.execute("DELETE FROM seen WHERE briefing = ?", (briefing,))
    sql.executemany("INSERT INTO seen VALUES (?, ?, ?)", [(briefing, *one) for one in digests.items()])


def _only(known: Briefing) -> Filter:
    """Which articles it is asked of, by the operators beside its question and in it."""
    return filters.parse(known.operators)[1].also(filters.parse(known.question)[1])
