"""Progress on standard error, if it is a terminal: bars for a run, a line that is overwritten for a question."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import Self

    from tqdm import tqdm

STAGES = {
    "wait": "another run is writing",
    "read": "reading",
    "embed": "embedding sentences",
    "copy": "copying, pages",
    "shards": "copying articles to their shards",
    "uploads": "uploads",
    "pack": "packing, KiB",
    "unpack": "unpacking, KiB",
}
"""Stages of a sync, in words."""


class Bars:
    """The progress callback of a sync: a bar for each stage."""

    def __init__(self) -> None:
        """Nothing is shown before the first call."""
        self._stage = ""
        self._bar: tqdm[Any] | None = None

    def __enter__(self) -> Self:
        """The callback itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Leave the last bar standing."""
        self._finish()

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show that `done` of `total` are done in `stage`."""
        if not total:
            return
        if stage != self._stage or self._bar is None:
            self._finish()
            self._stage, self._bar = stage, _bar(stage, total)
        self._bar.total = total
        self._bar.update(done - self._bar.n)

    def beside(self, text: str) -> None:
        """Show `text` after the bar."""
        if self._bar is not None:
            self._bar.set_postfix_str(text, refresh=False)

    def _finish(self) -> None:
        if self._bar is not None:
            self._bar.close()


class Notes:
    """What is being done, on one line that is overwritten and finally erased."""

    def __init__(self) -> None:
        """Nothing is shown before the first call."""
        self._shown = ""

    def __enter__(self) -> Self:
        """The function that shows a note."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Erase the line."""
        self("")

    def __call__(self, text: str) -> None:
        """Show `text` in place of the last note."""
        if text != self._shown and sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{text}{' …' if text else ''}")
            sys.stderr.flush()
        self._shown = text


def _bar(stage: str, total: int) -> tqdm[Any]:
    from tqdm import tqdm

    # disable=None is tqdm's word for "only on a terminal".
    return tqdm(total=total, desc=STAGES.get(stage, stage), unit="", disable=None, dynamic_ncols=True)
