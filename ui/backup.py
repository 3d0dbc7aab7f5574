"""Back up a home to one file, and restore it from that file.

A backup is made while chats and syncs go on: each database is copied as one state. It holds the database of the index,
the conversations, and the uploads that the index knows; not what can be made again (FAISS snapshots, passages as a
model read them), not the models, not the secrets of the page. A restore brings all of that back, ids and thumbs
included, and is whole or not at all (index/restore.py). What the file looks like is in ui/archive.py.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
import sqlite3
import stat
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import index
from index import database, lock, restore
from index import home as homes
from index.errors import Error, InputError, StoreError
from index.location import UPLOADS, Locations, is_address, migrated, within
from index.lock import write_lock
from ui import archive
from ui.archive import DamagedError
from ui.conversations import FILE as CONVERSATIONS
from ui.conversations import Conversations

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from index.run import Progress
    from index.store import Generation
    from ui.archive import Manifest, Reader, Writer

INDEX = restore.INDEX
SIDECAR = ".toml"
"""Ending of the name of a side-car, a file with metadata of the file beside it; see index/read."""

LAYOUT_OF_PATHS = 1
"""Layout of index databases with absolute paths of uploads; later layouts have paths within the home."""
RESERVE_BYTES = 100_000_000
"""Space that a restore leaves on the disk, so that the next sync can work."""
KIB = 1024
"""Progress is reported in KiB."""

_UNLISTED = (lock.NAME, restore.FOLDER)
"""Files that an empty home may have."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An upload of the index that is missing in the backup, and why."""

    name: str
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready mapping."""
        return {"name": self.name, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that was made or verified. `problems` is empty when it is sound."""

    file: Path
    size_bytes: int
    manifest: Manifest
    problems: tuple[str, ...] = ()

    @property
    def counts(self) -> Mapping[str, int]:
        """Numbers of articles, conversations and turns, and the generation of the index."""
        counts: Mapping[str, int] = self.manifest.about["counts"]
        return counts

    def __str__(self) -> str:
        """One line for people."""
        return f"{_counted(self.counts)}; {self.size_bytes / 1e6:.1f} MB in {self.file}"

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready mapping."""
        return {
            "file": str(self.file),
            "size_bytes": self.size_bytes,
            "problems": list(self.problems),
            **self.manifest.to_dict(),
        }


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore brought back. `kept` is the backup of what was in the home before, if there was anything."""

    home: Path
    counts: Mapping[str, int]
    sources: tuple[str, ...] = ()
    missing_sources: tuple[str, ...] = ()
    kept: Path | None = None

    def __str__(self) -> str:
        """One line for people."""
        return f"{_counted(self.counts)}; restored in {self.home}"

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready mapping."""
        return {
            "home": str(self.home),
            "counts": dict(self.counts),
            "sources": list(self.sources),
            "missing_sources": list(self.missing_sources),
            "kept": None if self.kept is None else str(self.kept),
        }


def backup(
    file: str | Path, home: str | Path | None = None, *, replace: bool = False, progress: Progress | None = None
) -> Backup:
    """Write a backup of `home` to `file`, while others read and write it.

    An upload that goes meanwhile, or cannot be kept, is in the manifest's "left_out". Raises InputError for a `file`
    that is there already, unless `replace`, or that lies in the home, and StoreError for a home that is damaged; then
    nothing was written, and an older `file` is as it was.
    """
    folder, path = homes.resolve(home), homes.resolve(file)
    if not (folder / INDEX).is_file():
        if (folder / CONVERSATIONS).is_file():
            raise StoreError(f"{folder / INDEX} is missing; restore it with: citewire restore FILE --replace")
        raise InputError(f"there is nothing to back up in {folder}; choose another home with --home")
    if within(os.path.realpath(path), os.path.realpath(folder)):
        raise InputError(f"{path} is inside the home and would be lost with it; choose a path outside {folder}")
    lock.finish_restore(folder)
    lock.finish_replacement(folder / INDEX)
    return _write(folder, path, replace=replace, progress=_Steps(progress))


def verify(file: str | Path, *, progress: Progress | None = None) -> Backup:
    """Read all of a backup: check every checksum, and that both databases are sound and match the manifest.

    What is wrong is in `problems`. Needs room for both databases where temporary files go.
    Raises InputError for a file that is no backup.
    """
    path = homes.resolve(file)
    with archive.reading(path) as reader:
        _require_about(reader)
        problems: Sequence[str] = ()
        try:
            with tempfile.TemporaryDirectory(prefix="citewire-") as folder:
                place = Path(folder)
                databases = [one for one in reader.manifest.members if not one.name.startswith(archive.UPLOADS)]
                _require_room(place, 2 * sum(member.size_bytes for member in databases))
                _unpack(reader, place, _Steps(progress), keep_uploads=False)
                why = _unrestorable(reader.manifest)
                problems = [*([f"{path}: {why}"] if why else []), *_examine(place, reader.manifest)]
        except DamagedError as error:
            problems = (str(error),)
        return Backup(path, path.stat().st_size, reader.manifest, tuple(problems))


def restored(
    file: str | Path,
    home: str | Path | None = None,
    *,
    replace: bool = False,
    keep: str | Path | None = None,
    progress: Progress | None = None,
) -> Restored:
    """Restore `home` to its state when the backup `file` was made.

    A home that holds anything is replaced only with `replace`, and a backup of it is made first: `keep`, or else a
    file beside the home. Searches that go on meanwhile see the articles of before, then the restored ones.
    Raises InputError for a file that is no backup, StoreError for one whose databases are damaged and while the page
    is open; then the home is as it was. A restore that was killed is finished by whoever opens the home next.
    """
    folder, path = homes.resolve(home), homes.resolve(file)
    with archive.reading(path) as reader:
        _require_about(reader)
        if why := _unrestorable(reader.manifest):
            raise DamagedError(f"{path}: {why}")
        if (occupied := _occupied(folder)) and not replace:
            raise InputError(
                f"{folder} is not empty; restore into another --home, or add --replace: "
                "what is there is kept in a backup first"
            )
        made = not folder.exists()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            with _explained(folder):
                return _restore(reader, folder, occupied, _kept_path(folder, keep), _Steps(progress))
        except BaseException:
            if made and not restore.is_ready(folder):
                shutil.rmtree(folder, ignore_errors=True)
            raise


def finish(home: str | Path | None = None) -> bool:
    """Finish a restore that was interrupted; returns whether there was one."""
    folder = homes.resolve(home)
    unfinished = restore.is_ready(folder)
    lock.finish_restore(folder)
    return unfinished


@dataclass(slots=True)
class _Steps:
    """Reports the progress of several steps, each in KiB or pages."""

    heard: Progress | None
    done: Counter[str] = field(default_factory=Counter)

    def at(self, stage: str, done: int, total: int) -> None:
        if self.heard is not None:
            self.heard(stage, done, total)

    def more(self, stage: str, size_bytes: int, total_bytes: int) -> None:
        self.done[stage] += size_bytes
        self.at(stage, self.done[stage] // KIB, -(-total_bytes // KIB))


def _write(
    home: Path,
    path: Path,
    *,
    replace: bool,
    progress: _Steps,
    damaged_too: bool = False,
    opened: Mapping[str, sqlite3.Connection] | None = None,
) -> Backup:
    """See `backup`. With `damaged_too`, a damaged database is kept byte for byte, and the manifest says so.

    `opened` are connections to use for databases that nobody else can open just then.
    """
    about: dict[str, Any] = {
        "citewire": index.__version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "home": str(home),
        "uploads": Locations.of(home).uploads,
        "counts": {},
        "sources": [],
        "left_out": [],
        "damaged": [],
    }
    with _explained(home), _explained_file(path), archive.writing(path, replace=replace) as (writer, staging):
        staged = [
            name
            for name in (INDEX, CONVERSATIONS)
            if (home / name).is_file() and _stage(home / name, staging, about, progress, damaged_too, opened or {})
        ]
        if INDEX in staged:
            # At once: what is removed from the index from here on loses its file.
            uploads = _uploads(staging / INDEX, home)
            _add_uploads(writer, uploads, about, progress)
        files = sorted(staging.iterdir())
        total = sum(file.stat().st_size for file in files)
        for file in files:
            with file.open("rb") as content:
                writer.add(file.name, content, progress=lambda size: progress.more("pack", size, total))
        manifest = writer.finish(about)
    return Backup(path, path.stat().st_size, manifest)


def _stage(
    source: Path,
    staging: Path,
    about: dict[str, Any],
    progress: _Steps,
    damaged_too: bool,
    opened: Mapping[str, sqlite3.Connection],
) -> bool:
    """Copy one state of a database to `staging`; returns whether it is one that can be read."""
    target = staging / source.name
    try:
        with contextlib.nullcontext(opened[source.name]) if source.name in opened else database.reading(source) as one:
            database.copy(one, target, progress=lambda done, total: progress.at("copy", done, total))
    except sqlite3.Error as error:
        if not database.is_damaged(error):
            raise database.explained(source, error, damaged="", waited_s=restore.WAIT_S) from error
        found = str(error)
        target.unlink(missing_ok=True)
    else:
        found = _described(target, about)
        if not found:
            return True
    if not damaged_too:
        raise StoreError(
            f"{source} is damaged ({found}), so no backup was made; "
            "bring an older one back with: citewire restore FILE --replace"
        )
    about["damaged"].append(source.name)
    if not target.exists():
        for file in (source, source.with_name(f"{source.name}-wal")):
            if file.is_file():
                shutil.copyfile(file, staging / file.name)
    return False


def _described(copied: Path, about: dict[str, Any]) -> str:
    """Describe the content of a database in `about`; returns what is damaged, or an empty text."""
    try:
        with contextlib.closing(sqlite3.connect(copied)) as sql:
            (found,) = sql.execute("PRAGMA quick_check(1)").fetchone()
            if found == "ok":
                _describe_index(sql, about) if copied.name == INDEX else _describe_conversations(sql, about)
                return ""
            return " ".join(found.split())
    except (sqlite3.Error, KeyError, ValueError) as error:
        return str(error)


def _describe_index(sql: sqlite3.Connection, about: dict[str, Any]) -> None:
    tables = ("article", "passage", "sentence")
    counts = {f"{table}s": sql.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables}
    meta = dict(sql.execute("SELECT key, value FROM meta").fetchall())
    about["counts"] |= {**counts, "generation": int(meta["generation"])}
    about["embedder"] = meta.get("embedder", "")
    about["sources"] = [uri for (uri,) in sql.execute("SELECT uri FROM root ORDER BY uri")]


def _describe_conversations(sql: sqlite3.Connection, about: dict[str, Any]) -> None:
    conversations, turns = sql.execute("SELECT count(DISTINCT conversation), count(*) FROM turn").fetchone()
    about["counts"] |= {"conversations": conversations, "turns": turns}


def _uploads(path: Path, home: Path) -> dict[str, Path]:
    """The uploads that an index of any layout knows and that were not removed: uri → path in `home`."""
    with contextlib.closing(sqlite3.connect(path)) as sql:
        uris = [uri for (uri,) in sql.execute("SELECT uri FROM origin WHERE NOT excluded ORDER BY uri")]
        if sql.execute("PRAGMA user_version").fetchone()[0] == LAYOUT_OF_PATHS:
            uris = [migrated(uri, home) for uri in uris]
    locations = Locations.of(home)
    return {uri: Path(locations.path(uri)) for uri in uris if uri.startswith(archive.UPLOADS)}


def _add_uploads(writer: Writer, uploads: Mapping[str, Path], about: dict[str, Any], progress: _Steps) -> None:
    beside = {f"{uri}{SIDECAR}": path.with_name(f"{path.name}{SIDECAR}") for uri, path in uploads.items()}
    wanted = {**uploads, **{uri: path for uri, path in beside.items() if path.is_file()}}
    for number, (uri, path) in enumerate(sorted(wanted.items()), start=1):
        progress.at("uploads", number, len(wanted))
        try:
            if not archive.is_plain(uri):
                raise InputError("not every system allows a file of this name")
            content = _content(path)
        except (OSError, InputError) as error:
            reason = str(error) if isinstance(error, InputError) else error.strerror or str(error)
            about["left_out"].append(LeftOut(uri, reason).to_dict())
        else:
            writer.add(uri, io.BytesIO(content))


def _content(path: Path) -> bytes:
    """Read a file without following a link or blocking, whatever is at its path by now."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise InputError("not a file")
        return file.read()


