"""Every writer, killed or failed at some of its steps: nothing is lost, nothing comes back, and the work can go on.

`python -m benchmarks faults` does the same at every step.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.measures.faults import Sweep, in_memory, totals
from benchmarks.measures.injection import COUNT, FAULTS, READ_ONLY, Injector
from benchmarks.measures.writers import WRITERS

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("cc") is None, reason="faults are injected by a library for Linux, from C"
)
STEPS_OF_EACH = 1
"""Of each writer and fault; the benchmark takes all of them."""
MEMORY_BYTES = (64 * 1024, 512 * 1024, 4 * 1024**2)
"""What a writer may take beside what a process has that has imported everything."""


@pytest.fixture(scope="module")
def injector() -> Iterator[Injector]:
    with Injector() as ready:
        yield ready


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder for a sweep."""
    with tempfile.TemporaryDirectory(dir=in_memory()) as folder:
        yield Path(folder) / "sweep"


# Restores are killed in tests/test_backup.py; a fault at each of their many steps is for the benchmark.
@pytest.mark.parametrize("writer", [name for name in WRITERS if not name.startswith(("read", "restore"))])
def test_a_fault_at_any_step_leaves_a_whole_home(writer: str, injector: Injector, place: Path) -> None:
    sweep = Sweep(injector, writer, place)
    results = [sweep.inject(case) for fault in FAULTS for case in sweep.cases(fault, most=STEPS_OF_EACH)]
    assert [result for result in results if result.wrong] == []
    injected = {name for name, counts in totals(results).items() if counts["injected"]}
    assert {"SIGKILL", "SIGTERM"} <= injected
    assert len(injected) > len(FAULTS) // 2


@pytest.mark.parametrize("writer", ["sync", "rebuild", "search"])
def test_too_little_memory_leaves_a_whole_home(writer: str, injector: Injector, place: Path) -> None:
    sweep = Sweep(injector, writer, place)
    results = [sweep.limit_memory(memory_bytes) for memory_bytes in MEMORY_BYTES]
    assert [result for result in results if result.wrong] == []
    assert results[0].ended != "done"


@pytest.mark.parametrize("reader", ["read", "read conversations"])
def test_a_home_that_cannot_be_written_can_be_searched_and_read(reader: str, injector: Injector, place: Path) -> None:
    sweep = Sweep(injector, reader, place)
    assert sweep.steps(READ_ONLY), "nothing would be written; the fault has nothing to fail"
    outcome = sweep.outcome(READ_ONLY, step=1)
    assert (outcome.ended, outcome.error) == ("done", "")
    assert outcome.injected


def test_the_steps_of_a_sync_are_those_of_all_libraries(injector: Injector, place: Path) -> None:
    calls = {step.split("-")[0] for step in Sweep(injector, "sync", place).steps(COUNT)}
    assert {"pwrite /index.sqlite", "fdatasync /index.sqlite", "rename /vectors", "open /write.lock"} <= calls
