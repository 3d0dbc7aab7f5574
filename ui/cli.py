"""`citewire …`: the command line. Its commands are in ui/commands, one file a group.

Exit status: 0 fine · 1 an error · 2 wrong usage · 3 the question is not answered · 4 a checked text is contradicted,
or not found · 130 stopped by Ctrl-C.
With --json a refused question is a result like any other: status 0, and "refused": true in what is printed.
Results go to standard output, progress and complaints to standard error.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import itertools
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import index
from index import embedder
from index.errors import Error
from ui.commands.command import BROKEN_PIPE, ERROR, INTERRUPTED, NOT_ANSWERED, NOT_SUPPORTED, OK
from ui.commands.output import complain

if TYPE_CHECKING:
    from collections.abc import Sequence

GROUPS = {
    "articles": ("index",),
    "questions": ("search", "ask"),
    "drafts": ("check",),
    "briefing": ("briefing",),
    "page": ("chat", "feedback", "conversations"),
    "serving": ("serve", "mcp"),
    "backups": ("backup", "restore"),
    "accounts": ("auth",),
    "cluster": ("cluster",),
    "installation": ("models", "doctor"),
}
"""Module of ui/commands → the commands it declares, in the order in which help lists them."""

__all__ = ["BROKEN_PIPE", "ERROR", "INTERRUPTED", "NOT_ANSWERED", "NOT_SUPPORTED", "OK", "main", "parser"]

EXAMPLES = """\
examples:
  citewire index add ~/articles                 index a folder and remember it
  citewire index sync                           index what has changed in everything that was added
  citewire ask "When did the talks break down?"
  citewire ask "And who left?" --after "When did the talks break down?"
  citewire check story.md                       what of a draft the articles support, and what they contradict
  citewire chat                                 ask on a page in the browser
  citewire serve                                the same, and for programs: HTTP, OpenAI-compatible, MCP

exit status: 0 fine, 1 an error, 2 wrong usage, 3 the question is not answered (0 with --json),
4 something in a checked text is contradicted or not found, 130 stopped"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status. Wrong arguments exit through argparse, with status 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    grammar = parser(None if "_ARGCOMPLETE" in os.environ else _command(sys.argv[1:] if argv is None else argv))
    if "_ARGCOMPLETE" in os.environ:  # the shell asks what could come next
        import argcomplete

        argcomplete.autocomplete(grammar)
    options = grammar.parse_args(argv)
    if options.run is None:
        grammar.print_help()
        return OK
    named_before = os.environ.get(embedder.VARIABLE)
    try:
        if options.embedder is not None:
            os.environ[embedder.VARIABLE] = options.embedder  # for whatever opens an index
        status: int = options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has gone; without this the interpreter would complain again when it closes stdout.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except (Error, OSError) as error:
        complain(f"citewire: {error}")
        return ERROR
    except MemoryError:
        complain("citewire: not enough memory; close other programs, or look for a limit with: ulimit -v")
        return ERROR
    except KeyboardInterrupt:
        print(f"\ncitewire: {options.stopped}", file=sys.stderr)
        return INTERRUPTED
    finally:
        if named_before is not None:
            os.environ[embedder.VARIABLE] = named_before
        elif options.embedder is not None:
            os.environ.pop(embedder.VARIABLE, None)
    return status


def parser(command: str | None = None) -> argparse.ArgumentParser:
    """The grammar of the whole command line; each command leaves its function in `run`.

    Given one of its commands, that of the module which declares it: a search does not wait for what the others import.
    """
    top = argparse.ArgumentParser(
        prog="citewire",
        description="Ask questions of a collection of articles and get an answer you can check.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"citewire {index.__version__}")
    _add_places(top)
    top.set_defaults(run=None)
    commands = top.add_subparsers(title="commands", metavar="COMMAND")
    for group, names in GROUPS.items():
        if command is None or command in names:
            importlib.import_module(f"ui.commands.{group}").declare(commands)
    return top


def _command(argv: Sequence[str]) -> str | None:
    """The command among the arguments; None if there is none, or none that is known."""
    before = argparse.ArgumentParser(add_help=False, exit_on_error=False)
    _add_places(before)
    before.add_argument("command", nargs="?")
    with contextlib.suppress(argparse.ArgumentError):
        command = before.parse_known_args(argv)[0].command
        return command if command in itertools.chain(*GROUPS.values()) else None
    return None


def _add_places(top: argparse.ArgumentParser) -> None:
    top.add_argument(
        "--home", type=Path, help="folder of the index (default: CITEWIRE_HOME, or a folder in your user data)"
    )
    top.add_argument(
        "--embedder",
        metavar="NAME|URL",
        help="the embedder of the index: a name from `citewire models list`, or a model server, as "
        "http://host:port/v1#model (default: CITEWIRE_EMBEDDER, or that of models.txt)",
    )


if __name__ == "__main__":
    sys.exit(main())
