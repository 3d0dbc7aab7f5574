"""Repack: whether llama.cpp lays the weights of a model out anew when it loads them, as measured on this machine.

Repacked, they are multiplied by other kernels, and need memory of their own beside the file. Which kernels are faster
depends on the processor, the compiler and the weights: on one machine repacked weights wrote by a third faster and read
by a third more slowly, on another it made no difference (docs/experiments.md). So both are measured once.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from index.models import models_dir
from rag.llm.native import Native, build, can_repack

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FOLDER = ".repack"
"""In the folder of the models: what was measured of each."""
READ, WRITTEN = 375, 17
"""Tokens of an ordinary answer over passages that are new to the model: 300 of passages and 75 of the judge's questions
are read, 17 written."""
PROBE, WRITES, ROUNDS = 128, 8, 2
"""Tokens that are read at once and one by one for a measurement, and how often; the fastest counts."""
LEAST_GAIN = 0.95
"""Of the time as in the file. What repacking gains must be worth the memory."""


@dataclass(frozen=True, slots=True)
class Speed:
    """Processor time of one token on one thread, in seconds."""

    read_s: float
    write_s: float

    @property
    def answer_s(self) -> float:
        """Processor time of an ordinary answer, in seconds."""
        return READ * self.read_s + WRITTEN * self.write_s


@dataclass(frozen=True, slots=True)
class Measured:
    """The speed of a model on this machine; `repacked` is None where llama.cpp cannot or must not repack it."""

    as_in_file: Speed
    repacked: Speed | None

    @property
    def repack(self) -> bool:
        """Whether the weights are to be repacked."""
        return self.repacked is not None and self.repacked.answer_s <= LEAST_GAIN * self.as_in_file.answer_s


def repacks(path: Path) -> bool:
    """Whether the weights of the GGUF file at `path` are to be repacked. They are where nothing was measured, as
    llama.cpp does it by itself."""
    found = remembered(path)
    return found is None or found.repack


def remembered(path: Path) -> Measured | None:
    """What was measured of this file, with this build of llama.cpp on such a processor; None if nothing was."""
    try:
        kept = json.loads(_place(path).read_text(encoding="utf-8"))
        repacked = kept["repacked"]
        return Measured(_kept(kept["as_in_file"]), None if repacked is None else _kept(repacked))
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None


def _kept(speed: dict[str, object]) -> Speed:
    """A speed as it was written. Raises ValueError, TypeError for what is none."""
    found = Speed(**speed)  # type: ignore[arg-type]
    if not (0 < found.read_s < math.inf and 0 < found.write_s < math.inf):
        raise ValueError(f"{speed} is no speed")
    return found


def measure(path: Path) -> Measured:
    """Measure both, and remember it. The model is loaded twice, one after the other. Raises ModelError for a file that
    cannot be loaded."""
    found = Measured(_speed(path, repack=False), _speed(path, repack=True) if can_repack() else None)
    place = _place(path)
    draft = place.with_suffix(f".{os.getpid()}.{threading.get_ident()}.part")
    with suppress(OSError):  # in a folder that cannot be written it is not remembered
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            draft.write_text(json.dumps(asdict(found), indent=1), encoding="utf-8")
            draft.replace(place)
        finally:
            draft.unlink(missing_ok=True)
    return found


def _speed(path: Path, *, repack: bool) -> Speed:
    """On one thread, whose processor time is the same whatever else the machine does."""
    native = Native.load(path, mend="check the file", context_tokens=2 * PROBE, threads=1, repack=repack)
    try:
        tokens = list(range(native.size // 2, native.size // 2 + PROBE))

        def write() -> None:
            for place in range(WRITES):
                native.evaluate(tokens[:1], PROBE + place)

        times = []
        for _ in range(ROUNDS):
            native.forget_after(0)
            times.append((_used(lambda: native.evaluate(tokens, 0)), _used(write)))
    finally:
        native.free()
    return Speed(min(read for read, _ in times) / PROBE, min(written for _, written in times) / WRITES)


def _used(work: Callable[[], object]) -> float:
    begun = time.thread_time()
    work()
    return time.thread_time() - begun


def _place(path: Path) -> Path:
    """One file for each model, as it lies there, and each build of llama.cpp, which names the processor's features."""
    about = path.stat()
    parts = (str(path.resolve()), about.st_size, about.st_mtime_ns, build())
    return models_dir() / FOLDER / f"{hashlib.sha256(repr(parts).encode()).hexdigest()[:32]}.json"
