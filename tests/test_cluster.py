"""A sync and shards on a Ray cluster: a real one, of a head and two nodes on this machine."""

from __future__ import annotations

import json
import os
import secrets
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from index import Index
from index.article import Article
from index.cluster import IN_FLIGHT, ClusterEmbedder, connect
from index.errors import InputError, ModelError
from index.shard_actors import ShardActors
from index.sync import SAVE_EVERY
from rag import Answer, Engine, Token
from rag.llm import replicas
from rag.llm.replicas import Replicas
from rag.settings import Settings
from tests.fakes import BagOfWordsEmbedder, ScriptedLLM
from ui.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

STORE_BYTES = 80 << 20
"""Of a node's object store: the least that Ray takes."""


class SlowEmbedder(BagOfWordsEmbedder):
    """Takes its time, and notes each batch in a file, so that a machine can be lost half way."""

    def embed_documents(self, texts: Sequence[str], *, progress: Any = None) -> NDArray[np.float32]:
        time.sleep(0.1)
        with open(os.environ["BATCHES_OF_TEST"], "a") as file:  # noqa: PTH123
            file.write(f"{len(texts)}\n")
        return super().embed_documents(texts, progress=progress)


class DamagedEmbedder(BagOfWordsEmbedder):
    """Has a model on this machine alone."""

    def embed_documents(self, texts: Sequence[str], *, progress: Any = None) -> NDArray[np.float32]:
        raise ModelError("the embedder is not there; run: citewire models pull")


