"""Log: a line for each request, for people or as JSON. It has no text of questions and articles, and no token."""

from __future__ import annotations

import json
import logging
import sys
import threading
from datetime import UTC, datetime
from typing import Any, Literal

Format = Literal["text", "json"]


class RequestLog:
    """Writes to standard error."""

    def __init__(self, form: Format | None = None, *, has_text: bool = False) -> None:
        """Without a format nothing is written. `has_text` adds what was asked."""
        self._form = form
        self.has_text = has_text and form is not None
        self._lock = threading.Lock()

    def request(self, *, method: str, route: str, status: int, seconds: float, client: str) -> None:
        """Note a request at its end. `route` is the template of its address; status 0 if the client went away."""
        self._write(
            "request",
            {"method": method, "route": route, "status": status, "ms": round(1000 * seconds, 1), "client": client},
        )

    def question(self, text: str) -> None:
        """Note what was asked, if this is wanted."""
        if self.has_text:
            self._write("question", {"text": text})

    def _write(self, event: str, fields: dict[str, Any], level: str = "info") -> None:
        if self._form is None:
            return
        known = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "level": level, "event": event, **fields}
        if self._form == "json":
            line = json.dumps(known)
        else:
            shown = " ".join(_escaped(str(value)) for value in fields.values())
            line = f"{known['time']} {event} {shown}"
        with self._lock:
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()


class JsonFormatter(logging.Formatter):
    """The other messages of the server, such as warnings, in the same form."""

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields = {"time": time, "level": record.levelname.lower(), "event": "log", "logger": record.name}
        return json.dumps({**fields, "message": record.getMessage()})


def _escaped(text: str) -> str:
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
