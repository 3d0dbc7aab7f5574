"""Clock: how long each stage of an answer took."""

from __future__ import annotations

import time


class Clock:
    """Seconds by stage; "total" is the time since the clock was made."""

    def __init__(self) -> None:
        """Running."""
        self._stages: dict[str, float] = {}
        self._last = self._first = time.perf_counter()

    def mark(self, stage: str) -> None:
        """Count the time since the last mark as time of `stage`."""
        now = time.perf_counter()
        self._stages[stage] = self._stages.get(stage, 0.0) + now - self._last
        self._last = now

    def timings(self) -> dict[str, float]:
        """What Answer.timings holds."""
        return {**self._stages, "total": time.perf_counter() - self._first}