@pytest.fixture(scope="module")
def batches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the embedders of the cluster note what they embed."""
    path: Path = tmp_path_factory.mktemp("cluster") / "batches"
    path.touch()
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("BATCHES_OF_TEST", str(path))
        patched.setenv("PYTHONPATH", str(Path(__file__).parent.parent))  # the nodes need the tests' embedders
        patched.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # Ray's word for a cluster on loopback alone
        patched.setenv("RAY_AUTH_MODE", "token")
        patched.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
        yield path


@pytest.fixture(scope="module")
def cluster(batches: Path) -> Iterator[Any]:
    from ray.cluster_utils import Cluster

    assert batches.exists()
    node: dict[str, Any] = {"object_store_memory": STORE_BYTES, "include_dashboard": False}
    made = Cluster(initialize_head=True, head_node_args={**node, "num_cpus": 0})
    for _ in range(2):
        made.add_node(**node, num_cpus=1)
    yield made
    made.shutdown()  # type: ignore[no-untyped-call]


def articles(number: int) -> list[Article]:
    return [Article(id=f"a{n}", text=f"The bridge number {n} was opened. It has {n * 7} lamps.") for n in range(number)]


def test_vectors_come_in_order_and_are_those_of_one_machine(cluster: Any) -> None:
    texts = [[f"text {batch} {n}" for n in range(batch + 1)] for batch in range(12)]
    with ClusterEmbedder(cluster.address, BagOfWordsEmbedder) as embedder:
        assert embedder.name == BagOfWordsEmbedder().name
        found = list(embedder.embed_batches(texts))
        assert sum(embedder.embedded.values()) == sum(map(len, texts))
        assert list(embedder.embed_batches([])) == []
    for batch, vectors in zip(texts, found, strict=True):
        np.testing.assert_array_equal(vectors, BagOfWordsEmbedder().embed_documents(batch))


def test_a_lost_machine_costs_only_the_batches_it_had(cluster: Any, batches: Path, tmp_path: Path) -> None:
    number = 20 * SAVE_EVERY // 2
    lost = cluster.add_node(object_store_memory=STORE_BYTES, include_dashboard=False, num_cpus=1)
    batches.write_text("")
    killed: list[float] = []

    def kill(stage: str, done: int, total: int) -> None:
        if stage == "embed" and done >= total // 4 and not killed:
            killed.append(done)
            cluster.remove_node(lost, allow_graceful=False)

    with (
        ClusterEmbedder(cluster.address, SlowEmbedder) as embedder,
        Index.open(tmp_path / "home", embedder=embedder) as index,
    ):
        report = index.add(articles(number), progress=kill)
        assert killed
        assert (report.added, len(index.articles())) == (number, number)
        assert index.check() == []
        assert index.search("bridge number 77")[0].article.id == "a77"
    embedded = sum(map(int, batches.read_text().split()))
    assert report.embedded <= embedded <= report.embedded + IN_FLIGHT * SAVE_EVERY


def test_a_machine_without_the_model_is_named(cluster: Any, tmp_path: Path) -> None:
    with (
        ClusterEmbedder(cluster.address, DamagedEmbedder) as embedder,
        Index.open(tmp_path / "home", embedder=embedder) as index,
        pytest.raises(ModelError, match=r"\([0-9a-f]{6}\): the embedder is not there; run: citewire models pull"),
    ):
        index.add(articles(3))


def test_the_command_says_which_machine_embedded_what(
    cluster: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "one.txt").write_text("Bridge\n\nThe bridge was opened in May. It has ninety lamps.")
    monkeypatch.setattr("ui.commands.articles.ClusterEmbedder", _with_words)
    assert main(["index", "add", str(tmp_path / "one.txt"), "--cluster", cluster.address]) == 0
    printed = capsys.readouterr()
    assert "1 added" in printed.out
    assert "sentences embedded by" in printed.err


def _with_words(address: str, **options: Any) -> ClusterEmbedder:
    return ClusterEmbedder(address, BagOfWordsEmbedder, **options)


@pytest.mark.parametrize(
    ("address", "complaint"),
    [
        ("127.0.0.1:1", "no cluster answers at 127.0.0.1:1"),
        ("127.0.0.1:99999", "no cluster answers"),
        ("nowhere", "is not the address of a cluster"),
        ("127.0.0.1:x\x1b", "is not the address of a cluster"),
        ("", "is not the address of a cluster"),
    ],
)
def test_an_address_that_cannot_be_used(address: str, complaint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    with pytest.raises(InputError, match=complaint) as raised:
        ClusterEmbedder(address, BagOfWordsEmbedder)
    assert str(raised.value).isprintable()


@pytest.mark.parametrize("mode", ["", "disabled"])
def test_a_cluster_without_a_token_is_not_used(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", mode)
    with pytest.raises(InputError, match="RAY_AUTH_MODE=token"):
        ClusterEmbedder("127.0.0.1:6379", BagOfWordsEmbedder)


def test_a_cluster_has_nothing_to_do_for_a_model_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CITEWIRE_EMBEDDER", "http://127.0.0.1:8080/v1#minilm")
    with pytest.raises(InputError, match="leave out --cluster"):
        ClusterEmbedder("127.0.0.1:6379", BagOfWordsEmbedder)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    """What a command prints as JSON."""
    main([*arguments, "--json"])
    printed = capsys.readouterr()
    assert printed.out, printed.err
    return json.loads(printed.out)


def test_shards_are_searched_as_one_index_and_come_and_go(
    cluster: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index.search.SentenceEmbedder", BagOfWordsEmbedder)
    home, at = tmp_path / "home", ("--home", str(tmp_path / "home"))
    on, folder = ("--cluster", cluster.address), ("--folder", str(tmp_path / "shards"))
    with Index.open(home) as index:
        index.add(articles(60))
    with pytest.raises(SystemExit):
        main(["cluster", "init"])  # without an address

    assert main([*at, "search", "bridge", *on]) == 1
    assert "citewire cluster init" in capsys.readouterr().err
    lost = cluster.add_node(object_store_memory=STORE_BYTES, include_dashboard=False, num_cpus=1)
    made = run(capsys, *at, "cluster", "init", *on, *folder)
    assert (len(made["articles"]), sum(made["articles"].values()), made["copied"]) == (3, 60, 60)
    with ShardActors(cluster.address) as shards, Index.open(home) as one, Index.open(home, shards=shards) as several:
        for question in ("bridge number 7", "How many lamps has the bridge number 12?", "opened"):
            found = several.search(question)
            assert list(found) == list(one.search(question))
            assert found.missing == ()

        killed = next(one.name for one in shards.placed()[0] if lost.node_id[:6] in one.node)
        cluster.remove_node(lost, allow_graceful=False)
        until = time.monotonic() + 60
        while not several.missing and time.monotonic() < until:  # its process outlives the node for a moment
            time.sleep(0.2)
        llm = ScriptedLLM("The bridge number 12 has 84 lamps.")
        with Engine.open(index=several, llm=llm, settings=Settings(read_ahead="off")) as engine:
            answer = engine.ask("How many lamps has the bridge number 12?")
        assert answer.missing == (killed,)
        assert f"Not all articles were searched: {killed}." in str(answer)
    assert main([*at, "search", "bridge", *on]) == 0
    assert f"not all articles were searched: {killed}" in capsys.readouterr().err
    status = run(capsys, *at, "cluster", "status", *on)
    assert status["missing"] == [killed]
    served: list[Any] = []
    monkeypatch.setattr("ui.api.programs.serve", lambda home, *, engine, **_: served.append(engine.index.missing))
    assert main([*at, "serve", "--no-page", *on]) == 0
    assert served == [(killed,)]

    moved = run(capsys, *at, "cluster", "rebalance", *on, *folder)
    assert (len(moved["articles"]), sum(moved["articles"].values())) == (2, 60)
    assert moved["copied"] == made["articles"][killed]
    drained, kept = sorted(moved["articles"])
    assert run(capsys, *at, "cluster", "drain", drained, *on)["articles"] == {kept: 60}
    assert not (tmp_path / "shards" / drained).exists()
    assert main([*at, "cluster", "drain", kept, *on]) == 1
    assert "the only shard" in capsys.readouterr().err

    with ShardActors(cluster.address) as shards:  # as when the head was started again: no actor is there
        shards.end(kept)
        until = time.monotonic() + 60
        while kept in shards.live and time.monotonic() < until:
            time.sleep(0.2)
            shards.find()
    again = run(capsys, *at, "cluster", "init", *on, *folder)
    assert sum(again["articles"].values()) == 60
    assert again["copied"] <= 60 - again["articles"][kept]  # what it has is found on its disk
    assert all(row["in_step"] for row in run(capsys, *at, "cluster", "status", *on)["shards"])
    with ShardActors(cluster.address) as shards:
        for name in shards.live:
            shards.stop(name)


SMALL = Settings(llm="smollm2-135m", mode="write", read_ahead="off", threads=1)
ASKED, REPLY = "How many lamps has the bridge number 12?", "The bridge number 12 has 84 lamps."


class SlowLLM(ScriptedLLM):
    """Notes which process begins and ends a draft, and takes its time between words."""

    def stream(self, *arguments: Any, **options: Any) -> Iterator[str]:
        note("begun")
        for piece in super().stream(*arguments, **options):
            time.sleep(0.2)
            yield piece
        note("cancelled" if options["cancel"].is_set() else "ended")


def note(what: str) -> None:
    with open(os.environ["BATCHES_OF_TEST"], "a") as file:  # noqa: PTH123
        file.write(f"{what} {os.getpid()}\n")


def noted(path: Path, what: str) -> list[int]:
    """The processes that have noted this."""
    return [int(line.split()[1]) for line in path.read_text().splitlines() if line.startswith(what)]


def slow(settings: Settings) -> SlowLLM:
    return SlowLLM(*[REPLY] * 20)


@pytest.fixture
def engine(cluster: Any, batches: Path, tmp_path: Path) -> Iterator[Engine]:
    """Over 30 articles, with a slow replica on both machines."""
    batches.write_text("")
    ray = connect(cluster.address)
    started = replicas.start(SMALL, slow)
    assert list(started.values()) == ["", ""]
    with Index.open(tmp_path / "home", embedder=BagOfWordsEmbedder()) as index:
        index.add(articles(30))
        llm = Replicas.open(SMALL)
        until = time.monotonic() + 60
        while llm is not None and llm.at_once() < 2 and time.monotonic() < until:  # one may be busy for a moment
            time.sleep(0.2)
        with Engine.open(index=index, llm=llm, settings=SMALL) as engine:
            yield engine
    replicas.stop()
    ray.shutdown()


def test_two_readers_are_answered_at_once_on_two_machines(engine: Engine, batches: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(engine.ask, [ASKED, ASKED]))
    assert [(answer.text, answer.model) for answer in answers] == [(REPLY, "smollm2-135m")] * 2
    assert len(answers[0].model_sha256) == 64
    lines = [line.split()[0] for line in batches.read_text().splitlines()]
    assert lines[:2] == ["begun", "begun"]
    assert len(set(noted(batches, "begun"))) == 2


def test_questions_about_one_passage_are_answered_where_it_was_read(engine: Engine, batches: Path) -> None:
    for _ in range(3):
        assert engine.ask(ASKED).text == REPLY
    assert len(set(noted(batches, "begun"))) == 1


def test_an_answer_goes_on_elsewhere_when_its_machine_is_lost(engine: Engine, batches: Path) -> None:
    words = ""
    for event in engine.stream(ASKED):
        if isinstance(event, Token):
            words += event.text
            if len(words.split()) == 2:
                os.kill(noted(batches, "begun")[0], signal.SIGKILL)
        if isinstance(event, Answer):
            assert event.text == REPLY
    assert words.strip() == REPLY
    first, second = noted(batches, "begun")
    assert first != second
    assert noted(batches, "ended") == [second]


def test_when_a_second_machine_is_lost_that_is_said(engine: Engine, batches: Path) -> None:
    killed: list[int] = []
    ended = threading.Event()

    def kill() -> None:
        while not ended.wait(0.05):
            for process in set(noted(batches, "begun")).difference(killed):
                os.kill(process, signal.SIGKILL)
                killed.append(process)

    killing = threading.Thread(target=kill)
    killing.start()
    with pytest.raises(ModelError, match=r"lost while answering .*; ask again, or see: citewire cluster status"):
        engine.ask(ASKED)
    ended.set()
    killing.join()
    assert len(killed) == 2
    assert engine.ask(ASKED).text == REPLY  # both are started again


def test_a_question_is_cancelled_where_it_is_answered(engine: Engine, batches: Path) -> None:
    cancel = threading.Event()
    for event in engine.stream(ASKED, cancel=cancel):
        if isinstance(event, Token):
            cancel.set()
    until = time.monotonic() + 30
    while not noted(batches, "cancelled") and time.monotonic() < until:
        time.sleep(0.1)
    assert noted(batches, "cancelled") == noted(batches, "begun")


def test_replicas_of_another_model_are_not_asked(engine: Engine) -> None:
    with pytest.raises(ModelError, match=r"has smollm2-135m of Citewire .* is asked for; name that model with --llm"):
        Replicas.open(replace(SMALL, llm=None))
    with pytest.raises(InputError, match=r"replicas have a model of models\.txt"):
        replicas.start(replace(SMALL, llm="http://127.0.0.1:8080/v1#one"))


@pytest.mark.model
def test_answers_of_replicas_are_those_of_the_model_here(
    cluster: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index.search.SentenceEmbedder", BagOfWordsEmbedder)
    monkeypatch.setenv("CITEWIRE_THREADS", "1")
    at, on = ("--home", str(tmp_path / "home")), ("--cluster", cluster.address)
    llm, folder = ("--llm", "smollm2-135m"), ("--folder", str(tmp_path / "shards"))
    with Index.open(tmp_path / "home") as index:
        index.add(articles(30))
    questions = [(ASKED, mode) for mode in ("write", "quote")] + [("Which bridge has 49 lamps?", "write")]
    here = [run(capsys, *at, "ask", asked, *llm, "--mode", mode) for asked, mode in questions]

    run(capsys, *at, "cluster", "init", *on, *folder, *llm, "--replicas")
    status = run(capsys, *at, "cluster", "status", *on)
    assert list(status["replicas"].values()) == ["smollm2-135m"] * 2
    there = [run(capsys, *at, "ask", asked, *llm, *on, "--mode", mode) for asked, mode in questions]
    for one, other in zip(here, there, strict=True):
        assert {**other, "timings": None} == {**one, "timings": None}
    assert any(answer["claims"] for answer in there)

    assert main([*at, "ask", ASKED, *on]) == 1  # the default model
    assert "name that model with --llm" in capsys.readouterr().err
    drained = status["shards"][0]
    run(capsys, *at, "cluster", "drain", drained["name"], *on)
    assert drained["node"] not in run(capsys, *at, "cluster", "status", *on)["replicas"]
    run(capsys, *at, "cluster", "init", *on, *folder, *llm, "--no-replicas")
    assert run(capsys, *at, "cluster", "status", *on)["replicas"] == {}
    with ShardActors(cluster.address) as shards:
        for name in shards.live:
            shards.stop(name)
