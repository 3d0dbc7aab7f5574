"""Any sequence of changes, interruptions among them, ends in the state of a fresh index of what is there."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from benchmarks.measures.faults import in_memory
from index import Article, Index
from tests.fakes import BagOfWordsEmbedder

QUICK = settings(
    max_examples=5,
    stateful_step_count=10,
    phases=[Phase.generate],  # looking for a shorter sequence takes minutes
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
STORY = (
    "The harbor of Split closed at noon. Twenty ships waited outside for nine hours, and their crews slept on deck. "
    "Pilots said that the fog would lift by the evening.\n\nThe council will meet on Monday to speak of a new pier. "
    "It was asked for by the owners of the ferries, who have lost passengers every summer since the old one broke."
)
TEXTS = (
    STORY,
    STORY.replace("Twenty", "Ninety"),
    STORY.replace("closed", "never closed"),
    STORY.rpartition("\n\n")[0],
    f"{STORY}\n\nA committee was set up to find the money for it, and will report before the end of the year.",
    "Farmers brought in the wheat harvest early. Rain had been rare. Prices fell at the market in Kyiv.",
    "A comet was seen over Lisbon. It will return in seventy years.",
    "The museum of Bergen bought a map of the fjords. It was drawn by a priest who had never left his parish.",
)
WORDS = ("harbor", "ninety", "never", "committee", "wheat", "comet", "museum")
texts = st.sampled_from(TEXTS)


class StoppedError(Exception):
    """Stands for whatever may end a run."""


class Interrupting:
    """A progress that ends the run at one of its steps, if it comes so far."""

    def __init__(self, step: int) -> None:
        self.step = step

    def __call__(self, stage: str, done: int, total: int) -> None:
        self.step -= 1
        if self.step < 0:
            raise StoppedError


class Homes(RuleBasedStateMachine):
    """An index in a folder of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.place = Path(tempfile.mkdtemp(prefix="citewire-sequences-", dir=in_memory()))
        self.index = self.opened(self.place / "home")

    def opened(self, home: Path) -> Index:
        return Index.open(home, embedder=BagOfWordsEmbedder())

    def teardown(self) -> None:
        self.index.close()
        shutil.rmtree(self.place)

    @rule()
    def open_again(self) -> None:
        self.index.close()
        self.index = self.opened(self.place / "home")

    def sound(self) -> None:
        """What holds of every index, whatever was done to it."""
        for word in WORDS:
            for hit in self.index.search(word):
                assert hit.article.text[hit.start : hit.end] == hit.text
        assert self.index.check() == []
        listed = {one.article.id: one for one in self.index.listing()}
        for one in listed.values():
            assert (one.passages == 0) == (one.copy_of is not None)
            if one.copy_of is not None:
                assert listed[one.copy_of.id].copy_of is None, "a copy of a copy"
                assert said(one.article.text) <= said(one.copy_of.text), "a copy says what its original does not"


def said(text: str) -> set[str]:
    """The sentences of a text, by their words."""
    return {" ".join(re.findall(r"\w+", sentence.lower())) for sentence in re.split(r"[.!?]\s+|\n+", text)} - {""}


class Added(Homes):
    """Articles that are handed in, and a dict that says what must be there."""

    ids = st.sampled_from(["a", "b", "c", "d", "/", "uploads"])

    def __init__(self) -> None:
        super().__init__()
        self.expected: dict[str, str] = {}

    @rule(some=st.dictionaries(ids, texts, min_size=1, max_size=3))
    def add(self, some: dict[str, str]) -> None:
        self.index.add([Article(name, text) for name, text in some.items()])
        self.expected |= some

    @rule(some=st.dictionaries(ids, texts, min_size=1, max_size=3), step=st.integers(0, 2))
    def add_and_fail(self, some: dict[str, str], step: int) -> None:
        try:
            self.index.add([Article(name, text) for name, text in some.items()], progress=Interrupting(step))
        except StoppedError:
            return
        self.expected |= some

    @precondition(lambda self: self.expected)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        gone = data.draw(st.sets(st.sampled_from(sorted(self.expected)), min_size=1))
        self.index.remove_articles(sorted(gone))
        for name in gone:
            del self.expected[name]

    @rule()
    def rebuild(self) -> None:
        Index.rebuild(self.place / "home", embedder=BagOfWordsEmbedder())

    @invariant()
    def holds_what_it_was_given(self) -> None:
        assert {article.id: article.text for article in self.index.articles()} == self.expected
        self.sound()
        found = {hit.article.id for word in WORDS for hit in self.index.search(word)}
        assert found <= set(self.expected)


