"""A rebuild beside an open index: readers follow, nothing is lost, nothing removed comes back, whatever kills it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from index import Article, Index, LayoutError, StoreError
from index import replace as replacing
from index.home import DATABASE
from index.lock import write_lock
from tests.fakes import BagOfWordsEmbedder

ISLANDS = "The islands are disputed. Fishing boats cross the strait every day."
HARVEST = "Farmers brought in the wheat harvest early. Rain had been rare."
ROOT = str(Path(__file__).parent.parent)


@pytest.fixture
def articles(tmp_path: Path) -> Path:
    folder = tmp_path / "articles"
    folder.mkdir()
    (folder / "islands.txt").write_text(ISLANDS)
    (folder / "harvest.txt").write_text(HARVEST)
    return folder


@pytest.fixture
def index(tmp_path: Path, articles: Path, embedder: BagOfWordsEmbedder) -> Iterator[Index]:
    """An open index of a folder and an article handed in."""
    with Index.open(tmp_path / "home", embedder=embedder) as opened:
        opened.sync([articles])
        opened.add([Article("handed-in", "A zeppelin landed.")])
        yield opened


def texts(index: Index) -> set[str]:
    return {article.text for article in index.articles()}


def rebuild_elsewhere(home: Path) -> None:
    """Rebuild in a process of its own."""
    script = (
        f"import sys; sys.path.insert(0, {ROOT!r}); from index import Index; "
        "from tests.fakes import BagOfWordsEmbedder; Index.rebuild(sys.argv[1], embedder=BagOfWordsEmbedder())"
    )
    subprocess.run([sys.executable, "-c", script, str(home)], check=True, env={**os.environ})


@pytest.mark.parametrize("where", ["this process", "another process"])
def test_an_open_index_sees_the_rebuilt_one_and_its_next_add_is_kept(
    index: Index, articles: Path, embedder: BagOfWordsEmbedder, where: str
) -> None:
    assert index.search("wheat harvest")[0].text == HARVEST
    generation = index.generation
    (articles / "harvest.txt").write_text("Farmers lost the wheat harvest to hail.")
    if where == "this process":
        Index.rebuild(index.home, embedder=embedder)
    else:
        rebuild_elsewhere(index.home)
    assert index.search("wheat harvest")[0].text == "Farmers lost the wheat harvest to hail."
    assert index.generation > generation
    assert index.add([Article("later", "A comet was seen.")]).added == 1
    assert index.search("comet")[0].article.id == "later"
    with Index.open(index.home, embedder=embedder) as again:
        assert texts(again) == texts(index)
        assert again.search("comet")[0].article.id == "later"
        assert again.check() == []


def test_generations_never_go_back_and_no_old_vectors_are_used(index: Index, embedder: BagOfWordsEmbedder) -> None:
    seen = [index.generation]
    for number in range(3):
        Index.rebuild(index.home, embedder=embedder)
        index.add([Article("moving", f"Edition {number} of the paper.")])
        assert index.search(f"edition {number} paper")[0].text == f"Edition {number} of the paper."
        seen.append(index.generation)
    assert seen == sorted(set(seen))


def test_a_snapshot_of_another_database_is_not_used(index: Index, tmp_path: Path, embedder: BagOfWordsEmbedder) -> None:
    """Two homes with the same number of a generation: ids of one are ids of other vectors in the other."""
    with Index.open(tmp_path / "other", embedder=embedder) as other:
        other.add([Article("one", "An unrelated sentence."), Article("two", "A second one of them.")])
        other.add([Article("three", "Snow fell in Oslo. Then it rained. Nobody minded.")])
        (snapshot,) = other.home.glob("vectors-*.faiss")
        (own,) = index.home.glob("vectors-*.faiss")
        assert snapshot.name == own.name
        shutil.copyfile(snapshot, own)
    with Index.open(index.home, embedder=embedder) as again:
        assert any("another database" in problem for problem in again.check())
        assert again.search("wheat harvest")[0].text == HARVEST


def test_a_reader_in_the_middle_keeps_what_it_began_with(index: Index, embedder: BagOfWordsEmbedder) -> None:
    with index._store.read() as before:
        numbers = [before.number]
        Index.rebuild(index.home, embedder=embedder)
        assert len(before.articles()) == 3
        with index._store.read() as after:
            numbers.append(after.number)
        assert before.origins().keys() == after_origins(index)
    assert numbers[0] < numbers[1]


def after_origins(index: Index) -> object:
    with index._store.read() as generation:
        return generation.origins().keys()


def test_searches_go_on_while_it_is_rebuilt(index: Index, embedder: BagOfWordsEmbedder) -> None:
    errors: list[BaseException] = []
    stop = threading.Event()

    def read() -> None:
        try:
            while not stop.is_set():
                assert index.search("wheat harvest")[0].text == HARVEST
                assert len(index.articles()) == 3
        except BaseException as error:
            errors.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for _ in range(5):
        Index.rebuild(index.home, embedder=embedder)
    stop.set()
    for reader in readers:
        reader.join()
    assert errors == []


def test_a_leftover_of_a_killed_rebuild_brings_nothing_back(index: Index, embedder: BagOfWordsEmbedder) -> None:
    with Index.open(index.home / "rebuild", embedder=embedder) as leftover:
        leftover.add([Article("gone", "Xylophonist Quetzalcoatl performed.")])
    index.remove(["handed-in"])
    assert not (index.home / "rebuild").exists(), "it may hold what was removed"
    with Index.open(index.home / "rebuild", embedder=embedder) as leftover:
        leftover.add([Article("gone", "Xylophonist Quetzalcoatl performed.")])
    Index.rebuild(index.home, embedder=embedder)
    assert texts(index) == {ISLANDS, HARVEST}


def test_removed_text_is_nowhere_in_the_home_after_it(index: Index, embedder: BagOfWordsEmbedder) -> None:
    index.add([Article("gone", "Xylophonist Quetzalcoatl performed. " * 300)])
    index.remove(["gone"])
    Index.rebuild(index.home, embedder=embedder)
    index.close()
    for file in (path for path in index.home.rglob("*") if path.is_file()):
        assert b"uetzalcoatl" not in file.read_bytes().lower(), file.name


def test_what_cannot_be_read_again_is_taken_from_the_old_one(
    index: Index, articles: Path, embedder: BagOfWordsEmbedder
) -> None:
    index.remove([articles / "islands.txt"])
    articles.rename(articles.with_name("unplugged"))
    report = Index.rebuild(index.home, embedder=embedder)
    assert texts(index) == {HARVEST, "A zeppelin landed."}
    assert [failure.path for failure in report.failed] == [str(articles)]
    articles.with_name("unplugged").rename(articles)
    assert index.sync().added == 0, "what was removed stays removed"
    assert texts(index) == {HARVEST, "A zeppelin landed."}
    assert not list(index.home.glob("*.old*"))


def test_an_open_index_of_the_embedder_before_says_so(index: Index) -> None:
    Index.rebuild(index.home, embedder=BagOfWordsEmbedder("another"))
    with pytest.raises(LayoutError, match="built with another, not bag-of-words"):
        index.search("wheat harvest")
    with pytest.raises(LayoutError, match="built with another"):
        index.add([Article("late", "A comet was seen.")])


def test_two_rebuilds_at_once_take_turns(index: Index, embedder: BagOfWordsEmbedder) -> None:
    running = [threading.Thread(target=Index.rebuild, args=(index.home,), kwargs={"embedder": embedder}) for _ in "ab"]
    for one in running:
        one.start()
    for one in running:
        one.join()
    assert index.check() == []
    assert len(index.articles()) == 3


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_stopped_half_way_the_old_one_stays(
    index: Index, embedder: BagOfWordsEmbedder, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: object, **named: object) -> None:
        raise error

    before = index.generation
    monkeypatch.setattr(replacing, "_empty_log", fail)
    with pytest.raises((KeyboardInterrupt, StoreError)):
        Index.rebuild(index.home, embedder=embedder)
    assert (index.generation, len(index.articles())) == (before, 3)
    assert not (index.home / "rebuild").exists()


def test_a_full_disk_leaves_the_old_one(index: Index) -> None:
    """No file may grow beyond 100 kB, which the new database does not fit in."""
    index.add([Article("long", "\n\n".join(f"Paragraph {number} of a long text." * 9 for number in range(300)))])
    script = (
        f"import resource, sys; sys.path.insert(0, {ROOT!r}); from index import Index, StoreError\n"
        "from tests.fakes import BagOfWordsEmbedder\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "try:\n    Index.rebuild(sys.argv[1], embedder=BagOfWordsEmbedder())\n"
        "except StoreError as error:\n    sys.exit('told')"
    )
    done = subprocess.run([sys.executable, "-c", script, str(index.home)], capture_output=True, env={**os.environ})
    assert done.stderr.endswith(b"told\n"), done.stderr
    assert len(index.articles()) == 4
    assert index.check() == []
    assert not (index.home / "rebuild").exists()


def test_a_database_that_is_gone_is_not_made_again_without_a_word(index: Index, embedder: BagOfWordsEmbedder) -> None:
    index.close()
    for file in index.home.glob(f"{DATABASE}*"):
        file.unlink()
    with pytest.raises(StoreError, match=r"index\.sqlite is gone.*citewire restore FILE.*citewire index rebuild"):
        Index.open(index.home, embedder=embedder)
    assert not (index.home / DATABASE).exists()
    Index.rebuild(index.home, embedder=embedder)
    with Index.open(index.home, embedder=embedder) as anew:
        assert anew.articles() == []


@pytest.mark.parametrize("trace", ["database.id", "vectors-00000002.faiss", f"{DATABASE}-wal", f"{DATABASE}.old"])
@pytest.mark.parametrize("size", [None, 0])
def test_each_trace_of_a_lost_database_is_noticed(
    tmp_path: Path, embedder: BagOfWordsEmbedder, trace: str, size: int | None
) -> None:
    (tmp_path / trace).write_bytes(b"something")
    if size is not None:
        (tmp_path / DATABASE).write_bytes(b"")
    with pytest.raises(StoreError, match=f"gone, while {trace} is still there"):
        Index.open(tmp_path, embedder=embedder)


def test_a_database_that_goes_while_it_is_open_is_told(index: Index) -> None:
    for file in index.home.glob(f"{DATABASE}*"):
        file.unlink()
    with pytest.raises(StoreError, match=r"is gone.*citewire restore"):
        index.search("wheat harvest")
    with pytest.raises(StoreError, match="is gone"):
        index.add([Article("late", "A comet was seen.")])


def test_a_home_in_which_no_database_was_made_yet_is_made_one(tmp_path: Path, embedder: BagOfWordsEmbedder) -> None:
    (tmp_path / "conversations.sqlite").write_bytes(b"")
    (tmp_path / DATABASE).write_bytes(b"")
    with Index.open(tmp_path, embedder=embedder) as index:
        assert index.articles() == []


def test_a_folder_in_the_place_of_the_database_is_told(tmp_path: Path, embedder: BagOfWordsEmbedder) -> None:
    (tmp_path / DATABASE).mkdir()
    for attempt in (Index.open, Index.rebuild):
        with pytest.raises(StoreError, match=r"is a folder.*move it away"):
            attempt(tmp_path, embedder=embedder)


DAMAGE = {
    "no database": b"this is not a database at all, but long enough to look at" * 500,
    "a header and no more": b"SQLite format 3\0" + bytes(84),
    "another page size": None,
    "empty": b"",
}


def damage(home: Path, how: str) -> None:
    for suffix in ("-wal", "-shm"):
        (home / f"{DATABASE}{suffix}").unlink(missing_ok=True)
    content = DAMAGE[how]
    if content is None:
        (home / DATABASE).unlink()
        with closing(sqlite3.connect(home / DATABASE)) as connection:
            connection.executescript("PRAGMA page_size = 512; CREATE TABLE other (id); INSERT INTO other VALUES (1)")
    else:
        (home / DATABASE).write_bytes(content)


@pytest.mark.parametrize("how", DAMAGE)
def test_a_file_that_takes_no_copy_is_replaced_and_readers_follow(
    index: Index, articles: Path, embedder: BagOfWordsEmbedder, how: str
) -> None:
    index.search("wheat harvest")
    damage(index.home, how)
    before = (index.home / DATABASE).read_bytes()
    Index.rebuild(index.home, embedder=embedder)
    assert index.articles() == [], "nothing could be read from it"
    assert index.sync([articles]).added == 2
    assert index.search("wheat harvest")[0].text == HARVEST
    assert index.check() == []
    old = index.home / f"{DATABASE}.old"
    if how == "another page size":
        with closing(sqlite3.connect(old)) as connection:
            assert connection.execute("SELECT id FROM other").fetchall() == [(1,)]
    elif how != "empty":
        assert old.read_bytes() == before


def test_a_stale_log_is_never_read_into_a_new_file(index: Index, articles: Path, embedder: BagOfWordsEmbedder) -> None:
    with index._store.read():  # keeps the log
        index.add([Article("stale", "A stale sentence.")])
        log = (index.home / f"{DATABASE}-wal").read_bytes()
    assert len(log) > 0
    index.close()
    (index.home / DATABASE).write_bytes(b"no database" * 1000)
    (index.home / f"{DATABASE}-wal").write_bytes(log)
    Index.rebuild(index.home, embedder=embedder)
    with Index.open(index.home, embedder=embedder) as anew:
        assert anew.articles() == []
        assert anew.sync([articles]).added == 2
        assert anew.check() == []


def test_there_is_one_lock_for_all_writers(index: Index, embedder: BagOfWordsEmbedder) -> None:
    waited = threading.Event()

    def progress(stage: str, done: int, total: int) -> None:
        if stage == "wait":
            waited.set()

    with write_lock(index.home):
        thread = threading.Thread(
            target=Index.rebuild, args=(index.home,), kwargs={"embedder": embedder, "progress": progress}
        )
        thread.start()
        assert waited.wait(60)
        generation = index.generation
    thread.join()
    assert index.generation > generation


KILLED = """
import os, shutil, signal, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from index import Index, database, derived, rebuild, replace, store
from tests.fakes import BagOfWordsEmbedder

