"""An index searched by its shards: the hits are those of the index itself, and shards may come and go."""

from __future__ import annotations

import asyncio
import random
import time
import zlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
import pytest

from index import Index
from index.article import Article
from index.errors import InputError, LayoutError, StoreError
from index.home import DATABASE
from index.run import Cancelled
from index.shard import STATE, LocalShards, Shard, State
from index.sharded import owner
from index.store.connections import MARKER
from rag import Engine
from rag.settings import Settings
from tests.fakes import BagOfWordsEmbedder, ScriptedLLM
from tests.test_api import Running
from tests.test_mcp import connected, text_of
from ui.api import programs
from ui.backend import Backend
from ui.folders import Folders

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

NAMES = ("a", "b", "c")
EMBEDDER = "words"
PLACES = "harbour bridge market station library museum garden tower school theatre".split()
DEEDS = "opened closed repaired painted flooded sold visited measured lit guarded".split()


class Words(BagOfWordsEmbedder):
    """A bag of words in which no two sentences are equally near, as with a real embedder: FAISS would choose any."""

    def __init__(self) -> None:
        super().__init__(EMBEDDER)

    def _embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        vectors = super()._embed(texts)
        for row, text in zip(vectors, texts, strict=True):
            row += 0.02 * np.random.default_rng(zlib.crc32(text.encode())).standard_normal(len(row), dtype=np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors


def made(number: int, *, seed: int = 0) -> list[Article]:
    """Articles of a few sentences each, with copies, versions, and some in German."""
    draw = random.Random(seed)

    def sentence() -> str:
        place, other = draw.sample(PLACES, 2)
        town, deed, year = (
            draw.choice(["Port Alma", "Upper Wick", "St. Ives"]),
            draw.choice(DEEDS),
            draw.randint(1900, 2020),
        )
        size = f"{draw.randint(1, 900)} metres and 4.{draw.randint(0, 9)} start-ups"
        return f"The {place} of {town} was {deed} beside the {other} in {year}, at {size}."

    found = [
        Article(
            f"n{one}",
            "\n\n".join(" ".join(sentence() for _ in range(draw.randint(2, 5))) for _ in range(draw.randint(1, 4))),
            title=f"{draw.choice(PLACES).title()} news {one}",
            source=draw.choice(["Post", "Herald"]),
            published=f"20{draw.randint(10, 20)}-05-0{draw.randint(1, 9)}",
        )
        for one in range(number)
    ]
    copies = [replace(one, id=f"{one.id}-copy", source="Reprint") for one in found[::7]]
    versions = [
        replace(one, id=f"{one.id}-new", text=f"{one.text} This was confirmed by the council.", published="2021-01-01")
        for one in found[3::9]
    ]
    german = [
        Article(f"g{one}", f"Die Hafenbrücke Nummer {one} wurde in Tübingen eröffnet. Sie hat {one * 7} Lampen.")
        for one in range(number // 10)
    ]
    return [*found, *copies, *versions, *german]


QUESTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("When was the bridge of Port Alma opened?", {}),
    ("harbour", {"k": 3}),
    ("Which start-ups were beside the museum at 4.5 metres?", {"context": "the tower of Upper Wick"}),
    ("And the garden?", {"rewordings": ["When was the garden of St. Ives flooded?"], "context": "St. Ives, flooded"}),
    ("What was confirmed by the council?", {}),
    ("the theatre source:reprint", {}),
    ("the school", {"after": "2015", "k": 20}),
    ("library sold", {"articles": ["n7", "n14-copy", "n30", "nowhere"]}),
    ("Wann wurde die Brücke im Hafen eröffnet?", {}),
    ("Wie viele Lampen haben die Hafenbrücken?", {"k": 30}),
    ("of the in", {}),
    ("zzzz qqqq", {}),
    ("?!", {}),
)


@pytest.fixture(scope="module")
def articles() -> list[Article]:
    return made(100)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, articles: Sequence[Article]) -> Path:
    home: Path = tmp_path_factory.mktemp("shards") / "home"
    with Index.open(home, embedder=Words()) as index:
        index.add(articles)
    return home


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home: Path = tmp_path_factory.mktemp("shards") / "small"
    with Index.open(home, embedder=Words()) as index:
        index.add(made(30))
    return home


