"""Quoting: what a masked decoder can write, and where it stands. The reference is a list of all legal answers."""

from __future__ import annotations

import gc
import itertools
import random
import weakref
from collections.abc import Callable, Sequence

import pytest

from index.errors import InputError, ModelError
from index.passage import sentences
from rag.llm import Vocabulary
from rag.quote import SEPARATOR, Quoting, spans_of

TALKS = (
    "Putin said both countries support the six-party talks, which broke down in 2009.\n"
    "Abe said he and  Putin have agreed to work together. Brown was not there."
)
TRADE = (
    "Trade grew by 12.5 percent in 2009. Four ports were opened. Abe said he and Putin have agreed to work together."
)
END = 0
BYTES = tuple(bytes((byte,)) for byte in range(256))
ALPHABETS = (
    "ab. ",
    "aA. \n\t\u00a0…",
    "Äé€ßñ,.!? \u0301",
    "日本。ロシア、12 ",
    "👍🏽👩\u200d🚀🇺🇳 x.",
    "\ud800z? . …",
    'He said "no"; (really) — 3.5 … ',
)


class Toy(Vocabulary):
    """End-of-answer tokens first, then the pieces."""

    def __init__(self, *pieces: bytes, ends: int = 1) -> None:
        super().__init__([*(b"" for _ in range(ends)), *pieces], frozenset(range(ends)))

    def spelling(self, text: str) -> list[int]:
        """`text` in the longest pieces first, as BPE mostly has it."""
        rest, tokens = text.encode(), []
        while rest:
            token = max(range(len(self.pieces)), key=lambda token: len(self._start(token, rest)))
            tokens.append(token)
            rest = rest[len(self.pieces[token]) :]
        return tokens

    def _start(self, token: int, rest: bytes) -> bytes:
        return self.pieces[token] if rest.startswith(self.pieces[token]) else b""


def bpe(*texts: str) -> Toy:
    """Single bytes, words with the space before them, the halves of long ones, and the separator."""
    words = [f"{space}{word}" for text in texts for word in text.split() for space in ("", " ")]
    halves = [half for word in words if len(word) > 5 for half in (word[:4], word[4:])]
    return Toy(*BYTES, *(piece.encode() for piece in dict.fromkeys([*words, *halves, " …", " … "])))


def decode(quoting: Quoting, vocabulary: Toy, choose: Callable[[Sequence[int]], int]) -> str:
    written = b""
    while (token := choose(quoting.allowed())) not in vocabulary.ends:
        quoting.take(token)
        written += vocabulary.pieces[token]
    return written.decode("utf-8")


def wish(vocabulary: Toy, text: str) -> Callable[[Sequence[int]], int]:
    """A decoder that wants to write `text`; it ends where it can, else takes the lowest token, when it cannot."""
    wanted = iter([*vocabulary.spelling(text), END])

    def choose(allowed: Sequence[int]) -> int:
        token = next(wanted, END)
        return token if token in allowed else allowed[0]

    return choose


def folded(text: str) -> str:
    return " ".join(text.encode("utf-8", "replace").decode().split())


def covered(answer: str, passages: Sequence[str]) -> str:
    spans = spans_of(answer, passages)
    return SEPARATOR.join(folded(passages[number][start:end]) for number, start, end in spans)


def quotable(passages: Sequence[str]) -> list[str]:
    cut = [folded(span.of(passage)) for passage in passages for span in sentences(passage)]
    return list(dict.fromkeys(text for text in cut if any(map(str.isalnum, text))))


def answers(passages: Sequence[str], spans: int) -> set[bytes]:
    """Every legal answer."""
    cut = quotable(passages)
    chosen = (choice for size in range(1, spans + 1) for choice in itertools.permutations(cut, size))
    return {SEPARATOR.join(choice).encode() for choice in chosen}


def random_case(seed: int, *, most: int = 60) -> tuple[random.Random, list[str], Toy]:
    rng = random.Random(seed)
    alphabet = ALPHABETS[seed % len(ALPHABETS)]
    passages = ["".join(rng.choices(alphabet, k=rng.randrange(most))) for _ in range(rng.randrange(4))]
    passages += rng.sample(passages, min(len(passages), rng.randrange(2)))
    source = SEPARATOR.join(map(folded, [*passages, *passages])).encode() or b"x"
    cuts = [rng.randrange(len(source)) for _ in range(40)]
    pieces = [source[cut : cut + rng.randrange(1, 12)] for cut in cuts] + [rng.randbytes(2) for _ in range(5)]
    vocabulary = Toy(*BYTES, *pieces, b"", ends=rng.randrange(1, 3))
    return rng, passages, vocabulary


