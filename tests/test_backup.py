"""A home is one file and a home again: while it is written, after kills, from damaged and hostile archives."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from index import Article, Index, InputError, StoreError
from index import restore as restoring
from index.home import DATABASE
from tests.conftest import Site
from tests.fakes import BagOfWordsEmbedder
from tests.test_conversations import said
from tests.test_migrate import as_layout_1
from tests.test_sync_web import feed, page
from ui import archive, backup, cli, conversations
from ui.archive import DamagedError
from ui.conversations import FILE, Conversations
from ui.owners import Owners

TOP = Path(__file__).parent.parent
KILLS = int(os.environ.get("CITEWIRE_KILLS", "6"))
"""Points at which a backup, and a restore, are killed, of some hundred; half as many are killed at a random time."""
ISLANDS = "The islands are disputed. Fishing boats cross the strait every day. Nobody lives there in winter."
HARVEST = "Farmers brought in the wheat harvest early. Rain had been rare. Prices fell at the market in Kyiv."
REPORT = "The report was handed in on Monday. It tells of a bridge that was closed."


@pytest.fixture
def articles(tmp_path: Path) -> Path:
    folder = tmp_path / "articles"
    folder.mkdir()
    (folder / "islands.txt").write_text(ISLANDS)
    (folder / "copy.txt").write_text(ISLANDS.replace(". ", ".  "))
    (folder / "harvest.txt").write_text(HARVEST)
    (folder / "removed.txt").write_text("A zeppelin landed in the park.")
    return folder


@pytest.fixture
def full(home: Path, articles: Path, embedder: BagOfWordsEmbedder) -> Path:
    """A home with a folder, a copy, a removed file, an upload, an article that was handed in, and conversations."""
    with Index.open(home, embedder=embedder) as index:
        index.uploads.mkdir()
        (index.uploads / "report.txt").write_text(REPORT)
        index.sync([articles, index.uploads / "report.txt"])
        index.remove([articles / "removed.txt"])
        index.add([Article("handed-in", "Snow fell in Oslo.", title="Winter", published="2020-01-02")])
    with Conversations(home) as kept:
        first = kept.create("me")
        kept.append(first, owner="me", question="When?", answer=said("When?").to_dict())
        kept.append(first, owner="me", question="Who?", answer=said("Who?").to_dict())
        kept.feedback(first, "me", turn=2, thumb="down", reason="the date is wrong")
        kept.append(kept.create("you"), owner="you", question="Where?", answer=said("Where?").to_dict())
    return home


@pytest.fixture
def file(tmp_path: Path, full: Path) -> Path:
    backup.backup(tmp_path / "home.zip", full)
    return tmp_path / "home.zip"


def dump(home: Path) -> dict[str, Any]:
    """Every row of every table of both databases, what makes a database another one apart, and every upload."""
    found: dict[str, Any] = {}
    for name in (DATABASE, FILE):
        with closing(sqlite3.connect(home / name)) as sql:
            for (table,) in sql.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                if table != "words":  # which is its tables words_data, words_idx, …
                    found[f"{name}:{table}"] = sorted(map(repr, sql.execute(f"SELECT * FROM {table}")))
            if name == DATABASE:
                meta = sql.execute(
                    "SELECT key, value FROM meta WHERE key NOT IN ('database', 'generation', 'checksum')"
                )
                found[f"{name}:meta"] = sorted(meta)
    uploads = home / "uploads"
    return found | {path.name: path.read_bytes() for path in uploads.glob("*")}


def on_disk(home: Path) -> dict[str, bytes]:
    """Every file of a home that is not open, but for what SQLite and the lock leave empty."""
    files = (path for path in home.rglob("*") if path.is_file() and path.stat().st_size)
    return {str(path.relative_to(home)): path.read_bytes() for path in files}


def found(home: Path, query: str) -> list[tuple[str, str]]:
    with Index.open(home, embedder=BagOfWordsEmbedder()) as index:
        return [(hit.article.id, hit.text) for hit in index.search(query)]


# What comes back


def test_everything_comes_back_in_another_place(full: Path, file: Path, tmp_path: Path) -> None:
    before = dump(full)
    hits = {query: found(full, query) for query in ("wheat harvest", "fishing boats", "bridge closed", "snow")}
    shutil.move(full, tmp_path / "gone")
    there = tmp_path / "other" / "place"
    restored = backup.restored(file, there)
    assert dump(there) == before
    assert {query: found(there, query) for query in hits} == hits
    assert all(hits.values())
    assert (restored.counts["articles"], restored.counts["conversations"], restored.counts["turns"]) == (5, 2, 3)
    with Index.open(there, embedder=BagOfWordsEmbedder()) as index:
        assert index.check() == []
    with Conversations(there) as kept:
        assert [(one.thumb, one.reason) for one in kept.all_feedback()] == [("down", "the date is wrong")]
        assert [one.title for one in kept.list("me")] == ["When?"]


def test_what_was_restored_is_synced_and_removed_as_before(
    full: Path, file: Path, tmp_path: Path, articles: Path, embedder: BagOfWordsEmbedder
) -> None:
    (upload,) = (one for one in Index.open(full, embedder=embedder).articles() if one.text == REPORT)
    there = tmp_path / "there"
    backup.restored(file, there)
    with Index.open(there, embedder=embedder) as index:
        report = index.sync()
        assert (report.added, report.updated, report.removed, report.failed) == (0, 0, 0, ())
        assert "zeppelin" not in " ".join(one.text for one in index.articles()), "what was removed stays removed"
        assert len(index.articles()) == 5
        (there / "uploads" / "report.txt").write_text(REPORT.replace("bridge", "tunnel"))
        assert index.sync().updated == 1
        assert "tunnel" in index.article(upload.id).text, "the same file, the same id"
        index.remove([upload.id])
        assert not (there / "uploads" / "report.txt").exists()
        assert (full / "uploads" / "report.txt").read_text() == REPORT, "the upload of the other home"


def test_sources_that_are_not_on_this_machine_keep_their_articles(
    full: Path, file: Path, tmp_path: Path, articles: Path, embedder: BagOfWordsEmbedder
) -> None:
    articles.rename(tmp_path / "elsewhere")
    there = tmp_path / "there"
    restored = backup.restored(file, there)
    assert restored.missing_sources == (str(articles),)
    assert str(articles) in restored.sources
    with Index.open(there, embedder=embedder) as index:
        assert index.sync().removed == 0
        assert len(index.articles()) == 5


def test_a_feed_is_remembered_with_what_it_brought(
    site: Site, home: Path, tmp_path: Path, fetcher: Any, embedder: BagOfWordsEmbedder
) -> None:
    site.replies["/feed"] = feed(site, "one", "two")
    site.replies["/one"], site.replies["/two"] = page("The first tells of a storm. "), page("The second is of snow. ")
    with Index.open(home, embedder=embedder, fetcher=fetcher) as index:
        index.sync([f"{site.address}/feed"])
        assert len(index.articles()) == 2
    there = tmp_path / "there"
    backup.backup(tmp_path / "home.zip", home)
    backup.restored(tmp_path / "home.zip", there)
    site.replies["/feed"] = feed(site, "two")
    with Index.open(there, embedder=embedder, fetcher=fetcher) as index:
        index.sync()
        assert len(index.articles()) == 2, "what left the feed is kept"


def test_a_backup_holds_what_is_needed_and_no_more(full: Path, file: Path) -> None:
    with Index.open(full, embedder=BagOfWordsEmbedder()) as index:
        derived = index.derived("handed-in")
        derived.mkdir(parents=True)
        (derived / "cache").write_text("made again")
    (full / "secret").write_text("SECRETxyz")
    (full / "uploads" / ".half").write_text("being handed in")
    (full / "uploads" / "stray.txt").write_text("nobody indexed this")
    backup.backup(file, full, replace=True)
    with zipfile.ZipFile(file) as opened:
        assert opened.testzip() is None
        assert opened.namelist() == ["uploads/report.txt", FILE, DATABASE, "manifest.json"]
        manifest = json.loads(opened.read("manifest.json"))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert b"SECRETxyz" not in file.read_bytes()
    assert manifest["format"] == 1
    assert {one["name"] for one in manifest["members"]} == {"uploads/report.txt", FILE, DATABASE}
    assert manifest["counts"]["articles"] == 5
    assert len(manifest["sources"]) == 2


def test_a_backup_leaves_the_home_as_it_is(full: Path, tmp_path: Path) -> None:
    before = on_disk(full)
    backup.backup(tmp_path / "home.zip", full)
    backup.verify(tmp_path / "home.zip")
    assert on_disk(full) == before
    assert sorted(path.name for path in tmp_path.glob(".*")) == [], "nothing is left beside the backup"


def test_an_upload_that_went_is_told_and_a_link_is_not_followed(full: Path, tmp_path: Path) -> None:
    upload = full / "uploads" / "report.txt"
    upload.unlink()
    made = backup.backup(tmp_path / "one.zip", full)
    assert [one["name"] for one in made.manifest.about["left_out"]] == ["uploads/report.txt"]
    (tmp_path / "secret.txt").write_text("SECRETxyz")
    upload.symlink_to(tmp_path / "secret.txt")
    made = backup.backup(tmp_path / "two.zip", full)
    assert [one["name"] for one in made.manifest.about["left_out"]] == ["uploads/report.txt"]
    for name in ("one.zip", "two.zip"):
        assert backup.verify(tmp_path / name).problems == ()
        backup.restored(tmp_path / name, tmp_path / f"from {name}")
        assert not (tmp_path / f"from {name}" / "uploads").exists()


def test_a_browser_finds_its_conversations_in_the_restored_home(home: Path, tmp_path: Path, full: Path) -> None:
    def owners(place: Path, kept: Conversations) -> Owners:
        return Owners(place, has_kept=lambda owner: bool(kept.list(owner)))

    with Conversations(home) as kept:
        name = owners(home, kept).new()
        owner = owners(home, kept).owner(name)
        kept.append(kept.create(owner), owner=owner, question="Mine?", answer=said("Mine?").to_dict())
    there = tmp_path / "there"
    backup.backup(tmp_path / "home.zip", home)
    assert b"browsers.key" not in (tmp_path / "home.zip").read_bytes()
    backup.restored(tmp_path / "home.zip", there)
    with Conversations(there) as kept:
        assert [one.title for one in kept.list(owners(there, kept).owner(name))] == ["Mine?"]


# The file


def test_a_backup_that_is_there_is_replaced_only_by_force(full: Path, file: Path) -> None:
    before = file.read_bytes()
    with pytest.raises(InputError, match="--force"):
        backup.backup(file, full)
    assert file.read_bytes() == before
    with Index.open(full, embedder=BagOfWordsEmbedder()) as index:
        index.add([Article("more", "A comet was seen.")])
    assert backup.backup(file, full, replace=True).counts["articles"] == 6
    assert backup.verify(file).problems == ()


@pytest.mark.parametrize(
    "where", ["home", "link into the home", "folder", "missing folder", "device", "link to device"]
)
def test_a_place_that_is_not_for_a_backup_is_refused(full: Path, tmp_path: Path, where: str) -> None:
    (tmp_path / "link").symlink_to(full)
    (tmp_path / "null").symlink_to("/dev/null")
    places = {
        "home": full / "uploads" / "home.zip",
        "link into the home": tmp_path / "link" / "home.zip",
        "folder": tmp_path,
        "missing folder": tmp_path / "nowhere" / "home.zip",
        "device": Path("/dev/null"),
        "link to device": tmp_path / "null",
    }
    before = on_disk(full)
    with pytest.raises(InputError):
        backup.backup(places[where], full, replace=True)
    assert on_disk(full) == before
    assert Path("/dev/null").is_char_device()
    assert not (tmp_path / "nowhere").exists()


def test_an_empty_home_has_no_backup(home: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to back up"):
        backup.backup(tmp_path / "home.zip", home)
    assert not home.exists()
    assert list(tmp_path.iterdir()) == []


def test_a_computer_whose_clock_is_at_its_beginning_can_be_backed_up(
    full: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = time.gmtime(0)
    monkeypatch.setattr("ui.archive.time.gmtime", lambda *_: first)
    backup.backup(tmp_path / "home.zip", full)
    assert backup.restored(tmp_path / "home.zip", tmp_path / "other").counts["articles"] == 5


def test_two_backups_to_one_file_do_not_mix(full: Path, file: Path) -> None:
    before = file.read_bytes()
    with contextlib.suppress(KeyboardInterrupt), archive.writing(file, replace=True):
        with pytest.raises(InputError, match="is running"):
            backup.backup(file, full, replace=True)
        raise KeyboardInterrupt
    assert file.read_bytes() == before


def test_a_backup_that_is_stopped_or_has_no_room_leaves_the_older_one(full: Path, file: Path) -> None:
    before = file.read_bytes()

    def stop(stage: str, done: int, total: int) -> None:
        if stage == "pack":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        backup.backup(file, full, replace=True, progress=stop)
    assert file.read_bytes() == before
    program = (
        "import resource, signal, sys; from ui import cli; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "limit = int(sys.argv[1]); resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))\n"
        "sys.exit(cli.main(['--home', sys.argv[2], 'backup', '--force', sys.argv[3]]))"
    )
    for limit in (3000, 60_000):
        tried = subprocess.run(
            [sys.executable, "-c", program, str(limit), str(full), str(file)], cwd=TOP, capture_output=True, text=True
        )
        assert tried.returncode == 1, tried.stderr
        assert tried.stderr.startswith("citewire: ")
        assert "Traceback" not in tried.stderr
        assert file.read_bytes() == before
        assert [path.name for path in file.parent.glob(".*")] == []


def test_a_damaged_home_is_not_backed_up_over_a_good_backup(full: Path, file: Path) -> None:
    before = file.read_bytes()
    content = bytearray((full / DATABASE).read_bytes())
    content[4096 * 3 : 4096 * 3 + 200] = b"\xa5" * 200
    (full / DATABASE).write_bytes(content)
    with pytest.raises(StoreError, match="damaged"):
        backup.backup(file, full, replace=True)
    assert file.read_bytes() == before


# While others write


PUBLISH = """
import sys
from pathlib import Path
from index import Article, Index
from tests.fakes import BagOfWordsEmbedder
from tests.test_conversations import said
from ui.conversations import Conversations
home = Path(sys.argv[1])
with Index.open(home, embedder=BagOfWordsEmbedder()) as index, Conversations(home) as kept:
    mine = kept.create("writer")
    for number in range(100000):
        # A generation is whole when all its articles say the same number.
        index.add([Article(f"writer-{k}", f"Number {number} is what part {k} says.") for k in range(20)])
        kept.append(mine, owner="writer", question=str(number), answer=said(str(number)).to_dict())
        print(number, flush=True)
