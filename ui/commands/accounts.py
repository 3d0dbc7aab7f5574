"""`citewire auth …`: who may use a page that asks for a password, and which programs may use the doors for them."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from index import home as homes
from index.errors import InputError
from ui import auth, terminal
from ui.api import tokens as api_tokens
from ui.commands.command import add_command, add_group, typed
from ui.commands.output import complain, show, show_json

if TYPE_CHECKING:
    import argparse

    from ui.commands.command import Commands

ROLES_HELP = "readers ask; editors also add and remove articles"


def declare(commands: Commands) -> None:
    """Declare the group `auth`."""
    group = add_group(commands, "auth", "manage names and passwords for the page, and tokens for programs")
    command = add_command(group, "add", run_add)
    command.add_argument(
        "file", type=Path, metavar="FILE", help="created if missing; use it with: citewire chat --auth"
    )
    command.add_argument("name", metavar="NAME")
    command.add_argument(
        "--role", choices=auth.ROLES, help=f"{ROLES_HELP} (default: reader, or the role that NAME has)"
    )
    command = add_command(group, "role", run_role)
    command.add_argument("file", type=Path, metavar="FILE")
    command.add_argument("name", metavar="NAME")
    command.add_argument("role", choices=auth.ROLES, help=ROLES_HELP)
    add_command(group, "list", run_list, "--json").add_argument("file", type=Path, metavar="FILE")
    command = add_command(group, "remove", run_remove)
    command.add_argument("file", type=Path, metavar="FILE")
    command.add_argument("name", metavar="NAME")
    tokens = add_group(group, "token", "manage the tokens by which programs use `citewire serve`")
    command = add_command(tokens, "add", run_token_add, "--json")
    command.add_argument("name", metavar="NAME", help="who it is for")
    command.add_argument(
        "--scope",
        choices=api_tokens.SCOPES,
        default="read",
        help="read: ask, check and search; write: also add and remove articles (default: %(default)s)",
    )
    add_command(tokens, "list", run_token_list, "--json")
    command = add_command(tokens, "remove", run_token_remove)
    command.add_argument("name", metavar="NAME")


def run_add(options: argparse.Namespace) -> int:
    """Add somebody, or change their password. It is typed twice, or read from standard input."""
    name = typed(options.name)
    replaced = auth.add(options.file, name=name, password=_password(), role=options.role)
    role = auth.listed(options.file)[name]
    return _show(options, f"has a new password and is {_a(role)}" if replaced else f"was added as {_a(role)}")


def run_role(options: argparse.Namespace) -> int:
    """Make somebody a reader, who asks, or an editor, who also adds and removes articles. The password stays."""
    auth.set_role(options.file, name=typed(options.name), role=options.role)
    return _show(options, f"is {_a(options.role)}")


def run_remove(options: argparse.Namespace) -> int:
    """Remove somebody from the file. Their conversations stay."""
    auth.remove(options.file, name=typed(options.name))
    return _show(options, "was removed")


def run_list(options: argparse.Namespace) -> int:
    """List the accounts: role and name."""
    listed = auth.listed(options.file)
    if options.json:
        return show_json([{"name": name, "role": role} for name, role in listed.items()])
    return show("\n".join(f"{role}  {terminal.line(name)}" for name, role in listed.items()))


def run_token_add(options: argparse.Namespace) -> int:
    """Make a token for a program and print it, this once: only its hash is kept, in the home."""
    text = api_tokens.add(homes.resolve(options.home), name=options.name, scope=options.scope)
    if options.json:
        return show_json({"name": options.name, "scope": options.scope, "token": text})
    complain("citewire: the token is shown this once; from now on `citewire serve` asks every program for one")
    return show(text)


def run_token_list(options: argparse.Namespace) -> int:
    """List the tokens: scope, day and name."""
    known = api_tokens.Tokens(homes.resolve(options.home)).all()
    if options.json:
        return show_json([one.to_dict() for one in known])
    if not known:
        complain("citewire: no tokens; make one with: citewire auth token add NAME")
    return show("\n".join(f"{one.scope:<5}  {one.created[:10]}  {terminal.line(one.name)}" for one in known))


def run_token_remove(options: argparse.Namespace) -> int:
    """Remove a token. A server that runs lets it in no more."""
    api_tokens.remove(homes.resolve(options.home), name=options.name)
    return show(terminal.line(f"the token {options.name} was removed"))


def _password() -> str:
    """Typed twice, unseen, or the first line of standard input."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass("password: ")
    if getpass.getpass("again: ") != password:
        raise InputError("the two passwords differ; nothing was changed")
    return password


def _show(options: argparse.Namespace, done: str) -> int:
    """Say what was done. A running page keeps the accounts that it started with."""
    preposition = "from" if done == "was removed" else "in"
    return show(
        terminal.line(f"{options.name} {done} {preposition} {options.file}; restart `citewire chat` to apply it")
    )


def _a(role: str) -> str:
    return f"an {role}" if role == "editor" else f"a {role}"
