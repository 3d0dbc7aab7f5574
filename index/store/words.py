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
    from collections.abc import Collection, Iterable, Mapping, Sequence

RULES = 2
"""Version of the rules by which index/tokens.py and index/language.py make words."""

OCCURRENCE_WEIGHT = 2.0
"""Weight of an occurrence in BM25, in title and text alike. Twice the weight is half of k1, which FTS5 fixes at 1.2:
passages are short, so a repeated word adds little to a single one (docs/experiments.md)."""

BM25_K1, BM25_B, BM25_LEAST_RARITY = 1.2, 0.75, 1e-6
"""What FTS5 has in its bm25()."""
TOTALS = 1
"""Id of the row in which FTS5 keeps the number of its rows, and of the words in each of its columns."""
ENOUGH = 2048
"""Passages with a rarer word of a query, besides which those that hold only common ones are not scored. Of the 32 best
of 29,000 passages, 1 in 1,000 is missed so (docs/experiments.md)."""
_BM25 = f"-bm25(words{f', {OCCURRENCE_WEIGHT}' * 3})"


EACH_USE = "CREATE VIRTUAL TABLE temp.word_use USING fts5vocab('main', 'words', 'instance')"
"""Makes a view of the word index, of the connection alone, with a row for each place where a passage has a word."""


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
        which = "SELECT rowid FROM words WHERE words MATCH ?" if among is None else "SELECT value FROM json_each(?)"
        if among is None:
            rare = rarest(words, self.frequencies(words))
            chosen = None if rare is None else _any_of(rare)
        else:
            chosen = json.dumps(list(among))
        # The plus keeps SQLite from searching the word index anew for every id.
        where = "" if chosen is None else f"AND +rowid IN ({which})"
        best = (
            f"SELECT rowid AS id, {_BM25} AS score FROM words WHERE words MATCH ? {where} ORDER BY score DESC LIMIT ?"
        )
        # One row for all: between two rows another thread may run, and this one wait for its turn.
        found, scores = self._sql.execute(
            f"SELECT json_group_array(id), json_group_array(score) FROM ({best})",
            (_any_of(words), *(() if chosen is None else (chosen,)), k),
        ).fetchone()
        return dict(zip(json.loads(found), json.loads(scores), strict=True))

    def match_phrases(
        self,
        phrases: Sequence[str],
        *,
        among: Collection[int] | None = None,
        worth: Sequence[float] | None = None,
    ) -> dict[int, float]:
        """Every passage with one of `phrases`, words that follow each other in a title or a text: id → score.

        The score is BM25 for a passage of mean length that has the phrase once, whatever this one is: FTS5 would look
        for each phrase twice to know better. `worth` is that of each phrase (`phrase_worth`) where this word index is
        one of several that are searched as one.
        """
        if not phrases:
            return {}
        rows = _for_each("json_group_array(rowid) || ''")  # joined to text, it is one also inside the other array
        passages, found = self._sql.execute(
            f"SELECT (SELECT count(*) FROM passage), {rows}",
            (json.dumps([phrase_expression(phrase) for phrase in phrases]),),
        ).fetchone()
        scores: dict[int, float] = {}
        for place, ids in enumerate(map(json.loads, json.loads(found))):
            score = phrase_worth(passages, len(ids)) if worth is None else worth[place]
            for passage_id in ids:
                scores[passage_id] = scores.get(passage_id, 0.0) + score
        return scores if among is None else {one: score for one, score in scores.items() if one in among}

    def frequencies(self, words: Sequence[str]) -> list[int]:
        """How many passages have each of `words`, each an `expression`."""
        (counts,) = self._sql.execute(f"SELECT {_for_each('count(*)')}", (json.dumps(list(words)),)).fetchone()
        return list(json.loads(counts))

    def occurrences(self, terms: Iterable[str], passages: Iterable[int]) -> list[tuple[str, int, int, int]]:
        """Where these passages have these words, each as the word index has it: word, passage id, and how often in its
        text and in its title."""
        (rows,) = self._sql.execute(
            "SELECT json_group_array(json_array(term, doc, in_text, in_title)) FROM ("
            "SELECT term, doc, sum(col = 'text') AS in_text, sum(col = 'title') AS in_title "
            "FROM json_each(?) AS wanted CROSS JOIN temp.word_use ON term = wanted.value "
            "WHERE +doc IN (SELECT value FROM json_each(?)) GROUP BY term, doc) WHERE in_text OR in_title",
            (json.dumps(sorted(terms)), json.dumps(sorted(passages))),
        ).fetchone()
        return [(term, passage, in_text, in_title) for term, passage, in_text, in_title in json.loads(rows)]

    def size(self) -> tuple[int, int]:
        """How many passages there are, and how many words they have, titles and other spellings included."""
        row = self._sql.execute("SELECT block FROM words_data WHERE id = ?", (TOTALS,)).fetchone()
        passages, *by_column = _numbers(row[0]) if row is not None and row[0] else (0,)
        return passages, sum(by_column)

    def lengths(self) -> dict[int, int]:
        """Passage id → how many words it has, title and other spellings included."""
        return {one: sum(_numbers(sizes)) for one, sizes in self._sql.execute("SELECT id, sz FROM words_docsize")}

    def match_as_part(
        self,
        words: Sequence[str],
        k: int,
        *,
        rarities: Sequence[float],
        mean_words: float,
        lengths: Mapping[int, int],
        among: Collection[int] | None = None,
        rare: Sequence[str] | None = None,
    ) -> dict[int, float]:
        """`match` where this word index is one of several that are searched as one: with the rarity of each word and
        the mean number of words of a passage in all of them, and the `rarest` words in all.

        FTS5 reckons with what it has itself. Its score of a single word says how often a passage has that word, since
        all else that goes into it is known; from that the score in all is computed, as FTS5 would. `lengths` are those
        of `lengths`.
        """
        import numpy as np

        passages, total = self.size()
        chosen = None if among is None else json.dumps(list(among))
        if chosen is None and rare is not None:
            query = "SELECT json_group_array(rowid) FROM words WHERE words MATCH ?"
            (chosen,) = self._sql.execute(query, (_any_of(rare),)).fetchone()
        where = "" if chosen is None else "AND +rowid IN (SELECT value FROM json_each(?))"
        query = (  # materialized, for bm25() cannot be used in an aggregate
            f"WITH one AS MATERIALIZED (SELECT rowid AS id, {_BM25} AS score FROM words WHERE words MATCH ? {where}) "
            "SELECT json_group_array(id), json_group_array(score) FROM one"
        )
        found = []
        for word, held, rarity in zip(words, self.frequencies(words) if words else (), rarities, strict=True):
            if not held:
                continue
            ids, scores = self._sql.execute(query, (word, *(() if chosen is None else (chosen,)))).fetchone()
            rows = np.array(json.loads(ids), dtype=np.int64)
            if not len(rows):
                continue
            sizes = np.array([lengths[one] for one in rows.tolist()], dtype=np.float64)
            share = np.array(json.loads(scores)) / word_rarity(passages, held)
            here = BM25_K1 * (1 - BM25_B + BM25_B * sizes / (total / passages))
            weight = OCCURRENCE_WEIGHT * np.round(share * here / (BM25_K1 + 1 - share) / OCCURRENCE_WEIGHT)
            in_all = BM25_K1 * (1 - BM25_B + BM25_B * sizes / mean_words)
            found.append((rows, rarity * (weight * (BM25_K1 + 1) / (weight + in_all))))
        if not found:
            return {}
        matched = np.unique(np.concatenate([rows for rows, _ in found]))
        sums = np.zeros(len(matched))
        for rows, scores in found:  # in the order of the words, in which FTS5 adds them as well
            sums[np.searchsorted(matched, rows)] += scores
        best = np.lexsort((matched, -sums))[:k]
        # SQLite writes fewer digits than there are; without that, scores that `match` gives as equal would differ.
        query = "SELECT json_group_array(value) FROM json_each(?)"
        (written,) = self._sql.execute(query, (json.dumps(sums[best].tolist()),)).fetchone()
        return dict(zip(matched[best].tolist(), json.loads(written), strict=True))