"""


def test_a_backup_while_others_write_holds_one_whole_generation(full: Path, tmp_path: Path) -> None:
    writer = subprocess.Popen([sys.executable, "-c", PUBLISH, str(full)], cwd=TOP, stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    seen = []
    try:
        for number in range(4):
            told = int(writer.stdout.readline())
            file = tmp_path / f"{number}.zip"
            backup.backup(file, full)
            assert backup.verify(file).problems == ()
            there = tmp_path / f"home {number}"
            backup.restored(file, there)
            with Index.open(there, embedder=BagOfWordsEmbedder()) as index:
                texts = [one.text for one in index.articles() if one.id.startswith("writer-")]
                assert index.search("Number")
                assert index.check() == []
            numbers = {re.findall(r"\d+", text)[0] for text in texts}
            assert (len(texts), len(numbers)) == (20, 1)
            with Conversations(there) as kept:
                (conversation,) = (one for one in kept.everyone() if one.title == "0")
            turns = [turn.question for turn in conversation.turns]
            assert turns == [str(one) for one in range(len(turns))]
            assert len(turns) > told, "what was acknowledged before is in it"
            seen.append(int(numbers.pop()))
    finally:
        writer.kill()
        writer.communicate()
    assert seen == sorted(seen)
    assert len(set(seen)) > 1, "the writer went on"


READ_ONLY = """
import os, sys
from ui import cli
import index.read, index.store, tqdm, ui.backup
if os.getuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
sys.exit(cli.main(["--home", sys.argv[1], "backup", sys.argv[2]]))
"""


def test_a_home_that_cannot_be_written_is_backed_up(full: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place, target = Path(folder) / "home", Path(folder) / "target"
        shutil.copytree(full, place)
        target.mkdir()
        target.chmod(0o777)
        Path(folder).chmod(0o755)
        for path in (*place.rglob("*"), place):
            path.chmod(0o555 if path.is_dir() else 0o444)
        command = [sys.executable, "-c", READ_ONLY, str(place), str(target / "home.zip")]
        tried = subprocess.run(command, cwd=TOP, capture_output=True, text=True)
        for path in (place, *place.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        assert tried.returncode == 0, tried.stderr
        assert backup.verify(target / "home.zip").problems == ()
        backup.restored(target / "home.zip", target / "home")
        assert dump(target / "home") == dump(full)


# A home that holds something


def test_a_home_that_holds_something_is_replaced_only_if_told_and_what_was_there_is_kept(
    full: Path, file: Path, tmp_path: Path, embedder: BagOfWordsEmbedder
) -> None:
    there = tmp_path / "there"
    with Index.open(there, embedder=embedder) as index:
        index.uploads.mkdir()
        (index.uploads / "other.txt").write_text("Another upload tells of a lighthouse.")
        index.sync([index.uploads / "other.txt"])
        index.derived("handed-in").mkdir(parents=True)
        index.search("lighthouse")
    with Conversations(there) as kept:
        kept.append(kept.create("her"), owner="her", question="Why?", answer=said("Why?").to_dict())
    before = dump(there)
    with pytest.raises(InputError, match="--replace"):
        backup.restored(file, there)
    assert dump(there) == before
    restored = backup.restored(file, there, replace=True)
    assert dump(there) == dump(full)
    assert not (there / "derived").exists()
    assert "lighthouse" not in " ".join(text for _, text in found(there, "lighthouse"))
    assert restored.kept is not None
    assert restored.kept.parent == tmp_path
    assert stat.S_IMODE(restored.kept.stat().st_mode) == 0o600
    again = backup.restored(restored.kept, there, replace=True, keep=tmp_path / "kept.zip")
    assert dump(there) == before
    assert again.kept == tmp_path / "kept.zip"
    assert backup.verify(tmp_path / "kept.zip").problems == ()


def test_a_home_without_conversations_is_brought_back_without_them(
    home: Path, tmp_path: Path, full: Path, embedder: BagOfWordsEmbedder
) -> None:
    other = tmp_path / "other"
    with Index.open(other, embedder=embedder) as index:
        index.add([Article("only", "A lighthouse was built in 1900.")])
    backup.backup(tmp_path / "other.zip", other)
    restored = backup.restored(tmp_path / "other.zip", full, replace=True)
    with Conversations(full) as kept:
        assert kept.everyone() == ()
    assert restored.kept is not None
    assert backup.verify(restored.kept).counts["turns"] == 3


def test_an_open_index_follows_and_what_it_adds_is_kept(
    full: Path, file: Path, tmp_path: Path, embedder: BagOfWordsEmbedder
) -> None:
    there = tmp_path / "there"
    with Index.open(there, embedder=embedder) as index:
        for number in range(8):
            index.add([Article("mine", f"A lighthouse was built in {1900 + number}.")])
        generation = index.generation
        assert "lighthouse" in index.search("lighthouse")[0].text
        backup.restored(file, there, replace=True)
        assert index.generation > generation
        assert "wheat" in index.search("wheat harvest")[0].text
        assert "lighthouse" not in " ".join(hit.text for hit in index.search("lighthouse"))
        index.add([Article("mine", "A comet was seen over Lisbon.")])
        assert index.search("comet")[0].article.id == "mine"
    with Index.open(there, embedder=embedder) as index:
        assert len(index.articles()) == 6
        assert index.check() == []


HOLD = """
import sys
from pathlib import Path
from ui.conversations import Conversations
with Conversations(Path(sys.argv[1])) as kept:
    kept.list("me")
    print("open", flush=True)
    sys.stdin.read()
