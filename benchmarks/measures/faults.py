"""Faults: every writer, killed or failed at every step, and what is left of the home afterwards.

Each run begins with the same home. A fault is injected at one system call (benchmarks/measures/injection.py), the home
is opened again and compared with what it should be:

- it is sound, and its state is that before or that after the unit of work in hand, never one between;
- what was acknowledged is there;
- an error is one meant for people, and the same process can go on once the fault is over;
- the same work, done again, ends in the state of a run without a fault, with no file left over;
- a text that was removed stands in no file.
"""

from __future__ import annotations

import os
import random
import shutil
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from benchmarks.harness import report
from benchmarks.measures.injection import COUNT, FAULTS, Injector
from benchmarks.measures.writers import HOME, REMOVED, WRITERS

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence

    from benchmarks.measures.injection import Fault, Outcome


def options(parser: argparse.ArgumentParser) -> None:
    """Which writers, and how many steps of each."""
    parser.add_argument("--writers", nargs="*", choices=list(WRITERS), metavar="WRITER", help="only these")
    parser.add_argument("--faults", nargs="*", metavar="FAULT", help="only those with one of these words in their name")
    parser.add_argument("--steps", type=int, help="at most so many steps of each writer and fault, drawn at random")


def run(arguments: argparse.Namespace) -> None:
    """Sweep, print the table, write the result of a whole sweep."""
    faults = [one for one in FAULTS if not arguments.faults or any(word in one.name for word in arguments.faults)]
    results: list[Result] = []
    with Injector() as injector, TemporaryDirectory(dir=in_memory()) as folder:
        for name in arguments.writers or WRITERS:
            sweep = Sweep(injector, name, Path(folder) / name.replace(" ", "-"))
            cases = [case for fault in faults for case in sweep.cases(fault, most=arguments.steps)]
            results += [sweep.inject(case) for case in tqdm(cases, desc=name, leave=False)]
    rows = table(results)
    print("\n".join(rows))
    for result in results:
        if result.wrong:
            print(f"\n{result.writer}, {result.fault} at step {result.step} ({result.call}): {result.wrong}")
    if not (arguments.writers or arguments.faults or arguments.steps):
        lost = [asdict(result) for result in results if result.wrong]
        measured = {"totals": totals(results), "writers": by_writer(results), "lost": lost}
        report.write("faults", models={}, measured=measured, packages=())


def in_memory() -> str | None:
    """A folder that is no disk, where there is one: homes are made by the hundred, and each waits for the disk."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108


@dataclass(frozen=True, slots=True)
class Case:
    """A fault, and the step to inject it at: its number, and the call that it is without a fault."""

    fault: Fault
    step: int
    call: str


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a home. `wrong` says what should not be, "" if nothing."""

    writer: str
    fault: str
    step: int
    call: str
    ended: str
    injected: bool
    wrong: str = ""