def _restore(reader: Reader, home: Path, occupied: bool, keep: Path, progress: _Steps) -> Restored:
    """See `restored`. Until restore.settle, all that is changed is the folder in which things are laid ready."""
    manifest = reader.manifest
    from index.run import Interrupt

    with write_lock(home, Interrupt(progress.heard, None)):
        # Each database is there twice for a while: laid ready, and in the log of the one that it replaces.
        _require_room(home, 2 * manifest.size_bytes + RESERVE_BYTES)
        staging, kept = restore.begin(home), None
        try:
            _unpack(reader, staging, progress, keep_uploads=True)
            if problems := _examine(staging, manifest):
                raise DamagedError(f"{reader.path} was not restored: {problems[0]}")
            with _held(home / CONVERSATIONS) as opened:
                if opened and not (staging / CONVERSATIONS).exists():
                    Conversations(staging).close()  # there were none
                if occupied:
                    archive.forget_parts(keep.parent, f"{home.name}-before-restore-*")
                    kept = _write(home, keep, replace=False, progress=progress, damaged_too=True, opened=opened)
                    _succeed(staging / INDEX, home / INDEX)
                dropped = _dropped(home, manifest, kept)
                restore.settle(home, dropped=dropped)
        except BaseException:
            if not restore.is_ready(home):
                restore.forget(home)
                if kept is not None:
                    kept.file.unlink(missing_ok=True)
            raise
        restore.finish(home)
    sources = tuple(manifest.about["sources"])
    locations = Locations.of(home)
    missing = tuple(uri for uri in sources if not is_address(uri) and not os.path.lexists(locations.path(uri)))
    return Restored(home, manifest.about["counts"], sources, missing, None if kept is None else keep)