template, folder = Path(sys.argv[1]), Path(sys.argv[2])
STEPS = [
    (rebuild, "salvage"), (rebuild, "settle"), (rebuild, "embed_missing"), (store.Store, "save_vectors"),
    (store.Store, "publish"), (replace, "_empty_log"), (replace, "_keep"), (replace, "_copied"),
    (replace, "_checkpoint"), (replace, "_write_record"), (replace, "finish"), (replace, "_forget_companions"),
    (database, "sync_file"), (derived, "forget"), (derived, "keep_only"), (rebuild, "forget_leftovers"),
    (Path, "replace"), (Path, "unlink"), (shutil, "rmtree"), (shutil, "copyfile"),
]

def dying(function):
    def die_before(*given, **named):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*given, **named)
    return die_before

for step in range(1, 1000):
    home = folder / str(step)
    shutil.copytree(template, home)
    child = os.fork()
    if not child:
        left = step
        for module, name in STEPS:
            setattr(module, name, dying(getattr(module, name)))
        Index.rebuild(home, embedder=BagOfWordsEmbedder())
        os._exit(0)
    if os.waitpid(child, 0)[1] == 0:
        break
print(step)
"""


def killed_homes(home: Path, folder: Path) -> list[Path]:
    """Copies of a home, in each of which a rebuild was killed a step later than in the one before; in the last not."""
    done = subprocess.run(
        [sys.executable, "-c", KILLED.format(root=ROOT), str(home), str(folder)],
        env={**os.environ},
        check=True,
        capture_output=True,
    )
    return [folder / str(step) for step in range(1, int(done.stdout) + 1)]


def test_killed_at_any_step_the_old_or_the_new_is_whole(
    index: Index, articles: Path, tmp_path: Path, embedder: BagOfWordsEmbedder
) -> None:
    index.add([Article("secret", "Xylophonist Quetzalcoatl performed.")])
    (articles / "removed.txt").write_text("Text that was removed by hand.")
    index.sync()
    index.remove([articles / "removed.txt"])
    old = texts(index)
    index.close()
    (articles / "harvest.txt").write_text("Farmers lost the wheat harvest to hail.")
    new = old - {HARVEST} | {"Farmers lost the wheat harvest to hail."}
    homes = killed_homes(index.home, tmp_path / "killed")
    seen = []
    for home in homes:
        with Index.open(home, embedder=embedder) as after:
            seen.append(texts(after))
            assert seen[-1] in (old, new)
            assert after.search("wheat harvest")[0].text in (HARVEST, "Farmers lost the wheat harvest to hail.")
            assert after.check() == []
            after.add([Article("later", "A comet was seen.")])
            after.remove(["secret"])
            assert not [path.name for path in home.iterdir() if path.is_dir()]
            Index.rebuild(home, embedder=embedder)
            assert texts(after) == new - {"Xylophonist Quetzalcoatl performed."} | {"A comet was seen."}
        assert not [path for path in home.iterdir() if b"uetzalcoatl" in path.read_bytes().lower()]
    assert seen[0] == old
    assert seen[-1] == new
    assert len(homes) > 15


def test_killed_at_any_step_of_replacing_a_damaged_file_it_is_damaged_or_new(
    index: Index, articles: Path, tmp_path: Path, embedder: BagOfWordsEmbedder
) -> None:
    index.close()
    (index.home / DATABASE).write_bytes(b"no database" * 1000)
    (index.home / f"{DATABASE}-wal").write_bytes(b"of another" * 1000)
    homes = killed_homes(index.home, tmp_path / "killed")
    states = []
    for home in homes:
        try:
            with Index.open(home, embedder=embedder) as after:
                assert after.articles() == []
            states.append("new")
        except StoreError:
            states.append("damaged")
            Index.rebuild(home, embedder=embedder)
        assert (home / f"{DATABASE}.old").read_bytes() == b"no database" * 1000
        with Index.open(home, embedder=embedder) as after:
            assert after.sync([articles]).added == 2
            assert after.search("wheat harvest")[0].text == HARVEST
            assert after.check() == []
        assert not [path.name for path in home.iterdir() if path.suffix in (".new", ".replacing", ".tmp")]
    assert states == sorted(states)
    assert set(states) == {"damaged", "new"}
