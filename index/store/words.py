"""Words: the word index of one generation, searched by BM25 (SQLite's FTS5).

What it holds, and what a query asks it for, is made by index/tokens.py: FTS5 only separates words at spaces. It is
without a copy of the words, so to delete a passage they are made again. The meta table says what made them, `maker`:
where that is another now, the words of the whole index are made again from the texts when it is opened. Whoever changes
how they are made, in index/tokens.py or index/language.py, raises RULES.
"""

from __future__ import annotations

import json
import math
import re
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np

from index.tokens import HANGUL, UNSPACED, other_terms, terms

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable, Sequence

    from index.store.postings import Postings

RULES = 2
"""Version of the rules by which index/tokens.py and index/language.py make words."""

OCCURRENCE_WEIGHT = 2.0
"""Weight of an occurrence in BM25, in title and text alike. Twice the weight is half of k1, which FTS5 fixes at 1.2:
passages are short, so a repeated word adds little to a single one (docs/experiments.md)."""

BM25_K1, BM25_B, BM25_LEAST_RARITY = 1.2, 0.75, 1e-6
"""What FTS5 has in its bm25()."""
TOTALS = 1
"""Id of the row in which FTS5 keeps the number of its rows, and of the words in each of its columns."""
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

    def __init__(self, connection: sqlite3.Connection, postings: Postings) -> None:
        """Within a transaction of `connection`; `postings` are those of the generation that it sees."""
        self._sql = connection
        self._postings = postings

    def prepare(self) -> None:
        """Read what every search needs, 10 ms for 30,000 passages, so that the first one does not wait for it."""
        self._postings.passages(self._sql)

    def match(
        self,
        words: Sequence[str],
        k: int,
        *,
        among: Collection[int] | None = None,
        rarities: Sequence[float] | None = None,
        mean_words: float | None = None,
    ) -> dict[int, float]:
        """The `k` passages best by BM25 for any of `words`, each an `expression`, id → score; greater is better.

        `among` are the ids of the passages that may be found, if not all may. How rare a word is, is counted in all
        of them even so. Where this word index is one of several that are searched as one, `rarities` are those of the
        words, and `mean_words` is the mean number of words of a passage, in all of them.
        """
        passages, total = self.size()
        if not words or not total:
            return {}
        known = self._postings.passages(self._sql)
        norms = BM25_K1 * (1 - BM25_B + BM25_B * known.sizes / (mean_words or total / passages))
        sums = np.zeros(len(known.ids))
        for at, word in enumerate(words):  # in the order of the words, in which FTS5's bm25() adds them as well
            posting = self._postings.of(self._sql, word)
            rarity = rarities[at] if rarities is not None else word_rarity(passages, len(posting.places))
            weights = OCCURRENCE_WEIGHT * posting.counts
            sums[posting.places] += rarity * (weights * (BM25_K1 + 1) / (weights + norms[posting.places]))
        places = known.matching(sums, among)
        scores = sums[places]
        if len(scores) > k:
            best = scores >= np.partition(scores, -k)[-k]
            places, scores = places[best], scores[best]
        first = np.lexsort((places, -scores))[:k]
        return dict(zip(known.ids[places[first]].tolist(), scores[first].tolist(), strict=True))

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
