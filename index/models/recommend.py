"""Recommend: which language models of models.txt fit this machine, by its memory, cores and GPU. Loads no model."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from index.models.manifest import manifest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from index.models.manifest import Model

GB = 10**9
FOR_MODELS = 0.7
"""Share of the memory that models may take, so that a browser and an editor keep running beside them."""
BESIDE_BYTES = int(1.5 * GB)
"""What Citewire takes beside the language model: Python, PyTorch and the embedder (1.1 GB), and the context."""
OVERHEAD = 1.1
"""Memory that a model takes in units of its file."""
GPU_SHARE, GPU_BESIDE_BYTES = 0.95, GB
"""Share of a GPU's memory that is free for a model, and what the context takes there."""
READING_MS, READING_BYTES, READING_CORES = 26.0, 1_117_320_768, 2
"""Measured with the default model: 26 ms to read a token on two cores. Time grows with the size of the weights that a
token needs and falls with the cores, as far as memory keeps up."""
MOST_CORES = 8
"""From here on memory is what limits reading."""
EVIDENCE_TOKENS = 640
"""Tokens of the passages of a question (rag.settings.Settings.evidence_tokens)."""
MOST_READING_S = 60.0
"""Longest reading of new passages that a reader may be asked to wait for."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What was found of a machine. `gpu_bytes` is the memory of its largest GPU, 0 where none was found; a GPU that
    shares the memory of the machine has all of it. `uses_gpu` is whether what runs models can use it."""

    memory_bytes: int
    cores: int
    gpu: str = ""
    gpu_bytes: int = 0
    uses_gpu: bool = True

    @classmethod
    def here(cls) -> Machine:
        """This one. Finds GPUs of NVIDIA, by nvidia-smi, and those of Apple."""
        memory = _memory_bytes()
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        if sys.platform == "darwin" and platform.machine() == "arm64":
            return cls(memory, cores, "Apple", memory)
        return cls(memory, cores, *_nvidia())


@dataclass(frozen=True, slots=True)
class Fit:
    """How a model fits a machine. `reading_s` is how long it reads the passages of a question, where they are new, on
    the processor; with a GPU it is far less, and None."""

    model: Model
    needs_bytes: int
    on_gpu: bool
    reading_s: float | None
    fits: bool

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready mapping."""
        return {
            "name": self.model.name,
            "size_bytes": self.model.size_bytes,
            "needs_bytes": self.needs_bytes,
            "on_gpu": self.on_gpu,
            "reading_s": None if self.reading_s is None else round(self.reading_s),
            "fits": self.fits,
            "tried": not self.model.untried,
        }


def fits(machine: Machine, models: Iterable[Model] | None = None) -> tuple[Fit, ...]:
    """How each language model of models.txt fits, the smallest first."""
    listed = manifest() if models is None else models
    found = [_fit(machine, model) for model in listed if model.role == "llm"]
    return tuple(sorted(found, key=lambda fit: fit.model.size_bytes))


def recommended(found: Iterable[Fit]) -> Fit | None:
    """The largest that fits; None if none does."""
    return max((fit for fit in found if fit.fits), key=lambda fit: fit.model.size_bytes, default=None)


def _fit(machine: Machine, model: Model) -> Fit:
    weights = int(model.size_bytes * OVERHEAD)
    if machine.uses_gpu and machine.gpu_bytes and weights + GPU_BESIDE_BYTES <= machine.gpu_bytes * _gpu_share(machine):
        return Fit(model, weights + GPU_BESIDE_BYTES, True, None, True)
    cores = min(machine.cores, MOST_CORES)
    read_bytes = model.size_bytes * model.active
    reading_s = EVIDENCE_TOKENS * READING_MS / 1000 * (read_bytes / READING_BYTES) * READING_CORES / cores
    needs = weights + BESIDE_BYTES
    return Fit(
        model, needs, False, reading_s, needs <= machine.memory_bytes * FOR_MODELS and reading_s <= MOST_READING_S
    )


def _gpu_share(machine: Machine) -> float:
    return FOR_MODELS if machine.gpu_bytes == machine.memory_bytes else GPU_SHARE


def _memory_bytes() -> int:
    """The memory of the machine, or of the container this runs in; 0 where it cannot be told."""
    found = _of_windows() if sys.platform == "win32" else 0
    with suppress(ValueError, OSError, AttributeError):
        found = found or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):
            found = min(found, int(Path(limit).read_text(encoding="ascii")))
    return found


def _of_windows() -> int:
    import ctypes

    class Status(ctypes.Structure):
        _fields_ = (("size", ctypes.c_uint32), ("load", ctypes.c_uint32), ("numbers", ctypes.c_uint64 * 7))

    status = Status(size=ctypes.sizeof(Status))
    kernel: Any = getattr(ctypes, "windll").kernel32  # noqa: B009 (only Windows has it)
    return int(status.numbers[0]) if kernel.GlobalMemoryStatusEx(ctypes.byref(status)) else 0


def _nvidia() -> tuple[str, int]:
    """Name and memory of the largest GPU of NVIDIA; ("", 0) where there is none."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return "", 0
    query = [program, "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    with suppress(OSError, subprocess.SubprocessError):
        said = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True).stdout  # noqa: S603
        found = [line.rpartition(",") for line in said.splitlines()]
        sizes = [(int(size) * 2**20, name.strip()) for name, _, size in found if size.strip().isdecimal()]
        if sizes:
            size, name = max(sizes)
            return name, size
    return "", 0
