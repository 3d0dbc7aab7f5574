"""Run: one run of the write path: what it changes, what it reports, and how it is stopped. Reads and writes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from index.change import Change, Put
from index.duplicate import Story
from index.edit import edited
from index.errors import Error
from index.location import storable

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable, Mapping

    from index.article import Article
    from index.edit import Edit

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, total). Stages: "wait" (another run writes), "read" (files, pages), "embed" (sentences)."""


class Cancelled(Error):  # noqa: N818 - the run was asked to stop; nothing is wrong
    """A run that was asked to stop; nothing was published, what it embedded is kept for the next run."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that was skipped, a part of one that is left out, or a source that has lost too much, and why.

    What was indexed from it before stays.
    """

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a run did: articles added, updated, removed and unchanged, sentences embedded, files failed.

    `left_out` are the parts of files that are not read on purpose, such as hidden text and attachments.
    """

    added: int = 0
    updated: int = 0
    removed: int = 0
    unchanged: int = 0
    failed: tuple[Failure, ...] = ()
    embedded: int = 0
    left_out: tuple[Failure, ...] = ()

    def __str__(self) -> str:
        """One line for people."""
        left_out = f"; {len(self.left_out)} left out" if self.left_out else ""
        return (
            f"{self.added} added, {self.updated} updated, {self.removed} removed, {self.unchanged} unchanged, "
            f"{len(self.failed)} failed; {self.embedded} sentences embedded{left_out}"
        )

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready mapping."""
        failed, left_out = (
            [{"path": one.path, "reason": one.reason} for one in some] for some in (self.failed, self.left_out)
        )
        names = ("added", "updated", "removed", "unchanged", "embedded")
        return {**{name: getattr(self, name) for name in names}, "failed": failed, "left_out": left_out}


@dataclass(slots=True)
class Run:
    """One run of the write path: the change it will publish, and the report it will give. `edits` are those of the
    articles before it; what is read again keeps them."""

    change: Change = field(default_factory=Change)
    report: SyncReport = field(default_factory=SyncReport)
    edits: Mapping[str, tuple[Edit, ...]] = field(default_factory=dict)

    def count(self, **counts: int) -> None:
        """Add to the report's numbers."""
        self.report = replace(self.report, **{name: getattr(self.report, name) + n for name, n in counts.items()})

    def fail(self, path: str, reason: str) -> None:
        """Note a file or address that could not be read."""
        self.report = replace(self.report, failed=(*self.report.failed, Failure(storable(path), reason)))

    def leave_out(self, path: str, reason: str) -> None:
        """Note a part of a file that is not read on purpose."""
        self.report = replace(self.report, left_out=(*self.report.left_out, Failure(storable(path), reason)))

    def put(self, article: Article, before: Article | None, origin: str | None, *, is_moved: bool = False) -> None:
        """Add or replace an article, unless it is as before and comes from the same place. It gets the edits that the
        article had."""
        edits = self.edits.get(article.id, ())
        if edits:
            article, now = edited(article, edits)
            if now != edits or before is None:
                self.change.edits[article.id] = now
        if before == article and not is_moved:
            if before.places != article.places:
                self.change.places[article.id] = article.places
            self.count(unchanged=1)
            return
        self.change.put.append(Put(article, origin, Story(article.text).keys()))
        self.count(**{"added" if before is None else "updated": 1})

    def exclude(self, origins: Mapping[str, str]) -> None:
        """Note files as removed by the user; uri → fingerprint."""
        self.change.origins.update(origins)
        self.change.exclude_origins.update(origins)

    def drop(self, articles: Iterable[Article]) -> None:
        """Remove articles."""
        for article in articles:
            self.change.drop.add(article.id)
            self.count(removed=1)


class Interrupt:
    """Reports the progress of a run, and raises Cancelled when it should stop."""

    def __init__(self, progress: Progress | None, cancel: threading.Event | None) -> None:
        """Either may be None."""
        self._progress = progress
        self._cancel = cancel

    def tick(self, stage: str, done: int, total: int) -> None:
        """Report, and raise Cancelled when the run should stop."""
        if self._progress is not None:
            self._progress(stage, done, total)
        if self._cancel is not None and self._cancel.is_set():
            raise Cancelled("stopped; what was indexed before is whole, and the next run continues from here")
