"""What a model's own states say of a question: read out of llama.cpp's bytes, and weighed."""

from __future__ import annotations

import struct
import threading
from dataclasses import replace

import numpy as np
import pytest
from test_llm import FOX, load

from rag import probe, state
from rag.llm import Judgement

DEFAULT = "qwen2.5-coder-1.5b"
TOKENS, LAYERS, WIDTH = 3, 2, 4
F16, Q8_0 = 1, 8


def written(
    vectors: np.ndarray, *, transposed: bool = False, kind: int = F16, streams: int = 1, positions: tuple[int, ...] = ()
) -> bytes:
    """What llama.cpp writes of a sequence; `vectors` of shape (tokens, layers, width), in order of the cells."""
    tokens, layers, width = vectors.shape
    found = struct.pack("<4I", 0xAF143CD8, 1, streams, tokens)
    for position in positions or range(tokens):
        found += struct.pack("<iII", position, 1, 1)
    found += struct.pack("<2I", transposed, layers)
    for _ in range(layers):
        found += struct.pack("<iQ", F16, 2 * width) + bytes(2 * width * tokens)
    for layer in range(layers):
        rows = vectors[:, layer].astype(np.float16)
        head = struct.pack("<iII", kind, 2, width) if transposed else struct.pack("<iQ", kind, 2 * width)
        found += head + (rows.T if transposed else rows).tobytes()
    return found


@pytest.fixture
def vectors() -> np.ndarray:
    return np.arange(TOKENS * LAYERS * WIDTH, dtype=np.float16).reshape(TOKENS, LAYERS, WIDTH)


@pytest.mark.parametrize("transposed", [False, True])
def test_the_values_are_read_out_of_the_state(vectors: np.ndarray, transposed: bool) -> None:
    found = state.values(written(vectors, transposed=transposed))
    assert found is not None
    assert np.array_equal(found, vectors)


def test_the_tokens_come_in_order_of_their_positions(vectors: np.ndarray) -> None:
    found = state.values(written(vectors, positions=(7, 5, 6)))
    assert found is not None
    assert np.array_equal(found, vectors[[1, 2, 0]])


def test_another_layout_is_none(vectors: np.ndarray) -> None:
    whole = written(vectors)
    others = [b"", b"no state at all", whole[:-1], whole + b"\0", whole[:40], written(vectors[:, :0])]
    others += [written(vectors, kind=Q8_0), written(vectors, streams=2)]
    assert [state.values(other) for other in others] == [None] * len(others)


def test_the_score_is_a_weighted_sum_over_places_and_layers(vectors: np.ndarray) -> None:
    judgement = Judgement(0.0, vectors, question_tokens=2)
    found = probe.places(judgement)
    assert found is not None
    assert np.array_equal(found, [vectors[:2].mean(0), vectors[1], vectors[2]])
    weights = {"bias": 0.5, "weights": {"question": {"0": [1, 0, 0, 0]}, "last": {"1": [0, 0, 0, 2]}}}
    assert probe.weigh(found, weights) == pytest.approx(0.5 + vectors[:2, 0, 0].mean() + 2 * vectors[2, 1, 3])


def test_what_was_not_measured_has_no_score(vectors: np.ndarray) -> None:
    assert probe.score(Judgement(1.0), DEFAULT) is None
    assert probe.score(Judgement(1.0, vectors, question_tokens=2), "some-other") is None
    assert probe.score(Judgement(1.0, vectors, question_tokens=2), DEFAULT) is None  # another size
    assert probe.score(Judgement(1.0, vectors, question_tokens=0), DEFAULT) is None


@pytest.mark.model
def test_a_model_gives_its_values_whatever_it_read_before() -> None:
    llm = load("smollm2-135m")
    asked = replace(FOX, task="Do the passages say so? Reply Yes or No.")
    first = llm.judge(asked, cancel=threading.Event())
    llm.judge(replace(asked, passages=FOX.passages[::-1]), cancel=threading.Event())
    again = llm.judge(asked, cancel=threading.Event())
    other = llm.judge(replace(asked, question="Who built the bridge?"), cancel=threading.Event())
    llm.close()
    assert first.values is not None
    assert again.values is not None
    assert other.values is not None
    tokens, layers, width = first.values.shape
    assert (layers, width) == (30, 192)  # as its GGUF says: 30 blocks, 3 heads of 64
    assert 0 < first.question_tokens < tokens
    assert np.abs(first.values - again.values).max() < 0.1
    assert not np.array_equal(first.values[-1], other.values[-1])


@pytest.mark.model
def test_the_default_model_is_probed() -> None:
    llm = load(DEFAULT)
    task = "Can this question be answered from the passages alone? Reply Yes or No."
    said, not_said = (
        llm.judge(replace(FOX, question=question, task=task), cancel=threading.Event())
        for question in ("Where did the fox sleep?", "What did the mayor of Lyon earn in 1931?")
    )
    llm.close()
    scores = [probe.score(said, DEFAULT), probe.score(not_said, DEFAULT)]
    assert None not in scores
    assert scores[0] > scores[1]
