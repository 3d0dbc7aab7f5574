"""A process that was forked while Citewire was in use: what works there, and what says at once that it cannot."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parent.parent

BEGIN = """
import faulthandler, os, sys, threading
import rag
from filelock import FileLock, Timeout
from index import Article, ForkError, Index
from pathlib import Path
from tests.fakes import BagOfWordsEmbedder, ScriptedLLM
from ui.conversations import Conversations

HOME = Path(sys.argv[1])
ARTICLE = Article("a", "The talks broke down in 2009.")


def opened():
    return Index.open(HOME, embedder=BagOfWordsEmbedder())


def refused(call):
    try:
        call()
    except ForkError as error:
        assert "multiprocessing.get_context('spawn')" in str(error), error
        return True
    return False


def in_fork(check):
    pid = os.fork()
    if not pid:
        faulthandler.dump_traceback_later(60, exit=True)  # one that hangs says where
        try:
            check()
        except BaseException as error:
            sys.stderr.write(f"in the fork: {error!r}\\n")
            os._exit(1)
        sys.exit(0)  # not os._exit: what is closed at the end must leave the parent's files alone
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
"""


def run(home: Path, program: str) -> None:
    """Run a program that forks; no thread of the tests, and none of pytest's, is in it."""
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + program, str(home)], cwd=TOP, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_index_of_the_parent_is_refused_and_goes_on_there(home: Path) -> None:
    run(
        home,
        """
index = opened()
index.add([ARTICLE])
assert index.search("talks")

def check():
    for call in (
        lambda: index.search("talks"),
        lambda: index.add([Article("b", "Another one.")]),
        lambda: index.sync(),
        lambda: index.remove("a"),
        lambda: index.articles(),
        lambda: index.check(),
        opened,
        lambda: Index.rebuild(HOME, embedder=BagOfWordsEmbedder()),
    ):
        assert refused(call), call
    index.close()

assert in_fork(check) == 0
assert index.search("talks")
assert index.add([Article("b", "Snow fell in Oslo.")]).added == 1
assert index.check() == []
index.close()
with opened() as again:
    assert len(again.articles()) == 2
""",
    )


def test_a_fork_before_anything_is_used_works(home: Path) -> None:
    run(
        home,
        """
def check():
    with opened() as index:
        index.add([ARTICLE])
        assert index.search("talks")
        engine = rag.Engine.open(index=index, llm=ScriptedLLM("The talks broke down in 2009."))
        assert engine.ask("When did the talks break down?").text

assert in_fork(check) == 0
with opened() as index:
    assert index.search("talks")
""",
    )


def test_a_closed_index_may_be_opened_in_a_fork_but_vectors_are_not_searched_there(home: Path) -> None:
    run(
        home,
        """
with opened() as index:
    index.add([ARTICLE])
    assert index.search("talks")

def check():
    with opened() as index:
        assert [article.id for article in index.articles()] == ["a"]
        assert refused(lambda: index.search("talks"))

assert in_fork(check) == 0
""",
    )


def test_a_fork_says_so_while_the_parent_is_writing_and_holds_its_locks(home: Path) -> None:
    """At the moment of the fork another thread holds the write lock and the lock of the engines."""
    run(
        home,
        """
import rag.engine
index = opened()
index.add([ARTICLE])
lock = FileLock(HOME / "write.lock")
held, done = threading.Event(), threading.Event()

def hold():
    with lock, rag.engine._engines_lock:
        held.set()
        done.wait(100)

thread = threading.Thread(target=hold)
thread.start()
assert held.wait(100)

def check():
    assert refused(lambda: index.add([Article("b", "Another one.")]))
    assert refused(lambda: rag.ask("When?", home=HOME))
    other = FileLock(HOME / "write.lock")
    try:
        other.acquire(timeout=0)
    except Timeout:
        pass
    else:
        raise AssertionError("the parent's lock is not seen")
    with Index.open(HOME / "another", embedder=BagOfWordsEmbedder()) as another:
        assert another.articles() == []

assert in_fork(check) == 0
done.set()
thread.join()
with FileLock(HOME / "write.lock").acquire(timeout=0):
    pass
""",
    )


def test_a_lock_goes_with_the_process_that_took_it_not_with_its_forks(home: Path) -> None:
    run(
        home,
        """
HOME.mkdir()
lock = FileLock(HOME / "write.lock")
lock.acquire()
out, into = os.pipe()
pid = os.fork()
if not pid:
    os.close(into)
    os.read(out, 1)  # ends when the parent lets go of the pipe
    os._exit(0)
lock.release()
with FileLock(HOME / "write.lock").acquire(timeout=0):
    pass
os.close(into)
os.waitpid(pid, 0)
""",
    )


def test_ask_says_at_once_that_it_was_used_before_the_fork(home: Path) -> None:
    run(
        home,
        """
assert rag.ask("When did the talks break down?", home=HOME).refused  # nothing is indexed

def check():
    assert refused(lambda: rag.ask("When did the talks break down?", home=HOME))

assert in_fork(check) == 0
assert rag.ask("When did the talks break down?", home=HOME).refused
""",
    )


def test_an_engine_and_conversations_of_the_parent_are_refused(home: Path) -> None:
    run(
        home,
        """
index = opened()
index.add([ARTICLE])
engine = rag.Engine.open(index=index, llm=ScriptedLLM("The talks broke down in 2009."))
kept = Conversations(HOME)
one = kept.create("ann")

def check():
    cancel = threading.Event()
    for call in (
        lambda: engine.ask("When did the talks break down?"),
        lambda: engine.load(),
        lambda: engine.read_ahead(cancel),
        lambda: engine.words_per_s(cancel),
        lambda: kept.list("ann"),
        lambda: kept.create("ann"),
        lambda: Conversations(HOME),
    ):
        assert refused(call), call
    engine.close()
    kept.close()

assert in_fork(check) == 0
assert engine.ask("When did the talks break down?").text
assert kept.create("ann")
kept.close()
""",
    )


@pytest.mark.model
def test_models_of_the_parent_are_refused_at_once_and_go_on_there(home: Path) -> None:
    run(
        home,
        """
from index.embedder import SentenceEmbedder
from index.models import locate
from rag.llm.llama import LlamaCpp
from rag.prompt import Prompt

embedder = SentenceEmbedder()
before = embedder.embed_query("talks")
llm = LlamaCpp.load(locate("smollm2-135m", "llm"), name="smollm2-135m", context_tokens=512)
hello = Prompt("Answer.", (), (), "Hello?")

tokens = llm.count(hello)

def check():
    for call in (
        lambda: embedder.embed_query("talks"),
        lambda: embedder.embed_documents(["talks"]),
        lambda: SentenceEmbedder().embed_query("talks"),
        lambda: LlamaCpp.load(locate("smollm2-135m", "llm"), name="smollm2-135m", context_tokens=512),
        lambda: llm.count(hello),
        lambda: llm.vocabulary(),
        lambda: next(llm.stream(hello, max_tokens=2, cancel=threading.Event())),
    ):
        assert refused(call), call
    llm.close()

assert in_fork(check) == 0
assert (embedder.embed_query("talks") == before).all()
assert llm.count(hello) == tokens
llm.close()
""",
    )
