"""The embedder as it is shared by who asks and who indexes; the model is a stand-in, whose passes can be watched. And
the real one: ONNX Runtime in the place of sentence-transformers, when its vectors are the same."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from index import embedder as embedding
from index import models
from index.embedder import BATCH_BESIDE_QUESTIONS, QUESTIONS_COME_S, SentenceEmbedder
from index.onnx_encoder import STAMP, TOKENS, OnnxEncoder, compared, remembered, shares
from index.onnx_graph import UnsupportedError

BATCH = embedding.BATCH * embedding.cores()

QUESTION = "Who brought in the harvest?"
DOCUMENTS = [f"Farmer {n} brought in the harvest early." for n in range(10 * BATCH)]


class WatchedModel:
    """Gives a vector for each text; `on_pass` hears of each batch of documents while it is read."""

    def __init__(self) -> None:
        self.passes: list[str] = []
        self.on_pass: Callable[[int], None] = lambda number: None
        self._is_used = threading.Lock()

        self.dimension = 2

    def vocabulary(self) -> Iterable[str]:
        return ()

    def documents(self, texts: Sequence[str], *, threads: int) -> NDArray[np.float32]:
        assert self._is_used.acquire(blocking=False), "two use the model at once"
        self.passes.append(f"{len(texts)} documents")
        self.on_pass(len(self.passes))
        self._is_used.release()
        return np.array([[len(text), 1.0] for text in texts], dtype=np.float32)

    def question(self, text: str) -> NDArray[np.float32]:
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
    def fail(text: str) -> None:
        raise TypeError(text)

    with monkeypatch.context() as patched:
        patched.setattr(model, "question", fail)
        with pytest.raises(TypeError):
            embedder.embed_query(QUESTION)
    assert embedder.embed_query(QUESTION)[0] == len(QUESTION)


@pytest.mark.parametrize("sizes", [[], [3], [256] * 5, [4] * 300, [1, 2, 256, 40, 39, 8] * 20])
@pytest.mark.parametrize("threads", [1, 2, 7])
def test_passes_have_every_row_once_and_neither_many_tokens_nor_much_padding(sizes: list[int], threads: int) -> None:
    passes = shares(sizes, threads)
    assert sorted(row for rows in passes for row in rows) == list(range(len(sizes)))
    for rows in passes:
        lengths = [sizes[row] for row in rows]
        assert lengths == sorted(lengths, reverse=True)
        assert len(rows) * lengths[0] <= max(TOKENS, lengths[0])


def test_a_model_of_another_kind_is_not_computed_by_onnx_runtime(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"architectures": ["XLMRobertaModel"], "hidden_act": "gelu"}')
    with pytest.raises(UnsupportedError, match="no BERT"):
        OnnxEncoder(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(UnsupportedError, match="JSONDecodeError"):
        OnnxEncoder(tmp_path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the default embedder, compared with nothing yet."""
    found = models.locate(None, "embedder")
    copied = tmp_path_factory.mktemp("models") / found.name
    shutil.copytree(found, copied, copy_function=os.link, ignore=shutil.ignore_patterns(".*"))
    return copied


@pytest.mark.model
def test_onnx_runtime_gives_the_vectors_of_sentence_transformers() -> None:
    reference, embedder = SentenceEmbedder(reference=True), SentenceEmbedder()
    texts = [
        "No.",
        "Peace talks in Beijing broke down on Friday after three days, the envoy told reporters, and no date was set.",
        "Zoë paid €3,50 for a «crêpe» — 北京 🙂",
        "The mill stood by the river. " * 80,
        "",
    ]
    alone = np.stack([reference.embed_documents([text])[0] for text in texts])
    together = embedder.embed_documents(texts * 9)
    assert isinstance(embedder._model(), OnnxEncoder)
    assert (together.reshape(9, len(texts), -1) * alone).sum(axis=2).min() > 0.99999
    for text in texts[:3]:
        assert embedder.embed_query(text) @ reference.embed_query(text) > 0.99999
    assert embedder.name == reference.name


@pytest.mark.model
def test_vectors_are_compared_once_and_again_for_other_weights(folder: Path) -> None:
    asked: list[int] = []
    encoder = OnnxEncoder(folder)

    def same(texts: Sequence[str]) -> NDArray[np.float32]:
        asked.append(len(texts))
        return encoder.documents(texts, threads=1)

    assert remembered(folder) is None
    assert compared(folder, same).is_near
    assert compared(folder, same).is_near
    assert len(asked) == 1
    weights = folder / "model.safetensors"
    time_ns = weights.stat().st_mtime_ns
    copy = folder / "other"
    shutil.copy(weights, copy)
    copy.replace(weights)
    os.utime(weights, ns=(time_ns + 1, time_ns + 1))
    assert remembered(folder) is None
    assert not compared(folder, lambda texts: np.roll(same(texts), 1, axis=1)).is_near
    found = remembered(folder)
    assert found is not None
    assert "cosine" in found.reason
    (folder / STAMP).write_text(json.dumps({"of": 1}))
    assert remembered(folder) is None


@pytest.mark.model
def test_a_search_loads_neither_pytorch_nor_sentence_transformers(tmp_path: Path) -> None:
    SentenceEmbedder().load()  # the comparison is made once
    program = (
        "import contextlib, io, sys\n"
        "from ui.cli import main\n"
        f"home = ['--home', {str(tmp_path / 'home')!r}]\n"
        "with contextlib.redirect_stdout(io.StringIO()) as shown:\n"
        "    codes = [main(['index', 'add', 'seeds', *home]), main(['search', 'peace talks', *home])]\n"
        "assert codes == [0, 0] and 'talks' in shown.getvalue(), shown.getvalue()\n"
        "print(sorted({'torch', 'transformers', 'sentence_transformers', 'gradio', 'llama_cpp'} & set(sys.modules)))"
    )
    place = Path(__file__).parent.parent
    tried = subprocess.run([sys.executable, "-c", program], cwd=place, text=True, capture_output=True, check=False)
    assert (tried.stdout.strip(), tried.returncode) == ("[]", 0), tried.stderr


def test_without_onnx_runtime_sentence_transformers_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.setattr(embedding, "_Reference", lambda folder: "the reference")
    monkeypatch.setattr(models, "locate", lambda name, role: Path("nowhere"))
    assert SentenceEmbedder()._model() == "the reference"  # type: ignore[comparison-overlap]
