"""Answers: are they right, refused when they should be, cited truly, safe from hidden instructions, and quick?

Citewire and a naive baseline (benchmarks/harness/naive.py) answer the same questions in the same run, with the same
model over the same index of all 1,216 paragraphs (SQuAD 2) or 1,152 passages (MTRAG-UN). SQuAD's questions come from
the second half of dev's titles, because Citewire is calibrated on the first half.

Every answer is kept as it comes. A run may be stopped at any time (Ctrl-C prints the tables so far) and goes on when it
is started again, as long as the code and the settings are the same. Questions are drawn with a fixed seed, answerable
and impossible ones in turn: a small run asks the first questions of a large one.
"""

from __future__ import annotations

import json
import signal
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout
from platformdirs import user_cache_path
from tqdm import tqdm

from benchmarks.harness import dataset, report
from benchmarks.harness.embedder import SharedCachedEmbedder
from benchmarks.harness.environment import Environment
from benchmarks.harness.table import show
from benchmarks.measures.splicing import Splice
from benchmarks.measures.suites import Attacks, Integrity, Modes, Mtrag, Squad
from benchmarks.measures.waiting import Waiting
from index import models
from index.errors import InputError
from rag.settings import Settings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from benchmarks.harness.journal import Step
    from benchmarks.harness.table import Rows
    from benchmarks.measures.suites import Suite

SUITES = ("squad", "mtrag", "attacks", "integrity", "speed", "splice", "modes")
MOST = {"naive": 60, "attacks": 150, "speed": 12, "splice": 200, "modes": 30}
"""Questions of a suite when --n does not ask for fewer; squad and mtrag take n."""
QUICK = 2
KV_BYTES = 16 * 2**30
"""Room for all passages as the model read them: a run asks of each paragraph several times. It changes no answer."""
PACKAGES = (*report.PACKAGES, "llama-cpp-python")


@dataclass(frozen=True, slots=True)
class Result:
    """A suite's tables, and how many of the wanted answers they rest on."""

    suite: str
    answers: int
    wanted: int
    tables: Mapping[str, Any]


def options(parser: argparse.ArgumentParser) -> None:
    """How much of what, and with which settings."""
    dataset.options(parser)
    parser.add_argument("--n", type=int, default=300, help="questions of each kind (answerable, impossible)")
    for name, most in MOST.items():
        parser.add_argument(f"--{name}-n", type=int, metavar="N", help=f"default: n, at most {most}")
    parser.add_argument("--suites", "--parts", default=",".join(SUITES), help="which to run: any of %(default)s")
    parser.add_argument("--mode", help="write or quote")
    parser.add_argument("--caution", help="0 answers most, 1 refuses most")
    parser.add_argument("--model", help="an LLM of models.txt, or a GGUF file")
    parser.add_argument("--settings", action="append", default=[], metavar="NAME=VALUE", help="any other setting")
    parser.add_argument("--fresh", action="store_true", help="ask the questions of these suites again")
    parser.add_argument("--show", action="store_true", help="only print the tables of what was answered")


def run(arguments: argparse.Namespace) -> None:
    """Ask, print the tables, write the result. A run that is asked to end (SIGTERM) ends as by Ctrl-C."""
    folder = user_cache_path("citewire", appauthor=False) / "benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    if arguments.show:
        _run(arguments, folder)
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with FileLock(folder / "answers.lock", timeout=0):
            _run(arguments, folder)
    except Timeout:
        raise SystemExit("another run is at it; look at what it has so far with --show") from None
    finally:
        signal.signal(signal.SIGTERM, before)


