"""Postings: which passages of one generation have a word, and how often, kept in memory for the next search.

FTS5 walks through all passages with a common word whenever it is asked for one. Here each word is read from it once a
generation, when it is first asked for; beyond KEPT_BYTES, those are forgotten that nobody has asked for longest.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from index.errors import StoreError
from index.store.schema import MEND

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection

    from numpy.typing import NDArray

KEPT_BYTES = 64 * 2**20
"""Most memory for the postings of one index, six bytes each: all words of 100,000 sentences take 12 MB."""
COLUMNS = 3
"""Of the word index."""

_EXPRESSION = re.compile(r'(?P<as_written>\{title text\} : )?"(?P<form>[^"]*)"(?P<is_prefix>\*)?')
"""What index.store.words.expression makes."""


@dataclass(frozen=True, slots=True)
class Posting:
    """The passages with a word: their places among all passages, ascending, shape (n,), and how often each has it."""

    places: NDArray[np.int32]
    counts: NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Passages:
    """All passages of a generation: ids, ascending, shape (n,), and how many words each has, title and other spellings
    included."""

    ids: NDArray[np.int64]
    sizes: NDArray[np.int64]

    def places(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where those of `ids` that there are, ascending, stand in `self.ids`."""
        places = np.searchsorted(self.ids, ids)
        there = places < len(self.ids)
        there[there] = self.ids[places[there]] == ids[there]
        return places[there]

    def matching(self, scores: NDArray[np.float64], among: Collection[int] | None) -> NDArray[np.int64]:
        """The places with a score, ascending; of the passages with the ids in `among`, if not of all."""
        if among is None:
            return np.flatnonzero(scores)
        places = self.places(np.sort(np.fromiter(among, dtype=np.int64, count=len(among))))
        return places[scores[places] > 0]


class Postings:
    """What the word index has in one generation. Safe to use from several threads, each with its connection."""

    def __init__(self, key: tuple[str, int, str]) -> None:
        """`key` says of which database and generation, and what made its words."""
        self.key = key
        self._lock = threading.Lock()
        self._passages: Passages | None = None
        self._kept: OrderedDict[str, Posting] = OrderedDict()
        self._bytes = 0

    def passages(self, connection: sqlite3.Connection) -> Passages:
        """All passages."""
        if self._passages is None:
            # One row for all: between two rows another thread may run, and this one wait for its turn.
            ids, records = connection.execute(
                "SELECT group_concat(id), group_concat(hex(sz), '') FROM words_docsize"
            ).fetchone()
            found = _integers(ids)
            sizes = _sizes(bytes.fromhex(records or ""), len(found))
            order = np.argsort(found, kind="stable")
            self._passages = Passages(found[order], sizes[order])
        return self._passages

    def of(self, connection: sqlite3.Connection, word: str) -> Posting:
        """The postings of a word, an `expression`."""
        with self._lock:
            found = self._kept.get(word)
            if found is not None:
                self._kept.move_to_end(word)
                return found
        found = self._read(connection, word)
        with self._lock:
            if word not in self._kept:
                self._kept[word] = found
                self._bytes += _size(found)
            while self._bytes > KEPT_BYTES:
                self._bytes -= _size(self._kept.popitem(last=False)[1])
        return found

    def _read(self, connection: sqlite3.Connection, word: str) -> Posting:
        asked = _EXPRESSION.fullmatch(word)
        if asked is None:
            raise ValueError(f"{word!r} is no expression")
        which = "term BETWEEN ?1 AND ?1 || char(0x10FFFF)" if asked["is_prefix"] else "term = ?1"
        where = " AND col != 'other'" if asked["as_written"] else ""
        query = f"SELECT group_concat(doc) FROM temp.word_use WHERE {which}{where}"
        uses = np.sort(_integers(connection.execute(query, (asked["form"],)).fetchone()[0]), kind="stable")
        first = np.flatnonzero(np.diff(uses, prepend=-1))
        places = self.passages(connection).places(uses[first])
        if len(places) != len(first):
            raise StoreError(f"the word index has words of no passage; {MEND}")
        counts = np.minimum(np.diff(first, append=len(uses)), 0xFFFF)
        return Posting(places.astype(np.int32), counts.astype(np.uint16))


class LastPostings:
    """The postings of the generation that was read last, for all connections to one database."""

    def __init__(self) -> None:
        """None yet."""
        self._last = Postings(("", 0, ""))

    def of(self, database: str, generation: int, maker: str) -> Postings:
        """Those of this generation of this database, with words made by `maker`."""
        last, key = self._last, (database, generation, maker)
        if last.key == key:
            return last
        made = Postings(key)
        # A reader of an older generation that came late changes nothing.
        if last.key[0] != database or last.key[1] <= generation:
            self._last = made
        return made


def _size(posting: Posting) -> int:
    return posting.places.nbytes + posting.counts.nbytes


def _integers(joined: str | None) -> NDArray[np.int64]:
    """The numbers that SQLite has joined with commas, or None for none."""
    return np.fromstring(joined, dtype=np.int64, sep=",") if joined else np.empty(0, dtype=np.int64)


def _sizes(records: bytes, passages: int) -> NDArray[np.int64]:
    """How many words each passage has, from FTS5's records of it one after the other: COLUMNS numbers each, of seven
    bits a byte, the last byte of each below 128."""
    content = np.frombuffer(records, dtype=np.uint8)
    ends = np.flatnonzero(content < 128)
    if len(ends) != COLUMNS * passages or (len(ends) and ends[-1] != len(content) - 1):
        raise StoreError(f"the word index counts wrongly; {MEND}")
    if not passages:
        return np.empty(0, dtype=np.int64)
    places = np.arange(len(content))
    digits = (content & 127).astype(np.int64) << 7 * (ends[np.searchsorted(ends, places)] - places)
    sizes: NDArray[np.int64] = np.add.reduceat(digits, np.append(0, ends[COLUMNS - 1 : -1 : COLUMNS] + 1))
    return sizes