@pytest.mark.parametrize("seed", range(105))
def test_a_random_walk_never_gets_stuck_and_is_covered_by_its_spans(seed: int) -> None:
    rng, passages, vocabulary = random_case(seed, most=150)
    spans = rng.randrange(1, 4)

    def choose(allowed: Sequence[int]) -> int:
        return rng.choice(allowed)  # raises when there is none

    answer = decode(Quoting(passages, vocabulary, spans=spans), vocabulary, choose)
    assert covered(answer, passages) == answer
    assert len(spans_of(answer, passages)) <= spans
    whole = [[(span.start, span.end) for span in sentences(passage)] for passage in passages]
    assert all((start, end) in whole[number] for number, start, end in spans_of(answer, passages))


@pytest.mark.parametrize("seed", range(70))
def test_exactly_the_tokens_that_begin_a_legal_answer_are_allowed(seed: int) -> None:
    rng, passages, vocabulary = random_case(seed)
    legal = answers(passages, 2) or {b""}
    quoting, written = Quoting(passages, vocabulary), b""
    while True:
        begun = {answer for answer in legal if answer.startswith(written)}
        expected = {
            token
            for token, piece in enumerate(vocabulary.pieces)
            if piece and any(answer.startswith(piece, len(written)) for answer in begun)
        }
        allowed = quoting.allowed()
        assert list(allowed) == sorted(expected | (vocabulary.ends if written in legal else set()))
        first = min(begun, key=len)
        same = 0 if written in legal else len(next_same(begun, len(written), min(len(a) for a in begun)))
        assert quoting.forced() == first[len(written) : len(written) + same]
        token = rng.choice(allowed)
        quoting.take(token)
        if token in vocabulary.ends:
            assert set(quoting.allowed()) == vocabulary.ends
            return
        written += vocabulary.pieces[token]


def next_same(begun: set[bytes], start: int, end: int) -> bytes:
    """What all of `begun` have from `start` on, up to `end`."""
    columns = zip(*(answer[start:end] for answer in begun), strict=True)
    return bytes(column[0] for column in itertools.takewhile(lambda column: len(set(column)) == 1, columns))


@pytest.mark.parametrize("seed", range(35))
def test_an_answer_that_was_cut_short_keeps_its_spans(seed: int) -> None:
    rng, passages, vocabulary = random_case(seed, most=120)
    answer = decode(Quoting(passages, vocabulary), vocabulary, lambda allowed: rng.choice(allowed))
    for size in range(len(answer)):
        kept = answer[:size].strip()
        assert covered(answer[:size], passages) in {kept, kept.removesuffix(" …")}


def test_the_model_picks_sentences_and_gets_them_whole() -> None:
    vocabulary = bpe(TALKS, TRADE)
    asked = "Trade grew by 12.5 percent in 2009. … Brown was not there."
    assert decode(Quoting([TALKS, TRADE], vocabulary), vocabulary, wish(vocabulary, asked)) == asked
    begun = decode(Quoting([TALKS, TRADE], vocabulary), vocabulary, wish(vocabulary, "Four ships were sunk."))
    assert begun == "Four ports were opened."


def test_no_part_of_a_sentence_and_nothing_else_can_be_written() -> None:
    vocabulary = bpe(TALKS)
    for text in ("which broke down in 2009.", "Putin said both countries support the six-party talks", "Penguins."):
        assert decode(Quoting([TALKS], vocabulary), vocabulary, wish(vocabulary, text)) != text


def test_a_sentence_is_quoted_once_and_the_separator_stands_between_two() -> None:
    vocabulary = bpe(TALKS, TRADE)
    once = "Abe said he and Putin have agreed to work together."
    answer = decode(Quoting([TALKS, TRADE], vocabulary), vocabulary, wish(vocabulary, f"{once} … {once}"))
    assert answer.startswith(f"{once} … ")
    assert answer.count(once) == 1
    assert decode(Quoting([once], vocabulary, spans=5), vocabulary, max) == once


def test_sentences_that_contain_or_end_like_the_separator_are_read_back() -> None:
    passages = ["So it went …\n\nWell … so it went.\n\n… Well it went"]
    texts = quotable(passages)
    assert len(texts) == 3
    for answer in answers(passages, 2):
        assert covered(answer.decode(), passages) == answer.decode()


def test_spans_are_those_of_the_passage_as_it_is_and_the_first_of_several() -> None:
    passages = (TRADE.split(" Abe")[0], TALKS, TRADE)
    answer = "Abe said he and Putin have agreed to work together. … Four ports were opened."
    (number, start, end), (other, *_) = spans_of(answer, passages)
    assert (number, other) == (1, 0)
    assert passages[number][start:end] == "Abe said he and  Putin have agreed to work together."


