"""What the commands share: how one is declared, the options that several understand, and the exit status."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag.settings import MODES, Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

OK, ERROR, NOT_ANSWERED, NOT_SUPPORTED, INTERRUPTED, BROKEN_PIPE = 0, 1, 3, 4, 130, 141

MOST_PORT = 65535

OPERATORS = """\
operators, which limit what is searched:
  source:reuters  source:"The Post"   articles of this outlet
  in:2018                             published in this year, month (2018-03) or on this day (2018-03-21)
  before:2017-05  after:2017          published before it began, after it ended
  tag:dam  tag:"follow up"            with this tag (citewire index tag)"""


def add_group(commands: Commands, name: str, summary: str) -> Commands:
    """Declare a command that has commands of its own."""
    group = commands.add_parser(name, help=summary, description=summary)
    _add_home(group)
    return group.add_subparsers(title="commands", metavar="COMMAND", required=True)


def add_command(
    commands: Commands,
    name: str,
    run: Callable[[argparse.Namespace], int],
    *flags: str,
    stopped: str = "stopped",
) -> argparse.ArgumentParser:
    """Declare a command that calls `run`, whose docstring is its help.

    `flags` are the shared options it understands, `stopped` is what Ctrl-C prints.
    """
    summary = " ".join((run.__doc__ or "").split())
    command = commands.add_parser(name, help=summary.rstrip("."), description=summary)
    command.set_defaults(run=run, stopped=stopped)
    _add_home(command)
    if "--json" in flags:
        command.add_argument("--json", action="store_true", help="print JSON, for programs")
    if "--watch" in flags:
        command.add_argument("--watch", action="store_true", help="keep running and sync again when a folder changes")
    if "--llm" in flags:
        command.add_argument(
            "--llm",
            metavar="NAME|PATH|URL",
            help="a name from `citewire models list`, a GGUF file, or http://host:port/v1#model of a model server",
        )
    return command


def add_operators(command: argparse.ArgumentParser) -> None:
    """Explain below the help of `command` the operators that its text may have."""
    command.epilog = OPERATORS
    command.formatter_class = argparse.RawDescriptionHelpFormatter


def add_answering(command: argparse.ArgumentParser) -> None:
    """Options of a command that answers questions."""
    command.add_argument(
        "--mode",
        choices=MODES,
        help="write: answer in the model's words; quote: only in sentences of the articles (default: the model's "
        "own, see models.txt)",
    )
    command.add_argument(
        "--caution",
        type=_share,
        metavar="0..1",
        help=f"0 answers most questions, 1 refuses most (default: {Settings().caution})",
    )


def settings_of(
    llm: str | None, mode: str | None = None, caution: float | None = None, read_ahead: str | None = None
) -> Settings:
    """The settings of the environment, with those that the command line gives."""
    given: dict[str, Any] = {"llm": llm, "mode": mode, "caution": caution, "read_ahead": read_ahead}
    return dataclasses.replace(
        Settings.from_env(), **{name: value for name, value in given.items() if value is not None}
    )


def typed(argument: str) -> str:
    """An argument as text that can be stored: bytes that are not text in this locale become "?"."""
    return argument.encode("utf-8", "replace").decode("utf-8").strip()


def _add_home(command: argparse.ArgumentParser) -> None:
    # Understood before and after the command; SUPPRESS keeps the second place from undoing the first.
    command.add_argument("--home", type=Path, default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    command.add_argument("--embedder", default=argparse.SUPPRESS, help=argparse.SUPPRESS)


def port(text: str) -> int:
    """A port of this machine, 0 for any free one, for argparse."""
    with contextlib.suppress(ValueError):
        if 0 <= int(text) <= MOST_PORT:
            return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a port; choose a number up to {MOST_PORT}")


def _share(text: str) -> float:
    """A number from 0 to 1, for argparse."""
    with contextlib.suppress(ValueError):
        if 0 <= float(text) <= 1:
            return float(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