def _require_about(reader: Reader) -> None:
    """Raise DamagedError unless the manifest is one that `backup` writes."""
    about = reader.manifest.about
    counts, left_out = about.get("counts"), about.get("left_out")
    fine = (
        isinstance(counts, dict)
        and all(type(count) is int for count in counts.values())
        and isinstance(left_out, list)
        and all(isinstance(one, dict) and _are_texts([one.get("name"), one.get("reason")]) for one in left_out)
        and _are_texts(about.get("sources"))
        and _are_texts(about.get("damaged"))
        and _are_texts([about.get(name) for name in ("home", "uploads", "created", "citewire")])
    )
    if not fine:
        raise DamagedError(f"{reader.path}: its manifest is not one of Citewire")
    known = {INDEX, CONVERSATIONS, *(f"{name}-wal" for name in about["damaged"])}
    for member in reader.manifest.members:
        if member.name not in known and not member.name.startswith(archive.UPLOADS):
            raise DamagedError(f"{reader.path}: {member.name!r} is not a name that a backup contains")


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _unrestorable(manifest: Manifest) -> str:
    """Why an undamaged backup cannot be restored; empty if it can."""
    if damaged := manifest.about["damaged"]:
        return f"it contains a damaged {damaged[0]}, kept for repair by hand; it cannot be restored"
    if manifest.member(INDEX) is None:
        return "it holds no articles; what else it holds can be taken out with: unzip"
    return ""