@pytest.fixture
def shards(tmp_path: Path) -> Iterator[LocalShards]:
    local = LocalShards(tmp_path / "shards", NAMES, EMBEDDER)
    yield local
    local.close()


@pytest.fixture
def index(tmp_path: Path, shards: LocalShards) -> Iterator[Index]:
    """A small index of its own, with its shards."""
    with Index.open(tmp_path / "home", embedder=Words(), shards=shards) as opened:
        opened.add(made(30, seed=1))
        opened.spread()
        yield opened


def held(shards: LocalShards) -> dict[str, set[str]]:
    return {name: set(shard.digests()) for name, shard in shards.shards.items()}


def all_held(shards: LocalShards) -> list[str]:
    return sorted(one for some in held(shards).values() for one in some)


def ids_of(index: Index) -> list[str]:
    return sorted(one.id for one in index.articles())


def test_hits_and_their_scores_are_those_of_one_index(home: Path, shards: LocalShards) -> None:
    with (
        Index.open(home, embedder=Words()) as one,
        Index.open(home, embedder=Words(), shards=shards) as several,
    ):
        several.spread()
        assert min(map(len, held(shards).values())) > 20
        for question, options in QUESTIONS:
            expected, found = one.search(question, **options), several.search(question, **options)
            assert list(found) == list(expected), question
            assert found.missing == ()


def test_copies_and_versions_are_in_one_shard_which_is_a_sound_home(home: Path, shards: LocalShards) -> None:
    with Index.open(home, embedder=Words(), shards=shards) as index:
        index.spread()
    for shard in shards.shards.values():
        with Index.open(shard.home, embedder=Words()) as opened:
            assert opened.check() == []


def test_shards_follow_what_changes_in_the_index(index: Index, shards: LocalShards) -> None:
    assert all_held(shards) == ids_of(index)
    index.add([Article("new", "A lighthouse was built on the cape. It has red stripes.")])
    index.remove_articles(["n3", "n7"])
    index.edit("n8", title="The lighthouse keeper")
    index.tag(["n9"], "cape")
    assert all_held(shards) == ids_of(index)
    assert index.missing == ()
    assert index.search("lighthouse stripes")[0].article.id == "new"
    assert {hit.article.id for hit in index.search("lighthouse tag:cape")} == {"n9"}
    with Index.open(index.home, embedder=Words()) as alone:
        assert list(index.search("lighthouse keeper")) == list(alone.search("lighthouse keeper"))


def test_only_documents_of_a_new_shard_move(tmp_path: Path, index: Index, shards: LocalShards) -> None:
    before = held(shards)
    shards.shards["d"] = Shard(tmp_path / "shards" / "d", EMBEDDER)
    spread = index.spread()
    assert spread.copied == spread.dropped == len(held(shards)["d"]) > 0
    for name in NAMES:
        assert before[name] - held(shards)[name] <= held(shards)["d"]
        assert held(shards)[name] <= before[name]
    assert all_held(shards) == ids_of(index)
    assert index.spread().copied == 0


def test_a_shard_can_be_emptied_before_it_goes(index: Index, shards: LocalShards) -> None:
    index.spread(["a", "c"])
    assert held(shards)["b"] == set()
    assert all_held(shards) == ids_of(index)
    shards.shards.pop("b").close()
    assert index.search("harbour").missing == ()


class Interrupted(LocalShards):
    """Stops at the call of this number, as a process that is killed does."""

    last: int = 10**9
    calls: int = 0

    def call(self, method: str, arguments: Mapping[str, tuple[Any, ...]], *, timeout_s: float) -> dict[str, Any]:
        self.calls += 1
        if self.calls >= self.last:
            raise KeyboardInterrupt
        return super().call(method, arguments, timeout_s=timeout_s)


