"""Alike: the share of a query's words that a text has, in any form, for languages that the embedder does not know well.

German writes compounds as one word ("Wettervorhersage" for "Vorhersage des Wetters"), and in many languages verbs,
nouns and adjectives of one stem end in ways that no stemmer joins. An embedder that knows the language finds these. For
other languages, words are compared by the pieces of NGRAM_LETTERS letters that they have in common, which for those of
Europe serves as well as a stemmer (McNamee and Mayfield, "Character N-Gram Tokenization for European Language Text
Retrieval", 2004).
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from index import tokens
from index.language import stemmer_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from index.tokens import Token

NGRAM_LETTERS = 4
LEAST_ALIKE = 0.4
"""Dice coefficient of their pieces from which two words count as forms of one. Both were chosen on the first half of
XQuAD's titles in German and Spanish; with 3 or 5 letters, .3 or .5, a few questions in a thousand fewer are found."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The words of a query: its language, and the stem, the pieces and the weight of each."""

    language: str | None
    stems: tuple[str, ...]
    pieces: tuple[frozenset[str], ...]
    weights: tuple[float, ...]

    @classmethod
    def of(cls, words: Sequence[Token], language: str | None, held: Sequence[int], passages: int) -> Wanted:
        """`held` says how many of all `passages` have each word: the fewer, the more it weighs."""
        algorithm = stemmer_of(language)
        return cls(
            language,
            tuple(tokens.term(word, algorithm) for word in words),
            tuple(_pieces(tokens.fold(word.text)) for word in words),
            tuple(math.log((passages + 1) / (number + 0.5)) for number in held),
        )

    def share(self, text: str) -> float:
        """The weighted share of the words that a text has, in [0, 1]; a word that is only alike counts for as much as
        it is alike."""
        algorithm = stemmer_of(self.language)
        with_piece: defaultdict[str, list[int]] = defaultdict(list)
        for place, pieces in enumerate(self.pieces):
            for piece in pieces:
                with_piece[piece].append(place)
        best = [0.0] * len(self.stems)
        stems = set()
        for token in {token.text: token for token in tokens.tokens(text, self.language)}.values():
            stems.add(tokens.term(token, algorithm))
            pieces = _pieces(tokens.fold(token.text))
            common = Counter(place for piece in pieces for place in with_piece.get(piece, ()))
            for place, number in common.items():
                dice = 2 * number / (len(pieces) + len(self.pieces[place]))
                if dice >= LEAST_ALIKE:
                    best[place] = max(best[place], dice)
        found = (1.0 if stem in stems else alike for stem, alike in zip(self.stems, best, strict=True))
        total = sum(self.weights)
        return sum(map(float.__mul__, self.weights, found)) / total if total else 0.0


@lru_cache(maxsize=65536)
def _pieces(word: str) -> frozenset[str]:
    """The pieces of a word, and of what stands around it: "_wet", "wett", "ette"."""
    padded = f"_{word}_"
    return frozenset(padded[at : at + NGRAM_LETTERS] for at in range(max(len(padded) - NGRAM_LETTERS, 0) + 1))