def test_a_token_may_reach_over_the_separator_into_the_next_sentence() -> None:
    over = "2009. … Four po".encode()
    vocabulary = Toy(*BYTES, over)
    quoting = Quoting([TRADE], vocabulary)
    for byte in b"Trade grew by 12.5 percent in ":
        quoting.take(vocabulary.pieces.index(bytes((byte,))))
    quoting.take(vocabulary.pieces.index(over))
    assert quoting.forced() == b"rts were opened."
    assert vocabulary.pieces.index(over) not in Quoting([TRADE], vocabulary, spans=1).allowed()


def test_what_is_certain_comes_without_the_model() -> None:
    vocabulary = bpe(TALKS)
    quoting = Quoting([TALKS], vocabulary)
    assert quoting.forced() == b""
    quoting.take(vocabulary.spelling("Brown")[0])
    assert quoting.forced() == b" was not there."


@pytest.mark.parametrize(
    "text", ["", " ", "…", " … ", "Penguins.", "Brown was not there. … The articles do not say.", "was not"]
)
def test_text_that_was_not_quoted_has_no_spans(text: str) -> None:
    assert spans_of(text, [TALKS]) == ()


@pytest.mark.parametrize("passages", [(), ("",), (" \n",), ("…", "—")])
def test_without_a_sentence_only_the_end_is_left(passages: tuple[str, ...]) -> None:
    assert Quoting(passages, bpe("a")).allowed() == [END]


def test_a_sentence_that_the_vocabulary_cannot_spell_is_left_out() -> None:
    vocabulary = Toy(*(byte for byte in BYTES if byte not in {b"\xa9", b"\xe2"}))  # of é and …
    assert decode(Quoting(["A café. The bar. The inn."], vocabulary), vocabulary, max) == "The inn."


def test_a_token_that_leads_nowhere_is_not_allowed() -> None:
    vocabulary = Toy(*(byte for byte in BYTES if byte != b"\xad"), "ía".encode())  # Qwen 2.5 lacks that byte, too
    quoting = Quoting(["García won."], vocabulary)
    for byte in b"Garc":
        quoting.take(vocabulary.pieces.index(bytes((byte,))))
    assert [vocabulary.pieces[token] for token in quoting.allowed()] == ["ía".encode()]


@pytest.mark.parametrize("seed", range(70))
def test_a_vocabulary_without_some_bytes_gets_nobody_stuck(seed: int) -> None:
    rng, passages, vocabulary = random_case(seed, most=150)
    used = sorted({0xE2, *(byte for text in passages for byte in folded(text).encode())})
    lacking, ends = bytes((rng.choice(used),)), len(vocabulary.ends)
    vocabulary = Toy(*(b"" if piece == lacking else piece for piece in vocabulary.pieces[ends:]), ends=ends)
    answer = decode(Quoting(passages, vocabulary), vocabulary, lambda allowed: rng.choice(allowed))
    assert covered(answer, passages) == answer


def test_a_token_that_is_not_allowed_is_refused() -> None:
    vocabulary = bpe(TALKS)
    quoting = Quoting([TALKS], vocabulary)
    with pytest.raises(ValueError, match="not allowed"):
        quoting.take(END)
    with pytest.raises(ValueError, match="not allowed"):
        quoting.take(vocabulary.spelling("z")[0])


def test_misuse_says_what_to_do() -> None:
    with pytest.raises(InputError, match="spans=0"):
        Quoting([TALKS], bpe(TALKS), spans=0)
    with pytest.raises(ModelError, match="citewire models list"):
        Quoting([TALKS], Toy(*BYTES, ends=0))


def test_a_vocabulary_is_indexed_once_and_let_go() -> None:
    class Counted(list[bytes]):
        read = 0

        def __iter__(self):  # type: ignore[no-untyped-def]
            self.read += 1
            return super().__iter__()

    pieces = Counted(Toy(*BYTES).pieces)
    vocabulary = Vocabulary(pieces, frozenset({END}))
    for _ in range(3):
        Quoting([TALKS], vocabulary).allowed()
    assert pieces.read == 1
    gone = weakref.ref(vocabulary)
    del vocabulary
    gc.collect()
    assert gone() is None


def test_a_passage_made_to_be_ambiguous_costs_no_more_than_its_length() -> None:
    passages = [". ".join(f"{'No ' * size}end" for size in range(start, start + 12)) + "." for start in range(4)]
    vocabulary = bpe(*passages)
    answer = decode(Quoting(passages, vocabulary, spans=3), vocabulary, max)
    assert covered(answer, passages) == answer