@pytest.mark.parametrize("last", range(1, 14))
def test_a_move_that_is_killed_loses_nothing_and_goes_on(
    tmp_path: Path, small: Path, last: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index.sharded.AT_ONCE", 6)
    shards = Interrupted(tmp_path, NAMES, EMBEDDER)
    with Index.open(small, embedder=Words(), shards=shards) as index:
        index.spread(["a", "b"])
        shards.last = shards.calls + last
        try:
            index.spread(["b", "c"])
        except KeyboardInterrupt:
            assert set(ids_of(index)) == set(all_held(shards))
        shards.last = 10**9
        assert index.search("When was the bridge of Port Alma opened?")
        index.spread(["b", "c"])
        assert held(shards)["a"] == set()
        assert all_held(shards) == ids_of(index)
        assert index.search("harbour").missing == ()
    shards.close()


def test_a_run_can_be_cancelled(small: Path, shards: LocalShards) -> None:
    import threading

    cancel = threading.Event()
    cancel.set()
    with Index.open(small, embedder=Words(), shards=shards) as index:
        with pytest.raises(Cancelled):
            index.spread(cancel=cancel)
        index.spread()
        assert all_held(shards) == ids_of(index)


def test_a_missing_shard_is_named(index: Index, shards: LocalShards) -> None:
    lost = shards.shards.pop("b")
    hits = index.search("harbour bridge market")
    assert hits.missing == index.missing == ("b",)
    assert hits
    assert not {hit.article.id for hit in hits} & set(lost.digests())
    shards.shards.pop("a").close()
    with pytest.raises(StoreError, match="a: no such shard answers"):
        index.spread(["a", "c"])
    shards.shards.pop("c").close()
    with pytest.raises(StoreError, match="no shard answers"):
        index.search("harbour")
    lost.close()


def test_the_others_follow_when_a_shard_is_missing(index: Index, shards: LocalShards) -> None:
    lost = shards.shards.pop("b")
    before = held(shards)
    index.add([Article(f"new{number}", f"The lighthouse {number} has {number} red stripes.") for number in range(20)])
    there = {hit.article.id for hit in index.search("lighthouse stripes", 30) if hit.article.id.startswith("new")}
    assert 0 < len(there) < 20
    assert sum(map(len, held(shards).values())) == sum(map(len, before.values())) + len(there)
    assert index.missing == ("b",)
    shards.shards["b"] = lost
    assert index.missing == ("b (not in step)",)
    index.spread()
    assert all_held(shards) == ids_of(index)
    assert list(index.missing) == []


def test_shards_that_are_behind_are_named(index: Index, shards: LocalShards) -> None:
    with Index.open(index.home, embedder=Words()) as alone:
        alone.add([Article("late", "A comet was seen over the moor.")])
    assert index.search("comet").missing == tuple(f"{name} (not in step)" for name in NAMES)
    index.spread()
    assert index.search("comet")[0].article.id == "late"
    assert index.missing == ()


class Late(LocalShards):
    """One of the shards answers the first step alone."""

    def call(self, method: str, arguments: Mapping[str, tuple[Any, ...]], *, timeout_s: float) -> dict[str, Any]:
        given = super().call(method, arguments, timeout_s=timeout_s)
        if method in ("propose", "rank", "texts", "make"):
            given.pop("b", None)
        return given


class Silent(LocalShards):
    """One of the shards cannot be reached, which nobody is told, so that it is waited for."""

    def call(self, method: str, arguments: Mapping[str, tuple[Any, ...]], *, timeout_s: float) -> dict[str, Any]:
        if "b" in arguments and method == "count":
            time.sleep(timeout_s)
        given = super().call(method, arguments, timeout_s=timeout_s)
        given.pop("b" if method == "count" else "", None)
        return given if timeout_s > 0 else {}


class Changing(LocalShards):
    """An article is added to the index while a question is answered for the first time."""

    change: Any = None

    def call(self, method: str, arguments: Mapping[str, tuple[Any, ...]], *, timeout_s: float) -> dict[str, Any]:
        if method == "rank" and self.change is not None:
            change, self.change = self.change, None
            change()
        return super().call(method, arguments, timeout_s=timeout_s)


def test_a_shard_that_is_lost_half_way_is_named(tmp_path: Path, small: Path) -> None:
    shards = Late(tmp_path, NAMES, EMBEDDER)
    with Index.open(small, embedder=Words(), shards=shards) as index:
        index.spread()
        for question in ("harbour bridge market", "Wann wurde die Brücke im Hafen eröffnet?"):
            hits = index.search(question)
            assert hits.missing == ("b",)
            assert not {hit.article.id for hit in hits} & held(shards)["b"]
    shards.close()


def test_a_shard_that_is_silent_leaves_the_others_time(
    tmp_path: Path, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index.sharded.DEADLINE_S", 2.0)
    shards = Silent(tmp_path, NAMES, EMBEDDER)
    with Index.open(small, embedder=Words(), shards=shards) as index:
        index.spread()
        begun_s = time.monotonic()
        hits = index.search("harbour bridge market")
        assert time.monotonic() - begun_s < 2.0
        assert hits
        assert hits.missing == ("b",)
    shards.close()


def test_a_question_is_asked_anew_when_a_shard_changes_meanwhile(tmp_path: Path) -> None:
    shards = Changing(tmp_path / "shards", NAMES, EMBEDDER)
    with Index.open(tmp_path / "home", embedder=Words(), shards=shards) as index:
        index.add(made(20))
        index.spread()
        shards.change = lambda: index.add([Article("new", "The harbour has a lighthouse on its mole.")])
        assert index.search("harbour lighthouse mole")[0].article.id == "new"
    shards.close()


def test_articles_of_another_index_are_not_replaced_unless_that_is_wanted(
    tmp_path: Path, index: Index, shards: LocalShards
) -> None:
    with Index.open(tmp_path / "other", embedder=Words(), shards=shards) as other:
        with pytest.raises(InputError, match="of another index"):
            other.spread()
        with pytest.raises(InputError, match="of another index"):
            other.search("harbour")
        assert all_held(shards) == ids_of(index)
        other.spread(replace_other=True)
        assert other.search("harbour") == []
        assert all_held(shards) == []


def test_an_index_without_shards_has_none_to_fill(small: Path) -> None:
    with Index.open(small, embedder=Words()) as index:
        assert index.missing == ()
        with pytest.raises(InputError, match="no shards"):
            index.spread()


def test_answers_name_the_shard_that_is_missing(index: Index, shards: LocalShards) -> None:
    llm = ScriptedLLM("The harbour was repaired.")
    question = "When was the harbour of Port Alma repaired?"
    with Engine.open(index=index, llm=llm, settings=Settings(read_ahead="off")) as engine:
        assert engine.ask(question).missing == ()
        shards.shards.pop("b").close()
        answer = engine.ask(question)
        assert answer.missing == ("b",)
        assert answer.to_dict()["missing"] == ["b"]
        assert type(answer).from_dict(answer.to_dict()).missing == ("b",)
        assert "Not all articles were searched: b." in str(answer)
        assert engine.ask("Give me a timeline of the harbour.").missing == ("b",)
        assert engine.ask("Which articles mention the harbour?").missing == ()
        with pytest.raises(StoreError, match="b: not searched"):
            engine.check("The harbour was repaired in 1950.")


def test_the_doors_for_programs_name_the_shard_that_is_missing(index: Index, shards: LocalShards) -> None:
    asked = "When was the harbour of Port Alma repaired?"
    shards.shards.pop("b").close()
    note = "Not all articles were searched: b."
    with Engine.open(index=index, llm=ScriptedLLM(), settings=Settings(read_ahead="off")) as engine:
        backend = Backend(engine)
        made = programs.Programs(backend, home=index.home, folders=Folders())
        with programs.running(made, port=0) as url:
            backend.start()
            server = Running(urlsplit(url).port or 0, engine, ScriptedLLM(), made, index.home)
            assert server.ask("POST", "/api/v1/ask", {"question": asked}).json["missing"] == ["b"]
            assert server.ask("POST", "/api/v1/search", {"query": "harbour"}).json["missing"] == ["b"]
            assert server.ask("POST", "/api/v1/check", {"text": "The harbour was repaired."}).status == 503
            sent = {"model": "citewire", "messages": [{"role": "user", "content": asked}]}
            given = server.ask("POST", "/v1/chat/completions", sent).json
            assert given["citewire"]["missing"] == ["b"]
            assert given["choices"][0]["message"]["content"].endswith(note)

            async def use() -> None:
                async with connected(server) as client:
                    for tool, arguments in (("ask", {"question": asked}), ("search", {"query": "harbour"})):
                        found = await client.call_tool(tool, arguments)
                        assert found.structured_content["missing"] == ["b"]
                        assert note in text_of(found)

            asyncio.run(use())
        made.close(5.0)
        backend.close()


def test_documents_are_spread_evenly() -> None:
    counts = dict.fromkeys(NAMES, 0)
    for number in range(3000):
        counts[owner(f"article {number}", NAMES)] += 1
    assert min(counts.values()) > 900


class Named(Words):
    """The same under another name, as after the model was changed."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name


def test_shards_can_be_given_to_an_index_of_another_embedder(tmp_path: Path, index: Index, shards: LocalShards) -> None:
    with Index.open(tmp_path / "other", embedder=Named("other"), shards=shards) as other:
        other.add(made(5))
        other.spread(replace_other=True)
        assert all_held(shards) == ids_of(other)
        assert other.search("harbour").missing == ()
    name = next(iter(held(shards)))
    shards.shards.pop(name).close()
    with Shard(tmp_path / "shards" / name, EMBEDDER) as again:
        assert again.digests() == {}


@pytest.mark.parametrize("stopped_at", [MARKER, DATABASE])
def test_a_shard_that_is_killed_while_it_forgets_opens_again(
    tmp_path: Path, stopped_at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlink = Path.unlink

    def killed(path: Path, *, missing_ok: bool = False) -> None:
        if path.name == stopped_at:
            raise KeyboardInterrupt
        unlink(path, missing_ok=missing_ok)

    with Shard(tmp_path / "a", EMBEDDER) as shard:
        shard.begin("one", EMBEDDER)
        with monkeypatch.context() as patched:
            patched.setattr(Path, "unlink", killed)
            with pytest.raises(KeyboardInterrupt):
                shard.begin("two", EMBEDDER)
    with Shard(tmp_path / "a", EMBEDDER) as shard:
        assert shard.begin("two", EMBEDDER) == {}


@pytest.mark.parametrize("state", ["{}", "[]", "x", '{"names": 3}'])
def test_a_shard_that_is_damaged_begins_anew_and_an_index_is_left_alone(tmp_path: Path, state: str) -> None:
    with Shard(tmp_path / "a", EMBEDDER) as shard:
        shard.begin("one", EMBEDDER)
        (shard.home / STATE).write_text(state)
        assert shard.state == State()
    (tmp_path / "a" / DATABASE).write_bytes(b"no database" * 500)
    with Shard(tmp_path / "a", EMBEDDER) as shard:
        assert shard.begin("one", EMBEDDER) == {}
    with Index.open(tmp_path / "index", embedder=Named("other")):
        pass
    with Index.open(tmp_path / "index", embedder=Named("other")) as opened:
        opened.add(made(3))
    with pytest.raises(LayoutError):
        Shard(tmp_path / "index", EMBEDDER)


class Watched(LocalShards):
    """Notes how many articles are copied at once."""

    most = 0

    def call(self, method: str, arguments: Mapping[str, tuple[Any, ...]], *, timeout_s: float) -> dict[str, Any]:
        for values in arguments.values() if method == "copy_in" else ():
            self.most = max(self.most, len(values[0].tables["article"]) if values[0] is not None else 0)
        return {} if timeout_s <= 0 else super().call(method, arguments, timeout_s=timeout_s)


def test_articles_that_all_have_changed_are_copied_a_few_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index.sharded.AT_ONCE", 8)
    shards, articles = Watched(tmp_path / "shards", NAMES[:2], EMBEDDER), made(40)
    with Index.open(tmp_path / "home", embedder=Words()) as alone:
        alone.add(articles)
    with Index.open(tmp_path / "home", embedder=Words(), shards=shards) as index:
        index.spread()
    with Index.open(tmp_path / "home", embedder=Words()) as alone:
        alone.remove_articles([one.id for one in articles])
        alone.add([replace(one, text=f"{one.text} Anew.") for one in reversed(articles)])
    with Index.open(tmp_path / "home", embedder=Words(), shards=shards) as index:
        index.spread()
        assert all_held(shards) == ids_of(index)
        assert index.missing == ()
    assert 0 < shards.most <= 8
    shards.close()


def test_the_time_that_a_question_takes_to_embed_is_not_that_of_the_shards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(Words):
        def embed_query(self, text: str) -> NDArray[np.float32]:
            time.sleep(1.5)
            return super().embed_query(text)

    shards = Watched(tmp_path / "shards", NAMES, EMBEDDER)
    with Index.open(tmp_path / "home", embedder=Slow(), shards=shards) as index:
        index.add(made(10))
        index.spread()
        monkeypatch.setattr("index.sharded.DEADLINE_S", 1.0)
        hits = index.search("harbour")
        assert hits
        assert hits.missing == ()
    shards.close()
