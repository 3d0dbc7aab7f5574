"""Event files: which files an event may name, whatever the event is. Knows no Gradio but the form of its file values.

Gradio takes every object with a `path`, wherever it stands in an event, for a file, and fetches it when the path is an
address. Here a file is one that the same client has uploaded, and nothing else.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

NOT_UPLOADED = "a file of an event must have been uploaded here"


def why_not(body: bytes, *, is_uploaded: Callable[[str], bool]) -> str | None:
    """Why an event must not reach Gradio, or None: it names a file that this client has not uploaded.

    What is no JSON names no file; it is for others to refuse it.
    """
    try:
        waiting = [json.loads(body)]
    except (ValueError, RecursionError):
        return None
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            meta = value.get("meta")
            is_file = "path" in value or (isinstance(meta, dict) and "_type" in meta)
            if is_file and not (isinstance(value.get("path"), str) and is_uploaded(value["path"])):
                return NOT_UPLOADED
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    return None
