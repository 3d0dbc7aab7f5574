"""The index through its door, on the fake embedder and the real FAISS and SQLite."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from index import Article, Index, InputError, LayoutError, ReadError, StoreError
from index import read as reading
from index.home import DATABASE
from index.run import Cancelled
from tests.fakes import BagOfWordsEmbedder

ISLANDS = "The islands are disputed. Fishing boats cross the strait every day. Nobody lives there in winter."
HARVEST = "Farmers brought in the wheat harvest early. Rain had been rare. Prices fell at the market in Kyiv."


@pytest.fixture
def articles(tmp_path: Path) -> Path:
    folder = tmp_path / "articles"
    folder.mkdir()
    (folder / "islands.txt").write_text(ISLANDS)
    (folder / "harvest.txt").write_text(HARVEST)
    return folder


@pytest.fixture
def index(tmp_path: Path, embedder: BagOfWordsEmbedder) -> Iterator[Index]:
    with Index.open(tmp_path / "home", embedder=embedder) as opened:
        yield opened


def snapshots(index: Index) -> list[Path]:
    return sorted(index.home.glob("vectors-*.faiss"))


def found(index: Index, query: str) -> list[str]:
    return [Path(hit.text).name for hit in index.search(query)]


def test_search_finds_the_passage_that_says_it(index: Index, articles: Path) -> None:
    index.sync([articles])
    best = index.search("wheat harvest")[0]
    assert best.text == HARVEST
    assert best.article.text[best.start : best.end] == best.text
    assert best.nearest.of(best.article.text) == "Farmers brought in the wheat harvest early."
    assert best.nearest in best.sentences
    assert " ".join(one.of(best.article.text) for one in best.sentences) == best.text
    assert best.score == pytest.approx(best.similarity + best.bm25)


def test_second_sync_embeds_nothing(index: Index, articles: Path, embedder: BagOfWordsEmbedder) -> None:
    first = index.sync([articles])
    assert (first.added, first.embedded, first.failed) == (2, 6, ())
    generation = index.stats().generation
    second = index.sync([articles])
    assert (second.added, second.updated, second.unchanged, second.embedded) == (0, 0, 2, 0)
    assert len(embedder.embedded) == 6
    assert index.stats().generation == generation


def test_a_listing_has_every_article_with_its_passages_and_what_it_copies(index: Index) -> None:
    long = "\n\n".join(f"Paragraph {n} tells of the harbor. " * 18 for n in range(3))
    index.add([Article("long", long), Article("short", "Snow fell."), Article("same", "Snow  fell.", source="Wire")])
    listed = {one.article.id: one for one in index.listing()}
    assert list(listed) == ["long", "short", "same"]
    assert listed["long"].passages == index.stats().passages - 1 >= 3
    assert (listed["short"].passages, listed["short"].copy_of, listed["short"].state) == (1, None, "searched")
    assert (listed["same"].passages, listed["same"].copy_of) == (0, index.article("short"))
    assert listed["same"].state == "copy of Snow fell."


def test_a_cited_article_is_current_until_its_text_changes_or_goes(index: Index) -> None:
    cited = Article("islands", "Four islands are in dispute.", title="Islands")
    copy = Article("copy", cited.text, source="Wire")
    index.add([cited, copy])
    assert (index.current(cited), index.current(copy)) == ("current", "current")
    index.add([Article("islands", cited.text, title="A better headline")])
    assert index.current(cited) == "current"
    index.add([Article("islands", "Five islands are in dispute.")])
    assert (index.current(cited), index.current(copy)) == ("changed", "current")
    index.remove(["islands"])
    assert (index.current(cited), index.current(copy)) == ("removed", "current")


def test_an_edited_sentence_is_the_only_one_embedded(
    index: Index, articles: Path, embedder: BagOfWordsEmbedder
) -> None:
    index.sync([articles])
    before = {article.id for article in index.articles()}
    (articles / "islands.txt").write_text(ISLANDS.replace("every day", "twice a week"))
    report = index.sync()
    assert (report.updated, report.embedded) == (1, 1)
    assert embedder.embedded[6:] == ["Fishing boats cross the strait twice a week."]
    assert {article.id for article in index.articles()} == before, "same source, same id"
    assert "every day" not in " ".join(hit.text for hit in index.search("Fishing boats"))


def test_a_bare_sync_reads_the_remembered_sources_again(index: Index, articles: Path) -> None:
    index.sync([articles])
    (articles / "new.txt").write_text("A comet was seen over Lisbon.")
    assert index.sync().added == 1
    assert "comet" in index.search("comet")[0].text


def test_a_vanished_file_is_gone_from_every_search(index: Index, articles: Path) -> None:
    index.sync([articles])
    (articles / "harvest.txt").unlink()
    assert index.sync().removed == 1
    assert [hit.text for hit in index.search("wheat harvest")] == [ISLANDS]
    assert index.stats().sentences == 3


def test_a_missing_folder_costs_nothing(index: Index, articles: Path, tmp_path: Path) -> None:
    index.sync([articles])
    articles.rename(tmp_path / "unplugged")
    report = index.sync()
    assert report.removed == 0
    assert "citewire index remove" in report.failed[0].reason
    assert len(index.articles()) == 2


def test_a_file_that_became_unreadable_keeps_its_article(index: Index, articles: Path) -> None:
    index.sync([articles])
    (articles / "harvest.txt").write_bytes(b"\x00\x01\x02" * 100)
    report = index.sync()
    assert [Path(failure.path).name for failure in report.failed] == ["harvest.txt"]
    assert "wheat" in index.search("wheat harvest")[0].text


def test_one_bad_file_does_not_stop_the_rest(index: Index, articles: Path) -> None:
    (articles / "aaa.txt").write_bytes(b"\x89PNG\x0d\x0a\x1a\x0a\x00\x00")
    (articles / "empty.txt").write_text("")
    report = index.sync([articles])
    assert report.added == 2
    assert {Path(failure.path).name for failure in report.failed} == {"aaa.txt", "empty.txt"}


def test_what_belongs_to_a_saved_page_is_no_article(index: Index, articles: Path) -> None:
    beside = articles / "Storm_files"
    beside.mkdir()
    (articles / "Storm.html").write_text(f"<article><p>{'The storm came from the north. ' * 9}</p></article>")
    (articles / "~$notes.docx").write_bytes(b"lock")
    for name in ("frame.html", "robots.txt", "style.css"):
        (beside / name).write_text("A frame with words of its own.")
    (articles / "notes_files").mkdir()  # a folder like any other
    (articles / "notes_files" / "own.txt").write_text("A note of its own.")
    report = index.sync([articles])
    assert (report.added, report.failed) == (4, ())
    assert [Path(one.path).name for one in report.left_out] == ["frame.html", "robots.txt"]
    assert "saved page Storm.html" in report.left_out[0].reason
    assert index.sync().left_out == (), "what was reported is not reported again"
    assert [Path(one.path).name for one in index.unread()] == ["frame.html", "robots.txt"]
    assert index.sync([beside / "frame.html"]).added == 1, "it was asked for"
    assert [Path(one.path).name for one in index.unread()] == ["robots.txt"]
    assert len(index.articles()) == 5
    assert index.sync().unchanged == 5
    (articles / "Storm.html").unlink()
    assert index.sync().added == 1, "without the page it is a file like any other"


def test_a_link_out_of_the_folder_is_not_followed(index: Index, articles: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("The secret is out.")
    (articles / "link.txt").symlink_to(secret)
    report = index.sync([articles])
    assert "link" in report.failed[0].reason
    assert "secret" not in " ".join(hit.text for hit in index.search("secret"))


def test_sources_that_do_not_exist_are_named_and_nothing_changes(index: Index, articles: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere: no such file or folder"):
        index.sync([articles, "nowhere"])
    assert index.articles() == []


def test_added_articles_are_found_replaced_and_removed(index: Index) -> None:
    article = Article(
        "a1",
        "Snow fell in Oslo.",
        title="Weather",
        source="The Post",
        url="https://x.example/a",
        published="2020-01-02",
        author="Ann A",
        updated="2020-01-03",
        language="en",
    )
    assert index.add([article]).added == 1
    assert index.article("a1") == article
    assert index.add([article]).unchanged == 1
    assert index.add([Article("a1", "Rain fell in Oslo.")]).updated == 1
    assert index.search("Oslo")[0].text == "Rain fell in Oslo."
    assert index.remove(["a1"]) == 1
    assert index.search("Oslo") == []
    with pytest.raises(InputError, match="a1"):
        index.article("a1")


def test_a_removed_file_stays_removed_until_it_is_added_again(index: Index, articles: Path) -> None:
    index.sync([articles])
    harvest = next(article for article in index.articles() if article.text == HARVEST)
    assert index.remove([harvest.id]) == 1
    assert index.sync().added == 0
    assert [article.text for article in index.articles()] == [ISLANDS]
    assert index.sync([articles / "harvest.txt"]).added == 1


def test_removing_a_folder_forgets_it(index: Index, articles: Path) -> None:
    index.sync([articles])
    assert index.remove([articles]) == 2
    assert index.stats().sources == ()
    assert index.sync().added == 0
    assert index.sync([articles]).added == 2


def test_an_uploaded_copy_goes_with_its_article_and_a_file_of_the_user_stays(index: Index, articles: Path) -> None:
    index.uploads.mkdir()
    copy = index.uploads / "copy.txt"
    copy.write_text("An uploaded report on turbines.")
    index.sync([index.uploads, articles])
    turbines = index.search("turbines")[0].article.id
    index.remove([turbines, articles / "harvest.txt"])
    assert not copy.exists()
    assert (articles / "harvest.txt").exists()


def test_an_article_that_was_taken_out_is_put_back_as_it_was(index: Index, articles: Path) -> None:
    index.sync([articles])
    index.sync([articles / "harvest.txt"])
    index.add([Article("handed-in", "Snow fell in Oslo.")])
    before = {article.id: article for article in index.articles()}
    for article_id in before:
        index.put_back(index.take_out(article_id))
    assert {article.id: article for article in index.articles()} == before
    assert index.search("Oslo")[0].article.id == "handed-in"
    assert index.sync().unchanged == 2, "files are known, and not read again"
    (articles / "harvest.txt").write_text("The harvest of Oslo was rich.")
    assert index.sync().updated == 1, "and followed as before"


def test_of_a_file_with_several_articles_one_is_put_back_and_the_other_stays_removed(
    index: Index, tmp_path: Path
) -> None:
    file = tmp_path / "several.jsonl"
    file.write_text("\n".join(json.dumps({"id": name, "text": f"{name} fell in Oslo."}) for name in ("Snow", "Rain")))
    index.sync([file])
    first, second = (article.id for article in index.articles())
    index.remove([first])
    index.put_back(index.take_out(second))
    file.touch()
    index.sync()
    assert [article.id for article in index.articles()] == [second]


def test_removing_an_unknown_name_removes_nothing(index: Index, articles: Path) -> None:
    index.sync([articles])
    known = index.articles()[0].id
    with pytest.raises(InputError, match="no-such-id"):
        index.remove([known, "no-such-id"])
    assert len(index.articles()) == 2


def test_removing_by_id_only_takes_no_path_and_no_address(index: Index, articles: Path) -> None:
    index.sync([articles])
    index.add([Article("handed-in", "Snow fell in Oslo.")])
    known = index.articles()[0].id
    for name in ("/", str(articles), str(articles / "islands.txt"), ".", "", "no-such-id", "https://example.org/a"):
        with pytest.raises(InputError, match="no article has this id"):
            index.remove_articles([known, name])
    assert len(index.articles()) == 3
    assert index.remove_articles([known, "handed-in"]) == 2
    assert index.remove_articles(index.articles()[0].id) == 1
    assert index.articles() == []


def test_removed_text_is_nowhere_in_the_home(index: Index) -> None:
    index.add([Article("keep", "Plain words stay."), Article("gone", "Xylophonist Quetzalcoatl performed.")])
    index.remove(["gone"])
    index.close()
    for file in index.home.iterdir():
        content = file.read_bytes().lower()
        assert b"xylophonist" not in content, file.name
        assert b"quetzalcoatl" not in content, file.name


def test_the_order_of_sources_survives_sentences_shared_between_articles(index: Index) -> None:
    index.add([Article("a", "Same sentence here. Only in a."), Article("b", "Same sentence here. Only in b.")])
    assert index.remove(["a"]) == 1
    assert [hit.article.id for hit in index.search("same sentence")] == ["b"]
    assert index.check() == []


@pytest.mark.parametrize("damage", ["missing", "truncated", "flipped", "empty", "another generation"])
def test_a_lost_snapshot_is_rebuilt_without_embedding(
    index: Index, articles: Path, embedder: BagOfWordsEmbedder, damage: str
) -> None:
    index.sync([articles])
    expected = index.search("wheat harvest")
    (snapshot,) = snapshots(index)
    content = snapshot.read_bytes()
    if damage == "missing":
        snapshot.unlink()
    elif damage == "truncated":
        snapshot.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        snapshot.write_bytes(content[:-5] + bytes([content[-5] ^ 1]) + content[-4:])
    elif damage == "empty":
        snapshot.write_bytes(b"")
    else:
        snapshot.write_bytes(content[:8] + (99).to_bytes(8, "little") + content[16:])
    with Index.open(index.home, embedder=embedder) as again:
        assert again.check() != []
        assert again.search("wheat harvest") == expected
        assert len(embedder.embedded) == 6
        assert again.check() == []
    assert snapshots(index)[0].read_bytes() == content


def test_old_snapshots_are_swept(index: Index) -> None:
    for number in range(3):
        index.add([Article(str(number), f"Article number {number}.")])
    assert len(snapshots(index)) == 1


def test_another_embedder_is_refused_with_the_command_that_mends(index: Index, articles: Path) -> None:
    index.sync([articles])
    with pytest.raises(LayoutError, match=r"built with bag-of-words.*citewire index rebuild"):
        Index.open(index.home, embedder=BagOfWordsEmbedder("another"))
    other = BagOfWordsEmbedder("another")
    report = Index.rebuild(index.home, embedder=other)
    assert (report.added, report.embedded) == (2, 6)
    with Index.open(index.home, embedder=other) as rebuilt:
        assert "wheat" in rebuilt.search("wheat harvest")[0].text
    assert not list(index.home.glob("*.old*")), "all was carried over, so no copy of removed text lingers"


def test_another_layout_is_refused_and_rebuilt_from_its_sources(
    index: Index, articles: Path, embedder: BagOfWordsEmbedder
) -> None:
    index.sync([articles])
    index.add([Article("handed-in", "A zeppelin landed.")])
    harvest = next(article for article in index.articles() if article.text == HARVEST)
    index.remove([harvest.id])
    index.close()
    with sqlite3.connect(index.home / DATABASE) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(LayoutError, match=r"layout 99.*citewire index rebuild"):
        Index.open(index.home, embedder=embedder)
    Index.rebuild(index.home, embedder=embedder)
    with Index.open(index.home, embedder=embedder) as rebuilt:
        assert {article.text for article in rebuilt.articles()} == {ISLANDS, "A zeppelin landed."}
        assert rebuilt.sync().added == 0, "what was removed stays removed"
        assert rebuilt.check() == []


def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path, embedder: BagOfWordsEmbedder) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / DATABASE).write_bytes(b"this is not a database at all, but long enough to look at" * 50)
    with pytest.raises(StoreError, match=r"index\.sqlite.*citewire index rebuild"):
        Index.open(home, embedder=embedder)
    Index.rebuild(home, embedder=embedder)
    assert (home / f"{DATABASE}.old").read_bytes().startswith(b"this is not a database")


def test_a_cancelled_run_publishes_nothing_and_the_next_goes_on(
    index: Index, tmp_path: Path, embedder: BagOfWordsEmbedder
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(300):
        (folder / f"{number}.txt").write_text(f"This is article {number}. It has words{number} of its own.")
    cancel = threading.Event()

    def progress(stage: str, done: int, total: int) -> None:
        if stage == "embed" and done >= total // 2:
            cancel.set()

    with pytest.raises(Cancelled, match="continues from here"):
        index.sync([folder], progress=progress, cancel=cancel)
    assert index.articles() == []
    assert index.search("article") == []
    done = len(embedder.embedded)
    assert 0 < done < 600
    report = index.sync([folder])
    assert report.added == 300
    assert report.embedded == 600 - done


def test_files_are_read_side_by_side_and_taken_in_order(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(6):
        (folder / f"{number}.md").write_text(f"This is article {number}.")
    read_for_real, together = reading.read, threading.Barrier(2, timeout=60)

    def slow_at_first(path: Path, **options: object) -> tuple[Article, ...]:
        together.wait()
        time.sleep(0.05 if path.name == "0.md" else 0)
        return read_for_real(path, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(reading, "AT_ONCE", 2)
    monkeypatch.setattr(reading, "read", slow_at_first)
    assert index.sync([folder]).added == 6
    assert [article.text for article in index.articles()] == [f"This is article {number}." for number in range(6)]


def test_ctrl_c_ends_what_is_being_parsed(index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "articles"
    folder.mkdir()
    (folder / "quick.md").write_text("Quick.")
    (folder / "slow.md").write_text("Slow.")
    parsing, stopped = threading.Event(), threading.Event()

    def never_done(path: Path, **options: object) -> tuple[Article, ...]:
        if path.name == "quick.md":
            return (Article("quick", "Quick."),)
        parsing.set()
        assert stopped.wait(60)
        raise ReadError("reading it broke the parser")

    def progress(stage: str, done: int, total: int) -> None:
        if done == 1:
            assert parsing.wait(60)
            raise KeyboardInterrupt

    monkeypatch.setattr(reading, "read", never_done)
    monkeypatch.setattr(reading, "stop", stopped.set)
    with pytest.raises(KeyboardInterrupt):
        index.sync([folder], progress=progress)
    assert stopped.is_set()
    assert index.articles() == []


def test_empty_queries_and_bad_k_are_refused(index: Index) -> None:
    with pytest.raises(InputError, match="empty"):
        index.search("  ")
    with pytest.raises(InputError, match="k=0"):
        index.search("x", k=0)
    assert index.search("anything") == [], "an empty index finds nothing"


@pytest.mark.parametrize(
    "query", ['"', "a AND", "NEAR(", "*", "x'; DROP TABLE article; --", "title:", "ملف 文書", "()"]
)
def test_queries_are_words_not_syntax(index: Index, articles: Path, query: str) -> None:
    index.sync([articles])
    index.search(query)
    assert len(index.articles()) == 2


def test_readers_and_writers_share_an_index(index: Index, articles: Path) -> None:
    index.sync([articles])
    errors: list[BaseException] = []
    stop = threading.Event()

    def read() -> None:
        try:
            while not stop.is_set():
                for hit in index.search("wheat harvest"):
                    assert hit.article.text[hit.start : hit.end] == hit.text
        except BaseException as error:
            errors.append(error)

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for number in range(30):
        index.add([Article("moving", f"The wheat harvest of field {number}. More words.")])
    stop.set()
    for reader in readers:
        reader.join()
    assert errors == []
    assert index.search("field 29")[0].text.startswith("The wheat harvest of field 29.")


def test_another_process_sees_the_new_generation(index: Index, embedder: BagOfWordsEmbedder) -> None:
    index.add([Article("a", "Only the first article.")])
    with Index.open(index.home, embedder=embedder) as other:
        assert len(other.search("article")) == 1
        index.add([Article("b", "Then a second article.")])
        assert len(other.search("article")) == 2
        other.remove(["a"])
    assert [hit.article.id for hit in index.search("article")] == ["b"]


SYNC_FOREVER = """
import sys, time
sys.path.insert(0, {root!r})
from tests.fakes import BagOfWordsEmbedder
from index import Index
class Slow(BagOfWordsEmbedder):
    def embed_documents(self, texts, *, progress=None):
        time.sleep(0.01)
        return super().embed_documents(texts, progress=progress)
