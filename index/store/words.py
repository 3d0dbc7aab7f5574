"""Words: the word index of one generation, searched by BM25 (SQLite's FTS5).

What it holds, and what a query asks it for, is made by index/tokens.py: FTS5 only separates words at spaces. It is
without a copy of the words, so to delete a passage they are made again. The meta table says what made them, `maker`:
where that is another now, the words of the whole index are made again from the texts when it is opened. Whoever changes
how they are made, in index/tokens.py or index/language.py, raises RULES.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING

from index.tokens import HANGUL, UNSPACED, other_terms, terms

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Sequence

RULES = 2
"""Version of the rules by which index/tokens.py and index/language.py make words."""

OCCURRENCE_WEIGHT = 2.0
"""Weight of an occurrence in BM25, in title and text alike. Twice the weight is half of k1, which FTS5 fixes at 1.2:
passages are short, so a repeated word adds little to a single one (docs/experiments.md)."""

BM25_K1, BM25_LEAST_RARITY = 1.2, 1e-6
"""What FTS5 has in its bm25()."""
ENOUGH = 2048
"""Passages with a rarer word of a query, besides which those that hold only common ones are not scored. Of the 32 best
of 29,000 passages, 1 in 1,000 is missed so (docs/experiments.md)."""


@cache
def maker() -> str:
    """What makes the words: our rules, and the release of the stemmers."""
    return f"{RULES} snowballstemmer {version('snowballstemmer')}"


def word_columns(title: str | None, text: str, language: str) -> tuple[str, str, str]:
    """What the word index holds of a passage: the words of the title, of the text, and other spellings of both."""
    others = [*other_terms(title or "", language), *other_terms(text, language)]
    return " ".join(terms(title or "", language)), " ".join(terms(text, language)), " ".join(others)


def expression(form: str, *, as_written: bool = False) -> str:
    """A word as FTS5 is asked for it, in all columns, or only where it is written so. A single character of a script
    without spaces stands for all that begins with it."""
    is_character = len(form) == 1 and re.match(f"[{UNSPACED}{HANGUL}]", form)
    return f'{"{title text} : " if as_written else ""}"{form}"{"*" if is_character else ""}'


class Words:
    """The words of one generation. Valid inside `Store.read`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Within a transaction of `connection`."""
        self._sql = connection

    def match(self, words: Sequence[str], k: int, *, among: Collection[int] | None = None) -> dict[int, float]:
        """The `k` passages best by BM25 for any of `words`, each an `expression`, id → score; greater is better.

        `among` are the ids of the passages that may be found, if not all may. How rare a word is, is counted in all
        of them even so. Without it, passages that hold none but common words may be passed over, if ENOUGH others
        hold a rarer one.
        """
        if not words:
            return {}
        bm25 = f"-bm25(words{f', {OCCURRENCE_WEIGHT}' * 3})"
        which = "SELECT rowid FROM words WHERE words MATCH ?" if among is None else "SELECT value FROM json_each(?)"
        chosen = self._rarest(words) if among is None else json.dumps(list(among))
        # The plus keeps SQLite from searching the word index anew for every id.
        where = "" if chosen is None else f"AND +rowid IN ({which})"
        best = f"SELECT rowid AS id, {bm25} AS score FROM words WHERE words MATCH ? {where} ORDER BY score DESC LIMIT ?"
        # One row for all: between two rows another thread may run, and this one wait for its turn.
        found, scores = self._sql.execute(
            f"SELECT json_group_array(id), json_group_array(score) FROM ({best})",
            (_any_of(words), *(() if chosen is None else (chosen,)), k),
        ).fetchone()
        return dict(zip(json.loads(found), json.loads(scores), strict=True))

    def match_phrases(self, phrases: Sequence[str], *, among: Collection[int] | None = None) -> dict[int, float]:
        """Every passage with one of `phrases`, words that follow each other in a title or a text: id → score.

        The score is BM25 for a passage of mean length that has the phrase once, whatever this one is: FTS5 would look
        for each phrase twice to know better.
        """
        if not phrases:
            return {}
        rows = _for_each("json_group_array(rowid) || ''")  # joined to text, it is one also inside the other array
        passages, found = self._sql.execute(
            f"SELECT (SELECT count(*) FROM passage), {rows}",
            (json.dumps([f'"{phrase}"' for phrase in phrases]),),
        ).fetchone()
        scores: dict[int, float] = {}
        for ids in map(json.loads, json.loads(found)):
            rarity = max(math.log((passages - len(ids) + 0.5) / (len(ids) + 0.5)), BM25_LEAST_RARITY)
            score = rarity * OCCURRENCE_WEIGHT * (BM25_K1 + 1) / (OCCURRENCE_WEIGHT + BM25_K1)
            for passage_id in ids:
                scores[passage_id] = scores.get(passage_id, 0.0) + score
        return scores if among is None else {one: score for one, score in scores.items() if one in among}

    def frequencies(self, words: Sequence[str]) -> list[int]:
        """How many passages have each of `words`, each an `expression`."""
        (counts,) = self._sql.execute(f"SELECT {_for_each('count(*)')}", (json.dumps(list(words)),)).fetchone()
        return list(json.loads(counts))

    def _rarest(self, words: Sequence[str]) -> str | None:
        """The rarest of `words`, as a search for any of them, that ENOUGH passages hold; None if that is all."""
        by_rarity = sorted(zip(self.frequencies(words), words, strict=True))
        for last, held in enumerate(itertools.accumulate(number for number, _ in by_rarity), start=1):
            if held >= ENOUGH and last < len(words):
                return _any_of([word for _, word in by_rarity[:last]])
        return None


def _for_each(aggregate: str) -> str:
    """What the word index has for each of the words of a parameter, a JSON array, as a JSON array: one value, since a
    row of SQLite has at most 2,000."""
    return (
        f"(SELECT json_group_array((SELECT {aggregate} FROM words WHERE words MATCH wanted.value)) "
        "FROM json_each(?) AS wanted)"
    )


def _any_of(words: Sequence[str]) -> str:
    return " OR ".join(words)