def _unpack(reader: Reader, place: Path, progress: _Steps, *, keep_uploads: bool) -> None:
    """Write the databases, and the uploads if asked, to `place`, and compare every checksum."""
    total = reader.manifest.size_bytes

    def report(size_bytes: int) -> None:
        progress.more("unpack", size_bytes, total)

    for member in reader.manifest.members:
        if keep_uploads or not member.name.startswith(archive.UPLOADS):
            reader.extract(member, place / member.name, progress=report)
        else:
            reader.check(member, progress=report)


def _examine(place: Path, manifest: Manifest) -> list[str]:
    """What is damaged in the databases in `place`; those of an older layout are migrated."""
    about, problems = manifest.about, []
    found: dict[str, int] = {}
    for name, made in ((INDEX, _made_index), (CONVERSATIONS, _made_conversations)):
        if not (place / name).is_file() or name in about["damaged"]:
            continue
        try:
            with tempfile.TemporaryDirectory(prefix="citewire-") as folder:
                problems += _foreign(place / name, made(Path(folder)))
            if not problems:
                counts, wrong = _check_index(place, about) if name == INDEX else _check_conversations(place)
                found |= counts
                problems += [f"{name}: {one}" for one in wrong]
        except (sqlite3.Error, KeyError, ValueError, TypeError) as error:
            problems.append(f"{name} is damaged: {error}")
        except Error as error:
            problems.append(f"{name}: {error}")
    if not problems and not about["damaged"] and found != about["counts"]:
        problems.append(f"its contents do not match its manifest: {_counted(found)}")
    return problems


