"""The measurements measure what they say: on hand-made rankings, and end to end on a small made-up data set."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from fakes import BagOfWordsEmbedder

from benchmarks import dataset, duplicates, embedder, report, retrieval
from benchmarks.__main__ import main
from benchmarks.baseline import Bm25, PlainFusion
from benchmarks.embedder import RememberingEmbedder
from benchmarks.report import Mean
from index import Article, Index
from rag import Turn

if TYPE_CHECKING:
    from pathlib import Path

ANSWERS = frozenset({"a", "b"})


@pytest.mark.parametrize(
    ("ids", "gain"),
    [
        (["a", "b", "x"], 1.0),
        (["b", "a"], 1.0),
        (["x", "a"], (1 / 1.58496) / (1 + 1 / 1.58496)),
        (["x"] * 10 + ["a"], 0.0),
        ([], 0.0),
    ],
)
def test_ndcg(ids: list[str], gain: float) -> None:
    assert retrieval.ndcg(ids, ANSWERS) == pytest.approx(gain, abs=1e-4)


def test_rank_counts_from_one() -> None:
    assert retrieval.rank(["x", "b", "a"], ANSWERS) == 2
    assert retrieval.rank(["x"], ANSWERS) == float("inf")


def test_a_mean_lies_in_its_interval_which_narrows_with_n() -> None:
    few, many = Mean.of([0.0, 1.0] * 10), Mean.of([0.0, 1.0] * 1000)
    assert few.low < few.mean == many.mean == 0.5 < few.high
    assert many.high - many.low < few.high - few.low
    assert Mean.of([0.0, 1.0] * 10) == few


def test_a_text_is_embedded_once(tmp_path: Path) -> None:
    first = BagOfWordsEmbedder()
    vectors = RememberingEmbedder(first, tmp_path).embed_documents(["one fish", "two fish", "one fish"])
    assert sorted(first.embedded) == ["one fish", "two fish"]
    second = BagOfWordsEmbedder()
    again = RememberingEmbedder(second, tmp_path)
    assert (again.embed_documents(["one fish", "two fish", "one fish"]) == vectors).all()
    assert second.embedded == []
    other_model = BagOfWordsEmbedder("another")
    RememberingEmbedder(other_model, tmp_path).embed_documents(["one fish"])
    assert other_model.embedded == ["one fish"]


def test_the_baselines_find_what_is_said(tmp_path: Path) -> None:
    articles = [Article("a", "Ferries cross the strait."), Article("b", "Wheat was cheap. The harvest began.")]
    assert Bm25(articles).search("harvest?") == ["b"]
    assert PlainFusion(articles, RememberingEmbedder(BagOfWordsEmbedder(), tmp_path)).search("harvest?")[0] == "b"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    squad, mtrag = folder / dataset.SQUAD, folder / dataset.MTRAG
    for place in (squad, mtrag / "retrieval_tasks/qrels", mtrag / "generation_tasks"):
        place.mkdir(parents=True)
    titles = [
        {
            "title": "Sea_Ferries",
            "paragraphs": [paragraph("Ferries cross the strait every day.", "What do ferries cross?")],
        },
        {"title": "Wheat", "paragraphs": [paragraph("Farmers harvest wheat in August.", "When is wheat harvested?")]},
    ]
    (squad / "dev-v2.0.json").write_text(json.dumps({"data": titles}))
    (squad / "test-v2.0.json").write_text(json.dumps({"data": []}))
    for collection in dataset.COLLECTIONS:
        qrel = "talk\tferries\t1\n" if collection == "clapnq" else ""
        (mtrag / f"retrieval_tasks/qrels/{collection}.tsv").write_text(f"query-id\tcorpus-id\tscore\n{qrel}")
    task = {
        "task_id": "talk",
        "Collection": "clapnq",
        "contexts": [
            {"document_id": "ferries", "text": "Ferries cross the strait every day.", "title": ""},
            {"document_id": "wheat", "text": "Farmers harvest wheat every day of August.", "title": "Wheat"},
        ],
        "input": [{"text": "Where do ferries cross?"}, {"text": "The strait."}, {"text": "And how often?"}],
    }
    (mtrag / "generation_tasks/reference.jsonl").write_text(json.dumps(task) + "\n")
    return folder


def paragraph(text: str, question: str) -> dict[str, object]:
    return {
        "context": text,
        "qas": [
            {"question": question, "is_impossible": False},
            {"question": "Who sold the moon?", "is_impossible": True},
        ],
    }


def test_the_data_sets_are_read(data: Path) -> None:
    squad = dataset.squad(data)
    assert [article.title for article in squad.articles] == ["Sea Ferries", "Wheat"]
    assert [question.relevant for question in squad.questions] == [{"dev-0-0"}, set(), {"dev-1-0"}, set()]
    (asked,) = dataset.mtrag(data).questions
    assert (asked.text, asked.relevant) == ("And how often?", {"ferries"})
    assert asked.history == (Turn("Where do ferries cross?", "The strait."),)


@pytest.mark.parametrize("name", ["retrieval", "relevance"])
def test_a_measurement_prints_its_tables_and_writes_its_result(
    name: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(report, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(embedder, "SentenceEmbedder", BagOfWordsEmbedder)
    monkeypatch.setattr(embedder, "user_cache_path", lambda *_, **__: tmp_path / "cache")
    assert main([name, "--data", str(data), "--quick"]) == 0
    assert "citewire" in capsys.readouterr().out
    assert not (tmp_path / "results").exists()
    assert main([name, "--data", str(data)]) == 0
    written = json.loads((tmp_path / "results" / f"{name}.json").read_text())
    assert written["models"] == {"embedder": "bag-of-words"}
    assert written["machine"]["cores"] >= 1


def test_a_copy_is_found_by_its_original(tmp_path: Path) -> None:
    asked = dataset.Question("When?", frozenset({"b", "x"}), "subject")
    with Index.open(tmp_path / "home", embedder=BagOfWordsEmbedder()) as index:
        index.add([Article("a", "Wheat was cheap."), Article("b", "Wheat  was cheap."), Article("c", "Snow fell.")])
        assert [one.relevant for one in dataset.merged([asked], index)] == [{"a", "x"}]


def test_syndications_are_recognized_and_other_numbers_are_not(capsys: pytest.CaptureFixture[str]) -> None:
    def made(name: str) -> Article:
        paragraphs = [
            " ".join(f"{name}word{place}x{number}" if number % 3 else f"{place}{number}" for number in range(40))
            for place in range(4)
        ]
        return Article(name, "\n\n".join(f"{paragraph}." for paragraph in paragraphs))

    found = duplicates.measure([made(f"story{'abcdefghij'[number]}") for number in range(10)], copies=5, others=5)
    assert (found["syndications recognized"].mean, found["false merges"]) == (1.0, 0)
    assert (found["of which syndications"], found["of which other numbers in the same words"]) == (5, 5)
    assert duplicates.are_same("One line. Another line.", "Another line.\nOne line. And more.")
    assert not duplicates.are_same("It took 3 days.", "It took 4 days.")
    assert not duplicates.are_same("It took three days.", "It took four days.")


def test_missing_data_is_said_with_the_option_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="--data"):
        main(["retrieval", "--data", str(tmp_path / "nowhere"), "--quick"])