print("go", flush=True)
with Index.open(sys.argv[1], embedder=Slow()) as index:
    index.sync([sys.argv[2]])
print("done", flush=True)
"""


def test_killed_at_any_moment_a_whole_generation_is_left(tmp_path: Path, embedder: BagOfWordsEmbedder) -> None:
    """Each round changes 300 files and kills the sync a little later than the round before."""
    folder, home = tmp_path / "many", tmp_path / "home"
    folder.mkdir()
    script = SYNC_FOREVER.format(root=str(Path(__file__).parent.parent))

    def write(edition: int) -> None:
        for number in range(300):
            (folder / f"{number}.txt").write_text(f"Edition {edition} of article {number}. Words{edition}x{number}.")

    write(0)
    with Index.open(home, embedder=embedder) as index:
        index.sync([folder])
    editions = set()
    for edition in range(1, 21):
        write(edition)
        process = subprocess.Popen(
            [sys.executable, "-c", script, str(home), str(folder)], stdout=subprocess.PIPE, env={**os.environ}
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"go\n"
        time.sleep(0.04 * edition)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        with Index.open(home, embedder=embedder) as index:
            assert index.stats().articles == 300
            held = {article.text.split(" of ")[0] for article in index.articles()}
            assert len(held) == 1, "one whole generation, never a mixture"
            editions |= held
            assert len(index.search("article 7", k=3)) == 3
            assert index.check() == []
    with Index.open(home, embedder=embedder) as index:
        index.sync([folder])
        assert {article.text.split(" of ")[0] for article in index.articles()} == {"Edition 20"}
        assert index.check() == []
