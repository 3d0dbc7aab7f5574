"""The embedder as it is shared by who asks and who indexes; the model is a stand-in, whose passes can be watched. And
the real one: ONNX Runtime in the place of sentence-transformers, when its vectors are the same."""

from __future__ import annotations

import json
import os
import platform
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

from index import bfloat16_encoder, models
from index import embedder as embedding
from index.bert import UnsupportedError
from index.bfloat16_encoder import BFLOAT16, is_possible
from index.embedder import BATCH_BESIDE_QUESTIONS, QUESTIONS_COME_S, SentenceEmbedder
from index.onnx_encoder import ONNX, OnnxEncoder
from index.passes import TOKENS, shares
from index.runtime import SAMPLES, Runtime

BATCH = embedding.BATCH * embedding.cores()

QUESTION = "Who brought in the harvest?"
DOCUMENTS = [f"Farmer {n} brought in the harvest early." for n in range(10 * BATCH)]


class WatchedModel:
    """Gives a vector for each text; `on_pass` hears of each batch of documents while it is read."""

    name = "a stand-in"

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

    assert ONNX.remembered(folder) is None
    assert ONNX.compared(folder, same).is_near
    assert ONNX.compared(folder, same).is_near
    assert len(asked) == 1
    weights = folder / "model.safetensors"
    time_ns = weights.stat().st_mtime_ns
    copy = folder / "other"
    shutil.copy(weights, copy)
    copy.replace(weights)
    os.utime(weights, ns=(time_ns + 1, time_ns + 1))
    assert ONNX.remembered(folder) is None
    assert not ONNX.compared(folder, lambda texts: np.roll(same(texts), 1, axis=1)).is_near
    found = ONNX.remembered(folder)
    assert found is not None
    assert "cosine" in found.reason
    (folder / ONNX.stamp).write_text(json.dumps({"of": 1}))
    assert ONNX.remembered(folder) is None


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


def unlike(texts: Sequence[str], *, threads: int) -> NDArray[np.float32]:
    return np.zeros((len(texts), 2), dtype=np.float32)


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> WatchedModel:
    """What computes many documents: from two batches on, where it is near to what it is compared with."""
    loaded = WatchedModel()
    runtime = Runtime("many", ".many.json", 1, (), lambda folder: loaded)  # type: ignore[arg-type, return-value]
    monkeypatch.setattr(embedding, "BFLOAT16", runtime)
    monkeypatch.setattr(embedding, "MANY", 2 * embedding.BATCH)
    monkeypatch.setattr(embedding, "is_possible", lambda: True)
    monkeypatch.setattr(embedding, "_Reference", lambda folder: WatchedModel())
    monkeypatch.setattr(models, "locate", lambda name, role: tmp_path)
    return loaded


def test_bfloat16_is_loaded_once_so_many_documents_were_wanted_that_it_pays(
    model: WatchedModel, embedder: SentenceEmbedder, many: WatchedModel
) -> None:
    batch, compared = f"{BATCH} documents", f"{len(SAMPLES)} documents"
    embedder.embed_documents(DOCUMENTS[:BATCH])
    assert (model.passes, many.passes) == ([batch], [])
    assert embedder.runtime == "a stand-in"
    vectors = embedder.embed_documents(DOCUMENTS[: 2 * BATCH])
    assert vectors[:, 0].tolist() == [len(text) for text in DOCUMENTS[: 2 * BATCH]]
    assert (model.passes, many.passes) == ([batch], [compared, batch, batch])
    embedder.embed_query(QUESTION)
    embedder.embed_documents(DOCUMENTS[:BATCH_BESIDE_QUESTIONS])
    assert model.passes[1:] == ["question", f"{BATCH_BESIDE_QUESTIONS} documents"]
    other = SentenceEmbedder()
    other.embed_documents(DOCUMENTS)
    assert many.passes[3:] == [batch] * 10  # compared once


def test_bfloat16_is_not_used_where_it_is_far_from_the_reference_or_impossible(
    model: WatchedModel, embedder: SentenceEmbedder, many: WatchedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(many, "documents", unlike)
    embedder.embed_documents(DOCUMENTS)
    assert len(model.passes) == 10
    monkeypatch.undo()
    monkeypatch.setattr(SentenceEmbedder, "_model", lambda self: model)
    monkeypatch.setattr(embedding, "is_possible", lambda: False)
    monkeypatch.setattr(models, "locate", lambda name, role: pytest.fail("it was looked for"))
    SentenceEmbedder().embed_documents(DOCUMENTS * 10)
    assert not many.passes


def test_a_processor_that_computes_bfloat16_is_known_by_its_flags(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    monkeypatch.setattr(bfloat16_encoder, "CPUINFO", cpuinfo)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    found = bfloat16_encoder.features.__wrapped__
    assert found() == ()
    cpuinfo.write_text("processor\t: 0\nflags\t\t: fpu avx512f avx512_vnni\n\nprocessor\t: 1\nbugs\t\t: none\n")
    assert found() == ()
    cpuinfo.write_text("processor\t: 0\nflags\t\t: fpu avx512_bf16 avx512_vnni amx_bf16 amx_tile\n")
    assert found() == ("avx512_bf16", "amx_bf16")
    cpuinfo.write_text("processor\t: 0\nflags\t\t: fpu avx512_bf16\n")
    assert found() == ("avx512_bf16",)
    monkeypatch.setattr(sys, "platform", "win32")
    assert found() == ()


def test_bfloat16_is_refused_where_the_processor_lacks_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(bfloat16_encoder, "features", lambda: ())
    with pytest.raises(UnsupportedError, match="does not compute bfloat16"):
        bfloat16_encoder.Bfloat16Encoder(tmp_path)


needs_bfloat16 = pytest.mark.skipif(not is_possible(), reason="the processor does not compute bfloat16")


@pytest.mark.model
@needs_bfloat16
def test_vectors_in_bfloat16_are_near_to_those_in_float32_on_any_number_of_threads(folder: Path) -> None:
    encoder, exact = BFLOAT16.load(folder), ONNX.load(folder)
    texts = [*SAMPLES, *DOCUMENTS[:30], ""]
    expected = exact.documents(texts, threads=1)
    for threads in (1, 2, 3):
        found = encoder.documents(texts, threads=threads)
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
        assert (found * expected).sum(axis=1).min() > 0.9995
    assert BFLOAT16.compared(folder, lambda texts: exact.documents(texts, threads=1)).is_near
    assert BFLOAT16.remembered(folder) is not None


@pytest.mark.model
@needs_bfloat16
def test_passes_in_bfloat16_leave_the_threads_of_pytorch_as_they_are(folder: Path) -> None:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        found: list[int] = []
        encoder = BFLOAT16.load(folder)
        monitored = encoder.compute

        def compute(ids: NDArray[np.int32], mask: NDArray[np.int32]) -> NDArray[np.float32]:
            vectors = monitored(ids, mask)
            found.append(torch.get_num_threads())
            return vectors

        encoder.compute = compute  # type: ignore[method-assign]
        encoder.documents(DOCUMENTS, threads=2)
        other = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
        other.start()
        other.join()
        assert set(found) == {3}
        with bfloat16_encoder._one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_without_onnx_runtime_sentence_transformers_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.setattr(embedding, "_Reference", lambda folder: "the reference")
    monkeypatch.setattr(models, "locate", lambda name, role: Path("nowhere"))
    assert SentenceEmbedder()._model() == "the reference"  # type: ignore[comparison-overlap]