def settings(arguments: argparse.Namespace) -> tuple[Settings, str]:
    """The settings asked for, and what tells them from the defaults, to be printed. The environment has no say."""
    given = dict(pair.partition("=")[::2] for pair in arguments.settings)
    named = {"mode": arguments.mode, "caution": arguments.caution, "llm": arguments.model}
    given |= {name: value for name, value in named.items() if value is not None}
    known = {field.name for field in fields(Settings)}
    if unknown := sorted(given.keys() - known):
        raise SystemExit(f"no setting is called {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    try:
        chosen = Settings.from_env({f"CITEWIRE_{name.upper()}": value for name, value in given.items()})
    except InputError as error:
        raise SystemExit(str(error)) from error
    if "kv_bytes" not in given:
        chosen = replace(chosen, kv_bytes=KV_BYTES)
    # The default model by its name, so that it is one model with the one that is named so.
    chosen = replace(chosen, llm=chosen.llm or models.choose(None, "llm").name)
    return chosen, ", ".join(f"{name}={value}" for name, value in sorted(given.items()))


def _run(arguments: argparse.Namespace, folder: Path) -> None:
    chosen, variant = settings(arguments)
    wanted = _wanted(arguments.suites)
    squad = dataset.squad(arguments.data, quick=arguments.quick)
    mtrag = dataset.mtrag_answerability(arguments.data, quick=arguments.quick)
    corpora = {"squad": squad.articles, "mtrag": mtrag.articles}
    if arguments.quick:
        arguments.n = min(arguments.n, QUICK)
    most = {name: _count(arguments, name) for name in MOST}
    later = dataset.later_half(squad).questions
    asked = dataset.alternating(later, max(arguments.n, *(most[name] for name in ("attacks", "splice", "modes"))))
    embedder = SharedCachedEmbedder()
    with Environment(chosen, corpora, embedder, folder) as environment:
        journal = environment.citewire("squad").journal
        waiting = Waiting(journal, chosen, later, squad.articles, most["speed"])
        suites: Sequence[Suite] = (
            Squad(environment, asked[: 2 * arguments.n], most["naive"]),
            Mtrag(
                environment, dataset.alternating(mtrag.questions, _fewest(mtrag.questions, arguments.n)), most["naive"]
            ),
            Attacks(environment, arguments.data, asked, squad.articles, n=most["attacks"], naive_n=most["naive"]),
            Integrity(environment, asked),
            waiting,
            Splice(environment, asked, most["splice"]),
            Modes(environment, asked, most["modes"]),
        )
        chosen_suites = [suite for suite in suites if suite.name in wanted]
        try:
            if arguments.fresh and not arguments.show:
                forget(chosen_suites)
            if not arguments.show:
                run_steps(chosen_suites)
        except KeyboardInterrupt:
            print("\nstopped; the same command goes on from here")
        finally:
            waiting.close()
        results = [summarize(suite) for suite in chosen_suites]
        print(f"\nnoted in {journal.path}")
    if not arguments.quick and not arguments.show:
        names = {"embedder": embedder.name, "llm": str(chosen.llm)}
        write(results, names, variant=variant)


def forget(suites: Sequence[Suite]) -> None:
    """Remove the kept answers of all suites before any of them runs, because suites share answers."""
    steps = [step for suite in suites for step in suite.steps()]
    for journal in {step.journal.path: step.journal for step in steps}.values():
        journal.forget(step.key for step in steps if step.journal is journal)


def run_steps(suites: Sequence[Suite]) -> None:
    """Take every step that is not done, part by suite."""
    for suite in suites:
        steps = distinct(suite.steps())
        left = [step for step in steps if not step.done]
        done = len(steps) - len(left)
        with tqdm(total=len(steps), initial=done, desc=suite.name, unit="answer", smoothing=0.05) as bar:
            for step in left:
                step.do()
                bar.update()


def summarize(suite: Suite) -> Result:
    """Print the tables of a suite, and return them."""
    steps = distinct(suite.steps())
    done = sum(step.done for step in steps)
    tables = {title: rows for title, rows in suite.tables().items() if _has_values(rows)} if done else {}
    print(f"\n{suite.name}: {done} of {len(steps)} answers")
    for title, rows in tables.items():
        show(title, rows)
    return Result(suite.name, done, len(steps), tables)


def _has_values(rows: Rows) -> bool:
    return any(value is not None for system, row in rows.items() if system != "target" for value in row.values())


def distinct(steps: Sequence[Step]) -> list[Step]:
    """Each once: SQuAD may ask a question twice in the same words."""
    return list({(step.journal.path, step.key): step for step in steps}.values())


def write(results: Sequence[Result], names: Mapping[str, str], *, variant: str) -> None:
    """Write the suites into the result, beside those measured earlier.

    An unfinished suite does not replace one that rests on more answers. A run with other settings than the defaults has
    an entry of its own.
    """
    path = report.RESULTS / "answers.json"
    earlier = json.loads(path.read_text(encoding="utf-8")).get("parts", {}) if path.exists() else {}
    today = datetime.now(UTC).date().isoformat()
    for result in results:
        name = f"{result.suite} ({variant})" if variant else result.suite
        before = earlier.get(name, {}).get("answers", 0)
        if result.tables and (result.answers == result.wanted or result.answers >= before):
            row = {"date": today, "answers": result.answers, "of": result.wanted, "llm": names["llm"]}
            earlier[name] = {**row, **result.tables}
    if earlier:
        report.write("answers", models=names, measured={"parts": earlier}, packages=PACKAGES)


def _wanted(names: str) -> set[str]:
    wanted = {name.strip() for name in names.split(",")}
    if unknown := sorted(wanted - set(SUITES)):
        raise SystemExit(f"no suite is called {', '.join(unknown)}; there are {', '.join(SUITES)}")
    return wanted


def _count(arguments: argparse.Namespace, name: str) -> int:
    given: int | None = getattr(arguments, f"{name}_n")
    return min(arguments.n, MOST[name]) if given is None else given


def _fewest(questions: Sequence[dataset.Question], n: int) -> int:
    """`n`, or as many as there are of the rarer kind: of both kinds as many are asked."""
    answerable = sum(bool(question.relevant) for question in questions)
    return min(n, answerable, len(questions) - answerable)