"""


def test_a_restore_is_refused_while_the_page_has_the_conversations_open(
    full: Path, file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(restoring, "WAIT_S", 0.1)
    page_ = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(full)], cwd=TOP, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert page_.stdout is not None
    assert page_.stdout.readline() == "open\n"
    before, beside = dump(full), sorted(tmp_path.iterdir())
    with pytest.raises(StoreError, match="close the page"):
        backup.restored(file, full, replace=True)
    assert dump(full) == before
    assert sorted(tmp_path.iterdir()) == beside, "no backup is left of what was not replaced"
    assert not (full / "restore").exists()
    page_.communicate("")
    backup.restored(file, full, replace=True)
    assert dump(full) == before


def test_a_file_that_no_backup_holds_is_not_overwritten(full: Path, file: Path, tmp_path: Path) -> None:
    there = tmp_path / "there"
    (there / "uploads").mkdir(parents=True)
    (there / "uploads" / "report.txt").write_text("Somebody put this here.")
    with pytest.raises(InputError, match="would be overwritten"):
        backup.restored(file, there, replace=True)
    assert on_disk(there) == {"uploads/report.txt": b"Somebody put this here."}


@pytest.mark.parametrize("damage", [b"", b"this is no database" * 400], ids=["empty", "no database"])
@pytest.mark.parametrize("name", [DATABASE, FILE])
def test_a_damaged_home_is_restored_and_kept_as_it_was(
    full: Path, file: Path, tmp_path: Path, name: str, damage: bytes
) -> None:
    whole = dump(full)
    (full / name).write_bytes(damage)
    restored = backup.restored(file, full, replace=True)
    assert dump(full) == whole
    assert restored.kept is not None
    with zipfile.ZipFile(restored.kept) as kept:
        assert kept.read(name) == damage or not damage
    with pytest.raises(DamagedError, match="damaged"):
        backup.restored(restored.kept, tmp_path / "there")


def test_a_writer_finishes_a_restore_that_was_interrupted_before_it_writes(
    full: Path, file: Path, tmp_path: Path, embedder: BagOfWordsEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = tmp_path / "there"
    with Index.open(there, embedder=embedder) as index:
        index.add([Article("old", "A lighthouse was built in 1900.")])
        with monkeypatch.context() as broken:

            def fail(home: Path) -> None:
                if restoring.is_ready(home):
                    raise StoreError("the process was killed here")

            broken.setattr(restoring, "finish", fail)
            with pytest.raises(StoreError, match="killed here"):
                backup.restored(file, there, replace=True)
        assert restoring.is_ready(there)
        index.add([Article("new", "A comet was seen over Lisbon.")])
        assert not restoring.is_ready(there)
        assert {one.id for one in index.articles()} >= {"handed-in", "new"}
        assert "old" not in {one.id for one in index.articles()}
        assert index.check() == []


# Damaged and hostile archives


def refused(file: Path, tmp_path: Path, complaint: str | None = None) -> str:
    """What is said of an archive that must not be restored, neither anew nor in the place of something."""
    fresh, there = tmp_path / "fresh", tmp_path / "occupied"
    (there / "uploads").mkdir(parents=True, exist_ok=True)
    (there / "uploads" / "mine.txt").write_text("This must stay.")
    around = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises((InputError, StoreError), match=complaint) as told:
        backup.restored(file, fresh)
    with pytest.raises((InputError, StoreError), match=complaint):
        backup.restored(file, there, replace=True)
    assert not fresh.exists()
    assert on_disk(there) == {"uploads/mine.txt": b"This must stay."}
    assert sorted(path.name for path in tmp_path.iterdir()) == around, "nothing is left, inside or outside of the home"
    assert cli.main(["backup", "--verify", str(file)]) == 1
    return str(told.value)


def test_an_archive_that_is_cut_short_is_refused(file: Path, tmp_path: Path) -> None:
    whole = file.read_bytes()
    for length in (0, 1, 21, 100, len(whole) // 2, len(whole) - 22, len(whole) - 1):
        file.write_bytes(whole[:length])
        refused(file, tmp_path)
    for added in (b"\0", b"PK\5\6" + bytes(18)):
        file.write_bytes(whole + added)
        refused(file, tmp_path)


def test_no_altered_byte_is_restored(full: Path, file: Path, tmp_path: Path) -> None:
    whole, before, chance = file.read_bytes(), dump(full), random.Random(5)
    there, unseen = tmp_path / "there", 0
    directory = len(whole) - 400
    places = [*chance.sample(range(directory), 50), *chance.sample(range(directory, len(whole)), 30)]
    for place in places:
        altered = bytearray(whole)
        altered[place] ^= 1 << chance.randrange(8)
        file.write_bytes(altered)
        try:
            backup.restored(file, there)
        except DamagedError:
            assert not there.exists()
        else:  # a time stamp, or a flag that nobody reads
            assert dump(there) == before
            shutil.rmtree(there)
            unseen += place < directory
    assert unseen < 15, "headers and the padding of Deflate apart, every byte counts"


Alter = Callable[[dict[str, bytes], dict[str, Any]], None]


def alter(file: Path, change: Alter) -> None:
    """Write an archive anew, its content and manifest changed; sizes and checksums are made to fit."""
    with zipfile.ZipFile(file) as opened:
        content = {name: opened.read(name) for name in opened.namelist()}
    manifest = json.loads(content.pop("manifest.json"))
    change(content, manifest)
    with file.open("wb") as target:
        writer = archive.Writer(target)
        for name, data in content.items():
            with tempfile.TemporaryFile() as source:
                source.write(data)
                source.seek(0)
                writer.add(name, source)
        writer.finish({key: value for key, value in manifest.items() if key not in ("format", "members")})


def test_a_manifest_that_lies_is_refused(file: Path, tmp_path: Path) -> None:
    whole = file.read_bytes()

    def count(name: str, by: int) -> Alter:
        return lambda _, manifest: manifest["counts"].update({name: manifest["counts"][name] + by})

    lies: list[tuple[Alter, str]] = [
        (count("articles", 1), "do not match its manifest"),
        (count("turns", -1), "do not match its manifest"),
        (lambda content, _: content.__delitem__(FILE), "do not match its manifest"),
        (lambda _, manifest: manifest["sources"].pop(), "other sources"),
        (lambda _, manifest: manifest.update(counts=[]), "not one of Citewire"),
        (lambda _, manifest: manifest.update(sources=[["/"]]), "not one of Citewire"),
        (lambda _, manifest: manifest.update(left_out=[5]), "not one of Citewire"),
        (lambda _, manifest: manifest.update(damaged=DATABASE), "not one of Citewire"),
        (lambda _, manifest: manifest.pop("home"), "not one of Citewire"),
        (lambda content, _: content.__delitem__(DATABASE), "no articles"),
        (lambda content, _: content.update({"index.sqlite-wal": b"x"}), "not a name that a backup contains"),
        (lambda content, _: content.update({"other.sqlite": b"x"}), "not a name that a backup contains"),
        (lambda content, _: content.update({DATABASE: content[FILE]}), "not a database of Citewire"),
        (lambda content, _: content.update({FILE: b"this is no database" * 300}), FILE),
        (lambda content, _: content.update({DATABASE: b""}), DATABASE),
    ]
    for change, complaint in lies:
        file.write_bytes(whole)
        alter(file, change)
        refused(file, tmp_path, complaint)


def zipped(file: Path, *entries: tuple[str | zipfile.ZipInfo, bytes], manifest: dict[str, Any] | None = None) -> None:
    """An archive as nobody's Citewire writes it: entries added to a whole one, all of them in the manifest."""
    with zipfile.ZipFile(file) as opened:
        content: list[tuple[Any, bytes]] = [(name, opened.read(name)) for name in opened.namelist()]
    about = json.loads(content.pop()[1]) | (manifest or {})
    file.unlink()
    with zipfile.ZipFile(file, "w") as opened:
        for entry, data in (*content, *entries):
            opened.writestr(entry, data)
            name = entry if isinstance(entry, str) else entry.filename
            if name not in {one["name"] for one in about["members"]}:
                digest = hashlib.sha256(data).hexdigest()
                about["members"].append({"name": name, "size_bytes": len(data), "sha256": digest})
        opened.writestr("manifest.json", json.dumps(about))


