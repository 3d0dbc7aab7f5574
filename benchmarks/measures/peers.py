"""Peers: a whole sync of news-like articles by Citewire and by other libraries, over the same files and the weights of
the same embedder. Besides Citewire, this needs

    pip install llama-index-core llama-index-embeddings-huggingface langchain-huggingface langchain-text-splitters txtai

in an environment that has Citewire as well: this one, or that of `--python`.

Each library divides the articles by its own means, none beyond the 256 tokens that the embedder reads, so that all of
the text is embedded: Citewire by sentences, the others by a few sentences at once, which costs as many tokens. What is
counted begins with the first file and ends when everything is on disk; starting Python and loading the model are not in
it. Each library runs in a process of its own, in turn with Citewire, and a ratio is that of one pair.
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import time
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.harness import dataset, report
from index import Index, models
from index.embedder import SentenceEmbedder
from index.passage import sentences

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    Sync = tuple[Callable[[str], Sequence[float]], Callable[[Path, Path], int]]
    """Embed one text; sync a folder into another one and say how many vectors there are."""

TOP = Path(__file__).parents[2]
SENTENCES_AN_ARTICLE, SENTENCES_A_PARAGRAPH = 50, 3
TOKENS, CHARS = 200, 700
"""The most of one piece, for a library that counts tokens, and for one that counts characters."""
PROBE = "The bridge over the river was closed after the storm."
CITEWIRE = "citewire"


def options(parser: argparse.ArgumentParser) -> None:
    """How many articles, and which libraries."""
    dataset.options(parser)
    parser.add_argument("--articles", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--libraries", nargs="+", choices=list(LIBRARIES), default=list(LIBRARIES))
    parser.add_argument("--python", default=sys.executable, help="the Python that has these libraries")
    parser.add_argument("--be", nargs=3, metavar=("LIBRARY", "ARTICLES", "INDEX"), help="sync; used by the benchmark")


def run(arguments: argparse.Namespace) -> None:
    """Measure the pairs, print the table, write the result."""
    if arguments.be is not None:
        name, articles, place = arguments.be
        print(json.dumps(synced(name, Path(articles), Path(place))))
        return
    number, rounds = (10, 1) if arguments.quick else (arguments.articles, arguments.rounds)
    SentenceEmbedder().load()  # the comparison with sentence-transformers is made once
    measured: dict[str, Any] = {"articles": number, "sentences": number * SENTENCES_AN_ARTICLE}
    with TemporaryDirectory() as folder:
        written = Path(folder) / "articles"
        write(written, dataset.squad(arguments.data), number)
        for library in arguments.libraries:
            pairs = []
            for one in range(rounds):
                place = Path(folder) / f"{library}-{one}"
                ours = _process(sys.executable, CITEWIRE, written, place / "ours")
                theirs = _process(arguments.python, library, written, place / "theirs")
                pairs.append((ours, theirs))
                print(
                    library,
                    *(f"{what['s']:.1f} s, {what['processor s']:.1f} of processor" for what in pairs[-1]),
                    flush=True,
                )
            measured[library] = {
                "version": pairs[0][1]["version"],
                "its time, of Citewire's": _median([theirs["s"] / ours["s"] for ours, theirs in pairs]),
                "its processor time, of Citewire's": _median(
                    [theirs["processor s"] / ours["processor s"] for ours, theirs in pairs]
                ),
                "its sentences a second": _median([measured["sentences"] / theirs["s"] for _, theirs in pairs]),
                "Citewire's sentences a second": _median([measured["sentences"] / ours["s"] for ours, _ in pairs]),
                "its vectors": pairs[0][1]["vectors"],
                "Citewire's vectors": pairs[0][0]["vectors"],
                "cosine of a text's two vectors": float(np.dot(pairs[0][0]["probe"], pairs[0][1]["probe"])),
            }
            print("\n".join(f"  {name:40}{value!s:>24}" for name, value in measured[library].items()), flush=True)
    if not arguments.quick:
        packages = ("faiss-cpu", "onnxruntime", "sentence-transformers", "torch")
        report.write(
            "peers", models={"embedder": SentenceEmbedder().name}, packages=packages, measured={"sync": measured}
        )


def write(folder: Path, data: dataset.Dataset, number: int) -> None:
    """Articles of as many sentences as news have, each the first half of a real one and the second half of another, so
    that none occurs twice: what is embedded once would be."""
    folder.mkdir()
    real = [span.of(one.text).split() for one in data.articles for span in sentences(one.text)]
    draw = random.Random(0)
    for place in range(number):
        pairs = (draw.sample(real, 2) for _ in range(SENTENCES_AN_ARTICLE))
        made = [" ".join([*one[: len(one) // 2], *other[len(other) // 2 :]]).capitalize() for one, other in pairs]
        paragraphs = [
            made[first : first + SENTENCES_A_PARAGRAPH] for first in range(0, len(made), SENTENCES_A_PARAGRAPH)
        ]
        text = "\n\n".join(map(" ".join, paragraphs))
        (folder / f"{place:05}.txt").write_text(text + "\n", encoding="utf-8")


def synced(name: str, articles: Path, place: Path) -> dict[str, Any]:
    """Seconds of waiting and of processor time that a library takes for a folder of articles."""
    place.mkdir(parents=True)
    embed, sync = ({CITEWIRE: citewire} | LIBRARIES)[name](models.locate(None, "embedder"))
    probe = np.asarray(embed(PROBE), dtype=np.float64)
    start, start_used = time.perf_counter(), _used_s()
    vectors = sync(articles, place)
    return {
        "s": time.perf_counter() - start,
        "processor s": _used_s() - start_used,
        "vectors": vectors,
        "probe": (probe / np.linalg.norm(probe)).tolist(),
        "version": version({"llamaindex": "llama-index-core", "langchain": "langchain-core"}.get(name, name)),
    }


def citewire(model: Path) -> Sync:
    """Citewire itself, with the embedder in `model`."""
    embedder = SentenceEmbedder(model.name)
    embedder.load()

    def sync(articles: Path, place: Path) -> int:
        with Index.open(place, embedder=embedder) as index:
            index.sync([articles])
            return index.stats().sentences

    return lambda text: embedder.embed_documents([text])[0].tolist(), sync


def llamaindex(model: Path) -> Sync:
    """LlamaIndex, with its reader of folders, its splitter by sentences and its own store."""
    core, parsers = import_module("llama_index.core"), import_module("llama_index.core.node_parser")
    embedding = import_module("llama_index.embeddings.huggingface").HuggingFaceEmbedding(
        model_name=str(model), device="cpu", embed_batch_size=32
    )
    splitter = parsers.SentenceSplitter(chunk_size=TOKENS, chunk_overlap=0)

    def sync(articles: Path, place: Path) -> int:
        documents = core.SimpleDirectoryReader(str(articles)).load_data()
        for document in documents:  # the same text: without the path of its file
            document.excluded_embed_metadata_keys = list(document.metadata)
            document.excluded_llm_metadata_keys = list(document.metadata)
        index = core.VectorStoreIndex.from_documents(documents, embed_model=embedding, transformations=[splitter])
        index.storage_context.persist(str(place))
        return len(index.docstore.docs)

    return embedding.get_text_embedding, sync


def langchain(model: Path) -> Sync:
    """LangChain, with its splitter by characters and its store in memory, which it writes as JSON."""
    core, stores = import_module("langchain_core.documents"), import_module("langchain_core.vectorstores")
    splitters = import_module("langchain_text_splitters")
    embedding = import_module("langchain_huggingface").HuggingFaceEmbeddings(
        model_name=str(model), model_kwargs={"device": "cpu"}, encode_kwargs={"batch_size": 32}
    )
    splitter = splitters.RecursiveCharacterTextSplitter(chunk_size=CHARS, chunk_overlap=0)

    def sync(articles: Path, place: Path) -> int:
        texts = (path.read_text(encoding="utf-8") for path in sorted(articles.glob("*.txt")))
        pieces = splitter.split_documents([core.Document(page_content=text) for text in texts])
        store = stores.InMemoryVectorStore(embedding)
        store.add_documents(pieces)
        store.dump(str(place / "store.json"))
        return len(pieces)

    return embedding.embed_query, sync


def txtai(model: Path) -> Sync:
    """txtai, by the paragraphs of the files, with its database of contents."""
    embeddings = import_module("txtai").Embeddings(path=str(model), content=True, gpu=False)
    made = import_module("txtai.vectors").VectorsFactory.create({"path": str(model), "gpu": False})

    def sync(articles: Path, place: Path) -> int:
        embeddings.index(
            (f"{path.name} {number}", paragraph)
            for path in sorted(articles.glob("*.txt"))
            for number, paragraph in enumerate(path.read_text(encoding="utf-8").split("\n\n"))
        )
        embeddings.save(str(place / "index"))
        return int(embeddings.count())

    return lambda text: made.encode([text])[0], sync


LIBRARIES: dict[str, Callable[[Path], Sync]] = {"llamaindex": llamaindex, "langchain": langchain, "txtai": txtai}


def _process(python: str, library: str, articles: Path, place: Path) -> dict[str, Any]:
    command = [python, "-m", "benchmarks", "peers", "--be", library, str(articles), str(place)]
    done = subprocess.run(command, cwd=TOP, stdout=subprocess.PIPE, check=True)  # noqa: S603
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _used_s() -> float:
    """Processor time of this process and of those it has waited for."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _median(values: Sequence[float]) -> float:
    return round(float(np.median(values)), 3)
