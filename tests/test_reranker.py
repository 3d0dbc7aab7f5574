"""The reranker: off unless named, and then it decides the order of the best passages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from index import Article, Index, ModelError
from index.reranker import CANDIDATES, VARIABLE, CrossEncoderReranker, chosen
from rag import Engine, Settings
from tests.fakes import BagOfWordsEmbedder, ScriptedLLM

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

WORDS = "ferry island late harbor froze wheat comet bank rates".split()
ARTICLES = [Article(f"n{n}", f"The ferry was late, {word}.") for n, word in enumerate(WORDS)]


class Lengthy:
    """Likes long passages; remembers what it was shown."""

    def __init__(self) -> None:
        self.shown: list[tuple[str, int]] = []

    def scores(self, query: str, passages: Sequence[str]) -> list[float]:
        self.shown.append((query, len(passages)))
        return [float(len(passage)) for passage in passages]


def ids(index: Index, query: str, k: int = 8) -> list[str]:
    return [hit.article.id for hit in index.search(query, k)]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cross-encoder of one layer with random weights, the same at each run."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    folder = tmp_path_factory.mktemp("tiny")
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "was", ",", ".", *WORDS]
    (folder / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=64, num_labels=1, initializer_range=1.0,
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(folder)
    return folder


def test_without_a_name_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert chosen() is None
    with Index.open(tmp_path / "home", embedder=BagOfWordsEmbedder()) as index:
        index.add(ARTICLES)
        assert {hit.reranked for hit in index.search("late ferry")} == {None}


def test_it_decides_the_order_of_the_best(tmp_path: Path) -> None:
    reranker = Lengthy()
    texts = [f"Ferry late{' late' * (n % 2)}{', said n' * (n % 7)} ({n})." for n in range(40)]
    with Index.open(tmp_path / "home", embedder=BagOfWordsEmbedder(), reranker=reranker) as index:
        index.add([Article(f"n{n}", text) for n, text in enumerate(texts)])
        hits = index.search("late?", 30, rewordings=["Is the ferry late?"])
        assert reranker.shown == [("Is the ferry late?", CANDIDATES)]
        read = [hit.reranked for hit in hits[:CANDIDATES]]
        assert read == sorted((len(hit.text) for hit in hits[:CANDIDATES]), reverse=True)
        assert {hit.reranked for hit in hits[CANDIDATES:]} == {None}
        assert ids(index, "late ferry", 2) == ids(index, "late ferry", 20)[:2]


def test_a_cross_encoder_of_ones_own_reorders(tmp_path: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    with Index.open(home, embedder=BagOfWordsEmbedder()) as index:
        index.add(ARTICLES)
        before = ids(index, "ferry late")
    monkeypatch.setenv(VARIABLE, str(tiny))
    with Index.open(home, embedder=BagOfWordsEmbedder()) as index:
        hits = index.search("ferry late")
        scores = CrossEncoderReranker(str(tiny)).scores("ferry late", [hit.text for hit in hits])
    assert [hit.article.id for hit in hits] != before
    assert [hit.reranked for hit in hits] == pytest.approx(sorted(scores, reverse=True), abs=1e-5)
    assert len(set(scores)) > 1
    assert all(0 <= score <= 1 for score in scores)


def test_a_reranker_that_is_not_there_says_what_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "no-such-model")
    with Index.open(tmp_path / "home", embedder=BagOfWordsEmbedder()) as index:
        index.add(ARTICLES)
        with pytest.raises(ModelError, match=r"no reranker called 'no-such-model'.*path of a folder"):
            index.search("ferry")


def test_loading_the_engine_finds_out_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "no-such-model")
    with Index.open(tmp_path / "home", embedder=BagOfWordsEmbedder()) as index, pytest.raises(ModelError):
        Engine.open(index=index, llm=ScriptedLLM(), settings=Settings()).load()


def test_a_folder_that_holds_no_cross_encoder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=VARIABLE):
        CrossEncoderReranker(str(tmp_path)).scores("ferry", ["The ferry was late."])