@pytest.mark.parametrize(
    "name",
    [
        "../evil.txt", "uploads/../../evil.txt", "uploads/..", "/evil.txt", "uploads//evil.txt", "uploads/",
        "uploads/a/./b.txt", "uploads\\evil.txt", "uploads/C:evil.txt", "C:/evil.txt", "uploads/evil\n.txt",
        "uploads/nul\u202etxt.exe", "uploads/.hidden", "uploads/trailing. ", "Uploads/report.txt", "UPLOADS/report.txt",
        "INDEX.sqlite", "write.lock", "restore/ready.json", "vectors-00000001.faiss", "derived/x", "manifest.json/x",
    ],
)  # fmt: skip
def test_a_name_that_leads_elsewhere_is_refused(file: Path, tmp_path: Path, name: str) -> None:
    zipped(file, (name, b"evil"))
    refused(file, tmp_path)
    assert [path for path in tmp_path.rglob("*evil*") if path.is_file()] == []


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFDIR, stat.S_IFSOCK])
def test_what_is_no_plain_file_is_refused(file: Path, tmp_path: Path, kind: int) -> None:
    entry = zipfile.ZipInfo("uploads/link.txt")
    entry.external_attr = (kind | 0o777) << 16
    zipped(file, (entry, b"/etc/passwd"))
    refused(file, tmp_path, "not a plain file")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_names_that_are_there_twice_are_refused(file: Path, tmp_path: Path) -> None:
    whole = file.read_bytes()
    zipped(file, ("uploads/report.txt", REPORT.encode()))
    refused(file, tmp_path, "twice")
    file.write_bytes(whole)
    zipped(file, (DATABASE, b"other"))
    refused(file, tmp_path, "twice")
    file.write_bytes(whole)
    zipped(file, ("uploads/a", b"a file"), ("uploads/a/b.txt", b"in a folder"))
    refused(file, tmp_path, "file and a folder")


