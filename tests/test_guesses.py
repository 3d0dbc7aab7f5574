"""Guessing what an answer goes on with changes how fast it is written, and nothing else."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from rag.llm.llama import GUESSES, LlamaCpp
from rag.llm.lookup import Lookup
from tests.test_llm import FOX, ask

if TYPE_CHECKING:
    from collections.abc import Iterator

QUESTIONS = (
    "Where did the fox sleep?",
    "Who built the bridge, and when?",
    "Repeat what the Forest News says.",
    "Repeat what the River Post says.",
)


def test_an_answer_that_repeats_the_passages_is_guessed_from_them() -> None:
    lookup = Lookup([(1, 2, 3, 4, 5), (9, 2, 3, 7, 8, 6)])
    assert lookup.guesses(2) == ()
    for token in (2, 3):
        lookup.take(token)
    assert lookup.guesses(2) == (4, 5)  # the first passage is the best
    assert lookup.guesses(3) == ()  # no guess runs from one passage into the next
    for token in (9, 2, 3):
        lookup.take(token)
    assert lookup.guesses(2) == (7, 8)  # three tokens that agree are surer than two
    lookup.take(4)
    assert lookup.guesses(1) == (5,)
    lookup.take(11)
    assert lookup.guesses(1) == ()


def test_a_single_token_that_agrees_is_not_enough() -> None:
    lookup = Lookup([(1, 2, 3, 4)])
    lookup.take(1)
    assert lookup.guesses(1) == ()


@pytest.fixture(scope="module", params=["smollm2-135m", pytest.param("qwen2.5-coder-1.5b", id="default")])
def both(request: pytest.FixtureRequest) -> Iterator[tuple[LlamaCpp, LlamaCpp]]:
    """A model that writes one token after the other, and the same with guesses."""
    from index.models import locate

    path = locate(request.param, "llm")
    opened = [LlamaCpp.load(path, guesses=guesses, context_tokens=512, threads=1) for guesses in (0, GUESSES)]
    yield opened[0], opened[1]
    for llm in opened:
        llm.close()


@pytest.mark.model
def test_the_text_is_the_same_as_without_guesses(
    both: tuple[LlamaCpp, LlamaCpp], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, guessing = both
    rounds: list[int] = []
    decided = guessing._decided

    def count(*arguments: object, **options: object) -> list[int]:
        rounds.append(len(found := decided(*arguments, **options)))  # type: ignore[arg-type]
        return found

    monkeypatch.setattr(guessing, "_decided", count)
    asked = [replace(FOX, question=question) for question in QUESTIONS]
    if "1.5" in plain.name:  # which needs six times as long
        asked = asked[2:3]
    assert [ask(guessing, prompt, max_tokens=24) for prompt in asked] == [
        ask(plain, prompt, max_tokens=24) for prompt in asked
    ]
    assert max(rounds) == GUESSES + 1
    assert sum(rounds) > 1.2 * len(rounds)


@pytest.mark.model
def test_an_answer_ends_where_it_must_and_where_it_is_stopped(both: tuple[LlamaCpp, LlamaCpp]) -> None:
    plain, guessing = both
    if "1.5" in plain.name:
        pytest.skip("the small model shows it")
    prompt = replace(FOX, question=QUESTIONS[2])
    for most in (1, 2, 3, 5, 8):
        assert ask(guessing, prompt, max_tokens=most) == ask(plain, prompt, max_tokens=most)
    cancel, pieces = threading.Event(), list[str]()
    for piece in guessing.stream(prompt, max_tokens=48, cancel=cancel):
        pieces.append(piece)
        if len(pieces) == 3:
            cancel.set()
    whole = ask(plain, prompt, max_tokens=48)
    assert whole.startswith("".join(pieces))
    assert ask(guessing, prompt, max_tokens=48) == whole
