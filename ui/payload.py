"""Payload: what a client sends with an event → the same with nothing in it that the page would not send.

A hand-made event may hold anything in any place. What cannot have come from the page is refused before Gradio sees it,
which would convert it, fetch addresses in it, or fail and write a traceback with the values to the log. Knows no Gradio
and no HTTP.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from index.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TEXT_CHARS = 100_000
"""Longest text of a field: a hundred addresses of the longest kind. A question is cut to much less."""
NAME_CHARS = 200
"""Longest name: of a tab, of an event, of a browser."""
MOST_DETAILS = 16
"""Most named values of an event; a button of the page has at most six."""
MOST_FILES = 1000
"""Most files of one event. More than an upload takes, so that the answer to it says what the limit is."""
MOST_SETTINGS = 16

Kind = Literal["text", "number", "memory", "files"]


@dataclass(frozen=True, slots=True)
class Field:
    """One input of an event: what it holds, and which values, where not all are taken."""

    kind: Kind
    choices: tuple[str, ...] = ()
    least: float = -math.inf
    most: float = math.inf


@dataclass(frozen=True, slots=True)
class Shape:
    """What one event takes: its inputs in order, and whether the details of what was pressed."""

    inputs: tuple[Field, ...]
    has_details: bool = False


def parsed(content: bytes) -> Any:
    """The JSON of a request without the numbers that JSON does not have. Raises InputError."""
    try:
        return json.loads(content, parse_constant=_finite, parse_float=_finite)
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError, and so is a number of 5,000 digits
        raise InputError("the request is no JSON") from None


def cleaned(
    sent: object, shapes: Mapping[int, Shape], *, is_uploaded: Callable[[str], bool] = lambda _: False
) -> dict[str, Any]:
    """The body of an event with the keys, types and sizes that the page sends, and nothing else.

    `shapes` are those of all events by their number. `is_uploaded` says whether a path is that of a file which the
    server took in and holds for an upload. Texts come back without lone surrogates. Raises InputError, which never
    repeats what was sent.
    """
    if not isinstance(sent, dict):
        raise InputError("an event is a JSON object")
    number, tab, data = sent.get("fn_index"), sent.get("session_hash"), sent.get("data")
    if type(number) is not int or number not in shapes:
        raise InputError("the page has no such event")
    if not isinstance(tab, str) or not 0 < len(tab) <= NAME_CHARS:
        raise InputError("the event names no tab")
    shape = shapes[number]
    if not isinstance(data, list) or len(data) != len(shape.inputs):
        raise InputError(f"the event takes {len(shape.inputs)} inputs")
    trigger = sent.get("trigger_id")
    return {
        "data": [_value(value, field, is_uploaded) for value, field in zip(data, shape.inputs, strict=True)],
        "event_data": _details(sent.get("event_data")) if shape.has_details else None,
        "fn_index": number,
        "session_hash": _storable(tab),
        "trigger_id": trigger if type(trigger) is int and 0 <= trigger < 2**31 else None,
    }


def _value(value: object, field: Field, is_uploaded: Callable[[str], bool]) -> Any:
    if field.kind == "memory":
        return _memory(value)
    if field.kind == "files":
        return None if value is None else _files(value, is_uploaded)
    if field.kind == "number":
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not field.least <= value <= field.most:
            raise InputError(f"an input takes a number from {field.least:g} to {field.most:g}")
        return value
    if value is None:
        return None
    text = _text(value)
    if field.choices and text not in field.choices:
        raise InputError("an input takes one of its choices")
    return text


def _text(value: object, *, most_chars: int = TEXT_CHARS) -> str:
    if not isinstance(value, str):
        raise InputError("an input takes text")
    if len(value) > most_chars:
        raise InputError(f"a text of an event has at most {most_chars:,} characters")
    return _storable(value)


def _details(sent: object) -> dict[str, str | bool]:
    """Texts by name, and whether a box is ticked: what an element of the page carries."""
    if sent is None:
        return {}
    if not isinstance(sent, dict) or len(sent) > MOST_DETAILS:
        raise InputError("the details of an event are a few named texts")
    return {_text(name, most_chars=NAME_CHARS): _detail(value) for name, value in sent.items()}


def _detail(value: object) -> str | bool:
    return value if isinstance(value, bool) else _text(value)


def _memory(sent: object) -> dict[str, Any] | None:
    """What a browser remembers. A wrong one is as good as none: it may be left from something else."""
    if not isinstance(sent, dict):
        return None
    owner, settings = sent.get("owner"), sent.get("settings")
    is_name = isinstance(owner, str) and len(owner) <= NAME_CHARS
    return {"owner": owner if is_name else None, "settings": _settings(settings)}


def _settings(sent: object) -> dict[str, str | int | float] | None:
    if not isinstance(sent, dict) or len(sent) > MOST_SETTINGS:
        return None
    return {
        _storable(name): _storable(value) if isinstance(value, str) else value
        for name, value in sent.items()
        if len(name) <= NAME_CHARS
        and not isinstance(value, bool)
        and (isinstance(value, (int, float)) or (isinstance(value, str) and len(value) <= NAME_CHARS))
    }


def _files(sent: object, is_uploaded: Callable[[str], bool]) -> list[dict[str, Any]]:
    if not isinstance(sent, list) or len(sent) > MOST_FILES:
        raise InputError(f"an upload is a list of at most {MOST_FILES} files")
    return [_file(one, is_uploaded) for one in sent]


def _file(sent: object, is_uploaded: Callable[[str], bool]) -> dict[str, Any]:
    """A file by its path alone: an address in any other field would be fetched."""
    path = sent.get("path") if isinstance(sent, dict) else None
    if not isinstance(path, str) or not is_uploaded(path):
        raise InputError("a file of an upload must have been uploaded first")
    return {"path": path, "meta": {"_type": "gradio.FileData"}}


def _finite(digits: str) -> float:
    number = float(digits)  # also of NaN and Infinity, which Python's reader takes, and of 1e999
    if not math.isfinite(number):
        raise ValueError(digits)
    return number


def _storable(text: str) -> str:
    """`text` with question marks for lone surrogates, which neither a database nor a browser takes."""
    return text.encode("utf-8", "replace").decode("utf-8")