def test_names_that_differ_in_case_alone_do_not_overwrite_each_other(
    full: Path, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zipped(file, ("uploads/REPORT.txt", b"another"))
    there = tmp_path / "there"
    backup.restored(file, there)
    assert (there / "uploads" / "report.txt").read_text() == REPORT
    assert (there / "uploads" / "REPORT.txt").read_text() == "another"
    # A disk that takes both for one, as those of macOS and Windows do.
    opened = archive._private
    monkeypatch.setattr(archive, "_private", lambda path, flags: opened(path.lower(), flags))
    monkeypatch.setattr(tempfile, "tempdir", None)
    with pytest.raises(DamagedError, match="same file as another"):
        backup.restored(file, Path(str(tmp_path / "lower").lower()))


def test_bombs_are_refused(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = file.read_bytes()
    # What unpacks to more than the manifest says is not unpacked further than that.
    bomb = zipfile.ZipInfo("uploads/bomb.txt")
    bomb.compress_type = zipfile.ZIP_DEFLATED
    zipped(file, (bomb, bytes(50_000_000)))
    members = json.loads(zipfile.ZipFile(file).read("manifest.json"))["members"]
    lied = [one | {"size_bytes": 10} if one["name"] == "uploads/bomb.txt" else one for one in members]
    file.write_bytes(whole)
    zipped(file, (bomb, bytes(50_000_000)), manifest={"members": lied})
    refused(file, tmp_path, "does not match its files")
    # A directory that lies about sizes in the same way as the manifest.
    content = file.read_bytes().replace((50_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    file.write_bytes(content)
    refused(file, tmp_path, "does not match the manifest|damaged")
    # What says that it unpacks to more than is possible, and what does not fit the disk.
    file.write_bytes(whole)
    zipped(file, ("uploads/bomb.txt", b"x" * 100))
    content = file.read_bytes()
    place = content.rindex(b"uploads/bomb.txt", 0, content.rindex(b"manifest.json"))
    size = place - 46 + 24  # of the entry in the directory
    file.write_bytes(content[:size] + (2_000_000_000).to_bytes(4, "little") + content[size + 4 :])
    refused(file, tmp_path, "impossible")
    file.write_bytes(whole)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    refused_for_room = pytest.raises(InputError, match="free some space")
    with refused_for_room:
        backup.restored(file, tmp_path / "fresh")
    assert not (tmp_path / "fresh").exists()


def test_entries_that_share_their_bytes_are_refused(file: Path, tmp_path: Path) -> None:
    zipped(file, ("uploads/one.txt", b"x" * 1000), ("uploads/two.txt", b"x" * 1000))
    with zipfile.ZipFile(file) as opened:
        places = {name: opened.getinfo(name).header_offset for name in ("uploads/one.txt", "uploads/two.txt")}
    content = bytearray(file.read_bytes())
    directory = content.rindex(b"uploads/two.txt", 0, content.rindex(b"manifest.json")) - 46
    assert int.from_bytes(content[directory + 42 : directory + 46], "little") == places["uploads/two.txt"]
    content[directory + 42 : directory + 46] = places["uploads/one.txt"].to_bytes(4, "little")
    file.write_bytes(content)
    refused(file, tmp_path, "share their bytes|damaged")


@pytest.mark.parametrize("content", [b"", b"PK", b"%PDF-1.7", b"PK\x03\x04" + bytes(100), bytes(5000)])
def test_what_is_no_backup_is_refused(file: Path, tmp_path: Path, content: bytes) -> None:
    file.write_bytes(content)
    refused(file, tmp_path)


def test_another_archive_is_refused(file: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(file, "w") as opened:
        opened.writestr("holiday.jpg", b"x" * 100)
    refused(file, tmp_path, "not a backup")
    for manifest in (
        "[" * 100_000,
        '{"format": 1}',
        '{"format": true, "members": []}',
        "[]",
        "\ud800",
        '{"format": 1e999}',
    ):
        with zipfile.ZipFile(file, "w") as opened:
            opened.writestr("manifest.json", manifest.encode("utf-8", "surrogatepass"))
        refused(file, tmp_path)


def test_an_archive_that_is_no_file_does_not_hang(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path, Path("/dev/zero"), tmp_path / "nowhere.zip"):
        with pytest.raises(InputError):
            backup.restored(path, tmp_path / "fresh")
        with pytest.raises(InputError):
            backup.verify(path)


def test_a_backup_of_a_newer_format_says_so(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as newer:
        newer.setattr(archive, "FORMAT", 2)
        alter(file, lambda content, manifest: None)
    assert "update Citewire" in refused(file, tmp_path, "newer Citewire")


HOSTILE_SQL = {
    "trigger": "CREATE TRIGGER evil AFTER INSERT ON origin BEGIN DELETE FROM article; END",
    "view": "CREATE VIEW evil AS SELECT 1",
    "table": "CREATE TABLE evil (x)",
    "view in place of a table": "DROP TABLE story; CREATE VIEW story AS SELECT x'00' AS key, 'a' AS article_id",
    "virtual table": "DROP TABLE story; CREATE VIRTUAL TABLE story USING fts5 (key, article_id)",
    "application": "PRAGMA application_id = 5",
    "newer layout": "PRAGMA user_version = 99",
    "no generation": "DELETE FROM meta WHERE key = 'generation'",
    "generation in words": "UPDATE meta SET value = 'many' WHERE key = 'generation'",
    "an upload elsewhere": "UPDATE origin SET uri = 'uploads/../../evil.txt' WHERE uri LIKE 'uploads/%'",
    "an encoded upload elsewhere": "UPDATE origin SET uri = 'uploads//%2E%2E%2F..%2Fevil' WHERE uri LIKE 'uploads/%'",
    "no tables": "PRAGMA writable_schema = ON; DELETE FROM sqlite_master",
    "a lost article": "DELETE FROM article WHERE id = 'handed-in'",
}


@pytest.mark.parametrize("kind", HOSTILE_SQL)
def test_a_database_that_is_not_as_citewire_makes_it_is_refused(file: Path, tmp_path: Path, kind: str) -> None:
    place = tmp_path / "altered.sqlite"

    def change(content: dict[str, bytes], manifest: dict[str, Any]) -> None:
        place.write_bytes(content[DATABASE])
        with closing(sqlite3.connect(place, isolation_level=None)) as sql:
            sql.execute("PRAGMA journal_mode = DELETE")
            sql.executescript(HOSTILE_SQL[kind])
        content[DATABASE] = place.read_bytes()

    alter(file, change)
    refused(file, tmp_path, DATABASE)


# Older layouts


def test_an_older_layout_in_a_backup_is_migrated_in_another_place(
    full: Path, file: Path, tmp_path: Path, embedder: BagOfWordsEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries = ("wheat harvest", "fishing boats", "bridge closed")
    hits = {query: found(full, query) for query in queries}
    old, file = tmp_path / "old", tmp_path / "old.zip"
    old.mkdir()
    as_layout_1(full / DATABASE, old / DATABASE)
    shutil.copytree(full / "uploads", old / "uploads")
    with closing(sqlite3.connect(old / DATABASE)) as sql:
        for table, column in (("root", "uri"), ("origin", "uri"), ("article", "origin")):
            sql.execute(f"UPDATE {table} SET {column} = ? || {column} WHERE {column} LIKE 'uploads/%'", (f"{old}/",))
        sql.commit()
    with Conversations(full) as kept:
        before = kept.everyone()
        shutil.copyfile(full / FILE, old / FILE)
    made = backup.backup(file, old)
    assert [one.name for one in made.manifest.members if one.name.startswith("uploads/")] == ["uploads/report.txt"]
    monkeypatch.setattr(conversations, "MIGRATIONS", {1: ["ALTER TABLE turn ADD COLUMN language TEXT"]})
    monkeypatch.setattr(conversations, "LAYOUT", 2)
    there = tmp_path / "there"
    backup.restored(file, there)
    assert sorted(path.name for path in there.iterdir() if path.is_file() and path.stat().st_size) == [FILE, DATABASE]
    assert {query: found(there, query) for query in queries} == hits
    with Index.open(there, embedder=embedder) as index:
        assert index.check() == []
        assert index.sync().failed == ()
        (upload,) = (one for one in index.articles() if one.text == REPORT)
        index.remove([upload.id])
    assert not (there / "uploads" / "report.txt").exists()
    assert (old / "uploads" / "report.txt").exists()
    with Conversations(there) as kept:
        assert kept.everyone() == before


# Kills


DRIVER = """
import os, random, shutil, signal, sys, time
from pathlib import Path
import index.read, index.store, index.search
from index.errors import Error
from ui import backup
from ui.conversations import Conversations

what, home, file, points = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
place = home.parent
pristine = place.with_name("pristine")
shutil.copytree(place, pristine)

def act():
    if what == "backup":
        backup.backup(file, home, replace=True)
    else:
        backup.restored(file, home, replace=True, keep=place / "kept.zip")

def killed(step, after_s):
    '''Run `act` in a child that is killed at its step-th call to the system, or after a time; whether it was.'''
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    done = [0]
    def hook(event, arguments):
        if event in EVENTS and any(str(place) in str(argument) for argument in arguments[:2]):
            done[0] += 1
            if done[0] == step:
                os.kill(os.getpid(), signal.SIGKILL)
    if step:
        sys.addaudithook(hook)
    else:
        signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        signal.setitimer(signal.ITIMER_REAL, after_s)
    try:
        act()
        os._exit(0)
    except BaseException as error:
        sys.stderr.write(f"{what}: {error!r}\\n")
        os._exit(1)

EVENTS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "sqlite3.connect", "sqlite3.connect/handle",
          "shutil.rmtree", "shutil.copyfile", "os.link", "os.truncate", "os.chmod", "os.listdir", "os.scandir"}

def reset():
    shutil.rmtree(place)
    shutil.copytree(pristine, place)

steps = 1
while killed(steps, 0):
    reset()
    steps *= 2
low, high = steps // 2, steps
reset()
while high - low > 1:
    middle = (low + high) // 2
    low, high = (middle, high) if killed(middle, 0) else (low, middle)
    reset()
chance = random.Random(3)
chosen = sorted({1, high - 1, *chance.sample(range(1, high), min(points, high - 1))})
began = time.monotonic(); act(); took = time.monotonic() - began
reset()
for step in [*chosen, *[0] * (points // 2)]:
    was = killed(step, max(0.001, chance.random() * took))
    print(step, int(was), flush=True)
    sys.stdin.readline()
    reset()
print("steps", high - 1)
"""
"""Kills a backup or a restore, then waits until the test has looked at what is left."""


def sweep(what: str, home: Path, file: Path, points: int) -> Iterator[bool]:
    """Whether the run was killed, for each of the points of the sweep; what it left is there meanwhile."""
    command = [sys.executable, "-c", DRIVER, what, str(home), str(file), str(points)]
    running = subprocess.Popen(command, cwd=TOP, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert running.stdin is not None
    assert running.stdout is not None
    try:
        for line in running.stdout:
            if line.startswith("steps"):
                break
            yield line.split()[1] == "1"
            running.stdin.write("\n")
            running.stdin.flush()
        else:
            pytest.fail("the driver ended")
    finally:
        running.kill()
        running.communicate()


def test_a_backup_that_is_killed_leaves_the_home_and_the_older_backup(full: Path, tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    shutil.move(full, place / "home")
    home, file = place / "home", place / "home.zip"
    backup.backup(file, home)
    with Index.open(home, embedder=BagOfWordsEmbedder()) as index:
        index.add([Article("more", "A comet was seen.")])
    before, older, kills, outcomes = on_disk(home), file.read_bytes(), 0, set()
    for was_killed in sweep("backup", home, file, KILLS):
        kills += was_killed
        there = on_disk(home)
        assert {name: content for name, content in there.items() if not name.endswith("-shm")} == before
        if file.read_bytes() != older:
            assert backup.verify(file).problems == ()
            assert backup.verify(file).counts["articles"] == 6
        outcomes.add(file.read_bytes() != older)
        assert backup.backup(file, home, replace=True).counts["articles"] == 6, "the next one is not held up"
        assert [path.name for path in place.glob(".*")] == []
    assert outcomes == {True, False}
    assert kills >= 6


def test_a_restore_that_is_killed_leaves_the_old_or_the_new(
    full: Path, tmp_path: Path, embedder: BagOfWordsEmbedder
) -> None:
    place = tmp_path / "place"
    place.mkdir()
    file = place / "home.zip"
    backup.backup(file, full)
    new = dump(full)
    home = place / "home"
    with Index.open(home, embedder=embedder) as index:
        index.uploads.mkdir()
        (index.uploads / "other.txt").write_text("Another upload tells of a lighthouse.")
        (index.uploads / "report.txt").write_text("A report of the same name tells of something else.")
        index.sync([index.uploads / "other.txt", index.uploads / "report.txt"])
    with Conversations(home) as kept:
        kept.append(kept.create("her"), owner="her", question="Why?", answer=said("Why?").to_dict())
    old, kills, outcomes = dump(home), 0, set()
    for was_killed in sweep("restore", home, file, KILLS):
        kills += was_killed
        # Whoever comes next, the engine or the conversations, finds all of the one or all of the other.
        if kills % 2:
            Conversations(home).close()
        with Index.open(home, embedder=embedder) as index:
            assert index.check() == [] or "snapshot" in index.check()[0]
            index.search("lighthouse")
        left = dump(home)
        assert left in (old, new)
        outcomes.add(left == new)
        if left == new:
            assert backup.verify(place / "kept.zip").problems == ()
        assert b"lighthouse" not in b"".join(on_disk(home).values()) or left == old
        backup.restored(file, home, replace=True, keep=place / "again.zip")
        assert dump(home) == new
        assert not (home / "restore").exists()
    assert outcomes == {True, False}
    assert kills >= 6