class Sweep:
    """One writer, with the home that each run begins with and the states that it goes through."""

    def __init__(self, injector: Injector, writer: str, folder: Path) -> None:
        """`folder` is made; everything lies in it."""
        self._injector, self._name, self._writer = injector, writer, WRITERS[writer]
        self._place, self._template = folder / "place", folder / "template"
        folder.mkdir(parents=True)
        self._place.mkdir()
        self._writer.prepare(self._place)
        shutil.copytree(self._place, self._template, symlinks=True)
        self._states = [self._state()]
        self._reset()
        self._work(lambda: self._states.append(self._state()))
        self._states.append(self._state())
        self._names = self._files()

    def cases(self, fault: Fault, *, most: int | None = None) -> list[Case]:
        """The steps at which `fault` can be injected; `most` of them, drawn the same way each time."""
        found = [Case(fault, step, call) for step, call in enumerate(self.steps(fault), start=1)]
        return found if most is None else random.Random(fault.name).sample(found, min(most, len(found)))

    def steps(self, fault: Fault = COUNT) -> tuple[str, ...]:
        """The calls of a run, those that `fault` meets."""
        self._reset()
        return self._injector.run(self._name, self._place, fault=fault).steps

    def inject(self, case: Case) -> Result:
        """Run with the fault at this step, and look at what is left."""
        outcome = self.outcome(case.fault, step=case.step)
        wrong = self.judge(outcome)
        return Result(self._name, case.fault.name, case.step, case.call, outcome.ended, outcome.injected, wrong)

    def outcome(self, fault: Fault, *, step: int) -> Outcome:
        """How a run with the fault at this step ends."""
        self._reset()
        return self._injector.run(self._name, self._place, fault=fault, at=step)

    def limit_memory(self, memory_bytes: int) -> Result:
        """Run with so much address space and no more."""
        self._reset()
        outcome = self._injector.run(self._name, self._place, at=-1, memory_bytes=memory_bytes)
        wrong = self.judge(replace(outcome, is_told=True))  # what is raised for want of memory comes from everywhere
        return Result(self._name, "ulimit -v", memory_bytes, "", outcome.ended, outcome.ended != "done", wrong)

    def judge(self, outcome: Outcome) -> str:
        """What should not be; "" if nothing."""
        is_finished = outcome.ended == "done" or outcome.again == "done"
        allowed = self._states[-1:] if is_finished else self._states[outcome.acknowledged :][:2]
        if not outcome.is_told:
            return f"an error that is not meant for people: {outcome.error}"
        if outcome.again not in ("", "done"):
            return f"the same process cannot go on: {outcome.again}; before: {outcome.error}"
        try:
            found = self._state()
            if found not in allowed:
                return f"lost, or between two states: {_difference(found, allowed[-1])}"
            if found == self._states[-1] and self._writer.removes and (where := self._readable()):
                return f"removed text is still in {where}"
            self._work(lambda: None)
            if (found := self._state()) != self._states[-1]:
                return f"not finished by the next run: {_difference(found, self._states[-1])}"
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told
            return f"{type(error).__name__}: {error}"
        if self._writer.removes and (where := self._readable()):
            return f"removed text is still in {where} after the next run"
        left = sorted(self._files() - self._names)
        return f"left over: {', '.join(left)}" if left else ""

    def _reset(self) -> None:
        shutil.rmtree(self._place, ignore_errors=True)
        shutil.copytree(self._template, self._place, symlinks=True)

    def _state(self) -> Any:
        return self._writer.state(self._place)

    def _work(self, acknowledge: Any) -> None:
        with self._writer.open(self._place) as opened:
            self._writer.act(opened, self._place, acknowledge)

    def _files(self) -> set[str]:
        """Names of the files of the home; a snapshot's without the number of its generation."""
        home = self._place / HOME
        names = (path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file())
        return {name if not name.endswith(".faiss") else "a snapshot" for name in names}

    def _readable(self) -> str:
        """The first file of the home that holds a text which was removed; "" if none does."""
        for path in sorted((self._place / HOME).rglob("*")):
            if path.is_file() and REMOVED.encode() in path.read_bytes():
                return path.relative_to(self._place / HOME).as_posix()
        return ""


def _difference(found: Any, wanted: Any) -> str:
    if isinstance(found, list) and isinstance(wanted, list):
        for one, other in zip(found, wanted, strict=False):
            if one != other:
                return f"{str(one)[:500]} instead of {str(other)[:500]}"
    return f"{str(found)[:500]} instead of {str(wanted)[:500]}"


def totals(results: Sequence[Result]) -> dict[str, dict[str, int]]:
    """For each fault: how often injected, survived, lost."""
    return {fault.name: _counts(one for one in results if one.fault == fault.name) for fault in FAULTS}


def by_writer(results: Sequence[Result]) -> dict[str, dict[str, int]]:
    """The same for each writer."""
    return {name: _counts(one for one in results if one.writer == name) for name in WRITERS}


def _counts(results: Iterable[Result]) -> dict[str, int]:
    counts = Counter("lost" if one.wrong else "survived" for one in results if one.injected or one.wrong)
    return {"injected": counts.total(), "survived": counts["survived"], "lost": counts["lost"]}


def table(results: Sequence[Result]) -> list[str]:
    """A row for each fault and each writer."""
    rows = [f"{'':28}{'injected':>10}{'survived':>10}{'lost':>10}"]
    for counts in (totals(results), by_writer(results), {"all": _counts(results)}):
        rows += [f"{name:28}" + "".join(f"{n:>10}" for n in some.values()) for name, some in counts.items()]
        rows.append("")
    return rows