def _check_index(place: Path, about: Mapping[str, Any]) -> tuple[dict[str, int], list[str]]:
    """The counts of the index in `place`, and what is damaged in it."""
    from index.store import Store

    path = place / INDEX
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as sql:
        embedder = dict(sql.execute("SELECT key, value FROM meta")).get("embedder", "")
        sources = [uri for (uri,) in sql.execute("SELECT uri FROM root ORDER BY uri")]
        if sql.execute("PRAGMA user_version").fetchone()[0] == LAYOUT_OF_PATHS:
            _move_uploads(sql, [f"{about['home']}/{UPLOADS}", about["uploads"]], f"{place}/{UPLOADS}")
    store = Store(path, embedder=embedder)
    try:
        problems = [str(fault) for fault in store.check()]
        if sources != about["sources"]:
            problems.append("the manifest names other sources")
        with store.read() as generation:
            counts = {f"{table}s": count for table, count in generation.counts().items()}
            counts["generation"] = generation.number
            problems += _strangers(generation, place)
    finally:
        store.close()
    for copy in place.glob(f"{INDEX}.*"):  # of the older layout
        copy.unlink()
    return counts, problems


def _move_uploads(sql: sqlite3.Connection, before: Sequence[str], after: str) -> None:
    """Move the paths of uploads in a database of LAYOUT_OF_PATHS from below one of `before` to below `after`."""
    for table, column in (("root", "uri"), ("origin", "uri"), ("article", "origin")):
        for folder in before:
            sql.execute(
                f"UPDATE {table} SET {column} = ? || substr({column}, ?) "
                f"WHERE {column} = ? OR substr({column}, 1, ?) = ? || '/'",
                (after, len(folder) + 1, folder, len(folder) + 1, folder),
            )


def _strangers(generation: Generation, place: Path) -> list[str]:
    """Origins that claim to be uploads but are elsewhere; removing their article would delete that file."""
    locations = Locations.of(place)
    uris = [uri for uri in (*generation.roots(), *generation.origins()) if within(uri, UPLOADS)]
    return [
        f"{uri!r} is not an upload"
        for uri in uris
        if os.path.normpath(locations.path(uri)) != locations.path(uri)
        or not within(locations.path(uri), locations.uploads)
    ]


def _check_conversations(place: Path) -> tuple[dict[str, int], list[str]]:
    with Conversations(place) as conversations:
        counts, problems = conversations.counts(), list(conversations.check())
    for copy in place.glob(f"{CONVERSATIONS}.*"):  # of the older layout
        copy.unlink()
    return counts, problems


def _made_index(folder: Path) -> Path:
    from index.store import Store

    Store(folder / INDEX, embedder="").close()
    return folder / INDEX


def _made_conversations(folder: Path) -> Path:
    Conversations(folder).close()
    return folder / CONVERSATIONS


