"""Duplicate: whether two texts are one story in the same words. Knows no articles, no storage and no meaning.

A text has keys, some of which it shares with nearly every text that repeats it: bands of a MinHash signature, so that
a table of keys finds the few texts worth comparing. Those are then compared word by word, so that chance decides what
is looked at and never what is merged. Keys are stored: whatever changes them changes index.store.LAYOUT.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

LEAST_WORDS = 30
"""Shorter texts are duplicates only if they are equal but for case and white space."""
SHINGLE_WORDS = 5
"""Long enough that a word replaced here and there, as in reports made from one template, breaks many of them."""
LEAST_CONTAINED = 0.85
"""Share of the shorter text's shingles that the longer one must have, too."""
LEAST_JACCARD = 0.5
"""Shingles in both texts as a share of those in either: a story is not a duplicate of a digest that holds it."""
BANDS, BAND_ROWS = 42, 3
"""Two texts with a Jaccard similarity of LEAST_JACCARD share a band with probability 1 - (1 - .5 ** 3) ** 42 = .996."""
KEY_BYTES = 8

_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Story:
    """A text as it is compared with others."""

    text: str

    @cached_property
    def plain(self) -> str:
        """The text without its case and its kinds of white space."""
        return " ".join(self.text.casefold().split())

    @cached_property
    def words(self) -> tuple[str, ...]:
        """Words as written."""
        return tuple(_WORD.findall(self.text))

    @cached_property
    def is_short(self) -> bool:
        """Whether it has too few words to be anything but equal to another."""
        return len(self.words) < LEAST_WORDS

    @cached_property
    def shingles(self) -> frozenset[str]:
        """Every stretch of SHINGLE_WORDS words, without case."""
        folded = [word.casefold() for word in self.words]
        return frozenset(
            " ".join(folded[first : first + SHINGLE_WORDS]) for first in range(len(folded) - SHINGLE_WORDS + 1)
        )

    @cached_property
    def particulars(self) -> dict[tuple[str, ...], set[frozenset[str]]]:
        """Names and numbers by the two words on either side of them.

        Words with a capital or a digit in a row are one name or number.
        """
        runs = [
            (is_particular, [word.casefold() for word in some])
            for is_particular, some in groupby(self.words, _stands_out)
        ]
        found: dict[tuple[str, ...], set[frozenset[str]]] = {}
        for number, (is_particular, run) in enumerate(runs):
            if is_particular and 0 < number < len(runs) - 1:
                around = (*runs[number - 1][1][-2:], "", *runs[number + 1][1][:2])
                found.setdefault(around, set()).add(frozenset(run))
        return found

    def keys(self) -> tuple[bytes, ...]:
        """Keys of KEY_BYTES each. Equal texts share all of theirs."""
        equal = _digest(self.plain.encode("utf-8", "surrogatepass"))
        if self.is_short:
            return (equal,)
        from datasketch import MinHash

        signature = MinHash(num_perm=BANDS * BAND_ROWS, seed=1, scheme="affine32")
        signature.update_batch([shingle.encode("utf-8", "surrogatepass") for shingle in self.shingles])
        rows = signature.hashvalues.astype("<u8").reshape(BANDS, BAND_ROWS)
        return (equal, *(_digest(bytes([band]) + row.tobytes()) for band, row in enumerate(rows)))

    def repeats(self, other: Story) -> bool:
        """Whether one is a copy of the other: equal, or the same words but for a paragraph, a line or a headline.

        Texts that put another name or number into the same words are two stories, however much they share.
        """
        if self.plain == other.plain:
            return True
        if self.is_short or other.is_short:
            return False
        both = len(self.shingles & other.shingles)
        fewest = min(len(self.shingles), len(other.shingles))
        either = len(self.shingles | other.shingles)
        if both < LEAST_CONTAINED * fewest or both < LEAST_JACCARD * either:
            return False
        shared = self.particulars.keys() & other.particulars.keys()
        return all(_agree(self.particulars[around], other.particulars[around]) for around in shared)


def joined(keys: Sequence[bytes]) -> bytes:
    """Keys as one value to store."""
    return b"".join(keys)


def split(signature: bytes) -> tuple[bytes, ...]:
    """The keys in a value made by `joined`."""
    return tuple(signature[first : first + KEY_BYTES] for first in range(0, len(signature), KEY_BYTES))


def _agree(some: set[frozenset[str]], others: set[frozenset[str]]) -> bool:
    """Whether one of `some` is one of `others`, or the longer form of one, as where a line was dropped between two."""
    return any(one <= other or other <= one for one in some for other in others)


def _stands_out(word: str) -> bool:
    return word[0].isupper() or any(map(str.isdigit, word))


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=KEY_BYTES).digest()
