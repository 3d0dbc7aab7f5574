"""Quote: an answer stitched word for word from the passages, token by token. Pure; knows no model.

What may be quoted is a whole sentence, as index/passage.py cuts them and citations name them. Less than a sentence
would read more briefly, but can say what the sentence does not: "He is guilty, prosecutors said." holds "He is
guilty", "If the talks fail, the islands go back." holds "the islands go back." More than a sentence is another span:
small models copy on and on when they may. So every answer is a few sentences long, each can be checked as it
stands, and no rule is needed of what a word is in Thai or Chinese.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

from index.errors import InputError, ModelError
from index.passage import sentences

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rag.llm import Vocabulary

SEPARATOR = " … "
"""What stands between two quoted sentences, also when they follow each other in their passage."""


class _Place(NamedTuple):
    """A reading of the text so far: the numbers of the sentences quoted, and the next byte in the last one's text."""

    quoted: tuple[int, ...]
    at: int


class Quoting:
    """The Constraint under which an answer is one to `spans` different sentences of `passages`, joined by SEPARATOR.

    Runs of white space in a passage are single spaces, as in the prompt. When the passages have no sentence that the
    vocabulary can spell, nothing but the end is allowed.

    The state is the set of places where the text so far can stand, for the same words may open many sentences.
    Finding the allowed tokens costs a step for each byte string that begins a token and goes on from those places:
    at the first token that is the sentences times the bytes of a token, soon it is the bytes of a token.
    """

    def __init__(self, passages: Sequence[str], vocabulary: Vocabulary, *, spans: int = 2) -> None:
        """Raises InputError when `spans` is less than 1, ModelError when no token ends an answer."""
        if spans < 1:
            raise InputError(f"spans={spans}: an answer quotes at least 1 sentence")
        if not vocabulary.ends:
            raise ModelError("the model has no token that ends an answer; choose another: citewire models list")
        self.passages = tuple(passages)
        self._ends = vocabulary.ends
        self._tokens = _index(vocabulary)
        self._spans = spans if 0 in self._tokens.live(_JOINT) else 1
        self._texts: list[bytes] = []
        self._live: list[frozenset[int]] = []
        for text in dict.fromkeys(_bytes(sentence.text) for sentence in _sentences(passages)):
            live = self._tokens.live(text)
            if 0 in live:
                self._texts.append(text)
                self._live.append(live | {len(text) + at for at in self._tokens.live(_JOINT)})
        self._places: Iterable[_Place] = self._openings(())
        self._next: dict[int, set[_Place]] | None = None

    @property
    def sentences(self) -> tuple[str, ...]:
        """What may be quoted, for a model that chooses whole sentences in place of tokens."""
        return tuple(text.decode() for text in self._texts)

    @property
    def most(self) -> int:
        """How many sentences an answer quotes at most."""
        return self._spans

    def allowed(self) -> Sequence[int]:
        """The tokens that may come next, ascending; never empty."""
        following = self._following()
        return sorted(self._ends.union(following) if self._may_end() else following)

    def take(self, token: int) -> None:
        """Go on after `token`. After one that ends the answer only such are allowed.

        Raises ValueError for a token that is not allowed.
        """
        following = self._following()
        if token not in following and not (token in self._ends and self._may_end()):
            raise ValueError(f"token {token} is not allowed here")
        self._places, self._next = following.get(token, ()), None

    def forced(self) -> bytes:
        """What comes next whatever is chosen, up to where there is a choice; it may stop inside a character.

        A decoder may take the tokens of these bytes without asking the model for each of them.
        """
        places, forced = self._places, bytearray()
        while not any(map(self._is_whole, places)) and len(steps := self._steps(places)) == 1:
            [(byte, places)] = steps.items()
            forced.append(byte)
        return bytes(forced)

    def _may_end(self) -> bool:
        return not self._places or any(map(self._is_whole, self._places))

    def _is_whole(self, place: _Place) -> bool:
        return place.at == len(self._texts[place.quoted[-1]])

    def _openings(self, quoted: tuple[int, ...]) -> list[_Place]:
        """Where the text may go on after the sentences `quoted` and a separator."""
        if len(quoted) == self._spans:
            return []
        return [_Place((*quoted, number), 0) for number in range(len(self._texts)) if number not in quoted]

    def _moves(self, place: _Place) -> Iterator[tuple[int, _Place]]:
        """Each byte that may come at `place`, with the place behind it. A separator continues the text before it."""
        quoted, at = place
        text = self._texts[quoted[-1]]
        openings = self._openings(quoted) if at >= len(text) else []
        if at < len(text):
            yield text[at], _Place(quoted, at + 1)
        elif openings and at + 1 < len(text) + len(_JOINT):
            yield _JOINT[at - len(text)], _Place(quoted, at + 1)
        else:
            yield from ((_JOINT[-1], opening) for opening in openings)

    def _steps(self, places: Iterable[_Place]) -> dict[int, set[_Place]]:
        steps: defaultdict[int, set[_Place]] = defaultdict(set)
        for place in places:
            for byte, following in self._moves(place):
                steps[byte].add(following)
        return steps

    def _following(self) -> dict[int, set[_Place]]:
        """The places behind each token that may come next; a token may reach into the next sentence."""
        if self._next is None:
            self._next = {}
            begun = [(b"", self._places)]
            while begun:
                piece, places = begun.pop()
                for byte, following in self._steps(places).items():
                    longer = piece + bytes((byte,))
                    live = {place for place in following if place.at in self._live[place.quoted[-1]]}
                    if live:
                        self._next.update(dict.fromkeys(self._tokens.spelled.get(longer, ()), live))
                    if self._tokens.go_on(longer):
                        begun.append((longer, following))
        return self._next


