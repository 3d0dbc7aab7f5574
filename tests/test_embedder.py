"""The embedder as it is shared by who asks and who indexes; the model is a stand-in, whose passes can be watched."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from index import embedder as embedding
from index.embedder import BATCH, BATCH_BESIDE_QUESTIONS, QUESTIONS_COME_S, SentenceEmbedder

QUESTION = "Who brought in the harvest?"
DOCUMENTS = [f"Farmer {n} brought in the harvest early." for n in range(10 * BATCH)]


class WatchedModel:
    """Gives a vector for each text; `on_pass` hears of each batch of documents while it is read."""

    def __init__(self) -> None:
        self.passes: list[str] = []
        self.on_pass: Callable[[int], None] = lambda number: None
        self._is_used = threading.Lock()

    def get_embedding_dimension(self) -> int:
        return 2

    def encode_document(self, texts: Sequence[str], **options: Any) -> NDArray[np.float32]:
        assert self._is_used.acquire(blocking=False), "two use the model at once"
        self.passes.append(f"{len(texts)} documents")
        self.on_pass(len(self.passes))
        self._is_used.release()
        return np.array([[len(text), 1.0] for text in texts], dtype=np.float32)

    def encode_query(self, text: str, **options: Any) -> NDArray[np.float32]:
        assert self._is_used.acquire(blocking=False), "two use the model at once"
        self.passes.append("question")
        text.encode("utf-8")  # a tokenizer takes no half of a surrogate pair either
        self._is_used.release()
        return np.array([len(text), 1.0], dtype=np.float32)


@pytest.fixture
def model() -> WatchedModel:
    return WatchedModel()


@pytest.fixture
def embedder(model: WatchedModel, monkeypatch: pytest.MonkeyPatch) -> SentenceEmbedder:
    monkeypatch.setattr(SentenceEmbedder, "_model", lambda self: model)
    return SentenceEmbedder()


def test_a_question_and_a_document_begin_as_the_model_was_trained(
    model: WatchedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SentenceEmbedder, "_model", lambda self: model)
    monkeypatch.setenv("CITEWIRE_EMBEDDER", "multilingual-e5-small")
    embedder = SentenceEmbedder()
    assert embedder.name == "multilingual-e5-small@1a55775f5344"
    assert embedder.embed_query("Wer?")[0] == len("query: Wer?")
    assert embedder.embed_documents(["Niemand."])[0][0] == len("passage: Niemand.")
    assert SentenceEmbedder("all-minilm-l6-v2").embed_query("Who?")[0] == len("Who?")


def wait_in_line(embedder: SentenceEmbedder, number: int) -> list[threading.Thread]:
    """Threads that ask, once all of them wait for the model."""
    asking = [threading.Thread(target=embedder.embed_query, args=(QUESTION,)) for _ in range(number)]
    for thread in asking:
        thread.start()
    while len(embedder._model_lock._questions) < number:
        assert all(thread.is_alive() for thread in asking), "a question did not wait for the pass in hand"
    return asking


def test_a_question_goes_before_the_next_batch_of_documents(model: WatchedModel, embedder: SentenceEmbedder) -> None:
    asking: list[threading.Thread] = []

    def ask(number: int) -> None:
        if number == 3:
            asking.extend(wait_in_line(embedder, 2))

    model.on_pass = ask
    vectors = embedder.embed_documents(DOCUMENTS)
    assert model.passes[:5] == [f"{BATCH} documents"] * 3 + ["question"] * 2
    assert len(vectors) == len(DOCUMENTS)
    for thread in asking:
        thread.join()


def test_batches_are_small_only_while_questions_come(
    model: WatchedModel, embedder: SentenceEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedder.embed_documents(DOCUMENTS[: 2 * BATCH])
    embedder.embed_query(QUESTION)
    embedder.embed_documents(DOCUMENTS[: 2 * BATCH_BESIDE_QUESTIONS])
    long_after = time.monotonic() + QUESTIONS_COME_S
    monkeypatch.setattr(time, "monotonic", lambda: long_after)
    embedder.embed_documents(DOCUMENTS[:BATCH])
    large, small = f"{BATCH} documents", f"{BATCH_BESIDE_QUESTIONS} documents"
    assert model.passes == [large, large, "question", small, small, large]


def test_every_vector_stands_in_the_row_of_its_text(embedder: SentenceEmbedder) -> None:
    texts = [text[: 10 + n % 20] for n, text in enumerate(DOCUMENTS)]
    for _ in range(2):
        assert embedder.embed_documents(texts)[:, 0].tolist() == [len(text) for text in texts]
        embedder.embed_query(QUESTION)


def test_many_who_ask_do_not_hold_up_documents_for_good(model: WatchedModel, embedder: SentenceEmbedder) -> None:
    waiting = 3 * embedding.QUESTIONS_AHEAD
    asking: list[threading.Thread] = []
    model.on_pass = lambda number: asking.extend(wait_in_line(embedder, waiting)) if number == 1 else None
    embedder.embed_documents(DOCUMENTS[: 2 * BATCH])
    for thread in asking:
        thread.join()
    between = model.passes.index(f"{BATCH_BESIDE_QUESTIONS} documents") - 1
    assert between == embedding.QUESTIONS_AHEAD
    assert model.passes.count("question") == waiting


def test_half_a_surrogate_pair_in_a_question_is_read_as_a_question_mark(embedder: SentenceEmbedder) -> None:
    assert embedder.embed_query(f"\ud800{QUESTION}\udfff")[0] == len(QUESTION) + 2


def test_a_failed_pass_gives_the_turn_back(
    model: WatchedModel, embedder: SentenceEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(text: str, **options: object) -> None:
        raise TypeError(text)

    with monkeypatch.context() as patched:
        patched.setattr(model, "encode_query", fail)
        with pytest.raises(TypeError):
            embedder.embed_query(QUESTION)
    assert embedder.embed_query(QUESTION)[0] == len(QUESTION)
