"""Front matter: the block on top of a Markdown file → its values. YAML between `---`, as Jekyll, Hugo, DEV and
Obsidian write it, TOML between `+++` or an object of JSON, as Hugo does; with the language named after the rule, as
Eleventy does; without the first rule, as Hexo does; lines of "Key: value" up to a blank one, as Pelican and
MultiMarkdown do; or in a comment, as Nikola does. The only file that imports yaml.

Each key is read by itself, as texts, lists and mappings: a value that is no YAML is taken as it is written, and no tag,
anchor or date of YAML can surprise us.
"""

from __future__ import annotations

import json
import re
import tomllib
from typing import TYPE_CHECKING, Any

from index.read import fields

if TYPE_CHECKING:
    from collections.abc import Sequence

_YAML = re.compile(r"---[ \t]*(?:yaml|yml)?[ \t]*\n(.*?\n|)(?:---|\.\.\.)[ \t]*(?:\n|$)", re.DOTALL)
_TOML = re.compile(r"(\+\+\+|---[ \t]*toml)[ \t]*\n(.*?\n|)(?:\+\+\+|---)[ \t]*(?:\n|$)", re.DOTALL)
_JSON = re.compile(r"(?:---[ \t]*json[ \t]*\n)?(?=\{)")
_AFTER_JSON = re.compile(r"\s*?\n(?:---[ \t]*(?:\n|$))?")
_OPEN_YAML = re.compile(r"((?:[^\n]+\n){1,60}?)---[ \t]*(?:\n|$)")
_LINES = re.compile(r"((?:[^\W\d][\w .-]{0,40}:[ \t]*[^\n]*\n(?:[ \t]+[^\n]+\n)*){2,40})\s*?(?:\n|$)")
_NIKOLA = re.compile(r"<!--[ \t]*\n((?:\.\. [\w-]{1,40}:[^\n]*\n){1,40})-->[ \t]*(?:\n|$)")
_KEY = re.compile(r"(\"[^\"\n]{1,40}\"|'[^'\n]{1,40}'|[^\W\d][\w .:/-]{0,40}?)[ \t]*:(?:[ \t]+(.*)|[ \t]*)$")
KEY_WORDS = 3
"""Words of a key; what stands before the colon of a sentence has mostly more."""
MAX_CHARS = 64 * 1024
"""A longer block is not read as YAML: it holds data of its own, not what an article is called."""


def split(text: str) -> tuple[dict[str, Any], str]:
    """The values of the block by key, and the text after it.

    A block that is not closed, that does not begin with a key, or most of whose lines are neither keys, nor indented,
    nor list items, nor comments, is no front matter but text between two rules: then there are no values, and the text
    is whole.
    """
    if (block := _TOML.match(text)) is not None:
        try:
            return tomllib.loads(block[2]), text[block.end() :]
        except (tomllib.TOMLDecodeError, RecursionError):
            values = _toml_lines(block[2])
            return (values, text[block.end() :]) if values else ({}, text)
    if (block := _JSON.match(text)) is not None:
        return _json(text, block.end())
    if (block := _NIKOLA.match(text)) is not None:
        lines = (line[3:].partition(":") for line in block[1].splitlines())
        return {key: value.strip() for key, _, value in lines}, text[block.end() :]
    block = _YAML.match(text) or _unruled(text)
    entries = None if block is None else _entries(block[1])
    if block is None or entries is None:
        return {}, text
    return {key: _value(lines) for key, lines in entries.items()}, text[block.end() :]


def _json(text: str, start: int) -> tuple[dict[str, Any], str]:
    try:
        values, end = json.JSONDecoder(strict=False).raw_decode(text[: start + MAX_CHARS], start)
    except (ValueError, RecursionError):
        return {}, text
    after = _AFTER_JSON.match(text, end)
    return (values, text[after.end() :]) if after and text[after.end() :].strip() else ({}, text)


def _unruled(text: str) -> re.Match[str] | None:
    """A block without a rule above it. As dialogue looks like it, it must give the title and something more."""
    for form in (_OPEN_YAML, _LINES):
        block = form.match(text)
        entries = None if block is None else _entries(block[1])
        known = [key for key in entries or () if fields.is_known(key)]
        if len(known) > 1 and any(fields.plain(key) == "title" for key in known):
            return block
    return None


def _entries(block: str) -> dict[str, list[str]] | None:
    """The lines of each key, what follows the colon first; None for what is no front matter."""
    entries: dict[str, list[str]] = {}
    lines: list[str] = []
    odd = 0
    for line in block.split("\n"):
        match = None if line.startswith(("- ", "#")) else _KEY.match(line)
        if match and not entries and len(match[1].split()) > KEY_WORDS:
            return None
        if match:
            lines = entries.setdefault(match[1].strip("\"'"), [])
            lines[:] = [(match[2] or "").strip()]
        elif not line.strip() or line.startswith("#"):
            continue
        elif not entries:
            return None
        elif line[0] in " \t-]}":
            lines.append(line)
        else:
            odd += 1
    return entries if odd < max(len(entries), 1) else None


def _value(lines: Sequence[str]) -> Any:
    import yaml

    written = "\n".join([f"key: {lines[0]}", *lines[1:]])
    if len(written) <= MAX_CHARS:
        try:
            found = yaml.load(written, Loader=yaml.BaseLoader)  # noqa: S506 - it makes texts, lists and mappings only
            if isinstance(found, dict):
                return found.get("key")
        except (yaml.YAMLError, RecursionError, ValueError):
            pass
    return None if written.startswith(("key: [", "key: {")) else lines[0]


def _toml_lines(block: str) -> dict[str, Any]:
    """The values of the lines that are TOML, if others are not."""
    values: dict[str, Any] = {}
    for line in block.split("\n"):
        if line.startswith("["):
            break
        try:
            values.update(tomllib.loads(line))
        except (tomllib.TOMLDecodeError, RecursionError):
            continue
    return values