class Synced(Homes):
    """Files and links in folders that are given to the index and taken from it."""

    paths = st.sampled_from(["one/a.txt", "one/b.txt", "one/sub/c.txt", "two/d.txt", "two/e.txt"])
    roots = st.sampled_from(["one", "two", "one/sub", "two/d.txt"])

    @initialize()
    def make_folders(self) -> None:
        for folder in ("one/sub", "two"):
            (self.place / folder).mkdir(parents=True)
        self.expected_roots: set[str] = set()
        self.committed: dict[str, str] = {}

    def at(self, path: str) -> Path:
        return self.place / path

    @rule(path=paths, text=texts)
    def write(self, path: str, text: str) -> None:
        self.at(path).unlink(missing_ok=True)
        self.at(path).write_text(text)

    @rule(path=paths)
    def delete(self, path: str) -> None:
        self.at(path).unlink(missing_ok=True)

    @rule(path=paths, to=paths)
    def rename(self, path: str, to: str) -> None:
        if self.at(path).is_file() and path != to:
            self.at(path).rename(self.at(to))

    @rule(path=paths, to=paths, hard=st.booleans())
    def link(self, path: str, to: str, hard: bool) -> None:
        if path != to and not (hard and not self.at(path).is_file()):
            self.at(to).unlink(missing_ok=True)
            (self.at(to).hardlink_to if hard else self.at(to).symlink_to)(self.at(path).resolve())

    @rule(root=roots)
    def give(self, root: str) -> None:
        if self.at(root).exists() and not self.at(root).is_symlink():
            self.index.sync([self.at(root)], prune=True)
            self.expected_roots.add(root)
            self.synced()

    @rule()
    def sync(self) -> None:
        self.index.sync(prune=True)
        self.synced()

    @rule(step=st.integers(0, 6))
    def sync_and_fail(self, step: int) -> None:
        before = self.state(self.index)
        try:
            self.index.sync(progress=Interrupting(step), prune=True)
        except StoppedError:
            assert self.state(self.index) == before
            return
        self.synced()

    @precondition(lambda self: self.expected_roots)
    @rule(data=st.data())
    def take(self, data: st.DataObject) -> None:
        """Take a folder from the index, with all that is below it."""
        root = data.draw(st.sampled_from(sorted({one.partition("/")[0] for one in self.expected_roots})))
        self.index.sync(prune=True)
        self.index.remove([self.at(root)])
        self.expected_roots = {one for one in self.expected_roots if one.partition("/")[0] != root}
        self.synced()

    def state(self, index: Index) -> set[tuple[str, str]]:
        return {(article.id, article.text) for article in index.articles()}

    def synced(self) -> None:
        """The index is as a fresh one of the same sources."""
        roots = sorted(root for root in self.expected_roots if self.at(root).exists())
        with tempfile.TemporaryDirectory(dir=in_memory()) as home, self.opened(Path(home)) as fresh:
            for root in roots:
                fresh.sync([self.at(root)])
            fresh.sync(prune=True)
            assert self.state(self.index) == self.state(fresh)
            for word in WORDS:
                assert {hit.text for hit in self.index.search(word)} == {hit.text for hit in fresh.search(word)}
        self.sound()


def test_articles_that_are_added_and_removed_in_any_order() -> None:
    run_state_machine_as_test(Added, settings=QUICK)


def test_files_that_change_in_any_order() -> None:
    run_state_machine_as_test(Synced, settings=QUICK)