def _foreign(path: Path, expected: Path) -> list[str]:
    """What a database has beside Citewire's own tables: triggers and views would run when it is used."""
    with contextlib.closing(sqlite3.connect(path)) as sql, contextlib.closing(sqlite3.connect(expected)) as ours:
        own, theirs = (one.execute("PRAGMA application_id").fetchone()[0] for one in (ours, sql))
        if own != theirs:
            return [f"{path.name} is not a database of Citewire"]
        known, found = (
            {(kind, name, " ".join((statement or "").split()[:2])) for kind, name, statement in rows}
            for rows in (one.execute("SELECT type, name, sql FROM sqlite_master").fetchall() for one in (ours, sql))
        )
    return [
        f"{path.name} has a {kind} {name!r}, which Citewire did not create" for kind, name, _ in sorted(found - known)
    ]


@contextlib.contextmanager
def _held(path: Path) -> Iterator[Mapping[str, sqlite3.Connection]]:
    """The database of the conversations held against everybody else, if there is one that is not damaged."""
    with contextlib.ExitStack() as stack:
        opened = {}
        try:
            if path.is_file():
                opened[path.name] = stack.enter_context(restore.alone(path))
        except sqlite3.DatabaseError as error:
            if not database.is_damaged(error):
                raise database.explained(path, error, damaged="", waited_s=restore.WAIT_S) from error
        yield opened


def _dropped(home: Path, manifest: Manifest, kept: Backup | None) -> list[str]:
    """Present uploads that the backup does not have. Raises InputError for one that would be lost."""
    after = {member.name: member for member in manifest.members}
    before = {} if kept is None else {member.name: member for member in kept.manifest.members}
    for name, member in after.items():
        path = home / name
        unknown = name.startswith(archive.UPLOADS) and name not in before and path.is_file()
        if unknown and hashlib.sha256(_content(path)).hexdigest() != member.sha256:
            raise InputError(f"{path} is not in the index and would be overwritten; move it away first")
    return [name for name in before if name.startswith(archive.UPLOADS) and name not in after]


def _succeed(staged: Path, present: Path) -> None:
    """Give the staged index a new id and a later generation than the present one, so that open readers notice it."""
    from index.store import Store

    generation = 0
    with contextlib.suppress(sqlite3.Error), database.reading(present) as sql:
        generation = int(dict(sql.execute("SELECT key, value FROM meta"))["generation"])
    with contextlib.closing(sqlite3.connect(staged)) as sql:
        embedder = dict(sql.execute("SELECT key, value FROM meta")).get("embedder", "")
    store = Store(staged, embedder=embedder)
    store.succeed(generation)
    store.close()


def _occupied(home: Path) -> bool:
    """Whether a home has anything in it."""
    if home.is_dir():
        return any(path.name not in _UNLISTED for path in home.iterdir())
    return False


def _kept_path(home: Path, keep: str | Path | None) -> Path:
    if keep is None:
        return home.with_name(f"{home.name}-before-restore-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.zip")
    path = homes.resolve(keep)
    if within(os.path.realpath(path), os.path.realpath(home)):
        raise InputError(f"{path} is inside the home; choose a path outside {home}")
    return path


def _require_room(folder: Path, size_bytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < size_bytes:
        raise InputError(f"{folder} needs {size_bytes / 1e9:.1f} GB and has {free / 1e9:.1f} GB free; free some space")


@contextlib.contextmanager
def _explained(place: Path) -> Iterator[None]:
    """SQLite's complaint in plain words."""
    try:
        yield
    except sqlite3.Error as error:
        raise database.explained(place, error, damaged="", waited_s=restore.WAIT_S) from error


@contextlib.contextmanager
def _explained_file(path: Path) -> Iterator[None]:
    """The system's error with the name of the backup."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"{path} was not written: {error.strerror or error}; an earlier backup there is unchanged"
        ) from error


def _counted(counts: Mapping[str, int]) -> str:
    names = {"articles": "article", "conversations": "conversation", "turns": "turn"}
    parts = [f"{counts[name]} {one if counts[name] == 1 else name}" for name, one in names.items() if name in counts]
    return ", ".join(parts) or "nothing"
