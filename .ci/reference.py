"""Write the generated parts of docs/reference.md: commands, Python names, keys of JSON. `make reference` runs it.

    python .ci/reference.py            print the page as it should be
    python .ci/reference.py --write    write it

What stands between `<!-- NAME -->` and `<!-- end -->` is made from the code; the rest of the page is written by hand.
"""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent.parent))

import citewire
from rag import answer
from rag.answer import Answer, Citation, Claim, Disagreement, Section, Side, Source
from ui import cli

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAGE = Path(__file__).parent.parent / "docs" / "reference.md"
_GENERATED = re.compile(r"(<!-- (\w+) -->\n).*?(<!-- end -->\n)", re.DOTALL)


def commands() -> str:
    """Every command with its arguments."""
    return "\n".join(_command(parser) for parser in _leaves(cli.parser()))


def _leaves(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    below = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not below:
        yield parser
    for action in below:
        for child in action.choices.values():
            yield from _leaves(child)


def _command(parser: argparse.ArgumentParser) -> str:
    shown = [action for action in parser._actions if action.help != argparse.SUPPRESS and action.dest != "help"]
    shown.sort(key=lambda action: bool(action.option_strings))
    named = [action for action in shown if not action.option_strings]
    usage = " ".join([parser.prog, *map(_placed, named), *(["[options]"] if len(named) < len(shown) else [])])
    rows = [f"| `{_escaped(_name(action))}` | {_cell(action.help or '', action)} |" for action in shown]
    table = ["", "| argument | meaning |", "|---|---|", *rows] if rows else []
    return "\n".join([f"### `{usage}`", "", parser.description or "", *table, ""])


def _placed(action: argparse.Action) -> str:
    """A positional argument in a usage line."""
    name = _name(action)
    return {"?": f"[{name}]", "*": f"[{name} …]", "+": f"{name} …"}.get(str(action.nargs), name)


def _name(action: argparse.Action) -> str:
    metavar = "|".join(map(str, action.choices)) if action.choices else _text(action.metavar or action.dest.upper())
    if not action.option_strings:
        return metavar
    return " ".join([", ".join(action.option_strings), *([metavar] if action.nargs != 0 else [])])


def _text(metavar: object) -> str:
    return " ".join(metavar) if isinstance(metavar, tuple) else str(metavar)


def _cell(text: str, action: argparse.Action) -> str:
    return _escaped(text % {"default": action.default})


def _escaped(text: str) -> str:
    """`text` for a cell of a table."""
    return text.replace("|", "\\|")


def python() -> str:
    """Every public name with its signature and first sentence; for classes, their methods as well."""
    lines = []
    for name in sorted(citewire.__all__, key=str.casefold):
        thing = getattr(citewire, name)
        if inspect.isclass(thing):
            lines.append(f"- `{name}`: {_summary(thing)}")
            lines += [f"  - `{method}{_signature(call)}`: {_summary(call)}" for method, call in _methods(thing)]
        elif callable(thing):
            lines.append(f"- `{name}{_signature(thing)}`: {_summary(thing)}")
    return "\n".join([*lines, ""])


def _methods(thing: type) -> Iterator[tuple[str, Callable[..., object]]]:
    if issubclass(thing, Exception):
        return
    for name, member in vars(thing).items():
        call = member.__func__ if isinstance(member, classmethod) else member
        if not name.startswith("_") and inspect.isfunction(call):
            yield name, call


def _signature(call: Callable[..., object]) -> str:
    kept = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in inspect.signature(call).parameters.values()
        if parameter.name not in ("self", "cls")
    ]
    return str(inspect.Signature(kept))


def _summary(thing: object) -> str:
    text = (inspect.getdoc(thing) or "").split("\n\n")[0]
    return " ".join(text.split())


def json_keys() -> str:
    """The keys of each value that `to_dict` makes, and what its fields mean."""
    lines = []
    for kind in (Answer, Section, Claim, Citation, Source, Disagreement, Side):
        keys = _keys(kind)
        lines.append(f"- `{kind.__name__}`: {', '.join(f'`{key}`' for key in keys)}")
    return "\n".join([*lines, ""])


def _keys(kind: type) -> list[str]:
    """The keys in the order in which the code writes them."""
    source = inspect.getsource(kind.to_dict) if hasattr(kind, "to_dict") else ""
    keys = re.findall(r'^ +"(\w+)":', source, re.MULTILINE)
    if not keys:  # written by another value, field by field
        return [field.name for field in dataclasses.fields(kind)]
    origin = re.findall(r'"(\w+)":', inspect.getsource(answer._origin)) if "_origin(" in source else []
    return [*origin, *keys]


PARTS = {"commands": commands, "python": python, "json": json_keys}


def page(text: str) -> str:
    """The page with its generated parts as they should be."""
    return _GENERATED.sub(lambda found: f"{found[1]}\n{PARTS[found[2]]()}\n{found[3]}", text)


if __name__ == "__main__":
    wanted = page(PAGE.read_text(encoding="utf-8"))
    if "--write" in sys.argv:
        PAGE.write_text(wanted, encoding="utf-8")
    else:
        sys.stdout.write(wanted)