def rarest(words: Sequence[str], held: Sequence[int]) -> list[str] | None:
    """The rarest of `words`, which ENOUGH passages hold, `held` of them each; None if that is all."""
    by_rarity = sorted(zip(held, words, strict=True))
    for last, number in enumerate(itertools.accumulate(number for number, _ in by_rarity), start=1):
        if number >= ENOUGH and last < len(words):
            return [word for _, word in by_rarity[:last]]
    return None


def word_rarity(passages: int, held: int) -> float:
    """What FTS5's bm25() makes of a word that `held` of the passages have."""
    rarity = math.log((passages - held + 0.5) / (held + 0.5))
    return rarity if rarity > 0 else BM25_LEAST_RARITY


def phrase_expression(phrase: str) -> str:
    """Words that follow each other as FTS5 is asked for them."""
    return f'"{phrase}"'


def phrase_worth(passages: int, held: int) -> float:
    """The score of a phrase that `held` of the passages have; see `Words.match_phrases`."""
    rarity = max(math.log((passages - held + 0.5) / (held + 0.5)), BM25_LEAST_RARITY)
    return rarity * OCCURRENCE_WEIGHT * (BM25_K1 + 1) / (OCCURRENCE_WEIGHT + BM25_K1)


def _numbers(block: bytes) -> list[int]:
    """The numbers of a record of FTS5, each of seven bits a byte, the last byte of each below 128."""
    found, number = [], 0
    for byte in block:
        number = number << 7 | byte & 127
        if byte < 128:
            found.append(number)
            number = 0
    return found


def _for_each(aggregate: str) -> str:
    """What the word index has for each of the words of a parameter, a JSON array, as a JSON array: one value, since a
    row of SQLite has at most 2,000."""
    return (
        f"(SELECT json_group_array((SELECT {aggregate} FROM words WHERE words MATCH wanted.value)) "
        "FROM json_each(?) AS wanted)"
    )


def _any_of(words: Sequence[str]) -> str:
    return " OR ".join(words)
