"""Writers: everything that changes a home, as small pieces of work that faults are injected into.

A writer works on a place, a folder with the home in it and whatever else it reads. Each can be asked to work again
after it was interrupted, and then does what is left. Its state is what a user sees of the home, with nothing in it that
differs from run to run, so that states can be compared.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from index import Article, Index, ReadError
from index.bag_of_words import BagOfWordsEmbedder

HOME = "home"
"""The folder of a place in which faults are injected."""
REMOVED = "zqxjkvbrm"
"""A word that stands only in texts that the work removes. It has no other stem."""
QUERIES = ("wheat harvest", "islands in dispute", "comet over Lisbon", REMOVED)

Acknowledge = Callable[[], None]
Open = Callable[[Path], AbstractContextManager[Any]]


@dataclass(frozen=True, slots=True)
class Writer:
    """`prepare` makes a place, `act` works with what `open` opened there and says when something is kept for good.

    `state` is what is there, JSON-ready. `removes` says whether the work removes a text with REMOVED in it.
    """

    prepare: Callable[[Path], None]
    open: Open
    act: Callable[[Any, Path, Acknowledge], None]
    state: Callable[[Path], Any]
    removes: bool = False


ISLANDS = "The islands are disputed. Fishing boats cross the strait every day. Nobody lives there in winter."
HARVEST = "Farmers brought in the wheat harvest early. Rain had been rare. Prices fell at the market in Kyiv."
SECRET = f"The word of the day was {REMOVED}. It was said by a minister. Nobody wrote it down."
COMET = "A comet was seen over Lisbon. It will return in seventy years."


def warm_up() -> None:
    """Import what the writers need, so that a forked process need not."""
    import faiss  # noqa: F401
    import numpy as np

    np.ones(2) @ np.ones(2)


def open_index(place: Path) -> Index:
    """The index of a place, with an embedder that needs no model."""
    return Index.open(place / HOME, embedder=BagOfWordsEmbedder())


def index_state(place: Path) -> Any:
    """Every article, how it is searched, where it is from, what is remembered, and what searches find."""
    with open_index(place) as index:
        index.search(REMOVED)  # makes the snapshot, if the work did not come to that
        problems = index.check()
        assert not problems, problems
        listed = sorted((one.to_dict() for one in index.listing()), key=lambda one: str(one["id"]))
        texts = {article.id: article.text for article in index.articles()}
        hits = {
            query: sorted((hit.article.id, hit.start, hit.end, round(hit.score, 3)) for hit in index.search(query))
            for query in QUERIES
        }
        remembered = sorted((uri, excluded) for uri, (_, excluded) in index._origins().items())
        return _plain(place, [listed, texts, hits, remembered, index.stats().sources])


def _plain(place: Path, state: Any) -> Any:
    """As it is after a way through JSON, and without the name of the place."""
    import json

    return json.loads(json.dumps(state).replace(str(place), "PLACE"))


def _articles(place: Path) -> Path:
    """Three files, one of which will go."""
    folder = place / "articles"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in {"islands": ISLANDS, "harvest": HARVEST, "secret": SECRET}.items():
        (folder / f"{name}.txt").write_text(text)
    return folder


def _synced(place: Path) -> None:
    """A home in which the three files are indexed, and an article that came from no file."""
    with open_index(place) as index:
        index.sync([_articles(place)])
        index.add([Article("handed", "Handed in by a program. It names the harbor of Split.", source="Wire")])


def _edited(place: Path) -> None:
    """The files after an edit, a new one, a copy of an article and a removal."""
    _synced(place)
    folder = place / "articles"
    (folder / "islands.txt").write_text(ISLANDS.replace("every day", "twice a week"))
    (folder / "comet.txt").write_text(COMET)
    (folder / "harvest-again.txt").write_text(HARVEST)
    (folder / "secret.txt").unlink()


def _sync(index: Index, place: Path, acknowledge: Acknowledge) -> None:
    index.sync([place / "articles"])
    acknowledge()


def _add(index: Index, _: Path, acknowledge: Acknowledge) -> None:
    for article in (
        Article("comet", COMET, title="A comet"),
        Article("handed", "Handed in again. It names the harbor of Rijeka."),
        Article("copy", HARVEST, source="Wire"),
    ):
        index.add([article])
        acknowledge()


def _remove(index: Index, _: Path, acknowledge: Acknowledge) -> None:
    for article in index.articles():
        if REMOVED in article.text or article.id == "handed":
            index.remove(article.id)
            acknowledge()


def _with_removed(place: Path) -> None:
    """A home with an article that the user has removed, whose file is still there."""
    _synced(place)
    with open_index(place) as index:
        index.remove([article.id for article in index.articles() if REMOVED in article.text])


def _rebuild(_: None, place: Path, acknowledge: Acknowledge) -> None:
    Index.rebuild(place / HOME, embedder=BagOfWordsEmbedder())
    acknowledge()


def _rebuild_beside(index: Index, place: Path, acknowledge: Acknowledge) -> None:
    """While the index is open here, as in a chat, which goes on with it."""
    index.search("harvest")
    Index.rebuild(place / HOME, embedder=BagOfWordsEmbedder())
    index.add([Article("after", COMET)])
    acknowledge()


def _search(index: Index, _: Path, acknowledge: Acknowledge) -> None:
    """A search of a generation without a snapshot, which is built and saved."""
    assert index.search("wheat harvest")[0].article.text == HARVEST
    acknowledge()


def _read(_: None, place: Path, acknowledge: Acknowledge) -> None:
    """All that a reader of the index does."""
    with open_index(place) as index:
        assert index.search("wheat harvest")[0].article.text == HARVEST
        assert len(index.listing()) == len(index.articles()) == index.stats().articles == 4
        for article in index.articles():
            assert index.article(article.id) == article
            index.copies(article.id)
    acknowledge()


def _read_conversations(_: None, place: Path, acknowledge: Acknowledge) -> None:
    with _open_conversations(place) as kept:
        assert len(kept.list("me")) == 2
        assert [len(kept.get(one.id, "me").turns) for one in kept.list("me")] == [3, 3]
        assert len(kept.search("me", "harvest")) == 1
    acknowledge()


def _without_snapshot(place: Path) -> None:
    _synced(place)
    for path in (place / HOME).glob("vectors-*.faiss"):
        path.unlink()


QUESTIONS = ("Who is there?", "What did they say?", "When was it?")


def _open_conversations(place: Path) -> AbstractContextManager[Any]:
    from ui.conversations import Conversations

    return Conversations(place / HOME)


def _conversations_state(place: Path) -> Any:
    with _open_conversations(place) as kept:
        return [
            (one.title, [(turn.question, turn.answer.get("text"), turn.thumb) for turn in one.turns])
            for one in sorted(kept.everyone(), key=lambda one: str(one.title))
        ]


def _talk(kept: Any, _: Path, acknowledge: Acknowledge) -> None:
    """A new conversation of three turns, the last with a thumb."""
    mine = [one.id for one in kept.list("me") if one.title == QUESTIONS[0]]
    conversation = mine[0] if mine else kept.create("me")
    had = len(kept.get(conversation, "me").turns)
    for question in QUESTIONS[had:]:
        kept.append(conversation, owner="me", question=question, answer={"text": f"Answer to {question}"})
        acknowledge()
    kept.feedback(conversation, "me", turn=len(QUESTIONS), thumb="up")
    acknowledge()


def _talked(place: Path) -> None:
    with _open_conversations(place) as kept:
        for title in ("Of the harvest", f"Of {REMOVED}"):
            conversation = kept.create("me")
            for number in range(3):
                kept.append(conversation, owner="me", question=f"{title} {number}", answer={"text": title * 50})


def _forget(kept: Any, _: Path, acknowledge: Acknowledge) -> None:
    for one in kept.list("me"):
        if REMOVED in one.title:
            kept.delete(one.id, "me")
            acknowledge()


def _open_kv_cache(place: Path) -> AbstractContextManager[Any]:
    from index import derived
    from rag.llm.kv_cache import KVCache

    home = place / HOME
    return contextlib.nullcontext(
        KVCache(lambda one: derived.folder(home, one), home / derived.FOLDER, limit_bytes=9_000)
    )


SHELVED = tuple((f"article-{number % 3}", f"key-{number}") for number in range(6))


def _put_in_kv_cache(kv_cache: Any, *_: object) -> None:
    """More than there is room for."""
    for article, key in SHELVED:
        kv_cache.put(article, key, key.encode() * 400)


def _kv_cache_state(place: Path) -> Any:
    """A cache may forget anything, but what it gives must be what was put there."""
    with _open_kv_cache(place) as kv_cache:
        for article, key in SHELVED:
            content = kv_cache.get(article, key)
            assert content is None or content == key.encode() * 400, f"{key} was altered"
    return "whole"


UPLOADED = {"comet.txt": COMET, "harvest.txt": HARVEST, "empty.txt": " "}


def _handed_in(place: Path) -> None:
    """A home with one upload in it, and files that a visitor hands in."""
    from ui.uploads import keep

    _synced(place)
    folder = place / "handed-in"
    folder.mkdir()
    for name, text in UPLOADED.items():
        (folder / name).write_text(text)
    with open_index(place) as index:
        (folder / "comet.txt").write_text("A comet of an earlier year.")
        index.sync([keep(folder / "comet.txt", folder=index.uploads)])
    (folder / "comet.txt").write_text(COMET)


@contextlib.contextmanager
def _open_uploads(place: Path) -> Iterator[tuple[Index, Any]]:
    """As the page does at its start."""
    from ui.uploads import Uploads

    with open_index(place) as index:
        uploads = Uploads(index.uploads)
        uploads.sweep(is_indexed=index.has_read)
        yield index, uploads


def _upload(opened: tuple[Index, Any], place: Path, acknowledge: Acknowledge) -> None:
    index, uploads = opened
    for name in UPLOADED:
        with uploads.batch() as batch:
            copy = batch.keep(place / "handed-in" / name)
            failed = index.sync([copy]).failed
            if failed:
                batch.discard(copy)
            batch.commit()
        if failed and name != "empty.txt":
            raise ReadError(failed[0].reason)
        acknowledge()


def _uploads_state(place: Path) -> Any:
    """The index, and the copies, none of which is without its article."""
    with _open_uploads(place) as (index, uploads):
        copies = sorted(path for path in uploads.folder.glob("*") if path.is_file())
        orphans = [path.name for path in copies if not index.has_read(path)]
        assert not orphans, f"copies without an article: {orphans}"
    return [*index_state(place), [(path.name, path.read_text()) for path in copies]]


WEIGHTS = {"model.safetensors": bytes(range(256)) * 4096, "config.json": b'{"layers": 2}'}


def _published(place: Path) -> None:
    """A model that can be had from a folder; the home is the folder of models."""
    _home(place)
    lines = ["model tiny", "  role embedder", "  default", "  licence Apache-2.0", "  note a tiny one"]
    for name, content in WEIGHTS.items():
        (place / name).write_bytes(content)
        lines.append(f"  file {name} {len(content)} {hashlib.sha256(content).hexdigest()}")
    lines.append(f"  from path {place}/{{path}}")
    (place / "models.txt").write_text("\n".join(lines) + "\n")


@contextlib.contextmanager
def _models(place: Path) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in ("CITEWIRE_MODELS", "CITEWIRE_MANIFEST", "CITEWIRE_OFFLINE")}
    os.environ.update(CITEWIRE_MODELS=str(place / HOME), CITEWIRE_MANIFEST=str(place / "models.txt"))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _pull(_: None, __: Path, acknowledge: Acknowledge) -> None:
    from index import models

    models.pull("tiny", "embedder", progress=lambda *_: None)
    acknowledge()


def _models_state(place: Path) -> Any:
    """Whether the model can be used; if it can, it is what was published."""
    from index import models
    from index.errors import ModelError

    with _models(place):
        try:
            found = models.locate("tiny", "embedder")
        except ModelError:
            return "missing"
    assert {name: (found / name).read_bytes() for name in WEIGHTS} == WEIGHTS, "a damaged model would be used"
    return "there"


def _backed_up(place: Path) -> None:
    """A backup of one home, and another home that it will replace."""
    from ui import backup

    _synced(place)
    _talked(place)
    backup.backup(place / "home.zip", place / HOME)
    with open_index(place) as index:
        index.remove([article.id for article in index.articles() if "harvest" in article.text])
        index.add([Article("comet", COMET, title="A comet")])
    with _open_conversations(place) as kept:
        kept.append(kept.create("her"), owner="her", question="Since when?", answer={"text": "Since then."})


def _restore(_: None, place: Path, acknowledge: Acknowledge) -> None:
    from ui import backup

    kept = place / f"kept-{len(list(place.glob('kept-*')))}.zip"
    backup.restored(place / "home.zip", place / HOME, replace=True, keep=kept)
    acknowledge()


def _home_state(place: Path) -> Any:
    return [*index_state(place), _conversations_state(place)]


@contextlib.contextmanager
def _nothing(_: Path) -> Iterator[None]:
    yield None


def _home(place: Path) -> None:
    (place / HOME).mkdir(parents=True)


def _files(place: Path) -> None:
    _home(place)
    _articles(place)


WRITERS: Mapping[str, Writer] = {
    "first sync": Writer(_files, open_index, _sync, index_state),
    "sync": Writer(_edited, open_index, _sync, index_state, removes=True),
    "add": Writer(_synced, open_index, _add, index_state),
    "remove": Writer(_synced, open_index, _remove, index_state, removes=True),
    "rebuild": Writer(_with_removed, _nothing, _rebuild, index_state, removes=True),
    "rebuild beside a chat": Writer(_with_removed, open_index, _rebuild_beside, index_state, removes=True),
    "restore": Writer(_backed_up, _nothing, _restore, _home_state),
    "search": Writer(_without_snapshot, open_index, _search, index_state),
    "read": Writer(_synced, _nothing, _read, index_state),
    "read conversations": Writer(_talked, _nothing, _read_conversations, _conversations_state),
    "conversation": Writer(_home, _open_conversations, _talk, _conversations_state),
    "conversation, deleted": Writer(_talked, _open_conversations, _forget, _conversations_state, removes=True),
    "upload": Writer(_handed_in, _open_uploads, _upload, _uploads_state),
    "model pull": Writer(_published, _models, _pull, _models_state),
    "KV cache": Writer(_home, _open_kv_cache, _put_in_kv_cache, _kv_cache_state),
}