def spans_of(text: str, passages: Sequence[str]) -> tuple[tuple[int, int, int], ...]:
    """The sentences that `text`, an answer made under Quoting, consists of: (number in `passages` from 0, start, end).

    The spans are of the passages as they are, so `passages[number][start:end]` has the quoted words. A sentence that
    stands in several places is the first of them. An answer that was cut short ends with the part of a sentence.
    () for any other text.
    """
    found = _sentences(passages)
    text = text.strip()
    return _parsed(text, found) or _parsed(text.removesuffix(SEPARATOR.rstrip()), found)


def _parsed(text: str, found: Sequence[_Sentence]) -> tuple[tuple[int, int, int], ...]:
    whole = {sentence.text: sentence.span() for sentence in reversed(found)}
    # A separator may also stand in a sentence, or share its space with one that ends like a separator.
    cuts = [match.start() for match in re.finditer(f"(?={SEPARATOR})", text)]
    readings: dict[int, tuple[tuple[int, int, int], ...]] = {len(text) + len(SEPARATOR): ()}
    for start in reversed([0, *(cut + len(SEPARATOR) for cut in cuts)]):
        for end in takewhile(start.__lt__, reversed([*cuts, len(text)])):
            quote, rest = text[start:end], readings.get(end + len(SEPARATOR))
            span = whole.get(quote)
            if span is None and end == len(text):
                span = next((each.span(len(quote)) for each in found if each.text.startswith(quote)), None)
            if span is not None and rest is not None:
                readings[start] = (span, *rest)
                break
    return readings.get(0, ())


@dataclass(frozen=True, slots=True)
class _Sentence:
    """A sentence of a passage in the prompt's white space; `offsets` are its characters' places in the passage."""

    passage: int
    text: str
    offsets: tuple[int, ...]

    def span(self, size: int = 0) -> tuple[int, int, int]:
        """Passage, start and end of the first `size` characters; 0 is all."""
        return self.passage, self.offsets[0], self.offsets[size - 1] + 1


def _sentences(passages: Sequence[str]) -> list[_Sentence]:
    """What may be quoted: the sentences that have a letter or digit."""
    found = []
    for number, passage in enumerate(passages):
        for span in sentences(passage):
            every = range(span.start, span.end)
            kept = [at for at in every if not (passage[at].isspace() and passage[at - 1].isspace())]
            text = "".join(" " if passage[at].isspace() else passage[at] for at in kept)
            if any(map(str.isalnum, text)):
                found.append(_Sentence(number, _bytes(text).decode(), tuple(kept)))
    return found


def _bytes(text: str) -> bytes:
    # Half of a surrogate pair has no bytes; the prompt shows a question mark, too.
    return text.encode("utf-8", "replace")


_JOINT = _bytes(SEPARATOR)


class _Tokens:
    """The index of a vocabulary: a trie, as a sorted list of its byte strings."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.spelled: defaultdict[bytes, list[int]] = defaultdict(list)
        for token, piece in enumerate(vocabulary.pieces):
            if piece and token not in vocabulary.ends:
                self.spelled[piece].append(token)
        self._sorted = sorted(self.spelled)

    def live(self, text: bytes) -> frozenset[int]:
        """The places in `text` from which tokens can spell the rest. Some vocabularies lack single bytes."""
        live = {len(text)}
        for at in reversed(range(len(text))):
            if any(at + size in live for size in self._sizes(text, at)):
                live.add(at)
        return frozenset(live)

    def _sizes(self, text: bytes, at: int) -> Iterator[int]:
        """The bytes of each token that may come at `at`, ascending."""
        for end in range(at + 1, len(text) + 1):
            if text[at:end] in self.spelled:
                yield end - at
            if not self.go_on(text[at:end]):
                return

    def go_on(self, piece: bytes) -> bool:
        """Whether a longer token begins with `piece`."""
        following = bisect_left(self._sorted, piece + b"\0")
        return following < len(self._sorted) and self._sorted[following].startswith(piece)


_indexes: WeakKeyDictionary[Vocabulary, _Tokens] = WeakKeyDictionary()


def _index(vocabulary: Vocabulary) -> _Tokens:
    """Made once: 0.3 s and 21 MB for 150,000 tokens."""
    if vocabulary not in _indexes:
        _indexes[vocabulary] = _Tokens(vocabulary)
    return _indexes[vocabulary]
